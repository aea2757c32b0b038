/*
 * hooks.c -- see hooks.h and <sio/hooks.h>.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/engine/hooks.h"

#include "src/engine/session.h"

#include <stdlib.h>

/* ---------------------------------------------------------- allow_request --
 */

struct sio_handshake {
    struct net_mail mail;
    struct engine *engine;
    struct http_exchange *ex; /* NULL: the client has gone */
    bool allowed;
    char *message; /* why not, or NULL */
};

static void on_aborted(void *self, struct http_exchange *ex, bool complete)
{
    (void)ex;
    (void)complete;
    ((sio_handshake *)self)->ex = NULL;
}

static const struct http_exchange_ops undecided = {
    .on_aborted = on_aborted,
};

void hooks_ask(struct engine *e, struct http_exchange *ex)
{
    sio_handshake *h = calloc(1, sizeof *h);

    if (!h) {
        http_respond_text(ex, 503, "Service Unavailable", true);
        return;
    }
    h->engine = e;
    h->ex = ex;
    ex->ops = &undecided;
    ex->self = h;
    e->options.allow_request(h, e->options.hook_user);
}

static void on_decided(struct net_mail *mail)
{
    sio_handshake *h = container_of(mail, sio_handshake, mail);

    if (h->ex && h->allowed)
        engine_admit(h->engine, h->ex);
    else if (h->ex)
        engine_forbid(h->engine, h->ex, h->message);
    free(h->message);
    free(h);
}

static void decide(sio_handshake *h, bool allowed)
{
    h->allowed = allowed;
    h->mail.run = on_decided;
    if (net_loop_is_current(h->engine->loop))
        on_decided(&h->mail);
    else
        net_post(h->engine->loop, &h->mail);
}

void sio_allow(sio_handshake *handshake)
{
    decide(handshake, true);
}

void sio_refuse(sio_handshake *handshake, const char *message)
{
    /* Without memory for the message it is refused all the same. */
    handshake->message = message ? strdup(message) : NULL;
    decide(handshake, false);
}

sio_str sio_handshake_url(const sio_handshake *handshake)
{
    return handshake->ex ? handshake->ex->request.target : (sio_str){ NULL, 0 };
}

sio_str sio_handshake_header(const sio_handshake *handshake, const char *name)
{
    return handshake->ex
               ? http_field_value(&handshake->ex->request, str_of(name))
               : (sio_str){ NULL, 0 };
}

int sio_handshake_query(const sio_handshake *handshake, const char *key,
                        char *out, size_t size)
{
    return handshake->ex ? http_query_text(handshake->ex->request.query,
                                           str_of(key), out, size)
                         : SIO_E_RANGE;
}

bool sio_handshake_secure(const sio_handshake *handshake)
{
    return handshake->ex && handshake->ex->request.secure;
}

const sio_certificate *sio_handshake_certificate(const sio_handshake *handshake)
{
    return handshake->ex ? handshake->ex->request.certificate : NULL;
}

/* ------------------------------------------------------------- on_headers --
 */

void hooks_headers(const struct engine *e, const struct http_exchange *ex,
                   bool initial, struct sio_headers *headers)
{
    headers->count = 0;
    arena_init(&headers->arena);
    if (!e->options.on_headers)
        return;
    headers->ex = ex;
    headers->initial = initial;
    e->options.on_headers(headers, e->options.hook_user);
}

size_t hooks_headers_append(const struct sio_headers *headers,
                            struct http_field *fields, size_t n)
{
    for (size_t i = 0; i < headers->count; i++)
        fields[n++] = headers->fields[i];
    return n;
}

void hooks_headers_free(struct sio_headers *headers)
{
    arena_free(&headers->arena);
}

static int copy(struct arena *arena, sio_str text, sio_str *out)
{
    char *at = arena_alloc(arena, text.n + 1);

    if (!at)
        return SIO_E_NOMEM;
    if (text.n)
        memcpy(at, text.p, text.n);
    *out = (sio_str){ at, text.n };
    return SIO_OK;
}

int sio_headers_add(sio_headers *headers, const char *name, const char *value)
{
    struct http_field *field;

    if (!http_field_valid(str_of(name), str_of(value)))
        return SIO_E_INVAL;
    if (headers->count == SIO_HEADERS_MAX)
        return SIO_E_LIMIT;
    field = &headers->fields[headers->count];
    if (copy(&headers->arena, str_of(name), &field->name) < 0 ||
        copy(&headers->arena, str_of(value), &field->value) < 0)
        return SIO_E_NOMEM;
    headers->count++;
    return SIO_OK;
}

bool sio_headers_initial(const sio_headers *headers)
{
    return headers->initial;
}

sio_str sio_headers_request(const sio_headers *headers, const char *name)
{
    return http_field_value(&headers->ex->request, str_of(name));
}
