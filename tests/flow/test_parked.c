/*
 * test_parked.c -- polls that wait long: their requests are packed away, and
 * the answers are those that they would have got at once.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sio/sio.h>

#include "src/http/exchange.h"
#include "tests/flow/echo.h"
#include "tests/unit/oom.h"

static struct world w;
static struct echo e;

/* A session, and its poll; `behind` is sent on the same connection. */
static int begin(char query[128], const char *behind)
{
    static const char *const patterns[] = { "^https://a\\.b$" };
    char head[1024];
    sio_options o;
    int fd, n;

    sio_options_init(&o);
    o.cors_origin_patterns = patterns;
    o.cors_origin_pattern_count = 1;
    o.http_compression = true;
    o.http_compression_threshold = 1;
    CHECK(echo_open(&w, &e, &o), "no server");
    CHECK(echo_session(&w, query), "no session");
    fd = world_connect(&w);
    n = snprintf(head, sizeof head,
                 "GET %s?%s HTTP/1.1\r\nHost: x\r\nOrigin: https://a.b\r\n"
                 "User-Agent: x;MSIE\r\nAccept-Encoding: gzip\r\n\r\n%s",
                 w.path, query, behind);
    world_write(&w, fd, head, (size_t)n);
    return fd;
}

static void end(int fd)
{
    echo_close(&w, &e);
    world_hang_up(&w, fd);
    world_advance(&w, 60000);
    world_check_empty(&w);
    world_close(&w);
}

/* Everything in the answer that depends on the request. */
static long check_answer(int fd)
{
    long n = world_read(&w, fd);

    CHECK(n > 0, "no answer");
    CHECK_MATCH(w.got, "HTTP/1.1 200 OK\r\n*");
    CHECK_MATCH(w.got, "*Access-Control-Allow-Origin: https://a.b\r\n*");
    CHECK_MATCH(w.got, "*X-XSS-Protection: 0\r\n*");
    CHECK_MATCH(w.got, "*Content-Encoding: gzip\r\n*");
    CHECK_MATCH(w.got, "*Connection: keep-alive\r\n*");
    return n;
}

static void test_answers(void)
{
    static const struct {
        const char *name;
        unsigned waits_ms;
    } rows[] = {
        { "at once", 0 },
        { "before it is parked", HTTP_PARK_MS - 1 },
        { "parked", HTTP_PARK_MS + 1 },
        { "parked for long", 10 * HTTP_PARK_MS },
    };
    char query[128];

    for (size_t i = 0; i < COUNT(rows); i++) {
        int fd;

        T_CASE("parked: the answer to a poll: %s", rows[i].name);
        fd = begin(query, "");
        if (rows[i].waits_ms)
            world_advance(&w, rows[i].waits_ms);
        echo_send(&w, &e, "hello, hello, hello, hello, hello, hello, hello");
        check_answer(fd);
        end(fd);
    }
}

/* The second one, on the same connection, waits for the first one's answer. */
static void test_pipelined(void)
{
    char query[128];
    long n;
    int fd;

    T_CASE("parked: a request behind it on its connection");
    fd = begin(query, "GET /none HTTP/1.1\r\nHost: x\r\n\r\n");
    world_advance(&w, 3 * HTTP_PARK_MS);
    CHECK(world_read(&w, fd) == 0, "an answer: %s", w.got);
    echo_send(&w, &e, "hello, hello, hello, hello, hello, hello, hello");
    n = check_answer(fd);
    CHECK(n > 0 && memmem(w.got, (size_t)n, " 404 ", 5), "no second answer");
    end(fd);
}

static void test_no_memory_to_pack(void)
{
    char query[128];
    int fd;

    T_CASE("parked: no memory to pack it");
    fd = begin(query, "");
    oom_arm(0);
    world_advance(&w, 2 * HTTP_PARK_MS);
    CHECK(oom_disarm(), "nothing is packed");
    echo_send(&w, &e, "hello, hello, hello, hello, hello, hello, hello");
    check_answer(fd);
    end(fd);
}

static void test_no_memory_to_wake(void)
{
    size_t before;
    char query[128];
    int fd;

    T_CASE("parked: no memory to bring it back");
    fd = begin(query, "");
    before = world_memory();
    world_advance(&w, 2 * HTTP_PARK_MS);
    CHECK(!before || world_memory() < before, "nothing is saved");
    oom_arm(1); /* the first is for the message */
    echo_send(&w, &e, "hello, hello, hello, hello, hello, hello, hello");
    CHECK(oom_disarm(), "nothing is brought back");
    CHECK(world_read(&w, fd) == -1, "answered: %s", w.got);
    end(fd);
}

int main(void)
{
    test_answers();
    test_pipelined();
    test_no_memory_to_pack();
    test_no_memory_to_wake();
    return t_done();
}
