/*
 * test_sp_packet.c -- Socket.IO packets from text. S1.4 in a name is the row's
 * section in the reference of Node's behaviour.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/socketio/packet.h"
#include "tests/unit/exact.h"
#include "tests/unit/test.h"

/* `want` of an accepted packet: type, attachments when any, namespace, #id when
 * any, then the payload's arguments or the payload, each behind a '|'. */
struct row {
    const char *name;
    sio_str text;
    enum sp_error error;
    const char *want;
};

/* clang-format off */
#define S(literal) { literal, sizeof(literal) - 1 }
#define OK(name, text, want) { name, S(text), SP_E_OK, want }
#define BAD(name, text, error) { name, S(text), SP_E_##error, NULL }
#define P(num) "{\"_placeholder\":true,\"num\":" num "}"

static const struct row rows[] = {
    OK("S1.2: connect", "0", "0/"),
    OK("S1.2: connect with auth", "0/admin,{\"token\":\"x\"}",
       "0/admin|{\"token\":\"x\"}"),
    OK("connect, id is tolerated", "05{}", "0/#5|{}"),
    OK("disconnect", "1", "1/"),
    OK("S1.2: disconnect", "1/admin,", "1/admin"),
    OK("S1.2: event", "2[\"foo\"]", "2/|\"foo\""),
    OK("S1.2: event with ack in a namespace", "2/admin,13[\"foo\",1]",
       "2/admin#13|\"foo\"|1"),
    OK("S1.2: ack", "3/admin,13[]", "3/admin#13"),
    OK("ack with values", "313[null,{\"a\":1}]", "3/#13|null|{\"a\":1}"),
    OK("ack without id", "3[]", "3/"),
    OK("connect_error, object", "4/no,{\"message\":\"x\"}",
       "4/no|{\"message\":\"x\"}"),
    OK("connect_error, string", "4\"x\"", "4/|\"x\""),
    OK("S1.2: binary event", "51-[\"baz\"," P("0") "]",
       "5(1)/|\"baz\"|" P("0")),
    OK("S1.2: binary event in a namespace", "52-/admin,[\"b\",1]",
       "5(2)/admin|\"b\"|1"),
    OK("S1.2: binary ack", "61-15[\"bar\"," P("0") "]",
       "6(1)/#15|\"bar\"|" P("0")),
    OK("S1.2: namespace runs to the end", "0/foo", "0/foo"),
    OK("S1.2: namespace may hold a brace", "0/foo{\"a\":1}",
       "0/foo{\"a\":1}"),
    OK("S1.2: namespace with a query is literal", "0/foo?x=1,", "0/foo?x=1"),
    OK("S1.2: 1/", "1/", "1/"),
    OK("S1.2: 1/,", "1/,", "1/"),
    OK("S1.4: a number is an event name", "2[1,\"a\"]", "2/|1|\"a\""),
    OK("number as name, 42[5,\"x\"]", "2[5,\"x\"]", "2/|5|\"x\""),
    OK("empty name", "2[\"\"]", "2/|\"\""),
    OK("CVE-2024-38355: error is an ordinary name", "2[\"error\"]",
       "2/|\"error\""),
    OK("not reserved: connection", "2[\"connection\"]", "2/|\"connection\""),
    OK("not reserved: __proto__", "2[\"__proto__\"]", "2/|\"__proto__\""),
    OK("not reserved: another case", "2[\"Connect\"]", "2/|\"Connect\""),
    OK("not reserved: longer", "2[\"connects\"]", "2/|\"connects\""),
    OK("not reserved: cut by NUL", "2[\"connect\\u0000\"]",
       "2/|\"connect\\u0000\""),
    OK("a reserved name may be an argument", "2[\"a\",\"connect\"]",
       "2/|\"a\"|\"connect\""),
    OK("a reserved name may be acked", "31[\"connect\"]", "3/#1|\"connect\""),
    OK("blanks in the array", "2[ \"a\" , 1 ] ", "2/|\"a\"|1"),
    OK("S1.4: leading zeros of an id", "2007[\"cb\"]", "2/#7|\"cb\""),
    OK("largest id", "29007199254740991[\"cb\"]", "2/#9007199254740991|\"cb\""),
    OK("id behind a bare /,", "2/,1[\"a\"]", "2/#1|\"a\""),
    OK("sixteen arguments",
       "2[\"a\",1,2,3,4,5,6,7,8,9,10,11,12,13,14,15]",
       "2/|\"a\"|1|2|3|4|5|6|7|8|9|10|11|12|13|14|15"),
    OK("seventeen: found again",
       "2[\"a\",1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,[16]]",
       "2/|\"a\"|1|2|3|4|5|6|7|8|9|10|11|12|13|14|15|[16]"),
    OK("S1.3: placeholders mean nothing in a plain packet",
       "2[\"a\"," P("\"splice\"") "]", "2/|\"a\"|" P("\"splice\"")),
    OK("S1.6: ten attachments", "510-[\"a\"]", "5(10)/|\"a\""),
    OK("count with leading zero", "501-[\"a\"]", "5(1)/|\"a\""),

    BAD("S1.4: empty", "", TYPE),
    BAD("S1.4: 47", "7", TYPE),
    BAD("S1.4: 4a", "a", TYPE),
    BAD("one before 0", "/", TYPE),
    BAD("S1.4: 4 and a blank", " ", TYPE),
    BAD("NUL", "\0", TYPE),
    BAD("S1.4: abc", "abc", TYPE),

    BAD("S1.4: 42 without payload", "2", PAYLOAD),
    BAD("S1.4: 421 without payload", "21", PAYLOAD),
    BAD("S1.4: 43 without payload", "3", PAYLOAD),
    BAD("S1.4: 431 without payload", "31", PAYLOAD),
    BAD("S1.3: 451- without payload", "51-", PAYLOAD),
    BAD("CVE-2023-32695: 2[]", "2[]", PAYLOAD),
    BAD("CVE-2023-32695: 2{}", "2{}", PAYLOAD),
    BAD("S1.4: 42\"a\"", "2\"a\"", PAYLOAD),
    BAD("S1.4: 42null", "2null", PAYLOAD),
    BAD("CVE-2023-32695: 2[null]", "2[null]", PAYLOAD),
    BAD("S1.4: 42[true]", "2[true]", PAYLOAD),
    BAD("S1.4: 42[{}]", "2[{}]", PAYLOAD),
    BAD("name is an array", "2[[\"a\"]]", PAYLOAD),
    BAD("CVE-2023-32695: name is an object", "2[{\"toString\":\"foo\"}]",
        PAYLOAD),
    BAD("CVE-2023-32695: connect", "2[\"connect\"]", PAYLOAD),
    BAD("CVE-2023-32695: connect_error", "2[\"connect_error\"]", PAYLOAD),
    BAD("CVE-2023-32695: disconnect", "2[\"disconnect\",\"123\"]", PAYLOAD),
    BAD("CVE-2023-32695: disconnecting", "2[\"disconnecting\"]", PAYLOAD),
    BAD("CVE-2023-32695: newListener", "2[\"newListener\"]", PAYLOAD),
    BAD("CVE-2023-32695: removeListener", "2[\"removeListener\"]", PAYLOAD),
    BAD("reserved and binary", "51-[\"connect\"," P("0") "]", PAYLOAD),
    BAD("reserved, escaped", "2[\"conn\\u0065ct\"]", PAYLOAD),
    BAD("reserved, all escaped",
        "2[\"\\u0072\\u0065\\u006d\\u006f\\u0076\\u0065\\u004c\\u0069\\u0073"
        "\\u0074\\u0065\\u006e\\u0065\\u0072\"]", PAYLOAD),
    BAD("S1.4: 42[\"a\"", "2[\"a\"", PAYLOAD),
    BAD("S1.4: 42[\"a\"]x", "2[\"a\"]x", PAYLOAD),
    BAD("S1.4: 42abc[\"cb\"]", "2abc[\"cb\"]", PAYLOAD),
    BAD("S1.4: 42-1[\"cb\"]", "2-1[\"cb\"]", PAYLOAD),
    BAD("S1.4: 421.5[\"cb\"]", "21.5[\"cb\"]", PAYLOAD),
    BAD("S1.4: 42 [\"cb\"], blank as id", "2 [\"cb\"]", PAYLOAD),
    BAD("blank behind the id", "21 [\"cb\"]", PAYLOAD),
    BAD("S1.4: 40foo", "0foo", PAYLOAD),
    BAD("S1.4: 431{}", "31{}", PAYLOAD),
    BAD("S1.4: 43\"x\"", "3\"x\"", PAYLOAD),
    BAD("S1.4: 41[]", "1[]", PAYLOAD),
    BAD("S1.4: 41{}", "1{}", PAYLOAD),
    BAD("S1.1: 41null", "1null", PAYLOAD),
    BAD("disconnect with a blank", "1 ", PAYLOAD),
    BAD("S1.4: 40/foo,null", "0/foo,null", PAYLOAD),
    BAD("S1.4: 40/foo,[]", "0/foo,[]", PAYLOAD),
    BAD("S1.4: 40/foo,\"a\"", "0/foo,\"a\"", PAYLOAD),
    BAD("connect with broken auth", "0{\"a\":}", PAYLOAD),
    BAD("S1.4: 44[\"x\"]", "4[\"x\"]", PAYLOAD),
    BAD("connect_error without payload", "4", PAYLOAD),
    BAD("connect_error cut short", "4\"x", PAYLOAD),
    BAD("S1.4: binary event without name", "51-[" P("0") "]", PAYLOAD),
    BAD("S1.4: 451-{}", "51-{}", PAYLOAD),
    BAD("S1.4: 461-5{}", "61-5{}", PAYLOAD),
    BAD("S1.4: id beyond 2^53", "29007199254740992[\"cb\"]", PAYLOAD),
    BAD("S1.4: long id", "299999999999999999999999[\"cb\"]", PAYLOAD),
    BAD("byte order mark", "2\xef\xbb\xbf[\"a\"]", PAYLOAD),
    BAD("NUL behind the packet", "2[\"a\"]\0", PAYLOAD),

    BAD("CVE-2026-33151: 5", "5", ATTACHMENTS),
    BAD("CVE-2026-33151: 51", "51", ATTACHMENTS),
    BAD("S1.4: 45-", "5-", ATTACHMENTS),
    BAD("CVE-2026-33151: 5a-", "5a-", ATTACHMENTS),
    BAD("S1.4: 451.23-", "51.23-", ATTACHMENTS),
    BAD("S1.4: count with blank", "5 1-[\"a\"]", ATTACHMENTS),
    BAD("S1.4: count 1e0", "51e0-[\"a\"]", ATTACHMENTS),
    BAD("negative count", "5-1-[\"a\"]", ATTACHMENTS),
    BAD("CVE-2026-69185: 50-", "50-[\"x\"]", ATTACHMENTS),
    BAD("CVE-2026-69185: 60-", "60-1[]", ATTACHMENTS),
    BAD("count without dash", "511[\"a\"]", ATTACHMENTS),
    BAD("CVE-2026-33151: eleven attachments", "511-[\"x\"]", TOO_MANY),
    BAD("count 2^32 + 1", "54294967297-[\"x\"]", TOO_MANY),
    BAD("count 2^64 + 1", "518446744073709551617-[\"x\"]", TOO_MANY),
};
/* clang-format on */

