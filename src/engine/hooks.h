/*
 * hooks.h -- the program's word in requests and answers: see <sio/hooks.h>.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_ENGINE_HOOKS_H
#define SRC_ENGINE_HOOKS_H

#include <sio/hooks.h>

#include "protocol/base/arena.h"
#include "src/engine/engine.h"

/* Ask the program whether; it decides now or later, and then engine_admit() or
 * engine_refuse() goes on with the exchange. */
void hooks_ask(struct engine *e, struct http_exchange *ex);

/* Ask it for a session id; then comes engine_open() or engine_refuse(). */
void hooks_ask_id(struct engine *e, struct http_exchange *ex);

/* The fields that the program adds to one answer. */
struct sio_headers {
    const struct http_exchange *ex;
    bool initial;
    size_t count;
    struct http_field fields[SIO_HEADERS_MAX];
    struct arena arena;
};

void hooks_headers(const struct engine *e, const struct http_exchange *ex,
                   bool initial, struct sio_headers *headers);
/* Append them to fields[0..n); returns the new number. */
size_t hooks_headers_append(const struct sio_headers *headers,
                            struct http_field *fields, size_t n);
void hooks_headers_free(struct sio_headers *headers);

#endif
