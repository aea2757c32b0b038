/*
 * deflate.h -- the compressed messages of permessage-deflate (RFC 7692 7.2):
 * a message is a raw deflate stream, flushed to a byte boundary, without the
 * four bytes 00 00 ff ff that such a flush ends with.
 *
 *   bytes of a message --> ws_inflate() --> the message
 *   a message --> ws_deflate() --> the payload of a frame with RSV1
 *
 * Memory is allocated by the first message: 7 KiB and the window to inflate,
 * 134 to 262 KiB to deflate (9 to 15 window bits). With context takeover a
 * message may repeat what earlier ones said, so each connection needs codecs of
 * its own. Without, nothing of a message is remembered: one deflater serves any
 * number of connections, and inflaters hand their memory on by a ws_spare.
 *
 * window_bits, in both: as negotiated (extension.h), 8 to 15, or 0 for 15.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef PROTOCOL_WEBSOCKET_DEFLATE_H
#define PROTOCOL_WEBSOCKET_DEFLATE_H

#include "protocol/base/grow.h"

#define WS_DEFLATE_DEFAULT_LEVEL (-1)

/* Beyond the message that it wrote, ws_deflate() needs so much room. */
#define WS_DEFLATE_SLACK 5

struct z_stream_s;

/* Memory of an inflater between two messages, for the next one in need. */
struct ws_spare {
    struct z_stream_s *z; /* NULL: there is none */
};

struct ws_inflater {
    struct z_stream_s *z; /* NULL while nothing need be remembered */
    struct ws_spare *spare;
    uint8_t window_bits;
    bool takeover;
    bool open; /* the deflate stream under way has begun and not ended */
};

struct ws_deflater {
    struct z_stream_s *z;
    int8_t level;
    uint8_t window_bits;
    bool takeover;
};

void ws_inflater_init(struct ws_inflater *f, unsigned window_bits,
                      bool takeover);
/* Without context takeover its memory is taken from `spare` and goes back there
 * when a message ends; else it is freed then. NULL: the latter. */
void ws_inflater_share(struct ws_inflater *f, struct ws_spare *spare);
void ws_inflater_free(struct ws_inflater *f); /* as after init */
void ws_spare_free(struct ws_spare *spare);

/* Inflate the next piece of a message and append it to `out`, whose maximum is
 * the limit of a message.
 * last     the message ends with this piece; n may be 0
 * Returns  SIO_OK; SIO_E_INVAL (no deflate data: close with 1007), SIO_E_LIMIT
 *          (over the maximum, found before it is exceeded: 1009), SIO_E_NOMEM.
 *          After a failure `out` holds the part before it, and the codec is as
 *          after init: what the peer sends next cannot be understood. */
int ws_inflate(struct ws_inflater *f, const void *in, size_t n, bool last,
               struct grow *out);

/* level  0 (none) to 9 (best), or WS_DEFLATE_DEFAULT_LEVEL. Its memory stays
 * until it is freed, with takeover or without. */
void ws_deflater_init(struct ws_deflater *d, unsigned window_bits,
                      bool takeover, int level);
void ws_deflater_free(struct ws_deflater *d); /* as after init */

/* Append a whole message, deflated. What was appended must be sent, in the
 * order of the calls, if there is context takeover.
 * Returns  SIO_OK; SIO_E_LIMIT (`out` has no room for it and WS_DEFLATE_SLACK
 *          bytes, or n is over 4 GiB), SIO_E_NOMEM. After a failure `out` is
 *          as it was, and the codec as after init: the message may be sent as
 *          it is, and later ones deflated. */
int ws_deflate(struct ws_deflater *d, const void *in, size_t n,
               struct grow *out);

#endif
