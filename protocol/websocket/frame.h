/*
 * frame.h -- RFC 6455 frames, both directions and both roles.
 *
 *   bytes --> ws_decode() --> HEADER, PAYLOAD*, END  --> message.c
 *
 * No socket, no clock, no allocation: the caller owns the bytes and the
 * decoder. Payload is unmasked in place and handed out as a slice of the
 * input, so it lives exactly as long as the caller's buffer.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef PROTOCOL_WEBSOCKET_FRAME_H
#define PROTOCOL_WEBSOCKET_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ws_op {
    WS_CONT = 0x0,
    WS_TEXT = 0x1,
    WS_BINARY = 0x2,
    WS_CLOSE = 0x8,
    WS_PING = 0x9,
    WS_PONG = 0xa
};

/* Who reads: a server expects masked frames, a client unmasked ones. */
enum ws_role { WS_SERVER, WS_CLIENT };

#define WS_HEAD_MAX 14 /* bytes of the longest frame header */
#define WS_RSV1 0x40   /* of the first byte: compressed (RFC 7692 6) */

/* What can be wrong with a frame: number, the close code that answers it, and
 * a text for the log. */
/* clang-format off */
#define WS_ERRORS(X)                                                     \
    X(RSV,     -1, 1002, "reserved bit without a negotiated extension")  \
    X(OPCODE,  -2, 1002, "reserved opcode")                              \
    X(MASK,    -3, 1002, "masking does not fit the sender's role")       \
    X(CONTROL, -4, 1002, "control frame fragmented or over 125 bytes")   \
    X(LENGTH,  -5, 1002, "length is not in its shortest form")           \
    X(TOO_BIG, -6, 1009, "longer than the limit, or 2^63 and more")

enum ws_err {
#define X(name, number, code, text) WS_E_##name = number,
    WS_ERRORS(X)
#undef X
};
/* clang-format on */

enum ws_event_type {
    WS_EV_MORE,    /* input used up; feed again when bytes arrive */
    WS_EV_HEADER,  /* fin, rsv1, op, length are set */
    WS_EV_PAYLOAD, /* data[0..n) is the next unmasked piece */
    WS_EV_END,     /* the frame is complete */
    WS_EV_ERROR    /* err is set; every later call repeats it */
};

struct ws_event {
    enum ws_event_type type;
    uint8_t fin, rsv1, op;
    uint64_t length;
    uint8_t *data;
    size_t n;
    enum ws_err err;
};

struct ws_decoder {
    uint8_t state;      /* 0 = in a header, or before it */
    uint8_t role;       /* enum ws_role */
    uint8_t deflate;    /* 1 = RSV1 is legal on TEXT and BINARY */
    uint8_t have, need; /* bytes in head[], bytes wanted */
    uint8_t head[WS_HEAD_MAX];
    uint8_t key_at; /* next byte of the masking key, 0..3 */
    int8_t err;
    uint64_t left; /* payload bytes still to come */
    uint64_t max_frame;
};

/* max_frame  payload bytes a data frame may announce; control frames have
 *            their own limit, 125
 * deflate    1 when permessage-deflate was negotiated: RSV1 is legal on TEXT
 *            and BINARY */
void ws_decoder_init(struct ws_decoder *d, enum ws_role role,
                     uint64_t max_frame, int deflate);

/* Between frames. */
static inline bool ws_decoder_idle(const struct ws_decoder *d)
{
    return d->state == 0 && d->have == 0;
}

/*
 * Consume a prefix of in[0..len) and report at most one event.
 *
 * Returns the number of bytes consumed. Call again with the rest until the
 * event is WS_EV_MORE or WS_EV_ERROR; a call with len 0 is legal and may
 * still report WS_EV_END. The length of a data frame is held against max_frame
 * as soon as its header is complete.
 */
size_t ws_decode(struct ws_decoder *d, uint8_t *in, size_t len,
                 struct ws_event *ev);

/*
 * Shortcut for the common case: when the decoder is between frames and
 * in[0..len) begins with one whole, valid frame, consume that as HEADER,
 * PAYLOAD and END in one. *ev has the fields of HEADER and PAYLOAD; its type
 * is WS_EV_END.
 *
 * Returns the number of bytes consumed, or 0 with nothing changed: the input
 * is for ws_decode().
 */
size_t ws_decode_whole(const struct ws_decoder *d, uint8_t *in, size_t len,
                       struct ws_event *ev);

/*
 * Write the header of a final, unfragmented frame with `n` payload bytes.
 *
 * mask     4 bytes of masking key (client), or NULL (server)
 * Returns  the bytes written to `out`, at most WS_HEAD_MAX.
 */
size_t ws_encode_head(uint8_t out[WS_HEAD_MAX], enum ws_op op, uint64_t n,
                      const uint8_t *mask);

/* XOR p[0..n) with `key`, starting at key byte `at` (RFC 6455 5.3). */
void ws_mask(uint8_t *p, size_t n, const uint8_t key[4], unsigned at);

/* The close code (RFC 6455 7.4.1) that answers `err`, and its text. */
unsigned ws_close_code(enum ws_err err);
const char *ws_err_text(enum ws_err err);

#endif
