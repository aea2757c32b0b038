/*
 * test_strays.c -- what nothing on the port handles: upgrades that end without
 * a byte, and the answer to any other request.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sio/sio.h>

#include "tests/flow/echo.h"
#include "tests/unit/oom.h"

#include <sys/socket.h>
#include <unistd.h>

#define IRC                                        \
    " HTTP/1.1\r\nHost: x\r\nUpgrade: IRC/6.9\r\n" \
    "Connection: Upgrade\r\n\r\n"

static struct world w;
static struct echo e;

static int ask(const char *target)
{
    char head[256];
    int fd = world_connect(&w);
    int n = snprintf(head, sizeof head, "GET %s" IRC, target);

    world_write(&w, fd, head, (size_t)n);
    return fd;
}

static bool is_open(int fd)
{
    long n = world_read(&w, fd);

    CHECK(n <= 0, "got %s", w.got);
    return n == 0;
}

static void close_server(int fd)
{
    world_hang_up(&w, fd);
    world_check_empty(&w);
    world_close(&w);
}

static void test_end(void)
{
    sio_options o;
    int fd;

    T_CASE("E164 an upgrade that nobody handles ends when its time is over");
    sio_options_init(&o);
    o.destroy_upgrade_timeout_ms = 50;
    CHECK(world_open(&w, &o), "no server");
    fd = ask("/");
    world_advance(&w, 49);
    CHECK(is_open(fd), "too early");
    world_advance(&w, 1);
    CHECK(!is_open(fd), "still open");
    close_server(fd);

    T_CASE("1.7 after a second, unless said otherwise");
    CHECK(world_open(&w, NULL), "no server");
    fd = ask("/engine.io/?transport=websocket");
    world_advance(&w, 999);
    CHECK(is_open(fd), "too early");
    world_advance(&w, 1);
    CHECK(!is_open(fd), "still open");
    close_server(fd);

    T_CASE("E166 what the client sends does not put it off");
    o.destroy_upgrade_timeout_ms = 200;
    CHECK(world_open(&w, &o), "no server");
    fd = ask("/");
    world_advance(&w, 100);
    world_write(&w, fd, "hello", 5);
    world_advance(&w, 99);
    CHECK(is_open(fd), "too early");
    world_advance(&w, 1);
    CHECK(!is_open(fd), "still open");
    close_server(fd);

    T_CASE("E165 destroy_upgrade false: left open, but not for ever");
    o.destroy_upgrade = false;
    CHECK(world_open(&w, &o), "no server");
    fd = ask("/");
    world_advance(&w, STRAY_MAX_MS - 1);
    CHECK(is_open(fd), "too early");
    world_advance(&w, 1);
    CHECK(!is_open(fd), "still open");
    close_server(fd);
}

static void test_other_ends(void)
{
    sio_options o;
    int fd;
    char byte;

    T_CASE("1.7 the client goes first");
    CHECK(world_open(&w, NULL), "no server");
    fd = ask("/");
    close_server(fd);

    T_CASE("1.7 the server stops");
    CHECK(world_open(&w, NULL), "no server");
    fd = ask("/");
    sio_stop(w.server);
    world_turn(&w);
    CHECK(!is_open(fd), "still open");
    close_server(fd);

    T_CASE("1.7 the server is freed");
    CHECK(world_open(&w, NULL), "no server");
    fd = ask("/");
    world_close(&w);
    CHECK(recv(fd, &byte, 1, 0) == 0, "no end");
    close(fd);

    T_CASE("1.5 who speaks no WebSocket takes no upgrade: 404");
    sio_options_init(&o);
    o.transports = SIO_TRANSPORT_POLLING;
    CHECK(world_open(&w, &o), "no server");
    fd = ask("/");
    CHECK(world_read(&w, fd) > 0, "no answer");
    CHECK_MATCH(w.got, "HTTP/1.1 404 *");
    close_server(fd);
}

static void test_out_of_memory(void)
{
    bool failed = true;
    long n = 0;

    T_CASE("1.7 every allocation fails once: it ends all the same");
    for (; failed && n < 100; n++) {
        int fd;

        CHECK(world_open(&w, NULL), "no server");
        oom_arm(n);
        fd = world_connect(&w);
        if (fd >= 0) {
            world_write(&w, fd, "GET /" IRC, sizeof "GET /" IRC - 1);
            failed = oom_disarm();
            world_advance(&w, 1000);
            CHECK(world_read(&w, fd) == -1, "n = %ld: still open", n);
            world_hang_up(&w, fd);
        }
        oom_disarm();
        world_check_empty(&w);
        world_close(&w);
    }
    CHECK(n > 3 && n < 100, "%ld allocations", n);
}

static sio_http_request *kept;

static void keep(sio_http_request *request, void *user)
{
    (void)user;
    kept = request;
}

static void echo(sio_websocket *ws, const sio_value *message, void *user)
{
    (void)user;
    sio_websocket_send(ws, message);
}

static void test_handled(void)
{
    static const sio_websocket_handlers handlers = { .size = sizeof handlers,
                                                     .on_message = echo };
    sio_websocket_options o;
    int fd;

    T_CASE("E167 an upgrade that a WebSocket endpoint has taken goes on");
    CHECK(world_open(&w, NULL), "no server");
    sio_websocket_options_init(&o);
    o.path = "/chat";
    sio_on_websocket(w.server, &o, &handlers, NULL);
    w.path = "/chat";
    fd = world_websocket(&w, "x=1");
    world_advance(&w, 2000);
    world_send_text(&w, fd, "still here");
    CHECK_FRAMES(&w, fd, "T:still here|");
    close_server(fd);

    T_CASE("E167 so does one that a route will answer");
    CHECK(world_open(&w, NULL), "no server");
    sio_on_request(w.server, "GET", "/slow", keep, NULL);
    fd = ask("/slow");
    world_advance(&w, 2000);
    CHECK(is_open(fd), "ended");
    sio_http_respond(kept, 200, NULL, "late", 4);
    CHECK(world_read(&w, fd) > 0, "no answer");
    CHECK_MATCH(w.got, "HTTP/1.1 200 *late");
    close_server(fd);
}

static void on_route(sio_http_request *request, void *user)
{
    ++*(int *)user;
    sio_http_respond(request, 200, NULL, "route", 5);
}

static void test_unmatched(void)
{
    sio_options o;
    int status, calls = 0;

    T_CASE("1.1 what matches nothing: 404, no body");
    CHECK(world_open(&w, NULL), "no server");
    CHECK_MATCH(world_request(&w, "GET", "/", NULL, &status), "");
    CHECK(status == 404, "%d", status);
    world_close(&w);

    T_CASE("E162 or 501, as plain Engine.IO");
    sio_options_init(&o);
    o.unmatched_status = 501;
    CHECK(world_open(&w, &o), "no server");
    CHECK_MATCH(world_request(&w, "GET", "/", NULL, &status),
                "Not Implemented");
    CHECK(status == 501, "%d", status);
    world_close(&w);

    T_CASE("E168 routes get what is not below a path, once; and only that");
    CHECK(echo_open(&w, &e, NULL), "no server");
    sio_on_request(w.server, "GET", "/test", on_route, &calls);
    sio_on_request(w.server, "GET", "/engine.io/default/", on_route, &calls);
    CHECK_MATCH(world_request(&w, "GET", "/test", NULL, &status), "route");
    CHECK(calls == 1, "%d", calls);
    CHECK_MATCH(world_request(&w, "GET",
                              "/engine.io/default/?EIO=4&transport=polling",
                              NULL, &status),
                "0{*}");
    CHECK(calls == 1, "%d", calls);
    CHECK_MATCH(world_request(&w, "GET", "/engine.io/", NULL, &status),
                "{\"code\":0,\"message\":\"Transport unknown\"}");
    CHECK(status == 400, "%d", status);
    world_close(&w);
}

int main(void)
{
    test_end();
    test_other_ends();
    test_out_of_memory();
    test_handled();
    test_unmatched();
    return t_done();
}
