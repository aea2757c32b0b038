/*
 * bus.h -- what is to be done with the sockets of a target, wherever they are:
 * the loops of a process are the nodes of a small cluster.
 *
 *   emit.c, ask.c, sockets.c --> so_request --> so_send()
 *         the caller's loop:  so_execute()
 *         every other loop:   a letter --> so_execute() there
 *                             --> its outcome comes back, if anybody waits
 *         other servers:      a letter to the main loop --> cluster.h
 *
 * so_execute() is all that a loop does for others, and it needs nothing but the
 * request: one that comes from another server is executed by it as well.
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
    SO_FETCH,      /* look at them */
    SO_SERVER_EMIT /* `message`, to other servers alone */
};

struct so_inquiry;

/* Whoever waits for outcomes: a question, a fetch. */
struct so_asker {
    atomic_uint refs;
    void (*free)(struct so_asker *asker);
    struct so_shard *home; /* where outcomes go to */
    bool abroad;           /* other servers are asked, too */
    /* For the main loop, in cluster.c. */
    struct net_mail over_mail;
    struct so_inquiry *inquiry;
    bool over;
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
    sio_str offset;  /* p NULL: it is not recorded */
    bool recorded;   /* it was, by whoever has sent it */
    uint64_t number; /* as which entry; 0: nobody could have asked for it */
    const struct sp_message *message; /* for those who see what is emitted, and
                                         for other servers; NULL: nobody wants
                                         it */
    uint32_t timeout_ms;              /* 0: none */
    /* ASK */
    int64_t id;
    bool single; /* of one socket, wherever it is */
    /* JOIN, LEAVE */
    const sio_str *rooms;
    size_t room_count;
    /* DISCONNECT: the whole connection */
    bool close;
    /* ASK, FETCH */
    struct so_asker *asker;
    /* On home: what a loop has found. */
    void (*on_outcome)(const struct so_letter *letter);
    /* On home, instead of so_execute(), when another thread has sent it. */
    void (*begin)(struct so_part *part, const struct so_request *request);
    bool foreign; /* another server has sent it */
    bool keep;    /* the cluster keeps it, before anything else is done */
};

struct so_outcome {
    int error;
    int64_t count;   /* ASK: how many were asked; SERVER_EMIT: have answered */
    void *found;     /* FETCH: see fetch.c */
    uint64_t number; /* DELIVER: as which entry it was recorded here */
};

/* A request on its way, with copies of what it borrows. */
struct so_posted;

/* To one loop, and home again if there is one. */
struct so_letter {
    struct net_mail mail;
    struct so_posted *posted;
    struct so_part *part;
    bool abroad; /* not for that part: for other servers */
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

/* The letter's outcome is complete: home with it. */
void so_letter_home(struct so_letter *letter);
/* It has no home, and was read. */
void so_letter_drop(struct so_letter *letter);

/* Call fn for `nsp`, or for each of its children when it is a parent, until one
 * does not return SIO_OK. Any thread. */
int so_each_target(sio_namespace *nsp,
                   int (*fn)(void *user, sio_namespace *nsp), void *user);

void so_asker_init(struct so_asker *asker, struct so_shard *home,
                   void (*free_fn)(struct so_asker *asker));
struct so_asker *so_asker_ref(struct so_asker *asker);
void so_asker_unref(struct so_asker *asker); /* NULL is allowed */
/* On home: it waits for nothing more. */
void so_asker_over(struct so_asker *asker);

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
/* What somebody on another loop or server has answered; NULL: no value. SIO_OK,
 * or it is lost: SIO_E_NOMEM, SIO_E_LIMIT, what encoding it returns. */
int so_ask_report(struct so_asker *asker, const sio_value *value);
struct so_question;
/*
 * Ask for another server: nsp, options and `foreign` of the request are set,
 * the rest is filled in. Later `answers` hear how many are asked and every
 * answer, until so_ask_forget(); `gone` hears when it ends by itself, with an
 * error and without an event. All on the main loop.
 */
int so_ask_foreign(struct so_request *request, struct sp_message *m,
                   const sio_cluster_answers *answers, sio_reply_fn gone,
                   void *user, struct so_question **question);
void so_ask_forget(struct so_question *question);
/* Ask the other servers: SO_SERVER_EMIT, nsp of the request are set. Any
 * thread. */
int so_ask_servers(struct so_request *request, const struct sp_message *m,
                   sio_reply_fn on_reply, void *user);
int so_execute_ask(struct so_part *part, const struct so_request *request,
                   struct so_outcome *outcome);

/* --- sockets.c --- */
int so_execute_errand(struct so_part *part, const struct so_request *request);

/* --- fetch.c --- */
int so_execute_fetch(struct so_part *part, const struct so_request *request,
                     struct so_outcome *outcome);
/* Copies of sockets of another server, in front of *found: an outcome's.
 * SIO_OK, SIO_E_NOMEM, SIO_E_LIMIT, or what encoding returns: then none are. */
int so_found_add(void **found, const sio_cluster_socket *sockets, size_t count);
void so_found_free(void *found); /* NULL is allowed */

#endif
