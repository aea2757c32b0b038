/*
 * test_net_answers.c -- connections whose input was answered are written to in
 * small groups; whatever touches others waits for the tail of the turn.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/net/conn.h"
#include "src/net/loop.h"
#include "tests/unit/test.h"

#include <sys/socket.h>
#include <unistd.h>

#define CONNS (NET_ANSWERS + 4)

struct client {
    struct net_conn *conn; /* NULL: it has ended */
    int peer;
    int drained;
};

static struct net_loop loop;
static struct client clients[CONNS];
static size_t heard; /* whose input came, in this turn */

/* What happens besides the answer, at the input of number `at`. */
static size_t at;
static void (*besides)(struct client *who);

static char order[100]; /* of what is told */

/* How many of them have got something that they had not yet looked at. */
static size_t answered(void)
{
    size_t n = 0;
    char got[100];

    for (size_t i = 0; i < CONNS; i++)
        n += recv(clients[i].peer, got, sizeof got, MSG_DONTWAIT) > 0;
    return n;
}

static size_t on_data(void *self, uint8_t *data, size_t len)
{
    struct client *who = self;

    net_conn_append(who->conn, data, len);
    if (heard == at && besides)
        besides(who);
    heard++;
    return len;
}

static void on_closed(void *self, enum net_close_reason why)
{
    struct client *who = self;

    (void)why;
    who->conn = NULL;
    strcat(order, "closed ");
}

static void on_drained(void *self)
{
    struct client *who = self;

    who->drained++;
}

static const struct net_conn_ops ops = { .on_data = on_data,
                                         .on_closed = on_closed,
                                         .on_drained = on_drained };

static void begin(size_t when, void (*what)(struct client *who))
{
    struct net_loop_config config = { 0 };
    struct net_address nobody = { 0 };

    CHECK(net_loop_init(&loop, &config) == SIO_OK, "no loop");
    for (size_t i = 0; i < CONNS; i++) {
        struct client *who = &clients[i];
        int fds[2];

        CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0,
              "no sockets");
        *who = (struct client){ .peer = fds[1] };
        CHECK(net_conn_open(&loop, fds[0], &nobody, 1000, &ops, who,
                            &who->conn) == SIO_OK,
              "not opened");
    }
    net_loop_poll(&loop);
    heard = 0;
    at = when;
    besides = what;
    order[0] = 0;
    for (size_t i = 0; i < CONNS; i++)
        CHECK(write(clients[i].peer, "x", 1) == 1, "not written");
}

static void end(void)
{
    for (size_t i = 0; i < CONNS; i++)
        if (clients[i].conn)
            net_conn_close(clients[i].conn);
    net_loop_poll(&loop);
    CHECK(loop.queued_bytes == 0, "%zu bytes left", loop.queued_bytes);
    CHECK(loop.chunk_count == 0, "%zu chunks left", loop.chunk_count);
    net_loop_destroy(&loop);
    for (size_t i = 0; i < CONNS; i++)
        close(clients[i].peer);
}

static void expect_answers(struct client *who)
{
    size_t all = heard < NET_ANSWERS ? 0 : NET_ANSWERS;
    size_t n = answered();

    (void)who;
    CHECK(n == all, "%zu answered, want %zu", n, all);
}

static void test_groups(void)
{
    T_CASE("answers: none before so many have been heard");
    begin(NET_ANSWERS - 1, expect_answers);
    net_loop_poll(&loop);
    CHECK(heard == CONNS, "%zu heard", heard);
    end();

    T_CASE("answers: then all of them, before the tail");
    begin(NET_ANSWERS, expect_answers);
    net_loop_poll(&loop);
    CHECK(answered() == CONNS - NET_ANSWERS, "the rest at the tail");
    for (size_t i = 0; i < CONNS; i++)
        CHECK(clients[i].drained == 1, "%zu: told %d times", i,
              clients[i].drained);
    end();
}

static struct net_task task;
static size_t others; /* answered when it was looked */

static void look(struct net_task *t)
{
    (void)t;
    others = answered();
    strcat(order, "task ");
}

/* Each that is heard tells another one. */
static void tell_other(struct client *who)
{
    struct client *other = &clients[who == clients ? 1 : 0];

    at++;
    net_conn_append(other->conn, "y", 1);
}

static void test_others(void)
{
    T_CASE("answers: who tells others is written to at the tail");
    begin(0, tell_other);
    net_task_init(&task, look);
    net_task_schedule(&loop, &task);
    net_loop_poll(&loop);
    CHECK(others == 0, "%zu have something before the tail", others);
    CHECK(answered() == CONNS, "and all after it");
    CHECK(clients[0].drained == 1, "told %d times", clients[0].drained);
    end();
}

