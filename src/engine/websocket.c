/*
 * websocket.c -- the WebSocket transport: frames in, packets up; packets down,
 * frames out; the closing handshake.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/base/base64.h"
#include "protocol/engineio/payload.h"
#include "protocol/websocket/handshake.h"
#include "src/engine/session.h"

#include <stdlib.h>

static void ws_free(struct net_deferred *d)
{
    struct eng_ws *ws = container_of(d, struct eng_ws, cleanup);

    ws_reader_free(&ws->reader);
    free(ws);
}

/* The last step of every life: the connection is gone or handed on. */
static void ws_unlink(struct eng_ws *ws)
{
    if (!ws->conn)
        return;
    ws->conn = NULL;
    if (ws->session)
        ws->session->ws = NULL;
    ws->session = NULL;
    ws->engine->websocket_count--;
    net_timer_stop(&ws->timeout);
    net_timer_stop(&ws->noop);
    list_remove(&ws->node);
    net_defer(ws->engine->loop, &ws->cleanup, ws_free);
}

/* Our FIN goes out behind what is queued. */
static void ws_finish(struct eng_ws *ws)
{
    struct net_conn *conn = ws->conn;

    ws_unlink(ws);
    net_conn_finish(conn, ENG_WS_CLOSE_MS);
}

void websocket_send(struct eng_ws *ws, enum ws_op op, sio_str data)
{
    uint8_t head[WS_HEAD_MAX];
    size_t n = ws_encode_head(head, op, data.n, NULL);

    net_conn_append2(ws->conn, head, n, data.p, data.n);
}

void websocket_send_binary(struct eng_ws *ws, sio_str data)
{
    uint8_t head[WS_HEAD_MAX], *out;
    size_t n = 1 + BASE64_LEN(data.n), k;

    if (!ws->base64) {
        websocket_send(ws, WS_BINARY, data);
        return;
    }
    k = ws_encode_head(head, WS_TEXT, n, NULL);
    out = net_conn_reserve(ws->conn, k + n);
    if (!out)
        return;
    memcpy(out, head, k);
    out[k] = 'b';
    base64_encode((char *)out + k + 1, data.p, data.n);
    net_conn_commit(ws->conn, k + n);
}

static void send_close(struct eng_ws *ws, unsigned code, sio_str reason)
{
    char body[125];

    if (code == WS_CLOSE_NO_STATUS) {
        websocket_send(ws, WS_CLOSE, STR(""));
        return;
    }
    body[0] = (char)(code >> 8);
    body[1] = (char)code;
    if (reason.n)
        memcpy(body + 2, reason.p, reason.n);
    websocket_send(ws, WS_CLOSE, (sio_str){ body, 2 + reason.n });
}

/* No session from here on. */
static struct eng_session *ws_leave(struct eng_ws *ws)
{
    struct eng_session *s = ws->session;

    ws->phase = ENG_WS_CLOSING;
    ws->session = NULL;
    if (s)
        s->ws = NULL;
    net_timer_stop(&ws->timeout);
    net_timer_stop(&ws->noop);
    return s;
}

void websocket_close(struct eng_ws *ws, unsigned code)
{
    if (ws->phase == ENG_WS_CLOSING)
        return;
    send_close(ws, code, STR(""));
    ws_leave(ws);
    net_timer_start(&ws->engine->ws_closes, &ws->timeout);
}

void websocket_close_timed_out(struct net_timer *timer)
{
    struct eng_ws *ws = container_of(timer, struct eng_ws, timeout);
    struct net_conn *conn = ws->conn;

    ws_unlink(ws);
    net_conn_close(conn);
}

/* The WebSocket is over. To its session that is the end, to a session that was
 * only being probed a failed upgrade. */
static void ws_lost(struct eng_ws *ws, enum eio_close_reason reason,
                    const char *detail)
{
    bool probing = ws->phase == ENG_WS_PROBING;
    struct eng_session *s = ws_leave(ws);

    if (!s)
        return;
    if (probing)
        eio_step(&s->state, EIO_ON_PROBE_LOST);
    else
        session_close(s, reason, detail);
}

/* ------------------------------------------------------------ receiving -- */

