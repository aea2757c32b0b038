/*
 * websocket.h -- plain WebSocket endpoints (RFC 6455), without Engine.IO or
 * Socket.IO on top, on the same ports.
 *
 *     static void on_message(sio_websocket *ws, const sio_value *message,
 *                            void *user)
 *     {
 *         sio_websocket_send(ws, message);      // an echo
 *     }
 *     ...
 *     sio_websocket_handlers h = { .size = sizeof h,
 *                                  .on_message = on_message };
 *     sio_websocket_options o;
 *     sio_websocket_options_init(&o);
 *     o.path = "/echo";
 *     sio_on_websocket(server, &o, &h, NULL);
 *
 * Fragments are put together, pings answered, and whatever breaks the protocol
 * is closed with the code that RFC 6455 names. A sio_websocket is good until
 * its on_close() returned. Loop thread only.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SIO_WEBSOCKET_H
#define SIO_WEBSOCKET_H

#include <sio/server.h>
#include <sio/value.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sio_websocket sio_websocket;

/* Strings are copied by sio_on_websocket(). */
typedef struct sio_websocket_options {
    size_t size;      /* sizeof(sio_websocket_options) in the caller's build */
    const char *path; /* NULL: every path that nothing else serves */
    const char *subprotocols; /* NULL: none; else names separated by commas: the
                                 first that a client offers is chosen */
    bool per_message_deflate; /* false: see sio_options */
    size_t max_message;       /* 1000000: bytes; more is closed with 1009 */
    uint32_t max_fragments; /* 16384: of a message; more is closed with 1008 */
    uint32_t ping_interval_ms; /* 0: no pings; else one so long after the last
                                  pong */
    uint32_t ping_timeout_ms;  /* 20000: a peer from which nothing comes for so
                                  long after a ping is disconnected: 1006 */
} sio_websocket_options;

SIO_API void sio_websocket_options_init_sized(sio_websocket_options *options,
                                              size_t size);
#define sio_websocket_options_init(options) \
    sio_websocket_options_init_sized((options), sizeof *(options))

/* Each may be NULL. */
typedef struct sio_websocket_handlers {
    size_t size; /* sizeof(sio_websocket_handlers) in the caller's build */
    void (*on_open)(sio_websocket *ws, void *user);
    /* A message: SIO_STRING (valid UTF-8) or SIO_BINARY, borrowed during the
     * call. */
    void (*on_message)(sio_websocket *ws, const sio_value *message, void *user);
    /* What was sent has gone to the kernel: sio_websocket_buffered() is 0. */
    void (*on_drain)(sio_websocket *ws, void *user);
    /* The last call. `code` is the peer's, or the one that its violation was
     * answered with; 1005: it gave none; 1006: the connection broke. `reason`
     * is the peer's. Not called after the program's own sio_websocket_close().
     */
    void (*on_close)(sio_websocket *ws, unsigned code, sio_str reason,
                     void *user);
} sio_websocket_handlers;

/*
 * Add an endpoint; it lives as long as the server. Socket.IO's and Engine.IO's
 * paths come first.
 *
 * handlers  copied; called on the loop
 * Returns   SIO_OK, SIO_E_INVAL (a path without leading "/", a limit of 0),
 *           SIO_E_NOMEM.
 * Thread    before sio_run(), or the loop's.
 */
SIO_API int sio_on_websocket(sio_server *server,
                             const sio_websocket_options *options,
                             const sio_websocket_handlers *handlers,
                             void *user);

/*
 * Queue one message: SIO_STRING or SIO_BINARY; copied. A peer that lets more
 * than the server's max_buffered_amount wait is disconnected: look at
 * sio_websocket_buffered() and wait for on_drain.
 *
 * SIO_OK; SIO_E_TYPE; SIO_E_INVAL (text that is not valid UTF-8); SIO_E_STATE
 * (closing).
 */
SIO_API int sio_websocket_send(sio_websocket *ws, const sio_value *message);

/* Bytes that wait to be written. */
SIO_API size_t sio_websocket_buffered(const sio_websocket *ws);

/* Stop and resume reading from the peer: back-pressure. */
SIO_API void sio_websocket_pause(sio_websocket *ws);
SIO_API void sio_websocket_resume(sio_websocket *ws);

/* Close in order: behind what is queued. code: 1000, 3000 to 4999, or what RFC
 * 6455 7.4.1 lets a server send; reason: at most 123 bytes, may be NULL. The
 * pointer is dead afterwards. SIO_E_INVAL: such a code or reason may not be
 * sent. */
SIO_API int sio_websocket_close(sio_websocket *ws, unsigned code,
                                const char *reason);

/* The subprotocol that was agreed on, "" when none. */
SIO_API const char *sio_websocket_subprotocol(const sio_websocket *ws);

/* A pointer of the program's, NULL at first. */
SIO_API void sio_websocket_set_data(sio_websocket *ws, void *data);
SIO_API void *sio_websocket_data(const sio_websocket *ws);

#ifdef __cplusplus
}
#endif

#endif /* SIO_WEBSOCKET_H */
