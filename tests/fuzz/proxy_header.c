/*
 * proxy_header.c -- any bytes as a PROXY header: whole and cut in two (the
 * first byte says where) it is the same header, of the same length.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/net/proxy_header.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static enum net_proxy_result feed(struct net_proxy_header *h,
                                  const uint8_t *bytes, size_t n, size_t *used)
{
    uint8_t *copy = malloc(n ? n : 1); /* reading past it is seen */
    enum net_proxy_result r;

    require(copy);
    if (n)
        memcpy(copy, bytes, n);
    r = net_proxy_feed(h, copy, n, used);
    require(*used <= n && (r != NET_PROXY_MORE || *used == n));
    require((r == NET_PROXY_BAD) == (h->wrong != NULL));
    free(copy);
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct net_proxy_header whole = { 0 }, parts = { 0 };
    size_t cut, used, first, second = 0;
    enum net_proxy_result r, p;

    if (size == 0)
        return 0;
    cut = *data++ % size;
    size--;
    r = feed(&whole, data, size, &used);
    p = feed(&parts, data, cut, &first);
    if (p == NET_PROXY_MORE)
        p = feed(&parts, data + first, size - first, &second);
    require(r == p && used == first + second && used <= NET_PROXY_V2_MAX);
    require(whole.own == parts.own && whole.wrong == parts.wrong);
    require(memcmp(&whole.client, &parts.client, sizeof whole.client) == 0);
    if (r == NET_PROXY_DONE)
        require(whole.own || whole.client.family != 0);
    return 0;
}
