/*
 * output.c -- see output.h and the append calls of conn.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/net/output.h"
#include "src/net/tls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define CHUNK_ROOM (NET_CHUNK_SIZE - sizeof(struct net_chunk))

/* From the spare list, else with `room` bytes from the heap. */
static struct net_chunk *chunk_take(struct net_spare *spare, size_t room)
{
    struct net_chunk *k = spare->first;

    if (!k)
        return malloc(sizeof *k + room);
    spare->first = k->next;
    spare->count--;
    return k;
}

static void chunk_give(struct net_spare *spare, size_t most,
                       struct net_chunk *k)
{
    if (spare->count == most) {
        free(k);
        return;
    }
    k->next = spare->first;
    spare->first = k;
    spare->count++;
}

/* A chunk of more than the usual size is not worth keeping: the next one of
 * its kind will have another size. */
static void chunk_release(struct net_loop *loop, struct net_chunk *k)
{
    loop->chunk_count--;
    if (k->ref) {
        buf_unref(k->ref);
        chunk_give(&loop->spare_refs, NET_SPARE_REFS, k);
    } else if ((size_t)(k->at + k->len + k->room - k->data) > CHUNK_ROOM) {
        free(k);
    } else {
        chunk_give(&loop->spare_chunks, NET_SPARE_CHUNKS, k);
    }
}

static void enqueue(struct net_conn *c, struct net_chunk *k)
{
    if (c->tail) {
        k->next = c->tail->next;
        c->tail->next = k;
    } else {
        k->next = k;
    }
    c->tail = k;
    c->loop->chunk_count++;
}

static struct net_chunk *take_first(struct net_conn *c)
{
    struct net_chunk *k = c->tail->next;

    if (k == c->tail)
        c->tail = NULL;
    else
        c->tail->next = k->next;
    return k;
}

/* An empty chunk with room for n bytes at the end of the queue. */
static struct net_chunk *chunk_add(struct net_conn *c, size_t n)
{
    bool large = n > CHUNK_ROOM;
    struct net_chunk *k;

    if (n > SIZE_MAX - sizeof *k)
        k = NULL;
    else if (large)
        k = malloc(sizeof *k + n);
    else
        k = chunk_take(&c->loop->spare_chunks, CHUNK_ROOM);
    if (!k) {
        net_conn_fail(c, NET_CLOSE_NOMEM);
        return NULL;
    }
    k->ref = NULL;
    k->at = k->data;
    k->len = 0;
    k->room = large ? n : CHUNK_ROOM;
    enqueue(c, k);
    return k;
}

/* May the owner append? The limit is looked at before, not after: what a
 * single append adds is the owner's own choice, never the peer's. */
static bool takes_more(struct net_conn *c)
{
    if (c->closed || c->failed || c->finishing)
        return false;
    if (c->queued <= c->max_queued)
        return true;
    net_conn_fail(c, NET_CLOSE_OVERFLOW);
    return false;
}

static void count_queued(struct net_conn *c, size_t n)
{
    c->queued += n;
    c->loop->queued_bytes += n;
    /* A full kernel buffer says itself when it is worth trying again. */
    if (!c->wants_write)
        net_conn_touch(c);
}

static uint8_t *chunk_end(struct net_chunk *k)
{
    return k->data + (k->at - k->data) + k->len;
}

static void chunk_put(struct net_chunk *k, const void *p, size_t n)
{
    memcpy(chunk_end(k), p, n);
    k->len += n;
    k->room -= n;
}

/* Fill the last chunk, then begin another. */
static void put(struct net_conn *c, const uint8_t *p, size_t n)
{
    struct net_chunk *k = c->tail;
    size_t fits = k ? k->room : 0;

    if (fits > n)
        fits = n;
    if (fits) {
        chunk_put(k, p, fits);
        count_queued(c, fits);
    }
    if (fits == n)
        return;
    k = chunk_add(c, n - fits);
    if (!k)
        return;
    chunk_put(k, p + fits, n - fits);
    count_queued(c, n - fits);
}

void net_conn_append(struct net_conn *c, const void *p, size_t n)
{
    if (takes_more(c))
        put(c, p, n);
}

