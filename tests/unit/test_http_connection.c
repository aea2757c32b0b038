/*
 * test_http_connection.c -- requests over a connection: order, bodies, limits,
 * times and every way to end.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/unit/http_fixture.h"
#include "tests/unit/oom.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define POST(path, fields) "POST " path " HTTP/1.1\r\nHost: a\r\n" fields "\r\n"
#define UP(path)                                                  \
    "GET " path " HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n" \
    "Upgrade: x\r\n\r\n"

/* --------------------------------------------------- rows, cut at every byte
 */

struct row {
    const char *name, *in, *told, *answers;
};

/* clang-format off */
static const struct row rows[] = {
    { "get", GET("/now"), "/now ", "200 hi|" },
    { "empty lines before a request", "\r\n\r\n" GET("/now"), "/now ",
      "200 hi|" },
    { "two in a row", GET("/now") GET("/now"), "/now /now ",
      "200 hi|200 hi|" },
    { "an empty line between", GET("/now") "\r\n" GET("/now"), "/now /now ",
      "200 hi|200 hi|" },
    { "a get has an empty body", GET("/post"), "/post <>", "200 ok|" },
    { "post", POST("/post", "Content-Length: 5\r\n") "hello",
      "/post <hello>", "200 ok|" },
    { "post without a body", POST("/post", "Content-Length: 0\r\n"),
      "/post <>", "200 ok|" },
    { "post, get", POST("/post", "Content-Length: 5\r\n") "hello" GET("/now"),
      "/post <hello>/now ", "200 ok|200 hi|" },
    { "body on the limit",
      POST("/post", "Content-Length: 10\r\n") "0123456789" GET("/now"),
      "/post <0123456789>/now ", "200 ok|200 hi|" },
    { "body one past the limit: dropped, the connection stays",
      POST("/post", "Content-Length: 11\r\n") "0123456789a" GET("/now"),
      "/post L/now ", "413|200 hi|" },
    { "chunked", POST("/post", "Transfer-Encoding: chunked\r\n")
      "3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n" GET("/now"),
      "/post <hello>/now ", "200 ok|200 hi|" },
    { "chunked on the limit", POST("/post", "Transfer-Encoding: chunked\r\n")
      "5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n" GET("/now"),
      "/post <0123456789>/now ", "200 ok|200 hi|" },
    { "chunked one past the limit",
      POST("/post", "Transfer-Encoding: chunked\r\n")
      "5\r\n01234\r\n6\r\n56789a\r\n0\r\n\r\n" GET("/now"),
      "/post L/now ", "413|200 hi|" },
    { "answered before the body, which is dropped",
      POST("/now", "Content-Length: 5\r\n") "hello" GET("/now"),
      "/now /now ", "200 hi|200 hi|" },
    { "answered before chunks, which are dropped",
      POST("/now", "Transfer-Encoding: chunked\r\n") "5\r\nhello\r\n0\r\n\r\n"
      GET("/now"), "/now /now ", "200 hi|200 hi|" },
    { "close asked for", "GET /now HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
      "\r\n" GET("/now"), "/now ", "200 hi|#" },
    { "nothing is read behind a close that was asked for",
      "GET /wait0 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
      GET("/now"), "/wait0 <>", "" },
    { "HTTP/1.0", "GET /now HTTP/1.0\r\n\r\n" GET("/now"), "/now ",
      "200 hi|#" },
    { "HTTP/1.0 kept alive", "GET /now HTTP/1.0\r\nConnection: keep-alive\r\n"
      "\r\n" GET("/now"), "/now /now ", "200 hi|200 hi|" },
    { "malformed", "GET / HTTP/1.1\r\nHost : a\r\n\r\n", "!400", "400|#" },
    { "malformed behind a good one", GET("/now") "?", "/now !400",
      "200 hi|400|#" },
    { "H2 chunk extension", POST("/post", "Transfer-Encoding: chunked\r\n")
      "1;x\r\na\r\n0\r\n\r\n", "/post !400a", "400|#" },
    { "bad chunk behind an answer: no second one",
      POST("/now", "Transfer-Encoding: chunked\r\n") "x\r\n", "/now !400",
      "200 hi|#" },
    { "malformed behind one that waits: no answer that would be taken for its",
      GET("/wait0") "?", "/wait0 <>!400A", "#" },
    { "drop", GET("/drop"), "/drop ", "#" },
    { "drop of one behind another", GET("/wait0") GET("/drop"),
      "/wait0 <>/drop A", "#" },
    { "expect", POST("/post", "Expect: 100-continue\r\nContent-Length: 5\r\n")
      "hello" GET("/now"), "/post <hello>/now ", "100|200 ok|200 hi|" },
    { "expect, refused: nobody knows what follows",
      POST("/now", "Expect: 100-continue\r\nContent-Length: 5\r\n"), "/now ",
      "200 hi|#" },
    { "expect, too large",
      POST("/post", "Expect: 100-continue\r\nContent-Length: 11\r\n"),
      "/post L", "413|#" },
    { "upgrade, with bytes behind it", UP("/up") "raw", "/up [raw]", "101|" },
    { "upgrade behind one that waits", GET("/wait0") UP("/up"),
      "/wait0 <>/up -", "" },
};
/* clang-format on */

