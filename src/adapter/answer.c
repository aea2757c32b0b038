/*
 * answer.c -- what this node says to the questions of others; see node.h.
 *
 *   question --> host->execute() --> on_client_count(), on_ack(), on_sockets(),
 *                                    on_complete() --> messages to the asker
 *
 * A question is open until all of it was answered, or for as long as its
 * clients have. Rooms, ids and single sockets, for which older adapters ask,
 * are read off what fetching sockets gives.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/adapter/node.h"

#include "protocol/base/str.h"

#include <stdlib.h>

struct cl_foreign {
    struct list node; /* in owner->foreign */
    struct cl_node *owner;
    struct cl_nsp *nsp;
    struct net_alarm alarm;
    enum pr_type type;
    unsigned refs;
    bool over;     /* in no list: nothing is said any more */
    bool said;     /* the answer that ends it, or the count */
    bool complete; /* on_complete() has come */
    bool close;    /* PR_DISCONNECT */
    uint64_t clients, acks;
    sio_str request_id, asker, sid, room; /* in `text` */
    char text[];
};

static void foreign_unref(struct cl_foreign *f)
{
    if (--f->refs == 0)
        free(f);
}

static void foreign_end(struct cl_foreign *f)
{
    const sio_cluster_host *host = f->owner->host;

    if (f->over)
        return;
    f->over = true;
    net_alarm_stop(f->owner->loop, &f->alarm);
    list_remove(&f->node);
    f->owner->foreign_count--;
    host->forget(host->self, f);
    foreign_unref(f);
}

static void on_alarm(struct net_alarm *alarm)
{
    foreign_end(container_of(alarm, struct cl_foreign, alarm));
}

static sio_str keep(char **at, sio_str text)
{
    const sio_str kept = { *at, text.n };

    if (text.n)
        memcpy(*at, text.p, text.n);
    *at += text.n;
    return kept;
}

static struct cl_foreign *foreign_new(struct cl_nsp *nsp,
                                      const struct pr_message *m, uint32_t ms)
{
    const sio_str room =
        m->sid.n && m->names.count ? m->names.items[0] : (sio_str){ NULL, 0 };
    struct cl_foreign *f = nsp->node->foreign_count < CL_FOREIGN_MAX
                               ? calloc(1, sizeof *f + m->request_id.n +
                                               m->uid.n + m->sid.n + room.n)
                               : NULL;
    char *at;

    if (!f)
        return NULL;
    at = f->text;
    f->owner = nsp->node;
    f->nsp = nsp;
    f->type = m->type;
    f->close = m->close;
    f->refs = 1;
    f->request_id = keep(&at, m->request_id);
    f->asker = keep(&at, m->uid);
    f->sid = keep(&at, m->sid);
    f->room = keep(&at, room);
    net_alarm_init(&f->alarm, on_alarm);
    if (net_alarm_start(nsp->node->loop, &f->alarm, ms) < 0) {
        free(f);
        return NULL;
    }
    list_append(&nsp->node->foreign, &f->node);
    nsp->node->foreign_count++;
    return f;
}

/* --------------------------------------------------------------- messages --
 */

static void say(struct cl_foreign *f, struct pr_message *m)
{
    m->request_id = f->request_id;
    (void)cl_publish(f->nsp, m, f->asker);
}

static void say_count(struct cl_foreign *f, uint64_t count)
{
    struct pr_message m = { .type = PR_CLIENT_COUNT, .client_count = count };

    f->said = true;
    f->clients = count;
    say(f, &m);
}

static void say_value(struct cl_foreign *f, const sio_value *value)
{
    struct pr_message m = {
        .type = f->type == PR_EMIT ? PR_EMIT_REPLY : PR_ACK,
        .values = value,
        .count = value ? 1 : 0,
    };

    say(f, &m);
}

