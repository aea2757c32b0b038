/*
 * adapter.h -- what decides where a broadcast goes. There are two kinds, for
 * two distances:
 *
 *   sio_adapter_ops   keeps the rooms of one namespace on one loop, and finds
 *                     the sockets that a target means
 *   sio_cluster_ops   reaches the other servers, the nodes of a cluster; one
 *                     for all namespaces and loops of a server
 *
 * What is to be done on the other loops of a server is neither's business: the
 * library sees to that.
 *
 *   namespace --> sio_adapter_ops: join, leave, broadcast ... --> rooms
 *   rooms     --> sio_adapter_host: deliver(socket, packet)   --> socket
 *
 *   program   --> sio_cluster_ops: send(request)     --> other nodes
 *   others    --> sio_cluster_host: execute(request) --> every loop, as above
 *
 * The built-in adapters see no more of the library than this header offers:
 * sio_memory_adapter() here, those for Redis of <sio/redis.h>.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SIO_ADAPTER_H
#define SIO_ADAPTER_H

#include <sio/socket.h>
#include <sio/stats.h>

#ifdef __cplusplus
extern "C" {
#endif

struct event_base;

/* An encoded packet, shared by reference; the host's. */
typedef struct sio_packet sio_packet;

enum { SIO_FLAG_VOLATILE = 1, SIO_FLAG_LOCAL = 2, SIO_FLAG_NO_COMPRESS = 4 };

/* Who is meant: the union of `rooms` (none: everybody) without the members of
 * any of `except`. A socket's id is a room with that socket in it. */
typedef struct sio_broadcast_options {
    const sio_str *rooms;
    size_t room_count;
    const sio_str *except;
    size_t except_count;
    unsigned flags;
} sio_broadcast_options;

/* ------------------------------------------------- the rooms of one loop */

/* What the namespace offers to its adapter. All calls, both ways, are on the
 * loop that owns the sockets, unless said otherwise. */
typedef struct sio_adapter_host {
    void *self;
    uint64_t seed[2]; /* for hashing names that clients choose */
    /* Queue the packet for one socket. Closes nothing at once: iterating is
     * safe. */
    void (*deliver)(void *self, sio_socket *socket, sio_packet *packet,
                    unsigned flags);
    /* Tell of each real change of a room: see sio_on_room(). The handlers of
     * the program run within; they may join and leave, and disconnect the
     * socket: after the call a slot may be gone. */
    void (*room_changed)(void *self, sio_room_change change, sio_str room,
                         sio_str id);
} sio_adapter_host;

typedef struct sio_adapter_ops {
    size_t size; /* sizeof(sio_adapter_ops) of the adapter's build */
    const char *name;

    /* One instance per namespace and loop. NULL: out of memory. `host` lives as
     * long as the instance. */
    void *(*open)(const sio_adapter_host *host);
    void (*close)(void *self);

    /* A socket comes (into no room: it is made to join that of its own id once
     * it is let in) and goes (out of all its rooms). *slot is the adapter's to
     * use while the socket is there; `id` lives as long as the socket. SIO_OK
     * or SIO_E_NOMEM. */
    int (*add)(void *self, sio_socket *socket, sio_str id, void **slot);
    void (*remove)(void *self, void *slot);

    /* SIO_OK or SIO_E_NOMEM; `room` is copied. */
    int (*join)(void *self, void *slot, sio_str room);
    void (*leave)(void *self, void *slot, sio_str room);
    bool (*in_room)(void *self, void *slot, sio_str room);
    /* The socket's own id first, then in the order of joining. fn may be NULL.
     * Returns how many. */
    size_t (*each_room)(void *self, void *slot,
                        void (*fn)(void *user, sio_str room), void *user);
    /* Rooms with members, not own-id ones. Any thread. */
    size_t (*room_count)(void *self);

    /* Each matching socket of this loop once, in room order, then in the
     * order of joining. fn must not change memberships. Returns how many. */
    size_t (*select)(void *self, const sio_broadcast_options *options,
                     void (*fn)(void *user, sio_socket *socket), void *user);

    /* Deliver to every matching socket of this loop. */
    int (*broadcast)(void *self, sio_packet *packet,
                     const sio_broadcast_options *options);
} sio_adapter_ops;

/* The in-memory adapter. */
SIO_API const sio_adapter_ops *sio_memory_adapter(void);

