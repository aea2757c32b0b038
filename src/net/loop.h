/*
 * loop.h -- one event loop: a thread with its event_base, and what its
 * connections share.
 *
 * A turn goes: ready I/O, timers and mail; then the tail, once, when anything
 * asked for it:
 *
 *   tasks (net_task_schedule)  ->  flush of touched connections
 *                              ->  deferred clean-up (net_defer)
 *
 * so that each connection is written at most once for all that others send it
 * in a turn, and memory of what was closed outlives every caller that may still
 * hold a pointer to it. When very many connections were touched, some are
 * written to in later turns.
 *
 * A connection whose input was answered, while no other was touched and no task
 * scheduled, does not wait for the tail: it is written to with the next
 * NET_ANSWERS of its like, as long as the caches still hold what belongs to it;
 * see docs/decisions/0025.
 *
 * Everything here is for the loop's own thread, but net_post() and
 * net_loop_stop().
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_NET_LOOP_H
#define SRC_NET_LOOP_H

#include "protocol/base/list.h"
#include "src/net/address.h"
#include "src/net/timer.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <pthread.h>
#include <sio/types.h>
#include <stdatomic.h>

#define NET_INPUT_SIZE (256u * 1024) /* bytes read at most per readiness */
#define NET_FLUSH_MAX 512            /* connections written to in one turn */
#define NET_FLUSH_LATE 128 /* of which so many may be from earlier turns */
#define NET_ANSWERS 16     /* connections that are answered together */

/* Output chunks to be used again; see output.h. */
struct net_spare {
    struct net_chunk *first;
    size_t count;
};

/* A message to a loop; embed it in the object that is posted. */
struct net_mail {
    struct net_mail *next;
    void (*run)(struct net_mail *mail); /* on the loop's thread */
};

/* Something to do once at the tail of this turn, before the flush. */
struct net_task {
    struct list node;
    void (*run)(struct net_task *task);
};

/* Something to do at the very end of this turn: usually free(). */
struct net_deferred {
    struct net_deferred *next;
    void (*run)(struct net_deferred *deferred);
};

struct net_limits;

struct net_loop {
    struct event_base *base;
    bool owns_base;
    int entries_end; /* of the numbers that libevent knows: see entries.h */
    bool running;    /* inside net_loop_run() */
    _Atomic pthread_t thread; /* that runs it, or has made it */
    atomic_bool stopping;

    uint64_t (*clock)(void *self); /* ms, monotonic */
    void *clock_self;
    bool real_time; /* that clock is the system's */
    uint64_t
        now_ms; /* read from the clock when a callback of the loop begins */

    uint8_t *input; /* NET_INPUT_SIZE bytes: every connection reads into it */

    /* Called at the end of every turn that had a tail; NULL: nobody wants it.
     */
    void (*on_turn)(void *self);
    void *turn_self;
    struct event tail;
    bool tail_armed, in_tail;
    struct list tasks;   /* net_task */
    struct list answers; /* connections to flush, whose own input it was */
    size_t answer_count; /* at least so many of them */
    struct list dirty;   /* others to flush */
    struct list late;    /* those that could not be in their turn */
    struct net_deferred *deferred, **deferred_end;

    struct list linger;    /* connections whose owner has left, and that wait */
    size_t conn_count;     /* of them, that were accepted */
    size_t conn_peak;      /* most of them since memory was given back */
    size_t trims;          /* how often that was */
    struct net_alarm trim; /* see trim.h */
    size_t outgoing_count; /* and that we have made */
    atomic_size_t waiting_count; /* accepted, but no connection yet: see
                                    proxy.h; others may read it */
    struct net_limits *limits;   /* of connections; NULL: none */
    size_t tls_count;            /* those with TLS */
    uint64_t tls_handshakes, tls_failures; /* handshakes that did, or did not */
    /* TLS of a connection failed, in its handshake or later; for the log. NULL:
     * nobody listens. */
    void (*on_tls_failed)(void *self, const struct net_address *peer,
                          bool handshake, const char *why);
    void *tls_self;
    size_t queued_bytes;          /* output waiting in all of them */
    uint64_t bytes_in, bytes_out; /* of all; out within TLS */
    uint64_t discarded_bytes;     /* output of connections that were cut */
    struct net_spare spare_chunks, spare_refs;
    size_t chunk_count; /* chunks and references in use */

    struct list timer_queues;
    struct net_alarm **alarms; /* heap, 1-based */
    size_t alarm_count, alarm_cap;
    int timer_fd; /* timerfd: libevent's own timeouts go by a coarse clock */
    struct event timer_event;
    uint64_t timer_armed_ms; /* when timer_event is due; UINT64_MAX = never */

    _Atomic(struct net_mail *) mail;
    int mail_fd; /* eventfd */
    struct event mail_event;
};

struct net_loop_config {
    struct event_base *base; /* borrowed; NULL: the loop makes its own */
    bool moves;              /* its connections go to other loops: handoff.h */
    uint64_t (*clock)(void *self); /* NULL: CLOCK_MONOTONIC */
    void *clock_self;
};

/* SIO_OK, SIO_E_NOMEM or SIO_E_SYS. The loop owns nothing of `config`. */
int net_loop_init(struct net_loop *loop, const struct net_loop_config *config);

/* Listeners, timer queues and all connections that have an owner must be closed
 * before; finished ones that still linger are closed here. Mail that was not
 * delivered and what is deferred is run. */
void net_loop_destroy(struct net_loop *loop);

/* Run on the calling thread until net_loop_stop(). */
int net_loop_run(struct net_loop *loop);

/* The calling thread runs the base itself (a borrowed event_base). */
void net_loop_attach(struct net_loop *loop);

/* Run the mail that is there, on the calling thread, which has the loop from
 * here on: for the owner of a loop that has ended, before it frees what the
 * mail may be about. */
void net_loop_deliver(struct net_loop *loop);

/* One turn without waiting: ready I/O, due timers, mail, tail. For tests. */
void net_loop_poll(struct net_loop *loop);

void net_loop_stop(struct net_loop *loop); /* any thread */

static inline bool net_loop_is_current(const struct net_loop *loop)
{
    return pthread_equal(
        atomic_load_explicit(&loop->thread, memory_order_relaxed),
        pthread_self());
}

/* Any thread. Messages of one thread run in the order they were posted; one
 * wake-up per batch. The loop owns `mail` until run() is called. */
void net_post(struct net_loop *loop, struct net_mail *mail);

void net_task_init(struct net_task *task, void (*run)(struct net_task *task));
/* Idempotent until it ran. */
void net_task_schedule(struct net_loop *loop, struct net_task *task);
void net_task_cancel(struct net_task *task);

void net_defer(struct net_loop *loop, struct net_deferred *d,
               void (*run)(struct net_deferred *deferred));

/* --- for the other files of src/net --- */

/* Make sure that this turn has a tail. */
void net_loop_need_tail(struct net_loop *loop);

static inline void net_loop_read_clock(struct net_loop *loop)
{
    loop->now_ms = loop->clock(loop->clock_self);
}

/* First thing in every callback that libevent makes: now_ms is then right, and
 * so is the thread, which on a borrowed base the program chooses. */
static inline void net_loop_enter(struct net_loop *loop)
{
    if (!loop->owns_base)
        atomic_store_explicit(&loop->thread, pthread_self(),
                              memory_order_relaxed);
    net_loop_read_clock(loop);
}

#endif
