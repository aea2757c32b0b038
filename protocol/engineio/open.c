/*
 * open.c -- see open.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/engineio/open.h"

#include "protocol/base/decimal.h"
#include "protocol/base/quote.h"
#include "protocol/base/str.h"

static char *put(char *out, sio_str text)
{
    memcpy(out, text.p, text.n);
    return out + text.n;
}

static char *put_member(char *out, sio_str key, uint64_t number)
{
    out = put(out, key);
    return out + decimal_put(out, number);
}

static int append_open(struct grow *out, const struct eio_open *open)
{
    char rest[160]; /* the keys and three numbers of at most 20 digits */
    char *end = rest;
    int r = grow_append(out, "{\"sid\":", 7);

    if (r == SIO_OK)
        r = json_append_string(out, open->sid);
    if (r != SIO_OK)
        return r;
    end = put(end, STR(",\"upgrades\":["));
    if (open->upgrade_websocket)
        end = put(end, STR("\"websocket\""));
    end = put_member(end, STR("],\"pingInterval\":"), open->ping_interval_ms);
    end = put_member(end, STR(",\"pingTimeout\":"), open->ping_timeout_ms);
    end = put_member(end, STR(",\"maxPayload\":"), open->max_payload);
    *end++ = '}';
    return grow_append(out, rest, (size_t)(end - rest));
}

int eio_open_encode(struct grow *out, const struct eio_open *open)
{
    const size_t before = out->len;
    int r = append_open(out, open);

    if (r != SIO_OK)
        out->len = before;
    return r;
}
