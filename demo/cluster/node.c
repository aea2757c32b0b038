/*
 * node.c -- what a node does for its people; see node.h. server.mjs does the
 * same in JavaScript, event by event.
 *
 *     browser                               node.c
 *     auth {name}                    -->    a middleware checks the name
 *                                    <--    welcome node, language
 *     upgraded                       -->    its transport is looked at again
 *                                    <--    changed what, name, node: to all
 *     people, ack                    -->    ack (sockets of all nodes)
 *     nodes, ack                     -->    ack (what the other nodes answer)
 *     say room or null, text, ack    -->
 *                                    <--    said name, node, room, text (+ ack)
 *                                    <--    ack (their answers, or why not)
 *     stop node                      -->    that node ends
 *
 * SPDX-License-Identifier: MIT
 */
#include "demo/cluster/node.h"

#include <cjson/cJSON.h>

#include <stdlib.h>
#include <string.h>

#define NAME_LIMIT 72  /* bytes: 24 letters of any script */
#define TEXT_LIMIT 600 /* bytes: 200 of them */
#define ANSWER_MS 3000 /* how long those who are told something may take */

/* Whatever is no control character: the page shows it as text. */
static bool is_line(const char *text, size_t n, size_t limit)
{
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)text[i] < 0x20)
            return false;
    return n > 0 && n <= limit;
}

/* --------------------------------------------------- coming in and leaving */

/* What all nodes can see of the socket. */
static int publish(const struct node *node, sio_socket *socket)
{
    cJSON *tree = cJSON_CreateObject();
    char *text = NULL;
    int result = SIO_E_NOMEM;

    if (cJSON_AddStringToObject(tree, "id", sio_id(socket)) &&
        cJSON_AddStringToObject(tree, "name", sio_data(socket)) &&
        cJSON_AddStringToObject(tree, "node", node->name) &&
        cJSON_AddStringToObject(tree, "transport", sio_transport(socket)))
        text = cJSON_PrintUnformatted(tree);
    if (text)
        result = sio_set_data_json(socket, text, strlen(text));
    cJSON_free(text);
    cJSON_Delete(tree);
    return result;
}

/* To everybody at every node; their pages then ask who is here. */
static void tell(struct node *node, sio_socket *socket, const char *what)
{
    sio_emit(node->nsp, "changed", sio_string(what),
             sio_string(sio_data(socket)), sio_string(node->name));
}

static void check_name(sio_socket *socket, sio_next *next, void *user)
{
    char wish[NAME_LIMIT + 1];
    int size = sio_auth_string(socket, "name", wish, sizeof wish);

    (void)user;
    if (size < 0 || !is_line(wish, (size_t)size, NAME_LIMIT)) {
        sio_next_error(next, "Please choose a name of 1 to 24 letters.", NULL);
        return;
    }
    sio_set_data(socket, strdup(wish), free);
    if (sio_data(socket))
        sio_next_ok(next);
    else
        sio_next_error(next, "This node is out of memory.", NULL);
}

static void on_connection(sio_socket *socket, void *user)
{
    struct node *node = user;

    publish(node, socket);
    sio_join(socket, node->room);
    sio_emit(socket, "welcome", sio_string(node->name), sio_string("C"));
    tell(node, socket, "came");
}

static void on_upgraded(sio_socket *socket, sio_event *event, void *user)
{
    (void)event;
    publish(user, socket);
    tell(user, socket, "upgraded");
}

static void on_disconnect(sio_socket *socket, const char *reason, void *user)
{
    (void)reason;
    tell(user, socket, "left");
}

/* --------------------------------------------------- questions to the nodes */

/* Acknowledge with the tree, and free it. */
static void answer(sio_pending_ack *ack, cJSON *tree)
{
    if (sio_answer(ack, sio_json(tree)) != SIO_OK)
        sio_answer_drop(ack);
    cJSON_Delete(tree);
}

static void add(cJSON *list, cJSON *item)
{
    if (!cJSON_AddItemToArray(list, item))
        cJSON_Delete(item); /* no list: null is answered */
}

static void on_sockets(int error, const sio_remote_socket *const *sockets,
                       size_t count, void *user)
{
    cJSON *list = cJSON_CreateArray();
    sio_str data;

    (void)error; /* of a node that has just ended; it has no people */
    for (size_t i = 0; i < count; i++) {
        data = sio_remote_data_json(sockets[i]);
        add(list, cJSON_ParseWithLength(data.p, data.n));
    }
    answer(user, list);
}

