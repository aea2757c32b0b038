/*
 * redis_keep.c -- events of this node that are kept in a stream: told to the
 * server where the reading meets them, so that its sockets have everything,
 * also of other nodes, in the order of the stream, which is that of offsets.
 * See redis_streams.h.
 *
 *   XADD --its answer--> the id --the reading is there--> on_kept()
 *        `--the reading meets it first, known by its hash--^
 *
 * A reading that fails is not waited for, nor one that is slow for longer than
 * a command may take, nor an entry that Redis has lost meanwhile. Who does not
 * wait, nor is kept, leaves none behind that waits: what one sends arrives in
 * that order.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/adapter/redis_streams.h"

#include "protocol/base/str.h"

#include <stdlib.h>

struct keeping {
    struct list node; /* in s->keepings, in the order of XADDs */
    struct redis_streams *s;
    struct cl_node *owner;
    void (*on_kept)(void *user, int status, sio_str offset);
    void *user;
    unsigned refs; /* the list, and the answer that is to come */
    bool told;     /* in no list: `s` may be gone */
    int index;     /* of its stream */
    uint64_t hash;
    struct net_timer late; /* runs: the id is known */
    struct pr_offset at;
    char id[REDIS_STREAM_ID];
};

static void unref(struct keeping *k)
{
    if (--k->refs == 0)
        free(k);
}

static void tell(struct keeping *k, int status, const char *id)
{
    k->told = true;
    list_remove(&k->node);
    net_timer_stop(&k->late);
    k->on_kept(k->user, status, str_of(id));
    unref(k);
}

/* Before the reading is there. */
static void tell_early(struct keeping *k, struct redis_stream *stream)
{
    if (pr_offset_compare(stream->early, k->at) < 0)
        stream->early = k->at;
    tell(k, SIO_OK, k->id);
}

void redis_keeping_late(struct net_timer *timer)
{
    struct keeping *k = container_of(timer, struct keeping, late);
    struct redis_reading *reading;

    tell_early(k, redis_streams_find(k->s, k->index, &reading));
}

void redis_keepings_passed(struct redis_streams *s, struct redis_stream *stream)
{
    list_for_each_safe(it, next, &s->keepings)
    {
        struct keeping *k = container_of(it, struct keeping, node);

        if (k->index != stream->index)
            continue;
        if (!k->id[0] || pr_offset_compare(k->at, stream->at) >= 0)
            return; /* nor are those that were sent behind it */
        tell_early(k, stream);
    }
}

void redis_keepings_unread(struct redis_reading *reading)
{
    struct redis_streams *s = reading->owner;

    list_for_each_safe(it, next, &s->keepings)
    {
        struct keeping *k = container_of(it, struct keeping, node);

        for (size_t i = 0; k->id[0] && i < reading->count; i++)
            if (reading->streams[i].index == k->index) {
                tell_early(k, &reading->streams[i]);
                break;
            }
    }
}

/* Others of the same hash have the same to say: the first one it is. What was
 * told before the reading was there is none of those that wait. */
void redis_keeping_met(struct redis_streams *s,
                       const struct redis_stream *stream, uint64_t hash)
{
    if (pr_offset_compare(stream->at, stream->early) <= 0)
        return;
    list_for_each_safe(it, next, &s->keepings)
    {
        struct keeping *k = container_of(it, struct keeping, node);

        if (k->index != stream->index || k->hash != hash)
            continue;
        tell(k, SIO_OK, stream->id);
        return;
    }
}

void redis_keepings_end(struct redis_streams *s)
{
    while (!list_empty(&s->keepings)) {
        struct keeping *k =
            container_of(s->keepings.next, struct keeping, node);

        tell(k, k->id[0] ? SIO_OK : SIO_E_STATE, k->id);
    }
}

static bool take_id(struct keeping *k, const struct redis_reply *reply)
{
    const sio_str id = reply->text;

    if (reply->type != REDIS_STRING || id.n >= sizeof k->id ||
        !pr_offset_read(id, &k->at))
        return false;
    memcpy(k->id, id.p, id.n);
    return true;
}

/* Those of its stream whose entries come before its own. */
static void tell_before(struct keeping *k, struct redis_stream *stream)
{
    struct list *next;

    for (struct list *it = k->s->keepings.next; it != &k->node; it = next) {
        struct keeping *before = container_of(it, struct keeping, node);

        next = it->next;
        if (before->index == k->index && before->id[0])
            tell_early(before, stream);
        if (k->told)
            return; /* all were: it ends */
    }
}

static void end_waiting(struct keeping *k, int status,
                        struct redis_stream *stream)
{
    tell_before(k, stream);
    if (k->told)
        return;
    if (status == SIO_OK)
        tell_early(k, stream);
    else
        tell(k, status, "");
}

static void on_added(void *self, int status, const struct redis_reply *reply)
{
    struct keeping *k = self;
    struct redis_reading *reading;
    struct redis_stream *stream;

    if (status == SIO_OK && !take_id(k, reply))
        status = SIO_E_STATE;
    cl_published(k->owner, status);
    if (!k->told) {
        stream = redis_streams_find(k->s, k->index, &reading);
        if (status < 0 || redis_reading_fails(reading) ||
            pr_offset_compare(k->at, stream->at) <= 0)
            end_waiting(k, status, stream);
        else
            net_timer_start(&k->s->keeping_times, &k->late);
    }
    unref(k);
}

int redis_streams_keep(void *self, const struct pr_message *m,
                       void (*on_kept)(void *user, int status, sio_str offset),
                       void *user)
{
    struct redis_transport *t = self;
    struct keeping *k = calloc(1, sizeof *k);
    int r;

    if (!k)
        return SIO_E_NOMEM;
    k->s = t->streams;
    k->owner = t->node;
    k->on_kept = on_kept;
    k->user = user;
    k->refs = 2;
    k->index = redis_streams_index(t->options, m->nsp);
    net_timer_init(&k->late);
    r = redis_streams_add(t, m, &k->hash, on_added, k);
    if (r < 0) {
        free(k);
        return r;
    }
    list_append(&t->streams->keepings, &k->node);
    return SIO_OK;
}
