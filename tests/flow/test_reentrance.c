/*
 * test_reentrance.c -- calls that come at the worst moment: handlers that end
 * what they run in, requests of one client that end each other.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sio/sio.h>

#include <sys/socket.h>

#include "tests/flow/echo.h"

static char seen[4096];

__attribute__((format(printf, 1, 2))) static void note(const char *fmt, ...)
{
    size_t have = strlen(seen);
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(seen + have, sizeof seen - have, fmt, ap);
    va_end(ap);
}

static void on_echo(sio_socket *socket, sio_event *event, void *user)
{
    (void)user;
    note("echo;");
    sio_emit(socket, "echo", sio_arg(event, 0));
}

static void kick(sio_socket *socket, void *user)
{
    (void)user;
    note("kick;");
    sio_disconnect(socket, true);
}

static void on_gone(sio_socket *socket, const char *reason, void *user)
{
    (void)user;
    note("%s;", reason);
    sio_emit(socket, "too late");
    sio_join(socket, "r");
    sio_leave_all(socket);
    sio_disconnect(socket, true);
}

static void open_server(struct world *w)
{
    sio_namespace *nsp;

    seen[0] = 0;
    CHECK(world_open(w, NULL), "no server");
    nsp = sio_of(w->server, "/");
    sio_on(nsp, "echo", on_echo, NULL);
    sio_on_disconnecting(nsp, on_gone, NULL);
    sio_on_disconnect(nsp, on_gone, NULL);
    nsp = sio_of(w->server, "/kick");
    sio_on_connection(nsp, kick, NULL);
    sio_of(w->server, "/admin");
}

/* Everybody else goes on, and nothing is left. */
static void check_others(struct world *w)
{
    int fd = world_client(w);

    world_send_text(w, fd, "42[\"echo\",1]");
    CHECK_FRAMES(w, fd, "T:42[\"echo\",1]|");
    world_hang_up(w, fd);
    world_check_empty(w);
    world_close(w);
}

/* Several masked text frames in one segment (the key is 0). */
static void send_at_once(struct world *w, int fd, const char *const *texts)
{
    char all[4096];
    size_t n = 0;

    for (; *texts; texts++) {
        size_t len = strlen(*texts);

        memcpy(all + n, "\x81\x80\0\0\0\0", 6);
        all[n + 1] = (char)(0x80 | len);
        memcpy(all + n + 6, *texts, len);
        n += 6 + len;
    }
    world_write(w, fd, all, n);
}

static void test_close_while_decoding(struct world *w)
{
    static const char *const texts[] = { "42[\"echo\",1]", "40/kick,",
                                         "42[\"echo\",2]", NULL };
    char sid[24], query[128];
    int fd;

    T_CASE(
        "on_connection closes the client whose event still waits: WebSocket");
    open_server(w);
    fd = world_client(w);
    send_at_once(w, fd, texts);
    CHECK_FRAMES(w, fd, "*T:40/kick,{\"sid\":\"*\"}|*C|");
    world_hang_up(w, fd);
    check_others(w);

    T_CASE("on_connection closes the client whose event still waits: polling");
    open_server(w);
    CHECK(world_session(w, sid), "no session");
    snprintf(query, sizeof query, "EIO=4&transport=polling&sid=%s", sid);
    world_post(w, query, "40");
    world_get(w, query);
    fd = world_poll(w, sid);
    CHECK_MATCH(world_post(w, query,
                           "42[\"echo\",1]\x1e"
                           "40/kick,\x1e"
                           "42[\"echo\",2]"),
                "ok");
    world_read(w, fd);
    world_hang_up(w, fd);
    world_get(w, query);
    world_get(w, query);
    check_others(w);
}

