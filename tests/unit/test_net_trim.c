/*
 * test_net_trim.c -- when memory is given back to the system.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/net/trim.h"
#include "tests/unit/oom.h"
#include "tests/unit/test.h"

static uint64_t now;
static struct net_loop loop;

static uint64_t fake_clock(void *self)
{
    (void)self;
    return now;
}

static void begin(void)
{
    struct net_loop_config config = { .clock = fake_clock };

    CHECK(net_loop_init(&loop, &config) == SIO_OK, "no loop");
}

static void end(void)
{
    loop.conn_count = 0;
    net_loop_destroy(&loop);
}

/* So many are there now, one by one. */
static void count(size_t n)
{
    while (loop.conn_count < n) {
        loop.conn_count++;
        net_trim_grown(&loop);
    }
    while (loop.conn_count > n) {
        loop.conn_count--;
        net_trim_shrunk(&loop);
    }
}

static void wait_ms(uint64_t ms)
{
    now += ms;
    net_loop_poll(&loop);
}

static void test_when(void)
{
    static const struct {
        const char *name;
        size_t most, left;
        uint64_t ms;
        size_t trims;
    } rows[] = {
        { "all have left", 1000, 0, NET_TRIM_MS, 1 },
        { "there were too few", 999, 0, NET_TRIM_MS, 0 },
        { "a quarter is left", 1000, 250, NET_TRIM_MS, 1 },
        { "more than a quarter is left", 1000, 251, NET_TRIM_MS, 0 },
        { "not yet", 1000, 0, NET_TRIM_MS - 1, 0 },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        T_CASE("trim: %s", rows[i].name);
        begin();
        count(rows[i].most);
        count(rows[i].left);
        CHECK(loop.trims == 0, "at once");
        wait_ms(rows[i].ms);
        CHECK(loop.trims == rows[i].trims, "%zu times", loop.trims);
        end();
    }
}

static void test_again(void)
{
    T_CASE("trim: not when they have come back meanwhile");
    begin();
    count(2000);
    count(100);
    count(600);
    wait_ms(NET_TRIM_MS);
    CHECK(loop.trims == 0, "%zu times", loop.trims);

    T_CASE("trim: but when they leave again, once");
    count(0);
    wait_ms(NET_TRIM_MS);
    CHECK(loop.trims == 1, "%zu times", loop.trims);
    count(900);
    count(0);
    wait_ms(NET_TRIM_MS);
    CHECK(loop.trims == 1, "%zu times", loop.trims);
    count(1000);
    count(0);
    wait_ms(NET_TRIM_MS);
    CHECK(loop.trims == 2, "%zu times", loop.trims);
    end();

    T_CASE("trim: no memory for its timer: with the next one that leaves");
    begin();
    count(1000);
    count(251);
    oom_arm(0);
    count(250);
    CHECK(oom_disarm(), "no timer");
    wait_ms(NET_TRIM_MS);
    CHECK(loop.trims == 0, "%zu times", loop.trims);
    count(249);
    wait_ms(NET_TRIM_MS);
    CHECK(loop.trims == 1, "%zu times", loop.trims);
    end();
}

int main(void)
{
    test_when();
    test_again();
    return t_done();
}
