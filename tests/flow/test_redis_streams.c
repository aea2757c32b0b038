/*
 * test_redis_streams.c -- the streams adapter against a server that does what a
 * test says: what is read and from where, entries that are kept, sessions, and
 * that a client which comes back gets each event once. R and a number are
 * cluster numbers.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/base/str.h"
#include "src/adapter/redis_streams.h"
#include "tests/flow/fake_redis.h"
#include "tests/unit/oom.h"
#include "tests/unit/test.h"

#include <stdlib.h>
#include <sys/socket.h>

enum {
    COMMANDS,
    READING,
    MESSAGES,
    OTHER_READING
}; /* connections, as they come */

static struct fake_redis f;
static struct cl_node node;
static struct redis_transport transport;
static sio_redis_options options;

/* What the host was told, as a transcript. */
static char told[4000];

static void add(const char *fmt, ...)
{
    size_t at = strlen(told);
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(told + at, sizeof told - at, fmt, ap);
    va_end(ap);
}

static void check_told(const char *want)
{
    CHECK(strcmp(told, want) == 0, "'%s', want '%s'", told, want);
    told[0] = 0;
}

static void check_heard(size_t peer, const char *want)
{
    const char *heard = fake_heard(&f, peer);

    CHECK(strcmp(heard, want) == 0, "'%s', want '%s'", heard, want);
}

static void host_log(void *self, sio_log_level level, const char *message)
{
    (void)self;
    (void)level;
    add("log '%s'|", message);
}

static int host_execute(void *self, const sio_cluster_request *q)
{
    (void)self;
    add("do %d '%.*s' %.*s|", (int)q->type, (int)q->event.n,
        q->event.n ? q->event.p : "", (int)q->offset.n,
        q->offset.n ? q->offset.p : "");
    return SIO_OK;
}

static void host_forget(void *self, void *user)
{
    (void)self;
    (void)user;
}

static const sio_cluster_host host = { .size = sizeof host,
                                       .log = host_log,
                                       .execute = host_execute,
                                       .forget = host_forget };

static void on_kept(void *user, int status, sio_str offset)
{
    add("kept %s %d %.*s|", (char *)user, status, (int)offset.n, offset.p);
}

static const sio_cluster_answers keeping = { .on_kept = on_kept };

static void on_restored(void *user, int status,
                        const sio_cluster_session *session,
                        const sio_cluster_request *missed, size_t count)
{
    add("%s %d", (char *)user, status);
    if (session)
        add(" %.*s", (int)session->sid.n, session->sid.p);
    for (size_t i = 0; i < count; i++)
        add(" %.*s@%.*s", (int)missed[i].event.n, missed[i].event.p,
            (int)missed[i].offset.n, missed[i].offset.p);
    add("|");
}

static void on_change(void *self)
{
    const char *why;
    enum redis_state state = redis_streams_state(self, &why);
    static const char *const names[] = { "connecting", "ready", "degraded" };

    add("%s%s%s|", names[state], *why ? " " : "", why);
}

/* ----------------------------------------------------------------- answers */

static char answer[8000];
static size_t answer_len;

static void array(size_t n)
{
    answer_len += (size_t)snprintf(answer + answer_len,
                                   sizeof answer - answer_len, "*%zu\r\n", n);
}

static void bulk(const char *text)
{
    answer_len +=
        (size_t)snprintf(answer + answer_len, sizeof answer - answer_len,
                         "$%zu\r\n%s\r\n", strlen(text), text);
}

static void say(size_t peer)
{
    fake_say_n(&f, peer, answer, answer_len);
    answer_len = 0;
    fake_turns(&f, 3);
}

/* The same where the connection may have gone for lack of memory. */
static void try_say(size_t peer)
{
    (void)!send(f.peers[peer], answer, answer_len, MSG_NOSIGNAL);
    answer_len = 0;
    fake_turns(&f, 3);
}

static void text(const char *resp)
{
    answer_len += (size_t)snprintf(answer + answer_len,
                                   sizeof answer - answer_len, "%s", resp);
}

