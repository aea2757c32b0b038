/*
 * arena.c -- blocks in a list, the one being filled first; see arena.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>

#define BLOCK_SIZE 2048 /* bytes; one event's arguments usually fit in one */
#define ALIGN alignof(max_align_t)

struct arena_block {
    struct arena_block *next;
    size_t used, size; /* of data[] */
    alignas(max_align_t) uint8_t data[];
};

static struct arena_block *add_block(struct arena *a, size_t size)
{
    struct arena_block *b;

    if (size > SIZE_MAX - sizeof *b)
        return NULL;
    b = malloc(sizeof *b + size);
    if (!b)
        return NULL;
    b->next = a->blocks;
    b->used = 0;
    b->size = size;
    a->blocks = b;
    return b;
}

void *arena_alloc(struct arena *a, size_t n)
{
    struct arena_block *b = a->blocks;
    void *p;

    if (n > SIZE_MAX - ALIGN)
        return NULL;
    n = (n + ALIGN - 1) / ALIGN * ALIGN;
    if (!b || n > b->size - b->used) {
        b = add_block(a, n > BLOCK_SIZE ? n : BLOCK_SIZE);
        if (!b)
            return NULL;
    }
    p = b->data + b->used;
    b->used += n;
    return p;
}

void arena_free(struct arena *a)
{
    while (a->blocks) {
        struct arena_block *b = a->blocks;

        a->blocks = b->next;
        free(b);
    }
}
