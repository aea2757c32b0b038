/*
 * test_sp_encode.c -- packets to text and attachments, and back.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/socketio/encode.h"
#include "protocol/socketio/scan.h"
#include "tests/unit/oom.h"
#include "tests/unit/test.h"

#include <cjson/cJSON.h>

/* clang-format off */
#define P(num) "{\"_placeholder\":true,\"num\":" num "}"
#define TEXT(text) .data = text, .size = sizeof(text) - 1
#define STRING(text) { .kind = SIO_STRING, TEXT(text) }
#define BINARY(text) { .kind = SIO_BINARY, TEXT(text) }
#define RAW(text) { .kind = SIO_RAW_JSON, TEXT(text) }
#define TRUSTED(text) { .kind = SIO_RAW_JSON, .trusted = true, TEXT(text) }
#define RAW_BIN(text, n) { .kind = SIO_RAW_JSON, TEXT(text), \
                           .attachments = slices, .attachment_count = n }

static const sio_str slices[] = { { "AA", 2 }, { "B", 1 }, { "", 0 } };

static const struct row {
    const char *name;
    enum sp_type type;
    const char *nsp;
    int64_t id;
    const char *event, *extra;
    sio_value values[5];
    size_t count;
    const char *want;        /* NULL: SIO_E_INVAL */
    const char *attachments; /* each behind a '|' */
} rows[] = {
    { "S1.2: event", SP_EVENT, "/", SP_NO_ID, "foo", NULL, { { 0 } }, 0,
      "2[\"foo\"]", "" },
    { "S1.2: event in a namespace, with ack", SP_EVENT, "/admin", 13, "foo",
      NULL, { { 0 } }, 0, "2/admin,13[\"foo\"]", "" },
    { "S1.2: ack", SP_ACK, "/admin", 13, "ignored", NULL, { { 0 } }, 0,
      "3/admin,13[]", "" },
    { "S1.5: ack(undefined)", SP_ACK, "/", 0, NULL, NULL,
      { { .kind = SIO_NULL } }, 1, "30[null]", "" },
    { "largest id", SP_EVENT, "/", SP_MAX_ID, "a", NULL, { { 0 } }, 0,
      "29007199254740991[\"a\"]", "" },
    { "every plain kind", SP_EVENT, "/", SP_NO_ID, "e", NULL,
      { { .kind = SIO_BOOL, .boolean = true }, { .kind = SIO_BOOL },
        { .kind = SIO_INT, .integer = -42 },
        { .kind = SIO_NUMBER, .number = 1e21 }, STRING("a\"b") }, 5,
      "2[\"e\",true,false,-42,1e+21,\"a\\\"b\"]", "" },
    { "empty strings", SP_EVENT, "/", SP_NO_ID, "", NULL,
      { { .kind = SIO_STRING }, STRING("") }, 2, "2[\"\",\"\",\"\"]", "" },
    { "an offset at the end", SP_EVENT, "/", SP_NO_ID, "e", "abc-1",
      { STRING("x") }, 1, "2[\"e\",\"x\",\"abc-1\"]", "" },
    { "only an extra", SP_ACK, "/", 1, NULL, "x", { { 0 } }, 0, "31[\"x\"]",
      "" },
    { "S1.3: binary event", SP_EVENT, "/", SP_NO_ID, "baz", NULL,
      { BINARY("\1\2") }, 1, "51-[\"baz\"," P("0") "]", "|\1\2" },
    { "S1.3: binary ack", SP_ACK, "/admin", 15, NULL, NULL,
      { STRING("bar"), BINARY("x") }, 2,
      "61-/admin,15[\"bar\"," P("0") "]", "|x" },
    { "S1.3: the same bytes twice are two", SP_EVENT, "/", SP_NO_ID, "b", NULL,
      { BINARY("x"), BINARY("x"), BINARY("") }, 3,
      "53-[\"b\"," P("0") "," P("1") "," P("2") "]", "|x|x|" },
    { "ten attachments and more are not refused here", SP_EVENT, "/", 1, "b",
      NULL, { RAW_BIN("[" P("0") "," P("0") "," P("0") "," P("0") "," P("0")
                      "," P("0") "," P("0") "," P("0") "," P("0") "," P("0")
                      "," P("0") "]", 1) }, 1,
      "511-1[\"b\",[" P("0") "," P("1") "," P("2") "," P("3") "," P("4") ","
      P("5") "," P("6") "," P("7") "," P("8") "," P("9") "," P("10") "]]",
      "|AA|AA|AA|AA|AA|AA|AA|AA|AA|AA|AA" },
    { "raw JSON is copied, blanks and all", SP_EVENT, "/", SP_NO_ID, "r", NULL,
      { RAW(" {\"a\": [1]} ") }, 1, "2[\"r\", {\"a\": [1]} ]", "" },
    { "trusted raw JSON", SP_EVENT, "/", SP_NO_ID, "r", NULL,
      { TRUSTED("[1]") }, 1, "2[\"r\",[1]]", "" },
    { "trusted raw JSON is not looked at again", SP_EVENT, "/", SP_NO_ID, "r",
      NULL, { TRUSTED("\"\xff\"") }, 1, "2[\"r\",\"\xff\"]", "" },
    { "a placeholder without attachments is data", SP_EVENT, "/", SP_NO_ID,
      "r", NULL, { RAW("[" P("7") "]") }, 1, "2[\"r\",[" P("7") "]]", "" },
    { "raw JSON, attachments numbered on", SP_EVENT, "/", SP_NO_ID, "r", NULL,
      { BINARY("0"), RAW_BIN("{\"x\":" P("1") ",\"y\":[" P("0") "]}", 2),
        BINARY("3") }, 3,
      "54-[\"r\"," P("0") ",{\"x\":" P("1") ",\"y\":[" P("2") "]}," P("3") "]",
      "|0|B|AA|3" },
    { "raw JSON, another spelling", SP_ACK, "/", 1, NULL, NULL,
      { RAW_BIN("[{ \"num\" : 1e0, \"_placeholder\" : true }, 5 ]", 2) }, 1,
      "61-1[[" P("0") ", 5 ]]", "|B" },
    { "raw JSON, unused attachments are dropped", SP_EVENT, "/", SP_NO_ID,
      "r", NULL, { RAW_BIN("[1]", 3) }, 1, "2[\"r\",[1]]", "" },

    { "raw JSON, num out of range", SP_EVENT, "/", SP_NO_ID, "r", NULL,
      { RAW_BIN(P("2"), 2) }, 1, NULL, "" },
    { "raw JSON, num is none", SP_EVENT, "/", SP_NO_ID, "r", NULL,
      { BINARY("a"), RAW_BIN(P("\"0\""), 2) }, 2, NULL, "" },
    { "raw JSON is none", SP_EVENT, "/", SP_NO_ID, "r", NULL, { RAW("[1") }, 1,
      NULL, "" },
    { "raw JSON is two", SP_EVENT, "/", SP_NO_ID, "r", NULL, { RAW("1,2") }, 1,
      NULL, "" },
    { "raw JSON is empty", SP_EVENT, "/", SP_NO_ID, "r", NULL, { RAW("") }, 1,
      NULL, "" },
    { "raw JSON, bad UTF-8", SP_EVENT, "/", SP_NO_ID, "r", NULL,
      { RAW("\"\xff\"") }, 1, NULL, "" },
    { "event, bad UTF-8", SP_EVENT, "/", SP_NO_ID, "\xff", NULL, { { 0 } }, 0,
      NULL, "" },
    { "string, bad UTF-8", SP_EVENT, "/", SP_NO_ID, "e", NULL,
      { BINARY("a"), STRING("\xc0") }, 2, NULL, "" },
    { "extra, bad UTF-8", SP_EVENT, "/", SP_NO_ID, "e", "\x80", { { 0 } }, 0,
      NULL, "" },
    { "no tree", SP_EVENT, "/", SP_NO_ID, "e", NULL, { { .kind = SIO_JSON } },
      1, NULL, "" },
    { "no kind", SP_EVENT, "/", SP_NO_ID, "e", NULL,
      { { .kind = (sio_kind)99 } }, 1, NULL, "" },
};
/* clang-format on */

