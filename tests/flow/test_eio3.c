/*
 * test_eio3.c -- clients of Engine.IO 3: payloads of both forms, JSONP, frames
 * with a type byte, pings from the client, upgrades; and those of Socket.IO 2
 * on top. E and S numbers are those of the checklists, section numbers those of
 * the protocol notes.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sio/sio.h>

#include "tests/flow/echo.h"
#include "tests/unit/oom.h"

#include <stdlib.h>

static struct world w;
static struct echo e;

static sio_options allowing(void)
{
    sio_options o;

    sio_options_init(&o);
    o.allow_eio3 = true;
    return o;
}

static void open_with(const sio_options *o)
{
    CHECK(echo_open(&w, &e, o), "no server");
}

static void open_echo(void)
{
    sio_options o = allowing();

    open_with(&o);
}

static void close_echo(void)
{
    CHECK_SERVES(&w);
    world_check_empty(&w);
    world_close(&w);
}

/* A session of revision 3 over polling, `more` being "" or "&b64=1" ...; its
 * query into `query`. False: refused. */
static bool session3(const char *more, char query[160])
{
    char ask[64];
    const char *body, *sid;

    snprintf(ask, sizeof ask, "EIO=3&transport=polling%s", more);
    body = world_get(&w, ask);
    sid = body ? strstr(body, "sid") : NULL;
    if (!sid)
        return false;
    sid += strncmp(sid, "sid\\", 4) == 0 ? 8 : 6; /* quoted twice in JSONP */
    snprintf(query, 160, "%s&sid=%.20s", ask, sid);
    return true;
}

static int held_poll(const char *query)
{
    char head[320];
    int fd = world_connect(&w);
    int n = snprintf(head, sizeof head, "GET %s?%s HTTP/1.1\r\nHost: x\r\n\r\n",
                     w.path, query);

    if (fd >= 0)
        world_write(&w, fd, head, (size_t)n);
    return fd;
}

/* A POST of bytes; returns the answer's body. */
static const char *post_bytes(const char *query, const char *type,
                              const void *p, size_t n)
{
    char fields[128];
    const char *body;
    int fd;

    snprintf(fields, sizeof fields,
             "Content-Type: %s\r\nContent-Length: %zu\r\n", type, n);
    fd = echo_begin_post(&w, query, fields, "");
    world_write(&w, fd, p, n);
    body = world_read(&w, fd) > 0 ? strstr(w.got, "\r\n\r\n") : NULL;
    world_hang_up(&w, fd);
    return body ? body + 4 : NULL;
}

/* The whole answer to a poll, its length, and whether it ends with these
 * bytes. */
static bool poll_ends(const char *query, const void *p, size_t n)
{
    int fd = held_poll(query);
    long have = world_read(&w, fd);

    world_hang_up(&w, fd);
    return have >= (long)n && memcmp(w.got + have - (long)n, p, n) == 0;
}

/* --------------------------------------------------------------- handshake */

static void test_handshake(void)
{
    static const char open[] =
        "118:0{\"sid\":\"*\",\"upgrades\":[\"websocket\"],\"pingInterval\":"
        "25000,\"pingTimeout\":20000,\"maxPayload\":1000000}";
    static const struct {
        const char *name, *query, *body;
    } rows[] = {
        { "2.1 EIO=3", "EIO=3&transport=polling", open },
        { "E21 no EIO, b64", "transport=polling&b64=1", open },
        { "1.2 EIO=2", "EIO=2&transport=polling", open },
        { "1.2 EIO=04", "EIO=04&transport=polling", open },
        { "1.2 EIO=42", "EIO=42&transport=polling", open },
        { "1.2 EIO=%34 is 4", "EIO=%34&transport=polling", "0{*" },
        { "1.2 EIO=3, then 4", "EIO=3&EIO=4&transport=polling", "0{*" },
        { "EIO=4 is as ever, even with j", "EIO=4&transport=polling&j=0",
          "0{*" },
        { "3.2 JSONP", "EIO=3&transport=polling&j=5",
          "___eio[5](\"118:0{\\\"sid\\\":*}\");" },
        { "3.2 JSONP, no digit",
          "EIO=3&transport=polling&j=", "___eio[](\"118:0{*" },
        { "3.2 JSONP, only digits are kept", "EIO=3&transport=polling&j=a1)b2",
          "___eio[12](\"118:0{*" },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        T_CASE("%s", rows[i].name);
        open_echo();
        CHECK_MATCH(world_get(&w, rows[i].query), rows[i].body);
        world_advance(&w, 60000);
        close_echo();
    }
    T_CASE("E45 S173 not allowed by default");
    open_with(NULL);
    CHECK_MATCH(world_get(&w, "EIO=3&transport=polling"),
                "{\"code\":5,\"message\":\"Unsupported protocol version\"}");
    CHECK(world_websocket(&w, "EIO=3&transport=websocket") < 0, "accepted");
    CHECK_MATCH(w.got, "HTTP/1.1 400 *Content-Length: 28\r\n*");
    close_echo();
}

