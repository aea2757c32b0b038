/*
 * event.c -- reading the arguments of an event: <sio/event.h>.
 *
 * Arguments are slices of the received text. What a handler asks to have
 * converted is made then, in the event's arena, and goes with the event.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/socketio/hub.h"

#include "protocol/socketio/json.h"
#include "protocol/socketio/scan.h"

/* A cJSON tree made for argument `index`; in the event's arena. */
struct so_tree {
    struct so_tree *next;
    struct cJSON *tree;
    size_t index;
};

void so_event_init(struct sio_event *event, sio_socket *socket, size_t first)
{
    event->socket = socket;
    event->first = first;
    event->acked = false;
    event->trees = NULL;
    event->name = NULL;
    event->cursor = (struct so_cursor){ 0, 0 };
    arena_init(&event->arena);
}

void so_event_release(struct sio_event *event)
{
    for (struct so_tree *t = event->trees; t; t = t->next)
        json_tree_free(t->tree);
    event->trees = NULL;
    arena_free(&event->arena);
    if (event->partial)
        so_partial_free(event->socket->part->shard, event->partial);
    event->partial = NULL;
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
           json_next_element(event->packet.json, &c->pos, &item))
        c->next++;
    return item;
}

static sio_str raw_arg(const sio_event *event, size_t i)
{
    i += event->first;
    return i < SP_ARGS && i < event->packet.argc ? event->packet.argv[i]
                                                 : far_arg(event, i);
}

/* The attachment that the argument as a whole stands for, or -1. */
static int64_t whole_attachment(const sio_event *event, sio_str raw)
{
    struct json_placeholder ph;
    size_t pos = 0;

    if (!event->attachment_count || json_kind(raw) != JSON_OBJECT)
        return -1;
    if (!json_next_placeholder(raw, &pos, &ph) || ph.start != 0)
        return -1;
    return ph.num;
}

const char *sio_event_name(sio_event *event)
{
    sio_str raw;
    char *text;
    size_t n;

    if (event->first == 0)
        return "";
    if (event->name)
        return event->name;
    raw = event->packet.argv[0];
    text = arena_alloc(&event->arena, raw.n + 1);
    if (!text)
        return "";
    if (raw.p[0] == '"') {
        n = json_unescape(raw, text);
    } else {
        memcpy(text, raw.p, raw.n);
        n = raw.n;
    }
    text[n] = 0;
    event->name = text;
    return text;
}

size_t sio_arg_count(const sio_event *event)
{
    size_t argc = event->packet.argc;

    return argc > event->first ? argc - event->first : 0;
}

sio_kind sio_arg_kind(const sio_event *event, size_t i)
{
    sio_str raw = raw_arg(event, i);
    int64_t ignored;

    if (!raw.n)
        return SIO_NULL;
    switch (json_kind(raw)) {
    case JSON_TRUE:
    case JSON_FALSE:
        return SIO_BOOL;
    case JSON_NUMBER:
        return json_integer(raw, &ignored) ? SIO_INT : SIO_NUMBER;
    case JSON_STRING:
        return SIO_STRING;
    case JSON_ARRAY:
        return SIO_JSON;
    case JSON_OBJECT:
        return whole_attachment(event, raw) >= 0 ? SIO_BINARY : SIO_JSON;
    default:
        return SIO_NULL;
    }
}

int sio_arg_string(sio_event *event, size_t i, const char **out, size_t *n)
{
    sio_str raw = raw_arg(event, i);
    char *text;
    size_t len;

    if (!raw.n)
        return SIO_E_RANGE;
    if (json_kind(raw) != JSON_STRING)
        return SIO_E_TYPE;
    text = arena_alloc(&event->arena, raw.n);
    if (!text)
        return SIO_E_NOMEM;
    len = json_unescape(raw, text);
    text[len] = 0; /* the quotes were two bytes */
    *out = text;
    if (n)
        *n = len;
    return SIO_OK;
}

int sio_arg_int(const sio_event *event, size_t i, int64_t *out)
{
    sio_str raw = raw_arg(event, i);

    if (!raw.n)
        return SIO_E_RANGE;
    if (json_kind(raw) != JSON_NUMBER)
        return SIO_E_TYPE;
    return json_integer(raw, out) ? SIO_OK : SIO_E_RANGE;
}

int sio_arg_number(const sio_event *event, size_t i, double *out)
{
    sio_str raw = raw_arg(event, i);

    if (!raw.n)
        return SIO_E_RANGE;
    if (json_kind(raw) != JSON_NUMBER)
        return SIO_E_TYPE;
    *out = json_number(raw);
    return SIO_OK;
}

int sio_arg_bool(const sio_event *event, size_t i, bool *out)
{
    sio_str raw = raw_arg(event, i);
    enum json_kind kind;

    if (!raw.n)
        return SIO_E_RANGE;
    kind = json_kind(raw);
    if (kind != JSON_TRUE && kind != JSON_FALSE)
        return SIO_E_TYPE;
    *out = kind == JSON_TRUE;
    return SIO_OK;
}

int sio_arg_binary(const sio_event *event, size_t i, const void **out,
                   size_t *n)
{
    sio_str raw = raw_arg(event, i);
    int64_t num;

    if (!raw.n)
        return SIO_E_RANGE;
    num = whole_attachment(event, raw);
    if (num < 0)
        return SIO_E_TYPE;
    return sio_attachment(event, (size_t)num, out, n);
}

int sio_arg_raw(const sio_event *event, size_t i, sio_str *out)
{
    sio_str raw = raw_arg(event, i);

    if (!raw.n)
        return SIO_E_RANGE;
    *out = raw;
    return SIO_OK;
}

int sio_arg_json(sio_event *event, size_t i, const struct cJSON **out)
{
    sio_str raw = raw_arg(event, i);
    struct so_tree *t;

    if (!raw.n)
        return SIO_E_RANGE;
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

size_t sio_attachment_count(const sio_event *event)
{
    return event->attachment_count;
}

int sio_attachment(const sio_event *event, size_t n, const void **out,
                   size_t *size)
{
    if (n >= event->attachment_count)
        return SIO_E_RANGE;
    *out = event->attachments[n].p;
    *size = event->attachments[n].n;
    return SIO_OK;
}

sio_value sio_arg(const sio_event *event, size_t i)
{
    sio_str raw = raw_arg(event, i);
    sio_value v;

    if (!raw.n)
        return sio_null();
    v = sio_raw_json(raw.p, raw.n);
    v.trusted = true;
    v.attachments = event->attachments;
    v.attachment_count = event->attachment_count;
    return v;
}
