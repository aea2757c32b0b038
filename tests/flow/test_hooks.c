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

/* ---------------------------------------------------- connection errors -- */

static char errors[1024];

__attribute__((format(printf, 1, 2))) static void note(const char *fmt, ...)
{
    size_t have = strlen(errors);
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(errors + have, sizeof errors - have, fmt, ap);
    va_end(ap);
}

static void note_str(const char *name, sio_str s)
{
    if (s.p)
        note(" %s=%.*s", name, (int)s.n, s.p);
}

/* "code message (context) field=value ...;", of the fields that are there. */
static void on_error(const sio_connection_error *error, void *user)
{
    CHECK(user == &asked, "user");
    CHECK(strcmp(error->address, "127.0.0.1") == 0, "%s", error->address);
    CHECK(str_starts(error->url, STR("/socket.io/?")), "url");
    note("%d %s (%s)", error->code, error->message, error->context);
    if (error->name)
        note(" name=%s", error->name);
    note_str("transport", error->transport);
    note_str("previous_transport", error->previous_transport);
    note_str("sid", error->sid);
    if (error->protocol)
        note(" protocol=%d", error->protocol);
    if (error->previous_protocol)
        note(" previous_protocol=%d", error->previous_protocol);
    note_str("origin", error->origin);
    if (error->error)
        note(" error=%s", error->error);
    note(" %.*s;", (int)error->method.n, error->method.p);
}

static void refuse_all(sio_handshake *handshake, void *user)
{
    (void)user;
    sio_refuse(handshake, "Thou shall not pass");
}

static void open_for_errors(sio_options *o)
{
    sio_options_init(o);
    o->on_connection_error = on_error;
    o->hook_user = &asked;
    errors[0] = 0;
}

static void test_connection_errors(struct world *w)
{
    static const struct {
        const char *name, *method, *query, *want;
    } rows[] = {
        { "E1", "GET", "transport=tobi",
          "0 Transport unknown (tobi) transport=tobi GET;" },
        { "E10", "GET", "transport=__proto__",
          "0 Transport unknown (__proto__) transport=__proto__ GET;" },
        { "no line end gets into a log", "GET", "transport=a%0d%0ab",
          "0 Transport unknown (a??b) transport=a\r\nb GET;" },
        { "none given", "GET", "", "0 Transport unknown () transport= GET;" },
        { "E3", "GET", "transport=polling&sid=test",
          "1 Session ID unknown (test) sid=test GET;" },
        { "E44", "OPTIONS", "EIO=4&transport=polling",
          "2 Bad handshake method (OPTIONS) OPTIONS;" },
        { "E41", "GET", "EIO=4&transport=websocket",
          "3 Bad request (TRANSPORT_HANDSHAKE_ERROR) "
          "name=TRANSPORT_HANDSHAKE_ERROR GET;" },
        { "E5", "GET", "EIO=4&transport=polling",
          "4 Forbidden (Thou shall not pass) error=Thou shall not pass GET;" },
    };
    sio_options o;

    for (size_t i = 0; i < COUNT(rows); i++) {
        char target[128];
        int status;

        T_CASE("connection_error: %s", rows[i].name);
        open_for_errors(&o);
        o.allow_request = refuse_all;
        CHECK(world_open(w, &o), "no server");
        snprintf(target, sizeof target, "/socket.io/?%s", rows[i].query);
        world_request(w, rows[i].method, target, NULL, &status);
        CHECK_MATCH(errors, rows[i].want);
        close_server(w);
    }

    T_CASE("connection_error: E45");
    open_for_errors(&o);
    CHECK(world_open(w, &o), "no server");
    world_get(w, "EIO=3&transport=polling");
    CHECK_MATCH(errors, "5 Unsupported protocol version (3) protocol=3 GET;");
    close_server(w);

    T_CASE("connection_error: nobody listens");
    CHECK(world_open(w, NULL), "no server");
    CHECK_MATCH(world_get(w, "transport=tobi"), "{\"code\":0,*");
    close_server(w);
}

