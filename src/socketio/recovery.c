/*
 * recovery.c -- sockets that left and may come back: see recovery.h.
 *
 * A session is used up by coming back: a second client with the same pid finds
 * none. It is saved again when that client goes, also when it had not been let
 * in yet.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/socketio/recovery.h"

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

static void session_free(struct so_session *s)
{
    sio_release(s->socket);
    free(s);
}

/* Nobody finds it any more. */
static void session_take(struct so_shard *shard, struct so_session *s)
{
    map_remove(&s->log->sessions, &s->node);
    list_remove(&s->age);
    shard->recovery.bytes -= s->bytes;
    shard->recovery.session_count--;
}

static struct so_session *oldest_session(const struct so_shard *shard)
{
    const struct list *sessions = &shard->recovery.sessions;

    return list_empty(sessions)
               ? NULL
               : container_of(sessions->next, struct so_session, age);
}

/* Entry or session, whichever is older. */
static void drop_oldest(struct so_shard *shard)
{
    struct so_session *s = oldest_session(shard);

    if (s && s->left_ms <= so_log_oldest_ms(shard)) {
        session_take(shard, s);
        session_free(s);
    } else {
        so_log_drop_oldest(shard);
    }
}

/* When the oldest entry or session came; UINT64_MAX: there is none. */
static uint64_t oldest_ms(const struct so_shard *shard)
{
    const struct so_session *s = oldest_session(shard);
    uint64_t ms = so_log_oldest_ms(shard);

    return s && s->left_ms < ms ? s->left_ms : ms;
}

/* Without memory for the alarm it is tried again with what comes next. */
static void wait_for_oldest(struct so_shard *shard)
{
    const uint32_t keep = shard->hub->options.recovery_ms;
    struct so_recovery *r = &shard->recovery;
    const uint64_t least = keep / SWEEPS + 1, now = shard->loop->now_ms;
    const uint64_t oldest = oldest_ms(shard);
    uint64_t wait;

    if (oldest == UINT64_MAX) {
        net_alarm_stop(shard->loop, &r->alarm);
        return;
    }
    if (r->alarm.slot)
        return;
    wait = oldest + keep >= now ? oldest + keep - now + 1 : 0;
    (void)net_alarm_start(shard->loop, &r->alarm, wait > least ? wait : least);
}

void so_recovery_trim(struct so_shard *shard)
{
    const struct so_options *o = &shard->hub->options;
    uint64_t now = shard->loop->now_ms;

    while (oldest_ms(shard) != UINT64_MAX &&
           (shard->recovery.bytes > o->recovery_bytes ||
            now - oldest_ms(shard) > o->recovery_ms))
        drop_oldest(shard);
    wait_for_oldest(shard);
}

static void on_alarm(struct net_alarm *alarm)
{
    so_recovery_trim(container_of(alarm, struct so_shard, recovery.alarm));
}

void so_recovery_init(struct so_shard *shard)
{
    list_init(&shard->recovery.entries);
    list_init(&shard->recovery.sessions);
    net_alarm_init(&shard->recovery.alarm, on_alarm);
}

void so_recovery_clear(struct so_shard *shard)
{
    while (oldest_ms(shard) != UINT64_MAX)
        drop_oldest(shard);
    wait_for_oldest(shard);
}

int so_log_open(struct so_part *part)
{
    struct so_log *log;

    if (!so_recovers(part->nsp->hub))
        return SIO_OK;
    log = calloc(1, sizeof *log);
    if (!log)
        return SIO_E_NOMEM;
    list_init(&log->entries);
    map_init(&log->by_offset, part->nsp->hub->seed);
    map_init(&log->sessions, part->nsp->hub->seed);
    part->log = log;
    return SIO_OK;
}

/* A namespace goes, rarely, and what is left of its log among all others'. */
void so_log_close(struct so_part *part)
{
    struct so_log *log = part->log;
    struct map_node *node;

    if (!log)
        return;
    while ((node = map_first(&log->sessions))) {
        struct so_session *s = container_of(node, struct so_session, node);

        session_take(part->shard, s);
        session_free(s);
    }
    so_log_empty(part->shard, log);
    wait_for_oldest(part->shard);
    part->log = NULL;
    free(log);
}

/* ---------------------------------------------------------------- saving -- */

/* Reasons that are nobody's wish (socketio.md 3.8). A server that stops keeps
 * nothing; a slow consumer would be sent all of it again. */
