/*
 * listener.h -- listening sockets of a loop: accepts connections and hands them
 * up as descriptors.
 *
 * When the process runs out of descriptors, accepting pauses for
 * NET_ACCEPT_PAUSE_MS and on_error() says so: connections wait in the backlog
 * instead of spinning the loop.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_NET_LISTENER_H
#define SRC_NET_LISTENER_H

#include "src/net/bind.h"
#include "src/net/loop.h"

#define NET_ACCEPT_BATCH 64     /* accepted at most per readiness */
#define NET_ACCEPT_PAUSE_MS 100 /* after EMFILE and its kind */

struct net_listener_ops {
    /* A new connection; `fd` (non-blocking, close-on-exec, TCP_NODELAY if it is
     * TCP) is the callee's. */
    void (*on_accept)(void *self, int fd, const struct net_address *peer);
    /* Accepting failed and pauses; errno value. */
    void (*on_error)(void *self, int error);
};

struct net_listener {
    struct net_loop *loop;
    const struct net_listener_ops *ops;
    void *self;
    struct net_bound bound;
    struct event event;
    struct net_alarm pause;
    struct net_deferred cleanup;
};

/* Listen on an address as net_bind() takes it, with its results. */
int net_listen(struct net_loop *loop, const char *address,
               const struct net_bind_options *options,
               const struct net_listener_ops *ops, void *self,
               struct net_listener **out, const char **why);

void net_listener_close(struct net_listener *l); /* frees it at end of turn */

#endif
