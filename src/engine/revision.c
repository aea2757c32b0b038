/*
 * revision.c -- see revision.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/engine/revision.h"

#include "protocol/engineio/jsonp.h"

#define TEXT_TYPE STR("text/plain; charset=UTF-8")
#define BINARY_TYPE STR("application/octet-stream")

/* What waits in polling->out of revision 3. */
#define NEUTRAL EIO_FORM3_BINARY

bool revision_is_3(sio_str query)
{
    return revision_names_3(http_query_value(query, STR("EIO")));
}

bool revision_names_3(sio_str raw)
{
    char text[3]; /* "%34" is the longest way to write "4" */

    return raw.n > sizeof text || http_percent_decode(raw, true, text) != 1 ||
           text[0] != '4';
}

void revision_init(struct eng_session *s)
{
    sio_str query = http_kept_query(s->request);

    s->v3 = revision_is_3(query);
    if (!s->v3)
        return;
    s->jsonp = http_query_value(query, STR("j")).p != NULL;
    /* A script cannot carry bytes. */
    s->base64 = s->jsonp || http_query_value(query, STR("b64")).n > 0;
}

/* -------------------------------------------------------------- queueing -- */

int revision_queue(struct eng_session *s, enum eio_type type, sio_str data)
{
    return s->v3 ? eio_payload3_append(&s->polling->out, NEUTRAL, type, data)
                 : eio_payload_append(&s->polling->out, type, data);
}

int revision_queue_binary(struct eng_session *s, sio_str data)
{
    return s->v3 ? eio_payload3_append_binary(&s->polling->out, NEUTRAL, data)
                 : eio_payload_append_binary(&s->polling->out, data);
}

/* A text packet as it is, with its digit. */
static int append_text3(struct grow *out, enum eio_form3 form, sio_str packet)
{
    return eio_payload3_append(out, form, (enum eio_type)(packet.p[0] - '0'),
                               (sio_str){ packet.p + 1, packet.n - 1 });
}

static int queue_parts3(struct grow *out, const struct sio_packet *p)
{
    int r = SIO_OK;

    for (size_t i = 0; i < p->count && r == SIO_OK; i++) {
        sio_str data = http_frame_data(&p->parts[i]);

        r = p->parts[i].op == WS_BINARY
                ? eio_payload3_append_binary(out, NEUTRAL, data)
                : append_text3(out, NEUTRAL, data);
    }
    return r;
}

/* The polling form of revision 4 is ready, shared by all sessions. */
static int queue_payload(struct grow *out, struct sio_packet *p)
{
    struct buf *payload = eng_packet_payload(p);
    int r;

    if (!payload)
        return SIO_E_NOMEM;
    r = grow_reserve(out, payload->len + 1);
    if (r < 0)
        return r;
    if (out->len)
        grow_append_byte(out, EIO_SEPARATOR);
    return grow_append(out, payload->data, payload->len);
}

int revision_queue_packet(struct eng_session *s, struct sio_packet *p)
{
    return s->v3 ? queue_parts3(&s->polling->out, p)
                 : queue_payload(&s->polling->out, p);
}

/* --------------------------------------------------------------- answers -- */

static void body_init(struct eng_body *b, sio_str data)
{
    b->type = TEXT_TYPE;
    b->data = data;
    /* Bounded by what goes in. */
    grow_init(&b->made, SIZE_MAX);
}

/* Every body goes through here last. */
static int body_done(const struct eng_session *s, struct eng_body *b)
{
    struct grow script;
    int r;

    if (!s->jsonp)
        return SIO_OK;
    grow_init(&script, SIZE_MAX);
    r = eio_jsonp_append(
        &script, http_query_value(http_kept_query(s->request), STR("j")),
        b->data);
    grow_free(&b->made);
    b->made = script;
    b->data = grow_str(&script);
    return r;
}

/* OPEN, and the first message when there is one for everybody. */
static int append_handshake(struct eng_session *s, struct grow *out)
{
    sio_str first = s->engine->options.initial_packet;
    int r = session_append_open(s, out);

    if (r < 0 || !first.p)
        return r;
    if (s->engine->options.initial_is_binary)
        return eio_payload_append_binary(out, first);
    r = grow_append_byte(out, EIO_SEPARATOR);
    return r == SIO_OK ? grow_append(out, first.p, first.n) : r;
}

static int append_handshake3(struct eng_session *s, enum eio_form3 form,
                             struct grow *out)
{
    const struct eng_options *o = &s->engine->options;
    sio_str first = o->initial_packet;
    struct grow open;
    int r;

    grow_init(&open, ENG_OPEN_MAX);
    r = session_append_open(s, &open);
    if (r == SIO_OK)
        r = append_text3(out, form, grow_str(&open));
    if (r == SIO_OK && first.p)
        r = o->initial_is_binary ? eio_payload3_append_binary(out, form, first)
                                 : append_text3(out, form, first);
    grow_free(&open);
    return r;
}