static void on_text(struct eng_ws *ws, sio_str text)
{
    struct eng_session *s = ws->session;
    struct eio_payload it;
    struct eio_packet packet;
    int r;

    if (text.n && text.p[0] == 'b') { /* of a client that asked for b64 */
        eio_payload_init(&it, (char *)(uintptr_t)text.p, text.n);
        r = eio_payload_next(&it, &packet) == 1 ? SIO_OK : SIO_E_INVAL;
    } else {
        r = eio_packet_decode(text, &packet);
    }
    if (r == SIO_OK) {
        session_on_packet(s, &packet);
        return;
    }
    session_end_batch(s);
    session_close(s, EIO_CLOSE_PARSE_ERROR, NULL);
}

static void on_data_message(struct eng_ws *ws, const struct ws_message *m)
{
    sio_str data = { (char *)m->data, m->n };

    if (ws->phase == ENG_WS_PROBING) {
        if (m->type == WS_MSG_TEXT)
            upgrade_on_text(ws, data);
        else
            upgrade_fail(ws);
    } else if (m->type == WS_MSG_TEXT) {
        on_text(ws, data);
    } else {
        session_on_packet(ws->session,
                          &(struct eio_packet){ .type = EIO_PACKET_MESSAGE,
                                                .binary = true,
                                                .data = data });
    }
}

/* A message that was gathered from pieces must outlive the next one: upper
 * layers look at a batch as a whole. */
static void on_gathered_message(struct eng_ws *ws, const struct ws_message *m)
{
    struct eng_session *s = ws->session;
    uint8_t *memory;

    if (ws->phase == ENG_WS_PROBING) {
        on_data_message(ws, m);
        return;
    }
    memory = ws_reader_take(&ws->reader);
    if (engine_hold(ws->engine, memory)) {
        on_data_message(ws, m);
    } else {
        on_data_message(ws, m);
        session_end_batch(s);
        free(memory);
    }
}

static void end_batch(struct eng_ws *ws)
{
    if (ws->phase == ENG_WS_ACTIVE)
        session_end_batch(ws->session);
    else
        engine_release_held(ws->engine);
}

/* The peer's close frame, or bytes that break the protocol: answer with a close
 * frame unless ours was first (RFC 6455 5.5.1), then FIN. */
static void on_final_message(struct eng_ws *ws, const struct ws_message *m)
{
    bool orderly = m->type == WS_MSG_CLOSE;

    end_batch(ws);
    if (ws->phase != ENG_WS_CLOSING) {
        send_close(ws, m->code,
                   orderly ? (sio_str){ (char *)m->data, m->n } : STR(""));
        ws_lost(ws,
                orderly ? EIO_CLOSE_TRANSPORT_CLOSE : EIO_CLOSE_TRANSPORT_ERROR,
                orderly ? NULL : m->why);
    }
    ws_finish(ws);
}

static void on_message(struct eng_ws *ws, const struct ws_message *m)
{
    if (m->type == WS_MSG_CLOSE || m->type == WS_MSG_ERROR) {
        on_final_message(ws, m);
    } else if (ws->phase == ENG_WS_CLOSING) {
        return; /* whatever comes before the peer's close frame */
    } else if (m->type == WS_MSG_PING) {
        /* RFC 6455 5.5.3 lets us answer only the latest of many pings: a peer
         * that sends them and reads nothing gets no more. */
        if (ws->conn->queued < ENG_PONG_QUEUE_MAX)
            websocket_send(ws, WS_PONG, (sio_str){ (char *)m->data, m->n });
    } else if (m->type != WS_MSG_PONG) {
        if (m->gathered)
            on_gathered_message(ws, m);
        else
            on_data_message(ws, m);
    }
}

static size_t on_data(void *self, uint8_t *data, size_t len)
{
    struct eng_ws *ws = self;
    struct ws_message m;
    size_t used = 0;

    for (;;) {
        used += ws_read(&ws->reader, data + used, len - used, &m);
        if (m.type == WS_MSG_MORE)
            break;
        on_message(ws, &m);
        if (!ws->conn)
            return len; /* finished: the rest is nobody's */
    }
    end_batch(ws);
    return len;
}

static void on_end(void *self)
{
    struct eng_ws *ws = self;

    ws_lost(ws, EIO_CLOSE_TRANSPORT_CLOSE, NULL);
    ws_finish(ws);
}

static void on_closed(void *self, enum net_close_reason why)
{
    struct eng_ws *ws = self;
    bool ours = why == NET_CLOSE_OVERFLOW || why == NET_CLOSE_NOMEM;

    ws_lost(ws, ours ? EIO_CLOSE_TRANSPORT_ERROR : EIO_CLOSE_TRANSPORT_CLOSE,
            net_close_reason_text(why));
    ws_unlink(ws);
}

