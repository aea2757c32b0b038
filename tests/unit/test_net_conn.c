/*
 * test_net_conn.c -- a connection over a socketpair: reading, writing once a
 * turn, limits, every way to end; afterwards every counter is zero.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/net/conn.h"
#include "src/net/output.h"
#include "tests/unit/oom.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define LINGER_MS 5000

static uint64_t now;
static struct net_loop loop;
static struct net_conn *conn;
static int peer; /* the other end */

/* What the owner was told, as a transcript. */
static char told[300];

static void tell(const char *fmt, const char *text, size_t n)
{
    size_t at = strlen(told);

    snprintf(told + at, sizeof told - at, fmt, (int)n, text);
}

static size_t on_data(void *self, uint8_t *data, size_t len)
{
    (void)self;
    tell("<%.*s>", (char *)data, len);
    return len;
}

static void on_end(void *self)
{
    (void)self;
    tell("%.*s", "E", 1);
}

static void on_closed(void *self, enum net_close_reason why)
{
    const char *text = net_close_reason_text(why);

    (void)self;
    tell("!%.*s", text, strlen(text));
}

static void on_drained(void *self)
{
    (void)self;
    tell("%.*s", "D", 1);
}

static const struct net_conn_ops ops = { on_data, on_end, on_closed,
                                         on_drained };

static uint64_t fake_clock(void *self)
{
    (void)self;
    return now;
}

#define MAX_QUEUED 100000

static void begin(void)
{
    struct net_loop_config config = { .clock = fake_clock };
    struct net_address nobody = { 0 };
    int fds[2];

    now = 1000;
    told[0] = 0;
    CHECK(net_loop_init(&loop, &config) == SIO_OK, "no loop");
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0,
          "socketpair");
    peer = fds[1];
    CHECK(net_conn_open(&loop, fds[0], &nobody, MAX_QUEUED, &ops, NULL,
                        &conn) == SIO_OK,
          "open");
    CHECK(loop.conn_count == 1, "%zu", loop.conn_count);
}

static void end(void)
{
    net_conn_close(conn);
    net_conn_close(conn);
    net_loop_poll(&loop);
    CHECK(loop.conn_count == 0, "%zu connections left", loop.conn_count);
    CHECK(loop.queued_bytes == 0, "%zu bytes left", loop.queued_bytes);
    CHECK(loop.chunk_count == 0, "%zu chunks left", loop.chunk_count);
    CHECK(loop.alarm_count == 0, "%zu alarms left", loop.alarm_count);
    net_loop_destroy(&loop);
    if (peer >= 0)
        close(peer);
}

/* The same when a connection has gone already: its memory too. */
static void end_without_conn(void)
{
    net_loop_poll(&loop);
    CHECK(loop.conn_count == 0, "%zu connections left", loop.conn_count);
    CHECK(loop.queued_bytes == 0, "%zu bytes left", loop.queued_bytes);
    CHECK(loop.chunk_count == 0, "%zu chunks left", loop.chunk_count);
    net_loop_destroy(&loop);
    if (peer >= 0)
        close(peer);
}

static void check_told(const char *want)
{
    CHECK(strcmp(told, want) == 0, "told '%s', want '%s'", told, want);
    told[0] = 0;
}

/* What the peer can read at once; n < 0: nothing, or the end (0). */
static ssize_t receive(char *out, size_t size)
{
    ssize_t n = recv(peer, out, size - 1, MSG_DONTWAIT);

    out[n > 0 ? n : 0] = 0;
    return n;
}

static size_t received(char *out, size_t most)
{
    ssize_t n = recv(peer, out, most, MSG_DONTWAIT);

    return n > 0 ? (size_t)n : 0;
}

static void check_received(const char *want)
{
    char got[5000];

    receive(got, sizeof got);
    CHECK(strcmp(got, want) == 0, "got '%s', want '%s'", got, want);
}

static void say(const char *text)
{
    CHECK(send(peer, text, strlen(text), 0) == (ssize_t)strlen(text), "send");
    net_loop_poll(&loop);
}

/* ----------------------------------------------------------------- reading */

static const struct net_conn_ops second_ops;

