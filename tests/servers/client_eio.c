/*
 * client_eio.c -- the role client-eio: what the official engine.io-client suite
 * wants to talk to.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/servers/conformance.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define HELLO "hi"
#define UTF8 "пойду спать всем спокойной ночи"

static void allow(sio_handshake *handshake, void *user)
{
    char deny[8];

    (void)user;
    if (sio_handshake_query(handshake, "deny", deny, sizeof deny) >= 0)
        sio_refuse(handshake, NULL);
    else
        sio_allow(handshake);
}

/* Four cookies: two to keep, two that are over at once. */
static void add_cookies(sio_headers *headers, void *user)
{
    char expires[64];
    time_t now = time(NULL);
    struct tm tm;

    (void)user;
    if (!sio_headers_initial(headers))
        return;
    gmtime_r(&now, &tm);
    strftime(expires, sizeof expires, "4=4; Expires=%a, %d %b %Y %H:%M:%S GMT",
             &tm);
    sio_headers_add(headers, "Set-Cookie", "1=1; Max-Age=86400");
    sio_headers_add(headers, "Set-Cookie",
                    "2=2; Path=/; HttpOnly; Secure; SameSite=Strict");
    sio_headers_add(headers, "Set-Cookie", "3=3; Max-Age=0");
    sio_headers_add(headers, "Set-Cookie", expires);
}

static void send_text(sio_session *session, const char *text)
{
    sio_value v = sio_string(text);

    sio_session_send(session, &v);
}

static void on_open(sio_session *session, void *user)
{
    (void)user;
    send_text(session, HELLO);
}

/* Of all headers the suite reads only this one. */
static void send_headers(sio_session *session)
{
    sio_str cookie = sio_session_header(session, "cookie");
    char json[512];
    int n = cookie.p ? snprintf(json, sizeof json, "{\"cookie\":\"%.*s\"}",
                                (int)cookie.n, cookie.p)
                     : snprintf(json, sizeof json, "{}");

    if (n > 0 && (size_t)n < sizeof json)
        send_text(session, json);
}

static bool is(const sio_value *message, const char *text)
{
    return message->kind == SIO_STRING && message->size == strlen(text) &&
           memcmp(message->data, text, message->size) == 0;
}

static void on_message(sio_session *session, const sio_value *message,
                       void *user)
{
    sio_value bytes = sio_binary("\0\1\2\3\4", 5);

    (void)user;
    if (is(message, "give binary"))
        sio_session_send(session, &bytes);
    else if (is(message, "give utf8"))
        send_text(session, UTF8);
    else if (is(message, "sendHeaders"))
        send_headers(session);
    else
        sio_session_send(session, message);
}

static int run(const struct settings *settings, unsigned port)
{
    static const sio_engine_handlers handlers = { .size = sizeof handlers,
                                                  .on_open = on_open,
                                                  .on_message = on_message };
    sio_options options;
    sio_server *server = new_server(settings);

    if (!server)
        return 1;
    server_options(settings, &options);
    options.path = "/engine.io";
    options.allow_request = allow;
    options.on_headers = add_cookies;
    if (!sio_engine_new(server, &options, &handlers, NULL))
        return 1;
    return run_server(server, port);
}

const struct role client_eio = {
    .name = "client-eio",
    .defaults = { .ping_interval = 500,
                  .ping_timeout = 20000,
                  .connect_timeout = 45000,
                  .max_payload = 100,
                  .unmatched = 501 },
    .run = run,
};
