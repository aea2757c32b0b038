/*
 * cookie.h -- the Set-Cookie field (RFC 6265 4.1), spelled as the npm package
 * `cookie` does.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_HTTP_COOKIE_H
#define SRC_HTTP_COOKIE_H

#include "protocol/base/grow.h"

#define HTTP_COOKIE_MAX 1024 /* bytes of one field's value */

struct http_cookie {
    sio_str name;
    sio_str path;    /* n 0: no Path */
    sio_str domain;  /* n 0: no Domain */
    int64_t max_age; /* seconds; < 0: no Max-Age */
    bool http_only, secure, partitioned;
    sio_str priority;  /* "Low", "Medium", "High"; n 0: none */
    sio_str same_site; /* "Strict", "Lax", "None"; n 0: none */
};

/* Append what stands behind name=value: "; Path=/; HttpOnly; SameSite=Lax".
 * SIO_OK, SIO_E_INVAL (a name, path or domain that cannot stand there),
 * SIO_E_LIMIT, SIO_E_NOMEM. */
int http_cookie_attributes(struct grow *out, const struct http_cookie *cookie);

#endif
