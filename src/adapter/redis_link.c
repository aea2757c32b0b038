/*
 * redis_link.c -- see redis_link.h.
 *
 * Callbacks may close the link they are about: its memory, and that of its
 * client, lasts until the end of the turn.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/adapter/redis_link.h"

#include "protocol/base/str.h"
#include "src/net/random.h"
#include "src/net/tls_connect.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FALLBACK_MS 1000 /* where an alarm could not be started */

/* ---------------------------------------------------------------- alarms -- */

static void start_alarm(struct redis_link *link, uint64_t ms)
{
    net_timer_stop(&link->fallback);
    if (net_alarm_start(link->shared->loop, &link->alarm, ms) < 0)
        net_timer_start(&link->shared->fallbacks, &link->fallback);
}

static void stop_alarm(struct redis_link *link)
{
    net_timer_stop(&link->fallback);
    net_alarm_stop(link->shared->loop, &link->alarm);
}

/* Doubles with every try; between half of that and all of it, so that the
 * processes of a cluster do not come back all at once. */
static uint64_t back_off(const struct redis_link *link)
{
    const struct redis_shared *s = link->shared;
    unsigned shift = link->tries < 20 ? link->tries : 20;
    uint64_t ms = (uint64_t)s->backoff_min_ms << shift;
    uint32_t random = UINT32_MAX / 2;

    if (ms > s->backoff_max_ms)
        ms = s->backoff_max_ms;
    net_random(&random, sizeof random);
    return ms - ms / 2 + random % (ms / 2 + 1);
}

/* ------------------------------------------------------------------ down -- */

static void end_all(struct redis_shared *s, struct list *commands)
{
    while (!list_empty(commands))
        redis_command_end(
            s, container_of(commands->next, struct redis_command, node),
            SIO_E_STATE, NULL);
}

static void drop_connection(struct redis_link *link)
{
    if (link->dial)
        net_dial_cancel(link->dial);
    if (link->conn)
        net_conn_close(link->conn);
    link->dial = NULL;
    link->conn = NULL;
}

/* head: a command that is in no list any more, and ends first, with `error`;
 * NULL: none. The others follow, in their order. */
static void down_at(struct redis_link *link, const char *why,
                    struct redis_command *head, int error)
{
    struct redis_shared *s = link->shared;
    struct list lost;

    snprintf(link->why, sizeof link->why, "%s", why);
    drop_connection(link);
    list_move(&link->sent, &lost);
    s->failures++;
    link->failing = true;
    /* One that breaks at once, again and again, is not tried at once. */
    if (link->state == REDIS_LINK_UP &&
        s->loop->now_ms - link->up_ms >= s->backoff_max_ms)
        link->tries = 0;
    link->state = REDIS_LINK_WAITING;
    start_alarm(link, back_off(link));
    link->tries++;
    link->ops->on_down(link->self, link);
    if (head)
        redis_command_end(s, head, error, NULL);
    end_all(s, &lost);
}

static void down(struct redis_link *link, const char *why)
{
    down_at(link, why, NULL, SIO_OK);
}

static void command_timed_out(struct net_timer *timer)
{
    struct redis_command *c =
        container_of(timer, struct redis_command, timeout);
    struct redis_link *link = c->link;
    struct redis_shared *s = link->shared;
    char why[REDIS_WHY];

    list_remove(&c->node);
    if (!c->sent) {
        redis_command_end(s, c, SIO_E_TIMEOUT, NULL);
        return;
    }
    snprintf(why, sizeof why, "no answer within %" PRIu32 " ms", s->command_ms);
    down_at(link, why, c, SIO_E_TIMEOUT);
}

/* -------------------------------------------------------------------- up -- */

static void up(struct redis_link *link)
{
    struct redis_shared *s = link->shared;
    struct list waiting;

    link->state = REDIS_LINK_UP;
    link->failing = false;
    link->up_ms = s->loop->now_ms;
    s->connects++;
    start_alarm(link, s->ping_ms);
    link->ops->on_up(link->self, link);
    list_move(&link->waiting, &waiting);
    while (!list_empty(&waiting)) {
        struct redis_command *c =
            container_of(waiting.next, struct redis_command, node);

        list_remove(&c->node);
        redis_link_take(link, c);
    }
}

