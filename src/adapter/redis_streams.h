/*
 * redis_streams.h -- what the files of the streams adapter share: how messages
 * travel as entries of streams, beside questions and answers on channels.
 *
 *   node.h --> redis_streams.c   --XADD-->    stream
 *              redis_keep.c
 *                                --PUBLISH--> channels, as the sharded adapter
 *   node.h <-- redis_reading.c   <--XREAD---  stream
 *   server <-> redis_restore.c   <--XRANGE--  stream, keys of sessions
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_ADAPTER_REDIS_STREAMS_H
#define SRC_ADAPTER_REDIS_STREAMS_H

#include "protocol/redis/stream.h"
#include "src/adapter/redis_transport.h"

#define REDIS_STREAM_ID 48    /* bytes of an entry's id, with its NUL */
#define REDIS_STREAMS_MAX 256 /* stream_count, at most */
#define REDIS_FIELDS_MAX 64   /* names and values of an entry that are seen */
#define REDIS_PAGE 32         /* entries of what a client has missed, at once */
#define REDIS_RESTORE_MS 10000 /* to find out what it has missed */
#define REDIS_RESTORES_MAX 10000
#define REDIS_READ_RETRY_MS 1000 /* a read that was refused is tried again */

/* One stream that is read. */
struct redis_stream {
    int index;
    sio_str name;             /* in streams->names */
    char id[REDIS_STREAM_ID]; /* of the last entry that was handled, */
    struct pr_offset at;      /* and the same */
    struct pr_offset early;   /* own entries up to there were told before */
};

/* A client of Redis that does nothing but read: it is blocked meanwhile. */
struct redis_reading {
    struct redis_streams *owner;
    struct redis *redis;
    enum redis_state state; /* of the client */
    char why[REDIS_WHY];    /* the client is degraded */
    bool refused;           /* Redis has: `why` is what it said */
    size_t pinned;          /* of the streams: their position is known */
    size_t limit;           /* entries of the next read, of each of them */
    size_t passing;         /* the stream whose next entry may be too long */
    struct net_timer retry;
    size_t count;
    struct redis_stream streams[2];
};

/* t->streams */
struct redis_streams {
    struct redis_transport *t;
    /* The state of the readings has changed. */
    void (*on_change)(void *self);
    void *self;
    struct net_timer_queue retries;
    bool closed;
    struct arena names;
    size_t count; /* of readings */
    struct redis_reading *readings;
    struct list restores; /* of redis_restore.c */
    size_t restore_count, restored_bytes;
    struct list keepings; /* of redis_keep.c */
    struct net_timer_queue keeping_times;
};

/*
 * Begin to read, from the end of each stream on. What comes is given to the
 * namespaces of t->node.
 *
 * client   how to connect; the commands' time is prolonged
 * Returns  as redis_open()
 */
int redis_streams_open(struct redis_transport *t,
                       const struct redis_options *client,
                       void (*on_change)(void *self), void *self, char *why,
                       size_t why_size);
/* Before the transport's own client. */
void redis_streams_close(struct redis_transport *t);

/* The worst of its readings; *why: see struct redis_stats. */
enum redis_state redis_streams_state(const struct redis_transport *t,
                                     const char **why);

/* The connections of its readings are counted, too. */
void redis_streams_add_stats(const struct redis_transport *t,
                             struct redis_stats *stats);

/* --- for emitters, too --- */

/* Which stream a namespace's messages are added to: where Node reads, also of
 * one that Node would put elsewhere. */
int redis_streams_index(const sio_redis_options *o, sio_str nsp);

/* XADD of an entry; argv[REDIS_XADD_KEY] is the stream. */
#define REDIS_XADD_KEY 1
#define REDIS_XADD_FIELDS 6 /* behind the command and its options */

struct redis_xadd {
    struct pr_entry entry;
    sio_str argv[REDIS_XADD_FIELDS + 8];
    size_t argc;
    char max_len[24];
};

/* `key` and `payload`, empty, get what argv is made of. As pr_entry_encode().
 */
int redis_xadd_write(struct redis_xadd *out, const sio_redis_options *o,
                     const struct pr_message *m, struct grow *key,
                     struct grow *payload);

/* --- */

/* That stream, and who reads it. */
struct redis_stream *redis_streams_find(struct redis_streams *s, int index,
                                        struct redis_reading **reading);
bool redis_reading_fails(const struct redis_reading *r);

/* Add an entry; *hash tells it from others. As redis_command(), and
 * pr_entry_encode(). */
int redis_streams_add(struct redis_transport *t, const struct pr_message *m,
                      uint64_t *hash, redis_on_reply *on_reply, void *self);
uint64_t redis_entry_hash(const struct redis_streams *s, sio_str nsp,
                          sio_str data);

/* --- redis_keep.c --- */

/* See cl_transport_ops.keep. */
int redis_streams_keep(void *self, const struct pr_message *m,
                       void (*on_kept)(void *user, int status, sio_str offset),
                       void *user);
/* A reading meets an entry of ours. */
void redis_keeping_met(struct redis_streams *s,
                       const struct redis_stream *stream, uint64_t hash);
/* It stands behind entries of ours that it has not met: Redis has lost them. */
void redis_keepings_passed(struct redis_streams *s,
                           struct redis_stream *stream);
/* It fails from now on. */
void redis_keepings_unread(struct redis_reading *reading);
void redis_keeping_late(struct net_timer *timer);
void redis_keepings_end(struct redis_streams *s);

/* --- redis_restore.c: see sio_cluster_ops --- */

int redis_sessions_save(struct redis_transport *t,
                        const sio_cluster_session *session, uint32_t ms);
int redis_sessions_restore(struct redis_transport *t, sio_str nsp, sio_str pid,
                           sio_str offset, sio_cluster_restored_fn fn,
                           void *user);
void redis_sessions_forget(struct redis_transport *t, void *user);
/* All that are being restored are not: SIO_E_STATE. */
void redis_sessions_end(struct redis_streams *s);
/* A reading has met an entry, which is executed or told now; it has moved on.
 */
void redis_sessions_entry(struct redis_streams *s,
                          const struct redis_stream *stream,
                          const sio_str *fields, size_t count);
void redis_sessions_moved(struct redis_streams *s);

/* --- redis_reading.c --- */

/* r->count, r->streams[].name are set. As redis_open(). */
int redis_reading_open(struct redis_reading *r,
                       const struct redis_options *client, char *why,
                       size_t why_size);
void redis_reading_close(struct redis_reading *r);
void redis_reading_retry(struct net_timer *timer);

/* Names and values of an entry, in turn. */
struct redis_fields {
    sio_str items[REDIS_FIELDS_MAX];
    size_t count;
};

void redis_fields_read(const struct redis_reply *list,
                       struct redis_fields *out);

#endif
