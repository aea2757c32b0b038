/*
 * handlers.c -- the functions that a program registers with a namespace, and
 * takes away again: <sio/socket.h>, <sio/intercept.h>.
 *
 * All loops read them while one of them, with the lock, changes them. So a list
 * only ever grows by one link that is stored last, or loses one that still
 * leads on; and the table of events is replaced by a larger one that is whole
 * before anybody sees it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/socketio/hub.h"

#include <sio/intercept.h>

#include <stdlib.h>

#define EVENTS_MIN 8 /* places of the smallest table; a power of two */

struct so_event_handlers {
    struct so_handlers list;
    uint64_t hash;
    size_t len;
    char name[];
};

/* Open addressing, at most half full; entries are never taken out. Those that
 * it has replaced stay until the namespace goes: walks may be in them, and all
 * of them are smaller together than it is. */
struct so_events {
    struct so_events *before;
    size_t mask, count;
    _Atomic(struct so_event_handlers *) places[];
};

/* ----------------------------------------------------------------- lists -- */

static struct so_handler *handler_new(void (*fn)(void), void *user)
{
    struct so_handler *h = calloc(1, sizeof *h);

    if (!h)
        return NULL;
    atomic_init(&h->next, NULL);
    atomic_init(&h->fn, fn);
    h->user = user;
    return h;
}

static void store(_Atomic(struct so_handler *) *at, struct so_handler *h)
{
    atomic_store_explicit(at, h, memory_order_release);
}

/* Where the link to the last handler's successor is; the lock is held. */
static _Atomic(struct so_handler *) *end_of(struct so_handlers *list)
{
    _Atomic(struct so_handler *) *at = &list->first;

    while (atomic_load_explicit(at, memory_order_relaxed))
        at = &atomic_load_explicit(at, memory_order_relaxed)->next;
    return at;
}

int so_handler_add(struct so_hub *hub, struct so_handlers *list,
                   void (*fn)(void), void *user)
{
    struct so_handler *h = handler_new(fn, user);

    if (!h)
        return SIO_E_NOMEM;
    so_lock(hub);
    store(end_of(list), h);
    so_unlock(hub);
    return SIO_OK;
}

static int prepend(struct so_hub *hub, struct so_handlers *list,
                   void (*fn)(void), void *user)
{
    struct so_handler *h = handler_new(fn, user);

    if (!h)
        return SIO_E_NOMEM;
    so_lock(hub);
    store(&h->next, so_first(list));
    store(&list->first, h);
    so_unlock(hub);
    return SIO_OK;
}

static void last_free(struct so_tour *tour)
{
    free(container_of(tour, struct so_handler, tour));
}

static void nothing(sio_socket *socket, sio_event *event, void *user)
{
    (void)socket, (void)event, (void)user;
}

/* Of handlers of type sio_event_fn; fn NULL: all of them. A walk may stand on
 * one that goes. */
static int take_away(struct so_hub *hub, struct so_handlers *list,
                     sio_event_fn fn, void *user)
{
    _Atomic(struct so_handler *) *at = &list->first;
    struct so_handler *h;
    int r = SIO_E_RANGE;

    so_lock(hub);
    while ((h = atomic_load_explicit(at, memory_order_relaxed))) {
        if (fn && (h->fn != (void (*)(void))fn || h->user != user)) {
            at = &h->next;
            continue;
        }
        store(at, so_next_of(h));
        atomic_store_explicit(&h->fn, (void (*)(void))nothing,
                              memory_order_relaxed);
        h->tour.end = last_free;
        so_tour_begin(hub, &h->tour);
        r = SIO_OK;
        if (fn)
            break;
    }
    so_unlock(hub);
    return r;
}

void so_handlers_free(struct so_handlers *list)
{
    struct so_handler *h = so_first(list);

    while (h) {
        struct so_handler *next = so_next_of(h);

        free(h);
        h = next;
    }
    store(&list->first, NULL);
}

static struct so_event_handlers *event_at(const struct so_events *events,
                                          size_t i)
{
    return atomic_load_explicit(&events->places[i], memory_order_acquire);
}

static struct so_events *events_of(const sio_namespace *nsp)
{
    return atomic_load_explicit(&nsp->events, memory_order_acquire);
}

static void free_events(sio_namespace *nsp)
{
    struct so_events *events = events_of(nsp);

    for (size_t i = 0; events && i <= events->mask; i++) {
        struct so_event_handlers *h = event_at(events, i);

        if (h)
            so_handlers_free(&h->list);
        free(h);
    }
    while (events) {
        struct so_events *before = events->before;

        free(events);
        events = before;
    }
}

