/*
 * test_eio_payload3.c -- polling bodies of Engine.IO 3, as the tables in the
 * reference have them, in both forms.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/base/str.h"
#include "protocol/engineio/payload3.h"
#include "tests/unit/exact.h"
#include "tests/unit/oom.h"
#include "tests/unit/test.h"

/* `want` spells the packets: <type digit>(data), with a b before it when
 * binary, "!" where decoding fails. */
struct row {
    const char *name;
    enum eio_form3 form;
    sio_str body;
    const char *want;
};

/* clang-format off */
#define EURO "\xe2\x82\xac"
#define SMILE "\xf0\x9f\x98\x80" /* U+1F600: two code units */
#define E4 EURO EURO EURO EURO
#define TEXT(name, body, want) \
    { name, EIO_FORM3_TEXT, { body, sizeof(body) - 1 }, want }
#define BINARY(name, body, want) \
    { name, EIO_FORM3_BINARY, { body, sizeof(body) - 1 }, want }
#define DIGITS20 "99999999999999999999"

static const struct row rows[] = {
    TEXT("E204: one", "6:4hello", "4(hello)"),
    TEXT("E204: three", "6:4test16:4test26:4test3",
         "4(test1)4(test2)4(test3)"),
    TEXT("E204: text and binary", "6:4hello10:b4AQIDBA==",
         "4(hello)b4(\1\2\3\4)"),
    TEXT("E204: ping", "1:2", "2()"),
    TEXT("E204: close", "1:1", "1()"),
    TEXT("E204: noop", "1:6", "6()"),
    TEXT("E3.2: noop and close", "1:61:1", "6()1()"),
    TEXT("colons in the data", "4:4:3:3:4a:", "4(:3:)4(a:)"),
    TEXT("binary first", "6:b4YWJj1:2", "b4(abc)2()"),
    TEXT("E3.2: one unit of three bytes", "2:4" EURO, "4(" EURO ")"),
    TEXT("E3.2: two units of four bytes", "3:4" SMILE, "4(" SMILE ")"),
    TEXT("one unit of two bytes", "2:4\xc3\xa9""1:2", "4(\xc3\xa9)2()"),
    TEXT("the last of one unit, the first of two",
         "2:4\xef\xbf\xbf""3:4\xf0\x90\x80\x80",
         "4(\xef\xbf\xbf)4(\xf0\x90\x80\x80)"),
    TEXT("eight ASCII and one more", "9:4abcdefgh1:2", "4(abcdefgh)2()"),
    TEXT("seven ASCII before others", "9:4abcdef" EURO EURO "1:2",
         "4(abcdef" EURO EURO ")2()"),
    TEXT("ASCII behind others", "12:4" EURO "0123456789" "1:2",
         "4(" EURO "0123456789)2()"),
    TEXT("length ends among eight ASCII", "2:4a2:4b2:4c", "4(a)4(b)4(c)"),

    TEXT("E3.2: empty body", "", "!"),
    TEXT("E3.2: no colon", "abc", "!"),
    TEXT("E3.2: no length", ":4a", "!"),
    TEXT("no length, then a packet", ":2:4a", "!"),
    TEXT("E3.2: negative", "-1:4a", "!"),
    TEXT("E3.2: bytes behind the last", "6:4hello2:4b5", "4(hello)4(b)!"),
    TEXT("E3.2: longer than the rest", "7:4hello", "!"),
    TEXT("E3.2: longer than the rest by one unit", "3:4" EURO, "!"),
    TEXT("E3.2: type 7", "1:7", "!"),
    TEXT("E3.2: type 9", "1:9", "!"),
    TEXT("E3.2: half a surrogate pair", "2:4" SMILE, "!"),
    TEXT("half a surrogate pair between", "3:4" EURO SMILE "2:4a", "!"),
    TEXT("E3.2: length 0 is passed over", "0:", ""),
    TEXT("length 0 between", "2:4a0:0:2:4b", "4(a)4(b)"),
    TEXT("length 0, then none", "0:x", "!"),
    TEXT("E3.2: leading zero", "01:2", "!"),
    TEXT("00", "00:", "!"),
    TEXT("E3.2: fraction", "1.0:2", "!"),
    TEXT("E3.2: leading blank", " 1:2", "!"),
    TEXT("E3.2: exponent", "1e0:2", "!"),
    TEXT("E3.2: hexadecimal", "0x1:2", "!"),
    TEXT("plus", "+1:2", "!"),
    TEXT("E3.2: base64 that is none", "4:b4!!", "b4()"),
    TEXT("E3.2: base64 of nothing", "2:b4", "b4()"),
    TEXT("E3.2: base64 without a type is ignored", "1:b", ""),
    TEXT("ignored between", "2:4a1:b2:4b", "4(a)4(b)"),
    TEXT("only a length", "1", "!"),
    TEXT("only a length and a colon", "1:", "!"),
    TEXT("2^64", "18446744073709551616:4a", "!"),
    TEXT("2^64 - 1", "18446744073709551615:4a", "!"),
    TEXT("2^64 + 2, which is 2 when it overflows", "18446744073709551618:4a",
         "!"),
    TEXT("CVE-2020-36049: many digits",
         DIGITS20 DIGITS20 DIGITS20 DIGITS20 ":4a", "!"),
    TEXT("the binary form as text", "\0\1\xff" "4", "!"),

    BINARY("E204: text and binary",
           "\0\6\xff" "4hello" "\1\5\xff\4\1\2\3\4", "4(hello)b4(\1\2\3\4)"),
    BINARY("E3.2: the captured three",
           "\0\4\xff" "4" EURO "\1\5\xff\4\1\2\3\4" "\0\5\xff" "4" SMILE,
           "4(" EURO ")b4(\1\2\3\4)4(" SMILE ")"),
    BINARY("E178: four euros and bytes", "\0\1\3\xff" "4" E4 "\1\4\xff\4\1\2\3",
           "4(" E4 ")b4(\1\2\3)"),
    BINARY("E3.2: empty body", "", ""),
    BINARY("E3.2: shorter than announced", "\0\6\xff" "4h", "4(h)"),
    BINARY("binary shorter than announced", "\1\1\0\xff\4a", "b4(a)"),
    BINARY("nothing behind the length", "\0\6\xff", ""),
    BINARY("E3.2: unknown type is ignored", "\1\2\xff\7a" "\0\1\xff" "2",
           "2()"),
    BINARY("type digit in a binary packet is ignored", "\1\2\xff" "4a", ""),
    BINARY("empty text is passed over", "\0\0\xff" "\0\1\xff" "2", "2()"),
    BINARY("empty binary is passed over", "\1\0\xff" "\0\1\xff" "2", "2()"),
    BINARY("E3.2: text is not UTF-8", "\0\2\xff" "4\xff" "\0\1\xff" "2", "!"),
    BINARY("text cut inside a character", "\0\3\xff" "4\xe2\x82" "\0\1\xff" "2",
           "!"),
    BINARY("text of type 7", "\0\1\xff" "7", "!"),
    BINARY("base64 in text", "\0\6\xff" "b4YWJj", "b4(abc)"),
    BINARY("neither text nor binary", "\2\1\xff" "2", "!"),
    BINARY("E3.2: no end of the length", "\0\1\2\3", "!"),
    BINARY("no length", "\0", "!"),
    BINARY("no digits", "\0\xff" "2", "!"),
    BINARY("no digits, then a packet", "\0\xff" "\0\1\xff" "2", "!"),
    BINARY("a digit of 10", "\0\x0a\xff" "4", "!"),
    BINARY("digits in ASCII", "\0" "1\xff" "2", "!"),
    BINARY("leading zero", "\0\0\1\xff" "2", "!"),
    BINARY("2^64", "\0\1\x08\4\4\6\7\4\4\0\7\3\7\0\x09\5\5\1\6\1\6\xff" "2",
           "!"),
    BINARY("the text form as binary", "1:2", "!"),
    BINARY("what comes before the bad one", "\0\1\xff" "2" "\2", "2()!"),
};
/* clang-format on */

