/*
 * test_sessions.c -- the life of a plain Engine.IO session as its program sees
 * it: opening, heartbeat, closing, the engine's end; and where Node's behaviour
 * is not wanted. E numbers are those of the checklist of Engine.IO.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sio/sio.h>

#include "tests/flow/echo.h"
#include "tests/flow/watcher.h"

#include <stdlib.h>

static struct world w;
static struct watcher x;
static char query[128];

static void open_with(const sio_options *o)
{
    CHECK(watcher_open(&w, &x, o, true), "no server");
}

static void close_all(void)
{
    CHECK(!x.session, "a session is left");
    world_check_empty(&w);
    world_close(&w);
}

static sio_options heartbeat(uint32_t interval_ms, uint32_t timeout_ms)
{
    sio_options o;

    sio_options_init(&o);
    o.ping_interval_ms = interval_ms;
    o.ping_timeout_ms = timeout_ms;
    o.allow_eio3 = true;
    return o;
}

/* A session of revision `eio` over polling; its query into `query`. */
static void open_session(int eio)
{
    char ask[64];

    snprintf(ask, sizeof ask, "EIO=%d&transport=polling", eio);
    world_get(&w, ask);
    CHECK(x.session != NULL, "no session");
    snprintf(query, sizeof query, "%s&sid=%s", ask,
             x.session ? sio_session_id(x.session) : "");
}

static int open_websocket(int eio)
{
    char ask[64];
    int fd;

    snprintf(ask, sizeof ask, "EIO=%d&transport=websocket", eio);
    fd = world_websocket(&w, ask);
    world_frames(&w, fd);
    return fd;
}

static int held_poll(void)
{
    char head[256];
    int fd = world_connect(&w);
    int n = snprintf(head, sizeof head, "GET %s?%s HTTP/1.1\r\nHost: x\r\n\r\n",
                     w.path, query);

    world_write(&w, fd, head, (size_t)n);
    return fd;
}

/* --------------------------------------------------------------- opening -- */

static void look_at_request(struct watcher *watcher, sio_session *session)
{
    char address[SIO_ADDRESS_SIZE], value[24];
    sio_str url = sio_session_url(session);
    sio_str own = sio_session_header(session, "x-own");

    CHECK(session == watcher->session && strlen(sio_session_id(session)) == 20,
          "session %p", (void *)session);
    CHECK_MATCH(sio_session_address(session, address), "127.0.0.1");
    CHECK(url.p && strstr(url.p, "a=b&c=%64"), "url");
    CHECK(sio_session_query(session, "a", value, sizeof value) == 1, "a");
    CHECK_MATCH(value, "b");
    CHECK(sio_session_query(session, "c", value, sizeof value) == 1, "c");
    CHECK_MATCH(value, "d");
    CHECK(sio_session_query(session, "EIO", value, sizeof value) == 1, "EIO");
    CHECK_MATCH(value, "4");
    CHECK(sio_session_query(session, "e", value, sizeof value) == SIO_E_RANGE,
          "e");
    CHECK(own.n == 3 && memcmp(own.p, "yes", 3) == 0, "X-Own");
}

#define WEBSOCKET_FIELDS                                                   \
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: " \
    "13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

static void test_open(void)
{
    static const struct {
        const char *name, *transport, *fields;
    } rows[] = {
        { "E29 E40 E143 E160: on_open has the session and its request: polling",
          "polling", "" },
        { "E29 E40 E142 E161: on_open has the session and its request: "
          "WebSocket",
          "websocket", WEBSOCKET_FIELDS },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        T_CASE("%s", rows[i].name);
        open_with(NULL);
        x.when = "open";
        x.act = look_at_request;
        world_raw(&w,
                  "GET /engine.io/?EIO=4&transport=%s&a=b&c=%%64 HTTP/1.1\r\n"
                  "Host: t\r\nX-Own: yes\r\n%s\r\n",
                  rows[i].transport, rows[i].fields);
        CHECK(!x.when, "no session: %s", w.got);
        if (x.session)
            sio_session_discard(x.session);
        close_all();
    }
}

