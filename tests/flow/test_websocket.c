/*
 * test_websocket.c -- Engine.IO over WebSocket: the handshake and its refusals,
 * frames both ways, what breaks the protocol, what only tries to cost us.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sio/sio.h>

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/flow/echo.h"
#include "tests/unit/oom.h"

#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define UPGRADE "Upgrade: websocket\r\nConnection: Upgrade\r\n"
#define DIRECT "EIO=4&transport=websocket"
#define NOKEY "\0\0\0\0" /* a mask that changes nothing */
#define BYTES(s) s, sizeof(s) - 1

static struct world w;
static struct echo e;

static void open_echo(const sio_options *o)
{
    CHECK(echo_open(&w, &e, o), "no server");
}

static void close_echo(void)
{
    CHECK_SERVES(&w);
    world_check_empty(&w);
    world_close(&w);
}

/* ------------------------------------------------------------ handshake -- */

static void test_handshake(void)
{
    static const char accepted[] =
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\n"
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
        "\x81\x6b"
        "0{\"sid\":\"*\",\"upgrades\":[],\"pingInterval\":25000,"
        "\"pingTimeout\":20000,\"maxPayload\":1000000}";
    static const struct {
        const char *name, *fields;
    } rows[] = {
        { "5.1 E31 E32 plain", UPGRADE VERSION KEY },
        { "version 8", UPGRADE "Sec-WebSocket-Version: 8\r\n" KEY },
        { "Upgrade: WebSocket",
          "Upgrade: WebSocket\r\nConnection: upgrade\r\n" VERSION KEY },
        { "1.5 Connection: keep-alive, Upgrade",
          "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n" VERSION
              KEY },
        { "deflate is not taken up",
          UPGRADE VERSION KEY "Sec-WebSocket-Extensions: permessage-deflate; "
                              "client_max_window_bits\r\n" },
        { "2017 advisory: extension named constructor",
          UPGRADE VERSION KEY "Sec-WebSocket-Extensions: constructor\r\n" },
        { "2017 advisory: extension ;;;=",
          UPGRADE VERSION KEY "Sec-WebSocket-Extensions: ;;;=\r\n" },
        { "E142 fields of its own",
          UPGRADE VERSION KEY "Cookie: a=b\r\nX-Own: 1\r\n" },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        T_CASE("%s", rows[i].name);
        open_echo(NULL);
        CHECK_MATCH(world_raw(&w,
                              "GET /engine.io/?" DIRECT " HTTP/1.1\r\n"
                              "Host: x\r\n%s\r\n",
                              rows[i].fields),
                    accepted);
        CHECK_MATCH(e.seen, "open;close transport close;");
        close_echo();
    }

    T_CASE("5.1 of several subprotocols the first is taken");
    open_echo(NULL);
    CHECK_MATCH(world_raw(&w, "GET /engine.io/?" DIRECT " HTTP/1.1\r\n"
                              "Host: x\r\n" UPGRADE VERSION KEY
                              "Sec-WebSocket-Protocol: one, two\r\n\r\n"),
                "*\r\nSec-WebSocket-Protocol: one\r\n*");
    close_echo();

    T_CASE("E46 what on_open sends follows the OPEN packet");
    open_echo(NULL);
    e.greeting = "faster!";
    CHECK_MATCH(world_raw(&w, "GET /engine.io/?" DIRECT " HTTP/1.1\r\n"
                              "Host: x\r\n" UPGRADE VERSION KEY "\r\n"),
                "*\r\n\r\n\x81\x6b"
                "0{*}\x81\x08"
                "4faster!");
    world_close(&w);
}

