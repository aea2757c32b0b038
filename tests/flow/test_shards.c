/*
 * test_shards.c -- one server on three loops, run in turn by one thread: what
 * is emitted, asked, moved and looked at reaches sockets on every loop, from
 * each of them and from threads that run none.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sio/intercept.h>
#include <sio/sio.h>

#include <stdlib.h>

#include "tests/flow/shards.h"
#include "tests/unit/oom.h"

#define LOOPS 3

static struct shards s;
static struct world *const w = &s.world;
static sio_namespace *nsp;
static sio_socket *sockets[2 * LOOPS]; /* in the order they came */
static int fds[2 * LOOPS];
static size_t came, gone;
static char seen[4096];
static bool no_memory; /* an allocation is to fail */

__attribute__((format(printf, 1, 2))) static void note(const char *fmt, ...)
{
    size_t n = strlen(seen);
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(seen + n, sizeof seen - n, fmt, ap);
    va_end(ap);
}

static int number_of(const sio_socket *socket)
{
    for (int i = 0; i < (int)came; i++)
        if (sockets[i] == socket)
            return i;
    return -1;
}

static void on_connection(sio_socket *socket, void *user)
{
    (void)user;
    if (came < COUNT(sockets))
        sockets[came++] = sio_retain(socket);
}

static void on_disconnect(sio_socket *socket, const char *reason, void *user)
{
    (void)user;
    gone++;
    note("%d left: %s;", number_of(socket), reason);
}

static void on_join(sio_socket *socket, sio_event *event, void *user)
{
    const char *room;

    (void)user;
    if (sio_arg_string(event, 0, &room, NULL) == SIO_OK)
        sio_join(socket, room);
}

/* What a handler does, on the loop of its socket: see `deeds`. */
static void on_do(sio_socket *socket, sio_event *event, void *user);

/* LOOPS clients; number i is on loop i. */
static void begin_with(const sio_options *options)
{
    seen[0] = 0;
    came = gone = 0;
    CHECK(shards_open(&s, LOOPS, options), "no server");
    nsp = sio_of(w->server, "/");
    sio_on_connection(nsp, on_connection, NULL);
    sio_on_disconnect(nsp, on_disconnect, NULL);
    sio_on(nsp, "join", on_join, NULL);
    sio_on(nsp, "do", on_do, NULL);
    for (size_t i = 0; i < LOOPS; i++)
        fds[i] = shards_client(&s, i);
    CHECK(came == LOOPS, "%zu came", came);
}

static void begin(void)
{
    begin_with(NULL);
}

static void check_empty(void)
{
    sio_stats stats;

    shards_turn(&s);
    stats = shards_stats(&s);
    CHECK(stats.sockets == 0 && stats.sessions == 0 && stats.rooms == 0 &&
              stats.pending_acks == 0,
          "%zu sockets, %zu sessions, %zu rooms, %zu acks", stats.sockets,
          stats.sessions, stats.rooms, stats.pending_acks);
    for (size_t i = 0; i < s.count; i++)
        CHECK(w->server->hub.shards[i].client_count == 0, "clients on %zu", i);
}

static void end(void)
{
    for (size_t i = 0; i < LOOPS; i++)
        world_hang_up(w, fds[i]);
    for (size_t i = 0; i < came; i++)
        sio_release(sockets[i]);
    check_empty();
    shards_close(&s);
}

static void send_all(const char *text)
{
    for (size_t i = 0; i < LOOPS; i++)
        world_send_text(w, fds[i], text);
    shards_turn(&s);
}

static void (*deed)(sio_socket *socket);

static void on_do(sio_socket *socket, sio_event *event, void *user)
{
    (void)event, (void)user;
    deed(socket);
}

/* On loop i, within a handler of client i. */
static void do_on(size_t i, void (*fn)(sio_socket *socket))
{
    deed = fn;
    world_send_text(w, fds[i], "42[\"do\"]");
    shards_turn(&s);
}

/* What each client has got: "0:...;1:...;". */
static const char *got(void)
{
    static char text[4096];
    size_t n = 0;

    shards_turn(&s);
    for (size_t i = 0; i < LOOPS; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%zu:%s;", i,
                              world_frames(w, fds[i]));
    return text;
}

