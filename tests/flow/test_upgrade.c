/*
 * test_upgrade.c -- from long-polling to WebSocket: the dance, and every way in
 * which it fails. Section numbers are those of the protocol notes.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sio/sio.h>

#include <sys/socket.h>

#include "tests/flow/echo.h"

#define RS "\x1e"

static struct world w;
static struct echo e;
static char query[128];

/* A polling session in an echo server. */
static void open_session(const sio_options *o)
{
    CHECK(echo_open(&w, &e, o) && echo_session(&w, query), "no session");
}

static void close_echo(void)
{
    CHECK_SERVES(&w);
    world_check_empty(&w);
    world_close(&w);
}

/* The session is alive over polling; then it leaves. */
static void check_polls_on(void)
{
    CHECK_MATCH(world_post(&w, query, "4alive"), "ok");
    CHECK_MATCH(world_get(&w, query), "*4alive");
    world_post(&w, query, "1");
    CHECK_MATCH(e.seen, "*close transport close;");
}

static int held_poll(void)
{
    return world_poll(&w, strstr(query, "sid=") + 4);
}

static int connect_ws(void)
{
    char upgrade[160];

    snprintf(upgrade, sizeof upgrade, "EIO=4&transport=websocket&%s",
             strstr(query, "sid="));
    return world_websocket(&w, upgrade);
}

static void test_dance(void)
{
    int poll, fd;

    T_CASE("6.1 6.2 6.4 E202 the whole dance");
    open_session(NULL);
    poll = held_poll();
    fd = connect_ws();
    CHECK_FRAMES(&w, fd, "");
    CHECK(!world_poll_answer(&w, poll), "poll answered: %s", w.got);
    world_send_text(&w, fd, "2probe");
    CHECK_FRAMES(&w, fd, "T:3probe|");
    CHECK(!world_poll_answer(&w, poll), "poll answered: %s", w.got);
    CHECK_MATCH(sio_session_transport(e.session), "polling");
    world_advance(&w, 99);
    CHECK(!world_poll_answer(&w, poll), "poll answered: %s", w.got);
    world_advance(&w, 1);
    CHECK_MATCH(world_poll_answer(&w, poll), "6");
    world_hang_up(&w, poll);
    world_send_text(&w, fd, "5");
    CHECK_MATCH(sio_session_transport(e.session), "websocket");
    world_send_text(&w, fd, "4hello");
    CHECK_FRAMES(&w, fd, "T:4hello|");
    T_CASE("6.10 E203 after the upgrade polling is refused");
    CHECK_MATCH(world_get(&w, query), "{\"code\":3,*");
    CHECK_MATCH(world_post(&w, query, "4x"), "{\"code\":3,*");
    CHECK_MATCH(e.seen, "open;hello;");
    world_hang_up(&w, fd);
    T_CASE("E133 the session ends with its WebSocket");
    CHECK_MATCH(e.seen, "open;hello;close transport close;");
    close_echo();
}

static void test_noops(void)
{
    int poll, fd;

    T_CASE("6.2 socketioxide#497 every poll gets its NOOP, while it probes");
    open_session(NULL);
    fd = echo_probe(&w, query);
    for (int i = 0; i < 3; i++) {
        poll = held_poll();
        world_advance(&w, 101);
        CHECK_MATCH(world_poll_answer(&w, poll), "6");
        world_hang_up(&w, poll);
    }
    world_send_text(&w, fd, "2probe");
    CHECK_FRAMES(&w, fd, "T:3probe|");
    world_hang_up(&w, fd);
    poll = held_poll();
    world_advance(&w, 1000);
    CHECK(!world_poll_answer(&w, poll), "poll answered: %s", w.got);
    echo_send(&w, &e, "x");
    CHECK_MATCH(world_poll_answer(&w, poll), "4x");
    world_hang_up(&w, poll);
    check_polls_on();
    close_echo();
}

static void test_messages(void)
{
    int poll, fd;

    T_CASE("6.3 E131 messages during the upgrade: none lost, none twice");
    open_session(NULL);
    poll = held_poll();
    fd = echo_probe(&w, query);
    echo_send(&w, &e, "1");
    CHECK_MATCH(world_poll_answer(&w, poll), "41");
    world_hang_up(&w, poll);
    echo_send(&w, &e, "2");
    {
        static const unsigned char bytes[] = { 1, 2, 0x1e, 4 };
        sio_value v = sio_binary(bytes, 4);

        sio_session_send(e.session, &v);
    }
    echo_send(&w, &e, "");
    CHECK_MATCH(world_post(&w, query, "4x"), "ok");
    echo_send(&w, &e, "3");
    world_send_text(&w, fd, "5");
    echo_send(&w, &e, "4");
    CHECK_FRAMES(&w, fd, "T:42|B:01021e04|T:4|T:4x|T:43|T:44|");
    world_hang_up(&w, fd);
    close_echo();
}

