/*
 * deflate.h -- permessage-deflate (RFC 7692) of WebSockets: what an endpoint
 * offers, what a connection agreed on, and the codecs that connections share.
 *
 *   Sec-WebSocket-Extensions --> http_deflate_agree() --> struct http_deflate
 *   message --> http_deflate_message() --> payload of a frame with RSV1
 *
 * Where context is taken over a connection has a codec of its own. Where it is
 * not, every message stands alone: then all connections of a loop share one
 * deflater for each size of window, and a message that goes to many of them is
 * deflated once (frame.h). Loop thread only.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_HTTP_DEFLATE_H
#define SRC_HTTP_DEFLATE_H

#include "protocol/websocket/deflate.h"
#include "protocol/websocket/extension.h"
#include "src/http/request.h"

/* Whether, and how, an endpoint offers it. */
struct http_deflate_options {
    bool on;
    struct ws_deflate_params wishes;
    int level;        /* 0 to 9, or WS_DEFLATE_DEFAULT_LEVEL */
    size_t threshold; /* bytes: shorter messages are left alone, where no
                         context is kept; as `ws`, which compresses all where
                         one is */
};

/* What one connection has agreed on. */
struct http_deflate {
    struct ws_inflater in;
    struct ws_deflater out; /* unused without takeover */
};

/* What the connections of one endpoint share. */
struct http_deflate_shared {
    struct http_deflate_options options;
    struct ws_deflater deflaters[WS_MAX_WINDOW_BITS + 1]; /* by window bits */
    struct ws_spare spare;
    struct grow scratch;   /* one deflated message */
    uint64_t deflate_runs; /* messages deflated so far */
};

void http_deflate_init(struct http_deflate_shared *shared,
                       const struct http_deflate_options *options);
void http_deflate_destroy(struct http_deflate_shared *shared);

/*
 * Read the offers of a handshake.
 *
 * deflate  out: what was agreed on; NULL for nothing, also when out of memory
 * answer   the value of the field that answers is appended
 * Returns  SIO_OK; SIO_E_INVAL: the offer is to be refused; SIO_E_LIMIT.
 */
int http_deflate_agree(struct http_deflate_shared *shared,
                       const struct http_request *r,
                       struct http_deflate **deflate, struct grow *answer);
void http_deflate_free(struct http_deflate *d); /* NULL is allowed */

/* Is a message to be deflated for this connection? As `ws`: with context
 * takeover every one, the shortest too. compress: its sender does not mind. */
bool http_deflate_wanted(const struct http_deflate_shared *shared,
                         const struct http_deflate *d, size_t n, bool compress);

/* The deflated message, good until http_deflate_release(); p NULL: out of
 * memory, it may be sent as it is. */
sio_str http_deflate_message(struct http_deflate_shared *shared,
                             struct http_deflate *d, sio_str message);
void http_deflate_release(struct http_deflate_shared *shared);

#endif
