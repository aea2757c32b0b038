/*
 * codec_msgpack.c -- packets as socket.io-msgpack-parser writes them: one
 * binary message each; see codec.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/socketio/msgpack_packet.h"
#include "src/socketio/codec.h"

static void receive(struct so_client *client, bool binary, uint8_t *data,
                    size_t n)
{
    struct sio_event *slot = so_batch_next(client->shard);
    enum sp_error error = SP_E_MSGPACK;

    if (client->deaf) /* making room ran a handler that closed it */
        return;
    if (binary)
        error = mp_decode(data, n, &client->shard->hub->options.limits,
                          &slot->packet);
    if (error != SP_E_OK)
        so_client_bad_packet(client, sp_error_text(error));
    else
        so_client_packet(client, slot);
}

static int encode(const struct so_hub *hub, struct grow *out,
                  struct sp_attachments *bin, const struct sp_message *m)
{
    (void)hub;
    bin->count = 0;
    return mp_encode(out, m);
}

static int encode_plain(const struct so_hub *hub, struct grow *out,
                        struct sp_attachments *bin, enum sp_type type,
                        sio_str nsp, const sio_value *payload)
{
    (void)hub;
    bin->count = 0;
    return mp_encode_plain(out, type, nsp, payload);
}

const struct so_codec so_codec_msgpack = {
    .args = &so_args_msgpack,
    .receive = receive,
    .encode = encode,
    .encode_plain = encode_plain,
};
