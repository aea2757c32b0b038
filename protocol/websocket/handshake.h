/*
 * handshake.h -- the opening handshake of RFC 6455 4, seen from the server:
 * header values in, a verdict and the accept key out. Writing the response is
 * the caller's.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef PROTOCOL_WEBSOCKET_HANDSHAKE_H
#define PROTOCOL_WEBSOCKET_HANDSHAKE_H

#include "protocol/base/str.h"

#define WS_ACCEPT_LEN 28 /* characters of Sec-WebSocket-Accept */

/* Values of the request's headers; p NULL where a header is absent. */
struct ws_handshake {
    bool is_get;
    sio_str upgrade;  /* Upgrade */
    sio_str key;      /* Sec-WebSocket-Key */
    sio_str version;  /* Sec-WebSocket-Version */
    sio_str protocol; /* Sec-WebSocket-Protocol */
};

/* What to answer. The texts are those of `ws`, which Node's engine uses. */
/* clang-format off */
#define WS_HANDSHAKE_RESULTS(X)                                              \
    X(OK,       101, "")                                                     \
    X(METHOD,   405, "Invalid HTTP method")                                  \
    X(UPGRADE,  400, "Invalid Upgrade header")                               \
    X(KEY,      400, "Missing or invalid Sec-WebSocket-Key header")          \
    X(VERSION,  400, "Missing or invalid Sec-WebSocket-Version header")      \
    X(PROTOCOL, 400, "Invalid Sec-WebSocket-Protocol header")

enum ws_handshake_result {
#define X(name, status, text) WS_HANDSHAKE_##name,
    WS_HANDSHAKE_RESULTS(X)
#undef X
};
/* clang-format on */

/* Checks in the order above. On OK, *subprotocol is the first one offered
 * (a slice of h->protocol), p NULL when none was. Linear in the input. */
enum ws_handshake_result ws_handshake_check(const struct ws_handshake *h,
                                            sio_str *subprotocol);

int ws_handshake_status(enum ws_handshake_result r);
const char *ws_handshake_text(enum ws_handshake_result r);

/* The accept key for a valid Sec-WebSocket-Key (RFC 6455 4.2.2, 5.4). Writes
 * WS_ACCEPT_LEN characters, no NUL. */
void ws_handshake_accept(sio_str key, char accept[WS_ACCEPT_LEN]);

#endif
