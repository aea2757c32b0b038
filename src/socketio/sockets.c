/*
 * sockets.c -- many sockets at once: <sio/sockets.h>.
 *
 *   on the loop     select, then do
 *   other thread    the same in a mail, which holds copies of all names
 *
 * Only sockets of this process are found so far. Those of others will come as
 * another kind of sio_remote_socket, and what is to be done there will be the
 * adapter's to pass on.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/socketio/hub.h"

#include <sio/handshake.h>
#include <sio/sockets.h>

#include <stdlib.h>

/* ------------------------------------------------------------- selecting -- */

/* Those that matched, retained. */
struct selection {
    sio_socket **sockets;
    size_t count, cap;
};

static void collect(void *user, sio_socket *socket)
{
    struct selection *s = user;

    if (s->count < s->cap && socket->state == SO_CONNECTED)
        s->sockets[s->count++] = sio_retain(socket);
}

static int select_sockets(const sio_target *target, struct selection *s)
{
    sio_str rooms[SO_TARGET_NAMES];
    sio_broadcast_options o;

    *s = (struct selection){ 0 };
    so_target_options(target, &o, rooms);
    s->cap = target->socket ? 1
                            : so_select(so_here(target->nsp->hub), target->nsp,
                                        &o, NULL, NULL);
    if (s->cap == 0)
        return SIO_OK;
    s->sockets = malloc(s->cap * sizeof *s->sockets);
    if (!s->sockets)
        return SIO_E_NOMEM;
    if (target->socket)
        collect(s, target->socket);
    else
        so_select(so_here(target->nsp->hub), target->nsp, &o, collect, s);
    return SIO_OK;
}

static void selection_free(struct selection *s)
{
    for (size_t i = 0; i < s->count; i++)
        sio_release(s->sockets[i]);
    free(s->sockets);
}

int sio_target_each_socket(sio_target target,
                           void (*fn)(void *user, sio_socket *socket),
                           void *user)
{
    struct selection s;
    int r = target.overflow ? SIO_E_LIMIT : select_sockets(&target, &s);

    if (r < 0)
        return r;
    for (size_t i = 0; i < s.count; i++)
        fn(user, s.sockets[i]);
    r = (int)s.count;
    selection_free(&s);
    return r;
}

/* ------------------------------------------------------------ errands -- */

/* Something to do with the sockets of a target. */
struct errand {
    struct net_mail mail;
    sio_target target;
    int (*run)(const struct errand *e, sio_socket *socket);
    const char *const *rooms;
    size_t room_count;
    bool close;
    sio_fetch_fn fetched;
    void *user;
    const char *names[]; /* rooms, when they are ours; behind it their text */
};

static int join(const struct errand *e, sio_socket *socket)
{
    return sio_join_rooms(socket, e->rooms, e->room_count);
}

static int leave(const struct errand *e, sio_socket *socket)
{
    for (size_t i = 0; i < e->room_count; i++)
        sio_leave(socket, e->rooms[i]);
    return SIO_OK;
}

static int disconnect(const struct errand *e, sio_socket *socket)
{
    sio_disconnect(socket, e->close);
    return SIO_OK;
}

static int run_here(const struct errand *e)
{
    struct selection s;
    int r = select_sockets(&e->target, &s);

    for (size_t i = 0; r == SIO_OK && i < s.count; i++)
        if (s.sockets[i]->state == SO_CONNECTED)
            r = e->run(e, s.sockets[i]);
    selection_free(&s);
    return r;
}

/* A copy that can be posted. */
static struct errand *errand_copy(const struct errand *e)
{
    sio_target target = e->target;
    size_t names = e->room_count * sizeof *e->names;
    size_t text = so_target_move(&target, NULL);
    struct errand *copy;
    char *at;

    for (size_t i = 0; i < e->room_count; i++)
        text += strlen(e->rooms[i]) + 1;
    copy = malloc(sizeof *copy + names + text);
    if (!copy)
        return NULL;
    *copy = *e;
    at = (char *)copy->names + names;
    at += so_target_move(&copy->target, at);
    if (names) {
        memcpy(copy->names, e->rooms, names);
        so_names_move(copy->names, e->room_count, at);
    }
    copy->rooms = copy->names;
    so_target_hold(&copy->target);
    return copy;
}

static void errand_free(struct errand *e)
{
    so_target_drop(&e->target);
    free(e);
}

static void on_errand(struct net_mail *mail)
{
    struct errand *e = container_of(mail, struct errand, mail);

    if (run_here(e) < 0)
        so_log(e->target.nsp->hub, SIO_LOG_ERROR,
               "sockets of %s: not all done, out of memory",
               e->target.nsp->name);
    errand_free(e);
}

