/*
 * url.c -- see url.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/cli/url.h"

#include "protocol/base/str.h"

#include <stdio.h>

static const struct {
    sio_str name;
    bool tls;
} schemes[] = {
    { { "http://", 7 }, false },
    { { "ws://", 5 }, false },
    { { "https://", 8 }, true },
    { { "wss://", 6 }, true },
};

static bool starts_nocase(sio_str s, sio_str prefix)
{
    return s.n >= prefix.n && str_eq_nocase((sio_str){ s.p, prefix.n }, prefix);
}

/* Without scheme it is http. */
static sio_str cut_scheme(sio_str s, struct cli_url *out)
{
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
        if (starts_nocase(s, schemes[i].name)) {
            out->tls = schemes[i].tls;
            return (sio_str){ s.p + schemes[i].name.n,
                              s.n - schemes[i].name.n };
        }
    return s;
}

static bool copy(char *to, size_t size, sio_str from)
{
    if (from.n >= size)
        return false;
    if (from.n)
        memcpy(to, from.p, from.n);
    to[from.n] = 0;
    return true;
}

/* Nothing that could end the request line. */
static bool printable(sio_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f)
            return false;
    return true;
}

static const char *parse_port(sio_str text, struct cli_url *out)
{
    unsigned port = 0;

    if (!text.n || text.n > 5)
        return "the port is no number from 1 to 65535";
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return "the port is no number from 1 to 65535";
        port = port * 10 + (unsigned)(text.p[i] - '0');
    }
    if (!port || port > 65535)
        return "the port is no number from 1 to 65535";
    out->port = (uint16_t)port;
    return NULL;
}

/* "host", "host:port", "[::1]", "[::1]:port" */
static const char *parse_authority(sio_str s, struct cli_url *out)
{
    sio_str host = s, rest = { NULL, 0 };

    if (s.n && memchr(s.p, '@', s.n))
        return "names and passwords go into --header Authorization";
    if (s.n && s.p[0] == '[') {
        const char *close = memchr(s.p, ']', s.n);

        if (!close)
            return "the bracket of the address is not closed";
        host = (sio_str){ s.p + 1, (size_t)(close - s.p - 1) };
        rest = (sio_str){ close + 1, s.n - host.n - 2 };
        if (rest.n && rest.p[0] != ':')
            return "only a port may follow the address";
    } else {
        const char *colon = s.n ? memchr(s.p, ':', s.n) : NULL;

        if (colon) {
            host.n = (size_t)(colon - s.p);
            rest = (sio_str){ colon, s.n - host.n };
        }
    }
    if (!host.n)
        return "there is no host in it";
    if (!copy(out->host, sizeof out->host, host) ||
        !copy(out->authority, sizeof out->authority, s))
        return "the host is too long";
    if (rest.n)
        return parse_port((sio_str){ rest.p + 1, rest.n - 1 }, out);
    out->port = out->tls ? 443 : 80;
    return NULL;
}

static const char *parse_unix(sio_str s, struct cli_url *out)
{
    if (s.n == strlen("unix:"))
        return "there is no path in it";
    if (!copy(out->host, sizeof out->host, s))
        return "the path is too long";
    snprintf(out->authority, sizeof out->authority, "localhost");
    return NULL;
}

/* "/admin?token=7#fragment" */
static const char *parse_rest(sio_str s, struct cli_url *out)
{
    sio_str query, ignored;

    s = str_split(s, '#', &ignored);
    s = str_split(s, '?', &query);
    if (s.n && !copy(out->nsp, sizeof out->nsp, s))
        return "the namespace is too long";
    if (query.n && !copy(out->query, sizeof out->query, query))
        return "the query is too long";
    return NULL;
}

const char *cli_url_parse(const char *text, struct cli_url *out)
{
    sio_str s = str_of(text), authority;
    const char *why;
    size_t n = 0;

    memset(out, 0, sizeof *out);
    snprintf(out->nsp, sizeof out->nsp, "/");
    if (!printable(s))
        return "it has blanks or control characters";
    if (starts_nocase(s, STR("unix:")))
        return parse_unix(s, out);
    s = cut_scheme(s, out);
    while (n < s.n && !strchr("/?#", s.p[n]))
        n++;
    authority = (sio_str){ s.p, n };
    if (n < s.n && s.n - n > 2 && memcmp(s.p + n, "//", 2) == 0 && n &&
        s.p[n - 1] == ':')
        return "only http, https, ws, wss and unix are known";
    why = parse_authority(authority, out);
    return why ? why : parse_rest((sio_str){ s.p + n, s.n - n }, out);
}
