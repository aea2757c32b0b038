/*
 * test_redis_conn.c -- the Redis client against a server that does what it
 * should, or not: the set-up, answers in order, pauses that grow, limits,
 * subscriptions that come back.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/base/str.h"
#include "tests/flow/fake_redis.h"
#include "tests/unit/oom.h"
#include "tests/unit/test.h"

#include <stdlib.h>

static struct fake_redis f;
static struct redis_options options;

static const sio_str no_key;

/* What callbacks were told, as a transcript. */
static char answers[2000];

static void add(const char *fmt, ...)
{
    size_t at = strlen(answers);
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(answers + at, sizeof answers - at, fmt, ap);
    va_end(ap);
}

static void on_reply(void *self, int status, const struct redis_reply *reply)
{
    add("%s=", (const char *)self);
    if (status < 0)
        add("!%d;", status);
    else if (reply->type == REDIS_INTEGER)
        add("%d;", (int)reply->integer);
    else
        add("%.*s;", (int)reply->text.n, reply->text.p);
}

static void on_message(void *self, sio_str channel, sio_str payload)
{
    add("%s<%.*s:%.*s>", (const char *)self, (int)channel.n, channel.p,
        (int)payload.n, payload.p);
}

static void on_status(void *self, bool active, const char *why)
{
    add("%s%s%s;", (const char *)self, active ? "+" : "-", why ? why : "");
}

static const struct redis_sub_ops sub_ops = { on_message, on_status };

#define NAME(text) ((void *)(uintptr_t)(text))

static int get(const char *name)
{
    const sio_str argv[] = { STR("GET"), str_of(name) };

    return redis_command(f.client, no_key, argv, 2, on_reply, NAME(name));
}

static struct redis_sub *subscribe(enum redis_kind kind, const char *name,
                                   const char *label)
{
    struct redis_sub *sub = NULL;
    int r = redis_subscribe(f.client, kind, str_of(name), &sub_ops, NAME(label),
                            &sub);

    CHECK(r == SIO_OK, "%d", r);
    return sub;
}

static void check_answers(const char *want)
{
    fake_turns(&f, 2);
    CHECK(strcmp(answers, want) == 0, "'%s', want '%s'", answers, want);
    answers[0] = 0;
}

static void check_told(const char *want)
{
    fake_turns(&f, 2);
    CHECK(strcmp(f.told, want) == 0, "'%s', want '%s'", f.told, want);
    f.told[0] = 0;
}

static void check_heard(size_t peer, const char *want)
{
    const char *heard = fake_heard(&f, peer);

    CHECK(strcmp(heard, want) == 0, "'%s', want '%s'", heard, want);
}

static struct redis_stats stats(void)
{
    struct redis_stats s;

    redis_get_stats(f.client, &s);
    return s;
}

static void begin(void)
{
    answers[0] = 0;
    fake_begin(&f, &options);
}

/* With a connection for commands that is up. */
static void begin_up(void)
{
    begin();
    fake_open(&f, &options);
    fake_let_in(&f, 0);
    check_told("ready;");
}

static void end(void)
{
    fake_end(&f);
}

/* ---------------------------------------------------------------- set-up -- */

static void test_set_up(void)
{
    T_CASE("redis: ready with the first PONG");
    begin();
    fake_open(&f, &options);
    check_told("");
    check_heard(0, "PING; ");
    CHECK(stats().state == REDIS_CONNECTING, "%d", stats().state);
    fake_say(&f, 0, "+PO");
    check_told("");
    fake_say(&f, 0, "NG\r\n");
    check_told("ready;");
    CHECK(stats().state == REDIS_READY && stats().links == 1, "stats");
    end();

    T_CASE("redis: user, password and database first");
    begin();
    options.user = "u";
    options.password = "p";
    options.db = 3;
    fake_open(&f, &options);
    check_heard(0, "AUTH u p; SELECT 3; PING; ");
    fake_say(&f, 0, "+OK\r\n+OK\r\n+PONG\r\n");
    check_told("ready;");
    end();

    T_CASE("redis: a password without a user");
    begin();
    options.password = "p";
    fake_open(&f, &options);
    check_heard(0, "AUTH p; PING; ");
    end();

    T_CASE("redis: PING is forbidden, but let in");
    begin();
    fake_open(&f, &options);
    fake_say(&f, 0, "-NOPERM this user has no permissions\r\n");
    check_told("ready;");
    end();
}