#define MAX_PACKETS 8

/* A body decoded from a copy that ends where the body ends. */
struct decoded {
    char *copy;
    struct eio_packet packet[MAX_PACKETS];
    size_t n;
    bool failed;
};

static void decode(enum eio_form3 form, sio_str body, struct decoded *d)
{
    struct eio_payload3 it;
    struct eio_packet p;
    int r;

    d->copy = exact_copy(body.p, body.n);
    d->n = 0;
    eio_payload3_init(&it, form, d->copy, body.n);
    while ((r = eio_payload3_next(&it, &p)) > 0 && d->n < MAX_PACKETS)
        d->packet[d->n++] = p;
    d->failed = r == SIO_E_INVAL;
    CHECK(r == 0 || d->failed, "got %d", r);
    CHECK(eio_payload3_next(&it, &p) == 0, "goes on behind its end");
}

static void tell(const struct decoded *d, char *out, size_t size)
{
    *out = 0;
    for (size_t i = 0; i < d->n; i++) {
        const struct eio_packet *p = &d->packet[i];
        size_t n = strlen(out);

        snprintf(out + n, size - n, "%s%c(%.*s)", p->binary ? "b" : "",
                 eio_packet_digit(p->type), (int)p->data.n, p->data.p);
    }
    if (d->failed)
        snprintf(out + strlen(out), size - strlen(out), "!");
}

