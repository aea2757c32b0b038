/*
 * map.c -- see map.h. uthash keeps the table; the hash is ours.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/base/map.h"

#include <endian.h>
#include <limits.h>
#include <string.h>

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

static struct map_node *find(const struct map *m, sio_str key, unsigned hash)
{
    struct map_node *node;

    HASH_FIND_BYHASHVALUE(hh, m->nodes, key.p, key.n, hash, node);
    return node;
}

/* uthash hands key.p to memcmp(), which may not see NULL even for 0 bytes. */
static sio_str never_null(sio_str key)
{
    return key.p ? key : (sio_str){ "", 0 };
}

struct map_node *map_find(const struct map *m, sio_str key)
{
    if (!m->nodes) /* spare an empty map the hash */
        return NULL;
    return find(m, never_null(key), (unsigned)map_hash(m->seed, key));
}

int map_add(struct map *m, struct map_node *node, sio_str key)
{
    unsigned hash;

    if (key.n > UINT_MAX) /* what uthash counts lengths in */
        return SIO_E_LIMIT;
    key = never_null(key);
    hash = (unsigned)map_hash(m->seed, key);
    if (find(m, key, hash))
        return SIO_E_STATE;
    HASH_ADD_KEYPTR_BYHASHVALUE(hh, m->nodes, key.p, key.n, hash, node);
    /* On failure uthash has taken the node out again and says so here. */
    return node->hh.tbl ? SIO_OK : SIO_E_NOMEM;
}

void map_remove(struct map *m, struct map_node *node)
{
    HASH_DELETE(hh, m->nodes, node);
}

size_t map_count(const struct map *m)
{
    return HASH_COUNT(m->nodes);
}
