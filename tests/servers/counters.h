/*
 * counters.h -- GET /counters of the test servers: what is alive, as JSON; and
 * GET /cluster: what the adapter of the cluster is doing.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_SERVERS_COUNTERS_H
#define TESTS_SERVERS_COUNTERS_H

#include <sio/sio.h>

/* Serve the counters of sio_stats, the connection and the request that ask
 * among them; also on the unix socket that SIO_COUNTERS in the environment
 * names, which can be asked whatever else the server listens on. Before other
 * addresses. As sio_on_request(), sio_listen(). */
int serve_counters(sio_server *server);

#endif
