/*
 * websocket.c -- any bytes behind the handshake of a plain WebSocket, twice:
 * whole, and in segments of two sizes that follow each other. What comes back,
 * to the end of the stream, must be the same.
 *
 * The first byte chooses the offer of permessage-deflate, the next two the
 * sizes of the segments.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sio/websocket.h>

#include "src/server/server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define OUTPUT_MAX (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static sio_server *server;
static uint64_t now_ms = 1000000;

struct output {
    size_t n;
    uint8_t bytes[OUTPUT_MAX];
};

static struct output whole, cut;

static void must(bool ok)
{
    if (!ok)
        abort();
}

static uint64_t read_clock(void *self)
{
    (void)self;
    return now_ms;
}

static void on_message(sio_websocket *ws, const sio_value *message, void *user)
{
    (void)user;
    sio_websocket_send(ws, message);
}

static void start(void)
{
    static const sio_websocket_handlers handlers = { .size = sizeof handlers,
                                                     .on_message = on_message };
    sio_websocket_options o;

    server = server_new(NULL, read_clock, NULL);
    must(server != NULL);
    sio_websocket_options_init(&o);
    o.per_message_deflate = true;
    o.max_message = 3000;
    o.max_fragments = 20;
    must(sio_on_websocket(server, &o, &handlers, NULL) == SIO_OK);
}

static void receive(int fd, struct output *out)
{
    ssize_t n;

    for (int i = 0; i < 3; i++)
        net_loop_poll(&server->main.loop);
    do {
        n = recv(fd, out->bytes + out->n, OUTPUT_MAX - out->n, 0);
        if (n > 0)
            out->n += (size_t)n;
        must(out->n < OUTPUT_MAX);
    } while (n > 0);
}

static void put(int fd, const void *bytes, size_t n, struct output *out)
{
    const uint8_t *at = bytes;

    while (n) {
        ssize_t k = send(fd, at, n, MSG_NOSIGNAL);

        if (k < 0 && errno != EAGAIN)
            return; /* closed */
        if (k > 0) {
            at += k;
            n -= (size_t)k;
        }
        receive(fd, out);
    }
}

static int dial(uint8_t offer, struct output *out)
{
    static const char *const offers[] = {
        "", "permessage-deflate", "permessage-deflate;server_max_window_bits=9",
        "permessage-deflate;client_no_context_takeover",
        "permessage-deflate;server_no_context_takeover"
    };
    struct net_address peer = { .family = AF_INET, .ip = { 127, 0, 0, 1 } };
    char head[512];
    int fds[2];
    int n = snprintf(
        head, sizeof head,
        "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s%s\r\n"
        "\r\n",
        offer % 5 ? "Sec-WebSocket-Extensions: " : "X: ", offers[offer % 5]);

    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
    must(http_accept(&server->main.http, fds[1], &peer) == SIO_OK);
    out->n = 0;
    put(fds[0], head, (size_t)n, out);
    must(out->n > 12 && memcmp(out->bytes, "HTTP/1.1 101", 12) == 0);
    return fds[0];
}

static void run(uint8_t offer, const uint8_t *data, size_t size,
                const size_t sizes[2], struct output *out)
{
    int fd = dial(offer, out);

    for (size_t i = 0; size; i ^= 1) {
        size_t n = sizes[i] < size ? sizes[i] : size;

        put(fd, data, n, out);
        data += n;
        size -= n;
    }
    shutdown(fd, SHUT_WR);
    receive(fd, out);
    close(fd);
    receive(fd, out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t all[2] = { SIZE_MAX, SIZE_MAX };
    sio_stats s;

    if (!server)
        start();
    if (size < 3)
        return 0;
    run(data[0], data + 3, size - 3, all, &whole);
    run(data[0], data + 3, size - 3,
        (size_t[2]){ (size_t)data[1] + 1, (size_t)data[2] + 1 }, &cut);
    must(whole.n == cut.n && memcmp(whole.bytes, cut.bytes, cut.n) == 0);
    sio_get_stats(server, &s);
    must(s.connections == 0 && s.websockets == 0 && s.queued_bytes == 0);
    must(s.unfinished_bytes == 0 && server->main.loop.chunk_count == 0);
    return 0;
}
