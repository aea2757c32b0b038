/*
 * test_net_timer.c -- queues and alarms under a clock that is moved by hand.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/net/loop.h"
#include "tests/unit/oom.h"
#include "tests/unit/test.h"

static uint64_t now;
static char order[200]; /* the names of what fired */
static struct net_loop loop;

static uint64_t fake_clock(void *self)
{
    (void)self;
    return now;
}

struct named {
    struct net_timer timer;
    struct net_alarm alarm;
    char name;
};

static void note(char name)
{
    size_t n = strlen(order);

    if (n < sizeof order - 1)
        order[n] = name;
}

static void on_timer(struct net_timer *t)
{
    note(container_of(t, struct named, timer)->name);
}

static void on_alarm(struct net_alarm *a)
{
    note(container_of(a, struct named, alarm)->name);
}

static struct net_timer_queue again_queue;

static void on_again(struct net_timer *t)
{
    note('.');
    net_timer_start(&again_queue, t);
}

static void on_alarm_again(struct net_alarm *a)
{
    note('.');
    net_alarm_start(&loop, a, 0);
}

static void name_it(struct named *t, char name)
{
    net_timer_init(&t->timer);
    net_alarm_init(&t->alarm, on_alarm);
    t->name = name;
}

static void begin(void)
{
    struct net_loop_config config = { .clock = fake_clock };

    now = 1000;
    memset(order, 0, sizeof order);
    CHECK(net_loop_init(&loop, &config) == SIO_OK, "no loop");
}

/* Go to `ms` after the beginning; what fires is added to `order`. */
static void at(uint64_t ms)
{
    now = 1000 + ms;
    net_loop_poll(&loop);
}

static void check_order(const char *want)
{
    CHECK(strcmp(order, want) == 0, "got '%s', want '%s'", order, want);
}

static void test_due(void)
{
    struct net_timer_queue q;
    struct named a;

    T_CASE("timer: at its time, not a millisecond before");
    begin();
    net_timer_queue_init(&q, &loop, 50, on_timer);
    name_it(&a, 'a');
    CHECK(!net_timer_running(&a.timer), "runs from the start");
    net_timer_start(&q, &a.timer);
    CHECK(net_timer_running(&a.timer), "does not run");
    at(49);
    check_order("");
    at(50);
    check_order("a");
    CHECK(!net_timer_running(&a.timer), "still runs");
    at(500);
    check_order("a");
    net_timer_queue_close(&q);
    net_loop_destroy(&loop);
}

static void test_across_queues(void)
{
    struct net_timer_queue slow, fast;
    struct named a, b, c, d;

    T_CASE("timer: in the order of due times across queues and alarms");
    begin();
    net_timer_queue_init(&slow, &loop, 100, on_timer);
    net_timer_queue_init(&fast, &loop, 10, on_timer);
    name_it(&a, 'a');
    name_it(&b, 'b');
    name_it(&c, 'c');
    name_it(&d, 'd');
    net_timer_start(&slow, &a.timer); /* 100 */
    at(85);
    net_timer_start(&fast, &b.timer);     /* 95 */
    net_alarm_start(&loop, &c.alarm, 12); /* 97 */
    at(94);
    net_timer_start(&fast, &d.timer); /* 104 */
    at(200);
    check_order("bcad");
    net_timer_queue_close(&slow);
    net_timer_queue_close(&fast);
    net_loop_destroy(&loop);
}

static void test_restart(void)
{
    struct net_timer_queue q, other;
    struct named a, b;

    T_CASE("timer: a start while it runs counts anew, also in another queue");
    begin();
    net_timer_queue_init(&q, &loop, 50, on_timer);
    net_timer_queue_init(&other, &loop, 20, on_timer);
    name_it(&a, 'a');
    name_it(&b, 'b');
    net_timer_start(&q, &a.timer);
    net_timer_start(&q, &b.timer);
    at(30);
    net_timer_start(&q, &a.timer);     /* 80 */
    net_timer_start(&other, &b.timer); /* 50 */
    at(50);
    check_order("b");
    at(79);
    check_order("b");
    at(80);
    check_order("ba");

    T_CASE("timer: stopped ones and those of a closed queue never fire");
    net_timer_start(&q, &a.timer);
    net_timer_start(&other, &b.timer);
    net_timer_stop(&a.timer);
    net_timer_stop(&a.timer);
    net_timer_queue_close(&other);
    CHECK(!net_timer_running(&b.timer), "runs in a closed queue");
    at(1000);
    check_order("ba");
    net_timer_queue_close(&q);
    net_loop_destroy(&loop);
}

static struct net_timer_queue after_queue;

static void on_then_after(struct net_timer *t)
{
    note(':');
    net_timer_start_after(&after_queue, t);
}

/* A timer of 100 that fires at `late`, then one of 40 that follows it. */
static void start_after(struct net_timer_queue *q, struct named *a,
                        uint64_t late)
{
    begin();
    net_timer_queue_init(q, &loop, 100, on_then_after);
    net_timer_queue_init(&after_queue, &loop, 40, on_timer);
    name_it(a, 'a');
    net_timer_start(q, &a->timer);
    at(late);
    check_order(":");
}

static void end_after(struct net_timer_queue *q)
{
    net_timer_queue_close(q);
    net_timer_queue_close(&after_queue);
    net_loop_destroy(&loop);
}