/* A transcript tells pieces of an upgraded stream apart; the sum counts. */
static void join_pieces(char *text)
{
    char *seam;

    while ((seam = strstr(text, "][")))
        memmove(seam, seam + 2, strlen(seam + 2) + 1);
}

static void run(const struct row *row, size_t cut)
{
    size_t n = strlen(row->in);
    const char *got;

    fx_begin();
    if (cut)
        fx_send(row->in, cut);
    if (cut < n)
        send(fx_peer, row->in + cut, n - cut, MSG_NOSIGNAL);
    for (int i = 0; i < 3; i++)
        fx_poll();
    join_pieces(fx_told);
    CHECK(strcmp(fx_told, row->told) == 0, "cut at %zu: told '%s', want '%s'",
          cut, fx_told, row->told);
    got = fx_answers();
    CHECK(strcmp(got, row->answers) == 0,
          "cut at %zu: answered '%s', want '%s'", cut, got, row->answers);
    fx_end();
}

/* ------------------------------------------------------------------ limits */

/* A request whose head is n bytes long. */
static size_t make_head(char *out, size_t n)
{
    static const char start[] = "GET /now HTTP/1.1\r\nHost: a\r\nX: ";

    memset(out, 'x', n);
    memcpy(out, start, sizeof start - 1);
    memcpy(out + n - 4, "\r\n\r\n", 4);
    return n;
}

static void test_head_limit(void)
{
    static char head[16385];

    T_CASE("head: on the limit");
    fx_begin();
    fx_send(head, make_head(head, 16384));
    fx_check_told("/now ");
    fx_check_answers("200 hi|");

    T_CASE("head: one byte past it is 431");
    fx_send(head, make_head(head, 16385));
    fx_check_told("!431");
    CHECK(strcmp(fx_receive(), "HTTP/1.1 431 Request Header Fields Too Large"
                               "\r\nConnection: close\r\n\r\n#") == 0,
          "other bytes");
    fx_end();

    T_CASE("head: too long before it is malformed, in one piece");
    fx_begin();
    memset(head, 'x', sizeof head);
    memcpy(head, "GET /now HTTP/1.1\r\nX: ", 22);
    send(fx_peer, head, sizeof head, 0);
    send(fx_peer, "x\n", 2, 0);
    fx_poll();
    fx_check_told("!431");
    fx_end();

    T_CASE("head: endless, in pieces, is 431 as soon as it is too long");
    fx_begin();
    make_head(head, 16385);
    fx_send(head, 16000);
    fx_check_told("");
    fx_send(head + 16000, 384);
    fx_check_told("");
    fx_say("x");
    fx_check_told("!431");
    fx_check_answers("431|#");
    fx_end();
}

static void test_field_limit(void)
{
    for (int over = 0; over < 2; over++) {
        T_CASE("CVE-2024-37890: %s fields", over ? "too many" : "200");
        fx_begin();
        fx_say("GET /now HTTP/1.1\r\nHost: a\r\n");
        for (int i = 0; i < 199 + over; i++)
            fx_say("A: b\r\n");
        fx_say("\r\n");
        fx_check_told(over ? "!431" : "/now ");
        fx_check_answers(over ? "431|#" : "200 hi|");
        fx_end();
    }
}

