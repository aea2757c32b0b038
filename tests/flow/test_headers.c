/*
 * test_headers.c -- what options add to answers: CORS fields, the cookie, the
 * first message. Checklist items of Engine.IO 11.2, 11.3, 11.10.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sio/sio.h>

#include "tests/flow/world.h"

#define GET_OPEN \
    "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: t\r\n"
#define PREFLIGHT                                 \
    "OPTIONS /socket.io/ HTTP/1.1\r\nHost: t\r\n" \
    "Access-Control-Request-Method: POST\r\n"     \
    "Access-Control-Request-Headers: x-foo,x-bar\r\n"

/* The answer to one request, in w->got. */
static void ask(struct world *w, const char *head, const char *origin)
{
    char text[1024];
    int fd = world_connect(w);
    int n = snprintf(text, sizeof text, "%s%s%s%s\r\n", head,
                     origin ? "Origin: " : "", origin ? origin : "",
                     origin ? "\r\n" : "");

    world_write(w, fd, text, (size_t)n);
    world_read(w, fd);
    world_hang_up(w, fd);
}

static void check_field(const struct world *w, const char *line, bool wanted)
{
    char text[256];

    snprintf(text, sizeof text, "\r\n%s", line);
    CHECK(!strstr(w->got, text) == !wanted, "%s%s in: %s", wanted ? "no " : "",
          line, w->got);
}

static void close_server(struct world *w)
{
    sio_server_free(w->server);
}

/* ------------------------------------------------------------------- CORS --
 */

static const char *const list[] = { "http://a.b", "http://c.d" };

struct cors_row {
    const char *name;
    const char *origin_option;
    bool use_list, reflect, credentials;
    const char *asks;
    const char *allow; /* NULL: no field */
    const char *vary;  /* of a GET; NULL: no field */
    const char *vary_preflight;
};

static const struct cors_row cors_rows[] = {
    { "CVE-2020-28481 off by default", NULL, false, false, false, "http://a.b",
      NULL, NULL, NULL },
    { "\"*\"", "*", false, false, false, "http://a.b", "*", NULL,
      "Access-Control-Request-Headers" },
    { "one origin, whoever asks", "http://x.y", false, false, false,
      "http://a.b", "http://x.y", "Origin",
      "Origin, Access-Control-Request-Headers" },
    { "E153 E155 reflected, with credentials", NULL, false, true, true,
      "http://a.b", "http://a.b", "Origin",
      "Origin, Access-Control-Request-Headers" },
    { "reflected, nobody asks", NULL, false, true, false, NULL, NULL, "Origin",
      "Origin, Access-Control-Request-Headers" },
    { "a list, one of it", NULL, true, false, false, "http://c.d", "http://c.d",
      "Origin", "Origin, Access-Control-Request-Headers" },
    { "E156 a list, not one of it", NULL, true, false, false, "http://e.f",
      NULL, "Origin", "Origin, Access-Control-Request-Headers" },
};

static void check_cors(const struct world *w, const struct cors_row *row,
                       const char *vary)
{
    char line[128];

    snprintf(line, sizeof line, "Access-Control-Allow-Origin: %s\r\n",
             row->allow ? row->allow : "");
    check_field(w, row->allow ? line : "Access-Control-Allow-Origin",
                row->allow != NULL);
    snprintf(line, sizeof line, "Vary: %s\r\n", vary ? vary : "");
    check_field(w, vary ? line : "Vary", vary != NULL);
    check_field(w, "Access-Control-Allow-Credentials: true\r\n",
                row->credentials);
}

static void test_cors_rows(struct world *w)
{
    for (size_t i = 0; i < COUNT(cors_rows); i++) {
        const struct cors_row *row = &cors_rows[i];
        bool on = row->origin_option || row->use_list || row->reflect;
        sio_options o;

        T_CASE("cors: %s", row->name);
        sio_options_init(&o);
        o.cors_origin = row->origin_option;
        o.cors_origins = row->use_list ? list : NULL;
        o.cors_origin_count = row->use_list ? COUNT(list) : 0;
        o.cors_reflect = row->reflect;
        o.cors_credentials = row->credentials;
        CHECK(world_open(w, &o), "no server");
        ask(w, GET_OPEN, row->asks);
        CHECK(strstr(w->got, " 200 OK\r\n"), "%s", w->got);
        check_cors(w, row, row->vary);
        check_field(w, "Access-Control-Allow-Methods", false);
        ask(w, PREFLIGHT, row->asks);
        CHECK(strstr(w->got, on ? " 204 " : " 400 "), "%s", w->got);
        check_cors(w, row, row->vary_preflight);
        check_field(w,
                    "Access-Control-Allow-Methods: "
                    "GET,HEAD,PUT,PATCH,POST,DELETE\r\n",
                    on);
        check_field(w, "Access-Control-Allow-Headers: x-foo,x-bar\r\n", on);
        close_server(w);
    }
}

