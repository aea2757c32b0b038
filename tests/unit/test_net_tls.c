/*
 * test_net_tls.c -- TLS of a connection over a socketpair: handshakes cut
 * everywhere, records of every size, full buffers in both directions, every way
 * to end and to fail.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/net/output.h"
#include "src/net/tls.h"
#include "tests/unit/oom.h"
#include "tests/unit/test.h"
#include "tests/unit/tls_client.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINGER_MS 5000
#define MAX_QUEUED 4000000

static uint64_t now;
static struct net_loop loop;
static struct net_conn *conn;
static struct tls_client client;
static sio_tls *tls;
static int peer;

/* ------------------------------------------------------------- the owner -- */

static char told[400];     /* what the owner was told, as a transcript */
static char failures[400]; /* and what was reported of TLS */
static uint8_t taken[1 << 21];
static size_t taken_len; /* all bytes that came up */

static void tell(const char *fmt, const char *text, size_t n)
{
    size_t at = strlen(told);

    snprintf(told + at, sizeof told - at, fmt, (int)n, text);
}

static size_t on_data(void *self, uint8_t *data, size_t len)
{
    (void)self;
    if (len < 20)
        tell("<%.*s>", (char *)data, len);
    if (len <= sizeof taken - taken_len) {
        memcpy(taken + taken_len, data, len);
        taken_len += len;
    }
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

static void on_failed(void *self, const struct net_address *address,
                      bool handshake, const char *why)
{
    size_t at = strlen(failures);

    (void)self;
    (void)address;
    snprintf(failures + at, sizeof failures - at, "%s%s|",
             handshake ? "handshake: " : "", why);
}

static void check_told(const char *want)
{
    CHECK(strcmp(told, want) == 0, "told '%s', want '%s'", told, want);
    told[0] = 0;
}

static void check_failures(const char *want)
{
    CHECK(strcmp(failures, want) == 0, "'%s', want '%s'", failures, want);
    failures[0] = 0;
}

/* --------------------------------------------------------- begin and end -- */

static uint64_t fake_clock(void *self)
{
    (void)self;
    return now;
}

static bool begin(const struct tls_client_options *options)
{
    struct net_loop_config config = { .clock = fake_clock };
    struct net_address nobody = { 0 };
    int fds[2], r;

    now = 1000;
    told[0] = failures[0] = 0;
    taken_len = 0;
    CHECK(net_loop_init(&loop, &config) == SIO_OK, "no loop");
    loop.on_tls_failed = on_failed;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0,
          "socketpair");
    peer = fds[1];
    CHECK(tls_client_open(&client, peer, options), "no client");
    r = net_conn_open(&loop, fds[0], &nobody, MAX_QUEUED, &ops, NULL, &conn);
    CHECK(r == SIO_OK, "no connection");
    r = net_tls_start(conn, tls);
    CHECK(r == SIO_OK, "no TLS");
    return r == SIO_OK;
}

static void check_nothing_left(void)
{
    net_loop_poll(&loop);
    CHECK(loop.conn_count == 0, "%zu connections left", loop.conn_count);
    CHECK(loop.tls_count == 0, "%zu with TLS left", loop.tls_count);
    CHECK(loop.queued_bytes == 0, "%zu bytes left", loop.queued_bytes);
    CHECK(loop.chunk_count == 0, "%zu chunks left", loop.chunk_count);
    CHECK(loop.alarm_count == 0, "%zu alarms left", loop.alarm_count);
}

static void end_without_conn(void)
{
    check_nothing_left();
    net_loop_destroy(&loop);
    tls_client_close(&client);
    close(peer);
}

static void end(void)
{
    net_conn_close(conn);
    end_without_conn();
}

static bool shake(void)
{
    for (int i = 0; i < 20; i++) {
        if (tls_client_shake(&client))
            return !client.failed;
        net_loop_poll(&loop);
    }
    return false;
}

/* Also the server's side of it, and its tickets, have come. */
static bool shake_hands(void)
{
    bool ok = shake();
    char none;

    net_loop_poll(&loop);
    tls_client_fill(&client);
    SSL_peek(client.ssl, &none, 1);
    return ok && !net_tls_handshaking(conn);
}

