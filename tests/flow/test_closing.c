/*
 * test_closing.c -- every way in which a session ends: what goes over the wire,
 * what the application hears, and that nothing is left. Section numbers are
 * those of the protocol notes.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sio/sio.h>

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/flow/echo.h"

#define RS "\x1e"

static struct world w;
static struct echo e;
static char query[128];

static void open_echo(void)
{
    CHECK(echo_open(&w, &e, NULL), "no server");
}

static void open_session(void)
{
    CHECK(echo_open(&w, &e, NULL) && echo_session(&w, query), "no session");
}

static void close_echo(void)
{
    CHECK_SERVES(&w);
    world_check_empty(&w);
    world_close(&w);
}

static int held_poll(void)
{
    return world_poll(&w, strstr(query, "sid=") + 4);
}

/* ------------------------------------------------------------ WebSocket -- */

static void test_websocket_server(void)
{
    int fd;

    T_CASE("5.6 E56 the server closes: 88 00, FIN when the peer has answered");
    open_echo();
    fd = echo_websocket(&w);
    echo_close(&w, &e);
    CHECK_MATCH(e.seen, "open;close forced close;");
    CHECK(world_read(&w, fd) == 2 && memcmp(w.got, "\x88\0", 2) == 0, "got %s",
          w.got);
    world_frame(&w, fd, 0x88, "", 0);
    CHECK_FRAMES(&w, fd, "EOF");
    world_hang_up(&w, fd);
    close_echo();

    T_CASE("5.6 a peer that never answers is cut off after 30 s");
    open_echo();
    fd = echo_websocket(&w);
    echo_close(&w, &e);
    CHECK_FRAMES(&w, fd, "C|");
    world_advance(&w, 29999);
    world_send_text(&w, fd, "4late"); /* not its close frame */
    CHECK_FRAMES(&w, fd, "");
    world_advance(&w, 1);
    CHECK_FRAMES(&w, fd, "EOF");
    world_check_empty(&w);
    world_hang_up(&w, fd);
    close_echo();

    T_CASE("5.6 E94 E83 what was queued goes out before the close");
    open_echo();
    fd = echo_websocket(&w);
    world_send_text(&w, fd, "4a,b,c!");
    CHECK_FRAMES(&w, fd, "T:4a,b,c!|T:4a,b,c!|T:4a,b,c!|C|");
    CHECK_MATCH(e.seen, "open;a,b,c!;close forced close;");
    world_hang_up(&w, fd);
    close_echo();

    T_CASE("close() in a handler: what follows in the segment is ignored");
    open_echo();
    fd = echo_websocket(&w);
    world_write(&w, fd,
                "\x81\x86\0\0\0\0"
                "4close"
                "\x81\x82\0\0\0\0"
                "4a"
                "\xff\xff\xff",
                12 + 8 + 3);
    CHECK_MATCH(e.seen, "open;close;close forced close;");
    CHECK_FRAMES(&w, fd, "C|*");
    world_hang_up(&w, fd);
    close_echo();
}

static void test_close_frames(void)
{
    /* clang-format off */
    static const struct {
        const char *name, *bytes;
        size_t n;
        const char *frames;
    } rows[] = {
        { "empty", "\x88\x80\0\0\0\0", 6, "C|EOF" },
        { "1000", "\x88\x82\0\0\0\0\x03\xe8", 8, "C:1000|EOF" },
        { "1001 and a reason", "\x88\x85\0\0\0\0\x03\xe9" "bye", 11, "C:1001bye|EOF" },
        { "1003", "\x88\x82\0\0\0\0\x03\xeb", 8, "C:1003|EOF" },
        { "1007", "\x88\x82\0\0\0\0\x03\xef", 8, "C:1007|EOF" },
        { "1014", "\x88\x82\0\0\0\0\x03\xf6", 8, "C:1014|EOF" },
        { "3000", "\x88\x82\0\0\0\0\x0b\xb8", 8, "C:3000|EOF" },
        { "4999", "\x88\x82\0\0\0\0\x13\x87", 8, "C:4999|EOF" },
        { "what follows is ignored", "\x88\x80\0\0\0\0\x81\x82\0\0\0\0" "4a", 14, "C|EOF" },
    };
    /* clang-format on */
    int fd;

    for (size_t i = 0; i < COUNT(rows); i++) {
        T_CASE("5.6 E59 the client closes: %s", rows[i].name);
        open_echo();
        fd = echo_websocket(&w);
        world_write(&w, fd, rows[i].bytes, rows[i].n);
        CHECK_FRAMES(&w, fd, rows[i].frames);
        CHECK_MATCH(e.seen, "open;close transport close;");
        world_hang_up(&w, fd);
        close_echo();
    }
}

