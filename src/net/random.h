/*
 * random.h -- unpredictable bytes (OpenSSL's CSPRNG): session ids, hash seeds.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_NET_RANDOM_H
#define SRC_NET_RANDOM_H

#include <sio/types.h>

/* SIO_OK, or SIO_E_SYS when the system gives no randomness. Any thread. */
int net_random(void *out, size_t n);

#endif
