/*
 * bench_control.c -- see bench_control.h.
 *
 * Everything here runs on the main thread's loop. Workers get orders by mail
 * and answer by mail; what they have counted is read in the mail that brings
 * it, or after their threads have ended.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/cli/bench_control.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define LEAD_NS 20000000 /* from saying GO to the first event */

/* ------------------------------------------------------------------ helpers */

void bench_order_all(struct bench_control *k, enum bench_order_kind kind)
{
    for (size_t i = 0; i < k->started; i++)
        bench_worker_order(&k->workers[i], kind);
}

static void give_up(struct bench_control *k, const char *why)
{
    if (!k->result->failure[0])
        snprintf(k->result->failure, sizeof k->result->failure, "%s", why);
    bench_end(k);
}

void bench_after(struct bench_control *k, struct net_alarm *alarm, uint64_t ms)
{
    if (net_alarm_start(&k->loop, alarm, ms) != SIO_OK)
        give_up(k, "out of memory");
}

/* When it is at least that late. */
static void at(struct bench_control *k, struct net_alarm *alarm, uint64_t ns)
{
    const uint64_t now = bench_now();

    bench_after(k, alarm, ns > now ? (ns - now) / 1000000 + 1 : 1);
}

/* ------------------------------------------------------------------ phases */

static void say_go(struct bench_control *k)
{
    const struct bench_options *o = k->o;

    k->start_ns = k->moved_ns = bench_now() + LEAD_NS;
    k->from_ns = k->start_ns + o->warmup_ms * 1000000;
    k->until_ns =
        o->duration_ms ? k->from_ns + o->duration_ms * 1000000 : UINT64_MAX / 2;
    if (o->scenario == BENCH_STORM)
        k->until_ns = UINT64_MAX / 2;
    for (size_t i = 0; i < k->started; i++) {
        k->workers[i].start_ns = k->start_ns;
        k->workers[i].from_ns = k->from_ns;
        k->workers[i].until_ns = k->until_ns;
    }
    k->drained = 0;
    k->phase = BENCH_AT_WARMUP;
    bench_order_all(k, BENCH_GO);
    at(k, &k->next, k->from_ns);
}

static void nobody_connected(struct bench_control *k)
{
    const struct bench_errors *e = &k->workers[0].errors;
    char text[sizeof k->result->failure];

    snprintf(text, sizeof text, "no connection could be opened: %s",
             e->kinds ? e->list[0].why : "nobody knows why");
    give_up(k, text);
}

static void on_ready(struct net_mail *mail)
{
    struct bench_worker *w = container_of(mail, struct bench_worker, ready);
    struct bench_control *k = w->owner;
    uint64_t connected = 0;

    if (++k->ready < k->started || k->phase != BENCH_AT_RAMP)
        return;
    for (size_t i = 0; i < k->started; i++)
        connected += k->workers[i].ready_count;
    k->shared.receivers = (uint32_t)(connected - k->o->to_others);
    if (!connected && k->shared.ops->ramps)
        nobody_connected(k);
    else
        say_go(k);
}

/* All is done: the last figures, while everybody is still connected. */
static void end_measured(struct bench_control *k)
{
    k->over = k->mark_until = true;
    bench_ask_sample(k);
}

/* How long the storm took, from the break to the last one that is back. */
static void end_round(struct bench_control *k)
{
    struct bench_result *r = k->result;
    uint64_t last = k->start_ns;

    for (size_t i = 0; i < k->started; i++)
        if (k->workers[i].last_ns > last)
            last = k->workers[i].last_ns;
    r->rounds[r->round_count++] = (double)(last - k->start_ns) / 1e9;
    if (r->round_count == k->o->rounds) {
        end_measured(k);
        return;
    }
    k->phase = BENCH_AT_PAUSE;
    bench_after(k, &k->next, k->o->storm_pause_ms);
}

static void on_drained(struct net_mail *mail)
{
    struct bench_worker *w = container_of(mail, struct bench_worker, drained);
    struct bench_control *k = w->owner;

    if (++k->drained < k->started || k->phase < BENCH_AT_WARMUP ||
        k->phase > BENCH_AT_DRAIN)
        return;
    if (k->o->scenario == BENCH_STORM)
        end_round(k);
    else
        end_measured(k);
}

static void begin_drain(struct bench_control *k)
{
    k->phase = BENCH_AT_DRAIN;
    k->mark_until = true;
    bench_ask_sample(k);
    bench_after(k, &k->next, k->o->timeout_ms);
}

static void begin_measure(struct bench_control *k)
{
    k->phase = BENCH_AT_MEASURE;
    if (!k->result->round_count) { /* of a storm: only the first time */
        k->mark_from = true;
        bench_ask_sample(k);
    }
    at(k, &k->next, k->until_ns);
}