static void refused_with(const char *answer, const char *why)
{
    char want[300];

    T_CASE("redis: refused, %s", why);
    begin();
    options.password = "wrong";
    fake_open(&f, &options);
    fake_say(&f, 0, answer);
    snprintf(want, sizeof want, "degraded %s: %s;", f.url, why);
    check_told(want);
    CHECK(stats().failures == 1, "%d", (int)stats().failures);
    check_heard(0, "AUTH wrong; PING; (end)");
    fake_wait(&f, 200);
    CHECK(f.count == 2, "%zu connections", f.count);
    fake_say(&f, 1, "+OK\r\n+PONG\r\n");
    check_told("ready;");
    end();
}

static void test_refused(void)
{
    refused_with("-WRONGPASS invalid username-password pair\r\n",
                 "AUTH: WRONGPASS invalid username-password pair");
    refused_with("+OK\r\n-LOADING Redis is loading the dataset in memory\r\n",
                 "PING: LOADING Redis is loading the dataset in memory");
    refused_with("HTTP/1.1 400 Bad Request\r\n",
                 "the server does not speak the Redis protocol");
}

static void test_options(void)
{
    static const struct {
        const char *url;
        bool cluster;
        unsigned db;
        const char *why;
    } rows[] = {
        { "http://h", false, 0, "not the url of a Redis server" },
        { "redis://a,b", false, 0, "several servers, but no cluster" },
        { "redis://a/1", true, 0, "a cluster has only database 0" },
        { "redis://a", true, 2, "a cluster has only database 0" },
        { "redis://u@a", false, 0, "a user needs a password" },
    };

    begin();
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct redis *r = NULL;
        char why[100] = "";
        int result;

        T_CASE("redis: options, %s", rows[i].why);
        redis_options_init(&options);
        options.url = rows[i].url;
        options.cluster = rows[i].cluster;
        options.db = rows[i].db;
        result = redis_open(&f.loop, &options, NULL, NULL, &r, why, sizeof why);
        CHECK(result < 0 && !r, "%d", result);
        CHECK(strcmp(why, rows[i].why) == 0, "'%s'", why);
    }
    end();
}

/* -------------------------------------------------------------- commands -- */

static void test_commands(void)
{
    T_CASE("redis: answers in order, whatever they are");
    begin_up();
    get("a");
    get("b");
    get("c");
    check_heard(0, "GET a; GET b; GET c; ");
    check_answers("");
    fake_say(&f, 0, "+1\r\n-ERR no\r\n:42\r\n");
    check_answers("a=1;b=ERR no;c=42;");
    CHECK(stats().queued == 0 && stats().commands == 3, "stats");

    T_CASE("redis: no allocation for a command, when one was before");
    {
        long before = oom_count();

        get("d");
        fake_turns(&f, 1);
        CHECK(oom_count() == before, "%ld", oom_count() - before);
    }
    fake_say(&f, 0, "+1\r\n");
    check_answers("d=1;");
    end();

    T_CASE("redis: asked before it is ready");
    begin();
    fake_open(&f, &options);
    get("a");
    get("b");
    check_heard(0, "PING; ");
    fake_say(&f, 0, "+PONG\r\n");
    check_heard(0, "GET a; GET b; ");
    fake_say(&f, 0, "+1\r\n+2\r\n");
    check_answers("a=1;b=2;");
    end();

    T_CASE("redis: an answer to nothing ends the connection");
    begin_up();
    fake_say(&f, 0, "+1\r\n");
    CHECK(strstr(f.told, "an answer to nothing"), "%s", f.told);
    end();

    T_CASE("redis: closed with commands without an answer");
    begin_up();
    get("a");
    redis_close(f.client);
    CHECK(get("b") == SIO_E_STATE, "taken");
    check_answers("a=!-4;");
    check_heard(0, "GET a; (end)");
    f.client = NULL;
    end();
}

