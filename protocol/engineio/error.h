/*
 * error.h -- why the server refuses a request: Engine.IO's error codes, their
 * texts and HTTP states, as Node answers them.
 *
 * Code 0 is a real error ("Transport unknown"), so "no error" is -1: taking 0
 * for success was CVE-2023-31125.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef PROTOCOL_ENGINEIO_ERROR_H
#define PROTOCOL_ENGINEIO_ERROR_H

#include "protocol/base/grow.h"

/* clang-format off */
#define EIO_REFUSALS(X)                                              \
    X(UNKNOWN_TRANSPORT,    0, 400, "Transport unknown")             \
    X(UNKNOWN_SID,          1, 400, "Session ID unknown")            \
    X(BAD_HANDSHAKE_METHOD, 2, 400, "Bad handshake method")          \
    X(BAD_REQUEST,          3, 400, "Bad request")                   \
    X(FORBIDDEN,            4, 403, "Forbidden")                     \
    X(UNSUPPORTED_PROTOCOL, 5, 400, "Unsupported protocol version")

enum eio_refusal {
    EIO_ACCEPTED = -1,
#define X(name, code, status, text) EIO_REFUSED_##name = code,
    EIO_REFUSALS(X)
#undef X
    EIO_NREFUSALS
};

/* Why a session ended; the names are what applications see. */
#define EIO_CLOSE_REASONS(X)                         \
    X(TRANSPORT_CLOSE,  "transport close")           \
    X(TRANSPORT_ERROR,  "transport error")           \
    X(PING_TIMEOUT,     "ping timeout")              \
    X(PARSE_ERROR,      "parse error")               \
    X(FORCED_CLOSE,     "forced close")              \
    X(SERVER_SHUTDOWN,  "server shutting down")      \
    X(SLOW_CONSUMER,    "slow consumer")

enum eio_close_reason {
#define X(name, text) EIO_CLOSE_##name,
    EIO_CLOSE_REASONS(X)
#undef X
    EIO_NCLOSE_REASONS
};
/* clang-format on */

int eio_refusal_status(enum eio_refusal r);       /* HTTP, polling */
const char *eio_refusal_text(enum eio_refusal r); /* "Transport unknown" */
const char *eio_close_reason_name(enum eio_close_reason r);

/* {"code":N,"message":"..."}; `message` NULL = the code's own text. */
int eio_refusal_encode(struct grow *out, enum eio_refusal r,
                       const char *message);

#endif
