/*
 * namespace.c -- namespaces: how they come and go. Those that clients have made
 * by connecting: dynamic.c; the handlers that are registered: handlers.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/socketio/recovery.h"

#include <sio/namespace.h>

#include <stdlib.h>

/* -------------------------------------------------------------- adapters -- */

static int no_add(void *self, sio_socket *socket, sio_str id, void **slot)
{
    (void)self, (void)socket, (void)id, (void)slot;
    return SIO_E_STATE;
}

static size_t no_room_count(void *self)
{
    (void)self;
    return 0;
}

static size_t no_select(void *self, const sio_broadcast_options *options,
                        void (*fn)(void *user, sio_socket *socket), void *user)
{
    (void)self, (void)options, (void)fn, (void)user;
    return 0;
}

static int no_broadcast(void *self, sio_packet *packet,
                        const sio_broadcast_options *options)
{
    (void)self, (void)packet, (void)options;
    return SIO_OK;
}

/* The rest is called for sockets that were added, so never. */
const sio_adapter_ops so_no_adapter = {
    .size = sizeof so_no_adapter,
    .name = "none",
    .add = no_add,
    .room_count = no_room_count,
    .select = no_select,
    .broadcast = no_broadcast,
};

static void tell_room(void *self, sio_room_change change, sio_str room,
                      sio_str id)
{
    struct so_part *part = self;
    struct so_walk walk = so_walk_of(part->nsp, on_room);
    const struct so_handler *h;

    if (part->nsp->hub->cluster)
        so_cluster_room(part, change, room);
    while ((h = so_walk_next(&walk)))
        SO_FN(sio_room_fn, h)(part->nsp, change, room, id, h->user);
}

static void init_part(sio_namespace *nsp, struct so_shard *shard)
{
    struct so_hub *hub = nsp->hub;
    struct so_part *part = so_part_of(nsp, shard);

    part->nsp = nsp;
    part->shard = shard;
    part->ops = &so_no_adapter;
    part->host.self = part;
    memcpy(part->host.seed, hub->seed, sizeof hub->seed);
    part->host.deliver = so_socket_deliver;
    part->host.room_changed = tell_room;
}

/* -------------------------------------------------------------- lifetime -- */

sio_namespace *so_namespace_new(struct so_hub *hub, sio_str name)
{
    const size_t parts = hub->shard_count * sizeof(struct so_part);
    sio_namespace *nsp = calloc(1, sizeof *nsp + parts + name.n + 1);
    char *text;

    if (!nsp)
        return NULL;
    text = (char *)nsp->parts + parts;
    nsp->hub = hub;
    nsp->kind = SO_CLOSED;
    memcpy(text, name.p, name.n);
    nsp->name = text;
    map_set_key(&nsp->node, (sio_str){ nsp->name, name.n });
    list_init(&nsp->children);
    map_init(&nsp->cluster_rooms, hub->seed);
    atomic_init(&nsp->refs, 1);
    atomic_init(&nsp->kept, 0);
    atomic_init(&nsp->next_ack_id, 0);
    for (size_t i = 0; i < hub->shard_count; i++)
        init_part(nsp, &hub->shards[i]);
    return nsp;
}

/* Nobody has joined it. */
static void close_part(struct so_part *part)
{
    if (part->adapter)
        part->ops->close(part->adapter);
    part->ops = &so_no_adapter;
    part->adapter = NULL;
}

static int open_part(struct so_part *part)
{
    const sio_adapter_ops *ops = part->nsp->hub->adapter;

    part->adapter = ops->open(&part->host);
    if (!part->adapter)
        return SIO_E_NOMEM;
    part->ops = ops;
    return SIO_OK;
}

static void close_parts(sio_namespace *nsp)
{
    for (size_t i = 0; i < nsp->hub->shard_count; i++)
        close_part(&nsp->parts[i]);
}

