/*
 * emit.h -- sending: to a socket, to a namespace, to rooms, with answers.
 *
 *     sio_emit(socket, "welcome", sio_int(1));
 *     sio_emit(sio_to(nsp, "lobby"), "news", sio_string("..."));
 *     sio_emit(sio_except(sio_broadcast(socket), "muted"), "typing");
 *     sio_emit_ack(sio_timeout(socket, 5000), on_reply, user, "ask");
 *
 * The first argument is a sio_socket *, a sio_namespace * or a sio_target; the
 * event is NUL-terminated UTF-8; up to SIO_MAX_VALUES values follow.
 *
 * Returns  SIO_OK once queued or posted (a socket that is gone drops it, as in
 *          Node); SIO_E_RESERVED; SIO_E_INVAL (invalid UTF-8 or JSON);
 *          SIO_E_LIMIT (more rooms in a target than it can hold, or a text
 *          longer than max_buffered_amount); SIO_E_NOMEM. Nothing was sent
 *          then.
 * Thread   any. The packet is encoded here; sockets of the calling loop get it
 *          at once, every other loop gets one message.
 * Order    calls of one thread reach each socket in call order.
 * Cost     encoded once, however many sockets, on however many loops, get it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SIO_EMIT_H
#define SIO_EMIT_H

#include <sio/event.h>
#include <sio/value.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SIO_TARGET_ROOMS 8 /* rooms, and as many exceptions, in one target */

/* Who gets an event: the union of `rooms` (none: the whole namespace) without
 * the sockets that are in any of `except`, and without `sender`. A plain value;
 * make it with the functions below. Room names are borrowed. */
typedef struct sio_target {
    sio_namespace *nsp;
    sio_socket *socket; /* just this one, when not NULL */
    sio_socket *sender; /* left out, when not NULL */
    const char *rooms[SIO_TARGET_ROOMS];
    const char *except[SIO_TARGET_ROOMS];
    uint8_t room_count, except_count;
    bool is_volatile, is_local, no_compress;
    bool is_single; /* the one socket of the id in rooms[0]: see
                       sio_remote_target() */
    bool overflow;  /* more rooms than fit: the emit returns SIO_E_LIMIT */
    uint32_t timeout_ms;
} sio_target;

SIO_API sio_target sio_target_socket(sio_socket *socket);
SIO_API sio_target sio_target_namespace(sio_namespace *nsp);

/* All sockets of the namespace but this one. */
SIO_API sio_target sio_broadcast(sio_socket *socket);

/* Also the members of `room`; also not the members of `room`. Socket ids are
 * rooms too. */
SIO_API sio_target sio_and_to(sio_target target, const char *room);
SIO_API sio_target sio_target_except(sio_target target, const char *room);

/* May be dropped when the client is not ready to take it at once. */
SIO_API sio_target sio_target_volatile(sio_target target);
/* Only sockets of this process. */
SIO_API sio_target sio_target_local(sio_target target);
SIO_API sio_target sio_target_compress(sio_target target, bool compress);
/* How long sio_emit_ack() waits for answers, in milliseconds. */
SIO_API sio_target sio_target_timeout(sio_target target, uint32_t ms);

SIO_API int sio_emit_values(sio_target target, const char *event,
                            const sio_value *values, size_t count);
SIO_API int sio_socket_emit_values(sio_socket *socket, const char *event,
                                   const sio_value *values, size_t count);

/*
 * The answers to an event, called exactly once: on the loop that has asked; on
 * the first loop when another thread has.
 *
 * error    SIO_OK; SIO_E_TIMEOUT; SIO_E_STATE (the one socket asked is
 *          gone, or the server stops); SIO_E_NOMEM
 * answers  read with sio_arg_*(): of one socket, the values of its
 *          acknowledgement; of several, the first value of each one's, in the
 *          order they came, also after a timeout those that did come
 */
typedef void (*sio_reply_fn)(int error, sio_event *answers, void *user);

/* Asking a single socket needs no timeout: without one it waits until the
 * socket leaves. Asking several without one is SIO_E_INVAL; a socket that is
 * gone, or a server that stops, SIO_E_STATE, unless that is seen only on
 * another loop: then on_reply is told. Unless this returns SIO_OK, on_reply is
 * not called. Any thread. */
SIO_API int sio_emit_ack_values(sio_target target, sio_reply_fn on_reply,
                                void *user, const char *event,
                                const sio_value *values, size_t count);

#ifdef __cplusplus
}
#endif

#ifndef __cplusplus
/* ----------------------------------------------------------- C11 spelling */

static inline sio_target sio_target_self_(sio_target target)
{
    return target;
}

/* clang-format off */
#define SIO_TARGET(t)                          \
    _Generic((t),                              \
        sio_socket *: sio_target_socket,       \
        sio_namespace *: sio_target_namespace, \
        sio_target: sio_target_self_)(t)

/* Of a socket: everybody but it, as Node's socket.to() and .except(). */
#define SIO_OTHERS(t)                          \
    _Generic((t),                              \
        sio_socket *: sio_broadcast,           \
        sio_namespace *: sio_target_namespace, \
        sio_target: sio_target_self_)(t)
