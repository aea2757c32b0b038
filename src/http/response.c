/*
 * response.c -- answers: rendered straight into the connection's output, or
 * into a buffer where answers to earlier requests have to leave first.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/http/connection.h"

#include "protocol/base/decimal.h"

#include <assert.h>

#define INLINE_BODY 1024 /* bytes: longer ones are appended on their own */
#define FIXED_MAX 256    /* bytes of a head without its variable parts */

/* clang-format off */
#define STATUSES(X)                                                         \
    X(101, "Switching Protocols") X(200, "OK") X(201, "Created")            \
    X(202, "Accepted") X(204, "No Content") X(206, "Partial Content")       \
    X(301, "Moved Permanently") X(302, "Found") X(303, "See Other")         \
    X(304, "Not Modified") X(307, "Temporary Redirect")                     \
    X(308, "Permanent Redirect") X(400, "Bad Request")                      \
    X(401, "Unauthorized") X(403, "Forbidden") X(404, "Not Found")          \
    X(405, "Method Not Allowed") X(406, "Not Acceptable")                   \
    X(408, "Request Timeout") X(409, "Conflict") X(410, "Gone")             \
    X(411, "Length Required") X(413, "Payload Too Large")                   \
    X(414, "URI Too Long") X(415, "Unsupported Media Type")                 \
    X(417, "Expectation Failed") X(422, "Unprocessable Entity")             \
    X(426, "Upgrade Required") X(429, "Too Many Requests")                  \
    X(431, "Request Header Fields Too Large")                               \
    X(500, "Internal Server Error") X(501, "Not Implemented")               \
    X(502, "Bad Gateway") X(503, "Service Unavailable")                     \
    X(504, "Gateway Timeout") X(505, "HTTP Version Not Supported")
/* clang-format on */

const char *http_status_text(int status)
{
    switch (status) {
#define X(number, text) \
    case number:        \
        return text;
        STATUSES(X)
#undef X
    default:
        return "Unknown";
    }
}

bool http_answer_valid(int status, const char *content_type)
{
    return status >= 200 && status <= 999 &&
           !(content_type && strpbrk(content_type, "\r\n"));
}

/* --------------------------------------------------------------- pieces -- */

static char *put(char *out, sio_str s)
{
    if (s.n)
        memcpy(out, s.p, s.n);
    return out + s.n;
}

static char *put_number(char *out, uint64_t number)
{
    return out + decimal_put(out, number);
}

static char *put_status(char *out, int status)
{
    out = put(out, STR("HTTP/1.1 "));
    out = put_number(out, (uint64_t)status);
    *out++ = ' ';
    out = put(out, str_of(http_status_text(status)));
    return put(out, STR("\r\n"));
}

static char *put_fields(char *out, const struct http_field *fields, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        out = put(out, fields[i].name);
        out = put(out, STR(": "));
        out = put(out, fields[i].value);
        out = put(out, STR("\r\n"));
    }
    return out;
}

static sio_str added_fields(const struct http_exchange *ex)
{
    return (sio_str){ ex->added, ex->added_size };
}

static size_t fields_size(const struct http_field *fields, size_t n)
{
    size_t size = 0;

    for (size_t i = 0; i < n; i++)
        size += fields[i].name.n + fields[i].value.n + 4;
    return size;
}

/* ----------------------------------------------------------------- Date -- */

static char *put_two(char *out, int number)
{
    *out++ = (char)('0' + number / 10 % 10);
    *out++ = (char)('0' + number % 10);
    return out;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 5.6.7), in no locale's words. */
static char *put_time(char *out, time_t t)
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct tm tm = { 0 };

    gmtime_r(&t, &tm);
    out = put(out, (sio_str){ days + 3 * tm.tm_wday, 3 });
    out = put(out, STR(", "));
    out = put_two(out, tm.tm_mday);
    *out++ = ' ';
    out = put(out, (sio_str){ months + 3 * tm.tm_mon, 3 });
    *out++ = ' ';
    out = put_two(out, (tm.tm_year + 1900) / 100);
    out = put_two(out, tm.tm_year + 1900);
    *out++ = ' ';
    out = put_two(out, tm.tm_hour);
    *out++ = ':';
    out = put_two(out, tm.tm_min);
    *out++ = ':';
    out = put_two(out, tm.tm_sec);
    return put(out, STR(" GMT"));
}

size_t http_time_text(time_t t, char out[HTTP_TIME_TEXT])
{
    return (size_t)(put_time(out, t) - out);
}

/* The field, spelled anew once a second. */
static sio_str date_field(struct http_server *s)
{
    enum { LENGTH = sizeof "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n" - 1 };
    struct timespec now;

    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    if (now.tv_sec != s->date_s) {
        s->date_s = now.tv_sec;
        put(put_time(put(s->date, STR("Date: ")), now.tv_sec), STR("\r\n"));
    }
    return (sio_str){ s->date, LENGTH };
}

/* ----------------------------------------------------------- the answer -- */

/* Where the bytes of an answer go. NULL: the connection has failed. */
static char *begin_output(struct http_exchange *ex, size_t most)
{
    struct net_conn *conn = ex->connection->conn;

    if (http_is_first(ex))
        return net_conn_reserve(conn, most);
    ex->response = buf_alloc(most);
    if (ex->response)
        return (char *)ex->response->data;
    net_conn_fail(conn, NET_CLOSE_NOMEM);
    return NULL;
}

static void end_output(struct http_exchange *ex, size_t used)
{
    if (ex->response)
        ex->response->len = used;
    else
        net_conn_commit(ex->connection->conn, used);
}

