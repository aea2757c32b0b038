/*
 * test_http_request.c -- queries, lists, percent signs.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/http/request.h"
#include "tests/unit/test.h"

static void check_str(sio_str got, const char *want)
{
    if (!want)
        CHECK(!got.p, "got '%.*s', want none", (int)got.n, got.p);
    else
        CHECK(got.p && str_eq(got, str_of(want)), "got '%.*s', want '%s'",
              (int)got.n, got.p ? got.p : "none", want);
}

static void test_query(void)
{
    static const struct {
        const char *query, *key, *want;
    } rows[] = {
        { "EIO=4&transport=polling", "EIO", "4" },
        { "EIO=4&transport=polling", "transport", "polling" },
        { "EIO=4", "eio", NULL },
        { "EIO=4", "EI", NULL },
        { "EIO=4", "EIOX", NULL },
        { "EIO=3&EIO=4", "EIO", "4" },
        { "sid=bogus&x&sid=", "sid", "" },
        { "sid", "sid", "" },
        { "sid=", "sid", "" },
        { "a=1;sid=x", "sid", NULL },
        { "a=b=c", "a", "b=c" },
        { "&&a=1&&", "a", "1" },
        { "=x", "", "x" },
        { "", "a", NULL },
        { "%45IO=4", "EIO", "4" },
        { "E+O=4", "E O", "4" },
        { "E%2=4", "E%2", "4" },
        { "+O=4", " O", "4" },
        { "%=4&%x=5", "%", "4" },
        { "aa=1&ab=2&a=3&b=4", "a", "3" },
        { "a=%41", "a", "%41" },
        { "__proto__=1", "__proto__", "1" },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        T_CASE("query: '%s' of '%s'", rows[i].key, rows[i].query);
        check_str(http_query_value(str_of(rows[i].query), str_of(rows[i].key)),
                  rows[i].want);
    }
    T_CASE("query: none at all");
    check_str(http_query_value((sio_str){ NULL, 0 }, STR("a")), NULL);
}

static void test_params(void)
{
    sio_str rest = STR("a=1&&b&c==&"), key, value;
    char out[100] = "";

    T_CASE("query: walked parameter by parameter");
    while (http_next_param(&rest, &key, &value))
        snprintf(out + strlen(out), sizeof out - strlen(out), "%.*s>%.*s ",
                 (int)key.n, key.p, (int)value.n, value.p);
    CHECK(strcmp(out, "a>1 b> c>= ") == 0, "got '%s'", out);
}

static void test_decode(void)
{
    static const struct {
        const char *in;
        bool plus;
        const char *want;
        size_t n;
    } rows[] = {
        { "abc", false, "abc", 3 },   { "%41%62", false, "Ab", 2 },
        { "a+b", true, "a b", 3 },    { "a+b", false, "a+b", 3 },
        { "%2b", true, "+", 1 },      { "%", false, "%", 1 },
        { "%4", false, "%4", 2 },     { "%4g", false, "%4g", 3 },
        { "%g4", false, "%g4", 3 },   { "%%41", false, "%A", 2 },
        { "%00", false, "\0", 1 },    { "%fF", false, "\xff", 1 },
        { "%2541", false, "%41", 3 }, { "", true, "", 0 },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        char out[16];
        size_t n;

        T_CASE("decode: '%s'", rows[i].in);
        n = http_percent_decode(str_of(rows[i].in), rows[i].plus, out);
        CHECK(n == rows[i].n && memcmp(out, rows[i].want, n) == 0, "got '%.*s'",
              (int)n, out);
    }
}

static void test_tokens(void)
{
    static const struct {
        const char *list, *token;
        bool want;
    } rows[] = {
        { "Upgrade", "upgrade", true },
        { "keep-alive, Upgrade", "upgrade", true },
        { "upgrade ,x", "upgrade", true },
        { "upgraded", "upgrade", false },
        { "up grade", "upgrade", false },
        { "", "upgrade", false },
        { ",,", "upgrade", false },
        { ",,upgrade", "upgrade", true },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        T_CASE("token: '%s' in '%s'", rows[i].token, rows[i].list);
        CHECK(http_has_token(str_of(rows[i].list), str_of(rows[i].token)) ==
                  rows[i].want,
              "not so");
    }
    T_CASE("token: in no list");
    CHECK(!http_has_token((sio_str){ NULL, 0 }, STR("a")), "found");
}

int main(void)
{
    test_query();
    test_params();
    test_decode();
    test_tokens();
    return t_done();
}
