/*
 * test_cluster_recovery.c -- clients who come back on another server: three
 * servers and an adapter that keeps events and sessions (mesh.h). With one loop
 * each, and with two.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sio/recovery.h>
#include <sio/sio.h>

#include "src/socketio/cluster.h"
#include "tests/flow/mesh.h"
#include "tests/flow/shards.h"
#include "tests/unit/oom.h"

#define NODES 3

static struct mesh mesh;
static struct shards nodes[NODES];
static sio_namespace *nsps[NODES];
static size_t loops;
static char seen[4096];
static bool hold; /* middlewares answer later */
static sio_next *held;
static bool no_memory; /* an allocation is to fail */

__attribute__((format(printf, 1, 2))) static void note(const char *fmt, ...)
{
    size_t n = strlen(seen);
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(seen + n, sizeof seen - n, fmt, ap);
    va_end(ap);
}

static void on_connection(sio_socket *socket, void *user)
{
    (void)user;
    note("%s%s;", sio_recovery_name(sio_recovery_of(socket)),
         sio_in_room(socket, "room") ? " room" : "");
}

static void on_join(sio_socket *socket, sio_event *event, void *user)
{
    (void)event, (void)user;
    sio_join(socket, "room");
    sio_set_data_json(socket, "{\"k\":1}", 7);
}

static void on_me(sio_socket *socket, sio_event *event, void *user)
{
    (void)event, (void)user;
    sio_emit(socket, "me", sio_int(1));
}

static void middleware(sio_socket *socket, sio_next *next, void *user)
{
    (void)socket, (void)user;
    if (hold)
        held = next;
    else
        sio_next_ok(next);
}

static void turn(void)
{
    for (int k = 0; k < 3; k++)
        for (size_t i = 0; i < NODES; i++)
            if (nodes[i].world.server)
                shards_turn(&nodes[i]);
}

static void begin_with(const sio_options *options)
{
    seen[0] = 0;
    memset(&mesh, 0, sizeof mesh);
    for (size_t i = 0; i < NODES; i++) {
        CHECK(shards_open(&nodes[i], loops, options), "no server");
        nsps[i] = sio_of(nodes[i].world.server, "/");
        sio_on_connection(nsps[i], on_connection, NULL);
        sio_on(nsps[i], "join", on_join, NULL);
        sio_on(nsps[i], "me", on_me, NULL);
    }
    turn();
}

static sio_options options_of_test(void)
{
    sio_options o;

    sio_options_init(&o);
    o.cluster = &mesh_keeping_ops;
    o.cluster_config = &mesh;
    o.connection_state_recovery = true;
    return o;
}

static void begin(void)
{
    sio_options o = options_of_test();

    begin_with(&o);
}

static void end(void)
{
    for (size_t i = 0; i < NODES; i++) {
        sio_stats stats;

        if (!nodes[i].world.server)
            continue;
        turn();
        stats = shards_stats(&nodes[i]);
        CHECK(stats.sockets == 0 && stats.sessions == 0, "left on %zu", i);
        shards_close(&nodes[i]);
    }
}

/* A client whose CONNECT packet has this auth, on the node's last loop. */
static int come(size_t node, const char *auth)
{
    struct world *w = &nodes[node].world;
    char text[256];
    int fd;

    nodes[node].chosen = loops - 1;
    fd = world_websocket(w, "EIO=4&transport=websocket");
    if (no_memory)
        world_read(w, fd);
    else
        CHECK_FRAMES(w, fd, "T:0{*}|");
    snprintf(text, sizeof text, "40%s", auth);
    world_send_text(w, fd, text);
    turn();
    return fd;
}

/* What stands behind `"key":"` in a text, up to the next quote. An id may have
 * the letters of a key. */
static const char *member(const char *text, const char *key, char out[64])
{
    char name[16];
    const char *at;

    snprintf(name, sizeof name, "\"%s\":\"", key);
    at = strstr(text, name);
    out[0] = 0;
    if (at)
        sscanf(at + strlen(name), "%63[^\"]", out);
    return out;
}

struct client {
    int fd;
    char sid[64], pid[64];
};

static struct client first(size_t node)
{
    struct client c = { .fd = come(node, "") };
    const char *text = world_frames(&nodes[node].world, c.fd);

    member(text, "sid", c.sid);
    member(text, "pid", c.pid);
    CHECK(strlen(c.sid) == 20 && strlen(c.pid) == 20, "ids: %s", text);
    return c;
}

static void leave(size_t node, int fd)
{
    world_hang_up(&nodes[node].world, fd);
    turn();
}

