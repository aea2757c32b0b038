/*
 * sockets.c -- many sockets at once: <sio/sockets.h>. What is to be done goes
 * to every loop (bus.h); looking at them: fetch.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/socketio/bus.h"

#include <sio/sockets.h>

#include <stdlib.h>

/* ------------------------------------------------------------- selecting -- */

/* Those that matched, retained. */
struct selection {
    sio_socket **sockets;
    size_t count, cap;
};

static void collect(void *user, sio_socket *socket)
{
    struct selection *s = user;

    if (s->count < s->cap && socket->state == SO_CONNECTED)
        s->sockets[s->count++] = sio_retain(socket);
}

/* Those of one loop. */
static int select_sockets(struct so_shard *shard, sio_namespace *nsp,
                          sio_socket *socket, const sio_broadcast_options *o,
                          struct selection *s)
{
    *s = (struct selection){ 0 };
    s->cap = socket ? 1 : so_select(shard, nsp, o, NULL, NULL);
    if (s->cap == 0)
        return SIO_OK;
    s->sockets = malloc(s->cap * sizeof *s->sockets);
    if (!s->sockets)
        return SIO_E_NOMEM;
    if (socket)
        collect(s, socket);
    else
        so_select(shard, nsp, o, collect, s);
    return SIO_OK;
}

static void selection_free(struct selection *s)
{
    for (size_t i = 0; i < s->count; i++)
        sio_release(s->sockets[i]);
    free(s->sockets);
}

int sio_target_each_socket(sio_target target,
                           void (*fn)(void *user, sio_socket *socket),
                           void *user)
{
    struct so_shard *here = so_here(target.nsp->hub);
    sio_str rooms[SO_TARGET_NAMES];
    sio_broadcast_options o;
    struct selection s;
    int r = SIO_E_STATE;

    so_target_options(&target, &o, rooms);
    if (target.overflow)
        r = SIO_E_LIMIT;
    else if (here)
        r = select_sockets(here, target.nsp, target.socket, &o, &s);
    if (r < 0)
        return r;
    for (size_t i = 0; i < s.count; i++)
        fn(user, s.sockets[i]);
    r = (int)s.count;
    selection_free(&s);
    return r;
}

/* ------------------------------------------------------------ errands -- */

static int leave_rooms(sio_socket *socket, const struct so_request *request)
{
    for (size_t i = 0; i < request->room_count; i++)
        so_leave(socket, request->rooms[i]);
    return SIO_OK;
}

static int run_errand(sio_socket *socket, const struct so_request *request)
{
    switch (request->deed) {
    case SO_JOIN:
        return so_join_rooms(socket, request->rooms, request->room_count);
    case SO_LEAVE:
        return leave_rooms(socket, request);
    default:
        sio_disconnect(socket, request->close);
        return SIO_OK;
    }
}

int so_execute_errand(struct so_part *part, const struct so_request *request)
{
    struct selection s;
    int r = select_sockets(part->shard, part->nsp, request->socket,
                           &request->options, &s);

    for (size_t i = 0; r == SIO_OK && i < s.count; i++)
        if (s.sockets[i]->state == SO_CONNECTED)
            r = run_errand(s.sockets[i], request);
    selection_free(&s);
    return r;
}

static int send_to(void *user, sio_namespace *nsp)
{
    struct so_request request = *(const struct so_request *)user;

    request.nsp = nsp;
    return so_send(&request);
}

static int send_errand(const sio_target *target, struct so_request *request)
{
    sio_str rooms[SO_TARGET_NAMES];

    if (target->overflow)
        return SIO_E_LIMIT;
    so_target_options(target, &request->options, rooms);
    request->socket = target->socket;
    return so_each_target(target->nsp, send_to, request);
}

static int send_rooms(const sio_target *target, enum so_deed deed,
                      const char *const *rooms, size_t count)
{
    sio_str *names = so_names_of(rooms, count);
    struct so_request request = { .deed = deed,
                                  .rooms = names,
                                  .room_count = count };
    int r = names ? send_errand(target, &request) : SIO_E_NOMEM;

    free(names);
    return r;
}

int sio_target_sockets_join(sio_target target, const char *const *rooms,
                            size_t count)
{
    return send_rooms(&target, SO_JOIN, rooms, count);
}

int sio_target_sockets_leave(sio_target target, const char *const *rooms,
                             size_t count)
{
    return send_rooms(&target, SO_LEAVE, rooms, count);
}

int sio_target_disconnect_sockets(sio_target target, bool close)
{
    return send_errand(
        &target, &(struct so_request){ .deed = SO_DISCONNECT, .close = close });
}
