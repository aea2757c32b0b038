/*
 * bus.c -- see bus.h: requests on their way between loops.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/socketio/cluster.h"

#include "src/socketio/recovery.h"

#include <stdlib.h>

/* One block: the letters, the slices of names (rooms, exceptions, rooms to join
 * or leave, the offset), the names. */
struct so_posted {
    atomic_uint refs;          /* one for each letter that is under way */
    struct so_request request; /* of copies */
    struct so_told *told;
    size_t letter_count;
    struct so_letter letters[];
};

/* --------------------------------------------------------------- askers -- */

void so_asker_init(struct so_asker *asker, struct so_shard *home,
                   void (*free_fn)(struct so_asker *asker))
{
    atomic_init(&asker->refs, 1);
    asker->home = home;
    asker->free = free_fn;
}

struct so_asker *so_asker_ref(struct so_asker *asker)
{
    if (asker)
        atomic_fetch_add_explicit(&asker->refs, 1, memory_order_relaxed);
    return asker;
}

void so_asker_unref(struct so_asker *asker)
{
    if (asker &&
        atomic_fetch_sub_explicit(&asker->refs, 1, memory_order_acq_rel) == 1)
        asker->free(asker);
}

static void on_over(struct net_mail *mail)
{
    struct so_asker *asker = container_of(mail, struct so_asker, over_mail);

    so_cluster_asker_over(asker);
    so_asker_unref(asker);
}

void so_asker_over(struct so_asker *asker)
{
    if (!asker->abroad)
        return;
    asker->abroad = false;
    asker->over_mail.run = on_over;
    net_post(asker->home->hub->shards->loop, &so_asker_ref(asker)->over_mail);
}

/* ------------------------------------------------------------ executing -- */

/* From now on this loop has executed it, whatever came of `r` before. */
static int record(struct so_part *part, const struct so_request *q,
                  struct so_outcome *outcome, int r)
{
    if (q->recorded)
        so_record_executed(part, q);
    else if (r == SIO_OK && q->offset.p)
        r = so_record(q, part->shard, &outcome->number);
    return r;
}

static int deliver_to_one(struct so_part *part, const struct so_request *q,
                          struct so_outcome *outcome)
{
    sio_socket *socket = q->socket;
    int r = SIO_OK;

    if (so_is_seen(q))
        r = so_tell_outgoing(socket, q->message);
    r = record(part, q, outcome, r);
    if (r == SIO_OK && !so_had_from_log(socket, q->number))
        so_socket_send(socket, q->packet, q->options.flags);
    return r;
}

struct late_delivery {
    struct so_part *part;
    const struct so_request *request;
};

static void deliver_late(void *user, sio_socket *socket)
{
    const struct late_delivery *d = user;
    const struct so_request *q = d->request;

    if (!so_had_from_log(socket, q->number))
        so_socket_deliver(d->part, socket, q->packet, q->options.flags);
}

static int deliver(struct so_part *part, const struct so_request *q,
                   struct so_outcome *outcome)
{
    int r = SIO_OK;

    if (q->socket)
        return deliver_to_one(part, q, outcome);
    if (so_is_seen(q))
        r = so_tell_broadcast(part, &q->options, q->message);
    r = record(part, q, outcome, r);
    if (r == SIO_OK && q->number && q->number <= part->shard->comebacks.late)
        part->ops->select(part->adapter, &q->options, deliver_late,
                          &(struct late_delivery){ part, q });
    else if (r == SIO_OK)
        r = part->ops->broadcast(part->adapter, q->packet, &q->options);
    return r;
}

