/*
 * limits.h -- how many connections all loops may have: together, and from one
 * address.
 *
 * An IPv6 client usually has a whole /64 to choose its addresses from, so that
 * is what counts as one address. Trusted proxies and unix sockets stand for
 * many clients: only the limit in all holds for them.
 *
 * conn.c takes a place for each connection and gives it back. Any thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_NET_LIMITS_H
#define SRC_NET_LIMITS_H

#include "protocol/base/map.h"
#include "src/net/network.h"

#include <pthread.h>

struct net_limits {
    size_t max_connections;            /* 0: no limit */
    size_t max_per_address;            /* 0: no limit */
    const struct net_networks *exempt; /* from max_per_address */
    pthread_mutex_t lock;
    size_t open;          /* connections */
    struct map addresses; /* that have connections: how many */
};

/* The rest of *limits is the caller's to set, before the first connection and
 * never again. SIO_OK or SIO_E_SYS (no randomness). */
int net_limits_init(struct net_limits *limits);
void net_limits_destroy(struct net_limits *limits);

/* A place for a connection of `peer`, while `waiting` others are about to ask
 * for one: SIO_OK, SIO_E_LIMIT, SIO_E_NOMEM. */
int net_limits_take(struct net_limits *limits, size_t waiting,
                    const struct net_address *peer);

void net_limits_give_back(struct net_limits *limits,
                          const struct net_address *peer);

/* No more connections, whoever asks. */
bool net_limits_full(struct net_limits *limits, size_t waiting);

#endif