static void test_cookie(void)
{
    sio_options o;
    char *at, cookie[64];

    T_CASE("E141: the sid of Set-Cookie is polled on another connection");
    sio_options_init(&o);
    o.cookie_name = "io";
    open_with(&o);
    world_raw(&w, "GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\n"
                  "Host: t\r\n\r\n");
    at = strstr(w.got, "Set-Cookie: io=");
    CHECK(at != NULL, "%s", w.got);
    snprintf(cookie, sizeof cookie, "%.20s", at ? at + 15 : "");
    snprintf(query, sizeof query, "EIO=4&transport=polling&sid=%s", cookie);
    watcher_send_plain(&x, "hello");
    CHECK_MATCH(world_get(&w, query), "4hello");
    world_post(&w, query, "1");
    close_all();

    T_CASE("E19: http_only of a value that C holds for true");
    o.cookie_http_only = at; /* a pointer, as a script has "no" here */
    open_with(&o);
    CHECK_MATCH(world_raw(&w, "GET /engine.io/?EIO=4&transport=polling "
                              "HTTP/1.1\r\nHost: t\r\n\r\n"),
                "*Set-Cookie: io=*; Path=/; HttpOnly; SameSite=Lax\r\n*");
    sio_session_discard(x.session);
    close_all();
}

/* ------------------------------------------------------------- heartbeat -- */

/* What a client holds against its server: no ping for interval + timeout. */
static void test_in_time(void)
{
    sio_options o = heartbeat(300, 100);
    int fd;

    T_CASE("E65: 300 and 100: nothing at 200 ms, the ping at 300");
    open_with(&o);
    fd = open_websocket(4);
    world_advance(&w, 200);
    CHECK_FRAMES(&w, fd, "");
    CHECK(x.session != NULL, "closed");
    world_advance(&w, 99);
    CHECK_FRAMES(&w, fd, "");
    world_advance(&w, 1);
    CHECK_FRAMES(&w, fd, "T:2|");
    world_hang_up(&w, fd);
    close_all();

    T_CASE("E66: 80 and 50: open 20 ms behind a heartbeat, and pinged in time");
    o = heartbeat(80, 50);
    open_with(&o);
    fd = open_websocket(4);
    world_advance(&w, 80);
    CHECK_FRAMES(&w, fd, "T:2|");
    world_send_text(&w, fd, "3");
    world_advance(&w, 20);
    CHECK(x.session != NULL, "closed");
    world_advance(&w, 60);
    CHECK_FRAMES(&w, fd, "T:2|"); /* at 160; the client waits until 210 */
    world_hang_up(&w, fd);
    close_all();
}

static void test_closed_after_heartbeat(void)
{
    sio_options o = heartbeat(80, 50);
    int fd;

    T_CASE("E67: closed 20 ms behind a heartbeat: told at once: WebSocket");
    open_with(&o);
    fd = open_websocket(4);
    world_advance(&w, 80);
    world_send_text(&w, fd, "3");
    world_advance(&w, 20);
    sio_session_close(x.session);
    CHECK_FRAMES(&w, fd, "T:2|C|");
    CHECK_MATCH(watcher_seen(&x), "open;close forced close;");
    world_hang_up(&w, fd);
    close_all();

    T_CASE("E67: closed 20 ms behind a heartbeat: told at once: polling");
    open_with(&o);
    open_session(4);
    world_advance(&w, 80);
    CHECK_MATCH(world_get(&w, query), "2");
    CHECK_MATCH(world_post(&w, query, "3"), "ok");
    fd = held_poll();
    world_advance(&w, 20);
    sio_session_close(x.session);
    CHECK_MATCH(world_poll_answer(&w, fd), "1");
    world_hang_up(&w, fd);
    close_all();
}

