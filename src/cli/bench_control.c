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

#include "src/net/signal.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define LEAD_NS 20000000 /* from saying GO to the first event */
#define PROGRESS_NS 1000000000
#define SAMPLE_MIN_MS 100
#define SAMPLE_MAX_MS 1000
#define SAMPLES 40 /* of a short run */

enum phase { PROBE, RAMP, WARMUP, MEASURE, DRAIN, PAUSE, END };

struct control {
    const struct bench_options *o;
    struct cli_target *target;
    struct bench_result *result;
    struct bench_shared shared;
    struct net_loop loop;
    struct net_signal on_int, on_term;
    struct net_dial *dial;
    struct bench_worker *workers;
    size_t started; /* threads */
    enum phase phase;
    struct net_alarm next, tick; /* of the phase; of samples */
    uint64_t begin_ns, start_ns, from_ns, until_ns;
    size_t ready, sampled, drained;
    bool sampling, mark_from, mark_until; /* asked for, with the next sample */
    bool marked_from, marked_until;
    bool again; /* a sample was wanted while one was on its way */
    struct bench_counts counts; /* the last sample */
    uint64_t errors, sampled_ns, progress_ns;
    uint64_t moved_ns; /* when something has come back, or nobody waited */
    double tool_cpu_0, server_cpu_0;
    uint64_t server_events_0;
    char address[NET_ADDRESS_TEXT];
};

static void end(struct control *k);

/* ------------------------------------------------------------------ helpers */

static void order_all(struct control *k, enum bench_order_kind kind)
{
    for (size_t i = 0; i < k->started; i++)
        bench_worker_order(&k->workers[i], kind);
}

static void give_up(struct control *k, const char *why)
{
    if (!k->result->failure[0])
        snprintf(k->result->failure, sizeof k->result->failure, "%s", why);
    end(k);
}

static void after(struct control *k, struct net_alarm *alarm, uint64_t ms)
{
    if (net_alarm_start(&k->loop, alarm, ms) != SIO_OK)
        give_up(k, "out of memory");
}

/* When it is at least that late. */
static void at(struct control *k, struct net_alarm *alarm, uint64_t ns)
{
    const uint64_t now = bench_now();

    after(k, alarm, ns > now ? (ns - now) / 1000000 + 1 : 1);
}

