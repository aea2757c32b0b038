/*
 * engine.h -- Engine.IO on one loop: sessions over long-polling and WebSocket.
 *
 *   http_exchange --> eng_handle() --> polling.c, websocket.c, upgrade.c
 *                                        |  decoded packets
 *                                        v
 *                                     session.c --> eng_ops (upper layer)
 *
 *   upper layer --> eng_send*() --> session.c --> the session's transport
 *
 * Loop thread only. A session pointer is good until on_close() returned.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_ENGINE_ENGINE_H
#define SRC_ENGINE_ENGINE_H

#include <sio/engine.h>
#include <sio/hooks.h>

#include "protocol/base/map.h"
#include "protocol/engineio/error.h"
#include "src/engine/ids.h"
#include "src/engine/packet.h"
#include "src/http/compress.h"
#include "src/http/cookie.h"
#include "src/http/cors.h"
#include "src/http/exchange.h"
#include "src/http/kept.h"
#include "src/http/websocket.h"
#include "src/net/random.h"

#define ENG_SID_LEN NET_ID_LEN  /* characters, unless generate_id makes it */
#define ENG_OPEN_MAX 1024       /* bytes of an OPEN packet */
#define ENG_NOOP_MS 100         /* between NOOPs while an upgrade probes */
#define ENG_POLL_CLOSE_MS 30000 /* a close packet waits so long for a poll */

enum { ENG_POLLING = 1, ENG_WEBSOCKET = 2 };

struct eng_session;

struct eng_options {
    sio_str path; /* "/socket.io/": what a target must begin with */
    uint32_t ping_interval_ms, ping_timeout_ms, upgrade_timeout_ms;
    size_t max_payload;  /* bytes per message and per POST body */
    unsigned transports; /* ENG_POLLING | ENG_WEBSOCKET */
    bool allow_upgrades;
    bool allow_eio3;     /* clients of Engine.IO 3 may connect */
    size_t max_buffered; /* bytes of output a session may have waiting */
    struct http_cors cors;
    const sio_str *allowed_origins; /* NULL: every one */
    size_t allowed_origin_count;
    sio_str cookie_name;                 /* p NULL: no cookie */
    sio_str cookie_attributes;           /* what stands behind its value */
    struct http_deflate_options deflate; /* of WebSockets */
    bool http_compression;               /* of polls */
    size_t http_compression_threshold;   /* bytes */
    sio_str initial_packet;              /* "4...", or bytes; p NULL: none */
    bool initial_is_binary;
    size_t max_volatile; /* bytes that may wait where a volatile packet goes */
    int log_level;       /* the least that on_end() is called for; -1: none */
    /* <sio/hooks.h>; may be NULL */
    void (*cors_request)(sio_http_call *call, void *user);
    void (*allow_request)(sio_handshake *handshake, void *user);
    void (*generate_id)(sio_handshake *handshake, void *user);
    void (*on_headers)(sio_headers *headers, void *user);
    void (*on_connection_error)(const sio_connection_error *error, void *user);
    void *hook_user;
    struct http_server *http; /* for eng_unfinished(); NULL: nothing counts */
    struct eng_ids *ids;      /* of several engines with generate_id, or NULL */
};

/* How far a session's upgrade had come. */
enum eng_upgrade {
    ENG_UPGRADE_NONE, /* none was begun, or it began as a WebSocket */
    ENG_UPGRADE_PROBING,
    ENG_UPGRADE_FAILED,
    ENG_UPGRADE_DONE
};

/* What there is to say of a session that has ended. */
struct eng_end {
    enum eio_close_reason reason;
    const char *detail; /* or NULL */
    struct net_address peer;
    const char *transport;
    enum eng_upgrade upgrade;
    uint32_t age_in_ms, age_out_ms; /* of the last byte each way */
    uint32_t rtt_ms;                /* ENG_RTT_UNKNOWN: no pong has come */
    size_t queued;                  /* bytes that it did not take */
    uint32_t duration_s;
    uint32_t packets_in, packets_out; /* messages and heartbeats */
    uint64_t bytes_in, bytes_out; /* of its WebSocket's connection; of polling,
                                     of the bodies */
};

