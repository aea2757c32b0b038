/*
 * fake_redis.h -- a Redis server that does what a test says, byte by byte, on a
 * unix socket; and a client of it on the same loop, by a clock that the test
 * moves.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_FLOW_FAKE_REDIS_H
#define TESTS_FLOW_FAKE_REDIS_H

#include "src/adapter/redis_conn.h"
#include "src/net/listener.h"

#define FAKE_PEERS 40 /* connections of one test, open or not */

struct fake_redis {
    struct net_loop loop;
    uint64_t now;
    char url[60];
    struct net_listener *listener;
    int peers[FAKE_PEERS]; /* as they came; -1: closed by us */
    size_t count;
    struct redis *client;
    char told[1000]; /* states: "connecting;", "ready;", "degraded WHY;" */
};

/* Set up the loop and the listener; `options` are made ready for it. */
void fake_begin(struct fake_redis *f, struct redis_options *options);
/* Open f->client; the first connection comes. */
void fake_open(struct fake_redis *f, const struct redis_options *options);
/* Close all; ends the program when anything is left. */
void fake_end(struct fake_redis *f);

void fake_turns(struct fake_redis *f, int n);
/* Move the clock, ms by ms where anything happens. */
void fake_wait(struct fake_redis *f, uint64_t ms);

/* What has come, as "PING; SUBSCRIBE a b; "; until the next call. */
const char *fake_heard(struct fake_redis *f, size_t peer);
void fake_say(struct fake_redis *f, size_t peer, const char *text);
void fake_say_n(struct fake_redis *f, size_t peer, const void *p, size_t n);
void fake_hang_up(struct fake_redis *f, size_t peer);
/* Its PING, and PONG. */
void fake_let_in(struct fake_redis *f, size_t peer);

#endif
