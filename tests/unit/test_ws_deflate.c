/*
 * test_ws_deflate.c -- compressed messages: the examples of RFC 7692, each row
 * cut in two at every byte and fed byte by byte; round trips with every window;
 * limits; memory.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/base/str.h"
#include "protocol/websocket/deflate.h"
#include "tests/unit/exact.h"
#include "tests/unit/oom.h"
#include "tests/unit/test.h"

#include <stdint.h>

#define LIMIT 300 /* of every row */

/* Messages one after another in one stream, and what comes out: one text for
 * each, or how it fails. */
struct row {
    const char *name;
    bool takeover;
    struct {
        sio_str in;
        int want;
        sio_str out;
    } message[3];
    size_t n;
};

/* clang-format off */
#define S(text) { text, sizeof(text) - 1 }
#define OUT(in, out) { S(in), SIO_OK, S(out) }
#define FAILS(in, error) { S(in), error, S("") }
#define ONE(name, message) { name, true, { message }, 1 }
#define TWO(name, takeover, first, second) \
    { name, takeover, { first, second }, 2 }
#define HELLO "\xf2\x48\xcd\xc9\xc9\x07\x00"
#define AGAIN "\xf2\x00\x11\x00\x00"           /* all of it from the window */
#define FINAL "\xf3\x48\xcd\xc9\xc9\x07\x00"   /* BFINAL is set */

static const struct row rows[] = {
    ONE("RFC 7692 7.2.3.1: one block", OUT(HELLO, "Hello")),
    TWO("RFC 7692 7.2.3.2: sharing the window", true, OUT(HELLO, "Hello"),
        OUT(AGAIN, "Hello")),
    TWO("RFC 7692 7.2.3.2: without takeover", false, OUT(HELLO, "Hello"),
        OUT(HELLO, "Hello")),
    TWO("without takeover there is no window to share", false,
        OUT(HELLO, "Hello"), FAILS(AGAIN, SIO_E_INVAL)),
    ONE("RFC 7692 7.2.3.3: no compression",
        OUT("\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", "Hello")),
    ONE("RFC 7692 7.2.3.4: BFINAL", OUT(FINAL "\x00", "Hello")),
    TWO("BFINAL, then a message of the same window", true,
        OUT(FINAL "\x00", "Hello"), OUT(AGAIN, "Hello")),
    TWO("BFINAL and nothing behind it", true, OUT("\xf3\x48\xcd\xc9\xc9\x07\x00",
        "Hello"), OUT(AGAIN, "Hello")),
    ONE("BFINAL, then another stream", OUT(FINAL HELLO, "HelloHello")),
    ONE("BFINAL thrice", OUT(FINAL FINAL FINAL, "HelloHelloHello")),
    ONE("RFC 7692 7.2.3.5: two blocks",
        OUT("\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", "Hello")),
    ONE("RFC 7692 7.2.3.6: empty", OUT("\x00", "")),
    TWO("empty between", true, OUT("\x00", ""), OUT(HELLO, "Hello")),
    ONE("no bytes at all", OUT("", "")),
    TWO("no bytes at all, between", true, OUT(HELLO, "Hello"), OUT("", "")),
    ONE("empty, the tail not stripped",
        OUT("\x00\x00\x00\xff\xff\x00", "")),

    ONE("no block of that type", FAILS("\x07", SIO_E_INVAL)),
    ONE("stored length does not match", FAILS("\x00\x05\x00\x00\x00Hello\x00",
        SIO_E_INVAL)),
    ONE("E5.3: garbage", FAILS("test", SIO_E_INVAL)),
    ONE("ends inside a block", FAILS("\xf2\x48\xcd", SIO_E_INVAL)),
    ONE("ends inside a stored block", FAILS("\x00\x05\x00\xfa\xffHel",
        SIO_E_INVAL)),
    ONE("no room for the tail", FAILS("\x00\x05\x00\xfa\xffHello",
        SIO_E_INVAL)),
    ONE("distance from before the beginning", FAILS(AGAIN, SIO_E_INVAL)),
    ONE("a zlib header", FAILS("\x78\x9c\xf2\x48\xcd\xc9\xc9\x07\x00",
        SIO_E_INVAL)),
    /* Huffman codes of 1 to 15 bits for a to o, 15 ones for the block's end;
     * the 32 bits of the tail are 16 a, the end, and one bit of a header */
    ONE("a block ends inside the tail",
        FAILS("\x04\xe0\x01\x92\x24\x49\x92\x2c\x4b\x9e\x15\x89\x45\xcd\x23"
              "\xab\xe7\xfd\xbd\x3f\x00\x00\xc0\x22", SIO_E_INVAL)),
    ONE("garbage behind BFINAL", FAILS(FINAL "\x07", SIO_E_INVAL)),
};
/* clang-format on */

