/*
 * address.c -- see address.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/net/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

/* An IPv4 peer of a dual-stack socket (::ffff:a.b.c.d) is an IPv4 peer. */
static void from_in6(struct net_address *a, const struct sockaddr_in6 *in6)
{
    a->port = ntohs(in6->sin6_port);
    if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
        a->family = AF_INET;
        memcpy(a->ip, in6->sin6_addr.s6_addr + 12, 4);
    } else {
        a->family = AF_INET6;
        memcpy(a->ip, in6->sin6_addr.s6_addr, sizeof a->ip);
    }
}

void net_address_from(struct net_address *a, const struct sockaddr *sa)
{
    *a = (struct net_address){ 0 };
    if (sa->sa_family == AF_INET) {
        struct sockaddr_in in;

        memcpy(&in, sa, sizeof in);
        a->family = AF_INET;
        a->port = ntohs(in.sin_port);
        memcpy(a->ip, &in.sin_addr, 4);
    } else if (sa->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;

        memcpy(&in6, sa, sizeof in6);
        from_in6(a, &in6);
    } else if (sa->sa_family == AF_UNIX) {
        a->family = AF_UNIX;
    }
}

size_t net_address_text(const struct net_address *a, char out[NET_ADDRESS_TEXT])
{
    out[0] = 0;
    if (a->family == AF_UNIX)
        memcpy(out, "unix", sizeof "unix");
    else if (a->family == AF_INET || a->family == AF_INET6)
        inet_ntop(a->family, a->ip, out, NET_ADDRESS_TEXT);
    return strlen(out);
}
