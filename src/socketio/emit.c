/*
 * emit.c -- sending events: <sio/emit.h>.
 *
 *   one socket     encoded into the shard's scratch space, from there straight
 *                  into the connection's output
 *   many sockets   encoded once into a sio_packet, delivered by the adapter
 *   other thread   encoded there, posted to the loop, then as above
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/socketio/codec.h"
#include "src/socketio/recovery.h"

#include <stdlib.h>

/* Rooms and exceptions of a target, and its sender among the latter. */
#define TARGET_NAMES (2 * SIO_TARGET_ROOMS + 1)

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

/* --------------------------------------------------- from other threads -- */

/* A call on its way to the loop, with everything that it borrowed. */
struct target_mail {
    struct net_mail mail;
    sio_namespace *nsp;
    sio_socket *socket;        /* retained, or NULL */
    struct sio_packet *packet; /* to emit, or NULL */
    bool close;                /* to disconnect */
    sio_broadcast_options options;
    sio_str rooms[TARGET_NAMES];
    char names[];
};

static size_t names_len(const sio_str *names, size_t count)
{
    size_t n = 0;

    for (size_t i = 0; i < count; i++)
        n += names[i].n;
    return n;
}

static char *copy_names(sio_str *names, size_t count, char *at)
{
    for (size_t i = 0; i < count; i++) {
        memcpy(at, names[i].p, names[i].n);
        names[i].p = at;
        at += names[i].n;
    }
    return at;
}

static struct target_mail *target_mail_new(const sio_target *target,
                                           void (*run)(struct net_mail *mail))
{
    sio_str rooms[TARGET_NAMES];
    sio_broadcast_options o;
    struct target_mail *m;
    char *at;

    so_target_options(target, &o, rooms);
    m = malloc(sizeof *m + names_len(o.rooms, o.room_count) +
               names_len(o.except, o.except_count));
    if (!m)
        return NULL;
    m->mail.run = run;
    m->nsp = so_namespace_ref(target->nsp);
    m->socket = target->socket ? sio_retain(target->socket) : NULL;
    m->packet = NULL;
    m->close = false;
    m->options = o;
    memcpy(m->rooms, rooms, sizeof rooms);
    m->options.rooms = m->rooms;
    m->options.except = m->rooms + SIO_TARGET_ROOMS;
    at = copy_names(m->rooms, o.room_count, m->names);
    copy_names(m->rooms + SIO_TARGET_ROOMS, o.except_count, at);
    return m;
}

static void target_mail_free(struct target_mail *m)
{
    sio_release(m->socket);
    so_namespace_unref(m->nsp);
    eng_packet_unref(m->packet);
    free(m);
}

static void on_emit_mail(struct net_mail *mail)
{
    struct target_mail *m = container_of(mail, struct target_mail, mail);
    sio_namespace *nsp = m->nsp;

    if (m->socket)
        so_socket_send(m->socket, m->packet, m->options.flags);
    else
        nsp->parts->ops->broadcast(nsp->parts->adapter, m->packet, &m->options);
    target_mail_free(m);
}

/* Takes over the reference to `packet`. */
static int post_emit(const sio_target *target, struct sio_packet *packet)
{
    struct target_mail *m = target_mail_new(target, on_emit_mail);

    if (!m) {
        eng_packet_unref(packet);
        return SIO_E_NOMEM;
    }
    m->packet = packet;
    net_post(target->nsp->parts->shard->loop, &m->mail);
    return SIO_OK;
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

/* It may be missed, so that it has to be shared with the log. */
static int emit_recorded(sio_socket *socket, struct sp_message *m,
                         unsigned flags)
{
    const sio_broadcast_options o = { .flags = flags };
    struct so_part *part = socket->part;
    char offset[SO_OFFSET_MAX + 1];
    struct sio_packet *packet;
    int r;

    m->extra = so_offset(part->shard, offset);
    r = so_make_packet(part->nsp->hub, m, &packet);
    if (r < 0)
        return r;
    if (so_has_outgoing(part->nsp))
        r = so_tell_outgoing(socket, m);
    if (r == SIO_OK)
        r = so_record(part, m->extra, packet, &o, socket);
    if (r == SIO_OK && !(socket->resume && socket->resume->waiting))
        so_socket_send(socket, packet, flags);
    eng_packet_unref(packet);
    return r;
}

static int emit_to_socket(sio_socket *socket, struct sp_message *m,
                          unsigned flags)
{
    struct so_shard *shard = socket->part->shard;
    int r;

    if (so_records(shard->hub, flags))
        return emit_recorded(socket, m, flags);
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
    int r;

    if (!net_loop_is_current(socket->part->shard->loop))
        return sio_emit_values(sio_target_socket(socket), event, values, count);
    r = so_message_init(&m, socket->part->nsp, event, values, count);
    return r < 0 ? r : emit_to_socket(socket, &m, 0);
}

/* On the loop, to the sockets of one namespace. */
static int broadcast(const sio_target *target, struct sp_message *m)
{
    struct so_part *part = target->nsp->parts;
    sio_str rooms[TARGET_NAMES];
    sio_broadcast_options options;
    char offset[SO_OFFSET_MAX + 1];
    struct sio_packet *packet;
    bool recorded;
    int r;

    so_target_options(target, &options, rooms);
    recorded = so_records(part->nsp->hub, options.flags);
    if (recorded)
        m->extra = so_offset(part->shard, offset);
    r = so_make_packet(part->nsp->hub, m, &packet);
    if (r < 0)
        return r;
    if (so_has_outgoing(part->nsp))
        r = so_tell_broadcast(part->nsp, &options, m);
    if (r == SIO_OK && recorded)
        r = so_record(part, m->extra, packet, &options, NULL);
    if (r == SIO_OK)
        r = part->ops->broadcast(part->adapter, packet, &options);
    eng_packet_unref(packet);
    return r;
}

int sio_emit_values(sio_target target, const char *event,
                    const sio_value *values, size_t count)
{
    sio_namespace *nsp = target.nsp;
    bool here = net_loop_is_current(nsp->parts->shard->loop);
    struct sio_packet *packet;
    struct sp_message m;
    int r = so_message_init(&m, nsp, event, values, count);

    if (r == SIO_OK && target.overflow)
        r = SIO_E_LIMIT;
    if (r < 0)
        return r;
    if (nsp->rule)
        return so_parent_emit(&target, event, values, count);
    if (!here &&
        (so_has_outgoing(nsp) || so_records(nsp->hub, target_flags(&target))))
        return so_post_values(&target, event, values, count);
    if (here && target.socket)
        return emit_to_socket(target.socket, &m, target_flags(&target));
    if (here)
        return broadcast(&target, &m);
    r = so_make_packet(nsp->hub, &m, &packet);
    return r < 0 ? r : post_emit(&target, packet);
}
