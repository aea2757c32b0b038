/*
 * stats.h -- what a server is doing and has done, in numbers. See also
 * docs/OPERATIONS.md.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SIO_STATS_H
#define SIO_STATS_H

#include <sio/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sio_server;

/* Why something ended: the places of sio_stats.closed and .disconnects. The
 * names are those that sio_on_disconnect() and on_close give. */
typedef enum sio_close_reason {
    SIO_CLOSE_TRANSPORT_CLOSE,   /* "transport close": the client went */
    SIO_CLOSE_TRANSPORT_ERROR,   /* "transport error" */
    SIO_CLOSE_PING_TIMEOUT,      /* "ping timeout" */
    SIO_CLOSE_PARSE_ERROR,       /* "parse error" */
    SIO_CLOSE_FORCED_CLOSE,      /* "forced close" */
    SIO_CLOSE_SERVER_SHUTDOWN,   /* "server shutting down": stop or drain */
    SIO_CLOSE_SLOW_CONSUMER,     /* "slow consumer": max_buffered_amount */
    SIO_CLOSE_FORCED_SERVER,     /* "forced server close"; sockets only */
    SIO_CLOSE_CLIENT_DISCONNECT, /* "client namespace disconnect"; the same */
    SIO_CLOSE_SERVER_DISCONNECT  /* "server namespace disconnect"; the same */
} sio_close_reason;

/* "transport close"; "?" for a number that is none. Any thread. */
SIO_API const char *sio_close_reason_name(sio_close_reason reason);

enum {
    SIO_STATS_REASONS = 16, /* places for a sio_close_reason; not all in use */
    SIO_STATS_CODES = 8     /* and for Engine.IO's codes, 0 to 5 */
};

/* What the adapter of a cluster is doing: see <sio/adapter.h>. */
typedef enum sio_cluster_state {
    SIO_CLUSTER_NONE, /* there is no adapter */
    SIO_CLUSTER_CONNECTING,
    SIO_CLUSTER_READY,
    SIO_CLUSTER_DEGRADED /* cut off, wholly or in part; it tries again */
} sio_cluster_state;

#define SIO_CLUSTER_REASON 160 /* bytes, with the NUL */

typedef struct sio_cluster_stats {
    sio_cluster_state state;
    /* What is wrong, while it is not READY: a line of text, cut if it is
     * longer;
     * "": nothing that is known of. */
    char reason[SIO_CLUSTER_REASON];
    size_t pending;       /* requests whose answers are waited for */
    size_t queued_bytes;  /* that wait to be sent */
    uint64_t sent;        /* messages to other nodes */
    uint64_t received;    /* messages of other nodes */
    uint64_t refused;     /* of those: not valid, or not for us */
    uint64_t dropped;     /* messages that were not sent: no connection */
    uint64_t connects;    /* connections that were set up */
    uint64_t disconnects; /* connections lost, and attempts that failed */
} sio_cluster_stats;

typedef struct sio_stats {
    /* Alive right now. All zero once every client has left, but for
     * dynamic_namespaces. */
    size_t connections;        /* of TCP and unix sockets */
    size_t tls;                /* of them, those with TLS */
    size_t requests;           /* HTTP requests under way */
    size_t sessions;           /* Engine.IO sessions */
    size_t polling;            /* of them, those on long-polling */
    size_t upgrading;          /* of those, those amid an upgrade */
    size_t websockets;         /* all WebSockets: of sessions, of upgrades, of
                                  endpoints, those that are closing */
    size_t sockets;            /* Socket.IO sockets, all namespaces; of one:
                                  sio_socket_count() */
    size_t rooms;              /* rooms with a name of their own; one that is on
                                  several loops counts on each */
    size_t dynamic_namespaces; /* that rules have made; without
                                  cleanup_empty_child_namespaces they stay */
    size_t pending_acks;       /* acknowledgements waited for */
    size_t queued_bytes;       /* output waiting to be written or polled */
    size_t unfinished_bytes;   /* input of which more is to come */
    size_t waiting_sessions;   /* of sockets that may come back: see
                                  <sio/recovery.h>. They, and the next, are zero
                                  once the time for that is over */
    size_t recovery_bytes;     /* they, and the events kept for them */

    /* Counted since the start. */
    uint64_t handshakes;                       /* sessions opened */
    uint64_t websocket_handshakes;             /* of them, on a WebSocket */
    uint64_t refused;                          /* handshakes and requests */
    uint64_t refused_by_code[SIO_STATS_CODES]; /* of sio_connection_error */
    uint64_t dropped; /* connections closed before their first request: over a
                         limit, or without a good PROXY header */
    uint64_t bad_requests;    /* HTTP refused before it came to Engine.IO */
    uint64_t tls_handshakes;  /* completed */
    uint64_t tls_failures;    /* TLS handshakes that failed */
    uint64_t upgrades;        /* completed */
    uint64_t upgrades_failed; /* given up or timed out; the session went on,
                                 or ended meanwhile */
    uint64_t closed[SIO_STATS_REASONS];      /* sessions, by why */
    uint64_t disconnects[SIO_STATS_REASONS]; /* sockets, by why */
    uint64_t recoveries;                     /* sockets that came back */
    uint64_t recoveries_refused;      /* that could not: new ones instead */
    uint64_t events_in, events_out;   /* a broadcast counts once per socket that
                                         it reached */
    uint64_t packets_in, packets_out; /* of Engine.IO: messages, attachments,
                                         heartbeats */
    uint64_t bytes_in, bytes_out;     /* of all connections, HTTP and frames
                                         included; out before TLS encrypts */
    uint64_t volatile_dropped; /* packets to one socket that was not ready */
    uint64_t discarded_bytes;  /* output of clients that went, or were closed,
                                  before they took it */

    sio_cluster_stats cluster;
} sio_stats;

/*
 * Fill *out. Everything is counted where it happens, so a call costs some
 * hundred nanoseconds, however many clients there are, and a little for each
 * namespace and each endpoint.
 *
 * Use the macro: it says which fields this caller was built with. Fields that
 * the library does not know are 0.
 *
 * Thread  before sio_run(), or the loop's.
 */
SIO_API void sio_get_stats_sized(const struct sio_server *server,
                                 sio_stats *out, size_t size);
#define sio_get_stats(server, out) \
    sio_get_stats_sized((server), (out), sizeof *(out))

#ifdef __cplusplus
}
#endif

#endif /* SIO_STATS_H */