static void on_people(sio_socket *socket, sio_event *event, void *user)
{
    struct node *node = user;
    sio_pending_ack *ack = sio_ack_later(event);

    (void)socket;
    if (ack && sio_fetch_sockets(node->nsp, on_sockets, ack) != SIO_OK)
        sio_answer_drop(ack);
}

/* What the other nodes have said, or those who were told something. */
static void on_answers(int error, sio_event *answers, void *user)
{
    cJSON *list = cJSON_CreateArray();
    const cJSON *item;

    (void)error; /* as above */
    for (size_t i = 0; i < sio_arg_count(answers); i++)
        if (sio_arg_json(answers, i, &item) == SIO_OK)
            add(list, cJSON_Duplicate(item, true));
    answer(user, list);
}

static void on_nodes(sio_socket *socket, sio_event *event, void *user)
{
    struct node *node = user;
    sio_pending_ack *ack = sio_ack_later(event);

    (void)socket;
    if (ack && sio_server_side_emit_ack(node->nsp, on_answers, ack,
                                        "describe") != SIO_OK)
        sio_answer_drop(ack);
}

/* Another node asks what we are: one value. */
static void on_describe(sio_namespace *nsp, sio_event *event, void *user)
{
    const struct node *node = user;
    const char *names[] = { node->name, "C" };
    cJSON *tree = cJSON_CreateStringArray(names, 2);

    (void)nsp;
    sio_ack(event, sio_json(tree));
    cJSON_Delete(tree);
}

/* ---------------------------------------------------------------- sayings */

/* To all but the sender, or those in a room: "node:NAME", or a socket's id. */
static void on_say(sio_socket *socket, sio_event *event, void *user)
{
    struct node *node = user;
    sio_target target = sio_broadcast(socket);
    sio_pending_ack *ack;
    const char *room, *text;
    size_t size;

    if (sio_arg_string(event, 0, &room, NULL) == SIO_OK)
        target = sio_to(socket, room);
    else if (sio_arg_kind(event, 0) != SIO_NULL)
        return;
    if (sio_arg_string(event, 1, &text, &size) != SIO_OK ||
        !is_line(text, size, TEXT_LIMIT)) {
        sio_ack(event, sio_string("A line has 1 to 200 characters."));
        return;
    }
    ack = sio_ack_later(event);
    if (ack &&
        sio_emit_ack(sio_timeout(target, ANSWER_MS), on_answers, ack, "said",
                     sio_string(sio_data(socket)), sio_string(node->name),
                     sio_arg(event, 0), sio_arg(event, 1)) != SIO_OK)
        sio_answer_drop(ack);
}

/* ----------------------------------------------------------------- ending */

static void on_stop_elsewhere(sio_namespace *nsp, sio_event *event, void *user)
{
    struct node *node = user;
    const char *name;

    (void)nsp;
    if (sio_arg_string(event, 0, &name, NULL) == SIO_OK &&
        strcmp(name, node->name) == 0)
        sio_stop(node->server);
}

/* Any page may stop any node: only in a demo. */
static void on_stop(sio_socket *socket, sio_event *event, void *user)
{
    struct node *node = user;

    (void)socket;
    sio_server_side_emit(node->nsp, "stop", sio_arg(event, 0));
    on_stop_elsewhere(node->nsp, event, user);
}

bool node_init(struct node *node, sio_server *server)
{
    sio_namespace *nsp = node->nsp = sio_of(server, "/");

    node->server = server;
    return nsp && sio_use(nsp, check_name, node) == SIO_OK &&
           sio_on_connection(nsp, on_connection, node) == SIO_OK &&
           sio_on_disconnect(nsp, on_disconnect, node) == SIO_OK &&
           sio_on(nsp, "upgraded", on_upgraded, node) == SIO_OK &&
           sio_on(nsp, "people", on_people, node) == SIO_OK &&
           sio_on(nsp, "nodes", on_nodes, node) == SIO_OK &&
           sio_on(nsp, "say", on_say, node) == SIO_OK &&
           sio_on(nsp, "stop", on_stop, node) == SIO_OK &&
           sio_on_server_event(nsp, "describe", on_describe, node) == SIO_OK &&
           sio_on_server_event(nsp, "stop", on_stop_elsewhere, node) == SIO_OK;
}
