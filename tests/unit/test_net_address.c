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

static void test_parse(void)
{
    static const struct {
        const char *text, *want; /* NULL: no address */
    } rows[] = {
        { "127.0.0.1", "127.0.0.1" },
        { "::1", "::1" },
        { "2001:DB8::0:7", "2001:db8::7" },
        { "::ffff:192.0.2.7", "192.0.2.7" },
        { "1111:2222:3333:4444:5555:6666:255.255.255.255",
          "1111:2222:3333:4444:5555:6666:ffff:ffff" },
        { "", NULL },
        { "127.0.0.1 ", NULL },
        { "127.0.0.1:80", NULL },
        { "127.1", NULL },
        { "127.0.0.01", NULL },
        { "[::1]", NULL },
        { "fe80::1%eth0", NULL },
        { "localhost", NULL },
        { "1111:2222:3333:4444:5555:6666:255.255.255.255:", NULL },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct net_address a = { .family = 99 };
        char text[NET_ADDRESS_TEXT] = "";
        bool good = net_address_parse(&a, str_of(rows[i].text));

        T_CASE("address: '%s' is %s", rows[i].text,
               rows[i].want ? rows[i].want : "none");
        CHECK(good == (rows[i].want != NULL), "%d", good);
        if (good)
            net_address_text(&a, text);
        CHECK(good ? strcmp(text, rows[i].want) == 0 : a.family == 99,
              "got %s, family %u", text, a.family);
    }
    T_CASE("address: a NUL is no end of the text");
    CHECK(!net_address_parse(&(struct net_address){ 0 },
                             (sio_str){ "127.0.0.1\0", 10 }),
          "taken");
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

    test_parse();

    T_CASE("address: unix, unknown");
    net_address_from(&a, &other);
    net_address_text(&a, text);
    CHECK(strcmp(text, "unix") == 0 && a.port == 0, "got %s", text);
    other.sa_family = AF_UNSPEC;
    net_address_from(&a, &other);
    CHECK(net_address_text(&a, text) == 0 && text[0] == 0, "got %s", text);
    return t_done();
}
