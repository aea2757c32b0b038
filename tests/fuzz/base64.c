/*
 * base64.c -- decoding any text, there and in place, equals a digit by digit
 * reading of it; bytes survive both encodings.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/base/base64.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int digit(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+' || c == '-')
        return 62;
    return c == '/' || c == '_' ? 63 : -1;
}

static size_t slow_decode(uint8_t *out, const uint8_t *in, size_t n)
{
    uint32_t bits = 0;
    unsigned have = 0;
    size_t len = 0;

    for (size_t i = 0; i < n && in[i] != '='; i++) {
        if (digit(in[i]) < 0)
            continue;
        bits = bits << 6 | (uint32_t)digit(in[i]);
        have += 6;
        if (have >= 8) {
            have -= 8;
            out[len++] = (uint8_t)(bits >> have);
        }
    }
    return len;
}

static void *alloc(size_t n)
{
    void *p = calloc(n ? n : 1, 1);

    if (!p)
        abort();
    return p;
}

static void check_decode(const uint8_t *data, size_t size)
{
    uint8_t *want = alloc(BASE64_MAX_BYTES(size));
    uint8_t *out = alloc(BASE64_MAX_BYTES(size));
    char *in = alloc(size);
    size_t n = slow_decode(want, data, size);

    memcpy(in, data, size);
    if (base64_decode(out, in, size) != n || memcmp(out, want, n) != 0)
        abort();
    if (base64_decode(in, in, size) != n || memcmp(in, want, n) != 0)
        abort();
    free(want);
    free(out);
    free(in);
}

static void check_round_trip(const uint8_t *data, size_t size)
{
    char *text = alloc(BASE64_LEN(size));
    uint8_t *out = alloc(BASE64_MAX_BYTES(BASE64_LEN(size)));
    size_t n = base64_encode(text, data, size);

    if (n != BASE64_LEN(size) || base64_decode(out, text, n) != size ||
        memcmp(out, data, size) != 0)
        abort();
    n = base64url_encode(text, data, size);
    if (base64_decode(out, text, n) != size || memcmp(out, data, size) != 0)
        abort();
    free(text);
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_decode(data, size);
    check_round_trip(data, size);
    return 0;
}
