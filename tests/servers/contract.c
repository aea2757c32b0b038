/*
 * contract.c -- the role contract: a server with everything on it, for checks
 * of this project's own and from outside. This file has the options, HTTP and
 * who comes and goes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/servers/contract.h"

#include "tests/servers/conformance.h"
#include "tests/servers/counters.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUNDLE "/../../../node_modules/socket.io/client-dist"

static sio_server *server;
static sio_namespace *root, *watch, *admin, *rooms;

/* --------------------------------------------------------- coming and going */

static void allow(sio_handshake *handshake, void *user)
{
    char deny[2];

    (void)user;
    if (sio_handshake_query(handshake, "deny", deny, sizeof deny) >= 0)
        sio_refuse(handshake, "no entry");
    else
        sio_allow(handshake);
}

static void check_query(sio_socket *socket, sio_next *next, void *user)
{
    static const char why[] = "{\"why\":\"query\"}";
    sio_value data = sio_raw_json(why, sizeof why - 1);
    char fail[2];

    (void)user;
    if (sio_request_query(socket, "fail", fail, sizeof fail) >= 0)
        sio_next_error(next, "refused", &data);
    else
        sio_next_ok(next);
}

static void check_token(sio_socket *socket, sio_next *next, void *user)
{
    static const char why[] = "{\"code\":\"E_AUTH\",\"retry\":false}";
    sio_value data = sio_raw_json(why, sizeof why - 1);
    char token[8];

    (void)user;
    if (sio_auth_string(socket, "token", token, sizeof token) == 6 &&
        strcmp(token, "secret") == 0)
        sio_next_ok(next);
    else
        sio_next_error(next, "not authorized", &data);
}

static void free_person(void *data)
{
    struct person *person = data;

    memory_free(person->remembered);
    free(person);
}

static void on_root(sio_socket *socket, void *user)
{
    struct person *person = sio_data(socket); /* it is back */
    const bool is_new = !person;
    cJSON *tree = cJSON_CreateObject();

    (void)user;
    if (is_new)
        person = calloc(1, sizeof *person);
    if (!person) {
        sio_disconnect(socket, true);
        cJSON_Delete(tree);
        return;
    }
    person->socket = socket;
    if (is_new)
        sio_set_data(socket, person, free_person);
    if (is_new && sio_recovered(socket))
        memory_learn(person, sio_data_json(socket));
    cJSON_AddStringToObject(tree, "id", sio_id(socket));
    cJSON_AddBoolToObject(tree, "recovered", sio_recovered(socket));
    emit_tree(socket, "welcome", tree, NULL);
}

static void on_root_gone(sio_socket *socket, const char *reason, void *user)
{
    (void)user;
    sio_emit(watch, "gone", sio_string(sio_id(socket)), sio_string(reason));
}

static void on_admin(sio_socket *socket, void *user)
{
    cJSON *tree = cJSON_CreateObject();

    (void)user;
    cJSON_AddStringToObject(tree, "id", sio_id(socket));
    emit_tree(socket, "hello", tree, NULL);
}

static void on_bye(sio_socket *socket, sio_event *event, void *user)
{
    bool close = false;

    (void)user;
    if (sio_arg_count(event) > 0 && sio_arg_bool(event, 0, &close) != SIO_OK)
        return;
    sio_disconnect(socket, close);
}

/* ---------------------------------------------------------- what is there --
 */

static void on_whoami(sio_socket *socket, sio_event *event, void *user)
{
    (void)user;
    ack_tree(event, person_tree(socket, sio_data(socket)));
}

static void on_stats(sio_http_request *request, void *user)
{
    sio_stats stats;
    char body[96];
    int n;

    (void)user;
    sio_get_stats(server, &stats);
    n = snprintf(body, sizeof body, "{\"engine\":%zu,\"sockets\":%zu}",
                 stats.sessions, sio_socket_count(root));
    sio_http_respond(request, 200, "application/json", body, (size_t)n);
}

/* --------------------------------------------------------------------- run */

static int register_common(sio_namespace *nsp)
{
    int r = sio_on(nsp, "echo", on_echo, NULL);

    if (r == SIO_OK)
        r = sio_on(nsp, "ack", on_ack, NULL);
    if (r == SIO_OK)
        r = sio_on(nsp, "bye", on_bye, NULL);
    return r;
}

static int register_all(const struct settings *settings)
{
    int r;

    root = sio_of(server, "/");
    watch = sio_of(server, "/watch");
    admin = sio_of(server, "/admin");
    rooms = sio_of_regex(server, "^/room-[0-9]+$");
    if (!root || !watch || !admin || !rooms)
        return SIO_E_NOMEM;
    if ((r = register_common(root)) != SIO_OK ||
        (r = register_common(watch)) != SIO_OK ||
        (r = register_common(admin)) != SIO_OK ||
        (r = register_common(rooms)) != SIO_OK ||
        (r = contract_dynamic(server, root, rooms)) != SIO_OK ||
        (r = contract_events(root)) != SIO_OK ||
        (r = contract_rooms(root)) != SIO_OK ||
        (r = sio_on(root, "whoami", on_whoami, NULL)) != SIO_OK ||
        (r = sio_use(root, check_query, NULL)) != SIO_OK ||
        (r = sio_on_connection(root, on_root, NULL)) != SIO_OK ||
        (r = sio_on_disconnect(root, on_root_gone, NULL)) != SIO_OK ||
        (r = sio_use(admin, check_token, NULL)) != SIO_OK ||
        (r = sio_on_connection(admin, on_admin, NULL)) != SIO_OK)
        return r;
    if (settings_redis(settings) &&
        (r = contract_cluster(server, watch)) != SIO_OK)
        return r;
    return sio_on_request(server, "GET", "/stats", on_stats, NULL);
}

/* The client bundle that npm has brought, found from where this program is. */
static const char *find_bundle(void)
{
    static char folder[4096];
    ssize_t n = readlink("/proc/self/exe", folder, sizeof folder - 1);
    char *slash;

    if (n < 0)
        return NULL;
    folder[n] = '\0';
    slash = strrchr(folder, '/');
    if (!slash || slash + sizeof BUNDLE > folder + sizeof folder)
        return NULL;
    memcpy(slash, BUNDLE, sizeof BUNDLE);
    return access(folder, R_OK) == 0 ? folder : NULL;
}

static int run(const struct settings *settings, unsigned port)
{
    sio_options options;
    int status;

    server_options(settings, &options);
    options.cors_origin = NULL;
    options.cors_reflect = true;
    options.cors_credentials = true;
    options.per_message_deflate = settings->deflate;
    options.per_message_deflate_threshold = 0;
    options.client_dir = find_bundle();
    options.allow_request = allow;
    options.cleanup_empty_child_namespaces = true;
    server = sio_server_new(&options);
    if (!server || serve_counters(server) != SIO_OK ||
        register_all(settings) != SIO_OK)
        return 1;
    status = run_server(server, port);
    contract_cluster_end();
    return status;
}

const struct role contract = {
    .name = "contract",
    .defaults = { .ping_interval = 2000,
                  .ping_timeout = 4000,
                  .connect_timeout = 3000,
                  .max_payload = 1000000,
                  .recovery = 60000,
                  .eio3 = 1 },
    .run = run,
};
