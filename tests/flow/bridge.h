/*
 * bridge.h -- a world over TLS: between the descriptors that a test gets from
 * world_connect() and the server lies a TLS client, so that every function of
 * world.h does over TLS what it does without.
 *
 *     test <-- plain socketpair --> bridge <-- socketpair with TLS --> server
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_FLOW_BRIDGE_H
#define TESTS_FLOW_BRIDGE_H

#include "tests/flow/world.h"
#include "tests/unit/tls_client.h"

/* From now on world_connect() goes through TLS with these options, which are
 * borrowed; it returns -1 when the handshake fails, and world_raw() and its
 * like then get no answer. One world at a time. */
void bridge_begin(struct world *w, sio_tls *tls,
                  const struct tls_client_options *options);
/* Hang up what is left; connections are plain again. */
void bridge_end(struct world *w);

/* The client of the last connection, NULL when it has gone. */
struct tls_client *bridge_last(void);

/* A descriptor without any client: whatever is written goes to the server. */
int bridge_raw(struct world *w, sio_tls *tls);

/* A context of tests/certs.sh; fails the case when there is none. */
sio_tls *bridge_context(sio_tls_clients clients);

#endif
