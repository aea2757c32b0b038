/*
 * redis_client.h -- what redis_conn.c, redis_subs.c and redis_cluster.c share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_ADAPTER_REDIS_CLIENT_H
#define SRC_ADAPTER_REDIS_CLIENT_H

#include "protocol/base/map.h"
#include "src/adapter/redis_conn.h"
#include "src/adapter/redis_link.h"
#include "src/adapter/redis_url.h"

#define REDIS_KINDS 3
#define REDIS_SLOTS 16384
#define REDIS_NODES_MAX 1000 /* servers of a cluster, as Redis advises */
#define REDIS_REDIRECTS_MAX                                                 \
    5                        /* of one command; then it ends with the error \
                              */
#define REDIS_RETRY_MS 1000  /* subscriptions that were refused */
#define REDIS_REFRESH_MS 500 /* slots are asked for at most so often */

/* One server. */
struct redis_node {
    struct list node; /* in r->nodes */
    struct redis *r;
    struct redis_link *commands, *messages; /* NULL: not needed so far */
    bool in_map; /* it is a master that has slots, as we know */
    bool seed;   /* it was in the url */
    uint16_t port;
    char host[];
};

/* A name that is subscribed to. */
struct redis_channel {
    struct map_node map; /* in r->channels[kind] */
    struct list by_link; /* in r->names */
    struct list news;    /* in r->news: its subs are to be told that it ended */
    struct redis *r;
    enum redis_kind kind;
    struct list subs;
    size_t wanted;         /* of them, those that have not gone */
    struct redis_node *at; /* where it was asked for; NULL: nowhere */
    bool asked;            /* the answer is awaited */
    unsigned leaving;      /* UNSUBSCRIBEs without an answer */
    unsigned moves;        /* since it was last in force */
    unsigned telling;      /* callbacks of its subs are running */
    bool active;           /* in force */
    bool lost;             /* it was, or should be by now */
    bool gone;             /* nobody wants it: in no map and no list */
    size_t n;
    char name[];
};

struct redis {
    struct redis_shared shared;
    struct arena strings;
    const struct redis_ops *ops;
    void *self;
    struct list nodes;
    struct redis_node *home; /* for whatever has no key; never NULL */
    bool cluster, closed;

    struct map channels[REDIS_KINDS];
    struct list names;     /* all channels that are wanted */
    struct list news;      /* of them */
    size_t inactive, lost; /* of them */
    struct net_timer_queue retries;
    struct net_timer retry; /* of those that were refused */
    uint64_t messages;

    struct redis_node **slots; /* REDIS_SLOTS; NULL: no cluster */
    bool slots_known;
    bool slots_failed; /* the last answer was of no use: it is degraded */
    bool slots_asked;  /* the answer is awaited */
    bool slots_wanted; /* they are to be asked for when that is possible */
    struct net_timer_queue refreshes;
    struct net_timer refresh; /* runs: they were asked for a moment ago */

    enum redis_state state;
    bool said;            /* the state was told at least once */
    struct net_task look; /* at the state */
    char why[REDIS_WHY], error[REDIS_WHY], told[REDIS_WHY];
    struct net_deferred cleanup;
};

/* --- redis_conn.c --- */

/* Something may have changed: look at the tail of the turn. */
void redis_changed(struct redis *r);

/* "HOST:PORT: WHY" is the last error. */
void redis_note(struct redis *r, const struct redis_node *node,
                const char *why);

struct redis_node *redis_node_find(const struct redis *r, sio_str host,
                                   uint16_t port);
/* Found or made; NULL: out of memory, or too many. */
struct redis_node *redis_node_get(struct redis *r, sio_str host, uint16_t port);

/* Its connection of a kind, begun if there is none; NULL: out of memory. */
struct redis_link *redis_commands_of(struct redis_node *node);
struct redis_link *redis_messages_of(struct redis_node *node);

/* --- redis_subs.c --- */

int redis_subs_init(struct redis *r);
void redis_subs_close(struct redis *r);

/* Ask for everything that is not in force where it should be. */
void redis_place_all(struct redis *r);

extern const struct redis_link_ops redis_messages_ops;

/* --- redis_cluster.c --- */

/* Who has the slot of `key`; home when there is no cluster or no key, or nobody
 * knows. */
struct redis_node *redis_route(const struct redis *r, sio_str key);

/* Ask for the slots, soon. */
void redis_refresh_slots(struct redis *r);
void redis_cluster_init(struct redis *r);
void redis_cluster_close(struct redis *r);

/* Make room: one that is not in use is gone, if there is one. */
bool redis_node_forget_one(struct redis *r);

/* A link of `node` has failed. */
void redis_node_failed(struct redis_node *node);

/* Where "MOVED 3999 127.0.0.1:6381" and "ASK ..." send us, asked by `from`;
 * NULL: it is neither. MOVED is remembered. */
struct redis_node *redis_redirected(struct redis_node *from,
                                    const struct redis_reply *error, bool *ask);

unsigned redis_slot(sio_str key);

#endif