static void test_initial_bytes(void)
{
    static const char octets[] = "\x00\x01\x01\x08\xff"
                                 "0{";
    static const char message[] = "\x01\x04\xff\x04\x01\x02\x03";
    sio_options o = allowing();
    const char *body;
    int fd;

    o.initial_binary = "\1\2\3";
    o.initial_binary_size = 3;
    open_with(&o);
    T_CASE("2.4 the initial packet of bytes: octets");
    body = world_get(&w, "EIO=3&transport=polling");
    CHECK(strstr(w.got, "application/octet-stream"), "got %s", w.got);
    CHECK(memcmp(body, octets, sizeof octets - 1) == 0, "got %s", body);
    CHECK(memmem(body, 200, message, sizeof message - 1), "got %s", body + 1);
    T_CASE("2.4 the initial packet of bytes: base64");
    CHECK_MATCH(world_get(&w, "EIO=3&transport=polling&b64=1"),
                "118:0{*}6:b4AQID");
    world_advance(&w, 60000);
    T_CASE("2.4 the initial packet of bytes: WebSocket");
    fd = world_websocket(&w, "EIO=3&transport=websocket");
    CHECK_FRAMES(&w, fd, "T:0{*}|B:04010203|");
    world_hang_up(&w, fd);
    world_check_empty(&w);
    world_close(&w);
}

static void test_initial_packet(void)
{
    sio_options o = allowing();
    int fd;

    o.initial_packet = "faster\xe2\x82\xac";
    T_CASE("2.4 the initial packet, polling");
    open_with(&o);
    CHECK_MATCH(world_get(&w, "EIO=3&transport=polling"),
                "118:0{*}8:4faster\xe2\x82\xac");
    world_advance(&w, 60000);
    T_CASE("2.4 the initial packet, WebSocket");
    fd = world_websocket(&w, "EIO=3&transport=websocket");
    CHECK_FRAMES(&w, fd, "T:0{*}|T:4faster\xe2\x82\xac|");
    world_hang_up(&w, fd);
    world_check_empty(&w);
    world_close(&w);
    test_initial_bytes();
}

static void test_revision_must_match(void)
{
    char query[160], other[160], *sid;
    int fd;

    T_CASE("1.3 5c the revision must be the session's");
    open_echo();
    CHECK(session3("", query), "no session");
    sid = strstr(query, "sid=");
    snprintf(other, sizeof other, "EIO=4&transport=polling&%s", sid);
    CHECK_MATCH(world_get(&w, other), "{\"code\":3,*");
    CHECK_MATCH(world_post(&w, other, "4a"), "{\"code\":3,*");
    snprintf(other, sizeof other, "EIO=4&transport=websocket&%s", sid);
    fd = world_websocket(&w, other);
    CHECK(fd < 0, "accepted");
    CHECK_MATCH(w.got, "HTTP/1.1 400 *Content-Length: 11\r\n*");
    CHECK_MATCH(world_post(&w, query, "1:1"), "ok");
    CHECK(echo_session(&w, query), "no session");
    snprintf(other, sizeof other, "EIO=3&transport=polling&%s",
             strstr(query, "sid="));
    CHECK_MATCH(world_get(&w, other), "{\"code\":3,*");
    world_post(&w, query, "1");
    CHECK_MATCH(e.seen,
                "open;close transport close;open;close transport close;");
    close_echo();
}

/* ----------------------------------------------------------------- payloads */

