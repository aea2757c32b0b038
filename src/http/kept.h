/*
 * kept.h -- the head of a request as a session keeps it: one block of bytes,
 * hardly longer than the text that came.
 *
 *   http_request (slices of a buffer that goes) --> http_keep() --> session
 *
 * Programs ask for a field of it seldom, and there is one for each client that
 * is connected: so it is made to be small, and a look-up walks over it.
 *
 * What is given out are slices of the block and of constants.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_HTTP_KEPT_H
#define SRC_HTTP_KEPT_H

#include "src/http/request.h"

struct http_kept {
    uint32_t size;                        /* bytes of text[] */
    uint32_t target_n, query_at, query_n; /* query_n 0: there is none */
    uint16_t field_count;
    bool certified; /* behind text[], aligned, is the client's certificate */
    bool secure, upgrade; /* as of http_request */
    /* The target. Then each field: the number of its name (see kept.c), or 0,
     * the name's length, the name; the value's length, the value. A length has
     * 7 bits in a byte, the lowest first; the highest bit is set if more
     * follow.
     */
    char text[];
};

/* free() it. NULL: out of memory. */
struct http_kept *http_keep(const struct http_request *r);

sio_str http_kept_target(const struct http_kept *k);
sio_str http_kept_query(const struct http_kept *k);
const sio_certificate *http_kept_certificate(const struct http_kept *k);

/* As http_field_value(). */
sio_str http_kept_value(const struct http_kept *k, sio_str name);

/* Walk the fields in the order they came: *at is 0 at first; false at the end.
 */
bool http_kept_next(const struct http_kept *k, size_t *at,
                    struct http_field *field);

/* As a request again: slices of `k`, without method and path; free() it. NULL:
 * out of memory. */
struct http_request *http_kept_request(const struct http_kept *k);

#endif
