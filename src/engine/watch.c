/*
 * watch.c -- see watch.h; and eng_send(), which is for those who watch.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/engine/watch.h"

#include "protocol/websocket/frame.h"
#include "src/engine/revision.h"

#include <limits.h>
#include <stdlib.h>

/* The public names stand for the same numbers. */
_Static_assert((int)SIO_PACKET_NOOP == (int)EIO_PACKET_NOOP &&
                   (int)SIO_PACKET_MESSAGE == (int)EIO_PACKET_MESSAGE,
               "packet types");

static sio_engine_packet packet_of(enum eio_type type, bool binary,
                                   sio_str data)
{
    return (sio_engine_packet){ .type = (sio_packet_type)type,
                                .data = binary ? sio_binary(data.p, data.n)
                                               : sio_stringn(data.p, data.n) };
}

void watch_packet(struct eng_session *s, const struct eio_packet *p)
{
    struct engine *e = s->engine;
    sio_engine_packet packet = packet_of(p->type, p->binary, p->data);

    if (eng_is_open(s))
        e->ops->on_packet(e->self, s, &packet);
}

/* ---------------------------------------------------------------- leaving --
 */

static void tell_created(struct eng_session *s, const sio_engine_packet *p)
{
    struct engine *e = s->engine;

    if (e->ops->on_packet_create && eng_is_open(s))
        e->ops->on_packet_create(e->self, s, p);
}

static void tell_flush(struct eng_session *s, const sio_engine_packet *packets,
                       size_t count)
{
    struct engine *e = s->engine;

    s->undrained = e->ops->on_drain != NULL;
    if (e->ops->on_flush)
        e->ops->on_flush(e->self, s, packets, count);
}

void watch_created(struct eng_session *s, enum eio_type type)
{
    sio_engine_packet p = packet_of(type, false, STR(""));

    tell_created(s, &p);
}

void watch_framed(struct eng_session *s, enum eio_type type)
{
    sio_engine_packet p = packet_of(type, false, STR(""));

    tell_flush(s, &p, 1);
}

static void list_init_empty(struct watch_list *list, size_t waited)
{
    *list = (struct watch_list){ .waited = waited };
    grow_init(&list->bytes, SIZE_MAX);
}

static void list_free(struct watch_list *list)
{
    grow_free(&list->bytes);
    free(list->packets);
}

static int list_add(struct watch_list *list, const struct eio_packet *p)
{
    if (list->count == list->cap) {
        size_t cap = list->cap ? 2 * list->cap : 8;
        sio_engine_packet *more =
            realloc(list->packets, cap * sizeof *list->packets);

        if (!more)
            return SIO_E_NOMEM;
        list->packets = more;
        list->cap = cap;
    }
    list->packets[list->count++] = packet_of(p->type, p->binary, p->data);
    return SIO_OK;
}

/* What waits for a poll, from a copy: base64 is decoded in place. */
static int list_fill(struct watch_list *list, const struct eng_session *s)
{
    struct eng_walk walk;
    struct eio_packet p;
    int r;

    if (session_waiting(s) == 0)
        return SIO_OK;
    r = grow_append(&list->bytes, s->polling->out.data, s->polling->out.len);
    if (r < 0)
        return r;
    revision_walk(&walk, s, EIO_FORM3_BINARY, (char *)list->bytes.data,
                  list->bytes.len);
    while (r == SIO_OK && revision_next(&walk, &p) == 1)
        r = list_add(list, &p);
    return r;
}

void watch_leave(struct eng_session *s, struct watch_list *leaving)
{
    list_init_empty(leaving, session_waiting(s));
    if (s->engine->ops->on_flush && list_fill(leaving, s) < 0)
        leaving->count = 0;
}

void watch_polled(struct eng_session *s, struct watch_list *leaving)
{
    if (!session_is_closed(s)) {
        tell_flush(s, leaving->packets, leaving->count);
        watch_sent(s);
    }
    list_free(leaving);
}

void watch_upgraded(struct eng_session *s, struct watch_list *leaving)
{
    struct engine *e = s->engine;

    if (map_find(&e->expected, str_of(s->sid)))
        websocket_watch(s->ws);
    if (leaving->waited)
        tell_flush(s, leaving->packets, leaving->count);
    list_free(leaving);
    if (e->ops->on_upgrade && s->state == EIO_WEBSOCKET)
        e->ops->on_upgrade(e->self, s);
}

/* -------------------------------------------------------------- callbacks --
 */

struct sent {
    void (*on_sent)(sio_session *session, void *user);
    void *user;
};

/* The sends of one session whose callbacks are due when they have gone. */
struct expected {
    struct map_node node; /* in engine->expected, under the session's sid */
    struct sent *list;
    size_t count, cap;
};

static struct expected *expected_of(const struct eng_session *s)
{
    struct map_node *node = map_find(&s->engine->expected, str_of(s->sid));

    return node ? container_of(node, struct expected, node) : NULL;
}

static void expected_free(struct expected *x)
{
    free(x->list);
    free(x);
}

static struct expected *expected_new(struct eng_session *s)
{
    struct expected *x = calloc(1, sizeof *x);

    if (x && map_add(&s->engine->expected, &x->node, str_of(s->sid)) < 0) {
        free(x);
        return NULL;
    }
    return x;
}