static int say_sockets(struct cl_foreign *f, const sio_cluster_socket *sockets,
                       size_t count)
{
    struct pr_socket *copies = count ? calloc(count, sizeof *copies) : NULL;
    struct pr_message m = { .type = PR_FETCH_REPLY,
                            .sockets = copies,
                            .socket_count = count };

    if (count && !copies)
        return SIO_E_NOMEM;
    for (size_t i = 0; i < count; i++)
        copies[i] = (struct pr_socket){
            .id = sockets[i].id,
            .handshake = sockets[i].handshake,
            .rooms = { sockets[i].rooms, sockets[i].room_count },
            .data = sockets[i].data,
        };
    say(f, &m);
    free(copies);
    return SIO_OK;
}

static int say_ids(struct cl_foreign *f, const sio_cluster_socket *sockets,
                   size_t count)
{
    sio_str *ids = count ? calloc(count, sizeof *ids) : NULL;
    struct pr_message m = { .type = PR_SOCKETS_REPLY, .names = { ids, count } };

    if (count && !ids)
        return SIO_E_NOMEM;
    for (size_t i = 0; i < count; i++)
        ids[i] = sockets[i].id;
    say(f, &m);
    free(ids);
    return SIO_OK;
}

/* Each room once. */
struct found {
    struct map map;
    struct map_node *nodes;
    sio_str *names;
    size_t count;
};

static int find_rooms(struct found *found, const sio_cluster_socket *sockets,
                      size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < sockets[i].room_count; k++) {
            int r = map_add(&found->map, &found->nodes[found->count],
                            sockets[i].rooms[k]);

            if (r == SIO_E_NOMEM)
                return r;
            if (r == SIO_OK)
                found->names[found->count++] = sockets[i].rooms[k];
        }
    return SIO_OK;
}

static int say_rooms(struct cl_foreign *f, const sio_cluster_socket *sockets,
                     size_t count)
{
    struct found found = { .count = 0 };
    struct pr_message m = { .type = PR_ROOMS_REPLY };
    size_t all = 1;
    int r = SIO_E_NOMEM;

    for (size_t i = 0; i < count; i++)
        all += sockets[i].room_count;
    map_init(&found.map, f->owner->pending.seed);
    found.nodes = calloc(all, sizeof *found.nodes);
    found.names = calloc(all, sizeof *found.names);
    if (found.nodes && found.names)
        r = find_rooms(&found, sockets, count);
    if (r == SIO_OK) {
        m.names = (struct pr_names){ found.names, found.count };
        say(f, &m);
    }
    while (map_first(&found.map))
        map_remove(&found.map, map_first(&found.map));
    free(found.nodes);
    free(found.names);
    return r;
}

/* An older adapter means one socket: whoever has it does it, and says so. The
 * namespace may be gone afterwards. */
static void do_by_sid(struct cl_foreign *f, const sio_cluster_socket *sockets,
                      size_t count)
{
    struct pr_message m = { .type = f->type,
                            .rooms = { &f->sid, 1 },
                            .names = { &f->room, f->room.n > 0 },
                            .close = f->close };
    struct pr_message done = { .type = PR_DONE };
    sio_cluster_request request;
    size_t i = 0;

    while (i < count && !str_eq(sockets[i].id, f->sid))
        i++;
    if (i == count)
        return;
    say(f, &done);
    cl_to_request(f->nsp, &m, &request);
    (void)cl_execute(f->owner, &m, &request);
}

/* ------------------------------------------------------ what the host says --
 */

static void on_client_count(void *user, size_t count)
{
    struct cl_foreign *f = user;

    if (f->over || f->said)
        return;
    say_count(f, count);
    if (f->complete && f->acks >= f->clients)
        foreign_end(f);
}

static void on_ack(void *user, const sio_value *value)
{
    struct cl_foreign *f = user;

    if (f->over || (f->type == PR_EMIT && f->said))
        return;
    if (f->type == PR_EMIT)
        f->said = true;
    f->acks++;
    say_value(f, value);
    if (f->type == PR_BROADCAST && f->complete && f->acks >= f->clients)
        foreign_end(f);
}

