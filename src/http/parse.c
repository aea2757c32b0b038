/*
 * parse.c -- see parse.h. The only place that knows http-parser.
 *
 * http-parser is handed heads alone. It is lenient where the checks here are
 * not: blanks before a colon, control characters at the start of a value,
 * folded lines, LF without CR and CR without LF, versions, Host,
 * Transfer-Encoding. Of bodies it would skip chunk extensions and trailers of
 * any length unseen, so chunks are decoded here. And it takes every byte of a
 * target through its states, 40 instructions each: nearly all are judged here,
 * by the same rule, and it is shown "/" in their place.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/http/parse.h"

#include <http_parser.h>

/* ------------------------------------------------------------- the scan -- */

static bool begins_badly(const struct http_scan *s, uint8_t c)
{
    if (s->lines == 0)
        return c < 'A' || c > 'Z';
    return c == ' ' || c == '\t';
}

/* One line or the piece of it that is there; `lf` when it ends here. */
static void scan_line(struct http_scan *s, const uint8_t *p, size_t n, bool lf)
{
    size_t before = lf ? n - 1 : n; /* bytes in front of the LF */

    if (n && s->line_size == 0 && begins_badly(s, p[0]))
        s->bad = true;
    if (before)
        s->after_cr = p[before - 1] == '\r';
    s->line_size += n;
    if (!lf)
        return;
    if (!s->after_cr)
        s->bad = true;
    s->done = s->line_size == 2;
    s->lines++;
    s->line_size = 0;
    s->after_cr = false;
}

size_t http_scan(struct http_scan *s, const uint8_t *p, size_t n)
{
    size_t used = 0;

    while (used < n && !s->done && !s->bad) {
        const uint8_t *lf = memchr(p + used, '\n', n - used);
        size_t line = lf ? (size_t)(lf + 1 - (p + used)) : n - used;

        scan_line(s, p + used, line, lf != NULL);
        used += line;
    }
    return used;
}

/* ------------------------------------------------------------- the head -- */

#define USUAL_TARGET_MAX 2048 /* bytes of one that is judged here */

struct head {
    struct http_request *request;
    struct http_field *fields, *next;
    uint64_t length;
    bool complete, keep_alive, upgrade, connect;
};

static int on_url(http_parser *parser, const char *at, size_t n)
{
    struct head *h = parser->data;

    if (!h->request->target.p)
        h->request->target = (sio_str){ at, n };
    return 0;
}

static int on_name(http_parser *parser, const char *at, size_t n)
{
    struct head *h = parser->data;
    char *name = (char *)(uintptr_t)at; /* of the caller's head, writable */

    if (memchr(name, ' ', n))
        return -1;
    for (size_t i = 0; i < n; i++)
        name[i] = str_lower(name[i]);
    h->next->name = (sio_str){ name, n };
    return 0;
}

/* Of a value http-parser looks at every byte but the first (RFC 9110 5.5). */
static bool begins_with_control(const char *value, size_t n)
{
    return n && ((unsigned char)value[0] < ' ' || value[0] == 0x7f);
}

static int on_value(http_parser *parser, const char *at, size_t n)
{
    struct head *h = parser->data;

    if (begins_with_control(at, n))
        return -1;
    h->next->value = str_trim((sio_str){ at, n });
    h->next++;
    return 0;
}

static int on_head(http_parser *parser)
{
    struct head *h = parser->data;
    unsigned flags = parser->flags;

    h->complete = true;
    h->keep_alive = http_should_keep_alive(parser);
    h->upgrade = (flags & F_UPGRADE) && (flags & F_CONNECTION_UPGRADE);
    h->connect = parser->method == HTTP_CONNECT;
    h->length = flags & F_CONTENTLENGTH ? parser->content_length : 0;
    h->request->method = str_of(http_method_str(parser->method));
    h->request->minor = (uint8_t)parser->http_minor;
    return 0;
}

/* A path and a query, without a fragment: what http-parser takes for an URL,
 * too, whatever its build. */