/* An event for everybody, or for a room. */
static void put_entry(const char *id, const char *uid, const char *event,
                      const char *room, const char *except, const char *flags)
{
    char data[200];

    snprintf(data, sizeof data,
             "{\"packet\":{\"type\":2,\"data\":[\"%s\"]},\"opts\":{\"rooms\":["
             "%s%s%s],\"except\":[%s],\"flags\":{%s}}}",
             event, room ? "\"" : "", room ? room : "", room ? "\"" : "",
             except, flags);
    array(2);
    bulk(id);
    array(8);
    bulk("uid");
    bulk(uid);
    bulk("nsp");
    bulk("/");
    bulk("type");
    bulk("3");
    bulk("data");
    bulk(data);
}

static void entry(const char *id, const char *uid, const char *event,
                  const char *room)
{
    put_entry(id, uid, event, room, "\"gone\"", "");
}

static void volatile_entry(const char *id, const char *uid, const char *event)
{
    put_entry(id, uid, event, NULL, "", "\"volatile\":true");
}

/* The head of what XREAD gives: so many entries follow. */
static void news(const char *stream, size_t entries)
{
    array(1);
    array(2);
    bulk(stream);
    array(entries);
}

/* ------------------------------------------------------------------ set-up */

static void begin_with(const char *last, unsigned streams, size_t max_reply)
{
    struct redis_options client;
    char why[200] = "";

    told[0] = 0;
    fake_begin(&f, &client);
    client.command_timeout_ms = 20000;
    client.ping_interval_ms = 60000;
    client.max_reply = max_reply;
    fake_open(&f, &client);
    fake_let_in(&f, COMMANDS);
    sio_redis_options_init(&options);
    options.stream_count = streams;
    options.max_reply = max_reply;
    CHECK(cl_node_init(&node, &host, &f.loop, &redis_streams_ops, &transport,
                       5000) == SIO_OK,
          "no node");
    redis_transport_init(&transport, &options, &node, f.client);
    CHECK(redis_streams_open(&transport, &client, on_change, &transport, why,
                             sizeof why) == SIO_OK,
          "not opened: %s", why);
    CHECK(cl_add_namespace(&node, STR("/")) == SIO_OK, "not added");
    fake_wait(&f, 1);
    fake_let_in(&f, READING);
    if (!last)
        return;
    check_heard(READING, "XREVRANGE socket.io + - COUNT 1; ");
    array(1);
    entry(last, "other", "old", NULL);
    say(READING);
    fake_heard(&f, READING);
    check_told("connecting|ready|");
}

static void begin(const char *last)
{
    begin_with(last, 1, 64u << 20);
}

static void end(void)
{
    cl_node_close(&node);
    redis_streams_close(&transport);
    redis_close(f.client);
    f.client = NULL;
    redis_transport_free(&transport);
    fake_end(&f);
}

static sio_cluster_stats stats(void)
{
    sio_cluster_stats s = { 0 };

    cl_get_stats(&node, &s);
    return s;
}

/* ----------------------------------------------------------------- reading */