/* 3.2: what a POST means, and the next GET's answer. */
static void test_bodies(void)
{
    static const char gone[] = "{\"code\":1,*";
    /* clang-format off */
    static const struct {
        const char *name, *body, *seen, *poll;
    } rows[] = {
        { "E204 E193 one message", "6:4hello", "hello;", "6:4hello" },
        { "E204 E194 three messages", "6:4test16:4test26:4test3", "test1;test2;test3;", "6:4test16:4test26:4test3" },
        { "E204 text and base64", "6:4hello10:b4AQIDBA==", "hello;01020304;", "6:4hello10:b4AQIDBA==" },
        { "socketioxide#232 lengths are UTF-16", "2:4\xe2\x82\xac" "3:4\xf0\x9f\x98\x80", "\xe2\x82\xac;\xf0\x9f\x98\x80;", "2:4\xe2\x82\xac" "3:4\xf0\x9f\x98\x80" },
        { "0x1e is a character", "4:4a\x1e" "b", "a\x1e" "b;", "4:4a\x1e" "b" },
        { "empty message", "1:4", ";", "1:4" },
        { "empty binary", "2:b4", ";", "2:b4" },
        { "empty packet is passed over", "0:2:4a", "a;", "2:4a" },
        { "E204 ping", "1:2", "", "1:3" },
        { "a ping's data is not sent back", "6:2probe", "", "1:3" },
        { "ping among messages", "2:4a1:22:4b", "a;b;", "2:4a1:32:4b" },
        { "invalid UTF-8 is replaced", "3:4a\xff", "a\xef\xbf\xbd;", "3:4a\xef\xbf\xbd" },
        { "empty body", "", "close parse error;", gone },
        { "no length", "abc", "close parse error;", gone },
        { "v4 payload", "4hello", "close parse error;", gone },
        { "too short", "6:4a", "close parse error;", gone },
        { "half a pair", "2:4\xf0\x9f\x98\x80", "close parse error;", gone },
        { "unknown type", "1:7", "close parse error;", gone },
        { "garbage behind", "2:4a5", "a;close parse error;", gone },
        { "close", "1:1", "close transport close;", gone },
        { "7.7 a client's pong", "2:4a1:3", "a;close transport error;", gone },
        { "8.1 E210 close() in the handler", "6:4close", "close;", "1:61:1" },
    };
    /* clang-format on */
    char query[160], want[256];

    for (size_t i = 0; i < COUNT(rows); i++) {
        T_CASE("3.2 %s", rows[i].name);
        open_echo();
        CHECK(session3("&b64=1", query), "no session");
        CHECK_MATCH(world_post(&w, query, rows[i].body), "ok");
        snprintf(want, sizeof want, "open;%s", rows[i].seen);
        CHECK_MATCH(e.seen, want);
        CHECK_MATCH(world_get(&w, query), rows[i].poll);
        world_post(&w, query, "1:1");
        close_echo();
    }
}

static void test_binary_form(void)
{
    static const char octets[] = "application/octet-stream";
    static const char both[] = "\0\6\xff"
                               "4hello\1\5\xff\4\1\2\3\4";
    static const char mixed[] = "\0\1\3\xff"
                                "4\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac"
                                "\xe2\x82\xac\1\4\xff\4\1\2\3";
    static const struct {
        const char *name, *bytes, *seen;
        size_t n;
    } rows[] = {
        { "empty body", "", "", 0 },
        { "cut short",
          "\0\6\xff"
          "4h",
          "h;", 5 },
        { "unknown type", "\1\2\xff\x9x", "", 5 },
        { "bad UTF-8",
          "\0\2\xff"
          "4\xff",
          "close parse error;", 5 },
        { "bad kind",
          "\2\2\xff"
          "4a",
          "close parse error;", 5 },
        { "a binary pong", "\1\1\xff\3", "close transport error;", 4 },
    };
    char query[160], want[128];

    T_CASE("E204 text and base64 come back as octets");
    open_echo();
    CHECK(session3("", query), "no session");
    CHECK_MATCH(world_post(&w, query, "6:4hello10:b4AQIDBA=="), "ok");
    CHECK(poll_ends(query, both, sizeof both - 1), "got %s", w.got);
    CHECK(strstr(w.got, "Content-Type: application/octet-stream\r\n"), "got %s",
          w.got);
    T_CASE("E204 E99 octets come back as octets");
    CHECK_MATCH(post_bytes(query, octets, both, sizeof both - 1), "ok");
    CHECK(poll_ends(query, both, sizeof both - 1), "got %s", w.got);
    T_CASE("E178 a mixed payload counts bytes");
    CHECK_MATCH(world_post(&w, query,
                           "5:4\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac"
                           "6:b4AQID"),
                "ok");
    CHECK(poll_ends(query, mixed, sizeof mixed - 1), "got %s", w.got);
    T_CASE("3.2 without binary it is text");
    CHECK_MATCH(post_bytes(query, octets, both, 9), "ok");
    CHECK(poll_ends(query, "\r\n\r\n6:4hello", 12), "got %s", w.got);
    CHECK(strstr(w.got, "Content-Type: text/plain; charset=UTF-8\r\n"),
          "got %s", w.got);
    world_post(&w, query, "1:1");
    close_echo();
    for (size_t i = 0; i < COUNT(rows); i++) {
        T_CASE("3.2 octets: %s", rows[i].name);
        open_echo();
        CHECK(session3("", query), "no session");
        CHECK_MATCH(post_bytes(query, octets, rows[i].bytes, rows[i].n), "ok");
        snprintf(want, sizeof want, "open;%s", rows[i].seen);
        CHECK_MATCH(e.seen, want);
        world_post(&w, query, "1:1");
        close_echo();
    }
}

