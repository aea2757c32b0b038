/*
 * recovery_log.c -- the events that were sent, for those who come back: see
 * recovery.h.
 *
 *   shard->recovery.entries   all of the loop, the oldest first: what is
 *                             dropped, whose time is over
 *   log->entries              those of one namespace, in the same order
 *   log->by_offset            where a client that comes back goes on
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/socketio/recovery.h"

#include "src/engine/packet.h"

#include <stdlib.h>

#define STAMP_BITS 12 /* of the counter in an offset */

struct entry {
    struct map_node node; /* in log->by_offset */
    struct list in_log, age;
    struct so_log *log;
    sio_packet *packet;
    uint64_t number, sent_ms;
    size_t bytes;
    unsigned flags;
    bool direct; /* names[0] is the id of the one that it was sent to */
    size_t room_count, name_count; /* rooms, then exceptions */
    sio_str names[];               /* they, and the offset, stand behind */
};

/* --------------------------------------------------------------- offsets -- */

/* As Node writes them: digits of six bits, the highest first. */
static size_t append_digits(char *out, uint64_t n)
{
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz-_";
    size_t len = 1;

    for (uint64_t rest = n >> 6; rest; rest >>= 6)
        len++;
    for (size_t i = len; i-- > 0; n >>= 6)
        out[i] = digits[n & 63];
    return len;
}

/* Unique in the process, and rising, even when the system's clock is set back:
 * milliseconds, and a counter of the offsets in one of them. */
static uint64_t next_stamp(struct so_hub *hub)
{
    const uint64_t now = so_wall_clock_ms() << STAMP_BITS;
    uint64_t last =
        atomic_load_explicit(&hub->last_offset, memory_order_relaxed);
    uint64_t next;

    do
        next = now > last ? now : last + 1;
    while (!atomic_compare_exchange_weak_explicit(&hub->last_offset, &last,
                                                  next, memory_order_relaxed,
                                                  memory_order_relaxed));
    return next;
}

sio_str so_offset(struct so_hub *hub, char *out)
{
    const uint64_t stamp = next_stamp(hub);
    const uint64_t count = stamp & ((1u << STAMP_BITS) - 1);
    size_t n = append_digits(out, stamp >> STAMP_BITS);

    if (count) {
        out[n++] = '.';
        n += append_digits(out + n, count - 1);
    }
    out[n] = 0;
    return (sio_str){ out, n };
}

/* ------------------------------------------------------------- recording -- */

static size_t packet_bytes(const sio_packet *p)
{
    size_t n = sizeof *p;

    for (size_t i = 0; i < p->count; i++)
        n += sizeof p->parts[i] + http_frame_data(&p->parts[i]).n;
    return n;
}

static size_t names_len(const sio_str *names, size_t count)
{
    size_t n = 0;

    for (size_t i = 0; i < count; i++)
        n += names[i].n;
    return n;
}

/* A copy of `s` at *at, which goes on behind it. */
static sio_str put(char **at, sio_str s)
{
    sio_str copy = { *at, s.n };

    memcpy(*at, s.p, s.n);
    *at += s.n;
    return copy;
}

static struct entry *entry_new(sio_str offset, const sio_broadcast_options *o)
{
    const size_t count = o->room_count + o->except_count;
    const size_t bytes = sizeof(struct entry) + count * sizeof(sio_str) +
                         offset.n + names_len(o->rooms, o->room_count) +
                         names_len(o->except, o->except_count);
    struct entry *e = calloc(1, bytes);
    char *at;

    if (!e)
        return NULL;
    e->bytes = bytes;
    e->flags = o->flags;
    e->room_count = o->room_count;
    e->name_count = count;
    at = (char *)&e->names[count];
    for (size_t i = 0; i < count; i++)
        e->names[i] =
            put(&at,
                i < o->room_count ? o->rooms[i] : o->except[i - o->room_count]);
    map_set_key(&e->node, put(&at, offset));
    return e;
}

