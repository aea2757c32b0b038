/*
 * adapter.h -- what decides where a broadcast goes: it keeps the rooms of one
 * namespace on one loop and finds the sockets that a target means. What is to
 * be done on other loops is not its business: the library asks the adapter of
 * each.
 *
 * The built-in in-memory adapter sees no more of the library than this header
 * offers. (Registering an adapter of one's own, answers across nodes and the
 * other distances come with the issues that need them; this interface grows.)
 *
 *   namespace --> ops->join, leave, broadcast ... --> adapter
 *   adapter   --> host->deliver(socket, packet)   --> namespace --> socket
 *
 * All calls come on the loop that owns the sockets, unless said otherwise.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SIO_ADAPTER_H
#define SIO_ADAPTER_H

#include <sio/socket.h>

#ifdef __cplusplus
extern "C" {
#endif

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

/* What the namespace offers to its adapter. */
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

#ifdef __cplusplus
}
#endif

#endif /* SIO_ADAPTER_H */
