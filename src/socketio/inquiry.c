/*
 * inquiry.c -- questions and fetches that other nodes of a cluster are asked,
 * too. See cluster.h.
 *
 *   so_question, so_fetch --letter--> so_inquiry --ops->send()--> other nodes
 *                <--reports, letter--            <--answers--
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/socketio/cluster.h"

#include <stdlib.h>

#define CLIENTS_MAX 10000000 /* clients of one server: nobody has more */

/* One such request, as long as answers may come. */
struct so_inquiry {
    struct list node; /* in cluster->inquiries */
    struct so_hub *hub;
    struct so_asker *asker;   /* referenced */
    struct so_letter *letter; /* NULL: it has gone home */
    enum so_deed deed;
    int64_t count; /* for the outcome */
    void *found;   /* the same */
    int error;     /* something of it was lost here */
};

static void go_home(struct so_inquiry *q, int error)
{
    struct so_letter *letter = q->letter;

    q->letter = NULL;
    letter->outcome = (struct so_outcome){ .error = error,
                                           .count = q->count,
                                           .found = q->found };
    q->found = NULL;
    so_letter_home(letter);
}

/* The adapter has forgotten it. */
static void inquiry_free(struct so_inquiry *q)
{
    if (q->letter)
        go_home(q, SIO_E_STATE);
    list_remove(&q->node);
    q->asker->inquiry = NULL;
    so_asker_unref(q->asker);
    free(q);
}

static void on_client_count(void *user, size_t count)
{
    struct so_inquiry *q = user;

    q->count += count < CLIENTS_MAX ? (int64_t)count : CLIENTS_MAX;
}

static void on_ack(void *user, const sio_value *value)
{
    struct so_inquiry *q = user;
    int r;

    if (q->deed == SO_SERVER_EMIT && !q->letter)
        return;
    r = so_ask_report(q->asker, value);
    if (r < 0)
        q->error = r;
    else if (q->deed == SO_SERVER_EMIT)
        q->count++;
}

static void on_sockets(void *user, const sio_cluster_socket *sockets,
                       size_t count)
{
    struct so_inquiry *q = user;
    int r = so_found_add(&q->found, sockets, count);

    if (r < 0)
        q->error = r;
}

static void on_complete(void *user, int status)
{
    struct so_inquiry *q = user;

    go_home(q, status < 0 ? status : q->error);
    if (q->deed != SO_ASK)
        inquiry_free(q);
}

static const sio_cluster_answers answers = {
    .on_client_count = on_client_count,
    .on_ack = on_ack,
    .on_sockets = on_sockets,
    .on_complete = on_complete,
};

static int ask(struct so_letter *letter)
{
    const struct so_request *request = so_posted_request(letter->posted);
    struct so_hub *hub = request->nsp->hub;
    struct so_inquiry *q;
    int r;

    if (request->asker->over) { /* too late for answers, not for the event */
        if (request->deed == SO_ASK)
            (void)so_cluster_hand_over(request, NULL, NULL);
        return SIO_E_STATE;
    }
    q = calloc(1, sizeof *q);
    if (!q)
        return SIO_E_NOMEM;
    q->hub = hub;
    q->asker = so_asker_ref(request->asker);
    q->deed = request->deed;
    q->asker->inquiry = q;
    list_append(&hub->cluster->inquiries, &q->node);
    r = so_cluster_hand_over(request, &answers, q);
    if (r < 0)
        inquiry_free(q);
    else
        q->letter = letter;
    return r;
}

void so_cluster_ask(struct so_letter *letter)
{
    int r = ask(letter);

    if (r == SIO_OK)
        return;
    letter->outcome = (struct so_outcome){ .error = r };
    so_letter_home(letter);
}

void so_cluster_asker_over(struct so_asker *asker)
{
    struct so_inquiry *q = asker->inquiry;
    struct so_cluster *c = asker->home->hub->cluster;

    asker->over = true;
    if (!q)
        return;
    if (c->adapter)
        c->ops->forget(c->adapter, q);
    inquiry_free(q);
}

void so_inquiries_end(struct so_cluster *c)
{
    while (!list_empty(&c->inquiries))
        inquiry_free(container_of(c->inquiries.next, struct so_inquiry, node));
}
