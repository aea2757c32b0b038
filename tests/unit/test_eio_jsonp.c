/*
 * test_eio_jsonp.c -- what polling by script tags puts around a payload.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/base/str.h"
#include "protocol/engineio/jsonp.h"
#include "tests/unit/exact.h"
#include "tests/unit/oom.h"
#include "tests/unit/test.h"

#include <stdint.h>

/* clang-format off */
#define S(text) { text, sizeof(text) - 1 }

static const struct {
    sio_str in, want;
} unescape[] = {
    { S(""), S("") },
    { S("6:4hello"), S("6:4hello") },
    { S("\\n"), S("\n") },
    { S("\\\\n"), S("\\n") },
    { S("\\\\\\n"), S("\\\\n") },
    { S("\\\\\\\\n"), S("\\\\\\n") },
    { S("4:4a\\nb"), S("4:4a\nb") },
    { S("a\\n\\nb\\\\nc"), S("a\n\nb\\nc") },
    { S("\\"), S("\\") },
    { S("\\\\"), S("\\\\") },
    { S("\\\\\\"), S("\\\\\\") },
    { S("a\\tb\\\\t"), S("a\\tb\\\\t") },
    { S("n\\"), S("n\\") },
    { S("\nn"), S("\nn") },
    { S("\0\\n\0"), S("\0\n\0") },
};

static const struct {
    const char *name;
    sio_str index, payload, want;
} wrap[] = {
    { "E3.2: open", S("5"), S("0{\"sid\":1}"),
      S("___eio[5](\"0{\\\"sid\\\":1}\");") },
    { "empty", S(""), S(""), S("___eio[](\"\");") },
    { "several digits", S("120"), S("1:6"), S("___eio[120](\"1:6\");") },
    { "only the digits of j", S("1](alert(2));//x"), S("1:6"),
      S("___eio[12](\"1:6\");") },
    { "E3.2: line separator", S("0"), S("a\xe2\x80\xa8" "b"),
      S("___eio[0](\"a\\u2028b\");") },
    { "E3.2: paragraph separator", S("0"), S("\xe2\x80\xa9"),
      S("___eio[0](\"\\u2029\");") },
    { "many separators", S("0"),
      S("\xe2\x80\xa8\xe2\x80\xa9" "abc\xe2\x80\xa8\xe2\x80\xa8"),
      S("___eio[0](\"\\u2028\\u2029abc\\u2028\\u2028\");") },
    { "their neighbours", S("0"),
      S("\xe2\x80\xa7\xe2\x80\xaa\xe2\x81\xa8\xe1\x80\xa8\xe2\x82\xa8"),
      S("___eio[0](\"\xe2\x80\xa7\xe2\x80\xaa\xe2\x81\xa8\xe1\x80\xa8"
        "\xe2\x82\xa8\");") },
    { "a neighbour behind a separator", S("0"),
      S("\xe2\x80\xa8\xe1\x80\xa8\xe2\x81\xa8"),
      S("___eio[0](\"\\u2028\xe1\x80\xa8\xe2\x81\xa8\");") },
    { "what JSON escapes", S("0"), S("a\n\"\\\1</script>"),
      S("___eio[0](\"a\\n\\\"\\\\\\u0001</script>\");") },
};
/* clang-format on */

static void test_unescape(void)
{
    for (size_t i = 0; i < COUNT(unescape); i++) {
        sio_str in = unescape[i].in, want = unescape[i].want;
        char *copy = exact_copy(in.p, in.n);
        size_t n = eio_jsonp_unescape(copy, in.n);

        T_CASE("jsonp: unescape %s", shown(in.p, in.n));
        CHECK(str_eq((sio_str){ copy, n }, want), "got %.*s", (int)n, copy);
        free(copy);
    }
    T_CASE("jsonp: unescape nothing");
    CHECK(eio_jsonp_unescape(NULL, 0) == 0, "no bytes");
}