/* ------------------------------------------------------------ the cluster */

/*
 * Between nodes one form of request goes both ways: what the program asks for
 * here is given to the adapter's send(), and what an adapter has received from
 * another node it gives to the host's execute(). What it says is borrowed until
 * the call returns.
 *
 * All calls, both ways, are on the server's main loop, one at a time; but
 * either side may call the other from within a call: only close() is never
 * called from within a call of the adapter to the host or to answers. Calls of
 * other loops and threads of the program have been brought there, in their
 * order.
 */

typedef enum sio_cluster_type {
    SIO_CLUSTER_BROADCAST, /* with answers: the clients are asked */
    SIO_CLUSTER_SOCKETS_JOIN,
    SIO_CLUSTER_SOCKETS_LEAVE,
    SIO_CLUSTER_DISCONNECT_SOCKETS,
    SIO_CLUSTER_FETCH_SOCKETS,   /* always with answers */
    SIO_CLUSTER_SERVER_SIDE_EMIT /* with answers: the nodes are asked */
} sio_cluster_type;

/* A socket of some node. */
typedef struct sio_cluster_socket {
    sio_str id;
    const sio_str *rooms; /* its own id among them */
    size_t room_count;
    sio_value handshake, data; /* objects: JSON text or MessagePack */
} sio_cluster_socket;

/*
 * What whoever has sent a request with answers hears. `user` is the request's.
 * Everything is borrowed until return. Nothing is heard within the call that
 * has brought the request, nor after forget().
 */
typedef struct sio_cluster_answers {
    /* BROADCAST: so many clients have been asked on one node; their answers
     * come behind this. */
    void (*on_client_count)(void *user, size_t count);
    /* BROADCAST: of one client. SERVER_SIDE_EMIT: of one node. The first
     * argument; NULL: there was none. */
    void (*on_ack)(void *user, const sio_value *value);
    /* FETCH_SOCKETS: of one node. */
    void (*on_sockets)(void *user, const sio_cluster_socket *sockets,
                       size_t count);
    /*
     * Exactly once: every node has been heard, SIO_OK; or why not all have:
     * SIO_E_TIMEOUT, SIO_E_STATE (not connected, closed), SIO_E_NOMEM,
     * SIO_E_LIMIT. Of a BROADCAST that is their counts, and acknowledgements
     * may still follow, until forget(); of others nothing follows.
     */
    void (*on_complete)(void *user, int status);
    /* BROADCAST with `keep`: exactly once, and nothing else. It went to the
     * other nodes and is kept under that offset; or (status as above) neither
     * is so, and the offset is empty. */
    void (*on_kept)(void *user, int status, sio_str offset);
} sio_cluster_answers;

typedef struct sio_cluster_request {
    sio_cluster_type type;
    sio_str nsp;
    /* Who is meant; not of SERVER_SIDE_EMIT. */
    sio_broadcast_options options;
    /* BROADCAST with answers: how long the clients have, and whether the one
     * socket that is meant answers instead of a list of them. Without answers:
     * as the program has set it; 0: it has not. */
    uint32_t timeout_ms;
    bool single;
    /* BROADCAST, SERVER_SIDE_EMIT */
    sio_str event;
    const sio_value *values;
    size_t value_count;
    /* SOCKETS_JOIN, SOCKETS_LEAVE */
    const sio_str *rooms;
    size_t room_count;
    bool close; /* DISCONNECT_SOCKETS: the connections, too */
    /* NULL: none are wanted. */
    const sio_cluster_answers *answers;
    void *user;
    /* BROADCAST, of an adapter that keeps events for clients who come back (see
     * restore_session). To send(): it is to be kept; nobody is asked, and the
     * answers are on_kept() alone. The server delivers to its own sockets when
     * it has heard. */
    bool keep;
    /* The same, to execute(): under which offset it is kept; the clients get it
     * as one more argument. Empty: it is not. */
    sio_str offset;
} sio_cluster_request;

/* A socket that was cut off and may come back, on whichever node. */
typedef struct sio_cluster_session {
    sio_str sid, pid;
    const sio_str *rooms; /* its own id among them */
    size_t room_count;
    sio_value data; /* an object */
} sio_cluster_session;

