/*
 * redis_url.h -- where a Redis server is, and who we are there.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_ADAPTER_REDIS_URL_H
#define SRC_ADAPTER_REDIS_URL_H

#include "protocol/base/arena.h"

#include <sio/types.h>

#define REDIS_PORT 6379
#define REDIS_SEEDS_MAX 32 /* servers of a url */

struct redis_url {
    bool tls;
    const char *user, *password; /* NULL: none */
    unsigned db;
    size_t count;
    struct {
        const char *host; /* as net_dial() takes it: no brackets */
        uint16_t port;
    } servers[REDIS_SEEDS_MAX];
};

/* See redis_options.url. Strings are in `arena`. SIO_OK, SIO_E_ADDRESS,
 * SIO_E_NOMEM. */
int redis_url_parse(const char *text, struct arena *arena,
                    struct redis_url *out);

#endif
