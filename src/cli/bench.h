/*
 * bench.h -- `sio bench`: what it was asked to do, and what it has seen.
 *
 *   main thread: bench.c          threads: bench_worker.c, one loop each
 *     phases, samples  --mail-->    clients, and one of the scenarios
 *     report           <--mail--    (bench_messages.c, bench_cycles.c, ...)
 *
 *   PROBE --> RAMP --> WARMUP --> MEASURE --> DRAIN --> END
 *
 * Latencies are nanoseconds, from the time at which something was due to be
 * sent: with --rate that is the schedule's, whether the tool or the server was
 * late. So a server that stands still shows in every event that had to wait.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_CLI_BENCH_H
#define SRC_CLI_BENCH_H

#include "src/cli/args.h"
#include "src/cli/histogram.h"
#include "src/cli/target.h"
#include "src/cli/wire.h"

#include <stdio.h>

#define BENCH_TOKEN 16            /* bytes of a payload that number it */
#define BENCH_ERRORS 16           /* different ones that are told apart */
#define BENCH_CLIENTS_MAX 1000000 /* connections */
#define BENCH_THREADS_MAX 64
#define BENCH_FLIGHT_MAX 4096         /* events in flight on a connection */
#define BENCH_PAYLOAD_MAX (16u << 20) /* bytes of an event's argument */
#define BENCH_POINTS_MAX 100000       /* samples kept of a run */

/* clang-format off */
#define BENCH_SCENARIOS(X)                                                    \
    X(ECHO,      "echo",      "an event, answered by an event")               \
    X(ACK,       "ack",       "an event, answered by its acknowledgement")    \
    X(BINARY,    "binary",    "echo with a binary attachment")                \
    X(BROADCAST, "broadcast", "one sends, everybody gets it")                 \
    X(POLLING,   "polling",   "echo over HTTP long-polling")                  \
    X(IDLE,      "idle",      "connections that only stay")                   \
    X(CHURN,     "churn",     "connect, leave, again and again")              \
    X(UPGRADE,   "upgrade",   "the same by polling, an upgrade and one echo") \
    X(STORM,     "storm",     "all connections break and come back at once")

enum bench_scenario {
#define X(name, word, text) BENCH_##name,
    BENCH_SCENARIOS(X)
#undef X
    BENCH_NSCENARIOS
};
/* clang-format on */

struct bench_options {
    enum bench_scenario scenario;
    uint64_t connections, threads, burst, in_flight, size;
    uint64_t duration_ms, warmup_ms, timeout_ms, storm_pause_ms;
    uint64_t count;  /* events or cycles in all; 0: as long as it takes */
    uint64_t rounds; /* of storm */
    double rate; /* events or cycles a second in all; 0: as they come back */
    double ramp; /* connections a second; 0: as they are accepted */
    const char *event, *reply, *data; /* NULL: the usual ones */
    bool no_check, to_others;
    unsigned transport, parser; /* enum cli_transport, cli_parser */
    const char *path, *nsp, *auth, *ca, *json, *html;
    struct cli_list headers;
    bool insecure, quiet, help;
    uint64_t pid; /* of the server; 0: not known */
};

/* Options and URL of the command line, checked. 0, or -1: see `why`. */
int bench_options_read(struct bench_options *o, int argc, char *const *argv,
                       const char **url, char why[CLI_ARGS_WHY]);
void bench_help(FILE *out);

const char *bench_scenario_name(enum bench_scenario s);
const char *bench_transport_name(unsigned transport);

/* Events go back and forth on connections that stay. */
static inline bool bench_is_messages(enum bench_scenario s)
{
    return s <= BENCH_POLLING;
}

/* Connections come and go all the time. */
static inline bool bench_is_cycles(enum bench_scenario s)
{
    return s == BENCH_CHURN || s == BENCH_UPGRADE;
}

/* -------------------------------------------------------------- what it saw */

struct bench_errors {
    size_t kinds;
    struct {
        uint64_t count;
        char why[CLI_WHY];
    } list[BENCH_ERRORS];
    uint64_t others; /* of kinds beyond those */
};

void bench_error(struct bench_errors *e, const char *why, uint64_t count);
void bench_errors_merge(struct bench_errors *into,
                        const struct bench_errors *from);
uint64_t bench_errors_count(const struct bench_errors *e);

/* Since the beginning. */
struct bench_counts {
    uint64_t connected; /* at present */
    uint64_t opened, failed, lost;
    uint64_t sent, received;
    uint64_t waiting;  /* at present, for an answer or a connection */
    uint64_t unsent;   /* due by --rate, but not sent before its end */
    uint64_t measured; /* of those received: sent while it was measured */
    uint64_t wrong;    /* content that is not what it must be */
    uint64_t other;    /* events that are none of ours */
    uint64_t bytes_in, bytes_out;
};

void bench_counts_add(struct bench_counts *into,
                      const struct bench_counts *from);

/* A moment of the run. */
struct bench_point {
    double at_s; /* since the beginning */
    double connected;
    double received_rate, sent_rate; /* a second, since the last one */
    double p50_ns, p99_ns, max_ns;   /* of what came since; 0: nothing */
    double errors;                   /* since the last one */
};

struct bench_result {
    const struct bench_options *options;
    const char *url;
    struct bench_counts counts;
    struct cli_histogram latency, connect, late;
    struct bench_errors errors;
    double measured_s; /* how long it was measured */
    double rounds[32]; /* storm: s until all were back */
    size_t round_count;
    struct bench_point *points;
    size_t point_count, point_cap;
    bool interrupted;
    double tool_cpu_s, tool_wall_s; /* while it was measured */
    bool server_known;
    double server_cpu_s;       /* the same */
    uint64_t server_events;    /* received in that time */
    uint64_t server_rss;       /* bytes at its end */
    uint64_t server_rss_0;     /* before the first connection */
    char other[64];            /* the first event that was none of ours */
    char wrong[CLI_WHY];       /* the first wrong content */
    char failure[CLI_WHY * 2]; /* why it was given up; "" when it was not */
};

/* Did everything go well? */
bool bench_passed(const struct bench_result *r);

void bench_report_text(FILE *out, const struct bench_result *r);
void bench_report_json(FILE *out, const struct bench_result *r);
void bench_report_html(FILE *out, const struct bench_result *r);

/* "1.23 ms", into text; returns it. */
#define BENCH_TEXT 32
const char *bench_duration(double ns, char text[BENCH_TEXT]);
/* "1,234,567" */
const char *bench_number(double n, char text[BENCH_TEXT]);

/* CPU time and memory of a process, of its threads together. False: it is not
 * there, or the system does not tell. */
struct bench_process {
    double cpu_s;
    uint64_t rss; /* bytes */
};
bool bench_process_read(uint64_t pid, struct bench_process *out);

/* `sio bench`, argv[0] is "bench": the status to exit with. */
int bench_main(int argc, char *const *argv);

#endif
