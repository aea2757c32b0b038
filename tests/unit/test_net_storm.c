/*
 * test_net_storm.c -- connections that do to themselves and to each other
 * whatever can be done, in every callback: what each is sent arrives whole, in
 * order and once, ends are told once, and nothing is left.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/net/conn.h"
#include "src/net/loop.h"
#include "tests/unit/test.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNS 60
#define TURNS 40
#define STORMS 60

struct client {
    struct net_conn *conn; /* NULL: it is over for us */
    struct net_task task;
    int peer;
    uint8_t sent, got; /* the next byte */
    bool whole;        /* it was neither closed nor failed by anybody */
    int ends;
};

static struct net_loop loop;
static struct client clients[CONNS];
static unsigned seed;
static int depth;
static bool breaks; /* the loop is left amid a turn */

static unsigned roll(unsigned n)
{
    seed = seed * 1103515245u + 12345u;
    return (seed >> 16) % n;
}

static void send_some(struct client *c)
{
    uint8_t bytes[300];
    size_t n = 1 + roll(roll(8) ? 20 : sizeof bytes);

    if (!c->conn || c->conn->failed || c->conn->closed)
        return;
    for (size_t i = 0; i < n; i++)
        bytes[i] = c->sent++;
    net_conn_append(c->conn, bytes, n);
}

static void leave(struct client *c, bool whole)
{
    c->conn = NULL;
    c->whole = c->whole && whole;
    net_task_cancel(&c->task);
}

static void act(struct client *c)
{
    struct net_conn *conn = c->conn;

    if (!conn)
        return;
    switch (roll(24)) {
    case 0:
        leave(c, false);
        net_conn_close(conn);
        break;
    case 1:
        leave(c, !conn->failed);
        net_conn_finish(conn, 60000);
        break;
    case 2:
        c->whole = false;
        net_conn_fail(conn, NET_CLOSE_RESET);
        break;
    case 3:
    case 4:
        net_conn_pause(conn);
        break;
    case 5:
    case 6:
    case 7:
        net_conn_resume(conn);
        break;
    case 8:
    case 9:
        net_task_schedule(&loop, &c->task);
        break;
    default:
        send_some(c);
    }
}

static void act_somehow(struct client *c)
{
    if (depth > 2)
        return;
    depth++;
    if (roll(3))
        send_some(c);
    while (roll(8) == 0)
        act(roll(2) ? c : &clients[roll(CONNS)]);
    if (breaks && roll(20) == 0)
        event_base_loopbreak(loop.base);
    depth--;
}

static void on_task(struct net_task *task)
{
    act_somehow(container_of(task, struct client, task));
}

static size_t on_data(void *self, uint8_t *data, size_t len)
{
    (void)data;
    act_somehow(self);
    return len;
}

static void on_closed(void *self, enum net_close_reason why)
{
    struct client *c = self;

    (void)why;
    CHECK(c->conn, "an end of one that has left");
    c->ends++;
    leave(c, false);
    act_somehow(&clients[roll(CONNS)]);
}

static void on_drained(void *self)
{
    struct client *c = self;

    CHECK(c->conn && c->conn->queued == 0 && !c->conn->failed, "not drained");
    if (roll(3) == 0)
        act_somehow(c);
}

static const struct net_conn_ops ops = { .on_data = on_data,
                                         .on_closed = on_closed,
                                         .on_drained = on_drained };

static void read_peer(struct client *c)
{
    uint8_t got[4096];
    ssize_t n;

    while ((n = recv(c->peer, got, sizeof got, MSG_DONTWAIT)) > 0)
        for (ssize_t i = 0; i < n; i++)
            CHECK(got[i] == c->got++, "another byte");
}

static void begin(void)
{
    struct net_address nobody = { 0 };
    int small = 4096;

    CHECK(net_loop_init(&loop, &(struct net_loop_config){ 0 }) == SIO_OK,
          "no loop");
    for (size_t i = 0; i < CONNS; i++) {
        struct client *c = &clients[i];
        int fds[2];

        CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0,
              "no sockets");
        setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
        *c = (struct client){ .peer = fds[1], .whole = true };
        net_task_init(&c->task, on_task);
        CHECK(net_conn_open(&loop, fds[0], &nobody, 100000, &ops, c,
                            &c->conn) == SIO_OK,
              "not opened");
    }
}

static void speak(void)
{
    for (size_t i = 0; i < CONNS; i++) {
        struct client *c = &clients[i];

        if (roll(2))
            (void)!write(c->peer, "x", 1);
        if (roll(200) == 0)
            shutdown(c->peer, SHUT_WR);
        if (roll(200) == 0) {
            shutdown(c->peer, SHUT_RDWR);
            c->whole = false;
        }
        if (roll(3))
            read_peer(c);
    }
}

static void end(void)
{
    bool abrupt = roll(2);

    for (size_t i = 0; !abrupt && i < CONNS; i++) {
        struct client *c = &clients[i];

        if (c->conn)
            net_conn_resume(c->conn);
    }
    for (int n = 0; !abrupt && n < 50; n++) {
        depth = 3; /* nothing new */
        net_loop_poll(&loop);
        for (size_t i = 0; i < CONNS; i++)
            read_peer(&clients[i]);
    }
    for (size_t i = 0; !abrupt && i < CONNS; i++)
        CHECK(!clients[i].whole || clients[i].got == clients[i].sent,
              "%zu: not all has come", i);
    depth = 3;
    for (size_t i = 0; i < CONNS; i++) {
        struct client *c = &clients[i];
        struct net_conn *conn = c->conn;

        CHECK(c->ends <= 1, "%d ends", c->ends);
        if (!conn)
            continue;
        leave(c, false);
        if (roll(2))
            net_conn_close(conn);
        else
            net_conn_finish(conn, 60000);
    }
    net_loop_destroy(&loop);
    CHECK(loop.conn_count == 0, "%zu left", loop.conn_count);
    CHECK(loop.queued_bytes == 0, "%zu bytes left", loop.queued_bytes);
    CHECK(loop.chunk_count == 0, "%zu chunks left", loop.chunk_count);
    for (size_t i = 0; i < CONNS; i++)
        close(clients[i].peer);
    depth = 0;
}

int main(int argc, char **argv)
{
    unsigned storms = argc > 1 ? (unsigned)atoi(argv[1]) : STORMS;

    signal(SIGPIPE, SIG_IGN); /* of the peers */
    T_CASE("storm: whatever is done in whichever callback");
    for (unsigned i = 1; i <= storms; i++) {
        seed = i;
        begin();
        for (int turn = 0; turn < TURNS; turn++) {
            speak();
            if (turn + 1 < TURNS && roll(8)) {
                net_loop_poll(&loop);
            } else {
                breaks = true;
                net_loop_attach(&loop);
                event_base_loop(loop.base, EVLOOP_NONBLOCK | EVLOOP_ONCE);
                breaks = false;
            }
        }
        end();
    }
    return t_done();
}