/* 4.6 */
static void test_held_poll(void)
{
    static const struct {
        const char *name, *post, *answer;
    } rows[] = {
        { "data", "2:4a2:4b", "2:4a2:4b" },
        { "E204 ping", "1:2", "1:3" },
        { "E204 E201 the client's close", "1:1", "1:6" },
        { "parse error", "x", "1:1" },
        { "a client's pong", "1:3", "1:1" },
        { "close()", "6:4close", "1:1" },
    };
    char query[160];
    int fd;

    for (size_t i = 0; i < COUNT(rows); i++) {
        T_CASE("4.6 a waiting poll: %s", rows[i].name);
        open_echo();
        CHECK(session3("", query), "no session");
        fd = held_poll(query);
        CHECK_MATCH(world_post(&w, query, rows[i].post), "ok");
        CHECK_MATCH(world_poll_answer(&w, fd), rows[i].answer);
        world_hang_up(&w, fd);
        world_post(&w, query, "1:1");
        close_echo();
    }
    T_CASE("4.3 overlapping polls");
    open_echo();
    CHECK(session3("", query), "no session");
    fd = held_poll(query);
    CHECK_MATCH(world_get(&w, query), "");
    CHECK_MATCH(world_poll_answer(&w, fd), "1:1");
    world_hang_up(&w, fd);
    close_echo();
}

static void test_jsonp(void)
{
    static const char form[] = "application/x-www-form-urlencoded";
    static const struct {
        const char *name, *body, *seen, *poll;
    } rows[] = {
        { "a message", "d=2%3A4a", "a;", "___eio[7](\"2:4a\");" },
        { "+ is a blank", "x=1&d=4:4a+b", "a b;", "___eio[7](\"4:4a b\");" },
        { "backslash n is a newline", "d=4:4a%5Cnb", "a\nb;",
          "___eio[7](\"4:4a\\nb\");" },
        { "two backslashes and n are one and n", "d=5:4a%5C%5Cnb", "a\\nb;",
          "___eio[7](\"5:4a\\\\nb\");" },
        { "binary is base64", "d=6:b4AQID", "010203;",
          "___eio[7](\"6:b4AQID\");" },
        { "U+2028 is escaped", "d=2:4%E2%80%A8", "\xe2\x80\xa8;",
          "___eio[7](\"2:4\\u2028\");" },
        { "bad UTF-8 is replaced", "d=2:4%FF", "\xef\xbf\xbd;",
          "___eio[7](\"2:4\xef\xbf\xbd\");" },
        { "no d", "x=2:4a", "", NULL },
        { "empty", "", "", NULL },
        { "a bad payload", "d=x", "close parse error;", "{\"code\":1,*" },
        { "close() in the handler", "d=6:4close", "close;",
          "___eio[7](\"1:61:1\");" },
    };
    char query[160], want[128];
    int fd;

    for (size_t i = 0; i < COUNT(rows); i++) {
        T_CASE("3.2 JSONP: %s", rows[i].name);
        open_echo();
        CHECK(session3("&j=7", query), "no session");
        CHECK_MATCH(post_bytes(query, form, rows[i].body, strlen(rows[i].body)),
                    "ok");
        snprintf(want, sizeof want, "open;%s", rows[i].seen);
        CHECK_MATCH(e.seen, want);
        if (rows[i].poll)
            CHECK_MATCH(world_get(&w, query), rows[i].poll);
        world_post(&w, query, "d=1:1");
        close_echo();
    }
    T_CASE("3.2 JSONP: a waiting poll learns of the close");
    open_echo();
    CHECK(session3("&j=7", query), "no session");
    fd = held_poll(query);
    echo_close(&w, &e);
    CHECK(world_read(&w, fd) > 0, "no answer");
    CHECK_MATCH(w.got, "HTTP/1.1 200 *Content-Type: text/plain; "
                       "charset=UTF-8\r\n*___eio[7](\"1:1\");");
    world_hang_up(&w, fd);
    close_echo();
}

