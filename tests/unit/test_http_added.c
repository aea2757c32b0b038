/*
 * test_http_added.c -- fields that a program adds to answers.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/http/added.h"
#include "src/http/request.h"
#include "tests/unit/oom.h"
#include "tests/unit/test.h"

static int add(struct grow *added, const char *name, const char *value)
{
    return http_add(added, str_of(name), str_of(value));
}

static void check(const struct grow *added, const char *want)
{
    CHECK(str_eq(grow_str(added), str_of(want)), "got %.*s, want %s",
          (int)added->len, (const char *)added->data, want);
}

static void test_fields(void)
{
    struct grow added;

    T_CASE("added: in their order, a name more than once");
    grow_init(&added, HTTP_ADDED_MAX);
    CHECK(add(&added, "Set-Cookie", "a=1") == SIO_OK, "refused");
    CHECK(add(&added, "x", "") == SIO_OK, "refused");
    CHECK(add(&added, "Set-Cookie", "b=2") == SIO_OK, "refused");
    check(&added, "Set-Cookie: a=1\r\nx: \r\nSet-Cookie: b=2\r\n");
    grow_free(&added);
}

static void test_refused(void)
{
    static const struct {
        const char *name, *value;
    } rows[] = {
        { "", "a" },
        { "a b", "c" },
        { "a:", "c" },
        { "a", "b\r\nc: d" },
        { "a", "b\nc" },
        { "a", "\x7f" },
        { "Content-Length", "0" },
        { "content-type", "a/b" },
        { "Content-Encoding", "gzip" },
        { "Transfer-Encoding", "chunked" },
        { "CONNECTION", "close" },
        { "Keep-Alive", "x" },
        { "Upgrade", "x" },
        { "Trailer", "x" },
        { "Date", "x" },
        { "Sec-WebSocket-Accept", "x" },
        { "sec-websocket-", "x" },
    };
    struct grow added;

    grow_init(&added, HTTP_ADDED_MAX);
    for (size_t i = 0; i < COUNT(rows); i++) {
        T_CASE("added: %s is refused, row %zu", rows[i].name, i);
        CHECK(add(&added, rows[i].name, rows[i].value) == SIO_E_INVAL, "taken");
        check(&added, "");
    }
    T_CASE("added: what only looks like ours");
    CHECK(add(&added, "Sec-WebSocket", "x") == SIO_OK, "refused");
    CHECK(add(&added, "Connections", "x") == SIO_OK, "refused");
    grow_free(&added);
}

static void test_vary(void)
{
    static const struct {
        const char *first, *second, *want;
    } rows[] = {
        { "Origin", "Accept", "Vary: Origin, Accept\r\n" },
        { "Origin", "origin", "Vary: Origin\r\n" },
        { "Origin", "ORIGIN, Accept,Accept", "Vary: Origin, Accept\r\n" },
        { "Accept-Encoding", "Accept", "Vary: Accept-Encoding, Accept\r\n" },
        { "*", "Origin", "Vary: *\r\n" },
        { "Origin", "*", "Vary: *\r\n" },
        { "Origin", "", "Vary: Origin\r\n" },
        { "Origin", " , ,", "Vary: Origin\r\n" },
        { "", "Origin", "Vary: Origin\r\n" },
        { "", "", "" },
        { "a,b", "c", "Vary: a, b, c\r\n" },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        char want[100];
        struct grow added;

        T_CASE("1.9 Vary: \"%s\" and \"%s\"", rows[i].first, rows[i].second);
        grow_init(&added, HTTP_ADDED_MAX);
        add(&added, "a", "1");
        CHECK(add(&added, "Vary", rows[i].first) == SIO_OK, "refused");
        add(&added, "b", "Vary: x");
        CHECK(add(&added, "vary", rows[i].second) == SIO_OK, "refused");
        add(&added, "c", "3");
        /* It is where it was touched last. */
        snprintf(want, sizeof want, "a: 1\r\nb: Vary: x\r\n%sc: 3\r\n",
                 rows[i].want);
        check(&added, want);
        grow_free(&added);
    }
}

static void test_limit(void)
{
    static char value[HTTP_ADDED_MAX];
    struct grow added;

    T_CASE("added: 8192 bytes, and one more");
    memset(value, 'v', sizeof value);
    value[HTTP_ADDED_MAX - 5] = 0; /* "a: " and the line end */
    grow_init(&added, HTTP_ADDED_MAX);
    CHECK(add(&added, "a", value) == SIO_OK, "refused");
    CHECK(added.len == HTTP_ADDED_MAX, "%zu", added.len);
    CHECK(add(&added, "b", "") == SIO_E_LIMIT, "taken");
    CHECK(add(&added, "Vary", "b") == SIO_E_LIMIT, "taken");
    CHECK(added.len == HTTP_ADDED_MAX, "%zu", added.len);
    grow_free(&added);
    CHECK(add(&added, "aa", value) == SIO_E_LIMIT, "taken");
    check(&added, "");
}

static void test_out_of_memory(void)
{
    long n = 0;

    T_CASE("added: out of memory changes nothing");
    for (;; n++) {
        struct grow added;
        int r;

        grow_init(&added, HTTP_ADDED_MAX);
        add(&added, "Vary", "a");
        oom_arm(n);
        r = add(&added, "Vary",
                "a-name-that-needs-more-room-than-there-is-now,"
                "and-another-one-that-is-as-long-as-this-one");
        if (!oom_disarm()) {
            CHECK(r == SIO_OK, "%d", r);
            grow_free(&added);
            break;
        }
        CHECK(r == SIO_E_NOMEM, "%d", r);
        check(&added, "Vary: a\r\n");
        grow_free(&added);
    }
    CHECK(n > 1, "%ld allocations", n);
}

int main(void)
{
    test_fields();
    test_refused();
    test_vary();
    test_limit();
    test_out_of_memory();
    return t_done();
}
