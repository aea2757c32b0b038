/*
 * stream.h -- what @socket.io/redis-streams-adapter keeps in Redis: entries of
 * a stream, one message each, in fields
 *
 *   uid U nsp /chat type 3 data {"packet":...,"opts":...}
 *
 * whose data is JSON text, or MessagePack in base64 where there is binary; and
 * the sessions of clients that may come back.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef PROTOCOL_REDIS_STREAM_H
#define PROTOCOL_REDIS_STREAM_H

#include "protocol/redis/value.h"

/*
 * Read one entry. fields: its `count` names and values in turn, in any order,
 * others are ignored. Returns as pr_cluster_decode(); an entry without a
 * namespace is PR_E_UID. Whoever reads a stream goes on behind an entry that is
 * refused: Node, which does not, reads it forever.
 */
enum pr_error pr_entry_decode(struct arena *a, const sio_str *fields,
                              size_t count, struct pr_message *out);

/* The fields of an entry, for XADD. */
struct pr_entry {
    sio_str fields[8]; /* names and values in turn */
    size_t count;
    char type[4];
};

/*
 * Make an entry of a message of a type up to PR_CLOSE. The data is appended to
 * `out`, which must stay as it is while the entry is used; so must m's strings.
 *
 * plain    never MessagePack (Node's onlyPlaintext): binary becomes
 *          {"type":"Buffer","data":[...]}
 * Returns  as pr_cluster_encode()
 */
int pr_entry_encode(struct grow *out, const struct pr_message *m, bool plain,
                    struct pr_entry *entry);

/* Is it a type that goes in the stream, not on a channel? */
bool pr_entry_type(const struct pr_message *m);

/* --- sessions: the value of the key SESSIONPREFIX PID --- */

struct pr_session {
    sio_str sid, pid;
    struct pr_names rooms;
    sio_value data; /* SIO_NULL: none, written as {} */
};

/* PR_E_OK; PR_E_FORM, PR_E_SHAPE (not a session, or one without ids),
 * PR_E_ROOMS, PR_E_LIMIT, PR_E_NOMEM. */
enum pr_error pr_session_decode(struct arena *a, sio_str text,
                                struct pr_session *out);

/* SIO_OK, SIO_E_INVAL, SIO_E_LIMIT, SIO_E_NOMEM. */
int pr_session_encode(struct grow *out, const struct pr_session *s);

/* --- offsets: MILLISECONDS-SEQUENCE, the id of an entry --- */

struct pr_offset {
    uint64_t ms, sequence;
};

/* Is it one that Redis takes? A client says it. */
bool pr_offset_read(sio_str offset, struct pr_offset *out);
bool pr_offset_valid(sio_str offset);

/* < 0: `a` is before `b`; 0: they are one; > 0. */
int pr_offset_compare(struct pr_offset a, struct pr_offset b);

/* Append the smallest id behind a valid one; for the last one of all, itself.
 * SIO_OK, SIO_E_LIMIT, SIO_E_NOMEM. */
int pr_offset_next(struct grow *out, sio_str offset);

#endif
