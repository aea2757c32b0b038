/*
 * socket.c -- see socket.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/cli/socket.h"

#include "protocol/socketio/json.h"
#include "protocol/socketio/msgpack_packet.h"
#include "protocol/socketio/scan.h"

#include <sio/value.h>
#include <stdio.h>
#include <stdlib.h>

#define ATTACHMENTS_MAX 64 /* of a packet */

struct cli_socket {
    struct cli_session session;
    const struct cli_socket_ops *ops;
    void *self;
    bool connected, gone;
    struct grow text;             /* a packet whose attachments are coming */
    struct grow bytes;            /* those that have come */
    size_t ends[ATTACHMENTS_MAX]; /* where each of them ends */
    uint32_t awaited, have;
    struct grow out; /* a packet being written */
    struct sp_attachments attached;
    struct net_deferred cleanup;
};

static const struct sp_limits limits = { ATTACHMENTS_MAX, SP_MAX_DEPTH };

static void cleanup(struct net_deferred *d)
{
    struct cli_socket *socket = container_of(d, struct cli_socket, cleanup);

    grow_free(&socket->text);
    grow_free(&socket->bytes);
    grow_free(&socket->out);
    sp_attachments_free(&socket->attached);
    free(socket);
}

void cli_socket_drop(struct cli_socket *socket)
{
    if (socket->gone)
        return;
    socket->gone = true;
    socket->connected = false;
    cli_session_drop(&socket->session);
    net_defer(socket->session.loop, &socket->cleanup, cleanup);
}

static void fail(struct cli_socket *socket, const char *why)
{
    if (socket->gone)
        return;
    cli_socket_drop(socket);
    socket->ops->on_closed(socket->self, why);
}

/* --------------------------------------------------------------- receiving */

static void refused(struct cli_socket *socket, const struct sp_packet *packet)
{
    const struct cli_target *target = socket->session.target;
    char why[CLI_WHY], nsp[CLI_SAID], said[CLI_SAID];
    sio_str json = packet->json;

    if (target->parser == CLI_MSGPACK)
        json.n = 0;
    snprintf(why, sizeof why, "namespace %s refused: %s",
             cli_said(nsp, target->nsp), cli_said(said, json));
    fail(socket, why);
}

static void take(struct cli_socket *socket, const struct sp_packet *packet,
                 const sio_str *attachments, size_t count)
{
    if (!str_eq(packet->nsp, socket->session.target->nsp))
        return;
    switch (packet->type) {
    case SP_CONNECT:
        socket->connected = true;
        socket->ops->on_connected(socket->self);
        break;
    case SP_DISCONNECT:
        fail(socket, "disconnected by the server");
        break;
    case SP_CONNECT_ERROR:
        refused(socket, packet);
        break;
    default:
        socket->ops->on_packet(socket->self, packet, attachments, count);
        break;
    }
}

/* The last attachment is `last`, the others were kept. */
static void take_binary(struct cli_socket *socket, sio_str last)
{
    sio_str attachments[ATTACHMENTS_MAX];
    struct sp_packet packet;
    size_t start = 0, count = socket->awaited;

    for (size_t i = 0; i + 1 < count; i++) {
        attachments[i] = (sio_str){ (const char *)socket->bytes.data + start,
                                    socket->ends[i] - start };
        start = socket->ends[i];
    }
    attachments[count - 1] = last;
    socket->awaited = 0;
    if (sp_decode(grow_str(&socket->text), &limits, &packet) != SP_E_OK ||
        sp_check_placeholders(&packet) != SP_E_OK)
        fail(socket, "a binary packet of the server cannot be read");
    else
        take(socket, &packet, attachments, count);
}

static void on_binary(struct cli_socket *socket, sio_str bytes)
{
    if (!socket->awaited) {
        fail(socket, "binary of the server belongs to no packet");
    } else if (socket->have + 1 == socket->awaited) {
        take_binary(socket, bytes);
    } else if (grow_append(&socket->bytes, bytes.p, bytes.n) != SIO_OK) {
        fail(socket, "the server's attachments are too long");
    } else {
        socket->ends[socket->have++] = socket->bytes.len;
    }
}

static void on_text(struct cli_socket *socket, sio_str text)
{
    struct sp_packet packet;
    enum sp_error r = sp_decode(text, &limits, &packet);

    if (r != SP_E_OK || socket->awaited) {
        fail(socket, "a packet of the server cannot be read");
    } else if (!packet.attachments) {
        take(socket, &packet, NULL, 0);
    } else {
        socket->awaited = packet.attachments;
        socket->have = 0;
        socket->text.len = socket->bytes.len = 0;
        if (grow_append(&socket->text, text.p, text.n) != SIO_OK)
            fail(socket, "out of memory");
    }
}

static void on_message(void *self, bool binary, char *data, size_t n)
{
    struct cli_socket *socket = self;
    struct sp_packet packet;

    if (socket->session.target->parser == CLI_MSGPACK) {
        if (!binary ||
            mp_decode((uint8_t *)data, n, &limits, &packet) != SP_E_OK)
            fail(socket, "a packet of the server is no MessagePack");
        else
            take(socket, &packet, NULL, 0);
    } else if (binary) {
        on_binary(socket, (sio_str){ data, n });
    } else {
        on_text(socket, (sio_str){ data, n });
    }
}

