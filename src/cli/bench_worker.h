/*
 * bench_worker.h -- one thread of `sio bench`: a loop, its share of the
 * clients, and what the scenarios need of both.
 *
 * All of it belongs to the worker's loop, but struct bench_shared. Orders of
 * the main thread and answers to them go by mail.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_CLI_BENCH_WORKER_H
#define SRC_CLI_BENCH_WORKER_H

#include "src/cli/bench.h"
#include "src/cli/socket.h"
#include "src/net/pulse.h"

#include <stdatomic.h>
#include <time.h>

struct bench_worker;
struct bench_client;

/* What a scenario does. */
struct bench_ops {
    bool ramps; /* all clients are connected before it goes */
    /* To the namespace, and upgraded where that was asked for. */
    void (*connected)(struct bench_client *c);
    void (*packet)(struct bench_client *c, const struct sp_packet *packet,
                   const sio_str *attachments, size_t count);
    /* The connection is gone; `asked`: we have closed it. */
    void (*closed)(struct bench_client *c, bool asked, const char *why);
    void (*go)(struct bench_worker *w);    /* w->start_ns is set */
    void (*pulse)(struct bench_worker *w); /* what was asked for is due */
    void (*stop)(struct bench_worker *w);  /* send no more */
};

extern const struct bench_ops bench_messages, bench_cast, bench_cycles,
    bench_storm, bench_idle;

enum bench_client_state {
    BENCH_UNUSED, /* not connected yet, or any more */
    BENCH_CONNECTING,
    BENCH_CONNECTED,
    BENCH_LEAVING
};

struct bench_client {
    struct bench_worker *worker;
    struct cli_socket *socket; /* NULL: unused */
    uint32_t index;            /* of all workers' clients */
    enum bench_client_state state;
    bool in_namespace, upgraded;
    uint64_t due_ns;  /* when the connection under way was due to be begun */
    uint64_t echo_ns; /* cycles: of the echo under way; 0: none */
    uint64_t seq;     /* of the next event; of a receiver: the one expected */
    uint64_t oldest;  /* events before it are answered */
    uint64_t *flight; /* when each event in flight was due, 0: answered */
};

/* One broadcast on its way; see bench_cast.c. */
struct bench_slot {
    atomic_uint missing; /* receivers that have not got it */
    _Atomic uint64_t due_ns;
    struct net_mail done; /* to the sender's worker */
    struct bench_worker *sender;
};

/* The same for all workers, and not changed while they run. */
struct bench_shared {
    const struct bench_options *options;
    const struct cli_target *target;
    const struct bench_ops *ops;
    sio_str event, reply;
    char *payload; /* BENCH_TOKEN bytes to be numbered, then filler */
    size_t payload_size;
    size_t workers;
    struct bench_worker *sender; /* broadcast: whose first client sends */
    struct bench_slot *slots;    /* broadcast: `flight_cap` of them */
    uint32_t flight_cap;         /* a power of two */
    uint32_t flight_max;         /* events in flight, on a connection */
    uint32_t receivers;          /* broadcast: of each */
    bool interrupted;            /* set before END is ordered */
};

enum bench_order_kind {
    BENCH_RAMP,   /* connect */
    BENCH_GO,     /* begin at start_ns */
    BENCH_SAMPLE, /* tell the counters: `sampled` answers */
    BENCH_STOP,   /* send no more */
    BENCH_END,    /* leave, and end the thread */
    BENCH_NORDERS
};

struct bench_order {
    struct net_mail mail;
    struct bench_worker *worker;
    enum bench_order_kind kind;
};

/* What the worker tells the main thread, which reads it in that mail. */
struct bench_sample {
    struct bench_counts counts;
    struct bench_errors errors;
    struct cli_histogram latency; /* since the last sample */
};

struct bench_worker {
    struct bench_shared *shared;
    size_t index;
    pthread_t thread;
    struct net_loop loop;
    struct net_pulse pulse;
    struct bench_order orders[BENCH_NORDERS];

    struct net_loop *main; /* where answers go */
    struct net_mail ready; /* every connection was opened or has failed */
    struct net_mail sampled;
    struct net_mail drained; /* nothing is in flight, and nothing will be */
    bool is_ready, is_drained;
    uint64_t ready_count; /* connections that there were at that time */
    void *owner;          /* of the main thread */

    struct bench_client *clients;
    size_t client_count;
    size_t connecting; /* at the moment */
    size_t begun;      /* of the clients: connected for the first time, or
                          about to be */
    double ramp;       /* its share, connections a second */
    uint64_t ramp_ns;  /* when it began */

    uint64_t start_ns, from_ns, until_ns; /* sending; what is measured */
    bool going, stopped, ending;
    double rate;      /* its share, a second */
    bool storming;    /* storm: the connections have been broken */
    uint64_t due_seq; /* broadcast: number of the next one */
    uint64_t due;     /* events or cycles that the schedule has begun */
    uint64_t quota;   /* events or cycles left to begin */
    size_t turn;      /* the client whose turn it is */
    uint64_t in_flight;
    uint64_t last_ns; /* when the last one that is measured came back */

    struct bench_counts counts;
    struct bench_errors errors;
    struct cli_histogram latency; /* since the last sample */
    struct cli_histogram connect, late;
    struct bench_sample sample; /* the main thread's while it is told */
    char other[64], wrong[CLI_WHY];
    char *payload; /* of its own, to number */
};

static inline uint64_t bench_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Before the thread is started, and after it has ended. SIO_OK or an error. */
int bench_worker_init(struct bench_worker *w);
void bench_worker_destroy(struct bench_worker *w);
void *bench_worker_run(void *worker); /* the thread */

/* Main thread. The order must not be on its way already. */
void bench_worker_order(struct bench_worker *w, enum bench_order_kind kind);

/* --- for the scenarios --- */

/* Connect; `due_ns` is when that was to be. */
void bench_connect(struct bench_client *c, uint64_t due_ns);
void bench_leave(struct bench_client *c); /* closed() comes */
void bench_break(struct bench_client *c); /* it does not */

/* Number the payload, and emit it; `id` as in cli_socket_emit(). */
int bench_send(struct bench_client *c, uint32_t number, uint64_t seq,
               int64_t id);
/* The argument of a packet that we have sent: its numbers. False, and counted
 * as wrong, when it is anything else. */
bool bench_read(struct bench_client *c, const struct sp_packet *packet,
                const sio_str *attachments, size_t count, uint32_t *number,
                uint64_t *seq);
void bench_wrong(struct bench_worker *w, const char *what);
void bench_note_other(struct bench_worker *w, const struct sp_packet *packet);

/* Something that was due then has come back now. */
void bench_measure(struct bench_worker *w, uint64_t due_ns, uint64_t now_ns);
/*
 * --rate: do what is due by now, and ask for a pulse when the next thing is.
 * What could not be done by the schedule's end is counted as unsent; then, and
 * when all is done, the worker has stopped, and ops->stop() is called.
 *
 * one  does one thing; false: it must wait, since too much is under way
 */
void bench_schedule(struct bench_worker *w,
                    bool (*one)(struct bench_worker *w, uint64_t due_ns));

/* Tell the main thread, once each time that it has said GO. */
void bench_drained(struct bench_worker *w);

#endif
