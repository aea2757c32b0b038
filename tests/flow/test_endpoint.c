/*
 * test_endpoint.c -- plain WebSocket endpoints through the whole server.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sio/sio.h>

#include "tests/flow/world.h"

#include <unistd.h>

static char seen[4096];
static sio_websocket *latest;

__attribute__((format(printf, 1, 2))) static void note(const char *fmt, ...)
{
    size_t have = strlen(seen);
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(seen + have, sizeof seen - have, fmt, ap);
    va_end(ap);
}

static void on_open(sio_websocket *ws, void *user)
{
    latest = ws;
    sio_websocket_set_data(ws, user);
    note("open %s;", sio_websocket_subprotocol(ws));
}

static void on_message(sio_websocket *ws, const sio_value *message, void *user)
{
    CHECK(sio_websocket_data(ws) == user, "data");
    note("%s %zu;", message->kind == SIO_STRING ? "text" : "binary",
         message->size);
    CHECK(sio_websocket_send(ws, message) == SIO_OK, "send");
}

static void on_close(sio_websocket *ws, unsigned code, sio_str reason,
                     void *user)
{
    (void)user;
    note("close %u %.*s;", code, (int)reason.n, reason.p);
    CHECK(sio_websocket_send(ws, &(sio_value){ .kind = SIO_BINARY }) ==
              SIO_E_STATE,
          "sent while closing");
}

static void open_server(struct world *w)
{
    static const sio_websocket_handlers handlers = { .size = sizeof handlers,
                                                     .on_open = on_open,
                                                     .on_message = on_message,
                                                     .on_close = on_close };
    sio_websocket_options o;

    seen[0] = 0;
    CHECK(world_open(w, NULL), "no server");
    sio_websocket_options_init(&o);
    o.path = "echo";
    CHECK(sio_on_websocket(w->server, &o, &handlers, NULL) == SIO_E_INVAL,
          "a path without a slash");
    o.path = "/echo";
    o.max_fragments = 0;
    CHECK(sio_on_websocket(w->server, &o, &handlers, NULL) == SIO_E_INVAL,
          "no fragments at all");
    o.max_fragments = 3;
    o.subprotocols = "v2.chat, v1.chat";
    o.max_message = 10;
    CHECK(sio_on_websocket(w->server, &o, &handlers, seen) == SIO_OK, "add");
}

static void close_server(struct world *w, int fd)
{
    world_hang_up(w, fd);
    world_check_empty(w);
    world_close(w);
}

/* An open WebSocket on `path`; w->got has the answer's head. */
static int connect_to(struct world *w, const char *path, const char *offered)
{
    char head[512];
    int fd = world_connect(w);
    int n =
        snprintf(head, sizeof head,
                 "GET %s HTTP/1.1\r\nHost: test\r\nUpgrade: WebSocket\r\n"
                 "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s%s%s\r\n",
                 path, offered ? "Sec-WebSocket-Protocol: " : "",
                 offered ? offered : "", offered ? "\r\n" : "");

    world_write(w, fd, head, (size_t)n);
    world_read(w, fd);
    return fd;
}

static void test_messages(struct world *w)
{
    int fd;

    T_CASE("endpoint: text, binary, fragments, ping");
    open_server(w);
    fd = connect_to(w, "/echo?x=1", NULL);
    CHECK_MATCH(w->got,
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                "Connection: Upgrade\r\n"
                "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n");
    world_send_text(w, fd, "hi");
    CHECK_FRAMES(w, fd, "T:hi|");
    world_send_binary(w, fd, "\0\1", 2);
    CHECK_FRAMES(w, fd, "B:0001|");
    world_frame(w, fd, 0x01, "ab", 2);
    world_frame(w, fd, 0x89, "p", 1);
    world_frame(w, fd, 0x80, "cd", 2);
    CHECK_FRAMES(w, fd, "pong:p|T:abcd|");
    world_frame(w, fd, 0x88,
                "\x0f\xa0"
                "bye",
                5);
    CHECK_FRAMES(w, fd, "C:4000bye|*");
    CHECK_MATCH(seen, "open ;text 2;binary 2;text 4;close 4000 bye;");
    close_server(w, fd);

    T_CASE(
        "endpoint: a message over its limit, bad UTF-8, a broken connection");
    open_server(w);
    fd = connect_to(w, "/echo", NULL);
    world_send_text(w, fd, "0123456789a");
    CHECK_FRAMES(w, fd, "C:1009|*");
    world_hang_up(w, fd);
    fd = connect_to(w, "/echo", NULL);
    world_send_text(w, fd, "\xff");
    CHECK_FRAMES(w, fd, "C:1007|*");
    world_hang_up(w, fd);
    fd = connect_to(w, "/echo", NULL);
    world_hang_up(w, fd);
    CHECK_MATCH(seen, "open ;close 1009 ;open ;close 1007 ;open ;close 1006 ;");
    fd = world_connect(w);
    close_server(w, fd);
}