int so_execute(struct so_part *part, const struct so_request *request,
               struct so_outcome *outcome)
{
    *outcome = (struct so_outcome){ .error = SIO_E_STATE };
    switch (request->deed) {
    case SO_DELIVER:
        outcome->error = deliver(part, request, outcome);
        break;
    case SO_ASK:
        outcome->error = so_execute_ask(part, request, outcome);
        break;
    case SO_JOIN:
    case SO_LEAVE:
    case SO_DISCONNECT:
        outcome->error = so_execute_errand(part, request);
        break;
    case SO_FETCH:
        outcome->error = so_execute_fetch(part, request, outcome);
        break;
    case SO_SERVER_EMIT: /* no loop's business */
        outcome->error = SIO_OK;
        break;
    }
    return outcome->error;
}

/* -------------------------------------------------------------- letters -- */

static void posted_free(struct so_posted *p)
{
    so_told_free(p->told);
    sio_release(p->request.socket);
    eng_packet_unref(p->request.packet);
    so_asker_unref(p->request.asker);
    so_namespace_unref(p->request.nsp);
    free(p);
}

static void posted_unref(struct so_posted *p)
{
    if (atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) == 1)
        posted_free(p);
}

static void on_way_home(struct net_mail *mail)
{
    struct so_letter *letter = container_of(mail, struct so_letter, mail);

    letter->posted->request.on_outcome(letter);
    posted_unref(letter->posted);
}

void so_letter_home(struct so_letter *letter)
{
    letter->mail.run = on_way_home;
    net_post(letter->posted->request.asker->home->loop, &letter->mail);
}

void so_letter_drop(struct so_letter *letter)
{
    posted_unref(letter->posted);
}

static void log_failure(const struct so_request *q, int error)
{
    so_log(q->nsp->hub, SIO_LOG_ERROR, "%s of %s: not all done on one loop: %s",
           q->deed == SO_DELIVER ? "an event" : "sockets", q->nsp->name,
           sio_strerror(error));
}

/* On the main loop, for other servers. */
static void go_abroad(struct so_letter *letter)
{
    struct so_posted *p = letter->posted;

    if (p->request.asker) {
        so_cluster_ask(letter);
        return;
    }
    if (p->request.keep) {
        so_cluster_keep(letter);
        return;
    }
    so_cluster_send(&p->request);
    posted_unref(p);
}

static void on_arrival(struct net_mail *mail)
{
    struct so_letter *letter = container_of(mail, struct so_letter, mail);
    struct so_posted *p = letter->posted;
    const struct so_request *q = &p->request;

    if (letter->abroad) {
        go_abroad(letter);
        return;
    }
    if (q->begin && letter->part->shard == q->asker->home) {
        q->begin(letter->part, q);
        posted_unref(p);
        return;
    }
    if (so_execute(letter->part, q, &letter->outcome) < 0 && !q->on_outcome)
        log_failure(q, letter->outcome.error);
    if (q->on_outcome)
        so_letter_home(letter);
    else
        posted_unref(p);
}

static void address(struct so_posted *p, struct so_part *part, bool abroad)
{
    struct so_letter *letter = &p->letters[p->letter_count++];

    letter->mail.run = on_arrival;
    letter->posted = p;
    letter->part = part;
    letter->abroad = abroad;
}

/* Nobody is there to whom it could matter. */
static bool may_skip(const struct so_part *part, const struct so_request *q)
{
    return !so_recovers(q->nsp->hub) &&
           atomic_load_explicit(&part->members, memory_order_relaxed) == 0;
}

/* Without answers it needs no letter on the main loop: see so_send(). */
static bool needs_abroad(const struct so_request *q,
                         const struct so_shard *here)
{
    return so_goes_abroad(q) &&
           (q->asker || q->keep || here != q->nsp->hub->shards);
}

static void address_loops(struct so_posted *p, const struct so_shard *here)
{
    const struct so_request *q = &p->request;
    const struct so_hub *hub = q->nsp->hub;

    /* First home, where it has to begin before outcomes arrive. */
    if (!here && q->begin)
        address(p, so_part_of(q->nsp, q->asker->home), false);
    if (q->socket) {
        if (!p->letter_count ||
            p->letters->part->shard != q->socket->part->shard)
            address(p, q->socket->part, false);
        return;
    }
    for (size_t i = 0; i < hub->shard_count; i++) {
        struct so_part *part = &q->nsp->parts[i];

        if (part->shard != here &&
            !(q->begin && part->shard == q->asker->home) && !may_skip(part, q))
            address(p, part, false);
    }
}

