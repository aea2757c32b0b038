/*
 * codec_json.c -- packets as JSON text, each followed by its attachments as
 * binary messages; see codec.h. This is what clients speak by default.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/socketio/codec.h"

/* Attachments are kept for those only who may send them. */
static void on_binary_header(struct so_client *client,
                             const struct sp_packet *p)
{
    sio_socket *socket = so_client_socket(client, p->nsp);
    bool may = socket && socket->state == SO_CONNECTED;

    if (!may && !so_client_has_left(client, p->nsp)) {
        so_client_violation(client, "binary packet for a namespace not joined");
        return;
    }
    client->partial = so_partial_new(client->shard, p);
    if (!client->partial)
        so_client_violation(client, "out of memory");
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
        so_client_bad_packet(client, sp_error_text(error));
    else if (slot->packet.attachments)
        on_binary_header(client, &slot->packet);
    else
        so_client_packet(client, slot);
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
        so_client_bad_packet(client, sp_error_text(SP_E_PLACEHOLDER));
        return;
    }
    slot->packet = p->packet;
    slot->packet.type = p->packet.type == SP_BINARY_EVENT ? SP_EVENT : SP_ACK;
    slot->attachments = p->attachments;
    slot->attachment_count = p->have;
    slot->partial = p;
    so_client_packet(client, slot);
}

static void on_binary(struct so_client *client, sio_str data)
{
    struct so_partial *p = client->partial;

    if (!p) {
        so_client_bad_packet(client, sp_error_text(SP_E_BINARY));
        return;
    }
    p->attachments[p->have++] = data;
    if (p->have == p->packet.attachments)
        complete_partial(client);
}

static void receive(struct so_client *client, bool binary, uint8_t *data,
                    size_t n)
{
    const sio_str message = { (char *)data, n };

    if (binary)
        on_binary(client, message);
    else
        on_text(client, message);
}

/* The attachments did not all come with their packet. */
static void end_batch(struct so_client *client)
{
    struct so_shard *shard = client->shard;
    int r = client->deaf ? 0 : so_partial_pin(shard, client->partial);

    if (r == SIO_E_LIMIT)
        so_client_violation(client, "too much input is unfinished");
    else if (r < 0)
        so_client_violation(client, "out of memory");
    else if (r > 0)
        net_timer_start(&shard->partial_timeouts, &client->timer);
}

static void forget(struct so_client *client)
{
    so_partial_free(client->shard, client->partial);
    client->partial = NULL;
}

static int encode(const struct so_hub *hub, struct grow *out,
                  struct sp_attachments *bin, const struct sp_message *m)
{
    (void)hub;
    return sp_encode(out, bin, m);
}

static int encode_plain(const struct so_hub *hub, struct grow *out,
                        struct sp_attachments *bin, enum sp_type type,
                        sio_str nsp, const sio_value *payload)
{
    int r = sp_encode_plain(out, type, nsp, STR(""));

    (void)hub;
    bin->count = 0;
    if (r == SIO_OK && payload)
        r = sp_encode_value(out, NULL, payload); /* no attachments here */
    return r;
}

const struct so_codec so_codec_json = {
    .args = &so_args_json,
    .receive = receive,
    .end_batch = end_batch,
    .forget = forget,
    .encode = encode,
    .encode_plain = encode_plain,
};