/* clang-format on */

#define sio_to(from, room) sio_and_to(SIO_OTHERS(from), (room))
#define sio_except(from, room) sio_target_except(SIO_OTHERS(from), (room))
#define sio_volatile(t) sio_target_volatile(SIO_TARGET(t))
#define sio_local(t) sio_target_local(SIO_OTHERS(t))
#define sio_compress(t, on) sio_target_compress(SIO_TARGET(t), (on))
#define sio_timeout(t, ms) sio_target_timeout(SIO_TARGET(t), (ms))

/* SIO_VALUES(event, values...) -> event, array, count. Up to 16 values. */
#define SIO_MAX_VALUES 16
#define SIO_PICK_(a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, \
                  a15, a16, a17, name, ...)                                    \
    name
#define SIO_NONE_(event) (event), NULL, 0
#define SIO_SOME_(event, ...)                    \
    (event), (const sio_value[]){ __VA_ARGS__ }, \
        sizeof((const sio_value[]){ __VA_ARGS__ }) / sizeof(sio_value)
#define SIO_VALUES_(...)                                               \
    SIO_PICK_(__VA_ARGS__, SIO_SOME_, SIO_SOME_, SIO_SOME_, SIO_SOME_, \
              SIO_SOME_, SIO_SOME_, SIO_SOME_, SIO_SOME_, SIO_SOME_,   \
              SIO_SOME_, SIO_SOME_, SIO_SOME_, SIO_SOME_, SIO_SOME_,   \
              SIO_SOME_, SIO_SOME_, SIO_NONE_, SIO_NONE_)              \
    (__VA_ARGS__)

/* clang-format off */
#define sio_emit(to, ...)                            \
    _Generic((to),                                   \
        sio_socket *: sio_socket_emit_values,        \
        sio_namespace *: sio_namespace_emit_values_, \
        sio_target: sio_emit_values)((to), SIO_VALUES_(__VA_ARGS__))
/* clang-format on */
#define sio_emit_ack(to, on_reply, user, ...)               \
    sio_emit_ack_values(SIO_TARGET(to), (on_reply), (user), \
                        SIO_VALUES_(__VA_ARGS__))

/* sio_ack(event), sio_ack(event, value...): the event stands where a name
 * stands above. */
#define sio_ack(...) sio_ack_values(SIO_VALUES_(__VA_ARGS__))
#define sio_answer(...) sio_answer_values(SIO_VALUES_(__VA_ARGS__))

static inline int sio_namespace_emit_values_(sio_namespace *nsp,
                                             const char *event,
                                             const sio_value *values,
                                             size_t count)
{
    return sio_emit_values(sio_target_namespace(nsp), event, values, count);
}

#else
/* ----------------------------------------------------------- C++17 spelling */

inline sio_target sio_target_self_(sio_target t)
{
    return t;
}
inline sio_target sio_target_self_(sio_socket *s)
{
    return sio_target_socket(s);
}
inline sio_target sio_target_self_(sio_namespace *n)
{
    return sio_target_namespace(n);
}
inline sio_target sio_others_(sio_target t)
{
    return t;
}
inline sio_target sio_others_(sio_socket *s)
{
    return sio_broadcast(s);
}
inline sio_target sio_others_(sio_namespace *n)
{
    return sio_target_namespace(n);
}

template <class T> sio_target sio_to(T from, const char *room)
{
    return sio_and_to(sio_others_(from), room);
}
template <class T> sio_target sio_except(T from, const char *room)
{
    return sio_target_except(sio_others_(from), room);
}
template <class T> sio_target sio_volatile(T t)
{
    return sio_target_volatile(sio_target_self_(t));
}
template <class T> sio_target sio_local(T t)
{
    return sio_target_local(sio_others_(t));
}
template <class T> sio_target sio_compress(T t, bool on)
{
    return sio_target_compress(sio_target_self_(t), on);
}
template <class T> sio_target sio_timeout(T t, uint32_t ms)
{
    return sio_target_timeout(sio_target_self_(t), ms);
}
template <class T, class... V>
int sio_emit(T to, const char *event, const V &...v)
{
    const sio_value values[sizeof...(v) + 1] = { v..., sio_null() };

    return sio_emit_values(sio_target_self_(to), event, values, sizeof...(v));
}
template <class T, class... V>
int sio_emit_ack(T to, sio_reply_fn on_reply, void *user, const char *event,
                 const V &...v)
{
    const sio_value values[sizeof...(v) + 1] = { v..., sio_null() };

    return sio_emit_ack_values(sio_target_self_(to), on_reply, user, event,
                               values, sizeof...(v));
}
template <class... V> int sio_ack(sio_event *event, const V &...v)
{
    const sio_value values[sizeof...(v) + 1] = { v..., sio_null() };

    return sio_ack_values(event, values, sizeof...(v));
}
template <class... V> int sio_answer(sio_pending_ack *ack, const V &...v)
{
    const sio_value values[sizeof...(v) + 1] = { v..., sio_null() };

    return sio_answer_values(ack, values, sizeof...(v));
}
#endif

#endif /* SIO_EMIT_H */
