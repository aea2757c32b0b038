/*
 * redis_adapter.c -- sio_redis_adapter(): what the server calls, for whichever
 * transport the options name. See <sio/redis.h>, <sio/adapter.h>.
 *
 *   server --> sio_cluster_ops --> node.h --> redis_transport.h --> Redis
 *
 * The client of Redis is on a net_loop of its own, which the event_base of the
 * server's main loop runs.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/base/str.h"
#include "src/adapter/redis_streams.h"
#include "src/net/conn.h"

#include <stdio.h>
#include <stdlib.h>

struct adapter {
    const sio_cluster_host *host;
    sio_redis_options options;
    struct net_loop loop;
    struct cl_node node;
    struct redis_transport transport;
    struct redis *redis;
    enum redis_state state; /* that was logged last */
    bool was_ready;
};

static const struct cl_transport_ops *const transports[] = {
    [SIO_REDIS_CLASSIC] = &redis_classic_ops,
    [SIO_REDIS_SHARDED] = &redis_sharded_ops,
    [SIO_REDIS_STREAMS] = &redis_streams_ops,
};

/* ------------------------------------------------------------- the state -- */

/* The worst of all clients. */
static enum redis_state state_of(const struct adapter *a,
                                 const struct redis_stats *s, const char **why)
{
    *why = s->why;
    return s->state == REDIS_READY ? redis_streams_state(&a->transport, why)
                                   : s->state;
}

/* One line for each change; other reasons for the same state are none. */
static void on_change(void *self)
{
    struct adapter *a = self;
    const bool first = !a->was_ready;
    enum redis_state state;
    struct redis_stats s;
    const char *why;
    char line[300];

    redis_get_stats(a->redis, &s);
    state = state_of(a, &s, &why);
    if (state == a->state)
        return;
    a->state = state;
    if (state == REDIS_READY) {
        a->was_ready = true;
        a->host->log(a->host->self, first ? SIO_LOG_INFO : SIO_LOG_WARN,
                     first ? "cluster: connected to Redis"
                           : "cluster: connected to Redis again");
    } else if (state == REDIS_DEGRADED) {
        snprintf(line, sizeof line,
                 "cluster: other servers may not be reached: %.200s", why);
        a->host->log(a->host->self, SIO_LOG_ERROR, line);
    }
}

static void on_state(void *self, enum redis_state state, const char *why)
{
    (void)state;
    (void)why;
    on_change(self);
}

static const struct redis_ops redis_ops = { on_state };

static void get_stats(void *self, sio_cluster_stats *out)
{
    const struct adapter *a = self;
    struct redis_stats s;
    const char *why;

    redis_get_stats(a->redis, &s);
    cl_get_stats(&a->node, out);
    out->state = redis_cluster_state(state_of(a, &s, &why));
    if (out->state != SIO_CLUSTER_READY)
        snprintf(out->reason, sizeof out->reason, "%.*s",
                 SIO_CLUSTER_REASON - 1, why);
    redis_streams_add_stats(&a->transport, &s);
    out->queued_bytes = s.queued;
    out->connects = s.connects;
    out->disconnects = s.failures;
}

/* ---------------------------------------------------- beginning and end -- */

/* The loop is there. */
static int open_node(struct adapter *a, char *why, size_t why_size)
{
    struct redis_options client;
    int r = cl_node_init(&a->node, a->host, &a->loop,
                         transports[a->options.adapter], &a->transport,
                         a->options.requests_timeout_ms);

    if (r < 0) {
        snprintf(why, why_size, "%s", sio_strerror(r));
        return r;
    }
    snprintf(why, why_size, "out of memory");
    redis_settings_client(&a->options, &client);
    r = redis_open(&a->loop, &client, &redis_ops, a, &a->redis, why, why_size);
    if (r < 0)
        return r;
    redis_transport_init(&a->transport, &a->options, &a->node, a->redis);
    if (a->options.adapter != SIO_REDIS_STREAMS)
        return SIO_OK;
    r = redis_streams_open(&a->transport, &client, on_change, a, why, why_size);
    if (r < 0) {
        redis_close(a->redis);
        redis_transport_free(&a->transport);
    }
    return r;
}