static void say(const char *text)
{
    CHECK(SSL_write(client.ssl, text, (int)strlen(text)) > 0, "SSL_write");
    tls_client_flush(&client, SIZE_MAX);
    net_loop_poll(&loop);
}

/* What the client can read now. */
static size_t receive(void *out, size_t size)
{
    size_t have = 0;
    int n;

    tls_client_fill(&client);
    while (have < size && (n = SSL_read(client.ssl, (char *)out + have,
                                        (int)(size - have))) > 0)
        have += (size_t)n;
    return have;
}

static void check_received(const char *want)
{
    char got[5000];
    size_t n = receive(got, sizeof got - 1);

    got[n] = 0;
    CHECK(strcmp(got, want) == 0, "got '%s', want '%s'", got, want);
}

/* ------------------------------------------------------------ handshakes -- */

static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

static const char *version_name(int version)
{
    return version == TLS1_2_VERSION ? "TLS 1.2" : "TLS 1.3";
}

static void test_echo(int version)
{
    struct tls_client_options o = { version, version, NULL, NULL, NULL, NULL };

    T_CASE("tls: %s, bytes both ways", version_name(version));
    if (!begin(&o))
        return;
    CHECK(net_tls_handshaking(conn), "over before it began");
    CHECK(shake_hands(), "no handshake");
    CHECK(SSL_version(client.ssl) == version, "%s",
          SSL_get_version(client.ssl));
    CHECK(strcmp(tls_client_peer(&client), "server") == 0, "%s",
          tls_client_peer(&client));
    check_told("");
    say("hello");
    check_told("<hello>");
    net_conn_append(conn, "hello ", 6);
    net_conn_append(conn, "back", 4);
    client.records = 0;
    net_loop_poll(&loop);
    check_received("hello back");
    CHECK(client.records == 1, "%zu records", client.records);
    check_told("D");
    CHECK(loop.tls_handshakes == 1 && loop.tls_failures == 0 &&
              loop.tls_count == 1,
          "counters");
    check_failures("");
    end();
}

/* What the client sends in its handshake, and a greeting behind it, in two
 * pieces cut at `cut`. False: it is not that long. */
static bool shake_cut(int version, size_t cut)
{
    struct tls_client_options o = { version, version, NULL, NULL, NULL, NULL };
    size_t sent = 0;
    bool greeted = false;

    if (!begin(&o))
        return false;
    for (int i = 0; i < 20 && taken_len < 5; i++) {
        size_t waiting;

        tls_client_fill(&client);
        if (SSL_do_handshake(client.ssl) == 1 && !greeted)
            greeted = SSL_write(client.ssl, "hello", 5) == 5;
        waiting = tls_client_flush(&client, 0);
        if (sent <= cut && cut < sent + waiting) {
            tls_client_flush(&client, cut - sent);
            net_loop_poll(&loop);
        }
        tls_client_flush(&client, SIZE_MAX);
        sent += waiting;
        net_loop_poll(&loop);
    }
    CHECK(taken_len == 5, "cut at %zu: %zu bytes came", cut, taken_len);
    check_failures("");
    end();
    return cut < sent;
}

static void test_cuts(int version)
{
    size_t cut = 0;

    T_CASE("tls: %s, the handshake cut at every byte", version_name(version));
    while (cut < 5000 && shake_cut(version, cut))
        cut++;
    CHECK(cut > 250 && cut < 5000, "%zu bytes", cut);
}

static void test_single_bytes(int version)
{
    struct tls_client_options o = { version, version, NULL, NULL, NULL, NULL };
    bool greeted = false;

    T_CASE("tls: %s, one byte at a time", version_name(version));
    if (!begin(&o))
        return;
    for (int i = 0; i < 20000 && taken_len < 5; i++) {
        if (tls_client_flush(&client, 1) == 0) {
            tls_client_fill(&client);
            if (SSL_do_handshake(client.ssl) == 1 && !greeted)
                greeted = SSL_write(client.ssl, "hello", 5) == 5;
        }
        net_loop_poll(&loop);
    }
    check_told("<hello>");
    end();
}

/* ----------------------------------------------------------------- sizes -- */

static void fill_pattern(uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(i * 7 + i / 251);
}