/* -------------------------------------------------------------- compression */

static void test_compression(void)
{
    static const struct {
        const char *name, *accept, *coding;
        size_t n; /* bytes sent, binary */
        size_t threshold;
        bool off;
    } rows[] = {
        { "E135 gzip", "gzip, deflate", "gzip", 1024, 1024, false },
        { "E136 deflate", "deflate", "deflate", 1024, 1024, false },
        { "E137 threshold 0", "gzip, deflate", "gzip", 100, 0, false },
        { "E138 switched off", "gzip, deflate", NULL, 1024, 1024, true },
        { "E140 below the threshold", "gzip", NULL, 100, 1024, false },
    };
    static const char zeros[1024];
    char query[160];
    sio_value v;

    for (size_t i = 0; i < COUNT(rows); i++) {
        sio_options o = allowing();
        const char *coding;

        T_CASE("%s", rows[i].name);
        o.http_compression = !rows[i].off;
        o.http_compression_threshold = rows[i].threshold;
        open_with(&o);
        CHECK(session3("", query), "no session");
        v = sio_binary(zeros, rows[i].n);
        CHECK(sio_session_send(e.session, &v) == SIO_OK, "not sent");
        world_raw(&w,
                  "GET %s?%s HTTP/1.1\r\nHost: x\r\nAccept-Encoding: %s"
                  "\r\n\r\n",
                  w.path, query, rows[i].accept);
        CHECK(strstr(w.got, "Content-Type: application/octet-stream"), "got %s",
              w.got);
        coding = strstr(w.got, "Content-Encoding: ");
        CHECK(!coding == !rows[i].coding, "got %s", w.got);
        if (coding && rows[i].coding)
            CHECK(strncmp(coding + 18, rows[i].coding,
                          strlen(rows[i].coding)) == 0,
                  "got %s", w.got);
        world_post(&w, query, "1:1");
        close_echo();
    }
}

/* ---------------------------------------------------------------- websocket */

static void test_websocket(void)
{
    int fd;

    T_CASE("E204 E198 text, and binary behind its type");
    open_echo();
    fd = world_websocket(&w, "EIO=3&transport=websocket");
    CHECK_FRAMES(&w, fd, "T:0{*\"upgrades\":[],*}|");
    world_send_text(&w, fd, "4hello");
    world_send_binary(&w, fd, "\4\1\2\3\4", 5);
    CHECK_FRAMES(&w, fd, "T:4hello|B:0401020304|");
    CHECK_MATCH(e.seen, "open;hello;01020304;");
    T_CASE("3.2 base64 in a text frame, what is ignored, pings");
    world_send_text(&w, fd, "b4AQID");
    world_send_text(&w, fd, "b9AQID");
    world_send_binary(&w, fd, "", 0);
    world_send_binary(&w, fd,
                      "\x9"
                      "a",
                      2);
    world_send_text(&w, fd, "2");
    world_send_text(&w, fd, "2probe");
    CHECK_FRAMES(&w, fd, "B:04010203|T:3|T:3|");
    T_CASE("7.7 a client's pong ends the session");
    world_send_text(&w, fd, "3");
    CHECK_FRAMES(&w, fd, "C|");
    CHECK_MATCH(e.seen, "*close transport error;");
    world_hang_up(&w, fd);
    close_echo();

    T_CASE("3.2 b64: text frames only");
    open_echo();
    fd = world_websocket(&w, "EIO=3&transport=websocket&b64=1");
    world_frames(&w, fd);
    world_send_binary(&w, fd, "\4\1\2\3", 4);
    CHECK_FRAMES(&w, fd, "T:b4AQID|");
    T_CASE("3.2 an unknown type ends the session");
    world_send_text(&w, fd, "7");
    CHECK_FRAMES(&w, fd, "C|");
    CHECK_MATCH(e.seen, "*close parse error;");
    world_hang_up(&w, fd);
    close_echo();
}

