/*
 * ask.c -- the questions of this node: sent to all others, completed when as
 * many of them have answered as there are, or when it took too long. See
 * node.h.
 *
 * Answers may overtake the count, which Redis is asked for at the same time;
 * answers that are late, or come twice, change nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/adapter/node.h"

#include "protocol/base/str.h"

#include <stdlib.h>

struct cl_question {
    struct map_node by_id;   /* in node->pending */
    struct map_node by_user; /* in node->asked */
    struct cl_node *node;
    const struct cl_nsp *nsp; /* to compare with: it may be gone */
    struct net_alarm alarm;
    sio_cluster_type type;
    const sio_cluster_answers *answers;
    void *user;
    /* The tables, a count that is to come, and each callback that runs, hold
     * one. */
    unsigned refs;
    bool over;                /* in no table any more: nothing is told */
    bool completed;           /* on_complete() was called */
    bool counted;             /* `expected` is known */
    uint64_t expected, heard; /* other nodes */
    uint64_t clients, acks;   /* of a broadcast: so many of them were asked, and
                                 have answered */
    uint64_t *from;           /* hashes of the uids of those that were heard */
    size_t from_count;
    char id[CL_UID_LEN + 1];
};

static void question_unref(struct cl_question *q)
{
    if (--q->refs)
        return;
    free(q->from);
    free(q);
}

static void question_end(struct cl_question *q)
{
    if (q->over)
        return;
    q->over = true;
    net_alarm_stop(q->node->loop, &q->alarm);
    map_remove(&q->node->pending, &q->by_id);
    map_remove(&q->node->asked, &q->by_user);
    question_unref(q);
}

/* A broadcast stays, for its acknowledgements. The others end before the call,
 * within which the same user may ask again. */
static void complete(struct cl_question *q, int status)
{
    if (q->over || q->completed)
        return;
    q->completed = true;
    net_alarm_stop(q->node->loop, &q->alarm);
    q->refs++;
    if (q->type != SIO_CLUSTER_BROADCAST)
        question_end(q);
    q->answers->on_complete(q->user, status);
    question_unref(q);
}

static void look(struct cl_question *q)
{
    if (q->counted && q->heard >= q->expected)
        complete(q, SIO_OK);
}

static void on_alarm(struct net_alarm *alarm)
{
    complete(container_of(alarm, struct cl_question, alarm), SIO_E_TIMEOUT);
}

static void on_count(void *user, int status, uint64_t nodes)
{
    struct cl_question *q = user;

    if (status == SIO_OK) {
        q->counted = true;
        q->expected = nodes ? nodes - 1 : 0;
        look(q);
    } else {
        complete(q, status == SIO_E_SYS ? SIO_E_STATE : status);
    }
    question_unref(q);
}

/* ---------------------------------------------------------------- asking -- */

static sio_str key_of(void *const *user)
{
    return (sio_str){ (const char *)user, sizeof *user };
}

/* In the tables, with a time. */
static int register_question(struct cl_question *q)
{
    struct cl_node *node = q->node;
    int r = map_add(&node->pending, &q->by_id,
                    (sio_str){ q->id, sizeof q->id - 1 });

    if (r < 0)
        return r;
    r = map_add(&node->asked, &q->by_user, key_of(&q->user));
    if (r < 0)
        goto fail;
    r = net_alarm_start(node->loop, &q->alarm, q->node->timeout_ms);
    if (r == SIO_OK)
        return SIO_OK;
    map_remove(&node->asked, &q->by_user);
fail:
    map_remove(&node->pending, &q->by_id);
    return r == SIO_E_STATE ? SIO_E_INVAL : r;
}

static int question_new(struct cl_nsp *nsp, const sio_cluster_request *request,
                        struct cl_question **out)
{
    struct cl_question *q = calloc(1, sizeof *q);
    int r;

    if (!q)
        return SIO_E_NOMEM;
    q->node = nsp->node;
    q->nsp = nsp;
    q->type = request->type;
    q->answers = request->answers;
    q->user = request->user;
    q->refs = 1;
    net_alarm_init(&q->alarm, on_alarm);
    r = cl_random_id(q->id, CL_UID_LEN);
    if (r == SIO_OK)
        r = register_question(q);
    if (r < 0) {
        free(q);
        return r;
    }
    if (request->timeout_ms && request->type != SIO_CLUSTER_BROADCAST)
        (void)net_alarm_start(q->node->loop, &q->alarm, request->timeout_ms);
    *out = q;
    return SIO_OK;
}

int cl_ask(struct cl_nsp *nsp, const sio_cluster_request *request)
{
    struct cl_node *node = nsp->node;
    struct cl_question *q;
    struct pr_message m;
    int r;

    if (request->type != SIO_CLUSTER_BROADCAST &&
        request->type != SIO_CLUSTER_FETCH_SOCKETS &&
        request->type != SIO_CLUSTER_SERVER_SIDE_EMIT)
        return SIO_E_INVAL;
    if (!node->ops->ready(node->transport, nsp))
        return SIO_E_STATE;
    if (map_count(&node->pending) >= CL_PENDING_MAX)
        return SIO_E_LIMIT;
    r = question_new(nsp, request, &q);
    if (r < 0)
        return r;
    q->refs++;
    r = node->ops->count(node->transport, nsp, on_count, q);
    if (r < 0) {
        question_unref(q);
    } else {
        cl_to_message(request, &m);
        m.request_id = (sio_str){ q->id, CL_UID_LEN };
        r = cl_publish(nsp, &m, (sio_str){ NULL, 0 });
    }
    if (r < 0)
        question_end(q);
    return r;
}