static void *adapter_open(const sio_cluster_host *host, const void *config,
                          char *why, size_t why_size)
{
    const struct net_loop_config on_base = { .base = host->event_base };
    struct adapter *a = calloc(1, sizeof *a);
    const char *problem;

    snprintf(why, why_size, "out of memory");
    if (!a)
        return NULL;
    a->host = host;
    a->state = REDIS_CONNECTING;
    redis_settings_read(&a->options, config);
    problem = redis_settings_problem(&a->options);
    if (problem)
        snprintf(why, why_size, "%s", problem);
    if (problem || net_loop_init(&a->loop, &on_base) < 0)
        goto fail;
    if (open_node(a, why, why_size) == SIO_OK)
        return a;
    net_loop_destroy(&a->loop);
fail:
    free(a);
    return NULL;
}

/* What was said before is written as far as the kernel takes it; nobody waits
 * for the rest. */
static void adapter_close(void *self)
{
    struct adapter *a = self;

    net_loop_attach(&a->loop);
    cl_node_close(&a->node);
    redis_streams_close(&a->transport);
    redis_close(a->redis);
    net_conn_flush_all(&a->loop);
    redis_transport_free(&a->transport);
    net_loop_destroy(&a->loop);
    free(a);
}

/* ------------------------------------------------------------------ calls --
 */

/* They come from callbacks of the server's own loop, on whichever thread that
 * runs. */

static int adapter_add(void *self, sio_str nsp)
{
    struct adapter *a = self;

    net_loop_attach(&a->loop);
    return cl_add_namespace(&a->node, nsp);
}

static void adapter_remove(void *self, sio_str nsp)
{
    struct adapter *a = self;

    net_loop_attach(&a->loop);
    cl_remove_namespace(&a->node, nsp);
}

static void adapter_room_changed(void *self, sio_str nsp, sio_str room,
                                 bool is_id, bool exists)
{
    struct adapter *a = self;

    if (!a->node.ops->room_changed)
        return;
    net_loop_attach(&a->loop);
    cl_room_changed(&a->node, nsp, room, is_id, exists);
}

static int adapter_send(void *self, const sio_cluster_request *request)
{
    struct adapter *a = self;

    net_loop_attach(&a->loop);
    return cl_send(&a->node, request);
}

static void adapter_forget(void *self, void *user)
{
    struct adapter *a = self;

    net_loop_attach(&a->loop);
    cl_forget(&a->node, user);
    redis_sessions_forget(&a->transport, user);
}

static int adapter_save(void *self, const sio_cluster_session *session,
                        uint32_t ms)
{
    struct adapter *a = self;

    net_loop_attach(&a->loop);
    return redis_sessions_save(&a->transport, session, ms);
}

static int adapter_restore(void *self, sio_str nsp, sio_str pid, sio_str offset,
                           sio_cluster_restored_fn fn, void *user)
{
    struct adapter *a = self;

    net_loop_attach(&a->loop);
    return redis_sessions_restore(&a->transport, nsp, pid, offset, fn, user);
}

static bool adapter_recovers(const void *config)
{
    sio_redis_options options;

    redis_settings_read(&options, config);
    return options.adapter == SIO_REDIS_STREAMS;
}

const sio_cluster_ops *sio_redis_adapter(void)
{
    static const sio_cluster_ops ops = {
        .size = sizeof ops,
        .name = "redis",
        .open = adapter_open,
        .close = adapter_close,
        .add_namespace = adapter_add,
        .remove_namespace = adapter_remove,
        .room_changed = adapter_room_changed,
        .send = adapter_send,
        .forget = adapter_forget,
        .get_stats = get_stats,
        .save_session = adapter_save,
        .restore_session = adapter_restore,
        .recovers = adapter_recovers,
    };

    return &ops;
}
