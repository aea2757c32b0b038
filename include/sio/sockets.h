/*
 * sockets.h -- many sockets at once: looking at those of a target, moving them
 * between rooms, disconnecting them. (Emitting to them: <sio/emit.h>.)
 *
 *     sio_sockets_join(sio_to(nsp, "lobby"), "game-1");
 *     sio_sockets_leave(nsp, "lobby", "queue");
 *     sio_disconnect_sockets(sio_except(nsp, "admins"), true);
 *     sio_fetch_sockets(sio_to(nsp, "lobby"), on_sockets, user);
 *
 * The first argument is a sio_namespace *, a sio_socket * (that one alone) or a
 * sio_target. Of a parent (<sio/namespace.h>) the sockets of all its children
 * are meant, except by sio_fetch_sockets().
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SIO_SOCKETS_H
#define SIO_SOCKETS_H

#include <sio/emit.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * All sockets that match join, or leave, `count` rooms: see sio_join().
 *
 * rooms    names, borrowed until return
 * Returns  SIO_OK once done, on other loops posted; SIO_E_LIMIT (more
 *          rooms in the target than it can hold); SIO_E_NOMEM: some may have
 *          joined. Once posted a failure goes to the log.
 * Thread   any. Order: calls of one thread are carried out in call order, among
 *          its emits too.
 */
SIO_API int sio_target_sockets_join(sio_target target, const char *const *rooms,
                                    size_t count);
SIO_API int sio_target_sockets_leave(sio_target target,
                                     const char *const *rooms, size_t count);

/* All sockets that match leave the namespace; see sio_disconnect(). Any
 * thread. */
SIO_API int sio_target_disconnect_sockets(sio_target target, bool close);

/*
 * Call fn for each socket of the calling loop that matches and is connected:
 * with one loop, of this process. fn may do anything to it: the list is made
 * before. Returns how many, or SIO_E_LIMIT, SIO_E_NOMEM, SIO_E_STATE (the
 * thread runs no loop): none was called. Loop thread.
 */
SIO_API int sio_target_each_socket(sio_target target,
                                   void (*fn)(void *user, sio_socket *socket),
                                   void *user);

/*
 * A socket as it can be seen from anywhere: it may be on another loop, or
 * server; then this is a picture, taken there. Good within the callback that
 * brought it; to do something with it later, keep its id, which is also a room:
 * sio_to(nsp, id).
 */
typedef struct sio_remote_socket sio_remote_socket;

/*
 * The sockets that match, called exactly once, and later than
 * sio_fetch_sockets() returned: on the loop that has asked; on the first loop
 * when another thread has.
 *
 * error    SIO_OK; what went wrong, with those that were found all the same:
 *          SIO_E_TIMEOUT (a loop has not answered for 5 seconds, or another
 *          server for as long as sio_timeout() says, or else its adapter);
 *          SIO_E_STATE (the server stops; other servers are not reached);
 *          SIO_E_LIMIT (256 MiB of pictures on one loop); SIO_E_NOMEM
 *
 * sockets  by server and loop, and there in the order of joining
 */
typedef void (*sio_fetch_fn)(int error, const sio_remote_socket *const *sockets,
                             size_t count, void *user);

/* Returns SIO_OK; SIO_E_INVAL (a parent); SIO_E_LIMIT; SIO_E_NOMEM. Unless it
 * is SIO_OK, fn is not called. Any thread. */
SIO_API int sio_target_fetch_sockets(sio_target target, sio_fetch_fn fn,
                                     void *user);

SIO_API const char *sio_remote_id(const sio_remote_socket *socket);

/* The socket itself when it is one of the calling loop, else NULL. */
SIO_API sio_socket *sio_remote_local(const sio_remote_socket *socket);

/* As sio_each_room(), sio_handshake_json(), sio_data_json(). */
SIO_API size_t sio_remote_each_room(const sio_remote_socket *socket,
                                    void (*fn)(void *user, sio_str room),
                                    void *user);
SIO_API int sio_remote_handshake_json(const sio_remote_socket *socket,
                                      char *out, size_t size);
SIO_API sio_str sio_remote_data_json(const sio_remote_socket *socket);

/* Just this one, wherever it is: to emit to it, to ask it, to move it between
 * rooms, to disconnect it. */
SIO_API sio_target sio_remote_target(const sio_remote_socket *socket);