static void test_refusals(void)
{
    /* clang-format off */
    static const struct {
        const char *name, *method, *query, *fields, *status, *body;
    } rows[] = {
        { "1.5 E1 unknown transport", "GET", "EIO=4&transport=tobi", UPGRADE VERSION KEY, "400 Bad Request", "Transport unknown" },
        { "E11 CVE-2023-31125 transport=__proto__", "GET", "EIO=4&transport=__proto__", UPGRADE VERSION KEY, "400 Bad Request", "Transport unknown" },
        { "E62 no query", "GET", "", UPGRADE, "400 Bad Request", "Transport unknown" },
        { "6.10 unknown sid", "GET", DIRECT "&sid=test", UPGRADE VERSION KEY, "400 Bad Request", "Session ID unknown" },
        { "CVE-2026-59724 sid=__proto__", "GET", DIRECT "&sid=__proto__", UPGRADE VERSION KEY, "400 Bad Request", "Session ID unknown" },
        { "POST", "POST", DIRECT, UPGRADE VERSION KEY, "400 Bad Request", "Bad handshake method" },
        { "1.8 Origin with DEL", "GET", DIRECT, UPGRADE VERSION KEY "Origin: a\x7f\r\n", "400 Bad Request", "" },
        { "E45 EIO=3: a clean 400 in place of the 101", "GET", "EIO=3&transport=websocket", UPGRADE VERSION KEY, "400 Bad Request", "Unsupported protocol version" },
        { "E191 no EIO", "GET", "transport=websocket", UPGRADE VERSION KEY, "400 Bad Request", "Unsupported protocol version" },
        { "5.1 no key", "GET", DIRECT, UPGRADE VERSION, "400 Bad Request", "Missing or invalid Sec-WebSocket-Key header" },
        { "5.1 short key", "GET", DIRECT, UPGRADE VERSION "Sec-WebSocket-Key: abc=\r\n", "400 Bad Request", "Missing or invalid Sec-WebSocket-Key header" },
        { "5.1 no version", "GET", DIRECT, UPGRADE KEY, "400 Bad Request", "Missing or invalid Sec-WebSocket-Version header" },
        { "5.1 version 12", "GET", DIRECT, UPGRADE KEY "Sec-WebSocket-Version: 12\r\n", "400 Bad Request", "Missing or invalid Sec-WebSocket-Version header" },
        { "5.1 bad subprotocol", "GET", DIRECT, UPGRADE VERSION KEY "Sec-WebSocket-Protocol: a,,b\r\n", "400 Bad Request", "Invalid Sec-WebSocket-Protocol header" },
        { "1.7 Upgrade: IRC/6.9", "GET", DIRECT, "Upgrade: IRC/6.9\r\nConnection: Upgrade\r\n" VERSION KEY, "400 Bad Request", "Invalid Upgrade header" },
        { "CVE-2022-41940 Upgrade: h2c", "GET", DIRECT, "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n", "400 Bad Request", "Invalid Upgrade header" },
    };
    /* clang-format on */

    for (size_t i = 0; i < COUNT(rows); i++) {
        char want[256], request[1024];
        int fd;

        T_CASE("refused: %s", rows[i].name);
        open_echo(NULL);
        snprintf(request, sizeof request,
                 "%s /engine.io/?%s HTTP/1.1\r\nHost: x\r\n%s\r\n",
                 rows[i].method, rows[i].query, rows[i].fields);
        snprintf(want, sizeof want, "HTTP/1.1 %s\r\n*Connection: close\r\n*%s",
                 rows[i].status, rows[i].body);
        fd = world_connect(&w);
        world_write(&w, fd, request, strlen(request));
        CHECK(world_read(&w, fd) > 0, "no answer");
        CHECK_MATCH(w.got, want);
        CHECK(world_read(&w, fd) == -1, "the connection is still open");
        world_hang_up(&w, fd);
        CHECK(e.opened == 0, "a session was opened");

        /* CVE-2022-41940: gone before the answer can be sent */
        fd = world_connect(&w);
        CHECK(send(fd, request, strlen(request), 0) > 0, "not sent");
        close(fd);
        world_turn(&w);
        close_echo();
    }
}

