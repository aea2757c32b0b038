/*
 * redis_reader.c -- any bytes as answers of a Redis server: whole and cut in
 * two (the first byte says where) they are the same answers.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/adapter/redis_reply.h"

#include <stdlib.h>
#include <string.h>

#define MAX 4096 /* bytes of an answer */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* A number that stands for everything in it. */
static uint64_t digest(uint64_t sum, const struct redis_reply *reply)
{
    size_t items = 0;

    sum = sum * 31 + (uint64_t)reply->type;
    sum = sum * 31 + (uint64_t)reply->integer;
    for (size_t i = 0; i < reply->text.n; i++)
        sum = sum * 31 + (uint8_t)reply->text.p[i];
    for (const struct redis_reply *i = reply->first; i; i = i->next, items++)
        sum = digest(sum, i);
    require(items == reply->count);
    return sum * 31 + items;
}

/* 0 while all is well. */
static int feed(struct redis_reader *r, const uint8_t *p, size_t n,
                uint64_t *sum)
{
    const struct redis_reply *reply;
    uint8_t *copy = malloc(n ? n : 1); /* reading past it is seen */
    const char *why = NULL;
    int result;

    require(copy);
    if (n)
        memcpy(copy, p, n);
    require(redis_reader_feed(r, copy, n) == SIO_OK);
    free(copy);
    while ((result = redis_reader_next(r, &reply, &why)) > 0)
        *sum = digest(*sum, reply);
    require((result < 0) == (why != NULL));
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct redis_reader *whole = redis_reader_new(MAX);
    struct redis_reader *parts = redis_reader_new(MAX);
    uint64_t all = 0, both = 0;
    size_t cut;
    int r, p;

    require(whole && parts);
    if (size) {
        cut = *data++ % size;
        size--;
        r = feed(whole, data, size, &all);
        p = feed(parts, data, cut, &both);
        if (p == 0)
            p = feed(parts, data + cut, size - cut, &both);
        require(r == p && all == both);
    }
    redis_reader_free(whole);
    redis_reader_free(parts);
    return 0;
}
