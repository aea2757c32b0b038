/*
 * memory.c -- the in-memory adapter: rooms of the sockets of one namespace on
 * one loop.
 *
 *   room --members--> link <--rooms-- member (one per socket)
 *
 * A membership is one link, in its room's list and in its member's, and found
 * by the two. The room of a socket's own id costs nothing: it is the member
 * itself, found by its id.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sio/adapter.h>

#include "protocol/base/list.h"
#include "protocol/base/map.h"
#include "protocol/base/str.h"

#include <stdatomic.h>
#include <stdlib.h>

struct member {
    struct map_node node; /* in memory->members, by socket id */
    struct list *links;   /* the first of a ring: rooms; NULL: none */
    sio_socket *socket;
    uint64_t seen : 63;  /* the selection that has counted it */
    uint64_t in_own : 1; /* it is in the room of its own id */
};

/* There may be very many: what finding one reads stands close together. */
struct room {
    struct map_node node; /* in memory->rooms; its key is the name */
    struct list links;    /* members, in the order of joining */
    uint32_t holds;       /* it stays: handlers are being told of it */
    char name[];
};

/* What a membership is found by, in however many rooms a client is: as bytes,
 * of which there are no others. */
struct link_key {
    struct member *member;
    struct room *room;
};

struct link {
    struct map_node node;  /* in memory->links */
    struct list in_member; /* in the ring of its member, as it has joined */
    struct list in_room;   /* in room->links */
    struct link_key of;
};

_Static_assert(sizeof(struct link_key) == 2 * sizeof(void *), "no padding");

struct memory {
    const sio_adapter_host *host;
    struct map members, rooms, links;
    atomic_size_t room_count; /* of `rooms`, for any thread */
    uint64_t selection;       /* counts selections: see member.seen */
};

static void *memory_open(const sio_adapter_host *host)
{
    struct memory *m = calloc(1, sizeof *m);

    if (!m)
        return NULL;
    m->host = host;
    map_init(&m->members, host->seed);
    map_init(&m->rooms, host->seed);
    map_init(&m->links, host->seed);
    return m;
}

static void memory_close(void *self)
{
    free(self);
}

/* ---------------------------------------------------------- memberships -- */

static int memory_add(void *self, sio_socket *socket, sio_str id, void **slot)
{
    struct memory *m = self;
    struct member *member = calloc(1, sizeof *member);

    if (!member)
        return SIO_E_NOMEM;
    member->socket = socket;
    if (map_add(&m->members, &member->node, id) < 0) {
        free(member);
        return SIO_E_NOMEM;
    }
    *slot = member;
    return SIO_OK;
}

static struct room *find_room(const struct memory *m, sio_str name)
{
    struct map_node *node = map_find(&m->rooms, name);

    return node ? container_of(node, struct room, node) : NULL;
}

static struct member *find_own(const struct memory *m, sio_str id)
{
    struct map_node *node = map_find(&m->members, id);
    struct member *member =
        node ? container_of(node, struct member, node) : NULL;

    return member && member->in_own ? member : NULL;
}

static void note_count(struct memory *m)
{
    atomic_store_explicit(&m->room_count, map_count(&m->rooms),
                          memory_order_relaxed);
}

static struct room *make_room(struct memory *m, sio_str name)
{
    struct room *room = malloc(sizeof *room + name.n);

    if (!room)
        return NULL;
    memcpy(room->name, name.p, name.n);
    room->holds = 0;
    list_init(&room->links);
    if (map_add(&m->rooms, &room->node, (sio_str){ room->name, name.n }) < 0) {
        free(room);
        return NULL;
    }
    note_count(m);
    return room;
}

static void tell(const struct memory *m, sio_room_change change, sio_str room,
                 sio_str id)
{
    if (m->host->room_changed)
        m->host->room_changed(m->host->self, change, room, id);
}

/* The room of a socket's own id has its member alone, unless others have joined
 * a room of that name. */
static void tell_own(const struct memory *m, sio_str id, bool came)
{
    const sio_str nobody = { NULL, 0 };

    if (came && !find_room(m, id))
        tell(m, SIO_ROOM_CREATED, id, nobody);
    tell(m, came ? SIO_ROOM_JOINED : SIO_ROOM_LEFT, id, id);
    if (!came && !find_room(m, id))
        tell(m, SIO_ROOM_DELETED, id, nobody);
}

