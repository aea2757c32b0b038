/*
 * test_sp_placeholder.c -- where attachments belong in a packet's JSON.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/socketio/scan.h"
#include "tests/unit/exact.h"
#include "tests/unit/test.h"

/* clang-format off */
#define P(num) "{\"_placeholder\":true,\"num\":" num "}"

static const struct row {
    const char *text;
    const char *want; /* the numbers, each behind a blank */
} rows[] = {
    { "[]", "" },
    { "[\"a\"," P("0") "]", " 0" },
    { P("0"), " 0" },
    { "[" P("1") "," P("0") "," P("1") "]", " 1 0 1" },
    { "{\"a\":" P("0") ",\"b\":[" P("1") ",{\"c\":" P("2") "}]}", " 0 1 2" },
    { "[ { \"num\" : 3 , \"_placeholder\" : true } ]", " 3" },
    { "[{\"\\u005fplaceholder\":true,\"n\\u0075m\":4}]", " 4" },
    { "[{\"_placeholder\":true,\"num\":1,\"num\":2}]", " 2" },
    { "[{\"_placeholder\":true,\"num\":1e0}]", " 1" },
    { "[{\"_placeholder\":true,\"num\":-0}]", " 0" },
    { "[{\"x\":\"}\",\"_placeholder\":true,\"num\":5,\"y\":\"{\"}]", " 5" },
    { "[{\"_placeholder\":true,\"num\":5,\"y\":" P("6") "}," P("7") "]",
      " 5 7" },
    { "[{\"a\":{},\"b\":" P("8") "}]", " 8" },
    { "[" P("999999999999999") "]", " 999999999999999" },
    { "[" P("1000000000000000") "]", " 1000000000000000" },
    { "[" P("9007199254740991") "]", " 9007199254740991" },
    /* no attachment can have these numbers */
    { "[{\"_placeholder\":true}]", " -1" },
    { "[" P("-1") "]", " -1" },
    { "[" P("-2") "]", " -1" },
    { "[" P("0.5") "]", " -1" },
    { "[" P("\"0\"") "]", " -1" },
    { "[" P("null") "]", " -1" },
    { "[" P("[0]") "]", " -1" },
    { "[" P("1e400") "]", " -1" },
    { "[" P("9007199254740992") "]", " -1" },
    { "[{\"_placeholder\":true,\"num\":1,\"num\":\"x\"}]", " -1" },
    { "[" P("\"splice\"") "]", " -1" },
    /* no placeholders at all */
    { "[{\"_placeholder\":1,\"num\":0}]", "" },
    { "[{\"_placeholder\":false,\"num\":0}]", "" },
    { "[{\"_placeholder\":\"true\",\"num\":0}]", "" },
    { "[{\"_placeholders\":true,\"num\":0}]", "" },
    { "[{\"_Placeholder\":true,\"num\":0}]", "" },
    { "[\"{\\\"_placeholder\\\":true,\\\"num\\\":0}\"]", "" },
    { "[\"_placeholder\",true,\"num\",0]", "" },
    { "[{\"a\":\"_placeholder\",\"b\":true}]", "" },
    { "{}", "" },
    { "[{},{ },[{}]]", "" },
    { "1", "" },
    { "\"_placeholder\"", "" },
    /* documented in scan.h: behind an array or object it is not looked for */
    { "[{\"a\":[],\"_placeholder\":true,\"num\":0}]", "" },
};
/* clang-format on */

static void run(const struct row *r)
{
    const size_t n = strlen(r->text);
    char *text = exact_copy(r->text, n), got[100] = "";
    struct json_placeholder found;
    size_t pos = 0;

    T_CASE("placeholders of %s", r->text);
    CHECK(json_check((sio_str){ text, n }, 9) != JSON_INVALID, "bad row");
    while (json_next_placeholder((sio_str){ text, n }, &pos, &found)) {
        CHECK(text[found.start] == '{' && text[found.end - 1] == '}' &&
                  found.end <= n && pos == found.end,
              "from %zu to %zu", found.start, found.end);
        CHECK(
            json_check((sio_str){ text + found.start, found.end - found.start },
                       9) == JSON_OBJECT,
            "no object from %zu to %zu", found.start, found.end);
        snprintf(got + strlen(got), sizeof got - strlen(got), " %lld",
                 (long long)found.num);
    }
    CHECK(strcmp(got, r->want) == 0, "got%s, want%s", got, r->want);
    CHECK(!json_next_placeholder((sio_str){ text, n }, &pos, &found),
          "goes on behind its end");
    free(text);
}

/* 900 levels around half a megabyte: a look from each level to its end would
 * take minutes under the sanitizers. */
static void test_linear(void)
{
    const size_t levels = 900, fill = 500000;
    char *text = malloc(levels * 7 + fill + 100), *w = text;
    struct json_placeholder found;
    size_t pos = 0;

    T_CASE("placeholders: deep nesting stays linear");
    for (size_t i = 0; i < levels; i++, w += 6)
        memcpy(w, "{\"_p\":", 6);
    *w++ = '[';
    for (size_t i = 0; i < fill / 3; i++, w += 3)
        memcpy(w, "{},", 3);
    memcpy(w, P("3") "]", sizeof P("3"));
    w += sizeof P("3");
    memset(w, '}', levels);
    w += levels;
    CHECK(json_check((sio_str){ text, (size_t)(w - text) }, 1000) ==
              JSON_OBJECT,
          "bad text");
    CHECK(json_next_placeholder((sio_str){ text, (size_t)(w - text) }, &pos,
                                &found) &&
              found.num == 3,
          "num");
    free(text);
}

int main(void)
{
    for (size_t i = 0; i < COUNT(rows); i++)
        run(&rows[i]);
    test_linear();
    return t_done();
}
