/*
 * random.c -- see random.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/net/random.h"

#include <limits.h>
#include <openssl/rand.h>

int net_random(void *out, size_t n)
{
    if (n > INT_MAX || RAND_bytes(out, (int)n) != 1)
        return SIO_E_SYS;
    return SIO_OK;
}
