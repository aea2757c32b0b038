/*
 * test_net_proxy_header.c -- headers of the PROXY protocol, whole and cut at
 * every byte; what follows a header is never taken.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/net/proxy_header.h"
#include "tests/unit/test.h"

#include <stdlib.h>

struct row {
    const char *name;
    const char *bytes;
    size_t len;
    const char *want; /* "IP port", "own", "more", or what is wrong with it */
    size_t behind;    /* bytes that are not the header's */
};

#define ROW(name, bytes, want, behind)                     \
    {                                                      \
        (name), (bytes), sizeof(bytes) - 1, (want), behind \
    }
#define SIG "\r\n\r\n\0\r\nQUIT\n"
#define GET "GET / HTTP/1.1\r\n"
#define V4 "\xc0\0\2\7\xc6\x33\x64\1\xdc\4\1\xbb"
#define V6                                  \
    "\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\7" \
    "\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1\xdc\4\1\xbb"
#define MAPPED                               \
    "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\7" \
    "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\1\xdc\4\1\xbb"
#define TEN "0123456789"
#define X100 TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

/* clang-format off */
static const struct row rows[] = {
    ROW("v1 IPv4", "PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n" GET,
        "192.0.2.7 56324", 16),
    ROW("v1 IPv4, the longest",
        "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n",
        "255.255.255.255 65535", 0),
    ROW("v1 IPv6", "PROXY TCP6 2001:db8::7 2001:db8::1 56324 443\r\n\r\n",
        "2001:db8::7 56324", 2),
    ROW("v1 IPv6, the longest",
        "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535", 0),
    ROW("v1 IPv6, mapped", "PROXY TCP6 ::ffff:192.0.2.7 ::ffff:192.0.2.1 1 2\r\n",
        "192.0.2.7 1", 0),
    ROW("v1 port 0", "PROXY TCP4 192.0.2.7 198.51.100.1 0 0\r\n",
        "192.0.2.7 0", 0),
    ROW("v1 unknown", "PROXY UNKNOWN\r\nx", "own", 1),
    ROW("v1 unknown with text", "PROXY UNKNOWN what ever\r\n", "own", 0),
    ROW("v1 unknown, 107 bytes",
        "PROXY UNKNOWN " TEN TEN TEN TEN TEN TEN TEN TEN TEN "1\r\nx", "own", 1),
    ROW("v1 unknown, 108 bytes",
        "PROXY UNKNOWN " TEN TEN TEN TEN TEN TEN TEN TEN TEN "12\r\n",
        "PROXY line too long", 1),
    ROW("v1 unfinished", "PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r", "more", 0),
    ROW("v1 without CR", "PROXY UNKNOWN\n", "malformed PROXY line", 0),
    ROW("v1 empty", "PROXY \r\n", "malformed PROXY line", 0),
    ROW("v1 no CR either", "PROXY \n", "malformed PROXY line", 0),
    ROW("v1 UNKNOWNS", "PROXY UNKNOWNS\r\n", "malformed PROXY line", 0),
    ROW("v1 other protocol", "PROXY UDP4 1.1.1.1 1.1.1.1 1 1\r\n",
        "malformed PROXY line", 0),
    ROW("v1 two blanks", "PROXY TCP4  192.0.2.7 198.51.100.1 1 1\r\n",
        "malformed PROXY line", 0),
    ROW("v1 trailing blank", "PROXY TCP4 192.0.2.7 198.51.100.1 1 1 \r\n",
        "malformed PROXY line", 0),
    ROW("v1 too few", "PROXY TCP4 192.0.2.7 198.51.100.1 1\r\n",
        "malformed PROXY line", 0),
    ROW("v1 too many", "PROXY TCP4 192.0.2.7 198.51.100.1 1 1 1\r\n",
        "malformed PROXY line", 0),
    ROW("v1 IPv6 as IPv4", "PROXY TCP4 ::1 ::1 1 1\r\n",
        "malformed PROXY line", 0),
    ROW("v1 IPv4 as IPv6", "PROXY TCP6 1.1.1.1 1.1.1.1 1 1\r\n",
        "malformed PROXY line", 0),
    ROW("v1 bad source", "PROXY TCP4 192.0.2.256 198.51.100.1 1 1\r\n",
        "malformed PROXY line", 0),
    ROW("v1 bad destination", "PROXY TCP4 192.0.2.7 198.51.100 1 1\r\n",
        "malformed PROXY line", 0),
    ROW("v1 source port", "PROXY TCP4 192.0.2.7 198.51.100.1 65536 1\r\n",
        "malformed PROXY line", 0),
    ROW("v1 destination port", "PROXY TCP4 192.0.2.7 198.51.100.1 1 -1\r\n",
        "malformed PROXY line", 0),
    ROW("v1 leading zero", "PROXY TCP4 192.0.2.7 198.51.100.1 01 1\r\n",
        "malformed PROXY line", 0),
    ROW("v1 a CR within", "PROXY TCP4 192.0.2.7 198.51.100.1 1\r 1\r\n",
        "malformed PROXY line", 0),

    ROW("v2 IPv4", SIG "\x21\x11\0\x0c" V4 GET, "192.0.2.7 56324", 16),
    ROW("v2 IPv4, datagrams", SIG "\x21\x12\0\x0c" V4, "192.0.2.7 56324", 0),
    ROW("v2 IPv6", SIG "\x21\x21\0\x24" V6 "x", "2001:db8::7 56324", 1),
    ROW("v2 IPv6, datagrams", SIG "\x21\x22\0\x24" V6, "2001:db8::7 56324", 0),
    ROW("v2 IPv6, mapped", SIG "\x21\x21\0\x24" MAPPED, "192.0.2.7 56324", 0),
    ROW("v2 unix", SIG "\x21\x31\0\xd8" X100 X100 TEN "123456x", "unix 0", 1),
    ROW("v2 unix, datagrams", SIG "\x21\x32\0\xd8" X100 X100 TEN "123456",
        "unix 0", 0),
    ROW("v2 with extensions", SIG "\x21\x11\0\x11" V4 "\4\0\2hi" "x",
        "192.0.2.7 56324", 1),
    ROW("v2 IPv6 with extensions", SIG "\x21\x21\0\x29" V6 "\4\0\2hi" "x",
        "2001:db8::7 56324", 1),
    ROW("v2 unix with extensions", SIG "\x21\x31\0\xda" X100 X100 TEN "12345678x",
        "unix 0", 1),
    ROW("v2 unknown", SIG "\x21\0\0\0" "x", "own", 1),
    ROW("v2 unknown with a rest", SIG "\x21\0\0\3" "abcx", "own", 1),
    ROW("v2 local", SIG "\x20\0\0\0" "x", "own", 1),
    ROW("v2 local, IPv4", SIG "\x20\x11\0\x0c" V4 "x", "own", 1),
    ROW("v2 local, any family", SIG "\x20\xff\0\1" "ax", "own", 1),
    ROW("v2 local, long", SIG "\x20\0\0\x64" X100 "x", "own", 1),
    ROW("v2 unfinished", SIG "\x21\x11\0\x11" V4 "\4\0\2h", "more", 0),
    ROW("v2 IPv4 too short", SIG "\x21\x11\0\x0b" V4,
        "PROXY header with a wrong address", 1),
    ROW("v2 IPv6 too short", SIG "\x21\x21\0\x23" V6,
        "PROXY header with a wrong address", 1),
    ROW("v2 unix too short", SIG "\x21\x31\0\xd7" X100 X100 TEN "12345",
        "PROXY header with a wrong address", 179),
    ROW("v2 without transport", SIG "\x21\x10\0\x0c" V4,
        "PROXY header with a wrong address", 0),
    ROW("v2 transport 3", SIG "\x21\x13\0\x0c" V4,
        "PROXY header with a wrong address", 0),
    ROW("v2 family 4", SIG "\x21\x41\0\x0c" V4,
        "PROXY header with a wrong address", 0),
    ROW("v2 command 2", SIG "\x22\x11\0\x0c" V4,
        "PROXY header of an unknown version or command", 15),
    ROW("v2 version 3", SIG "\x31\x11\0\x0c" V4,
        "PROXY header of an unknown version or command", 15),
    ROW("v2 version 1", SIG "\x11\x11\0\x0c" V4,
        "PROXY header of an unknown version or command", 15),
    ROW("v2 announces 4081", SIG "\x21\x11\x0f\xf1" V4, "PROXY header too long",
        12),
    ROW("v2 announces 65535", SIG "\x21\x11\xff\xff" V4, "PROXY header too long",
        12),
    ROW("v2 announces 4080", SIG "\x21\x11\x0f\xf0" V4, "more", 0),

    ROW("nothing", "", "more", 0),
    ROW("HTTP", GET, "no PROXY header", 15),
    ROW("POST", "POST / HTTP/1.1\r\n", "no PROXY header", 15),
    ROW("HTTP/2", "PRI * HTTP/2.0\r\n", "no PROXY header", 13),
    ROW("TLS", "\x16\3\1\2\0", "no PROXY header", 4),
    ROW("an empty line", "\r\n\r\nGET", "no PROXY header", 2),
    ROW("lower case", "proxy UNKNOWN\r\n", "no PROXY header", 14),
    ROW("signature of another", "\r\n\r\n\0\r\nQUIT\r\n", "no PROXY header", 1),
};
/* clang-format on */

