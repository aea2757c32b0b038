/*
 * socket.c -- a client in a namespace: its life, what is delivered to it, the
 * way out. <sio/socket.h>. The way in is connect.c; rooms.c, handshake.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/socketio/client2.h"
#include "src/socketio/recovery_abroad.h"

#include "protocol/socketio/scan.h"
#include "src/net/random.h"

#include <stddef.h>
#include <stdlib.h>
#include <time.h>

/* ------------------------------------------------------------- lifetime -- */

static void socket_free(sio_socket *socket)
{
    if (socket->free_data)
        socket->free_data(socket->data);
    if (socket->few)
        free(socket->few->data_json);
    free(socket->few);
    so_resume_free(socket);
    so_namespace_unref(socket->part->nsp);
    free(socket);
}

uint64_t so_wall_clock_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

struct so_few *so_few_of(sio_socket *socket)
{
    if (socket->few)
        return socket->few;
    socket->few = calloc(1, sizeof *socket->few);
    if (socket->few)
        list_init(&socket->few->acks);
    return socket->few;
}

static int make_id(sio_socket *socket)
{
    struct so_client *client = socket->client;
    sio_str nsp = map_key(&socket->part->nsp->node);

    if (!socket->v2)
        return net_random_id(socket->id, &client->shard->id_counter);
    so_client2_id(client, nsp, socket->id);
    return SIO_OK;
}

sio_socket *so_socket_new(struct so_client *client, sio_namespace *nsp,
                          sio_str auth)
{
    bool v2 = eng_is_v3(client->session);
    size_t id_len =
        v2 ? so_client2_id(client, map_key(&nsp->node), NULL) : SO_ID_LEN;
    size_t auth_len = auth.n > 2 ? auth.n : 0;
    sio_socket *socket =
        calloc(1, offsetof(sio_socket, id) + id_len + 1 + auth_len);

    if (!socket) {
        so_namespace_leave(nsp);
        so_client_violation(client, "out of memory");
        return NULL;
    }
    atomic_init(&socket->refs, 1);
    socket->state = SO_CONNECTING;
    socket->v2 = v2;
    socket->id_len = (uint32_t)id_len;
    socket->auth_len = (uint32_t)auth_len;
    if (auth_len)
        memcpy(socket->id + id_len + 1, auth.p, auth_len);
    socket->client = client;
    socket->part = so_part_of(so_namespace_ref(nsp), client->shard);
    socket->issued_ms = so_wall_clock_ms();
    list_init(&socket->node);
    if (make_id(socket) < 0 || so_resume_begin(socket) < 0) {
        so_namespace_leave(nsp);
        socket_free(socket);
        so_client_violation(client, "out of memory");
        return NULL;
    }
    list_append(&client->sockets, &socket->node);
    SO_COUNT(socket->part->members, 1);
    return socket;
}

sio_socket *sio_retain(sio_socket *socket)
{
    atomic_fetch_add_explicit(&socket->refs, 1, memory_order_relaxed);
    return socket;
}

void sio_release(sio_socket *socket)
{
    if (socket &&
        atomic_fetch_sub_explicit(&socket->refs, 1, memory_order_acq_rel) == 1)
        socket_free(socket);
}

/* Our own reference goes at the end of the turn: a handler further up the stack
 * may still use the pointer. */
static void last_release(struct net_deferred *d)
{
    sio_release(container_of(d, sio_socket, cleanup));
}

/* -------------------------------------------------------------- leaving -- */

static void tell(struct so_walk walk, sio_socket *socket, const char *reason)
{
    const struct so_handler *h;

    while ((h = so_walk_next(&walk)))
        SO_FN(sio_disconnect_fn, h)(socket, reason, h->user);
}

