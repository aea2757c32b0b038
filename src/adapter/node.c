/*
 * node.c -- a node of a cluster: its namespaces, what it sends and receives
 * without answers; see node.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/adapter/node.h"

#include "protocol/base/str.h"
#include "src/net/random.h"

#include <stdio.h>
#include <stdlib.h>

int cl_random_id(char out[CL_UID_LEN + 1], size_t n)
{
    static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz"
                                 "ABCDEFGHIJKLMNOPQRSTUVWXYZ-_";
    const unsigned mask = n < CL_UID_LEN ? 63 : 15;
    uint8_t bytes[CL_UID_LEN];

    if (net_random(bytes, n) < 0)
        return SIO_E_SYS;
    for (size_t i = 0; i < n; i++)
        out[i] = digits[bytes[i] & mask];
    out[n] = 0;
    return SIO_OK;
}

/* ------------------------------------------------------------ namespaces -- */

struct cl_nsp *cl_nsp_find(const struct cl_node *node, sio_str name)
{
    struct map_node *it = map_find(&node->namespaces, name);

    return it ? container_of(it, struct cl_nsp, map) : NULL;
}

int cl_add_namespace(struct cl_node *node, sio_str name)
{
    struct cl_nsp *nsp;
    int r;

    if (node->closed)
        return SIO_E_STATE;
    if (cl_nsp_find(node, name))
        return SIO_OK;
    nsp = malloc(sizeof *nsp + name.n);
    if (!nsp)
        return SIO_E_NOMEM;
    nsp->node = node;
    nsp->at = NULL;
    if (name.n)
        memcpy(nsp->name, name.p, name.n);
    r = map_add(&node->namespaces, &nsp->map, (sio_str){ nsp->name, name.n });
    if (r < 0) {
        free(nsp);
        return r;
    }
    r = node->ops->add(node->transport, nsp);
    if (r < 0) {
        map_remove(&node->namespaces, &nsp->map);
        free(nsp);
    }
    return r;
}

static void remove_namespace(struct cl_nsp *nsp)
{
    struct cl_node *node = nsp->node;

    map_remove(&node->namespaces, &nsp->map);
    node->ops->remove(node->transport, nsp);
    cl_end_foreign(node, nsp);
    cl_end_questions(node, nsp);
    free(nsp);
}

void cl_remove_namespace(struct cl_node *node, sio_str name)
{
    struct cl_nsp *nsp = cl_nsp_find(node, name);

    if (nsp)
        remove_namespace(nsp);
}

/* A room that others cannot reach is what the log has to say. */
void cl_room_changed(struct cl_node *node, sio_str name, sio_str room,
                     bool is_id, bool exists)
{
    struct cl_nsp *nsp = cl_nsp_find(node, name);
    char line[160];
    int r;

    if (node->closed || !nsp || !node->ops->room_changed)
        return;
    r = node->ops->room_changed(node->transport, nsp, room, is_id, exists);
    if (r == SIO_OK)
        return;
    snprintf(line, sizeof line,
             "cluster: a room cannot be reached by other servers: %s",
             sio_strerror(r));
    node->host->log(node->host->self, SIO_LOG_ERROR, line);
}

/* ---------------------------------------------- requests and messages -- */

static const uint8_t types[] = {
    [SIO_CLUSTER_BROADCAST] = PR_BROADCAST,
    [SIO_CLUSTER_SOCKETS_JOIN] = PR_JOIN,
    [SIO_CLUSTER_SOCKETS_LEAVE] = PR_LEAVE,
    [SIO_CLUSTER_DISCONNECT_SOCKETS] = PR_DISCONNECT,
    [SIO_CLUSTER_FETCH_SOCKETS] = PR_FETCH,
    [SIO_CLUSTER_SERVER_SIDE_EMIT] = PR_EMIT,
};

static void set_flags(struct pr_flags *flags, const sio_cluster_request *q)
{
    if (q->options.flags & SIO_FLAG_NO_COMPRESS)
        pr_set_compress(flags, false);
    if (q->options.flags & SIO_FLAG_VOLATILE)
        pr_set_volatile(flags);
    if (q->timeout_ms)
        pr_set_timeout(flags, q->timeout_ms);
    if (q->single)
        pr_set_single(flags);
}

