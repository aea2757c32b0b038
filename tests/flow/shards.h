/*
 * shards.h -- a world whose Socket.IO is on several loops, which one thread
 * runs in turn. Everything that world.h does, it does on the loop that is
 * chosen; the test itself counts as loop 0's thread.
 *
 *     shards_open(&s, 3, &options);
 *     int fd = shards_client(&s, 2);       // on loop 2, CONNECTed to "/"
 *     world_send_text(&s.world, fd, "42[\"hello\"]");
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_FLOW_SHARDS_H
#define TESTS_FLOW_SHARDS_H

#include "tests/flow/world.h"

struct shards {
    struct world world; /* loop 0 is its server's */
    size_t count;
    size_t chosen; /* where new connections go */
};

bool shards_open(struct shards *s, size_t count, const sio_options *options);
void shards_close(struct shards *s);

int shards_client(struct shards *s, size_t loop);
/* Call fn as a thread that runs none of the loops would. */
void shards_elsewhere(struct shards *s, void (*fn)(void *user), void *user);
/* Everything that can be done now, also what loops ask of one another. */
void shards_turn(struct shards *s);
/* Only what loop i can do now: what the others are asked for waits. */
void shards_turn_one(struct shards *s, size_t i);

/* Of all loops as they are now. */
sio_stats shards_stats(struct shards *s);
struct net_loop *shards_loop(struct shards *s, size_t i);
struct http_server *shards_http(struct shards *s, size_t i);

/* For tests that run the loops in threads: as the functions above, but loops
 * stay with whoever has them. */
void shards_begin(struct shards *s, size_t count, const sio_options *options);
void shards_end(struct shards *s);

#endif
