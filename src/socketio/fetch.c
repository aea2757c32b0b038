/*
 * fetch.c -- looking at the sockets of a target: sio_fetch_sockets() of
 * <sio/sockets.h>.
 *
 *   so_fetch on its home  --SO_FETCH-->  each loop: struct found
 *                         <-- outcome --   and other servers: inquiry.c
 *
 * Those of the home's own loop are looked at as they are; of others a picture
 * is taken, on their loop, or by their server: id, rooms, handshake, data.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/socketio/fetch.h"

#include <sio/handshake.h>
#include <sio/sockets.h>

#include <limits.h>
#include <stdlib.h>

#define FETCH_MS 5000          /* a loop that has not answered by then */
#define FETCH_MAX (256u << 20) /* bytes of pictures that one loop takes */

/* What another loop has seen of a socket: offsets into the text. */
struct picture {
    size_t rooms, handshake, data, end; /* each ends where the next begins */
    size_t id; /* of another server's: its id, and a NUL */
    int handshake_error;
};

struct sio_remote_socket {
    sio_socket *socket; /* retained; NULL: it is of another server */
    sio_namespace *nsp;
    const struct found *from; /* NULL: it is of this loop */
    struct picture picture;
};

/* The sockets of one loop. */
struct found {
    struct found *next;
    struct grow text; /* rooms (each with its length before it), JSON */
    size_t count;
    sio_remote_socket sockets[];
};

struct so_fetch {
    struct so_asker asker;
    struct list node; /* in shard->fetches */
    struct net_alarm timeout;
    sio_fetch_fn fn; /* NULL: nobody wants to know any more */
    void *user;
    sio_namespace *nsp; /* referenced */
    bool foreign;       /* another server has asked */
    bool over;
    int error;
    size_t loops; /* that have not answered */
    struct found *first;
};

/* ------------------------------------------------------------- pictures -- */

static void found_free(struct found *f)
{
    if (!f)
        return;
    for (size_t i = 0; i < f->count; i++)
        sio_release(f->sockets[i].socket);
    grow_free(&f->text);
    free(f);
}

void so_found_free(void *found)
{
    struct found *f = found;

    while (f) {
        struct found *next = f->next;

        found_free(f);
        f = next;
    }
}

struct appending {
    struct grow *to;
    int result;
};

static void append_room(void *user, sio_str room)
{
    struct appending *a = user;

    if (a->result == SIO_OK)
        a->result = grow_append(a->to, &room.n, sizeof room.n);
    if (a->result == SIO_OK)
        a->result = grow_append(a->to, room.p, room.n);
}

static int take_picture(struct found *f, sio_remote_socket *remote)
{
    struct picture *p = &remote->picture;
    sio_str data = sio_data_json(remote->socket);
    struct appending a = { &f->text, SIO_OK };

    remote->from = f;
    p->rooms = f->text.len;
    sio_each_room(remote->socket, append_room, &a);
    if (a.result < 0)
        return a.result;
    p->handshake = f->text.len;
    p->handshake_error = so_append_handshake(&f->text, remote->socket);
    if (p->handshake_error < 0 && p->handshake_error != SIO_E_STATE)
        return p->handshake_error;
    p->data = f->text.len;
    a.result = grow_append(&f->text, data.p, data.n);
    p->end = f->text.len;
    return a.result;
}

/* Of another server. Binary in its data is what JSON.stringify makes of it. */
static int copy_picture(struct found *f, sio_remote_socket *remote,
                        const sio_cluster_socket *from)
{
    struct picture *p = &remote->picture;
    struct appending a = { &f->text, SIO_OK };

    remote->from = f;
    p->rooms = f->text.len;
    for (size_t i = 0; i < from->room_count; i++)
        append_room(&a, from->rooms[i]);
    p->handshake = f->text.len;
    if (a.result == SIO_OK)
        a.result = sp_encode_value(&f->text, NULL, &from->handshake);
    p->data = f->text.len;
    if (a.result == SIO_OK)
        a.result = sp_encode_value(&f->text, NULL, &from->data);
    p->end = p->id = f->text.len;
    if (a.result == SIO_OK)
        a.result = grow_append(&f->text, from->id.p, from->id.n);
    return a.result == SIO_OK ? grow_append_byte(&f->text, 0) : a.result;
}

static struct found *found_new(size_t count)
{
    struct found *f = calloc(1, sizeof *f + count * sizeof *f->sockets);

    if (f)
        grow_init(&f->text, FETCH_MAX);
    return f;
}

