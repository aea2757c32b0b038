/*
 * test_calls.c -- middlewares of HTTP through the whole server.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sio/sio.h>

#include "tests/flow/echo.h"
#include "tests/unit/oom.h"

#include <pthread.h>
#include <stdlib.h>

#define HANDSHAKE "EIO=4&transport=polling"
#define UPGRADE                                     \
    "Connection: Upgrade\r\nUpgrade: websocket\r\n" \
    "Sec-WebSocket-Version: 13\r\n"                 \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

static struct world w;
static struct echo e;
static sio_http_call *kept;
static char seen[1024], errors[1024];

__attribute__((format(printf, 1, 2))) static void note(const char *fmt, ...)
{
    size_t have = strlen(seen);
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(seen + have, sizeof seen - have, fmt, ap);
    va_end(ap);
}

static void on_error(const sio_connection_error *error, void *user)
{
    size_t have = strlen(errors);

    (void)user;
    snprintf(errors + have, sizeof errors - have, "%d %s %s;", error->code,
             error->name ? error->name : "", error->error ? error->error : "");
}

/* What the query says: how=fail, 503, keep; else it goes on. */
static void obey(sio_http_call *call, void *user)
{
    char how[16] = "";

    (void)user;
    note("obey %.*s;", (int)sio_call_method(call).n, sio_call_method(call).p);
    sio_call_query(call, "how", how, sizeof how);
    if (strcmp(how, "fail") == 0)
        sio_call_fail(call, "no reason");
    else if (strcmp(how, "503") == 0)
        sio_call_respond(call, 503, "text/plain", "later", 5);
    else if (strcmp(how, "keep") == 0)
        kept = call;
    else
        sio_call_next(call);
}

static void add_security(sio_http_call *call, void *user)
{
    int r = sio_call_add_header(call, "X-Download-Options", "noopen");

    note("%s;", (char *)user);
    CHECK(r == SIO_OK || r == SIO_E_NOMEM, "%d", r);
    sio_call_add_header(call, "X-Content-Type-Options", "nosniff");
    sio_call_add_header(call, "Set-Cookie", "a=1");
    sio_call_add_header(call, "Set-Cookie", "b=2");
    CHECK(sio_call_add_header(call, "a", "b\r\nc: d") == SIO_E_INVAL, "a line");
    CHECK(sio_call_add_header(call, "Content-Length", "1") == SIO_E_INVAL,
          "a second length");
    sio_call_next(call);
}

#define SECURITY                          \
    "X-Download-Options: noopen\r\n"      \
    "X-Content-Type-Options: nosniff\r\n" \
    "Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n"

static void open_server(sio_options *o)
{
    static char name[] = "security";
    sio_options d;

    if (!o)
        sio_options_init(&d);
    o = o ? o : &d;
    o->on_connection_error = on_error;
    seen[0] = errors[0] = 0;
    kept = NULL;
    CHECK(echo_open(&w, &e, o), "no server");
    CHECK(sio_engine_use_http(e.engine, add_security, name) == SIO_OK, "use");
    CHECK(sio_engine_use_http(e.engine, obey, NULL) == SIO_OK, "use");
}

static void close_server(void)
{
    world_advance(&w, 60000); /* whoever was left in a session */
    world_check_empty(&w);
    world_close(&w);
}

static const char *get(const char *query, const char *fields)
{
    return world_raw(&w, "GET /engine.io/?%s HTTP/1.1\r\nHost: x\r\n%s\r\n",
                     query, fields);
}

/* -------------------------------------------------------------- answers -- */

