/*
 * encode.h -- Socket.IO packets to text plus attachments.
 *
 *   event + values --> sp_encode() -->
 * 51-["name",{"_placeholder":true,"num":0}] and a list of borrowed binary
 * slices
 *
 * The text is appended to a caller's buffer (which may already hold Engine.IO's
 * "4"); on failure that buffer is as it was.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef PROTOCOL_SOCKETIO_ENCODE_H
#define PROTOCOL_SOCKETIO_ENCODE_H

#include "protocol/base/grow.h"
#include "protocol/socketio/packet.h"

/* The attachments of one encoded packet, in placeholder order. Slices borrowed
 * from the values that were encoded. Kept between packets, so that the list is
 * not allocated again. */
struct sp_attachments {
    sio_str *items;
    size_t count, cap;
};

void sp_attachments_init(struct sp_attachments *a);
void sp_attachments_free(struct sp_attachments *a);

struct sp_message {
    enum sp_type type; /* SP_EVENT or SP_ACK; binary promotes it */
    sio_str nsp;
    int64_t id;    /* SP_NO_ID: none */
    sio_str event; /* SP_EVENT: the name, plain text; SP_ACK: ignored */
    const sio_value *values;
    size_t count;
    sio_str extra; /* one more string argument at the end; p NULL: none */
};

/*
 * Append the packet's text to `out` and its binary slices to `bin` (which is
 * emptied first). Values of kind SIO_RAW_JSON that are not `trusted` are
 * validated; placeholders in raw JSON with attachments are renumbered.
 *
 * SIO_OK, SIO_E_INVAL (a value is not valid: JSON, UTF-8, a placeholder without
 * attachment), SIO_E_LIMIT (longer than out->max), SIO_E_NOMEM.
 */
int sp_encode(struct grow *out, struct sp_attachments *bin,
              const struct sp_message *m);

/* Append a packet whose payload is ready JSON text (CONNECT, DISCONNECT,
 * CONNECT_ERROR); json.n 0: no payload. */
int sp_encode_plain(struct grow *out, enum sp_type type, sio_str nsp,
                    sio_str json);

/* Append one value as JSON text; binary inside becomes a placeholder, numbered
 * on from bin->count. */
int sp_encode_value(struct grow *out, struct sp_attachments *bin,
                    const sio_value *v);

#endif
