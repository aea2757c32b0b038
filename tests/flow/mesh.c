/*
 * mesh.c -- see mesh.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/flow/mesh.h"

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

static int mesh_send(void *self, const sio_cluster_request *request)
{
    struct mesh_node *node = self;
    struct mesh *mesh = node->mesh;

    if (mesh->down)
        return SIO_E_STATE;
    node->sent++;
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