static void run(const struct row *row)
{
    struct decoded d;
    char got[256];

    T_CASE("payload3: %s", row->name);
    decode(row->form, row->body, &d);
    tell(&d, got, sizeof got);
    CHECK(strcmp(got, row->want) == 0, "got %s, want %s", got, row->want);
    free(d.copy);
}

static bool is_prefix(const struct eio_packet *a, const struct eio_packet *b)
{
    return a->type == b->type && a->binary == b->binary &&
           a->data.n <= b->data.n &&
           (!a->data.n || !memcmp(a->data.p, b->data.p, a->data.n));
}

/* The first n bytes: what is whole in them is what it was. In the binary form
 * the last packet may be shorter, and a text may be valid that as a whole is
 * not. */
static void check_cut(const struct row *row, const struct decoded *whole,
                      size_t n)
{
    const bool cut_text = row->form == EIO_FORM3_BINARY && whole->failed;
    struct decoded part;

    decode(row->form, (sio_str){ row->body.p, n }, &part);
    CHECK(part.n <= whole->n + cut_text, "cut at %zu: %zu packets", n, part.n);
    for (size_t i = 0; i < part.n && i < whole->n; i++) {
        const struct eio_packet *got = &part.packet[i];
        const struct eio_packet *want = &whole->packet[i];
        const bool may_be_cut =
            row->form == EIO_FORM3_BINARY && i == part.n - 1;

        CHECK(is_prefix(got, want) &&
                  (may_be_cut || got->data.n == want->data.n),
              "cut at %zu: packet %zu changed", n, i);
    }
    free(part.copy);
}

static void run_cut(const struct row *row)
{
    struct decoded whole;

    T_CASE("payload3: %s, cut everywhere", row->name);
    decode(row->form, row->body, &whole);
    for (size_t n = 0; n < row->body.n; n++) {
        const bool inside = ((unsigned char)row->body.p[n] & 0xc0) == 0x80;

        /* The text form is never given broken UTF-8. In the binary form it
         * makes a text packet fail that is whole in the row. */
        if (!inside || row->form == EIO_FORM3_BINARY)
            check_cut(row, &whole, n);
    }
    free(whole.copy);
}

/* ------------------------------------------------------------- encoding -- */