static double tool_cpu(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* ----------------------------------------------------------------- samples */

static void ask_sample(struct control *k)
{
    if (k->sampling) {
        k->again = true;
        return;
    }
    k->sampling = true;
    k->sampled = 0;
    order_all(k, BENCH_SAMPLE);
}

/* The counters at the beginning and at the end of what is measured. */
static void mark(struct control *k)
{
    struct bench_result *r = k->result;
    struct bench_process p;
    const bool known = k->o->pid && bench_process_read(k->o->pid, &p);

    if (k->mark_from) {
        k->mark_from = false;
        k->marked_from = true;
        k->tool_cpu_0 = tool_cpu();
        r->tool_wall_s = (double)bench_now() / 1e9;
        k->server_cpu_0 = known ? p.cpu_s : 0;
        k->server_events_0 = k->counts.received;
    }
    if (!k->mark_until || !k->marked_from || k->marked_until)
        return;
    k->marked_until = true;
    r->tool_cpu_s = tool_cpu() - k->tool_cpu_0;
    r->tool_wall_s = (double)bench_now() / 1e9 - r->tool_wall_s;
    r->server_known = known;
    if (known) {
        r->server_cpu_s = p.cpu_s - k->server_cpu_0;
        r->server_events = k->counts.received - k->server_events_0;
        r->server_rss = p.rss;
    }
}

static void add_point(struct control *k, const struct bench_counts *counts,
                      const struct cli_histogram *latency, uint64_t errors)
{
    struct bench_result *r = k->result;
    const uint64_t now = bench_now();
    const double s = (double)(now - k->sampled_ns) / 1e9;
    struct bench_point *p;

    if (r->point_count == r->point_cap && r->point_cap < BENCH_POINTS_MAX) {
        const size_t cap = r->point_cap ? r->point_cap * 2 : 64;

        p = realloc(r->points, cap * sizeof *p);
        if (!p)
            return;
        r->points = p;
        r->point_cap = cap;
    }
    if (r->point_count == r->point_cap || s <= 0)
        return;
    p = &r->points[r->point_count++];
    p->at_s = (double)(now - k->begin_ns) / 1e9;
    p->connected = (double)counts->connected;
    p->received_rate = (double)(counts->received - k->counts.received) / s;
    p->sent_rate = (double)(counts->sent - k->counts.sent) / s;
    p->p50_ns = (double)cli_histogram_at(latency, 50);
    p->p99_ns = (double)cli_histogram_at(latency, 99);
    p->max_ns = (double)latency->max;
    p->errors = (double)(errors - k->errors);
    k->sampled_ns = now;
}

static void progress(struct control *k)
{
    static const char *const names[] = { "probe",     "connecting", "warm-up",
                                         "measuring", "waiting",    "pause",
                                         "leaving" };
    const struct bench_result *r = k->result;
    const struct bench_point *p = &r->points[r->point_count - 1];
    const uint64_t now = bench_now();
    char rate[BENCH_TEXT], p50[BENCH_TEXT], p99[BENCH_TEXT];

    if (k->o->quiet || !r->point_count || now < k->progress_ns)
        return;
    k->progress_ns = now + PROGRESS_NS;
    fprintf(stderr, "%6.1f s  %-10s  %llu connected  %s/s", p->at_s,
            names[k->phase], (unsigned long long)p->connected,
            bench_number(p->received_rate, rate));
    if (p->max_ns > 0)
        fprintf(stderr, "  p50 %s  p99 %s", bench_duration(p->p50_ns, p50),
                bench_duration(p->p99_ns, p99));
    if (k->errors || k->counts.wrong)
        fprintf(stderr, "  errors %llu",
                (unsigned long long)(k->errors + k->counts.wrong));
    fputc('\n', stderr);
}

static void no_answer(struct control *k)
{
    const struct bench_options *o = k->o;
    struct bench_result *r = k->result;
    size_t n;

    if (r->failure[0])
        return;
    n = (size_t)snprintf(r->failure, sizeof r->failure,
                         "no answer to event '%.60s' within %g s: does the "
                         "server answer it with %s?",
                         o->event, (double)o->timeout_ms / 1000,
                         o->scenario == BENCH_ACK ? "an acknowledgement"
                                                  : "an event of that name");
    if (r->other[0])
        snprintf(r->failure + n, sizeof r->failure - n,
                 " It has sent %s: see --reply", r->other);
}

/* Somebody waits, and nothing has come back for so long that nothing will. */
static void check_answers(struct control *k, uint64_t received)
{
    const uint64_t now = bench_now();

    if (received != k->counts.received || !k->counts.waiting ||
        k->phase < WARMUP || k->phase > DRAIN)
        k->moved_ns = now;
    else if (now > k->moved_ns + k->o->timeout_ms * 1000000)
        end(k); /* the workers tell what is missing */
}

static void all_sampled(struct control *k)
{
    struct cli_histogram *latency = calloc(1, sizeof *latency);
    const uint64_t received = k->counts.received;
    struct bench_counts counts = { 0 };
    uint64_t errors = 0;

    k->sampling = false;
    for (size_t i = 0; i < k->started; i++) {
        const struct bench_sample *s = &k->workers[i].sample;

        bench_counts_add(&counts, &s->counts);
        errors += bench_errors_count(&s->errors);
        cli_histogram_merge(&k->result->latency, &s->latency);
        if (latency)
            cli_histogram_merge(latency, &s->latency);
    }
    if (latency)
        add_point(k, &counts, latency, errors);
    free(latency);
    k->counts = counts;
    k->errors = errors;
    mark(k);
    if (k->result->point_count)
        progress(k);
    check_answers(k, received);
    if (k->again) {
        k->again = false;
        ask_sample(k);
    }
}

static void on_sampled(struct net_mail *mail)
{
    struct bench_worker *w = container_of(mail, struct bench_worker, sampled);
    struct control *k = w->owner;

    if (++k->sampled == k->started && k->phase != END)
        all_sampled(k);
}

static void on_tick(struct net_alarm *alarm)
{
    struct control *k = container_of(alarm, struct control, tick);
    const uint64_t all = k->o->duration_ms + k->o->warmup_ms;
    uint64_t ms = all / SAMPLES;

    if (!k->sampling)
        ask_sample(k);
    ms = ms < SAMPLE_MIN_MS ? SAMPLE_MIN_MS : ms;
    after(k, &k->tick, ms > SAMPLE_MAX_MS ? SAMPLE_MAX_MS : ms);
}

/* ------------------------------------------------------------------ phases */

static void say_go(struct control *k)
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
    k->phase = WARMUP;
    order_all(k, BENCH_GO);
    at(k, &k->next, k->from_ns);
}

static void nobody_connected(struct control *k)
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
    struct control *k = w->owner;
    uint64_t connected = 0;

    if (++k->ready < k->started || k->phase != RAMP)
        return;
    for (size_t i = 0; i < k->started; i++)
        connected += k->workers[i].ready_count;
    k->shared.receivers = (uint32_t)(connected - k->o->to_others);
    if (!connected && k->shared.ops->ramps)
        nobody_connected(k);
    else
        say_go(k);
}

/* How long the storm took, from the break to the last one that is back. */
static void end_round(struct control *k)
{
    struct bench_result *r = k->result;
    uint64_t last = k->start_ns;

    for (size_t i = 0; i < k->started; i++)
        if (k->workers[i].last_ns > last)
            last = k->workers[i].last_ns;
    r->rounds[r->round_count++] = (double)(last - k->start_ns) / 1e9;
    if (r->round_count == k->o->rounds) {
        end(k);
        return;
    }
    k->phase = PAUSE;
    after(k, &k->next, k->o->storm_pause_ms);
}

