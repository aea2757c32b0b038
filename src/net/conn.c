/*
 * conn.c -- the life of a connection: reading, the flush at the tail of the
 * turn, the ways to end.
 *
 *   open --> fail()   --> tail: on_closed(), closed
 *        --> close()  --> closed
 *        --> finish() --> queue written --> FIN sent --> peer's FIN --> closed
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/net/conn.h"
#include "src/net/entries.h"
#include "src/net/handoff.h"
#include "src/net/limits.h"
#include "src/net/output.h"
#include "src/net/tls.h"
#include "src/net/trim.h"

#include <errno.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

const char *net_close_reason_text(enum net_close_reason why)
{
    static const char *const texts[] = {
#define X(name, text) text,
        NET_CLOSE_REASONS(X)
#undef X
    };

    return texts[why];
}

/* ---------------------------------------------------------------- events -- */

static void on_event(evutil_socket_t fd, short what, void *arg);

/* Register for what the connection waits for now. */
static void update_event(struct net_conn *c)
{
    short what = EV_PERSIST;

    event_del(&c->event);
    if (c->closed || c->failed)
        return;
    if (c->reading && !c->ended)
        what |= EV_READ;
    if (c->wants_write)
        what |= EV_WRITE;
    if (what == EV_PERSIST)
        return;
    event_assign(&c->event, c->loop->base, c->fd, what, on_event, c);
    if (event_add(&c->event, NULL) < 0)
        net_conn_fail(c, NET_CLOSE_NOMEM);
}

static void wait_writable(struct net_conn *c, bool wanted)
{
    if (c->wants_write == wanted)
        return;
    c->wants_write = wanted;
    update_event(c);
}

void net_conn_touch(struct net_conn *c)
{
    if (!list_empty(&c->dirty)) {
        if (!c->late)
            return;
        list_remove(&c->dirty); /* it is this one's turn again */
    }
    c->late = false;
    list_append(&c->loop->dirty, &c->dirty);
    net_loop_need_tail(c->loop);
}

/* --------------------------------------------------------------- reading -- */

void net_conn_feed(struct net_conn *c, uint8_t *data, size_t len)
{
    const struct net_conn_ops *ops;

    do {
        size_t used;

        if (c->closed || c->failed)
            return;
        ops = c->ops;
        used = ops->on_data(c->self, data, len);
        data += used;
        len -= used;
    } while (len && c->ops != ops);
}

/* The peer has ended its side of a connection that has no owner any more. */
static void end_of_both(struct net_conn *c)
{
    if (c->fin_sent)
        net_conn_close(c);
}

void net_conn_ended(struct net_conn *c)
{
    c->ended = true;
    update_event(c);
    if (c->failed)
        return;
    if (c->finishing)
        end_of_both(c);
    else if (c->ops->on_end)
        c->ops->on_end(c->self);
    else
        net_conn_fail(c, NET_CLOSE_PEER);
}

/* What comes below TLS lies a little further back. */
static ssize_t receive(struct net_conn *c)
{
    size_t at = c->tls ? NET_TLS_HEADROOM : 0;

    return recv(c->fd, c->loop->input + at, NET_INPUT_SIZE - at, 0);
}