/* -------------------------------------------------------------- emitting -- */

static void emit_everywhere(sio_socket *socket)
{
    sio_emit(nsp, "a", sio_int(1));
    sio_emit(sio_to(nsp, "room"), "b", sio_binary("\1", 1));
    sio_emit(sio_broadcast(socket), "c");
    sio_emit(sio_except(nsp, "room"), "d");
    sio_emit(sio_to(nsp, sio_id(sockets[2])), "e");
    sio_emit(sockets[1], "f", sio_string("x"));
    sio_emit(sio_compress(sockets[0], false), "g");
}

static void emit_far(void *user)
{
    (void)user;
    sio_emit(nsp, "a", sio_int(1));
    sio_emit(sio_to(nsp, "room"), "b");
    sio_emit(sockets[1], "f");
    sio_emit(nsp, "z");
}

static void emit_volatile(sio_socket *socket)
{
    (void)socket;
    sio_emit(sio_volatile(nsp), "v");
    sio_emit(sio_volatile(nsp), "w"); /* behind the first: dropped */
}

static void test_emits(void)
{
    T_CASE("emits of a handler reach every loop, in its order");
    begin();
    world_send_text(w, fds[1], "42[\"join\",\"room\"]");
    world_send_text(w, fds[2], "42[\"join\",\"room\"]");
    do_on(0, emit_everywhere);
    CHECK_MATCH(got(), "0:T:42[\"a\",1]|T:42[\"d\"]|T:42[\"g\"]|;"
                       "1:T:42[\"a\",1]|T:451-[\"b\",{*}]|B:01|T:42[\"c\"]|"
                       "T:42[\"f\",\"x\"]|;"
                       "2:T:42[\"a\",1]|T:451-[\"b\",{*}]|B:01|T:42[\"c\"]|"
                       "T:42[\"e\"]|;");
    do_on(2, emit_everywhere);
    CHECK_MATCH(got(), "0:T:42[\"a\",1]|T:42[\"c\"]|T:42[\"d\"]|T:42[\"g\"]|;"
                       "1:T:42[\"a\",1]|T:451-[\"b\",{*}]|B:01|T:42[\"c\"]|"
                       "T:42[\"f\",\"x\"]|;"
                       "2:T:42[\"a\",1]|T:451-[\"b\",{*}]|B:01|T:42[\"e\"]|;");
    end();

    T_CASE("volatile events stay volatile on other loops");
    begin();
    do_on(0, emit_volatile);
    CHECK_MATCH(got(), "0:T:42[\"v\"]|;1:T:42[\"v\"]|;2:T:42[\"v\"]|;");
    end();

    T_CASE("emits of a thread that runs no loop");
    begin();
    world_send_text(w, fds[2], "42[\"join\",\"room\"]");
    shards_elsewhere(&s, emit_far, NULL);
    CHECK_MATCH(got(), "0:T:42[\"a\",1]|T:42[\"z\"]|;"
                       "1:T:42[\"a\",1]|T:42[\"f\"]|T:42[\"z\"]|;"
                       "2:T:42[\"a\",1]|T:42[\"b\"]|T:42[\"z\"]|;");
    end();

    T_CASE("no letter to a loop that has no socket of the namespace");
    begin();
    {
        long before = oom_count();

        sio_emit(sio_of(w->server, "/empty"), "a");
        before = oom_count();
        sio_emit(sio_of(w->server, "/empty"), "a");
        before = oom_count() - before;
        CHECK(!atomic_load(&shards_loop(&s, 1)->mail), "a letter");
        CHECK(before <= 4, "%ld allocations", before);
    }
    end();
}

/* ---------------------------------------------------------------- asking -- */

static void on_reply(int error, sio_event *answers, void *user)
{
    (void)user;
    note("%d:", error);
    for (size_t i = 0; i < sio_arg_count(answers); i++) {
        const void *bytes;
        sio_str raw;
        size_t n;

        if (sio_arg_binary(answers, i, &bytes, &n) == SIO_OK)
            note(" <%zu>", n);
        else if (sio_arg_raw(answers, i, &raw) == SIO_OK)
            note(" %.*s", (int)raw.n, raw.p);
    }
    note(";");
}

