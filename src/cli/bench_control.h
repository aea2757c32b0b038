/*
 * bench_control.h -- the main thread of `sio bench`: the phases of a run.
 *
 *   PROBE    one connection: is the server there, which address is it
 *   RAMP     the workers connect
 *   WARMUP   they send
 *   MEASURE  and it counts
 *   DRAIN    they send no more, answers are waited for
 *   END      they leave
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_CLI_BENCH_CONTROL_H
#define SRC_CLI_BENCH_CONTROL_H

#include "src/cli/bench_worker.h"
#include "src/net/signal.h"

#define BENCH_SAMPLE_MS 100 /* the least between two samples */

enum bench_phase {
    BENCH_AT_PROBE,
    BENCH_AT_RAMP,
    BENCH_AT_WARMUP,
    BENCH_AT_MEASURE,
    BENCH_AT_DRAIN,
    BENCH_AT_PAUSE,
    BENCH_AT_END
};

struct bench_control {
    const struct bench_options *o;
    struct cli_target *target;
    struct bench_result *result;
    struct bench_shared shared;
    struct net_loop loop;
    struct net_signal on_int, on_term;
    struct net_dial *dial;
    struct bench_worker *workers;
    size_t started; /* threads */
    enum bench_phase phase;
    struct net_alarm next, tick; /* of the phase; of samples */
    uint64_t begin_ns, start_ns, from_ns, until_ns, ended_ns;
    size_t ready, sampled, drained;
    bool sampling, mark_from, mark_until; /* asked for, with the next sample */
    bool marked_from, marked_until;
    bool over;  /* with the next sample */
    bool again; /* a sample was wanted while one was on its way */
    struct bench_counts counts;       /* the last sample */
    uint64_t errors;                  /* the same */
    struct bench_counts point_counts; /* when the last point was made */
    uint64_t point_errors, point_ns;
    struct cli_histogram latency; /* since then */
    uint64_t progress_ns;         /* when the next line is due */
    uint64_t moved_ns; /* when something has come back, or nobody waited */
    double tool_cpu_0, server_cpu_0;
    uint64_t server_events_0;
    char address[NET_ADDRESS_TEXT];
};

/* All of it; *result is filled, whatever happens. Messages of progress go to
 * the error output. */
void bench_control(const struct bench_options *o, struct cli_target *target,
                   struct bench_result *result);

/* --- bench_control.c, for bench_sample.c --- */

void bench_order_all(struct bench_control *k, enum bench_order_kind kind);
/* Start the alarm, or give up. */
void bench_after(struct bench_control *k, struct net_alarm *alarm, uint64_t ms);
/* Everybody leaves, once the main thread's loop has ended. */
void bench_end(struct bench_control *k);

/* --- bench_sample.c --- */

void bench_ask_sample(struct bench_control *k);
void bench_on_sampled(struct net_mail *mail); /* of a worker */
void bench_on_tick(struct net_alarm *alarm);  /* k->tick */
/* Take down the figures that stand for the beginning or the end of what is
 * measured, where that was asked for. */
void bench_mark(struct bench_control *k);
/* Say that nothing has come back at all. */
void bench_no_answer(struct bench_control *k);

#endif
