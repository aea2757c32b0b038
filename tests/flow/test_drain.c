/*
 * test_drain.c -- sio_drain(): nobody new, those that are there leave spread
 * over the time, with what was queued for them; then the server stops. And what
 * of Node's close() is not in test_closing.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sio/sio.h>

#include <unistd.h>

#include "tests/flow/echo.h"

#define RS "\x1e"
#define CLIENTS 100
#define SLOT_MS 100

static struct world w;
static char left[1024]; /* reasons, one behind the other */
static char nothing[] = "", from[] = "from "; /* what is written before them */

static void on_echo(sio_socket *socket, sio_event *event, void *user)
{
    (void)user;
    sio_emit(socket, "echo", sio_arg(event, 0));
}

static void on_disconnect(sio_socket *socket, const char *reason, void *user)
{
    size_t n = strlen(left);

    snprintf(left + n, sizeof left - n, "%s%s %s;", (const char *)user,
             sio_namespace_name(sio_namespace_of(socket)), reason);
}

static void open_server(const sio_options *options)
{
    left[0] = 0;
    CHECK(world_open(&w, options), "no server");
    sio_on(sio_of(w.server, "/"), "echo", on_echo, NULL);
    sio_on_disconnect(sio_of(w.server, "/"), on_disconnect, nothing);
}

static void close_server(void)
{
    world_check_empty(&w);
    world_close(&w);
}

static void drain(uint32_t ms)
{
    sio_drain(w.server, ms);
    world_turn(&w);
}

static size_t sessions(void)
{
    sio_stats s;

    sio_get_stats(w.server, &s);
    return s.sessions;
}

static bool stopped(void)
{
    return strstr(w.log, "stopped") != NULL;
}

/* --------------------------------------------------------------- in time -- */

static void test_spread(void)
{
    int fds[CLIENTS], steps[SLOT_MS / 10] = { 0 }, used = 0;

    T_CASE("%d clients over 10 s: one in each slot, not in step", CLIENTS);
    open_server(NULL);
    for (int i = 0; i < CLIENTS; i++)
        fds[i] = world_client(&w);
    drain(CLIENTS * SLOT_MS);
    for (int slot = 0; slot < CLIENTS; slot++) {
        size_t gone;

        for (int step = 0; step < SLOT_MS / 10; step++) {
            size_t before = sessions();

            world_advance(&w, 10);
            steps[step] += sessions() < before;
        }
        /* one that is due at the very first moment of the next may be in */
        gone = CLIENTS - sessions();
        CHECK(gone == (size_t)slot + 1 || gone == (size_t)slot + 2,
              "%zu have left in %d slots", gone, slot + 1);
    }
    for (size_t i = 0; i < COUNT(steps); i++)
        used += steps[i] > 0;
    CHECK(used >= 5, "all of them at %d moments of a slot", used);
    for (int i = 0; i < CLIENTS; i++) {
        CHECK_FRAMES(&w, fds[i], "C|");
        close(fds[i]);
    }
    CHECK(w.server->stopping, "it has not stopped");
    CHECK(w.server->hub.shards->left[SIO_CLOSE_SERVER_SHUTDOWN] == CLIENTS,
          "other reasons");
    close_server();
}

static void test_early(void)
{
    int fd, other;

    T_CASE("nobody there: it stops at once");
    open_server(NULL);
    drain(60000);
    CHECK(stopped(), "log: %s", w.log);
    close_server();

    T_CASE("all leave by themselves: it stops then");
    open_server(NULL);
    fd = world_client(&w);
    drain(3600000);
    CHECK(!stopped() && sio_draining(w.server), "log: %s", w.log);
    world_hang_up(&w, fd);
    world_advance(&w, 150);
    CHECK(stopped(), "log: %s", w.log);
    close_server();

    T_CASE("sio_stop() cuts it short, another sio_drain() does not");
    open_server(NULL);
    fd = world_client(&w);
    other = world_client(&w);
    CHECK(!sio_draining(w.server), "not yet");
    drain(3600000);
    drain(0);
    CHECK(sessions() == 2, "%zu sessions", sessions());
    sio_stop(w.server);
    world_turn(&w);
    CHECK_FRAMES(&w, fd, "C|");
    CHECK_FRAMES(&w, other, "C|");
    CHECK_MATCH(left, "/ server shutting down;/ server shutting down;");
    world_hang_up(&w, fd);
    world_hang_up(&w, other);
    world_advance(&w, 20);
    CHECK(stopped(), "log: %s", w.log);
    close_server();

    T_CASE("over 0 ms: all at once");
    open_server(NULL);
    fd = world_client(&w);
    drain(0);
    CHECK_FRAMES(&w, fd, "C|");
    world_hang_up(&w, fd);
    close_server();

    T_CASE("freed in the middle of it");
    open_server(NULL);
    fd = world_client(&w);
    drain(60000);
    world_close(&w);
    CHECK_MATCH(left, "/ server shutting down;");
    close(fd);
}

/* ----------------------------------------------------------- nobody new -- */

