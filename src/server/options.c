/*
 * options.c -- defaults and checks of sio_options, and what errors mean.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/server/options.h"

#include <sio/version.h>

#include <stdlib.h>
#include <string.h>

void sio_options_init_sized(sio_options *options, size_t size)
{
    sio_options d = {
        .size = size,
        .path = "/socket.io",
        .ping_interval_ms = 25000,
        .ping_timeout_ms = 20000,
        .upgrade_timeout_ms = 10000,
        .connect_timeout_ms = 45000,
        .max_http_buffer_size = 1000000,
        .transports = SIO_TRANSPORT_POLLING | SIO_TRANSPORT_WEBSOCKET,
        .allow_upgrades = true,
        .max_attachments = 10,
        .max_json_depth = 1000,
        .max_buffered_amount = 16u << 20,
        .loops = 1,
        .handle_signals = true,
        .log_level = SIO_LOG_WARN,
    };

    memset(options, 0, size);
    memcpy(options, &d, size < sizeof d ? size : sizeof d);
}

void options_read(sio_options *out, const sio_options *given)
{
    size_t known = sizeof *out;

    sio_options_init(out);
    if (!given)
        return;
    memcpy(out, given, given->size < known ? given->size : known);
    out->size = known;
}

const char *options_check(const sio_options *o)
{
    const unsigned all = SIO_TRANSPORT_POLLING | SIO_TRANSPORT_WEBSOCKET;

    if (!o->path || o->path[0] != '/')
        return "path: must begin with \"/\"";
    if (strpbrk(o->path, "?# \t\r\n"))
        return "path: must not hold blanks, \"?\" or \"#\"";
    if (o->ping_interval_ms == 0 || o->ping_timeout_ms == 0)
        return "ping_interval_ms, ping_timeout_ms: must be at least 1";
    if (o->upgrade_timeout_ms == 0)
        return "upgrade_timeout_ms: must be at least 1";
    if (o->max_http_buffer_size == 0)
        return "max_http_buffer_size: must be at least 1 byte";
    if (o->transports == 0 || (o->transports & ~all))
        return "transports: SIO_TRANSPORT_POLLING, _WEBSOCKET or both";
    if (o->max_json_depth == 0 || o->max_json_depth > 1000)
        return "max_json_depth: 1 to 1000";
    if (o->max_attachments == 0 || o->max_attachments > 1000)
        return "max_attachments: 1 to 1000";
    if (o->max_buffered_amount < 4096)
        return "max_buffered_amount: must be at least 4096 bytes";
    if (o->loops != 1)
        return "loops: only one loop is supported so far";
    if (o->cors_origin && strpbrk(o->cors_origin, "\r\n"))
        return "cors_origin: must not hold line ends";
    return NULL;
}

char *options_path(const char *path)
{
    size_t n = strlen(path);
    char *out = malloc(n + 2);

    if (!out)
        return NULL;
    memcpy(out, path, n);
    if (out[n - 1] != '/')
        out[n++] = '/';
    out[n] = 0;
    return out;
}

const char *sio_strerror(int error)
{
    switch (error) {
        /* clang-format off */
#define X(name, number, text) case number: return text;
        SIO_ERRORS(X)
#undef X
        /* clang-format on */
    default:
        return "unknown error";
    }
}

const char *sio_version(void)
{
    return SIO_VERSION;
}