static size_t take_two(void *self, uint8_t *data, size_t len)
{
    size_t n = len < 2 ? len : 2;

    (void)self;
    tell("(%.*s)", (char *)data, n);
    net_conn_set_ops(conn, &second_ops, NULL);
    return n;
}

static size_t second_data(void *self, uint8_t *data, size_t len)
{
    (void)self;
    tell("[%.*s]", (char *)data, len);
    return len;
}

static const struct net_conn_ops first_ops = { take_two, on_end, on_closed,
                                               NULL };
static const struct net_conn_ops second_ops = { second_data, on_end, on_closed,
                                                NULL };

static size_t close_it(void *self, uint8_t *data, size_t len)
{
    (void)self;
    (void)data;
    net_conn_set_ops(conn, &second_ops, NULL);
    net_conn_close(conn);
    return len - 1;
}

static const struct net_conn_ops closing_ops = { close_it, on_end, on_closed,
                                                 NULL };

static void test_reading(void)
{
    T_CASE("conn: bytes come up once, and are counted");
    begin();
    say("hello");
    check_told("<hello>");
    net_loop_poll(&loop);
    check_told("");
    CHECK(conn->bytes_in == 5 && conn->last_in_ms == 1000, "counters");

    T_CASE("conn: paused, then resumed");
    net_conn_pause(conn);
    say("a");
    say("b");
    check_told("");
    net_conn_resume(conn);
    net_loop_poll(&loop);
    check_told("<ab>");

    T_CASE("conn: what is left after a change of owner is the next one's");
    net_conn_set_ops(conn, &first_ops, NULL);
    say("12345");
    check_told("(12)[345]");
    end();

    T_CASE("conn: nothing comes after it was closed");
    begin();
    net_conn_set_ops(conn, &closing_ops, NULL);
    say("12345");
    check_told("");
    end_without_conn();
}

/* ----------------------------------------------------------------- writing */

static struct net_task scribbler;

static void scribble(struct net_task *t)
{
    (void)t;
    net_conn_append(conn, "task ", 5);
}

static void test_writing(void)
{
    struct buf *b = buf_new("shared ", 7);
    char *room;

    T_CASE("conn: one write at the tail, tasks before it");
    begin();
    CHECK(net_conn_writable(conn), "not writable");
    net_task_init(&scribbler, scribble);
    net_task_schedule(&loop, &scribbler);
    net_conn_append(conn, "one ", 4);
    net_conn_append2(conn, "t", 1, "wo ", 3);
    net_conn_append_buf(conn, b);
    room = net_conn_reserve(conn, 100);
    CHECK(room != NULL, "no room");
    if (room)
        memcpy(room, "three ", 6);
    net_conn_commit(conn, 6);
    net_conn_append(conn, "", 0);
    CHECK(!net_conn_writable(conn), "writable");
    CHECK(loop.queued_bytes == 21 && conn->queued == 21, "counters");
    check_received("");
    net_loop_poll(&loop);
    check_received("one two shared three task ");
    check_told("D");
    CHECK(net_conn_writable(conn), "not writable");
    CHECK(conn->bytes_out == 26, "counted %llu",
          (unsigned long long)conn->bytes_out);
    CHECK(loop.chunk_count == 0, "idle with %zu chunks", loop.chunk_count);
    net_loop_poll(&loop);
    check_told("");
    CHECK(b->refs == 1, "a reference was kept");

    T_CASE("conn: a shared buffer into an empty queue goes by reference");
    net_conn_append_buf(conn, b);
    CHECK(b->refs == 2, "copied");
    net_loop_poll(&loop);
    CHECK(b->refs == 1, "kept");
    check_received("shared ");
    buf_unref(b);
    end();
}

