/*
 * websocket.h -- a WebSocket as a client has it (RFC 6455): opening handshake,
 * messages, answers to pings. Extensions are not offered.
 *
 * Memory and threads as in wire.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_CLI_WEBSOCKET_H
#define SRC_CLI_WEBSOCKET_H

#include "protocol/websocket/message.h"
#include "src/cli/wire.h"

#define CLI_WS_KEY 24 /* characters of Sec-WebSocket-Key */

struct cli_ws_ops {
    void (*on_open)(void *self);
    /* data may be modified, and is gone when this returns */
    void (*on_message)(void *self, bool binary, uint8_t *data, size_t n);
    /* Once, and nothing comes after it; not after cli_ws_drop(). */
    void (*on_closed)(void *self, const char *why);
};

struct cli_ws {
    struct cli_wire wire;
    const struct cli_ws_ops *ops;
    void *self;
    bool open, closing;
    uint32_t masks; /* of masking keys: nothing here is anybody's secret */
    struct ws_reader reader;
    struct grow head; /* of the response, where it came in pieces */
    char key[CLI_WS_KEY];
    char sid[64]; /* the session that it is for; "" for a new one */
};

/* sid  of the session to upgrade, or "". As cli_wire_open(). */
int cli_ws_open(struct cli_ws *ws, struct net_loop *loop,
                const struct cli_target *target, const char *sid,
                const struct cli_ws_ops *ops, void *self);

/* A message of two parts, of which `head` may be empty; both are copied. Once
 * it is open; dropped when it is not. */
void cli_ws_send(struct cli_ws *ws, bool binary, sio_str head, sio_str data);

/* Say goodbye: on_closed() comes when the server has ended the connection. */
void cli_ws_close(struct cli_ws *ws);

/* At once, without a callback, and free what it holds. Legal more than once. */
void cli_ws_drop(struct cli_ws *ws);

#endif