static void schedule(struct client *who)
{
    (void)who;
    net_task_schedule(&loop, &task);
}

static void test_tasks(void)
{
    T_CASE("answers: who has a task is written to after it");
    begin(0, schedule);
    net_task_init(&task, look);
    net_loop_poll(&loop);
    CHECK(others == NET_ANSWERS, "%zu of them before the task", others);
    CHECK(answered() == CONNS - NET_ANSWERS, "the others after it");
    end();
}

static void fail_first(struct client *who)
{
    (void)who;
    net_conn_fail(clients[0].conn, NET_CLOSE_OVERFLOW);
    net_task_schedule(&loop, &task);
}

static void finish_first(struct client *who)
{
    (void)who;
    net_conn_finish(clients[0].conn, 1000);
    clients[0].conn = NULL;
}

static void close_first(struct client *who)
{
    (void)who;
    net_conn_close(clients[0].conn);
    clients[0].conn = NULL;
}

static void test_ends(void)
{
    T_CASE("answers: one that fails meanwhile is told so at the tail");
    begin(1, fail_first);
    net_task_init(&task, look);
    net_loop_poll(&loop);
    CHECK(strcmp(order, "task closed ") == 0, "order: %s", order);
    CHECK(clients[0].drained == 0, "it was told to be drained");
    end();

    T_CASE("answers: one that has been finished still gets its answer");
    begin(1, finish_first);
    net_loop_poll(&loop);
    CHECK(answered() == CONNS, "not all answered");
    end();

    T_CASE("answers: one that is closed meanwhile gets none");
    begin(1, close_first);
    net_loop_poll(&loop);
    CHECK(answered() == CONNS - 1, "all others are answered");
    end();

    T_CASE("answers: one whose peer has gone fails at the tail");
    begin(CONNS, NULL);
    close(clients[0].peer);
    clients[0].peer = -1;
    net_loop_poll(&loop);
    CHECK(answered() == CONNS - 1, "all others are answered");
    CHECK(strcmp(order, "closed ") == 0, "order: %s", order);
    end();
}

static char ends[CONNS + 1];

static void on_end_noted(void *self, enum net_close_reason why)
{
    struct client *who = self;

    (void)why;
    who->conn = NULL;
    ends[strlen(ends)] = (char)('0' + (who - clients));
}

static size_t tell_third(void *self, uint8_t *data, size_t len)
{
    (void)self;
    net_conn_append(clients[2].conn, data, len);
    return len;
}

static const struct net_conn_ops noting = { .on_data = tell_third,
                                            .on_closed = on_end_noted };

static void test_order_of_ends(void)
{
    T_CASE("answers: ends are told in the order in which they came");
    begin(CONNS, NULL);
    net_loop_poll(&loop);
    answered();
    memset(ends, 0, sizeof ends);
    for (size_t i = 0; i < 3; i++)
        net_conn_set_ops(clients[i].conn, &noting, &clients[i]);
    CHECK(shutdown(clients[0].peer, SHUT_WR) == 0, "no end");
    CHECK(write(clients[1].peer, "x", 1) == 1, "not written");
    CHECK(shutdown(clients[2].peer, SHUT_WR) == 0, "no end");
    net_loop_poll(&loop);
    CHECK(strcmp(ends, "02") == 0, "order: %s", ends);
    end();
}

static void break_off(struct client *who)
{
    (void)who;
    event_base_loopbreak(loop.base);
}

static void test_destroyed(void)
{
    T_CASE("answers: one that has been finished is closed with its loop");
    begin(0, break_off);
    net_loop_attach(&loop);
    event_base_loop(loop.base, EVLOOP_NONBLOCK | EVLOOP_ONCE);
    CHECK(heard == 1, "%zu heard", heard);
    for (size_t i = 0; i < CONNS; i++)
        if (!list_empty(&clients[i].conn->dirty))
            net_conn_finish(clients[i].conn, 1000);
        else
            net_conn_close(clients[i].conn);
    net_loop_destroy(&loop);
    CHECK(loop.conn_count == 0, "%zu are left", loop.conn_count);
    for (size_t i = 0; i < CONNS; i++)
        close(clients[i].peer);
}

int main(void)
{
    test_groups();
    test_others();
    test_tasks();
    test_ends();
    test_order_of_ends();
    test_destroyed();
    return t_done();
}
