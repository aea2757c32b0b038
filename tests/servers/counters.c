/*
 * counters.c -- see counters.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/servers/counters.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

/* Bytes of the heap in use; 0 under a sanitizer, whose heap cannot be asked. */
static size_t heap_bytes(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return 0;
#else
    struct mallinfo2 m = mallinfo2();

    return m.uordblks + m.hblkhd;
#endif
}

static void on_counters(sio_http_request *request, void *user)
{
    sio_stats s;
    char body[512];
    int n;

    sio_get_stats(user, &s);
    n = snprintf(body, sizeof body,
                 "{\"connections\":%zu,\"requests\":%zu,\"sessions\":%zu,"
                 "\"websockets\":%zu,\"sockets\":%zu,\"rooms\":%zu,"
                 "\"pending_acks\":%zu,\"queued_bytes\":%zu,"
                 "\"waiting_sessions\":%zu,\"recovery_bytes\":%zu,"
                 "\"refused\":%llu,\"handshakes\":%llu,"
                 "\"heap\":%zu}",
                 s.connections, s.requests, s.sessions, s.websockets, s.sockets,
                 s.rooms, s.pending_acks, s.queued_bytes, s.waiting_sessions,
                 s.recovery_bytes, (unsigned long long)s.refused,
                 (unsigned long long)s.handshakes, heap_bytes());
    sio_http_respond(request, 200, "application/json", body, (size_t)n);
}

/* What the adapter of a cluster is doing. */
static void on_cluster(sio_http_request *request, void *user)
{
    static const char *const states[] = { "none", "connecting", "ready",
                                          "degraded" };
    sio_stats stats;
    const sio_cluster_stats *s = &stats.cluster;
    char body[512];
    int n;

    sio_get_stats(user, &stats);
    n = snprintf(
        body, sizeof body,
        "{\"state\":\"%s\",\"pending\":%zu,\"queued\":%zu,\"sent\":%llu,"
        "\"received\":%llu,\"refused\":%llu,\"dropped\":%llu,"
        "\"connects\":%llu,\"disconnects\":%llu,\"heap\":%zu}",
        states[s->state], s->pending, s->queued_bytes,
        (unsigned long long)s->sent, (unsigned long long)s->received,
        (unsigned long long)s->refused, (unsigned long long)s->dropped,
        (unsigned long long)s->connects, (unsigned long long)s->disconnects,
        heap_bytes());
    sio_http_respond(request, 200, "application/json", body, (size_t)n);
}

int serve_counters(sio_server *server)
{
    const char *path = getenv("SIO_COUNTERS");
    char address[200];

    if (path) {
        snprintf(address, sizeof address, "unix:%s", path);
        if (sio_listen(server, address, NULL) != SIO_OK)
            return SIO_E_SYS;
    }
    if (sio_on_request(server, "GET", "/cluster", on_cluster, server) != SIO_OK)
        return SIO_E_NOMEM;
    return sio_on_request(server, "GET", "/counters", on_counters, server);
}
