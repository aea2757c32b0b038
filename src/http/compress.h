/*
 * compress.h -- compressed bodies (RFC 9110 8.4): which coding a client wants,
 * and making it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_HTTP_COMPRESS_H
#define SRC_HTTP_COMPRESS_H

#include "protocol/base/buf.h"
#include "protocol/base/str.h"

/* The one that is liked best first. Brotli (RFC 7932) is there when libsio was
 * built with libbrotlienc. */
enum http_coding {
    HTTP_IDENTITY,
    HTTP_BROTLI,
    HTTP_GZIP,
    HTTP_DEFLATE,
    HTTP_NCODINGS
};

/*
 * What an Accept-Encoding value likes best of `offered` and the codings behind
 * it in the enum: the highest q, then what is named before "*", then what
 * stands first. As the npm package `accepts` chooses for Node. Linear.
 */
enum http_coding http_choose_coding(sio_str accept_encoding,
                                    enum http_coding offered);

/* "br", "gzip", "deflate"; n 0 for identity. */
sio_str http_coding_name(enum http_coding coding);

struct http_deflater;

/* Compressors are made when first needed and kept: one pair for a loop. Brotli
 * keeps none. */
struct http_compressor {
    struct http_deflater *deflaters[HTTP_NCODINGS];
};

void http_compressor_init(struct http_compressor *c);
void http_compressor_free(struct http_compressor *c);

/* The body in that coding: one reference. NULL: out of memory, or it would not
 * get shorter. */
struct buf *http_compress(struct http_compressor *c, enum http_coding coding,
                          sio_str body);

#endif
