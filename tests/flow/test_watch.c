/*
 * test_watch.c -- what an engine tells of the packets of its sessions, and the
 * callbacks of sends. Numbers are those of the checklist of Engine.IO, 11.5 to
 * 11.7.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sio/sio.h>

#include "tests/flow/echo.h"
#include "tests/flow/watcher.h"
#include "tests/unit/oom.h"

static struct world w;
static struct watcher x;
static char query[128];

static void open_with(const sio_options *o)
{
    CHECK(watcher_open(&w, &x, o, false), "no server");
}

static void open_polling(const sio_options *o)
{
    open_with(o);
    CHECK(echo_session(&w, query), "no session");
    CHECK_MATCH(watcher_seen(&x), "open;");
}

static int open_websocket(const sio_options *o)
{
    int fd;

    open_with(o);
    fd = echo_websocket(&w);
    CHECK_MATCH(watcher_seen(&x), "open;");
    return fd;
}

static void close_all(void)
{
    world_check_empty(&w);
    world_close(&w);
}

static int held_poll(void)
{
    return world_poll(&w, strstr(query, "sid=") + 4);
}

static void send_bytes(void)
{
    sio_value v = sio_binary("\1\2\x1e", 3);

    sio_session_send(x.session, &v);
}

/* ---------------------------------------------------- flush and drain, 104 --
 */

static void test_drain(void)
{
    int fd;

    T_CASE("E104: one send, one flush, one drain: a poll waits");
    open_polling(NULL);
    fd = held_poll();
    watcher_send_plain(&x, "aaaa");
    CHECK_MATCH(watcher_seen(&x), "+4aaaa;");
    CHECK_MATCH(watcher_buffer(x.session), "4aaaa");
    CHECK(sio_session_buffered(x.session) == 5, "buffered");
    CHECK_MATCH(world_poll_answer(&w, fd), "4aaaa");
    CHECK_MATCH(watcher_seen(&x), "!4aaaa;drain;");
    CHECK(x.waited == 0, "%zu bytes at the drain", x.waited);
    world_hang_up(&w, fd);
    T_CASE("E104: one send, one flush, one drain: a poll comes");
    watcher_send_plain(&x, "a");
    world_turn(&w);
    CHECK_MATCH(watcher_seen(&x), "+4a;");
    CHECK_MATCH(world_get(&w, query), "4a");
    CHECK_MATCH(watcher_seen(&x), "!4a;drain;");
    CHECK_MATCH(watcher_buffer(x.session), "");
    world_post(&w, query, "1");
    CHECK_MATCH(watcher_seen(&x), "<1;close transport close;");
    close_all();

    T_CASE("E104: one send, one flush, one drain: WebSocket");
    fd = open_websocket(NULL);
    watcher_send_plain(&x, "aaaa");
    CHECK_MATCH(watcher_seen(&x), "+4aaaa;!4aaaa;");
    CHECK(sio_session_buffered(x.session) == 7, "buffered");
    CHECK_FRAMES(&w, fd, "T:4aaaa|");
    CHECK_MATCH(watcher_seen(&x), "drain;");
    CHECK(x.waited == 0, "%zu bytes at the drain", x.waited);
    T_CASE("what the server answers by itself is no drain");
    world_frame(&w, fd, 0x89, "p", 1);
    CHECK_FRAMES(&w, fd, "pong:p|");
    CHECK_MATCH(watcher_seen(&x), "");
    world_hang_up(&w, fd);
    close_all();
}

