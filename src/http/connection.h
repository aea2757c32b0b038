/*
 * connection.h -- what the files of src/http share: one HTTP connection and the
 * exchanges that are open on it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_HTTP_CONNECTION_H
#define SRC_HTTP_CONNECTION_H

#include "src/http/exchange.h"
#include "src/http/parse.h"

/* Bytes of a body that nobody wants which are read and dropped to keep the
 * connection; a longer one is not worth it. */
#define HTTP_DROP_MAX (1024u * 1024)

/* With more output than this waiting, answers included that wait for earlier
 * ones, no further pipelined request is begun. */
#define HTTP_OUTPUT_HIGH (256u * 1024)

/* What a connection is doing, which says what its timers must watch. */
enum http_phase {
    HTTP_NEW,  /* nothing is watched yet */
    HTTP_BUSY, /* requests are being answered: it may take its time */
    HTTP_IDLE, /* between requests */
    HTTP_HEAD, /* a head is arriving, or waits for output to be read */
    HTTP_BODY  /* a body is arriving */
};

/* What an exchange has while its request arrives, and until it is answered, or
 * parked. */
struct http_intake {
    struct http_request request; /* that of the exchange */
    struct http_field *fields;   /* its, slices of head or of what was kept */
    size_t field_cap;
    struct grow head, body;
    bool in_body;
    struct http_scan scan;
    struct http_framing framing;
    uint64_t body_left;
    struct http_chunked chunked;
    size_t dropped; /* bytes of its body */
};

/* Of one that is not parked. */
static inline struct http_intake *http_intake_of(const struct http_exchange *ex)
{
    return container_of(ex->request, struct http_intake, request);
}

/* Input that had to wait; the connection is paused. */
struct http_held {
    struct http_connection *connection;
    struct net_task resume;
    struct grow bytes;
    size_t at; /* the first of them that still waits */
};

struct http_connection {
    struct list node; /* in server->connections */
    struct http_server *server;
    struct net_conn *conn;     /* NULL once it is closed or given up */
    struct net_conn *upgraded; /* the one given up to another protocol */

    struct list exchanges; /* not yet sent, in the order of their requests */
    struct http_exchange *reading; /* whose request is arriving, or NULL */
    struct http_server *target;    /* who is to answer `reading`; NULL: we */
    struct http_held *held;        /* NULL: nothing had to wait */

    uint16_t exchange_count;
    uint8_t phase;  /* enum http_phase */
    bool used;      /* it has brought a request, here or on another loop */
    bool moved;     /* for the one that it brings next */
    bool feeding;   /* bytes are being read: the timers are set afterwards */
    bool last;      /* no request is accepted after the present one */
    bool switching; /* an upgrade is undecided: what follows may not be HTTP */
    struct net_timer whole; /* of the whole request */
    union {
        struct net_timer timer; /* of the head, of being idle, or to park */
        struct net_deferred cleanup; /* it is closed, or given up */
    };
};

/* --- connection.c --- */

static inline bool http_is_first(const struct http_exchange *ex)
{
    return ex->connection->exchanges.next == &ex->node;
}

/* After an exchange was answered: send what has become due. */
void http_connection_advance(struct http_connection *h);

/* Give up the connection, which stays open, to whoever upgrades it. */
void http_connection_give_up(struct http_connection *h);

/* Close it at once; on_aborted() for what is open. */
void http_connection_close(struct http_connection *h);

/* Write out what was answered, then FIN; on_aborted() for the rest. */
void http_connection_finish(struct http_connection *h);

void http_head_timed_out(struct net_timer *timer);
void http_request_timed_out(struct net_timer *timer);
void http_idle_timed_out(struct net_timer *timer);
void http_park(struct net_timer *timer);
void http_tls_timed_out(struct net_timer *timer);

/* The connection is no longer ours. */
void http_connection_leave(struct http_connection *h);

/* A connection without its net_conn; NULL: out of memory. With it, it may
 * begin to read. */
struct http_connection *http_connection_new(struct http_server *s);
void http_connection_begin(struct http_connection *h);
extern const struct net_conn_ops http_conn_ops;

/* --- handover.c --- */

/* Is everything before the request that is to be answered elsewhere over? */
bool http_may_move(const struct http_connection *h);
/* To h->target, with what has come behind the head. SIO_OK, and the connection
 * is no longer ours; SIO_E_NOMEM. */
int http_move(struct http_connection *h, const uint8_t *rest, size_t n);

/* --- server.c --- */

struct http_exchange *http_exchange_new(struct http_connection *h);
void http_exchange_release(struct http_exchange *ex);
/* See http_wake(). */
void http_exchange_park(struct http_exchange *ex);

/* --- response.c --- */

/* The answer to what cannot be understood: a head without a body. */
void http_send_refusal(struct net_conn *conn, int status);

#endif
