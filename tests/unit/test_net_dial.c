/*
 * test_net_dial.c -- outgoing connections: to addresses, to names, to unix
 * sockets; every way to fail, in time; what is left over when it is cancelled.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/net/conn.h"
#include "src/net/dial.h"
#include "src/net/listener.h"
#include "src/net/resolve.h"
#include "tests/unit/oom.h"
#include "tests/unit/test.h"

#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#define TIMEOUT_MS 3000

static uint64_t now;
static struct net_loop loop;
static struct net_dial *dial;
static int accepted;            /* connections that came in */
static char told[NET_DIAL_WHY]; /* "+" and the peer, or "-" and the reason */

static uint64_t fake_clock(void *self)
{
    (void)self;
    return now;
}

static void on_connected(void *self, int fd, const struct net_address *peer)
{
    char text[NET_ADDRESS_TEXT];

    (void)self;
    net_address_text(peer, text);
    snprintf(told, sizeof told, "+%s", text);
    close(fd);
    dial = NULL;
}

static void on_failed(void *self, const char *why)
{
    (void)self;
    snprintf(told, sizeof told, "-%.*s", NET_DIAL_WHY - 2, why);
    dial = NULL;
}

static const struct net_dial_ops ops = { on_connected, on_failed };

static void on_accept(void *self, int fd, const struct net_address *peer)
{
    (void)self;
    (void)peer;
    accepted++;
    close(fd);
}

static const struct net_listener_ops listener_ops = { on_accept, NULL };

static void begin(void)
{
    struct net_loop_config config = { .clock = fake_clock };

    now = 1000;
    told[0] = 0;
    accepted = 0;
    CHECK(net_loop_init(&loop, &config) == SIO_OK, "no loop");
}

static void end(void)
{
    net_loop_poll(&loop);
    CHECK(loop.alarm_count == 0, "%zu alarms left", loop.alarm_count);
    net_loop_destroy(&loop);
}

static void start(const char *host, uint16_t port)
{
    int r = net_dial(&loop, host, port, TIMEOUT_MS, &ops, NULL, &dial);

    CHECK(r == SIO_OK, "%d", r);
    CHECK(!told[0], "told before the turn was over: %s", told);
}

/* Turns until something was told, at most some seconds. */
static void wait_told(void)
{
    struct pollfd mail = { .fd = loop.mail_fd, .events = POLLIN };

    for (int i = 0; i < 10000 && !told[0]; i++) {
        net_loop_poll(&loop);
        if (!told[0])
            poll(&mail, 1, 1);
    }
}

static void check_told(const char *want)
{
    CHECK(strcmp(told, want) == 0, "told '%s', want '%s'", told, want);
    told[0] = 0;
}

static struct net_listener *listen_at(const char *address)
{
    const struct net_bind_options options = { .backlog = 10 };
    struct net_listener *l = NULL;
    const char *why;

    CHECK(net_listen(&loop, address, &options, &listener_ops, NULL, &l, &why) ==
              SIO_OK,
          "%s", address);
    return l;
}

/* A port that nobody listens at: it was free a moment ago. */
static uint16_t closed_port(void)
{
    struct net_listener *l = listen_at("127.0.0.1:0");
    uint16_t port = l->bound.port;

    net_listener_close(l);
    net_loop_poll(&loop);
    return port;
}

static void connects(const char *name, const char *address, const char *host,
                     const char *peer)
{
    struct net_listener *l;

    T_CASE("dial: %s", name);
    begin();
    l = listen_at(address);
    start(host, l->bound.port);
    wait_told();
    check_told(peer);
    for (int i = 0; i < 100 && !accepted; i++)
        net_loop_poll(&loop);
    CHECK(accepted == 1, "%d", accepted);
    net_listener_close(l);
    end();
}

static void fails(const char *name, const char *host, const char *why)
{
    T_CASE("dial: %s", name);
    begin();
    start(host, closed_port());
    wait_told();
    check_told(why);
    end();
}

static void test_failures(void)
{
    char host[300];

    fails("nobody listens", "127.0.0.1", "-Connection refused");
    fails("no such unix socket", "unix:/nonexistent/socket",
          "-No such file or directory");
    fails("a unix socket without a path",
          "unix:", "-the path of a unix socket has 1 to 107 bytes");

    memset(host, 'x', 100); /* a label has 63 at most, RFC 1035 2.3.4 */
    host[100] = 0;
    T_CASE("dial: a name that does not exist");
    begin();
    start(host, 1);
    wait_told();
    CHECK(told[0] == '-' && told[1], "told '%s'", told);
    end();

    T_CASE("dial: a name that is too long");
    begin();
    memset(host, 'x', sizeof host);
    host[NET_HOST_MAX + 1] = 0;
    CHECK(net_dial(&loop, host, 1, TIMEOUT_MS, &ops, NULL, &dial) ==
              SIO_E_INVAL,
          "taken");
    end();
}

