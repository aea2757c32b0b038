/*
 * decimal.h -- whole numbers as decimal digits.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef PROTOCOL_BASE_DECIMAL_H
#define PROTOCOL_BASE_DECIMAL_H

#include <stddef.h>
#include <stdint.h>

#define DECIMAL_MAX 20 /* digits of a uint64_t */

/* Write the digits of `number`, no NUL; returns how many. */
static inline size_t decimal_put(char *out, uint64_t number)
{
    char digits[DECIMAL_MAX];
    size_t at = sizeof digits, n;

    do
        digits[--at] = (char)('0' + number % 10);
    while (number /= 10);
    n = sizeof digits - at;
    for (size_t i = 0; i < n; i++)
        out[i] = digits[at + i];
    return n;
}

#endif
