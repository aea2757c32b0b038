/*
 * told.c -- a message that lasts: what was emitted, for those on other loops
 * who want to see it (<sio/intercept.h>).
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/socketio/bus.h"

#include <stdlib.h>

/* As JSON text; MessagePack stays what it is. */
static int copy_value(struct so_told *t, const sio_value *from, sio_value *to)
{
    const size_t before = t->text.len;
    size_t ignored = 0;
    int r;

    *to = (sio_value){ .kind = SIO_RAW_JSON, .trusted = true };
    if (from->kind == SIO_RAW_MSGPACK) {
        to->kind = SIO_RAW_MSGPACK;
        r = sp_count_binaries(from, &ignored);
        if (r == SIO_OK)
            r = grow_append(&t->text, from->data, from->size);
    } else {
        r = sp_encode_value(&t->text, &t->bin, from);
    }
    to->size = t->text.len - before;
    return r;
}

static int copy_values(struct so_told *t, const sio_value *values)
{
    const size_t count = t->message.count;
    size_t at = 0;
    int r = SIO_OK;

    for (size_t i = 0; r == SIO_OK && i < count; i++)
        r = copy_value(t, &values[i], &t->values[i]);
    if (r < 0)
        t->bin.count = 0; /* still their lender's */
    else
        r = sp_attachments_own(&t->bin, 0);
    for (size_t i = 0; i < count; i++) {
        t->values[i].data = t->text.data + at;
        t->values[i].attachments = t->bin.items;
        t->values[i].attachment_count = t->bin.count;
        at += t->values[i].size;
    }
    return r;
}

static int copy_names(struct so_told *t)
{
    struct sp_message *m = &t->message;

    t->names = malloc(m->event.n + m->extra.n + 1);
    if (!t->names)
        return SIO_E_NOMEM;
    if (m->event.n) /* an answer has none */
        memcpy(t->names, m->event.p, m->event.n);
    m->event.p = t->names;
    if (m->extra.p) {
        memcpy(t->names + m->event.n, m->extra.p, m->extra.n);
        m->extra.p = t->names + m->event.n;
    }
    return SIO_OK;
}

int so_told_new(struct so_hub *hub, const struct sp_message *m,
                struct so_told **told)
{
    struct so_told *t = calloc(1, sizeof *t + m->count * sizeof *t->values);
    int r;

    if (!t)
        return SIO_E_NOMEM;
    t->message = *m;
    t->message.values = t->values;
    grow_init(&t->text, hub->options.max_packet);
    sp_attachments_init(&t->bin);
    r = copy_names(t);
    if (r == SIO_OK)
        r = copy_values(t, m->values);
    if (r < 0)
        so_told_free(t);
    else
        *told = t;
    return r;
}

void so_told_free(struct so_told *t)
{
    if (!t)
        return;
    sp_attachments_disown(&t->bin);
    grow_free(&t->text);
    free(t->names);
    free(t);
}
