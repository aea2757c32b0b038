/*
 * test_ws_message.c -- vectors for the message reader, each one replayed cut
 * in two at every byte and fed byte by byte; then limits, memory, and who owns
 * what was handed out.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/websocket/message.h"
#include "tests/unit/oom.h"
#include "tests/unit/test.h"

#include <stdlib.h>

#define LIMIT 1000 /* max_message of every row */

/* `want` spells the messages: T<text>, B<binary>, I<ping>, O<pong>,
 * C<code reason>, and !code for an error. */
struct row {
    const char *name;
    const char *in;
    size_t len;
    const char *want;
};

/* clang-format off */
#define ROW(name, in, want) { name, in, sizeof(in) - 1, want }
#define NOKEY "\0\0\0\0"
#define LEN125                                                                 \
    "0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz" \
    "0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefg"

static const struct row rows[] = {
    ROW("RFC 6455 5.7: masked hello",
        "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", "T<Hello>"),
    ROW("two messages", "\x81\x81" NOKEY "a\x82\x82" NOKEY "bc", "T<a>B<bc>"),
    ROW("empty text and binary", "\x81\x80" NOKEY "\x82\x80" NOKEY, "T<>B<>"),
    ROW("E7, CVE-2022-21676: garbage after the handshake", "test", "!1002"),

    ROW("RFC 6455 5.7: fragments", "\x01\x83" NOKEY "Hel\x80\x82" NOKEY "lo",
        "T<Hello>"),
    ROW("three fragments, empty ones between",
        "\x02\x80" NOKEY "\0\x81" NOKEY "a\0\x80" NOKEY "\x80\x81" NOKEY "b",
        "B<ab>"),
    ROW("empty fragments only", "\x01\x80" NOKEY "\0\x80" NOKEY
        "\x80\x80" NOKEY, "T<>"),
    ROW("all in the last fragment", "\x01\x80" NOKEY "\x80\x82" NOKEY "ab",
        "T<ab>"),
    ROW("all in the first fragment", "\x01\x82" NOKEY "ab\x80\x80" NOKEY,
        "T<ab>"),
    ROW("one message after another in fragments",
        "\x01\x81" NOKEY "a\x80\x81" NOKEY "b\x02\x81" NOKEY "c\x80\x81" NOKEY
        "d\x81\x81" NOKEY "e", "T<ab>B<cd>T<e>"),
    ROW("ping and pong between fragments",
        "\x01\x81" NOKEY "a\x89\x81" NOKEY "p\x8a\x80" NOKEY
        "\x80\x81" NOKEY "b", "I<p>O<>T<ab>"),
    ROW("close between fragments", "\x01\x81" NOKEY "a\x88\x80" NOKEY,
        "C<1005 >"),
    ROW("continuation of nothing", "\x80\x80" NOKEY, "!1002"),
    ROW("continuation after a message", "\x81\x80" NOKEY "\0\x80" NOKEY,
        "T<>!1002"),
    ROW("text inside a message", "\x01\x80" NOKEY "\x81\x81" NOKEY "a",
        "!1002"),
    ROW("binary inside a message", "\x02\x81" NOKEY "a\x02\x80" NOKEY,
        "!1002"),

    ROW("unmasked", "\x81\x01" "a", "!1002"),
    ROW("rsv1", "\xc1\x80" NOKEY, "!1002"),
    ROW("rsv1 on a fragment", "\x01\x81" NOKEY "a\xc0\x81" NOKEY "b", "!1002"),
    ROW("opcode 3", "\x83\x80" NOKEY, "!1002"),
    ROW("fragmented ping", "\x09\x80" NOKEY, "!1002"),
    ROW("ping of 126", "\x89\xfe\0\x7e" NOKEY, "!1002"),
    ROW("length not in its shortest form", "\x82\xfe\0\x7d" NOKEY, "!1002"),

    ROW("CVE-2016-10518: pong gives back the exact bytes",
        "\x89\x85\1\2\3\4\x49\x67\x6f\x68\x6e", "I<Hello>"),
    ROW("ping of 125", "\x89\xfd" NOKEY LEN125, "I<" LEN125 ">"),
    ROW("ping and pong, one after the other",
        "\x89\x83" NOKEY "abc\x8a\x82" NOKEY "de\x89\x80" NOKEY,
        "I<abc>O<de>I<>"),
    ROW("ping need not be UTF-8", "\x89\x82" NOKEY "\xff\xfe", "I<\xff\xfe>"),

    ROW("UTF-8 across fragments", "\x01\x82" NOKEY "\xe2\x82\x80\x82" NOKEY
        "\xac" "a", "T<\xe2\x82\xac" "a>"),
    ROW("UTF-8 across a ping", "\x01\x81" NOKEY "\xc3\x89\x81" NOKEY
        "x\x80\x81" NOKEY "\xa9", "I<x>T<\xc3\xa9>"),
    ROW("binary need not be UTF-8", "\x82\x82" NOKEY "\xff\xfe",
        "B<\xff\xfe>"),
    ROW("invalid UTF-8", "\x81\x82" NOKEY "a\xff", "!1007"),
    ROW("surrogate", "\x81\x83" NOKEY "\xed\xa0\x80", "!1007"),
    ROW("UTF-8 ends too early", "\x81\x83" NOKEY "a\xe2\x82", "!1007"),
    ROW("UTF-8 ends too early in fragments",
        "\x01\x81" NOKEY "a\x80\x82" NOKEY "\xe2\x82", "!1007"),
    ROW("UTF-8 ends too early before an empty fragment",
        "\x01\x81" NOKEY "\xc3\x80\x80" NOKEY, "!1007"),
    ROW("invalid UTF-8 ends a message early",
        "\x01\x81" NOKEY "\xff\x83\x80" NOKEY, "!1007"),
    ROW("a bad end does not spoil the next message",
        "\x02\x81" NOKEY "\xc3\x80\x80" NOKEY "\x81\x81" NOKEY "a",
        "B<\xc3>T<a>"),

    ROW("close", "\x88\x80" NOKEY, "C<1005 >"),
    ROW("close 1000", "\x88\x82" NOKEY "\x03\xe8", "C<1000 >"),
    ROW("close with reason", "\x88\x85" NOKEY "\x03\xe9" "bye", "C<1001 bye>"),
    ROW("close with 123 bytes of reason",
        "\x88\xfd" NOKEY "\x0f\xa0" "23456789abcdefghijklmnopqrstuvwxyz"
        "0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwx"
        "yz0123456789abcdefg",
        "C<4000 23456789abcdefghijklmnopqrstuvwxyz"
        "0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwx"
        "yz0123456789abcdefg>"),
    ROW("close with half a code", "\x88\x81" NOKEY "\x03", "!1002"),
    ROW("close with half a code behind a ping that ends like one",
        "\x89\x82" NOKEY "\x03\xe8\x88\x81" NOKEY "\x03", "I<\x03\xe8>!1002"),
    ROW("close 999", "\x88\x82" NOKEY "\x03\xe7", "!1002"),
    ROW("close 1005", "\x88\x82" NOKEY "\x03\xed", "!1002"),
    ROW("close 1015", "\x88\x82" NOKEY "\x03\xf7", "!1002"),
    ROW("close 5000", "\x88\x82" NOKEY "\x13\x88", "!1002"),
    ROW("close with a reason that is not UTF-8",
        "\x88\x83" NOKEY "\x03\xe8\xc3", "!1007"),
    ROW("bytes after a close are the caller's matter",
        "\x88\x80" NOKEY "\x81\x81" NOKEY "a", "C<1005 >T<a>"),

    ROW("limit", "\x82\xfe\x03\xe8" NOKEY, ""),
    ROW("limit + 1, from the header", "\x82\xfe\x03\xe9" NOKEY, "!1009"),
    ROW("limit in two fragments", "\x02\x81" NOKEY "a\x80\xfe\x03\xe7" NOKEY,
        ""),
    ROW("limit + 1 in two fragments, from the header",
        "\x02\x81" NOKEY "a\x80\xfe\x03\xe8" NOKEY, "!1009"),
    ROW("CVE-2016-10542: length 2^63-1",
        "\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff" NOKEY, "!1009"),
    ROW("CVE-2016-10542: length 2^63",
        "\x82\xff\x80\0\0\0\0\0\0\0" NOKEY, "!1009"),
    ROW("CVE-2016-10542: length 2^64-1 in a fragment",
        "\x02\x81" NOKEY "a\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff" NOKEY,
        "!1009"),
};
/* clang-format on */

