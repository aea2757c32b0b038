/*
 * session.c -- state, heartbeat, sending and closing of a session. The
 * transports come here with decoded packets and with what went wrong; the upper
 * layer with what to send.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/engine/session.h"

#include "protocol/engineio/open.h"
#include "src/engine/revision.h"
#include "src/engine/watch.h"
#include "src/net/random.h"

#include <stdlib.h>

/* `sid` p NULL: one like Node's. */
static int set_sid(struct eng_session *s, sio_str sid)
{
    struct eng_ids *ids = s->engine->options.ids;

    if (!sid.p)
        return engine_make_sid(s->engine, s->sid);
    memcpy(s->sid, sid.p, sid.n);
    s->sid[sid.n] = 0;
    return ids ? eng_ids_add(ids, sid, (unsigned)s->engine->home) : SIO_OK;
}

struct eng_session *session_new(struct engine *e, struct http_exchange *ex,
                                sio_str sid)
{
    const size_t length = sid.p ? sid.n : ENG_SID_LEN;
    struct eng_session *s =
        calloc(1, offsetof(struct eng_session, sid) + length + 1);
    struct http_client client;

    if (!s)
        return NULL;
    s->engine = e;
    s->state = EIO_OPENING;
    client = http_client(ex);
    s->request = http_keep(ex->request, &client.address);
    if (!s->request || set_sid(s, sid) < 0) {
        free(s->request);
        free(s);
        return NULL;
    }
    revision_init(s);
    s->request->secure = client.secure;
    s->opened_s = (uint32_t)(e->loop->now_ms / 1000);
    s->rtt_ms = ENG_RTT_UNKNOWN;
    s->parting = EIO_CLOSE_FORCED_CLOSE;
    net_timer_init(&s->heartbeat);
    return s;
}

static void session_free(struct net_deferred *d)
{
    struct eng_session *s = container_of(d, struct eng_session, cleanup);

    map_fit(&s->engine->sessions); /* here nobody walks over it */
    free(s->request);
    free(s);
}

/* It may be another session's from here on. */
static void release_id(struct eng_session *s)
{
    if (s->engine->options.ids)
        eng_ids_remove(s->engine->options.ids, str_of(s->sid));
}

void session_abandon(struct eng_session *s)
{
    session_step(s, EIO_ON_CLOSE);
    release_id(s);
    polling_end(s);
    net_defer(s->engine->loop, &s->cleanup, session_free);
}

/* The server pings, or waits for a client of Engine.IO 3 to do so. */
static void start_heartbeat(struct eng_session *s)
{
    struct engine *e = s->engine;

    net_timer_start(s->v3 ? &e->silences : &e->pings, &s->heartbeat);
}

bool session_open(struct eng_session *s, enum eio_event how)
{
    struct engine *e = s->engine;

    session_step(s, how);
    if (map_add(&e->sessions, &s->node, str_of(s->sid)) < 0)
        goto fail;
    start_heartbeat(s);
    e->counts.websockets += s->websocket;
    if (e->ops->on_open(e->self, s) < 0) {
        e->counts.websockets -= s->websocket;
        net_timer_stop(&s->heartbeat);
        map_remove(&e->sessions, &s->node);
        goto fail;
    }
    e->counts.handshakes++;
    e->counts.websocket_handshakes += how == EIO_ON_OPEN_WEBSOCKET;
    return true;
fail:
    polling_detach(s);
    if (s->ws)
        websocket_close(s->ws, WS_CLOSE_INTERNAL_ERROR);
    session_abandon(s);
    return false;
}

struct eng_session *session_find(struct engine *e, sio_str sid)
{
    struct map_node *node = map_find(&e->sessions, sid);

    return node ? container_of(node, struct eng_session, node) : NULL;
}

int session_append_open(struct eng_session *s, struct grow *out)
{
    const struct eng_options *o = &s->engine->options;
    struct eio_open open = {
        .sid = str_of(s->sid),
        .upgrade_websocket =
            !s->ws && o->allow_upgrades && (o->transports & ENG_WEBSOCKET),
        .ping_interval_ms = o->ping_interval_ms,
        .ping_timeout_ms = o->ping_timeout_ms,
        .max_payload = o->max_payload,
    };
    int r = grow_append_byte(out, '0');

    return r < 0 ? r : eio_open_encode(out, &open);
}

