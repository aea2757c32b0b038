/*
 * proxy_header.c -- see proxy_header.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/net/proxy_header.h"

static const char signature[] = "\r\n\r\n\0\r\nQUIT\n";
static const char prefix[] = "PROXY ";

#define SIGNATURE_LEN (sizeof signature - 1)
#define PREFIX_LEN (sizeof prefix - 1)
#define V2_HEAD 16
/* Of the addresses of version 2, for IPv4, IPv6 and unix. */
#define V2_INET 12
#define V2_INET6 36
#define V2_UNIX 216

static enum net_proxy_result bad(struct net_proxy_header *h, const char *wrong)
{
    h->wrong = wrong;
    return NET_PROXY_BAD;
}

/* ------------------------------------------------------------- version 1 -- */

/* A decimal port without a leading zero; -1: none. */
static int parse_port(sio_str text)
{
    int port = 0;

    if (text.n == 0 || text.n > 5 || (text.n > 1 && text.p[0] == '0'))
        return -1;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return -1;
        port = port * 10 + (text.p[i] - '0');
    }
    return port <= UINT16_MAX ? port : -1;
}

/* "192.0.2.7 198.51.100.1 56324 443"; `colons`: the addresses are IPv6. */
static bool parse_v1_addresses(struct net_address *client, sio_str s,
                               bool colons)
{
    struct net_address destination;
    sio_str part[4];
    int port;

    for (size_t i = 0; i < 4; i++) {
        if (!s.p)
            return false;
        part[i] = str_split(s, ' ', &s);
    }
    for (size_t i = 0; i < 2; i++)
        if (part[i].n == 0 || !memchr(part[i].p, ':', part[i].n) == colons)
            return false;
    port = parse_port(part[2]);
    if (s.p || port < 0 || parse_port(part[3]) < 0 ||
        !net_address_parse(&destination, part[1]) ||
        !net_address_parse(client, part[0]))
        return false;
    client->port = (uint16_t)port;
    return true;
}

static enum net_proxy_result parse_v1(struct net_proxy_header *h)
{
    sio_str line = { (const char *)h->kept + PREFIX_LEN,
                     h->have - PREFIX_LEN - 1 };
    sio_str rest, protocol;

    if (line.n == 0 || line.p[--line.n] != '\r')
        return bad(h, "malformed PROXY line");
    protocol = str_split(line, ' ', &rest);
    h->own = str_eq(protocol, STR("UNKNOWN"));
    if (h->own || (str_eq(protocol, STR("TCP4")) &&
                   parse_v1_addresses(&h->client, rest, false)))
        return NET_PROXY_DONE;
    if (str_eq(protocol, STR("TCP6")) &&
        parse_v1_addresses(&h->client, rest, true))
        return NET_PROXY_DONE;
    return bad(h, "malformed PROXY line");
}

static enum net_proxy_result step_v1(struct net_proxy_header *h)
{
    size_t at = h->have - 1u;

    if (at < PREFIX_LEN)
        return h->kept[at] == prefix[at] ? NET_PROXY_MORE
                                         : bad(h, "no PROXY header");
    if (h->kept[at] == '\n')
        return parse_v1(h);
    return h->have < NET_PROXY_V1_MAX ? NET_PROXY_MORE
                                      : bad(h, "PROXY line too long");
}

/* ------------------------------------------------------------- version 2 -- */

static size_t v2_length(const struct net_proxy_header *h)
{
    return (size_t)h->kept[14] << 8 | h->kept[15];
}

/* Bytes to keep: no address that is wanted is longer. */
static size_t v2_kept(const struct net_proxy_header *h)
{
    size_t n = v2_length(h);

    return V2_HEAD + (n < V2_INET6 ? n : V2_INET6);
}

static bool set_client(struct net_proxy_header *h, int family, size_t ip_len,
                       size_t need)
{
    const uint8_t *at = h->kept + V2_HEAD, *port = at + 2 * ip_len;

    if (v2_length(h) < need)
        return false;
    if (family == AF_UNIX)
        h->client = (struct net_address){ .family = AF_UNIX };
    else
        net_address_set(&h->client, family, at,
                        (uint16_t)(port[0] << 8 | port[1]));
    return true;
}

static enum net_proxy_result parse_v2(struct net_proxy_header *h)
{
    bool good = true;

    switch (h->kept[12] == 0x20 ? 0 : h->kept[13]) {
    case 0x00:
        h->own = true;
        break;
    case 0x11:
    case 0x12:
        good = set_client(h, AF_INET, 4, V2_INET);
        break;
    case 0x21:
    case 0x22:
        good = set_client(h, AF_INET6, 16, V2_INET6);
        break;
    case 0x31:
    case 0x32:
        good = set_client(h, AF_UNIX, 0, V2_UNIX);
        break;
    default:
        good = false;
    }
    if (!good)
        return bad(h, "PROXY header with a wrong address");
    h->skip = (uint16_t)(V2_HEAD + v2_length(h) - h->have);
    return h->skip ? NET_PROXY_MORE : NET_PROXY_DONE;
}

static enum net_proxy_result step_v2(struct net_proxy_header *h)
{
    size_t at = h->have - 1u;

    if (at < SIGNATURE_LEN)
        return h->kept[at] == (uint8_t)signature[at]
                   ? NET_PROXY_MORE
                   : bad(h, "no PROXY header");
    if (at == 12 && h->kept[12] != 0x20 && h->kept[12] != 0x21)
        return bad(h, "PROXY header of an unknown version or command");
    if (h->have == V2_HEAD && v2_length(h) > NET_PROXY_V2_MAX - V2_HEAD)
        return bad(h, "PROXY header too long");
    if (h->have >= V2_HEAD && h->have == v2_kept(h))
        return parse_v2(h);
    return NET_PROXY_MORE;
}

/* ------------------------------------------------------------------ both -- */

static enum net_proxy_result take_byte(struct net_proxy_header *h, uint8_t byte)
{
    h->kept[h->have++] = byte;
    return h->kept[0] == (uint8_t)signature[0] ? step_v2(h) : step_v1(h);
}

enum net_proxy_result net_proxy_feed(struct net_proxy_header *h,
                                     const uint8_t *p, size_t n, size_t *used)
{
    enum net_proxy_result r = NET_PROXY_MORE;
    size_t at = 0;

    while (r == NET_PROXY_MORE && at < n && !h->skip)
        r = take_byte(h, p[at++]);
    if (h->skip) {
        size_t k = n - at < h->skip ? n - at : h->skip;

        at += k;
        h->skip = (uint16_t)(h->skip - k);
        r = h->skip ? NET_PROXY_MORE : NET_PROXY_DONE;
    }
    *used = at;
    return r;
}
