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

static size_t sessions_left(const sio_server *server)
{
    return map_count(&server->hub.shards->engine.sessions) +
           engines_sessions(server);
}

/* False: whoever is left is in the middle of something. */
static bool close_one(sio_server *server)
{
    return eng_close_oldest(&server->hub.shards->engine) ||
           engines_close_oldest(server) || endpoints_close_oldest(server);
}

/* When the next one is due: at a random moment of its slot. */
static void choose_next(struct drain *d)
{
    uint64_t slot = ((uint64_t)d->ms << 16) / d->clients; /* ms / 65536 */
    uint16_t moment;

    if (net_random(&moment, sizeof moment) < 0)
        moment = 0;
    d->next_ms =
        d->begin_ms + ((slot * d->closed + (slot * moment >> 16)) >> 16);
}

static void close_due(sio_server *server)
{
    struct drain *d = &server->drain;

    while (d->closed < d->clients && d->next_ms <= server->loop.now_ms &&
           close_one(server)) {
        d->closed++;
        choose_next(d);
    }
}

static void drain_look(struct net_alarm *alarm)
{
    struct drain *d = container_of(alarm, struct drain, alarm);
    sio_server *server = container_of(d, sio_server, drain);
    uint64_t now = server->loop.now_ms, wait = DRAIN_LOOK_MS;

    close_due(server);
    if (now >= d->begin_ms + d->ms ||
        (sessions_left(server) == 0 && !endpoints_any_open(server))) {
        server_stop(server);
        return;
    }
    if (d->next_ms > now && d->next_ms - now < wait)
        wait = d->next_ms - now;
    if (d->begin_ms + d->ms - now < wait)
        wait = d->begin_ms + d->ms - now;
    if (net_alarm_start(&server->loop, alarm, wait) < 0)
        server_stop(server);
}

static void drain_begin(struct net_mail *mail)
{
    struct drain *d = container_of(mail, struct drain, mail);
    sio_server *server = container_of(d, sio_server, drain);

    if (server->stopping)
        return;
    d->begin_ms = server->loop.now_ms;
    d->clients = sessions_left(server) + endpoints_open(server);
    server_log(server, SIO_LOG_INFO, "draining %zu clients over %u ms",
               d->clients, (unsigned)d->ms);
    if (!server->options.drain_listens)
        listeners_close(server);
    eng_refuse_new(&server->hub.shards->engine);
    engines_refuse_new(server);
    if (d->clients)
        choose_next(d);
    drain_look(&d->alarm);
}

void drain_init(struct drain *d)
{
    d->mail.run = drain_begin;
    net_alarm_init(&d->alarm, drain_look);
}

void drain_reset(struct drain *d)
{
    atomic_store(&d->begun, false);
    d->clients = d->closed = 0;
}

void sio_drain(sio_server *server, uint32_t ms)
{
    if (atomic_exchange(&server->drain.begun, true))
        return;
    server->drain.ms = ms;
    net_post(&server->loop, &server->drain.mail);
}

bool sio_draining(const sio_server *server)
{
    return atomic_load(&server->drain.begun) ||
           atomic_load(&server->stop_posted);
}