static void test_messages_before_close(void)
{
    int fd;

    T_CASE("5.6 messages before the client's close are answered");
    open_echo();
    fd = echo_websocket(&w);
    world_write(&w, fd,
                "\x81\x82\0\0\0\0"
                "4a"
                "\x88\x80\0\0\0\0",
                14);
    CHECK_FRAMES(&w, fd, "T:4a|C|EOF");
    world_hang_up(&w, fd);
    close_echo();
}

static void test_lost(void)
{
    int fd;

    for (int reset = 0; reset < 2; reset++) {
        T_CASE("5.6 the connection is gone: %s", reset ? "reset" : "FIN");
        open_echo();
        fd = echo_websocket(&w);
        if (reset)
            echo_send(&w, &e, "unread"); /* makes the close a reset */
        world_hang_up(&w, fd);
        CHECK_MATCH(e.seen, "open;close transport close;");
        close_echo();
    }
}

static void test_lost_handshake(void)
{
    static const char request[] =
        "GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\n"
        "Upgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    int fd;

    T_CASE("E61 the client is gone right after its handshake");
    open_echo();
    fd = world_connect(&w);
    CHECK(send(fd, request, sizeof request - 1, 0) > 0, "not sent");
    world_hang_up(&w, fd);
    world_check_empty(&w);
    close_echo();
}

/* -------------------------------------------------------------- polling -- */

static void test_close_without_messages(void)
{
    int poll;

    T_CASE("8.2 E55 E210 nobody polls: the next one gets 6, 1");
    open_session();
    echo_close(&w, &e);
    CHECK_MATCH(e.seen, "open;");
    CHECK_MATCH(world_get(&w, query), "6" RS "1");
    CHECK_MATCH(e.seen, "open;close forced close;");
    CHECK_MATCH(world_get(&w, query), "{\"code\":1,*");
    close_echo();

    T_CASE("8.2 4.6 a poll waits: it gets 1 at once");
    open_session();
    poll = held_poll();
    echo_close(&w, &e);
    CHECK_MATCH(world_poll_answer(&w, poll), "1");
    CHECK_MATCH(e.seen, "open;close forced close;");
    world_hang_up(&w, poll);
    close_echo();
}

static void test_close_with_messages(void)
{
    int poll;

    T_CASE("8.2 E83 E88 #5088 messages wait: two polls, the second closes");
    open_session();
    world_post(&w, query, "4a,b,c!");
    CHECK_MATCH(world_get(&w, query), "4a,b,c!" RS "4a,b,c!" RS "4a,b,c!");
    CHECK_MATCH(e.seen, "open;a,b,c!;");
    CHECK_MATCH(world_get(&w, query), "6" RS "1");
    CHECK_MATCH(e.seen, "open;a,b,c!;close forced close;");
    close_echo();

    T_CASE("8.2 messages of the same turn for a waiting poll, then the close");
    open_session();
    poll = held_poll();
    world_post(&w, query, "4a,b,c!");
    CHECK_MATCH(world_poll_answer(&w, poll),
                "4a,b,c!" RS "4a,b,c!" RS "4a,b,c!");
    world_hang_up(&w, poll);
    CHECK_MATCH(world_get(&w, query), "6" RS "1");
    close_echo();
}

static void test_close_unfetched(void)
{
    T_CASE("8.2 nobody ever polls: dropped after 30 s");
    open_session();
    world_advance(&w, 24000); /* so that no ping timeout comes first */
    world_post(&w, query, "3");
    echo_close(&w, &e);
    world_advance(&w, 29999);
    CHECK_MATCH(e.seen, "open;");
    world_advance(&w, 1);
    CHECK_MATCH(e.seen, "open;close forced close;");
    CHECK_MATCH(world_get(&w, query), "{\"code\":1,*");
    close_echo();

    T_CASE("4.4 while closing: packets are ignored, CLOSE is not");
    open_session();
    echo_close(&w, &e);
    CHECK_MATCH(world_post(&w, query, "4ignored"), "ok");
    echo_send(&w, &e, "not sent");
    CHECK_MATCH(e.seen, "open;");
    CHECK_MATCH(world_post(&w, query, "1"), "ok");
    CHECK_MATCH(e.seen, "open;close transport close;");
    close_echo();
}

static void test_close_with_post(void)
{
    int post;

    T_CASE("8.2 E70 close() while a POST arrives: it is cut off");
    open_session();
    post = echo_begin_post(&w, query, "Content-Length: 9\r\n", "4");
    echo_close(&w, &e);
    CHECK(world_read(&w, post) == -1, "answered: %s", w.got);
    CHECK_MATCH(e.seen, "open;close transport error;");
    world_hang_up(&w, post);
    close_echo();
}

