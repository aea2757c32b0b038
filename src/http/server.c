/*
 * server.c -- what all HTTP connections of a loop share: timeouts, limits, and
 * exchanges that are used again.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/http/connection.h"

#include <stdio.h>
#include <stdlib.h>

#define SPARE_MAX 64        /* exchanges kept */
#define SPARE_HEAD_MAX 4096 /* bytes of head kept with each */
#define SPARE_FIELDS_MAX 64 /* fields kept with each */

void http_config_defaults(struct http_config *config)
{
    *config = (struct http_config){
        .max_head = 16384,
        .max_fields = 200,
        .max_pipeline = 32,
        .head_ms = 60000,
        .request_ms = 300000,
        .keep_alive_ms = 5000,
        .linger_ms = 5000,
        .tls_ms = 10000,
        .max_queued = 16u * 1024 * 1024,
        .max_unfinished = 256u * 1024 * 1024,
    };
}

/* ------------------------------------------------------------- exchanges -- */

static void intake_free(struct http_exchange *ex)
{
    struct http_intake *in = http_intake_of(ex);

    grow_free(&in->head);
    grow_free(&in->body);
    free(in->fields);
    free(in);
    ex->request = NULL;
}

static void exchange_free(struct http_exchange *ex)
{
    if (ex->request)
        intake_free(ex);
    free(ex);
}

/* An exchange with its intake; NULL: out of memory. */
static struct http_exchange *exchange_make(void)
{
    struct http_exchange *ex = malloc(sizeof *ex);
    struct http_intake *in = calloc(1, sizeof *in);

    if (!ex || !in) {
        free(ex);
        free(in);
        return NULL;
    }
    ex->request = &in->request;
    return ex;
}

static struct http_exchange *take_spare(struct http_server *s)
{
    struct http_exchange *ex;

    if (list_empty(&s->spare))
        return exchange_make();
    /* The last one given back: it is still in the cache. */
    ex = container_of(s->spare.prev, struct http_exchange, node);
    list_remove(&ex->node);
    s->spare_count--;
    return ex;
}

struct http_exchange *http_exchange_new(struct http_connection *h)
{
    struct http_server *s = h->server;
    struct http_exchange *ex = take_spare(s);
    struct http_intake *in;

    if (!ex)
        return NULL;
    in = http_intake_of(ex);
    *ex = (struct http_exchange){ .connection = h, .request = &in->request };
    in->in_body = false;
    in->scan = (struct http_scan){ 0 };
    in->head.len = 0;
    in->head.max = s->config.max_head;
    list_init(&ex->node);
    s->exchange_count++;
    return ex;
}

void http_exchange_release(struct http_exchange *ex)
{
    struct http_server *s = ex->connection->server;
    struct http_intake *in;

    s->exchange_count--;
    free(ex->added);
    buf_unref(ex->response);
    buf_unref(ex->shared);
    free(ex->kept);
    if (!ex->request || ex->request == &s->lost) {
        free(ex);
        return;
    }
    in = http_intake_of(ex);
    http_unfinished(s, in->body.cap, 0);
    grow_free(&in->body);
    if (s->spare_count == SPARE_MAX || in->head.cap > SPARE_HEAD_MAX ||
        in->field_cap > SPARE_FIELDS_MAX) {
        exchange_free(ex);
        return;
    }
    list_append(&s->spare, &ex->node);
    s->spare_count++;
}

/* All that has arrived becomes one small block. */
void http_exchange_park(struct http_exchange *ex)
{
    if (http_intake_of(ex)->body.cap)
        return;
    ex->method = ex->request->method.p; /* a constant */
    ex->kept = http_keep(ex->request, NULL);
    if (!ex->kept)
        return;
    intake_free(ex);
    if (ex->ops->on_parked)
        ex->ops->on_parked(ex->self);
}

void http_wake(struct http_exchange *ex)
{
    struct http_server *s = ex->connection->server;
    struct http_intake *in;

    if (ex->request)
        return;
    in = calloc(1, sizeof *in);
    if (in)
        in->field_cap = http_kept_count(ex->kept);
    if (in && in->field_cap)
        in->fields = malloc(in->field_cap * sizeof *in->fields);
    if (!in || (in->field_cap && !in->fields)) {
        free(in);
        s->lost = (struct http_request){ .method = STR("") };
        ex->request = &s->lost;
        net_conn_fail(ex->connection->conn, NET_CLOSE_NOMEM);
        return;
    }
    http_kept_fill(ex->kept, &in->request, in->fields);
    in->request.method = str_of(ex->method);
    ex->request = &in->request;
}

struct http_client http_client(const struct http_exchange *ex)
{
    const struct http_connection *h = ex->connection;
    const struct http_config *config = &h->server->config;
    const struct net_conn *conn = h->conn ? h->conn : h->upgraded;
    struct http_client client = { conn->peer, ex->request->secure };

    if (config->trusted)
        http_forwarded(ex->request, config->trusted, config->forwarded,
                       &client);
    return client;
}

/* ---------------------------------------------------------------- server -- */

bool http_unfinished(struct http_server *s, size_t before, size_t after)
{
    s->unfinished += after - before;
    return after <= before || s->unfinished <= s->config.max_unfinished;
}

static void spell_keep_alive(struct http_server *s)
{
    snprintf(s->keep_alive, sizeof s->keep_alive,
             "Connection: keep-alive\r\nKeep-Alive: timeout=%u\r\n",
             (unsigned)(s->config.keep_alive_ms / 1000));
}

int http_server_init(struct http_server *s, struct net_loop *loop,
                     const struct http_config *config,
                     const struct http_server_ops *ops, void *self)
{
    *s = (struct http_server){
        .loop = loop, .config = *config, .ops = ops, .self = self
    };
    list_init(&s->connections);
    list_init(&s->spare);
    spell_keep_alive(s);
    net_timer_queue_init(&s->head_timeouts, loop, config->head_ms,
                         http_head_timed_out);
    net_timer_queue_init(&s->request_timeouts, loop, config->request_ms,
                         http_request_timed_out);
    net_timer_queue_init(&s->idle_timeouts, loop, config->keep_alive_ms,
                         http_idle_timed_out);
    net_timer_queue_init(&s->tls_timeouts, loop, config->tls_ms,
                         http_tls_timed_out);
    net_timer_queue_init(&s->parks, loop, HTTP_PARK_MS, http_park);
    return SIO_OK;
}

void http_server_shut(struct http_server *s)
{
    s->shut = true;
    list_for_each_safe(it, tmp, &s->connections)
    {
        struct http_connection *h =
            container_of(it, struct http_connection, node);

        if (!h->reading && h->exchange_count == 0)
            http_connection_finish(h);
    }
}

void http_server_reopen(struct http_server *s)
{
    s->shut = false;
}

void http_server_cut(struct http_server *s)
{
    while (!list_empty(&s->connections))
        http_connection_close(
            container_of(s->connections.next, struct http_connection, node));
    while (!list_empty(&s->spare))
        exchange_free(take_spare(s));
}

void http_server_close(struct http_server *s)
{
    s->closed = true;
    http_server_cut(s);
    net_timer_queue_close(&s->head_timeouts);
    net_timer_queue_close(&s->request_timeouts);
    net_timer_queue_close(&s->idle_timeouts);
    net_timer_queue_close(&s->tls_timeouts);
    net_timer_queue_close(&s->parks);
}