static int expect(struct eng_session *s, const struct eng_message *m)
{
    struct expected *x = expected_of(s);

    if (!x)
        x = expected_new(s);
    if (!x)
        return SIO_E_NOMEM;
    if (x->count == x->cap) {
        size_t cap = x->cap ? 2 * x->cap : 4;
        struct sent *more = realloc(x->list, cap * sizeof *more);

        if (!more)
            return SIO_E_NOMEM;
        x->list = more;
        x->cap = cap;
    }
    x->list[x->count++] = (struct sent){ m->on_sent, m->user };
    if (s->state == EIO_WEBSOCKET)
        websocket_watch(s->ws);
    return SIO_OK;
}

/* They may send again, which is expected anew, or close the session: then the
 * rest is not called. */
static void call_back(struct eng_session *s, struct expected *x)
{
    sio_session *session = (sio_session *)(void *)s;

    map_remove(&s->engine->expected, &x->node);
    for (size_t i = 0; i < x->count && !session_is_closed(s); i++)
        x->list[i].on_sent(session, x->list[i].user);
    expected_free(x);
}

void watch_sent(struct eng_session *s)
{
    struct engine *e = s->engine;
    struct expected *x = map_first(&e->expected) ? expected_of(s) : NULL;

    if (x)
        call_back(s, x);
    if (!s->undrained || session_is_closed(s))
        return;
    s->undrained = false;
    e->ops->on_drain(e->self, s);
}

void watch_closed(struct eng_session *s)
{
    struct engine *e = s->engine;
    struct expected *x = map_first(&e->expected) ? expected_of(s) : NULL;

    if (!x)
        return;
    map_remove(&e->expected, &x->node);
    expected_free(x);
}

/* ---------------------------------------------------------------- sending --
 */

/* One final, unmasked data frame and nothing else? Our own encoder would have
 * given it this header. */
static bool is_frame(sio_str frame)
{
    const uint8_t *p = (const uint8_t *)frame.p;
    uint8_t head[WS_HEAD_MAX];
    size_t n;

    if (frame.n < 2)
        return false;
    n = p[1] == 126 ? 4 : p[1] == 127 ? 10 : 2;
    if ((p[0] != (0x80 | WS_TEXT) && p[0] != (0x80 | WS_BINARY)) || frame.n < n)
        return false;
    return ws_encode_head(head, (enum ws_op)(p[0] & 0x0f), frame.n - n, NULL) ==
               n &&
           memcmp(head, p, n) == 0;
}

/* To the WebSocket; text gets its "4". */
static int send_framed(struct eng_session *s, const struct eng_message *m)
{
    struct grow text;
    int r;

    if (m->frame.n && !s->engine->options.deflate.on) {
        net_conn_append(s->ws->ws.conn, m->frame.p, m->frame.n);
        return SIO_OK;
    }
    if (m->binary) {
        websocket_send_message(s->ws, true, m->data, m->compress);
        return SIO_OK;
    }
    grow_init(&text, SIZE_MAX);
    r = grow_reserve(&text, m->data.n + 1);
    if (r == SIO_OK) {
        grow_append_byte(&text, '4');
        grow_append(&text, m->data.p, m->data.n);
        websocket_send_message(s->ws, false, grow_str(&text), m->compress);
    }
    grow_free(&text);
    return r;
}

static int transmit(struct eng_session *s, const struct eng_message *m)
{
    if (s->state != EIO_WEBSOCKET && m->binary) {
        eng_send_binary(s, m->data, m->compress);
        return SIO_OK;
    }
    session_count_out(s, 1);
    if (s->state == EIO_WEBSOCKET)
        return send_framed(s, m);
    s->polling->compress |= m->compress;
    polling_send(s, EIO_PACKET_MESSAGE, m->data);
    return SIO_OK;
}

int eng_send(struct eng_session *s, const struct eng_message *m)
{
    sio_engine_packet p = packet_of(EIO_PACKET_MESSAGE, m->binary, m->data);
    int r = SIO_OK;

    if (!eng_is_open(s))
        return SIO_E_STATE;
    if (m->frame.n && !is_frame(m->frame))
        return SIO_E_INVAL;
    tell_created(s, &p);
    if (!eng_is_open(s))
        return SIO_E_STATE;
    if (m->on_sent)
        r = expect(s, m);
    if (r < 0)
        return r;
    r = transmit(s, m);
    if (r < 0 && m->on_sent)
        expected_of(s)->count--;
    else if (r == SIO_OK && s->state == EIO_WEBSOCKET)
        tell_flush(s, &p, 1);
    return r;
}

/* ---------------------------------------------------------------- waiting --
 */

size_t eng_buffered(const struct eng_session *s)
{
    if (s->state == EIO_WEBSOCKET)
        return s->ws->ws.conn ? s->ws->ws.conn->queued : 0;
    return session_waiting(s);
}

int eng_each_buffered(const struct eng_session *s,
                      void (*fn)(void *user, const sio_engine_packet *p),
                      void *user)
{
    struct watch_list waiting;
    int r;

    list_init_empty(&waiting, session_waiting(s));
    r = list_fill(&waiting, s);
    for (size_t i = 0; r == SIO_OK && i < waiting.count; i++)
        fn(user, &waiting.packets[i]);
    if (r == SIO_OK)
        r = waiting.count < INT_MAX ? (int)waiting.count : INT_MAX;
    list_free(&waiting);
    return r;
}