void so_namespace_free_handlers(sio_namespace *nsp)
{
    free_events(nsp);
    so_handlers_free(&nsp->on_connection);
    so_handlers_free(&nsp->on_disconnecting);
    so_handlers_free(&nsp->on_disconnect);
    so_handlers_free(&nsp->on_unhandled);
    so_handlers_free(&nsp->on_room);
    so_handlers_free(&nsp->on_any);
    so_handlers_free(&nsp->on_any_outgoing);
    so_handlers_free(&nsp->on_error);
    so_handlers_free(&nsp->middlewares);
    so_handlers_free(&nsp->event_middlewares);
}

/* ---------------------------------------------------------- registering -- */

static int add(sio_namespace *nsp, struct so_handlers *list, void (*fn)(void),
               void *user)
{
    return so_handler_add(nsp->hub, list, fn, user);
}

int sio_on_connection(sio_namespace *nsp, sio_connection_fn fn, void *user)
{
    return add(nsp, &nsp->on_connection, (void (*)(void))fn, user);
}

int sio_on_disconnecting(sio_namespace *nsp, sio_disconnect_fn fn, void *user)
{
    return add(nsp, &nsp->on_disconnecting, (void (*)(void))fn, user);
}

int sio_on_disconnect(sio_namespace *nsp, sio_disconnect_fn fn, void *user)
{
    return add(nsp, &nsp->on_disconnect, (void (*)(void))fn, user);
}

int sio_on_unhandled(sio_namespace *nsp, sio_event_fn fn, void *user)
{
    return add(nsp, &nsp->on_unhandled, (void (*)(void))fn, user);
}

int sio_on_room(sio_namespace *nsp, sio_room_fn fn, void *user)
{
    return add(nsp, &nsp->on_room, (void (*)(void))fn, user);
}

int sio_use(sio_namespace *nsp, sio_middleware_fn fn, void *user)
{
    return add(nsp, &nsp->middlewares, (void (*)(void))fn, user);
}

/* After every change of what sees events that come; passes `r` on. */
static int note_watched(sio_namespace *nsp, int r)
{
    so_lock(nsp->hub);
    atomic_store_explicit(&nsp->watched,
                          so_first(&nsp->on_any) ||
                              so_first(&nsp->event_middlewares),
                          memory_order_relaxed);
    so_unlock(nsp->hub);
    return r;
}

int sio_on_any(sio_namespace *nsp, sio_event_fn fn, void *user)
{
    return note_watched(nsp, add(nsp, &nsp->on_any, (void (*)(void))fn, user));
}

int sio_prepend_any(sio_namespace *nsp, sio_event_fn fn, void *user)
{
    return note_watched(
        nsp, prepend(nsp->hub, &nsp->on_any, (void (*)(void))fn, user));
}

int sio_off_any(sio_namespace *nsp, sio_event_fn fn, void *user)
{
    return note_watched(nsp, take_away(nsp->hub, &nsp->on_any, fn, user));
}

int sio_use_events(sio_namespace *nsp, sio_event_middleware_fn fn, void *user)
{
    return note_watched(
        nsp, add(nsp, &nsp->event_middlewares, (void (*)(void))fn, user));
}

/* The same of what goes. */
static int note_outgoing(sio_namespace *nsp, int r)
{
    so_lock(nsp->hub);
    atomic_store_explicit(&nsp->outgoing,
                          so_first(&nsp->on_any_outgoing) != NULL,
                          memory_order_relaxed);
    so_unlock(nsp->hub);
    return r;
}

int sio_on_any_outgoing(sio_namespace *nsp, sio_event_fn fn, void *user)
{
    return note_outgoing(
        nsp, add(nsp, &nsp->on_any_outgoing, (void (*)(void))fn, user));
}

int sio_prepend_any_outgoing(sio_namespace *nsp, sio_event_fn fn, void *user)
{
    return note_outgoing(nsp, prepend(nsp->hub, &nsp->on_any_outgoing,
                                      (void (*)(void))fn, user));
}

int sio_off_any_outgoing(sio_namespace *nsp, sio_event_fn fn, void *user)
{
    return note_outgoing(nsp,
                         take_away(nsp->hub, &nsp->on_any_outgoing, fn, user));
}

int sio_on_error(sio_namespace *nsp, sio_error_fn fn, void *user)
{
    return add(nsp, &nsp->on_error, (void (*)(void))fn, user);
}