static int again(size_t node, const struct client *c, const char *offset)
{
    char auth[256];

    snprintf(auth, sizeof auth, "{\"pid\":\"%s\",\"offset\":\"%s\"}", c->pid,
             offset);
    return come(node, auth);
}

static void send_to(size_t node, int fd, const char *text)
{
    world_send_text(&nodes[node].world, fd, text);
    turn();
}

#define CHECK_GOT(node, fd, pattern)                     \
    do {                                                 \
        turn();                                          \
        CHECK_FRAMES(&nodes[node].world, (fd), pattern); \
    } while (0)

static void test_offsets(void)
{
    struct client a;
    int b;

    T_CASE("R67: events have the offset under which they are kept, everywhere");
    begin();
    a = first(0);
    b = come(1, "");
    CHECK_GOT(1, b, "T:40{*}|");
    sio_emit(nsps[0], "all", sio_string("x"));
    CHECK_GOT(0, a.fd, "T:42[\"all\",\"x\",\"1-0\"]|");
    CHECK_GOT(1, b, "T:42[\"all\",\"x\",\"1-0\"]|");
    send_to(0, a.fd, "42[\"me\"]");
    CHECK_GOT(0, a.fd, "T:42[\"me\",1,\"2-0\"]|");
    CHECK_GOT(1, b, "");

    T_CASE("volatile and local ones, and those that are asked, have none");
    sio_emit(sio_volatile(nsps[0]), "v");
    sio_emit(sio_local(nsps[0]), "l");
    turn();
    CHECK_GOT(0, a.fd, "T:42[\"v\"]|T:42[\"l\"]|");
    CHECK_GOT(1, b, "T:42[\"v\"]|");
    CHECK(mesh.entry_count == 2, "%zu entries", mesh.entry_count);

    T_CASE("what cannot be kept goes to the sockets of its server");
    mesh.down = true;
    sio_emit(nsps[0], "down");
    CHECK_GOT(0, a.fd, "T:42[\"down\"]|");
    CHECK_GOT(1, b, "");
    leave(0, a.fd);
    leave(1, b);
    end();
}

static void test_comebacks(void)
{
    struct client a;
    int fd;

    T_CASE("R67 R68: a client comes back on another server: rooms, data, what "
           "it has missed");
    begin();
    a = first(0);
    send_to(0, a.fd, "42[\"join\"]");
    sio_emit(nsps[1], "one", sio_int(1));
    CHECK_GOT(0, a.fd, "T:42[\"one\",1,\"1-0\"]|");
    leave(0, a.fd);
    CHECK(mesh.session_count == 1, "not saved");
    sio_emit(nsps[1], "two", sio_int(2));
    sio_emit(sio_to(nsps[2], "room"), "three", sio_int(3));
    sio_emit(sio_to(nsps[2], "other"), "no");
    sio_emit(sio_except(nsps[2], "room"), "no");
    sio_emit(sio_to(nsps[2], a.sid), "four", sio_int(4));
    turn();
    seen[0] = 0;
    fd = again(2, &a, "1-0");
    {
        char want[512];

        snprintf(want, sizeof want,
                 "T:42[\"two\",2,\"2-0\"]|T:42[\"three\",3,\"3-0\"]|"
                 "T:42[\"four\",4,\"6-0\"]|"
                 "T:40{\"sid\":\"%s\",\"pid\":\"%s\"}|",
                 a.sid, a.pid);
        CHECK_GOT(2, fd, want);
    }
    CHECK_MATCH(seen, "recovered room;");
    sio_emit(sio_to(nsps[0], "room"), "live");
    CHECK_GOT(2, fd, "T:42[\"live\",\"7-0\"]|");

    T_CASE("and once more, on the first one; a session is used once");
    leave(2, fd);
    fd = again(0, &a, "7-0");
    CHECK_GOT(0, fd, "T:40{*}|");
    leave(0, again(1, &a, "7-0"));
    CHECK_MATCH(seen, "recovered room;recovered room;unknown session;");
    leave(0, fd);
    end();

    T_CASE("R69: an offset that nobody knows, a pid that nobody knows");
    begin();
    a = first(0);
    sio_emit(nsps[0], "one");
    turn();
    leave(0, a.fd);
    seen[0] = 0;
    leave(1, again(1, &a, "9-0"));
    CHECK_MATCH(seen, "unknown offset;");
    strcpy(a.pid, "abcdefghijabcdefghij");
    leave(1, again(1, &a, "1-0"));
    CHECK_MATCH(seen, "unknown offset;unknown session;");
    mesh.down = true;
    leave(1, again(1, &a, "1-0"));
    CHECK_MATCH(seen, "unknown offset;unknown session;not available;");
    end();

    T_CASE("a session whose id is none that a server gives");
    begin();
    a = first(0);
    sio_emit(nsps[0], "one");
    turn();
    leave(0, a.fd);
    seen[0] = 0;
    mesh.sessions[0].sid[3] = '"';
    leave(1, again(1, &a, "1-0"));
    CHECK_MATCH(seen, "unknown session;");
    end();

    T_CASE("it goes while the adapter looks: its session is there again");
    begin();
    a = first(0);
    sio_emit(nsps[0], "one");
    turn();
    leave(0, a.fd);
    seen[0] = 0;
    {
        struct world *w = &nodes[1].world;
        char text[256];

        fd = world_websocket(w, "EIO=4&transport=websocket");
        snprintf(text, sizeof text, "40{\"pid\":\"%s\",\"offset\":\"1-0\"}",
                 a.pid);
        world_write(w, fd, "", 0);
        world_send_text(w, fd, text);
        world_hang_up(w, fd);
        turn();
    }
    leave(2, again(2, &a, "1-0"));
    CHECK(strstr(seen, "recovered;"), "%s", seen);
    end();
}

