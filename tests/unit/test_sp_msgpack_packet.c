/*
 * test_sp_msgpack_packet.c -- Socket.IO packets in MessagePack, both ways. S1.7
 * in a name is the section of the reference of Node's behaviour.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/socketio/msgpack_packet.h"
#include "tests/unit/exact.h"
#include "tests/unit/oom.h"
#include "tests/unit/test.h"

#include <cjson/cJSON.h>

/* clang-format off */
#define S(literal) { literal, sizeof(literal) - 1 }
#define TYPE "\xa4" "type"
#define NSP "\xa3" "nsp"
#define ROOT NSP "\xa1/"
#define DATA "\xa4" "data"
#define ID "\xa2" "id"
#define UNDEFINED "\xd4\0\0"

/* `want` of an accepted packet: type, namespace, #id when any, then the
 * arguments, or the payload, as JSON text, each behind a '|'. */
static const struct row {
    const char *name;
    sio_str bytes;
    enum sp_error error;
    const char *want;
} rows[] = {
#define OK(name, bytes, want) { name, S(bytes), SP_E_OK, want }
#define BAD(name, bytes, error) { name, S(bytes), SP_E_##error, NULL }
    OK("S1.7: the captured event",
       "\x83\xa4\x74\x79\x70\x65\x02\xa4\x64\x61\x74\x61\x91\xa1\x62\xa3\x6e"
       "\x73\x70\xa1\x2f", "2/|\"b\""),
    OK("S1.7: the captured ack", "\x84" ID "\x05" TYPE "\x03" DATA "\x92\x01"
       UNDEFINED ROOT, "3/#5|1|null"),
    OK("S1.7: connect, as a client sends it",
       "\x83" TYPE "\0" DATA UNDEFINED ROOT, "0/"),
    OK("connect without data", "\x82" TYPE "\0" ROOT, "0/"),
    OK("connect with auth", "\x83" TYPE "\0" DATA "\x81\xa5token\xa1x" ROOT,
       "0/|{\"token\":\"x\"}"),
    OK("S1.7: disconnect, a map of two", "\x82" TYPE "\x01" NSP "\xa4/foo",
       "1/foo"),
    OK("S1.7: an event with options, which are ignored",
       "\x84" TYPE "\x02" DATA "\x91\xa1x" "\xa7options\x81\xa8" "compress\xc3"
       ROOT, "2/|\"x\""),
    OK("options undefined", "\x84" TYPE "\x02" DATA "\x91\xa1x" "\xa7options"
       UNDEFINED ROOT, "2/|\"x\""),
    OK("S1.7: any order of keys",
       "\x84" NSP "\xa2/a" DATA "\x92\xa1x\xc4\x01\xff" ID "\0" TYPE "\x02",
       "2/a#0|\"x\"|{\"type\":\"Buffer\",\"data\":[255]}"),
    OK("id undefined", "\x84" TYPE "\x02" DATA "\x91\xa1x" ID UNDEFINED ROOT,
       "2/|\"x\""),
    OK("largest id", "\x84" TYPE "\x02" DATA "\x91\xa1x" ID
       "\xcf\0\x1f\xff\xff\xff\xff\xff\xff" ROOT, "2/#9007199254740991|\"x\""),
    OK("an id as float 64", "\x84" TYPE "\x02" DATA "\x91\xa1x" ID
       "\xcb\x40\x14\0\0\0\0\0\0" ROOT, "2/#5|\"x\""),
    OK("a type as uint 64", "\x83" TYPE "\xcf\0\0\0\0\0\0\0\x03" DATA "\x90"
       ROOT, "3/"),
    OK("the last of equal keys counts",
       "\x86" TYPE "\x01" TYPE "\x02" DATA "\x92\xa1x\x01" DATA "\x91\xa1y"
       NSP "\xa1?" ROOT, "2/|\"y\""),
    OK("data twice, the last one undefined",
       "\x84" TYPE "\x01" DATA "\x91\xa1x" DATA UNDEFINED ROOT, "1/"),
    OK("a number is an event name", "\x83" TYPE "\x02" DATA "\x92\x05\xa1x"
       ROOT, "2/|5|\"x\""),
    OK("empty name, empty namespace", "\x83" TYPE "\x02" DATA "\x91\xa0" NSP
       "\xa0", "2|\"\""),
    OK("not reserved: error", "\x83" TYPE "\x02" DATA "\x91\xa5" "error" ROOT,
       "2/|\"error\""),
    OK("a reserved name may be an argument",
       "\x83" TYPE "\x02" DATA "\x92\xa1x\xa7" "connect" ROOT,
       "2/|\"x\"|\"connect\""),
    OK("a reserved name may be acked", "\x84" TYPE "\x03" ID "\x01" DATA
       "\x91\xa7" "connect" ROOT, "3/#1|\"connect\""),
    OK("seventeen arguments: found again",
       "\x83" TYPE "\x02" DATA "\xdc\0\x12" "\xa1x\1\2\3\4\5\6\7\1\2\3\4\5\6\7"
       "\x0f\x91\x10\x11" ROOT,
       "2/|\"x\"|1|2|3|4|5|6|7|1|2|3|4|5|6|7|15|[16]|17"),
    OK("connect_error, a map", "\x83" TYPE "\x04" DATA "\x80" ROOT, "4/|{}"),
    OK("connect_error, a string", "\x83" TYPE "\x04" DATA "\xa1x" ROOT,
       "4/|\"x\""),
    OK("what is no UTF-8 is repaired", "\x83" TYPE "\x02" DATA "\x92\xa1x\xa2"
       "\xc3(" ROOT, "2/|\"x\"|\"?(\""),
    OK("keys that are no strings", "\x83\x01\x02" TYPE "\x01" ROOT, "1/"),

    BAD("nothing", "", MSGPACK),
    BAD("a string", "\xa1x", MSGPACK),
    BAD("an array", "\x93\x02\xa1/\x90", MSGPACK),
    BAD("nil", "\xc0", MSGPACK),
    BAD("JSON text", "2[\"x\"]", MSGPACK),
    BAD("S1.7: bytes behind", "\x83" TYPE "\x02" DATA "\x91\xa1x" ROOT "\xc0",
        MSGPACK),
    BAD("c1", "\x83" TYPE "\x02" DATA "\x91\xc1" ROOT, MSGPACK),
    BAD("c1 in what is ignored", "\x83" "\xa1?" "\xc1" TYPE "\x01" ROOT,
        MSGPACK),
    BAD("an array as key", "\x83" "\x90\x01" TYPE "\x01" ROOT, MSGPACK),
    BAD("no UTF-8, and nothing else right", "\x83" TYPE "\xa1\xff", MSGPACK),
    BAD("an empty map", "\x80", TYPE),
    BAD("S1.7: no type", "\x82" DATA "\x91\xa1x" ROOT, TYPE),
    BAD("S1.7: type 5", "\x83" TYPE "\x05" DATA "\x91\xa1x" ROOT, TYPE),
    BAD("type -1", "\x83" TYPE "\xff" DATA "\x91\xa1x" ROOT, TYPE),
    BAD("type 1.5", "\x83" TYPE "\xcb\x3f\xf8\0\0\0\0\0\0" DATA "\x90" ROOT,
        TYPE),
    BAD("S1.7: type is a string", "\x83" TYPE "\xa1" "2" DATA "\x91\xa1x" ROOT,
        TYPE),
    BAD("S1.7: no namespace", "\x82" TYPE "\x02" DATA "\x91\xa1x", NSP),
    BAD("S1.7: the namespace is a number", "\x83" TYPE "\x01" NSP "\x01" DATA
        UNDEFINED, NSP),
    BAD("S1.7: connect with nil", "\x83" TYPE "\0" DATA "\xc0" ROOT, PAYLOAD),
    BAD("connect with an array", "\x83" TYPE "\0" DATA "\x90" ROOT, PAYLOAD),
    BAD("S1.7: disconnect with data", "\x83" TYPE "\x01" DATA "\x80" ROOT,
        PAYLOAD),
    BAD("disconnect with nil", "\x83" TYPE "\x01" DATA "\xc0" ROOT, PAYLOAD),
    BAD("S1.7: event without data", "\x82" TYPE "\x02" ROOT, PAYLOAD),
    BAD("S1.7: event with a map", "\x83" TYPE "\x02" DATA "\x80" ROOT, PAYLOAD),
    BAD("S1.7: ack without data", "\x83" TYPE "\x03" ID "\x01" ROOT, PAYLOAD),
    BAD("ack with a string", "\x84" TYPE "\x03" ID "\x01" DATA "\xa1x" ROOT,
        PAYLOAD),
    BAD("connect_error without data", "\x82" TYPE "\x04" ROOT, PAYLOAD),
    BAD("connect_error with an array", "\x83" TYPE "\x04" DATA "\x90" ROOT,
        PAYLOAD),
    BAD("CVE-2023-32695: an event without name", "\x83" TYPE "\x02" DATA "\x90"
        ROOT, PAYLOAD),
    BAD("CVE-2023-32695: the name is a map", "\x83" TYPE "\x02" DATA "\x91\x80"
        ROOT, PAYLOAD),
    BAD("the name is nil", "\x83" TYPE "\x02" DATA "\x91\xc0" ROOT, PAYLOAD),
    BAD("the name is binary", "\x83" TYPE "\x02" DATA "\x91\xc4\x01x" ROOT,
        PAYLOAD),
    BAD("CVE-2023-32695: connect", "\x83" TYPE "\x02" DATA "\x91\xa7" "connect"
        ROOT, PAYLOAD),
    BAD("CVE-2023-32695: disconnect", "\x83" TYPE "\x02" DATA "\x92\xaa"
        "disconnect\xa1x" ROOT, PAYLOAD),
    BAD("CVE-2023-32695: newListener, as str 8", "\x83" TYPE "\x02" DATA "\x91"
        "\xd9\x0bnewListener" ROOT, PAYLOAD),
    BAD("S1.7: id nil", "\x84" TYPE "\x02" DATA "\x91\xa1x" ID "\xc0" ROOT, ID),
    BAD("S1.7: id is a string", "\x84" TYPE "\x02" DATA "\x91\xa1x" ID "\xa1"
        "1" ROOT, ID),
    BAD("S1.7: id is 1.5", "\x84" TYPE "\x02" DATA "\x91\xa1x" ID
        "\xcb\x3f\xf8\0\0\0\0\0\0" ROOT, ID),
    BAD("id -1", "\x84" TYPE "\x02" DATA "\x91\xa1x" ID "\xff" ROOT, ID),
    BAD("id 2^53", "\x84" TYPE "\x02" DATA "\x91\xa1x" ID
        "\xcf\0\x20\0\0\0\0\0\0" ROOT, ID),
};
/* clang-format on */

