/*
 * bench_crowd.c -- idle: connections that only stay, and are counted when they
 * do not; storm: all of them break at the same moment, as when a server or the
 * network before it is restarted, and come back at once.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/cli/bench_worker.h"

#define RETRY_NS 100000000 /* after a connection that failed */

static void ignore(struct bench_client *c)
{
    (void)c;
}

static void drop_packet(struct bench_client *c, const struct sp_packet *p,
                        const sio_str *attachments, size_t count)
{
    (void)attachments;
    (void)count;
    bench_note_other(c->worker, p);
}

/* --------------------------------------------------------------------- idle */

static void idle_check(struct bench_worker *w)
{
    if (!w->counts.connected || bench_now() >= w->until_ns)
        w->stopped = true;
    if (w->stopped)
        bench_drained(w);
}

static void idle_go(struct bench_worker *w)
{
    net_pulse_at(&w->pulse, w->until_ns);
    idle_check(w);
}

static void idle_closed(struct bench_client *c, bool asked, const char *why)
{
    (void)asked;
    (void)why;
    if (c->worker->going)
        idle_check(c->worker);
}

const struct bench_ops bench_idle = { .ramps = true,
                                      .connected = ignore,
                                      .packet = drop_packet,
                                      .closed = idle_closed,
                                      .go = idle_go,
                                      .pulse = idle_check,
                                      .stop = idle_check };

/* -------------------------------------------------------------------- storm */

static void storm_check(struct bench_worker *w)
{
    if (w->going && (w->stopped || !w->in_flight))
        bench_drained(w);
}

/* All at the same moment, and whoever is late is counted from then. */
static void storm_begin(struct bench_worker *w)
{
    w->storming = true;
    w->in_flight = w->client_count;
    for (size_t i = 0; i < w->client_count; i++)
        bench_break(&w->clients[i]);
    for (size_t i = 0; i < w->client_count; i++)
        bench_connect(&w->clients[i], w->start_ns);
}

/* Those that have failed try once more. */
static void storm_again(struct bench_worker *w)
{
    for (size_t i = 0; i < w->client_count; i++)
        if (w->clients[i].state == BENCH_UNUSED)
            bench_connect(&w->clients[i], w->start_ns);
}

static void storm_pulse(struct bench_worker *w)
{
    if (w->stopped)
        return;
    if (!w->storming)
        storm_begin(w);
    else
        storm_again(w);
}

static void storm_go(struct bench_worker *w)
{
    w->storming = false;
    net_pulse_at(&w->pulse, w->start_ns);
}

static void storm_connected(struct bench_client *c)
{
    struct bench_worker *w = c->worker;

    if (!w->storming)
        return;
    w->counts.sent++;
    bench_measure(w, c->due_ns, bench_now());
    w->in_flight--;
    storm_check(w);
}

static void storm_closed(struct bench_client *c, bool asked, const char *why)
{
    (void)asked;
    (void)why;
    if (c->worker->going)
        net_pulse_at(&c->worker->pulse, bench_now() + RETRY_NS);
}

const struct bench_ops bench_storm = { .ramps = true,
                                       .connected = storm_connected,
                                       .packet = drop_packet,
                                       .closed = storm_closed,
                                       .go = storm_go,
                                       .pulse = storm_pulse,
                                       .stop = storm_check };
