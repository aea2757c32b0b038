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
    out->connections += loop->conn_count + loop->waiting_count;
    out->tls += loop->tls_count;
    out->tls_handshakes += loop->tls_handshakes;
    out->tls_failures += loop->tls_failures;
    out->queued_bytes += loop->queued_bytes;
    out->bytes_in += loop->bytes_in;
    out->bytes_out += loop->bytes_out;
    out->discarded_bytes += loop->discarded_bytes;
}

static void add_rooms(sio_stats *out, const struct so_shard *shard)
{
    const struct so_hub *hub = shard->hub;
    struct map_node *n;
    size_t at;

    so_lock(hub);
    at = map_begin(&hub->namespaces);
    while ((n = map_walk(&hub->namespaces, &at))) {
        const sio_namespace *nsp = container_of(n, sio_namespace, node);
        const struct so_part *part = &nsp->parts[shard->index];

        out->rooms += part->ops->room_count(part->adapter);
    }
    so_unlock(hub);
}

static void add_shard(sio_stats *out, const struct so_shard *shard)
{
    stats_add_engine(out, &shard->engine);
    out->sockets += shard->socket_count;
    out->pending_acks += shard->ack_count;
    out->recoveries += shard->comebacks.recovered;
    out->recoveries_refused += shard->comebacks.refused;
    out->events_in += shard->events_in;
    out->events_out += shard->events_out;
    out->volatile_dropped += shard->volatile_dropped;
    for (size_t i = 0; i < SO_REASONS; i++)
        out->disconnects[i] += shard->left[i];
    add_rooms(out, shard);
}

void stats_add_loop(sio_stats *out, const struct server_loop *l)
{
    out->requests += l->http.exchange_count;
    out->unfinished_bytes += l->http.unfinished;
    out->bad_requests += l->bad_requests;
    add_loop(out, &l->loop);
    add_shard(out, server_loop_shard(l));
    if (l->index == 0) {
        engines_count(l->server, out);
        endpoints_count(l->server, out);
        so_cluster_stats(&l->server->hub, &out->cluster);
    }
}

void stats_add(sio_stats *out, const sio_stats *more)
{
#define ADD(field) out->field += more->field;
    ADD(connections)
    ADD(tls)
    ADD(requests)
    ADD(sessions)
    ADD(polling)
    ADD(upgrading)
    ADD(websockets)
    ADD(sockets)
    ADD(rooms)
    ADD(pending_acks)
    ADD(queued_bytes)
    ADD(unfinished_bytes)
    ADD(handshakes)
    ADD(websocket_handshakes)
    ADD(refused)
    ADD(bad_requests)
    ADD(tls_handshakes)
    ADD(tls_failures)
    ADD(upgrades)
    ADD(upgrades_failed)
    ADD(recoveries)
    ADD(recoveries_refused)
    ADD(events_in)
    ADD(events_out)
    ADD(packets_in)
    ADD(packets_out)
    ADD(bytes_in)
    ADD(bytes_out)
    ADD(volatile_dropped)
    ADD(discarded_bytes)
#undef ADD
    if (more->cluster.state != SIO_CLUSTER_NONE)
        out->cluster = more->cluster;
    for (size_t i = 0; i < SIO_STATS_CODES; i++)
        out->refused_by_code[i] += more->refused_by_code[i];
    for (size_t i = 0; i < SIO_STATS_REASONS; i++) {
        out->closed[i] += more->closed[i];
        out->disconnects[i] += more->disconnects[i];
    }
}

/* What belongs to no loop. */
static void add_server(sio_stats *out, sio_server *server)
{
    pthread_mutex_lock(&server->dropped_lock);
    out->dropped = server->dropped;
    pthread_mutex_unlock(&server->dropped_lock);
    out->waiting_sessions = server->hub.recovery.session_count;
    out->recovery_bytes = server->hub.recovery.bytes;
    so_lock(&server->hub);
    out->dynamic_namespaces = server->hub.children;
    so_unlock(&server->hub);
}

void sio_get_stats_sized(const sio_server *server, sio_stats *out, size_t size)
{
    sio_server *s = (sio_server *)(uintptr_t)server;
    sio_stats sum = { 0 };

    loops_count(s, &sum);
    add_server(&sum, s);
    memset(out, 0, size);
    memcpy(out, &sum, size < sizeof sum ? size : sizeof sum);
}
