/*
 * recovery_abroad.c -- connection state recovery by the adapter of a cluster
 * (<sio/adapter.h>): a client that comes back on whichever server.
 *
 *   emit.c     --> so_cluster_keep()    the event is kept first: its offset
 *              <-- on_kept()            then it goes to the sockets here
 *   socket.c   --> so_abroad_save()     a session: who left, to come back
 *   connect.c  --> so_comeback_begin()  the session again, and what was missed
 *              <-- on_restored()        then it goes on to the middlewares
 *
 * Everything of the adapter is on the main loop. What it has found goes to the
 * socket's own loop by the same way as the events that follow, so that none
 * comes between. Those of recovery.h stay unused.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/socketio/recovery_abroad.h"
#include "src/socketio/codec.h"

#include "protocol/socketio/scan.h"

#include <stdlib.h>

#define MISSED_MAX 65536 /* events that one who comes back may wait for */

/* ------------------------------------------------------------- emitting -- */

/* An event that is being kept. */
struct so_keeping {
    struct list node; /* in cluster->keepings */
    struct so_letter *letter;
};

/* To the sockets of this server; offset empty: it is not kept. */
static void deliver(struct so_letter *letter, sio_str offset)
{
    const struct so_request *kept = so_posted_request(letter->posted);
    struct so_hub *hub = kept->nsp->hub;
    struct so_request request = *kept;
    struct sp_message m = *kept->message;
    int r;

    request.keep = false;
    request.foreign = true; /* the others have it from the adapter */
    if (offset.n)
        m.extra = offset;
    request.message = so_has_outgoing(kept->nsp) ? &m : NULL;
    r = so_make_packet(hub, &m, &request.packet);
    if (r == SIO_OK) {
        r = so_send(&request);
        eng_packet_unref(request.packet);
    }
    if (r < 0)
        so_log(hub, SIO_LOG_ERROR, "an event of %s: %s", kept->nsp->name,
               sio_strerror(r));
    so_letter_drop(letter);
}

static void on_kept(void *user, int status, sio_str offset)
{
    struct so_keeping *k = user;
    struct so_letter *letter = k->letter;

    list_remove(&k->node);
    free(k);
    deliver(letter, status == SIO_OK ? offset : STR(""));
}

static const sio_cluster_answers keeping = { .on_kept = on_kept };

/* What cannot be kept goes to the sockets here all the same. */
void so_cluster_keep(struct so_letter *letter)
{
    const struct so_request *q = so_posted_request(letter->posted);
    struct so_keeping *k = malloc(sizeof *k);
    int r = SIO_E_NOMEM;

    if (k) {
        k->letter = letter;
        list_append(&q->nsp->hub->cluster->keepings, &k->node);
        r = so_cluster_hand_over(q, &keeping, k);
    }
    if (r == SIO_OK)
        return;
    if (k)
        list_remove(&k->node);
    free(k);
    deliver(letter, STR(""));
}

void so_keepings_end(struct so_cluster *c)
{
    while (!list_empty(&c->keepings))
        on_kept(container_of(c->keepings.next, struct so_keeping, node),
                SIO_E_STATE, STR(""));
}

/* --------------------------------------------------------------- leaving -- */

/* A session on its way to the main loop. */
struct saving {
    struct net_mail mail;
    struct so_hub *hub;
    struct so_session *session;
};

static int hand_over(const struct so_hub *hub, const struct so_session *s)
{
    struct so_cluster *c = hub->cluster;
    sio_str *rooms = calloc(s->room_count + 1, sizeof *rooms);
    const char *at = s->text + s->data_len;
    sio_cluster_session session = { .sid = str_of(s->sid),
                                    .pid = str_of(s->pid),
                                    .rooms = rooms,
                                    .room_count = s->room_count + 1 };
    int r = SIO_E_STATE;

    if (!rooms)
        return SIO_E_NOMEM;
    session.data =
        so_payload(s->data_len ? (sio_str){ s->text, s->data_len } : STR("{}"));
    rooms[0] = session.sid;
    for (size_t i = 0; i < s->room_count; i++) {
        rooms[i + 1] = str_of(at);
        at += rooms[i + 1].n + 1;
    }
    if (c->adapter)
        r = c->ops->save_session(c->adapter, &session,
                                 hub->options.recovery_ms);
    free(rooms);
    return r;
}

static void save(struct so_hub *hub, struct so_session *s)
{
    int r = hand_over(hub, s);

    if (r < 0)
        so_log(hub, SIO_LOG_WARN, "a client cannot come back as %s: %s", s->sid,
               sio_strerror(r));
    so_session_free(s);
}

