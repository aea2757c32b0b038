/*
 * without_redis.c -- what sio_redis_adapter() is when the library is built
 * without hiredis: an adapter that cannot be opened. Nor can an emitter.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sio/emitter.h>

#include <stdio.h>

static void *open_none(const sio_cluster_host *host, const void *config,
                       char *why, size_t why_size)
{
    (void)host;
    (void)config;
    snprintf(why, why_size, "the library was built without Redis");
    return NULL;
}

/* The rest is never called, but has to be there. */

static void close_none(void *self)
{
    (void)self;
}

static int add_none(void *self, sio_str nsp)
{
    (void)self;
    (void)nsp;
    return SIO_E_STATE;
}

static void remove_none(void *self, sio_str nsp)
{
    (void)self;
    (void)nsp;
}

static int send_none(void *self, const sio_cluster_request *request)
{
    (void)self;
    (void)request;
    return SIO_E_STATE;
}

static void forget_none(void *self, void *user)
{
    (void)self;
    (void)user;
}

static void no_stats(void *self, sio_cluster_stats *out)
{
    (void)self;
    (void)out;
}

const sio_cluster_ops *sio_redis_adapter(void)
{
    static const sio_cluster_ops ops = { .size = sizeof ops,
                                         .name = "redis",
                                         .open = open_none,
                                         .close = close_none,
                                         .add_namespace = add_none,
                                         .remove_namespace = remove_none,
                                         .send = send_none,
                                         .forget = forget_none,
                                         .get_stats = no_stats };

    return &ops;
}

sio_emitter *sio_emitter_new(const sio_emitter_options *options)
{
    if (options && options->log)
        options->log(options->log_user, SIO_LOG_ERROR,
                     "emitter: the library was built without Redis");
    return NULL;
}

void sio_emitter_free(sio_emitter *emitter)
{
    (void)emitter;
}

int sio_emitter_flush(sio_emitter *emitter, uint32_t timeout_ms)
{
    (void)emitter;
    (void)timeout_ms;
    return SIO_E_STATE;
}

void sio_emitter_get_stats(sio_emitter *emitter, sio_emitter_stats *out)
{
    (void)emitter;
    memset(out, 0, sizeof *out);
}

int sio_emission_emit_values(sio_emission emission, const char *event,
                             const sio_value *values, size_t count)
{
    (void)emission;
    (void)event;
    (void)values;
    (void)count;
    return SIO_E_STATE;
}

int sio_emission_sockets_join(sio_emission emission, const char *const *rooms,
                              size_t count)
{
    (void)emission;
    (void)rooms;
    (void)count;
    return SIO_E_STATE;
}

int sio_emission_sockets_leave(sio_emission emission, const char *const *rooms,
                               size_t count)
{
    (void)emission;
    (void)rooms;
    (void)count;
    return SIO_E_STATE;
}

int sio_emission_disconnect_sockets(sio_emission emission, bool close)
{
    (void)emission;
    (void)close;
    return SIO_E_STATE;
}

int sio_emission_server_side_emit_values(sio_emission emission,
                                         const char *event,
                                         const sio_value *values, size_t count)
{
    (void)emission;
    (void)event;
    (void)values;
    (void)count;
    return SIO_E_STATE;
}
