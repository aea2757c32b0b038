/*
 * websocket.c -- see websocket.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/http/websocket.h"

#include "protocol/websocket/handshake.h"

#include <stdlib.h>

#define FIELDS_MAX 32 /* of a 101, ours and the caller's */

/* --------------------------------------------------------------- the end -- */

static void ws_free(struct net_deferred *d)
{
    struct http_websocket *ws = container_of(d, struct http_websocket, cleanup);

    ws_reader_free(&ws->reader);
    ws->ops->on_free(ws);
}

/* The last step of every life: the connection is gone, or goes alone. */
static void ws_unlink(struct http_websocket *ws)
{
    ws->conn = NULL;
    ws->closing = true;
    ws->set->count--;
    net_timer_stop(&ws->timeout);
    list_remove(&ws->node);
    net_defer(ws->set->loop, &ws->cleanup, ws_free);
}

/* Our FIN goes out behind what is queued. */
static void ws_finish(struct http_websocket *ws)
{
    struct net_conn *conn = ws->conn;

    ws_unlink(ws);
    net_conn_finish(conn, HTTP_WS_CLOSE_MS);
}

static void ws_cut(struct http_websocket *ws)
{
    struct net_conn *conn = ws->conn;

    ws_unlink(ws);
    net_conn_close(conn);
}

static void close_timed_out(struct net_timer *timer)
{
    ws_cut(container_of(timer, struct http_websocket, timeout));
}

/* --------------------------------------------------------------- sending -- */

static void put_frame(struct http_websocket *ws, enum ws_op op, sio_str data)
{
    uint8_t head[WS_HEAD_MAX];
    size_t n = ws_encode_head(head, op, data.n, NULL);

    net_conn_append2(ws->conn, head, n, data.p, data.n);
}

void http_websocket_send(struct http_websocket *ws, enum ws_op op, sio_str data)
{
    if (!ws->closing)
        put_frame(ws, op, data);
}

void http_websocket_send_frame(struct http_websocket *ws, struct buf *frame)
{
    if (!ws->closing)
        net_conn_append_buf(ws->conn, frame);
}

static void put_close(struct http_websocket *ws, unsigned code, sio_str reason)
{
    char body[2 + HTTP_WS_REASON_MAX];

    if (code == WS_CLOSE_NO_STATUS) {
        put_frame(ws, WS_CLOSE, STR(""));
        return;
    }
    if (reason.n > HTTP_WS_REASON_MAX)
        reason.n = HTTP_WS_REASON_MAX;
    body[0] = (char)(code >> 8);
    body[1] = (char)code;
    if (reason.n)
        memcpy(body + 2, reason.p, reason.n);
    put_frame(ws, WS_CLOSE, (sio_str){ body, 2 + reason.n });
}

bool http_websocket_may_close(unsigned code, sio_str reason)
{
    return ws_close_code_valid(code) && reason.n <= HTTP_WS_REASON_MAX &&
           utf8_valid(reason.p, reason.n);
}

void http_websocket_close(struct http_websocket *ws, unsigned code,
                          sio_str reason)
{
    if (ws->closing)
        return;
    put_close(ws, code, reason);
    ws->closing = true;
    net_conn_resume(ws->conn); /* the peer's close frame must be read */
    net_timer_start(&ws->set->closes, &ws->timeout);
}

/* ------------------------------------------------------------- receiving -- */

static void release_held(struct http_websockets *set)
{
    while (set->held_count)
        free(set->held[--set->held_count]);
}

/* Keep the memory of a message until its batch is over. False: no room. */
static bool hold(struct http_websockets *set, uint8_t *memory)
{
    if (set->held_count == set->held_cap) {
        size_t cap = set->held_cap ? set->held_cap * 2 : 8;
        uint8_t **more = realloc(set->held, cap * sizeof *more);

        if (!more)
            return false;
        set->held = more;
        set->held_cap = cap;
    }
    set->held[set->held_count++] = memory;
    return true;
}

static void end_batch(struct http_websocket *ws)
{
    if (!ws->closing && ws->ops->on_batch)
        ws->ops->on_batch(ws);
    release_held(ws->set);
}

/* A message that was gathered from pieces must outlive the next one: owners
 * look at a batch as a whole. */
static void on_gathered(struct http_websocket *ws, const struct ws_message *m)
{
    uint8_t *memory = ws_reader_take(&ws->reader);
    bool held = hold(ws->set, memory);

    ws->ops->on_message(ws, m);
    if (!held) {
        end_batch(ws);
        free(memory);
    }
}

static void tell_end(struct http_websocket *ws,
                     const struct http_websocket_end *end)
{
    if (ws->closing)
        return;
    ws->closing = true;
    ws->ops->on_close(ws, end);
}

/* The peer's close frame, or bytes that break the protocol: answer with a close
 * frame unless ours was first (RFC 6455 5.5.1), then FIN. */
static void on_final(struct http_websocket *ws, const struct ws_message *m)
{
    struct http_websocket_end end = { .orderly = m->type == WS_MSG_CLOSE,
                                      .code = m->code };

    end_batch(ws);
    if (end.orderly)
        end.reason = (sio_str){ (char *)m->data, m->n };
    else
        end.why = m->why;
    if (!ws->closing) {
        put_close(ws, m->code, end.reason);
        tell_end(ws, &end);
    }
    ws_finish(ws);
}