int so_found_add(void **found, const sio_cluster_socket *sockets, size_t count)
{
    struct found *f = found_new(count);
    int r = f ? SIO_OK : SIO_E_NOMEM;

    for (; r == SIO_OK && f->count < count; f->count++)
        r = copy_picture(f, &f->sockets[f->count], &sockets[f->count]);
    if (r < 0) {
        if (f)
            found_free(f);
        return r;
    }
    f->next = *found;
    *found = f;
    return SIO_OK;
}

static void collect(void *user, sio_socket *socket)
{
    struct found *f = user;

    if (socket->state == SO_CONNECTED)
        f->sockets[f->count++].socket = sio_retain(socket);
}

static size_t select_those(struct so_part *part,
                           const struct so_request *request,
                           void (*fn)(void *user, sio_socket *socket),
                           void *user)
{
    if (!request->socket)
        return part->ops->select(part->adapter, &request->options, fn, user);
    if (fn)
        fn(user, request->socket);
    return 1;
}

static int find(struct so_part *part, const struct so_request *request,
                bool pictures, struct found **found)
{
    size_t n = select_those(part, request, NULL, NULL);
    struct found *f = found_new(n);
    int r = SIO_OK;

    if (!f)
        return SIO_E_NOMEM;
    select_those(part, request, collect, f);
    for (size_t i = 0; pictures && r == SIO_OK && i < f->count; i++)
        r = take_picture(f, &f->sockets[i]);
    if (r < 0)
        found_free(f);
    else
        *found = f;
    return r;
}

int so_execute_fetch(struct so_part *part, const struct so_request *request,
                     struct so_outcome *outcome)
{
    struct found *found = NULL;
    int r = find(part, request, true, &found);

    outcome->found = found;
    return r;
}

/* -------------------------------------------------------------- fetching -- */

static struct so_fetch *fetch_of(struct so_asker *asker)
{
    return container_of(asker, struct so_fetch, asker);
}

static void fetch_free(struct so_asker *asker)
{
    struct so_fetch *f = fetch_of(asker);

    so_found_free(f->first);
    so_namespace_unref(f->nsp);
    free(f);
}

static void add_found(struct so_fetch *f, struct found *found)
{
    struct found *last = found;

    if (!found)
        return;
    while (last->next)
        last = last->next;
    last->next = f->first;
    f->first = found;
}

static size_t count_found(const struct so_fetch *f)
{
    size_t n = 0;

    for (const struct found *it = f->first; it; it = it->next)
        n += it->count;
    return n;
}

static void tell(struct so_fetch *f, int error)
{
    const size_t count = count_found(f);
    const sio_remote_socket **list = malloc((count + 1) * sizeof *list);
    size_t n = 0;

    if (!f->fn || !list) {
        if (f->fn)
            f->fn(SIO_E_NOMEM, NULL, 0, f->user);
        free(list);
        return;
    }
    for (struct found *it = f->first; it; it = it->next)
        for (size_t i = 0; i < it->count; i++) {
            it->sockets[i].nsp = f->nsp;
            list[n++] = &it->sockets[i];
        }
    f->fn(error, list, n, f->user);
    free(list);
}

static void done(struct so_fetch *f, int error)
{
    f->over = true;
    list_remove(&f->node);
    net_alarm_stop(f->asker.home->loop, &f->timeout);
    so_asker_over(&f->asker);
    tell(f, error);
    so_asker_unref(&f->asker);
}

static void on_timeout(struct net_alarm *alarm)
{
    done(container_of(alarm, struct so_fetch, timeout), SIO_E_TIMEOUT);
}

static void on_outcome(const struct so_letter *letter)
{
    struct so_asker *asker = so_posted_request(letter->posted)->asker;
    struct so_fetch *f = fetch_of(asker);

    if (f->over) {
        so_found_free(letter->outcome.found);
        return;
    }
    add_found(f, letter->outcome.found);
    if (letter->outcome.error < 0)
        f->error = letter->outcome.error;
    if (--f->loops == 0)
        done(f, f->error);
}

/* On home, later than sio_fetch_sockets() returned. */
static void begin(struct so_part *part, const struct so_request *request)
{
    struct so_fetch *f = fetch_of(request->asker);
    struct found *found = NULL;

    list_append(&part->shard->fetches, &f->node);
    if (!request->socket || request->socket->part == part) {
        f->error = find(part, request, f->foreign, &found);
        add_found(f, found);
    }
    /* How long other servers have is the adapter's to know. */
    if (f->loops && f->error == SIO_OK && !f->asker.abroad)
        f->error = net_alarm_start(part->shard->loop, &f->timeout, FETCH_MS);
    if (!f->loops || f->error < 0)
        done(f, f->error);
}