static void ask_everybody(sio_socket *socket)
{
    (void)socket;
    note("%d ", sio_emit_ack(sio_timeout(nsp, 1000), on_reply, NULL, "q"));
}

static void ask_number_1(sio_socket *socket)
{
    (void)socket;
    note("%d ", sio_emit_ack(sockets[1], on_reply, NULL, "q", sio_int(7)));
}

static void ask_number_1_soon(sio_socket *socket)
{
    (void)socket;
    sio_emit_ack(sio_timeout(sockets[1], 500), on_reply, NULL, "q");
}

static void ask_nobody(sio_socket *socket)
{
    (void)socket;
    sio_emit_ack(sio_timeout(sio_to(nsp, "none"), 500), on_reply, NULL, "q");
}

static void ask_far(void *how)
{
    ((void (*)(sio_socket *))how)(NULL);
}

static void test_many_answers(void)
{
    T_CASE("a question to sockets of all loops: the answers as they come");
    begin();
    do_on(1, ask_everybody);
    CHECK_MATCH(got(), "0:T:420[\"q\"]|;1:T:420[\"q\"]|;2:T:420[\"q\"]|;");
    world_send_text(w, fds[2], "430[\"two\",1]");
    world_send_text(w, fds[1], "430[\"one\"]");
    CHECK_MATCH(seen, "0 ");
    world_send_text(w, fds[0], "461-0[{\"_placeholder\":true,\"num\":0}]");
    world_send_binary(w, fds[0], "\1\2\3", 3);
    shards_turn(&s);
    CHECK_MATCH(seen, "0 0: \"two\" \"one\" <3>;");
    end();

    T_CASE("some of them never answer, some leave: a timeout with the others");
    begin();
    do_on(0, ask_everybody);
    world_send_text(w, fds[1], "430[\"one\"]");
    world_send_text(w, fds[2], "41");
    shards_turn(&s);
    CHECK_MATCH(seen, "0 2 left: client namespace disconnect;");
    seen[0] = 0;
    world_advance(w, 1100);
    shards_turn(&s);
    CHECK_MATCH(seen, "-*: \"one\";");
    world_send_text(w, fds[0], "430[\"late\"]");
    shards_turn(&s);
    CHECK_MATCH(seen, "-*: \"one\";");
    end();

    T_CASE("nobody to ask on any loop: an empty answer, later");
    begin();
    do_on(2, ask_nobody);
    world_advance(w, 20);
    shards_turn(&s);
    CHECK_MATCH(seen, "0:;");
    end();

    T_CASE("a thread that runs no loop asks: the first loop gets the answers");
    begin();
    shards_elsewhere(&s, ask_far, (void *)(uintptr_t)ask_everybody);
    shards_turn(&s);
    send_all("430[\"x\"]");
    CHECK_MATCH(seen, "0 0: \"x\" \"x\" \"x\";");
    end();

    T_CASE("the server stops: whoever waits hears it once");
    begin();
    do_on(1, ask_everybody);
    do_on(2, ask_number_1);
    seen[0] = 0;
    so_hub_shut(&w->server->hub);
    shards_turn(&s);
    CHECK_MATCH(seen, "*-*:;*");
    {
        size_t replies = 0;

        for (const char *at = seen; (at = strstr(at, ":;")); at += 2)
            replies++;
        CHECK(replies == 2, "%zu replies: %s", replies, seen);
    }
    end();
}