static const struct sp_limits limits = { SP_MAX_ATTACHMENTS, 50 };

static void tell_json(char *got, size_t size, sio_str value)
{
    const size_t n = strlen(got);
    struct grow out;

    grow_init(&out, SIZE_MAX);
    mp_append_as_json(&out, NULL, value);
    snprintf(got + n, size - n, "|%.*s", (int)out.len, (char *)out.data);
    grow_free(&out);
}

static void tell(char *got, size_t size, const struct sp_packet *p)
{
    size_t n = (size_t)snprintf(got, size, "%d%.*s", (int)p->type,
                                (int)p->nsp.n, p->nsp.p);
    sio_str arg;
    size_t pos = 0, argc = 0;

    if (p->id != SP_NO_ID)
        snprintf(got + n, size - n, "#%lld", (long long)p->id);
    for (; mp_next_element(p->json, &pos, &arg); argc++) {
        tell_json(got, size, arg);
        if (argc < SP_ARGS)
            CHECK(str_eq(arg, p->argv[argc]), "argument %zu", argc);
    }
    CHECK(argc == p->argc, "%zu of %zu", argc, p->argc);
    if (p->json.n && mp_kind(p->json) != MP_ARRAY)
        tell_json(got, size, p->json);
}

static void run(const struct row *r)
{
    char *text = exact_copy(r->bytes.p, r->bytes.n), got[300];
    struct sp_packet p;
    enum sp_error e;

    T_CASE("msgpack packet: %s", r->name);
    e = mp_decode((uint8_t *)text, r->bytes.n, &limits, &p);
    CHECK(e == r->error, "got \"%s\"", sp_error_text(e));
    if (e == SP_E_OK && r->want) {
        tell(got, sizeof got, &p);
        CHECK(strcmp(got, r->want) == 0, "got %s, want %s", got, r->want);
    }
    free(text);
}

