/*
 * recovery.c -- sockets that left and may come back: see recovery.h.
 *
 * A session is used up by coming back: a second client with the same pid finds
 * none. It is saved again when that client goes, also when it had not been let
 * in yet.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/socketio/recovery_abroad.h"

#include "protocol/socketio/scan.h"
#include "src/net/random.h"

#include <stdlib.h>

/* What is too old goes at least so often, and no more often. */
#define SWEEPS 16 /* in the time that sessions are kept */

const char *sio_recovery_name(sio_recovery recovery)
{
    switch (recovery) {
    case SIO_RECOVERY_NONE:
        return "not asked for";
    case SIO_RECOVERED:
        return "recovered";
    case SIO_RECOVERY_UNKNOWN_SESSION:
        return "unknown session";
    case SIO_RECOVERY_TOO_LATE:
        return "too late";
    case SIO_RECOVERY_UNKNOWN_OFFSET:
        return "unknown offset";
    case SIO_RECOVERY_UNAVAILABLE:
        return "not available";
    }
    return "?";
}

sio_recovery sio_recovery_of(const sio_socket *socket)
{
    return socket->resume ? socket->resume->result : SIO_RECOVERY_NONE;
}

bool sio_recovered(const sio_socket *socket)
{
    return sio_recovery_of(socket) == SIO_RECOVERED;
}

/* -------------------------------------------------------------- dropping -- */

/* The program's free_fn may run within. */
void so_session_free(struct so_session *s)
{
    sio_release(s->socket);
    free(s);
}

void so_sessions_free(struct so_session *dropped)
{
    while (dropped) {
        struct so_session *next = dropped->next;

        so_session_free(dropped);
        dropped = next;
    }
}

static void session_push(struct so_session **dropped, struct so_session *s)
{
    s->next = *dropped;
    *dropped = s;
}

/* Nobody finds it any more. */
static void session_take(struct so_hub *hub, struct so_session *s)
{
    map_remove(&s->log->sessions, &s->node);
    list_remove(&s->age);
    hub->recovery.bytes -= s->bytes;
    hub->recovery.session_count--;
}

static void session_drop(struct so_hub *hub, struct so_session *s,
                         struct so_session **dropped)
{
    session_take(hub, s);
    session_push(dropped, s);
}

static struct so_session *oldest_session(const struct so_hub *hub)
{
    const struct list *sessions = &hub->recovery.sessions;

    return list_empty(sessions)
               ? NULL
               : container_of(sessions->next, struct so_session, age);
}

/* Entry or session, whichever is older. */
static bool drop_oldest(struct so_hub *hub, struct so_session **dropped)
{
    struct so_session *s = oldest_session(hub);

    if (!s || s->left_ms > so_log_oldest_ms(hub))
        return so_log_drop_oldest(hub);
    session_drop(hub, s, dropped);
    return true;
}

/* When the oldest entry or session came; UINT64_MAX: there is none. */
static uint64_t oldest_ms(const struct so_hub *hub)
{
    const struct so_session *s = oldest_session(hub);
    uint64_t ms = so_log_oldest_ms(hub);

    return s && s->left_ms < ms ? s->left_ms : ms;
}

/* Without memory for the alarm it is tried again with what comes next. */
static void wait_for_oldest(struct so_shard *shard, uint64_t oldest)
{
    const uint32_t keep = shard->hub->options.recovery_ms;
    struct net_alarm *alarm = &shard->comebacks.alarm;
    const uint64_t least = keep / SWEEPS + 1, now = shard->loop->now_ms;
    uint64_t wait;

    if (oldest == UINT64_MAX) {
        net_alarm_stop(shard->loop, alarm);
        return;
    }
    if (alarm->slot)
        return;
    wait = oldest + keep >= now ? oldest + keep - now + 1 : 0;
    (void)net_alarm_start(shard->loop, alarm, wait > least ? wait : least);
}

/* The clocks of two loops are not read at the same time: `then` may be later.
 */
static bool is_over(const struct so_hub *hub, uint64_t then, uint64_t now)
{
    return now > then && now - then > hub->options.recovery_ms;
}

void so_recovery_trim(struct so_hub *hub, struct so_shard *here, uint64_t now,
                      struct so_session **dropped)
{
    uint64_t oldest;

    while ((oldest = oldest_ms(hub)) != UINT64_MAX &&
           (hub->recovery.bytes > hub->options.recovery_bytes ||
            is_over(hub, oldest, now)))
        if (!drop_oldest(hub, dropped))
            break;
    if (here)
        wait_for_oldest(here, oldest);
}

