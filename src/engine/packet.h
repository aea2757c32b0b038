/*
 * packet.h -- one Socket.IO packet on its way to any number of sessions.
 *
 * Encoded once: the text part and each attachment stand ready as WebSocket
 * frames; the long-polling form is made when the first polling session needs
 * it. All of it is shared by reference and never changes, so any thread may
 * hold and send it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_ENGINE_PACKET_H
#define SRC_ENGINE_PACKET_H

#include "protocol/base/buf.h"
#include "protocol/base/str.h"

#include <stdatomic.h>

struct eng_part {
    struct buf *frame; /* WebSocket header and payload */
    uint8_t head;      /* bytes of the header */
    bool binary;
};

/* <sio/adapter.h> has the name without seeing inside. */
struct sio_packet {
    atomic_uint refs;
    _Atomic(struct buf *) payload; /* polling form, or NULL so far */
    size_t count;
    struct eng_part parts[]; /* the text, then the attachments */
};

/* text begins with Engine.IO's "4". Copies everything. NULL: out of memory. */
struct sio_packet *eng_packet_new(sio_str text, const sio_str *attachments,
                                  size_t count);
struct sio_packet *eng_packet_ref(struct sio_packet *p);
void eng_packet_unref(struct sio_packet *p); /* NULL is allowed */

/* "4..." RS "b<base64>" ...; NULL: out of memory. Borrowed from the packet. */
struct buf *eng_packet_payload(struct sio_packet *p);

static inline sio_str eng_part_data(const struct eng_part *part)
{
    return (sio_str){ (const char *)part->frame->data + part->head,
                      part->frame->len - part->head };
}

#endif
