/*
 * ws_deflate.c -- any bytes as a compressed message, twice over: inflated whole
 * and in three pieces they must give the same. Then the same bytes as a message
 * to deflate, which must come back.
 *
 * The first bytes choose takeover and window, level, limit, and the cuts. With
 * a window below 15 bits zlib may let pass, in one piece, what looks back too
 * far; in pieces it notices.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/websocket/deflate.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct ws_spare spare; /* its window is always of another message */

struct choice {
    bool takeover;
    unsigned bits;
    int level;
    size_t limit, cut[2];
};

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* A copy of exactly n bytes, so that the address sanitizer sees an overrun. */
static int feed(struct ws_inflater *f, const uint8_t *in, size_t n, bool last,
                struct grow *out)
{
    uint8_t *copy = malloc(n ? n : 1);
    int r;

    require(copy);
    memcpy(copy, in, n);
    r = ws_inflate(f, copy, n, last, out);
    free(copy);
    require(out->len <= out->max && out->cap <= out->max);
    return r;
}

static int feed_parts(struct ws_inflater *f, const uint8_t *in, size_t n,
                      const size_t cut[2], struct grow *out)
{
    const size_t a = cut[0] < n ? cut[0] : n;
    const size_t b = cut[1] < n - a ? cut[1] : n - a;
    int r = feed(f, in, a, false, out);

    if (r == SIO_OK)
        r = feed(f, in + a, b, false, out);
    return r == SIO_OK ? feed(f, in + a + b, n - a - b, true, out) : r;
}

static bool same(const struct grow *a, const struct grow *b)
{
    return a->len == b->len && (!a->len || !memcmp(a->data, b->data, a->len));
}

static void check_inflate(const struct choice *c, const uint8_t *in, size_t n)
{
    struct ws_inflater whole, parts;
    int r = SIO_OK, s = SIO_OK;

    ws_inflater_init(&whole, c->bits, c->takeover);
    ws_inflater_init(&parts, c->bits, c->takeover);
    ws_inflater_share(&whole, &spare);
    ws_inflater_share(&parts, &spare);
    for (int i = 0; i < 2 && r == SIO_OK && s == SIO_OK; i++) {
        struct grow one, two;

        grow_init(&one, c->limit);
        grow_init(&two, c->limit);
        r = feed(&whole, in, n, true, &one);
        s = feed_parts(&parts, in, n, c->cut, &two);
        require(r == s || (c->bits < 15 && s == SIO_E_INVAL));
        require(r != SIO_OK || s != SIO_OK || same(&one, &two));
        grow_free(&one);
        grow_free(&two);
    }
    ws_inflater_free(&whole);
    ws_inflater_free(&parts);
}

static void check_round_trip(const struct choice *c, const uint8_t *in,
                             size_t n)
{
    struct ws_deflater d;
    struct ws_inflater f;

    ws_deflater_init(&d, c->bits, c->takeover, c->level);
    ws_inflater_init(&f, c->bits, c->takeover);
    for (int i = 0; i < 2; i++) {
        struct grow packed, out;

        grow_init(&packed, SIZE_MAX);
        grow_init(&out, n);
        require(ws_deflate(&d, in, n, &packed) == SIO_OK);
        require(feed_parts(&f, packed.data, packed.len, c->cut, &out) ==
                SIO_OK);
        require(out.len == n && (!n || !memcmp(out.data, in, n)));
        grow_free(&packed);
        grow_free(&out);
    }
    ws_deflater_free(&d);
    ws_inflater_free(&f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct choice c;

    if (size < 5)
        return 0;
    c.takeover = data[0] & 1;
    c.bits = data[0] & 2 ? 15 : 8 + (data[0] >> 2) % 8;
    c.level = data[1] % 10;
    c.limit = data[2] < 250 ? data[2] : 100000;
    c.cut[0] = data[3];
    c.cut[1] = data[4];
    check_inflate(&c, data + 5, size - 5);
    if (data[1] >= 240) /* the dearer half: seldom */
        check_round_trip(&c, data + 5, size - 5);
    return 0;
}
