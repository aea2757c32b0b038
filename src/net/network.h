/*
 * network.h -- lists of networks: the proxies that a server trusts.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_NET_NETWORK_H
#define SRC_NET_NETWORK_H

#include "src/net/address.h"

struct net_network {
    uint16_t family; /* as of net_address; AF_UNIX: every unix socket */
    uint8_t bits;    /* of ip that count */
    uint8_t ip[16];
};

struct net_networks {
    struct net_network *list; /* NULL: none */
    size_t count;
};

/*
 * Add "10.0.0.0/8", "::1/128", one address ("192.0.2.7"), "unix", or one of the
 * words
 *
 *     loopback   127.0.0.0/8, ::1/128
 *     linklocal  169.254.0.0/16, fe80::/10
 *     private    10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, fc00::/7
 *
 * SIO_OK, SIO_E_ADDRESS (none of these), SIO_E_NOMEM; what fails adds nothing.
 */
int net_networks_add(struct net_networks *set, const char *text);

bool net_networks_have(const struct net_networks *set,
                       const struct net_address *address);

void net_networks_free(struct net_networks *set);

#endif
