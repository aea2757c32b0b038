/*
 * test_cluster_host.c -- what an adapter may do to the server at odd moments: a
 * puppet on <sio/adapter.h> that does nothing by itself. The test calls the
 * host in its place, and answers when it likes.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sio/namespace.h>
#include <sio/sio.h>

#include "src/socketio/cluster.h"
#include "tests/flow/shards.h"

#include <stdlib.h>

static struct shards s;
static const sio_cluster_host *host;
static char told[4096]; /* what the adapter was told of namespaces and rooms */
static char seen[4096];
static int fds[2];
static int token; /* the user of what is asked */

__attribute__((format(printf, 2, 3))) static void add(char text[4096],
                                                      const char *fmt, ...)
{
    size_t n = strlen(text);
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text + n, 4096 - n, fmt, ap);
    va_end(ap);
}

/* ------------------------------------------------------------- the puppet --
 */

static void *puppet_open(const sio_cluster_host *of, const void *config,
                         char *why, size_t why_size)
{
    (void)config, (void)why, (void)why_size;
    host = of;
    return &token;
}

static void puppet_close(void *self)
{
    (void)self;
    add(told, "closed;");
}

static int add_namespace(void *self, sio_str nsp)
{
    (void)self;
    add(told, "+%.*s;", (int)nsp.n, nsp.p);
    return SIO_OK;
}

static void remove_namespace(void *self, sio_str nsp)
{
    (void)self;
    add(told, "-%.*s;", (int)nsp.n, nsp.p);
}

/* Ids are random: they are not shown. */
static void room_changed(void *self, sio_str nsp, sio_str room, bool is_id,
                         bool exists)
{
    (void)self;
    add(told, "%s %.*s %.*s%s;", exists ? "room" : "no room", (int)nsp.n, nsp.p,
        room.n == 20 ? 2 : (int)room.n, room.n == 20 ? "id" : room.p,
        is_id ? "!" : "");
}

static const sio_cluster_answers *asker; /* of what was asked last */
static void *asker_user;

static int send_on(void *self, const sio_cluster_request *request)
{
    (void)self;
    asker = request->answers;
    asker_user = request->user;
    return SIO_OK;
}

static void forget(void *self, void *user)
{
    (void)self, (void)user;
}

static void get_stats(void *self, sio_cluster_stats *out)
{
    (void)self, (void)out;
}

static const sio_cluster_ops puppet_ops = {
    .size = sizeof puppet_ops,
    .name = "puppet",
    .open = puppet_open,
    .close = puppet_close,
    .add_namespace = add_namespace,
    .remove_namespace = remove_namespace,
    .room_changed = room_changed,
    .send = send_on,
    .forget = forget,
    .get_stats = get_stats,
};

/* ---------------------------------------------------------------- answers --
 */

static bool forgets; /* from within whatever it hears */

static void heard(void)
{
    if (forgets)
        host->forget(host->self, &token);
}

static void on_client_count(void *user, size_t count)
{
    (void)user;
    add(seen, "count %zu;", count);
    heard();
}

static void on_ack(void *user, const sio_value *value)
{
    (void)user, (void)value;
    add(seen, "ack;");
    heard();
}

static void on_sockets(void *user, const sio_cluster_socket *sockets,
                       size_t count)
{
    (void)user, (void)sockets;
    add(seen, "sockets %zu;", count);
    heard();
}

static void on_complete(void *user, int status)
{
    (void)user;
    add(seen, "complete %d;", status);
    heard();
}

static const sio_cluster_answers answers = {
    .on_client_count = on_client_count,
    .on_ack = on_ack,
    .on_sockets = on_sockets,
    .on_complete = on_complete,
};

static sio_cluster_request request_of(sio_cluster_type type)
{
    return (sio_cluster_request){ .type = type,
                                  .nsp = STR("/"),
                                  .event = STR("q"),
                                  .timeout_ms = 5000,
                                  .answers = &answers,
                                  .user = &token };
}

static void begin(size_t loops)
{
    sio_options o;

    told[0] = seen[0] = 0;
    forgets = false;
    sio_options_init(&o);
    o.cluster = &puppet_ops;
    o.cleanup_empty_child_namespaces = true;
    CHECK(shards_open(&s, loops, &o), "no server");
}

static void end(void)
{
    shards_close(&s);
}

/* ------------------------------------------------------------- forgetting --
 */

static const sio_cluster_type types[] = { SIO_CLUSTER_BROADCAST,
                                          SIO_CLUSTER_FETCH_SOCKETS,
                                          SIO_CLUSTER_SERVER_SIDE_EMIT };

static void test_forget(void)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        const sio_cluster_request q = request_of(types[i]);

        T_CASE("a request that is forgotten before anything has come of it");
        begin(2);
        fds[0] = shards_client(&s, 0);
        fds[1] = shards_client(&s, 1);
        CHECK(host->execute(host->self, &q) == SIO_OK, "refused");
        host->forget(host->self, &token);
        shards_turn(&s);
        CHECK_MATCH(seen, "");
        CHECK(list_empty(&s.world.server->hub.shards->questions), "a question");
        CHECK(list_empty(&s.world.server->hub.shards->fetches), "a fetch");
        for (size_t k = 0; k < 2; k++)
            CHECK_MATCH(world_frames(&s.world, fds[k]),
                        i == 0 ? "T:420[\"q\"]|" : "");
        end();
    }
}

