/*
 * packet.c -- see packet.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/engine/packet.h"

#include "protocol/base/base64.h"
#include "protocol/engineio/payload.h"
#include "protocol/websocket/frame.h"

#include <stdlib.h>

static int make_part(struct eng_part *part, enum ws_op op, sio_str data)
{
    uint8_t head[WS_HEAD_MAX];
    size_t n = ws_encode_head(head, op, data.n, NULL);

    part->frame = buf_alloc(n + data.n);
    if (!part->frame)
        return SIO_E_NOMEM;
    memcpy(part->frame->data, head, n);
    if (data.n)
        memcpy(part->frame->data + n, data.p, data.n);
    part->head = (uint8_t)n;
    part->binary = op == WS_BINARY;
    return SIO_OK;
}

struct sio_packet *eng_packet_new(sio_str text, const sio_str *attachments,
                                  size_t count)
{
    struct sio_packet *p;

    p = malloc(sizeof *p + (count + 1) * sizeof *p->parts);
    if (!p)
        return NULL;
    atomic_init(&p->refs, 1);
    atomic_init(&p->payload, NULL);
    p->count = 0;
    if (make_part(&p->parts[p->count++], WS_TEXT, text) < 0)
        goto fail;
    for (size_t i = 0; i < count; i++)
        if (make_part(&p->parts[p->count++], WS_BINARY, attachments[i]) < 0)
            goto fail;
    return p;
fail:
    eng_packet_unref(p);
    return NULL;
}

struct sio_packet *eng_packet_ref(struct sio_packet *p)
{
    atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
    return p;
}

void eng_packet_unref(struct sio_packet *p)
{
    if (!p || atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < p->count; i++)
        buf_unref(p->parts[i].frame);
    buf_unref(atomic_load_explicit(&p->payload, memory_order_relaxed));
    free(p);
}

static size_t payload_len(const struct sio_packet *p)
{
    size_t len = 0;

    for (size_t i = 0; i < p->count; i++) {
        size_t n = eng_part_data(&p->parts[i]).n;

        len += (i > 0) + (p->parts[i].binary ? 1 + BASE64_LEN(n) : n);
    }
    return len;
}

static struct buf *make_payload(const struct sio_packet *p)
{
    struct buf *b = buf_alloc(payload_len(p));
    char *at;

    if (!b)
        return NULL;
    at = (char *)b->data;
    for (size_t i = 0; i < p->count; i++) {
        sio_str data = eng_part_data(&p->parts[i]);

        if (i > 0)
            *at++ = EIO_SEPARATOR;
        if (p->parts[i].binary) {
            *at++ = 'b';
            at += base64_encode(at, data.p, data.n);
        } else {
            memcpy(at, data.p, data.n);
            at += data.n;
        }
    }
    return b;
}

struct buf *eng_packet_payload(struct sio_packet *p)
{
    struct buf *have = atomic_load_explicit(&p->payload, memory_order_acquire);
    struct buf *made;

    if (have)
        return have;
    made = make_payload(p);
    if (!made)
        return NULL;
    /* Another loop may have been faster: then its form stays. */
    if (atomic_compare_exchange_strong(&p->payload, &have, made))
        return made;
    buf_unref(made);
    return have;
}