static void on_alarm(struct net_alarm *alarm)
{
    struct so_shard *shard =
        container_of(alarm, struct so_shard, comebacks.alarm);
    struct so_session *dropped = NULL;

    so_recovery_lock(shard->hub);
    so_recovery_trim(shard->hub, shard, shard->loop->now_ms, &dropped);
    so_recovery_unlock(shard->hub);
    so_sessions_free(dropped);
}

/* ------------------------------------------------------ beginning and end --
 */

void so_recovery_init(struct so_hub *hub)
{
    struct so_recovery *r = &hub->recovery;

    pthread_mutex_init(&r->lock, NULL);
    list_init(&r->entries);
    list_init(&r->sessions);
    r->open = &r->entries;
}

void so_comebacks_init(struct so_shard *shard)
{
    net_alarm_init(&shard->comebacks.alarm, on_alarm);
}

static void empty(struct so_hub *hub, struct so_log *log,
                  struct so_session **dropped)
{
    struct map_node *node;

    while ((node = map_first(&log->sessions)))
        session_drop(hub, container_of(node, struct so_session, node), dropped);
    so_log_empty(hub, log);
}

void so_recovery_clear(struct so_shard *shard)
{
    struct so_hub *hub = shard->hub;
    struct so_session *s, *dropped = NULL;

    so_recovery_lock(hub);
    while ((s = oldest_session(hub)))
        session_drop(hub, s, &dropped);
    so_log_clear(hub);
    so_recovery_unlock(hub);
    net_alarm_stop(shard->loop, &shard->comebacks.alarm);
    so_sessions_free(dropped);
}

int so_log_open(sio_namespace *nsp)
{
    struct so_hub *hub = nsp->hub;
    struct so_log *log;

    if (!so_recovers(hub))
        return SIO_OK;
    log = calloc(1, sizeof *log);
    if (!log)
        return SIO_E_NOMEM;
    list_init(&log->entries);
    map_init(&log->by_offset, hub->seed);
    map_init(&log->sessions, hub->seed);
    nsp->log = log;
    return SIO_OK;
}

/* A namespace goes, rarely, and what is left of its log among all others'. */
void so_log_close(sio_namespace *nsp)
{
    struct so_hub *hub = nsp->hub;
    struct so_session *dropped = NULL;
    struct so_log *log;

    if (!so_recovers(hub))
        return;
    so_recovery_lock(hub);
    log = nsp->log;
    nsp->log = NULL;
    if (log)
        empty(hub, log, &dropped);
    so_recovery_unlock(hub);
    so_sessions_free(dropped);
    free(log);
}

/* ---------------------------------------------------------------- saving -- */

/* Reasons that are nobody's wish (socketio.md 3.8). A server that stops keeps
 * nothing itself; a slow consumer would be sent all of it again. */
static bool may_come_back(const struct so_hub *hub, const char *reason)
{
    static const char *const reasons[] = { "transport error", "transport close",
                                           "forced close", "ping timeout",
                                           "forced server close" };

    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (strcmp(reason, reasons[i]) == 0)
            return true;
    return hub->options.recovery_abroad &&
           strcmp(reason, "server shutting down") == 0;
}

struct room_list {
    sio_str own; /* joined by all who come in: not in the list */
    char *at;    /* where the next one is copied to; NULL: only count */
    size_t count, len;
};

static void add_room(void *user, sio_str room)
{
    struct room_list *l = user;

    if (str_eq(room, l->own))
        return;
    l->count++;
    l->len += room.n + 1;
    if (!l->at)
        return;
    memcpy(l->at, room.p, room.n);
    l->at[room.n] = 0;
    l->at += room.n + 1;
}

/* What it was sent before, and here. A stretch in which its loop has executed
 * nothing goes on with the next one. */
static void note_stream(struct so_stream *stream, const sio_socket *socket)
{
    const struct so_resume *r = socket->resume;
    const struct so_shard *here = socket->part->shard;
    const uint64_t executed = here->comebacks.executed;

    if (r->stream)
        *stream = *r->stream;
    if (r->waiting || here->hub->shard_count == 1)
        return;
    if (stream->count && stream->stretches[stream->count - 1].to == 0)
        stream->count--;
    if (stream->count == SO_STRETCHES) {
        stream->forgotten = stream->stretches[1].sent;
        memmove(stream->stretches, stream->stretches + 1,
                --stream->count * sizeof *stream->stretches);
    }
    stream->stretches[stream->count++] =
        (struct so_stretch){ r->sent, executed > r->began ? executed : 0,
                             here->index };
}