static void test_drop_limit(void)
{
    static char megabyte[1024 * 1024];
    char head[200];

    memset(megabyte, 'a', sizeof megabyte);
    T_CASE("body: too long to be dropped: the connection closes");
    fx_begin();
    snprintf(head, sizeof head, POST("/now", "Content-Length: %zu\r\n"),
             sizeof megabyte + 1);
    fx_say(head);
    fx_check_answers("200 hi|#");
    fx_end();

    T_CASE("body: endless chunks are dropped up to a limit");
    fx_begin();
    fx_say(POST("/now", "Transfer-Encoding: chunked\r\n") "10000000\r\n");
    fx_check_answers("200 hi|");
    for (size_t n = 0; n < sizeof megabyte; n += 65536)
        fx_send(megabyte, 65536);
    fx_check_answers("");
    fx_say("b");
    fx_check_answers("#");
    fx_end();
}

/* -------------------------------------------------------------- pipelining */

static void test_order(void)
{
    T_CASE("pipeline: answers leave in the order of requests");
    fx_begin();
    fx_say(GET("/wait0") POST("/post", "Content-Length: 2\r\n") "hi" GET(
        "/wait1") GET("/now") GET("/wait2"));
    fx_check_told("/wait0 <>/post <hi>/wait1 <>/now /wait2 <>");
    fx_check_answers("");
    fx_answer(fx_waiting[2], "two");
    fx_check_answers("");
    fx_answer(fx_waiting[0], "zero");
    fx_check_answers("200 zero|200 ok|");
    fx_answer(fx_waiting[1], "one");
    fx_check_answers("200 one|200 hi|200 two|");
    fx_say(GET("/now"));
    fx_check_answers("200 hi|");
    fx_end();

    T_CASE("pipeline: an answer that closes aborts those behind it");
    fx_begin();
    fx_say(GET("/wait0") GET("/wait1") GET("/now"));
    http_respond_text(fx_waiting[0], 400, "no", true);
    fx_check_told("/wait0 <>/wait1 <>/now A");
    fx_check_answers("400 no|#");
    fx_end();
}

static void test_expect_waits(void)
{
    T_CASE("pipeline: 100 Continue waits for its turn, too");
    fx_begin();
    fx_say(GET("/wait0")
               POST("/post", "Expect: 100-continue\r\nContent-Length: 2\r\n"));
    fx_check_answers("");
    fx_answer(fx_waiting[0], "0");
    fx_check_answers("200 0|100|");
    fx_say("hi");
    fx_check_answers("200 ok|");

    T_CASE("pipeline: a body that came unasked needs none");
    fx_say(GET("/wait0") POST(
        "/post", "Expect: 100-continue\r\nContent-Length: 2\r\n") "hi");
    fx_answer(fx_waiting[0], "0");
    fx_check_answers("200 0|200 ok|");
    fx_say(GET("/now"));
    fx_check_answers("200 hi|");
    fx_end();
}

static void test_shared_waits(void)
{
    struct buf *b = buf_new("shared", 6);

    T_CASE("pipeline: a shared and a long body wait for their turn");
    fx_begin();
    fx_say(GET("/wait0") GET("/wait1") GET("/wait2"));
    http_respond(fx_waiting[1],
                 &(struct http_response){ .status = 200, .shared = b });
    http_respond(fx_waiting[2],
                 &(struct http_response){ .status = 200,
                                          .body = { (char[1500]){ "z" }, 1 } });
    fx_answer(fx_waiting[0], "a");
    fx_check_answers("200 a|200 shared|200 z|");
    CHECK(b->refs == 1, "a reference is left");
    buf_unref(b);
    fx_end();
}

static void say_many(const char *text, int times)
{
    char all[8192] = "";

    for (int i = 0; i < times; i++)
        strcat(all, text);
    fx_say(all);
}

static void test_max_pipeline(void)
{
    T_CASE("pipeline: at the limit no more are read, then all are");
    http_config_defaults(&fx_config);
    fx_config.max_pipeline = 3;
    fx_begin_configured();
    fx_say(GET("/wait0"));
    say_many(GET("/now"), 40);
    fx_check_told("/wait0 <>/now /now ");
    say_many(GET("/now"), 2);
    fx_check_told("");
    CHECK(fx_server.exchange_count == 3, "%zu", fx_server.exchange_count);
    fx_answer(fx_waiting[0], "0");
    fx_check_answers(
        "200 0|"
        "200 hi|200 hi|200 hi|200 hi|200 hi|200 hi|200 hi|200 hi|200 hi|200 hi|"
        "200 hi|200 hi|200 hi|200 hi|200 hi|200 hi|200 hi|200 hi|200 hi|200 hi|"
        "200 hi|200 hi|200 hi|200 hi|200 hi|200 hi|200 hi|200 hi|200 hi|200 hi|"
        "200 hi|200 hi|200 hi|200 hi|200 hi|200 hi|200 hi|200 hi|200 hi|200 hi|"
        "200 hi|200 hi|");
    fx_told[0] = 0;

    T_CASE("pipeline: on the limit nothing has to wait");
    fx_say(GET("/wait0") GET("/wait1") GET("/wait2"));
    fx_check_told("/wait0 <>/wait1 <>/wait2 <>");
    fx_half_close();
    fx_check_told("AAA");
    fx_end();
}

