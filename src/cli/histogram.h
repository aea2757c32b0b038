/*
 * histogram.h -- how long things took: a histogram of fixed size whose buckets
 * grow with the value, so that every percentile is right within 0.8 % from
 * nanoseconds to an hour.
 *
 *   0 .. 255          a bucket each
 *   256 .. 2^42 - 1   128 buckets for every doubling
 *
 * Larger values are counted in the last bucket; the greatest one is kept
 * exactly, as are the smallest and the sum. 36 KiB. One thread at a time.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_CLI_HISTOGRAM_H
#define SRC_CLI_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#define CLI_HISTOGRAM_BITS 42 /* values below 2^42 ns: 73 minutes */
#define CLI_HISTOGRAM_SLOTS ((CLI_HISTOGRAM_BITS - 6) * 128)

struct cli_histogram {
    uint64_t count;
    uint64_t min, max; /* of all values; 0 when there are none */
    double sum;
    uint64_t slots[CLI_HISTOGRAM_SLOTS];
};

void cli_histogram_init(struct cli_histogram *h);
void cli_histogram_add(struct cli_histogram *h, uint64_t value);
void cli_histogram_merge(struct cli_histogram *into,
                         const struct cli_histogram *from);

/* The value that `percent` (0 to 100) of all values do not exceed: at least
 * the exact one, and at most 0.8 % more. 0 when there are none. */
uint64_t cli_histogram_at(const struct cli_histogram *h, double percent);

double cli_histogram_mean(const struct cli_histogram *h);

#endif
