/*
 * cluster.h -- the messages of Node's cluster adapters (socket.io-adapter 2.5),
 *
 *   { type: 1-13, data: {...}, uid: "...", nsp: "/" }
 *
 * as the sharded adapter publishes them (JSON, or MessagePack where there is
 * binary) and the streams adapter its questions and answers (MessagePack). The
 * `data` by itself is what entries of a stream hold: stream.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef PROTOCOL_REDIS_CLUSTER_H
#define PROTOCOL_REDIS_CLUSTER_H

#include "protocol/redis/channel.h"
#include "protocol/redis/value.h"
#include "protocol/redis/write.h"

enum pr_form {
    PR_JSON_OR_MSGPACK, /* sharded: reads both, writes what Node writes */
    PR_MSGPACK          /* streams: reads and writes nothing else */
};

/*
 * Read one message. Foreign order of keys, unknown keys and a missing uid or
 * nsp are taken; what Node's adapter would throw at is refused.
 *
 * a        gets what does not lie in `bytes`: both must outlive *out
 * Returns  PR_E_OK with *out filled, or why not; *out is then unspecified.
 */
enum pr_error pr_cluster_decode(struct arena *a, sio_str bytes,
                                enum pr_form form, struct pr_message *out);

/*
 * Append the message, of a type up to PR_CLOSE, with the bytes that Node would
 * publish.
 *
 * Returns  SIO_OK, SIO_E_INVAL (no such type here, a value is not valid),
 *          SIO_E_RESERVED (a name of an event that none may have), SIO_E_LIMIT
 *          (longer than out->max), SIO_E_NOMEM; `out` is then as it was.
 */
int pr_cluster_encode(struct grow *out, enum pr_form form,
                      const struct pr_message *m);

/*
 * Append the name of the channel that a sharded adapter publishes the message
 * on. asker: the uid of the node that it answers; n 0: it is no answer. The
 * streams adapter's is that of PR_STATIC.
 */
int pr_cluster_channel(struct grow *out, sio_str prefix, sio_str nsp,
                       enum pr_mode mode, const struct pr_message *m,
                       sio_str asker);

/* The `data` alone. out->type is set, and says what it has to be; *nsp is the
 * one of its packet, or n 0. */
enum pr_error pr_read_data(struct arena *a, struct pr_value data,
                           struct pr_message *out, sio_str *nsp);
void pr_write_data(struct pr_writer *w, const struct pr_message *m);

/* Has the type any data? */
bool pr_has_data(enum pr_type type);

/* Is it one for which Node looks for binary, and has it some? */
int pr_needs_msgpack(const struct pr_message *m, bool *yes);

/* SIO_OK, or SIO_E_RESERVED as above. */
int pr_check_event(const struct pr_message *m);

#endif