static void test_refusal_bytes(void)
{
    T_CASE("1.5 the whole refusal");
    open_echo(NULL);
    CHECK_MATCH(world_raw(&w, "GET /engine.io/?EIO=4&transport=x HTTP/1.1\r\n"
                              "Host: x\r\n" UPGRADE VERSION KEY "\r\n"),
                "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n"
                "Content-type: text/html\r\nContent-Length: 17\r\n\r\n"
                "Transport unknown");
    T_CASE("5.1 a wrong version is told the right ones");
    CHECK_MATCH(world_raw(&w, "GET /engine.io/?" DIRECT " HTTP/1.1\r\n"
                              "Host: x\r\n" UPGRADE KEY "\r\n"),
                "HTTP/1.1 400 *\r\nSec-WebSocket-Version: 13, 8\r\n*");
    T_CASE("1.5 no upgrade in Connection: a GET like any other");
    CHECK_MATCH(world_raw(&w, "GET /engine.io/?" DIRECT " HTTP/1.1\r\n"
                              "Host: x\r\nUpgrade: websocket\r\n" VERSION KEY
                              "\r\n"),
                "HTTP/1.1 400 *Connection: keep-alive\r\n*"
                "{\"code\":3,\"message\":\"Bad request\"}");
    close_echo();
}

static void test_polling_upgrade(void)
{
    T_CASE("1.5 transport=polling on an upgrade: 101 and an empty close frame");
    {
        char query[128];
        int fd;

        open_echo(NULL);
        CHECK(echo_session(&w, query), "no session");
        fd = world_websocket(&w, "EIO=4&transport=polling");
        CHECK_FRAMES(&w, fd, "C|");
        world_frame(&w, fd, 0x88, "", 0);
        CHECK_FRAMES(&w, fd, "EOF");
        world_hang_up(&w, fd);
        fd = world_websocket(&w, query);
        CHECK_FRAMES(&w, fd, "C|");
        world_hang_up(&w, fd);
        CHECK(e.opened == 1 && e.closed == 0, "seen: %s", e.seen);
        CHECK_MATCH(world_post(&w, query, "4a"), "ok");
        world_post(&w, query, "1");
        close_echo();
    }
}

/* Fields that cost more to read than to send. */
static void test_costly_fields(void)
{
    static const char *const names[] = { "Sec-WebSocket-Extensions",
                                         "Sec-WebSocket-Protocol",
                                         "Sec-WebSocket-Key",
                                         "Sec-WebSocket-Version", "Origin" };
    static char long_value[15001], many[40000];
    size_t n = 0;

    memset(long_value, ' ', 15000);
    long_value[14999] = 'x';
    for (size_t i = 0; i < COUNT(names); i++) {
        T_CASE("CVE-2021-32640 15000 blanks in %s", names[i]);
        open_echo(NULL);
        world_raw(&w,
                  "GET /engine.io/?" DIRECT
                  " HTTP/1.1\r\nHost: x\r\n" UPGRADE VERSION KEY
                  "%s: a%s\r\n\r\n",
                  names[i], long_value);
        CHECK_MATCH(w.got, "HTTP/1.1 *");
        close_echo();
    }

    T_CASE("2017 advisory: 8 KB of offers");
    for (n = 0; n + 20 < 8192; n += 20)
        memcpy(long_value + n, "permessage-deflate; ", 20);
    long_value[n] = 0;
    open_echo(NULL);
    world_raw(&w,
              "GET /engine.io/?" DIRECT
              " HTTP/1.1\r\nHost: x\r\n" UPGRADE VERSION KEY
              "Sec-WebSocket-Extensions: %s\r\n\r\n",
              long_value);
    CHECK_MATCH(w.got, "HTTP/1.1 101 *");
    CHECK(!strstr(w.got, "Extensions"), "got %s", w.got);
    close_echo();

    T_CASE("CVE-2024-37890 2000 fields");
    for (n = 0; n < 2000; n++)
        memcpy(many + n * 6, "a: b\r\n", 7);
    open_echo(NULL);
    world_raw(&w,
              "GET /engine.io/?" DIRECT
              " HTTP/1.1\r\nHost: x\r\n" UPGRADE VERSION KEY "%s\r\n",
              many);
    CHECK_MATCH(w.got, "HTTP/1.1 431 *Connection: close\r\n\r\n");
    close_echo();
}

