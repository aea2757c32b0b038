/*
 * connect.c -- the way into a namespace: middlewares, CONNECT and
 * CONNECT_ERROR.
 *
 *   CONNECT --> so_socket_connect() --> (dynamic.c: a rule) --> middlewares
 *           --> let_in(): its own room, the CONNECT reply, on_connection
 *           --> or so_turn_away()
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/socketio/client2.h"
#include "src/socketio/recovery_abroad.h"

#include "protocol/base/quote.h"

#include <stdio.h>
#include <stdlib.h>

static void send_connect(sio_socket *socket)
{
    char json[2 * SO_ID_LEN + 32];
    sio_value payload;
    int n;

    if (socket->v2) {
        so_client_send(socket->client, SP_CONNECT,
                       map_key(&socket->part->nsp->node), NULL);
        return;
    }
    n = socket->resume
            ? snprintf(json, sizeof json, "{\"sid\":\"%s\",\"pid\":\"%s\"}",
                       socket->id, socket->resume->pid)
            : snprintf(json, sizeof json, "{\"sid\":\"%s\"}", socket->id);
    payload = so_payload((sio_str){ json, (size_t)n });
    so_client_send(socket->client, SP_CONNECT,
                   map_key(&socket->part->nsp->node), &payload);
}

int so_socket_attach(sio_socket *socket)
{
    struct so_part *part = socket->part;

    if (socket->slot)
        return SIO_OK;
    return part->ops->add(part->adapter, socket,
                          (sio_str){ socket->id, socket->id_len },
                          &socket->slot);
}

/* It has no rooms yet, or those that middlewares have put it in. */
static int join_own(sio_socket *socket)
{
    struct so_part *part = socket->part;
    int r = so_socket_attach(socket);

    return r < 0 ? r
                 : part->ops->join(part->adapter, socket->slot,
                                   (sio_str){ socket->id, socket->id_len });
}

static void let_in(sio_socket *socket)
{
    struct so_client *client = socket->client;
    struct so_part *part = socket->part;
    struct so_walk walk = so_walk_of(part->nsp, on_connection);
    const struct so_handler *h;
    int r = join_own(socket);

    if (socket->state != SO_CONNECTING)
        return; /* a handler of rooms has closed the client */
    if (r < 0) {
        so_client_violation(client, "out of memory");
        return;
    }
    r = so_resume_end(socket);
    if (r < 0) {
        so_client_violation(client, r == SIO_E_NOMEM ? "out of memory"
                                                     : "recovered too late");
        return;
    }
    socket->state = SO_CONNECTED;
    SO_COUNT(part->socket_count, 1);
    SO_COUNT(part->shard->socket_count, 1);
    send_connect(socket);
    net_timer_stop(&client->timer);
    while (socket->state == SO_CONNECTED && (h = so_walk_next(&walk)))
        SO_FN(sio_connection_fn, h)(socket, h->user);
}

void so_turn_away(sio_socket *socket, const sio_value *payload)
{
    so_client_send(socket->client, SP_CONNECT_ERROR,
                   map_key(&socket->part->nsp->node),
                   payload->size ? payload : NULL);
    so_socket_leave(socket, "refused");
}

static void refuse(const sio_next *next)
{
    sio_value payload = so_payload(grow_str(&next->error));

    payload.attachments = next->bin.items;
    payload.attachment_count = next->bin.count;
    so_turn_away(next->socket, &payload);
}

void so_next_free(sio_next *next)
{
    grow_free(&next->error);
    sp_attachments_disown(&next->bin);
    sio_release(next->socket);
    free(next);
}

/* Ask one middleware after the other, as long as they answer at once. */
static void ask_middlewares(sio_next *next)
{
    sio_socket *socket = next->socket;

    while (next->walk.at && !next->refused && socket->state == SO_CONNECTING) {
        const struct so_handler *h = so_walk_next(&next->walk);

        next->answered = false;
        next->running = true;
        SO_FN(sio_middleware_fn, h)(socket, next, h->user);
        next->running = false;
        if (!next->answered)
            return; /* it will, later: resume() */
    }
    if (socket->state == SO_CONNECTING) {
        if (next->refused)
            refuse(next);
        else
            let_in(socket);
    }
    so_next_free(next);
}

