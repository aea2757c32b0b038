/*
 * oom.h -- make the n-th allocation fail.
 *
 *     for (long n = 0; n < 1000; n++) {
 *         oom_arm(n);               // the n-th from now on returns NULL, once
 *         r = the_call();
 *         if (!oom_disarm())        // false: it never came to that
 *             break;
 *         CHECK(r == SIO_E_NOMEM && nothing changed);
 *     }
 *
 * malloc, calloc and realloc of the product's own objects are covered (linker
 * option --wrap), not those inside libraries.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_UNIT_OOM_H
#define TESTS_UNIT_OOM_H

#include <stdbool.h>

void oom_arm(long n);

/* Off again. True when an allocation did fail since oom_arm(). */
bool oom_disarm(void);

/* Allocations made since the program began. */
long oom_count(void);

#endif