/* --------------------------------------------------------------- frames -- */

/* Send bytes to a new session, whole and byte by byte; both times this comes
 * back, and the application sees this. */
static void exchange(const sio_options *o, const char *bytes, size_t n,
                     const char *frames, const char *seen)
{
    for (int cut = 0; cut < 2; cut++) {
        char want[300];
        int fd;

        open_echo(o);
        fd = echo_websocket(&w);
        CHECK(fd >= 0, "no session");
        if (cut)
            for (size_t i = 0; i < n; i++)
                world_write(&w, fd, bytes + i, 1);
        else
            world_write(&w, fd, bytes, n);
        CHECK_FRAMES(&w, fd, frames);
        snprintf(want, sizeof want, "open;%s", seen);
        CHECK_MATCH(e.seen, want);
        world_hang_up(&w, fd);
        close_echo();
    }
}

/* clang-format off */
static const struct {
    const char *name, *bytes;
    size_t n;
    const char *frames, *seen;
} received[] = {
    { "E198 text", BYTES("\x81\x86" NOKEY "4hello"), "T:4hello|", "hello;" },
    { "E114 three texts in one segment", BYTES("\x81\x82" NOKEY "4a\x81\x82" NOKEY "4b\x81\x82" NOKEY "4c"), "T:4a|T:4b|T:4c|", "a;b;c;" },
    { "a real mask", BYTES("\x81\x82\1\2\3\4\x35\x63"), "T:4a|", "a;" },
    { "E198 E95 binary", BYTES("\x82\x84" NOKEY "\1\2\3\4"), "B:01020304|", "01020304;" },
    { "empty binary", BYTES("\x82\x80" NOKEY), "B:|", ";" },
    { "empty message", BYTES("\x81\x81" NOKEY "4"), "T:4|", ";" },
    { "a NUL", BYTES("\x81\x83" NOKEY "4\0a"), "T:4*|", "*" },
    { "a record separator means nothing here", BYTES("\x81\x84" NOKEY "4a\x1e" "b"), "T:4a\x1e" "b|", "a\x1e" "b;" },
    { "base64 in a text frame", BYTES("\x81\x85" NOKEY "bAQID"), "B:010203|", "010203;" },
    { "base64 of nothing", BYTES("\x81\x81" NOKEY "b"), "B:|", ";" },
    { "open, pong, upgrade, noop", BYTES("\x81\x81" NOKEY "0\x81\x81" NOKEY "3\x81\x81" NOKEY "5\x81\x81" NOKEY "6\x81\x82" NOKEY "4a"), "T:4a|", "a;" },
    { "5.3 fragments", BYTES("\x01\x82" NOKEY "4a\x00\x81" NOKEY "b\x80\x81" NOKEY "c"), "T:4abc|", "abc;" },
    { "5.3 empty fragments", BYTES("\x01\x80" NOKEY "\x00\x80" NOKEY "\x80\x82" NOKEY "4a"), "T:4a|", "a;" },
    { "a character cut by a fragment", BYTES("\x01\x82" NOKEY "4\xc3\x80\x81" NOKEY "\xa9"), "T:4\xc3\xa9|", "\xc3\xa9;" },
    { "5.3 ping between fragments", BYTES("\x01\x81" NOKEY "4\x89\x82" NOKEY "hi\x80\x81" NOKEY "a"), "pong:hi|T:4a|", "a;" },
    { "CVE-2016-10518 ping without data", BYTES("\x89\x80" NOKEY), "pong:|", "" },
    { "CVE-2016-10518 ping with a zero", BYTES("\x89\x82" NOKEY "\0z"), "pong:*|", "" },
    { "5.3 unsolicited pong", BYTES("\x8a\x82" NOKEY "hi"), "", "" },
    { "E75 E198 unknown type", BYTES("\x81\x83" NOKEY "abc"), "C|", "close parse error;" },
    { "3.1 empty text", BYTES("\x81\x80" NOKEY), "C|", "close parse error;" },
    { "a bad packet between messages", BYTES("\x81\x82" NOKEY "4a\x81\x81" NOKEY "x\x81\x82" NOKEY "4b"), "T:4a|C|", "a;close parse error;" },
    { "E201 CLOSE ends the session", BYTES("\x81\x81" NOKEY "1\x81\x82" NOKEY "4a"), "C|", "close transport close;" },
    { "7.7 ping of the client", BYTES("\x81\x81" NOKEY "2"), "C|", "close transport error;" },
    { "7.7 probe on the session's own WebSocket", BYTES("\x81\x86" NOKEY "2probe"), "C|", "close transport error;" },
};

