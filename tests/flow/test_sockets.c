/*
 * test_sockets.c -- many sockets at once, rooms and what is told of them, and
 * what a program can do on a namespace.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sio/sio.h>

#include <pthread.h>
#include <stdlib.h>

#include "tests/flow/world.h"
#include "tests/unit/oom.h"

#define CLIENTS 3

static struct world w;
static char seen[8192]; /* what handlers have seen */
static sio_namespace *nsp;
static sio_socket *sockets[CLIENTS]; /* retained */
static int fds[CLIENTS];
static size_t connected;

__attribute__((format(printf, 1, 2))) static void note(const char *fmt, ...)
{
    size_t have = strlen(seen);
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(seen + have, sizeof seen - have, fmt, ap);
    va_end(ap);
}

static void on_connection(sio_socket *socket, void *user)
{
    (void)user;
    if (connected < CLIENTS)
        sockets[connected++] = sio_retain(socket);
}

static void no_sockets(void)
{
    memset(sockets, 0, sizeof sockets);
    connected = 0;
}

static void on_disconnect(sio_socket *socket, const char *reason, void *user)
{
    (void)socket, (void)user;
    note("%s;", reason);
}

/* Three clients; the second and third in "some", the third in "one". */
static void begin(void)
{
    seen[0] = 0;
    no_sockets();
    CHECK(world_open(&w, NULL), "no server");
    nsp = sio_of(w.server, "/");
    sio_on_connection(nsp, on_connection, NULL);
    sio_on_disconnect(nsp, on_disconnect, NULL);
    for (size_t i = 0; i < CLIENTS; i++)
        fds[i] = world_client(&w);
    CHECK(connected == CLIENTS, "%zu came", connected);
    sio_join(sockets[1], "some");
    sio_join(sockets[2], "some");
    sio_join(sockets[2], "one");
}

static void end(void)
{
    for (size_t i = 0; i < CLIENTS; i++)
        world_hang_up(&w, fds[i]);
    for (size_t i = 0; i < CLIENTS; i++) {
        sio_release(sockets[i]);
        sockets[i] = NULL;
    }
    world_check_empty(&w);
    world_close(&w);
}

static int number_of(const sio_socket *socket)
{
    for (int i = 0; i < CLIENTS; i++)
        if (sockets[i] == socket)
            return i;
    return -1;
}

/* Who is in `room`: "12". */
static const char *members(const char *room)
{
    static char text[CLIENTS + 1];
    size_t n = 0;

    for (int i = 0; i < CLIENTS; i++)
        if (sio_in_room(sockets[i], room))
            text[n++] = (char)('0' + i);
    text[n] = 0;
    return text;
}

static void elsewhere(void *(*fn)(void *arg), void *arg)
{
    pthread_t thread;

    CHECK(pthread_create(&thread, NULL, fn, arg) == 0, "no thread");
    pthread_join(thread, NULL);
}

/* ----------------------------------------------------------- fetching -- */

static void note_room(void *user, sio_str room)
{
    const char *id = user;

    if (room.n == strlen(id) && memcmp(room.p, id, room.n) == 0)
        note(" own");
    else
        note(" %.*s", (int)room.n, room.p);
}

static void on_fetched(int error, const sio_remote_socket *const *list,
                       size_t count, void *user)
{
    note("%s%d %zu:", (const char *)user, error, count);
    for (size_t i = 0; i < count; i++) {
        sio_str data = sio_remote_data_json(list[i]);
        char handshake[1024];

        CHECK(sio_remote_handshake_json(list[i], handshake, sizeof handshake) >
                  0,
              "no handshake");
        CHECK_MATCH(handshake, "{\"headers\":{*\"auth\":{}}");
        note(" %d", number_of(sio_remote_local(list[i])));
        CHECK_MATCH(sio_id(sio_remote_local(list[i])), sio_remote_id(list[i]));
        sio_remote_each_room(list[i], note_room,
                             (void *)(uintptr_t)sio_remote_id(list[i]));
        note(" %.*s", (int)data.n, data.p);
    }
    note(";");
}

