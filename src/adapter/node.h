/*
 * node.h -- this server as a node among others: what the Redis adapters share.
 *
 *   <sio/adapter.h>   send()      --> cl_send()    --> transport: publish()
 *   bytes, decoded by a transport --> cl_receive() --> host->execute()
 *                                                  --> answers, either way
 *
 *   node.c     namespaces, what comes in and goes out without answers
 *   ask.c      our questions: who has answered, how long we wait
 *   answer.c   questions of others: what this node says to them
 *
 * It knows no bytes and no connection: that is the transport's, which is one of
 * redis_classic.c, redis_sharded.c, redis_streams.c. Loop thread only.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_ADAPTER_NODE_H
#define SRC_ADAPTER_NODE_H

#include "protocol/base/list.h"
#include "protocol/base/map.h"
#include "protocol/redis/message.h"
#include "src/net/loop.h"

#include <sio/adapter.h>

#define CL_UID_LEN 16        /* characters of a node's uid, of a request's id */
#define CL_ID_MAX 255        /* bytes of an id of others: it may be kept */
#define CL_PENDING_MAX 10000 /* questions of ours without all answers */
#define CL_FOREIGN_MAX 10000 /* questions of others that are open */
#define CL_ANSWER_MS 5000    /* for so long, when they do not say */
#define CL_ANSWER_MIN_MS 1000 /* they say at least, and at most, so much */
#define CL_ANSWER_MAX_MS 3600000
#define CL_WARN_MS 10000  /* refused messages are logged at most so often */
#define CL_PEERS_MAX 1024 /* nodes that a question tells apart */

struct cl_node;

/* A namespace of this node. */
struct cl_nsp {
    struct map_node map; /* in node->namespaces, by its name */
    struct cl_node *node;
    void *at; /* the transport's: its subscriptions */
    char name[];
};

static inline sio_str cl_nsp_name(const struct cl_nsp *nsp)
{
    return map_key(&nsp->map);
}

/* How many nodes have the namespace, this one among them. */
typedef void cl_on_count(void *user, int status, uint64_t nodes);

/* What carries messages. */
struct cl_transport_ops {
    /* Whoever is to be answered has to have a uid: there is no channel for
     * answers that all nodes hear. */
    bool needs_asker;
    size_t uid_len; /* characters of a node's uid: 6, or CL_UID_LEN */

    /* Begin to listen. SIO_OK, SIO_E_LIMIT, SIO_E_NOMEM. */
    int (*add)(void *self, struct cl_nsp *nsp);
    /* Hear no more, at once; also from within what was received. */
    void (*remove)(void *self, struct cl_nsp *nsp);
    /* Is every subscription of it in force, so that answers come? */
    bool (*ready)(void *self, const struct cl_nsp *nsp);

    /* May be NULL: see sio_cluster_ops.room_changed. As add(). */
    int (*room_changed)(void *self, struct cl_nsp *nsp, sio_str room,
                        bool is_id, bool exists);

    /*
     * To all other nodes, or to one.
     *
     * m        with our uid and the namespace; borrowed
     * asker    the uid of the node that it answers, n 0: it is no answer, or it
     *          is not known whose
     * Returns  SIO_OK: what becomes of it is counted with cl_published();
     *          SIO_E_INVAL, SIO_E_RESERVED, SIO_E_LIMIT, SIO_E_NOMEM,
     *          SIO_E_STATE: it is not sent
     */
    int (*publish)(void *self, const struct cl_nsp *nsp,
                   const struct pr_message *m, sio_str asker);

    /* May be NULL: see sio_cluster_request.keep. A broadcast to all other
     * nodes, as publish(). SIO_OK: on_kept() comes once, later. */
    int (*keep)(void *self, const struct pr_message *m,
                void (*on_kept)(void *user, int status, sio_str offset),
                void *user);

    /* SIO_OK: on_count() comes once, never from within the call, and until the
     * transport is closed; with a status as that of redis_count(). Before a
     * publish() that follows this call. */
    int (*count)(void *self, const struct cl_nsp *nsp, cl_on_count *on_count,
                 void *user);
};