static const struct {
    const char *name, *bytes;
    size_t n;
    unsigned code;
} violations[] = {
    { "unmasked", BYTES("\x81\x02" "4a"), 1002 },
    { "RSV1", BYTES("\xc1\x82" NOKEY "4a"), 1002 },
    { "RSV2", BYTES("\xa1\x82" NOKEY "4a"), 1002 },
    { "RSV3", BYTES("\x91\x82" NOKEY "4a"), 1002 },
    { "RSV1 on a ping", BYTES("\xc9\x80" NOKEY), 1002 },
    { "opcode 3", BYTES("\x83\x80" NOKEY), 1002 },
    { "opcode 7", BYTES("\x87\x80" NOKEY), 1002 },
    { "opcode 11", BYTES("\x8b\x80" NOKEY), 1002 },
    { "opcode 15", BYTES("\x8f\x80" NOKEY), 1002 },
    { "lone continuation", BYTES("\x80\x80" NOKEY), 1002 },
    { "message inside a message", BYTES("\x01\x82" NOKEY "4a\x81\x82" NOKEY "4b"), 1002 },
    { "fragmented ping", BYTES("\x09\x80" NOKEY), 1002 },
    { "fragmented close", BYTES("\x08\x80" NOKEY), 1002 },
    { "ping of 126 bytes", BYTES("\x89\xfe\x00\x7e" NOKEY), 1002 },
    { "close with one byte", BYTES("\x88\x81" NOKEY "\3"), 1002 },
    { "close 0", BYTES("\x88\x82" NOKEY "\0\0"), 1002 },
    { "close 999", BYTES("\x88\x82" NOKEY "\x03\xe7"), 1002 },
    { "close 1004", BYTES("\x88\x82" NOKEY "\x03\xec"), 1002 },
    { "close 1005", BYTES("\x88\x82" NOKEY "\x03\xed"), 1002 },
    { "close 1006", BYTES("\x88\x82" NOKEY "\x03\xee"), 1002 },
    { "close 1015", BYTES("\x88\x82" NOKEY "\x03\xf7"), 1002 },
    { "close 2999", BYTES("\x88\x82" NOKEY "\x0b\xb7"), 1002 },
    { "close 5000", BYTES("\x88\x82" NOKEY "\x13\x88"), 1002 },
    { "close 65535", BYTES("\x88\x82" NOKEY "\xff\xff"), 1002 },
    { "close reason is not UTF-8", BYTES("\x88\x83" NOKEY "\x03\xe8\xff"), 1007 },
    { "text is not UTF-8", BYTES("\x81\x82" NOKEY "4\xff"), 1007 },
    { "text ends in a character", BYTES("\x81\x82" NOKEY "4\xc3"), 1007 },
    { "a surrogate", BYTES("\x81\x84" NOKEY "4\xed\xa0\x80"), 1007 },
    { "fragments are not UTF-8", BYTES("\x01\x82" NOKEY "4\xc3\x80\x81" NOKEY "x"), 1007 },
    { "1000001 bytes, by the header", BYTES("\x82\xff\0\0\0\0\0\x0f\x42\x41" NOKEY), 1009 },
    { "CVE-2016-10542 2^63 - 1 bytes", BYTES("\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff" NOKEY), 1009 },
    { "CVE-2016-10542 2^63 bytes", BYTES("\x82\xff\x80\0\0\0\0\0\0\0" NOKEY), 1009 },
    { "CVE-2016-10542 2^64 - 1 bytes", BYTES("\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff" NOKEY), 1009 },
    { "E7 CVE-2022-21676 garbage behind the handshake", BYTES("test"), 1002 },
    { "HTTP behind the handshake", BYTES("GET / HTTP/1.1\r\n\r\n"), 1002 },
};
/* clang-format on */

