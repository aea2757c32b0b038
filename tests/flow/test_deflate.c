/*
 * test_deflate.c -- permessage-deflate (RFC 7692) through the whole server:
 * negotiation, compressed messages both ways, bombs.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sio/sio.h>

#include "protocol/websocket/deflate.h"
#include "tests/flow/world.h"

#include <stdlib.h>

static void on_echo(sio_socket *socket, sio_event *event, void *user)
{
    (void)user;
    sio_emit(socket, "echo", sio_arg(event, 0));
}

static void on_all(sio_socket *socket, sio_event *event, void *user)
{
    (void)user;
    sio_emit(sio_namespace_of(socket), "all", sio_arg(event, 0));
}

static void open_server(struct world *w, bool on)
{
    sio_namespace *nsp;
    sio_options o;

    sio_options_init(&o);
    o.per_message_deflate = on;
    CHECK(world_open(w, &o), "no server");
    nsp = sio_of(w->server, "/");
    sio_on(nsp, "echo", on_echo, NULL);
    sio_on(nsp, "all", on_all, NULL);
}

/* A WebSocket with this offer; the head of the answer stays in w->got. */
static int offer(struct world *w, const char *extensions)
{
    static char head[10000];
    int fd = world_connect(w);
    size_t have = 0;
    int n = snprintf(head, sizeof head,
                     "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n"
                     "Host: t\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                     "Sec-WebSocket-Version: 13\r\n"
                     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                     "Sec-WebSocket-Extensions: %s\r\n\r\n",
                     extensions);

    world_write(w, fd, head, (size_t)n);
    while (have < sizeof w->got - 1 && recv(fd, w->got + have, 1, 0) == 1) {
        have++;
        if (have >= 4 && memcmp(w->got + have - 4, "\r\n\r\n", 4) == 0)
            break;
    }
    w->got[have] = 0;
    return fd;
}

static void test_negotiation(struct world *w)
{
    static const struct {
        const char *name, *offered, *answer; /* NULL: none; "400": refused */
        bool off;
    } rows[] = {
        { "off by default", "permessage-deflate", NULL, true },
        { "Chrome's offer", "permessage-deflate; client_max_window_bits",
          "permessage-deflate", false },
        { "no context kept",
          "permessage-deflate; server_no_context_takeover; "
          "client_no_context_takeover",
          "permessage-deflate; server_no_context_takeover; "
          "client_no_context_takeover",
          false },
        { "another extension", "x-webkit-deflate-frame", NULL, false },
        { "unknown parameter", "permessage-deflate; nope", "400", false },
        { "2017 advisory: names of prototypes", "constructor", NULL, false },
        { "2017 advisory: malformed", ";;;=", "400", false },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        char line[256];
        int fd;

        T_CASE("deflate: %s", rows[i].name);
        open_server(w, !rows[i].off);
        fd = offer(w, rows[i].offered);
        snprintf(line, sizeof line, "\r\nSec-WebSocket-Extensions: %s\r\n",
                 rows[i].answer ? rows[i].answer : "");
        if (!rows[i].answer) {
            CHECK(strstr(w->got, " 101 "), "%s", w->got);
            CHECK(!strstr(w->got, "Sec-WebSocket-Extensions"), "%s", w->got);
        } else if (strcmp(rows[i].answer, "400") == 0) {
            CHECK(strstr(w->got, " 400 "), "%s", w->got);
        } else {
            CHECK(strstr(w->got, " 101 ") && strstr(w->got, line), "%s",
                  w->got);
        }
        world_hang_up(w, fd);
        world_check_empty(w);
        world_close(w);
    }
}

static void test_many_offers(struct world *w)
{
    static char offers[9000];
    size_t n = 0;
    int fd;

    T_CASE("2017 advisory: 8 KB of offers, of which the first is taken");
    while (n + 20 < 8192)
        n += (size_t)snprintf(offers + n, sizeof offers - n,
                              "permessage-deflate, ");
    snprintf(offers + n, sizeof offers - n, "permessage-deflate");
    open_server(w, true);
    fd = offer(w, offers);
    CHECK(strstr(w->got, " 101 ") &&
              strstr(w->got,
                     "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n"),
          "%s", w->got);
    world_hang_up(w, fd);

    T_CASE("2017 advisory: 8 KB of parameters without a name");
    memset(offers, ';', 8192);
    memcpy(offers, "permessage-deflate", 18);
    offers[8192] = 0;
    fd = offer(w, offers);
    CHECK(strstr(w->got, " 400 "), "%s", w->got);
    world_hang_up(w, fd);
    world_check_empty(w);
    world_close(w);
}

