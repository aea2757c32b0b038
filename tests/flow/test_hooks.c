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

/* ------------------------------------------------------- connection errors --
 */

static char errors[512];

static void on_error(const sio_connection_error *error, void *user)
{
    size_t have = strlen(errors);

    CHECK(user == &asked, "user");
    CHECK(strcmp(error->address, "127.0.0.1") == 0, "%s", error->address);
    snprintf(errors + have, sizeof errors - have, "%d %s (%s) %.*s;",
             error->code, error->message, error->context, (int)error->method.n,
             error->method.p);
}

static void refuse_all(sio_handshake *handshake, void *user)
{
    (void)user;
    sio_refuse(handshake, "Thou shall not pass");
}

static void test_connection_errors(struct world *w)
{
    static const struct {
        const char *name, *method, *query, *want;
    } rows[] = {
        { "E1", "GET", "transport=tobi", "0 Transport unknown (tobi) GET;" },
        { "E10", "GET", "transport=__proto__",
          "0 Transport unknown (__proto__) GET;" },
        { "no line end gets into a log", "GET", "transport=a%0d%0ab",
          "0 Transport unknown (a??b) GET;" },
        { "E3", "GET", "transport=polling&sid=test",
          "1 Session ID unknown (test) GET;" },
        { "E44", "OPTIONS", "EIO=4&transport=polling",
          "2 Bad handshake method (OPTIONS) OPTIONS;" },
        { "E41", "GET", "EIO=4&transport=websocket",
          "3 Bad request (TRANSPORT_HANDSHAKE_ERROR) GET;" },
        { "E5", "GET", "EIO=4&transport=polling",
          "4 Forbidden (Thou shall not pass) GET;" },
    };
    sio_options o;

    sio_options_init(&o);
    o.on_connection_error = on_error;
    o.allow_request = refuse_all;
    o.hook_user = &asked;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char target[128];
        int status;

        T_CASE("connection_error: %s", rows[i].name);
        errors[0] = 0;
        CHECK(world_open(w, &o), "no server");
        snprintf(target, sizeof target, "/socket.io/?%s", rows[i].query);
        world_request(w, rows[i].method, target, NULL, &status);
        CHECK_MATCH(errors, rows[i].want);
        close_server(w);
    }

    T_CASE("connection_error: E45");
    errors[0] = 0;
    o.allow_request = NULL;
    CHECK(world_open(w, &o), "no server");
    world_get(w, "EIO=3&transport=polling");
    CHECK_MATCH(errors, "5 Unsupported protocol version (3) GET;");
    close_server(w);
}

/* CVE-2019-13611: CORS keeps no WebSocket out, this does. */
static void test_allowed_origins(struct world *w)
{
    static const char *const ours[] = { "https://a.b", "https://c.d" };
    static const struct {
        const char *origin;
        bool allowed;
    } rows[] = {
        { "https://c.d", true }, { "https://e.f", false },
        { "null", false },       { "https://a.b.evil", false },
        { NULL, true },
    };
    sio_options o;

    sio_options_init(&o);
    o.allowed_origins = ours;
    o.allowed_origin_count = COUNT(ours);
    for (size_t i = 0; i < COUNT(rows) * 2; i++) {
        bool upgrade = i % 2;
        const char *origin = rows[i / 2].origin;
        char head[512];
        int fd, n;

        T_CASE("CVE-2019-13611 allowed_origins: %s, %s",
               origin ? origin : "no Origin",
               upgrade ? "websocket" : "polling");
        CHECK(world_open(w, &o), "no server");
        fd = world_connect(w);
        n = snprintf(head, sizeof head,
                     "GET /socket.io/?EIO=4&transport=%s HTTP/1.1\r\n"
                     "Host: test\r\n%s%s%s%s\r\n",
                     upgrade ? "websocket" : "polling",
                     origin ? "Origin: " : "", origin ? origin : "",
                     origin ? "\r\n" : "",
                     upgrade ? "Connection: Upgrade\r\nUpgrade: websocket\r\n"
                               "Sec-WebSocket-Version: 13\r\n"
                               "Sec-WebSocket-Key: "
                               "dGhlIHNhbXBsZSBub25jZQ==\r\n"
                             : "");
        world_write(w, fd, head, (size_t)n);
        world_read(w, fd);
        CHECK(!strstr(w->got, "\"sid\":\"") == !rows[i / 2].allowed, "%s",
              w->got);
        if (!rows[i / 2].allowed)
            CHECK(strstr(w->got, upgrade ? " 400 " : " 403 ") &&
                      strstr(w->got, "Forbidden"),
                  "%s", w->got);
        world_hang_up(w, fd);
        world_advance(w, 60000);
        close_server(w);
    }
}

int main(void)
{
    static struct world w;

    test_decisions(&w);
    test_later(&w);
    test_headers(&w);
    test_connection_errors(&w);
    test_allowed_origins(&w);
    return t_done();
}
