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

    while ((h = so_walk_next(&walk)))
        ((sio_room_fn)h->fn)(part->nsp, change, room, id, h->user);
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
    map_init(&nsp->events, hub->seed);
    list_init(&nsp->children);
    atomic_init(&nsp->refs, 1);
    atomic_init(&nsp->kept, 0);
    atomic_init(&nsp->returning, false);
    atomic_init(&nsp->next_ack_id, 0);
    for (size_t i = 0; i < hub->shard_count; i++)
        init_part(nsp, &hub->shards[i]);
    return nsp;
}

int so_namespace_open(sio_namespace *nsp, enum so_kind kind)
{
    struct so_hub *hub = nsp->hub;
    void *adapter = NULL;
    int r;

    if (kind != SO_PARENT) {
        adapter = hub->adapter->open(&nsp->parts->host);
        if (!adapter)
            return SIO_E_NOMEM;
    }
    r = adapter ? so_log_open(nsp->parts) : SIO_OK;
    if (r == SIO_OK)
        r = map_add(kind == SO_PARENT ? &hub->parents : &hub->namespaces,
                    &nsp->node, map_key(&nsp->node));
    if (r < 0) {
        so_log_close(nsp->parts);
        if (adapter)
            hub->adapter->close(adapter);
        return r;
    }
    nsp->kind = kind;
    if (adapter) {
        nsp->parts->ops = hub->adapter;
        nsp->parts->adapter = adapter;
    }
    return SIO_OK;
}

static void namespace_free(sio_namespace *nsp)
{
    so_namespace_free_handlers(nsp);
    so_rule_free(nsp->rule);
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

static void last_unref(struct net_deferred *d)
{
    so_namespace_unref(container_of(d, sio_namespace, cleanup));
}

/* The hub's own reference goes at the end of the turn: a handler further up the
 * stack may still use the pointer. */
void so_namespace_close(sio_namespace *nsp)
{
    struct so_hub *hub = nsp->hub;
    struct so_part *part = nsp->parts;

    if (nsp->kind == SO_STATIC || nsp->kind == SO_CHILD)
        map_remove(&hub->namespaces, &nsp->node);
    else if (nsp->kind == SO_PARENT)
        map_remove(&hub->parents, &nsp->node);
    if (nsp->kind == SO_CHILD || nsp->kind == SO_PENDING)
        hub->children--;
    if (nsp->kind == SO_CHILD)
        list_remove(&nsp->children);
    so_log_close(part);
    if (part->adapter)
        part->ops->close(part->adapter);
    part->ops = &so_no_adapter;
    part->adapter = NULL;
    nsp->kind = SO_CLOSED;
    net_defer(part->shard->loop, &nsp->cleanup, last_unref);
}

/* --------------------------------------------------------------- look-up -- */

sio_namespace *so_namespace_find(const struct so_hub *hub, sio_str name)
{
    struct map_node *node = map_find(&hub->namespaces, name);

    return node ? container_of(node, sio_namespace, node) : NULL;
}

static void tell_new(sio_namespace *nsp)
{
    struct so_walk walk = so_walk_both(nsp->hub->on_namespace, NULL);
    const struct so_handler *h;

    while ((h = so_walk_next(&walk)))
        ((sio_new_namespace_fn)h->fn)(nsp, h->user);
}

void so_namespace_announce(sio_namespace *nsp)
{
    if (!str_eq(map_key(&nsp->node), STR("/")))
        tell_new(nsp);
}

/* `name` has its "/". */
static sio_namespace *get(struct so_hub *hub, sio_str name)
{
    sio_namespace *nsp = so_namespace_find(hub, name);
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
    so_namespace_announce(nsp);
    return nsp;
}

sio_namespace *so_namespace_get(struct so_hub *hub, const char *name)
{
    sio_str bare = str_of(name ? name : "");
    sio_namespace *nsp;
    char *full;

    if (bare.n && bare.p[0] == '/')
        return get(hub, bare);
    full = malloc(bare.n + 2);
    if (!full)
        return NULL;
    full[0] = '/';
    memcpy(full + 1, bare.p, bare.n + 1);
    nsp = get(hub, (sio_str){ full, bare.n + 1 });
    free(full);
    return nsp;
}

const char *sio_namespace_name(const sio_namespace *nsp)
{
    return nsp->name;
}

size_t sio_socket_count(const sio_namespace *nsp)
{
    size_t n = nsp->parts->socket_count;
    const struct list *head = &nsp->children;

    if (nsp->kind == SO_PARENT)
        for (struct list *it = head->next; it != head; it = it->next)
            n += container_of(it, sio_namespace, children)->parts->socket_count;
    return n;
}

size_t so_select(const sio_namespace *nsp, const sio_broadcast_options *o,
                 void (*fn)(void *user, sio_socket *socket), void *user)
{
    const struct list *head = &nsp->children;
    size_t n = 0;

    if (nsp->kind != SO_PARENT)
        return nsp->parts->ops->select(nsp->parts->adapter, o, fn, user);
    for (struct list *it = head->next; it != head; it = it->next)
        n += so_select(container_of(it, sio_namespace, children), o, fn, user);
    return n;
}
