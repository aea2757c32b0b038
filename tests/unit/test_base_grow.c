/*
 * test_base_grow.c -- the growable buffer: its maximum, its growth, and that
 * a failed call changes nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/base/grow.h"
#include "tests/unit/oom.h"
#include "tests/unit/test.h"

#include <stdlib.h>

static void limits(void)
{
    static const size_t maxima[] = { 0, 1, 2, 63, 64, 65, 127, 128, 129, 1000 };
    uint8_t bytes[1001];

    memset(bytes, 'a', sizeof bytes);
    for (size_t i = 0; i < COUNT(maxima); i++) {
        size_t max = maxima[i];
        struct grow g;

        T_CASE("grow: on the limit of %zu and one past", max);
        grow_init(&g, max);
        CHECK(grow_append(&g, bytes, max + 1) == SIO_E_LIMIT, "one past");
        CHECK(g.len == 0 && g.cap == 0, "a refused append left its mark");
        for (size_t n = 0; n < max; n++)
            CHECK(grow_append_byte(&g, 'a') == SIO_OK, "byte %zu", n);
        CHECK(g.len == max && g.cap <= max, "%zu of %zu", g.len, g.cap);
        CHECK(grow_append_byte(&g, 'b') == SIO_E_LIMIT, "one past");
        CHECK(grow_append(&g, "b", 1) == SIO_E_LIMIT, "one past");
        CHECK(grow_append(&g, NULL, 0) == SIO_OK, "nothing fits anywhere");
        CHECK(g.len == max &&
                  !memchr(grow_str(&g).p ? g.data : bytes, 'b', max),
              "contents changed");
        grow_free(&g);

        grow_init(&g, max);
        CHECK(grow_append(&g, bytes, max) == SIO_OK, "all at once");
        CHECK(g.len == max, "%zu", g.len);
        grow_free(&g);
        CHECK(!g.data && !g.len && !g.cap && g.max == max, "after grow_free");
    }

    T_CASE("grow: a request that wraps around is over the limit");
    struct grow g;
    grow_init(&g, SIZE_MAX);
    CHECK(grow_append(&g, "abc", 3) == SIO_OK, "append");
    CHECK(grow_reserve(&g, SIZE_MAX) == SIO_E_LIMIT, "SIZE_MAX");
    CHECK(grow_reserve(&g, SIZE_MAX - 2) == SIO_E_LIMIT, "one past");
    grow_free(&g);
}

static void growth(void)
{
    struct grow g;
    long before;

    T_CASE("grow: appending is linear in total");
    grow_init(&g, SIZE_MAX);
    before = oom_count();
    for (int i = 0; i < 1 << 20; i++)
        CHECK(grow_append_byte(&g, (uint8_t)i) == SIO_OK, "byte %d", i);
    CHECK(oom_count() - before <= 15, "%ld allocations", oom_count() - before);
    for (int i = 0; i < 1 << 20; i++)
        CHECK(g.data[i] == (uint8_t)i, "byte %d", i);

    T_CASE("grow: a reserve makes appends free");
    CHECK(grow_reserve(&g, 5000) == SIO_OK, "reserve");
    before = oom_count();
    for (int i = 0; i < 50; i++)
        CHECK(grow_append(&g,
                          "0123456789012345678901234567890123456789"
                          "012345678901234567890123456789012345678901234567"
                          "890123456789",
                          100) == SIO_OK,
              "append %d", i);
    CHECK(oom_count() == before, "allocated");
    grow_free(&g);
}

static void taking(void)
{
    struct grow g;
    uint8_t *p;
    size_t n = 99;

    T_CASE("grow: grow_take hands the memory over");
    grow_init(&g, 10);
    p = grow_take(&g, &n);
    CHECK(!p && n == 0, "of an empty one: %p, %zu", (void *)p, n);
    CHECK(grow_append(&g, "hello", 5) == SIO_OK, "append");
    p = grow_take(&g, &n);
    CHECK(n == 5 && memcmp(p, "hello", 5) == 0, "%zu", n);
    CHECK(!g.data && !g.len && !g.cap && g.max == 10, "not empty afterwards");
    CHECK(grow_append(&g, "0123456789", 10) == SIO_OK, "use it again");
    free(p);
    grow_free(&g);
}

static void out_of_memory(void)
{
    T_CASE("grow: the n-th allocation fails");
    for (long n = 0; n < 100; n++) {
        struct grow g;
        size_t len = 0;
        int r = SIO_OK;

        grow_init(&g, 100000);
        oom_arm(n);
        while (r == SIO_OK && len < 3000) {
            r = grow_append(&g, "abcdefg", 7);
            len += r == SIO_OK ? 7 : 0;
        }
        if (!oom_disarm()) {
            CHECK(n > 2, "only %ld allocations", n);
            grow_free(&g);
            return;
        }
        CHECK(r == SIO_E_NOMEM, "got %d", r);
        CHECK(g.len == len && (!len || memcmp(g.data, "abcdefg", 7) == 0),
              "contents");
        CHECK(grow_append(&g, "x", 1) == SIO_OK, "usable afterwards");
        grow_free(&g);
    }
    CHECK(0, "it never stopped allocating");
}

int main(void)
{
    limits();
    growth();
    taking();
    out_of_memory();
    return t_done();
}
