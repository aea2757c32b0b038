/*
 * server_args.c -- arguments and handlers that the parts of the server share.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/e2e/server.h"

#include <stdio.h>

int register_handlers(sio_namespace *nsp, const struct handler *handlers,
                      size_t count)
{
    int rc = SIO_OK;

    for (size_t i = 0; i < count && !rc; i++)
        rc = sio_on(nsp, handlers[i].event, handlers[i].fn, NULL);
    return rc;
}

size_t pass(const sio_event *event, size_t first,
            sio_value values[SIO_MAX_VALUES])
{
    size_t n = 0;

    for (size_t i = first; i < sio_arg_count(event) && n < SIO_MAX_VALUES; i++)
        values[n++] = sio_arg(event, i);
    return n;
}

const char *string_arg(sio_event *event, size_t i)
{
    const char *text = "";

    sio_arg_string(event, i, &text, NULL);
    return text;
}

int64_t int_arg(const sio_event *event, size_t i)
{
    int64_t n = 0;

    sio_arg_int(event, i, &n);
    return n;
}

void ack_tree(sio_event *event, cJSON *tree)
{
    sio_ack(event, sio_json(tree));
    cJSON_Delete(tree);
}

void add_room(void *array, sio_str room)
{
    char name[128];

    snprintf(name, sizeof name, "%.*s", (int)room.n, room.p);
    cJSON_AddItemToArray(array, cJSON_CreateString(name));
}

void on_echo(sio_socket *socket, sio_event *event, void *user)
{
    sio_value values[SIO_MAX_VALUES];
    size_t n = pass(event, 0, values);

    (void)user;
    sio_socket_emit_values(socket, "echo", values, n);
}

void on_ack(sio_socket *socket, sio_event *event, void *user)
{
    sio_value values[SIO_MAX_VALUES];
    size_t n = pass(event, 0, values);

    (void)socket, (void)user;
    sio_ack_values(event, values, n);
}

void on_hello(sio_socket *socket, void *user)
{
    (void)user;
    sio_emit(socket, "hello", sio_string(sio_id(socket)));
}
