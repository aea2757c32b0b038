/*
 * cluster.c -- the adapter of a cluster: opened, told of namespaces and rooms,
 * given what is for other nodes. See cluster.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/socketio/cluster.h"

#include <stdlib.h>

/* A room that is on some of several loops. Those of a socket's own id are not
 * kept: each is on one loop. */
struct cluster_room {
    struct map_node node; /* in nsp->cluster_rooms */
    size_t loops;
    char name[];
};

/* A room's news on the way to the main loop. */
struct room_news {
    struct net_mail mail;
    sio_namespace *nsp; /* referenced */
    bool is_id, exists;
    size_t n;
    char room[];
};

/* ------------------------------------------------------------ namespaces -- */

static void leave_cluster(sio_namespace *nsp)
{
    struct so_cluster *c = nsp->hub->cluster;

    map_remove(&c->namespaces, &nsp->cluster_node);
    nsp->in_cluster = false;
    if (c->adapter)
        c->ops->remove_namespace(c->adapter, map_key(&nsp->node));
}

/* One of the same name may be closed but not told of yet: it goes first. */
static int add_namespace(struct so_cluster *c, sio_namespace *nsp)
{
    const sio_str name = map_key(&nsp->node);
    struct map_node *before = map_find(&c->namespaces, name);
    int r;

    if (before)
        leave_cluster(container_of(before, sio_namespace, cluster_node));
    r = map_add(&c->namespaces, &nsp->cluster_node, name);
    if (r < 0)
        return r;
    r = c->ops->add_namespace(c->adapter, name);
    if (r < 0)
        map_remove(&c->namespaces, &nsp->cluster_node);
    return r;
}

static void join_cluster(sio_namespace *nsp)
{
    struct so_cluster *c = nsp->hub->cluster;

    if (!c->adapter || nsp->in_cluster || nsp->kind == SO_CLOSED)
        return;
    if (add_namespace(c, nsp) == SIO_OK)
        nsp->in_cluster = true;
    else
        so_log(c->hub, SIO_LOG_ERROR, "%s: other servers do not reach it: %s",
               nsp->name, sio_strerror(SIO_E_NOMEM));
}

static void on_join(struct net_mail *mail)
{
    sio_namespace *nsp = container_of(mail, sio_namespace, cluster_mail);

    join_cluster(nsp);
    so_namespace_unref(nsp);
}

void so_cluster_opened(sio_namespace *nsp)
{
    if (!nsp->hub->cluster)
        return;
    so_namespace_ref(nsp);
    nsp->cluster_mail.run = on_join;
    net_post(nsp->hub->shards->loop, &nsp->cluster_mail);
}

void so_cluster_closed(sio_namespace *nsp)
{
    if (nsp->in_cluster)
        leave_cluster(nsp);
}

/* --------------------------------------------------------------- sending -- */

void so_cluster_translate(const struct so_request *q, sio_cluster_request *out)
{
    static const sio_cluster_type types[] = {
        [SO_DELIVER] = SIO_CLUSTER_BROADCAST,
        [SO_ASK] = SIO_CLUSTER_BROADCAST,
        [SO_JOIN] = SIO_CLUSTER_SOCKETS_JOIN,
        [SO_LEAVE] = SIO_CLUSTER_SOCKETS_LEAVE,
        [SO_DISCONNECT] = SIO_CLUSTER_DISCONNECT_SOCKETS,
        [SO_FETCH] = SIO_CLUSTER_FETCH_SOCKETS,
        [SO_SERVER_EMIT] = SIO_CLUSTER_SERVER_SIDE_EMIT,
    };

    *out = (sio_cluster_request){ .type = types[q->deed],
                                  .nsp = map_key(&q->nsp->node),
                                  .options = q->options,
                                  .timeout_ms = q->timeout_ms,
                                  .single = q->single,
                                  .rooms = q->rooms,
                                  .room_count = q->room_count,
                                  .close = q->close,
                                  .keep = q->keep };
    if (q->message) {
        out->event = q->message->event;
        out->values = q->message->values;
        out->value_count = q->message->count;
    }
}

