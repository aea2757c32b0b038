/*
 * test_ws_frame.c -- vectors for the frame decoder, each one replayed cut in
 * two at every byte: where a TCP segment ends must never change the result.
 * Then the encoder, masking, and the shortcut for whole frames.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/websocket/frame.h"
#include "tests/unit/oom.h"
#include "tests/unit/test.h"

#define LIMIT 1024 /* max_frame of every row */

/* `want` spells the events: H<op> with "." for fin and "r" for rsv1, then
 * <payload> in one piece however it was cut, E at the end of the frame,
 * !<err>. */
struct row {
    const char *name;
    const char *in;
    size_t len;
    const char *want;
};

/* clang-format off */
#define ROW(name, in, want) { name, in, sizeof(in) - 1, want }
#define NOKEY "\0\0\0\0"

static const struct row from_client[] = {
    /* the masked "Hello" of RFC 6455 5.7 */
    ROW("hello", "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", "H1.<Hello>E"),
    ROW("empty", "\x81\x80" NOKEY, "H1.<>E"),
    ROW("fragments", "\x01\x81" NOKEY "a\x80\x81" NOKEY "b", "H1<a>EH0.<b>E"),
    ROW("ping between", "\x01\x81" NOKEY "a\x89\x80" NOKEY "\x80\x80" NOKEY,
        "H1<a>EH9.<>EH0.<>E"),
    ROW("key restarts", "\x81\x81\1\2\3\4`\x8a\x81\1\2\3\4`",
        "H1.<a>EH10.<a>E"),
    ROW("key over 17 bytes",
        "\x82\x91\1\2\3\4\x60\x60\x60\x60\x64\x64\x64\x6c\x68\x68\x68\x68"
        "\x6c\x6c\x6c\x74\x70", "H2.<abcdefghijklmnopq>E"),
    ROW("close", "\x88\x82" NOKEY "\x03\xe9", "H8.<\x03\xe9>E"),

    /* every limit: on it, and one past it */
    ROW("7-bit 125", "\x82\xfd" NOKEY, "H2.<"),
    ROW("16-bit 126", "\x82\xfe\0\x7e" NOKEY, "H2.<"),
    ROW("16-bit 125", "\x82\xfe\0\x7d" NOKEY, "!-5"),
    ROW("16-bit 0", "\x82\xfe\0\0" NOKEY, "!-5"),
    ROW("64-bit 65535", "\x82\xff\0\0\0\0\0\0\xff\xff" NOKEY, "!-5"),
    ROW("64-bit 65536", "\x82\xff\0\0\0\0\0\1\0\0" NOKEY, "!-6"),
    ROW("CVE-2016-10542: length 2^63-1",
        "\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff" NOKEY, "!-6"),
    ROW("CVE-2016-10542: length 2^63",
        "\x82\xff\x80\0\0\0\0\0\0\0" NOKEY, "!-6"),
    ROW("CVE-2016-10542: length 2^64-1",
        "\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff" NOKEY, "!-6"),
    ROW("limit", "\x82\xfe\x04\x00" NOKEY, "H2.<"),
    ROW("limit + 1", "\x82\xfe\x04\x01" NOKEY, "!-6"),
    ROW("limit + 1 of a continuation", "\x80\xfe\x04\x01" NOKEY, "!-6"),
    ROW("ping of 125", "\x89\xfd" NOKEY, "H9.<"),
    ROW("ping of 126", "\x89\xfe\0\x7e" NOKEY, "!-4"),
    ROW("close of 64-bit length", "\x88\xff\0\0\0\0\0\1\0\0" NOKEY, "!-4"),

    ROW("rsv1 on text", "\xc1\x80" NOKEY, "H1.r<>E"),
    ROW("rsv1 on binary", "\x42\x80" NOKEY, "H2r<>E"),
    ROW("rsv1 on ping", "\xc9\x80" NOKEY, "!-1"),
    ROW("rsv1 on cont", "\xc0\x80" NOKEY, "!-1"),
    ROW("rsv2", "\xa1\x80" NOKEY, "!-1"),
    ROW("rsv3", "\x91\x80" NOKEY, "!-1"),
    ROW("E7, CVE-2022-21676: plain text", "test", "!-1"),
    ROW("opcode 3", "\x83\x80" NOKEY, "!-2"),
    ROW("opcode 7", "\x87\x80" NOKEY, "!-2"),
    ROW("opcode 11", "\x8b\x80" NOKEY, "!-2"),
    ROW("opcode 15", "\x8f\x80" NOKEY, "!-2"),
    ROW("unmasked", "\x81\x00", "!-3"),
    ROW("close in pieces", "\x08\x80" NOKEY, "!-4"),
    ROW("error after a frame", "\x81\x80" NOKEY "\x83\x80", "H1.<>E!-2"),
};