static void ping(struct redis_link *link)
{
    static const sio_str argv[] = { { "PING", 4 } };
    struct redis_shared *s = link->shared;

    start_alarm(link, s->ping_ms);
    if (list_empty(&link->sent) &&
        s->loop->now_ms - link->conn->last_in_ms >= s->ping_ms)
        redis_link_command(link, argv, 1, -1, NULL, NULL);
}

/* ---------------------------------------------------------------- set-up -- */

enum step { AUTH, SELECT, PING, STEPS };

static bool has_step(const struct redis_link *link, enum step step)
{
    return step == PING || (step == AUTH && link->shared->password) ||
           (step == SELECT && link->shared->db);
}

static void send_now(struct redis_link *link, const sio_str *argv, size_t argc)
{
    size_t n = redis_encoded_size(argv, argc);
    char *p = net_conn_reserve(link->conn, n);

    if (!p)
        return; /* the connection is doomed */
    redis_encode(p, argv, argc);
    net_conn_commit(link->conn, n);
}

static void send_step(struct redis_link *link, enum step step)
{
    static const sio_str ping_argv[] = { { "PING", 4 } };
    const struct redis_shared *s = link->shared;
    char db[12];

    if (step == AUTH) {
        const sio_str argv[] = { STR("AUTH"), str_of(s->user),
                                 str_of(s->password) };
        const sio_str short_argv[] = { argv[0], argv[2] };

        send_now(link, s->user ? argv : short_argv, s->user ? 3 : 2);
    } else if (step == SELECT) {
        sio_str argv[] = { STR("SELECT"), { db, 0 } };

        argv[1].n = (size_t)snprintf(db, sizeof db, "%u", s->db);
        send_now(link, argv, 2);
    } else {
        send_now(link, ping_argv, 1);
    }
}

static enum step next_step(const struct redis_link *link, unsigned from)
{
    while (from < STEPS && !has_step(link, (enum step)from))
        from++;
    return (enum step)from;
}

/* Whom PING is forbidden has been let in all the same. */
static void set_up_reply(struct redis_link *link,
                         const struct redis_reply *reply)
{
    static const char *const names[] = { "AUTH", "SELECT", "PING" };
    char why[REDIS_WHY];

    if (reply->type == REDIS_ERROR &&
        !(link->step == PING && str_starts(reply->text, STR("NOPERM")))) {
        snprintf(why, sizeof why, "%s: %.*s", names[link->step],
                 (int)(reply->text.n < 128 ? reply->text.n : 128),
                 reply->text.p);
        down(link, why);
        return;
    }
    link->step = next_step(link, link->step + 1);
    if (link->step == STEPS)
        up(link);
}

static void begin_set_up(struct redis_link *link)
{
    const struct redis_shared *s = link->shared;
    uint64_t spent = s->loop->now_ms - link->begun_ms;

    link->state = REDIS_LINK_SETUP;
    start_alarm(link, spent < s->connect_ms ? s->connect_ms - spent : 1);
    link->step = next_step(link, 0);
    for (unsigned i = link->step; i < STEPS; i = next_step(link, i + 1))
        send_step(link, (enum step)i);
}

/* --------------------------------------------------------------- reading -- */

static struct redis_command *first_sent(struct redis_link *link)
{
    return list_empty(&link->sent)
               ? NULL
               : container_of(link->sent.next, struct redis_command, node);
}

static void take_reply(struct redis_link *link, const struct redis_reply *reply)
{
    struct redis_command *head = first_sent(link);

    if (link->state == REDIS_LINK_SETUP) {
        set_up_reply(link, reply);
        return;
    }
    if (link->ops->on_push &&
        link->ops->on_push(link->self, link, head, reply)) {
        link->pushes++;
        return;
    }
    if (!head) {
        down(link, "an answer to nothing that was asked");
    } else if (head->skip) {
        head->skip = false;
    } else if (!(reply->type == REDIS_ERROR && head->routed &&
                 link->ops->on_redirect(link->self, link, head, reply))) {
        redis_command_end(link->shared, head, SIO_OK, reply);
    }
}

