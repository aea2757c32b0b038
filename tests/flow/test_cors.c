/*
 * test_cors.c -- CORS by patterns, and decided for each request.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sio/sio.h>

#include "tests/flow/echo.h"

#include <pthread.h>
#include <stdlib.h>

#define HANDSHAKE "EIO=4&transport=polling"
#define PREFLIGHT_FIELDS "Access-Control-Request-Headers: x-foo,x-bar\r\n"
#define UPGRADE                                     \
    "Connection: Upgrade\r\nUpgrade: websocket\r\n" \
    "Sec-WebSocket-Version: 13\r\n"                 \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

static struct world w;
static struct echo e;
static sio_http_call *kept;
static int asked;
static char errors[256];

static const char *ask(const char *method, const char *target,
                       const char *fields)
{
    return world_raw(&w, "%s %s HTTP/1.1\r\nHost: x\r\n%s\r\n", method, target,
                     fields);
}

static void check_field(const char *line, bool wanted)
{
    char text[256];

    snprintf(text, sizeof text, "\r\n%s", line);
    CHECK(!strstr(w.got, text) == !wanted, "%s%s in: %s", wanted ? "no " : "",
          line, w.got);
}

/* ------------------------------------------------------------- patterns -- */

static void test_patterns(void)
{
    static const char *const texts[] = { "^https://([a-z]+\\.)?a\\.b$",
                                         "//localhost:[0-9]+$" };
    static const char *const list[] = { "http://exact" };
    static char longest[HTTP_CORS_ORIGIN_MAX + 2];
    static const struct {
        const char *origin;
        bool allowed;
    } rows[] = {
        { "https://a.b", true },
        { "https://www.a.b", true },
        { "https://www.a.b.evil", false },
        { "https://wwwxa.b", false },
        { "https://axb", false },
        { "http://localhost:3000", true },
        { "http://localhost:", false },
        { "http://exact", true },
        { "http://exact.evil", false },
        { "null", false },
        { longest, true },
        { NULL, false },
    };
    sio_options o;

    memset(longest, 'a', sizeof longest - 1);
    memcpy(longest, "x://localhost:", 14);
    memset(longest + 14, '7', HTTP_CORS_ORIGIN_MAX - 14);
    longest[HTTP_CORS_ORIGIN_MAX] = 0;
    sio_options_init(&o);
    o.cors_origins = list;
    o.cors_origin_count = COUNT(list);
    o.cors_origin_patterns = texts;
    o.cors_origin_pattern_count = COUNT(texts);
    CHECK(world_open(&w, &o), "no server: %s", w.log);
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *origin = rows[i].origin;
        char fields[700] = "", want[700];

        T_CASE("1.9 patterns: %.40s", origin ? origin : "no Origin");
        if (origin)
            snprintf(fields, sizeof fields, "Origin: %s\r\n", origin);
        snprintf(want, sizeof want, "Access-Control-Allow-Origin: %s\r\n",
                 origin ? origin : "");
        ask("GET", "/socket.io/?" HANDSHAKE, fields);
        CHECK(strstr(w.got, " 200 "), "%s", w.got);
        CHECK(!strstr(w.got, want) == !rows[i].allowed, "%s", w.got);
        CHECK(!strstr(w.got, "Allow-Origin") == !rows[i].allowed, "%s", w.got);
        check_field("Vary: Origin\r\n", true);
    }
    T_CASE("1.9 patterns: an Origin that is too long fits none");
    longest[HTTP_CORS_ORIGIN_MAX] = '7';
    {
        char fields[700];

        snprintf(fields, sizeof fields, "Origin: %s\r\n", longest);
        ask("GET", "/socket.io/?" HANDSHAKE, fields);
        CHECK(!strstr(w.got, "Allow-Origin"), "%s", w.got);
    }
    world_close(&w);

    T_CASE("1.9 patterns alone; of an engine");
    sio_options_init(&o);
    o.cors_origin_patterns = texts;
    o.cors_origin_pattern_count = COUNT(texts);
    CHECK(echo_open(&w, &e, &o), "no server");
    ask("GET", "/engine.io/?" HANDSHAKE, "Origin: https://a.b\r\n");
    check_field("Access-Control-Allow-Origin: https://a.b\r\n", true);
    world_close(&w);
}

/* ----------------------------------------------------------- by request -- */

static void on_error(const sio_connection_error *error, void *user)
{
    (void)user;
    snprintf(errors, sizeof errors, "%d %s %s", error->code, error->name,
             error->error ? error->error : "");
}

