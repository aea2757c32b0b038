/*
 * packet.c -- see packet.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/engine/packet.h"

#include "protocol/base/base64.h"
#include "protocol/engineio/payload.h"

#include <stdlib.h>

struct sio_packet *eng_packet_new(bool binary, sio_str first,
                                  const sio_str *attachments, size_t count)
{
    struct sio_packet *p;

    p = malloc(sizeof *p + (count + 1) * sizeof *p->parts);
    if (!p)
        return NULL;
    atomic_init(&p->refs, 1);
    atomic_init(&p->payload, NULL);
    p->count = 0;
    if (http_frame_init(&p->parts[p->count++], binary ? WS_BINARY : WS_TEXT,
                        first) < 0)
        goto fail;
    for (size_t i = 0; i < count; i++)
        if (http_frame_init(&p->parts[p->count++], WS_BINARY, attachments[i]) <
            0)
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
        http_frame_free(&p->parts[i]);
    buf_unref(atomic_load_explicit(&p->payload, memory_order_relaxed));
    free(p);
}

static size_t payload_len(const struct sio_packet *p)
{
    size_t len = 0;

    for (size_t i = 0; i < p->count; i++) {
        size_t n = http_frame_data(&p->parts[i]).n;

        len += (i > 0) + (p->parts[i].op == WS_BINARY ? 1 + BASE64_LEN(n) : n);
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
        sio_str data = http_frame_data(&p->parts[i]);

        if (i > 0)
            *at++ = EIO_SEPARATOR;
        if (p->parts[i].op == WS_BINARY) {
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
