/*
 * test_polling.c -- Engine.IO over HTTP long-polling: payloads both ways, polls
 * that wait, POSTs that overlap, break off or are too large. Section numbers
 * are those of the protocol notes.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sio/sio.h>

#include <stdlib.h>
#include <sys/socket.h>

#include "tests/flow/echo.h"

#define RS "\x1e"

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

/* --------------------------------------------------------------- bodies -- */

/* 3.1: what a POST means, with no poll waiting. `poll` is the next GET's. */
static void test_bodies(void)
{
    static const char gone[] = "{\"code\":1,*";
    /* clang-format off */
    static const struct {
        const char *name, *body, *seen, *poll;
    } rows[] = {
        { "E193 one message", "4hello", "hello;", "4hello" },
        { "E194 three messages", "4a" RS "4b" RS "4c", "a;b;c;", "4a" RS "4b" RS "4c" },
        { "E195 E99 text and binary", "4hello" RS "bAQIDBA==", "hello;01020304;", "4hello" RS "bAQIDBA==" },
        { "E106 Chinese", "4\xe4\xbd\xa0\xe5\xa5\xbd", "\xe4\xbd\xa0\xe5\xa5\xbd;", "4\xe4\xbd\xa0\xe5\xa5\xbd" },
        { "empty message", "4", ";", "4" },
        { "empty binary", "b", ";", "b" },
        { "base64 with garbage", "bA!Q!I!D", "010203;", "bAQID" },
        { "base64 of URLs", "b-_-_", "fbffbf;", "b+/+/" },
        { "base64 ends at =", "bAQ==IDBA", "01;", "bAQ==" },
        { "pong", "3", "", NULL },
        { "pong with data", "3x", "", NULL },
        { "open, upgrade, noop are ignored", "0" RS "5" RS "6" RS "0x", "", NULL },
        { "ignored ones among messages", "6" RS "4a" RS "5" RS "4b", "a;b;", "4a" RS "4b" },
        { "invalid UTF-8 is replaced", "4a\xff" "b", "a\xef\xbf\xbd" "b;", "4a\xef\xbf\xbd" "b" },
        { "E76 E196 no type", "abc", "close parse error;", gone },
        { "unknown type", "7x", "close parse error;", gone },
        { "blank first", " 4a", "close parse error;", gone },
        { "empty body", "", "close parse error;", gone },
        { "separator last", "4hello" RS, "hello;close parse error;", gone },
        { "separator first", RS "4a", "close parse error;", gone },
        { "bad packet between messages", "4a" RS "x" RS "4b", "a;close parse error;", gone },
        { "close", "1", "close transport close;", gone },
        { "E60 close between messages", "4a" RS "1" RS "4b", "a;close transport close;", gone },
        { "7.7 ping", "2", "close transport error;", gone },
        { "7.7 ping with data", "2probe", "close transport error;", gone },
        { "ping between messages", "4a" RS "2" RS "4b", "a;close transport error;", gone },
        { "8.1 close() in the handler, POST still gets ok", "4close", "close;", "6" RS "1" },
        { "8.1 what follows close() is ignored", "4close" RS "4a" RS "2", "close;", "6" RS "1" },
    };
    /* clang-format on */

    for (size_t i = 0; i < COUNT(rows); i++) {
        char query[128], want[256];

        T_CASE("3.1 %s", rows[i].name);
        open_echo(NULL);
        CHECK(echo_session(&w, query), "no session");
        CHECK_MATCH(world_post(&w, query, rows[i].body), "ok");
        snprintf(want, sizeof want, "open;%s", rows[i].seen);
        CHECK_MATCH(e.seen, want);
        if (rows[i].poll)
            CHECK_MATCH(world_get(&w, query), rows[i].poll);
        world_post(&w, query, "1");
        close_echo();
    }
}

static void test_nul(void)
{
    T_CASE("3.1 a NUL in a message");
    {
        static const char post[] = "4a\0b";
        char query[128];
        int fd;

        open_echo(NULL);
        CHECK(echo_session(&w, query), "no session");
        fd = echo_begin_post(&w, query, "Content-Length: 4\r\n", "");
        world_write(&w, fd, post, 4);
        CHECK(world_read(&w, fd) > 0 && strstr(w.got, "\r\n\r\nok"), "got %s",
              w.got);
        world_hang_up(&w, fd);
        CHECK(world_get(&w, query) &&
                  memcmp(strstr(w.got, "\r\n\r\n") + 4, post, 4) == 0,
              "got %s", w.got);
        world_post(&w, query, "1");
        close_echo();
    }
}

