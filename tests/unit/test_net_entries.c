/*
 * test_net_entries.c -- what libevent keeps for each number of a descriptor is
 * made before clients come, and lies side by side.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/net/conn.h"
#include "src/net/entries.h"
#include "tests/unit/oom.h"
#include "tests/unit/test.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAGE 4096

static struct net_loop loop;
static size_t got; /* bytes, by all connections */

/* Entries that libevent has made, and the pages that they lie on. */
static uintptr_t pages[4 * NET_ENTRIES_STEP];
static size_t made, page_count;
static size_t until = SIZE_MAX; /* so many can be made */

static void note(uintptr_t page)
{
    made++;
    for (size_t i = 0; i < page_count; i++)
        if (pages[i] == page)
            return;
    if (page_count < COUNT(pages))
        pages[page_count++] = page;
}

static void *take(size_t n)
{
    bool entry = n >= 16 && n <= 24;
    void *p = entry && made == until ? NULL : calloc(1, n);

    if (p && entry)
        note((uintptr_t)p / PAGE);
    return p;
}

static void on_log(int severity, const char *text)
{
    CHECK(0, "libevent says %d: %s", severity, text);
}

static size_t on_data(void *self, uint8_t *data, size_t len)
{
    (void)self;
    (void)data;
    got += len;
    return len;
}

static void on_closed(void *self, enum net_close_reason why)
{
    (void)self;
    (void)why;
}

static const struct net_conn_ops ops = { .on_data = on_data,
                                         .on_closed = on_closed };

static void begin(const struct net_loop_config *config)
{
    CHECK(net_loop_init(&loop, config) == SIO_OK, "no loop");
    got = 0;
    made = 0;
    page_count = 0;
}

/* A connection whose descriptor is at least `from`; *peer is the other end. */
static struct net_conn *connect_at(int from, int *peer)
{
    struct net_address nobody = { 0 };
    struct net_conn *conn = NULL;
    int fds[2], fd;

    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0,
          "no sockets");
    fd = fcntl(fds[0], F_DUPFD_CLOEXEC, from);
    close(fds[0]);
    *peer = fds[1];
    CHECK(net_conn_open(&loop, fd, &nobody, 1000, &ops, NULL, &conn) == SIO_OK,
          "not opened");
    return conn;
}

static void hear(int peer, size_t all)
{
    CHECK(write(peer, "x", 1) == 1, "not written");
    net_loop_poll(&loop);
    CHECK(got == all, "%zu of %zu bytes", got, all);
}

static void test_ahead(void)
{
    struct net_loop_config config = { 0 };
    struct net_conn *low, *high, *next;
    int low_peer, high_peer, next_peer;
    size_t before;

    T_CASE("entries: of low numbers one by one, of others ahead");
    begin(&config);
    low = connect_at(NET_ENTRIES_FROM - 1, &low_peer);
    CHECK(made == 1, "%zu made", made);
    high = connect_at(NET_ENTRIES_FROM, &high_peer);
    CHECK(made == 1 + NET_ENTRIES_STEP, "%zu made", made);
    before = made;
    CHECK(loop.entries_end == NET_ENTRIES_FROM + NET_ENTRIES_STEP, "up to %d",
          loop.entries_end);
    next = connect_at(2 * NET_ENTRIES_FROM, &next_peer);
    CHECK(made == before, "%zu made", made);

    T_CASE("entries: all are heard, those before and those behind");
    net_loop_poll(&loop);
    hear(low_peer, 1);
    hear(high_peer, 2);
    hear(next_peer, 3);

    T_CASE("entries: who is watched stays so while more are made");
    net_entries_make(&loop, NET_ENTRIES_FROM - 1);
    hear(low_peer, 4);
    hear(high_peer, 5);
    net_conn_close(low);
    net_conn_close(high);
    net_conn_close(next);
    net_entries_make(&loop, NET_ENTRIES_FROM - 1);
    net_loop_poll(&loop);
    close(low_peer);
    close(high_peer);
    close(next_peer);
    net_loop_destroy(&loop);
}

static void test_not(void)
{
    struct event_base *base = event_base_new();
    struct net_loop_config rows[] = { { .moves = true }, { .base = base } };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct net_conn *c;
        int peer;

        T_CASE("entries: not ahead, row %zu", i);
        begin(&rows[i]);
        c = connect_at(2 * NET_ENTRIES_FROM, &peer);
        CHECK(made == 1, "%zu made", made);
        hear(peer, 1);
        net_conn_close(c);
        close(peer);
        net_loop_destroy(&loop);
    }
    event_base_free(base);
}

#define GAPS 2000

static void test_pages(void)
{
    static void *small[GAPS], *large[GAPS];
    struct net_loop_config config = { 0 };

    T_CASE("entries: side by side, however many gaps there are");
    begin(&config);
    for (size_t i = 0; i < GAPS; i++) {
        small[i] = calloc(1, 24);
        large[i] = calloc(1, 1000);
    }
    for (size_t i = 0; i < GAPS; i++)
        free(small[i]);
    net_entries_make(&loop, NET_ENTRIES_FROM);
    CHECK(made == NET_ENTRIES_STEP, "%zu made", made);
#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)
    CHECK(page_count <= 12, "on %zu pages", page_count);
#endif
    for (size_t i = 0; i < GAPS; i++)
        free(large[i]);
    net_loop_destroy(&loop);
}

static void test_limits(void)
{
    struct net_loop_config config = { 0 };
    struct net_conn *c;
    int peer;

    T_CASE("entries: no memory to look for gaps: they are made where they can");
    begin(&config);
    oom_arm(0);
    net_entries_make(&loop, 10 * NET_ENTRIES_STEP);
    CHECK(oom_disarm(), "nothing failed");
    CHECK(made == NET_ENTRIES_STEP, "%zu made", made);

    T_CASE("entries: no memory for one of them: the rest is left for later");
    made = 0;
    until = 10;
    net_entries_make(&loop, NET_ENTRIES_FROM);
    until = SIZE_MAX;
    CHECK(made == 10, "%zu made", made);
    c = connect_at(NET_ENTRIES_FROM + 10, &peer);
    CHECK(made == 11, "%zu made", made);
    hear(peer, 1);
    net_conn_close(c);
    close(peer);

    T_CASE("entries: numbers end");
    made = 0;
    net_entries_make(&loop, INT_MAX - 1);
    CHECK(made == 0, "%zu made", made);
    net_loop_destroy(&loop);
}

int main(void)
{
    event_set_mem_functions(take, realloc, free);
    event_set_log_callback(on_log);
    test_ahead();
    test_not();
    test_pages();
    test_limits();
    return t_done();
}