static void on_message(struct http_websocket *ws, const struct ws_message *m)
{
    switch (m->type) {
    case WS_MSG_CLOSE:
    case WS_MSG_ERROR:
        on_final(ws, m);
        break;
    case WS_MSG_PING:
        /* RFC 6455 5.5.3 lets us answer only the latest of many pings: a peer
         * that sends them and reads nothing gets no more. */
        if (!ws->closing && ws->conn->queued < HTTP_WS_PONG_MAX)
            put_frame(ws, WS_PONG, (sio_str){ (char *)m->data, m->n });
        break;
    case WS_MSG_TEXT:
    case WS_MSG_BINARY:
        if (ws->closing)
            break; /* whatever comes before the peer's close frame */
        if (m->gathered)
            on_gathered(ws, m);
        else
            ws->ops->on_message(ws, m);
        break;
    default:
        break;
    }
}

static size_t on_data(void *self, uint8_t *data, size_t len)
{
    struct http_websocket *ws = self;
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
    struct http_websocket *ws = self;

    tell_end(ws, &(struct http_websocket_end){ .orderly = true,
                                               .code = WS_CLOSE_ABNORMAL });
    ws_finish(ws);
}

static void on_closed(void *self, enum net_close_reason why)
{
    struct http_websocket *ws = self;
    struct http_websocket_end end = { .orderly = why != NET_CLOSE_OVERFLOW &&
                                                 why != NET_CLOSE_NOMEM,
                                      .code = WS_CLOSE_ABNORMAL,
                                      .why = net_close_reason_text(why) };

    tell_end(ws, &end);
    ws_unlink(ws);
}

static void on_drained(void *self)
{
    struct http_websocket *ws = self;

    if (!ws->closing && ws->ops->on_drained)
        ws->ops->on_drained(ws);
}

static const struct net_conn_ops conn_ops = {
    .on_data = on_data,
    .on_end = on_end,
    .on_closed = on_closed,
    .on_drained = on_drained,
};

/* --------------------------------------------------------------- opening -- */

static void refuse(struct http_exchange *ex, enum ws_handshake_result r)
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

static bool speaks(sio_str spoken, sio_str name)
{
    while (spoken.p)
        if (str_eq(str_trim(str_split(spoken, ',', &spoken)), name))
            return true;
    return false;
}

sio_str http_websocket_subprotocol(sio_str offered, sio_str spoken)
{
    while (offered.p) {
        sio_str name = str_trim(str_split(offered, ',', &offered));

        if (name.n && speaks(spoken, name))
            return name;
    }
    return STR("");
}

static struct net_conn *switch_protocols(struct http_exchange *ex, sio_str key,
                                         sio_str subprotocol,
                                         const struct http_field *more,
                                         size_t count)
{
    char accept[WS_ACCEPT_LEN];
    struct http_field fields[FIELDS_MAX];
    size_t n = 0;

    ws_handshake_accept(key, accept);
    fields[n++] = (struct http_field){ STR("Upgrade"), STR("websocket") };
    fields[n++] = (struct http_field){ STR("Connection"), STR("Upgrade") };
    fields[n++] = (struct http_field){ STR("Sec-WebSocket-Accept"),
                                       { accept, sizeof accept } };
    if (subprotocol.n)
        fields[n++] =
            (struct http_field){ STR("Sec-WebSocket-Protocol"), subprotocol };
    for (size_t i = 0; i < count && n < FIELDS_MAX; i++)
        fields[n++] = more[i];
    return http_upgrade(ex, fields, n);
}

int http_websocket_accept(struct http_websockets *set, struct http_exchange *ex,
                          struct http_websocket *ws,
                          const struct http_websocket_ops *ops,
                          sio_str subprotocol, const struct http_field *fields,
                          size_t field_count)
{
    const struct http_request *r = &ex->request;
    struct ws_handshake h = {
        .is_get = str_eq(r->method, STR("GET")),
        .upgrade = http_field_value(r, STR("upgrade")),
        .key = http_field_value(r, STR("sec-websocket-key")),
        .version = http_field_value(r, STR("sec-websocket-version")),
        .protocol = http_field_value(r, STR("sec-websocket-protocol")),
    };
    sio_str first;
    enum ws_handshake_result verdict = ws_handshake_check(&h, &first);
    struct net_conn *conn;

    if (verdict != WS_HANDSHAKE_OK) {
        refuse(ex, verdict);
        return SIO_E_INVAL;
    }
    conn = switch_protocols(ex, h.key, subprotocol.p ? subprotocol : first,
                            fields, field_count);
    if (!conn)
        return SIO_E_STATE;
    *ws = (struct http_websocket){ .set = set, .ops = ops, .conn = conn };
    ws_reader_init(&ws->reader, WS_SERVER, set->max_message);
    net_timer_init(&ws->timeout);
    list_append(&set->list, &ws->node);
    set->count++;
    net_conn_set_ops(conn, &conn_ops, ws);
    return SIO_OK;
}

void http_websockets_init(struct http_websockets *set, struct net_loop *loop,
                          uint64_t max_message)
{
    memset(set, 0, sizeof *set);
    set->loop = loop;
    set->max_message = max_message;
    list_init(&set->list);
    net_timer_queue_init(&set->closes, loop, HTTP_WS_CLOSE_MS, close_timed_out);
}

void http_websockets_destroy(struct http_websockets *set)
{
    list_for_each_safe(it, next, &set->list)
        ws_cut(container_of(it, struct http_websocket, node));
    net_timer_queue_close(&set->closes);
    release_held(set);
    free(set->held);
    set->held = NULL;
    set->held_cap = 0;
}