/* Pieces of every size around the chunk's, alternating with shared ones. */
static void test_sizes(void)
{
    static const size_t sizes[] = { 1,    255,  256,  257,  1999, 2000, 2001,
                                    2007, 2008, 2009, 2048, 4096, 9000 };
    static char sent[60000], got[60000];
    size_t n = 0, have = 0;

    T_CASE("conn: pieces of all sizes arrive in order");
    begin();
    for (size_t i = 0; i < sizeof sent; i++)
        sent[i] = (char)('a' + i % 23);
    for (size_t i = 0; i < COUNT(sizes); i++) {
        struct buf *b = buf_new(sent + n, sizes[i]);

        net_conn_append_buf(conn, b);
        buf_unref(b);
        n += sizes[i];
        net_conn_append(conn, sent + n, sizes[i]);
        n += sizes[i];
        if (i % 4 == 3)
            net_loop_poll(&loop);
    }
    for (int i = 0; i < 20; i++) {
        ssize_t r = recv(peer, got + have, sizeof got - have, MSG_DONTWAIT);

        have += r > 0 ? (size_t)r : 0;
        net_loop_poll(&loop);
    }
    CHECK(have == n, "%zu of %zu", have, n);
    CHECK(memcmp(got, sent, n) == 0, "other bytes");
    end();
}

static void test_many_pieces(void)
{
    struct buf *b = buf_new("0123456789", 10);
    char got[3000];
    int pieces = NET_WRITE_PIECES * 2 + 1;

    T_CASE("conn: more pieces than one write takes");
    begin();
    for (int i = 0; i < pieces; i++)
        net_conn_append_buf(conn, b);
    net_loop_poll(&loop);
    CHECK(receive(got, sizeof got) == pieces * 10, "got %zu", strlen(got));
    CHECK(b->refs == 1, "references left");
    buf_unref(b);
    end();
}

/* --------------------------------------------------------------- slow peer */

static void test_slow_peer(void)
{
    static char big[400000];
    size_t have = 0;

    T_CASE("conn: a full kernel buffer is waited for, order is kept");
    begin();
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (char)('a' + i % 23);
    net_conn_append(conn, big, sizeof big);
    net_loop_poll(&loop);
    CHECK(conn->queued > 0 && conn->wants_write, "all was taken");
    check_told("");
    for (int i = 0; i < 1000 && have < sizeof big; i++) {
        static char got[sizeof big];
        ssize_t n = recv(peer, got, sizeof got, MSG_DONTWAIT);

        if (n > 0) {
            CHECK(memcmp(got, big + have, (size_t)n) == 0, "other bytes");
            have += (size_t)n;
        }
        net_loop_poll(&loop);
    }
    CHECK(have == sizeof big, "%zu arrived", have);
    check_told("D");
    CHECK(!conn->wants_write, "still waits");

    T_CASE("conn: over the limit before an append: overflow, told once");
    net_conn_append(conn, big, sizeof big);
    net_loop_poll(&loop);
    CHECK(conn->queued > MAX_QUEUED, "only %zu queued", conn->queued);
    net_conn_append(conn, "x", 1);
    check_told(""); /* not from within a call */
    net_conn_append(conn, "x", 1);
    CHECK(!net_conn_reserve(conn, 1), "room in a doomed connection");
    net_loop_poll(&loop);
    check_told("!peer reads too slowly: output limit hit");
    end_without_conn();

    T_CASE("conn: on the limit is not over it");
    begin();
    net_conn_append(conn, big, MAX_QUEUED);
    net_conn_append(conn, big, 1);
    CHECK(!conn->failed, "failed on the limit");
    net_conn_append(conn, big, 1);
    CHECK(conn->failed, "one past");
    end();
    check_told("");
}

/* -------------------------------------------------------------------- ends */

static void test_peer_ends(void)
{
    T_CASE("conn: half-close is told, writing still works");
    begin();
    shutdown(peer, SHUT_WR);
    net_loop_poll(&loop);
    check_told("E");
    net_loop_poll(&loop);
    check_told("");
    net_conn_append(conn, "bye", 3);
    net_loop_poll(&loop);
    check_received("bye");
    end();

    T_CASE("conn: bytes before the end come up before it");
    begin();
    send(peer, "last", 4, 0);
    shutdown(peer, SHUT_WR);
    net_loop_poll(&loop);
    net_loop_poll(&loop);
    check_told("<last>E");
    end();

    T_CASE("conn: writing to a peer that is gone");
    begin();
    close(peer);
    peer = -1;
    net_conn_pause(conn);
    net_conn_append(conn, "x", 1);
    net_loop_poll(&loop);
    check_told("!connection reset or broken");
    end_without_conn();
}

