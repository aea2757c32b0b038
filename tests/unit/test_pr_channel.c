/*
 * test_pr_channel.c -- names of channels, streams and keys. R and a number in a
 * name is an item of the list of tests with Node's adapters.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/redis/channel.h"
#include "tests/unit/test.h"

static struct grow out;

static bool is(int r, const char *want)
{
    const bool same = r == SIO_OK && str_eq(grow_str(&out), str_of(want));

    if (!same)
        printf("# got %.*s\n", (int)out.len, (const char *)out.data);
    out.len = 0;
    return same;
}

/* clang-format off */
#define ROOT STR(PR_PREFIX), STR("/")
#define CHAT STR("my"), STR("/chat")
/* clang-format on */

static void test_names(void)
{
    T_CASE("R1: the channels of the classic adapter");
    CHECK(is(pr_channel_base(&out, ROOT), "socket.io#/#"), "base");
    CHECK(is(pr_channel_pattern(&out, ROOT), "socket.io#/#*"), "pattern");
    CHECK(is(pr_channel_request(&out, ROOT), "socket.io-request#/#"), "req");
    CHECK(is(pr_channel_response(&out, ROOT, STR("")), "socket.io-response#/#"),
          "response");
    CHECK(is(pr_channel_response(&out, ROOT, STR("Jby4by")),
             "socket.io-response#/#Jby4by#"),
          "own response");
    T_CASE("R7 R17: a room's channel, UTF-8 and # in it");
    CHECK(is(pr_channel_named(&out, ROOT, STR("r1")), "socket.io#/#r1#"), "r1");
    CHECK(is(pr_channel_named(&out, ROOT, STR("salle \xc3\xa9#1")),
             "socket.io#/#salle \xc3\xa9#1#"),
          "salle");
    T_CASE("R53: another prefix, another namespace");
    CHECK(is(pr_channel_base(&out, CHAT), "my#/chat#"), "base");
    CHECK(is(pr_channel_request(&out, CHAT), "my-request#/chat#"), "request");
    T_CASE("what a pattern would take for more than itself is escaped");
    CHECK(is(pr_channel_pattern(&out, STR("a*"), STR("/b?[c]\\")),
             "a\\*#/b\\?\\[c\\]\\\\#*"),
          "pattern");
}

static void test_place(void)
{
    static const struct {
        const char *channel;
        enum pr_place place;
        const char *name;
    } rows[] = {
        { "socket.io#/#", PR_BASE, "" },
        { "socket.io#/#r1#", PR_NAMED, "r1" },
        { "socket.io#/#a#b#", PR_NAMED, "a#b" },
        { "socket.io#/##", PR_NAMED, "" },
        { "socket.io#/#r1", PR_NOT_OURS, "" },
        { "socket.io#/chat#", PR_NOT_OURS, "" },
        { "socket.io#/", PR_NOT_OURS, "" },
        { "socket.io", PR_NOT_OURS, "" },
        { "socket.iox#/#", PR_NOT_OURS, "" },
        { "", PR_NOT_OURS, "" },
        { "socket.io-request#/#", PR_REQUEST, "" },
        { "socket.io-request#/#x#", PR_NOT_OURS, "" },
        { "socket.io-response#/#", PR_RESPONSE, "" },
        { "socket.io-response#/#uid123#", PR_OWN_RESPONSE, "uid123" },
        { "socket.io-response#/#uid123", PR_NOT_OURS, "" },
        { "socket.io-other#/#", PR_NOT_OURS, "" },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        sio_str name = { "", 0 };
        enum pr_place got;

        T_CASE("what a channel is: %s", rows[i].channel);
        got = pr_channel_place(ROOT, str_of(rows[i].channel), &name);
        CHECK(got == rows[i].place, "%d", got);
        CHECK(str_eq(name, str_of(rows[i].name)), "%.*s", (int)name.n, name.p);
    }
}

static void test_modes(void)
{
    const sio_str sid = STR("GtJKV8SzhLuCYoz6AAAA"), r1 = STR("r1");

    T_CASE("R56: static has no channel for any room");
    CHECK(!pr_mode_publishes(PR_STATIC, r1), "publishes");
    CHECK(!pr_mode_subscribes(PR_STATIC, false), "subscribes");
    T_CASE("R55 R59: dynamic has one for a room, none for a socket's id");
    CHECK(pr_mode_publishes(PR_DYNAMIC, r1), "room");
    CHECK(!pr_mode_publishes(PR_DYNAMIC, sid), "id");
    CHECK(pr_mode_subscribes(PR_DYNAMIC, false), "room");
    CHECK(!pr_mode_subscribes(PR_DYNAMIC, true), "id");
    T_CASE("R58: a room of 20 characters is published for all, by UTF-16");
    CHECK(!pr_mode_publishes(PR_DYNAMIC, STR("room-with-20-chars-x")), "ASCII");
    CHECK(!pr_mode_publishes(PR_DYNAMIC, STR("\xc3\xa9\xf0\x9f\x98\x80"
                                             "12345678901234567")),
          "characters of 1 and 2 units");
    CHECK(pr_mode_publishes(PR_DYNAMIC, STR("\xf0\x9f\x98\x80"
                                            "1234567890123456")),
          "20 bytes, 18 units");
    CHECK(!pr_mode_publishes(PR_DYNAMIC, STR("1234567890123456789\xf0")),
          "cut short");
    T_CASE("R57: dynamic-private has one for both");
    CHECK(pr_mode_publishes(PR_DYNAMIC_PRIVATE, sid), "publishes");
    CHECK(pr_mode_subscribes(PR_DYNAMIC_PRIVATE, true), "subscribes");
}

static void test_streams(void)
{
    const sio_str name = STR("mystream");

    T_CASE("R71: which of several streams, as Node reckons");
    CHECK(pr_stream_index(STR("/"), 4) == 3, "/");
    CHECK(pr_stream_index(STR("/"), 1000) == 47, "/");
    CHECK(pr_stream_index(STR("/chat"), 100000000) == 46457863, "/chat");
    CHECK(pr_stream_index(STR("/notifications"), 4) == -3, "negative");
    /* ("/\u00e9\ud83d\ude00").hashCode() in JavaScript */
    CHECK(pr_stream_index(STR("/\xc3\xa9\xf0\x9f\x98\x80"), 1000000000) ==
              3396989,
          "%d", pr_stream_index(STR("/\xc3\xa9\xf0\x9f\x98\x80"), 1000000000));
    CHECK(is(pr_stream_name(&out, name, 4, 3), "mystream-3"), "3");
    CHECK(is(pr_stream_name(&out, name, 4, -3), "mystream--3"), "-3");
    CHECK(is(pr_stream_name(&out, name, 1, 0), "mystream"), "one");
}

static void test_full(void)
{
    struct grow small;

    T_CASE("no room for a name: nothing is written");
    for (size_t max = 0; max < 16; max++) {
        grow_init(&small, max);
        CHECK(pr_channel_named(&small, ROOT, STR("room")) == SIO_E_LIMIT &&
                  small.len == 0,
              "%zu", max);
        CHECK(max >= 13 || (pr_channel_pattern(&small, ROOT) == SIO_E_LIMIT &&
                            small.len == 0),
              "pattern, %zu", max);
        grow_free(&small);
    }
}

int main(void)
{
    grow_init(&out, SIZE_MAX);
    test_names();
    test_place();
    test_modes();
    test_streams();
    test_full();
    grow_free(&out);
    return t_done();
}
