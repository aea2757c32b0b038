/*
 * kept.c -- see kept.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/http/kept.h"

#include "src/net/tls.h"

#include <stddef.h>
#include <stdlib.h>

#define KEPT_END 255 /* in place of a field's number */

/* Fields that clients of Socket.IO, browsers and proxies send: each name, and
 * behind it its values that are common, name and all. A number lives no longer
 * than the process: new ones may stand anywhere, up to KEPT_END; those that
 * come most are found first. */
/* clang-format off */
static const struct http_field known[] = {
#define TEXT(s) { s, sizeof(s) - 1 }
#define NAME(name) { TEXT(name), { NULL, 0 } }
#define VALUE(name, value) { TEXT(name), TEXT(value) }
    { { NULL, 0 }, { NULL, 0 } }, /* 0: it is spelled out */
    NAME("host"),
    NAME("connection"), VALUE("connection", "Upgrade"),
        VALUE("connection", "upgrade"), VALUE("connection", "keep-alive"),
        VALUE("connection", "keep-alive, Upgrade"),
        VALUE("connection", "close"),
    NAME("upgrade"), VALUE("upgrade", "websocket"),
    NAME("sec-websocket-key"),
    NAME("sec-websocket-version"), VALUE("sec-websocket-version", "13"),
    NAME("sec-websocket-extensions"),
        VALUE("sec-websocket-extensions", "permessage-deflate"),
        VALUE("sec-websocket-extensions", "permessage-deflate; client_max_window_bits"),
    NAME("user-agent"), VALUE("user-agent", "node-XMLHttpRequest"),
    NAME("accept"), VALUE("accept", "*/*"),
    NAME("origin"), VALUE("origin", "null"),
    NAME("accept-encoding"),
        VALUE("accept-encoding", "gzip, deflate, br, zstd"),
        VALUE("accept-encoding", "gzip, deflate, br"),
        VALUE("accept-encoding", "gzip, deflate"),
    NAME("accept-language"), VALUE("accept-language", "en-US,en;q=0.9"),
        VALUE("accept-language", "en-US,en;q=0.5"),
        VALUE("accept-language", "en-US"),
    NAME("cookie"),
    NAME("cache-control"), VALUE("cache-control", "no-cache"),
    NAME("pragma"), VALUE("pragma", "no-cache"),
    NAME("sec-fetch-site"), VALUE("sec-fetch-site", "same-origin"),
        VALUE("sec-fetch-site", "same-site"),
        VALUE("sec-fetch-site", "cross-site"),
    NAME("sec-fetch-mode"), VALUE("sec-fetch-mode", "cors"),
        VALUE("sec-fetch-mode", "no-cors"),
        VALUE("sec-fetch-mode", "websocket"),
    NAME("sec-fetch-dest"), VALUE("sec-fetch-dest", "empty"),
        VALUE("sec-fetch-dest", "websocket"),
    NAME("sec-ch-ua"),
    NAME("sec-ch-ua-mobile"), VALUE("sec-ch-ua-mobile", "?0"),
        VALUE("sec-ch-ua-mobile", "?1"),
    NAME("sec-ch-ua-platform"), VALUE("sec-ch-ua-platform", "\"Android\""),
        VALUE("sec-ch-ua-platform", "\"Linux\""),
        VALUE("sec-ch-ua-platform", "\"Windows\""),
        VALUE("sec-ch-ua-platform", "\"iOS\""),
        VALUE("sec-ch-ua-platform", "\"macOS\""),
    NAME("referer"),
    NAME("x-forwarded-for"),
    NAME("x-forwarded-proto"), VALUE("x-forwarded-proto", "http"),
        VALUE("x-forwarded-proto", "https"),
    NAME("x-forwarded-host"),
    NAME("x-forwarded-port"), VALUE("x-forwarded-port", "80"),
        VALUE("x-forwarded-port", "443"),
    NAME("x-real-ip"),
    NAME("priority"), VALUE("priority", "u=0"), VALUE("priority", "u=1"),
        VALUE("priority", "u=4"),
    NAME("content-type"), VALUE("content-type", "text/plain;charset=UTF-8"),
    NAME("content-length"),
    NAME("accept-charset"),
    NAME("access-control-request-headers"),
    NAME("access-control-request-method"),
    NAME("authorization"),
    NAME("dnt"), VALUE("dnt", "1"),
    NAME("expect"),
    NAME("forwarded"),
    NAME("keep-alive"),
    NAME("sec-fetch-user"),
    NAME("sec-gpc"), VALUE("sec-gpc", "1"),
    NAME("sec-websocket-protocol"),
    NAME("te"), VALUE("te", "trailers"),
    NAME("transfer-encoding"),
    NAME("upgrade-insecure-requests"),
    NAME("via"),
    NAME("x-request-id"),
    NAME("x-requested-with"),
#undef VALUE
#undef NAME
};

