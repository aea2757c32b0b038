/*
 * http_parse.c -- requests, whole and cut in two: the first two bytes choose
 * where. What comes out must be the same, fields and bodies included.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/http/parse.h"

#include <stdlib.h>

#define HEAD_MAX 2048
#define FIELDS_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* One request after the other, as a connection reads them. */
struct reader {
    struct http_scan scan;
    struct http_chunked chunked;
    char head[HEAD_MAX];
    size_t head_len;
    bool in_body, over;
    struct http_framing framing;
    uint64_t left;
    uint64_t hash; /* of everything that came out */
};

static void note(struct reader *r, const void *p, size_t n)
{
    const uint8_t *bytes = p;

    for (size_t i = 0; i < n; i++)
        r->hash = (r->hash ^ bytes[i]) * 1099511628211u;
}

static void note_str(struct reader *r, sio_str s)
{
    note(r, &s.n, sizeof s.n);
    note(r, s.p, s.n);
}

static void note_number(struct reader *r, uint64_t number)
{
    note(r, &number, sizeof number);
}

static void end_request(struct reader *r)
{
    note_number(r, 1);
    r->in_body = false;
    r->head_len = 0;
    r->scan = (struct http_scan){ 0 };
}

static void fail(struct reader *r, uint64_t status)
{
    note_number(r, status);
    r->over = true;
}

/* Slices must lie in the head. */
static void note_slice(struct reader *r, sio_str s, const char *head)
{
    if (s.n && (s.p < head || s.p + s.n > head + r->head_len))
        abort();
    note_str(r, s);
}

static void parse(struct reader *r)
{
    struct http_field fields[FIELDS_MAX];
    struct http_request request;
    const char *why;
    char *exact; /* so that asan sees any overrun */
    int status;

    if (r->scan.lines - 2 > FIELDS_MAX) {
        fail(r, 431);
        return;
    }
    exact = malloc(r->head_len);
    memcpy(exact, r->head, r->head_len);
    status = http_parse_head(exact, r->head_len, fields, &request, &r->framing,
                             &why);
    if (status) {
        fail(r, (uint64_t)status);
        free(exact);
        return;
    }
    note_str(r, request.method);
    note_slice(r, request.path, exact);
    note_slice(r, request.query, exact);
    for (size_t i = 0; i < request.field_count; i++) {
        note_slice(r, request.fields[i].name, exact);
        note_slice(r, request.fields[i].value, exact);
    }
    note_number(r, request.keep_alive + 2u * request.upgrade);
    free(exact);
    r->in_body = true;
    r->left = r->framing.length;
    r->chunked = (struct http_chunked){ 0 };
    if (!r->framing.chunked && r->left == 0)
        end_request(r);
}

static size_t read_head(struct reader *r, const uint8_t *p, size_t n)
{
    size_t room = HEAD_MAX - r->head_len;

    n = http_scan(&r->scan, p, n < room + 1 ? n : room + 1);
    if (r->scan.bad || n > room) {
        fail(r, r->scan.bad ? 400 : 431);
        return n;
    }
    memcpy(r->head + r->head_len, p, n);
    r->head_len += n;
    if (r->scan.done)
        parse(r);
    return n;
}

static size_t read_chunk(struct reader *r, uint8_t *p, size_t n)
{
    uint8_t *at = p;
    sio_str piece;

    switch (http_chunked_next(&r->chunked, &at, p + n, &piece)) {
    case HTTP_CHUNKED_MORE:
        break;
    case HTTP_CHUNKED_DATA:
        note(r, piece.p, piece.n);
        break;
    case HTTP_CHUNKED_END:
        end_request(r);
        break;
    case HTTP_CHUNKED_BAD:
        fail(r, 400);
        break;
    }
    return (size_t)(at - p);
}

static size_t read_sized(struct reader *r, const uint8_t *p, size_t n)
{
    if (n > r->left)
        n = (size_t)r->left;
    note(r, p, n);
    r->left -= n;
    if (r->left == 0)
        end_request(r);
    return n;
}

static void feed(struct reader *r, const uint8_t *in, size_t n)
{
    uint8_t *copy = malloc(n ? n : 1);
    size_t used = 0;

    memcpy(copy, in, n);
    while (used < n && !r->over) {
        uint8_t *p = copy + used;

        if (!r->in_body)
            used += read_head(r, p, n - used);
        else if (r->framing.chunked)
            used += read_chunk(r, p, n - used);
        else
            used += read_sized(r, p, n - used);
    }
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct reader whole, parts;
    size_t cut;

    if (size < 2)
        return 0;
    cut = (size_t)(data[0] << 8 | data[1]);
    data += 2;
    size -= 2;
    cut = size ? cut % (size + 1) : 0;
    memset(&whole, 0, sizeof whole);
    memset(&parts, 0, sizeof parts);
    feed(&whole, data, size);
    feed(&parts, data, cut);
    feed(&parts, data + cut, size - cut);
    if (whole.hash != parts.hash || whole.over != parts.over)
        abort();
    if (!whole.over &&
        (whole.in_body != parts.in_body || whole.head_len != parts.head_len ||
         whole.left != parts.left))
        abort();
    return 0;
}
