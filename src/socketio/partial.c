/*
 * partial.c -- a binary packet between its header and its last attachment.
 *
 * While everything arrives in one batch nothing is copied: header and
 * attachments are slices of the input. What a batch leaves unfinished is copied
 * once, at its end.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/socketio/hub.h"

#include <stdlib.h>

struct so_partial *so_partial_new(struct so_shard *shard,
                                  const struct sp_packet *packet)
{
    size_t max = shard->hub->options.limits.max_attachments;
    struct so_partial *p = shard->spare;

    shard->spare = NULL;
    if (!p)
        p = malloc(sizeof *p + max * sizeof *p->attachments);
    if (!p)
        return NULL;
    p->packet = *packet;
    p->text = NULL;
    p->have = p->copied = 0;
    p->bytes = 0;
    return p;
}

void so_partial_free(struct so_shard *shard, struct so_partial *p)
{
    if (!p)
        return;
    for (uint32_t i = 0; i < p->copied; i++)
        free((char *)(uintptr_t)p->attachments[i].p);
    free(p->text);
    eng_unfinished(&shard->engine, p->bytes, 0);
    if (shard->spare)
        free(p);
    else
        shard->spare = p;
}

static void rebase(sio_str *s, const char *from, uint8_t *to)
{
    s->p = (char *)to + (s->p - from);
}

/* The payload is what the slices point into; the namespace may be a constant,
 * and lies in front of it otherwise. */
static int pin_text(struct so_partial *p)
{
    struct sp_packet *k = &p->packet;
    const char *from = k->json.p;
    size_t kept = k->argc < SP_ARGS ? k->argc : SP_ARGS;
    uint8_t *text = malloc(k->json.n + k->nsp.n);

    if (!text)
        return SIO_E_NOMEM;
    memcpy(text, k->json.p, k->json.n);
    memcpy(text + k->json.n, k->nsp.p, k->nsp.n);
    for (size_t i = 0; i < kept; i++)
        rebase(&k->argv[i], from, text);
    rebase(&k->json, from, text);
    k->nsp.p = (char *)text + k->json.n;
    p->text = text;
    p->bytes += k->json.n + k->nsp.n;
    return SIO_OK;
}

static int pin_attachment(struct so_partial *p, sio_str *a)
{
    char *copy = malloc(a->n ? a->n : 1);

    if (!copy)
        return SIO_E_NOMEM;
    if (a->n)
        memcpy(copy, a->p, a->n);
    a->p = copy;
    p->copied++;
    p->bytes += a->n;
    return SIO_OK;
}

int so_partial_pin(struct so_shard *shard, struct so_partial *p)
{
    const size_t before = p->bytes;
    int r = SIO_OK;
    bool fits;

    if (p->text && p->copied == p->have)
        return 0;
    if (!p->text)
        r = pin_text(p);
    while (r == SIO_OK && p->copied < p->have)
        r = pin_attachment(p, &p->attachments[p->copied]);
    fits = eng_unfinished(&shard->engine, before, p->bytes);
    if (r < 0)
        return r;
    return fits ? 1 : SIO_E_LIMIT;
}
