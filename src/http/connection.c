/*
 * connection.c -- one HTTP connection: receives requests, keeps their exchanges
 * in order, watches the time, ends.
 *
 * A request is `reading` until its last byte is there, and in `exchanges` from
 * the end of its head until its answer was sent: both may be over first. After
 * every call upwards the connection may be gone (h->conn is NULL); the struct
 * itself lives until the end of the turn.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/http/connection.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

static bool alive(const struct http_connection *h)
{
    return h->conn && !h->conn->failed;
}

static struct http_exchange *first_exchange(struct http_connection *h)
{
    return list_empty(&h->exchanges)
               ? NULL
               : container_of(h->exchanges.next, struct http_exchange, node);
}

/* -------------------------------------------------------------- the ends -- */

static void held_free(struct http_connection *h)
{
    net_task_cancel(&h->held->resume);
    grow_free(&h->held->bytes);
    free(h->held);
    h->held = NULL;
}

static void connection_free(struct net_deferred *d)
{
    struct http_connection *h =
        container_of(d, struct http_connection, cleanup);

    if (h->held)
        held_free(h);
    free(h);
}

/* Out of the exchanges that wait for their turn. */
static void unlink_exchange(struct http_exchange *ex)
{
    list_remove(&ex->node);
    ex->connection->exchange_count--;
}

static void abort_exchange(struct http_exchange *ex)
{
    unlink_exchange(ex);
    if (!ex->answered) {
        ex->answered = true;
        if (ex->ops)
            ex->ops->on_aborted(ex->self, ex, ex->complete);
    }
    http_exchange_release(ex);
}

void http_connection_leave(struct http_connection *h)
{
    struct http_exchange *reading = h->reading;

    h->conn = NULL;
    h->reading = NULL;
    h->server->connection_count--;
    list_remove(&h->node);
    net_timer_stop(&h->timer);
    net_timer_stop(&h->whole);
    net_defer(h->server->loop, &h->cleanup, connection_free);
    if (reading && list_empty(&reading->node))
        http_exchange_release(reading); /* no head yet, or answered already */
    while (!list_empty(&h->exchanges))
        abort_exchange(first_exchange(h));
}

void http_connection_close(struct http_connection *h)
{
    if (!h->conn)
        return;
    net_conn_close(h->conn);
    http_connection_leave(h);
}

void http_connection_finish(struct http_connection *h)
{
    net_conn_finish(h->conn, h->server->config.linger_ms);
    http_connection_leave(h);
}

void http_connection_give_up(struct http_connection *h)
{
    h->upgraded = h->conn;
    if (h->held)
        net_task_schedule(h->server->loop, &h->held->resume);
    http_connection_leave(h);
}

/* Node's answer to what is no HTTP, if an answer would still be understood as
 * one to this request, and the end. */
static void refuse(struct http_connection *h, int status, const char *why)
{
    struct http_server *s = h->server;
    struct http_exchange *first = first_exchange(h);
    bool answered = h->reading && h->reading->answered;

    if (!answered && (!first || first == h->reading))
        http_send_refusal(h->conn, status);
    s->ops->on_refused(s->self, &h->conn->peer, status, why);
    if (h->conn)
        http_connection_finish(h);
}

static void out_of_memory(struct http_connection *h)
{
    net_conn_fail(h->conn, NET_CLOSE_NOMEM);
}

/* ------------------------------------------------------------------ time -- */

void http_head_timed_out(struct net_timer *timer)
{
    refuse(container_of(timer, struct http_connection, timer), 408,
           "the head took too long");
}

void http_request_timed_out(struct net_timer *timer)
{
    refuse(container_of(timer, struct http_connection, whole), 408,
           "the request took too long");
}

void http_idle_timed_out(struct net_timer *timer)
{
    http_connection_finish(container_of(timer, struct http_connection, timer));
}

/* The TLS handshake must be over; the first request has its own time. */
void http_tls_timed_out(struct net_timer *timer)
{
    struct http_connection *h =
        container_of(timer, struct http_connection, timer);

    if (net_tls_handshaking(h->conn))
        net_tls_timed_out(h->conn);
    else
        net_timer_start(&h->server->head_timeouts, timer);
}