static void on_next(struct net_alarm *alarm)
{
    struct bench_control *k = container_of(alarm, struct bench_control, next);

    switch (k->phase) {
    case BENCH_AT_WARMUP:
        begin_measure(k);
        break;
    case BENCH_AT_MEASURE:
        begin_drain(k);
        break;
    case BENCH_AT_PAUSE:
        say_go(k);
        break;
    default: /* draining: what has not come back by now is missing */
        bench_end(k);
        break;
    }
}

/* Everybody leaves, when the loop has ended: end_workers(). */
void bench_end(struct bench_control *k)
{
    if (k->phase == BENCH_AT_END)
        return;
    k->phase = BENCH_AT_END;
    k->ended_ns = bench_now();
    net_loop_stop(&k->loop);
}

/* ----------------------------------------------------------------- workers */

static double share(double all, size_t part, size_t whole)
{
    return whole ? all * (double)part / (double)whole : 0;
}

static void set_up(struct bench_control *k, struct bench_worker *w, size_t i)
{
    const struct bench_options *o = k->o;
    const size_t n = k->shared.workers;
    const bool cast = o->scenario == BENCH_BROADCAST; /* only one sends */

    w->shared = &k->shared;
    w->index = i;
    w->owner = k;
    w->main = &k->loop;
    w->ready.run = on_ready;
    w->sampled.run = bench_on_sampled;
    w->drained.run = on_drained;
    w->client_count = o->connections / n + (i < o->connections % n);
    w->ramp = share(o->ramp, w->client_count, o->connections);
    w->rate = cast ? o->rate : o->rate / (double)n;
    w->quota = !o->count ? UINT64_MAX
               : cast    ? o->count
                         : o->count / n + (i < o->count % n);
}

static bool start_worker(struct bench_control *k, size_t i)
{
    struct bench_worker *w = &k->workers[i];

    set_up(k, w, i);
    if (bench_worker_init(w) != SIO_OK)
        return false;
    if (pthread_create(&w->thread, NULL, bench_worker_run, w) != 0) {
        bench_worker_destroy(w);
        return false;
    }
    k->started++;
    return true;
}

static void start_ramp(struct bench_control *k)
{
    struct bench_process p;

    for (size_t i = 0; i < k->shared.workers; i++)
        if (!start_worker(k, i)) {
            give_up(k, "out of memory, or no thread could be started");
            return;
        }
    if (k->o->pid) {
        if (!bench_process_read(k->o->pid, &p)) {
            give_up(k, "--pid: there is no such process");
            return;
        }
        k->result->server_rss_0 = p.rss;
    }
    k->phase = BENCH_AT_RAMP;
    k->begin_ns = k->point_ns = bench_now();
    k->progress_ns = k->begin_ns + 1000000000;
    bench_after(k, &k->tick, BENCH_SAMPLE_MS);
    bench_order_all(k, BENCH_RAMP);
}

/* From the beginning of what is measured to its end: when the time was over, or
 * the run was; with what came back late, and with --count, to the last answer.
 */
static double measured_s(const struct bench_control *k, uint64_t last)
{
    uint64_t until = k->until_ns < k->ended_ns ? k->until_ns : k->ended_ns;

    if (k->o->count || k->o->scenario == BENCH_STORM || last > until)
        until = last;
    return until > k->from_ns ? (double)(until - k->from_ns) / 1e9 : 0;
}

/* What they have seen since the last sample, and what only the end tells. */
static void collect(struct bench_control *k)
{
    struct bench_result *r = k->result;
    uint64_t last = k->from_ns;

    for (size_t i = 0; i < k->started; i++) {
        struct bench_worker *w = &k->workers[i];

        w->counts.bytes_in = w->loop.bytes_in;
        w->counts.bytes_out = w->loop.bytes_out;
        bench_counts_add(&r->counts, &w->counts);
        bench_errors_merge(&r->errors, &w->errors);
        if (k->sampling) /* a last sample, which nobody has looked at */
            cli_histogram_merge(&r->latency, &w->sample.latency);
        cli_histogram_merge(&r->latency, &w->latency);
        cli_histogram_merge(&r->connect, &w->connect);
        cli_histogram_merge(&r->late, &w->late);
        if (w->other[0])
            snprintf(r->other, sizeof r->other, "%s", w->other);
        if (w->wrong[0])
            snprintf(r->wrong, sizeof r->wrong, "%s", w->wrong);
        if (w->last_ns > last)
            last = w->last_ns;
    }
    if (!k->from_ns)
        return;
    if (bench_is_messages(k->o->scenario) && r->counts.sent &&
        !r->counts.received && !r->counts.wrong && !r->counts.lost &&
        !r->interrupted)
        bench_no_answer(k);
    r->measured_s = measured_s(k, last);
}

