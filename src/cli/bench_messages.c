/*
 * bench_messages.c -- echo, ack, binary and polling: every client sends events
 * and waits for an answer to each.
 *
 * Without --rate a client sends the next event when an answer has come, so that
 * always as many are in flight. With it events are due by a schedule, which
 * does not wait for anybody: one that could not be sent because too many were
 * in flight is sent later, and counts from the time at which it was due.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/cli/bench_worker.h"

static uint64_t *place(const struct bench_client *c, uint64_t seq)
{
    return &c->flight[seq & (c->worker->shared->flight_cap - 1)];
}

static bool has_room(const struct bench_client *c)
{
    return c->state == BENCH_CONNECTED &&
           c->seq - c->oldest < c->worker->shared->flight_max;
}

static void send_one(struct bench_client *c, uint64_t due_ns)
{
    struct bench_worker *w = c->worker;
    const bool ack = w->shared->options->scenario == BENCH_ACK;
    const uint64_t seq = c->seq++;

    *place(c, seq) = due_ns;
    w->in_flight++;
    if (!--w->quota)
        w->stopped = true;
    bench_send(c, c->index, seq, ack ? (int64_t)seq : SP_NO_ID);
}

static void check_drained(struct bench_worker *w)
{
    if (w->stopped && !w->in_flight)
        bench_drained(w);
}

/* -------------------------------------------------------------------- rate */

/* The next client with room, in turn; NULL: none has. */
static struct bench_client *next_client(struct bench_worker *w)
{
    for (size_t i = 0; i < w->client_count; i++) {
        struct bench_client *c = &w->clients[w->turn];

        w->turn = w->turn + 1 < w->client_count ? w->turn + 1 : 0;
        if (has_room(c))
            return c;
    }
    return NULL;
}

static bool send_due(struct bench_worker *w, uint64_t due_ns)
{
    struct bench_client *c = next_client(w);

    if (c)
        send_one(c, due_ns);
    return c != NULL;
}

/* -------------------------------------------------------------- in and out */

static void start(struct bench_worker *w)
{
    const uint64_t now = bench_now();

    for (size_t i = 0; i < w->client_count; i++)
        while (!w->stopped && has_room(&w->clients[i]))
            send_one(&w->clients[i], now);
    net_pulse_at(&w->pulse, w->until_ns);
}

static void go(struct bench_worker *w)
{
    w->due = 0;
    if (!w->quota || !w->counts.connected)
        w->stopped = true;
    check_drained(w);
    net_pulse_at(&w->pulse, w->stopped ? 0 : w->start_ns);
}

static void pulse(struct bench_worker *w)
{
    if (w->stopped)
        return;
    if (w->rate > 0) {
        bench_schedule(w, send_due);
    } else if (bench_now() < w->until_ns) {
        start(w);
    } else {
        w->stopped = true;
        check_drained(w);
    }
}

/* Which event it answers; false: none of ours. */
static bool answered(struct bench_client *c, const struct sp_packet *packet,
                     const sio_str *attachments, size_t count, uint64_t *seq)
{
    const struct bench_shared *s = c->worker->shared;
    const bool checked = !s->options->no_check && !s->options->data;
    const bool ack = s->options->scenario == BENCH_ACK;
    uint32_t number = c->index;

    if (ack ? packet->type != SP_ACK && packet->type != SP_BINARY_ACK
            : !cli_event_is(s->target, packet, s->reply)) {
        bench_note_other(c->worker, packet);
        return false;
    }
    *seq = ack ? (uint64_t)packet->id : c->oldest;
    if (checked) {
        uint64_t said;

        if (!bench_read(c, packet, attachments, count, &number, &said))
            return false;
        if (number != c->index || (ack && said != *seq)) {
            bench_wrong(c->worker, "an answer is another event's");
            return false;
        }
        *seq = said;
    }
    if (*seq >= c->seq || *seq < c->oldest || !*place(c, *seq)) {
        bench_wrong(c->worker, "an answer has come twice, or to nothing");
        return false;
    }
    return true;
}

static void packet(struct bench_client *c, const struct sp_packet *p,
                   const sio_str *attachments, size_t count)
{
    struct bench_worker *w = c->worker;
    uint64_t seq, now;

    if (!answered(c, p, attachments, count, &seq))
        return;
    now = bench_now();
    bench_measure(w, *place(c, seq), now);
    *place(c, seq) = 0;
    while (c->oldest < c->seq && !*place(c, c->oldest))
        c->oldest++;
    w->in_flight--;
    if (now >= w->until_ns && w->rate <= 0)
        w->stopped = true;
    if (!w->stopped && w->rate <= 0 && has_room(c))
        send_one(c, now);
    check_drained(w);
}

static void closed(struct bench_client *c, bool asked, const char *why)
{
    struct bench_worker *w = c->worker;

    (void)asked;
    (void)why;
    for (; c->oldest < c->seq; c->oldest++)
        if (*place(c, c->oldest)) {
            *place(c, c->oldest) = 0;
            w->in_flight--;
        }
    if (w->going && !w->counts.connected)
        w->stopped = true;
    check_drained(w);
}

static void connected(struct bench_client *c)
{
    (void)c;
}

const struct bench_ops bench_messages = { .ramps = true,
                                          .connected = connected,
                                          .packet = packet,
                                          .closed = closed,
                                          .go = go,
                                          .pulse = pulse,
                                          .stop = check_drained };
