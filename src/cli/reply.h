/*
 * reply.h -- HTTP/1.1 responses as a client reads them: the head, and where the
 * body ends (RFC 9112 6). Pure: bytes in, slices out.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_CLI_REPLY_H
#define SRC_CLI_REPLY_H

#include <sio/types.h>

#define CLI_HEAD_MAX (16u * 1024) /* bytes of a response's head */

struct cli_reply {
    unsigned status;
    size_t head;    /* bytes, with the empty line */
    int64_t length; /* Content-Length; -1: there is none */
    bool chunked;
    bool close;     /* the server closes the connection behind it */
    sio_str accept; /* Sec-WebSocket-Accept */
};

/* 1 and *out set (its slice is one of `in`); 0: more is needed; SIO_E_INVAL: it
 * is no such response, or its head is over CLI_HEAD_MAX. */
int cli_reply_head(sio_str in, struct cli_reply *out);

/* The body of a reply whose head has been read; in[0..n) begins behind the
 * head, and chunks are joined in place.
 * Returns  1, *body set and *used: bytes of `in` that it took; 0: more is
 *          needed; SIO_E_INVAL: no valid chunks.
 * ended    the server has closed the connection */
int cli_reply_body(const struct cli_reply *reply, char *in, size_t n,
                   bool ended, sio_str *body, size_t *used);

#endif
