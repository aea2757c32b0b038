/*
 * ws_frame.c -- the first bytes choose role, extension and where the input is
 * cut in two. The decoder must end in the same place as when it sees the input
 * whole, and the shortcut for whole frames must agree with it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/websocket/frame.h"

#include <stdlib.h>
#include <string.h>

#define MAX_FRAME (1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What went by, whatever the pieces: a sum over headers and payload bytes. */
struct digest {
    uint64_t sum;
    size_t frames;
};

static void add(struct digest *g, uint64_t value)
{
    g->sum = (g->sum ^ value) * 0x100000001b3;
}

static void note(struct digest *g, const struct ws_event *ev)
{
    if (ev->type == WS_EV_HEADER) {
        add(g, (uint64_t)ev->fin << 16 | (uint64_t)ev->rsv1 << 8 | ev->op);
        add(g, ev->length);
    } else if (ev->type == WS_EV_PAYLOAD) {
        for (size_t i = 0; i < ev->n; i++)
            add(g, ev->data[i]);
    } else if (ev->type == WS_EV_END) {
        g->frames++;
    }
}

/* A copy of exactly `len` bytes, so that asan sees any overrun. */
static uint8_t *copy_of(const uint8_t *in, size_t len)
{
    uint8_t *copy = malloc(len ? len : 1);

    if (!copy)
        abort();
    memcpy(copy, in, len);
    return copy;
}

static void drain(struct ws_decoder *d, const uint8_t *in, size_t len,
                  struct digest *g)
{
    uint8_t *copy = copy_of(in, len), *p = copy;
    struct ws_event ev;

    do {
        size_t n = ws_decode(d, p, len, &ev);

        if (n > len)
            abort();
        p += n;
        len -= n;
        note(g, &ev);
    } while (ev.type != WS_EV_MORE && ev.type != WS_EV_ERROR);
    free(copy);
}

/* The same by shortcut as far as that goes. */
static void drain_whole(struct ws_decoder *d, const uint8_t *in, size_t len,
                        struct digest *g)
{
    uint8_t *copy = copy_of(in, len), *p = copy;
    struct ws_event ev;
    size_t n;

    while ((n = ws_decode_whole(d, p, len, &ev)) > 0) {
        ev.type = WS_EV_HEADER;
        note(g, &ev);
        ev.type = WS_EV_PAYLOAD;
        note(g, &ev);
        g->frames++;
        p += n;
        len -= n;
    }
    drain(d, p, len, g);
    free(copy);
}

static int differ(const struct ws_decoder *a, const struct ws_decoder *b)
{
    return a->state != b->state || a->left != b->left || a->err != b->err ||
           a->key_at != b->key_at || a->have != b->have || a->need != b->need;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct digest one = { 0, 0 }, two = { 0, 0 }, three = { 0, 0 };
    struct ws_decoder whole, parts, quick;
    size_t cut;

    if (size < 2)
        return 0;
    ws_decoder_init(&whole, data[0] & 1 ? WS_SERVER : WS_CLIENT, MAX_FRAME,
                    data[0] & 2);
    parts = quick = whole;
    cut = data[1];
    data += 2;
    size -= 2;
    if (cut > size)
        cut = size;
    drain(&whole, data, size, &one);
    drain(&parts, data, cut, &two);
    drain(&parts, data + cut, size - cut, &two);
    drain_whole(&quick, data, size, &three);
    if (differ(&whole, &parts) || one.sum != two.sum ||
        one.frames != two.frames || one.sum != three.sum ||
        one.frames != three.frames || whole.left != quick.left ||
        whole.err != quick.err)
        abort();
    return 0;
}
