/*
 * client.c -- one Engine.IO session seen as a Socket.IO client: packets are
 * decoded, checked against the state, and handed to the socket they are for.
 *
 * Events are not run here: they wait in the shard's batch until the whole input
 * was decoded (dispatch.c), so that an EVENT followed by a DISCONNECT in one
 * segment is dropped, as Node drops it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/socketio/client2.h"

#include <stdlib.h>

static const char *client_address(const struct so_client *client, char *out)
{
    net_address_text(eng_peer(client->session), out);
    return out;
}

sio_socket *so_client_socket(const struct so_client *client, sio_str nsp)
{
    list_for_each_safe(it, next, &client->sockets)
    {
        sio_socket *socket = container_of(it, sio_socket, node);

        if (str_eq(map_key(&socket->part->nsp->node), nsp))
            return socket;
    }
    return NULL;
}

void so_client_note_left(struct so_client *client, sio_namespace *nsp)
{
    sio_namespace **slot = &client->left[client->left_next++ % SO_LEFT];

    so_namespace_unref(*slot);
    *slot = so_namespace_ref(nsp);
}

/* Did the server make the client leave it? The client may not know yet. */
static bool has_left(const struct so_client *client, sio_str nsp)
{
    for (size_t i = 0; i < SO_LEFT; i++)
        if (client->left[i] && str_eq(map_key(&client->left[i]->node), nsp))
            return true;
    return false;
}

/* It joins again: from now on its packets count. */
static void forget_left(struct so_client *client, sio_str nsp)
{
    for (size_t i = 0; i < SO_LEFT; i++)
        if (client->left[i] && str_eq(map_key(&client->left[i]->node), nsp)) {
            so_namespace_unref(client->left[i]);
            client->left[i] = NULL;
        }
}

void so_client_send(struct so_client *client, enum sp_type type, sio_str nsp,
                    sio_str json)
{
    struct so_shard *shard = client->shard;

    shard->scratch.len = 0;
    shard->bin.count = 0;
    if (grow_append_byte(&shard->scratch, '4') == SIO_OK &&
        sp_encode_plain(&shard->scratch, type, nsp, json) == SIO_OK)
        so_send_scratch(shard, client->session, true);
    so_scratch_done(shard);
}

/* -------------------------------------------------------------- closing -- */

static void leave_all(struct so_client *client, const char *reason)
{
    while (!list_empty(&client->sockets))
        so_socket_leave(container_of(client->sockets.next, sio_socket, node),
                        reason);
}

/* The session is over: what is known about it is theirs to ask for meanwhile. A
 * handler may end another client's session within. */
static void leave_with(struct so_client *client, const char *reason,
                       const char *detail)
{
    struct so_shard *shard = client->shard;
    const struct so_client *outer = shard->leaving;
    const char *outer_detail = shard->leaving_detail;

    shard->leaving = client;
    shard->leaving_detail = detail;
    leave_all(client, reason);
    shard->leaving = outer;
    shard->leaving_detail = outer_detail;
}

/* Undecodable input: the connection closes in order, and the sockets learn of
 * it when it has. */
static void bad_packet(struct so_client *client, enum sp_error error)
{
    char address[NET_ADDRESS_TEXT];

    so_dispatch(client->shard);
    if (client->deaf)
        return;
    client->deaf = true;
    so_log(client->shard->hub, SIO_LOG_WARN, "client %s closed: %s",
           client_address(client, address), sp_error_text(error));
    eng_close(client->session);
}

void so_client_violation(struct so_client *client, const char *why)
{
    char address[NET_ADDRESS_TEXT];

    so_dispatch(client->shard);
    if (client->deaf)
        return;
    client->deaf = true;
    so_log(client->shard->hub, SIO_LOG_WARN, "client %s closed: %s",
           client_address(client, address), why);
    eng_close(client->session);
    leave_all(client, "forced server close");
}

void so_connect_timed_out(struct net_timer *timer)
{
    struct so_client *client = container_of(timer, struct so_client, timer);

    so_client_violation(client, "no namespace joined in time");
}

