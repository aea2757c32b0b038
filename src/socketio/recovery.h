/*
 * recovery.h -- connection state recovery in memory: <sio/recovery.h>.
 *
 *   emit.c     --> so_record()   the log: what was sent, to whom
 *   socket.c   --> so_session_*  a session: who left, to come back
 *   connect.c  --> so_resume_*() the session again, and what it has missed
 *
 * A log is that of a namespace; entries are numbered in the order in which they
 * were recorded, which need not be that of their offsets. Entries and sessions
 * of all namespaces are dropped the oldest first, when their time is over or
 * there are too many bytes of them. recovery_log.c has the log, recovery.c the
 * sessions.
 *
 * With several loops an event is recorded once, by whoever sends it, before any
 * loop is asked to deliver it. So an event of the log may still be on its way
 * to some loops, and each loop delivers in an order of its own. A client has a
 * beginning of all that it was ever sent, up to the last event it has got. What
 * it is sent, once or again, has always the same order (docs/decisions/0022):
 *
 *   new                    what its loop executes, until it leaves
 *   comes back on a loop   all other entries, in the order of their numbers;
 * the last number then is resume->sent from then on           what its loop
 * executes with higher numbers, until it leaves comes back again ...
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_SOCKETIO_RECOVERY_H
#define SRC_SOCKETIO_RECOVERY_H

#include <sio/recovery.h>

#include "src/socketio/hub.h"

#define SO_OFFSET_MAX 24 /* characters: 11 of ms, ".", 11 of a counter */

struct so_request;
struct so_comeback;

/* Packets, referenced, for one who comes back. */
struct so_missed {
    sio_packet **packets;
    size_t count, cap;
    int error; /* why one more could not be kept, or SIO_OK */
};

/* The entries that a client has, or that were none of its business: those with
 * numbers below `below`, and those that `loop` had executed as its `there`-th
 * or earlier. */
struct so_has {
    uint64_t below, there;
    size_t loop;
};

/* What it is sent beyond that, in order: entries up to number `sent`, by
 * number; then what `loop` has executed, up to its `to`-th, or nothing: 0. */
struct so_stretch {
    uint64_t sent, to;
    size_t loop;
};

/* Stretches of one client that has got no event since the first one began. When
 * there are more, the first is forgotten. */
#define SO_STRETCHES 6

struct so_stream {
    struct so_has has;
    uint64_t forgotten; /* numbers up to that may have come in those */
    size_t count;
    struct so_stretch stretches[SO_STRETCHES]; /* none when there is one loop */
};

/* What a socket has when its server recovers connections. */
struct so_resume {
    char pid[SO_ID_LEN + 1]; /* secret: whoever has it can be this socket */
    sio_recovery result;
    /* RECOVERED, but not let in yet: what it has missed is sent then. */
    bool waiting;
    uint64_t sent;              /* up to this number, from the log; or 0 */
    uint64_t began;             /* so many its loop had executed then */
    struct so_stream *stream;   /* when it came; NULL: it is new */
    struct so_session *session; /* until its rooms have been joined */
    /* Of recovery_abroad.c: until the adapter is asked; until it is let in. */
    struct so_comeback *comeback;
    struct so_missed missed;
};

/* Of a namespace. */
struct so_log {
    struct list entries; /* the oldest first */
    struct map by_offset, sessions;
    uint64_t purged; /* number of the youngest entry that was dropped */
};

/* A socket that left, to come back. */
struct so_session {
    struct map_node node; /* in log->sessions, by pid */
    union {
        struct list age;         /* in recovery->sessions */
        struct so_session *next; /* that was dropped with it */
    };
    struct so_log *log;
    uint64_t left_ms;
    size_t bytes;
    struct so_stream stream;
    sio_socket *socket; /* the one that left, for its data; NULL: had none */
    size_t room_count, data_len;
    char pid[SO_ID_LEN + 1], sid[SO_ID_LEN + 1];
    char text[]; /* data as JSON, then each room with its NUL */
};

/* In memory; by the adapter of the cluster. */
static inline bool so_recovers(const struct so_hub *hub)
{
    return hub->options.recovery_ms != 0 && !hub->options.recovery_abroad;
}