static void test_position(void)
{
    T_CASE("R72: reading begins behind the last entry");
    begin_with(NULL, 1, 1 << 20);
    check_heard(READING, "XREVRANGE socket.io + - COUNT 1; ");
    array(1);
    entry("7-1", "other", "old", NULL);
    say(READING);
    check_heard(READING, "XREAD COUNT 100 BLOCK 5000 STREAMS socket.io 7-1; ");
    check_told("connecting|ready|");
    fake_say(&f, READING, "*-1\r\n");
    check_heard(READING, "XREAD COUNT 100 BLOCK 5000 STREAMS socket.io 7-1; ");
    end();

    T_CASE("R72: a stream that is empty begins with its first one");
    begin_with(NULL, 1, 1 << 20);
    fake_heard(&f, READING);
    fake_say(&f, READING, "*0\r\n");
    check_heard(READING, "XREAD COUNT 100 BLOCK 5000 STREAMS socket.io 0-0; ");
    end();

    T_CASE("R72: after a loss it goes on where it was");
    begin("7-1");
    news("socket.io", 1);
    entry("8-0", "other", "ev", NULL);
    say(READING);
    fake_heard(&f, READING);
    check_told("do 0 'ev' 8-0|");
    fake_hang_up(&f, READING);
    fake_wait(&f, 200);
    fake_let_in(&f, 3);
    check_heard(3, "XREAD COUNT 100 BLOCK 5000 STREAMS socket.io 8-0; ");
    end();

    T_CASE("R71: of two streams, those that Node writes to and does not read");
    begin_with(NULL, 2, 1 << 20);
    check_heard(READING, "XREVRANGE socket.io-0 + - COUNT 1; ");
    fake_let_in(&f, OTHER_READING);
    check_heard(OTHER_READING, "XREVRANGE socket.io-1 + - COUNT 1; ");
    fake_say(&f, OTHER_READING, "*0\r\n");
    check_heard(OTHER_READING, "XREVRANGE socket.io--1 + - COUNT 1; ");
    fake_say(&f, OTHER_READING, "*0\r\n");
    check_heard(OTHER_READING, "XREAD COUNT 100 BLOCK 5000 STREAMS socket.io-1 "
                               "socket.io--1 0-0 0-0; ");
    news("socket.io--1", 1);
    entry("8-0", "other", "ev", NULL);
    told[0] = 0;
    say(OTHER_READING);
    check_told("do 0 'ev' 8-0|");
    check_heard(OTHER_READING, "XREAD COUNT 100 BLOCK 5000 STREAMS socket.io-1 "
                               "socket.io--1 0-0 8-0; ");
    end();
}

static void test_entries(void)
{
    T_CASE("R70: what cannot be handled is passed over, each once");
    begin("7-1");
    news("socket.io", 5);
    entry("8-0", node.uid, "own", NULL);
    array(2);
    bulk("8-1");
    array(2);
    bulk("foo");
    bulk("bar");
    array(2);
    bulk("8-2");
    array(6);
    bulk("uid");
    bulk("x");
    bulk("nsp");
    bulk("/");
    bulk("type");
    bulk("3");
    array(2);
    bulk("8-3");
    array(6);
    bulk("uid");
    bulk("x");
    bulk("nsp");
    bulk("/elsewhere");
    bulk("type");
    bulk("3");
    entry("8-4", "other", "ev", NULL);
    say(READING);
    check_told("log 'cluster: a message for  was refused: invalid uid or "
               "namespace (1 so far)'|do 0 'ev' 8-4|");
    check_heard(READING, "XREAD COUNT 100 BLOCK 5000 STREAMS socket.io 8-4; ");
    CHECK(stats().refused == 3, "%d", (int)stats().refused);
    end();
}

static void test_refused(void)
{
    T_CASE("R70: Redis refuses to read: it says why, and is asked again");
    begin("7-1");
    fake_say(&f, READING, "-WRONGTYPE it is none\r\n");
    check_told("degraded XREAD: WRONGTYPE it is none|");
    fake_wait(&f, 990);
    check_heard(READING, "");
    fake_wait(&f, 20);
    check_heard(READING, "XREAD COUNT 100 BLOCK 5000 STREAMS socket.io 7-1; ");
    fake_say(&f, READING, "*-1\r\n");
    check_told("ready|");
    end();

    T_CASE("R70: the same before the first position");
    begin_with(NULL, 1, 1 << 20);
    fake_heard(&f, READING);
    fake_say(&f, READING, "-NOPERM no\r\n");
    check_told("connecting|degraded XREVRANGE: NOPERM no|");
    fake_wait(&f, 1010);
    check_heard(READING, "XREVRANGE socket.io + - COUNT 1; ");
    end();
}

static void too_long(size_t peer)
{
    static char big[6000];

    memset(big, 'x', sizeof big);
    fake_say(&f, peer, "$1000000\r\n");
    fake_say_n(&f, peer, big, sizeof big);
    fake_wait(&f, 400);
}

