/*
 * message.h -- frames become messages (RFC 6455 5.4 - 5.6).
 *
 *   bytes --> ws_decode() (frame.c) --> ws_read() --> TEXT, BINARY, PING, ...
 *
 * One call hands out at most one message. A message that lies whole in the
 * caller's input is a slice of it (unmasked in place): nothing is copied or
 * allocated. One that arrives in pieces is gathered in a buffer capped by
 * `max_message`; memory grows with the bytes that arrived, never by a length
 * that a header announces. Control frames between fragments are handed out at
 * once. Text is checked as UTF-8 while it arrives.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef PROTOCOL_WEBSOCKET_MESSAGE_H
#define PROTOCOL_WEBSOCKET_MESSAGE_H

#include "protocol/base/grow.h"
#include "protocol/base/utf8.h"
#include "protocol/websocket/close.h"
#include "protocol/websocket/deflate.h"
#include "protocol/websocket/frame.h"

#define WS_MAX_FRAGMENTS 16384u /* per message, as `ws`; 1008 beyond it */

enum ws_message_type {
    WS_MSG_MORE, /* input used up */
    WS_MSG_TEXT,
    WS_MSG_BINARY,
    WS_MSG_PING,
    WS_MSG_PONG,
    WS_MSG_CLOSE, /* code is set; data is the reason */
    WS_MSG_ERROR  /* code is what to close with; absorbing */
};

struct ws_message {
    enum ws_message_type type;
    /* The payload: a slice of the input, or of reader memory if `gathered`:
     * then it lives until the next ws_read() unless ws_reader_take() was
     * called. Set for TEXT to CLOSE only; not NULL even if n is 0. */
    uint8_t *data;
    size_t n;
    bool gathered;
    /* CLOSE: the peer's code, WS_CLOSE_NO_STATUS when it gave none.
     * ERROR: the code that answers the violation. */
    unsigned code;
    const char *why; /* ERROR: what was wrong, for the log; static */
};

struct ws_reader {
    struct ws_decoder frame;
    struct grow parts; /* of a data message in pieces */
    uint8_t op;        /* of the data message under way, WS_CONT = none */
    uint8_t frame_op;  /* of the frame under way */
    bool fin;          /* of the frame under way */
    bool deliver;      /* parts were handed out: empty them first */
    uint8_t control_len;
    uint8_t control[125]; /* of a control frame in pieces */
    struct utf8 utf8;     /* of the text under way; done between texts */
    uint32_t fragments;
    uint32_t max_fragments; /* WS_MAX_FRAGMENTS; the owner may change it */
    bool compressed;        /* the message under way */
    uint64_t wire;          /* its bytes so far, as announced */
    struct ws_inflater *inflater; /* NULL: no extension */
    uint64_t frame_len;
    unsigned code; /* once failed, what ERROR repeats; 0 before */
    const char *why;
};

/* max_message  bytes per message, 0 = no limit
 * role         whose input this is: see frame.h */
void ws_reader_init(struct ws_reader *r, enum ws_role role,
                    uint64_t max_message);
void ws_reader_free(struct ws_reader *r);

/* Nothing has begun that more input belongs to: but for memory that the last
 * message has left, it is as it was at first. */
static inline bool ws_reader_idle(const struct ws_reader *r)
{
    return r->op == WS_CONT && !r->code && ws_decoder_idle(&r->frame);
}

/* Consume a prefix of in[0..len) and report at most one message in *out.
 * Returns the bytes consumed; call again with the rest until the type is
 * WS_MSG_MORE or WS_MSG_ERROR. Out of memory is an ERROR with code
 * WS_CLOSE_INTERNAL_ERROR. What follows a CLOSE is read like anything else:
 * whether to look at it is the caller's. */
size_t ws_read(struct ws_reader *r, uint8_t *in, size_t len,
               struct ws_message *out);

/* Take over the memory of the gathered TEXT or BINARY just handed out, to be
 * freed with free(). NULL when that message was a slice of the input or a
 * control frame, whose bytes (125 at most) lie in the reader itself. */
uint8_t *ws_reader_take(struct ws_reader *r);

/* permessage-deflate was negotiated (RFC 7692): messages with RSV1 are inflated
 * by `inflater`, which stays the caller's. The limit of a message holds on the
 * wire and after inflation, so that a bomb costs its limit and no more. NULL:
 * it was not. For an idle reader. */
void ws_reader_inflate(struct ws_reader *r, struct ws_inflater *inflater);

#endif
