/*
 * question.h -- what one sio_emit_ack() asks, in parts:
 *
 *   so_question   on its home, the loop that asks: where on_reply is called
 *   so_branch     of the question, on each loop that has sockets to ask
 *   so_ack        one socket that was asked, in that socket's list
 *
 *   ask.c         asking
 *   question.c    questions, and the sockets that were asked
 *   away.c        branches on other loops than the question's
 *
 * The branch of the question's own loop is a part of it. One of another loop
 * (so_away) first tells home how many sockets it has asked, then sends each
 * answer, and at its end comes home itself, to be freed there.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_SOCKETIO_QUESTION_H
#define SRC_SOCKETIO_QUESTION_H

#include "src/socketio/cluster.h"

/* Bytes of text that one question gathers. */
#define SO_ANSWERS_MAX (64u << 20)

struct so_branch {
    struct so_question *question;
    struct so_shard *shard;
    struct list acks; /* so_ack.in_branch */
    bool away;        /* on another loop than the question */
};

/* What one sio_emit_ack() asked: of one socket, or of many. */
struct so_question {
    struct so_asker asker;
    struct list node; /* in shard->questions */
    struct net_alarm timeout;
    sio_reply_fn on_reply;
    void *user;
    /* Another server asks: it hears of each answer, and on_reply only that the
     * question is gone. NULL: we do. */
    const sio_cluster_answers *answers;
    bool counted;  /* it has heard how many are asked */
    int64_t asked; /* of that */
    bool many;
    bool over;        /* on_reply was called */
    int error;        /* not everybody could be asked: why */
    size_t loops;     /* others, and the other servers, that have not told how
                         many they ask */
    int64_t waiting;  /* answers still to come; below 0 while some are faster
                         than the count of them */
    struct grow text; /* many: "[first,first,..." so far */
    struct sp_attachments bin; /* many: copies of their attachments */
    struct so_branch own;
};

/* What an answer is found by, however many a client leaves unanswered. */
struct so_ack_key {
    uint64_t socket; /* its address: as wide everywhere, so without padding */
    int64_t id;
};

/* One socket that was asked. */
struct so_ack {
    struct map_node node; /* in shard->acks */
    struct list in_socket, in_branch;
    struct so_branch *branch;
    struct so_ack_key key;
};

/* --- question.c --- */

void so_branch_init(struct so_branch *b, struct so_question *q,
                    struct so_shard *shard, bool away);
void so_branch_forget(struct so_branch *b); /* its acks */

/* The sockets of a loop that a request means: those who want to see what is
 * emitted see it; they are waited for, *count of them; they are written to. */
int so_tell_those(const struct so_part *part, const struct so_request *r);
int so_ask_those(struct so_branch *b, const struct so_part *part,
                 const struct so_request *r, size_t *count);
int so_write_to_those(struct so_part *part, const struct so_request *r);
/* One that is waited for. SIO_OK or SIO_E_NOMEM. */
int so_ask_one(struct so_branch *b, sio_socket *socket, int64_t id);

struct so_question *so_question_of(struct so_asker *asker);
/* NULL: out of memory. */
struct so_question *so_question_new(struct so_shard *home, bool many,
                                    sio_reply_fn on_reply, void *user);
/* It waits, on its loop. */
void so_question_begin(struct so_question *q);
int so_question_start_timeout(struct so_question *q, uint32_t ms);
/* Out of every list: the program is told once, whatever it does then. */
void so_question_unlink(struct so_question *q);
/* It was told, or never asked. */
void so_question_end(struct so_question *q);
/* Tell the program: `text` is what was gathered, "[...]"; NULL: nothing. */
void so_question_reply(struct so_question *q, int error, struct grow *text,
                       const struct sp_attachments *bin);
/* Tell it what several sockets have answered, or that the one that was asked
 * has not; the question is gone afterwards. */
void so_question_done(struct so_question *q, int error);
/* Done if all have answered. */
void so_question_look(struct so_question *q);
/* Another server asks: all loops may have said how many they ask. */
void so_question_tell_count(struct so_question *q);
/* One answer of many; NULL: without a value. The question may be gone. */
void so_question_take(struct so_question *q, const sio_value *value);

/* A value as JSON text behind what is there, attachments copied. */
int so_answer_append(struct grow *text, struct sp_attachments *bin,
                     const sio_value *value);

/* --- away.c --- */
void so_away_received(struct so_branch *b, struct so_ack *ack,
                      const sio_event *answer);
void so_away_end(struct so_branch *b);
void so_aways_end(struct so_shard *shard);
void so_ack_free(struct so_ack *ack);

#endif
