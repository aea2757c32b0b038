/*
 * test_sp_msgpack_plain.c -- MessagePack without the extensions of the npm
 * parser. R and a number in a name is an item of the list of tests with Node's
 * adapters.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/socketio/msgpack.h"
#include "tests/unit/exact.h"
#include "tests/unit/oom.h"
#include "tests/unit/test.h"

/* clang-format off */
#define S(literal) { literal, sizeof(literal) - 1 }

static const struct row {
    const char *name;
    sio_str bytes, want;
} rows[] = {
    { "scalars stay", S("\x97\xc0\xc3\x07\xcb\x3f\xf8\0\0\0\0\0\0\xa1x\xc4\x01\xff\xcc\x01"),
      S("\x97\xc0\xc3\x07\xcb\x3f\xf8\0\0\0\0\0\0\xa1x\xc4\x01\xff\xcc\x01") },
    { "a scalar alone", S("\x05"), S("\x05") },
    { "empty ones", S("\x92\x90\x80"), S("\x92\x90\x80") },
    { "R22: undefined in an array", S("\x92\xd4\0\0\x01"), S("\x92\xc0\x01") },
    { "R22: undefined alone", S("\xd4\0\0"), S("\xc0") },
    { "R22: an undefined member is left out", S("\x82\xa1" "a\xd4\0\0\xa1" "b\x01"), S("\x81\xa1" "b\x01") },
    { "the only member", S("\x91\x81\xa1" "a\xd4\0\0"), S("\x91\x80") },
    { "the last member, deeper", S("\x82\xa1" "a\x81\xa1x\xd4\0\0\xa1" "b\xd4\0\0"), S("\x81\xa1" "a\x80") },
    { "a map of 16 bits", S("\xde\0\x02\xa1" "a\xd4\0\0\xa1" "b\x01"), S("\xde\0\x01\xa1" "b\x01") },
    { "a map of 32 bits", S("\xdf\0\0\0\x02\xa1" "a\xd4\0\0\xa1" "b\x01"), S("\xdf\0\0\0\x01\xa1" "b\x01") },
    { "R22: an ArrayBuffer", S("\x91\xc7\x02\0\x09\x08"), S("\x91\xc4\x02\x09\x08") },
    { "ArrayBuffers, longer heads", S("\x92\xc8\0\x01\0\x09\xc9\0\0\0\x01\0\x09"), S("\x92\xc4\x01\x09\xc4\x01\x09") },
    { "R21: the npm parser's date", S("\xd7\0\0\0\x01\x8b\xcf\xe5\x68\0"), S("\xd6\xff\x65\x53\xf1\0") },
    { "R21: with milliseconds", S("\xd7\0\0\0\x01\x8b\xcf\xe5\x68\x7b"), S("\xd7\xff\x1d\x53\x53\0\x65\x53\xf1\0") },
    { "R21: before 1970", S("\xd7\0\xff\xff\xff\xff\xff\xff\xff\xff"),
      S("\xc7\x0c\xff\x3b\x8b\x87\xc0\xff\xff\xff\xff\xff\xff\xff\xff") },
    { "the last second of 34 bits", S("\xd7\0\0\0\x0f\x9f\xff\xff\xfc\x18"),
      S("\xd7\xff\0\0\0\x03\xff\xff\xff\xff") },
    { "one past it", S("\xd7\0\0\0\x0f\xa0\0\0\0\0"),
      S("\xc7\x0c\xff\0\0\0\0\0\0\0\x04\0\0\0\0") },
    { "a date beyond JavaScript's", S("\xd7\0\0\x1e\xb2\x08\xc2\xdc\0\x01"), S("\xc0") },
    { "a timestamp stays", S("\xd6\xff\x65\x53\xf1\0"), S("\xd6\xff\x65\x53\xf1\0") },
    { "R22: another extension", S("\xc7\x02\x05\x01\xff"), S("\x92\x05\xc4\x02\x01\xff") },
    { "another extension as a member", S("\x81\xa1" "a\xd4\x85\x07"), S("\x81\xa1" "a\x92\xd0\x85\xc4\x01\x07") },
    { "keys that are no strings", S("\x84\xc0\x01\xc3\x02\xc2\x03\x05\x04"),
      S("\x84\xa4null\x01\xa4true\x02\xa5" "false\x03\x05\x04") },
};
/* clang-format on */

static void run(const struct row *row)
{
    char *copy = exact_copy(row->bytes.p, row->bytes.n);
    const sio_str bytes = { copy, row->bytes.n };
    struct grow out;
    int r = SIO_E_LIMIT;

    T_CASE("plain MessagePack: %s", row->name);
    for (size_t max = 0; max <= 1 + row->want.n && r != SIO_OK; max++) {
        grow_init(&out, 1 + max);
        grow_append_byte(&out, '!');
        r = mp_append_plain(&out, bytes);
        CHECK(r == SIO_OK || (r == SIO_E_LIMIT && out.len == 1), "%d", r);
        if (r == SIO_OK)
            CHECK(str_eq((sio_str){ (char *)out.data + 1, out.len - 1 },
                         row->want),
                  "%s", shown((char *)out.data + 1, out.len - 1));
        grow_free(&out);
    }
    CHECK(r == SIO_OK, "%d", r);
    for (size_t n = 0; n < bytes.n; n++) { /* not that anybody should */
        char *cut = exact_copy(row->bytes.p, n);

        grow_init(&out, SIZE_MAX);
        r = mp_append_plain(&out, (sio_str){ cut, n });
        CHECK(r == SIO_E_INVAL && out.len == 0, "cut at %zu: %d", n, r);
        grow_free(&out);
        free(cut);
    }
    free(copy);
}

static void test_deep(void)
{
    static char deep[1002];
    struct grow out;

    T_CASE("plain MessagePack: as deep as there is");
    memset(deep, '\x91', 1000);
    deep[1000] = '\x90';
    grow_init(&out, SIZE_MAX);
    CHECK(mp_append_plain(&out, (sio_str){ deep, 1001 }) == SIO_OK &&
              out.len == 1001,
          "%zu", out.len);
    out.len = 0;
    deep[1000] = '\x91';
    deep[1001] = '\x01';
    CHECK(mp_append_plain(&out, (sio_str){ deep, 1002 }) == SIO_E_INVAL &&
              out.len == 0,
          "deeper than that");
    grow_free(&out);
}

static void test_oom(void)
{
    const sio_str bytes = S("\x82\xa1"
                            "a\xc7\x02\0\x09\x08\xa1"
                            "b\xd4\0\0");
    struct grow out;

    T_CASE("plain MessagePack: no memory");
    grow_init(&out, SIZE_MAX);
    oom_arm(0);
    CHECK(mp_append_plain(&out, bytes) == SIO_E_NOMEM, "it went well");
    CHECK(oom_disarm() && out.len == 0, "%zu", out.len);
    grow_free(&out);
}

int main(void)
{
    for (size_t i = 0; i < COUNT(rows); i++)
        run(&rows[i]);
    test_deep();
    test_oom();
    return t_done();
}
