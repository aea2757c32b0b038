/*
 * ws_echo.c -- the role ws-echo: a plain WebSocket on every path, for suites
 * that test RFC 6455. Every message comes back as it came.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/servers/conformance.h"

#define MAX_FRAGMENTS                                      \
    (1u << 20) /* suites cut 4 MiB into pieces of 64 bytes \
                */

static void on_message(sio_websocket *ws, const sio_value *message, void *user)
{
    (void)user;
    sio_websocket_send(ws, message);
}

static int run(const struct settings *settings, unsigned port)
{
    static const sio_websocket_handlers handlers = { .size = sizeof handlers,
                                                     .on_message = on_message };
    sio_websocket_options options;
    sio_server *server = new_server(settings);

    if (!server)
        return 1;
    sio_websocket_options_init(&options);
    options.max_message = settings->max_payload;
    options.max_fragments = MAX_FRAGMENTS;
    options.per_message_deflate = settings->deflate;
    if (sio_on_websocket(server, &options, &handlers, NULL) != SIO_OK)
        return 1;
    return run_server(server, port);
}

const struct role ws_echo = {
    .name = "ws-echo",
    .defaults = { .ping_interval = 25000,
                  .ping_timeout = 20000,
                  .connect_timeout = 45000,
                  .max_payload = 134217728,
                  .deflate = 1 },
    .run = run,
};