/* ------------------------------------------------------- polls and posts -- */

static int held_poll(const char *query)
{
    return world_poll(&w, strstr(query, "sid=") + 4);
}

static void test_waiting_poll(void)
{
    char query[128];
    int fd;

    T_CASE("4.1 E104 a waiting poll gets all that one turn sends");
    open_echo(NULL);
    CHECK(echo_session(&w, query), "no session");
    fd = held_poll(query);
    CHECK(!world_poll_answer(&w, fd), "answered: %s", w.got);
    CHECK_MATCH(world_post(&w, query, "4a" RS "4b" RS "4c"), "ok");
    CHECK_MATCH(world_poll_answer(&w, fd), "4a" RS "4b" RS "4c");
    world_hang_up(&w, fd);
    CHECK_MATCH(e.seen, "open;a;b;c;");
    T_CASE("4.2 E146 the whole answer of a poll");
    echo_send(&w, &e, "hello");
    CHECK_MATCH(
        world_raw(&w, "GET /engine.io/?%s HTTP/1.1\r\nHost: x\r\n\r\n", query),
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=UTF-8"
        "\r\nContent-Length: 6\r\ncache-control: no-store\r\n"
        "Date: * GMT\r\nConnection: keep-alive\r\n"
        "Keep-Alive: timeout=5\r\n\r\n4hello");
    T_CASE("4.4 the whole answer of a POST");
    CHECK_MATCH(world_raw(&w,
                          "POST /engine.io/?%s HTTP/1.1\r\nHost: x\r\n"
                          "Content-Length: 6\r\n\r\n4hello",
                          query),
                "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
                "Content-Length: 2\r\ncache-control: no-store\r\n"
                "Date: * GMT\r\nConnection: keep-alive\r\n"
                "Keep-Alive: timeout=5\r\n\r\nok");
    CHECK_MATCH(world_get(&w, query), "4hello");
    world_post(&w, query, "1");
    close_echo();
}

static void test_overlapping_polls(void)
{
    char query[128];
    int fd;

    T_CASE("4.3 E197 overlapping polls: 1, 400, unknown");
    open_echo(NULL);
    CHECK(echo_session(&w, query), "no session");
    fd = held_poll(query);
    CHECK_MATCH(
        world_raw(&w, "GET /engine.io/?%s HTTP/1.1\r\nHost: x\r\n\r\n", query),
        "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n*\r\n\r\n");
    CHECK_MATCH(world_poll_answer(&w, fd), "1");
    CHECK_MATCH(world_get(&w, query), "{\"code\":1,*");
    CHECK_MATCH(e.seen, "open;close transport error;");
    world_hang_up(&w, fd);
    close_echo();
}

static void test_aborted_poll(void)
{
    char query[128];
    int fd;

    for (int half = 0; half < 2; half++) {
        T_CASE("4.7 E63 a waiting poll is aborted by %s",
               half ? "half-close" : "close");
        open_echo(NULL);
        CHECK(echo_session(&w, query), "no session");
        fd = held_poll(query);
        if (half) {
            shutdown(fd, SHUT_WR);
            world_turn(&w);
        } else {
            world_hang_up(&w, fd);
        }
        CHECK_MATCH(e.seen, "open;close transport error;");
        CHECK_MATCH(world_get(&w, query), "{\"code\":1,*");
        if (half)
            world_hang_up(&w, fd);
        close_echo();
    }
}

static void test_poll_with_more(void)
{
    char query[128];
    int fd;

    T_CASE("4.4 a POST behind a waiting poll on one connection is processed");
    open_echo(NULL);
    CHECK(echo_session(&w, query), "no session");
    CHECK_MATCH(world_raw(&w,
                          "GET /engine.io/?%s HTTP/1.1\r\nHost: x\r\n\r\n"
                          "POST /engine.io/?%s HTTP/1.1\r\nHost: x\r\n"
                          "Content-Length: 2\r\n\r\n4a",
                          query, query),
                "HTTP/1.1 200 OK\r\n*\r\n\r\n4aHTTP/1.1 200 OK\r\n*\r\n\r\nok");
    world_post(&w, query, "1");
    close_echo();

    T_CASE("a GET with a body waits all the same");
    open_echo(NULL);
    CHECK(echo_session(&w, query), "no session");
    fd = world_connect(&w);
    {
        char head[256];
        int n = snprintf(head, sizeof head,
                         "GET /engine.io/?%s HTTP/1.1\r\nHost: x\r\n"
                         "Content-Length: 3\r\n\r\nabc",
                         query);

        world_write(&w, fd, head, (size_t)n);
    }
    echo_send(&w, &e, "x");
    CHECK_MATCH(world_poll_answer(&w, fd), "4x");
    world_hang_up(&w, fd);
    world_post(&w, query, "1");
    close_echo();
}

