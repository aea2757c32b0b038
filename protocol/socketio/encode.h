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
/* SIO_OK or SIO_E_NOMEM. */
int sp_attachments_add(struct sp_attachments *a, sio_str bytes);

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
 * on from bin->count, or Node's {"type":"Buffer","data":[...]} when bin is
 * NULL. */
int sp_encode_value(struct grow *out, struct sp_attachments *bin,
                    const sio_value *v);

/* Append a binary value, as above. On failure a part of it may be in. */
int sp_append_binary(struct grow *out, struct sp_attachments *bin,
                     sio_str bytes);

/* Is the value valid? Raw text that is not `trusted` is looked through, and
 * *binaries is raised by the binary values that are in it. SIO_OK or
 * SIO_E_INVAL. */
int sp_count_binaries(const sio_value *v, size_t *binaries);

/* From items[from] on the slices become copies, freed by
 * sp_attachments_disown(). SIO_E_NOMEM: bin->count is `from` then. */
int sp_attachments_own(struct sp_attachments *a, size_t from);
/* Free the copies, and the list. */
void sp_attachments_disown(struct sp_attachments *a);

#endif
