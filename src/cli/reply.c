/*
 * reply.c -- see reply.h.
 *
 * Chunks are looked for anew each time that bytes have come: only their sizes
 * are read then, and nothing is moved before the last one is there.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/cli/reply.h"

#include "protocol/base/str.h"

#define CHUNK_DIGITS 8 /* of a chunk's size: below 4 GiB */

static bool number(sio_str text, int64_t *out)
{
    int64_t n = 0;

    if (!text.n || text.n > 15)
        return false;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return false;
        n = n * 10 + (text.p[i] - '0');
    }
    *out = n;
    return true;
}

/* "HTTP/1.1 200 OK" */
static bool status_line(sio_str line, struct cli_reply *out)
{
    int64_t status;

    if (line.n < 12 || memcmp(line.p, "HTTP/1.", 7) != 0 || line.p[8] != ' ' ||
        !number((sio_str){ line.p + 9, 3 }, &status) || status < 100)
        return false;
    out->status = (unsigned)status;
    out->close = line.p[7] == '0';
    return true;
}

static bool header(sio_str line, struct cli_reply *out)
{
    sio_str value, name = str_split(line, ':', &value);

    if (!value.p)
        return false;
    value = str_trim(value);
    if (str_eq_nocase(name, STR("content-length")))
        return number(value, &out->length);
    if (str_eq_nocase(name, STR("transfer-encoding")))
        out->chunked = str_eq_nocase(value, STR("chunked"));
    else if (str_eq_nocase(name, STR("connection")))
        out->close = str_eq_nocase(value, STR("close"));
    else if (str_eq_nocase(name, STR("sec-websocket-accept")))
        out->accept = value;
    return true;
}

/* The line at *at, without its end; false when that has not come. */
static bool next_line(sio_str in, size_t *at, sio_str *line)
{
    const char *start = in.p + *at, *end;

    end = *at < in.n ? memchr(start, '\n', in.n - *at) : NULL;
    if (!end)
        return false;
    *at = (size_t)(end + 1 - in.p);
    *line = (sio_str){ start, (size_t)(end - start) };
    if (line->n && start[line->n - 1] == '\r')
        line->n--;
    return true;
}

int cli_reply_head(sio_str in, struct cli_reply *out)
{
    size_t at = 0;
    sio_str line;

    if (in.n && memcmp(in.p, "HTTP/1.", in.n < 7 ? in.n : 7) != 0)
        return SIO_E_INVAL;
    memset(out, 0, sizeof *out);
    out->length = -1;
    for (bool first = true; next_line(in, &at, &line); first = false) {
        if (first && !status_line(line, out))
            return SIO_E_INVAL;
        if (!first && !line.n) {
            out->head = at;
            return 1;
        }
        if (!first && !header(line, out))
            return SIO_E_INVAL;
    }
    return in.n > CLI_HEAD_MAX ? SIO_E_INVAL : 0;
}

/* ------------------------------------------------------------------ bodies */

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = str_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int chunk_size(sio_str line, size_t *out)
{
    sio_str extension, digits = str_trim(str_split(line, ';', &extension));
    size_t n = 0;

    if (!digits.n || digits.n > CHUNK_DIGITS)
        return SIO_E_INVAL;
    for (size_t i = 0; i < digits.n; i++) {
        int d = hex(digits.p[i]);

        if (d < 0)
            return SIO_E_INVAL;
        n = n << 4 | (size_t)d;
    }
    *out = n;
    return SIO_OK;
}

/* Walk the chunks; those of a body that is whole are joined at in[0..). */
static int walk(char *in, size_t n, bool join, size_t *length, size_t *used)
{
    size_t at = 0, total = 0, size = 1;
    sio_str line;

    while (size) {
        if (!next_line((sio_str){ in, n }, &at, &line))
            return 0;
        if (chunk_size(line, &size) < 0)
            return SIO_E_INVAL;
        if (size && size + 2 > n - at)
            return 0;
        if (size && memcmp(in + at + size, "\r\n", 2) != 0)
            return SIO_E_INVAL;
        if (join && size)
            memmove(in + total, in + at, size);
        total += size;
        at += size ? size + 2 : 0;
    }
    do { /* trailers */
        if (!next_line((sio_str){ in, n }, &at, &line))
            return 0;
    } while (line.n);
    *length = total;
    *used = at;
    return 1;
}

int cli_reply_body(const struct cli_reply *reply, char *in, size_t n,
                   bool ended, sio_str *body, size_t *used)
{
    size_t length = 0;
    int r;

    if (reply->chunked) {
        r = walk(in, n, false, &length, used);
        if (r == 1)
            walk(in, n, true, &length, used);
    } else if (reply->length >= 0) {
        length = *used = (size_t)reply->length;
        r = n >= length;
    } else if (reply->status == 204 || reply->status == 304) {
        *used = 0;
        r = 1;
    } else {
        length = *used = n;
        r = ended;
    }
    if (r == 1)
        *body = (sio_str){ in, length };
    return r;
}