static void test_overlapping_posts(void)
{
    char query[128];
    int fd, other, poll;

    T_CASE("4.4 overlapping POSTs: the first is dropped, the second gets 400");
    open_echo(NULL);
    CHECK(echo_session(&w, query), "no session");
    poll = held_poll(query);
    fd = echo_begin_post(&w, query, "Content-Length: 4\r\n", "4a");
    other = echo_begin_post(&w, query, "Content-Length: 2\r\n", "4b");
    CHECK(world_read(&w, fd) == -1, "answered: %s", w.got);
    CHECK(world_read(&w, other) > 0, "no answer");
    CHECK_MATCH(w.got, "HTTP/1.1 400 *Content-Length: 0\r\n*\r\n\r\n");
    CHECK_MATCH(world_poll_answer(&w, poll), "1");
    CHECK_MATCH(e.seen, "open;close transport error;");
    world_hang_up(&w, fd);
    world_hang_up(&w, other);
    world_hang_up(&w, poll);
    close_echo();
}

static void test_cut_posts(void)
{
    char query[128];
    int fd, poll;

    T_CASE("4.4 an aborted POST ends the session");
    open_echo(NULL);
    CHECK(echo_session(&w, query), "no session");
    poll = held_poll(query);
    fd = echo_begin_post(&w, query, "Content-Length: 4\r\n", "4a");
    world_hang_up(&w, fd);
    CHECK_MATCH(e.seen, "open;close transport error;");
    CHECK_MATCH(world_poll_answer(&w, poll), "1");
    world_hang_up(&w, poll);
    close_echo();

    T_CASE("4.4 a half-close behind a whole POST: it is answered");
    open_echo(NULL);
    CHECK(echo_session(&w, query), "no session");
    fd = world_connect(&w);
    {
        char head[256];
        int n = snprintf(head, sizeof head,
                         "POST /engine.io/?%s HTTP/1.1\r\nHost: x\r\n"
                         "Content-Length: 2\r\n\r\n4a",
                         query);

        CHECK(send(fd, head, (size_t)n, 0) == n, "not sent");
        shutdown(fd, SHUT_WR);
    }
    CHECK(world_read(&w, fd) > 0, "no answer");
    CHECK_MATCH(w.got, "HTTP/1.1 200 OK\r\n*ok");
    world_hang_up(&w, fd);
    CHECK_MATCH(world_get(&w, query), "4a");
    world_post(&w, query, "1");
    close_echo();
}

static void test_octet_stream(void)
{
    char query[128];
    int fd, poll;

    T_CASE("E71 CVE-2026-59725 octet-stream: 400 and closed, nothing is left");
    open_echo(NULL);
    CHECK(echo_session(&w, query), "no session");
    poll = held_poll(query);
    fd = echo_begin_post(&w, query,
                         "Content-Type: application/octet-stream\r\n"
                         "Content-Length: 3\r\n",
                         "abc");
    CHECK(world_read(&w, fd) > 0, "no answer");
    CHECK_MATCH(w.got, "HTTP/1.1 400 *Content-Length: 0\r\n*\r\n\r\n");
    CHECK_MATCH(world_poll_answer(&w, poll), "1");
    CHECK_MATCH(e.seen, "open;close transport error;");
    world_hang_up(&w, fd);
    world_hang_up(&w, poll);
    close_echo();
}