static void test_headers(void)
{
    char query[128], sid[24];
    int fd, status;

    T_CASE("E169 E174 what a middleware adds is on the handshake");
    open_server(NULL);
    CHECK_MATCH(get(HANDSHAKE, ""),
                "HTTP/1.1 200 OK\r\n*" SECURITY "*\r\n\r\n0{*}");
    CHECK_MATCH(seen, "security;obey GET;");
    close_server();

    T_CASE("E170 E174 and on the 101, a line for each");
    open_server(NULL);
    CHECK_MATCH(get("EIO=4&transport=websocket", UPGRADE),
                "HTTP/1.1 101 *" SECURITY "\r\n*");
    close_server();

    T_CASE("E171 1.11 every request of a session, in order of registration");
    open_server(NULL);
    CHECK(world_session(&w, sid), "no session");
    snprintf(query, sizeof query, HANDSHAKE "&sid=%s", sid);
    CHECK_MATCH(world_post(&w, query, "4hi"), "ok");
    CHECK(strstr(w.got, SECURITY), "%s", w.got);
    CHECK_MATCH(world_get(&w, query), "4hi");
    CHECK(strstr(w.got, SECURITY), "%s", w.got);
    fd = world_poll(&w, sid);
    echo_send(&w, &e, "later");
    CHECK_MATCH(world_poll_answer(&w, fd), "4later");
    CHECK(strstr(w.got, SECURITY), "%s", w.got);
    world_hang_up(&w, fd);
    fd = echo_probe(&w, query);
    CHECK(fd >= 0, "no upgrade");
    world_hang_up(&w, fd);
    CHECK_MATCH(seen, "security;obey GET;security;obey POST;"
                      "security;obey GET;security;obey GET;"
                      "security;obey GET;");
    close_server();

    T_CASE("1.11 on refusals too, but not on those of upgrades");
    open_server(NULL);
    CHECK_MATCH(get("EIO=4&transport=x", ""),
                "HTTP/1.1 400 *" SECURITY "*\"Transport unknown\"}");
    get("EIO=4&transport=x", UPGRADE);
    CHECK_MATCH(w.got, "HTTP/1.1 400 *Transport unknown");
    CHECK(!strstr(w.got, "noopen"), "%s", w.got);
    get("EIO=4&transport=websocket",
        "Connection: Upgrade\r\nUpgrade: IRC/6.9\r\n");
    CHECK_MATCH(w.got, "HTTP/1.1 400 *Invalid Upgrade header");
    CHECK(!strstr(w.got, "noopen"), "%s", w.got);
    CHECK_MATCH(
        world_request(&w, "PUT", "/engine.io/?" HANDSHAKE, NULL, &status),
        "*\"Bad handshake method\"}");
    CHECK(strstr(w.got, SECURITY), "%s", w.got);
    close_server();

    T_CASE("1.11 not outside the path");
    open_server(NULL);
    world_request(&w, "GET", "/engine.io?x", NULL, &status);
    CHECK(status == 404 && !strstr(w.got, "noopen"), "%s", w.got);
    CHECK_MATCH(seen, "");
    close_server();
}

static void test_endings(void)
{
    T_CASE("E172 a middleware answers a poll: no session");
    open_server(NULL);
    CHECK_MATCH(get(HANDSHAKE "&how=503", ""),
                "HTTP/1.1 503 *Content-Type: text/plain\r\n*" SECURITY
                "*\r\n\r\nlater");
    CHECK(e.opened == 0, "%zu", e.opened);
    CHECK_MATCH(errors, "");
    close_server();

    T_CASE("E173 an upgrade: it ends without a byte");
    open_server(NULL);
    CHECK_MATCH(get("EIO=4&transport=websocket&how=503", UPGRADE), "");
    CHECK(e.opened == 0, "%zu", e.opened);
    CHECK_MATCH(errors, "");
    close_server();

    T_CASE("E176 a middleware fails: 400, code 3, one connection_error");
    open_server(NULL);
    CHECK_MATCH(get(HANDSHAKE "&how=fail", ""),
                "HTTP/1.1 400 *" SECURITY
                "*{\"code\":3,\"message\":\"Bad request\"}");
    CHECK_MATCH(errors, "3 MIDDLEWARE_FAILURE no reason;");
    CHECK(strstr(w.log, "MIDDLEWARE_FAILURE: no reason"), "%s", w.log);
    CHECK(e.opened == 0, "%zu", e.opened);
    close_server();

    T_CASE("E176 an upgrade: plain text");
    open_server(NULL);
    CHECK_MATCH(get("EIO=4&transport=websocket&how=fail", UPGRADE),
                "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n"
                "Content-type: text/html\r\nContent-Length: 11\r\n\r\n"
                "Bad request");
    CHECK_MATCH(errors, "3 MIDDLEWARE_FAILURE no reason;");
    close_server();
}