static void test_frames(void)
{
    for (size_t i = 0; i < COUNT(received); i++) {
        T_CASE("3.1 5.3 %s", received[i].name);
        exchange(NULL, received[i].bytes, received[i].n, received[i].frames,
                 received[i].seen);
    }
    for (size_t i = 0; i < COUNT(violations); i++) {
        char frames[32];

        T_CASE("5.3 violation: %s", violations[i].name);
        snprintf(frames, sizeof frames, "C:%u|EOF", violations[i].code);
        exchange(NULL, violations[i].bytes, violations[i].n, frames,
                 "close transport error;");
    }
}

/* 5.3: on and one past max_http_buffer_size, in one frame and in fragments. */
static void test_limits(void)
{
    static const struct {
        const char *name, *bytes;
        size_t n;
        bool fits;
    } rows[] = {
        { "E91 5 bytes", BYTES("\x81\x85" NOKEY "4abcd"), true },
        { "E90 6 bytes", BYTES("\x81\x86" NOKEY "4abcde"), false },
        { "3 + 2 bytes", BYTES("\x01\x83" NOKEY "4ab\x80\x82" NOKEY "cd"),
          true },
        { "3 + 3 bytes", BYTES("\x01\x83" NOKEY "4ab\x80\x83" NOKEY "cde"),
          false },
    };
    sio_options o;

    sio_options_init(&o);
    o.max_http_buffer_size = 5;
    for (size_t i = 0; i < COUNT(rows); i++) {
        T_CASE("5.3 limit 5: %s", rows[i].name);
        exchange(&o, rows[i].bytes, rows[i].n,
                 rows[i].fits ? "T:4abcd|" : "C:1009|EOF",
                 rows[i].fits ? "abcd;" : "close transport error;");
    }
}

/* 5.2: lengths of 7, 16 and 64 bits, never masked, never in fragments. */
static void test_lengths(void)
{
    static const struct {
        size_t n; /* of the packet */
        const char *head;
        size_t head_len;
    } rows[] = {
        { 1, BYTES("\x81\x01") },
        { 125, BYTES("\x81\x7d") },
        { 126, BYTES("\x81\x7e\x00\x7e") },
        { 65535, BYTES("\x81\x7e\xff\xff") },
        { 65536, BYTES("\x81\x7f\0\0\0\0\0\1\0\0") },
        { 1000000, BYTES("\x81\x7f\0\0\0\0\0\x0f\x42\x40") },
    };
    char *text = malloc(1000001);

    memset(text, 'x', 1000000);
    text[0] = '4';
    for (size_t i = 0; i < COUNT(rows); i++) {
        size_t head = rows[i].head_len, n = rows[i].n;
        long got;
        int fd;

        T_CASE("5.2 E101 a packet of %zu bytes there and back", n);
        open_echo(NULL);
        fd = echo_websocket(&w);
        world_frame(&w, fd, 0x81, text, n);
        got = world_read(&w, fd);
        CHECK(got == (long)(head + n), "got %ld bytes", got);
        CHECK(memcmp(w.got, rows[i].head, head) == 0, "wrong header");
        CHECK(memcmp(w.got + head, text, n) == 0, "wrong payload");
        world_hang_up(&w, fd);
        close_echo();
    }
    free(text);
}

