/*
 * call.c -- see call.h and <sio/hooks.h>.
 *
 * A call belongs to one middleware at a time. Who has it may be on any thread,
 * so it touches only what is the call's own; the exchange, which may go away at
 * any moment, is the loop's. Deciding on another thread is a mail.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/engine/call.h"

#include "src/engine/hooks.h"
#include "src/engine/session.h"
#include "src/http/added.h"

#include <stdlib.h>

static void call_free(sio_http_call *call)
{
    grow_free(&call->added);
    free(call->text);
    free(call->cors_text);
    buf_unref(call->body);
    free(call);
}

void call_forget(sio_http_call *call)
{
    free(call->text);
    free(call->cors_text);
    call->text = call->cors_text = NULL;
}

/* The call is over: the exchange goes on without it, with what was added. */
static struct http_exchange *leave(sio_http_call *call)
{
    struct http_exchange *ex = call->ex;
    size_t n;

    ex->ops = NULL;
    ex->self = NULL;
    ex->max_body = 0;
    ex->added = (char *)grow_take(&call->added, &n);
    ex->added_size = (uint32_t)n;
    ex->has_cors = true;
    call->ex = NULL;
    return ex;
}

/* ------------------------------------------------------ while undecided -- */

static void on_aborted(void *self, struct http_exchange *ex, bool complete)
{
    (void)ex;
    (void)complete;
    ((sio_http_call *)self)->ex = NULL;
}

static void respond_status(sio_http_call *call, int status)
{
    struct http_exchange *ex = leave(call);

    if (engine_is_upgrade(call->engine, ex->request))
        http_drop(ex);
    else
        http_respond(ex, &(struct http_response){ .status = status });
}

/* The body waits for who will want it: http_take_body(). */
static void on_body(void *self, struct http_exchange *ex, char *body, size_t n)
{
    sio_http_call *call = self;

    if (http_keep_body(ex, body, n) < 0)
        respond_status(call, 503);
}

static const struct http_exchange_ops undecided = {
    .on_body = on_body,
    .on_aborted = on_aborted,
};

/* ------------------------------------------------------------ the chain -- */

static void advance(sio_http_call *call)
{
    const struct eng_middleware *m = call->turn;
    void (*then)(void *self, struct http_exchange *ex) = call->then;
    void *self = call->self;
    struct http_exchange *ex;

    if (m) {
        call->turn = m->next;
        m->fn(call, m->user);
        return;
    }
    ex = leave(call);
    call_free(call);
    then(self, ex);
}

static void fail(sio_http_call *call)
{
    struct http_exchange *ex = leave(call);

    engine_refuse(call->engine, ex,
                  &(sio_connection_error){ .code = EIO_REFUSED_BAD_REQUEST,
                                           .name = "MIDDLEWARE_FAILURE",
                                           .error = call->text });
    call_free(call);
}

static void respond(sio_http_call *call, int status, sio_str type, sio_str body)
{
    struct http_exchange *ex = leave(call);

    if (engine_is_upgrade(call->engine, ex->request))
        http_drop(ex);
    else
        http_respond(ex, &(struct http_response){ .status = status,
                                                  .content_type = type,
                                                  .body = body,
                                                  .shared = call->body });
    call_free(call);
}

static int add_cors(sio_http_call *call, const struct http_cors *cors,
                    bool preflight)
{
    struct http_field fields[HTTP_CORS_FIELDS];
    size_t n = http_cors_fields(cors, call->ex->request, preflight, fields);
    int r = SIO_OK;

    for (size_t i = 0; i < n && r == SIO_OK; i++)
        r = http_add(&call->added, fields[i].name, fields[i].value);
    return r;
}

static void apply_cors(sio_http_call *call, const struct http_cors *cors)
{
    bool preflight = http_cors_is_preflight(cors, call->ex->request);
    bool options = str_eq(call->ex->request->method, STR("OPTIONS"));

    if (add_cors(call, cors, options) < 0)
        respond(call, 503, (sio_str){ NULL, 0 }, STR(""));
    else if (preflight)
        respond(call, cors->preflight_status, (sio_str){ NULL, 0 }, STR(""));
    else
        advance(call);
}

static void start(struct engine *e, struct http_exchange *ex,
                  const struct eng_middleware *first,
                  void (*then)(void *self, struct http_exchange *ex),
                  void *self)
{
    sio_http_call *call = calloc(1, sizeof *call);

    if (!call) {
        http_respond_text(ex, 503, "Service Unavailable", true);
        return;
    }
    call->engine = e;
    call->ex = ex;
    call->turn = first;
    call->then = then;
    call->self = self;
    grow_init(&call->added, HTTP_ADDED_MAX);
    ex->ops = &undecided;
    ex->self = call;
    ex->max_body = e->options.max_payload;
    if (e->options.cors_request)
        e->options.cors_request(call, e->options.hook_user);
    else
        apply_cors(call, &e->options.cors);
}