static void test_timeouts(void)
{
    T_CASE("redis: a server that hangs is given up");
    begin_up();
    get("a");
    fake_wait(&f, 3000);
    get("b");
    fake_wait(&f, 1990);
    check_answers("");
    fake_wait(&f, 10);
    check_answers("a=!-8;b=!-4;"); /* in order, as answers are */
    CHECK(strstr(f.told, "no answer within 5000 ms"), "%s", f.told);
    f.told[0] = 0;

    T_CASE("redis: and whatever is asked of it then ends in time");
    get("c");
    fake_wait(&f, 5000);
    check_answers("c=!-8;");
    CHECK(stats().queued == 0, "%zu", stats().queued);
    check_told("");

    T_CASE("redis: it comes back");
    fake_wait(&f, 10000);
    f.told[0] = 0;
    fake_let_in(&f, f.count - 1);
    check_told("ready;");
    end();

    T_CASE("redis: nothing is asked: it is pinged, and found out");
    begin_up();
    fake_wait(&f, 10000);
    check_heard(0, "PING; ");
    fake_say(&f, 0, "+PONG\r\n");
    fake_wait(&f, 10000);
    fake_wait(&f, 10000);
    CHECK(strstr(f.told, "no answer within 5000 ms"), "%s", f.told);
    end();
}

static void test_back_off(void)
{
    size_t before = 0;
    uint64_t pause = 100;

    T_CASE("redis: the pauses double, less up to half, and have a maximum");
    begin();
    fake_open(&f, &options);
    for (int i = 0; i < 12; i++) {
        uint64_t begun = f.now, took;

        before = f.count;
        fake_hang_up(&f, f.count - 1);
        while (f.count == before && f.now < begun + 20000)
            fake_wait(&f, 1);
        took = f.now - begun;
        CHECK(took >= pause / 2 && took <= pause + 2, "%d: %d of %d", i,
              (int)took, (int)pause);
        pause = pause * 2 < 5000 ? pause * 2 : 5000;
    }

    T_CASE("redis: from the beginning, when it has held for a while");
    fake_let_in(&f, f.count - 1);
    fake_wait(&f, 5000);
    before = f.count;
    fake_hang_up(&f, f.count - 1);
    fake_wait(&f, 101);
    CHECK(f.count == before + 1, "%zu", f.count - before);
    CHECK(stats().connects == 1 && stats().failures == 13, "stats");
    end();
}

static void test_limits(void)
{
    static char big[5000];
    sio_str argv[] = { STR("SET"), STR("k"), { big, sizeof big } };
    int taken = 0;

    T_CASE("redis: while it is down, only so much waits");
    begin();
    options.max_queued = 20000;
    fake_open(&f, &options);
    while (taken < 100 && redis_command(f.client, no_key, argv, 3, on_reply,
                                        NAME("x")) == SIO_OK)
        taken++;
    CHECK(taken == 3, "%d", taken);
    CHECK(stats().queued <= 20000 && stats().dropped == 1, "stats");
    fake_let_in(&f, 0);
    fake_say(&f, 0, "+OK\r\n+OK\r\n+OK\r\n");
    check_answers("x=OK;x=OK;x=OK;");
    CHECK(stats().queued == 0, "%zu", stats().queued);

    T_CASE("redis: and while it does not answer");
    for (taken = 0; taken < 1000 && get("y") == SIO_OK;)
        taken++;
    CHECK(taken > 20 && taken < 200, "%d", taken);
    end();

    T_CASE("redis: an answer that is too long ends the connection");
    begin();
    options.max_reply = 10000;
    fake_open(&f, &options);
    fake_let_in(&f, 0);
    get("a");
    get("b");
    fake_say(&f, 0, "$1000000000\r\n");
    for (int i = 0; i < 4 && stats().failures == 0; i++)
        fake_say_n(&f, 0, big, sizeof big);
    check_answers("a=!-3;b=!-4;");
    CHECK(strstr(f.told, "a reply is too long"), "%s", f.told);
    end();
}

