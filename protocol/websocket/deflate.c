/*
 * deflate.c -- see deflate.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/websocket/deflate.h"
#include "protocol/websocket/extension.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define ZLIB_CONST
#include <zlib.h>

#define MEM_LEVEL 8        /* zlib's default */
#define INFLATE_CHUNK 1024 /* bytes; spares `out` its first reallocations */
#define BETWEEN_BLOCKS 128 /* data_type: behind a block, no bit left over */

/* What Z_SYNC_FLUSH ends with and a message goes without (RFC 7692 7.2.1). */
static const uint8_t tail[4] = { 0x00, 0x00, 0xff, 0xff };

/* --------------------------------------------------------------- memory -- */

static void *allocate(void *opaque, unsigned items, unsigned size)
{
    (void)opaque;
    return malloc((size_t)items * size);
}

static void release(void *opaque, void *p)
{
    (void)opaque;
    free(p);
}

static z_stream *new_stream(void)
{
    z_stream *z = calloc(1, sizeof *z);

    if (z) {
        z->zalloc = allocate;
        z->zfree = release;
    }
    return z;
}

static uint8_t bits_of(unsigned window_bits)
{
    if (window_bits == 0)
        window_bits = WS_MAX_WINDOW_BITS;
    assert(window_bits >= WS_MIN_WINDOW_BITS);
    assert(window_bits <= WS_MAX_WINDOW_BITS);
    return (uint8_t)window_bits;
}

/* Lend the free space of `out` to z, `want` bytes unless the maximum is nearer;
 * SIO_E_LIMIT when it is reached. */
static int lend(z_stream *z, struct grow *out, size_t want)
{
    const size_t room = out->max - out->len;
    size_t space;
    int r = grow_reserve(out, room && room < want ? room : want);

    if (r != SIO_OK)
        return r;
    space = out->cap - out->len;
    z->next_out = out->data + out->len;
    z->avail_out = space < UINT_MAX ? (unsigned)space : UINT_MAX;
    return SIO_OK;
}

static void take_back(const z_stream *z, struct grow *out)
{
    out->len = (size_t)(z->next_out - out->data);
}

/* -------------------------------------------------------------- inflate -- */

void ws_inflater_init(struct ws_inflater *f, unsigned window_bits,
                      bool takeover)
{
    *f = (struct ws_inflater){
        .window_bits = bits_of(window_bits),
        .takeover = takeover,
    };
}

void ws_inflater_share(struct ws_inflater *f, struct ws_spare *spare)
{
    f->spare = spare;
}

static void free_inflater(z_stream *z)
{
    if (z)
        inflateEnd(z);
    free(z);
}

void ws_inflater_free(struct ws_inflater *f)
{
    free_inflater(f->z);
    f->z = NULL;
    f->open = false;
}

void ws_spare_free(struct ws_spare *spare)
{
    free_inflater(spare->z);
    spare->z = NULL;
}

static int open_inflater(struct ws_inflater *f)
{
    if (f->z)
        return SIO_OK;
    if (f->spare && f->spare->z) {
        f->z = f->spare->z;
        f->spare->z = NULL;
        inflateReset2(f->z, -f->window_bits);
        return SIO_OK;
    }
    f->z = new_stream();
    if (!f->z || inflateInit2(f->z, -f->window_bits) != Z_OK)
        return SIO_E_NOMEM; /* ws_inflate() frees */
    return SIO_OK;
}

/* Nothing of the message is remembered. */
static void close_inflater(struct ws_inflater *f)
{
    if (f->spare && !f->spare->z) {
        f->spare->z = f->z;
        f->z = NULL;
    }
    ws_inflater_free(f);
}

/* One call of inflate(). At the maximum of `out` it may still read: a block
 * can end there. One byte more is one too many. */
static int inflate_some(struct ws_inflater *f, struct grow *out)
{
    z_stream *z = f->z;
    uint8_t excess;
    int code, r = lend(z, out, out->len < out->cap ? 1 : INFLATE_CHUNK);
    const bool full = r == SIO_E_LIMIT;

    if (full) {
        z->next_out = &excess;
        z->avail_out = 1;
    } else if (r != SIO_OK) {
        return r;
    }
    code = inflate(z, Z_SYNC_FLUSH);
    if (!full)
        take_back(z, out);
    else if (z->avail_out == 0)
        return SIO_E_LIMIT;
    if (code == Z_STREAM_END) {
        /* A last block need not be the last of a message (RFC 7692 7.2.3.4).
         * Unlike inflateReset() this keeps the window, which goes on. */
        inflateResetKeep(z);
        f->open = z->avail_in > 0;
    } else if (code == Z_MEM_ERROR) {
        return SIO_E_NOMEM;
    } else if (code != Z_OK && code != Z_BUF_ERROR) {
        return SIO_E_INVAL;
    }
    return SIO_OK;
}