static const struct sp_limits limits = { SP_MAX_ATTACHMENTS, SP_MAX_DEPTH };

static void tell(char *out, size_t size, const struct sp_packet *p)
{
    int n = snprintf(out, size, "%d", (int)p->type);

#define MORE(...) n += snprintf(out + n, size - (size_t)n, __VA_ARGS__)
    if (p->attachments)
        MORE("(%u)", p->attachments);
    MORE("%.*s", (int)p->nsp.n, p->nsp.p);
    if (p->id != SP_NO_ID)
        MORE("#%lld", (long long)p->id);
    for (size_t i = 0; i < p->argc; i++) {
        sio_str arg = sp_packet_arg(p, i);

        MORE("|%.*s", (int)arg.n, arg.p);
    }
    if (p->json.n && p->json.p[0] != '[')
        MORE("|%.*s", (int)p->json.n, p->json.p);
#undef MORE
}

static void run(const struct row *r)
{
    char *text = exact_copy(r->text.p, r->text.n), got[300];
    struct sp_packet p;
    enum sp_error e;

    T_CASE("packet: %s", r->name);
    e = sp_decode((sio_str){ text, r->text.n }, &limits, &p);
    CHECK(e == r->error, "got \"%s\"", sp_error_text(e));
    if (e == SP_E_OK && r->want) {
        tell(got, sizeof got, &p);
        CHECK(strcmp(got, r->want) == 0, "got %s, want %s", got, r->want);
        CHECK(sp_packet_arg(&p, p.argc).n == 0, "an argument too many");
    }
    free(text);
}

