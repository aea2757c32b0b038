/*
 * entries.h -- libevent's entries for descriptors, made beforehand.
 *
 * libevent keeps a block of 20 bytes for each number of a descriptor that it
 * has ever watched, until the event_base ends. Made when a client comes, such a
 * block lies among those of the client, and holds their page when the client
 * has left. So they are made for many numbers at a time, side by side, before
 * the first of these numbers is watched; see docs/decisions/0017.
 *
 * That needs no system call when changes of interest are collected until the
 * next wait, since what is added and deleted again in between is no change.
 * Where they are not, and where each of several loops would need an entry for
 * every number, it is not done: loop->entries_end is INT_MAX there.
 *
 * Loop thread only.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_NET_ENTRIES_H
#define SRC_NET_ENTRIES_H

#include "src/net/loop.h"

#define NET_ENTRIES_FROM 64   /* of lower numbers there are few */
#define NET_ENTRIES_STEP 1024 /* made at a time: 32 KiB; see decision 17 */

/* For `fd` and the numbers behind it. Best effort: what is not made here,
 * libevent makes when it is needed, or fails then. */
void net_entries_make(struct net_loop *loop, int fd);

/* Before a connection's descriptor is watched. */
static inline void net_entries_need(struct net_loop *loop, int fd)
{
    if (fd >= loop->entries_end)
        net_entries_make(loop, fd);
}

#endif
