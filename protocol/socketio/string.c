/*
 * string.c -- the text of JSON strings (see scan.h). They were validated, so
 * that an escape is whole and a quote ends them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/base/utf8.h"
#include "protocol/socketio/scan.h"

static uint32_t read_hex4(const char *p)
{
    uint32_t unit = 0;

    for (int i = 0; i < 4; i++) {
        const uint32_t c = (unsigned char)p[i];

        /* letters have bit 6 set, and 'a' and 'A' end in 1 */
        unit = unit << 4 | ((c & 15) + (c >> 6) * 9);
    }
    return unit;
}

static bool is_high_surrogate(uint32_t unit)
{
    return unit >> 10 == 0xd800 >> 10;
}

static bool is_low_surrogate(uint32_t unit)
{
    return unit >> 10 == 0xdc00 >> 10;
}

/* p is behind "\u". Writes one character; returns the place behind the escape,
 * or the two escapes when they are a surrogate pair. */
static const char *read_unit(const char *p, const char *end, char *out,
                             size_t *n)
{
    uint32_t c = read_hex4(p), low;

    p += 4;
    if (is_high_surrogate(c) && end - p > 6 && p[0] == '\\' && p[1] == 'u') {
        low = read_hex4(p + 2);
        if (is_low_surrogate(low)) {
            c = 0x10000 + ((c & 0x3ff) << 10 | (low & 0x3ff));
            p += 6;
        }
    }
    *n = utf8_put(out, c);
    return p;
}

/* p is at the backslash. Writes 1 to 4 bytes, never more than it reads. */
static const char *read_escape(const char *p, const char *end, char *out,
                               size_t *n)
{
    *n = 1;
    switch (p[1]) {
    case 'b':
        *out = '\b';
        break;
    case 'f':
        *out = '\f';
        break;
    case 'n':
        *out = '\n';
        break;
    case 'r':
        *out = '\r';
        break;
    case 't':
        *out = '\t';
        break;
    case 'u':
        return read_unit(p + 2, end, out, n);
    default:
        *out = p[1];
        break;
    }
    return p + 2;
}

size_t json_unescape(sio_str value, char *out)
{
    const char *p = value.p + 1, *end = value.p + value.n, *stop;
    char *w = out;
    size_t n;

    for (;;) {
        stop = json_plain_end(p, end);
        n = (size_t)(stop - p);
        memcpy(w, p, n);
        w += n;
        if (stop == end || *stop != '\\')
            return (size_t)(w - out);
        p = read_escape(stop, end, w, &n);
        w += n;
    }
}

bool json_string_is(sio_str value, sio_str text)
{
    const char *p = value.p + 1, *end = value.p + value.n, *stop;
    char c[4];
    size_t n;

    for (;;) {
        stop = json_plain_end(p, end);
        n = (size_t)(stop - p);
        if (n > text.n || (n && memcmp(p, text.p, n) != 0))
            return false;
        text = (sio_str){ text.p + n, text.n - n };
        if (stop == end || *stop != '\\')
            return text.n == 0;
        p = read_escape(stop, end, c, &n);
        if (n > text.n || memcmp(c, text.p, n) != 0)
            return false;
        text = (sio_str){ text.p + n, text.n - n };
    }
}