static struct so_session *session_new(sio_socket *socket)
{
    sio_str data = sio_data_json(socket);
    struct room_list rooms = { .own = { socket->id, socket->id_len } };
    struct so_session *s;
    size_t bytes;

    data.n = socket->few && socket->few->data_json ? data.n : 0; /* {} */
    sio_each_room(socket, add_room, &rooms);
    bytes = sizeof *s + data.n + rooms.len;
    s = calloc(1, bytes);
    if (!s)
        return NULL;
    s->bytes = bytes;
    s->data_len = data.n;
    memcpy(s->text, data.p, data.n);
    s->room_count = rooms.count;
    rooms.at = s->text + data.n;
    sio_each_room(socket, add_room, &rooms);
    memcpy(s->pid, socket->resume->pid, sizeof s->pid);
    memcpy(s->sid, socket->id, sizeof s->sid);
    note_stream(&s->stream, socket);
    if (socket->free_data) {
        s->socket = sio_retain(socket);
        s->bytes += sizeof *socket + socket->auth_len;
    }
    return s;
}

struct so_session *so_session_new(sio_socket *socket, const char *reason)
{
    return socket->resume && may_come_back(socket->part->nsp->hub, reason)
               ? session_new(socket)
               : NULL;
}

/* The program has heard that it is gone, so that it hears that it is back
 * later, on whichever loop. */
void so_session_keep(struct so_part *part, struct so_session *s)
{
    struct so_hub *hub = part->nsp->hub;
    struct so_recovery *r = &hub->recovery;
    struct so_session *dropped = NULL;

    if (so_recovers_abroad(hub)) {
        so_abroad_save(part, s);
        return;
    }
    so_recovery_lock(hub);
    s->log = part->nsp->log;
    s->left_ms = part->shard->loop->now_ms;
    if (!s->log || map_add(&s->log->sessions, &s->node,
                           (sio_str){ s->pid, SO_ID_LEN }) < 0) {
        session_push(&dropped, s);
    } else {
        list_append(&r->sessions, &s->age);
        r->bytes += s->bytes;
        r->session_count++;
        so_recovery_trim(hub, part->shard, s->left_ms, &dropped);
    }
    so_recovery_unlock(hub);
    so_sessions_free(dropped);
}

/* --------------------------------------------------------------- resuming --
 */

bool so_auth_text(const sio_socket *socket, const char *key, char *out,
                  size_t max)
{
    sio_str raw = json_member(sio_auth(socket), str_of(key));
    char text[6 * SO_OFFSET_MAX + 2];
    size_t n = 0;

    if (!raw.n || json_kind(raw) != JSON_STRING)
        return false;
    if (raw.n <= sizeof text)
        n = json_unescape(raw, text);
    n = n > max ? 0 : n;
    memcpy(out, text, n);
    out[n] = 0;
    return true;
}

/* The session is the socket's then, whether or not the offset is good. */
static sio_recovery take_session(sio_socket *socket, const char *pid,
                                 const char *offset)
{
    struct so_shard *shard = socket->part->shard;
    struct so_log *log = socket->part->nsp->log;
    struct map_node *node = log ? map_find(&log->sessions, str_of(pid)) : NULL;
    struct so_resume *r = socket->resume;

    if (!node)
        return SIO_RECOVERY_UNKNOWN_SESSION;
    r->session = container_of(node, struct so_session, node);
    if (is_over(shard->hub, r->session->left_ms, shard->loop->now_ms)) {
        r->session = NULL; /* the sweep comes for it */
        return SIO_RECOVERY_TOO_LATE;
    }
    session_take(shard->hub, r->session);
    *r->stream = r->session->stream;
    return so_log_find(log, str_of(offset), r->stream)
               ? SIO_RECOVERED
               : SIO_RECOVERY_UNKNOWN_OFFSET;
}

static sio_recovery find(sio_socket *socket, const char *pid,
                         const char *offset)
{
    struct so_hub *hub = socket->part->nsp->hub;
    struct so_resume *r = socket->resume;
    sio_recovery result;

    so_recovery_lock(hub);
    result = take_session(socket, pid, offset);
    so_recovery_unlock(hub);
    if (r->session && result != SIO_RECOVERED) {
        so_session_free(r->session);
        r->session = NULL;
    }
    return result;
}

void so_resume_count(const sio_socket *socket)
{
    const struct so_client *client = socket->client;
    struct so_comebacks *r = &client->shard->comebacks;
    char address[NET_ADDRESS_TEXT];

    if (sio_recovered(socket)) {
        r->recovered++;
        return;
    }
    r->refused++;
    eng_peer_text(client->session, address);
    so_log(client->shard->hub, SIO_LOG_INFO,
           "client %s cannot be who it was in %s: %s", address,
           socket->part->nsp->name, sio_recovery_name(socket->resume->result));
}

