/*
 * test_cluster.c -- three servers and an adapter of an outsider between them
 * (mesh.h): what is emitted, asked, moved and looked at on one reaches the
 * sockets of the others, once; with one loop each, and with several.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sio/intercept.h>
#include <sio/sio.h>

#include "src/socketio/cluster.h"
#include "tests/flow/mesh.h"
#include "tests/flow/shards.h"
#include "tests/unit/oom.h"

#include <stdlib.h>

#define NODES 3

static struct mesh mesh;
static struct shards nodes[NODES];
static sio_namespace *nsps[NODES];
static sio_socket *sockets[NODES]; /* each node's, on its last loop */
static int fds[NODES];
static char seen[8192];
static bool asked;     /* questions are open at the end of a case */
static bool no_memory; /* an allocation is to fail */

__attribute__((format(printf, 1, 2))) static void note(const char *fmt, ...)
{
    size_t n = strlen(seen);
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(seen + n, sizeof seen - n, fmt, ap);
    va_end(ap);
}

/* ------------------------------------------------------------ the servers --
 */

static void on_connection(sio_socket *socket, void *user)
{
    sio_socket **at = user;

    if (*at)
        sio_release(*at);
    *at = sio_retain(socket);
}

static void on_join(sio_socket *socket, sio_event *event, void *user)
{
    const char *room;

    (void)user;
    if (sio_arg_string(event, 0, &room, NULL) == SIO_OK)
        sio_join(socket, room);
}

static void (*deed)(sio_socket *socket);

static void on_do(sio_socket *socket, sio_event *event, void *user)
{
    (void)event, (void)user;
    deed(socket);
}

static void turn(void)
{
    for (int k = 0; k < 3; k++)
        for (size_t i = 0; i < NODES; i++)
            if (nodes[i].world.server)
                shards_turn(&nodes[i]);
}

static void open_node(size_t i, size_t loops)
{
    sio_options o;

    sio_options_init(&o);
    o.cluster = &mesh_ops;
    o.cluster_config = &mesh;
    CHECK(shards_open(&nodes[i], loops, &o), "no server");
    nsps[i] = sio_of(nodes[i].world.server, "/");
    sio_on_connection(nsps[i], on_connection, &sockets[i]);
    sio_on(nsps[i], "join", on_join, NULL);
    sio_on(nsps[i], "do", on_do, NULL);
}

static void begin_with(size_t loops)
{
    seen[0] = 0;
    asked = false;
    memset(&mesh, 0, sizeof mesh);
    for (size_t i = 0; i < NODES; i++) {
        sockets[i] = NULL;
        open_node(i, loops);
    }
    turn();
    for (size_t i = 0; i < NODES; i++)
        fds[i] = shards_client(&nodes[i], loops - 1);
    turn();
    for (size_t i = 0; i < NODES; i++)
        CHECK(sockets[i] != NULL, "nobody on node %zu", i);
}

static void close_node(size_t i)
{
    struct world *w = &nodes[i].world;
    sio_stats stats;

    if (!w->server)
        return;
    world_hang_up(w, fds[i]);
    turn();
    stats = shards_stats(&nodes[i]);
    CHECK(stats.sockets == 0 && stats.pending_acks == 0 && stats.rooms == 0,
          "left on %zu: %zu sockets, %zu acks, %zu rooms", i, stats.sockets,
          stats.pending_acks, stats.rooms);
    CHECK(asked || map_count(&w->server->hub.cluster->foreign) == 0,
          "questions of others");
    CHECK(asked || list_empty(&w->server->hub.cluster->inquiries), "inquiries");
    if (sockets[i])
        sio_release(sockets[i]);
    sockets[i] = NULL;
    shards_close(&nodes[i]);
}

static void end(void)
{
    for (size_t i = 0; i < NODES; i++)
        close_node(i);
    CHECK(mesh.count == 0 && mesh.pending == 0, "%zu nodes, %zu questions",
          mesh.count, mesh.pending);
}

static void send_to(size_t i, const char *text)
{
    world_send_text(&nodes[i].world, fds[i], text);
    turn();
}

/* In a handler of node i, on its last loop. */
static void do_on(size_t i, void (*fn)(sio_socket *socket))
{
    deed = fn;
    send_to(i, "42[\"do\"]");
}

/* What each node's client has got: "0:...;1:...;". */
static const char *got(void)
{
    static char text[4096];
    size_t n = 0;

    turn();
    for (size_t i = 0; i < NODES; i++)
        if (nodes[i].world.server)
            n += (size_t)snprintf(text + n, sizeof text - n, "%zu:%s;", i,
                                  world_frames(&nodes[i].world, fds[i]));
    return text;
}

