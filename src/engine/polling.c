/*
 * polling.c -- the HTTP long-polling transport: a GET that waits for packets, a
 * POST that brings some.
 *
 * What is sent while no GET waits gathers in polling->out; what is sent while
 * one waits leaves with it at the tail of the turn, all of it in one answer.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/base/utf8.h"
#include "src/engine/hooks.h"
#include "src/engine/revision.h"
#include "src/engine/watch.h"

#include <stdlib.h>

#define KEEP_OUT 1024 /* bytes of polling->out kept between polls */

static bool contains(sio_str text, sio_str part)
{
    return text.n && memmem(text.p, text.n, part.p, part.n);
}

/* Old browsers of Microsoft would take some payloads for an attack. */
static bool sees_attacks(const struct http_request *r)
{
    sio_str agent = http_field_value(r, STR("user-agent"));

    return contains(agent, STR(";MSIE")) || contains(agent, STR("Trident/"));
}

/* An answer 200 of the transport. */
struct answer {
    sio_str type, body;
    bool initial;   /* the first one of a session */
    sio_str cookie; /* n 0: none */
    bool compress;  /* it may be */
};

/* The body in the coding that the client likes best; NULL: as it is. */
static struct buf *compressed(struct engine *e, const struct http_request *r,
                              const struct answer *a, sio_str *coding)
{
    enum http_coding best;

    if (!e->options.http_compression || !a->compress ||
        a->body.n < e->options.http_compression_threshold)
        return NULL;
    best = http_choose_coding(http_field_value(r, STR("accept-encoding")),
                              HTTP_GZIP);
    *coding = http_coding_name(best);
    return http_compress(&e->compressor, best, a->body);
}

static void respond(struct engine *e, struct http_exchange *ex,
                    const struct answer *a)
{
    struct http_field fields[ENG_FIELDS + 4 + SIO_HEADERS_MAX];
    sio_str coding = STR("");
    struct buf *packed = compressed(e, ex->request, a, &coding);
    struct sio_headers more;
    size_t n = 0;

    hooks_headers(e, ex, a->initial, &more);

    if (sees_attacks(ex->request))
        fields[n++] = (struct http_field){ STR("X-XSS-Protection"), STR("0") };
    fields[n++] = (struct http_field){ STR("cache-control"), STR("no-store") };
    if (packed)
        fields[n++] = (struct http_field){ STR("Content-Encoding"), coding };
    if (a->cookie.n)
        fields[n++] = (struct http_field){ STR("Set-Cookie"), a->cookie };
    n += engine_fields(e, ex, fields + n);
    n = hooks_headers_append(&more, fields, n);
    http_respond(ex, &(struct http_response){ .status = 200,
                                              .content_type = a->type,
                                              .fields = fields,
                                              .field_count = n,
                                              .body = a->body,
                                              .shared = packed });
    buf_unref(packed);
    hooks_headers_free(&more);
}

static void respond_empty(const struct engine *e, struct http_exchange *ex,
                          int status)
{
    struct http_field fields[ENG_FIELDS];
    size_t n = engine_fields(e, ex, fields);

    http_respond(ex, &(struct http_response){ .status = status,
                                              .fields = fields,
                                              .field_count = n });
}

/* The value of Set-Cookie; n 0: no cookie is wanted. options.c has seen to it
 * that it fits. */
static sio_str cookie_of(const struct eng_session *s, char out[HTTP_COOKIE_MAX])
{
    const struct eng_options *o = &s->engine->options;
    sio_str sid = str_of(s->sid);
    size_t n = o->cookie_name.n;

    if (!o->cookie_name.p)
        return STR("");
    memcpy(out, o->cookie_name.p, n);
    out[n++] = '=';
    memcpy(out + n, sid.p, sid.n);
    n += sid.n;
    memcpy(out + n, o->cookie_attributes.p, o->cookie_attributes.n);
    return (sio_str){ out, n + o->cookie_attributes.n };
}

int polling_begin(struct eng_session *s)
{
    struct eng_polling *polling = calloc(1, sizeof *polling);

    if (!polling)
        return SIO_E_NOMEM;
    polling->session = s;
    polling->last_in_ms = (uint32_t)s->engine->loop->now_ms;
    polling->last_out_ms = polling->last_in_ms;
    net_task_init(&polling->flush, polling_flush);
    net_timer_init(&polling->closing);
    grow_init(&polling->out, s->engine->options.max_buffered);
    s->polling = polling;
    return SIO_OK;
}