static char *big_body; /* 100 KB */

static void answer_big(struct http_exchange *ex)
{
    fx_answer(ex, big_body);
}

static void test_slow_reader(void)
{
    size_t most = 0;
    int served = 0;

    T_CASE("pipeline: one who does not read is not read from");
    big_body = malloc(100001);
    memset(big_body, 'b', 100000);
    big_body[100000] = 0;
    fx_special = answer_big;
    http_config_defaults(&fx_config);
    fx_config.max_queued = 1000000;
    fx_begin_configured();
    say_many(GET("/special"), 100);
    most = fx_loop.queued_bytes;
    CHECK(most > 0 && most < 500000, "%zu bytes queued", most);
    for (int i = 0; i < 500; i++) {
        const char *at = fx_receive();

        CHECK(*at != '#', "closed");
        while ((at = strstr(at, "HTTP/1.1 200"))) {
            served++;
            at++;
        }
    }
    CHECK(served == 100, "%d of 100 answered", served);
    fx_end();

    T_CASE("queue: over max_queued before an append the connection fails");
    fx_config.max_queued = 1000;
    fx_begin_configured();
    for (int i = 0; i < 6; i++)
        send(fx_peer, GET("/special"), sizeof(GET("/special")) - 1, 0);
    fx_poll();
    fx_poll();
    CHECK(fx_server.connection_count == 0, "still there");
    fx_end();
    free(big_body);
}

/* Answers that wait for an earlier one are memory that a peer has ordered. */
static void test_waiting_bytes(void)
{
    struct buf *shared = buf_alloc(100000);

    T_CASE("pipeline: what waits behind an unanswered request is bounded");
    big_body = malloc(100001);
    memset(big_body, 'b', 100000);
    big_body[100000] = 0;
    fx_special = answer_big;
    fx_begin();
    fx_say(GET("/wait0"));
    say_many(GET("/special"), 20);
    CHECK(fx_server.exchange_count == 4, "%zu", fx_server.exchange_count);
    fx_told[0] = 0;
    fx_answer(fx_waiting[0], "0");
    for (int i = 0; i < 100; i++)
        fx_receive();
    CHECK(fx_server.exchange_count == 0, "%zu", fx_server.exchange_count);
    fx_say(GET("/now"));
    fx_check_answers("200 hi|");
    fx_end();

    T_CASE("pipeline: shared bodies count as well");
    memset(shared->data, 's', shared->len);
    fx_begin();
    fx_say(GET("/wait0") GET("/wait1") GET("/wait2") GET("/wait3")
               GET("/wait4"));
    for (int i = 1; i < 4; i++)
        http_respond(fx_waiting[i], &(struct http_response){
                                        .status = 200, .shared = shared });
    fx_told[0] = 0;
    fx_say(GET("/now"));
    fx_check_told("");
    fx_answer(fx_waiting[0], "0");
    for (int i = 0; i < 20; i++)
        fx_receive();
    fx_check_told("/now ");
    fx_end();
    buf_unref(shared);
    free(big_body);
}

static void test_never_reads(void)
{
    T_CASE("pipeline: who never reads what was answered is closed");
    big_body = malloc(100001);
    memset(big_body, 'b', 100000);
    big_body[100000] = 0;
    fx_special = answer_big;
    fx_begin();
    say_many(GET("/special"), 20);
    CHECK(fx_server.exchange_count == 0, "%zu", fx_server.exchange_count);
    for (int i = 0; i < 14; i++)
        fx_move_clock(5000);
    CHECK(fx_loop.conn_count == 0, "still there");
    fx_end();
    free(big_body);
}

/* ------------------------------------------------------------------- aborts */

