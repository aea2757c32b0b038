/*
 * test_heartbeat.c -- pings, pongs and what their absence leads to, to the
 * millisecond. Section numbers are those of the protocol notes.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sio/sio.h>

#include <sys/socket.h>

#include "tests/flow/echo.h"

static struct world w;
static struct echo e;
static char query[128];

/* Interval 300, timeout 200. */
static void open_echo(void)
{
    sio_options o;

    sio_options_init(&o);
    o.ping_interval_ms = 300;
    o.ping_timeout_ms = 200;
    CHECK(echo_open(&w, &e, &o), "no server");
}

static void close_echo(void)
{
    CHECK_SERVES(&w);
    world_check_empty(&w);
    world_close(&w);
}

static void test_websocket(void)
{
    int fd;

    T_CASE("7.1 E73 E198 socketioxide#390 one ping at 300, closed at 500");
    open_echo();
    fd = echo_websocket(&w);
    world_advance(&w, 299);
    CHECK_FRAMES(&w, fd, "");
    world_advance(&w, 1);
    CHECK_FRAMES(&w, fd, "T:2|");
    world_advance(&w, 199);
    CHECK_FRAMES(&w, fd, "");
    world_advance(&w, 1);
    CHECK_FRAMES(&w, fd, "C|");
    CHECK_MATCH(e.seen, "open;close ping timeout;");
    world_hang_up(&w, fd);
    close_echo();

    T_CASE("7.1 the next ping comes 300 after the pong, not after the ping");
    open_echo();
    fd = echo_websocket(&w);
    world_advance(&w, 300);
    CHECK_FRAMES(&w, fd, "T:2|");
    world_advance(&w, 150);
    world_send_text(&w, fd, "3");
    world_advance(&w, 299);
    CHECK_FRAMES(&w, fd, "");
    world_advance(&w, 1);
    CHECK_FRAMES(&w, fd, "T:2|");
    world_hang_up(&w, fd);
    close_echo();

    T_CASE("7.2 an unsolicited pong, with data, starts the interval anew");
    open_echo();
    fd = echo_websocket(&w);
    world_advance(&w, 200);
    world_send_text(&w, fd, "3abc");
    world_advance(&w, 299);
    CHECK_FRAMES(&w, fd, "");
    world_advance(&w, 1);
    CHECK_FRAMES(&w, fd, "T:2|");
    world_hang_up(&w, fd);
    close_echo();
}

/* A handler that blocks, a machine that sleeps: the clients cannot help it. */
static void test_stall(void)
{
    int fd;

    T_CASE("7.1 a server that stood still pings before it gives up");
    open_echo();
    fd = echo_websocket(&w);
    w.now_ms += 60000;
    world_turn(&w);
    CHECK_FRAMES(&w, fd, "T:2|");
    world_advance(&w, 199);
    CHECK(e.closed == 0, "closed");
    world_send_text(&w, fd, "3");
    world_advance(&w, 299);
    CHECK_FRAMES(&w, fd, "");
    world_advance(&w, 1);
    CHECK_FRAMES(&w, fd, "T:2|");
    world_hang_up(&w, fd);
    close_echo();
}

static void test_traffic(void)
{
    int fd;

    T_CASE("7.3 the first other packet restarts the timeout, once per ping");
    open_echo();
    fd = echo_websocket(&w);
    world_advance(&w, 300);
    CHECK_FRAMES(&w, fd, "T:2|");
    world_advance(&w, 150);
    world_send_text(&w, fd, "4a");
    CHECK_FRAMES(&w, fd, "T:4a|");
    world_advance(&w, 150);
    world_send_text(&w, fd, "4b");
    CHECK_FRAMES(&w, fd, "T:4b|");
    world_advance(&w, 49);
    CHECK_FRAMES(&w, fd, "");
    world_advance(&w, 1);
    CHECK_FRAMES(&w, fd, "C|");
    CHECK_MATCH(e.seen, "open;a;b;close ping timeout;");
    world_hang_up(&w, fd);
    close_echo();

    T_CASE("7.3 and at the next ping once more");
    open_echo();
    fd = echo_websocket(&w);
    for (int i = 0; i < 3; i++) {
        world_advance(&w, 300);
        CHECK_FRAMES(&w, fd, "T:2|");
        world_advance(&w, 150);
        world_send_text(&w, fd, "4a");
        CHECK_FRAMES(&w, fd, "T:4a|");
        world_advance(&w, 199);
        CHECK_FRAMES(&w, fd, "");
        world_send_text(&w, fd, "3");
    }
    CHECK(e.closed == 0, "closed");
    world_hang_up(&w, fd);
    close_echo();
}