static void test_middlewares(void)
{
    sio_options o = options_of_test();
    struct client a;
    int fd;

    T_CASE("events while a middleware takes its time come behind the others");
    o.skip_middlewares = false;
    begin_with(&o);
    sio_use(nsps[1], middleware, NULL);
    a = first(0);
    sio_emit(nsps[0], "one");
    turn();
    leave(0, a.fd);
    sio_emit(nsps[0], "two");
    turn();
    hold = true;
    fd = again(1, &a, "1-0");
    CHECK(held != NULL, "not asked");
    sio_emit(nsps[2], "three");
    turn();
    CHECK_GOT(1, fd, "");
    hold = false;
    if (held)
        sio_next_ok(held);
    CHECK_GOT(1, fd, "T:42[\"two\",\"2-0\"]|T:42[\"three\",\"3-0\"]|T:40{*}|");
    leave(1, fd);
    end();
}

static void test_too_many(void)
{
    const sio_cluster_request q = { .type = SIO_CLUSTER_BROADCAST,
                                    .nsp = STR("/"),
                                    .event = STR("more"),
                                    .offset = STR("9-0") };
    sio_options o = options_of_test();
    const sio_cluster_host *host;
    struct client a;
    int fd;

    T_CASE("more of them than are kept: not let in, rather than with a gap");
    o.skip_middlewares = false;
    begin_with(&o);
    sio_use(nsps[1], middleware, NULL);
    a = first(0);
    sio_emit(nsps[0], "one");
    turn();
    leave(0, a.fd);
    hold = true;
    fd = again(1, &a, "1-0");
    host = &nodes[1].world.server->hub.cluster->host;
    for (size_t i = 0; i < 65536 + 1; i++) {
        host->execute(host->self, &q);
        if (i % 4096 == 0)
            shards_turn(&nodes[1]);
    }
    turn();
    hold = false;
    sio_next_ok(held);
    CHECK_GOT(1, fd, "C*");
    leave(1, fd);
    end();
}

static void test_stopping(void)
{
    struct client a;
    int fd;

    T_CASE("a server that stops saves its sockets: they come back on others");
    begin();
    a = first(0);
    sio_emit(nsps[0], "one");
    turn();
    so_hub_shut(&nodes[0].world.server->hub);
    turn();
    CHECK(mesh.session_count == 1, "not saved");
    leave(0, a.fd);
    seen[0] = 0;
    fd = again(1, &a, "1-0");
    CHECK_MATCH(seen, "recovered;");
    leave(1, fd);
    end();
}

static void test_memory(void)
{
    T_CASE("an allocation that fails: nobody is lost, nothing leaks");
    for (long n = 0; n < 500; n++) {
        struct client a;
        bool failed;
        int fd;

        begin();
        a = first(0);
        sio_emit(nsps[0], "one");
        turn();
        no_memory = true;
        oom_arm(n);
        sio_emit(nsps[1], "two");
        turn();
        leave(0, a.fd);
        sio_emit(nsps[1], "three");
        turn();
        fd = again(1, &a, "1-0");
        failed = oom_disarm();
        no_memory = false;
        turn();
        world_read(&nodes[1].world, fd);
        leave(1, fd);
        end();
        if (!failed)
            break;
    }
}

int main(void)
{
    for (loops = 1; loops <= 2; loops++) {
        test_offsets();
        test_comebacks();
        test_middlewares();
        test_too_many();
        test_stopping();
        test_memory();
    }
    return t_done();
}
