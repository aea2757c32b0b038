/*
 * address.c -- see address.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/net/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

void net_address_set(struct net_address *a, int family, const uint8_t *ip,
                     uint16_t port)
{
    static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

    *a = (struct net_address){ .family = (uint16_t)family, .port = port };
    if (family == AF_INET) {
        memcpy(a->ip, ip, 4);
    } else if (memcmp(ip, mapped, sizeof mapped) == 0) {
        /* An IPv4 peer of a dual-stack socket is an IPv4 peer. */
        a->family = AF_INET;
        memcpy(a->ip, ip + 12, 4);
    } else {
        memcpy(a->ip, ip, 16);
    }
}

bool net_address_parse(struct net_address *a, sio_str text)
{
    int family = text.n && memchr(text.p, ':', text.n) ? AF_INET6 : AF_INET;
    char copy[INET6_ADDRSTRLEN];
    uint8_t ip[16];

    if (text.n == 0 || text.n >= sizeof copy || memchr(text.p, 0, text.n))
        return false;
    memcpy(copy, text.p, text.n);
    copy[text.n] = 0;
    if (inet_pton(family, copy, ip) != 1)
        return false;
    net_address_set(a, family, ip, 0);
    return true;
}

void net_address_from(struct net_address *a, const struct sockaddr *sa)
{
    *a = (struct net_address){ 0 };
    if (sa->sa_family == AF_INET) {
        struct sockaddr_in in;

        memcpy(&in, sa, sizeof in);
        net_address_set(a, AF_INET, (const uint8_t *)&in.sin_addr,
                        ntohs(in.sin_port));
    } else if (sa->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;

        memcpy(&in6, sa, sizeof in6);
        net_address_set(a, AF_INET6, in6.sin6_addr.s6_addr,
                        ntohs(in6.sin6_port));
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