/* ---------------------------------------------------------------- events -- */

/* Nobody outside has a say in what is in the table, so it need not be a hash
 * that cannot be aimed at. */
static uint64_t name_hash(sio_str name)
{
    const uint64_t odd = 0x9e3779b97f4a7c15; /* 2^64 / the golden ratio */
    uint64_t hash = name.n, word;

    for (; name.n >= sizeof word;
         name.p += sizeof word, name.n -= sizeof word) {
        memcpy(&word, name.p, sizeof word);
        hash = (hash ^ word) * odd;
        hash ^= hash >> 32;
    }
    word = 0;
    for (size_t i = 0; i < name.n; i++)
        word = word << 8 | (unsigned char)name.p[i];
    hash = (hash ^ word) * odd;
    return hash ^ hash >> 32;
}

static struct so_event_handlers *find_event(const sio_namespace *nsp,
                                            sio_str event)
{
    const struct so_events *events = events_of(nsp);
    struct so_event_handlers *h;
    uint64_t hash;

    if (!events)
        return NULL;
    hash = name_hash(event);
    for (size_t i = hash & events->mask; (h = event_at(events, i));
         i = (i + 1) & events->mask)
        if (h->hash == hash && h->len == event.n &&
            memcmp(h->name, event.p, event.n) == 0)
            return h;
    return NULL;
}

static void put_event(struct so_events *events, struct so_event_handlers *h)
{
    size_t i = h->hash & events->mask;

    while (event_at(events, i))
        i = (i + 1) & events->mask;
    atomic_store_explicit(&events->places[i], h, memory_order_release);
    events->count++;
}

/* Room for one event more. */
static int grow_events(sio_namespace *nsp)
{
    struct so_events *old = events_of(nsp), *events;
    const size_t places = old ? 2 * (old->mask + 1) : EVENTS_MIN;

    if (old && 2 * (old->count + 1) <= old->mask + 1)
        return SIO_OK;
    events = calloc(1, sizeof *events + places * sizeof *events->places);
    if (!events)
        return SIO_E_NOMEM;
    events->before = old;
    events->mask = places - 1;
    for (size_t i = 0; old && i <= old->mask; i++)
        if (event_at(old, i))
            put_event(events, event_at(old, i));
    atomic_store_explicit(&nsp->events, events, memory_order_release);
    return SIO_OK;
}

/* The lock is held; there is none of that name. */
static int add_event(sio_namespace *nsp, sio_str name, sio_event_fn fn,
                     void *user)
{
    struct so_event_handlers *h = calloc(1, sizeof *h + name.n);
    int r;

    if (!h)
        return SIO_E_NOMEM;
    h->hash = name_hash(name);
    h->len = name.n;
    memcpy(h->name, name.p, name.n);
    r = grow_events(nsp);
    if (r == SIO_OK)
        r = add(nsp, &h->list, (void (*)(void))fn, user);
    if (r == SIO_OK)
        put_event(events_of(nsp), h);
    else
        free(h);
    return r;
}

int sio_on(sio_namespace *nsp, const char *event, sio_event_fn fn, void *user)
{
    sio_str name = str_of(event);
    struct so_event_handlers *h;
    int r;

    if (sp_reserved_event(name))
        return SIO_E_RESERVED;
    so_lock(nsp->hub);
    h = find_event(nsp, name);
    r = h ? add(nsp, &h->list, (void (*)(void))fn, user)
          : add_event(nsp, name, fn, user);
    so_unlock(nsp->hub);
    return r;
}

/* The entry stays: a walk may be behind it. */
int sio_off(sio_namespace *nsp, const char *event, sio_event_fn fn, void *user)
{
    struct so_event_handlers *h = find_event(nsp, str_of(event));

    return h ? take_away(nsp->hub, &h->list, fn, user) : SIO_E_RANGE;
}

static const struct so_handler *handlers_of(const sio_namespace *nsp,
                                            sio_str event)
{
    const struct so_event_handlers *h = find_event(nsp, event);

    return h ? so_first(&h->list) : NULL;
}

struct so_walk so_event_walk(const sio_namespace *nsp, sio_str event)
{
    const struct so_handler *own = handlers_of(nsp, event);
    struct so_walk walk;

    if (!nsp->parent)
        return so_walk_both(own ? own : so_first(&nsp->on_unhandled), NULL);
    walk = so_walk_both(handlers_of(nsp->parent, event), own);
    return walk.at ? walk : so_walk_of(nsp, on_unhandled);
}
