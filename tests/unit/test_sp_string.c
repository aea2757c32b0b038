/*
 * test_sp_string.c -- reading the text of JSON strings.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/socketio/scan.h"
#include "tests/unit/exact.h"
#include "tests/unit/test.h"

/* clang-format off */
#define S(literal) { literal, sizeof(literal) - 1 }

static const struct row {
    sio_str value, want;
} rows[] = {
    { S("\"\""), S("") },
    { S("\"hello\""), S("hello") },
    { S("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), S("\"\\/\b\f\n\r\t") },
    { S("\"\\u0000\""), S("\0") },
    { S("\"a\\u0000b\""), S("a\0b") },
    { S("\"\\u0041\\u007f\""), S("A\x7f") },
    { S("\"\\u0080\\u07ff\""), S("\xc2\x80\xdf\xbf") },
    { S("\"\\u0800\\uFfFf\""), S("\xe0\xa0\x80\xef\xbf\xbf") },
    { S("\"\\uabcd\\uEF09\""), S("\xea\xaf\x8d\xee\xbc\x89") },
    { S("\"\\ud83d\\ude00\""), S("\xf0\x9f\x98\x80") },
    { S("\"\\uD800\\uDC00\\udbff\\udfff\""),
      S("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf") },
    /* lone surrogates, in three bytes each */
    { S("\"\\ud800\""), S("\xed\xa0\x80") },
    { S("\"\\ud800x\""), S("\xed\xa0\x80x") },
    { S("\"\\udfff\\ud800\""), S("\xed\xbf\xbf\xed\xa0\x80") },
    { S("\"\\ud800\\u0041\""), S("\xed\xa0\x80" "A") },
    { S("\"\\ud800\\ud83d\\ude00\""), S("\xed\xa0\x80\xf0\x9f\x98\x80") },
    { S("\"\\ud800\\n\""), S("\xed\xa0\x80\n") },
    { S("\"0123456789abcdef\\u00e40123456789abcdef\""),
      S("0123456789abcdef\xc3\xa4" "0123456789abcdef") },
    { S("\"\xe2\x82\xac raw\""), S("\xe2\x82\xac raw") },
};
/* clang-format on */

static void run(const struct row *r)
{
    char *value = exact_copy(r->value.p, r->value.n);
    char *out = malloc(r->value.n);
    const sio_str s = { value, r->value.n };
    size_t n;

    T_CASE("unescape: %s", shown(r->value.p, r->value.n));
    n = json_unescape(s, out);
    CHECK(str_eq((sio_str){ out, n }, r->want), "got %zu bytes: %.*s", n,
          (int)n, out);
    CHECK(json_string_is(s, r->want), "is not its own text");
    CHECK(!json_string_is(s, STR("hell")), "is a prefix");
    CHECK(!json_string_is(s, STR("hello!")), "is longer");
    if (r->want.n) {
        CHECK(!json_string_is(s, (sio_str){ r->want.p, r->want.n - 1 }),
              "is its text cut short");
        out[n - 1] ^= 1;
        CHECK(!json_string_is(s, (sio_str){ out, n }), "differs at the end");
    }
    free(out);
    free(value);
}

/* What was read can be sent on and is then read as the same again. */
static void run_back(const struct row *r)
{
    struct grow text;
    char *out = malloc(r->value.n), *again;
    size_t n;

    T_CASE("unescape and quote: %s", shown(r->value.p, r->value.n));
    grow_init(&text, 1000);
    n = json_unescape(r->value, out);
    CHECK(json_append_string(&text, (sio_str){ out, n }) == SIO_OK, "quote");
    CHECK(json_valid(grow_str(&text), 1), "no JSON: %.*s", (int)text.len,
          (char *)text.data);
    again = malloc(text.len ? text.len : 1);
    n = json_unescape(grow_str(&text), again);
    CHECK(str_eq((sio_str){ again, n }, r->want), "got %.*s", (int)n, again);
    grow_free(&text);
    free(again);
    free(out);
}

int main(void)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        run(&rows[i]);
        run_back(&rows[i]);
    }
    return t_done();
}
