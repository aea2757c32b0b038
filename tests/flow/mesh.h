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
#define MESH_ENTRIES 64
#define MESH_SESSIONS 8

struct mesh_node;

/* An event that is kept; its offset is its place in the list. */
struct mesh_entry {
    char event[32], value[64];
    char rooms[4][32], except[4][32];
    size_t room_count, except_count;
};

struct mesh_session {
    char sid[32], pid[32], data[64];
    char rooms[4][32];
    size_t room_count; /* 0: it is used up */
};

struct mesh {
    struct mesh_node *nodes[MESH_NODES];
    size_t count;
    size_t pending; /* questions that are open */
    bool down;      /* nothing gets through */
    struct mesh_entry entries[MESH_ENTRIES];
    size_t entry_count;
    struct mesh_session sessions[MESH_SESSIONS];
    size_t session_count;
    char log[4096]; /* namespaces and rooms, as the nodes were told */
};

/* The second one keeps events and sessions for clients who come back. */
extern const sio_cluster_ops mesh_ops, mesh_keeping_ops;

#endif
