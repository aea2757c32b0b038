/*
 * conn.h -- one TCP (or other stream) connection of a loop.
 *
 *   kernel --> on_data(bytes in the loop's input buffer) --> upper layer
 *   upper layer --> net_conn_append*() --> queue --> tail of the turn: one
 *                                                    write for all of it
 *
 * What a connection is sent while its own input is handled, and nobody else
 * is, goes out before the tail: see loop.h.
 *
 * A connection has no input buffer: what on_data() gets lies in the loop's and
 * is gone when it returns; whoever needs a tail keeps it. Output is a queue of
 * chunks: small appends are copied into a shared chunk, a `struct buf` is
 * queued by reference. An idle connection owns neither.
 *
 * After net_conn_close(), or once on_closed() was called, the pointer is good
 * until the end of the turn and no further callback comes. Loop thread only.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_NET_CONN_H
#define SRC_NET_CONN_H

#include "protocol/base/buf.h"
#include "src/net/address.h"
#include "src/net/loop.h"

/* Bytes a second that a peer must take to be waited for, net_conn_finish(). */
#define NET_FINISH_RATE 4096

/* Why a connection ended without its owner having asked. */
/* clang-format off */
#define NET_CLOSE_REASONS(X)                               \
    X(PEER,     "closed by the peer")                      \
    X(RESET,    "connection reset or broken")              \
    X(OVERFLOW, "peer reads too slowly: output limit hit") \
    X(NOMEM,    "out of memory")                           \
    X(TLS,      "TLS has failed")

enum net_close_reason {
#define X(name, text) NET_CLOSE_##name,
    NET_CLOSE_REASONS(X)
#undef X
};
/* clang-format on */

struct net_conn;

struct net_conn_ops {
    /* Bytes arrived; may be modified in place. Returns how many were used:
     * fewer than `len` only when this call gave the connection other ops, which
     * then get the rest at once. */
    size_t (*on_data)(void *self, uint8_t *data, size_t len);
    /* The peer will send no more (FIN). Reading has stopped; writing still
     * works. The owner must close or finish the connection, now or later. NULL:
     * that is an end like any other, on_closed() with NET_CLOSE_PEER. */
    void (*on_end)(void *self);
    /* The connection is gone. Called at most once, never from within a call of
     * the owner into the connection. */
    void (*on_closed)(void *self, enum net_close_reason why);
    /* Everything queued has been handed to the kernel; may be NULL. Called only
     * after an append: at the tail of the turn, or when the input of it or of
     * another connection has been handled; see loop.h. */
    void (*on_drained)(void *self);
};

/* What each event needs lies together, behind that of libevent. */
struct net_conn {
    struct event event;
    /* In loop->answers, ->dirty or ->late, while it is to be flushed; else in
     * loop->linger when its owner has left. */
    struct list dirty;
    struct net_loop *loop;
    const struct net_conn_ops *ops;
    int fd;
    bool reading : 1;     /* not paused */
    bool wants_write : 1; /* the kernel's buffer is full: EV_WRITE is awaited */
    bool ended : 1;       /* the peer's FIN has come */
    bool finishing : 1;   /* the owner has left, see net_conn_finish() */
    bool fin_sent : 1;
    bool outgoing : 1; /* we have made it: see net_conn_open_outgoing() */
    bool failed : 1;   /* doomed: on_closed() comes at the tail */
    bool late : 1;     /* it is in another list than loop->dirty */
    bool closed : 1;
    uint8_t fail_reason : 3; /* enum net_close_reason */
    uint16_t linger_ms;
    struct net_tls *tls;    /* NULL: plain; see tls.h */
    struct net_chunk *tail; /* of the queue, a ring: the first is behind it */
    size_t queued;          /* bytes in the queue */
    union {
        struct { /* as long as it has an owner */
            void *self;
            size_t max_queued; /* over it before an append: it fails */
        };
        struct net_alarm linger;     /* from then on */
        struct net_deferred cleanup; /* once it is closed */
    };
    uint64_t bytes_in, bytes_out;
    uint32_t last_in_ms;  /* the low bits of the loop's clock */
    uint32_t last_out_ms; /* the same: the kernel took bytes */
    struct net_address peer;
    union {
        uint32_t lost;        /* bytes that were queued when it failed */
        uint32_t linger_mark; /* bytes delivered when `linger` was started */
    };
};