static void test_cors_full(struct world *w)
{
    sio_options o;

    T_CASE("E157 cors: every option");
    sio_options_init(&o);
    o.cors_origin = "http://good";
    o.cors_methods = "GET,PUT,POST";
    o.cors_allowed_headers = "my-header";
    o.cors_exposed_headers = "my-exposed-header";
    o.cors_credentials = true;
    o.cors_max_age_s = 123;
    o.cors_success_status = 200;
    CHECK(world_open(w, &o), "no server");
    ask(w, PREFLIGHT, "http://good");
    CHECK(strstr(w->got, " 200 OK\r\n"), "%s", w->got);
    check_field(w, "Access-Control-Allow-Origin: http://good\r\n", true);
    check_field(w, "Vary: Origin\r\n", true);
    check_field(w, "Access-Control-Allow-Methods: GET,PUT,POST\r\n", true);
    check_field(w, "Access-Control-Allow-Headers: my-header\r\n", true);
    check_field(w, "Access-Control-Expose-Headers: my-exposed-header\r\n",
                true);
    check_field(w, "Access-Control-Max-Age: 123\r\n", true);
    check_field(w, "Content-Length: 0\r\n", true);

    T_CASE("E42 cors: on a refusal too");
    ask(w, "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: t\r\n",
        "http://good");
    CHECK(strstr(w->got, "{\"code\":3,\"message\":\"Bad request\"}"), "%s",
          w->got);
    check_field(w, "Access-Control-Allow-Origin: http://good\r\n", true);
    check_field(w, "Access-Control-Allow-Credentials: true\r\n", true);
    check_field(w, "Access-Control-Max-Age", false);

    T_CASE("cors: on the 101; OPTIONS with an upgrade is dropped");
    ask(w,
        "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: t\r\n"
        "Connection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
        "http://good");
    CHECK(strncmp(w->got, "HTTP/1.1 101 ", 13) == 0, "%s", w->got);
    check_field(w, "Access-Control-Allow-Origin: http://good\r\n", true);
    ask(w, PREFLIGHT "Connection: Upgrade\r\nUpgrade: websocket\r\n",
        "http://good");
    CHECK_MATCH(w->got, "");
    close_server(w);

    T_CASE("cors: preflight_continue lets OPTIONS through");
    o.cors_preflight_continue = true;
    CHECK(world_open(w, &o), "no server");
    ask(w,
        "OPTIONS /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: t\r\n",
        "http://good");
    CHECK(strstr(w->got, "{\"code\":2,\"message\":\"Bad handshake method\"}"),
          "%s", w->got);
    close_server(w);
}

/* ----------------------------------------------------------------- cookie --
 */

static void on_http_only(sio_options *o)
{
    o->cookie_http_only = false;
}

static void on_path(sio_options *o)
{
    o->cookie_path = "/custom";
}

static void on_no_path(sio_options *o)
{
    o->cookie_path = NULL;
}

static void on_strict(sio_options *o)
{
    o->cookie_same_site = "strict";
}

static void on_all(sio_options *o)
{
    o->cookie_name = "woot";
    o->cookie_domain = "a.b";
    o->cookie_max_age_s = 0;
    o->cookie_secure = o->cookie_partitioned = true;
    o->cookie_priority = "high";
    o->cookie_same_site = NULL;
}

static void on_nothing(sio_options *o)
{
    (void)o;
}