static void test_body_limit(void)
{
    char query[160];
    sio_options o;

    T_CASE("E177 the limit of a body, with a middleware");
    sio_options_init(&o);
    o.max_http_buffer_size = 5;
    open_server(&o);
    CHECK(echo_session(&w, query), "no session");
    world_post(&w, query, "412345");
    CHECK_MATCH(w.got, "HTTP/1.1 413 *" SECURITY "*");
    CHECK_MATCH(world_post(&w, query, "41234"), "ok");
    close_server();
}

/* ---------------------------------------------------------------- later -- */

static int keep(const char *method, const char *query, const char *fields,
                const char *body)
{
    char text[1024];
    int fd = world_connect(&w);
    int n = snprintf(text, sizeof text,
                     "%s /engine.io/?%s&how=keep HTTP/1.1\r\nHost: x\r\n"
                     "%s\r\n%s",
                     method, query, fields, body);

    kept = NULL;
    world_write(&w, fd, text, (size_t)n);
    CHECK(world_read(&w, fd) == 0, "%s", w.got);
    CHECK(kept != NULL, "not asked");
    return fd;
}

static void *next_elsewhere(void *call)
{
    sio_call_add_header(call, "Set-Cookie", "late=1");
    sio_call_next(call);
    return NULL;
}

static void *respond_elsewhere(void *call)
{
    sio_call_respond(call, 503, "text/plain", "later", 5);
    return NULL;
}

static void *fail_elsewhere(void *call)
{
    sio_call_fail(call, "elsewhere");
    return NULL;
}

static void elsewhere(void *(*fn)(void *call))
{
    pthread_t thread;

    pthread_create(&thread, NULL, fn, kept);
    pthread_join(thread, NULL);
}

/* The same for both transports. */
static const struct {
    const char *name, *transport, *fields, *next, *respond, *fail;
} ways[] = {
    { "polling", "polling", "", "HTTP/1.1 200 *Set-Cookie: late=1\r\n*\"sid\"*",
      "HTTP/1.1 503 *\r\n\r\nlater",
      "HTTP/1.1 400 *{\"code\":3,\"message\":\"Bad request\"}" },
    { "websocket", "websocket", UPGRADE,
      "HTTP/1.1 101 *Set-Cookie: late=1\r\n\r\n*\"sid\"*", "",
      "HTTP/1.1 400 *Bad request" },
};

static void test_later(void)
{
    for (size_t i = 0; i < COUNT(ways); i++) {
        char query[64];
        int fd;

        snprintf(query, sizeof query, "EIO=4&transport=%s", ways[i].transport);
        T_CASE("E175 a cookie added later, %s", ways[i].name);
        open_server(NULL);
        fd = keep("GET", query, ways[i].fields, "");
        next_elsewhere(kept);
        CHECK(world_read(&w, fd) > 0, "no answer");
        CHECK_MATCH(w.got, ways[i].next);
        world_hang_up(&w, fd);
        close_server();

        T_CASE("E175 by another thread, %s", ways[i].name);
        open_server(NULL);
        fd = keep("GET", query, ways[i].fields, "");
        elsewhere(next_elsewhere);
        CHECK(world_read(&w, fd) > 0, "no answer");
        CHECK_MATCH(w.got, ways[i].next);
        world_hang_up(&w, fd);
        close_server();

        T_CASE("E172 E173 answered by another thread, %s", ways[i].name);
        open_server(NULL);
        fd = keep("GET", query, ways[i].fields, "");
        elsewhere(respond_elsewhere);
        world_read(&w, fd);
        CHECK_MATCH(w.got, ways[i].respond);
        world_hang_up(&w, fd);
        close_server();

        T_CASE("E176 failed by another thread, %s", ways[i].name);
        open_server(NULL);
        fd = keep("GET", query, ways[i].fields, "");
        elsewhere(fail_elsewhere);
        world_read(&w, fd);
        CHECK_MATCH(w.got, ways[i].fail);
        CHECK_MATCH(errors, "3 MIDDLEWARE_FAILURE elsewhere;");
        world_hang_up(&w, fd);
        close_server();
    }
}