static void address_all(struct so_posted *p, const struct so_shard *here)
{
    const struct so_request *q = &p->request;

    if (q->deed != SO_SERVER_EMIT && !q->keep)
        address_loops(p, here);
    if (!needs_abroad(q, here))
        return;
    if (q->asker)
        q->asker->abroad = true;
    address(p, q->nsp->parts, true);
}

/* -------------------------------------------------------------- copying -- */

static size_t len_of(const sio_str *names, size_t count)
{
    size_t n = 0;

    for (size_t i = 0; i < count; i++)
        n += names[i].n;
    return n;
}

static size_t text_len(const struct so_request *q)
{
    return q->offset.n + len_of(q->options.rooms, q->options.room_count) +
           len_of(q->options.except, q->options.except_count) +
           len_of(q->rooms, q->room_count);
}

static size_t name_count(const struct so_request *q)
{
    return q->options.room_count + q->options.except_count + q->room_count + 1;
}

/* Copies of `from`, behind each other. */
static char *put(sio_str *to, const sio_str *from, size_t count, char *at)
{
    for (size_t i = 0; i < count; i++) {
        if (from[i].n)
            memcpy(at, from[i].p, from[i].n);
        to[i] = (sio_str){ at, from[i].n };
        at += from[i].n;
    }
    return at;
}

static void copy_names(struct so_posted *p, const struct so_request *q,
                       sio_str *names, char *at)
{
    sio_str *except = names + q->options.room_count;
    sio_str *rooms = except + q->options.except_count;
    sio_str *offset = rooms + q->room_count;

    at = put(names, q->options.rooms, q->options.room_count, at);
    at = put(except, q->options.except, q->options.except_count, at);
    at = put(rooms, q->rooms, q->room_count, at);
    p->request.options.rooms = names;
    p->request.options.except = except;
    p->request.rooms = rooms;
    if (q->offset.p) {
        put(offset, &q->offset, 1, at);
        p->request.offset = *offset;
    }
}

static struct so_posted *posted_new(const struct so_request *q)
{
    const size_t letters =
        (q->nsp->hub->shard_count + 2) * sizeof(struct so_letter);
    const size_t slices = name_count(q) * sizeof(sio_str);
    struct so_posted *p = malloc(sizeof *p + letters + slices + text_len(q));
    char *names;

    if (!p)
        return NULL;
    names = (char *)p->letters + letters;
    atomic_init(&p->refs, 0);
    p->request = *q;
    p->told = NULL;
    p->letter_count = 0;
    copy_names(p, q, (sio_str *)(void *)names, names + slices);
    so_namespace_ref(q->nsp);
    if (q->socket)
        sio_retain(q->socket);
    if (q->packet)
        eng_packet_ref(q->packet);
    so_asker_ref(q->asker);
    return p;
}

static bool is_needed(const struct so_request *q, const struct so_shard *here)
{
    const struct so_hub *hub = q->nsp->hub;

    if (!here || needs_abroad(q, here))
        return true;
    if (q->socket)
        return q->socket->part->shard != here;
    for (size_t i = 0; i < hub->shard_count; i++)
        if (&hub->shards[i] != here && !may_skip(&q->nsp->parts[i], q))
            return true;
    return false;
}

int so_prepare(const struct so_request *request, const struct so_shard *here,
               struct so_posted **posted)
{
    struct so_posted *p;
    int r = SIO_OK;

    *posted = NULL;
    if (!is_needed(request, here))
        return SIO_OK;
    p = posted_new(request);
    if (!p)
        return SIO_E_NOMEM;
    if (request->message)
        r = so_told_new(request->nsp->hub, request->message, &p->told);
    if (p->told)
        p->request.message = &p->told->message;
    if (r < 0) {
        posted_free(p);
        return r;
    }
    address_all(p, here);
    *posted = p;
    return SIO_OK;
}

