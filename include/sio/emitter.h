/*
 * emitter.h -- emitting into a cluster from a program that is no server: a job,
 * a tool, another service. It speaks to Redis (<sio/redis.h>), and the servers,
 * of libsio or Node, do what it says. (Node: @socket.io/redis-emitter,
 * @socket.io/redis-streams-emitter)
 *
 *     sio_emitter *out = sio_emitter_new(NULL);
 *
 *     sio_emitter_emit(out, "news", sio_string("..."));
 *     sio_emitter_emit(sio_emitter_to(out, "lobby"), "news", sio_int(1));
 *     sio_emitter_disconnect_sockets(sio_emitter_of(out, "/admin"), true);
 *     sio_emitter_flush(out, 5000);
 *     sio_emitter_free(out);
 *
 * The first argument is a sio_emitter *, which means everybody in "/", or a
 * sio_emission. Nothing is answered: servers that are not there hear nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SIO_EMITTER_H
#define SIO_EMITTER_H

#include <sio/redis.h>
#include <sio/sockets.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sio_emitter sio_emitter;

/* Borrowed until sio_emitter_new() has returned. */
typedef struct sio_emitter_options {
    size_t size; /* sizeof(sio_emitter_options) in the caller's build */

    const sio_redis_options *redis; /* NULL: the defaults. The adapter, prefix,
                                       stream and mode are those of the
                                       servers */
    struct event_base *event_base;  /* NULL: the emitter has a thread of its
                                       own; else the program runs it */

    /* One line: a connection that was lost, what did not reach Redis. On the
     * emitter's thread; what is wrong with the options within
     * sio_emitter_new(). NULL: nobody wants to know. */
    sio_log_fn log;
    void *log_user;
} sio_emitter_options;

SIO_API void sio_emitter_options_init_sized(sio_emitter_options *options,
                                            size_t size);
#define sio_emitter_options_init(options) \
    sio_emitter_options_init_sized((options), sizeof *(options))

/*
 * Begin to connect.
 *
 * options  NULL: the defaults
 * Returns  NULL when the options are invalid, out of memory, or the library
 *          was built without Redis; why is told to options->log
 * Thread   any; with an event_base the one that runs it
 */
SIO_API sio_emitter *sio_emitter_new(const sio_emitter_options *options);

/* What Redis has not confirmed by then may be lost: sio_emitter_flush() first.
 * NULL is legal. No other call may be under way; with an event_base on the
 * thread that runs it, not within a callback of the emitter. */
SIO_API void sio_emitter_free(sio_emitter *emitter);

/*
 * Wait until Redis has confirmed what was said before, by any thread.
 *
 * timeout_ms  for at most so long
 * Returns     SIO_OK; SIO_E_TIMEOUT: something waits still; SIO_E_SYS: some of
 *             what was said since the last flush did not reach Redis;
 *             SIO_E_STATE: this thread runs the emitter's event_base, which
 *             could not go on
 * Thread      any but the emitter's own
 */
SIO_API int sio_emitter_flush(sio_emitter *emitter, uint32_t timeout_ms);

typedef struct sio_emitter_stats {
    sio_cluster_state state;
    size_t pending;      /* messages that Redis has not confirmed */
    size_t queued_bytes; /* that they take, at most max_queued */
    uint64_t sent;       /* messages that Redis has confirmed */
    uint64_t dropped;    /* that it has not, or that there was no room for */
} sio_emitter_stats;

/* Any thread. */
SIO_API void sio_emitter_get_stats(sio_emitter *emitter,
                                   sio_emitter_stats *out);

/* Who is meant. A plain value; make it with the functions below. Names are
 * borrowed until the call that it is given to has returned. */
typedef struct sio_emission {
    sio_emitter *emitter;
    const char *nsp; /* with or without its slash */
    const char *rooms[SIO_TARGET_ROOMS];
    const char *except[SIO_TARGET_ROOMS];
    uint8_t room_count, except_count;
    uint8_t flags[2]; /* in the order in which they were set */
    bool compress;
    bool overflow; /* more rooms than fit: SIO_E_LIMIT */
} sio_emission;

/* Everybody in a namespace. "chat" is "/chat". */
SIO_API sio_emission sio_emitter_of(sio_emitter *emitter, const char *nsp);

/* As sio_and_to() and its like of <sio/emit.h>; better spelled as below. */
SIO_API sio_emission sio_emission_to(sio_emission emission, const char *room);
SIO_API sio_emission sio_emission_except(sio_emission emission,
                                         const char *room);
SIO_API sio_emission sio_emission_volatile(sio_emission emission);
SIO_API sio_emission sio_emission_compress(sio_emission emission,
                                           bool compress);