static const struct row from_server[] = {
    ROW("hello", "\x81\x05Hello", "H1.<Hello>E"),
    ROW("empty", "\x82\x00", "H2.<>E"),
    ROW("two", "\x81\x01" "a\x89\x01" "b", "H1.<a>EH9.<b>E"),
    ROW("16-bit 126", "\x82\x7e\0\x7e", "H2.<"),
    ROW("limit", "\x82\x7e\x04\x00", "H2.<"),
    ROW("limit + 1", "\x82\x7e\x04\x01", "!-6"),
    ROW("masked", "\x81\x80" NOKEY, "!-3"),
};
/* clang-format on */

/* Append what one event says to the transcript. */
static void tell(char *out, size_t size, const struct ws_event *ev)
{
    size_t at = strlen(out);

    out += at;
    size -= at;
    switch (ev->type) {
    case WS_EV_HEADER:
        snprintf(out, size, "H%d%s%s<", ev->op, ev->fin ? "." : "",
                 ev->rsv1 ? "r" : "");
        break;
    case WS_EV_PAYLOAD:
        snprintf(out, size, "%.*s", (int)ev->n, (char *)ev->data);
        break;
    case WS_EV_END:
        snprintf(out, size, ">E");
        break;
    case WS_EV_ERROR:
        snprintf(out, size, "!%d", ev->err);
        break;
    case WS_EV_MORE:
        break;
    }
}

/* Feed one segment. Returns 0 once the decoder has failed. */
static int feed(struct ws_decoder *d, const char *in, size_t len, char *out,
                size_t size)
{
    uint8_t segment[64], *p = segment;
    struct ws_event ev;

    memcpy(segment, in, len);
    do {
        size_t n = ws_decode(d, p, len, &ev);

        p += n;
        len -= n;
        tell(out, size, &ev);
    } while (ev.type != WS_EV_MORE && ev.type != WS_EV_ERROR);
    return ev.type != WS_EV_ERROR;
}

static void run(const struct row *r, enum ws_role role, size_t cut)
{
    struct ws_decoder d;
    struct ws_event ev;
    char out[128] = "";

    ws_decoder_init(&d, role, LIMIT, 1);
    if (feed(&d, r->in, cut, out, sizeof out))
        feed(&d, r->in + cut, r->len - cut, out, sizeof out);
    CHECK(strcmp(out, r->want) == 0, "cut at %zu: got %s, want %s", cut, out,
          r->want);
    if (strchr(r->want, '!')) {
        uint8_t more[] = "\x81\x80" NOKEY;

        CHECK(ws_decode(&d, more, sizeof more, &ev) == 0 &&
                  ev.type == WS_EV_ERROR,
              "an error must be final");
        CHECK(ws_decode_whole(&d, more, sizeof more, &ev) == 0,
              "also for the shortcut");
    }
}

/* The shortcut takes the first frame exactly when it is whole and valid, and
 * then says what ws_decode() says. */
static void run_whole(const struct row *r, enum ws_role role)
{
    const char *end = strchr(r->want, 'E');

    for (size_t len = 0; len <= r->len; len++) {
        char out[128] = "", first[128];
        struct ws_event ev = { .type = WS_EV_MORE };
        struct ws_decoder d;
        uint8_t segment[64];
        size_t used;

        memcpy(segment, r->in, len);
        ws_decoder_init(&d, role, LIMIT, 1);
        used = ws_decode_whole(&d, segment, len, &ev);
        if (used == 0) {
            CHECK(len < r->len || !end, "refused");
            CHECK(memcmp(segment, r->in, len) == 0, "input changed");
            continue;
        }
        CHECK(used <= len && end, "took %zu of %zu", used, len);
        CHECK(ev.type == WS_EV_END && ev.length == ev.n, "event");
        ev.type = WS_EV_HEADER;
        tell(out, sizeof out, &ev);
        ev.type = WS_EV_PAYLOAD;
        tell(out, sizeof out, &ev);
        snprintf(first, sizeof first, "%.*s", (int)(end - r->want - 1),
                 r->want);
        CHECK(strcmp(out, first) == 0, "got %s, want %s", out, first);
        CHECK(ws_decode_whole(&d, segment, used - 1, &ev) == 0,
              "took a frame that is not whole");
    }
}

static void run_table(const char *who, const struct row *rows, size_t n,
                      enum ws_role role)
{
    for (size_t i = 0; i < n; i++) {
        T_CASE("frame from %s: %s", who, rows[i].name);
        for (size_t cut = 0; cut <= rows[i].len; cut++)
            run(&rows[i], role, cut);
        run_whole(&rows[i], role);
    }
}