static void release_if_empty(struct memory *m, struct room *room)
{
    if (room->holds || !list_empty(&room->links))
        return;
    map_remove(&m->rooms, &room->node);
    note_count(m);
    free(room);
}

/* Nobody is in it any more: it is out of the map before that is told, so that a
 * handler which joins it makes a new one. */
static void drop_if_empty(struct memory *m, struct room *room)
{
    sio_str name = map_key(&room->node);

    if (room->holds || !list_empty(&room->links))
        return;
    map_remove(&m->rooms, &room->node);
    note_count(m);
    if (!find_own(m, name))
        tell(m, SIO_ROOM_DELETED, name, (sio_str){ NULL, 0 });
    free(room);
}

static sio_str key_text(const struct link_key *key)
{
    return (sio_str){ (const char *)key, sizeof *key };
}

/* `room` may be NULL: nobody is in it. */
static struct link *find_link(const struct memory *m, struct room *room,
                              struct member *member)
{
    const struct link_key key = { member, room };
    struct map_node *node = room ? map_find(&m->links, key_text(&key)) : NULL;

    return node ? container_of(node, struct link, node) : NULL;
}

static void ring_append(struct member *member, struct link *link)
{
    if (member->links) {
        list_append(member->links, &link->in_member);
        return;
    }
    list_init(&link->in_member);
    member->links = &link->in_member;
}

static void ring_remove(struct member *member, struct link *link)
{
    if (member->links == &link->in_member)
        member->links = list_empty(member->links) ? NULL : member->links->next;
    list_remove(&link->in_member);
}

/* NULL at the end. */
static struct list *ring_next(const struct member *member,
                              const struct list *at)
{
    return at->next != member->links ? at->next : NULL;
}

static int make_link(struct memory *m, struct room *room, struct member *member)
{
    struct link *link = malloc(sizeof *link);

    if (!link)
        return SIO_E_NOMEM;
    link->of = (struct link_key){ member, room };
    if (map_add(&m->links, &link->node, key_text(&link->of)) < 0) {
        free(link);
        return SIO_E_NOMEM;
    }
    list_append(&room->links, &link->in_room);
    ring_append(member, link);
    return SIO_OK;
}

/* After that the member may be gone. */
static void tell_joined(struct memory *m, struct room *room, sio_str id,
                        bool made)
{
    sio_str name = map_key(&room->node);

    room->holds++;
    if (made)
        tell(m, SIO_ROOM_CREATED, name, (sio_str){ NULL, 0 });
    tell(m, SIO_ROOM_JOINED, name, id);
    room->holds--;
    drop_if_empty(m, room);
}

static int memory_join(void *self, void *slot, sio_str name)
{
    struct memory *m = self;
    struct member *member = slot;
    sio_str id = map_key(&member->node);
    struct room *room;
    bool made = false;
    int r;

    if (str_eq(name, id)) {
        if (!member->in_own) {
            member->in_own = true;
            tell_own(m, id, true);
        }
        return SIO_OK;
    }
    room = find_room(m, name);
    if (find_link(m, room, member))
        return SIO_OK;
    if (!room) {
        room = make_room(m, name);
        made = true;
    }
    if (!room)
        return SIO_E_NOMEM;
    r = make_link(m, room, member);
    if (r < 0)
        release_if_empty(m, room);
    else
        tell_joined(m, room, id, made && !find_own(m, name));
    return r;
}

static void unlink_link(struct memory *m, struct link *link, sio_str id)
{
    struct room *room = link->of.room;

    list_remove(&link->in_room);
    ring_remove(link->of.member, link);
    map_remove(&m->links, &link->node);
    free(link);
    room->holds++;
    tell(m, SIO_ROOM_LEFT, map_key(&room->node), id);
    room->holds--;
    drop_if_empty(m, room);
}

static void memory_leave(void *self, void *slot, sio_str room)
{
    struct memory *m = self;
    struct member *member = slot;
    sio_str id = map_key(&member->node);
    struct link *link;

    if (str_eq(room, id)) {
        if (member->in_own) {
            member->in_own = false;
            tell_own(m, id, false);
        }
        return;
    }
    link = find_link(m, find_room(m, room), member);
    if (link)
        unlink_link(m, link, id);
}