static void test_aborts(void)
{
    T_CASE("abort: half-close of a waiting poll");
    fx_begin();
    fx_say(GET("/wait0"));
    fx_half_close();
    fx_check_told("/wait0 <>A");
    fx_check_answers("#");
    fx_end();

    T_CASE("abort: a post that is not complete");
    fx_begin();
    fx_say(POST("/post", "Content-Length: 5\r\n") "hell");
    fx_half_close();
    fx_check_told("/post a");
    fx_end();

    T_CASE("abort: half a head is nobody's");
    fx_begin();
    fx_say("GET /now HTTP/1.1\r\nHo");
    fx_half_close();
    fx_check_told("");
    fx_check_answers("#");
    fx_end();

    T_CASE("half-close behind a complete post: it is answered");
    fx_begin();
    send(fx_peer, POST("/post", "Content-Length: 2\r\n") "hi",
         sizeof(POST("/post", "Content-Length: 2\r\n") "hi") - 1, 0);
    fx_half_close();
    fx_check_told("/post <hi>");
    fx_check_answers("200 ok|#");
    fx_end();

    T_CASE("abort: reset");
    fx_begin();
    fx_say(GET("/wait0") GET("/wait1"));
    close(fx_peer);
    fx_peer = fx_connect();
    fx_poll();
    fx_check_told("/wait0 <>/wait1 <>AA");
    fx_end();

    T_CASE("abort: the server closes");
    fx_begin();
    fx_say(GET("/wait0") GET("/now"));
    http_server_close(&fx_server);
    fx_check_told("/wait0 <>/now A");
    fx_end();
}

/* The connection is at home on the first loop, but for "/post". */
static void test_moves(void)
{
    static const char post[] = POST("/post", "Content-Length: 5\r\n") "hello";

    fx_moves = "/post";
    T_CASE("another loop: not before what came first is answered and written");
    fx_begin();
    fx_say(GET("/wait0"));
    fx_say(post);
    fx_say(GET("/now"));
    fx_check_told("/wait0 <>");
    CHECK(fx_server.connection_count == 1, "it is gone");
    fx_answer(fx_waiting[0], "first");
    fx_poll();
    fx_check_told("/post <hello>/now ");
    fx_check_answers("200 first|200 ok|200 hi|");
    CHECK(fx_server.connection_count == 0 && fx_far.connection_count == 1,
          "it is not there");
    fx_end();

    T_CASE("another loop: cut off, timed out, or refused while it waits");
    fx_begin();
    fx_say(GET("/wait0"));
    fx_say(post);
    close(fx_peer);
    fx_peer = fx_connect();
    fx_poll();
    fx_answer(fx_waiting[0], "nobody hears it");
    fx_poll();
    fx_check_told("/wait0 <>");
    fx_end();
    fx_begin();
    fx_say(GET("/wait0"));
    fx_say(post);
    fx_now += fx_config.head_ms;
    fx_poll();
    fx_check_told("/wait0 <>!408A");
    fx_end();

    T_CASE("another loop: its server is closed by then");
    fx_begin();
    http_server_close(&fx_far);
    fx_say(post);
    fx_check_told("");
    CHECK(fx_server.connection_count == 0, "it is there");
    fx_end();

    T_CASE("another loop: no memory, at any allocation");
    for (long n = 0;; n++) {
        fx_begin();
        oom_arm(n);
        fx_say(post);
        if (!oom_disarm())
            break;
        fx_end();
    }
    fx_check_told("/post <hello>");
    fx_check_answers("200 ok|");
    fx_end();
}

static void close_server(struct http_exchange *ex)
{
    (void)ex;
    http_server_close(&fx_server);
}

static void answer_and_close(struct http_exchange *ex)
{
    fx_answer(ex, "last");
    http_server_close(&fx_server);
}

/* Both exchanges of a connection; the first to be aborted answers the other. */
static void on_aborted_answer(void *self, struct http_exchange *ex,
                              bool complete)
{
    (void)self;
    fx_on_aborted(NULL, ex, complete);
    if (fx_waiting[1])
        fx_answer(fx_waiting[1], "too late");
}

static const struct http_exchange_ops answering_ops = {
    .on_aborted = on_aborted_answer,
};

static void wait_to_answer(struct http_exchange *ex)
{
    ex->ops = &answering_ops;
}

