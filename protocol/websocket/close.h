/*
 * close.h -- WebSocket close codes (RFC 6455 7.4).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef PROTOCOL_WEBSOCKET_CLOSE_H
#define PROTOCOL_WEBSOCKET_CLOSE_H

#include <stdbool.h>
#include <stdint.h>

/* clang-format off */
#define WS_CLOSE_CODES(X)                    \
    X(NORMAL,           1000)                \
    X(GOING_AWAY,       1001)                \
    X(PROTOCOL_ERROR,   1002)                \
    X(UNSUPPORTED_DATA, 1003)                \
    X(NO_STATUS,        1005) /* never sent */ \
    X(ABNORMAL,         1006) /* never sent */ \
    X(INVALID_PAYLOAD,  1007)                \
    X(POLICY_VIOLATION, 1008)                \
    X(TOO_BIG,          1009)                \
    X(INTERNAL_ERROR,   1011)                \
    X(TRY_AGAIN_LATER,  1013)

enum ws_close_code {
#define X(name, code) WS_CLOSE_##name = code,
    WS_CLOSE_CODES(X)
#undef X
};
/* clang-format on */

/* May an endpoint put `code` into a close frame (RFC 6455 7.4.2)? As `ws`:
 * 1000-1014 without 1004, 1005, 1006, and 3000-4999. */
bool ws_close_code_valid(unsigned code);

/* Upper-case name, or "" for a code without one. */
const char *ws_close_code_name(unsigned code);

#endif
