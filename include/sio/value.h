/*
 * value.h -- making the values that an event carries.
 *
 *     sio_emit(socket, "position", sio_int(42), sio_string("left"));
 *
 * A value is made in place, costs nothing to throw away, and borrows what it
 * points at until the call that takes it returns. Any thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SIO_VALUE_H
#define SIO_VALUE_H

#include <sio/types.h>

#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Internal: a value of `kind` with everything else zero. */
static inline sio_value sio_value_of_(sio_kind kind, const void *data,
                                      size_t size)
{
    sio_value v;

    memset(&v, 0, sizeof v);
    v.kind = kind;
    v.data = data;
    v.size = size;
    return v;
}

static inline sio_value sio_null(void)
{
    return sio_value_of_(SIO_NULL, NULL, 0);
}

static inline sio_value sio_bool(bool b)
{
    sio_value v = sio_value_of_(SIO_BOOL, NULL, 0);

    v.boolean = b;
    return v;
}

/* All 64 bits are sent; a JavaScript client is exact up to 2^53 - 1. */
static inline sio_value sio_int(int64_t i)
{
    sio_value v = sio_value_of_(SIO_INT, NULL, 0);

    v.integer = i;
    return v;
}

/* The shortest text that reads back as the same double; null for NaN and
 * infinities, as JSON.stringify does. */
static inline sio_value sio_number(double d)
{
    sio_value v = sio_value_of_(SIO_NUMBER, NULL, 0);

    v.number = d;
    return v;
}

/* UTF-8 text, n bytes (may hold NUL). Invalid UTF-8 fails the emit with
 * SIO_E_INVAL. */
static inline sio_value sio_stringn(const char *s, size_t n)
{
    return sio_value_of_(SIO_STRING, s, n);
}

/* NUL-terminated UTF-8; NULL is sent as null. */
static inline sio_value sio_string(const char *s)
{
    return s ? sio_stringn(s, strlen(s)) : sio_null();
}

/* Bytes, sent as an attachment: a Buffer or ArrayBuffer at the client. */
static inline sio_value sio_binary(const void *p, size_t n)
{
    return sio_value_of_(SIO_BINARY, p, n);
}

/* A cJSON tree; NULL is sent as null. */
static inline sio_value sio_json(const struct cJSON *tree)
{
    return tree ? sio_value_of_(SIO_JSON, tree, 0) : sio_null();
}

/* One JSON value as text; checked, SIO_E_INVAL when it is none. */
static inline sio_value sio_raw_json(const char *text, size_t n)
{
    return sio_value_of_(SIO_RAW_JSON, text, n);
}

/*
 * JSON text with binary inside: each {"_placeholder":true,"num":N} in it stands
 * for attachments[N]. So {"list":[{"_placeholder":true,"num":0}]} and one
 * attachment arrive as { list: [Buffer] }.
 */
static inline sio_value sio_raw_json_binary(const char *text, size_t n,
                                            const sio_str *attachments,
                                            size_t count)
{
    sio_value v = sio_value_of_(SIO_RAW_JSON, text, n);

    v.attachments = attachments;
    v.attachment_count = count;
    return v;
}

/* One MessagePack value, in the dialect of socket.io-msgpack-parser; checked,
 * SIO_E_INVAL when it is none. To clients that speak JSON it is sent as JSON
 * with attachments. */
static inline sio_value sio_raw_msgpack(const void *p, size_t n)
{
    return sio_value_of_(SIO_RAW_MSGPACK, p, n);
}

#ifdef __cplusplus
}
#endif

#endif /* SIO_VALUE_H */