/*
 * Emit an event to the *other* servers of a cluster, whose
 * sio_on_server_event() handlers run, and the same with an answer from each;
 * what has not answered in the adapter's time is SIO_E_TIMEOUT, with the
 * answers of the others. (Node: serverSideEmit, serverSideEmitWithAck)
 *
 * Without a cluster there are no others: a line at level WARN says so. The
 * event is then sent to nobody (SIO_OK); to ask is SIO_E_STATE, and on_reply is
 * not called.
 *
 * SIO_E_RESERVED: "connect", "connection", "new_namespace". Any thread.
 */
SIO_API int sio_server_side_emit_values(sio_namespace *nsp, const char *event,
                                        const sio_value *values, size_t count);
SIO_API int sio_server_side_emit_ack_values(sio_namespace *nsp,
                                            sio_reply_fn on_reply, void *user,
                                            const char *event,
                                            const sio_value *values,
                                            size_t count);

/*
 * A handler of events that other servers of the cluster emit to this one. It
 * runs on the main loop. (Node: nsp.on(event))
 *
 * event    read and acknowledged as that of a client; sio_wants_ack() says
 *          whether the other server waits for an answer, of one value
 * Returns  SIO_OK, SIO_E_NOMEM; SIO_E_RESERVED as above. Any thread.
 */
typedef void (*sio_server_event_fn)(sio_namespace *nsp, sio_event *event,
                                    void *user);
SIO_API int sio_on_server_event(sio_namespace *nsp, const char *event,
                                sio_server_event_fn fn, void *user);

#ifdef __cplusplus
}
#endif

#ifndef __cplusplus
/* ----------------------------------------------------------- C11 spelling */

/* SIO_NAMES("a", "b") -> array, count. */
#define SIO_NAMES(...)                    \
    (const char *const[]){ __VA_ARGS__ }, \
        sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(const char *)

#define sio_sockets_join(t, ...) \
    sio_target_sockets_join(SIO_TARGET(t), SIO_NAMES(__VA_ARGS__))
#define sio_sockets_leave(t, ...) \
    sio_target_sockets_leave(SIO_TARGET(t), SIO_NAMES(__VA_ARGS__))
#define sio_disconnect_sockets(t, close) \
    sio_target_disconnect_sockets(SIO_TARGET(t), (close))
#define sio_each_socket(t, fn, user) \
    sio_target_each_socket(SIO_TARGET(t), (fn), (user))
#define sio_fetch_sockets(t, fn, user) \
    sio_target_fetch_sockets(SIO_TARGET(t), (fn), (user))
#define sio_server_side_emit(nsp, ...) \
    sio_server_side_emit_values((nsp), SIO_VALUES_(__VA_ARGS__))
#define sio_server_side_emit_ack(nsp, on_reply, user, ...)     \
    sio_server_side_emit_ack_values((nsp), (on_reply), (user), \
                                    SIO_VALUES_(__VA_ARGS__))

#else
/* ----------------------------------------------------------- C++17 spelling */

template <class T, class... R> int sio_sockets_join(T t, R... rooms)
{
    const char *const names[] = { rooms... };

    return sio_target_sockets_join(sio_target_self_(t), names,
                                   sizeof...(rooms));
}
template <class T, class... R> int sio_sockets_leave(T t, R... rooms)
{
    const char *const names[] = { rooms... };

    return sio_target_sockets_leave(sio_target_self_(t), names,
                                    sizeof...(rooms));
}
template <class T> int sio_disconnect_sockets(T t, bool close)
{
    return sio_target_disconnect_sockets(sio_target_self_(t), close);
}
template <class T>
int sio_each_socket(T t, void (*fn)(void *user, sio_socket *socket), void *user)
{
    return sio_target_each_socket(sio_target_self_(t), fn, user);
}
template <class T> int sio_fetch_sockets(T t, sio_fetch_fn fn, void *user)
{
    return sio_target_fetch_sockets(sio_target_self_(t), fn, user);
}
template <class... V>
int sio_server_side_emit(sio_namespace *nsp, const char *event, const V &...v)
{
    const sio_value values[sizeof...(v) + 1] = { v..., sio_null() };

    return sio_server_side_emit_values(nsp, event, values, sizeof...(v));
}
template <class... V>
int sio_server_side_emit_ack(sio_namespace *nsp, sio_reply_fn on_reply,
                             void *user, const char *event, const V &...v)
{
    const sio_value values[sizeof...(v) + 1] = { v..., sio_null() };

    return sio_server_side_emit_ack_values(nsp, on_reply, user, event, values,
                                           sizeof...(v));
}
#endif

#endif /* SIO_SOCKETS_H */