static void test_fragments(struct world *w)
{
    int fd;

    T_CASE("endpoint: fragments of a message on the limit, one past it");
    open_server(w);
    fd = connect_to(w, "/echo", NULL);
    for (int i = 0; i < 2; i++) {
        world_frame(w, fd, 0x01, "a", 1);
        world_frame(w, fd, 0x00, "", 0);
        world_frame(w, fd, 0x80, "b", 1);
        CHECK_FRAMES(w, fd, "T:ab|");
    }
    world_frame(w, fd, 0x01, "a", 1);
    world_frame(w, fd, 0x00, "", 0);
    world_frame(w, fd, 0x00, "", 0);
    world_frame(w, fd, 0x00, "", 0);
    CHECK_FRAMES(w, fd, "C:1008|EOF");
    CHECK_MATCH(seen, "open ;text 2;text 2;close 1008 ;");
    close_server(w, fd);
}

/* Pings after 1000 ms, 400 ms to answer. */
static int connect_pinged(struct world *w)
{
    static const sio_websocket_handlers handlers = { .size = sizeof handlers,
                                                     .on_open = on_open,
                                                     .on_message = on_message,
                                                     .on_close = on_close };
    sio_websocket_options o;

    open_server(w);
    sio_websocket_options_init(&o);
    o.path = "/pinged";
    o.ping_interval_ms = 1000;
    o.ping_timeout_ms = 0;
    CHECK(sio_on_websocket(w->server, &o, &handlers, seen) == SIO_E_INVAL,
          "no time to answer");
    o.ping_timeout_ms = 400;
    CHECK(sio_on_websocket(w->server, &o, &handlers, seen) == SIO_OK, "add");
    return connect_to(w, "/pinged", NULL);
}

static void test_heartbeat(struct world *w)
{
    int fd;

    T_CASE("endpoint: no heartbeat unless it is asked for");
    open_server(w);
    fd = connect_to(w, "/echo", NULL);
    world_advance(w, 3600000);
    CHECK_FRAMES(w, fd, "");
    CHECK_MATCH(seen, "open ;");
    close_server(w, fd);

    T_CASE("endpoint: a ping an interval after the last pong");
    fd = connect_pinged(w);
    for (int i = 0; i < 3; i++) {
        world_advance(w, 990);
        CHECK_FRAMES(w, fd, "");
        world_advance(w, 10);
        CHECK_FRAMES(w, fd, "ping:|");
        world_advance(w, 390);
        world_frame(w, fd, 0x8a, "", 0);
    }
    CHECK_MATCH(seen, "open ;");
    close_server(w, fd);

    T_CASE("endpoint: no answer to a ping: 1006 on time, the rest unharmed");
    fd = connect_pinged(w);
    world_advance(w, 1390);
    CHECK_FRAMES(w, fd, "ping:|");
    world_advance(w, 10);
    CHECK_FRAMES(w, fd, "EOF");
    CHECK_MATCH(seen, "open ;close 1006 ;");
    close_server(w, fd);

    T_CASE("endpoint: whatever arrives shows that the peer is there");
    fd = connect_pinged(w);
    for (int i = 0; i < 20; i++) {
        world_advance(w, 300);
        world_frame(w, fd, 0x01 - (i > 0), "", 0);
    }
    CHECK_FRAMES(w, fd, "ping:|");
    CHECK_MATCH(seen, "open ;");
    world_advance(w, 800);
    CHECK_FRAMES(w, fd, "EOF");
    CHECK_MATCH(seen, "open ;close 1006 ;");
    close_server(w, fd);

    T_CASE("endpoint: nobody is blamed for what was not read from him");
    fd = connect_pinged(w);
    sio_websocket_pause(latest);
    world_advance(w, 5000);
    CHECK_FRAMES(w, fd, "ping:|ping:|ping:|");
    world_frame(w, fd, 0x8a, "", 0);
    sio_websocket_resume(latest);
    world_turn(w);
    world_advance(w, 990);
    CHECK_FRAMES(w, fd, "");
    world_advance(w, 10);
    CHECK_FRAMES(w, fd, "ping:|");
    close_server(w, fd);

    T_CASE("endpoint: a peer that is not read from and has gone: noticed");
    fd = connect_pinged(w);
    sio_websocket_pause(latest);
    world_advance(w, 1500);
    world_hang_up(w, fd);
    CHECK_MATCH(seen, "open ;");
    world_advance(w, 1000);
    CHECK_MATCH(seen, "open ;close 1006 ;");
    fd = world_connect(w);
    close_server(w, fd);

    T_CASE("endpoint: no pings while it closes");
    fd = connect_pinged(w);
    world_advance(w, 1100);
    CHECK_FRAMES(w, fd, "ping:|");
    sio_websocket_close(latest, 1000, NULL);
    world_frame(w, fd, 0x8a, "", 0);
    world_advance(w, 29800);
    CHECK_FRAMES(w, fd, "C:1000|");
    world_advance(w, 200);
    CHECK_FRAMES(w, fd, "EOF");
    CHECK_MATCH(seen, "open ;");
    close_server(w, fd);
}

