/*
 * frame.h -- one message as a WebSocket frame that any number of connections
 * send by reference: as it is, and deflated for those that have agreed on that
 * and keep no context between messages.
 *
 * The deflated form is made when the first connection needs it, once for each
 * size of window in use. What is made never changes, so any thread may hold and
 * send it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_HTTP_FRAME_H
#define SRC_HTTP_FRAME_H

#include "protocol/base/buf.h"
#include "protocol/websocket/frame.h"
#include "src/http/deflate.h"

struct http_frame_deflated; /* one form, in a list */

struct http_frame {
    struct buf *plain; /* header and payload */
    _Atomic(struct http_frame_deflated *) deflated;
    uint8_t head; /* bytes of the header */
    uint8_t op;   /* enum ws_op: WS_TEXT or WS_BINARY */
};

/* Copies `data`. SIO_OK or SIO_E_NOMEM. */
int http_frame_init(struct http_frame *f, enum ws_op op, sio_str data);
void http_frame_free(struct http_frame *f);

static inline sio_str http_frame_data(const struct http_frame *f)
{
    return (sio_str){ (const char *)f->plain->data + f->head,
                      f->plain->len - f->head };
}

/* The frame for connections of `d`, which keeps no context; borrowed from `f`.
 * NULL: out of memory. */
struct buf *http_frame_deflate(struct http_frame *f,
                               struct http_deflate_shared *shared,
                               struct http_deflate *d);

#endif