static void test_pong_frames(void)
{
    int fd;

    T_CASE("5.3 pongs of WebSocket are no pongs of Engine.IO");
    open_echo();
    fd = echo_websocket(&w);
    for (int i = 0; i < 49; i++) {
        world_advance(&w, 10);
        world_frame(&w, fd, 0x8a, "", 0);
    }
    CHECK_FRAMES(&w, fd, "T:2|");
    world_advance(&w, 10);
    CHECK_FRAMES(&w, fd, "C|");
    world_hang_up(&w, fd);
    close_echo();
}

static void test_polling(void)
{
    int poll;

    T_CASE(
        "7.1 E199 socketioxide#390 three rounds over polling, one ping each");
    open_echo();
    CHECK(echo_session(&w, query), "no session");
    for (int i = 0; i < 3; i++) {
        poll = world_poll(&w, strstr(query, "sid=") + 4);
        world_advance(&w, 299);
        CHECK(!world_poll_answer(&w, poll), "too early: %s", w.got);
        world_advance(&w, 1);
        CHECK_MATCH(world_poll_answer(&w, poll), "2");
        world_hang_up(&w, poll);
        CHECK_MATCH(world_post(&w, query, "3"), "ok");
    }
    world_post(&w, query, "1");
    close_echo();

    T_CASE("E74 E200 no poll waits: the session is gone at 500");
    open_echo();
    CHECK(echo_session(&w, query), "no session");
    world_advance(&w, 499);
    CHECK_MATCH(e.seen, "open;");
    world_advance(&w, 1);
    CHECK_MATCH(e.seen, "open;close ping timeout;");
    CHECK_MATCH(world_get(&w, query), "{\"code\":1,*");
    close_echo();

    T_CASE("7.1 4.6 a ping waits for its poll while the timeout runs");
    open_echo();
    CHECK(echo_session(&w, query), "no session");
    world_advance(&w, 400);
    CHECK_MATCH(world_get(&w, query), "2");
    poll = world_poll(&w, strstr(query, "sid=") + 4);
    world_advance(&w, 99);
    CHECK(!world_poll_answer(&w, poll), "too early: %s", w.got);
    world_advance(&w, 1);
    CHECK_MATCH(world_poll_answer(&w, poll), "1");
    CHECK_MATCH(e.seen, "open;close ping timeout;");
    world_hang_up(&w, poll);
    close_echo();

    T_CASE("polling itself is no sign of life");
    open_echo();
    CHECK(echo_session(&w, query), "no session");
    for (int i = 0; i < 10; i++) {
        poll = world_poll(&w, strstr(query, "sid=") + 4);
        world_advance(&w, 49);
        echo_send(&w, &e, "x");
        world_poll_answer(&w, poll);
        world_hang_up(&w, poll);
    }
    CHECK(e.closed == 0, "closed too early");
    world_advance(&w, 10);
    CHECK_MATCH(e.seen, "open;close ping timeout;");
    close_echo();
}

/* 7, 8.1: while a session waits for its last poll. */
static void test_closing(void)
{
    T_CASE("E52 a closing session that nobody polls: ping timeout");
    open_echo();
    CHECK(echo_session(&w, query), "no session");
    echo_close(&w, &e);
    world_advance(&w, 499);
    CHECK_MATCH(e.seen, "open;");
    world_advance(&w, 1);
    CHECK_MATCH(e.seen, "open;close ping timeout;");
    close_echo();

    T_CASE("a closing session sends no more pings");
    open_echo();
    CHECK(echo_session(&w, query), "no session");
    echo_close(&w, &e);
    world_advance(&w, 400);
    CHECK_MATCH(world_get(&w, query), "6\x1e"
                                      "1");
    close_echo();
}

/* The queues of timers are shared: each session keeps its own time in them. */
static void test_many(void)
{
    enum { N = 50 };
    int fds[N];

    T_CASE("%d sessions, 5 ms apart, every second one answers", N);
    open_echo();
    for (int i = 0; i < N; i++) {
        fds[i] = echo_websocket(&w);
        world_advance(&w, 5);
    }
    for (int i = 0; i < N; i++) {
        world_advance(&w, i == 0 ? 300 - N * 5 : 5);
        CHECK_FRAMES(&w, fds[i], "T:2|");
        if (i % 2)
            world_send_text(&w, fds[i], "3");
    }
    /* Now is 545: whoever was asked up to 345 and kept silent is closed. */
    CHECK(e.closed == 5, "%zu closed", e.closed);
    world_advance(&w, 200);
    CHECK(e.closed == N / 2, "%zu closed", e.closed);
    for (int i = 0; i < N; i++) {
        CHECK_FRAMES(&w, fds[i], i % 2 ? "*" : "C|");
        world_hang_up(&w, fds[i]);
    }
    close_echo();
}

int main(void)
{
    test_websocket();
    test_stall();
    test_traffic();
    test_pong_frames();
    test_polling();
    test_closing();
    test_many();
    return t_done();
}
