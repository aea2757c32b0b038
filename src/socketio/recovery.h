/*
 * recovery.h -- connection state recovery in memory: <sio/recovery.h>.
 *
 *   emit.c     --> so_record()   the log: what was sent, to whom
 *   socket.c   --> so_save()     a session: who left, to come back
 *   connect.c  --> so_resume_*() the session again, and what it has missed
 *
 * A log is that of a namespace on a loop, in the order in which events were
 * delivered there, which need not be that of their offsets. Entries and
 * sessions of all namespaces are dropped the oldest first, when their time is
 * over or the shard has too many bytes of them. recovery_log.c has the log,
 * recovery.c the sessions.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_SOCKETIO_RECOVERY_H
#define SRC_SOCKETIO_RECOVERY_H

#include <sio/recovery.h>

#include "src/socketio/hub.h"

#define SO_OFFSET_MAX 24 /* characters: 11 of ms, ".", 11 of a counter */

/* What a socket has when its server recovers connections. */
struct so_resume {
    char pid[SO_ID_LEN + 1]; /* secret: whoever has it can be this socket */
    sio_recovery result;
    /* RECOVERED, but not let in yet: what it has missed is sent then. */
    bool waiting;
    uint64_t seen; /* number of the last entry that its client has */
    struct so_session *session; /* until its rooms have been joined */
};

/* Of a namespace on one loop. */
struct so_log {
    struct list entries; /* the oldest first */
    struct map by_offset, sessions;
    uint64_t purged; /* number of the youngest entry that was dropped */
};

/* A socket that left, to come back. */
struct so_session {
    struct map_node node; /* in log->sessions, by pid */
    struct list age;      /* in recovery->sessions */
    struct so_log *log;
    uint64_t left_ms;
    size_t bytes;
    sio_socket *socket; /* the one that left, for its data; NULL: had none */
    size_t room_count, data_len;
    char pid[SO_ID_LEN + 1], sid[SO_ID_LEN + 1];
    char text[]; /* data as JSON, then each room with its NUL */
};

void so_recovery_init(struct so_shard *shard);
/* Forget everything. */
void so_recovery_clear(struct so_shard *shard);
/* Drop the oldest, as long as there is too much. */
void so_recovery_trim(struct so_shard *shard);

/* --- recovery_log.c --- */

/* An event's offset, into out[SO_OFFSET_MAX + 1]. Any thread. */
sio_str so_offset(struct so_hub *hub, char *out);

/* The event was sent to one socket (`direct`) or to those of `o`. It is in the
 * log unless nobody could ever ask for it. SIO_OK or SIO_E_NOMEM. */
int so_record(struct so_part *part, sio_str offset, sio_packet *packet,
              const sio_broadcast_options *o, const sio_socket *direct);
/* The number of the entry with that offset; 0: none. */
uint64_t so_log_find(const struct so_log *log, sio_str offset);
/* Send what this one has missed since entry `seen`. False: some of it is gone.
 */
bool so_log_replay(sio_socket *socket, uint64_t seen);
void so_log_drop_oldest(struct so_shard *shard);
void so_log_empty(struct so_shard *shard, struct so_log *log);
uint64_t so_log_oldest_ms(const struct so_shard *shard);

/* --- recovery.c --- */

static inline bool so_recovers(const struct so_hub *hub)
{
    return hub->options.recovery_ms != 0;
}

/* Are events with these flags recorded, and do they have an offset? */
static inline bool so_records(const struct so_hub *hub, unsigned flags)
{
    return so_recovers(hub) && !(flags & SIO_FLAG_VOLATILE);
}

int so_log_open(struct so_part *part);
void so_log_close(struct so_part *part);

/* The socket is leaving, for that reason: can it come back? */
void so_save(sio_socket *socket, const char *reason);

/* A new socket: does its client say that it was here before? Its id is set
 * then. SIO_OK, SIO_E_NOMEM, SIO_E_SYS. */
int so_resume_begin(sio_socket *socket);
/* Its rooms and data are back. SIO_OK or SIO_E_NOMEM. */
int so_resume_rooms(sio_socket *socket);
/* It is let in: what it has missed. False: too late. */
bool so_resume_end(sio_socket *socket);
void so_resume_free(sio_socket *socket);

#endif