/* A decoder without the extension; control frames beyond a small limit. */
static void options(void)
{
    struct ws_decoder d;
    struct ws_event ev;
    uint8_t rsv1[] = "\xc1\x80" NOKEY, ping[] = "\x89\x05Hello";
    uint8_t text[] = "\x81\x05Hello";
    uint8_t huge[] = "\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff";

    T_CASE("frame: rsv1 without the extension");
    ws_decoder_init(&d, WS_SERVER, LIMIT, 0);
    ws_decode(&d, rsv1, sizeof rsv1 - 1, &ev);
    CHECK(ev.type == WS_EV_ERROR && ev.err == WS_E_RSV, "type %d", ev.type);

    T_CASE("frame: max_frame is for data frames only");
    ws_decoder_init(&d, WS_CLIENT, 4, 0);
    ws_decode(&d, ping, sizeof ping - 1, &ev);
    CHECK(ev.type == WS_EV_HEADER && ev.length == 5, "type %d", ev.type);
    ws_decoder_init(&d, WS_CLIENT, 4, 0);
    ws_decode(&d, text, sizeof text - 1, &ev);
    CHECK(ev.type == WS_EV_ERROR && ev.err == WS_E_TOO_BIG, "type %d", ev.type);

    T_CASE("frame: CVE-2016-10542: 2^63 is refused whatever the limit");
    ws_decoder_init(&d, WS_CLIENT, UINT64_MAX, 0);
    ws_decode(&d, huge, 10, &ev);
    CHECK(ev.type == WS_EV_HEADER && ev.length == INT64_MAX, "one below");
    huge[2] = 0x80;
    ws_decoder_init(&d, WS_CLIENT, UINT64_MAX, 0);
    ws_decode(&d, huge, 10, &ev);
    CHECK(ev.type == WS_EV_ERROR && ev.err == WS_E_TOO_BIG, "type %d", ev.type);

    T_CASE("frame: the shortcut is not taken inside a frame");
    ws_decoder_init(&d, WS_CLIENT, LIMIT, 0);
    ws_decode(&d, text, 1, &ev);
    CHECK(ws_decode_whole(&d, text, sizeof text - 1, &ev) == 0, "in a header");
    ws_decode(&d, text + 1, 1, &ev);
    CHECK(ws_decode_whole(&d, text, sizeof text - 1, &ev) == 0, "in a payload");
}

static void masking(void)
{
    static const uint8_t key[4] = { 0x12, 0x34, 0x56, 0x78 };

    T_CASE("frame: masking, every length, alignment and phase");
    for (size_t n = 0; n <= 100; n++)
        for (size_t shift = 0; shift < 8; shift++)
            for (unsigned at = 0; at < 8; at++) {
                uint8_t bytes[110];
                bool right = true;

                for (size_t i = 0; i < sizeof bytes; i++)
                    bytes[i] = (uint8_t)(i * 31);
                ws_mask(bytes + shift, n, key, at);
                for (size_t i = 0; i < sizeof bytes; i++) {
                    bool in = i >= shift && i < shift + n;
                    uint8_t mask = in ? key[(i - shift + at) % 4] : 0;

                    right = right && bytes[i] == (uint8_t)((i * 31) ^ mask);
                }
                CHECK(right, "n %zu, shift %zu, at %u", n, shift, at);
            }
}

static void encoding(void)
{
    static const struct {
        uint64_t n;
        const char *head;
        size_t len;
    } rows[] = {
        { 0, "\x81\x00", 2 },
        { 125, "\x81\x7d", 2 },
        { 126, "\x81\x7e\0\x7e", 4 },
        { 65535, "\x81\x7e\xff\xff", 4 },
        { 65536, "\x81\x7f\0\0\0\0\0\1\0\0", 10 },
        { INT64_MAX, "\x81\x7f\x7f\xff\xff\xff\xff\xff\xff\xff", 10 },
    };
    static const uint8_t key[4] = { 1, 2, 3, 4 };

    for (size_t i = 0; i < COUNT(rows); i++) {
        uint8_t out[WS_HEAD_MAX];
        struct ws_decoder d;
        struct ws_event ev;
        size_t n;

        T_CASE("frame: header for %llu bytes", (unsigned long long)rows[i].n);
        n = ws_encode_head(out, WS_TEXT, rows[i].n, NULL);
        CHECK(n == rows[i].len && !memcmp(out, rows[i].head, n), "%zu", n);
        ws_decoder_init(&d, WS_CLIENT, INT64_MAX, 0);
        CHECK(ws_decode(&d, out, n, &ev) == n && ev.type == WS_EV_HEADER &&
                  ev.length == rows[i].n && ev.fin && ev.op == WS_TEXT,
              "type %d", ev.type);

        n = ws_encode_head(out, WS_PONG, rows[i].n, key);
        CHECK(n == rows[i].len + 4 && out[0] == 0x8a &&
                  out[1] == (0x80 | (uint8_t)rows[i].head[1]) &&
                  !memcmp(out + 2, rows[i].head + 2, n - 6) &&
                  !memcmp(out + n - 4, key, 4),
              "masked, %zu", n);
    }
}

static void errors(void)
{
    T_CASE("frame: errors have a close code and a text");
    for (int err = -6; err < 0; err++) {
        CHECK(ws_close_code((enum ws_err)err) == (err == -6 ? 1009 : 1002),
              "%d", err);
        CHECK(ws_err_text((enum ws_err)err)[0], "%d", err);
    }
}

int main(void)
{
    long before = oom_count();

    run_table("a client", from_client, COUNT(from_client), WS_SERVER);
    run_table("a server", from_server, COUNT(from_server), WS_CLIENT);
    options();
    masking();
    encoding();
    errors();

    T_CASE("frame: nothing was allocated, CVE-2016-10542 least of all");
    CHECK(oom_count() == before, "%ld", oom_count() - before);
    return t_done();
}
