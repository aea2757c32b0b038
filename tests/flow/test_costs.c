/*
 * test_costs.c -- what DESIGN promises to cost, counted: allocations per event,
 * per acknowledgement, per broadcast.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sio/sio.h>

#include "tests/flow/world.h"
#include "tests/unit/oom.h"

#define EVENTS 200
#define MEMBERS 50

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

int main(void)
{
    static struct world w;

    test_events(&w);
    test_binary(&w);
    test_broadcast(&w);
    return t_done();
}
