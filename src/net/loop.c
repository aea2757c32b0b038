/*
 * loop.c -- see loop.h.
 *
 * The tail is an event that event_active() puts behind those already active,
 * so it runs when the ready I/O of this turn has been served.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/net/loop.h"
#include "src/net/entries.h"
#include "src/net/output.h"
#include "src/net/trim.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

/* Rounds of tasks and flushes in one tail; what makes more work than that must
 * let the loop look at the other connections in between. */
#define TAIL_ROUNDS 16

static uint64_t monotonic_ms(void *self)
{
    struct timespec ts;

    (void)self;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* -------------------------------------------------------------- the tail -- */

static bool has_work(const struct net_loop *loop)
{
    return !list_empty(&loop->tasks) || !list_empty(&loop->answers) ||
           !list_empty(&loop->dirty);
}

static void run_tasks(struct net_loop *loop)
{
    struct list now;

    list_move(&loop->tasks, &now);
    while (!list_empty(&now)) {
        struct net_task *task = container_of(now.next, struct net_task, node);

        list_remove(&task->node);
        task->run(task);
    }
}

static void run_deferred(struct net_loop *loop)
{
    while (loop->deferred) {
        struct net_deferred *d = loop->deferred;

        loop->deferred = d->next;
        if (!loop->deferred)
            loop->deferred_end = &loop->deferred;
        d->run(d);
    }
}

static void arm_tail(struct net_loop *loop, bool next_turn)
{
    static const struct timeval at_once;

    loop->tail_armed = true;
    if (!next_turn || event_add(&loop->tail, &at_once) < 0)
        event_active(&loop->tail, EV_TIMEOUT, 1);
}

static void run_tail(struct net_loop *loop)
{
    size_t flushed = 0;

    loop->in_tail = true;
    for (int i = 0; i < TAIL_ROUNDS && (has_work(loop) || loop->deferred);
         i++) {
        run_tasks(loop);
        flushed += net_conn_flush_all(loop);
        if (!has_work(loop))
            run_deferred(loop);
    }
    if (!list_empty(&loop->late))
        net_conn_flush_late(loop, flushed);
    loop->in_tail = false;
    loop->tail_armed = false;
    if (has_work(loop) || loop->deferred || !list_empty(&loop->late))
        arm_tail(loop, true);
}

static void on_tail(evutil_socket_t fd, short what, void *arg)
{
    struct net_loop *loop = arg;

    (void)fd;
    (void)what;
    run_tail(loop);
    if (loop->on_turn)
        loop->on_turn(loop->turn_self);
}

void net_loop_need_tail(struct net_loop *loop)
{
    if (!loop->tail_armed && !loop->in_tail)
        arm_tail(loop, false);
}

void net_task_init(struct net_task *task, void (*run)(struct net_task *task))
{
    list_init(&task->node);
    task->run = run;
}

void net_task_schedule(struct net_loop *loop, struct net_task *task)
{
    if (!list_empty(&task->node))
        return;
    list_append(&loop->tasks, &task->node);
    net_loop_need_tail(loop);
}

void net_task_cancel(struct net_task *task)
{
    list_remove(&task->node);
}

void net_defer(struct net_loop *loop, struct net_deferred *d,
               void (*run)(struct net_deferred *deferred))
{
    d->run = run;
    d->next = NULL;
    *loop->deferred_end = d;
    loop->deferred_end = &d->next;
    net_loop_need_tail(loop);
}

/* ------------------------------------------------------------------ mail -- */

static void wake(struct net_loop *loop)
{
    uint64_t one = 1;

    /* Only a counter at its maximum could refuse, and that wakes as well. */
    while (write(loop->mail_fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

/* A stack that any thread pushes to; whoever finds it empty wakes the loop. */
void net_post(struct net_loop *loop, struct net_mail *mail)
{
    struct net_mail *top =
        atomic_load_explicit(&loop->mail, memory_order_relaxed);

    do
        mail->next = top;
    while (!atomic_compare_exchange_weak_explicit(
        &loop->mail, &top, mail, memory_order_release, memory_order_relaxed));
    if (!top)
        wake(loop);
}

/* Take the whole stack and run it from the bottom: in the order of posting. */
static void run_mail(struct net_loop *loop)
{
    struct net_mail *stack =
        atomic_exchange_explicit(&loop->mail, NULL, memory_order_acquire);
    struct net_mail *queue = NULL;

    while (stack) {
        struct net_mail *next = stack->next;

        stack->next = queue;
        queue = stack;
        stack = next;
    }
    while (queue) {
        struct net_mail *mail = queue;

        queue = mail->next;
        mail->run(mail);
    }
}

static void on_mail(evutil_socket_t fd, short what, void *arg)
{
    struct net_loop *loop = arg;
    uint64_t count;

    (void)what;
    net_loop_enter(loop);
    /* Before the stack is taken: who posts after that wakes again. */
    while (read(fd, &count, sizeof count) < 0 && errno == EINTR)
        ;
    run_mail(loop);
    if (atomic_load(&loop->stopping) && loop->running)
        event_base_loopbreak(loop->base);
}

/* ---------------------------------------------------------------- turns -- */

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct net_loop *loop = arg;

    (void)fd;
    (void)what;
    net_loop_enter(loop);
    net_timers_run(loop);
}

void net_loop_attach(struct net_loop *loop)
{
    atomic_store_explicit(&loop->thread, pthread_self(), memory_order_relaxed);
    net_loop_read_clock(loop);
}

void net_loop_deliver(struct net_loop *loop)
{
    net_loop_attach(loop);
    run_mail(loop);
}

int net_loop_run(struct net_loop *loop)
{
    int r = 0;

    net_loop_attach(loop);
    loop->running = true;
    if (!atomic_load(&loop->stopping))
        r = event_base_loop(loop->base, EVLOOP_NO_EXIT_ON_EMPTY);
    loop->running = false;
    atomic_store(&loop->stopping, false);
    do
        run_tail(loop);
    while (!list_empty(&loop->late));
    return r < 0 ? SIO_E_SYS : SIO_OK;
}

void net_loop_stop(struct net_loop *loop)
{
    atomic_store(&loop->stopping, true);
    wake(loop);
}

void net_loop_poll(struct net_loop *loop)
{
    net_loop_attach(loop);
    event_base_loop(loop->base, EVLOOP_NONBLOCK | EVLOOP_ONCE);
    net_loop_read_clock(loop);
    net_timers_run(loop);
    run_tail(loop);
}

/* ---------------------------------------------------- beginning and end -- */

/* One thread runs the base, so it needs no locks; descriptors are never
 * duplicated, so changes of interest may be collected until the next wait,
 * unless connections move: one that has gone to another loop must be out of
 * this one's epoll before anybody can close it there. */
static struct event_base *base_new(bool moves)
{
    struct event_config *config = event_config_new();
    struct event_base *base;

    if (!config)
        return NULL;
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
    if (!moves)
        event_config_set_flag(config, EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
    base = event_base_new_with_config(config);
    event_config_free(config);
    return base;
}

static void close_fds(struct net_loop *loop)
{
    if (loop->mail_fd >= 0)
        close(loop->mail_fd);
    if (loop->timer_fd >= 0)
        close(loop->timer_fd);
}

static int open_fds(struct net_loop *loop)
{
    int saved;

    loop->mail_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    loop->timer_fd =
        timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (loop->mail_fd >= 0 && loop->timer_fd >= 0)
        return SIO_OK;
    saved = errno;
    close_fds(loop);
    errno = saved;
    return SIO_E_SYS;
}

static int open_base(struct net_loop *loop,
                     const struct net_loop_config *config)
{
    loop->owns_base = !config->base;
    loop->entries_end =
        loop->owns_base && !config->moves ? NET_ENTRIES_FROM : INT_MAX;
    loop->base = config->base ? config->base : base_new(config->moves);
    if (!loop->base)
        return SIO_E_NOMEM;
    event_assign(&loop->tail, loop->base, -1, 0, on_tail, loop);
    event_assign(&loop->timer_event, loop->base, loop->timer_fd,
                 EV_READ | EV_PERSIST, on_timer, loop);
    event_assign(&loop->mail_event, loop->base, loop->mail_fd,
                 EV_READ | EV_PERSIST, on_mail, loop);
    if (event_add(&loop->mail_event, NULL) == 0 &&
        event_add(&loop->timer_event, NULL) == 0)
        return SIO_OK;
    event_del(&loop->mail_event);
    if (loop->owns_base)
        event_base_free(loop->base);
    return SIO_E_SYS;
}

int net_loop_init(struct net_loop *loop, const struct net_loop_config *config)
{
    int r;

    *loop = (struct net_loop){ .timer_armed_ms = UINT64_MAX };
    loop->clock = config->clock ? config->clock : monotonic_ms;
    loop->clock_self = config->clock_self;
    loop->real_time = !config->clock;
    loop->deferred_end = &loop->deferred;
    list_init(&loop->tasks);
    list_init(&loop->answers);
    list_init(&loop->dirty);
    list_init(&loop->late);
    list_init(&loop->linger);
    list_init(&loop->timer_queues);
    net_trim_init(loop);
    net_loop_attach(loop);
    r = open_fds(loop);
    if (r < 0)
        return r;
    loop->input = malloc(NET_INPUT_SIZE);
    r = loop->input ? open_base(loop, config) : SIO_E_NOMEM;
    if (r < 0) {
        free(loop->input);
        close_fds(loop);
    }
    return r;
}

/* Of the others of these lists, the owners have to be asked. */
static void close_finished(struct list *conns)
{
    list_for_each_safe(it, tmp, conns)
    {
        struct net_conn *c = container_of(it, struct net_conn, dirty);

        if (c->finishing)
            net_conn_close(c);
    }
}

void net_loop_destroy(struct net_loop *loop)
{
    run_mail(loop);
    close_finished(&loop->answers);
    close_finished(&loop->dirty);
    close_finished(&loop->late);
    close_finished(&loop->linger);
    while (has_work(loop) || loop->deferred)
        run_tail(loop);
    event_del(&loop->tail);
    event_del(&loop->timer_event);
    event_del(&loop->mail_event);
    if (loop->owns_base)
        event_base_free(loop->base);
    close_fds(loop);
    net_output_free_spare(loop);
    free(loop->alarms);
    free(loop->input);
}
