/*
 * encode.c -- see encode.h. The number of attachments stands at the front of a
 * packet, so values are counted (and checked) before the first byte is
 * written.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/socketio/encode.h"

#include "protocol/base/quote.h"
#include "protocol/socketio/json.h"
#include "protocol/socketio/msgpack.h"
#include "protocol/socketio/scan.h"

#include <stdlib.h>

void sp_attachments_init(struct sp_attachments *a)
{
    *a = (struct sp_attachments){ NULL, 0, 0 };
}

void sp_attachments_free(struct sp_attachments *a)
{
    free(a->items);
    sp_attachments_init(a);
}

int sp_attachments_own(struct sp_attachments *a, size_t from)
{
    for (size_t i = from; i < a->count; i++) {
        sio_str *s = &a->items[i];
        char *copy = malloc(s->n ? s->n : 1);

        if (!copy) {
            while (i > from)
                free((char *)(uintptr_t)a->items[--i].p);
            a->count = from;
            return SIO_E_NOMEM;
        }
        if (s->n)
            memcpy(copy, s->p, s->n);
        s->p = copy;
    }
    return SIO_OK;
}

void sp_attachments_disown(struct sp_attachments *a)
{
    for (size_t i = 0; i < a->count; i++)
        free((char *)(uintptr_t)a->items[i].p);
    sp_attachments_free(a);
}

int sp_attachments_add(struct sp_attachments *a, sio_str bytes)
{
    if (a->count == a->cap) {
        const size_t cap = a->cap ? 2 * a->cap : 4;
        sio_str *items = realloc(a->items, cap * sizeof *items);

        if (!items)
            return SIO_E_NOMEM;
        a->items = items;
        a->cap = cap;
    }
    a->items[a->count++] = bytes;
    return SIO_OK;
}

static sio_str text_of(const sio_value *v)
{
    return (sio_str){ v->data, v->size };
}

/* Check raw JSON; add the attachments that its placeholders ask for. */
static int count_raw(const sio_value *v, size_t *binaries)
{
    struct json_placeholder found;
    size_t pos = 0;

    if (!v->trusted && !json_valid(text_of(v), JSON_DEPTH_LIMIT))
        return SIO_E_INVAL;
    if (v->attachment_count == 0)
        return SIO_OK; /* placeholders are plain objects then */
    for (; json_next_placeholder(text_of(v), &pos, &found); ++*binaries)
        if (found.num < 0 || (uint64_t)found.num >= v->attachment_count)
            return SIO_E_INVAL;
    return SIO_OK;
}

static int count_msgpack(const sio_value *v, size_t *binaries)
{
    if (!v->trusted && !mp_check(text_of(v), MP_DEPTH_LIMIT))
        return SIO_E_INVAL;
    *binaries += mp_count_binaries(text_of(v));
    return SIO_OK;
}

int sp_count_binaries(const sio_value *v, size_t *binaries)
{
    if (v->kind == SIO_RAW_JSON)
        return count_raw(v, binaries);
    if (v->kind == SIO_RAW_MSGPACK)
        return count_msgpack(v, binaries);
    *binaries += v->kind == SIO_BINARY;
    return SIO_OK;
}

static int append_str(struct grow *out, sio_str text)
{
    return grow_append(out, text.p, text.n);
}

/* What JSON.stringify makes of a Buffer. */
static int append_buffer(struct grow *out, sio_str bytes)
{
    int r = append_str(out, STR("{\"type\":\"Buffer\",\"data\":["));

    for (size_t i = 0; r == SIO_OK && i < bytes.n; i++) {
        if (i)
            r = grow_append_byte(out, ',');
        if (r == SIO_OK)
            r = json_append_integer(out, (uint8_t)bytes.p[i]);
    }
    return r == SIO_OK ? append_str(out, STR("]}")) : r;
}

int sp_append_binary(struct grow *out, struct sp_attachments *bin,
                     sio_str bytes)
{
    int r;

    if (!bin)
        return append_buffer(out, bytes);
    r = append_str(out, STR("{\"_placeholder\":true,\"num\":"));
    if (r == SIO_OK)
        r = json_append_integer(out, (int64_t)bin->count);
    if (r == SIO_OK)
        r = grow_append_byte(out, '}');
    return r == SIO_OK ? sp_attachments_add(bin, bytes) : r;
}

