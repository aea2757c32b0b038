/*
 * outgoing.c -- telling those who want to see what is emitted, before it is
 * written: sio_on_any_outgoing() of <sio/intercept.h>.
 *
 * They see the values that were emitted, in one event for all sockets that a
 * broadcast reaches. Which these are is found out before anybody is told: what
 * is told may join, leave and disconnect.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/socketio/scan.h"
#include "src/socketio/codec.h"

/* A received binary value that is passed on is JSON text with attachments; here
 * it is to be told as binary again. */
static sio_value seen_as(const sio_value *v)
{
    struct json_placeholder ph;
    sio_str text = { v->data, v->size };
    size_t pos = 0;

    if (v->kind != SIO_RAW_JSON || !v->attachment_count ||
        json_kind(text) != JSON_OBJECT ||
        !json_next_placeholder(text, &pos, &ph) || ph.start != 0 ||
        (uint64_t)ph.num >= v->attachment_count)
        return *v;
    return sio_binary(v->attachments[ph.num].p, v->attachments[ph.num].n);
}

/* The name, the values, what the packet carries besides: they are valid, as the
 * packet was encoded before. */
static int event_of(struct sio_event *event, const struct sp_message *m)
{
    const size_t count = 1 + m->count + (m->extra.p != NULL);
    sio_value *values;

    *event = (struct sio_event){
        .args = &so_args_values,
        .packet = { .type = SP_EVENT, .nsp = m->nsp, .id = SP_NO_ID }
    };
    values = arena_alloc(&event->arena, count * sizeof *values);
    if (!values)
        return SIO_E_NOMEM;
    so_event_init(event, NULL, 1);
    values[0] = sio_stringn(m->event.p, m->event.n);
    for (size_t i = 0; i < m->count; i++)
        values[i + 1] = seen_as(&m->values[i]);
    if (m->extra.p)
        values[count - 1] = sio_stringn(m->extra.p, m->extra.n);
    event->packet.json =
        (sio_str){ (const char *)values, count * sizeof *values };
    event->packet.argc = count;
    for (size_t i = 0; i < count && i < SP_ARGS; i++)
        event->packet.argv[i] =
            (sio_str){ (const char *)&values[i], sizeof *values };
    return SIO_OK;
}

static void tell(sio_socket *socket, struct sio_event *event)
{
    struct so_walk walk = so_walk_of(socket->part->nsp, on_any_outgoing);
    const struct so_handler *h;

    event->socket = socket;
    while ((h = so_walk_next(&walk)))
        SO_FN(sio_event_fn, h)(socket, event, h->user);
}

int so_tell_outgoing(sio_socket *socket, const struct sp_message *m)
{
    struct sio_event event;
    int r = event_of(&event, m);

    if (r < 0)
        return r;
    tell(socket, &event);
    so_event_release(&event);
    return SIO_OK;
}

struct reached {
    struct grow sockets; /* sio_socket *; none is freed within a turn */
    int result;
};

static void reach(void *user, sio_socket *socket)
{
    struct reached *to = user;

    if (to->result == SIO_OK && socket->state == SO_CONNECTED)
        to->result = grow_append(&to->sockets, &socket, sizeof socket);
}

int so_tell_broadcast(const struct so_part *part,
                      const sio_broadcast_options *o,
                      const struct sp_message *m)
{
    struct reached to = { .result = SIO_OK };
    struct sio_event event;
    sio_socket *socket;
    int r = event_of(&event, m);

    if (r < 0)
        return r;
    grow_init(&to.sockets, SIZE_MAX);
    part->ops->select(part->adapter, o, reach, &to);
    for (size_t at = 0; to.result == SIO_OK && at < to.sockets.len;
         at += sizeof socket) {
        memcpy(&socket, to.sockets.data + at, sizeof socket);
        if (socket->state == SO_CONNECTED)
            tell(socket, &event);
    }
    grow_free(&to.sockets);
    so_event_release(&event);
    return to.result;
}
