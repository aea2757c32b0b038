/*
 * engine_echo.c -- what the roles on plain Engine.IO share: every message comes
 * back as it came.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/servers/conformance.h"

static void on_message(sio_session *session, const sio_value *message,
                       void *user)
{
    (void)user;
    sio_session_send(session, message);
}

int engine_echo(const struct settings *settings, unsigned port)
{
    static const sio_engine_handlers handlers = { .size = sizeof handlers,
                                                  .on_message = on_message };
    sio_options options;
    sio_server *server = new_server(settings);

    if (!server)
        return 1;
    server_options(settings, &options);
    options.path = "/engine.io";
    options.per_message_deflate = settings->deflate;
    options.per_message_deflate_threshold = 0;
    if (!sio_engine_new(server, &options, &handlers, NULL))
        return 1;
    return run_server(server, port);
}
