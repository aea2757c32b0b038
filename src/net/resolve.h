/*
 * resolve.h -- from a host name to addresses, without keeping the loop waiting.
 *
 *   net_resolve() --numeric------------------> the addresses, at once
 *                 --name--> getaddrinfo() on a thread of its own
 *                             --mail--> on_resolved() on the loop
 *
 * getaddrinfo(3) cannot be interrupted, so a thread whose answer nobody wants
 * any more goes on until the resolver gives up (resolv.conf(5): `timeout` times
 * `attempts` for each name server). NET_RESOLVE_THREADS of them may run in a
 * process.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_NET_RESOLVE_H
#define SRC_NET_RESOLVE_H

#include "src/net/loop.h"

#include <sys/socket.h>

#define NET_RESOLVE_MAX 8     /* addresses of a name that are tried */
#define NET_RESOLVE_THREADS 8 /* at a time */
#define NET_HOST_MAX 255      /* bytes of a name, RFC 1035 2.3.4 */

struct net_addresses {
    size_t count;
    struct {
        struct sockaddr_storage sa;
        socklen_t len;
    } list[NET_RESOLVE_MAX];
};

struct net_resolve;

/* On the loop, from its mail. `found` is good during the call; NULL: `why` says
 * what is wrong. */
typedef void net_on_resolved(void *self, const struct net_addresses *found,
                             const char *why);

/* Addresses of TCP at `port`, when `host` is one: "127.0.0.1", "::1". */
bool net_resolve_numeric(const char *host, uint16_t port,
                         struct net_addresses *out);

/* Ask. SIO_OK: on_resolved() comes unless it is cancelled. SIO_E_INVAL (longer
 * than NET_HOST_MAX), SIO_E_LIMIT (NET_RESOLVE_THREADS), SIO_E_NOMEM, SIO_E_SYS
 * (no thread). Loop thread. */
int net_resolve(struct net_loop *loop, const char *host, uint16_t port,
                net_on_resolved *on_resolved, void *self,
                struct net_resolve **out);

/* No answer is wanted any more. Before on_resolved() was called. Loop thread.
 */
void net_resolve_cancel(struct net_resolve *r);

#endif
