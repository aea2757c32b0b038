/*
 * address.h -- socket addresses, kept small and shown as text.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_NET_ADDRESS_H
#define SRC_NET_ADDRESS_H

#include "protocol/base/str.h"

#include <sys/socket.h>

#define NET_ADDRESS_TEXT 48 /* longest text with its NUL */

struct net_address {
    uint16_t family; /* AF_INET, AF_INET6, AF_UNIX; 0 = unknown */
    uint16_t port;   /* host order */
    uint8_t ip[16];
};

void net_address_from(struct net_address *a, const struct sockaddr *sa);

/* ip: 4 bytes (AF_INET) or 16 (AF_INET6); port in host order. */
void net_address_set(struct net_address *a, int family, const uint8_t *ip,
                     uint16_t port);

/* The IP that `text` spells, without port: "127.0.0.1", "2001:db8::1". False,
 * and *a untouched, when it is none. */
bool net_address_parse(struct net_address *a, sio_str text);

/* The IP alone ("127.0.0.1", "::1"; "unix"; "" when unknown). Writes a NUL;
 * returns the length. */
size_t net_address_text(const struct net_address *a,
                        char out[NET_ADDRESS_TEXT]);

#endif