void cl_to_message(const sio_cluster_request *q, struct pr_message *out)
{
    *out = (struct pr_message){
        .type = (enum pr_type)types[q->type],
        .nsp = q->nsp,
        .rooms = { q->options.rooms, q->options.room_count },
        .except = { q->options.except, q->options.except_count },
        .names = { q->rooms, q->room_count },
        .close = q->close,
        .event = q->event,
        .values = q->values,
        .count = q->value_count,
    };
    if (q->type != SIO_CLUSTER_SERVER_SIDE_EMIT)
        set_flags(&out->flags, q);
}

static uint32_t timeout_of(const struct pr_flags *flags)
{
    if (!pr_has_flag(flags, PR_TIMEOUT) || flags->timeout_ms <= 0)
        return 0;
    if (flags->timeout_ms > CL_ANSWER_MAX_MS)
        return CL_ANSWER_MAX_MS;
    return flags->timeout_ms < 1 ? 1 : (uint32_t)flags->timeout_ms;
}

static sio_cluster_type type_of(enum pr_type type)
{
    size_t i = 0;

    while (types[i] != type)
        i++;
    return (sio_cluster_type)i;
}

void cl_to_request(const struct cl_nsp *nsp, const struct pr_message *m,
                   sio_cluster_request *out)
{
    unsigned flags = 0;

    if (pr_has_flag(&m->flags, PR_VOLATILE))
        flags |= SIO_FLAG_VOLATILE;
    if (pr_has_flag(&m->flags, PR_COMPRESS) && !m->flags.compress)
        flags |= SIO_FLAG_NO_COMPRESS;
    *out = (sio_cluster_request){
        .type = type_of(m->type),
        .nsp = cl_nsp_name(nsp),
        .options = { m->rooms.items, m->rooms.count, m->except.items,
                     m->except.count, flags },
        .timeout_ms = timeout_of(&m->flags),
        .single = pr_has_flag(&m->flags, PR_SINGLE),
        .event = m->event,
        .values = m->values,
        .value_count = m->count,
        .rooms = m->names.items,
        .room_count = m->names.count,
        .close = m->close,
    };
    if (m->type == PR_BROADCAST && !pr_has_flag(&m->flags, PR_VOLATILE))
        out->offset = m->offset;
}

sio_value cl_object(const sio_value *data)
{
    if (data->kind != SIO_NULL)
        return *data;
    return (sio_value){
        .kind = SIO_RAW_JSON, .trusted = true, .data = "{}", .size = 2
    };
}

/* --------------------------------------------------------------- sending -- */

int cl_publish(const struct cl_nsp *nsp, struct pr_message *m, sio_str asker)
{
    struct cl_node *node = nsp->node;
    int r;

    m->uid = cl_uid(node);
    m->nsp = cl_nsp_name(nsp);
    r = node->ops->publish(node->transport, nsp, m, asker);
    if (r == SIO_OK)
        node->sent++;
    else
        node->dropped++;
    return r;
}

static int keep(struct cl_nsp *nsp, const sio_cluster_request *request)
{
    struct cl_node *node = nsp->node;
    struct pr_message m;
    int r;

    if (!node->ops->keep || request->type != SIO_CLUSTER_BROADCAST)
        return SIO_E_INVAL;
    cl_to_message(request, &m);
    m.uid = cl_uid(node);
    r = node->ops->keep(node->transport, &m, request->answers->on_kept,
                        request->user);
    if (r == SIO_OK)
        node->sent++;
    else
        node->dropped++;
    return r;
}

int cl_send(struct cl_node *node, const sio_cluster_request *request)
{
    struct cl_nsp *nsp = cl_nsp_find(node, request->nsp);
    struct pr_message m;

    if (node->closed || !nsp)
        return SIO_E_STATE;
    if (request->keep)
        return keep(nsp, request);
    if (request->answers)
        return cl_ask(nsp, request);
    if (request->type == SIO_CLUSTER_FETCH_SOCKETS)
        return SIO_E_INVAL;
    cl_to_message(request, &m);
    return cl_publish(nsp, &m, (sio_str){ NULL, 0 });
}

void cl_published(struct cl_node *node, int status)
{
    if (status != SIO_OK)
        node->dropped++;
}

/* ------------------------------------------------------------- receiving -- */

