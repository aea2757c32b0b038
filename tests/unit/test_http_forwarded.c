/*
 * test_http_forwarded.c -- the client's address and scheme as proxies tell
 * them: whom to believe, and how far.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/http/forwarded.h"
#include "tests/unit/test.h"

#define ANY HTTP_FORWARDED_ANY
#define X HTTP_FORWARDED_X
#define RFC HTTP_FORWARDED_RFC7239

/* Trusted: 10.0.0.0/8, 2001:db8:1::/48. `from` has connected, in plain. */
struct row {
    const char *name, *from;
    enum http_forwarded which;
    const char *fields; /* "name: value\n" each */
    const char *want;   /* "address port scheme" */
};

#define XFF "x-forwarded-for: "
#define XFP "x-forwarded-proto: "
#define FWD "forwarded: "
#define HTTP " 0 http"
#define HTTPS " 0 https"

/* clang-format off */
static const struct row rows[] = {
    { "nobody says anything", "10.0.0.1", ANY, "", "10.0.0.1" HTTP },
    { "nobody is trusted", "192.0.2.1", ANY,
      XFF "1.1.1.1\n" FWD "for=2.2.2.2;proto=https\n" XFP "https\n",
      "192.0.2.1" HTTP },

    { "X: one proxy", "10.0.0.1", ANY, XFF "192.0.2.7\n", "192.0.2.7" HTTP },
    { "X: two proxies", "10.0.0.1", ANY, XFF "192.0.2.7, 10.0.0.2\n",
      "192.0.2.7" HTTP },
    { "X: what the client claims is behind what the proxy saw", "10.0.0.1", ANY,
      XFF "1.1.1.1, 192.0.2.7\n", "192.0.2.7" HTTP },
    { "X: the client claims to be a proxy", "10.0.0.1", ANY,
      XFF "1.1.1.1, 10.0.0.9, 192.0.2.7, 10.0.0.2\n", "192.0.2.7" HTTP },
    { "X: all trusted: the first", "10.0.0.1", ANY,
      XFF "10.0.0.4, 10.0.0.3, 10.0.0.2\n", "10.0.0.4" HTTP },
    { "X: several fields are one list", "10.0.0.1", ANY,
      XFF "1.1.1.1\n" XFF "192.0.2.7\n" XFF "10.0.0.2\n", "192.0.2.7" HTTP },
    { "X: without blanks", "10.0.0.1", ANY, XFF "192.0.2.7,10.0.0.2\n",
      "192.0.2.7" HTTP },
    { "X: with many", "10.0.0.1", ANY, XFF " \t192.0.2.7 \t,  10.0.0.2  \n",
      "192.0.2.7" HTTP },
    { "X: IPv6", "2001:db8:1::1", ANY, XFF "2001:db8:2::7\n",
      "2001:db8:2::7" HTTP },
    { "X: IPv6 in brackets", "10.0.0.1", ANY, XFF "[2001:db8:2::7]\n",
      "2001:db8:2::7" HTTP },
    { "X: mapped IPv4", "10.0.0.1", ANY, XFF "192.0.2.7, ::ffff:10.0.0.2\n",
      "192.0.2.7" HTTP },
    { "X: with a port", "10.0.0.1", ANY, XFF "192.0.2.7:4711\n",
      "192.0.2.7 4711 http" },
    { "X: IPv6 with a port", "10.0.0.1", ANY, XFF "[2001:db8:2::7]:65535\n",
      "2001:db8:2::7 65535 http" },
    { "X: a proxy with a port", "10.0.0.1", ANY, XFF "192.0.2.7, 10.0.0.2:99\n",
      "192.0.2.7" HTTP },
    { "X: unknown ends the walk", "10.0.0.1", ANY,
      XFF "192.0.2.7, unknown, 10.0.0.3, 10.0.0.2\n", "10.0.0.3" HTTP },
    { "X: unknown alone", "10.0.0.1", ANY, XFF "unknown\n", "10.0.0.1" HTTP },
    { "X: unknown last", "10.0.0.1", ANY, XFF "192.0.2.7, unknown\n",
      "10.0.0.1" HTTP },
    { "X: unknown, then the client", "10.0.0.1", ANY,
      XFF "unknown, 192.0.2.7\n", "192.0.2.7" HTTP },
    { "X: empty", "10.0.0.1", ANY, XFF "\n", "10.0.0.1" HTTP },
    { "X: an empty entry", "10.0.0.1", ANY, XFF "192.0.2.7,, 10.0.0.2\n",
      "10.0.0.2" HTTP },
    { "X: a comma last", "10.0.0.1", ANY, XFF "192.0.2.7,\n", "10.0.0.1" HTTP },
    { "X: port too large", "10.0.0.1", ANY, XFF "192.0.2.7:65536\n",
      "10.0.0.1" HTTP },
    { "X: port missing", "10.0.0.1", ANY, XFF "192.0.2.7:\n", "10.0.0.1" HTTP },
    { "X: port no number", "10.0.0.1", ANY, XFF "192.0.2.7:8o\n",
      "10.0.0.1" HTTP },
    { "X: bracket open", "10.0.0.1", ANY, XFF "[2001:db8:2::7\n",
      "10.0.0.1" HTTP },
    { "X: junk behind a bracket", "10.0.0.1", ANY, XFF "[2001:db8:2::7]x\n",
      "10.0.0.1" HTTP },
    { "X: IPv4 in brackets", "10.0.0.1", ANY, XFF "[192.0.2.7]\n",
      "10.0.0.1" HTTP },
    { "X: a zone", "10.0.0.1", ANY, XFF "fe80::1%eth0\n", "10.0.0.1" HTTP },
    { "X: a name", "10.0.0.1", ANY, XFF "client.example\n", "10.0.0.1" HTTP },
    { "X: two addresses and a blank", "10.0.0.1", ANY,
      XFF "192.0.2.7 192.0.2.8\n", "10.0.0.1" HTTP },
    { "X: https", "10.0.0.1", ANY, XFF "192.0.2.7\n" XFP "https\n",
      "192.0.2.7" HTTPS },
    { "X: HTTPS", "10.0.0.1", ANY, XFF "192.0.2.7\n" XFP "HTTPS\n",
      "192.0.2.7" HTTPS },
    { "X: wss", "10.0.0.1", ANY, XFF "192.0.2.7\n" XFP "wss\n",
      "192.0.2.7" HTTPS },
    { "X: scheme alone", "10.0.0.1", ANY, XFP "https\n", "10.0.0.1" HTTPS },
    { "X: the client claims https", "10.0.0.1", ANY,
      XFF "192.0.2.7\n" XFP "https, http\n", "192.0.2.7" HTTP },
    { "X: the same in two fields", "10.0.0.1", ANY,
      XFF "192.0.2.7\n" XFP "https\n" XFP "http\n", "192.0.2.7" HTTP },
    { "X: an empty scheme", "10.0.0.1", ANY, XFF "192.0.2.7\n" XFP "\n",
      "192.0.2.7" HTTP },

    { "F: one proxy", "10.0.0.1", ANY, FWD "for=192.0.2.7\n",
      "192.0.2.7" HTTP },
    { "F: all it may say", "10.0.0.1", ANY,
      FWD "by=10.0.0.1;for=192.0.2.7;host=a.example;proto=https\n",
      "192.0.2.7" HTTPS },
    { "F: blanks and capitals", "10.0.0.1", ANY,
      FWD " For=192.0.2.7 ; Proto=HTTPS , for=10.0.0.2\n", "192.0.2.7" HTTPS },
    { "F: two proxies", "10.0.0.1", ANY,
      FWD "for=192.0.2.7;proto=https, for=10.0.0.2;proto=http\n",
      "192.0.2.7" HTTPS },
    { "F: what the client claims", "10.0.0.1", ANY,
      FWD "for=1.1.1.1;proto=https, for=192.0.2.7;proto=http\n",
      "192.0.2.7" HTTP },
    { "F: several fields", "10.0.0.1", ANY,
      FWD "for=1.1.1.1\n" FWD "for=192.0.2.7\n" FWD "for=10.0.0.2\n",
      "192.0.2.7" HTTP },
    { "F: all trusted", "10.0.0.1", ANY,
      FWD "for=10.0.0.3;proto=https, for=10.0.0.2\n", "10.0.0.3" HTTPS },
    { "F: quoted IPv6", "10.0.0.1", ANY, FWD "for=\"[2001:db8:2::7]\"\n",
      "2001:db8:2::7" HTTP },
    { "F: quoted IPv6 with a port", "10.0.0.1", ANY,
      FWD "for=\"[2001:db8:2::7]:4711\";proto=https\n",
      "2001:db8:2::7 4711 https" },
    { "F: quoted IPv4 with a port", "10.0.0.1", ANY,
      FWD "for=\"192.0.2.7:47011\"\n", "192.0.2.7 47011 http" },
    { "F: the quotes forgotten", "10.0.0.1", ANY,
      FWD "for=[2001:db8:2::7]:4711\n", "2001:db8:2::7 4711 http" },
    { "F: an obfuscated port", "10.0.0.1", ANY, FWD "for=\"192.0.2.7:_x\"\n",
      "192.0.2.7" HTTP },
    { "F: quoted pairs", "10.0.0.1", ANY, FWD "for=\"19\\2.0.2.7\"\n",
      "192.0.2.7" HTTP },
    { "F: an obfuscated client", "10.0.0.1", ANY,
      FWD "for=_hidden;proto=https, for=10.0.0.2\n", "10.0.0.2" HTTP },
    { "F: an obfuscated client, one proxy", "10.0.0.1", ANY,
      FWD "for=\"_hidden\";proto=https\n", "10.0.0.1" HTTPS },
    { "F: unknown ends the walk", "10.0.0.1", ANY,
      FWD "for=1.1.1.1, for=unknown, for=10.0.0.2\n", "10.0.0.2" HTTP },
    { "F: no for=", "10.0.0.1", ANY, FWD "for=1.1.1.1, proto=https\n",
      "10.0.0.1" HTTPS },
    { "F: empty", "10.0.0.1", ANY, FWD "\n", "10.0.0.1" HTTP },
    { "F: empty elements say nothing", "10.0.0.1", ANY,
      FWD ",, for=192.0.2.7,, for=10.0.0.2, ,\n", "192.0.2.7" HTTP },
    { "F: an element without a pair ends the walk", "10.0.0.1", ANY,
      FWD "for=1.1.1.1, huh, for=10.0.0.2\n", "10.0.0.2" HTTP },
    { "F: a blank at the equals sign", "10.0.0.1", ANY,
      FWD "for =192.0.2.7\n", "10.0.0.1" HTTP },
    { "F: two pairs without a semicolon", "10.0.0.1", ANY,
      FWD "for=192.0.2.7 proto=https\n", "10.0.0.1" HTTP },
    { "F: a semicolon last", "10.0.0.1", ANY, FWD "for=192.0.2.7;\n",
      "10.0.0.1" HTTP },
    { "F: junk behind the quotes", "10.0.0.1", ANY, FWD "for=\"192.0.2.7\"x\n",
      "10.0.0.1" HTTP },
    { "F: for twice: the last", "10.0.0.1", ANY,
      FWD "for=1.1.1.1;for=192.0.2.7\n", "192.0.2.7" HTTP },
    { "F: a long value", "10.0.0.1", ANY,
      FWD "for=192.0.2.7;host=\"0123456789012345678901234567890123456789"
          "0123456789012345678901234567890123456789\";proto=https\n",
      "192.0.2.7" HTTPS },
    { "F: a long address", "10.0.0.1", ANY,
      FWD "for=\"192.0.2.7                                              "
          "                            \"\n", "10.0.0.1" HTTP },
    { "F: the client's open quote does not swallow the proxy's words",
      "10.0.0.1", ANY, FWD "for=\"1.1.1.1, for=192.0.2.7\n",
      "192.0.2.7" HTTP },
    { "F: nor when the proxy's words have quotes", "10.0.0.1", ANY,
      FWD "for=\"1.1.1.1, for=\"[2001:db8:2::7]\"\n", "2001:db8:2::7" HTTP },
    { "F: nor with an address of the client's before", "10.0.0.1", ANY,
      FWD "for=1.1.1.1;x=\", for=\"[2001:db8:2::7]\";proto=https\n",
      "2001:db8:2::7" HTTPS },
    { "F: nor with a backslash", "10.0.0.1", ANY,
      FWD "for=\"1.1.1.1\\, for=192.0.2.7\n", "192.0.2.7" HTTP },
    { "F: quotes never closed", "10.0.0.1", ANY, FWD "for=\"192.0.2.7\n",
      "10.0.0.1" HTTP },

    { "both: X-Forwarded-For", "10.0.0.1", ANY,
      FWD "for=1.1.1.1;proto=https\n" XFF "192.0.2.7\n", "192.0.2.7" HTTP },
    { "both, an empty X-Forwarded-For: that", "10.0.0.1", ANY,
      FWD "for=1.1.1.1;proto=https\n" XFF "\n", "10.0.0.1" HTTP },
    { "both, X alone: Forwarded is ignored", "10.0.0.1", X,
      FWD "for=1.1.1.1;proto=https\n" XFF "192.0.2.7\n", "192.0.2.7" HTTP },
    { "X alone: Forwarded is ignored", "10.0.0.1", X,
      FWD "for=1.1.1.1;proto=https\n", "10.0.0.1" HTTP },
    { "both, Forwarded alone: X is ignored", "10.0.0.1", RFC,
      FWD "for=192.0.2.7\n" XFF "1.1.1.1\n" XFP "https\n", "192.0.2.7" HTTP },
    { "Forwarded alone: X is ignored", "10.0.0.1", RFC,
      XFF "1.1.1.1\n" XFP "https\n", "10.0.0.1" HTTP },
    { "Forwarded does not hide the scheme of X", "10.0.0.1", ANY,
      XFF "192.0.2.7\n" XFP "https\n" FWD "proto=http\n", "192.0.2.7" HTTPS },
};
/* clang-format on */

