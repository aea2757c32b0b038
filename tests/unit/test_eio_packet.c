/*
 * test_eio_packet.c -- single Engine.IO packets, text and base64.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/engineio/packet.h"
#include "tests/unit/test.h"

#include <stdlib.h>

struct row {
    const char *name;
    sio_str text;
    int type; /* -1: refused */
    bool binary;
    sio_str data;
};

/* clang-format off */
#define S(literal) { literal, sizeof(literal) - 1 }
#define TEXT(name, text, type, data) { name, S(text), type, false, S(data) }
#define BINARY(name, text, data) \
    { name, S(text), EIO_PACKET_MESSAGE, true, S(data) }
#define BAD(name, text) { name, S(text), -1, false, { NULL, 0 } }

static const struct row rows[] = {
    TEXT("open", "0{\"sid\":1}", EIO_PACKET_OPEN, "{\"sid\":1}"),
    TEXT("close", "1", EIO_PACKET_CLOSE, ""),
    TEXT("ping", "2", EIO_PACKET_PING, ""),
    TEXT("probe", "2probe", EIO_PACKET_PING, "probe"),
    TEXT("pong", "3probe", EIO_PACKET_PONG, "probe"),
    TEXT("message", "4hello", EIO_PACKET_MESSAGE, "hello"),
    TEXT("empty message", "4", EIO_PACKET_MESSAGE, ""),
    TEXT("NUL in a message", "4a\0b", EIO_PACKET_MESSAGE, "a\0b"),
    TEXT("separator in a frame means nothing", "4a\x1e" "4b",
         EIO_PACKET_MESSAGE, "a\x1e" "4b"),
    TEXT("upgrade", "5", EIO_PACKET_UPGRADE, ""),
    TEXT("noop", "6", EIO_PACKET_NOOP, ""),
    BINARY("binary", "bAQIDBA==", "\1\2\3\4"),
    BINARY("b alone is empty", "b", ""),
    BINARY("lenient base64, E3.1", "b!!notbase64", "\x9e\x8b\x5b\x6a\xc7\xba"),
    BINARY("both alphabets, E3.1", "bAQID-_", "\1\2\3\xfb"),
    BINARY("the first = ends it", "bAQ==AQ==", "\1"),
    BAD("empty", ""),
    BAD("one past the last type", "7x"),
    BAD("one before the first type", "/x"),
    BAD("letter", "abc"),
    BAD("blank", " 4a"),
    BAD("upper-case B", "BAQID"),
    BAD("NUL", "\0"),
};
/* clang-format on */

static void check(const struct row *r, int got, const struct eio_packet *p)
{
    if (r->type < 0) {
        CHECK(got == SIO_E_INVAL, "got %d", got);
        return;
    }
    CHECK(got == SIO_OK, "got %d", got);
    if (got != SIO_OK)
        return;
    CHECK((int)p->type == r->type, "type %d", (int)p->type);
    CHECK(p->binary == r->binary, "binary %d", p->binary);
    CHECK(str_eq(p->data, r->data), "data %.*s", (int)p->data.n, p->data.p);
}

/* From memory that ends where the packet ends. */
static void run(const struct row *r)
{
    char *copy = malloc(r->text.n + 1);
    char *text = copy + 1; /* malloc(0) has no end to run over */
    struct eio_packet p;
    int got;

    T_CASE("packet: %s", r->name);
    if (r->text.n)
        memcpy(text, r->text.p, r->text.n);
    if (!r->binary) {
        got = eio_packet_decode((sio_str){ text, r->text.n }, &p);
        check(r, got, &p);
    }
    got = eio_packet_decode_in_place(text, r->text.n, &p);
    check(r, got, &p);
    free(copy);
}

static void run_cut(const struct row *r)
{
    T_CASE("packet: %s, cut everywhere", r->name);
    for (size_t cut = 0; cut <= r->text.n; cut++) {
        char *text = malloc(cut ? cut : 1);
        struct eio_packet p;
        int got;

        if (cut)
            memcpy(text, r->text.p, cut);
        got = eio_packet_decode_in_place(text, cut, &p);
        CHECK((got == SIO_OK) == (cut > 0 && r->type >= 0), "cut %zu: got %d",
              cut, got);
        if (got == SIO_OK)
            CHECK(p.data.p >= text && p.data.p + p.data.n <= text + cut,
                  "cut %zu: data leaves the text", cut);
        free(text);
    }
}

static void test_names(void)
{
    static const char *const name[] = { "open",    "close",   "ping", "pong",
                                        "message", "upgrade", "noop" };

    T_CASE("packet: digits and names");
    for (int t = 0; t < EIO_NPACKETS; t++) {
        enum eio_type type = (enum eio_type)t;

        CHECK(eio_packet_digit(type) == '0' + t, "type %d", t);
        CHECK(strcmp(eio_packet_name(type), name[t]) == 0, "got %s",
              eio_packet_name(type));
    }
    CHECK(strcmp(eio_packet_name(EIO_NPACKETS), "?") == 0, "no name");
}

int main(void)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        run(&rows[i]);
        run_cut(&rows[i]);
    }
    test_names();
    return t_done();
}