static void test_refused(void)
{
    static const char get[] = "GET /socket.io/?EIO=4&transport=polling "
                              "HTTP/1.1\r\nHost: x\r\n\r\n";
    static const sio_websocket_handlers none = { .size = sizeof none };
    char sid[24], query[128];
    int kept, fd;

    T_CASE("handshakes are answered 503 and closed, known sessions go on");
    open_server(NULL);
    CHECK(sio_on_websocket(w.server, NULL, &none, NULL) == SIO_OK, "add");
    CHECK(world_session(&w, sid), "no session");
    snprintf(query, sizeof query, "EIO=4&transport=polling&sid=%s", sid);
    CHECK_MATCH(world_post(&w, query, "40"), "ok");
    CHECK_MATCH(world_get(&w, query), "40{*}");
    fd = world_client(&w);
    kept = world_connect(&w);
    world_write(&w, kept, "GET /no HTTP/1.1\r\nHost: x\r\n\r\n", 29);
    CHECK(world_read(&w, kept) > 0, "no answer");
    drain(60000);
    world_write(&w, kept, get, sizeof get - 1);
    CHECK(world_read(&w, kept) > 0, "no answer");
    CHECK_MATCH(w.got, "HTTP/1.1 503 *Connection: close*");
    CHECK(world_read(&w, kept) == -1, "the connection is kept");
    world_hang_up(&w, kept);
    CHECK(world_websocket(&w, "EIO=4&transport=websocket") == -1, "taken in");
    CHECK_MATCH(w.got, "HTTP/1.1 503 *");
    w.path = "/other";
    CHECK(world_websocket(&w, "") == -1, "an endpoint takes it in");
    CHECK_MATCH(w.got, "HTTP/1.1 503 *");
    w.path = "/socket.io/";
    CHECK_MATCH(world_post(&w, query, "42[\"echo\",1]"), "ok");
    CHECK_MATCH(world_get(&w, query), "42[\"echo\",1]");
    world_send_text(&w, fd, "42[\"echo\",2]");
    CHECK_FRAMES(&w, fd, "T:42[\"echo\",2]|");
    CHECK(sio_listen(w.server, "127.0.0.1:0", NULL) == SIO_E_STATE, "listens");
    world_post(&w, query, "1");
    world_hang_up(&w, fd);
    world_advance(&w, 150);
    CHECK(stopped(), "log: %s", w.log);
    close_server();
}

static void test_listens(void)
{
    for (int listens = 0; listens < 2; listens++) {
        sio_options o;
        int fd;

        T_CASE("drain_listens %d: connections are %staken", listens,
               listens ? "" : "not ");
        sio_options_init(&o);
        o.drain_listens = listens;
        open_server(&o);
        CHECK(sio_listen(w.server, "127.0.0.1:0", NULL) == SIO_OK, "listen");
        fd = world_client(&w);
        drain(60000);
        CHECK(list_empty(&w.server->listeners) == !listens, "listeners");
        world_hang_up(&w, fd);
        world_advance(&w, 150);
        CHECK(list_empty(&w.server->listeners), "still listens");
        close_server();
    }
}

/* --------------------------------------------------------- nothing lost -- */

static void test_polling(void)
{
    char sid[24], query[128];
    int poll;

    T_CASE("a waiting poll gets the close");
    open_server(NULL);
    CHECK(world_session(&w, sid), "no session");
    snprintf(query, sizeof query, "EIO=4&transport=polling&sid=%s", sid);
    world_post(&w, query, "40");
    CHECK_MATCH(world_get(&w, query), "40{*}");
    poll = world_poll(&w, sid);
    drain(1000);
    world_advance(&w, 1000);
    CHECK_MATCH(world_poll_answer(&w, poll), "1");
    CHECK_MATCH(left, "/ server shutting down;");
    world_hang_up(&w, poll);
    close_server();

    T_CASE("what is queued goes out before it");
    open_server(NULL);
    CHECK(world_session(&w, sid), "no session");
    poll = world_client(&w); /* it keeps the time from being over at once */
    snprintf(query, sizeof query, "EIO=4&transport=polling&sid=%s", sid);
    world_post(&w, query, "40" RS "42[\"echo\",1]");
    drain(20000);
    world_advance(&w, 10000); /* before a ping is due */
    CHECK(left[0] == 0, "gone: %s", left);
    CHECK_MATCH(world_get(&w, query), "40{*}" RS "42[\"echo\",1]");
    CHECK_MATCH(world_get(&w, query), "6" RS "1");
    CHECK_MATCH(left, "/ server shutting down;");
    world_hang_up(&w, poll);
    world_advance(&w, 150);
    close_server();
}