static void test_one_answer(void)
{
    T_CASE("a question to one socket of another loop: all it answers");
    begin();
    do_on(0, ask_number_1);
    CHECK_MATCH(got(), "0:;1:T:420[\"q\",7]|;2:;");
    world_send_text(w, fds[1], "430[\"yes\",{\"a\":[1]},2]");
    shards_turn(&s);
    CHECK_MATCH(seen, "0 0: \"yes\" {\"a\":[1]} 2;");
    world_send_text(w, fds[1], "430[\"again\"]");
    shards_turn(&s);
    CHECK_MATCH(seen, "0 0: \"yes\" {\"a\":[1]} 2;");
    end();

    T_CASE("it leaves, it is gone, it takes too long");
    begin();
    do_on(0, ask_number_1);
    world_send_text(w, fds[1], "41");
    shards_turn(&s);
    CHECK_MATCH(seen, "0 1 left: client namespace disconnect;-*:;");
    seen[0] = 0;
    do_on(2, ask_number_1);
    CHECK_MATCH(seen, "0 -*:;");
    end();
    begin();
    do_on(0, ask_number_1_soon);
    world_advance(w, 600);
    shards_turn(&s);
    CHECK_MATCH(seen, "-*:;");
    end();

    T_CASE("the same by a thread that runs no loop");
    begin();
    shards_elsewhere(&s, ask_far, (void *)(uintptr_t)ask_number_1);
    shards_turn(&s);
    world_send_text(w, fds[1], "430[1,2]");
    shards_turn(&s);
    CHECK_MATCH(seen, "0 0: 1 2;");
    end();
}

/* ------------------------------------------------------------ many sockets */

static void move_some(sio_socket *socket)
{
    (void)socket;
    sio_sockets_join(sio_except(nsp, "not"), "x", "y");
    sio_sockets_leave(nsp, "y");
    sio_sockets_join(sockets[2], "own");
    sio_emit(sio_to(nsp, "x"), "in x");
    sio_emit(sio_to(nsp, "y"), "in y");
    sio_emit(sio_to(nsp, "own"), "in own");
}

static void move_far(void *user)
{
    (void)user;
    move_some(NULL);
}

static void disconnect_others(sio_socket *socket)
{
    sio_disconnect_sockets(sio_broadcast(socket), false);
}

static void disconnect_number_2(sio_socket *socket)
{
    (void)socket;
    sio_disconnect(sockets[2], true);
}

static void test_moving(void)
{
    T_CASE("sockets of all loops are moved, in order with emits");
    begin();
    world_send_text(w, fds[1], "42[\"join\",\"not\"]");
    do_on(1, move_some);
    CHECK_MATCH(got(), "0:T:42[\"in x\"]|;1:;"
                       "2:T:42[\"in x\"]|T:42[\"in own\"]|;");
    end();
    begin();
    world_send_text(w, fds[0], "42[\"join\",\"not\"]");
    shards_elsewhere(&s, move_far, NULL);
    CHECK_MATCH(got(), "0:;1:T:42[\"in x\"]|;"
                       "2:T:42[\"in x\"]|T:42[\"in own\"]|;");
    end();

    T_CASE("sockets of other loops are disconnected");
    begin();
    do_on(1, disconnect_others);
    CHECK_MATCH(got(), "0:T:41|;1:;2:T:41|;");
    CHECK_MATCH(seen, "*0 left: server namespace disconnect;*");
    CHECK(sio_socket_count(nsp) == 1, "%zu are left", sio_socket_count(nsp));
    end();
    begin();
    do_on(0, disconnect_number_2);
    CHECK_MATCH(got(), "0:;1:;2:T:41|*C*|;");
    end();
}

static void note_room(void *user, sio_str room)
{
    (void)user;
    note(room.n == 20 ? " own" : " %.*s", (int)room.n, room.p);
}

static void on_fetched(int error, const sio_remote_socket *const *list,
                       size_t count, void *user)
{
    (void)user;
    note("%d %zu:", error, count);
    for (int i = 0; i < LOOPS; i++)
        for (size_t k = 0; k < count; k++) {
            sio_str data = sio_remote_data_json(list[k]);
            char text[1024];

            if (strcmp(sio_remote_id(list[k]), sio_id(sockets[i])) != 0)
                continue;
            if (sio_remote_handshake_json(list[k], text, sizeof text) > 0)
                CHECK_MATCH(text, "{\"headers\":{*\"auth\":{}}");
            else
                CHECK(no_memory, "no handshake");
            note(" %d%s", i, sio_remote_local(list[k]) ? "!" : "");
            sio_remote_each_room(list[k], note_room, NULL);
            note(" %.*s", (int)data.n, data.p);
            sio_emit(sio_remote_target(list[k]), "found");
        }
    note(";");
}