static int inflate_cut(struct ws_inflater *f, sio_str in, size_t cut,
                       struct grow *out)
{
    int r = SIO_OK;

    for (size_t at = 0; r == SIO_OK && at < in.n; at += cut) {
        const size_t n = in.n - at < cut ? in.n - at : cut;
        char *copy = exact_copy(in.p + at, n);

        r = ws_inflate(f, copy, n, false, out);
        free(copy);
    }
    return r == SIO_OK ? ws_inflate(f, NULL, 0, true, out) : r;
}

/* In pieces of `cut` bytes. */
static void run(const struct row *row, size_t cut)
{
    struct ws_inflater f;

    ws_inflater_init(&f, 0, row->takeover);
    for (size_t i = 0; i < row->n; i++) {
        struct grow out;
        int r;

        grow_init(&out, LIMIT);
        r = inflate_cut(&f, row->message[i].in, cut, &out);
        CHECK(r == row->message[i].want, "message %zu, pieces of %zu: got %d",
              i, cut, r);
        if (r == SIO_OK)
            CHECK(str_eq(grow_str(&out), row->message[i].out),
                  "message %zu, pieces of %zu: got %.*s", i, cut, (int)out.len,
                  (char *)out.data);
        CHECK((r == SIO_OK && row->takeover) || !f.z, "memory stays");
        grow_free(&out);
    }
    ws_inflater_free(&f);
}

/* With `last` on the final piece, instead of an empty one behind it. */
static void run_whole(const struct row *row)
{
    struct ws_inflater f;

    ws_inflater_init(&f, 15, row->takeover);
    for (size_t i = 0; i < row->n; i++) {
        struct grow out;
        int r;

        grow_init(&out, LIMIT);
        r = ws_inflate(&f, row->message[i].in.p, row->message[i].in.n, true,
                       &out);
        CHECK(r == row->message[i].want, "message %zu: got %d", i, r);
        CHECK(r != SIO_OK || str_eq(grow_str(&out), row->message[i].out),
              "message %zu: got %.*s", i, (int)out.len, (char *)out.data);
        grow_free(&out);
    }
    ws_inflater_free(&f);
}

/* ---------------------------------------------------------- round trips -- */

/* Text that repeats itself at many distances: words, and what a byte code of
 * `seed` makes of them. */
static char *make_text(size_t n, uint32_t seed)
{
    static const char word[] = "{\"name\":\"value\",\"list\":[1,22,333]}";
    char *text = malloc(n ? n : 1);

    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        text[i] = seed >> 29 == 0              ? (char)(seed >> 16)
                  : i > 700 && seed >> 30 == 1 ? text[i - 240 - seed % 460]
                                               : word[i % (sizeof word - 1)];
    }
    return text;
}

struct pair {
    struct ws_deflater d;
    struct ws_inflater f;
};

static void pair_init(struct pair *p, unsigned bits, bool takeover, int level)
{
    ws_deflater_init(&p->d, bits, takeover, level);
    ws_inflater_init(&p->f, bits, takeover);
}

static void pair_free(struct pair *p)
{
    ws_deflater_free(&p->d);
    ws_inflater_free(&p->f);
}

/* Inflate with so little room in the output that zlib has to look matches up
 * in its window: what is beyond the negotiated one is an error then. */