static void check(void *self, struct http_exchange *ex)
{
    engine_check(self, ex);
}

void calls_run(struct engine *e, struct http_exchange *ex)
{
    start(e, ex, e->middlewares, check, e);
}

void eng_cors(struct engine *e, struct http_exchange *ex,
              void (*then)(void *self, struct http_exchange *ex), void *self)
{
    start(e, ex, NULL, then, self);
}

int eng_use(struct engine *e, sio_http_call_fn fn, void *user)
{
    struct eng_middleware *m = malloc(sizeof *m);

    if (!m)
        return SIO_E_NOMEM;
    *m = (struct eng_middleware){ NULL, fn, user };
    *e->middlewares_end = m;
    e->middlewares_end = &m->next;
    return SIO_OK;
}

void calls_free(struct engine *e)
{
    while (e->middlewares) {
        struct eng_middleware *m = e->middlewares;

        e->middlewares = m->next;
        free(m);
    }
    e->middlewares_end = &e->middlewares;
}

/* ------------------------------------------------------------ decisions -- */

static void on_mail(struct net_mail *mail)
{
    sio_http_call *call = container_of(mail, sio_http_call, mail);

    if (!call->ex)
        call_free(call);
    else if (call->outcome == CALL_FAIL)
        fail(call);
    else if (call->outcome == CALL_RESPOND)
        respond(call, call->status, str_of(call->text), STR(""));
    else if (call->outcome == CALL_CORS)
        apply_cors(call, &call->cors);
    else
        advance(call);
}

void call_decide(sio_http_call *call, enum call_outcome outcome)
{
    call->outcome = outcome;
    call->mail.run = on_mail;
    if (net_loop_is_current(call->engine->loop))
        on_mail(&call->mail);
    else
        net_post(call->engine->loop, &call->mail);
}

void sio_call_next(sio_http_call *call)
{
    call_decide(call, CALL_NEXT);
}

void sio_call_fail(sio_http_call *call, const char *error)
{
    /* Without memory for the text it fails all the same. */
    call_forget(call);
    call->text = error ? strdup(error) : NULL;
    call_decide(call, CALL_FAIL);
}

int sio_call_respond(sio_http_call *call, int status, const char *content_type,
                     const void *body, size_t n)
{
    int r = http_answer_valid(status, content_type) ? SIO_OK : SIO_E_INVAL;

    call_forget(call);
    call->status = r == SIO_OK ? status : 500;
    if (r == SIO_OK) {
        call->text = content_type ? strdup(content_type) : NULL;
        call->body = buf_new(body, n);
        if ((content_type && !call->text) || !call->body) {
            call->status = 503;
            r = SIO_E_NOMEM;
        }
    }
    call_decide(call, CALL_RESPOND);
    return r;
}

/* ------------------------------------------------------------ accessors -- */

int sio_call_add_header(sio_http_call *call, const char *name,
                        const char *value)
{
    return http_add(&call->added, str_of(name), str_of(value));
}

static const struct http_request *head(const sio_http_call *call)
{
    return call->ex ? call->ex->request : NULL;
}

sio_str sio_call_method(const sio_http_call *call)
{
    return head(call) ? head(call)->method : (sio_str){ NULL, 0 };
}

sio_str sio_call_url(const sio_http_call *call)
{
    return head(call) ? head(call)->target : (sio_str){ NULL, 0 };
}

sio_str sio_call_header(const sio_http_call *call, const char *name)
{
    return head(call) ? http_field_value(head(call), str_of(name))
                      : (sio_str){ NULL, 0 };
}

int sio_call_query(const sio_http_call *call, const char *key, char *out,
                   size_t size)
{
    return head(call)
               ? http_query_text(head(call)->query, str_of(key), out, size)
               : SIO_E_RANGE;
}

const char *sio_call_address(sio_http_call *call)
{
    struct net_address client;

    if (call->ex) {
        client = http_client(call->ex).address;
        net_address_text(&client, call->address);
    }
    return call->address;
}

bool sio_call_is_upgrade(const sio_http_call *call)
{
    return call->ex && engine_is_upgrade(call->engine, head(call));
}

bool sio_call_secure(const sio_http_call *call)
{
    return call->ex && http_client(call->ex).secure;
}

const sio_certificate *sio_call_certificate(const sio_http_call *call)
{
    return call->ex ? head(call)->certificate : NULL;
}
