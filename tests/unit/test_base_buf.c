/*
 * test_base_buf.c -- shared buffers: contents, count, and four threads that
 * take and drop references (run under tsan and asan).
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/base/buf.h"
#include "tests/unit/oom.h"
#include "tests/unit/test.h"

#include <pthread.h>

static void *worker(void *arg)
{
    struct buf *b = arg;

    for (int i = 0; i < 10000; i++)
        buf_unref(buf_ref(b));
    buf_unref(b);
    return NULL;
}

static void shared(void)
{
    struct buf *b = buf_new("42[\"hi\"]", 8);
    pthread_t t[4];

    T_CASE("buf: four threads take and drop references");
    for (size_t i = 0; i < COUNT(t); i++)
        pthread_create(&t[i], NULL, worker, buf_ref(b));
    for (size_t i = 0; i < COUNT(t); i++)
        pthread_join(t[i], NULL);
    CHECK(b->refs == 1, "refs %u", (unsigned)b->refs);
    CHECK(b->len == 8 && memcmp(b->data, "42[\"hi\"]", 8) == 0, "contents");
    buf_unref(b);
}

static void creation(void)
{
    struct buf *b;

    T_CASE("buf: buf_alloc gives one reference and room to fill");
    b = buf_alloc(300);
    CHECK(b->refs == 1 && b->len == 300, "refs %u", (unsigned)b->refs);
    memset(b->data, 'x', 300);
    buf_unref(b);

    T_CASE("buf: empty ones need no source");
    b = buf_new(NULL, 0);
    CHECK(b && b->len == 0, "%p", (void *)b);
    buf_unref(b);
    buf_unref(NULL);

    T_CASE("buf: a length that wraps around is out of memory");
    CHECK(!buf_alloc(SIZE_MAX), "SIZE_MAX");
    CHECK(!buf_new("", SIZE_MAX - sizeof(struct buf) + 1), "one past");
}

static void out_of_memory(void)
{
    T_CASE("buf: allocation failure gives NULL");
    oom_arm(0);
    CHECK(!buf_new("a", 1), "buf_new");
    CHECK(oom_disarm(), "nothing was allocated");
}

int main(void)
{
    shared();
    creation();
    out_of_memory();
    return t_done();
}
