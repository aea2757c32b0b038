/*
 * ids.h -- which loop has the session of an id that the program has made
 * (options.generate_id), when there are several loops. Our own ids say it
 * themselves: see eng_set_home().
 *
 *   session_new() --add, remove--> ids <--find-- whoever routes a request
 *
 * Any thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_ENGINE_IDS_H
#define SRC_ENGINE_IDS_H

#include "protocol/base/map.h"

#include <pthread.h>

struct eng_ids {
    pthread_mutex_t lock;
    struct map homes; /* by id */
};

/* SIO_OK or SIO_E_SYS (no randomness); to be destroyed in any case. */
int eng_ids_init(struct eng_ids *ids);
void eng_ids_destroy(struct eng_ids *ids);

/* SIO_OK, SIO_E_STATE (some loop has it) or SIO_E_NOMEM. */
int eng_ids_add(struct eng_ids *ids, sio_str id, unsigned home);
/* It must be there. */
void eng_ids_remove(struct eng_ids *ids, sio_str id);

/* The loop's number; -1: none has it. */
int eng_ids_find(struct eng_ids *ids, sio_str id);

#endif
