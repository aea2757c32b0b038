/*
 * test_redis_reader.c -- RESP2 to values: every row as a transcript, cut at
 * every byte; limits; what is no RESP2.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/adapter/redis_reply.h"
#include "tests/unit/oom.h"
#include "tests/unit/test.h"

#include <stdlib.h>

#define MAX 100000 /* bytes of a reply */

static char said[2000]; /* replies, one after the other */

static void say(const char *fmt, ...)
{
    size_t at = strlen(said);
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(said + at, sizeof said - at, fmt, ap);
    va_end(ap);
}

static void say_text(char mark, sio_str s)
{
    say("%c", mark);
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] > ' ' && s.p[i] < 127)
            say("%c", s.p[i]);
        else
            say("\\%02x", (unsigned char)s.p[i]);
}

static void say_reply(const struct redis_reply *r)
{
    size_t n = 0;

    switch (r->type) {
    case REDIS_STRING:
        say_text('$', r->text);
        break;
    case REDIS_STATUS:
        say_text('+', r->text);
        break;
    case REDIS_ERROR:
        say_text('-', r->text);
        break;
    case REDIS_INTEGER:
        say(":%lld", (long long)r->integer);
        break;
    case REDIS_NIL:
        say("_");
        break;
    case REDIS_ARRAY:
        say("[");
        for (const struct redis_reply *i = r->first; i; i = i->next, n++)
            say_reply(i);
        say("]");
        CHECK(n == r->count, "%zu of %zu", n, r->count);
        break;
    }
    say(" ");
}

/* Everything that is there; false: no RESP2. */
static bool read_all(struct redis_reader *r)
{
    const struct redis_reply *reply;
    const char *why = NULL;
    int n;

    while ((n = redis_reader_next(r, &reply, &why)) > 0)
        say_reply(reply);
    if (n < 0)
        say("!%d", n);
    CHECK((n < 0) == (why != NULL), "%d", n);
    return n == 0;
}

struct row {
    const char *name, *bytes;
    size_t len;
    const char *want;
};

#define ROW(name, bytes, want)                 \
    {                                          \
        name, bytes, sizeof(bytes) - 1, (want) \
    }

/* clang-format off */
static const struct row rows[] = {
    ROW("status", "+OK\r\n", "+OK "),
    ROW("empty status", "+\r\n", "+ "),
    ROW("error", "-ERR no\r\n", "-ERR\\20no "),
    ROW("integer", ":-42\r\n", ":-42 "),
    ROW("string", "$5\r\nhello\r\n", "$hello "),
    ROW("binary", "$4\r\n\0\r\n\xff\r\n", "$\\00\\0d\\0a\\ff "),
    ROW("empty string", "$0\r\n\r\n", "$ "),
    ROW("nil", "$-1\r\n", "_ "),
    ROW("nil array", "*-1\r\n", "_ "),
    ROW("empty array", "*0\r\n", "[] "),
    ROW("message", "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\nhi\r\n", "[$message $c $hi ] "),
    ROW("several", "+A\r\n:1\r\n*1\r\n+B\r\n", "+A :1 [+B ] "),
    ROW("an XREAD", "*1\r\n*2\r\n$1\r\ns\r\n*2\r\n*2\r\n$3\r\n1-0\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n"
                    "*2\r\n$3\r\n2-0\r\n*0\r\n",
        "[[$s [[$1-0 [$a $b ] ] [$2-0 [] ] ] ] ] "),
    ROW("arrays behind an array", "*3\r\n*1\r\n:1\r\n*0\r\n*2\r\n:2\r\n:3\r\n", "[[:1 ] [] [:2 :3 ] ] "),
    ROW("garbage", "HTTP/1.1 400\r\n", "!-2"),
    ROW("RESP3 map", "%1\r\n", "!-2"),
    ROW("a length that is none", "$x\r\n", "!-2"),
    ROW("behind a good one", "+OK\r\nx", "+OK !-2"),
    ROW("a string of 2 GB", "$2147483648\r\nab", ""),
    ROW("an array of 2^31 items", "*2147483648\r\n:1\r\n", "!-2"),
    ROW("an array of 2^31 - 1 items takes no memory", "*2147483647\r\n:1\r\n", ""),
};
/* clang-format on */

static void test_rows(void)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct row *row = &rows[i];

        T_CASE("redis: %s, cut everywhere", row->name);
        for (size_t cut = 0; cut <= row->len; cut++) {
            struct redis_reader *r = redis_reader_new(MAX);

            said[0] = 0;
            redis_reader_feed(r, row->bytes, cut);
            if (read_all(r)) {
                redis_reader_feed(r, row->bytes + cut, row->len - cut);
                read_all(r);
            }
            CHECK(strcmp(said, row->want) == 0, "cut %zu: '%s', want '%s'", cut,
                  said, row->want);
            redis_reader_free(r);
        }
    }
}

