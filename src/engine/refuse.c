/*
 * refuse.c -- requests that are refused: the program and the log are told why,
 * the client gets Engine.IO's code.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/engine/hooks.h"
#include "src/engine/session.h"

#include <stdio.h>

#define REFUSAL_MAX 65536 /* bytes of a refusal's body */
#define CONTEXT_MAX 192   /* bytes of a refusal's context, with its NUL */

/* An upgrade is refused in plain text and closed, anything else with a JSON
 * body. `message` NULL: the code's own text. */
static void respond_refusal(struct engine *e, struct http_exchange *ex,
                            enum eio_refusal code, const char *message)
{
    struct http_field fields[ENG_FIELDS];
    struct grow body;

    if (engine_is_upgrade(e, ex->request)) {
        http_respond_text(ex, 400, message ? message : eio_refusal_text(code),
                          true);
        return;
    }
    grow_init(&body, REFUSAL_MAX);
    if (eio_refusal_encode(&body, code, message) < 0)
        body.len = 0; /* the status says enough */
    http_respond(ex, &(struct http_response){
                         .status = eio_refusal_status(code),
                         .content_type = STR("application/json"),
                         .fields = fields,
                         .field_count = engine_fields(e, ex, fields),
                         .body = grow_str(&body) });
    grow_free(&body);
}

/* --------------------------------------------------------------- context -- */

struct context {
    char text[CONTEXT_MAX];
    size_t n;
};

/* Text of a peer on its way into a log: no control characters. */
static void put(struct context *c, sio_str text)
{
    for (size_t i = 0; i < text.n && c->n < sizeof c->text - 1; i++) {
        unsigned char byte = (unsigned char)text.p[i];

        c->text[c->n++] = byte < ' ' || byte == 0x7f ? '?' : (char)byte;
    }
    c->text[c->n] = 0;
}

/* Behind what is there. */
static void put_detail(struct context *c, sio_str text)
{
    if (text.n && c->n)
        put(c, STR(": "));
    put(c, text);
}

static void spell(struct context *c, const sio_connection_error *error)
{
    char revisions[24] = "";

    if (error->previous_protocol)
        snprintf(revisions, sizeof revisions, "%d, not %d", error->protocol,
                 error->previous_protocol);
    else if (error->protocol)
        snprintf(revisions, sizeof revisions, "%d", error->protocol);
    c->n = 0;
    put(c, str_of(error->name));
    put_detail(c, error->transport);
    if (error->previous_transport.n) {
        put(c, STR(", not "));
        put(c, error->previous_transport);
    }
    put_detail(c, error->sid);
    put_detail(c, str_of(revisions));
    put_detail(c, error->origin);
    put_detail(c, str_of(error->error));
    if (error->code == EIO_REFUSED_BAD_HANDSHAKE_METHOD)
        put_detail(c, error->method);
}

void engine_refuse(struct engine *e, struct http_exchange *ex,
                   sio_connection_error *error)
{
    enum eio_refusal code = (enum eio_refusal)error->code;
    const struct net_address client = http_client(ex).address;
    char address[NET_ADDRESS_TEXT];
    struct context context;

    net_address_text(&client, address);
    error->message = eio_refusal_text(code);
    error->method = ex->request->method;
    error->url = ex->request->target;
    error->address = address;
    spell(&context, error);
    error->context = context.text;
    e->counts.refused[code]++;
    e->ops->on_refused(e->self, error);
    if (e->options.on_connection_error)
        e->options.on_connection_error(error, e->options.hook_user);
    respond_refusal(e, ex, code,
                    code == EIO_REFUSED_FORBIDDEN ? error->error : NULL);
}
