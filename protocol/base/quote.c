/*
 * quote.c -- see quote.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/base/quote.h"

#include "protocol/base/utf8.h"

#ifdef __SSE2__
/* 0 in every byte that is special. With bit 1 turned over, '"' comes directly
 * behind the control characters, and all of them saturate to 0. */
static inline __m128i zero_if_special(const char *p)
{
    const __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
    const __m128i turned = _mm_xor_si128(v, _mm_set1_epi8('"' ^ ' '));

    return _mm_min_epu8(_mm_subs_epu8(turned, _mm_set1_epi8(' ')),
                        _mm_xor_si128(v, _mm_set1_epi8('\\')));
}

const char *json_skip_plain(const char *p, const char *end)
{
    for (; end - p >= JSON_PLAIN_BLOCK; p += JSON_PLAIN_BLOCK) {
        const __m128i least = _mm_min_epu8(
            _mm_min_epu8(zero_if_special(p), zero_if_special(p + 16)),
            _mm_min_epu8(zero_if_special(p + 32), zero_if_special(p + 48)));

        if (_mm_movemask_epi8(_mm_cmpeq_epi8(least, _mm_setzero_si128())))
            break;
    }
    return p;
}
#endif

static int append_u_escape(struct grow *out, unsigned unit)
{
    static const char hex[] = "0123456789abcdef";
    char escape[6] = { '\\', 'u' };

    for (int i = 0; i < 4; i++)
        escape[2 + i] = hex[unit >> (12 - 4 * i) & 15];
    return grow_append(out, escape, sizeof escape);
}

static int append_escape(struct grow *out, char c)
{
    static const char letter[] = {
        ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n',  ['\r'] = 'r',
        ['\t'] = 't', ['"'] = '"',  ['\\'] = '\\',
    };

    if (letter[(unsigned char)c] == 0)
        return append_u_escape(out, (unsigned char)c);
    return grow_append(out, (char[]){ '\\', letter[(unsigned char)c] }, 2);
}

/* Valid UTF-8: everything from U+0020 on stays as it is, but for two. */
static int append_valid(struct grow *out, const char *p, const char *end)
{
    int r = SIO_OK;

    while (r == SIO_OK && p < end) {
        const char *special = json_plain_end(p, end);

        r = grow_append(out, p, (size_t)(special - p));
        if (r == SIO_OK && special < end)
            r = append_escape(out, *special++);
        p = special;
    }
    return r;
}

/* The first U+D800..U+DFFF in three-byte form, ED A0..BF 80..BF, or `end`. */
static const char *find_surrogate(const char *p, const char *end)
{
    while (p < end && (p = memchr(p, 0xed, (size_t)(end - p)))) {
        const unsigned char *u = (const unsigned char *)p;

        if (end - p >= 3 && u[1] >= 0xa0 && u[1] <= 0xbf && u[2] >> 6 == 2)
            return p;
        p++;
    }
    return end;
}

/* Not valid as a whole: the parts between surrogates may be. */
static int append_wtf8(struct grow *out, const char *p, const char *end)
{
    for (;;) {
        const char *stop = find_surrogate(p, end);
        int r;

        if (!utf8_valid(p, (size_t)(stop - p)))
            return SIO_E_INVAL;
        r = append_valid(out, p, stop);
        if (r != SIO_OK || stop == end)
            return r;
        r = append_u_escape(out, 0xd000u | (stop[1] & 0x3fu) << 6 |
                                     (stop[2] & 0x3fu));
        if (r != SIO_OK)
            return r;
        p = stop + 3;
    }
}

#define SHORT_MAX 32 /* bytes: longer ones are worth setting out for */

/* Names of events are short and plain. There is room for it. False: no. */
static bool append_short(struct grow *out, const char *p, size_t n)
{
    uint8_t *to = out->data + out->len;

    if (n > SHORT_MAX)
        return false;
    for (size_t i = 0; i < n; i++) {
        if ((signed char)p[i] < ' ' || p[i] == '"' || p[i] == '\\')
            return false;
        to[i] = (uint8_t)p[i];
    }
    out->len += n;
    return true;
}

int json_append_string(struct grow *out, sio_str text)
{
    const char *p = text.n ? text.p : "", *end = p + text.n;
    const size_t before = out->len;
    int r = grow_reserve(out, text.n + 2);

    if (r != SIO_OK)
        return r;
    out->data[out->len++] = '"';
    if (append_short(out, p, text.n))
        r = SIO_OK;
    else if (utf8_valid(p, text.n))
        r = append_valid(out, p, end);
    else
        r = append_wtf8(out, p, end);
    if (r == SIO_OK)
        r = grow_append_byte(out, '"');
    if (r != SIO_OK)
        out->len = before;
    return r;
}
