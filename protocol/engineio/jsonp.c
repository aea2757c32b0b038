/*
 * jsonp.c -- see jsonp.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/engineio/jsonp.h"

#include "protocol/base/quote.h"
#include "protocol/base/str.h"

size_t eio_jsonp_unescape(char *d, size_t n)
{
    const char *p = d, *end = n ? d + n : d;
    char *w = d;

    while (p < end) {
        const size_t left = (size_t)(end - p);

        if (left >= 2 && memcmp(p, "\\n", 2) == 0) {
            *w++ = '\n';
            p += 2;
        } else if (left >= 3 && memcmp(p, "\\\\n", 3) == 0) {
            *w++ = '\\';
            *w++ = 'n';
            p += 3;
        } else {
            *w++ = *p++;
        }
    }
    return (size_t)(w - d);
}

/* U+2028 or U+2029, which end a line in JavaScript before ES2019 but not in
 * JSON. */
static bool is_separator(const uint8_t *p)
{
    return p[0] == 0xe2 && p[1] == 0x80 && (p[2] & 0xfe) == 0xa8;
}

static size_t count_separators(const uint8_t *p, const uint8_t *end)
{
    size_t count = 0;

    while (end - p >= 3 && (p = memchr(p, 0xe2, (size_t)(end - p - 2))))
        count += is_separator(p++);
    return count;
}

/* Write them as \u2028 and \u2029 behind `from`. From the end on, so that each
 * byte moves once; where both ends meet the rest is in its place. */
static int escape_separators(struct grow *out, size_t from)
{
    const size_t more =
        3 * count_separators(out->data + from, out->data + out->len);
    int r = grow_reserve(out, more);
    uint8_t *end, *w;

    if (r != SIO_OK)
        return r;
    end = out->data + out->len;
    for (w = end + more; w > end;) {
        if (is_separator(end - 3)) {
            end -= 3;
            w -= 6;
            memcpy(w, end[2] == 0xa8 ? "\\u2028" : "\\u2029", 6);
        } else {
            *--w = *--end;
        }
    }
    out->len += more;
    return SIO_OK;
}

static int append_digits(struct grow *out, sio_str text)
{
    int r = grow_reserve(out, text.n);

    for (size_t i = 0; r == SIO_OK && i < text.n; i++)
        if (text.p[i] >= '0' && text.p[i] <= '9')
            out->data[out->len++] = (uint8_t)text.p[i];
    return r;
}

static int append_string(struct grow *out, sio_str text)
{
    const size_t from = out->len;
    int r = json_append_string(out, text);

    return r == SIO_OK ? escape_separators(out, from) : r;
}

int eio_jsonp_append(struct grow *out, sio_str index, sio_str payload)
{
    static const char before[] = "___eio[", between[] = "](", after[] = ");";
    const size_t len = out->len;
    int r = grow_append(out, before, sizeof before - 1);

    if (r == SIO_OK)
        r = append_digits(out, index);
    if (r == SIO_OK)
        r = grow_append(out, between, sizeof between - 1);
    if (r == SIO_OK)
        r = append_string(out, payload);
    if (r == SIO_OK)
        r = grow_append(out, after, sizeof after - 1);
    if (r != SIO_OK)
        out->len = len;
    return r;
}