static void test_too_late(void)
{
    for (size_t i = 0; i < COUNT(ways); i++) {
        char query[64];
        int fd;

        snprintf(query, sizeof query, "EIO=4&transport=%s", ways[i].transport);
        for (int how = 0; how < 3; how++) {
            T_CASE("1.11 the client has gone before, %s, %d", ways[i].name,
                   how);
            open_server(NULL);
            fd = keep("GET", query, ways[i].fields, "");
            world_hang_up(&w, fd);
            elsewhere(how == 0   ? next_elsewhere
                      : how == 1 ? respond_elsewhere
                                 : fail_elsewhere);
            CHECK_MATCH(errors, "");
            close_server();
        }

        T_CASE("1.11 the server stops meanwhile, %s", ways[i].name);
        open_server(NULL);
        fd = keep("GET", query, ways[i].fields, "");
        sio_stop(w.server);
        world_turn(&w);
        next_elsewhere(kept);
        world_read(&w, fd);
        CHECK(!strstr(w.got, "\"sid\""), "%s", w.got);
        world_hang_up(&w, fd);
        close_server();
    }
}

/* A POST whose body comes before the middleware has decided, or goes on
 * behind that, in pieces. */
static const struct {
    const char *name, *fields, *before, *after, *want, *echo;
} posts[] = {
    { "all of the body before", "Content-Length: 3\r\n", "4hi", "",
      "HTTP/1.1 200 *ok", "4hi" },
    { "some of it before", "Content-Length: 6\r\n", "4he", "llo",
      "HTTP/1.1 200 *ok", "4hello" },
    { "all of it behind", "Content-Length: 3\r\n", "", "4hi",
      "HTTP/1.1 200 *ok", "4hi" },
    { "chunks, all before", "Transfer-Encoding: chunked\r\n",
      "2\r\n4h\r\n1\r\ni\r\n0\r\n\r\n", "", "HTTP/1.1 200 *ok", "4hi" },
    { "chunks, some before", "Transfer-Encoding: chunked\r\n", "2\r\n4h\r\n",
      "1\r\ni\r\n0\r\n\r\n", "HTTP/1.1 200 *ok", "4hi" },
    { "E177 too long, told at once", "Content-Length: 11\r\n", "", "",
      "HTTP/1.1 413 *", NULL },
    { "E177 too long, all of it before", "Content-Length: 11\r\n",
      "4hello-ello", "", "HTTP/1.1 413 *", NULL },
    { "E177 too long, chunks before", "Transfer-Encoding: chunked\r\n",
      "b\r\n4hello-ello\r\n0\r\n\r\n", "", "HTTP/1.1 413 *", NULL },
    { "E177 too long, chunks behind", "Transfer-Encoding: chunked\r\n",
      "5\r\n4hell\r\n", "6\r\no-ello\r\n0\r\n\r\n", "HTTP/1.1 413 *", NULL },
};

static void test_posts(void)
{
    for (size_t i = 0; i < COUNT(posts) * 2; i++) {
        char query[160];
        sio_options o;
        int fd;

        T_CASE("1.11 a POST: %s, %s", posts[i / 2].name,
               i % 2 ? "another thread" : "this thread");
        sio_options_init(&o);
        o.max_http_buffer_size = 10;
        open_server(&o);
        CHECK(echo_session(&w, query), "no session");
        fd = keep("POST", query, posts[i / 2].fields, posts[i / 2].before);
        if (i % 2)
            elsewhere(next_elsewhere);
        else
            next_elsewhere(kept);
        world_turn(&w);
        world_write(&w, fd, posts[i / 2].after, strlen(posts[i / 2].after));
        CHECK(world_read(&w, fd) > 0, "no answer");
        CHECK_MATCH(w.got, posts[i / 2].want);
        world_hang_up(&w, fd);
        if (posts[i / 2].echo)
            CHECK_MATCH(world_get(&w, query), posts[i / 2].echo);
        else
            CHECK_MATCH(world_post(&w, query, "4on"), "ok");
        close_server();
    }
}

