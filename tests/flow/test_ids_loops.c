/*
 * test_ids_loops.c -- session ids that the program makes, on several loops: a
 * request finds its session from whichever loop it arrives at.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sio/sio.h>

#include "tests/flow/shards.h"
#include "tests/unit/oom.h"

static struct shards s;
static const char *id;

static void make_id(sio_handshake *handshake, void *user)
{
    (void)user;
    sio_give_id(handshake, id);
}

static sio_socket *present;

static void on_present(sio_socket *socket, void *user)
{
    (void)user;
    present = socket;
}

/* Who comes again, perhaps while he is still there, gets the same id. */
static void make_again(sio_handshake *handshake, void *user)
{
    (void)user;
    if (present)
        sio_disconnect(present, true);
    present = NULL;
    sio_give_id(handshake, "mine");
}

static void on_hello(sio_socket *socket, sio_event *event, void *user)
{
    (void)event, (void)user;
    sio_emit(socket, "hello", sio_string("you"));
}

static void open_server(const char *next)
{
    sio_options o;

    id = next;
    sio_options_init(&o);
    o.generate_id = make_id;
    CHECK(shards_open(&s, 3, &o), "no server");
    sio_on(sio_of(s.world.server, "/"), "hello", on_hello, NULL);
}

/* All connections arrive at this loop from now on. */
static void from(size_t loop)
{
    shards_turn(&s);
    s.chosen = loop;
}

static void close_server(void)
{
    from(0);
    world_advance(&s.world, 60000);
    shards_close(&s);
}

static size_t sessions_of(size_t loop)
{
    return map_count(&s.world.server->hub.shards[loop].engine.sessions);
}

#define LONGEST \
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-."

static void test_found(void)
{
    static const char *const good[] = { "a", "my-own_id.1~", LONGEST,
                                        "12345678901234567890" };

    for (size_t i = 0; i < COUNT(good); i++) {
        char query[256], want[256];

        T_CASE("E23: %s is found from every loop", good[i]);
        open_server(good[i]);
        from(1);
        snprintf(want, sizeof want, "0{\"sid\":\"%s\",*", good[i]);
        CHECK_MATCH(world_get(&s.world, "EIO=4&transport=polling"), want);
        snprintf(query, sizeof query, "EIO=4&transport=polling&sid=%s",
                 good[i]);
        from(2);
        CHECK_MATCH(world_post(&s.world, query, "40"), "ok");
        from(0);
        CHECK_MATCH(world_get(&s.world, query), "40{\"sid\":*");
        CHECK_MATCH(world_post(&s.world, query, "42[\"hello\"]"), "ok");
        from(2);
        CHECK_MATCH(world_get(&s.world, query), "42[\"hello\",\"you\"]");
        CHECK(sessions_of(1) == 1, "it is elsewhere");
        close_server();
    }
}

static void test_unknown(void)
{
    const char *query = "EIO=4&transport=polling&sid=mine";

    T_CASE("E23: one that is taken by a session of another loop is refused");
    open_server("mine");
    from(1);
    CHECK_MATCH(world_get(&s.world, "EIO=4&transport=polling"), "0{*");
    from(2);
    CHECK_MATCH(world_get(&s.world, "EIO=4&transport=polling"),
                "{\"code\":3,*");
    T_CASE("E23: and may be given again when that session is over");
    CHECK_MATCH(world_post(&s.world, query, "1"), "ok");
    shards_turn(&s);
    CHECK_MATCH(world_post(&s.world, query, "40"), "*Session ID unknown*");
    CHECK_MATCH(world_get(&s.world, "EIO=4&transport=polling"), "0{*");
    CHECK_MATCH(world_post(&s.world, query, "40"), "ok");
    T_CASE("E23: others are unknown, however long");
    CHECK_MATCH(world_post(&s.world, "EIO=4&transport=polling&sid=min", "4"),
                "*Session ID unknown*");
    CHECK_MATCH(world_post(&s.world,
                           "EIO=4&transport=polling&sid=" LONGEST LONGEST, "4"),
                "*Session ID unknown*");
    close_server();
}

static void test_again(void)
{
    for (size_t loops = 1; loops <= 3; loops += 2) {
        int fds[3];
        sio_options o;

        T_CASE("E23: an id is free as soon as its session is closed, %zu loops",
               loops);
        sio_options_init(&o);
        o.generate_id = make_again;
        CHECK(shards_open(&s, loops, &o), "no server");
        sio_on_connection(sio_of(s.world.server, "/"), on_present, NULL);
        for (size_t i = 0; i < COUNT(fds); i++) {
            fds[i] = shards_client(&s, loops / 2);
            CHECK(present, "number %zu is not connected", i);
        }
        present = NULL;
        for (size_t i = 0; i < COUNT(fds); i++)
            world_hang_up(&s.world, fds[i]);
        close_server();
    }
}

static void test_oom(void)
{
    T_CASE("E23: every allocation fails once: a session has the id, or it is "
           "free");
    for (long n = 0; n < 1000; n++) {
        bool failed;

        open_server("mine");
        from(1);
        oom_arm(n);
        world_get(&s.world, "EIO=4&transport=polling");
        failed = oom_disarm();
        from(2);
        CHECK_MATCH(world_get(&s.world, "EIO=4&transport=polling"),
                    sessions_of(1) ? "{\"code\":3,*" : "0{*");
        close_server();
        if (!failed) {
            CHECK(n > 5, "only %ld allocations", n);
            break;
        }
    }
}

int main(void)
{
    test_found();
    test_unknown();
    test_again();
    test_oom();
    return t_done();
}
