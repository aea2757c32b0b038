/*
 * hooks.h -- deciding about requests and adding to answers: middlewares of
 * HTTP, and the hooks of sio_options.
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
 *     static void secure(sio_http_call *call, void *user)
 *     {
 *         sio_call_add_header(call, "X-Content-Type-Options", "nosniff");
 *         sio_call_next(call);
 *     }
 *     ...
 *     options.allow_request = allow;
 *     sio_use_http(server, secure, NULL);
 *
 * The way of a request under the path: cors_request (or the CORS options),
 * middlewares, the checks of Engine.IO; of a handshake also allow_request,
 * generate_id. Last, on_headers for the answer.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SIO_HOOKS_H
#define SIO_HOOKS_H

#include <sio/engine.h>
#include <sio/server.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---------------------------------------------------------- middlewares -- */

typedef void (*sio_http_call_fn)(sio_http_call *call, void *user);

/*
 * Call `fn` for every request under the path of Socket.IO (or of an engine):
 * handshakes, polls, POSTs, upgrades, and OPTIONS that CORS has not answered;
 * before any check, in the order of registration. It ends each call exactly
 * once, with one of the functions below: at once or later, from any thread, but
 * not after sio_server_free(). A client that goes away meanwhile makes no
 * difference to it. The body of a POST is kept until then, up to
 * max_http_buffer_size.
 *
 * Returns  SIO_OK, SIO_E_NOMEM.
 * Thread   before sio_run(), or the loop's. `fn` is called on the loop.
 */
SIO_API int sio_use_http(sio_server *server, sio_http_call_fn fn, void *user);
SIO_API int sio_engine_use_http(sio_engine *engine, sio_http_call_fn fn,
                                void *user);

/* Go on, to the next middleware or the checks. */
SIO_API void sio_call_next(sio_http_call *call);

/* It went wrong: 400 with code 3, "Bad request". `error`, copied, is for
 * on_connection_error and the log; may be NULL. */
SIO_API void sio_call_fail(sio_http_call *call, const char *error);

/*
 * Answer here. An upgrade gets no answer: its connection is closed without a
 * byte, as in Node.
 *
 * status        200 to 999
 * content_type  NULL: no such field; no line ends
 * body          copied; may be NULL when n is 0
 * Returns       SIO_OK; SIO_E_INVAL (another status, a line end in
 *               content_type: the client gets 500); SIO_E_NOMEM (it gets 503)
 */
SIO_API int sio_call_respond(sio_http_call *call, int status,
                             const char *content_type, const void *body,
                             size_t n);

/*
 * Add a field to whatever will be the answer: also to refusals, but of an
 * upgrade only to the 101. A name may be added several times (Set-Cookie);
 * names given for Vary join those of CORS in one field.
 *
 * Returns  SIO_OK; SIO_E_INVAL (no token, a control character in the value, or
 *          a field that is the server's to write: Content-Length, Content-Type,
 *          Connection and the like); SIO_E_LIMIT (8192 bytes are full);
 *          SIO_E_NOMEM. Copied.
 * Thread   whichever has the call.
 */
SIO_API int sio_call_add_header(sio_http_call *call, const char *name,
                                const char *value);

/* The request; within the middleware's own call only. Header names are given in
 * lower case; p NULL when absent. Queries are read as with
 * sio_handshake_query(). */
SIO_API sio_str sio_call_method(const sio_http_call *call);
SIO_API sio_str sio_call_url(const sio_http_call *call);
SIO_API sio_str sio_call_header(const sio_http_call *call, const char *name);
SIO_API int sio_call_query(const sio_http_call *call, const char *key,
                           char *out, size_t size);
SIO_API bool sio_call_is_upgrade(const sio_http_call *call);
/* As sio_handshake_address() and its siblings. The text lives as long as the
 * call. */
SIO_API const char *sio_call_address(sio_http_call *call);
SIO_API bool sio_call_secure(const sio_http_call *call);
SIO_API const sio_certificate *sio_call_certificate(const sio_http_call *call);

/* ------------------------------------------------------ CORS by request -- */

/* What the cors_... fields of sio_options are, for one request. */
typedef struct sio_cors {
    size_t size;                 /* sizeof(sio_cors) in the caller's build */
    const char *origin;          /* NULL: the one that asks; "*", or a text */
    const char *methods;         /* "GET,HEAD,PUT,PATCH,POST,DELETE" */
    const char *allowed_headers; /* NULL: those that are asked for */
    const char *exposed_headers; /* NULL: none */
    bool credentials;            /* false */
    bool preflight_continue;     /* false */
    int success_status;          /* 204 */
    int64_t max_age_s;           /* -1: not said */
} sio_cors;

SIO_API void sio_cors_init_sized(sio_cors *cors, size_t size);
#define sio_cors_init(cors) sio_cors_init_sized((cors), sizeof *(cors))

