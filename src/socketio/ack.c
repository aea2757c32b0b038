/*
 * ack.c -- acknowledgements that are given: sio_ack(event), at once;
 * sio_ack_later(event), a handle that any thread may answer. Those that are
 * asked for: ask.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/socketio/codec.h"

#include <stdlib.h>

/* --------------------------------------------------------------- giving -- */

static struct sp_message ack_message(const sio_socket *socket, int64_t id,
                                     const sio_value *values, size_t count)
{
    return (struct sp_message){ .type = SP_ACK,
                                .nsp = map_key(&socket->part->nsp->node),
                                .id = id,
                                .values = values,
                                .count = count };
}

bool sio_wants_ack(const sio_event *event)
{
    return event->first == 1 && event->packet.id != SP_NO_ID && !event->acked;
}

/* Who asked; NULL: is gone. It is answered also when it has left the namespace
 * meanwhile, as long as its connection is there. */
static struct so_client *asker(const sio_event *event)
{
    struct so_shard *shard = event->socket->part->shard;
    const struct sio_event *batch = shard->batch;

    if (event->socket->client)
        return event->socket->client;
    return event >= batch && event < batch + SO_BATCH ? shard->batch_client
                                                      : NULL;
}

static int send_ack(sio_socket *socket, const struct so_client *to, int64_t id,
                    const sio_value *values, size_t count)
{
    struct so_shard *shard = socket->part->shard;
    struct sp_message m = ack_message(socket, id, values, count);
    int r = so_encode(shard, &m);

    if (r == SIO_OK && to && to->session)
        so_send_scratch(shard, to->session, true);
    so_scratch_done(shard);
    return r;
}

int sio_ack_values(sio_event *event, const sio_value *values, size_t count)
{
    int r;

    if (!sio_wants_ack(event))
        return SIO_E_STATE;
    if (event->call)
        r = so_call_answer(event->call, values, count);
    else
        r = send_ack(event->socket, asker(event), event->packet.id, values,
                     count);
    if (r == SIO_OK)
        event->acked = true;
    return r;
}

struct sio_pending_ack {
    struct net_mail mail;
    struct so_server_call *call; /* referenced: of another server; or NULL */
    sio_socket *socket;          /* retained */
    struct so_client *client;    /* referenced, or NULL */
    int64_t id;
    struct sio_packet *packet; /* the answer, when it came from elsewhere */
};

sio_pending_ack *sio_ack_later(sio_event *event)
{
    sio_pending_ack *ack;

    if (!sio_wants_ack(event))
        return NULL;
    ack = calloc(1, sizeof *ack);
    if (!ack)
        return NULL;
    event->acked = true;
    if (event->call) {
        ack->call = so_call_ref(event->call);
        return ack;
    }
    ack->socket = sio_retain(event->socket);
    ack->client = so_client_ref(asker(event));
    ack->id = event->packet.id;
    return ack;
}

void sio_answer_drop(sio_pending_ack *ack)
{
    if (!ack)
        return;
    so_call_unref(ack->call);
    sio_release(ack->socket);
    so_client_unref(ack->client);
    eng_packet_unref(ack->packet);
    free(ack);
}

static void on_answer_mail(struct net_mail *mail)
{
    sio_pending_ack *ack = container_of(mail, sio_pending_ack, mail);

    if (ack->client && ack->client->session)
        eng_send_packet(ack->client->session, ack->packet, true);
    sio_answer_drop(ack);
}

static int answer_server(sio_pending_ack *ack, const sio_value *values,
                         size_t count)
{
    int r = so_call_answer(ack->call, values, count);

    if (r == SIO_OK)
        sio_answer_drop(ack);
    return r;
}

static int answer_client(sio_pending_ack *ack, const sio_value *values,
                         size_t count)
{
    struct so_shard *shard = ack->socket->part->shard;
    struct sp_message m;
    int r;

    if (net_loop_is_current(shard->loop)) {
        r = send_ack(ack->socket, ack->client, ack->id, values, count);
        if (r == SIO_OK)
            sio_answer_drop(ack);
        return r;
    }
    m = ack_message(ack->socket, ack->id, values, count);
    r = so_make_packet(shard->hub, &m, &ack->packet);
    if (r == SIO_OK) {
        ack->mail.run = on_answer_mail;
        net_post(shard->loop, &ack->mail);
    }
    return r;
}

int sio_answer_values(sio_pending_ack *ack, const sio_value *values,
                      size_t count)
{
    return ack->call ? answer_server(ack, values, count)
                     : answer_client(ack, values, count);
}
