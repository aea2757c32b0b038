/*
 * loops.c -- several loops: see loops.h.
 *
 *   accept (main) --> the loop whose turn it is --> handshake: a session there
 *
 *   request --> route(): the loop that its session id names
 *                        what is not under Socket.IO's path: main
 *                        a handshake on a kept connection: the next one, since
 *                        pages and files have led all browsers to main
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/server/server.h"

#include "src/http/request.h"

#include <signal.h>

#define COUNT_MS 5 /* between two counts for other threads */

/* --------------------------------------------------------------- routing -- */

struct server_loop *server_loop_at(sio_server *server, size_t i)
{
    return i == 0 ? &server->main : &server->others[i - 1];
}

struct so_shard *server_loop_shard(const struct server_loop *l)
{
    return &l->server->hub.shards[l->index];
}

struct server_loop *server_loop_next(sio_server *server)
{
    unsigned turn =
        atomic_fetch_add_explicit(&server->turn, 1, memory_order_relaxed);

    return server_loop_at(server, turn % server->loop_count);
}

/* By its target alone: is it Socket.IO's? The client's bundle is not. */
static bool is_engines(sio_server *server, const struct http_request *r)
{
    sio_str path = r->path, base = server->path;

    return str_starts(r->target, server->hub.shards->engine.options.path) &&
           !(str_starts(path, base) &&
             http_is_bundle(&server->bundle,
                            (sio_str){ path.p + base.n, path.n - base.n }));
}

/* The loop that has the session, or would; NULL: none. */
static struct server_loop *home_of(sio_server *server, sio_str sid)
{
    int home = -1;

    if (server->options.generate_id)
        home = eng_ids_find(&server->ids, sid);
    else if (sid.n == ENG_SID_LEN)
        home = eng_home_of(sid.p);
    return home >= 0 && (size_t)home < server->loop_count
               ? server_loop_at(server, (size_t)home)
               : NULL;
}

static struct http_server *route(void *self, const struct http_exchange *ex)
{
    struct server_loop *here = self;
    sio_server *server = here->server;
    struct server_loop *to = here, *home;
    char sid[SIO_ID_MAX + 1];
    int n;

    if (!is_engines(server, ex->request)) {
        to = &server->main;
    } else {
        n = http_query_text(ex->request->query, STR("sid"), sid, sizeof sid);
        if (n > 0 && (size_t)n < sizeof sid) {
            home = home_of(server, (sio_str){ sid, (size_t)n });
            to = home ? home : here;
        } else if (n <= 0 && ex->later) {
            to = server_loop_next(server);
        }
    }
    return to == here ? NULL : &to->http;
}

/* -------------------------------------------------------------- requests -- */

static void on_request(void *self, struct http_exchange *ex)
{
    server_on_request(self, ex);
}

static void on_refused(void *self, const struct net_address *peer, int status,
                       const char *why)
{
    struct server_loop *l = self;
    char address[NET_ADDRESS_TEXT];

    l->bad_requests++;
    net_address_text(peer, address);
    server_log(l->server, SIO_LOG_WARN, "request of %s refused with %d: %s",
               address, status, why);
}

static void on_tls_failed(void *self, const struct net_address *peer,
                          bool handshake, const char *why)
{
    char address[NET_ADDRESS_TEXT];

    net_address_text(peer, address);
    server_log(self, SIO_LOG_WARN, "TLS%s of %s failed: %s",
               handshake ? " handshake" : "", address, why);
}

static const struct http_server_ops one_loop = {
    .on_request = on_request,
    .on_refused = on_refused,
};

static const struct http_server_ops many_loops = {
    .route = route,
    .on_request = on_request,
    .on_refused = on_refused,
};

/* -------------------------------------------------------------- stopping -- */

/* Connections end by themselves once their last bytes are out; whoever does not
 * read them is not waited for beyond the deadline. */
static void stop_look(struct net_alarm *alarm)
{
    struct server_loop *l = container_of(alarm, struct server_loop, stop_alarm);

    if (l->loop.conn_count && l->loop.now_ms < l->stop_deadline_ms &&
        net_alarm_start(&l->loop, alarm, STOP_POLL_MS) == SIO_OK)
        return;
    http_server_cut(&l->http);
    atomic_store(&l->stopped, true);
    if (l->index == 0)
        server_look_stopped(l->server);
}

void server_loop_stop(struct server_loop *l)
{
    net_alarm_stop(&l->loop, &l->drain.alarm);
    l->stop_deadline_ms = l->loop.now_ms + STOP_MS;
    so_shard_shut(server_loop_shard(l));
    http_server_shut(&l->http);
}

static void on_stop(struct net_mail *mail)
{
    struct server_loop *l = container_of(mail, struct server_loop, stop_mail);

    server_loop_stop(l);
    stop_look(&l->stop_alarm);
}

