/*
 * emit.c -- sending events: <sio/emit.h>.
 *
 *   one socket     encoded into the shard's scratch space, from there straight
 *                  into the connection's output
 *   many sockets   encoded once into a sio_packet, delivered by the adapters of
 *                  all loops: bus.h
 *   other thread   encoded there, then the same
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/socketio/cluster.h"
#include "src/socketio/codec.h"
#include "src/socketio/recovery_abroad.h"

#include <stdlib.h>

/* -------------------------------------------------------------- encoding -- */

int so_message_init(struct sp_message *m, const sio_namespace *nsp,
                    const char *event, const sio_value *values, size_t count)
{
    *m = (struct sp_message){ .type = SP_EVENT,
                              .nsp = map_key(&nsp->node),
                              .id = SP_NO_ID,
                              .event = str_of(event),
                              .values = values,
                              .count = count };
    if (!event)
        return SIO_E_INVAL;
    return sp_reserved_event(m->event) ? SIO_E_RESERVED : SIO_OK;
}

static int encode(const struct so_hub *hub, struct grow *out,
                  struct sp_attachments *bin, const struct sp_message *m)
{
    int r;

    out->len = 0;
    r = hub->binary ? SIO_OK : grow_append_byte(out, '4');
    return r < 0 ? r : hub->codec->encode(hub, out, bin, m);
}

int so_encode(struct so_shard *shard, const struct sp_message *m)
{
    return encode(shard->hub, &shard->scratch, &shard->bin, m);
}

void so_send_scratch(struct so_shard *shard, struct eng_session *session,
                     bool compress)
{
    const sio_str first = grow_str(&shard->scratch);

    if (shard->hub->binary)
        eng_send_binary(session, first, compress);
    else
        eng_send_text(session, first, compress);
    for (size_t i = 0; i < shard->bin.count; i++)
        eng_send_binary(session, shard->bin.items[i], compress);
}

/* A rare large packet does not stay in memory. */
void so_scratch_done(struct so_shard *shard)
{
    if (shard->scratch.cap > SO_SCRATCH_KEEP)
        grow_free(&shard->scratch);
}

/* Encode for sharing, on any thread. */
int so_make_packet(struct so_hub *hub, const struct sp_message *m,
                   struct sio_packet **packet)
{
    struct sp_attachments bin;
    struct grow text;
    int r;

    grow_init(&text, hub->options.max_packet);
    sp_attachments_init(&bin);
    r = encode(hub, &text, &bin, m);
    if (r == SIO_OK) {
        *packet =
            eng_packet_new(hub->binary, grow_str(&text), bin.items, bin.count);
        r = *packet ? SIO_OK : SIO_E_NOMEM;
    }
    sp_attachments_free(&bin);
    grow_free(&text);
    return r;
}

/* -------------------------------------------------------------- targets -- */

sio_target sio_target_namespace(sio_namespace *nsp)
{
    return (sio_target){ .nsp = nsp };
}

sio_target sio_target_socket(sio_socket *socket)
{
    return (sio_target){ .nsp = socket->part->nsp, .socket = socket };
}

sio_target sio_broadcast(sio_socket *socket)
{
    return (sio_target){ .nsp = socket->part->nsp, .sender = socket };
}

sio_target sio_and_to(sio_target target, const char *room)
{
    if (target.room_count < SIO_TARGET_ROOMS)
        target.rooms[target.room_count++] = room;
    else
        target.overflow = true;
    return target;
}

sio_target sio_target_except(sio_target target, const char *room)
{
    if (target.except_count < SIO_TARGET_ROOMS)
        target.except[target.except_count++] = room;
    else
        target.overflow = true;
    return target;
}

sio_target sio_target_volatile(sio_target target)
{
    target.is_volatile = true;
    return target;
}

sio_target sio_target_local(sio_target target)
{
    target.is_local = true;
    return target;
}

sio_target sio_target_compress(sio_target target, bool compress)
{
    target.no_compress = !compress;
    return target;
}

sio_target sio_target_timeout(sio_target target, uint32_t ms)
{
    target.timeout_ms = ms;
    return target;
}

static unsigned target_flags(const sio_target *t)
{
    return (t->is_volatile ? SIO_FLAG_VOLATILE : 0u) |
           (t->is_local ? SIO_FLAG_LOCAL : 0u) |
           (t->no_compress ? SIO_FLAG_NO_COMPRESS : 0u);
}

