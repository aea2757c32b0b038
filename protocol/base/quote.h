/*
 * quote.h -- text to JSON string, as JSON.stringify does it; and the fast walk
 * over the part of a string that needs no look at its characters.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef PROTOCOL_BASE_QUOTE_H
#define PROTOCOL_BASE_QUOTE_H

#include "protocol/base/grow.h"

#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* Append `text` quoted. Escaped are only '"', '\\' and control characters, and
 * surrogates in their three-byte form (WTF-8: what a client's lone "\ud800" was
 * read as). SIO_E_INVAL: other invalid UTF-8; SIO_E_LIMIT, SIO_E_NOMEM. On
 * failure `out` is as it was. */
int json_append_string(struct grow *out, sio_str text);

/* Cannot stand in a JSON string as it is: '"', '\\', control characters. */
static inline bool json_is_special(char c)
{
    return (unsigned char)c < 0x20 || c == '"' || c == '\\';
}

/* 0x80 in every byte of `word` that is 0, 0 in the others. */
static inline uint64_t json_zero_bytes(uint64_t word)
{
    const uint64_t low7 = 0x7f7f7f7f7f7f7f7f;

    return ~(((word & low7) + low7) | word | low7);
}

#ifdef __SSE2__
#define JSON_PLAIN_BLOCK 64 /* bytes that json_skip_plain() takes at once */

/* Pass over blocks without a special character; where the first one that has
 * some begins, or less than a block is left. */
const char *json_skip_plain(const char *p, const char *end);
#endif

/* The first special character in [p, end), or `end`. Most strings have none,
 * so that whole blocks are looked at until one of them does. */
static inline const char *json_plain_end(const char *p, const char *end)
{
    const uint64_t ones = 0x0101010101010101;

#ifdef __SSE2__
    if (end - p >= 2 * JSON_PLAIN_BLOCK)
        p = json_skip_plain(p, end);
    for (; end - p >= 16; p += 16) {
        const __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
        const __m128i quote = _mm_cmpeq_epi8(v, _mm_set1_epi8('"'));
        const __m128i slash = _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'));
        const __m128i last = _mm_set1_epi8(0x1f);
        const __m128i control = _mm_cmpeq_epi8(_mm_max_epu8(v, last), last);
        const int hits = _mm_movemask_epi8(
            _mm_or_si128(control, _mm_or_si128(quote, slash)));

        if (hits)
            return p + __builtin_ctz((unsigned)hits);
    }
#endif
    for (; end - p >= 8; p += 8) {
        uint64_t word;

        memcpy(&word, p, sizeof word);
        if (json_zero_bytes(word ^ ones * '"') |
            json_zero_bytes(word ^ ones * '\\') |
            json_zero_bytes(word & ones * 0xe0))
            break;
    }
    while (p < end && !json_is_special(*p))
        p++;
    return p;
}

#endif
