/*
 * test_cli_histogram.c -- percentiles of the histogram beside those of the
 * sorted values themselves.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/cli/histogram.h"
#include "tests/unit/test.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#define N 5000

static struct cli_histogram h, other;
static uint64_t values[N];

static int compare(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static uint64_t next_random(void)
{
    static uint64_t x = 88172645463325252u;

    x ^= x << 13;
    x ^= x >> 7;
    return x ^= x << 17;
}

/* Never below the exact one, and at most 1/128 above it. */
static void check_all(size_t n)
{
    static const double at[] = { 0.02, 1,  10,   25,    50,    75,
                                 90,   99, 99.9, 99.98, 99.99, 100 };

    qsort(values, n, sizeof *values, compare);
    for (size_t i = 0; i < COUNT(at); i++) {
        double rank = ceil(at[i] / 100 * (double)n - 1e-9);
        uint64_t exact = values[rank < 1 ? 0 : (size_t)rank - 1];
        uint64_t got = cli_histogram_at(&h, at[i]);

        CHECK(got >= exact && got <= exact + exact / 128,
              "p%g: %" PRIu64 ", exactly %" PRIu64, at[i], got, exact);
    }
    CHECK(h.min == values[0] && h.max == values[n - 1], "the ends");
    CHECK(cli_histogram_at(&h, 0) == h.min, "p0");
    CHECK(cli_histogram_at(&h, 100) == h.max, "p100");
}

static void fill(size_t n, unsigned bits)
{
    cli_histogram_init(&h);
    for (size_t i = 0; i < n; i++) {
        /* as many small ones as great ones */
        values[i] = next_random() >> (64 - 1 - next_random() % bits);
        cli_histogram_add(&h, values[i]);
    }
}

static void boundaries(void)
{
    for (unsigned bit = 0; bit < CLI_HISTOGRAM_BITS; bit++)
        for (int off = -1; off <= 1; off++) {
            const uint64_t v = ((uint64_t)1 << bit) + (uint64_t)(int64_t)off;
            uint64_t got;

            cli_histogram_init(&h);
            cli_histogram_add(&h, v);
            cli_histogram_add(&h, v);
            cli_histogram_add(&h, UINT64_MAX); /* so that it is not the max */
            got = cli_histogram_at(&h, 50);
            CHECK(got >= v && got <= v + v / 128, "%" PRIu64 ": %" PRIu64, v,
                  got);
        }
}

int main(void)
{
    static const size_t sizes[] = { 1, 2, 3, 10, 999, N };

    T_CASE("histogram: nothing in it");
    cli_histogram_init(&h);
    CHECK(cli_histogram_at(&h, 50) == 0 && cli_histogram_mean(&h) == 0, "0");

    for (size_t i = 0; i < COUNT(sizes); i++)
        for (unsigned bits = 5; bits <= CLI_HISTOGRAM_BITS; bits += 9) {
            T_CASE("histogram: %zu values of up to %u bits", sizes[i], bits);
            fill(sizes[i], bits);
            check_all(sizes[i]);
        }

    T_CASE("histogram: at and beside every power of two");
    boundaries();

    T_CASE("histogram: what is too great is counted, its maximum kept");
    cli_histogram_init(&h);
    cli_histogram_add(&h, 1);
    cli_histogram_add(&h, UINT64_MAX);
    CHECK(h.count == 2 && cli_histogram_at(&h, 100) == UINT64_MAX, "max");
    CHECK(cli_histogram_at(&h, 50) == 1, "p50");

    T_CASE("histogram: two put together are as one");
    cli_histogram_init(&h);
    cli_histogram_init(&other);
    for (size_t i = 0; i < N; i++) {
        values[i] = next_random() % 1000000;
        cli_histogram_add(i % 3 ? &h : &other, values[i]);
    }
    cli_histogram_merge(&h, &other);
    CHECK(h.count == N, "%" PRIu64, h.count);
    check_all(N);
    cli_histogram_init(&other);
    cli_histogram_merge(&h, &other);
    CHECK(h.count == N && h.min == values[0], "an empty one adds nothing");
    cli_histogram_merge(&other, &h);
    CHECK(other.min == h.min && other.max == h.max, "into an empty one");

    T_CASE("histogram: the mean");
    cli_histogram_init(&h);
    cli_histogram_add(&h, 10);
    cli_histogram_add(&h, 40);
    CHECK(fabs(cli_histogram_mean(&h) - 25) < 1e-9, "mean");
    return t_done();
}