static void tell(char *out, size_t size, const struct ws_message *m)
{
    size_t at = strlen(out);

    out += at;
    size -= at;
    if (m->type == WS_MSG_ERROR)
        snprintf(out, size, "!%u", m->code);
    else if (m->type == WS_MSG_CLOSE)
        snprintf(out, size, "C<%u %.*s>", m->code, (int)m->n, (char *)m->data);
    else if (m->type != WS_MSG_MORE)
        snprintf(out, size, "%c<%.*s>", "-TBIO"[m->type], (int)m -> n,
                 (char *)m -> data);
}

/* That a payload lies where the message says it lies. */
static void check_place(const struct ws_message *m, const uint8_t *in,
                        size_t len)
{
    bool slice = m->data >= in && m->data + m->n <= in + len;

    if (m->type != WS_MSG_MORE && m->type != WS_MSG_ERROR)
        CHECK(m->data && slice == !m->gathered, "slice %d, gathered %d", slice,
              m->gathered);
    if (m->type == WS_MSG_ERROR)
        CHECK(m->why && m->why[0], "no reason given");
}

static void feed(struct ws_reader *r, const char *in, size_t len, char *out,
                 size_t size)
{
    /* exactly `len` bytes, so that asan sees any overrun */
    uint8_t *segment = malloc(len ? len : 1), *p = segment;
    struct ws_message m;

    memcpy(segment, in, len);
    do {
        size_t n = ws_read(r, p, len, &m);

        check_place(&m, segment, (size_t)(p - segment) + len);
        p += n;
        len -= n;
        tell(out, size, &m);
    } while (m.type != WS_MSG_MORE && m.type != WS_MSG_ERROR);
    CHECK(m.type == WS_MSG_ERROR || len == 0, "%zu bytes left over", len);
    free(segment);
}