static void test_upgrade(void)
{
    char query[160], upgrade[200];
    sio_value bytes = sio_binary("\1\2", 2);
    int fd, poll;

    T_CASE("E204 E202 an upgrade, with a NOOP for the poll");
    open_echo();
    CHECK(session3("", query), "no session");
    poll = held_poll(query);
    snprintf(upgrade, sizeof upgrade, "EIO=3&transport=websocket&%s",
             strstr(query, "sid="));
    fd = world_websocket(&w, upgrade);
    CHECK(fd >= 0, "refused: %s", w.got);
    world_send_text(&w, fd, "2probe");
    CHECK_FRAMES(&w, fd, "T:3probe|");
    world_advance(&w, 100);
    CHECK_MATCH(world_poll_answer(&w, poll), "1:6");
    world_hang_up(&w, poll);
    T_CASE("E131 what waited comes as frames, in order");
    echo_send(&w, &e,
              "a\x1e"
              "b");
    CHECK(sio_session_send(e.session, &bytes) == SIO_OK, "not sent");
    CHECK_MATCH(world_post(&w, query, "1:2"), "ok");
    world_send_text(&w, fd, "5");
    CHECK_FRAMES(&w, fd,
                 "T:4a\x1e"
                 "b|B:040102|T:3|");
    CHECK_MATCH(world_get(&w, query), "{\"code\":3,*");
    T_CASE("7.5 the timer runs on behind an upgrade");
    world_advance(&w, 44000);
    CHECK_FRAMES(&w, fd, "");
    world_advance(&w, 1100);
    CHECK_FRAMES(&w, fd, "C|");
    CHECK_MATCH(e.seen, "open;close ping timeout;");
    world_hang_up(&w, fd);
    close_echo();
}

static void test_heartbeat(void)
{
    char query[160];
    int fd;

    T_CASE("7.4 E128 only pings count, and the server sends none");
    open_echo();
    fd = world_websocket(&w, "EIO=3&transport=websocket");
    world_frames(&w, fd);
    world_advance(&w, 44000);
    CHECK_FRAMES(&w, fd, "");
    world_send_text(&w, fd, "2");
    CHECK_FRAMES(&w, fd, "T:3|");
    world_advance(&w, 30000);
    world_send_text(&w, fd, "4a");
    CHECK_FRAMES(&w, fd, "T:4a|");
    world_advance(&w, 14900);
    CHECK_FRAMES(&w, fd, "");
    world_advance(&w, 200);
    CHECK_FRAMES(&w, fd, "C|");
    CHECK_MATCH(e.seen, "open;a;close ping timeout;");
    world_hang_up(&w, fd);
    T_CASE("7.4 E68 the same over polling");
    CHECK(session3("", query), "no session");
    world_advance(&w, 44900);
    CHECK_MATCH(world_post(&w, query, "1:2"), "ok");
    world_advance(&w, 44900);
    CHECK_MATCH(world_get(&w, query), "1:3");
    fd = held_poll(query);
    world_advance(&w, 200);
    CHECK_MATCH(world_poll_answer(&w, fd), "1:1");
    world_hang_up(&w, fd);
    close_echo();
    T_CASE("7.4 times whose sum is no 32-bit number");
    {
        sio_options o = allowing();

        o.ping_interval_ms = o.ping_timeout_ms = UINT32_MAX;
        open_with(&o);
        CHECK(session3("", query), "no session");
        world_advance(&w, 60000);
        CHECK_MATCH(world_post(&w, query, "1:1"), "ok");
        close_echo();
    }
}

/* --------------------------------------------------------------- Socket.IO 2
 */

static void on_echo(sio_socket *socket, sio_event *event, void *user)
{
    (void)user;
    if (sio_wants_ack(event))
        sio_ack(event, sio_arg(event, 0));
    else
        sio_emit(sio_namespace_of(socket), "echo", sio_arg(event, 0));
}

static void tell(sio_socket *socket, void *user)
{
    (void)user;
    sio_emit(socket, "hello", sio_string(sio_id(socket)),
             sio_bool(sio_in_room(socket, sio_id(socket))),
             sio_raw_json(sio_auth(socket).p, sio_auth(socket).n));
}

static void refuse(sio_socket *socket, sio_next *next, void *user)
{
    sio_value data = sio_int(5);
    char how[16] = "";

    (void)user;
    sio_auth_string(socket, "how", how, sizeof how);
    sio_next_error(next, strcmp(how, "null") == 0 ? NULL : "bad",
                   strcmp(how, "data") == 0 ? &data : NULL);
}

static void open_hub(void)
{
    sio_options o = allowing();
    sio_namespace *nsp;

    CHECK(world_open(&w, &o), "no server");
    nsp = sio_of(w.server, "/");
    sio_on(nsp, "echo", on_echo, NULL);
    sio_on_connection(sio_of(w.server, "/foo"), tell, NULL);
    sio_use(sio_of(w.server, "/no"), refuse, NULL);
}

