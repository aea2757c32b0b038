/*
 * foreign.h -- a request of another server that wants answers: what execute.c
 * and server_event.c share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_SOCKETIO_FOREIGN_H
#define SRC_SOCKETIO_FOREIGN_H

#include "src/socketio/cluster.h"
#include "src/socketio/fetch.h"

/* One of these three; of the main loop. */
struct so_foreign {
    struct map_node node; /* in cluster->foreign */
    uint64_t key;         /* `user` */
    struct so_cluster *cluster;
    const sio_cluster_answers *answers;
    void *user;
    bool linked;
    bool telling;   /* the adapter hears the last of it: it is freed then */
    bool completed; /* or forgotten meanwhile */
    struct so_question *question;
    struct so_fetch *fetch;
    struct so_server_call *call; /* referenced */
};

/* It is not found any more. */
void so_foreign_unlink(struct so_foreign *f);
/* Once, unless it was forgotten. */
void so_foreign_complete(struct so_foreign *f, int status);
void so_foreign_free(struct so_foreign *f);

/* --- server_event.c --- */
void so_call_forget(struct so_server_call *call);

#endif