static void on_fetched_use(int error, const sio_remote_socket *const *list,
                           size_t count, void *user)
{
    (void)error, (void)user;
    for (size_t i = 0; i < count; i++) {
        sio_target t = sio_remote_target(list[i]);

        sio_emit(t, "you", sio_string(sio_remote_id(list[i])));
        sio_sockets_join(t, "fetched", "and");
        sio_sockets_leave(t, "and");
    }
    sio_disconnect_sockets(sio_remote_target(list[0]), true);
}

static void *fetch_far(void *tag)
{
    char room[] = "some";

    sio_fetch_sockets(sio_to(nsp, room), on_fetched, tag);
    memset(room, 'x', sizeof room - 1);
    return NULL;
}

static void test_fetch(void)
{
    T_CASE("S201 S202 fetch: all, a room, without some; later, and once");
    begin();
    sio_set_data_json(sockets[2], "{\"a\":[1]}", 9);
    CHECK(sio_fetch_sockets(nsp, on_fetched, (void *)(uintptr_t) "a") == SIO_OK,
          "no fetch");
    CHECK_MATCH(seen, "");
    world_turn(&w);
    CHECK_MATCH(seen,
                "a0 3: 0 own {} 1 own some {} 2 own some one {\"a\":[1]};");
    seen[0] = 0;
    sio_fetch_sockets(sio_to(nsp, "some"), on_fetched, (void *)(uintptr_t) "b");
    sio_fetch_sockets(sio_except(nsp, "one"), on_fetched,
                      (void *)(uintptr_t) "c");
    sio_fetch_sockets(sio_to(nsp, "none"), on_fetched, (void *)(uintptr_t) "d");
    sio_fetch_sockets(sockets[1], on_fetched, (void *)(uintptr_t) "e");
    sio_fetch_sockets(sio_to(sockets[1], "some"), on_fetched,
                      (void *)(uintptr_t) "f");
    world_turn(&w);
    CHECK_MATCH(seen, "b0 2: 1 own some {} 2 own some one {*};c0 2: 0 own {} 1 "
                      "own some {};d0 0:;e0 1: 1 own some {};f0 1: 2 own some "
                      "one {*};");
    end();

    T_CASE("S202 fetch from another thread");
    begin();
    elsewhere(fetch_far, (void *)(uintptr_t) "far");
    world_turn(&w);
    CHECK_MATCH(seen, "far0 2: 1 own some {} 2 own some one {};");
    end();

    T_CASE("what is fetched can be emitted to, moved, disconnected");
    begin();
    sio_fetch_sockets(sio_to(nsp, "some"), on_fetched_use, NULL);
    world_turn(&w);
    CHECK_FRAMES(&w, fds[0], "");
    CHECK_FRAMES(&w, fds[1], "T:42[\"you\",\"*\"]|T:41|C|");
    CHECK_FRAMES(&w, fds[2], "T:42[\"you\",\"*\"]|");
    CHECK_MATCH(members("fetched"), "2");
    CHECK_MATCH(members("and"), "");
    end();

    T_CASE("fetch: a target that holds too many rooms; the server stops first");
    begin();
    {
        sio_target t = sio_to(nsp, "0");

        for (int i = 0; i < SIO_TARGET_ROOMS; i++)
            t = sio_to(t, "more");
        CHECK(sio_fetch_sockets(t, on_fetched, NULL) == SIO_E_LIMIT, "taken");
        CHECK(sio_sockets_join(t, "x") == SIO_E_LIMIT, "taken");
        CHECK(sio_disconnect_sockets(t, true) == SIO_E_LIMIT, "taken");
        CHECK(sio_each_socket(t, NULL, NULL) == SIO_E_LIMIT, "taken");
    }
    sio_fetch_sockets(nsp, on_fetched, (void *)(uintptr_t) "end");
    for (size_t i = 0; i < CLIENTS; i++) {
        sio_release(sockets[i]);
        world_hang_up(&w, fds[i]);
    }
    world_close(&w);
    CHECK(strstr(seen, "end0 3:"), "seen: %s", seen);
}

static void note_number(void *user, sio_socket *socket)
{
    (void)user;
    note("%d", number_of(socket));
    sio_disconnect(socket, false);
}

