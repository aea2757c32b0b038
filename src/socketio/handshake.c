/*
 * handshake.c -- the handshake as JSON: <sio/handshake.h>; and queries of URLs
 * as JSON, which the auth of Socket.IO 2 is made of, too.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/socketio/hub.h"

#include <sio/handshake.h>

#include "protocol/base/arena.h"
#include "protocol/base/quote.h"
#include "protocol/base/utf8.h"
#include "protocol/socketio/scan.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* Bytes that one handshake can come to: every byte of the head as \u00xx, and
 * the auth. */
#define HANDSHAKE_MAX (16u << 20)

#define APPEND(out, literal) grow_append((out), (literal), sizeof(literal) - 1)

/* ----------------------------------------------------------------- query -- */

/* One parameter; a key that comes again keeps its place, its last value counts.
 */
struct param {
    struct map_node node;
    sio_str value; /* undecoded */
};

/* %XX and "+" decoded, what is no UTF-8 replaced, as WHATWG URL has it. */
static int decode(struct arena *a, sio_str raw, struct grow *scratch)
{
    char *text = arena_alloc(a, raw.n + 1);

    if (!text)
        return SIO_E_NOMEM;
    scratch->len = 0;
    return utf8_append_lossy(scratch, text,
                             http_percent_decode(raw, true, text));
}

/* A name to keep. */
static int decode_name(struct arena *a, sio_str raw, struct grow *scratch,
                       sio_str *out)
{
    int r = decode(a, raw, scratch);
    char *copy = r == SIO_OK ? arena_alloc(a, scratch->len + 1) : NULL;

    if (!copy)
        return r < 0 ? r : SIO_E_NOMEM;
    if (scratch->len)
        memcpy(copy, scratch->data, scratch->len);
    *out = (sio_str){ copy, scratch->len };
    return SIO_OK;
}

static int read_params(struct arena *a, struct grow *scratch,
                       struct map *params, sio_str query)
{
    sio_str key, value, name;
    int r = SIO_OK;

    while (r == SIO_OK && http_next_param(&query, &key, &value)) {
        struct map_node *node;
        struct param *p;

        r = decode_name(a, key, scratch, &name);
        if (r < 0)
            return r;
        node = map_find(params, name);
        p = node ? container_of(node, struct param, node)
                 : arena_alloc(a, sizeof *p);
        if (!p)
            return SIO_E_NOMEM;
        p->value = value;
        if (!node)
            r = map_add(params, &p->node, name);
    }
    return r;
}

static int append_params(struct arena *a, struct grow *scratch,
                         const struct map *params, struct grow *out)
{
    int r = grow_append_byte(out, '{');

    for (struct map_node *n = map_first(params); n && r == SIO_OK;
         n = map_next(params, n)) {
        if (n != map_first(params))
            r = grow_append_byte(out, ',');
        if (r == SIO_OK)
            r = json_append_string(out, map_key(n));
        if (r == SIO_OK)
            r = grow_append_byte(out, ':');
        if (r == SIO_OK)
            r = decode(a, container_of(n, struct param, node)->value, scratch);
        if (r == SIO_OK)
            r = json_append_string(out, grow_str(scratch));
    }
    return r == SIO_OK ? grow_append_byte(out, '}') : r;
}

int so_append_query(struct grow *out, const uint64_t seed[2], sio_str query)
{
    struct map_node *node;
    struct grow scratch;
    struct arena arena;
    struct map params;
    int r;

    map_init(&params, seed);
    arena_init(&arena);
    grow_init(&scratch, HANDSHAKE_MAX);
    r = read_params(&arena, &scratch, &params, query);
    if (r == SIO_OK)
        r = append_params(&arena, &scratch, &params, out);
    while ((node = map_first(&params)))
        map_remove(&params, node);
    grow_free(&scratch);
    arena_free(&arena);
    return r;
}

/* --------------------------------------------------------------- headers -- */

/* Node's http module: of these the first counts, others are joined. */
static bool is_single(sio_str name)
{
    static const char *const names[] = {
        "age",
        "authorization",
        "content-length",
        "content-type",
        "etag",
        "expires",
        "from",
        "host",
        "if-modified-since",
        "if-unmodified-since",
        "last-modified",
        "location",
        "max-forwards",
        "proxy-authorization",
        "referer",
        "retry-after",
        "server",
        "user-agent",
    };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_eq(name, str_of(names[i])))
            return true;
    return false;
}

/* Bytes of a header are characters U+0000 to U+00FF, as Node reads them. */
static int append_latin1(struct grow *out, sio_str text)
{
    int r = SIO_OK;

    for (size_t i = 0; i < text.n && r == SIO_OK; i++) {
        char utf8[4];

        r = grow_append(out, utf8, utf8_put(utf8, (uint8_t)text.p[i]));
    }
    return r;
}