static struct sp_message message_of(const struct row *r)
{
    return (struct sp_message){
        .type = r->type,
        .nsp = str_of(r->nsp),
        .id = r->id,
        .event = str_of(r->event),
        .values = r->values,
        .count = r->count,
        .extra = str_of(r->extra),
    };
}

static void check_attachments(const struct sp_attachments *bin,
                              const char *want)
{
    char got[100] = "";

    for (size_t i = 0; i < bin->count; i++)
        snprintf(got + strlen(got), sizeof got - strlen(got), "|%.*s",
                 (int)bin->items[i].n, bin->items[i].p);
    CHECK(strcmp(got, want) == 0, "attachments %s, want %s", got, want);
}

static void check_decodes(const struct row *r, sio_str text)
{
    const struct sp_limits limits = { 100, 1000 };
    struct sp_packet p;
    enum sp_error e = sp_decode(text, &limits, &p);

    CHECK(e == SP_E_OK, "cannot be decoded: %s", sp_error_text(e));
    CHECK(sp_check_placeholders(&p) == SP_E_OK || !p.attachments, "numbers");
    CHECK(p.id == r->id && str_eq(p.nsp, str_of(r->nsp)), "id or namespace");
    CHECK(p.argc == r->count + (r->type == SP_EVENT) + (r->extra != NULL),
          "argc %zu", p.argc);
}