static void on_closed_append(void *self, enum net_close_reason why)
{
    on_closed(self, why);
    net_conn_append(conn, "late", 4);
    net_conn_close(conn);
    net_conn_finish(conn, LINGER_MS);
}

static void test_owner_may_call(void)
{
    static const struct net_conn_ops calling = { on_data, NULL,
                                                 on_closed_append, NULL };

    T_CASE("conn: an owner without on_end hears of it as closed");
    begin();
    net_conn_set_ops(conn, &calling, NULL);
    shutdown(peer, SHUT_WR);
    net_loop_poll(&loop);
    check_told("!closed by the peer");
    end_without_conn();

    T_CASE("conn: closed by the owner between failure and tail: not told");
    begin();
    net_conn_fail(conn, NET_CLOSE_NOMEM);
    net_conn_close(conn);
    net_loop_poll(&loop);
    check_told("");
    end_without_conn();

    T_CASE("conn: finished by the owner between failure and tail: not told");
    begin();
    net_conn_fail(conn, NET_CLOSE_NOMEM);
    net_conn_finish(conn, LINGER_MS);
    net_loop_poll(&loop);
    check_told("");
    end_without_conn();
}

static bool peer_sees_end(void)
{
    char c;

    return recv(peer, &c, 1, MSG_DONTWAIT) == 0;
}

static void test_finish(void)
{
    static char big[1000000], got[1000000];
    size_t have;

    T_CASE("finish: the queue, then FIN; closes at the peer's FIN");
    begin();
    net_conn_append(conn, "bye", 3);
    net_conn_finish(conn, LINGER_MS);
    net_conn_finish(conn, LINGER_MS);
    net_conn_append(conn, "more", 4);
    net_loop_poll(&loop);
    check_received("bye");
    CHECK(peer_sees_end(), "no FIN");
    say("dropped");
    check_told("");
    CHECK(loop.conn_count == 1, "closed too soon");
    shutdown(peer, SHUT_WR);
    net_loop_poll(&loop);
    end_without_conn();
    check_told("");

    T_CASE("finish: closes when the peer's FIN was there before");
    begin();
    shutdown(peer, SHUT_WR);
    net_loop_poll(&loop);
    net_conn_append(conn, "bye", 3);
    net_conn_finish(conn, LINGER_MS);
    net_loop_poll(&loop);
    check_received("bye");
    end_without_conn();

    T_CASE("finish: paused before, reads the peer's FIN all the same");
    begin();
    net_conn_pause(conn);
    net_conn_finish(conn, LINGER_MS);
    net_loop_poll(&loop);
    shutdown(peer, SHUT_WR);
    net_loop_poll(&loop);
    end_without_conn();

    T_CASE("finish: a peer that never closes is closed after the interval");
    begin();
    net_conn_finish(conn, LINGER_MS);
    net_loop_poll(&loop);
    now += 4999;
    net_loop_poll(&loop);
    CHECK(loop.conn_count == 1, "closed too soon");
    now += 1;
    net_loop_poll(&loop);
    end_without_conn();

    T_CASE("finish: a peer that reads is waited for, until it stops");
    begin();
    net_conn_append(conn, big, sizeof big);
    net_conn_finish(conn, LINGER_MS);
    net_loop_poll(&loop);
    for (int i = 0; i < 3; i++) {
        now += 4000;
        CHECK(recv(peer, got, 100000, MSG_DONTWAIT) > 0, "nothing");
        net_loop_poll(&loop);
        net_loop_poll(&loop);
        CHECK(loop.conn_count == 1, "closed while it was read");
    }
    now += 5000;
    net_loop_poll(&loop);
    now += 5000;
    net_loop_poll(&loop);
    end_without_conn();

    T_CASE("finish: as slow as may be, it gets all");
    begin();
    net_conn_append(conn, big, sizeof big);
    net_conn_finish(conn, LINGER_MS);
    for (have = 0; have < sizeof big && loop.conn_count; now += 1000) {
        net_loop_poll(&loop);
        have += received(got, 4 * NET_FINISH_RATE);
    }
    CHECK(have == sizeof big, "%zu bytes", have);
    CHECK(peer_sees_end(), "no FIN");
    shutdown(peer, SHUT_WR);
    net_loop_poll(&loop);
    end_without_conn();

    T_CASE("finish: a byte now and then is not enough");
    begin();
    net_conn_append(conn, big, sizeof big);
    net_conn_finish(conn, LINGER_MS);
    for (have = 0; have < sizeof big && loop.conn_count; now += 1000) {
        net_loop_poll(&loop);
        have += received(got, NET_FINISH_RATE / 4);
    }
    CHECK(have < sizeof big / 2, "it was waited for: %zu bytes", have);
    end_without_conn();

    T_CASE("finish: lingering connections end with the loop");
    begin();
    net_conn_finish(conn, LINGER_MS);
    net_loop_destroy(&loop);
    CHECK(peer_sees_end(), "not closed");
    close(peer);
}

