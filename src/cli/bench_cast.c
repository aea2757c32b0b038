/*
 * bench_cast.c -- broadcast: the first client sends, and everybody gets it.
 *
 * The sender has `in_flight` broadcasts under way, and one is over when the
 * last receiver has it, on whatever thread that is: each has a slot in which
 * the receivers that are still missing are counted down, and whoever gets to 0
 * posts the slot to the sender. The numbers of a broadcast come in order, so a
 * receiver expects exactly the next one.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/cli/bench_worker.h"

static struct bench_slot *slot_of(const struct bench_shared *s, uint64_t seq)
{
    return &s->slots[seq & (s->flight_cap - 1)];
}

static struct bench_client *sender_of(struct bench_worker *w)
{
    return &w->shared->sender->clients[0];
}

static bool sends(const struct bench_worker *w)
{
    return w == w->shared->sender;
}

/* ----------------------------------------------------------------- sending */

/* Its own number of the next one is kept apart from the one it expects. */
static void send_one(struct bench_worker *w, uint64_t due_ns)
{
    struct bench_slot *slot = slot_of(w->shared, w->due_seq);

    atomic_store(&slot->due_ns, due_ns);
    atomic_store(&slot->missing, w->shared->receivers);
    w->in_flight++;
    if (!--w->quota)
        w->stopped = true;
    bench_send(sender_of(w), 0, w->due_seq++, SP_NO_ID);
}

static bool has_room(struct bench_worker *w)
{
    return sender_of(w)->state == BENCH_CONNECTED &&
           w->in_flight < w->shared->flight_max &&
           !atomic_load(&slot_of(w->shared, w->due_seq)->missing);
}

static void check_drained(struct bench_worker *w)
{
    if (!sends(w) || (w->stopped && !w->in_flight))
        bench_drained(w);
}

static bool send_due(struct bench_worker *w, uint64_t due_ns)
{
    const bool room = has_room(w);

    if (room)
        send_one(w, due_ns);
    return room;
}

static void fill_up(struct bench_worker *w)
{
    while (!w->stopped && w->rate <= 0 && has_room(w))
        send_one(w, bench_now());
}

static void on_done(struct net_mail *mail)
{
    struct bench_slot *slot = container_of(mail, struct bench_slot, done);
    struct bench_worker *w = slot->sender;

    w->in_flight--;
    if (w->rate <= 0 && bench_now() >= w->until_ns)
        w->stopped = true;
    fill_up(w);
    check_drained(w);
}

static void go(struct bench_worker *w)
{
    struct bench_shared *s = w->shared;

    if (!sends(w)) {
        bench_drained(w);
        return;
    }
    for (size_t i = 0; i < s->flight_cap; i++) {
        s->slots[i].done.run = on_done;
        s->slots[i].sender = w;
    }
    if (sender_of(w)->state != BENCH_CONNECTED || !s->receivers || !w->quota)
        w->stopped = true;
    check_drained(w);
    net_pulse_at(&w->pulse, w->stopped ? 0 : w->start_ns);
}

static void pulse(struct bench_worker *w)
{
    if (w->stopped)
        return;
    if (w->rate > 0) {
        bench_schedule(w, send_due);
    } else if (bench_now() < w->until_ns) {
        fill_up(w);
        net_pulse_at(&w->pulse, w->until_ns);
    } else {
        w->stopped = true;
        check_drained(w);
    }
}

/* --------------------------------------------------------------- receiving */

static void packet(struct bench_client *c, const struct sp_packet *p,
                   const sio_str *attachments, size_t count)
{
    struct bench_worker *w = c->worker;
    const struct bench_shared *s = w->shared;
    struct bench_slot *slot;
    uint32_t number;
    uint64_t seq;

    if (!cli_event_is(s->target, p, s->reply)) {
        bench_note_other(w, p);
        return;
    }
    if (!bench_read(c, p, attachments, count, &number, &seq))
        return;
    slot = slot_of(s, seq);
    if (number != 0 || seq != c->seq || !atomic_load(&slot->missing)) {
        bench_wrong(w, seq < c->seq ? "a broadcast has come twice"
                                    : "a broadcast is missing");
        return;
    }
    c->seq++;
    bench_measure(w, atomic_load(&slot->due_ns), bench_now());
    if (atomic_fetch_sub(&slot->missing, 1) == 1)
        net_post(&s->sender->loop, &slot->done);
}

/* What waits for that client is never over: the run ends, and says so. */
static void closed(struct bench_client *c, bool asked, const char *why)
{
    struct bench_worker *w = c->worker;

    (void)asked;
    (void)why;
    if (!w->going)
        return;
    w->stopped = true;
    if (sends(w) && !w->counts.connected)
        bench_drained(w);
}

static void connected(struct bench_client *c)
{
    (void)c;
}

const struct bench_ops bench_cast = { .ramps = true,
                                      .connected = connected,
                                      .packet = packet,
                                      .closed = closed,
                                      .go = go,
                                      .pulse = pulse,
                                      .stop = check_drained };