static void test_cookies(struct world *w)
{
    static const struct {
        const char *name;
        void (*set)(sio_options *o);
        const char *want;
    } rows[] = {
        { "E12 E16 default", on_nothing,
          "Set-Cookie: io=*; Path=/; HttpOnly; SameSite=Lax\r\n" },
        { "E14 path", on_path,
          "Set-Cookie: io=*; Path=/custom; HttpOnly; SameSite=Lax\r\n" },
        { "E15 no path", on_no_path,
          "Set-Cookie: io=*; HttpOnly; SameSite=Lax\r\n" },
        { "E17 strict", on_strict,
          "Set-Cookie: io=*; Path=/; HttpOnly; SameSite=Strict\r\n" },
        { "E18 not HttpOnly", on_http_only,
          "Set-Cookie: io=*; Path=/; SameSite=Lax\r\n" },
        { "E13 every attribute", on_all,
          "Set-Cookie: woot=*; Max-Age=0; Domain=a.b; Path=/; HttpOnly; "
          "Secure; Partitioned; Priority=High\r\n" },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        char pattern[256], *at, sid[24] = "";
        sio_options o;

        T_CASE("cookie: %s", rows[i].name);
        sio_options_init(&o);
        o.cookie_name = "io";
        rows[i].set(&o);
        CHECK(world_open(w, &o), "no server");
        ask(w, GET_OPEN, NULL);
        snprintf(pattern, sizeof pattern, "*\r\n%s*", rows[i].want);
        CHECK_MATCH(w->got, pattern);
        at = strstr(w->got, "\"sid\":\"");
        CHECK(at != NULL, "%s", w->got);
        if (at)
            memcpy(sid, at + 7, ENG_SID_LEN);
        snprintf(pattern, sizeof pattern, "=%s; ", sid);
        CHECK(strstr(w->got, pattern), "not the session id: %s", w->got);
        close_server(w);
    }

    T_CASE("E20 cookie: none by default, none on the 101");
    CHECK(world_open(w, NULL), "no server");
    ask(w, GET_OPEN, NULL);
    check_field(w, "Set-Cookie", false);
    close_server(w);
}

/* ------------------------------------------------------------------- rest --
 */

static void test_initial_packet(struct world *w)
{
    sio_options o;
    int fd;

    T_CASE("E46 initial packet, polling and WebSocket");
    sio_options_init(&o);
    o.initial_packet = "faster!";
    CHECK(world_open(w, &o), "no server");
    CHECK_MATCH(world_get(w, "EIO=4&transport=polling"), "0{*}\x1e"
                                                         "4faster!");
    fd = world_websocket(w, "EIO=4&transport=websocket");
    CHECK_FRAMES(w, fd, "T:0{*}|T:4faster!|");
    world_hang_up(w, fd);
    close_server(w);

    T_CASE("2.4 initial packet of bytes, polling and WebSocket");
    sio_options_init(&o);
    o.initial_binary = "\1\2\3";
    o.initial_binary_size = 3;
    CHECK(world_open(w, &o), "no server");
    CHECK_MATCH(world_get(w, "EIO=4&transport=polling"), "0{*}\x1e"
                                                         "bAQID");
    fd = world_websocket(w, "EIO=4&transport=websocket&b64=1");
    CHECK_FRAMES(w, fd, "T:0{*}|T:bAQID|");
    world_hang_up(w, fd);
    fd = world_websocket(w, "EIO=4&transport=websocket");
    CHECK_FRAMES(w, fd, "T:0{*}|B:010203|");
    world_hang_up(w, fd);
    close_server(w);
}

static void test_wrong_options(struct world *w)
{
    sio_options o;

    T_CASE("options: what cannot be is refused with its reason");
    sio_options_init(&o);
    o.cookie_name = "a b";
    CHECK(!world_open(w, &o), "a blank in a cookie's name");
    CHECK(strstr(w->log, "cookie_name"), "log: %s", w->log);
    sio_options_init(&o);
    o.cookie_name = "io";
    o.cookie_same_site = "sometimes";
    CHECK(!world_open(w, &o), "no such SameSite");
    CHECK(strstr(w->log, "cookie_same_site"), "log: %s", w->log);
    sio_options_init(&o);
    o.cors_origin = "*";
    o.cors_reflect = true;
    CHECK(!world_open(w, &o), "two kinds of origin");
    CHECK(strstr(w->log, "cors_reflect"), "log: %s", w->log);
    sio_options_init(&o);
    o.cors_origin = "a\r\nb: c";
    CHECK(!world_open(w, &o), "a line end in a field");
    sio_options_init(&o);
    o.initial_packet = "\xff";
    CHECK(!world_open(w, &o), "bad UTF-8");
}

int main(void)
{
    static struct world w;

    test_cors_rows(&w);
    test_cors_full(&w);
    test_cookies(&w);
    test_initial_packet(&w);
    test_wrong_options(&w);
    return t_done();
}
