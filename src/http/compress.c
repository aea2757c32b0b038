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

#define WINDOW_BITS 15
#define GZIP_FORMAT 16 /* added to the window bits: zlib.h, deflateInit2() */
#define MEM_LEVEL 8

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

struct wish {
    int q;     /* thousandths; -1: not named */
    int place; /* in the list */
};

static void note(struct wish *wish, int q, int place)
{
    if (wish->q < 0)
        *wish = (struct wish){ q, place };
}

static bool better(const struct wish *a, const struct wish *b)
{
    if (a->q <= 0)
        return false;
    return a->q > b->q || (a->q == b->q && a->place < b->place);
}

enum http_coding http_choose_coding(sio_str accept_encoding)
{
    struct wish gzip = { -1, 0 }, deflate = { -1, 0 }, any = { -1, 0 };
    int place = 0;

    while (accept_encoding.p) {
        sio_str params,
            item = str_trim(str_split(accept_encoding, ',', &accept_encoding));
        sio_str name = str_trim(str_split(item, ';', &params));
        int q = read_q(params);

        place++;
        if (str_eq_nocase(name, STR("gzip")))
            note(&gzip, q, place);
        else if (str_eq_nocase(name, STR("deflate")))
            note(&deflate, q, place);
        else if (str_eq(name, STR("*")))
            note(&any, q, place);
    }
    if (gzip.q < 0)
        gzip = any;
    if (deflate.q < 0)
        deflate = any;
    if (better(&gzip, &deflate) || (gzip.q > 0 && !better(&deflate, &gzip)))
        return HTTP_GZIP;
    return deflate.q > 0 ? HTTP_DEFLATE : HTTP_IDENTITY;
}

sio_str http_coding_name(enum http_coding coding)
{
    return coding == HTTP_GZIP      ? STR("gzip")
           : coding == HTTP_DEFLATE ? STR("deflate")
                                    : STR("");
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

struct buf *http_compress(struct http_compressor *c, enum http_coding coding,
                          sio_str body)
{
    struct http_deflater *d;
    struct buf *out;

    if (coding == HTTP_IDENTITY || body.n > UINT_MAX)
        return NULL;
    d = deflater(c, coding);
    out = d ? buf_alloc(body.n) : NULL; /* no more than it has now */
    if (!out)
        return NULL;
    d->z.next_in = (Bytef *)(uintptr_t)body.p;
    d->z.avail_in = (uInt)body.n;
    d->z.next_out = out->data;
    d->z.avail_out = (uInt)body.n;
    if (deflate(&d->z, Z_FINISH) != Z_STREAM_END) {
        buf_unref(out);
        return NULL;
    }
    out->len -= d->z.avail_out;
    return out;
}