/*
 * Add the fields of CORS, and go on; a preflight is answered. For cors_request,
 * or a middleware that does CORS itself. The first takes the server's options,
 * but with this origin: NULL: the one that asks; "*", or a text.
 *
 * Returns  SIO_OK; SIO_E_INVAL (a control character, a status not 200 to 299)
 *          and SIO_E_NOMEM: the call has failed, as by sio_call_fail().
 */
SIO_API int sio_call_allow_origin(sio_http_call *call, const char *origin);
SIO_API int sio_call_cors(sio_http_call *call, const sio_cors *cors);

/* ----------------------------------------------------------- handshakes -- */

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

#define SIO_ID_MAX 64 /* characters of a session id */

/*
 * generate_id makes the session id of a handshake that is let in, and calls one
 * of these exactly once, as allow_request does. An id must be beyond guessing:
 * it authenticates the client.
 *
 * id       1 to SIO_ID_MAX of A-Z a-z 0-9 - . _ ~; copied. One that a session
 *          has already is a failure, as sio_no_id() is: 400 with code 3.
 * error    for on_connection_error and the log; may be NULL. Copied.
 * Returns  SIO_OK; SIO_E_INVAL (no such id) and SIO_E_NOMEM: a failure;
 *          SIO_E_STATE (it was asked whether to allow it: nothing happens).
 */
SIO_API int sio_give_id(sio_handshake *handshake, const char *id);
SIO_API int sio_no_id(sio_handshake *handshake, const char *error);

/* The request; within the hook's own call only. Header names are given in lower
 * case; p NULL when absent. A query parameter is decoded: at most size - 1
 * bytes and a NUL are copied, the whole length is returned, SIO_E_RANGE when
 * there is none. */
SIO_API sio_str sio_handshake_url(const sio_handshake *handshake);
SIO_API sio_str sio_handshake_header(const sio_handshake *handshake,
                                     const char *name);
SIO_API int sio_handshake_query(const sio_handshake *handshake, const char *key,
                                char *out, size_t size);

/* The client's IP as text ("" once it has gone); returns `out`. */
SIO_API const char *sio_handshake_address(const sio_handshake *handshake,
                                          char out[SIO_ADDRESS_SIZE]);

/* Did it come over TLS, here or at a trusted proxy? And with which certificate
 * of the client's? NULL: it has shown us none. */
SIO_API bool sio_handshake_secure(const sio_handshake *handshake);
SIO_API const sio_certificate *
sio_handshake_certificate(const sio_handshake *handshake);

/* -------------------------------------------------------------- answers -- */

#define SIO_HEADERS_MAX 16 /* fields that on_headers can add to one answer */

/*
 * on_headers is called for each answer 200 and 101 that belongs to a session.
 * What it adds comes behind the server's own fields; a name may be added
 * several times (Set-Cookie).
 *
 * Returns  as sio_call_add_header(); SIO_E_LIMIT beyond SIO_HEADERS_MAX.
 */
SIO_API int sio_headers_add(sio_headers *headers, const char *name,
                            const char *value);

/* Is it the first answer of a session? (Node's "initial_headers") */
SIO_API bool sio_headers_initial(const sio_headers *headers);

/* A header of the request, by its lower-case name; p NULL when absent. */
SIO_API sio_str sio_headers_request(const sio_headers *headers,
                                    const char *name);

/* ------------------------------------------------------------- refusals -- */

/*
 * Why a request was refused, as Node's "connection_error": on_connection_error
 * is called once for each, before the answer. Everything is borrowed during the
 * call; what does not belong to the code is NULL, p NULL or 0.
 */
struct sio_connection_error {
    int code;            /* 0 to 5: see docs/PROTOCOL.md */
    const char *message; /* the code's text: "Transport unknown" */
    /* All that follows in one line for a log; "" when there is nothing. Control
     * characters are "?", and a long text is cut. */
    const char *context;

    /* 3, what is wrong: "INVALID_ORIGIN", "TRANSPORT_MISMATCH",
     * "PROTOCOL_MISMATCH", "TRANSPORT_HANDSHAKE_ERROR", "MIDDLEWARE_FAILURE",
     * "ID_GENERATION_ERROR". 4: "ORIGIN_NOT_ALLOWED", by allowed_origins */
    const char *name;
    sio_str transport;          /* 0; TRANSPORT_MISMATCH: as given */
    sio_str previous_transport; /* TRANSPORT_MISMATCH: the session's */
    sio_str sid;                /* 1: as given */
    int protocol;               /* 5; PROTOCOL_MISMATCH: 3 or 4 */
    int previous_protocol;      /* PROTOCOL_MISMATCH: the session's */
    sio_str origin;    /* INVALID_ORIGIN, ORIGIN_NOT_ALLOWED: as sent */
    const char *error; /* what the program said: sio_refuse(), sio_call_fail(),
                          sio_no_id() */

    sio_str method, url; /* of the request, as sent; 2: the method */
    const char *address; /* the client's IP */
};

#ifdef __cplusplus
}
#endif

#endif /* SIO_HOOKS_H */