int so_namespace_open(sio_namespace *nsp, enum so_kind kind)
{
    struct so_hub *hub = nsp->hub;
    struct map *names = kind == SO_PARENT ? &hub->parents : &hub->namespaces;
    int r = SIO_OK;

    for (size_t i = 0; r == SIO_OK && i < hub->shard_count; i++)
        if (kind != SO_PARENT)
            r = open_part(&nsp->parts[i]);
    if (r == SIO_OK && kind != SO_PARENT)
        r = so_log_open(nsp);
    if (r == SIO_OK)
        r = map_add(names, &nsp->node, map_key(&nsp->node));
    if (r < 0) {
        close_parts(nsp);
        so_log_close(nsp);
        return r;
    }
    nsp->kind = kind;
    if (kind != SO_PARENT)
        so_cluster_opened(nsp);
    return r;
}

static void namespace_free(sio_namespace *nsp)
{
    so_namespace_free_handlers(nsp);
    so_rule_free(nsp->rule);
    so_named_free(nsp->on_server);
    so_cluster_rooms_free(nsp);
    free(nsp);
}

sio_namespace *so_namespace_ref(sio_namespace *nsp)
{
    atomic_fetch_add_explicit(&nsp->refs, 1, memory_order_relaxed);
    return nsp;
}

void so_namespace_unref(sio_namespace *nsp)
{
    if (nsp &&
        atomic_fetch_sub_explicit(&nsp->refs, 1, memory_order_acq_rel) == 1)
        namespace_free(nsp);
}

static void visit_part(struct so_tour *tour, struct so_shard *shard)
{
    sio_namespace *nsp = container_of(tour, sio_namespace, tour);

    close_part(so_part_of(nsp, shard));
    if (shard->index == 0) {
        so_log_close(nsp);
        so_cluster_closed(nsp);
    }
}

static void last_unref(struct so_tour *tour)
{
    so_namespace_unref(container_of(tour, sio_namespace, tour));
}

/* Handlers that run now, on any loop, may still use the pointer: each loop
 * closes its part, then the hub's own reference goes. */
void so_namespace_close(sio_namespace *nsp)
{
    struct so_hub *hub = nsp->hub;

    if (nsp->kind == SO_STATIC || nsp->kind == SO_CHILD)
        map_remove(&hub->namespaces, &nsp->node);
    else if (nsp->kind == SO_PARENT)
        map_remove(&hub->parents, &nsp->node);
    if (nsp->kind == SO_CHILD || nsp->kind == SO_PENDING)
        atomic_fetch_sub(&hub->children, 1);
    if (nsp->kind == SO_CHILD)
        list_remove(&nsp->children);
    nsp->kind = SO_CLOSED;
    nsp->tour.visit = visit_part;
    nsp->tour.end = last_unref;
    so_tour_begin(hub, &nsp->tour);
}

/* --------------------------------------------------------------- look-up -- */

static sio_namespace *find(const struct so_hub *hub, sio_str name)
{
    struct map_node *node = map_find(&hub->namespaces, name);

    return node ? container_of(node, sio_namespace, node) : NULL;
}

sio_namespace *so_namespace_find(const struct so_hub *hub, sio_str name)
{
    sio_namespace *nsp;

    so_lock(hub);
    nsp = find(hub, name);
    so_unlock(hub);
    return nsp;
}

sio_namespace *so_namespace_enter(struct so_shard *shard, sio_str name)
{
    sio_namespace *nsp;

    so_lock(shard->hub);
    nsp = find(shard->hub, name);
    if (nsp && nsp->maker && nsp->maker != shard)
        nsp = NULL; /* a moment too early */
    if (nsp)
        atomic_fetch_add(&nsp->members, 1);
    so_unlock(shard->hub);
    return nsp;
}

void so_namespace_leave(sio_namespace *nsp)
{
    atomic_fetch_sub(&nsp->members, 1);
    so_dynamic_left(nsp);
}