/* Fragments cost their bytes, and there are not too many of them. */
static void test_fragments(void)
{
    enum { MOST = 16384 };
    static const struct {
        const char *name;
        char payload;
        size_t count;
        bool fits;
    } rows[] = {
        { "one byte each", 'x', MOST, true },
        { "one byte each", 'x', MOST + 1, false },
        { "empty", 0, MOST, true },
        { "empty", 0, MOST + 1, false },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        size_t each = rows[i].payload ? 7 : 6, n = each * rows[i].count;
        char *all = calloc(1, n);
        int fd;

        T_CASE("CVE-2026-48779 CVE-2026-62389 %zu fragments, %s", rows[i].count,
               rows[i].name);
        for (size_t k = 0; k < rows[i].count; k++) {
            char *at = all + k * each;

            at[0] = k == 0 ? 2 : k + 1 == rows[i].count ? (char)0x80 : 0;
            at[1] = rows[i].payload ? (char)0x81 : (char)0x80;
            if (rows[i].payload)
                at[6] = rows[i].payload;
        }
        open_echo(NULL);
        fd = echo_websocket(&w);
        world_write(&w, fd, all, n);
        CHECK_FRAMES(&w, fd, rows[i].fits ? "B:*|" : "C:1008|EOF");
        world_hang_up(&w, fd);
        free(all);
        close_echo();
    }
}

/* What has not come whole must be kept. */
static void test_part_without_memory(void)
{
    static const struct {
        const char *name, *part;
        size_t n;
    } rows[] = {
        { "half a header", BYTES("\x81") },
        { "half a frame", BYTES("\x81\x83" NOKEY "4h") },
        { "a first fragment", BYTES("\x01\x82" NOKEY "4h") },
        { "half a ping", BYTES("\x89\x82" NOKEY "a") },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        int fd;

        T_CASE("%s, and no memory to keep it", rows[i].name);
        open_echo(NULL);
        fd = echo_websocket(&w);
        oom_arm(0);
        world_write(&w, fd, rows[i].part, rows[i].n);
        CHECK(oom_disarm(), "it needs none");
        CHECK_FRAMES(&w, fd, "C:1011|EOF");
        CHECK_MATCH(e.seen, "*close transport error;");
        world_hang_up(&w, fd);
        close_echo();
    }
}

static void test_ping_flood(void)
{
    static char pings[131 * 1000];
    int fd;

    T_CASE("ws 8.23.0 ping flood: pongs that nobody reads are bounded");
    for (size_t i = 0; i < 1000; i++) {
        memcpy(pings + i * 131, "\x89\xfd" NOKEY, 6);
        memset(pings + i * 131 + 6, 'p', 125);
    }
    open_echo(NULL);
    fd = echo_websocket(&w);
    for (int i = 0; i < 30; i++) {
        sio_stats s;

        world_write(&w, fd, pings, sizeof pings);
        sio_get_stats(w.server, &s);
        CHECK(s.queued_bytes <= HTTP_WS_PONG_MAX + 127, "%zu bytes wait",
              s.queued_bytes);
    }
    CHECK(e.closed == 0, "closed");

    T_CASE("ws 8.23.0 the last ping of a flood is answered in the end");
    world_frame(&w, fd, 0x89, "last but one", 12);
    world_frame(&w, fd, 0x89, "last", 4);
    CHECK_FRAMES(&w, fd, "*|pong:ppp*|pong:last|");
    CHECK(!strstr(world_frames(&w, fd), "pong"), "more pongs");
    world_frame(&w, fd, 0x89, "again", 5);
    world_send_text(&w, fd, "4hello");
    CHECK_FRAMES(&w, fd, "pong:again|T:4hello|");
    world_hang_up(&w, fd);
    close_echo();
}

/* What waits before it is no reason to leave a ping unanswered: its client may
 * take that for the end (RFC 6455 5.5.2). */
static void test_ping_behind_output(void)
{
    static char text[400001];
    int fd;

    T_CASE("5.3 a ping is answered, however much waits before it");
    memset(text, 'x', sizeof text - 1);
    text[0] = '4';
    open_echo(NULL);
    fd = echo_websocket(&w);
    world_send_text(&w, fd, text);
    world_frame(&w, fd, 0x89, "there?", 6);
    CHECK_FRAMES(&w, fd, "T:4xxx*xx|pong:there?|");
    world_hang_up(&w, fd);
    close_echo();
}

