/*
 * test_base_quote.c -- JSON strings as JSON.stringify writes them, and the
 * block-wise search under them against the plain loop.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/base/quote.h"
#include "tests/unit/exact.h"
#include "tests/unit/oom.h"
#include "tests/unit/test.h"

struct row {
    const char *name;
    sio_str text;
    sio_str want; /* p NULL: SIO_E_INVAL */
};

/* clang-format off */
#define S(literal) { literal, sizeof(literal) - 1 }
#define ROW(name, text, want) { name, S(text), S(want) }
#define BAD(name, text) { name, S(text), { NULL, 0 } }

static const struct row rows[] = {
    ROW("empty", "", "\"\""),
    ROW("plain", "hello", "\"hello\""),
    ROW("quote and backslash", "a\"b\\c", "\"a\\\"b\\\\c\""),
    ROW("slash stays", "a/b", "\"a/b\""),
    ROW("letters", "\b\f\n\r\t", "\"\\b\\f\\n\\r\\t\""),
    ROW("NUL", "a\0b", "\"a\\u0000b\""),
    ROW("other controls, lower case", "\x01\x0b\x1f", "\"\\u0001\\u000b\\u001f\""),
    ROW("DEL stays", "\x7f", "\"\x7f\""),
    ROW("U+2028 stays", "\xe2\x80\xa8", "\"\xe2\x80\xa8\""),
    ROW("astral stays", "\xf0\x9f\x98\x80", "\"\xf0\x9f\x98\x80\""),
    ROW("escape behind a block", "0123456789abcdef\n", "\"0123456789abcdef\\n\""),
    ROW("only escapes", "\"\"\"\"", "\"\\\"\\\"\\\"\\\"\""),
    ROW("lone surrogate", "a\xed\xa0\x80z", "\"a\\ud800z\""),
    ROW("last surrogate", "\xed\xbf\xbf", "\"\\udfff\""),
    ROW("two surrogates", "\xed\xa0\xbd\xed\xb8\x80\n", "\"\\ud83d\\ude00\\n\""),
    ROW("U+D7FF beside a surrogate", "\xed\x9f\xbf\xed\xa0\x80",
        "\"\xed\x9f\xbf\\ud800\""),
    BAD("lone trail", "\x80"),
    BAD("cut short", "a\xe2\x82"),
    BAD("overlong", "\xc0\x80"),
    BAD("above U+10FFFF", "\xf4\x90\x80\x80"),
    BAD("surrogate cut short", "\xed\xa0"),
    BAD("surrogate with a bad trail", "\xed\xa0\x20"),
    BAD("bad behind a surrogate", "\xed\xa0\x80\xff"),
    BAD("bad before a surrogate", "\xff\xed\xa0\x80"),
};
/* clang-format on */

static void run(const struct row *r)
{
    char *copy = exact_copy(r->text.p, r->text.n);
    struct grow out;
    int got;

    T_CASE("quote: %s", r->name);
    grow_init(&out, 1000);
    grow_append(&out, "4", 1);
    got = json_append_string(&out, (sio_str){ copy, r->text.n });
    if (r->want.p) {
        CHECK(got == SIO_OK, "got %d", got);
        CHECK(out.len == 1 + r->want.n &&
                  memcmp(out.data + 1, r->want.p, r->want.n) == 0,
              "got %.*s", (int)out.len, (char *)out.data);
    } else {
        CHECK(got == SIO_E_INVAL, "got %d", got);
        CHECK(out.len == 1, "len %zu", out.len);
    }
    free(copy);
    grow_free(&out);
}

/* The limit exactly met, and one byte less. */
static void run_limit(const struct row *r)
{
    struct grow out;
    int got;

    if (!r->want.p)
        return;
    T_CASE("quote: %s, at the limit", r->name);
    grow_init(&out, r->want.n);
    got = json_append_string(&out, r->text);
    CHECK(got == SIO_OK && out.len == r->want.n, "got %d", got);
    grow_free(&out);
    grow_init(&out, r->want.n - 1);
    got = json_append_string(&out, r->text);
    CHECK(got == SIO_E_LIMIT && out.len == 0, "got %d", got);
    grow_free(&out);
}

static void test_oom(void)
{
    char text[200];

    memset(text, '\n', sizeof text);
    T_CASE("quote: out of memory at every allocation");
    for (long n = 0; n < 100; n++) {
        struct grow out;
        int got;

        grow_init(&out, 1000);
        grow_append(&out, "4", 1);
        oom_arm(n);
        got = json_append_string(&out, (sio_str){ text, sizeof text });
        if (!oom_disarm()) {
            CHECK(n > 0 && got == SIO_OK, "got %d", got);
            grow_free(&out);
            break;
        }
        CHECK(got == SIO_E_NOMEM && out.len == 1, "got %d", got);
        grow_free(&out);
    }
}

/* Every length up to three large blocks, one special character at every place;
 * the text ends where its memory ends. */
static void test_plain_end(void)
{
    static const char special[] = { '"', '\\', 0, '\n', 0x1f };
    static const char plain[] = { ' ',  '!',    '#',    '[',   ']',
                                  0x7f, '\x80', '\xa2', '\xff' };

    T_CASE("quote: the first special character, in blocks and alone");
    for (size_t n = 1; n <= 3 * 64; n++) {
        char *text = malloc(n);

        for (size_t at = 0; at <= n; at++) {
            for (size_t i = 0; i < n; i++)
                text[i] = plain[(i + at) % sizeof plain];
            if (at < n)
                text[at] = special[at % sizeof special];
            if (at + 2 < n)
                text[at + 2] = '"'; /* a second one must not come first */
            CHECK(json_plain_end(text, text + n) == text + at,
                  "n %zu at %zu: got %td", n, at,
                  json_plain_end(text, text + n) - text);
        }
        free(text);
    }
}

static void test_every_byte(void)
{
    T_CASE("quote: what is special among 256 bytes");
    for (int c = 0; c < 256; c++) {
        char block[128];
        bool want = c < 0x20 || c == '"' || c == '\\';

        memset(block, c, sizeof block);
        CHECK(json_is_special((char)c) == want, "byte %d", c);
        CHECK((json_plain_end(block, block + 128) == block) == want, "128 x %d",
              c);
        CHECK((json_plain_end(block, block + 16) == block) == want, "16 x %d",
              c);
        CHECK((json_plain_end(block, block + 8) == block) == want, "8 x %d", c);
    }
}

int main(void)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        run(&rows[i]);
        run_limit(&rows[i]);
    }
    test_oom();
    test_plain_end();
    test_every_byte();
    return t_done();
}
