/*
 * packets.c -- see packets.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/flow/packets.h"

#include "protocol/socketio/encode.h"
#include "protocol/socketio/msgpack.h"

#include <sys/socket.h>

size_t packets_bytes(const char *json, void *out, size_t size)
{
    static const sio_str attachments[] = { { "ab", 2 }, { "c", 1 } };
    struct grow g;
    size_t n;

    grow_init(&g, size);
    if (mp_append_json(&g, str_of(json), attachments, 2) != SIO_OK)
        printf("# no packet: %s\n", json);
    n = g.len;
    if (n)
        memcpy(out, g.data, n);
    grow_free(&g);
    return n;
}

void packets_send(struct world *w, int fd, const char *json)
{
    char bytes[4096];

    world_send_binary(w, fd, bytes, packets_bytes(json, bytes, sizeof bytes));
}

void packets_send_hex(struct world *w, int fd, const char *hex)
{
    uint8_t bytes[512];
    size_t n = 0;
    unsigned byte;

    for (; n < sizeof bytes && sscanf(hex, "%2x", &byte) == 1; hex += 2)
        bytes[n++] = (uint8_t)byte;
    world_send_binary(w, fd, bytes, n);
}

/* The server's frames are never masked, and a test never cuts them. */
static const char *tell_frame(struct grow *out, const char *at)
{
    const unsigned op = (uint8_t)at[0] & 0x0f;
    size_t n = (uint8_t)at[1], more = n == 126 ? 2 : n == 127 ? 8 : 0;

    at += 2;
    if (more)
        n = 0;
    while (more--)
        n = n << 8 | (uint8_t)*at++;
    if (op == 2) {
        if (mp_append_as_json(out, NULL, (sio_str){ at, n }) != SIO_OK)
            grow_append(out, "no MessagePack", 14);
    } else {
        grow_append(out, op == 1 ? "T:" : op == 8 ? "C" : "?", op == 1 ? 2 : 1);
        grow_append(out, at, op == 8 ? 0 : n);
    }
    grow_append_byte(out, '|');
    return at + n;
}

const char *packets(struct world *w, int fd)
{
    static char told[1 << 16];
    long len = world_read(w, fd);
    const char *at = w->got, *end = at + (len > 0 ? len : 0);
    struct grow out;
    char none;

    grow_init(&out, sizeof told - 8);
    while (end - at >= 2)
        at = tell_frame(&out, at);
    if (out.len)
        memcpy(told, out.data, out.len);
    told[out.len] = 0;
    if (len < 0 || recv(fd, &none, 1, MSG_PEEK) == 0)
        memcpy(told + out.len, "EOF", 4);
    grow_free(&out);
    return told;
}

int packets_client(struct world *w)
{
    int fd = world_websocket(w, "EIO=4&transport=websocket");

    packets_send(w, fd, "{\"type\":0,\"nsp\":\"/\"}");
    CHECK_PACKETS(
        w, fd, "T:0{*}|{\"type\":0,\"data\":{\"sid\":\"*\"},\"nsp\":\"/\"}|");
    return fd;
}
