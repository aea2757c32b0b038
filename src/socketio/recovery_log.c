/*
 * recovery_log.c -- the events that were sent, for those who come back: see
 * recovery.h.
 *
 *   hub->recovery.entries   all of the server, the oldest first: what is
 *                           dropped, whose time is over
 *   log->entries            those of one namespace, in the same order
 *   log->by_offset          where a client that comes back goes on
 *
 * With several loops an entry also has its place in the order of each of them.
 * An event that was recorded before another one, and was executed after it on
 * some loop, was still open there when that one was recorded: so whoever has an
 * entry of a loop has all that is older than the first one that was open then
 * (`below`), and of the rest what the loop had executed before.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/socketio/recovery.h"

#include "src/engine/packet.h"
#include "src/socketio/bus.h"

#include <stdlib.h>

#define STAMP_BITS 12 /* of the counter in an offset */

/* Of an entry, when there are several loops. */
struct places {
    uint64_t below; /* the first number that was open, or that behind its own */
    size_t open;    /* loops that are still to execute it */
    uint64_t at[];  /* of each loop: as the how many-th it has; 0: not yet */
};

struct entry {
    struct map_node node; /* in log->by_offset */
    struct list in_log, age;
    struct so_log *log; /* NULL: it was dropped, and has readers */
    sio_packet *packet;
    struct places *places; /* NULL: there is one loop */
    uint64_t number, sent_ms;
    size_t bytes;
    unsigned flags;
    unsigned readers;                /* that use it without the lock */
    uint32_t room_count, name_count; /* rooms, then exceptions */
    bool direct;     /* names[0] is the id of the one that it was sent to */
    sio_str names[]; /* they, places and texts stand behind */
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

static size_t places_bytes(const struct so_hub *hub)
{
    return hub->shard_count > 1
               ? sizeof(struct places) + hub->shard_count * sizeof(uint64_t)
               : 0;
}

static struct entry *entry_new(const struct so_hub *hub, sio_str offset,
                               const sio_broadcast_options *o)
{
    const size_t count = o->room_count + o->except_count;
    const size_t places = places_bytes(hub);
    const size_t bytes = sizeof(struct entry) + count * sizeof(sio_str) +
                         places + offset.n +
                         names_len(o->rooms, o->room_count) +
                         names_len(o->except, o->except_count);
    struct entry *e = calloc(1, bytes);
    char *at;

    if (!e)
        return NULL;
    e->bytes = bytes;
    e->flags = o->flags;
    e->room_count = (uint32_t)o->room_count;
    e->name_count = (uint32_t)count;
    at = (char *)&e->names[count];
    if (places)
        e->places = (struct places *)(void *)at;
    at += places;
    for (size_t i = 0; i < count; i++)
        e->names[i] =
            put(&at,
                i < o->room_count ? o->rooms[i] : o->except[i - o->room_count]);
    map_set_key(&e->node, put(&at, offset));
    return e;
}

static void entry_free(struct entry *e)
{
    eng_packet_unref(e->packet);
    free(e);
}

static struct entry *entry_of(const struct so_request *q,
                              const struct so_hub *hub)
{
    const sio_socket *to = q->socket;
    sio_str id;
    struct entry *e;

    if (to) {
        id = (sio_str){ to->id, to->id_len };
        e = entry_new(hub, q->offset,
                      &(sio_broadcast_options){ .rooms = &id,
                                                .room_count = 1,
                                                .flags = q->options.flags });
    } else {
        e = entry_new(hub, q->offset, &q->options);
    }
    if (!e)
        return NULL;
    e->direct = to != NULL;
    e->packet = eng_packet_ref(q->packet);
    e->bytes += packet_bytes(q->packet);
    return e;
}

static struct entry *by_age(struct list *age)
{
    return container_of(age, struct entry, age);
}

static bool is_open(const struct entry *e)
{
    return e->places && e->places->open;
}

/* The entry is the next one; `here` executes it now. */
static void note_places(struct so_hub *hub, struct entry *e, bool direct,
                        struct so_shard *here)
{
    struct so_recovery *r = &hub->recovery;

    while (r->open != &r->entries && !is_open(by_age(r->open)))
        r->open = r->open->next;
    e->places->below =
        r->open == &r->entries ? e->number + 1 : by_age(r->open)->number;
    e->places->open = (direct ? 1 : hub->shard_count) - (here != NULL);
    if (here)
        e->places->at[here->index] = ++here->comebacks.executed;
    if (r->open == &r->entries)
        r->open = &e->age;
}

static int add_entry(struct so_hub *hub, struct so_log *log, struct entry *e,
                     struct so_shard *here, uint64_t now)
{
    struct so_recovery *r = &hub->recovery;
    int error = map_add(&log->by_offset, &e->node, map_key(&e->node));

