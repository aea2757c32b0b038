/*
 * socket.h -- a Socket.IO client of one namespace: a session (session.h) with
 * Socket.IO packets in it, in the target's parser.
 *
 *   CONNECT with auth --> on_connected
 *   events, acknowledgements, with their attachments put together
 *
 * Allocated by cli_socket_open() and its own from then on: it is freed when it
 * has told on_closed(), or was dropped, at the end of that turn. Loop thread
 * only.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_CLI_SOCKET_H
#define SRC_CLI_SOCKET_H

#include "protocol/socketio/encode.h"
#include "protocol/socketio/packet.h"
#include "src/cli/session.h"

struct cli_socket;

struct cli_socket_ops {
    void (*on_connected)(void *self);
    void (*on_upgrade)(void *self);
    /* EVENT or ACK, binary or not. Everything is gone when this returns. */
    void (*on_packet)(void *self, const struct sp_packet *packet,
                      const sio_str *attachments, size_t count);
    /* Once, and nothing comes after it; not after cli_socket_drop(). */
    void (*on_closed)(void *self, const char *why);
};

/* NULL: out of memory, or the host is no good. */
struct cli_socket *cli_socket_open(struct net_loop *loop,
                                   const struct cli_target *target,
                                   const struct cli_socket_ops *ops,
                                   void *self);

/* id SP_NO_ID: no acknowledgement is wanted. SIO_OK, or what sp_encode() and
 * mp_encode() say; SIO_E_STATE: it is not connected. */
int cli_socket_emit(struct cli_socket *socket, sio_str event, int64_t id,
                    const sio_value *values, size_t count);

/* Say goodbye: on_closed() comes. */
void cli_socket_close(struct cli_socket *socket);

/* As if the network was gone; no callback. */
void cli_socket_drop(struct cli_socket *socket);

/* The text or the bytes that argument i of a packet is (0: the first one behind
 * an event's name); p NULL when it is neither. A text is taken as it stands:
 * with escapes, where it has any. */
sio_str cli_argument(const struct cli_target *target,
                     const struct sp_packet *packet, size_t i,
                     const sio_str *attachments, size_t count);

/* Is that the packet's event? */
bool cli_event_is(const struct cli_target *target,
                  const struct sp_packet *packet, sio_str name);

#endif
