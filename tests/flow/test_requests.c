/*
 * test_requests.c -- which HTTP requests are Engine.IO's, which of them are
 * refused and how, CORS, and the handshake over polling. Section numbers are
 * those of the protocol notes.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sio/sio.h>

#include <stdlib.h>

#include "tests/flow/echo.h"

#define RS "\x1e"
#define POLLING "EIO=4&transport=polling"

static struct world w;
static struct echo e;

static void open_echo(const sio_options *o)
{
    CHECK(echo_open(&w, &e, o), "no server");
}

static void close_echo(void)
{
    CHECK_SERVES(&w);
    world_check_empty(&w);
    world_close(&w);
}

static int ask(const char *method, const char *target, const char *body)
{
    int status;

    world_request(&w, method, target, body, &status);
    return status;
}

/* ------------------------------------------------------------- requests -- */

/* 1.1: a prefix test on the raw target. */
static void test_paths(void)
{
    static const struct {
        const char *path, *target;
        int status;
        bool no_slash; /* add_trailing_slash false */
    } rows[] = {
        { "/engine.io", "/engine.io?" POLLING, 200, true },
        { "/engine.io", "/engine.io/?" POLLING, 200, true },
        { "/engine.io", "/engine.iofoo?" POLLING, 200, true },
        { "/engine.io", "/engine.io/foo/bar/?" POLLING, 200, true },
        { "/engine.io/", "/engine.io?" POLLING, 200, true },
        { "/engine.io", "/engine.i?" POLLING, 404, true },
        { "/engine.io", "/engine?" POLLING, 404, true },
        { "/engine.io//", "/engine.io/?" POLLING, 200, true },
        { "/engine.io//", "/engine.io?" POLLING, 404, true },
        { "/", "/?" POLLING, 200, true },
        { "/", "/anything?" POLLING, 200, true },
        { "/engine.io//", "/engine.io//?" POLLING, 200, false },
        { "/engine.io//", "/engine.io/?" POLLING, 404, false },
        { "/engine.io", "http://h/engine.io/?" POLLING, 404, false },
        { "/engine.io", "/engine.io/?" POLLING, 200, false },
        { "/engine.io/", "/engine.io/?" POLLING, 200, false },
        { "/engine.io", "/engine.io/foo/bar?" POLLING, 200, false },
        { "/engine.io", "/engine.io/default/?" POLLING, 200, false },
        { "/engine.io", "/engine.io/", 400, false },
        { "/engine.io", "/engine.io?" POLLING, 404, false },
        { "/engine.io", "/engine.io", 404, false },
        { "/engine.io", "/Engine.IO/?" POLLING, 404, false },
        { "/engine.io", "/%65ngine.io/?" POLLING, 404, false },
        { "/engine.io", "/engine.iox/?" POLLING, 404, false },
        { "/engine.io", "//engine.io/?" POLLING, 404, false },
        { "/engine.io", "/", 404, false },
        { "/foo", "/foo/?" POLLING, 200, false },
        { "/foo/", "/foo/x?" POLLING, 200, false },
        { "/foo", "/foo?" POLLING, 404, false },
        { "/foo", "/foox/?" POLLING, 404, false },
        { "/", "/?" POLLING, 200, false },
        { "/", "/anything?" POLLING, 200, false },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        sio_options o;
        int got;

        T_CASE("1.1 %s path %s, request %s",
               rows[i].no_slash ? "E47 E48" : "E163 E168", rows[i].path,
               rows[i].target);
        sio_options_init(&o);
        o.path = rows[i].path;
        o.add_trailing_slash = !rows[i].no_slash;
        open_echo(&o);
        got = ask("GET", rows[i].target, NULL);
        CHECK(got == rows[i].status, "got %d", got);
        world_close(&w);
    }
}

