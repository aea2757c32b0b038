/*
 * histogram.c -- see histogram.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/cli/histogram.h"

#include <math.h>
#include <string.h>

#define HALF 128 /* buckets of a doubling */

static size_t slot_of(uint64_t value)
{
    unsigned shift;

    if (value < 2 * HALF)
        return (size_t)value;
    if (value >> CLI_HISTOGRAM_BITS)
        return CLI_HISTOGRAM_SLOTS - 1;
    shift = 63u - 7u - (unsigned)__builtin_clzll(value);
    return shift * HALF + (size_t)(value >> shift);
}

/* The greatest value that is counted there. */
static uint64_t top_of(size_t slot)
{
    size_t shift;

    if (slot < 2 * HALF)
        return slot;
    shift = slot / HALF - 1;
    return ((uint64_t)(slot - shift * HALF + 1) << shift) - 1;
}

void cli_histogram_init(struct cli_histogram *h)
{
    memset(h, 0, sizeof *h);
}

void cli_histogram_add(struct cli_histogram *h, uint64_t value)
{
    if (!h->count || value < h->min)
        h->min = value;
    if (value > h->max)
        h->max = value;
    h->count++;
    h->sum += (double)value;
    h->slots[slot_of(value)]++;
}

void cli_histogram_merge(struct cli_histogram *into,
                         const struct cli_histogram *from)
{
    if (!from->count)
        return;
    if (!into->count || from->min < into->min)
        into->min = from->min;
    if (from->max > into->max)
        into->max = from->max;
    into->count += from->count;
    into->sum += from->sum;
    for (size_t i = 0; i < CLI_HISTOGRAM_SLOTS; i++)
        into->slots[i] += from->slots[i];
}

uint64_t cli_histogram_at(const struct cli_histogram *h, double percent)
{
    double exact = ceil(percent / 100 * (double)h->count - 1e-9);
    uint64_t rank = exact < 1 ? 1 : (uint64_t)exact, seen = 0;

    if (!h->count)
        return 0;
    if (percent <= 0)
        return h->min;
    if (rank >= h->count)
        return h->max;
    for (size_t i = 0; i < CLI_HISTOGRAM_SLOTS; i++) {
        seen += h->slots[i];
        if (seen >= rank)
            return top_of(i) < h->max ? top_of(i) : h->max;
    }
    return h->max;
}

double cli_histogram_mean(const struct cli_histogram *h)
{
    return h->count ? h->sum / (double)h->count : 0;
}
