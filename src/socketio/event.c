/*
 * event.c -- reading the arguments of an event: <sio/event.h>.
 *
 * Arguments are slices of what was received, read by those who know what that
 * is (codec.h). What a handler asks to have converted is made then, in the
 * event's arena, and goes with the event.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/socketio/codec.h"

#include "protocol/socketio/json.h"

/* A cJSON tree made for argument `index`; in the event's arena. */
struct so_tree {
    struct so_tree *next;
    struct cJSON *tree;
    size_t index;
};

void so_event_init(struct sio_event *event, sio_socket *socket, size_t first)
{
    event->socket = socket;
    event->call = NULL;
    event->first = first;
    event->acked = false;
    event->trees = NULL;
    event->shadow = NULL;
    event->name = NULL;
    event->cursor = (struct so_cursor){ 0, 0 };
}

/* Everything that was made to be read. */
static void forget(struct sio_event *event)
{
    for (struct so_tree *t = event->trees; t; t = t->next)
        json_tree_free(t->tree);
    event->trees = NULL;
    so_shadow_free(event->shadow);
    event->shadow = NULL;
}

void so_event_release(struct sio_event *event)
{
    forget(event);
    if (event->replaced)
        so_replaced_free(event->replaced);
    event->replaced = NULL;
    arena_free(&event->arena);
    if (event->partial)
        so_partial_free(event->socket->part->shard, event->partial);
    event->partial = NULL;
}

void so_event_changed(struct sio_event *event)
{
    forget(event);
    event->name = NULL;
    event->cursor = (struct so_cursor){ 0, 0 };
}

char *so_event_text(sio_event *event, const char *p, size_t n)
{
    char *text = arena_alloc(&event->arena, n + 1);

    if (text) {
        if (n)
            memcpy(text, p, n);
        text[n] = 0;
    }
    return text;
}

/* An argument behind the slices that are kept: the walk goes on from where the
 * last one ended, so that a handler which reads a peer's half a million
 * arguments in order is not quadratic. */
static sio_str far_arg(const sio_event *event, size_t i)
{
    /* A cache: the caller's view of the event does not change. */
    struct so_cursor *c = (struct so_cursor *)(uintptr_t)&event->cursor;
    sio_str item = { NULL, 0 };

    if (i >= event->packet.argc)
        return item;
    if (i < c->next)
        *c = (struct so_cursor){ 0, 0 };
    while (c->next <= i &&
           event->args->next(event->packet.json, &c->pos, &item))
        c->next++;
    return item;
}

static sio_str raw_arg(const sio_event *event, size_t i)
{
    i += event->first;
    return i < SP_ARGS && i < event->packet.argc ? event->packet.argv[i]
                                                 : far_arg(event, i);
}

const char *sio_event_name(sio_event *event)
{
    sio_str name;

    if (event->first == 0)
        return "";
    if (!event->name) {
        name = event->args->name(event);
        event->name = so_event_text(event, name.p, name.n);
    }
    return event->name ? event->name : "";
}

size_t sio_arg_count(const sio_event *event)
{
    size_t argc = event->packet.argc;

    return argc > event->first ? argc - event->first : 0;
}

sio_kind sio_arg_kind(const sio_event *event, size_t i)
{
    sio_str raw = raw_arg(event, i);

    return raw.n ? event->args->kind(event, raw) : SIO_NULL;
}

int sio_arg_string(sio_event *event, size_t i, const char **out, size_t *n)
{
    sio_str raw = raw_arg(event, i);
    size_t len;
    int r;

    if (!raw.n)
        return SIO_E_RANGE;
    r = event->args->string(event, raw, out, &len);
    if (r == SIO_OK && n)
        *n = len;
    return r;
}

int sio_arg_int(const sio_event *event, size_t i, int64_t *out)
{
    sio_str raw = raw_arg(event, i);

    return raw.n ? event->args->integer(raw, out) : SIO_E_RANGE;
}

int sio_arg_number(const sio_event *event, size_t i, double *out)
{
    sio_str raw = raw_arg(event, i);

    return raw.n ? event->args->number(raw, out) : SIO_E_RANGE;
}

int sio_arg_bool(const sio_event *event, size_t i, bool *out)
{
    sio_str raw = raw_arg(event, i);

    return raw.n ? event->args->boolean(raw, out) : SIO_E_RANGE;
}

int sio_arg_binary(const sio_event *event, size_t i, const void **out,
                   size_t *n)
{
    sio_str raw = raw_arg(event, i);

    return raw.n ? event->args->binary(event, raw, out, n) : SIO_E_RANGE;
}

/* The argument as JSON text, which it may be already. */
static int json_arg(sio_event *event, size_t i, sio_str *out)
{
    sio_str raw = raw_arg(event, i);

    if (!raw.n)
        return SIO_E_RANGE;
    if (event->args->append_json)
        return so_shadow_arg(event, i, out);
    *out = raw;
    return SIO_OK;
}

int sio_arg_raw(const sio_event *event, size_t i, sio_str *out)
{
    /* A cache: the caller's view of the event does not change. */
    return json_arg((sio_event *)(uintptr_t)event, i, out);
}

int sio_arg_json(sio_event *event, size_t i, const struct cJSON **out)
{
    struct so_tree *t;
    sio_str raw;
    int r = json_arg(event, i, &raw);

    if (r < 0)
        return r;
    for (t = event->trees; t && t->index != i; t = t->next)
        ;
    if (!t) {
        t = arena_alloc(&event->arena, sizeof *t);
        if (!t)
            return SIO_E_NOMEM;
        *t = (struct so_tree){ event->trees, json_tree_parse(raw), i };
        if (!t->tree)
            return SIO_E_TYPE;
        event->trees = t;
    }
    *out = t->tree;
    return SIO_OK;
}

static struct sp_attachments attachments(const sio_event *event)
{
    if (event->args->append_json)
        return so_shadow_attachments(event);
    return (struct sp_attachments){ (sio_str *)(uintptr_t)event->attachments,
                                    event->attachment_count, 0 };
}

size_t sio_attachment_count(const sio_event *event)
{
    return attachments(event).count;
}

int sio_attachment(const sio_event *event, size_t n, const void **out,
                   size_t *size)
{
    const struct sp_attachments bin = attachments(event);

    if (n >= bin.count)
        return SIO_E_RANGE;
    *out = bin.items[n].p;
    *size = bin.items[n].n;
    return SIO_OK;
}

sio_value sio_arg(const sio_event *event, size_t i)
{
    sio_str raw = raw_arg(event, i);

    return raw.n ? event->args->value(event, raw) : sio_null();
}