static void test_short_ways(void)
{
    int poll, fd;

    T_CASE("6.4 a poll that still waits when the upgrade completes gets 1");
    open_session(NULL);
    fd = echo_probe(&w, query);
    poll = held_poll();
    world_send_text(&w, fd, "5");
    CHECK_MATCH(world_poll_answer(&w, poll), "1");
    CHECK_MATCH(e.seen, "open;");
    world_hang_up(&w, poll);
    world_hang_up(&w, fd);
    close_echo();

    T_CASE("6.4 upgrade without a probe");
    open_session(NULL);
    fd = connect_ws();
    world_send_text(&w, fd, "5");
    world_send_text(&w, fd, "4hello");
    CHECK_FRAMES(&w, fd, "T:4hello|");
    world_hang_up(&w, fd);
    close_echo();

    T_CASE("5.1 E203 probe, upgrade and message in one segment");
    open_session(NULL);
    fd = connect_ws();
    world_write(&w, fd,
                "\x81\x86\0\0\0\0"
                "2probe"
                "\x81\x81\0\0\0\0"
                "5"
                "\x81\x83\0\0\0\0"
                "4hi",
                12 + 7 + 9);
    CHECK_FRAMES(&w, fd, "T:3probe|T:4hi|");
    world_hang_up(&w, fd);
    close_echo();
}

static void test_not_offered(void)
{
    int fd;

    T_CASE("6.12 allow_upgrades only hides the offer");
    {
        sio_options o;

        sio_options_init(&o);
        o.allow_upgrades = false;
        open_session(&o);
        fd = echo_probe(&w, query);
        world_send_text(&w, fd, "5");
        world_send_text(&w, fd, "4hi");
        CHECK_FRAMES(&w, fd, "T:4hi|");
        world_hang_up(&w, fd);
        close_echo();
    }
}

/* 6.5 to 6.8: the WebSocket goes, the session stays. */
static void test_failures(void)
{
    /* clang-format off */
    static const struct {
        const char *name, *bytes;
        size_t n;
        const char *frames;
    } rows[] = {
        { "6.5 a message", "\x81\x83\0\0\0\0" "4hi", 9, "C|" },
        { "6.5 garbage", "\x81\x84\0\0\0\0" "blah", 10, "C|" },
        { "6.5 binary", "\x82\x81\0\0\0\0" "x", 7, "C|" },
        { "6.5 bare 2", "\x81\x81\0\0\0\0" "2", 7, "C|" },
        { "6.5 an empty frame", "\x81\x80\0\0\0\0", 6, "C|" },
        { "6.5 a fragmented message", "\x01\x81\0\0\0\0" "4\x80\x81\0\0\0\0" "x", 14, "C|" },
        { "E8 CVE-2022-21676 text behind the handshake", "test", 4, "C:1002|EOF" },
        { "a violation", "\xff\x80\0\0\0\0", 6, "C:1002|EOF" },
        { "close", "\x88\x80\0\0\0\0", 6, "C|EOF" },
    };
    /* clang-format on */

    for (int probed = 0; probed < 2; probed++)
        for (size_t i = 0; i < COUNT(rows); i++) {
            int fd;

            T_CASE("%s, %s the probe", rows[i].name,
                   probed ? "behind" : "before");
            open_session(NULL);
            fd = probed ? echo_probe(&w, query) : connect_ws();
            world_write(&w, fd, rows[i].bytes, rows[i].n);
            CHECK_FRAMES(&w, fd, rows[i].frames);
            world_hang_up(&w, fd);
            CHECK_MATCH(e.seen, "open;");
            /* and it may try again */
            fd = echo_probe(&w, query);
            CHECK(fd >= 0, "no second probe");
            world_hang_up(&w, fd);
            check_polls_on();
            close_echo();
        }
}

static void test_timeouts(void)
{
    sio_options o;
    int fd;

    sio_options_init(&o);
    o.upgrade_timeout_ms = 100;
    for (int probed = 0; probed < 2; probed++) {
        T_CASE("6.6 E78 socketioxide#731 never completed, %s the probe",
               probed ? "behind" : "before");
        open_session(&o);
        fd = connect_ws();
        if (probed) {
            world_send_text(&w, fd, "2probe");
            CHECK_FRAMES(&w, fd, "T:3probe|");
        }
        world_advance(&w, 99);
        CHECK_FRAMES(&w, fd, "");
        world_advance(&w, 2);
        CHECK_FRAMES(&w, fd, "C|");
        world_send_text(&w, fd, "5");
        CHECK_FRAMES(&w, fd, "");
        CHECK_MATCH(sio_session_transport(e.session), "polling");
        world_hang_up(&w, fd);
        check_polls_on();
        close_echo();
    }

    T_CASE("6.6 whoever completed in time is left alone");
    open_session(&o);
    fd = echo_probe(&w, query);
    world_send_text(&w, fd, "5");
    world_advance(&w, 1000);
    world_send_text(&w, fd, "4hi");
    CHECK_FRAMES(&w, fd, "T:4hi|");
    world_hang_up(&w, fd);
    close_echo();
}