/* What the query says, if anything. */
static void decide(sio_http_call *call, void *user)
{
    char how[16] = "";
    sio_cors cors;

    CHECK(user == &w, "user");
    asked++;
    sio_cors_init(&cors);
    sio_call_query(call, "cors", how, sizeof how);
    if (strcmp(how, "yes") == 0) {
        sio_call_allow_origin(call, NULL);
    } else if (strcmp(how, "any") == 0) {
        sio_call_allow_origin(call, "*");
    } else if (strcmp(how, "text") == 0) {
        sio_call_allow_origin(call, "http://x.y");
    } else if (strcmp(how, "all") == 0) {
        cors.methods = "GET,PUT,POST";
        cors.allowed_headers = "my-header";
        cors.exposed_headers = "my-exposed-header";
        cors.credentials = true;
        cors.success_status = 200;
        cors.max_age_s = 123;
        CHECK(sio_call_cors(call, &cors) == SIO_OK, "refused");
    } else if (strcmp(how, "continue") == 0) {
        cors.preflight_continue = true;
        sio_call_cors(call, &cors);
    } else if (strcmp(how, "line") == 0) {
        CHECK(sio_call_allow_origin(call, "a\r\nb") == SIO_E_INVAL, "taken");
    } else if (strcmp(how, "status") == 0) {
        cors.success_status = 300;
        CHECK(sio_call_cors(call, &cors) == SIO_E_INVAL, "taken");
    } else if (strcmp(how, "fail") == 0) {
        sio_call_fail(call, "cannot tell");
    } else if (strcmp(how, "keep") == 0) {
        kept = call;
    } else {
        sio_call_next(call);
    }
}

static void open_server(void)
{
    sio_options o;

    asked = 0;
    kept = NULL;
    errors[0] = 0;
    sio_options_init(&o);
    o.cors_request = decide;
    o.cors_credentials = true;
    o.hook_user = &w;
    o.on_connection_error = on_error;
    o.client_dir = "node_modules/socket.io/client-dist";
    CHECK(world_open(&w, &o), "no server: %s", w.log);
}

static void close_server(void)
{
    world_advance(&w, 60000);
    world_check_empty(&w);
    world_close(&w);
}

static void test_by_request(void)
{
    /* NULL: no such field */
    static const struct {
        const char *how, *origin, *vary, *vary_preflight;
        bool credentials;
        int get, preflight;
    } rows[] = {
        { "yes", "http://a.b", "Origin",
          "Origin, Access-Control-Request-Headers", true, 200, 204 },
        { "any", "*", NULL, "Access-Control-Request-Headers", true, 200, 204 },
        { "text", "http://x.y", "Origin",
          "Origin, Access-Control-Request-Headers", true, 200, 204 },
        { "all", "http://a.b", "Origin", "Origin", true, 200, 200 },
        { "continue", "http://a.b", "Origin",
          "Origin, Access-Control-Request-Headers", false, 200, 400 },
        { "no", NULL, NULL, NULL, false, 200, 400 },
        { "fail", NULL, NULL, NULL, false, 400, 400 },
        { "line", NULL, NULL, NULL, false, 400, 400 },
        { "status", NULL, NULL, NULL, false, 400, 400 },
    };

    for (size_t i = 0; i < COUNT(rows) * 2; i++) {
        bool preflight = i % 2;
        const char *vary =
            preflight ? rows[i / 2].vary_preflight : rows[i / 2].vary;
        const char *origin = rows[i / 2].origin;
        int status = preflight ? rows[i / 2].preflight : rows[i / 2].get;
        char target[80], line[100];

        T_CASE("1.9 by request: %s, %s", rows[i / 2].how,
               preflight ? "preflight" : "handshake");
        open_server();
        snprintf(target, sizeof target, "/socket.io/?" HANDSHAKE "&cors=%s",
                 rows[i / 2].how);
        ask(preflight ? "OPTIONS" : "GET", target,
            "Origin: http://a.b\r\n" PREFLIGHT_FIELDS);
        CHECK(atoi(w.got + 9) == status, "%s", w.got);
        snprintf(line, sizeof line, "Access-Control-Allow-Origin: %s\r\n",
                 origin ? origin : "");
        check_field(origin ? line : "Access-Control-Allow-Origin",
                    origin != NULL);
        snprintf(line, sizeof line, "Vary: %s\r\n", vary ? vary : "");
        check_field(vary ? line : "Vary", vary != NULL);
        check_field("Access-Control-Allow-Credentials: true\r\n",
                    rows[i / 2].credentials);
        check_field("Access-Control-Allow-Methods", preflight && origin);
        CHECK(asked == 1, "%d", asked);
        close_server();
    }

    T_CASE("E157 1.9 by request: all of a preflight");
    open_server();
    CHECK_MATCH(ask("OPTIONS", "/socket.io/?cors=all",
                    "Origin: http://a.b\r\n" PREFLIGHT_FIELDS),
                "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"
                "Access-Control-Allow-Origin: http://a.b\r\n"
                "Vary: Origin\r\n"
                "Access-Control-Allow-Credentials: true\r\n"
                "Access-Control-Allow-Methods: GET,PUT,POST\r\n"
                "Access-Control-Allow-Headers: my-header\r\n"
                "Access-Control-Max-Age: 123\r\n"
                "Access-Control-Expose-Headers: my-exposed-header\r\n*");
    close_server();

    T_CASE("1.9 by request: an error is 400, code 3, and told once");
    open_server();
    CHECK_MATCH(ask("GET", "/socket.io/?" HANDSHAKE "&cors=fail", ""),
                "HTTP/1.1 400 *{\"code\":3,\"message\":\"Bad request\"}");
    CHECK_MATCH(errors, "3 MIDDLEWARE_FAILURE cannot tell");
    close_server();

    T_CASE("1.9 by request: on the 101; OPTIONS with an upgrade is dropped");
    open_server();
    CHECK_MATCH(ask("GET", "/socket.io/?EIO=4&transport=websocket&cors=yes",
                    "Origin: http://a.b\r\n" UPGRADE),
                "HTTP/1.1 101 *Access-Control-Allow-Origin: http://a.b\r\n"
                "Vary: Origin\r\n"
                "Access-Control-Allow-Credentials: true\r\n\r\n*");
    CHECK_MATCH(ask("OPTIONS", "/socket.io/?cors=yes", UPGRADE), "");
    close_server();
}

