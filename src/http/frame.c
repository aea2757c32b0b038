/*
 * frame.c -- see frame.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/http/frame.h"

#include <stdlib.h>

struct http_frame_deflated {
    struct http_frame_deflated *next;
    struct buf *frame;
    uint8_t window_bits;
};

/* Header and payload in one piece; *head: bytes of the header. */
static struct buf *join(enum ws_op op, bool deflated, sio_str data,
                        uint8_t *head)
{
    uint8_t start[WS_HEAD_MAX];
    size_t n = ws_encode_head(start, op, data.n, NULL);
    struct buf *b = buf_alloc(n + data.n);

    if (!b)
        return NULL;
    if (deflated)
        start[0] |= WS_RSV1;
    memcpy(b->data, start, n);
    if (data.n)
        memcpy(b->data + n, data.p, data.n);
    *head = (uint8_t)n;
    return b;
}

int http_frame_init(struct http_frame *f, enum ws_op op, sio_str data)
{
    f->op = (uint8_t)op;
    atomic_init(&f->deflated, NULL);
    f->plain = join(op, false, data, &f->head);
    return f->plain ? SIO_OK : SIO_E_NOMEM;
}

static void free_form(struct http_frame_deflated *form)
{
    buf_unref(form->frame);
    free(form);
}

void http_frame_free(struct http_frame *f)
{
    struct http_frame_deflated *form =
        atomic_load_explicit(&f->deflated, memory_order_relaxed);

    while (form) {
        struct http_frame_deflated *next = form->next;

        free_form(form);
        form = next;
    }
    buf_unref(f->plain);
}

static struct http_frame_deflated *find(struct http_frame_deflated *form,
                                        unsigned window_bits)
{
    while (form && form->window_bits != window_bits)
        form = form->next;
    return form;
}

static struct http_frame_deflated *make(const struct http_frame *f,
                                        struct http_deflate_shared *shared,
                                        struct http_deflate *d)
{
    struct http_frame_deflated *form = calloc(1, sizeof *form);
    sio_str data = { NULL, 0 };
    uint8_t head;

    if (form)
        data = http_deflate_message(shared, d, http_frame_data(f));
    if (data.p) {
        form->window_bits = d->out.window_bits;
        form->frame = join((enum ws_op)f->op, true, data, &head);
    }
    http_deflate_release(shared);
    if (!form || form->frame)
        return form;
    free(form);
    return NULL;
}

struct buf *http_frame_deflate(struct http_frame *f,
                               struct http_deflate_shared *shared,
                               struct http_deflate *d)
{
    const unsigned bits = d->out.window_bits;
    struct http_frame_deflated *first =
        atomic_load_explicit(&f->deflated, memory_order_acquire);
    struct http_frame_deflated *form = find(first, bits), *made;

    if (form)
        return form->frame;
    made = make(f, shared, d);
    if (!made)
        return NULL;
    do {
        made->next = first;
        if (atomic_compare_exchange_weak(&f->deflated, &first, made))
            return made->frame;
        form = find(first, bits);
    } while (!form);
    free_form(made); /* another loop was faster: its form stays */
    return form->frame;
}