static void fetch(sio_socket *socket)
{
    (void)socket;
    sio_fetch_sockets(nsp, on_fetched, NULL);
    sio_fetch_sockets(sio_to(nsp, "room"), on_fetched, NULL);
    sio_fetch_sockets(sockets[1], on_fetched, NULL);
}

static void fetch_far(void *user)
{
    (void)user;
    fetch(NULL);
}

static void test_fetching(void)
{
    T_CASE("S203 sockets of all loops are fetched: pictures of those "
           "elsewhere, with id, rooms and data");
    begin();
    world_send_text(w, fds[2], "42[\"join\",\"room\"]");
    sio_set_data_json(sockets[2], "[2]", 3);
    do_on(0, fetch);
    CHECK_MATCH(seen, "*0 3: 0! own {} 1 own {} 2 own room [2];*");
    CHECK_MATCH(seen, "*0 1: 2 own room [2];*");
    CHECK_MATCH(seen, "*0 1: 1 own {};*");
    CHECK_MATCH(got(), "0:T:42[\"found\"]|;1:T:42[\"found\"]|T:42[\"found\"]|;"
                       "2:T:42[\"found\"]|T:42[\"found\"]|;");
    end();

    T_CASE("the same by a thread that runs no loop");
    begin();
    shards_elsewhere(&s, fetch_far, NULL);
    CHECK(!seen[0], "too early");
    shards_turn(&s);
    CHECK_MATCH(seen, "*0 3: 0! own {} 1 own {} 2 own {};*");
    CHECK_MATCH(seen, "*0 1: 1 own {};*");
    end();

    T_CASE("a loop that does not answer: a timeout, and what there is");
    begin();
    sio_fetch_sockets(nsp, on_fetched, NULL);
    {
        void (*pump)(struct world * w) = w->pump;

        w->pump = NULL; /* the other loops stand still */
        world_advance(w, 6000);
        CHECK_MATCH(seen, "-*1: 0! own {};");
        seen[0] = 0;
        w->pump = pump;
        shards_turn(&s);
        CHECK(!seen[0], "told again: %s", seen);
    }
    end();
}

/* --------------------------------------------- namespaces, handlers, counts */

static size_t made, heard, told;

static void on_new(sio_namespace *child, void *user)
{
    (void)child, (void)user;
    made++;
}

static void on_x(sio_socket *socket, sio_event *event, void *user)
{
    (void)socket, (void)event, (void)user;
    heard++;
}

static void on_out(sio_socket *socket, sio_event *event, void *user)
{
    (void)user;
    told++;
    note("%d %s %zu;", number_of(socket), sio_event_name(event),
         sio_arg_count(event));
}

static void emit_one(sio_socket *socket)
{
    (void)socket;
    sio_emit(nsp, "out", sio_int(1), sio_string("x"));
}

static void emit_one_far(void *user)
{
    (void)user;
    emit_one(NULL);
    sio_emit(sockets[1], "one");
}

static void register_x(sio_socket *socket)
{
    (void)socket;
    sio_on(nsp, "x", on_x, NULL);
    sio_on_any(nsp, on_x, NULL);
}

static void unregister_x(sio_socket *socket)
{
    (void)socket;
    sio_off(nsp, "x", on_x, NULL);
    sio_off_any(nsp, on_x, NULL);
}

static void test_handlers(void)
{
    T_CASE("handlers registered on one loop, and taken away, count on all");
    begin();
    heard = 0;
    do_on(1, register_x);
    send_all("42[\"x\"]");
    CHECK(heard == 2 * LOOPS, "heard %zu", heard);
    do_on(2, unregister_x);
    heard = 0;
    send_all("42[\"x\"]");
    CHECK(heard == 0, "heard %zu", heard);
    end();

    T_CASE("what sees outgoing events sees them on the loop of each socket");
    begin();
    told = 0;
    sio_on_any_outgoing(nsp, on_out, NULL);
    do_on(1, emit_one);
    CHECK_MATCH(seen, "1 out 2;*");
    CHECK(told == LOOPS, "%zu were told: %s", told, seen);
    seen[0] = 0;
    told = 0;
    shards_elsewhere(&s, emit_one_far, NULL);
    shards_turn(&s);
    CHECK(told == LOOPS + 1, "%zu were told: %s", told, seen);
    CHECK_MATCH(seen, "*1 out 2;1 one 0;*");
    end();
}