static void test_binary_without_namespace(struct world *w)
{
    static const char *const rows[] = {
        "451-/admin,[\"x\",{\"_placeholder\":true,\"num\":0}]",
        "461-/admin,7[{\"_placeholder\":true,\"num\":0}]",
        "451-/nope,[\"x\",{\"_placeholder\":true,\"num\":0}]",
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        int fd;

        T_CASE("binary packet for a namespace not joined: %s", rows[i]);
        open_server(w);
        fd = world_client(w);
        world_send_text(w, fd, rows[i]);
        world_send_binary(w, fd, "x", 1);
        CHECK_FRAMES(w, fd, "C|");
        CHECK_MATCH(seen, "*forced close;*");
        world_hang_up(w, fd);
        check_others(w);
    }
}

/* CVE-2026-48804: nor is anything kept of a packet for one. */
static void test_left_between_pieces(struct world *w)
{
    int fd;

    T_CASE("CVE-2026-48804 attachments are kept only of who has joined");
    open_server(w);
    fd = world_websocket(w, "EIO=4&transport=websocket");
    world_frames(w, fd);
    world_send_text(w, fd, "452-[\"x\",{\"_placeholder\":true,\"num\":0}]");
    CHECK_FRAMES(w, fd, "C|");
    world_hang_up(w, fd);
    check_others(w);

    T_CASE("the socket has left between a binary packet and its attachment");
    open_server(w);
    fd = world_client(w);
    world_send_text(w, fd, "451-[\"x\",{\"_placeholder\":true,\"num\":0}]");
    sio_disconnect_sockets(sio_of(w->server, "/"), false);
    world_send_binary(w, fd, "x", 1);
    CHECK_FRAMES(w, fd, "T:41|*too late\"]|"); /* ignored, nothing is left */
    world_send_text(w, fd, "40");
    CHECK_FRAMES(w, fd, "T:40{\"sid\":\"*\"}|*");
    world_hang_up(w, fd);
    check_others(w);
}

static void test_upgrade_drops_its_poll(struct world *w)
{
    struct echo e;
    char query[128];
    int poll, fd;

    T_CASE("the poll lies on the connection of a POST that an upgrade drops");
    CHECK(echo_open(w, &e, NULL) && echo_session(w, query), "no session");
    fd = echo_probe(w, query);
    poll = world_connect(w);
    {
        char head[512];
        int n = snprintf(head, sizeof head,
                         "GET /engine.io/?%s HTTP/1.1\r\nHost: x\r\n\r\n"
                         "POST /engine.io/?%s HTTP/1.1\r\nHost: x\r\n"
                         "Content-Length: 9\r\n\r\n4",
                         query, query);

        world_write(w, poll, head, (size_t)n);
    }
    world_send_text(w, fd, "5");
    world_send_text(w, fd, "4hello");
    CHECK_FRAMES(w, fd, "T:4hello|");
    world_hang_up(w, poll);
    world_hang_up(w, fd);
    CHECK_SERVES(w);
    world_check_empty(w);
    world_close(w);
}

static void test_close_in_on_open(struct world *w)
{
    struct echo e;
    char query[128];
    int fd;

    T_CASE("a session is closed in its on_open: WebSocket");
    CHECK(echo_open(w, &e, NULL), "no server");
    e.close_at_once = true;
    fd = world_websocket(w, "EIO=4&transport=websocket");
    CHECK_FRAMES(w, fd, "T:0{*}|C|");
    CHECK_MATCH(e.seen, "open;close forced close;");
    world_hang_up(w, fd);
    world_advance(w, 100000);
    e.close_at_once = false;
    CHECK_SERVES(w);
    world_check_empty(w);
    world_close(w);

    T_CASE("a session is closed in its on_open: polling");
    CHECK(echo_open(w, &e, NULL), "no server");
    e.close_at_once = true;
    CHECK(echo_session(w, query), "no session");
    CHECK_MATCH(world_get(w, query), "6\x1e"
                                     "1");
    CHECK_MATCH(e.seen, "open;close forced close;");
    world_advance(w, 100000);
    e.close_at_once = false;
    CHECK_SERVES(w);
    world_check_empty(w);
    world_close(w);
}

/* ------------------------------------------------- any deed at any place -- */

