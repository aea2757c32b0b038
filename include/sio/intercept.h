/*
 * intercept.h -- what sees every event: catch-all listeners in both directions,
 * middlewares of events, errors; and taking handlers away again.
 *
 *   client --> catch-all --> middlewares --> (input is used up) --> handlers
 *                                 |
 *                                 +--> refused: sio_on_error()
 *
 *   sio_emit() --> outgoing catch-all --> (the packet is written)
 *
 * All of them belong to a namespace, as handlers do; a child's are those of its
 * parent, then its own. What is not registered costs nothing.
 *
 * Registering returns SIO_OK or SIO_E_NOMEM. Thread: before sio_run(), or a
 * loop's; see <sio/socket.h> for several loops.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SIO_INTERCEPT_H
#define SIO_INTERCEPT_H

#include <sio/event.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Every event that comes, before middlewares and handlers: also those that are
 * refused then, or that the client's own DISCONNECT overtakes. sio_event_name()
 * has the name. Prepended: before those that are there. (Node: socket.onAny,
 * prependAny)
 */
SIO_API int sio_on_any(sio_namespace *nsp, sio_event_fn fn, void *user);
SIO_API int sio_prepend_any(sio_namespace *nsp, sio_event_fn fn, void *user);

/*
 * Every event that goes to a socket, before it is written: emitted to it alone,
 * or by a broadcast that reaches it; also one that is dropped because it was
 * volatile. Not acknowledgements. (Node: socket.onAnyOutgoing,
 * prependAnyOutgoing)
 *
 * event    read with sio_event_name() and sio_arg_*(): the values that were
 *          emitted, binary as binary; one and the same for all sockets of a
 *          loop that a broadcast reaches. It cannot be acknowledged.
 * Thread   called on the socket's loop. While one is registered, what other
 *          threads and loops emit brings a copy of its values along.
 */
SIO_API int sio_on_any_outgoing(sio_namespace *nsp, sio_event_fn fn,
                                void *user);
SIO_API int sio_prepend_any_outgoing(sio_namespace *nsp, sio_event_fn fn,
                                     void *user);

/*
 * A middleware of events decides about each one: sio_next_ok() passes it on to
 * the next middleware, then to the handlers; sio_next_error() ends it, and
 * sio_on_error() hears of it: the client does not, and stays. Exactly one of
 * the two, at once or later, from any thread. (Node: socket.use)
 *
 * event    may be read, acknowledged, and changed by sio_event_replace(). It is
 *          good until the middleware returns; to read or change it later, call
 *          sio_next_keep() first.
 * Order    an event that waits holds nothing up: later ones pass it, as in
 *          Node.
 * Limit    SIO_WAITING_EVENTS of one socket, and max_unfinished_bytes of all
 *          clients together: whose event makes it more is closed.
 * Leaving  when the socket has left meanwhile, the event reaches nobody; `next`
 *          stays valid and is still to be called. A sio_ack_later() that was
 *          taken stays valid, too.
 */
typedef void (*sio_event_middleware_fn)(sio_socket *socket, sio_event *event,
                                        sio_next *next, void *user);
SIO_API int sio_use_events(sio_namespace *nsp, sio_event_middleware_fn fn,
                           void *user);

#define SIO_WAITING_EVENTS 1000 /* of one socket, with middlewares */

/*
 * Make the event last until `next` is answered, with a copy of what it holds.
 * From then on it is its holder's: one thread at a time may read and replace
 * it. What was read before has to be read again.
 *
 * Returns  SIO_OK, SIO_E_NOMEM, SIO_E_LIMIT (see above), SIO_E_STATE (`next` is
 *          not of an event)
 * Thread   the loop's, within the middleware, before it is answered.
 */
SIO_API int sio_next_keep(sio_next *next);

/*
 * Another name, other arguments: for the middlewares and handlers that follow.
 * Its acknowledgement stays. What was read from the event before is gone, but
 * `values` may be of it, as sio_arg() has them.
 *
 * name     NULL: the same
 * values   copied
 * Returns  SIO_OK, SIO_E_RESERVED, SIO_E_INVAL (invalid UTF-8 or JSON),
 *          SIO_E_LIMIT (too deep, or over max_buffered_amount), SIO_E_NOMEM,
 *          SIO_E_STATE (it is an answer); the event is as it was then.
 */
SIO_API int sio_event_replace(sio_event *event, const char *name,
                              const sio_value *values, size_t count);

/*
 * Something is wrong with a client or its event. (Node: the event "error" of a
 * socket)
 *
 * message  of sio_next_error() in a middleware of events: the client stays. Of
 *          a packet that cannot be decoded, "invalid payload" and its like:
 *          told to all sockets of the client, which is closed then ("forced
 *          close").
 * data     what sio_next_error() was given, as JSON; else NULL. Both are
 *          borrowed during the call.
 */
typedef void (*sio_error_fn)(sio_socket *socket, const char *message,
                             const sio_value *data, void *user);
SIO_API int sio_on_error(sio_namespace *nsp, sio_error_fn fn, void *user);

/*
 * Take a handler away, which was registered with this fn and this user; of
 * several the first. It is not called any more, not even for an event that is
 * being handled. fn NULL: all of them. Also from within a handler, its own
 * included. A child's are not its parent's: those are taken from the parent.
 * (Node: off, removeListener, offAny, offAnyOutgoing)
 *
 * Returns  SIO_OK, SIO_E_RANGE (there is none)
 */
SIO_API int sio_off(sio_namespace *nsp, const char *event, sio_event_fn fn,
                    void *user);
SIO_API int sio_off_any(sio_namespace *nsp, sio_event_fn fn, void *user);
SIO_API int sio_off_any_outgoing(sio_namespace *nsp, sio_event_fn fn,
                                 void *user);

#ifdef __cplusplus
}
#endif

#endif /* SIO_INTERCEPT_H */
