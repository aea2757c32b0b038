/*
 * test_cli_reply.c -- responses of HTTP servers, whole and cut everywhere.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/cli/reply.h"
#include "tests/unit/exact.h"
#include "tests/unit/test.h"

#define OK "HTTP/1.1 200 OK\r\n"
#define CHUNKED OK "Transfer-Encoding: chunked\r\n\r\n"

/* "status flags <body> rest" of the first n bytes: "+" when more is needed,
 * "!" when it is no response. c: the server closes. */
static const char *read_reply(const char *text, size_t n, bool ended)
{
    static char out[200];
    char *in = exact_copy(text, n);
    struct cli_reply reply;
    size_t used = 0;
    sio_str body;
    int r = cli_reply_head((sio_str){ in, n }, &reply);

    if (r == 1)
        r = cli_reply_body(&reply, in + reply.head, n - reply.head, ended,
                           &body, &used);
    if (r == 1)
        snprintf(out, sizeof out, "%u %s<%.*s> %zu", reply.status,
                 reply.close ? "c" : "", (int)body.n, body.p,
                 n - reply.head - used);
    else
        snprintf(out, sizeof out, "%s", r == 0 ? "+" : "!");
    free(in);
    return out;
}

static const struct {
    const char *text, *want;
    bool ended;
} rows[] = {
    { OK "Content-Length: 2\r\n\r\nab", "200 <ab> 0", false },
    { OK "content-length:2\r\n\r\nabc", "200 <ab> 1", false },
    { OK "Content-Length: 0\r\nConnection: close\r\n\r\n", "200 c<> 0", false },
    { OK "Content-Length: 3\r\n\r\nab", "+", false },
    { OK "Content-Length: 3\r\n\r\nab", "+", true },
    { OK "\r\nab", "+", false },
    { OK "\r\nab", "200 <ab> 0", true },
    { "HTTP/1.1 204 No Content\r\n\r\n", "204 <> 0", false },
    { "HTTP/1.0 400 Bad\nContent-Length: 1\n\nx", "400 c<x> 0", false },
    { CHUNKED "2\r\nab\r\n0\r\n\r\n", "200 <ab> 0", false },
    { CHUNKED "2\r\nab\r\nA;x=1\r\n0123456789\r\n0\r\nT: v\r\n\r\nmore",
      "200 <ab0123456789> 4", false },
    { CHUNKED "0\r\n\r\n", "200 <> 0", false },
    { CHUNKED "2\r\nab\r\n0\r\n", "+", false },
    { CHUNKED "2\r\nabc\r\n0\r\n\r\n", "!", false },
    { CHUNKED "x\r\n", "!", false },
    { CHUNKED "\r\n", "!", false },
    { CHUNKED "123456789\r\n", "!", false },
    { CHUNKED "ffffffff\r\nx", "+", false },
    { "", "+", false },
    { "HTTP/1.", "+", false },
    { "HTTP/2 200\r\n", "!", false },
    { "SSH-2.0-x\r\n", "!", false },
    { "HTTP/1.1 2x0 OK\r\n", "!", false },
    { "HTTP/1.1 099 OK\r\n", "!", false },
    { OK "no colon\r\n\r\n", "!", false },
    { OK "Content-Length: x\r\n\r\n", "!", false },
    { OK "Content-Length: -1\r\n\r\n", "!", false },
    { OK "Content-Length: 1234567890123456\r\n\r\n", "!", false },
};

/* No part of a response is another one, or wrong. */
static void check_cuts(const char *text, const char *want)
{
    const size_t n = strlen(text);

    for (size_t cut = 0; want[0] != '!' && want[0] != '+' && cut < n; cut++) {
        const char *got = read_reply(text, cut, false);

        CHECK(strcmp(got, "+") == 0 ||
                  (strchr("124", want[0]) && got[0] != '!'),
              "cut at %zu: %s", cut, got);
    }
}

static void too_long(void)
{
    char *text = malloc(CLI_HEAD_MAX + 1);
    struct cli_reply reply;

    memset(text, 'x', CLI_HEAD_MAX + 1);
    memcpy(text, OK, strlen(OK));
    CHECK(cli_reply_head((sio_str){ text, CLI_HEAD_MAX }, &reply) == 0,
          "as long as is allowed");
    CHECK(cli_reply_head((sio_str){ text, CLI_HEAD_MAX + 1 }, &reply) < 0,
          "one byte more");
    free(text);
}

int main(void)
{
    struct cli_reply reply;

    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *got =
            read_reply(rows[i].text, strlen(rows[i].text), rows[i].ended);

        T_CASE("cli reply: %s", shown(rows[i].text, strlen(rows[i].text)));
        CHECK(strcmp(got, rows[i].want) == 0, "%s", got);
        if (!rows[i].ended)
            check_cuts(rows[i].text, rows[i].want);
    }
    T_CASE("cli reply: a head has an end");
    too_long();
    T_CASE("cli reply: the accept key");
    cli_reply_head((sio_str){ "HTTP/1.1 101 X\r\nsec-websocket-accept: k \r\n"
                              "\r\n",
                              44 },
                   &reply);
    CHECK(reply.status == 101 && reply.accept.n == 1, "%zu", reply.accept.n);
    return t_done();
}
