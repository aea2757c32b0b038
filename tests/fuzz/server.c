/*
 * server.c -- the whole server under a client that sends anything. The first
 * byte chooses what has happened before: nothing (raw HTTP), a WebSocket, a
 * polling session, an upgrade under way; by a client of Engine.IO 4 or of 3 in
 * one of its forms; without permessage-deflate, with it, with it but without
 * context; or on a plain WebSocket endpoint. What follows are steps:
 *
 *   kind, length, bytes    raw bytes, at once or one by one; a text or binary
 *                          frame, or one of any first byte; a POST; a poll; or
 *                          so many hundred milliseconds pass
 *
 * A step marked HOLD goes out with the next one, in the same segment; the upper
 * half of a kind is the size of the segments that raw bytes and frames go in.
 *
 * Afterwards everything hangs up, time passes, every counter must be zero, and
 * an innocent client must get its echo.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sio/sio.h>

#include "src/server/server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HOLD 8        /* bit of a step's kind */
#define CONNECTIONS 8 /* that one input may open */
#define UPGRADE                                     \
    "Upgrade: websocket\r\nConnection: Upgrade\r\n" \
    "Sec-WebSocket-Version: 13\r\n"                 \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

#define DEFLATE "Sec-WebSocket-Extensions: permessage-deflate"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static sio_server *server;
static uint64_t now_ms = 1000000;
static int fds[CONNECTIONS];
static size_t fd_count;
static int main_fd; /* where bytes and frames go */
static bool holding;
static size_t piece;       /* bytes of a segment; 0: all in one */
static uint8_t held[4096]; /* bytes for main_fd that wait for the next step */
static size_t held_len;
static char sid[21];       /* of the polling session, if any */
static const char *speaks; /* of its client: the query */
static const char *offers; /* of its WebSockets: an extension field, or "" */
static char got[1 << 16];  /* what came back last */

static void must(bool ok)
{
    if (!ok)
        abort();
}

/* ------------------------------------------------------------- handlers -- */

static void on_reply(int error, sio_event *answers, void *user)
{
    (void)error;
    (void)user;
    for (size_t i = 0; i < sio_arg_count(answers); i++)
        sio_arg_kind(answers, i);
}

/* Events are single letters, so that they are found soon. */
static void on_any(sio_socket *socket, sio_event *event, void *user)
{
    sio_namespace *nsp = sio_namespace_of(socket);
    const struct cJSON *tree;
    const char *text = "";

    (void)user;
    sio_arg_string(event, 0, &text, NULL);
    sio_arg_json(event, 0, &tree);
    switch (sio_event_name(event)[0]) {
    case 'a':
        sio_ack(event, sio_arg(event, 0), sio_arg(event, 1));
        break;
    case 'b':
        sio_emit(nsp, "b", sio_arg(event, 0));
        break;
    case 'd':
        sio_disconnect(socket, sio_arg_count(event) > 0);
        break;
    case 'j':
        sio_join(socket, text);
        break;
    case 'l':
        sio_leave(socket, text);
        break;
    case 'q':
        sio_emit_ack(sio_timeout(nsp, 1000), on_reply, NULL, "q");
        sio_emit_ack(socket, on_reply, NULL, "q");
        break;
    case 'r':
        sio_emit(sio_to(socket, text), "r", sio_arg(event, 0));
        break;
    case 'x':
        sio_disconnect_sockets(nsp, true);
        break;
    default:
        sio_emit(socket, "echo", sio_arg(event, 0));
    }
}

static void on_connection(sio_socket *socket, void *user)
{
    (void)user;
    sio_emit(socket, "auth",
             sio_raw_json(sio_auth(socket).p, sio_auth(socket).n));
}

static void kick(sio_socket *socket, void *user)
{
    (void)user;
    sio_disconnect(socket, true);
}

static void on_gone(sio_socket *socket, const char *reason, void *user)
{
    (void)user;
    sio_emit(sio_broadcast(socket), "gone", sio_string(reason));
}

static void on_plain(sio_websocket *ws, const sio_value *message, void *user)
{
    const char *text = message->data;

    (void)user;
    sio_websocket_send(ws, message);
    if (message->size && text[0] == 'p')
        sio_websocket_pause(ws);
    else if (message->size && text[0] == 'c')
        sio_websocket_close(ws, 3000, "c");
}

