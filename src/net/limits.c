/*
 * limits.c -- see limits.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/net/limits.h"

#include "protocol/base/list.h"
#include "src/net/random.h"

#include <stdlib.h>

#define KEY_V4 4 /* bytes of an address that tell clients apart */
#define KEY_V6 8

struct counted {
    struct map_node node; /* in limits->addresses */
    size_t connections;
    uint8_t key[KEY_V6];
};

int net_limits_init(struct net_limits *limits)
{
    uint64_t seed[2];
    int r = net_random(seed, sizeof seed);

    if (r < 0)
        return r;
    *limits = (struct net_limits){ 0 };
    map_init(&limits->addresses, seed);
    pthread_mutex_init(&limits->lock, NULL);
    return SIO_OK;
}

void net_limits_destroy(struct net_limits *limits)
{
    pthread_mutex_destroy(&limits->lock);
}

static bool is_full(const struct net_limits *limits, size_t waiting)
{
    return limits->max_connections &&
           limits->open + waiting >= limits->max_connections;
}

bool net_limits_full(struct net_limits *limits, size_t waiting)
{
    bool full;

    pthread_mutex_lock(&limits->lock);
    full = is_full(limits, waiting);
    pthread_mutex_unlock(&limits->lock);
    return full;
}

/* What is the same for all connections of the client; n 0: not counted. */
static sio_str key_of(const struct net_limits *limits,
                      const struct net_address *peer)
{
    sio_str key = { (const char *)peer->ip, 0 };

    if (limits->max_per_address && !net_networks_have(limits->exempt, peer))
        key.n = peer->family == AF_INET    ? KEY_V4
                : peer->family == AF_INET6 ? KEY_V6
                                           : 0;
    return key;
}

static struct counted *find(const struct net_limits *limits, sio_str key)
{
    struct map_node *node = map_find(&limits->addresses, key);

    return node ? container_of(node, struct counted, node) : NULL;
}

static int add(struct net_limits *limits, sio_str key)
{
    struct counted *c = calloc(1, sizeof *c);
    int r;

    if (!c)
        return SIO_E_NOMEM;
    c->connections = 1;
    memcpy(c->key, key.p, key.n);
    r = map_add(&limits->addresses, &c->node,
                (sio_str){ (const char *)c->key, key.n });
    if (r < 0)
        free(c);
    return r;
}

static int take(struct net_limits *limits, sio_str key)
{
    struct counted *c;

    if (key.n == 0)
        return SIO_OK;
    c = find(limits, key);
    if (!c)
        return add(limits, key);
    if (c->connections >= limits->max_per_address)
        return SIO_E_LIMIT;
    c->connections++;
    return SIO_OK;
}

int net_limits_take(struct net_limits *limits, size_t waiting,
                    const struct net_address *peer)
{
    int r = SIO_E_LIMIT;

    pthread_mutex_lock(&limits->lock);
    if (!is_full(limits, waiting)) {
        r = take(limits, key_of(limits, peer));
        limits->open += r == SIO_OK;
    }
    pthread_mutex_unlock(&limits->lock);
    return r;
}

static void give_back(struct net_limits *limits, sio_str key)
{
    struct counted *c = key.n ? find(limits, key) : NULL;

    if (!c || --c->connections)
        return;
    map_remove(&limits->addresses, &c->node);
    free(c);
}

void net_limits_give_back(struct net_limits *limits,
                          const struct net_address *peer)
{
    pthread_mutex_lock(&limits->lock);
    limits->open--;
    give_back(limits, key_of(limits, peer));
    pthread_mutex_unlock(&limits->lock);
}