/* May the connection live on behind this answer? */
static bool must_close(const struct http_exchange *ex, bool wanted)
{
    const struct http_connection *h = ex->connection;
    const struct http_server *s = h->server;

    if (wanted || s->shut || s->config.keep_alive_ms == 0 ||
        !ex->request->keep_alive)
        return true;
    if (ex->complete)
        return false;
    /* The client may send the body it asked about, or not: nobody knows what
     * its next byte is. */
    return ex->must_continue || http_intake_of(ex)->body_left > HTTP_DROP_MAX;
}

/* No callback comes any more. False when there is no one left to answer. */
static bool settle(struct http_exchange *ex, bool close)
{
    struct http_connection *h = ex->connection;

    assert(!ex->answered);
    ex->answered = true;
    if (!h->conn)
        return false;
    ex->close_after = must_close(ex, close);
    if (ex->request->upgrade)
        h->switching = false;
    return true;
}

struct body {
    bool in_head; /* its length is told */
    bool present;
    sio_str bytes;
};

static struct body body_of(const struct http_exchange *ex,
                           const struct http_response *r)
{
    struct body b = { .bytes = r->body };

    if (r->shared)
        b.bytes = (sio_str){ (const char *)r->shared->data, r->shared->len };
    b.in_head = r->status >= 200 && r->status != 204 && r->status != 304;
    b.present =
        b.in_head && b.bytes.n && !str_eq(ex->request->method, STR("HEAD"));
    return b;
}

static char *put_head(char *out, struct http_exchange *ex,
                      const struct http_response *r, const struct body *b)
{
    struct http_server *s = ex->connection->server;

    out = put_status(out, r->status);
    if (r->content_type.p) {
        out = put(out, STR("Content-Type: "));
        out = put(out, r->content_type);
        out = put(out, STR("\r\n"));
    }
    if (b->in_head) {
        out = put(out, STR("Content-Length: "));
        out = put_number(out, b->bytes.n);
        out = put(out, STR("\r\n"));
    }
    out = put_fields(out, r->fields, r->field_count);
    if (!r->bare)
        out = put(out, added_fields(ex));
    out = put(out, date_field(s));
    out = put(out, ex->close_after ? STR("Connection: close\r\n")
                                   : str_of(s->keep_alive));
    return put(out, STR("\r\n"));
}

/* A body that was not put behind its head. */
static void send_body(struct http_exchange *ex, const struct http_response *r)
{
    struct net_conn *conn = ex->connection->conn;

    if (!http_is_first(ex)) {
        ex->shared =
            r->shared ? buf_ref(r->shared) : buf_new(r->body.p, r->body.n);
        if (!ex->shared)
            net_conn_fail(conn, NET_CLOSE_NOMEM);
    } else if (r->shared) {
        net_conn_append_buf(conn, r->shared);
    } else {
        net_conn_append(conn, r->body.p, r->body.n);
    }
}

void http_respond(struct http_exchange *ex, const struct http_response *r)
{
    struct body b = body_of(ex, r);
    bool joined = b.present && b.bytes.n <= INLINE_BODY;
    size_t most = FIXED_MAX + r->content_type.n +
                  fields_size(r->fields, r->field_count) + ex->added_size +
                  (joined ? b.bytes.n : 0);
    char *start, *end;

    if (!settle(ex, r->close))
        return;
    start = begin_output(ex, most);
    if (start) {
        end = put_head(start, ex, r, &b);
        if (joined)
            end = put(end, b.bytes);
        end_output(ex, (size_t)(end - start));
        if (b.present && !joined)
            send_body(ex, r);
    }
    http_connection_advance(ex->connection);
}

void http_respond_text(struct http_exchange *ex, int status, const char *text,
                       bool close)
{
    sio_str body = str_of(text);
    char *start, *end;

    if (!close) {
        http_respond(ex,
                     &(struct http_response){ .status = status,
                                              .content_type = STR("text/html"),
                                              .body = body });
        return;
    }
    if (!settle(ex, true))
        return;
    start = begin_output(ex, FIXED_MAX + body.n);
    if (start) {
        end = put_status(start, status);
        end = put(end, STR("Connection: close\r\nContent-type: text/html\r\n"
                           "Content-Length: "));
        end = put_number(end, body.n);
        end = put(end, STR("\r\n\r\n"));
        end = put(end, body);
        end_output(ex, (size_t)(end - start));
    }
    http_connection_advance(ex->connection);
}

void http_send_refusal(struct net_conn *conn, int status)
{
    char *start = net_conn_reserve(conn, FIXED_MAX), *end;

    if (!start)
        return;
    end = put_status(start, status);
    end = put(end, STR("Connection: close\r\n\r\n"));
    net_conn_commit(conn, (size_t)(end - start));
}

struct net_conn *http_upgrade(struct http_exchange *ex,
                              const struct http_field *fields,
                              size_t field_count)
{
    struct http_connection *h = ex->connection;
    struct net_conn *conn = h->conn;
    char *start, *end;

    if (!conn || !http_is_first(ex)) {
        http_respond_text(ex, 400, http_status_text(400), true);
        return NULL;
    }
    settle(ex, false);
    start = net_conn_reserve(
        conn, FIXED_MAX + fields_size(fields, field_count) + ex->added_size);
    if (start) {
        end = put_status(start, 101);
        end = put_fields(end, fields, field_count);
        end = put(end, added_fields(ex));
        end = put(end, STR("\r\n"));
        net_conn_commit(conn, (size_t)(end - start));
    }
    http_connection_give_up(h);
    return conn;
}

void http_drop(struct http_exchange *ex)
{
    assert(!ex->answered);
    ex->answered = true;
    http_connection_close(ex->connection);
}

void http_hang_up(struct http_exchange *ex)
{
    assert(!ex->answered);
    ex->answered = true;
    http_connection_finish(ex->connection);
}