static void test_flush_lists(void)
{
    sio_options o;

    T_CASE("E104: a flush has all that waited, in order: Engine.IO 4");
    open_polling(NULL);
    watcher_send_plain(&x, "a");
    send_bytes();
    watcher_send_plain(&x, "");
    CHECK_MATCH(watcher_buffer(x.session), "4a,4#01021e,4");
    CHECK_MATCH(world_get(&w, query), "4a\x1e"
                                      "bAQIe\x1e"
                                      "4");
    CHECK_MATCH(watcher_seen(&x), "+4a;+4#01021e;+4;!4a,4#01021e,4;drain;");
    world_post(&w, query, "1");
    close_all();

    for (int b64 = 0; b64 < 2; b64++) {
        T_CASE("E104: a flush has all that waited, in order: Engine.IO 3%s",
               b64 ? ", b64" : "");
        sio_options_init(&o);
        o.allow_eio3 = true;
        open_with(&o);
        CHECK(strstr(world_get(&w, b64 ? "EIO=3&transport=polling&b64=1"
                                       : "EIO=3&transport=polling"),
                     "\"sid\":"),
              "no session");
        snprintf(query, sizeof query, "EIO=3&transport=polling&sid=%s",
                 sio_session_id(x.session));
        watcher_send_plain(&x, "a\x1e"
                               "b");
        send_bytes();
        CHECK_MATCH(watcher_buffer(x.session), "4a\x1e"
                                               "b,4#01021e");
        world_get(&w, query);
        CHECK_MATCH(watcher_seen(&x), "open;+4a\x1e"
                                      "b;+4#01021e;!4a\x1e"
                                      "b,4#01021e;drain;");
        world_post(&w, query, "1:1");
        close_all();
    }
}

static void test_upgrade_flush(void)
{
    int fd;

    T_CASE("E104: what waited is flushed by the upgrade");
    open_polling(NULL);
    fd = echo_probe(&w, query);
    CHECK_MATCH(watcher_seen(&x), "upgrading;");
    watcher_send(&x, "a");
    send_bytes();
    watcher_send(&x, "b");
    CHECK_MATCH(watcher_seen(&x), "+4a;+4#01021e;+4b;");
    world_send_text(&w, fd, "5");
    CHECK_MATCH(watcher_seen(&x),
                "!4a,4#01021e,4b;upgrade;sent a;sent b;drain;");
    CHECK_FRAMES(&w, fd, "T:4a|B:01021e|T:4b|");
    CHECK_MATCH(watcher_buffer(x.session), "");
    world_hang_up(&w, fd);
    close_all();
}

/* ------------------------------------------------------------- callbacks -- */

static void test_callbacks_polling(void)
{
    int fd;

    T_CASE("E117: a callback for each message, in order: polling");
    open_polling(NULL);
    watcher_send(&x, "1");
    world_turn(&w);
    CHECK_MATCH(watcher_seen(&x), "+41;");
    fd = held_poll();
    CHECK_MATCH(world_poll_answer(&w, fd), "41");
    CHECK_MATCH(watcher_seen(&x), "!41;sent 1;drain;");
    world_hang_up(&w, fd);
    T_CASE("E122: four sends with callbacks: polling");
    for (int i = 0; i < 4; i++)
        CHECK(watcher_send(&x, (const char *[]){ "1", "2", "3", "4" }[i]) ==
                  SIO_OK,
              "not sent");
    CHECK_MATCH(world_get(&w, query), "41\x1e"
                                      "42\x1e"
                                      "43\x1e"
                                      "44");
    CHECK_MATCH(watcher_seen(&x), "+41;+42;+43;+44;!41,42,43,44;sent 1;sent 2;"
                                  "sent 3;sent 4;drain;");
    T_CASE("E124: no poll, no callback");
    watcher_send(&x, "never");
    world_advance(&w, 20000);
    CHECK_MATCH(watcher_seen(&x), "+4never;");
    world_post(&w, query, "1");
    CHECK_MATCH(watcher_seen(&x), "<1;close transport close;");
    close_all();
}

static void test_callbacks_websocket(void)
{
    int fd;

    T_CASE("E119 E121: a callback for each message, in order: WebSocket");
    fd = open_websocket(NULL);
    for (int i = 0; i < 4; i++)
        watcher_send(&x, (const char *[]){ "1", "2", "3", "4" }[i]);
    CHECK_MATCH(watcher_seen(&x), "+41;!41;+42;!42;+43;!43;+44;!44;");
    CHECK_FRAMES(&w, fd, "T:41|T:42|T:43|T:44|");
    CHECK_MATCH(watcher_seen(&x), "sent 1;sent 2;sent 3;sent 4;drain;");
    T_CASE("E119: the next send again");
    watcher_send(&x, "5");
    CHECK_FRAMES(&w, fd, "T:45|");
    CHECK_MATCH(watcher_seen(&x), "+45;!45;sent 5;drain;");
    world_hang_up(&w, fd);
    close_all();

    T_CASE("E119: callbacks where nothing else is handled");
    CHECK(watcher_open(&w, &x, NULL, true), "no server");
    fd = echo_websocket(&w);
    for (int i = 0; i < 3; i++) {
        watcher_send(&x, "1");
        CHECK_FRAMES(&w, fd, "T:41|");
        watcher_send_plain(&x, "2");
        CHECK_FRAMES(&w, fd, "T:42|");
    }
    CHECK_MATCH(watcher_seen(&x), "open;sent 1;sent 1;sent 1;");
    world_hang_up(&w, fd);
    close_all();
}

