/*
 * recovery_abroad.h -- connection state recovery by the adapter of a cluster:
 * what it shares with recovery.c and the way in. See recovery_abroad.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_SOCKETIO_RECOVERY_ABROAD_H
#define SRC_SOCKETIO_RECOVERY_ABROAD_H

#include "src/socketio/cluster.h"
#include "src/socketio/recovery.h"

#define SO_OFFSET_ABROAD 48 /* characters of an offset: two numbers and "-" */

/* Are events with these flags kept by the cluster, and have an offset then? */
static inline bool so_keeps_abroad(const struct so_hub *hub, unsigned flags)
{
    return so_recovers_abroad(hub) &&
           !(flags & (SIO_FLAG_VOLATILE | SIO_FLAG_LOCAL));
}

/* --- for recovery.c --- */

/* A new socket: does its client say that it was here before? SIO_OK or
 * SIO_E_NOMEM. */
int so_comeback_new(sio_socket *socket);
/* What of it was not begun, or not sent. */
void so_comeback_drop(struct so_resume *resume);
/* It has left, and may come back. Takes the session. */
void so_abroad_save(struct so_part *part, struct so_session *session);
/* It is let in: what it has missed. SIO_OK, or why not all of that is there:
 * then nothing is sent. */
int so_missed_send(sio_socket *socket);

/* --- of recovery.c --- */

/* As so_session_new(), of one that was found elsewhere; data: JSON text. NULL:
 * out of memory. */
struct so_session *so_session_copy(const sio_cluster_session *session,
                                   sio_str data);
void so_session_free(struct so_session *session);
/* The socket is that one now; takes the session. */
void so_resume_take(sio_socket *socket, struct so_session *session);
/* Count and log what became of it. */
void so_resume_count(const sio_socket *socket);
/* A member of auth, a string of at most `max` characters, into out[max + 1].
 * Longer ones come out as "". False: no string. */
bool so_auth_text(const sio_socket *socket, const char *key, char *out,
                  size_t max);

/* --- for connect.c, socket.c --- */

/* True: the adapter is asked first; so_start_middlewares() is called again with
 * `next`, which is taken over. */
bool so_comeback_begin(sio_socket *socket, sio_next *next);
/* An event of the time between coming back and being let in. */
void so_missed_keep(sio_socket *socket, sio_packet *packet);

#endif
