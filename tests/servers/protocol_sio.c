/*
 * protocol_sio.c -- the role protocol-sio: what the official Socket.IO protocol
 * suite wants to talk to.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/servers/conformance.h"

#include <stdlib.h>

/* All arguments of the event, to be passed on; free() it. */
static sio_value *all_args(const sio_event *event, size_t *count)
{
    size_t n = sio_arg_count(event);
    sio_value *values = calloc(n + 1, sizeof *values);

    *count = values ? n : 0;
    for (size_t i = 0; i < *count; i++)
        values[i] = sio_arg(event, i);
    return values;
}

static void on_message(sio_socket *socket, sio_event *event, void *user)
{
    size_t count;
    sio_value *values = all_args(event, &count);

    (void)user;
    sio_socket_emit_values(socket, "message-back", values, count);
    free(values);
}

static void on_message_with_ack(sio_socket *socket, sio_event *event,
                                void *user)
{
    size_t count;
    sio_value *values = all_args(event, &count);

    (void)socket;
    (void)user;
    sio_ack_values(event, values, count);
    free(values);
}

static void on_connection(sio_socket *socket, void *user)
{
    sio_str auth = sio_auth(socket);

    (void)user;
    sio_emit(socket, "auth", sio_raw_json(auth.p, auth.n));
}

static int run(const struct settings *settings, unsigned port)
{
    sio_server *server = new_server(settings);
    sio_namespace *root = server ? sio_of(server, "/") : NULL;
    sio_namespace *custom = server ? sio_of(server, "/custom") : NULL;

    if (!root || !custom)
        return 1;
    sio_on_connection(root, on_connection, NULL);
    sio_on(root, "message", on_message, NULL);
    sio_on(root, "message-with-ack", on_message_with_ack, NULL);
    sio_on_connection(custom, on_connection, NULL);
    return run_server(server, port);
}

const struct role protocol_sio = {
    .name = "protocol-sio",
    .defaults = { .ping_interval = 300,
                  .ping_timeout = 200,
                  .connect_timeout = 1000,
                  .max_payload = 1000000 },
    .run = run,
};
