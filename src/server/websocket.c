/*
 * websocket.c -- <sio/websocket.h>: plain WebSocket endpoints of a server.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sio/websocket.h>

#include "protocol/base/utf8.h"
#include "src/http/websocket.h"
#include "src/server/server.h"

#include <stdlib.h>

struct endpoint {
    struct list node; /* in server->endpoints */
    struct http_websockets websockets;
    sio_websocket_handlers handlers;
    void *user;
    sio_str path, subprotocols; /* in text; p NULL: see the options */
    char text[];
};

struct sio_websocket {
    struct http_websocket inner;
    struct endpoint *endpoint;
    void *data;
    bool over; /* nothing more is told */
    char subprotocol[];
};

static sio_websocket *outer(struct http_websocket *inner)
{
    return container_of(inner, sio_websocket, inner);
}

/* --------------------------------------------------------------- receiving --
 */

static void on_message(struct http_websocket *inner, const struct ws_message *m)
{
    sio_websocket *ws = outer(inner);
    const struct endpoint *e = ws->endpoint;
    sio_value v = m->type == WS_MSG_TEXT
                      ? sio_stringn((const char *)m->data, m->n)
                      : sio_binary(m->data, m->n);

    if (e->handlers.on_message)
        e->handlers.on_message(ws, &v, e->user);
}

static void on_drained(struct http_websocket *inner)
{
    sio_websocket *ws = outer(inner);
    const struct endpoint *e = ws->endpoint;

    e->handlers.on_drain(ws, e->user);
}

static void on_close(struct http_websocket *inner,
                     const struct http_websocket_end *end)
{
    sio_websocket *ws = outer(inner);
    const struct endpoint *e = ws->endpoint;

    if (ws->over)
        return;
    ws->over = true;
    if (e->handlers.on_close)
        e->handlers.on_close(ws, end->code, end->reason, e->user);
}

static void on_free(struct http_websocket *inner)
{
    free(outer(inner));
}

static const struct http_websocket_ops endpoint_ops = {
    .on_message = on_message,
    .on_close = on_close,
    .on_drained = on_drained,
    .on_free = on_free,
};

/* ----------------------------------------------------------------- opening --
 */

static void accept_websocket(struct endpoint *e, struct http_exchange *ex)
{
    sio_str offered =
        http_field_value(ex->request, STR("sec-websocket-protocol"));
    sio_str chosen = e->subprotocols.p
                         ? http_websocket_subprotocol(offered, e->subprotocols)
                         : STR("");
    sio_websocket *ws = calloc(1, sizeof *ws + chosen.n + 1);

    if (!ws) {
        http_respond_text(ex, 503, "Service Unavailable", true);
        return;
    }
    ws->endpoint = e;
    if (chosen.n)
        memcpy(ws->subprotocol, chosen.p, chosen.n);
    if (http_websocket_accept(&e->websockets, ex, &ws->inner, chosen, NULL, 0) <
        0) {
        free(ws);
        return;
    }
    ws->inner.tells_drained = e->handlers.on_drain != NULL;
    if (e->handlers.on_open)
        e->handlers.on_open(ws, e->user);
}

bool endpoints_handle(sio_server *server, struct http_exchange *ex)
{
    const struct http_request *r = ex->request;
    sio_str upgrade = http_field_value(r, STR("upgrade"));

    if (!r->upgrade || !str_eq_nocase(upgrade, STR("websocket")))
        return false;
    list_for_each_safe(it, next, &server->endpoints)
    {
        struct endpoint *e = container_of(it, struct endpoint, node);

        if (e->path.p && !str_eq(e->path, r->path))
            continue;
        if (sio_draining(server))
            http_respond_text(ex, 503, "Service Unavailable", true);
        else
            accept_websocket(e, ex);
        return true;
    }
    return false;
}

/* --------------------------------------------------------------- endpoints --
 */

void sio_websocket_options_init_sized(sio_websocket_options *options,
                                      size_t size)
{
    sio_websocket_options d = {
        .size = size,
        .max_message = 1000000,
        .max_fragments = WS_MAX_FRAGMENTS,
        .ping_timeout_ms = 20000,
    };

    memset(options, 0, size);
    memcpy(options, &d, size < sizeof d ? size : sizeof d);
}

static sio_str keep(char *at, const char *text)
{
    sio_str s = str_of(text);

    if (s.n)
        memcpy(at, s.p, s.n);
    return (sio_str){ text ? at : NULL, s.n };
}