static void check_final(struct ws_reader *r, const char *want)
{
    uint8_t more[] = "\x81\x80" NOKEY;
    struct ws_message m;
    const char *error = strchr(want, '!');

    if (!error)
        return;
    CHECK(ws_read(r, more, sizeof more - 1, &m) == 0 &&
              m.type == WS_MSG_ERROR &&
              m.code == (unsigned)strtoul(error + 1, NULL, 10),
          "an error must be final, got type %d, code %u", m.type, m.code);
    CHECK(!r->parts.data, "memory kept after an error");
}

static void run_cut(const struct row *row, size_t cut)
{
    struct ws_reader r;
    char out[300] = "";

    ws_reader_init(&r, WS_SERVER, LIMIT);
    feed(&r, row->in, cut, out, sizeof out);
    if (!strchr(out, '!'))
        feed(&r, row->in + cut, row->len - cut, out, sizeof out);
    CHECK(!strcmp(out, row->want), "cut at %zu: got %s", cut, out);
    check_final(&r, row->want);
    ws_reader_free(&r);
}

static void run_bytes(const struct row *row)
{
    struct ws_reader r;
    char out[300] = "";

    ws_reader_init(&r, WS_SERVER, LIMIT);
    for (size_t i = 0; i < row->len && !strchr(out, '!'); i++)
        feed(&r, row->in + i, 1, out, sizeof out);
    CHECK(!strcmp(out, row->want), "byte by byte: got %s", out);
    ws_reader_free(&r);
}