/* An array that lacks its end is never accepted. */
static void run_cut(const struct row *r)
{
    const bool array = r->want && memchr(r->text.p, '[', r->text.n);
    struct sp_packet p;

    T_CASE("packet: %s, cut everywhere", r->name);
    for (size_t cut = 0; cut < r->text.n; cut++) {
        char *text = exact_copy(r->text.p, cut);
        enum sp_error e = sp_decode((sio_str){ text, cut }, &limits, &p);

        if (cut == 0)
            CHECK(e == SP_E_TYPE, "nothing: \"%s\"", sp_error_text(e));
        if (array && r->text.p[cut] != ' ')
            CHECK(e != SP_E_OK, "cut at %zu is accepted", cut);
        free(text);
    }
    CHECK(1, "no overrun");
}

/* clang-format off */
static const struct {
    const char *name, *text;
    enum sp_error want;
} placeholder_rows[] = {
    { "in order", "52-[\"a\"," P("0") "," P("1") "]", SP_E_OK },
    { "S1.3: any order", "52-[\"a\"," P("1") "," P("0") "]", SP_E_OK },
    { "S1.3: one number twice", "51-[\"a\"," P("0") "," P("0") "]", SP_E_OK },
    { "S1.3: not referenced", "51-[\"a\"]", SP_E_OK },
    { "S1.3: _placeholder 1 is data",
      "51-[\"a\",{\"_placeholder\":1,\"num\":9}]", SP_E_OK },
    { "deep", "61-1[{\"a\":[{\"b\":" P("0") "}]}]", SP_E_OK },
    { "one past the last", "52-[\"a\"," P("2") "]", SP_E_PLACEHOLDER },
    { "deep, one past the last", "61-1[{\"a\":[{\"b\":" P("1") "}]}]",
      SP_E_PLACEHOLDER },
    { "CVE-2022-2421: num 'splice'",
      "51-[\"hello\"," P("\"splice\"") "]", SP_E_PLACEHOLDER },
    { "CVE-2022-2421: num '0'", "51-[\"a\"," P("\"0\"") "]",
      SP_E_PLACEHOLDER },
    { "CVE-2022-2421: num -1", "51-[\"a\"," P("-1") "]", SP_E_PLACEHOLDER },
    { "CVE-2022-2421: num 1.5", "51-[\"a\"," P("1.5") "]",
      SP_E_PLACEHOLDER },
    { "S1.3: num 0.5", "51-[\"a\"," P("0.5") "]", SP_E_PLACEHOLDER },
    { "CVE-2022-2421: num 1e9", "51-[\"a\"," P("1e9") "]",
      SP_E_PLACEHOLDER },
    { "CVE-2022-2421: num 5 of 1", "51-[\"a\"," P("5") "]",
      SP_E_PLACEHOLDER },
    { "num missing", "51-[\"a\",{\"_placeholder\":true}]",
      SP_E_PLACEHOLDER },
    { "the second is bad", "51-[\"a\"," P("0") "," P("7") "]",
      SP_E_PLACEHOLDER },
};
/* clang-format on */

