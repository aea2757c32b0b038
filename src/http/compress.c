/*
 * compress.c -- see compress.h. zlib does the work; "deflate" is the zlib
 * format (RFC 1950), as RFC 9110 8.4.1.2 has it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/http/compress.h"

#include "src/http/request.h"

#include <limits.h>
#include <stdlib.h>
#include <zlib.h>
#ifdef SIO_WITH_BROTLI
#include <brotli/encode.h>
#endif

#define WINDOW_BITS 15
#define GZIP_FORMAT 16 /* added to the window bits: zlib.h, deflateInit2() */
#define MEM_LEVEL 8
#define BROTLI_LEVEL 6 /* 300 KB in 6 ms; level 11: in 340, 12 % shorter */

/* ------------------------------------------------------------ negotiation --
 */

/* A q value in thousandths (RFC 9110 12.4.2); 1000 when it cannot be read. */
static int read_q(sio_str params)
{
    while (params.p) {
        sio_str param = str_trim(str_split(params, ';', &params));
        int q, unit = 100;

        if (param.n < 3 || str_lower(param.p[0]) != 'q' || param.p[1] != '=' ||
            param.p[2] < '0' || param.p[2] > '1')
            continue;
        q = (param.p[2] - '0') * 1000;
        for (size_t i = 4; i < param.n && unit; i++, unit /= 10)
            if (param.p[i] >= '0' && param.p[i] <= '9')
                q += (param.p[i] - '0') * unit;
        return q > 1000 ? 1000 : q;
    }
    return 1000;
}

/* How much a client likes a coding. */
struct wish {
    int q;      /* thousandths */
    bool named; /* itself, not by "*" */
    int place;  /* in the list */
};

/* Of one coding: what names it counts, then the highest q. */
static void note(struct wish *wish, const struct wish *other)
{
    if (other->named > wish->named ||
        (other->named == wish->named && other->q > wish->q))
        *wish = *other;
}

static bool better(const struct wish *a, const struct wish *b)
{
    if (a->q != b->q)
        return a->q > b->q;
    if (a->named != b->named)
        return a->named;
    return a->place < b->place;
}

static void read_wishes(sio_str list, struct wish wishes[HTTP_NCODINGS])
{
    for (int place = 0; list.p; place++) {
        sio_str params, item = str_trim(str_split(list, ',', &list));
        sio_str name = str_trim(str_split(item, ';', &params));
        struct wish wish = { .q = read_q(params), .place = place };

        for (int i = HTTP_BROTLI; i < HTTP_NCODINGS; i++) {
            wish.named = str_eq_nocase(name, http_coding_name(i));
            if (wish.named || str_eq(name, STR("*")))
                note(&wishes[i], &wish);
        }
    }
}

enum http_coding http_choose_coding(sio_str accept_encoding,
                                    enum http_coding offered)
{
    struct wish wishes[HTTP_NCODINGS] = { { 0 } };
    enum http_coding best = HTTP_IDENTITY;

    read_wishes(accept_encoding, wishes);
#ifndef SIO_WITH_BROTLI
    wishes[HTTP_BROTLI].q = 0;
#endif
    for (enum http_coding i = offered; i < HTTP_NCODINGS; i++)
        if (wishes[i].q > 0 &&
            (best == HTTP_IDENTITY || better(&wishes[i], &wishes[best])))
            best = i;
    return best;
}

sio_str http_coding_name(enum http_coding coding)
{
    static const sio_str names[HTTP_NCODINGS] = {
        [HTTP_BROTLI] = { "br", 2 },
        [HTTP_GZIP] = { "gzip", 4 },
        [HTTP_DEFLATE] = { "deflate", 7 },
    };

    return names[coding];
}

/* ------------------------------------------------------------ compressing --
 */

struct http_deflater {
    z_stream z;
};

void http_compressor_init(struct http_compressor *c)
{
    memset(c, 0, sizeof *c);
}

void http_compressor_free(struct http_compressor *c)
{
    for (size_t i = 0; i < HTTP_NCODINGS; i++) {
        if (!c->deflaters[i])
            continue;
        deflateEnd(&c->deflaters[i]->z);
        free(c->deflaters[i]);
        c->deflaters[i] = NULL;
    }
}

static struct http_deflater *deflater(struct http_compressor *c,
                                      enum http_coding coding)
{
    struct http_deflater *d = c->deflaters[coding];
    int bits = WINDOW_BITS + (coding == HTTP_GZIP ? GZIP_FORMAT : 0);

    if (d)
        return deflateReset(&d->z) == Z_OK ? d : NULL;
    d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    if (deflateInit2(&d->z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, bits, MEM_LEVEL,
                     Z_DEFAULT_STRATEGY) != Z_OK) {
        free(d);
        return NULL;
    }
    c->deflaters[coding] = d;
    return d;
}

/* Into out[0..*size), which is as long as the body: no more than it has now. */
static bool deflate_into(struct http_deflater *d, sio_str body, uint8_t *out,
                         size_t *size)
{
    if (!d)
        return false;
    d->z.next_in = (Bytef *)(uintptr_t)body.p;
    d->z.avail_in = (uInt)body.n;
    d->z.next_out = out;
    d->z.avail_out = (uInt)*size;
    if (deflate(&d->z, Z_FINISH) != Z_STREAM_END)
        return false;
    *size -= d->z.avail_out;
    return true;
}

static bool brotli_into(sio_str body, uint8_t *out, size_t *size)
{
#ifdef SIO_WITH_BROTLI
    return BrotliEncoderCompress(BROTLI_LEVEL, BROTLI_DEFAULT_WINDOW,
                                 BROTLI_MODE_TEXT, body.n,
                                 (const uint8_t *)body.p, size, out);
#else
    (void)body;
    (void)out;
    (void)size;
    return false;
#endif
}

struct buf *http_compress(struct http_compressor *c, enum http_coding coding,
                          sio_str body)
{
    struct buf *out;
    bool done;

    if (coding == HTTP_IDENTITY || body.n > UINT_MAX)
        return NULL;
    out = buf_alloc(body.n);
    if (!out)
        return NULL;
    done = coding == HTTP_BROTLI
               ? brotli_into(body, out->data, &out->len)
               : deflate_into(deflater(c, coding), body, out->data, &out->len);
    if (done)
        return out;
    buf_unref(out);
    return NULL;
}