static const sio_str targets[] = {
    { NULL, 0 }, /* 0: it is spelled out */
    TEXT("/socket.io/?EIO=4&transport=websocket"),
    TEXT("/socket.io/?EIO=4&transport=polling"),
    TEXT("/engine.io/?EIO=4&transport=websocket"),
    TEXT("/engine.io/?EIO=4&transport=polling"),
#undef TEXT
};
/* clang-format on */

#define KNOWN (sizeof known / sizeof *known)
#define TARGETS (sizeof targets / sizeof *targets)

_Static_assert(KNOWN <= KEPT_END, "a field's number is a byte");

static uint8_t number_of(const struct http_field *field)
{
    size_t i = 1, name;

    while (i < KNOWN &&
           (known[i].value.p || !str_eq(known[i].name, field->name)))
        i++;
    if (i == KNOWN)
        return 0;
    for (name = i++; i < KNOWN && known[i].value.p; i++)
        if (str_eq(known[i].value, field->value))
            return (uint8_t)i;
    return (uint8_t)name;
}

static uint8_t target_number(sio_str target)
{
    for (size_t i = 1; i < TARGETS; i++)
        if (str_eq(targets[i], target))
            return (uint8_t)i;
    return 0;
}

/* What of an address is kept; the order is that of `peer` in http_kept. */
static const struct {
    uint16_t family;
    uint8_t ip; /* bytes */
} peers[] = { { 0, 0 }, { AF_UNIX, 0 }, { AF_INET, 4 }, { AF_INET6, 16 } };

static uint8_t peer_kind(const struct net_address *peer)
{
    uint8_t kind = 3;

    if (!peer)
        return 0;
    while (kind && peers[kind].family != peer->family)
        kind--;
    return kind;
}

static size_t peer_size(unsigned kind)
{
    return kind ? sizeof((struct net_address *)0)->port + peers[kind].ip : 0;
}

/* --------------------------------------------------------------- writing -- */

/* The numbers of the first fields, so that each is looked up once; those behind
 * them are spelled out. */
