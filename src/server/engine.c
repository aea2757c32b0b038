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
    struct eng_ops ops; /* what nobody handles is NULL */
    sio_engine_handlers handlers;
    void *user;
    struct arena strings;           /* copies of the options' */
    struct http_patterns *patterns; /* of CORS */
    bool closed;                    /* by sio_engine_close() */
};

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

static void on_end(void *self, const struct eng_end *end)
{
    sio_engine *e = self;
    char line[ENG_END_TEXT];

    eng_end_text(end, line);
    server_log(e->server, eng_end_level(end->reason), "%s", line);
}

static void on_refused(void *self, const sio_connection_error *error)
{
    sio_engine *e = self;

    server_log(e->server, SIO_LOG_WARN, "request of %s refused: %s%s%s",
               error->address, error->message, *error->context ? ": " : "",
               error->context);
}

/* These are called only if the program handles them. */

static void on_packet(void *self, struct eng_session *s,
                      const sio_engine_packet *packet)
{
    sio_engine *e = self;

    e->handlers.on_packet(outside(s), packet, e->user);
}

static void on_packet_create(void *self, struct eng_session *s,
                             const sio_engine_packet *packet)
{
    sio_engine *e = self;

    e->handlers.on_packet_create(outside(s), packet, e->user);
}

static void on_flush(void *self, struct eng_session *s,
                     const sio_engine_packet *packets, size_t count)
{
    sio_engine *e = self;

    e->handlers.on_flush(outside(s), packets, count, e->user);
}

static void on_drain(void *self, struct eng_session *s)
{
    sio_engine *e = self;

    e->handlers.on_drain(outside(s), e->user);
}

static void on_heartbeat(void *self, struct eng_session *s)
{
    sio_engine *e = self;

    e->handlers.on_heartbeat(outside(s), e->user);
}

static void on_upgrading(void *self, struct eng_session *s)
{
    sio_engine *e = self;

    e->handlers.on_upgrading(outside(s), e->user);
}

static void on_upgrade(void *self, struct eng_session *s)
{
    sio_engine *e = self;

    e->handlers.on_upgrade(outside(s), e->user);
}

static void take_handlers(sio_engine *e, const sio_engine_handlers *given)
{
    sio_engine_handlers *h = &e->handlers;

    memcpy(h, given, given->size < sizeof *h ? given->size : sizeof *h);
    e->ops = (struct eng_ops){
        .on_open = on_open,
        .on_message = on_message,
        .on_batch = on_batch,
        .on_close = on_close,
        .on_end = on_end,
        .on_refused = on_refused,
        .on_packet = h->on_packet ? on_packet : NULL,
        .on_packet_create = h->on_packet_create ? on_packet_create : NULL,
        .on_flush = h->on_flush ? on_flush : NULL,
        .on_drain = h->on_drain ? on_drain : NULL,
        .on_heartbeat = h->on_heartbeat ? on_heartbeat : NULL,
        .on_upgrading = h->on_upgrading ? on_upgrading : NULL,
        .on_upgrade = h->on_upgrade ? on_upgrade : NULL,
    };
}

static void engine_free(sio_engine *e)
{
    arena_free(&e->strings);
    http_patterns_free(e->patterns);
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
    wrong = options_read(&o, options) ? NULL
                                      : "size: sio_options_init() comes first";
    if (!options)
        o.path = "/engine.io";
    if (!wrong)
        wrong = options_check(&o);
    if (wrong) {
        server_log(server, SIO_LOG_ERROR, "invalid options: %s", wrong);
        goto fail;
    }
    e->server = server;
    e->user = user;
    take_handlers(e, handlers);
    if (options_for_engine(&o, &e->strings, &eng, &wrong) < 0) {
        server_log(server, SIO_LOG_ERROR, "invalid options: %s",
                   wrong ? wrong : sio_strerror(SIO_E_NOMEM));
        goto fail;
    }
    e->patterns = eng.cors.patterns;
    eng.log_level = server_log_level(server);
    if (eng_init(&e->engine, &server->main.loop, &eng, &e->ops, e) < 0)
        goto fail;
    list_append(&server->engines, &e->node);
    return e;
fail:
    engine_free(e);
    return NULL;
}