static void polling_free(struct net_deferred *d)
{
    struct eng_polling *polling = container_of(d, struct eng_polling, cleanup);

    grow_free(&polling->out);
    free(polling);
}

void polling_end(struct eng_session *s)
{
    struct eng_polling *polling = s->polling;

    if (!polling)
        return;
    upgrade_end(s);
    s->polling = NULL;
    net_timer_stop(&polling->closing);
    net_task_cancel(&polling->flush);
    net_defer(s->engine->loop, &polling->cleanup, polling_free);
}

void polling_handshake(struct engine *e, struct http_exchange *ex, sio_str sid)
{
    struct eng_session *s = session_new(e, ex, sid);
    char cookie[HTTP_COOKIE_MAX];
    struct eng_body body;

    if (s && polling_begin(s) < 0) {
        session_abandon(s);
        s = NULL;
    }
    if (!s) {
        respond_empty(e, ex, 503);
        return;
    }
    /* The answer leaves before the upper layer hears of the session. */
    if (revision_body_open(s, &body) == SIO_OK) {
        respond(e, ex,
                &(struct answer){ .type = body.type,
                                  .body = body.data,
                                  .initial = true,
                                  .cookie = cookie_of(s, cookie),
                                  .compress = true });
        session_open(s, EIO_ON_OPEN_POLLING);
    } else {
        respond_empty(e, ex, 503);
        session_abandon(s);
    }
    grow_free(&body.made);
}

/* ------------------------------------------------------------------- GET -- */

static void on_poll_aborted(void *self, struct http_exchange *ex, bool complete)
{
    struct eng_session *s = self;

    (void)ex;
    (void)complete;
    s->polling->poll = NULL;
    session_close(s, EIO_CLOSE_TRANSPORT_ERROR,
                  "poll connection closed prematurely");
}

/* The client is idle: it needs no buffer. */
static void on_poll_parked(void *self)
{
    struct eng_session *s = self;

    if (s->polling->out.len == 0)
        grow_free(&s->polling->out);
}

static const struct http_exchange_ops waiting_poll = {
    .on_aborted = on_poll_aborted,
    .on_parked = on_poll_parked,
};

/* Answer the waiting GET with a body that could be made, or not: `made`. */
static void answer_poll(struct eng_session *s, int made, struct eng_body *body,
                        bool compress)
{
    struct http_exchange *ex = s->polling->poll;

    s->polling->poll = NULL;
    s->polling->last_out_ms = (uint32_t)s->engine->loop->now_ms;
    http_wake(ex);
    if (made == SIO_OK) {
        s->polling->bytes_out += body->data.n;
        respond(s->engine, ex,
                &(struct answer){ .type = body->type,
                                  .body = body->data,
                                  .compress = compress });
    } else {
        respond_empty(s->engine, ex, 503);
    }
    grow_free(&body->made);
}

void polling_answer(struct eng_session *s, enum eng_control what)
{
    struct eng_body body;

    if (s->polling && s->polling->poll)
        answer_poll(s, revision_body_control(s, what, &body), &body, false);
}

void polling_flush(struct net_task *task)
{
    struct eng_polling *polling = container_of(task, struct eng_polling, flush);
    struct eng_session *s = polling->session;
    struct watch_list leaving;
    struct eng_body body;
    int made;

    if (s->doom == ENG_DOOM_SLOW) {
        session_close(s, EIO_CLOSE_SLOW_CONSUMER,
                      "polls too slowly: output limit hit");
        return;
    }
    if (s->doom) {
        session_close(s, EIO_CLOSE_TRANSPORT_ERROR, "out of memory");
        return;
    }
    if (!polling->poll || polling->out.len == 0)
        return;
    watch_leave(s, &leaving);
    s->engine->buffered -= polling->out.len;
    made = revision_body_waiting(s, &body);
    answer_poll(s, made, &body, polling->compress);
    polling->compress = false;
    if (polling->out.cap > KEEP_OUT)
        grow_free(&polling->out);
    polling->out.len = 0;
    if (made < 0)
        session_close(s, EIO_CLOSE_TRANSPORT_ERROR,
                      "what waited could not be encoded");
    watch_polled(s, &leaving);
}

/* Both requests of the client overlap, or it sent what this transport cannot
 * take: the session ends, this request is refused. */