static void on_saving(struct net_mail *mail)
{
    struct saving *saving = container_of(mail, struct saving, mail);

    save(saving->hub, saving->session);
    free(saving);
}

void so_abroad_save(struct so_part *part, struct so_session *s)
{
    struct so_hub *hub = part->nsp->hub;
    struct saving *saving;

    if (part->shard == hub->shards) {
        save(hub, s);
        return;
    }
    saving = malloc(sizeof *saving);
    if (!saving) {
        so_session_free(s);
        return;
    }
    *saving = (struct saving){ { NULL, on_saving }, hub, s };
    net_post(hub->shards->loop, &saving->mail);
}

/* ---------------------------------------------------------- coming back -- */

/* A socket whose client says that it was here before. */
struct so_comeback {
    struct list node; /* in cluster->comebacks, while the adapter looks */
    struct net_mail mail;
    sio_socket *socket; /* retained */
    sio_next *next;     /* who waits for it, or NULL */
    sio_recovery result;
    struct so_session *session;
    struct so_missed missed;
    char pid[SO_ID_LEN + 1];
    char offset[SO_OFFSET_ABROAD + 1];
};

static int missed_add(struct so_missed *m, sio_packet *packet)
{
    size_t cap = m->cap ? m->cap * 2 : 8;
    sio_packet **grown;

    if (m->count == MISSED_MAX)
        return SIO_E_LIMIT;
    if (m->count == m->cap) {
        grown = realloc(m->packets, cap * sizeof(sio_packet *));
        if (!grown)
            return SIO_E_NOMEM;
        m->packets = grown;
        m->cap = cap;
    }
    m->packets[m->count++] = eng_packet_ref(packet);
    return SIO_OK;
}

static void missed_free(struct so_missed *m)
{
    for (size_t i = 0; i < m->count; i++)
        eng_packet_unref(m->packets[i]);
    free(m->packets);
    *m = (struct so_missed){ NULL, 0, 0, SIO_OK };
}

static void comeback_free(struct so_comeback *c)
{
    if (c->session)
        so_session_free(c->session);
    missed_free(&c->missed);
    sio_release(c->socket);
    free(c);
}

int so_comeback_new(sio_socket *socket)
{
    struct so_resume *r = socket->resume;
    char pid[SO_ID_LEN + 1], offset[SO_OFFSET_ABROAD + 1];

    if (!so_auth_text(socket, "pid", pid, SO_ID_LEN) ||
        !so_auth_text(socket, "offset", offset, SO_OFFSET_ABROAD))
        return SIO_OK;
    r->result = SIO_RECOVERY_UNKNOWN_SESSION;
    if (!pid[0] || !offset[0])
        return SIO_OK;
    r->comeback = calloc(1, sizeof *r->comeback);
    if (!r->comeback)
        return SIO_E_NOMEM;
    list_init(&r->comeback->node);
    memcpy(r->comeback->pid, pid, sizeof pid);
    memcpy(r->comeback->offset, offset, sizeof offset);
    return SIO_OK;
}

void so_comeback_drop(struct so_resume *r)
{
    free(r->comeback);
    missed_free(&r->missed);
}

static int encode_missed(struct so_comeback *c, const sio_cluster_request *q)
{
    sio_namespace *nsp = c->socket->part->nsp;
    struct sp_message m = { .type = SP_EVENT,
                            .nsp = map_key(&nsp->node),
                            .id = SP_NO_ID,
                            .event = q->event,
                            .values = q->values,
                            .count = q->value_count,
                            .extra = q->offset };
    sio_packet *packet;
    int r;

    if (sp_reserved_event(m.event)) /* as execute.c */
        return SIO_OK;
    r = so_make_packet(nsp->hub, &m, &packet);
    if (r == SIO_E_NOMEM)
        return r;
    if (r < 0)
        return SIO_OK;
    r = missed_add(&c->missed, packet);
    eng_packet_unref(packet);
    return r;
}

/* Ids as ours: others would not fit, nor be found by servers of Node; and they
 * are written into JSON as they are. */
static bool is_id(sio_str id)
{
    static const char letters[] = "0123456789abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ-_";

    for (size_t i = 0; i < id.n; i++)
        if (!memchr(letters, id.p[i], sizeof letters - 1))
            return false;
    return id.n == SO_ID_LEN;
}

