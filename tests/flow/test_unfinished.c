/*
 * test_unfinished.c -- input that never becomes whole: bodies and messages of
 * which half is sent, by many clients. All of them together hold no more than
 * one limit, and whoever sends whole things is served all the while.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sio/sio.h>

#include "protocol/websocket/deflate.h"
#include "tests/flow/echo.h"

#include <stdlib.h>
#include <unistd.h>

#define CLIENTS 1000
#define HALF 6000         /* bytes that each sends of the 10000 it announces */
#define LIMIT 2000000     /* bytes, max_unfinished_bytes */
#define MOST_A_READ 16384 /* what one read may add before it is noticed */

static struct world w;
static struct echo e;
static char half[HALF + 1];
static int fds[CLIENTS];

static size_t unfinished(void)
{
    sio_stats s;

    sio_get_stats(w.server, &s);
    return s.unfinished_bytes;
}

static void begin(bool deflate)
{
    sio_options o;

    sio_options_init(&o);
    o.max_unfinished_bytes = LIMIT;
    o.per_message_deflate = deflate;
    memset(half, 'x', HALF);
    half[0] = '4';
    CHECK(echo_open(&w, &e, &o), "no server");
    CHECK(unfinished() == 0, "%zu bytes", unfinished());
}

static void end(void)
{
    for (int i = 0; i < CLIENTS; i++)
        world_hang_up(&w, fds[i]);
    world_advance(&w, 60000); /* sessions whose client never polls */
    world_check_empty(&w);
    world_close(&w);
}

/* Small and whole: not touched by the limit. */
static void check_served(void)
{
    char query[128];
    int fd = echo_websocket(&w);

    world_send_text(&w, fd, "4hello");
    CHECK_FRAMES(&w, fd, "T:4hello|");
    world_hang_up(&w, fd);
    CHECK(echo_session(&w, query), "no session");
    CHECK_MATCH(world_post(&w, query, "4hello"), "ok");
    CHECK_MATCH(world_get(&w, query), "4hello");
    world_post(&w, query, "1");
}

/* A POST of which HALF bytes come, in two pieces; `fields` delimits the body.
 */
static int half_post(const char *fields, const char *start)
{
    char query[128];
    int fd;

    CHECK(echo_session(&w, query), "no session");
    fd = echo_begin_post(&w, query, fields, start);
    world_write(&w, fd, half, HALF / 2);
    world_write(&w, fd, half, HALF / 2);
    return fd;
}

static void test_bodies(const char *name, const char *fields, const char *start)
{
    size_t memory, most = 0, refused = 0;
    long got;

    T_CASE("CVE-2020-36048 %d half-sent bodies, %s: no more than the limit",
           CLIENTS, name);
    begin(false);
    memory = world_memory();
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = half_post(fields, start);
        if (most < unfinished())
            most = unfinished();
    }
    memory = world_memory() - memory;
    CHECK(most > LIMIT / 2 && most <= LIMIT + MOST_A_READ, "%zu bytes", most);
    CHECK(memory < LIMIT + CLIENTS * 4096u, "%zu bytes of heap", memory);
    check_served();
    for (int i = 0; i < CLIENTS; i++) {
        got = world_read(&w, fds[i]);
        if (got <= 0)
            continue;
        CHECK_MATCH(w.got, "HTTP/1.1 503 Service Unavailable\r\n"
                           "Connection: close\r\n\r\n");
        refused++;
    }
    CHECK(refused > CLIENTS / 2 && refused < CLIENTS, "%zu refused", refused);
    CHECK(strstr(w.log, "refused with 503: too much input is unfinished"),
          "log: %s", w.log);

    T_CASE("CVE-2020-36048 when others have gone there is room again, %s",
           name);
    for (int i = 1; i < CLIENTS; i++) {
        world_hang_up(&w, fds[i]);
        fds[i] = world_connect(&w);
    }
    CHECK(world_read(&w, fds[0]) == 0, "answered: %s", w.got);
    if (*start)
        world_write(&w, fds[0], "\r\n0\r\n\r\n", 7);
    else
        world_write(&w, fds[0], half, 10000 - HALF);
    CHECK(world_read(&w, fds[0]) > 0, "no answer");
    CHECK_MATCH(w.got, "HTTP/1.1 200 *ok");
    CHECK(unfinished() == 0, "%zu bytes", unfinished());
    end();
}

