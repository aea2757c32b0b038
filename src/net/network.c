/*
 * network.c -- see network.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/net/network.h"

#include <stdlib.h>

#define WORD_MAX 4 /* networks that one word stands for */

static const struct {
    const char *word;
    const char *networks[WORD_MAX];
} words[] = {
    { "loopback", { "127.0.0.0/8", "::1/128" } },
    { "linklocal", { "169.254.0.0/16", "fe80::/10" } },
    { "private",
      { "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7" } },
};

/* A whole decimal number up to 128; -1: none. */
static int parse_bits(sio_str text)
{
    int bits = 0;

    if (text.n == 0 || text.n > 3)
        return -1;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return -1;
        bits = bits * 10 + (text.p[i] - '0');
    }
    return bits <= 128 ? bits : -1;
}

static bool parse(struct net_network *out, sio_str text)
{
    sio_str rest, host = str_split(text, '/', &rest);
    struct net_address a = { 0 };
    bool v6 = host.n && memchr(host.p, ':', host.n);
    int bits = rest.p ? parse_bits(rest) : v6 ? 128 : 32;

    if (str_eq(text, STR("unix"))) {
        *out = (struct net_network){ .family = AF_UNIX };
        return true;
    }
    if (!net_address_parse(&a, host))
        return false;
    if (v6 && a.family == AF_INET)
        bits -= 96; /* ::ffff:10.0.0.0/104 is 10.0.0.0/8 */
    if (bits < 0 || bits > (a.family == AF_INET ? 32 : 128))
        return false;
    *out = (struct net_network){ .family = a.family, .bits = (uint8_t)bits };
    memcpy(out->ip, a.ip, sizeof out->ip);
    return true;
}

static int append(struct net_networks *set, const struct net_network *more,
                  size_t n)
{
    struct net_network *list =
        realloc(set->list, (set->count + n) * sizeof *list);

    if (!list)
        return SIO_E_NOMEM;
    memcpy(list + set->count, more, n * sizeof *more);
    set->list = list;
    set->count += n;
    return SIO_OK;
}

int net_networks_add(struct net_networks *set, const char *text)
{
    struct net_network found[WORD_MAX];
    size_t n = 0;

    for (size_t w = 0; w < sizeof words / sizeof *words; w++) {
        if (strcmp(text, words[w].word) != 0)
            continue;
        while (n < WORD_MAX && words[w].networks[n]) {
            parse(&found[n], str_of(words[w].networks[n]));
            n++;
        }
        return append(set, found, n);
    }
    if (!parse(found, str_of(text)))
        return SIO_E_ADDRESS;
    return append(set, found, 1);
}

static bool matches(const struct net_network *n, const struct net_address *a)
{
    size_t whole = n->bits / 8;
    unsigned rest = n->bits % 8;

    if (n->family != a->family || memcmp(n->ip, a->ip, whole) != 0)
        return false;
    return rest == 0 || (n->ip[whole] ^ a->ip[whole]) >> (8 - rest) == 0;
}

bool net_networks_have(const struct net_networks *set,
                       const struct net_address *address)
{
    for (size_t i = 0; i < set->count; i++)
        if (matches(&set->list[i], address))
            return true;
    return false;
}

void net_networks_free(struct net_networks *set)
{
    free(set->list);
    *set = (struct net_networks){ 0 };
}
