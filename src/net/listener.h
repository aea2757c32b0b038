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

#include "src/net/address.h"
#include "src/net/loop.h"

#define NET_BACKLOG 4096        /* connections: what to ask for */
#define NET_ACCEPT_BATCH 64     /* accepted at most per readiness */
#define NET_ACCEPT_PAUSE_MS 100 /* after EMFILE and its kind */

struct net_listener_ops {
    /* A new connection; `fd` (non-blocking, close-on-exec, TCP_NODELAY) is the
     * callee's. */
    void (*on_accept)(void *self, int fd, const struct net_address *peer);
    /* Accepting failed and pauses; errno value. */
    void (*on_error)(void *self, int error);
};

struct net_listener {
    struct net_loop *loop;
    const struct net_listener_ops *ops;
    void *self;
    int fd;
    uint16_t port; /* bound, host order */
    struct event event;
    struct net_alarm pause;
    struct net_deferred cleanup;
};

/*
 * Parse "HOST:PORT", "[V6]:PORT", ":PORT" or "PORT" (no host: all addresses,
 * IPv6 with IPv4 where there is IPv6), bind and listen. Port 0 takes a free
 * one. A host name is resolved (blocking) and its first usable address taken.
 *
 * backlog  connections that may wait to be accepted; the kernel caps it
 *
 * SIO_OK and *out; SIO_E_ADDRESS (not parsed, not resolved), SIO_E_SYS with
 * errno (bind, listen), SIO_E_NOMEM.
 */
int net_listen(struct net_loop *loop, const char *address, int backlog,
               const struct net_listener_ops *ops, void *self,
               struct net_listener **out);

void net_listener_close(struct net_listener *l); /* frees it at end of turn */

#endif