void so_socket_leave(sio_socket *socket, const char *reason)
{
    struct so_part *part = socket->part;
    sio_namespace *nsp = part->nsp;
    bool was_connected = socket->state == SO_CONNECTED;
    struct so_session *session = NULL;
    void *slot;

    if (socket->leaving)
        return;
    socket->leaving = true;
    list_remove(&socket->node);
    if (was_connected)
        tell(so_walk_of(nsp, on_disconnecting), socket, reason);
    if (was_connected || sio_recovered(socket))
        session = so_session_new(socket, reason);
    socket->state = SO_GONE;
    slot = socket->slot;
    socket->slot = NULL;
    if (slot)
        part->ops->remove(part->adapter, slot);
    if (was_connected) {
        SO_COUNT(part->socket_count, -1);
        SO_COUNT(part->shard->socket_count, -1);
        so_count_left(part->shard, reason);
        tell(so_walk_of(nsp, on_disconnect), socket, reason);
    }
    if (session)
        so_session_keep(part, session);
    socket->client = NULL;
    so_acks_abandon(socket);
    SO_COUNT(part->members, -1);
    so_namespace_leave(nsp);
    net_defer(part->shard->loop, &socket->cleanup, last_release);
}

static void disconnect_client(struct so_client *client)
{
    while (!list_empty(&client->sockets)) {
        sio_socket *socket =
            container_of(client->sockets.next, sio_socket, node);

        if (socket->state == SO_CONNECTED)
            so_client_send(client, SP_DISCONNECT,
                           map_key(&socket->part->nsp->node), NULL);
        so_socket_leave(socket, "server namespace disconnect");
    }
    eng_close(client->session);
}

/* How far the server's own goodbye goes. */
enum leaving_how { LEAVE_NAMESPACE, LEAVE_CLIENT, LEAVE_WORDLESS };

static void leave_here(sio_socket *socket, enum leaving_how how)
{
    struct so_client *client = socket->client;

    if (socket->state != SO_CONNECTED || socket->leaving)
        return;
    switch (how) {
    case LEAVE_WORDLESS:
        eng_close(client->session);
        return;
    case LEAVE_CLIENT:
        disconnect_client(client);
        return;
    case LEAVE_NAMESPACE:
        so_client_send(client, SP_DISCONNECT, map_key(&socket->part->nsp->node),
                       NULL);
        so_client_note_left(client, socket->part->nsp);
        so_socket_leave(socket, "server namespace disconnect");
    }
}

struct leave_mail {
    struct net_mail mail;
    sio_socket *socket;
    enum leaving_how how;
};

static void on_leave_mail(struct net_mail *mail)
{
    struct leave_mail *m = container_of(mail, struct leave_mail, mail);

    leave_here(m->socket, m->how);
    sio_release(m->socket);
    free(m);
}

static void leave(sio_socket *socket, enum leaving_how how)
{
    struct net_loop *loop = socket->part->shard->loop;
    struct leave_mail *m;

    if (net_loop_is_current(loop)) {
        leave_here(socket, how);
        return;
    }
    m = malloc(sizeof *m);
    if (!m)
        return;
    *m =
        (struct leave_mail){ { NULL, on_leave_mail }, sio_retain(socket), how };
    net_post(loop, &m->mail);
}

void sio_disconnect(sio_socket *socket, bool close)
{
    leave(socket, close ? LEAVE_CLIENT : LEAVE_NAMESPACE);
}

void sio_close_connection(sio_socket *socket)
{
    leave(socket, LEAVE_WORDLESS);
}

/* ------------------------------------------------------------ delivering -- */

void so_socket_send(sio_socket *socket, sio_packet *packet, unsigned flags)
{
    struct eng_session *session =
        socket->client ? socket->client->session : NULL;

    if (!session ||
        so_drops(socket->part->shard, session, flags & SIO_FLAG_VOLATILE))
        return;
    SO_COUNT(socket->part->shard->events_out, 1);
    eng_send_packet(session, packet, !(flags & SIO_FLAG_NO_COMPRESS));
}

void so_socket_deliver(void *self, sio_socket *socket, sio_packet *packet,
                       unsigned flags)
{
    (void)self;
    if (socket->state == SO_CONNECTED)
        so_socket_send(socket, packet, flags);
    else if (socket->resume && socket->resume->waiting &&
             so_recovers_abroad(socket->part->nsp->hub) &&
             !(flags & SIO_FLAG_VOLATILE))
        so_missed_keep(socket, packet);
}
