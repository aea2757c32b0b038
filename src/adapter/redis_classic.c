/*
 * redis_classic.c -- how the messages of @socket.io/redis-adapter travel: by
 * PUBLISH, in channels of rooms, requests and responses; see
 * protocol/redis/classic.h for their bytes, redis_transport.h for the rest.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/redis/classic.h"

#include "protocol/base/str.h"
#include "src/adapter/redis_transport.h"

#define CLASSIC_UID 6 /* characters, as in Node */

/* ------------------------------------------------------------- receiving -- */

/* A broadcast of ours comes back: an array of three that begins with our uid.
 * That is seen without reading the rest. */
static bool is_own(const struct cl_node *node, sio_str payload)
{
    const sio_str uid = cl_uid(node);

    return payload.n > 2 + uid.n && (uint8_t)payload.p[0] == 0x93 &&
           (uint8_t)payload.p[1] == 0xa0 + uid.n &&
           memcmp(payload.p + 2, uid.p, uid.n) == 0;
}

static void on_message(void *self, sio_str channel, sio_str payload)
{
    const struct redis_ear *ear = self;
    struct cl_nsp *nsp = ear->place->nsp;
    struct cl_node *node = nsp->node;
    const sio_cluster_host *host = node->host;
    const sio_str name = cl_nsp_name(nsp);
    struct pr_message m;
    struct arena arena;
    enum pr_place place;
    enum pr_error e;
    sio_str room;

    place = pr_channel_place(ear->place->t->prefix, name, channel, &room);
    if (place == PR_NOT_OURS)
        return;
    if ((place == PR_BASE || place == PR_NAMED) && is_own(node, payload))
        return;
    if (place == PR_NAMED && !host->has_room(host->self, name, room)) {
        cl_passed_over(node);
        return;
    }
    arena_init(&arena);
    e = pr_classic_decode(&arena, place, payload, &m);
    if (e == PR_E_OK)
        cl_receive(nsp, &m);
    else
        cl_refuse(node, name, pr_error_text(e));
    arena_free(&arena);
}

static const struct redis_sub_ops sub_ops = { on_message, redis_ear_status };

static int listen_to_pattern(struct redis_transport *t, struct redis_place *p,
                             sio_str nsp)
{
    int r;

    redis_transport_clear(t);
    r = pr_channel_pattern(&t->channel, t->prefix, nsp);
    return r < 0 ? r : redis_place_listen(p, REDIS_PATTERN, &sub_ops);
}

static int listen_to_requests(struct redis_transport *t, struct redis_place *p,
                              sio_str nsp)
{
    int r;

    redis_transport_clear(t);
    r = pr_channel_request(&t->channel, t->prefix, nsp);
    return r < 0 ? r : redis_place_listen(p, REDIS_CHANNEL, &sub_ops);
}

/* uid.n 0: those for all nodes. */
static int listen_to_responses(struct redis_transport *t, struct redis_place *p,
                               sio_str nsp, sio_str uid)
{
    int r;

    redis_transport_clear(t);
    r = pr_channel_response(&t->channel, t->prefix, nsp, uid);
    return r < 0 ? r : redis_place_listen(p, REDIS_CHANNEL, &sub_ops);
}

static int add(void *self, struct cl_nsp *nsp)
{
    struct redis_transport *t = self;
    const sio_str name = cl_nsp_name(nsp);
    struct redis_place *p;
    int r = redis_place_new(t, nsp);

    if (r < 0)
        return r;
    p = redis_place_of(nsp);
    r = listen_to_pattern(t, p, name);
    if (r == SIO_OK)
        r = listen_to_requests(t, p, name);
    if (r == SIO_OK)
        r = listen_to_responses(t, p, name, (sio_str){ NULL, 0 });
    if (r == SIO_OK)
        r = listen_to_responses(t, p, name, cl_uid(t->node));
    if (r < 0)
        redis_place_free(p);
    return r;
}

/* --------------------------------------------------------------- sending -- */

static int publish(void *self, const struct cl_nsp *nsp,
                   const struct pr_message *m, sio_str asker)
{
    struct redis_transport *t = self;
    int r;

    if (!t->options->publish_on_specific_response_channel)
        asker.n = 0;
    redis_transport_clear(t);
    r = pr_classic_channel(&t->channel, t->prefix, cl_nsp_name(nsp), m, asker);
    if (r == SIO_OK)
        r = pr_classic_encode(&t->payload, m);
    return r < 0 ? r : redis_transport_publish(t, false);
}

/* Each node has one subscription to the channel of requests. */
static int count(void *self, const struct cl_nsp *nsp, cl_on_count *on_count,
                 void *user)
{
    struct redis_transport *t = self;
    int r;

    redis_transport_clear(t);
    r = pr_channel_request(&t->channel, t->prefix, cl_nsp_name(nsp));
    return r < 0 ? r
                 : redis_count(t->redis, REDIS_CHANNEL, grow_str(&t->channel),
                               on_count, user);
}

const struct cl_transport_ops redis_classic_ops = {
    .uid_len = CLASSIC_UID,
    .add = add,
    .remove = redis_nsp_remove,
    .ready = redis_nsp_ready,
    .publish = publish,
    .count = count,
};