int so_cluster_hand_over(const struct so_request *q,
                         const sio_cluster_answers *answers, void *user)
{
    struct so_cluster *c = q->nsp->hub->cluster;
    sio_cluster_request request;

    join_cluster(q->nsp); /* it may have been made a moment ago */
    if (!c->adapter || !q->nsp->in_cluster)
        return SIO_E_STATE;
    so_cluster_translate(q, &request);
    request.answers = answers;
    request.user = user;
    return c->ops->send(c->adapter, &request);
}

void so_cluster_send(const struct so_request *q)
{
    (void)so_cluster_hand_over(q, NULL, NULL);
}

/* ----------------------------------------------------------------- rooms -- */

static bool wants_rooms(const struct so_cluster *c)
{
    return c && c->ops->room_changed;
}

static void tell_room(sio_namespace *nsp, sio_str room, bool is_id, bool exists)
{
    struct so_cluster *c = nsp->hub->cluster;

    join_cluster(nsp);
    if (c->adapter && nsp->in_cluster)
        c->ops->room_changed(c->adapter, map_key(&nsp->node), room, is_id,
                             exists);
}

static struct cluster_room *room_get(sio_namespace *nsp, sio_str room)
{
    struct map_node *node = map_find(&nsp->cluster_rooms, room);
    struct cluster_room *r;

    if (node)
        return container_of(node, struct cluster_room, node);
    r = malloc(sizeof *r + room.n);
    if (!r)
        return NULL;
    if (room.n)
        memcpy(r->name, room.p, room.n);
    r->loops = 0;
    if (map_add(&nsp->cluster_rooms, &r->node, (sio_str){ r->name, room.n }) <
        0) {
        free(r);
        return NULL;
    }
    return r;
}

static void room_begins(sio_namespace *nsp, sio_str room)
{
    struct cluster_room *r = room_get(nsp, room);

    if (!r)
        so_log(nsp->hub, SIO_LOG_ERROR,
               "room of %s: other servers may not reach it: %s", nsp->name,
               sio_strerror(SIO_E_NOMEM));
    else if (r->loops++ == 0)
        tell_room(nsp, room, false, true);
}

/* One that is not kept is a socket's own. */
static void room_ends(sio_namespace *nsp, sio_str room)
{
    struct map_node *node = map_find(&nsp->cluster_rooms, room);
    struct cluster_room *r =
        node ? container_of(node, struct cluster_room, node) : NULL;

    if (r && --r->loops > 0)
        return;
    tell_room(nsp, room, false, false);
    if (!r)
        return;
    map_remove(&nsp->cluster_rooms, &r->node);
    free(r);
}

/* On the main loop; of several loops, each tells of its own. */
static void room_changed(sio_namespace *nsp, sio_str room, bool is_id,
                         bool exists)
{
    if (nsp->hub->shard_count == 1 || is_id)
        tell_room(nsp, room, is_id, exists);
    else if (exists)
        room_begins(nsp, room);
    else
        room_ends(nsp, room);
}

static void on_news(struct net_mail *mail)
{
    struct room_news *news = container_of(mail, struct room_news, mail);

    room_changed(news->nsp, (sio_str){ news->room, news->n }, news->is_id,
                 news->exists);
    so_namespace_unref(news->nsp);
    free(news);
}

static void post_news(sio_namespace *nsp, sio_str room, bool is_id, bool exists)
{
    struct room_news *news = malloc(sizeof *news + room.n);

    if (!news) {
        so_log(nsp->hub, SIO_LOG_ERROR, "room of %s: other servers: %s",
               nsp->name, sio_strerror(SIO_E_NOMEM));
        return;
    }
    *news = (struct room_news){ .mail.run = on_news,
                                .nsp = so_namespace_ref(nsp),
                                .is_id = is_id,
                                .exists = exists,
                                .n = room.n };
    if (room.n)
        memcpy(news->room, room.p, room.n);
    net_post(nsp->hub->shards->loop, &news->mail);
}

static void compare_id(void *user, sio_socket *socket)
{
    sio_str *room = user;

    if (str_eq(*room, (sio_str){ socket->id, socket->id_len }))
        room->p = NULL;
}