/*
 * Take over `fd` (non-blocking; closed with the connection) and start reading.
 *
 * max_queued  bytes of output that may wait; once more than that wait, the next
 *             append fails the connection with NET_CLOSE_OVERFLOW
 * Returns     SIO_OK, or SIO_E_NOMEM / SIO_E_SYS / SIO_E_LIMIT (loop->limits)
 *             with fd still the caller's.
 */
int net_conn_open(struct net_loop *loop, int fd, const struct net_address *peer,
                  size_t max_queued, const struct net_conn_ops *ops, void *self,
                  struct net_conn **out);

/* The same for a connection that we have made: no limit of the loop holds for
 * it, and it is counted in loop->outgoing_count only. */
int net_conn_open_outgoing(struct net_loop *loop, int fd,
                           const struct net_address *peer, size_t max_queued,
                           const struct net_conn_ops *ops, void *self,
                           struct net_conn **out);

void net_conn_set_ops(struct net_conn *c, const struct net_conn_ops *ops,
                      void *self);

/* Queue bytes for this turn's write. After a failure (out of memory, limit) the
 * connection is doomed: it drops what is appended, and on_closed() comes at the
 * tail. So callers need not look at a result. */
void net_conn_append(struct net_conn *c, const void *p, size_t n);
/* Both parts in one piece: a frame's header and its payload. */
void net_conn_append2(struct net_conn *c, const void *head, size_t nhead,
                      const void *p, size_t n);
/* By reference: takes one of its own. */
void net_conn_append_buf(struct net_conn *c, struct buf *b);

/* To write in place: room for n bytes, of which net_conn_commit() then queues
 * the first `used` (> 0), before any other call to the connection. NULL when
 * the connection takes no more. */
void *net_conn_reserve(struct net_conn *c, size_t n);
void net_conn_commit(struct net_conn *c, size_t used);

/* Nothing waits to be written: an append now would go out alone. */
static inline bool net_conn_writable(const struct net_conn *c)
{
    return c->queued == 0 && !c->closed && !c->failed;
}

/* Stop and resume on_data(). */
void net_conn_pause(struct net_conn *c);
void net_conn_resume(struct net_conn *c);

/* Hand bytes that a former owner had kept to on_data(), as if they had just
 * arrived. From a task or a callback of the loop. */
void net_conn_feed(struct net_conn *c, uint8_t *data, size_t len);

/* Write out what is queued, then FIN; drop what still arrives; close when the
 * peer's FIN comes, or linger_ms after ours; also when in linger_ms the peer
 * took less than NET_FINISH_RATE of what is queued. The owner is out at once:
 * no further callback. linger_ms: at most 65,535. */
void net_conn_finish(struct net_conn *c, uint32_t linger_ms);

/* Close now, drop the queue. No further callback. Legal more than once. */
void net_conn_close(struct net_conn *c);

/* Drop the queue and doom the connection: on_closed() comes at the tail. */
void net_conn_fail(struct net_conn *c, enum net_close_reason why);

const char *net_close_reason_text(enum net_close_reason why);

/* --- for the other files of src/net --- */

/* See that the tail of this turn looks at the connection. */
void net_conn_touch(struct net_conn *c);

/* The peer has ended its side, by FIN or within TLS. */
void net_conn_ended(struct net_conn *c);

/* Write to those of loop->answers, then tell their owners. */
void net_conn_flush_answers(struct net_loop *loop);

/* Write touched connections, then tell their owners. Returns how many. What is
 * over NET_FLUSH_MAX of them waits in loop->late, so that the loop can look at
 * others in between: for those it is done by net_conn_flush_late(), once a
 * turn, as far as the `flushed` of this turn leave room. One that is touched
 * anew waits no longer than others that are. */
size_t net_conn_flush_all(struct net_loop *loop);
void net_conn_flush_late(struct net_loop *loop, size_t flushed);

#endif
