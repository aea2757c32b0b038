/*
 * bench_cycles.c -- churn and upgrade: clients connect and leave, again and
 * again; with an upgrade each sends one event from its WebSocket before.
 *
 *   churn    due --> connected ................. latency --> leave --> next
 *   upgrade  due --> connected, upgraded, echo .. latency --> leave --> next
 *
 * With --rate connections are due by a schedule; one for which no client is
 * free is begun later, and counts from the time at which it was due.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/cli/bench_worker.h"

#define RETRY_NS 10000000 /* after one that failed */
#define PAUSE_NS 1000000  /* between bursts at the start */

static void check_drained(struct bench_worker *w)
{
    if (w->stopped && !w->in_flight)
        bench_drained(w);
}

static void begin(struct bench_client *c, uint64_t due_ns)
{
    struct bench_worker *w = c->worker;

    w->in_flight++;
    w->counts.sent++;
    if (!--w->quota)
        w->stopped = true;
    bench_connect(c, due_ns);
    if (!c->socket)
        w->in_flight--;
}

/* A client that is free, in turn; NULL: none is. */
static struct bench_client *next_client(struct bench_worker *w)
{
    for (size_t i = 0; i < w->client_count; i++) {
        struct bench_client *c = &w->clients[w->turn];

        w->turn = w->turn + 1 < w->client_count ? w->turn + 1 : 0;
        if (c->state == BENCH_UNUSED)
            return c;
    }
    return NULL;
}

static bool begin_due(struct bench_worker *w, uint64_t due_ns)
{
    struct bench_client *c = next_client(w);

    if (c)
        begin(c, due_ns);
    return c != NULL;
}

/* All that are free, but not too many handshakes at a time at the start. */
static void begin_all(struct bench_worker *w)
{
    struct bench_client *c;

    for (uint64_t i = 0; i < w->shared->options->burst && !w->stopped; i++) {
        c = next_client(w);
        if (!c) {
            net_pulse_at(&w->pulse, w->until_ns);
            return;
        }
        begin(c, bench_now());
    }
    net_pulse_at(&w->pulse, bench_now() + PAUSE_NS);
}

static void go(struct bench_worker *w)
{
    w->due = 0;
    if (!w->quota)
        w->stopped = true;
    check_drained(w);
    net_pulse_at(&w->pulse, w->stopped ? 0 : w->start_ns);
}

static void pulse(struct bench_worker *w)
{
    if (w->stopped)
        return;
    if (w->rate > 0) {
        bench_schedule(w, begin_due);
    } else if (bench_now() < w->until_ns) {
        begin_all(w);
    } else {
        w->stopped = true;
        check_drained(w);
    }
}

/* ------------------------------------------------------------ one connection
 */

static void over(struct bench_client *c)
{
    bench_measure(c->worker, c->due_ns, bench_now());
    bench_leave(c);
}

static void connected(struct bench_client *c)
{
    if (c->worker->shared->options->scenario == BENCH_UPGRADE)
        bench_send(c, c->index, c->seq, SP_NO_ID);
    else
        over(c);
}

static void packet(struct bench_client *c, const struct sp_packet *p,
                   const sio_str *attachments, size_t count)
{
    const struct bench_shared *s = c->worker->shared;
    const bool checked = !s->options->no_check && !s->options->data;
    uint32_t number = c->index;
    uint64_t seq = c->seq;

    if (!cli_event_is(s->target, p, s->reply)) {
        bench_note_other(c->worker, p);
        return;
    }
    if (checked && !bench_read(c, p, attachments, count, &number, &seq))
        return;
    if (number != c->index || seq != c->seq) {
        bench_wrong(c->worker, "an answer is another event's");
        return;
    }
    c->seq++;
    over(c);
}

static void closed(struct bench_client *c, bool asked, const char *why)
{
    struct bench_worker *w = c->worker;

    (void)why;
    w->in_flight--;
    if (w->rate <= 0 && bench_now() >= w->until_ns)
        w->stopped = true;
    check_drained(w);
    if (w->stopped || w->rate > 0)
        return;
    if (asked)
        begin(c, bench_now());
    else
        net_pulse_at(&w->pulse, bench_now() + RETRY_NS);
}

const struct bench_ops bench_cycles = { .ramps = false,
                                        .connected = connected,
                                        .packet = packet,
                                        .closed = closed,
                                        .go = go,
                                        .pulse = pulse,
                                        .stop = check_drained };
