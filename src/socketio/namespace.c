/*
 * namespace.c -- namespaces and the handlers registered with them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/socketio/hub.h"

#include <stdlib.h>

struct so_event_handlers {
    struct map_node node; /* in nsp->events */
    struct so_handler *list;
    size_t len;
    char name[];
};

static int open_part(sio_namespace *nsp)
{
    struct so_hub *hub = nsp->hub;
    struct so_part *part = &nsp->part;

    part->nsp = nsp;
    part->shard = &hub->shard;
    part->host.self = part;
    memcpy(part->host.seed, hub->seed, sizeof hub->seed);
    part->host.deliver = so_socket_deliver;
    part->adapter = hub->adapter->open(&part->host);
    return part->adapter ? SIO_OK : SIO_E_NOMEM;
}

sio_namespace *so_namespace_find(struct so_hub *hub, sio_str name)
{
    struct map_node *node = map_find(&hub->namespaces, name);

    return node ? container_of(node, sio_namespace, node) : NULL;
}

/* `name` without its leading "/". */
static sio_namespace *make_namespace(struct so_hub *hub, sio_str name)
{
    sio_namespace *nsp = calloc(1, sizeof *nsp + name.n + 2);

    if (!nsp)
        return NULL;
    nsp->hub = hub;
    nsp->name[0] = '/';
    memcpy(nsp->name + 1, name.p, name.n);
    map_init(&nsp->events, hub->seed);
    atomic_init(&nsp->next_ack_id, 0);
    if (open_part(nsp) < 0) {
        free(nsp);
        return NULL;
    }
    if (map_add(&hub->namespaces, &nsp->node,
                (sio_str){ nsp->name, name.n + 1 }) < 0) {
        so_namespace_free(nsp);
        return NULL;
    }
    return nsp;
}

sio_namespace *so_namespace_get(struct so_hub *hub, const char *name)
{
    sio_str bare = str_of(name ? name : "");
    struct map_node *node;

    if (bare.n && bare.p[0] == '/')
        bare = (sio_str){ bare.p + 1, bare.n - 1 };
    for (node = map_first(&hub->namespaces); node; node = map_next(node)) {
        sio_str have = map_key(node);

        if (str_eq((sio_str){ have.p + 1, have.n - 1 }, bare))
            return container_of(node, sio_namespace, node);
    }
    return make_namespace(hub, bare);
}

static void free_handlers(struct so_handler *list)
{
    while (list) {
        struct so_handler *next = list->next;

        free(list);
        list = next;
    }
}

void so_namespace_free(sio_namespace *nsp)
{
    struct map_node *node;

    while ((node = map_first(&nsp->events))) {
        struct so_event_handlers *h =
            container_of(node, struct so_event_handlers, node);

        map_remove(&nsp->events, node);
        free_handlers(h->list);
        free(h);
    }
    free_handlers(nsp->on_connection);
    free_handlers(nsp->on_disconnecting);
    free_handlers(nsp->on_disconnect);
    free_handlers(nsp->on_unhandled);
    free_handlers(nsp->middlewares);
    nsp->hub->adapter->close(nsp->part.adapter);
    free(nsp);
}

const char *sio_namespace_name(const sio_namespace *nsp)
{
    return nsp->name;
}

size_t sio_socket_count(const sio_namespace *nsp)
{
    return nsp->part.socket_count;
}

/* ------------------------------------------------------------- handlers -- */

static int add_handler(struct so_handler **list, void (*fn)(void), void *user)
{
    struct so_handler *h = malloc(sizeof *h);

    if (!h)
        return SIO_E_NOMEM;
    *h = (struct so_handler){ NULL, fn, user };
    while (*list)
        list = &(*list)->next;
    *list = h;
    return SIO_OK;
}

int sio_on_connection(sio_namespace *nsp, sio_connection_fn fn, void *user)
{
    return add_handler(&nsp->on_connection, (void (*)(void))fn, user);
}

int sio_on_disconnecting(sio_namespace *nsp, sio_disconnect_fn fn, void *user)
{
    return add_handler(&nsp->on_disconnecting, (void (*)(void))fn, user);
}

int sio_on_disconnect(sio_namespace *nsp, sio_disconnect_fn fn, void *user)
{
    return add_handler(&nsp->on_disconnect, (void (*)(void))fn, user);
}

int sio_on_unhandled(sio_namespace *nsp, sio_event_fn fn, void *user)
{
    return add_handler(&nsp->on_unhandled, (void (*)(void))fn, user);
}

int sio_use(sio_namespace *nsp, sio_middleware_fn fn, void *user)
{
    return add_handler(&nsp->middlewares, (void (*)(void))fn, user);
}

static struct so_event_handlers *find_event(const sio_namespace *nsp,
                                            sio_str event)
{
    struct map_node *node = map_find(&nsp->events, event);

    return node ? container_of(node, struct so_event_handlers, node) : NULL;
}

int sio_on(sio_namespace *nsp, const char *event, sio_event_fn fn, void *user)
{
    sio_str name = str_of(event);
    struct so_event_handlers *h = find_event(nsp, name);
    int r;

    if (sp_reserved_event(name))
        return SIO_E_RESERVED;
    if (h)
        return add_handler(&h->list, (void (*)(void))fn, user);
    h = calloc(1, sizeof *h + name.n);
    if (!h)
        return SIO_E_NOMEM;
    memcpy(h->name, name.p, name.n);
    h->len = name.n;
    r = add_handler(&h->list, (void (*)(void))fn, user);
    if (r == SIO_OK)
        r = map_add(&nsp->events, &h->node, (sio_str){ h->name, h->len });
    if (r < 0) {
        free_handlers(h->list);
        free(h);
    }
    return r;
}

const struct so_handler *so_event_handlers(const sio_namespace *nsp,
                                           sio_str event)
{
    const struct so_event_handlers *h = find_event(nsp, event);

    return h ? h->list : nsp->on_unhandled;
}
