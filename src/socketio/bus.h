/*
 * bus.h -- what is to be done with the sockets of a target, wherever they are:
 * the loops of a process are the nodes of a small cluster.
 *
 *   emit.c, ask.c, sockets.c --> so_request --> so_send()
 *         the caller's loop:  so_execute()
 *         every other loop:   a letter --> so_execute() there
 *                             --> its outcome comes back, if anybody waits
 *
 * so_execute() is all that a loop does for others, and it needs nothing but the
 * request: one that comes from another process is executed by it as well.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_SOCKETIO_BUS_H
#define SRC_SOCKETIO_BUS_H

#include "src/socketio/hub.h"

enum so_deed {
    SO_DELIVER, /* `packet` */
    SO_ASK,     /* the same, and gather the answers */
    SO_JOIN,    /* `rooms` */
    SO_LEAVE,
    SO_DISCONNECT,
    SO_FETCH /* look at them */
};

/* Whoever waits for outcomes: a question, a fetch. */
struct so_asker {
    atomic_uint refs;
    void (*free)(struct so_asker *asker);
    struct so_shard *home; /* where outcomes go to */
};

struct so_letter;

/* All of it is borrowed until so_send() returns. */
struct so_request {
    enum so_deed deed;
    sio_namespace *nsp;
    sio_socket *socket;            /* just this one, when not NULL */
    sio_broadcast_options options; /* else those that match */
    /* DELIVER, ASK */
    sio_packet *packet;
    sio_str offset;                   /* p NULL: it is not recorded */
    const struct sp_message *message; /* for those who see what is emitted;
                                         NULL: nobody wants to */
    /* ASK */
    int64_t id;
    uint32_t timeout_ms; /* 0: none */
    /* JOIN, LEAVE */
    const char *const *rooms;
    size_t room_count;
    /* DISCONNECT: the whole connection */
    bool close;
    /* ASK, FETCH */
    struct so_asker *asker;
    /* On home: what a loop has found. */
    void (*on_outcome)(const struct so_letter *letter);
    /* On home, instead of so_execute(), when another thread has sent it. */
    void (*begin)(struct so_part *part, const struct so_request *request);
};

struct so_outcome {
    int error;
    size_t count; /* ASK: how many were asked */
    void *found;  /* FETCH: see sockets.c */
};

/* A request on its way, with copies of what it borrows. */
struct so_posted;

/* To one loop, and home again if there is one. */
struct so_letter {
    struct net_mail mail;
    struct so_posted *posted;
    struct so_part *part;
    struct so_outcome outcome;
};

/* On the part's loop. The error is in the outcome, too. */
int so_execute(struct so_part *part, const struct so_request *request,
               struct so_outcome *outcome);

/*
 * Execute on the caller's loop and post to the others, or to all that need to
 * know when the caller is on none. Any thread.
 *
 * SIO_OK, or what failed here: then nothing was posted. What fails elsewhere
 * goes to the log.
 */
int so_send(const struct so_request *request);

/* The same in two steps: copies of `request` for the loops other than `here`
 * (NULL: for all). *posted may be NULL: there are none. Then post them, or drop
 * them. */
int so_prepare(const struct so_request *request, const struct so_shard *here,
               struct so_posted **posted);
void so_post(struct so_posted *posted);
void so_drop(struct so_posted *posted);
/* How many loops have to answer, home apart. */
size_t so_posted_count(const struct so_posted *posted);
const struct so_request *so_posted_request(const struct so_posted *posted);

/* Call fn for `nsp`, or for each of its children when it is a parent, until one
 * does not return SIO_OK. Any thread. */
int so_each_target(sio_namespace *nsp,
                   int (*fn)(void *user, sio_namespace *nsp), void *user);

void so_asker_init(struct so_asker *asker, struct so_shard *home,
                   void (*free_fn)(struct so_asker *asker));
struct so_asker *so_asker_ref(struct so_asker *asker);
void so_asker_unref(struct so_asker *asker); /* NULL is allowed */

/* --- told.c: a message that lasts --- */

struct so_told {
    struct sp_message message;
    char *names;               /* event, extra */
    struct grow text;          /* the values */
    struct sp_attachments bin; /* their attachments */
    sio_value values[];
};

/* A copy; SIO_OK, SIO_E_NOMEM, or what encoding its values returns. message.nsp
 * is borrowed on. */
int so_told_new(struct so_hub *hub, const struct sp_message *m,
                struct so_told **told);
void so_told_free(struct so_told *told); /* NULL is allowed */

/* --- ask.c --- */
int so_execute_ask(struct so_part *part, const struct so_request *request,
                   struct so_outcome *outcome);

/* --- sockets.c --- */
int so_execute_errand(struct so_part *part, const struct so_request *request);

/* --- fetch.c --- */
int so_execute_fetch(struct so_part *part, const struct so_request *request,
                     struct so_outcome *outcome);

#endif