/* What waits is likely to go on waiting: let it do so in little memory. Out of
 * memory it stays as it is. */
void http_park(struct net_timer *timer)
{
    struct http_connection *h =
        container_of(timer, struct http_connection, timer);

    list_for_each_safe(it, next, &h->exchanges)
    {
        struct http_exchange *ex = container_of(it, struct http_exchange, node);

        if (ex->patient && ex->complete && !ex->answered && !ex->kept)
            http_exchange_park(ex);
    }
}

static enum http_phase phase_of(const struct http_connection *h)
{
    if (h->reading)
        return http_intake_of(h->reading)->in_body ? HTTP_BODY : HTTP_HEAD;
    if (h->exchange_count)
        return HTTP_BUSY;
    return h->held ? HTTP_HEAD : HTTP_IDLE;
}

/* Let the timers watch what the connection does now. */
static void watch(struct http_connection *h)
{
    struct http_server *s = h->server;
    enum http_phase phase = phase_of(h);

    if (phase == h->phase)
        return;
    h->phase = (uint8_t)phase;
    net_timer_stop(&h->timer);
    if (phase == HTTP_HEAD)
        net_timer_start(&s->head_timeouts, &h->timer);
    else if (phase == HTTP_IDLE)
        net_timer_start(&s->idle_timeouts, &h->timer);
    else if (phase == HTTP_BUSY)
        net_timer_start(&s->parks, &h->timer);
    if (phase == HTTP_BUSY || phase == HTTP_IDLE)
        net_timer_stop(&h->whole);
    else if (!net_timer_running(&h->whole))
        net_timer_start(&s->request_timeouts, &h->whole);
}

/* A request begins: its times count from here. */
static void watch_anew(struct http_connection *h)
{
    h->phase = HTTP_NEW;
    net_timer_stop(&h->timer);
    net_timer_stop(&h->whole);
}

/* -------------------------------------------------------------- answers -- */

/* "100 Continue", once the handler has not refused and all before is sent. */
static void let_continue(struct http_exchange *ex)
{
    if (!ex->must_continue || ex->answered || ex->too_large ||
        !http_is_first(ex))
        return;
    ex->must_continue = false;
    net_conn_append(ex->connection->conn, "HTTP/1.1 100 Continue\r\n\r\n", 25);
}

/* An answer that had to wait for those before it. */
static void send_waiting(struct net_conn *conn, struct http_exchange *ex)
{
    if (ex->response)
        net_conn_append_buf(conn, ex->response);
    if (ex->shared)
        net_conn_append_buf(conn, ex->shared);
}

/* Bytes of output that the client has ordered and not read yet. */
static size_t output_of(const struct http_connection *h)
{
    size_t n = h->conn->queued;

    list_for_each_safe(it, next, &h->exchanges)
    {
        struct http_exchange *ex = container_of(it, struct http_exchange, node);

        n += ex->response ? ex->response->len : 0;
        n += ex->shared ? ex->shared->len : 0;
    }
    return n;
}

/* Must what comes next wait? */
static bool blocked(const struct http_connection *h)
{
    if (h->target)
        return true;
    return !h->reading &&
           (h->switching ||
            h->exchange_count >= h->server->config.max_pipeline ||
            output_of(h) > HTTP_OUTPUT_HIGH);
}

static void unblock(struct http_connection *h)
{
    if (h->held && (h->target ? http_may_move(h) : !blocked(h)))
        net_task_schedule(h->server->loop, &h->held->resume);
}

void http_connection_advance(struct http_connection *h)
{
    struct http_exchange *ex;

    while ((ex = first_exchange(h)) && ex->answered) {
        bool close = ex->close_after;

        send_waiting(h->conn, ex);
        ex->sent = true;
        unlink_exchange(ex);
        if (ex != h->reading)
            http_exchange_release(ex);
        if (close) {
            http_connection_finish(h);
            return;
        }
    }
    if (ex)
        let_continue(ex);
    unblock(h);
    if (!h->feeding)
        watch(h);
}

