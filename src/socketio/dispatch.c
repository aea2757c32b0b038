/*
 * dispatch.c -- the batch of decoded events, and running their handlers.
 *
 *   client.c decodes --> batch[0..n) --> (input is used up) --> handlers
 *
 * The events' arguments are slices of the input, which stays where it is until
 * the batch is done: nothing is copied to make them wait.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/socketio/codec.h"

struct sio_event *so_batch_next(struct so_shard *shard)
{
    struct sio_event *slot;

    if (shard->batch_count == SO_BATCH)
        so_dispatch(shard);
    slot = &shard->batch[shard->batch_count];
    slot->args = shard->hub->codec->args;
    arena_init(&slot->arena);
    slot->attachments = NULL;
    slot->attachment_count = 0;
    slot->partial = NULL;
    slot->replaced = NULL;
    return slot;
}

void so_batch_push(struct so_client *client)
{
    client->shard->batch_client = client;
    client->shard->batch_count++;
}

void so_batch_put(struct so_client *client, const struct sio_event *event)
{
    struct so_shard *shard = client->shard;
    struct sio_event *slot = &shard->batch[shard->batch_count];

    if (slot != event)
        *slot = *event;
    so_batch_push(client);
}

void so_batch_drop(struct so_client *client)
{
    struct so_shard *shard = client->shard;

    /* While it runs, so_dispatch() itself skips what has no socket any more. */
    if (shard->dispatching || shard->batch_client != client)
        return;
    while (shard->batch_count)
        so_event_release(&shard->batch[--shard->batch_count]);
}

void so_event_run(struct sio_event *event)
{
    sio_socket *socket = event->socket;
    struct so_walk walk =
        so_event_walk(socket->part->nsp, event->args->name(event));
    const struct so_handler *h;

    while (socket->state == SO_CONNECTED && (h = so_walk_next(&walk)))
        SO_FN(sio_event_fn, h)(socket, event, h->user);
}

void so_dispatch(struct so_shard *shard)
{
    if (shard->dispatching)
        return; /* within a handler: the call further up goes on */
    shard->dispatching = true;
    for (size_t i = 0; i < shard->batch_count; i++) {
        struct sio_event *event = &shard->batch[i];

        SO_COUNT(shard->events_in, 1);
        if (event->socket->state == SO_CONNECTED)
            so_event_run(event);
        so_event_release(event);
    }
    shard->batch_count = 0;
    shard->dispatching = false;
}