/* Copy the text, its placeholders numbered anew. */
static int append_raw(struct grow *out, struct sp_attachments *bin,
                      const sio_value *v)
{
    const sio_str text = text_of(v);
    struct json_placeholder found;
    size_t pos = 0, done = 0;
    int r = SIO_OK;

    while (r == SIO_OK && v->attachment_count > 0 &&
           json_next_placeholder(text, &pos, &found)) {
        r = grow_append(out, text.p + done, found.start - done);
        if (r == SIO_OK)
            r = sp_append_binary(out, bin, v->attachments[found.num]);
        done = found.end;
    }
    return r == SIO_OK ? grow_append(out, text.p + done, text.n - done) : r;
}

/* A value that sp_count_binaries() has passed. */
static int append_value(struct grow *out, struct sp_attachments *bin,
                        const sio_value *v)
{
    switch (v->kind) {
    case SIO_NULL:
        return append_str(out, STR("null"));
    case SIO_BOOL:
        return append_str(out, v->boolean ? STR("true") : STR("false"));
    case SIO_INT:
        return json_append_integer(out, v->integer);
    case SIO_NUMBER:
        return json_append_number(out, v->number);
    case SIO_STRING:
        return json_append_string(out, text_of(v));
    case SIO_BINARY:
        return sp_append_binary(out, bin, text_of(v));
    case SIO_JSON:
        return json_tree_append(out, v->data);
    case SIO_RAW_JSON:
        return append_raw(out, bin, v);
    case SIO_RAW_MSGPACK:
        return mp_append_as_json(out, bin, text_of(v));
    }
    return SIO_E_INVAL;
}

/* type [count "-"] [nsp ","] [id] */
static int append_head(struct grow *out, enum sp_type type, size_t binaries,
                       sio_str nsp, int64_t id)
{
    int r;

    if (binaries)
        type = type == SP_EVENT ? SP_BINARY_EVENT : SP_BINARY_ACK;
    r = grow_append_byte(out, (uint8_t)('0' + type));
    if (r == SIO_OK && binaries) {
        r = json_append_integer(out, (int64_t)binaries);
        if (r == SIO_OK)
            r = grow_append_byte(out, '-');
    }
    if (r == SIO_OK && !str_eq(nsp, STR("/"))) {
        r = append_str(out, nsp);
        if (r == SIO_OK)
            r = grow_append_byte(out, ',');
    }
    if (r == SIO_OK && id != SP_NO_ID)
        r = json_append_integer(out, id);
    return r;
}

/* ["event",value,...,"extra"] */
static int append_payload(struct grow *out, struct sp_attachments *bin,
                          const struct sp_message *m)
{
    uint8_t separator = '[';
    int r = SIO_OK;

    if (m->type == SP_EVENT) {
        r = grow_append_byte(out, separator);
        if (r == SIO_OK)
            r = json_append_string(out, m->event);
        separator = ',';
    }
    for (size_t i = 0; r == SIO_OK && i < m->count; i++) {
        r = grow_append_byte(out, separator);
        if (r == SIO_OK)
            r = append_value(out, bin, &m->values[i]);
        separator = ',';
    }
    if (r == SIO_OK && m->extra.p) {
        r = grow_append_byte(out, separator);
        if (r == SIO_OK)
            r = json_append_string(out, m->extra);
        separator = ',';
    }
    if (r == SIO_OK && separator == '[')
        r = grow_append_byte(out, separator);
    return r == SIO_OK ? grow_append_byte(out, ']') : r;
}

int sp_encode(struct grow *out, struct sp_attachments *bin,
              const struct sp_message *m)
{
    const size_t before = out->len;
    size_t binaries = 0;
    int r = SIO_OK;

    bin->count = 0;
    for (size_t i = 0; r == SIO_OK && i < m->count; i++)
        r = sp_count_binaries(&m->values[i], &binaries);
    if (r == SIO_OK)
        r = append_head(out, m->type, binaries, m->nsp, m->id);
    if (r == SIO_OK)
        r = append_payload(out, bin, m);
    if (r != SIO_OK) {
        out->len = before;
        bin->count = 0;
    }
    return r;
}

int sp_encode_plain(struct grow *out, enum sp_type type, sio_str nsp,
                    sio_str json)
{
    const size_t before = out->len;
    int r = append_head(out, type, 0, nsp, SP_NO_ID);

    if (r == SIO_OK)
        r = append_str(out, json);
    if (r != SIO_OK)
        out->len = before;
    return r;
}

int sp_encode_value(struct grow *out, struct sp_attachments *bin,
                    const sio_value *v)
{
    const size_t before = out->len, binaries = bin ? bin->count : 0;
    size_t more = 0;
    int r = sp_count_binaries(v, &more);

    if (r == SIO_OK)
        r = append_value(out, bin, v);
    if (r != SIO_OK) {
        out->len = before;
        if (bin)
            bin->count = binaries;
    }
    return r;
}
