/*
 * drain.c -- leaving gently: no new clients, those that are there are closed
 * one by one over a given time, then the server stops.
 *
 *   sio_drain() --> begin --> close one, wait, close one, ... --> server_stop()
 *
 * The time is cut into as many equal slots as there are clients, and one is
 * closed at a random moment of each: they come back to the other servers
 * spread evenly, but not in step.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/server/server.h"

#include "src/net/random.h"

static struct server_loop *loop_of(struct drain *d)
{
    return container_of(d, struct server_loop, drain);
}

/* Main has what is not Socket.IO, too. */
static size_t sessions_left(const struct server_loop *l)
{
    return map_count(&server_loop_shard(l)->engine.sessions) +
           (l->index == 0 ? engines_sessions(l->server) : 0);
}

static bool any_left(const struct server_loop *l)
{
    return sessions_left(l) || (l->index == 0 && endpoints_any_open(l->server));
}

/* False: whoever is left is in the middle of something. */
static bool close_one(struct server_loop *l)
{
    return eng_close_oldest(&server_loop_shard(l)->engine) ||
           (l->index == 0 && (engines_close_oldest(l->server) ||
                              endpoints_close_oldest(l->server)));
}

/* When the next one is due: at a random moment of its slot. */
static void choose_next(struct server_loop *l)
{
    struct drain *d = &l->drain;
    uint64_t slot =
        ((uint64_t)l->server->drain_ms << 16) / d->clients; /* ms / 65536 */
    uint16_t moment;

    if (net_random(&moment, sizeof moment) < 0)
        moment = 0;
    d->next_ms =
        d->begin_ms + ((slot * d->closed + (slot * moment >> 16)) >> 16);
}

static void close_due(struct server_loop *l)
{
    struct drain *d = &l->drain;

    while (d->closed < d->clients && d->next_ms <= l->loop.now_ms &&
           close_one(l)) {
        d->closed++;
        choose_next(l);
    }
}

static bool all_done(sio_server *server)
{
    for (size_t i = 0; i < server->loop_count; i++)
        if (!atomic_load(&server_loop_at(server, i)->drain.done))
            return false;
    return true;
}

/* How long until something is due; main looks after the others, too. */
static uint64_t next_look(const struct server_loop *l)
{
    const struct drain *d = &l->drain;
    uint64_t now = l->loop.now_ms, end = d->begin_ms + l->server->drain_ms;
    uint64_t wait = DRAIN_LOOK_MS;

    if (d->next_ms > now && d->next_ms - now < wait)
        wait = d->next_ms - now;
    if (end > now && end - now < wait)
        wait = end - now;
    return wait;
}

static void drain_look(struct net_alarm *alarm)
{
    struct drain *d = container_of(alarm, struct drain, alarm);
    struct server_loop *l = loop_of(d);
    bool over = l->loop.now_ms >= d->begin_ms + l->server->drain_ms;

    close_due(l);
    if (over || !any_left(l))
        atomic_store(&d->done, true);
    if (l->index == 0 && (over || all_done(l->server)))
        server_stop(l->server);
    else if ((l->index == 0 || !d->done) &&
             net_alarm_start(&l->loop, alarm, next_look(l)) < 0) {
        atomic_store(&d->done, true);
        if (l->index == 0)
            server_stop(l->server);
    }
}

/* Each loop its own clients. */
static void drain_here(struct net_mail *mail)
{
    struct drain *d = container_of(mail, struct drain, mail);
    struct server_loop *l = loop_of(d);

    d->begin_ms = l->loop.now_ms;
    d->clients =
        sessions_left(l) + (l->index == 0 ? endpoints_open(l->server) : 0);
    d->closed = 0;
    eng_refuse_new(&server_loop_shard(l)->engine);
    server_log(l->server, SIO_LOG_INFO, "draining %zu clients over %u ms",
               d->clients, (unsigned)l->server->drain_ms);
    if (d->clients)
        choose_next(l);
    drain_look(&d->alarm);
}

void drain_begin(struct net_mail *mail)
{
    sio_server *server = container_of(mail, sio_server, drain_mail);

    if (server->stopping)
        return;
    if (!server->options.drain_listens)
        listeners_close(server);
    engines_refuse_new(server);
    for (size_t i = 1; i < server->loop_count; i++)
        net_post(&server_loop_at(server, i)->loop,
                 &server_loop_at(server, i)->drain.mail);
    drain_here(&server->main.drain.mail);
}

void drain_init(struct drain *d)
{
    d->mail.run = drain_here;
    net_alarm_init(&d->alarm, drain_look);
}

void drain_reset(struct drain *d)
{
    atomic_store(&d->done, false);
    d->clients = d->closed = 0;
}

void sio_drain(sio_server *server, uint32_t ms)
{
    if (atomic_exchange(&server->drain_begun, true))
        return;
    server->drain_ms = ms;
    net_post(&server->main.loop, &server->drain_mail);
}

bool sio_draining(const sio_server *server)
{
    return atomic_load(&server->drain_begun) ||
           atomic_load(&server->stop_posted);
}
