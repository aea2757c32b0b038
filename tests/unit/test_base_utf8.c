/*
 * test_base_utf8.c -- UTF-8: vectors for validation and replacement, each one
 * replayed cut at every byte, and at every distance from a word boundary.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/base/utf8.h"
#include "tests/unit/oom.h"
#include "tests/unit/test.h"

#include <stdlib.h>

#define FFFD "\xef\xbf\xbd"

/* `lossy` NULL: valid, hence equal to `in`. The replacements are those of
 * Node's Buffer.toString(). */
static const struct row {
    const char *name, *in;
    size_t len;
    const char *lossy;
} rows[] = {
/* clang-format off */
#define GOOD(name, in) { name, in, sizeof(in) - 1, NULL }
#define POOR(name, in, lossy) { name, in, sizeof(in) - 1, lossy }
    GOOD("empty", ""),
    GOOD("ascii", "42[\"hello\"]"),
    GOOD("0x7f", "\x7f"),
    GOOD("long ascii", "0123456789012345678901234567890123456789"),
    GOOD("U+0080", "\xc2\x80"),
    GOOD("U+07FF", "\xdf\xbf"),
    GOOD("U+0800", "\xe0\xa0\x80"),
    GOOD("U+D7FF", "\xed\x9f\xbf"),
    GOOD("U+E000", "\xee\x80\x80"),
    GOOD("U+FFFF", "\xef\xbf\xbf"),
    GOOD("U+10000", "\xf0\x90\x80\x80"),
    GOOD("U+3FFFF", "\xf0\xbf\xbf\xbf"),
    GOOD("U+40000", "\xf1\x80\x80\x80"),
    GOOD("U+10FFFF", "\xf4\x8f\xbf\xbf"),
    GOOD("byte order mark stays", "\xef\xbb\xbf" "a"),
    GOOD("mixed", "abcdefgh\xc3\xa9ijklmnop\xe2\x82\xac\xf0\x9f\x98\x80q"),

    POOR("lone trail 80", "\x80", FFFD),
    POOR("lone trail bf", "a\xbf" "b", "a" FFFD "b"),
    POOR("trail after character", "\xc3\xa9\x80", "\xc3\xa9" FFFD),
    POOR("overlong C0 80", "\xc0\x80", FFFD FFFD),
    POOR("overlong C1 BF", "\xc1\xbf", FFFD FFFD),
    POOR("overlong E0 9F BF", "\xe0\x9f\xbf", FFFD FFFD FFFD),
    POOR("overlong F0 8F BF BF", "\xf0\x8f\xbf\xbf", FFFD FFFD FFFD FFFD),
    POOR("surrogate U+D800", "\xed\xa0\x80", FFFD FFFD FFFD),
    POOR("surrogate U+DFFF", "\xed\xbf\xbf", FFFD FFFD FFFD),
    POOR("U+110000", "\xf4\x90\x80\x80", FFFD FFFD FFFD FFFD),
    POOR("F5", "\xf5\x80\x80\x80", FFFD FFFD FFFD FFFD),
    POOR("F8", "\xf8\x88\x80\x80\x80", FFFD FFFD FFFD FFFD FFFD),
    POOR("FE FF", "\xfe\xff", FFFD FFFD),
    POOR("ends after C3", "a\xc3", "a" FFFD),
    POOR("ends after E2 82", "a\xe2\x82", "a" FFFD),
    POOR("ends after F0 9F 98", "a\xf0\x9f\x98", "a" FFFD),
    POOR("ends after E0", "\xe0", FFFD),
    POOR("ends after ED", "\xed", FFFD),
    POOR("ends after F0", "\xf0", FFFD),
    POOR("ends after F4", "\xf4", FFFD),
    POOR("C3 before ascii", "\xc3" "a", FFFD "a"),
    POOR("E2 82 before ascii", "\xe2\x82" "a", FFFD "a"),
    POOR("F0 9F 98 before a lead", "\xf0\x9f\x98\xc3\xa9", FFFD "\xc3\xa9"),
    POOR("E2 82 before E2 82 AC", "\xe2\x82\xe2\x82\xac", FFFD "\xe2\x82\xac"),
    POOR("F1 80 before F1 80", "\xf1\x80\xf1\x80", FFFD FFFD),
    POOR("Unicode table 3-8", "\x61\xf1\x80\x80\xe1\x80\xc2\x62\x80\x63\x80\xbf"
         "\x64", "a" FFFD FFFD FFFD "b" FFFD "c" FFFD FFFD "d"),
    POOR("Unicode table 3-11", "\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41",
         FFFD FFFD FFFD FFFD "A"),
    POOR("far behind ascii", "0123456789abcdef\xff", "0123456789abcdef" FFFD),
    /* clang-format on */
};

