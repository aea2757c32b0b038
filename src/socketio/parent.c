/*
 * parent.c -- emitting to a parent: to each of its children, in whose name the
 * packet has to be encoded; and from other threads whatever has to be encoded
 * on the loop.
 *
 *   on the loop     child by child
 *   other thread    values as text into a mail, which emits them on the loop
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/socketio/hub.h"

#include <stdlib.h>

static int emit_here(sio_target target, const char *event,
                     const sio_value *values, size_t count)
{
    struct list *head = &target.nsp->children;
    int r = SIO_OK;

    for (struct list *it = head->next; it != head && r == SIO_OK;
         it = it->next) {
        target.nsp = container_of(it, sio_namespace, children);
        r = sio_emit_values(target, event, values, count);
    }
    return r;
}

/* An emit on its way to the loop, with everything that it borrowed. */
struct parent_mail {
    struct net_mail mail;
    sio_target target;
    char *names;      /* the event's, then those of rooms: each with its NUL */
    struct grow text; /* the values */
    struct sp_attachments bin; /* their attachments, copied */
    size_t count;
    sio_value values[];
};

static void mail_free(struct parent_mail *m)
{
    so_target_drop(&m->target);
    sp_attachments_disown(&m->bin);
    grow_free(&m->text);
    free(m->names);
    free(m);
}

static void on_mail(struct net_mail *mail)
{
    struct parent_mail *m = container_of(mail, struct parent_mail, mail);
    sio_namespace *nsp = m->target.nsp;

    int r = nsp->rule
                ? emit_here(m->target, m->names, m->values, m->count)
                : sio_emit_values(m->target, m->names, m->values, m->count);

    if (r < 0)
        so_log(nsp->hub, SIO_LOG_ERROR,
               "an event of another thread to %s was not sent to all: %s",
               nsp->name, sio_strerror(r));
    mail_free(m);
}

/* The event's name and the target's go to `to`; NULL: only their size. */
static size_t move_names(sio_target *t, const char *event, char *to)
{
    size_t n = so_names_move(&event, 1, to);

    return n + so_target_move(t, to ? to + n : NULL);
}

/* As JSON text; MessagePack stays what it is. */
static int copy_value(struct parent_mail *m, const sio_value *from,
                      sio_value *to)
{
    const size_t before = m->text.len;
    size_t ignored = 0;
    int r;

    *to = (sio_value){ .kind = SIO_RAW_JSON, .trusted = true };
    if (from->kind == SIO_RAW_MSGPACK) {
        to->kind = SIO_RAW_MSGPACK;
        r = sp_count_binaries(from, &ignored);
        if (r == SIO_OK)
            r = grow_append(&m->text, from->data, from->size);
    } else {
        r = sp_encode_value(&m->text, &m->bin, from);
    }
    to->size = m->text.len - before;
    return r;
}

static int copy_values(struct parent_mail *m, const sio_value *values)
{
    size_t at = 0;
    int r = SIO_OK;

    for (size_t i = 0; r == SIO_OK && i < m->count; i++)
        r = copy_value(m, &values[i], &m->values[i]);
    if (r < 0)
        m->bin.count = 0;
    else
        r = sp_attachments_own(&m->bin, 0);
    for (size_t i = 0; i < m->count; i++) {
        m->values[i].data = m->text.data + at;
        m->values[i].attachments = m->bin.items;
        m->values[i].attachment_count = m->bin.count;
        at += m->values[i].size;
    }
    return r;
}

int so_post_values(const sio_target *target, const char *event,
                   const sio_value *values, size_t count)
{
    struct parent_mail *m = calloc(1, sizeof *m + count * sizeof *values);
    struct so_hub *hub = target->nsp->hub;
    int r;

    if (!m)
        return SIO_E_NOMEM;
    m->mail.run = on_mail;
    m->target = *target;
    so_target_hold(target);
    m->count = count;
    grow_init(&m->text, hub->options.max_packet);
    sp_attachments_init(&m->bin);
    m->names = malloc(move_names(&m->target, event, NULL));
    r = m->names ? copy_values(m, values) : SIO_E_NOMEM;
    if (r < 0) {
        mail_free(m);
        return r;
    }
    move_names(&m->target, event, m->names);
    net_post(hub->shards->loop, &m->mail);
    return SIO_OK;
}

int so_parent_emit(const sio_target *target, const char *event,
                   const sio_value *values, size_t count)
{
    return net_loop_is_current(target->nsp->parts->shard->loop)
               ? emit_here(*target, event, values, count)
               : so_post_values(target, event, values, count);
}