static void test_kernel_full(void)
{
    static char large[1 << 20];
    sio_value v;
    int fd;

    T_CASE("E119: a client that does not read holds the callback back");
    fd = open_websocket(NULL);
    memset(large, 'x', sizeof large - 1);
    v = sio_string(large);
    sio_session_send(x.session, &v);
    watcher_send(&x, "last");
    world_turn(&w);
    world_turn(&w);
    CHECK(!strstr(x.seen, "sent") && !strstr(x.seen, "drain"), "%s", x.seen);
    CHECK(sio_session_buffered(x.session) > 0, "nothing waits");
    while (world_read(&w, fd) > 0 && !strstr(x.seen, "drain"))
        ;
    CHECK_MATCH(watcher_seen(&x), "*sent last;drain;");
    world_hang_up(&w, fd);
    close_all();
}

static void send_u(struct watcher *watcher, sio_session *session)
{
    (void)session;
    watcher_send(watcher, "u");
}

static void test_upgrading(void)
{
    int fd, poll;

    T_CASE("E118: sent in on_upgrading: one callback, over the WebSocket");
    open_polling(NULL);
    x.when = "upgrading";
    x.act = send_u;
    fd = echo_probe(&w, query);
    CHECK_MATCH(watcher_seen(&x), "upgrading;+4u;");
    world_send_text(&w, fd, "5");
    CHECK_FRAMES(&w, fd, "T:4u|");
    world_advance(&w, 1000);
    CHECK_MATCH(watcher_seen(&x), "!4u;upgrade;sent u;drain;");
    world_hang_up(&w, fd);
    close_all();

    T_CASE("E118: sent in on_upgrading: one callback, over the waiting poll");
    open_polling(NULL);
    poll = held_poll();
    x.when = "upgrading";
    x.act = send_u;
    fd = echo_probe(&w, query);
    CHECK_MATCH(world_poll_answer(&w, poll), "4u");
    CHECK_MATCH(watcher_seen(&x), "upgrading;+4u;!4u;sent u;drain;");
    world_hang_up(&w, poll);
    world_send_text(&w, fd, "2probe");
    CHECK_FRAMES(&w, fd, "T:3probe|");
    world_send_text(&w, fd, "5");
    CHECK_MATCH(watcher_seen(&x), "upgrade;");
    world_hang_up(&w, fd);
    close_all();

    T_CASE("E118: across an upgrade, where nothing else is handled");
    CHECK(watcher_open(&w, &x, NULL, true), "no server");
    CHECK(echo_session(&w, query), "no session");
    fd = echo_probe(&w, query);
    watcher_send(&x, "a");
    watcher_send_plain(&x, "b");
    world_send_text(&w, fd, "5");
    CHECK_FRAMES(&w, fd, "T:4a|T:4b|");
    CHECK_MATCH(watcher_seen(&x), "open;sent a;");
    world_hang_up(&w, fd);
    close_all();

    T_CASE("sent in on_upgrade: behind what waited");
    open_polling(NULL);
    x.when = "upgrade";
    x.act = send_u;
    fd = echo_probe(&w, query);
    watcher_send(&x, "first");
    world_send_text(&w, fd, "5");
    CHECK_FRAMES(&w, fd, "T:4first|T:4u|");
    CHECK_MATCH(watcher_seen(&x), "upgrading;+4first;!4first;upgrade;+4u;!4u;"
                                  "sent first;sent u;drain;");
    world_hang_up(&w, fd);
    close_all();
}