static int inflate_strictly(struct ws_inflater *f, sio_str in, struct grow *out)
{
    struct grow small;
    int r = SIO_OK;

    for (size_t i = 0; r == SIO_OK && i <= in.n; i++) {
        grow_init(&small, SIZE_MAX);
        r = ws_inflate(f, in.p + i, i < in.n, i == in.n, &small);
        if (r == SIO_OK)
            r = grow_append(out, small.data, small.len);
        grow_free(&small);
    }
    return r;
}

static void check_round_trip(struct pair *p, size_t n, uint32_t seed)
{
    char *text = make_text(n, seed);
    struct grow packed, out;

    grow_init(&packed, SIZE_MAX);
    grow_init(&out, n);
    CHECK(ws_deflate(&p->d, text, n, &packed) == SIO_OK, "%zu bytes", n);
    CHECK(n < 2000 || packed.len < n, "%zu bytes became %zu", n, packed.len);
    CHECK(inflate_strictly(&p->f, grow_str(&packed), &out) == SIO_OK,
          "%zu bytes do not inflate", n);
    CHECK(out.len == n && (!n || !memcmp(out.data, text, n)),
          "%zu bytes became other %zu", n, out.len);
    CHECK(p->f.takeover || !p->f.z, "memory stays");
    grow_free(&packed);
    grow_free(&out);
    free(text);
}

static void test_round_trips(void)
{
    static const size_t size[] = { 5, 0, 1, 255, 256, 257, 5000, 0, 40000, 5 };

    for (unsigned bits = 8; bits <= 15; bits++)
        for (int takeover = 0; takeover < 2; takeover++) {
            struct pair p;

            T_CASE("deflate: %u window bits, %s takeover", bits,
                   takeover ? "with" : "without");
            pair_init(&p, bits, takeover, WS_DEFLATE_DEFAULT_LEVEL);
            for (size_t i = 0; i < COUNT(size); i++)
                check_round_trip(&p, size[i], (uint32_t)i / 3);
            pair_free(&p);
        }
    for (int level = 0; level <= 9; level++) {
        struct pair p;

        T_CASE("deflate: level %d", level);
        pair_init(&p, 0, true, level);
        for (size_t i = 0; i < 6; i++) {
            const size_t n = level ? size[i] : size[i] % 1000;

            check_round_trip(&p, n, 7);
        }
        pair_free(&p);
    }
}

/* That the round trips above would notice a window too large. */
static void test_window_too_large(void)
{
    char *text = make_text(5000, 1);

    T_CASE("inflate: a peer that exceeds its window is refused");
    for (unsigned bits = 8; bits < 10; bits++) {
        struct ws_deflater d;
        struct ws_inflater f;
        struct grow packed, out;

        ws_deflater_init(&d, 10, false, WS_DEFLATE_DEFAULT_LEVEL);
        ws_inflater_init(&f, bits, false);
        grow_init(&packed, SIZE_MAX);
        grow_init(&out, 5000);
        CHECK(ws_deflate(&d, text, 5000, &packed) == SIO_OK, "10 bits");
        CHECK(inflate_strictly(&f, grow_str(&packed), &out) == SIO_E_INVAL,
              "%u bits", bits);
        ws_deflater_free(&d);
        grow_free(&packed);
        grow_free(&out);
    }
    free(text);
}

static void test_levels(void)
{
    static const int level[] = { 0, 1, 9 };
    char *text = make_text(5000, 1);
    size_t len[COUNT(level)];

    T_CASE("deflate: a higher level, a shorter message");
    for (size_t i = 0; i < COUNT(level); i++) {
        struct ws_deflater d;
        struct grow packed;

        ws_deflater_init(&d, 15, false, level[i]);
        grow_init(&packed, SIZE_MAX);
        CHECK(ws_deflate(&d, text, 5000, &packed) == SIO_OK, "failed");
        len[i] = packed.len;
        ws_deflater_free(&d);
        grow_free(&packed);
    }
    CHECK(len[0] > 5000 && 5000 > len[1] && len[1] > len[2], "%zu, %zu, %zu",
          len[0], len[1], len[2]);
    free(text);
}