static void test_reentry(void)
{
    T_CASE("reentry: the server closes inside on_request");
    fx_begin();
    fx_special = close_server;
    fx_say(GET("/special") GET("/now"));
    fx_check_told("/special ");
    fx_end();

    T_CASE("reentry: the same behind an answer, with a body to come");
    fx_begin();
    fx_special = answer_and_close;
    fx_say(POST("/special", "Content-Length: 9\r\n") "x");
    fx_check_told("/special ");
    fx_end();

    T_CASE("reentry: an abort answers another exchange that is lost, too");
    fx_begin();
    fx_special = wait_to_answer;
    fx_say(GET("/special") GET("/wait1"));
    fx_half_close();
    fx_check_told("/special /wait1 <>A");
    fx_check_answers("#");
    fx_end();
}

/* -------------------------------------------------------------------- time */

static void test_times(void)
{
    T_CASE("time: nothing is sent for 60 s: 408");
    fx_begin();
    fx_move_clock(59999);
    fx_check_told("");
    fx_move_clock(1);
    fx_check_told("!408");
    CHECK(
        strcmp(fx_receive(),
               "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n#") ==
            0,
        "other bytes");
    fx_end();

    T_CASE("time: a head has 60 s from its first byte, not from each");
    fx_begin();
    fx_say(GET("/now"));
    fx_move_clock(4000);
    fx_say("GET /now HT");
    fx_move_clock(30000);
    fx_say("TP");
    fx_move_clock(29999);
    fx_check_told("/now ");
    fx_move_clock(1);
    fx_check_told("!408");
    fx_check_answers("200 hi|408|#");
    fx_end();

    T_CASE("time: a request has 300 s in all, however slowly it drips");
    fx_begin();
    fx_say("POST /post HTTP/1.1\r\n");
    fx_move_clock(50000);
    fx_say("Host: a\r\nContent-Length: 9\r\n\r\n");
    for (int i = 0; i < 8; i++) {
        fx_move_clock(30000);
        fx_say("x");
    }
    fx_check_told("/post ");
    fx_move_clock(10000);
    fx_check_told("!408a");
    fx_check_answers("408|#");
    fx_end();

    T_CASE("time: the next request has its own 300 s");
    fx_begin();
    fx_say(POST("/post", "Content-Length: 2\r\n") "h");
    fx_move_clock(299999);
    fx_say("i" POST("/post", "Content-Length: 2\r\n") "h");
    fx_move_clock(299999);
    fx_check_told("/post <hi>/post ");
    fx_move_clock(1);
    fx_check_told("!408a");
    fx_end();

    T_CASE("time: idle for 5 s after an answer: FIN, no word");
    fx_begin();
    fx_say(GET("/now"));
    fx_check_answers("200 hi|");
    fx_move_clock(4999);
    fx_say(GET("/now"));
    fx_move_clock(4999);
    fx_check_answers("200 hi|");
    fx_move_clock(1);
    fx_check_answers("#");
    fx_check_told("/now /now ");
    fx_end();

    T_CASE("time: a poll may wait for ever");
    fx_begin();
    fx_say(GET("/wait0"));
    fx_move_clock(10000000);
    fx_answer(fx_waiting[0], "late");
    fx_check_answers("200 late|");
    fx_move_clock(5000);
    fx_check_answers("#");
    fx_end();
}

static void test_lingering(void)
{
    T_CASE("linger: a client that does not close is closed after 5 s");
    fx_begin();
    fx_say("?");
    fx_check_answers("400|#");
    CHECK(fx_loop.conn_count == 1, "gone at once");
    fx_say("dropped");
    fx_move_clock(5000);
    CHECK(fx_loop.conn_count == 0, "still there");
    fx_end();
}

static void test_shut(void)
{
    int other;

    T_CASE("shut: idle ones close, the others after their answer");
    fx_begin();
    other = fx_connect();
    fx_say(GET("/wait0"));
    http_server_shut(&fx_server);
    fx_poll();
    CHECK(fx_server.connection_count == 1, "%zu left",
          fx_server.connection_count);
    fx_answer(fx_waiting[0], "last");
    fx_check_answers("200 last|#");
    fx_end();
    close(other);
}

/* ----------------------------------------------------------------- upgrade */

