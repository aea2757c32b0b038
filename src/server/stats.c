/*
 * stats.c -- <sio/stats.h>: what the layers have counted, gathered.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/server/server.h"

void stats_add_engine(sio_stats *out, const struct engine *e)
{
    const struct eng_counts *c = &e->counts;
    size_t sessions = map_count(&e->sessions);

    out->sessions += sessions;
    out->polling += sessions - c->websockets;
    out->upgrading += c->probing;
    out->websockets += e->websockets.count;
    out->queued_bytes += e->buffered;
    out->handshakes += c->handshakes;
    out->websocket_handshakes += c->websocket_handshakes;
    out->upgrades += c->upgrades;
    out->upgrades_failed += c->upgrades_failed;
    out->packets_in += c->packets_in;
    out->packets_out += c->packets_out;
    out->discarded_bytes += c->discarded_bytes;
    for (size_t i = 0; i < EIO_NREFUSALS; i++) {
        out->refused += c->refused[i];
        out->refused_by_code[i] += c->refused[i];
    }
    for (size_t i = 0; i < EIO_NCLOSE_REASONS; i++)
        out->closed[i] += c->closed[i];
}

static void add_loop(sio_stats *out, const struct net_loop *loop)
{
    out->connections = loop->conn_count + loop->waiting_count;
    out->tls = loop->tls_count;
    out->tls_handshakes = loop->tls_handshakes;
    out->tls_failures = loop->tls_failures;
    out->queued_bytes += loop->queued_bytes;
    out->bytes_in = loop->bytes_in;
    out->bytes_out = loop->bytes_out;
    out->discarded_bytes += loop->discarded_bytes;
}

static void add_shard(sio_stats *out, const struct so_shard *shard)
{
    stats_add_engine(out, &shard->engine);
    out->sockets += shard->socket_count;
    out->pending_acks += shard->ack_count;
    out->waiting_sessions += shard->recovery.session_count;
    out->recovery_bytes += shard->recovery.bytes;
    out->recoveries += shard->recovery.recovered;
    out->recoveries_refused += shard->recovery.refused;
    out->events_in += shard->events_in;
    out->events_out += shard->events_out;
    out->volatile_dropped += shard->volatile_dropped;
    for (size_t i = 0; i < SO_REASONS; i++)
        out->disconnects[i] += shard->left[i];
}

static void add_hub(sio_stats *out, const struct so_hub *hub)
{
    for (size_t i = 0; i < hub->shard_count; i++)
        add_shard(out, &hub->shards[i]);
    out->dynamic_namespaces = hub->children;
    so_lock(hub);
    for (struct map_node *n = map_first(&hub->namespaces); n; n = map_next(n)) {
        const sio_namespace *nsp = container_of(n, sio_namespace, node);

        for (size_t i = 0; i < hub->shard_count; i++)
            out->rooms += nsp->parts[i].ops->room_count(nsp->parts[i].adapter);
    }
    so_unlock(hub);
}

void sio_get_stats_sized(const sio_server *server, sio_stats *out, size_t size)
{
    sio_stats s = { .requests = server->http.exchange_count,
                    .unfinished_bytes = server->http.unfinished,
                    .dropped = server->dropped,
                    .bad_requests = server->bad_requests };

    add_loop(&s, &server->loop);
    add_hub(&s, &server->hub);
    engines_count(server, &s);
    endpoints_count(server, &s);
    memset(out, 0, size);
    memcpy(out, &s, size < sizeof s ? size : sizeof s);
}
