/*
 * map.h -- hash map from byte strings to objects that embed a map_node.
 *
 * Keys often come from peers (session ids, rooms), so the hash is SipHash-1-3
 * keyed by a seed that the owner draws at random: nobody outside can aim for
 * one bucket. Iteration is in insertion order. The table is uthash's.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef PROTOCOL_BASE_MAP_H
#define PROTOCOL_BASE_MAP_H

#include <sio/types.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

struct map_node {
    UT_hash_handle hh;
};

struct map {
    struct map_node *nodes;
    uint64_t seed[2];
};

void map_init(struct map *m, const uint64_t seed[2]);

/* NULL when absent. */
struct map_node *map_find(const struct map *m, sio_str key);

/* key stays the caller's and must live as long as the node is in the map.
 * SIO_OK, SIO_E_STATE (the key is there already), SIO_E_LIMIT (a key of 4 GiB
 * and more) or SIO_E_NOMEM; a call that fails leaves the map as it was. */
int map_add(struct map *m, struct map_node *node, sio_str key);

/* The node must be in the map. Removing the last one frees the table. */
void map_remove(struct map *m, struct map_node *node);

size_t map_count(const struct map *m);

static inline sio_str map_key(const struct map_node *node)
{
    return (sio_str){ (const char *)node->hh.key, node->hh.keylen };
}

/* Of a node in no map: what map_key() tells all the same. One that was removed
 * keeps its key. */
static inline void map_set_key(struct map_node *node, sio_str key)
{
    node->hh.key = (void *)(uintptr_t)key.p;
    node->hh.keylen = (unsigned)key.n;
}

static inline struct map_node *map_first(const struct map *m)
{
    return m->nodes;
}

/* Get the successor before removing `node`. */
static inline struct map_node *map_next(const struct map_node *node)
{
    return (struct map_node *)node->hh.next;
}

/* SipHash-1-3 of `key`. */
uint64_t map_hash(const uint64_t seed[2], sio_str key);

#endif