/* Of a room that has just been made: is its member the socket of that id? */
static bool is_own_id(const struct so_part *part, sio_str room)
{
    const sio_broadcast_options options = { .rooms = &room, .room_count = 1 };
    sio_str found = room;

    part->ops->select(part->adapter, &options, compare_id, &found);
    return !found.p;
}

void so_cluster_room(const struct so_part *part, sio_room_change change,
                     sio_str room)
{
    sio_namespace *nsp = part->nsp;
    const bool exists = change == SIO_ROOM_CREATED;
    bool is_id;

    if (!wants_rooms(nsp->hub->cluster) ||
        (!exists && change != SIO_ROOM_DELETED))
        return;
    is_id = exists && is_own_id(part, room);
    if (part->shard == nsp->hub->shards)
        room_changed(nsp, room, is_id, exists);
    else
        post_news(nsp, room, is_id, exists);
}

/* What was left because there was no memory to tell of its end. */
void so_cluster_rooms_free(sio_namespace *nsp)
{
    struct map_node *node;

    while ((node = map_first(&nsp->cluster_rooms))) {
        map_remove(&nsp->cluster_rooms, node);
        free(container_of(node, struct cluster_room, node));
    }
}

/* ---------------------------------------------------------------- host -- */

static void host_log(void *self, sio_log_level level, const char *message)
{
    struct so_cluster *c = self;

    so_log(c->hub, level, "%s", message);
}

/* Rooms of other loops cannot be seen from here. */
static bool has_room(void *self, sio_str name, sio_str room)
{
    const struct so_cluster *c = self;
    const sio_broadcast_options options = { .rooms = &room, .room_count = 1 };
    sio_namespace *nsp = so_namespace_find(c->hub, name);

    if (!nsp)
        return false;
    return c->hub->shard_count > 1 ||
           nsp->parts->ops->select(nsp->parts->adapter, &options, NULL, NULL);
}

/* ------------------------------------------------------------ life times -- */

int so_cluster_init(struct so_hub *hub, const sio_cluster_ops *ops,
                    const void *config)
{
    struct so_cluster *c = calloc(1, sizeof *c);

    if (!c)
        return SIO_E_NOMEM;
    c->hub = hub;
    c->ops = ops;
    c->config = config;
    c->host = (sio_cluster_host){ .size = sizeof c->host,
                                  .self = c,
                                  .event_base = hub->shards->loop->base,
                                  .log = host_log,
                                  .execute = so_cluster_execute,
                                  .forget = so_cluster_forget,
                                  .has_room = has_room };
    list_init(&c->inquiries);
    list_init(&c->keepings);
    list_init(&c->comebacks);
    map_init(&c->foreign, hub->seed);
    map_init(&c->namespaces, hub->seed);
    hub->cluster = c;
    return SIO_OK;
}

int so_cluster_open(struct so_hub *hub, char *why, size_t size)
{
    struct so_cluster *c = hub->cluster;

    if (!c || c->adapter)
        return SIO_OK;
    c->adapter = c->ops->open(&c->host, c->config, why, size);
    if (!c->adapter)
        return SIO_E_INVAL;
    so_lock(hub);
    for (struct map_node *it = map_first(&hub->namespaces); it;
         it = map_next(&hub->namespaces, it)) {
        sio_namespace *nsp = container_of(it, sio_namespace, node);

        if (nsp->kind != SO_PENDING)
            join_cluster(nsp);
    }
    so_unlock(hub);
    return SIO_OK;
}

void so_cluster_close(struct so_hub *hub)
{
    struct so_cluster *c = hub->cluster;

    if (!c || !c->adapter)
        return;
    c->ops->close(c->adapter);
    c->adapter = NULL;
    so_inquiries_end(c);
    so_foreign_end(c);
    so_keepings_end(c);
    so_comebacks_end(c);
    while (map_first(&c->namespaces))
        leave_cluster(container_of(map_first(&c->namespaces), sio_namespace,
                                   cluster_node));
}

void so_cluster_stats(const struct so_hub *hub, sio_cluster_stats *out)
{
    const struct so_cluster *c = hub->cluster;

    *out = (sio_cluster_stats){ .state = SIO_CLUSTER_NONE };
    if (c && c->adapter)
        c->ops->get_stats(c->adapter, out);
}
