/*
 * mesh.h -- an adapter as an outsider would write it, on <sio/adapter.h> alone:
 * servers of one process, whose requests go straight from one to the others.
 *
 * config of its nodes is a struct mesh.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_FLOW_MESH_H
#define TESTS_FLOW_MESH_H

#include <sio/adapter.h>

#define MESH_NODES 4

struct mesh_node;

struct mesh {
    struct mesh_node *nodes[MESH_NODES];
    size_t count;
    size_t pending; /* questions that are open */
    bool down;      /* nothing gets through */
    char log[4096]; /* namespaces and rooms, as the nodes were told */
};

extern const sio_cluster_ops mesh_ops;

#endif
