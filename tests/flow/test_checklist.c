/*
 * test_checklist.c -- items of the Socket.IO checklist that no other program of
 * this folder is about.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sio/sio.h>

#include <string.h>

#include "tests/flow/world.h"

#define ORIGIN "http://localhost:54023"

static void test_handshake(struct world *w)
{
    sio_options o;

    sio_options_init(&o);
    o.cors_origin = ORIGIN;
    o.cors_methods = "GET,POST";
    o.cors_allowed_headers = "content-type";
    o.cors_credentials = true;
    CHECK(world_open(w, &o), "no server");

    T_CASE("S23 a preflight, below the path: 204 and what is allowed");
    CHECK_MATCH(world_raw(w, "OPTIONS /socket.io/default/?transport=polling"
                             "&EIO=4 HTTP/1.1\r\nHost: t\r\n"
                             "Origin: " ORIGIN "\r\n\r\n"),
                "HTTP/1.1 204 *\r\n\r\n");
    CHECK(strstr(w->got, "\r\nAccess-Control-Allow-Origin: " ORIGIN "\r\n") &&
              strstr(w->got, "\r\nAccess-Control-Allow-Methods: GET,POST\r\n"),
          "%s", w->got);
    CHECK(
        strstr(w->got, "\r\nAccess-Control-Allow-Headers: content-type\r\n") &&
            strstr(w->got, "\r\nAccess-Control-Allow-Credentials: true\r\n"),
        "%s", w->got);

    T_CASE("S24 a handshake, below the path: 200 and who may read it");
    CHECK_MATCH(world_raw(w, "GET /socket.io/default/?transport=polling"
                             "&EIO=4 HTTP/1.1\r\nHost: t\r\n"
                             "Origin: " ORIGIN "\r\n\r\n"),
                "HTTP/1.1 200 *\r\n\r\n0{\"sid\":*");
    CHECK(strstr(w->got, "\r\nAccess-Control-Allow-Origin: " ORIGIN "\r\n") &&
              strstr(w->got, "\r\nAccess-Control-Allow-Credentials: true\r\n"),
          "%s", w->got);
    world_close(w);
}

static void test_stopping(struct world *w)
{
    T_CASE("S29 stopping, twice, what has never listened");
    CHECK(world_open(w, NULL), "no server");
    CHECK(sio_port(w->server) == 0, "it listens");
    sio_stop(w->server);
    world_turn(w);
    sio_stop(w->server);
    world_turn(w);
    world_check_empty(w);
    CHECK(sio_listen(w->server, "127.0.0.1:0", NULL) == SIO_OK,
          "it does not begin anew");
    world_close(w);
}

static char replies[256];

static void on_replies(int error, sio_event *answers, void *user)
{
    size_t n = strlen(replies);

    (void)user;
    n += (size_t)snprintf(replies + n, sizeof replies - n, "%d:", error);
    for (size_t i = 0; i < sio_arg_count(answers); i++) {
        sio_str raw = { "", 0 };

        sio_arg_raw(answers, i, &raw);
        n += (size_t)snprintf(replies + n, sizeof replies - n, " %.*s",
                              (int)raw.n, raw.p);
    }
}

static void test_asking(struct world *w)
{
    sio_stats s;
    int fd[3];

    T_CASE("S156 one of three is silent: two answers, and nobody waits for it");
    CHECK(world_open(w, NULL), "no server");
    replies[0] = 0;
    sio_of(w->server, "/");
    for (int i = 0; i < 3; i++)
        fd[i] = world_client(w);
    CHECK(sio_emit_ack(sio_timeout(sio_of(w->server, "/"), 200), on_replies,
                       NULL, "q", sio_int(1)) == SIO_OK,
          "not asked");
    for (int i = 0; i < 3; i++)
        CHECK_FRAMES(w, fd[i], "T:420[\"q\",1]|");
    world_send_text(w, fd[0], "430[\"a\",\"ignored\"]");
    world_send_text(w, fd[2], "430[\"c\"]");
    sio_get_stats(w->server, &s);
    CHECK(s.pending_acks > 0 && !replies[0], "%zu, %s", s.pending_acks,
          replies);
    world_advance(w, 201);
    CHECK_MATCH(replies, "-8: \"a\" \"c\"");
    sio_get_stats(w->server, &s);
    CHECK(s.pending_acks == 0, "%zu are waited for", s.pending_acks);
    world_send_text(w, fd[1], "430[\"late\"]");
    CHECK_MATCH(replies, "-8: \"a\" \"c\"");
    for (int i = 0; i < 3; i++)
        world_hang_up(w, fd[i]);
    world_check_empty(w);
    world_close(w);
}

int main(void)
{
    static struct world w;

    test_handshake(&w);
    test_stopping(&w);
    test_asking(&w);
    return t_done();
}
