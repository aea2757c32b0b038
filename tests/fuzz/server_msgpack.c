/*
 * server_msgpack.c -- the whole server with MessagePack, under a client that
 * has joined "/" and sends any messages: length, bytes; length, bytes. Every
 * reader is tried on every argument, and all is passed on: to the client, to
 * everybody, as a tree, as raw text, as an answer.
 *
 * Afterwards it hangs up, every counter must be zero, and an innocent client
 * must get its echo.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/server/server.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define ARGS 20

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static sio_server *server;
static uint64_t now_ms = 1000000;
static char got[1 << 16];

static void must(bool ok)
{
    if (!ok)
        abort();
}

/* Whichever way it is read, it is the same. */
static void read_arg(sio_event *event, size_t i)
{
    const sio_kind kind = sio_arg_kind(event, i);
    const struct cJSON *tree;
    const char *text;
    const void *bytes;
    int64_t integer;
    double number;
    bool boolean;
    sio_str raw;
    size_t n;
    int r;

    r = sio_arg_string(event, i, &text, &n);
    must((r == SIO_OK) == (kind == SIO_STRING) && (r < 0 || !text[n]));
    must((sio_arg_int(event, i, &integer) == SIO_OK) == (kind == SIO_INT));
    must((sio_arg_number(event, i, &number) == SIO_OK) ==
         (kind == SIO_INT || kind == SIO_NUMBER));
    must((sio_arg_bool(event, i, &boolean) == SIO_OK) == (kind == SIO_BOOL));
    must((sio_arg_binary(event, i, &bytes, &n) == SIO_OK) ==
         (kind == SIO_BINARY));
    if (sio_arg_raw(event, i, &raw) == SIO_OK)
        must(raw.n > 0);
    sio_arg_json(event, i, &tree);
}

static void on_reply(int error, sio_event *answers, void *user)
{
    (void)error;
    (void)user;
    for (size_t i = 0; i < sio_arg_count(answers) && i < ARGS; i++)
        read_arg(answers, i);
}

static void on_any(sio_socket *socket, sio_event *event, void *user)
{
    sio_namespace *nsp = sio_namespace_of(socket);
    sio_value values[ARGS];
    const struct cJSON *tree;
    sio_str raw;
    size_t count = 0;

    (void)user;
    for (; count < sio_arg_count(event) && count < ARGS; count++) {
        read_arg(event, count);
        values[count] = sio_arg(event, count);
    }
    sio_attachment_count(event);
    sio_ack_values(event, values, count);
    must(sio_socket_emit_values(socket, "echo", values, count) == SIO_OK);
    switch (sio_event_name(event)[0]) {
    case 'b':
        sio_emit_values(sio_target_namespace(nsp), "b", values, count);
        break;
    case 'q':
        sio_emit_ack(sio_timeout(nsp, 1000), on_reply, NULL, "q");
        sio_emit_ack(socket, on_reply, NULL, "q");
        break;
    case 'r':
        if (sio_arg_raw(event, 0, &raw) == SIO_OK)
            sio_emit(socket, "r", sio_raw_json(raw.p, raw.n));
        break;
    case 't':
        if (sio_arg_json(event, 0, &tree) == SIO_OK)
            sio_emit(socket, "t", sio_json(tree));
        break;
    case 'd':
        sio_disconnect(socket, false);
        break;
    default:
        break;
    }
}

static uint64_t read_clock(void *self)
{
    (void)self;
    return now_ms;
}

static void start(void)
{
    sio_options o;

    sio_options_init(&o);
    o.parser = sio_msgpack_parser();
    o.max_json_depth = 30;
    server = server_new(&o, read_clock, NULL);
    must(server != NULL);
    sio_on_unhandled(sio_of(server, "/"), on_any, NULL);
}

static void turn(void)
{
    for (int i = 0; i < 3; i++)
        net_loop_poll(&server->main.loop);
}

static size_t put(int fd, const void *p, size_t n)
{
    ssize_t k = send(fd, p, n, MSG_NOSIGNAL);

    must(k == (ssize_t)n || (k < 0 && errno == EPIPE));
    turn();
    k = recv(fd, got, sizeof got, 0);
    return k > 0 ? (size_t)k : 0;
}

/* The mask is 0: what the fuzzer writes is what the server reads. */
static size_t frame(int fd, const void *p, size_t n)
{
    uint8_t all[8 + UINT8_MAX] = { 0x82, 0x80 | 126, 0, (uint8_t)n };

    if (n)
        memcpy(all + 8, p, n);
    if (n >= 126)
        return put(fd, all, n + 8);
    all[1] = (uint8_t)(0x80 | n);
    memset(all + 2, 0, 4);
    if (n)
        memcpy(all + 6, p, n);
    return put(fd, all, n + 6);
}

static int join(void)
{
    static const char hello[] =
        "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\n"
        "Upgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    struct net_address peer = { .family = AF_INET, .ip = { 127, 0, 0, 1 } };
    int pair[2];

    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
    must(http_accept(&server->main.http, pair[1], &peer) == SIO_OK);
    must(put(pair[0], hello, sizeof hello - 1) > 0);
    must(frame(pair[0], "\x82\xa4type\0\xa3nsp\xa1/", 13) > 0);
    return pair[0];
}

static void leave(int fd)
{
    sio_stats s;

    close(fd);
    now_ms += 100;
    turn();
    now_ms += 60000;
    turn();
    sio_get_stats(server, &s);
    must(!s.connections && !s.sessions && !s.sockets && !s.pending_acks &&
         !s.queued_bytes && !s.rooms);
}

static void check_innocent(void)
{
    static const char hi[] = "\x83\xa4type\2\xa4"
                             "data\x92\xa1x\1\xa3nsp\xa1/";
    static const char echo[] = "\x82\x1a\x83\xa4type\2\xa4"
                               "data\x92\xa4"
                               "echo\1\xa3nsp\xa1/";
    int fd = join();

    must(frame(fd, hi, sizeof hi - 1) == sizeof echo - 1);
    must(memcmp(got + 2, echo + 2, sizeof echo - 3) == 0);
    leave(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int fd;

    if (!server)
        start();
    fd = join();
    while (size > 1) {
        size_t n = data[0] < size - 1 ? data[0] : size - 1;

        frame(fd, data + 1, n);
        data += 1 + n;
        size -= 1 + n;
    }
    leave(fd);
    check_innocent();
    return 0;
}
