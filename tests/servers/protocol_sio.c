/*
 * protocol_sio.c -- the role protocol-sio: what the official Socket.IO protocol
 * suite wants to talk to.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/servers/conformance.h"
#include "tests/servers/values.h"

static void on_message(sio_socket *socket, sio_event *event, void *user)
{
    (void)user;
    echo_as(socket, event, "message-back");
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
    sio_on(root, "message-with-ack", on_ack, NULL);
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
