/*
 * socket.h -- namespaces' handlers, sockets, rooms.
 *
 * A socket is one client in one namespace. Handlers belong to the namespace:
 * the function is the same for all, the socket is its argument. They run on the
 * socket's loop, one at a time.
 *
 * A sio_socket pointer is good inside the callback that brought it; keep it
 * longer with sio_retain(). Registering handlers: before sio_run(), or on a
 * loop's thread; they then hold for events from the next one on.
 *
 * With several loops, handlers of different sockets run at the same time. One
 * registered on a loop holds on the others as soon as they look; one taken away
 * may still be called by a loop that is just at it, until every loop has come
 * back to its wait.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SIO_SOCKET_H
#define SIO_SOCKET_H

#include <sio/server.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sio_socket sio_socket;
typedef struct sio_event sio_event;
typedef struct sio_next sio_next;

typedef void (*sio_connection_fn)(sio_socket *socket, void *user);
typedef void (*sio_event_fn)(sio_socket *socket, sio_event *event, void *user);
typedef void (*sio_disconnect_fn)(sio_socket *socket, const char *reason,
                                  void *user);
typedef void (*sio_middleware_fn)(sio_socket *socket, sio_next *next,
                                  void *user);

/*
 * Registering returns SIO_OK, SIO_E_NOMEM, or SIO_E_RESERVED for an event name
 * that the protocol keeps for itself ("connect", "connect_error", "disconnect",
 * "disconnecting", "newListener", "removeListener"). Several handlers for one
 * thing are called in the order they were registered.
 */

/* A client has joined. What the handler emits follows the CONNECT reply. */
SIO_API int sio_on_connection(sio_namespace *nsp, sio_connection_fn fn,
                              void *user);

/* An event of that name from a client. The name is copied; a number as event
 * name is matched by its JSON text ("1"). */
SIO_API int sio_on(sio_namespace *nsp, const char *event, sio_event_fn fn,
                   void *user);

/* Any event that has no handler of its own. */
SIO_API int sio_on_unhandled(sio_namespace *nsp, sio_event_fn fn, void *user);

/* The socket is leaving, its rooms are still there; then it has left. Reasons
 * are Node's: "client namespace disconnect", "server namespace disconnect",
 * "transport close", "transport error", "ping timeout", "parse error", "forced
 * close", "forced server close", "server shutting down"; and one that Node has
 * not: "slow consumer", when max_buffered_amount was reached. */
SIO_API int sio_on_disconnecting(sio_namespace *nsp, sio_disconnect_fn fn,
                                 void *user);
SIO_API int sio_on_disconnect(sio_namespace *nsp, sio_disconnect_fn fn,
                              void *user);

/*
 * A middleware decides whether a client may join: it calls sio_next_ok() or
 * sio_next_error() exactly once, at once or later, from any thread. Middlewares
 * run in order; the first error ends it. Meanwhile sio_connected() is false. If
 * the client goes away in between, `next` stays valid and its call does
 * nothing. After sio_server_free() it must not be made.
 */
SIO_API int sio_use(sio_namespace *nsp, sio_middleware_fn fn, void *user);
SIO_API void sio_next_ok(sio_next *next);

/* Refuse: the client gets connect_error with `message` and, when `data` is not
 * NULL, `data`. Both borrowed until return. */
SIO_API void sio_next_error(sio_next *next, const char *message,
                            const sio_value *data);

/* --- one socket; loop thread unless said otherwise --- */

/* 20 characters; also the name of a room with this socket in it. Any thread. A
 * client of Socket.IO 2 (allow_eio3) knows its id beforehand, so it is the
 * session's, which is secret; outside "/" it is "/nsp#" and that. */
SIO_API const char *sio_id(const sio_socket *socket);
SIO_API sio_namespace *sio_namespace_of(const sio_socket *socket);
SIO_API bool sio_connected(const sio_socket *socket);

/* What the client sent as `auth`: a JSON object as text, "{}" when nothing.
 * As long as the socket. */
SIO_API sio_str sio_auth(const sio_socket *socket);

/* A string member of `auth`, decoded; copies at most size - 1 bytes and a NUL
 * and returns the whole length, or SIO_E_RANGE (no such member) or SIO_E_TYPE
 * (no string). */
SIO_API int sio_auth_string(const sio_socket *socket, const char *key,
                            char *out, size_t size);

/* The first HTTP request of the connection: a header by its lower-case name, p
 * NULL when absent; a query parameter, decoded, as sio_auth_string() does. Of a
 * socket that has left (kept by sio_retain()) there is none any more. */
SIO_API sio_str sio_request_header(const sio_socket *socket, const char *name);
SIO_API int sio_request_query(const sio_socket *socket, const char *key,
                              char *out, size_t size);
SIO_API sio_str sio_request_url(const sio_socket *socket);