static void *allow_elsewhere(void *call)
{
    char origin[16] = "http://x.y";

    sio_call_allow_origin(call, origin);
    memset(origin, 'x', sizeof origin); /* it was copied */
    return NULL;
}

static void test_later(void)
{
    static const char request[] =
        "GET /socket.io/?" HANDSHAKE "&cors=keep HTTP/1.1\r\nHost: x\r\n\r\n";

    for (int gone = 0; gone < 2; gone++) {
        pthread_t thread;
        int fd;

        T_CASE("1.9 by request: decided by another thread%s",
               gone ? ", the client has gone" : "");
        open_server();
        fd = world_connect(&w);
        world_write(&w, fd, request, sizeof request - 1);
        CHECK(world_read(&w, fd) == 0 && kept, "%s", w.got);
        if (gone)
            world_hang_up(&w, fd);
        pthread_create(&thread, NULL, allow_elsewhere, kept);
        pthread_join(thread, NULL);
        if (!gone) {
            CHECK(world_read(&w, fd) > 0, "no answer");
            check_field("Access-Control-Allow-Origin: http://x.y\r\n", true);
            world_hang_up(&w, fd);
        }
        close_server();
    }
}

static void test_bundle(void)
{
    T_CASE("E207 1.9 by request: the client bundle");
    open_server();
    ask("GET", "/socket.io/socket.io.js?cors=yes", "Origin: http://a.b\r\n");
    CHECK_MATCH(w.got, "HTTP/1.1 200 *Content-Type: application/javascript*"
                       "Access-Control-Allow-Origin: http://a.b\r\n*");
    ask("GET", "/socket.io/socket.io.js?cors=no", "Origin: http://a.b\r\n");
    CHECK_MATCH(w.got, "HTTP/1.1 200 *");
    CHECK(!strstr(w.got, "Allow-Origin"), "%s", w.got);
    ask("OPTIONS", "/socket.io/socket.io.js?cors=yes",
        "Origin: http://a.b\r\n");
    CHECK_MATCH(w.got, "HTTP/1.1 204 *");
    ask("GET", "/socket.io/socket.io.js?cors=fail", "");
    CHECK_MATCH(w.got, "HTTP/1.1 400 *");
    ask("GET", "/socket.io/socket.io.nope.js", "");
    CHECK_MATCH(w.got, "HTTP/1.1 400 *Transport unknown*");
    close_server();
}

int main(void)
{
    test_patterns();
    test_by_request();
    test_later();
    test_bundle();
    return t_done();
}