void cl_forget(struct cl_node *node, void *user)
{
    struct map_node *it = map_find(&node->asked, key_of(&user));

    if (it)
        question_end(container_of(it, struct cl_question, by_user));
}

/* --------------------------------------------------------------- answers -- */

/* Has that node answered before? Where answers say who gives them. */
static bool heard_before(struct cl_question *q, sio_str uid)
{
    const uint64_t hash = map_hash(q->node->pending.seed, uid);
    uint64_t *grown;

    if (uid.n == 0)
        return false;
    for (size_t i = 0; i < q->from_count; i++)
        if (q->from[i] == hash)
            return true;
    if (q->from_count == CL_PEERS_MAX)
        return false;
    if ((q->from_count & (q->from_count - 1)) == 0) {
        grown = realloc(q->from, (q->from_count ? 2 * q->from_count : 1) *
                                     sizeof *q->from);
        if (!grown)
            return false;
        q->from = grown;
    }
    q->from[q->from_count++] = hash;
    return false;
}

static const sio_value *value_of(const struct pr_message *m)
{
    return m->count ? m->values : NULL;
}

static void take_sockets(struct cl_question *q, const struct pr_message *m)
{
    const size_t n = m->socket_count;
    sio_cluster_socket *sockets = n ? calloc(n, sizeof *sockets) : NULL;

    if (n && !sockets) {
        complete(q, SIO_E_NOMEM);
        return;
    }
    for (size_t i = 0; i < n; i++)
        sockets[i] = (sio_cluster_socket){
            .id = m->sockets[i].id,
            .rooms = m->sockets[i].rooms.items,
            .room_count = m->sockets[i].rooms.count,
            .handshake = cl_object(&m->sockets[i].handshake),
            .data = cl_object(&m->sockets[i].data),
        };
    q->heard++;
    q->answers->on_sockets(q->user, sockets, n);
    free(sockets);
    look(q);
}

static void take_count(struct cl_question *q, const struct pr_message *m)
{
    q->heard++;
    q->clients += m->client_count;
    q->answers->on_client_count(q->user, (size_t)m->client_count);
    look(q);
}

static void take_reply(struct cl_question *q, const struct pr_message *m)
{
    q->heard++;
    q->answers->on_ack(q->user, value_of(m));
    look(q);
}

/* More than there are clients: not theirs. A node's own count is before its
 * acknowledgements, but not another one's. */
static bool take_ack(struct cl_question *q, const struct pr_message *m)
{
    if (q->counted && q->heard >= q->expected && q->acks >= q->clients)
        return false;
    q->acks++;
    q->answers->on_ack(q->user, value_of(m));
    return true;
}

/* false: it is none to this question. */
static bool take(struct cl_question *q, const struct pr_message *m)
{
    static const uint8_t wanted[] = {
        [SIO_CLUSTER_BROADCAST] = PR_CLIENT_COUNT,
        [SIO_CLUSTER_FETCH_SOCKETS] = PR_FETCH_REPLY,
        [SIO_CLUSTER_SERVER_SIDE_EMIT] = PR_EMIT_REPLY,
    };

    if (q->type == SIO_CLUSTER_BROADCAST && m->type == PR_ACK)
        return take_ack(q, m);
    if (m->type != wanted[q->type] || q->completed || heard_before(q, m->uid))
        return false;
    if (m->type == PR_FETCH_REPLY)
        take_sockets(q, m);
    else if (m->type == PR_CLIENT_COUNT)
        take_count(q, m);
    else
        take_reply(q, m);
    return true;
}

/* What is not for us: where all nodes hear all answers, most of them are not.
 */
void cl_take_answer(struct cl_nsp *nsp, const struct pr_message *m)
{
    struct cl_node *node = nsp->node;
    struct map_node *it = map_find(&node->pending, m->request_id);
    struct cl_question *q =
        it ? container_of(it, struct cl_question, by_id) : NULL;
    bool taken = false;

    if (q && q->nsp == nsp) {
        q->refs++;
        taken = take(q, m);
        question_unref(q);
    }
    if (!taken)
        node->refused++;
}

void cl_end_questions(struct cl_node *node, const struct cl_nsp *nsp)
{
    struct map_node *it = map_first(&node->pending);

    while (it) {
        struct cl_question *q = container_of(it, struct cl_question, by_id);

        if (q->nsp != nsp) {
            it = map_next(&node->pending, it);
            continue;
        }
        q->refs++;
        complete(q, SIO_E_STATE);
        question_end(q);
        question_unref(q);
        it = map_first(&node->pending);
    }
}