int sio_engine_use_http(sio_engine *engine, sio_http_call_fn fn, void *user)
{
    return eng_use(&engine->engine, fn, user);
}

void sio_engine_close(sio_engine *engine)
{
    engine->closed = true;
    eng_shut(&engine->engine, EIO_CLOSE_FORCED_CLOSE);
}

/* --------------------------------------------------------------- sessions --
 */

void sio_session_send_options_init_sized(sio_session_send_options *options,
                                         size_t size)
{
    sio_session_send_options d = { .size = size, .compress = true };

    memset(options, 0, size);
    memcpy(options, &d, size < sizeof d ? size : sizeof d);
}

int sio_session_send(sio_session *session, const sio_value *message)
{
    return sio_session_send_with(session, message, NULL);
}

int sio_session_send_with(sio_session *session, const sio_value *message,
                          const sio_session_send_options *options)
{
    sio_session_send_options o;

    if (message->kind != SIO_STRING && message->kind != SIO_BINARY)
        return SIO_E_TYPE;
    sio_session_send_options_init(&o);
    if (options)
        memcpy(&o, options,
               options->size < sizeof o ? options->size : sizeof o);
    return eng_send(inside(session),
                    &(struct eng_message){
                        .binary = message->kind == SIO_BINARY,
                        .data = { message->data, message->size },
                        .compress = o.compress,
                        .frame = o.websocket_frame,
                        .on_sent = o.on_sent,
                        .user = o.user,
                    });
}

void sio_session_close(sio_session *session)
{
    eng_close(inside(session));
}

void sio_session_discard(sio_session *session)
{
    eng_discard(inside(session), EIO_CLOSE_FORCED_CLOSE);
}

size_t sio_session_buffered(const sio_session *session)
{
    return eng_buffered(inside(session));
}

int sio_session_each_buffered(const sio_session *session,
                              void (*fn)(void *user,
                                         const sio_engine_packet *p),
                              void *user)
{
    return eng_each_buffered(inside(session), fn, user);
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
    return eng_carrier_value(inside(session), str_of(name));
}

sio_str sio_session_url(const sio_session *session)
{
    return http_kept_target(eng_request(inside(session)));
}

int sio_session_query(const sio_session *session, const char *key, char *out,
                      size_t size)
{
    return http_query_text(http_kept_query(eng_request(inside(session))),
                           str_of(key), out, size);
}

const char *sio_session_address(const sio_session *session,
                                char out[SIO_ADDRESS_SIZE])
{
    _Static_assert(SIO_ADDRESS_SIZE >= NET_ADDRESS_TEXT, "too small");
    eng_peer_text(inside(session), out);
    return out;
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

/* But for those that the program has closed. */
void engines_reopen(sio_server *server)
{
    list_for_each_safe(it, next, &server->engines)
    {
        if (!engine_at(it)->closed)
            eng_reopen(&engine_at(it)->engine);
    }
}

void engines_refuse_new(sio_server *server)
{
    list_for_each_safe(it, next, &server->engines)
        eng_refuse_new(&engine_at(it)->engine);
}

bool engines_close_oldest(sio_server *server)
{
    list_for_each_safe(it, next, &server->engines)
    {
        if (eng_close_oldest(&engine_at(it)->engine))
            return true;
    }
    return false;
}

size_t engines_sessions(const sio_server *server)
{
    const struct list *head = &server->engines;
    size_t count = 0;

    for (struct list *it = head->next; it != head; it = it->next)
        count += map_count(&engine_at(it)->engine.sessions);
    return count;
}

void engines_destroy(sio_server *server)
{
    list_for_each_safe(it, next, &server->engines)
        eng_destroy(&engine_at(it)->engine);
}

void engines_free(sio_server *server)
{
    list_for_each_safe(it, next, &server->engines) engine_free(engine_at(it));
}

void engines_count(const sio_server *server, sio_stats *stats)
{
    const struct list *head = &server->engines;

    for (const struct list *it = head->next; it != head; it = it->next)
        stats_add_engine(stats,
                         &engine_at((struct list *)(uintptr_t)it)->engine);
}