static void test_messages(void)
{
    size_t memory, most = 0, refused = 0;

    T_CASE("CVE-2020-36048 %d half-sent messages: no more than the limit",
           CLIENTS);
    begin(false);
    memory = world_memory();
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = echo_websocket(&w);
        world_frame(&w, fds[i], 0x01, half, HALF / 2);
        world_frame(&w, fds[i], 0x00, half, HALF / 2);
        if (most < unfinished())
            most = unfinished();
    }
    memory = world_memory() - memory;
    CHECK(most > LIMIT / 2 && most <= LIMIT + MOST_A_READ, "%zu bytes", most);
    CHECK(memory < LIMIT + CLIENTS * 4096u, "%zu bytes of heap", memory);
    check_served();
    for (int i = 0; i < CLIENTS; i++) {
        const char *frames = world_frames(&w, fds[i]);

        if (!*frames)
            continue;
        CHECK_MATCH(frames, "C:1013|EOF");
        refused++;
    }
    CHECK(refused > CLIENTS / 2 && refused < CLIENTS, "%zu refused", refused);
    world_frame(&w, fds[0], 0x80, "end", 3);
    CHECK_FRAMES(&w, fds[0], "T:4xxx*xxend|");
    end();
}

/* What an end leaves behind is nothing, whichever end it is. */
static void test_ends(void)
{
    static const char *const ends[] = { "hung up", "a violation", "a close",
                                        "closed by the server", "whole" };

    for (size_t i = 0; i < COUNT(ends); i++) {
        int fd;

        T_CASE("unfinished: half a message, then %s", ends[i]);
        begin(false);
        fd = echo_websocket(&w);
        world_frame(&w, fd, 0x01, half, HALF);
        CHECK(unfinished() >= HALF, "%zu bytes", unfinished());
        if (i == 1)
            world_frame(&w, fd, 0xb1, "", 0);
        else if (i == 2)
            world_frame(&w, fd, 0x88, "", 0);
        else if (i == 3)
            sio_session_close(e.session);
        else if (i == 4)
            world_frame(&w, fd, 0x80, "", 0);
        world_read(&w, fd);
        if (i == 3)
            world_frame(&w, fd, 0x88, "", 0);
        if (i == 4)
            CHECK(unfinished() == 0, "%zu bytes", unfinished());
        world_hang_up(&w, fd);
        world_check_empty(&w);
        world_close(&w);
    }

    T_CASE("unfinished: half a body, then the server is gone");
    begin(false);
    fds[0] = half_post("Content-Length: 10000\r\n", "");
    CHECK(unfinished() >= HALF, "%zu bytes", unfinished());
    world_close(&w);
    close(fds[0]);
}

/* What counts is what is held, not what came over the wire. */
static void test_bombs(void)
{
    struct ws_deflater d;
    struct grow packed;
    char *zeros = calloc(1, 900000);
    int fd[3];

    T_CASE("CVE-2016-10544 half-sent bombs count as what they inflate to");
    begin(true);
    grow_init(&packed, SIZE_MAX);
    ws_deflater_init(&d, 15, false, WS_DEFLATE_DEFAULT_LEVEL);
    CHECK(ws_deflate(&d, zeros, 900000, &packed) == SIO_OK, "deflate");
    CHECK(packed.len < 1000, "%zu bytes", packed.len);
    for (int i = 0; i < 3; i++) {
        static const char head[] =
            "GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: t\r\n"
            "Connection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";

        fd[i] = world_connect(&w);
        world_write(&w, fd[i], head, sizeof head - 1);
        world_read(&w, fd[i]);
        world_frame(&w, fd[i], 0x42, packed.data, packed.len);
    }
    for (int i = 0; i < 3; i++) {
        long got = world_read(&w, fd[i]);

        CHECK(i < 2 ? got == 0
                    : got == 4 && memcmp(w.got, "\x88\x02\x03\xf5", 4) == 0,
              "%d: %ld bytes", i, got);
        world_hang_up(&w, fd[i]);
    }
    world_check_empty(&w);
    world_close(&w);
    ws_deflater_free(&d);
    grow_free(&packed);
    free(zeros);
}

/* Ten attachments are announced, nine come. */
static void send_nine(int fd, const char *data, size_t n)
{
    world_send_text(&w, fd, "4510-[\"x\",{\"_placeholder\":true,\"num\":0}]");
    for (int i = 0; i < 9; i++)
        world_send_binary(&w, fd, data, n);
}

