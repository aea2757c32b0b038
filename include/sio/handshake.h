/*
 * handshake.h -- what a socket came with: Node's socket.handshake. Single
 * fields are in <sio/socket.h>: sio_auth(), sio_request_header(),
 * sio_request_query(), sio_request_url(), sio_address().
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SIO_HANDSHAKE_H
#define SIO_HANDSHAKE_H

#include <sio/socket.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * All of it as a JSON object, with Node's keys in Node's order: headers, time,
 * address, xdomain, secure, issued, url, query, auth. Made anew by each call.
 *
 * out      gets at most size - 1 bytes and a NUL; may be NULL when size is 0
 * Returns  the whole length; SIO_E_STATE (the socket has left); SIO_E_NOMEM
 * Thread   the loop's
 */
SIO_API int sio_handshake_json(const sio_socket *socket, char *out,
                               size_t size);

/* When the socket was made, by the system's clock: ms since 1970. Any thread.
 */
SIO_API uint64_t sio_issued_ms(const sio_socket *socket);

/* Did the request come with an Origin, from a page that is? */
SIO_API bool sio_request_xdomain(const sio_socket *socket);

/* Calls fn for each header field of the request, in the order they came; names
 * are in lower case, and one may come again. Returns how many: 0 once the
 * socket has left. Loop thread. */
SIO_API size_t sio_each_header(const sio_socket *socket,
                               void (*fn)(void *user, sio_str name,
                                          sio_str value),
                               void *user);

/*
 * In a handler of sio_on_disconnecting() or sio_on_disconnect(): what exactly
 * went wrong, for "transport error" and what else has more to say than its
 * reason ("poll connection closed prematurely"); else NULL. For people: the
 * texts may change. As long as the handler runs.
 */
SIO_API const char *sio_disconnect_description(const sio_socket *socket);

#ifdef __cplusplus
}
#endif

#endif /* SIO_HANDSHAKE_H */