struct cl_node {
    const sio_cluster_host *host;
    struct net_loop *loop;
    const struct cl_transport_ops *ops;
    void *transport;
    uint32_t timeout_ms; /* of our questions */
    bool closed;
    char uid[CL_UID_LEN + 1];
    struct map namespaces;
    struct map pending; /* struct cl_question, by their request id */
    struct map asked;   /* the same, by their user */
    struct list foreign;
    size_t foreign_count;
    uint64_t sent, received, refused, dropped;
    uint64_t unsaid, warned_ms; /* refused without a log line, and the last */
};

/*
 * host, loop, ops, transport  live longer than the node
 * Returns                     SIO_OK, or SIO_E_SYS: no randomness
 */
int cl_node_init(struct cl_node *node, const sio_cluster_host *host,
                 struct net_loop *loop, const struct cl_transport_ops *ops,
                 void *transport, uint32_t timeout_ms);

/* Our questions are completed with SIO_E_STATE from within, those of others
 * forgotten, namespaces removed. The node itself may be freed once the
 * transport has told all counts. */
void cl_node_close(struct cl_node *node);

static inline sio_str cl_uid(const struct cl_node *node)
{
    return (sio_str){ node->uid, node->ops->uid_len };
}

/* --- what the host calls: see sio_cluster_ops --- */

int cl_add_namespace(struct cl_node *node, sio_str nsp);
void cl_remove_namespace(struct cl_node *node, sio_str nsp);
void cl_room_changed(struct cl_node *node, sio_str nsp, sio_str room,
                     bool is_id, bool exists);
int cl_send(struct cl_node *node, const sio_cluster_request *request);
void cl_forget(struct cl_node *node, void *user);
/* pending, sent, received, refused, dropped; the rest is the transport's. */
void cl_get_stats(const struct cl_node *node, sio_cluster_stats *out);

/* NULL: not here. */
struct cl_nsp *cl_nsp_find(const struct cl_node *node, sio_str name);

/* --- what the transport calls --- */

/*
 * A message has come, of whomever. It may be our own, or another namespace's:
 * then nothing is done. The namespace may be removed within, and the node be
 * closed.
 */
void cl_receive(struct cl_nsp *nsp, const struct pr_message *m);

/* Bytes have come that are none. */
void cl_refuse(struct cl_node *node, sio_str nsp, const char *why);

/* A message has come for rooms that are not here. */
void cl_passed_over(struct cl_node *node);

/* What became of one that was published: it went to Redis, or it did not. */
void cl_published(struct cl_node *node, int status);

/* --- between node.c, ask.c, answer.c --- */

/* `n` random characters as Node's ids have them, and a NUL: 0-9a-f, or where
 * they are short, of base64url. SIO_OK or SIO_E_SYS. */
int cl_random_id(char out[CL_UID_LEN + 1], size_t n);

/* Publish it as ours, and count it. As ops->publish(). */
int cl_publish(const struct cl_nsp *nsp, struct pr_message *m, sio_str asker);

/* `data`, or an object without members where there is none. */
sio_value cl_object(const sio_value *data);

/* What the host asks for, as a message; borrows all of it. */
void cl_to_message(const sio_cluster_request *request, struct pr_message *out);
/* And the other way, without answers. */
void cl_to_request(const struct cl_nsp *nsp, const struct pr_message *m,
                   sio_cluster_request *out);

/* The host does what a message of another node says; the namespace may be gone
 * then. What it refuses is counted and logged, but that the namespace or the
 * server ends. As host->execute(). */
int cl_execute(struct cl_node *node, const struct pr_message *m,
               const sio_cluster_request *request);

/* ask.c */
int cl_ask(struct cl_nsp *nsp, const sio_cluster_request *request);
void cl_take_answer(struct cl_nsp *nsp, const struct pr_message *m);
/* All questions about it end, or (NULL) all of the node: SIO_E_STATE. */
void cl_end_questions(struct cl_node *node, const struct cl_nsp *nsp);

/* answer.c */
void cl_answer(struct cl_nsp *nsp, const struct pr_message *m);
void cl_end_foreign(struct cl_node *node, const struct cl_nsp *nsp);

#endif