static int take_session(struct so_comeback *c,
                        const sio_cluster_session *session)
{
    struct grow data;
    int r;

    if (!is_id(session->sid) || !str_eq(session->pid, str_of(c->pid)))
        return SIO_E_RANGE;
    grow_init(&data, c->socket->part->nsp->hub->options.max_packet);
    r = sp_encode_value(&data, NULL, &session->data);
    if (r == SIO_OK)
        c->session = so_session_copy(session, grow_str(&data));
    grow_free(&data);
    return r < 0 ? r : c->session ? SIO_OK : SIO_E_NOMEM;
}

static sio_recovery result_of(int status)
{
    switch (status) {
    case SIO_OK:
        return SIO_RECOVERED;
    case SIO_E_RANGE:
        return SIO_RECOVERY_UNKNOWN_SESSION;
    case SIO_E_LIMIT:
        return SIO_RECOVERY_UNKNOWN_OFFSET;
    default:
        return SIO_RECOVERY_UNAVAILABLE;
    }
}

/* On the socket's loop. Its client may have gone: then it may come again. */
static void arrive(struct so_comeback *c)
{
    sio_socket *socket = c->socket;
    struct so_resume *r = socket->resume;
    sio_next *next = c->next;

    if (socket->state == SO_CONNECTING) {
        r->result = c->result;
        if (c->result == SIO_RECOVERED) {
            so_resume_take(socket, c->session);
            r->missed = c->missed;
            c->session = NULL;
            c->missed = (struct so_missed){ NULL, 0, 0, SIO_OK };
        }
        so_resume_count(socket);
        comeback_free(c);
        so_start_middlewares(socket, next);
        return;
    }
    if (c->session) {
        so_abroad_save(socket->part, c->session);
        c->session = NULL;
    }
    comeback_free(c);
    if (next)
        so_next_free(next);
}

static void on_arrival(struct net_mail *mail)
{
    arrive(container_of(mail, struct so_comeback, mail));
}

/* The events that follow go to its loop behind this. */
static void go_home(struct so_comeback *c)
{
    const struct so_shard *home = c->socket->part->shard;

    if (home == home->hub->shards) {
        arrive(c);
        return;
    }
    c->mail.run = on_arrival;
    net_post(home->loop, &c->mail);
}

static void on_restored(void *user, int status,
                        const sio_cluster_session *session,
                        const sio_cluster_request *missed, size_t missed_count)
{
    struct so_comeback *c = user;

    list_remove(&c->node);
    if (status == SIO_OK)
        status = take_session(c, session);
    for (size_t i = 0; status == SIO_OK && i < missed_count; i++)
        status = encode_missed(c, &missed[i]);
    c->result = result_of(status);
    if (status < 0 && c->session) {
        so_session_free(c->session);
        c->session = NULL;
    }
    go_home(c);
}

static void on_asking(struct net_mail *mail)
{
    struct so_comeback *c = container_of(mail, struct so_comeback, mail);
    sio_namespace *nsp = c->socket->part->nsp;
    struct so_cluster *cluster = nsp->hub->cluster;
    int r = SIO_E_STATE;

    list_append(&cluster->comebacks, &c->node);
    if (cluster->adapter)
        r = cluster->ops->restore_session(cluster->adapter, map_key(&nsp->node),
                                          str_of(c->pid), str_of(c->offset),
                                          on_restored, c);
    if (r < 0)
        on_restored(c, r, NULL, NULL, 0);
}

bool so_comeback_begin(sio_socket *socket, sio_next *next)
{
    struct so_comeback *c = socket->resume ? socket->resume->comeback : NULL;

    if (!c)
        return false;
    socket->resume->comeback = NULL;
    c->socket = sio_retain(socket);
    c->next = next;
    c->mail.run = on_asking;
    net_post(socket->part->nsp->hub->shards->loop, &c->mail);
    return true;
}

void so_comebacks_end(struct so_cluster *cluster)
{
    while (!list_empty(&cluster->comebacks))
        on_restored(
            container_of(cluster->comebacks.next, struct so_comeback, node),
            SIO_E_STATE, NULL, NULL, 0);
}

void so_missed_keep(sio_socket *socket, sio_packet *packet)
{
    struct so_missed *m = &socket->resume->missed;

    if (m->error == SIO_OK)
        m->error = missed_add(m, packet);
}

int so_missed_send(sio_socket *socket)
{
    struct so_missed missed = socket->resume->missed;
    int r;

    socket->resume->missed = (struct so_missed){ NULL, 0, 0, SIO_OK };
    for (size_t i = 0; missed.error == SIO_OK && i < missed.count; i++)
        so_socket_send(socket, missed.packets[i], 0);
    r = missed.error;
    missed_free(&missed);
    return r;
}