static void test_second_websocket(void)
{
    int first, second;

    T_CASE("6.9 a second WebSocket while the first one is probing");
    open_session(NULL);
    first = echo_probe(&w, query);
    second = connect_ws();
    CHECK_FRAMES(&w, second, "C|");
    world_hang_up(&w, second);
    world_send_text(&w, first, "5");
    world_send_text(&w, first, "4hi");
    CHECK_FRAMES(&w, first, "T:4hi|");
    T_CASE("6.9 E9 E203 a second WebSocket behind the upgrade");
    second = connect_ws();
    CHECK_FRAMES(&w, second, "C|");
    world_send_text(&w, second, "2probe");
    world_send_text(&w, second, "5");
    CHECK_FRAMES(&w, second, "");
    world_send_text(&w, first, "4hi");
    CHECK_FRAMES(&w, first, "T:4hi|");
    world_hang_up(&w, second);
    world_hang_up(&w, first);
    close_echo();
}

static void test_take_over(void)
{
    int first, second;

    T_CASE("6.11 a session that began on WebSocket is not taken over");
    CHECK(echo_open(&w, &e, NULL), "no server");
    first = echo_websocket(&w);
    snprintf(query, sizeof query, "EIO=4&transport=polling&sid=%s",
             sio_session_id(e.session));
    second = connect_ws();
    CHECK_FRAMES(&w, second, "C|");
    world_send_text(&w, second, "2probe");
    world_send_text(&w, second, "5");
    CHECK_FRAMES(&w, second, "");
    world_send_text(&w, first, "4hi");
    CHECK_FRAMES(&w, first, "T:4hi|");
    CHECK_MATCH(world_get(&w, query), "{\"code\":3,*");
    world_hang_up(&w, second);
    world_hang_up(&w, first);
    close_echo();
}

static void test_refused_upgrades(void)
{
    T_CASE("6.13 CVE-2026-102599 an upgrade with another EIO is refused");
    open_session(NULL);
    for (int i = 0; i < 3; i++) {
        static const char *const eio[] = { "EIO=3&", "", "EIO=&" };
        char upgrade[160];

        snprintf(upgrade, sizeof upgrade, "%stransport=websocket&%s", eio[i],
                 strstr(query, "sid="));
        CHECK(world_websocket(&w, upgrade) == -1, "accepted");
        CHECK_MATCH(w.got, "HTTP/1.1 400 *");
        CHECK_MATCH(sio_session_transport(e.session), "polling");
    }
    check_polls_on();
    close_echo();

    T_CASE("5.1 an upgrade by POST is refused, the session lives");
    open_session(NULL);
    CHECK_MATCH(world_raw(&w,
                          "POST /engine.io/?%s&transport=websocket "
                          "HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
                          "Connection: Upgrade\r\n"
                          "Sec-WebSocket-Version: 13\r\n"
                          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
                          "\r\n\r\n",
                          query),
                "HTTP/1.1 405 *Invalid HTTP method");
    check_polls_on();
    close_echo();
}

/* 6.8: the session goes while a WebSocket is probing. */
static void test_close_meanwhile(void)
{
    int fd, poll;

    T_CASE("E77 E86 6.8 close() with a poll waiting: both are told");
    open_session(NULL);
    fd = echo_probe(&w, query);
    poll = held_poll();
    echo_close(&w, &e);
    CHECK_MATCH(world_poll_answer(&w, poll), "1");
    CHECK_FRAMES(&w, fd, "C|");
    CHECK_MATCH(e.seen, "open;close forced close;");
    world_hang_up(&w, poll);
    world_hang_up(&w, fd);
    close_echo();

    T_CASE("6.4 8.6 close() while probing: what is queued, then the close");
    open_session(NULL);
    fd = echo_probe(&w, query);
    echo_send(&w, &e, "x");
    echo_close(&w, &e);
    world_send_text(&w, fd, "5");
    CHECK_FRAMES(&w, fd, "T:4x|C|");
    CHECK_MATCH(e.seen, "open;close forced close;");
    world_hang_up(&w, fd);
    close_echo();

    T_CASE("close() while probing, the probe is lost, a poll fetches the rest");
    open_session(NULL);
    fd = echo_probe(&w, query);
    echo_send(&w, &e, "x");
    echo_close(&w, &e);
    world_hang_up(&w, fd);
    CHECK_MATCH(world_get(&w, query), "4x");
    CHECK_MATCH(world_get(&w, query), "6" RS "1");
    CHECK_MATCH(e.seen, "open;close forced close;");
    close_echo();
}