static void test_content_types(void)
{
    char query[128];
    int fd;

    {
        static const char *const types[] = {
            "application/octet-stream; charset=x", "APPLICATION/OCTET-STREAM",
            "application/json", "text/plain;charset=UTF-8"
        };

        for (size_t i = 0; i < COUNT(types); i++) {
            char fields[128];

            T_CASE("4.4 a POST of type %s is text", types[i]);
            open_echo(NULL);
            CHECK(echo_session(&w, query), "no session");
            snprintf(fields, sizeof fields,
                     "Content-Type: %s\r\nContent-Length: 2\r\n", types[i]);
            fd = echo_begin_post(&w, query, fields, "4a");
            CHECK(world_read(&w, fd) > 0, "no answer");
            CHECK_MATCH(w.got, "HTTP/1.1 200 OK\r\n*ok");
            world_hang_up(&w, fd);
            world_post(&w, query, "1");
            CHECK_MATCH(e.seen, "open;a;close transport close;");
            close_echo();
        }
    }
}

static void test_transfer(void)
{
    char query[128];
    int fd;

    T_CASE("4.4 E102 a chunked POST, a character cut in two");
    open_echo(NULL);
    CHECK(echo_session(&w, query), "no session");
    fd = echo_begin_post(&w, query, "Transfer-Encoding: chunked\r\n",
                         "2\r\n4a\r\n2\r\nb\xc3\r\n");
    world_write(&w, fd, "1\r\n\xa9\r\n0\r\n\r\n", 11);
    CHECK(world_read(&w, fd) > 0, "no answer");
    world_hang_up(&w, fd);
    CHECK_MATCH(world_get(&w, query), "4ab\xc3\xa9");
    world_post(&w, query, "1");
    close_echo();

    T_CASE("4.4 Expect: 100-continue");
    open_echo(NULL);
    CHECK(echo_session(&w, query), "no session");
    fd = echo_begin_post(&w, query,
                         "Expect: 100-continue\r\nContent-Length: 2\r\n", "");
    CHECK(world_read(&w, fd) > 0, "no answer");
    CHECK_MATCH(w.got, "HTTP/1.1 100 Continue\r\n\r\n");
    world_write(&w, fd, "4a", 2);
    CHECK(world_read(&w, fd) > 0, "no answer");
    CHECK_MATCH(w.got, "HTTP/1.1 200 OK\r\n*ok");
    world_hang_up(&w, fd);
    world_post(&w, query, "1");
    close_echo();

    T_CASE("4.4 Content-Length and Transfer-Encoding together: refused");
    open_echo(NULL);
    CHECK(echo_session(&w, query), "no session");
    fd = echo_begin_post(
        &w, query, "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", "4a");
    CHECK(world_read(&w, fd) > 0, "no answer");
    CHECK_MATCH(w.got, "HTTP/1.1 400 *Connection: close\r\n\r\n");
    world_hang_up(&w, fd);
    world_post(&w, query, "1");
    CHECK_MATCH(e.seen, "open;close transport close;");
    close_echo();
}

/* 4.5: bytes, not characters; at most so many. */
static void test_limits(void)
{
    static const struct {
        const char *body;
        bool chunked;
        int status;
    } rows[] = {
        { "4abcd", false, 200 },       { "4abcde", false, 413 },
        { "4ab\xc3\xa9", false, 200 }, { "4abc\xc3\xa9", false, 413 },
        { "4abcd", true, 200 },        { "4abcde", true, 413 },
    };
    char query[128];
    sio_options o;

    sio_options_init(&o);
    o.max_http_buffer_size = 5;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char fields[64], body[64], want[64];
        size_t n = strlen(rows[i].body);
        int fd, poll;

        T_CASE("4.5 E89 E91 CVE-2020-36048 POST of %zu bytes, limit 5%s", n,
               rows[i].chunked ? ", chunked" : "");
        open_echo(&o);
        CHECK(echo_session(&w, query), "no session");
        poll = held_poll(query);
        if (rows[i].chunked) {
            snprintf(fields, sizeof fields, "Transfer-Encoding: chunked\r\n");
            snprintf(body, sizeof body, "%zx\r\n%s\r\n0\r\n\r\n", n,
                     rows[i].body);
        } else {
            snprintf(fields, sizeof fields, "Content-Length: %zu\r\n", n);
            snprintf(body, sizeof body, "%s", rows[i].body);
        }
        fd = echo_begin_post(&w, query, fields, body);
        snprintf(want, sizeof want, "HTTP/1.1 %d *", rows[i].status);
        CHECK(world_read(&w, fd) > 0, "no answer");
        CHECK_MATCH(w.got, want);
        if (rows[i].status == 413) {
            CHECK_MATCH(w.got, "HTTP/1.1 413 Payload Too Large\r\n"
                               "*Content-Length: 0\r\n*keep-alive*\r\n\r\n");
            CHECK(!world_poll_answer(&w, poll), "poll answered: %s", w.got);
            CHECK_MATCH(e.seen, "open;");
            /* the connection is good for the next request */
            snprintf(body, sizeof body,
                     "GET /engine.io/?EIO=4 HTTP/1.1\r\n"
                     "Host: x\r\n\r\n");
            world_write(&w, fd, body, strlen(body));
            CHECK(world_read(&w, fd) > 0, "the connection is dead");
            CHECK_MATCH(w.got, "HTTP/1.1 400 *{\"code\":0,*");
            CHECK_MATCH(world_post(&w, query, "4ok"), "ok");
            CHECK_MATCH(world_poll_answer(&w, poll), "4ok");
        } else {
            CHECK_MATCH(world_poll_answer(&w, poll), rows[i].body);
        }
        world_hang_up(&w, fd);
        world_hang_up(&w, poll);
        world_post(&w, query, "1");
        CHECK_SERVES(&w);
        world_check_empty(&w);
        world_close(&w);
    }
}