/* Records of every kind of size, received in pieces of another. */
static void test_long_input(int version, size_t record, size_t piece)
{
    struct tls_client_options o = { version, version, NULL, NULL, NULL, NULL };
    static uint8_t sent[400000];
    size_t left = 1;

    T_CASE("tls: %s, 400 kB in records of %zu, %zu at a time",
           version_name(version), record, piece);
    if (!begin(&o))
        return;
    CHECK(shake_hands(), "no handshake");
    fill_pattern(sent, sizeof sent);
    for (size_t at = 0; at < sizeof sent; at += record) {
        size_t n = sizeof sent - at < record ? sizeof sent - at : record;

        CHECK(SSL_write(client.ssl, sent + at, (int)n) == (int)n, "SSL_write");
    }
    while (left) {
        left = tls_client_flush(&client, piece);
        net_loop_poll(&loop);
    }
    CHECK(taken_len == sizeof sent, "%zu came", taken_len);
    CHECK(memcmp(taken, sent, sizeof sent) == 0, "other bytes");
    end();
}

static void test_long_output(void)
{
    struct tls_client_options o = { 0 };
    static uint8_t sent[1000000], got[1000001];
    size_t at = 0, have = 0;

    T_CASE("tls: 1 MB out in pieces of all sizes: in order, in few records");
    if (!begin(&o))
        return;
    CHECK(shake_hands(), "no handshake");
    client.records = 0;
    fill_pattern(sent, sizeof sent);
    for (size_t i = 0; at < sizeof sent; i++) {
        size_t n = (i * i * 37) % 9000 + 1;

        if (n > sizeof sent - at)
            n = sizeof sent - at;
        if (i % 2) {
            struct buf *b = buf_new(sent + at, n);

            net_conn_append_buf(conn, b);
            buf_unref(b);
        } else {
            net_conn_append(conn, sent + at, n);
        }
        at += n;
    }
    net_loop_poll(&loop);
    CHECK(conn->queued && conn->wants_write, "all was taken at once");
    for (int i = 0; i < 200 && have < sizeof sent; i++) {
        have += receive(got + have, sizeof got - have);
        net_loop_poll(&loop);
    }
    CHECK(have == sizeof sent, "%zu came", have);
    CHECK(memcmp(got, sent, sizeof sent) == 0, "other bytes");
    CHECK(client.records <= sizeof sent / NET_TLS_RECORD + 1, "%zu records",
          client.records);
    CHECK(!conn->wants_write, "still waits");
    check_told("D");
    end();
}

/* A record is under way when more is appended: it is tried again with it. */
static void test_append_while_blocked(void)
{
    struct tls_client_options o = { 0 };
    static uint8_t sent[300000], got[300001];
    size_t have = 0, at = 200000;

    T_CASE("tls: appended to while the kernel's buffer is full");
    if (!begin(&o))
        return;
    CHECK(shake_hands(), "no handshake");
    fill_pattern(sent, sizeof sent);
    for (size_t i = 0; i < at; i += 10)
        net_conn_append(conn, sent + i, 10);
    for (int i = 0; i < 2000 && have < sizeof sent; i++) {
        net_loop_poll(&loop);
        if (at < sizeof sent) {
            net_conn_append(conn, sent + at, 100);
            at += 100;
        }
        have += receive(got + have, i % 3 ? 777 : 0);
    }
    have += receive(got + have, sizeof got - have);
    CHECK(have == sizeof sent, "%zu came", have);
    CHECK(memcmp(got, sent, sizeof sent) == 0, "other bytes");
    end();
}

/* ---------------------------------------------------------- full buffers -- */

/* Fill what lies between the server and the client; how much that was. */
static size_t stuff(void)
{
    static char junk[4096];
    size_t n = 0;
    ssize_t k;

    while ((k = send(conn->fd, junk, sizeof junk, MSG_NOSIGNAL)) > 0)
        n += (size_t)k;
    while ((k = send(conn->fd, junk, 1, MSG_NOSIGNAL)) > 0)
        n += (size_t)k;
    return n;
}

static void unstuff(size_t n)
{
    static char junk[4096];

    while (n) {
        ssize_t k = recv(peer, junk, n < sizeof junk ? n : sizeof junk, 0);

        if (k <= 0)
            return;
        n -= (size_t)k;
    }
}

