/*
 * eio_echo.c -- the role eio-echo: large messages, and no heartbeat that could
 * get in their way.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/servers/conformance.h"

const struct role eio_echo = {
    .name = "eio-echo",
    .defaults = { .ping_interval = 300000,
                  .ping_timeout = 200000,
                  .connect_timeout = 1000,
                  .max_payload = 67108864,
                  .deflate = 1,
                  .unmatched = 501 },
    .run = engine_echo,
};
