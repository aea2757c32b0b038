/*
 * target.c -- a target on its way to the loop: its own copy of what it borrows.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/socketio/hub.h"

/* How long `*name` is with its NUL; moved to `to` unless that is NULL. */
static size_t move_name(const char **name, char *to)
{
    size_t n = strlen(*name) + 1;

    if (to) {
        memcpy(to, *name, n);
        *name = to;
    }
    return n;
}

size_t so_names_move(const char **names, size_t count, char *to)
{
    size_t n = 0;

    for (size_t i = 0; i < count; i++)
        n += move_name(&names[i], to ? to + n : NULL);
    return n;
}

size_t so_target_move(sio_target *t, char *to)
{
    size_t n = so_names_move(t->rooms, t->room_count, to);

    return n + so_names_move(t->except, t->except_count, to ? to + n : NULL);
}

void so_target_hold(const sio_target *t)
{
    so_namespace_ref(t->nsp);
    if (t->socket)
        sio_retain(t->socket);
    if (t->sender)
        sio_retain(t->sender);
}

void so_target_drop(const sio_target *t)
{
    sio_release(t->socket);
    sio_release(t->sender);
    so_namespace_unref(t->nsp);
}
