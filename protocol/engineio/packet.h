/*
 * packet.h -- Engine.IO v4 packets (engine.io-protocol revision 4).
 *
 *   text    <type digit><data>             4hello
 *   binary  a WebSocket frame of its own, or in a payload  b<base64>
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef PROTOCOL_ENGINEIO_PACKET_H
#define PROTOCOL_ENGINEIO_PACKET_H

#include "protocol/base/str.h"

/* clang-format off */
#define EIO_PACKET_TYPES(X) \
    X(OPEN,    '0')         \
    X(CLOSE,   '1')         \
    X(PING,    '2')         \
    X(PONG,    '3')         \
    X(MESSAGE, '4')         \
    X(UPGRADE, '5')         \
    X(NOOP,    '6')

enum eio_type {
#define X(name, digit) EIO_PACKET_##name,
    EIO_PACKET_TYPES(X)
#undef X
    EIO_NPACKETS
};
/* clang-format on */

#define EIO_BINARY 'b' /* stands for the type before base64 */

struct eio_packet {
    enum eio_type type;
    bool binary;  /* of a MESSAGE */
    sio_str data; /* slice of the input, or of the caller's scratch space */
};

/* One packet as text. SIO_OK, or SIO_E_INVAL for an empty text or an unknown
 * type: the session closes with "parse error". */
int eio_packet_decode(sio_str text, struct eio_packet *out);

/* The same, and "b<base64>" is a binary message: in a payload, or in a text
 * frame. It is decoded in place. */
int eio_packet_decode_in_place(char *text, size_t n, struct eio_packet *out);

char eio_packet_digit(enum eio_type type);
const char *eio_packet_name(enum eio_type type); /* "open", "close", ... */

#endif
