/*
 * values.h -- what the roles on Socket.IO do with events' arguments.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_SERVERS_VALUES_H
#define TESTS_SERVERS_VALUES_H

#include <sio/sio.h>

#include <cjson/cJSON.h>

/* The arguments of the event from `first` on, to be passed on as they are;
 * free() it. NULL, with *count 0: out of memory. */
sio_value *args_from(const sio_event *event, size_t first, size_t *count);

/* All arguments go back to who sent them: as the event `name`, or as the
 * acknowledgement. */
void echo_as(sio_socket *socket, sio_event *event, const char *name);
void ack_args(sio_event *event);

/* Handlers: the event `echo` comes back, `ack` acknowledges its arguments. */
void on_echo(sio_socket *socket, sio_event *event, void *user);
void on_ack(sio_socket *socket, sio_event *event, void *user);

/* Argument i as a string, NULL when it is none or has a NUL. */
const char *arg_text(sio_event *event, size_t i);

/* The argument's JSON text as an item of a tree: binary stays a placeholder,
 * numbers and strings are as they came. */
cJSON *arg_item(const sio_event *event, size_t i);

/* Send or acknowledge a tree and delete it. The placeholders in it are those of
 * `event`, NULL when it has none. */
void emit_tree(sio_socket *socket, const char *name, cJSON *tree,
               const sio_event *event);
void ack_tree(sio_event *event, cJSON *tree);

/* Answer with null, that is no error, and the tree; and delete it. */
void answer_tree(sio_pending_ack *ack, cJSON *tree, const sio_event *event);

/* The query of the request that began the connection, decoded; the last of two
 * equal names counts. */
cJSON *query_tree(const sio_socket *socket);

/* What the client sent as auth. */
cJSON *auth_tree(const sio_socket *socket);

#endif