/* The attachments of the packet before must not matter. */
static void run(const struct row *r)
{
    const struct sp_message m = message_of(r);
    struct sp_attachments bin;
    struct grow out;
    int got;

    T_CASE("encode: %s", r->name);
    sp_attachments_init(&bin);
    grow_init(&out, 1000);
    for (int pass = 0; pass < 2; pass++) {
        out.len = 0;
        grow_append(&out, "4", 1);
        got = sp_encode(&out, &bin, &m);
        CHECK(got == (r->want ? SIO_OK : SIO_E_INVAL), "got %d", got);
        check_attachments(&bin, r->attachments);
        if (!r->want) {
            CHECK(out.len == 1, "len %zu", out.len);
            continue;
        }
        CHECK(str_eq((sio_str){ (char *)out.data + 1, out.len - 1 },
                     str_of(r->want)),
              "got %.*s", (int)out.len, (char *)out.data);
        check_decodes(r, (sio_str){ (char *)out.data + 1, out.len - 1 });
    }
    sp_attachments_free(&bin);
    grow_free(&out);
}

/* The limit exactly met, and every smaller one. */
static void run_limits(const struct row *r)
{
    const struct sp_message m = message_of(r);
    struct sp_attachments bin;

    if (!r->want)
        return;
    T_CASE("encode: %s, every limit", r->name);
    sp_attachments_init(&bin);
    for (size_t max = 0; max <= strlen(r->want); max++) {
        struct grow out;
        int got;

        grow_init(&out, max);
        got = sp_encode(&out, &bin, &m);
        if (max == strlen(r->want))
            CHECK(got == SIO_OK, "max %zu: got %d", max, got);
        else
            CHECK(got == SIO_E_LIMIT && out.len == 0 && bin.count == 0,
                  "max %zu: got %d, len %zu", max, got, out.len);
        grow_free(&out);
    }
    sp_attachments_free(&bin);
}

static void run_oom(const struct row *r)
{
    const struct sp_message m = message_of(r);

    if (!r->want)
        return;
    T_CASE("encode: %s, out of memory at every allocation", r->name);
    for (long n = 0; n < 100; n++) {
        struct sp_attachments bin;
        struct grow out;
        bool failed;
        int got;

        sp_attachments_init(&bin);
        grow_init(&out, 1000);
        oom_arm(n);
        got = sp_encode(&out, &bin, &m);
        failed = oom_disarm();
        CHECK(got == (failed ? SIO_E_NOMEM : SIO_OK), "got %d", got);
        CHECK(!failed || (out.len == 0 && bin.count == 0), "len %zu", out.len);
        sp_attachments_free(&bin);
        grow_free(&out);
        if (!failed)
            break;
    }
}

