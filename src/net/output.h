/*
 * output.h -- the queue of bytes that a connection has to write.
 *
 * Small appends are copied behind each other into chunks of NET_CHUNK_SIZE, a
 * `struct buf` hangs in the queue by reference. Both kinds go back to spare
 * lists of the loop, so that a busy loop allocates nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_NET_OUTPUT_H
#define SRC_NET_OUTPUT_H

#include "src/net/conn.h"

#define NET_CHUNK_SIZE 2048   /* bytes of a chunk with its header */
#define NET_SPARE_CHUNKS 1024 /* 2 MiB: a busy turn is served from them */
#define NET_SPARE_REFS 4096   /* kept per loop: about 200 KiB */
#define NET_COPY_MAX 256    /* shorter shared bytes are copied if it is free */
#define NET_WRITE_PIECES 64 /* of one sendmsg() */

struct net_chunk {
    struct net_chunk *next;
    struct buf *ref;   /* NULL: the bytes are in data[] */
    const uint8_t *at; /* the first byte to write */
    size_t len;        /* bytes to write */
    size_t room;       /* bytes free behind them; of a reference 0 */
    uint8_t data[];
};

/* Give everything in the queue to the kernel that it takes now. SIO_OK (look at
 * c->queued), or SIO_E_SYS when the connection is broken. */
int net_output_write(struct net_conn *c);

/* Take n bytes that are written off the front. */
void net_output_consume(struct net_conn *c, size_t n);

/* Drop the queue. */
void net_output_clear(struct net_conn *c);

/* Free the spare lists. */
void net_output_free_spare(struct net_loop *loop);

#endif
