/*
 * redis_sharded.c -- how the messages of Node's createShardedAdapter() travel:
 * by SPUBLISH, in a channel for everybody and, by mode, in those of rooms; see
 * protocol/redis/cluster.h for their bytes, redis_transport.h for the rest.
 *
 * Each subscription is a command of its own: in a Redis Cluster two channels
 * may be at different masters.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/redis/cluster.h"

#include "protocol/base/str.h"
#include "src/adapter/redis_transport.h"

#include <stdlib.h>

/* A room that is listened for: there is a socket in it here. */
struct redis_room {
    struct map_node map; /* in place->rooms */
    struct redis_sub *sub;
    char name[];
};

/* ------------------------------------------------------------- receiving -- */

static void receive(struct redis_place *p, sio_str payload)
{
    struct cl_nsp *nsp = p->nsp;
    struct cl_node *node = nsp->node;
    struct pr_message m;
    struct arena arena;
    enum pr_error e;

    arena_init(&arena);
    e = pr_cluster_decode(&arena, payload, PR_JSON_OR_MSGPACK, &m);
    if (e == PR_E_OK)
        cl_receive(nsp, &m);
    else
        cl_refuse(node, cl_nsp_name(nsp), pr_error_text(e));
    arena_free(&arena);
}

static void on_message(void *self, sio_str channel, sio_str payload)
{
    const struct redis_ear *ear = self;

    (void)channel;
    receive(ear->place, payload);
}

static void on_room_message(void *self, sio_str channel, sio_str payload)
{
    (void)channel;
    receive(self, payload);
}

static const struct redis_sub_ops sub_ops = { on_message, redis_ear_status };
static const struct redis_sub_ops room_ops = { on_room_message, NULL };

/* ----------------------------------------------------------------- rooms -- */

static void room_free(struct redis_place *p, struct redis_room *room)
{
    map_remove(&p->rooms, &room->map);
    redis_unsubscribe(room->sub);
    free(room);
}

static int room_new(struct redis_place *p, sio_str name)
{
    struct redis_transport *t = p->t;
    struct redis_room *room = malloc(sizeof *room + name.n);
    int r;

    if (!room)
        return SIO_E_NOMEM;
    if (name.n)
        memcpy(room->name, name.p, name.n);
    redis_transport_clear(t);
    r = pr_channel_named(&t->channel, t->prefix, cl_nsp_name(p->nsp), name);
    if (r == SIO_OK)
        r = map_add(&p->rooms, &room->map, (sio_str){ room->name, name.n });
    if (r < 0) {
        free(room);
        return r;
    }
    r = redis_subscribe(t->redis, REDIS_SHARD, grow_str(&t->channel), &room_ops,
                        p, &room->sub);
    if (r < 0) {
        map_remove(&p->rooms, &room->map);
        free(room);
    }
    return r;
}

/* That a room is a socket's own is known only when it begins; whether it was
 * subscribed to says the rest. */
static int room_changed(void *self, struct cl_nsp *nsp, sio_str name,
                        bool is_id, bool exists)
{
    struct redis_transport *t = self;
    struct redis_place *p = redis_place_of(nsp);
    struct map_node *it = map_find(&p->rooms, name);

    if (!exists && it)
        room_free(p, container_of(it, struct redis_room, map));
    if (exists && !it && pr_mode_subscribes(t->mode, is_id))
        return room_new(p, name);
    return SIO_OK;
}

/* ------------------------------------------------------------- namespaces --
 */

static void remove_(void *self, struct cl_nsp *nsp)
{
    struct redis_place *p = redis_place_of(nsp);

    (void)self;
    while (map_first(&p->rooms))
        room_free(p,
                  container_of(map_first(&p->rooms), struct redis_room, map));
    redis_place_free(p);
}

static int add(void *self, struct cl_nsp *nsp)
{
    return redis_nsp_add(self, nsp, REDIS_SHARD, &sub_ops);
}

/* --------------------------------------------------------------- sending -- */

static int publish(void *self, const struct cl_nsp *nsp,
                   const struct pr_message *m, sio_str asker)
{
    struct redis_transport *t = self;
    int r;

    redis_transport_clear(t);
    r = pr_cluster_channel(&t->channel, t->prefix, cl_nsp_name(nsp), t->mode, m,
                           asker);
    if (r == SIO_OK)
        r = pr_cluster_encode(&t->payload, PR_JSON_OR_MSGPACK, m);
    return r < 0 ? r : redis_transport_publish(t, true);
}

static int count(void *self, const struct cl_nsp *nsp, cl_on_count *on_count,
                 void *user)
{
    return redis_nsp_count(self, nsp, REDIS_SHARD, on_count, user);
}

const struct cl_transport_ops redis_sharded_ops = {
    .needs_asker = true,
    .uid_len = CL_UID_LEN,
    .add = add,
    .remove = remove_,
    .ready = redis_nsp_ready,
    .room_changed = room_changed,
    .publish = publish,
    .count = count,
};
