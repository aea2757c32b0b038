/*
 * toy.c -- see toy.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/flow/toy.h"

#include <sio/value.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define US 0x1f
#define VALUES 32

size_t toy_forgotten, toy_pending;

/* ------------------------------------------------------------------ reading */

/* A packet that waits for its attachments; the text stands behind them. */
struct pending {
    size_t count, have, n;
    sio_str attachments[];
};

static char *text_of(struct pending *p)
{
    return (char *)(p->attachments + p->count);
}

static void pending_free(struct pending *p)
{
    for (size_t i = 0; i < p->have; i++)
        free((char *)(uintptr_t)p->attachments[i].p);
    free(p);
    toy_pending--;
}

/* The field at the front. */
static sio_str take_field(sio_str *text)
{
    const char *at = text->n ? memchr(text->p, US, text->n) : NULL;
    sio_str field = { text->p, at ? (size_t)(at - text->p) : text->n };

    text->p += field.n + (at != NULL);
    text->n -= field.n + (at != NULL);
    return field;
}

/* Digits, at most 15 of them; -1: none. */
static int64_t number_of(sio_str field)
{
    int64_t number = field.n && field.n < 16 ? 0 : -1;

    for (size_t i = 0; number >= 0 && i < field.n; i++)
        number = field.p[i] >= '0' && field.p[i] <= '9'
                     ? number * 10 + field.p[i] - '0'
                     : -1;
    return number;
}

static int64_t integer_of(sio_str field)
{
    char text[32];

    snprintf(text, sizeof text, "%.*s", (int)(field.n < 31 ? field.n : 31),
             field.n ? field.p : "");
    return strtoll(text, NULL, 10);
}

static bool read_value(sio_str field, const struct pending *with,
                       sio_value *out)
{
    const sio_str rest = { field.p + 1, field.n ? field.n - 1 : 0 };
    const size_t count = with ? with->count : 0;
    char number[32];
    int64_t i;

    snprintf(number, sizeof number, "%.*s", (int)(rest.n < 31 ? rest.n : 31),
             field.n ? rest.p : "");
    switch (field.n ? field.p[0] : 0) {
    case 'n':
        *out = sio_null();
        return true;
    case 't':
    case 'f':
        *out = sio_bool(field.p[0] == 't');
        return true;
    case 'i':
        *out = sio_int(integer_of(rest));
        return true;
    case 'd':
        *out = sio_number(strtod(number, NULL));
        return true;
    case 's':
        *out = sio_stringn(rest.p, rest.n);
        return true;
    case 'j':
        *out = sio_raw_json_binary(rest.p, rest.n,
                                   with ? with->attachments : NULL, count);
        return true;
    case 'b':
        i = number_of(rest);
        if (i < 0 || (uint64_t)i >= count)
            return false;
        *out = sio_binary(with->attachments[i].p, with->attachments[i].n);
        return true;
    default:
        return false;
    }
}

/* Everything that the packet points at must live as long as it does. */
static struct pending *into_decoder(sio_decoder *d, const struct pending *from)
{
    struct pending *to = sio_decoder_alloc(
        d, sizeof *to + from->count * sizeof *to->attachments);

    if (!to)
        return NULL;
    *to = *from;
    for (size_t i = 0; i < from->count; i++) {
        char *bytes = sio_decoder_alloc(d, from->attachments[i].n + 1);

        if (!bytes)
            return NULL;
        memcpy(bytes, from->attachments[i].p, from->attachments[i].n);
        to->attachments[i] = (sio_str){ bytes, from->attachments[i].n };
    }
    return to;
}

static const char *finish(sio_decoder *d, sio_str text,
                          const struct pending *with)
{
    sio_value values[VALUES];
    sio_parser_packet packet = { .values = values };
    sio_str field = take_field(&text), id;

    if (field.n < 1)
        return "toy: no type";
    packet.type = (sio_parser_type)(field.p[0] - '0');
    packet.nsp = (sio_str){ field.p + 1, field.n - 1 };
    id = take_field(&text);
    packet.ack_id = id.n ? integer_of(id) : SIO_NO_ACK_ID;
    packet.event = take_field(&text);
    for (;;) {
        field = take_field(&text);
        if (text.n == 0) /* the number of attachments */
            break;
        if (packet.count == VALUES ||
            !read_value(field, with, &values[packet.count++]))
            return "toy: bad value";
    }
    return sio_decoder_packet(d, &packet) == SIO_OK ? NULL : "toy: bad packet";
}

