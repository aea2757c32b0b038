/*
 * handlers.c -- the functions that a program registers with a namespace, and
 * takes away again: <sio/socket.h>, <sio/intercept.h>.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/socketio/hub.h"

#include <sio/intercept.h>

#include <stdlib.h>

struct so_event_handlers {
    struct map_node node; /* in nsp->events */
    struct so_handler *list;
    size_t len;
    char name[];
};

/* ----------------------------------------------------------------- lists -- */

static struct so_handler *handler_new(void (*fn)(void), void *user)
{
    struct so_handler *h = malloc(sizeof *h);

    if (h)
        *h = (struct so_handler){ .fn = fn, .user = user };
    return h;
}

int so_handler_add(struct so_handler **list, void (*fn)(void), void *user)
{
    struct so_handler *h = handler_new(fn, user);

    if (!h)
        return SIO_E_NOMEM;
    while (*list)
        list = &(*list)->next;
    *list = h;
    return SIO_OK;
}

static int prepend(struct so_handler **list, void (*fn)(void), void *user)
{
    struct so_handler *h = handler_new(fn, user);

    if (!h)
        return SIO_E_NOMEM;
    h->next = *list;
    *list = h;
    return SIO_OK;
}

static void last_free(struct net_deferred *d)
{
    free(container_of(d, struct so_handler, cleanup));
}

static void nothing(sio_socket *socket, sio_event *event, void *user)
{
    (void)socket, (void)event, (void)user;
}

/* Of handlers of type sio_event_fn. A walk further up the stack may stand on
 * one that goes: until the end of the turn it stays, and leads on to what was
 * behind it. */
static int take_away(sio_namespace *nsp, struct so_handler **list,
                     sio_event_fn fn, void *user)
{
    int r = SIO_E_RANGE;

    while (*list) {
        struct so_handler *h = *list;

        if (fn && (h->fn != (void (*)(void))fn || h->user != user)) {
            list = &h->next;
            continue;
        }
        *list = h->next;
        h->fn = (void (*)(void))nothing;
        net_defer(nsp->parts->shard->loop, &h->cleanup, last_free);
        r = SIO_OK;
        if (fn)
            break;
    }
    return r;
}

void so_handlers_free(struct so_handler *list)
{
    while (list) {
        struct so_handler *next = list->next;

        free(list);
        list = next;
    }
}

static void free_events(sio_namespace *nsp)
{
    struct map_node *node;

    while ((node = map_first(&nsp->events))) {
        struct so_event_handlers *h =
            container_of(node, struct so_event_handlers, node);

        map_remove(&nsp->events, node);
        so_handlers_free(h->list);
        free(h);
    }
}

void so_namespace_free_handlers(sio_namespace *nsp)
{
    free_events(nsp);
    so_handlers_free(nsp->on_connection);
    so_handlers_free(nsp->on_disconnecting);
    so_handlers_free(nsp->on_disconnect);
    so_handlers_free(nsp->on_unhandled);
    so_handlers_free(nsp->on_room);
    so_handlers_free(nsp->on_any);
    so_handlers_free(nsp->on_any_outgoing);
    so_handlers_free(nsp->on_error);
    so_handlers_free(nsp->middlewares);
    so_handlers_free(nsp->event_middlewares);
}

/* ---------------------------------------------------------- registering -- */

int sio_on_connection(sio_namespace *nsp, sio_connection_fn fn, void *user)
{
    return so_handler_add(&nsp->on_connection, (void (*)(void))fn, user);
}

int sio_on_disconnecting(sio_namespace *nsp, sio_disconnect_fn fn, void *user)
{
    return so_handler_add(&nsp->on_disconnecting, (void (*)(void))fn, user);
}

int sio_on_disconnect(sio_namespace *nsp, sio_disconnect_fn fn, void *user)
{
    return so_handler_add(&nsp->on_disconnect, (void (*)(void))fn, user);
}

int sio_on_unhandled(sio_namespace *nsp, sio_event_fn fn, void *user)
{
    return so_handler_add(&nsp->on_unhandled, (void (*)(void))fn, user);
}

