/*
 * http.h -- a connection for Engine.IO polling: one request at a time, kept
 * open between them, dialled again when the server has closed it meanwhile.
 *
 * Memory and threads as in wire.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_CLI_HTTP_H
#define SRC_CLI_HTTP_H

#include "src/cli/reply.h"
#include "src/cli/request.h"
#include "src/cli/wire.h"

#include "protocol/base/grow.h"

struct cli_http_ops {
    /* body: may be modified, and is gone when this returns */
    void (*on_reply)(void *self, unsigned status, char *body, size_t n);
    /* The request failed; the next one may be tried. */
    void (*on_failed)(void *self, const char *why);
};

struct cli_http {
    struct cli_wire wire;
    struct net_loop *loop;
    const struct cli_target *target;
    const struct cli_http_ops *ops;
    void *self;
    bool busy;      /* a request is under way */
    bool up;        /* the wire is */
    bool have_head; /* of the reply */
    bool reused;    /* the request went out on a connection kept open */
    struct cli_reply reply;
    struct grow in;   /* of the reply: head, or body behind it */
    struct grow body; /* of the request, while it may have to be repeated */
    const char *sid;  /* of the request: the owner's */
    bool post;
};

void cli_http_init(struct cli_http *http, struct net_loop *loop,
                   const struct cli_target *target,
                   const struct cli_http_ops *ops, void *self);

/* GET (body NULL) or POST; not while one is under way. sid stays the caller's,
 * and must last as long as the request. on_reply() or on_failed() comes, never
 * from within this call. SIO_OK, SIO_E_NOMEM, SIO_E_LIMIT. */
int cli_http_request(struct cli_http *http, const char *sid,
                     const struct grow *body);

/* A last POST, even behind one that is under way; no answer is waited for. */
void cli_http_finish(struct cli_http *http, const char *sid, sio_str body);

/* At once, without a callback, and free what it holds. Legal more than once. */
void cli_http_drop(struct cli_http *http);

#endif
