/*
 * http.h -- a program's own HTTP routes, on the same ports as Socket.IO.
 *
 *     static void health(sio_http_request *request, void *user)
 *     {
 *         sio_http_respond(request, 200, "text/plain", "ok", 2);
 *     }
 *     ...
 *     sio_on_request(server, "GET", "/health", health, NULL);
 *
 * A request is the handler's from the call until sio_http_respond(), which it
 * must call exactly once, at once or later; if the client goes away in between,
 * that call just frees the request. After sio_server_free() it must not be
 * made. Socket.IO's own path comes first, then routes, then files; what matches
 * nothing is answered unmatched_status of sio_options.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SIO_HTTP_H
#define SIO_HTTP_H

#include <sio/server.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sio_http_request sio_http_request;
typedef void (*sio_http_fn)(sio_http_request *request, void *user);

/*
 * Handle requests of `method` ("GET" also means HEAD) for exactly `path`
 * (compared as sent, without the query). Both are copied. The handler is called
 * on the loop when the whole body is there; a body over max_http_buffer_size is
 * answered 413.
 *
 * Returns  SIO_OK, SIO_E_INVAL (a path without leading "/"), SIO_E_NOMEM.
 * Thread   before sio_run(), or the loop's.
 */
SIO_API int sio_on_request(sio_server *server, const char *method,
                           const char *path, sio_http_fn fn, void *user);

/* Slices that live until the handler returns; p NULL when absent. Header names
 * are given in lower case. Within the handler only. */
SIO_API sio_str sio_http_method(const sio_http_request *request);
SIO_API sio_str sio_http_path(const sio_http_request *request);
SIO_API sio_str sio_http_header(const sio_http_request *request,
                                const char *name);
SIO_API sio_str sio_http_body(const sio_http_request *request);

/* The client's IP as text; returns `out`. Within the handler. */
SIO_API const char *sio_http_address(const sio_http_request *request,
                                     char out[SIO_ADDRESS_SIZE]);

/* Did it come over TLS, here or at a trusted proxy? And with which certificate
 * of the client's? NULL: it has shown us none. Within the handler. */
SIO_API bool sio_http_secure(const sio_http_request *request);
SIO_API const sio_certificate *
sio_http_certificate(const sio_http_request *request);

/* A query parameter, decoded: copies at most size - 1 bytes and a NUL, returns
 * the whole length, or SIO_E_RANGE when there is none. Within the handler. */
SIO_API int sio_http_query(const sio_http_request *request, const char *key,
                           char *out, size_t size);

/*
 * Answer and free the request.
 *
 * status        200 to 999
 * content_type  NULL: no such field; no line ends
 * body          copied; may be NULL when n is 0
 * Returns       SIO_OK; SIO_E_INVAL (another status, a line end in
 *               content_type: the client gets 500); SIO_E_NOMEM (it gets 503)
 * Thread        any
 */
SIO_API int sio_http_respond(sio_http_request *request, int status,
                             const char *content_type, const void *body,
                             size_t n);

#ifdef __cplusplus
}
#endif

#endif /* SIO_HTTP_H */
