/*
 * test_sp_scan.c -- what is JSON and what is not, agreed with JSON.parse; and
 * arrays and objects taken apart. Every text ends where its memory ends, and is
 * read again cut short at every byte.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/socketio/scan.h"
#include "tests/unit/exact.h"
#include "tests/unit/test.h"

/* clang-format off */
#define S(literal) { literal, sizeof(literal) - 1 }

static const struct check_row {
    enum json_kind want;
    sio_str text;
} check_rows[] = {
    { JSON_NULL, S("null") },
    { JSON_TRUE, S("true") },
    { JSON_FALSE, S("false") },
    { JSON_NULL, S(" \t\r\nnull \t\r\n") },

    { JSON_NUMBER, S("0") },
    { JSON_NUMBER, S("-0") },
    { JSON_NUMBER, S("1234567890") },
    { JSON_NUMBER, S("-1.5") },
    { JSON_NUMBER, S("0.5") },
    { JSON_NUMBER, S("1e5") },
    { JSON_NUMBER, S("1E+5") },
    { JSON_NUMBER, S("1e-5") },
    { JSON_NUMBER, S("0e0") },
    { JSON_NUMBER, S("1e05") },
    { JSON_NUMBER, S("1e400") },
    { JSON_NUMBER, S("1.25E-3") },

    { JSON_STRING, S("\"\"") },
    { JSON_STRING, S("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"") },
    { JSON_STRING, S("\"\\u0000\\u12aF\\uFFFF\"") },
    { JSON_STRING, S("\"\\ud800\"") },            /* lone surrogates */
    { JSON_STRING, S("\"\\udc00\\ud800\"") },
    { JSON_STRING, S("\"\x7f/'\xe2\x80\xa8\"") },
    { JSON_STRING, S("\"0123456789abcdef0123456789abcdef\"") },
    { JSON_STRING, S("\"0123456789abcde\\n\"") },

    { JSON_ARRAY, S("[]") },
    { JSON_ARRAY, S("[ ]") },
    { JSON_ARRAY, S(" [ 1 , [ ] , { } ] ") },
    { JSON_ARRAY, S("[[[[\"a\"]]],{\"a\":[{}]}]") },
    { JSON_ARRAY, S("[1,-2,3.5,\"x\",true,false,null]") },
    { JSON_OBJECT, S("{}") },
    { JSON_OBJECT, S("{ }") },
    { JSON_OBJECT, S("{\"a\":1,\"a\":2}") },
    { JSON_OBJECT, S("{\"\":{\"b\":[1,{\"c\":null}],\"d\":0}}") },
    { JSON_OBJECT, S(" { \"a\" : [ 1 , 2 ] , \"b\" : { } } ") },

    { JSON_INVALID, S("") },
    { JSON_INVALID, S(" ") },
    { JSON_INVALID, S("\xef\xbb\xbfnull") },      /* byte order mark */
    { JSON_INVALID, S("null\0") },
    { JSON_INVALID, S("\0") },
    { JSON_INVALID, S("nul") },
    { JSON_INVALID, S("nulll") },
    { JSON_INVALID, S("True") },
    { JSON_INVALID, S("undefined") },
    { JSON_INVALID, S("NaN") },
    { JSON_INVALID, S("Infinity") },
    { JSON_INVALID, S("null\f") },
    { JSON_INVALID, S("\v1") },
    { JSON_INVALID, S("\xc2\xa0" "1") },          /* no-break space */
    { JSON_INVALID, S("1 2") },
    { JSON_INVALID, S("[]]") },
    { JSON_INVALID, S("[],") },
    { JSON_INVALID, S("{}{}") },
    { JSON_INVALID, S("// c\n1") },
    { JSON_INVALID, S("1/**/") },

    { JSON_INVALID, S("01") },
    { JSON_INVALID, S("-01") },
    { JSON_INVALID, S("+1") },
    { JSON_INVALID, S("-") },
    { JSON_INVALID, S("--1") },
    { JSON_INVALID, S("1.") },
    { JSON_INVALID, S(".5") },
    { JSON_INVALID, S("1.e5") },
    { JSON_INVALID, S("1e") },
    { JSON_INVALID, S("1e+") },
    { JSON_INVALID, S("1e1.5") },
    { JSON_INVALID, S("0x10") },
    { JSON_INVALID, S("1_000") },
    { JSON_INVALID, S("1n") },
    { JSON_INVALID, S("1 .5") },

    { JSON_INVALID, S("\"") },
    { JSON_INVALID, S("'a'") },
    { JSON_INVALID, S("\"\\\"") },
    { JSON_INVALID, S("\"\\x41\"") },
    { JSON_INVALID, S("\"\\a\"") },
    { JSON_INVALID, S("\"\\'\"") },
    { JSON_INVALID, S("\"\\\0\"") },
    { JSON_INVALID, S("\"\\u123\"") },
    { JSON_INVALID, S("\"\\u12g4\"") },
    { JSON_INVALID, S("\"\\u123`\"") },
    { JSON_INVALID, S("\"\\u:234\"") },
    { JSON_INVALID, S("\"\\U1234\"") },
    { JSON_INVALID, S("\"a\nb\"") },              /* control characters */
    { JSON_INVALID, S("\"a\0b\"") },
    { JSON_INVALID, S("\"\x1f\"") },
    { JSON_INVALID, S("\"\t\"") },
    { JSON_INVALID, S("\"0123456789abcdef\n\"") },

    { JSON_INVALID, S("[") },
    { JSON_INVALID, S("]") },
    { JSON_INVALID, S("[,]") },
    { JSON_INVALID, S("[1,]") },
    { JSON_INVALID, S("[,1]") },
    { JSON_INVALID, S("[1,,2]") },
    { JSON_INVALID, S("[1 2]") },
    { JSON_INVALID, S("[1}") },
    { JSON_INVALID, S("[1:2]") },
    { JSON_INVALID, S("[\"a\":1]") },
    { JSON_INVALID, S("[1,2") },
    { JSON_INVALID, S("[[]") },
    { JSON_INVALID, S("[[1},2]") },
    { JSON_INVALID, S("{") },
    { JSON_INVALID, S("}") },
    { JSON_INVALID, S("{\"a\"}") },
    { JSON_INVALID, S("{\"a\":}") },
    { JSON_INVALID, S("{\"a\" 1}") },
    { JSON_INVALID, S("{\"a\":1,}") },
    { JSON_INVALID, S("{,\"a\":1}") },
    { JSON_INVALID, S("{a:1}") },
    { JSON_INVALID, S("{1:1}") },
    { JSON_INVALID, S("{\"a\":1]") },
    { JSON_INVALID, S("{\"a\":1 \"b\":2}") },
    { JSON_INVALID, S("{\"a\"::1}") },
    { JSON_INVALID, S("{\"a\":1,\"b\"}") },
    { JSON_INVALID, S("[{\"a\":]}") },
};
/* clang-format on */

/* Both scanners must say the same. */
static enum json_kind check_prefix(sio_str text, size_t n)
{
    char *copy = exact_copy(text.p, n);
    enum json_kind kind = json_check((sio_str){ copy, n }, 100);
    const int want = kind == JSON_ARRAY     ? SIO_OK
                     : kind == JSON_INVALID ? SIO_E_INVAL
                                            : SIO_E_TYPE;
    sio_str items[2];
    size_t count;
    int r = json_cut_array((sio_str){ copy, n }, 100, items, 2, &count);

    CHECK(r == want, "prefix of %zu: cut says %d, kind is %d", n, r, (int)kind);
    free(copy);
    return kind;
}

/* What has a closing character is not valid before it. */
static void run_check(const struct check_row *r)
{
    size_t body = r->text.n;
    enum json_kind got;

    T_CASE("json: row %td, %s", r - check_rows, shown(r->text.p, r->text.n));
    got = check_prefix(r->text, r->text.n);
    CHECK(got == r->want, "kind %d", (int)got);
    CHECK(json_valid(r->text, 100) == (r->want != JSON_INVALID), "json_valid");
    while (body && strchr(" \t\r\n", r->text.p[body - 1]))
        body--;
    for (size_t cut = 0; cut < r->text.n; cut++) {
        enum json_kind part = check_prefix(r->text, cut);

        if (r->want >= JSON_STRING && cut < body)
            CHECK(part == JSON_INVALID, "cut at %zu: kind %d", cut, (int)part);
    }
}

static void test_utf8(void)
{
    T_CASE("json: UTF-8 is json_valid()'s concern");
    CHECK(json_check(STR("\"\xff\""), 1) == JSON_STRING, "check");
    CHECK(!json_valid(STR("\"\xff\""), 1), "bad byte");
    CHECK(!json_valid(STR("\"\xed\xa0\x80\""), 1), "surrogate");
    CHECK(json_valid(STR("\"\xf0\x9f\x98\x80\""), 1), "astral");
}

/* n levels, '[' and '{' in turn. */
static sio_str nested(size_t n, char *text)
{
    char *w = text;

    for (size_t i = 0; i < n; i++) {
        memcpy(w, i % 3 ? "[" : "{\"a\":", i % 3 ? 1 : 5);
        w += i % 3 ? 1 : 5;
    }
    *w++ = '1';
    for (size_t i = n; i-- > 0;)
        *w++ = i % 3 ? ']' : '}';
    return (sio_str){ text, (size_t)(w - text) };
}

static void test_depth(void)
{
    static const uint32_t limits[] = { 0, 1, 2, 63, 64, 65, 128, 999, 1000 };
    static char text[10000], array[10000];
    sio_str items[1], deep;
    size_t count;

    for (size_t i = 0; i < COUNT(limits); i++) {
        const uint32_t max = limits[i];

        T_CASE("json: depth %u, and one more", max);
        CHECK(json_check(nested(max, text), max) != JSON_INVALID, "on it");
        CHECK(json_check(nested(max + 1, text), max) == JSON_INVALID, "over");
        deep = nested(max, text);
        count = (size_t)snprintf(array, sizeof array, "[%.*s]", (int)deep.n,
                                 deep.p);
        deep = (sio_str){ array, count };
        CHECK(json_cut_array(deep, max, items, 1, &count) == SIO_E_INVAL,
              "array around it");
        if (max < JSON_DEPTH_LIMIT)
            CHECK(json_cut_array(deep, max + 1, items, 1, &count) == SIO_OK,
                  "array around it, one level more");
    }
    T_CASE("json: no limit beyond JSON_DEPTH_LIMIT");
    CHECK(json_check(nested(1000, text), UINT32_MAX) != JSON_INVALID, "1000");
    CHECK(json_check(nested(1001, text), UINT32_MAX) == JSON_INVALID, "1001");
    memset(text, '[', sizeof text);
    CHECK(json_check((sio_str){ text, sizeof text }, UINT32_MAX) ==
              JSON_INVALID,
          "only openers");
}

/* clang-format off */
static const struct cut_row {
    const char *text, *want; /* elements, each behind a '|' */
    size_t count;
} cut_rows[] = {
    { "[]", "", 0 },
    { " [ ] ", "", 0 },
    { "[1]", "|1", 1 },
    { "[ 1 , \"a,b]\" , [ 2 , 3 ] ]", "|1|\"a,b]\"|[ 2 , 3 ]", 3 },
    { "[\"\\\"]\",{\"a\":[]},null]", "|\"\\\"]\"|{\"a\":[]}|null", 3 },
    { "[[],[[]],[[[]]]]", "|[]|[[]]|[[[]]]", 3 },
    { "[1,2,3,4]", "|1|2|3|4", 4 },
    { "[1,2,3,4,5]", "|1|2|3|4", 5 }, /* one more than are kept */
    { "[1,2,3,4,5,6,7,8]", "|1|2|3|4", 8 },
};
/* clang-format on */

static void run_cut(const struct cut_row *r)
{
    char got[200] = "";
    sio_str items[4], text = str_of(r->text), item;
    size_t count = 99, pos = 0, n = 0;
    int result;

    T_CASE("cut: %s", r->text);
    result = json_cut_array(text, 9, items, COUNT(items), &count);
    CHECK(result == SIO_OK && count == r->count, "%d, count %zu", result,
          count);
    for (size_t i = 0; i < count && i < COUNT(items); i++)
        snprintf(got + strlen(got), sizeof got - strlen(got), "|%.*s",
                 (int)items[i].n, items[i].p);
    CHECK(strcmp(got, r->want) == 0, "got %s", got);
    text = str_trim(text);
    for (; json_next_element(text, &pos, &item); n++) {
        if (n < COUNT(items))
            CHECK(item.p == items[n].p && item.n == items[n].n, "walk %zu", n);
        CHECK(json_element(text, n).p == item.p, "element %zu", n);
    }
    CHECK(n == count, "walked %zu", n);
    CHECK(!json_next_element(text, &pos, &item), "goes on behind its end");
    CHECK(json_element(text, count).n == 0, "element behind the last");
}

static void test_cut_failures(void)
{
    sio_str items[1];
    size_t count = 7;

    T_CASE("cut: no array, or no JSON");
    CHECK(json_cut_array(STR("{}"), 9, items, 1, &count) == SIO_E_TYPE, "{}");
    CHECK(json_cut_array(STR(" 1 "), 9, items, 1, &count) == SIO_E_TYPE, "1");
    CHECK(json_cut_array(STR("[1"), 9, items, 1, &count) == SIO_E_INVAL, "[1");
    CHECK(json_cut_array(STR("[]x"), 9, items, 1, &count) == SIO_E_INVAL,
          "[]x");
    CHECK(json_cut_array((sio_str){ NULL, 0 }, 9, items, 1, &count) ==
              SIO_E_INVAL,
          "nothing");
    CHECK(json_cut_array(STR("[1,2]"), 9, NULL, 0, &count) == SIO_OK &&
              count == 2,
          "only counted");
    CHECK(json_element(STR("{}"), 0).n == 0, "element of an object");
    CHECK(json_check((sio_str){ NULL, 0 }, 9) == JSON_INVALID, "no text");
}

static void test_members(void)
{
    static const struct {
        const char *object, *key, *want;
    } rows[] = {
        { "{}", "a", "" },
        { "{ }", "a", "" },
        { "{\"a\":1}", "a", "1" },
        { "{\"a\":1}", "b", "" },
        { "{ \"a\" : { \"b\" : 2 } , \"b\" : [ 3 ] }", "b", "[ 3 ]" },
        { "{\"a\":1,\"a\":2}", "a", "2" }, /* the last one counts */
        { "{\"\\u0061\":1}", "a", "1" },
        { "{\"\":0}", "", "0" },
        { "{\"ab\":0}", "a", "" },
        { "{\"a\":\"}\",\"b\":\"\\\"\"}", "b", "\"\\\"\"" },
        { "[\"a\"]", "a", "" },
        { "null", "a", "" },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        sio_str object = str_of(rows[i].object), got;

        T_CASE("member %s of %s", rows[i].key, rows[i].object);
        got = json_member(object, str_of(rows[i].key));
        CHECK(str_eq(got, str_of(rows[i].want)), "got %.*s", (int)got.n, got.p);
    }
}

static void test_member_walk(void)
{
    const sio_str object = STR("{ \"a\" :1, \"b\":[ 2 ] }");
    sio_str key, value;
    size_t pos = 0;

    T_CASE("members, one after the other");
    CHECK(json_next_member(object, &pos, &key, &value), "first");
    CHECK(str_eq(key, STR("\"a\"")) && str_eq(value, STR("1")), "first");
    CHECK(json_next_member(object, &pos, &key, &value), "second");
    CHECK(str_eq(key, STR("\"b\"")) && str_eq(value, STR("[ 2 ]")), "second");
    CHECK(!json_next_member(object, &pos, &key, &value), "end");
    CHECK(!json_next_member(object, &pos, &key, &value), "still the end");
    pos = 0;
    CHECK(!json_next_member(STR("{ }"), &pos, &key, &value), "empty");
    CHECK(!json_next_member(STR("{ }"), &pos, &key, &value), "still empty");
    pos = 0;
    CHECK(!json_next_member(STR(""), &pos, &key, &value), "nothing");
}

static void test_kinds(void)
{
    T_CASE("kinds by the first character");
    CHECK(json_kind(STR("-1")) == JSON_NUMBER, "-1");
    CHECK(json_kind(STR("9")) == JSON_NUMBER, "9");
    CHECK(json_kind(STR("null")) == JSON_NULL, "null");
    CHECK(json_kind(STR("[")) == JSON_ARRAY, "array");
    CHECK(json_kind(STR(":")) == JSON_INVALID, "colon");
    CHECK(json_kind(STR("/")) == JSON_INVALID, "slash");
    CHECK(json_kind(STR("")) == JSON_INVALID, "nothing");
    CHECK(json_kind((sio_str){ NULL, 0 }) == JSON_INVALID, "no text");
}

int main(void)
{
    for (size_t i = 0; i < COUNT(check_rows); i++)
        run_check(&check_rows[i]);
    test_utf8();
    test_depth();
    for (size_t i = 0; i < COUNT(cut_rows); i++)
        run_cut(&cut_rows[i]);
    test_cut_failures();
    test_members();
    test_member_walk();
    test_kinds();
    return t_done();
}