static void test_cut(void)
{
    static const char reply[] = "*2\r\n$5\r\nhello\r\n:1\r\n";

    T_CASE("redis: cut within an answer, everywhere");
    for (size_t n = 0; n < sizeof reply - 1; n++) {
        begin_up();
        get("a");
        fake_say_n(&f, 0, reply, n);
        fake_hang_up(&f, 0);
        check_answers("a=!-4;");
        CHECK(strstr(f.told, "degraded"), "%s", f.told);
        fake_wait(&f, 101);
        fake_let_in(&f, 1);
        get("b");
        fake_say(&f, 1, "+1\r\n");
        check_answers("b=1;");
        end();
    }
}

/* --------------------------------------------------------- subscriptions -- */

#define MESSAGE(channel, payload) \
    "*3\r\n$7\r\nmessage\r\n$1\r\n" channel "\r\n$2\r\n" payload "\r\n"
#define SUBSCRIBED(word, len, channel) \
    "*3\r\n$" len "\r\n" word "\r\n$1\r\n" channel "\r\n:1\r\n"

static void test_subscribe(void)
{
    struct redis_sub *a, *b;

    T_CASE("redis: a connection of its own, with the first subscription");
    begin_up();
    a = subscribe(REDIS_CHANNEL, "a", "A");
    fake_wait(&f, 1);
    CHECK(f.count == 2, "%zu", f.count);
    fake_let_in(&f, 1);
    check_heard(1, "SUBSCRIBE a; ");
    check_answers("");
    fake_say(&f, 1, SUBSCRIBED("subscribe", "9", "a"));
    check_answers("A+;");
    check_told("");

    T_CASE("redis: messages, also before the answer to another command");
    b = subscribe(REDIS_PATTERN, "b*", "B");
    check_heard(1, "PSUBSCRIBE b*; ");
    fake_say(&f, 1, MESSAGE("a", "hi"));
    check_answers("A<a:hi>");
    fake_say(&f, 1,
             "*3\r\n$10\r\npsubscribe\r\n$2\r\nb*\r\n:2\r\n" MESSAGE("a", "m1")
                 MESSAGE("x", "no"));
    check_answers("B+;A<a:m1>");
    fake_say(&f, 1,
             "*4\r\n$8\r\npmessage\r\n$2\r\nb*\r\n$3\r\nbcd\r\n$2\r\np1\r\n");
    check_answers("B<bcd:p1>");
    CHECK(stats().messages == 4, "%d", (int)stats().messages);

    T_CASE("redis: two of the same name are one to the server");
    redis_unsubscribe(b);
    check_heard(1, "PUNSUBSCRIBE b*; ");
    fake_say(&f, 1, SUBSCRIBED("punsubscribe", "12", "b"));
    b = subscribe(REDIS_CHANNEL, "a", "C");
    check_heard(1, "");
    fake_say(&f, 1, MESSAGE("a", "hi"));
    check_answers("A<a:hi>C<a:hi>");
    redis_unsubscribe(a);
    check_heard(1, "");
    fake_say(&f, 1, MESSAGE("a", "hi"));
    check_answers("C<a:hi>");
    redis_unsubscribe(b);
    check_heard(1, "UNSUBSCRIBE a; ");
    CHECK(stats().subscriptions == 0, "%zu", stats().subscriptions);
    end();
}

static struct redis_sub *other;

/* Ends another one, itself, and begins a third, in the middle of it all. */
static void meddle(void *self, sio_str channel, sio_str payload)
{
    struct redis_sub **own = self;

    (void)payload;
    add("M<%.*s>", (int)channel.n, channel.p);
    if (other)
        redis_unsubscribe(other);
    other = NULL;
    redis_unsubscribe(*own);
    subscribe(REDIS_CHANNEL, "a", "N");
}

static const struct redis_sub_ops meddling = { meddle, NULL };

