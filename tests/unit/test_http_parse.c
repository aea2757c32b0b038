/*
 * test_http_parse.c -- heads and chunked bodies as rows, each replayed cut in
 * two at every byte.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/http/parse.h"
#include "tests/unit/test.h"

#include <stdlib.h>

/* ------------------------------------------------------------------- heads */

struct row {
    const char *name;
    const char *in;
    size_t len;
    const char *want; /* see spell(); "..." when the head is not over */
};

/* clang-format off */
#define ROW(name, in, want) { name, in, sizeof(in) - 1, want }
#define GET(fields) "GET / HTTP/1.1\r\nHost: a\r\n" fields "\r\n"
#define POST(fields) "POST / HTTP/1.1\r\nHost: a\r\n" fields "\r\n"
#define PLAIN "GET / ?- 1.1 ka host=a"

static const struct row rows[] = {
    ROW("shortest", GET(""), PLAIN),
    ROW("query", "GET /a/b?x=1&y=2 HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /a/b ?x=1&y=2 1.1 ka host=a"),
    ROW("empty query", "GET /a? HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /a ? 1.1 ka host=a"),
    ROW("fragment", "GET /a?b#c?d HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /a ?b 1.1 ka host=a"),
    ROW("fragment only", "GET /a#c?d HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /a ?- 1.1 ka host=a"),
    ROW("absolute form", "GET http://h/e HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET http://h/e ?- 1.1 ka host=a"),
    ROW("asterisk", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
        "OPTIONS * ?- 1.1 ka host=a"),
    ROW("what follows the head is not taken", GET("") "GET /b", PLAIN),
    ROW("upper-case name, blanks around the value", GET("X-Y:\t  b c \t \r\n"),
        PLAIN " x-y=b c"),
    ROW("empty values", GET("A:\r\nB: \r\n"), PLAIN " a= b="),
    ROW("a field twice", GET("A: 1\r\na: 2\r\n"), PLAIN " a=1 a=2"),
    ROW("high bytes in a value", GET("A: \xc3\xa9\r\n"),
        PLAIN " a=\xc3\xa9"),
    ROW("tab in a value", GET("A: b\tc\r\n"), PLAIN " a=b\tc"),
    ROW("HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", "GET / ?- 1.0 close"),
    ROW("HTTP/1.0 keep-alive",
        "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        "GET / ?- 1.0 ka connection=keep-alive"),
    ROW("Connection: close", GET("Connection: close\r\n"),
        "GET / ?- 1.1 close host=a connection=close"),
    ROW("Connection: a list", GET("Connection: x, Close\r\n"),
        "GET / ?- 1.1 close host=a connection=x, Close"),
    ROW("upgrade",
        GET("Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"),
        "GET / ?- 1.1 ka upgrade host=a connection=keep-alive, Upgrade "
        "upgrade=websocket"),
    ROW("upgrade without its token", GET("Upgrade: websocket\r\n"),
        PLAIN " upgrade=websocket"),
    ROW("upgrade with a body is none",
        GET("Connection: Upgrade\r\nUpgrade: x\r\nContent-Length: 1\r\n"),
        "GET / ?- 1.1 ka body=1 host=a connection=Upgrade upgrade=x "
        "content-length=1"),
    ROW("length", POST("Content-Length: 12\r\n"),
        "POST / ?- 1.1 ka body=12 host=a content-length=12"),
    ROW("length 0", POST("Content-Length: 0\r\n"),
        "POST / ?- 1.1 ka host=a content-length=0"),
    ROW("chunked", POST("Transfer-Encoding: Chunked\r\n"),
        "POST / ?- 1.1 ka chunked host=a transfer-encoding=Chunked"),
    ROW("expect", POST("Expect: 100-Continue\r\nContent-Length: 1\r\n"),
        "POST / ?- 1.1 ka body=1 100 host=a expect=100-Continue "
        "content-length=1"),
    ROW("expect of HTTP/1.0 is ignored",
        "POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n",
        "POST / ?- 1.0 close body=1 expect=100-continue content-length=1"),

    ROW("not over", "GET / HTTP/1.1\r\nHost: a\r\n", "..."),
    ROW("not over at CR", "GET / HTTP/1.1\r\nHost: a\r\n\r", "..."),

    /* what would be read in two ways */
    ROW("H1 space before colon", GET("Transfer-Encoding : chunked\r\n"), "400"),
    ROW("H3 CR without LF behind an empty value",
        GET("A:\rxContent-Length: 5\r\n"), "400"),
    ROW("H3 CR without LF behind a blank", GET("A: \rxB: 5\r\n"), "400"),
    ROW("H3 CR without LF in a name", GET("A\rb: c\r\n"), "400"),
    ROW("H1 tab before colon", GET("A\t: b\r\n"), "400"),
    ROW("H1 space in a name", GET("A b: c\r\n"), "400"),
    ROW("H3 LF only", "GET / HTTP/1.1\nHost: a\n\n", "400"),
    ROW("H3 LF in a field", GET("A: b\nC: d\r\n"), "400"),
    ROW("H3 LF as the last line", "GET / HTTP/1.1\r\nHost: a\r\n\n", "400"),
    ROW("H3 CR only", GET("A: b\rC: d\r\n"), "400"),
    ROW("H3 CR CR LF", GET("A: b\r\r\n"), "400"),
    ROW("H4 encoding: not chunked", POST("Transfer-Encoding: gzip\r\n"), "400"),
    ROW("H4 encoding: identity", POST("Transfer-Encoding: identity\r\n"),
        "400"),
    ROW("H4 encoding: a list", POST("Transfer-Encoding: gzip, chunked\r\n"),
        "400"),
    ROW("H4 encoding: chunked first", POST("Transfer-Encoding: chunked, x\r\n"),
        "400"),
    ROW("H4 encoding: chunkedx", POST("Transfer-Encoding: chunkedx\r\n"),
        "400"),
    ROW("H4 encoding: empty", POST("Transfer-Encoding:\r\n"), "400"),
    ROW("H4 encoding: twice",
        POST("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
        "400"),
    ROW("H4 encoding in HTTP/1.0",
        "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "400"),
    ROW("H5 encoding on two lines",
        POST("Transfer-Encoding: chunked\r\n , x\r\n"),
        "400"),
    ROW("H5 folded by a blank", GET("A: b\r\n c\r\n"), "400"),
    ROW("H5 folded by a tab", GET("A: b\r\n\tc\r\n"), "400"),
    ROW("H5 first field folded", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", "400"),
    ROW("H6 no colon", GET("Abc\r\n"), "400"),
    ROW("H7 empty name", GET(": b\r\n"), "400"),
    ROW("H8 length and encoding",
        POST("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), "400"),
    ROW("H8 encoding and length",
        POST("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), "400"),
    ROW("length twice", POST("Content-Length: 5\r\nContent-Length: 5\r\n"),
        "400"),
    ROW("length as a list", POST("Content-Length: 5, 5\r\n"), "400"),
    ROW("length with blanks inside", POST("Content-Length: 5 5\r\n"), "400"),
    ROW("length +5", POST("Content-Length: +5\r\n"), "400"),
    ROW("length -5", POST("Content-Length: -5\r\n"), "400"),
    ROW("length 0x5", POST("Content-Length: 0x5\r\n"), "400"),
    ROW("length empty", POST("Content-Length:\r\n"), "400"),
    ROW("length of blanks", POST("Content-Length: \t \r\n"), "400"),
    ROW("length empty, then one",
        POST("Content-Length:\r\nContent-Length: 5\r\n"), "400"),
    ROW("length empty beside an encoding",
        POST("Content-Length:\r\nTransfer-Encoding: chunked\r\n"), "400"),
    ROW("length with a tab inside", POST("Content-Length: 5\t5\r\n"), "400"),
    ROW("length with a vertical tab", POST("Content-Length: 5\v\r\n"), "400"),
    ROW("length over 64 bits", POST("Content-Length: 18446744073709551616\r\n"),
        "400"),
    ROW("no host", "GET / HTTP/1.1\r\n\r\n", "400"),
    ROW("two hosts", GET("Host: b\r\n"), "400"),
    ROW("two hosts, the same", GET("Host: a\r\n"), "400"),
    ROW("two hosts in HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n",
        "400"),
    ROW("HTTP/0.9", "GET /\r\n\r\n", "400"),
    ROW("HTTP/1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", "400"),
    ROW("HTTP/2.0", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", "400"),
    ROW("HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\n", "400"),
    ROW("HTTP/1.10", "GET / HTTP/1.10\r\nHost: a\r\n\r\n", "400"),
    ROW("no version digits", "GET / HTTP/\r\nHost: a\r\n\r\n", "400"),
    ROW("other protocol", "GET / ICY/1.1\r\nHost: a\r\n\r\n", "400"),
    ROW("method unknown", "BREW / HTTP/1.1\r\nHost: a\r\n\r\n", "400"),
    ROW("method in lower case", "get / HTTP/1.1\r\nHost: a\r\n\r\n", "400"),
    ROW("TLS", "\x16\x03\x01\x02\x00\x01", "400"),
    ROW("control byte in the target",
        "GET /\1 HTTP/1.1\r\nHost: a\r\n\r\n", "400"),
    ROW("NUL in the target", "GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n", "400"),
    ROW("control byte in a name", GET("A\1: b\r\n"), "400"),
    ROW("high byte in a name", GET("A\xc3: b\r\n"), "400"),
    ROW("quote in a name", GET("A\"b: c\r\n"), "400"),
    ROW("control byte in a value", GET("A: b\1c\r\n"), "400"),
    ROW("NUL in a value", GET("A: b\0c\r\n"), "400"),
    ROW("NUL first in a value", GET("A: \0\r\n"), "400"),
    ROW("control byte first in a value", GET("A:\1b\r\n"), "400"),
    ROW("DEL first in a value", GET("A: \177b\r\n"), "400"),
    ROW("high byte first in a value", GET("A: \xff\r\n"), PLAIN " a=\xff"),
    ROW("NUL in a long value",
        GET("A: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\0c\r\n"), "400"),
    ROW("NUL in the value of a known field",
        GET("Connection: close\0\r\n"), "400"),
    ROW("NUL in an encoding", POST("Transfer-Encoding: chunked\0\r\n"),
        "400"),
    ROW("H4 encoding: a vertical tab", POST("Transfer-Encoding: \vchunked\r\n"),
        "400"),
    ROW("H4 encoding: a list that ends empty",
        POST("Transfer-Encoding: chunked,\r\n"), "400"),
    ROW("H4 encoding named with an underscore is none",
        POST("Transfer_Encoding: chunked\r\n"),
        "POST / ?- 1.1 ka host=a transfer_encoding=chunked"),
    ROW("DEL in a value", GET("A: b\177c\r\n"), "400"),
};
/* clang-format on */

static void say(char *out, const char *fmt, sio_str s)
{
    size_t at = strlen(out);

    snprintf(out + at, 400 - at, fmt, (int)s.n, s.p);
}

/* METHOD PATH ?QUERY (- for none) VERSION, how the body comes, the fields. */
static void spell(char *out, const struct http_request *r,
                  const struct http_framing *f)
{
    char number[40];

    say(out, "%.*s", r->method);
    say(out, " %.*s", r->path);
    say(out, " ?%.*s", r->query.p ? r->query : STR("-"));
    say(out, r->minor ? " 1.1%.*s" : " 1.0%.*s", STR(""));
    say(out, " %.*s", r->keep_alive ? STR("ka") : STR("close"));
    snprintf(number, sizeof number, " body=%llu",
             (unsigned long long)f->length);
    if (f->length)
        say(out, "%.*s", str_of(number));
    if (f->chunked)
        say(out, " %.*s", STR("chunked"));
    if (f->must_continue)
        say(out, " %.*s", STR("100"));
    if (r->upgrade)
        say(out, " %.*s", STR("upgrade"));
    for (size_t i = 0; i < r->field_count; i++) {
        say(out, " %.*s", r->fields[i].name);
        say(out, "=%.*s", r->fields[i].value);
    }
}

struct feed {
    struct http_scan scan;
    char *head;
    size_t n;
};

/* One segment, out of memory of exactly its size. */
static void feed(struct feed *f, const char *in, size_t n)
{
    uint8_t *copy = malloc(n ? n : 1);
    size_t used;

    memcpy(copy, in, n);
    used = http_scan(&f->scan, copy, n);
    memcpy(f->head + f->n, copy, used);
    f->n += used;
    free(copy);
}

static void run(const struct row *row, size_t cut)
{
    struct feed f = { .head = malloc(row->len) };
    struct http_field *fields = NULL;
    struct http_request request;
    struct http_framing framing;
    const char *why = NULL;
    char out[400] = "";

    feed(&f, row->in, cut);
    feed(&f, row->in + cut, row->len - cut);
    if (f.scan.bad) {
        strcpy(out, "400");
    } else if (!f.scan.done) {
        strcpy(out, "...");
    } else {
        char *exact = malloc(f.n);
        int status;

        memcpy(exact, f.head, f.n);
        fields = calloc(f.scan.lines - 2 + 1, sizeof *fields);
        status = http_parse_head(exact, f.n, fields, &request, &framing, &why);
        CHECK(!status || why, "no reason");
        if (status)
            snprintf(out, sizeof out, "%d", status);
        else
            spell(out, &request, &framing);
        free(exact);
    }
    CHECK(strcmp(out, row->want) == 0, "cut at %zu: got '%s', want '%s'", cut,
          out, row->want);
    free(fields);
    free(f.head);
}

#define SHOWN 390 /* bytes of what was spelled that are compared */

/* What becomes of a head with that request line. */
static void spell_line(char out[400], const char *method, sio_str target,
                       const char *end)
{
    struct http_field fields[1];
    struct http_request request;
    struct http_framing framing;
    const char *why = NULL;
    char head[64 + 4096];
    int n = snprintf(head, sizeof head, "%s ", method), status;

    memcpy(head + n, target.p, target.n);
    n += (int)target.n;
    n += snprintf(head + n, sizeof head - (size_t)n, "%s\r\nHost: a\r\n\r\n",
                  end);
    status = http_parse_head(head, (size_t)n, fields, &request, &framing, &why);
    out[0] = 0;
    if (status)
        snprintf(out, 400, "    %d %s", status, why);
    else
        spell(out, &request, &framing);
}

/* GET and POST take a short cut, PUT does not: no byte may show it. */
static void check_target(sio_str target, const char *end)
{
    static const char *const methods[] = { "PUT", "GET", "POST" };
    char out[3][400];

    for (size_t i = 0; i < COUNT(methods); i++)
        spell_line(out[i], methods[i], target, end);
    CHECK(strncmp(out[0] + 4, out[1] + 4, SHOWN) == 0, "'%s', '%s'", out[0],
          out[1]);
    CHECK(strncmp(out[0] + 4, out[2] + (out[2][0] == ' ' ? 4 : 5), SHOWN) == 0,
          "'%s', '%s'", out[0], out[2]);
}

static void test_targets(void)
{
    static const char *const ends[] = { " HTTP/1.1", " HTTP/1.0",  " HTTP/1.2",
                                        " HTTP/0.9", "  HTTP/1.1", " HTTP/1.1 ",
                                        " http/1.1", "HTTP/1.1",   "" };
    const sio_str shape = STR("?/a?b#");
    char target[8];

    for (size_t at = 0; at < shape.n; at++) {
        T_CASE("head: each byte at place %zu of a target", at);
        for (int c = 0; c < 256; c++) {
            memcpy(target, shape.p, shape.n);
            target[0] = '/';
            target[at] = (char)c;
            check_target((sio_str){ target, 5 + (at == 5) }, " HTTP/1.1");
        }
    }
    for (size_t i = 0; i < COUNT(ends); i++) {
        T_CASE("head: a request line that ends with '%s'", ends[i]);
        check_target(STR("/a?b"), ends[i]);
        check_target(STR("/"), ends[i]);
        check_target(STR(""), ends[i]);
    }
}

static void test_long_targets(void)
{
    char target[2050];
    char out[400];

    for (size_t n = 2047; n <= 2049; n++) {
        T_CASE("head: a target of %zu bytes", n);
        memset(target, 'a', sizeof target);
        target[0] = '/';
        check_target((sio_str){ target, n }, " HTTP/1.1");
        target[n - 1] = '\1';
        spell_line(out, "GET", (sio_str){ target, n }, " HTTP/1.1");
        CHECK(strstr(out, "400"), "%s", out);
    }
}

/* ------------------------------------------------------------------ chunks */

/* clang-format off */
static const struct row bodies[] = {
    ROW("one", "5\r\nhello\r\n0\r\n\r\n", "hello."),
    ROW("several", "1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", "abc."),
    ROW("empty", "0\r\n\r\n", "."),
    ROW("hex", "A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n",
        "01234567890123456789."),
    ROW("leading zeros", "0005\r\nhello\r\n000\r\n\r\n", "hello."),
    ROW("CRLF in the data", "4\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n\r\n."),
    ROW("what follows is not taken", "0\r\n\r\nGET", "."),
    ROW("trailers are dropped", "1\r\na\r\n0\r\nA: b\r\nC: d\r\n\r\n", "a."),
    ROW("not over", "5\r\nhel", "hel"),
    ROW("not over in the trailer", "0\r\nA", ""),
    ROW("16 digits", "0000000000000001\r\na", "a"),
    ROW("17 digits", "00000000000000001\r\na", "!"),
    ROW("H2 extension", "1;a=b\r\na\r\n0\r\n\r\n", "!"),
    ROW("H2 extension with a CR", "1;a\rb\r\na\r\n0\r\n\r\n", "!"),
    ROW("H2 blank behind the size", "1 \r\na\r\n0\r\n\r\n", "!"),
    ROW("H3 LF behind the size", "1\na\r\n0\r\n\r\n", "!"),
    ROW("H3 LF behind the data", "1\r\na\n0\r\n\r\n", "a!"),
    ROW("H3 LF at the end", "0\r\n\n", "!"),
    ROW("H3 LF in a trailer", "0\r\nA: b\n\r\n", "!"),
    ROW("H3 CR alone in a trailer", "0\r\nA: b\rc\r\n\r\n", "!"),
    ROW("17 digits in all, but not in one", "000000001\r\na\r\n00000001\r\nb",
        "ab"),
    ROW("no second size", "1\r\na\r\n\r\n", "a!"),
    ROW("no size", "\r\na\r\n0\r\n\r\n", "!"),
    ROW("no hex", "g\r\na\r\n0\r\n\r\n", "!"),
    ROW("0x1", "0x1\r\na\r\n0\r\n\r\n", "!"),
    ROW("-1", "-1\r\na\r\n0\r\n\r\n", "!"),
    ROW("data longer than its size", "1\r\nab\r\n0\r\n\r\n", "a!"),
};
/* clang-format on */

/* False once the body is over, well or badly. */
static bool feed_chunks(struct http_chunked *c, const char *in, size_t n,
                        char *out)
{
    uint8_t *copy = malloc(n ? n : 1), *p = copy;
    enum http_chunked_result r;
    sio_str data;

    memcpy(copy, in, n);
    while ((r = http_chunked_next(c, &p, copy + n, &data)) == HTTP_CHUNKED_DATA)
        say(out, "%.*s", data);
    if (r == HTTP_CHUNKED_END)
        strcat(out, ".");
    if (r == HTTP_CHUNKED_BAD)
        strcat(out, "!");
    free(copy);
    return r == HTTP_CHUNKED_MORE;
}

static void run_chunks(const struct row *row, size_t cut)
{
    struct http_chunked c = { 0 };
    char out[400] = "";

    if (feed_chunks(&c, row->in, cut, out))
        feed_chunks(&c, row->in + cut, row->len - cut, out);
    CHECK(strcmp(out, row->want) == 0, "cut at %zu: got '%s', want '%s'", cut,
          out, row->want);
}

static void test_trailer_limit(void)
{
    for (int over = 0; over < 2; over++) {
        struct http_chunked c = { 0 };
        char out[400] = "", line[HTTP_TRAILER_MAX + 1];
        size_t n = HTTP_TRAILER_MAX + (size_t)over;

        T_CASE("chunks: a trailer %s", over ? "one past the limit" : "on it");
        memset(line, 'a', sizeof line);
        line[n - 1] = '\r';
        feed_chunks(&c, "0\r\n", 3, out);
        feed_chunks(&c, line, n, out);
        if (!over)
            feed_chunks(&c, "\n\r\n", 3, out);
        CHECK(strcmp(out, over ? "!" : ".") == 0, "got %s", out);
    }
}

int main(void)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        T_CASE("head: %s", rows[i].name);
        for (size_t cut = 0; cut <= rows[i].len; cut++)
            run(&rows[i], cut);
    }
    test_targets();
    test_long_targets();
    for (size_t i = 0; i < COUNT(bodies); i++) {
        T_CASE("chunks: %s", bodies[i].name);
        for (size_t cut = 0; cut <= bodies[i].len; cut++)
            run_chunks(&bodies[i], cut);
    }
    test_trailer_limit();
    return t_done();
}