    if (error < 0)
        return error;
    e->log = log;
    e->sent_ms = now;
    if (!list_empty(&r->entries) && by_age(r->entries.prev)->sent_ms > now)
        e->sent_ms =
            by_age(r->entries.prev)->sent_ms; /* another loop's clock */
    e->number = ++r->numbers;
    if (e->places)
        note_places(hub, e, e->direct, here);
    list_append(&log->entries, &e->in_log);
    list_append(&r->entries, &e->age);
    r->bytes += e->bytes;
    return SIO_OK;
}

/* Is there nobody who could ever ask? Whoever comes back is a member before its
 * session is taken, whoever goes one until its session is there. */
static bool is_pointless(const sio_namespace *nsp)
{
    return !nsp->log ||
           (nsp->members == 0 && map_count(&nsp->log->sessions) == 0);
}

static uint64_t time_of(const struct so_hub *hub, const struct so_shard *here)
{
    const struct net_loop *loop = hub->shards->loop;

    return here ? here->loop->now_ms : loop->clock(loop->clock_self);
}

int so_record(const struct so_request *q, struct so_shard *here,
              uint64_t *number)
{
    sio_namespace *nsp = q->nsp;
    struct so_hub *hub = nsp->hub;
    uint64_t now = time_of(hub, here);
    struct so_session *dropped = NULL;
    struct entry *e;
    int r = SIO_OK;

    if (hub->shard_count == 1 && is_pointless(nsp))
        return SIO_OK;
    e = entry_of(q, hub);
    if (!e)
        return SIO_E_NOMEM;
    so_recovery_lock(hub);
    if (hub->shard_count == 1 || !is_pointless(nsp)) {
        r = add_entry(hub, nsp->log, e, here, now);
        if (r == SIO_OK) {
            *number = e->number;
            e = NULL;
            so_recovery_trim(hub, here, now, &dropped);
        }
    }
    so_recovery_unlock(hub);
    if (e)
        entry_free(e);
    so_sessions_free(dropped);
    return r;
}

static struct entry *find_entry(const struct so_log *log, sio_str offset)
{
    struct map_node *node = log ? map_find(&log->by_offset, offset) : NULL;

