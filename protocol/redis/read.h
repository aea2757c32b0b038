/*
 * read.h -- the parts of which all messages are made, whatever the adapter:
 * lists of rooms, options, packets, sockets. From struct pr_value to struct
 * pr_message; lists and texts without escapes are put in the arena.
 *
 * What is missing or null is refused, or taken as Node takes it, as said here.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef PROTOCOL_REDIS_READ_H
#define PROTOCOL_REDIS_READ_H

#include "protocol/redis/value.h"

/* Strings; numbers become strings. Missing or null: none. */
enum pr_error pr_read_names(struct arena *a, struct pr_value list,
                            struct pr_names *out);

/* {rooms, except, flags}: each may be missing, or null; the whole may not.
 * Unknown flags are ignored. */
enum pr_error pr_read_options(struct arena *a, struct pr_value options,
                              struct pr_message *out);

/* [name, value...] */
enum pr_error pr_read_event(struct arena *a, struct pr_value list,
                            struct pr_message *out);

/* The same, and no name of pr_reserved(). */
enum pr_error pr_read_emit(struct arena *a, struct pr_value list,
                           struct pr_message *out);

/* {type, data, nsp}: an event whose name is not reserved; nsp may be missing.
 * *nsp: n 0 then. */
enum pr_error pr_read_packet(struct arena *a, struct pr_value packet,
                             struct pr_message *out, sio_str *nsp);

/* What answers: one value, or when it is missing none. */
enum pr_error pr_read_answer(struct arena *a, struct pr_value value,
                             struct pr_message *out);

/* [{id, handshake, rooms, data}]: only the id may not be missing. */
enum pr_error pr_read_sockets(struct arena *a, struct pr_value list,
                              struct pr_message *out);

enum pr_error pr_read_count(struct pr_value v, struct pr_message *out);

/* Missing: n 0. */
enum pr_error pr_read_request(struct arena *a, struct pr_value v,
                              struct pr_message *out);

/* A string, or missing: n 0. Anything else: PR_E_UID. */
enum pr_error pr_read_name(struct arena *a, struct pr_value v, sio_str *out);

/* connect, connection, new_namespace: never an event between servers. */
bool pr_reserved(sio_str event);

#endif