/* E101: a million characters in many segments. */
static void test_large(void)
{
    enum { N = 1000000 };
    char *body = malloc(N + 1), query[128];
    const char *poll;

    T_CASE("E101 a POST of 1000000 bytes in many segments, and back");
    open_echo(NULL);
    CHECK(body && echo_session(&w, query), "no session");
    memset(body, 'x', N);
    body[0] = '4';
    body[N] = 0;
    CHECK_MATCH(world_post(&w, query, body), "ok");
    poll = world_get(&w, query);
    CHECK(poll && strlen(poll) == N && strcmp(poll, body) == 0,
          "%zu bytes came back", poll ? strlen(poll) : 0);
    world_post(&w, query, "1");
    free(body);
    close_echo();
}

/* CVE-2020-36048: what is held is what has arrived, not what was announced. */
static void test_half_bodies(void)
{
    enum { N = 1000, EACH = 8192 };
    static int fds[N];
    char query[128];
    size_t memory;

    T_CASE("CVE-2020-36048 %d POSTs that never end hold only what came", N);
    open_echo(NULL);
    memory = world_memory();
    for (int i = 0; i < N; i++) {
        CHECK(echo_session(&w, query), "no session");
        fds[i] =
            echo_begin_post(&w, query, "Content-Length: 999999\r\n", "4abc");
        CHECK(fds[i] >= 0, "not taken");
    }
    memory = world_memory() - memory;
    CHECK(memory < (size_t)N * EACH, "%zu bytes for each", memory / N);
    CHECK_SERVES(&w);
    for (int i = 0; i < N; i++)
        world_hang_up(&w, fds[i]);
    CHECK(e.closed == N + 1, "%zu have closed", e.closed);
    close_echo();
}

static void test_ordering(void)
{
    char query[128];

    T_CASE("E87 E113 E115 messages stay in order, alone and in payloads");
    open_echo(NULL);
    CHECK(echo_session(&w, query), "no session");
    for (int i = 0; i < 3; i++) {
        CHECK_MATCH(world_post(&w, query, "41"), "ok");
        CHECK_MATCH(world_post(&w, query, "42" RS "43"), "ok");
        CHECK_MATCH(world_get(&w, query), "41" RS "42" RS "43");
    }
    world_post(&w, query, "1");
    close_echo();

    T_CASE("a client that polls too slowly is closed, alone");
    {
        sio_options o;
        char text[5001];

        sio_options_init(&o);
        o.max_buffered_amount = 10000;
        open_echo(&o);
        CHECK(echo_session(&w, query), "no session");
        memset(text, 'x', 5000);
        text[5000] = 0;
        echo_send(&w, &e, text);
        CHECK(e.closed == 0, "closed too early");
        echo_send(&w, &e, text);
        CHECK_MATCH(e.seen, "open;close slow consumer;");
        CHECK_MATCH(world_get(&w, query), "{\"code\":1,*");
        close_echo();
    }
}

int main(void)
{
    test_bodies();
    test_nul();
    test_waiting_poll();
    test_overlapping_polls();
    test_aborted_poll();
    test_poll_with_more();
    test_overlapping_posts();
    test_cut_posts();
    test_octet_stream();
    test_content_types();
    test_transfer();
    test_limits();
    test_large();
    test_half_bodies();
    test_ordering();
    return t_done();
}
