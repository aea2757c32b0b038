/*
 * msgpack_write.c -- writing MessagePack in the forms that notepack.io, the
 * library of socket.io-msgpack-parser, writes: the smallest that holds the
 * value; numbers that are not integral as float 64.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/socketio/msgpack.h"

#include "protocol/base/utf8.h"

/* A head and the low `bytes` bytes of `v`, big endian. */
static int append_head(struct grow *out, uint8_t head, uint64_t v,
                       unsigned bytes)
{
    uint8_t text[9] = { head };

    for (unsigned i = 0; i < bytes; i++)
        text[1 + i] = (uint8_t)(v >> 8 * (bytes - 1 - i));
    return grow_append(out, text, 1 + bytes);
}

int mp_append_nil(struct grow *out)
{
    return grow_append_byte(out, 0xc0);
}

int mp_append_bool(struct grow *out, bool b)
{
    return grow_append_byte(out, b ? 0xc3 : 0xc2);
}

static int append_positive(struct grow *out, uint64_t v)
{
    if (v < 0x80)
        return grow_append_byte(out, (uint8_t)v);
    if (v <= UINT8_MAX)
        return append_head(out, 0xcc, v, 1);
    if (v <= UINT16_MAX)
        return append_head(out, 0xcd, v, 2);
    if (v <= UINT32_MAX)
        return append_head(out, 0xce, v, 4);
    return append_head(out, 0xcf, v, 8);
}

int mp_append_integer(struct grow *out, int64_t i)
{
    const uint64_t v = (uint64_t)i;

    if (i >= 0)
        return append_positive(out, v);
    if (i >= -32)
        return grow_append_byte(out, (uint8_t)v);
    if (i >= INT8_MIN)
        return append_head(out, 0xd0, v, 1);
    if (i >= INT16_MIN)
        return append_head(out, 0xd1, v, 2);
    if (i >= INT32_MIN)
        return append_head(out, 0xd2, v, 4);
    return append_head(out, 0xd3, v, 8);
}

int mp_append_number(struct grow *out, double number)
{
    const double limit = 9007199254740992.0; /* 2^53 */
    uint64_t bits;

    if (number >= -limit && number <= limit &&
        number == (double)(int64_t)number)
        return mp_append_integer(out, (int64_t)number);
    memcpy(&bits, &number, sizeof bits);
    return append_head(out, 0xcb, bits, 8);
}

/* The head of what has a length of n: `one` (0: no such form), and those for 2
 * and 4 bytes behind it. */
static int append_length(struct grow *out, size_t n, uint8_t one, uint8_t two)
{
    if (one && n <= UINT8_MAX)
        return append_head(out, one, n, 1);
    if (n <= UINT16_MAX)
        return append_head(out, two, n, 2);
    if (n <= UINT32_MAX)
        return append_head(out, (uint8_t)(two + 1), n, 4);
    return SIO_E_LIMIT;
}

/* Surrogates become U+FFFD, which is as long. */
static void replace_surrogates(uint8_t *p, size_t n)
{
    for (size_t i = 0; i + 2 < n; i++)
        if (p[i] == 0xed && p[i + 1] >= 0xa0 && p[i + 1] <= 0xbf &&
            p[i + 2] >> 6 == 2)
            memcpy(p + i, "\xef\xbf\xbd", 3);
}

int mp_append_string(struct grow *out, sio_str text)
{
    const size_t before = out->len;
    int r = text.n < 32 ? grow_append_byte(out, (uint8_t)(0xa0 | text.n))
                        : append_length(out, text.n, 0xd9, 0xda);

    if (r == SIO_OK)
        r = grow_append(out, text.p, text.n);
    if (r == SIO_OK && !utf8_valid(text.p, text.n)) {
        uint8_t *copy = out->data + out->len - text.n;

        replace_surrogates(copy, text.n);
        if (!utf8_valid(copy, text.n))
            r = SIO_E_INVAL;
    }
    if (r != SIO_OK)
        out->len = before;
    return r;
}

int mp_append_binary(struct grow *out, sio_str bytes)
{
    const size_t before = out->len;
    int r = append_length(out, bytes.n, 0xc4, 0xc5);

    if (r == SIO_OK)
        r = grow_append(out, bytes.p, bytes.n);
    if (r != SIO_OK)
        out->len = before;
    return r;
}

int mp_append_array(struct grow *out, size_t count)
{
    if (count < 16)
        return grow_append_byte(out, (uint8_t)(0x90 | count));
    return append_length(out, count, 0, 0xdc);
}

int mp_append_map(struct grow *out, size_t pairs)
{
    if (pairs < 16)
        return grow_append_byte(out, (uint8_t)(0x80 | pairs));
    return append_length(out, pairs, 0, 0xde);
}
