/*
 * exact.h -- texts whose memory ends where they end, so that the address
 * sanitizer sees a decoder that reads on.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_UNIT_EXACT_H
#define TESTS_UNIT_EXACT_H

#include <stdlib.h>
#include <string.h>

/* The first n bytes of p; freed with free(). */
static inline char *exact_copy(const char *p, size_t n)
{
    char *copy = malloc(n ? n : 1);

    if (n)
        memcpy(copy, p, n);
    return copy;
}

/* For a case's name: one line, until the next call. */
static inline const char *shown(const char *p, size_t n)
{
    static char line[120];
    size_t i;

    for (i = 0; i < n && i < sizeof line - 1; i++)
        line[i] = p[i] >= ' ' && p[i] < 0x7f ? p[i] : '.';
    line[i] = 0;
    return line;
}

#endif
