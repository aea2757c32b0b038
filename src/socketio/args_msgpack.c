/*
 * args_msgpack.c -- arguments that are slices of MessagePack; see codec.h. What
 * they are to a handler is what the same value is when it comes as JSON: a date
 * is its ISO text, undefined is null.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/socketio/msgpack.h"
#include "protocol/socketio/scan.h"
#include "src/socketio/codec.h"

static struct mp_item read(sio_str raw)
{
    struct mp_item item = { .kind = MP_INVALID };

    if (raw.n)
        mp_read(raw.p, raw.p + raw.n, &item);
    return item;
}

static int string(sio_event *event, sio_str raw, const char **out, size_t *n)
{
    struct mp_item item = read(raw);
    char date[MP_DATE_TEXT];

    if (item.kind == MP_DATE)
        item.bytes = (sio_str){ date, mp_date_text(item.number, date) };
    if (item.kind != MP_STRING && (item.kind != MP_DATE || !item.bytes.n))
        return SIO_E_TYPE;
    *out = so_event_text(event, item.bytes.p, item.bytes.n);
    if (!*out)
        return SIO_E_NOMEM;
    *n = item.bytes.n;
    return SIO_OK;
}

static sio_str name(sio_event *event)
{
    const struct mp_item item = read(event->packet.argv[0]);
    struct grow digits;
    char *text = NULL;
    size_t n = 0;

    if (item.kind == MP_STRING)
        return item.bytes;
    grow_init(&digits, 64);
    if (json_append_number(&digits, item.number) == SIO_OK) {
        n = digits.len;
        text = so_event_text(event, (char *)digits.data, n);
    }
    grow_free(&digits);
    return text ? (sio_str){ text, n } : STR("");
}

static sio_kind kind(const sio_event *event, sio_str raw)
{
    const struct mp_item item = read(raw);
    char date[MP_DATE_TEXT];

    (void)event;
    switch (item.kind) {
    case MP_BOOL:
        return SIO_BOOL;
    case MP_INT:
        return SIO_INT;
    case MP_NUMBER:
        return SIO_NUMBER;
    case MP_STRING:
        return SIO_STRING;
    case MP_BINARY:
        return SIO_BINARY;
    case MP_DATE:
        return mp_date_text(item.number, date) ? SIO_STRING : SIO_NULL;
    case MP_EXT:
    case MP_ARRAY:
    case MP_MAP:
        return SIO_JSON;
    default:
        return SIO_NULL;
    }
}

static int integer(sio_str raw, int64_t *out)
{
    const struct mp_item item = read(raw);

    if (item.kind != MP_INT)
        return item.kind == MP_NUMBER ? SIO_E_RANGE : SIO_E_TYPE;
    *out = item.integer;
    return SIO_OK;
}

static int number(sio_str raw, double *out)
{
    const struct mp_item item = read(raw);

    if (item.kind != MP_INT && item.kind != MP_NUMBER)
        return SIO_E_TYPE;
    *out = item.number;
    return SIO_OK;
}

static int boolean(sio_str raw, bool *out)
{
    const struct mp_item item = read(raw);

    if (item.kind != MP_BOOL)
        return SIO_E_TYPE;
    *out = item.boolean;
    return SIO_OK;
}

static int binary(const sio_event *event, sio_str raw, const void **out,
                  size_t *n)
{
    const struct mp_item item = read(raw);

    (void)event;
    if (item.kind != MP_BINARY)
        return SIO_E_TYPE;
    *out = item.bytes.p;
    *n = item.bytes.n;
    return SIO_OK;
}

static sio_value value(const sio_event *event, sio_str raw)
{
    sio_value v = sio_raw_msgpack(raw.p, raw.n);

    (void)event;
    v.trusted = true;
    return v;
}

const struct so_args so_args_msgpack = {
    .name = name,
    .next = mp_next_element,
    .kind = kind,
    .string = string,
    .integer = integer,
    .number = number,
    .boolean = boolean,
    .binary = binary,
    .value = value,
    .append_json = mp_append_as_json,
};
