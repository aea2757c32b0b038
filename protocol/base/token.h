/*
 * token.h -- the tokens of HTTP (RFC 9110 5.6.2), of which field names, and the
 * headers of the WebSocket handshake, are made.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef PROTOCOL_BASE_TOKEN_H
#define PROTOCOL_BASE_TOKEN_H

#include "protocol/base/str.h"

static inline bool token_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
           (c >= 'a' && c <= 'z') || memchr("!#$%&'*+-.^_`|~", c, 15);
}

static inline bool token_valid(sio_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!token_char(s.p[i]))
            return false;
    return s.n > 0;
}

#endif
