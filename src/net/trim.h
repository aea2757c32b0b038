/*
 * trim.h -- memory goes back to the system after many connections have gone.
 *
 * The allocator keeps what is freed amid its heap. When most connections of a
 * loop have left, and for a while nobody has come instead, it is asked to give
 * whole pages back, once: one to two milliseconds for each 100 MB of heap.
 *
 * Loop thread only.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_NET_TRIM_H
#define SRC_NET_TRIM_H

#include "src/net/loop.h"

#define NET_TRIM_CONNS 1000 /* there must have been so many */
#define NET_TRIM_PART 4     /* and no more than 1 of so many is left */
#define NET_TRIM_MS 2000    /* for so long */

void net_trim_init(struct net_loop *loop);

/* Few enough are left. */
void net_trim_later(struct net_loop *loop);

/* loop->conn_count has grown. */
static inline void net_trim_grown(struct net_loop *loop)
{
    if (loop->conn_count > loop->conn_peak)
        loop->conn_peak = loop->conn_count;
}

/* It has shrunk. */
static inline void net_trim_shrunk(struct net_loop *loop)
{
    if (loop->conn_peak >= NET_TRIM_CONNS &&
        loop->conn_count <= loop->conn_peak / NET_TRIM_PART)
        net_trim_later(loop);
}

#endif
