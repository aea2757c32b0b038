/*
 * eio_payload3.c -- any bytes as a polling body of Engine.IO 3; the first byte
 * chooses the form. What was found must survive being written, in either form,
 * and read once more. Cut anywhere, the packets before the cut stay the same.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/base/str.h"
#include "protocol/base/utf8.h"
#include "protocol/engineio/jsonp.h"
#include "protocol/engineio/payload3.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_PACKETS 64

/* A body decoded from a copy that ends where it ends. */
struct decoded {
    char *copy;
    struct eio_packet packet[MAX_PACKETS];
    size_t n;
    bool failed;
};

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void decode(enum eio_form3 form, sio_str body, struct decoded *d)
{
    struct eio_payload3 it;
    struct eio_packet p;
    int r;

    d->copy = malloc(body.n ? body.n : 1);
    d->n = 0;
    if (body.n)
        memcpy(d->copy, body.p, body.n);
    eio_payload3_init(&it, form, d->copy, body.n);
    while ((r = eio_payload3_next(&it, &p)) == 1 && d->n < MAX_PACKETS)
        d->packet[d->n++] = p;
    require(r >= 0 || (r == SIO_E_INVAL && eio_payload3_next(&it, &p) == 0));
    d->failed = r < 0;
}

static bool same(const struct eio_packet *a, const struct eio_packet *b)
{
    return a->type == b->type && a->binary == b->binary &&
           str_eq(a->data, b->data);
}

static void check_cut(enum eio_form3 form, sio_str body,
                      const struct decoded *whole, size_t cut)
{
    struct decoded part;
    size_t sure;

    body.n = cut < body.n ? cut : body.n;
    if (form == EIO_FORM3_TEXT && !utf8_valid(body.p, body.n))
        return;
    decode(form, body, &part);
    /* The last packet of a binary form may have been shortened. */
    sure = part.n - (form == EIO_FORM3_BINARY && part.n > 0);
    require(sure <= whole->n);
    for (size_t i = 0; i < sure; i++)
        require(same(&part.packet[i], &whole->packet[i]));
    free(part.copy);
}

/* Only messages are written as binary. */
static bool writable(const struct eio_packet *p)
{
    return !p->binary || p->type == EIO_PACKET_MESSAGE;
}

static void check_again(enum eio_form3 form, const struct decoded *whole)
{
    struct decoded again;
    struct grow out;
    size_t n = 0;

    grow_init(&out, SIZE_MAX);
    for (size_t i = 0; i < whole->n; i++) {
        const struct eio_packet *p = &whole->packet[i];

        if (!writable(p))
            continue;
        require((p->binary
                     ? eio_payload3_append_binary(&out, form, p->data)
                     : eio_payload3_append(&out, form, p->type, p->data)) == 0);
    }
    decode(form, grow_str(&out), &again);
    require(again.failed == (form == EIO_FORM3_TEXT && out.len == 0));
    for (size_t i = 0; i < whole->n; i++)
        if (writable(&whole->packet[i]))
            require(same(&whole->packet[i], &again.packet[n++]));
    require(n == again.n);
    free(again.copy);
    grow_free(&out);
}

static void check_jsonp(sio_str text)
{
    struct grow out;
    int r;

    grow_init(&out, SIZE_MAX);
    r = eio_jsonp_append(&out, text, text);
    require(r == SIO_OK ? out.data[out.len - 1] == ';' : r == SIO_E_INVAL);
    require(r == SIO_OK || out.len == 0);
    for (size_t i = 0; i + 2 < out.len; i++)
        require(memcmp(out.data + i, "\xe2\x80\xa8", 3) != 0 &&
                memcmp(out.data + i, "\xe2\x80\xa9", 3) != 0);
    grow_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum eio_form3 form;
    struct decoded whole;
    sio_str body;
    size_t cut;

    if (size < 2)
        return 0;
    form = data[0] & 1 ? EIO_FORM3_BINARY : EIO_FORM3_TEXT;
    cut = data[1];
    body = (sio_str){ (const char *)data + 2, size - 2 };
    check_jsonp(body);
    decode(form, body, &whole);
    require(eio_jsonp_unescape(whole.copy, body.n) <= body.n);
    free(whole.copy);
    if (form == EIO_FORM3_TEXT && !utf8_valid(body.p, body.n))
        return 0;
    decode(form, body, &whole);
    check_cut(form, body, &whole, cut);
    check_again(form, &whole);
    if (form == EIO_FORM3_BINARY)
        check_again(EIO_FORM3_TEXT, &whole);
    free(whole.copy);
    return 0;
}