static void test_window(void)
{
    struct pair p;
    struct grow packed;
    size_t alone;

    T_CASE("deflate: with takeover a repeated message costs little");
    pair_init(&p, 15, true, WS_DEFLATE_DEFAULT_LEVEL);
    grow_init(&packed, SIZE_MAX);
    CHECK(ws_deflate(&p.d, "Hello", 5, &packed) == SIO_OK &&
              str_eq(grow_str(&packed), STR(HELLO)),
          "RFC 7692 7.2.3.1: %zu bytes", packed.len);
    packed.len = 0;
    CHECK(ws_deflate(&p.d, "Hello", 5, &packed) == SIO_OK &&
              str_eq(grow_str(&packed), STR(AGAIN)),
          "RFC 7692 7.2.3.2: %zu bytes", packed.len);
    packed.len = 0;
    CHECK(ws_deflate(&p.d, "", 0, &packed) == SIO_OK &&
              str_eq(grow_str(&packed), STR("\0")),
          "RFC 7692 7.2.3.6: %zu bytes", packed.len);
    pair_free(&p);

    T_CASE("deflate: without takeover each message stands alone");
    pair_init(&p, 15, false, WS_DEFLATE_DEFAULT_LEVEL);
    packed.len = 0;
    CHECK(ws_deflate(&p.d, "Hello", 5, &packed) == SIO_OK, "first");
    alone = packed.len;
    CHECK(ws_deflate(&p.d, "Hello", 5, &packed) == SIO_OK &&
              packed.len == 2 * alone &&
              !memcmp(packed.data, packed.data + alone, alone),
          "%zu bytes, then %zu", alone, packed.len - alone);
    pair_free(&p);
    grow_free(&packed);
}

/* --------------------------------------------------------------- limits -- */

/* n zeros, deflated. */
static void pack_zeros(struct grow *packed, size_t n)
{
    struct ws_deflater d;
    char *zeros = calloc(1, n);

    grow_init(packed, SIZE_MAX);
    ws_deflater_init(&d, 15, false, 9);
    CHECK(ws_deflate(&d, zeros, n, packed) == SIO_OK, "%zu zeros", n);
    ws_deflater_free(&d);
    free(zeros);
}

static void test_inflate_limit(void)
{
    static const size_t size[] = { 1, 2, 63, 64, 1023, 1024, 1025, 5000 };

    T_CASE("inflate: on the limit, one below and one past it");
    for (size_t i = 0; i < COUNT(size); i++) {
        struct grow packed;

        pack_zeros(&packed, size[i]);
        for (size_t max = size[i] - 1; max <= size[i] + 1; max++)
            for (size_t cut = 1; cut <= packed.len; cut++) {
                struct ws_inflater f;
                struct grow out;
                int r;

                ws_inflater_init(&f, 15, true);
                grow_init(&out, max);
                r = inflate_cut(&f, grow_str(&packed), cut, &out);
                CHECK(r == (max < size[i] ? SIO_E_LIMIT : SIO_OK),
                      "%zu of %zu, pieces of %zu: got %d", size[i], max, cut,
                      r);
                CHECK(out.len == (r == SIO_OK ? size[i] : max) &&
                          out.cap <= max,
                      "len %zu, cap %zu", out.len, out.cap);
                CHECK(r == SIO_OK || !f.z, "memory stays");
                ws_inflater_free(&f);
                grow_free(&out);
            }
        grow_free(&packed);
    }
}

/* Output may wait in zlib for room when the input is used up, even when the
 * stream then ends for good. */
