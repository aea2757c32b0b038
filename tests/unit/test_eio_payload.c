/*
 * test_eio_payload.c -- polling bodies, as the table in the Engine.IO 4
 * reference has them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/engineio/payload.h"
#include "tests/unit/oom.h"
#include "tests/unit/test.h"

#include <stdlib.h>

/* `want` spells the packets: <type digit>(data), b(data) when binary, "!"
 * where decoding fails. */
struct row {
    const char *name;
    sio_str body;
    const char *want;
};

/* clang-format off */
#define RS "\x1e"
#define ROW(name, body, want) { name, { body, sizeof(body) - 1 }, want }

static const struct row rows[] = {
    ROW("one", "4hello", "4(hello)"),
    ROW("E194: three texts", "4test1" RS "4test2" RS "4test3",
        "4(test1)4(test2)4(test3)"),
    ROW("E195: text and binary", "4hello" RS "bYWJjZA==", "4(hello)b(abcd)"),
    ROW("binary first", "bYWJj" RS "bZGVm" RS "2", "b(abc)b(def)2()"),
    ROW("empty binary", "b", "b()"),
    ROW("empty binaries", "b" RS "b", "b()b()"),
    ROW("empty messages", "4" RS "4", "4()4()"),
    ROW("close between", "4a" RS "1" RS "4b", "4(a)1()4(b)"),
    ROW("base64 ends at =, packet at the separator", "bYQ==x" RS "4x",
        "b(a)4(x)"),
    ROW("E3.1: empty body", "", "!"),
    ROW("E3.1: unknown type", "abc", "!"),
    ROW("E3.1: trailing separator", "4hello" RS, "4(hello)!"),
    ROW("E3.1: leading separator", RS "4a", "!"),
    ROW("two separators", "4a" RS RS "4b", "4(a)!"),
    ROW("nothing behind the bad one", "4a" RS "7x" RS "4b", "4(a)!"),
    ROW("only a separator", RS, "!"),
};
/* clang-format on */

static void tell(char *out, size_t size, const struct eio_packet *p)
{
    size_t n = strlen(out);

    snprintf(out + n, size - n, "%c(%.*s)",
             p->binary ? 'b' : eio_packet_digit(p->type), (int)p->data.n,
             p->data.p);
}

/* Decode a copy that ends where the body ends. */
static void decode(sio_str body, char *out, size_t size)
{
    char *copy = malloc(body.n ? body.n : 1);
    struct eio_payload it;
    struct eio_packet p;
    int r;

    if (body.n)
        memcpy(copy, body.p, body.n);
    *out = 0;
    eio_payload_init(&it, copy, body.n);
    while ((r = eio_payload_next(&it, &p)) > 0)
        tell(out, size, &p);
    if (r < 0)
        snprintf(out + strlen(out), size - strlen(out), "!");
    CHECK(eio_payload_next(&it, &p) == 0, "goes on behind its end");
    free(copy);
}

static void run(const struct row *r)
{
    char got[256];

    T_CASE("payload: %s", r->name);
    decode(r->body, got, sizeof got);
    CHECK(strcmp(got, r->want) == 0, "got %s, want %s", got, r->want);
}

/* Cut anywhere, the packets before the one that was cut stay the same. */
static void run_cut(const struct row *r)
{
    T_CASE("payload: %s, cut everywhere", r->name);
    for (size_t cut = 0; cut < r->body.n; cut++) {
        char whole[256], part[256];
        const char *last = r->body.p;
        sio_str before;

        for (size_t i = 0; i < cut; i++)
            if (r->body.p[i] == EIO_SEPARATOR)
                last = r->body.p + i;
        before = (sio_str){ r->body.p, (size_t)(last - r->body.p) };
        decode(before, whole, sizeof whole);
        decode((sio_str){ r->body.p, cut }, part, sizeof part);
        if (before.n && !strchr(whole, '!'))
            CHECK(strncmp(part, whole, strlen(whole)) == 0,
                  "cut at %zu: %s does not begin with %s", cut, part, whole);
    }
    CHECK(1, "no overrun");
}

static void test_append(void)
{
    struct grow out;

    T_CASE("payload: written");
    grow_init(&out, 100);
    CHECK(eio_payload_append(&out, EIO_PACKET_OPEN, STR("{}")) == 0, "open");
    CHECK(eio_payload_append(&out, EIO_PACKET_MESSAGE, STR("hi")) == 0, "hi");
    CHECK(eio_payload_append_binary(&out, STR("\1\2\3\4")) == 0, "binary");
    CHECK(eio_payload_append_binary(&out, (sio_str){ NULL, 0 }) == 0, "b");
    CHECK(eio_payload_append(&out, EIO_PACKET_NOOP, (sio_str){ NULL, 0 }) == 0,
          "noop");
    CHECK(str_eq(grow_str(&out),
                 STR("0{}" RS "4hi" RS "bAQIDBA==" RS "b" RS "6")),
          "got %.*s", (int)out.len, (char *)out.data);
    grow_free(&out);
}

/* On the limit, and one past it. */
static void test_limits(void)
{
    struct grow out;

    T_CASE("payload: limits");
    grow_init(&out, 6);
    CHECK(eio_payload_append(&out, EIO_PACKET_MESSAGE, STR("123456")) ==
                  SIO_E_LIMIT &&
              out.len == 0,
          "7 of 6");
    CHECK(eio_payload_append(&out, EIO_PACKET_MESSAGE, STR("12345")) == 0,
          "6 of 6");
    CHECK(eio_payload_append(&out, EIO_PACKET_NOOP, STR("")) == SIO_E_LIMIT &&
              out.len == 6,
          "8 of 6");
    grow_free(&out);
    grow_init(&out, 6);
    eio_payload_append(&out, EIO_PACKET_MESSAGE, STR("1234"));
    CHECK(eio_payload_append(&out, EIO_PACKET_NOOP, STR("")) == SIO_E_LIMIT &&
              out.len == 5,
          "7 of 6, room for the separator");
    grow_free(&out);
    grow_init(&out, 8);
    eio_payload_append(&out, EIO_PACKET_MESSAGE, STR("a"));
    CHECK(eio_payload_append_binary(&out, STR("1234")) == SIO_E_LIMIT &&
              out.len == 2,
          "12 of 8");
    CHECK(eio_payload_append_binary(&out, STR("123")) == 0 && out.len == 8,
          "8 of 8");
    grow_free(&out);
}

static void test_oom(void)
{
    struct grow out;

    T_CASE("payload: out of memory");
    grow_init(&out, 100);
    oom_arm(0);
    CHECK(eio_payload_append(&out, EIO_PACKET_NOOP, STR("")) == SIO_E_NOMEM,
          "text");
    CHECK(oom_disarm() && out.len == 0, "len %zu", out.len);
    oom_arm(0);
    CHECK(eio_payload_append_binary(&out, STR("a")) == SIO_E_NOMEM, "binary");
    CHECK(oom_disarm() && out.len == 0, "len %zu", out.len);
    grow_free(&out);
}

int main(void)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        run(&rows[i]);
        run_cut(&rows[i]);
    }
    test_append();
    test_limits();
    test_oom();
    return t_done();
}
