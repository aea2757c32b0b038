/*
 * utf8.c -- validation of a text whole, cut in two and character by character
 * must agree; what replacement makes of it is valid and, of valid text, the
 * text itself.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/base/utf8.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The code point that p begins with, by arithmetic instead of states; *n is
 * its length, 0 when it is ill-formed. */
static uint32_t decode(const uint8_t *p, size_t left, size_t *n)
{
    size_t len = p[0] < 0x80 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    uint32_t c = len == 1 ? p[0] : p[0] & (0x7fu >> len);
    char again[4];

    *n = 0;
    if (len > left || (p[0] >= 0x80 && p[0] < 0xc0) || p[0] >= 0xf8)
        return 0;
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (p[i] & 0x3f);
    }
    if (c >= 0x110000 || (c >= 0xd800 && c < 0xe000) ||
        utf8_put(again, c) != len)
        return 0;
    if (memcmp(again, p, len) != 0)
        abort();
    *n = len;
    return c;
}

static bool valid(const uint8_t *p, size_t left)
{
    size_t n;

    for (; left; p += n, left -= n) {
        decode(p, left, &n);
        if (n == 0)
            return false;
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct utf8 u;
    struct grow out;
    size_t cut;
    bool want, ok;

    if (size < 1)
        return 0;
    cut = data[0] < size - 1 ? data[0] : size - 1;
    data++;
    size--;
    want = valid(data, size);
    utf8_init(&u);
    ok = utf8_feed(&u, data, cut);
    ok = utf8_feed(&u, data + cut, size - cut) && ok && utf8_done(&u);
    if (ok != want || utf8_valid(data, size) != want)
        abort();

    grow_init(&out, SIZE_MAX);
    if (utf8_append_lossy(&out, data, size) < 0 ||
        !utf8_valid(out.data, out.len) || out.len > 3 * size)
        abort();
    if (want &&
        (out.len != size || (size && memcmp(out.data, data, size) != 0)))
        abort();
    grow_free(&out);
    return 0;
}