/* 1.2 to 1.4: the query, the order of checks, the answers. */
static void test_refusals(void)
{
    static const char unknown_transport[] =
        "{\"code\":0,\"message\":\"Transport unknown\"}";
    static const char unknown_sid[] =
        "{\"code\":1,\"message\":\"Session ID unknown\"}";
    static const char bad_method[] =
        "{\"code\":2,\"message\":\"Bad handshake method\"}";
    static const char bad_request[] =
        "{\"code\":3,\"message\":\"Bad request\"}";
    static const char unsupported[] =
        "{\"code\":5,\"message\":\"Unsupported protocol version\"}";
    static const char opened[] = "0{\"sid\":\"*\"*}";
    /* clang-format off */
    static const struct {
        const char *name, *method, *query, *body;
    } rows[] = {
        { "E1 unknown transport", "GET", "EIO=4&transport=tobi", unknown_transport },
        { "E2 transport=constructor", "GET", "EIO=4&transport=constructor", unknown_transport },
        { "E10 transport=__proto__", "GET", "EIO=4&transport=__proto__", unknown_transport },
        { "CVE-2023-31125 transport=__proto__ with a sid", "GET", "EIO=4&transport=__proto__&sid=x", unknown_transport },
        { "E191 no transport", "GET", "EIO=4", unknown_transport },
        { "E163 no query", "GET", "", unknown_transport },
        { "webtransport is not spoken", "GET", "EIO=4&transport=webtransport", unknown_transport },
        { "transport is case-sensitive", "GET", "EIO=4&transport=Polling", unknown_transport },
        { "E3 unknown sid", "GET", POLLING "&sid=test", unknown_sid },
        { "E3 unknown sid, POST", "POST", POLLING "&sid=test", unknown_sid },
        { "CVE-2026-59724 sid=__proto__", "GET", POLLING "&sid=__proto__", unknown_sid },
        { "CVE-2026-102600 sid=constructor", "GET", POLLING "&sid=constructor", unknown_sid },
        { "unknown sid goes before the version", "GET", "EIO=3&transport=polling&sid=test", unknown_sid },
        { "E192 POST without sid", "POST", POLLING, bad_method },
        { "E192 PUT without sid", "PUT", POLLING, bad_method },
        { "DELETE without sid", "DELETE", POLLING, bad_method },
        { "E44 OPTIONS without CORS", "OPTIONS", POLLING, bad_method },
        { "E41 websocket without upgrade", "GET", "EIO=4&transport=websocket", bad_request },
        { "the method goes before the upgrade", "POST", "EIO=4&transport=websocket", bad_method },
        { "E45 EIO=3", "GET", "EIO=3&transport=polling", unsupported },
        { "E191 no EIO", "GET", "transport=polling", unsupported },
        { "E191 EIO=5", "GET", "EIO=5&transport=polling", unsupported },
        { "EIO=04", "GET", "EIO=04&transport=polling", unsupported },
        { "the key EIO is case-sensitive", "GET", "eio=4&transport=polling", unsupported },
        { "; separates nothing", "GET", "EIO=4;transport=polling", unknown_transport },
        { "the last duplicate wins: sid", "GET", POLLING "&sid=bogus&sid=", opened },
        { "the last duplicate wins: EIO", "GET", "EIO=3&EIO=4&transport=polling", opened },
        { "the last duplicate wins: EIO=3", "GET", "EIO=4&EIO=3&transport=polling", unsupported },
        { "empty sid is a handshake", "GET", POLLING "&sid=", opened },
        { "%XX is decoded", "GET", "%45IO=%34&transport=%70olling", opened },
        { "a bad % stays", "GET", "EIO=4&transport=polling&x=%zz", opened },
        { "a bad % in the value stays", "GET", "EIO=%4&transport=polling", unsupported },
        { "E39 extra keys, t, b64, ampersands", "GET", "&&a=b&t=x&b64=1&" POLLING "&=", opened },
        { "a very long transport", "GET", "EIO=4&transport=pollingpollingpollingpollingpollingpollingpollingpollingpolling", unknown_transport },
    };
    /* clang-format on */

    for (size_t i = 0; i < COUNT(rows); i++) {
        bool open = rows[i].body == opened;
        char target[256];
        const char *body;
        int status;

        T_CASE("1.2 1.3 1.4 %s", rows[i].name);
        open_echo(NULL);
        snprintf(target, sizeof target, "/engine.io/?%s", rows[i].query);
        body = world_request(&w, rows[i].method, target, NULL, &status);
        CHECK(status == (open ? 200 : 400), "status %d", status);
        CHECK_MATCH(body, rows[i].body);
        if (!open)
            CHECK_MATCH(w.got, "*\r\nContent-Type: application/json\r\n*"
                               "\r\nConnection: keep-alive\r\n*");
        CHECK(e.opened == open, "%zu sessions", e.opened);
        world_close(&w);
    }
}