static void test_placeholders(void)
{
    for (size_t i = 0; i < COUNT(placeholder_rows); i++) {
        struct sp_packet p;
        enum sp_error e;

        T_CASE("placeholder: %s", placeholder_rows[i].name);
        e = sp_decode(str_of(placeholder_rows[i].text), &limits, &p);
        CHECK(e == SP_E_OK, "refused: %s", sp_error_text(e));
        e = sp_check_placeholders(&p);
        CHECK(e == placeholder_rows[i].want, "got \"%s\"", sp_error_text(e));
    }
}

/* A head, n times `fill`, a tail. */
static enum sp_error decode_big(const char *head, char fill, size_t n,
                                const char *tail, const struct sp_limits *with)
{
    const size_t h = strlen(head), t = strlen(tail);
    char *text = malloc(h + n + t);
    struct sp_packet p;
    enum sp_error e;

    memcpy(text, head, h);
    memset(text + h, fill, n);
    memcpy(text + h + n, tail, t);
    e = sp_decode((sio_str){ text, h + n + t }, with, &p);
    free(text);
    return e;
}

static void test_big(void)
{
    T_CASE("CVE-2020-36049: a megabyte of digits");
    CHECK(decode_big("5", '9', 1000000, "", &limits) == SP_E_ATTACHMENTS, "5");
    CHECK(decode_big("5", '9', 1000000, "-[\"a\"]", &limits) == SP_E_TOO_MANY,
          "5-");
    CHECK(decode_big("2", '9', 1000000, "[\"a\"]", &limits) == SP_E_PAYLOAD,
          "id");
    CHECK(decode_big("2", '0', 1000000, "1[\"a\"]", &limits) == SP_E_OK,
          "zeros");
    T_CASE("a megabyte of brackets, of string, of namespace");
    CHECK(decode_big("2[\"a\",", '[', 1000000, "", &limits) == SP_E_PAYLOAD,
          "brackets");
    CHECK(decode_big("2[\"", 'a', 1000000, "\"]", &limits) == SP_E_OK, "name");
    CHECK(decode_big("2[\"", '\\', 1000000, "\"]", &limits) == SP_E_OK,
          "escapes");
    CHECK(decode_big("0/", 'a', 1000000, "", &limits) == SP_E_OK, "namespace");
}