/* A heartbeat, then silence: open at 150 and 350 ms, over at 400. */
static void test_silence(void)
{
    static const struct {
        const char *name;
        int eio;
        bool websocket;
    } rows[] = {
        { "E68: Engine.IO 3, WebSocket", 3, true },
        { "E68: Engine.IO 3, polling", 3, false },
        { "E69: Engine.IO 4, WebSocket", 4, true },
        { "E69: Engine.IO 4, polling", 4, false },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *beat = rows[i].eio == 3 ? "2" : "3";
        sio_options o = heartbeat(300, 100);
        int fd = -1;

        T_CASE("%s: a heartbeat and 400 ms of silence", rows[i].name);
        open_with(&o);
        if (rows[i].websocket)
            fd = open_websocket(rows[i].eio);
        else
            open_session(rows[i].eio);
        world_advance(&w, 100);
        if (rows[i].websocket)
            world_send_text(&w, fd, beat);
        else
            world_post(&w, query, rows[i].eio == 3 ? "1:2" : "3");
        world_advance(&w, 150);
        CHECK(x.session != NULL, "closed at 150 ms");
        world_advance(&w, 200);
        CHECK(x.session != NULL, "closed at 350 ms");
        world_advance(&w, 49);
        CHECK(x.session != NULL, "closed at 399 ms");
        world_advance(&w, 1);
        CHECK_MATCH(watcher_seen(&x), "open;close ping timeout;");
        if (fd >= 0)
            world_hang_up(&w, fd);
        close_all();
    }

    T_CASE("E54: no traffic either way: the server's ping timeout");
    {
        sio_options o = heartbeat(50, 50);
        int fd;

        open_with(&o);
        fd = open_websocket(4);
        world_advance(&w, 99);
        CHECK(x.session != NULL, "closed");
        world_advance(&w, 1);
        CHECK_MATCH(watcher_seen(&x), "open;close ping timeout;");
        world_hang_up(&w, fd);
        close_all();
    }
}

/* --------------------------------------------------------------- closing -- */

static char left_over[64];

static void look_at_buffer(struct watcher *watcher, sio_session *session)
{
    (void)watcher;
    snprintf(left_over, sizeof left_over, "%s, %zu bytes",
             watcher_buffer(session), sio_session_buffered(session));
}

static void test_left_over(void)
{
    int fd;

    T_CASE("E49: what was never sent can be read in on_close: polling");
    open_with(NULL);
    open_session(4);
    watcher_send_plain(&x, "foo");
    x.when = "close";
    x.act = look_at_buffer;
    CHECK_MATCH(world_post(&w, query, "2"), "ok");
    CHECK_MATCH(watcher_seen(&x), "open;close transport error;");
    CHECK_MATCH(left_over, "4foo, 4 bytes");
    close_all(); /* and is gone */

    T_CASE("E49: nothing waits in a session on WebSocket");
    open_with(NULL);
    fd = open_websocket(4);
    watcher_send_plain(&x, "foo");
    CHECK_MATCH(watcher_buffer(x.session), "");
    x.when = "close";
    x.act = look_at_buffer;
    world_send_text(&w, fd, "2");
    CHECK_MATCH(watcher_seen(&x), "open;close transport error;");
    CHECK_MATCH(left_over, ", 0 bytes");
    world_hang_up(&w, fd);
    close_all();
}

static void send_and_end(struct watcher *watcher, sio_session *session)
{
    (void)session;
    watcher_send_plain(watcher, "lost");
    sio_engine_close(watcher->engine);
}

static void send_close_and_end(struct watcher *watcher, sio_session *session)
{
    watcher_send_plain(watcher, "lost");
    sio_session_close(session);
    sio_engine_close(watcher->engine);
}