static void close_hub(void)
{
    world_check_empty(&w);
    world_close(&w);
}

/* The client's WebSocket, its OPEN read; the session's id into sid. */
static int client2(char sid[21])
{
    int fd = world_websocket(&w, "EIO=3&transport=websocket");
    const char *got = fd >= 0 ? world_frames(&w, fd) : "";
    const char *at = strstr(got, "\"sid\":\"");

    CHECK_MATCH(got, "T:0{*}|T:40|");
    snprintf(sid, 21, "%.20s", at ? at + 7 : "");
    return fd;
}

static void test_client2(void)
{
    static const struct {
        const char *name, *sent, *got;
    } rows[] = {
        { "an event", "42[\"echo\",1]", "T:42[\"echo\",1]|" },
        { "an acknowledgement", "427[\"echo\",\"a\"]", "T:437[\"a\"]|" },
        { "2.4 a second CONNECT", "40", "C|" },
        { "2.4 a second CONNECT, with a query", "40/?a=b,", "C|" },
        { "2.2 no such namespace", "40/nope?a=b,",
          "T:44/nope,{\"message\":\"Invalid namespace\"}|" },
        { "2.2 refused", "40/no,", "T:44/no,\"bad\"|" },
        { "2.2 refused with data", "40/no?how=data,", "T:44/no,5|" },
        { "2.2 refused without message", "40/no?how=null,", "T:44/no,\"\"|" },
    };
    char sid[21];
    int fd;

    for (size_t i = 0; i < COUNT(rows); i++) {
        T_CASE("Socket.IO 2: %s", rows[i].name);
        open_hub();
        fd = client2(sid);
        world_send_text(&w, fd, rows[i].sent);
        CHECK_FRAMES(&w, fd, rows[i].got);
        world_hang_up(&w, fd);
        close_hub();
    }
    T_CASE("2.4 a client in \"/\" has no connect timeout");
    open_hub();
    fd = client2(sid);
    world_advance(&w, 40000);
    world_send_text(&w, fd, "2");
    world_advance(&w, 10000);
    CHECK_FRAMES(&w, fd, "T:3|");
    T_CASE("Socket.IO 2: an attachment both ways");
    world_send_text(&w, fd, "451-[\"echo\",{\"_placeholder\":true,\"num\":0}]");
    world_send_binary(&w, fd, "\4abc", 4);
    CHECK_FRAMES(&w, fd,
                 "T:451-[\"echo\",{\"_placeholder\":true,\"num\":0}]|"
                 "B:04616263|");
    world_hang_up(&w, fd);
    close_hub();
}

static void test_query(void)
{
    static const struct {
        const char *name, *query, *auth;
    } rows[] = {
        { "none", "", "{}" },
        { "empty", "?", "{}" },
        { "S172 a query", "?test=123&x=%26", "{\"test\":\"123\",\"x\":\"&\"}" },
        { "blanks and no value", "?a+b=c%20d&e",
          "{\"a b\":\"c d\",\"e\":\"\"}" },
        { "the last one counts", "?a=1&b=2&%61=3",
          "{\"a\":\"3\",\"b\":\"2\"}" },
        { "what is no UTF-8 is replaced", "?a=%ff",
          "{\"a\":\"\xef\xbf\xbd\"}" },
        { "quotes", "?a=%22%5C", "{\"a\":\"\\\"\\\\\"}" },
    };
    char sid[21], text[4096];
    int fd;

    for (size_t i = 0; i < COUNT(rows); i++) {
        T_CASE("2.4 query of a namespace: %s", rows[i].name);
        open_hub();
        fd = client2(sid);
        snprintf(text, sizeof text, "40/foo%s,", rows[i].query);
        world_send_text(&w, fd, text);
        snprintf(text, sizeof text,
                 "T:40/foo,|T:42/foo,[\"hello\",\"/foo#%s\",true,%s]|", sid,
                 rows[i].auth);
        CHECK_FRAMES(&w, fd, text);
        world_hang_up(&w, fd);
        close_hub();
    }
    for (int over = 0; over < 2; over++) {
        T_CASE("2.4 a query of %d bytes", 2048 + over);
        open_hub();
        fd = client2(sid);
        memcpy(text, "40/foo?a=", 9);
        memset(text + 9, 'b', (size_t)(2046 + over));
        memcpy(text + 9 + 2046 + over, ",", 2);
        world_send_text(&w, fd, text);
        CHECK_FRAMES(&w, fd, over ? "C|" : "T:40/foo,|T:42/foo,*|");
        world_hang_up(&w, fd);
        close_hub();
    }
    for (int over = 0; over < 2; over++) {
        T_CASE("2.4 a query of %d parameters", 64 + over);
        open_hub();
        fd = client2(sid);
        snprintf(text, sizeof text, "40/foo?");
        for (int i = 0; i < 64 + over; i++)
            snprintf(text + strlen(text), 16, "a%d=&", i);
        text[strlen(text) - 1] = ',';
        world_send_text(&w, fd, text);
        CHECK_FRAMES(&w, fd, over ? "C|" : "T:40/foo,|T:42/foo,*|");
        world_hang_up(&w, fd);
        close_hub();
    }
}