static const sio_str none = { NULL, 0 };

static void test_append(void)
{
    struct grow out;

    T_CASE("payload3: written as text");
    grow_init(&out, 200);
    CHECK(eio_payload3_append(&out, EIO_FORM3_TEXT, EIO_PACKET_MESSAGE,
                              STR(EURO)) == 0,
          "euro");
    CHECK(eio_payload3_append(&out, EIO_FORM3_TEXT, EIO_PACKET_MESSAGE,
                              STR(SMILE)) == 0,
          "smile");
    CHECK(eio_payload3_append_binary(&out, EIO_FORM3_TEXT, STR("\1\2\3\4")) ==
              0,
          "binary");
    CHECK(eio_payload3_append_binary(&out, EIO_FORM3_TEXT, none) == 0, "b4");
    CHECK(eio_payload3_append(&out, EIO_FORM3_TEXT, EIO_PACKET_NOOP, none) == 0,
          "noop");
    CHECK(eio_payload3_append(&out, EIO_FORM3_TEXT, EIO_PACKET_MESSAGE,
                              STR("12345678")) == 0,
          "9");
    CHECK(eio_payload3_append(&out, EIO_FORM3_TEXT, EIO_PACKET_MESSAGE,
                              STR("123456789")) == 0,
          "10");
    CHECK(str_eq(grow_str(&out), STR("2:4" EURO "3:4" SMILE "10:b4AQIDBA=="
                                     "2:b41:69:41234567810:4123456789")),
          "got %.*s", (int)out.len, (char *)out.data);
    grow_free(&out);
}

static void test_append_binary_form(void)
{
    struct grow out;

    T_CASE("payload3: E3.2: written in the binary form");
    grow_init(&out, 200);
    eio_payload3_append(&out, EIO_FORM3_BINARY, EIO_PACKET_MESSAGE, STR(EURO));
    eio_payload3_append_binary(&out, EIO_FORM3_BINARY, STR("\1\2\3\4"));
    eio_payload3_append(&out, EIO_FORM3_BINARY, EIO_PACKET_MESSAGE, STR(SMILE));
    CHECK(str_eq(grow_str(&out), STR("\0\4\xff"
                                     "4" EURO "\1\5\xff\4\1\2\3\4"
                                     "\0\5\xff"
                                     "4" SMILE)),
          "%zu bytes", out.len);
    out.len = 0;
    eio_payload3_append(&out, EIO_FORM3_BINARY, EIO_PACKET_NOOP, none);
    eio_payload3_append_binary(&out, EIO_FORM3_BINARY, none);
    CHECK(str_eq(grow_str(&out), STR("\0\1\xff"
                                     "6"
                                     "\1\1\xff\4")),
          "%zu bytes", out.len);
    grow_free(&out);
}

/* E3.2: a packet of 118 bytes has the header 00 01 01 08 ff, or "118:". */
static void test_long_length(void)
{
    char data[117];
    struct grow out;

    T_CASE("payload3: E3.2: an OPEN of 118 bytes");
    memset(data, 'x', sizeof data);
    grow_init(&out, 200);
    eio_payload3_append(&out, EIO_FORM3_BINARY, EIO_PACKET_OPEN,
                        (sio_str){ data, sizeof data });
    CHECK(out.len == 5 + 118 && !memcmp(out.data,
                                        "\0\1\1\x08\xff"
                                        "0x",
                                        7),
          "%zu bytes", out.len);
    out.len = 0;
    eio_payload3_append(&out, EIO_FORM3_TEXT, EIO_PACKET_OPEN,
                        (sio_str){ data, sizeof data });
    CHECK(out.len == 4 + 118 && !memcmp(out.data, "118:0x", 6), "%zu bytes",
          out.len);
    grow_free(&out);
}

