/*
 * test_hostile.c -- known holes of other servers, tried on the whole of this
 * one: requests that two parties read differently, clients that fail half-way,
 * say nothing, or cost more than they send. Names are the ids under which each
 * hole is known.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sio/sio.h>

#include "tests/flow/echo.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define UPGRADE                                     \
    "Upgrade: websocket\r\nConnection: Upgrade\r\n" \
    "Sec-WebSocket-Version: 13\r\n"
#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

static struct world w;
static struct echo e;

static void open_echo(void)
{
    CHECK(echo_open(&w, &e, NULL), "no server");
}

static void close_echo(void)
{
    CHECK_SERVES(&w);
    world_check_empty(&w);
    world_close(&w);
}

/* ---------------------------------------------------- request smuggling -- */

#define TARGET "/engine.io/?EIO=4&transport=nope"
#define GET(fields) "GET " TARGET " HTTP/1.1\r\nHost: a\r\n" fields "\r\n"
#define POST(fields, body) \
    "POST " TARGET " HTTP/1.1\r\nHost: a\r\n" fields "\r\n" body
#define HIDDEN "GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n"
#define REFUSED "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"

/* What comes back without the lines that change with the time. */
static const char *answers(const void *bytes, size_t n, size_t cut)
{
    static char kept[4096];
    int fd = world_connect(&w);
    size_t have = 0;

    world_write(&w, fd, bytes, cut);
    world_write(&w, fd, (const char *)bytes + cut, n - cut);
    if (world_read(&w, fd) < 0)
        w.got[0] = 0;
    for (const char *line = w.got; *line; line += strcspn(line, "\n")) {
        size_t len;

        line += *line == '\n';
        len = strcspn(line, "\n");
        if (strncmp(line, "Date:", 5) != 0 && have + len + 2 < sizeof kept) {
            memcpy(kept + have, line, len);
            have += len;
            kept[have++] = '\n';
        }
    }
    kept[have] = 0;
    world_hang_up(&w, fd);
    return kept;
}

static void test_smuggling(void)
{
    static const struct {
        const char *name, *bytes, *want;
    } rows[] = {
        { "H1 CVE-2021-22959 a blank before the colon",
          POST("Content-Length : 38\r\n", HIDDEN), REFUSED "*" },
        { "H1 CVE-2021-22959 a blank before the colon of the encoding",
          POST("Transfer-Encoding : chunked\r\n", "0\r\n\r\n" HIDDEN),
          REFUSED "*" },
        { "H2 CVE-2021-22960 a chunk extension",
          POST("Transfer-Encoding: chunked\r\n",
               "1;a=b\r\nx\r\n0\r\n\r\n" HIDDEN),
          "HTTP/1.1 400 *{\"code\":0,*" },
        { "H3 CVE-2022-32214 a field that ends in LF alone",
          "GET " TARGET " HTTP/1.1\r\nHost: a\r\nA: b\nContent-Length: 38\r\n"
          "\r\n" HIDDEN,
          REFUSED "*" },
        { "H3 CVE-2022-32214 a CR inside a value",
          GET("A: b\rContent-Length: 38\r\n") HIDDEN, REFUSED "*" },
        { "H4 CVE-2022-32213 an encoding that only ends in chunked",
          POST("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n" HIDDEN),
          REFUSED "*" },
        { "H4 CVE-2022-32213 chunked, then another encoding",
          POST("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n" HIDDEN),
          REFUSED "*" },
        { "H5 CVE-2022-32215 an encoding on two lines",
          POST("Transfer-Encoding: chunked\r\n , identity\r\n",
               "0\r\n\r\n" HIDDEN),
          REFUSED "*" },
        { "H5 CVE-2022-32215 two fields of the encoding",
          POST("Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n",
               "0\r\n\r\n" HIDDEN),
          REFUSED "*" },
        { "H6 CVE-2022-35256 a field without a colon",
          GET("Content-Length 38\r\n") HIDDEN, REFUSED "*" },
        { "H7 CVE-2023-30589 an empty name, a CR for a line end",
          GET(": b\r\n") HIDDEN, REFUSED "*" },
        { "H7 CVE-2023-30589 a line end of CR alone",
          "GET " TARGET " HTTP/1.1\r\nHost: a\r\nX: y\r\rGET /hidden "
          "HTTP/1.1\r\nHost: a\r\n\r\n",
          REFUSED "*" },
        { "H8 both a length and chunks",
          POST("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
               "0\r\n\r\n" HIDDEN),
          REFUSED "*" },
        { "H8 two lengths that differ",
          POST("Content-Length: 0\r\nContent-Length: 38\r\n", HIDDEN),
          REFUSED "*" },
        { "two requests that are fine", GET("") HIDDEN,
          "HTTP/1.1 400 *{\"code\":0,*HTTP/1.1 404 *" },
        { "a body, a trailer, and a request",
          POST("Transfer-Encoding: chunked\r\n",
               "3\r\nabc\r\n0\r\nA: b\r\n\r\n" HIDDEN),
          "HTTP/1.1 400 *{\"code\":*}*HTTP/1.1 404 *" },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        size_t n = strlen(rows[i].bytes);
        char whole[4096];

        T_CASE("%s", rows[i].name);
        open_echo();
        snprintf(whole, sizeof whole, "%s", answers(rows[i].bytes, n, 0));
        CHECK_MATCH(whole, rows[i].want);
        if (rows[i].name[0] == 'H')
            CHECK(!strstr(whole, "404"), "the hidden one is answered: %s",
                  whole);

        T_CASE("OSV-2020-2217 OSV-2021-453 cut at every byte: %s",
               rows[i].name);
        for (size_t cut = 1; cut < n; cut++) {
            const char *cut_answers = answers(rows[i].bytes, n, cut);

            CHECK(strcmp(cut_answers, whole) == 0, "cut at %zu: %s", cut,
                  cut_answers);
        }
        close_echo();
    }
}

