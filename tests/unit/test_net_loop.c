/*
 * test_net_loop.c -- the order of a turn, and the mailbox between threads.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/net/loop.h"
#include "tests/unit/oom.h"
#include "tests/unit/test.h"

#include <stdlib.h>

static struct net_loop loop;
static char order[100];

static void note(char name)
{
    size_t n = strlen(order);

    if (n < sizeof order - 1)
        order[n] = name;
}

static void begin(void)
{
    memset(order, 0, sizeof order);
    CHECK(net_loop_init(&loop, &(struct net_loop_config){ 0 }) == SIO_OK,
          "no loop");
}

/* ------------------------------------------------------------------ turns */

static struct net_task first, second;
static struct net_deferred late, later;

static void on_later(struct net_deferred *d)
{
    (void)d;
    note('4');
}

static void on_late(struct net_deferred *d)
{
    (void)d;
    note('3');
    net_defer(&loop, &later, on_later);
}

static void on_second(struct net_task *t)
{
    (void)t;
    note('2');
}

static void on_first(struct net_task *t)
{
    (void)t;
    note('1');
    net_defer(&loop, &late, on_late);
    net_task_schedule(&loop, &second);
}

static void test_tail(void)
{
    T_CASE("tail: tasks, those that they schedule, then what is deferred");
    begin();
    net_task_init(&first, on_first);
    net_task_init(&second, on_second);
    net_task_schedule(&loop, &first);
    net_task_schedule(&loop, &first);
    net_loop_poll(&loop);
    CHECK(strcmp(order, "1234") == 0, "got %s", order);

    T_CASE("tail: a cancelled task does not run");
    net_task_schedule(&loop, &second);
    net_task_cancel(&second);
    net_task_cancel(&second);
    net_loop_poll(&loop);
    CHECK(strcmp(order, "1234") == 0, "got %s", order);
    net_loop_destroy(&loop);
}

static int rounds;

static void on_endless(struct net_task *t)
{
    rounds++;
    net_task_schedule(&loop, t);
}

static void test_endless(void)
{
    int before;

    T_CASE("tail: a task that never ends lets the loop turn");
    begin();
    net_task_init(&first, on_endless);
    net_task_schedule(&loop, &first);
    net_loop_poll(&loop);
    before = rounds;
    CHECK(before > 0 && before < 100, "%d rounds", before);
    for (int i = 0; i < 3; i++)
        net_loop_poll(&loop);
    CHECK(rounds > before, "forgotten");
    net_task_cancel(&first);
    net_loop_destroy(&loop);
}

/* ------------------------------------------------------------------- mail */

struct letter {
    struct net_mail mail;
    int thread, number;
};

static void on_letter(struct net_mail *mail)
{
    note((char)('a' + container_of(mail, struct letter, mail)->number));
}

static void test_mail(void)
{
    struct letter letters[3];

    T_CASE("mail: in the order of posting");
    begin();
    for (int i = 0; i < 3; i++) {
        letters[i] = (struct letter){ .mail.run = on_letter, .number = i };
        net_post(&loop, &letters[i].mail);
    }
    CHECK(order[0] == 0, "ran at once");
    net_loop_poll(&loop);
    CHECK(strcmp(order, "abc") == 0, "got %s", order);

    T_CASE("mail: what was not delivered is when the loop is destroyed");
    net_post(&loop, &letters[1].mail);
    net_loop_destroy(&loop);
    CHECK(strcmp(order, "abcb") == 0, "got %s", order);
}

#define THREADS 4
#define LETTERS 2000 /* of each */

static int next_of[THREADS], received, out_of_order, elsewhere;

static void on_threaded(struct net_mail *mail)
{
    struct letter *l = container_of(mail, struct letter, mail);

    if (l->number != next_of[l->thread]++)
        out_of_order++;
    if (!net_loop_is_current(&loop))
        elsewhere++;
    free(l);
    if (++received == THREADS * LETTERS)
        net_loop_stop(&loop);
}