    return node ? container_of(node, struct entry, node) : NULL;
}

void so_record_executed(struct so_part *part, const struct so_request *q)
{
    struct so_shard *here = part->shard;
    struct so_hub *hub = here->hub;
    struct so_session *dropped = NULL;
    struct entry *e;

    if (!q->number)
        return;
    so_recovery_lock(hub);
    e = find_entry(part->nsp->log, q->offset);
    if (e) {
        e->places->at[here->index] = ++here->comebacks.executed;
        e->places->open--;
    }
    so_recovery_trim(hub, here, here->loop->now_ms, &dropped);
    so_recovery_unlock(hub);
    so_sessions_free(dropped);
}

void so_record_undo(const struct so_request *q)
{
    struct so_hub *hub = q->nsp->hub;
    struct entry *e;

    so_recovery_lock(hub);
    e = find_entry(q->nsp->log, q->offset);
    if (e && e->places)
        e->places->open = 0;
    so_recovery_unlock(hub);
}

/* -------------------------------------------------------------- dropping -- */

static void drop(struct so_hub *hub, struct entry *e)
{
    struct so_recovery *r = &hub->recovery;

    if (r->open == &e->age)
        r->open = e->age.next;
    e->log->purged = e->number;
    map_remove(&e->log->by_offset, &e->node);
    list_remove(&e->in_log);
    list_remove(&e->age);
    r->bytes -= e->bytes;
    e->log = NULL;
    if (!e->readers)
        entry_free(e);
}

/* An open one stays: it is in the letters to those loops all the same, and who
 * comes back meanwhile could not be told that it is gone. */
bool so_log_drop_oldest(struct so_hub *hub)
{
    struct entry *e = by_age(hub->recovery.entries.next);

    if (is_open(e))
        return false;
    drop(hub, e);
    return true;
}

void so_log_empty(struct so_hub *hub, struct so_log *log)
{
    while (!list_empty(&log->entries))
        drop(hub, container_of(log->entries.next, struct entry, in_log));
}

void so_log_clear(struct so_hub *hub)
{
    while (!list_empty(&hub->recovery.entries))
        drop(hub, by_age(hub->recovery.entries.next));
}

uint64_t so_log_oldest_ms(const struct so_hub *hub)
{
    const struct list *entries = &hub->recovery.entries;

    return list_empty(entries) ? UINT64_MAX : by_age(entries->next)->sent_ms;
}

/* --------------------------------------------------------------- reading -- */

/* As the how many-th a loop has executed it; 0: not yet, or never will. */
static uint64_t place_on(const struct entry *e, size_t loop)
{
    return e->places ? e->places->at[loop] : e->number;
}

static bool has_entry(const struct so_has *has, const struct entry *e)
{
    uint64_t place;

    if (e->number < has->below)
        return true;
    place = place_on(e, has->loop);
    return place && place <= has->there;
}

/* Is it of this stretch, from the log or as the loop has executed it? */
static bool is_from_log(const struct so_stretch *st, const struct entry *e)
{
    return e->number <= st->sent;
}

static bool is_live(const struct so_stretch *st, const struct entry *e)
{
    const uint64_t place = place_on(e, st->loop);

    return place && place <= st->to;
}

/* The stretch that a client gets it in; `count`: none so far. */
static size_t stretch_of(const struct so_stream *s, const struct entry *e)
{
    size_t i = 0;

    while (i < s->count && !is_from_log(&s->stretches[i], e) &&
           !is_live(&s->stretches[i], e))
        i++;
    return i;
}

static void move_on(struct so_stream *s, size_t i, const struct entry *e)
{
    const struct so_stretch *st = &s->stretches[i];

    if (!is_from_log(st, e)) {
        s->has = (struct so_has){ .below = e->places->below > st->sent
                                               ? e->places->below
                                               : st->sent + 1,
                                  .there = place_on(e, st->loop),
                                  .loop = st->loop };
    } else {
        if (i > 0)
            s->has = (struct so_has){ .there = st[-1].to, .loop = st[-1].loop };
        s->has.below = e->number + 1;
    }
    s->count -= i;
    memmove(s->stretches, st, s->count * sizeof *st);
}

bool so_log_find(const struct so_log *log, sio_str offset, struct so_stream *s)
{
    const struct entry *e = find_entry(log, offset);
    size_t i;

    if (!e)
        return false;
    if (!e->places) {
        s->has.below = e->number + 1;
    } else if (!has_entry(&s->has, e)) {
        i = stretch_of(s, e);
        if (i == s->count || e->number <= s->forgotten)
            return false; /* nobody has sent it, or it is not known when */
        move_on(s, i, e);
    }
    return log->purged < s->has.below;
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

/* Entries that are read: they stay, even if they are dropped. */
struct read_entry {
    struct entry *entry;
    uint64_t stretch, key; /* what its order is by */
};

struct reading {
    struct read_entry *items;
    size_t count;
};

/* In a stretch, what is from the log comes first, by number. */
static struct read_entry read_one(const struct so_stream *s, struct entry *e)
{
    const size_t i = stretch_of(s, e);

    e->readers++;
    if (i == s->count || is_from_log(&s->stretches[i], e))
        return (struct read_entry){ e, 2 * i, e->number };
    return (struct read_entry){ e, 2 * i + 1,
                                place_on(e, s->stretches[i].loop) };
}

static int compare(const void *a, const void *b)
{
    const struct read_entry *x = a, *y = b;

    if (x->stretch != y->stretch)
        return x->stretch < y->stretch ? -1 : 1;
    return x->key < y->key ? -1 : x->key > y->key;
}

static struct list *first_missed(struct so_log *log, const struct so_has *has,
                                 size_t *count)
{
    struct list *at = &log->entries;

    for (*count = 0; at->prev != &log->entries; ++*count) {
        if (container_of(at->prev, struct entry, in_log)->number < has->below)
            break;
        at = at->prev;
    }
    return at;
}

/* What the client of a stream misses, with the lock. */
static int read_missed(struct so_log *log, const struct so_stream *s,
                       struct reading *reading)
{
    struct list *at;
    size_t most;

    *reading = (struct reading){ NULL, 0 };
    if (!log || log->purged >= s->has.below)
        return SIO_E_STATE;
    at = first_missed(log, &s->has, &most);
    if (most == 0)
        return SIO_OK;
    reading->items = malloc(most * sizeof *reading->items);
    if (!reading->items)
        return SIO_E_NOMEM;
    for (; at != &log->entries; at = at->next) {
        struct entry *e = container_of(at, struct entry, in_log);

        if (!has_entry(&s->has, e))
            reading->items[reading->count++] = read_one(s, e);
    }
    return SIO_OK;
}

static void reading_end(struct so_hub *hub, struct reading *reading)
{
    so_recovery_lock(hub);
    for (size_t i = 0; i < reading->count; i++) {
        struct entry *e = reading->items[i].entry;

        if (--e->readers == 0 && !e->log)
            entry_free(e);
    }
    so_recovery_unlock(hub);
    free(reading->items);
}

int so_log_replay(sio_socket *socket)
{
    struct so_shard *here = socket->part->shard;
    struct so_hub *hub = here->hub;
    const struct so_stream *stream = socket->resume->stream;
    struct reading reading;
    int r;

    so_recovery_lock(hub);
    r = read_missed(socket->part->nsp->log, stream, &reading);
    socket->resume->sent = hub->recovery.numbers;
    socket->resume->began = here->comebacks.executed;
    so_recovery_unlock(hub);
    if (hub->shard_count > 1)
        here->comebacks.late = socket->resume->sent;
    if (stream->count && reading.count)
        qsort(reading.items, reading.count, sizeof *reading.items, compare);
    for (size_t i = 0; i < reading.count; i++) {
        const struct entry *e = reading.items[i].entry;

        if (was_meant(e, socket))
            so_socket_send(socket, e->packet, e->flags);
    }
    if (reading.items)
        reading_end(hub, &reading);
    return r;
}
