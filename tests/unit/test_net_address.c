/*
 * test_net_address.c -- socket addresses to their text.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/net/address.h"
#include "tests/unit/test.h"

#include <arpa/inet.h>
#include <netinet/in.h>

static void test_inet(int family, const char *from, const char *want)
{
    union {
        struct sockaddr sa;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } u = { 0 };
    struct net_address a;
    char text[NET_ADDRESS_TEXT];
    size_t n;

    T_CASE("address: %s is %s", from, want);
    u.sa.sa_family = (sa_family_t)family;
    if (family == AF_INET) {
        u.in.sin_port = htons(3000);
        inet_pton(family, from, &u.in.sin_addr);
    } else {
        u.in6.sin6_port = htons(3000);
        inet_pton(family, from, &u.in6.sin6_addr);
    }
    net_address_from(&a, &u.sa);
    n = net_address_text(&a, text);
    CHECK(strcmp(text, want) == 0, "got %s", text);
    CHECK(n == strlen(text), "length %zu", n);
    CHECK(a.port == 3000, "port %u", a.port);
}

int main(void)
{
    struct sockaddr other = { .sa_family = AF_UNIX };
    struct net_address a;
    char text[NET_ADDRESS_TEXT];

    test_inet(AF_INET, "127.0.0.1", "127.0.0.1");
    test_inet(AF_INET, "255.255.255.255", "255.255.255.255");
    test_inet(AF_INET6, "::1", "::1");
    test_inet(AF_INET6, "::ffff:10.1.2.3", "10.1.2.3");
    test_inet(AF_INET6, "2001:db8:1111:2222:3333:4444:5555:6666",
              "2001:db8:1111:2222:3333:4444:5555:6666");

    T_CASE("address: unix, unknown");
    net_address_from(&a, &other);
    net_address_text(&a, text);
    CHECK(strcmp(text, "unix") == 0 && a.port == 0, "got %s", text);
    other.sa_family = AF_UNSPEC;
    net_address_from(&a, &other);
    CHECK(net_address_text(&a, text) == 0 && text[0] == 0, "got %s", text);
    return t_done();
}