static void test_blocked_handshake(int version)
{
    struct tls_client_options o = { version, version, NULL, NULL, NULL, NULL };
    size_t n;

    T_CASE("tls: %s, a handshake whose answers have to wait",
           version_name(version));
    if (!begin(&o))
        return;
    n = stuff();
    SSL_do_handshake(client.ssl);
    tls_client_flush(&client, SIZE_MAX);
    net_loop_poll(&loop);
    CHECK(conn->wants_write, "does not wait");
    net_loop_poll(&loop);
    unstuff(n);
    net_loop_poll(&loop);
    CHECK(!conn->wants_write, "still waits");
    CHECK(shake_hands(), "no handshake");
    say("hello");
    check_told("<hello>");
    end();
}

/* The client asks for new keys while nothing can be written: reading goes on,
 * and the answer follows. */
static void test_read_wants_write(void)
{
    struct tls_client_options o = { TLS1_3_VERSION, 0, NULL, NULL, NULL, NULL };
    size_t n;

    T_CASE("tls: reading that has something to write");
    if (!begin(&o))
        return;
    CHECK(shake_hands(), "no handshake");
    n = stuff();
    for (int i = 0; i < 3; i++) {
        SSL_key_update(client.ssl, SSL_KEY_UPDATE_REQUESTED);
        say("new");
        say("keys");
    }
    check_told("<new><keys><new><keys><new><keys>");
    net_conn_append(conn, "queued", 6);
    net_loop_poll(&loop);
    CHECK(conn->wants_write, "does not wait");
    unstuff(n);
    net_loop_poll(&loop);
    net_loop_poll(&loop);
    check_received("queued");
    say("more");
    check_told("D<more>");
    check_failures("");
    end();
}

static void test_too_late(void)
{
    struct tls_client_options o = { TLS1_3_VERSION, 0, NULL, NULL, NULL, NULL };

    T_CASE("tls: a peer that orders answers and never reads them is bounded");
    if (!begin(&o))
        return;
    CHECK(shake_hands(), "no handshake");
    stuff();
    for (int i = 0; i < 20000 && !conn->failed && loop.conn_count; i++) {
        SSL_key_update(client.ssl, SSL_KEY_UPDATE_REQUESTED);
        if (SSL_write(client.ssl, "x", 1) <= 0)
            break;
        tls_client_flush(&client, SIZE_MAX);
        net_loop_poll(&loop);
        told[0] = 0;
    }
    if (loop.conn_count)
        end();
    else
        end_without_conn();
    check_failures("connection broken|");
}

static void test_pause(void)
{
    struct tls_client_options o = { 0 };

    T_CASE("tls: paused, then resumed");
    if (!begin(&o))
        return;
    CHECK(shake_hands(), "no handshake");
    net_conn_pause(conn);
    say("a");
    say("b");
    check_told("");
    net_conn_resume(conn);
    net_loop_poll(&loop);
    check_told("<ab>");
    end();
}

/* ------------------------------------------------------------------ ends -- */

static void test_peer_ends(void)
{
    struct tls_client_options o = { 0 };

    T_CASE("tls: close_notify is an end, writing still works");
    if (!begin(&o))
        return;
    CHECK(shake_hands(), "no handshake");
    SSL_write(client.ssl, "last", 4);
    SSL_shutdown(client.ssl);
    tls_client_flush(&client, SIZE_MAX);
    net_loop_poll(&loop);
    net_loop_poll(&loop);
    check_told("<last>E");
    net_conn_append(conn, "bye", 3);
    net_conn_finish(conn, LINGER_MS);
    net_loop_poll(&loop);
    check_received("bye");
    CHECK(tls_client_saw_goodbye(&client), "no close_notify");
    check_failures("");
    end_without_conn();

    T_CASE("tls: a FIN without close_notify is an end, too");
    if (!begin(&o))
        return;
    CHECK(shake_hands(), "no handshake");
    shutdown(peer, SHUT_WR);
    net_loop_poll(&loop);
    check_told("E");
    check_failures("");
    end();

    T_CASE("tls: a record that is not one");
    if (!begin(&o))
        return;
    CHECK(shake_hands(), "no handshake");
    SSL_write(client.ssl, "good", 4);
    tls_client_flush(&client, SIZE_MAX);
    CHECK(send(peer,
               "\x17\x03\x03\x00\x20"
               "01234567890123456789012345678901",
               37, 0) == 37,
          "send");
    net_loop_poll(&loop);
    check_told("<good>!TLS has failed");
    check_failures("decryption failed or bad record mac|");
    CHECK(loop.tls_failures == 0, "counted as a handshake");
    receive(taken, 10);
    CHECK(strstr(tls_client_error(), "bad record mac"), "%s",
          tls_client_error());
    shutdown(peer, SHUT_WR);
    net_loop_poll(&loop);
    end_without_conn();
}

