/*
 * test_ws_handshake.c -- the opening handshake: every check, their order, the
 * accept key, and what hostile subprotocol lists cost.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/websocket/handshake.h"
#include "tests/unit/test.h"

#include <stdlib.h>
#include <time.h>

#define KEY "dGhlIHNhbXBsZSBub25jZQ=="

/* NULL stands for an absent header, for `first` for none offered. */
static const struct row {
    const char *name;
    bool is_get;
    const char *upgrade, *key, *version, *protocol;
    enum ws_handshake_result want;
    const char *first;
} rows[] = {
/* clang-format off */
#define ROW(name, upgrade, key, version, protocol, want, first) \
    { name, true, upgrade, key, version, protocol, WS_HANDSHAKE_##want, first }
#define PROTO(name, protocol, want, first) \
    ROW("protocol: " name, "websocket", KEY, "13", protocol, want, first)
    ROW("plain", "websocket", KEY, "13", NULL, OK, NULL),
    ROW("upgrade in capitals", "WEBSOCKET", KEY, "13", NULL, OK, NULL),
    ROW("version 8", "websocket", KEY, "8", NULL, OK, NULL),
    ROW("key with + and /", "websocket", "+/0123456789abcdefghiZ==", "13", NULL,
        OK, NULL),

    { "not GET", false, "websocket", KEY, "13", NULL, WS_HANDSHAKE_METHOD,
      NULL },
    { "not GET comes first", false, NULL, NULL, NULL, NULL,
      WS_HANDSHAKE_METHOD, NULL },
    ROW("upgrade absent", NULL, NULL, NULL, NULL, UPGRADE, NULL),
    ROW("upgrade h2c", "h2c", KEY, "13", NULL, UPGRADE, NULL),
    ROW("upgrade IRC/6.9", "IRC/6.9", KEY, "13", NULL, UPGRADE, NULL),
    ROW("upgrade a list", "websocket, h2c", KEY, "13", NULL, UPGRADE, NULL),
    ROW("key absent", "websocket", NULL, NULL, NULL, KEY, NULL),
    ROW("key empty", "websocket", "", "13", NULL, KEY, NULL),
    ROW("key of 21 digits", "websocket", "dGhlIHNhbXBsZSBub25jZ==", "13", NULL,
        KEY, NULL),
    ROW("key of 23 digits", "websocket", "dGhlIHNhbXBsZSBub25jZQA==", "13",
        NULL, KEY, NULL),
    ROW("key with one =", "websocket", "dGhlIHNhbXBsZSBub25jZQA=", "13", NULL,
        KEY, NULL),
    ROW("key with = early", "websocket", "dGhlIHNhbXBsZSBub25jZ===", "13", NULL,
        KEY, NULL),
    ROW("key with -", "websocket", "-GhlIHNhbXBsZSBub25jZQ==", "13", NULL, KEY,
        NULL),
    ROW("key with a blank", "websocket", "dGhlIHNhbXBsZSBub25j Q==", "13",
        NULL, KEY, NULL),
    ROW("version absent", "websocket", KEY, NULL, NULL, VERSION, NULL),
    ROW("version empty", "websocket", KEY, "", NULL, VERSION, NULL),
    ROW("version 7", "websocket", KEY, "7", NULL, VERSION, NULL),
    ROW("version 14", "websocket", KEY, "14", NULL, VERSION, NULL),
    ROW("version 130", "websocket", KEY, "130", NULL, VERSION, NULL),
    ROW("version comes before protocol", "websocket", KEY, "1", ",", VERSION,
        NULL),

    PROTO("one", "chat", OK, "chat"),
    PROTO("the first of three", "chat, superchat\t,\t v3", OK, "chat"),
    PROTO("every token character", "!#$%&'*+-.^_`|~09AZaz", OK,
          "!#$%&'*+-.^_`|~09AZaz"),
    PROTO("same but for case", "chat,Chat", OK, "chat"),
    PROTO("empty", "", PROTOCOL, NULL),
    PROTO("blank", " ", PROTOCOL, NULL),
    PROTO("comma", ",", PROTOCOL, NULL),
    PROTO("first empty", ",chat", PROTOCOL, NULL),
    PROTO("middle empty", "chat, ,other", PROTOCOL, NULL),
    PROTO("last empty", "chat,", PROTOCOL, NULL),
    PROTO("twice", "chat,other,chat", PROTOCOL, NULL),
    PROTO("two without comma", "chat other", PROTOCOL, NULL),
    PROTO("slash", "chat/1", PROTOCOL, NULL),
    PROTO("quoted", "\"chat\"", PROTOCOL, NULL),
    PROTO("above ASCII", "ch\xc3\xa4t", PROTOCOL, NULL),
    PROTO("line end", "chat\r", PROTOCOL, NULL),
    PROTO("CVE-2021-32640: prototype names", "constructor,__proto__", OK,
          "constructor"),
    /* clang-format on */
};

static enum ws_handshake_result check_protocol(sio_str list, sio_str *first)
{
    struct ws_handshake h = { true, STR("websocket"), STR(KEY), STR("13"),
                              list };

    return ws_handshake_check(&h, first);
}

static void run(const struct row *r)
{
    struct ws_handshake h = { r->is_get, str_of(r->upgrade), str_of(r->key),
                              str_of(r->version), str_of(r->protocol) };
    sio_str first = STR("untouched");
    enum ws_handshake_result got = ws_handshake_check(&h, &first);

    CHECK(got == r->want, "got %d", got);
    if (r->want != WS_HANDSHAKE_OK)
        CHECK(str_eq(first, STR("untouched")), "first %.*s", (int)first.n,
              first.p);
    else
        CHECK(str_eq(first, str_of(r->first)) && !first.p == !r->first,
              "first %.*s", (int)first.n, first.p);
}

static void no_nul(void)
{
    sio_str first;

    T_CASE("handshake: NUL is no token character");
    CHECK(check_protocol((sio_str){ "a\0b", 3 }, &first) ==
              WS_HANDSHAKE_PROTOCOL,
          "NUL");
}

/* 64 are read, one more is not; what they cost grows with their length only. */
static void many_protocols(void)
{
    char list[65 * 4];
    sio_str first;

    T_CASE("handshake: 64 subprotocols, and one more");
    for (size_t i = 0; i < 65; i++) {
        char token[4] = { 'p', (char)('0' + i / 10), (char)('0' + i % 10),
                          ',' };

        memcpy(list + i * sizeof token, token, sizeof token);
    }
    CHECK(check_protocol((sio_str){ list, 64 * 4 - 1 }, &first) ==
              WS_HANDSHAKE_OK,
          "64");
    CHECK(str_eq(first, STR("p00")), "first %.*s", (int)first.n, first.p);
    CHECK(check_protocol((sio_str){ list, 65 * 4 - 1 }, &first) ==
              WS_HANDSHAKE_PROTOCOL,
          "65");
}

/* Processor time of ten checks, in microseconds. */
static double cost(char *text, size_t n)
{
    clock_t before = clock();
    sio_str first;

    for (int i = 0; i < 10; i++)
        check_protocol((sio_str){ text, n }, &first);
    return (double)(clock() - before) * 1e6 / CLOCKS_PER_SEC;
}

static void linear(void)
{
    static const char *const patterns[] = { " ", "\t ", ",", "a", "a ", "a," };
    enum { N = 100000 };
    char *text = malloc(N);

    /* Quadratic time would be 10^10 steps, some seconds per check. */
    for (size_t i = 0; i < COUNT(patterns); i++) {
        double us;

        T_CASE("handshake: CVE-2021-32640: 100 KB of \"%s\"", patterns[i]);
        for (size_t k = 0; k < N; k++)
            text[k] = patterns[i][k % strlen(patterns[i])];
        us = cost(text, N);
        CHECK(us < 1e6, "ten checks took %.0f us", us);
        text[0] = 'a';
        us = cost(text, N);
        CHECK(us < 1e6, "behind a token: %.0f us", us);
    }
    free(text);
}

int main(void)
{
    char accept[WS_ACCEPT_LEN];

    for (size_t i = 0; i < COUNT(rows); i++) {
        T_CASE("handshake: %s", rows[i].name);
        run(&rows[i]);
    }
    no_nul();
    many_protocols();
    linear();

    T_CASE("handshake: the accept key of RFC 6455 1.3");
    ws_handshake_accept(STR(KEY), accept);
    CHECK(!memcmp(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", WS_ACCEPT_LEN),
          "%.28s", accept);

    T_CASE("handshake: status and text");
    CHECK(ws_handshake_status(WS_HANDSHAKE_OK) == 101, "OK");
    CHECK(ws_handshake_status(WS_HANDSHAKE_METHOD) == 405, "METHOD");
    CHECK(ws_handshake_status(WS_HANDSHAKE_PROTOCOL) == 400, "PROTOCOL");
    CHECK(!strcmp(ws_handshake_text(WS_HANDSHAKE_KEY),
                  "Missing or invalid Sec-WebSocket-Key header"),
          "KEY");
    return t_done();
}
