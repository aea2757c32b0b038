/*
 * parse.h -- bytes of an HTTP/1 request to its head and its body.
 *
 *   bytes --> http_scan() --> whole head --> http_parse_head() --> request
 *         --> http_chunked_next() --> body (or so many bytes as were declared)
 *
 * Only the end of the head is looked for while it arrives; it is parsed once,
 * in one piece, so where a TCP segment ends cannot change the result. What is
 * ambiguous is refused: two parties that read it differently are how requests
 * get smuggled (RFC 9112 11.2). No socket, no clock, no allocation.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_HTTP_PARSE_H
#define SRC_HTTP_PARSE_H

#include "src/http/request.h"

#define HTTP_TRAILER_MAX 8192 /* bytes behind the last chunk */

struct http_scan {
    size_t lines;     /* complete ones */
    size_t line_size; /* bytes of the present one */
    bool after_cr;
    bool done; /* the empty line has been seen */
    bool bad;  /* no HTTP: see http_scan() */
};

/*
 * Look for the end of the head, from a zeroed state on. Sets s->bad at once for
 * a first byte that begins no method, a line that ends in a bare LF and one
 * that continues the line before (obs-fold). Returns how many bytes of p[0..n)
 * belong to the head.
 */
size_t http_scan(struct http_scan *s, const uint8_t *p, size_t n);

/* How the body is delimited. */
struct http_framing {
    bool chunked;
    bool must_continue; /* "Expect: 100-continue" */
    uint64_t length;    /* bytes, when not chunked */
};

/*
 * Parse a whole head in place: names become lower case, and `request` and the
 * fields are slices of it. `fields` has room for one per line but the first and
 * the last.
 * Returns 0, or the status to refuse it with and *why.
 */
int http_parse_head(char *head, size_t n, struct http_field *fields,
                    struct http_request *request, struct http_framing *framing,
                    const char **why);

enum http_chunked_result {
    HTTP_CHUNKED_MORE,
    HTTP_CHUNKED_DATA,
    HTTP_CHUNKED_END,
    HTTP_CHUNKED_BAD
};

struct http_chunked {
    uint8_t state;
    uint8_t digits;
    uint16_t trailer; /* bytes */
    uint64_t left;    /* bytes of the present chunk */
};

/* From a zeroed state on: take bytes from *p up to `end` and move *p. On DATA,
 * `data` is a slice of them. Chunk extensions and bare LFs are BAD; trailer
 * fields are dropped. */
enum http_chunked_result http_chunked_next(struct http_chunked *c, uint8_t **p,
                                           uint8_t *end, sio_str *data);

/* The value of a hexadecimal digit, or -1. */
static inline int http_hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = str_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

#endif
