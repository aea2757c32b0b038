/*
 * watcher.h -- a plain Engine.IO endpoint for tests that handles everything an
 * engine can tell, and writes it down:
 *
 *     open;  close <reason>;  upgrading;  upgrade;  beat;  drain;
 *     <4a;         the packet "4a" has come    a;   its message
 *     +4a;         it is about to be queued
 *     !4a,4#0102;  packets leave; "#" is before bytes in hex
 *     sent x;      the callback of watcher_send(x)
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_FLOW_WATCHER_H
#define TESTS_FLOW_WATCHER_H

#include "tests/flow/world.h"

struct watcher {
    sio_engine *engine;
    sio_session *session; /* the last one opened, NULL once it has closed */
    char seen[8192];
    size_t waited; /* sio_session_buffered(), the most at a drain */
    /* When the word `when` ("open", "packet", "message", "create", "flush",
     * "drain", "beat", "upgrading", "upgrade", "sent", "close") comes up, act()
     * is called, once. */
    const char *when;
    void (*act)(struct watcher *watcher, sio_session *session);
};

/* A world with a watcher at /engine.io/. options NULL: the defaults. plain: it
 * handles no more than opening, messages and closing. */
bool watcher_open(struct world *w, struct watcher *x,
                  const sio_options *options, bool plain);

/* Send with a callback, which writes "sent x;". */
int watcher_send(struct watcher *x, const char *text);
void watcher_send_plain(struct watcher *x, const char *text);

/* What was seen since the last call. */
const char *watcher_seen(struct watcher *x);

/* Everything waiting for a poll, as a list of packets: "4a,4#0102". */
const char *watcher_buffer(const sio_session *session);

#endif
