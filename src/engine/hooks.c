/*
 * hooks.c -- what the program is asked about handshakes, and what it adds to
 * answers: see hooks.h and <sio/hooks.h>. Middlewares are call.c's.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/engine/hooks.h"

#include "src/engine/session.h"
#include "src/http/added.h"

#include <stdlib.h>

/* ----------------------------------------------------------- handshakes -- */

struct sio_handshake {
    struct net_mail mail;
    struct engine *engine;
    struct http_exchange *ex; /* NULL: the client has gone */
    bool wants_id;            /* it is generate_id that was asked */
    bool yes;                 /* let in, or `text` is the id */
    char *text;               /* the id, or why not; may be NULL */
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

static void ask(struct engine *e, struct http_exchange *ex, bool wants_id,
                void (*hook)(sio_handshake *handshake, void *user))
{
    sio_handshake *h = calloc(1, sizeof *h);

    if (!h) {
        http_respond_text(ex, 503, "Service Unavailable", true);
        return;
    }
    h->engine = e;
    h->ex = ex;
    h->wants_id = wants_id;
    ex->ops = &undecided;
    ex->self = h;
    hook(h, e->options.hook_user);
}

void hooks_ask(struct engine *e, struct http_exchange *ex)
{
    ask(e, ex, false, e->options.allow_request);
}

void hooks_ask_id(struct engine *e, struct http_exchange *ex)
{
    ask(e, ex, true, e->options.generate_id);
}

static void refuse_id(const sio_handshake *h, const char *error)
{
    engine_refuse(h->engine, h->ex,
                  &(sio_connection_error){ .code = EIO_REFUSED_BAD_REQUEST,
                                           .name = "ID_GENERATION_ERROR",
                                           .error = error });
}

static bool is_taken(struct engine *e, sio_str id)
{
    return e->options.ids ? eng_ids_find(e->options.ids, id) >= 0
                          : session_find(e, id) != NULL;
}

static void go_on_with_id(const sio_handshake *h)
{
    if (!h->yes)
        refuse_id(h, h->text);
    else if (is_taken(h->engine, str_of(h->text)))
        refuse_id(h, "the id is taken");
    else
        engine_open(h->engine, h->ex, str_of(h->text));
}

static void on_decided(struct net_mail *mail)
{
    sio_handshake *h = container_of(mail, sio_handshake, mail);

    if (h->ex && h->wants_id)
        go_on_with_id(h);
    else if (h->ex && h->yes)
        engine_admit(h->engine, h->ex);
    else if (h->ex)
        engine_refuse(h->engine, h->ex,
                      &(sio_connection_error){ .code = EIO_REFUSED_FORBIDDEN,
                                               .error = h->text });
    free(h->text);
    free(h);
}

static void decide(sio_handshake *h, bool yes)
{
    h->yes = yes;
    h->mail.run = on_decided;
    if (net_loop_is_current(h->engine->loop))
        on_decided(&h->mail);
    else
        net_post(h->engine->loop, &h->mail);
}

void sio_allow(sio_handshake *handshake)
{
    /* Who was asked for an id has to give one. */
    decide(handshake, !handshake->wants_id);
}

void sio_refuse(sio_handshake *handshake, const char *message)
{
    /* Without memory for the message it is refused all the same. */
    handshake->text = message ? strdup(message) : NULL;
    decide(handshake, false);
}

/* What stands in a URL, in JSON and in a cookie as it is (RFC 3986 2.3). */
static bool is_id(sio_str id)
{
    for (size_t i = 0; i < id.n; i++) {
        char c = id.p[i];

        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
              (c >= '0' && c <= '9') || memchr("-._~", c, 4)))
            return false;
    }
    return id.n > 0 && id.n <= SIO_ID_MAX;
}

int sio_give_id(sio_handshake *handshake, const char *id)
{
    if (!handshake->wants_id)
        return SIO_E_STATE;
    if (!is_id(str_of(id))) {
        sio_no_id(handshake, "no id that a session can have");
        return SIO_E_INVAL;
    }
    handshake->text = strdup(id);
    if (!handshake->text) {
        decide(handshake, false);
        return SIO_E_NOMEM;
    }
    decide(handshake, true);
    return SIO_OK;
}

int sio_no_id(sio_handshake *handshake, const char *error)
{
    if (!handshake->wants_id)
        return SIO_E_STATE;
    sio_refuse(handshake, error);
    return SIO_OK;
}

sio_str sio_handshake_url(const sio_handshake *handshake)
{
    return handshake->ex ? handshake->ex->request->target
                         : (sio_str){ NULL, 0 };
}

sio_str sio_handshake_header(const sio_handshake *handshake, const char *name)
{
    return handshake->ex
               ? http_field_value(handshake->ex->request, str_of(name))
               : (sio_str){ NULL, 0 };
}

int sio_handshake_query(const sio_handshake *handshake, const char *key,
                        char *out, size_t size)
{
    return handshake->ex ? http_query_text(handshake->ex->request->query,
                                           str_of(key), out, size)
                         : SIO_E_RANGE;
}

const char *sio_handshake_address(const sio_handshake *handshake,
                                  char out[SIO_ADDRESS_SIZE])
{
    struct http_client client = { 0 };

    if (handshake->ex)
        client = http_client(handshake->ex);
    net_address_text(&client.address, out);
    return out;
}

bool sio_handshake_secure(const sio_handshake *handshake)
{
    return handshake->ex && http_client(handshake->ex).secure;
}

const sio_certificate *sio_handshake_certificate(const sio_handshake *handshake)
{
    return handshake->ex ? handshake->ex->request->certificate : NULL;
}

/* ----------------------------------------------------------- on_headers -- */

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

    if (!http_may_add(str_of(name), str_of(value)))
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
    return http_field_value(headers->ex->request, str_of(name));
}