static void on_next_mail(struct net_mail *mail)
{
    sio_next *next = container_of(mail, sio_next, mail);

    next->answered = true;
    if (!next->running)
        next->run(next);
}

static void resume(sio_next *next)
{
    struct net_loop *loop = next->socket->part->shard->loop;

    next->mail.run = on_next_mail;
    /* An event's handlers do not run within the call that lets it pass. */
    if (net_loop_is_current(loop) && (next->running || !next->of_event))
        on_next_mail(&next->mail);
    else
        net_post(loop, &next->mail);
}

void sio_next_ok(sio_next *next)
{
    resume(next);
}

static int append_error(struct grow *out, struct sp_attachments *bin,
                        const char *message, const sio_value *data)
{
    int r = grow_append(out, "{\"message\":", 11);

    if (r == SIO_OK)
        r = json_append_string(out, str_of(message ? message : ""));
    if (r == SIO_OK && data) {
        r = grow_append(out, ",\"data\":", 8);
        if (r == SIO_OK)
            r = sp_encode_value(out, bin, data);
    }
    return r == SIO_OK ? grow_append_byte(out, '}') : r;
}

static int append_event_error(struct grow *out, struct sp_attachments *bin,
                              const char *message, const sio_value *data)
{
    int r = grow_append(out, message, strlen(message) + 1);

    return r == SIO_OK && data ? sp_encode_value(out, bin, data) : r;
}

static int error_payload(sio_next *next, const char *message,
                         const sio_value *data)
{
    struct grow *out = &next->error;
    int r;

    if (next->of_event)
        r = append_event_error(out, &next->bin, message ? message : "", data);
    else
        r = next->socket->v2 ? so_client2_error(out, &next->bin, message, data)
                             : append_error(out, &next->bin, message, data);
    return r == SIO_OK ? sp_attachments_own(&next->bin, 0) : r;
}

void sio_next_error(sio_next *next, const char *message, const sio_value *data)
{
    next->refused = true;
    if (error_payload(next, message, data) < 0) {
        next->error.len = 0; /* refuse all the same */
        next->bin.count = 0;
        error_payload(next, "refused", NULL);
    }
    resume(next);
}

sio_next *so_next_new(sio_socket *socket, void (*run)(sio_next *next))
{
    sio_next *next = calloc(1, sizeof *next);

    if (!next) {
        so_client_violation(socket->client, "out of memory");
        return NULL;
    }
    next->socket = sio_retain(socket);
    next->run = run;
    grow_init(&next->error, socket->part->nsp->hub->options.max_packet);
    return next;
}

void so_start_middlewares(sio_socket *socket, sio_next *next)
{
    struct so_walk walk = so_walk_of(socket->part->nsp, middlewares);

    if (so_comeback_begin(socket, next))
        return;
    if (so_resume_rooms(socket) < 0)
        so_client_violation(socket->client, "out of memory");
    if (socket->state != SO_CONNECTING) { /* or a handler of rooms closed it */
        if (next)
            so_next_free(next);
        return;
    }
    if (sio_recovered(socket) && socket->part->nsp->hub->options.recovery_skips)
        walk = so_walk_both(NULL, NULL);
    if (walk.at && !next) {
        next = so_next_new(socket, ask_middlewares);
        if (!next)
            return;
    }
    if (next) {
        next->run = ask_middlewares;
        next->walk = walk;
        ask_middlewares(next);
    } else {
        let_in(socket);
    }
}

void so_socket_connect(struct so_client *client, const struct sp_packet *p)
{
    sio_namespace *nsp = so_namespace_enter(client->shard, p->nsp);
    sio_socket *socket;

    if (!nsp) {
        so_dynamic_connect(client, p);
        return;
    }
    if (nsp->kind == SO_CHILD && !so_dynamic_room(client, p->nsp)) {
        so_namespace_leave(nsp);
        return;
    }
    socket = so_socket_new(client, nsp, p->json);
    if (socket)
        so_start_middlewares(socket, NULL);
}
