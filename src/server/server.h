/*
 * server.h -- the composition root: a loop, HTTP on it, Socket.IO and other
 * endpoints behind HTTP.
 *
 *   listener --> http_server --> on_request: client bundle, Socket.IO's engine,
 *                                plain engines, WebSockets,
 *                                routes, files; else stray.c, 404
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_SERVER_SERVER_H
#define SRC_SERVER_SERVER_H

#include <sio/engine.h>

#include "src/http/bundle.h"
#include "src/net/limits.h"
#include "src/net/proxy.h"
#include "src/net/signal.h"
#include "src/server/loops.h"
#include "src/socketio/hub.h"

#define STOP_MS 2000    /* sio_stop(): connections may linger so long */
#define STOP_POLL_MS 10 /* between looks whether they are gone */

/* An upgrade that nobody handles and that is not to be ended is left open so
 * long, ms: as long as any request may take. */
#define STRAY_MAX_MS 300000
#define DRAIN_LOOK_MS 100 /* at most, between looks whether all have left */

struct file_mount {
    struct list node;
    char *folder;
    char prefix[];
};

/* A kind of log line that clients can cause at will: see listen.c. */
struct log_budget {
    uint64_t next_ms; /* of the loop's clock: not before it */
    uint64_t dropped; /* lines since the last one */
};

struct sio_server {
    sio_options options;       /* its strings are not ours: see the copies */
    struct arena strings;      /* copies of the options' */
    sio_str path;              /* "/socket.io/", of the bundle */
    struct http_bundle bundle; /* its folder NULL: none is served */
    struct http_patterns *patterns; /* of CORS */
    struct server_loop main, *others;
    size_t loop_count; /* main and others */
    atomic_uint turn;  /* whose it is to get a connection */
    pthread_mutex_t log_lock;
    struct net_networks trusted; /* proxies */
    struct net_limits limits;
    struct net_proxies *proxies; /* NULL: no listener has asked for any */
    pthread_mutex_t dropped_lock;
    uint64_t dropped; /* connections */
    struct log_budget dropped_log;
    struct so_hub hub;
    struct eng_ids ids; /* of the program's session ids, with several loops */
    struct list listeners, mounts, engines, routes, endpoints, strays;
    uint16_t port;
    struct net_mail stop_mail;
    atomic_bool stop_posted;
    bool stopping, stopped;
    void (*on_stopped)(sio_server *server, void *user);
    void *stopped_user;
    struct net_signal sigint, sigterm;
    struct net_mail drain_mail;
    atomic_bool drain_begun;
    uint32_t drain_ms;
};

/* sio_server_new() with a clock of the caller's (ms); NULL: the real one. */
sio_server *server_new(const sio_options *options,
                       uint64_t (*clock)(void *self), void *clock_self);

/* The least that is told; -1: nobody listens. */
int server_log_level(const sio_server *server);
__attribute__((format(printf, 3, 4))) void
server_log(sio_server *server, sio_log_level level, const char *fmt, ...);

/* Now, on the loop's thread. */
void server_stop(sio_server *server);
/* It has stopped, and begins again. */
void server_reopen(sio_server *server);

/* A request that is this loop's. */
void server_on_request(struct server_loop *l, struct http_exchange *ex);
/* Has everything ended that was to? */
void server_look_stopped(sio_server *server);
/* --- loops.c --- */
/* Look whether all connections of the loop have ended, now and then. */
void server_loop_look(struct server_loop *l);

/* --- drain.c --- */
void drain_init(struct drain *d);
void drain_reset(struct drain *d);
void drain_begin(struct net_mail *mail); /* server->drain_mail */

/* --- stats.c --- */
void stats_add_engine(sio_stats *out, const struct engine *e);
void stats_add(sio_stats *out, const sio_stats *more);
/* Its connections, its sessions, its part of Socket.IO. On its thread. */
void stats_add_loop(sio_stats *out, const struct server_loop *l);

/* --- listen.c: the addresses listened on --- */
void listeners_close(sio_server *server);

/* --- engine.c: the plain Engine.IO endpoints --- */
bool engines_handle(sio_server *server, struct http_exchange *ex);
void engines_shut(sio_server *server);
void engines_reopen(sio_server *server);
/* Close them; the memory, once what the loop has deferred is done. */
void engines_destroy(sio_server *server);
void engines_free(sio_server *server);
void engines_refuse_new(sio_server *server);
bool engines_close_oldest(sio_server *server);
size_t engines_sessions(const sio_server *server);
void engines_count(const sio_server *server, sio_stats *stats);

/* --- stray.c: upgrades that nobody handles --- */
bool strays_handle(sio_server *server, struct http_exchange *ex);
void strays_shut(sio_server *server); /* they end now */

/* --- routes.c: the program's own routes --- */
bool routes_handle(sio_server *server, struct http_exchange *ex);
void routes_destroy(sio_server *server);

/* --- websocket.c: plain WebSocket endpoints --- */
bool endpoints_handle(sio_server *server, struct http_exchange *ex);
void endpoints_shut(sio_server *server);
void endpoints_destroy(sio_server *server); /* the same */
void endpoints_free(sio_server *server);
/* Those that are not closing: how many, and is there any? */
size_t endpoints_open(const sio_server *server);
bool endpoints_any_open(const sio_server *server);
bool endpoints_close_oldest(sio_server *server);
void endpoints_count(const sio_server *server, sio_stats *stats);

#endif