static void test_client2_polling(void)
{
    char query[160];

    T_CASE("2.4 S171 over polling: 0{...}, then 40");
    open_hub();
    CHECK(session3("", query), "no session");
    CHECK_MATCH(world_get(&w, query), "2:40");
    CHECK_MATCH(world_post(&w, query, "12:42[\"echo\",1]"), "ok");
    CHECK_MATCH(world_get(&w, query), "12:42[\"echo\",1]");
    T_CASE("clients of both kinds get the same broadcast");
    {
        int fd = world_client(&w);

        world_send_text(&w, fd,
                        "451-[\"echo\",{\"_placeholder\":true,\"num\":0}]");
        world_send_binary(&w, fd, "abc", 3);
        CHECK_FRAMES(&w, fd,
                     "T:451-[\"echo\",{\"_placeholder\":true,\"num\":0}]|"
                     "B:616263|");
        CHECK(poll_ends(query, "num\":0}]\1\4\xff\4abc", 15), "got %s", w.got);
        world_hang_up(&w, fd);
    }
    world_post(&w, query, "1:1");
    close_hub();
}

/* ------------------------------------------------------------ out of memory */

static void a_life(const char *more)
{
    sio_value bytes = sio_binary("\1\2", 2);
    char query[160], upgrade[200];
    bool jsonp = strstr(more, "&j=") != NULL;
    int fd, poll;

    if (!session3(more, query))
        return;
    world_post(&w, query, jsonp ? "d=2:4a" : "2:4a1:2");
    world_get(&w, query);
    poll = held_poll(query);
    if (e.session)
        sio_session_send(e.session, &bytes);
    world_turn(&w);
    world_hang_up(&w, poll);
    snprintf(upgrade, sizeof upgrade, "EIO=3&transport=websocket&%s",
             strstr(query, "sid="));
    fd = world_websocket(&w, upgrade);
    if (fd < 0)
        return;
    world_send_text(&w, fd, "2probe");
    if (e.session)
        sio_session_send(e.session, &bytes);
    world_send_text(&w, fd, "5");
    world_send_binary(&w, fd, "\4\1", 2);
    world_hang_up(&w, fd);
}

static void a_life2(void)
{
    int fd = world_websocket(&w, "EIO=3&transport=websocket");

    if (fd < 0)
        return;
    world_send_text(&w, fd, "40/foo?a=b&c=d,");
    world_send_text(&w, fd, "40/no?how=data,");
    world_send_text(&w, fd, "42[\"echo\",1]");
    world_hang_up(&w, fd);
}

static void test_oom(void)
{
    static const char *const more[] = { "", "&b64=1", "&j=1" };
    long n;

    for (size_t i = 0; i < COUNT(more); i++) {
        T_CASE("each allocation fails in turn: %s", more[i]);
        open_echo();
        for (n = 0; n < 500; n++) {
            oom_arm(n);
            a_life(more[i]);
            if (!oom_disarm())
                break;
            world_advance(&w, 60000);
            world_check_empty(&w);
        }
        CHECK(n > 5 && n < 500, "%ld allocations", n);
        world_advance(&w, 60000);
        close_echo();
    }
    T_CASE("each allocation fails in turn: Socket.IO 2");
    open_hub();
    for (n = 0; n < 500; n++) {
        oom_arm(n);
        a_life2();
        if (!oom_disarm())
            break;
        world_advance(&w, 60000);
        world_check_empty(&w);
    }
    CHECK(n > 5 && n < 500, "%ld allocations", n);
    close_hub();
}

int main(void)
{
    test_handshake();
    test_initial_packet();
    test_revision_must_match();
    test_bodies();
    test_binary_form();
    test_held_poll();
    test_jsonp();
    test_compression();
    test_websocket();
    test_upgrade();
    test_heartbeat();
    test_client2();
    test_query();
    test_client2_polling();
    test_oom();
    return t_done();
}