/* All values of the field that `first` is the first of. */
static int append_values(struct grow *out, struct grow *scratch,
                         const struct http_request *r, size_t first)
{
    sio_str name = r->fields[first].name;
    bool single = is_single(name);
    sio_str between = str_eq(name, STR("cookie")) ? STR("; ") : STR(", ");
    int rc;

    scratch->len = 0;
    rc = append_latin1(scratch, r->fields[first].value);
    for (size_t i = first + 1; i < r->field_count && !single; i++) {
        if (!str_eq(r->fields[i].name, name))
            continue;
        if (rc == SIO_OK)
            rc = grow_append(scratch, between.p, between.n);
        if (rc == SIO_OK)
            rc = append_latin1(scratch, r->fields[i].value);
    }
    return rc == SIO_OK ? json_append_string(out, grow_str(scratch)) : rc;
}

static int append_headers(struct grow *out, const struct http_request *r)
{
    struct grow scratch;
    int rc = grow_append_byte(out, '{');

    grow_init(&scratch, HANDSHAKE_MAX);
    for (size_t i = 0; i < r->field_count && rc == SIO_OK; i++) {
        sio_str name = r->fields[i].name;

        if (http_field_value(r, name).p != r->fields[i].value.p)
            continue; /* it came before */
        if (i > 0)
            rc = grow_append_byte(out, ',');
        if (rc == SIO_OK)
            rc = json_append_string(out, name);
        if (rc == SIO_OK)
            rc = grow_append_byte(out, ':');
        if (rc == SIO_OK)
            rc = append_values(out, &scratch, r, i);
    }
    grow_free(&scratch);
    return rc == SIO_OK ? grow_append_byte(out, '}') : rc;
}

/* ------------------------------------------------------------- handshake -- */

/* As JavaScript prints a Date where the clock is set to UTC; the names do not
 * depend on the locale. */
static int append_time(struct grow *out, uint64_t ms)
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    time_t seconds = (time_t)(ms / 1000);
    struct tm tm;
    char text[96];
    int n;

    gmtime_r(&seconds, &tm);
    n = snprintf(text, sizeof text,
                 ",\"time\":\"%.3s %.3s %02d %04d %02d:%02d:%02d GMT+0000 "
                 "(Coordinated Universal Time)\"",
                 days + 3 * tm.tm_wday, months + 3 * tm.tm_mon, tm.tm_mday,
                 tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
    return grow_append(out, text, (size_t)n);
}

static int append_origin(struct grow *out, const sio_socket *socket,
                         const struct http_request *request)
{
    char address[NET_ADDRESS_TEXT], text[96];
    int n = snprintf(text, sizeof text,
                     ",\"xdomain\":%s,\"secure\":%s,\"issued\":%llu,\"url\":",
                     sio_request_xdomain(socket) ? "true" : "false",
                     request->secure ? "true" : "false",
                     (unsigned long long)socket->issued_ms);
    int r = APPEND(out, ",\"address\":");

    eng_peer_text(socket->client->session, address);
    if (r == SIO_OK)
        r = json_append_string(out, str_of(address));
    return r == SIO_OK ? grow_append(out, text, (size_t)n) : r;
}

static int append_target(struct grow *out, sio_str target)
{
    struct grow text;
    int r;

    grow_init(&text, HANDSHAKE_MAX);
    r = append_latin1(&text, target);
    if (r == SIO_OK)
        r = json_append_string(out, grow_str(&text));
    grow_free(&text);
    return r;
}

static int append_handshake(struct grow *out, const sio_socket *socket,
                            const struct http_request *request)
{
    sio_str auth = sio_auth(socket);
    int r = APPEND(out, "{\"headers\":");

    if (r == SIO_OK)
        r = append_headers(out, request);
    if (r == SIO_OK)
        r = append_time(out, socket->issued_ms);
    if (r == SIO_OK)
        r = append_origin(out, socket, request);
    if (r == SIO_OK)
        r = append_target(out, request->target);
    if (r == SIO_OK)
        r = APPEND(out, ",\"query\":");
    if (r == SIO_OK)
        r = so_append_query(out, socket->part->nsp->hub->seed, request->query);
    if (r == SIO_OK)
        r = APPEND(out, ",\"auth\":");
    if (r == SIO_OK)
        r = grow_append(out, auth.p, auth.n);
    return r == SIO_OK ? grow_append_byte(out, '}') : r;
}

int so_append_handshake(struct grow *out, const sio_socket *socket)
{
    struct http_request *request;
    int r;

    if (!socket->client)
        return SIO_E_STATE;
    request = http_kept_request(eng_request(socket->client->session));
    if (!request)
        return SIO_E_NOMEM;
    r = append_handshake(out, socket, request);
    free(request);
    return r;
}

int sio_handshake_json(const sio_socket *socket, char *out, size_t size)
{
    struct grow json;
    int r;

    grow_init(&json, HANDSHAKE_MAX + socket->auth_len);
    r = so_append_handshake(&json, socket);
    if (r == SIO_OK)
        r = so_text_out(grow_str(&json), out, size);
    grow_free(&json);
    return r;
}
