/*
 * message.h -- what the nodes of a cluster say to each other, in one form for
 * the three Redis adapters of Node, whose bytes differ:
 *
 *   bytes --> classic.h, cluster.h, stream.h --> struct pr_message --> adapter
 *
 * and back. Pure: who is a node, what is pending and what to do about a message
 * is the adapter's.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef PROTOCOL_REDIS_MESSAGE_H
#define PROTOCOL_REDIS_MESSAGE_H

#include "protocol/base/str.h"
#include "protocol/socketio/encode.h"

/* clang-format off */
/* The numbers up to 13 are those of Node's cluster adapters; the others exist
 * in the classic adapter alone. */
#define PR_TYPES(X)                                                         \
    X(INITIAL_HEARTBEAT,  1) /* a node comes */                             \
    X(HEARTBEAT,          2)                                                \
    X(BROADCAST,          3) /* with request_id: answers are wanted */      \
    X(JOIN,               4)                                                \
    X(LEAVE,              5)                                                \
    X(DISCONNECT,         6)                                                \
    X(FETCH,              7)                                                \
    X(FETCH_REPLY,        8)                                                \
    X(EMIT,               9) /* serverSideEmit; request_id: answer wanted */\
    X(EMIT_REPLY,        10)                                                \
    X(CLIENT_COUNT,      11) /* how many clients will answer a broadcast */ \
    X(ACK,               12) /* one of these answers */                     \
    X(CLOSE,             13) /* a node goes */                              \
    X(SOCKETS,           14) /* ids of sockets: older adapters ask */       \
    X(SOCKETS_REPLY,     15)                                                \
    X(ROOMS,             16) /* all rooms */                                \
    X(ROOMS_REPLY,       17)                                                \
    X(DONE,              18) /* an answer that says nothing else */

enum pr_type {
#define X(name, number) PR_##name = number,
    PR_TYPES(X)
#undef X
};

/* Why bytes are no message. */
#define PR_ERRORS(X)                                             \
    X(OK,      "")                                               \
    X(NOMEM,   "out of memory")                                  \
    X(FORM,    "neither JSON nor MessagePack, or too deep")      \
    X(SHAPE,   "not an array or object of the expected members") \
    X(TYPE,    "unknown type of message")                        \
    X(UID,     "invalid uid or namespace")                       \
    X(PACKET,  "invalid packet")                                 \
    X(OPTIONS, "no options, or invalid ones")                    \
    X(ROOMS,   "invalid list of rooms")                          \
    X(REQUEST, "no valid request id")                            \
    X(SOCKETS, "invalid list of sockets")                        \
    X(COUNT,   "invalid count of clients")                       \
    X(LIMIT,   "too many rooms, arguments or sockets")

enum pr_error {
#define X(name, text) PR_E_##name,
    PR_ERRORS(X)
#undef X
};
/* clang-format on */

/* Limits of one message that is read; all are counts. */
#define PR_DEPTH_MAX                                                           \
    1000                    /* levels of arrays and objects, the outermost too \
                             */
#define PR_NAMES_MAX 262144 /* rooms, exceptions, ids: of each list */
#define PR_VALUES_MAX 65536 /* arguments of an event, its name included */
#define PR_SOCKETS_MAX 262144 /* sockets in a reply */

#define PR_EMITTER "emitter" /* the uid of what is no node */

struct pr_names {
    const sio_str *items;
    size_t count;
};

/* Flags of a broadcast, and which of them were set in which order: so Node
 * writes them. */
enum pr_flag {
    PR_VOLATILE = 1, /* 0: none */
    PR_COMPRESS,
    PR_TIMEOUT,
    PR_SINGLE, /* expectSingleResponse */
    PR_NFLAGS
};

struct pr_flags {
    uint8_t order[PR_NFLAGS - 1]; /* enum pr_flag; 0 behind the last one */
    bool compress;
    double timeout_ms; /* 0 to 2^53 - 1, not always whole */
};

struct pr_socket {
    sio_str id;
    sio_value handshake; /* SIO_NULL: written as {"headers":{}} */
    struct pr_names rooms;
    sio_value data; /* SIO_NULL: written as {} */
};

/*
 * One message. Which members count depends on the type; the others are zero
 * after decoding and ignored when encoding. Everything is borrowed: after
 * decoding it lies in the bytes and in the arena.
 */
struct pr_message {
    enum pr_type type;
    sio_str uid; /* of the node that sends; n 0: none, as of emitters */
    sio_str nsp; /* n 0: not said, the channel tells */
    sio_str request_id;
    sio_str offset; /* of an entry: its id, as Redis says; never encoded */
    /* BROADCAST, JOIN, LEAVE, DISCONNECT, FETCH, SOCKETS: who is meant, the
     * union of `rooms` (none: everybody) without the members of `except`. */
    struct pr_names rooms, except;
    struct pr_flags flags;
    /* JOIN, LEAVE: the sockets' new or old rooms; ROOMS_REPLY; SOCKETS_REPLY:
     * ids */
    struct pr_names names;
    /* JOIN, LEAVE, DISCONNECT of older adapters: the one socket that is meant.
     * Only its node answers, with DONE. Never encoded. */
    sio_str sid;
    bool close; /* DISCONNECT: the connection, not only the namespace */
    uint64_t client_count;
    /* BROADCAST, EMIT: the event. ACK, EMIT_REPLY: its one answer, or none.
     * What was decoded is SIO_RAW_JSON or SIO_RAW_MSGPACK, trusted. */
    sio_str event;
    const sio_value *values;
    size_t count;
    const struct pr_socket *sockets; /* FETCH_REPLY */
    size_t socket_count;
};

/* Set, or set anew: the first time decides about the order. */
void pr_set_volatile(struct pr_flags *flags);
void pr_set_compress(struct pr_flags *flags, bool compress);
void pr_set_timeout(struct pr_flags *flags, double ms);
void pr_set_single(struct pr_flags *flags);
bool pr_has_flag(const struct pr_flags *flags, enum pr_flag flag);

/* A broadcast's packet as clients get it. id: of the acknowledgement, or
 * SP_NO_ID; extra: an entry's id behind the arguments, or p NULL. */
struct sp_message pr_packet(const struct pr_message *m, int64_t id,
                            sio_str extra);

bool pr_is_emitter(const struct pr_message *m);

const char *pr_type_name(enum pr_type type); /* "BROADCAST" */
const char *pr_error_text(enum pr_error e);

#endif