static void test_long(void)
{
    T_CASE("R70: too long an answer: fewer at once, and one is passed over");
    begin_with("7-1", 1, 4000);
    too_long(READING);
    fake_let_in(&f, 3);
    check_heard(3, "XREAD COUNT 1 BLOCK 5000 STREAMS socket.io 7-1; ");
    too_long(3);
    fake_let_in(&f, 4);
    check_heard(4, "EVAL  1 socket.io 7-2 2000; ");
    told[0] = 0;
    fake_say(&f, 4, "$3\r\n8-0\r\n");
    check_told("log 'cluster: a message for socket.io was refused: an entry is "
               "longer than half of max_reply (1 so far)'|");
    check_heard(4, "XREAD COUNT 1 BLOCK 5000 STREAMS socket.io 8-0; ");
    fake_say(&f, 4, "*-1\r\n");
    check_heard(4, "XREAD COUNT 2 BLOCK 5000 STREAMS socket.io 8-0; ");
    end();
}

/* ----------------------------------------------------------------- keeping */

static int keep(const char *name)
{
    const sio_cluster_request q = { .type = SIO_CLUSTER_BROADCAST,
                                    .nsp = STR("/"),
                                    .event = str_of(name),
                                    .answers = &keeping,
                                    .user = (void *)(uintptr_t)name,
                                    .keep = true };

    return cl_send(&node, &q);
}

/* What `keep(name)` has made of it. */
static void kept_entry(const char *id, const char *name)
{
    put_entry(id, node.uid, name, NULL, "", "");
}

static void test_keep(void)
{
    const char *heard;

    T_CASE("R64: an event that is kept has its entry's id");
    begin("7-1");
    CHECK(keep("a") == SIO_OK && keep("b") == SIO_OK, "not sent");
    heard = fake_heard(&f, COMMANDS);
    CHECK(str_starts(str_of(heard),
                     STR("XADD socket.io MAXLEN ~ 10000 * uid ")) &&
              strstr(heard, " nsp / type 3 data "),
          "%s", heard);
    fake_say(&f, COMMANDS, "$3\r\n9-0\r\n");
    check_told("");
    fake_say(&f, COMMANDS, "-OOM no\r\n");
    check_told("kept a 0 9-0|kept b -4 |"); /* which is the order of keep() */
    CHECK(stats().dropped == 1, "%d", (int)stats().dropped);
    keep("c");
    fake_hang_up(&f, COMMANDS);
    fake_turns(&f, 3);
    check_told("kept c -4 |");
    keep("d");
    end();
    check_told("kept d -4 |");
}