static void test_children(void)
{
    sio_namespace *parent, *child;
    sio_options o;

    T_CASE("a child is the same on all loops, and goes with its last socket");
    sio_options_init(&o);
    o.cleanup_empty_child_namespaces = true;
    begin_with(&o);
    made = 0;
    sio_on_new_namespace(w->server, on_new, NULL);
    parent = sio_of_regex(w->server, "^/c-");
    send_all("40/c-1,");
    CHECK(made == 1, "made %zu times", made);
    child = sio_find_namespace(w->server, "/c-1");
    CHECK(child && sio_parent_of(child) == parent, "no child");
    CHECK(sio_socket_count(child) == LOOPS && sio_socket_count(parent) == LOOPS,
          "%zu are in it", sio_socket_count(child));
    got();
    sio_emit(child, "a");
    sio_emit(parent, "b");
    sio_sockets_join(parent, "r");
    sio_emit(sio_to(child, "r"), "c");
    CHECK_MATCH(got(),
                "0:T:42/c-1,[\"a\"]|T:42/c-1,[\"b\"]|T:42/c-1,[\"c\"]|;"
                "1:T:42/c-1,[\"a\"]|T:42/c-1,[\"b\"]|T:42/c-1,[\"c\"]|;"
                "2:T:42/c-1,[\"a\"]|T:42/c-1,[\"b\"]|T:42/c-1,[\"c\"]|;");
    world_send_text(w, fds[0], "41/c-1,");
    world_send_text(w, fds[1], "41/c-1,");
    shards_turn(&s);
    CHECK(sio_find_namespace(w->server, "/c-1"), "gone too early");
    world_send_text(w, fds[2], "41/c-1,");
    shards_turn(&s);
    CHECK(!sio_find_namespace(w->server, "/c-1"), "still there");
    send_all("40/c-1,");
    CHECK(made == 2, "made %zu times", made);
    end();

    T_CASE("a child that is kept is let go by another thread");
    begin_with(&o);
    sio_of_regex(w->server, "^/c-");
    send_all("40/c-1,");
    child = sio_namespace_retain(sio_find_namespace(w->server, "/c-1"));
    send_all("41/c-1,");
    CHECK(sio_find_namespace(w->server, "/c-1") == child, "not kept");
    shards_elsewhere(&s, (void (*)(void *))sio_namespace_release, child);
    CHECK(!sio_find_namespace(w->server, "/c-1"), "still there");
    shards_turn(&s);
    end();
}

static sio_next *undecided[LOOPS];
static size_t asked;

static void decide_later(const char *name, sio_str auth, sio_next *next,
                         void *user)
{
    (void)name, (void)auth, (void)user;
    if (asked < LOOPS)
        undecided[asked++] = next;
}

static void answer_all(void *user)
{
    (void)user;
    for (size_t i = 0; i < asked; i++)
        sio_next_ok(undecided[i]);
}

static void make_late(sio_socket *socket)
{
    struct so_shard *shards = w->server->hub.shards;
    sio_namespace *late;

    (void)socket;
    shards_loop(&s, 1)->running = true;
    late = sio_of(w->server, "/late");
    CHECK(!so_namespace_enter(&shards[0], STR("/late")), "too early");
    CHECK(so_namespace_enter(&shards[1], STR("/late")) == late, "not here");
    so_namespace_leave(late);
    shards_loop(&s, 1)->running = false;
}

static void take_itself_away(sio_socket *socket, sio_event *event, void *user)
{
    (void)event;
    heard++;
    sio_off(sio_parent_of(sio_namespace_of(socket)), "x", take_itself_away,
            user);
}

