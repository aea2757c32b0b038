/*
 * test_fair.c -- an event for very many clients does not hold the loop: others
 * are heard and answered before all of them have been written to.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sio/sio.h>

#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/flow/world.h"

#define CLIENTS 2400

static struct world w;
static int fds[CLIENTS];

static void on_say(sio_socket *socket, sio_event *event, void *user)
{
    (void)event, (void)user;
    sio_emit(sio_namespace_of(socket), "said");
}

static void on_echo(sio_socket *socket, sio_event *event, void *user)
{
    (void)event, (void)user;
    sio_emit(socket, "echo");
}

static bool begin(void)
{
    struct rlimit r;
    sio_namespace *nsp;

    getrlimit(RLIMIT_NOFILE, &r);
    r.rlim_cur = r.rlim_max;
    setrlimit(RLIMIT_NOFILE, &r);
    if (r.rlim_cur < 2 * CLIENTS + 50)
        return false;
    CHECK(world_open(&w, NULL), "no server");
    nsp = sio_of(w.server, "/");
    sio_on(nsp, "say", on_say, NULL);
    sio_on(nsp, "echo", on_echo, NULL);
    for (int i = 0; i < CLIENTS; i++)
        fds[i] = world_client(&w);
    return true;
}

static void end(void)
{
    for (int i = 0; i < CLIENTS; i++)
        world_hang_up(&w, fds[i]);
    world_turn(&w);
    world_check_empty(&w);
    world_close(&w);
}

static int bytes_at(int i)
{
    int n = 0;

    ioctl(fds[i], FIONREAD, &n);
    return n;
}

/* How many have got something that they have not read. */
static int reached(void)
{
    int n = 0;

    for (int i = 0; i < CLIENTS; i++)
        n += bytes_at(i) > 0;
    return n;
}

/* Of a client, with the mask of zeros that is no mask. */
static void write_event(int i, const char *text)
{
    unsigned char frame[64] = { 0x81 };
    size_t n = strlen(text);

    frame[1] = (unsigned char)(0x80 | n);
    memcpy(frame + 6, text, n);
    CHECK(write(fds[i], frame, n + 6) == (ssize_t)n + 6, "not written");
}

static void test_turns(void)
{
    const int last = CLIENTS - 1;
    int before, turns = 0;

    T_CASE("a broadcast to very many is written in several turns");
    if (!begin()) {
        printf("# skipped: too few descriptors are allowed\n");
        return;
    }
    write_event(0, "42[\"say\"]");
    net_loop_poll(&w.server->main.loop);
    before = reached();
    CHECK(before > 0 && before < CLIENTS / 2, "%d in the first turn", before);

    T_CASE(
        "an event of a client that has to wait for it is answered meanwhile");
    CHECK(bytes_at(last) == 0, "the last one is among the first");
    write_event(last, "42[\"echo\"]");
    net_loop_poll(&w.server->main.loop);
    CHECK(reached() < CLIENTS, "nobody waits any more");
    CHECK_FRAMES(&w, fds[last], "T:42[\"said\"]|T:42[\"echo\"]|");

    T_CASE("all of them get it, once, in not so many turns");
    world_turn(&w);
    while (reached() < last && turns++ < 20)
        net_loop_poll(&w.server->main.loop);
    for (int i = 0; i < last; i++)
        CHECK_FRAMES(&w, fds[i], "T:42[\"said\"]|");
    CHECK_FRAMES(&w, fds[last], "");

    T_CASE("clients that go while they wait for it");
    write_event(0, "42[\"say\"]");
    net_loop_poll(&w.server->main.loop);
    end();
}

int main(void)
{
    test_turns();
    return t_done();
}
