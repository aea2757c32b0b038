/*
 * cluster_options.c -- defaults of sio_redis_options; see <sio/redis.h>. They
 * are there also when the adapters are not.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/redis/channel.h"

#include <sio/redis.h>

#include <string.h>

void sio_redis_options_init_sized(sio_redis_options *options, size_t size)
{
    const sio_redis_options d = {
        .size = size,
        .url = "redis://127.0.0.1",
        .connect_timeout_ms = 5000,
        .command_timeout_ms = 5000,
        .max_queued = 64u << 20,
        .max_reply = 64u << 20,
        .prefix = PR_PREFIX,
        .requests_timeout_ms = 5000,
        .stream_name = PR_STREAM,
        .stream_count = 1,
        .max_len = 10000,
        .read_count = 100,
        .block_time_ms = 5000,
        .session_key_prefix = PR_SESSION_PREFIX,
    };

    memset(options, 0, size);
    memcpy(options, &d, size < sizeof d ? size : sizeof d);
}