static const char *take_attachment(sio_decoder *d, const void *data, size_t n)
{
    void **state = sio_decoder_state(d);
    struct pending *p = *state, *kept;
    char *copy = p ? malloc(n + 1) : NULL, *text;
    const char *wrong = "toy: out of memory";

    if (!p)
        return "toy: binary out of place";
    if (!copy)
        return wrong;
    memcpy(copy, data, n);
    p->attachments[p->have++] = (sio_str){ copy, n };
    if (p->have < p->count)
        return NULL;
    kept = into_decoder(d, p);
    text = sio_decoder_alloc(d, p->n);
    if (kept && text) {
        memcpy(text, text_of(p), p->n);
        wrong = finish(d, (sio_str){ text, p->n }, kept);
    }
    *state = NULL;
    pending_free(p);
    return wrong;
}

static const char *wait_for(sio_decoder *d, sio_str text, size_t count)
{
    struct pending *p;

    if (count > sio_decoder_max_attachments(d))
        return "toy: too many attachments";
    p = malloc(sizeof *p + count * sizeof *p->attachments + text.n);
    if (!p)
        return "toy: out of memory";
    *p = (struct pending){ .count = count, .n = text.n };
    memcpy(text_of(p), text.p, text.n);
    *sio_decoder_state(d) = p;
    toy_pending++;
    return NULL;
}

static const char *decode(sio_decoder *d, bool binary, const void *data,
                          size_t n, void *user)
{
    const sio_str text = { data, n };
    size_t at = n;
    int64_t count;

    (void)user;
    if (binary)
        return take_attachment(d, data, n);
    if (*sio_decoder_state(d))
        return "toy: text out of place";
    while (at > 0 && text.p[at - 1] != '#')
        at--;
    count = at > 1 && text.p[at - 2] == US
                ? number_of((sio_str){ text.p + at, n - at })
                : -1;
    if (count < 0)
        return "toy: no end";
    return count ? wait_for(d, text, (size_t)count) : finish(d, text, NULL);
}

static void forget(void *state, void *user)
{
    (void)user;
    toy_forgotten++;
    pending_free(state);
}

/* ------------------------------------------------------------------ writing */

static void write_text(sio_encoder *e, const char *text)
{
    sio_encoder_write(e, text, strlen(text));
}

static void write_value(sio_encoder *e, const sio_value *v)
{
    char number[40];

    switch (v->kind) {
    case SIO_BOOL:
        write_text(e, v->boolean ? "t" : "f");
        break;
    case SIO_INT:
        snprintf(number, sizeof number, "i%lld", (long long)v->integer);
        write_text(e, number);
        break;
    case SIO_NUMBER:
        snprintf(number, sizeof number, "d%.17g", v->number);
        write_text(e, number);
        break;
    case SIO_STRING:
        write_text(e, "s");
        sio_encoder_write(e, v->data, v->size);
        break;
    case SIO_BINARY:
        snprintf(number, sizeof number, "b%zu", sio_encoder_attached(e));
        write_text(e, number);
        sio_encoder_attach(e, v->data, v->size);
        break;
    case SIO_RAW_JSON:
        write_text(e, "j");
        sio_encoder_write_json(e, v);
        break;
    default:
        write_text(e, "n");
    }
}

static int encode(sio_encoder *e, const sio_parser_packet *packet, void *user)
{
    char text[40];

    (void)user;
    snprintf(text, sizeof text, "%d", (int)packet->type);
    write_text(e, text);
    sio_encoder_write(e, packet->nsp.p, packet->nsp.n);
    snprintf(text, sizeof text, "%c%lld", US, (long long)packet->ack_id);
    if (packet->ack_id == SIO_NO_ACK_ID)
        text[1] = 0;
    write_text(e, text);
    write_text(e, "\x1f");
    sio_encoder_write(e, packet->event.p, packet->event.n);
    for (size_t i = 0; i < packet->count; i++) {
        write_text(e, "\x1f");
        write_value(e, &packet->values[i]);
    }
    snprintf(text, sizeof text, "%c#%zu", US, sio_encoder_attached(e));
    return sio_encoder_write(e, text, strlen(text));
}

const sio_parser *toy_parser(void)
{
    static const sio_parser toy = { .size = sizeof toy,
                                    .name = "toy",
                                    .decode = decode,
                                    .encode = encode,
                                    .forget = forget };

    return &toy;
}