static bool is_usual_target(sio_str target)
{
    unsigned wrong =
        target.n == 0 || target.n > USUAL_TARGET_MAX || target.p[0] != '/';

    for (size_t i = 0; i < target.n && !wrong; i++)
        wrong = (unsigned char)(target.p[i] - '!') > '~' - '!' ||
                target.p[i] == '#';
    return !wrong;
}

/* A usual request line, taken off the text's front: what http-parser is to be
 * shown in its place. Else n 0, and it is to see the text as it is. */
static sio_str take_usual_line(sio_str *text, struct http_request *r)
{
    static const struct {
        sio_str start, shown;
    } lines[] = {
        { { "GET ", 4 }, { "GET / HTTP/1.1\r\n", 16 } },
        { { "POST ", 5 }, { "POST / HTTP/1.1\r\n", 17 } },
    };
    const sio_str end = STR(" HTTP/1.1\r");
    sio_str rest, line = str_split(*text, '\n', &rest), target;

    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        const sio_str start = lines[i].start;

        if (!str_starts(line, start) || line.n < start.n + end.n ||
            memcmp(line.p + line.n - end.n, end.p, end.n) != 0)
            continue;
        target = (sio_str){ line.p + start.n, line.n - start.n - end.n };
        if (!is_usual_target(target))
            break;
        r->target = target;
        *text = rest;
        return lines[i].shown;
    }
    return STR("");
}

/* A CR without its LF. Behind an empty value http-parser takes any byte for the
 * LF, and what then follows for a line of its own: a field that others do not
 * see. */
static bool has_bare_cr(sio_str text)
{
    sio_str rest = text;

    while (rest.n) {
        str_split(rest, '\r', &rest);
        if (rest.p && (rest.n == 0 || rest.p[0] != '\n'))
            return true;
    }
    return false;
}

static bool parse_whole(http_parser *parser, sio_str text)
{
    static const http_parser_settings settings = {
        .on_url = on_url,
        .on_header_field = on_name,
        .on_header_value = on_value,
        .on_headers_complete = on_head,
    };

    return http_parser_execute(parser, &settings, text.p, text.n) == text.n;
}

static int run_parser(struct head *h, sio_str text, const char **why)
{
    const bool bare = has_bare_cr(text);
    const sio_str line = take_usual_line(&text, h->request);
    http_parser parser;

    http_parser_init(&parser, HTTP_REQUEST);
    parser.data = h;
    if (bare) {
        *why = "CR without LF";
        return 400;
    }
    if ((line.n == 0 || parse_whole(&parser, line)) &&
        parse_whole(&parser, text) && h->complete &&
        parser.http_errno == HPE_OK) {
        if (parser.http_major == 1 && parser.http_minor <= 1)
            return 0;
        *why = "HTTP version";
        return 400;
    }
    *why = http_errno_description(HTTP_PARSER_ERRNO(&parser));
    return HTTP_PARSER_ERRNO(&parser) == HPE_HEADER_OVERFLOW ? 431 : 400;
}

/* What a request may say only once, and only in one way. */
static const char *check_fields(const struct http_request *r,
                                struct http_framing *framing)
{
    size_t hosts = 0;

    for (size_t i = 0; i < r->field_count; i++) {
        const struct http_field *f = &r->fields[i];

        if (str_eq(f->name, STR("host"))) {
            hosts++;
        } else if (str_eq(f->name, STR("transfer-encoding"))) {
            if (framing->chunked || r->minor == 0 ||
                !str_eq_nocase(f->value, STR("chunked")))
                return "transfer encoding";
            framing->chunked = true;
        } else if (str_eq(f->name, STR("expect"))) {
            framing->must_continue =
                r->minor && str_eq_nocase(f->value, STR("100-continue"));
        }
    }
    if (hosts > 1 || (hosts == 0 && r->minor == 1))
        return "host field";
    return NULL;
}

static void split_target(struct http_request *r)
{
    sio_str rest;

    r->path = str_split(str_split(r->target, '#', &rest), '?', &r->query);
}

