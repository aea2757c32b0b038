/*
 * value.h -- one value that is JSON text or MessagePack, read in place without
 * asking which: Node's adapters take both for the same message.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef PROTOCOL_REDIS_VALUE_H
#define PROTOCOL_REDIS_VALUE_H

#include "protocol/base/arena.h"
#include "protocol/redis/message.h"

struct pr_value {
    sio_str text; /* n 0: there is none */
    bool msgpack;
};

enum pr_kind {
    PR_ABSENT, /* undefined, too */
    PR_NULL,
    PR_BOOL,
    PR_NUMBER,
    PR_STRING,
    PR_LIST,
    PR_MAP,
    PR_OTHER /* binary, dates */
};

/*
 * Check all of `bytes` and take it as one value. JSON has to be UTF-8; in
 * MessagePack, strings that are not are mended in a copy, as Node takes them.
 * PR_E_OK, PR_E_FORM or PR_E_NOMEM.
 */
enum pr_error pr_read_json(sio_str bytes, struct pr_value *out);
enum pr_error pr_read_msgpack(struct arena *a, sio_str bytes,
                              struct pr_value *out);
/* JSON when it begins with '{', else MessagePack. */
enum pr_error pr_read_either(struct arena *a, sio_str bytes,
                             struct pr_value *out);

/* The rest takes values from there. */

enum pr_kind pr_kind(struct pr_value v);

/* Walk a list, a map: *pos starts at 0; false at the end, and for anything
 * else. */
bool pr_next(struct pr_value list, size_t *pos, struct pr_value *item);
bool pr_next_member(struct pr_value map, size_t *pos, struct pr_value *key,
                    struct pr_value *item);

/* out[i] is the member names[i], the last one where a key is repeated. */
void pr_members(struct pr_value map, const sio_str *names, struct pr_value *out,
                size_t n);

/* Does it spell `text`? false for what is no string. */
bool pr_value_is(struct pr_value v, sio_str text);
bool pr_is_true(struct pr_value v);
/* PR_NUMBER as it is; false for the rest. */
bool pr_number(struct pr_value v, double *out);
/* An integer from 0 to 2^53 - 1. */
bool pr_integer(struct pr_value v, int64_t *out);

/* A string's text; a number's as JavaScript prints it. Copied to the arena
 * where it does not lie in the value. PR_E_OK, PR_E_NOMEM or, when it is
 * neither, PR_E_SHAPE. */
enum pr_error pr_text(struct arena *a, struct pr_value v, sio_str *out);

/* To be sent on as it is. */
sio_value pr_passed(struct pr_value v);

#endif
