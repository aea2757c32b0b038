/*
 * args_values.c -- arguments that a parser of the program has read: the payload
 * is an array of sio_value, a slice is one of them; see codec.h. Raw text in
 * them is read by those that know it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/socketio/codec.h"

static const sio_value *value_in(sio_str raw)
{
    return (const sio_value *)(const void *)raw.p;
}

static sio_str bytes_of(const sio_value *v)
{
    return (sio_str){ v->data, v->size };
}

/* Who reads it, NULL: we do. */
static const struct so_args *inner(const sio_value *v)
{
    return v->kind == SIO_RAW_JSON      ? &so_args_json
           : v->kind == SIO_RAW_MSGPACK ? &so_args_msgpack
                                        : NULL;
}

static sio_str name(sio_event *event)
{
    return bytes_of(value_in(event->packet.argv[0]));
}

static bool next(sio_str payload, size_t *pos, sio_str *item)
{
    if (*pos == payload.n)
        return false;
    *item = (sio_str){ payload.p + *pos, sizeof(sio_value) };
    *pos += sizeof(sio_value);
    return true;
}

static sio_kind kind(const sio_event *event, sio_str raw)
{
    const double limit = 9007199254740991.0; /* 2^53 - 1 */
    const sio_value *v = value_in(raw);
    const struct so_args *args = inner(v);

    if (args)
        return args->kind(event, bytes_of(v));
    if (v->kind == SIO_NUMBER && v->number >= -limit && v->number <= limit &&
        v->number == (double)(int64_t)v->number)
        return SIO_INT;
    if (v->kind == SIO_INT &&
        (v->integer < -(int64_t)limit || v->integer > (int64_t)limit))
        return SIO_NUMBER;
    return v->kind;
}

static int string(sio_event *event, sio_str raw, const char **out, size_t *n)
{
    const sio_value *v = value_in(raw);
    const struct so_args *args = inner(v);

    if (args)
        return args->string(event, bytes_of(v), out, n);
    if (v->kind != SIO_STRING)
        return SIO_E_TYPE;
    *out = so_event_text(event, v->data, v->size);
    if (!*out)
        return SIO_E_NOMEM;
    *n = v->size;
    return SIO_OK;
}

static int number(sio_str raw, double *out)
{
    const sio_value *v = value_in(raw);
    const struct so_args *args = inner(v);

    if (args)
        return args->number(bytes_of(v), out);
    if (v->kind != SIO_INT && v->kind != SIO_NUMBER)
        return SIO_E_TYPE;
    *out = v->kind == SIO_INT ? (double)v->integer : v->number;
    return SIO_OK;
}

static int integer(sio_str raw, int64_t *out)
{
    const sio_value *v = value_in(raw);
    const struct so_args *args = inner(v);

    if (args)
        return args->integer(bytes_of(v), out);
    if (v->kind != SIO_INT && v->kind != SIO_NUMBER)
        return SIO_E_TYPE;
    if (kind(NULL, raw) != SIO_INT)
        return SIO_E_RANGE;
    *out = v->kind == SIO_INT ? v->integer : (int64_t)v->number;
    return SIO_OK;
}

static int boolean(sio_str raw, bool *out)
{
    const sio_value *v = value_in(raw);
    const struct so_args *args = inner(v);

    if (args)
        return args->boolean(bytes_of(v), out);
    if (v->kind != SIO_BOOL)
        return SIO_E_TYPE;
    *out = v->boolean;
    return SIO_OK;
}

static int binary(const sio_event *event, sio_str raw, const void **out,
                  size_t *n)
{
    const sio_value *v = value_in(raw);
    const struct so_args *args = inner(v);

    if (args)
        return args->binary(event, bytes_of(v), out, n);
    if (v->kind != SIO_BINARY)
        return SIO_E_TYPE;
    *out = v->data;
    *n = v->size;
    return SIO_OK;
}

static sio_value value(const sio_event *event, sio_str raw)
{
    (void)event;
    return *value_in(raw);
}

static int append_json(struct grow *out, struct sp_attachments *bin,
                       sio_str raw)
{
    return sp_encode_value(out, bin, value_in(raw));
}

const struct so_args so_args_values = {
    .name = name,
    .next = next,
    .kind = kind,
    .string = string,
    .integer = integer,
    .number = number,
    .boolean = boolean,
    .binary = binary,
    .value = value,
    .append_json = append_json,
};
