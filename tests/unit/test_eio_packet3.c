/*
 * test_eio_packet3.c -- Engine.IO 3 packets, in a frame of their own.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/base/str.h"
#include "protocol/engineio/packet3.h"
#include "tests/unit/exact.h"
#include "tests/unit/oom.h"
#include "tests/unit/test.h"

/* `want` is 1 with what the packet is, 0 or SIO_E_INVAL. */
struct row {
    const char *name;
    bool frame_binary;
    sio_str in;
    int want;
    enum eio_type type;
    bool binary;
    sio_str data;
};

/* clang-format off */
#define S(text) { text, sizeof(text) - 1 }
#define TEXT(name, in, type, data) \
    { name, false, S(in), 1, EIO_PACKET_##type, false, S(data) }
#define BASE64(name, in, type, data) \
    { name, false, S(in), 1, EIO_PACKET_##type, true, S(data) }
#define BINARY(name, in, type, data) \
    { name, true, S(in), 1, EIO_PACKET_##type, true, S(data) }
#define NOT(name, binary, in, want) \
    { name, binary, S(in), want, EIO_PACKET_OPEN, false, S("") }

static const struct row rows[] = {
    TEXT("open", "0{}", OPEN, "{}"),
    TEXT("close", "1", CLOSE, ""),
    TEXT("ping", "2", PING, ""),
    TEXT("probe", "2probe", PING, "probe"),
    TEXT("pong", "3", PONG, ""),
    TEXT("message", "4hello", MESSAGE, "hello"),
    TEXT("empty message", "4", MESSAGE, ""),
    TEXT("NUL in a message", "4\0", MESSAGE, "\0"),
    TEXT("upgrade", "5", UPGRADE, ""),
    TEXT("noop", "6", NOOP, ""),
    NOT("empty text", false, "", SIO_E_INVAL),
    NOT("text of type 7", false, "7x", SIO_E_INVAL),
    NOT("text of type 9", false, "9", SIO_E_INVAL),
    NOT("text of type /", false, "/", SIO_E_INVAL),
    NOT("text of a letter", false, "abc", SIO_E_INVAL),
    NOT("text of a type byte", false, "\4hello", SIO_E_INVAL),

    BASE64("E3.2: base64", "b4AQIDBA==", MESSAGE, "\1\2\3\4"),
    BASE64("E3.2: base64 of nothing", "b4", MESSAGE, ""),
    BASE64("E3.2: base64 that is none", "b4!!", MESSAGE, ""),
    BASE64("base64 ping", "b2YQ==", PING, "a"),
    BASE64("base64 of the last type", "b6", NOOP, ""),
    NOT("E3.2: base64 without a type is ignored", false, "b", 0),
    NOT("base64 of type 7 is ignored", false, "b7AQID", 0),
    NOT("base64 of type b is ignored", false, "bbAQID", 0),
    NOT("base64 of a type byte is ignored", false, "b\4AQID", 0),

    BINARY("E204: binary", "\4\1\2\3\4", MESSAGE, "\1\2\3\4"),
    BINARY("empty binary", "\4", MESSAGE, ""),
    BINARY("binary of the first type", "\0x", OPEN, "x"),
    BINARY("binary of the last type", "\6x", NOOP, "x"),
    NOT("empty binary frame is ignored", true, "", 0),
    NOT("binary of type 7 is ignored", true, "\7x", 0),
    NOT("binary of type 255 is ignored", true, "\xffx", 0),
    NOT("binary of a type digit is ignored", true, "4hello", 0),
};
/* clang-format on */

static int decode(const struct row *row, char *in, size_t n,
                  struct eio_packet *out)
{
    return row->frame_binary
               ? eio_packet3_decode_binary((sio_str){ in, n }, out)
               : eio_packet3_decode_text(in, n, out);
}

static void run(const struct row *row)
{
    static const struct eio_packet none = { EIO_NPACKETS, true, { "?", 1 } };
    char *in = exact_copy(row->in.p, row->in.n);
    struct eio_packet p = none;
    int r = decode(row, in, row->in.n, &p);

    T_CASE("packet3: %s", row->name);
    CHECK(r == row->want, "got %d, want %d", r, row->want);
    if (row->want == 1)
        CHECK(p.type == row->type && p.binary == row->binary &&
                  str_eq(p.data, row->data),
              "got %s, binary %d, (%.*s)", eio_packet_name(p.type), p.binary,
              (int)p.data.n, p.data.p);
    else
        CHECK(p.type == none.type && p.binary && str_eq(p.data, none.data),
              "the packet was touched");
    free(in);
}

/* What is cut off is missing at the end, and nothing else changes. */
static void run_cut(const struct row *row)
{
    T_CASE("packet3: %s, cut everywhere", row->name);
    CHECK(row->in.n < 100, "too long a row");
    for (size_t n = 1; n < row->in.n; n++) {
        char *in = exact_copy(row->in.p, n);
        struct eio_packet p;
        int r = decode(row, in, n, &p);

        if (row->want == 1 && (n > 1 || in[0] != EIO_BINARY)) {
            CHECK(r == 1 && p.type == row->type, "%zu: got %d", n, r);
            CHECK(p.data.n <= row->data.n &&
                      (!p.data.n || !memcmp(p.data.p, row->data.p, p.data.n)),
                  "%zu: %zu bytes of data", n, p.data.n);
        } else {
            CHECK(r == row->want || (r == 0 && row->want == 1), "%zu: got %d",
                  n, r);
        }
        free(in);
    }
}

/* No byte of it may be looked at. */
static void test_nothing(void)
{
    char text[] = "b4", bytes[] = "\4";
    struct eio_packet p;

    T_CASE("packet3: no bytes");
    CHECK(eio_packet3_decode_text(text, 0, &p) == SIO_E_INVAL, "text");
    CHECK(eio_packet3_decode_text(NULL, 0, &p) == SIO_E_INVAL, "NULL");
    CHECK(eio_packet3_decode_binary((sio_str){ bytes, 0 }, &p) == 0, "binary");
    CHECK(eio_packet3_decode_binary((sio_str){ NULL, 0 }, &p) == 0, "NULL");
}

static void test_append(void)
{
    struct grow out;

    T_CASE("packet3: written");
    grow_init(&out, 100);
    CHECK(eio_packet3_append_binary(&out, STR("\1\2\3\4")) == 0, "binary");
    CHECK(str_eq(grow_str(&out), STR("\4\1\2\3\4")), "%zu bytes", out.len);
    out.len = 0;
    CHECK(eio_packet3_append_binary(&out, (sio_str){ NULL, 0 }) == 0, "empty");
    CHECK(str_eq(grow_str(&out), STR("\4")), "%zu bytes", out.len);
    out.len = 0;
    CHECK(eio_packet3_append_base64(&out, STR("\1\2\3\4")) == 0, "base64");
    CHECK(str_eq(grow_str(&out), STR("b4AQIDBA==")), "%zu bytes", out.len);
    out.len = 0;
    CHECK(eio_packet3_append_base64(&out, (sio_str){ NULL, 0 }) == 0, "empty");
    CHECK(str_eq(grow_str(&out), STR("b4")), "%zu bytes", out.len);
    grow_free(&out);
}

static void test_limits(void)
{
    struct grow out;

    T_CASE("packet3: limits");
    grow_init(&out, 5);
    CHECK(eio_packet3_append_binary(&out, STR("12345")) == SIO_E_LIMIT &&
              out.len == 0,
          "6 of 5");
    CHECK(eio_packet3_append_base64(&out, STR("1")) == SIO_E_LIMIT &&
              out.len == 0,
          "base64, 6 of 5");
    CHECK(eio_packet3_append_binary(&out, STR("1234")) == 0, "5 of 5");
    grow_free(&out);
    grow_init(&out, 6);
    CHECK(eio_packet3_append_base64(&out, STR("123")) == 0, "base64, 6 of 6");
    grow_free(&out);
}

static void test_oom(void)
{
    struct grow out;

    T_CASE("packet3: out of memory");
    grow_init(&out, 100);
    oom_arm(0);
    CHECK(eio_packet3_append_binary(&out, STR("a")) == SIO_E_NOMEM, "binary");
    CHECK(oom_disarm() && out.len == 0, "len %zu", out.len);
    oom_arm(0);
    CHECK(eio_packet3_append_base64(&out, STR("a")) == SIO_E_NOMEM, "base64");
    CHECK(oom_disarm() && out.len == 0, "len %zu", out.len);
    grow_free(&out);
}

int main(void)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        run(&rows[i]);
        run_cut(&rows[i]);
    }
    test_nothing();
    test_append();
    test_limits();
    test_oom();
    return t_done();
}
