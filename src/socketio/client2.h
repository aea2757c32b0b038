/*
 * client2.h -- what a client of Socket.IO 2 (over Engine.IO 3) needs otherwise
 * than one of today:
 *
 *   "/"            joined by the server, as soon as the session is open
 *   CONNECT        40/foo?token=1,   the query is what `auth` is today
 *   its answer     40/foo,           no id: the client knows it, see below
 *   CONNECT_ERROR  44"message", or 44 and the data that came with it
 *   ids            <session id> in "/", else /foo#<session id>
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_SOCKETIO_CLIENT2_H
#define SRC_SOCKETIO_CLIENT2_H

#include "src/socketio/hub.h"

#define SO_QUERY_MAX 2048  /* bytes of a namespace's query */
#define SO_QUERY_PARAMS 64 /* parameters in it */

/* Join the main namespace. */
void so_client2_welcome(struct so_client *client);

/* Cut the query off p->nsp and make p->json of it, in `auth` (empty before).
 * SIO_OK, SIO_E_LIMIT (over SO_QUERY_MAX or SO_QUERY_PARAMS), SIO_E_NOMEM. */
int so_client2_connect(struct sp_packet *p, const uint64_t seed[2],
                       struct grow *auth);

/* The id of a socket there, and its length; out NULL: only that. */
size_t so_client2_id(const struct so_client *client, sio_str nsp, char *out);

/* CONNECT_ERROR's payload. */
int so_client2_error(struct grow *out, struct sp_attachments *bin,
                     const char *message, const sio_value *data);

#endif
