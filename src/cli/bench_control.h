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

/* All of it; *result is filled, whatever happens. Messages of progress go to
 * the error output. */
void bench_control(const struct bench_options *o, struct cli_target *target,
                   struct bench_result *result);

#endif