static void end_workers(struct bench_control *k)
{
    k->shared.interrupted = k->result->interrupted || k->result->failure[0];
    bench_order_all(k, BENCH_END);
    for (size_t i = 0; i < k->started; i++)
        pthread_join(k->workers[i].thread, NULL);
    net_loop_deliver(&k->loop);
    collect(k);
    k->counts = k->result->counts;
    k->mark_until = true;
    bench_mark(k); /* unless that was done when its time had come */
    for (size_t i = 0; i < k->started; i++)
        bench_worker_destroy(&k->workers[i]);
}

/* ------------------------------------------------------------------- probe */

static void on_connected(void *self, int fd, const struct net_address *peer)
{
    struct bench_control *k = self;

    k->dial = NULL;
    close(fd);
    if (peer->family != AF_UNIX && net_address_text(peer, k->address))
        k->target->dial = k->address;
    start_ramp(k);
}

static void on_failed(void *self, const char *why)
{
    struct bench_control *k = self;
    char text[sizeof k->result->failure];

    k->dial = NULL;
    snprintf(text, sizeof text, "%.200s: %.100s", k->result->url, why);
    give_up(k, text);
}

static const struct net_dial_ops dial_ops = { on_connected, on_failed };

static void on_signal(void *self, int number)
{
    struct bench_control *k = self;

    (void)number;
    k->result->interrupted = true;
    bench_end(k);
}

/* ------------------------------------------------------------------- all */

static const struct bench_ops *ops_of(enum bench_scenario s)
{
    return bench_is_cycles(s)     ? &bench_cycles
           : s == BENCH_BROADCAST ? &bench_cast
           : s == BENCH_IDLE      ? &bench_idle
           : s == BENCH_STORM     ? &bench_storm
                                  : &bench_messages;
}

/* The filler is letters and digits for text, every byte for binary. */
static bool make_payload(struct bench_shared *s)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";

    s->payload_size = (size_t)s->options->size;
    s->payload = malloc(s->payload_size);
    for (size_t i = 0; s->payload && i < s->payload_size; i++)
        s->payload[i] = s->options->scenario == BENCH_BINARY
                            ? (char)i
                            : letters[i % (sizeof letters - 1)];
    return s->payload != NULL;
}

static bool prepare(struct bench_control *k)
{
    struct bench_shared *s = &k->shared;

    s->options = k->o;
    s->target = k->target;
    s->ops = ops_of(k->o->scenario);
    s->event = str_of(k->o->event);
    s->reply = str_of(k->o->reply);
    s->workers = (size_t)k->o->threads;
    s->flight_max = (uint32_t)k->o->in_flight;
    s->flight_cap = 1;
    while (s->flight_cap < s->flight_max)
        s->flight_cap *= 2;
    k->workers = calloc(s->workers, sizeof *k->workers);
    s->sender = k->workers;
    s->slots = calloc(s->flight_cap, sizeof *s->slots);
    return make_payload(s) && k->workers && s->slots;
}

static void run(struct bench_control *k)
{
    const struct cli_url *url = &k->target->url;

    net_alarm_init(&k->next, on_next);
    net_alarm_init(&k->tick, bench_on_tick);
    if (net_signal_watch(&k->on_int, &k->loop, SIGINT, on_signal, k) < 0 ||
        net_signal_watch(&k->on_term, &k->loop, SIGTERM, on_signal, k) < 0 ||
        !prepare(k) ||
        net_dial(&k->loop, url->host, url->port, (uint32_t)k->o->timeout_ms,
                 &dial_ops, k, &k->dial) < 0)
        give_up(k, "out of memory");
    else
        net_loop_run(&k->loop);
    if (k->dial)
        net_dial_cancel(k->dial);
    net_alarm_stop(&k->loop, &k->next);
    net_alarm_stop(&k->loop, &k->tick);
    net_signal_unwatch(&k->on_int); /* a second one ends the process */
    net_signal_unwatch(&k->on_term);
    end_workers(k);
}

void bench_control(const struct bench_options *o, struct cli_target *target,
                   struct bench_result *result)
{
    struct bench_control k = { .o = o, .target = target, .result = result };

    if (net_loop_init(&k.loop, &(struct net_loop_config){ 0 }) != SIO_OK) {
        give_up(&k, "no event loop could be made");
        return;
    }
    run(&k);
    free(k.shared.payload);
    free(k.shared.slots);
    free(k.workers);
    net_loop_destroy(&k.loop);
    target->dial = target->url.host;
}
