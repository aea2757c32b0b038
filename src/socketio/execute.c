/*
 * execute.c -- what other nodes of a cluster want done with the sockets of this
 * one. See cluster.h.
 *
 *   adapter --host->execute()--> so_request --> bus.c: every loop
 *           <--answers--         so_foreign <-- question, fetch, server's call
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/socketio/foreign.h"
#include "src/socketio/recovery.h"

#include <stdlib.h>

/* -------------------------------------------------------- with answers -- */

void so_foreign_unlink(struct so_foreign *f)
{
    if (f->linked)
        map_remove(&f->cluster->foreign, &f->node);
    f->linked = false;
}

void so_foreign_free(struct so_foreign *f)
{
    so_foreign_unlink(f);
    if (f->call)
        so_call_forget(f->call);
    free(f);
}

static sio_str key_of(const uint64_t *key)
{
    return (sio_str){ (const char *)key, sizeof *key };
}

static struct so_foreign *foreign_new(struct so_cluster *c,
                                      const sio_cluster_request *request)
{
    struct so_foreign *f = calloc(1, sizeof *f);

    if (!f)
        return NULL;
    f->cluster = c;
    f->key = (uintptr_t)request->user;
    f->answers = request->answers;
    f->user = request->user;
    if (map_add(&c->foreign, &f->node, key_of(&f->key)) < 0) {
        free(f);
        return NULL;
    }
    f->linked = true;
    return f;
}

void so_foreign_complete(struct so_foreign *f, int status)
{
    if (f->completed)
        return;
    f->completed = true;
    if (f->telling) /* whoever has asked may ask again within */
        so_foreign_unlink(f);
    f->answers->on_complete(f->user, status);
}

static void on_client_count(void *user, size_t count)
{
    const struct so_foreign *f = user;

    f->answers->on_client_count(f->user, count);
}

static void on_ack(void *user, const sio_value *value)
{
    const struct so_foreign *f = user;

    f->answers->on_ack(f->user, value);
}

static void on_complete(void *user, int status)
{
    so_foreign_complete(user, status);
}

static const sio_cluster_answers of_question = {
    .on_client_count = on_client_count,
    .on_ack = on_ack,
    .on_complete = on_complete,
};

/* The server stops, or there was no memory. */
static void on_question_gone(int error, sio_event *answers, void *user)
{
    struct so_foreign *f = user;

    (void)answers;
    so_foreign_unlink(f);
    so_foreign_complete(f, error);
    so_foreign_free(f);
}

/* ------------------------------------------------------------- fetching -- */

/* Sockets as the adapter takes them, and all their rooms. */
struct pictures {
    sio_cluster_socket *sockets;
    sio_str *rooms;
    size_t room_count;
};

static void add_room(void *user, sio_str room)
{
    struct pictures *p = user;

    p->rooms[p->room_count++] = room;
}

static size_t rooms_of(const sio_remote_socket *const *sockets, size_t count)
{
    size_t n = 0;

    for (size_t i = 0; i < count; i++)
        n += sio_remote_each_room(sockets[i], NULL, NULL);
    return n;
}

static sio_value json_or_empty(sio_str text)
{
    return so_payload(text.n ? text : STR("{}"));
}

static void fill(struct pictures *p, const sio_remote_socket *const *sockets,
                 size_t count)
{
    for (size_t i = 0; i < count; i++) {
        sio_cluster_socket *s = &p->sockets[i];

        s->id = str_of(sio_remote_id(sockets[i]));
        s->rooms = p->rooms + p->room_count;
        s->room_count = sio_remote_each_room(sockets[i], add_room, p);
        s->handshake = json_or_empty(so_remote_handshake(sockets[i]));
        s->data = json_or_empty(sio_remote_data_json(sockets[i]));
    }
}

static void tell_sockets(struct so_foreign *f, int *error,
                         const sio_remote_socket *const *sockets, size_t count)
{
    struct pictures p = { .room_count = 0 };

    p.sockets = calloc(count + 1, sizeof *p.sockets);
    p.rooms = calloc(rooms_of(sockets, count) + 1, sizeof *p.rooms);
    if (p.sockets && p.rooms) {
        fill(&p, sockets, count);
        f->answers->on_sockets(f->user, p.sockets, count);
    } else {
        *error = SIO_E_NOMEM;
    }
    free(p.sockets);
    free(p.rooms);
}

