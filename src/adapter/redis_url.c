/*
 * redis_url.c -- see redis_url.h.
 *
 *     redis://[USER[:PASSWORD]@]HOST[:PORT][,HOST[:PORT]...][/DB]
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/adapter/redis_url.h"

#include "protocol/base/str.h"

/* Of "%41" and "%4a"; -1 when it is none. */
static int hex_digit(char c)
{
    const char *digits = "0123456789abcdef", *at = strchr(digits, str_lower(c));

    return c && at ? (int)(at - digits) : -1;
}

/* A copy without percent signs (RFC 3986 2.1); NULL: out of memory, or, with
 * *bad, no such encoding. */
static const char *decode(struct arena *arena, sio_str s, bool *bad)
{
    char *out = arena_alloc(arena, s.n + 1);
    size_t n = 0;

    for (size_t i = 0; out && i < s.n; i++) {
        int high, low;

        if (s.p[i] != '%') {
            out[n++] = s.p[i];
            continue;
        }
        high = i + 2 < s.n ? hex_digit(s.p[i + 1]) : -1;
        low = i + 2 < s.n ? hex_digit(s.p[i + 2]) : -1;
        if (high < 0 || low < 0 || high + low == 0) {
            *bad = true;
            return NULL;
        }
        out[n++] = (char)(high * 16 + low);
        i += 2;
    }
    if (out)
        out[n] = 0;
    return out;
}

static const char *copy(struct arena *arena, sio_str s)
{
    char *out = arena_alloc(arena, s.n + 1);

    if (!out)
        return NULL;
    if (s.n)
        memcpy(out, s.p, s.n);
    out[s.n] = 0;
    return out;
}

static bool parse_number(sio_str s, unsigned max, unsigned *out)
{
    unsigned n = 0;

    if (s.n == 0 || s.n > 9)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        n = n * 10 + (unsigned)(s.p[i] - '0');
    }
    *out = n;
    return n <= max;
}

/* USER, USER:PASSWORD, :PASSWORD. */
static int parse_user(sio_str s, struct arena *arena, struct redis_url *out)
{
    bool bad = false;
    sio_str password, user = str_split(s, ':', &password);

    if (user.n && !(out->user = decode(arena, user, &bad)))
        return bad ? SIO_E_ADDRESS : SIO_E_NOMEM;
    if (password.p && !(out->password = decode(arena, password, &bad)))
        return bad ? SIO_E_ADDRESS : SIO_E_NOMEM;
    return SIO_OK;
}

/* HOST, HOST:PORT, [V6], [V6]:PORT. */
static int parse_server(sio_str s, struct arena *arena, struct redis_url *out)
{
    sio_str port = { NULL, 0 }, host = s;
    unsigned number = REDIS_PORT;
    const char *end = s.n ? memchr(s.p, ']', s.n) : NULL;

    if (out->count == REDIS_SEEDS_MAX)
        return SIO_E_ADDRESS;
    if (s.n && s.p[0] == '[') {
        if (!end)
            return SIO_E_ADDRESS;
        host = (sio_str){ s.p + 1, (size_t)(end - s.p - 1) };
        port = (sio_str){ end + 1, s.n - host.n - 2 };
        if (port.n && port.p[0] != ':')
            return SIO_E_ADDRESS;
        port =
            port.n ? (sio_str){ port.p + 1, port.n - 1 } : (sio_str){ NULL, 0 };
    } else {
        host = str_split(s, ':', &port);
    }
    if (host.n == 0 ||
        (port.p && (!parse_number(port, UINT16_MAX, &number) || number == 0)))
        return SIO_E_ADDRESS;
    out->servers[out->count].host = copy(arena, host);
    out->servers[out->count].port = (uint16_t)number;
    return out->servers[out->count++].host ? SIO_OK : SIO_E_NOMEM;
}

static int parse_authority(sio_str s, struct arena *arena,
                           struct redis_url *out)
{
    const char *at = NULL;
    int r = SIO_OK;

    /* The last one: a password that was not encoded may have others. */
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '@')
            at = s.p + i;
    if (at) {
        r = parse_user((sio_str){ s.p, (size_t)(at - s.p) }, arena, out);
        s.n -= (size_t)(at + 1 - s.p);
        s.p = at + 1;
    }
    while (r == SIO_OK && s.p) {
        sio_str rest, server = str_split(s, ',', &rest);

        r = parse_server(server, arena, out);
        s = rest;
    }
    return r;
}

int redis_url_parse(const char *text, struct arena *arena,
                    struct redis_url *out)
{
    sio_str rest = str_of(text), db;
    int r;

    *out = (struct redis_url){ 0 };
    if (str_starts(rest, STR("unix:"))) {
        out->servers[0].host = copy(arena, rest);
        out->count = 1;
        return out->servers[0].host ? SIO_OK : SIO_E_NOMEM;
    }
    if (str_starts(rest, STR("redis://"))) {
        rest = str_of(text + 8);
    } else if (str_starts(rest, STR("rediss://"))) {
        rest = str_of(text + 9);
        out->tls = true;
    } else {
        return SIO_E_ADDRESS;
    }
    rest = str_split(rest, '/', &db);
    r = parse_authority(rest, arena, out);
    if (r == SIO_OK && db.n && !parse_number(db, 1u << 20, &out->db))
        r = SIO_E_ADDRESS;
    return r;
}