static struct net_networks trusted;

/* "name: value\n" each. */
static size_t read_fields(const char *text, struct http_field *fields)
{
    sio_str rest = str_of(text);
    size_t n = 0;

    while (rest.n) {
        sio_str value, line = str_split(rest, '\n', &rest);

        fields[n].name = str_split(line, ':', &value);
        fields[n++].value = str_trim(value);
    }
    return n;
}

static void run(const char *from, bool tls, enum http_forwarded which,
                const char *text, char *got, size_t size)
{
    struct http_field fields[8];
    struct http_request r = { .fields = fields,
                              .field_count = read_fields(text, fields) };
    struct http_client client = { .secure = tls };
    char address[NET_ADDRESS_TEXT];

    client.address.family = AF_UNIX;
    net_address_parse(&client.address, str_of(from));
    http_forwarded(&r, &trusted, which, &client);
    net_address_text(&client.address, address);
    snprintf(got, size, "%s %u %s", address, client.address.port,
             client.secure ? "https" : "http");
}

static void test_rows(void)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct row *row = &rows[i];
        char got[100];

        T_CASE("forwarded: %s", row->name);
        run(row->from, false, row->which, row->fields, got, sizeof got);
        CHECK(strcmp(got, row->want) == 0, "got %s", got);
    }
}

