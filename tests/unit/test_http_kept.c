/*
 * test_http_kept.c -- the head of a request, kept in one block.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/http/kept.h"
#include "tests/unit/oom.h"
#include "tests/unit/test.h"

#include <stdlib.h>

#define MANY 200 /* fields */

static void check_str(sio_str got, const char *want)
{
    if (!want)
        CHECK(!got.p, "got '%.*s', want none", (int)got.n, got.p);
    else
        CHECK(got.p && str_eq(got, str_of(want)), "got '%.*s', want '%s'",
              (int)got.n, got.p ? got.p : "none", want);
}

/* Keep `r`; every n-th allocation fails first. */
static struct http_kept *keep(const struct http_request *r)
{
    struct http_kept *k;

    oom_arm(0);
    CHECK(!http_keep(r, NULL), "kept without memory");
    oom_disarm();
    k = http_keep(r, NULL);
    CHECK(k != NULL, "not kept");
    return k;
}

static void test_text(void)
{
    char text[] = "/a?b=chosthx-yz";
    struct http_field fields[] = {
        { { text + 6, 4 }, { text + 10, 1 } },
        { { text + 11, 3 }, { text + 14, 1 } },
    };
    struct http_request r = { .method = STR("GET"),
                              .target = { text, 6 },
                              .path = { text, 2 },
                              .query = { text + 3, 3 },
                              .fields = fields,
                              .field_count = 2,
                              .secure = true };
    struct http_kept *k;

    T_CASE("kept: it stands on its own");
    k = keep(&r);
    memset(text, '*', sizeof text);
    memset(fields, 0, sizeof fields);
    check_str(http_kept_target(k), "/a?b=c");
    check_str(http_kept_query(k), "b=c");
    check_str(http_kept_value(k, STR("host")), "h");
    check_str(http_kept_value(k, STR("x-y")), "z");
    check_str(http_kept_value(k, STR("x-")), NULL);
    check_str(http_kept_value(k, STR("")), NULL);
    CHECK(k->secure && !k->upgrade, "flags");
    CHECK(!http_kept_certificate(k), "a certificate");
    free(k);

    T_CASE("kept: without fields and query");
    r = (struct http_request){ .target = STR("*"), .upgrade = true };
    k = keep(&r);
    check_str(http_kept_target(k), "*");
    check_str(http_kept_query(k), NULL);
    check_str(http_kept_value(k, STR("host")), NULL);
    CHECK(k->upgrade && !k->secure, "flags");
    free(k);
}

/* Lengths on both sides of each byte that a length may take. */
static void test_lengths(void)
{
    static const size_t lengths[] = { 0, 1, 127, 128, 16383, 16384, 70000 };
    static char text[70000];

    memset(text, 'x', sizeof text);
    for (size_t i = 0; i < COUNT(lengths); i++) {
        sio_str long_one = { text, lengths[i] };
        struct http_field fields[] = { { STR("cookie"), long_one },
                                       { long_one, STR("v") },
                                       { STR("host"), STR("h") } };
        struct http_request r = { .target = long_one,
                                  .fields = fields,
                                  .field_count = 3 };
        struct http_kept *k;

        T_CASE("kept: texts of %zu bytes", lengths[i]);
        k = keep(&r);
        CHECK(http_kept_target(k).n == lengths[i], "target");
        CHECK(str_eq(http_kept_value(k, STR("cookie")), long_one), "value");
        check_str(http_kept_value(k, long_one), "v");
        check_str(http_kept_value(k, STR("host")), "h");
        free(k);
    }
}

/* More fields than are looked up by number, the same ones again, in order. */
static void test_many(void)
{
    static const char *const names[] = { "accept", "x-request-id", "cookie",
                                         "x-mine", "sec-websocket-key" };
    struct http_field fields[MANY], field;
    struct http_request r = { .target = STR("/"),
                              .fields = fields,
                              .field_count = MANY };
    struct http_request *again;
    struct http_kept *k;
    size_t at = 0, n = 0;

    for (size_t i = 0; i < MANY; i++)
        fields[i] = (struct http_field){ str_of(names[i % COUNT(names)]),
                                         { "0123456789", i % 11 } };
    T_CASE("kept: %d fields come back in order", MANY);
    k = keep(&r);
    for (; http_kept_next(k, &at, &field) && n < MANY; n++)
        CHECK(str_eq(field.name, fields[n].name) &&
                  str_eq(field.value, fields[n].value),
              "field %zu", n);
    CHECK(n == MANY && http_kept_count(k) == MANY, "%zu fields", n);

    T_CASE("kept: as a request again");
    oom_arm(0);
    CHECK(!http_kept_request(k), "made without memory");
    oom_disarm();
    again = http_kept_request(k);
    check_str(again->target, "/");
    CHECK(again->field_count == MANY, "%zu fields", again->field_count);
    check_str(http_field_value(again, STR("x-mine")), "012");
    free(again);
    free(k);
}