static void test_upgrade(void)
{
    T_CASE("upgrade: decided later, early bytes are kept");
    fx_begin();
    fx_say(UP("/up-wait0") "ear");
    fx_check_told("/up-wait0 <>");
    fx_say("ly");
    fx_upgrade(fx_waiting[0]);
    fx_poll();
    fx_poll();
    join_pieces(fx_told);
    fx_check_told("[early]");
    CHECK(fx_server.connection_count == 0, "still HTTP");
    fx_say("more");
    fx_check_told("[more]");
    CHECK(strcmp(fx_receive(),
                 "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n") == 0,
          "other bytes");
    fx_end();

    T_CASE("upgrade: of a request that had to wait: early bytes come once");
    http_config_defaults(&fx_config);
    fx_config.max_pipeline = 1;
    fx_begin_configured();
    fx_say(GET("/wait0") UP("/up") "early");
    fx_check_told("/wait0 <>");
    fx_answer(fx_waiting[0], "0");
    for (int i = 0; i < 3; i++)
        fx_poll();
    fx_check_told("/up [early]");
    fx_say("more");
    fx_check_told("[more]");
    fx_end();

    T_CASE("upgrade: refused later, early bytes are HTTP");
    fx_begin();
    fx_say(UP("/up-wait0") GET("/now"));
    fx_check_told("/up-wait0 <>");
    fx_answer(fx_waiting[0], "no");
    fx_check_answers("200 no|200 hi|");
    fx_check_told("/now ");
    fx_end();

    T_CASE("upgrade: the client leaves before it is decided");
    fx_begin();
    fx_say(UP("/up-wait0"));
    fx_half_close();
    fx_check_told("/up-wait0 <>A");
    fx_end();

    T_CASE("upgrade: behind an unanswered request it is refused");
    fx_begin();
    fx_say(GET("/wait0") UP("/up"));
    fx_answer(fx_waiting[0], "first");
    fx_check_answers("200 first|400 Bad Request|#");
    fx_end();
}

/* ------------------------------------------------------------------ memory */

/* What may meet a connection that is gone by now. */
static void try_to_say(const char *text)
{
    send(fx_peer, text, strlen(text), MSG_NOSIGNAL);
    fx_poll();
}

static void test_no_memory(void)
{
    T_CASE("memory: every allocation fails once, the server survives");
    for (long n = 0; n < 200; n++) {
        http_config_defaults(&fx_config);
        fx_config.max_pipeline = 2;
        fx_begin_configured();
        oom_arm(n);
        close(fx_peer);
        fx_peer = fx_connect();
        try_to_say(GET("/wait0"));
        for (int i = 0; i < 3; i++)
            try_to_say(POST(
                "/post", "Transfer-Encoding: chunked\r\n") "3\r\nhel\r\n2\r\nlo"
                                                           "\r\n0\r\n\r\n");
        if (fx_waiting[0])
            fx_answer(fx_waiting[0], "0");
        fx_poll();
        try_to_say(UP("/up"));
        if (!oom_disarm())
            n = 200;
        close(fx_peer);
        fx_peer = fx_connect();
        fx_say(GET("/now"));
        fx_check_answers("200 hi|");
        fx_end();
    }
}

static void test_spare(void)
{
    long before;

    T_CASE("memory: a kept-alive connection allocates nothing per request");
    fx_begin();
    fx_say(GET("/now"));
    before = oom_count();
    for (int i = 0; i < 100; i++)
        fx_say(GET("/now"));
    CHECK(oom_count() == before, "%ld allocations", oom_count() - before);
    fx_receive();
    fx_end();
}

int main(void)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        T_CASE("connection: %s", rows[i].name);
        for (size_t cut = 0; cut <= strlen(rows[i].in); cut++)
            run(&rows[i], cut);
    }
    fx_moves = "/";
    for (size_t i = 0; i < COUNT(rows); i++) {
        T_CASE("connection: to another loop: %s", rows[i].name);
        for (size_t cut = 0; cut <= strlen(rows[i].in); cut++)
            run(&rows[i], cut);
    }
    test_moves();
    fx_moves = NULL;
    test_head_limit();
    test_field_limit();
    test_drop_limit();
    test_order();
    test_expect_waits();
    test_shared_waits();
    test_max_pipeline();
    test_slow_reader();
    test_waiting_bytes();
    test_never_reads();
    test_aborts();
    test_reentry();
    test_times();
    test_lingering();
    test_shut();
    test_upgrade();
    test_no_memory();
    test_spare();
    return t_done();
}
