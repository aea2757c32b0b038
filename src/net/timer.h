/*
 * timer.h -- timers of one loop, in two kinds.
 *
 * A timer_queue serves everything that waits equally long (heartbeats, upgrade
 * timeouts, ...): starting a timer appends it, so the queue sorts itself and
 * start and stop cost a few pointer writes. An alarm has a time of its own
 * (acknowledgement timeouts) and lives in a binary heap.
 *
 * Times are in milliseconds of the loop's clock; a test moves that clock by
 * hand. A timer fires at or after its time, never before; an interval of 0 is
 * taken as 1. Loop thread only.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_NET_TIMER_H
#define SRC_NET_TIMER_H

#include "protocol/base/list.h"

#include <stdint.h>

struct net_loop;
struct net_timer_queue;

struct net_timer {
    struct list node;
    uint64_t due_ms;
};

struct net_timer_queue {
    struct list timers; /* by due_ms */
    struct list node;   /* in the loop */
    struct net_loop *loop;
    uint32_t interval_ms;
    /* The timer has stopped when this runs; it may be started again. */
    void (*fire)(struct net_timer *timer);
};

void net_timer_queue_init(struct net_timer_queue *q, struct net_loop *loop,
                          uint32_t interval_ms,
                          void (*fire)(struct net_timer *timer));
/* Stops what still waits. */
void net_timer_queue_close(struct net_timer_queue *q);

void net_timer_init(struct net_timer *t);
/* Due interval_ms from now; a running timer (of any queue) starts anew. */
void net_timer_start(struct net_timer_queue *q, struct net_timer *t);
/* Due interval_ms after it was last due, for a wait that follows another one:
 * so being late does not add up. When that leaves less than half of the
 * interval (the loop stood still), it starts anew: nobody is to blame for time
 * that we have lost. */
void net_timer_start_after(struct net_timer_queue *q, struct net_timer *t);
void net_timer_stop(struct net_timer *t); /* legal when it does not run */

static inline int net_timer_running(const struct net_timer *t)
{
    return !list_empty(&t->node);
}

struct net_alarm {
    uint64_t due_ms;
    size_t slot; /* 1-based place in the heap, 0 = not running */
    void (*fire)(struct net_alarm *alarm);
};

void net_alarm_init(struct net_alarm *a, void (*fire)(struct net_alarm *alarm));
/* SIO_OK or SIO_E_NOMEM; a running alarm is moved (never fails). */
int net_alarm_start(struct net_loop *loop, struct net_alarm *a,
                    uint64_t delay_ms);
void net_alarm_stop(struct net_loop *loop, struct net_alarm *a);

/* --- for loop.c --- */

/* Fire what is due, in the order of due times, and arm the next wake-up. */
void net_timers_run(struct net_loop *loop);

#endif