static void start_plain(void)
{
    static const sio_websocket_handlers handlers = { .size = sizeof handlers,
                                                     .on_message = on_plain };
    sio_websocket_options o;

    sio_websocket_options_init(&o);
    o.path = "/plain";
    o.per_message_deflate = true;
    o.max_message = 3000;
    o.max_fragments = 20;
    o.ping_interval_ms = 2000;
    o.ping_timeout_ms = 1000;
    must(sio_on_websocket(server, &o, &handlers, NULL) == SIO_OK);
}

static uint64_t read_clock(void *self)
{
    (void)self;
    return now_ms;
}

static void start(void)
{
    sio_namespace *nsp;
    sio_options o;

    sio_options_init(&o);
    o.max_http_buffer_size = 2000;
    o.max_buffered_amount = 20000;
    o.max_unfinished_bytes = 4000;
    o.per_message_deflate = true;
    o.per_message_deflate_threshold = 10;
    o.allow_eio3 = true;
    server = server_new(&o, read_clock, NULL);
    must(server != NULL);
    nsp = sio_of(server, "/");
    sio_on_connection(nsp, on_connection, NULL);
    sio_on_unhandled(nsp, on_any, NULL);
    sio_on_disconnecting(nsp, on_gone, NULL);
    sio_on_disconnect(nsp, on_gone, NULL);
    sio_on_connection(sio_of(server, "/k"), kick, NULL);
    start_plain();
}

/* ------------------------------------------------------------- the wire -- */

static void turn(void)
{
    for (int i = 0; i < 3; i++)
        net_loop_poll(&server->main.loop);
}

static void pass(uint64_t ms)
{
    now_ms += ms;
    turn();
}

static int dial(void)
{
    struct net_address peer = { .family = AF_INET, .ip = { 127, 0, 0, 1 } };
    int pair[2];

    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
    must(http_accept(&server->main.http, pair[1], &peer) == SIO_OK);
    return pair[0];
}

static void receive(int fd)
{
    ssize_t n = recv(fd, got, sizeof got - 1, 0);

    got[n > 0 ? n : 0] = 0;
}

static void put(int fd, const void *bytes, size_t n)
{
    const uint8_t *at = bytes;

    if (fd == main_fd && (holding || held_len)) {
        if (n > sizeof held - held_len)
            return;
        memcpy(held + held_len, bytes, n);
        held_len += n;
        if (holding)
            return;
        at = held;
        n = held_len;
        held_len = 0;
    }
    while (n) {
        size_t most = piece && piece < n && fd == main_fd ? piece : n;
        ssize_t k = send(fd, at, most, MSG_NOSIGNAL);

        if (k < 0 && errno != EAGAIN)
            return;
        if (k > 0) {
            at += k;
            n -= (size_t)k;
        }
        turn();
        receive(fd);
    }
}

__attribute__((format(printf, 2, 3))) static void say(int fd, const char *fmt,
                                                      ...)
{
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    put(fd, text, strlen(text));
}

/* The mask is 0: what the fuzzer writes is what the server reads. */
static void frame(int fd, uint8_t first, const void *p, size_t n)
{
    uint8_t all[300] = { first };

    must(n <= 255);
    all[1] = (uint8_t)(0x80 | (n < 126 ? n : 126));
    all[2] = 0;
    all[3] = (uint8_t)n;
    memset(all + (n < 126 ? 2 : 4), 0, 4);
    memcpy(all + (n < 126 ? 6 : 8), p, n);
    put(fd, all, n + (n < 126 ? 6 : 8));
}

static int dial_kept(void)
{
    if (fd_count == CONNECTIONS)
        return fds[0];
    return fds[fd_count++] = dial();
}

static void post(const void *p, size_t n)
{
    int fd = dial_kept();

    say(fd,
        "POST /socket.io/?%s&transport=polling&sid=%s HTTP/1.1\r\n"
        "Host: x\r\n%sContent-Length: %zu\r\n\r\n",
        speaks, sid,
        strcmp(speaks, "EIO=3") == 0
            ? "Content-Type: application/octet-stream\r\n"
            : "",
        n);
    put(fd, p, n);
}

static void poll_once(void)
{
    say(dial_kept(),
        "GET /socket.io/?%s&transport=polling&sid=%s HTTP/1.1\r\n"
        "Host: x\r\n\r\n",
        speaks, sid);
}

