/*
 * conformance.h -- what the roles of the conformance server share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_SERVERS_CONFORMANCE_H
#define TESTS_SERVERS_CONFORMANCE_H

#include <sio/sio.h>

/* name in the command line, field; a role gives the defaults. */
/* clang-format off */
#define SETTINGS(X)                                 \
    X("pingInterval",   ping_interval)   /* ms */    \
    X("pingTimeout",    ping_timeout)    /* ms */    \
    X("connectTimeout", connect_timeout) /* ms */    \
    X("maxPayload",     max_payload)     /* bytes */ \
    X("deflate",        deflate)         /* 1: permessage-deflate */ \
    X("eio3",           eio3)            /* 1: clients of Engine.IO 3 */ \
    X("unmatched",      unmatched)       /* status of what matches nothing */ \
    X("recovery",       recovery)        /* ms; 0: off */ \
    X("loops",          loops)           /* 0 or 1: one */ \
    X("specific",       specific)        /* 1: answers on own channels */ \
    X("requestsTimeout", requests_timeout) /* ms; 0: the default */ \
    X("commandTimeout", command_timeout) /* ms; 0: the default */ \
    X("maxQueued",      max_queued)      /* bytes; 0: the default */ \
    X("cluster",        cluster)         /* 1: a Redis Cluster */ \
    X("streams",        streams)         /* streams; 0: one */
#define TEXT_SETTINGS(X)                                       \
    X("tlsCert", tls_cert) /* PEM files; empty: none */         \
    X("tlsKey",  tls_key)                                      \
    X("redis",   redis)    /* host:port; empty: none */         \
    X("adapter", adapter)  /* classic, sharded or streams */    \
    X("prefix",  prefix)   /* of channels; empty: the default */ \
    X("mode",    mode)     /* static, dynamic, dynamic-private */
/* clang-format on */

struct settings {
#define X(name, field) uint32_t field;
    SETTINGS(X)
#undef X
#define X(name, field) const char *field;
    TEXT_SETTINGS(X)
#undef X
};

struct role {
    const char *name;
    struct settings defaults;
    /* Serve until SIGTERM; port 0 is a free one. Returns the exit status. */
    int (*run)(const struct settings *settings, unsigned port);
};

extern const struct role protocol_sio, protocol_eio, client_eio, client_sio,
    eio_echo, eio_events, http_hooks, ws_echo, contract;

/* Is it to be a node of a cluster? */
static inline bool settings_redis(const struct settings *settings)
{
    return settings->redis && *settings->redis;
}

/* The options that these settings mean, with CORS for everybody. */
void server_options(const struct settings *settings, sio_options *options);

/* A server of these options, with GET /counters (NULL: the log has said why)
 * ... */
sio_server *new_server(const struct settings *settings);
/* ... and its life: listens on 127.0.0.1 and ::1, runs, is freed. Returns the
 * exit status. */
int run_server(sio_server *server, unsigned port);

/* engine_echo.c: plain Engine.IO on /engine.io/, every message comes back. */
int engine_echo(const struct settings *settings, unsigned port);

#endif
