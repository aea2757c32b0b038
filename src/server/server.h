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

/* See drain.c. */
struct drain {
    struct net_mail mail;
    atomic_bool begun;
    uint32_t ms;
    uint64_t begin_ms, next_ms; /* when the next client is to be closed */
    size_t clients, closed;     /* when it began; of them */
    struct net_alarm alarm;
};

struct sio_server {
    sio_options options;       /* its strings are not ours: see the copies */
    struct arena strings;      /* copies of the options' */
    sio_str path;              /* "/socket.io/", of the bundle */
    struct http_bundle bundle; /* its folder NULL: none is served */
    struct http_patterns *patterns; /* of CORS */
    struct net_loop loop;
    struct net_networks trusted; /* proxies */
    struct net_limits limits;
    struct net_proxies *proxies; /* NULL: no listener has asked for any */
    uint64_t dropped;            /* connections */
    struct log_budget dropped_log;
    struct http_server http;
    struct so_hub hub;
    struct list listeners, mounts, engines, routes, endpoints, strays;
    uint16_t port;
    uint64_t bad_requests; /* see sio_stats */
    struct net_mail stop_mail;
    atomic_bool stop_posted;
    bool stopping, stopped;
    void (*on_stopped)(sio_server *server, void *user);
    void *stopped_user;
    struct net_alarm stop_alarm;
    uint64_t stop_deadline_ms;
    struct net_signal sigint, sigterm;
    struct drain drain;
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

/* --- drain.c --- */
void drain_init(struct drain *d);
void drain_reset(struct drain *d);

/* --- stats.c --- */
void stats_add_engine(sio_stats *out, const struct engine *e);

/* --- listen.c: the addresses listened on --- */
void listeners_close(sio_server *server);

/* --- engine.c: the plain Engine.IO endpoints --- */
bool engines_handle(sio_server *server, struct http_exchange *ex);
void engines_shut(sio_server *server);
void engines_reopen(sio_server *server);
void engines_destroy(sio_server *server);
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
void endpoints_destroy(sio_server *server);
/* Those that are not closing: how many, and is there any? */
size_t endpoints_open(const sio_server *server);
bool endpoints_any_open(const sio_server *server);
bool endpoints_close_oldest(sio_server *server);
void endpoints_count(const sio_server *server, sio_stats *stats);

#endif
