/*
 * test_http_response.c -- the exact bytes of answers.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/unit/http_fixture.h"

#include <time.h>

static const struct http_response *answer;

static void give_answer(struct http_exchange *ex)
{
    http_respond(ex, answer);
}

static void check_bytes(const char *request, const struct http_response *r,
                        const char *want)
{
    const char *got;

    fx_begin();
    fx_special = give_answer;
    answer = r;
    fx_say(request);
    got = fx_receive();
    CHECK(strcmp(got, want) == 0, "got '%s', want '%s'", got, want);
    fx_end();
}

#define REQUEST(method, more) \
    method " /special HTTP/1.1\r\nHost: a\r\n" more "\r\n"
#define ALIVE \
    "Date: *\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\n\r\n"
#define CLOSE "Date: *\r\nConnection: close\r\n\r\n"

static void test_bytes(void)
{
    static const struct http_field fields[] = {
        { { "cache-control", 13 }, { "no-store", 8 } },
        { { "X", 1 }, { "", 0 } },
    };
    struct http_response r = { .status = 200,
                               .content_type = STR("text/plain"),
                               .fields = fields,
                               .field_count = 2,
                               .body = STR("ok") };

    T_CASE("response: in Node's order");
    check_bytes(REQUEST("GET", ""), &r,
                "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                "Content-Length: 2\r\ncache-control: no-store\r\nX: \r\n" ALIVE
                "ok");
    T_CASE("response: the client closes");
    check_bytes(REQUEST("GET", "Connection: close\r\n"), &r,
                "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                "Content-Length: 2\r\ncache-control: no-store\r\nX: \r\n" CLOSE
                "ok#");
    T_CASE("response: to HEAD, the length without the body");
    check_bytes(
        REQUEST("HEAD", ""), &r,
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
        "Content-Length: 2\r\ncache-control: no-store\r\nX: \r\n" ALIVE);
    T_CASE("response: the handler closes");
    r = (struct http_response){ .status = 413, .close = true };
    check_bytes(REQUEST("GET", ""), &r,
                "HTTP/1.1 413 Payload Too Large\r\nContent-Length: 0\r\n" CLOSE
                "#");
    T_CASE("response: 204 and 304 have neither body nor length");
    r = (struct http_response){ .status = 204, .body = STR("no") };
    check_bytes(REQUEST("GET", ""), &r, "HTTP/1.1 204 No Content\r\n" ALIVE);
    r.status = 304;
    check_bytes(REQUEST("GET", ""), &r, "HTTP/1.1 304 Not Modified\r\n" ALIVE);
    T_CASE("response: a status without a phrase");
    r.status = 299;
    check_bytes(REQUEST("GET", ""), &r,
                "HTTP/1.1 299 Unknown\r\nContent-Length: 2\r\n" ALIVE "no");
}

/* Around the size up to which a body is put behind its head, as bytes and as a
 * shared buffer, first and behind a request that waits. */
static void test_bodies(void)
{
    static const size_t sizes[] = { 0, 1, 1023, 1024, 1025, 5000 };
    static char body[5000], want[6000];

    memset(body, 'b', sizeof body);
    for (size_t i = 0; i < COUNT(sizes) * 4; i++) {
        bool shared = i & 1, waits = i & 2;
        size_t n = sizes[i / 4];
        struct buf *b = buf_new(body, n);
        struct http_response r = { .status = 200 };
        const char *got;

        T_CASE("response: %zu bytes%s%s", n, shared ? ", shared" : "",
               waits ? ", behind another" : "");
        if (shared)
            r.shared = b;
        else
            r.body = (sio_str){ body, n };
        fx_begin();
        fx_special = give_answer;
        answer = &r;
        if (waits)
            fx_say(REQUEST("GET", "") "GET /wait0 HTTP/1.1\r\nHost: a\r\n\r\n");
        fx_receive();
        fx_say(REQUEST("GET", ""));
        if (waits) {
            CHECK(fx_receive()[0] == 0, "out of turn");
            fx_answer(fx_waiting[0], "");
        }
        snprintf(want, sizeof want,
                 "%sHTTP/1.1 200 OK\r\nContent-Length: %zu\r\n" ALIVE "%.*s",
                 waits ? "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" ALIVE : "",
                 n, (int)n, body);
        got = fx_receive();
        CHECK(strcmp(got, want) == 0, "got '%s'", got);
        fx_end();
        CHECK(b->refs == 1, "a reference is left");
        buf_unref(b);
    }
}

static void refuse_text(struct http_exchange *ex)
{
    http_respond_text(ex, 400, "Transport unknown", true);
}

static void say_text(struct http_exchange *ex)
{
    http_respond_text(ex, 503, "wait", false);
}

static void test_text(void)
{
    const char *got;

    T_CASE("response: the refusal of an upgrade, as Node's engine writes it");
    fx_begin();
    fx_special = refuse_text;
    fx_say(REQUEST("GET", ""));
    got = fx_receive();
    CHECK(strcmp(got, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n"
                      "Content-type: text/html\r\nContent-Length: 17\r\n\r\n"
                      "Transport unknown#") == 0,
          "got '%s'", got);
    fx_end();

    T_CASE("response: text that keeps the connection");
    fx_begin();
    fx_special = say_text;
    fx_say(REQUEST("GET", ""));
    got = fx_receive();
    CHECK(strcmp(got, "HTTP/1.1 503 Service Unavailable\r\nContent-Type: "
                      "text/html\r\nContent-Length: 4\r\n" ALIVE "wait") == 0,
          "got '%s'", got);
    fx_end();
}

static void test_date(void)
{
    static const struct {
        time_t t;
        const char *want;
    } rows[] = {
        { 0, "Thu, 01 Jan 1970 00:00:00 GMT" },
        { 784111777, "Sun, 06 Nov 1994 08:49:37 GMT" },
        { 951782400, "Tue, 29 Feb 2000 00:00:00 GMT" },
        { 1798761599, "Thu, 31 Dec 2026 23:59:59 GMT" },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        char out[HTTP_TIME_TEXT];
        size_t n;

        T_CASE("date: %s", rows[i].want);
        n = http_time_text(rows[i].t, out);
        CHECK(n == 29 && memcmp(out, rows[i].want, 29) == 0, "got %.*s", (int)n,
              out);
    }
}

static void test_now(void)
{
    char raw[300] = "", date[HTTP_TIME_TEXT];
    time_t before = time(NULL);
    bool found = false;
    struct http_response r = { .status = 204 };

    T_CASE("date: of an answer is the present time");
    fx_begin();
    fx_special = give_answer;
    answer = &r;
    fx_say(REQUEST("GET", ""));
    net_loop_poll(&fx_loop);
    recv(fx_peer, raw, sizeof raw - 1, MSG_DONTWAIT);
    for (time_t t = before - 1; t <= time(NULL); t++) {
        http_time_text(t, date);
        if (memmem(raw, strlen(raw), date, sizeof date))
            found = true;
    }
    CHECK(found, "%s", raw);
    fx_end();
}

int main(void)
{
    test_bytes();
    test_bodies();
    test_text();
    test_date();
    test_now();
    return t_done();
}
