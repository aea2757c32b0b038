/*
 * http_fixture.h -- an HTTP server on a fake clock, a client on a socketpair,
 * and a handler that does what the path says and keeps a transcript.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_UNIT_HTTP_FIXTURE_H
#define TESTS_UNIT_HTTP_FIXTURE_H

#include "src/http/exchange.h"
#include "tests/unit/test.h"

#include <stdlib.h>
#include <unistd.h>

#define FX_MAX_BODY 10 /* bytes, of every exchange that waits */
#define FX_WAITING 8   /* exchanges that can */

static uint64_t fx_now;
static struct net_loop fx_loop;
static struct http_server fx_server;
static struct http_config fx_config;
/* A request whose path begins so moves its connection to a second loop and its
 * server. NULL: none does. */
static const char *fx_moves;
static struct net_loop fx_far_loop;
static struct http_server fx_far;
static int fx_peer; /* the client's end */
static char fx_told[2000];
static struct http_exchange *fx_waiting[FX_WAITING]; /* by the path's digit */
static struct net_conn *fx_upgraded;
static void (*fx_special)(struct http_exchange *ex); /* path "/special" */

__attribute__((format(printf, 1, 2))) static inline void
fx_tell(const char *fmt, ...)
{
    size_t at = strlen(fx_told);
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(fx_told + at, sizeof fx_told - at, fmt, ap);
    va_end(ap);
}

static inline void fx_answer(struct http_exchange *ex, const char *body)
{
    http_respond(
        ex, &(struct http_response){ .status = 200, .body = str_of(body) });
}

/* ------------------------------------------------------ exchanges that wait */

static inline void fx_forget(struct http_exchange *ex)
{
    for (size_t i = 0; i < FX_WAITING; i++)
        if (fx_waiting[i] == ex)
            fx_waiting[i] = NULL;
}

static inline void fx_on_body(void *self, struct http_exchange *ex, char *body,
                              size_t n)
{
    fx_tell("<%.*s>", (int)n, body);
    if (self)
        fx_answer(ex, "ok");
}

static inline void fx_on_too_large(void *self, struct http_exchange *ex)
{
    (void)self;
    fx_tell("L");
    fx_forget(ex);
    http_respond(ex, &(struct http_response){ .status = 413 });
}

static inline void fx_on_aborted(void *self, struct http_exchange *ex,
                                 bool complete)
{
    (void)self;
    fx_tell(complete ? "A" : "a");
    fx_forget(ex);
}

static const struct http_exchange_ops fx_exchange_ops = {
    .on_body = fx_on_body,
    .on_too_large = fx_on_too_large,
    .on_aborted = fx_on_aborted,
};

/* ------------------------------------------------------ an upgraded stream */

static inline size_t fx_up_data(void *self, uint8_t *data, size_t len)
{
    (void)self;
    fx_tell("[%.*s]", (int)len, (char *)data);
    return len;
}

static inline void fx_up_end(void *self)
{
    (void)self;
    fx_tell("e");
}

static inline void fx_up_closed(void *self, enum net_close_reason why)
{
    (void)self;
    (void)why;
    fx_tell("c");
    fx_upgraded = NULL;
}

static const struct net_conn_ops fx_up_ops = { fx_up_data, fx_up_end,
                                               fx_up_closed, NULL };

static inline void fx_upgrade(struct http_exchange *ex)
{
    struct http_field field = { STR("Upgrade"), STR("x") };

    fx_upgraded = http_upgrade(ex, &field, 1);
    if (fx_upgraded)
        net_conn_set_ops(fx_upgraded, &fx_up_ops, NULL);
    else
        fx_tell("-");
}

/* ------------------------------------------------------------- the handler */

/* /now answers before the body, /post after it, /wait0 .. /wait7 when the test
 * says so, /drop drops, /up upgrades, /up-wait0 waits. */
static inline void fx_on_request(void *self, struct http_exchange *ex)
{
    sio_str path = ex->request->path;

    (void)self;
    fx_tell("%.*s ", (int)path.n, path.p);
    ex->max_body = FX_MAX_BODY;
    if (str_eq(path, STR("/now"))) {
        fx_answer(ex, "hi");
    } else if (str_eq(path, STR("/drop"))) {
        http_drop(ex);
    } else if (str_eq(path, STR("/up"))) {
        fx_upgrade(ex);
    } else if (str_eq(path, STR("/special"))) {
        fx_special(ex);
    } else {
        ex->ops = &fx_exchange_ops;
        ex->self = str_eq(path, STR("/post")) ? ex : NULL;
        if (!ex->self)
            fx_waiting[(unsigned)(path.p[path.n - 1] - '0') % FX_WAITING] = ex;
    }
}

static inline void fx_on_refused(void *self, const struct net_address *peer,
                                 int status, const char *why)
{
    (void)self;
    (void)peer;
    fx_tell("!%d%s", status, why ? "" : " (no reason)");
}

static inline struct http_server *fx_route(void *self,
                                           const struct http_exchange *ex)
{
    (void)self;
    return fx_moves && str_starts(ex->request->path, str_of(fx_moves)) ? &fx_far
                                                                       : NULL;
}

