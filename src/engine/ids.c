/*
 * ids.c -- see ids.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/engine/ids.h"

#include "protocol/base/list.h"
#include "src/net/random.h"

#include <stdlib.h>
#include <string.h>

struct place {
    struct map_node node; /* in ids->homes */
    unsigned home;
    char id[];
};

int eng_ids_init(struct eng_ids *ids)
{
    uint64_t seed[2] = { 0 };
    int r = net_random(seed, sizeof seed);

    pthread_mutex_init(&ids->lock, NULL);
    map_init(&ids->homes, seed);
    return r;
}

void eng_ids_destroy(struct eng_ids *ids)
{
    pthread_mutex_destroy(&ids->lock);
}

int eng_ids_add(struct eng_ids *ids, sio_str id, unsigned home)
{
    struct place *p = malloc(sizeof *p + id.n);
    int r;

    if (!p)
        return SIO_E_NOMEM;
    p->home = home;
    memcpy(p->id, id.p, id.n);
    pthread_mutex_lock(&ids->lock);
    r = map_add(&ids->homes, &p->node, (sio_str){ p->id, id.n });
    pthread_mutex_unlock(&ids->lock);
    if (r < 0)
        free(p);
    return r;
}

void eng_ids_remove(struct eng_ids *ids, sio_str id)
{
    struct map_node *node;

    pthread_mutex_lock(&ids->lock);
    node = map_find(&ids->homes, id);
    map_remove(&ids->homes, node);
    pthread_mutex_unlock(&ids->lock);
    free(container_of(node, struct place, node));
}

int eng_ids_find(struct eng_ids *ids, sio_str id)
{
    struct map_node *node;
    int home = -1;

    pthread_mutex_lock(&ids->lock);
    node = map_find(&ids->homes, id);
    if (node)
        home = (int)container_of(node, struct place, node)->home;
    pthread_mutex_unlock(&ids->lock);
    return home;
}