static void run_cut(const struct row *r)
{
    struct sp_packet p;

    T_CASE("msgpack packet: %s, cut everywhere", r->name);
    for (size_t cut = 0; cut < r->bytes.n; cut++) {
        char *text = exact_copy(r->bytes.p, cut);

        if (r->want)
            CHECK(mp_decode((uint8_t *)text, cut, &limits, &p) == SP_E_MSGPACK,
                  "cut at %zu", cut);
        else
            CHECK(mp_decode((uint8_t *)text, cut, &limits, &p) != SP_E_OK ||
                      cut + 1 == r->bytes.n,
                  "cut at %zu", cut);
        free(text);
    }
    CHECK(1, "no overrun");
}

static void test_depth(void)
{
    /* clang-format off */
    static const struct { sio_str bytes; uint32_t depth; bool ok; } deep[] = {
        { S("\x83" TYPE "\x02" DATA "\x92\xa1x\x91\x80" ROOT), 3, true },
        { S("\x83" TYPE "\x02" DATA "\x92\xa1x\x91\x91\x80" ROOT), 3, false },
        { S("\x83" TYPE "\0" DATA "\x81\xa1x\x91\x80" ROOT), 3, true },
        { S("\x83" TYPE "\0" DATA "\x81\xa1x\x91\x90" ROOT), 2, false },
        { S("\x83" TYPE "\x01" "\xa1?" "\x91\x91\x90" ROOT), 3, true },
        { S("\x83" TYPE "\x01" "\xa1?" "\x91\x91\x90" ROOT), 2, false },
    };
    /* clang-format on */
    struct sp_packet p;

    T_CASE("msgpack packet: depth, on the limit and one past it");
    for (size_t i = 0; i < COUNT(deep); i++) {
        const struct sp_limits tight = { 10, deep[i].depth };
        char *text = exact_copy(deep[i].bytes.p, deep[i].bytes.n);

        CHECK((mp_decode((uint8_t *)text, deep[i].bytes.n, &tight, &p) ==
               SP_E_OK) == deep[i].ok,
              "row %zu", i);
        free(text);
    }
}