void so_fetches_end(struct so_shard *shard)
{
    while (!list_empty(&shard->fetches))
        done(container_of(shard->fetches.next, struct so_fetch, node),
             SIO_E_STATE);
}

static struct so_fetch *fetch_new(struct so_shard *home, sio_fetch_fn fn,
                                  void *user)
{
    struct so_fetch *f = calloc(1, sizeof *f);

    if (!f)
        return NULL;
    so_asker_init(&f->asker, home, fetch_free);
    list_init(&f->node);
    net_alarm_init(&f->timeout, on_timeout);
    f->fn = fn;
    f->user = user;
    return f;
}

int so_fetch_begin(struct so_request *request, sio_fetch_fn fn, void *user,
                   struct so_fetch **fetch)
{
    struct so_hub *hub = request->nsp->hub;
    struct so_shard *here = so_here(hub);
    struct so_fetch *f = fetch_new(here ? here : hub->shards, fn, user);
    struct so_posted *posted;
    int r;

    if (!f)
        return SIO_E_NOMEM;
    request->deed = SO_FETCH;
    request->on_outcome = on_outcome;
    request->begin = begin;
    request->asker = &f->asker;
    f->nsp = so_namespace_ref(request->nsp);
    f->foreign = request->foreign;
    r = so_prepare(request, NULL, &posted);
    if (r < 0) {
        so_asker_unref(&f->asker);
        return r;
    }
    f->loops = so_posted_count(posted);
    if (fetch)
        *fetch = f;
    so_post(posted);
    return SIO_OK;
}

void so_fetch_forget(struct so_fetch *fetch)
{
    fetch->fn = NULL;
}

int sio_target_fetch_sockets(sio_target target, sio_fetch_fn fn, void *user)
{
    struct so_request request = { .nsp = target.nsp,
                                  .socket = target.socket,
                                  .timeout_ms = target.timeout_ms };
    sio_str rooms[SO_TARGET_NAMES];

    if (target.overflow)
        return SIO_E_LIMIT;
    if (target.nsp->rule)
        return SIO_E_INVAL;
    so_target_options(&target, &request.options, rooms);
    return so_fetch_begin(&request, fn, user, NULL);
}

/* --------------------------------------------------------------- looking -- */

const char *sio_remote_id(const sio_remote_socket *remote)
{
    return remote->socket
               ? remote->socket->id
               : (const char *)remote->from->text.data + remote->picture.id;
}

sio_socket *sio_remote_local(const sio_remote_socket *remote)
{
    return remote->from ? NULL : remote->socket;
}

/* A part of the picture's text. */
static sio_str slice(const sio_remote_socket *remote, size_t from, size_t to)
{
    const struct grow *text = &remote->from->text;

    return (sio_str){ (const char *)text->data + from, to - from };
}

size_t sio_remote_each_room(const sio_remote_socket *remote,
                            void (*fn)(void *user, sio_str room), void *user)
{
    const struct picture *p = &remote->picture;
    sio_str rest, room;
    size_t count = 0;

    if (!remote->from)
        return sio_each_room(remote->socket, fn, user);
    for (rest = slice(remote, p->rooms, p->handshake); rest.n; count++) {
        memcpy(&room.n, rest.p, sizeof room.n);
        room.p = rest.p + sizeof room.n;
        rest.p = room.p + room.n;
        rest.n -= sizeof room.n + room.n;
        if (fn)
            fn(user, room);
    }
    return count;
}

sio_str so_remote_handshake(const sio_remote_socket *remote)
{
    const struct picture *p = &remote->picture;

    return p->handshake_error < 0 ? (sio_str){ NULL, 0 }
                                  : slice(remote, p->handshake, p->data);
}

int sio_remote_handshake_json(const sio_remote_socket *remote, char *out,
                              size_t size)
{
    const struct picture *p = &remote->picture;

    if (!remote->from)
        return sio_handshake_json(remote->socket, out, size);
    if (p->handshake_error < 0)
        return p->handshake_error;
    return so_text_out(slice(remote, p->handshake, p->data), out, size);
}

sio_str sio_remote_data_json(const sio_remote_socket *remote)
{
    const struct picture *p = &remote->picture;

    return remote->from ? slice(remote, p->data, p->end)
                        : sio_data_json(remote->socket);
}

sio_target sio_remote_target(const sio_remote_socket *remote)
{
    sio_target target = { .nsp = remote->nsp, .is_single = true };

    if (remote->socket)
        return sio_target_socket(remote->socket);
    return sio_and_to(target, sio_remote_id(remote));
}
