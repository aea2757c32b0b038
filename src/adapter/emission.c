/*
 * emission.c -- who is meant by what an emitter says, as values; defaults of
 * its options. See <sio/emitter.h>. They are there also when Redis is not.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sio/emitter.h>

#include "protocol/redis/message.h"

void sio_emitter_options_init_sized(sio_emitter_options *options, size_t size)
{
    memset(options, 0, size);
    options->size = size;
}

sio_emission sio_emitter_of(sio_emitter *emitter, const char *nsp)
{
    sio_emission e;

    memset(&e, 0, sizeof e);
    e.emitter = emitter;
    e.nsp = nsp;
    return e;
}

sio_emission sio_emission_to(sio_emission e, const char *room)
{
    if (e.room_count == SIO_TARGET_ROOMS)
        e.overflow = true;
    else
        e.rooms[e.room_count++] = room;
    return e;
}

sio_emission sio_emission_except(sio_emission e, const char *room)
{
    if (e.except_count == SIO_TARGET_ROOMS)
        e.overflow = true;
    else
        e.except[e.except_count++] = room;
    return e;
}

static void set_flag(sio_emission *e, enum pr_flag flag)
{
    size_t i = 0;

    while (i < 2 && e->flags[i] && e->flags[i] != flag)
        i++;
    if (i < 2)
        e->flags[i] = (uint8_t)flag;
}

sio_emission sio_emission_volatile(sio_emission e)
{
    set_flag(&e, PR_VOLATILE);
    return e;
}

sio_emission sio_emission_compress(sio_emission e, bool compress)
{
    set_flag(&e, PR_COMPRESS);
    e.compress = compress;
    return e;
}