static void reject(struct eng_session *s, struct http_exchange *ex,
                   const char *why)
{
    respond_empty(s->engine, ex, 400);
    session_close(s, EIO_CLOSE_TRANSPORT_ERROR, why);
}

void polling_get(struct eng_session *s, struct http_exchange *ex)
{
    s->polling->last_in_ms = (uint32_t)s->engine->loop->now_ms;
    if (s->polling->poll) {
        reject(s, ex, "overlap from client");
        return;
    }
    s->polling->poll = ex;
    ex->ops = &waiting_poll;
    ex->self = s;
    ex->patient = true;
    if (s->polling->out.len) {
        polling_flush(&s->polling->flush);
    } else if (s->state == EIO_CLOSING || s->state == EIO_CLOSING_PROBING) {
        polling_answer(s, ENG_CONTROL_FAREWELL);
        session_close(s, (enum eio_close_reason)s->parting, NULL);
    }
}

/* ------------------------------------------------------------------ POST -- */

static void walk_payload(struct eng_session *s, enum eio_form3 form, char *body,
                         size_t n)
{
    struct eng_walk walk;
    struct eio_packet packet;
    int r = 0;

    revision_walk(&walk, s, form, body, n);
    while (!session_is_closed(s)) {
        r = revision_next(&walk, &packet);
        if (r <= 0)
            break;
        session_on_packet(s, &packet);
    }
    session_end_batch(s);
    if (r < 0)
        session_close(s, EIO_CLOSE_PARSE_ERROR, NULL);
}

/* Over HTTP bad UTF-8 is no error: Node replaces it by U+FFFD and goes on. */
static void walk_text(struct eng_session *s, char *body, size_t n)
{
    struct grow text;

    if (utf8_valid(body, n)) {
        walk_payload(s, EIO_FORM3_TEXT, body, n);
        return;
    }
    grow_init(&text, 3 * n);
    if (utf8_append_lossy(&text, body, n) < 0)
        session_close(s, EIO_CLOSE_TRANSPORT_ERROR, "out of memory");
    else
        walk_payload(s, EIO_FORM3_TEXT, (char *)text.data, text.len);
    grow_free(&text);
}

static void on_post_body(void *self, struct http_exchange *ex, char *body,
                         size_t n)
{
    struct eng_session *s = self;
    struct eng_polling *polling = s->polling; /* good until the turn ends */
    struct engine *e = s->engine;

    polling->post = NULL;
    polling->last_in_ms = (uint32_t)e->loop->now_ms;
    polling->bytes_in += n;
    polling->carrier = ex->request;
    if (revision_is_binary(s, ex->request))
        walk_payload(s, EIO_FORM3_BINARY, body, n);
    else if (revision_unwrap(s, &body, &n))
        walk_text(s, body, n);
    polling->carrier = NULL;
    respond(e, ex,
            &(struct answer){ .type = STR("text/html"), .body = STR("ok") });
}

static void on_post_too_large(void *self, struct http_exchange *ex)
{
    struct eng_session *s = self;

    s->polling->post = NULL;
    respond_empty(s->engine, ex, 413);
}

static void on_post_aborted(void *self, struct http_exchange *ex, bool complete)
{
    struct eng_session *s = self;

    (void)ex;
    (void)complete;
    s->polling->post = NULL;
    session_close(s, EIO_CLOSE_TRANSPORT_ERROR,
                  "data request connection closed prematurely");
}

static const struct http_exchange_ops arriving_post = {
    .on_body = on_post_body,
    .on_too_large = on_post_too_large,
    .on_aborted = on_post_aborted,
};

void polling_post(struct eng_session *s, struct http_exchange *ex)
{
    sio_str type = http_field_value(ex->request, STR("content-type"));

    if (s->polling->post) {
        reject(s, ex, "data request overlap from client");
        return;
    }
    if (!s->v3 && str_eq(type, STR("application/octet-stream"))) {
        reject(s, ex, "invalid content");
        return;
    }
    s->polling->post = ex;
    ex->ops = &arriving_post;
    ex->self = s;
    ex->max_body = s->engine->options.max_payload;
    http_take_body(ex);
}

void polling_detach(struct eng_session *s)
{
    struct http_exchange *post;

    if (!s->polling)
        return;
    post = s->polling->post;
    s->polling->post = NULL;
    /* First: both may lie on one connection, which goes with the POST. */
    polling_answer(s, ENG_CONTROL_CLOSE);
    if (post)
        http_drop(post);
}