/* -------------------------------------------------- failures half-way -- */

/* Handshakes that fail in every way; what a server has set up for each must be
 * gone again. */
static void test_failed_handshakes(void)
{
    static const char *const heads[] = {
        "GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: a\r\n"
        "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" KEY "\r\n",
        "GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: "
        "a\r\n" UPGRADE "Sec-WebSocket-Key: short\r\n\r\n",
        "GET /engine.io/?EIO=3&transport=websocket HTTP/1.1\r\nHost: "
        "a\r\n" UPGRADE KEY "\r\n",
        "GET /engine.io/?EIO=4&transport=websocket&sid=AAAA HTTP/1.1\r\n"
        "Host: a\r\n" UPGRADE KEY "\r\n",
        "GET /engine.io/?EIO=3&transport=polling HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /engine.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\n"
        "Content-Length: 1\r\n\r\nx",
    };
    size_t memory = 0;

    T_CASE("netty-socketio#925 f86b95fd failed handshakes leave nothing");
    open_echo();
    for (int round = 0; round < 200; round++) {
        if (round == 20) {
            w.log[0] = 0;
            memory = world_memory();
        }
        for (size_t i = 0; i < COUNT(heads); i++)
            CHECK_MATCH(world_raw(&w, "%s", heads[i]), "HTTP/1.1 400 *");
    }
    CHECK(e.opened == 0, "%zu were opened", e.opened);
    world_check_empty(&w);
    CHECK(world_memory() <= memory, "%zu bytes more", world_memory() - memory);
    close_echo();
}

static void test_silence(void)
{
    enum { EACH = 50 };
    static const struct {
        const char *name, *sent;
        uint64_t ms; /* when it is over, FIN and linger included */
        const char *answer;
    } rows[] = {
        { "nothing at all", "", 65000, "HTTP/1.1 408 *" },
        { "an empty line", "\r\n", 10000, NULL },
        { "half a head", "GET / HTTP/1.1\r\nHost", 65000, "HTTP/1.1 408 *" },
        { "half a body", POST("Content-Length: 9\r\n", "x"), 305000, "*" },
        { "a request, then nothing", HIDDEN, 10000, "HTTP/1.1 404 *" },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        int fds[EACH];

        T_CASE("netty-socketio#311 clients that send %s, then nothing, go",
               rows[i].name);
        open_echo();
        for (int k = 0; k < EACH; k++) {
            fds[k] = world_connect(&w);
            world_write(&w, fds[k], rows[i].sent, strlen(rows[i].sent));
        }
        world_advance(&w, rows[i].ms);
        CHECK(w.server->main.loop.conn_count == 0, "%zu are left",
              w.server->main.loop.conn_count);
        for (int k = 0; k < EACH; k++) {
            if (rows[i].answer) {
                CHECK(world_read(&w, fds[k]) > 0, "no answer");
                CHECK_MATCH(w.got, rows[i].answer);
            } else {
                CHECK(world_read(&w, fds[k]) < 0, "got %s", w.got);
            }
            close(fds[k]);
        }
        close_echo();
    }
}

