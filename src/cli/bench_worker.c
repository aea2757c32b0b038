/*
 * bench_worker.c -- see bench_worker.h: connecting, orders, samples.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/cli/bench_worker.h"

#include <stdlib.h>

#define BATCH 256       /* things done before answers are looked at again */
#define HELD_NS 1000000 /* between two looks whether one can be done now */

/* ------------------------------------------------------------------- ramp */

static void tell_ready(struct bench_worker *w)
{
    if (w->is_ready || w->begun < w->client_count || w->connecting)
        return;
    w->is_ready = true;
    w->ready_count = w->counts.connected;
    net_post(w->main, &w->ready);
}

static size_t burst(const struct bench_worker *w)
{
    size_t n = (size_t)w->shared->options->burst / w->shared->workers;

    return n ? n : 1;
}

/* Connect those that are due, not too many at a time. */
static void ramp_on(struct bench_worker *w)
{
    uint64_t now = bench_now(), due = now;

    if (!w->shared->ops->ramps || w->ending)
        return;
    while (w->begun < w->client_count && w->connecting < burst(w)) {
        if (w->ramp > 0)
            due = w->ramp_ns + (uint64_t)((double)w->begun / w->ramp * 1e9);
        if (due > now) {
            net_pulse_at(&w->pulse, due);
            return;
        }
        bench_connect(&w->clients[w->begun++], due);
    }
    tell_ready(w);
}

/* ------------------------------------------------------------ connections */

static void connected(struct bench_client *c)
{
    struct bench_worker *w = c->worker;

    if (!c->in_namespace ||
        (w->shared->target->transport == CLI_UPGRADE && !c->upgraded))
        return;
    c->state = BENCH_CONNECTED;
    w->connecting--;
    w->counts.opened++;
    w->counts.connected++;
    cli_histogram_add(&w->connect, bench_now() - c->due_ns);
    w->shared->ops->connected(c);
    ramp_on(w);
}

static void on_connected(void *self)
{
    struct bench_client *c = self;

    c->in_namespace = true;
    connected(c);
}

static void on_upgrade(void *self)
{
    struct bench_client *c = self;

    c->upgraded = true;
    connected(c);
}

static void on_packet(void *self, const struct sp_packet *packet,
                      const sio_str *attachments, size_t count)
{
    struct bench_client *c = self;

    if (c->state == BENCH_CONNECTED && c->worker->shared->ops->packet)
        c->worker->shared->ops->packet(c, packet, attachments, count);
}

/* What has gone over the wires of a client is counted when they are gone. */
static void gone(struct bench_client *c)
{
    struct bench_worker *w = c->worker;

    if (c->state == BENCH_CONNECTING)
        w->connecting--;
    else
        w->counts.connected--;
    c->state = BENCH_UNUSED;
    c->socket = NULL;
}

static void stop_if_all_gone(struct bench_worker *w)
{
    if (w->ending && !w->counts.connected && !w->connecting)
        net_loop_stop(&w->loop);
}

static void on_closed(void *self, const char *why)
{
    struct bench_client *c = self;
    struct bench_worker *w = c->worker;
    const bool asked = c->state == BENCH_LEAVING;

    if (c->state == BENCH_CONNECTING)
        w->counts.failed++;
    if (c->state == BENCH_CONNECTED)
        w->counts.lost++;
    if (!asked && !w->ending)
        bench_error(&w->errors, why, 1);
    gone(c);
    if (w->ending) {
        stop_if_all_gone(w);
        return;
    }
    if (w->shared->ops->closed)
        w->shared->ops->closed(c, asked, why);
    ramp_on(w);
}

static const struct cli_socket_ops socket_ops = { on_connected, on_upgrade,
                                                  on_packet, on_closed };

void bench_connect(struct bench_client *c, uint64_t due_ns)
{
    struct bench_worker *w = c->worker;

    c->due_ns = due_ns;
    c->in_namespace = c->upgraded = false;
    c->socket = cli_socket_open(&w->loop, w->shared->target, &socket_ops, c);
    if (c->socket) {
        c->state = BENCH_CONNECTING;
        w->connecting++;
        return;
    }
    w->counts.failed++;
    bench_error(&w->errors, "out of memory", 1);
}

void bench_leave(struct bench_client *c)
{
    if (c->state != BENCH_CONNECTED)
        return;
    c->state = BENCH_LEAVING;
    cli_socket_close(c->socket);
}

void bench_break(struct bench_client *c)
{
    if (c->state == BENCH_UNUSED)
        return;
    cli_socket_drop(c->socket);
    gone(c);
}

/* ---------------------------------------------------------------- measuring */

void bench_measure(struct bench_worker *w, uint64_t due_ns, uint64_t now_ns)
{
    w->counts.received++;
    if (due_ns < w->from_ns || due_ns >= w->until_ns)
        return;
    w->counts.measured++;
    w->last_ns = now_ns;
    cli_histogram_add(&w->latency, now_ns > due_ns ? now_ns - due_ns : 0);
}

/* When the k-th thing of the worker's share is due. Workers take turns, so that
 * they do not send at the same instant. */
static uint64_t due_at(const struct bench_worker *w, uint64_t k)
{
    const double part = (double)w->index / (double)w->shared->workers;

    return w->start_ns + (uint64_t)(((double)k + part) / w->rate * 1e9);
}