/* Cut in three at every pair of places. */
static void check_feed(const struct row *r)
{
    for (size_t i = 0; i <= r->len; i++)
        for (size_t k = i; k <= r->len; k++) {
            struct utf8 u;
            bool ok, again;

            utf8_init(&u);
            ok = utf8_feed(&u, r->in, i);
            ok = utf8_feed(&u, r->in + i, k - i) && ok;
            ok = utf8_feed(&u, r->in + k, r->len - k) && ok;
            again = utf8_feed(&u, "a", 1);
            CHECK(ok || !again, "false must stay false");
            utf8_init(&u);
            utf8_feed(&u, r->in, i);
            utf8_feed(&u, r->in + i, k - i);
            ok = utf8_feed(&u, r->in + k, r->len - k) && utf8_done(&u);
            CHECK(ok == !r->lossy, "cut at %zu and %zu: %d", i, k, ok);
        }
}

/* Behind 0 to 8 characters, so that each row meets each word boundary. */
static void check_lossy(const struct row *r)
{
    const char *want = r->lossy ? r->lossy : r->in;
    size_t want_len = r->lossy ? strlen(r->lossy) : r->len;

    for (size_t before = 0; before <= 8; before++) {
        char in[100] = "--------";
        struct grow g;

        memcpy(in + before, r->in, r->len);
        CHECK(utf8_valid(in, before + r->len) == !r->lossy, "utf8_valid");
        grow_init(&g, 1000);
        CHECK(utf8_append_lossy(&g, in, before + r->len) == SIO_OK, "lossy");
        CHECK(g.len == before + want_len &&
                  (!g.len || memcmp(g.data, in, before) == 0) &&
                  (!want_len || memcmp(g.data + before, want, want_len) == 0),
              "got %zu bytes: %.*s", g.len, (int)g.len, (char *)g.data);
        grow_free(&g);
    }
}

static void early(void)
{
    static const char *const bad[] = { "\x80",     "\xc0",        "\xc1",
                                       "\xf5",     "\xff",        "\xe0\x9f",
                                       "\xed\xa0", "\xf0\x8f",    "\xf4\x90",
                                       "\xe1\x41", "\xf1\x80\x41" };

    T_CASE("utf8: refused at the first byte that cannot be right");
    for (size_t i = 0; i < COUNT(bad); i++) {
        size_t n = strlen(bad[i]);
        struct utf8 u;

        utf8_init(&u);
        CHECK(utf8_feed(&u, bad[i], n - 1), "row %zu too early", i);
        CHECK(!utf8_feed(&u, bad[i] + n - 1, 1), "row %zu too late", i);
        CHECK(!utf8_feed(&u, "abc", 3), "row %zu forgotten", i);
        CHECK(!utf8_feed(&u, "", 0), "row %zu forgotten by nothing", i);
        CHECK(!utf8_done(&u), "row %zu done", i);
    }
}

