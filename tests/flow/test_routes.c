/*
 * test_routes.c -- a program's own HTTP routes through the whole server.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sio/sio.h>

#include "tests/flow/world.h"

#include <pthread.h>
#include <stdlib.h>

static sio_http_request *kept;

static void on_get(sio_http_request *request, void *user)
{
    char who[16] = "nobody";

    sio_http_query(request, "who", who, sizeof who);
    sio_http_respond(request, 200, user, who, strlen(who));
}

static void on_post(sio_http_request *request, void *user)
{
    sio_str body = sio_http_body(request);

    (void)user;
    CHECK(str_eq(sio_http_method(request), STR("POST")), "method");
    CHECK(str_eq(sio_http_path(request), STR("/echo")), "path");
    CHECK(str_eq(sio_http_header(request, "host"), STR("test")), "host");
    sio_http_respond(request, 201, NULL, body.p, body.n);
}

static void on_later(sio_http_request *request, void *user)
{
    (void)user;
    kept = request;
}

static void *answer_elsewhere(void *request)
{
    sio_http_respond(request, 200, "text/plain", "late", 4);
    return NULL;
}

static void open_server(struct world *w)
{
    static char type[] = "text/plain";
    sio_options o;

    sio_options_init(&o);
    o.max_http_buffer_size = 10;
    CHECK(world_open(w, &o), "no server");
    CHECK(sio_on_request(w->server, "GET", "hello", on_get, NULL) ==
              SIO_E_INVAL,
          "a path without a slash");
    sio_on_request(w->server, "GET", "/hello", on_get, type);
    sio_on_request(w->server, "POST", "/echo", on_post, NULL);
    sio_on_request(w->server, "GET", "/later", on_later, NULL);
}

static void close_server(struct world *w)
{
    world_check_empty(w);
    world_close(w);
}

static void test_answers(struct world *w)
{
    int status;

    T_CASE("routes: method, path, query, header, body");
    open_server(w);
    CHECK_MATCH(world_request(w, "GET", "/hello?who=a%20b", NULL, &status),
                "a b");
    CHECK(status == 200, "%d", status);
    CHECK(strstr(w->got, "Content-Type: text/plain\r\n"), "%s", w->got);
    CHECK_MATCH(world_request(w, "HEAD", "/hello", NULL, &status), "");
    CHECK(status == 200, "%d", status);
    CHECK_MATCH(world_request(w, "POST", "/echo", "0123456789", &status),
                "0123456789");
    CHECK(status == 201, "%d", status);
    close_server(w);

    T_CASE("routes: another method, another path, a body over the limit");
    open_server(w);
    world_request(w, "POST", "/hello", "x", &status);
    CHECK(status == 404, "%d", status);
    world_request(w, "GET", "/hello/", NULL, &status);
    CHECK(status == 404, "%d", status);
    world_request(w, "POST", "/echo", "0123456789a", &status);
    CHECK(status == 413, "%d", status);
    close_server(w);
}

static int ask_later(struct world *w)
{
    int fd = world_connect(w);

    kept = NULL;
    world_write(w, fd, "GET /later HTTP/1.1\r\nHost: test\r\n\r\n", 35);
    CHECK(kept != NULL, "the handler was not called");
    return fd;
}

/* What a program may get wrong does not reach the wire. */
static void test_wrong_answers(struct world *w)
{
    static const struct {
        const char *name, *content_type;
        int status;
    } rows[] = {
        { "status 199", NULL, 199 },
        { "status 101", NULL, 101 },
        { "status 0", NULL, 0 },
        { "status -200", NULL, -200 },
        { "status 1000", NULL, 1000 },
        { "a CR", "text/plain\rX: y", 200 },
        { "an LF", "text/plain\nX: y", 200 },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        int fd, r;

        T_CASE("routes: %s is answered 500", rows[i].name);
        open_server(w);
        fd = ask_later(w);
        r = sio_http_respond(kept, rows[i].status, rows[i].content_type, "x",
                             1);
        CHECK(r == SIO_E_INVAL, "%d", r);
        world_read(w, fd);
        CHECK_MATCH(w->got, "HTTP/1.1 500 *\r\nContent-Length: 0\r\n*");
        CHECK(!strstr(w->got, "X: y"), "%s", w->got);
        world_hang_up(w, fd);
        close_server(w);
    }

    T_CASE("routes: status 200 and 999 are answers");
    open_server(w);
    for (int status = 200; status <= 999; status += 799) {
        int fd = ask_later(w);

        CHECK(sio_http_respond(kept, status, NULL, NULL, 0) == SIO_OK, "%d",
              status);
        world_read(w, fd);
        CHECK(atoi(w->got + 9) == status, "%s", w->got);
        world_hang_up(w, fd);
    }
    close_server(w);
}

static void test_later(struct world *w)
{
    pthread_t thread;
    int fd;

    T_CASE("routes: answered later");
    open_server(w);
    fd = ask_later(w);
    CHECK(world_read(w, fd) == 0, "%s", w->got);
    sio_http_respond(kept, 204, NULL, NULL, 0);
    CHECK(world_read(w, fd) > 0 && strstr(w->got, " 204 "), "%s", w->got);
    world_hang_up(w, fd);
    close_server(w);

    T_CASE("routes: answered from another thread");
    open_server(w);
    fd = ask_later(w);
    pthread_create(&thread, NULL, answer_elsewhere, kept);
    pthread_join(thread, NULL);
    CHECK(world_read(w, fd) > 0 && strstr(w->got, "\r\n\r\nlate"), "%s",
          w->got);
    world_hang_up(w, fd);
    close_server(w);

    T_CASE("routes: the client has gone before the answer");
    open_server(w);
    fd = ask_later(w);
    world_hang_up(w, fd);
    sio_http_respond(kept, 200, NULL, "x", 1);
    close_server(w);
}

int main(void)
{
    static struct world w;

    test_answers(&w);
    test_later(&w);
    test_wrong_answers(&w);
    return t_done();
}