/* --------------------------------------------------------------- encoding */

/* clang-format off */
#define TEXT(text) .data = text, .size = sizeof(text) - 1
#define P(num) "{\"_placeholder\":true,\"num\":" num "}"

static const sio_str slices[] = { { "AA", 2 }, { "B", 1 } };

static const struct {
    const char *name;
    struct sp_message m;
    sio_value values[5];
    sio_str want; /* n 0: SIO_E_INVAL */
} messages[] = {
#define M(type, id, event, count) { type, { "/", 1 }, id, event, NULL, count, { NULL, 0 } }
    { "S1.7: an event", M(SP_EVENT, SP_NO_ID, S("b"), 0), { { 0 } },
      S("\x83" TYPE "\x02" DATA "\x91\xa1" "b" ROOT) },
    { "S1.7: an event that asks", M(SP_EVENT, 300, S("b"), 1),
      { { .kind = SIO_NULL } },
      S("\x84" TYPE "\x02" DATA "\x92\xa1" "b\xc0" ID "\xcd\x01\x2c" ROOT) },
    { "S1.7: an acknowledgement", M(SP_ACK, 5, S(""), 1),
      { { .kind = SIO_INT, .integer = 1 } },
      S("\x84" ID "\x05" TYPE "\x03" DATA "\x91\x01" ROOT) },
    { "every plain kind", M(SP_EVENT, SP_NO_ID, S("e"), 5),
      { { .kind = SIO_BOOL, .boolean = true }, { .kind = SIO_BOOL },
        { .kind = SIO_INT, .integer = -42 },
        { .kind = SIO_NUMBER, .number = 0.5 },
        { .kind = SIO_STRING, TEXT("a\"b") } },
      S("\x83" TYPE "\x02" DATA "\x96\xa1" "e\xc3\xc2\xd0\xd6"
        "\xcb\x3f\xe0\0\0\0\0\0\0\xa3" "a\"b" ROOT) },
    { "a double that is integral", M(SP_EVENT, SP_NO_ID, S("e"), 1),
      { { .kind = SIO_NUMBER, .number = 7 } },
      S("\x83" TYPE "\x02" DATA "\x92\xa1" "e\x07" ROOT) },
    { "binary", M(SP_EVENT, SP_NO_ID, S("e"), 2),
      { { .kind = SIO_BINARY, TEXT("\0\xff") }, { .kind = SIO_BINARY } },
      S("\x83" TYPE "\x02" DATA "\x93\xa1" "e\xc4\x02\0\xff\xc4\0" ROOT) },
    { "raw JSON with attachments", M(SP_EVENT, SP_NO_ID, S("e"), 1),
      { { .kind = SIO_RAW_JSON, TEXT("[" P("1") "," P("0") "]"),
          .attachments = slices, .attachment_count = 2 } },
      S("\x83" TYPE "\x02" DATA "\x92\xa1" "e\x92\xc4\x01" "B\xc4\x02" "AA"
        ROOT) },
    { "raw MessagePack", M(SP_EVENT, SP_NO_ID, S("e"), 1),
      { { .kind = SIO_RAW_MSGPACK, TEXT("\x91\xd4\0\0") } },
      S("\x83" TYPE "\x02" DATA "\x92\xa1" "e\x91\xd4\0\0" ROOT) },
    { "trusted raw MessagePack is not looked at again",
      M(SP_EVENT, SP_NO_ID, S("e"), 1),
      { { .kind = SIO_RAW_MSGPACK, .trusted = true, TEXT("\xc1") } },
      S("\x83" TYPE "\x02" DATA "\x92\xa1" "e\xc1" ROOT) },
    { "sixteen elements", { SP_EVENT, { "/a", 2 }, SP_NO_ID, S("e"), NULL, 0,
      S("offset") }, { { 0 } },
      S("\x83" TYPE "\x02" DATA "\x92\xa1" "e\xa6" "offset" NSP "\xa2/a") },

    { "raw JSON that is none", M(SP_EVENT, SP_NO_ID, S("e"), 1),
      { { .kind = SIO_RAW_JSON, TEXT("[1") } }, S("") },
    { "a placeholder without attachment", M(SP_EVENT, SP_NO_ID, S("e"), 1),
      { { .kind = SIO_RAW_JSON, TEXT(P("2")), .attachments = slices,
          .attachment_count = 2 } }, S("") },
    { "raw MessagePack that is none", M(SP_EVENT, SP_NO_ID, S("e"), 1),
      { { .kind = SIO_RAW_MSGPACK, TEXT("\x91") } }, S("") },
    { "raw MessagePack, two values", M(SP_EVENT, SP_NO_ID, S("e"), 1),
      { { .kind = SIO_RAW_MSGPACK, TEXT("\x01\x01") } }, S("") },
    { "a string that is no UTF-8", M(SP_EVENT, SP_NO_ID, S("e"), 1),
      { { .kind = SIO_STRING, TEXT("\xff") } }, S("") },
    { "a name that is no UTF-8", M(SP_EVENT, SP_NO_ID, S("\xff"), 0),
      { { 0 } }, S("") },
    { "no tree", M(SP_EVENT, SP_NO_ID, S("e"), 1), { { .kind = SIO_JSON } },
      S("") },
    { "no kind at all", M(SP_EVENT, SP_NO_ID, S("e"), 1),
      { { .kind = (sio_kind)99 } }, S("") },
};
/* clang-format on */

