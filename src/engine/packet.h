/*
 * packet.h -- one Socket.IO packet on its way to any number of sessions.
 *
 * Encoded once: its first message and each attachment stand ready as WebSocket
 * frames; their deflated forms and the long-polling form are made when the
 * first session needs them. All of it is shared by reference and never changes,
 * so any thread may hold and send it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_ENGINE_PACKET_H
#define SRC_ENGINE_PACKET_H

#include "src/http/frame.h"

/* <sio/adapter.h> has the name without seeing inside. */
struct sio_packet {
    atomic_uint refs;
    _Atomic(struct buf *) payload; /* polling form, or NULL so far */
    size_t count;
    struct http_frame parts[]; /* text or binary, then the attachments */
};

/* first: text, which begins with Engine.IO's "4", or binary. Copies everything.
 * NULL: out of memory. */
struct sio_packet *eng_packet_new(bool binary, sio_str first,
                                  const sio_str *attachments, size_t count);
struct sio_packet *eng_packet_ref(struct sio_packet *p);
void eng_packet_unref(struct sio_packet *p); /* NULL is allowed */

/* "4..." or "b<base64>", RS "b<base64>" ...; NULL: out of memory. Borrowed from
 * the packet. */
struct buf *eng_packet_payload(struct sio_packet *p);

#endif