static void test_lost_meanwhile(void)
{
    sio_options o;
    int fd, poll;

    T_CASE("6.8 the client closes over polling");
    open_session(NULL);
    fd = echo_probe(&w, query);
    CHECK_MATCH(world_post(&w, query, "1"), "ok");
    CHECK_FRAMES(&w, fd, "C|");
    CHECK_MATCH(e.seen, "open;close transport close;");
    world_hang_up(&w, fd);
    close_echo();

    T_CASE("6.8 ping timeout while probing");
    sio_options_init(&o);
    o.ping_interval_ms = 300;
    o.ping_timeout_ms = 200;
    open_session(&o);
    fd = echo_probe(&w, query);
    world_advance(&w, 501);
    CHECK_FRAMES(&w, fd, "C|");
    CHECK_MATCH(e.seen, "open;close ping timeout;");
    world_hang_up(&w, fd);
    close_echo();

    T_CASE("6.4 a POST still arriving when the upgrade completes is dropped");
    open_session(NULL);
    fd = echo_probe(&w, query);
    poll = echo_begin_post(&w, query, "Content-Length: 9\r\n", "4");
    world_send_text(&w, fd, "5");
    CHECK(world_read(&w, poll) == -1, "answered: %s", w.got);
    world_send_text(&w, fd, "4hi");
    CHECK_FRAMES(&w, fd, "T:4hi|");
    world_hang_up(&w, poll);
    world_hang_up(&w, fd);
    close_echo();
}

/* 7.5: the heartbeat goes on across the upgrade. */
static void test_heartbeat(void)
{
    sio_options o;
    int fd;

    sio_options_init(&o);
    o.ping_interval_ms = 300;
    o.ping_timeout_ms = 200;
    T_CASE("7.5 a pong that never comes ends an upgraded session, too");
    open_session(&o);
    world_advance(&w, 301);
    CHECK_MATCH(world_get(&w, query), "2");
    fd = echo_probe(&w, query);
    world_send_text(&w, fd, "5");
    world_advance(&w, 198);
    CHECK_FRAMES(&w, fd, "");
    world_advance(&w, 2);
    CHECK_FRAMES(&w, fd, "C|");
    CHECK_MATCH(e.seen, "open;close ping timeout;");
    world_hang_up(&w, fd);
    close_echo();

    T_CASE("7.5 E79 a ping queued for a poll comes over the WebSocket");
    open_session(&o);
    fd = echo_probe(&w, query);
    world_advance(&w, 301);
    world_send_text(&w, fd, "5");
    CHECK_FRAMES(&w, fd, "T:2|");
    world_send_text(&w, fd, "3");
    for (int i = 0; i < 5; i++) {
        world_advance(&w, 301);
        CHECK_FRAMES(&w, fd, "T:2|");
        world_send_text(&w, fd, "3");
    }
    CHECK_MATCH(e.seen, "open;");
    world_hang_up(&w, fd);
    close_echo();
}

/* A message that could not be queued must not be lost in silence. */
static void test_overflow(void)
{
    static char post[13000];
    char body[6001];
    sio_options o;
    int fd, other, n;

    T_CASE("output over its limit in the turn of the upgrade: closed");
    memset(body, 'x', 6000);
    body[6000] = 0;
    sio_options_init(&o);
    o.max_buffered_amount = 10000;
    open_session(&o);
    fd = echo_probe(&w, query);
    other = world_connect(&w);
    world_turn(&w); /* from here on it is served in the order of arrival */
    n = snprintf(post, sizeof post,
                 "POST /engine.io/?%s HTTP/1.1\r\nHost: x\r\n"
                 "Content-Length: 12003\r\n\r\n4%s" RS "4%s",
                 query, body, body);
    CHECK(send(other, post, (size_t)n, 0) == n, "not sent");
    CHECK(send(fd,
               "\x81\x81\0\0\0\0"
               "5",
               7, 0) == 7,
          "not sent");
    world_turn(&w);
    CHECK(e.messages == 2, "%zu messages", e.messages);
    CHECK_MATCH(e.seen, "*close slow consumer;");
    world_hang_up(&w, other);
    world_hang_up(&w, fd);
    close_echo();
}

int main(void)
{
    test_dance();
    test_noops();
    test_messages();
    test_short_ways();
    test_not_offered();
    test_failures();
    test_timeouts();
    test_second_websocket();
    test_take_over();
    test_refused_upgrades();
    test_close_meanwhile();
    test_lost_meanwhile();
    test_heartbeat();
    test_overflow();
    return t_done();
}