void so_partial_timed_out(struct net_timer *timer)
{
    so_client_violation(container_of(timer, struct so_client, timer),
                        "an attachment took too long");
}

/* -------------------------------------------------------------- packets -- */

/* A packet for a namespace that the client has not joined. */
static void refuse_packet(struct so_client *client, struct sio_event *slot,
                          const char *why)
{
    bool pardoned = has_left(client, slot->packet.nsp);

    so_partial_free(client->shard, slot->partial); /* the packet's text too */
    slot->partial = NULL;
    if (!pardoned)
        so_client_violation(client, why);
}

static void on_event_packet(struct so_client *client, struct sio_event *slot)
{
    sio_socket *socket = so_client_socket(client, slot->packet.nsp);

    if (!socket || socket->state != SO_CONNECTED) {
        refuse_packet(client, slot, "event for a namespace not joined");
        return;
    }
    so_event_init(slot, socket, 1);
    so_batch_push(client);
}

static void on_ack_packet(struct so_client *client, struct sio_event *slot)
{
    sio_socket *socket = so_client_socket(client, slot->packet.nsp);

    if (!socket || socket->state != SO_CONNECTED) {
        refuse_packet(client, slot, "answer for a namespace not joined");
        return;
    }
    so_event_init(slot, socket, 0);
    so_ack_received(socket, slot);
}

static void on_disconnect_packet(struct so_client *client, sio_str nsp)
{
    sio_socket *socket = so_client_socket(client, nsp);

    if (socket && socket->state == SO_CONNECTED)
        so_socket_leave(socket, "client namespace disconnect");
    else if (!has_left(client, nsp))
        so_client_violation(client, "disconnect from a namespace not joined");
}

/* Attachments are kept for those only who may send them. */
static void on_binary_header(struct so_client *client,
                             const struct sp_packet *p)
{
    sio_socket *socket = so_client_socket(client, p->nsp);
    bool may = socket && socket->state == SO_CONNECTED;

    if (!may && !has_left(client, p->nsp)) {
        so_client_violation(client, "binary packet for a namespace not joined");
        return;
    }
    client->partial = so_partial_new(client->shard, p);
    if (!client->partial)
        so_client_violation(client, "out of memory");
}

static void connect_namespace(struct so_client *client, struct sp_packet *p)
{
    forget_left(client, p->nsp);
    if (so_client_socket(client, p->nsp))
        so_client_violation(client, "second CONNECT to a namespace");
    else
        so_socket_connect(client, p);
}

static void on_connect_packet(struct so_client *client, struct sp_packet *p)
{
    struct grow auth;

    if (!eng_is_v3(client->session)) {
        connect_namespace(client, p);
        return;
    }
    grow_init(&auth, client->shard->hub->options.max_packet);
    if (so_client2_connect(p, client->shard->hub->seed, &auth) < 0)
        so_client_violation(client, "bad query of a namespace");
    else
        connect_namespace(client, p);
    grow_free(&auth);
}

static void on_packet(struct so_client *client, struct sio_event *slot)
{
    struct sp_packet *p = &slot->packet;

    switch (p->type) {
    case SP_CONNECT:
        on_connect_packet(client, p);
        break;
    case SP_DISCONNECT:
        on_disconnect_packet(client, p->nsp);
        break;
    case SP_EVENT:
        on_event_packet(client, slot);
        break;
    case SP_ACK:
        on_ack_packet(client, slot);
        break;
    case SP_BINARY_EVENT:
    case SP_BINARY_ACK:
        on_binary_header(client, p);
        break;
    default:
        so_client_violation(client, "packet type only a server may send");
    }
}

static void on_text(struct so_client *client, sio_str text)
{
    struct sio_event *slot = so_batch_next(client->shard);
    enum sp_error error = SP_E_PLAINTEXT;

    if (client->deaf) /* making room ran a handler that closed it */
        return;
    if (!client->partial)
        error =
            sp_decode(text, &client->shard->hub->options.limits, &slot->packet);
    if (error != SP_E_OK)
        bad_packet(client, error);
    else
        on_packet(client, slot);
}