/* Of a session that there is. */
static void test_mismatches(struct world *w)
{
    char sid[24], query[128];
    sio_options o;

    open_for_errors(&o);
    o.allow_eio3 = true;
    CHECK(world_open(w, &o), "no server");
    CHECK(world_session(w, sid), "refused");

    T_CASE("connection_error: E37 both transports");
    errors[0] = 0;
    snprintf(query, sizeof query, "EIO=4&transport=websocket&sid=%s", sid);
    CHECK_MATCH(world_get(w, query), "{\"code\":3,*");
    CHECK_MATCH(errors, "3 Bad request "
                        "(TRANSPORT_MISMATCH: websocket, not polling) "
                        "name=TRANSPORT_MISMATCH transport=websocket "
                        "previous_transport=polling GET;");

    T_CASE("connection_error: CVE-2026-102599 both revisions");
    errors[0] = 0;
    snprintf(query, sizeof query, "EIO=3&transport=polling&sid=%s", sid);
    CHECK_MATCH(world_get(w, query), "{\"code\":3,*");
    CHECK_MATCH(errors, "3 Bad request (PROTOCOL_MISMATCH: 3, not 4) "
                        "name=PROTOCOL_MISMATCH protocol=3 "
                        "previous_protocol=4 GET;");
    errors[0] = 0;
    snprintf(query, sizeof query, "EIO=3&transport=websocket&sid=%s", sid);
    CHECK(world_websocket(w, query) < 0, "upgraded");
    CHECK_MATCH(errors, "3 Bad request (PROTOCOL_MISMATCH: 3, not 4) *");
    world_advance(w, 60000);
    close_server(w);
}

/* A parser that is more lenient than ours: it lets a "\n" through. */
static const struct http_server_ops *real_ops;

static void on_lenient_request(void *self, struct http_exchange *ex)
{
    for (size_t i = 0; i < ex->request->field_count; i++) {
        const struct http_field *f = &ex->request->fields[i];
        char *at = f->value.n ? memchr(f->value.p, '@', f->value.n) : NULL;

        if (at && str_eq(f->name, STR("origin")))
            *at = '\n';
    }
    real_ops->on_request(self, ex);
}

static void test_invalid_origin(struct world *w)
{
    struct http_server_ops lenient;
    sio_options o;

    T_CASE("connection_error: E43 INVALID_ORIGIN with the origin as it came");
    open_for_errors(&o);
    CHECK(world_open(w, &o), "no server");
    real_ops = w->server->main.http.ops;
    lenient = *real_ops;
    lenient.on_request = on_lenient_request;
    w->server->main.http.ops = &lenient;
    CHECK_MATCH(world_raw(w, "GET /socket.io/?EIO=4&transport=polling "
                             "HTTP/1.1\r\nHost: x\r\n"
                             "Origin: http://a@b\r\n\r\n"),
                "HTTP/1.1 400 *{\"code\":3,\"message\":\"Bad request\"}");
    CHECK_MATCH(errors, "3 Bad request (INVALID_ORIGIN: http://a?b) "
                        "name=INVALID_ORIGIN origin=http://a\nb GET;");
    close_server(w);

    T_CASE("connection_error: an origin that may not connect");
    open_for_errors(&o);
    o.allowed_origins = (const char *const[]){ "http://a.b" };
    o.allowed_origin_count = 1;
    CHECK(world_open(w, &o), "no server");
    world_raw(w, "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\n"
                 "Host: x\r\nOrigin: http://c.d\r\n\r\n");
    CHECK_MATCH(errors, "4 Forbidden (ORIGIN_NOT_ALLOWED: http://c.d) "
                        "name=ORIGIN_NOT_ALLOWED origin=http://c.d GET;");
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
    test_mismatches(&w);
    test_invalid_origin(&w);
    test_allowed_origins(&w);
    return t_done();
}
