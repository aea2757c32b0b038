/*
 * packet.h -- Socket.IO packets (protocol revision 5), their rules and the
 * decoding of their text form:
 *
 *   type [count "-"] [nsp ","] [id] [json]      2/admin,13["foo",1]
 *
 * Decoding validates the payload as JSON and cuts its array into slices in the
 * same pass; nothing is copied or allocated. The text must be valid UTF-8 (the
 * transport has checked that).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef PROTOCOL_SOCKETIO_PACKET_H
#define PROTOCOL_SOCKETIO_PACKET_H

#include "protocol/base/str.h"

/* clang-format off */
#define SP_TYPES(X)  \
    X(CONNECT)       \
    X(DISCONNECT)    \
    X(EVENT)         \
    X(ACK)           \
    X(CONNECT_ERROR) \
    X(BINARY_EVENT)  \
    X(BINARY_ACK)

enum sp_type {
#define X(name) SP_##name,
    SP_TYPES(X)
#undef X
    SP_NTYPES
};

/* Why a packet was refused; texts as socket.io-parser and
 * socket.io-msgpack-parser have them. */
#define SP_ERRORS(X)                                                           \
    X(OK,          "")                                                         \
    X(TYPE,        "unknown packet type")                                      \
    X(PAYLOAD,     "invalid payload")                                          \
    X(ATTACHMENTS, "Illegal attachments")                                      \
    X(TOO_MANY,    "too many attachments")                                     \
    X(PLACEHOLDER, "illegal attachments")                                      \
    X(BINARY,      "got binary data when not reconstructing a packet")         \
    X(PLAINTEXT,   "got plaintext data when reconstructing a packet")          \
    X(NSP,         "invalid namespace")                                        \
    X(ID,          "invalid packet id")                                        \
    X(MSGPACK,     "no MessagePack")

enum sp_error {
#define X(name, text) SP_E_##name,
    SP_ERRORS(X)
#undef X
};
/* clang-format on */

#define SP_NO_ID (-1)
#define SP_MAX_ID 9007199254740991 /* 2^53 - 1 */
#define SP_ARGS 16                 /* slices kept; more are found again */
#define SP_MAX_ATTACHMENTS 10      /* default limit, as Node's parser */
#define SP_MAX_DEPTH 1000          /* default nesting limit of the JSON */

struct sp_limits {
    uint32_t max_attachments;
    uint32_t max_depth;
};

struct sp_packet {
    enum sp_type type;
    uint32_t attachments; /* announced by types 5 and 6, else 0 */
    sio_str nsp;          /* "/" when the packet names none */
    int64_t id;           /* SP_NO_ID when there is none */
    sio_str json;         /* the payload; n 0 when absent */
    /* EVENT, ACK and their binary forms: elements of the payload array, the
     * event name included. argc counts all of them, argv has the first. */
    size_t argc;
    sio_str argv[SP_ARGS];
};

/*
 * Decode and check one packet. Type rules: CONNECT carries an object or
 * nothing, DISCONNECT nothing, EVENT an array that starts with a name that is
 * not reserved (or a number), ACK an array, CONNECT_ERROR a string or object.
 * Stricter than Node where the specification allows it: EVENT and ACK without
 * payload are refused, ids and counts are digits only, ids at most SP_MAX_ID.
 *
 * Returns SP_E_OK with *out filled, or the error; *out is then unspecified.
 */
enum sp_error sp_decode(sio_str text, const struct sp_limits *limits,
                        struct sp_packet *out);

/* Element i of the payload array, also behind argv[SP_ARGS - 1]; n 0 when
 * there is none. */
sio_str sp_packet_arg(const struct sp_packet *p, size_t i);

/* Are all placeholders in the payload within 0..attachments-1? SP_E_OK or
 * SP_E_PLACEHOLDER; to be asked once the last attachment has come. */
enum sp_error sp_check_placeholders(const struct sp_packet *p);

/* connect, connect_error, disconnect, disconnecting, newListener,
 * removeListener: never an event on the wire, in either direction. */
bool sp_reserved_event(sio_str name);

const char *sp_type_name(enum sp_type type); /* "CONNECT" */
const char *sp_error_text(enum sp_error e);

#endif
