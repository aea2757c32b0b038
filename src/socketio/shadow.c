/*
 * shadow.c -- the arguments of an event as JSON text with attachments, where
 * they came otherwise: for sio_arg_raw(), sio_arg_json() and sio_attachment().
 * All of them at once, so that attachments are numbered through the event as
 * they are in one that came as JSON.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/socketio/scan.h"
#include "src/socketio/codec.h"

/* In the event's arena, but for what its members own. */
struct so_shadow {
    struct grow text; /* [arg,arg,...] */
    struct sp_attachments bin;
    size_t argc;
    sio_str argv[SP_ARGS];
    struct so_cursor cursor;
};

void so_shadow_free(struct so_shadow *shadow)
{
    if (!shadow)
        return;
    grow_free(&shadow->text);
    sp_attachments_free(&shadow->bin);
}

static int append_args(const sio_event *event, struct so_shadow *s)
{
    const struct so_args *args = event->args;
    sio_str raw;
    size_t pos = 0;
    int r = grow_append_byte(&s->text, '[');

    for (size_t i = 0; r == SIO_OK; i++) {
        if (!args->next(event->packet.json, &pos, &raw))
            break;
        if (i < event->first)
            continue;
        if (i > event->first)
            r = grow_append_byte(&s->text, ',');
        if (r == SIO_OK)
            r = args->append_json(&s->text, &s->bin, raw);
    }
    return r == SIO_OK ? grow_append_byte(&s->text, ']') : r;
}

static int make(sio_event *event, struct so_shadow *s)
{
    const struct so_hub *hub = event->socket->part->shard->hub;
    int r;

    *s = (struct so_shadow){ .argc = 0 };
    grow_init(&s->text, hub->options.max_packet);
    sp_attachments_init(&s->bin);
    r = append_args(event, s);
    if (r == SIO_OK && json_cut_array(grow_str(&s->text), JSON_DEPTH_LIMIT,
                                      s->argv, SP_ARGS, &s->argc) != SIO_OK)
        r = SIO_E_LIMIT; /* one level too deep: an extension is an array */
    if (r != SIO_OK)
        so_shadow_free(s);
    return r;
}

static int get(const sio_event *event, struct so_shadow **out)
{
    /* A cache: the caller's view of the event does not change. */
    sio_event *cache = (sio_event *)(uintptr_t)event;
    int r;

    if (!event->shadow) {
        struct so_shadow *s = arena_alloc(&cache->arena, sizeof *s);

        r = s ? make(cache, s) : SIO_E_NOMEM;
        if (r < 0)
            return r;
        cache->shadow = s;
    }
    *out = event->shadow;
    return SIO_OK;
}

int so_shadow_arg(sio_event *event, size_t i, sio_str *out)
{
    struct so_shadow *s;
    int r = get(event, &s);

    if (r < 0)
        return r;
    if (i < SP_ARGS) {
        *out = s->argv[i];
        return SIO_OK;
    }
    if (i < s->cursor.next)
        s->cursor = (struct so_cursor){ 0, 0 };
    while (s->cursor.next <= i &&
           json_next_element(grow_str(&s->text), &s->cursor.pos, out))
        s->cursor.next++;
    return SIO_OK;
}

struct sp_attachments so_shadow_attachments(const sio_event *event)
{
    struct so_shadow *s;

    return get(event, &s) < 0 ? (struct sp_attachments){ NULL, 0, 0 } : s->bin;
}
