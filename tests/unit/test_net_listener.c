/*
 * test_net_listener.c -- addresses to listen on, accepting, and what happens
 * when descriptors run out.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/net/listener.h"
#include "tests/unit/oom.h"
#include "tests/unit/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <unistd.h>

static struct net_loop loop;
static uint64_t now = 1000;
static int accepted, last_fd, errors, last_error;
static struct net_address last_peer;

static uint64_t fake_clock(void *self)
{
    (void)self;
    return now;
}

static void on_accept(void *self, int fd, const struct net_address *peer)
{
    (void)self;
    accepted++;
    last_fd = fd;
    last_peer = *peer;
}

static void on_error(void *self, int error)
{
    (void)self;
    errors++;
    last_error = error;
}

static const struct net_listener_ops ops = { on_accept, on_error };
static const struct net_bind_options plain = { .backlog = NET_BACKLOG };
static const char *why;

static int connect_to(uint16_t port, int family)
{
    struct sockaddr_in in = { .sin_family = AF_INET,
                              .sin_port = htons(port),
                              .sin_addr = { htonl(INADDR_LOOPBACK) } };
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
                                .sin6_port = htons(port),
                                .sin6_addr = IN6ADDR_LOOPBACK_INIT };
    int fd = socket(family, SOCK_STREAM, 0);
    int r = family == AF_INET
                ? connect(fd, (struct sockaddr *)&in, sizeof in)
                : connect(fd, (struct sockaddr *)&in6, sizeof in6);

    if (r < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static bool have_ipv6(void)
{
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
                                .sin6_addr = IN6ADDR_LOOPBACK_INIT };
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    bool have = fd >= 0 && bind(fd, (struct sockaddr *)&in6, sizeof in6) == 0;

    if (fd >= 0)
        close(fd);
    return have;
}

static void test_refused(void)
{
    static const char *const rows[] = {
        "",          ":",
        "x",         "65536",
        ":65536",    ":-1",
        ": 80",      "127.0.0.1:",
        "127.0.0.1", "127.0.0.1:x",
        "::1:80",    "[::1]",
        "[::1]80",   "[::1:80",
        "[]:80",     "[:80",
        "]:80",      "1.2.3.4.5:0",
        "[zz]:0",    ":000080",
        ":8080x",    "no.such.host.invalid:80",
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct net_listener *l = NULL;
        int r;

        T_CASE("listen: '%s' is no address", rows[i]);
        r = net_listen(&loop, rows[i], &plain, &ops, NULL, &l, &why);
        CHECK(r == SIO_E_ADDRESS && !l, "result %d", r);
    }
}

static void test_accept(void)
{
    static const struct {
        const char *address, *peer;
        int family;
        bool v6_only;
    } rows[] = {
        { "127.0.0.1:0", "127.0.0.1", AF_INET, false },
        { "0.0.0.0:0", "127.0.0.1", AF_INET, false },
        { "localhost:0", NULL, 0, false },
        { ":0", "127.0.0.1", AF_INET, false },
        { "0", "127.0.0.1", AF_INET, false },
        { ":0", "::1", AF_INET6, false },
        { "[::1]:0", "::1", AF_INET6, true },
        { "[::]:0", "::1", AF_INET6, true },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct net_listener *l = NULL;
        char text[NET_ADDRESS_TEXT];
        int fd, on = 0;
        socklen_t len = sizeof on;

        if (rows[i].family == AF_INET6 && !have_ipv6())
            continue;
        T_CASE("listen: %s, connected to from %s", rows[i].address,
               rows[i].peer ? rows[i].peer : "nowhere");
        CHECK(net_listen(&loop, rows[i].address, &plain, &ops, NULL, &l,
                         &why) == SIO_OK,
              "errno %d", errno);
        if (!l)
            continue;
        CHECK(l->bound.port != 0, "no port");
        accepted = 0;
        if (rows[i].peer) {
            fd = connect_to(l->bound.port, rows[i].family);
            CHECK(fd >= 0, "not connected");
            net_loop_poll(&loop);
            CHECK(accepted == 1, "%d accepted", accepted);
            net_address_text(&last_peer, text);
            CHECK(strcmp(text, rows[i].peer) == 0, "from %s", text);
            CHECK(last_peer.port != 0, "no port");
            getsockopt(last_fd, IPPROTO_TCP, TCP_NODELAY, &on, &len);
            CHECK(on, "no TCP_NODELAY");
            close(last_fd);
            close(fd);
        }
        if (rows[i].v6_only)
            CHECK(connect_to(l->bound.port, AF_INET) < 0, "serves IPv4 too");
        net_listener_close(l);
        net_listener_close(l);
        net_loop_poll(&loop);
    }
}

/* What connected before it was ours, as with sockets of systemd. */
static void test_inherited(void)
{
    struct sockaddr_in in = { .sin_family = AF_INET,
                              .sin_addr = { htonl(INADDR_LOOPBACK) } };
    int listening = socket(AF_INET, SOCK_STREAM, 0), fd, on = 0;
    socklen_t len = sizeof on;
    struct net_listener *l = NULL;
    char address[16];

    T_CASE("listen: a connection from before has TCP_NODELAY, too");
    CHECK(bind(listening, (struct sockaddr *)&in, sizeof in) == 0 &&
              listen(listening, 1) == 0,
          "errno %d", errno);
    fd = connect_to(net_bound_port(listening), AF_INET);
    CHECK(fd >= 0, "not connected");
    snprintf(address, sizeof address, "fd:%d", listening);
    CHECK(net_listen(&loop, address, &plain, &ops, NULL, &l, &why) == SIO_OK,
          "errno %d", errno);
    accepted = 0;
    net_loop_poll(&loop);
    CHECK(accepted == 1, "%d accepted", accepted);
    getsockopt(last_fd, IPPROTO_TCP, TCP_NODELAY, &on, &len);
    CHECK(on, "no TCP_NODELAY");
    close(last_fd);
    close(fd);
    net_listener_close(l);
    net_loop_poll(&loop);
}

