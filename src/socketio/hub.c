/*
 * hub.c -- one Socket.IO server: its namespaces, and the shards of its loops.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/socketio/codec.h"
#include "src/socketio/recovery.h"

#include "src/net/random.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static int shard_init(struct so_hub *hub, size_t index, struct net_loop *loop,
                      const struct eng_options *engine_options)
{
    struct so_shard *shard = &hub->shards[index];
    int r;

    shard->hub = hub;
    shard->loop = loop;
    shard->index = index;
    list_init(&shard->questions);
    list_init(&shard->branches);
    list_init(&shard->fetches);
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
    so_comebacks_init(shard);
    return SIO_OK;
}

static void shard_destroy(struct so_shard *shard)
{
    eng_destroy(&shard->engine);
    net_timer_queue_close(&shard->connect_timeouts);
    net_timer_queue_close(&shard->partial_timeouts);
}

static void shard_free(struct so_shard *shard)
{
    free(shard->spare);
    so_decisions_free(shard);
    sp_attachments_free(&shard->bin);
    grow_free(&shard->scratch);
}

static int init_lock(struct so_hub *hub)
{
    pthread_mutexattr_t attr;
    int r = pthread_mutexattr_init(&attr);

    if (r == 0)
        r = pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
    if (r == 0)
        r = pthread_mutex_init(&hub->lock, &attr);
    pthread_mutexattr_destroy(&attr);
    return r == 0 ? SIO_OK : SIO_E_NOMEM;
}

static int init_shards(struct so_hub *hub, struct net_loop *const *loops,
                       size_t count, const struct eng_options *engine_options)
{
    int r = SIO_OK;

    hub->shards = calloc(count, sizeof *hub->shards);
    if (!hub->shards)
        return SIO_E_NOMEM;
    while (r == SIO_OK && hub->shard_count < count) {
        r = shard_init(hub, hub->shard_count, loops[hub->shard_count],
                       engine_options);
        hub->shard_count += r == SIO_OK;
    }
    return r;
}

int so_hub_init(struct so_hub *hub, struct net_loop *const *loops, size_t count,
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
    r = init_lock(hub);
    if (r == SIO_OK)
        r = net_random(hub->seed, sizeof hub->seed);
    if (r < 0)
        return r;
    so_recovery_init(hub);
    map_init(&hub->namespaces, hub->seed);
    map_init(&hub->parents, hub->seed);
    r = init_shards(hub, loops, count, engine_options);
    if (r == SIO_OK && !so_namespace_get(hub, "/")) /* the main one is always */
        r = SIO_E_NOMEM;                            /* there */
    if (r < 0)
        so_hub_destroy(hub);
    return r;
}

void so_shard_shut(struct so_shard *shard)
{
    eng_shut(&shard->engine, EIO_CLOSE_SERVER_SHUTDOWN);
    so_questions_end(shard);
    so_fetches_end(shard);
    so_recovery_clear(shard);
}

void so_hub_shut(struct so_hub *hub)
{
    for (size_t i = 0; i < hub->shard_count; i++)
        so_shard_shut(&hub->shards[i]);
}

void so_hub_destroy(struct so_hub *hub)
{
    struct map_node *node;

    for (size_t i = 0; i < hub->shard_count; i++)
        shard_destroy(&hub->shards[i]);
    so_lock(hub);
    while ((node = map_first(&hub->namespaces)) ||
           (node = map_first(&hub->parents)))
        so_namespace_close(container_of(node, sio_namespace, node));
    so_unlock(hub);
    so_handlers_free(&hub->on_namespace);
}

void so_hub_free(struct so_hub *hub)
{
    for (size_t i = 0; i < hub->shard_count; i++)
        shard_free(&hub->shards[i]);
    if (hub->shards) {
        pthread_mutex_destroy(&hub->lock);
        pthread_mutex_destroy(&hub->recovery.lock);
    }
    free(hub->cluster);
    free(hub->shards);
}

static void on_tour(struct net_mail *mail)
{
    struct so_tour *tour = container_of(mail, struct so_tour, mail);
    struct so_shard *shard = tour->shard;
    struct so_hub *hub = shard->hub;

    if (tour->visit)
        tour->visit(tour, shard);
    tour->shard = shard + 1;
    if (tour->shard < hub->shards + hub->shard_count)
        net_post(tour->shard->loop, mail);
    else
        tour->end(tour);
}

void so_tour_begin(struct so_hub *hub, struct so_tour *tour)
{
    tour->mail.run = on_tour;
    tour->shard = hub->shards;
    net_post(tour->shard->loop, &tour->mail);
}

/* Found again mostly where the thread found it last. */
struct so_shard *so_here_of_many(const struct so_hub *hub)
{
    static _Thread_local size_t last;

    if (last < hub->shard_count && net_loop_is_current(hub->shards[last].loop))
        return &hub->shards[last];
    for (size_t i = 0; i < hub->shard_count; i++)
        if (net_loop_is_current(hub->shards[i].loop)) {
            last = i;
            return &hub->shards[i];
        }
    return NULL;
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