static void end_schedule(struct bench_worker *w)
{
    w->stopped = true;
    while (due_at(w, w->due++) < w->until_ns)
        w->counts.unsent++;
    w->shared->ops->stop(w);
}

void bench_schedule(struct bench_worker *w,
                    bool (*one)(struct bench_worker *w, uint64_t due_ns))
{
    const uint64_t now = bench_now();
    uint64_t due = due_at(w, w->due);
    bool held = false;

    for (int i = 0; i < BATCH && due <= now && due < w->until_ns; i++) {
        if (!one(w, due)) {
            held = true;
            break;
        }
        if (due >= w->from_ns)
            cli_histogram_add(&w->late, now - due);
        due = due_at(w, ++w->due);
        if (w->stopped)
            return;
    }
    if (due >= w->until_ns || (held && now >= w->until_ns)) {
        end_schedule(w);
        return;
    }
    if (held)
        due = now + HELD_NS;
    net_pulse_at(&w->pulse, due < w->until_ns ? due : w->until_ns);
}

void bench_drained(struct bench_worker *w)
{
    if (w->is_drained || !w->going)
        return;
    w->is_drained = true;
    net_post(w->main, &w->drained);
}

/* ------------------------------------------------------------------- orders */

static void sample(struct bench_worker *w)
{
    w->sample.counts = w->counts;
    w->sample.counts.waiting = w->in_flight;
    w->sample.counts.bytes_in = w->loop.bytes_in;
    w->sample.counts.bytes_out = w->loop.bytes_out;
    w->sample.errors = w->errors;
    w->sample.latency = w->latency;
    cli_histogram_init(&w->latency);
    net_post(w->main, &w->sampled);
}

static void go(struct bench_worker *w)
{
    w->going = true;
    w->stopped = w->is_drained = false;
    w->shared->ops->go(w);
}

static void end(struct bench_worker *w)
{
    w->ending = true;
    net_pulse_at(&w->pulse, 0);
    if (w->in_flight && !w->shared->interrupted)
        bench_error(&w->errors, "no answer in time", w->in_flight);
    for (size_t i = 0; i < w->client_count; i++)
        if (w->clients[i].state == BENCH_CONNECTING)
            bench_break(&w->clients[i]);
        else
            bench_leave(&w->clients[i]);
    stop_if_all_gone(w);
}

static void on_order(struct net_mail *mail)
{
    struct bench_order *order = container_of(mail, struct bench_order, mail);
    struct bench_worker *w = order->worker;

    switch (order->kind) {
    case BENCH_RAMP:
        w->ramp_ns = bench_now();
        if (!w->shared->ops->ramps)
            w->begun = w->client_count;
        ramp_on(w);
        tell_ready(w);
        break;
    case BENCH_GO:
        go(w);
        break;
    case BENCH_SAMPLE:
        sample(w);
        break;
    case BENCH_STOP:
        w->stopped = true;
        w->shared->ops->stop(w);
        break;
    default:
        end(w);
        break;
    }
}

void bench_worker_order(struct bench_worker *w, enum bench_order_kind kind)
{
    net_post(&w->loop, &w->orders[kind].mail);
}

static void on_pulse(struct net_pulse *pulse)
{
    struct bench_worker *w = container_of(pulse, struct bench_worker, pulse);

    if (w->ending)
        return;
    if (w->going)
        w->shared->ops->pulse(w);
    else
        ramp_on(w);
}

/* ---------------------------------------------------------------- lifetime */

static int init_clients(struct bench_worker *w)
{
    const struct bench_shared *s = w->shared;

    w->payload = malloc(s->payload_size ? s->payload_size : 1);
    if (!w->payload)
        return SIO_E_NOMEM;
    memcpy(w->payload, s->payload, s->payload_size);
    for (size_t i = 0; i < w->client_count; i++) {
        struct bench_client *c = &w->clients[i];

        c->worker = w;
        c->index = (uint32_t)(i * s->workers + w->index);
        if (s->ops != &bench_messages)
            continue;
        c->flight = calloc(s->flight_cap, sizeof *c->flight);
        if (!c->flight)
            return SIO_E_NOMEM;
    }
    return SIO_OK;
}

int bench_worker_init(struct bench_worker *w)
{
    int r = net_loop_init(&w->loop, &(struct net_loop_config){ 0 });

    if (r != SIO_OK)
        return r;
    r = net_pulse_init(&w->pulse, &w->loop, on_pulse);
    for (int i = 0; i < BENCH_NORDERS; i++)
        w->orders[i] = (struct bench_order){ { NULL, on_order },
                                             w,
                                             (enum bench_order_kind)i };
    w->clients =
        calloc(w->client_count ? w->client_count : 1, sizeof *w->clients);
    if (r == SIO_OK)
        r = w->clients ? init_clients(w) : SIO_E_NOMEM;
    return r;
}

void bench_worker_destroy(struct bench_worker *w)
{
    for (size_t i = 0; w->clients && i < w->client_count; i++) {
        bench_break(&w->clients[i]);
        free(w->clients[i].flight);
    }
    free(w->clients);
    free(w->payload);
    net_pulse_close(&w->pulse);
    net_loop_destroy(&w->loop);
}

void *bench_worker_run(void *worker)
{
    struct bench_worker *w = worker;

    net_loop_run(&w->loop);
    return NULL;
}
