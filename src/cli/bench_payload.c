/*
 * bench_payload.c -- what is sent, and whether it is what has come back.
 *
 *   000007 000000012a abcdefghij...      a number of 6 hex digits, a sequence
 *                                        number of 10, then filler
 *
 * An answer that is lost, doubled, cut short or another's is found by that.
 * With --data all events are the same, and what comes back is counted only.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/cli/bench_worker.h"

#include "protocol/socketio/scan.h"

#include <sio/value.h>
#include <stdio.h>

#define NUMBER_DIGITS 6
#define SEQ_DIGITS 10

static void put_hex(char *out, int digits, uint64_t n)
{
    while (digits--) {
        out[digits] = "0123456789abcdef"[n & 15];
        n >>= 4;
    }
}

static bool get_hex(const char *in, int digits, uint64_t *out)
{
    uint64_t n = 0;

    for (int i = 0; i < digits; i++) {
        const char c = in[i];

        if (c >= '0' && c <= '9')
            n = n << 4 | (uint64_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            n = n << 4 | (uint64_t)(c - 'a' + 10);
        else
            return false;
    }
    *out = n;
    return true;
}

int bench_send(struct bench_client *c, uint32_t number, uint64_t seq,
               int64_t id)
{
    struct bench_worker *w = c->worker;
    const struct bench_shared *s = w->shared;
    const struct bench_options *o = s->options;
    sio_value value;

    if (o->data) {
        value = sio_raw_json(o->data, strlen(o->data));
        value.trusted = true; /* bench_options.c has looked */
    } else {
        put_hex(w->payload, NUMBER_DIGITS, number);
        put_hex(w->payload + NUMBER_DIGITS, SEQ_DIGITS, seq);
        value = o->scenario == BENCH_BINARY
                    ? sio_binary(w->payload, s->payload_size)
                    : sio_stringn(w->payload, s->payload_size);
    }
    w->counts.sent++;
    return cli_socket_emit(c->socket, s->event, id, &value, 1);
}

void bench_wrong(struct bench_worker *w, const char *what)
{
    if (!w->counts.wrong++)
        snprintf(w->wrong, sizeof w->wrong, "%s", what);
}

bool bench_read(struct bench_client *c, const struct sp_packet *packet,
                const sio_str *attachments, size_t count, uint32_t *number,
                uint64_t *seq)
{
    struct bench_worker *w = c->worker;
    const struct bench_shared *s = w->shared;
    sio_str got = cli_argument(s->target, packet, 0, attachments, count);
    uint64_t n;
    char what[CLI_WHY];

    if (got.n == s->payload_size && get_hex(got.p, NUMBER_DIGITS, &n) &&
        get_hex(got.p + NUMBER_DIGITS, SEQ_DIGITS, seq) &&
        memcmp(got.p + BENCH_TOKEN, s->payload + BENCH_TOKEN,
               s->payload_size - BENCH_TOKEN) == 0) {
        *number = (uint32_t)n;
        return true;
    }
    snprintf(what, sizeof what, "an answer is not what was sent: %.*s",
             (int)(packet->json.n < 80 ? packet->json.n : 80),
             s->target->parser == CLI_JSON && packet->json.n ? packet->json.p
                                                             : "");
    bench_wrong(w, what);
    return false;
}

void bench_note_other(struct bench_worker *w, const struct sp_packet *packet)
{
    if (w->counts.other++ || packet->type == SP_ACK ||
        packet->type == SP_BINARY_ACK || w->shared->target->parser != CLI_JSON)
        return;
    snprintf(w->other, sizeof w->other, "%.*s",
             (int)(packet->argv[0].n < 60 ? packet->argv[0].n : 60),
             packet->argv[0].p);
}
