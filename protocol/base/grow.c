/*
 * grow.c -- see grow.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/base/grow.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_CAP 64 /* bytes; spares short texts their first reallocations */

void grow_init(struct grow *g, size_t max)
{
    *g = (struct grow){ .max = max };
}

void grow_free(struct grow *g)
{
    free(g->data);
    grow_init(g, g->max);
}

int grow_reserve(struct grow *g, size_t more)
{
    size_t need, cap;
    uint8_t *data;

    if (more > g->max - g->len)
        return SIO_E_LIMIT;
    need = g->len + more;
    if (need <= g->cap)
        return SIO_OK;
    cap = g->cap > g->max / 2 ? g->max : g->cap * 2;
    if (cap < FIRST_CAP)
        cap = g->max < FIRST_CAP ? g->max : FIRST_CAP;
    if (cap < need)
        cap = need;
    data = realloc(g->data, cap);
    if (!data)
        return SIO_E_NOMEM;
    g->data = data;
    g->cap = cap;
    return SIO_OK;
}

int grow_append(struct grow *g, const void *p, size_t n)
{
    int r;

    if (n == 0)
        return SIO_OK;
    r = grow_reserve(g, n);
    if (r < 0)
        return r;
    memcpy(g->data + g->len, p, n);
    g->len += n;
    return SIO_OK;
}

uint8_t *grow_take(struct grow *g, size_t *len)
{
    uint8_t *data = g->data;

    *len = g->len;
    grow_init(g, g->max);
    return data;
}