/* clang-format off */
#define PLACES(X)                                                          \
    X(MIDDLEWARE,    "a middleware")                                       \
    X(CONNECTION,    "on_connection")                                      \
    X(EVENT,         "an event's handler")                                 \
    X(DISCONNECTING, "on_disconnecting")                                   \
    X(DISCONNECT,    "on_disconnect")                                      \
    X(REPLY_ONE,     "the reply of one")                                   \
    X(REPLY_MANY,    "the reply of many")

#define DEEDS(X)                                                           \
    X(LEAVE,      "sio_disconnect(socket, false)")                         \
    X(CLOSE,      "sio_disconnect(socket, true)")                          \
    X(KICK_ALL,   "sio_disconnect_sockets(nsp, true)")                     \
    X(KICK_ROOM,  "sio_disconnect_sockets(room, false)")                   \
    X(EMIT_ALL,   "sio_emit(nsp)")                                         \
    X(ASK,        "sio_emit_ack(socket)")                                  \
    X(ASK_ALL,    "sio_emit_ack(nsp)")                                     \
    X(JOIN_LEAVE, "sio_join(), sio_leave(), sio_leave_all()")              \
    X(SET_DATA,   "sio_set_data()")                                        \
    X(REGISTER,   "registering handlers")                                  \
    X(LET_IN,     "sio_next_ok() of another client")                       \
    X(STOP,       "sio_stop()")
/* clang-format on */

#define X(name, text) name,
enum place { PLACES(X) NPLACES };
enum deed { DEEDS(X) NDEEDS };
#undef X

#define X(name, text) text,
static const char *const place_names[] = { PLACES(X) };
static const char *const deed_names[] = { DEEDS(X) };
#undef X

static struct {
    enum place place;
    enum deed deed;
    size_t done, left;
    sio_server *server;
    sio_next *waiting;
} act;

static void on_reply(int error, sio_event *answers, void *user);

static void unheard(sio_socket *socket, sio_event *event, void *user)
{
    (void)socket;
    (void)event;
    (void)user;
}

static void forget(void *data)
{
    note("forget %s;", (const char *)data);
}

static void do_deed(sio_socket *socket)
{
    sio_namespace *nsp = sio_of(act.server, "/");

    switch (act.deed) {
    case LEAVE:
        sio_disconnect(socket, false);
        break;
    case CLOSE:
        sio_disconnect(socket, true);
        break;
    case KICK_ALL:
        sio_disconnect_sockets(nsp, true);
        break;
    case KICK_ROOM:
        sio_disconnect_sockets(sio_to(nsp, "room"), false);
        break;
    case EMIT_ALL:
        sio_emit(nsp, "deed", sio_binary("\1", 1));
        sio_emit(socket, "deed");
        break;
    case ASK:
        sio_emit_ack(sio_timeout(socket, 50), on_reply, NULL, "q");
        sio_emit_ack(socket, on_reply, NULL, "q");
        break;
    case ASK_ALL:
        sio_emit_ack(sio_timeout(nsp, 50), on_reply, NULL, "q");
        break;
    case JOIN_LEAVE:
        sio_join(socket, "x");
        sio_leave(socket, "room");
        sio_leave_all(socket);
        sio_join(socket, sio_id(socket));
        sio_join(socket, "y");
        break;
    case SET_DATA:
        sio_set_data(socket, (char[]){ "a" }, NULL);
        sio_set_data(socket, (void *)(uintptr_t) "b", forget);
        break;
    case REGISTER:
        sio_on(nsp, "go", unheard, NULL);
        sio_on_disconnect(nsp, on_gone, NULL);
        break;
    case LET_IN:
        if (act.waiting)
            sio_next_ok(act.waiting);
        act.waiting = NULL;
        break;
    default:
        sio_stop(act.server);
    }
}

/* Three times is enough: some deeds lead to the place where they are done. */
static void at_place(enum place place, sio_socket *socket)
{
    if (place != act.place || act.done == 3)
        return;
    act.done++;
    do_deed(socket);
}