static int inflate_all(struct ws_inflater *f, const void *in, size_t n,
                       struct grow *out)
{
    int r;

    if (n > UINT_MAX)
        return SIO_E_LIMIT;
    f->z->next_in = in;
    f->z->avail_in = (unsigned)n;
    f->open = true;
    do
        r = inflate_some(f, out);
    while (r == SIO_OK && (f->z->avail_in > 0 || f->z->avail_out == 0));
    return r;
}

/* The message ended: give back the tail, and be between two blocks then. */
static int inflate_tail(struct ws_inflater *f, struct grow *out)
{
    int r = inflate_all(f, tail, sizeof tail, out);

    f->open = false;
    if (r != SIO_OK)
        return r;
    return f->z->data_type == BETWEEN_BLOCKS ? SIO_OK : SIO_E_INVAL;
}

int ws_inflate(struct ws_inflater *f, const void *in, size_t n, bool last,
               struct grow *out)
{
    int r = SIO_OK;

    if (n)
        r = open_inflater(f);
    if (n && r == SIO_OK)
        r = inflate_all(f, in, n, out);
    if (last && r == SIO_OK && f->open)
        r = inflate_tail(f, out);
    if (r != SIO_OK)
        ws_inflater_free(f);
    else if (last && !f->takeover)
        close_inflater(f);
    return r;
}

/* -------------------------------------------------------------- deflate -- */

void ws_deflater_init(struct ws_deflater *d, unsigned window_bits,
                      bool takeover, int level)
{
    const uint8_t bits = bits_of(window_bits);

    /* zlib has no raw streams of an 8-bit window. Its 9-bit ones will do: it
     * never looks back as far as the window is large, but 262 bytes less, and
     * 250 bytes are in the peer's window of 256 too. */
    *d = (struct ws_deflater){
        .window_bits = bits < 9 ? 9 : bits,
        .takeover = takeover,
        .level = (int8_t)level,
    };
}

void ws_deflater_free(struct ws_deflater *d)
{
    if (d->z)
        deflateEnd(d->z);
    free(d->z);
    d->z = NULL;
}

static int open_deflater(struct ws_deflater *d)
{
    if (d->z && !d->takeover)
        deflateReset(d->z);
    if (d->z)
        return SIO_OK;
    d->z = new_stream();
    if (!d->z || deflateInit2(d->z, d->level, Z_DEFLATED, -d->window_bits,
                              MEM_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK)
        return SIO_E_NOMEM; /* ws_deflate() frees */
    return SIO_OK;
}

/* Room for the bound, the flush and some more: then one call does it all. When
 * the limit of `out` leaves less, a call that just fills it might repeat the
 * flush in the next one; that is harmless but for its five bytes. */
static int deflate_all(z_stream *z, const void *in, size_t n, struct grow *out)
{
    const size_t want = deflateBound(z, n) + 16;
    int code, r;

    z->next_in = in;
    z->avail_in = (unsigned)n;
    do {
        r = lend(z, out, want);
        if (r != SIO_OK)
            return r;
        code = deflate(z, Z_SYNC_FLUSH);
        assert(code == Z_OK || code == Z_BUF_ERROR);
        take_back(z, out);
    } while (z->avail_out == 0);
    return SIO_OK;
}

int ws_deflate(struct ws_deflater *d, const void *in, size_t n,
               struct grow *out)
{
    const size_t before = out->len;
    int r;

    if (n == 0)
        return grow_append_byte(out, 0); /* RFC 7692 7.2.3.6 */
    if (n > UINT_MAX)
        return SIO_E_LIMIT;
    r = open_deflater(d);
    if (r == SIO_OK)
        r = deflate_all(d->z, in, n, out);
    if (r == SIO_OK) {
        out->len -= sizeof tail;
        assert(memcmp(out->data + out->len, tail, sizeof tail) == 0);
    } else {
        out->len = before;
    }
    if (r != SIO_OK)
        ws_deflater_free(d);
    return r;
}
