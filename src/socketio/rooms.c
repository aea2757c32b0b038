/*
 * rooms.c -- the rooms that one socket is in: <sio/socket.h>. Who is in a room
 * is the adapter's to know.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/socketio/hub.h"

#include <stdlib.h>

sio_str *so_names_of(const char *const *names, size_t count)
{
    sio_str *all = malloc((count ? count : 1) * sizeof *all);

    for (size_t i = 0; all && i < count; i++)
        all[i] = str_of(names[i]);
    return all;
}

int so_join(sio_socket *socket, sio_str room)
{
    struct so_part *part = socket->part;
    int r;

    if (socket->state == SO_GONE)
        return SIO_E_STATE;
    r = so_socket_attach(socket);
    if (r < 0)
        return r;
    return part->ops->join(part->adapter, socket->slot, room);
}

int sio_join(sio_socket *socket, const char *room)
{
    return so_join(socket, str_of(room));
}

static bool in_room(const sio_socket *socket, sio_str room)
{
    struct so_part *part = socket->part;

    return socket->slot &&
           part->ops->in_room(part->adapter, socket->slot, room);
}

/* What was joined is left again when the rest cannot be. */
int so_join_rooms(sio_socket *socket, const sio_str *rooms, size_t count)
{
    bool *had = count > 1 ? calloc(count, sizeof *had) : NULL;
    int r = count > 1 && !had ? SIO_E_NOMEM : SIO_OK;
    size_t n = 0;

    while (r == SIO_OK && n < count) {
        if (had)
            had[n] = in_room(socket, rooms[n]);
        r = so_join(socket, rooms[n]);
        n += r == SIO_OK;
    }
    while (r < 0 && n-- > 0)
        if (!had[n])
            so_leave(socket, rooms[n]);
    free(had);
    return r;
}

int sio_join_rooms(sio_socket *socket, const char *const *rooms, size_t count)
{
    sio_str *names = so_names_of(rooms, count);
    int r = names ? so_join_rooms(socket, names, count) : SIO_E_NOMEM;

    free(names);
    return r;
}

int so_leave(sio_socket *socket, sio_str room)
{
    struct so_part *part = socket->part;

    if (socket->state == SO_GONE)
        return SIO_E_STATE;
    if (socket->slot)
        part->ops->leave(part->adapter, socket->slot, room);
    return SIO_OK;
}

int sio_leave(sio_socket *socket, const char *room)
{
    return so_leave(socket, str_of(room));
}

int sio_leave_all(sio_socket *socket)
{
    struct so_part *part = socket->part;
    void *slot = socket->slot;

    if (socket->state == SO_GONE)
        return SIO_E_STATE;
    if (!slot)
        return SIO_OK;
    socket->slot = NULL; /* handlers of rooms run in between */
    part->ops->remove(part->adapter, slot);
    return socket->state == SO_GONE ? SIO_OK : so_socket_attach(socket);
}

bool sio_in_room(const sio_socket *socket, const char *room)
{
    return in_room(socket, str_of(room));
}

size_t sio_each_room(const sio_socket *socket,
                     void (*fn)(void *user, sio_str room), void *user)
{
    struct so_part *part = socket->part;

    return socket->slot
               ? part->ops->each_room(part->adapter, socket->slot, fn, user)
               : 0;
}