static void test_each(void)
{
    T_CASE("S50 S51 S52 each socket: of a namespace, of a room, of all rooms");
    begin();
    sio_of(w.server, "/other");
    world_send_text(&w, fds[0], "40/other,");
    CHECK(sio_each_socket(sio_to(sio_of(w.server, "/other"), "some"),
                          note_number, NULL) == 0,
          "some");
    CHECK(sio_each_socket(sio_to(nsp, "one"), note_number, NULL) == 1, "not 1");
    CHECK(sio_each_socket(nsp, note_number, NULL) == 2, "not 2 are left");
    CHECK(sio_each_socket(nsp, note_number, NULL) == 0, "some are left");
    CHECK_MATCH(seen, "2server namespace disconnect;0server namespace "
                      "disconnect;1server namespace disconnect;");
    end();
}

/* ------------------------------------------------------------- moving -- */

static void *move_far(void *arg)
{
    char room[] = "some", to[] = "far", other[] = "away";

    (void)arg;
    sio_sockets_join(sio_to(nsp, room), to, other);
    memset(to, 'x', sizeof to - 1);
    memset(other, 'x', sizeof other - 1);
    sio_emit(sio_to(nsp, "far"), "joined");
    sio_sockets_leave(sio_to(nsp, "far"), "away");
    sio_disconnect_sockets(sio_except(sio_to(nsp, "far"), "one"), false);
    sio_sockets_join(sio_broadcast(sockets[2]), "others");
    memset(room, 'x', sizeof room - 1);
    return NULL;
}

static void test_move(void)
{
    T_CASE("S204 S205 S206 S207 join and leave: all of them, those of a room");
    begin();
    CHECK(sio_sockets_join(nsp, "all") == SIO_OK, "not joined");
    CHECK_MATCH(members("all"), "012");
    CHECK(sio_sockets_join(sio_to(nsp, "some"), "x", "y", "x") == SIO_OK, "no");
    CHECK_MATCH(members("x"), "12");
    CHECK_MATCH(members("y"), "12");
    sio_sockets_leave(sio_to(nsp, "one"), "x", "nowhere");
    CHECK_MATCH(members("x"), "1");
    sio_sockets_leave(nsp, "all");
    CHECK_MATCH(members("all"), "");
    sio_sockets_join(sockets[0], "alone");
    sio_sockets_join(sio_to(sockets[1], "some"), "without 1");
    CHECK_MATCH(members("alone"), "0");
    CHECK_MATCH(members("without 1"), "2");
    end();

    T_CASE("S208 S209 disconnecting: those of a room, all");
    begin();
    sio_disconnect_sockets(sio_to(nsp, "one"), true);
    CHECK_FRAMES(&w, fds[2], "T:41|C|");
    CHECK_FRAMES(&w, fds[1], "");
    sio_disconnect_sockets(nsp, true);
    CHECK_FRAMES(&w, fds[0], "T:41|C|");
    CHECK_FRAMES(&w, fds[1], "T:41|C|");
    end();

    T_CASE("the same from another thread, in call order with its emits");
    begin();
    elsewhere(move_far, NULL);
    world_turn(&w);
    CHECK_FRAMES(&w, fds[0], "");
    CHECK_FRAMES(&w, fds[1], "T:42[\"joined\"]|T:41|");
    CHECK_FRAMES(&w, fds[2], "T:42[\"joined\"]|");
    CHECK_MATCH(members("far"), "2");
    CHECK_MATCH(members("away"), "");
    CHECK_MATCH(members("others"), "0");
    end();

    T_CASE("S149 S185 S187 several rooms at once");
    begin();
    {
        static const char *const rooms[] = { "a", "b", "c", "b" };

        CHECK(sio_join_rooms(sockets[0], rooms, 4) == SIO_OK, "not joined");
        CHECK(sio_each_room(sockets[0], NULL, NULL) == 4, "not 4 rooms");
        CHECK(sio_join_rooms(sockets[0], rooms, 0) == SIO_OK, "none");
        sio_emit(sio_and_to(sio_to(nsp, "a"), "c"), "once");
        CHECK_FRAMES(&w, fds[0], "T:42[\"once\"]|");
        sio_disconnect(sockets[0], false);
        CHECK(sio_join_rooms(sockets[0], rooms, 4) == SIO_E_STATE, "joined");
    }
    end();
}

/* -------------------------------------------------------------- rooms -- */

