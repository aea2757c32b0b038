/*
 * exchange.h -- HTTP/1.1 for the layers above: a request comes up, a response
 * goes down, in any order in time; pipelined responses leave in request order.
 *
 *   net_conn --> connection.c --(parse.c: http-parser)--> on_request()
 *                                                         on_body()
 *   http_respond() --> queue of exchanges --> net_conn
 *
 * Pipelined requests are handed up as they arrive (Node does so too: a POST
 * behind a waiting poll is processed at once, only its response waits).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_HTTP_EXCHANGE_H
#define SRC_HTTP_EXCHANGE_H

#include "protocol/base/buf.h"
#include "protocol/base/grow.h"
#include "src/http/forwarded.h"
#include "src/http/kept.h"
#include "src/net/conn.h"
#include "src/net/tls.h"

#include <time.h>

/* Limits and timeouts; the defaults are those of Node's HTTP server. */
struct http_config {
    size_t max_head;        /* bytes of request line and fields: 16384 */
    size_t max_fields;      /* 200 */
    size_t max_pipeline;    /* requests waiting per connection: 32 */
    uint32_t head_ms;       /* first byte to end of head: 60000 */
    uint32_t request_ms;    /* first byte to end of body: 300000 */
    uint32_t keep_alive_ms; /* idle between requests: 5000; 0: never kept */
    uint32_t linger_ms;     /* for the peer's FIN after ours: 5000 */
    uint32_t tls_ms;        /* for a TLS handshake: 10000 */
    size_t max_queued;      /* bytes of output that may wait: 16 MiB */
    size_t max_unfinished; /* bytes of input, see struct http_server: 256 MiB */
    const struct net_networks *trusted; /* proxies; borrowed; NULL: none */
    enum http_forwarded forwarded;      /* what those write */
};

void http_config_defaults(struct http_config *config);

struct http_exchange;

struct http_server_ops {
    /* Who is to answer this request: NULL: we; else that server, of another
     * loop. The connection goes there as soon as what came before is answered;
     * the exchange is gone then. The head is known, the body is not. May be
     * NULL. */
    struct http_server *(*route)(void *self, const struct http_exchange *ex);
    /* A head has arrived. The callee answers with http_respond(),
     * http_upgrade() or http_drop(), or sets ex->ops, ex->self and ex->max_body
     * to get the body and answer when it likes. */
    void (*on_request)(void *self, struct http_exchange *ex);
    /* A request was refused before it came to that (malformed, too long, timed
     * out): `status` was answered; for the log. */
    void (*on_refused)(void *self, const struct net_address *peer, int status,
                       const char *why);
};

struct http_exchange_ops {
    /* The whole body, also an empty one: writable, gone when this returns.
     * NULL: nobody wants it. */
    void (*on_body)(void *self, struct http_exchange *ex, char *body, size_t n);
    /* The body is, or grew, longer than max_body; the rest is read and dropped
     * and on_body() does not come. The callee answers. May be NULL. */
    void (*on_too_large)(void *self, struct http_exchange *ex);
    /* The connection is gone before the answer; `complete` tells whether the
     * request had arrived whole. The exchange is dead. */
    void (*on_aborted)(void *self, struct http_exchange *ex, bool complete);
    /* It has been parked, see http_wake(): it waits for longer than others, and
     * so does whoever will answer it. May be NULL. */
    void (*on_parked)(void *self);
};

struct http_exchange {
    struct list node; /* in its connection, in request order */
    struct http_connection *connection;
    struct http_request *request; /* good until the answer was given */
    const struct http_exchange_ops *ops;
    void *self;
    size_t max_body; /* bytes, 0 */
    /* Fields that every answer carries, spelled out (added.h); owned. */
    char *added;
    uint32_t added_size;
    bool patient : 1; /* may be parked: see http_wake() */
    /* The connection has brought others before, and was not moved for it. */
    bool later : 1;
    bool has_cors : 1; /* they include those of CORS, or there are to be none */
    /* The rest is private to src/http. */
    bool too_large : 1;     /* on_too_large() was called */
    bool must_continue : 1; /* the client waits for "100 Continue" */
    bool close_after : 1;   /* the connection ends with this answer */
    bool complete;          /* the request has arrived whole */
    bool answered;          /* no callback comes any more */
    bool sent;              /* the answer is in the connection's queue */
    struct http_kept *kept; /* the request, while it is parked, or has been */
    const char *method;     /* its */
    struct buf *response, *shared; /* the answer while it waits for its turn */
};

/* Per loop: the queues of equal timeouts, the cached Date, exchanges to be used
 * again. */