/* As Node does it: newlines first, then the double backslashes. */
static size_t two_passes(const char *in, size_t n, char *out)
{
    char mid[16];
    size_t m = 0, w = 0;

    for (size_t i = 0; i < n; i++) {
        if (n - i >= 3 && memcmp(in + i, "\\\\n", 3) == 0) {
            memcpy(mid + m, in + i, 3);
            m += 3;
            i += 2;
        } else if (n - i >= 2 && memcmp(in + i, "\\n", 2) == 0) {
            mid[m++] = '\n';
            i++;
        } else {
            mid[m++] = in[i];
        }
    }
    for (size_t i = 0; i < m; i++)
        if (m - i < 3 || memcmp(mid + i, "\\\\n", 3) != 0)
            out[w++] = mid[i];
    return w;
}

static void test_every_text(void)
{
    T_CASE("jsonp: unescape every text of 8 from backslash, n, newline");
    for (unsigned code = 0; code < 6561; code++) {
        char in[8], want[16], *copy;
        size_t n, m;

        for (unsigned i = 0, c = code; i < 8; i++, c /= 3)
            in[i] = "\\n\n"[c % 3];
        m = two_passes(in, 8, want);
        copy = exact_copy(in, 8);
        n = eio_jsonp_unescape(copy, 8);
        CHECK(n == m && !memcmp(copy, want, n), "text %u", code);
        free(copy);
    }
}

static void test_wrap(void)
{
    for (size_t i = 0; i < COUNT(wrap); i++) {
        sio_str want = wrap[i].want;
        struct grow out;

        T_CASE("jsonp: wrap, %s", wrap[i].name);
        grow_init(&out, 200);
        grow_append(&out, "\xe2\x80\xa8", 3); /* not ours: stays */
        CHECK(eio_jsonp_append(&out, wrap[i].index, wrap[i].payload) == 0,
              "failed");
        CHECK(out.len == 3 + want.n && !memcmp(out.data, "\xe2\x80\xa8", 3) &&
                  !memcmp(out.data + 3, want.p, want.n),
              "got %.*s", (int)out.len, (char *)out.data);
        grow_free(&out);
    }
}

static void test_limits(void)
{
    const sio_str payload = STR("\"\xe2\x80\xa8");
    const size_t want = sizeof "___eio[5](\"\\\"\\u2028\");" - 1;

    T_CASE("jsonp: limits");
    for (size_t max = 1; max <= want + 1; max++) {
        struct grow out;
        int r;

        grow_init(&out, max);
        grow_append_byte(&out, 'x');
        r = eio_jsonp_append(&out, STR("5"), payload);
        CHECK(r == (max <= want ? SIO_E_LIMIT : SIO_OK), "%zu: got %d", max, r);
        CHECK(out.len == (r < 0 ? 1 : want + 1), "len %zu", out.len);
        grow_free(&out);
    }
    T_CASE("jsonp: payload is not UTF-8");
    {
        struct grow out;

        grow_init(&out, 100);
        CHECK(eio_jsonp_append(&out, STR("5"), STR("a\xff")) == SIO_E_INVAL &&
                  out.len == 0,
              "len %zu", out.len);
        grow_free(&out);
    }
}

static void test_oom(void)
{
    char payload[300];
    bool failed;
    long n = 0;

    T_CASE("jsonp: out of memory");
    for (size_t i = 0; i < sizeof payload; i++)
        payload[i] = "\xe2\x80\xa8"[i % 3];
    do {
        struct grow out;
        int r;

        grow_init(&out, SIZE_MAX);
        oom_arm(n++);
        r = eio_jsonp_append(&out, STR("1"),
                             (sio_str){ payload, sizeof payload });
        failed = oom_disarm();
        CHECK(r == (failed ? SIO_E_NOMEM : SIO_OK), "got %d", r);
        CHECK(!failed || out.len == 0, "len %zu", out.len);
        grow_free(&out);
    } while (failed);
    CHECK(n > 3, "%ld allocations", n - 1);
}

int main(void)
{
    test_unescape();
    test_every_text();
    test_wrap();
    test_limits();
    test_oom();
    return t_done();
}
