/*
 * packet3.c -- see packet3.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/engineio/packet3.h"

int eio_packet3_decode_text(char *text, size_t n, struct eio_packet *out)
{
    struct eio_packet packet;

    if (n == 0 || text[0] != EIO_BINARY) {
        int r = eio_packet_decode((sio_str){ text, n }, out);

        return r == SIO_OK ? 1 : r;
    }
    if (eio_packet_decode((sio_str){ text + 1, n - 1 }, &packet) != SIO_OK)
        return 0;
    out->type = packet.type;
    out->binary = true;
    out->data.p = text + 2;
    out->data.n = base64_decode(text + 2, text + 2, n - 2);
    return 1;
}

int eio_packet3_decode_binary(sio_str bytes, struct eio_packet *out)
{
    unsigned type;

    if (bytes.n == 0)
        return 0;
    type = (unsigned char)bytes.p[0];
    if (type >= EIO_NPACKETS)
        return 0;
    out->type = (enum eio_type)type;
    out->binary = true;
    out->data = (sio_str){ bytes.p + 1, bytes.n - 1 };
    return 1;
}

int eio_packet3_append_binary(struct grow *out, sio_str data)
{
    int r = grow_reserve(out, 1 + data.n);

    if (r != SIO_OK)
        return r;
    out->data[out->len++] = EIO_PACKET_MESSAGE;
    return grow_append(out, data.p, data.n);
}

int eio_packet3_append_base64(struct grow *out, sio_str data)
{
    int r = grow_reserve(out, EIO_PACKET3_BASE64_LEN(data.n));

    if (r != SIO_OK)
        return r;
    out->data[out->len++] = EIO_BINARY;
    out->data[out->len++] = (uint8_t)eio_packet_digit(EIO_PACKET_MESSAGE);
    out->len += base64_encode((char *)out->data + out->len, data.p, data.n);
    return SIO_OK;
}