/* on_drained() that appends again must neither recurse nor be lost. */
static int refills;

static void refill(void *self)
{
    (void)self;
    if (refills-- > 0)
        net_conn_append(conn, "r", 1);
}

static void test_drained_again(void)
{
    static const struct net_conn_ops refilling = { on_data, on_end, on_closed,
                                                   refill };

    T_CASE("conn: an owner that fills the queue whenever it is empty");
    begin();
    net_conn_set_ops(conn, &refilling, NULL);
    refills = 50;
    net_conn_append(conn, "r", 1);
    for (int i = 0; i < 10; i++)
        net_loop_poll(&loop);
    check_received("rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr");
    end();
}

/* Two connections have drained; the owner of the first leaves the second. */
static struct net_conn *other;

static void finish_other(void *self)
{
    (void)self;
    net_conn_finish(other, LINGER_MS);
}

static void test_drained_finish(void)
{
    static const struct net_conn_ops leaving = { on_data, on_end, on_closed,
                                                 finish_other };
    struct net_address nobody = { 0 };
    int fds[2];
    char c;

    T_CASE("conn: finished between its write and its on_drained");
    begin();
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0,
          "socketpair");
    CHECK(net_conn_open(&loop, fds[0], &nobody, 1, &ops, NULL, &other) ==
              SIO_OK,
          "open");
    net_conn_set_ops(conn, &leaving, NULL);
    net_conn_append(conn, "a", 1);
    net_conn_append(other, "b", 1);
    net_loop_poll(&loop);
    check_told("");
    CHECK(recv(fds[1], &c, 1, 0) == 1 && c == 'b', "nothing written");
    CHECK(recv(fds[1], &c, 1, 0) == 0, "no FIN");
    close(fds[1]);
    net_loop_poll(&loop);
    end();
}

/* ------------------------------------------------------------------ memory */

static void use(void)
{
    struct buf *b = buf_new("shared", 6);

    net_conn_append(conn, "a", 1);
    if (b)
        net_conn_append_buf(conn, b);
    buf_unref(b);
    net_conn_append(conn, told, 0);
    net_conn_reserve(conn, 4000);
    if (!conn->failed)
        net_conn_commit(conn, 1);
    net_loop_poll(&loop);
    if (loop.conn_count)
        net_conn_finish(conn, LINGER_MS);
    net_loop_poll(&loop);
}

static void test_no_memory(void)
{
    T_CASE("conn: every allocation fails once, nothing leaks");
    for (long n = 0; n < 100; n++) {
        begin();
        oom_arm(n);
        use();
        if (!oom_disarm())
            n = 100;
        shutdown(peer, SHUT_WR);
        net_loop_poll(&loop);
        end_without_conn();
    }

    T_CASE("conn: no memory to open leaves the descriptor to the caller");
    {
        struct net_address nobody = { 0 };
        struct net_conn *none = NULL;
        int fd = dup(0);

        begin();
        oom_arm(0);
        CHECK(net_conn_open(&loop, fd, &nobody, 1, &ops, NULL, &none) ==
                  SIO_E_NOMEM,
              "opened");
        oom_disarm();
        CHECK(!none && close(fd) == 0, "the descriptor is gone");
        end();
    }
}

int main(void)
{
    test_reading();
    test_writing();
    test_sizes();
    test_many_pieces();
    test_slow_peer();
    test_peer_ends();
    test_owner_may_call();
    test_finish();
    test_drained_again();
    test_drained_finish();
    test_no_memory();
    return t_done();
}
