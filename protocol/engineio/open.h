/*
 * open.h -- the data of the OPEN packet: what the server tells a new client.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef PROTOCOL_ENGINEIO_OPEN_H
#define PROTOCOL_ENGINEIO_OPEN_H

#include "protocol/base/grow.h"

struct eio_open {
    sio_str sid;
    bool upgrade_websocket; /* "websocket" is offered as an upgrade */
    uint32_t ping_interval_ms, ping_timeout_ms;
    uint64_t max_payload; /* bytes */
};

/* Append the JSON object, keys in Node's order; without the type digit. */
int eio_open_encode(struct grow *out, const struct eio_open *open);

#endif