static void test_attachments(void)
{
    size_t memory, most = 0, left = 0;
    sio_options o;

    T_CASE("CVE-2026-48804 netty-socketio 2.0.8 %d packets that lack an "
           "attachment: no more than the limit",
           CLIENTS);
    sio_options_init(&o);
    o.max_unfinished_bytes = LIMIT;
    CHECK(world_open(&w, &o), "no server");
    memory = world_memory();
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = world_client(&w);
        send_nine(fds[i], half, 500);
        if (most < unfinished())
            most = unfinished();
    }
    memory = world_memory() - memory;
    CHECK(most > LIMIT / 2 && most <= LIMIT + MOST_A_READ, "%zu bytes", most);
    CHECK(memory < LIMIT + CLIENTS * 5000u, "%zu bytes of heap", memory);
    for (int i = 0; i < CLIENTS; i++)
        left += !*world_frames(&w, fds[i]);
    CHECK(left > CLIENTS / 4 && left < CLIENTS / 2, "%zu are left", left);
    CHECK(strstr(w.log, "too much input is unfinished"), "log: %s", w.log);
    end();
}

static void pongs(int fd, uint64_t ms)
{
    for (; ms; ms -= 1000) {
        world_advance(&w, 1000);
        world_send_text(&w, fd, "3");
    }
    world_frames(&w, fd);
}

static void test_attachment_time(void)
{
    int fd;

    T_CASE("CVE-2026-48804 an attachment that does not come for 60 s");
    CHECK(world_open(&w, NULL), "no server");
    fd = world_client(&w);
    send_nine(fd, "abc", 3);
    pongs(fd, 59000);
    CHECK(unfinished() > 27, "%zu bytes", unfinished());
    world_advance(&w, 1000);
    CHECK_FRAMES(&w, fd, "C|");
    CHECK(strstr(w.log, "an attachment took too long"), "log: %s", w.log);
    world_hang_up(&w, fd);
    world_check_empty(&w);
    world_close(&w);

    T_CASE("each attachment has its own 60 s, a whole packet none");
    CHECK(world_open(&w, NULL), "no server");
    fd = world_client(&w);
    send_nine(fd, "", 0);
    world_send_binary(&w, fd, "", 0);
    CHECK(unfinished() == 0, "%zu bytes", unfinished());
    world_send_text(&w, fd, "453-[\"x\",{\"_placeholder\":true,\"num\":0}]");
    pongs(fd, 59000);
    world_send_binary(&w, fd, "a", 1);
    pongs(fd, 59000);
    world_send_binary(&w, fd, "b", 1);
    pongs(fd, 59000);
    world_send_binary(&w, fd, "c", 1);
    CHECK(unfinished() == 0, "%zu bytes", unfinished());
    pongs(fd, 120000);
    CHECK(w.server->hub.shards->events_in == 2, "%d events",
          (int)w.server->hub.shards->events_in);
    CHECK_FRAMES(&w, fd, "");
    world_hang_up(&w, fd);
    world_check_empty(&w);
    world_close(&w);
}

static void test_defaults(void)
{
    static const struct {
        size_t buffer, given, want;
    } rows[] = {
        { 1000000, 0, 256u << 20 },    { 64u << 20, 0, 256u << 20 },
        { 100u << 20, 0, 400u << 20 }, { SIZE_MAX / 2, 0, SIZE_MAX },
        { 1000000, 5000, 5000 },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        sio_options o;

        T_CASE("max_unfinished_bytes: %zu with a buffer of %zu", rows[i].given,
               rows[i].buffer);
        sio_options_init(&o);
        o.max_http_buffer_size = rows[i].buffer;
        o.max_unfinished_bytes = rows[i].given;
        CHECK(world_open(&w, &o), "no server");
        CHECK(w.server->main.http.config.max_unfinished == rows[i].want, "%zu",
              w.server->main.http.config.max_unfinished);
        world_close(&w);
    }
}

int main(void)
{
    test_bodies("sized", "Content-Length: 10000\r\n", "");
    test_bodies("chunked", "Transfer-Encoding: chunked\r\n", "1770\r\n");
    test_messages();
    test_ends();
    test_bombs();
    test_attachments();
    test_attachment_time();
    test_defaults();
    return t_done();
}