sio_str cli_argument(const struct cli_target *target,
                     const struct sp_packet *packet, size_t i,
                     const sio_str *attachments, size_t count)
{
    const bool event =
        packet->type == SP_EVENT || packet->type == SP_BINARY_EVENT;
    const size_t at = i + event;
    sio_str value = { NULL, 0 };
    struct json_placeholder place;
    struct mp_item item;
    size_t pos = 0;

    if (at >= packet->argc || at >= SP_ARGS)
        return value;
    value = packet->argv[at];
    if (target->parser == CLI_MSGPACK) {
        mp_read(value.p, value.p + value.n, &item);
        return item.kind == MP_STRING || item.kind == MP_BINARY
                   ? item.bytes
                   : (sio_str){ NULL, 0 };
    }
    if (json_kind(value) == JSON_STRING)
        return (sio_str){ value.p + 1, value.n - 2 };
    if (json_kind(value) == JSON_OBJECT &&
        json_next_placeholder(value, &pos, &place) && place.start == 0 &&
        (uint64_t)place.num < count)
        return attachments[place.num];
    return (sio_str){ NULL, 0 };
}

bool cli_event_is(const struct cli_target *target,
                  const struct sp_packet *packet, sio_str name)
{
    struct mp_item item;
    sio_str first = packet->argv[0];

    if (packet->type != SP_EVENT && packet->type != SP_BINARY_EVENT)
        return false;
    if (target->parser == CLI_JSON) /* the usual spelling first */
        return (first.n == name.n + 2 &&
                memcmp(first.p + 1, name.p, name.n) == 0) ||
               (json_kind(first) == JSON_STRING && json_string_is(first, name));
    mp_read(first.p, first.p + first.n, &item);
    return item.kind == MP_STRING && str_eq(item.bytes, name);
}

/* ----------------------------------------------------------------- sending */

int cli_socket_emit(struct cli_socket *socket, sio_str event, int64_t id,
                    const sio_value *values, size_t count)
{
    const struct cli_target *target = socket->session.target;
    const struct sp_message m = { .type = SP_EVENT,
                                  .nsp = target->nsp,
                                  .id = id,
                                  .event = event,
                                  .values = values,
                                  .count = count };
    int r;

    if (!socket->connected)
        return SIO_E_STATE;
    socket->out.len = 0;
    socket->attached.count = 0;
    r = target->parser == CLI_MSGPACK
            ? mp_encode(&socket->out, &m)
            : sp_encode(&socket->out, &socket->attached, &m);
    if (r != SIO_OK)
        return r;
    cli_session_send(&socket->session, target->parser == CLI_MSGPACK,
                     grow_str(&socket->out));
    for (size_t i = 0; i < socket->attached.count && !socket->gone; i++)
        cli_session_send(&socket->session, true, socket->attached.items[i]);
    return SIO_OK;
}

static void on_open(void *self)
{
    struct cli_socket *socket = self;
    const struct cli_target *target = socket->session.target;
    const bool msgpack = target->parser == CLI_MSGPACK;
    sio_value auth = sio_raw_json(target->auth.p, target->auth.n);
    int r;

    socket->out.len = 0;
    r = msgpack ? mp_encode_plain(&socket->out, SP_CONNECT, target->nsp,
                                  target->auth.n ? &auth : NULL)
                : sp_encode_plain(&socket->out, SP_CONNECT, target->nsp,
                                  target->auth);
    if (r != SIO_OK)
        fail(socket, "the packet CONNECT cannot be written");
    else
        cli_session_send(&socket->session, msgpack, grow_str(&socket->out));
}

/* ---------------------------------------------------------------- lifetime */

static void on_upgrade(void *self)
{
    struct cli_socket *socket = self;

    socket->ops->on_upgrade(socket->self);
}

static void on_closed(void *self, const char *why)
{
    fail(self, why);
}

static const struct cli_session_ops session_ops = { on_open, on_upgrade,
                                                    on_message, on_closed };

struct cli_socket *cli_socket_open(struct net_loop *loop,
                                   const struct cli_target *target,
                                   const struct cli_socket_ops *ops, void *self)
{
    struct cli_socket *socket = calloc(1, sizeof *socket);

    if (!socket)
        return NULL;
    socket->ops = ops;
    socket->self = self;
    grow_init(&socket->text, target->max_message);
    grow_init(&socket->bytes, target->max_message);
    grow_init(&socket->out, target->max_message);
    sp_attachments_init(&socket->attached);
    if (cli_session_open(&socket->session, loop, target, &session_ops,
                         socket) == SIO_OK)
        return socket;
    free(socket);
    return NULL;
}

void cli_socket_close(struct cli_socket *socket)
{
    socket->connected = false;
    cli_session_close(&socket->session);
}
