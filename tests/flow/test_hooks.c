/*
 * test_hooks.c -- allow_request and on_headers through the whole server.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sio/sio.h>

#include "tests/flow/world.h"

#include <pthread.h>

static sio_handshake *kept;
static int asked, answers, initial;

static void on_allow(sio_handshake *handshake, void *user)
{
    char how[16] = "";

    CHECK(user == &asked, "user");
    asked++;
    CHECK(sio_handshake_url(handshake).n > 0, "url");
    CHECK(str_eq(sio_handshake_header(handshake, "host"), STR("test")), "host");
    sio_handshake_query(handshake, "how", how, sizeof how);
    if (strcmp(how, "no") == 0)
        sio_refuse(handshake, NULL);
    else if (strcmp(how, "text") == 0)
        sio_refuse(handshake, "Thou shall not pass");
    else if (strcmp(how, "later") == 0)
        kept = handshake;
    else
        sio_allow(handshake);
}

static void on_headers(sio_headers *headers, void *user)
{
    (void)user;
    answers++;
    CHECK(sio_headers_add(headers, "a b", "c") == SIO_E_INVAL, "a blank");
    CHECK(sio_headers_add(headers, "a", "b\r\nc: d") == SIO_E_INVAL, "a line");
    sio_headers_add(headers, "x-every", "1");
    if (sio_headers_initial(headers)) {
        initial++;
        sio_headers_add(headers, "x-initial", "1");
        sio_headers_add(headers, "Set-Cookie", "mycookie=1");
        sio_headers_add(headers, "Set-Cookie", "other=2");
    }
}

static void open_server(struct world *w)
{
    sio_options o;

    asked = answers = initial = 0;
    kept = NULL;
    sio_options_init(&o);
    o.allow_request = on_allow;
    o.on_headers = on_headers;
    o.hook_user = &asked;
    o.cookie_name = "io";
    CHECK(world_open(w, &o), "no server");
}

static void close_server(struct world *w)
{
    world_check_empty(w);
    world_close(w);
}

static void test_decisions(struct world *w)
{
    char sid[24], query[128];
    int status;

    T_CASE("E4 S26 allow_request: refused, with and without a text, polling");
    open_server(w);
    CHECK_MATCH(world_request(w, "GET",
                              "/socket.io/?EIO=4&transport=polling&how=text",
                              NULL, &status),
                "{\"code\":4,\"message\":\"Thou shall not pass\"}");
    CHECK(status == 403, "%d", status);
    CHECK_MATCH(world_request(w, "GET",
                              "/socket.io/?EIO=4&transport=polling&how=no",
                              NULL, &status),
                "{\"code\":4,\"message\":\"Forbidden\"}");
    CHECK(status == 403, "%d", status);
    CHECK(strstr(w->log, "Forbidden"), "log: %s", w->log);
    close_server(w);

    T_CASE("E6 allow_request: refused, WebSocket");
    open_server(w);
    CHECK(world_websocket(w, "EIO=4&transport=websocket&how=text") < 0,
          "let in");
    world_turn(w);
    CHECK(strncmp(w->got, "HTTP/1.1 400 ", 13) == 0, "%s", w->got);
    close_server(w);

    T_CASE("S25 allow_request: asked for handshakes only");
    open_server(w);
    CHECK(world_session(w, sid), "refused");
    snprintf(query, sizeof query, "EIO=4&transport=polling&sid=%s", sid);
    CHECK_MATCH(world_post(w, query, "40"), "ok");
    CHECK_MATCH(world_get(w, query), "40{*}");
    CHECK(asked == 1, "%d", asked);
    CHECK_MATCH(world_post(w, query, "1"), "ok");
    close_server(w);
}

static int ask_later(struct world *w, const char *transport)
{
    char head[512];
    int fd = world_connect(w);
    int n = snprintf(head, sizeof head,
                     "GET /socket.io/?EIO=4&transport=%s&how=later HTTP/1.1\r\n"
                     "Host: test\r\n%s\r\n",
                     transport,
                     transport[0] == 'w'
                         ? "Connection: Upgrade\r\nUpgrade: websocket\r\n"
                           "Sec-WebSocket-Version: 13\r\n"
                           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                         : "");

    world_write(w, fd, head, (size_t)n);
    CHECK(world_read(w, fd) == 0, "%s", w->got);
    CHECK(kept != NULL, "not asked");
    return fd;
}

static void *allow_elsewhere(void *handshake)
{
    sio_allow(handshake);
    return NULL;
}

static void test_later(struct world *w)
{
    static const char *const transports[] = { "polling", "websocket" };
    pthread_t thread;
    int fd;

    for (size_t i = 0; i < COUNT(transports); i++) {
        T_CASE("allow_request: decided later, %s", transports[i]);
        open_server(w);
        fd = ask_later(w, transports[i]);
        sio_allow(kept);
        CHECK(world_read(w, fd) > 0 && strstr(w->got, "\"sid\":\""), "%s",
              w->got);
        world_hang_up(w, fd);
        world_advance(w, 60000);
        close_server(w);

        T_CASE("allow_request: decided by another thread, %s", transports[i]);
        open_server(w);
        fd = ask_later(w, transports[i]);
        pthread_create(&thread, NULL, allow_elsewhere, kept);
        pthread_join(thread, NULL);
        CHECK(world_read(w, fd) > 0 && strstr(w->got, "\"sid\":\""), "%s",
              w->got);
        world_hang_up(w, fd);
        world_advance(w, 60000);
        close_server(w);

        T_CASE("allow_request: the client has gone, %s", transports[i]);
        open_server(w);
        fd = ask_later(w, transports[i]);
        world_hang_up(w, fd);
        sio_refuse(kept, "too late");
        close_server(w);

        T_CASE("allow_request: the server stops meanwhile, %s", transports[i]);
        open_server(w);
        fd = ask_later(w, transports[i]);
        sio_stop(w->server);
        world_turn(w);
        sio_allow(kept);
        world_read(w, fd);
        CHECK(!strstr(w->got, "\"sid\""), "%s", w->got);
        world_hang_up(w, fd);
        close_server(w);
    }
}

static void test_headers(struct world *w)
{
    char sid[24], query[128];
    int fd, status;

    T_CASE("E147 E148 E149 on_headers over polling");
    open_server(w);
    CHECK(world_session(w, sid), "refused");
    CHECK(strstr(w->got, "\r\nx-every: 1\r\nx-initial: 1\r\n"
                         "Set-Cookie: mycookie=1\r\nSet-Cookie: other=2\r\n"),
          "%s", w->got);
    CHECK(strstr(w->got, "\r\nSet-Cookie: io="), "%s", w->got);
    snprintf(query, sizeof query, "/socket.io/?EIO=4&transport=polling&sid=%s",
             sid);
    world_request(w, "POST", query, "40", &status);
    CHECK(strstr(w->got, "\r\nx-every: 1\r\n"), "%s", w->got);
    CHECK(!strstr(w->got, "x-initial") && !strstr(w->got, "Set-Cookie"), "%s",
          w->got);
    world_request(w, "GET", "/socket.io/?EIO=4&transport=nope", NULL, &status);
    CHECK(!strstr(w->got, "x-every"), "on a refusal: %s", w->got);

    T_CASE("E151 E152 on_headers: one initial answer for a session");
    snprintf(query, sizeof query, "EIO=4&transport=websocket&sid=%s", sid);
    fd = world_websocket(w, query);
    CHECK(strstr(w->got, "\r\nx-every: 1\r\n"), "%s", w->got);
    CHECK(!strstr(w->got, "x-initial"), "%s", w->got);
    CHECK(initial == 1 && answers == 3, "%d of %d", initial, answers);
    world_hang_up(w, fd);
    world_advance(w, 60000);
    close_server(w);

    T_CASE("E150 on_headers: a direct WebSocket, no session cookie");
    open_server(w);
    fd = world_websocket(w, "EIO=4&transport=websocket");
    CHECK(strstr(w->got, "\r\nx-initial: 1\r\nSet-Cookie: mycookie=1\r\n"),
          "%s", w->got);
    CHECK(!strstr(w->got, "Set-Cookie: io="), "%s", w->got);
    world_hang_up(w, fd);
    close_server(w);
}

int main(void)
{
    static struct world w;

    test_decisions(&w);
    test_later(&w);
    test_headers(&w);
    return t_done();
}
