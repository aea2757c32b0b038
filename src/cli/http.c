/*
 * http.c -- see http.h.
 *
 * A server may close a connection that is kept open at any time, so a request
 * that was lost on such a one, before any byte of an answer, is repeated once
 * on a new one (RFC 9112 9.3.1 allows it for GET; a POST that a server has not
 * answered at all it has, as a rule, not read either).
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/cli/http.h"

#include <stdio.h>

static const struct cli_wire_ops wire_ops;

static void fail(struct cli_http *http, const char *why)
{
    cli_wire_close(&http->wire);
    http->up = false;
    http->busy = false;
    http->ops->on_failed(http->self, why);
}

static bool send_request(struct cli_http *http)
{
    char more[80] = "";

    if (http->post)
        snprintf(more, sizeof more,
                 "Content-Type: text/plain;charset=UTF-8\r\n"
                 "Content-Length: %zu\r\n",
                 http->body.len);
    if (!cli_request(http->wire.conn, http->target, http->post ? "POST" : "GET",
                     "polling", http->sid, more))
        return false;
    if (http->post && http->body.len)
        net_conn_append(http->wire.conn, http->body.data, http->body.len);
    return true;
}

static int dial(struct cli_http *http)
{
    return cli_wire_open(&http->wire, http->loop, http->target, &wire_ops,
                         http);
}

static void on_up(void *self)
{
    struct cli_http *http = self;

    http->up = true;
    if (http->busy && !send_request(http))
        fail(http, "the request is too long");
}

/* ------------------------------------------------------------------ replies */

static void replied(struct cli_http *http, sio_str body, size_t used,
                    bool ended)
{
    struct grow in = http->in; /* the body is in it */
    unsigned status = http->reply.status;

    grow_init(&http->in, http->in.max);
    if (used < in.len)
        ended = true; /* more than was asked for: start afresh */
    if (ended || http->reply.close) {
        cli_wire_close(&http->wire);
        http->up = false;
    }
    http->busy = http->have_head = false;
    /* The memory is used again, unless the callback has begun something. */
    http->ops->on_reply(http->self, status, (char *)in.data, body.n);
    if (http->in.data || !http->loop) {
        grow_free(&in);
        return;
    }
    in.len = 0;
    http->in = in;
}

/* Drop the head, so that the body begins where the memory does. */
static int read_head(struct cli_http *http)
{
    int r = cli_reply_head(grow_str(&http->in), &http->reply);

    if (r != 1)
        return r;
    if (http->reply.length > (int64_t)http->in.max)
        return SIO_E_INVAL;
    http->in.len -= http->reply.head;
    memmove(http->in.data, http->in.data + http->reply.head, http->in.len);
    http->have_head = true;
    return 1;
}

static void advance(struct cli_http *http, bool ended)
{
    sio_str body;
    size_t used;
    int r = http->have_head ? 1 : read_head(http);

    if (r == 1)
        r = cli_reply_body(&http->reply, (char *)http->in.data, http->in.len,
                           ended, &body, &used);
    if (r < 0)
        fail(http, "the server's answer is no valid HTTP, or too long");
    else if (r == 1)
        replied(http, body, used, ended);
    else if (ended)
        fail(http, "the connection was closed amid an answer");
}

static void on_data(void *self, uint8_t *data, size_t n)
{
    struct cli_http *http = self;

    if (!http->busy) { /* a 408, say, of a server that closes it */
        cli_wire_close(&http->wire);
        http->up = false;
    } else if (grow_append(&http->in, data, n) != SIO_OK) {
        fail(http, "the server's answer is too long");
    } else {
        advance(http, false);
    }
}

static void on_down(void *self, const char *why)
{
    struct cli_http *http = self;

    http->up = false;
    if (!http->busy)
        return;
    if (http->reused && !http->in.len && !http->have_head) {
        http->reused = false;
        if (dial(http) != SIO_OK)
            fail(http, "out of memory");
    } else if (http->in.len || http->have_head) {
        advance(http, true);
    } else {
        fail(http, why);
    }
}

static const struct cli_wire_ops wire_ops = { on_up, on_data, on_down };

/* ----------------------------------------------------------------- requests */

void cli_http_init(struct cli_http *http, struct net_loop *loop,
                   const struct cli_target *target,
                   const struct cli_http_ops *ops, void *self)
{
    memset(http, 0, sizeof *http);
    http->loop = loop;
    http->target = target;
    http->ops = ops;
    http->self = self;
    grow_init(&http->in, target->max_message + CLI_HEAD_MAX);
    grow_init(&http->body, SIZE_MAX);
}

int cli_http_request(struct cli_http *http, const char *sid,
                     const struct grow *body)
{
    int r = SIO_OK;

    http->sid = sid;
    http->post = body != NULL;
    http->body.len = 0;
    if (body)
        r = grow_append(&http->body, body->data, body->len);
    if (r != SIO_OK)
        return r;
    http->in.len = 0;
    http->have_head = false;
    http->reused = http->up;
    if (!http->up)
        r = dial(http);
    else if (!send_request(http))
        r = SIO_E_LIMIT;
    http->busy = r == SIO_OK;
    return r;
}

void cli_http_finish(struct cli_http *http, const char *sid, sio_str body)
{
    if (http->up) {
        http->sid = sid;
        http->post = true;
        http->body.len = 0;
        if (grow_append(&http->body, body.p, body.n) == SIO_OK)
            send_request(http);
    }
    cli_wire_finish(&http->wire, 1000);
    cli_http_drop(http);
}

void cli_http_drop(struct cli_http *http)
{
    cli_wire_close(&http->wire);
    http->up = http->busy = false;
    http->loop = NULL;
    grow_free(&http->in);
    grow_free(&http->body);
}
