/*
 * test_net_network.c -- networks from their text, and who is in them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/net/network.h"
#include "tests/unit/oom.h"
#include "tests/unit/test.h"

static bool has(const struct net_networks *set, const char *text)
{
    struct net_address a = { .family = AF_UNIX };

    if (strcmp(text, "unix") != 0 && !net_address_parse(&a, str_of(text)))
        return false;
    return net_networks_have(set, &a);
}

static void test_members(void)
{
    static const struct {
        const char *network, *in, *out; /* several: between blanks */
    } rows[] = {
        { "10.0.0.0/8", "10.0.0.0 10.255.255.255", "9.255.255.255 11.0.0.0" },
        { "10.1.2.3/8", "10.0.0.0 10.255.255.255", "9.255.255.255" },
        { "192.168.4.0/22", "192.168.4.0 192.168.7.255",
          "192.168.3.255 192.168.8.0" },
        { "192.0.2.7", "192.0.2.7", "192.0.2.6 192.0.2.8 unix" },
        { "192.0.2.7/32", "192.0.2.7", "192.0.2.6 192.0.2.8" },
        { "192.0.2.6/31", "192.0.2.6 192.0.2.7", "192.0.2.5 192.0.2.8" },
        { "0.0.0.0/0", "0.0.0.0 255.255.255.255 ::ffff:1.2.3.4", ":: unix" },
        { "::/0", ":: ffff::1", "0.0.0.0 unix" },
        { "::1", "::1", "::2 0.0.0.1" },
        { "::1/128", "::1", "::2" },
        { "2001:db8::/33",
          "2001:db8:: 2001:db8:7fff::", "2001:db8:8000:: 2001:db7::" },
        { "::ffff:10.0.0.0/104", "10.1.1.1 ::ffff:10.1.1.1", "11.0.0.0" },
        { "::ffff:192.0.2.7", "192.0.2.7", "192.0.2.6" },
        { "unix", "unix", "127.0.0.1 ::1" },
        { "loopback", "127.0.0.1 127.255.0.1 ::1", "128.0.0.1 ::2 unix" },
        { "linklocal", "169.254.1.1 fe80::1 febf::1", "169.253.1.1 fec0::1" },
        { "private",
          "10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 fc00::1 fdff::1",
          "172.32.0.1 172.15.0.1 192.169.0.1 fe00::1 127.0.0.1" },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *lists[] = { rows[i].in, rows[i].out };
        struct net_networks set = { 0 };

        T_CASE("network: %s", rows[i].network);
        CHECK(net_networks_add(&set, rows[i].network) == SIO_OK, "not added");
        for (size_t k = 0; k < 2; k++) {
            sio_str rest = str_of(lists[k]);

            while (rest.p) {
                sio_str one = str_split(rest, ' ', &rest);
                char text[64];

                snprintf(text, sizeof text, "%.*s", (int)one.n, one.p);
                CHECK(has(&set, text) == (k == 0), "%s", text);
            }
        }
        net_networks_free(&set);
    }
}

static void test_refused(void)
{
    static const char *const rows[] = {
        "",
        "/",
        "10.0.0.0/",
        "10.0.0.0/33",
        "10.0.0.0/-1",
        "10.0.0.0/8 ",
        " 10.0.0.0/8",
        "10.0.0.0/8/8",
        "10.0.0/8",
        "10.0.0.0/a",
        "10.0.0.0/0008",
        "::/129",
        "::1/1281",
        "::ffff:10.0.0.0/95",
        "[::1]",
        "fe80::1%lo",
        "localhost",
        "Loopback",
        "unix:",
        "2001:0db8:1111:2222:3333:4444:5555:6666:7777:8888:9999:0000:1111",
    };
    struct net_networks set = { 0 };

    for (size_t i = 0; i < COUNT(rows); i++) {
        T_CASE("network: '%s' is none", rows[i]);
        CHECK(net_networks_add(&set, rows[i]) == SIO_E_ADDRESS, "added");
        CHECK(set.count == 0, "%zu", set.count);
    }
}

static void test_list(void)
{
    struct net_networks set = { 0 };

    T_CASE("network: a list is any of them, an empty one nobody");
    CHECK(!has(&set, "127.0.0.1") && !has(&set, "unix"), "empty");
    net_networks_add(&set, "loopback");
    net_networks_add(&set, "10.0.0.0/8");
    CHECK(has(&set, "::1") && has(&set, "10.9.9.9"), "not both");
    CHECK(!has(&set, "11.9.9.9"), "another");

    T_CASE("network: out of memory adds nothing");
    oom_arm(0);
    CHECK(net_networks_add(&set, "private") == SIO_E_NOMEM, "added");
    CHECK(oom_disarm() && set.count == 3, "%zu", set.count);
    CHECK(has(&set, "::1") && !has(&set, "192.168.0.1"), "changed");
    net_networks_free(&set);
    net_networks_free(&set);
}

int main(void)
{
    test_members();
    test_refused();
    test_list();
    return t_done();
}
