/*
 * test_base_base64.c -- base64 both ways; what decoding makes of odd input is
 * what Node's Buffer.from(text, "base64") makes of it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/base/base64.h"
#include "tests/unit/test.h"

#include <stdlib.h>

static const struct row {
    const char *bytes;
    size_t n;
    const char *text, *url;
} both[] = {
    /* RFC 4648 10 */
    { "", 0, "", "" },
    { "f", 1, "Zg==", "Zg" },
    { "fo", 2, "Zm8=", "Zm8" },
    { "foo", 3, "Zm9v", "Zm9v" },
    { "foob", 4, "Zm9vYg==", "Zm9vYg" },
    { "fooba", 5, "Zm9vYmE=", "Zm9vYmE" },
    { "foobar", 6, "Zm9vYmFy", "Zm9vYmFy" },

    { "\0", 1, "AA==", "AA" },
    { "\0\0\0", 3, "AAAA", "AAAA" },
    { "\xff\xff\xff", 3, "////", "____" },
    { "\xfb\xef\xbe", 3, "++++", "----" },
    { "\xff\xfe", 2, "//4=", "__4" },
    { "\1\2\3\4", 4, "AQIDBA==", "AQIDBA" },
};

static const struct odd {
    const char *name, *text;
    size_t len;
    const char *want;
} odd[] = {
#define ODD(name, text, want)              \
    {                                      \
        name, text, sizeof(text) - 1, want \
    }
    ODD("no padding", "Zm9vYg", "foob"),
    ODD("half the padding", "Zm9vYg=", "foob"),
    ODD("too much padding", "Zm9vYg====", "foob"),
    ODD("only padding", "====", ""),
    ODD("the first = ends the text", "Zg==Zm9v", "f"),
    ODD("= at once", "=Zm9v", ""),
    ODD("= after one digit", "Z=m9v", ""),
    ODD("= after three digits", "Zm9=Zm9v", "fo"),
    ODD("one digit is nothing", "Z", ""),
    ODD("one digit behind a group", "Zm9vY", "foo"),
    ODD("left-over bits are dropped", "Zh==", "f"),
    ODD("blanks", " Z m\t9 v\r\n", "foo"),
    ODD("line end between groups", "Zm9v\r\nYmFy\r\n", "foobar"),
    ODD("line end inside a group", "Zm9vY\nmFyZm9v", "foobarfoo"),
    ODD("signs of no alphabet", "Z*m.9,v!", "foo"),
    ODD("next to the alphabet", "Z@[`{:mzA", "f\x6c\xc0"),
    ODD("NUL is skipped", "Zm\0009v", "foo"),
    ODD("bytes above ASCII",
        "Zm\xc3\xa9"
        "9v\xff",
        "foo"),
    ODD("both alphabets mixed", "+-/_", "\xfb\xef\xff"),
    ODD("nothing legal", "*.*.*.*.", ""),
};

static void check_decode(const char *text, size_t len, const char *want,
                         size_t n)
{
    size_t got;
    char *in = malloc(len + 1), *out = malloc(BASE64_MAX_BYTES(len));

    memcpy(in, text, len);
    got = base64_decode(out, in, len);
    CHECK(got == n && memcmp(out, want, n) == 0, "%.*s: got %zu: %.*s",
          (int)len, text, got, (int)got, out);
    got = base64_decode(in, in, len);
    CHECK(got == n && memcmp(in, want, n) == 0, "in place: got %zu", got);
    free(in);
    free(out);
}

static void every_length(void)
{
    uint8_t bytes[100], back[BASE64_MAX_BYTES(BASE64_LEN(100))];
    char text[BASE64_LEN(100)];

    T_CASE("base64: there and back, every length to 100");
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 167 + 13);
    for (size_t n = 0; n <= sizeof bytes; n++) {
        size_t len = base64_encode(text, bytes, n);

        CHECK(len == BASE64_LEN(n), "%zu characters for %zu bytes", len, n);
        CHECK(base64_decode(back, text, len) == n && !memcmp(back, bytes, n),
              "%zu bytes", n);
        len = base64url_encode(text, bytes, n);
        CHECK(len == (n * 4 + 2) / 3, "%zu characters for %zu bytes", len, n);
        CHECK(base64_decode(back, text, len) == n && !memcmp(back, bytes, n),
              "%zu bytes, url", n);
    }
}

/* Each of the 256 bytes is worth its place in the alphabet, or nothing. */
static void every_byte(void)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    T_CASE("base64: the worth of every byte");
    for (int c = 0; c < 256; c++) {
        char text[] = { 'A', (char)c, 'A', 'A', 'A' };
        const char *at = memchr(digits,
                                c == '-'   ? '+'
                                : c == '_' ? '/'
                                           : c,
                                sizeof digits - 1);
        uint8_t out[6];
        size_t n = base64_decode(out, text, sizeof text);

        if (c == '=')
            CHECK(n == 0, "'=': %zu", n);
        else if (at)
            CHECK(n == 3 && out[0] == (at - digits) >> 4 &&
                      out[1] == (((at - digits) << 4) & 0xff),
                  "'%c': %zu", c, n);
        else
            CHECK(n == 3 && !out[0] && !out[1], "%02x: %zu", c, n);
    }
}

int main(void)
{
    for (size_t i = 0; i < COUNT(both); i++) {
        const struct row *r = &both[i];
        char text[12];
        size_t n;

        T_CASE("base64: \"%s\"", r->text);
        n = base64_encode(text, r->bytes, r->n);
        CHECK(n == strlen(r->text) && !memcmp(text, r->text, n), "encode");
        n = base64url_encode(text, r->bytes, r->n);
        CHECK(n == strlen(r->url) && !memcmp(text, r->url, n), "url");
        check_decode(r->text, strlen(r->text), r->bytes, r->n);
        check_decode(r->url, strlen(r->url), r->bytes, r->n);
    }
    for (size_t i = 0; i < COUNT(odd); i++) {
        T_CASE("base64: %s", odd[i].name);
        check_decode(odd[i].text, odd[i].len, odd[i].want, strlen(odd[i].want));
    }
    T_CASE("base64: nothing may be at NULL");
    CHECK(base64_decode(NULL, NULL, 0) == 0, "decode");
    CHECK(base64_encode(NULL, NULL, 0) == 0, "encode");
    every_length();
    every_byte();
    return t_done();
}