int sio_on_room(sio_namespace *nsp, sio_room_fn fn, void *user)
{
    return so_handler_add(&nsp->on_room, (void (*)(void))fn, user);
}

int sio_use(sio_namespace *nsp, sio_middleware_fn fn, void *user)
{
    return so_handler_add(&nsp->middlewares, (void (*)(void))fn, user);
}

/* After every change of what sees events that come; passes `r` on. */
static int note_watched(sio_namespace *nsp, int r)
{
    nsp->watched = nsp->on_any || nsp->event_middlewares;
    return r;
}

int sio_on_any(sio_namespace *nsp, sio_event_fn fn, void *user)
{
    return note_watched(nsp,
                        so_handler_add(&nsp->on_any, (void (*)(void))fn, user));
}

int sio_prepend_any(sio_namespace *nsp, sio_event_fn fn, void *user)
{
    return note_watched(nsp, prepend(&nsp->on_any, (void (*)(void))fn, user));
}

int sio_off_any(sio_namespace *nsp, sio_event_fn fn, void *user)
{
    return note_watched(nsp, take_away(nsp, &nsp->on_any, fn, user));
}

int sio_use_events(sio_namespace *nsp, sio_event_middleware_fn fn, void *user)
{
    return note_watched(
        nsp, so_handler_add(&nsp->event_middlewares, (void (*)(void))fn, user));
}

/* The same of what goes: other threads look at this only. */
static int note_outgoing(sio_namespace *nsp, int r)
{
    atomic_store_explicit(&nsp->outgoing, nsp->on_any_outgoing != NULL,
                          memory_order_relaxed);
    return r;
}

int sio_on_any_outgoing(sio_namespace *nsp, sio_event_fn fn, void *user)
{
    return note_outgoing(
        nsp, so_handler_add(&nsp->on_any_outgoing, (void (*)(void))fn, user));
}

int sio_prepend_any_outgoing(sio_namespace *nsp, sio_event_fn fn, void *user)
{
    return note_outgoing(
        nsp, prepend(&nsp->on_any_outgoing, (void (*)(void))fn, user));
}

int sio_off_any_outgoing(sio_namespace *nsp, sio_event_fn fn, void *user)
{
    return note_outgoing(nsp, take_away(nsp, &nsp->on_any_outgoing, fn, user));
}

int sio_on_error(sio_namespace *nsp, sio_error_fn fn, void *user)
{
    return so_handler_add(&nsp->on_error, (void (*)(void))fn, user);
}

/* ---------------------------------------------------------------- events -- */

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
        return so_handler_add(&h->list, (void (*)(void))fn, user);
    h = calloc(1, sizeof *h + name.n);
    if (!h)
        return SIO_E_NOMEM;
    memcpy(h->name, name.p, name.n);
    h->len = name.n;
    r = so_handler_add(&h->list, (void (*)(void))fn, user);
    if (r == SIO_OK)
        r = map_add(&nsp->events, &h->node, (sio_str){ h->name, h->len });
    if (r < 0) {
        so_handlers_free(h->list);
        free(h);
    }
    return r;
}

/* The entry stays: a walk may be behind it. */
int sio_off(sio_namespace *nsp, const char *event, sio_event_fn fn, void *user)
{
    struct so_event_handlers *h = find_event(nsp, str_of(event));

    return h ? take_away(nsp, &h->list, fn, user) : SIO_E_RANGE;
}

struct so_walk so_event_walk(const sio_namespace *nsp, sio_str event)
{
    const struct so_event_handlers *own = find_event(nsp, event), *inherited;
    struct so_walk walk;

    if (!nsp->parent)
        return so_walk_both(own && own->list ? own->list : nsp->on_unhandled,
                            NULL);
    inherited = find_event(nsp->parent, event);
    walk = so_walk_both(inherited ? inherited->list : NULL,
                        own ? own->list : NULL);
    return walk.at ? walk : so_walk_of(nsp, on_unhandled);
}
