/*
 * redis_transport.c -- see redis_transport.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/adapter/redis_transport.h"

#include "protocol/base/str.h"

#include <stdlib.h>

void redis_transport_init(struct redis_transport *t,
                          const sio_redis_options *options,
                          struct cl_node *node, struct redis *redis)
{
    *t = (struct redis_transport){ .options = options,
                                   .node = node,
                                   .redis = redis,
                                   .prefix = str_of(options->prefix),
                                   .mode = redis_settings_mode(options) };
    grow_init(&t->channel, REDIS_NAME_MAX);
    grow_init(&t->payload, options->max_queued);
}

void redis_transport_free(struct redis_transport *t)
{
    grow_free(&t->channel);
    grow_free(&t->payload);
}

/* --------------------------------------------------------- subscriptions -- */

int redis_place_new(struct redis_transport *t, struct cl_nsp *nsp)
{
    struct redis_place *p = calloc(1, sizeof *p);

    if (!p)
        return SIO_E_NOMEM;
    p->t = t;
    p->nsp = nsp;
    map_init(&p->rooms, t->node->namespaces.seed);
    nsp->at = p;
    return SIO_OK;
}

void redis_place_free(struct redis_place *p)
{
    for (size_t i = 0; i < p->count; i++)
        redis_unsubscribe(p->ears[i].sub);
    p->nsp->at = NULL;
    free(p);
}

int redis_place_listen(struct redis_place *p, enum redis_kind kind,
                       const struct redis_sub_ops *ops)
{
    struct redis_ear *ear = &p->ears[p->count];
    int r;

    *ear = (struct redis_ear){ .place = p };
    r = redis_subscribe(p->t->redis, kind, grow_str(&p->t->channel), ops, ear,
                        &ear->sub);
    if (r == SIO_OK)
        p->count++;
    return r;
}

int redis_nsp_add(struct redis_transport *t, struct cl_nsp *nsp,
                  enum redis_kind kind, const struct redis_sub_ops *ops)
{
    const sio_str name = cl_nsp_name(nsp);
    struct redis_place *p;
    int r = redis_place_new(t, nsp);

    if (r < 0)
        return r;
    p = redis_place_of(nsp);
    redis_transport_clear(t);
    r = pr_channel_base(&t->channel, t->prefix, name);
    if (r == SIO_OK)
        r = redis_place_listen(p, kind, ops);
    redis_transport_clear(t);
    if (r == SIO_OK)
        r = pr_channel_named(&t->channel, t->prefix, name, cl_uid(t->node));
    if (r == SIO_OK)
        r = redis_place_listen(p, kind, ops);
    if (r < 0)
        redis_place_free(p);
    return r;
}

void redis_nsp_remove(void *self, struct cl_nsp *nsp)
{
    (void)self;
    redis_place_free(redis_place_of(nsp));
}

bool redis_nsp_ready(void *self, const struct cl_nsp *nsp)
{
    const struct redis_place *p = redis_place_of(nsp);

    (void)self;
    for (size_t i = 0; i < p->count; i++)
        if (!p->ears[i].active)
            return false;
    return true;
}

int redis_nsp_count(struct redis_transport *t, const struct cl_nsp *nsp,
                    enum redis_kind kind, cl_on_count *on_count, void *user)
{
    int r;

    redis_transport_clear(t);
    r = pr_channel_base(&t->channel, t->prefix, cl_nsp_name(nsp));
    return r < 0 ? r
                 : redis_count(t->redis, kind, grow_str(&t->channel), on_count,
                               user);
}

void redis_ear_status(void *self, bool active, const char *why)
{
    struct redis_ear *ear = self;

    (void)why;
    ear->active = active;
}

/* ----------------------------------------------------------------- state -- */

sio_cluster_state redis_cluster_state(enum redis_state state)
{
    static const sio_cluster_state states[] = {
        [REDIS_CONNECTING] = SIO_CLUSTER_CONNECTING,
        [REDIS_READY] = SIO_CLUSTER_READY,
        [REDIS_DEGRADED] = SIO_CLUSTER_DEGRADED,
    };

    return states[state];
}

/* ------------------------------------------------------------ publishing -- */

static void on_published(void *self, int status,
                         const struct redis_reply *reply)
{
    struct redis_transport *t = self;

    if (status == SIO_OK && reply->type == REDIS_ERROR)
        status = SIO_E_SYS;
    cl_published(t->node, status);
}

void redis_transport_clear(struct redis_transport *t)
{
    t->channel.len = 0;
    t->payload.len = 0;
    if (t->payload.cap > REDIS_SCRATCH)
        grow_free(&t->payload);
}

int redis_transport_publish(struct redis_transport *t, bool sharded)
{
    const sio_str channel = grow_str(&t->channel);
    const sio_str argv[] = { sharded ? STR("SPUBLISH") : STR("PUBLISH"),
                             channel, grow_str(&t->payload) };

    return redis_command(t->redis, sharded ? channel : (sio_str){ NULL, 0 },
                         argv, 3, on_published, t);
}
