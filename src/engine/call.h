/*
 * call.h -- a request on its way through the middlewares of HTTP: see
 * <sio/hooks.h>.
 *
 *   eng_handle() --> calls_run() --> CORS --> middleware --> ... --> then
 *                                      |           |
 *                                      +-----------+--> answered, or refused
 *
 * What they add to the answer goes along and becomes the exchange's. The first
 * link is CORS, by the options or by cors_request. With no middleware and no
 * cors_request nothing of this runs.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_ENGINE_CALL_H
#define SRC_ENGINE_CALL_H

#include "src/engine/engine.h"

struct eng_middleware {
    struct eng_middleware *next;
    sio_http_call_fn fn;
    void *user;
};

enum call_outcome { CALL_NEXT, CALL_FAIL, CALL_RESPOND, CALL_CORS };

struct sio_http_call {
    struct net_mail mail;
    struct engine *engine;
    struct http_exchange *ex;          /* NULL: the client has gone */
    const struct eng_middleware *turn; /* who comes next; NULL: `then` */
    void (*then)(void *self, struct http_exchange *ex);
    void *self;
    struct grow added;
    char address[NET_ADDRESS_TEXT];
    /* A decision on its way to the loop. */
    enum call_outcome outcome;
    char *text; /* an error, or a content type */
    int status;
    struct buf *body;
    struct http_cors cors; /* its strings are in cors_text */
    char *cors_text;
};

/* Through all of them, then to engine_check(). */
void calls_run(struct engine *e, struct http_exchange *ex);

/* Forget the middlewares. */
void calls_free(struct engine *e);

/* On any thread: hand the decision, whose parts are in *call, to the loop. The
 * call is no longer the caller's. */
void call_decide(sio_http_call *call, enum call_outcome outcome);
/* Free what an earlier decision brought along. */
void call_forget(sio_http_call *call);

#endif