/* ASCII is passed over in blocks; the text ends where its memory ends. */
static void blocks(void)
{
    T_CASE("utf8: one wrong byte anywhere among ASCII");
    for (size_t n = 1; n <= 3 * 64; n++) {
        uint8_t *text = malloc(n);

        memset(text, 0x7f, n);
        CHECK(utf8_valid(text, n), "%zu bytes refused", n);
        for (size_t at = 0; at < n; at++) {
            text[at] = 0x80;
            CHECK(!utf8_valid(text, n), "%zu bytes, wrong at %zu", n, at);
            text[at] = 0x7f;
        }
        free(text);
    }
}

/* utf8_put() is its own reference for every code point there is. */
static void code_points(void)
{
    char text[4];

    T_CASE("utf8: every code point, written and validated");
    for (uint32_t c = 0; c < 0x110000; c++) {
        size_t n = utf8_put(text, c);
        bool surrogate = c >= 0xd800 && c < 0xe000;

        CHECK(n == (c < 0x80      ? 1
                    : c < 0x800   ? 2
                    : c < 0x10000 ? 3
                                  : 4),
              "U+%04X has %zu bytes", (unsigned)c, n);
        CHECK(utf8_valid(text, n) == !surrogate, "U+%04X", (unsigned)c);
        CHECK(!utf8_valid(text, n - 1) || n == 1, "U+%04X cut", (unsigned)c);
    }

    T_CASE("utf8: bytes that utf8_put writes");
    CHECK(utf8_put(text, 0x24) == 1 && text[0] == '$', "U+0024");
    CHECK(utf8_put(text, 0xe9) == 2 && !memcmp(text, "\xc3\xa9", 2), "U+00E9");
    CHECK(utf8_put(text, 0x20ac) == 3 && !memcmp(text, "\xe2\x82\xac", 3),
          "U+20AC");
    CHECK(utf8_put(text, 0xd83d) == 3 && !memcmp(text, "\xed\xa0\xbd", 3),
          "U+D83D");
    CHECK(utf8_put(text, 0x1f600) == 4 && !memcmp(text, "\xf0\x9f\x98\x80", 4),
          "U+1F600");
}

static void failures(void)
{
    struct grow g;

    T_CASE("utf8: nothing may be at NULL (found by fuzzing)");
    grow_init(&g, 8);
    CHECK(utf8_valid(NULL, 0), "valid");
    CHECK(utf8_append_lossy(&g, NULL, 0) == SIO_OK && !g.data, "lossy");

    T_CASE("utf8: over the limit, what was there stays");
    grow_init(&g, 8);
    CHECK(utf8_append_lossy(&g, "ab\xff", 3) == SIO_OK, "fits");
    CHECK(utf8_append_lossy(&g, "\xff", 1) == SIO_OK, "on the limit");
    CHECK(utf8_append_lossy(&g, "", 0) == SIO_OK, "nothing fits");
    grow_free(&g);
    CHECK(utf8_append_lossy(&g, "ab\xff", 3) == SIO_OK, "fits");
    CHECK(utf8_append_lossy(&g, "c\xff", 2) == SIO_E_LIMIT, "one past");
    CHECK(g.len == 5 && !memcmp(g.data, "ab" FFFD, 5), "%zu", g.len);
    grow_free(&g);

    T_CASE("utf8: out of memory, what was there stays");
    for (long n = 0;; n++) {
        char text[200];
        int r;

        memset(text, '\xff', sizeof text);
        grow_init(&g, 10000);
        CHECK(grow_append(&g, "ab", 2) == SIO_OK, "append");
        oom_arm(n);
        r = utf8_append_lossy(&g, text, sizeof text);
        if (!oom_disarm()) {
            CHECK(n > 2 && r == SIO_OK, "%ld allocations, %d", n, r);
            break;
        }
        CHECK(r == SIO_E_NOMEM && g.len == 2 && !memcmp(g.data, "ab", 2),
              "got %d, %zu bytes", r, g.len);
        grow_free(&g);
    }
    grow_free(&g);
}

int main(void)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        T_CASE("utf8: %s", rows[i].name);
        check_feed(&rows[i]);
        check_lossy(&rows[i]);
    }
    early();
    blocks();
    code_points();
    failures();
    return t_done();
}
