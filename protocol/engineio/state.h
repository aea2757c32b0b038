/*
 * state.h -- the life of an Engine.IO session as data.
 *
 *            open polling          probe              upgrade
 *   OPENING -------------> POLLING ------> PROBING ------------> WEBSOCKET
 *      |                    |  ^             |  |                     |
 *      | open websocket     |  +-probe lost--+  |                     |
 *      |  (to WEBSOCKET)    |                   |                     |
 *      |                    | shut              | shut                |
 *      |                    v       probe       v                     |
 *      |                 CLOSING ------> CLOSING_PROBING              |
 *      |                    |  ^             |  |                     |
 *      |                    |  +-probe lost--+  | upgrade             |
 *      v                    v                   v                     v
 *   CLOSED <----------------+----- close -------+---------------------+
 *
 * POLLING and PROBING serve polls; in PROBING a WebSocket is attached that has
 * not sent "5" yet. CLOSING waits for a poll that can carry the close packet.
 * A WebSocket needs no such wait: it closes at once. CLOSED absorbs "close".
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef PROTOCOL_ENGINEIO_STATE_H
#define PROTOCOL_ENGINEIO_STATE_H

/* clang-format off */
#define EIO_STATES(X)  \
    X(OPENING)         \
    X(POLLING)         \
    X(PROBING)         \
    X(WEBSOCKET)       \
    X(CLOSING)         \
    X(CLOSING_PROBING) \
    X(CLOSED)

#define EIO_EVENTS(X)  \
    X(OPEN_POLLING)    \
    X(OPEN_WEBSOCKET)  \
    X(PROBE)           \
    X(PROBE_LOST)      \
    X(UPGRADE)         \
    X(SHUT)            \
    X(CLOSE)

enum eio_state {
    EIO_ILLEGAL, /* 0, so that an unset cell of the table is illegal */
#define X(n) EIO_##n,
    EIO_STATES(X)
#undef X
    EIO_NSTATES
};

enum eio_event {
#define X(n) EIO_ON_##n,
    EIO_EVENTS(X)
#undef X
    EIO_NEVENTS
};
/* clang-format on */

/* The only writer of a session's state. Returns the new state, or
 * EIO_ILLEGAL with *s unchanged. */
enum eio_state eio_step(enum eio_state *s, enum eio_event ev);

const char *eio_state_name(enum eio_state s);

#endif
