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

#define HTTP_CORS_FIELDS 7       /* fields of an answer, at most */
#define HTTP_CORS_ORIGIN_MAX 512 /* bytes: a longer Origin fits no pattern */

struct http_patterns;

enum http_cors_origin {
    HTTP_CORS_OFF,
    HTTP_CORS_ANY,     /* "*" */
    HTTP_CORS_FIXED,   /* `origin`, whoever asks */
    HTTP_CORS_REFLECT, /* whoever asks */
    HTTP_CORS_LIST     /* whoever asks and is in `list`, or fits a pattern */
};

/* Strings are borrowed and live as long as this. */
struct http_cors {
    enum http_cors_origin kind;
    sio_str origin;
    const sio_str *list;
    size_t count;
    struct http_patterns *patterns; /* NULL: none */
    bool credentials;
    bool preflight_continue; /* let OPTIONS go on to the handler */
    int preflight_status;    /* 204 */
    sio_str methods;
    sio_str allowed_headers; /* p NULL: what the request asks for */
    sio_str exposed_headers; /* n 0: none */
    sio_str max_age;         /* seconds as text; n 0: none */
};

/* POSIX extended regular expressions, found anywhere in an Origin unless they
 * say "^" and "$". SIO_OK; SIO_E_INVAL, with *wrong the index of what is none;
 * SIO_E_NOMEM. */
int http_patterns_new(struct http_patterns **out, const char *const *texts,
                      size_t count, size_t *wrong);
void http_patterns_free(struct http_patterns *p); /* NULL is allowed */

/* Is it a preflight that these options answer (Fetch 3.2.2)? */
bool http_cors_is_preflight(const struct http_cors *cors,
                            const struct http_request *r);

/* Write the fields of an answer to `r`; values may be slices of it. Returns how
 * many. */
size_t http_cors_fields(const struct http_cors *cors,
                        const struct http_request *r, bool preflight,
                        struct http_field fields[HTTP_CORS_FIELDS]);

#endif
