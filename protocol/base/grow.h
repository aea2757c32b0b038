/*
 * grow.h -- a growable byte buffer that is born with its maximum, so that no
 * peer can make it larger than its owner meant.
 *
 * A failed call leaves the contents as they were. The memory is the owner's;
 * one thread at a time.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef PROTOCOL_BASE_GROW_H
#define PROTOCOL_BASE_GROW_H

#include <sio/types.h>

struct grow {
    uint8_t *data; /* NULL until the first byte */
    size_t len, cap;
    size_t max; /* bytes that len may never exceed */
};

void grow_init(struct grow *g, size_t max);
void grow_free(struct grow *g); /* back to the state after grow_init() */

/* Room for `more` bytes behind len. SIO_OK, SIO_E_LIMIT or SIO_E_NOMEM.
 * Capacity at least doubles, so appending is linear in total. */
int grow_reserve(struct grow *g, size_t more);
int grow_append(struct grow *g, const void *p, size_t n);

/* Punctuation of every text is written byte by byte: most have room already. */
static inline int grow_append_byte(struct grow *g, uint8_t byte)
{
    if (g->len >= g->cap || g->len >= g->max) {
        int r = grow_reserve(g, 1);

        if (r < 0)
            return r;
    }
    g->data[g->len++] = byte;
    return SIO_OK;
}

/* Hand the memory to the caller, who frees it with free(); the buffer is
 * empty afterwards. NULL when nothing was ever appended. */
uint8_t *grow_take(struct grow *g, size_t *len);

static inline sio_str grow_str(const struct grow *g)
{
    return (sio_str){ (const char *)g->data, g->len };
}

#endif
