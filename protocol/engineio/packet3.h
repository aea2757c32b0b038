/*
 * packet3.h -- Engine.IO v3 packets (protocol revision 3). Text packets are
 * those of v4; binary ones carry their type:
 *
 *   text    <type digit><data>        4hello
 *   binary  <type byte><data>         04 01 02 03
 *   base64  b<type digit><base64>     b4AQID, where only text can go
 *
 * Over a WebSocket a packet is a frame, by polling a part of a payload
 * (payload3.h).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef PROTOCOL_ENGINEIO_PACKET3_H
#define PROTOCOL_ENGINEIO_PACKET3_H

#include "protocol/base/base64.h"
#include "protocol/base/grow.h"
#include "protocol/engineio/packet.h"

#define EIO_PACKET3_BASE64_LEN(n) (2 + BASE64_LEN(n))

/* A text or base64 packet, the latter decoded in place. 1 and *out set; 0 for
 * one to ignore (base64 of an unknown type); SIO_E_INVAL for an empty text or
 * an unknown type: the session closes with "parse error". */
int eio_packet3_decode_text(char *text, size_t n, struct eio_packet *out);

/* A binary packet. 1 and *out set, or 0 for one to ignore (empty, or of an
 * unknown type). */
int eio_packet3_decode_binary(sio_str bytes, struct eio_packet *out);

/* Append a binary MESSAGE. On failure (SIO_E_LIMIT, SIO_E_NOMEM) `out` is as
 * it was. */
int eio_packet3_append_binary(struct grow *out, sio_str data);
int eio_packet3_append_base64(struct grow *out, sio_str data);

#endif
