/*
 * session.h -- an Engine.IO 4 session as a client has it: handshake, transports
 * and the change from one to the other, heartbeat.
 *
 *   messages of session.c --> WebSocket frames           (websocket.c)
 *                         --> payloads, POSTed and polled (poll.c)
 *
 *   OPENING --> OPEN --> CLOSING --> gone
 *
 * The owner embeds it; its memory must last until the end of the turn in which
 * on_closed() was called or it was dropped. Loop thread only.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_CLI_SESSION_H
#define SRC_CLI_SESSION_H

#include "protocol/engineio/payload.h"
#include "src/cli/http.h"
#include "src/cli/websocket.h"

struct cli_session_ops {
    void (*on_open)(void *self);
    void (*on_upgrade)(void *self); /* it speaks WebSocket from here on */
    /* data may be modified, and is gone when this returns */
    void (*on_message)(void *self, bool binary, char *data, size_t n);
    /* Once, and nothing comes after it; not after cli_session_drop(). */
    void (*on_closed)(void *self, const char *why);
};

enum cli_session_state { CLI_OPENING, CLI_OPEN, CLI_CLOSING, CLI_CLOSED };

struct cli_session {
    struct net_loop *loop;
    const struct cli_target *target;
    const struct cli_session_ops *ops;
    void *self;
    enum cli_session_state state;
    bool over_ws;           /* messages go by WebSocket */
    bool probing, changing; /* upgrade: "2probe" sent; "3probe" has come */
    struct net_alarm alarm; /* opening, heartbeat, closing: whichever is next */
    uint32_t ping_ms;       /* interval and timeout together */
    uint64_t max_payload;   /* bytes of a POST; 0: no limit */
    struct cli_ws ws;
    struct cli_http get, post;
    struct grow out; /* packets that wait for a POST, as a payload */
    struct net_task flush;
    char sid[64];
    char why[CLI_WHY];
};

/* SIO_OK: on_open() or on_closed() comes, never from within this call. Else
 * SIO_E_INVAL, SIO_E_NOMEM. */
int cli_session_open(struct cli_session *s, struct net_loop *loop,
                     const struct cli_target *target,
                     const struct cli_session_ops *ops, void *self);

/* Copied; dropped when it is not open. */
void cli_session_send(struct cli_session *s, bool binary, sio_str data);

/* Say goodbye: on_closed() comes when the server has ended it, or does not. */
void cli_session_close(struct cli_session *s);

/* As if the network was gone: no goodbye, no callback. Legal more than once. */
void cli_session_drop(struct cli_session *s);

/* --- between session.c and poll.c --- */

extern const struct cli_http_ops cli_poll_get_ops, cli_poll_post_ops;

void cli_session_fail(struct cli_session *s, const char *why);
/* The data of an OPEN packet; then on_open(). */
void cli_session_opened(struct cli_session *s, sio_str json);
/* One packet that has come in a payload. */
void cli_session_packet(struct cli_session *s, const struct eio_packet *packet);
/* Neither GET nor POST is under way, and the WebSocket is to be used. */
void cli_session_change(struct cli_session *s);

/* Begin a GET, and a POST of what waits, where none is under way. */
void cli_poll_get(struct cli_session *s);
void cli_poll_post(struct cli_session *s);

#endif
