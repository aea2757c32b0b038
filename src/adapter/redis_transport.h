/*
 * redis_transport.h -- what the transports of the Redis adapters have in
 * common: one client of Redis, the subscriptions of each namespace, publishing.
 *
 *   node.h --cl_transport_ops--> redis_classic.c, redis_sharded.c,
 *                                redis_streams.c
 *                                  --> redis_transport.c --> redis_conn.h
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_ADAPTER_REDIS_TRANSPORT_H
#define SRC_ADAPTER_REDIS_TRANSPORT_H

#include "protocol/base/arena.h"
#include "protocol/base/grow.h"
#include "protocol/redis/channel.h"
#include "src/adapter/node.h"
#include "src/adapter/redis_conn.h"

#include <sio/redis.h>

#define REDIS_EARS 4        /* subscriptions of a namespace, but its rooms */
#define REDIS_SCRATCH 65536 /* bytes that are kept for the next message */

struct redis_streams;

/* `options` is the library's own copy. */
struct redis_transport {
    const sio_redis_options *options;
    struct cl_node *node;
    struct redis *redis;
    sio_str prefix;
    enum pr_mode mode;             /* sharded */
    struct redis_streams *streams; /* NULL: another adapter */
    struct grow channel, payload;  /* of what is being published */
};

struct redis_place;

/* One subscription of a namespace. */
struct redis_ear {
    struct redis_place *place;
    struct redis_sub *sub;
    bool active;
};

/* What a namespace listens to: nsp->at. */
struct redis_place {
    struct redis_transport *t;
    struct cl_nsp *nsp;
    struct map rooms; /* sharded: struct redis_room */
    size_t count;     /* of the following */
    struct redis_ear ears[REDIS_EARS];
};

/* --- redis_settings.c --- */

/* Defaults, overlaid with the fields that the caller was built with. */
void redis_settings_read(sio_redis_options *out,
                         const sio_redis_options *given);
/* Why that cannot be had, or NULL. What concerns connections is
 * redis_open()'s to say. */
const char *redis_settings_problem(const sio_redis_options *o);
enum pr_mode redis_settings_mode(const sio_redis_options *o);
/* How to connect. */
void redis_settings_client(const sio_redis_options *o,
                           struct redis_options *out);

/* --- */

void redis_transport_init(struct redis_transport *t,
                          const sio_redis_options *options,
                          struct cl_node *node, struct redis *redis);
void redis_transport_free(struct redis_transport *t);

static inline struct redis_place *redis_place_of(const struct cl_nsp *nsp)
{
    return nsp->at;
}

/* nsp->at is made, without subscriptions. SIO_OK, SIO_E_NOMEM. */
int redis_place_new(struct redis_transport *t, struct cl_nsp *nsp);
/* It goes, with all of its subscriptions. */
void redis_place_free(struct redis_place *p);
/* One subscription more, to what t->channel says. As redis_subscribe(). */
int redis_place_listen(struct redis_place *p, enum redis_kind kind,
                       const struct redis_sub_ops *ops);
/* For their ops: on_status() of one whose `self` is its struct redis_ear. */
void redis_ear_status(void *self, bool active, const char *why);

/* For cl_transport_ops. add and count: with a channel of the namespace and one
 * of this node in it, of that kind; all nodes are in the former. */
int redis_nsp_add(struct redis_transport *t, struct cl_nsp *nsp,
                  enum redis_kind kind, const struct redis_sub_ops *ops);
void redis_nsp_remove(void *self, struct cl_nsp *nsp);
bool redis_nsp_ready(void *self, const struct cl_nsp *nsp);
int redis_nsp_count(struct redis_transport *t, const struct cl_nsp *nsp,
                    enum redis_kind kind, cl_on_count *on_count, void *user);

/* As <sio/stats.h> has it. */
sio_cluster_state redis_cluster_state(enum redis_state state);

/* t->payload goes to t->channel. As cl_transport_ops.publish(). */
int redis_transport_publish(struct redis_transport *t, bool sharded);

/* Begin with t->channel and t->payload anew. */
void redis_transport_clear(struct redis_transport *t);

extern const struct cl_transport_ops redis_classic_ops, redis_sharded_ops,
    redis_streams_ops;

#endif
