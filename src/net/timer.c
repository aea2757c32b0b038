/*
 * timer.c -- see timer.h. All queues and alarms of a loop share one timerfd,
 * armed for the earliest of them. Stopping never touches it; a wake-up that
 * finds nothing due arms it anew (which also takes back its readiness).
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/net/timer.h"
#include "src/net/loop.h"

#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>

#define FIRST_ALARMS 16 /* slots of the first heap */
#define NEVER UINT64_MAX

/* ----------------------------------------------------------- the wake-up -- */

/* NEVER disarms. A test's clock has nothing to do with the kernel's: there
 * net_loop_poll() looks for itself. */
static void arm(struct net_loop *loop, uint64_t due_ms)
{
    struct itimerspec at = { 0 };

    loop->timer_armed_ms = due_ms;
    if (!loop->real_time || due_ms == NEVER)
        due_ms = 0;
    at.it_value.tv_sec = (time_t)(due_ms / 1000);
    at.it_value.tv_nsec = (long)(due_ms % 1000 * 1000000);
    timerfd_settime(loop->timer_fd, TFD_TIMER_ABSTIME, &at, NULL);
}

/* A delay counts from now. In callbacks of the loop now_ms is that; on a
 * borrowed base the caller may also be one that the loop knows nothing of. A
 * delay of 0 is 1: a timer that starts itself again must not hold the turn. */
static uint64_t due_after(struct net_loop *loop, uint64_t delay_ms)
{
    if (!loop->owns_base)
        net_loop_read_clock(loop);
    if (delay_ms == 0)
        delay_ms = 1;
    return delay_ms < NEVER - loop->now_ms ? loop->now_ms + delay_ms : NEVER;
}

static void arm_if_earlier(struct net_loop *loop, uint64_t due_ms)
{
    if (due_ms < loop->timer_armed_ms)
        arm(loop, due_ms);
}

static struct net_timer *queue_head(struct net_timer_queue *q)
{
    return list_empty(&q->timers)
               ? NULL
               : container_of(q->timers.next, struct net_timer, node);
}

/* The queue whose head is due first; NULL when all are empty. */
static struct net_timer_queue *earliest_queue(struct net_loop *loop,
                                              uint64_t *due_ms)
{
    struct net_timer_queue *first = NULL;

    *due_ms = NEVER;
    list_for_each_safe(it, tmp, &loop->timer_queues)
    {
        struct net_timer_queue *q =
            container_of(it, struct net_timer_queue, node);
        struct net_timer *t = queue_head(q);

        if (t && t->due_ms < *due_ms) {
            *due_ms = t->due_ms;
            first = q;
        }
    }
    return first;
}

/* Fire the earliest timer or alarm if it is due by `now`; else return false and
 * when it will be. */
static bool fire_one(struct net_loop *loop, uint64_t now, uint64_t *due_ms)
{
    struct net_timer_queue *q = earliest_queue(loop, due_ms);
    struct net_alarm *a = loop->alarm_count ? loop->alarms[1] : NULL;

    if (a && a->due_ms < *due_ms) {
        *due_ms = a->due_ms;
        q = NULL;
    }
    if (*due_ms > now || *due_ms == NEVER)
        return false;
    if (q) {
        struct net_timer *t = queue_head(q);

        net_timer_stop(t);
        q->fire(t);
    } else {
        net_alarm_stop(loop, a);
        a->fire(a);
    }
    return true;
}

void net_timers_run(struct net_loop *loop)
{
    uint64_t now = loop->now_ms, due_ms;

    while (fire_one(loop, now, &due_ms))
        ;
    arm(loop, due_ms);
}

/* ---------------------------------------------------------------- queues -- */

void net_timer_queue_init(struct net_timer_queue *q, struct net_loop *loop,
                          uint32_t interval_ms,
                          void (*fire)(struct net_timer *timer))
{
    list_init(&q->timers);
    list_append(&loop->timer_queues, &q->node);
    q->loop = loop;
    q->interval_ms = interval_ms;
    q->fire = fire;
}

void net_timer_queue_close(struct net_timer_queue *q)
{
    while (!list_empty(&q->timers))
        list_remove(q->timers.next);
    list_remove(&q->node);
}

void net_timer_init(struct net_timer *t)
{
    list_init(&t->node);
    t->due_ms = 0;
}

void net_timer_start(struct net_timer_queue *q, struct net_timer *t)
{
    list_remove(&t->node);
    t->due_ms = due_after(q->loop, q->interval_ms);
    list_append(&q->timers, &t->node);
    arm_if_earlier(q->loop, t->due_ms);
}

void net_timer_start_after(struct net_timer_queue *q, struct net_timer *t)
{
    uint64_t anew = due_after(q->loop, q->interval_ms);

    list_remove(&t->node);
    t->due_ms += q->interval_ms;
    if (t->due_ms + q->interval_ms / 2 < anew)
        t->due_ms = anew;
    list_append(&q->timers, &t->node);
    arm_if_earlier(q->loop, t->due_ms);
}

void net_timer_stop(struct net_timer *t)
{
    list_remove(&t->node);
}

/* ---------------------------------------------------------------- alarms -- */

static void heap_set(struct net_loop *loop, size_t slot, struct net_alarm *a)
{
    loop->alarms[slot] = a;
    a->slot = slot;
}

/* Move `a`, meant for `slot`, to where the heap's order wants it. */
static void heap_place(struct net_loop *loop, size_t slot, struct net_alarm *a)
{
    struct net_alarm **heap = loop->alarms;
    size_t child;

    for (; slot > 1 && heap[slot / 2]->due_ms > a->due_ms; slot /= 2)
        heap_set(loop, slot, heap[slot / 2]);
    for (; (child = slot * 2) <= loop->alarm_count; slot = child) {
        if (child < loop->alarm_count &&
            heap[child + 1]->due_ms < heap[child]->due_ms)
            child++;
        if (heap[child]->due_ms >= a->due_ms)
            break;
        heap_set(loop, slot, heap[child]);
    }
    heap_set(loop, slot, a);
}

/* Room for one more; slot 0 is never used. */
static int heap_reserve(struct net_loop *loop)
{
    size_t cap = loop->alarm_cap ? loop->alarm_cap * 2 : FIRST_ALARMS;
    struct net_alarm **heap;

    if (loop->alarm_count + 1 < loop->alarm_cap)
        return SIO_OK;
    heap = realloc(loop->alarms, cap * sizeof *heap);
    if (!heap)
        return SIO_E_NOMEM;
    loop->alarms = heap;
    loop->alarm_cap = cap;
    return SIO_OK;
}

void net_alarm_init(struct net_alarm *a, void (*fire)(struct net_alarm *alarm))
{
    *a = (struct net_alarm){ .fire = fire };
}

int net_alarm_start(struct net_loop *loop, struct net_alarm *a,
                    uint64_t delay_ms)
{
    if (!a->slot) {
        if (heap_reserve(loop) < 0)
            return SIO_E_NOMEM;
        a->slot = ++loop->alarm_count;
    }
    a->due_ms = due_after(loop, delay_ms);
    heap_place(loop, a->slot, a);
    arm_if_earlier(loop, a->due_ms);
    return SIO_OK;
}

void net_alarm_stop(struct net_loop *loop, struct net_alarm *a)
{
    struct net_alarm *last;
    size_t slot = a->slot;

    if (!slot)
        return;
    last = loop->alarms[loop->alarm_count--];
    a->slot = 0;
    if (last != a)
        heap_place(loop, slot, last);
}
