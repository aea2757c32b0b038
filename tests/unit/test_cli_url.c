/*
 * test_cli_url.c -- where a server is, as people write it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/cli/url.h"
#include "tests/unit/exact.h"
#include "tests/unit/test.h"

#include <stdlib.h>

/* "tls host|port authority nsp ?query", or "!why". */
static const char *parse(const char *text)
{
    static char out[2 * CLI_QUERY_MAX + 3 * CLI_HOST_MAX];
    struct cli_url url;
    const char *why = cli_url_parse(text, &url);

    if (why)
        snprintf(out, sizeof out, "!%s", why);
    else
        snprintf(out, sizeof out, "%s%s|%u %s %s ?%s", url.tls ? "tls " : "",
                 url.host, (unsigned)url.port, url.authority, url.nsp,
                 url.query);
    return out;
}

static const struct {
    const char *text, *want;
} rows[] = {
    { "http://localhost:3000", "localhost|3000 localhost:3000 / ?" },
    { "localhost:3000", "localhost|3000 localhost:3000 / ?" },
    { "localhost", "localhost|80 localhost / ?" },
    { "ws://h", "h|80 h / ?" },
    { "https://h", "tls h|443 h / ?" },
    { "WSS://h:8443/", "tls h|8443 h:8443 / ?" },
    { "http://h/admin", "h|80 h /admin ?" },
    { "http://h/a/b/?x=1&y=%20", "h|80 h /a/b/ ?x=1&y=%20" },
    { "http://h?token=7#top", "h|80 h / ?token=7" },
    { "h:1/chat#top", "h|1 h:1 /chat ?" },
    { "http://[::1]:3000/x", "::1|3000 [::1]:3000 /x ?" },
    { "http://[::1]", "::1|80 [::1] / ?" },
    { "http://127.0.0.1:65535", "127.0.0.1|65535 127.0.0.1:65535 / ?" },
    { "unix:/run/chat.sock", "unix:/run/chat.sock|0 localhost / ?" },
    { "unix:@name", "unix:@name|0 localhost / ?" },
    { "", "!there is no host in it" },
    { "http://", "!there is no host in it" },
    { "http:///x", "!there is no host in it" },
    { "http://:80", "!there is no host in it" },
    { "http://[]", "!there is no host in it" },
    { "http://h:", "!the port is no number from 1 to 65535" },
    { "http://h:0", "!the port is no number from 1 to 65535" },
    { "http://h:65536", "!the port is no number from 1 to 65535" },
    { "http://h:1x", "!the port is no number from 1 to 65535" },
    { "http://::1", "!there is no host in it" },
    { "http://[::1", "!the bracket of the address is not closed" },
    { "http://[::1]x", "!only a port may follow the address" },
    { "http://u:p@h", "!names and passwords go into --header Authorization" },
    { "ftp://h", "!only http, https, ws, wss and unix are known" },
    { "http://h/a b", "!it has blanks or control characters" },
    { "http://h/a\r\nb", "!it has blanks or control characters" },
    { "unix:", "!there is no path in it" },
};

/* As long as is allowed, and one byte more. */
static void check_length(const char *before, size_t max, const char *why)
{
    char *text = calloc(1, strlen(before) + max + 2);
    struct cli_url url;
    const char *got;

    memcpy(text, before, strlen(before));
    memset(text + strlen(before), 'x', max);
    got = cli_url_parse(text, &url);
    CHECK(!got, "%zu bytes: %s", max, got);
    text[strlen(before) + max] = 'x';
    got = cli_url_parse(text, &url);
    CHECK(got && strcmp(got, why) == 0, "one more: %s", got);
    free(text);
}

int main(void)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        T_CASE("cli url: %s", shown(rows[i].text, strlen(rows[i].text)));
        CHECK(strcmp(parse(rows[i].text), rows[i].want) == 0, "%s",
              parse(rows[i].text));
    }
    T_CASE("cli url: the limits");
    check_length("http://", CLI_HOST_MAX, "the host is too long");
    check_length("http://h/", CLI_NSP_MAX - 1, "the namespace is too long");
    check_length("http://h?", CLI_QUERY_MAX, "the query is too long");
    check_length("unix:", CLI_HOST_MAX - 5, "the path is too long");
    return t_done();
}
