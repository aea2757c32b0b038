/*
 * args_json.c -- arguments that are slices of JSON text; see codec.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/socketio/scan.h"
#include "src/socketio/codec.h"

/* The attachment that the argument as a whole stands for, or -1. */
static int64_t whole_attachment(const sio_event *event, sio_str raw)
{
    struct json_placeholder ph;
    size_t pos = 0;

    if (!event->attachment_count || json_kind(raw) != JSON_OBJECT)
        return -1;
    if (!json_next_placeholder(raw, &pos, &ph) || ph.start != 0)
        return -1;
    return ph.num;
}

static int string(sio_event *event, sio_str raw, const char **out, size_t *n)
{
    char *text;
    size_t len;

    if (json_kind(raw) != JSON_STRING)
        return SIO_E_TYPE;
    text = arena_alloc(&event->arena, raw.n);
    if (!text)
        return SIO_E_NOMEM;
    len = json_unescape(raw, text);
    text[len] = 0; /* the quotes were two bytes */
    *out = text;
    *n = len;
    return SIO_OK;
}

static sio_str name(sio_event *event)
{
    const sio_str raw = event->packet.argv[0];
    const char *text = "";
    size_t n = 0;

    if (raw.p[0] != '"')
        return raw;
    if (!memchr(raw.p, '\\', raw.n))
        return (sio_str){ raw.p + 1, raw.n - 2 };
    string(event, raw, &text, &n);
    return (sio_str){ text, n };
}

static sio_kind kind(const sio_event *event, sio_str raw)
{
    int64_t ignored;

    switch (json_kind(raw)) {
    case JSON_TRUE:
    case JSON_FALSE:
        return SIO_BOOL;
    case JSON_NUMBER:
        return json_integer(raw, &ignored) ? SIO_INT : SIO_NUMBER;
    case JSON_STRING:
        return SIO_STRING;
    case JSON_ARRAY:
        return SIO_JSON;
    case JSON_OBJECT:
        return whole_attachment(event, raw) >= 0 ? SIO_BINARY : SIO_JSON;
    default:
        return SIO_NULL;
    }
}

static int integer(sio_str raw, int64_t *out)
{
    if (json_kind(raw) != JSON_NUMBER)
        return SIO_E_TYPE;
    return json_integer(raw, out) ? SIO_OK : SIO_E_RANGE;
}

static int number(sio_str raw, double *out)
{
    if (json_kind(raw) != JSON_NUMBER)
        return SIO_E_TYPE;
    *out = json_number(raw);
    return SIO_OK;
}

static int boolean(sio_str raw, bool *out)
{
    const enum json_kind kind = json_kind(raw);

    if (kind != JSON_TRUE && kind != JSON_FALSE)
        return SIO_E_TYPE;
    *out = kind == JSON_TRUE;
    return SIO_OK;
}

static int binary(const sio_event *event, sio_str raw, const void **out,
                  size_t *n)
{
    const int64_t num = whole_attachment(event, raw);

    return num < 0 ? SIO_E_TYPE : sio_attachment(event, (size_t)num, out, n);
}

static sio_value value(const sio_event *event, sio_str raw)
{
    sio_value v = sio_raw_json(raw.p, raw.n);

    v.trusted = true;
    v.attachments = event->attachments;
    v.attachment_count = event->attachment_count;
    return v;
}

const struct so_args so_args_json = {
    .name = name,
    .next = json_next_element,
    .kind = kind,
    .string = string,
    .integer = integer,
    .number = number,
    .boolean = boolean,
    .binary = binary,
    .value = value,
};
