/*
 * cluster.h -- the server as a node among others: between requests as the loops
 * have them (bus.h) and the adapter that reaches the other nodes
 * (<sio/adapter.h>).
 *
 *   bus.c  --> cluster.c   so_cluster_send() --> ops->send()
 *              inquiry.c   so_cluster_ask()  --> ops->send(), answers come home
 *   adapter --> execute.c  host->execute()   --> bus.c: every loop
 *               server_event.c               --> handlers of server-side events
 *
 * Everything but so_goes_abroad() is for the main loop, the hub's first.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_SOCKETIO_CLUSTER_H
#define SRC_SOCKETIO_CLUSTER_H

#include "src/socketio/bus.h"

struct so_foreign;

struct so_cluster {
    struct so_hub *hub;
    const sio_cluster_ops *ops;
    const void *config;
    void *adapter; /* NULL: it is closed */
    sio_cluster_host host;
    struct map namespaces;           /* that the adapter knows of */
    struct list inquiries;           /* of inquiry.c */
    struct list keepings, comebacks; /* of recovery_abroad.c */
    struct map foreign; /* of execute.c: questions of others, by their user */
};

/* Is it for the other servers, too? Any thread. */
static inline bool so_goes_abroad(const struct so_request *q)
{
    return q->nsp->hub->cluster && !q->socket && !q->foreign &&
           !(q->options.flags & SIO_FLAG_LOCAL);
}

/* Is there anybody who wants to see what is emitted? */
static inline bool so_is_seen(const struct so_request *q)
{
    return q->message && so_has_outgoing(q->nsp);
}

/* --- cluster.c --- */

/* A request without answers. What cannot be sent is the adapter's to count. */
void so_cluster_send(const struct so_request *q);
/* As the adapter takes it; strings are borrowed of `q`. */
void so_cluster_translate(const struct so_request *q, sio_cluster_request *out);
/* Hand it over. SIO_OK, or what ops->send() returns; SIO_E_STATE: closed. */
int so_cluster_hand_over(const struct so_request *q,
                         const sio_cluster_answers *answers, void *user);

/* --- inquiry.c --- */

/* A request with answers: the letter goes home when all nodes were heard. */
void so_cluster_ask(struct so_letter *letter);
/* Whoever has asked waits for nothing more. */
void so_cluster_asker_over(struct so_asker *asker);
void so_inquiries_end(struct so_cluster *c);

/* --- recovery_abroad.c --- */

/* An event that is to be kept before it is delivered here. */
void so_cluster_keep(struct so_letter *letter);
/* Whoever waits for the adapter does so no more. */
void so_keepings_end(struct so_cluster *c);
void so_comebacks_end(struct so_cluster *c);

/* --- execute.c --- */

/* For sio_cluster_host. */
int so_cluster_execute(void *self, const sio_cluster_request *request);
void so_cluster_forget(void *self, void *user);
/* Nobody wants answers any more. */
void so_foreign_end(struct so_cluster *c);

/* --- server_event.c --- */

/* The handlers of an event of another server. SIO_OK, SIO_E_NOMEM, what
 * encoding its values returns. */
int so_server_event(sio_namespace *nsp, const sio_cluster_request *request,
                    struct so_foreign *foreign);

#endif
