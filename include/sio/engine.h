/*
 * engine.h -- plain Engine.IO, without Socket.IO on top: sessions that carry
 * text and binary messages over long-polling and WebSocket, as the npm package
 * "engine.io" offers them.
 *
 *     static void on_message(sio_session *session, const sio_value *message,
 *                            void *user)
 *     {
 *         sio_session_send(session, message);   // an echo
 *     }
 *     ...
 *     sio_engine_handlers h = { .size = sizeof h, .on_message = on_message };
 *     sio_engine_new(server, &options, &h, NULL);
 *
 * An engine has a path of its own and shares the server's ports and loop. A
 * session is good until its on_close() returned. Loop thread only.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SIO_ENGINE_H
#define SIO_ENGINE_H

#include <sio/server.h>
#include <sio/value.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sio_engine sio_engine;
typedef struct sio_session sio_session;

/* Each may be NULL. */
typedef struct sio_engine_handlers {
    size_t size; /* sizeof(sio_engine_handlers) in the caller's build */
    void (*on_open)(sio_session *session, void *user);
    /* A message: SIO_STRING or SIO_BINARY, borrowed during the call. */
    void (*on_message)(sio_session *session, const sio_value *message,
                       void *user);
    /* Reasons are Node's: "transport close", "ping timeout", ... */
    void (*on_close)(sio_session *session, const char *reason, void *user);
} sio_engine_handlers;

/*
 * Add an Engine.IO endpoint to the server; it lives as long as the server.
 *
 * options   its path (default "/engine.io" when options is NULL), heartbeat,
 *           limits, transports, CORS; what is not Engine.IO's is ignored
 * handlers  copied; called on the loop
 * Returns   NULL when options are invalid (told to the server's log) or out of
 *           memory.
 * Thread    before sio_run(), or the loop's.
 */
SIO_API sio_engine *sio_engine_new(sio_server *server,
                                   const sio_options *options,
                                   const sio_engine_handlers *handlers,
                                   void *user);

/* Queue one message, SIO_STRING or SIO_BINARY (SIO_E_TYPE else). Copied.
 * SIO_E_STATE when the session is closing. */
SIO_API int sio_session_send(sio_session *session, const sio_value *message);

/* Close in order: what is queued goes out first. */
SIO_API void sio_session_close(sio_session *session);

/* The Engine.IO session id: it authenticates the client, so keep it secret. */
SIO_API const char *sio_session_id(const sio_session *session);
SIO_API const char *sio_session_transport(const sio_session *session);

/* A header, by its lower-case name, of the request that carried the message
 * being handled: over polling a POST, else the request that opened the session.
 * p NULL when absent; good during the call of the handler. */
SIO_API sio_str sio_session_header(const sio_session *session,
                                   const char *name);

/* A pointer of the program's, NULL at first. */
SIO_API void sio_session_set_data(sio_session *session, void *data);
SIO_API void *sio_session_data(const sio_session *session);

#ifdef __cplusplus
}
#endif

#endif /* SIO_ENGINE_H */
