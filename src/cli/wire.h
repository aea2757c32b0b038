/*
 * wire.h -- a byte stream to the server: dialled, with TLS where the target
 * wants it.
 *
 *   net_dial() --> net_conn (--> TLS) --> on_up, on_data..., on_down
 *
 * Embedded in its owner, whose memory must last until the end of the turn in
 * which the wire was closed or has told on_down(). Loop thread only.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_CLI_WIRE_H
#define SRC_CLI_WIRE_H

#include "src/cli/target.h"
#include "src/net/conn.h"
#include "src/net/dial.h"

#define CLI_WHY 160 /* bytes of a reason, with its NUL */

struct cli_wire_ops {
    void (*on_up)(void *self); /* what is appended goes out from here on */
    /* `data` may be modified, and is gone when this returns. */
    void (*on_data)(void *self, uint8_t *data, size_t n);
    /* Once, and nothing comes after it; not after cli_wire_close(). */
    void (*on_down)(void *self, const char *why);
};

struct cli_wire {
    struct net_loop *loop;
    const struct cli_target *target;
    const struct cli_wire_ops *ops;
    void *self;
    struct net_dial *dial; /* under way */
    struct net_conn *conn; /* NULL: down */
    char why[CLI_WHY];     /* what TLS has said */
};

/* SIO_OK: on_up() or on_down() comes, never from within this call. Else
 * SIO_E_INVAL, SIO_E_NOMEM. The wire is down, or new. */
int cli_wire_open(struct cli_wire *wire, struct net_loop *loop,
                  const struct cli_target *target,
                  const struct cli_wire_ops *ops, void *self);

/* At once, without a callback. Legal when it is down. */
void cli_wire_close(struct cli_wire *wire);

/* What a server says, in one line for a reason: control characters are blanks,
 * CLI_SAID - 1 bytes at most. Returns `out`. */
#define CLI_SAID 100
const char *cli_said(char out[CLI_SAID], sio_str text);

/* Write what waits, then end it; no callback either. */
void cli_wire_finish(struct cli_wire *wire, uint32_t linger_ms);

#endif