static void memory_remove(void *self, void *slot)
{
    struct memory *m = self;
    struct member *member = slot;
    sio_str id = map_key(&member->node);

    if (member->in_own) {
        member->in_own = false;
        tell_own(m, id, false);
    }
    while (member->links)
        unlink_link(m, container_of(member->links, struct link, in_member), id);
    map_remove(&m->members, &member->node);
    free(member);
}

static bool memory_in_room(void *self, void *slot, sio_str room)
{
    struct memory *m = self;
    struct member *member = slot;

    if (str_eq(room, map_key(&member->node)))
        return member->in_own;
    return find_link(m, find_room(m, room), member) != NULL;
}

static size_t memory_each_room(void *self, void *slot,
                               void (*fn)(void *user, sio_str room), void *user)
{
    struct member *member = slot;
    size_t n = 0;

    (void)self;
    if (member->in_own) {
        n++;
        if (fn)
            fn(user, map_key(&member->node));
    }
    for (struct list *it = member->links, *next; it; it = next) {
        struct link *link = container_of(it, struct link, in_member);

        next = ring_next(member, it);
        n++;
        if (fn)
            fn(user, map_key(&link->of.room->node));
    }
    return n;
}

static size_t memory_room_count(void *self)
{
    struct memory *m = self;

    return atomic_load_explicit(&m->room_count, memory_order_relaxed);
}

/* ------------------------------------------------------------ selecting -- */

/* One walk over a target. A socket that is excluded, or was met before, carries
 * the number of this selection: so each is met once, without any table. */
struct walk {
    struct memory *memory;
    void (*fn)(void *user, sio_socket *socket);
    void *user;
    size_t count;
};

static void visit(struct walk *w, struct member *member)
{
    if (member->seen == w->memory->selection)
        return;
    member->seen = w->memory->selection;
    w->count++;
    if (w->fn)
        w->fn(w->user, member->socket);
}

static void each_member(struct walk *w, sio_str name,
                        void (*step)(struct walk *w, struct member *member))
{
    struct room *room = find_room(w->memory, name);
    struct member *own = find_own(w->memory, name);

    if (own)
        step(w, own);
    if (!room)
        return;
    list_for_each_safe(it, next, &room->links)
        step(w, container_of(it, struct link, in_room)->of.member);
}

static void exclude(struct walk *w, struct member *member)
{
    member->seen = w->memory->selection;
}

static size_t memory_select(void *self, const sio_broadcast_options *o,
                            void (*fn)(void *user, sio_socket *socket),
                            void *user)
{
    struct memory *m = self;
    struct walk w = { m, fn, user, 0 };
    struct map_node *node;
    size_t at = map_begin(&m->members);

    m->selection++;
    for (size_t i = 0; i < o->except_count; i++)
        each_member(&w, o->except[i], exclude);
    if (o->room_count == 0) {
        while ((node = map_walk(&m->members, &at)))
            visit(&w, container_of(node, struct member, node));
        return w.count;
    }
    for (size_t i = 0; i < o->room_count; i++)
        each_member(&w, o->rooms[i], visit);
    return w.count;
}

struct delivery {
    const sio_adapter_host *host;
    sio_packet *packet;
    unsigned flags;
};

static void deliver_one(void *user, sio_socket *socket)
{
    const struct delivery *d = user;

    d->host->deliver(d->host->self, socket, d->packet, d->flags);
}

static int memory_broadcast(void *self, sio_packet *packet,
                            const sio_broadcast_options *options)
{
    struct memory *m = self;
    struct delivery d = { m->host, packet, options->flags };

    memory_select(m, options, deliver_one, &d);
    return SIO_OK;
}

const sio_adapter_ops *sio_memory_adapter(void)
{
    static const sio_adapter_ops ops = {
        .size = sizeof(sio_adapter_ops),
        .name = "memory",
        .open = memory_open,
        .close = memory_close,
        .add = memory_add,
        .remove = memory_remove,
        .join = memory_join,
        .leave = memory_leave,
        .in_room = memory_in_room,
        .each_room = memory_each_room,
        .room_count = memory_room_count,
        .select = memory_select,
        .broadcast = memory_broadcast,
    };

    return &ops;
}
