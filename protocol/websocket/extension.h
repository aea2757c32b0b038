/*
 * extension.h -- which permessage-deflate a client and this server agree on
 * (RFC 7692 7.1, by the header of RFC 6455 9.1): a header value in, the
 * parameters out, and the header value to answer with.
 *
 * The decisions are those of `ws`, which Node's engine uses, but for window
 * sizes: where both sides name one, the smaller one is taken.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef PROTOCOL_WEBSOCKET_EXTENSION_H
#define PROTOCOL_WEBSOCKET_EXTENSION_H

#include "protocol/base/grow.h"

#define WS_MIN_WINDOW_BITS 8
#define WS_MAX_WINDOW_BITS 15

/* What a side wishes, and what both agreed on. Window bits are 8 to 15, or 0:
 * not mentioned, which means 15. */
struct ws_deflate_params {
    bool server_no_context_takeover, client_no_context_takeover;
    uint8_t server_max_window_bits, client_max_window_bits;
};

/* Read a Sec-WebSocket-Extensions header; several of them are one, joined by
 * commas. The first offer that suits `wishes` is taken. Linear in the input.
 * Returns  1 and *agreed set; 0 when nothing here is offered that the server
 *          knows; SIO_E_INVAL when the header is malformed, an offer of
 *          permessage-deflate has a parameter that is unknown, repeated or out
 *          of range, or none of them suits: to be answered with 400 and
 *          WS_EXTENSION_REFUSED. */
int ws_deflate_negotiate(sio_str header, const struct ws_deflate_params *wishes,
                         struct ws_deflate_params *agreed);

#define WS_EXTENSION_REFUSED \
    "Invalid or unacceptable Sec-WebSocket-Extensions header"

/* Append the header's value for the answer. SIO_OK, SIO_E_LIMIT or
 * SIO_E_NOMEM: then `out` is as it was. */
int ws_deflate_answer(struct grow *out, const struct ws_deflate_params *agreed);

#endif
