/*
 * websocket.c -- the WebSocket transport: messages become packets, packets
 * messages. Frames and the closing handshake are src/http/websocket.c's.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/engine/hooks.h"
#include "src/engine/revision.h"
#include "src/engine/watch.h"

#include <stdio.h>
#include <stdlib.h>

static struct eng_ws *eng_ws_of(struct http_websocket *ws)
{
    return container_of(ws, struct eng_ws, ws);
}

void websocket_send(struct eng_ws *ws, enum ws_op op, sio_str data)
{
    http_websocket_send(&ws->ws, op, data, true);
}

/* Behind a type byte, or in base64 for a client that has asked for that. */
static void send_wrapped(struct eng_ws *ws, sio_str data, bool compress)
{
    struct grow message;
    enum ws_op op;

    grow_init(&message, SIZE_MAX);
    if (revision_wrap(ws, &message, &op, data) < 0)
        net_conn_fail(ws->ws.conn, NET_CLOSE_NOMEM);
    else
        http_websocket_send(&ws->ws, op, grow_str(&message), compress);
    grow_free(&message);
}

void websocket_send_message(struct eng_ws *ws, bool binary, sio_str data,
                            bool compress)
{
    if (binary && revision_wraps(ws))
        send_wrapped(ws, data, compress);
    else
        http_websocket_send(&ws->ws, binary ? WS_BINARY : WS_TEXT, data,
                            compress);
}

/* No session from here on. */
static void ws_leave(struct eng_ws *ws)
{
    struct eng_session *s = ws->session;

    ws->session = NULL;
    if (!s)
        return;
    s->ws = NULL;
    if (s->polling)
        upgrade_end(s);
}

void websocket_close(struct eng_ws *ws, unsigned code)
{
    ws_leave(ws);
    http_websocket_close(&ws->ws, code, STR(""));
}

/* ------------------------------------------------------------- receiving -- */

static void on_packet(struct eng_session *s, bool text, sio_str data)
{
    struct eio_packet packet;
    int r = text ? revision_decode_text(s, data, &packet)
                 : revision_decode_binary(s, data, &packet);

    if (r == 1) {
        session_on_packet(s, &packet);
    } else if (r < 0) {
        session_end_batch(s);
        session_close(s, EIO_CLOSE_PARSE_ERROR, NULL);
    }
}

static void on_message(struct http_websocket *inner, const struct ws_message *m)
{
    struct eng_ws *ws = eng_ws_of(inner);
    sio_str data = { (char *)m->data, m->n };
    bool text = m->type == WS_MSG_TEXT;

    if (!ws->active && text)
        upgrade_on_text(ws, data);
    else if (!ws->active)
        upgrade_fail(ws);
    else
        on_packet(ws->session, text, data);
}

static void on_batch(struct http_websocket *inner)
{
    struct eng_ws *ws = eng_ws_of(inner);

    if (ws->active && ws->session)
        session_end_batch(ws->session);
}

static enum eio_close_reason reason_of(const struct http_websocket_end *end)
{
    if (end->orderly)
        return EIO_CLOSE_TRANSPORT_CLOSE;
    return end->slow ? EIO_CLOSE_SLOW_CONSUMER : EIO_CLOSE_TRANSPORT_ERROR;
}

/* For the log. */
static const char *detail_of(const struct http_websocket_end *end, char out[24])
{
    if (end->why)
        return end->why;
    if (end->code == WS_CLOSE_ABNORMAL)
        return "no close frame";
    if (end->code == WS_CLOSE_NO_STATUS)
        return "close frame";
    snprintf(out, 24, "close code %u", end->code);
    return out;
}

/* The WebSocket is over. To its session that is the end, to a session that was
 * only being probed a failed upgrade. */
static void on_close(struct http_websocket *inner,
                     const struct http_websocket_end *end)
{
    struct eng_ws *ws = eng_ws_of(inner);
    struct eng_session *s = ws->session;
    char detail[24];

    if (!s)
        return;
    if (ws->active) { /* the session lets go of it */
        session_close(s, reason_of(end), detail_of(end, detail));
        return;
    }
    ws_leave(ws);
    upgrade_lost(s);
}

static void on_free(struct http_websocket *inner)
{
    struct eng_ws *ws = eng_ws_of(inner);

    ws_leave(ws);
    free(ws);
}

static void on_drained(struct http_websocket *inner)
{
    struct eng_ws *ws = eng_ws_of(inner);

    if (ws->active && ws->session)
        watch_sent(ws->session);
}

const struct http_websocket_ops transport_ops = {
    .on_message = on_message,
    .on_batch = on_batch,
    .on_close = on_close,
    .on_drained = on_drained,
    .on_free = on_free,
};

void websocket_watch(struct eng_ws *ws)
{
    ws->ws.tells_drained = true;
}

/* --------------------------------------------------------------- opening -- */

static int answer(struct engine *e, struct http_exchange *ex, struct eng_ws *ws,
                  bool initial)
{
    struct http_field fields[ENG_FIELDS + SIO_HEADERS_MAX];
    struct sio_headers more;
    size_t n = engine_fields(e, ex, fields);
    int r;

    hooks_headers(e, ex, initial, &more);
    n = hooks_headers_append(&more, fields, n);
    r = http_websocket_accept(&e->websockets, ex, &ws->ws, (sio_str){ NULL, 0 },
                              fields, n);
    hooks_headers_free(&more);
    return r;
}

struct eng_ws *websocket_accept(struct engine *e, struct http_exchange *ex,
                                struct eng_session *s)
{
    bool base64 = http_query_value(ex->request->query, STR("b64")).n > 0;
    struct eng_ws *ws = calloc(1, sizeof *ws);

    if (!ws) {
        http_respond_text(ex, 503, "Service Unavailable", true);
        return NULL;
    }
    if (answer(e, ex, ws, s && s->state == EIO_OPENING) < 0) {
        free(ws);
        return NULL;
    }
    ws->ws.tells_drained = e->ops->on_drain != NULL;
    ws->session = s;
    ws->v3 = s && s->v3;
    ws->base64 = base64; /* read before: the request went with the 101 */
    return ws;
}

void websocket_handshake(struct engine *e, struct http_exchange *ex,
                         sio_str sid)
{
    struct eng_session *s = session_new(e, ex, sid);
    struct grow open;

    if (!s) {
        http_respond_text(ex, 503, "Service Unavailable", true);
        return;
    }
    s->ws = websocket_accept(e, ex, s);
    grow_init(&open, ENG_OPEN_MAX);
    if (!s->ws) {
        session_abandon(s);
    } else if (session_append_open(s, &open) < 0) {
        websocket_close(s->ws, WS_CLOSE_INTERNAL_ERROR);
        session_abandon(s);
    } else {
        s->ws->active = s->websocket = true;
        websocket_send(s->ws, WS_TEXT, grow_str(&open));
        if (e->options.initial_packet.p)
            websocket_send_message(s->ws, e->options.initial_is_binary,
                                   e->options.initial_packet, true);
        session_open(s, EIO_ON_OPEN_WEBSOCKET);
    }
    grow_free(&open);
}