static void test_order(void)
{
    T_CASE("R68: what is told has the order of the stream");
    begin("7-1");
    keep("a");
    keep("b");
    fake_say(&f, COMMANDS, "$3\r\n8-1\r\n");
    news("socket.io", 5);
    entry("8-0", "other", "x", NULL);
    kept_entry("8-1", "a");
    entry("8-2", node.uid, "orphan", NULL);
    kept_entry("8-3", "b");
    entry("8-4", "other", "y", NULL);
    say(READING);
    check_told("do 0 'x' 8-0|kept a 0 8-1|kept b 0 8-3|do 0 'y' 8-4|");
    fake_say(&f, COMMANDS, "$3\r\n8-3\r\n");
    check_told("");
    end();

    T_CASE("R68: a reading that is slow is not waited for longer");
    begin("7-1");
    keep("a");
    fake_say(&f, COMMANDS, "$3\r\n8-1\r\n");
    fake_wait(&f, 19900);
    check_told("");
    fake_say(&f, READING, "*-1\r\n");
    fake_wait(&f, 200);
    check_told("kept a 0 8-1|");
    news("socket.io", 1);
    kept_entry("8-1", "a");
    say(READING);
    check_told("");

    T_CASE("R68: nor one that fails");
    fake_say(&f, READING, "-NOPERM no\r\n");
    keep("b");
    fake_say(&f, COMMANDS, "$3\r\n9-1\r\n");
    check_told("degraded XREAD: NOPERM no|kept b 0 9-1|");
    end();

    T_CASE("R68: nor one that begins to fail");
    begin("7-1");
    keep("a");
    keep("b");
    keep("c");
    fake_say(&f, COMMANDS, "$3\r\n8-1\r\n$3\r\n8-2\r\n");
    check_told("");
    fake_say(&f, READING, "-NOPERM no\r\n");
    check_told("degraded XREAD: NOPERM no|kept a 0 8-1|kept b 0 8-2|");
    end();
    check_told("kept c -4 |");

    T_CASE("R68: nor one whose connection is lost");
    begin("7-1");
    keep("a");
    fake_say(&f, COMMANDS, "$3\r\n8-1\r\n");
    check_told("");
    fake_hang_up(&f, READING);
    fake_turns(&f, 3);
    CHECK(strstr(told, "kept a 0 8-1|"), "%s", told);
    end();

    T_CASE("R68: an entry that the stream has lost is not waited for");
    begin("7-1");
    keep("a");
    keep("b");
    fake_say(&f, COMMANDS, "$3\r\n8-1\r\n");
    news("socket.io", 2);
    entry("9-1", "other", "x", NULL);
    kept_entry("9-2", "b");
    say(READING);
    check_told("kept a 0 8-1|do 0 'x' 9-1|kept b 0 9-2|");
    end();

    T_CASE("R68: who is not waited for leaves none behind that waits");
    begin("7-1");
    keep("a");
    keep("b");
    fake_say(&f, COMMANDS, "$3\r\n8-1\r\n");
    check_told("");
    fake_say(&f, READING, "-NOPERM no\r\n");
    fake_say(&f, COMMANDS, "$3\r\n8-2\r\n");
    check_told("degraded XREAD: NOPERM no|kept a 0 8-1|kept b 0 8-2|");
    end();

    T_CASE("R68: nor is its entry taken for that of the same event again");
    begin("7-1");
    fake_say(&f, READING, "-NOPERM no\r\n");
    keep("a");
    fake_say(&f, COMMANDS, "$3\r\n8-1\r\n");
    check_told("degraded XREAD: NOPERM no|kept a 0 8-1|");
    fake_wait(&f, REDIS_READ_RETRY_MS + 100);
    keep("a");
    news("socket.io", 3);
    kept_entry("8-1", "a");
    entry("8-2", "other", "x", NULL);
    kept_entry("8-3", "a");
    say(READING);
    check_told("ready|do 0 'x' 8-2|kept a 0 8-3|");
    end();
}

/* --------------------------------------------------------------- restoring */

/* Of the page that begins with the offset: so many entries behind it. */
static void page(size_t n)
{
    array(n + 1);
    entry("5-0", "other", "seen", NULL);
}

/* {sid: "S", pid: "P", rooms: ["S", "r1"], data: {}} */
static const char session[] = "hKNzaWShU6NwaWShUKVyb29tc5KhU6JyMaRkYXRhgA==";

static char back[] = "back", other_user[] = "other";

static int restore(const char *offset)
{
    return redis_sessions_restore(&transport, STR("/"), STR("P"),
                                  str_of(offset), on_restored, back);
}

/* The session is there, and so is the offset. */
static void begin_restore(const char *last, const char *offset)
{
    char want[200];

    begin(last);
    CHECK(restore(offset) == SIO_OK, "not begun");
    snprintf(want, sizeof want,
             "GET sio:session:P; DEL sio:session:P; "
             "XRANGE socket.io %s %s; ",
             offset, offset);
    check_heard(COMMANDS, want);
    bulk(session);
    say(COMMANDS);
    fake_say(&f, COMMANDS, ":1\r\n");
    array(1);
    entry(offset, "other", "seen", NULL);
    say(COMMANDS);
}