/* ------------------------------------------------------ memory and time -- */

/* Bytes of an earlier, longer frame must not come out behind a shorter one. */
static void test_close_reasons(void)
{
    static char secret[126];
    char body[126];

    T_CASE("CVE-2026-45736 a close frame holds its code and reason alone");
    memset(secret, 's', 125);
    memcpy(body, "\x0f\xa0", 2);
    for (size_t n = 0; n <= 123; n++) {
        int fd;

        open_echo();
        fd = echo_websocket(&w);
        world_frame(&w, fd, 0x89, secret, 125);
        world_frames(&w, fd);
        memset(body + 2, 'r', n);
        world_frame(&w, fd, 0x88, body, 2 + n);
        CHECK(world_read(&w, fd) == (long)(4 + n), "reason of %zu", n);
        CHECK((uint8_t)w.got[0] == 0x88 && w.got[1] == (char)(2 + n) &&
                  memcmp(w.got + 2, body, 2 + n) == 0,
              "reason of %zu: other bytes", n);
        world_hang_up(&w, fd);
        world_check_empty(&w);
        world_close(&w);
    }
}

static double cpu_seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* gzip members of nothing, one behind the other: whoever inflates them anew for
 * each takes quadratic time. Bodies are not inflated here. */
static void test_gzip_members(void)
{
    static const char member[] =
        "\x1f\x8b\x08\0\0\0\0\0\0\x03\x03\0\0\0\0\0\0\0"
        "\0\0";
    enum { MEMBERS = 40000, EACH = sizeof member - 1 };
    char *body = malloc((size_t)MEMBERS * EACH), query[128];
    double before;
    int fd;

    T_CASE("CVE-2026-128131 a body of gzip members is not inflated");
    for (size_t i = 0; i < MEMBERS; i++)
        memcpy(body + i * EACH, member, EACH);
    open_echo();
    CHECK(echo_session(&w, query), "no session");
    before = cpu_seconds();
    fd = echo_begin_post(&w, query,
                         "Content-Encoding: gzip\r\n"
                         "Content-Length: 800000\r\n",
                         "");
    world_write(&w, fd, body, (size_t)MEMBERS * EACH);
    CHECK(world_read(&w, fd) > 0, "no answer");
    CHECK_MATCH(w.got, "HTTP/1.1 200 *");
    CHECK(cpu_seconds() - before < 1, "%.3f s", cpu_seconds() - before);
    CHECK_MATCH(e.seen, "open;close parse error;");
    world_hang_up(&w, fd);
    free(body);
    close_echo();
}

/* The size of a message is looked at while it is inflated, not before or after:
 * one that lies about nothing but is a thousand times its size. */
static void test_floods(void)
{
    static const struct {
        const char *name;
        unsigned first;
        const char *payload;
    } rows[] = {
        { "pongs", 0x8a, "" },
        { "pings", 0x89, "" },
        { "pings of 125 bytes", 0x89,
          "ppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppp"
          "pppppppppppppppppppppppppppppppppppppppppppppppppppppppppp" },
        { "fragments of nothing", 0x00, "" },
        { "fragments of a byte", 0x00, "x" },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        size_t memory, n = strlen(rows[i].payload), most = 0;
        int fd;

        T_CASE("ws#2331 ws 8.23.0 a flood of %s: memory stays", rows[i].name);
        open_echo();
        fd = echo_websocket(&w);
        if (rows[i].first == 0)
            world_frame(&w, fd, 0x02, "", 0);
        world_turn(&w);
        memory = world_memory();
        for (int k = 0; k < 16000; k++) {
            world_frame(&w, fd, rows[i].first, rows[i].payload, n);
            if (world_memory() > memory + most)
                most = world_memory() - memory;
        }
        /* pongs up to their limit, fragments their bytes, twice while growing
         */
        CHECK(most <= 3 * 16384 + 4096, "%zu bytes", most);
        world_hang_up(&w, fd);
        close_echo();
    }
}

int main(void)
{
    test_smuggling();
    test_failed_handshakes();
    test_silence();
    test_close_reasons();
    test_gzip_members();
    test_floods();
    return t_done();
}
