/*
 * skip.h -- one step over JSON text, for the scanners of this folder. A step
 * starts at its first character and returns the place behind its last, or NULL
 * when there is no such thing: so it validates as it goes.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef PROTOCOL_SOCKETIO_SKIP_H
#define PROTOCOL_SOCKETIO_SKIP_H

#include <stdbool.h>
#include <stdint.h>

static inline bool json_is_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static inline bool json_is_digit(char c)
{
    return (unsigned char)(c - '0') < 10;
}

static inline const char *json_skip_blank(const char *p, const char *end)
{
    while (p < end && json_is_blank(*p))
        p++;
    return p;
}

const char *json_skip_string(const char *p, const char *end);
const char *json_skip_scalar(const char *p, const char *end);
const char *json_skip_value(const char *p, const char *end, uint32_t max_depth);

#endif