static void test_dropped(void)
{
    int fd;

    T_CASE("E123: closed with packets queued: no callback: polling");
    open_polling(NULL);
    watcher_send(&x, "a");
    watcher_send(&x, "b");
    sio_session_discard(x.session);
    world_turn(&w);
    CHECK_MATCH(watcher_seen(&x), "+4a;+4b;close forced close;");
    close_all();

    T_CASE("E123: closed with packets queued: no callback: WebSocket");
    fd = open_websocket(NULL);
    watcher_send(&x, "a");
    sio_session_close(x.session);
    CHECK_FRAMES(&w, fd, "T:4a|C|");
    CHECK_MATCH(watcher_seen(&x), "+4a;!4a;close forced close;");
    world_hang_up(&w, fd);
    close_all();

    T_CASE("E123: closed in order: the poll that fetches them calls back");
    open_polling(NULL);
    watcher_send(&x, "a");
    sio_session_close(x.session);
    CHECK(watcher_send(&x, "b") == SIO_E_STATE, "sent");
    CHECK_MATCH(world_get(&w, query), "4a");
    CHECK_MATCH(watcher_seen(&x), "+4a;!4a;sent a;drain;");
    CHECK_MATCH(world_get(&w, query), "6\x1e"
                                      "1");
    CHECK_MATCH(watcher_seen(&x), "close forced close;");
    close_all();

    T_CASE("E123: closed while upgrading: sent, but nobody is called");
    open_polling(NULL);
    fd = echo_probe(&w, query);
    watcher_send(&x, "a");
    sio_session_close(x.session);
    world_send_text(&w, fd, "5");
    CHECK_FRAMES(&w, fd, "T:4a|C|");
    CHECK_MATCH(watcher_seen(&x), "upgrading;+4a;!4a;close forced close;");
    world_hang_up(&w, fd);
    close_all();
}

/* --------------------------------------------------------------- packets -- */

static void test_packets(void)
{
    sio_options o;
    int fd;

    T_CASE("E127: a packet that comes: message, a");
    fd = open_websocket(NULL);
    world_send_text(&w, fd, "4a");
    CHECK_MATCH(watcher_seen(&x), "<4a;a;");
    world_send_binary(&w, fd, "\1\2", 2);
    CHECK_MATCH(watcher_seen(&x), "<4#0102;2 bytes;");
    world_send_text(&w, fd, "5");
    world_send_text(&w, fd, "6");
    CHECK_MATCH(watcher_seen(&x), "<5;<6;");
    T_CASE("E129: a packet is made for a send: message, a");
    watcher_send_plain(&x, "a");
    CHECK_MATCH(watcher_seen(&x), "+4a;!4a;");
    world_hang_up(&w, fd);
    watcher_seen(&x);
    close_all();

    sio_options_init(&o);
    o.ping_interval_ms = 4;
    T_CASE("E130 E128: a heartbeat: a ping is made, a pong comes");
    fd = open_websocket(&o);
    world_advance(&w, 4);
    CHECK_MATCH(watcher_seen(&x), "+2;!2;drain;");
    world_send_text(&w, fd, "3");
    CHECK_MATCH(watcher_seen(&x), "<3;beat;");
    world_hang_up(&w, fd);
    watcher_seen(&x);
    T_CASE("E130 E128: the same over polling");
    CHECK(echo_session(&w, query), "no session");
    world_advance(&w, 4);
    CHECK_MATCH(watcher_seen(&x), "open;+2;");
    CHECK_MATCH(world_get(&w, query), "2");
    CHECK_MATCH(world_post(&w, query, "3"), "ok");
    CHECK_MATCH(watcher_seen(&x), "!2;drain;<3;beat;");
    world_post(&w, query, "1");
    close_all();

    T_CASE("E130 E128: Engine.IO 3: a ping comes, a pong is made");
    o.allow_eio3 = true;
    open_with(&o);
    fd = world_websocket(&w, "EIO=3&transport=websocket");
    world_frames(&w, fd);
    watcher_seen(&x);
    world_send_text(&w, fd, "2");
    CHECK_MATCH(watcher_seen(&x), "<2;+3;!3;beat;drain;");
    CHECK_FRAMES(&w, fd, "T:3|");
    world_hang_up(&w, fd);
    close_all();

    T_CASE("a closing session tells of no packets");
    open_polling(NULL);
    sio_session_close(x.session);
    CHECK_MATCH(world_post(&w, query, "4a"), "ok");
    CHECK_MATCH(watcher_seen(&x), "");
    CHECK_MATCH(world_post(&w, query, "1"), "ok");
    CHECK_MATCH(watcher_seen(&x), "close transport close;");
    close_all();
}

