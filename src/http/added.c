/*
 * added.c -- see added.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/http/added.h"

#include "src/http/request.h"

bool http_may_add(sio_str name, sio_str value)
{
    static const char *const ours[] = {
        "connection", "content-encoding", "content-length", "content-type",
        "date",       "keep-alive",       "trailer",        "transfer-encoding",
        "upgrade",
    };
    const sio_str websocket = STR("sec-websocket-");
    sio_str prefix = { name.p, websocket.n };

    if (!http_field_valid(name, value))
        return false;
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (str_eq_nocase(name, str_of(ours[i])))
            return false;
    return name.n < websocket.n || !str_eq_nocase(prefix, websocket);
}

static int append(struct grow *out, sio_str s)
{
    return grow_append(out, s.p, s.n);
}

static int append_field(struct grow *out, sio_str name, sio_str value)
{
    int r = grow_reserve(out, name.n + value.n + 4);

    if (r == SIO_OK) {
        append(out, name);
        append(out, STR(": "));
        append(out, value);
        append(out, STR("\r\n"));
    }
    return r;
}

/* ----------------------------------------------------------------- Vary -- */

static const sio_str vary_name = { "Vary", 4 };

/* The value of the one Vary that is there; p NULL: none. */
static sio_str find_vary(const struct grow *added)
{
    sio_str rest = grow_str(added), line;

    while (rest.n) {
        line = str_split(rest, '\r', &rest);
        if (str_starts(line, STR("Vary: ")))
            return (sio_str){ line.p + 6, line.n - 6 };
        rest.p++; /* the LF */
        rest.n--;
    }
    return (sio_str){ NULL, 0 };
}

/* `had` and what of `more` is not in it, without empty names. */
static int merge(struct grow *out, sio_str had, sio_str more)
{
    int r = append(out, had);

    while (more.p && r == SIO_OK) {
        sio_str name = str_trim(str_split(more, ',', &more));

        if (name.n == 0 || http_has_token(grow_str(out), name))
            continue;
        if (out->len)
            r = append(out, STR(", "));
        if (r == SIO_OK)
            r = append(out, name);
    }
    if (r == SIO_OK && http_has_token(grow_str(out), STR("*"))) {
        out->len = 0;
        r = grow_append_byte(out, '*');
    }
    return r;
}

/* The line goes, and comes again at the end. */
static void remove_vary(struct grow *added, sio_str value)
{
    size_t start = (size_t)((const uint8_t *)value.p - added->data) - 6;
    size_t n = value.n + 8;

    memmove(added->data + start, added->data + start + n,
            added->len - start - n);
    added->len -= n;
}

static int add_vary(struct grow *added, sio_str value)
{
    sio_str had = find_vary(added);
    struct grow both;
    int r;

    if (!had.p)
        had.n = 0;
    grow_init(&both, HTTP_ADDED_MAX);
    r = merge(&both, had, value);
    /* First make room: then nothing can fail half-way. */
    if (r == SIO_OK && both.len)
        r = grow_reserve(added, both.len + 8);
    if (r == SIO_OK && both.len) {
        had = find_vary(added); /* it may have moved */
        if (had.p)
            remove_vary(added, had);
        append_field(added, vary_name, grow_str(&both));
    }
    grow_free(&both);
    return r;
}

int http_add(struct grow *added, sio_str name, sio_str value)
{
    if (!http_may_add(name, value))
        return SIO_E_INVAL;
    return str_eq_nocase(name, vary_name) ? add_vary(added, value)
                                          : append_field(added, name, value);
}