static const struct net_conn_ops ws_conn_ops = {
    .on_data = on_data,
    .on_end = on_end,
    .on_closed = on_closed,
};

/* -------------------------------------------------------------- opening -- */

static void refuse_handshake(struct http_exchange *ex,
                             enum ws_handshake_result r)
{
    static const struct http_field versions = { { "Sec-WebSocket-Version", 21 },
                                                { "13, 8", 5 } };

    http_respond(
        ex, &(struct http_response){ .status = ws_handshake_status(r),
                                     .content_type = STR("text/html"),
                                     .fields = &versions,
                                     .field_count = r == WS_HANDSHAKE_VERSION,
                                     .body = str_of(ws_handshake_text(r)),
                                     .close = true });
}

static struct net_conn *switch_protocols(struct engine *e,
                                         struct http_exchange *ex, sio_str key,
                                         sio_str subprotocol)
{
    char accept[WS_ACCEPT_LEN];
    struct http_field fields[4 + ENG_FIELDS];
    size_t n = 0;

    ws_handshake_accept(key, accept);
    fields[n++] = (struct http_field){ STR("Upgrade"), STR("websocket") };
    fields[n++] = (struct http_field){ STR("Connection"), STR("Upgrade") };
    fields[n++] = (struct http_field){ STR("Sec-WebSocket-Accept"),
                                       { accept, sizeof accept } };
    if (subprotocol.p)
        fields[n++] =
            (struct http_field){ STR("Sec-WebSocket-Protocol"), subprotocol };
    n += engine_fields(e, fields + n);
    return http_upgrade(ex, fields, n);
}

struct eng_ws *websocket_accept(struct engine *e, struct http_exchange *ex,
                                enum eng_ws_phase phase, struct eng_session *s)
{
    const struct http_request *r = &ex->request;
    struct ws_handshake h = {
        .is_get = str_eq(r->method, STR("GET")),
        .upgrade = http_field_value(r, STR("upgrade")),
        .key = http_field_value(r, STR("sec-websocket-key")),
        .version = http_field_value(r, STR("sec-websocket-version")),
        .protocol = http_field_value(r, STR("sec-websocket-protocol")),
    };
    sio_str subprotocol;
    enum ws_handshake_result verdict = ws_handshake_check(&h, &subprotocol);
    bool base64 = http_query_value(r->query, STR("b64")).n > 0;
    struct eng_ws *ws;

    if (verdict != WS_HANDSHAKE_OK) {
        refuse_handshake(ex, verdict);
        return NULL;
    }
    ws = calloc(1, sizeof *ws);
    if (!ws) {
        http_respond_text(ex, 503, "Service Unavailable", true);
        return NULL;
    }
    ws->conn = switch_protocols(e, ex, h.key, subprotocol);
    if (!ws->conn) {
        free(ws);
        return NULL;
    }
    ws->engine = e;
    ws->session = s;
    ws->phase = phase;
    ws->base64 = base64; /* read before: the request went with the 101 */
    ws_reader_init(&ws->reader, WS_SERVER, e->options.max_payload);
    net_timer_init(&ws->timeout);
    net_timer_init(&ws->noop);
    list_append(&e->websockets, &ws->node);
    e->websocket_count++;
    net_conn_set_ops(ws->conn, &ws_conn_ops, ws);
    return ws;
}

void websocket_handshake(struct engine *e, struct http_exchange *ex)
{
    struct eng_session *s = session_new(e, ex);
    struct grow open;

    if (!s) {
        http_respond_text(ex, 503, "Service Unavailable", true);
        return;
    }
    s->ws = websocket_accept(e, ex, ENG_WS_ACTIVE, s);
    grow_init(&open, 1024);
    if (!s->ws) {
        session_abandon(s);
    } else if (session_append_open(s, &open) < 0) {
        websocket_close(s->ws, WS_CLOSE_INTERNAL_ERROR);
        session_abandon(s);
    } else {
        websocket_send(s->ws, WS_TEXT, grow_str(&open));
        session_open(s, EIO_ON_OPEN_WEBSOCKET);
    }
    grow_free(&open);
}

void websocket_destroy(struct eng_ws *ws)
{
    websocket_close_timed_out(&ws->timeout);
}