static void test_engine_close(void)
{
    int fd, poll;

    for (int closing = 0; closing < 2; closing++) {
        T_CASE("E8%d: sent, %sthe engine closed: discarded, the poll refused",
               closing + 1, closing ? "closed, " : "");
        open_with(NULL);
        x.when = "open";
        x.act = closing ? send_close_and_end : send_and_end;
        CHECK(echo_session(&w, query), "no session");
        CHECK_MATCH(watcher_seen(&x), "open;close forced close;");
        CHECK_MATCH(world_get(&w, query), "{\"code\":1,*");
        CHECK_MATCH(w.got, "HTTP/1.1 400 *");
        T_CASE("8.4: a closed engine takes no one in");
        world_get(&w, "EIO=4&transport=polling");
        CHECK_MATCH(w.got, "HTTP/1.1 503 *");
        CHECK(world_websocket(&w, "EIO=4&transport=websocket") < 0, "taken");
        CHECK_MATCH(w.got, "HTTP/1.1 503 *");
        close_all();
    }

    T_CASE("8.4: every session ends, whatever it is at");
    open_with(NULL);
    CHECK(echo_session(&w, query), "no session");
    poll = held_poll();
    open_session(4);
    fd = echo_probe(&w, query);
    watcher_send_plain(&x, "lost");
    sio_engine_close(x.engine);
    sio_engine_close(x.engine);
    CHECK_MATCH(world_poll_answer(&w, poll), "1");
    CHECK_FRAMES(&w, fd, "C|");
    CHECK_MATCH(watcher_seen(&x),
                "open;open;close forced close;close forced close;");
    world_hang_up(&w, poll);
    world_hang_up(&w, fd);
    close_all();
}

/* Three messages 50 ms apart, behind the last the close at once. */
static void test_spaced(void)
{
    int fd;

    T_CASE("E93: a, b, c, 50 ms apart, then the close: WebSocket");
    open_with(NULL);
    fd = open_websocket(4);
    watcher_send_plain(&x, "a");
    world_advance(&w, 50);
    watcher_send_plain(&x, "b");
    world_advance(&w, 50);
    watcher_send_plain(&x, "c");
    sio_session_close(x.session);
    CHECK_FRAMES(&w, fd, "T:4a|T:4b|T:4c|C|");
    world_hang_up(&w, fd);
    close_all();

    T_CASE("E88: a, b, c, 50 ms apart, then the close: polling");
    open_with(NULL);
    open_session(4);
    watcher_send_plain(&x, "a");
    world_advance(&w, 50);
    CHECK_MATCH(world_get(&w, query), "4a");
    watcher_send_plain(&x, "b");
    world_advance(&w, 50);
    watcher_send_plain(&x, "c");
    sio_session_close(x.session);
    CHECK_MATCH(world_get(&w, query), "4b\x1e"
                                      "4c");
    CHECK_MATCH(world_get(&w, query), "6\x1e"
                                      "1");
    close_all();
}

/* ---------------------------------------------------------------- upgrade --
 */

static char upgraded[64];

static void look_at_transport(struct watcher *watcher, sio_session *session)
{
    char asked[24] = "";

    (void)watcher;
    sio_session_query(session, "transport", asked, sizeof asked);
    snprintf(upgraded, sizeof upgraded, "%s, came by %s",
             sio_session_transport(session), asked);
}

static void test_upgrade(void)
{
    int fd;

    for (int done = 0; done < 2; done++) {
        T_CASE("E132: the transport in on_upgrad%s", done ? "e" : "ing");
        CHECK(watcher_open(&w, &x, NULL, false), "no server");
        CHECK(echo_session(&w, query), "no session");
        x.when = done ? "upgrade" : "upgrading";
        x.act = look_at_transport;
        fd = echo_probe(&w, query);
        world_send_text(&w, fd, "5");
        CHECK_MATCH(upgraded, done ? "websocket, came by polling"
                                   : "polling, came by polling");
        T_CASE("E133: then the client closes");
        world_frame(&w, fd, 0x88, "", 0);
        CHECK_FRAMES(&w, fd, "C|EOF");
        CHECK_MATCH(watcher_seen(&x),
                    "open;upgrading;upgrade;close transport close;");
        world_hang_up(&w, fd);
        close_all();
    }
}