static void test_slow_reader(void)
{
    enum { N = 16 * 1024 };
    static char text[N + 1];
    sio_options o;
    int fd;

    T_CASE("a client that reads nothing is closed, alone");
    memset(text, 'x', N);
    sio_options_init(&o);
    o.max_buffered_amount = 4 * N;
    open_echo(&o);
    fd = echo_websocket(&w);
    for (int i = 0; i < 2000 && !e.closed; i++)
        echo_send(&w, &e, text);
    CHECK_MATCH(e.seen, "open;close slow consumer;");
    world_hang_up(&w, fd);
    close_echo();
}

/* 1.2: with "b64" binary goes out as text, whatever else the value says. */
static void test_base64(void)
{
    static const char *const values[] = { "1", "0", "x" };
    char query[128], upgrade[160];
    int fd;

    for (size_t i = 0; i < COUNT(values); i++) {
        T_CASE("1.2 b64=%s: binary as base64", values[i]);
        open_echo(NULL);
        snprintf(query, sizeof query, DIRECT "&b64=%s", values[i]);
        fd = world_websocket(&w, query);
        world_frames(&w, fd);
        world_send_binary(&w, fd, "\1\2\3\4", 4);
        world_send_binary(&w, fd, "", 0);
        world_send_text(&w, fd, "bAQID");
        world_send_text(&w, fd, "4text");
        CHECK_FRAMES(&w, fd, "T:bAQIDBA==|T:b|T:bAQID|T:4text|");
        world_hang_up(&w, fd);
        close_echo();
    }

    T_CASE("1.2 b64 with nothing in it: binary as it is");
    open_echo(NULL);
    fd = world_websocket(&w, DIRECT "&b64=");
    world_frames(&w, fd);
    world_send_binary(&w, fd, "\1\2\3\4", 4);
    CHECK_FRAMES(&w, fd, "B:01020304|");
    world_hang_up(&w, fd);
    close_echo();

    T_CASE("1.2 b64 of an upgrade: also for what has waited");
    open_echo(NULL);
    CHECK(echo_session(&w, query), "no session");
    snprintf(upgrade, sizeof upgrade, DIRECT "&%s&b64=1",
             strstr(query, "sid="));
    CHECK_MATCH(world_post(&w, query, "bAQID"), "ok");
    fd = world_websocket(&w, upgrade);
    world_send_text(&w, fd, "5");
    world_send_binary(&w, fd, "\1", 1);
    CHECK_FRAMES(&w, fd, "T:bAQID|T:bAQ==|");
    world_hang_up(&w, fd);
    close_echo();
}

/* Both the sender and the reader keep up: nothing is lost however much it is.
 */
static void test_volume(void)
{
    enum { N = 64 * 1024, MESSAGES = 100 };
    static char text[N + 1];
    size_t total = 0;
    long got;
    int fd;

    T_CASE("E105 100 messages of 64 KiB queued at once");
    memset(text, 'x', N);
    open_echo(NULL);
    fd = echo_websocket(&w);
    for (int i = 0; i < MESSAGES; i++) {
        sio_value v = sio_stringn(text, N);

        sio_session_send(e.session, &v);
    }
    while ((got = world_read(&w, fd)) > 0)
        total += (size_t)got;
    CHECK(total == (size_t)MESSAGES * (N + 1 + 10), "%zu bytes came", total);
    CHECK(e.closed == 0, "closed");
    world_hang_up(&w, fd);
    close_echo();
}

int main(void)
{
    test_handshake();
    test_refusals();
    test_refusal_bytes();
    test_polling_upgrade();
    test_costly_fields();
    test_frames();
    test_limits();
    test_lengths();
    test_fragments();
    test_part_without_memory();
    test_ping_flood();
    test_ping_behind_output();
    test_slow_reader();
    test_base64();
    test_volume();
    return t_done();
}