static void test_restore(void)
{
    T_CASE("R68: what was missed: by rooms, without what is excepted");
    begin_restore("9-0", "5-0");
    check_heard(COMMANDS, "XRANGE socket.io 5-0 + COUNT 32; ");
    page(4);
    entry("6-0", "other", "all", NULL);
    entry("6-1", "other", "room", "r1");
    entry("6-2", "other", "elsewhere", "r2");
    entry("6-3", "other", "own", "S");
    say(COMMANDS);
    check_told("back 0 S all@6-0 room@6-1 own@6-3|");
    end();

    T_CASE("R68: page by page");
    begin_restore("9-0", "5-0");
    fake_heard(&f, COMMANDS);
    page(REDIS_PAGE - 1);
    for (int i = 1; i < REDIS_PAGE; i++)
        entry("6-7", "other", "x", "r2");
    say(COMMANDS);
    check_heard(COMMANDS, "XRANGE socket.io 6-7 + COUNT 32; ");
    array(1);
    entry("6-7", "other", "x", "r2");
    say(COMMANDS);
    check_told("back 0 S|");
    end();

    T_CASE("R68: the stream is cut off at the offset before the page is there");
    begin_restore("9-0", "5-0");
    fake_heard(&f, COMMANDS);
    array(1);
    entry("6-3", "other", "not the first", NULL);
    say(COMMANDS);
    check_told("back -3|");
    end();

    T_CASE("R68: or between two pages");
    begin_restore("9-0", "5-0");
    fake_heard(&f, COMMANDS);
    page(REDIS_PAGE - 1);
    for (int i = 1; i < REDIS_PAGE; i++)
        entry("6-7", "other", "x", NULL);
    say(COMMANDS);
    fake_say(&f, COMMANDS, "*0\r\n");
    check_told("back -3|");
    end();
}

static void test_exact(void)
{
    T_CASE("R68: what is told ends where this node is");
    begin_restore("6-0", "5-0");
    keep("ours");
    fake_heard(&f, COMMANDS);
    page(3);
    entry("6-0", "other", "a", NULL);
    entry("6-1", node.uid, "ours", NULL);
    entry("6-2", "other", "later", NULL);
    say(COMMANDS);
    check_told("back 0 S a@6-0|");
    fake_say(&f, COMMANDS, "$3\r\n6-1\r\n");
    news("socket.io", 2);
    kept_entry("6-1", "ours");
    entry("6-2", "other", "later", NULL);
    say(READING);
    check_told("kept ours 0 6-1|do 0 'later' 6-2|");
    end();

    T_CASE("R68: but with what could not wait, and what is volatile");
    begin("6-0");
    keep("ours");
    fake_say(&f, READING, "-NOPERM no\r\n");
    fake_say(&f, COMMANDS, "$3\r\n6-1\r\n");
    told[0] = 0;
    restore("5-0");
    fake_heard(&f, COMMANDS);
    bulk(session);
    text(":1\r\n");
    array(1);
    entry("5-0", "other", "seen", NULL);
    say(COMMANDS);
    page(4);
    entry("6-1", node.uid, "ours", NULL);
    entry("6-2", "other", "later", NULL);
    volatile_entry("6-3", node.uid, "v");
    entry("6-4", node.uid, "waits", NULL);
    say(COMMANDS);
    check_told("back 0 S ours@6-1 v@6-3|");
    end();

    T_CASE("R68: what is executed while a page is on its way is in it, once");
    begin_restore("6-0", "5-0");
    fake_heard(&f, COMMANDS);
    news("socket.io", 2);
    entry("6-1", "other", "both", NULL);
    entry("6-2", "other", "beyond", NULL);
    say(READING);
    check_told("do 0 'both' 6-1|do 0 'beyond' 6-2|");
    page(2);
    entry("6-0", "other", "a", NULL);
    entry("6-1", "other", "both", NULL);
    say(COMMANDS);
    check_told("back 0 S a@6-0 both@6-1 beyond@6-2|");
    end();

    T_CASE("R68: so is what of our own is told meanwhile");
    begin_restore("6-0", "5-0");
    fake_heard(&f, COMMANDS);
    keep("ours");
    news("socket.io", 2);
    kept_entry("6-1", "ours");
    entry("6-2", "other", "beyond", NULL);
    say(READING);
    check_told("kept ours 0 6-1|do 0 'beyond' 6-2|");
    page(1);
    entry("6-0", "other", "a", NULL);
    say(COMMANDS);
    check_told("back 0 S a@6-0 ours@6-1 beyond@6-2|");
    end();

    T_CASE("R68: a node that has not seen the offset is waited for");
    begin_restore("4-0", "5-0");
    fake_heard(&f, COMMANDS);
    page(0);
    say(COMMANDS);
    check_told("");
    news("socket.io", 2);
    entry("5-0", "other", "seen", NULL);
    entry("5-1", "other", "next", NULL);
    say(READING);
    check_told("do 0 'seen' 5-0|do 0 'next' 5-1|");
    check_heard(COMMANDS, "XRANGE socket.io 5-0 + COUNT 32; ");
    page(1);
    entry("5-1", "other", "next", NULL);
    say(COMMANDS);
    check_told("back 0 S next@5-1|");
    end();

    T_CASE("R68: but not for ever");
    begin_restore("4-0", "5-0");
    fake_heard(&f, COMMANDS);
    page(0);
    say(COMMANDS);
    fake_wait(&f, REDIS_RESTORE_MS - 100);
    check_told("");
    fake_wait(&f, 200);
    check_told("back -8|");
    end();
}

