/*
 * redis_streams.c -- how the messages of @socket.io/redis-streams-adapter
 * travel: what wants no answer as entries of a stream, which Redis keeps for
 * those who are cut off; questions and answers on channels. See
 * protocol/redis/stream.h for their bytes, redis_reading.c for what comes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/adapter/redis_streams.h"

#include "protocol/base/str.h"
#include "protocol/redis/cluster.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static enum redis_kind kind_of(const struct redis_transport *t)
{
    return t->options->use_sharded_pub_sub ? REDIS_SHARD : REDIS_CHANNEL;
}

/* ------------------------------------------------------------- namespaces --
 */

static void on_message(void *self, sio_str channel, sio_str payload)
{
    const struct redis_ear *ear = self;
    struct cl_nsp *nsp = ear->place->nsp;
    struct cl_node *node = nsp->node;
    struct pr_message m;
    struct arena arena;
    enum pr_error e;

    (void)channel;
    arena_init(&arena);
    e = pr_cluster_decode(&arena, payload, PR_MSGPACK, &m);
    if (e == PR_E_OK)
        cl_receive(nsp, &m);
    else
        cl_refuse(node, cl_nsp_name(nsp), pr_error_text(e));
    arena_free(&arena);
}

static const struct redis_sub_ops sub_ops = { on_message, redis_ear_status };

static int add(void *self, struct cl_nsp *nsp)
{
    return redis_nsp_add(self, nsp, kind_of(self), &sub_ops);
}

static int count(void *self, const struct cl_nsp *nsp, cl_on_count *on_count,
                 void *user)
{
    return redis_nsp_count(self, nsp, kind_of(self), on_count, user);
}

/* --------------------------------------------------------------- sending -- */

int redis_streams_index(const sio_redis_options *o, sio_str nsp)
{
    const int index = pr_stream_index(nsp, (int)o->stream_count);

    return index < 0 ? -index : index;
}

int redis_xadd_write(struct redis_xadd *x, const sio_redis_options *o,
                     const struct pr_message *m, struct grow *key,
                     struct grow *payload)
{
    int r = pr_stream_name(key, str_of(o->stream_name), (int)o->stream_count,
                           redis_streams_index(o, m->nsp));

    if (r == SIO_OK)
        r = pr_entry_encode(payload, m, o->only_plaintext, &x->entry);
    if (r < 0)
        return r;
    snprintf(x->max_len, sizeof x->max_len, "%" PRIu64, o->max_len);
    x->argv[0] = STR("XADD");
    x->argv[REDIS_XADD_KEY] = grow_str(key);
    x->argv[2] = STR("MAXLEN");
    x->argv[3] = STR("~");
    x->argv[4] = str_of(x->max_len);
    x->argv[5] = STR("*");
    memcpy(x->argv + REDIS_XADD_FIELDS, x->entry.fields,
           x->entry.count * sizeof *x->argv);
    x->argc = REDIS_XADD_FIELDS + x->entry.count;
    return SIO_OK;
}

/* The same event of the same namespace has the same. */
uint64_t redis_entry_hash(const struct redis_streams *s, sio_str nsp,
                          sio_str data)
{
    const uint64_t *seed = s->t->node->namespaces.seed;

    return map_hash(seed, data) * 3 + map_hash(seed, nsp);
}

int redis_streams_add(struct redis_transport *t, const struct pr_message *m,
                      uint64_t *hash, redis_on_reply *on_reply, void *self)
{
    struct redis_xadd x;
    int r;

    redis_transport_clear(t);
    r = redis_xadd_write(&x, t->options, m, &t->channel, &t->payload);
    if (r < 0)
        return r;
    *hash = redis_entry_hash(t->streams, m->nsp, x.entry.fields[7]);
    return redis_command(t->redis, x.argv[REDIS_XADD_KEY], x.argv, x.argc,
                         on_reply, self);
}

static void on_added(void *self, int status, const struct redis_reply *reply)
{
    struct redis_transport *t = self;

    if (status == SIO_OK && reply->type != REDIS_STRING)
        status = SIO_E_SYS;
    cl_published(t->node, status);
}

static int publish(void *self, const struct cl_nsp *nsp,
                   const struct pr_message *m, sio_str asker)
{
    struct redis_transport *t = self;
    uint64_t unused;
    int r;

    if (pr_entry_type(m))
        return redis_streams_add(t, m, &unused, on_added, t);
    redis_transport_clear(t);
    r = pr_cluster_channel(&t->channel, t->prefix, cl_nsp_name(nsp), PR_STATIC,
                           m, asker);
    if (r == SIO_OK)
        r = pr_cluster_encode(&t->payload, PR_MSGPACK, m);
    return r < 0 ? r
                 : redis_transport_publish(t, t->options->use_sharded_pub_sub);
}

const struct cl_transport_ops redis_streams_ops = {
    .needs_asker = true,
    .uid_len = CL_UID_LEN,
    .add = add,
    .remove = redis_nsp_remove,
    .ready = redis_nsp_ready,
    .publish = publish,
    .keep = redis_streams_keep,
    .count = count,
};

/* ---------------------------------------------------- beginning and end -- */

