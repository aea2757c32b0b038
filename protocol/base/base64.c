/*
 * base64.c -- see base64.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/base/base64.h"

static const char standard[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* Without padding. Returns the characters written. */
static size_t encode(char *out, const uint8_t *in, size_t n,
                     const char *alphabet)
{
    char *w = out;
    uint32_t v;

    for (; n >= 3; n -= 3, in += 3) {
        v = (uint32_t)in[0] << 16 | (uint32_t)in[1] << 8 | in[2];
        *w++ = alphabet[v >> 18];
        *w++ = alphabet[v >> 12 & 63];
        *w++ = alphabet[v >> 6 & 63];
        *w++ = alphabet[v & 63];
    }
    if (n > 0) {
        v = (uint32_t)in[0] << 16 | (n > 1 ? (uint32_t)in[1] << 8 : 0);
        *w++ = alphabet[v >> 18];
        *w++ = alphabet[v >> 12 & 63];
        if (n > 1)
            *w++ = alphabet[v >> 6 & 63];
    }
    return (size_t)(w - out);
}

size_t base64_encode(char *out, const void *in, size_t n)
{
    size_t len = encode(out, in, n, standard);

    while (len % 4)
        out[len++] = '=';
    return len;
}

size_t base64url_encode(char *out, const void *in, size_t n)
{
    return encode(out, in, n, url);
}

/* What a character stands for: 6 bits beside the mark DIGIT, or STOP, or
 * nothing. */
enum { DIGIT = 0x40, STOP = 0x80 };

/* clang-format off */
#define V(c, n) [c] = DIGIT | (n)
#define V4(c, n) V(c, n), V((c) + 1, (n) + 1), V((c) + 2, (n) + 2), \
                 V((c) + 3, (n) + 3)
static const uint8_t value[256] = {
    V4('A', 0), V4('E', 4), V4('I', 8), V4('M', 12), V4('Q', 16), V4('U', 20),
    V('Y', 24), V('Z', 25),
    V4('a', 26), V4('e', 30), V4('i', 34), V4('m', 38), V4('q', 42),
    V4('u', 46), V('y', 50), V('z', 51),
    V4('0', 52), V4('4', 56), V('8', 60), V('9', 61),
    V('+', 62), V('-', 62), V('/', 63), V('_', 63),
    ['='] = STOP,
};
/* clang-format on */

static uint8_t *put3(uint8_t *w, uint32_t bits)
{
    *w++ = (uint8_t)(bits >> 16);
    *w++ = (uint8_t)(bits >> 8);
    *w++ = (uint8_t)bits;
    return w;
}

/* As many clean groups of four as there are at *at. Returns the new end of
 * the output. */
static uint8_t *decode_groups(uint8_t *w, const uint8_t **at,
                              const uint8_t *end)
{
    const uint8_t *p = *at;

    for (; end - p >= 4; p += 4) {
        uint32_t a = value[p[0]], b = value[p[1]];
        uint32_t c = value[p[2]], d = value[p[3]];

        if (!(a & b & c & d & DIGIT))
            break;
        w = put3(w, (a & 63) << 18 | (b & 63) << 12 | (c & 63) << 6 | (d & 63));
    }
    *at = p;
    return w;
}

size_t base64_decode(void *out, const char *in, size_t n)
{
    const uint8_t *p = (const uint8_t *)in, *end = n ? p + n : p;
    uint8_t *w = out, v = 0;
    uint32_t bits = 0;
    unsigned have = 0; /* digits in `bits` */

    while (v != STOP) {
        if (have == 0)
            w = decode_groups(w, &p, end);
        if (p == end)
            break;
        v = value[*p++];
        if (!(v & DIGIT))
            continue;
        bits = bits << 6 | (v & 63);
        if (++have == 4) {
            w = put3(w, bits);
            have = 0;
        }
    }
    if (have >= 2)
        *w++ = (uint8_t)(bits >> (have == 3 ? 10 : 4));
    if (have == 3)
        *w++ = (uint8_t)(bits >> 2);
    return (size_t)(w - (uint8_t *)out);
}