static void test_refusal_bytes(void)
{
    char query[128], target[160];
    static const char *const methods[] = { "PUT", "PATCH", "DELETE", "OPTIONS",
                                           "HEAD" };

    T_CASE("1.4 the whole refusal, and HEAD without its body");
    open_echo(NULL);
    CHECK_MATCH(world_raw(&w, "GET /engine.io/?EIO=4&transport=x HTTP/1.1\r\n"
                              "Host: x\r\n\r\n"),
                "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\n"
                "Content-Length: 40\r\nDate: * GMT\r\n"
                "Connection: keep-alive\r\nKeep-Alive: timeout=5\r\n\r\n"
                "{\"code\":0,\"message\":\"Transport unknown\"}");
    CHECK_MATCH(world_raw(&w, "HEAD /engine.io/?" POLLING " HTTP/1.1\r\n"
                              "Host: x\r\n\r\n"),
                "HTTP/1.1 400 Bad Request\r\n*Content-Length: 43\r\n*\r\n\r\n");
    close_echo();

    for (size_t i = 0; i < COUNT(methods); i++) {
        T_CASE("1.4 %s with a sid: 500, and the session lives", methods[i]);
        open_echo(NULL);
        CHECK(echo_session(&w, query), "no session");
        snprintf(target, sizeof target, "/engine.io/?%s", query);
        CHECK_MATCH(world_raw(&w, "%s %s HTTP/1.1\r\nHost: x\r\n\r\n",
                              methods[i], target),
                    "HTTP/1.1 500 *Content-Length: 0\r\n*\r\n\r\n");
        CHECK_MATCH(world_post(&w, query, "4a"), "ok");
        CHECK_MATCH(world_get(&w, query), "4a");
        world_post(&w, query, "1");
        close_echo();
    }

    T_CASE("E36 E37 E38 transport=websocket without upgrade on a session");
    open_echo(NULL);
    CHECK(echo_session(&w, query), "no session");
    snprintf(target, sizeof target, "/engine.io/?%s&transport=websocket",
             query);
    CHECK(ask("GET", target, NULL) == 400, "got %s", w.got);
    CHECK_MATCH(w.got, "*{\"code\":3,\"message\":\"Bad request\"}");
    CHECK(strstr(w.log, "TRANSPORT_MISMATCH"), "log: %s", w.log);
    CHECK_MATCH(world_post(&w, query, "4a"), "ok");
    CHECK_MATCH(world_get(&w, query), "4a");
    world_post(&w, query, "1");
    close_echo();

    T_CASE("CVE-2026-102599 another EIO than the session's: refused, it lives");
    open_echo(NULL);
    CHECK(echo_session(&w, query), "no session");
    for (int i = 0; i < 3; i++) {
        static const char *const eio[] = { "&EIO=3", "&EIO=", "&EIO=5" };

        snprintf(target, sizeof target, "/engine.io/?%s%s", query, eio[i]);
        CHECK(ask("POST", target, "4a") == 400, "got %s", w.got);
        CHECK_MATCH(w.got, "*{\"code\":3,\"message\":\"Bad request\"}");
        CHECK(ask("GET", target, NULL) == 400, "got %s", w.got);
    }
    CHECK_MATCH(e.seen, "open;");
    world_post(&w, query, "1");
    close_echo();
}