static void test_limits(void)
{
    static const struct sp_limits tight = { 2, 3 };
    struct sp_packet p;

    T_CASE("limits: attachments, on it and one past it");
    CHECK(sp_decode(STR("52-[\"a\"]"), &tight, &p) == SP_E_OK, "2 of 2");
    CHECK(sp_decode(STR("53-[\"a\"]"), &tight, &p) == SP_E_TOO_MANY, "3 of 2");
    T_CASE("limits: depth, on it and one past it");
    CHECK(sp_decode(STR("2[\"a\",[{}]]"), &tight, &p) == SP_E_OK, "3");
    CHECK(sp_decode(STR("2[\"a\",[[{}]]]"), &tight, &p) == SP_E_PAYLOAD, "4");
    CHECK(sp_decode(STR("0{\"a\":[{}]}"), &tight, &p) == SP_E_OK, "3");
    CHECK(sp_decode(STR("0{\"a\":[[{}]]}"), &tight, &p) == SP_E_PAYLOAD, "4");
    T_CASE("limits: the default depth");
    CHECK(decode_big("2[\"a\",", '[', 1000, "", &limits) == SP_E_PAYLOAD,
          "unclosed");
}

static void test_names(void)
{
    T_CASE("names and texts");
    CHECK(!strcmp(sp_type_name(SP_CONNECT_ERROR), "CONNECT_ERROR"), "type");
    CHECK(!strcmp(sp_type_name(SP_NTYPES), "?"), "no type");
    CHECK(!strcmp(sp_error_text(SP_E_PLACEHOLDER), "illegal attachments"),
          "lower case");
    CHECK(!strcmp(sp_error_text(SP_E_ATTACHMENTS), "Illegal attachments"),
          "upper case");
    CHECK(!strcmp(sp_error_text((enum sp_error)99), "?"), "no error");
    CHECK(sp_reserved_event(STR("newListener")), "newListener");
    CHECK(!sp_reserved_event(STR("")), "empty");
    CHECK(!sp_reserved_event(STR("error")), "error");
}

int main(void)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        run(&rows[i]);
        run_cut(&rows[i]);
    }
    test_placeholders();
    test_big();
    test_limits();
    test_names();
    return t_done();
}