static inline bool so_recovers_abroad(const struct so_hub *hub)
{
    return hub->options.recovery_ms != 0 && hub->options.recovery_abroad;
}

/* Are events with these flags recorded, and do they have an offset? */
static inline bool so_records(const struct so_hub *hub, unsigned flags)
{
    return so_recovers(hub) && !(flags & SIO_FLAG_VOLATILE);
}

static inline void so_recovery_lock(struct so_hub *hub)
{
    if (hub->shard_count > 1)
        pthread_mutex_lock(&hub->recovery.lock);
}

static inline void so_recovery_unlock(struct so_hub *hub)
{
    if (hub->shard_count > 1)
        pthread_mutex_unlock(&hub->recovery.lock);
}

/* --- recovery_log.c: the log --- */

/* An event's offset, into out[SO_OFFSET_MAX + 1]. Any thread. */
sio_str so_offset(struct so_hub *hub, char *out);

/* The event is sent, to one socket or to those that match, and `here`, the
 * caller's loop, executes it now (NULL: the caller has no loop, or another one
 * does). Its number into *number; 0: nobody could ever ask for it. SIO_OK or
 * SIO_E_NOMEM. */
int so_record(const struct so_request *request, struct so_shard *here,
              uint64_t *number);
/* This loop executes now what another thread has recorded. */
void so_record_executed(struct so_part *part, const struct so_request *request);
/* What was recorded is not sent to other loops after all. */
void so_record_undo(const struct so_request *request);

/* Is it, or will it be, sent entry `number` from the log? */
static inline bool so_had_from_log(const sio_socket *socket, uint64_t number)
{
    const struct so_resume *r = socket->resume;

    return r && (r->waiting || (number && number <= r->sent));
}

/* The client of `stream` has got the event of `offset` as its last one. False:
 * that is not known, or what it misses is not all there. The caller has the
 * lock. */
bool so_log_find(const struct so_log *log, sio_str offset,
                 struct so_stream *stream);
/* Send what this one misses. SIO_OK; SIO_E_STATE: some of it is gone;
 * SIO_E_NOMEM. */
int so_log_replay(sio_socket *socket);

/* The caller has the lock of the following. False: the oldest entry cannot be
 * dropped yet. */
bool so_log_drop_oldest(struct so_hub *hub);
void so_log_empty(struct so_hub *hub, struct so_log *log);
void so_log_clear(struct so_hub *hub); /* all logs */
/* When it was recorded; UINT64_MAX: there is none. */
uint64_t so_log_oldest_ms(const struct so_hub *hub);

/* --- recovery.c: sessions, and all of it --- */

void so_recovery_init(struct so_hub *hub);
void so_comebacks_init(struct so_shard *shard);
/* Forget everything. On the loop. */
void so_recovery_clear(struct so_shard *shard);
/* Drop the oldest, as long as there is too much; those sessions go to
 * `dropped`, for so_sessions_free(). The caller, whose loop `here` is (NULL:
 * none), has the lock. */
void so_recovery_trim(struct so_hub *hub, struct so_shard *here, uint64_t now,
                      struct so_session **dropped);
/* Without the lock. */
void so_sessions_free(struct so_session *dropped);

int so_log_open(sio_namespace *nsp);
/* On the first loop, or when nobody else knows of the namespace. */
void so_log_close(sio_namespace *nsp);

/* The socket is leaving, for that reason: NULL when it cannot come back. */
struct so_session *so_session_new(sio_socket *socket, const char *reason);
/* It has left, and may come back from now on. */
void so_session_keep(struct so_part *part, struct so_session *session);

/* A new socket: does its client say that it was here before? Its id is set
 * then. SIO_OK, SIO_E_NOMEM, SIO_E_SYS. */
int so_resume_begin(sio_socket *socket);
/* Its rooms and data are back. SIO_OK or SIO_E_NOMEM. */
int so_resume_rooms(sio_socket *socket);
/* It is let in: what it has missed. SIO_OK; SIO_E_STATE: too late; SIO_E_NOMEM.
 */
int so_resume_end(sio_socket *socket);
void so_resume_free(sio_socket *socket);

#endif
