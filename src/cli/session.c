/*
 * session.c -- see session.h.
 *
 * Upgrade (engine.io-protocol): "2probe" on the WebSocket, "3probe" comes back;
 * no new GET or POST is begun then; when the last of them has been answered,
 * "5" goes out on the WebSocket and everything else behind it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/cli/session.h"

#include "protocol/socketio/scan.h"

#include <stdio.h>

#define CLOSING_MS 2000     /* how long goodbye may take */
#define OUT_MAX (64u << 20) /* bytes that wait for a POST */
#define LATE_TEXT "no ping of the server within %u ms"

static void stop(struct cli_session *s)
{
    s->state = CLI_CLOSED;
    net_alarm_stop(s->loop, &s->alarm);
    net_task_cancel(&s->flush);
    cli_ws_drop(&s->ws);
    cli_http_drop(&s->get);
    cli_http_drop(&s->post);
    grow_free(&s->out);
}

void cli_session_fail(struct cli_session *s, const char *why)
{
    if (s->state == CLI_CLOSED)
        return;
    if (why != s->why)
        snprintf(s->why, sizeof s->why, "%s", why);
    stop(s);
    s->ops->on_closed(s->self, s->why);
}

static void start_alarm(struct cli_session *s, uint32_t ms)
{
    if (net_alarm_start(s->loop, &s->alarm, ms) != SIO_OK)
        cli_session_fail(s, "out of memory");
}

static void on_alarm(struct net_alarm *alarm)
{
    struct cli_session *s = container_of(alarm, struct cli_session, alarm);

    if (s->state == CLI_CLOSING)
        cli_session_fail(s, "closed");
    else if (s->state == CLI_OPEN) {
        snprintf(s->why, sizeof s->why, LATE_TEXT, (unsigned)s->ping_ms);
        cli_session_fail(s, s->why);
    } else {
        snprintf(s->why, sizeof s->why, "no session within %u ms",
                 (unsigned)s->target->open_ms);
        cli_session_fail(s, s->why);
    }
}

/* ----------------------------------------------------------------- packets */

static void send_text(struct cli_session *s, const char *text)
{
    cli_ws_send(&s->ws, false, (sio_str){ NULL, 0 }, str_of(text));
}

static void begin_upgrade(struct cli_session *s);

static bool member_number(sio_str object, sio_str key, int64_t *out)
{
    sio_str value = json_member(object, key);

    return value.n && json_integer(value, out) && *out >= 0;
}

/* The longest id that is taken is that of cli_session.sid. */
static bool read_open(struct cli_session *s, sio_str json, bool *upgrade)
{
    int64_t interval, timeout, max = 0;
    sio_str sid, upgrades, item;
    size_t pos = 0, n;

    if (json_check(json, JSON_DEPTH_LIMIT) != JSON_OBJECT)
        return false;
    sid = json_member(json, STR("sid"));
    if (json_kind(sid) != JSON_STRING || sid.n > sizeof s->sid ||
        !member_number(json, STR("pingInterval"), &interval) ||
        !member_number(json, STR("pingTimeout"), &timeout))
        return false;
    n = json_unescape(sid, s->sid);
    s->sid[n] = 0;
    member_number(json, STR("maxPayload"), &max);
    s->max_payload = (uint64_t)max;
    interval += timeout;
    s->ping_ms = interval < INT32_MAX ? (uint32_t)interval : INT32_MAX;
    upgrades = json_member(json, STR("upgrades"));
    *upgrade = false;
    if (json_kind(upgrades) == JSON_ARRAY)
        while (json_next_element(upgrades, &pos, &item))
            *upgrade |= json_string_is(item, STR("websocket"));
    return true;
}

void cli_session_opened(struct cli_session *s, sio_str json)
{
    bool upgrade = false;

    if (s->state != CLI_OPENING || !read_open(s, json, &upgrade)) {
        cli_session_fail(s, "the server's first packet is no valid OPEN");
        return;
    }
    s->state = CLI_OPEN;
    start_alarm(s, s->ping_ms);
    if (s->state == CLI_OPEN)
        s->ops->on_open(s->self);
    if (s->state != CLI_OPEN || s->target->transport != CLI_UPGRADE)
        return;
    if (upgrade)
        begin_upgrade(s);
    else
        cli_session_fail(s, "the server offers no upgrade to WebSocket");
}

void cli_session_packet(struct cli_session *s, const struct eio_packet *packet)
{
    switch (packet->type) {
    case EIO_PACKET_OPEN:
        cli_session_opened(s, packet->data);
        break;
    case EIO_PACKET_MESSAGE:
        if (s->state == CLI_OPEN)
            s->ops->on_message(s->self, packet->binary, /* from our buffer */
                               (char *)(uintptr_t)packet->data.p,
                               packet->data.n);
        break;
    case EIO_PACKET_PING:
        if (s->state != CLI_OPEN)
            break;
        start_alarm(s, s->ping_ms);
        if (s->over_ws)
            send_text(s, "3");
        else if (eio_payload_append(&s->out, EIO_PACKET_PONG, packet->data) ==
                 SIO_OK)
            net_task_schedule(s->loop, &s->flush);
        break;
    case EIO_PACKET_CLOSE:
        cli_session_fail(s, "closed by the server");
        break;
    default:
        break;
    }
}

