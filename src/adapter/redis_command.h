/*
 * redis_command.h -- one command on its way to a Redis server, and what all
 * connections of one client share.
 *
 *   redis_conn.c, redis_subs.c --> struct redis_command --> redis_link.c
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_ADAPTER_REDIS_COMMAND_H
#define SRC_ADAPTER_REDIS_COMMAND_H

#include "protocol/base/arena.h"
#include "protocol/base/buf.h"
#include "protocol/base/list.h"
#include "src/adapter/redis_reply.h"
#include "src/net/loop.h"

#define REDIS_WHY 192           /* bytes of a reason, with its NUL */
#define REDIS_SPARE_COMMANDS 64 /* kept by a client to be used again */

struct net_tls_client;
struct redis_link;

/*
 * The answer. Once for each command, never from within the call that gave it.
 *
 * status  SIO_OK: `reply` (of type REDIS_ERROR, too), good during the call
 *         SIO_E_TIMEOUT: none in time
 *         SIO_E_STATE: the connection was lost: the command may have been done,
 *         or not; or the client was closed
 *         SIO_E_LIMIT: the answer is longer than max_reply, which has ended the
 *         connection
 */
typedef void redis_on_reply(void *self, int status,
                            const struct redis_reply *reply);

struct redis_command {
    struct list node; /* of a link: waiting or sent; of the spare ones */
    struct net_timer timeout; /* from its beginning to its answer */
    struct redis_link *link;
    redis_on_reply *on_reply; /* may be NULL */
    void *self;
    struct buf *bytes; /* to be sent, or sent again; NULL: written already */
    size_t cost;       /* bytes it counts for until its answer has come */
    bool sent;
    bool routed; /* follows redirections: keeps its bytes */
    bool asking; /* "ASKING" has to go before it */
    bool skip;   /* the answer to that comes before its own */
    uint8_t redirects;
    uint16_t slot; /* of its key, if routed */
};

/* What the links of a client have in common. */
struct redis_shared {
    struct net_loop *loop;
    const char *user, *password; /* NULL: none */
    unsigned db;
    struct net_tls_client *tls; /* NULL: plain */
    uint32_t connect_ms, command_ms, ping_ms, backoff_min_ms, backoff_max_ms;
    size_t max_queued; /* bytes of commands without an answer */
    size_t max_reply;  /* bytes of one reply */

    struct net_timer_queue timeouts;  /* of commands */
    struct net_timer_queue fallbacks; /* of links: see redis_link.c */
    struct list spare;
    size_t spare_count;

    size_t queued; /* bytes of commands without an answer */
    uint64_t connects, failures, commands, failed, dropped, redirects;
};

/* Length of the command as RESP, and the bytes themselves. */
size_t redis_encoded_size(const sio_str *argv, size_t argc);
void redis_encode(char *out, const sio_str *argv, size_t argc);

/* A command that counts for that many bytes. SIO_E_LIMIT: too many wait, or
 * SIO_E_NOMEM; either is counted as dropped. */
int redis_command_new(struct redis_shared *s, size_t bytes,
                      redis_on_reply *on_reply, void *self,
                      struct redis_command **out);

/* It is over: it leaves its list and is used again; its owner is told. */
void redis_command_end(struct redis_shared *s, struct redis_command *c,
                       int status, const struct redis_reply *reply);

void redis_spare_free(struct redis_shared *s);

#endif
