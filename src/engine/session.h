/*
 * session.h -- an Engine.IO session as the files of src/engine see it.
 *
 *   polling.c    poll, post, out: requests of the polling transport
 *   websocket.c  ws: a WebSocket, probing or the session's transport
 *   upgrade.c    the way from the one to the other
 *   session.c    state, heartbeat, sending, closing
 *   end.c        what there is to say of one that has ended
 *   revision.c   what differs between Engine.IO 3 and 4
 *   watch.c      telling the upper layer, if it asks, of packets and sends
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_ENGINE_SESSION_H
#define SRC_ENGINE_SESSION_H

#include "protocol/engineio/packet.h"
#include "protocol/engineio/state.h"
#include "protocol/websocket/message.h"
#include "src/engine/engine.h"

/* What each packet needs lies together, at the end. */
struct eng_session {
    struct map_node node;      /* in engine->sessions */
    struct http_kept *request; /* that opened it */
    union {
        struct net_timer heartbeat;  /* in engine->pings, ->pongs, ->silences */
        struct net_deferred cleanup; /* once it has closed */
    };
    uint32_t opened_s; /* seconds of the loop's clock */
    uint32_t rtt_ms;   /* from the last ping to its pong; ENG_RTT_UNKNOWN */
    struct engine *engine;
    void *user;
    struct eng_polling *polling; /* NULL: its transport is a WebSocket */
    struct eng_ws *ws;
    uint32_t packets_in, packets_out;
    uint8_t state;       /* enum eio_state */
    uint8_t parting : 5; /* enum eio_close_reason of an orderly close */
    uint8_t doom : 2;    /* enum eng_doom: closed at the tail */
    bool undrained : 1;  /* on_drain is due, see watch.c */
    bool v3 : 1;         /* Engine.IO 3: see revision.h */
    bool base64 : 1;     /* of v3: what its client has asked for */
    bool jsonp : 1;      /* the same */
    bool awaiting_pong : 1;
    bool pong_extended : 1; /* other traffic has restarted the wait once */
    bool websocket : 1;     /* is its transport, and still was when it closed */
    bool upgrade_failed : 1;
    char sid[]; /* with a NUL; the block ends there */
};

/* What a session has until it is on a WebSocket: most are soon, for long. */
struct eng_polling {
    struct eng_session *session;
    struct http_exchange *poll; /* a GET that waits for something to send */
    struct http_exchange *post; /* a POST whose body is still arriving */
    /* While the body of a POST is being handled: that POST. */
    const struct http_request *carrier;
    struct grow out; /* encoded packets that wait for a GET */
    bool compress;   /* one of them does not mind compression */
    /* The low bits of when a request came, an answer went; bytes of bodies. A
     * WebSocket's connection counts for itself, and goes on with these. */
    uint32_t last_in_ms, last_out_ms;
    uint64_t bytes_in, bytes_out;
    struct net_task flush;   /* answers `poll` with `out` */
    struct eng_probe *probe; /* while session->ws is probing */
    union {
        struct net_timer closing;    /* in engine->poll_closes */
        struct net_deferred cleanup; /* once it is over */
    };
};

/* What an upgrade needs that is under way. */
struct eng_probe {
    struct eng_session *session;
    struct net_timer upgrade; /* in engine->upgrades: all of it */
    union {
        struct net_timer noop;       /* in engine->noops, after the probe */
        struct net_deferred cleanup; /* once it is over */
    };
};

static inline void session_step(struct eng_session *s, enum eio_event ev)
{
    enum eio_state state = (enum eio_state)s->state;

    eio_step(&state, ev);
    s->state = (uint8_t)state;
}

/* Bytes that wait for a poll. */
static inline size_t session_waiting(const struct eng_session *s)
{
    return s->polling ? s->polling->out.len : 0;
}

/* Its output has a gap, so it cannot go on. */
enum eng_doom { ENG_DOOM_NONE, ENG_DOOM_SLOW, ENG_DOOM_NOMEM };

/* Answers to a poll that bring no message. */
enum eng_control {
    ENG_CONTROL_CLOSE,
    ENG_CONTROL_NOOP,
    ENG_CONTROL_FAREWELL /* NOOP and CLOSE: an orderly end */
};

struct eng_ws {
    struct http_websocket ws;
    struct eng_session *session; /* NULL: it is closing */
    bool active; /* the transport of its session; else probing beside polling */
    bool v3;     /* as its session */
    bool base64; /* the client has asked for text frames only: "b64" */
};

/* --- session.c --- */

/* `sid` p NULL: one is made. NULL: out of memory or randomness. Not open yet.
 */