/* Each case with one loop per server, and with two. */
static size_t loops;

static void begin(void)
{
    begin_with(loops);
}

static sio_namespace *nsp_of(const sio_socket *socket)
{
    return sio_namespace_of(socket);
}

/* --------------------------------------------------------------- emitting --
 */

static void emit_all(sio_socket *socket)
{
    sio_namespace *nsp = nsp_of(socket);

    sio_emit(nsp, "a", sio_int(1));
    sio_emit(sio_to(nsp, "room"), "b", sio_binary("\1", 1));
    sio_emit(sio_broadcast(socket), "c");
    sio_emit(sio_except(nsp, "room"), "d", sio_string("x"), sio_null());
    sio_emit(sio_to(nsp, sio_id(sockets[2])), "e");
    sio_emit(sio_local(nsp), "f");
    sio_emit(socket, "g");
}

static void emit_bad(sio_socket *socket)
{
    note("%d ", sio_emit(nsp_of(socket), "x", sio_string("\xff")));
    note("%d ", sio_emit(nsp_of(socket), "connect"));
}

static void emit_far(void *user)
{
    (void)user;
    sio_emit(nsps[0], "a", sio_int(1));
    sio_emit(sio_to(nsps[0], "room"), "b");
}

static void test_emits(void)
{
    T_CASE("what is emitted reaches the sockets of every server, once");
    begin();
    send_to(1, "42[\"join\",\"room\"]");
    send_to(2, "42[\"join\",\"room\"]");
    do_on(0, emit_all);
    CHECK_MATCH(
        got(),
        "0:T:42[\"a\",1]|T:42[\"d\",\"x\",null]|T:42[\"f\"]|T:42[\"g\"]|;"
        "1:T:42[\"a\",1]|T:451-[\"b\",{*}]|B:01|T:42[\"c\"]|;"
        "2:T:42[\"a\",1]|T:451-[\"b\",{*}]|B:01|T:42[\"c\"]|"
        "T:42[\"e\"]|;");
    end();

    T_CASE("what cannot be sent goes to nobody");
    begin();
    do_on(1, emit_bad);
    CHECK(atoi(seen) == SIO_E_INVAL, "%s", seen);
    CHECK_MATCH(got(), "0:;1:;2:;");
    end();

    T_CASE("emits of a thread that runs no loop");
    begin();
    send_to(2, "42[\"join\",\"room\"]");
    shards_elsewhere(&nodes[0], emit_far, NULL);
    CHECK_MATCH(got(), "0:T:42[\"a\",1]|;1:T:42[\"a\",1]|;"
                       "2:T:42[\"a\",1]|T:42[\"b\"]|;");
    end();

    T_CASE("cut off from the others: what is emitted stays here");
    begin();
    mesh.down = true;
    do_on(0, emit_all);
    CHECK_MATCH(got(), "0:T:42[\"a\",1]|T:42[\"d\",\"x\",null]|T:42[\"f\"]|"
                       "T:42[\"g\"]|;1:;2:;");
    CHECK(shards_stats(&nodes[0]).cluster.state == SIO_CLUSTER_DEGRADED,
          "not degraded");
    end();
}

static void on_any_outgoing(sio_socket *socket, sio_event *event, void *user)
{
    (void)socket, (void)user;
    note("%s ", sio_event_name(event));
}

static void emit_one(sio_socket *socket)
{
    sio_emit(nsp_of(socket), "a", sio_raw_json("{\"k\":[1]}", 9));
}

static void test_outgoing(void)
{
    T_CASE("who listens to what is emitted sees that of other servers");
    begin();
    sio_on_any_outgoing(nsps[1], on_any_outgoing, NULL);
    do_on(0, emit_one);
    CHECK_MATCH(seen, "a ");
    CHECK_MATCH(got(), "0:T:42[\"a\",{\"k\":[1]}]|;1:T:42[\"a\",{\"k\":[1]}]|;"
                       "2:T:42[\"a\",{\"k\":[1]}]|;");
    end();
}

/* ---------------------------------------------------------------- sockets --
 */

static void move_all(sio_socket *socket)
{
    sio_namespace *nsp = nsp_of(socket);

    sio_sockets_join(nsp, "one", "two");
    sio_sockets_leave(sio_to(nsp, sio_id(sockets[2])), "two");
    sio_emit(sio_to(nsp, "two"), "in two");
}