static void test_polling_client(void)
{
    int poll;

    T_CASE("E201 E58 4.6 the client closes: its poll gets 6, its POST ok");
    open_session();
    poll = held_poll();
    CHECK_MATCH(world_post(&w, query, "1"), "ok");
    CHECK_MATCH(world_poll_answer(&w, poll), "6");
    CHECK_MATCH(e.seen, "open;close transport close;");
    CHECK_MATCH(world_get(&w, query), "{\"code\":1,*");
    world_hang_up(&w, poll);
    close_echo();

    T_CASE("4.6 a parse error: the poll gets 1, the POST ok");
    open_session();
    poll = held_poll();
    CHECK_MATCH(world_post(&w, query, "abc"), "ok");
    CHECK_MATCH(world_poll_answer(&w, poll), "1");
    CHECK_MATCH(e.seen, "open;close parse error;");
    world_hang_up(&w, poll);
    close_echo();

    T_CASE("4.6 the wrong heartbeat: the poll gets 1, the POST ok");
    open_session();
    poll = held_poll();
    CHECK_MATCH(world_post(&w, query, "2"), "ok");
    CHECK_MATCH(world_poll_answer(&w, poll), "1");
    CHECK_MATCH(e.seen, "open;close transport error;");
    world_hang_up(&w, poll);
    close_echo();

    T_CASE("an echo and the client's close in one POST, poll waiting");
    open_session();
    poll = held_poll();
    CHECK_MATCH(world_post(&w, query, "4a" RS "1"), "ok");
    CHECK_MATCH(world_poll_answer(&w, poll), "6");
    CHECK_MATCH(e.seen, "open;a;close transport close;");
    world_hang_up(&w, poll);
    close_echo();
}

/* --------------------------------------------------------------- server -- */

/* 8.3 to 8.5: everything at once, in every state that a session can be in. */
static void test_server(void)
{
    int ws, poll, probe, silent;
    char first[128], second[128];

    T_CASE("8.4 8.5 E80 E81 E84 E85 E86 sio_stop(): everybody is told");
    open_echo();
    CHECK(echo_session(&w, first), "no session");
    snprintf(query, sizeof query, "%s", first);
    poll = held_poll();
    ws = echo_websocket(&w);
    silent = echo_websocket(&w);
    CHECK(echo_session(&w, second), "no session");
    probe = echo_probe(&w, second);
    echo_send(&w, &e, "discarded");
    sio_stop(w.server);
    world_turn(&w);
    CHECK_MATCH(world_poll_answer(&w, poll), "1");
    CHECK_FRAMES(&w, ws, "C|");
    CHECK_FRAMES(&w, probe, "C|");
    CHECK(e.opened == 4 && e.closed == 4, "seen: %s", e.seen);
    CHECK(strstr(e.seen, "close server shutting down;"), "seen: %s", e.seen);
    world_hang_up(&w, poll);
    world_hang_up(&w, ws);
    world_hang_up(&w, probe);
    T_CASE("8.4 a stopping server takes no one in");
    CHECK(world_connect(&w) == -1 || !world_session(&w, first), "taken");
    world_advance(&w, 1000);
    CHECK(!strstr(w.log, "stopped"), "stopped before the last one had left");
    T_CASE("8.5 whoever never answers is waited for 2 s");
    world_advance(&w, 1100);
    CHECK(strstr(w.log, "stopped"), "log: %s", w.log);
    world_hang_up(&w, silent);
    world_check_empty(&w);
    world_close(&w);

    T_CASE("E84 E85 E86 freed with everything open: nothing is left");
    open_echo();
    CHECK(echo_session(&w, query), "no session");
    poll = held_poll();
    ws = echo_websocket(&w);
    CHECK(echo_session(&w, second), "no session");
    probe = echo_probe(&w, second);
    echo_send(&w, &e, "never sent");
    world_close(&w);
    CHECK(e.opened == 3 && e.closed == 3, "seen: %s", e.seen);
    close(poll);
    close(ws);
    close(probe);
}

/* Connections that never become anything. */
static void test_silent(void)
{
    int idle, half;

    T_CASE("a connection that says nothing, half a head: closed by the clock");
    open_echo();
    idle = world_connect(&w);
    half = world_connect(&w);
    world_write(&w, half, "GET /engine.io/", 15);
    world_advance(&w, 59999);
    CHECK_FRAMES(&w, idle, "");
    world_advance(&w, 5001);
    CHECK(world_read(&w, idle) != 0, "still open");
    CHECK(world_read(&w, half) > 0 && strstr(w.got, "HTTP/1.1 408 "), "got %s",
          w.got);
    world_hang_up(&w, idle);
    world_hang_up(&w, half);
    close_echo();
}

int main(void)
{
    test_websocket_server();
    test_close_frames();
    test_messages_before_close();
    test_lost();
    test_lost_handshake();
    test_close_without_messages();
    test_close_with_messages();
    test_close_unfetched();
    test_close_with_post();
    test_polling_client();
    test_server();
    test_silent();
    return t_done();
}