/* Whoever has asked for more than we take is told; among messages it is not
 * known who that is. */
static void reading_failed(struct redis_link *link, int error, const char *why)
{
    struct redis_command *head =
        error == SIO_E_LIMIT && !link->ops->on_push ? first_sent(link) : NULL;

    if (head)
        list_remove(&head->node);
    down_at(link, why, head, SIO_E_LIMIT);
}

static size_t on_data(void *self, uint8_t *data, size_t len)
{
    struct redis_link *link = self;
    const struct net_conn *conn = link->conn;
    const struct redis_reply *reply;
    const char *why = NULL;
    int n = redis_reader_feed(link->reader, data, len);

    if (n < 0)
        why = sio_strerror(n);
    while (!why && link->conn == conn &&
           (n = redis_reader_next(link->reader, &reply, &why)) > 0)
        take_reply(link, reply);
    if (why && link->conn == conn)
        reading_failed(link, n, why);
    return len;
}

static void on_closed(void *self, enum net_close_reason why)
{
    struct redis_link *link = self;
    bool tls = why == NET_CLOSE_TLS && link->tls_why[0];

    link->conn = NULL;
    down(link, tls ? link->tls_why : net_close_reason_text(why));
}

static const struct net_conn_ops conn_ops = { .on_data = on_data,
                                              .on_closed = on_closed };

/* --------------------------------------------------------------- dialing -- */

static void on_tls_failed(void *self, const char *why)
{
    struct redis_link *link = self;

    snprintf(link->tls_why, sizeof link->tls_why, "TLS: %s", why);
}

static int open_reader(struct redis_link *link)
{
    if (link->reader)
        return redis_reader_reset(link->reader);
    link->reader = redis_reader_new(link->shared->max_reply);
    return link->reader ? SIO_OK : SIO_E_NOMEM;
}

static void on_connected(void *self, int fd, const struct net_address *peer)
{
    struct redis_link *link = self;
    struct redis_shared *s = link->shared;
    int r;

    link->dial = NULL;
    link->tls_why[0] = 0;
    r = open_reader(link);
    if (r == SIO_OK)
        r = net_conn_open_outgoing(s->loop, fd, peer, SIZE_MAX / 2, &conn_ops,
                                   link, &link->conn);
    if (r < 0) {
        close(fd);
        down(link, sio_strerror(r));
        return;
    }
    if (s->tls && net_tls_connect(link->conn, s->tls, link->host, on_tls_failed,
                                  link) < 0)
        down(link, sio_strerror(SIO_E_NOMEM));
    else
        begin_set_up(link);
}

static void on_failed(void *self, const char *why)
{
    struct redis_link *link = self;

    link->dial = NULL;
    down(link, why);
}

static const struct net_dial_ops dial_ops = { on_connected, on_failed };

static void dial(struct redis_link *link)
{
    struct redis_shared *s = link->shared;
    int r;

    link->begun_ms = s->loop->now_ms;
    link->state = REDIS_LINK_DIALING;
    r = net_dial(s->loop, link->host, link->port, s->connect_ms, &dial_ops,
                 link, &link->dial);
    if (r < 0) {
        link->dial = NULL;
        down(link, sio_strerror(r));
    }
}

static void alarm_fired(struct redis_link *link)
{
    if (link->state == REDIS_LINK_WAITING)
        dial(link);
    else if (link->state == REDIS_LINK_SETUP)
        down(link, "no answer in time");
    else if (link->state == REDIS_LINK_UP)
        ping(link);
}

static void on_alarm(struct net_alarm *alarm)
{
    alarm_fired(container_of(alarm, struct redis_link, alarm));
}