static int add_stream(struct redis_streams *s, struct redis_reading *r,
                      int index)
{
    const sio_redis_options *o = s->t->options;
    struct redis_stream *stream = &r->streams[r->count++];
    char *name;
    int result;

    redis_transport_clear(s->t);
    result = pr_stream_name(&s->t->channel, str_of(o->stream_name),
                            (int)o->stream_count, index);
    if (result < 0)
        return result;
    name = arena_alloc(&s->names, s->t->channel.len + 1);
    if (!name)
        return SIO_E_NOMEM;
    if (s->t->channel.len)
        memcpy(name, s->t->channel.data, s->t->channel.len);
    stream->name = (sio_str){ name, s->t->channel.len };
    stream->index = index;
    return SIO_OK;
}

/* Those of negative numbers, to which Node adds, are read with their
 * neighbours; but in a Redis Cluster they may be at another master. */
static int make_readings(struct redis_streams *s)
{
    const sio_redis_options *o = s->t->options;
    const int n = (int)o->stream_count;
    int result = SIO_OK;

    s->count = (size_t)(o->cluster ? 2 * n - 1 : n);
    s->readings = calloc(s->count, sizeof *s->readings);
    if (!s->readings)
        return SIO_E_NOMEM;
    for (size_t i = 0; i < s->count; i++) {
        s->readings[i].owner = s;
        s->readings[i].limit = o->read_count;
        net_timer_init(&s->readings[i].retry);
    }
    for (int i = 0; i < n && result == SIO_OK; i++)
        result = add_stream(s, &s->readings[i], i);
    for (int i = 1; i < n && result == SIO_OK; i++)
        result = add_stream(s, &s->readings[o->cluster ? n - 1 + i : i], -i);
    return result;
}

static int open_readings(struct redis_streams *s,
                         const struct redis_options *client, char *why,
                         size_t why_size)
{
    int r = SIO_OK;

    for (size_t i = 0; i < s->count && r == SIO_OK; i++)
        r = redis_reading_open(&s->readings[i], client, why, why_size);
    return r;
}

int redis_streams_open(struct redis_transport *t,
                       const struct redis_options *client,
                       void (*on_change)(void *self), void *self, char *why,
                       size_t why_size)
{
    struct redis_options reading = *client;
    struct redis_streams *s = calloc(1, sizeof *s);
    const uint32_t room = UINT32_MAX - client->command_timeout_ms;
    int r;

    if (!s)
        return SIO_E_NOMEM;
    s->t = t;
    s->on_change = on_change;
    s->self = self;
    arena_init(&s->names);
    list_init(&s->restores);
    list_init(&s->keepings);
    net_timer_queue_init(&s->keeping_times, t->node->loop,
                         client->command_timeout_ms, redis_keeping_late);
    net_timer_queue_init(&s->retries, t->node->loop, REDIS_READ_RETRY_MS,
                         redis_reading_retry);
    t->streams = s;
    reading.command_timeout_ms +=
        t->options->block_time_ms < room ? t->options->block_time_ms : room;
    r = make_readings(s);
    if (r == SIO_OK)
        r = open_readings(s, &reading, why, why_size);
    if (r < 0)
        redis_streams_close(t);
    return r;
}

void redis_streams_close(struct redis_transport *t)
{
    struct redis_streams *s = t->streams;

    if (!s)
        return;
    s->closed = true;
    redis_keepings_end(s);
    redis_sessions_end(s);
    for (size_t i = 0; s->readings && i < s->count; i++)
        redis_reading_close(&s->readings[i]);
    net_timer_queue_close(&s->retries);
    net_timer_queue_close(&s->keeping_times);
    arena_free(&s->names);
    free(s->readings);
    free(s);
    t->streams = NULL;
}

bool redis_reading_fails(const struct redis_reading *r)
{
    return r->refused || r->state == REDIS_DEGRADED;
}

struct redis_stream *redis_streams_find(struct redis_streams *s, int index,
                                        struct redis_reading **reading)
{
    for (size_t i = 0; i < s->count; i++)
        for (size_t k = 0; k < s->readings[i].count; k++)
            if (s->readings[i].streams[k].index == index) {
                *reading = &s->readings[i];
                return &s->readings[i].streams[k];
            }
    return NULL; /* there is none such */
}

enum redis_state redis_streams_state(const struct redis_transport *t,
                                     const char **why)
{
    enum redis_state worst = REDIS_READY;

    *why = "";
    for (size_t i = 0; t->streams && i < t->streams->count; i++) {
        const struct redis_reading *r = &t->streams->readings[i];

        if (redis_reading_fails(r)) {
            *why = r->why;
            return REDIS_DEGRADED;
        }
        if (r->state == REDIS_CONNECTING || r->pinned < r->count)
            worst = REDIS_CONNECTING;
    }
    return worst;
}

void redis_streams_add_stats(const struct redis_transport *t,
                             struct redis_stats *stats)
{
    struct redis_stats s;

    for (size_t i = 0; t->streams && i < t->streams->count; i++) {
        redis_get_stats(t->streams->readings[i].redis, &s);
        stats->connects += s.connects;
        stats->failures += s.failures;
    }
}