static void test_post(void)
{
    char sid[24], query[128];
    int post;

    T_CASE("a POST that is arriving is waited for");
    open_server(NULL);
    CHECK(world_session(&w, sid), "no session");
    snprintf(query, sizeof query, "EIO=4&transport=polling&sid=%s", sid);
    world_post(&w, query, "40");
    CHECK_MATCH(world_get(&w, query), "40{*}");
    post = echo_begin_post(&w, query, "Content-Length: 12\r\n", "42[\"ec");
    drain(1000);
    world_advance(&w, 999);
    CHECK(left[0] == 0, "gone: %s", left);
    world_write(&w, post, "ho\",1]", 6);
    CHECK_MATCH(world_poll_answer(&w, post), "ok");
    CHECK_MATCH(world_get(&w, query), "42[\"echo\",1]");
    world_advance(&w, 1);
    CHECK_MATCH(left, "/ server shutting down;");
    world_hang_up(&w, post);
    world_advance(&w, 20);
    CHECK(stopped(), "log: %s", w.log);
    close_server();
}

static void test_endpoints(void)
{
    static const sio_websocket_handlers none = { .size = sizeof none };
    static struct echo e;
    int session, ws;

    T_CASE("plain sessions and plain WebSockets are clients, too");
    CHECK(echo_open(&w, &e, NULL), "no server");
    CHECK(sio_on_websocket(w.server, NULL, &none, NULL) == SIO_OK, "add");
    session = echo_websocket(&w);
    w.path = "/";
    ws = world_websocket(&w, "");
    drain(1000);
    world_advance(&w, 499);
    world_advance(&w, 1);
    CHECK_FRAMES(&w, session, "C|");
    CHECK_MATCH(e.seen, "open;close server shutting down;");
    world_advance(&w, 500);
    CHECK_FRAMES(&w, ws, "C:1001|");
    world_hang_up(&w, session);
    world_hang_up(&w, ws);
    world_advance(&w, 20);
    CHECK(stopped(), "log: %s", w.log);
    close_server();
}

/* ------------------------------------------------------------- stopping -- */

static void on_stopped(sio_server *server, void *user)
{
    (*(int *)user)++;
    if (*(int *)user == 2)
        CHECK(sio_listen(server, "127.0.0.1:0", NULL) == SIO_OK, "within");
}

static void test_again(void)
{
    int stops = 0, fd;

    T_CASE("stop: the program is told; sio_listen() begins anew");
    open_server(NULL);
    sio_on_stopped(w.server, on_stopped, &stops);
    CHECK(sio_listen(w.server, "127.0.0.1:0", NULL) == SIO_OK, "listen");
    for (int round = 0; round < 3; round++) {
        fd = world_client(&w);
        sio_stop(w.server);
        world_turn(&w);
        CHECK(sio_listen(w.server, "127.0.0.1:0", NULL) == SIO_E_STATE,
              "listens while it stops");
        CHECK_FRAMES(&w, fd, "C|");
        world_hang_up(&w, fd);
        world_advance(&w, 20);
        CHECK(stops == round + 1, "told %d times", stops);
        CHECK(sio_draining(w.server) == (round != 1), "round %d", round);
        if (round != 1) /* then on_stopped() has listened */
            CHECK(sio_listen(w.server, "127.0.0.1:0", NULL) == SIO_OK, "again");
        CHECK(!sio_draining(w.server) && sio_port(w.server), "it is there");
        fd = world_client(&w);
        world_send_text(&w, fd, "42[\"echo\",1]");
        CHECK_FRAMES(&w, fd, "T:42[\"echo\",1]|");
        world_hang_up(&w, fd);
    }
    T_CASE("drain: sio_listen() begins anew behind it, too");
    drain(0);
    world_advance(&w, 20);
    CHECK(sio_listen(w.server, "127.0.0.1:0", NULL) == SIO_OK, "listen");
    fd = world_client(&w);
    drain(1000);
    world_hang_up(&w, fd);
    world_advance(&w, 1000);
    CHECK(stops == 5, "told %d times", stops);
    close_server();
}

static void test_stop(void)
{
    sio_options o;
    sio_server *server;
    int fd;

    T_CASE("4.2 stop: every socket of every namespace hears of it, no packet "
           "41, a close frame without a code");
    open_server(NULL);
    sio_on_disconnecting(sio_of(w.server, "/"), on_disconnect, from);
    sio_on_disconnecting(sio_of(w.server, "/b"), on_disconnect, from);
    sio_on_disconnect(sio_of(w.server, "/b"), on_disconnect, nothing);
    fd = world_client(&w);
    world_send_text(&w, fd, "40/b,");
    CHECK_FRAMES(&w, fd, "T:40/b,{*}|");
    sio_stop(w.server);
    CHECK_FRAMES(&w, fd, "C|");
    CHECK_MATCH(left, "from / server shutting down;/ server shutting down;"
                      "from /b server shutting down;/b server shutting down;");
    world_hang_up(&w, fd);
    close_server();

    test_again();
    T_CASE("S29 S30 a server that does not listen stops without an error");
    sio_options_init(&o);
    o.handle_signals = false;
    server = sio_server_new(&o);
    sio_stop(server);
    CHECK(server && sio_run(server) == SIO_OK, "run");
    sio_server_free(server);
}

int main(void)
{
    test_spread();
    test_early();
    test_refused();
    test_listens();
    test_polling();
    test_post();
    test_endpoints();
    test_stop();
    return t_done();
}