/* "+r" created, ">r 1" joined, "<r 1" left, "-r" deleted. */
static void on_room(sio_namespace *n, sio_room_change change, sio_str room,
                    sio_str id, void *user)
{
    const char *who = "";

    (void)user;
    CHECK(n == nsp, "another namespace");
    CHECK((change == SIO_ROOM_CREATED || change == SIO_ROOM_DELETED) ==
              (id.n == 0),
          "id of %zu bytes", id.n);
    for (int i = 0; i < CLIENTS && id.n; i++)
        if (sockets[i] && strncmp(sio_id(sockets[i]), id.p, id.n) == 0)
            who = "0\0001\0002" + 2 * i;
    if (id.n == 20 && room.n == 20 && memcmp(id.p, room.p, 20) == 0)
        room = (sio_str){ "own", 3 };
    else if (room.n == 20)
        room = (sio_str){ "an own", 6 };
    note("%c%.*s%s;", "+><-"[change], (int)room.n, room.p, who);
}

static void test_room_events(void)
{
    T_CASE("3.5 changes of rooms: only real ones, in Node's order");
    begin();
    sio_on_room(nsp, on_room, NULL);
    sio_join(sockets[0], "r");
    sio_join(sockets[0], "r");
    sio_join(sockets[1], "r");
    CHECK_MATCH(seen, "+r;>r0;>r1;");
    seen[0] = 0;
    sio_leave(sockets[0], "r");
    sio_leave(sockets[0], "r");
    sio_leave(sockets[1], "r");
    sio_leave(sockets[1], "never");
    CHECK_MATCH(seen, "<r0;<r1;-r;");
    seen[0] = 0;
    sio_disconnect(sockets[2], false);
    CHECK_MATCH(seen, "<own2;-an own;<some2;<one2;-one;server*;");
    seen[0] = 0;
    sio_leave(sockets[0], sio_id(sockets[0]));
    sio_leave(sockets[0], sio_id(sockets[0]));
    sio_join(sockets[0], sio_id(sockets[0]));
    CHECK_MATCH(seen, "<own0;-an own;+an own;>own0;");
    seen[0] = 0;
    sio_leave_all(sockets[1]);
    CHECK_MATCH(seen, "<own1;-an own;<some1;-some;");
    seen[0] = 0;
    sockets[2] = (sio_release(sockets[2]), NULL);
    connected = 2;
    world_send_text(&w, fds[2], "40");
    CHECK_MATCH(seen, "+an own;>own;");
    end();

    T_CASE("3.5 a room named as somebody's id");
    begin();
    sio_on_room(nsp, on_room, NULL);
    sio_join(sockets[0], sio_id(sockets[1]));
    CHECK_MATCH(seen, ">an own0;");
    seen[0] = 0;
    sio_leave(sockets[1], sio_id(sockets[1]));
    CHECK_MATCH(seen, "<own1;");
    seen[0] = 0;
    sio_leave(sockets[0], sio_id(sockets[1]));
    CHECK_MATCH(seen, "<an own0;-an own;");
    end();
}

/* What a handler of rooms does: by the room's name. */
static void on_room_act(sio_namespace *n, sio_room_change change, sio_str room,
                        sio_str id, void *user)
{
    bool joined = change == SIO_ROOM_JOINED, left = change == SIO_ROOM_LEFT;

    (void)n, (void)user;
    if (joined && room.n == 5 && memcmp(room.p, "leave", 5) == 0)
        sio_leave(sockets[0], "leave");
    else if (joined && room.n == 4 && memcmp(room.p, "kick", 4) == 0)
        sio_disconnect(sockets[0], true);
    else if (left && room.n == 4 && memcmp(room.p, "back", 4) == 0)
        note("back %d;", sio_join(sockets[0], "back"));
    else if (left && room.n == 4 && memcmp(room.p, "gone", 4) == 0)
        sio_disconnect(sockets[0], false);
    (void)id;
}

static void test_room_reentrance(void)
{
    static const struct {
        const char *name, *join;
        bool leave_all;
        const char *frames;
    } rows[] = {
        { "leaves it again", "leave", false, "" },
        { "disconnects the socket", "kick", false, "T:41|C|" },
        { "joins what a leaving socket leaves", "back", false, "T:41|" },
        { "joins what is left by all", "back", true, "" },
        { "disconnects while all are left", "gone", true, "T:41|" },
        { "disconnects while it disconnects", "gone", false, "T:41|" },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        T_CASE("a handler of rooms %s", rows[i].name);
        begin();
        sio_on_room(nsp, on_room_act, NULL);
        sio_join(sockets[0], "first");
        sio_join(sockets[0], rows[i].join);
        if (rows[i].leave_all)
            sio_leave_all(sockets[0]);
        else if (i > 1)
            sio_disconnect(sockets[0], false);
        CHECK_FRAMES(&w, fds[0], rows[i].frames);
        world_turn(&w);
        sio_emit(nsp, "still");
        CHECK_FRAMES(&w, fds[1], "T:42[\"still\"]|");
        end();
    }
}

