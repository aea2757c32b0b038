/*
 * request.h -- the head of an HTTP request, as data.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_HTTP_REQUEST_H
#define SRC_HTTP_REQUEST_H

#include <sio/tls.h>

#include "protocol/base/str.h"

struct http_field {
    sio_str name, value; /* name in lower case; value without outer blanks */
};

struct http_request {
    sio_str method;                  /* "GET" */
    sio_str target;                  /* as sent: "/socket.io/?EIO=4" */
    sio_str path;                    /* slices of target, not decoded */
    sio_str query;                   /* without "?"; n 0 when there is none */
    const struct http_field *fields; /* in the order they came */
    size_t field_count;
    uint8_t minor;   /* HTTP/1.minor */
    bool keep_alive; /* what the client asked for */
    bool upgrade;    /* "Upgrade" with "Connection: upgrade" */
    bool secure;     /* came over TLS */
    /* That its client has shown in the TLS handshake; NULL: none. */
    const sio_certificate *certificate;
};

/* The first field of that (lower-case) name; p NULL when absent. */
sio_str http_field_value(const struct http_request *r, sio_str name);

/* The value of a query parameter, undecoded, the last one of that name (WHATWG
 * URL: "&" separates, "+" is a blank). p NULL when absent. */
sio_str http_query_value(sio_str query, sio_str key);

/* The same of `n` different keys, in one go. */
void http_query_values(sio_str query, const sio_str *keys, sio_str *values,
                       size_t n);

/* The same of one key, decoded: at most size - 1 bytes and a NUL are copied;
 * the whole length is returned, or SIO_E_RANGE (no such parameter),
 * SIO_E_NOMEM. */
int http_query_text(sio_str query, sio_str key, char *out, size_t size);

/* May this stand in an answer: a token, and no control character in its value?
 */
bool http_field_valid(sio_str name, sio_str value);

/* Walk the parameters: *rest starts as the query; false at the end. Undecoded
 * slices. */
bool http_next_param(sio_str *rest, sio_str *key, sio_str *value);

/* Decode %XX and, where `plus`, "+"; a bad "%" is kept. Writes at most s.n
 * bytes to out, which may be where s is, and returns how many. */
size_t http_percent_decode(sio_str s, bool plus, char *out);

/* Is `token` in the comma-separated list `value` (case-insensitive)? */
bool http_has_token(sio_str value, sio_str token);

#endif