static void on_readable(struct net_conn *c)
{
    ssize_t n = receive(c);

    if (n > 0) {
        c->bytes_in += (size_t)n;
        c->loop->bytes_in += (size_t)n;
        c->last_in_ms = (uint32_t)c->loop->now_ms;
        if (c->tls)
            net_tls_received(c, (size_t)n);
        else
            net_conn_feed(c, c->loop->input, (size_t)n);
        return;
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (c->tls)
        net_tls_ended(c);
    if (n == 0)
        net_conn_ended(c);
    else
        net_conn_fail(c, NET_CLOSE_RESET);
}

/* What it was sent goes out with the next answers, not at the tail. */
static void answer(struct net_conn *c)
{
    struct net_loop *loop = c->loop;

    list_remove(&c->dirty);
    list_append(&loop->answers, &c->dirty);
    if (++loop->answer_count >= NET_ANSWERS)
        net_conn_flush_answers(loop);
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
    struct net_conn *c = arg;
    struct net_loop *loop = c->loop;
    struct list *last, *last_task;

    (void)fd;
    net_loop_enter(loop);
    if (what & EV_WRITE)
        net_conn_touch(c);
    if (!(what & EV_READ))
        return;
    last = loop->dirty.prev;
    last_task = loop->tasks.prev;
    on_readable(c);
    if (c->dirty.prev == last && loop->dirty.prev == &c->dirty &&
        loop->tasks.prev == last_task && !c->failed)
        answer(c); /* nobody but it was touched, and no task will touch it */
}

void net_conn_pause(struct net_conn *c)
{
    if (!c->reading)
        return;
    c->reading = false;
    update_event(c);
}

void net_conn_resume(struct net_conn *c)
{
    if (c->reading)
        return;
    c->reading = true;
    update_event(c);
}

/* -------------------------------------------------------------- the tail -- */

/* Bytes that the peer's side has taken; its low bits. Of TLS those of its
 * records, which are what waits in the kernel: of a record that is not written
 * whole, no byte is in bytes_out. */
static uint32_t delivered(const struct net_conn *c)
{
    uint32_t sent = c->tls ? net_tls_sent(c) : (uint32_t)c->bytes_out;
    int waiting = 0; /* in the kernel */

    if (ioctl(c->fd, SIOCOUTQ, &waiting) < 0)
        waiting = 0;
    return sent - (uint32_t)waiting;
}

static void linger_on(struct net_conn *c)
{
    if (c->queued) /* else nobody will ask */
        c->linger_mark = delivered(c);
    if (net_alarm_start(c->loop, &c->linger, c->linger_ms) < 0)
        net_conn_close(c);
}

/* All is written of a connection whose owner has left: our FIN follows. When
 * the peer's was there before, nothing is left to wait for. */
static void send_fin(struct net_conn *c)
{
    if (c->tls && !net_tls_goodbye(c)) {
        wait_writable(c, true);
        if (!c->linger.slot)
            linger_on(c);
        return;
    }
    net_tls_free(c); /* what still comes is dropped as it is */
    if (c->ended || shutdown(c->fd, SHUT_WR) < 0) {
        net_conn_close(c);
        return;
    }
    c->fin_sent = true;
    linger_on(c);
}

/* What it has to wait for comes by itself. */
static void wait_idle(struct net_conn *c)
{
    if (c->closed || !list_empty(&c->dirty))
        return;
    c->late = true;
    list_append(&c->loop->linger, &c->dirty);
}

/* Write. True when the owner has something to hear of it. */
static bool flush(struct net_conn *c)
{
    size_t before = c->queued;

    if ((before || c->tls) && net_output_write(c) < 0)
        net_conn_fail(c, NET_CLOSE_RESET);
    if (c->failed)
        return true;
    wait_writable(c, c->tls ? net_tls_wants_write(c) : c->queued > 0);
    if (c->finishing) {
        if (c->queued == 0 && !c->fin_sent)
            send_fin(c);
        else if (!c->linger.slot)
            linger_on(c);
        wait_idle(c);
        return false;
    }
    return c->queued == 0 && before && c->ops->on_drained;
}

static void let_alert_arrive(struct net_conn *c);

static void tell(struct net_conn *c)
{
    if (c->failed) {
        const struct net_conn_ops *ops = c->ops;
        void *self = c->self;
        enum net_close_reason why = (enum net_close_reason)c->fail_reason;

        if (why == NET_CLOSE_TLS)
            let_alert_arrive(c);
        else
            net_conn_close(c);
        ops->on_closed(self, why);
    } else if (c->queued || c->finishing) {
        net_conn_touch(c); /* has changed since it was written */
    } else if (c->ops->on_drained) {
        c->ops->on_drained(c->self);
    }
}

static struct net_conn *first_of(struct list *dirty)
{
    return container_of(dirty->next, struct net_conn, dirty);
}

/* Write at most `max` of those in the list, then tell their owners. Returns how
 * many.
 *
 * A connection is in one list of `dirty` at a time, so whatever a callback does
 * to another one, closing included, the lists here stay whole. */
static size_t flush_some(struct list *touched, size_t max)
{
    struct list news;
    size_t count = 0;

    list_init(&news);
    for (; !list_empty(touched) && count < max; count++) {
        struct net_conn *c = first_of(touched);

        list_remove(&c->dirty);
        c->late = false;
        if (flush(c)) {
            list_remove(&c->dirty); /* failing has touched it again */
            list_append(&news, &c->dirty);
        }
    }
    while (!list_empty(&news)) {
        struct net_conn *c = first_of(&news);

        list_remove(&c->dirty);
        tell(c);
    }
    return count;
}

/* The end of a connection is for the tail. */
static void flush_answer(struct net_conn *c)
{
    if (c->failed || c->finishing)
        list_append(&c->loop->dirty, &c->dirty);
    else if (flush(c) && !c->failed)
        c->ops->on_drained(c->self);
}

void net_conn_flush_answers(struct net_loop *loop)
{
    loop->answer_count = 0;
    while (!list_empty(&loop->answers)) {
        struct net_conn *c = first_of(&loop->answers);

        list_remove(&c->dirty);
        flush_answer(c);
    }
}

static void postpone(struct net_loop *loop, struct list *touched)
{
    while (!list_empty(touched)) {
        struct net_conn *c = first_of(touched);

        list_remove(&c->dirty);
        c->late = true;
        list_append(&loop->late, &c->dirty);
    }
}

size_t net_conn_flush_all(struct net_loop *loop)
{
    struct list touched;
    size_t count;

    net_conn_flush_answers(loop);
    list_move(&loop->dirty, &touched);
    count = flush_some(&touched, NET_FLUSH_MAX);
    postpone(loop, &touched);
    return count;
}

void net_conn_flush_late(struct net_loop *loop, size_t flushed)
{
    size_t max = flushed < NET_FLUSH_MAX ? NET_FLUSH_MAX - flushed : 0;

    flush_some(&loop->late, max > NET_FLUSH_LATE ? max : NET_FLUSH_LATE);
}

/* ------------------------------------------------------------- the ends -- */

static void conn_free(struct net_deferred *d)
{
    struct net_conn *c = container_of(d, struct net_conn, cleanup);

    net_tls_free(c);
    free(c);
}

static void count_in(struct net_loop *loop)
{
    loop->conn_count++;
    net_trim_grown(loop);
}

static void count_out(struct net_conn *c)
{
    if (c->outgoing) {
        c->loop->outgoing_count--;
    } else {
        c->loop->conn_count--;
        net_trim_shrunk(c->loop);
    }
}

/* Off its loop: the struct lives until the end of the turn. */
static void leave_loop(struct net_conn *c)
{
    c->closed = true;
    net_output_clear(c);
    event_del(&c->event);
    if (c->finishing)
        net_alarm_stop(c->loop, &c->linger);
    list_remove(&c->dirty);
    count_out(c);
    net_defer(c->loop, &c->cleanup, conn_free);
}

void net_conn_close(struct net_conn *c)
{
    if (c->closed)
        return;
    leave_loop(c);
    if (c->loop->limits && !c->outgoing)
        net_limits_give_back(c->loop->limits, &c->peer);
    close(c->fd);
}

void net_conn_fail(struct net_conn *c, enum net_close_reason why)
{
    if (c->failed || c->closed)
        return;
    c->failed = true;
    c->lost = c->queued < UINT32_MAX ? (uint32_t)c->queued : UINT32_MAX;
    c->fail_reason = why & 7;
    net_output_clear(c);
    event_del(&c->event);
    net_conn_touch(c);
}

static size_t drop_data(void *self, uint8_t *data, size_t len)
{
    (void)self;
    (void)data;
    return len;
}

static void drop_closed(void *self, enum net_close_reason why)
{
    (void)self;
    (void)why;
}

static const struct net_conn_ops without_owner = {
    .on_data = drop_data,
    .on_closed = drop_closed,
};

static void linger_expired(struct net_alarm *alarm)
{
    struct net_conn *c = container_of(alarm, struct net_conn, linger);
    int32_t taken = (int32_t)(delivered(c) - c->linger_mark);

    if (c->queued &&
        taken >= (int32_t)((uint64_t)c->linger_ms * NET_FINISH_RATE / 1000))
        linger_on(c);
    else
        net_conn_close(c);
}

/* Its owner is out. */
static void be_alone(struct net_conn *c, uint32_t linger_ms)
{
    c->ops = &without_owner;
    c->finishing = true;
    c->linger_ms = (uint16_t)linger_ms;
    net_alarm_init(&c->linger, linger_expired);
}

/* TLS has failed, and told the peer why. To close over what the peer has sent
 * meanwhile would reset the connection and destroy the alert. */
static void let_alert_arrive(struct net_conn *c)
{
    net_tls_free(c);
    c->failed = false;
    c->reading = true;
    if (c->finishing)
        net_alarm_stop(c->loop, &c->linger);
    be_alone(c, NET_TLS_LINGER_MS);
    send_fin(c);
    if (c->closed)
        return;
    update_event(c);
    wait_idle(c);
}

void net_conn_finish(struct net_conn *c, uint32_t linger_ms)
{
    if (c->closed || c->finishing)
        return;
    if (c->failed) {
        c->ops = &without_owner; /* the tail closes it */
        return;
    }
    if (net_tls_handshaking(c)) {
        net_conn_close(c); /* nothing can be said yet */
        return;
    }
    be_alone(c, linger_ms);
    net_conn_resume(c);
    net_conn_touch(c); /* the wait begins when it is seen what is left */
}

/* ---------------------------------------------------------- the opening -- */

static int join_loop(struct net_loop *loop, int fd,
                     const struct net_address *peer, size_t max_queued,
                     const struct net_conn_ops *ops, void *self,
                     struct net_conn **out)
{
    struct net_conn *c = calloc(1, sizeof *c);

    if (!c)
        return SIO_E_NOMEM;
    c->loop = loop;
    c->fd = fd;
    c->peer = *peer;
    c->max_queued = max_queued;
    c->last_in_ms = (uint32_t)loop->now_ms;
    c->last_out_ms = (uint32_t)loop->now_ms;
    c->reading = true;
    list_init(&c->dirty);
    net_conn_set_ops(c, ops, self);
    net_entries_need(loop, fd);
    if (event_assign(&c->event, loop->base, fd, EV_READ | EV_PERSIST, on_event,
                     c) < 0 ||
        event_add(&c->event, NULL) < 0) {
        free(c);
        return SIO_E_SYS;
    }
    *out = c;
    return SIO_OK;
}

int net_conn_open(struct net_loop *loop, int fd, const struct net_address *peer,
                  size_t max_queued, const struct net_conn_ops *ops, void *self,
                  struct net_conn **out)
{
    struct net_limits *limits = loop->limits;
    int r =
        limits ? net_limits_take(limits, loop->waiting_count, peer) : SIO_OK;

    if (r < 0)
        return r;
    r = join_loop(loop, fd, peer, max_queued, ops, self, out);
    if (r == SIO_OK)
        count_in(loop);
    else if (limits)
        net_limits_give_back(limits, peer);
    return r;
}

int net_conn_open_outgoing(struct net_loop *loop, int fd,
                           const struct net_address *peer, size_t max_queued,
                           const struct net_conn_ops *ops, void *self,
                           struct net_conn **out)
{
    int r = join_loop(loop, fd, peer, max_queued, ops, self, out);

    if (r < 0)
        return r;
    (*out)->outgoing = true;
    loop->outgoing_count++;
    return SIO_OK;
}

/* -------------------------------------------------------- between loops -- */

bool net_conn_may_leave(const struct net_conn *c)
{
    return !c->closed && !c->failed && !c->finishing && !c->ended &&
           c->queued == 0 && !c->wants_write &&
           !(c->tls && net_tls_wants_write(c));
}

void net_conn_detach(struct net_conn *c, struct net_handoff *out)
{
    out->fd = c->fd;
    out->peer = c->peer;
    out->tls = net_tls_take(c);
    out->bytes_in = c->bytes_in;
    out->bytes_out = c->bytes_out;
    out->limits = c->loop->limits;
    leave_loop(c);
}

int net_conn_attach(struct net_loop *loop, struct net_handoff *in,
                    size_t max_queued, const struct net_conn_ops *ops,
                    void *self, struct net_conn **out)
{
    int r = join_loop(loop, in->fd, &in->peer, max_queued, ops, self, out);

    if (r < 0)
        return r;
    count_in(loop);
    (*out)->bytes_in = in->bytes_in;
    (*out)->bytes_out = in->bytes_out;
    net_tls_give(*out, in->tls);
    return SIO_OK;
}

void net_handoff_drop(struct net_handoff *in)
{
    net_tls_drop(in->tls);
    if (in->limits)
        net_limits_give_back(in->limits, &in->peer);
    close(in->fd);
}

void net_conn_set_ops(struct net_conn *c, const struct net_conn_ops *ops,
                      void *self)
{
    c->ops = ops;
    c->self = self;
}
