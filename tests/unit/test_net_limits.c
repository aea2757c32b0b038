/*
 * test_net_limits.c -- on and one past the limits of connections.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/net/limits.h"
#include "tests/unit/oom.h"
#include "tests/unit/test.h"

static struct net_networks exempt;
static struct net_limits limits;

static void begin(size_t max, size_t per_address)
{
    net_limits_init(&limits);
    limits.max_connections = max;
    limits.max_per_address = per_address;
    limits.exempt = &exempt;
}

static struct net_address address(const char *text)
{
    struct net_address a = { .family = AF_UNIX };

    net_address_parse(&a, str_of(text));
    return a;
}

static int take(const char *from)
{
    struct net_address a = address(from);

    return net_limits_take(&limits, 0, &a);
}

static void give_back(const char *from)
{
    struct net_address a = address(from);

    net_limits_give_back(&limits, &a);
}

static size_t counted(void)
{
    return map_count(&limits.addresses);
}

static void test_all(void)
{
    T_CASE("limits: connections in all");
    begin(3, 0);
    for (int i = 0; i < 3; i++)
        CHECK(take("192.0.2.7") == SIO_OK, "number %d", i);
    CHECK(take("192.0.2.7") == SIO_E_LIMIT, "the fourth");
    CHECK(take("unix") == SIO_E_LIMIT, "unix");
    give_back("192.0.2.7");
    CHECK(!net_limits_full(&limits, 0) && net_limits_full(&limits, 1),
          "one waits");
    CHECK(take("unix") == SIO_OK, "after one has gone");
    CHECK(counted() == 0, "addresses are counted");

    T_CASE("limits: 0 is none");
    begin(0, 0);
    CHECK(take("192.0.2.7") == SIO_OK, "refused");
    give_back("192.0.2.7");
}

static void test_per_address(void)
{
    T_CASE("limits: per address, on and one past it");
    begin(0, 2);
    CHECK(take("192.0.2.7") == SIO_OK, "first");
    CHECK(take("192.0.2.7") == SIO_OK, "second");
    CHECK(take("192.0.2.7") == SIO_E_LIMIT, "third");
    CHECK(take("::ffff:192.0.2.7") == SIO_E_LIMIT, "the same, mapped");
    CHECK(take("192.0.2.8") == SIO_OK, "another");
    CHECK(counted() == 2, "%zu", counted());
    give_back("192.0.2.7");
    CHECK(take("192.0.2.7") == SIO_OK, "after one has gone");
    CHECK(take("192.0.2.7") == SIO_E_LIMIT, "and one more");
    give_back("192.0.2.7");
    give_back("192.0.2.7");
    give_back("192.0.2.8");
    CHECK(counted() == 0, "%zu left", counted());

    T_CASE("limits: an IPv6 client is its /64");
    begin(0, 1);
    CHECK(take("2001:db8:1:1::1") == SIO_OK, "first");
    CHECK(take("2001:db8:1:1:ffff::2") == SIO_E_LIMIT, "the same /64");
    CHECK(take("2001:db8:1:2::1") == SIO_OK, "the next /64");
    give_back("2001:db8:1:1:abcd::");
    give_back("2001:db8:1:2::1");
    CHECK(counted() == 0, "%zu left", counted());

    T_CASE("limits: proxies and unix sockets may have any number");
    begin(0, 1);
    for (size_t i = 0; i < 3; i++) {
        CHECK(take("10.0.0.1") == SIO_OK, "proxy");
        CHECK(take("unix") == SIO_OK, "unix");
    }
    CHECK(counted() == 0, "%zu counted", counted());
    give_back("10.0.0.1");
    give_back("unix");
}

static void test_oom(void)
{
    T_CASE("limits: out of memory is a result that changes nothing");
    begin(0, 1);
    oom_arm(0);
    CHECK(take("192.0.2.7") == SIO_E_NOMEM, "taken");
    CHECK(oom_disarm() && counted() == 0, "%zu", counted());
    CHECK(take("192.0.2.7") == SIO_OK, "afterwards");
    give_back("192.0.2.7");
}

int main(void)
{
    net_networks_add(&exempt, "10.0.0.0/8");
    test_all();
    test_per_address();
    test_oom();
    net_networks_free(&exempt);
    return t_done();
}