static void test_last_block_at_capacity(void)
{
    T_CASE("inflate: a last block that fills the output");
    for (size_t n = 1000; n < 4200; n += n % 1024 < 1020 ? 12 : 1) {
        struct ws_inflater f;
        struct grow packed, out;

        pack_zeros(&packed, n);
        packed.data[0] |= 1; /* BFINAL */
        ws_inflater_init(&f, 15, true);
        grow_init(&out, n);
        CHECK(inflate_cut(&f, grow_str(&packed), packed.len, &out) == SIO_OK,
              "%zu zeros", n);
        CHECK(out.len == n, "%zu zeros became %zu", n, out.len);
        ws_inflater_free(&f);
        grow_free(&out);
        grow_free(&packed);
    }
}

static void test_bomb(void)
{
    struct ws_inflater f;
    struct grow packed, out;

    T_CASE("inflate: CVE-2016-10544: a bomb costs its limit");
    pack_zeros(&packed, 100 << 20);
    CHECK(packed.len < 200 << 10, "%zu bytes", packed.len);
    ws_inflater_init(&f, 15, false);
    grow_init(&out, 1000000);
    CHECK(ws_inflate(&f, packed.data, packed.len, true, &out) == SIO_E_LIMIT,
          "not refused");
    CHECK(out.cap <= 1000000 && !f.z, "cap %zu", out.cap);
    grow_free(&out);
    grow_free(&packed);
}

/* A megabyte of streams that end at once: each must cost next to nothing. */
static void test_many_streams(void)
{
    const size_t n = 1 << 20;
    char *in = malloc(n);
    struct ws_inflater f;
    struct grow out;

    T_CASE("CVE-2026-128131 inflate: half a million last blocks in a message");
    for (size_t i = 0; i < n; i++)
        in[i] = i & 1 ? 0 : 3;
    ws_inflater_init(&f, 15, true);
    grow_init(&out, LIMIT);
    CHECK(ws_inflate(&f, HELLO, sizeof HELLO - 1, true, &out) == SIO_OK,
          "the window");
    CHECK(ws_inflate(&f, in, n, true, &out) == SIO_OK, "failed");
    CHECK(ws_inflate(&f, AGAIN, sizeof AGAIN - 1, true, &out) == SIO_OK &&
              str_eq(grow_str(&out), STR("HelloHello")),
          "the window is lost");
    ws_inflater_free(&f);
    grow_free(&out);
    free(in);
}

static void test_deflate_limit(void)
{
    static const size_t size[] = { 0, 1, 5, 100, 3000, 70000 };

    for (size_t i = 0; i < COUNT(size); i++) {
        const size_t n = size[i];
        char *text = make_text(n, 3);
        struct ws_deflater d;
        struct grow packed, out;
        size_t need;

        T_CASE("deflate: limits, %zu bytes", n);
        ws_deflater_init(&d, 15, false, WS_DEFLATE_DEFAULT_LEVEL);
        grow_init(&packed, SIZE_MAX);
        ws_deflate(&d, text, n, &packed);
        need = packed.len + (n ? WS_DEFLATE_SLACK : 0);
        for (size_t max = 1; max <= need + 20;
             max += max + 20 < need && need > 200 ? need / 50 : 1) {
            int r;

            grow_init(&out, max);
            grow_append_byte(&out, 'x');
            r = ws_deflate(&d, text, n, &out);
            CHECK(r == (max < 1 + need ? SIO_E_LIMIT : SIO_OK),
                  "%zu of %zu: got %d", need + 1, max, r);
            CHECK(out.len == (r == SIO_OK ? 1 + packed.len : 1) &&
                      out.data[0] == 'x',
                  "len %zu", out.len);
            CHECK(r < 0 || !memcmp(out.data + 1, packed.data, packed.len),
                  "other bytes");
            grow_free(&out);
        }
        ws_deflater_free(&d);
        grow_free(&packed);
        free(text);
    }
}

/* --------------------------------------------------------------- memory -- */