struct eng_session *session_new(struct engine *e, struct http_exchange *ex,
                                sio_str sid);

/* Register, start the heartbeat, tell the upper layer. False: closed again. */
bool session_open(struct eng_session *s, enum eio_event how);
/* Never opened: free it. */
void session_abandon(struct eng_session *s);
struct eng_session *session_find(struct engine *e, sio_str sid);

/* The OPEN packet with its type digit. */
int session_append_open(struct eng_session *s, struct grow *out);

/* What one decoded packet means. The session may be closed afterwards. */
void session_on_packet(struct eng_session *s, const struct eio_packet *p);

/* The one way out: timers, transports, upper layer, memory. */
void session_close(struct eng_session *s, enum eio_close_reason reason,
                   const char *detail);
bool session_is_closed(const struct eng_session *s);
/* So many packets of it were sent. */
void session_count_out(struct eng_session *s, size_t packets);

/* Everything of a read or a POST was handed up. */
void session_end_batch(struct eng_session *s);

/* Timers of engine->pings, ->pongs and ->silences, ->poll_closes. */
void session_ping_due(struct net_timer *timer);
void session_pong_missing(struct net_timer *timer);
void session_poll_never_came(struct net_timer *timer);

/* --- end.c --- */

/* Before anything of the session is taken apart. */
void end_note(const struct eng_session *s, enum eio_close_reason reason,
              const char *detail, struct eng_end *end);

/* --- polling.c --- */
void polling_handshake(struct engine *e, struct http_exchange *ex, sio_str sid);
/* Its memory; SIO_OK or SIO_E_NOMEM. */
int polling_begin(struct eng_session *s);
/* It is over, by an upgrade or with the session. Nothing waits any more. */
void polling_end(struct eng_session *s);
void polling_get(struct eng_session *s, struct http_exchange *ex);
void polling_post(struct eng_session *s, struct http_exchange *ex);
void polling_send(struct eng_session *s, enum eio_type type, sio_str data);
void polling_flush(struct net_task *task);
/* Answer the waiting GET, if any. */
void polling_answer(struct eng_session *s, enum eng_control what);
/* Let go of both requests: the GET gets CLOSE. */
void polling_detach(struct eng_session *s);

/* --- websocket.c --- */
extern const struct http_websocket_ops transport_ops;
void websocket_handshake(struct engine *e, struct http_exchange *ex,
                         sio_str sid);
/* Answer 101; NULL when the request was refused (and answered). */
struct eng_ws *websocket_accept(struct engine *e, struct http_exchange *ex,
                                struct eng_session *s);
void websocket_send(struct eng_ws *ws, enum ws_op op, sio_str data);
/* A message: text with its "4", or binary in the form that the client wants. */
void websocket_send_message(struct eng_ws *ws, bool binary, sio_str data,
                            bool compress);
/* From now on watch_sent() is told when its output has gone. */
void websocket_watch(struct eng_ws *ws);
/* Send a close frame (`code` WS_CLOSE_NO_STATUS: an empty one) and wait for the
 * peer's; the session is out of it. */
void websocket_close(struct eng_ws *ws, unsigned code);

/* --- upgrade.c --- */
void upgrade_begin(struct eng_session *s, struct http_exchange *ex);
void upgrade_on_text(struct eng_ws *ws, sio_str text);
/* The probing WebSocket is of no use any more. */
void upgrade_fail(struct eng_ws *ws);
/* It has gone, the session polls on. */
void upgrade_lost(struct eng_session *s);
/* It is over, well or not. */
void upgrade_end(struct eng_session *s);
void upgrade_timed_out(struct net_timer *timer);
void upgrade_noop(struct net_timer *timer);

/* --- engine.c --- */
/* A new session id. SIO_OK or SIO_E_SYS. */
int engine_make_sid(struct engine *e, char sid[ENG_SID_LEN + 1]);
/* Is it an upgrade, and are we willing? */
bool engine_is_upgrade(const struct engine *e, const struct http_request *r);
/* A request under the path that no middleware has answered. */
void engine_check(struct engine *e, struct http_exchange *ex);
/* The rest of a handshake that nothing speaks against so far. */
void engine_admit(struct engine *e, struct http_exchange *ex);
/* The last of it. `sid` p NULL: one is made. */
void engine_open(struct engine *e, struct http_exchange *ex, sio_str sid);

/* --- refuse.c --- */
/* Tell why, and answer. Of *error the code is set and what belongs to it; the
 * rest is filled in. */
void engine_refuse(struct engine *e, struct http_exchange *ex,
                   sio_connection_error *error);

#endif
