/*
 * server_info.c -- what the server knows of a client, and of itself.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/e2e/server.h"

#include <stdio.h>

static void on_whoami(sio_socket *socket, sio_event *event, void *user)
{
    sio_str auth = sio_auth(socket);
    sio_str header = sio_request_header(socket, "x-test");
    const sio_certificate *certificate = sio_request_certificate(socket);
    cJSON *tree = cJSON_CreateObject();
    char query[64] = "", head[64];

    (void)user;
    sio_request_query(socket, "who", query, sizeof query);
    snprintf(head, sizeof head, "%.*s", (int)header.n,
             header.p ? header.p : "");
    cJSON_AddStringToObject(tree, "id", sio_id(socket));
    cJSON_AddStringToObject(tree, "transport", sio_transport(socket));
    cJSON_AddStringToObject(tree, "address", sio_address(socket));
    cJSON_AddBoolToObject(tree, "secure", sio_request_secure(socket));
    cJSON_AddItemToObject(tree, "auth", cJSON_ParseWithLength(auth.p, auth.n));
    cJSON_AddStringToObject(tree, "query", query);
    cJSON_AddStringToObject(tree, "header", head);
    cJSON_AddBoolToObject(tree, "secure", sio_request_secure(socket));
    if (certificate) {
        cJSON_AddBoolToObject(tree, "verified", certificate->verified);
        cJSON_AddStringToObject(tree, "subject", certificate->subject);
        cJSON_AddStringToObject(tree, "sha256", certificate->sha256);
    }
    ack_tree(event, tree);
}

static void on_handshake(sio_socket *socket, sio_event *event, void *user)
{
    static _Thread_local char json[65536];
    int n = sio_handshake_json(socket, json, sizeof json);

    (void)user;
    sio_ack(event, sio_raw_json(json, n < 0 ? 0 : (size_t)n));
}

static void on_reload(sio_socket *socket, sio_event *event, void *user)
{
    char why[SIO_TLS_WHY] = "";

    (void)socket, (void)user;
    if (tls)
        sio_tls_reload(tls, why, sizeof why);
    sio_ack(event, sio_string(why));
}

static void on_count(sio_socket *socket, sio_event *event, void *user)
{
    (void)socket, (void)user;
    sio_ack(event, sio_int((int64_t)sio_socket_count(root)));
}

static void on_stats(sio_socket *socket, sio_event *event, void *user)
{
    cJSON *tree = cJSON_CreateObject();
    sio_stats s;

    (void)socket, (void)user;
    sio_get_stats(server, &s);
#define ADD(field) cJSON_AddNumberToObject(tree, #field, (double)s.field)
    ADD(connections);
    ADD(tls);
    ADD(tls_handshakes);
    ADD(tls_failures);
    ADD(requests);
    ADD(sessions);
    ADD(websockets);
    ADD(sockets);
    ADD(rooms);
    ADD(pending_acks);
    ADD(queued_bytes);
    ADD(handshakes);
    ADD(refused);
    ADD(dropped);
    ADD(events_in);
    ADD(events_out);
    ADD(polling);
    ADD(upgrades);
    ADD(packets_in);
    ADD(packets_out);
    ADD(bytes_in);
    ADD(bytes_out);
    ADD(volatile_dropped);
    ADD(discarded_bytes);
#undef ADD
    cJSON_AddNumberToObject(tree, "slow",
                            (double)s.closed[SIO_CLOSE_SLOW_CONSUMER]);
    ack_tree(event, tree);
}

static void on_namespaces(sio_socket *socket, sio_event *event, void *user)
{
    sio_stats s;

    (void)socket, (void)user;
    sio_get_stats(server, &s);
    sio_ack(event, sio_int((int64_t)s.dynamic_namespaces));
}

int register_info(void)
{
    static const struct handler handlers[] = {
        { "whoami", on_whoami }, { "handshake", on_handshake },
        { "reload", on_reload }, { "count", on_count },
        { "stats", on_stats },   { "namespaces", on_namespaces },
    };

    return REGISTER(root, handlers);
}