static const struct http_server_ops fx_server_ops = {
    .route = fx_route, .on_request = fx_on_request, .on_refused = fx_on_refused
};
static const struct http_server_ops fx_far_ops = { .on_request = fx_on_request,
                                                   .on_refused =
                                                       fx_on_refused };

static inline void fx_poll(void)
{
    net_loop_poll(&fx_loop);
    for (int i = 0; fx_moves && i < 2; i++) {
        net_loop_poll(&fx_far_loop);
        net_loop_poll(&fx_loop);
    }
}

/* -------------------------------------------------------------- the fixture */

static inline uint64_t fx_clock(void *self)
{
    (void)self;
    return fx_now;
}

/* Another client of the same server; its descriptor. */
static inline int fx_connect(void)
{
    struct net_address nobody = { 0 };
    int fds[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) < 0)
        return -1;
    http_accept(&fx_server, fds[0], &nobody);
    return fds[1];
}

/* fx_config may be changed before, by a test that calls this itself. */
static inline void fx_begin_configured(void)
{
    struct net_loop_config config = { .clock = fx_clock };

    fx_now = 1000;
    fx_told[0] = 0;
    memset(fx_waiting, 0, sizeof fx_waiting);
    fx_upgraded = NULL;
    CHECK(net_loop_init(&fx_loop, &config) == SIO_OK, "no loop");
    CHECK(http_server_init(&fx_server, &fx_loop, &fx_config, &fx_server_ops,
                           NULL) == SIO_OK,
          "no server");
    if (fx_moves)
        CHECK(net_loop_init(&fx_far_loop, &config) == SIO_OK &&
                  http_server_init(&fx_far, &fx_far_loop, &fx_config,
                                   &fx_far_ops, NULL) == SIO_OK,
              "no second server");
    fx_peer = fx_connect();
}

static inline void fx_begin(void)
{
    http_config_defaults(&fx_config);
    fx_begin_configured();
}

static inline void fx_check_left(struct net_loop *loop, struct http_server *s)
{
    CHECK(s->connection_count == 0, "%zu connections left",
          s->connection_count);
    CHECK(s->exchange_count == 0, "%zu exchanges left", s->exchange_count);
    CHECK(loop->queued_bytes == 0, "%zu bytes left", loop->queued_bytes);
    CHECK(loop->chunk_count == 0, "%zu chunks left", loop->chunk_count);
    net_loop_destroy(loop);
    CHECK(loop->conn_count == 0, "%zu connections left", loop->conn_count);
}

static inline void fx_end(void)
{
    if (fx_upgraded)
        net_conn_close(fx_upgraded);
    http_server_close(&fx_server);
    if (fx_moves)
        http_server_close(&fx_far);
    fx_poll();
    fx_check_left(&fx_loop, &fx_server);
    if (fx_moves)
        fx_check_left(&fx_far_loop, &fx_far);
    close(fx_peer);
}

static inline void fx_move_clock(uint64_t ms)
{
    fx_now += ms;
    fx_poll();
    fx_poll();
}

static inline void fx_send(const void *p, size_t n)
{
    CHECK(send(fx_peer, p, n, MSG_NOSIGNAL) == (ssize_t)n, "not sent");
    fx_poll();
}

static inline void fx_say(const char *text)
{
    fx_send(text, strlen(text));
}

static inline void fx_half_close(void)
{
    shutdown(fx_peer, SHUT_WR);
    fx_poll();
    fx_poll();
}

/* What the client has received by now; "#" at the end of the stream. Date
 * fields read "Date: *". */
static inline const char *fx_receive(void)
{
    static char got[300000];
    size_t n = 0;
    ssize_t r;
    char *date;

    fx_poll();
    while ((r = recv(fx_peer, got + n, sizeof got - n - 2, MSG_DONTWAIT)) > 0) {
        n += (size_t)r;
        fx_poll();
    }
    if (r == 0)
        got[n++] = '#';
    got[n] = 0;
    for (date = got; (date = strstr(date, "\r\nDate: ")); date += 9) {
        char *eol = strstr(date + 2, "\r\n");

        date[8] = '*';
        memmove(date + 9, eol, strlen(eol) + 1);
    }
    return got;
}

/* The same, of each answer only "STATUS BODY|", from its head without
 * Content-Length "STATUS|". */
static inline const char *fx_answers(void)
{
    static char out[10000];
    const char *at = fx_receive(), *end;

    out[0] = 0;
    while ((end = strstr(at, "\r\n\r\n"))) {
        const char *length = strstr(at, "Content-Length: ");
        int n = length && length < end ? atoi(length + 16) : 0;

        snprintf(out + strlen(out), sizeof out - strlen(out), "%.3s%s%.*s|",
                 at + 9, n ? " " : "", n, end + 4);
        at = end + 4 + n;
    }
    snprintf(out + strlen(out), sizeof out - strlen(out), "%.99s", at);
    return out;
}

static inline void fx_check_told(const char *want)
{
    CHECK(strcmp(fx_told, want) == 0, "told '%s', want '%s'", fx_told, want);
    fx_told[0] = 0;
}

static inline void fx_check_answers(const char *want)
{
    const char *got = fx_answers();

    CHECK(strcmp(got, want) == 0, "answered '%s', want '%s'", got, want);
}

#endif
