/*
 * buf.h -- an immutable byte string shared by reference count.
 *
 * A broadcast encodes its packet once and every socket's send queue holds one
 * reference. Bytes never change once a buffer is shared, so only the count
 * needs to be atomic.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef PROTOCOL_BASE_BUF_H
#define PROTOCOL_BASE_BUF_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
    atomic_uint refs;
    size_t len;
    uint8_t data[];
};

/* `len` bytes for the caller to fill before anyone else gets a reference.
 * Returns NULL when out of memory; else one reference. */
struct buf *buf_alloc(size_t len);

/* The same, filled with a copy of src[0..len). */
struct buf *buf_new(const void *src, size_t len);

/* Any thread. Returns its argument so that a call can sit in an initialiser. */
struct buf *buf_ref(struct buf *b);

/* Any thread. NULL is allowed; the last reference frees. */
void buf_unref(struct buf *b);

#endif