/* The n-th allocation fails: 1011, and no other harm. */
static void run_oom(const struct row *row)
{
    for (long n = 0;; n++) {
        struct ws_reader r;
        char out[300] = "";
        bool failed;

        ws_reader_init(&r, WS_SERVER, LIMIT);
        for (size_t i = 0; i < row->len && !strchr(out, '!'); i++) {
            uint8_t byte = (uint8_t)row->in[i];
            struct ws_message m;
            size_t used = 0;

            if (i == 0)
                oom_arm(n);
            do {
                used += ws_read(&r, &byte + used, 1 - used, &m);
                tell(out, sizeof out, &m);
            } while (m.type != WS_MSG_MORE && m.type != WS_MSG_ERROR);
        }
        failed = oom_disarm();
        CHECK(!failed || strstr(out, "!1011"), "allocation %ld: %s", n, out);
        CHECK(failed || !strcmp(out, row->want), "got %s", out);
        ws_reader_free(&r);
        if (!failed)
            return;
    }
}

/* A frame from a server, as its 125 bytes at most need no mask. */
static size_t frame(uint8_t *out, unsigned first, size_t n)
{
    out[0] = (uint8_t)first;
    out[1] = (uint8_t)n;
    memset(out + 2, 'a', n);
    return n + 2;
}

/* Feeds `count` fragments of n bytes, the last one final. Returns what came
 * of it. */
static struct ws_message read_fragments(struct ws_reader *r, unsigned op,
                                        unsigned count, size_t n)
{
    struct ws_message m = { .type = WS_MSG_MORE };
    uint8_t bytes[127];

    for (unsigned i = 0; i < count && m.type == WS_MSG_MORE; i++) {
        unsigned first = (i == 0 ? op : 0) | (i + 1 == count ? 0x80 : 0);
        size_t len = frame(bytes, first, n), used = ws_read(r, bytes, len, &m);

        CHECK(m.type == WS_MSG_ERROR || used == len, "used %zu", used);
    }
    return m;
}

static void fragment_limit(void)
{
    struct ws_reader r;
    struct ws_message m;
    long before;

    for (size_t n = 0; n < 2; n++) {
        T_CASE("message: CVE-2026-48779, CVE-2026-62389: fragments of %zu", n);
        ws_reader_init(&r, WS_CLIENT, 0);
        before = oom_count();
        m = read_fragments(&r, WS_TEXT, WS_MAX_FRAGMENTS, n);
        CHECK(m.type == WS_MSG_TEXT && m.n == n * WS_MAX_FRAGMENTS, "type %d",
              m.type);
        CHECK(oom_count() - before <= 10, "%ld allocations",
              oom_count() - before);
        CHECK(r.parts.cap <= 2 * n * WS_MAX_FRAGMENTS, "%zu bytes",
              r.parts.cap);
        m = read_fragments(&r, WS_BINARY, WS_MAX_FRAGMENTS, n);
        CHECK(m.type == WS_MSG_BINARY, "the count must begin anew: %d", m.type);
        m = read_fragments(&r, WS_TEXT, WS_MAX_FRAGMENTS + 1, n);
        CHECK(m.type == WS_MSG_ERROR && m.code == 1008, "one past: %d, %u",
              m.type, m.code);
        ws_reader_free(&r);
    }

    T_CASE("message: control frames are no fragments");
    ws_reader_init(&r, WS_CLIENT, 0);
    read_fragments(&r, WS_TEXT, 1, 0);
    for (unsigned i = 0; i <= WS_MAX_FRAGMENTS; i++) {
        m = read_fragments(&r, WS_PING, 1, 0);
        CHECK(m.type == WS_MSG_PING, "ping %u: type %d", i, m.type);
    }
    ws_reader_free(&r);
}

static void size_limit(void)
{
    struct ws_reader r;
    struct ws_message m;

    T_CASE("message: sum of fragments on the limit, and one past");
    ws_reader_init(&r, WS_CLIENT, 500);
    m = read_fragments(&r, WS_BINARY, 5, 100);
    CHECK(m.type == WS_MSG_BINARY && m.n == 500, "type %d, %zu", m.type, m.n);
    m = read_fragments(&r, WS_BINARY, 6, 100);
    CHECK(m.type == WS_MSG_ERROR && m.code == 1009, "type %d", m.type);
    ws_reader_free(&r);

    T_CASE("message: a ping may be longer than the limit");
    ws_reader_init(&r, WS_CLIENT, 1);
    m = read_fragments(&r, WS_PING, 1, 125);
    CHECK(m.type == WS_MSG_PING && m.n == 125, "type %d", m.type);
    ws_reader_free(&r);

    T_CASE("message: no limit");
    ws_reader_init(&r, WS_CLIENT, 0);
    m = read_fragments(&r, WS_TEXT, 16000, 125);
    CHECK(m.type == WS_MSG_TEXT && m.n == 2000000, "type %d, %zu", m.type, m.n);
    ws_reader_free(&r);
}