static void test_budget(void)
{
    char query[160], text[700];
    int fd;

    T_CASE("CVE-2020-36048 bodies that a middleware keeps waiting count");
    open_server(NULL);
    w.server->main.http.config.max_unfinished = 100;
    CHECK(echo_session(&w, query), "no session");
    fd = world_connect(&w);
    snprintf(text, sizeof text,
             "POST /engine.io/?%s&how=keep HTTP/1.1\r\nHost: x\r\n"
             "Content-Length: 200\r\n\r\n%0200d",
             query, 4);
    world_write(&w, fd, text, strlen(text));
    CHECK(world_read(&w, fd) > 0, "no answer");
    CHECK_MATCH(w.got, "HTTP/1.1 503 *");
    next_elsewhere(kept);
    world_hang_up(&w, fd);
    CHECK(w.server->main.http.unfinished == 0, "%zu",
          w.server->main.http.unfinished);
    CHECK_MATCH(world_post(&w, query, "4on"), "ok");
    close_server();
}

static void test_get_with_body(void)
{
    char query[160];
    int fd;

    T_CASE("1.11 a GET with a body, answered late: the connection goes on");
    open_server(NULL);
    CHECK(echo_session(&w, query), "no session");
    fd = keep("GET", query, "Content-Length: 3\r\n", "abc");
    next_elsewhere(kept);
    echo_send(&w, &e, "x");
    CHECK(world_read(&w, fd) > 0, "no answer");
    CHECK_MATCH(w.got, "HTTP/1.1 200 *4x");
    world_hang_up(&w, fd);
    close_server();
}

/* ----------------------------------------------------------------- rest -- */

static void test_socketio(void)
{
    static char name[] = "security";
    int status;

    T_CASE("1.11 middlewares of Socket.IO's own engine");
    seen[0] = 0;
    CHECK(world_open(&w, NULL), "no server");
    CHECK(sio_use_http(w.server, add_security, name) == SIO_OK, "use");
    CHECK_MATCH(world_get(&w, HANDSHAKE), "0{*}");
    CHECK(strstr(w.got, SECURITY), "%s", w.got);
    world_request(&w, "GET", "/", NULL, &status);
    CHECK(!strstr(w.got, "noopen"), "%s", w.got);
    CHECK_MATCH(seen, "security;");
    world_advance(&w, 60000);
    world_check_empty(&w);
    world_close(&w);
}

static void vary(sio_http_call *call, void *user)
{
    (void)user;
    note("vary;");
    sio_call_add_header(call, "Vary", "Accept, origin");
    sio_call_next(call);
}

static void test_static_cors(void)
{
    sio_options o;
    int status;

    T_CASE("1.9 CORS goes first, and there is one Vary");
    sio_options_init(&o);
    o.cors_reflect = o.cors_credentials = true;
    seen[0] = 0;
    CHECK(echo_open(&w, &e, &o), "no server");
    sio_engine_use_http(e.engine, vary, NULL);
    CHECK_MATCH(get(HANDSHAKE, "Origin: http://a.b\r\n"),
                "HTTP/1.1 200 *Access-Control-Allow-Origin: http://a.b\r\n"
                "Access-Control-Allow-Credentials: true\r\n"
                "Vary: Origin, Accept\r\n*");
    CHECK(!strstr(strstr(w.got, "Vary") + 1, "Vary"), "%s", w.got);
    CHECK_MATCH(
        get("EIO=4&transport=websocket", UPGRADE "Origin: http://a.b\r\n"),
        "HTTP/1.1 101 *Access-Control-Allow-Origin: http://a.b\r\n"
        "Access-Control-Allow-Credentials: true\r\n"
        "Vary: Origin, Accept\r\n\r\n*");
    CHECK_MATCH(seen, "vary;vary;");

    T_CASE("1.3 a preflight is answered before any middleware");
    seen[0] = 0;
    CHECK_MATCH(world_request(&w, "OPTIONS", "/engine.io/", NULL, &status), "");
    CHECK(status == 204, "%d", status);
    CHECK(strstr(w.got, "\r\nAccess-Control-Allow-Methods: "), "%s", w.got);
    CHECK_MATCH(world_raw(&w,
                          "OPTIONS /engine.io/ HTTP/1.1\r\nHost: x\r\n" UPGRADE
                          "\r\n"),
                "");
    CHECK_MATCH(seen, "");
    world_advance(&w, 60000);
    world_close(&w);

    T_CASE("1.9 preflight_continue: its fields, and code 2");
    o.cors_preflight_continue = true;
    for (int use = 0; use < 2; use++) {
        CHECK(echo_open(&w, &e, &o), "no server");
        if (use)
            sio_engine_use_http(e.engine, vary, NULL);
        CHECK_MATCH(world_request(&w, "OPTIONS", "/engine.io/?" HANDSHAKE, NULL,
                                  &status),
                    "{\"code\":2,*");
        CHECK(strstr(w.got, "\r\nAccess-Control-Allow-Methods: "), "%s", w.got);
        world_close(&w);
    }
}