struct http_server {
    struct net_loop *loop;
    struct http_config config;
    const struct http_server_ops *ops;
    void *self;
    struct net_timer_queue head_timeouts, request_timeouts, idle_timeouts;
    struct net_timer_queue tls_timeouts, parks;
    char date[40];       /* the whole field */
    time_t date_s;       /* the wall-clock second that `date` spells */
    char keep_alive[64]; /* the fields "Connection" and "Keep-Alive" */
    bool shut;           /* no connection is kept any more */
    bool closed;         /* nor is a new one taken */
    struct list connections;
    size_t connection_count, exchange_count; /* open ones */
    /* Bytes held for bodies, messages and packets that have not arrived whole,
     * all connections together. Whatever makes it more than max_unfinished is
     * refused: nobody else is, as long as his input comes in one piece. */
    size_t unfinished;
    struct list spare; /* exchanges */
    size_t spare_count;
    struct http_request lost; /* of those that there is no memory to wake */
};

int http_server_init(struct http_server *s, struct net_loop *loop,
                     const struct http_config *config,
                     const struct http_server_ops *ops, void *self);
/* Close what is idle; the rest closes once it is answered. */
void http_server_shut(struct http_server *s);
/* Go on as if that had not been. */
void http_server_reopen(struct http_server *s);
/* Close every connection: on_aborted() comes for open exchanges. */
void http_server_cut(struct http_server *s);
/* The same, and it is over. */
void http_server_close(struct http_server *s);

/* Memory for unfinished input has grown or shrunk, from so many bytes to so
 * many. False: it has grown, and all of it is over the limit now. */
bool http_unfinished(struct http_server *s, size_t before, size_t after);

/* A new connection; fd is the server's now, also on failure: SIO_E_LIMIT (of
 * the loop), SIO_E_NOMEM, SIO_E_SYS. */
int http_accept(struct http_server *s, int fd, const struct net_address *peer);
/* The same below TLS; `tls` NULL: without. */
int http_accept_tls(struct http_server *s, int fd,
                    const struct net_address *peer, sio_tls *tls);

struct http_response {
    int status;
    sio_str content_type;            /* p NULL: no such field */
    const struct http_field *fields; /* more fields, written as they are */
    size_t field_count;
    sio_str body;
    struct buf *shared; /* instead of body: by reference (one of its own) */
    bool close;         /* close the connection afterwards */
    bool bare;          /* without the exchange's `added` */
};

/*
 * Answer, once. The exchange must not be touched afterwards. Content-Length,
 * Date, Connection and Keep-Alive are added; the answer to HEAD, and to 204 and
 * 304, carries no body. A body that is still arriving is read and dropped.
 */
void http_respond(struct http_exchange *ex, const struct http_response *r);

/* May a program answer this? Below 200 it would be no answer: the client would
 * go on waiting for one. */
bool http_answer_valid(int status, const char *content_type);

/* The standard phrase, "Bad Request". */
const char *http_status_text(int status);

/* Text body as text/html. With `close` the bytes are those with which Node's
 * engine refuses upgrades. */
void http_respond_text(struct http_exchange *ex, int status, const char *text,
                       bool close);

/*
 * Answer 101 with these fields and give up the connection: the caller gets it
 * and must set its own ops before it returns to the loop; bytes behind the
 * request go to those.
 * NULL (and the exchange answered with 400) when requests before it on the same
 * connection are still unanswered.
 */
struct net_conn *http_upgrade(struct http_exchange *ex,
                              const struct http_field *fields,
                              size_t field_count);

/* "Sun, 06 Nov 1994 08:49:37 GMT", no NUL; returns the length. */
#define HTTP_TIME_TEXT 29
size_t http_time_text(time_t t, char out[HTTP_TIME_TEXT]);

/*
 * For an owner who may wait long before he answers, and says so with
 * ex->patient: after HTTP_PARK_MS ex->request may be NULL, and the request lie
 * packed elsewhere. This brings all but its path back; he calls it before he
 * looks at the request or answers. Out of memory the request is empty, and the
 * connection is lost.
 */
#define HTTP_PARK_MS 250
void http_wake(struct http_exchange *ex);

/* Close the connection without an answer. */
void http_drop(struct http_exchange *ex);
/* The same in order: a FIN behind what is queued, and the peer's is awaited. */
void http_hang_up(struct http_exchange *ex);

/*
 * For an owner who will give the exchange to another one, later than in
 * on_request(): his on_body() keeps what he gets, and the new one, ops and all
 * in place, takes it, or hears that it was too long: on_body() or
 * on_too_large() comes from within that call, unless it is still to come.
 *
 * http_keep_body() returns SIO_OK, SIO_E_NOMEM, or SIO_E_LIMIT: all clients
 * together have sent too much (max_unfinished).
 */
int http_keep_body(struct http_exchange *ex, const char *body, size_t n);
void http_take_body(struct http_exchange *ex);

/* Who has sent the request: who has connected, or whom trusted proxies name. It
 * is looked up in the fields, so ask once. */
struct http_client http_client(const struct http_exchange *ex);

#endif
