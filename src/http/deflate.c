/*
 * deflate.c -- see deflate.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/http/deflate.h"

#include <stdlib.h>

#define SCRATCH_KEEP 65536 /* bytes of scratch kept between messages */

void http_deflate_init(struct http_deflate_shared *shared,
                       const struct http_deflate_options *options)
{
    memset(shared, 0, sizeof *shared);
    shared->options = *options;
    grow_init(&shared->scratch, SIZE_MAX);
    for (unsigned bits = WS_MIN_WINDOW_BITS; bits <= WS_MAX_WINDOW_BITS; bits++)
        ws_deflater_init(&shared->deflaters[bits], bits, false, options->level);
}

void http_deflate_destroy(struct http_deflate_shared *shared)
{
    for (unsigned bits = WS_MIN_WINDOW_BITS; bits <= WS_MAX_WINDOW_BITS; bits++)
        ws_deflater_free(&shared->deflaters[bits]);
    ws_spare_free(&shared->spare);
    grow_free(&shared->scratch);
}

/* ----------------------------------------------------------- negotiation -- */

void http_deflate_free(struct http_deflate *d)
{
    if (!d)
        return;
    ws_inflater_free(&d->in);
    ws_deflater_free(&d->out);
    free(d);
}

static struct http_deflate *new_deflate(struct http_deflate_shared *shared,
                                        const struct ws_deflate_params *agreed)
{
    struct http_deflate *d = calloc(1, sizeof *d);

    if (!d)
        return NULL;
    ws_inflater_init(&d->in, agreed->client_max_window_bits,
                     !agreed->client_no_context_takeover);
    ws_inflater_share(&d->in, &shared->spare);
    ws_deflater_init(&d->out, agreed->server_max_window_bits,
                     !agreed->server_no_context_takeover,
                     shared->options.level);
    return d;
}

/* All Sec-WebSocket-Extensions fields, joined as if they were one. */
static int join_offers(const struct http_request *r, struct grow *out)
{
    int result = SIO_OK;

    for (size_t i = 0; i < r->field_count && result == SIO_OK; i++) {
        if (!str_eq(r->fields[i].name, STR("sec-websocket-extensions")))
            continue;
        if (out->len)
            result = grow_append_byte(out, ',');
        if (result == SIO_OK)
            result =
                grow_append(out, r->fields[i].value.p, r->fields[i].value.n);
    }
    return result;
}

int http_deflate_agree(struct http_deflate_shared *shared,
                       const struct http_request *r,
                       struct http_deflate **deflate, struct grow *answer)
{
    struct ws_deflate_params agreed;
    struct grow offers;
    int result;

    *deflate = NULL;
    if (!shared->options.on)
        return SIO_OK;
    grow_init(&offers, SIZE_MAX);
    result = join_offers(r, &offers);
    if (result == SIO_OK && offers.len)
        result = ws_deflate_negotiate(grow_str(&offers),
                                      &shared->options.wishes, &agreed);
    grow_free(&offers);
    if (result == 1) {
        *deflate = new_deflate(shared, &agreed);
        result = *deflate ? ws_deflate_answer(answer, &agreed) : SIO_E_NOMEM;
    }
    if (result < 0) {
        http_deflate_free(*deflate);
        *deflate = NULL;
    }
    return result == SIO_E_NOMEM ? SIO_OK : result; /* then without it */
}

/* -------------------------------------------------------------- messages -- */

bool http_deflate_wanted(const struct http_deflate_shared *shared,
                         const struct http_deflate *d, size_t n, bool compress)
{
    if (!d)
        return false;
    return d->out.takeover || (compress && n >= shared->options.threshold);
}

sio_str http_deflate_message(struct http_deflate_shared *shared,
                             struct http_deflate *d, sio_str message)
{
    struct ws_deflater *with =
        d->out.takeover ? &d->out : &shared->deflaters[d->out.window_bits];
    struct grow *out = &shared->scratch;

    out->len = 0;
    if (ws_deflate(with, message.p, message.n, out) < 0)
        return (sio_str){ NULL, 0 };
    shared->deflate_runs++;
    return grow_str(out);
}

void http_deflate_release(struct http_deflate_shared *shared)
{
    if (shared->scratch.cap > SCRATCH_KEEP)
        grow_free(&shared->scratch);
}