static void test_reentrance(void)
{
    struct redis_sub *own;

    T_CASE("redis: subscriptions come and go within messages");
    begin_up();
    CHECK(redis_subscribe(f.client, REDIS_CHANNEL, STR("a"), &meddling, &own,
                          &own) == SIO_OK,
          "subscribe");
    other = subscribe(REDIS_CHANNEL, "a", "O");
    fake_wait(&f, 1);
    fake_let_in(&f, 1);
    fake_say(&f, 1, SUBSCRIBED("subscribe", "9", "a"));
    check_answers("O+;");
    fake_say(&f, 1, MESSAGE("a", "hi") MESSAGE("a", "ho"));
    check_heard(1, "SUBSCRIBE a; UNSUBSCRIBE a; SUBSCRIBE a; ");
    check_answers("M<a>N<a:ho>");
    fake_say(&f, 1,
             SUBSCRIBED("unsubscribe", "11", "a")
                 SUBSCRIBED("subscribe", "9", "a"));
    check_answers("N+;");
    end();
}

/* A subscription that ends and begins again while answers are awaited. */
static void test_quick_changes(void)
{
    struct redis_sub *a;

    T_CASE("redis: subscribed, ended and subscribed before the first answer");
    begin_up();
    a = subscribe(REDIS_CHANNEL, "a", "A");
    fake_wait(&f, 1);
    fake_let_in(&f, 1);
    redis_unsubscribe(a);
    subscribe(REDIS_CHANNEL, "a", "B");
    check_heard(1, "SUBSCRIBE a; UNSUBSCRIBE a; SUBSCRIBE a; ");
    fake_say(&f, 1,
             SUBSCRIBED("subscribe", "9", "a")
                 SUBSCRIBED("unsubscribe", "11", "a"));
    check_answers("");
    fake_say(&f, 1, SUBSCRIBED("subscribe", "9", "a"));
    check_answers("B+;");
    end();
}

static void test_resubscribe(void)
{
    T_CASE("R51: subscriptions come back with the connection");
    begin_up();
    subscribe(REDIS_CHANNEL, "a", "A");
    subscribe(REDIS_PATTERN, "b", "B");
    fake_wait(&f, 1);
    fake_let_in(&f, 1);
    check_heard(1, "SUBSCRIBE a; PSUBSCRIBE b; ");
    fake_say(&f, 1,
             SUBSCRIBED("subscribe", "9", "a")
                 SUBSCRIBED("psubscribe", "10", "b"));
    check_answers("A+;B+;");
    check_told("");
    fake_hang_up(&f, 1);
    check_answers("A-closed by the peer;B-closed by the peer;");
    CHECK(strstr(f.told, "degraded"), "%s", f.told);
    f.told[0] = 0;
    get("x");
    fake_say(&f, 0, "+1\r\n");
    check_answers("x=1;");
    fake_wait(&f, 101);
    CHECK(f.count == 3, "%zu", f.count);
    fake_let_in(&f, 2);
    check_heard(2, "SUBSCRIBE a; PSUBSCRIBE b; ");
    fake_say(&f, 2, SUBSCRIBED("subscribe", "9", "a"));
    check_answers("A+;");
    CHECK(!strstr(f.told, "ready"), "too early: %s", f.told);
    f.told[0] = 0;
    fake_say(&f, 2, SUBSCRIBED("psubscribe", "10", "b"));
    check_answers("B+;");
    check_told("ready;");
    fake_say(&f, 2, MESSAGE("a", "hi"));
    check_answers("A<a:hi>");
    end();

    T_CASE("redis: a subscription that is refused is tried again");
    begin_up();
    subscribe(REDIS_CHANNEL, "a", "A");
    fake_wait(&f, 1);
    fake_let_in(&f, 1);
    check_heard(1, "SUBSCRIBE a; ");
    fake_say(&f, 1, "-NOPERM no permissions\r\n");
    check_answers("A-NOPERM no permissions;");
    check_told("degraded 1 of 1 subscriptions are not in force;");
    CHECK(strstr(stats().error, "NOPERM"), "%s", stats().error);
    fake_wait(&f, 1000);
    check_heard(1, "SUBSCRIBE a; ");
    fake_say(&f, 1, SUBSCRIBED("subscribe", "9", "a"));
    check_answers("A+;");
    check_told("ready;");

    T_CASE("redis: a subscription that the server ends is asked for again");
    fake_say(&f, 1, SUBSCRIBED("unsubscribe", "11", "a"));
    check_answers("A-the server has ended it;");
    fake_wait(&f, 1000);
    check_heard(1, "SUBSCRIBE a; ");
    end();
}