static void test_encode(void)
{
    for (size_t i = 0; i < COUNT(messages); i++) {
        struct sp_message m = messages[i].m;
        const sio_str want = messages[i].want;
        struct grow out;
        int r;

        T_CASE("msgpack packet out: %s", messages[i].name);
        m.values = messages[i].values;
        grow_init(&out, SIZE_MAX);
        grow_append_byte(&out, '!');
        r = mp_encode(&out, &m);
        CHECK(r == (want.n ? SIO_OK : SIO_E_INVAL), "%d", r);
        CHECK(str_eq((sio_str){ (char *)out.data + 1, out.len - 1 }, want),
              "%zu bytes", out.len - 1);
        grow_free(&out);
    }
}

static void test_plain(void)
{
    static const char json[] = "{\"sid\":\"x\"}";
    const sio_value v = { .kind = SIO_RAW_JSON, TEXT(json) };
    struct grow out;

    grow_init(&out, SIZE_MAX);
    T_CASE("S1.7: CONNECT, DISCONNECT from the server");
    CHECK(mp_encode_plain(&out, SP_CONNECT, STR("/"), &v) == SIO_OK &&
              str_eq(grow_str(&out),
                     STR("\x83" TYPE "\0" DATA "\x81\xa3sid\xa1x" ROOT)),
          "%zu bytes", out.len);
    out.len = 0;
    CHECK(mp_encode_plain(&out, SP_DISCONNECT, STR("/a"), NULL) == SIO_OK &&
              str_eq(grow_str(&out), STR("\x82" TYPE "\x01" NSP "\xa2/a")),
          "%zu bytes", out.len);
    grow_free(&out);
}

/* ------------------------------------------------- limits, allocation fails */

static int encode_tree(struct grow *out, const cJSON *tree)
{
    const sio_value v = { .kind = SIO_JSON, .data = tree };
    struct sp_message m = messages[0].m;

    m.values = &v;
    m.count = 1;
    return mp_encode(out, &m);
}