/* A string of n bytes, in pieces; what the reader says. */
static const char *read_long(size_t n)
{
    struct redis_reader *r = redis_reader_new(MAX);
    static char piece[1000];
    char head[40];
    int len = snprintf(head, sizeof head, "*2\r\n:1\r\n$%zu\r\n", n);
    bool more = true;

    said[0] = 0;
    memset(piece, 0x01, sizeof piece);
    redis_reader_feed(r, head, (size_t)len);
    while (n && more) {
        size_t some = n < sizeof piece ? n : sizeof piece;

        redis_reader_feed(r, piece, some);
        more = read_all(r);
        n -= some;
    }
    if (more) {
        redis_reader_feed(r, "\r\n", 2);
        read_all(r);
    }
    redis_reader_free(r);
    said[10] = 0;
    return said;
}

static void test_limits(void)
{
    struct redis_reader *r;
    static char line[70000];
    size_t n;

    T_CASE("redis: the longest reply, and one byte more");
    CHECK(strcmp(read_long(MAX - 400), "[:1 $\\01\\0") == 0, "%s", said);
    CHECK(strcmp(read_long(MAX), "!-3") == 0, "%s", said);
    CHECK(strcmp(read_long(MAX * 10), "!-3") == 0, "%s", said);

    T_CASE("redis: items that are announced and come, without an end");
    r = redis_reader_new(MAX);
    said[0] = 0;
    redis_reader_feed(r, "*1000000\r\n", 10);
    for (n = 0; n < 100000 && read_all(r); n++)
        redis_reader_feed(r, ":1\r\n", 4);
    CHECK(n < MAX / 40, "%zu", n);
    CHECK(strcmp(said, "!-3") == 0, "%s", said);
    redis_reader_free(r);

    T_CASE("redis: a line without an end");
    r = redis_reader_new(1000000);
    said[0] = 0;
    memset(line, 'x', sizeof line);
    line[0] = '+';
    redis_reader_feed(r, line, sizeof line);
    CHECK(!read_all(r), "taken");
    CHECK(strcmp(said, "!-3") == 0, "%s", said);

    T_CASE("redis: reset, the next connection is read");
    CHECK(redis_reader_reset(r) == SIO_OK, "reset");
    said[0] = 0;
    redis_reader_feed(r, "*2\r\n+half", 9);
    read_all(r);
    CHECK(redis_reader_reset(r) == SIO_OK, "reset");
    redis_reader_feed(r, "+PONG\r\n", 7);
    read_all(r);
    CHECK(strcmp(said, "+PONG ") == 0, "%s", said);
    redis_reader_free(r);
}

static void test_items(void)
{
    struct redis_reader *r = redis_reader_new(MAX);
    const struct redis_reply *reply = NULL;
    const char *why;

    T_CASE("redis: items by number");
    redis_reader_feed(r, "*2\r\n+a\r\n:7\r\n", 12);
    CHECK(redis_reader_next(r, &reply, &why) == 1, "none");
    CHECK(redis_text(redis_item(reply, 0)).n == 1, "the first");
    CHECK(redis_item(reply, 1)->integer == 7, "the second");
    CHECK(!redis_item(reply, 2), "a third");
    CHECK(!redis_item(redis_item(reply, 0), 0), "an item of no array");
    CHECK(!redis_text(NULL).p && !redis_text(reply).p, "a text of none");
    redis_reader_free(r);
}

static void test_oom(void)
{
    T_CASE("redis: the n-th allocation of a long reply fails");
    for (long n = 0;; n++) {
        struct redis_reader *r;
        bool failed;

        oom_arm(n);
        said[0] = 0;
        r = redis_reader_new(MAX);
        if (r) {
            for (int i = 0; i < 3; i++) {
                static char text[3010] = "$3000\r\n";

                said[0] = 0;
                redis_reader_feed(r, text, 3007);
                redis_reader_feed(r, "\r\n", 2);
                if (!read_all(r))
                    break;
            }
        }
        failed = oom_disarm();
        CHECK(!failed || !r || strstr(said, "!-1"), "%ld", n);
        redis_reader_free(r);
        if (!failed)
            break;
    }
}

int main(void)
{
    test_rows();
    test_limits();
    test_items();
    test_oom();
    return t_done();
}
