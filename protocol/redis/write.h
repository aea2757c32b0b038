/*
 * write.h -- writes maps and lists as JSON text or as MessagePack, so that a
 * message is described once for both. The first failure is kept; what comes
 * behind it does nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef PROTOCOL_REDIS_WRITE_H
#define PROTOCOL_REDIS_WRITE_H

#include "protocol/redis/message.h"

struct pr_writer {
    struct grow *out;
    bool msgpack;
    bool first; /* JSON: nothing stands before in the open map or list */
    int error;  /* SIO_OK, or why it went wrong */
};

void pr_write_init(struct pr_writer *w, struct grow *out, bool msgpack);

/* A map of so many pairs, a list of so many values follow; JSON has to be told
 * where they end. */
void pr_open_map(struct pr_writer *w, size_t pairs);
void pr_close_map(struct pr_writer *w);
void pr_open_list(struct pr_writer *w, size_t count);
void pr_close_list(struct pr_writer *w);

void pr_write_key(struct pr_writer *w, const char *key);
void pr_write_string(struct pr_writer *w, sio_str text);
void pr_write_bool(struct pr_writer *w, bool b);
void pr_write_number(struct pr_writer *w, double number);
/* In JSON, binary becomes {"type":"Buffer","data":[...]}. */
void pr_write_value(struct pr_writer *w, const sio_value *v);

/* --- the parts of messages --- */

void pr_write_names(struct pr_writer *w, const struct pr_names *names);

/* {rooms, except[, flags]}; emitters of broadcasts put the flags in the
 * middle. */
enum pr_order { PR_NO_FLAGS, PR_FLAGS_LAST, PR_FLAGS_MIDDLE };
void pr_write_options(struct pr_writer *w, const struct pr_message *m,
                      enum pr_order order);

/* [event, value...] */
void pr_write_event(struct pr_writer *w, const struct pr_message *m);
/* {type: 2, data: [...][, nsp]} */
void pr_write_packet(struct pr_writer *w, const struct pr_message *m, bool nsp);
void pr_write_sockets(struct pr_writer *w, const struct pr_message *m);

/* Does the message carry binary in its values or sockets? SIO_OK, or
 * SIO_E_INVAL: one of them is not valid. */
int pr_has_binary(const struct pr_message *m, bool *yes);

#endif