/* ------------------------------------------------------------ receiving -- */

/* The client's part of a heartbeat. */
static enum eio_type heartbeat_of(const struct eng_session *s)
{
    return s->v3 ? EIO_PACKET_PING : EIO_PACKET_PONG;
}

/* A pong is here: how long it took. Unless the wait was restarted, it is due
 * ping_timeout_ms after the ping. */
static void note_round_trip(struct eng_session *s)
{
    const struct engine *e = s->engine;
    uint64_t sent = s->heartbeat.due_ms - e->options.ping_timeout_ms;

    if (s->awaiting_pong && !s->pong_extended && e->loop->now_ms >= sent)
        s->rtt_ms = (uint32_t)(e->loop->now_ms - sent);
}

/* Node 6.6.11: while a pong is awaited, the first other packet restarts the
 * wait, once a ping. */
static void note_traffic(struct eng_session *s, enum eio_type type)
{
    if (type == heartbeat_of(s)) {
        note_round_trip(s);
        s->awaiting_pong = false;
        start_heartbeat(s);
    } else if (s->awaiting_pong && !s->pong_extended) {
        s->pong_extended = true;
        net_timer_start(&s->engine->pongs, &s->heartbeat);
    }
}

static void send_heartbeat(struct eng_session *s, enum eio_type type)
{
    const char digit = eio_packet_digit(type);

    watch_created(s, type);
    if (s->state == EIO_WEBSOCKET) {
        session_count_out(s, 1);
        websocket_send(s->ws, WS_TEXT, (sio_str){ &digit, 1 });
        watch_framed(s, type);
    } else if (eng_is_open(s)) {
        session_count_out(s, 1);
        polling_send(s, type, STR(""));
    }
}

static void on_heartbeat(struct eng_session *s)
{
    struct engine *e = s->engine;

    if (s->v3)
        send_heartbeat(s, EIO_PACKET_PONG);
    if (e->ops->on_heartbeat && eng_is_open(s))
        e->ops->on_heartbeat(e->self, s);
}

/* One that the other side has to send. */
static bool is_misdirected(const struct eng_session *s, enum eio_type type)
{
    return type == (s->v3 ? EIO_PACKET_PONG : EIO_PACKET_PING);
}

void session_on_packet(struct eng_session *s, const struct eio_packet *p)
{
    struct engine *e = s->engine;

    s->packets_in++;
    e->counts.packets_in++;
    watch_received(s, p);
    if (p->type == EIO_PACKET_CLOSE) {
        session_end_batch(s);
        if (!session_is_closed(s)) {
            polling_answer(s, ENG_CONTROL_NOOP);
            session_close(s, EIO_CLOSE_TRANSPORT_CLOSE, NULL);
        }
        return;
    }
    if (!eng_is_open(s))
        return;
    note_traffic(s, p->type);
    if (p->type == EIO_PACKET_MESSAGE) {
        e->ops->on_message(e->self, s, p->binary,
                           (uint8_t *)(uintptr_t)p->data.p, p->data.n);
    } else if (is_misdirected(s, p->type)) {
        session_end_batch(s);
        session_close(s, EIO_CLOSE_TRANSPORT_ERROR,
                      "invalid heartbeat direction");
    } else if (p->type == heartbeat_of(s)) {
        on_heartbeat(s);
    }
}

void session_end_batch(struct eng_session *s)
{
    struct engine *e = s->engine;

    if (!session_is_closed(s))
        e->ops->on_batch(e->self, s);
}

/* ------------------------------------------------------------ heartbeat -- */

void session_ping_due(struct net_timer *timer)
{
    struct eng_session *s = container_of(timer, struct eng_session, heartbeat);

    s->awaiting_pong = true;
    s->pong_extended = false;
    net_timer_start_after(&s->engine->pongs, timer);
    send_heartbeat(s, EIO_PACKET_PING);
}