static void on_reply(int error, sio_event *answers, void *user)
{
    sio_socket *socket = user;

    (void)error;
    sio_arg_count(answers);
    if (socket)
        at_place(REPLY_ONE, socket);
}

static void on_replies(int error, sio_event *answers, void *user)
{
    (void)error;
    sio_arg_count(answers);
    at_place(REPLY_MANY, user);
}

static void actor_middleware(sio_socket *socket, sio_next *next, void *user)
{
    (void)user;
    at_place(MIDDLEWARE, socket);
    sio_next_ok(next);
}

static void actor_waits(sio_socket *socket, sio_next *next, void *user)
{
    (void)socket;
    (void)user;
    act.waiting = next;
}

static void actor_connection(sio_socket *socket, void *user)
{
    (void)user;
    sio_join(socket, "room");
    sio_set_data(socket, (void *)(uintptr_t) "first", forget);
    at_place(CONNECTION, socket);
}

static void actor_go(sio_socket *socket, sio_event *event, void *user)
{
    (void)user;
    sio_emit_ack(sio_timeout(socket, 100), on_reply, socket, "q");
    sio_emit_ack(sio_timeout(sio_namespace_of(socket), 100), on_replies, socket,
                 "q");
    sio_emit(sio_to(socket, "room"), "went", sio_arg(event, 0));
    at_place(EVENT, socket);
    sio_emit(socket, "went", sio_arg(event, 0));
    sio_ack(event);
}

static void actor_disconnecting(sio_socket *socket, const char *reason,
                                void *user)
{
    (void)reason;
    (void)user;
    at_place(DISCONNECTING, socket);
}

static void actor_disconnect(sio_socket *socket, const char *reason, void *user)
{
    (void)reason;
    (void)user;
    act.left++;
    at_place(DISCONNECT, socket);
}

static void open_stage(struct world *w, enum place place, enum deed deed)
{
    sio_namespace *nsp;

    memset(&act, 0, sizeof act);
    seen[0] = 0;
    CHECK(world_open(w, NULL), "no server");
    act.place = place;
    act.deed = deed;
    act.server = w->server;
    nsp = sio_of(w->server, "/");
    sio_use(nsp, actor_middleware, NULL);
    sio_on_connection(nsp, actor_connection, NULL);
    sio_on(nsp, "go", actor_go, NULL);
    sio_on(nsp, "echo", on_echo, NULL);
    sio_on_disconnecting(nsp, actor_disconnecting, NULL);
    sio_on_disconnect(nsp, actor_disconnect, NULL);
    sio_use(sio_of(w->server, "/wait"), actor_waits, NULL);
}

/* Two clients on WebSocket, one on polling; two events in one segment, answers
 * that come and answers that do not; they leave each in its way. */
static void play(struct world *w)
{
    static const char *const texts[] = { "42[\"go\",1]", "420[\"go\",2]",
                                         "430[\"a\"]",   "431[]",
                                         "41",           NULL };
    char sid[24] = "x", query[128];
    int a = world_client(w), b = world_client(w), poll;

    world_session(w, sid);
    snprintf(query, sizeof query, "EIO=4&transport=polling&sid=%s", sid);
    world_post(w, query, "40");
    world_get(w, query);
    world_send_text(w, b, "40/wait,");
    poll = world_poll(w, sid);
    world_post(w, query,
               "42[\"go\",3]\x1e"
               "42[\"go\",4]\x1e"
               "430[1]");
    world_read(w, poll);
    world_send_text(w, b, "42[\"go\",5]");
    world_send_text(w, b, "43999[\"nobody asked\"]");
    send_at_once(w, a, texts);
    world_frames(w, a);
    world_advance(w, 200);
    world_hang_up(w, b);
    world_hang_up(w, poll);
    world_hang_up(w, a);
}

