/*
 * websocket.c -- see websocket.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/http/websocket.h"

#include "protocol/websocket/handshake.h"
#include "src/http/connection.h"

#include <stdlib.h>

#define FIELDS_MAX 32     /* of a 101, ours and the caller's */
#define PING_MAX 125      /* bytes: RFC 6455 5.5 */
#define EXTENSION_MAX 256 /* bytes of our Sec-WebSocket-Extensions */

static const struct http_websocket_ops *ops_of(const struct http_websocket *ws)
{
    return ws->set->options.ops;
}

/* --------------------------------------------------------------- the end -- */

static void drop_reader(struct http_websocket *ws)
{
    if (!ws->reader)
        return;
    ws_reader_free(ws->reader);
    free(ws->reader);
    ws->reader = NULL;
}

static void ws_free(struct net_deferred *d)
{
    struct http_websocket *ws = container_of(d, struct http_websocket, cleanup);

    drop_reader(ws);
    free(ws->late_ping);
    http_deflate_free(ws->deflate);
    ws->last->on_free(ws);
}

/* The last step of every life: the connection is gone, or goes alone. */
static void ws_unlink(struct http_websocket *ws)
{
    if (!ws->reading && ws->reader)
        http_unfinished(ws->set->server, ws->reader->parts.cap, 0);
    ws->conn = NULL;
    ws->closing = true;
    ws->set->count--;
    net_timer_stop(&ws->timeout);
    list_remove(&ws->node);
    ws->last = ops_of(ws);
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

static bool is_to_deflate(const struct http_websocket *ws, enum ws_op op,
                          size_t n, bool compress)
{
    return op < WS_CLOSE &&
           http_deflate_wanted(&ws->set->deflate, ws->deflate, n, compress);
}

/* False: out of memory; it may be sent as it is. */
static bool put_deflated(struct http_websocket *ws, enum ws_op op, sio_str data)
{
    sio_str out = http_deflate_message(&ws->set->deflate, ws->deflate, data);
    uint8_t head[WS_HEAD_MAX];
    size_t n;

    if (out.p) {
        n = ws_encode_head(head, op, out.n, NULL);
        head[0] |= WS_RSV1;
        net_conn_append2(ws->conn, head, n, out.p, out.n);
    }
    http_deflate_release(&ws->set->deflate);
    return out.p != NULL;
}

void http_websocket_send(struct http_websocket *ws, enum ws_op op, sio_str data,
                         bool compress)
{
    if (ws->closing)
        return;
    if (!is_to_deflate(ws, op, data.n, compress) || !put_deflated(ws, op, data))
        put_frame(ws, op, data);
}

void http_websocket_send_frame(struct http_websocket *ws, struct http_frame *f,
                               bool compress)
{
    sio_str data = http_frame_data(f);
    struct buf *ready = f->plain, *deflated;

    if (ws->closing)
        return;
    if (is_to_deflate(ws, (enum ws_op)f->op, data.n, compress)) {
        if (ws->deflate->out.takeover) {
            http_websocket_send(ws, (enum ws_op)f->op, data, compress);
            return;
        }
        deflated = http_frame_deflate(f, &ws->set->deflate, ws->deflate);
        if (deflated)
            ready = deflated;
    }
    net_conn_append_buf(ws->conn, ready);
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

/* ------------------------------------------------------------- heartbeat -- */

static void start_heartbeat(struct http_websocket *ws)
{
    if (ws->set->options.ping_interval_ms && !ws->closing)
        net_timer_start(&ws->set->pings, &ws->timeout);
}

static void ping_due(struct net_timer *timer)
{
    struct http_websocket *ws =
        container_of(timer, struct http_websocket, timeout);

    put_frame(ws, WS_PING, STR(""));
    net_timer_start_after(&ws->set->pongs, timer);
}

void http_websocket_pause(struct http_websocket *ws)
{
    if (ws->conn)
        net_conn_pause(ws->conn);
}

void http_websocket_resume(struct http_websocket *ws)
{
    if (!ws->conn)
        return;
    net_conn_resume(ws->conn);
    start_heartbeat(ws); /* what it has sent meanwhile is still to be read */
}

static void tell_end(struct http_websocket *ws,
                     const struct http_websocket_end *end);

/* No pong so far. The peer may be in the middle of a frame that takes long. Or
 * the owner does not let us read: then further pings show by an error whether
 * the connection is still there. */
static void pong_missing(struct net_timer *timer)
{
    struct http_websocket *ws =
        container_of(timer, struct http_websocket, timeout);
    struct http_websockets *set = ws->set;

    if (!ws->conn->reading) {
        start_heartbeat(ws);
        return;
    }
    if ((uint32_t)set->loop->now_ms - ws->conn->last_in_ms <
        set->options.ping_timeout_ms) {
        net_timer_start(&set->pongs, timer);
        return;
    }
    tell_end(ws, &(struct http_websocket_end){ .orderly = false,
                                               .code = WS_CLOSE_ABNORMAL,
                                               .why = "ping timeout" });
    ws_cut(ws);
}

/* ------------------------------------------------------------- receiving -- */

static void release_held(struct http_websockets *set)
{
    while (set->held_count)
        free(set->held[--set->held_count]);
    set->held_bytes = 0;
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
    if (!ws->closing && ops_of(ws)->on_batch)
        ops_of(ws)->on_batch(ws);
    release_held(ws->set);
}

/* A message that was gathered from pieces, or inflated, must outlive the next
 * one: owners look at a batch as a whole. But one read may inflate to a
 * thousand times its size, so a batch ends early when it holds much. */
static void on_gathered(struct http_websocket *ws, const struct ws_message *m)
{
    struct http_websockets *set = ws->set;
    uint8_t *memory = ws_reader_take(ws->reader);
    bool held = hold(set, memory);

    set->held_bytes += m->n;
    ops_of(ws)->on_message(ws, m);
    if (!held || set->held_bytes > HTTP_WS_HELD_MAX)
        end_batch(ws);
    if (!held)
        free(memory);
}

static void tell_end(struct http_websocket *ws,
                     const struct http_websocket_end *end)
{
    if (ws->closing)
        return;
    ws->closing = true;
    ops_of(ws)->on_close(ws, end);
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

static void put_pong(struct http_websocket *ws, sio_str data)
{
    ws->pong_bytes += 2 + (uint32_t)data.n;
    put_frame(ws, WS_PONG, data);
}

/* To be answered when all is written. Out of memory it is not answered. */
static void put_off(struct http_websocket *ws, sio_str data)
{
    if (!ws->late_ping)
        ws->late_ping = malloc(1 + PING_MAX);
    if (!ws->late_ping)
        return;
    ws->late_ping[0] = (uint8_t)data.n;
    if (data.n)
        memcpy(ws->late_ping + 1, data.p, data.n);
}

/* RFC 6455 5.5.3 lets us answer only the latest of many pings: that is all that
 * a peer gets who sends them and does not read. */
static void on_ping(struct http_websocket *ws, sio_str data)
{
    if (ws->closing)
        return;
    if (ws->pong_bytes < HTTP_WS_PONG_MAX)
        put_pong(ws, data);
    else
        put_off(ws, data);
}

static void on_message(struct http_websocket *ws, const struct ws_message *m)
{
    switch (m->type) {
    case WS_MSG_CLOSE:
    case WS_MSG_ERROR:
        on_final(ws, m);
        break;
    case WS_MSG_PING:
        on_ping(ws, (sio_str){ (char *)m->data, m->n });
        break;
    case WS_MSG_PONG:
        start_heartbeat(ws);
        break;
    case WS_MSG_TEXT:
    case WS_MSG_BINARY:
        if (ws->closing)
            break; /* whatever comes before the peer's close frame */
        if (m->gathered)
            on_gathered(ws, m);
        else
            ops_of(ws)->on_message(ws, m);
        break;
    default:
        break;
    }
}

static void init_reader(struct http_websockets *set)
{
    ws_reader_init(&set->reader, WS_SERVER, set->options.max_message);
    set->reader.max_fragments = set->options.max_fragments;
}

static void read_all(struct http_websocket *ws, uint8_t *data, size_t len)
{
    struct ws_message m;
    size_t used = 0;

    for (;;) {
        used += ws_read(ws->reader, data + used, len - used, &m);
        if (m.type == WS_MSG_MORE)
            break;
        on_message(ws, &m);
        if (!ws->conn)
            return; /* finished: the rest is nobody's */
    }
    end_batch(ws);
}

/* More input is unfinished than the server may hold. */
static void on_excess(struct http_websocket *ws)
{
    if (!ws->closing) {
        put_close(ws, WS_CLOSE_TRY_AGAIN_LATER, STR(""));
        tell_end(ws, &(struct http_websocket_end){
                         .code = WS_CLOSE_TRY_AGAIN_LATER,
                         .why = "too much input is unfinished" });
    }
    ws_finish(ws);
}

/* One that takes up where the last input has ended. */
static void take_reader(struct http_websocket *ws)
{
    struct ws_reader *shared = &ws->set->reader;

    if (ws->reader)
        return;
    ws_reader_inflate(shared, ws->deflate ? &ws->deflate->in : NULL);
    ws->reader = shared;
}

/* What is unfinished is kept until more input comes. False: out of memory. */
static bool keep_reader(struct http_websocket *ws)
{
    struct ws_reader *shared = &ws->set->reader;

    ws->reader = malloc(sizeof *ws->reader);
    if (ws->reader)
        *ws->reader = *shared;
    else
        ws_reader_free(shared);
    init_reader(ws->set);
    return ws->reader != NULL;
}

static bool give_reader(struct http_websocket *ws)
{
    struct ws_reader *r = ws->reader, *shared = &ws->set->reader;
    bool idle = ws_reader_idle(r);

    if (ws->conn && !idle)
        return r != shared || keep_reader(ws);
    if (r != shared) {
        drop_reader(ws);
        return true;
    }
    ws->reader = NULL;
    if (r->parts.data)
        ws_reader_free(r);
    if (!idle)
        init_reader(ws->set);
    return true;
}

static size_t on_data(void *self, uint8_t *data, size_t len)
{
    struct http_websocket *ws = self;
    size_t before;
    bool fits;

    take_reader(ws);
    before = ws->reader->parts.cap;
    ws->reading = true;
    read_all(ws, data, len);
    ws->reading = false;
    if (!give_reader(ws)) {
        on_final(ws, &(struct ws_message){ .type = WS_MSG_ERROR,
                                           .code = WS_CLOSE_INTERNAL_ERROR,
                                           .why = "out of memory" });
        return len;
    }
    fits = http_unfinished(ws->set->server, before,
                           ws->reader ? ws->reader->parts.cap : 0);
    if (!fits && ws->conn)
        on_excess(ws);
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
                                      .slow = why == NET_CLOSE_OVERFLOW,
                                      .code = WS_CLOSE_ABNORMAL,
                                      .why = net_close_reason_text(why) };

    tell_end(ws, &end);
    ws_unlink(ws);
}

static void on_drained(void *self)
{
    struct http_websocket *ws = self;
    uint8_t *late = ws->late_ping;

    ws->pong_bytes = 0;
    ws->late_ping = NULL;
    if (late && !ws->closing)
        put_pong(ws, (sio_str){ (char *)late + 1, late[0] });
    else if (!ws->closing && ws->tells_drained)
        ops_of(ws)->on_drained(ws);
    free(late);
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
                                     .close = true,
                                     .bare = true });
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

struct upgrade {
    sio_str key, subprotocol, extension;
    const struct http_field *more;
    size_t count;
};

static struct net_conn *switch_protocols(struct http_exchange *ex,
                                         const struct upgrade *u)
{
    char accept[WS_ACCEPT_LEN];
    struct http_field fields[FIELDS_MAX];
    size_t n = 0;

    ws_handshake_accept(u->key, accept);
    fields[n++] = (struct http_field){ STR("Upgrade"), STR("websocket") };
    fields[n++] = (struct http_field){ STR("Connection"), STR("Upgrade") };
    fields[n++] = (struct http_field){ STR("Sec-WebSocket-Accept"),
                                       { accept, sizeof accept } };
    if (u->subprotocol.n)
        fields[n++] = (struct http_field){ STR("Sec-WebSocket-Protocol"),
                                           u->subprotocol };
    if (u->extension.n)
        fields[n++] = (struct http_field){ STR("Sec-WebSocket-Extensions"),
                                           u->extension };
    for (size_t i = 0; i < u->count && n < FIELDS_MAX; i++)
        fields[n++] = u->more[i];
    return http_upgrade(ex, fields, n);
}

static void ws_open(struct http_websockets *set, struct http_websocket *ws,
                    struct http_server *server, struct net_conn *conn,
                    struct http_deflate *deflate)
{
    *ws =
        (struct http_websocket){ .set = set, .conn = conn, .deflate = deflate };
    net_timer_init(&ws->timeout);
    list_append(&set->list, &ws->node);
    set->count++;
    set->server = server;
    net_conn_set_ops(conn, &conn_ops, ws);
    start_heartbeat(ws);
}

int http_websocket_accept(struct http_websockets *set, struct http_exchange *ex,
                          struct http_websocket *ws, sio_str subprotocol,
                          const struct http_field *fields, size_t field_count)
{
    const struct http_request *r = ex->request;
    struct ws_handshake h = {
        .is_get = str_eq(r->method, STR("GET")),
        .upgrade = http_field_value(r, STR("upgrade")),
        .key = http_field_value(r, STR("sec-websocket-key")),
        .version = http_field_value(r, STR("sec-websocket-version")),
        .protocol = http_field_value(r, STR("sec-websocket-protocol")),
    };
    struct http_server *server = ex->connection->server;
    struct upgrade u = { .key = h.key, .more = fields, .count = field_count };
    enum ws_handshake_result verdict = ws_handshake_check(&h, &u.subprotocol);
    struct http_deflate *deflate;
    struct net_conn *conn;
    struct grow extension;

    if (verdict != WS_HANDSHAKE_OK) {
        refuse(ex, verdict);
        return SIO_E_INVAL;
    }
    if (subprotocol.p)
        u.subprotocol = subprotocol;
    grow_init(&extension, EXTENSION_MAX);
    if (http_deflate_agree(&set->deflate, r, &deflate, &extension) < 0) {
        http_respond_text(ex, 400, WS_EXTENSION_REFUSED, true);
        grow_free(&extension);
        return SIO_E_INVAL;
    }
    u.extension = grow_str(&extension);
    conn = switch_protocols(ex, &u);
    grow_free(&extension);
    if (!conn) {
        http_deflate_free(deflate);
        return SIO_E_STATE;
    }
    ws_open(set, ws, server, conn, deflate);
    return SIO_OK;
}

void http_websockets_init(struct http_websockets *set, struct net_loop *loop,
                          const struct http_websocket_options *options)
{
    memset(set, 0, sizeof *set);
    set->loop = loop;
    set->options = *options;
    if (set->options.max_fragments == 0)
        set->options.max_fragments = WS_MAX_FRAGMENTS;
    init_reader(set);
    http_deflate_init(&set->deflate, &options->deflate);
    list_init(&set->list);
    net_timer_queue_init(&set->pings, loop, options->ping_interval_ms,
                         ping_due);
    net_timer_queue_init(&set->pongs, loop, options->ping_timeout_ms,
                         pong_missing);
    net_timer_queue_init(&set->closes, loop, HTTP_WS_CLOSE_MS, close_timed_out);
}

void http_websockets_destroy(struct http_websockets *set)
{
    list_for_each_safe(it, next, &set->list)
        ws_cut(container_of(it, struct http_websocket, node));
    net_timer_queue_close(&set->pings);
    net_timer_queue_close(&set->pongs);
    net_timer_queue_close(&set->closes);
    release_held(set);
    http_deflate_destroy(&set->deflate);
    free(set->held);
    set->held = NULL;
    set->held_cap = 0;
}