int so_resume_begin(sio_socket *socket)
{
    char pid[SO_ID_LEN + 1], offset[SO_OFFSET_MAX + 1];
    struct so_client *client = socket->client;
    struct so_resume *r;

    if (!client->shard->hub->options.recovery_ms || socket->v2)
        return SIO_OK;
    r = calloc(1, sizeof *r);
    if (!r)
        return SIO_E_NOMEM;
    r->began = client->shard->comebacks.executed;
    socket->resume = r;
    if (so_recovers_abroad(client->shard->hub)) {
        int error = so_comeback_new(socket);

        return error < 0 ? error
                         : net_random_id(r->pid, &client->shard->id_counter);
    }
    if (so_auth_text(socket, "pid", pid, SO_ID_LEN) &&
        so_auth_text(socket, "offset", offset, SO_OFFSET_MAX)) {
        r->stream = malloc(sizeof *r->stream);
        if (!r->stream)
            return SIO_E_NOMEM;
        r->result = find(socket, pid, offset);
        so_resume_count(socket);
    }
    if (r->result != SIO_RECOVERED) {
        free(r->stream);
        r->stream = NULL;
        return net_random_id(r->pid, &client->shard->id_counter);
    }
    so_resume_take(socket, r->session);
    return SIO_OK;
}

void so_resume_take(sio_socket *socket, struct so_session *session)
{
    struct so_resume *r = socket->resume;

    r->session = session;
    r->waiting = true;
    memcpy(r->pid, session->pid, sizeof r->pid);
    memcpy(socket->id, session->sid, sizeof session->sid);
}

static size_t rooms_len(const sio_cluster_session *from)
{
    size_t n = 0;

    for (size_t i = 0; i < from->room_count; i++)
        n += from->rooms[i].n + 1;
    return n;
}

/* Rooms with a NUL in their name are left out: none that we can join. */
struct so_session *so_session_copy(const sio_cluster_session *from,
                                   sio_str data)
{
    struct so_session *s = calloc(1, sizeof *s + data.n + rooms_len(from));
    struct room_list rooms = { .own = from->sid };

    if (!s)
        return NULL;
    memcpy(s->sid, from->sid.p, SO_ID_LEN);
    memcpy(s->pid, from->pid.p, SO_ID_LEN);
    memcpy(s->text, data.p, data.n);
    s->data_len = data.n;
    rooms.at = s->text + data.n;
    for (size_t i = 0; i < from->room_count; i++)
        if (!memchr(from->rooms[i].p, 0, from->rooms[i].n))
            add_room(&rooms, from->rooms[i]);
    s->room_count = rooms.count;
    return s;
}

/* A copy of the JSON; and the program's pointer, if that is its socket's to
 * free: of any other nobody knows whether it is good still. */
static int take_data(sio_socket *socket, const struct so_session *s)
{
    sio_socket *before = s->socket;

    if (before && before->free_data) {
        sio_set_data(socket, before->data, before->free_data);
        before->data = NULL;
        before->free_data = NULL;
    }
    return s->data_len ? sio_set_data_json(socket, s->text, s->data_len)
                       : SIO_OK;
}

int so_resume_rooms(sio_socket *socket)
{
    struct so_session *s = socket->resume ? socket->resume->session : NULL;
    const char *room;
    int r;

    if (!s)
        return SIO_OK;
    socket->resume->session = NULL;
    r = take_data(socket, s);
    room = s->text + s->data_len;
    for (size_t i = 0; r == SIO_OK && i < s->room_count; i++) {
        r = sio_join(socket, room);
        room += strlen(room) + 1;
    }
    so_session_free(s);
    /* What is for everybody reaches those who have a room. */
    if (r == SIO_OK && so_recovers_abroad(socket->part->nsp->hub))
        r = sio_join(socket, socket->id);
    return r;
}

int so_resume_end(sio_socket *socket)
{
    struct so_resume *r = socket->resume;

    if (!r || !r->waiting)
        return SIO_OK;
    r->waiting = false;
    if (so_recovers_abroad(socket->part->nsp->hub))
        return so_missed_send(socket);
    return so_log_replay(socket);
}

void so_resume_free(sio_socket *socket)
{
    if (!socket->resume)
        return;
    if (socket->resume->session)
        so_session_free(socket->resume->session);
    so_comeback_drop(socket->resume);
    free(socket->resume->stream);
    free(socket->resume);
}
