/*
 * mesh.c -- see mesh.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/flow/mesh.h"

#include <sio/value.h>

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct question;

/* What one of the other nodes was asked. */
struct part {
    struct question *question;
    struct mesh_node *node;
    bool executed, completed;
};

struct question {
    struct question *next;
    const sio_cluster_answers *answers;
    void *user;
    struct part parts[MESH_NODES];
    size_t count, completed;
    int status;
    bool told;
};

struct mesh_node {
    struct mesh *mesh;
    const sio_cluster_host *host;
    struct question *questions;
    uint64_t sent, received;
    size_t position; /* the last entry that it knows of */
};

static void note(struct mesh *mesh, const char *what, sio_str nsp, sio_str room)
{
    size_t n = strlen(mesh->log);

    snprintf(mesh->log + n, sizeof mesh->log - n, "%s %.*s%s%.*s;", what,
             (int)nsp.n, nsp.p, room.n ? " " : "", (int)room.n,
             room.n ? room.p : "");
}

static void *mesh_open(const sio_cluster_host *host, const void *config,
                       char *why, size_t why_size)
{
    struct mesh *mesh = (struct mesh *)(uintptr_t)config;
    struct mesh_node *node;

    if (!mesh || mesh->count == MESH_NODES) {
        snprintf(why, why_size, "no mesh, or it is full");
        return NULL;
    }
    node = calloc(1, sizeof *node);
    if (!node) {
        snprintf(why, why_size, "out of memory");
        return NULL;
    }
    node->mesh = mesh;
    node->host = host;
    mesh->nodes[mesh->count++] = node;
    return node;
}

static void question_free(struct mesh_node *node, struct question *q)
{
    struct question **at = &node->questions;

    while (*at != q)
        at = &(*at)->next;
    *at = q->next;
    for (size_t i = 0; i < q->count; i++)
        if (q->parts[i].executed)
            q->parts[i].node->host->forget(q->parts[i].node->host->self,
                                           &q->parts[i]);
    node->mesh->pending--;
    free(q);
}

/* A node goes: nobody waits for it any more. */
static void leave_questions(struct mesh_node *gone);

static void mesh_close(void *self)
{
    struct mesh_node *node = self;
    struct mesh *mesh = node->mesh;
    size_t i = 0;

    while (node->questions) {
        struct question *q = node->questions;

        if (!q->told)
            q->answers->on_complete(q->user, SIO_E_STATE);
        question_free(node, q);
    }
    leave_questions(node);
    while (mesh->nodes[i] != node)
        i++;
    mesh->nodes[i] = mesh->nodes[--mesh->count];
    free(node);
}

static int add_namespace(void *self, sio_str nsp)
{
    const struct mesh_node *node = self;

    note(node->mesh, "+", nsp, (sio_str){ NULL, 0 });
    return SIO_OK;
}

static void remove_namespace(void *self, sio_str nsp)
{
    const struct mesh_node *node = self;

    note(node->mesh, "-", nsp, (sio_str){ NULL, 0 });
}

static void room_changed(void *self, sio_str nsp, sio_str room, bool is_id,
                         bool exists)
{
    const struct mesh_node *node = self;

    if (!is_id && room.n < 20)
        note(node->mesh, exists ? "room" : "no room", nsp, room);
}

/* --------------------------------------------------------------- answers -- */

static void on_client_count(void *user, size_t count)
{
    const struct question *q = ((const struct part *)user)->question;

    q->answers->on_client_count(q->user, count);
}

static void on_ack(void *user, const sio_value *value)
{
    const struct question *q = ((const struct part *)user)->question;

    q->answers->on_ack(q->user, value);
}

static void on_sockets(void *user, const sio_cluster_socket *sockets,
                       size_t count)
{
    const struct question *q = ((const struct part *)user)->question;

    q->answers->on_sockets(q->user, sockets, count);
}

static void part_completed(struct part *part, int status)
{
    struct question *q = part->question;

    if (part->completed)
        return;
    part->completed = true;
    q->completed++;
    if (status < 0 && status != SIO_E_STATE)
        q->status = status;
}

static void tell_if_all(struct question *q)
{
    if (q->told || q->completed < q->count)
        return;
    q->told = true;
    q->answers->on_complete(q->user, q->status);
}

static void on_complete(void *user, int status)
{
    struct part *part = user;

    part_completed(part, status);
    tell_if_all(part->question);
}

static const sio_cluster_answers answers = {
    .on_client_count = on_client_count,
    .on_ack = on_ack,
    .on_sockets = on_sockets,
    .on_complete = on_complete,
};

static void leave_questions(struct mesh_node *gone)
{
    for (size_t i = 0; i < gone->mesh->count; i++) {
        struct question *q = gone->mesh->nodes[i]->questions;

        for (; q; q = q->next)
            for (size_t k = 0; k < q->count; k++)
                if (q->parts[k].node == gone) {
                    gone->host->forget(gone->host->self, &q->parts[k]);
                    q->parts[k].executed = false;
                    part_completed(&q->parts[k], SIO_OK);
                    tell_if_all(q);
                }
    }
}

