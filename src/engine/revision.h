/*
 * revision.h -- what differs between a session of Engine.IO 4 and one of 3
 * (option allow_eio3); the rest of src/engine is the same for both.
 *
 *                     4                          3
 *   payloads          packets joined by 0x1E     each behind its length
 *   binary, polling   always base64              raw, unless "b64" was asked
 * for binary, frames    the bytes                  a type byte before them
 *   JSONP             no                         if the handshake has "j"
 *   who pings         the server                 the client (session.c)
 *
 * Whether a payload of revision 3 is text or binary depends on all that is in
 * it. So what waits for a poll gathers in its binary form, which loses nothing,
 * and is turned into text when the poll comes.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_ENGINE_REVISION_H
#define SRC_ENGINE_REVISION_H

#include "protocol/engineio/payload.h"
#include "protocol/engineio/payload3.h"
#include "src/engine/session.h"

/* Anything but EIO=4 means revision 3. */
bool revision_is_3(sio_str query);
bool revision_names_3(sio_str raw); /* the value of EIO, undecoded */

/* What the request of the handshake asks for. */
void revision_init(struct eng_session *s);

/* --- what waits for a poll: polling->out --- */

int revision_queue(struct eng_session *s, enum eio_type type, sio_str data);
int revision_queue_binary(struct eng_session *s, sio_str data);
/* On failure a part of the packet may be in. */
int revision_queue_packet(struct eng_session *s, struct sio_packet *p);

/* --- bodies of answers --- */

struct eng_body {
    sio_str type, data;
    struct grow made; /* owns `data` where that is not polling->out */
};

/* Each fills *b, whose `made` is to be freed in any case. SIO_OK, SIO_E_INVAL
 * (what waits is not UTF-8), SIO_E_LIMIT, SIO_E_NOMEM. */
int revision_body_open(struct eng_session *s, struct eng_body *b);
int revision_body_waiting(struct eng_session *s, struct eng_body *b);
int revision_body_control(struct eng_session *s, enum eng_control what,
                          struct eng_body *b);

/* --- bodies of requests, and what waits --- */

/* A POST of this type has the binary form of revision 3. */
bool revision_is_binary(const struct eng_session *s,
                        const struct http_request *r);

/* The payload in the form that a JSONP client posts, decoded in place; nothing
 * to do for others. False: there is none. */
bool revision_unwrap(const struct eng_session *s, char **body, size_t *n);

struct eng_walk {
    bool v3;
    union {
        struct eio_payload payload;
        struct eio_payload3 payload3;
    } of;
};

void revision_walk(struct eng_walk *walk, const struct eng_session *s,
                   enum eio_form3 form, char *body, size_t n);
/* As eio_payload_next(). */
int revision_next(struct eng_walk *walk, struct eio_packet *out);

/* --- frames --- */

/* One message of a WebSocket. 1 and *out set; 0: to be ignored; SIO_E_INVAL. */
int revision_decode_text(const struct eng_session *s, sio_str text,
                         struct eio_packet *out);
int revision_decode_binary(const struct eng_session *s, sio_str bytes,
                           struct eio_packet *out);

/* A binary message is not a frame as it is: revision_wrap() makes one of it. */
static inline bool revision_wraps(const struct eng_ws *ws)
{
    return ws->v3 || ws->base64;
}

int revision_wrap(const struct eng_ws *ws, struct grow *out, enum ws_op *op,
                  sio_str data);

#endif
