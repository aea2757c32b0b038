/*
 * redis_emitter.h -- what the files of the emitter share.
 *
 *   <sio/emitter.h> --> redis_emission.c   a message, written as a command
 *                   --> emitter_say()      in the calling thread
 *   mail            --> redis_emitter.c    on the emitter's loop --> Redis
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_ADAPTER_REDIS_EMITTER_H
#define SRC_ADAPTER_REDIS_EMITTER_H

#include "protocol/redis/message.h"
#include "src/adapter/redis_transport.h"

#include <sio/emitter.h>

#define EMITTER_WORDS 16       /* of a command */
#define EMITTER_ROOMS_MAX 1024 /* rooms to join or leave in one call */

/* A command on its way. */
struct emitter_message {
    struct net_mail mail;
    struct list node; /* in emitter->open */
    sio_emitter *emitter;
    uint64_t number; /* as they were said */
    size_t bytes;
    size_t argc, key; /* key: the word that decides who is asked */
    sio_str argv[EMITTER_WORDS];
    char text[];
};

struct sio_emitter {
    sio_redis_options options; /* strings in `strings` */
    struct arena strings;
    sio_log_fn log;
    void *log_user;
    struct net_loop loop;
    bool threaded;
    pthread_t thread;
    struct redis *redis;
    enum redis_state said;      /* loop: the state that was logged last */
    uint64_t unsaid, warned_ms; /* loop: losses without a line of the log */

    pthread_mutex_t lock; /* for what follows */
    pthread_cond_t ended; /* a message has ended */
    struct list open;     /* messages, in the order in which they were said */
    uint64_t numbers;
    size_t pending, queued;
    uint64_t sent, dropped;
    bool lost; /* something, since the last flush */
    sio_cluster_state state;
};

/* Have it sent: `argv` is copied. SIO_OK, SIO_E_LIMIT, SIO_E_NOMEM. */
int emitter_say(sio_emitter *e, const sio_str *argv, size_t argc, size_t key);

#endif