/* What restore_session() has found; borrowed until return. status: SIO_OK; or
 * why there is none, and `session` is NULL: SIO_E_RANGE (no such session, or
 * too late), SIO_E_LIMIT (the events behind the offset are gone), SIO_E_STATE
 * (not connected), SIO_E_TIMEOUT, SIO_E_NOMEM. missed: BROADCASTs with an
 * offset, in their order. */
typedef void (*sio_cluster_restored_fn)(void *user, int status,
                                        const sio_cluster_session *session,
                                        const sio_cluster_request *missed,
                                        size_t missed_count);

/* What the server offers to the adapter; lives until close() has returned. */
typedef struct sio_cluster_host {
    size_t size; /* sizeof(sio_cluster_host) of the library */
    void *self;
    struct event_base *event_base; /* of the main loop */

    void (*log)(void *self, sio_log_level level, const char *message);

    /*
     * Do it with the sockets of this node, on all loops; it goes to no other
     * node. Of a BROADCAST: on_client_count() once, on_complete(), and the
     * acknowledgements, of which some may come before.
     *
     * Returns SIO_OK; SIO_E_STATE: there is no such namespace here, or the
     * server stops; SIO_E_RESERVED, SIO_E_INVAL: not an event or value that may
     * be sent; SIO_E_LIMIT; SIO_E_NOMEM. Unless it is SIO_OK, no answers come.
     */
    int (*execute)(void *self, const sio_cluster_request *request);

    /* No more answers to the request with that `user`; none may be there. What
     * a BROADCAST or a SERVER_SIDE_EMIT waits for may never come: in the end it
     * has to be forgotten. */
    void (*forget)(void *self, void *user);

    /* May anybody be in that room here? false: surely not. */
    bool (*has_room)(void *self, sio_str nsp, sio_str room);
} sio_cluster_host;

typedef struct sio_cluster_ops {
    size_t size; /* sizeof(sio_cluster_ops) of the adapter's build */
    const char *name;

    /*
     * Once, when the server is made, and again when it listens after a stop.
     *
     * config  sio_options.cluster_config, good as long as the server
     * why     what is wrong, of `why_size` bytes; the server is then not made
     * Returns NULL on failure. Not being connected yet is none.
     */
    void *(*open)(const sio_cluster_host *host, const void *config, char *why,
                  size_t why_size);
    /* The server stops, or is freed. Answers that are waited for are completed
     * with SIO_E_STATE from within, or before. */
    void (*close)(void *self);

    /* A namespace of this node there is from now on, or is no more. Requests
     * are sent for those that are there only. SIO_OK or SIO_E_NOMEM. */
    int (*add_namespace)(void *self, sio_str nsp);
    void (*remove_namespace)(void *self, sio_str nsp);

    /* May be NULL: nobody wants to know. The first socket of this node is in a
     * room, or none any more. is_id: it is the room of that socket's own id;
     * told only when it exists. */
    void (*room_changed)(void *self, sio_str nsp, sio_str room, bool is_id,
                         bool exists);

    /* To all other nodes. SIO_OK; or why it was not sent: then no answers
     * come. What has no answers may be lost later, which is counted. */
    int (*send)(void *self, const sio_cluster_request *request);

    /* No more answers to the request with that `user`; none may be there. */
    void (*forget)(void *self, void *user);

    /* Any time between open() and close(); *out is zeroed before. */
    void (*get_stats)(void *self, sio_cluster_stats *out);

    /*
     * Connection state recovery: both, or neither (NULL). Keep a session for
     * `ms` milliseconds. SIO_OK, or why not.
     */
    int (*save_session)(void *self, const sio_cluster_session *session,
                        uint32_t ms);
    /*
     * Find the session, which is then gone, and what its client has missed:
     * everything in that namespace behind the offset that its rooms were meant
     * by, up to what this node was given by host->execute() and on_kept() so
     * far, and no further: the rest comes that way. So nothing is lost, or
     * comes twice, for a socket that is in its rooms when fn returns.
     *
     * SIO_OK: fn is called exactly once, later, unless forget(user) is called
     * before; or why not.
     */
    int (*restore_session)(void *self, sio_str nsp, sio_str pid, sio_str offset,
                           sio_cluster_restored_fn fn, void *user);
    /* Does it do that with this config? Before open(). NULL: it does, if it has
     * both. */
    bool (*recovers)(const void *config);
} sio_cluster_ops;

#ifdef __cplusplus
}
#endif

#endif /* SIO_ADAPTER_H */