static void join_early(sio_socket *socket, sio_next *next, void *user)
{
    char token[8];

    (void)user;
    sio_join(socket, "early");
    note("%zu %d;", sio_each_room(socket, NULL, NULL),
         sio_in_room(socket, sio_id(socket)));
    sio_emit(socket, "before", sio_int(1));
    sio_emit(nsp, "to all");
    CHECK(!sio_connected(socket), "connected");
    CHECK(sio_socket_count(sio_namespace_of(socket)) == 0, "counted");
    if (sio_auth_string(socket, "token", token, sizeof token) > 0)
        sio_next_ok(next);
    else
        sio_next_error(next, "no", NULL);
}

static void on_admitted(sio_socket *socket, void *user)
{
    (void)user;
    CHECK(sio_connected(socket), "not connected");
    CHECK(sio_socket_count(sio_namespace_of(socket)) == 1, "not counted");
    note("%zu;", sio_each_room(socket, NULL, NULL));
}

static void test_middleware(void)
{
    sio_namespace *guarded;

    T_CASE(
        "S128 S168 S187 in a middleware: rooms, emitting, not connected yet");
    begin();
    guarded = sio_of(w.server, "/guarded");
    sio_use(guarded, join_early, NULL);
    sio_on_connection(guarded, on_admitted, NULL);
    world_send_text(&w, fds[0], "40/guarded,");
    CHECK_FRAMES(&w, fds[0],
                 "T:42/guarded,[\"before\",1]|T:42[\"to all\"]|"
                 "T:44/guarded,{\"message\":\"no\"}|");
    CHECK_MATCH(seen, "1 0;");
    sio_emit(sio_to(guarded, "early"), "late");
    CHECK_FRAMES(&w, fds[0], "");
    world_send_text(&w, fds[0], "40/guarded,{\"token\":\"x\"}");
    CHECK_FRAMES(&w, fds[0],
                 "T:42/guarded,[\"before\",1]|T:42[\"to all\"]|"
                 "T:40/guarded,{\"sid\":\"*\"}|");
    CHECK_MATCH(seen, "1 0;1 0;2;");
    sio_emit(sio_to(guarded, "early"), "late");
    CHECK_FRAMES(&w, fds[0], "T:42/guarded,[\"late\"]|");
    end();

    T_CASE("S129 joining after the disconnect does nothing");
    begin();
    sio_disconnect(sockets[0], false);
    CHECK(sio_join(sockets[0], "x") == SIO_E_STATE, "joined");
    CHECK(sio_leave_all(sockets[0]) == SIO_E_STATE, "left");
    CHECK(sio_each_room(sockets[0], NULL, NULL) == 0, "it is in rooms");
    CHECK(sio_each_socket(sio_to(nsp, "x"), NULL, NULL) == 0, "somebody");
    end();
}

/* ------------------------------------------------ calls and operators -- */