/* ------------------------------------------------------------- requests -- */

/* The request has arrived whole, with body[0..n). */
static void complete(struct http_connection *h, char *body, size_t n)
{
    struct http_exchange *ex = h->reading;

    ex->complete = true;
    if (!ex->answered && !ex->too_large && ex->ops->on_body)
        ex->ops->on_body(ex->self, ex, body, n);
    if (!h->conn)
        return;
    h->reading = NULL;
    if (ex->sent)
        http_exchange_release(ex);
}

static void too_large(struct http_exchange *ex)
{
    struct grow *body = &http_intake_of(ex)->body;

    ex->too_large = true;
    http_unfinished(ex->connection->server, body->cap, 0);
    grow_free(body);
    if (ex->ops->on_too_large)
        ex->ops->on_too_large(ex->self, ex);
}

int http_keep_body(struct http_exchange *ex, const char *body, size_t n)
{
    struct grow *kept = &http_intake_of(ex)->body;
    size_t before = kept->cap;
    int r;

    if (n == 0 || body == (const char *)kept->data)
        return SIO_OK; /* it is there already */
    r = grow_append(kept, body, n);
    if (r < 0)
        return r;
    return http_unfinished(ex->connection->server, before, kept->cap)
               ? SIO_OK
               : SIO_E_LIMIT;
}

void http_take_body(struct http_exchange *ex)
{
    const struct grow *body = &http_intake_of(ex)->body;

    if (ex->too_large)
        ex->ops->on_too_large(ex->self, ex);
    else if (ex->complete)
        ex->ops->on_body(ex->self, ex, (char *)body->data, body->len);
}

/* The handler has seen the head: get it the body, if it wants that. */
static void begin_body(struct http_connection *h)
{
    struct http_exchange *ex = h->reading;
    struct http_intake *in = http_intake_of(ex);
    bool empty = !in->framing.chunked && in->framing.length == 0;

    if (!ex->answered) {
        assert(ex->ops);
        in->body.max = ex->max_body;
        if (in->framing.length > ex->max_body)
            too_large(ex);
        else if (!empty)
            let_continue(ex);
    }
    if (h->conn && empty)
        complete(h, NULL, 0);
}

static int parse(struct http_connection *h, struct http_intake *in,
                 const char **why)
{
    /* Neither the request line nor the empty line is a field. */
    size_t fields = in->scan.lines - 2;

    if (fields > h->server->config.max_fields) {
        *why = "too many fields";
        return 431;
    }
    if (fields > in->field_cap) {
        struct http_field *more = realloc(in->fields, fields * sizeof *more);

        if (!more)
            return -1;
        in->fields = more;
        in->field_cap = fields;
    }
    return http_parse_head((char *)in->head.data, in->head.len, in->fields,
                           &in->request, &in->framing, why);
}

static void begin_request(struct http_connection *h)
{
    struct http_server *s = h->server;
    struct http_exchange *ex = h->reading;
    struct http_intake *in = http_intake_of(ex);
    const char *why = NULL;
    int status = parse(h, in, &why);

    if (status > 0)
        refuse(h, status, why);
    else if (status < 0)
        out_of_memory(h);
    if (status)
        return;
    ex->request->secure = h->conn->tls != NULL;
    ex->request->certificate = net_tls_certificate(h->conn);
    ex->later = h->used && !h->moved;
    h->used = true;
    h->moved = false;
    h->target = s->ops->route ? s->ops->route(s->self, ex) : NULL;
    if (h->target)
        return;
    in->in_body = true;
    in->body_left = in->framing.length;
    in->chunked = (struct http_chunked){ 0 };
    in->dropped = 0;
    h->last = !ex->request->keep_alive;
    h->switching = ex->request->upgrade;
    ex->must_continue = in->framing.must_continue;
    list_append(&h->exchanges, &ex->node);
    h->exchange_count++;
    s->ops->on_request(s->self, ex);
    if (h->conn)
        begin_body(h);
}

