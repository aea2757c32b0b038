/*
 * classic.h -- the messages of @socket.io/redis-adapter, in three kinds of
 * channels:
 *
 *   broadcasts  MessagePack  [uid, packet, options]
 *   requests    either       { uid, requestId, type: 0-7, ... }
 *   responses   either       { requestId, ... }, some with a type
 *
 * Node writes JSON but where a client's values are: in broadcasts and their
 * answers.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef PROTOCOL_REDIS_CLASSIC_H
#define PROTOCOL_REDIS_CLASSIC_H

#include "protocol/redis/channel.h"
#include "protocol/redis/value.h"

/*
 * Read one message, as pr_cluster_decode() does. out->nsp is the packet's ("/"
 * when it names none), and n 0 where there is no packet.
 *
 * place    where it came from, see pr_channel_place()
 */
enum pr_error pr_classic_decode(struct arena *a, enum pr_place place,
                                sio_str bytes, struct pr_message *out);

/* Append the message, of any type but heartbeats and PR_CLOSE; m->sid is
 * ignored. Returns as pr_cluster_encode(). */
int pr_classic_encode(struct grow *out, const struct pr_message *m);

/*
 * Append the name of the channel that the message is published on. asker: where
 * nodes are answered on channels of their own (publishOnSpecificResponseChannel
 * in Node), the uid of the node that is answered; else n 0.
 */
int pr_classic_channel(struct grow *out, sio_str prefix, sio_str nsp,
                       const struct pr_message *m, sio_str asker);

#endif