/* Whoever else writes to this Redis could fill the log. */
static void refuse(struct cl_node *node, sio_str nsp, const char *why)
{
    char line[320];

    node->refused++;
    node->unsaid++;
    if (node->warned_ms && node->loop->now_ms - node->warned_ms < CL_WARN_MS)
        return;
    snprintf(line, sizeof line,
             "cluster: a message for %.*s was refused: %.120s (%llu so far)",
             nsp.n > 100 ? 100 : (int)nsp.n, nsp.n ? nsp.p : "", why,
             (unsigned long long)node->unsaid);
    node->warned_ms = node->loop->now_ms ? node->loop->now_ms : 1;
    node->unsaid = 0;
    node->host->log(node->host->self, SIO_LOG_WARN, line);
}

void cl_refuse(struct cl_node *node, sio_str nsp, const char *why)
{
    node->received++;
    refuse(node, nsp, why);
}

void cl_passed_over(struct cl_node *node)
{
    node->received++;
    node->refused++;
}

int cl_execute(struct cl_node *node, const struct pr_message *m,
               const sio_cluster_request *request)
{
    int r = node->host->execute(node->host->self, request);

    if (r < 0 && r != SIO_E_STATE)
        refuse(node, m->nsp, sio_strerror(r));
    return r;
}

static void execute(struct cl_nsp *nsp, const struct pr_message *m)
{
    sio_cluster_request request;

    cl_to_request(nsp, m, &request);
    (void)cl_execute(nsp->node, m, &request);
}

/* The namespace may be gone after what is called here. */
static void dispatch(struct cl_nsp *nsp, const struct pr_message *m)
{
    switch (m->type) {
    case PR_BROADCAST:
    case PR_EMIT:
        if (m->request_id.n)
            cl_answer(nsp, m);
        else
            execute(nsp, m);
        break;
    case PR_JOIN:
    case PR_LEAVE:
    case PR_DISCONNECT:
        if (m->sid.n)
            cl_answer(nsp, m);
        else
            execute(nsp, m);
        break;
    case PR_FETCH:
    case PR_SOCKETS:
    case PR_ROOMS:
        cl_answer(nsp, m);
        break;
    case PR_FETCH_REPLY:
    case PR_EMIT_REPLY:
    case PR_CLIENT_COUNT:
    case PR_ACK:
        cl_take_answer(nsp, m);
        break;
    default: /* heartbeats, and answers to what this node never asks */
        break;
    }
}

/* A question is open for as long as its asker says, and its ids are kept. */
static bool ids_fit(const struct pr_message *m)
{
    return m->uid.n <= CL_ID_MAX && m->request_id.n <= CL_ID_MAX &&
           m->sid.n <= CL_ID_MAX;
}

void cl_receive(struct cl_nsp *nsp, const struct pr_message *m)
{
    struct cl_node *node = nsp->node;

    if (str_eq(m->uid, cl_uid(node)))
        return;
    if (!ids_fit(m)) {
        cl_refuse(node, cl_nsp_name(nsp), "an id is too long");
        return;
    }
    if (m->nsp.n && !str_eq(m->nsp, cl_nsp_name(nsp))) {
        cl_refuse(node, cl_nsp_name(nsp), "it is another namespace's");
        return;
    }
    node->received++;
    dispatch(nsp, m);
}

/* ------------------------------------------------------------ life times -- */

int cl_node_init(struct cl_node *node, const sio_cluster_host *host,
                 struct net_loop *loop, const struct cl_transport_ops *ops,
                 void *transport, uint32_t timeout_ms)
{
    uint64_t seed[2];

    *node = (struct cl_node){ .host = host,
                              .loop = loop,
                              .ops = ops,
                              .transport = transport,
                              .timeout_ms = timeout_ms };
    if (cl_random_id(node->uid, ops->uid_len) < 0 ||
        net_random(seed, sizeof seed) < 0)
        return SIO_E_SYS;
    map_init(&node->namespaces, seed);
    map_init(&node->pending, seed);
    map_init(&node->asked, seed);
    list_init(&node->foreign);
    return SIO_OK;
}

void cl_node_close(struct cl_node *node)
{
    node->closed = true;
    while (map_first(&node->namespaces))
        remove_namespace(
            container_of(map_first(&node->namespaces), struct cl_nsp, map));
}

void cl_get_stats(const struct cl_node *node, sio_cluster_stats *out)
{
    out->pending = map_count(&node->asked);
    out->sent = node->sent;
    out->received = node->received;
    out->refused = node->refused;
    out->dropped = node->dropped;
}
