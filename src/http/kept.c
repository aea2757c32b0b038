/*
 * kept.c -- see kept.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/http/kept.h"

#include "src/net/tls.h"

#include <stddef.h>
#include <stdlib.h>

/* Of fields that clients of Socket.IO, browsers and proxies send. A number
 * lives no longer than the process: new names may stand anywhere. */
/* clang-format off */
static const sio_str names[] = {
#define X(name) { name, sizeof(name) - 1 }
    { NULL, 0 }, /* 0: it is spelled out */
    X("accept"), X("accept-charset"), X("accept-encoding"),
    X("accept-language"), X("access-control-request-headers"),
    X("access-control-request-method"), X("authorization"),
    X("cache-control"), X("connection"), X("content-length"),
    X("content-type"), X("cookie"), X("dnt"), X("expect"), X("forwarded"),
    X("host"), X("keep-alive"), X("origin"), X("pragma"), X("priority"),
    X("referer"), X("sec-ch-ua"), X("sec-ch-ua-mobile"),
    X("sec-ch-ua-platform"), X("sec-fetch-dest"), X("sec-fetch-mode"),
    X("sec-fetch-site"), X("sec-fetch-user"), X("sec-gpc"),
    X("sec-websocket-extensions"), X("sec-websocket-key"),
    X("sec-websocket-protocol"), X("sec-websocket-version"), X("te"),
    X("transfer-encoding"), X("upgrade"), X("upgrade-insecure-requests"),
    X("user-agent"), X("via"), X("x-forwarded-for"), X("x-forwarded-host"),
    X("x-forwarded-port"), X("x-forwarded-proto"), X("x-real-ip"),
    X("x-request-id"), X("x-requested-with"),
#undef X
};
/* clang-format on */

#define NAMES (sizeof names / sizeof *names)

static uint8_t number_of(sio_str name)
{
    for (size_t i = 1; i < NAMES; i++)
        if (str_eq(names[i], name))
            return (uint8_t)i;
    return 0;
}

/* --------------------------------------------------------------- writing -- */

/* The numbers of the first fields, so that each is looked up once; those behind
 * them are spelled out. */
struct numbers {
    uint8_t of[64];
};

static uint8_t number_at(const struct numbers *numbers, size_t i)
{
    return i < sizeof numbers->of ? numbers->of[i] : 0;
}

static size_t length_size(size_t n)
{
    size_t bytes = 1;

    for (; n >= 0x80; n >>= 7)
        bytes++;
    return bytes;
}

static char *put_length(char *to, size_t n)
{
    for (; n >= 0x80; n >>= 7)
        *to++ = (char)(n | 0x80);
    *to++ = (char)n;
    return to;
}

static char *put_bytes(char *to, sio_str s)
{
    if (s.n)
        memcpy(to, s.p, s.n);
    return to + s.n;
}

static size_t text_size(const struct http_request *r, struct numbers *numbers)
{
    size_t n = r->target.n;

    for (size_t i = 0; i < r->field_count; i++) {
        sio_str name = r->fields[i].name, value = r->fields[i].value;

        if (i < sizeof numbers->of)
            numbers->of[i] = number_of(name);
        n += 1 + length_size(value.n) + value.n;
        if (!number_at(numbers, i))
            n += length_size(name.n) + name.n;
    }
    return n;
}

static void put_text(char *to, const struct http_request *r,
                     const struct numbers *numbers)
{
    to = put_bytes(to, r->target);
    for (size_t i = 0; i < r->field_count; i++) {
        sio_str name = r->fields[i].name, value = r->fields[i].value;

        *to++ = (char)number_at(numbers, i);
        if (!number_at(numbers, i))
            to = put_bytes(put_length(to, name.n), name);
        to = put_bytes(put_length(to, value.n), value);
    }
}

static size_t certificate_at(size_t text)
{
    const size_t align = _Alignof(sio_certificate);

    return (offsetof(struct http_kept, text) + text + align - 1) / align *
           align;
}

struct http_kept *http_keep(const struct http_request *r)
{
    const sio_certificate *c = r->certificate;
    struct numbers numbers;
    size_t text = text_size(r, &numbers);
    struct http_kept *k =
        malloc(c ? certificate_at(text) + net_certificate_size(c)
                 : offsetof(struct http_kept, text) + text);

    if (!k)
        return NULL;
    k->size = (uint32_t)text;
    k->target_n = (uint32_t)r->target.n;
    k->query_at = r->query.n ? (uint32_t)(r->query.p - r->target.p) : 0;
    k->query_n = (uint32_t)r->query.n;
    k->field_count = (uint16_t)r->field_count;
    k->certified = c != NULL;
    k->secure = r->secure;
    k->upgrade = r->upgrade;
    put_text(k->text, r, &numbers);
    if (c)
        net_certificate_copy(c, (char *)k + certificate_at(text));
    return k;
}

/* --------------------------------------------------------------- reading -- */

sio_str http_kept_target(const struct http_kept *k)
{
    return (sio_str){ k->text, k->target_n };
}

sio_str http_kept_query(const struct http_kept *k)
{
    return (sio_str){ k->query_n ? k->text + k->query_at : NULL, k->query_n };
}

const sio_certificate *http_kept_certificate(const struct http_kept *k)
{
    const char *at = (const char *)k + certificate_at(k->size);

    return k->certified ? (const void *)at : NULL;
}

/* The length and the bytes at *at, which moves behind them. */
static sio_str take_bytes(const struct http_kept *k, size_t *at)
{
    sio_str s = { NULL, 0 };
    unsigned shift = 0;
    uint8_t byte;

    do {
        byte = (uint8_t)k->text[(*at)++];
        s.n |= (size_t)(byte & 0x7f) << shift;
        shift += 7;
    } while (byte & 0x80);
    s.p = k->text + *at;
    *at += s.n;
    return s;
}

bool http_kept_next(const struct http_kept *k, size_t *at,
                    struct http_field *field)
{
    uint8_t number;

    if (*at == 0)
        *at = k->target_n;
    if (*at == k->size)
        return false;
    number = (uint8_t)k->text[(*at)++];
    field->name = number ? names[number] : take_bytes(k, at);
    field->value = take_bytes(k, at);
    return true;
}

sio_str http_kept_value(const struct http_kept *k, sio_str name)
{
    struct http_field field;
    size_t at = 0;

    while (http_kept_next(k, &at, &field))
        if (str_eq(field.name, name))
            return field.value;
    return (sio_str){ NULL, 0 };
}

struct http_request *http_kept_request(const struct http_kept *k)
{
    struct http_request *r =
        malloc(sizeof *r + k->field_count * sizeof *r->fields);
    struct http_field *fields = (struct http_field *)(r + 1);
    size_t at = 0, n = 0;

    if (!r)
        return NULL;
    while (http_kept_next(k, &at, &fields[n]))
        n++;
    *r = (struct http_request){ .target = http_kept_target(k),
                                .query = http_kept_query(k),
                                .fields = fields,
                                .field_count = n,
                                .upgrade = k->upgrade,
                                .secure = k->secure,
                                .certificate = http_kept_certificate(k) };
    return r;
}
