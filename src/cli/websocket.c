/*
 * websocket.c -- see websocket.h.
 *
 * A callback may drop the WebSocket that it is about: after each one it is
 * looked whether there still is a connection.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/cli/websocket.h"

#include "protocol/base/base64.h"
#include "protocol/websocket/handshake.h"
#include "src/cli/reply.h"
#include "src/cli/request.h"
#include "src/net/random.h"

#include <stdio.h>
#include <string.h>

/* Xorshift: masking keeps proxies from being led astray by pages in a browser;
 * here nobody else chooses the payload. */
static uint32_t next_mask(struct cli_ws *ws)
{
    uint32_t x = ws->masks;

    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return ws->masks = x;
}

static void fail(struct cli_ws *ws, const char *why)
{
    cli_ws_drop(ws);
    ws->ops->on_closed(ws->self, why);
}

/* ----------------------------------------------------------------- sending */

static void send_frame(struct cli_ws *ws, enum ws_op op, sio_str head,
                       sio_str data)
{
    size_t n = head.n + data.n, at;
    uint8_t *frame, mask[4];
    uint32_t key;

    if (!ws->wire.conn)
        return;
    frame = net_conn_reserve(ws->wire.conn, WS_HEAD_MAX + n);
    if (!frame)
        return; /* the connection is doomed, and tells so */
    key = next_mask(ws);
    memcpy(mask, &key, sizeof mask);
    at = ws_encode_head(frame, op, n, mask);
    if (head.n)
        memcpy(frame + at, head.p, head.n);
    if (data.n)
        memcpy(frame + at + head.n, data.p, data.n);
    ws_mask(frame + at, n, mask, 0);
    net_conn_commit(ws->wire.conn, at + n);
}

void cli_ws_send(struct cli_ws *ws, bool binary, sio_str head, sio_str data)
{
    if (ws->open && !ws->closing)
        send_frame(ws, binary ? WS_BINARY : WS_TEXT, head, data);
}

static void send_close(struct cli_ws *ws, unsigned code)
{
    const char status[2] = { (char)(code >> 8), (char)code };

    ws->closing = true;
    send_frame(ws, WS_CLOSE, (sio_str){ status, 2 }, (sio_str){ NULL, 0 });
}

/* --------------------------------------------------------------- receiving */

static void closed_by_peer(struct cli_ws *ws, const struct ws_message *m)
{
    char why[CLI_WHY], said[CLI_SAID];

    if (ws->closing)
        return; /* the server ends the connection now, RFC 6455 7.1.1 */
    send_close(ws, m->code == WS_CLOSE_NO_STATUS ? WS_CLOSE_NORMAL : m->code);
    snprintf(why, sizeof why, "closed by the server, code %u %s", m->code,
             cli_said(said, (sio_str){ (const char *)m->data, m->n }));
    cli_wire_finish(&ws->wire, 1000);
    fail(ws, why);
}

static void take(struct cli_ws *ws, const struct ws_message *m)
{
    switch (m->type) {
    case WS_MSG_TEXT:
    case WS_MSG_BINARY:
        if (!ws->closing)
            ws->ops->on_message(ws->self, m->type == WS_MSG_BINARY, m->data,
                                m->n);
        break;
    case WS_MSG_PING:
        send_frame(ws, WS_PONG, (sio_str){ (const char *)m->data, m->n },
                   (sio_str){ NULL, 0 });
        break;
    case WS_MSG_CLOSE:
        closed_by_peer(ws, m);
        break;
    case WS_MSG_ERROR:
        fail(ws, m->why);
        break;
    default:
        break;
    }
}

static void read_frames(struct cli_ws *ws, uint8_t *data, size_t n)
{
    struct ws_message m = { .type = WS_MSG_TEXT };

    while (ws->wire.conn && m.type != WS_MSG_MORE && m.type != WS_MSG_ERROR) {
        size_t used = ws_read(&ws->reader, data, n, &m);

        data += used;
        n -= used;
        take(ws, &m);
    }
}

/* --------------------------------------------------------------- handshake */