static void tell_new(sio_namespace *nsp)
{
    struct so_walk walk = so_walk_both(so_first(&nsp->hub->on_namespace), NULL);
    const struct so_handler *h;

    while ((h = so_walk_next(&walk)))
        SO_FN(sio_new_namespace_fn, h)(nsp, h->user);
}

void so_namespace_announce(sio_namespace *nsp)
{
    if (!str_eq(map_key(&nsp->node), STR("/")))
        tell_new(nsp);
}

static void reveal(struct net_deferred *d)
{
    sio_namespace *nsp = container_of(d, sio_namespace, reveal);

    atomic_store(&nsp->maker, NULL);
    so_namespace_unref(nsp);
}

/* Within a handler on one of several loops: its next lines register handlers.
 */
static void hide(sio_namespace *nsp)
{
    struct so_shard *here = so_here(nsp->hub);

    if (nsp->hub->shard_count == 1 || !here || !here->loop->running)
        return;
    atomic_store(&nsp->maker, here);
    so_namespace_ref(nsp);
    net_defer(here->loop, &nsp->reveal, reveal);
}

/* `name` has its "/"; the lock is held. */
static sio_namespace *get(struct so_hub *hub, sio_str name)
{
    sio_namespace *nsp = find(hub, name);
    int r = SIO_OK;

    if (!nsp)
        nsp = so_dynamic_match(hub, name, &r);
    if (nsp || r < 0)
        return nsp;
    nsp = so_namespace_new(hub, name);
    if (!nsp)
        return NULL;
    if (so_namespace_open(nsp, SO_STATIC) < 0) {
        so_namespace_unref(nsp);
        return NULL;
    }
    hide(nsp);
    so_namespace_announce(nsp);
    return nsp;
}

static sio_namespace *get_locked(struct so_hub *hub, sio_str name)
{
    sio_namespace *nsp;

    so_lock(hub);
    nsp = get(hub, name);
    so_unlock(hub);
    return nsp;
}

sio_namespace *so_namespace_get(struct so_hub *hub, const char *name)
{
    sio_str bare = str_of(name ? name : "");
    sio_namespace *nsp;
    char *full;

    if (bare.n && bare.p[0] == '/')
        return get_locked(hub, bare);
    full = malloc(bare.n + 2);
    if (!full)
        return NULL;
    full[0] = '/';
    memcpy(full + 1, bare.p, bare.n + 1);
    nsp = get_locked(hub, (sio_str){ full, bare.n + 1 });
    free(full);
    return nsp;
}

const char *sio_namespace_name(const sio_namespace *nsp)
{
    return nsp->name;
}

static size_t count_own(const sio_namespace *nsp)
{
    size_t n = 0;

    for (size_t i = 0; i < nsp->hub->shard_count; i++)
        n += atomic_load_explicit(&nsp->parts[i].socket_count,
                                  memory_order_relaxed);
    return n;
}

size_t sio_socket_count(const sio_namespace *nsp)
{
    const struct list *head = &nsp->children;
    size_t n = count_own(nsp);

    if (!nsp->rule)
        return n;
    so_lock(nsp->hub);
    for (struct list *it = head->next; it != head; it = it->next)
        n += count_own(container_of(it, sio_namespace, children));
    so_unlock(nsp->hub);
    return n;
}

size_t so_select(const struct so_shard *shard, sio_namespace *nsp,
                 const sio_broadcast_options *o,
                 void (*fn)(void *user, sio_socket *socket), void *user)
{
    const struct so_part *part = so_part_of(nsp, shard);
    struct list *head = &nsp->children;
    size_t n = 0;

    if (!nsp->rule)
        return part->ops->select(part->adapter, o, fn, user);
    so_lock(nsp->hub);
    for (struct list *it = head->next; it != head; it = it->next)
        n += so_select(shard, container_of(it, sio_namespace, children), o, fn,
                       user);
    so_unlock(nsp->hub);
    return n;
}
