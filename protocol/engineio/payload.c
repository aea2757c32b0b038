/*
 * payload.c -- see payload.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/engineio/payload.h"

#include "protocol/base/base64.h"

void eio_payload_init(struct eio_payload *it, char *body, size_t n)
{
    it->at = body;
    it->end = n ? body + n : body;
    it->done = false;
}

int eio_payload_next(struct eio_payload *it, struct eio_packet *out)
{
    char *packet = it->at, *stop = NULL;
    int r;

    if (it->done)
        return 0;
    if (packet < it->end)
        stop = memchr(packet, EIO_SEPARATOR, (size_t)(it->end - packet));
    if (stop) {
        it->at = stop + 1;
    } else {
        stop = it->end;
        it->done = true;
    }
    r = eio_packet_decode_in_place(packet, (size_t)(stop - packet), out);
    if (r != SIO_OK)
        it->done = true; /* the session ends here */
    return r == SIO_OK ? 1 : r;
}

/* Make room for n more bytes, then write what goes before them. */
static int begin_packet(struct grow *out, char first, size_t n)
{
    const bool separated = out->len > 0;
    int r = grow_reserve(out, separated + 1 + n);

    if (r != SIO_OK)
        return r;
    if (separated)
        out->data[out->len++] = EIO_SEPARATOR;
    out->data[out->len++] = (uint8_t)first;
    return SIO_OK;
}

int eio_payload_append(struct grow *out, enum eio_type type, sio_str data)
{
    int r = begin_packet(out, eio_packet_digit(type), data.n);

    return r == SIO_OK ? grow_append(out, data.p, data.n) : r;
}

int eio_payload_append_binary(struct grow *out, sio_str data)
{
    int r = begin_packet(out, EIO_BINARY, BASE64_LEN(data.n));

    if (r == SIO_OK && data.n)
        out->len += base64_encode((char *)out->data + out->len, data.p, data.n);
    return r;
}
