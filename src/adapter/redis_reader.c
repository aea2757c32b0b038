/*
 * redis_reader.c -- hiredis' reader with objects of our own; see redis_reply.h.
 *
 * Small replies, which nearly all are, are built in a block that is kept.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/adapter/redis_reply.h"

#include "protocol/base/arena.h"

#include <hiredis/read.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK 2048 /* bytes that are kept for small replies */
#define LINE_MAX                                                 \
    (64 * 1024) /* bytes of a line: an error, a status, a length \
                 */

struct redis_reader {
    redisReader *codec;
    size_t max;
    size_t held;   /* bytes of the reply that is being built */
    bool too_long; /* it has more than `max` */
    bool told;     /* it was returned: its memory can be used again */
    struct arena arena;
    size_t used; /* of block[] */
    alignas(max_align_t) uint8_t block[BLOCK];
};

/* ---------------------------------------------------------------- memory -- */

static void forget_reply(struct redis_reader *r)
{
    arena_free(&r->arena);
    r->used = r->held = 0;
    r->told = false;
}

static void *take(struct redis_reader *r, size_t n)
{
    const size_t align = alignof(max_align_t);
    size_t whole = (n + align - 1) / align * align;

    if (n > r->max || r->held + whole > r->max) {
        r->too_long = true;
        return NULL;
    }
    r->held += whole;
    if (whole > sizeof r->block - r->used)
        return arena_alloc(&r->arena, n);
    r->used += whole;
    return r->block + r->used - whole;
}

/* --------------------------------------------------- objects for hiredis -- */

static void append(struct redis_reply *array, struct redis_reply *item)
{
    if (array->last)
        array->last->next = item;
    else
        array->first = item;
    array->last = item;
}

static struct redis_reply *add(const redisReadTask *task, enum redis_type type)
{
    struct redis_reply *reply = take(task->privdata, sizeof *reply);

    if (!reply)
        return NULL;
    *reply = (struct redis_reply){ .type = type };
    if (task->parent)
        append(task->parent->obj, reply);
    return reply;
}

static void *create_string(const redisReadTask *task, char *p, size_t n)
{
    enum redis_type type = task->type == REDIS_REPLY_ERROR    ? REDIS_ERROR
                           : task->type == REDIS_REPLY_STATUS ? REDIS_STATUS
                                                              : REDIS_STRING;
    struct redis_reply *reply = add(task, type);
    char *copy = reply ? take(task->privdata, n) : NULL;

    if (!copy)
        return NULL;
    memcpy(copy, p, n);
    reply->text = (sio_str){ copy, n };
    return reply;
}

/* Its items come one by one. */
static void *create_array(const redisReadTask *task, int count)
{
    struct redis_reply *reply = add(task, REDIS_ARRAY);

    if (reply)
        reply->count = (size_t)count;
    return reply;
}

static void *create_integer(const redisReadTask *task, long long number)
{
    struct redis_reply *reply = add(task, REDIS_INTEGER);

    if (reply)
        reply->integer = number;
    return reply;
}

static void *create_nil(const redisReadTask *task)
{
    return add(task, REDIS_NIL);
}

/* All of a reply goes at once: forget_reply(). */
static void free_object(void *reply)
{
    (void)reply;
}

static redisReplyObjectFunctions objects = { create_string, create_array,
                                             create_integer, create_nil,
                                             free_object };

/* --------------------------------------------------------------- reading -- */

int redis_reader_reset(struct redis_reader *r)
{
    redisReader *codec = redisReaderCreateWithFunctions(&objects);

    if (!codec)
        return SIO_E_NOMEM;
    codec->privdata = r;
    if (r->codec)
        redisReaderFree(r->codec);
    r->codec = codec;
    r->too_long = false;
    forget_reply(r);
    return SIO_OK;
}

struct redis_reader *redis_reader_new(size_t max)
{
    struct redis_reader *r = malloc(sizeof *r);

    if (!r)
        return NULL;
    r->codec = NULL;
    r->max = max;
    arena_init(&r->arena);
    if (redis_reader_reset(r) < 0) {
        free(r);
        return NULL;
    }
    return r;
}

void redis_reader_free(struct redis_reader *r)
{
    if (!r)
        return;
    redisReaderFree(r->codec);
    arena_free(&r->arena);
    free(r);
}

int redis_reader_feed(struct redis_reader *r, const void *p, size_t n)
{
    return redisReaderFeed(r->codec, p, n) == REDIS_OK ? SIO_OK : SIO_E_NOMEM;
}

/* What is kept of an unfinished reply has its limit, and so has what hiredis
 * searches again and again for the end of a line. */
static bool unfinished_too_long(const struct redis_reader *r)
{
    const redisReader *codec = r->codec;
    size_t n = codec->len - codec->pos;

    return n > r->max ||
           (n > LINE_MAX && !memchr(codec->buf + codec->pos, '\r', LINE_MAX));
}

static int explain(const struct redis_reader *r, const char **why)
{
    if (r->too_long) {
        *why = "a reply is too long";
        return SIO_E_LIMIT;
    }
    if (r->codec->err == REDIS_ERR_OOM) {
        *why = sio_strerror(SIO_E_NOMEM);
        return SIO_E_NOMEM;
    }
    *why = "the server does not speak the Redis protocol";
    return SIO_E_INVAL;
}

int redis_reader_next(struct redis_reader *r, const struct redis_reply **out,
                      const char **why)
{
    void *reply = NULL;

    if (r->told)
        forget_reply(r);
    if (redisReaderGetReply(r->codec, &reply) != REDIS_OK)
        return explain(r, why);
    if (reply) {
        r->told = true;
        *out = reply;
        return 1;
    }
    if (!unfinished_too_long(r))
        return 0;
    r->too_long = true;
    return explain(r, why);
}

/* ---------------------------------------------------------------- values -- */

const struct redis_reply *redis_item(const struct redis_reply *array, size_t i)
{
    const struct redis_reply *item =
        array && array->type == REDIS_ARRAY ? array->first : NULL;

    while (item && i--)
        item = item->next;
    return item;
}

sio_str redis_text(const struct redis_reply *reply)
{
    return reply ? reply->text : (sio_str){ NULL, 0 };
}