void cli_session_send(struct cli_session *s, bool binary, sio_str data)
{
    int r;

    if (s->state != CLI_OPEN)
        return;
    if (s->over_ws) {
        cli_ws_send(&s->ws, binary, binary ? (sio_str){ NULL, 0 } : STR("4"),
                    data);
        return;
    }
    r = binary ? eio_payload_append_binary(&s->out, data)
               : eio_payload_append(&s->out, EIO_PACKET_MESSAGE, data);
    if (r != SIO_OK)
        cli_session_fail(s, "too much waits to be sent");
    else
        net_task_schedule(s->loop, &s->flush);
}

/* --------------------------------------------------------------- WebSocket */

static void ws_opened(void *self)
{
    struct cli_session *s = self;

    if (s->target->transport == CLI_UPGRADE) {
        s->probing = true;
        send_text(s, "2probe");
    }
}

static void probe_answered(struct cli_session *s, const char *data, size_t n)
{
    if (!str_eq((sio_str){ data, n }, STR("3probe"))) {
        cli_session_fail(s, "the probe of the WebSocket was not answered");
        return;
    }
    s->probing = false;
    s->changing = true;
    if (!s->get.busy && !s->post.busy)
        cli_session_change(s);
}

static void ws_message(void *self, bool binary, uint8_t *data, size_t n)
{
    struct cli_session *s = self;
    struct eio_packet packet;

    if (s->probing) {
        probe_answered(s, (const char *)data, n);
    } else if (binary) {
        if (s->state == CLI_OPEN)
            s->ops->on_message(s->self, true, (char *)data, n);
    } else if (eio_packet_decode_in_place((char *)data, n, &packet) != SIO_OK) {
        cli_session_fail(s, "a frame of the server is no packet");
    } else {
        cli_session_packet(s, &packet);
    }
}

static void ws_closed(void *self, const char *why)
{
    struct cli_session *s = self;

    cli_session_fail(s, s->state == CLI_CLOSING ? "closed" : why);
}

static const struct cli_ws_ops ws_ops = { ws_opened, ws_message, ws_closed };

/* The official client would stay with polling where the WebSocket fails; who
 * asks for an upgrade here wants to know. */
static void begin_upgrade(struct cli_session *s)
{
    if (cli_ws_open(&s->ws, s->loop, s->target, s->sid, &ws_ops, s) != SIO_OK)
        cli_session_fail(s, "out of memory");
}

void cli_session_change(struct cli_session *s)
{
    struct eio_payload it;
    struct eio_packet packet;

    s->changing = false;
    s->over_ws = true;
    send_text(s, "5");
    if (s->out.len) {
        eio_payload_init(&it, (char *)s->out.data, s->out.len);
        while (eio_payload_next(&it, &packet) == 1) {
            const char type = eio_packet_digit(packet.type);

            cli_ws_send(&s->ws, packet.binary,
                        (sio_str){ &type, packet.binary ? 0 : 1 }, packet.data);
        }
    }
    grow_free(&s->out);
    cli_http_drop(&s->get);
    cli_http_drop(&s->post);
    s->ops->on_upgrade(s->self);
}

/* ---------------------------------------------------------------- lifetime */

static void on_flush(struct net_task *task)
{
    cli_poll_post(container_of(task, struct cli_session, flush));
}

int cli_session_open(struct cli_session *s, struct net_loop *loop,
                     const struct cli_target *target,
                     const struct cli_session_ops *ops, void *self)
{
    int r;

    memset(s, 0, sizeof *s);
    s->loop = loop;
    s->target = target;
    s->ops = ops;
    s->self = self;
    s->over_ws = target->transport == CLI_WEBSOCKET;
    net_alarm_init(&s->alarm, on_alarm);
    net_task_init(&s->flush, on_flush);
    grow_init(&s->out, OUT_MAX);
    cli_http_init(&s->get, loop, target, &cli_poll_get_ops, s);
    cli_http_init(&s->post, loop, target, &cli_poll_post_ops, s);
    r = net_alarm_start(loop, &s->alarm, target->open_ms);
    if (r == SIO_OK)
        r = s->over_ws ? cli_ws_open(&s->ws, loop, target, "", &ws_ops, s)
                       : cli_http_request(&s->get, s->sid, NULL);
    if (r != SIO_OK)
        stop(s);
    return r;
}

void cli_session_close(struct cli_session *s)
{
    if (s->state == CLI_OPENING) {
        cli_session_fail(s, "closed");
    } else if (s->state == CLI_OPEN && s->over_ws) {
        s->state = CLI_CLOSING;
        cli_ws_close(&s->ws);
        if (s->state == CLI_CLOSING)
            start_alarm(s, CLOSING_MS);
    } else if (s->state == CLI_OPEN) {
        eio_payload_append(&s->out, EIO_PACKET_CLOSE, (sio_str){ NULL, 0 });
        cli_http_finish(&s->post, s->sid, grow_str(&s->out));
        cli_wire_finish(&s->get.wire, 1000);
        cli_session_fail(s, "closed");
    }
}

void cli_session_drop(struct cli_session *s)
{
    if (s->state != CLI_CLOSED)
        stop(s);
}