void server_loop_look(struct server_loop *l)
{
    stop_look(&l->stop_alarm);
}

void server_loop_reopen(struct server_loop *l)
{
    atomic_store(&l->stopped, false);
    drain_reset(&l->drain);
    http_server_reopen(&l->http);
    eng_reopen(&server_loop_shard(l)->engine);
}

static void on_reopen(struct net_mail *mail)
{
    server_loop_reopen(container_of(mail, struct server_loop, reopen_mail));
}

void loops_stop_others(sio_server *server)
{
    for (size_t i = 1; i < server->loop_count; i++) {
        struct server_loop *l = server_loop_at(server, i);

        net_post(&l->loop, &l->stop_mail);
    }
}

void loops_reopen_others(sio_server *server)
{
    for (size_t i = 1; i < server->loop_count; i++) {
        struct server_loop *l = server_loop_at(server, i);

        atomic_store(&l->stopped, false);
        net_post(&l->loop, &l->reopen_mail);
    }
}

bool loops_others_stopped(sio_server *server)
{
    for (size_t i = 1; i < server->loop_count; i++)
        if (!atomic_load(&server_loop_at(server, i)->stopped))
            return false;
    return true;
}

/* -------------------------------------------------------------- counting -- */

/* Now and then, while anything happens: to be asked costs a loop nothing. */
static void on_count(struct net_alarm *alarm)
{
    struct server_loop *l =
        container_of(alarm, struct server_loop, count_alarm);
    sio_stats s = { 0 };

    stats_add_loop(&s, l);
    pthread_mutex_lock(&l->counted_lock);
    l->counted = s;
    pthread_mutex_unlock(&l->counted_lock);
}

static void on_turn(void *self)
{
    struct server_loop *l = self;

    if (!l->count_alarm.slot)
        (void)net_alarm_start(&l->loop, &l->count_alarm, COUNT_MS);
}

void loops_count(sio_server *server, sio_stats *out)
{
    for (size_t i = 0; i < server->loop_count; i++) {
        struct server_loop *l = server_loop_at(server, i);

        if (net_loop_is_current(&l->loop)) {
            stats_add_loop(out, l);
            continue;
        }
        pthread_mutex_lock(&l->counted_lock);
        stats_add(out, &l->counted);
        pthread_mutex_unlock(&l->counted_lock);
    }
}

/* --------------------------------------------------------------- threads -- */

static void *run(void *arg)
{
    struct server_loop *l = arg;

    net_loop_run(&l->loop);
    return NULL;
}

static void end_first(sio_server *server, size_t count)
{
    for (size_t i = 1; i < count; i++)
        net_loop_stop(&server_loop_at(server, i)->loop);
    for (size_t i = 1; i < count; i++) {
        struct server_loop *l = server_loop_at(server, i);

        pthread_join(l->thread, NULL);
        net_loop_attach(&l->loop);
    }
}

/* Signals are main's. */
int loops_start(sio_server *server)
{
    sigset_t all, before;
    size_t i = 1;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (; i < server->loop_count; i++) {
        struct server_loop *l = server_loop_at(server, i);
        char name[16];

        if (pthread_create(&l->thread, NULL, run, l) != 0)
            break;
        snprintf(name, sizeof name, "sio-loop-%u", (unsigned)i);
        pthread_setname_np(l->thread, name);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (i == server->loop_count)
        return SIO_OK;
    end_first(server, i);
    return SIO_E_SYS;
}

void loops_end(sio_server *server)
{
    end_first(server, server->loop_count);
}

/* ----------------------------------------------------- beginning and end -- */

int server_loop_init(struct server_loop *l, sio_server *server, size_t index,
                     const struct net_loop_config *loop,
                     const struct http_config *http)
{
    int r = net_loop_init(&l->loop, loop);

    if (r < 0)
        return r;
    l->server = server;
    l->index = index;
    l->loop.limits = &server->limits;
    l->loop.on_tls_failed = on_tls_failed;
    l->loop.tls_self = server;
    l->stop_mail.run = on_stop;
    l->reopen_mail.run = on_reopen;
    net_alarm_init(&l->count_alarm, on_count);
    if (server->loop_count > 1) {
        l->loop.on_turn = on_turn;
        l->loop.turn_self = l;
    }
    net_alarm_init(&l->stop_alarm, stop_look);
    drain_init(&l->drain);
    pthread_mutex_init(&l->counted_lock, NULL);
    r = http_server_init(&l->http, &l->loop, http,
                         server->loop_count > 1 ? &many_loops : &one_loop, l);
    if (r < 0)
        server_loop_destroy(l);
    return r;
}

void server_loop_destroy(struct server_loop *l)
{
    net_loop_destroy(&l->loop);
    pthread_mutex_destroy(&l->counted_lock);
}
