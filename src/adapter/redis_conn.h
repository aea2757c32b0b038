/*
 * redis_conn.h -- one client of Redis, Valkey, or a Redis Cluster, on one loop:
 * what the adapters are built on.
 *
 *   redis_command() --> the connection for commands   --> on_reply()
 *   redis_subscribe() --> the connection for messages --> on_message()
 *
 * One connection of each kind, the second with the first subscription; of a
 * cluster, one of each kind to each master that is needed. A connection that is
 * lost comes back by itself, with growing pauses, and its subscriptions with
 * it; messages of the time between are lost, as Redis keeps none. Commands
 * given meanwhile wait, up to max_queued bytes and command_timeout_ms.
 *
 *   redis_url.c      where the server is
 *   redis_conn.c     the client: its state, its commands
 *   redis_subs.c     subscriptions
 *   redis_cluster.c  which master has which slot
 *   redis_link.c     one connection
 *   redis_reader.c   RESP2, by hiredis
 *
 * Loop thread only. Callbacks never come from within a call, but where it says
 * so.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_ADAPTER_REDIS_CONN_H
#define SRC_ADAPTER_REDIS_CONN_H

#include "src/adapter/redis_command.h"

struct redis;
struct redis_sub;

enum redis_state {
    REDIS_CONNECTING, /* never ready so far, and nothing has failed yet */
    REDIS_READY,      /* connected, and every subscription is in force */
    REDIS_DEGRADED    /* something of that is not so; it heals by itself */
};

/* Strings are copied by redis_open(). */
struct redis_options {
    /* "redis://[USER[:PASSWORD]@]HOST[:PORT][/DB]", "rediss://..." with TLS,
     * "unix:PATH". USER and PASSWORD may be percent-encoded; of a cluster,
     * several HOST:PORT with commas between. */
    const char *url;
    const char *user, *password; /* NULL: those of the url, if any */
    unsigned db;                 /* 0: that of the url; none with a cluster */
    bool cluster;                /* ask for the slots, follow redirections */

    const char *tls_ca; /* NULL: the CAs that the system trusts */
    const char *tls_certificate, *tls_key, *tls_key_password; /* NULL: none */
    bool tls_insecure; /* do not check the server's certificate */

    uint32_t connect_timeout_ms; /* 5000: from the name to the first PONG */
    uint32_t command_timeout_ms; /* 5000: from the call to the answer */
    uint32_t ping_interval_ms;   /* 10000 without a byte: a PING */
    uint32_t backoff_min_ms;     /* 100: first pause; each one is twice as */
    uint32_t backoff_max_ms; /* 5000: long, up to this; less a random part */
    size_t max_queued; /* 64 MiB of commands without an answer: one more is
                          refused, and counted as dropped */
    size_t max_reply;  /* 64 MiB of one answer or message: one that is longer
                          ends the connection */
};

void redis_options_init(struct redis_options *options);

struct redis_ops {
    /* Another state, or another reason for being degraded. */
    void (*on_state)(void *self, enum redis_state state, const char *why);
};

/*
 * Begin to connect.
 *
 * ops      on_state may be NULL
 * why      what is wrong with the options, of `size` bytes
 * Returns  SIO_OK, SIO_E_INVAL (see `why`), SIO_E_ADDRESS (no such url),
 *          SIO_E_NOMEM, SIO_E_SYS (no randomness)
 */
int redis_open(struct net_loop *loop, const struct redis_options *options,
               const struct redis_ops *ops, void *self, struct redis **out,
               char *why, size_t size);

/* What was written so far is sent, if the server takes it. Commands without an
 * answer end with SIO_E_STATE from within this; no other callback comes. All
 * its subscriptions are gone, and it is at the end of the turn. */
void redis_close(struct redis *r);

/* --- commands --- */

/*
 * Ask something that does not block the server.
 *
 * key       what decides who is asked in a cluster: a shard channel, a stream,
 *           a key; of no bytes: whoever
 * argv      the command and its arguments, any bytes
 * on_reply  may be NULL
 * Returns   SIO_OK: on_reply() comes. SIO_E_LIMIT (max_queued), SIO_E_NOMEM,
 *           SIO_E_STATE (closed): it does not
 * Order     commands with the same key are done in the order of the calls,
 *           unless one of them is sent on to another master
 */
int redis_command(struct redis *r, sio_str key, const sio_str *argv,
                  size_t argc, redis_on_reply *on_reply, void *self);

/* --- subscriptions --- */

enum redis_kind {
    REDIS_CHANNEL, /* SUBSCRIBE */
    REDIS_PATTERN, /* PSUBSCRIBE */
    REDIS_SHARD    /* SSUBSCRIBE, since Redis 7 */
};

struct redis_sub_ops {
    /* channel  of a pattern: that which has matched. Both good in the call. */
    void (*on_message)(void *self, sio_str channel, sio_str payload);
    /* It came into force, again too; or is not in force any more, or refused:
     * `why` then is what is wrong, else NULL. May be NULL. */
    void (*on_status)(void *self, bool active, const char *why);
};

/*
 * Messages from here on, once it is in force. More than one subscription to the
 * same name is one to the server.
 *
 * name     copied; any bytes
 * Returns  SIO_OK; SIO_E_NOMEM, SIO_E_LIMIT (REDIS_NAME_MAX), SIO_E_STATE
 *          (closed)
 */
int redis_subscribe(struct redis *r, enum redis_kind kind, sio_str name,
                    const struct redis_sub_ops *ops, void *self,
                    struct redis_sub **out);

#define REDIS_NAME_MAX (64u * 1024) /* bytes of a channel's name */

/* No more messages, at once. Also from within callbacks. Not after
 * redis_close(). */
void redis_unsubscribe(struct redis_sub *sub);

/* How many connections, of any client, have a subscription to this channel (not
 * by patterns); of a cluster, at all masters together.
 *
 * on_count  status as of redis_on_reply, SIO_E_SYS: the server refused
 * Returns   as redis_command() */
int redis_count(struct redis *r, enum redis_kind kind, sio_str channel,
                void (*on_count)(void *self, int status, uint64_t count),
                void *self);

/* --- what is going on --- */

struct redis_stats {
    enum redis_state state;
    const char *why;    /* it is degraded; "" otherwise. As long as the turn */
    const char *error;  /* the last failure, ""; likewise */
    size_t links;       /* connections that are up */
    uint64_t connects;  /* connections that were set up, ever */
    uint64_t failures;  /* connections lost, and attempts that failed */
    uint64_t commands;  /* given */
    uint64_t failed;    /* of them, ended without an answer */
    uint64_t dropped;   /* refused: SIO_E_LIMIT, SIO_E_NOMEM */
    uint64_t redirects; /* MOVED and ASK */
    uint64_t messages;  /* that came */
    size_t queued;      /* bytes of commands without an answer */
    size_t subscriptions; /* names */
};

void redis_get_stats(const struct redis *r, struct redis_stats *out);

#endif