static void send_deflated(struct world *w, int fd, struct ws_deflater *d,
                          const void *p, size_t n)
{
    struct grow out;

    grow_init(&out, SIZE_MAX);
    CHECK(ws_deflate(d, p, n, &out) == SIO_OK, "deflate");
    world_frame(w, fd, 0xc1, out.data, out.len);
    grow_free(&out);
}

/* The text of the one frame that has come, inflated when it says so; *deflated
 * tells. */
static const char *inflated_frame(struct world *w, int fd,
                                  struct ws_inflater *f, bool *deflated)
{
    static char text[10000];
    const uint8_t *at = (uint8_t *)w->got;
    long len = world_read(w, fd);
    struct grow out;
    size_t n;

    text[0] = 0;
    *deflated = false;
    if (len < 2)
        return text;
    *deflated = at[0] & 0x40;
    n = at[1] & 0x7f;
    at += n == 126 ? 4 : 2;
    if (n == 126)
        n = (uint8_t)w->got[2] * 256u + (uint8_t)w->got[3];
    grow_init(&out, sizeof text - 1);
    if (*deflated)
        CHECK(ws_inflate(f, at, n, true, &out) == SIO_OK, "inflate");
    else
        grow_append(&out, at, n);
    if (out.len)
        memcpy(text, out.data, out.len);
    text[out.len] = 0;
    grow_free(&out);
    return text;
}

struct codec {
    struct ws_deflater out;
    struct ws_inflater in;
    bool deflated;
};

static int join(struct world *w, struct codec *c, bool takeover)
{
    int fd = offer(w, takeover ? "permessage-deflate"
                               : "permessage-deflate; "
                                 "server_no_context_takeover; "
                                 "client_no_context_takeover");

    ws_deflater_init(&c->out, 15, takeover, WS_DEFLATE_DEFAULT_LEVEL);
    ws_inflater_init(&c->in, 15, takeover);
    CHECK_MATCH(inflated_frame(w, fd, &c->in, &c->deflated), "0{*}");
    CHECK(c->deflated == takeover, "OPEN");
    send_deflated(w, fd, &c->out, "40", 2);
    CHECK_MATCH(inflated_frame(w, fd, &c->in, &c->deflated), "40{*}");
    return fd;
}

static void leave(struct world *w, struct codec *c, int fd)
{
    ws_deflater_free(&c->out);
    ws_inflater_free(&c->in);
    world_hang_up(w, fd);
}

static void test_messages(struct world *w)
{
    static char large[2000];

    memset(large, 'x', 1900);
    memcpy(large, "42[\"echo\",\"", 11);
    memcpy(large + 1900, "\"]", 3);
    for (int takeover = 0; takeover < 2; takeover++) {
        struct codec c, other;
        int fd, fd2;

        T_CASE("deflate: messages both ways, context %s",
               takeover ? "kept" : "not kept");
        open_server(w, true);
        fd = join(w, &c, takeover);
        for (int i = 0; i < 3; i++) {
            send_deflated(w, fd, &c.out, "42[\"echo\",1]", 12);
            CHECK_MATCH(inflated_frame(w, fd, &c.in, &c.deflated),
                        "42[\"echo\",1]");
            CHECK(c.deflated == (takeover == 1), "a short one");
            send_deflated(w, fd, &c.out, large, strlen(large));
            CHECK_MATCH(inflated_frame(w, fd, &c.in, &c.deflated), large);
            CHECK(c.deflated, "a long one");
        }
        world_send_text(w, fd, "42[\"echo\",\"plain\"]");
        CHECK_MATCH(inflated_frame(w, fd, &c.in, &c.deflated),
                    "42[\"echo\",\"plain\"]");

        T_CASE("deflate: broadcasts to one with and one without, context %s",
               takeover ? "kept" : "not kept");
        fd2 = world_client(w);
        (void)other;
        large[4] = 'a';
        large[5] = large[6] = 'l';
        memcpy(large, "42[\"all\",\"", 10);
        large[10] = 'x';
        send_deflated(w, fd, &c.out, large, strlen(large));
        CHECK_MATCH(inflated_frame(w, fd, &c.in, &c.deflated), large);
        CHECK(c.deflated, "not compressed");
        CHECK(strstr(world_frames(w, fd2), "T:42[\"all\",\"xxx"), "plain");
        memcpy(large, "42[\"echo\",\"", 11);
        world_hang_up(w, fd2);
        leave(w, &c, fd);
        world_check_empty(w);
        world_close(w);
    }
}

