/*
 * http_hooks.c -- the role http-hooks: what a program decides about the
 * requests of plain Engine.IO. The query says what a request is for:
 *
 *     cors=no           no CORS for it; else its Origin is let in, with
 *                       credentials
 *     how=503, fail     a middleware answers, or fails
 *     how=late          goes on from another thread, and adds a cookie before
 *     id=ID, none       the session's id, made on another thread; or no id
 *
 * "hey" is answered "holà", any other message comes back.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/servers/conformance.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void decide_cors(sio_http_call *call, void *user)
{
    char cors[8];

    (void)user;
    if (sio_call_query(call, "cors", cors, sizeof cors) >= 0)
        sio_call_next(call);
    else
        sio_call_allow_origin(call, NULL);
}

static void add_security(sio_http_call *call, void *user)
{
    (void)user;
    sio_call_add_header(call, "X-Download-Options", "noopen");
    sio_call_add_header(call, "X-Content-Type-Options", "nosniff");
    sio_call_add_header(call, "X-Order", "1");
    sio_call_next(call);
}

/* `fn` on a thread of its own; here when there is none. */
static void elsewhere(void *(*fn)(void *arg), void *arg)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, fn, arg) == 0)
        pthread_detach(thread);
    else
        fn(arg);
}

static void *add_cookie(void *arg)
{
    sio_http_call *call = arg;

    sio_call_add_header(call, "Set-Cookie", "late=1; Path=/");
    sio_call_next(call);
    return NULL;
}

static void obey(sio_http_call *call, void *user)
{
    char how[8] = "";

    (void)user;
    sio_call_add_header(call, "X-Order", "2");
    sio_call_query(call, "how", how, sizeof how);
    if (strcmp(how, "503") == 0)
        sio_call_respond(call, 503, "text/plain", "not now", 7);
    else if (strcmp(how, "fail") == 0)
        sio_call_fail(call, NULL);
    else if (strcmp(how, "late") == 0)
        elsewhere(add_cookie, call);
    else
        sio_call_next(call);
}

struct wish {
    sio_handshake *handshake;
    char id[SIO_ID_MAX + 1];
};

static void *give_id(void *arg)
{
    struct wish *wish = arg;

    if (strcmp(wish->id, "none") == 0)
        sio_no_id(wish->handshake, "none is wanted");
    else
        sio_give_id(wish->handshake, wish->id);
    free(wish);
    return NULL;
}

/* Ids of a test: nobody has to be kept from guessing them. */
static void make_id(sio_handshake *handshake, void *user)
{
    static unsigned counter;
    struct wish *wish = calloc(1, sizeof *wish);

    (void)user;
    if (!wish) {
        sio_no_id(handshake, "out of memory");
        return;
    }
    wish->handshake = handshake;
    if (sio_handshake_query(handshake, "id", wish->id, sizeof wish->id) < 0)
        snprintf(wish->id, sizeof wish->id, "session-%u", counter++);
    elsewhere(give_id, wish);
}

static void on_message(sio_session *session, const sio_value *message,
                       void *user)
{
    sio_value answer = sio_string("hol\xc3\xa0");
    bool hey = message->kind == SIO_STRING && message->size == 3 &&
               memcmp(message->data, "hey", 3) == 0;

    (void)user;
    sio_session_send(session, hey ? &answer : message);
}

static int run(const struct settings *settings, unsigned port)
{
    static const sio_engine_handlers handlers = { .size = sizeof handlers,
                                                  .on_message = on_message };
    sio_options options;
    sio_engine *engine;
    sio_server *server = new_server(settings);

    if (!server)
        return 1;
    server_options(settings, &options);
    options.path = "/engine.io";
    options.cors_origin = NULL;
    options.cors_request = decide_cors;
    options.cors_credentials = true;
    options.generate_id = make_id;
    engine = sio_engine_new(server, &options, &handlers, NULL);
    if (!engine || sio_engine_use_http(engine, add_security, NULL) != SIO_OK ||
        sio_engine_use_http(engine, obey, NULL) != SIO_OK)
        return 1;
    return run_server(server, port);
}

const struct role http_hooks = {
    .name = "http-hooks",
    .defaults = { .ping_interval = 25000,
                  .ping_timeout = 20000,
                  .connect_timeout = 45000,
                  .max_payload = 1000,
                  .unmatched = 501 },
    .run = run,
};
