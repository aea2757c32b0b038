/*
 * payload.h -- several Engine.IO v4 packets in one HTTP body: packets joined
 * by the record separator 0x1E, binary ones as b<base64>.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef PROTOCOL_ENGINEIO_PAYLOAD_H
#define PROTOCOL_ENGINEIO_PAYLOAD_H

#include "protocol/base/grow.h"
#include "protocol/engineio/packet.h"

#define EIO_SEPARATOR '\x1e'

/* Walks a body. Base64 is decoded in place, so the body is writable and the
 * packets are slices of it. */
struct eio_payload {
    char *at, *end;
    bool done;
};

void eio_payload_init(struct eio_payload *it, char *body, size_t n);

/* 1 and *out set; 0 at the end; SIO_E_INVAL when the next packet cannot be
 * decoded (an empty body, an empty packet, an unknown type). Node's leniency
 * with base64 holds: "b" alone is an empty binary message. */
int eio_payload_next(struct eio_payload *it, struct eio_packet *out);

/* Append one packet, preceded by a separator unless `out` is empty. On failure
 * (SIO_E_LIMIT, SIO_E_NOMEM) `out` is as it was. */
int eio_payload_append(struct grow *out, enum eio_type type, sio_str data);
int eio_payload_append_binary(struct grow *out, sio_str data);

#endif
