/*
 * redis_reply.h -- what a Redis server says, as values (RESP2).
 *
 *   bytes of a connection --> redis_reader_feed(), redis_reader_next()
 *                               --> struct redis_reply --> redis_link.c
 *
 * hiredis is the parser; nothing of it is seen here. Memory is taken as bytes
 * arrive, never by a number that the server announces.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_ADAPTER_REDIS_REPLY_H
#define SRC_ADAPTER_REDIS_REPLY_H

#include <sio/types.h>

enum redis_type {
    REDIS_STRING,
    REDIS_STATUS, /* "+OK" */
    REDIS_ERROR,  /* "-ERR ..." */
    REDIS_INTEGER,
    REDIS_NIL, /* also of an array */
    REDIS_ARRAY
};

struct redis_reply {
    enum redis_type type;
    sio_str text;    /* of strings, statuses, errors: any bytes */
    int64_t integer; /* of integers */
    size_t count;    /* of an array: as announced; items are there all */
    struct redis_reply *first, *last; /* items */
    struct redis_reply *next;         /* in the array that it is in */
};

struct redis_reader;

/* max  bytes of a reply in memory. NULL: out of memory. */
struct redis_reader *redis_reader_new(size_t max);
void redis_reader_free(struct redis_reader *r);

/* Forget what has come: a new connection begins. SIO_OK or SIO_E_NOMEM. */
int redis_reader_reset(struct redis_reader *r);

/* Take bytes. SIO_OK or SIO_E_NOMEM, after which it is of no use until it is
 * reset. */
int redis_reader_feed(struct redis_reader *r, const void *p, size_t n);

/* The next whole reply, good until the next call: 1. 0: it has not come yet. <
 * 0 (SIO_E_NOMEM, SIO_E_LIMIT: longer than `max`, SIO_E_INVAL: no RESP2): *why
 * says what is wrong, and nothing more can be read. */
int redis_reader_next(struct redis_reader *r, const struct redis_reply **out,
                      const char **why);

/* The i-th item, or NULL. */
const struct redis_reply *redis_item(const struct redis_reply *array, size_t i);

/* The text of a string, status or error; otherwise of no bytes, p NULL. */
sio_str redis_text(const struct redis_reply *reply);

#endif