static void refused(struct cli_ws *ws, const struct cli_reply *reply,
                    char *rest, size_t n)
{
    char why[CLI_WHY], said[CLI_SAID];
    sio_str body;
    size_t used;

    if (cli_reply_body(reply, rest, n, true, &body, &used) != 1)
        body = (sio_str){ rest, n };
    snprintf(why, sizeof why, "WebSocket refused with status %u %s",
             reply->status, cli_said(said, body));
    fail(ws, why);
}

static void check_handshake(struct cli_ws *ws, const struct cli_reply *reply,
                            uint8_t *rest, size_t n)
{
    char accept[WS_ACCEPT_LEN];

    if (reply->status != 101) {
        refused(ws, reply, (char *)rest, n);
        return;
    }
    ws_handshake_accept((sio_str){ ws->key, CLI_WS_KEY }, accept);
    if (!str_eq(reply->accept, (sio_str){ accept, WS_ACCEPT_LEN })) {
        fail(ws, "WebSocket refused: wrong Sec-WebSocket-Accept");
        return;
    }
    ws->open = true;
    ws->ops->on_open(ws->self);
    if (ws->wire.conn)
        read_frames(ws, rest, n);
}

/* The head usually comes in one piece; else it is gathered. */
static void read_handshake(struct cli_ws *ws, uint8_t *data, size_t n)
{
    struct cli_reply reply;
    struct grow gathered;
    int r;

    if (ws->head.len || !n) {
        if (grow_append(&ws->head, data, n) != SIO_OK) {
            fail(ws, "the answer to the handshake is too long");
            return;
        }
        data = ws->head.data;
        n = ws->head.len;
    }
    r = cli_reply_head((sio_str){ (const char *)data, n }, &reply);
    if (r == 0 && !ws->head.len && grow_append(&ws->head, data, n) != SIO_OK)
        r = SIO_E_INVAL;
    if (r < 0) {
        fail(ws, "the server does not speak HTTP");
        return;
    }
    if (r == 0)
        return;
    gathered = ws->head; /* keep it while its bytes are looked at */
    grow_init(&ws->head, CLI_HEAD_MAX);
    check_handshake(ws, &reply, data + reply.head, n - reply.head);
    grow_free(&gathered);
}

static void on_data(void *self, uint8_t *data, size_t n)
{
    struct cli_ws *ws = self;

    if (ws->open)
        read_frames(ws, data, n);
    else
        read_handshake(ws, data, n);
}

static void on_up(void *self)
{
    struct cli_ws *ws = self;
    uint8_t random[16 + sizeof ws->masks];
    char more[160];

    if (net_random(random, sizeof random) != SIO_OK) {
        fail(ws, "no random bytes");
        return;
    }
    memcpy(&ws->masks, random + 16, sizeof ws->masks);
    ws->masks |= 1;
    base64_encode(ws->key, random, 16);
    snprintf(more, sizeof more,
             "Upgrade: websocket\r\nConnection: Upgrade\r\n"
             "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %.*s\r\n",
             CLI_WS_KEY, ws->key);
    if (!cli_request(ws->wire.conn, ws->wire.target, "GET", "websocket",
                     ws->sid, more))
        fail(ws, "the request is too long");
}

static void on_down(void *self, const char *why)
{
    fail(self, why);
}

static const struct cli_wire_ops wire_ops = { on_up, on_data, on_down };

/* ---------------------------------------------------------------- lifetime */

int cli_ws_open(struct cli_ws *ws, struct net_loop *loop,
                const struct cli_target *target, const char *sid,
                const struct cli_ws_ops *ops, void *self)
{
    memset(ws, 0, sizeof *ws);
    ws->ops = ops;
    ws->self = self;
    snprintf(ws->sid, sizeof ws->sid, "%s", sid);
    ws_reader_init(&ws->reader, WS_CLIENT, target->max_message);
    grow_init(&ws->head, CLI_HEAD_MAX);
    return cli_wire_open(&ws->wire, loop, target, &wire_ops, ws);
}

void cli_ws_close(struct cli_ws *ws)
{
    if (ws->open && !ws->closing)
        send_close(ws, WS_CLOSE_NORMAL);
    else if (!ws->open)
        fail(ws, "closed");
}

void cli_ws_drop(struct cli_ws *ws)
{
    cli_wire_close(&ws->wire);
    ws->open = false;
    grow_free(&ws->head);
    ws_reader_free(&ws->reader);
}
