/*
 * packet.c -- see packet.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/engineio/packet.h"

#include "protocol/base/base64.h"

int eio_packet_decode(sio_str text, struct eio_packet *out)
{
    unsigned type;

    if (text.n == 0)
        return SIO_E_INVAL;
    type = (unsigned char)text.p[0] - '0';
    if (type >= EIO_NPACKETS)
        return SIO_E_INVAL;
    out->type = (enum eio_type)type;
    out->binary = false;
    out->data = (sio_str){ text.p + 1, text.n - 1 };
    return SIO_OK;
}

int eio_packet_decode_in_place(char *text, size_t n, struct eio_packet *out)
{
    if (n == 0 || text[0] != EIO_BINARY)
        return eio_packet_decode((sio_str){ text, n }, out);
    out->type = EIO_PACKET_MESSAGE;
    out->binary = true;
    out->data.p = text + 1;
    out->data.n = base64_decode(text + 1, text + 1, n - 1);
    return SIO_OK;
}

char eio_packet_digit(enum eio_type type)
{
    return (char)('0' + type);
}

const char *eio_packet_name(enum eio_type type)
{
    static const char *const name[EIO_NPACKETS] = {
        [EIO_PACKET_OPEN] = "open",       [EIO_PACKET_CLOSE] = "close",
        [EIO_PACKET_PING] = "ping",       [EIO_PACKET_PONG] = "pong",
        [EIO_PACKET_MESSAGE] = "message", [EIO_PACKET_UPGRADE] = "upgrade",
        [EIO_PACKET_NOOP] = "noop",
    };

    return type < EIO_NPACKETS ? name[type] : "?";
}
