/*
 * open.c -- see open.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/engineio/open.h"

#include "protocol/base/quote.h"

#include <inttypes.h>
#include <stdio.h>

static int append_open(struct grow *out, const struct eio_open *open)
{
    char rest[160]; /* the keys and three numbers of at most 20 digits */
    int n, r = grow_append(out, "{\"sid\":", 7);

    if (r == SIO_OK)
        r = json_append_string(out, open->sid);
    if (r != SIO_OK)
        return r;
    n = snprintf(rest, sizeof rest,
                 ",\"upgrades\":[%s],\"pingInterval\":%" PRIu32
                 ",\"pingTimeout\":%" PRIu32 ",\"maxPayload\":%" PRIu64 "}",
                 open->upgrade_websocket ? "\"websocket\"" : "",
                 open->ping_interval_ms, open->ping_timeout_ms,
                 open->max_payload);
    return grow_append(out, rest, (size_t)n);
}

int eio_open_encode(struct grow *out, const struct eio_open *open)
{
    const size_t before = out->len;
    int r = append_open(out, open);

    if (r != SIO_OK)
        out->len = before;
    return r;
}