void so_target_options(const sio_target *t, sio_broadcast_options *o,
                       sio_str *rooms)
{
    sio_str *except = rooms + SIO_TARGET_ROOMS;

    *o = (sio_broadcast_options){ .rooms = rooms,
                                  .room_count = t->room_count,
                                  .except = except,
                                  .except_count = t->except_count,
                                  .flags = target_flags(t) };
    for (size_t i = 0; i < t->room_count; i++)
        rooms[i] = str_of(t->rooms[i]);
    for (size_t i = 0; i < t->except_count; i++)
        except[i] = str_of(t->except[i]);
    if (t->sender)
        except[o->except_count++] =
            (sio_str){ t->sender->id, t->sender->id_len };
}

/* ------------------------------------------------------------- emitting -- */

int so_encode_told(sio_socket *socket, const struct sp_message *m)
{
    struct so_shard *shard = socket->part->shard;
    int r = so_encode(shard, m);

    if (r < 0)
        return r;
    r = so_tell_outgoing(socket, m); /* what it emits is encoded there, too */
    return r < 0 ? r : so_encode(shard, m);
}

/* A packet, to be executed by whoever has the sockets. With `socket` NULL: for
 * those that match. */
static int send_shared(sio_namespace *nsp, sio_socket *socket,
                       const sio_broadcast_options *o, uint32_t timeout_ms,
                       struct sp_message *m)
{
    struct so_request request = { .deed = SO_DELIVER,
                                  .nsp = nsp,
                                  .socket = socket,
                                  .options = *o,
                                  .timeout_ms = timeout_ms };
    char offset[SO_OFFSET_MAX + 1];
    const sio_str id =
        socket ? (sio_str){ socket->id, socket->id_len } : (sio_str){ NULL, 0 };
    int r;

    if (so_keeps_abroad(nsp->hub, o->flags)) {
        request.keep = true;
        request.socket = NULL;
        if (socket) {
            request.options.rooms = &id;
            request.options.room_count = 1;
        }
    }
    if (so_records(nsp->hub, o->flags))
        request.offset = m->extra = so_offset(nsp->hub, offset);
    if (so_has_outgoing(nsp) || so_goes_abroad(&request))
        request.message = m;
    r = so_make_packet(nsp->hub, m, &request.packet);
    if (r < 0)
        return r;
    r = so_send(&request);
    eng_packet_unref(request.packet);
    return r;
}

static int emit_to_socket(sio_socket *socket, struct sp_message *m,
                          unsigned flags)
{
    struct so_shard *shard = socket->part->shard;
    int r;

    /* Elsewhere; or it may be missed, so that it has to be shared with the
     * log. */
    if (!net_loop_is_current(shard->loop) || so_records(shard->hub, flags) ||
        so_keeps_abroad(shard->hub, flags))
        return send_shared(socket->part->nsp, socket,
                           &(sio_broadcast_options){ .flags = flags }, 0, m);
    r = so_has_outgoing(socket->part->nsp) ? so_encode_told(socket, m)
                                           : so_encode(shard, m);

    if (r == SIO_OK && socket->client &&
        !so_drops(shard, socket->client->session, flags & SIO_FLAG_VOLATILE)) {
        SO_COUNT(shard->events_out, 1);
        so_send_scratch(shard, socket->client->session,
                        !(flags & SIO_FLAG_NO_COMPRESS));
    }
    so_scratch_done(shard);
    return r;
}

int sio_socket_emit_values(sio_socket *socket, const char *event,
                           const sio_value *values, size_t count)
{
    struct sp_message m;
    int r = so_message_init(&m, socket->part->nsp, event, values, count);

    return r < 0 ? r : emit_to_socket(socket, &m, 0);
}

/* To the sockets of one namespace. */
static int broadcast(const sio_target *target, struct sp_message *m)
{
    sio_str rooms[SO_TARGET_NAMES];
    sio_broadcast_options options;

    so_target_options(target, &options, rooms);
    return send_shared(target->nsp, NULL, &options, target->timeout_ms, m);
}

/* To each child of a parent, in whose name the packet has to be encoded. */
struct emission {
    const sio_target *target;
    struct sp_message *message;
};

static int emit_to_child(void *user, sio_namespace *child)
{
    const struct emission *e = user;
    struct sp_message m = *e->message;
    sio_target target = *e->target;

    m.nsp = map_key(&child->node);
    target.nsp = child;
    return broadcast(&target, &m);
}

int sio_emit_values(sio_target target, const char *event,
                    const sio_value *values, size_t count)
{
    struct sp_message m;
    int r = so_message_init(&m, target.nsp, event, values, count);

    if (r == SIO_OK && target.overflow)
        r = SIO_E_LIMIT;
    if (r < 0)
        return r;
    if (target.socket)
        return emit_to_socket(target.socket, &m, target_flags(&target));
    if (target.nsp->rule)
        return so_each_target(target.nsp, emit_to_child,
                              &(struct emission){ &target, &m });
    return broadcast(&target, &m);
}
