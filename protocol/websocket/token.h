/*
 * token.h -- the characters of a token (RFC 9110 5.6.2), of which the
 * handshake's headers are made.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef PROTOCOL_WEBSOCKET_TOKEN_H
#define PROTOCOL_WEBSOCKET_TOKEN_H

#include <stdbool.h>
#include <string.h>

static inline bool ws_is_token_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
           (c >= 'a' && c <= 'z') || memchr("!#$%&'*+-.^_`|~", c, 15);
}

#endif