static void test_finish(void)
{
    struct tls_client_options o = { 0 };
    static uint8_t big[600000], got[600001];
    size_t have = 0, n;

    T_CASE("tls finish: the queue, close_notify, FIN; closes at the peer's");
    if (!begin(&o))
        return;
    CHECK(shake_hands(), "no handshake");
    net_conn_append(conn, big, sizeof big);
    net_conn_finish(conn, LINGER_MS);
    for (int i = 0; i < 100 && have < sizeof big; i++) {
        net_loop_poll(&loop);
        have += receive(got + have, sizeof got - have);
    }
    net_loop_poll(&loop);
    CHECK(have == sizeof big, "%zu came", have);
    CHECK(!tls_client_fill(&client) && receive(got, 1) == 0, "no FIN");
    CHECK(tls_client_saw_goodbye(&client), "no close_notify");
    CHECK(loop.conn_count == 1, "closed too soon");
    CHECK(loop.tls_count == 0, "TLS is kept while it lingers");
    SSL_write(client.ssl, "dropped", 7);
    tls_client_flush(&client, SIZE_MAX);
    net_loop_poll(&loop);
    shutdown(peer, SHUT_WR);
    net_loop_poll(&loop);
    check_told("");
    end_without_conn();

    T_CASE("tls finish: close_notify waits for a full buffer");
    if (!begin(&o))
        return;
    CHECK(shake_hands(), "no handshake");
    n = stuff();
    net_conn_finish(conn, LINGER_MS);
    net_loop_poll(&loop);
    CHECK(conn->wants_write && !conn->fin_sent, "did not wait");
    unstuff(n);
    net_loop_poll(&loop);
    net_loop_poll(&loop);
    CHECK(receive(got, 1) == 0 && tls_client_saw_goodbye(&client),
          "no close_notify");
    shutdown(peer, SHUT_WR);
    net_loop_poll(&loop);
    end_without_conn();

    T_CASE("tls finish: in the handshake it closes");
    if (!begin(&o))
        return;
    net_conn_finish(conn, LINGER_MS);
    check_failures("");
    end_without_conn();
}

/* How much of `size` bytes, as records, comes to a peer that takes `each` bytes
 * a second, when the kernel holds only a small part of a record. */