/* Memory grows with the bytes that came, not with what a header announced. */
static void announced(void)
{
    uint8_t head[] = "\x82\x7f\0\0\0\0\x7f\xff\xff\xff"
                     "abc";
    struct ws_reader r;
    struct ws_message m;

    T_CASE("message: 2 GB announced, 3 bytes sent");
    ws_reader_init(&r, WS_CLIENT, 0);
    ws_read(&r, head, sizeof head - 1, &m);
    CHECK(m.type == WS_MSG_MORE, "type %d", m.type);
    CHECK(r.parts.len == 3 && r.parts.cap <= 64, "%zu bytes", r.parts.cap);
    ws_reader_free(&r);
}

static void ownership(void)
{
    uint8_t in[] = "\x01\x03"
                   "Hel\x80\x02lo",
            ping[] = "\x89\x01p";
    uint8_t text[] = "\x81\x04text";
    struct ws_reader r;
    struct ws_message m;
    uint8_t *taken;
    long before;

    T_CASE("message: a whole frame is a slice, nothing is allocated");
    ws_reader_init(&r, WS_CLIENT, LIMIT);
    before = oom_count();
    CHECK(ws_read(&r, text, sizeof text - 1, &m) == sizeof text - 1, "used");
    CHECK(m.data == text + 2 && m.n == 4 && !m.gathered, "slice");
    CHECK(!ws_reader_take(&r), "nothing to take");
    ws_read(&r, text, 1, &m);
    ws_read(&r, text + 1, sizeof text - 2, &m);
    CHECK(m.data == text + 2 && m.n == 4 && !m.gathered, "header was cut");
    CHECK(oom_count() == before, "%ld allocations", oom_count() - before);

    T_CASE("message: a gathered one may be taken");
    ws_read(&r, in, sizeof in - 1, &m);
    CHECK(m.type == WS_MSG_TEXT && m.gathered, "type %d", m.type);
    taken = ws_reader_take(&r);
    CHECK(taken == m.data, "taken");
    CHECK(!ws_reader_take(&r), "taken twice");
    ws_read(&r, in, 0, &m);
    CHECK(m.type == WS_MSG_MORE && !r.parts.data, "type %d", m.type);
    CHECK(taken && !memcmp(taken, "Hello", 5), "contents");
    free(taken);

    T_CASE("message: else it is freed by the next call");
    ws_read(&r, in, sizeof in - 1, &m);
    CHECK(m.gathered && !memcmp(m.data, "Hello", 5), "contents");
    ws_read(&r, in, 0, &m);
    CHECK(m.type == WS_MSG_MORE && !r.parts.data, "memory at rest");

    T_CASE("message: a ping in pieces is gathered, and not to be taken");
    ws_read(&r, in, 5, &m);
    ws_read(&r, ping, 2, &m);
    ws_read(&r, ping + 2, 1, &m);
    CHECK(m.type == WS_MSG_PING && m.n == 1 && m.data[0] == 'p', "ping");
    CHECK(!ws_reader_take(&r), "parts of the text were given away");
    ws_read(&r, in + 5, sizeof in - 6, &m);
    CHECK(m.type == WS_MSG_TEXT && m.n == 5, "type %d", m.type);
    ws_reader_free(&r);
}

int main(void)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        T_CASE("message: %s", rows[i].name);
        for (size_t cut = 0; cut <= rows[i].len; cut++)
            run_cut(&rows[i], cut);
        run_bytes(&rows[i]);
        run_oom(&rows[i]);
    }
    fragment_limit();
    size_limit();
    announced();
    ownership();
    return t_done();
}
