/*
 * routes.c -- <sio/http.h>: a program's own HTTP routes.
 *
 *   http_exchange <--> sio_http_request --> handler
 *
 * The two part when the client goes away (the request stays, for the handler)
 * or when the answer was given (the exchange stays, until it is sent).
 *
 * SPDX-License-Identifier: MIT
 */
#include <sio/http.h>

#include "src/server/server.h"

#include <stdlib.h>

struct route {
    struct list node; /* in server->routes */
    sio_http_fn fn;
    void *user;
    sio_str method, path; /* in text */
    char text[];
};

struct sio_http_request {
    struct net_mail mail;
    sio_server *server;
    const struct route *route;
    struct http_exchange *ex; /* NULL: the client has gone */
    sio_str body;             /* within the handler */
    /* The answer, when it is given on another thread. */
    int status;
    char *content_type;
    struct buf *answer;
};

int sio_on_request(sio_server *server, const char *method, const char *path,
                   sio_http_fn fn, void *user)
{
    sio_str m = str_of(method), p = str_of(path);
    struct route *r;

    if (p.n == 0 || p.p[0] != '/')
        return SIO_E_INVAL;
    r = malloc(sizeof *r + m.n + p.n);
    if (!r)
        return SIO_E_NOMEM;
    memcpy(r->text, m.p, m.n);
    memcpy(r->text + m.n, p.p, p.n);
    r->method = (sio_str){ r->text, m.n };
    r->path = (sio_str){ r->text + m.n, p.n };
    r->fn = fn;
    r->user = user;
    list_append(&server->routes, &r->node);
    return SIO_OK;
}

/* ------------------------------------------------------------- requests -- */

static void request_free(sio_http_request *request)
{
    free(request->content_type);
    buf_unref(request->answer);
    free(request);
}

static void on_body(void *self, struct http_exchange *ex, char *body, size_t n)
{
    sio_http_request *request = self;

    (void)ex;
    request->body = (sio_str){ body, n };
    request->route->fn(request, request->route->user);
}

static void on_too_large(void *self, struct http_exchange *ex)
{
    http_respond(ex, &(struct http_response){ .status = 413 });
    request_free(self);
}

/* Before the body was there nobody knows of the request; afterwards it is the
 * handler's, who still has to answer. */
static void on_aborted(void *self, struct http_exchange *ex, bool complete)
{
    sio_http_request *request = self;

    (void)ex;
    request->ex = NULL;
    if (!complete)
        request_free(request);
}

static const struct http_exchange_ops request_ops = {
    .on_body = on_body,
    .on_too_large = on_too_large,
    .on_aborted = on_aborted,
};

static bool matches(const struct route *r, const struct http_request *q)
{
    return str_eq(r->path, q->path) &&
           (str_eq(r->method, q->method) ||
            (str_eq(r->method, STR("GET")) && str_eq(q->method, STR("HEAD"))));
}

bool routes_handle(sio_server *server, struct http_exchange *ex)
{
    list_for_each_safe(it, next, &server->routes)
    {
        const struct route *r = container_of(it, struct route, node);
        sio_http_request *request;

        if (!matches(r, ex->request))
            continue;
        request = calloc(1, sizeof *request);
        if (!request) {
            http_respond(ex, &(struct http_response){ .status = 503 });
            return true;
        }
        request->server = server;
        request->route = r;
        request->ex = ex;
        ex->ops = &request_ops;
        ex->self = request;
        ex->max_body = server->options.max_http_buffer_size;
        return true;
    }
    return false;
}

void routes_destroy(sio_server *server)
{
    list_for_each_safe(it, next, &server->routes)
        free(container_of(it, struct route, node));
    list_init(&server->routes);
}

/* -------------------------------------------------------------- answers -- */

static void respond_here(sio_http_request *request, int status,
                         sio_str content_type, sio_str body, struct buf *shared)
{
    if (request->ex)
        http_respond(request->ex,
                     &(struct http_response){ .status = status,
                                              .content_type = content_type,
                                              .body = body,
                                              .shared = shared });
    request_free(request);
}

static void on_answer_mail(struct net_mail *mail)
{
    sio_http_request *request = container_of(mail, sio_http_request, mail);

    respond_here(request, request->status, str_of(request->content_type),
                 STR(""), request->answer);
}

int sio_http_respond(sio_http_request *request, int status,
                     const char *content_type, const void *body, size_t n)
{
    struct net_loop *loop = &request->server->main.loop;
    int r = SIO_OK;

    if (!http_answer_valid(status, content_type)) {
        r = SIO_E_INVAL;
        status = 500;
        content_type = NULL;
        n = 0;
    }
    if (net_loop_is_current(loop)) {
        respond_here(request, status, str_of(content_type),
                     (sio_str){ body, n }, NULL);
        return r;
    }
    request->status = status;
    request->content_type = content_type ? strdup(content_type) : NULL;
    request->answer = buf_new(body, n);
    if ((content_type && !request->content_type) || !request->answer) {
        request->status = 503;
        r = SIO_E_NOMEM;
    }
    request->mail.run = on_answer_mail;
    net_post(loop, &request->mail);
    return r;
}

/* ------------------------------------------------------------ accessors -- */

static const struct http_request *head(const sio_http_request *request)
{
    return request->ex ? request->ex->request : NULL;
}

sio_str sio_http_method(const sio_http_request *request)
{
    return head(request) ? head(request)->method : (sio_str){ NULL, 0 };
}

sio_str sio_http_path(const sio_http_request *request)
{
    return head(request) ? head(request)->path : (sio_str){ NULL, 0 };
}

sio_str sio_http_header(const sio_http_request *request, const char *name)
{
    return head(request) ? http_field_value(head(request), str_of(name))
                         : (sio_str){ NULL, 0 };
}

const char *sio_http_address(const sio_http_request *request,
                             char out[SIO_ADDRESS_SIZE])
{
    struct http_client client = { 0 };

    if (request->ex)
        client = http_client(request->ex);
    net_address_text(&client.address, out);
    return out;
}

bool sio_http_secure(const sio_http_request *request)
{
    return request->ex && http_client(request->ex).secure;
}

const sio_certificate *sio_http_certificate(const sio_http_request *request)
{
    return head(request) ? head(request)->certificate : NULL;
}

sio_str sio_http_body(const sio_http_request *request)
{
    return request->body;
}

int sio_http_query(const sio_http_request *request, const char *key, char *out,
                   size_t size)
{
    return head(request)
               ? http_query_text(head(request)->query, str_of(key), out, size)
               : SIO_E_RANGE;
}