static void fill(sio_http_call *call, void *user)
{
    static char value[8100];

    (void)user;
    memset(value, 'v', sizeof value - 1);
    CHECK(sio_call_add_header(call, "a", value) == SIO_OK, "refused");
    CHECK(sio_call_add_header(call, "b", value) == SIO_E_LIMIT, "taken");
    sio_call_next(call);
}

static void respond_badly(sio_http_call *call, void *user)
{
    (void)user;
    CHECK(sio_call_respond(call, 101, NULL, "x", 1) == SIO_E_INVAL, "taken");
}

static void use_accessors(sio_http_call *call, void *user)
{
    CHECK(str_eq(sio_call_url(call), STR("/engine.io/?" HANDSHAKE)), "url");
    CHECK(str_eq(sio_call_header(call, "host"), STR("x")), "host");
    CHECK(sio_call_header(call, "nope").p == NULL, "a header");
    CHECK(strcmp(sio_call_address(call), "127.0.0.1") == 0, "address");
    CHECK(sio_call_query(call, "nope", NULL, 0) == SIO_E_RANGE, "query");
    CHECK(!sio_call_is_upgrade(call), "upgrade");
    CHECK(!sio_call_secure(call) && !sio_call_certificate(call), "TLS");
    CHECK(user == &w, "user");
    sio_call_next(call);
}

static void note_client(sio_http_call *call, void *user)
{
    (void)user;
    note("%s%s;", sio_call_address(call), sio_call_secure(call) ? " tls" : "");
    sio_call_next(call);
}

