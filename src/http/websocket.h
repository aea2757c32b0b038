/*
 * websocket.h -- a WebSocket connection: messages up, frames down, the closing
 * handshake (RFC 6455).
 *
 *   http_exchange --> http_websocket_accept() --> 101
 *   net_conn --> ws_read() --> on_message()*, on_batch() --> owner
 *   owner --> http_websocket_send() --> net_conn
 *
 * A ping is answered here, a close frame echoed, and whoever answers no pings
 * is cut off, where the owner wants that. The owner embeds struct
 * http_websocket and frees it when on_free() says that it is over, which comes
 * later than on_close(): the peer's part of the closing handshake is waited for
 * without the owner.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_HTTP_WEBSOCKET_H
#define SRC_HTTP_WEBSOCKET_H

#include "protocol/websocket/message.h"
#include "src/http/exchange.h"
#include "src/http/frame.h"

#define HTTP_WS_CLOSE_MS 30000      /* for the peer's close frame and FIN */
#define HTTP_WS_PONG_MAX 16384      /* bytes of pongs that wait */
#define HTTP_WS_REASON_MAX 123      /* bytes of a close reason */
#define HTTP_WS_HELD_MAX (1u << 20) /* bytes of a batch, before it ends */

struct http_websocket;

/* How a WebSocket ended, when it was not its owner who ended it. */
struct http_websocket_end {
    bool orderly;    /* the peer closed or went; else it broke the protocol or
                        its connection was cut by a limit of ours */
    bool slow;       /* by the limit of its output: the peer hardly reads */
    unsigned code;   /* the peer's close code, or the one it was given;
                        WS_CLOSE_ABNORMAL when no close frame came */
    const char *why; /* for the log; NULL: nothing to say */
    sio_str reason;  /* the peer's close reason */
};

struct http_websocket_ops {
    /* A text or binary message. Its data (writable) is good until on_batch()
     * returned, however it arrived. */
    void (*on_message)(struct http_websocket *ws, const struct ws_message *m);
    /* All messages of one read have been handed up; may be NULL. Also called
     * before an on_close() that the same input brings. */
    void (*on_batch)(struct http_websocket *ws);
    /* The last of the peer: called at most once, not after
     * http_websocket_close(). */
    void (*on_close)(struct http_websocket *ws,
                     const struct http_websocket_end *end);
    /* Everything queued went to the kernel: where ws->tells_drained is set. */
    void (*on_drained)(struct http_websocket *ws);
    /* The connection is gone: at the end of a turn, the last call. */
    void (*on_free)(struct http_websocket *ws);
};

/* Of one endpoint. */
struct http_websocket_options {
    const struct http_websocket_ops *ops;
    uint64_t max_message;   /* bytes */
    uint32_t max_fragments; /* of a message; 0: WS_MAX_FRAGMENTS */
    uint32_t ping_interval_ms, ping_timeout_ms; /* 0: no pings */
    struct http_deflate_options deflate;
};

/* What the WebSockets of one endpoint share. */
struct http_websockets {
    struct net_loop *loop;
    struct http_server *server; /* NULL until the first one */
    struct http_websocket_options options;
    struct list list;
    size_t count;
    struct net_timer_queue pings, pongs, closes;
    struct http_deflate_shared deflate;
    /* Reads for whoever has nothing unfinished; idle between two inputs. */
    struct ws_reader reader;
    /* Memory of gathered messages, kept until their batch is over. */
    uint8_t **held;
    size_t held_count, held_cap;
    size_t held_bytes; /* of messages */
};

struct http_websocket {
    union {
        struct list node; /* in set->list */
        /* Once it is over: who hears of on_free(); the set may be gone. */
        const struct http_websocket_ops *last;
    };
    union {
        struct net_timer timeout;    /* of pings, or of the closing handshake */
        struct net_deferred cleanup; /* once it is over */
    };
    /* The rest is what each message needs. */
    struct http_websockets *set;
    struct net_conn *conn; /* NULL: over */
    bool closing;          /* our close frame is sent, or the peer's came */
    bool reading;          /* inside on_data() */
    bool tells_drained;    /* false at first; the owner's to set */
    uint32_t pong_bytes;   /* of pongs since all was written */
    /* NULL: nothing is unfinished. Inside on_data() the one of the set, or its
     * own, which it has as long as a frame or a message has not come whole. */
    struct ws_reader *reader;
    struct http_deflate *deflate; /* NULL: not agreed on */
    uint8_t *late_ping; /* one that came when too many pongs waited: length,
                           bytes; NULL: none */
};

void http_websockets_init(struct http_websockets *set, struct net_loop *loop,
                          const struct http_websocket_options *options);
/* Every connection is cut; on_free() comes for each, no on_close(). */
void http_websockets_destroy(struct http_websockets *set);

/* The first of the `offered` subprotocols (Sec-WebSocket-Protocol) that is
 * among the comma-separated `spoken` ones; n 0: none. */
sio_str http_websocket_subprotocol(sio_str offered, sio_str spoken);

/*
 * Check the handshake and answer it.
 *
 * subprotocol  to agree on, n 0: none; p NULL: whatever is offered first
 * fields       more fields of the 101
 * Returns      SIO_OK: *ws is open. Else the exchange was answered and *ws is
 * as it was: SIO_E_INVAL (refused), SIO_E_STATE.
 */
int http_websocket_accept(struct http_websockets *set, struct http_exchange *ex,
                          struct http_websocket *ws, sio_str subprotocol,
                          const struct http_field *fields, size_t field_count);

/* Queue one message, or a control frame. Dropped when it is closing. compress:
 * it may be, where that was agreed on. */
void http_websocket_send(struct http_websocket *ws, enum ws_op op, sio_str data,
                         bool compress);
/* The same of a message that goes to many: by reference, where it can. */
void http_websocket_send_frame(struct http_websocket *ws, struct http_frame *f,
                               bool compress);

/* Nothing waits to be written. */
static inline bool http_websocket_writable(const struct http_websocket *ws)
{
    return ws->conn && net_conn_writable(ws->conn);
}

/* Stop and resume reading. Who is not read from is not blamed for silence. */
void http_websocket_pause(struct http_websocket *ws);
void http_websocket_resume(struct http_websocket *ws);

/* May a close frame carry this (RFC 6455 5.5.1, 7.4.1)? */
bool http_websocket_may_close(unsigned code, sio_str reason);

/* Send a close frame behind what is queued and wait for the peer's. `code`
 * WS_CLOSE_NO_STATUS: an empty one. Of the owner's callbacks only on_free()
 * comes after this. Legal more than once. */
void http_websocket_close(struct http_websocket *ws, unsigned code,
                          sio_str reason);

#endif
