/*
 * redis_settings.c -- what a sio_redis_options says; see redis_transport.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/adapter/redis_streams.h"

#include <string.h>

void redis_settings_read(sio_redis_options *out, const sio_redis_options *given)
{
    sio_redis_options_init(out);
    if (given)
        memcpy(out, given,
               given->size < sizeof *out ? given->size : sizeof *out);
    out->size = sizeof *out;
}

static const char *problem_of_streams(const sio_redis_options *o)
{
    if (!o->stream_name || !o->session_key_prefix)
        return "stream_name, session_key_prefix: are needed";
    if (o->stream_count < 1 || o->stream_count > REDIS_STREAMS_MAX)
        return "stream_count: has to be 1 to 256";
    if (!o->max_len || !o->read_count || !o->block_time_ms)
        return "max_len, read_count, block_time_ms: have to be at least 1";
    return NULL;
}

const char *redis_settings_problem(const sio_redis_options *o)
{
    if (o->adapter < SIO_REDIS_CLASSIC || o->adapter > SIO_REDIS_STREAMS)
        return "adapter: no such value";
    if (o->subscription_mode < SIO_REDIS_DYNAMIC ||
        o->subscription_mode > SIO_REDIS_DYNAMIC_PRIVATE)
        return "subscription_mode: no such value";
    if (!o->prefix)
        return "prefix: is needed";
    if (!o->requests_timeout_ms)
        return "requests_timeout_ms: has to be at least 1";
    return o->adapter == SIO_REDIS_STREAMS ? problem_of_streams(o) : NULL;
}

enum pr_mode redis_settings_mode(const sio_redis_options *o)
{
    static const uint8_t modes[] = {
        [SIO_REDIS_DYNAMIC] = PR_DYNAMIC,
        [SIO_REDIS_STATIC] = PR_STATIC,
        [SIO_REDIS_DYNAMIC_PRIVATE] = PR_DYNAMIC_PRIVATE,
    };

    return (enum pr_mode)modes[o->subscription_mode];
}

void redis_settings_client(const sio_redis_options *o,
                           struct redis_options *out)
{
    redis_options_init(out);
    out->url = o->url;
    out->user = o->user;
    out->password = o->password;
    out->db = o->db;
    out->cluster = o->cluster;
    out->tls_ca = o->tls_ca;
    out->tls_certificate = o->tls_certificate;
    out->tls_key = o->tls_key;
    out->tls_key_password = o->tls_key_password;
    out->tls_insecure = o->tls_insecure;
    out->connect_timeout_ms = o->connect_timeout_ms;
    out->command_timeout_ms = o->command_timeout_ms;
    out->max_queued = o->max_queued;
    out->max_reply = o->max_reply;
}
