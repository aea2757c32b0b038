/*
 * map.c -- see map.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/base/map.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS_MIN 8
#define SLOTS_MAX (1u << 31)
#define FIT_MIN 512 /* slots; a smaller block stays: 5 KiB */
#define FIT_PART 16 /* one that is less than 1 of so many full is too large */

struct sip {
    uint64_t a, b, c, d;
};

static inline uint64_t rotl(uint64_t x, unsigned n)
{
    return x << n | x >> (64 - n);
}

static inline void sip_round(struct sip *s)
{
    s->a += s->b;
    s->b = rotl(s->b, 13) ^ s->a;
    s->a = rotl(s->a, 32);
    s->c += s->d;
    s->d = rotl(s->d, 16) ^ s->c;
    s->a += s->d;
    s->d = rotl(s->d, 21) ^ s->a;
    s->c += s->b;
    s->b = rotl(s->b, 17) ^ s->c;
    s->c = rotl(s->c, 32);
}

/* One word of input: a single round, the 1 of 1-3. */
static inline void sip_word(struct sip *s, uint64_t word)
{
    s->d ^= word;
    sip_round(s);
    s->a ^= word;
}

uint64_t map_hash(const uint64_t seed[2], sio_str key)
{
    struct sip s = { seed[0] ^ 0x736f6d6570736575, seed[1] ^ 0x646f72616e646f6d,
                     seed[0] ^ 0x6c7967656e657261,
                     seed[1] ^ 0x7465646279746573 };
    const char *p = key.p;
    uint64_t word, last = (uint64_t)key.n << 56;
    size_t left = key.n;

    for (; left >= sizeof word; left -= sizeof word, p += sizeof word) {
        memcpy(&word, p, sizeof word);
        sip_word(&s, le64toh(word));
    }
    while (left--)
        last |= (uint64_t)(uint8_t)p[left] << 8 * left;
    sip_word(&s, last);
    s.c ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(&s);
    return s.a ^ s.b ^ s.c ^ s.d;
}

void map_init(struct map *m, const uint64_t seed[2])
{
    *m = (struct map){ .seed = { seed[0], seed[1] } };
}

/* How many nodes a block of so many slots is for: a search meets few. */
static uint32_t room_of(uint32_t slots)
{
    return slots / 4 * 3;
}

/* memcmp() may not see NULL even for 0 bytes. */
static sio_str never_null(sio_str key)
{
    return key.p ? key : (sio_str){ "", 0 };
}

/* There are fewer places than slots: a place is within the mask. */
static uint32_t place_in(const struct map *m, uint32_t slot)
{
    return (slot & m->mask) - 1;
}

static struct map_node *find(const struct map *m, sio_str key, uint32_t hash)
{
    uint32_t at = hash & m->mask, slot;

    for (; (slot = m->slots[at]); at = (at + 1) & m->mask) {
        struct map_node *node;

        if ((slot ^ hash) & ~m->mask)
            continue;
        node = m->nodes[place_in(m, slot)];
        if (node && node->hash == hash && node->len == key.n &&
            memcmp(node->key, key.p, key.n) == 0)
            return node;
    }
    return NULL;
}

struct map_node *map_find(const struct map *m, sio_str key)
{
    if (!m->count) /* spare an empty map the hash */
        return NULL;
    return find(m, never_null(key), (uint32_t)map_hash(m->seed, key));
}

/* At the end; there is room. */
static void put(struct map *m, struct map_node *node)
{
    uint32_t at = node->hash & m->mask;

    while (m->slots[at])
        at = (at + 1) & m->mask;
    m->nodes[m->end++] = node;
    m->slots[at] = (node->hash & ~m->mask) | m->end;
}

/* A block of so many slots takes the place of the present one. */
static int make_block(struct map *m, uint32_t slots)
{
    const size_t nodes = room_of(slots) * sizeof *m->nodes;
    struct map_node *node;
    struct map next = *m;
    size_t at = map_begin(m);

    next.nodes = malloc(nodes + slots * sizeof *m->slots);
    if (!next.nodes)
        return SIO_E_NOMEM;
    next.slots = (uint32_t *)(void *)((char *)next.nodes + nodes);
    memset(next.slots, 0, slots * sizeof *m->slots);
    next.mask = slots - 1;
    next.first = next.end = 0;
    while ((node = map_walk(m, &at)))
        put(&next, node);
    free(m->nodes);
    *m = next;
    return SIO_OK;
}

/* The nodes close up, in the same block. */
static void close_up(struct map *m)
{
    const uint32_t end = m->end;

    memset(m->slots, 0, ((size_t)m->mask + 1) * sizeof *m->slots);
    m->first = m->end = 0;
    for (uint32_t i = 0; i < end; i++)
        if (m->nodes[i])
            put(m, m->nodes[i]);
}

void map_fit(struct map *m)
{
    uint32_t slots = m->mask + 1;

    if (slots < FIT_MIN || m->count > room_of(slots) / FIT_PART || !m->nodes)
        return;
    while (slots > SLOTS_MIN && m->count < room_of(slots) / 4)
        slots /= 2;
    make_block(m, slots);
}

/* For one node more. A block that is mostly full is made larger, so that this
 * is seldom. */
static int make_room(struct map *m)
{
    if (!m->nodes)
        return make_block(m, SLOTS_MIN);
    map_fit(m);
    if (m->end < room_of(m->mask + 1))
        return SIO_OK;
    if (m->count > room_of(m->mask + 1) / 4 * 3) {
        if (m->mask >= SLOTS_MAX - 1)
            return SIO_E_NOMEM;
        return make_block(m, (m->mask + 1) * 2);
    }
    close_up(m);
    return SIO_OK;
}

int map_add(struct map *m, struct map_node *node, sio_str key)
{
    uint32_t hash;
    int r;

    if (key.n > UINT32_MAX)
        return SIO_E_LIMIT;
    key = never_null(key);
    hash = (uint32_t)map_hash(m->seed, key);
    if (m->count && find(m, key, hash))
        return SIO_E_STATE;
    r = make_room(m);
    if (r < 0)
        return r;
    *node = (struct map_node){ key.p, (uint32_t)key.n, hash };
    put(m, node);
    m->count++;
    return SIO_OK;
}

/* Where in m->nodes it is. */
static uint32_t place_of(const struct map *m, const struct map_node *node)
{
    uint32_t at = node->hash & m->mask;

    while (m->nodes[place_in(m, m->slots[at])] != node)
        at = (at + 1) & m->mask;
    return place_in(m, m->slots[at]);
}

void map_remove(struct map *m, struct map_node *node)
{
    uint32_t place = place_of(m, node);

    m->nodes[place] = NULL;
    if (--m->count == 0) {
        free(m->nodes);
        m->nodes = NULL;
        m->first = m->end = 0;
        return;
    }
    while (!m->nodes[m->first])
        m->first++;
}

struct map_node *map_next(const struct map *m, const struct map_node *node)
{
    size_t at = place_of(m, node) + 1;

    return map_walk(m, &at);
}