static void test_making(void)
{
    T_CASE("a rule decides about one name on all loops: one child, all in it");
    begin();
    asked = made = 0;
    sio_on_new_namespace(w->server, on_new, NULL);
    sio_of_function(w->server, decide_later, NULL);
    send_all("40/same,");
    CHECK(asked == LOOPS && made == 0, "asked %zu times", asked);
    shards_elsewhere(&s, answer_all, NULL);
    shards_turn(&s);
    CHECK_MATCH(got(), "0:T:40/same,*;1:T:40/same,*;2:T:40/same,*;");
    CHECK(made == 1, "made %zu times", made);
    CHECK(sio_socket_count(sio_of(w->server, "/same")) == LOOPS, "not all");
    end();

    T_CASE("made within a handler: there for other loops when that has ended");
    begin();
    do_on(1, make_late);
    world_send_text(w, fds[0], "40/late,");
    CHECK_MATCH(world_frames(w, fds[0]), "T:40/late,{*}|");
    end();

    T_CASE("the parent's handler takes itself away: the child's is next");
    begin();
    {
        sio_namespace *parent = sio_of_regex(w->server, "^/c-");

        heard = 0;
        sio_on(parent, "x", take_itself_away, NULL);
        sio_on(sio_of(w->server, "/c-1"), "x", on_x, NULL);
        world_send_text(w, fds[0], "40/c-1,");
        world_send_text(w, fds[0], "42/c-1,[\"x\"]");
        CHECK(heard == 2, "heard %zu", heard);
        world_send_text(w, fds[0], "42/c-1,[\"x\"]");
        CHECK(heard == 3, "heard %zu", heard);
    }
    end();
}

static void test_counts(void)
{
    sio_stats stats;

    T_CASE("counts and statistics are of all loops together");
    begin();
    CHECK(sio_socket_count(nsp) == LOOPS, "%zu", sio_socket_count(nsp));
    send_all("42[\"join\",\"room\"]");
    sio_emit(nsp, "a");
    shards_turn(&s);
    stats = shards_stats(&s);
    CHECK(stats.sockets == LOOPS && stats.sessions == LOOPS &&
              stats.events_in == LOOPS && stats.events_out == LOOPS &&
              stats.rooms == LOOPS,
          "%zu sockets, %zu sessions, %d in, %d out, %zu rooms", stats.sockets,
          stats.sessions, (int)stats.events_in, (int)stats.events_out,
          stats.rooms);
    end();
}

/* -------------------------------------------------------- out of memory -- */

static void do_all(sio_socket *socket)
{
    emit_everywhere(socket);
    sio_emit_ack(sio_timeout(nsp, 1000), on_reply, NULL, "q");
    sio_emit_ack(sio_timeout(sockets[1], 1000), on_reply, NULL, "q");
    sio_fetch_sockets(nsp, on_fetched, NULL);
    sio_sockets_join(nsp, "x");
    register_x(socket);
    unregister_x(socket);
}

static void do_all_far(void *user)
{
    (void)user;
    sio_emit(nsp, "far");
    sio_emit_ack(sio_timeout(nsp, 1000), on_reply, NULL, "q");
    sio_fetch_sockets(nsp, on_fetched, NULL);
}

static void live_once(void)
{
    do_on(0, do_all);
    shards_elsewhere(&s, do_all_far, NULL);
    shards_turn(&s);
    for (size_t i = 0; i < LOOPS; i++) {
        world_send_text(w, fds[i], "430[1]");
        world_send_text(w, fds[i], "431[1]");
        world_send_text(w, fds[i], "432[1]");
    }
    world_advance(w, 6000);
}

static void test_oom(void)
{
    long n;

    T_CASE("each allocation fails once: nothing is lost, nobody hears twice");
    for (n = 0; n < 2000; n++) {
        bool failed;

        begin();
        sio_on_any_outgoing(nsp, on_out, NULL);
        no_memory = true;
        oom_arm(n);
        live_once();
        failed = oom_disarm();
        no_memory = false;
        end();
        if (!failed)
            break;
    }
    CHECK(n > 20 && n < 2000, "%ld allocations", n);
}

int main(void)
{
    test_emits();
    test_many_answers();
    test_one_answer();
    test_moving();
    test_fetching();
    test_handlers();
    test_children();
    test_making();
    test_counts();
    test_oom();
    return t_done();
}