static void on_sockets(int error, const sio_remote_socket *const *sockets,
                       size_t count, void *user)
{
    struct so_foreign *f = user;

    f->fetch = NULL;
    f->telling = true;
    if (error == SIO_OK)
        tell_sockets(f, &error, sockets, count);
    so_foreign_complete(f, error);
    so_foreign_free(f);
}

/* ------------------------------------------------------------ executing -- */

static int check_event(const struct sp_message *m)
{
    return sp_reserved_event(m->event) ? SIO_E_RESERVED : SIO_OK;
}

/* To the sockets that match, as sio_emit() does. */
static int broadcast(struct so_request *q, struct sp_message *m)
{
    int r = check_event(m);

    if (r == SIO_OK)
        r = so_make_packet(q->nsp->hub, m, &q->packet);
    if (r < 0)
        return r;
    q->deed = SO_DELIVER;
    if (so_has_outgoing(q->nsp))
        q->message = m;
    r = so_send(q);
    eng_packet_unref(q->packet);
    return r;
}

static int ask(struct so_request *q, struct sp_message *m, struct so_foreign *f)
{
    int r = check_event(m);

    return r < 0 ? r
                 : so_ask_foreign(q, m, &of_question, on_question_gone, f,
                                  &f->question);
}

static int execute_with_answers(struct so_cluster *c, struct so_request *q,
                                struct sp_message *m,
                                const sio_cluster_request *request)
{
    struct so_foreign *f = foreign_new(c, request);
    int r;

    if (!f)
        return SIO_E_NOMEM;
    if (request->type == SIO_CLUSTER_BROADCAST)
        r = ask(q, m, f);
    else if (request->type == SIO_CLUSTER_FETCH_SOCKETS)
        r = so_fetch_begin(q, on_sockets, f, &f->fetch);
    else
        r = so_server_event(q->nsp, request, f);
    if (r < 0)
        so_foreign_free(f);
    return r;
}

static int errand(struct so_request *q, enum so_deed deed)
{
    q->deed = deed;
    return so_send(q);
}

static int execute(struct so_cluster *c, struct so_request *q,
                   const sio_cluster_request *request)
{
    struct sp_message m = { .type = SP_EVENT,
                            .nsp = map_key(&q->nsp->node),
                            .id = SP_NO_ID,
                            .event = request->event,
                            .values = request->values,
                            .count = request->value_count };

    if (request->offset.n && so_recovers_abroad(c->hub))
        m.extra = request->offset;
    if (request->answers)
        return execute_with_answers(c, q, &m, request);
    switch (request->type) {
    case SIO_CLUSTER_BROADCAST:
        return broadcast(q, &m);
    case SIO_CLUSTER_SOCKETS_JOIN:
        return errand(q, SO_JOIN);
    case SIO_CLUSTER_SOCKETS_LEAVE:
        return errand(q, SO_LEAVE);
    case SIO_CLUSTER_DISCONNECT_SOCKETS:
        return errand(q, SO_DISCONNECT);
    case SIO_CLUSTER_SERVER_SIDE_EMIT:
        return so_server_event(q->nsp, request, NULL);
    default:
        return SIO_E_INVAL;
    }
}

int so_cluster_execute(void *self, const sio_cluster_request *request)
{
    struct so_cluster *c = self;
    struct so_request q = { .foreign = true,
                            .options = request->options,
                            .timeout_ms = request->timeout_ms,
                            .rooms = request->rooms,
                            .room_count = request->room_count,
                            .close = request->close };
    int r = SIO_E_STATE;

    q.nsp = so_namespace_find(c->hub, request->nsp);
    if (!q.nsp || q.nsp->kind == SO_PENDING)
        return SIO_E_STATE;
    so_namespace_ref(q.nsp);
    r = execute(c, &q, request);
    so_namespace_unref(q.nsp);
    return r;
}

void so_cluster_forget(void *self, void *user)
{
    struct so_cluster *c = self;
    const uint64_t key = (uintptr_t)user;
    struct map_node *node = map_find(&c->foreign, key_of(&key));
    struct so_foreign *f;

    if (!node)
        return;
    f = container_of(node, struct so_foreign, node);
    if (f->telling) {
        so_foreign_unlink(f);
        f->completed = true;
        return;
    }
    if (f->question)
        so_ask_forget(f->question);
    if (f->fetch)
        so_fetch_forget(f->fetch);
    so_foreign_free(f);
}

void so_foreign_end(struct so_cluster *c)
{
    struct map_node *node;

    while ((node = map_first(&c->foreign)))
        so_cluster_forget(c, container_of(node, struct so_foreign, node)->user);
}