/* --------------------------------------------------------------- sending -- */

static void execute(struct mesh_node *node, const sio_cluster_request *request)
{
    node->received++;
    node->host->execute(node->host->self, request);
}

/* The parts of those who do not know the namespace are complete at once: the
 * last of them is told as late as an answer would come, by nobody here. So one
 * that nobody knows is refused. */
static int ask(struct mesh_node *node, const sio_cluster_request *request)
{
    struct question *q = calloc(1, sizeof *q);
    sio_cluster_request copy = *request;
    struct mesh *mesh = node->mesh;

    if (!q)
        return SIO_E_NOMEM;
    q->answers = request->answers;
    q->user = request->user;
    q->next = node->questions;
    node->questions = q;
    mesh->pending++;
    copy.answers = &answers;
    for (size_t i = 0; i < mesh->count; i++) {
        struct part *part = &q->parts[q->count];
        const sio_cluster_host *host = mesh->nodes[i]->host;

        if (mesh->nodes[i] == node)
            continue;
        *part = (struct part){ .question = q, .node = mesh->nodes[i] };
        copy.user = part;
        mesh->nodes[i]->received++;
        if (host->execute(host->self, &copy) == SIO_OK) {
            part->executed = true;
            q->count++;
        }
    }
    if (q->count)
        return SIO_OK;
    question_free(node, q);
    return SIO_E_STATE;
}

static int keep(struct mesh_node *node, const sio_cluster_request *request);

static int mesh_send(void *self, const sio_cluster_request *request)
{
    struct mesh_node *node = self;
    struct mesh *mesh = node->mesh;

    if (mesh->down)
        return SIO_E_STATE;
    node->sent++;
    if (request->keep)
        return keep(node, request);
    if (request->answers)
        return ask(node, request);
    for (size_t i = 0; i < mesh->count; i++)
        if (mesh->nodes[i] != node)
            execute(mesh->nodes[i], request);
    return SIO_OK;
}

static void mesh_forget(void *self, void *user)
{
    struct mesh_node *node = self;

    for (struct question *q = node->questions; q; q = q->next)
        if (q->user == user) {
            question_free(node, q);
            return;
        }
}

static void get_stats(void *self, sio_cluster_stats *out)
{
    const struct mesh_node *node = self;

    out->state = node->mesh->down ? SIO_CLUSTER_DEGRADED : SIO_CLUSTER_READY;
    out->pending = node->mesh->pending;
    out->sent = node->sent;
    out->received = node->received;
}

/* ------------------------------------------------------------- keeping -- */

/* Something to be told in a later turn. */
struct news {
    struct mesh_node *node;
    const sio_cluster_answers *answers;
    sio_cluster_restored_fn fn;
    void *user;
    size_t entry;
    char pid[32];
};

static void later(struct mesh_node *node, void (*fn)(int, short, void *),
                  struct news *news)
{
    const struct timeval now = { 0, 0 };

    event_base_once(node->host->event_base, -1, EV_TIMEOUT, fn, news, &now);
}

static void copy(char *to, size_t size, const void *p, size_t n)
{
    snprintf(to, size, "%.*s", (int)n, n ? (const char *)p : "");
}

static size_t copy_names(char to[4][32], const sio_str *names, size_t count)
{
    size_t n = 0;

    for (; n < count && n < 4; n++)
        copy(to[n], sizeof to[n], names[n].p, names[n].n);
    return n;
}

static sio_str offset_of(size_t entry, char text[16])
{
    return (sio_str){ text, (size_t)snprintf(text, 16, "%zu-0", entry) };
}

static void on_kept(int fd, short what, void *arg)
{
    struct news *news = arg;
    char text[16];

    (void)fd, (void)what;
    news->node->position = news->entry;
    news->answers->on_kept(news->user, SIO_OK, offset_of(news->entry, text));
    free(news);
}

static int keep(struct mesh_node *node, const sio_cluster_request *request)
{
    struct mesh *mesh = node->mesh;
    struct news *news = calloc(1, sizeof *news);
    sio_cluster_request others = *request;
    struct mesh_entry *e;
    char text[16];

    if (!news || mesh->entry_count == MESH_ENTRIES) {
        free(news);
        return SIO_E_NOMEM;
    }
    e = &mesh->entries[mesh->entry_count++];
    copy(e->event, sizeof e->event, request->event.p, request->event.n);
    if (request->value_count)
        copy(e->value, sizeof e->value, request->values[0].data,
             request->values[0].size);
    e->room_count = copy_names(e->rooms, request->options.rooms,
                               request->options.room_count);
    e->except_count = copy_names(e->except, request->options.except,
                                 request->options.except_count);
    *news = (struct news){ .node = node,
                           .answers = request->answers,
                           .user = request->user,
                           .entry = mesh->entry_count };
    others.answers = NULL;
    others.offset = offset_of(mesh->entry_count, text);
    for (size_t i = 0; i < mesh->count; i++)
        if (mesh->nodes[i] != node) {
            execute(mesh->nodes[i], &others);
            mesh->nodes[i]->position = mesh->entry_count;
        }
    later(node, on_kept, news);
    return SIO_OK;
}