int http_parse_head(char *head, size_t n, struct http_field *fields,
                    struct http_request *request, struct http_framing *framing,
                    const char **why)
{
    struct head h = { .request = request, .fields = fields, .next = fields };
    int status;

    *request = (struct http_request){ .fields = fields };
    *framing = (struct http_framing){ 0 };
    status = run_parser(&h, (sio_str){ head, n }, why);
    if (status)
        return status;
    request->field_count = (size_t)(h.next - fields);
    *why = check_fields(request, framing);
    if (*why)
        return 400;
    if (!framing->chunked)
        framing->length = h.length;
    request->keep_alive = h.keep_alive;
    /* With a body to come, the bytes behind the head are no new protocol. */
    request->upgrade =
        h.upgrade && !h.connect && !framing->chunked && framing->length == 0;
    split_target(request);
    return 0;
}

/* --------------------------------------------------------------- chunks -- */

enum chunk_state {
    CHUNK_SIZE, /* digits, CR */
    CHUNK_SIZE_LF,
    CHUNK_DATA,
    CHUNK_DATA_CR,
    CHUNK_DATA_LF,
    CHUNK_TRAILER, /* first byte of a line behind the last chunk */
    CHUNK_TRAILER_LINE,
    CHUNK_TRAILER_LF,
    CHUNK_END_LF,
    CHUNK_OVER,
    CHUNK_BROKEN
};

static enum chunk_state on_size(struct http_chunked *c, uint8_t byte)
{
    int digit = http_hex_digit((char)byte);

    if (digit >= 0 && c->digits < 16) {
        c->digits++;
        c->left = c->left << 4 | (unsigned)digit;
        return CHUNK_SIZE;
    }
    return byte == '\r' && c->digits ? CHUNK_SIZE_LF : CHUNK_BROKEN;
}

static enum chunk_state on_trailer(struct http_chunked *c, uint8_t byte)
{
    if (byte == '\n' || ++c->trailer > HTTP_TRAILER_MAX)
        return CHUNK_BROKEN;
    return byte == '\r' ? CHUNK_TRAILER_LF : CHUNK_TRAILER_LINE;
}

static enum chunk_state expect(uint8_t byte, char want, enum chunk_state next)
{
    return byte == (uint8_t)want ? next : CHUNK_BROKEN;
}

/* The state after a byte that is not data. */
static enum chunk_state chunk_step(struct http_chunked *c, uint8_t byte)
{
    switch ((enum chunk_state)c->state) {
    case CHUNK_SIZE:
        return on_size(c, byte);
    case CHUNK_SIZE_LF:
        return expect(byte, '\n', c->left ? CHUNK_DATA : CHUNK_TRAILER);
    case CHUNK_DATA_CR:
        return expect(byte, '\r', CHUNK_DATA_LF);
    case CHUNK_DATA_LF:
        c->digits = 0;
        return expect(byte, '\n', CHUNK_SIZE);
    case CHUNK_TRAILER:
        return byte == '\r' ? CHUNK_END_LF : on_trailer(c, byte);
    case CHUNK_TRAILER_LINE:
        return on_trailer(c, byte);
    case CHUNK_TRAILER_LF:
        return expect(byte, '\n', CHUNK_TRAILER);
    case CHUNK_END_LF:
        return expect(byte, '\n', CHUNK_OVER);
    case CHUNK_DATA:
    case CHUNK_OVER:
    case CHUNK_BROKEN:
        break;
    }
    return CHUNK_BROKEN;
}

enum http_chunked_result http_chunked_next(struct http_chunked *c, uint8_t **p,
                                           uint8_t *end, sio_str *data)
{
    while (*p < end && c->state != CHUNK_DATA) {
        c->state = (uint8_t)chunk_step(c, *(*p)++);
        if (c->state == CHUNK_OVER)
            return HTTP_CHUNKED_END;
        if (c->state == CHUNK_BROKEN)
            return HTTP_CHUNKED_BAD;
    }
    if (*p == end)
        return HTTP_CHUNKED_MORE;
    data->p = (char *)*p;
    data->n = (size_t)(end - *p);
    if (data->n > c->left)
        data->n = (size_t)c->left;
    *p += data->n;
    c->left -= data->n;
    if (c->left == 0)
        c->state = CHUNK_DATA_CR;
    return HTTP_CHUNKED_DATA;
}
