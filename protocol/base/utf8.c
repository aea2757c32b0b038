/*
 * utf8.c -- see utf8.h.
 *
 * A character is a lead byte and up to three trail bytes. Only the first trail
 * byte has a range of its own, by which overlong forms, surrogates and what
 * lies above U+10FFFF are kept out (RFC 3629 4). Each state says which trail
 * byte may come next:
 *
 *            C2-DF
 *     START -------------------------------------------------> TAIL1 --> START
 *       | E1-EC EE EF                                            ^
 *       +------------------------------------------> TAIL2 ------+
 *       | F1-F3                                        ^         |
 *       +-----------------------------> TAIL3 ---------+         |
 *       | F0, F4                                       |         |
 *       +-----------------> AFTER_F0, AFTER_F4 --------+         |
 *       | E0, ED                                                 |
 *       +-----------------> AFTER_E0, AFTER_ED ------------------+
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/base/utf8.h"

#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum {
    START,
    TAIL1,
    TAIL2,
    TAIL3,
    AFTER_E0,
    AFTER_ED,
    AFTER_F0,
    AFTER_F4,
    BAD
};

static const struct {
    uint8_t lo, hi, next;
} trail[] = {
    [TAIL1] = { 0x80, 0xbf, START },    [TAIL2] = { 0x80, 0xbf, TAIL1 },
    [TAIL3] = { 0x80, 0xbf, TAIL2 },    [AFTER_E0] = { 0xa0, 0xbf, TAIL1 },
    [AFTER_ED] = { 0x80, 0x9f, TAIL1 }, [AFTER_F0] = { 0x90, 0xbf, TAIL2 },
    [AFTER_F4] = { 0x80, 0x8f, TAIL2 }, [BAD] = { 1, 0, BAD },
};

/* What a lead byte from 0xc0 leads to. */
/* clang-format off */
static const uint8_t lead[64] = {
    BAD, BAD, TAIL1, TAIL1, TAIL1, TAIL1, TAIL1, TAIL1,
    TAIL1, TAIL1, TAIL1, TAIL1, TAIL1, TAIL1, TAIL1, TAIL1,
    TAIL1, TAIL1, TAIL1, TAIL1, TAIL1, TAIL1, TAIL1, TAIL1,
    TAIL1, TAIL1, TAIL1, TAIL1, TAIL1, TAIL1, TAIL1, TAIL1,
    AFTER_E0, TAIL2, TAIL2, TAIL2, TAIL2, TAIL2, TAIL2, TAIL2,
    TAIL2, TAIL2, TAIL2, TAIL2, TAIL2, AFTER_ED, TAIL2, TAIL2,
    AFTER_F0, TAIL3, TAIL3, TAIL3, AFTER_F4, BAD, BAD, BAD,
    BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD,
};
/* clang-format on */

/* In START the byte is not ASCII: skip_ascii() comes first. */
static inline uint8_t step(uint8_t state, uint8_t byte)
{
    if (state != START)
        return byte >= trail[state].lo && byte <= trail[state].hi
                   ? trail[state].next
                   : BAD;
    return byte < 0xc0 ? BAD : lead[byte - 0xc0];
}

#ifdef __SSE2__
static inline __m128i load16(const uint8_t *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}
#endif

/* The first byte that is not ASCII, or `end`. */
static inline const uint8_t *skip_ascii(const uint8_t *p, const uint8_t *end)
{
    uint64_t word;

#ifdef __SSE2__
    for (; end - p >= 64; p += 64)
        if (_mm_movemask_epi8(
                _mm_or_si128(_mm_or_si128(load16(p), load16(p + 16)),
                             _mm_or_si128(load16(p + 32), load16(p + 48)))))
            break;
#endif
    for (; end - p >= (ptrdiff_t)sizeof word; p += sizeof word) {
        memcpy(&word, p, sizeof word);
        if (word & 0x8080808080808080)
            break;
    }
    while (p < end && *p < 0x80)
        p++;
    return p;
}

bool utf8_feed(struct utf8 *u, const void *src, size_t n)
{
    const uint8_t *p = src, *end = n ? p + n : p; /* may be NULL */
    uint8_t state = u->state;

    while (p < end) {
        if (state == START) {
            p = skip_ascii(p, end);
            if (p == end)
                break;
        }
        state = step(state, *p++);
        if (state == BAD)
            break;
    }
    u->state = state;
    return state != BAD;
}

bool utf8_valid(const void *p, size_t n)
{
    struct utf8 u;

    utf8_init(&u);
    return utf8_feed(&u, p, n) && utf8_done(&u);
}

/* The end of the whole characters that p begins with. *bad is the length of
 * the ill-formed part behind them: what could have begun a character, or one
 * byte that could not; 0 at `end`. */
static const uint8_t *skip_valid(const uint8_t *p, const uint8_t *end,
                                 size_t *bad)
{
    for (;;) {
        const uint8_t *at = p = skip_ascii(p, end);
        uint8_t state = START;

        if (p == end) {
            *bad = 0;
            return p;
        }
        do
            state = step(state, *at++);
        while (state != START && state != BAD && at < end);
        if (state == BAD && at - p > 1)
            at--; /* it may begin the next character */
        if (state != START) {
            *bad = (size_t)(at - p);
            return p;
        }
        p = at;
    }
}

int utf8_append_lossy(struct grow *out, const void *src, size_t n)
{
    const uint8_t *p = src, *end = n ? p + n : p; /* may be NULL */
    size_t before = out->len, bad;
    int r = SIO_OK;

    while (p < end && r == SIO_OK) {
        const uint8_t *good = p;

        p = skip_valid(p, end, &bad);
        r = grow_append(out, good, (size_t)(p - good));
        if (r == SIO_OK && bad)
            r = grow_append(out, "\xef\xbf\xbd", 3);
        p += bad;
    }
    if (r < 0)
        out->len = before;
    return r;
}

size_t utf8_put(char *out, uint32_t c)
{
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const uint8_t mark[] = { 0, 0, 0xc0, 0xe0, 0xf0 };

    for (size_t i = n; --i > 0; c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)(mark[n] | c);
    return n;
}