static void test_certificate(void)
{
    const sio_certificate shown = { .problem = "",
                                    .subject = "CN=someone",
                                    .sha256 = "00ff" };
    const sio_certificate *c;

    for (size_t n = 0; n < 8; n++) { /* behind a text of any length */
        struct http_request r = { .target = { "/234567", n },
                                  .certificate = &shown };
        struct http_kept *k;

        T_CASE("kept: a certificate, behind %zu bytes", n);
        k = keep(&r);
        c = http_kept_certificate(k);
        CHECK(c && c != &shown, "none");
        CHECK(c && strcmp(c->subject, "CN=someone") == 0, "subject");
        CHECK(c && strcmp(c->sha256, "00ff") == 0, "fingerprint");
        free(k);
    }
}

/* What a client sends takes hardly more than what is its own. */
static void test_size(void)
{
    struct http_field fields[] = {
        { STR("host"), STR("example.org") },
        { STR("user-agent"), STR("Mozilla/5.0") },
        { STR("upgrade"), STR("websocket") },
        { STR("sec-websocket-version"), STR("13") },
        { STR("sec-websocket-extensions"), STR("permessage-deflate") },
    }, field;
    struct http_request r = {
        .target = STR("/socket.io/?EIO=4&transport=websocket"),
        .fields = fields,
        .field_count = COUNT(fields),
    };
    size_t at = 0, n = 0;
    struct http_kept *k;

    T_CASE("kept: a byte for what is usual, else two besides the value");
    k = keep(&r);
    check_str(http_kept_target(k), "/socket.io/?EIO=4&transport=websocket");
    check_str(http_kept_query(k), "EIO=4&transport=websocket");
    for (; http_kept_next(k, &at, &field) && n < COUNT(fields); n++)
        CHECK(str_eq(field.name, fields[n].name) &&
                  str_eq(field.value, fields[n].value),
              "field %zu", n);
    CHECK(n == COUNT(fields), "%zu fields", n);
    CHECK(at == 2 + 2 + 11 + 2 + 11 + 3, "%zu bytes", at);
    free(k);

    T_CASE("kept: a common name with another value");
    fields[2].value = STR("WebSocket");
    k = keep(&r);
    check_str(http_kept_value(k, STR("upgrade")), "WebSocket");
    check_str(http_kept_value(k, STR("sec-websocket-version")), "13");
    free(k);
}

static void test_peer(void)
{
    static const uint8_t ip[16] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 };
    static const int families[] = { 0, AF_UNIX, AF_INET, AF_INET6 };
    const sio_certificate shown = { .problem = "",
                                    .subject = "",
                                    .sha256 = "" };

    for (size_t i = 0; i < 2 * COUNT(families); i++) {
        struct http_request r = { .target = STR("/x?y"),
                                  .certificate = i % 2 ? &shown : NULL };
        struct net_address peer = { .family = (uint16_t)families[i / 2] }, got;
        struct http_kept *k;

        T_CASE("kept: an address of family %d%s", families[i / 2],
               i % 2 ? ", with a certificate" : "");
        if (peer.family == AF_INET || peer.family == AF_INET6)
            net_address_set(&peer, peer.family, ip, 65535);
        k = http_keep(&r, &peer);
        got = http_kept_peer(k);
        CHECK(memcmp(&got, &peer, sizeof got) == 0, "another one");
        check_str(http_kept_target(k), "/x?y");
        CHECK(http_kept_count(k) == 0, "fields");
        free(k);
    }
}

int main(void)
{
    test_text();
    test_lengths();
    test_many();
    test_certificate();
    test_size();
    test_peer();
    return t_done();
}