static void test_subprotocols(struct world *w)
{
    static const struct {
        const char *offered, *agreed;
    } rows[] = {
        { "v1.chat", "v1.chat" },
        { "v3.chat, v1.chat, v2.chat", "v1.chat" },
        { "v3.chat", "" },
        { "V1.CHAT", "" },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        char line[64], want[64];
        int fd;

        T_CASE("endpoint: subprotocols offered: %s", rows[i].offered);
        open_server(w);
        fd = connect_to(w, "/echo", rows[i].offered);
        snprintf(line, sizeof line, "Sec-WebSocket-Protocol: %s\r\n",
                 rows[i].agreed);
        CHECK(!strstr(w->got, line) == !rows[i].agreed[0], "%s", w->got);
        snprintf(want, sizeof want, "open %s;", rows[i].agreed);
        CHECK_MATCH(seen, want);
        close_server(w, fd);
    }
}

static void test_refusals(struct world *w)
{
    int fd, status;

    T_CASE("endpoint: another path, no upgrade");
    open_server(w);
    fd = connect_to(w, "/other", NULL);
    CHECK_MATCH(w->got, ""); /* see test_strays.c */
    world_hang_up(w, fd);
    world_request(w, "GET", "/echo", NULL, &status);
    CHECK(status == 404, "%d", status);
    CHECK_MATCH(seen, "");
    fd = world_connect(w);
    close_server(w, fd);
}

static void test_server_side(struct world *w)
{
    sio_value text = sio_stringn("\xff", 1), number = sio_int(1);
    int fd;

    T_CASE("endpoint: what may be sent");
    open_server(w);
    fd = connect_to(w, "/echo", NULL);
    CHECK(sio_websocket_send(latest, &text) == SIO_E_INVAL, "bad UTF-8");
    CHECK(sio_websocket_send(latest, &number) == SIO_E_TYPE, "a number");
    CHECK(sio_websocket_close(latest, 1005, NULL) == SIO_E_INVAL, "1005");
    CHECK_FRAMES(w, fd, "");
    CHECK(sio_websocket_close(latest, 4001, "enough") == SIO_OK, "close");
    CHECK_FRAMES(w, fd, "C:4001enough|");
    CHECK_MATCH(seen, "open ;");
    close_server(w, fd);

    T_CASE("endpoint: pause and resume");
    open_server(w);
    fd = connect_to(w, "/echo", NULL);
    sio_websocket_pause(latest);
    world_send_text(w, fd, "hi");
    CHECK_FRAMES(w, fd, "");
    sio_websocket_resume(latest);
    CHECK_FRAMES(w, fd, "T:hi|");
    CHECK(sio_websocket_buffered(latest) == 0, "bytes wait");
    close_server(w, fd);

    T_CASE("endpoint: the server stops");
    open_server(w);
    fd = connect_to(w, "/echo", NULL);
    sio_stop(w->server);
    CHECK_FRAMES(w, fd, "C:1001|");
    CHECK_MATCH(seen, "open ;close 1001 ;");
    world_close(w);
    close(fd);

    T_CASE("endpoint: the server stops while one is paused");
    open_server(w);
    fd = connect_to(w, "/echo", NULL);
    sio_websocket_pause(latest);
    sio_stop(w->server);
    CHECK_FRAMES(w, fd, "C:1001|");
    world_frame(w, fd, 0x88, "\x03\xe9", 2);
    CHECK_FRAMES(w, fd, "EOF");
    world_close(w);
    close(fd);
}

int main(void)
{
    static struct world w;

    test_messages(&w);
    test_fragments(&w);
    test_heartbeat(&w);
    test_subprotocols(&w);
    test_refusals(&w);
    test_server_side(&w);
    return t_done();
}
