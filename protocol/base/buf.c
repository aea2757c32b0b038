/*
 * buf.c -- see buf.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/base/buf.h"

#include <stdlib.h>
#include <string.h>

struct buf *buf_alloc(size_t len)
{
    struct buf *b;

    if (len > SIZE_MAX - sizeof *b)
        return NULL;
    b = malloc(sizeof *b + len);
    if (!b)
        return NULL;
    atomic_init(&b->refs, 1);
    b->len = len;
    return b;
}

struct buf *buf_new(const void *src, size_t len)
{
    struct buf *b = buf_alloc(len);

    if (b && len)
        memcpy(b->data, src, len);
    return b;
}

struct buf *buf_ref(struct buf *b)
{
    /* Relaxed is enough: the caller already holds a reference. */
    atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
    return b;
}

void buf_unref(struct buf *b)
{
    /* Release our reads before the free; acquire everyone else's. */
    if (b && atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) == 1)
        free(b);
}