static void test_inflate_oom(void)
{
    struct grow packed;
    bool failed;
    long n = 0;

    T_CASE("inflate: out of memory");
    pack_zeros(&packed, 5000);
    do {
        struct ws_inflater f;
        struct grow out;
        int r;

        ws_inflater_init(&f, 15, true);
        grow_init(&out, 5000);
        oom_arm(n++);
        r = ws_inflate(&f, packed.data, packed.len, true, &out);
        failed = oom_disarm();
        CHECK(r == (failed ? SIO_E_NOMEM : SIO_OK), "%ld: got %d", n, r);
        CHECK(!failed || !f.z, "memory stays");
        out.len = 0;
        r = ws_inflate(&f, HELLO, sizeof HELLO - 1, true, &out);
        CHECK(r == SIO_OK && str_eq(grow_str(&out), STR("Hello")),
              "%ld: not usable: %d", n, r);
        ws_inflater_free(&f);
        grow_free(&out);
    } while (failed);
    CHECK(n > 5, "%ld allocations", n - 1);
    grow_free(&packed);
}

/* A message that failed leaves nothing in the window that the peer lacks. */
static void test_deflate_oom(void)
{
    static const char text[] = "a text, a text, a longer text";
    bool failed;
    long n = 0;

    T_CASE("deflate: out of memory");
    do {
        struct pair p;
        struct grow packed, out;
        int r;

        pair_init(&p, 15, true, WS_DEFLATE_DEFAULT_LEVEL);
        grow_init(&packed, SIZE_MAX);
        grow_init(&out, LIMIT);
        oom_arm(n++);
        r = ws_deflate(&p.d, text, sizeof text, &packed);
        failed = oom_disarm();
        CHECK(r == (failed ? SIO_E_NOMEM : SIO_OK), "%ld: got %d", n, r);
        CHECK(!failed || (!p.d.z && packed.len == 0), "something stays");
        packed.len = 0;
        if (!failed)
            ws_deflater_free(&p.d); /* the peer saw nothing here either */
        CHECK(ws_deflate(&p.d, text, sizeof text, &packed) == SIO_OK,
              "%ld: not usable", n);
        r = ws_inflate(&p.f, packed.data, packed.len, true, &out);
        CHECK(r == SIO_OK &&
                  str_eq(grow_str(&out), (sio_str){ text, sizeof text }),
              "%ld: got %d", n, r);
        grow_free(&packed);
        grow_free(&out);
        pair_free(&p);
    } while (failed);
    CHECK(n > 5, "%ld allocations", n - 1);
}

static void test_init_free(void)
{
    const long before = oom_count();
    struct pair p;

    T_CASE("deflate: a codec costs nothing until it is used");
    pair_init(&p, 15, true, WS_DEFLATE_DEFAULT_LEVEL);
    CHECK(ws_inflate(&p.f, NULL, 0, true, NULL) == SIO_OK, "nothing to do");
    CHECK(oom_count() == before, "%ld allocations", oom_count() - before);
    pair_free(&p);
    pair_free(&p);
    CHECK(!p.f.z && !p.d.z, "freed twice");
}

/* Bytes that do not compress are the most that the output has to hold. */
static void test_one_growth(bool takeover)
{
    uint8_t noise[3][5000];
    uint32_t seed = 1;
    struct ws_deflater d;

    T_CASE("deflate: %s takeover a message allocates its output, once",
           takeover ? "with" : "without");
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i / 5000][i % 5000] =
            (uint8_t)((seed = seed * 1664525u + 1013904223u) >> 24);
    ws_deflater_init(&d, 15, takeover, WS_DEFLATE_DEFAULT_LEVEL);
    for (int i = 0; i < 3; i++) {
        struct grow packed;
        long before, n;

        grow_init(&packed, SIZE_MAX);
        before = oom_count();
        CHECK(ws_deflate(&d, noise[i], 5000, &packed) == SIO_OK, "failed");
        n = oom_count() - before;
        CHECK(i == 0 || n == 1, "%ld allocations", n);
        CHECK(packed.len > 5000, "%zu bytes", packed.len);
        grow_free(&packed);
    }
    ws_deflater_free(&d);
}