static void websocket(int fd, const char *query)
{
    say(fd,
        "GET /socket.io/?%s&transport=websocket%s HTTP/1.1\r\n"
        "Host: x\r\n" UPGRADE "%s\r\n",
        speaks, query, offers);
    must(strncmp(got, "HTTP/1.1 101 ", 13) == 0);
}

static void plain_websocket(int fd)
{
    say(fd,
        "GET /plain HTTP/1.1\r\n"
        "Host: x\r\n" UPGRADE "%s\r\n",
        offers);
    must(strncmp(got, "HTTP/1.1 101 ", 13) == 0);
}

static void polling_session(void)
{
    const char *at;

    say(dial_kept(),
        "GET /socket.io/?%s&transport=polling HTTP/1.1\r\n"
        "Host: x\r\n\r\n",
        speaks);
    at = strstr(got, "sid");
    must(at != NULL);
    at += at[3] == '\\' ? 8 : 6; /* JSONP quotes it once more */
    memcpy(sid, at, 20);
}

/* ---------------------------------------------------------------- steps -- */

static void prepare(uint8_t how)
{
    static const char *const speakers[] = { "EIO=4", "EIO=3", "EIO=3&b64=1",
                                            "EIO=3&j=1" };
    char query[32];

    speaks = speakers[how / 4 % 4];
    offers = how & 0x10   ? DEFLATE ";server_no_context_takeover"
                                    ";client_no_context_takeover\r\n"
             : how & 0x20 ? DEFLATE "\r\n"
                          : "";
    piece = 0;
    fd_count = 0;
    memset(sid, 0, sizeof sid);
    main_fd = dial_kept();
    if (how & 0x40) {
        plain_websocket(main_fd);
        return;
    }
    switch (how % 4) {
    case 1:
        websocket(main_fd, "");
        frame(main_fd, 0x81, "40", 2);
        break;
    case 2:
        polling_session();
        post("40", 2);
        break;
    case 3:
        polling_session();
        snprintf(query, sizeof query, "&sid=%s", sid);
        websocket(main_fd, query);
        frame(main_fd, 0x81, "2probe", 6);
        break;
    default:
        break;
    }
}

static void step(uint8_t kind, const uint8_t *p, size_t n)
{
    holding = kind & HOLD;
    piece = kind >> 4;
    switch (kind % 8) {
    case 0:
        put(main_fd, p, n);
        break;
    case 1:
        for (size_t i = 0; i < n; i++)
            put(main_fd, p + i, 1);
        break;
    case 2:
        frame(main_fd, 0x81, p, n);
        break;
    case 3:
        if (n)
            frame(main_fd, p[0], p + 1, n - 1);
        break;
    case 4:
        frame(main_fd, 0x82, p, n);
        break;
    case 5:
        post(p, n);
        break;
    case 6:
        poll_once();
        put(main_fd, p, n);
        break;
    default:
        pass(n * 100);
    }
}

static void check_left(void)
{
    sio_stats s;

    for (int i = 0; i < 4; i++)
        pass(50000);
    sio_get_stats(server, &s);
    must(s.connections == 0 && s.requests == 0 && s.sessions == 0);
    must(s.websockets == 0 && s.sockets == 0 && s.rooms == 0);
    must(s.pending_acks == 0 && s.queued_bytes == 0);
    must(s.unfinished_bytes == 0);
    must(server->main.loop.chunk_count == 0);
    must(server->hub.shards->client_count == 0);
    must(server->hub.shards->batch_count == 0);
}

static void check_innocent(void)
{
    int fd = dial();

    speaks = "EIO=4";
    offers = "";
    websocket(fd, "");
    frame(fd, 0x81, "40", 2);
    frame(fd, 0x81, "427[\"a\",1,2]", 12);
    must(strstr(got, "437[1,2]") != NULL);
    close(fd);
    fd = dial();
    plain_websocket(fd);
    frame(fd, 0x82, "hello", 5);
    must(strncmp(got, "\x82\x05hello", 7) == 0);
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!server)
        start();
    if (size == 0)
        return 0;
    prepare(*data);
    data++;
    size--;
    while (size >= 2) {
        size_t n = data[1];

        if (n > size - 2)
            n = size - 2;
        step(data[0], data + 2, n);
        data += 2 + n;
        size -= 2 + n;
    }
    holding = false;
    piece = 0;
    put(main_fd, "", 0);
    while (fd_count)
        close(fds[--fd_count]);
    main_fd = -1;
    check_left();
    check_innocent();
    check_left();
    return 0;
}