static void on_fallback(struct net_timer *timer)
{
    alarm_fired(container_of(timer, struct redis_link, fallback));
}

/* ---------------------------------------------------------------- asking -- */

static void write_command(struct redis_link *link, struct redis_command *c)
{
    static const sio_str asking[] = { { "ASKING", 6 } };

    if (c->asking)
        send_now(link, asking, 1);
    c->skip = c->asking;
    c->asking = false;
    net_conn_append_buf(link->conn, c->bytes);
    if (!c->routed) {
        buf_unref(c->bytes);
        c->bytes = NULL;
    }
    c->sent = true;
    list_append(&link->sent, &c->node);
}

void redis_link_take(struct redis_link *link, struct redis_command *c)
{
    list_remove(&c->node);
    c->link = link;
    if (link->state == REDIS_LINK_UP) {
        write_command(link, c);
        return;
    }
    c->sent = false;
    list_append(&link->waiting, &c->node);
}

int redis_link_command(struct redis_link *link, const sio_str *argv,
                       size_t argc, int slot, redis_on_reply *on_reply,
                       void *self)
{
    struct redis_shared *s = link->shared;
    size_t n = redis_encoded_size(argv, argc);
    struct redis_command *c;
    int r = link->state == REDIS_LINK_CLOSED
                ? SIO_E_STATE
                : redis_command_new(s, n, on_reply, self, &c);

    if (r < 0)
        return r;
    c->routed = slot >= 0;
    c->slot = (uint16_t)(slot < 0 ? 0 : slot);
    c->link = link;
    if (link->state == REDIS_LINK_UP && !c->routed) {
        send_now(link, argv, argc);
        c->sent = true;
        list_append(&link->sent, &c->node);
        return SIO_OK;
    }
    c->bytes = buf_alloc(n);
    if (!c->bytes) {
        c->on_reply = NULL;
        s->dropped++;
        redis_command_end(s, c, SIO_E_NOMEM, NULL);
        return SIO_E_NOMEM;
    }
    redis_encode((char *)c->bytes->data, argv, argc);
    redis_link_take(link, c);
    return SIO_OK;
}

/* ---------------------------------------------------- beginning and end -- */

void redis_timers_init(struct redis_shared *s)
{
    net_timer_queue_init(&s->timeouts, s->loop, s->command_ms,
                         command_timed_out);
    net_timer_queue_init(&s->fallbacks, s->loop, FALLBACK_MS, on_fallback);
}

void redis_timers_close(struct redis_shared *s)
{
    net_timer_queue_close(&s->timeouts);
    net_timer_queue_close(&s->fallbacks);
}

struct redis_link *redis_link_new(struct redis_shared *shared, const char *host,
                                  uint16_t port,
                                  const struct redis_link_ops *ops, void *self)
{
    struct redis_link *link = calloc(1, sizeof *link);

    if (!link)
        return NULL;
    link->shared = shared;
    link->host = host;
    link->port = port;
    link->ops = ops;
    link->self = self;
    link->state = REDIS_LINK_WAITING;
    list_init(&link->waiting);
    list_init(&link->sent);
    net_alarm_init(&link->alarm, on_alarm);
    net_timer_init(&link->fallback);
    start_alarm(link, 0); /* so that no callback comes from within this */
    return link;
}

static void link_free(struct net_deferred *d)
{
    struct redis_link *link = container_of(d, struct redis_link, cleanup);

    redis_reader_free(link->reader);
    free(link);
}

void redis_link_close(struct redis_link *link)
{
    struct redis_shared *s = link->shared;
    bool up = link->state == REDIS_LINK_UP;

    if (link->state == REDIS_LINK_CLOSED)
        return;
    link->state = REDIS_LINK_CLOSED;
    stop_alarm(link);
    if (up && link->conn) {
        net_conn_finish(link->conn, REDIS_LINGER_MS);
        link->conn = NULL;
    }
    drop_connection(link);
    net_defer(s->loop, &link->cleanup, link_free);
    end_all(s, &link->sent);
    end_all(s, &link->waiting);
}
