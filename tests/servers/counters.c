/*
 * counters.c -- see counters.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/servers/counters.h"

#include <stdio.h>
#include <stdlib.h>

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
                 "\"refused\":%llu,\"handshakes\":%llu}",
                 s.connections, s.requests, s.sessions, s.websockets, s.sockets,
                 s.rooms, s.pending_acks, s.queued_bytes,
                 (unsigned long long)s.refused,
                 (unsigned long long)s.handshakes);
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
    return sio_on_request(server, "GET", "/counters", on_counters, server);
}