int revision_body_open(struct eng_session *s, struct eng_body *b)
{
    bool bytes = s->engine->options.initial_is_binary && s->v3 && !s->base64;
    int r;

    body_init(b, STR(""));
    if (bytes)
        b->type = BINARY_TYPE;
    r = s->v3 ? append_handshake3(s, bytes ? EIO_FORM3_BINARY : EIO_FORM3_TEXT,
                                  &b->made)
              : append_handshake(s, &b->made);
    b->data = grow_str(&b->made);
    return r == SIO_OK ? body_done(s, b) : r;
}

static int append_packet3(struct grow *out, const struct eio_packet *p)
{
    return p->binary
               ? eio_payload3_append_binary(out, EIO_FORM3_TEXT, p->data)
               : eio_payload3_append(out, EIO_FORM3_TEXT, p->type, p->data);
}

/* What waits, as text; *binary tells whether there are bytes in it. */
static int render_text3(struct eng_session *s, struct grow *out, bool *binary)
{
    struct eio_payload3 it;
    struct eio_packet p;
    int r;

    *binary = false;
    eio_payload3_init(&it, NEUTRAL, (char *)s->polling->out.data,
                      s->polling->out.len);
    while ((r = eio_payload3_next(&it, &p)) == 1) {
        *binary |= p.binary;
        if (*binary && !s->base64)
            return SIO_OK; /* it goes as it waits */
        r = append_packet3(out, &p);
        if (r < 0)
            break;
    }
    return r;
}

int revision_body_waiting(struct eng_session *s, struct eng_body *b)
{
    bool binary;
    int r;

    body_init(b, grow_str(&s->polling->out));
    if (!s->v3)
        return SIO_OK;
    r = render_text3(s, &b->made, &binary);
    if (r < 0)
        return r;
    if (binary && !s->base64)
        b->type = BINARY_TYPE;
    else
        b->data = grow_str(&b->made);
    return body_done(s, b);
}

int revision_body_control(struct eng_session *s, enum eng_control what,
                          struct eng_body *b)
{
    static const char *const text[][2] = {
        [ENG_CONTROL_CLOSE] = { "1", "1:1" },
        [ENG_CONTROL_NOOP] = { "6", "1:6" },
        [ENG_CONTROL_FAREWELL] = { "6\x1e"
                                   "1",
                                   "1:61:1" },
    };

    body_init(b, str_of(text[what][s->v3]));
    return body_done(s, b);
}

/* -------------------------------------------------------------- requests -- */

bool revision_is_binary(const struct eng_session *s,
                        const struct http_request *r)
{
    return s->v3 && !s->jsonp &&
           str_eq(http_field_value(r, STR("content-type")), BINARY_TYPE);
}

bool revision_unwrap(const struct eng_session *s, char **body, size_t *n)
{
    sio_str d;

    if (!s->jsonp)
        return true;
    d = http_query_value((sio_str){ *body, *n }, STR("d"));
    if (!d.p)
        return false;
    *body = (char *)(uintptr_t)d.p;
    *n = http_percent_decode(d, true, *body);
    *n = eio_jsonp_unescape(*body, *n);
    return true;
}

void revision_walk(struct eng_walk *walk, const struct eng_session *s,
                   enum eio_form3 form, char *body, size_t n)
{
    walk->v3 = s->v3;
    if (s->v3)
        eio_payload3_init(&walk->of.payload3, form, body, n);
    else
        eio_payload_init(&walk->of.payload, body, n);
}

int revision_next(struct eng_walk *walk, struct eio_packet *out)
{
    return walk->v3 ? eio_payload3_next(&walk->of.payload3, out)
                    : eio_payload_next(&walk->of.payload, out);
}

/* ---------------------------------------------------------------- frames -- */

int revision_decode_text(const struct eng_session *s, sio_str text,
                         struct eio_packet *out)
{
    char *p = (char *)(uintptr_t)text.p;
    int r;

    if (s->v3)
        return eio_packet3_decode_text(p, text.n, out);
    r = eio_packet_decode_in_place(p, text.n, out);
    return r == SIO_OK ? 1 : r;
}

int revision_decode_binary(const struct eng_session *s, sio_str bytes,
                           struct eio_packet *out)
{
    if (s->v3)
        return eio_packet3_decode_binary(bytes, out);
    *out = (struct eio_packet){ EIO_PACKET_MESSAGE, true, bytes };
    return 1;
}

int revision_wrap(const struct eng_ws *ws, struct grow *out, enum ws_op *op,
                  sio_str data)
{
    *op = ws->base64 ? WS_TEXT : WS_BINARY;
    if (!ws->v3)
        return eio_payload_append_binary(out, data); /* the only one in it */
    return ws->base64 ? eio_packet3_append_base64(out, data)
                      : eio_packet3_append_binary(out, data);
}