static int add_entry(struct so_part *part, struct entry *e)
{
    struct so_recovery *r = &part->shard->recovery;
    int error = map_add(&part->log->by_offset, &e->node, map_key(&e->node));

    if (error < 0)
        return error;
    e->log = part->log;
    e->sent_ms = part->shard->loop->now_ms;
    e->number = ++r->numbers;
    list_append(&part->log->entries, &e->in_log);
    list_append(&r->entries, &e->age);
    r->bytes += e->bytes;
    so_recovery_trim(part->shard);
    return SIO_OK;
}

int so_record(struct so_part *part, sio_str offset, sio_packet *packet,
              const sio_broadcast_options *o, const sio_socket *direct)
{
    sio_str id;
    struct entry *e;
    int r;

    if (!part->log ||
        (part->nsp->members == 0 && map_count(&part->log->sessions) == 0))
        return SIO_OK;
    if (direct) {
        id = (sio_str){ direct->id, direct->id_len };
        e = entry_new(offset, &(sio_broadcast_options){ .rooms = &id,
                                                        .room_count = 1,
                                                        .flags = o->flags });
    } else {
        e = entry_new(offset, o);
    }
    if (!e)
        return SIO_E_NOMEM;
    e->direct = direct != NULL;
    e->packet = eng_packet_ref(packet);
    e->bytes += packet_bytes(packet);
    r = add_entry(part, e);
    if (r < 0) {
        eng_packet_unref(e->packet);
        free(e);
    }
    return r;
}

static void drop(struct so_recovery *r, struct entry *e)
{
    e->log->purged = e->number;
    map_remove(&e->log->by_offset, &e->node);
    list_remove(&e->in_log);
    list_remove(&e->age);
    r->bytes -= e->bytes;
    eng_packet_unref(e->packet);
    free(e);
}

void so_log_drop_oldest(struct so_shard *shard)
{
    drop(&shard->recovery,
         container_of(shard->recovery.entries.next, struct entry, age));
}

void so_log_empty(struct so_shard *shard, struct so_log *log)
{
    while (!list_empty(&log->entries))
        drop(&shard->recovery,
             container_of(log->entries.next, struct entry, in_log));
}

uint64_t so_log_oldest_ms(const struct so_shard *shard)
{
    const struct list *entries = &shard->recovery.entries;

    return list_empty(entries)
               ? UINT64_MAX
               : container_of(entries->next, struct entry, age)->sent_ms;
}

/* --------------------------------------------------------------- reading -- */

uint64_t so_log_find(const struct so_log *log, sio_str offset)
{
    struct map_node *node = map_find(&log->by_offset, offset);

    return node ? container_of(node, struct entry, node)->number : 0;
}

static bool is_in(const sio_socket *socket, sio_str room)
{
    const struct so_part *part = socket->part;

    return part->ops->in_room(part->adapter, socket->slot, room);
}

/* Was it for this one, which is in its rooms again? */
static bool was_meant(const struct entry *e, const sio_socket *socket)
{
    bool meant = e->room_count == 0;

    if (e->direct)
        return str_eq(e->names[0], (sio_str){ socket->id, socket->id_len });
    for (size_t i = 0; !meant && i < e->room_count; i++)
        meant = is_in(socket, e->names[i]);
    for (size_t i = e->room_count; meant && i < e->name_count; i++)
        meant = !is_in(socket, e->names[i]);
    return meant;
}

bool so_log_replay(sio_socket *socket, uint64_t seen)
{
    struct so_log *log = socket->part->log;
    struct list *at = &log->entries;

    if (log->purged > seen)
        return false;
    while (at->prev != &log->entries &&
           container_of(at->prev, struct entry, in_log)->number > seen)
        at = at->prev;
    for (; at != &log->entries; at = at->next) {
        const struct entry *e = container_of(at, struct entry, in_log);

        if (was_meant(e, socket))
            so_socket_send(socket, e->packet, e->flags);
    }
    return true;
}
