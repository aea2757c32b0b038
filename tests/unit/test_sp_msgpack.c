/*
 * test_sp_msgpack.c -- MessagePack read, written, and turned into JSON text and
 * back. tests/vectors/msgpack.json has what notepack.io 3 and @msgpack/msgpack
 * make of JavaScript values; S1.7 in a name is the section of the reference.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/socketio/encode.h"
#include "protocol/socketio/msgpack.h"
#include "protocol/socketio/scan.h"
#include "tests/unit/exact.h"
#include "tests/unit/oom.h"
#include "tests/unit/test.h"

#include <cjson/cJSON.h>
#include <math.h>

/* clang-format off */
#define S(literal) { literal, sizeof(literal) - 1 }

/* One value and what it is as JSON text; json NULL: it is refused. */
static const struct row {
    const char *name;
    sio_str bytes;
    const char *json;
} rows[] = {
    { "nil", S("\xc0"), "null" },
    { "false", S("\xc2"), "false" },
    { "true", S("\xc3"), "true" },
    { "the smallest head", S("\0"), "0" },
    { "fixint 127", S("\x7f"), "127" },
    { "fixint -1", S("\xff"), "-1" },
    { "fixint -32", S("\xe0"), "-32" },
    { "uint 8", S("\xcc\xff"), "255" },
    { "uint 8, not the smallest form", S("\xcc\x01"), "1" },
    { "uint 16", S("\xcd\xff\xff"), "65535" },
    { "uint 32", S("\xce\xff\xff\xff\xff"), "4294967295" },
    { "uint 64: 2^53 - 1", S("\xcf\0\x1f\xff\xff\xff\xff\xff\xff"), "9007199254740991" },
    { "uint 64: 2^53 + 1", S("\xcf\0\x20\0\0\0\0\0\x01"), "9007199254740992" },
    { "uint 64: the largest", S("\xcf\xff\xff\xff\xff\xff\xff\xff\xff"), "18446744073709552000" },
    { "int 8", S("\xd0\x80"), "-128" },
    { "int 8, positive", S("\xd0\x7f"), "127" },
    { "int 16", S("\xd1\x80\0"), "-32768" },
    { "int 32", S("\xd2\x80\0\0\0"), "-2147483648" },
    { "int 64: the smallest", S("\xd3\x80\0\0\0\0\0\0\0"), "-9223372036854776000" },
    { "int 64: -1", S("\xd3\xff\xff\xff\xff\xff\xff\xff\xff"), "-1" },
    { "float 32", S("\xca\x3f\xc0\0\0"), "1.5" },
    { "float 64", S("\xcb\x3f\xb9\x99\x99\x99\x99\x99\x9a"), "0.1" },
    { "float 64, integral", S("\xcb\x40\x14\0\0\0\0\0\0"), "5" },
    { "float 64: -0", S("\xcb\x80\0\0\0\0\0\0\0"), "0" },
    { "float 64: NaN", S("\xcb\x7f\xf8\0\0\0\0\0\0"), "null" },
    { "float 64: infinity", S("\xcb\x7f\xf0\0\0\0\0\0\0"), "null" },
    { "fixstr, empty", S("\xa0"), "\"\"" },
    { "fixstr with NUL", S("\xa1\0"), "\"\\u0000\"" },
    { "fixstr, UTF-8", S("\xa9\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"), "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"" },
    { "fixstr to be escaped", S("\xa2\"\\"), "\"\\\"\\\\\"" },
    { "str 8", S("\xd9\x01" "a"), "\"a\"" },
    { "str 16", S("\xda\0\x01" "a"), "\"a\"" },
    { "str 32", S("\xdb\0\0\0\x01" "a"), "\"a\"" },
    { "bin 8", S("\xc4\x02\x01\xff"), "{\"type\":\"Buffer\",\"data\":[1,255]}" },
    { "bin 8, empty", S("\xc4\0"), "{\"type\":\"Buffer\",\"data\":[]}" },
    { "bin 16", S("\xc5\0\x01\x07"), "{\"type\":\"Buffer\",\"data\":[7]}" },
    { "bin 32", S("\xc6\0\0\0\x01\x07"), "{\"type\":\"Buffer\",\"data\":[7]}" },
    { "S1.7: an ArrayBuffer, ext 8 type 0", S("\xc7\x02\0\x09\x08"), "{\"type\":\"Buffer\",\"data\":[9,8]}" },
    { "S1.7: an ArrayBuffer, ext 16 type 0", S("\xc8\0\x01\0\x09"), "{\"type\":\"Buffer\",\"data\":[9]}" },
    { "S1.7: an ArrayBuffer, ext 32 type 0", S("\xc9\0\0\0\x01\0\x09"), "{\"type\":\"Buffer\",\"data\":[9]}" },
    { "an ArrayBuffer of 8 bytes is no date", S("\xc7\x08\0\0\0\0\0\0\0\0\0"), "{\"type\":\"Buffer\",\"data\":[0,0,0,0,0,0,0,0]}" },
    { "S1.7: undefined", S("\xd4\0\0"), "null" },
    { "S1.7: a date", S("\xd7\0\0\0\x01\x8b\xcf\xe5\x68\0"), "\"2023-11-14T22:13:20.000Z\"" },
    { "a date before 1970", S("\xd7\0\xff\xff\xff\xff\xff\xff\xff\xff"), "\"1969-12-31T23:59:59.999Z\"" },
    { "the first date of all", S("\xd7\0\xff\xe1\x4d\xf7\x3d\x24\0\0"), "\"-271821-04-20T00:00:00.000Z\"" },
    { "the last date of all", S("\xd7\0\0\x1e\xb2\x08\xc2\xdc\0\0"), "\"+275760-09-13T00:00:00.000Z\"" },
    { "one past it: invalid", S("\xd7\0\0\x1e\xb2\x08\xc2\xdc\0\x01"), "null" },
    { "a leap day", S("\xd7\0\0\0\0\xdd\x9a\xa6\xe0\0"), "\"2000-02-29T00:00:00.000Z\"" },
    { "timestamp 32", S("\xd6\xff\x65\x53\xf1\0"), "\"2023-11-14T22:13:20.000Z\"" },
    { "timestamp 64", S("\xd7\xff\x1d\x53\x53\0\x65\x53\xf1\0"), "\"2023-11-14T22:13:20.123Z\"" },
    { "timestamp 96", S("\xc7\x0c\xff\x3b\x8b\x87\xc0\xff\xff\xff\xff\xff\xff\xff\xff"), "\"1969-12-31T23:59:59.999Z\"" },
    { "another extension", S("\xd4\x05\x07"), "[5,{\"type\":\"Buffer\",\"data\":[7]}]" },
    { "another extension, ext 8", S("\xc7\x01\x85\x07"), "[-123,{\"type\":\"Buffer\",\"data\":[7]}]" },
    { "fixext of 2, 4, 16", S("\x93\xd5\0\x01\x02\xd6\x01\x01\x02\x03\x04\xd8\x02"
      "0123456789abcdef"), "[[0,{\"type\":\"Buffer\",\"data\":[1,2]}],[1,{\"type\":\"Buffer\",\"data\":[1,2,3,4]}],"
      "[2,{\"type\":\"Buffer\",\"data\":[48,49,50,51,52,53,54,55,56,57,97,98,99,100,101,102]}]]" },
    { "fixarray, empty", S("\x90"), "[]" },
    { "fixarray", S("\x93\x01\xa1" "a\xc0"), "[1,\"a\",null]" },
    { "array 16", S("\xdc\0\x02\x01\x02"), "[1,2]" },
    { "array 32", S("\xdd\0\0\0\x02\x01\x02"), "[1,2]" },
    { "arrays in arrays", S("\x93\x90\x91\x90\x92\x01\x80"), "[[],[[]],[1,{}]]" },
    { "fixmap, empty", S("\x80"), "{}" },
    { "fixmap", S("\x82\xa1" "a\x01\xa1" "b\x91\x02"), "{\"a\":1,\"b\":[2]}" },
    { "map 16", S("\xde\0\x01\xa1" "a\x01"), "{\"a\":1}" },
    { "map 32", S("\xdf\0\0\0\x01\xa1" "a\x01"), "{\"a\":1}" },
    { "maps in maps", S("\x81\xa1" "a\x82\xa1" "b\x80\xa1" "c\x81\xa0\x90"), "{\"a\":{\"b\":{},\"c\":{\"\":[]}}}" },
    { "equal keys both stay", S("\x82\xa1" "a\x01\xa1" "a\x02"), "{\"a\":1,\"a\":2}" },
    { "undefined in an array", S("\x92\xd4\0\0\x01"), "[null,1]" },
    { "S1.7: undefined as a member", S("\x83\xa1" "a\xd4\0\0\xa1" "b\x01\xa1" "c\xd4\0\0"), "{\"b\":1}" },
    { "undefined as the only member", S("\x91\x81\xa1" "a\xd4\0\0"), "[{}]" },
    { "keys that are no strings", S("\x85\x01\x01\xc0\x02\xc3\x03\xcb\x3f\xf8\0\0\0\0\0\0\x04\xff\x05"),
      "{\"1\":1,\"null\":2,\"true\":3,\"1.5\":4,\"-1\":5}" },
    { "sixteen elements", S("\xdc\0\x10" "\0\1\2\3\4\5\6\7\0\1\2\3\4\5\6\7"), "[0,1,2,3,4,5,6,7,0,1,2,3,4,5,6,7]" },

    { "nothing", S(""), NULL },
    { "c1", S("\xc1"), NULL },
    { "c1 inside", S("\x91\xc1"), NULL },
    { "array of 2^32 - 1", S("\xdd\xff\xff\xff\xff\x01"), NULL },
    { "map of 2^32 - 1", S("\xdf\xff\xff\xff\xff\x01\x01"), NULL },
    { "str of 2^32 - 1", S("\xdb\xff\xff\xff\xff" "a"), NULL },
    { "bin of 2^32 - 1", S("\xc6\xff\xff\xff\xff" "a"), NULL },
    { "ext of 2^32 - 1", S("\xc9\xff\xff\xff\xff\0" "a"), NULL },
    { "a key without value", S("\x81\xa1" "a"), NULL },
    { "bin as key", S("\x81\xc4\x01" "a\x01"), NULL },
    { "array as key", S("\x81\x90\x01"), NULL },
    { "map as key", S("\x81\x80\x01"), NULL },
    { "undefined as key", S("\x81\xd4\0\0\x01"), NULL },
    { "a date as key", S("\x81\xd7\0\0\0\0\0\0\0\0\0\x01"), NULL },
    { "array as second key", S("\x82\x01\x80\x90\x01"), NULL },
    { "no UTF-8", S("\xa2\xc3\x28"), NULL },
    { "no UTF-8: a surrogate", S("\xa3\xed\xa0\x80"), NULL },
    { "no UTF-8: cut short", S("\xa1\xc3"), NULL },
    { "no UTF-8 in a key", S("\x81\xa1\xff\x01"), NULL },
};
/* clang-format on */

static bool json_of(sio_str bytes, struct grow *out)
{
    grow_init(out, SIZE_MAX);
    return mp_append_as_json(out, NULL, bytes) == SIO_OK;
}

static void test_rows(void)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct row *row = &rows[i];
        struct grow out;

        T_CASE("msgpack: %s", row->name);
        for (size_t cut = 0; cut <= row->bytes.n; cut++) {
            char *copy = exact_copy(row->bytes.p, cut);
            const bool whole = cut == row->bytes.n;

            CHECK(mp_check((sio_str){ copy, cut }, 1000) ==
                      (whole && row->json),
                  "cut at %zu", cut);
            free(copy);
        }
        if (!row->json)
            continue;
        CHECK(json_of(row->bytes, &out), "no JSON");
        CHECK(str_eq(grow_str(&out), str_of(row->json)), "got %.*s",
              (int)out.len, (char *)out.data);
        CHECK(json_valid(grow_str(&out), 1000), "no valid JSON");
        grow_free(&out);
    }
}