/* ---------------------------------------------------------------- frames -- */

static int send_frame(const char *text, const char *frame, size_t n)
{
    sio_session_send_options o;
    sio_value v = sio_string(text);

    sio_session_send_options_init(&o);
    o.websocket_frame = (sio_str){ frame, n };
    return sio_session_send_with(x.session, &v, &o);
}

static void test_frames(void)
{
    /* clang-format off */
    static const struct {
        const char *name, *bytes;
        size_t n;
    } bad[] = {
        { "half a header", "\x81", 1 },
        { "too short", "\x81\x04" "412", 5 },
        { "too long", "\x81\x04" "41234", 7 },
        { "not final", "\x01\x01" "4", 3 },
        { "a close frame", "\x88\x00", 2 },
        { "compressed", "\xc1\x01" "4", 3 },
        { "masked", "\x81\x81" "\0\0\0\0" "4", 7 },
        { "a length in two bytes for one", "\x81\x7e\0\1" "4", 5 },
        { "a length cut", "\x81\x7f\0", 3 },
    };
    /* clang-format on */
    sio_options o;
    int fd;

    T_CASE("E125: a frame made beforehand is sent as it is");
    fd = open_websocket(NULL);
    CHECK(send_frame("test",
                     "\x81\x04"
                     "4123",
                     6) == SIO_OK,
          "not sent");
    CHECK_FRAMES(&w, fd, "T:4123|");
    CHECK_MATCH(watcher_seen(&x), "+4test;!4test;drain;");
    for (size_t i = 0; i < COUNT(bad); i++)
        CHECK(send_frame("test", bad[i].bytes, bad[i].n) == SIO_E_INVAL,
              "taken: %s", bad[i].name);
    CHECK_FRAMES(&w, fd, "");
    world_hang_up(&w, fd);
    watcher_seen(&x);
    T_CASE("E125: over polling the message is sent");
    CHECK(echo_session(&w, query), "no session");
    CHECK(send_frame("test",
                     "\x81\x04"
                     "4123",
                     6) == SIO_OK,
          "not sent");
    CHECK_MATCH(world_get(&w, query), "4test");
    world_post(&w, query, "1");
    close_all();

    T_CASE("E126: with per_message_deflate the message is sent");
    sio_options_init(&o);
    o.per_message_deflate = true;
    fd = open_websocket(&o);
    send_frame("test",
               "\x81\x04"
               "4123",
               6);
    CHECK_FRAMES(&w, fd, "T:4test|");
    world_hang_up(&w, fd);
    close_all();
}

/* ------------------------------------------------------------------- ends --
 */

static void act_close(struct watcher *watcher, sio_session *session)
{
    (void)watcher;
    sio_session_close(session);
}

static void act_discard(struct watcher *watcher, sio_session *session)
{
    (void)watcher;
    sio_session_discard(session);
}

static void act_engine_close(struct watcher *watcher, sio_session *session)
{
    (void)session;
    sio_engine_close(watcher->engine);
}

static void act_send(struct watcher *watcher, sio_session *session)
{
    (void)session;
    watcher_send(watcher, "more");
}

/* As echo_probe(), whatever becomes of it. */
static int probe(void)
{
    char upgrade[160];
    int fd;

    snprintf(upgrade, sizeof upgrade, "EIO=4&transport=websocket&%s",
             strstr(query, "sid="));
    fd = world_websocket(&w, upgrade);
    if (fd >= 0)
        world_send_text(&w, fd, "2probe");
    return fd;
}