static void *writer(void *arg)
{
    int thread = *(int *)arg;

    for (int i = 0; i < LETTERS; i++) {
        struct letter *l = malloc(sizeof *l);

        *l = (struct letter){ { NULL, on_threaded }, thread, i };
        net_post(&loop, &l->mail);
    }
    return NULL;
}

static void test_threads(void)
{
    pthread_t threads[THREADS];
    int ids[THREADS];

    T_CASE("mail: %d threads, none lost, each one's in its order", THREADS);
    begin();
    for (int i = 0; i < THREADS; i++) {
        ids[i] = i;
        pthread_create(&threads[i], NULL, writer, &ids[i]);
    }
    CHECK(net_loop_run(&loop) == SIO_OK, "run");
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    CHECK(received == THREADS * LETTERS, "%d received", received);
    CHECK(out_of_order == 0, "%d out of order", out_of_order);
    CHECK(elsewhere == 0, "%d on another thread", elsewhere);
    net_loop_destroy(&loop);
}

static void *stopper(void *arg)
{
    net_loop_stop(arg);
    return NULL;
}

static void test_stop(void)
{
    pthread_t thread;

    T_CASE("stop: from another thread, before or after the loop runs");
    begin();
    pthread_create(&thread, NULL, stopper, &loop);
    CHECK(net_loop_run(&loop) == SIO_OK, "run");
    pthread_join(thread, NULL);

    T_CASE("stop: a turn in between does not lose it");
    net_loop_stop(&loop);
    net_loop_poll(&loop);
    CHECK(net_loop_run(&loop) == SIO_OK, "run");
    net_loop_destroy(&loop);
}

static void test_borrowed(void)
{
    struct event_base *base = event_base_new();
    struct letter l = { .mail.run = on_letter };

    T_CASE("a borrowed base: runs on it, leaves it alone");
    memset(order, 0, sizeof order);
    CHECK(net_loop_init(&loop, &(struct net_loop_config){ .base = base }) ==
              SIO_OK,
          "no loop");
    net_post(&loop, &l.mail);
    event_base_loop(base, EVLOOP_NONBLOCK);
    CHECK(strcmp(order, "a") == 0, "got %s", order);
    net_loop_destroy(&loop);
    event_base_loop(base, EVLOOP_NONBLOCK);
    event_base_free(base);
}

static bool was_current;

static void on_current(struct net_mail *mail)
{
    (void)mail;
    was_current = net_loop_is_current(&loop);
}

static void *run_base(void *base)
{
    event_base_loop(base, EVLOOP_NONBLOCK);
    return NULL;
}

static void test_borrowed_elsewhere(void)
{
    struct event_base *base = event_base_new();
    struct net_mail mail = { .run = on_current };
    pthread_t thread;

    T_CASE("a borrowed base: the loop is the thread's that runs it");
    CHECK(net_loop_init(&loop, &(struct net_loop_config){ .base = base }) ==
              SIO_OK,
          "no loop");
    CHECK(net_loop_is_current(&loop), "not of the thread that made it");
    was_current = false;
    net_post(&loop, &mail);
    pthread_create(&thread, NULL, run_base, base);
    pthread_join(thread, NULL);
    CHECK(was_current, "not of the thread that runs it");
    CHECK(!net_loop_is_current(&loop), "still of the one that made it");
    net_loop_deliver(&loop);
    CHECK(net_loop_is_current(&loop), "not of the one that ends it");
    net_loop_destroy(&loop);
    event_base_free(base);
}

static void test_no_memory(void)
{
    T_CASE("init: out of memory is a result");
    oom_arm(0);
    CHECK(net_loop_init(&loop, &(struct net_loop_config){ 0 }) == SIO_E_NOMEM,
          "made a loop");
    oom_disarm();
}

int main(void)
{
    test_tail();
    test_endless();
    test_mail();
    test_threads();
    test_stop();
    test_borrowed();
    test_borrowed_elsewhere();
    test_no_memory();
    return t_done();
}
