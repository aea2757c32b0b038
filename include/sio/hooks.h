/*
 * hooks.h -- deciding about requests and adding to answers: the hooks
 * allow_request and on_headers of sio_options.
 *
 *     static void allow(sio_handshake *handshake, void *user)
 *     {
 *         sio_str origin = sio_handshake_header(handshake, "origin");
 *
 *         if (is_ours(origin))
 *             sio_allow(handshake);
 *         else
 *             sio_refuse(handshake, "wrong origin");
 *     }
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SIO_HOOKS_H
#define SIO_HOOKS_H

#include <sio/server.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * allow_request is asked for each handshake (not for later requests of a
 * session) and calls one of these exactly once: at once or later, from any
 * thread, but not after sio_server_free(). If the client goes away in between,
 * the call does nothing.
 *
 * message  NULL: "Forbidden". Polling is answered 403 with
 *          {"code":4,"message":...}, a WebSocket 400 with the text. Copied.
 */
SIO_API void sio_allow(sio_handshake *handshake);
SIO_API void sio_refuse(sio_handshake *handshake, const char *message);

/* The request; within the hook's own call only. Header names are given in lower
 * case; p NULL when absent. A query parameter is decoded: at most size - 1
 * bytes and a NUL are copied, the whole length is returned, SIO_E_RANGE when
 * there is none. */
SIO_API sio_str sio_handshake_url(const sio_handshake *handshake);
SIO_API sio_str sio_handshake_header(const sio_handshake *handshake,
                                     const char *name);
SIO_API int sio_handshake_query(const sio_handshake *handshake, const char *key,
                                char *out, size_t size);

/* Did it come over TLS, and with which certificate of the client's? NULL: it
 * has shown none. */
SIO_API bool sio_handshake_secure(const sio_handshake *handshake);
SIO_API const sio_certificate *
sio_handshake_certificate(const sio_handshake *handshake);

#define SIO_HEADERS_MAX 16 /* fields that on_headers can add to one answer */

/*
 * on_headers is called for each answer 200 and 101 that belongs to a session.
 * What it adds comes behind the server's own fields; a name may be added
 * several times (Set-Cookie).
 *
 * Returns  SIO_OK, SIO_E_INVAL (no token, or a control character in the value),
 *          SIO_E_LIMIT, SIO_E_NOMEM. Both strings are copied.
 */
SIO_API int sio_headers_add(sio_headers *headers, const char *name,
                            const char *value);

/* Is it the first answer of a session? (Node's "initial_headers") */
SIO_API bool sio_headers_initial(const sio_headers *headers);

/* A header of the request, by its lower-case name; p NULL when absent. */
SIO_API sio_str sio_headers_request(const sio_headers *headers,
                                    const char *name);

/*
 * Why a request was refused, as Node's "connection_error": on_connection_error
 * is called once for each, before the answer. Everything is borrowed during the
 * call.
 */
struct sio_connection_error {
    int code;            /* 0 to 5: see docs/PROTOCOL.md */
    const char *message; /* the code's text: "Transport unknown" */
    /* More: the transport (0), session id (1), method (2) or EIO (5) that was
     * given, what is wrong (3: "TRANSPORT_MISMATCH", ...), the message of
     * sio_refuse() (4). "" when there is none; control characters are "?". */
    const char *context;
    sio_str method, url; /* of the request, as sent */
    const char *address; /* the client's IP */
};

#ifdef __cplusplus
}
#endif

#endif /* SIO_HOOKS_H */