static void test_after(void)
{
    struct net_timer_queue q;
    struct named a;

    T_CASE("timer: one that follows another: a little late does not add up");
    start_after(&q, &a, 120);
    at(139);
    check_order(":");
    at(140);
    check_order(":a");
    end_after(&q);

    T_CASE("timer: but with less than half of its time left it starts anew");
    start_after(&q, &a, 121);
    at(160);
    check_order(":");
    at(161);
    check_order(":a");
    end_after(&q);

    T_CASE("timer: and so it does when all of its time is over");
    start_after(&q, &a, 9000);
    at(9039);
    check_order(":");
    at(9040);
    check_order(":a");
    end_after(&q);
}

static void test_zero(void)
{
    struct named a;

    T_CASE("timer: an interval of 0 that starts itself again ends the turn");
    begin();
    net_timer_queue_init(&again_queue, &loop, 0, on_again);
    name_it(&a, 'a');
    net_timer_start(&again_queue, &a.timer);
    at(0);
    check_order("");
    at(1);
    check_order(".");
    at(2);
    check_order("..");
    net_timer_queue_close(&again_queue);

    T_CASE("alarm: a delay of 0 that starts itself again ends the turn");
    memset(order, 0, sizeof order);
    net_alarm_init(&a.alarm, on_alarm_again);
    net_alarm_start(&loop, &a.alarm, 0);
    at(3);
    check_order(".");
    net_alarm_stop(&loop, &a.alarm);
    at(9);
    check_order(".");

    T_CASE("alarm: a delay that overflows means never");
    net_alarm_start(&loop, &a.alarm, UINT64_MAX);
    at(10);
    check_order(".");
    net_alarm_stop(&loop, &a.alarm);
    net_loop_destroy(&loop);
}

#define MANY 500

static uint64_t fired_at[MANY];
static size_t fired;

static void on_many(struct net_alarm *a)
{
    fired_at[fired++] = a->due_ms;
}

static void test_heap(void)
{
    static struct net_alarm alarms[MANY];
    unsigned seed = 1;
    size_t stopped = 0;

    T_CASE("alarm: %d of any order, a third moved, a fifth stopped", MANY);
    begin();
    fired = 0;
    for (size_t i = 0; i < MANY; i++) {
        seed = seed * 1103515245 + 12345;
        net_alarm_init(&alarms[i], on_many);
        net_alarm_start(&loop, &alarms[i], seed >> 16 & 1023);
    }
    for (size_t i = 0; i < MANY; i += 3) {
        seed = seed * 1103515245 + 12345;
        net_alarm_start(&loop, &alarms[i], seed >> 16 & 1023);
    }
    for (size_t i = 0; i < MANY; i += 5, stopped++) {
        net_alarm_stop(&loop, &alarms[i]);
        net_alarm_stop(&loop, &alarms[i]);
    }
    for (uint64_t ms = 0; ms <= 1024; ms += 64) {
        at(ms);
        CHECK(fired == 0 || fired_at[fired - 1] <= now, "too early");
    }
    CHECK(fired == MANY - stopped, "%zu fired", fired);
    for (size_t i = 1; i < fired; i++)
        CHECK(fired_at[i - 1] <= fired_at[i], "out of order at %zu", i);
    CHECK(loop.alarm_count == 0, "%zu left", loop.alarm_count);
    net_loop_destroy(&loop);
}

static void test_no_memory(void)
{
    struct named a, b;

    T_CASE("alarm: out of memory is a result, moving never needs any");
    begin();
    name_it(&a, 'a');
    name_it(&b, 'b');
    oom_arm(0);
    CHECK(net_alarm_start(&loop, &a.alarm, 5) == SIO_E_NOMEM, "started");
    oom_disarm();
    CHECK(loop.alarm_count == 0 && a.alarm.slot == 0, "half started");
    CHECK(net_alarm_start(&loop, &a.alarm, 5) == SIO_OK, "not started");
    oom_arm(0);
    CHECK(net_alarm_start(&loop, &a.alarm, 9) == SIO_OK, "not moved");
    oom_disarm();
    at(8);
    check_order("");
    at(9);
    check_order("a");
    net_loop_destroy(&loop);
}

static void on_stop(struct net_timer *t)
{
    (void)t;
    net_loop_stop(&loop);
}

static void test_real_time(void)
{
    struct net_timer_queue q, far;
    struct named a, b;
    uint64_t from;

    T_CASE("timer: wakes a waiting loop, whatever was armed before it");
    CHECK(net_loop_init(&loop, &(struct net_loop_config){ 0 }) == SIO_OK,
          "no loop");
    net_timer_queue_init(&far, &loop, 3600000, on_timer);
    net_timer_queue_init(&q, &loop, 20, on_stop);
    name_it(&a, 'a');
    name_it(&b, 'b');
    net_timer_start(&far, &a.timer);
    net_timer_start(&q, &b.timer);
    from = loop.now_ms;
    CHECK(net_loop_run(&loop) == SIO_OK, "run");
    CHECK(loop.now_ms >= from + 20, "after %llu ms",
          (unsigned long long)(loop.now_ms - from));
    net_timer_queue_close(&q);
    net_timer_queue_close(&far);
    net_loop_destroy(&loop);
}

int main(void)
{
    test_due();
    test_across_queues();
    test_restart();
    test_after();
    test_zero();
    test_heap();
    test_no_memory();
    test_real_time();
    return t_done();
}