struct numbers {
    uint8_t target, peer;
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

static size_t bytes_size(sio_str s)
{
    return length_size(s.n) + s.n;
}

static char *put_bytes(char *to, sio_str s)
{
    size_t n = s.n;

    for (; n >= 0x80; n >>= 7)
        *to++ = (char)(n | 0x80);
    *to++ = (char)n;
    if (s.n)
        memcpy(to, s.p, s.n);
    return to + s.n;
}

static size_t text_size(const struct http_request *r, struct numbers *numbers)
{
    size_t n = peer_size(numbers->peer) + 1 + 1; /* and KEPT_END */

    if (!numbers->target)
        n += bytes_size(r->target);
    for (size_t i = 0; i < r->field_count; i++) {
        const struct http_field *field = &r->fields[i];

        if (i < sizeof numbers->of)
            numbers->of[i] = number_of(field);
        n++;
        if (!number_at(numbers, i))
            n += bytes_size(field->name);
        if (!known[number_at(numbers, i)].value.p)
            n += bytes_size(field->value);
    }
    return n;
}

static char *put_peer(char *to, const struct net_address *peer, unsigned kind)
{
    if (!kind)
        return to;
    memcpy(to, &peer->port, sizeof peer->port);
    memcpy(to + sizeof peer->port, peer->ip, peers[kind].ip);
    return to + peer_size(kind);
}

static void put_text(char *to, const struct http_request *r,
                     const struct numbers *numbers)
{
    *to++ = (char)numbers->target;
    if (!numbers->target)
        to = put_bytes(to, r->target);
    for (size_t i = 0; i < r->field_count; i++) {
        uint8_t number = number_at(numbers, i);

        *to++ = (char)number;
        if (!number)
            to = put_bytes(to, r->fields[i].name);
        if (!known[number].value.p)
            to = put_bytes(to, r->fields[i].value);
    }
    *to = (char)KEPT_END;
}

/* Where in a block the certificate stands, when there is one. */
#define CERTIFICATE_AT                                                    \
    ((offsetof(struct http_kept, text) + _Alignof(sio_certificate) - 1) / \
     _Alignof(sio_certificate) * _Alignof(sio_certificate))

static size_t text_at(const sio_certificate *c)
{
    return c ? CERTIFICATE_AT + net_certificate_size(c)
             : offsetof(struct http_kept, text);
}

struct http_kept *http_keep(const struct http_request *r,
                            const struct net_address *peer)
{
    const sio_certificate *c = r->certificate;
    struct numbers numbers = { .target = target_number(r->target),
                               .peer = peer_kind(peer) };
    struct http_kept *k = malloc(text_at(c) + text_size(r, &numbers));
    char *to;

    if (!k)
        return NULL;
    k->certified = c != NULL;
    k->secure = r->secure;
    k->upgrade = r->upgrade;
    k->keep_alive = r->keep_alive;
    k->peer = numbers.peer & 3;
    if (c)
        net_certificate_copy(c, (char *)k + CERTIFICATE_AT);
    to = put_peer((char *)k + text_at(c), peer, numbers.peer);
    put_text(to, r, &numbers);
    return k;
}

/* --------------------------------------------------------------- reading -- */

const sio_certificate *http_kept_certificate(const struct http_kept *k)
{
    const char *at = (const char *)k + CERTIFICATE_AT;

    return k->certified ? (const void *)at : NULL;
}

static const char *text_of(const struct http_kept *k)
{
    return (const char *)k + text_at(http_kept_certificate(k));
}

/* The length and the bytes at *at, which moves behind them. */
static sio_str take_bytes(const char **at)
{
    sio_str s = { NULL, 0 };
    unsigned shift = 0;
    uint8_t byte;

    do {
        byte = (uint8_t) * (*at)++;
        s.n |= (size_t)(byte & 0x7f) << shift;
        shift += 7;
    } while (byte & 0x80);
    s.p = *at;
    *at += s.n;
    return s;
}

struct net_address http_kept_peer(const struct http_kept *k)
{
    struct net_address peer = { .family = peers[k->peer].family };
    const char *at = text_of(k);

    if (k->peer) {
        memcpy(&peer.port, at, sizeof peer.port);
        memcpy(peer.ip, at + sizeof peer.port, peers[k->peer].ip);
    }
    return peer;
}

/* The target, and where the fields begin. */
static sio_str take_target(const struct http_kept *k, const char **at)
{
    uint8_t number;

    *at = text_of(k) + peer_size(k->peer);
    number = (uint8_t) * (*at)++;
    return number ? targets[number] : take_bytes(at);
}

sio_str http_kept_target(const struct http_kept *k)
{
    const char *at;

    return take_target(k, &at);
}

sio_str http_kept_query(const struct http_kept *k)
{
    sio_str rest, query;

    str_split(str_split(http_kept_target(k), '#', &rest), '?', &query);
    return query.n ? query : (sio_str){ NULL, 0 };
}

bool http_kept_next(const struct http_kept *k, size_t *at,
                    struct http_field *field)
{
    const char *p = (const char *)k + *at;
    uint8_t number;

    if (*at == 0)
        take_target(k, &p);
    number = (uint8_t)*p++;
    if (number == KEPT_END)
        return false;
    *field = known[number];
    if (!number)
        field->name = take_bytes(&p);
    if (!field->value.p)
        field->value = take_bytes(&p);
    *at = (size_t)(p - (const char *)k);
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

size_t http_kept_count(const struct http_kept *k)
{
    struct http_field field;
    size_t at = 0, n = 0;

    while (http_kept_next(k, &at, &field))
        n++;
    return n;
}

void http_kept_fill(const struct http_kept *k, struct http_request *r,
                    struct http_field *fields)
{
    size_t at = 0, n = 0;

    while (http_kept_next(k, &at, &fields[n]))
        n++;
    *r = (struct http_request){ .target = http_kept_target(k),
                                .query = http_kept_query(k),
                                .fields = fields,
                                .field_count = n,
                                .keep_alive = k->keep_alive,
                                .upgrade = k->upgrade,
                                .secure = k->secure,
                                .certificate = http_kept_certificate(k) };
}

struct http_request *http_kept_request(const struct http_kept *k)
{
    struct http_request *r =
        malloc(sizeof *r + http_kept_count(k) * sizeof *r->fields);

    if (r)
        http_kept_fill(k, r, (struct http_field *)(r + 1));
    return r;
}
