/*
 * loops.h -- the event loops of a server, each with its own HTTP connections,
 * Engine.IO sessions and part of every namespace.
 *
 *   main      runs in sio_run() on the caller's thread, or on the program's
 *             event_base. It alone listens, and has what is not Socket.IO:
 *             routes, files, plain endpoints
 *   others    with sio_options.loops > 1: threads of ours, while sio_run() runs
 *
 * What is accepted goes to the loops in turn. A request that is another loop's
 * takes its connection there: see loops.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_SERVER_LOOPS_H
#define SRC_SERVER_LOOPS_H

#include <sio/server.h>

#include "src/http/exchange.h"
#include "src/socketio/hub.h"

#define LOOPS_MAX 64 /* one character of a session id says which */

/* See drain.c. */
struct drain {
    struct net_mail mail;
    struct net_alarm alarm;
    uint64_t begin_ms, next_ms; /* when the next client is to be closed */
    size_t clients, closed;     /* when it began; of them */
    atomic_bool done;           /* nobody is left, or the time is over */
};

struct server_loop {
    sio_server *server;
    size_t index; /* 0: main */
    struct net_loop loop;
    struct http_server http;
    pthread_t thread; /* of others */
    uint64_t bad_requests;
    struct drain drain;

    struct net_mail stop_mail, reopen_mail;
    struct net_alarm stop_alarm;
    uint64_t stop_deadline_ms;
    atomic_bool stopped; /* its last connection has ended */

    /* For other threads: what it had counted some COUNT_MS ago. */
    struct net_alarm count_alarm;
    pthread_mutex_t counted_lock;
    sio_stats counted;
};

/* The loop and its HTTP server. SIO_OK, SIO_E_NOMEM, SIO_E_SYS. */
int server_loop_init(struct server_loop *l, sio_server *server, size_t index,
                     const struct net_loop_config *loop,
                     const struct http_config *http);
/* The loop alone: HTTP was closed before. */
void server_loop_destroy(struct server_loop *l);

/* Number i of server->loop_count. */
struct server_loop *server_loop_at(sio_server *server, size_t i);
struct so_shard *server_loop_shard(const struct server_loop *l);
/* The one whose turn it is to get a connection. Any thread. */
struct server_loop *server_loop_next(sio_server *server);

/* Threads for the others; their end. SIO_OK or SIO_E_SYS. */
int loops_start(sio_server *server);
void loops_end(sio_server *server);

/* End what this loop has, but what is the server's own; l->stopped tells when
 * that is done. On its thread. */
void server_loop_stop(struct server_loop *l);
void server_loop_reopen(struct server_loop *l);
/* Tell the others to do the same. */
void loops_stop_others(sio_server *server);
void loops_reopen_others(sio_server *server);
/* Have the others? */
bool loops_others_stopped(sio_server *server);

/* Add what all have counted: this thread's now, the others some ms ago. */
void loops_count(sio_server *server, sio_stats *out);

#endif