/* Abroad from the main loop at once, behind what was sent without a letter. */
static void send_letter(struct so_letter *letter)
{
    struct net_loop *loop = letter->part->shard->loop;

    if (letter->abroad && net_loop_is_current(loop))
        go_abroad(letter);
    else
        net_post(loop, &letter->mail);
}

void so_post(struct so_posted *p)
{
    const size_t count = p ? p->letter_count : 0;

    if (!p)
        return;
    if (count == 0) {
        posted_free(p);
        return;
    }
    atomic_store_explicit(&p->refs, (unsigned)count, memory_order_relaxed);
    for (size_t i = 0; i < count; i++) /* p is gone behind the last */
        send_letter(&p->letters[i]);
}

void so_drop(struct so_posted *posted)
{
    if (posted)
        posted_free(posted);
}

size_t so_posted_count(const struct so_posted *posted)
{
    size_t n = posted ? posted->letter_count : 0;

    return n && posted->request.begin &&
                   posted->letters->part->shard == posted->request.asker->home
               ? n - 1
               : n;
}

const struct so_request *so_posted_request(const struct so_posted *posted)
{
    return &posted->request;
}

/* Several loops: it is in the log before any of them can get it, and in the
 * order of whoever sends it. On one loop it is recorded as it is executed. */
static int record_once(const struct so_request *q, struct so_posted *posted,
                       bool executed, uint64_t *number)
{
    int r = SIO_OK;

    if (!q->offset.p || q->nsp->hub->shard_count == 1)
        return SIO_OK;
    if (!executed)
        r = so_record(q, NULL, number);
    if (posted) {
        posted->request.recorded = true;
        posted->request.number = *number;
    }
    return r;
}

int so_send(const struct so_request *request)
{
    struct so_shard *here = so_here(request->nsp->hub);
    struct so_outcome outcome = { .error = SIO_OK };
    const bool executes =
        here && !request->keep &&
        (!request->socket || request->socket->part->shard == here);
    struct so_posted *posted;
    int r;

    r = so_prepare(request, here, &posted);
    if (r == SIO_OK && executes)
        r = so_execute(so_part_of(request->nsp, here), request, &outcome);
    if (r == SIO_OK)
        r = record_once(request, posted, executes, &outcome.number);
    if (r == SIO_OK) {
        so_post(posted);
    } else {
        if (outcome.number)
            so_record_undo(request);
        so_drop(posted);
    }
    if (r == SIO_OK && so_goes_abroad(request) && !needs_abroad(request, here))
        so_cluster_send(request);
    return r;
}

/* -------------------------------------------------------------- children -- */

/* References to what there is now: fn may close children. */
static sio_namespace **children_of(sio_namespace *parent, size_t *count)
{
    struct list *head = &parent->children;
    sio_namespace **all;
    size_t n = 0;

    for (struct list *it = head->next; it != head; it = it->next)
        n++;
    all = malloc((n ? n : 1) * sizeof *all);
    *count = 0;
    if (!all)
        return NULL;
    for (struct list *it = head->next; it != head; it = it->next)
        all[(*count)++] =
            so_namespace_ref(container_of(it, sio_namespace, children));
    return all;
}

int so_each_target(sio_namespace *nsp,
                   int (*fn)(void *user, sio_namespace *nsp), void *user)
{
    sio_namespace **all;
    size_t count;
    int r = SIO_OK;

    if (!nsp->rule)
        return fn(user, nsp);
    so_lock(nsp->hub);
    all = children_of(nsp, &count);
    so_unlock(nsp->hub);
    if (!all)
        return SIO_E_NOMEM;
    for (size_t i = 0; i < count; i++) {
        if (r == SIO_OK)
            r = fn(user, all[i]);
        so_namespace_unref(all[i]);
    }
    free(all);
    return r;
}
