/*
 * test_base_arena.c -- the arena: alignment, no overlap, large pieces, and
 * memory running out.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/base/arena.h"
#include "tests/unit/oom.h"
#include "tests/unit/test.h"

#include <stdalign.h>
#include <stdint.h>

static void pieces(void)
{
    static const size_t sizes[] = { 0,   1,    2,    15,   16,    17,
                                    500, 2047, 2048, 2049, 100000 };
    struct arena a;
    uint8_t *at[30 * COUNT(sizes)];
    size_t n = 0;

    T_CASE("arena: pieces are aligned and do not overlap");
    arena_init(&a);
    for (int round = 0; round < 30; round++)
        for (size_t i = 0; i < COUNT(sizes); i++) {
            at[n] = arena_alloc(&a, sizes[i]);
            CHECK(at[n] && (uintptr_t)at[n] % alignof(max_align_t) == 0,
                  "%zu bytes at %p", sizes[i], (void *)at[n]);
            memset(at[n], (int)(n & 255), sizes[i]);
            n++;
        }
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < sizes[i % COUNT(sizes)]; k++)
            if (at[i][k] != (i & 255)) {
                CHECK(0, "piece %zu was overwritten at %zu", i, k);
                break;
            }
    arena_free(&a);
    CHECK(!a.blocks, "after arena_free");
    arena_free(&a);
}

static void few_allocations(void)
{
    struct arena a;
    long before = oom_count();

    T_CASE("arena: small pieces share blocks");
    arena_init(&a);
    for (int i = 0; i < 1000; i++)
        CHECK(arena_alloc(&a, 16), "piece %d", i);
    CHECK(oom_count() - before <= 8, "%ld allocations", oom_count() - before);
    arena_free(&a);
}

static void out_of_memory(void)
{
    struct arena a;

    T_CASE("arena: out of memory, earlier pieces stay");
    arena_init(&a);
    CHECK(!arena_alloc(&a, SIZE_MAX), "SIZE_MAX");
    CHECK(!arena_alloc(&a, SIZE_MAX - 40), "SIZE_MAX - 40");
    for (long n = 0; n < 3; n++) {
        char *p = arena_alloc(&a, 2000);

        memset(p, 'a', 2000);
        oom_arm(0);
        CHECK(!arena_alloc(&a, 2000), "failing");
        CHECK(oom_disarm(), "nothing was allocated");
        CHECK(p[0] == 'a' && p[1999] == 'a', "contents");
    }
    arena_free(&a);
}

int main(void)
{
    pieces();
    few_allocations();
    out_of_memory();
    return t_done();
}
