/*
 * fetch.h -- looking at sockets, for those who have a request instead of a
 * target.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_SOCKETIO_FETCH_H
#define SRC_SOCKETIO_FETCH_H

#include "src/socketio/bus.h"

#include <sio/sockets.h>

struct so_fetch;

/* As sio_fetch_sockets(), of those whom nsp, socket and options mean; the rest
 * of the request is filled in. Of a foreign one every socket is a picture.
 * fetch may be NULL: good until fn is called. */
int so_fetch_begin(struct so_request *request, sio_fetch_fn fn, void *user,
                   struct so_fetch **fetch);
/* fn is not to be called. On its home. */
void so_fetch_forget(struct so_fetch *fetch);

/* Of a picture: an object as JSON text; empty: there is none. */
sio_str so_remote_handshake(const sio_remote_socket *remote);

#endif
