/*
 * incoming.c -- what sees an event before its handlers: <sio/intercept.h>.
 *
 *   client.c --> so_incoming(): catch-all listeners, middlewares
 *            --> passed: to the batch (dispatch.c)
 *            --> waits: a so_decision on its own, until `next` is answered; its
 *                handlers run from there
 *            --> refused: on_error
 *
 * All of it happens while the input is decoded, before the batch is run: as in
 * Node, an event that a DISCONNECT follows at once is seen here, but has no
 * handlers.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/socketio/hub.h"

#include <sio/intercept.h>

#include <stdlib.h>

/* An event that middlewares decide about. */
struct so_decision {
    sio_next next;
    struct sio_event event;
    bool live;    /* there is an event */
    bool kept;    /* it holds nothing of the input */
    size_t bytes; /* counted as unfinished, once it is kept */
};

static struct so_decision *decision_of(sio_next *next)
{
    return container_of(next, struct so_decision, next);
}

/* ---------------------------------------------------------------- errors -- */

static void tell_error(sio_socket *socket, const char *message,
                       const sio_value *data)
{
    struct so_walk walk = so_walk_of(socket->part->nsp, on_error);
    const struct so_handler *h;

    while ((h = so_walk_next(&walk)))
        SO_FN(sio_error_fn, h)(socket, message, data, h->user);
}

/* The node behind `it`, where a handler may have ended whatever it likes;
 * `back` was in front of it. The end of the list when both are gone. */
static struct list *go_on(const struct so_client *client, struct list *it,
                          struct list *back)
{
    const struct list *head = &client->sockets;

    if (!container_of(it, sio_socket, node)->leaving)
        return it->next;
    if (back == head || !container_of(back, sio_socket, node)->leaving)
        return back->next;
    return (struct list *)(uintptr_t)head;
}

void so_tell_bad_packet(struct so_client *client, const char *message)
{
    struct list *it = client->sockets.next;

    while (it != &client->sockets) {
        sio_socket *socket = container_of(it, sio_socket, node);
        struct list *back = it->prev;

        if (socket->state == SO_CONNECTED)
            tell_error(socket, message, NULL);
        it = go_on(client, it, back);
    }
}

static void tell_refused(const sio_next *next)
{
    const char *message = (const char *)next->error.data;
    sio_value data = { .kind = SIO_NULL };
    size_t n;

    if (!next->error.len) { /* no memory for the message */
        tell_error(next->socket, "refused", NULL);
        return;
    }
    n = strlen(message) + 1;
    data = so_payload((sio_str){ message + n, next->error.len - n });
    data.attachments = next->bin.items;
    data.attachment_count = next->bin.count;
    tell_error(next->socket, message, data.size ? &data : NULL);
}

/* ------------------------------------------------------------- decisions -- */

static void decision_free(struct so_decision *d)
{
    struct so_shard *shard = d->next.socket->part->shard;

    grow_free(&d->next.error);
    sp_attachments_disown(&d->next.bin);
    sio_release(d->next.socket);
    if (shard->spare_decision)
        free(d);
    else
        shard->spare_decision = d;
}

void so_decisions_free(struct so_shard *shard)
{
    free(shard->spare_decision);
    shard->spare_decision = NULL;
}

static void resume(sio_next *next);

/* Takes over what is in `slot`. */
static struct so_decision *decision_new(struct sio_event *slot,
                                        struct so_walk walk)
{
    sio_socket *socket = slot->socket;
    struct so_shard *shard = socket->part->shard;
    struct so_decision *d = shard->spare_decision;

    shard->spare_decision = NULL;
    if (!d)
        d = malloc(sizeof *d);
    if (!d)
        return NULL;
    d->next = (sio_next){ .socket = sio_retain(socket),
                          .run = resume,
                          .of_event = true,
                          .walk = walk };
    grow_init(&d->next.error, shard->hub->options.max_packet);
    sp_attachments_init(&d->next.bin);
    d->event = *slot;
    d->live = true;
    d->kept = false;
    d->bytes = 0;
    return d;
}