/* Did that request come over TLS, here or at a trusted proxy? And with which
 * certificate of the client's? NULL: it has shown us none, or has left. As long
 * as the socket is connected. */
SIO_API bool sio_request_secure(const sio_socket *socket);
SIO_API const sio_certificate *
sio_request_certificate(const sio_socket *socket);

/* The client's IP as text, also behind trusted_proxies; as long as the socket.
 * "" when it is asked for the first time after the socket has left. */
SIO_API const char *sio_address(const sio_socket *socket);

/* "polling" or "websocket": now; an upgrade changes it. "" once it has left. */
SIO_API const char *sio_transport(const sio_socket *socket);

/* Bytes of output that wait for its client, those of its other namespaces
 * included: until a poll comes, or the kernel takes them. 0 once it has left.
 */
SIO_API size_t sio_buffered(const sio_socket *socket);

/* A pointer of the program's, NULL at first. free_fn (may be NULL) is called
 * with it when it is replaced or the socket is freed, on the thread that does
 * so: of the last sio_release(). */
SIO_API void sio_set_data(sio_socket *socket, void *data,
                          void (*free_fn)(void *data));
SIO_API void *sio_data(const sio_socket *socket);

/*
 * The same as JSON text, beside that pointer: what other servers of a cluster
 * can see of a socket (sio_fetch_sockets()). One JSON value, usually an object;
 * copied. "{}" at first.
 *
 * SIO_OK, SIO_E_INVAL (no JSON), SIO_E_LIMIT (over SIO_DATA_MAX), SIO_E_NOMEM.
 * What is read is good until the next call for that socket.
 */
#define SIO_DATA_MAX 1000000 /* bytes */
SIO_API int sio_set_data_json(sio_socket *socket, const char *text, size_t n);
SIO_API sio_str sio_data_json(const sio_socket *socket);

/*
 * Rooms. Names are UTF-8, copied; any string. A room is there while it has
 * members. Joining twice or leaving a room one is not in does nothing, and so
 * does joining after the disconnect. A room joined in a middleware is left
 * again when the client is refused.
 *
 * SIO_OK, SIO_E_NOMEM, SIO_E_STATE (disconnected).
 */
SIO_API int sio_join(sio_socket *socket, const char *room);
/* All of a list, or (SIO_E_NOMEM) none of those that it is not in already. */
SIO_API int sio_join_rooms(sio_socket *socket, const char *const *rooms,
                           size_t count);
SIO_API int sio_leave(sio_socket *socket, const char *room);
SIO_API int sio_leave_all(sio_socket *socket); /* its own id's room too */
SIO_API bool sio_in_room(const sio_socket *socket, const char *room);

/* Calls fn for each room, the socket's own id first (it is in that once it is
 * connected); returns how many. fn must not join or leave. fn may be NULL: only
 * count. */
SIO_API size_t sio_each_room(const sio_socket *socket,
                             void (*fn)(void *user, sio_str room), void *user);

/*
 * What happens to the rooms of a namespace: told when it has happened, and only
 * when something has changed. Of one join the order is created, joined; of one
 * leave left, deleted; a socket that goes leaves its rooms in the order it
 * joined them, its own first. (Node: the events of nsp.adapter)
 *
 * room, id  borrowed during the call; id is the socket's, empty where no socket
 *           is concerned
 */
typedef enum sio_room_change {
    SIO_ROOM_CREATED,
    SIO_ROOM_JOINED,
    SIO_ROOM_LEFT,
    SIO_ROOM_DELETED
} sio_room_change;
typedef void (*sio_room_fn)(sio_namespace *nsp, sio_room_change change,
                            sio_str room, sio_str id, void *user);
SIO_API int sio_on_room(sio_namespace *nsp, sio_room_fn fn, void *user);

/*
 * Leave the namespace: the client gets a DISCONNECT packet and does not
 * reconnect by itself. With `close` all namespaces of this client are left and
 * its connection is closed. Nothing when it is not connected.
 *
 * Thread  any, for a retained socket.
 */
SIO_API void sio_disconnect(sio_socket *socket, bool close);

/*
 * Close the socket's connection, with all its namespaces, without a DISCONNECT
 * packet: what is queued goes out first, every socket's reason is "forced
 * close", and the client reconnects as after a failure of the network. Nothing
 * when it is not connected.
 *
 * Thread  any, for a retained socket.
 */
SIO_API void sio_close_connection(sio_socket *socket);

/* Keep the pointer beyond the callback; any thread. What is kept is the object:
 * the client may go (sio_connected() tells). */
SIO_API sio_socket *sio_retain(sio_socket *socket);
SIO_API void sio_release(sio_socket *socket);

#ifdef __cplusplus
}
#endif

#endif /* SIO_SOCKET_H */
