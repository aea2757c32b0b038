/*
 * random.c -- see random.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/net/random.h"

#include "protocol/base/base64.h"

#include <sys/random.h>

int net_random(void *out, size_t n)
{
    /* So few are never given in part, nor interrupted (getrandom(2)). */
    if (n > NET_RANDOM_MAX || getrandom(out, n, 0) != (ssize_t)n)
        return SIO_E_SYS;
    return SIO_OK;
}

int net_random_id(char out[NET_ID_LEN + 1], uint32_t *counter)
{
    uint8_t raw[15];
    uint32_t n = *counter;

    if (net_random(raw, 12) < 0)
        return SIO_E_SYS;
    *counter = n + 1;
    raw[12] = (uint8_t)(n >> 16);
    raw[13] = (uint8_t)(n >> 8);
    raw[14] = (uint8_t)n;
    base64url_encode(out, raw, sizeof raw);
    out[NET_ID_LEN] = 0;
    return SIO_OK;
}