static void answer(sio_namespace *nsp, sio_event *event, void *user)
{
    (void)nsp, (void)user;
    sio_ack(event, sio_int(1));
}

static void test_forget_within(void)
{
    static const char *const wanted[] = { "count 1;", "sockets 1;", "ack;" };

    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        const sio_cluster_request q = request_of(types[i]);

        T_CASE("one that is forgotten from within what is told: no more of it");
        begin(2);
        sio_on_server_event(sio_of(s.world.server, "/"), "q", answer, NULL);
        fds[0] = shards_client(&s, 0);
        forgets = true;
        CHECK(host->execute(host->self, &q) == SIO_OK, "refused");
        shards_turn(&s);
        world_send_text(&s.world, fds[0], "430[1]");
        shards_turn(&s);
        CHECK_MATCH(seen, wanted[i]);
        end();
    }
}

/* ----------------------------------------------------------------- counts --
 */

static void on_reply(int error, sio_event *event, void *user)
{
    (void)user;
    add(seen, "reply %d %zu;", error, sio_arg_count(event));
}

static void test_counts(void)
{
    T_CASE("counts of other servers that are too large for anything");
    begin(1);
    sio_emit_ack(sio_timeout(sio_of(s.world.server, "/"), 1000), on_reply, NULL,
                 "q");
    shards_turn(&s);
    asker->on_client_count(asker_user, SIZE_MAX / 2);
    asker->on_client_count(asker_user, SIZE_MAX / 2);
    asker->on_client_count(asker_user, 2);
    asker->on_complete(asker_user, SIO_OK);
    shards_turn(&s);
    CHECK_MATCH(seen, "");
    world_advance(&s.world, 1100);
    CHECK_MATCH(seen, "reply -*");
    end();
}

/* ------------------------------------------------------ namespaces, rooms --
 */

static void join_lobby(sio_socket *socket, void *user)
{
    (void)user;
    sio_join(socket, "lobby");
}

static void test_comes_again(void)
{
    static const char again[] = "\x81\x87\0\0\0\0"
                                "41/dyn,"
                                "\x81\x87\0\0\0\0"
                                "40/dyn,";

    T_CASE("a dynamic namespace goes and comes again within one turn");
    begin(1);
    sio_on_connection(sio_of_regex(s.world.server, "^/dyn$"), join_lobby, NULL);
    fds[0] = shards_client(&s, 0);
    world_send_text(&s.world, fds[0], "40/dyn,");
    shards_turn(&s);
    told[0] = 0;
    world_write(&s.world, fds[0], again, sizeof again - 1);
    shards_turn(&s);
    CHECK_MATCH(told, "no room /dyn id;no room /dyn lobby;-/dyn;+/dyn;"
                      "room /dyn id!;room /dyn lobby;");
    end();
}

static void test_own_rooms(size_t loops)
{
    T_CASE("the adapter hears of the end of a socket's own room");
    begin(loops);
    told[0] = 0;
    fds[0] = shards_client(&s, loops - 1);
    shards_turn(&s);
    CHECK_MATCH(told, "room / id!;");
    world_hang_up(&s.world, fds[0]);
    shards_turn(&s);
    CHECK_MATCH(told, "room / id!;no room / id;");
    end();
}

static void test_listens_again(size_t loops)
{
    sio_cluster_request q = request_of(SIO_CLUSTER_BROADCAST);

    T_CASE("a server that stops and listens again is in the cluster again");
    begin(loops);
    sio_on_connection(sio_of_regex(s.world.server, "^/dyn$"), join_lobby, NULL);
    CHECK(sio_listen(s.world.server, "127.0.0.1:0", NULL) == SIO_OK, "listen");
    for (int round = 0; round < 2; round++) {
        seen[0] = 0;
        fds[0] = shards_client(&s, loops - 1);
        world_send_text(&s.world, fds[0], "40/dyn,");
        shards_turn(&s);
        CHECK(strstr(told, "+/;") && strstr(told, "+/dyn;"), "%s", told);
        CHECK(strstr(told, "room /dyn lobby;"), "%s", told);
        CHECK(host->execute(host->self, &q) == SIO_OK, "refused");
        shards_turn(&s);
        CHECK_MATCH(seen, "count 1;complete 0;");
        told[0] = 0;
        sio_stop(s.world.server);
        shards_turn(&s);
        world_hang_up(&s.world, fds[0]);
        for (int i = 0; i < 3; i++) {
            world_advance(&s.world, 20);
            shards_turn(&s);
        }
        CHECK(s.world.server->stopped, "not stopped");
        CHECK(strstr(told, "no room /dyn lobby;"), "%s", told);
        CHECK(strstr(told, "closed;"), "%s", told);
        CHECK(map_count(&s.world.server->hub.cluster->namespaces) == 0, "left");
        CHECK(map_count(&s.world.server->hub.cluster->foreign) == 0, "open");
        told[0] = 0;
        CHECK(sio_listen(s.world.server, "127.0.0.1:0", NULL) == SIO_OK,
              "again");
        shards_turn(&s);
    }
    end();
}

int main(void)
{
    test_forget();
    test_forget_within();
    test_counts();
    test_comes_again();
    test_own_rooms(1);
    test_own_rooms(2);
    test_listens_again(1);
    test_listens_again(2);
    return t_done();
}