/* ------------------------------------------------------- captured vectors */

/* What JavaScript's own JSON says otherwise, or the libraries lose. */
static bool differs(const char *name)
{
    static const char *const names[] = {
        "2^64",
        "1e300",
        "lone high surrogate",
        "lone low surrogate",
        "high surrogate + a",
        "Uint8Array 3",
        "ArrayBuffer 3",
        "Uint16Array [0x0102,0x0304]",
        "DataView 2",
        "Date invalid",
    };

    for (size_t i = 0; i < COUNT(names); i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static size_t from_hex(const char *hex, char *out)
{
    size_t n = 0;
    unsigned byte;

    for (; sscanf(hex, "%2x", &byte) == 1; hex += 2)
        out[n++] = (char)byte;
    return n;
}

static const char *text_of(const cJSON *row, const char *key)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(row, key);

    return cJSON_IsString(v) ? v->valuestring : "";
}

/* As the one element of an array, whose JSON text is known. */
static void check_vector(const char *hex, const char *json)
{
    char bytes[1024] = "\x91";
    size_t n = 1 + from_hex(hex, bytes + 1);
    struct grow out;

    CHECK(mp_check((sio_str){ bytes, n }, 1000), "refused");
    for (size_t cut = 0; cut < n; cut++)
        CHECK(!mp_check((sio_str){ bytes, cut }, 1000), "cut at %zu", cut);
    CHECK(json_of((sio_str){ bytes, n }, &out), "no JSON");
    CHECK(str_eq(grow_str(&out), str_of(json)), "got %.*s", (int)out.len,
          (char *)out.data);
    grow_free(&out);
}

/* Written from the JSON text, it is what notepack.io writes. */
static void check_written(const char *hex, const char *json)
{
    char bytes[1024] = "\x91";
    sio_str want = { bytes, 1 + from_hex(hex, bytes + 1) };
    struct grow out;

    grow_init(&out, SIZE_MAX);
    CHECK(mp_append_json(&out, str_of(json), NULL, 0) == SIO_OK, "failed");
    CHECK(str_eq(grow_str(&out), want), "%zu bytes, the first %02x", out.len,
          out.len > 1 ? out.data[1] : 0);
    grow_free(&out);
}

/* What JSON cannot say, or says otherwise. */
static bool is_beyond_json(const char *name, const char *hex)
{
    static const char *const names[] = { "undefined", "NaN",    "Infinity",
                                         "-Infinity", "2^53+2", "2^63" };

    for (size_t i = 0; i < COUNT(names); i++)
        if (strcmp(names[i], name) == 0)
            return strcmp(name, "undefined") != 0;
    return strncmp(hex, "c4", 2) == 0 || strncmp(hex, "d6ff", 4) == 0 ||
           strncmp(hex, "d7ff", 4) == 0 || strncmp(hex, "c70c", 4) == 0;
}

static void test_encode_vectors(const cJSON *file)
{
    const cJSON *row;

    cJSON_ArrayForEach(row, cJSON_GetObjectItem(file, "encode"))
    {
        const char *name = text_of(row, "name"), *json,
                   *notepack = text_of(row, "notepack"),
                   *msgpackjs = text_of(row, "msgpackjs");

        json = text_of(row, "json_in_array");
        if (strncmp(notepack, "ERROR", 5) == 0 || strstr(json, "...") ||
            differs(name))
            continue;
        T_CASE("msgpack vectors: %s", name);
        check_vector(notepack, json);
        if (strncmp(msgpackjs, "ERROR", 5) != 0 &&
            strcmp(name, "{a:undefined,b:1}") != 0)
            check_vector(msgpackjs, json);
        if (!is_beyond_json(name, notepack))
            check_written(notepack, json);
    }
}

static void test_decode_vectors(const cJSON *file)
{
    const cJSON *row;

    cJSON_ArrayForEach(row, cJSON_GetObjectItem(file, "decode"))
    {
        const char *name = text_of(row, "name"),
                   *notepack = text_of(row, "notepack");
        /* notepack repairs what is no UTF-8: so does mp_mend() */
        const bool bad = strncmp(notepack, "ERROR", 5) == 0 ||
                         strcmp(name, "invalid utf8 str") == 0;
        char bytes[64];
        size_t n = from_hex(text_of(row, "hex"), bytes);

        T_CASE("msgpack vectors, decoding: %s", name);
        CHECK(mp_check((sio_str){ bytes, n }, 1000) == !bad, "accepted %d",
              bad);
    }
}

static void test_vectors(void)
{
    static char text[65536];
    FILE *f = fopen("tests/vectors/msgpack.json", "r");
    size_t n = f ? fread(text, 1, sizeof text, f) : 0;
    cJSON *file = cJSON_ParseWithLength(text, n);

    if (f)
        fclose(f);
    T_CASE("msgpack vectors: the file is there");
    CHECK(cJSON_GetArraySize(cJSON_GetObjectItem(file, "encode")) == 73 &&
              cJSON_GetArraySize(cJSON_GetObjectItem(file, "decode")) == 22,
          "%zu bytes", n);
    test_encode_vectors(file);
    test_decode_vectors(file);
    cJSON_Delete(file);
}

/* ------------------------------------------------------------------ depth */

static void test_depth(void)
{
    static char deep[3001];
    sio_str item, items[1];
    size_t count, pos = 0;
    struct grow out;

    T_CASE("msgpack: on the depth limit, and one past it");
    memset(deep, '\x91', 1000);
    deep[1000] = 1;
    CHECK(mp_check((sio_str){ deep, 1001 }, 1000), "1000 of 1000");
    CHECK(mp_check((sio_str){ deep, 1001 }, 5000), "the hard limit");
    CHECK(!mp_check((sio_str){ deep, 1001 }, 999), "1000 of 999");
    CHECK(!mp_check((sio_str){ deep + 1000, 1 }, 0) == false, "a scalar");
    CHECK(mp_cut(deep, deep + 1001, 1000, items, 1, &count) == deep + 1001,
          "cut");
    CHECK(!mp_cut(deep, deep + 1001, 999, items, 1, &count), "cut, 999");
    CHECK(mp_next_element((sio_str){ deep, 1001 }, &pos, &item) &&
              item.n == 1000,
          "walked");
    CHECK(json_of((sio_str){ deep, 1001 }, &out) && out.len == 2001, "JSON");
    grow_free(&out);
    deep[1000] = '\x91';
    deep[1001] = 1;
    CHECK(!mp_check((sio_str){ deep, 1002 }, 5000), "1001");
    deep[1000] = '\x90';
    CHECK(!mp_check((sio_str){ deep, 1001 }, 5000), "1001, empty");
    for (int i = 0; i < 1000; i++)
        memcpy(deep + 3 * i, "\x81\xa1k", 3);
    deep[3000] = '\xc0';
    CHECK(mp_check((sio_str){ deep, 3001 }, 1000), "maps");
    CHECK(!mp_check((sio_str){ deep, 3001 }, 999), "maps, 999");
    CHECK(json_of((sio_str){ deep, 3001 }, &out), "JSON of maps");
    grow_free(&out);
}

static void test_cut(void)
{
    static const char text[] = "\x93\x01\x92\xa1"
                               "a\xc4\x01x\xc0";
    const char *end = text + sizeof text - 1;
    sio_str items[2], item;
    size_t count = 0, pos = 0, n = 0;

    T_CASE("msgpack: nothing may stand behind the value");
    CHECK(!mp_check((sio_str){ "\x01\x02", 2 }, 9), "an integer");
    CHECK(!mp_check((sio_str){ "\x91\x01\xc0", 3 }, 9), "an array");
    T_CASE("msgpack: an array is cut; more elements than slices are found");
    CHECK(mp_cut(text, end, 2, items, 2, &count) == end && count == 3,
          "count %zu", count);
    CHECK(items[1].p == text + 2 && items[1].n == 6, "%zu", items[1].n);
    while (mp_next_element((sio_str){ text, sizeof text - 1 }, &pos, &item))
        n++;
    CHECK(n == 3 && item.n == 1, "%zu", n);
    CHECK(!mp_next_element((sio_str){ "\x01", 1 }, &pos, &item), "no array");
    CHECK(!mp_next_element((sio_str){ NULL, 0 }, &pos, &item), "nothing");
    CHECK(!mp_check((sio_str){ NULL, 0 }, 1), "nothing");
    CHECK(mp_count_binaries((sio_str){ text, sizeof text - 1 }) == 1, "bin");
}

/* ---------------------------------------------------------------- mending */

static void test_mend(void)
{
    /* clang-format off */
    static const struct { sio_str bytes, want; } mended[] = {
        { S("\xa2\xc3\x28"), S("\xa2?(") },
        { S("\xa3" "a\xff" "b"), S("\xa3" "a?b") },
        { S("\xa3\xed\xa0\x80"), S("\xa3???") },
        { S("\xa4" "ab\xe2\x82"), S("\xa4" "ab??") },
        { S("\xa4\xc3\xa9\xc3\xa9"), S("\xa4\xc3\xa9\xc3\xa9") },
        { S("\x82\xa1\xff\xa1\xfe\xa1" "a\xc4\x01\xff"),
          S("\x82\xa1?\xa1?\xa1" "a\xc4\x01\xff") },
        { S("\x91\xc1\xa1\xff"), S("\x91\xc1\xa1\xff") },
        { S(""), S("") },
    };
    /* clang-format on */

    T_CASE("msgpack: what is no UTF-8 becomes question marks, no more");
    for (size_t i = 0; i < COUNT(mended); i++) {
        sio_str want = mended[i].want;
        char *copy = exact_copy(mended[i].bytes.p, mended[i].bytes.n);

        mp_mend((uint8_t *)copy, mended[i].bytes.n);
        CHECK(memcmp(copy, want.p, want.n) == 0, "row %zu", i);
        free(copy);
    }
}

/* ---------------------------------------------------------------- writing */

static void check_integer(int64_t i, const char *hex)
{
    char want[16];
    size_t n = from_hex(hex, want);
    struct grow out;

    grow_init(&out, SIZE_MAX);
    CHECK(mp_append_integer(&out, i) == SIO_OK && out.len == n &&
              memcmp(out.data, want, n) == 0,
          "%lld", (long long)i);
    grow_free(&out);
}

static void test_integers(void)
{
    T_CASE("msgpack: all 64 bits of an integer are written");
    check_integer(INT64_MAX, "cf7fffffffffffffff");
    check_integer(INT64_MIN, "d38000000000000000");
    check_integer(INT64_C(9007199254740993), "cf0020000000000001");
}

/* On and one past the length that each form can hold. */
static void test_lengths(void)
{
    /* clang-format off */
    static const struct {
        char kind;
        size_t n;
        sio_str head;
    } lengths[] = {
        { 's', 31, S("\xbf") },         { 's', 32, S("\xd9\x20") },
        { 's', 255, S("\xd9\xff") },    { 's', 256, S("\xda\x01\0") },
        { 's', 65535, S("\xda\xff\xff") }, { 's', 65536, S("\xdb\0\x01\0\0") },
        { 'b', 0, S("\xc4\0") },        { 'b', 255, S("\xc4\xff") },
        { 'b', 256, S("\xc5\x01\0") },  { 'b', 65535, S("\xc5\xff\xff") },
        { 'b', 65536, S("\xc6\0\x01\0\0") },
        { 'a', 15, S("\x9f") },         { 'a', 16, S("\xdc\0\x10") },
        { 'a', 65535, S("\xdc\xff\xff") }, { 'a', 65536, S("\xdd\0\x01\0\0") },
        { 'm', 15, S("\x8f") },         { 'm', 16, S("\xde\0\x10") },
        { 'm', 65535, S("\xde\xff\xff") }, { 'm', 65536, S("\xdf\0\x01\0\0") },
    };
    /* clang-format on */
    static char text[65536];
    struct grow out;

    memset(text, 'x', sizeof text);
    T_CASE("msgpack: the shortest head for each length");
    for (size_t i = 0; i < COUNT(lengths); i++) {
        const size_t n = lengths[i].n;
        const sio_str head = lengths[i].head, body = { text, n };
        const bool has_body = strchr("sb", lengths[i].kind) != NULL;
        int r;

        grow_init(&out, SIZE_MAX);
        r = lengths[i].kind == 's'   ? mp_append_string(&out, body)
            : lengths[i].kind == 'b' ? mp_append_binary(&out, body)
            : lengths[i].kind == 'a' ? mp_append_array(&out, n)
                                     : mp_append_map(&out, n);
        CHECK(r == SIO_OK && out.len == head.n + (has_body ? n : 0) &&
                  memcmp(out.data, head.p, head.n) == 0,
              "%c %zu", lengths[i].kind, n);
        grow_free(&out);
    }
    T_CASE("msgpack: what is longer than 32 bits tell is refused");
    grow_init(&out, SIZE_MAX);
    CHECK(mp_append_array(&out, (size_t)UINT32_MAX + 1) == SIO_E_LIMIT &&
              mp_append_map(&out, (size_t)UINT32_MAX + 1) == SIO_E_LIMIT &&
              mp_append_binary(&out, (sio_str){ text, (size_t)UINT32_MAX +
                                                          1 }) == SIO_E_LIMIT,
          "array");
    CHECK(out.len == 0, "%zu", out.len);
    grow_free(&out);
}

static void test_strings(void)
{
    struct grow out;

    grow_init(&out, SIZE_MAX);
    T_CASE("msgpack: a lone surrogate is written as U+FFFD");
    CHECK(mp_append_string(&out, STR("a\xed\xa0\x80z")) == SIO_OK &&
              str_eq(grow_str(&out), STR("\xa5"
                                         "a\xef\xbf\xbdz")),
          "%zu", out.len);
    T_CASE("msgpack: what is no UTF-8 is not written");
    CHECK(mp_append_string(&out, STR("\xff")) == SIO_E_INVAL && out.len == 6,
          "%zu", out.len);
    grow_free(&out);
    grow_init(&out, 4);
    T_CASE("msgpack: what does not fit leaves nothing behind");
    CHECK(mp_append_string(&out, STR("abcd")) == SIO_E_LIMIT &&
              mp_append_binary(&out, STR("abc")) == SIO_E_LIMIT &&
              mp_append_integer(&out, 65536) == SIO_E_LIMIT &&
              mp_append_number(&out, 0.5) == SIO_E_LIMIT && out.len == 0,
          "%zu", out.len);
    grow_free(&out);
}

/* -------------------------------------------------------------- from JSON */

#define P(num) "{\"_placeholder\":true,\"num\":" num "}"

static void test_from_json(void)
{
    static const sio_str bytes[] = { { "one", 3 }, { "\0\xff", 2 } };
    /* clang-format off */
    static const struct { const char *json; sio_str want; } texts[] = {
        { "[1,\"a\",{\"b\":[]}]", S("\x93\x01\xa1" "a\x81\xa1" "b\x90") },
        { " [ { } , [ [ ] ] ] ", S("\x92\x80\x91\x90") },
        { "\"\\u00e9\\n\"", S("\xa3\xc3\xa9\n") },
        { "\"\\ud800\"", S("\xa3\xef\xbf\xbd") },
        { "{\"a\\tb\":\"c\"}", S("\x81\xa3" "a\tb\xa1" "c") },
        { "1e3", S("\xcd\x03\xe8") },
        { "-0", S("\0") },
        { "1e300", S("\xcb\x7e\x37\xe4\x3c\x88\0\x75\x9c") },
        { "null", S("\xc0") },
        { P("1"), S("\xc4\x02\0\xff") },
        { "[" P("0") ",{\"x\":" P("1") "},true]",
          S("\x93\xc4\x03one\x81\xa1x\xc4\x02\0\xff\xc3") },
        { "[" P("2") "]", S("\x91\xc0") },
        { "[\"" "{}[]" "\",\"" "\\\"[" "\"]", S("\x92\xa4{}[]\xa2\"[") },
    };
    /* clang-format on */
    struct grow out;

    T_CASE("msgpack: from JSON text, with attachments");
    for (size_t i = 0; i < COUNT(texts); i++) {
        grow_init(&out, SIZE_MAX);
        CHECK(mp_append_json(&out, str_of(texts[i].json), bytes, 2) == SIO_OK,
              "row %zu", i);
        CHECK(str_eq(grow_str(&out), texts[i].want), "row %zu: %zu bytes", i,
              out.len);
        grow_free(&out);
    }
    T_CASE("msgpack: without attachments a placeholder is an object");
    grow_init(&out, SIZE_MAX);
    CHECK(mp_append_json(&out, STR(P("0")), NULL, 0) == SIO_OK &&
              out.data[0] == 0x82,
          "%02x", out.data[0]);
    grow_free(&out);
}

static void test_binaries_in_json(void)
{
    static const char text[] = "\x93\xc4\x01"
                               "a\x81\xa1x\xc7\x01\0b\xd4\x05"
                               "c";
    struct sp_attachments bin;
    struct grow out;

    T_CASE("msgpack: binary becomes placeholders, numbered on");
    grow_init(&out, SIZE_MAX);
    sp_attachments_init(&bin);
    CHECK(sp_append_binary(&out, &bin, STR("first")) == SIO_OK, "first");
    out.len = 0;
    CHECK(mp_append_as_json(&out, &bin, (sio_str){ text, sizeof text - 1 }) ==
              SIO_OK,
          "failed");
    CHECK(str_eq(grow_str(&out),
                 STR("[" P("1") ",{\"x\":" P("2") "},[5," P("3") "]]")),
          "got %.*s", (int)out.len, (char *)out.data);
    CHECK(bin.count == 4 && str_eq(bin.items[2], STR("b")) &&
              str_eq(bin.items[3], STR("c")),
          "%zu", bin.count);
    sp_attachments_free(&bin);
    grow_free(&out);
}

/* ----------------------------------------------------------- out of memory */

static void test_oom(void)
{
    static const char text[] = "\x92\xc4\x01"
                               "a\x81\xa1x\xc4\x01"
                               "b";
    struct sp_attachments bin;
    struct grow out;
    long n;
    int r;

    T_CASE("msgpack: to JSON, each allocation fails once");
    for (n = 0; n < 100; n++) {
        grow_init(&out, SIZE_MAX);
        sp_attachments_init(&bin);
        oom_arm(n);
        r = mp_append_as_json(&out, &bin, (sio_str){ text, sizeof text - 1 });
        if (oom_disarm())
            CHECK(r == SIO_E_NOMEM && out.len == 0 && bin.count == 0, "%d", r);
        else
            CHECK(r == SIO_OK && bin.count == 2, "%d", r);
        sp_attachments_free(&bin);
        grow_free(&out);
        if (r == SIO_OK)
            break;
    }
    CHECK(n > 2 && n < 100, "%ld", n);
    T_CASE("msgpack: from JSON, each allocation fails once");
    for (n = 0; n < 100; n++) {
        grow_init(&out, SIZE_MAX);
        oom_arm(n);
        r = mp_append_json(&out, STR("[{\"a\\n\":[1,2]},{}]"), NULL, 0);
        if (oom_disarm())
            CHECK(r == SIO_E_NOMEM && out.len == 0, "%d", r);
        else
            CHECK(r == SIO_OK && out.len == 9, "%d %zu", r, out.len);
        grow_free(&out);
        if (r == SIO_OK)
            break;
    }
    CHECK(n > 2 && n < 100, "%ld", n);
}

int main(void)
{
    test_rows();
    test_vectors();
    test_depth();
    test_cut();
    test_mend();
    test_integers();
    test_lengths();
    test_strings();
    test_from_json();
    test_binaries_in_json();
    test_oom();
    return t_done();
}