/* A listener whose queue is full does not answer: the kernel drops the SYN. */
static void test_no_answer(void)
{
    const struct net_bind_options options = { .backlog = 0 };
    struct net_bound bound;
    const char *why;
    int filled[3];

    T_CASE("dial: no answer within its time");
    begin();
    CHECK(net_bind("127.0.0.1:0", &options, &bound, &why) == SIO_OK, "bind");
    for (size_t i = 0; i < COUNT(filled); i++) {
        struct sockaddr_in in = { .sin_family = AF_INET,
                                  .sin_port = htons(bound.port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

        filled[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        connect(filled[i], (struct sockaddr *)&in, sizeof in);
    }
    start("127.0.0.1", bound.port);
    net_loop_poll(&loop);
    now += TIMEOUT_MS - 1;
    net_loop_poll(&loop);
    check_told("");
    now += 1;
    net_loop_poll(&loop);
    check_told("-no answer in time");

    T_CASE("dial: cancelled while it connects");
    start("127.0.0.1", bound.port);
    net_loop_poll(&loop);
    net_dial_cancel(dial);
    net_dial_cancel(dial);
    now += TIMEOUT_MS;
    net_loop_poll(&loop);
    check_told("");
    for (size_t i = 0; i < COUNT(filled); i++)
        close(filled[i]);
    net_unbind(&bound);
    end();
}

static void test_cancel(void)
{
    T_CASE("dial: cancelled before it began");
    begin();
    start("127.0.0.1", closed_port());
    net_dial_cancel(dial);
    net_loop_poll(&loop);
    check_told("");
    end();

    T_CASE("dial: cancelled while the name is resolved, the loop gone");
    begin();
    start("localhost", 1);
    net_loop_poll(&loop);
    if (!told[0])
        net_dial_cancel(dial);
    told[0] = 0;
    end();

    T_CASE("dial: the name is not resolved in time");
    begin();
    start("localhost", 1);
    now += TIMEOUT_MS;
    net_loop_poll(&loop); /* asks, then the time is over */
    net_loop_poll(&loop);
    CHECK(told[0] == '-', "told '%s'", told);
    end();
}

static void never(void *self, const struct net_addresses *found,
                  const char *why)
{
    (void)self;
    (void)found;
    (void)why;
    CHECK(false, "an answer came");
}

static void test_oom(void)
{
    uint16_t port;

    T_CASE("dial: the n-th allocation fails");
    begin();
    port = closed_port();
    for (long n = 0; n < 100; n++) {
        int r;

        told[0] = 0;
        oom_arm(n);
        r = net_dial(&loop, "localhost", port, TIMEOUT_MS, &ops, NULL, &dial);
        if (r == SIO_OK)
            wait_told();
        if (!oom_disarm())
            break;
        CHECK(r == SIO_E_NOMEM || told[0] == '-', "%ld: %d %s", n, r, told);
        CHECK(n < 99, "it never ends");
    }
    CHECK(strcmp(told, "-Connection refused") == 0, "%s", told);
    end();

    T_CASE("resolve: allocation failure");
    begin();
    {
        struct net_resolve *r = NULL;

        oom_arm(0);
        CHECK(net_resolve(&loop, "localhost", 1, never, NULL, &r) ==
                  SIO_E_NOMEM,
              "taken");
        oom_disarm();
    }
    end();
}

/* Neither counted nor limited as those that came in are. */
static void test_outgoing(void)
{
    static const struct net_conn_ops nothing;
    const struct net_address nobody = { 0 };
    struct net_conn *conn;
    int fds[2];

    T_CASE("conn: an outgoing one is counted apart");
    begin();
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0,
          "socketpair");
    CHECK(net_conn_open_outgoing(&loop, fds[0], &nobody, 1000, &nothing, NULL,
                                 &conn) == SIO_OK,
          "open");
    CHECK(loop.conn_count == 0 && loop.outgoing_count == 1, "counts");
    net_conn_close(conn);
    CHECK(loop.conn_count == 0 && loop.outgoing_count == 0, "counts");
    close(fds[1]);
    end();
}

int main(void)
{
    connects("to an IPv4 address", "127.0.0.1:0", "127.0.0.1", "+127.0.0.1");
    connects("to an IPv6 address", "[::1]:0", "::1", "+::1");
    connects("to a name", "127.0.0.1:0", "localhost", "+127.0.0.1");
    connects("to a unix socket", "unix:build/dial.sock", "unix:build/dial.sock",
             "+unix");
    connects("to a unix socket without a file", "unix:@libsio-dial-test",
             "unix:@libsio-dial-test", "+unix");
    test_failures();
    test_no_answer();
    test_cancel();
    test_oom();
    test_outgoing();
    return t_done();
}
