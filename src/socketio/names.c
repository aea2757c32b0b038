/*
 * names.c -- names on their way to a loop: copies of what is borrowed.
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