static void test_second_engine(void)
{
    static const sio_engine_handlers none = { .size = sizeof none };
    char first[128], second[128];
    sio_options o;
    int fd, other;

    T_CASE("E134: an engine on another path does not disturb an upgrade");
    open_with(NULL);
    sio_options_init(&o);
    o.path = "/other";
    CHECK(sio_engine_new(w.server, &o, &none, NULL) != NULL, "no engine");
    CHECK(echo_session(&w, first), "no session");
    w.path = "/other/";
    CHECK(echo_session(&w, second), "no session");
    other = echo_probe(&w, second);
    CHECK(echo_probe(&w, first) < 0, "the other engine knows the session");
    w.path = "/engine.io/";
    fd = echo_probe(&w, first);
    world_send_text(&w, other, "5");
    watcher_send_plain(&x, "a");
    world_send_text(&w, fd, "5");
    CHECK_FRAMES(&w, fd, "T:4a|");
    CHECK_FRAMES(&w, other, "");
    CHECK_MATCH(sio_session_transport(x.session), "websocket");
    world_hang_up(&w, fd);
    world_hang_up(&w, other);
    close_all();
}

static void test_compress(void)
{
    static char bytes[1024];

    memset(bytes, 'x', sizeof bytes);
    for (int i = 0; i < 4; i++) {
        sio_options o = heartbeat(25000, 20000);
        sio_session_send_options how;
        bool compress = i & 1, binary = i & 2;
        sio_value v = binary ? sio_binary(bytes, sizeof bytes)
                             : sio_stringn(bytes, sizeof bytes);

        T_CASE("E139: Engine.IO 3, 1024 bytes of %s with compress %s",
               binary ? "binary" : "text", compress ? "true" : "false");
        open_with(&o);
        open_session(3);
        sio_session_send_options_init(&how);
        how.compress = compress;
        CHECK(sio_session_send_with(x.session, &v, &how) == SIO_OK, "not sent");
        world_raw(&w,
                  "GET /engine.io/?%s HTTP/1.1\r\nHost: t\r\n"
                  "Accept-Encoding: gzip, deflate\r\n\r\n",
                  query);
        CHECK(strstr(w.got, binary ? "Content-Type: application/octet-stream"
                                   : "Content-Type: text/plain") != NULL,
              "%.300s", w.got);
        CHECK(!strstr(w.got, "Content-Encoding: gzip\r\n") == !compress,
              "%.300s", w.got);
        world_post(&w, query, "1:1");
        close_all();
    }
}

/* ---------------------------------------------- what Node does, and we not --
 */

static void test_quirk_pong(void)
{
    for (int eio = 3; eio <= 4; eio++) {
        sio_options o = heartbeat(300, 200);
        char upgrade[160];
        int fd;

        T_CASE("quirk: an upgrade does not end the wait for a sign of life: "
               "Engine.IO %d",
               eio);
        open_with(&o);
        open_session(eio);
        world_advance(&w, 300);
        snprintf(upgrade, sizeof upgrade, "EIO=%d&transport=websocket&%s", eio,
                 strstr(query, "sid="));
        fd = world_websocket(&w, upgrade);
        world_send_text(&w, fd, "5");
        CHECK_MATCH(sio_session_transport(x.session), "websocket");
        world_advance(&w, 199);
        CHECK(x.session != NULL, "closed too early");
        world_advance(&w, 1);
        CHECK_MATCH(watcher_seen(&x), "open;close ping timeout;");
        world_hang_up(&w, fd);
        close_all();
    }
}

