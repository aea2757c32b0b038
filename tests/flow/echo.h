/*
 * echo.h -- a plain Engine.IO endpoint for tests: it sends every message back,
 * does what some texts tell it, and writes down what happened.
 *
 *     "close"     sio_session_close()
 *     "a,b,c!"    sends "a,b,c!" three times, then closes
 *     else        sends it back
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_FLOW_ECHO_H
#define TESTS_FLOW_ECHO_H

#include "tests/flow/world.h"

struct echo {
    sio_engine *engine;
    sio_session *session; /* the last one opened, NULL once it has closed */
    const char *greeting; /* sent to every new session; NULL: nothing */
    bool close_at_once;   /* new sessions are closed in on_open */
    size_t opened, closed, messages;
    char seen[8192]; /* "open;<text>;<hex bytes>;close <reason>;" */
};

/* A world with an echo at /engine.io/, where w->path points then. `options`
 * NULL: the defaults; else path is overwritten unless it is "/socket.io". */
bool echo_open(struct world *w, struct echo *e, const sio_options *options);

/* The server sends this text to the last session. */
void echo_send(struct world *w, struct echo *e, const char *text);
void echo_close(struct world *w, struct echo *e);

/* A session over polling, its query for world_get() and world_post(). */
bool echo_session(struct world *w, char query[128]);

/* A WebSocket, its OPEN packet read. */
int echo_websocket(struct world *w);

/* Begin a POST on a connection of its own, which is returned: fields are whole
 * lines, the body may be less than they announce. */
int echo_begin_post(struct world *w, const char *query, const char *fields,
                    const char *body);

/* "2probe" is answered; -1 when not. */
int echo_probe(struct world *w, const char *query);

/* A second client gets its echo, and leaves: what others did was theirs. */
bool echo_serves(struct world *w);

#define CHECK_SERVES(w) CHECK(echo_serves(w), "a new client got no echo")

#endif
