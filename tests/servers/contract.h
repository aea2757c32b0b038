/*
 * contract.h -- the role contract: what its files share. contract.c has the
 * server and the small namespaces, contract_dynamic.c those that clients name,
 * contract_events.c and contract_rooms.c the events of "/", contract_cluster.c
 * what nodes of a cluster do for tests.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_SERVERS_CONTRACT_H
#define TESTS_SERVERS_CONTRACT_H

#include "tests/servers/values.h"

struct memory;

/* A socket of "/": its sio_data(). */
struct person {
    sio_socket *socket;
    struct memory *remembered;
};

/* What `remember` has kept, as an object; and its end. */
cJSON *memory_tree(const struct memory *remembered);
void memory_learn(struct person *person, sio_str json);
void memory_free(struct memory *remembered);

/* {id, transport, protocol, ...} of the event whoami. */
cJSON *person_tree(sio_socket *socket, const struct person *person);

/* Register the events. SIO_OK or SIO_E_NOMEM. */
int contract_events(sio_namespace *root);
int contract_rooms(sio_namespace *root);
int contract_dynamic(sio_server *server, sio_namespace *root,
                     sio_namespace *rooms);
/* Of a node of a cluster alone. */
int contract_cluster(sio_server *server, sio_namespace *watch);
/* Behind the server's end. */
void contract_cluster_end(void);

/* Argument i as a number from 0 to `max`. */
bool arg_number(const sio_event *event, size_t i, int64_t max, int64_t *out);

#endif