static int run_errand(const struct errand *e)
{
    struct net_loop *loop = e->target.nsp->parts->shard->loop;
    struct errand *copy;

    if (e->target.overflow)
        return SIO_E_LIMIT;
    if (net_loop_is_current(loop))
        return run_here(e);
    copy = errand_copy(e);
    if (!copy)
        return SIO_E_NOMEM;
    copy->mail.run = on_errand;
    net_post(loop, &copy->mail);
    return SIO_OK;
}

int sio_target_sockets_join(sio_target target, const char *const *rooms,
                            size_t count)
{
    return run_errand(&(struct errand){
        .target = target, .run = join, .rooms = rooms, .room_count = count });
}

int sio_target_sockets_leave(sio_target target, const char *const *rooms,
                             size_t count)
{
    return run_errand(&(struct errand){
        .target = target, .run = leave, .rooms = rooms, .room_count = count });
}

int sio_target_disconnect_sockets(sio_target target, bool close)
{
    return run_errand(&(struct errand){
        .target = target, .run = disconnect, .close = close });
}

/* ----------------------------------------------------------- fetching -- */

struct sio_remote_socket {
    sio_socket *local;
};

static void on_fetch(struct net_mail *mail)
{
    struct errand *e = container_of(mail, struct errand, mail);
    const sio_remote_socket **list = NULL;
    sio_remote_socket *all = NULL;
    struct selection s;
    int r = select_sockets(&e->target, &s);

    if (s.count) {
        list = malloc(s.count * sizeof *list);
        all = malloc(s.count * sizeof *all);
        if (!list || !all)
            r = SIO_E_NOMEM;
    }
    for (size_t i = 0; r == SIO_OK && i < s.count; i++) {
        all[i].local = s.sockets[i];
        list[i] = &all[i];
    }
    e->fetched(r, list, r == SIO_OK ? s.count : 0, e->user);
    free(list);
    free(all);
    selection_free(&s);
    errand_free(e);
}

int sio_target_fetch_sockets(sio_target target, sio_fetch_fn fn, void *user)
{
    struct errand e = { .target = target, .fetched = fn, .user = user };
    struct errand *copy;

    if (target.overflow)
        return SIO_E_LIMIT;
    if (target.nsp->rule)
        return SIO_E_INVAL;
    copy = errand_copy(&e);
    if (!copy)
        return SIO_E_NOMEM;
    copy->mail.run = on_fetch;
    net_post(target.nsp->parts->shard->loop, &copy->mail);
    return SIO_OK;
}

const char *sio_remote_id(const sio_remote_socket *socket)
{
    return socket->local->id;
}

sio_socket *sio_remote_local(const sio_remote_socket *socket)
{
    return socket->local;
}

size_t sio_remote_each_room(const sio_remote_socket *socket,
                            void (*fn)(void *user, sio_str room), void *user)
{
    return sio_each_room(socket->local, fn, user);
}

int sio_remote_handshake_json(const sio_remote_socket *socket, char *out,
                              size_t size)
{
    return sio_handshake_json(socket->local, out, size);
}

sio_str sio_remote_data_json(const sio_remote_socket *socket)
{
    return sio_data_json(socket->local);
}

sio_target sio_remote_target(const sio_remote_socket *socket)
{
    return sio_target_socket(socket->local);
}

/* ------------------------------------------------------------ other servers */

static int check_server_side(const sio_namespace *nsp, const char *event)
{
    static const char *const reserved[] = { "connect", "connection",
                                            "new_namespace" };

    if (!event)
        return SIO_E_INVAL;
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
        if (strcmp(event, reserved[i]) == 0)
            return SIO_E_RESERVED;
    so_log(nsp->hub, SIO_LOG_WARN,
           "the adapter \"%s\" does not support server-side events: \"%s\" of "
           "%s is not sent",
           nsp->hub->adapter->name, event, nsp->name);
    return SIO_OK;
}

int sio_server_side_emit_values(sio_namespace *nsp, const char *event,
                                const sio_value *values, size_t count)
{
    (void)values, (void)count;
    return check_server_side(nsp, event);
}

int sio_server_side_emit_ack_values(sio_namespace *nsp, sio_reply_fn on_reply,
                                    void *user, const char *event,
                                    const sio_value *values, size_t count)
{
    int r = check_server_side(nsp, event);

    (void)on_reply, (void)user, (void)values, (void)count;
    return r < 0 ? r : SIO_E_STATE;
}
