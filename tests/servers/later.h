/*
 * later.h -- a function call in a while, for what a role answers late: one
 * thread that waits, so the server's loop does not.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_SERVERS_LATER_H
#define TESTS_SERVERS_LATER_H

#include <stdbool.h>
#include <stdint.h>

/* Call fn(arg) in `ms` milliseconds on the waiting thread, or on the caller's
 * of later_stop(), whichever comes first: it is called exactly once. False: out
 * of memory or threads, and it is not called. Any thread. */
bool later(uint32_t ms, void (*fn)(void *arg), void *arg);

/* Call what still waits, at once, and end the thread: between sio_run() and
 * sio_server_free(). */
void later_stop(void);

#endif