static void test_calls(void)
{
    T_CASE("S36 S57 S126 what can be done on a namespace; reserved names");
    begin();
    CHECK(sio_emit(nsp, "a") == SIO_OK &&
              sio_emit(sio_to(nsp, "one"), "b") == SIO_OK,
          "no emit");
    CHECK(sio_emit(sio_compress(nsp, true), "c") == SIO_OK, "no emit");
    CHECK(sio_emit(sio_local(nsp), "d") == SIO_OK, "no emit");
    CHECK(sio_emit(nsp, "message", sio_int(1)) == SIO_OK, "no send");
    CHECK_FRAMES(&w, fds[0],
                 "T:42[\"a\"]|T:42[\"c\"]|T:42[\"d\"]|T:42[\"message\",1]|");
    CHECK(sio_emit(nsp, "connect") == SIO_E_RESERVED, "not reserved");
    CHECK(sio_emit(sockets[0], "connect_error") == SIO_E_RESERVED, "not");
    CHECK(sio_emit(sockets[0], "error") == SIO_OK, "reserved");
    end();

    T_CASE("S37 S152 targets are values: deriving one leaves the other alone");
    begin();
    {
        sio_target all = sio_volatile(sio_compress(sio_local(nsp), false));
        sio_target base = sio_to(nsp, "one"), more = sio_to(base, "some"),
                   less = sio_except(base, "one"), not_mine;

        CHECK(base.room_count == 1 && base.except_count == 0, "changed");
        CHECK(more.room_count == 2 && less.except_count == 1, "not derived");
        CHECK(all.is_local && all.is_volatile && all.no_compress, "lost");
        not_mine = sio_to(sio_local(sockets[0]), "one");
        CHECK(not_mine.sender == sockets[0] && not_mine.is_local, "lost");
        sio_compress(not_mine, false);
        CHECK(!not_mine.no_compress, "changed");
        sio_emit(base, "x");
        CHECK_FRAMES(&w, fds[1], "");
        CHECK_FRAMES(&w, fds[2], "T:42[\"x\"]|");
    }
    end();

    T_CASE("4.1 server-side emit: told to be unsupported, never answered");
    begin();
    w.log[0] = 0;
    CHECK(sio_server_side_emit(nsp, "x", sio_int(1)) == SIO_OK, "failed");
    CHECK(strstr(w.log, "does not support server-side events"), "log: %s",
          w.log);
    CHECK(sio_server_side_emit_ack(nsp, NULL, NULL, "x") == SIO_E_STATE, "ok");
    CHECK(sio_server_side_emit(nsp, "connection") == SIO_E_RESERVED, "ok");
    CHECK(sio_server_side_emit(nsp, "connect") == SIO_E_RESERVED, "ok");
    CHECK(sio_server_side_emit(nsp, "new_namespace") == SIO_E_RESERVED, "ok");
    CHECK(sio_server_side_emit(nsp, "disconnect") == SIO_OK, "reserved");
    CHECK_FRAMES(&w, fds[0], "");
    end();
}

static void count_connection(sio_socket *socket, void *user)
{
    (void)socket;
    ++*(int *)user;
}

static void test_listeners(void)
{
    int count = 0;

    T_CASE("S40 S44 S45 two handlers of one thing are both called");
    begin();
    sio_on_connection(sio_of(w.server, "/b"), count_connection, &count);
    sio_on_connection(sio_of(w.server, "/b"), count_connection, &count);
    world_send_text(&w, fds[0], "40/b,");
    CHECK(count == 2, "%d calls", count);
    end();
}

/* Three in "/", one of them also in /custom. */
static void test_custom(void)
{
    sio_namespace *custom;

    T_CASE("S60 S179 S180 S184 S186 S188 emits stay within their namespace");
    begin();
    custom = sio_of(w.server, "/custom");
    sio_on_connection(custom, on_connection, NULL);
    world_send_text(&w, fds[0], "40/custom,");
    world_frames(&w, fds[0]);
    sio_emit(nsp, "main");
    CHECK_FRAMES(&w, fds[0], "T:42[\"main\"]|");
    CHECK_FRAMES(&w, fds[1], "T:42[\"main\"]|");
    CHECK_FRAMES(&w, fds[2], "T:42[\"main\"]|");
    sio_emit(custom, "custom");
    CHECK_FRAMES(&w, fds[0], "T:42/custom,[\"custom\"]|");
    CHECK_FRAMES(&w, fds[1], "");
    sio_emit(sio_except(custom, sio_id(sockets[0])), "custom");
    CHECK_FRAMES(&w, fds[0], "T:42/custom,[\"custom\"]|");
    sio_sockets_join(custom, "some");
    sio_emit(sio_except(custom, "some"), "custom");
    CHECK_FRAMES(&w, fds[0], "");
    sio_emit(sio_to(nsp, "some"), "room");
    CHECK_FRAMES(&w, fds[0], "");
    CHECK_FRAMES(&w, fds[1], "T:42[\"room\"]|");
    CHECK_FRAMES(&w, fds[2], "T:42[\"room\"]|");
    sio_emit(sio_except(nsp, "some"), "room");
    CHECK_FRAMES(&w, fds[0], "T:42[\"room\"]|");
    CHECK_FRAMES(&w, fds[1], "");
    sio_leave(sockets[1], "some");
    sio_emit(sio_to(nsp, "some"), "room");
    CHECK_FRAMES(&w, fds[1], "");
    CHECK_FRAMES(&w, fds[2], "T:42[\"room\"]|");
    end();
}

