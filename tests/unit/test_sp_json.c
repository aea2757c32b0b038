/*
 * test_sp_json.c -- cJSON trees from and to text, with what cJSON itself gets
 * wrong put right.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/socketio/json.h"

#include "protocol/base/str.h"
#include "protocol/socketio/scan.h"
#include "tests/unit/exact.h"
#include "tests/unit/oom.h"
#include "tests/unit/test.h"

#include <cjson/cJSON.h>

/* clang-format off */
static const struct row {
    const char *text, *want; /* want NULL: comes out as it went in */
} rows[] = {
    { "null", NULL },
    { "[true,false,null]", NULL },
    { "{}", NULL },
    { "[]", NULL },
    { "[[],{},[[]],{\"a\":{}}]", NULL },
    { "{\"a\":1,\"b\":[2,{\"c\":\"d\"}],\"e\":{\"f\":null}}", NULL },
    { " { \"a\" : [ 1 , 2 ] } ", "{\"a\":[1,2]}" },
    { "[9007199254740991,-9007199254740991]", NULL },
    { "[123456789012345680000,1e21,1e-7]",
      "[123456789012345680000,1e+21,1e-7]" },
    { "[0.1,1.50,-0,2147483648]", "[0.1,1.5,0,2147483648]" },
    { "[1e400]", "[null]" },
    { "\"\\u00e4\\ud83d\\ude00\\/\\u0001\"",
      "\"\xc3\xa4\xf0\x9f\x98\x80/\\u0001\"" },
    { "{\"a\\n\":\"\\\"\"}", NULL },
    { "{\"a\":1,\"a\":2}", NULL }, /* both are kept */
    /* what a tree cannot hold: see json.h */
    { "[\"a\\u0000b\"]", "[\"a\"]" },
};
/* clang-format on */

static void run(const struct row *r)
{
    const sio_str want = str_of(r->want ? r->want : r->text);
    char *text = exact_copy(r->text, strlen(r->text));
    struct grow out;
    struct cJSON *tree;

    T_CASE("tree: %s", r->text);
    grow_init(&out, want.n);
    tree = json_tree_parse((sio_str){ text, strlen(r->text) });
    CHECK(tree, "not parsed");
    CHECK(json_tree_append(&out, tree) == SIO_OK, "not written");
    CHECK(str_eq(grow_str(&out), want), "got %.*s", (int)out.len,
          (char *)out.data);
    out.len = 0;
    out.max = want.n - 1;
    CHECK(json_tree_append(&out, tree) == SIO_E_LIMIT && out.len == 0,
          "one byte short");
    json_tree_free(tree);
    grow_free(&out);
    free(text);
}

static bool parses(sio_str text)
{
    struct cJSON *tree = json_tree_parse(text);

    json_tree_free(tree);
    return tree;
}

static void test_parse_failures(void)
{
    T_CASE("tree: what it cannot hold is refused");
    CHECK(!parses(STR("\"\\ud800\"")), "lone high surrogate");
    CHECK(!parses(STR("\"\\udc00\"")), "lone low surrogate");
    CHECK(parses(STR(" 1 \n")), "blanks at the end");
}

/* Versions of cJSON differ from 64 characters on: refused or right, not cut. */
static void test_long_number(void)
{
    const sio_str text = STR("0.000000000000000000000000000000000000000000000"
                             "0000000000000000000000000000000005");
    struct cJSON *tree = json_tree_parse(text);

    T_CASE("tree: a number of %zu characters", text.n);
    CHECK(!tree || tree->valuedouble == 5e-79, "got %g", tree->valuedouble);
    json_tree_free(tree);
}

static void check_refused(struct cJSON *tree, const char *what)
{
    struct grow out;
    int r;

    grow_init(&out, 10000);
    grow_append(&out, "4", 1);
    r = json_tree_append(&out, tree);
    CHECK(r == SIO_E_INVAL && out.len == 1, "%s: %d, len %zu", what, r,
          out.len);
    grow_free(&out);
    json_tree_free(tree);
}