#define ENG_RTT_UNKNOWN UINT32_MAX

/* What goes up. */
struct eng_ops {
    /* A session is open, its OPEN packet queued. Not SIO_OK: closed again. */
    int (*on_open)(void *self, struct eng_session *s);
    /* A message. `data` (writable) is good until on_batch() returned, however
     * it arrived. */
    void (*on_message)(void *self, struct eng_session *s, bool binary,
                       uint8_t *data, size_t n);
    /* Everything that one read, or one POST, brought has been handed up. Called
     * before a close that the same input brings, too. */
    void (*on_batch)(void *self, struct eng_session *s);
    /* The session is over; called exactly once for each on_open(). May come
     * from within eng_close(). `detail` says more, for the log; may be NULL. */
    void (*on_close)(void *self, struct eng_session *s,
                     enum eio_close_reason reason, const char *detail);
    /* Just before on_close(), for the log: only if eng_end_level() of it is
     * within options.log_level. */
    void (*on_end)(void *self, const struct eng_end *end);
    /* A request was refused. */
    void (*on_refused)(void *self, const sio_connection_error *error);

    /* For those who watch packets come and go, see <sio/engine.h>; each may be
     * NULL. */
    void (*on_packet)(void *self, struct eng_session *s,
                      const sio_engine_packet *packet);
    void (*on_packet_create)(void *self, struct eng_session *s,
                             const sio_engine_packet *packet);
    void (*on_flush)(void *self, struct eng_session *s,
                     const sio_engine_packet *packets, size_t count);
    void (*on_drain)(void *self, struct eng_session *s);
    void (*on_heartbeat)(void *self, struct eng_session *s);
    void (*on_upgrading)(void *self, struct eng_session *s);
    void (*on_upgrade)(void *self, struct eng_session *s);
};

/* Each is counted where it happens, so that to ask costs nothing. */
struct eng_counts {
    /* now */
    size_t websockets; /* sessions on WebSocket */
    size_t probing;    /* sessions amid an upgrade */
    /* since the start */
    uint64_t handshakes, websocket_handshakes;
    uint64_t refused[EIO_NREFUSALS];
    uint64_t upgrades, upgrades_failed;
    uint64_t closed[EIO_NCLOSE_REASONS];
    uint64_t packets_in, packets_out; /* messages and heartbeats */
    uint64_t discarded_bytes; /* that waited for a poll when a session ended */
};

struct engine {
    struct net_loop *loop;
    struct eng_options options;
    const struct eng_ops *ops;
    void *self;
    struct map sessions; /* by sid */
    struct map expected; /* by sid: sessions that have to tell of sends */
    struct http_websockets websockets;
    struct net_timer_queue pings, pongs, upgrades, noops, poll_closes;
    struct net_timer_queue silences; /* of Engine.IO 3, whose clients ping */
    uint32_t sid_counter;
    int home; /* see eng_set_home(); -1: there are no others */
    bool shut;
    bool refuses_new;
    size_t buffered; /* bytes that wait for polls */
    struct http_compressor compressor;
    struct eng_middleware *middlewares, **middlewares_end; /* see call.h */
    struct eng_counts counts;
};

/* `options` (and the strings in it) must live as long as the engine. SIO_OK or
 * SIO_E_SYS (no randomness). */
int eng_init(struct engine *e, struct net_loop *loop,
             const struct eng_options *options, const struct eng_ops *ops,
             void *self);

/* Of several engines, each on a loop of its own, this is number `home` (0 to
 * 63): its session ids say so, and options.ids of those that the program makes.
 * Before the first session. */
void eng_set_home(struct engine *e, unsigned home);
/* The number in such an id, ENG_SID_LEN characters; -1: it is none. */
int eng_home_of(const char *sid);

/* Refuse new sessions; those that are there go on. */
void eng_refuse_new(struct engine *e);

/* Close the oldest session in order, with "server shutting down", unless a POST
 * of it is arriving: then the next one. False: there is none. */
bool eng_close_oldest(struct engine *e);

/* Close every session with `reason`, discarding what they had queued; refuse
 * new ones. */
void eng_shut(struct engine *e, enum eio_close_reason reason);
/* Take new sessions again. */
void eng_reopen(struct engine *e);

