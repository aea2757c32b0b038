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

#define NET_ID_LEN 20 /* characters of an id */

/* An id as Node makes them: 12 random bytes, so that nobody guesses it, and the
 * low 24 bits of a counter, so that no two are equal; base64url, with a NUL.
 * SIO_OK or SIO_E_SYS. One thread per counter. */
int net_random_id(char out[NET_ID_LEN + 1], uint32_t *counter);

#endif