void session_pong_missing(struct net_timer *timer)
{
    struct eng_session *s = container_of(timer, struct eng_session, heartbeat);

    session_close(s, EIO_CLOSE_PING_TIMEOUT, NULL);
}

/* -------------------------------------------------------------- sending -- */

bool eng_is_open(const struct eng_session *s)
{
    return s->state == EIO_POLLING || s->state == EIO_PROBING ||
           s->state == EIO_WEBSOCKET;
}

bool eng_writable(const struct eng_session *s)
{
    if (s->state == EIO_WEBSOCKET)
        return http_websocket_writable(&s->ws->ws);
    return eng_is_open(s) && s->polling->poll && s->polling->out.len == 0;
}

bool eng_takes_volatile(const struct eng_session *s)
{
    size_t most = s->engine->options.max_volatile;

    return eng_writable(s) ||
           (most && eng_is_open(s) && eng_buffered(s) <= most);
}

void session_count_out(struct eng_session *s, size_t packets)
{
    s->packets_out += (uint32_t)packets;
    s->engine->counts.packets_out += packets;
}

void eng_send_text(struct eng_session *s, sio_str text, bool compress)
{
    if (s->state == EIO_WEBSOCKET) {
        session_count_out(s, 1);
        websocket_send_message(s->ws, false, text, compress);
    } else if (eng_is_open(s)) {
        session_count_out(s, 1);
        s->polling->compress |= compress;
        polling_send(s, EIO_PACKET_MESSAGE,
                     (sio_str){ text.p + 1, text.n - 1 });
    }
}

/* Mark: the client lets too much wait. It is closed from the flush task, since
 * whoever sends may be half-way through a list of sessions. */
static void doom(struct eng_session *s, enum eng_doom why)
{
    s->doom = why & 3;
    net_task_schedule(s->engine->loop, &s->polling->flush);
}

/* A polling form is queued: count it and answer a waiting GET at the tail. */
static void polling_queued(struct eng_session *s, size_t before, int r)
{
    if (r < 0) {
        doom(s, r == SIO_E_LIMIT ? ENG_DOOM_SLOW : ENG_DOOM_NOMEM);
        return;
    }
    s->engine->buffered += s->polling->out.len - before;
    if (s->polling->poll)
        net_task_schedule(s->engine->loop, &s->polling->flush);
}

void polling_send(struct eng_session *s, enum eio_type type, sio_str data)
{
    size_t before = session_waiting(s);

    polling_queued(s, before, revision_queue(s, type, data));
}

void eng_send_binary(struct eng_session *s, sio_str data, bool compress)
{
    size_t before = session_waiting(s);

    if (s->state == EIO_WEBSOCKET) {
        session_count_out(s, 1);
        websocket_send_message(s->ws, true, data, compress);
    } else if (eng_is_open(s)) {
        session_count_out(s, 1);
        s->polling->compress |= compress;
        polling_queued(s, before, revision_queue_binary(s, data));
    }
}

static void append_frames(struct eng_ws *ws, struct sio_packet *p,
                          bool compress)
{
    for (size_t i = 0; i < p->count; i++) {
        struct http_frame *part = &p->parts[i];

        if (part->op == WS_BINARY && revision_wraps(ws))
            websocket_send_message(ws, true, http_frame_data(part), compress);
        else
            http_websocket_send_frame(&ws->ws, part, compress);
    }
}

void eng_send_packet(struct eng_session *s, struct sio_packet *p, bool compress)
{
    size_t before = session_waiting(s);

    if (s->state == EIO_WEBSOCKET) {
        session_count_out(s, p->count);
        append_frames(s->ws, p, compress);
    } else if (eng_is_open(s)) {
        session_count_out(s, p->count);
        s->polling->compress |= compress;
        polling_queued(s, before, revision_queue_packet(s, p));
    }
}

/* -------------------------------------------------------------- closing -- */

bool session_is_closed(const struct eng_session *s)
{
    return s->state == EIO_CLOSED;
}

