/*
 * eio_payload.c -- any bytes as a polling body: the iterator must find what
 * splitting at each separator by hand finds, and what it found must survive
 * being written and read once more.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/base/str.h"
#include "protocol/engineio/payload.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static char *copy_of(const void *p, size_t n)
{
    char *copy = malloc(n ? n : 1);

    if (n)
        memcpy(copy, p, n);
    return copy;
}

static bool same(const struct eio_packet *a, const struct eio_packet *b)
{
    return a->type == b->type && a->binary == b->binary &&
           str_eq(a->data, b->data);
}

/* The packet up to the next separator, decoded alone, agrees with what the
 * iterator said. Returns what is left of the body. */
static sio_str check_alone(sio_str body, int result,
                           const struct eio_packet *packet)
{
    sio_str rest, text = str_split(body, EIO_SEPARATOR, &rest);
    char *copy = copy_of(text.p, text.n);
    struct eio_packet alone;
    int r = eio_packet_decode_in_place(copy, text.n, &alone);

    require((r == SIO_OK) == (result == 1));
    require(r != SIO_OK || same(&alone, packet));
    free(copy);
    return rest;
}

static void check_again(const struct grow *written, const sio_str body)
{
    char *again = copy_of(written->data, written->len);
    char *copy = copy_of(body.p, body.n);
    struct eio_payload one, two;
    struct eio_packet a, b;

    eio_payload_init(&one, copy, body.n);
    eio_payload_init(&two, again, written->len);
    while (written->len && eio_payload_next(&one, &a) == 1) {
        require(eio_payload_next(&two, &b) == 1);
        require(same(&a, &b));
    }
    require(!written->len || eio_payload_next(&two, &b) == 0);
    free(copy);
    free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const sio_str body = { (const char *)data, size };
    char *copy = copy_of(data, size);
    sio_str rest = body;
    struct grow written;
    struct eio_payload it;
    struct eio_packet p;
    int r;

    grow_init(&written, SIZE_MAX);
    eio_payload_init(&it, copy, size);
    do {
        r = eio_payload_next(&it, &p);
        if (r != 0)
            rest = check_alone(rest, r, &p);
        if (r == 1 && p.binary)
            require(eio_payload_append_binary(&written, p.data) == SIO_OK);
        else if (r == 1)
            require(eio_payload_append(&written, p.type, p.data) == SIO_OK);
    } while (r == 1);
    require(r < 0 || !rest.p);
    check_again(&written, body);
    grow_free(&written);
    free(copy);
    return 0;
}
