/*
 * protocol_eio.c -- the role protocol-eio: what the official Engine.IO protocol
 * suite wants to talk to.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/servers/conformance.h"

const struct role protocol_eio = {
    .name = "protocol-eio",
    .defaults = { .ping_interval = 300,
                  .ping_timeout = 200,
                  .connect_timeout = 1000,
                  .max_payload = 1000000,
                  .unmatched = 501 },
    .run = engine_echo,
};
