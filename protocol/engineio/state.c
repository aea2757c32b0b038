/*
 * state.c -- see state.h for the diagram.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/engineio/state.h"

#include <stdint.h>

static const uint8_t next[EIO_NSTATES][EIO_NEVENTS] = {
    [EIO_OPENING][EIO_ON_OPEN_POLLING] = EIO_POLLING,
    [EIO_OPENING][EIO_ON_OPEN_WEBSOCKET] = EIO_WEBSOCKET,
    [EIO_OPENING][EIO_ON_CLOSE] = EIO_CLOSED,
    [EIO_POLLING][EIO_ON_PROBE] = EIO_PROBING,
    [EIO_POLLING][EIO_ON_SHUT] = EIO_CLOSING,
    [EIO_POLLING][EIO_ON_CLOSE] = EIO_CLOSED,
    [EIO_PROBING][EIO_ON_PROBE_LOST] = EIO_POLLING,
    [EIO_PROBING][EIO_ON_UPGRADE] = EIO_WEBSOCKET,
    [EIO_PROBING][EIO_ON_SHUT] = EIO_CLOSING_PROBING,
    [EIO_PROBING][EIO_ON_CLOSE] = EIO_CLOSED,
    [EIO_WEBSOCKET][EIO_ON_CLOSE] = EIO_CLOSED,
    [EIO_CLOSING][EIO_ON_PROBE] = EIO_CLOSING_PROBING,
    [EIO_CLOSING][EIO_ON_CLOSE] = EIO_CLOSED,
    [EIO_CLOSING_PROBING][EIO_ON_PROBE_LOST] = EIO_CLOSING,
    [EIO_CLOSING_PROBING][EIO_ON_UPGRADE] = EIO_CLOSED,
    [EIO_CLOSING_PROBING][EIO_ON_CLOSE] = EIO_CLOSED,
    [EIO_CLOSED][EIO_ON_CLOSE] = EIO_CLOSED,
};

enum eio_state eio_step(enum eio_state *s, enum eio_event ev)
{
    enum eio_state to = (enum eio_state)next[*s][ev];

    if (to != EIO_ILLEGAL)
        *s = to; /* the only line that writes a state */
    return to;
}

const char *eio_state_name(enum eio_state s)
{
    /* clang-format off */
    static const char *const name[] = {
        "ILLEGAL",
#define X(n) #n,
        EIO_STATES(X)
#undef X
    };
    /* clang-format on */

    return s < EIO_NSTATES ? name[s] : "?";
}
