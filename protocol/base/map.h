/*
 * map.h -- hash map from byte strings to objects that embed a map_node.
 *
 * Keys often come from peers (session ids, rooms), so the hash is SipHash-1-3
 * keyed by a seed that the owner draws at random: nobody outside can aim for
 * one bucket. Iteration is in insertion order.
 *
 * There are nodes of it in each client that is connected, so they are small:
 * what leads to them is one block of the map,
 *
 *   nodes  in insertion order; NULL: that one was removed
 *   slots  by hash: where in `nodes`, counted from 1; 0: free. The bits above
 *          those of the mask are the hash's, so that a search seldom looks at
 *          a node that is not the one
 *
 * A slot stays taken when its node is removed, until the block is full and made
 * anew. So the next free one is always the end of a search.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef PROTOCOL_BASE_MAP_H
#define PROTOCOL_BASE_MAP_H

#include <sio/types.h>

struct map_node {
    const char *key;
    uint32_t len;
    uint32_t hash;
};

struct map {
    struct map_node **nodes; /* the block; NULL: the map is empty */
    uint32_t *slots;         /* in it, behind them */
    uint32_t mask;           /* of the number of slots */
    uint32_t first, end;     /* of `nodes`: what is in use */
    uint32_t count;
    uint64_t seed[2];
};

void map_init(struct map *m, const uint64_t seed[2]);

/* NULL when absent. */
struct map_node *map_find(const struct map *m, sio_str key);

/* key stays the caller's and must live as long as the node is in the map.
 * SIO_OK, SIO_E_STATE (the key is there already), SIO_E_LIMIT (a key of 4 GiB
 * and more) or SIO_E_NOMEM; a call that fails leaves the map as it was. */
int map_add(struct map *m, struct map_node *node, sio_str key);

/* The node must be in the map. Removing the last one frees the block. */
void map_remove(struct map *m, struct map_node *node);

/* Most have left: give back what they needed. O(1) where they have not, nothing
 * where there is no memory for a smaller block. map_add() does it as well; not
 * during a walk. */
void map_fit(struct map *m);

static inline size_t map_count(const struct map *m)
{
    return m->count;
}

static inline sio_str map_key(const struct map_node *node)
{
    return (sio_str){ node->key, node->len };
}

/* Of a node in no map: what map_key() tells all the same. One that was removed
 * keeps its key. */
static inline void map_set_key(struct map_node *node, sio_str key)
{
    node->key = key.p;
    node->len = (uint32_t)key.n;
}

static inline struct map_node *map_first(const struct map *m)
{
    return m->count ? m->nodes[m->first] : NULL;
}

/* The one behind `node`, which must be in the map; NULL: it is the last. */
struct map_node *map_next(const struct map *m, const struct map_node *node);

/* Faster, over all: *at is map_begin() at first; NULL at the end. Meanwhile
 * nodes may be removed, but none be added. */
static inline size_t map_begin(const struct map *m)
{
    return m->first;
}

static inline struct map_node *map_walk(const struct map *m, size_t *at)
{
    struct map_node *node = NULL;

    while (!node && *at < m->end)
        node = m->nodes[(*at)++];
    return node;
}

/* SipHash-1-3 of `key`. */
uint64_t map_hash(const uint64_t seed[2], sio_str key);

#endif
