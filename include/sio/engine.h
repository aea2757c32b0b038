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
 * session is good until its on_close() returned; any handler may send and
 * close. Loop thread only.
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

/* The kinds of packets; the numbers are those on the wire. */
typedef enum sio_packet_type {
    SIO_PACKET_OPEN,
    SIO_PACKET_CLOSE,
    SIO_PACKET_PING,
    SIO_PACKET_PONG,
    SIO_PACKET_MESSAGE,
    SIO_PACKET_UPGRADE,
    SIO_PACKET_NOOP
} sio_packet_type;

typedef struct sio_engine_packet {
    sio_packet_type type;
    sio_value data; /* SIO_STRING, of a message also SIO_BINARY; may be empty */
} sio_engine_packet;

/* Each may be NULL, and costs nothing then. */
typedef struct sio_engine_handlers {
    size_t size; /* sizeof(sio_engine_handlers) in the caller's build */
    void (*on_open)(sio_session *session, void *user);
    /* A message: SIO_STRING or SIO_BINARY, borrowed during the call. */
    void (*on_message)(sio_session *session, const sio_value *message,
                       void *user);
    /* Reasons are Node's: "transport close", "ping timeout", ... */
    void (*on_close)(sio_session *session, const char *reason, void *user);

    /* Every packet that an open session receives, heartbeats too; a message
     * before its on_message. Borrowed during the call. */
    void (*on_packet)(sio_session *session, const sio_engine_packet *packet,
                      void *user);
    /* A message or a heartbeat is about to be queued. Borrowed. */
    void (*on_packet_create)(sio_session *session,
                             const sio_engine_packet *packet, void *user);
    /* Packets leave for the transport: over WebSocket each when it is sent,
     * over polling all that waited, with the GET that fetches them. Messages
     * and heartbeats; borrowed. count 0: no memory for the list. */
    void (*on_flush)(sio_session *session, const sio_engine_packet *packets,
                     size_t count, void *user);
    /* What was flushed has gone, over WebSocket to the kernel, over polling
     * with its answer: sio_session_buffered() is 0. Behind the callbacks of
     * sio_session_send_with(). */
    void (*on_drain)(sio_session *session, void *user);
    /* The client's part of a heartbeat has come: a pong; of Engine.IO 3 a ping,
     * which has been answered. */
    void (*on_heartbeat)(sio_session *session, void *user);
    /* A WebSocket has begun to take over; the session still polls. It may never
     * come to on_upgrade. */
    void (*on_upgrading)(sio_session *session, void *user);
    /* It has: sio_session_transport() is "websocket", and what waited for a
     * poll has gone there. */
    void (*on_upgrade)(sio_session *session, void *user);
} sio_engine_handlers;

/*
 * Add an Engine.IO endpoint to the server; it lives as long as the server.
 *
 * options   its path (default "/engine.io" when options is NULL), heartbeat,
 *           limits, transports, CORS; what is not Engine.IO's, or the whole
 *           server's, is ignored
 * handlers  copied; called on the loop
 * Returns   NULL when options are invalid (told to the server's log) or out of
 *           memory.
 * Thread    before sio_run(), or the loop's.
 */
SIO_API sio_engine *sio_engine_new(sio_server *server,
                                   const sio_options *options,
                                   const sio_engine_handlers *handlers,
                                   void *user);

/* Close all its sessions at once, "forced close", dropping what they have
 * queued; whoever comes later is refused (503). For good. From any handler. */
SIO_API void sio_engine_close(sio_engine *engine);

/* Queue one message, SIO_STRING or SIO_BINARY (SIO_E_TYPE else). Copied.
 * SIO_E_STATE when the session is closing. */
SIO_API int sio_session_send(sio_session *session, const sio_value *message);

typedef struct sio_session_send_options {
    size_t size;   /* sizeof(sio_session_send_options) in the caller's build */
    bool compress; /* true: the poll, or the WebSocket message, may be */
    /* n 0: none. The message as one whole WebSocket frame, made beforehand for
     * many sessions: unmasked and final. Sent as it is over a WebSocket unless
     * the engine has per_message_deflate; else the message is sent. Copied. */
    sio_str websocket_frame;
    /* NULL; called once when the message, and all before it, has gone: over
     * WebSocket to the kernel, over polling with the answer to a GET. In the
     * order of sending; never from within the call that sends. Never when the
     * session closes first. */
    void (*on_sent)(sio_session *session, void *user);
    void *user; /* of on_sent */
} sio_session_send_options;

SIO_API void
sio_session_send_options_init_sized(sio_session_send_options *options,
                                    size_t size);
#define sio_session_send_options_init(options) \
    sio_session_send_options_init_sized((options), sizeof *(options))

/* As sio_session_send(); options NULL: the defaults. Also SIO_E_INVAL (no such
 * frame) and SIO_E_NOMEM: then nothing is sent and on_sent not called. */
SIO_API int sio_session_send_with(sio_session *session,
                                  const sio_value *message,
                                  const sio_session_send_options *options);

/* Bytes that wait: encoded for a poll, or as frames for the kernel. */
SIO_API size_t sio_session_buffered(const sio_session *session);

/* Calls fn for each packet that waits for a poll, in order; also in on_close,
 * for what will never be sent. Over a WebSocket nothing waits here. fn must not
 * send. Returns how many, or SIO_E_NOMEM. */
SIO_API int sio_session_each_buffered(const sio_session *session,
                                      void (*fn)(void *user,
                                                 const sio_engine_packet *p),
                                      void *user);

/* Close in order: what is queued goes out first. */
SIO_API void sio_session_close(sio_session *session);

/* Close now and drop what is queued. */
SIO_API void sio_session_discard(sio_session *session);

/* The Engine.IO session id: it authenticates the client, so keep it secret. */
SIO_API const char *sio_session_id(const sio_session *session);
SIO_API const char *sio_session_transport(const sio_session *session);

/* A header, by its lower-case name, of the request that carried the message
 * being handled: over polling a POST, else the request that opened the session.
 * p NULL when absent; good during the call of the handler. */
SIO_API sio_str sio_session_header(const sio_session *session,
                                   const char *name);

/* The request that opened the session, an upgrade does not change it: its
 * target, and a decoded query parameter, of which at most size - 1 bytes and a
 * NUL are copied. The whole length is returned, SIO_E_RANGE when absent. */
SIO_API sio_str sio_session_url(const sio_session *session);
SIO_API int sio_session_query(const sio_session *session, const char *key,
                              char *out, size_t size);

/* The client's IP, of the request that opened the session, as text. Returns
 * `out`. */
SIO_API const char *sio_session_address(const sio_session *session,
                                        char out[SIO_ADDRESS_SIZE]);

/* A pointer of the program's, NULL at first. */
SIO_API void sio_session_set_data(sio_session *session, void *data);
SIO_API void *sio_session_data(const sio_session *session);

#ifdef __cplusplus
}
#endif

#endif /* SIO_ENGINE_H */