/* The event goes: its handlers have run, or never will. */
static void drop_event(struct so_decision *d)
{
    if (!d->live)
        return;
    d->live = false;
    so_event_release(&d->event);
    if (d->kept) {
        eng_unfinished(&d->next.socket->part->shard->engine, d->bytes, 0);
        d->next.socket->waiting--;
    }
}

static int keep(struct so_decision *d)
{
    sio_socket *socket = d->next.socket;
    size_t bytes = sizeof *d;
    int r;

    if (d->kept)
        return SIO_OK;
    if (socket->waiting == SIO_WAITING_EVENTS)
        return SIO_E_LIMIT;
    r = so_event_keep(&d->event, &bytes);
    if (r < 0)
        return r;
    if (!eng_unfinished(&socket->part->shard->engine, 0, bytes)) {
        eng_unfinished(&socket->part->shard->engine, bytes, 0);
        return SIO_E_LIMIT;
    }
    d->kept = true;
    d->bytes = bytes;
    socket->waiting++;
    return SIO_OK;
}

int sio_next_keep(sio_next *next)
{
    return next->of_event && decision_of(next)->live ? keep(decision_of(next))
                                                     : SIO_E_STATE;
}

/* Ask one after the other, as long as they answer at once: true when all have,
 * or nobody needs to be asked any more. */
static bool ask(struct so_decision *d)
{
    sio_next *next = &d->next;
    sio_socket *socket = next->socket;

    while (next->walk.at && !next->refused && d->live &&
           socket->state == SO_CONNECTED) {
        const struct so_handler *h = so_walk_next(&next->walk);

        next->answered = false;
        next->running = true;
        SO_FN(sio_event_middleware_fn, h)(socket, &d->event, next, h->user);
        next->running = false;
        if (!next->answered)
            return false;
    }
    return true;
}

/* It will be answered later, and resume() called. */
static void wait(struct so_client *client, struct so_decision *d)
{
    int r = keep(d);

    if (r == SIO_OK)
        return;
    drop_event(d); /* `next` stays until it is answered */
    so_client_violation(client, r == SIO_E_LIMIT
                                    ? "too many events wait for middlewares"
                                    : "out of memory");
}

/* Answered later, or after a wait: there is no batch any more. */
static void resume(sio_next *next)
{
    struct so_decision *d = decision_of(next);

    if (!ask(d))
        return;
    if (d->live && next->socket->state == SO_CONNECTED) {
        if (next->refused) {
            tell_refused(next);
        } else {
            SO_COUNT(next->socket->part->shard->events_in, 1);
            so_event_run(&d->event);
        }
    }
    drop_event(d);
    decision_free(d);
}

static void decide(struct so_client *client, struct sio_event *slot,
                   struct so_walk walk)
{
    struct so_decision *d = decision_new(slot, walk);

    if (!d) {
        so_event_release(slot);
        so_client_violation(client, "out of memory");
        return;
    }
    if (!ask(d)) {
        wait(client, d);
        return;
    }
    if (d->next.refused && d->next.socket->state == SO_CONNECTED)
        tell_refused(&d->next);
    if (d->kept) { /* nothing more to wait for */
        d->next.socket->waiting--;
        eng_unfinished(&client->shard->engine, d->bytes, 0);
        d->kept = false;
    }
    if (!d->next.refused && d->next.socket->state == SO_CONNECTED)
        so_batch_put(client, &d->event);
    else
        so_event_release(&d->event);
    decision_free(d);
}

void so_incoming(struct so_client *client, struct sio_event *slot)
{
    sio_socket *socket = slot->socket;
    struct so_walk walk = so_walk_of(socket->part->nsp, on_any);
    const struct so_handler *h;

    while ((h = so_walk_next(&walk)))
        SO_FN(sio_event_fn, h)(socket, slot, h->user);
    walk = so_walk_of(socket->part->nsp, event_middlewares);
    if (socket->state != SO_CONNECTED)
        so_event_release(slot);
    else if (walk.at)
        decide(client, slot, walk);
    else
        so_batch_put(client, slot);
}
