/*
 * test_net_proxy.c -- the stage of the PROXY header on a socket pair: what
 * follows stays in the socket, and nothing is waited for without an end.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/net/proxy.h"
#include "tests/unit/oom.h"
#include "tests/unit/test.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static struct net_loop loop;
static struct net_proxies proxies;
static uint64_t now = 1000;
static char got[100]; /* what came of it */
static int got_fd;

static uint64_t fake_clock(void *self)
{
    (void)self;
    return now;
}

static void on_header(void *self, int fd, const struct net_address *client)
{
    char address[NET_ADDRESS_TEXT];

    net_address_text(client, address);
    snprintf(got, sizeof got, "%s: %s", (const char *)self, address);
    got_fd = fd;
}

static void on_failed(void *self, const struct net_address *peer,
                      const char *why)
{
    char address[NET_ADDRESS_TEXT];

    net_address_text(peer, address);
    snprintf(got, sizeof got, "%s: %s: %s", (const char *)self, address, why);
}

static const struct net_proxy_ops ops = { on_header, on_failed };
static char self[] = "self";

/* A connection of 10.0.0.1; the peer's end. */
static int begin(void)
{
    struct net_address peer = { .family = AF_INET, .ip = { 10, 0, 0, 1 } };
    int fds[2];

    got[0] = 0;
    got_fd = -1;
    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds);
    CHECK(net_proxy_accept(&proxies, fds[1], &peer, self) == SIO_OK, "begin");
    CHECK(loop.waiting_count == 1, "%zu waiting", loop.waiting_count);
    return fds[0];
}

static void give(int fd, const char *bytes, size_t n)
{
    CHECK(send(fd, bytes, n, MSG_NOSIGNAL) == (ssize_t)n, "send");
    net_loop_poll(&loop);
}

static void end(int fd)
{
    close(fd);
    if (got_fd >= 0)
        close(got_fd);
    net_loop_poll(&loop);
    CHECK(loop.waiting_count == 0, "%zu waiting", loop.waiting_count);
}

static void check_got(const char *want)
{
    CHECK(strcmp(got, want) == 0, "got '%s'", got);
}

static void check_end(int fd)
{
    char c;

    CHECK(recv(fd, &c, 1, 0) <= 0 && recv(fd, &c, 1, 0) == 0, "not closed");
}

#define LINE "PROXY TCP4 192.0.2.7 198.51.100.1 1 2\r\n"
#define V2 \
    "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0e\xc0\0\2\7\xc6\x33\x64\1\0\1\0\2\4\0"

static void test_good(const char *name, const char *header, size_t n)
{
    char rest[16] = "";
    int fd;

    T_CASE("proxy: %s, what follows stays in the socket", name);
    fd = begin();
    send(fd, header, n, 0);
    give(fd, "GET /", 5);
    check_got("self: 192.0.2.7");
    CHECK(recv(got_fd, rest, sizeof rest, 0) == 5, "not the rest");
    CHECK(strcmp(rest, "GET /") == 0, "%s", rest);
    end(fd);

    T_CASE("proxy: %s, byte by byte", name);
    fd = begin();
    for (size_t i = 0; i < n; i++) {
        CHECK(got[0] == 0, "after %zu bytes: %s", i, got);
        give(fd, header + i, 1);
    }
    check_got("self: 192.0.2.7");
    CHECK(recv(got_fd, rest, sizeof rest, 0) < 0, "more was there");
    end(fd);
}

static void test_bad(void)
{
    int fd;

    T_CASE("proxy: HTTP instead of a header is closed");
    fd = begin();
    give(fd, "GET / HTTP/1.1\r\n", 16);
    check_got("self: 10.0.0.1: no PROXY header");
    check_end(fd);
    end(fd);

    T_CASE("proxy: closed within the header");
    fd = begin();
    give(fd, "PROXY ", 6);
    shutdown(fd, SHUT_WR);
    net_loop_poll(&loop);
    check_got("self: 10.0.0.1: closed before the end of the PROXY header");
    check_end(fd);
    end(fd);

    T_CASE("proxy: closed before the first byte: no word of it");
    fd = begin();
    shutdown(fd, SHUT_WR);
    net_loop_poll(&loop);
    check_got("");
    check_end(fd);
    end(fd);
}

static void end_by_timeout(int fd)
{
    now += NET_PROXY_MS;
    net_loop_poll(&loop);
    end(fd);
}

static void test_time(void)
{
    int fd, unread = -1;

    T_CASE("proxy: %d ms for a header, not one more", NET_PROXY_MS);
    fd = begin();
    now += NET_PROXY_MS - 1;
    give(fd, "PROXY TCP4 ", 11);
    CHECK(got[0] == 0 && loop.waiting_count == 1, "too soon: %s", got);
    now += 1;
    net_loop_poll(&loop);
    check_got("self: 10.0.0.1: no PROXY header in time");
    check_end(fd);
    end(fd);

    T_CASE("proxy: in the last millisecond");
    fd = begin();
    now += NET_PROXY_MS - 1;
    give(fd, LINE, sizeof LINE - 1);
    check_got("self: 192.0.2.7");
    now += NET_PROXY_MS;
    net_loop_poll(&loop);
    check_got("self: 192.0.2.7");
    end(fd);

    T_CASE("proxy: what has come of a header does not stay in the socket, "
           "which would be readable for ever");
    fd = begin();
    give(fd, "PROXY TCP4 ", 11);
    CHECK(ioctl(fd, SIOCOUTQ, &unread) == 0 && unread == 0, "%d", unread);
    end_by_timeout(fd);
}

static void test_end(void)
{
    struct net_address peer = { .family = AF_UNIX };
    int fd, fds[2];

    T_CASE("proxy: closing closes what waits, without a word");
    fd = begin();
    net_proxies_close(&proxies);
    check_got("");
    check_end(fd);
    end(fd);
    net_proxies_init(&proxies, &loop, &ops);

    T_CASE("proxy: out of memory leaves the descriptor to the caller");
    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds);
    oom_arm(0);
    CHECK(net_proxy_accept(&proxies, fds[1], &peer, self) == SIO_E_NOMEM,
          "accepted");
    CHECK(oom_disarm() && loop.waiting_count == 0, "counted");
    CHECK(fcntl(fds[1], F_GETFD) >= 0, "closed");
    close(fds[0]);
    close(fds[1]);
}

int main(void)
{
    struct net_loop_config config = { .clock = fake_clock };

    if (net_loop_init(&loop, &config) != SIO_OK)
        return 1;
    net_proxies_init(&proxies, &loop, &ops);
    test_good("version 1", LINE, sizeof LINE - 1);
    test_good("version 2", V2, sizeof V2 - 1);
    test_bad();
    test_time();
    test_end();
    net_proxies_close(&proxies);
    net_loop_destroy(&loop);
    return t_done();
}