/* The last attachment has come: the packet goes the way of its plain form. */
static void complete_partial(struct so_client *client)
{
    struct sio_event *slot = so_batch_next(client->shard);
    struct so_partial *p = client->partial;

    if (client->deaf)
        return;
    client->partial = NULL;
    net_timer_stop(&client->timer);
    if (sp_check_placeholders(&p->packet) != SP_E_OK) {
        so_partial_free(client->shard, p);
        bad_packet(client, SP_E_PLACEHOLDER);
        return;
    }
    slot->packet = p->packet;
    slot->attachments = p->attachments;
    slot->attachment_count = p->have;
    slot->partial = p;
    if (p->packet.type == SP_BINARY_EVENT)
        on_event_packet(client, slot);
    else
        on_ack_packet(client, slot);
}

static void on_binary(struct so_client *client, sio_str data)
{
    struct so_partial *p = client->partial;

    if (!p) {
        bad_packet(client, SP_E_BINARY);
        return;
    }
    p->attachments[p->have++] = data;
    if (p->have == p->packet.attachments)
        complete_partial(client);
}

/* ----------------------------------------------------- the engine's ops -- */

static void client_free(struct net_deferred *d)
{
    struct so_client *client = container_of(d, struct so_client, cleanup);

    for (size_t i = 0; i < SO_LEFT; i++)
        so_namespace_unref(client->left[i]);
    free(client);
}

static int on_open(void *self, struct eng_session *session)
{
    struct so_shard *shard = self;
    struct so_client *client = calloc(1, sizeof *client);

    if (!client)
        return SIO_E_NOMEM;
    client->shard = shard;
    client->session = session;
    list_init(&client->sockets);
    net_timer_init(&client->timer);
    net_timer_start(&shard->connect_timeouts, &client->timer);
    eng_set_user(session, client);
    shard->client_count++;
    if (eng_is_v3(session))
        so_client2_welcome(client);
    return SIO_OK;
}

static void on_message(void *self, struct eng_session *session, bool binary,
                       uint8_t *data, size_t n)
{
    struct so_client *client = eng_user(session);
    sio_str message = { (char *)data, n };

    (void)self;
    if (client->deaf)
        return;
    if (binary)
        on_binary(client, message);
    else
        on_text(client, message);
}

/* Its attachments did not all come with it. */
static void keep_partial(struct so_client *client)
{
    struct so_shard *shard = client->shard;
    int r = so_partial_pin(shard, client->partial);

    if (r == SIO_E_LIMIT)
        so_client_violation(client, "too much input is unfinished");
    else if (r < 0)
        so_client_violation(client, "out of memory");
    else if (r > 0)
        net_timer_start(&shard->partial_timeouts, &client->timer);
}

static void on_batch(void *self, struct eng_session *session)
{
    struct so_client *client = eng_user(session);

    so_dispatch(self);
    if (client->partial && !client->deaf)
        keep_partial(client);
}

static void on_close(void *self, struct eng_session *session,
                     enum eio_close_reason reason, const char *detail)
{
    struct so_client *client = eng_user(session);
    struct so_shard *shard = self;
    char address[NET_ADDRESS_TEXT];

    client->deaf = true;
    so_log(shard->hub, SIO_LOG_DEBUG, "client %s left: %s%s%s",
           client_address(client, address), eio_close_reason_name(reason),
           detail ? ": " : "", detail ? detail : "");
    leave_with(client, eio_close_reason_name(reason), detail);
    so_batch_drop(client);
    net_timer_stop(&client->timer);
    so_partial_free(shard, client->partial);
    client->partial = NULL;
    shard->client_count--;
    net_defer(shard->loop, &client->cleanup, client_free);
}

static void on_refused(void *self, const sio_connection_error *error)
{
    struct so_shard *shard = self;

    so_log(shard->hub, SIO_LOG_WARN, "request of %s refused: %s%s%s",
           error->address, error->message, *error->context ? ": " : "",
           error->context);
}

const struct eng_ops so_engine_ops = {
    .on_open = on_open,
    .on_message = on_message,
    .on_batch = on_batch,
    .on_close = on_close,
    .on_refused = on_refused,
};
