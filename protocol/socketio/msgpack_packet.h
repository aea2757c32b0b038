/*
 * msgpack_packet.h -- Socket.IO packets as socket.io-msgpack-parser has them:
 * one binary message each, a map
 *
 *   { type: 0-4, nsp: "/", id: 13, data: ["event", ...] }
 *
 * in any order of keys, others are ignored. There are no attachments: binary is
 * a value like any other. Pure, like the rest of this folder.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef PROTOCOL_SOCKETIO_MSGPACK_PACKET_H
#define PROTOCOL_SOCKETIO_MSGPACK_PACKET_H

#include "protocol/socketio/encode.h"
#include "protocol/socketio/msgpack.h"

/*
 * Decode and check one packet; nothing is copied. out->json and out->argv are
 * slices of MessagePack. Type rules are those of sp_decode(). As Node does, an
 * `id` or `data` that is undefined counts as absent; stricter than Node: names
 * of events are strings or numbers and not reserved, ids are 0 to SP_MAX_ID.
 *
 * message  n bytes, repaired in place where its strings are not UTF-8
 * Returns  SP_E_OK with *out filled, or the error; *out is then unspecified.
 */
enum sp_error mp_decode(uint8_t *message, size_t n,
                        const struct sp_limits *limits, struct sp_packet *out);

/* Append the packet. SIO_OK, SIO_E_INVAL (a value is not valid), SIO_E_LIMIT
 * (longer than out->max), SIO_E_NOMEM; `out` is then as it was. */
int mp_encode(struct grow *out, const struct sp_message *m);

/* CONNECT, DISCONNECT, CONNECT_ERROR; payload NULL: none. */
int mp_encode_plain(struct grow *out, enum sp_type type, sio_str nsp,
                    const sio_value *payload);

/* Append one value. */
int mp_append_value(struct grow *out, const sio_value *v);

#endif
