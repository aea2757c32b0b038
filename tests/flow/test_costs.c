/*
 * test_costs.c -- what DESIGN promises to cost, counted: allocations per event,
 * per acknowledgement, per broadcast; bytes per idle client.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sio/sio.h>

#include <time.h>

#include "src/http/exchange.h"
#include "tests/flow/world.h"
#include "tests/unit/oom.h"

#define EVENTS 200
#define MEMBERS 50
#define IDLE 400
#define HOSTILE 10000 /* packets in one POST */

static void on_echo(sio_socket *socket, sio_event *event, void *user)
{
    (void)user;
    if (sio_wants_ack(event))
        sio_ack(event, sio_arg(event, 0));
    else
        sio_emit(socket, "echo", sio_arg(event, 0));
}

static void on_all(sio_socket *socket, sio_event *event, void *user)
{
    (void)user;
    sio_emit(sio_namespace_of(socket), "all", sio_arg(event, 0));
}

static void begin(struct world *w)
{
    sio_namespace *nsp;

    CHECK(world_open(w, NULL), "no server");
    nsp = sio_of(w->server, "/");
    sio_on(nsp, "echo", on_echo, NULL);
    sio_on(nsp, "all", on_all, NULL);
}

static long allocations(long before)
{
    return oom_count() - before;
}

static void end(struct world *w)
{
    world_check_empty(w);
    world_close(w);
}

static void test_events(struct world *w)
{
    static const struct {
        const char *name, *text, *binary;
    } rows[] = {
        { "an event echoed", "42[\"echo\",\"hello\"]", NULL },
        { "an event acknowledged", "421[\"echo\",{\"a\":[1,2,3]}]", NULL },
        { "an event of 1 KiB", NULL, NULL },
    };
    static char large[1100];

    memset(large, 'x', 1040);
    memcpy(large, "42[\"echo\",\"", 11);
    memcpy(large + 1040, "\"]", 3);
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *text = rows[i].text ? rows[i].text : large;
        long before = 0;
        int fd;

        T_CASE("cost: %s: no allocation", rows[i].name);
        begin(w);
        fd = world_client(w);
        for (int n = -5; n < EVENTS; n++) {
            if (n == 0)
                before = oom_count();
            world_send_text(w, fd, text);
            world_frames(w, fd);
        }
        CHECK(allocations(before) == 0, "%ld for %d events",
              allocations(before), EVENTS);
        world_hang_up(w, fd);
        end(w);
    }
}

/* Header and attachment in one read, as clients send them. */
static void test_binary(struct world *w)
{
    static const char both[] =
        "\x81\xaa\0\0\0\0"
        "451-[\"echo\",{\"_placeholder\":true,\"num\":0}]"
        "\x82\x84\0\0\0\0"
        "abcd";
    long before = 0;
    int fd;

    T_CASE("cost: a binary event in one read: no allocation");
    begin(w);
    fd = world_client(w);
    for (int n = -5; n < EVENTS; n++) {
        if (n == 0)
            before = oom_count();
        world_write(w, fd, both, sizeof both - 1);
        CHECK_FRAMES(w, fd,
                     "T:451-[\"echo\",{\"_placeholder\":true,\"num\":0}]|"
                     "B:61626364|");
    }
    CHECK(allocations(before) == 0, "%ld for %d events", allocations(before),
          EVENTS);
    world_hang_up(w, fd);
    end(w);
}

static void test_broadcast(struct world *w)
{
    int fds[MEMBERS];
    long before = 0, few;

    T_CASE("cost: a broadcast allocates the same for 1 and for %d", MEMBERS);
    begin(w);
    fds[0] = world_client(w);
    for (int n = -5; n < EVENTS; n++) {
        if (n == 0)
            before = oom_count();
        world_send_text(w, fds[0], "42[\"all\",1]");
        world_frames(w, fds[0]);
    }
    few = allocations(before);
    for (int i = 1; i < MEMBERS; i++)
        fds[i] = world_client(w);
    for (int n = -5; n < EVENTS; n++) {
        if (n == 0)
            before = oom_count();
        world_send_text(w, fds[0], "42[\"all\",1]");
        for (int i = 0; i < MEMBERS; i++)
            world_frames(w, fds[i]);
    }
    CHECK(allocations(before) == few, "%ld, not %ld", allocations(before), few);
    printf("# %.1f allocations a broadcast\n", (double)few / EVENTS);
    for (int i = 0; i < MEMBERS; i++)
        world_hang_up(w, fds[i]);
    end(w);
}

/* ---------------------------------------------------- what idle ones cost */

/* One more client in "/", which then waits; returns its connection. */
static int idle_websocket(struct world *w)
{
    return world_client(w);
}

static int idle_poll(struct world *w)
{
    char sid[24], query[100];
    int fd;

    CHECK(world_session(w, sid), "no session");
    snprintf(query, sizeof query, "EIO=4&transport=polling&sid=%s", sid);
    world_post(w, query, "40");
    world_get(w, query);
    fd = world_poll(w, sid);
    world_turn(w);
    return fd;
}

