/*
 * hub.c -- one Socket.IO server: its namespaces, and the shard of its loop.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/socketio/codec.h"
#include "src/socketio/recovery.h"

#include "src/net/random.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static int shard_init(struct so_hub *hub, struct net_loop *loop,
                      const struct eng_options *engine_options)
{
    struct so_shard *shard = &hub->shard;
    int r;

    shard->hub = hub;
    shard->loop = loop;
    list_init(&shard->questions);
    map_init(&shard->acks, hub->seed);
    r = eng_init(&shard->engine, loop, engine_options, &so_engine_ops, shard);
    if (r < 0)
        return r;
    net_timer_queue_init(&shard->connect_timeouts, loop,
                         hub->options.connect_timeout_ms, so_connect_timed_out);
    net_timer_queue_init(&shard->partial_timeouts, loop, SO_PARTIAL_MS,
                         so_partial_timed_out);
    grow_init(&shard->scratch, hub->options.max_packet);
    sp_attachments_init(&shard->bin);
    so_recovery_init(shard);
    return SIO_OK;
}

int so_hub_init(struct so_hub *hub, struct net_loop *loop,
                const struct so_options *options,
                const struct eng_options *engine_options,
                const sio_adapter_ops *adapter)
{
    int r;

    memset(hub, 0, sizeof *hub);
    hub->options = *options;
    hub->codec = so_codec_of(options->parser);
    hub->binary = options->parser && options->parser->binary;
    hub->adapter = adapter;
    r = net_random(hub->seed, sizeof hub->seed);
    if (r < 0)
        return r;
    map_init(&hub->namespaces, hub->seed);
    map_init(&hub->parents, hub->seed);
    r = shard_init(hub, loop, engine_options);
    if (r < 0)
        return r;
    if (so_namespace_get(hub, "/")) /* the main one is always there */
        return SIO_OK;
    so_hub_destroy(hub);
    return SIO_E_NOMEM;
}

void so_hub_shut(struct so_hub *hub)
{
    eng_shut(&hub->shard.engine, EIO_CLOSE_SERVER_SHUTDOWN);
    so_questions_end(&hub->shard);
    so_recovery_clear(&hub->shard);
}

void so_hub_destroy(struct so_hub *hub)
{
    struct so_shard *shard = &hub->shard;
    struct map_node *node;

    eng_destroy(&shard->engine);
    net_timer_queue_close(&shard->connect_timeouts);
    net_timer_queue_close(&shard->partial_timeouts);
    while ((node = map_first(&hub->namespaces)) ||
           (node = map_first(&hub->parents)))
        so_namespace_close(container_of(node, sio_namespace, node));
    so_handlers_free(hub->on_namespace);
    free(shard->spare);
    so_decisions_free(shard);
    sp_attachments_free(&shard->bin);
    grow_free(&shard->scratch);
}

void so_log(struct so_hub *hub, sio_log_level level, const char *fmt, ...)
{
    char line[512];
    va_list ap;

    if (!hub->log)
        return;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    hub->log(hub->log_self, level, line);
}
