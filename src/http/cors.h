/*
 * cors.h -- the fields of Cross-Origin Resource Sharing (Fetch 3.2), as the npm
 * package `cors` writes them.
 *
 * These fields let browsers read answers; they keep nobody out.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_HTTP_CORS_H
#define SRC_HTTP_CORS_H

#include "src/http/request.h"

#define HTTP_CORS_FIELDS 7 /* fields of an answer, at most */

enum http_cors_origin {
    HTTP_CORS_OFF,
    HTTP_CORS_ANY,     /* "*" */
    HTTP_CORS_FIXED,   /* `origin`, whoever asks */
    HTTP_CORS_REFLECT, /* whoever asks */
    HTTP_CORS_LIST     /* whoever asks and is in `list` */
};

/* Strings are borrowed and live as long as this. */
struct http_cors {
    enum http_cors_origin kind;
    sio_str origin;
    const sio_str *list;
    size_t count;
    bool credentials;
    bool preflight_continue; /* let OPTIONS go on to the handler */
    int preflight_status;    /* 204 */
    sio_str methods;
    sio_str allowed_headers; /* p NULL: what the request asks for */
    sio_str exposed_headers; /* n 0: none */
    sio_str max_age;         /* seconds as text; n 0: none */
};

/* Write the fields of an answer to `r`; values may be slices of it. Returns how
 * many. */
size_t http_cors_fields(const struct http_cors *cors,
                        const struct http_request *r, bool preflight,
                        struct http_field fields[HTTP_CORS_FIELDS]);

#endif