static cJSON *array_of(cJSON *item)
{
    cJSON *array = cJSON_CreateArray();

    cJSON_AddItemToArray(array, item);
    return array;
}

/* Trees that no text made. */
static void test_invalid_nodes(void)
{
    cJSON *node;

    T_CASE("tree: invalid nodes are refused");
    check_refused(NULL, "no tree");
    node = cJSON_CreateNull();
    node->type = cJSON_Invalid;
    check_refused(array_of(node), "invalid node");
    node = cJSON_CreateNull();
    node->type = cJSON_String;
    check_refused(array_of(node), "string without text");
    node = cJSON_CreateObject();
    node->child = cJSON_CreateNull();
    check_refused(array_of(node), "member without name");
    check_refused(array_of(cJSON_CreateString("\xff")), "bad UTF-8");
    check_refused(array_of(cJSON_CreateRaw("[1,")), "bad raw text");
    check_refused(array_of(cJSON_CreateRaw("1,2")), "two raw values");
    check_refused(array_of(cJSON_CreateRaw("\"\xff\"")), "raw, bad UTF-8");
    node = cJSON_CreateNull();
    node->type = cJSON_Raw;
    check_refused(array_of(node), "raw without text");
}

static void test_made_nodes(void)
{
    cJSON *shared = cJSON_CreateString("x"), *tree = cJSON_CreateArray();
    struct grow out;

    T_CASE("tree: raw nodes and references are written");
    cJSON_AddItemToArray(tree, cJSON_CreateRaw("{\"r\": [1]}"));
    cJSON_AddItemReferenceToArray(tree, shared);
    cJSON_AddItemToArray(tree, cJSON_CreateStringReference("ref"));
    cJSON_AddItemToArray(tree, cJSON_CreateNumber(0.0 / 0.0));
    grow_init(&out, 1000);
    CHECK(json_tree_append(&out, tree) == SIO_OK, "not written");
    CHECK(str_eq(grow_str(&out), STR("[{\"r\": [1]},\"x\",\"ref\",null]")),
          "got %.*s", (int)out.len, (char *)out.data);
    json_tree_free(tree);
    json_tree_free(shared);
    grow_free(&out);
}

static void test_depth(void)
{
    cJSON *tree = cJSON_CreateArray();
    struct grow out;

    for (int i = 1; i < JSON_DEPTH_LIMIT; i++)
        tree = array_of(tree);
    T_CASE("tree: depth, on the limit and one past it");
    grow_init(&out, 10000);
    CHECK(json_tree_append(&out, tree) == SIO_OK && out.len == 2000, "len %zu",
          out.len);
    CHECK(json_check(grow_str(&out), JSON_DEPTH_LIMIT) == JSON_ARRAY, "text");
    json_tree_free(json_tree_parse(grow_str(&out)));
    check_refused(array_of(tree), "1001 arrays");
    grow_free(&out);

    tree = cJSON_CreateRaw("[]");
    for (int i = 0; i < JSON_DEPTH_LIMIT; i++)
        tree = array_of(tree);
    check_refused(tree, "raw text in 1000 arrays");
}

static void test_oom(void)
{
    cJSON *tree = cJSON_CreateArray();

    for (int i = 0; i < 100; i++)
        cJSON_AddItemToArray(tree, cJSON_CreateString("some text"));
    T_CASE("tree: out of memory at every allocation");
    for (long n = 0; n < 100; n++) {
        struct grow out;
        int r;

        grow_init(&out, 10000);
        oom_arm(n);
        r = json_tree_append(&out, tree);
        if (!oom_disarm()) {
            CHECK(n > 0 && r == SIO_OK, "got %d", r);
            grow_free(&out);
            break;
        }
        CHECK(r == SIO_E_NOMEM && out.len == 0, "got %d", r);
        grow_free(&out);
    }
    json_tree_free(tree);
}

int main(void)
{
    for (size_t i = 0; i < COUNT(rows); i++)
        run(&rows[i]);
    test_parse_failures();
    test_long_number();
    test_invalid_nodes();
    test_made_nodes();
    test_depth();
    test_oom();
    return t_done();
}