/* Close what is left (WebSockets that wait for the peer), stop the timers. */
void eng_destroy(struct engine *e);

/* Take the exchange if its target lies under options.path. */
bool eng_handle(struct engine *e, struct http_exchange *ex);

/* Call `fn` for each exchange that eng_handle() takes: <sio/hooks.h>. SIO_OK or
 * SIO_E_NOMEM. */
int eng_use(struct engine *e, sio_http_call_fn fn, void *user);

/* What options.cors_request says about an exchange of another handler, who gets
 * it in `then`, at once or later; not when that was a preflight or a failure:
 * they are answered here. */
void eng_cors(struct engine *e, struct http_exchange *ex,
              void (*then)(void *self, struct http_exchange *ex), void *self);

/* Fields for any answer under the path (CORS); slices of the request. Returns
 * how many. */
#define ENG_FIELDS HTTP_CORS_FIELDS
size_t engine_fields(const struct engine *e, const struct http_exchange *ex,
                     struct http_field fields[ENG_FIELDS]);

/* --- sessions --- */

/* It authenticates the client: never log it whole. */
const char *eng_sid(const struct eng_session *s);
void eng_set_user(struct eng_session *s, void *user);
void *eng_user(const struct eng_session *s);
enum eio_state eng_state(const struct eng_session *s);
/* The request that opened the session, as long as the session. */
const struct http_kept *eng_request(const struct eng_session *s);
/* A field of the request that carried the message being handled: a POST, or
 * else the one that opened the session. p NULL when absent. */
sio_str eng_carrier_value(const struct eng_session *s, sio_str name);
void eng_peer_text(const struct eng_session *s, char out[NET_ADDRESS_TEXT]);
const char *eng_transport(const struct eng_session *s); /* "polling", ... */
bool eng_is_open(const struct eng_session *s);
bool eng_is_v3(const struct eng_session *s); /* its client speaks Engine.IO 3 */

/* As http_unfinished(), for what the upper layer keeps of messages. */
bool eng_unfinished(struct engine *e, size_t before, size_t after);

/* Would a packet sent now leave at once? (Node's transport.writable) */
bool eng_writable(const struct eng_session *s);
/* The same, or no more than options.max_volatile waits before it. */
bool eng_takes_volatile(const struct eng_session *s);

/* Queue one message; `text` begins with "4". Copied. compress: the poll that
 * carries it may be compressed. Dropped when the session
 * is not open. A client that lets more than max_buffered wait is closed at the
 * tail of the turn. */
void eng_send_text(struct eng_session *s, sio_str text, bool compress);
void eng_send_binary(struct eng_session *s, sio_str data, bool compress);
void eng_send_packet(struct eng_session *s, struct sio_packet *p,
                     bool compress);

/* One message for one session (sio_session is its public name), with all that
 * can be said about it. */
struct eng_message {
    bool binary;
    sio_str data; /* text without its "4" */
    bool compress;
    sio_str frame; /* the same as a WebSocket frame; n 0: none */
    void (*on_sent)(sio_session *session, void *user); /* or NULL */
    void *user;
};

/* As sio_session_send_with(): SIO_OK, SIO_E_STATE, SIO_E_INVAL, SIO_E_NOMEM. */
int eng_send(struct eng_session *s, const struct eng_message *m);

/* Bytes that wait for a poll or for the kernel. */
size_t eng_buffered(const struct eng_session *s);

/* As sio_session_each_buffered(). */
int eng_each_buffered(const struct eng_session *s,
                      void (*fn)(void *user, const sio_engine_packet *p),
                      void *user);

/* Orderly close: what is queued goes out first. On polling this may take until
 * the next poll. Reason "forced close". */
void eng_close(struct eng_session *s);

/* One line: reason=... detail=... and so on, see docs/OPERATIONS.md. */
#define ENG_END_TEXT 400
void eng_end_text(const struct eng_end *end, char out[ENG_END_TEXT]);
/* WARN if the client is to blame, else INFO. */
sio_log_level eng_end_level(enum eio_close_reason reason);

/* Close at once, discarding what is queued. */
void eng_discard(struct eng_session *s, enum eio_close_reason reason);

#endif
