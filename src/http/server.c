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

static void exchange_free(struct http_exchange *ex)
{
    grow_free(&ex->head);
    free(ex->fields);
    free(ex);
}

static struct http_exchange *take_spare(struct http_server *s)
{
    struct http_exchange *ex;

    if (list_empty(&s->spare))
        return calloc(1, sizeof *ex);
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

    if (!ex)
        return NULL;
    *ex = (struct http_exchange){ .connection = h,
                                  .head = ex->head,
                                  .fields = ex->fields,
                                  .field_cap = ex->field_cap };
    list_init(&ex->node);
    ex->head.len = 0;
    ex->head.max = s->config.max_head;
    s->exchange_count++;
    return ex;
}

void http_exchange_release(struct http_exchange *ex)
{
    struct http_server *s = ex->connection->server;

    s->exchange_count--;
    http_unfinished(s, ex->body.cap, 0);
    grow_free(&ex->body);
    free(ex->added);
    buf_unref(ex->response);
    buf_unref(ex->shared);
    free(ex->kept);
    if (s->spare_count == SPARE_MAX || ex->head.cap > SPARE_HEAD_MAX ||
        ex->field_cap > SPARE_FIELDS_MAX) {
        exchange_free(ex);
        return;
    }
    list_append(&s->spare, &ex->node);
    s->spare_count++;
}

/* The head's text and the pointers into it become one small block. */
void http_exchange_park(struct http_exchange *ex)
{
    struct http_request *r = &ex->request;

    ex->kept = http_keep(r, NULL);
    if (!ex->kept)
        return;
    r->target = r->path = r->query = (sio_str){ NULL, 0 };
    r->fields = NULL;
    r->field_count = 0;
    grow_free(&ex->head);
    free(ex->fields);
    ex->fields = NULL;
    ex->field_cap = 0;
}

void http_wake(struct http_exchange *ex)
{
    struct http_kept *k = ex->kept;
    size_t at = 0, n = 0, count;

    if (!k || ex->fields)
        return;
    count = http_kept_count(k);
    if (count == 0)
        return;
    ex->fields = malloc(count * sizeof *ex->fields);
    if (!ex->fields) {
        net_conn_fail(ex->connection->conn, NET_CLOSE_NOMEM);
        return;
    }
    ex->field_cap = count;
    while (http_kept_next(k, &at, &ex->fields[n]))
        n++;
    ex->request.fields = ex->fields;
    ex->request.field_count = n;
    ex->request.target = http_kept_target(k);
    ex->request.query = http_kept_query(k);
}

struct http_client http_client(const struct http_exchange *ex)
{
    const struct http_connection *h = ex->connection;
    const struct http_config *config = &h->server->config;
    struct http_client client = { h->peer, ex->request.secure };

    if (config->trusted)
        http_forwarded(&ex->request, config->trusted, config->forwarded,
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