static size_t taken_slowly(const uint8_t *bytes, size_t size, size_t each)
{
    struct tls_client_options o = { 0 };
    const int small = 1;
    size_t have = 0;

    if (!begin(&o))
        return 0;
    CHECK(shake_hands(), "no handshake");
    setsockopt(conn->fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    net_conn_append(conn, bytes, size);
    net_conn_finish(conn, 1000);
    net_loop_poll(&loop);
    while (loop.conn_count && !conn->fin_sent) {
        char some[256];

        for (size_t n = 0; n < each; n += sizeof some) {
            ssize_t k = recv(peer, some, sizeof some, 0);

            have += k > 0 ? (size_t)k : 0;
            net_loop_poll(&loop);
        }
        now += 1000;
        net_loop_poll(&loop);
    }
    shutdown(peer, SHUT_WR);
    net_loop_poll(&loop);
    end_without_conn();
    return have;
}

static void test_finish_slowly(void)
{
    static const uint8_t big[200000];
    size_t n;

    T_CASE("tls finish: as slow as may be, it gets all");
    n = taken_slowly(big, sizeof big, 2 * NET_FINISH_RATE);
    CHECK(n > sizeof big - 10000, "%zu bytes", n); /* the kernel has the rest */
    T_CASE("tls finish: a little now and then is not enough");
    n = taken_slowly(big, sizeof big, NET_FINISH_RATE / 4);
    CHECK(n < NET_FINISH_RATE, "it was waited for: %zu bytes", n);
}

/* ---------------------------------------------------- failing handshakes -- */

static void test_not_tls(void)
{
    static const struct {
        const char *name, *bytes, *why;
    } rows[] = {
        { "HTTP", "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
          "handshake: not TLS: an HTTP request|" },
        { "a proxy's", "CONNECT x:1 HTTP/1.1\r\n\r\n",
          "handshake: not TLS: an HTTP request|" },
        { "garbage", "\x80\x99garbage, nothing but garbage", NULL },
        { "SSH", "SSH-2.0-OpenSSH_9.2\r\n", "handshake: not TLS|" },
        { "an empty record", "\x16\x03\x01\0\0", NULL },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct tls_client_options o = { 0 };
        size_t n = i == 4 ? 5 : strlen(rows[i].bytes);
        char got[100];

        T_CASE("tls: %s spoken to it", rows[i].name);
        if (!begin(&o))
            return;
        CHECK(send(peer, rows[i].bytes, n, 0) == (ssize_t)n, "send");
        net_loop_poll(&loop);
        if (i == 4) { /* is waited for, until the peer goes */
            shutdown(peer, SHUT_WR);
            net_loop_poll(&loop);
        }
        if (i != 4)
            check_told("!TLS has failed");
        CHECK(loop.tls_failures == 1, "not counted");
        if (rows[i].why)
            check_failures(rows[i].why);
        while (recv(peer, got, sizeof got, 0) > 0)
            ; /* an alert, perhaps */
        if (i == 4) {
            end();
            continue;
        }
        CHECK(recv(peer, got, sizeof got, 0) == 0, "no FIN");
        CHECK(loop.tls_count == 0, "TLS is kept");
        now += NET_TLS_LINGER_MS;
        net_loop_poll(&loop);
        end_without_conn();
    }
}

static void test_half_handshake(void)
{
    struct tls_client_options o = { 0 };

    T_CASE("tls: a peer that leaves in the handshake");
    if (!begin(&o))
        return;
    tls_client_shake(&client);
    net_loop_poll(&loop);
    shutdown(peer, SHUT_WR);
    net_loop_poll(&loop);
    check_told("E");
    check_failures("handshake: closed by the peer|");
    CHECK(loop.tls_failures == 1, "not counted");
    end();

    T_CASE("tls: a peer that has said nothing is no failure");
    if (!begin(&o))
        return;
    shutdown(peer, SHUT_WR);
    net_loop_poll(&loop);
    check_told("E");
    check_failures("");
    end();

    T_CASE("tls: timed out");
    if (!begin(&o))
        return;
    tls_client_shake(&client);
    net_loop_poll(&loop);
    net_tls_timed_out(conn);
    net_loop_poll(&loop);
    check_told("!TLS has failed");
    check_failures("handshake: timed out|");
    shutdown(peer, SHUT_WR);
    net_loop_poll(&loop);
    end_without_conn();
}

static void test_renegotiation(void)
{
    struct tls_client_options o = { 0, TLS1_2_VERSION, NULL, NULL, NULL, NULL };

    T_CASE("tls: no renegotiation");
    if (!begin(&o))
        return;
    CHECK(shake_hands(), "no handshake");
    SSL_renegotiate(client.ssl);
    SSL_do_handshake(client.ssl);
    tls_client_flush(&client, SIZE_MAX);
    net_loop_poll(&loop);
    CHECK(loop.tls_handshakes == 1, "renegotiated");
    tls_client_fill(&client);
    CHECK(SSL_do_handshake(client.ssl) != 1, "renegotiated");
    CHECK(strstr(tls_client_error(), "no renegotiation"), "%s",
          tls_client_error());
    end();
}

/* ---------------------------------------------------------------- memory -- */

/* Allocations until the one that fails; only those of the server's turns count,
 * OpenSSL's and ours alike. */
static long left;
static bool has_failed;

static void arm(void)
{
    if (left >= 0)
        oom_arm(left);
}

static void disarm(long before)
{
    has_failed = oom_disarm() || has_failed;
    left -= oom_count() - before;
}

static void turn(void)
{
    long before = oom_count();

    arm();
    net_loop_poll(&loop);
    disarm(before);
}

static void answer(const uint8_t *p, size_t n)
{
    long before = oom_count();

    if (loop.conn_count == 0 || conn->failed || conn->finishing)
        return;
    arm();
    net_conn_append(conn, "answer", 6);
    net_conn_append(conn, p, n);
    net_conn_finish(conn, LINGER_MS);
    disarm(before);
}

static void open_server(void)
{
    struct net_loop_config config = { .clock = fake_clock };
    struct net_address nobody = { 0 };
    int fds[2];
    long before;

    now = 1000;
    told[0] = failures[0] = 0;
    taken_len = 0;
    CHECK(net_loop_init(&loop, &config) == SIO_OK, "no loop");
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0,
          "socketpair");
    peer = fds[1];
    CHECK(net_conn_open(&loop, fds[0], &nobody, MAX_QUEUED, &ops, NULL,
                        &conn) == SIO_OK,
          "no connection");
    before = oom_count();
    arm();
    if (net_tls_start(conn, tls) < 0)
        net_conn_close(conn);
    disarm(before);
}