static int inflate_hello(struct ws_inflater *f, const char *in, size_t n)
{
    struct grow out;
    int r;

    grow_init(&out, LIMIT);
    grow_reserve(&out, 2000); /* so that no growth of it is counted */
    r = ws_inflate(f, in, n, true, &out);
    if (r == SIO_OK)
        CHECK(str_eq(grow_str(&out), STR("Hello")), "%.*s", (int)out.len,
              (char *)out.data);
    grow_free(&out);
    return r;
}

/* Two connections in turn, with windows of their own size. */
static void test_spare(void)
{
    struct ws_spare spare = { NULL };
    struct ws_inflater a, b;
    struct ws_deflater d;
    struct grow out, in;
    long before = 0;
    char *text;

    T_CASE("inflate: without takeover the memory is handed on");
    ws_inflater_init(&a, 15, false);
    ws_inflater_init(&b, 15, false);
    ws_inflater_share(&a, &spare);
    ws_inflater_share(&b, &spare);
    for (int i = 0; i < 4; i++) {
        if (i == 1)
            before = oom_count();
        CHECK(inflate_hello(i & 1 ? &a : &b, HELLO, sizeof HELLO - 1) == SIO_OK,
              "message %d", i);
        CHECK(!a.z && !b.z && spare.z, "not given back");
    }
    /* the room of the output, three times */
    CHECK(oom_count() - before == 3, "%ld allocations", oom_count() - before);

    T_CASE("inflate: handed on without what it remembers");
    CHECK(inflate_hello(&a, AGAIN, sizeof AGAIN - 1) == SIO_E_INVAL,
          "another's window");
    CHECK(!a.z && !spare.z, "kept after a failure");

    T_CASE("inflate: two messages under way, one spare");
    grow_init(&out, LIMIT);
    CHECK(inflate_hello(&a, HELLO, sizeof HELLO - 1) == SIO_OK, "the spare");
    CHECK(ws_inflate(&a, HELLO, 3, false, &out) == SIO_OK, "the first half");
    CHECK(a.z && !spare.z, "not taken");
    CHECK(inflate_hello(&b, HELLO, sizeof HELLO - 1) == SIO_OK, "the other");
    CHECK(!b.z && spare.z, "not given back");
    CHECK(ws_inflate(&a, &HELLO[3], sizeof HELLO - 4, true, &out) == SIO_OK &&
              str_eq(grow_str(&out), STR("Hello")),
          "the second half");
    CHECK(!a.z && spare.z, "one too many");
    grow_free(&out);

    T_CASE("inflate: handed on to a smaller window, it is as small");
    text = make_text(5000, 1);
    grow_init(&out, SIZE_MAX);
    ws_deflater_init(&d, 10, false, WS_DEFLATE_DEFAULT_LEVEL);
    CHECK(ws_deflate(&d, text, 5000, &out) == SIO_OK, "10 bits");
    ws_deflater_free(&d);
    free(text);
    grow_init(&in, SIZE_MAX);
    CHECK(inflate_strictly(&a, grow_str(&out), &in) == SIO_OK, "15 bits");
    ws_inflater_init(&b, 8, false);
    ws_inflater_share(&b, &spare);
    CHECK(inflate_strictly(&b, grow_str(&out), &in) == SIO_E_INVAL, "8 bits");
    grow_free(&in);
    grow_free(&out);
    ws_inflater_free(&a);
    ws_inflater_free(&b);
    ws_spare_free(&spare);
    ws_spare_free(&spare);
    CHECK(!spare.z, "not freed");
}

int main(void)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        T_CASE("inflate: %s", rows[i].name);
        run_whole(&rows[i]);
        T_CASE("inflate: %s, cut everywhere", rows[i].name);
        for (size_t cut = 1; cut < 16; cut++)
            run(&rows[i], cut);
    }
    test_round_trips();
    test_window_too_large();
    test_levels();
    test_window();
    test_inflate_limit();
    test_last_block_at_capacity();
    test_bomb();
    test_many_streams();
    test_deflate_limit();
    test_inflate_oom();
    test_deflate_oom();
    test_init_free();
    test_one_growth(true);
    test_one_growth(false);
    test_spare();
    return t_done();
}
