/*
 * keep.c -- events that are more than slices of the input: those that have to
 * outlive it, and those that a middleware has replaced.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/base/quote.h"
#include "protocol/socketio/scan.h"
#include "src/socketio/codec.h"

#include <sio/intercept.h>

#include <stdlib.h>

/* -------------------------------------------------------------- copying -- */

/* Copies go to the event's arena, and *bytes counts them. */
struct copying {
    struct arena *arena;
    size_t *bytes;
};

static void *copy(const struct copying *c, const void *p, size_t n)
{
    void *to = arena_alloc(c->arena, n ? n : 1);

    if (!to)
        return NULL;
    if (n)
        memcpy(to, p, n);
    *c->bytes += n;
    return to;
}

/* A list of strings, and what they point at; NULL: out of memory. */
static const sio_str *copy_strings(const struct copying *c, const sio_str *from,
                                   size_t count)
{
    sio_str *to = copy(c, from, count * sizeof *from);

    for (size_t i = 0; to && i < count; i++) {
        to[i].p = copy(c, from[i].p, from[i].n);
        if (!to[i].p)
            return NULL;
    }
    return to;
}

/* Values that a parser of the program has read. They often share one list of
 * attachments. */
static int copy_values(const struct copying *c, sio_value *values, size_t count)
{
    const sio_str *from = NULL, *to = NULL;

    for (size_t i = 0; i < count; i++) {
        sio_value *v = &values[i];

        if (v->size)
            v->data = copy(c, v->data, v->size);
        if (v->size && !v->data)
            return SIO_E_NOMEM;
        if (!v->attachment_count)
            continue;
        if (v->attachments != from) {
            from = v->attachments;
            to = copy_strings(c, from, v->attachment_count);
        }
        if (!to)
            return SIO_E_NOMEM;
        v->attachments = to;
    }
    return SIO_OK;
}

/* All into copies first: on failure the event is as it was. */
static int keep_values(struct sio_event *event, const struct copying *c)
{
    struct sp_packet *p = &event->packet;
    const size_t count = p->json.n / sizeof(sio_value);
    sio_value *values = copy(c, p->json.p, p->json.n);

    if (!values || copy_values(c, values, count) < 0)
        return SIO_E_NOMEM;
    p->json.p = (const char *)values;
    for (size_t i = 0; i < count && i < SP_ARGS; i++)
        p->argv[i].p = (const char *)&values[i];
    return SIO_OK;
}

static int keep_text(struct sio_event *event, const struct copying *c)
{
    struct sp_packet *p = &event->packet;
    const char *text = copy(c, p->json.p, p->json.n);
    const sio_str *attachments =
        copy_strings(c, event->attachments, event->attachment_count);

    if (!text || !attachments)
        return SIO_E_NOMEM;
    for (size_t i = 0; i < p->argc && i < SP_ARGS; i++)
        p->argv[i].p = text + (p->argv[i].p - p->json.p);
    p->json.p = text;
    event->attachments = attachments;
    return SIO_OK;
}

int so_event_keep(struct sio_event *event, size_t *bytes)
{
    const struct copying c = { &event->arena, bytes };
    int r = SIO_OK;

    if (!event->replaced) /* else it is its own already */
        r = event->args == &so_args_values ? keep_values(event, &c)
                                           : keep_text(event, &c);
    if (r < 0)
        return r;
    so_shadow_free(event->shadow); /* it may point at attachments */
    event->shadow = NULL;
    event->packet.nsp = map_key(&event->socket->part->nsp->node);
    if (event->partial)
        so_partial_free(event->socket->part->shard, event->partial);
    event->partial = NULL;
    return SIO_OK;
}

/* ------------------------------------------------------------- replacing -- */

/* What an event was given by a middleware: JSON text, and attachments. */
struct so_replaced {
    struct grow text;
    struct sp_attachments bin;
};

void so_replaced_free(struct so_replaced *replaced)
{
    if (!replaced)
        return;
    grow_free(&replaced->text);
    sp_attachments_disown(&replaced->bin);
    free(replaced);
}

static int write_text(struct so_replaced *to, sio_str name,
                      const sio_value *values, size_t count)
{
    int r = grow_append_byte(&to->text, '[');

    if (r == SIO_OK)
        r = json_append_string(&to->text, name);
    for (size_t i = 0; r == SIO_OK && i < count; i++) {
        r = grow_append_byte(&to->text, ',');
        if (r == SIO_OK)
            r = sp_encode_value(&to->text, &to->bin, &values[i]);
    }
    if (r == SIO_OK)
        r = grow_append_byte(&to->text, ']');
    if (r == SIO_OK)
        return sp_attachments_own(&to->bin, 0);
    to->bin.count = 0; /* still its lender's */
    return r;
}

/* Takes `replaced` over when it succeeds. */
static int put_in(struct sio_event *event, struct so_replaced *replaced)
{
    struct sp_packet p = event->packet;

    p.json = grow_str(&replaced->text);
    if (json_cut_array(p.json, JSON_DEPTH_LIMIT, p.argv, SP_ARGS, &p.argc) !=
        SIO_OK)
        return SIO_E_LIMIT;
    so_event_changed(event);
    so_replaced_free(event->replaced);
    event->replaced = replaced;
    event->args = &so_args_json;
    event->packet = p;
    event->attachments = replaced->bin.items;
    event->attachment_count = replaced->bin.count;
    return SIO_OK;
}

int so_event_put(sio_event *event, sio_str name, const sio_value *values,
                 size_t count, size_t max)
{
    struct so_replaced *replaced = calloc(1, sizeof *replaced);
    int r;

    if (!replaced)
        return SIO_E_NOMEM;
    grow_init(&replaced->text, max);
    sp_attachments_init(&replaced->bin);
    r = write_text(replaced, name, values, count);
    if (r == SIO_OK)
        r = put_in(event, replaced);
    if (r < 0)
        so_replaced_free(replaced);
    return r;
}

int sio_event_replace(sio_event *event, const char *name,
                      const sio_value *values, size_t count)
{
    if (event->first == 0)
        return SIO_E_STATE;
    if (name && sp_reserved_event(str_of(name)))
        return SIO_E_RESERVED;
    return so_event_put(event, name ? str_of(name) : event->args->name(event),
                        values, count,
                        event->socket->part->nsp->hub->options.max_packet);
}