static void on_drained(struct net_mail *mail)
{
    struct bench_worker *w = container_of(mail, struct bench_worker, drained);
    struct control *k = w->owner;

    if (++k->drained < k->started || k->phase < WARMUP || k->phase > DRAIN)
        return;
    if (k->o->scenario == BENCH_STORM)
        end_round(k);
    else
        end(k);
}

static void begin_drain(struct control *k)
{
    k->phase = DRAIN;
    k->mark_until = true;
    ask_sample(k);
    after(k, &k->next, k->o->timeout_ms);
}

static void begin_measure(struct control *k)
{
    k->phase = MEASURE;
    if (!k->result->round_count) { /* of a storm: only the first time */
        k->mark_from = true;
        ask_sample(k);
    }
    at(k, &k->next, k->until_ns);
}

static void on_next(struct net_alarm *alarm)
{
    struct control *k = container_of(alarm, struct control, next);

    switch (k->phase) {
    case WARMUP:
        begin_measure(k);
        break;
    case MEASURE:
        begin_drain(k);
        break;
    case PAUSE:
        say_go(k);
        break;
    default: /* DRAIN: what has not come back by now is missing */
        end(k);
        break;
    }
}

/* Ask for the last figures, have everybody leave, wait for the threads. */
static void end(struct control *k)
{
    if (k->phase == END)
        return;
    k->phase = END;
    net_loop_stop(&k->loop);
}

/* ----------------------------------------------------------------- workers */

static double share(double all, size_t part, size_t whole)
{
    return whole ? all * (double)part / (double)whole : 0;
}

static void set_up(struct control *k, struct bench_worker *w, size_t i)
{
    const struct bench_options *o = k->o;
    const size_t n = k->shared.workers;
    const bool cast = o->scenario == BENCH_BROADCAST; /* only one sends */

    w->shared = &k->shared;
    w->index = i;
    w->owner = k;
    w->main = &k->loop;
    w->ready.run = on_ready;
    w->sampled.run = on_sampled;
    w->drained.run = on_drained;
    w->client_count = o->connections / n + (i < o->connections % n);
    w->ramp = share(o->ramp, w->client_count, o->connections);
    w->rate = cast ? o->rate : o->rate / (double)n;
    w->quota = !o->count ? UINT64_MAX
               : cast    ? o->count
                         : o->count / n + (i < o->count % n);
}

static bool start_worker(struct control *k, size_t i)
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

static void start_ramp(struct control *k)
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
    k->phase = RAMP;
    k->begin_ns = k->sampled_ns = bench_now();
    k->progress_ns = k->begin_ns + PROGRESS_NS;
    after(k, &k->tick, SAMPLE_MIN_MS);
    order_all(k, BENCH_RAMP);
}

/* What they have seen since the last sample, and what only the end tells. */
static void collect(struct control *k)
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
        no_answer(k);
    /* By time, unless all that was asked for has come back before. */
    r->measured_s = k->until_ns < last || k->until_ns > UINT64_MAX / 4
                        ? (double)(last - k->from_ns) / 1e9
                        : (double)(k->until_ns - k->from_ns) / 1e9;
}

static void end_workers(struct control *k)
{
    k->shared.interrupted = k->result->interrupted || k->result->failure[0];
    order_all(k, BENCH_END);
    for (size_t i = 0; i < k->started; i++)
        pthread_join(k->workers[i].thread, NULL);
    net_loop_deliver(&k->loop);
    collect(k);
    k->counts = k->result->counts;
    k->mark_until = true;
    mark(k); /* unless that was done when its time had come */
    for (size_t i = 0; i < k->started; i++)
        bench_worker_destroy(&k->workers[i]);
}

/* ------------------------------------------------------------------- probe */

static void on_connected(void *self, int fd, const struct net_address *peer)
{
    struct control *k = self;

    k->dial = NULL;
    close(fd);
    if (peer->family != AF_UNIX && net_address_text(peer, k->address)) {
        k->target->dial = k->address;
        k->result->address = k->address;
    }
    start_ramp(k);
}

static void on_failed(void *self, const char *why)
{
    struct control *k = self;
    char text[sizeof k->result->failure];

    k->dial = NULL;
    snprintf(text, sizeof text, "%.200s: %.100s", k->result->url, why);
    give_up(k, text);
}

static const struct net_dial_ops dial_ops = { on_connected, on_failed };

static void on_signal(void *self, int number)
{
    struct control *k = self;

    (void)number;
    k->result->interrupted = true;
    end(k);
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

static bool prepare(struct control *k)
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

static void run(struct control *k)
{
    const struct cli_url *url = &k->target->url;

    net_alarm_init(&k->next, on_next);
    net_alarm_init(&k->tick, on_tick);
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
    struct control k = { .o = o, .target = target, .result = result };

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
    result->address = NULL;
}