static void test_binary_broadcast(void)
{
    T_CASE("S182 S183 binary to all: always, and volatile to idle clients");
    begin();
    sio_emit(nsp, "bin", sio_binary("\1\2\3", 3));
    for (size_t i = 0; i < CLIENTS; i++)
        CHECK_FRAMES(&w, fds[i], "T:451-[\"bin\",{*\"num\":0}]|B:010203|");
    world_advance(&w, 20);
    sio_emit(sio_volatile(nsp), "bin", sio_binary("\1\2\3", 3));
    for (size_t i = 0; i < CLIENTS; i++)
        CHECK_FRAMES(&w, fds[i], "T:451-[\"bin\",{*\"num\":0}]|B:010203|");
    end();
}

static void test_before_upgrade(void)
{
    for (int close = 0; close < 2; close++) {
        char sid[24], query[128], probe[160];
        int ws;

        T_CASE("S189 disconnected before its upgrade is done%s",
               close ? ", and closed" : "");
        begin();
        CHECK(world_session(&w, sid), "no session");
        snprintf(query, sizeof query, "EIO=4&transport=polling&sid=%s", sid);
        world_post(&w, query, "40");
        CHECK_MATCH(world_get(&w, query), "40{\"sid\":\"*\"}");
        snprintf(probe, sizeof probe, "EIO=4&transport=websocket&sid=%s", sid);
        ws = world_websocket(&w, probe);
        world_send_text(&w, ws, "2probe");
        CHECK_FRAMES(&w, ws, "T:3probe|");
        sio_disconnect_sockets(nsp, close);
        CHECK_MATCH(world_get(&w, query), "41");
        if (close) {
            CHECK_MATCH(world_get(&w, query), "6\x1e"
                                              "1");
        } else {
            world_send_text(&w, ws, "5");
            world_send_text(&w, ws, "40");
            CHECK_FRAMES(&w, ws, "T:40{\"sid\":\"*\"}|");
        }
        world_hang_up(&w, ws);
        end();
    }
}

/* ----------------------------------------------------- out of memory -- */

static void tolerate(int error, const sio_remote_socket *const *list,
                     size_t count, void *user)
{
    (void)list, (void)count;
    *(int *)user += error == SIO_OK || error == SIO_E_NOMEM ? 1 : 100;
}

static bool run(long n)
{
    static const char *const rooms[] = { "a", "b", "c" };
    int asked = 0, called = 0, r;
    bool failed;

    begin();
    oom_arm(n);
    r = sio_join_rooms(sockets[0], rooms, 3);
    CHECK(sio_each_room(sockets[0], NULL, NULL) == (r == SIO_OK ? 4 : 1),
          "n = %ld: %d, some were joined", n, r);
    asked +=
        sio_fetch_sockets(sio_to(nsp, "some"), tolerate, &called) == SIO_OK;
    world_turn(&w);
    r = sio_set_data_json(sockets[0], "[1]", 3);
    CHECK(sio_data_json(sockets[0]).n == (r == SIO_OK ? 3 : 2), "half set");
    sio_sockets_join(sio_to(nsp, "some"), "x", "y");
    elsewhere(move_far, NULL);
    world_turn(&w);
    sio_disconnect_sockets(nsp, true);
    failed = oom_disarm();
    CHECK(asked == called, "n = %ld: asked %d, called %d", n, asked, called);
    end();
    return failed;
}

static void test_oom(void)
{
    long n = 0;

    T_CASE("many sockets at once: every allocation fails once");
    while (run(n))
        n++;
    CHECK(n > 10, "only %ld allocations", n);
    printf("# %ld allocations\n", n);
}

int main(void)
{
    test_fetch();
    test_each();
    test_move();
    test_room_events();
    test_room_reentrance();
    test_middleware();
    test_calls();
    test_listeners();
    test_custom();
    test_binary_broadcast();
    test_before_upgrade();
    test_oom();
    return t_done();
}