int sio_on_websocket(sio_server *server, const sio_websocket_options *options,
                     const sio_websocket_handlers *handlers, void *user)
{
    sio_websocket_options o;
    struct endpoint *e;

    sio_websocket_options_init(&o);
    if (options)
        memcpy(&o, options,
               options->size < sizeof o ? options->size : sizeof o);
    if ((o.path && o.path[0] != '/') || o.max_message == 0 ||
        o.max_fragments == 0 || o.ping_timeout_ms == 0)
        return SIO_E_INVAL;
    e = calloc(1, sizeof *e + str_of(o.path).n + str_of(o.subprotocols).n);
    if (!e)
        return SIO_E_NOMEM;
    e->path = keep(e->text, o.path);
    e->subprotocols = keep(e->text + e->path.n, o.subprotocols);
    e->user = user;
    memcpy(&e->handlers, handlers,
           handlers->size < sizeof e->handlers ? handlers->size
                                               : sizeof e->handlers);
    http_websockets_init(&e->websockets, &server->main.loop,
                         &(struct http_websocket_options){
                             .ops = &endpoint_ops,
                             .max_message = o.max_message,
                             .max_fragments = o.max_fragments,
                             .ping_interval_ms = o.ping_interval_ms,
                             .ping_timeout_ms = o.ping_timeout_ms,
                             .deflate = { .on = o.per_message_deflate,
                                          .level = WS_DEFLATE_DEFAULT_LEVEL },
                         });
    list_append(&server->endpoints, &e->node);
    return SIO_OK;
}

/* As a server that goes away (RFC 6455 7.4.1); each hears of it. */
static void go_away(struct http_websocket *ws)
{
    http_websocket_close(ws, WS_CLOSE_GOING_AWAY, STR(""));
    on_close(ws, &(struct http_websocket_end){ .code = WS_CLOSE_GOING_AWAY });
}

void endpoints_shut(sio_server *server)
{
    list_for_each_safe(it, next, &server->endpoints)
    {
        struct endpoint *e = container_of(it, struct endpoint, node);

        list_for_each_safe(w, after, &e->websockets.list)
        {
            struct http_websocket *ws =
                container_of(w, struct http_websocket, node);

            if (!ws->closing)
                go_away(ws);
        }
    }
}

/* The first of an endpoint that is not closing, or NULL. */
static struct http_websocket *oldest_open(const struct endpoint *e)
{
    const struct list *head = &e->websockets.list;

    for (struct list *it = head->next; it != head; it = it->next) {
        struct http_websocket *ws =
            container_of(it, struct http_websocket, node);

        if (!ws->closing)
            return ws;
    }
    return NULL;
}

bool endpoints_close_oldest(sio_server *server)
{
    list_for_each_safe(it, next, &server->endpoints)
    {
        struct http_websocket *ws =
            oldest_open(container_of(it, struct endpoint, node));

        if (!ws)
            continue;
        go_away(ws);
        return true;
    }
    return false;
}

bool endpoints_any_open(const sio_server *server)
{
    const struct list *head = &server->endpoints;

    for (struct list *it = head->next; it != head; it = it->next)
        if (oldest_open(container_of(it, struct endpoint, node)))
            return true;
    return false;
}

size_t endpoints_open(const sio_server *server)
{
    const struct list *head = &server->endpoints;
    size_t count = 0;

    for (struct list *it = head->next; it != head; it = it->next) {
        struct list *all =
            &container_of(it, struct endpoint, node)->websockets.list;

        for (struct list *w = all->next; w != all; w = w->next)
            count += !container_of(w, struct http_websocket, node)->closing;
    }
    return count;
}

/* Their connections are gone by now, or cut here; what is deferred frees them
 * later, without the endpoint. */
void endpoints_destroy(sio_server *server)
{
    list_for_each_safe(it, next, &server->endpoints) http_websockets_destroy(
        &container_of(it, struct endpoint, node)->websockets);
}

void endpoints_free(sio_server *server)
{
    list_for_each_safe(it, next, &server->endpoints)
        free(container_of(it, struct endpoint, node));
}

void endpoints_count(const sio_server *server, sio_stats *stats)
{
    const struct list *head = &server->endpoints;

    for (struct list *it = head->next; it != head; it = it->next)
        stats->websockets +=
            container_of(it, struct endpoint, node)->websockets.count;
}

/* ---------------------------------------------------------- one WebSocket --
 */

int sio_websocket_send(sio_websocket *ws, const sio_value *message)
{
    bool text = message->kind == SIO_STRING;

    if (!text && message->kind != SIO_BINARY)
        return SIO_E_TYPE;
    if (ws->inner.closing)
        return SIO_E_STATE;
    if (text && !utf8_valid(message->data, message->size))
        return SIO_E_INVAL;
    http_websocket_send(&ws->inner, text ? WS_TEXT : WS_BINARY,
                        (sio_str){ message->data, message->size }, true);
    return SIO_OK;
}

size_t sio_websocket_buffered(const sio_websocket *ws)
{
    return ws->inner.conn ? ws->inner.conn->queued : 0;
}

void sio_websocket_pause(sio_websocket *ws)
{
    http_websocket_pause(&ws->inner);
}

void sio_websocket_resume(sio_websocket *ws)
{
    http_websocket_resume(&ws->inner);
}

int sio_websocket_close(sio_websocket *ws, unsigned code, const char *reason)
{
    sio_str text = str_of(reason);

    if (!http_websocket_may_close(code, text))
        return SIO_E_INVAL;
    ws->over = true;
    http_websocket_close(&ws->inner, code, text);
    return SIO_OK;
}

const char *sio_websocket_subprotocol(const sio_websocket *ws)
{
    return ws->subprotocol;
}

void sio_websocket_set_data(sio_websocket *ws, void *data)
{
    ws->data = data;
}

void *sio_websocket_data(const sio_websocket *ws)
{
    return ws->data;
}
