/*
 * client_sio.c -- the role client-sio: what the official socket.io-client suite
 * wants to talk to.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/servers/conformance.h"
#include "tests/servers/counters.h"
#include "tests/servers/later.h"
#include "tests/servers/values.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ALLOW_MS 10 /* the suite's own handshake timeouts are shorter */
#define BYTES "asdfasdf"

/* What a socket has sent so far; the later ones want the earlier ones. */
struct seen {
    bool abuff1, blob1, blob2;
};

static void let_in(void *handshake)
{
    sio_allow(handshake);
}

static void allow(sio_handshake *handshake, void *user)
{
    (void)user;
    if (!later(ALLOW_MS, let_in, handshake))
        sio_refuse(handshake, NULL);
}

/* ------------------------------------------------------------------- dates */

/* The time as JSON.stringify() writes a Date. */
static void iso_date(char text[32])
{
    struct timespec now;
    struct tm tm;
    char seconds[24];

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    strftime(seconds, sizeof seconds, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(text, 32, "%s.%03dZ", seconds, (int)(now.tv_nsec / 1000000));
}

static void on_get_ack_date(sio_socket *socket, sio_event *event, void *user)
{
    char date[32];

    (void)socket, (void)user;
    iso_date(date);
    sio_ack(event, sio_string(date));
}

static void on_get_date(sio_socket *socket, sio_event *event, void *user)
{
    char date[32];

    (void)event, (void)user;
    iso_date(date);
    sio_emit(socket, "takeDate", sio_string(date));
}

static void on_get_date_obj(sio_socket *socket, sio_event *event, void *user)
{
    cJSON *tree = cJSON_CreateObject();
    char date[32];

    (void)event, (void)user;
    iso_date(date);
    cJSON_AddStringToObject(tree, "date", date);
    emit_tree(socket, "takeDateObj", tree, NULL);
}

/* --------------------------------------------------------- text and answers */

static void on_hi(sio_socket *socket, sio_event *event, void *user)
{
    (void)event, (void)user;
    sio_emit(socket, "hi");
}

static void on_echo_ack(sio_socket *socket, sio_event *event, void *user)
{
    (void)socket, (void)user;
    sio_ack(event, sio_arg(event, 0));
}

static void on_get_id(sio_socket *socket, sio_event *event, void *user)
{
    (void)user;
    sio_ack(event, sio_string(sio_id(socket)));
}

static void on_answer(int error, sio_event *answer, void *user)
{
    sio_socket *socket = user;
    const cJSON *b;
    int64_t a;

    if (error == SIO_OK && sio_arg_int(answer, 0, &a) == SIO_OK && a == 5 &&
        sio_arg_json(answer, 1, &b) == SIO_OK &&
        cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(b, "test")))
        sio_emit(socket, "got it");
    sio_release(socket);
}

static void on_ask(sio_socket *socket, sio_event *event, void *user)
{
    (void)event, (void)user;
    sio_retain(socket);
    if (sio_emit_ack(socket, on_answer, socket, "ack") != SIO_OK)
        sio_release(socket);
}

static void on_get_utf8(sio_socket *socket, sio_event *event, void *user)
{
    static const char *const texts[] = { "てすと", "Я Б Г Д Ж Й", "Ä ä Ü ü ß",
                                         "utf8 — string", "utf8 — string" };

    (void)event, (void)user;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        sio_emit(socket, "takeUtf8", sio_string(texts[i]));
}

static void on_false(sio_socket *socket, sio_event *event, void *user)
{
    (void)event, (void)user;
    sio_emit(socket, "false", sio_bool(false));
}

/* ------------------------------------------------------------------ binary */

static void on_doge(sio_socket *socket, sio_event *event, void *user)
{
    (void)event;
    sio_emit(socket, user, sio_binary(BYTES, sizeof BYTES - 1));
}

static bool is_binary(const sio_event *event, size_t i)
{
    return sio_arg_kind(event, i) == SIO_BINARY;
}

/* One binary argument is answered by the event that `user` names. */
static void on_buffer(sio_socket *socket, sio_event *event, void *user)
{
    if (is_binary(event, 0))
        sio_emit(socket, user);
}

static bool has_text(const cJSON *tree, const char *key, const char *text)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(tree, key);

    return cJSON_IsString(item) && strcmp(item->valuestring, text) == 0;
}

/* {hello: "lol", message: binary, goodbye: "gotcha"}, the same way. */
static void on_json_buffer(sio_socket *socket, sio_event *event, void *user)
{
    const cJSON *tree, *message;

    if (sio_arg_json(event, 0, &tree) != SIO_OK)
        return;
    message = cJSON_GetObjectItemCaseSensitive(tree, "message");
    if (has_text(tree, "hello", "lol") && has_text(tree, "goodbye", "gotcha") &&
        cJSON_IsTrue(
            cJSON_GetObjectItemCaseSensitive(message, "_placeholder")) &&
        sio_attachment_count(event) == 1)
        sio_emit(socket, user);
}

static void on_abuff1(sio_socket *socket, sio_event *event, void *user)
{
    struct seen *seen = sio_data(socket);

    (void)user;
    seen->abuff1 = is_binary(event, 0);
}