static void test_quirk_take_over(void)
{
    int first, second;

    for (int eio = 3; eio <= 4; eio++) {
        sio_options o = heartbeat(25000, 20000);
        char again[160];

        T_CASE("quirk: a second WebSocket does not take a session over: "
               "Engine.IO %d",
               eio);
        open_with(&o);
        first = open_websocket(eio);
        snprintf(again, sizeof again, "EIO=%d&transport=websocket&sid=%s", eio,
                 sio_session_id(x.session));
        second = world_websocket(&w, again);
        CHECK_FRAMES(&w, second, "C|");
        world_send_text(&w, second, "2probe");
        world_send_text(&w, second, "5");
        world_send_text(&w, second, "4stolen");
        watcher_send_plain(&x, "mine");
        CHECK_FRAMES(&w, second, "");
        CHECK_FRAMES(&w, first, "T:4mine|");
        CHECK_MATCH(watcher_seen(&x), "open;");
        world_hang_up(&w, second);
        world_hang_up(&w, first);
        close_all();
    }
}

static void test_quirk_refusal(void)
{
    T_CASE("quirk: a WebSocket that is refused gets a 400 and no 101");
    open_with(NULL);
    world_raw(&w, "GET /engine.io/?EIO=3&transport=websocket HTTP/1.1\r\n"
                  "Host: t\r\n" WEBSOCKET_FIELDS "\r\n");
    CHECK_MATCH(w.got, "HTTP/1.1 400 *\r\n\r\nUnsupported protocol version");
    CHECK(!strstr(w.got, " 101 "), "%s", w.got);
    close_all();
}

static void test_quirk_close(void)
{
    for (int eio = 3; eio <= 4; eio++) {
        sio_options o = heartbeat(25000, 20000);
        int fd;

        T_CASE("quirk: the text 1 closes at once: Engine.IO %d", eio);
        open_with(&o);
        fd = open_websocket(eio);
        world_send_text(&w, fd, "1");
        CHECK_FRAMES(&w, fd, "C|");
        CHECK_MATCH(watcher_seen(&x), "open;close transport close;");
        world_hang_up(&w, fd);
        close_all();
    }
}

/* ------------------------------------------------------------- the server --
 */

static sio_server *listening(const char *address)
{
    sio_server *server;
    sio_options o;

    sio_options_init(&o);
    o.handle_signals = false;
    server = sio_server_new(&o);
    if (server && sio_listen(server, address, NULL) != SIO_OK) {
        sio_server_free(server);
        return NULL;
    }
    return server;
}

static void test_server(void)
{
    char address[32];
    sio_server *server;

    T_CASE("E211 E57: a stopped server's port is free at once");
    server = listening("127.0.0.1:0");
    CHECK(server != NULL, "it does not listen");
    snprintf(address, sizeof address, "127.0.0.1:%u", sio_port(server));
    CHECK(!listening(address), "two servers on one port");
    sio_stop(server);
    CHECK(sio_run(server) == SIO_OK, "did not end");
    for (int i = 0; i < 2; i++) {
        sio_server *next = listening(address);

        CHECK(next != NULL, "the port is taken");
        sio_server_free(next);
    }
    sio_server_free(server);

    T_CASE("E211: a server that never listened is stopped");
    server = sio_server_new(NULL);
    sio_stop(server);
    sio_stop(server);
    CHECK(sio_run(server) == SIO_OK, "did not end");
    CHECK(sio_listen(server, "127.0.0.1:0", NULL) == SIO_OK, "does not listen");
    sio_stop(server);
    CHECK(sio_run(server) == SIO_OK, "did not end the second time");
    sio_server_free(server);
    sio_server_free(NULL);
}

int main(void)
{
    test_open();
    test_cookie();
    test_in_time();
    test_closed_after_heartbeat();
    test_silence();
    test_left_over();
    test_engine_close();
    test_spaced();
    test_upgrade();
    test_second_engine();
    test_compress();
    test_quirk_pong();
    test_quirk_take_over();
    test_quirk_refusal();
    test_quirk_close();
    test_server();
    return t_done();
}