static void first_answers(const char *got, const char *deleted,
                          const char *offset, const char *want)
{
    begin("9-0");
    CHECK(restore("5-0") == SIO_OK, "not begun");
    fake_heard(&f, COMMANDS);
    fake_say(&f, COMMANDS, got);
    fake_say(&f, COMMANDS, deleted);
    fake_say(&f, COMMANDS, offset);
    check_told(want);
    check_heard(COMMANDS, "");
    end();
}

static void test_none(void)
{
    static const char there[] =
        "$44\r\nhKNzaWShU6NwaWShUKVyb29tc5KhU6JyMaRkYXRh"
        "gA==\r\n";
    static const char one[] =
        "*1\r\n*2\r\n$3\r\n5-0\r\n*2\r\n$1\r\na\r\n$1\r\nb"
        "\r\n";

    T_CASE("R69: no session, or somebody else's by now");
    first_answers("$-1\r\n", ":0\r\n", one, "back -7|");
    first_answers(there, ":0\r\n", one, "back -7|");
    first_answers("$4\r\nAAAA\r\n", ":1\r\n", one, "back -7|");
    T_CASE("R69: the offset is gone");
    first_answers(there, ":1\r\n", "*0\r\n", "back -3|");
    T_CASE("R69: Redis refuses");
    first_answers("-NOPERM no\r\n", ":1\r\n", one, "back -4|");
    first_answers(there, "-NOPERM no\r\n", one, "back -4|");
    first_answers(there, ":1\r\n", "-WRONGTYPE no\r\n", "back -4|");

    T_CASE("R69: no offset");
    begin("9-0");
    CHECK(restore("text") == SIO_E_LIMIT, "begun");
    CHECK(restore("5-") == SIO_E_LIMIT, "begun");
    CHECK(redis_sessions_restore(&transport, STR("/none"), STR("P"), STR("5-0"),
                                 on_restored, back) == SIO_E_STATE,
          "begun");
    check_heard(COMMANDS, "");

    T_CASE("R69: it is forgotten: nothing is told");
    CHECK(restore("5-0") == SIO_OK, "not begun");
    redis_sessions_forget(&transport, other_user);
    redis_sessions_forget(&transport, back);
    fake_heard(&f, COMMANDS);
    fake_say(&f, COMMANDS, there);
    fake_say(&f, COMMANDS, ":1\r\n");
    fake_say(&f, COMMANDS, one);
    check_heard(COMMANDS, "");

    T_CASE("R69: the connection is lost; the server stops");
    CHECK(restore("5-0") == SIO_OK, "not begun");
    fake_hang_up(&f, COMMANDS);
    fake_turns(&f, 3);
    check_told("back -4|");
    CHECK(restore("5-0") == SIO_OK, "not begun");
    end();
    check_told("back -4|");
}

