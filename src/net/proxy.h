/*
 * proxy.h -- connections on which a PROXY header comes first: read on the bare
 * descriptor, before there is a net_conn, TLS or HTTP.
 *
 *   listener --fd--> net_proxy_accept() --header--> on_header(fd, client)
 *                                       --none----> on_failed(), closed
 *
 * Not one byte behind the header is read. A connection that ends before its
 * first byte (a proxy that looks whether we are there) is closed without a
 * word.
 *
 * Loop thread only.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_NET_PROXY_H
#define SRC_NET_PROXY_H

#include "src/net/loop.h"
#include "src/net/proxy_header.h"

#define NET_PROXY_MS 5000 /* from accept to the end of the header */

struct net_proxy_ops {
    /* `fd` is the callee's; `client` is good during the call. */
    void (*on_header)(void *self, int fd, const struct net_address *client);
    /* No header, a bad one, or none in time; `peer` is who has connected. The
     * descriptor is closed. */
    void (*on_failed)(void *self, const struct net_address *peer,
                      const char *why);
};

/* The connections of a loop whose header has not come. They count in
 * loop->waiting_count. */
struct net_proxies {
    struct net_loop *loop;
    const struct net_proxy_ops *ops;
    struct list waiting;
    struct net_timer_queue timeouts;
};

void net_proxies_init(struct net_proxies *all, struct net_loop *loop,
                      const struct net_proxy_ops *ops);

/* Close what still waits; no callback comes. Legal more than once. */
void net_proxies_close(struct net_proxies *all);

/* A new connection, `self` for its callbacks. fd is ours on SIO_OK; else
 * SIO_E_NOMEM and it is still the caller's. */
int net_proxy_accept(struct net_proxies *all, int fd,
                     const struct net_address *peer, void *self);

#endif