static bool may_come_back(const char *reason)
{
    static const char *const reasons[] = { "transport error", "transport close",
                                           "forced close", "ping timeout",
                                           "forced server close" };

    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (strcmp(reason, reasons[i]) == 0)
            return true;
    return false;
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

static struct so_session *session_new(sio_socket *socket)
{
    sio_str data = sio_data_json(socket);
    struct room_list rooms = { .own = { socket->id, socket->id_len } };
    struct so_session *s;
    size_t bytes;

    data.n = socket->data_json ? data.n : 0; /* {} */
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
    if (socket->free_data) {
        s->socket = sio_retain(socket);
        s->bytes += sizeof *socket + socket->auth_len;
    }
    return s;
}

void so_save(sio_socket *socket, const char *reason)
{
    struct so_part *part = socket->part;
    struct so_recovery *r = &part->shard->recovery;
    struct so_session *s;

    if (!socket->resume || !part->log || !may_come_back(reason))
        return;
    s = session_new(socket);
    if (!s)
        return;
    if (map_add(&part->log->sessions, &s->node,
                (sio_str){ s->pid, SO_ID_LEN }) < 0) {
        session_free(s);
        return;
    }
    s->log = part->log;
    s->left_ms = part->shard->loop->now_ms;
    list_append(&r->sessions, &s->age);
    r->bytes += s->bytes;
    r->session_count++;
    so_recovery_trim(part->shard);
}

/* --------------------------------------------------------------- resuming --
 */

/* A member of auth, a string of at most `max` characters, into out[max + 1].
 * Longer ones are none of ours, and come out as "". False: no string. */
static bool auth_text(const sio_socket *socket, const char *key, char *out,
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

static sio_recovery find(sio_socket *socket, const char *pid,
                         const char *offset)
{
    struct so_shard *shard = socket->part->shard;
    struct so_log *log = socket->part->log;
    struct map_node *node = log ? map_find(&log->sessions, str_of(pid)) : NULL;
    struct so_session *s;

    if (!node)
        return SIO_RECOVERY_UNKNOWN_SESSION;
    s = container_of(node, struct so_session, node);
    if (shard->loop->now_ms - s->left_ms > shard->hub->options.recovery_ms)
        return SIO_RECOVERY_TOO_LATE; /* the sweep comes for it */
    session_take(shard, s);
    socket->resume->seen = so_log_find(log, str_of(offset));
    if (!socket->resume->seen) {
        session_free(s);
        return SIO_RECOVERY_UNKNOWN_OFFSET;
    }
    socket->resume->session = s;
    return SIO_RECOVERED;
}

static void count(struct so_client *client, const sio_socket *socket)
{
    struct so_recovery *r = &client->shard->recovery;
    char address[NET_ADDRESS_TEXT];

    if (sio_recovered(socket)) {
        r->recovered++;
        return;
    }
    r->refused++;
    net_address_text(eng_peer(client->session), address);
    so_log(client->shard->hub, SIO_LOG_INFO,
           "client %s cannot be who it was in %s: %s", address,
           socket->part->nsp->name, sio_recovery_name(socket->resume->result));
}

int so_resume_begin(sio_socket *socket)
{
    char pid[SO_ID_LEN + 1], offset[SO_OFFSET_MAX + 1];
    struct so_client *client = socket->client;
    struct so_resume *r;

    if (!so_recovers(client->shard->hub) || socket->v2)
        return SIO_OK;
    r = calloc(1, sizeof *r);
    if (!r)
        return SIO_E_NOMEM;
    socket->resume = r;
    if (auth_text(socket, "pid", pid, SO_ID_LEN) &&
        auth_text(socket, "offset", offset, SO_OFFSET_MAX)) {
        r->result = find(socket, pid, offset);
        count(client, socket);
    }
    if (r->result != SIO_RECOVERED)
        return net_random_id(r->pid, &client->shard->id_counter);
    r->waiting = true;
    memcpy(r->pid, r->session->pid, sizeof r->pid);
    memcpy(socket->id, r->session->sid, sizeof r->session->sid);
    return SIO_OK;
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
    session_free(s);
    return r;
}

bool so_resume_end(sio_socket *socket)
{
    struct so_resume *r = socket->resume;

    if (!r || !r->waiting)
        return true;
    r->waiting = false;
    return so_log_replay(socket, r->seen);
}

void so_resume_free(sio_socket *socket)
{
    if (!socket->resume)
        return;
    if (socket->resume->session)
        session_free(socket->resume->session);
    free(socket->resume);
}