static void test_two_streams(void)
{
    const size_t other = OTHER_READING;

    T_CASE("R71: of a namespace that Node has in another stream, both");
    begin_with(NULL, 2, 1 << 20);
    CHECK(cl_add_namespace(&node, STR("/notifications")) == SIO_OK, "no nsp");
    fake_heard(&f, READING);
    fake_let_in(&f, other);
    fake_heard(&f, other);
    for (int i = 0; i < 2; i++) {
        array(1);
        entry("7-0", "other", "old", NULL);
        say(other);
    }
    told[0] = 0;
    CHECK(redis_sessions_restore(&transport, STR("/notifications"), STR("P"),
                                 STR("5-0"), on_restored, back) == SIO_OK,
          "not begun");
    check_heard(COMMANDS, "GET sio:session:P; DEL sio:session:P; "
                          "XRANGE socket.io--1 5-0 5-0; "
                          "XRANGE socket.io-1 5-0 5-0; ");
    bulk(session);
    say(COMMANDS);
    fake_say(&f, COMMANDS, ":1\r\n*0\r\n");
    array(1);
    entry("5-0", "other", "seen", NULL);
    say(COMMANDS);
    check_heard(COMMANDS, "XRANGE socket.io--1 5-1 + COUNT 32; ");
    fake_say(&f, COMMANDS, "*0\r\n");
    check_heard(COMMANDS, "XRANGE socket.io-1 5-0 + COUNT 32; ");
    page(0);
    say(COMMANDS);
    check_told("back 0 S|");
    end();
}

static void test_save(void)
{
    const sio_str rooms[] = { STR("S"), STR("r1") };
    const sio_cluster_session s = { .sid = STR("S"),
                                    .pid = STR("P"),
                                    .rooms = rooms,
                                    .room_count = 2,
                                    .data = { .kind = SIO_RAW_JSON,
                                              .trusted = true,
                                              .data = "{}",
                                              .size = 2 } };

    T_CASE("R67: a session is saved for so long");
    begin("9-0");
    CHECK(redis_sessions_save(&transport, &s, 60000) == SIO_OK, "not saved");
    check_heard(COMMANDS, "SET sio:session:P  PX 60000; ");
    fake_say(&f, COMMANDS, "-NOPERM no\r\n");
    CHECK(stats().dropped == 1, "%d", (int)stats().dropped);
    end();
}

/* ---------------------------------------------------------- out of memory */

/* How many answers have to come. */
static size_t go_through(void)
{
    const size_t kept = keep("a") == SIO_OK;

    if (kept)
        text("$3\r\n9-9\r\n");
    if (restore("5-0") != SIO_OK)
        return kept;
    bulk(session);
    text(":1\r\n");
    array(1);
    entry("5-0", "other", "seen", NULL);
    try_say(COMMANDS);
    news("socket.io", 1);
    entry("9-1", "other", "x", NULL);
    try_say(READING);
    if (strstr(told, "back"))
        return kept + 1;
    page(2);
    entry("6-0", "other", "a", NULL);
    entry("6-1", "other", "b", "r1");
    try_say(COMMANDS);
    return kept + 1;
}

static size_t answers_told(void)
{
    size_t n = 0;

    for (const char *at = told; (at = strpbrk(at, "kb")) != NULL; at++)
        n += strncmp(at, "kept ", 5) == 0 || strncmp(at, "back ", 5) == 0;
    return n;
}

/* Who is told to be back has all that the sockets here have had. */
static bool is_whole(void)
{
    return strstr(told, " a@6-0 b@6-1") &&
           (!strstr(told, "'x' 9-1") || strstr(told, " x@9-1"));
}

static void test_oom(void)
{
    T_CASE("R68: every allocation fails once: told once, or refused");
    for (long n = 0; n < 1000; n++) {
        bool failed;
        size_t wanted;

        begin("9-0");
        oom_arm(n);
        wanted = go_through();
        failed = oom_disarm();
        end();
        CHECK(answers_told() == wanted, "%ld: %zu answers, want %zu: %s", n,
              answers_told(), wanted, told);
        CHECK(!strstr(told, "back 0 ") || is_whole(), "%ld: %s", n, told);
        answer_len = 0;
        if (!failed) {
            CHECK(n > 15, "only %ld allocations", n);
            CHECK(strstr(told, "back 0 S a@6-0 b@6-1 x@9-1|"), "%s", told);
            break;
        }
    }
}

int main(void)
{
    test_position();
    test_entries();
    test_refused();
    test_long();
    test_keep();
    test_order();
    test_restore();
    test_exact();
    test_none();
    test_two_streams();
    test_save();
    test_oom();
    return t_done();
}