/* A whole life; true when an allocation failed in it. */
static bool live(long n, const struct tls_client_options *options)
{
    static uint8_t big[40000], got[50000];
    bool said = false;
    size_t have = 0;

    left = n;
    has_failed = false;
    open_server();
    CHECK(tls_client_open(&client, peer, options), "no client");
    for (int i = 0; i < 12; i++) {
        if (tls_client_shake(&client) && !client.failed && !said)
            said = SSL_write(client.ssl, "hello", 5) == 5;
        tls_client_flush(&client, SIZE_MAX);
        turn();
        if (taken_len == 5)
            answer(big, sizeof big);
        turn();
        if (said)
            have += receive(got + have, sizeof got - have);
    }
    CHECK(has_failed || have == sizeof big + 6, "n = %ld: %zu came", n, have);
    shutdown(peer, SHUT_RDWR);
    now += LINGER_MS;
    net_loop_poll(&loop);
    net_loop_poll(&loop);
    if (loop.conn_count)
        net_conn_close(conn);
    end_without_conn();
    return has_failed;
}

static void test_no_memory(int version)
{
    struct tls_client_options o = { version,        version,  NULL,
                                    "\x08http/1.1", "client", NULL };
    long n = 0;

    T_CASE("tls: %s, allocations fail one after the other",
           version_name(version));
    live(-1, &o); /* what is made only once is made here */
    while (n < 20000 && live(n, &o))
        n += n < 200 ? 1 : 23;
    CHECK(n > 200 && n < 20000, "%ld allocations", n);
    printf("# about %ld allocations\n", n);
}

int main(void)
{
    sio_tls_options options;
    char why[SIO_TLS_WHY] = "";

    tls_client_wrap_malloc();
    sio_tls_options_init(&options);
    options.certificate = CERTS "server.pem";
    options.key = CERTS "server.key";
    options.ca = CERTS "root.pem";
    options.clients = SIO_TLS_CLIENTS_REQUEST;
    tls = sio_tls_new(&options, why, sizeof why);
    if (!tls) {
        printf("# %s\nnot ok - tls: no context\n", why);
        return 1;
    }
    for (size_t i = 0; i < COUNT(versions); i++) {
        test_echo(versions[i]);
        test_cuts(versions[i]);
        test_single_bytes(versions[i]);
        test_long_input(versions[i], 16384, SIZE_MAX);
        test_long_input(versions[i], 16384, 16383);
        test_long_input(versions[i], 1, 50000);
        test_long_input(versions[i], 1000, 777);
        test_blocked_handshake(versions[i]);
        test_no_memory(versions[i]);
    }
    test_long_output();
    test_append_while_blocked();
    test_read_wants_write();
    test_too_late();
    test_pause();
    test_peer_ends();
    test_finish();
    test_finish_slowly();
    test_not_tls();
    test_half_handshake();
    test_renegotiation();
    sio_tls_free(tls);
    return t_done();
}
