/*
 * random.h -- unpredictable bytes, from the kernel: session ids, hash seeds.
 * For so few at a time OpenSSL is slower, and it would have to start with the
 * process, which takes 2 MB: now it does with the first TLS.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_NET_RANDOM_H
#define SRC_NET_RANDOM_H

#include <sio/types.h>

#define NET_RANDOM_MAX 256 /* bytes at a time */

/* SIO_OK, or SIO_E_SYS when the system gives no randomness, or not so much. Any
 * thread. */
int net_random(void *out, size_t n);

#define NET_ID_LEN 20 /* characters of an id */

/* An id as Node makes them: 12 random bytes, so that nobody guesses it, and the
 * low 24 bits of a counter, so that no two are equal; base64url, with a NUL.
 * SIO_OK or SIO_E_SYS. One thread per counter. */
int net_random_id(char out[NET_ID_LEN + 1], uint32_t *counter);

#endif