static void garbage(const char *name, const char *text)
{
    T_CASE("redis: garbage for messages: %s", name);
    begin_up();
    subscribe(REDIS_CHANNEL, "a", "A");
    fake_wait(&f, 1);
    fake_let_in(&f, 1);
    fake_say(&f, 1, SUBSCRIBED("subscribe", "9", "a"));
    check_answers("A+;");
    fake_say(&f, 1, text);
    fake_wait(&f, 200);
    CHECK(stats().failures <= 1, "%d", (int)stats().failures);
    end();
}

static void test_garbage(void)
{
    garbage("an empty array", "*0\r\n");
    garbage("a message without a channel", "*1\r\n$7\r\nmessage\r\n");
    garbage("a message without a payload",
            "*2\r\n$7\r\nmessage\r\n$1\r\na\r\n");
    garbage("a message of numbers", "*3\r\n$7\r\nmessage\r\n:1\r\n:2\r\n");
    garbage("a message of nils", "*3\r\n$7\r\nmessage\r\n$-1\r\n$-1\r\n");
    garbage("an array in a message",
            "*3\r\n$7\r\nmessage\r\n*1\r\n:1\r\n*1\r\n:1\r\n");
    garbage("an end of nothing", SUBSCRIBED("sunsubscribe", "12", "z"));
    garbage("an end of nil", "*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:0\r\n");
    garbage("an error", "-ERR what\r\n");
    garbage("no RESP", "\r\n\r\n");
}

/* ------------------------------------------------------------------- oom -- */

/* Whatever fails, every command given ends once, and all is released. */
static void test_oom(void)
{
    T_CASE("redis: the n-th allocation fails");
    for (long n = 0; n < 10000; n++) {
        char why[100];
        struct redis_sub *sub = NULL;
        bool failed;
        int given = 0, r;

        begin();
        oom_arm(n);
        r = redis_open(&f.loop, &options,
                       &(struct redis_ops){ .on_state = NULL }, NULL, &f.client,
                       why, sizeof why);
        if (r == SIO_OK) {
            given = get("a") == SIO_OK;
            if (redis_subscribe(f.client, REDIS_CHANNEL, STR("b"), &sub_ops,
                                NAME("B"), &sub) < 0)
                sub = NULL;
            for (int i = 0; i < 300; i++) {
                fake_wait(&f, 10);
                for (size_t p = 0; p < f.count; p++) {
                    const char *heard = fake_heard(&f, p);

                    if (strstr(heard, "PING"))
                        fake_say(&f, p, "+PONG\r\n");
                    if (strstr(heard, "GET"))
                        fake_say(&f, p, "+1\r\n");
                    if (strstr(heard, "SUBSCRIBE"))
                        fake_say(&f, p, SUBSCRIBED("subscribe", "9", "b"));
                }
                if (stats().state == REDIS_READY && strstr(answers, "a=") &&
                    (!sub || strstr(answers, "B+")))
                    break;
            }
        }
        failed = oom_disarm();
        CHECK(r == SIO_OK || failed, "%ld: %d", n, r);
        CHECK(!given || strstr(answers, "a="), "%ld: '%s'", n, answers);
        CHECK(!sub || strstr(answers, "B+"), "%ld: '%s'", n, answers);
        CHECK(r < 0 || stats().state == REDIS_READY, "%ld", n);
        if (r < 0)
            f.client = NULL;
        end();
        if (!failed)
            break;
        CHECK(n < 9999, "it never ends");
    }
}

int main(void)
{
    test_set_up();
    test_refused();
    test_options();
    test_commands();
    test_timeouts();
    test_back_off();
    test_limits();
    test_cut();
    test_subscribe();
    test_reentrance();
    test_quick_changes();
    test_resubscribe();
    test_garbage();
    test_oom();
    return t_done();
}
