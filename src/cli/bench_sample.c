/*
 * bench_sample.c -- samples of a run: the workers' counters every now and then,
 * for progress, plots and what is measured from one moment to another; and
 * whether anything moves at all.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/cli/bench_control.h"

#include <stdlib.h>
#include <sys/resource.h>

#define PROGRESS_NS 1000000000
#define SAMPLE_MAX_MS 1000
#define SAMPLES 40 /* of a short run */

static double tool_cpu(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

void bench_ask_sample(struct bench_control *k)
{
    if (k->sampling) {
        k->again = true;
        return;
    }
    k->sampling = true;
    k->sampled = 0;
    bench_order_all(k, BENCH_SAMPLE);
}

/* The counters at the beginning and at the end of what is measured. */
void bench_mark(struct bench_control *k)
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

/* Room for one more; NULL: no memory, or BENCH_POINTS_MAX. */
static struct bench_point *new_point(struct bench_result *r)
{
    if (r->point_count == r->point_cap && r->point_cap < BENCH_POINTS_MAX) {
        const size_t cap = r->point_cap ? r->point_cap * 2 : 64;
        struct bench_point *p = realloc(r->points, cap * sizeof *p);

        if (!p)
            return NULL;
        r->points = p;
        r->point_cap = cap;
    }
    return r->point_count < r->point_cap ? &r->points[r->point_count++] : NULL;
}

/* What has come since the last point; samples in quick succession make one. */
static void add_point(struct bench_control *k)
{
    const uint64_t now = bench_now();
    const double s = (double)(now - k->point_ns) / 1e9;
    struct bench_point *p;

    if (s < BENCH_SAMPLE_MS / 2e3)
        return;
    p = new_point(k->result);
    if (p) {
        p->at_s = (double)(now - k->begin_ns) / 1e9;
        p->connected = (double)k->counts.connected;
        p->received_rate =
            (double)(k->counts.received - k->point_counts.received) / s;
        p->sent_rate = (double)(k->counts.sent - k->point_counts.sent) / s;
        p->p50_ns = (double)cli_histogram_at(&k->latency, 50);
        p->p99_ns = (double)cli_histogram_at(&k->latency, 99);
        p->max_ns = (double)k->latency.max;
        p->errors = (double)(k->errors - k->point_errors);
    }
    cli_histogram_init(&k->latency);
    k->point_ns = now;
    k->point_counts = k->counts;
    k->point_errors = k->errors;
}

static void progress(struct bench_control *k)
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

void bench_no_answer(struct bench_control *k)
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
static void check_answers(struct bench_control *k, uint64_t received)
{
    const uint64_t now = bench_now();

    if (received != k->counts.received || !k->counts.waiting ||
        k->phase < BENCH_AT_WARMUP || k->phase > BENCH_AT_DRAIN)
        k->moved_ns = now;
    else if (now > k->moved_ns + k->o->timeout_ms * 1000000)
        bench_end(k); /* the workers tell what is missing */
}

static void all_sampled(struct bench_control *k)
{
    const uint64_t received = k->counts.received;

    k->sampling = false;
    k->counts = (struct bench_counts){ 0 };
    k->errors = 0;
    for (size_t i = 0; i < k->started; i++) {
        const struct bench_sample *s = &k->workers[i].sample;

        bench_counts_add(&k->counts, &s->counts);
        k->errors += bench_errors_count(&s->errors);
        cli_histogram_merge(&k->result->latency, &s->latency);
        cli_histogram_merge(&k->latency, &s->latency);
    }
    add_point(k);
    bench_mark(k);
    if (k->result->point_count)
        progress(k);
    check_answers(k, received);
    if (k->again) {
        k->again = false;
        bench_ask_sample(k);
    } else if (k->over) {
        bench_end(k);
    }
}

void bench_on_sampled(struct net_mail *mail)
{
    struct bench_worker *w = container_of(mail, struct bench_worker, sampled);
    struct bench_control *k = w->owner;

    if (++k->sampled == k->started && k->phase != BENCH_AT_END)
        all_sampled(k);
}

void bench_on_tick(struct net_alarm *alarm)
{
    struct bench_control *k = container_of(alarm, struct bench_control, tick);
    const uint64_t all = k->o->duration_ms + k->o->warmup_ms;
    uint64_t ms = all / SAMPLES;

    if (!k->sampling)
        bench_ask_sample(k);
    ms = ms < BENCH_SAMPLE_MS ? BENCH_SAMPLE_MS : ms;
    bench_after(k, &k->tick, ms > SAMPLE_MAX_MS ? SAMPLE_MAX_MS : ms);
}