static void test_oom(void)
{
    cJSON *tree = cJSON_Parse("[{\"a\\n\":[1,2.5]},\"x\"]");
    struct grow out;
    long n;
    int r = SIO_E_NOMEM;

    T_CASE("msgpack packet out: a tree, each allocation fails once");
    for (n = 0; n < 100 && r != SIO_OK; n++) {
        grow_init(&out, SIZE_MAX);
        oom_arm(n);
        r = encode_tree(&out, tree);
        if (oom_disarm())
            CHECK(r == SIO_E_NOMEM && out.len == 0, "%d", r);
        else
            CHECK(r == SIO_OK && out.len == 39, "%d, %zu", r, out.len);
        grow_free(&out);
    }
    CHECK(n > 3 && n < 100, "%ld", n);
    T_CASE("msgpack packet out: at every limit short of its length");
    for (size_t max = 0; max < 39; max++) {
        grow_init(&out, max);
        r = encode_tree(&out, tree);
        CHECK(r == SIO_E_LIMIT && out.len == 0, "%zu: %d", max, r);
        grow_free(&out);
    }
    grow_init(&out, 39);
    CHECK(encode_tree(&out, tree) == SIO_OK, "on it");
    grow_free(&out);
    cJSON_Delete(tree);
}

/* JSON text from MessagePack values: a server that speaks JSON passes on what
 * came from one that speaks MessagePack. */
static void test_to_text(void)
{
    const sio_value values[] = {
        { .kind = SIO_RAW_MSGPACK,
          TEXT("\x92\xc4\x01x\xd7\0\0\0\0\0\0\0\0\0") },
        { .kind = SIO_BINARY, TEXT("y") },
    };
    const struct sp_message m = { .type = SP_EVENT,
                                  .nsp = STR("/"),
                                  .id = SP_NO_ID,
                                  .event = STR("e"),
                                  .values = values,
                                  .count = 2 };
    struct sp_attachments bin;
    struct grow out;

    T_CASE("MessagePack in a packet of JSON text");
    grow_init(&out, SIZE_MAX);
    sp_attachments_init(&bin);
    CHECK(sp_encode(&out, &bin, &m) == SIO_OK, "failed");
    CHECK(str_eq(grow_str(&out),
                 STR("52-[\"e\",[" P("0") ",\"1970-01-01T00:00:00.000Z\"]," P(
                     "1") "]")),
          "got %.*s", (int)out.len, (char *)out.data);
    CHECK(bin.count == 2 && str_eq(bin.items[0], STR("x")), "%zu", bin.count);
    out.len = 0;
    T_CASE("a Buffer where there are no attachments");
    CHECK(
        sp_encode_value(&out, NULL, &values[1]) == SIO_OK &&
            str_eq(grow_str(&out), STR("{\"type\":\"Buffer\",\"data\":[121]}")),
        "got %.*s", (int)out.len, (char *)out.data);
    sp_attachments_free(&bin);
    grow_free(&out);
}

static void test_owned(void)
{
    sio_value v = { .kind = SIO_BINARY, TEXT("abc") };
    struct sp_attachments bin;
    char bytes[3] = "abc";
    struct grow out;

    T_CASE("attachments become copies; each allocation fails once");
    v.data = bytes;
    grow_init(&out, SIZE_MAX);
    sp_attachments_init(&bin);
    for (int i = 0; i < 3; i++)
        CHECK(sp_encode_value(&out, &bin, &v) == SIO_OK, "%d", i);
    for (long n = 0; n < 2; n++) {
        oom_arm(n);
        CHECK(sp_attachments_own(&bin, 1) == SIO_E_NOMEM && bin.count == 1,
              "%zu", bin.count);
        CHECK(oom_disarm(), "no failure");
        bin.count = 3;
        bin.items[1] = bin.items[2] = (sio_str){ bytes, 3 };
    }
    CHECK(sp_attachments_own(&bin, 0) == SIO_OK && bin.count == 3, "own");
    memset(bytes, 'x', sizeof bytes);
    CHECK(str_eq(bin.items[2], STR("abc")), "%.3s", bin.items[2].p);
    sp_attachments_disown(&bin);
    grow_free(&out);
}

int main(void)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        run(&rows[i]);
        run_cut(&rows[i]);
    }
    test_depth();
    test_encode();
    test_plain();
    test_oom();
    test_to_text();
    test_owned();
    return t_done();
}
