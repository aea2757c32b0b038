/*
 * channel.c -- see channel.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/redis/channel.h"

#include <stdio.h>

/* `parts` one behind the other. */
static int append_parts(struct grow *out, const sio_str *parts, size_t n)
{
    const size_t before = out->len;
    int r = SIO_OK;

    for (size_t i = 0; r == SIO_OK && i < n; i++)
        r = grow_append(out, parts[i].p, parts[i].n);
    if (r != SIO_OK)
        out->len = before;
    return r;
}

#define APPEND(out, ...)                            \
    append_parts((out), (sio_str[]){ __VA_ARGS__ }, \
                 sizeof((sio_str[]){ __VA_ARGS__ }) / sizeof(sio_str))

int pr_channel_base(struct grow *out, sio_str prefix, sio_str nsp)
{
    return APPEND(out, prefix, STR("#"), nsp, STR("#"));
}

int pr_channel_named(struct grow *out, sio_str prefix, sio_str nsp,
                     sio_str name)
{
    return APPEND(out, prefix, STR("#"), nsp, STR("#"), name, STR("#"));
}

int pr_channel_request(struct grow *out, sio_str prefix, sio_str nsp)
{
    return APPEND(out, prefix, STR("-request#"), nsp, STR("#"));
}

int pr_channel_response(struct grow *out, sio_str prefix, sio_str nsp,
                        sio_str uid)
{
    if (uid.n == 0)
        return APPEND(out, prefix, STR("-response#"), nsp, STR("#"));
    return APPEND(out, prefix, STR("-response#"), nsp, STR("#"), uid, STR("#"));
}

static int append_escaped(struct grow *out, sio_str text)
{
    int r = SIO_OK;

    for (size_t i = 0; r == SIO_OK && i < text.n; i++) {
        if (memchr("*?[]\\", text.p[i], 5))
            r = grow_append_byte(out, '\\');
        if (r == SIO_OK)
            r = grow_append_byte(out, (uint8_t)text.p[i]);
    }
    return r;
}

int pr_channel_pattern(struct grow *out, sio_str prefix, sio_str nsp)
{
    const size_t before = out->len;
    int r = append_escaped(out, prefix);

    if (r == SIO_OK)
        r = grow_append_byte(out, '#');
    if (r == SIO_OK)
        r = append_escaped(out, nsp);
    if (r == SIO_OK)
        r = grow_append(out, "#*", 2);
    if (r != SIO_OK)
        out->len = before;
    return r;
}

static bool take(sio_str *s, sio_str prefix)
{
    if (!str_starts(*s, prefix))
        return false;
    *s = (sio_str){ s->p + prefix.n, s->n - prefix.n };
    return true;
}

enum pr_place pr_channel_place(sio_str prefix, sio_str nsp, sio_str channel,
                               sio_str *name)
{
    sio_str rest = channel;
    enum pr_place whole, named;

    if (!take(&rest, prefix))
        return PR_NOT_OURS;
    if (take(&rest, STR("-request#"))) {
        whole = PR_REQUEST;
        named = PR_NOT_OURS;
    } else if (take(&rest, STR("-response#"))) {
        whole = PR_RESPONSE;
        named = PR_OWN_RESPONSE;
    } else if (take(&rest, STR("#"))) {
        whole = PR_BASE;
        named = PR_NAMED;
    } else {
        return PR_NOT_OURS;
    }
    if (!take(&rest, nsp) || !take(&rest, STR("#")))
        return PR_NOT_OURS;
    if (rest.n == 0)
        return whole;
    if (named == PR_NOT_OURS || rest.p[rest.n - 1] != '#')
        return PR_NOT_OURS;
    *name = (sio_str){ rest.p, rest.n - 1 };
    return named;
}

/* The next character of UTF-8 text, of which only that it is not cut short is
 * relied on; U+FFFD for what is none. */
static uint32_t next_character(sio_str *s)
{
    const unsigned char *p = (const unsigned char *)s->p;
    const size_t n = p[0] < 0x80 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    uint32_t c = n == 1 ? p[0] : p[0] & (0x7fu >> n);

    if (s->n < n) {
        s->n = 0;
        return 0xfffd;
    }
    for (size_t i = 1; i < n; i++)
        c = c << 6 | (p[i] & 0x3f);
    *s = (sio_str){ s->p + n, s->n - n };
    return c;
}

/* JavaScript's `length`. */
static size_t utf16_length(sio_str text)
{
    size_t n = 0;

    while (text.n)
        n += next_character(&text) > 0xffff ? 2 : 1;
    return n;
}

bool pr_mode_publishes(enum pr_mode mode, sio_str room)
{
    if (mode == PR_DYNAMIC)
        return utf16_length(room) != PR_SID_LENGTH;
    return mode == PR_DYNAMIC_PRIVATE;
}

bool pr_mode_subscribes(enum pr_mode mode, bool is_sid)
{
    return mode == PR_DYNAMIC_PRIVATE || (mode == PR_DYNAMIC && !is_sid);
}

int pr_stream_index(sio_str nsp, int count)
{
    uint32_t hash = 0;

    while (nsp.n) {
        const uint32_t c = next_character(&nsp);

        if (c > 0xffff) /* the two surrogates that UTF-16 writes */
            hash = (hash * 31 + (0xd800 + ((c - 0x10000) >> 10))) * 31 +
                   (0xdc00 | (c & 0x3ff));
        else
            hash = hash * 31 + c;
    }
    return (int)((int32_t)hash % count);
}

int pr_stream_name(struct grow *out, sio_str name, int count, int index)
{
    char number[16];

    if (count == 1)
        return APPEND(out, name);
    snprintf(number, sizeof number, "-%d", index);
    return APPEND(out, name, str_of(number));
}
