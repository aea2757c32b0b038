/*
 * engine.c -- <sio/engine.h>: plain Engine.IO endpoints of a server.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/server/options.h"
#include "src/server/server.h"

#include <stdlib.h>

struct sio_engine {
    struct list node; /* in server->engines */
    sio_server *server;
    struct engine engine;
    sio_engine_handlers handlers;
    void *user;
    struct arena strings; /* copies of the options' */
};

/* One message being given its "4"; per call, since handlers may nest. */
static int send_text(struct eng_session *s, const sio_value *message)
{
    struct grow text;
    int r;

    grow_init(&text, SIZE_MAX);
    r = grow_reserve(&text, message->size + 1);
    if (r == SIO_OK) {
        grow_append_byte(&text, '4');
        grow_append(&text, message->data, message->size);
        eng_send_text(s, grow_str(&text), true);
    }
    grow_free(&text);
    return r;
}

/* A sio_session is an eng_session seen from outside. */
static struct eng_session *inside(const sio_session *session)
{
    return (struct eng_session *)(uintptr_t)session;
}

static sio_session *outside(struct eng_session *s)
{
    return (sio_session *)(void *)s;
}

static int on_open(void *self, struct eng_session *s)
{
    sio_engine *e = self;

    if (e->handlers.on_open)
        e->handlers.on_open(outside(s), e->user);
    return SIO_OK;
}

static void on_message(void *self, struct eng_session *s, bool binary,
                       uint8_t *data, size_t n)
{
    sio_engine *e = self;
    sio_value v = binary ? sio_binary(data, n) : sio_stringn((char *)data, n);

    if (e->handlers.on_message)
        e->handlers.on_message(outside(s), &v, e->user);
}

static void on_batch(void *self, struct eng_session *s)
{
    (void)self;
    (void)s;
}

static void on_close(void *self, struct eng_session *s,
                     enum eio_close_reason reason, const char *detail)
{
    sio_engine *e = self;

    (void)detail;
    if (e->handlers.on_close)
        e->handlers.on_close(outside(s), eio_close_reason_name(reason),
                             e->user);
}

static void on_refused(void *self, const sio_connection_error *error)
{
    sio_engine *e = self;

    server_log(e->server, SIO_LOG_WARN, "request of %s refused: %s%s%s",
               error->address, error->message, *error->context ? ": " : "",
               error->context);
}

static const struct eng_ops ops = {
    .on_open = on_open,
    .on_message = on_message,
    .on_batch = on_batch,
    .on_close = on_close,
    .on_refused = on_refused,
};

static void engine_free(sio_engine *e)
{
    arena_free(&e->strings);
    free(e);
}

sio_engine *sio_engine_new(sio_server *server, const sio_options *options,
                           const sio_engine_handlers *handlers, void *user)
{
    sio_engine *e = calloc(1, sizeof *e);
    struct eng_options eng;
    sio_options o;
    const char *wrong;

    if (!e)
        return NULL;
    options_read(&o, options);
    if (!options)
        o.path = "/engine.io";
    wrong = options_check(&o);
    if (wrong) {
        server_log(server, SIO_LOG_ERROR, "invalid options: %s", wrong);
        goto fail;
    }
    e->server = server;
    e->user = user;
    memcpy(&e->handlers, handlers,
           handlers->size < sizeof e->handlers ? handlers->size
                                               : sizeof e->handlers);
    if (options_for_engine(&o, &e->strings, &eng, &wrong) < 0) {
        server_log(server, SIO_LOG_ERROR, "invalid options: %s",
                   wrong ? wrong : sio_strerror(SIO_E_NOMEM));
        goto fail;
    }
    if (eng_init(&e->engine, &server->loop, &eng, &ops, e) < 0)
        goto fail;
    list_append(&server->engines, &e->node);
    return e;
fail:
    engine_free(e);
    return NULL;
}

int sio_session_send(sio_session *session, const sio_value *message)
{
    struct eng_session *s = inside(session);

    if (!eng_is_open(s))
        return SIO_E_STATE;
    if (message->kind == SIO_STRING)
        return send_text(s, message);
    if (message->kind != SIO_BINARY)
        return SIO_E_TYPE;
    eng_send_binary(s, (sio_str){ message->data, message->size }, true);
    return SIO_OK;
}

void sio_session_close(sio_session *session)
{
    eng_close(inside(session));
}

const char *sio_session_id(const sio_session *session)
{
    return eng_sid(inside(session));
}

const char *sio_session_transport(const sio_session *session)
{
    return eng_transport(inside(session));
}

sio_str sio_session_header(const sio_session *session, const char *name)
{
    return http_field_value(eng_carrier(inside(session)), str_of(name));
}

void sio_session_set_data(sio_session *session, void *data)
{
    eng_set_user(inside(session), data);
}

void *sio_session_data(const sio_session *session)
{
    return eng_user(inside(session));
}

/* ------------------------------------------------------- for the server -- */

static sio_engine *engine_at(struct list *node)
{
    return container_of(node, sio_engine, node);
}

bool engines_handle(sio_server *server, struct http_exchange *ex)
{
    list_for_each_safe(it, next,
                       &server->engines) if (eng_handle(&engine_at(it)->engine,
                                                        ex)) return true;
    return false;
}

void engines_shut(sio_server *server)
{
    list_for_each_safe(it, next, &server->engines)
        eng_shut(&engine_at(it)->engine, EIO_CLOSE_SERVER_SHUTDOWN);
}

void engines_destroy(sio_server *server)
{
    list_for_each_safe(it, next, &server->engines)
    {
        eng_destroy(&engine_at(it)->engine);
        engine_free(engine_at(it));
    }
    list_init(&server->engines);
}

void engines_count(const sio_server *server, sio_stats *stats)
{
    const struct list *head = &server->engines;

    for (const struct list *it = head->next; it != head; it = it->next) {
        const struct engine *e =
            &engine_at((struct list *)(uintptr_t)it)->engine;

        stats->sessions += map_count(&e->sessions);
        stats->websockets += e->websockets.count;
        stats->queued_bytes += e->buffered;
        stats->handshakes += e->handshakes;
        stats->refused += e->refused;
    }
}