/* Bytes of the heap, its own overhead included; what grows in steps, like the
 * tables of the maps, is spread over the clients. Many more, with TLS and with
 * what libevent has: make bench-memory. */
static void test_idle(struct world *w)
{
    static const struct {
        const char *name;
        int (*join)(struct world *w);
        size_t most;
    } rows[] = {
        { "WebSocket", idle_websocket, 1280 },
        { "long-polling", idle_poll, 2096 },
    };
    static int fds[IDLE];

    for (size_t i = 0; i < COUNT(rows); i++) {
        size_t before, each;

        T_CASE("cost: an idle client of %s: at most %zu bytes", rows[i].name,
               rows[i].most);
        begin(w);
        for (int n = 0; n < IDLE / 2; n++)
            fds[n] = rows[i].join(w);
        world_advance(w, 2 * HTTP_PARK_MS);
        before = world_memory();
        for (int n = IDLE / 2; n < IDLE; n++)
            fds[n] = rows[i].join(w);
        world_advance(w, 2 * HTTP_PARK_MS);
        each = (world_memory() - before) / (IDLE / 2);
        printf("# %zu bytes\n", each);
        CHECK(each <= rows[i].most, "%zu bytes", each);
        for (int n = 0; n < IDLE; n++)
            world_hang_up(w, fds[n]);
        end(w);
    }
}

/* -------------------------------------------- what hostile clients may cost */

static void on_reply(int error, sio_event *answers, void *user)
{
    (void)error;
    (void)answers;
    (void)user;
}

static void on_ask(sio_socket *socket, sio_event *event, void *user)
{
    int64_t count = 0;

    (void)user;
    sio_arg_int(event, 0, &count);
    while (count-- > 0)
        sio_emit_ack(socket, on_reply, NULL, "q");
}

/* Of this process alone, so that other programs do not count. */
static double cpu_seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* A POST of HOSTILE packets; the last of `head` is its number. */
static double post_packets(struct world *w, const char *query, const char *head,
                           const char *tail)
{
    static char body[HOSTILE * 32];
    size_t n = 0;
    double before;

    for (int i = 0; i < HOSTILE; i++)
        n += (size_t)snprintf(body + n, sizeof body - n, "%s%s%d%s",
                              i ? "\x1e" : "", head, 1000000 + i, tail);
    before = cpu_seconds();
    CHECK_MATCH(world_post(w, query, body), "ok");
    return cpu_seconds() - before;
}

static void test_unknown_answers(struct world *w)
{
    static const char *const asks[] = { "42[\"ask\",1]", "42[\"ask\",20000]" };
    char sid[24], query[100];
    double took[2];

    T_CASE("cost: answers to nothing, while 1 or 20000 questions are open");
    for (size_t i = 0; i < COUNT(asks); i++) {
        begin(w);
        sio_on(sio_of(w->server, "/"), "ask", on_ask, NULL);
        CHECK(world_session(w, sid), "no session");
        snprintf(query, sizeof query, "EIO=4&transport=polling&sid=%s", sid);
        world_post(w, query, "40");
        world_post(w, query, asks[i]);
        took[i] = post_packets(w, query, "43", "[]");
        world_post(w, query, "1");
        end(w);
    }
    CHECK(took[1] < 10 * took[0] + 0.05, "%.3f s and %.3f s", took[0], took[1]);
}

static void on_join(sio_socket *socket, sio_event *event, void *user)
{
    const char *room;

    (void)user;
    if (sio_arg_string(event, 0, &room, NULL) == SIO_OK)
        sio_join(socket, room);
}

static void test_many_rooms(struct world *w)
{
    char sid[24], query[100];
    double once, new, again;

    T_CASE("cost: joining %d rooms, and again, when in all of them", HOSTILE);
    begin(w);
    sio_on(sio_of(w->server, "/"), "join", on_join, NULL);
    CHECK(world_session(w, sid), "no session");
    snprintf(query, sizeof query, "EIO=4&transport=polling&sid=%s", sid);
    world_post(w, query, "40");
    once = post_packets(w, query, "42[\"join\",\"one\",", "]");
    new = post_packets(w, query, "42[\"join\",\"", "\"]");
    again = post_packets(w, query, "42[\"join\",\"", "\"]");
    CHECK(new < 10 * once + 0.05, "%.3f s, not %.3f s", new, once);
    CHECK(again < 10 * once + 0.05, "%.3f s, not %.3f s", again, once);
    world_post(w, query, "1");
    end(w);
}

int main(void)
{
    static struct world w;

    test_events(&w);
    test_binary(&w);
    test_broadcast(&w);
    test_idle(&w);
    test_unknown_answers(&w);
    test_many_rooms(&w);
    return t_done();
}