/*
 * Have all servers do it.
 *
 * event    NUL-terminated UTF-8; values as of sio_emit()
 * rooms    names, borrowed until return
 * Returns  SIO_OK once it is on its way to Redis; SIO_E_RESERVED; SIO_E_INVAL
 *          (invalid UTF-8 or JSON); SIO_E_LIMIT (more rooms in the emission
 *          than it can hold; max_queued bytes wait already); SIO_E_NOMEM.
 *          Nothing was sent then.
 * Thread   any
 * Order    calls of one thread reach the servers in call order; in a Redis
 *          Cluster, those that go the same way
 */
SIO_API int sio_emission_emit_values(sio_emission emission, const char *event,
                                     const sio_value *values, size_t count);
SIO_API int sio_emission_sockets_join(sio_emission emission,
                                      const char *const *rooms, size_t count);
SIO_API int sio_emission_sockets_leave(sio_emission emission,
                                       const char *const *rooms, size_t count);
SIO_API int sio_emission_disconnect_sockets(sio_emission emission, bool close);
/* To the servers themselves: sio_on_server_event(). Of the emission only its
 * namespace counts. */
SIO_API int sio_emission_server_side_emit_values(sio_emission emission,
                                                 const char *event,
                                                 const sio_value *values,
                                                 size_t count);

#ifdef __cplusplus
}
#endif

#ifndef __cplusplus
/* ----------------------------------------------------------- C11 spelling */

static inline sio_emission sio_emission_all_(sio_emitter *emitter)
{
    return sio_emitter_of(emitter, "/");
}

static inline sio_emission sio_emission_self_(sio_emission emission)
{
    return emission;
}

/* clang-format off */
#define SIO_EMISSION(e)                   \
    _Generic((e),                         \
        sio_emitter *: sio_emission_all_, \
        sio_emission: sio_emission_self_)(e)
/* clang-format on */

#define sio_emitter_to(e, room) sio_emission_to(SIO_EMISSION(e), (room))
#define sio_emitter_except(e, room) sio_emission_except(SIO_EMISSION(e), (room))
#define sio_emitter_volatile(e) sio_emission_volatile(SIO_EMISSION(e))
#define sio_emitter_compress(e, on) sio_emission_compress(SIO_EMISSION(e), (on))

#define sio_emitter_emit(e, ...) \
    sio_emission_emit_values(SIO_EMISSION(e), SIO_VALUES_(__VA_ARGS__))
#define sio_emitter_server_side_emit(e, ...)              \
    sio_emission_server_side_emit_values(SIO_EMISSION(e), \
                                         SIO_VALUES_(__VA_ARGS__))
#define sio_emitter_sockets_join(e, ...) \
    sio_emission_sockets_join(SIO_EMISSION(e), SIO_NAMES(__VA_ARGS__))
#define sio_emitter_sockets_leave(e, ...) \
    sio_emission_sockets_leave(SIO_EMISSION(e), SIO_NAMES(__VA_ARGS__))
#define sio_emitter_disconnect_sockets(e, close) \
    sio_emission_disconnect_sockets(SIO_EMISSION(e), (close))

#else
/* --------------------------------------------------------- C++17 spelling */

inline sio_emission sio_emission_self_(sio_emitter *emitter)
{
    return sio_emitter_of(emitter, "/");
}
inline sio_emission sio_emission_self_(sio_emission emission)
{
    return emission;
}

template <class E> sio_emission sio_emitter_to(E e, const char *room)
{
    return sio_emission_to(sio_emission_self_(e), room);
}
template <class E> sio_emission sio_emitter_except(E e, const char *room)
{
    return sio_emission_except(sio_emission_self_(e), room);
}
template <class E> sio_emission sio_emitter_volatile(E e)
{
    return sio_emission_volatile(sio_emission_self_(e));
}
template <class E> sio_emission sio_emitter_compress(E e, bool on)
{
    return sio_emission_compress(sio_emission_self_(e), on);
}
template <class E, class... V>
int sio_emitter_emit(E e, const char *event, const V &...v)
{
    const sio_value values[sizeof...(v) + 1] = { v..., sio_null() };

    return sio_emission_emit_values(sio_emission_self_(e), event, values,
                                    sizeof...(v));
}
template <class E, class... V>
int sio_emitter_server_side_emit(E e, const char *event, const V &...v)
{
    const sio_value values[sizeof...(v) + 1] = { v..., sio_null() };

    return sio_emission_server_side_emit_values(sio_emission_self_(e), event,
                                                values, sizeof...(v));
}
template <class E, class... R> int sio_emitter_sockets_join(E e, R... rooms)
{
    const char *const names[] = { rooms... };

    return sio_emission_sockets_join(sio_emission_self_(e), names,
                                     sizeof...(rooms));
}
template <class E, class... R> int sio_emitter_sockets_leave(E e, R... rooms)
{
    const char *const names[] = { rooms... };

    return sio_emission_sockets_leave(sio_emission_self_(e), names,
                                      sizeof...(rooms));
}
template <class E> int sio_emitter_disconnect_sockets(E e, bool close)
{
    return sio_emission_disconnect_sockets(sio_emission_self_(e), close);
}
#endif

#endif /* SIO_EMITTER_H */
