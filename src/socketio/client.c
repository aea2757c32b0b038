/*
 * client.c -- one Engine.IO session seen as a Socket.IO client: its messages go
 * to the codec; the packets that come back are checked against the state, and
 * handed to the socket they are for.
 *
 * Events are not run here: they wait in the shard's batch until the whole input
 * was decoded (dispatch.c), so that an EVENT followed by a DISCONNECT in one
 * segment is dropped, as Node drops it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/socketio/client2.h"
#include "src/socketio/codec.h"

#include <stdlib.h>

static const char *client_address(const struct so_client *client, char *out)
{
    eng_peer_text(client->session, out);
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
    struct so_left *left = client->left;
    sio_namespace **slot;

    if (!left)
        left = client->left = calloc(1, sizeof *left);
    if (!left)
        return; /* what is under way will be an offence */
    slot = &left->nsps[left->next++ % SO_LEFT];
    so_namespace_unref(*slot);
    *slot = so_namespace_ref(nsp);
}

static sio_namespace **find_left(const struct so_client *client, sio_str nsp)
{
    for (size_t i = 0; client->left && i < SO_LEFT; i++) {
        sio_namespace **slot = &client->left->nsps[i];

        if (*slot && str_eq(map_key(&(*slot)->node), nsp))
            return slot;
    }
    return NULL;
}

bool so_client_has_left(const struct so_client *client, sio_str nsp)
{
    return find_left(client, nsp) != NULL;
}

/* It joins again: from now on its packets count. */
static void forget_left(struct so_client *client, sio_str nsp)
{
    sio_namespace **slot;

    while ((slot = find_left(client, nsp))) {
        so_namespace_unref(*slot);
        *slot = NULL;
    }
}

void so_client_send(struct so_client *client, enum sp_type type, sio_str nsp,
                    const sio_value *payload)
{
    struct so_shard *shard = client->shard;
    struct so_hub *hub = shard->hub;

    shard->scratch.len = 0;
    if ((hub->binary || grow_append_byte(&shard->scratch, '4') == SIO_OK) &&
        hub->codec->encode_plain(hub, &shard->scratch, &shard->bin, type, nsp,
                                 payload) == SIO_OK)
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

void so_client_bad_packet(struct so_client *client, const char *why)
{
    char address[NET_ADDRESS_TEXT];

    so_dispatch(client->shard);
    if (client->deaf)
        return;
    client->deaf = true;
    so_log(client->shard->hub, SIO_LOG_WARN, "client %s closed: %s",
           client_address(client, address), why);
    so_tell_bad_packet(client, why);
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
    bool pardoned = so_client_has_left(client, slot->packet.nsp);

    so_partial_free(client->shard, slot->partial); /* the packet's text too */
    slot->partial = NULL;
    arena_free(&slot->arena);
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
    if (so_is_watched(socket->part->nsp))
        so_incoming(client, slot);
    else
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
    else if (!so_client_has_left(client, nsp))
        so_client_violation(client, "disconnect from a namespace not joined");
}

static void connect_namespace(struct so_client *client, struct sp_packet *p)
{
    forget_left(client, p->nsp);
    if (so_client_socket(client, p->nsp))
        so_client_violation(client, "second CONNECT to a namespace");
    else
        so_socket_connect(client, p);
}

/* What CONNECT carries, as JSON text: p->json, which may then be in `auth`.
 * NULL or what is wrong. */
static const char *take_auth(struct so_client *client, struct sp_packet *p,
                             struct grow *auth)
{
    const struct so_hub *hub = client->shard->hub;
    const struct so_args *args = hub->codec->args;

    if (eng_is_v3(client->session))
        return so_client2_connect(p, hub->seed, auth) < 0
                   ? "bad query of a namespace"
                   : NULL;
    if (!args->append_json || !p->json.n)
        return NULL;
    if (args->append_json(auth, NULL, p->json) < 0)
        return "auth is too long, or out of memory";
    p->json = grow_str(auth);
    return NULL;
}

static void on_connect_packet(struct so_client *client, struct sp_packet *p)
{
    struct grow auth;
    const char *wrong;

    grow_init(&auth, client->shard->hub->options.max_packet);
    wrong = take_auth(client, p, &auth);
    if (wrong)
        so_client_violation(client, wrong);
    else
        connect_namespace(client, p);
    grow_free(&auth);
}

void so_client_packet(struct so_client *client, struct sio_event *slot)
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
    default:
        so_client_violation(client, "packet type only a server may send");
    }
}

/* ----------------------------------------------------- the engine's ops -- */

struct so_client *so_client_ref(struct so_client *client)
{
    if (client)
        atomic_fetch_add_explicit(&client->refs, 1, memory_order_relaxed);
    return client;
}

void so_client_unref(struct so_client *client)
{
    if (!client ||
        atomic_fetch_sub_explicit(&client->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; client->left && i < SO_LEFT; i++)
        so_namespace_unref(client->left->nsps[i]);
    free(client->left);
    free(client);
}

/* The session, which has ended, goes at the end of the same turn. */
static void last_unref(struct net_deferred *d)
{
    struct so_client *client = container_of(d, struct so_client, cleanup);

    client->session = NULL;
    so_client_unref(client);
}

static int on_open(void *self, struct eng_session *session)
{
    struct so_shard *shard = self;
    struct so_client *client = calloc(1, sizeof *client);

    if (!client)
        return SIO_E_NOMEM;
    client->shard = shard;
    client->session = session;
    atomic_init(&client->refs, 1);
    list_init(&client->sockets);
    net_timer_init(&client->timer);
    net_timer_start(&shard->connect_timeouts, &client->timer);
    eng_set_user(session, client);
    SO_COUNT(shard->client_count, 1);
    if (eng_is_v3(session))
        so_client2_welcome(client);
    return SIO_OK;
}

static void on_message(void *self, struct eng_session *session, bool binary,
                       uint8_t *data, size_t n)
{
    struct so_client *client = eng_user(session);
    struct so_shard *shard = self;

    if (!client->deaf)
        shard->hub->codec->receive(client, binary, data, n);
}

static void on_batch(void *self, struct eng_session *session)
{
    struct so_client *client = eng_user(session);
    struct so_shard *shard = self;

    so_dispatch(shard);
    if (client->unfinished && shard->hub->codec->end_batch)
        shard->hub->codec->end_batch(client);
}

static void on_close(void *self, struct eng_session *session,
                     enum eio_close_reason reason, const char *detail)
{
    struct so_client *client = eng_user(session);
    struct so_shard *shard = self;

    client->deaf = true;
    leave_with(client, eio_close_reason_name(reason), detail);
    so_batch_drop(client);
    net_timer_stop(&client->timer);
    if (client->unfinished && shard->hub->codec->forget)
        shard->hub->codec->forget(client);
    SO_COUNT(shard->client_count, -1);
    net_defer(shard->loop, &client->cleanup, last_unref);
}

static void on_end(void *self, const struct eng_end *end)
{
    struct so_shard *shard = self;
    char line[ENG_END_TEXT];

    eng_end_text(end, line);
    so_log(shard->hub, eng_end_level(end->reason), "%s", line);
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
    .on_end = on_end,
    .on_refused = on_refused,
};