static void test_tls(void)
{
    static const struct {
        const char *name, *from, *fields, *want;
    } over_tls[] = {
        { "nothing said: it is https", "10.0.0.1", "", "10.0.0.1" HTTPS },
        { "the proxy says http", "10.0.0.1", XFF "192.0.2.7\n" XFP "http\n",
          "192.0.2.7" HTTP },
        { "the proxy says no scheme", "10.0.0.1", FWD "for=192.0.2.7\n",
          "192.0.2.7" HTTPS },
        { "a client says http", "192.0.2.7", XFP "http\n", "192.0.2.7" HTTPS },
    };

    for (size_t i = 0; i < COUNT(over_tls); i++) {
        char got[100];

        T_CASE("forwarded, over TLS: %s", over_tls[i].name);
        run(over_tls[i].from, true, ANY, over_tls[i].fields, got, sizeof got);
        CHECK(strcmp(got, over_tls[i].want) == 0, "got %s", got);
    }
}

static void test_unix(void)
{
    char got[100];

    T_CASE("forwarded: over a unix socket, if that is trusted");
    run("unix", false, ANY, XFF "192.0.2.7\n", got, sizeof got);
    CHECK(strcmp(got, "unix" HTTP) == 0, "got %s", got);
    net_networks_add(&trusted, "unix");
    run("unix", false, ANY, XFF "192.0.2.7\n", got, sizeof got);
    CHECK(strcmp(got, "192.0.2.7" HTTP) == 0, "got %s", got);
}

int main(void)
{
    net_networks_add(&trusted, "10.0.0.0/8");
    net_networks_add(&trusted, "2001:db8:1::/48");
    test_rows();
    test_tls();
    test_unix();
    net_networks_free(&trusted);
    return t_done();
}