/* -------------------------------------------------------------- reading -- */

/* Between requests: skip empty lines (RFC 9112 2.2), then begin one. */
static size_t read_start(struct http_connection *h, const uint8_t *p, size_t n)
{
    size_t used = 0;

    if (h->last)
        return n;
    while (used < n && (p[used] == '\r' || p[used] == '\n'))
        used++;
    if (used == n)
        return n;
    watch_anew(h);
    h->reading = http_exchange_new(h);
    if (!h->reading)
        out_of_memory(h);
    return used;
}

static size_t read_head(struct http_connection *h, const uint8_t *p, size_t n)
{
    struct http_intake *in = http_intake_of(h->reading);
    size_t room = h->server->config.max_head - in->head.len;

    /* One byte more than allowed tells that the head is too long. */
    n = http_scan(&in->scan, p, n < room + 1 ? n : room + 1);
    if (in->scan.bad)
        refuse(h, 400, "malformed head");
    else if (n > room)
        refuse(h, 431, "head too long");
    else if (grow_append(&in->head, p, n) < 0)
        out_of_memory(h);
    else if (in->scan.done)
        begin_request(h);
    return n;
}

/* A piece of the body. */
static void take(struct http_connection *h, const void *p, size_t n)
{
    struct http_exchange *ex = h->reading;
    struct http_intake *in = http_intake_of(ex);
    size_t before = in->body.cap;
    int r;

    if (ex->answered || ex->too_large) {
        in->dropped += n;
        if (in->dropped > HTTP_DROP_MAX && ex->sent)
            http_connection_finish(h);
        return;
    }
    r = grow_append(&in->body, p, n);
    if (r == SIO_E_LIMIT)
        too_large(ex);
    else if (r < 0)
        out_of_memory(h);
    else if (!http_unfinished(h->server, before, in->body.cap))
        refuse(h, 503, "too much input is unfinished");
}

static size_t read_sized(struct http_connection *h, uint8_t *p, size_t n)
{
    struct http_intake *in = http_intake_of(h->reading);

    if (n > in->body_left)
        n = (size_t)in->body_left;
    in->body_left -= n;
    if (in->body_left == 0 && in->body.len == 0) {
        complete(h, (char *)p, n); /* in one piece: where it lies */
        return n;
    }
    take(h, p, n);
    if (alive(h) && in->body_left == 0)
        complete(h, (char *)in->body.data, in->body.len);
    return n;
}

static size_t read_chunked(struct http_connection *h, uint8_t *p, size_t n)
{
    struct http_intake *in = http_intake_of(h->reading);
    uint8_t *at = p;
    sio_str data;

    switch (http_chunked_next(&in->chunked, &at, p + n, &data)) {
    case HTTP_CHUNKED_MORE:
        break;
    case HTTP_CHUNKED_DATA:
        take(h, data.p, data.n);
        break;
    case HTTP_CHUNKED_END:
        complete(h, (char *)in->body.data, in->body.len);
        break;
    case HTTP_CHUNKED_BAD:
        refuse(h, 400, "malformed chunk");
        break;
    }
    return (size_t)(at - p);
}

static size_t read_some(struct http_connection *h, uint8_t *p, size_t n)
{
    const struct http_intake *in;

    if (!h->reading)
        return read_start(h, p, n);
    in = http_intake_of(h->reading);
    if (!in->in_body)
        return read_head(h, p, n);
    return in->framing.chunked ? read_chunked(h, p, n) : read_sized(h, p, n);
}

/* Read as far as it goes; returns how far. */
static size_t feed(struct http_connection *h, uint8_t *data, size_t len)
{
    size_t used = 0;

    h->feeding = true;
    while (used < len && alive(h) && !blocked(h))
        used += read_some(h, data + used, len - used);
    h->feeding = false;
    return used;
}

static void on_resume(struct net_task *task);

static int hold(struct http_connection *h, const uint8_t *p, size_t n)
{
    struct http_held *held = calloc(1, sizeof *held);

    if (!held)
        return SIO_E_NOMEM;
    held->connection = h;
    net_task_init(&held->resume, on_resume);
    grow_init(&held->bytes, NET_INPUT_SIZE);
    h->held = held;
    return grow_append(&held->bytes, p, n);
}

