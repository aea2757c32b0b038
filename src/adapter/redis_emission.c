/*
 * redis_emission.c -- what an emitter says, as the bytes of Node's emitters;
 * see redis_emitter.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/base/str.h"
#include "protocol/base/utf8.h"
#include "protocol/redis/classic.h"
#include "protocol/redis/cluster.h"
#include "src/adapter/redis_emitter.h"
#include "src/adapter/redis_streams.h"

#include <stdlib.h>

/* --------------------------------------------------------------- commands --
 */

/* Where it is written. */
struct draft {
    sio_emitter *e;
    struct grow nsp, where, payload;
};

static int say_published(struct draft *d, const struct pr_message *m)
{
    const sio_redis_options *o = &d->e->options;
    const bool sharded = o->adapter == SIO_REDIS_SHARDED;
    const sio_str prefix = str_of(o->prefix), nobody = { NULL, 0 };
    sio_str argv[3] = { sharded ? STR("SPUBLISH") : STR("PUBLISH") };
    int r = sharded ? pr_cluster_channel(&d->where, prefix, m->nsp,
                                         redis_settings_mode(o), m, nobody)
                    : pr_classic_channel(&d->where, prefix, m->nsp, m, nobody);

    if (r == SIO_OK)
        r = sharded ? pr_cluster_encode(&d->payload, PR_JSON_OR_MSGPACK, m)
                    : pr_classic_encode(&d->payload, m);
    if (r < 0)
        return r;
    argv[1] = grow_str(&d->where);
    argv[2] = grow_str(&d->payload);
    return emitter_say(d->e, argv, 3, sharded ? 1 : 0);
}

static int say_added(struct draft *d, const struct pr_message *m)
{
    struct redis_xadd x;
    int r = redis_xadd_write(&x, &d->e->options, m, &d->where, &d->payload);

    return r < 0 ? r : emitter_say(d->e, x.argv, x.argc, REDIS_XADD_KEY);
}

/* --------------------------------------------------------------- messages --
 */

static bool set_names(sio_str *out, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!names[i])
            return false;
        out[i] = str_of(names[i]);
        if (!utf8_valid(out[i].p, out[i].n))
            return false;
    }
    return true;
}

static void set_flags(struct pr_flags *flags, const sio_emission *e)
{
    for (size_t i = 0; i < 2; i++) {
        if (e->flags[i] == PR_VOLATILE)
            pr_set_volatile(flags);
        else if (e->flags[i] == PR_COMPRESS)
            pr_set_compress(flags, e->compress);
    }
}

/* Node's emitter for streams does not add the slash, and reaches nobody. */
static int write_nsp(struct grow *out, const char *nsp)
{
    int r = nsp && utf8_valid(nsp, strlen(nsp)) ? SIO_OK : SIO_E_INVAL;

    if (r == SIO_OK && nsp[0] != '/')
        r = grow_append_byte(out, '/');
    return r == SIO_OK ? grow_append(out, nsp, strlen(nsp)) : r;
}

static int say(const sio_emission *e, struct pr_message *m)
{
    sio_str rooms[SIO_TARGET_ROOMS], except[SIO_TARGET_ROOMS];
    struct draft d = { .e = e->emitter };
    int r;

    if (e->overflow)
        return SIO_E_LIMIT;
    if (!set_names(rooms, e->rooms, e->room_count) ||
        !set_names(except, e->except, e->except_count))
        return SIO_E_INVAL;
    grow_init(&d.nsp, REDIS_NAME_MAX);
    grow_init(&d.where, REDIS_NAME_MAX);
    grow_init(&d.payload, e->emitter->options.max_queued);
    m->uid = STR(PR_EMITTER);
    m->rooms = (struct pr_names){ rooms, e->room_count };
    m->except = (struct pr_names){ except, e->except_count };
    r = write_nsp(&d.nsp, e->nsp);
    m->nsp = grow_str(&d.nsp);
    if (r == SIO_OK)
        r = e->emitter->options.adapter == SIO_REDIS_STREAMS
                ? say_added(&d, m)
                : say_published(&d, m);
    grow_free(&d.nsp);
    grow_free(&d.where);
    grow_free(&d.payload);
    return r;
}

static int say_event(const sio_emission *e, enum pr_type type,
                     const char *event, const sio_value *values, size_t count)
{
    struct pr_message m = {
        .type = type, .event = str_of(event), .values = values, .count = count
    };

    if (!event || !utf8_valid(event, m.event.n))
        return SIO_E_INVAL;
    if (type == PR_BROADCAST)
        set_flags(&m.flags, e);
    return say(e, &m);
}

int sio_emission_emit_values(sio_emission e, const char *event,
                             const sio_value *values, size_t count)
{
    return say_event(&e, PR_BROADCAST, event, values, count);
}

int sio_emission_server_side_emit_values(sio_emission e, const char *event,
                                         const sio_value *values, size_t count)
{
    e.room_count = e.except_count = 0;
    return say_event(&e, PR_EMIT, event, values, count);
}

static int say_rooms(const sio_emission *e, enum pr_type type,
                     const char *const *rooms, size_t count)
{
    struct pr_message m = { .type = type };
    sio_str *names;
    int r = SIO_E_INVAL;

    if (count == 0)
        return SIO_OK;
    if (count > EMITTER_ROOMS_MAX)
        return SIO_E_LIMIT;
    names = calloc(count, sizeof *names);
    if (!names)
        return SIO_E_NOMEM;
    m.names = (struct pr_names){ names, count };
    if (set_names(names, rooms, count))
        r = say(e, &m);
    free(names);
    return r;
}

int sio_emission_sockets_join(sio_emission e, const char *const *rooms,
                              size_t count)
{
    return say_rooms(&e, PR_JOIN, rooms, count);
}

int sio_emission_sockets_leave(sio_emission e, const char *const *rooms,
                               size_t count)
{
    return say_rooms(&e, PR_LEAVE, rooms, count);
}

int sio_emission_disconnect_sockets(sio_emission e, bool close)
{
    struct pr_message m = { .type = PR_DISCONNECT, .close = close };

    return say(&e, &m);
}
