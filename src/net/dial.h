/*
 * dial.h -- outgoing connections: from a host and a port, or the path of a unix
 * socket, to a connected descriptor.
 *
 *   net_dial() --name--> resolve.c --addresses--> connect(), one after the
 * other
 *              --------> on_connected(fd)  or  on_failed(why)
 *
 * A name is resolved anew by every dial, so that what moves to another address
 * is found again. Each address gets an even part of the time that is left.
 * Loop thread only.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_NET_DIAL_H
#define SRC_NET_DIAL_H

#include "src/net/loop.h"

#define NET_DIAL_WHY 128 /* bytes of a reason, with its NUL */

struct net_dial;

/* One of the two comes, once, never from within net_dial(); the dial is over
 * then. */
struct net_dial_ops {
    /* `fd` (connected, non-blocking, close-on-exec, TCP_NODELAY if it is TCP)
     * is the callee's. */
    void (*on_connected)(void *self, int fd, const struct net_address *peer);
    /* why  "connection refused", good during the call */
    void (*on_failed)(void *self, const char *why);
};

/*
 * host        a name, an IP address, or "unix:PATH", "unix:@NAME" (Linux's
 *             without a file); borrowed until this returns
 * port        host order; not used with unix sockets
 * timeout_ms  for all of it
 * Returns     SIO_OK, or SIO_E_INVAL (too long), SIO_E_NOMEM
 */
int net_dial(struct net_loop *loop, const char *host, uint16_t port,
             uint32_t timeout_ms, const struct net_dial_ops *ops, void *self,
             struct net_dial **out);

/* Leave it; no callback comes. Before one of them came. */
void net_dial_cancel(struct net_dial *d);

#endif
