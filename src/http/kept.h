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
#include "src/net/address.h"

struct http_kept {
    bool certified : 1; /* text[] begins, aligned, with its certificate */
    bool secure : 1, upgrade : 1, keep_alive : 1; /* as of http_request */
    uint8_t peer : 2; /* what there is of an address; see kept.c */
    /*
     * Where the client is: port, IP. The target: the number of a usual one (see
     * kept.c), or 0, its length, its bytes. Then each field: the number of its
     * name, or of its name and value together, or 0, the name's length, the
     * name; the value's length, the value. Behind the last one: KEPT_END. A
     * length has 7 bits in a byte, the lowest first; the highest bit is set if
     * more follow.
     */
    char text[];
};

/* free() it. peer: who is said to have sent it; NULL: nobody cares. NULL: out
 * of memory. */
struct http_kept *http_keep(const struct http_request *r,
                            const struct net_address *peer);

struct net_address http_kept_peer(const struct http_kept *k);
sio_str http_kept_target(const struct http_kept *k);
sio_str http_kept_query(const struct http_kept *k);
const sio_certificate *http_kept_certificate(const struct http_kept *k);

/* As http_field_value(). */
sio_str http_kept_value(const struct http_kept *k, sio_str name);

/* Walk the fields in the order they came: *at is 0 at first; false at the end.
 */
bool http_kept_next(const struct http_kept *k, size_t *at,
                    struct http_field *field);
/* How many there are. */
size_t http_kept_count(const struct http_kept *k);

/* As a request again: slices of `k`, without method and path. `fields` has room
 * for http_kept_count() of them. */
void http_kept_fill(const struct http_kept *k, struct http_request *r,
                    struct http_field *fields);
/* The same in a block of its own; free() it. NULL: out of memory. */
struct http_request *http_kept_request(const struct http_kept *k);

#endif
