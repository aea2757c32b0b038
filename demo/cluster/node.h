/*
 * node.h -- one of the nodes of a cluster, and the people that it serves.
 *
 * Nothing is kept about those of other nodes: what a socket is
 * (sio_set_data_json) hangs on it where it is connected, and is fetched from
 * there when a page asks.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef DEMO_CLUSTER_NODE_H
#define DEMO_CLUSTER_NODE_H

#include <sio/sio.h>

#include <stdbool.h>

struct node {
    const char *name;
    char room[64]; /* "node:NAME": everybody at this node */
    sio_server *server;
    sio_namespace *nsp;
};

/* Register the handlers of a node that has its name and room, and must stay
 * where it is as long as the server. False: out of memory. */
bool node_init(struct node *node, sio_server *server);

#endif /* DEMO_CLUSTER_NODE_H */