static void kick_others(sio_socket *socket)
{
    sio_disconnect_sockets(sio_broadcast(socket), false);
}

static void test_errands(void)
{
    T_CASE("sockets of every server join, leave and are disconnected");
    begin();
    do_on(0, move_all);
    CHECK_MATCH(got(), "0:T:42[\"in two\"]|;1:T:42[\"in two\"]|;2:;");
    CHECK(sio_in_room(sockets[2], "one") && !sio_in_room(sockets[2], "two"),
          "rooms of 2");
    do_on(0, kick_others);
    CHECK_MATCH(got(), "0:;1:T:41|;2:T:41|;");
    end();
}

static void on_reply(int error, sio_event *answers, void *user)
{
    note("%s%d:", user ? (const char *)user : "", error);
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

static void note_room(void *user, sio_str room)
{
    (void)user;
    note(" %.*s", room.n == 20 ? 2 : (int)room.n, room.n == 20 ? "id" : room.p);
}

static void on_sockets(int error, const sio_remote_socket *const *all,
                       size_t count, void *user)
{
    char text[4096];

    (void)user;
    note("%d:", error);
    for (size_t k = 0; k < NODES; k++)
        for (size_t i = 0; i < count; i++) {
            if (!sockets[k] ||
                strcmp(sio_remote_id(all[i]), sio_id(sockets[k])) != 0)
                continue;
            note(" %zu%s", k, sio_remote_local(all[i]) ? "!" : "");
            sio_remote_each_room(all[i], note_room, NULL);
            note(" %.*s", (int)sio_remote_data_json(all[i]).n,
                 sio_remote_data_json(all[i]).p);
            CHECK(no_memory || (sio_remote_handshake_json(all[i], text,
                                                          sizeof text) > 0 &&
                                strstr(text, "\"headers\":{")),
                  "no handshake");
            sio_emit(sio_remote_target(all[i]), "to", sio_int((int)k));
            sio_emit_ack(sio_timeout(sio_remote_target(all[i]), 1000), on_reply,
                         NULL, "q");
        }
    note(";");
}

static void fetch(sio_socket *socket)
{
    sio_fetch_sockets(sio_to(nsp_of(socket), "room"), on_sockets, NULL);
}

static void fetch_locally(sio_socket *socket)
{
    sio_fetch_sockets(sio_local(nsp_of(socket)), on_sockets, NULL);
}

static void test_fetch(void)
{
    T_CASE("sockets are fetched from every server, emitted to and asked");
    begin();
    for (size_t i = 0; i < NODES; i++)
        send_to(i, "42[\"join\",\"room\"]");
    sio_set_data_json(sockets[2], "{\"k\":2}", 7);
    do_on(0, fetch);
    turn();
    CHECK_MATCH(seen, "0: 0* id room {} 1 id room {} 2 id room {\"k\":2};");
    seen[0] = 0;
    CHECK_MATCH(got(), "0:T:42[\"to\",0]|T:42*[\"q\"]|;"
                       "1:T:42[\"to\",1]|T:42*[\"q\"]|;"
                       "2:T:42[\"to\",2]|T:42*[\"q\"]|;");
    send_to(2, "431[{\"a\":1}]"); /* 0 was the question to node 1 */
    CHECK_MATCH(seen, "0: {\"a\":1};");
    send_to(1, "430[]");
    CHECK_MATCH(seen, "0: {\"a\":1};0: null;");
    seen[0] = 0;
    world_advance(&nodes[0].world, 1500);
    turn();
    CHECK_MATCH(seen, "-*:;");
    end();

    T_CASE("a fetch that is local asks nobody else");
    begin();
    do_on(1, fetch_locally);
    turn();
    CHECK_MATCH(seen, "0: 1* id {};");
    CHECK(mesh.pending == 0, "asked");
    world_advance(&nodes[1].world, 1500);
    end();
}

/* ----------------------------------------------------------------- asking --
 */

static void ask(sio_socket *socket)
{
    sio_emit_ack(sio_timeout(nsp_of(socket), 1000), on_reply, NULL, "q",
                 sio_int(7));
}

static void ask_far(void *user)
{
    (void)user;
    sio_emit_ack(sio_timeout(nsps[0], 1000), on_reply, NULL, "q");
}

static void ask_nobody(sio_socket *socket)
{
    sio_emit_ack(sio_timeout(sio_to(nsp_of(socket), "none"), 1000), on_reply,
                 NULL, "q");
}

static void ask_and_emit(sio_socket *socket)
{
    sio_emit(nsp_of(socket), "a");
    ask(socket);
    sio_emit(nsp_of(socket), "b");
}

static void test_asks(void)
{
    T_CASE("what is asked and what is emitted arrive in their order");
    begin();
    do_on(0, ask_and_emit);
    CHECK_MATCH(got(), "0:T:42[\"a\"]|T:420[\"q\",7]|T:42[\"b\"]|;"
                       "1:T:42[\"a\"]|T:420[\"q\",7]|T:42[\"b\"]|;"
                       "2:T:42[\"a\"]|T:420[\"q\",7]|T:42[\"b\"]|;");
    world_advance(&nodes[0].world, 1500);
    turn();
    end();

    T_CASE("clients of every server are asked, their answers gathered");
    begin();
    do_on(0, ask);
    CHECK_MATCH(got(),
                "0:T:420[\"q\",7]|;1:T:420[\"q\",7]|;2:T:420[\"q\",7]|;");
    send_to(1, "430[\"one\",2]");
    send_to(2, "461-0[{\"_placeholder\":true,\"num\":0}]");
    world_send_binary(&nodes[2].world, fds[2], "\1\2\3", 3);
    turn();
    CHECK_MATCH(seen, "");
    send_to(0, "430[]");
    CHECK_MATCH(seen, "0: \"one\" <3> null;");
    CHECK(mesh.pending == 0, "not forgotten");
    end();

    T_CASE("one never answers: a timeout with the others, and it is forgotten");
    begin();
    do_on(0, ask);
    send_to(1, "430[\"one\"]");
    world_advance(&nodes[0].world, 1100);
    turn();
    CHECK_MATCH(seen, "-*: \"one\";");
    CHECK(mesh.pending == 0, "not forgotten");
    send_to(2, "430[\"late\"]");
    CHECK_MATCH(seen, "-*: \"one\";");
    end();

    T_CASE("nobody is there to be asked, on any server");
    begin();
    do_on(0, ask_nobody);
    world_advance(&nodes[0].world, 20);
    turn();
    CHECK_MATCH(seen, "0:;");
    end();

    T_CASE("a thread that runs no loop asks");
    begin();
    shards_elsewhere(&nodes[0], ask_far, NULL);
    turn();
    for (size_t i = 0; i < NODES; i++)
        send_to(i, "430[\"x\"]");
    CHECK_MATCH(seen, "0: \"x\" \"x\" \"x\";");
    end();

    T_CASE("a server goes while it is asked: the others' answers count");
    begin();
    do_on(0, ask);
    send_to(1, "430[\"one\"]");
    send_to(0, "430[\"zero\"]");
    asked = true;
    close_node(2);
    asked = false;
    turn();
    world_advance(&nodes[0].world, 1100);
    turn();
    CHECK_MATCH(seen, "*: \"one\" \"zero\";");
    end();

    T_CASE("the server that asks stops: it hears so once");
    begin();
    do_on(0, ask);
    so_hub_shut(&nodes[0].world.server->hub);
    so_cluster_close(&nodes[0].world.server->hub);
    turn();
    CHECK(atoi(seen) == SIO_E_STATE, "%s", seen);
    CHECK(strchr(seen, ';') == strrchr(seen, ';'), "twice: %s", seen);
    end();
}

/* ----------------------------------------------------------- server events --
 */

static sio_pending_ack *later;

static void on_hello(sio_namespace *nsp, sio_event *event, void *user)
{
    int64_t number = -1;

    sio_arg_int(event, 0, &number);
    note("%s%zu %s %d%s;", sio_namespace_name(nsp), *(size_t *)user,
         sio_event_name(event), (int)number, sio_wants_ack(event) ? "?" : "");
    if (sio_wants_ack(event))
        sio_ack(event, sio_int((int64_t) * (size_t *)user), sio_int(9));
    CHECK(no_memory || sio_ack(event) == SIO_E_STATE, "answered twice");
}

static void on_later(sio_namespace *nsp, sio_event *event, void *user)
{
    (void)nsp, (void)user;
    later = sio_ack_later(event);
}

static void hello(sio_socket *socket)
{
    sio_server_side_emit(nsp_of(socket), "hello", sio_int(5));
    note("%d;", sio_server_side_emit(nsp_of(socket), "connection"));
    sio_server_side_emit_ack(nsp_of(socket), on_reply, NULL, "hello",
                             sio_int(6));
}

static void hello_later(sio_socket *socket)
{
    sio_server_side_emit_ack(nsp_of(socket), on_reply, NULL, "later");
}

static void answer_later(void *user)
{
    (void)user;
    sio_answer(later, sio_string("at last"));
}

static void test_server_events(void)
{
    static size_t numbers[NODES] = { 0, 1, 2 };

    T_CASE("events between servers, and their answers");
    begin();
    for (size_t i = 0; i < NODES; i++)
        sio_on_server_event(nsps[i], "hello", on_hello, &numbers[i]);
    do_on(0, hello);
    turn();
    CHECK(strstr(seen, "/1 hello 5;") && strstr(seen, "/2 hello 5;") &&
              strstr(seen, "/1 hello 6?;") && strstr(seen, "/2 hello 6?;") &&
              !strstr(seen, "/0"),
          "%s", seen);
    CHECK(strstr(seen, "0: 1 2;") || strstr(seen, "0: 2 1;"), "%s", seen);
    end();

    T_CASE("an answer of later, by another thread; and one that is dropped");
    begin();
    sio_on_server_event(nsps[1], "later", on_later, NULL);
    close_node(2);
    do_on(0, hello_later);
    turn();
    CHECK_MATCH(seen, "");
    CHECK(later != NULL, "not asked");
    shards_elsewhere(&nodes[1], answer_later, NULL);
    turn();
    CHECK_MATCH(seen, "0: \"at last\";");
    do_on(0, hello_later);
    turn();
    sio_answer_drop(later);
    asked = true;
    end(); /* node 1 goes last */
    CHECK_MATCH(seen, "0: \"at last\";*:;");
}

/* -------------------------------------------------------------- namespaces --
 */

static void test_namespaces(void)
{
    T_CASE("the adapter hears of namespaces and rooms");
    begin();
    CHECK(strstr(mesh.log, "+ /;"), "%s", mesh.log);
    mesh.log[0] = 0;
    sio_of(nodes[0].world.server, "/chat");
    turn();
    send_to(1, "42[\"join\",\"room\"]");
    send_to(1, "42[\"join\",\"room\"]");
    CHECK_MATCH(mesh.log, "+ /chat;room / room;");
    send_to(1, "41");
    CHECK_MATCH(mesh.log, "+ /chat;room / room;no room / room;");
    end();

    T_CASE("a namespace that others do not have");
    begin();
    sio_emit(sio_of(nodes[0].world.server, "/chat"), "a");
    sio_fetch_sockets(sio_of(nodes[0].world.server, "/chat"), on_sockets, NULL);
    turn();
    CHECK_MATCH(seen, "*:;");
    CHECK_MATCH(got(), "0:;1:;2:;");
    end();
}

static void test_options(void)
{
    struct world w;
    sio_options o;

    T_CASE("an adapter that cannot open: no server, and why");
    sio_options_init(&o);
    o.cluster = &mesh_ops;
    CHECK(!world_open(&w, &o), "a server");
    CHECK(strstr(w.log, "cluster, adapter \"mesh\": no mesh"), "%s", w.log);

    T_CASE("a config without an adapter, an adapter without functions");
    o.cluster = NULL;
    o.cluster_config = &mesh;
    CHECK(!world_open(&w, &o), "a server");
    {
        sio_cluster_ops ops = mesh_ops;

        ops.send = NULL;
        o.cluster = &ops;
        CHECK(!world_open(&w, &o), "a server");
    }
}

/* ------------------------------------------------------------- no memory -- */

static void all_deeds(sio_socket *socket)
{
    emit_all(socket);
    move_all(socket);
    fetch(socket);
    ask(socket);
    hello(socket);
}

static void test_memory(void)
{
    static size_t numbers[NODES] = { 0, 1, 2 };

    T_CASE("an allocation that fails: nothing leaks, nobody waits for ever");
    for (long n = 0; n < 2000; n++) {
        bool failed;

        begin();
        for (size_t i = 0; i < NODES; i++) {
            sio_on_server_event(nsps[i], "hello", on_hello, &numbers[i]);
            send_to(i, "42[\"join\",\"room\"]");
        }
        no_memory = true;
        oom_arm(n);
        do_on(0, all_deeds);
        turn();
        failed = oom_disarm();
        no_memory = false;
        world_advance(&nodes[0].world, 6000);
        turn();
        asked = true; /* an answer for which there was no memory */
        end();
        if (!failed)
            break;
    }
}

int main(void)
{
    for (loops = 1; loops <= 2; loops++) {
        test_emits();
        test_outgoing();
        test_errands();
        test_fetch();
        test_asks();
        test_server_events();
        test_namespaces();
        test_memory();
    }
    test_options();
    return t_done();
}