static size_t on_data(void *self, uint8_t *data, size_t len)
{
    struct http_connection *h = self;
    size_t used = feed(h, data, len);

    if (!alive(h))
        return used; /* what is left is for the new owner, if there is one */
    if (h->target && http_may_move(h)) {
        if (http_move(h, data + used, len - used) < 0)
            out_of_memory(h);
        return len;
    }
    if (used < len || h->target) {
        net_conn_pause(h->conn);
        if (hold(h, data + used, len - used) < 0)
            out_of_memory(h);
    }
    watch(h);
    return len;
}

/* Go on with what had to wait. Reading is paused until nothing is left of it,
 * also when the connection speaks another protocol by now. */
static void on_resume(struct net_task *task)
{
    struct http_held *held = container_of(task, struct http_held, resume);
    struct http_connection *h = held->connection;
    uint8_t *data = held->bytes.data + held->at;
    size_t len = held->bytes.len - held->at;
    size_t used = h->conn ? feed(h, data, len) : 0;

    held->at += used;
    if (alive(h) && h->target) {
        if (http_may_move(h) && http_move(h, data + used, len - used) < 0)
            out_of_memory(h);
    } else if (h->upgraded) {
        net_task_cancel(task); /* feed() may have scheduled it anew */
        net_conn_resume(h->upgraded);
        net_conn_feed(h->upgraded, data + used, len - used);
    } else if (!alive(h)) {
        return;
    } else if (used < len) {
        unblock(h);
        watch(h);
    } else {
        held_free(h);
        net_conn_resume(h->conn);
        watch(h);
    }
}

/* ----------------------------------------------------- of the net_conn -- */

static void on_end(void *self)
{
    http_connection_finish(self);
}

static void on_closed(void *self, enum net_close_reason why)
{
    (void)why;
    http_connection_leave(self);
}

static void on_drained(void *self)
{
    unblock(self);
}

const struct net_conn_ops http_conn_ops = {
    .on_data = on_data,
    .on_end = on_end,
    .on_closed = on_closed,
    .on_drained = on_drained,
};

/* The connection below `h`; fd is its own, or closed. */
static int open_conn(struct http_connection *h, struct http_server *s, int fd,
                     const struct net_address *peer, sio_tls *tls)
{
    int r = net_conn_open(s->loop, fd, peer, s->config.max_queued,
                          &http_conn_ops, h, &h->conn);

    if (r < 0) {
        close(fd);
        return r;
    }
    r = tls ? net_tls_start(h->conn, tls) : SIO_OK;
    if (r < 0)
        net_conn_close(h->conn);
    return r;
}

int http_accept(struct http_server *s, int fd, const struct net_address *peer)
{
    return http_accept_tls(s, fd, peer, NULL);
}

struct http_connection *http_connection_new(struct http_server *s)
{
    struct http_connection *h = calloc(1, sizeof *h);

    if (!h)
        return NULL;
    h->server = s;
    list_init(&h->exchanges);
    net_timer_init(&h->timer);
    net_timer_init(&h->whole);
    return h;
}

/* The first request may not take longer to begin than a head to arrive. */
void http_connection_begin(struct http_connection *h)
{
    struct http_server *s = h->server;
    bool shakes = net_tls_handshaking(h->conn);

    list_append(&s->connections, &h->node);
    s->connection_count++;
    h->phase = HTTP_HEAD;
    net_timer_start(shakes ? &s->tls_timeouts : &s->head_timeouts, &h->timer);
}

int http_accept_tls(struct http_server *s, int fd,
                    const struct net_address *peer, sio_tls *tls)
{
    struct http_connection *h = http_connection_new(s);
    int r;

    if (!h) {
        close(fd);
        return SIO_E_NOMEM;
    }
    r = open_conn(h, s, fd, peer, tls);
    if (r < 0)
        free(h);
    else
        http_connection_begin(h);
    return r;
}