static void count_closed(const struct eng_session *s,
                         enum eio_close_reason reason)
{
    struct eng_counts *counts = &s->engine->counts;
    bool probing = s->ws && !s->ws->active;

    counts->closed[reason]++;
    counts->websockets -= s->websocket;
    counts->probing -= probing;
    counts->upgrades_failed += probing;
    counts->discarded_bytes += session_waiting(s);
}

void session_close(struct eng_session *s, enum eio_close_reason reason,
                   const char *detail)
{
    struct engine *e = s->engine;
    bool tells =
        e->ops->on_end && (int)eng_end_level(reason) <= e->options.log_level;
    struct eng_end end;

    if (session_is_closed(s))
        return;
    if (tells)
        end_note(s, reason, detail, &end);
    count_closed(s, reason);
    session_step(s, EIO_ON_CLOSE);
    net_timer_stop(&s->heartbeat);
    polling_detach(s);
    if (s->ws)
        websocket_close(s->ws, WS_CLOSE_NO_STATUS);
    e->buffered -= session_waiting(s);
    map_remove(&e->sessions, &s->node);
    release_id(s);
    watch_closed(s);
    if (tells)
        e->ops->on_end(e->self, &end);
    e->ops->on_close(e->self, s, reason, detail);
    polling_end(s);
    net_defer(e->loop, &s->cleanup, session_free);
}

static void close_in_order(struct eng_session *s, enum eio_close_reason reason)
{
    if (s->state == EIO_WEBSOCKET) {
        session_close(s, reason, NULL);
        return;
    }
    if (!eng_is_open(s))
        return;
    if (s->polling->post) {
        session_close(s, EIO_CLOSE_TRANSPORT_ERROR,
                      "closed while a POST was arriving");
    } else if (s->polling->poll && s->polling->out.len == 0) {
        session_close(s, reason, NULL);
    } else {
        /* The next poll brings what is queued, the one after it the close. */
        s->parting = reason & 31;
        session_step(s, EIO_ON_SHUT);
        net_timer_start(&s->engine->poll_closes, &s->polling->closing);
    }
}

void eng_close(struct eng_session *s)
{
    close_in_order(s, EIO_CLOSE_FORCED_CLOSE);
}

bool eng_close_oldest(struct engine *e)
{
    struct map_node *n;
    size_t at = map_begin(&e->sessions);

    while ((n = map_walk(&e->sessions, &at))) {
        struct eng_session *s = container_of(n, struct eng_session, node);

        if (!eng_is_open(s) || (s->polling && s->polling->post))
            continue;
        close_in_order(s, EIO_CLOSE_SERVER_SHUTDOWN);
        return true;
    }
    return false;
}

void eng_discard(struct eng_session *s, enum eio_close_reason reason)
{
    session_close(s, reason, NULL);
}

void session_poll_never_came(struct net_timer *timer)
{
    struct eng_session *s =
        container_of(timer, struct eng_polling, closing)->session;

    session_close(s, (enum eio_close_reason)s->parting,
                  "no poll fetched the close");
}

/* ------------------------------------------------------------ accessors -- */

const char *eng_sid(const struct eng_session *s)
{
    return s->sid;
}

void eng_set_user(struct eng_session *s, void *user)
{
    s->user = user;
}

void *eng_user(const struct eng_session *s)
{
    return s->user;
}

enum eio_state eng_state(const struct eng_session *s)
{
    return (enum eio_state)s->state;
}

const struct http_kept *eng_request(const struct eng_session *s)
{
    return s->request;
}

sio_str eng_carrier_value(const struct eng_session *s, sio_str name)
{
    const struct http_request *post = s->polling ? s->polling->carrier : NULL;

    return post ? http_field_value(post, name)
                : http_kept_value(s->request, name);
}

void eng_peer_text(const struct eng_session *s, char out[NET_ADDRESS_TEXT])
{
    struct net_address peer = http_kept_peer(s->request);

    net_address_text(&peer, out);
}

bool eng_is_v3(const struct eng_session *s)
{
    return s->v3;
}

const char *eng_transport(const struct eng_session *s)
{
    return s->websocket ? "websocket" : "polling";
}
