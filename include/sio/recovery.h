/*
 * recovery.h -- connection state recovery: a client whose connection broke
 * comes back within sio_options.max_disconnection_duration_ms as the same
 * socket, with its id, rooms and data, and is sent what it has missed.
 *
 * It is off unless sio_options.connection_state_recovery is set. Then every
 * event that wants no answer and is not volatile carries one argument more, its
 * offset, at the end: clients tell by it what they have, and Node's clients see
 * it as an argument, too.
 *
 * All of it is in this process's memory, or in Redis when the streams adapter
 * joins servers (<sio/redis.h>): then a client may come back on any of them.
 * The other adapters know no recovery: with them it is off. With several loops
 * a client may come back on another one: its handlers run there from then on.
 * See docs/API.md for what is kept, how long, and what cannot be recovered.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SIO_RECOVERY_H
#define SIO_RECOVERY_H

#include <sio/socket.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What became of a client's wish to be the socket that it was. */
typedef enum sio_recovery {
    SIO_RECOVERY_NONE,            /* it had none: it is new here */
    SIO_RECOVERED,                /* it is */
    SIO_RECOVERY_UNKNOWN_SESSION, /* there is no such session: it was recovered
                                     already, dropped, or never saved, since the
                                     socket left for good or its connection has
                                     not been missed yet */
    SIO_RECOVERY_TOO_LATE,        /* it was away too long */
    SIO_RECOVERY_UNKNOWN_OFFSET,  /* what it had last is in the log no more: too
                                     old, or pushed out by max_recovery_bytes */
    SIO_RECOVERY_UNAVAILABLE      /* the cluster's adapter was cut off, or had
                                     no memory */
} sio_recovery;

/* Of a socket, also within middlewares. One that could not be recovered is new:
 * other id, no rooms, no data. Why is also a line of the log, at level INFO.
 * Any thread. */
SIO_API sio_recovery sio_recovery_of(const sio_socket *socket);

/* "unknown session"; "?" for a number that is none. Any thread. */
SIO_API const char *sio_recovery_name(sio_recovery recovery);

/* sio_recovery_of() is SIO_RECOVERED. (Node: socket.recovered) Any thread. */
SIO_API bool sio_recovered(const sio_socket *socket);

#ifdef __cplusplus
}
#endif

#endif /* SIO_RECOVERY_H */