/* 1.8: as HTTP lets them through. */
static void test_origin(void)
{
    static const struct {
        const char *name, *origin;
        int status;
    } rows[] = {
        { "plain", "http://a.b", 200 },
        { "TAB", "a\tb", 200 },
        { "UTF-8", "http://\xc3\xa9.b", 200 },
        { "DEL",
          "a\x7f"
          "b",
          400 },
        { "E43 control",
          "a\x01"
          "b",
          400 },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        char want[32];

        T_CASE("1.8 Origin: %s", rows[i].name);
        open_echo(NULL);
        snprintf(want, sizeof want, "HTTP/1.1 %d *", rows[i].status);
        CHECK_MATCH(world_raw(&w,
                              "GET /engine.io/?" POLLING " HTTP/1.1\r\n"
                              "Host: x\r\nOrigin: %s\r\n\r\n",
                              rows[i].origin),
                    want);
        CHECK(!strstr(w.got, "Access-Control"), "got %s", w.got);
        world_close(&w);
    }
}

static void test_cors(void)
{
    sio_options o;

    T_CASE("CVE-2020-28481 no CORS field by default, no Origin reflected");
    open_echo(NULL);
    CHECK_MATCH(world_raw(&w, "GET /engine.io/?" POLLING " HTTP/1.1\r\n"
                              "Host: x\r\nOrigin: http://evil\r\n\r\n"),
                "HTTP/1.1 200 OK\r\n*");
    CHECK(!strstr(w.got, "evil"), "got %s", w.got);
    CHECK(!strstr(w.got, "ccess-"), "got %s", w.got);
    CHECK_SERVES(&w);
    world_close(&w);

    sio_options_init(&o);
    o.cors_origin = "*";
    T_CASE("1.9 E155 origin \"*\": on success, on errors, no Vary");
    open_echo(&o);
    world_raw(&w, "GET /engine.io/?" POLLING " HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK_MATCH(w.got, "HTTP/1.1 200 OK\r\n*cache-control: no-store\r\n"
                       "Access-Control-Allow-Origin: *\r\n*");
    CHECK(!strstr(w.got, "Vary"), "got %s", w.got);
    world_raw(&w, "GET /engine.io/?EIO=4 HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK_MATCH(w.got, "HTTP/1.1 400 *Access-Control-Allow-Origin: *\r\n*");
    world_close(&w);

    o.cors_origin = "http://a.b";
    T_CASE("1.9 E42 E154 one origin: that one, whoever asks, and Vary");
    open_echo(&o);
    world_raw(&w, "GET /engine.io/?" POLLING " HTTP/1.1\r\nHost: x\r\n"
                  "Origin: http://other\r\n\r\n");
    CHECK_MATCH(w.got, "HTTP/1.1 200 OK\r\n*"
                       "Access-Control-Allow-Origin: http://a.b\r\n"
                       "Vary: Origin\r\n*");
    T_CASE("1.9 E153 preflight");
    CHECK_MATCH(world_raw(&w, "OPTIONS /engine.io/?x HTTP/1.1\r\nHost: x\r\n"
                              "Access-Control-Request-Headers: x-foo,x-bar\r\n"
                              "\r\n"),
                "HTTP/1.1 204 No Content\r\n"
                "Access-Control-Allow-Origin: http://a.b\r\n"
                "Vary: Origin*\r\n"
                "Access-Control-Allow-Methods: GET,HEAD,PUT,PATCH,POST,DELETE"
                "\r\nAccess-Control-Allow-Headers: x-foo,x-bar\r\n*\r\n\r\n");
    world_close(&w);
}

/* ------------------------------------------------------------ handshake -- */

static void test_handshake(void)
{
    sio_options o;

    T_CASE("2.1 2.5 E22 E27 E190 the whole answer to a handshake");
    open_echo(NULL);
    CHECK_MATCH(world_raw(&w, "GET /engine.io/?" POLLING " HTTP/1.1\r\n"
                              "Host: x\r\n\r\n"),
                "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=UTF-8"
                "\r\nContent-Length: 118\r\ncache-control: no-store\r\n"
                "Date: * GMT\r\nConnection: keep-alive\r\n"
                "Keep-Alive: timeout=5\r\n\r\n"
                "0{\"sid\":\"*\",\"upgrades\":[\"websocket\"],"
                "\"pingInterval\":25000,\"pingTimeout\":20000,"
                "\"maxPayload\":1000000}");
    world_close(&w);

    T_CASE("2.1 E28 the options of the handshake");
    sio_options_init(&o);
    o.ping_interval_ms = 300;
    o.ping_timeout_ms = 123;
    o.max_http_buffer_size = 10;
    open_echo(&o);
    CHECK_MATCH(world_get(&w, POLLING),
                "0{\"sid\":\"*\",\"upgrades\":[\"websocket\"],"
                "\"pingInterval\":300,\"pingTimeout\":123,\"maxPayload\":10}");
    world_close(&w);
}

static void test_offers(void)
{
    sio_options o;

    T_CASE("2.2 allow_upgrades off: nothing is offered");
    sio_options_init(&o);
    o.allow_upgrades = false;
    open_echo(&o);
    CHECK_MATCH(world_get(&w, POLLING), "0{\"sid\":\"*\",\"upgrades\":[],*}");
    world_close(&w);

    T_CASE("2.2 E33 E34 a server of polling alone offers nothing");
    sio_options_init(&o);
    o.transports = SIO_TRANSPORT_POLLING;
    open_echo(&o);
    CHECK_MATCH(world_get(&w, POLLING), "0{\"sid\":\"*\",\"upgrades\":[],*}");
    CHECK_MATCH(world_get(&w, "EIO=4&transport=websocket"), "{\"code\":0,*");
    T_CASE("1.5 there an upgrade is a GET like any other");
    CHECK_MATCH(world_raw(&w, "GET /engine.io/?EIO=4&transport=websocket "
                              "HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
                              "Connection: Upgrade\r\n"
                              "Sec-WebSocket-Version: 13\r\n"
                              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
                              "\r\n\r\n"
                              "GET /engine.io/?EIO=4 HTTP/1.1\r\nHost: x\r\n"
                              "\r\n"),
                "HTTP/1.1 400 *Connection: keep-alive\r\n*\r\n\r\n"
                "{\"code\":0,\"message\":\"Transport unknown\"}"
                "HTTP/1.1 400 *{\"code\":0,\"message\":\"Transport unknown\"}");
    world_close(&w);

    T_CASE("2.2 a server of WebSocket alone refuses polling");
    sio_options_init(&o);
    o.transports = SIO_TRANSPORT_WEBSOCKET;
    open_echo(&o);
    CHECK_MATCH(world_get(&w, POLLING), "{\"code\":0,*");
    close_echo();
}

static void test_sids(void)
{
    char first[24], second[24];

    T_CASE("2.3 the first sid ends in AAAA, the next in AAAB");
    open_echo(NULL);
    CHECK(world_session(&w, first) && world_session(&w, second), "no session");
    CHECK_MATCH(first, "*AAAA");
    CHECK_MATCH(second, "*AAAB");
    CHECK(strlen(first) == 20 &&
              strspn(first, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrs"
                            "tuvwxyz0123456789-_") == 20,
          "sid %s", first);
    CHECK(memcmp(first, second, 8) != 0, "%s and %s", first, second);
    world_close(&w);
}

static void test_connections(void)
{
    T_CASE("2.5 E64 Connection: close and HTTP/1.0 end only the connection");
    open_echo(NULL);
    CHECK_MATCH(world_raw(&w, "GET /engine.io/?" POLLING " HTTP/1.1\r\n"
                              "Host: x\r\nConnection: close\r\n\r\n"),
                "HTTP/1.1 200 OK\r\n*\r\nConnection: close\r\n\r\n0{*}");
    CHECK_MATCH(world_raw(&w, "GET /engine.io/?" POLLING " HTTP/1.0\r\n\r\n"),
                "HTTP/1.1 200 OK\r\n*\r\nConnection: close\r\n\r\n0{*}");
    CHECK_MATCH(e.seen, "open;open;");
    world_close(&w);
}

static void test_greeting(void)
{
    char first[24];

    T_CASE("2.6 E46 what on_open sends comes with the next poll, in one piece");
    open_echo(NULL);
    e.greeting = "faster!";
    CHECK(echo_session(&w, (char[128]){ 0 }), "no session");
    echo_send(&w, &e, "x");
    snprintf(first, sizeof first, "%s", sio_session_id(e.session));
    {
        char query[128];

        snprintf(query, sizeof query, POLLING "&sid=%s", first);
        CHECK_MATCH(world_get(&w, query), "4faster!" RS "4x");
    }
    world_close(&w);
}

static int by_bytes(const void *a, const void *b)
{
    return memcmp(a, b, 20);
}

static void test_ids(void)
{
    enum { N = 100000 };
    char(*ids)[20] = malloc((size_t)N * 20);
    size_t same = 0, prefix = 0;

    T_CASE("CVE-2017-16031 100000 ids: none twice, none alike");
    open_echo(NULL);
    CHECK(ids, "out of memory");
    for (int i = 0; ids && i < N; i++) {
        char sid[24];

        if (!world_session(&w, sid))
            break;
        memcpy(ids[i], sid, 20);
        sio_session_close(e.session);
        if (i % 1000 == 0)
            world_advance(&w, 30001);
    }
    qsort(ids, N, 20, by_bytes);
    for (int i = 1; i < N; i++) {
        same += memcmp(ids[i - 1], ids[i], 20) == 0;
        prefix += memcmp(ids[i - 1], ids[i], 8) == 0;
    }
    CHECK(e.opened == N, "%zu sessions", e.opened);
    CHECK(same == 0 && prefix == 0, "%zu same, %zu alike", same, prefix);
    free(ids);
    world_advance(&w, 30001);
    close_echo();
}

/* 4.9: Internet Explorer looks for markup in what it is not to. */
static void test_old_browsers(void)
{
    static const struct {
        const char *agent;
        bool guarded;
    } rows[] = {
        { "Mozilla/4.0 (compatible;MSIE 8.0)", true },
        { "Mozilla/5.0 (Windows NT 6.1; Trident/7.0; rv:11.0)", true },
        { "Mozilla/4.0 (compatible; MSIE 8.0)", false },
        { "Firefox", false },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *xss;

        T_CASE("4.9 E144 E145 User-Agent %s", rows[i].agent);
        open_echo(NULL);
        world_raw(&w,
                  "GET /engine.io/?" POLLING " HTTP/1.1\r\nHost: x\r\n"
                  "User-Agent: %s\r\n\r\n",
                  rows[i].agent);
        CHECK_MATCH(w.got, "HTTP/1.1 200 OK\r\n*");
        xss = strstr(w.got, "\r\nX-XSS-Protection: 0\r\ncache-control: ");
        CHECK(!xss == !rows[i].guarded, "got %s", w.got);
        world_close(&w);
    }
}

int main(void)
{
    test_paths();
    test_refusals();
    test_refusal_bytes();
    test_origin();
    test_cors();
    test_handshake();
    test_offers();
    test_sids();
    test_connections();
    test_greeting();
    test_ids();
    test_old_browsers();
    return t_done();
}