static void test_deeds(struct world *w)
{
    for (enum place place = 0; place < NPLACES; place++)
        for (enum deed deed = 0; deed < NDEEDS; deed++) {
            T_CASE("in %s: %s", place_names[place], deed_names[deed]);
            open_stage(w, place, deed);
            play(w);
            CHECK(act.done > 0, "it was never done");
            act.place = NPLACES;
            world_advance(w, 100000);
            if (act.waiting)
                sio_next_ok(act.waiting);
            act.waiting = NULL;
            world_check_empty(w);
            if (deed != STOP)
                check_others(w);
            else
                world_close(w);
        }
}

/* ------------------------------------------------- handlers that register */

/* How often each was called; a call registers one more of its kind. */
static struct {
    int middleware, connection, event, unhandled, disconnecting, disconnect;
} calls;

#define ENOUGH 100 /* calls of what would go on for ever */

static void on_use_more(sio_socket *socket, sio_next *next, void *user)
{
    if (++calls.middleware < ENOUGH)
        sio_use(sio_namespace_of(socket), on_use_more, user);
    sio_next_ok(next);
}

static void on_connection_more(sio_socket *socket, void *user)
{
    if (++calls.connection < ENOUGH)
        sio_on_connection(sio_namespace_of(socket), on_connection_more, user);
}

static void on_event_more(sio_socket *socket, sio_event *event, void *user)
{
    (void)event;
    if (++calls.event < ENOUGH)
        sio_on(sio_namespace_of(socket), "more", on_event_more, user);
}

static void on_unhandled_more(sio_socket *socket, sio_event *event, void *user)
{
    (void)event;
    if (++calls.unhandled < ENOUGH)
        sio_on_unhandled(sio_namespace_of(socket), on_unhandled_more, user);
}

static void on_disconnecting_more(sio_socket *socket, const char *reason,
                                  void *user)
{
    (void)reason;
    if (++calls.disconnecting < ENOUGH)
        sio_on_disconnecting(sio_namespace_of(socket), on_disconnecting_more,
                             user);
}

static void on_disconnect_more(sio_socket *socket, const char *reason,
                               void *user)
{
    (void)reason;
    if (++calls.disconnect < ENOUGH)
        sio_on_disconnect(sio_namespace_of(socket), on_disconnect_more, user);
}

static void test_register_within(struct world *w)
{
    sio_namespace *nsp;
    int fd;

    T_CASE("a handler registered within one of its kind waits for the next");
    memset(&calls, 0, sizeof calls);
    CHECK(world_open(w, NULL), "no server");
    nsp = sio_of(w->server, "/");
    sio_use(nsp, on_use_more, NULL);
    sio_on_connection(nsp, on_connection_more, NULL);
    sio_on(nsp, "more", on_event_more, NULL);
    sio_on_unhandled(nsp, on_unhandled_more, NULL);
    sio_on_disconnecting(nsp, on_disconnecting_more, NULL);
    sio_on_disconnect(nsp, on_disconnect_more, NULL);
    fd = world_client(w);
    CHECK(calls.middleware == 1, "%d", calls.middleware);
    CHECK(calls.connection == 1, "%d", calls.connection);
    world_send_text(w, fd, "42[\"more\"]");
    CHECK(calls.event == 1, "%d", calls.event);
    world_send_text(w, fd, "42[\"more\"]");
    CHECK(calls.event == 3, "%d", calls.event);
    world_send_text(w, fd, "42[\"other\"]");
    CHECK(calls.unhandled == 1, "%d", calls.unhandled);
    world_hang_up(w, fd);
    world_turn(w);
    CHECK(calls.disconnecting == 1, "%d", calls.disconnecting);
    CHECK(calls.disconnect == 1, "%d", calls.disconnect);
    world_check_empty(w);
    world_close(w);
}

int main(void)
{
    static struct world w;

    test_close_while_decoding(&w);
    test_binary_without_namespace(&w);
    test_left_between_pieces(&w);
    test_upgrade_drops_its_poll(&w);
    test_close_in_on_open(&w);
    test_deeds(&w);
    test_register_within(&w);
    return t_done();
}