/* A whole life: polling, upgrade, WebSocket; whatever still works of it. */
static void live(void)
{
    int poll, fd;

    echo_session(&w, query);
    watcher_send(&x, "a");
    watcher_send(&x, "b");
    world_get(&w, query);
    poll = held_poll();
    world_post(&w, query, "4c");
    world_advance(&w, 301);
    world_post(&w, query, "3");
    fd = probe();
    watcher_send(&x, "d");
    if (fd >= 0)
        world_send_text(&w, fd, "5");
    world_hang_up(&w, poll);
    if (fd >= 0)
        world_send_text(&w, fd, "4e");
    watcher_send(&x, "f");
    watcher_send(&x, "g");
    world_advance(&w, 301);
    if (fd >= 0) {
        world_send_text(&w, fd, "3");
        world_hang_up(&w, fd);
    }
    if (x.session)
        sio_session_discard(x.session);
    world_turn(&w);
}

/* Every handler may do anything to its session: it ends exactly once, and
 * nothing is left. */
static void test_reentrance(void)
{
    static const char *const words[] = { "open",    "packet",   "message",
                                         "create",  "flush",    "drain",
                                         "beat",    "sent",     "close",
                                         "upgrade", "upgrading" };
    static const struct {
        const char *name;
        void (*act)(struct watcher *watcher, sio_session *session);
    } acts[] = { { "close", act_close },
                 { "discard", act_discard },
                 { "close the engine", act_engine_close },
                 { "send", act_send } };

    for (size_t i = 0; i < COUNT(words); i++)
        for (size_t k = 0; k < COUNT(acts); k++) {
            sio_options o;
            const char *end;

            T_CASE("%s in on_%s", acts[k].name, words[i]);
            sio_options_init(&o);
            o.ping_interval_ms = 300;
            open_with(&o);
            x.when = words[i];
            x.act = acts[k].act;
            live();
            CHECK(!x.when, "it never came to on_%s: %s", words[i], x.seen);
            end = strstr(x.seen, "close ");
            CHECK(end && !strstr(end + 1, "close "), "%s", x.seen);
            CHECK(!end || !strchr(strchr(end, ';') + 1, ';'), "%s", x.seen);
            close_all();
        }
}

static void test_oom(void)
{
    for (int ws = 0; ws < 2; ws++) {
        long n;

        T_CASE("the n-th allocation of a send fails: %s",
               ws ? "WebSocket" : "polling");
        for (n = 0; n < 50; n++) {
            char *seen;
            int fd = -1, r, sent = 0;

            if (ws)
                fd = open_websocket(NULL);
            else
                open_polling(NULL);
            oom_arm(n);
            r = watcher_send(&x, "a");
            if (!oom_disarm())
                break;
            watcher_send_plain(&x, "b");
            world_turn(&w);
            if (fd < 0 && x.session)
                world_get(&w, query);
            seen = x.seen;
            while ((seen = strstr(seen, "sent a;"))) {
                seen++;
                sent++;
            }
            /* Told to have gone, refused, or the session has ended. */
            CHECK(x.session ? sent == (r == SIO_OK) : sent == 0, "%ld: %d, %s",
                  n, r, x.seen);
            if (x.session)
                sio_session_discard(x.session);
            if (fd >= 0)
                world_hang_up(&w, fd);
            close_all();
        }
        CHECK(n > 2, "only %ld allocations", n);
        sio_server_free(w.server);
    }
}

/* Without handlers of its own a session sends as it always has. */
static void test_costs(void)
{
    long before = 0, with;
    int fd;

    T_CASE("cost: a send allocates no more for being watchable");
    CHECK(watcher_open(&w, &x, NULL, true), "no server");
    fd = echo_websocket(&w);
    for (int n = -5; n < 100; n++) {
        if (n == 0)
            before = oom_count();
        watcher_send_plain(&x, "a");
        world_frames(&w, fd);
    }
    with = oom_count() - before;
    CHECK(with <= 100, "%ld allocations for 100 sends", with);
    world_hang_up(&w, fd);
    close_all();
}

int main(void)
{
    test_drain();
    test_flush_lists();
    test_upgrade_flush();
    test_callbacks_polling();
    test_callbacks_websocket();
    test_kernel_full();
    test_upgrading();
    test_dropped();
    test_packets();
    test_frames();
    test_reentrance();
    test_oom();
    test_costs();
    return t_done();
}