static void on_abuff2(sio_socket *socket, sio_event *event, void *user)
{
    struct seen *seen = sio_data(socket);

    (void)event, (void)user;
    if (seen->abuff1)
        sio_emit(socket, "abuff2-ack");
}

static void on_blob1(sio_socket *socket, sio_event *event, void *user)
{
    struct seen *seen = sio_data(socket);

    (void)user;
    seen->blob1 = is_binary(event, 0);
}

static void on_blob2(sio_socket *socket, sio_event *event, void *user)
{
    struct seen *seen = sio_data(socket);
    const char *text = arg_text(event, 0);

    (void)user;
    seen->blob2 = seen->blob1 && text && strcmp(text, "second") == 0;
}

static void on_blob3(sio_socket *socket, sio_event *event, void *user)
{
    struct seen *seen = sio_data(socket);

    (void)user;
    if (seen->blob2 && is_binary(event, 0))
        sio_emit(socket, "blob3-ack");
}

/* --------------------------------------------------- handshakes, connecting */

/* Of the handshake object the suite reads these two. */
static cJSON *handshake_tree(const sio_socket *socket)
{
    cJSON *tree = cJSON_CreateObject();

    cJSON_AddItemToObject(tree, "query", query_tree(socket));
    cJSON_AddItemToObject(tree, "auth", auth_tree(socket));
    return tree;
}

static void on_get_handshake(sio_socket *socket, sio_event *event, void *user)
{
    (void)user;
    ack_tree(event, handshake_tree(socket));
}

static void send_handshake(sio_socket *socket, void *user)
{
    (void)user;
    emit_tree(socket, "handshake", handshake_tree(socket), NULL);
}

static void check_query(sio_socket *socket, sio_next *next, void *user)
{
    char fail[2];

    (void)user;
    if (sio_request_query(socket, "fail", fail, sizeof fail) > 0)
        sio_next_error(next, "Auth failed (main namespace)", NULL);
    else
        sio_next_ok(next);
}

static void refuse(sio_socket *socket, sio_next *next, void *user)
{
    (void)socket, (void)user;
    sio_next_error(next, "Auth failed (custom namespace)", NULL);
}

static void on_connection(sio_socket *socket, void *user)
{
    struct seen *seen = calloc(1, sizeof *seen);

    (void)user;
    if (seen)
        sio_set_data(socket, seen, free);
    else
        sio_disconnect(socket, true);
}

/* -------------------------------------------------------------------- run */

static const struct {
    const char *event;
    sio_event_fn fn;
    const char *user;
} handlers[] = {
    { "hi", on_hi, NULL },
    { "echo", on_echo_ack, NULL },
    { "ack", on_ask, NULL },
    { "getAckDate", on_get_ack_date, NULL },
    { "getDate", on_get_date, NULL },
    { "getDateObj", on_get_date_obj, NULL },
    { "getUtf8", on_get_utf8, NULL },
    { "false", on_false, NULL },
    { "doge", on_doge, "doge" },
    { "getbin", on_doge, "takebin" },
    { "buffa", on_buffer, "buffack" },
    { "jsonbuff", on_json_buffer, "jsonbuff-ack" },
    { "abuff1", on_abuff1, NULL },
    { "abuff2", on_abuff2, NULL },
    { "blob", on_buffer, "back" },
    { "jsonblob", on_json_buffer, "jsonblob-ack" },
    { "blob1", on_blob1, NULL },
    { "blob2", on_blob2, NULL },
    { "blob3", on_blob3, NULL },
    { "getHandshake", on_get_handshake, NULL },
    { "getId", on_get_id, NULL },
};

static int register_all(sio_server *server)
{
    sio_namespace *root = sio_of(server, "/");
    int r = sio_use(root, check_query, NULL);

    for (size_t i = 0; r == SIO_OK && i < sizeof handlers / sizeof *handlers;
         i++)
        r = sio_on(root, handlers[i].event, handlers[i].fn,
                   (void *)(uintptr_t)handlers[i].user);
    if (r == SIO_OK)
        r = sio_on_connection(root, on_connection, NULL);
    if (r == SIO_OK)
        r = sio_on(sio_of(server, "/foo"), "getId", on_get_id, NULL);
    if (r == SIO_OK)
        r = sio_on_connection(sio_of(server, "/abc"), send_handshake, NULL);
    if (r == SIO_OK)
        r = sio_use(sio_of(server, "/no"), refuse, NULL);
    sio_of(server, "/timeout_socket");
    sio_of(server, "/valid");
    sio_of(server, "/asd");
    return r;
}

static int run(const struct settings *settings, unsigned port)
{
    sio_options options;
    sio_server *server;

    server_options(settings, &options);
    options.allow_request = allow;
    server = sio_server_new(&options);
    if (!server || serve_counters(server) != SIO_OK ||
        register_all(server) != SIO_OK)
        return 1;
    return run_server(server, port);
}

const struct role client_sio = {
    .name = "client-sio",
    .defaults = { .ping_interval = 2000,
                  .ping_timeout = 20000,
                  .connect_timeout = 45000,
                  .recovery = 120000,
                  .max_payload = 1000000 },
    .run = run,
};