void net_conn_append2(struct net_conn *c, const void *head, size_t nhead,
                      const void *p, size_t n)
{
    struct net_chunk *k = c->tail;

    if (!takes_more(c))
        return;
    if (k && k->room >= nhead && k->room - nhead >= n) { /* as usual */
        chunk_put(k, head, nhead);
        if (n)
            chunk_put(k, p, n);
        count_queued(c, nhead + n);
        return;
    }
    put(c, head, nhead);
    if (!c->failed)
        put(c, p, n);
}

void net_conn_append_buf(struct net_conn *c, struct buf *b)
{
    struct net_chunk *k;

    if (b->len == 0 || !takes_more(c))
        return;
    if (b->len <= NET_COPY_MAX && c->tail && b->len <= c->tail->room) {
        put(c, b->data, b->len);
        return;
    }
    k = chunk_take(&c->loop->spare_refs, 0);
    if (!k) {
        net_conn_fail(c, NET_CLOSE_NOMEM);
        return;
    }
    k->ref = buf_ref(b);
    k->at = b->data;
    k->len = b->len;
    k->room = 0;
    enqueue(c, k);
    count_queued(c, b->len);
}

void *net_conn_reserve(struct net_conn *c, size_t n)
{
    struct net_chunk *k = c->tail;

    if (!takes_more(c))
        return NULL;
    if (!k || k->room < n)
        k = chunk_add(c, n);
    return k ? chunk_end(k) : NULL;
}

void net_conn_commit(struct net_conn *c, size_t used)
{
    c->tail->len += used;
    c->tail->room -= used;
    count_queued(c, used);
}

/* -------------------------------------------------------------- writing -- */

/* Hand the first chunks to the kernel; *offered is their length. */
static ssize_t write_pieces(struct net_conn *c, size_t *offered)
{
    struct iovec iov[NET_WRITE_PIECES];
    struct msghdr msg = { .msg_iov = iov };
    struct net_chunk *k = c->tail;
    size_t n = 0;

    *offered = 0;
    do {
        k = k->next;
        iov[n++] = (struct iovec){ (void *)(uintptr_t)k->at, k->len };
        *offered += k->len;
    } while (k != c->tail && n < NET_WRITE_PIECES);
    if (n == 1)
        return send(c->fd, iov[0].iov_base, iov[0].iov_len, MSG_NOSIGNAL);
    msg.msg_iovlen = n;
    return sendmsg(c->fd, &msg, MSG_NOSIGNAL);
}

void net_output_consume(struct net_conn *c, size_t n)
{
    c->bytes_out += n;
    c->last_out_ms = (uint32_t)c->loop->now_ms;
    c->loop->bytes_out += n;
    c->queued -= n;
    c->loop->queued_bytes -= n;
    while (n) {
        struct net_chunk *k = c->tail->next;

        if (n < k->len) {
            k->at += n;
            k->len -= n;
            return;
        }
        n -= k->len;
        take_first(c);
        k->at += k->len;
        k->len = 0;
        chunk_release(c->loop, k);
    }
}

int net_output_write(struct net_conn *c)
{
    if (c->tls)
        return net_tls_write(c);
    while (c->queued) {
        size_t offered;
        ssize_t n = write_pieces(c, &offered);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN ? SIO_OK : SIO_E_SYS;
        net_output_consume(c, (size_t)n);
        if ((size_t)n < offered)
            break;
    }
    return SIO_OK;
}

void net_output_clear(struct net_conn *c)
{
    c->loop->queued_bytes -= c->queued;
    c->loop->discarded_bytes += c->queued;
    c->queued = 0;
    while (c->tail)
        chunk_release(c->loop, take_first(c));
}

static void spare_free(struct net_spare *spare)
{
    while (spare->first) {
        struct net_chunk *k = spare->first;

        spare->first = k->next;
        free(k);
    }
    spare->count = 0;
}

void net_output_free_spare(struct net_loop *loop)
{
    spare_free(&loop->spare_chunks);
    spare_free(&loop->spare_refs);
}