static void test_tree(void)
{
    cJSON *tree = cJSON_Parse("{\"a\":[1,\"x\"]}");
    const sio_value values[] = { { .kind = SIO_JSON, .data = tree },
                                 BINARY("b") };
    const struct sp_message m = { SP_EVENT, STR("/"), SP_NO_ID,   STR("t"),
                                  values,   2,        { NULL, 0 } };
    struct sp_attachments bin;
    struct grow out;

    T_CASE("encode: a tree beside binary");
    sp_attachments_init(&bin);
    grow_init(&out, 1000);
    CHECK(sp_encode(&out, &bin, &m) == SIO_OK, "encode");
    CHECK(
        str_eq(grow_str(&out), STR("51-[\"t\",{\"a\":[1,\"x\"]}," P("0") "]")),
        "got %.*s", (int)out.len, (char *)out.data);
    sp_attachments_free(&bin);
    grow_free(&out);
    cJSON_Delete(tree);
}

static void test_plain(void)
{
    /* clang-format off */
    static const struct {
        enum sp_type type;
        const char *nsp, *json, *want;
    } plain[] = {
        { SP_CONNECT, "/", "{\"sid\":\"x\"}", "0{\"sid\":\"x\"}" },
        { SP_CONNECT, "/admin", "{\"sid\":\"x\"}", "0/admin,{\"sid\":\"x\"}" },
        { SP_DISCONNECT, "/", NULL, "1" },
        { SP_DISCONNECT, "/foo", NULL, "1/foo," },
        { SP_CONNECT_ERROR, "/nope", "{\"message\":\"Invalid namespace\"}",
          "4/nope,{\"message\":\"Invalid namespace\"}" },
    };
    /* clang-format on */

    for (size_t i = 0; i < COUNT(plain); i++) {
        const sio_str nsp = str_of(plain[i].nsp), json = str_of(plain[i].json);
        struct grow out;

        T_CASE("encode: S1.2, %s", plain[i].want);
        grow_init(&out, strlen(plain[i].want));
        CHECK(sp_encode_plain(&out, plain[i].type, nsp, json) == SIO_OK,
              "encode");
        CHECK(str_eq(grow_str(&out), str_of(plain[i].want)), "got %.*s",
              (int)out.len, (char *)out.data);
        for (out.max = 0; out.max < strlen(plain[i].want); out.max++) {
            out.len = 0;
            CHECK(sp_encode_plain(&out, plain[i].type, nsp, json) ==
                          SIO_E_LIMIT &&
                      out.len == 0,
                  "max %zu", out.max);
        }
        grow_free(&out);
    }
}

static void test_value(void)
{
    static const sio_value binary = BINARY("b"), bad = RAW("[" P("0") ","),
                           more = RAW_BIN("[" P("0") "," P("1") "]", 2),
                           out_of_range = RAW_BIN("[" P("0") "," P("9") "]", 2);
    struct sp_attachments bin;
    struct grow out;

    T_CASE("encode: single values, numbered on");
    sp_attachments_init(&bin);
    grow_init(&out, 1000);
    CHECK(sp_encode_value(&out, &bin, &binary) == SIO_OK, "binary");
    CHECK(sp_encode_value(&out, &bin, &bad) == SIO_E_INVAL, "bad");
    CHECK(sp_encode_value(&out, &bin, &out_of_range) == SIO_E_INVAL, "range");
    CHECK(sp_encode_value(&out, &bin, &more) == SIO_OK, "raw");
    CHECK(str_eq(grow_str(&out), STR(P("0") "[" P("1") "," P("2") "]")),
          "got %.*s", (int)out.len, (char *)out.data);
    check_attachments(&bin, "|b|AA|B");
    out.max = out.len + 40; /* the first placeholder fits, the second not */
    CHECK(sp_encode_value(&out, &bin, &more) == SIO_E_LIMIT, "limit");
    check_attachments(&bin, "|b|AA|B");
    sp_attachments_free(&bin);
    grow_free(&out);
}

int main(void)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        run(&rows[i]);
        run_limits(&rows[i]);
        run_oom(&rows[i]);
    }
    test_tree();
    test_plain();
    test_value();
    return t_done();
}
