/*
 * server.h -- the parts of the server under the end-to-end tests.
 *
 *     server.c          what its clients may ask for; main()
 *     server_options.c  the command line
 *     server_events.c   events, acknowledgements, questions
 *     server_rooms.c    rooms, and many sockets at once
 *     server_info.c     what is known of a client and of the server
 *     server_doors.c    who may join, who has left; other namespaces
 *     server_filter.c   /filter
 *     server_args.c     what they share
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_E2E_SERVER_H
#define TESTS_E2E_SERVER_H

#include <sio/sio.h>

#include <cjson/cJSON.h>

extern sio_server *server;
extern sio_namespace *root, *watch; /* "/", "/watch" */

/* What the command line says. */
struct settings {
    sio_options options;
    sio_listen_options listen;
    sio_tls_options tls; /* certificate NULL: plain */
};

/* False: what is wrong has been printed. */
bool settings_read(struct settings *out, int argc, char **argv);

/* What it listens with; NULL: plain. */
extern sio_tls *tls;

/* Each registers its handlers: SIO_OK or an error. */
int register_events(void);
int register_rooms(void);
int register_info(void);
int register_doors(void);
int register_filter(void);

/* --- server_args.c --- */

struct handler {
    const char *event;
    sio_event_fn fn;
};

int register_handlers(sio_namespace *nsp, const struct handler *handlers,
                      size_t count);
#define REGISTER(nsp, handlers) \
    register_handlers((nsp), (handlers), sizeof(handlers) / sizeof *(handlers))

/* The arguments from `first` on, passed through as they came. */
size_t pass(const sio_event *event, size_t first,
            sio_value values[SIO_MAX_VALUES]);
/* "" or 0 when it is none. */
const char *string_arg(sio_event *event, size_t i);
int64_t int_arg(const sio_event *event, size_t i);
/* Acknowledge with a tree, and delete it. */
void ack_tree(sio_event *event, cJSON *tree);
/* For sio_each_room(): the name becomes an item of the array. */
void add_room(void *array, sio_str room);

/* Handlers that several namespaces have: `echo` comes back, `ack` acknowledges
 * its arguments; a new socket gets `hello` with its id. */
void on_echo(sio_socket *socket, sio_event *event, void *user);
void on_ack(sio_socket *socket, sio_event *event, void *user);
void on_hello(sio_socket *socket, void *user);

#endif