static void on_sockets(void *user, const sio_cluster_socket *sockets,
                       size_t count)
{
    struct cl_foreign *f = user;
    int r = SIO_OK;

    if (f->over || f->said)
        return;
    f->said = true;
    f->refs++;
    if (f->type == PR_FETCH)
        r = say_sockets(f, sockets, count);
    else if (f->type == PR_SOCKETS)
        r = say_ids(f, sockets, count);
    else if (f->type == PR_ROOMS)
        r = say_rooms(f, sockets, count);
    else
        do_by_sid(f, sockets, count);
    if (r < 0)
        f->owner->dropped++;
    foreign_unref(f);
}

/* Nothing was found, so that nobody waits. An event between servers without a
 * listener is not answered, in Node neither. */
static void say_nothing(struct cl_foreign *f)
{
    if (f->said)
        return;
    if (f->type == PR_BROADCAST)
        say_count(f, 0);
    else if (f->type == PR_FETCH || f->type == PR_SOCKETS ||
             f->type == PR_ROOMS)
        on_sockets(f, NULL, 0);
}

static void on_complete(void *user, int status)
{
    struct cl_foreign *f = user;

    (void)status;
    if (f->over)
        return;
    f->complete = true;
    say_nothing(f);
    if (f->type != PR_BROADCAST || f->acks >= f->clients)
        foreign_end(f);
}

static const sio_cluster_answers answers = {
    .on_client_count = on_client_count,
    .on_ack = on_ack,
    .on_sockets = on_sockets,
    .on_complete = on_complete,
};

/* -------------------------------------------------------------- questions --
 */

/* What is looked for: the sockets that the question means. */
static void to_request(const struct cl_nsp *nsp, const struct pr_message *m,
                       sio_cluster_request *out)
{
    struct pr_message fetch = { .type = PR_FETCH };

    if (m->type == PR_BROADCAST || m->type == PR_EMIT || m->type == PR_FETCH) {
        cl_to_request(nsp, m, out);
    } else {
        fetch.rooms = m->sid.n ? (struct pr_names){ &m->sid, 1 } : m->rooms;
        cl_to_request(nsp, &fetch, out);
    }
    if (out->timeout_ms == 0 || m->type != PR_BROADCAST)
        out->timeout_ms = CL_ANSWER_MS;
}

/* Forgotten before the host has come to it, it would be delivered to nobody. */
static uint32_t open_for(const sio_cluster_request *request)
{
    return request->timeout_ms < CL_ANSWER_MIN_MS ? CL_ANSWER_MIN_MS
                                                  : request->timeout_ms;
}

/* No room for one more, or nobody to answer: the event is delivered all the
 * same, without answers. */
static void execute_only(struct cl_nsp *nsp, const struct pr_message *m,
                         sio_cluster_request *request)
{
    struct pr_message none = { .type = PR_CLIENT_COUNT,
                               .request_id = m->request_id };

    if (m->type != PR_BROADCAST && m->type != PR_EMIT)
        return;
    if (m->type == PR_BROADCAST && (m->uid.n || !nsp->node->ops->needs_asker))
        (void)cl_publish(nsp, &none, m->uid);
    (void)cl_execute(nsp->node, m, request);
}

void cl_answer(struct cl_nsp *nsp, const struct pr_message *m)
{
    struct cl_node *node = nsp->node;
    sio_cluster_request request;
    struct cl_foreign *f = NULL;

    to_request(nsp, m, &request);
    if (m->uid.n || !node->ops->needs_asker) {
        f = foreign_new(nsp, m, open_for(&request));
        if (!f)
            node->refused++;
    }
    if (!f) {
        execute_only(nsp, m, &request);
        return;
    }
    request.answers = &answers;
    request.user = f;
    f->refs++;
    if (cl_execute(node, m, &request) < 0 && !f->over) {
        say_nothing(f);
        foreign_end(f);
    }
    foreign_unref(f);
}

void cl_end_foreign(struct cl_node *node, const struct cl_nsp *nsp)
{
    list_for_each_safe(it, next, &node->foreign)
    {
        struct cl_foreign *f = container_of(it, struct cl_foreign, node);

        if (f->nsp == nsp)
            foreign_end(f);
    }
}