static void test_taken(void)
{
    struct net_listener *l = NULL, *other = NULL;
    char address[32];
    int r;

    T_CASE("listen: a port that is taken is a system error");
    CHECK(net_listen(&loop, "127.0.0.1:0", &plain, &ops, NULL, &l, &why) ==
              SIO_OK,
          "listen");
    snprintf(address, sizeof address, "127.0.0.1:%u", l->bound.port);
    r = net_listen(&loop, address, &plain, &ops, NULL, &other, &why);
    CHECK(r == SIO_E_SYS && errno == EADDRINUSE, "%d, errno %d", r, errno);
    CHECK(!other, "out was touched");

    T_CASE("listen: out of memory is a result, the port is free again");
    oom_arm(0);
    CHECK(net_listen(&loop, "127.0.0.1:0", &plain, &ops, NULL, &other, &why) ==
              SIO_E_NOMEM,
          "listens");
    oom_disarm();
    CHECK(!other, "out was touched");
    net_listener_close(l);
    net_loop_poll(&loop);
    CHECK(net_listen(&loop, address, &plain, &ops, NULL, &l, &why) == SIO_OK,
          "not free");
    net_listener_close(l);
    net_loop_poll(&loop);
}

static void test_descriptors(void)
{
    struct rlimit old, few;
    struct net_listener *l = NULL;
    int fd, probe;

    T_CASE("listen: no descriptors left: told once, then a pause");
    CHECK(net_listen(&loop, "127.0.0.1:0", &plain, &ops, NULL, &l, &why) ==
              SIO_OK,
          "listen");
    fd = connect_to(l->bound.port, AF_INET);
    probe = dup(fd); /* the lowest free number */
    close(probe);
    getrlimit(RLIMIT_NOFILE, &old);
    few = old;
    few.rlim_cur = (rlim_t)probe;
    setrlimit(RLIMIT_NOFILE, &few);
    accepted = errors = 0;
    for (int i = 0; i < 3; i++)
        net_loop_poll(&loop);
    CHECK(accepted == 0 && errors == 1, "%d told, %d accepted", errors,
          accepted);
    CHECK(last_error == EMFILE, "errno %d", last_error);

    T_CASE("listen: the connection that waited is accepted afterwards");
    setrlimit(RLIMIT_NOFILE, &old);
    now += NET_ACCEPT_PAUSE_MS - 1;
    net_loop_poll(&loop);
    CHECK(accepted == 0, "too soon");
    now += 1;
    net_loop_poll(&loop);
    net_loop_poll(&loop);
    CHECK(accepted == 1 && errors == 1, "%d accepted, %d told", accepted,
          errors);
    close(last_fd);
    close(fd);
    net_listener_close(l);
    net_loop_poll(&loop);
}

static void test_batch(void)
{
    struct net_listener *l = NULL;
    int fds[NET_ACCEPT_BATCH + 6];

    T_CASE("listen: many at once, at most %d per readiness", NET_ACCEPT_BATCH);
    CHECK(net_listen(&loop, "127.0.0.1:0", &plain, &ops, NULL, &l, &why) ==
              SIO_OK,
          "listen");
    for (size_t i = 0; i < COUNT(fds); i++)
        fds[i] = connect_to(l->bound.port, AF_INET);
    accepted = 0;
    net_loop_poll(&loop);
    CHECK(accepted == NET_ACCEPT_BATCH, "%d accepted", accepted);
    net_loop_poll(&loop);
    CHECK(accepted == (int)COUNT(fds), "%d accepted", accepted);
    for (size_t i = 0; i < COUNT(fds); i++)
        close(fds[i]);
    net_listener_close(l);
    net_loop_poll(&loop);
}

int main(void)
{
    struct net_loop_config config = { .clock = fake_clock };

    if (net_loop_init(&loop, &config) != SIO_OK)
        return 1;
    test_refused();
    test_accept();
    test_inherited();
    test_taken();
    test_descriptors();
    test_batch();
    net_loop_destroy(&loop);
    return t_done();
}