/* Feed in the pieces [0, cut) and [cut, len) and say what came of it. */
static void run(const struct row *row, size_t cut, char *got, size_t size,
                size_t *behind)
{
    struct net_proxy_header h = { 0 };
    char address[NET_ADDRESS_TEXT];
    enum net_proxy_result r = NET_PROXY_MORE;
    size_t at = 0, ends[] = { cut, row->len };

    for (size_t i = 0; i < 2 && r == NET_PROXY_MORE; i++) {
        size_t n = ends[i] - at, used;
        uint8_t *piece = malloc(n + !n); /* its end is the heap block's */

        memcpy(piece, row->bytes + at, n);
        r = net_proxy_feed(&h, piece, n, &used);
        CHECK(used <= n && (r != NET_PROXY_MORE || used == n),
              "cut at %zu: %zu of %zu used", cut, used, n);
        at += used;
        free(piece);
    }
    *behind = row->len - at;
    net_address_text(&h.client, address);
    if (r == NET_PROXY_MORE)
        snprintf(got, size, "more");
    else if (r == NET_PROXY_BAD)
        snprintf(got, size, "%s", h.wrong);
    else if (h.own)
        snprintf(got, size, "own");
    else
        snprintf(got, size, "%s %u", address, h.client.port);
}

static void test_rows(void)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        T_CASE("PROXY: %s", rows[i].name);
        for (size_t cut = 0; cut <= rows[i].len; cut++) {
            char got[100];
            size_t behind;

            run(&rows[i], cut, got, sizeof got, &behind);
            CHECK(strcmp(got, rows[i].want) == 0, "cut at %zu: %s", cut, got);
            CHECK(behind == rows[i].behind, "cut at %zu: %zu left", cut,
                  behind);
        }
    }
}

static void test_longest(void)
{
    static uint8_t bytes[NET_PROXY_V2_MAX + 1] = SIG "\x21\x11\x0f\xf0" V4;
    struct net_proxy_header h = { 0 };
    size_t used;

    T_CASE("PROXY: v2 of %d bytes, the longest", NET_PROXY_V2_MAX);
    CHECK(net_proxy_feed(&h, bytes, NET_PROXY_V2_MAX - 1, &used) ==
                  NET_PROXY_MORE &&
              used == NET_PROXY_V2_MAX - 1,
          "%zu", used);
    CHECK(net_proxy_feed(&h, bytes, 2, &used) == NET_PROXY_DONE && used == 1,
          "%zu", used);
    CHECK(h.client.family == AF_INET && h.client.port == 56324, "%u",
          h.client.port);
}

int main(void)
{
    test_rows();
    test_longest();
    return t_done();
}
