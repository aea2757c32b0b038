/*
 * namespace.h -- dynamic namespaces: those that come to be when a client asks
 * for them, by a rule that the program has given.
 *
 *     sio_namespace *rooms = sio_of_regex(server, "^/room-[0-9]+$");
 *
 *     sio_on_connection(rooms, on_connection, NULL);
 *     sio_emit(rooms, "news");     // to every room there is
 *
 * A rule is a *parent*: a namespace that no client is ever in. The namespaces
 * that it makes are its *children*, under the names that clients asked for. A
 * child's handlers and middlewares are its parent's, those that were registered
 * after it was made too, and behind them its own.
 *
 * To emit to a parent is to emit to each of its children, with its rooms and
 * exceptions there; so it is with sio_sockets_join(), sio_sockets_leave() and
 * sio_disconnect_sockets(). To ask (sio_emit_ack) or to fetch
 * (sio_fetch_sockets) is SIO_E_INVAL.
 *
 * How long a namespace lives
 *     of sio_of(), and parents: as long as the server.
 *     children: so too, unless cleanup_empty_child_namespaces is on. Then one
 *     goes with its last socket, and the pointer is good within the callback
 *     that brought it or got it by sio_of(), and as long as a socket of it is
 *     retained; to hold it longer, use sio_namespace_retain(). A name always
 *     finds the present one: sio_of().
 *     Whatever a retained socket still points at after its namespace was
 *     cleaned up is an empty one: emitting to it is allowed, and reaches
 *     nobody.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SIO_NAMESPACE_H
#define SIO_NAMESPACE_H

#include <sio/socket.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Children for the names that match a POSIX extended regular expression: of
 * bytes, in the C locale; not anchored unless it says so ("^/room-[0-9]+$").
 *
 * Rules are tried in the order they were made, the first that says yes counts.
 * What can be asked for at all: names of at most SIO_NAMESPACE_MAX bytes,
 * without NUL. A client is turned away with "Invalid namespace" when no rule
 * says yes, with "Too many namespaces" at max_dynamic_namespaces or
 * max_dynamic_namespaces_per_client.
 *
 * Returns  the parent, NULL: not a valid expression (why is told to the log at
 *          level ERROR), or out of memory.
 * Thread   before sio_run(), or a loop's.
 */
SIO_API sio_namespace *sio_of_regex(sio_server *server, const char *regex);

#define SIO_NAMESPACE_MAX 1024 /* bytes of a dynamic namespace's name */

/*
 * Children for the names that the function says yes to: it calls sio_next_ok()
 * or sio_next_error() exactly once, at once or later, from any thread, as a
 * middleware does. After an error the next rule is asked; message and data are
 * not told to the client. When several clients wait for the same name, it is
 * made once.
 *
 * name     what is asked for, with its "/"
 * auth     what the client sent as `auth`, a JSON object as text; both are
 *          borrowed until `next` is called
 */
typedef void (*sio_rule_fn)(const char *name, sio_str auth, sio_next *next,
                            void *user);
SIO_API sio_namespace *sio_of_function(sio_server *server, sio_rule_fn fn,
                                       void *user);

/* A namespace other than "/" was made: by sio_of() or by a rule; before the
 * first client joins it. With several loops, `fn` is called on the one that has
 * made it, while others that join, make or look for namespaces wait: it must
 * not wait for another loop. SIO_OK, SIO_E_NOMEM. */
typedef void (*sio_new_namespace_fn)(sio_namespace *nsp, void *user);
SIO_API int sio_on_new_namespace(sio_server *server, sio_new_namespace_fn fn,
                                 void *user);

/* The namespace of that name (with its "/") when it is there; it is not made.
 * Good within the callback. Loop thread. */
SIO_API sio_namespace *sio_find_namespace(const sio_server *server,
                                          const char *name);

/* Call fn for each namespace that is there, parents apart, in no order; fn must
 * not make any, nor wait for another loop. Returns how many. Loop thread. */
SIO_API size_t sio_each_namespace(const sio_server *server,
                                  void (*fn)(sio_namespace *nsp, void *user),
                                  void *user);

/* The parent whose rule has made it; NULL: none. Any thread. */
SIO_API sio_namespace *sio_parent_of(const sio_namespace *nsp);

/*
 * Keep a namespace: it is not cleaned up meanwhile, so that the pointer goes on
 * meaning what clients connect to. Returns `nsp`.
 *
 * Thread  retain: the loop's, or any that holds it already; release: any, not
 *         after sio_server_free()
 */
SIO_API sio_namespace *sio_namespace_retain(sio_namespace *nsp);
SIO_API void sio_namespace_release(sio_namespace *nsp);

#ifdef __cplusplus
}
#endif

#endif /* SIO_NAMESPACE_H */
