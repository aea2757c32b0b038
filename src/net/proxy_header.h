/*
 * proxy_header.h -- the header of the PROXY protocol, versions 1 and 2
 * (haproxy's proxy-protocol.txt): bytes in, the client's address out.
 *
 *     "PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n"          version 1
 *
 *     0d 0a 0d 0a 00 0d 0a 51 55 49 54 0a   signature            version 2
 *     21 | 20     version, PROXY or LOCAL
 *     11 21 31    IPv4, IPv6, unix (x2: datagrams); 00: unknown
 *     00 0c       bytes that follow, big endian
 *     source, destination, their ports, then extensions (skipped)
 *
 * No socket, no clock, no allocation.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_NET_PROXY_HEADER_H
#define SRC_NET_PROXY_HEADER_H

#include "src/net/address.h"

#define NET_PROXY_V1_MAX 107  /* bytes with the CRLF, as the protocol has it */
#define NET_PROXY_V2_MAX 4096 /* bytes with the 16 at its start */

enum net_proxy_result { NET_PROXY_MORE, NET_PROXY_DONE, NET_PROXY_BAD };

/* Starts as zeroes. */
struct net_proxy_header {
    struct net_address client; /* once it is done, unless `own` */
    bool own;          /* a connection of the proxy itself, or from it knows not
                          whom: its own address is the client's */
    const char *wrong; /* once it is bad */
    uint8_t kept[NET_PROXY_V1_MAX]; /* its first bytes */
    uint8_t have;
    uint16_t skip; /* bytes behind the kept ones that are still to come */
};

/*
 * Take what belongs to the header of p[0..n).
 *
 * *used  how many bytes that is; after NET_PROXY_MORE all of them. What follows
 *        is the connection's.
 */
enum net_proxy_result net_proxy_feed(struct net_proxy_header *h,
                                     const uint8_t *p, size_t n, size_t *used);

#endif