static void test_proxied(void)
{
    static const char *const trusted[] = { "loopback" };
    sio_options o;

    T_CASE("1.11 the client is who a trusted proxy says");
    sio_options_init(&o);
    o.trusted_proxies = trusted;
    o.trusted_proxy_count = COUNT(trusted);
    seen[0] = 0;
    CHECK(world_open(&w, &o), "no server: %s", w.log);
    sio_use_http(w.server, note_client, NULL);
    world_raw(&w, "GET /socket.io/?" HANDSHAKE " HTTP/1.1\r\nHost: x\r\n"
                  "X-Forwarded-For: 192.0.2.1\r\n"
                  "X-Forwarded-Proto: https\r\n\r\n");
    world_raw(&w, "GET /socket.io/?" HANDSHAKE " HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK_MATCH(seen, "192.0.2.1 tls;127.0.0.1;");
    close_server();
}

static void test_uses(void)
{
    T_CASE("1.11 what a middleware can read");
    CHECK(echo_open(&w, &e, NULL), "no server");
    sio_engine_use_http(e.engine, use_accessors, &w);
    CHECK_MATCH(get(HANDSHAKE, ""), "HTTP/1.1 200 *");
    close_server();

    T_CASE("1.11 the most that can be added");
    CHECK(echo_open(&w, &e, NULL), "no server");
    sio_engine_use_http(e.engine, fill, NULL);
    CHECK_MATCH(get(HANDSHAKE, ""), "HTTP/1.1 200 *\r\na: vvvv*");
    close_server();

    T_CASE("1.11 a wrong answer is 500");
    CHECK(echo_open(&w, &e, NULL), "no server");
    sio_engine_use_http(e.engine, respond_badly, NULL);
    CHECK_MATCH(get(HANDSHAKE, ""), "HTTP/1.1 500 *Content-Length: 0\r\n*");
    close_server();
}

/* Pipelined behind a poll that waits: the answers keep their order. */
static void test_pipeline(void)
{
    char query[128], text[600];
    int fd;

    T_CASE("1.11 pipelined requests: what is added stays with its own");
    open_server(NULL);
    CHECK(echo_session(&w, query), "no session");
    fd = world_connect(&w);
    snprintf(text, sizeof text,
             "GET /engine.io/?%s HTTP/1.1\r\nHost: x\r\n\r\n"
             "GET /engine.io/?EIO=4&transport=y HTTP/1.1\r\nHost: x\r\n\r\n",
             query);
    world_write(&w, fd, text, strlen(text));
    CHECK(world_read(&w, fd) == 0, "%s", w.got);
    echo_send(&w, &e, "x");
    CHECK(world_read(&w, fd) > 0, "no answer");
    CHECK_MATCH(w.got, "HTTP/1.1 200 *" SECURITY "*4x"
                       "HTTP/1.1 400 *" SECURITY "*Transport unknown*");
    world_hang_up(&w, fd);
    close_server();
}

/* A POST through a middleware that decides late, every allocation of it
 * failing once: the client gets an answer or an end, and nothing is left. */
static bool run(long n)
{
    char query[160];
    bool failed;
    int fd;

    open_server(NULL);
    CHECK(echo_session(&w, query), "no session");
    oom_arm(n);
    fd = world_connect(&w);
    if (fd >= 0) {
        kept = NULL;
        snprintf(w.got, sizeof w.got,
                 "POST /engine.io/?%s&how=keep HTTP/1.1\r\nHost: x\r\n"
                 "Content-Length: 3\r\n\r\n4hi",
                 query);
        world_write(&w, fd, w.got, strlen(w.got));
        if (kept)
            next_elsewhere(kept);
        CHECK(world_read(&w, fd) != 0, "n = %ld: neither answer nor end", n);
        world_hang_up(&w, fd);
    }
    get(HANDSHAKE "&how=503", "");
    get(HANDSHAKE "&how=fail", "");
    get("EIO=4&transport=websocket", UPGRADE);
    failed = oom_disarm();
    world_advance(&w, 60000);
    world_check_empty(&w);
    CHECK_SERVES(&w);
    close_server();
    return failed;
}

static void add_only(sio_http_call *call, void *user)
{
    (void)user;
    sio_call_add_header(call, "X-Content-Type-Options", "nosniff");
    sio_call_next(call);
}

static void test_out_of_memory(void)
{
    long n = 0;

    T_CASE("1.11 every allocation fails once");
    while (n < 1000 && run(n))
        n++;
    CHECK(n > 10 && n < 1000, "%ld allocations", n);
}

/* What a request costs: without middlewares nothing more than before. */
static void test_costs(void)
{
    long without, with, before;

    T_CASE("cost: allocations of a refused request, without and with");
    CHECK(echo_open(&w, &e, NULL), "no server");
    for (int i = 0; i < 3; i++)
        get("EIO=4&transport=x", "");
    before = oom_count();
    get("EIO=4&transport=x", "");
    without = oom_count() - before;
    sio_engine_use_http(e.engine, add_only, NULL);
    get("EIO=4&transport=x", "");
    before = oom_count();
    get("EIO=4&transport=x", "");
    with = oom_count() - before;
    CHECK(with == without + 2, "%ld and %ld", without, with);
    close_server();
}

int main(void)
{
    test_headers();
    test_endings();
    test_body_limit();
    test_later();
    test_too_late();
    test_posts();
    test_budget();
    test_get_with_body();
    test_socketio();
    test_static_cors();
    test_uses();
    test_proxied();
    test_pipeline();
    test_out_of_memory();
    test_costs();
    return t_done();
}
