/*
 * arena.h -- memory that lives as long as one event: what a handler asks to
 * have converted is put here and released at once when the handler returns.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef PROTOCOL_BASE_ARENA_H
#define PROTOCOL_BASE_ARENA_H

#include <stddef.h>

struct arena_block;

struct arena {
    struct arena_block *blocks;
};

static inline void arena_init(struct arena *a)
{
    a->blocks = NULL;
}

/* Aligned for any type, not zeroed; NULL when out of memory. */
void *arena_alloc(struct arena *a, size_t n);
void arena_free(struct arena *a);

#endif