static size_t most_held; /* bytes, while a message was handled */

static void on_sink(sio_socket *socket, sio_event *event, void *user)
{
    const struct world *w = user;
    size_t held = w->server->hub.shards->engine.websockets.held_bytes;

    (void)socket;
    (void)event;
    if (most_held < held)
        most_held = held;
}

/* One read of many messages that each stay below the limit. */
static void test_many_bombs(struct world *w)
{
    enum { MESSAGES = 50, SIZE = 900000 };
    char *text = malloc(SIZE);
    struct grow all, one;
    struct codec c;
    int fd;

    T_CASE("deflate: many bombs in one read are not all in memory at once");
    memset(text, 'x', SIZE);
    memcpy(text, "42[\"sink\",\"", 11);
    memcpy(text + SIZE - 2, "\"]", 2);
    open_server(w, true);
    sio_on(sio_of(w->server, "/"), "sink", on_sink, w);
    fd = join(w, &c, true);
    grow_init(&all, SIZE_MAX);
    grow_init(&one, SIZE_MAX);
    for (int i = 0; i < MESSAGES; i++) {
        uint8_t head[WS_HEAD_MAX];
        size_t n;

        one.len = 0;
        CHECK(ws_deflate(&c.out, text, SIZE, &one) == SIO_OK, "deflate");
        n = ws_encode_head(head, WS_TEXT, one.len, (const uint8_t[4]){ 0 });
        head[0] |= 0x40;
        grow_append(&all, head, n);
        grow_append(&all, one.data, one.len);
    }
    most_held = 0;
    world_write(w, fd, all.data, all.len);
    CHECK(w->server->hub.shards->events_in == MESSAGES, "some are missing");
    CHECK(most_held > 0 && most_held <= HTTP_WS_HELD_MAX + SIZE, "%zu bytes",
          most_held);
    grow_free(&all);
    grow_free(&one);
    free(text);
    leave(w, &c, fd);
    world_check_empty(w);
    world_close(w);
}

static void test_bombs(struct world *w)
{
    static char zeros[1000001];
    struct codec c;
    int fd;

    T_CASE("CVE-2016-10544 CVE-2018-1000518 CVE-2026-54464 CVE-2026-77528 "
           "CVE-2026-116579 deflate: a bomb costs its limit: 1009");
    open_server(w, true);
    fd = join(w, &c, true);
    memset(zeros, '4', sizeof zeros);
    send_deflated(w, fd, &c.out, zeros, sizeof zeros);
    CHECK(strstr(w->log, "transport error"), "log: %s", w->log);
    CHECK(world_read(w, fd) > 3 && memcmp(w->got, "\x88\x02\x03\xf1", 4) == 0,
          "no 1009");
    leave(w, &c, fd);
    world_check_empty(w);
    world_close(w);

    T_CASE("deflate: no deflate data: 1007; text that is not UTF-8: 1007");
    for (int i = 0; i < 2; i++) {
        open_server(w, true);
        fd = join(w, &c, true);
        if (i == 0)
            world_frame(w, fd, 0xc1, "\xff\xff\xff", 3);
        else
            send_deflated(w, fd, &c.out, "4\xff", 2);
        CHECK(world_read(w, fd) > 3 &&
                  memcmp(w->got, "\x88\x02\x03\xef", 4) == 0,
              "no 1007");
        leave(w, &c, fd);
        world_check_empty(w);
        world_close(w);
    }
}

int main(void)
{
    static struct world w;

    test_negotiation(&w);
    test_many_offers(&w);
    test_messages(&w);
    test_bombs(&w);
    test_many_bombs(&w);
    return t_done();
}