static int save_session(void *self, const sio_cluster_session *session,
                        uint32_t ms)
{
    const struct mesh_node *node = self;
    struct mesh *mesh = node->mesh;
    struct mesh_session *s = &mesh->sessions[mesh->session_count];

    if (mesh->session_count == MESH_SESSIONS || ms == 0)
        return SIO_E_LIMIT;
    mesh->session_count++;
    copy(s->sid, sizeof s->sid, session->sid.p, session->sid.n);
    copy(s->pid, sizeof s->pid, session->pid.p, session->pid.n);
    copy(s->data, sizeof s->data, session->data.data, session->data.size);
    s->room_count = copy_names(s->rooms, session->rooms, session->room_count);
    return SIO_OK;
}

static bool is_in(char list[4][32], size_t count, const struct mesh_session *s)
{
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < s->room_count; k++)
            if (strcmp(list[i], s->rooms[k]) == 0)
                return true;
    return false;
}

static void tell_session(struct news *news, struct mesh_session *s)
{
    struct mesh *mesh = news->node->mesh;
    sio_cluster_request missed[MESH_ENTRIES];
    sio_value values[MESH_ENTRIES];
    char offsets[MESH_ENTRIES][16];
    sio_str rooms[4];
    sio_cluster_session session = { .sid = { s->sid, strlen(s->sid) },
                                    .pid = { s->pid, strlen(s->pid) },
                                    .rooms = rooms,
                                    .room_count = s->room_count };
    size_t n = 0;

    session.data = sio_raw_json(s->data, strlen(s->data));
    for (size_t i = 0; i < s->room_count; i++)
        rooms[i] = (sio_str){ s->rooms[i], strlen(s->rooms[i]) };
    for (size_t i = news->entry; i < news->node->position; i++) {
        struct mesh_entry *e = &mesh->entries[i];

        if ((e->room_count && !is_in(e->rooms, e->room_count, s)) ||
            is_in(e->except, e->except_count, s))
            continue;
        values[n] = sio_raw_json(e->value, strlen(e->value));
        missed[n] =
            (sio_cluster_request){ .type = SIO_CLUSTER_BROADCAST,
                                   .event = { e->event, strlen(e->event) },
                                   .values = &values[n],
                                   .value_count = e->value[0] ? 1 : 0,
                                   .offset = offset_of(i + 1, offsets[n]) };
        n++;
    }
    news->fn(news->user, SIO_OK, &session, missed, n);
    s->room_count = 0;
}

static void on_restoring(int fd, short what, void *arg)
{
    struct news *news = arg;
    struct mesh *mesh = news->node->mesh;
    size_t i = 0;

    (void)fd, (void)what;
    while (i < mesh->session_count &&
           (mesh->sessions[i].room_count == 0 ||
            strcmp(mesh->sessions[i].pid, news->pid) != 0))
        i++;
    if (i == mesh->session_count)
        news->fn(news->user, SIO_E_RANGE, NULL, NULL, 0);
    else if (news->entry > mesh->entry_count)
        news->fn(news->user, SIO_E_LIMIT, NULL, NULL, 0);
    else
        tell_session(news, &mesh->sessions[i]);
    free(news);
}

static int restore_session(void *self, sio_str nsp, sio_str pid, sio_str offset,
                           sio_cluster_restored_fn fn, void *user)
{
    struct mesh_node *node = self;
    struct news *news = calloc(1, sizeof *news);
    char text[32];

    (void)nsp;
    if (!news)
        return SIO_E_NOMEM;
    if (node->mesh->down) {
        free(news);
        return SIO_E_STATE;
    }
    copy(text, sizeof text, offset.p, offset.n);
    *news = (struct news){ .node = node, .fn = fn, .user = user };
    news->entry = (size_t)strtoul(text, NULL, 10);
    copy(news->pid, sizeof news->pid, pid.p, pid.n);
    later(node, on_restoring, news);
    return SIO_OK;
}

const sio_cluster_ops mesh_ops = {
    .size = sizeof mesh_ops,
    .name = "mesh",
    .open = mesh_open,
    .close = mesh_close,
    .add_namespace = add_namespace,
    .remove_namespace = remove_namespace,
    .room_changed = room_changed,
    .send = mesh_send,
    .forget = mesh_forget,
    .get_stats = get_stats,
};

const sio_cluster_ops mesh_keeping_ops = {
    .size = sizeof mesh_ops,
    .name = "keeping mesh",
    .open = mesh_open,
    .close = mesh_close,
    .add_namespace = add_namespace,
    .remove_namespace = remove_namespace,
    .send = mesh_send,
    .forget = mesh_forget,
    .get_stats = get_stats,
    .save_session = save_session,
    .restore_session = restore_session,
};