static void test_longer_length(void)
{
    const size_t n = 12345677;
    char *data = malloc(n);
    struct grow out;

    T_CASE("payload3: a packet of 12345678 bytes");
    memset(data, 'x', n);
    grow_init(&out, n + 100);
    eio_payload3_append(&out, EIO_FORM3_BINARY, EIO_PACKET_MESSAGE,
                        (sio_str){ data, n });
    CHECK(out.len == 10 + 1 + n && !memcmp(out.data,
                                           "\0\1\2\3\4\5\6\7\x08\xff"
                                           "4x",
                                           12),
          "%zu bytes", out.len);
    grow_free(&out);
    free(data);
}

/* On the limit, and one past it. `want` bytes behind an "x". */
static void check_limit(enum eio_form3 form, bool binary, size_t want)
{
    for (size_t max = 1; max <= want + 1; max++) {
        const int expect = max < want + 1 ? SIO_E_LIMIT : SIO_OK;
        struct grow out;
        int r;

        grow_init(&out, max);
        grow_append_byte(&out, 'x');
        r = binary ? eio_payload3_append_binary(&out, form, STR("abcd"))
                   : eio_payload3_append(&out, form, EIO_PACKET_MESSAGE,
                                         STR("abcd"));
        CHECK(r == expect, "%zu of %zu: got %d", want + 1, max, r);
        CHECK(out.len == (r == SIO_OK ? want + 1 : 1) && out.data[0] == 'x',
              "len %zu", out.len);
        grow_free(&out);
    }
}

static void test_limits(void)
{
    T_CASE("payload3: limits");
    check_limit(EIO_FORM3_TEXT, false, 2 + 5);
    check_limit(EIO_FORM3_TEXT, true, 3 + 10);
    check_limit(EIO_FORM3_BINARY, false, 3 + 5);
    check_limit(EIO_FORM3_BINARY, true, 3 + 5);
}

static void test_oom(void)
{
    T_CASE("payload3: out of memory");
    for (int i = 0; i < 4; i++) {
        const enum eio_form3 form = i & 1 ? EIO_FORM3_TEXT : EIO_FORM3_BINARY;
        long n = 0;
        bool failed;

        do {
            struct grow out;
            int r;

            grow_init(&out, 100);
            oom_arm(n++);
            r = i & 2 ? eio_payload3_append_binary(&out, form, STR("a"))
                      : eio_payload3_append(&out, form, EIO_PACKET_NOOP, none);
            failed = oom_disarm();
            CHECK(r == (failed ? SIO_E_NOMEM : SIO_OK), "got %d", r);
            CHECK(!failed || out.len == 0, "len %zu", out.len);
            grow_free(&out);
        } while (failed);
        CHECK(n == 2, "%ld allocations", n - 1);
    }
}

/* Nothing here may cost more than its length: each took minutes if it were
 * quadratic. */
static void test_linear(void)
{
    static const char *const part[] = { "0:", "9", "1:b", "2:4a" };
    const size_t n = 1200000;

    T_CASE("payload3: CVE-2020-36049: hostile bodies of 1.2 MB");
    for (size_t i = 0; i < COUNT(part); i++) {
        char *body = malloc(n);
        size_t len = strlen(part[i]), packets = 0;
        struct eio_payload3 it;
        struct eio_packet p;
        int r;

        for (size_t at = 0; at < n; at++)
            body[at] = part[i][at % len];
        eio_payload3_init(&it, EIO_FORM3_TEXT, body, n);
        while ((r = eio_payload3_next(&it, &p)) > 0)
            packets++;
        CHECK(r == (i == 1 ? SIO_E_INVAL : 0), "%s: got %d", part[i], r);
        CHECK(packets == (i == 3 ? n / len : 0), "%zu packets", packets);
        free(body);
    }
}

int main(void)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        run(&rows[i]);
        run_cut(&rows[i]);
    }
    test_append();
    test_append_binary_form();
    test_long_length();
    test_longer_length();
    test_limits();
    test_oom();
    test_linear();
    return t_done();
}
