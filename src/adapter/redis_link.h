/*
 * redis_link.h -- one connection to one Redis server: kept up, commands and
 * their answers in order.
 *
 *   WAITING --back-off--> DIALING --connected--> SETUP --PONG--> UP
 *      ^                     |                     |              |
 *      +-------- on_down() --+---------------------+--------------+
 *
 * SETUP is TLS, AUTH, SELECT, PING. What is asked for before UP waits, until
 * its time is over. A server that does not answer a command in its time is
 * given up, so that one which hangs is found out; when nothing is asked, it is
 * pinged.
 *
 * RESP2, which every Redis and Valkey speaks: a connection with subscriptions
 * can do nothing else, and answers and messages share it. Loop thread only.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_ADAPTER_REDIS_LINK_H
#define SRC_ADAPTER_REDIS_LINK_H

#include "src/adapter/redis_command.h"
#include "src/net/conn.h"
#include "src/net/dial.h"

#define REDIS_LINGER_MS \
    1000 /* a closed link: for what is still to be written */

enum redis_link_state {
    REDIS_LINK_WAITING,
    REDIS_LINK_DIALING,
    REDIS_LINK_SETUP,
    REDIS_LINK_UP,
    REDIS_LINK_CLOSED
};

struct redis_link_ops {
    /* Ready. What has waited is sent behind what this call sends. */
    void (*on_up)(void *self, struct redis_link *link);
    /* It was up, or another try has failed; link->why says why. The next try
     * comes by itself. Sent commands end after this. */
    void (*on_down)(void *self, struct redis_link *link);
    /* A reply: true when it is no answer to `head` (NULL: none is awaited) but
     * a message. NULL: there are no messages. */
    bool (*on_push)(void *self, struct redis_link *link,
                    struct redis_command *head,
                    const struct redis_reply *reply);
    /* An error as the answer to a routed command: true when it was sent on
     * to somewhere else. */
    bool (*on_redirect)(void *self, struct redis_link *link,
                        struct redis_command *c,
                        const struct redis_reply *reply);
};

struct redis_link {
    struct redis_shared *shared;
    const struct redis_link_ops *ops;
    void *self;
    const char *host; /* as net_dial() takes it; borrowed */
    uint16_t port;
    enum redis_link_state state;
    bool failing; /* its last try has failed, or its connection was lost */
    unsigned tries;
    struct net_dial *dial;
    struct net_conn *conn;
    struct redis_reader *reader;
    struct list waiting, sent; /* commands */
    struct net_alarm alarm;    /* the next try, the end of the set-up, a ping */
    struct net_timer fallback; /* where that one could not be started */
    uint64_t begun_ms, up_ms;
    unsigned step,
        steps;       /* of the set-up: answers that have come, of how many */
    uint64_t pushes; /* messages that have come */
    char tls_why[REDIS_WHY];
    char why[REDIS_WHY]; /* of the last failure */
    struct net_deferred cleanup;
};

/* Begin with the first try. NULL: out of memory. */
struct redis_link *redis_link_new(struct redis_shared *shared, const char *host,
                                  uint16_t port,
                                  const struct redis_link_ops *ops, void *self);

/* What is queued is written, if the server takes it. Commands without an answer
 * end with SIO_E_STATE, from within this. No more callbacks of the link. */
void redis_link_close(struct redis_link *link);

/* Ask. slot: that of its key; < 0: it does not follow redirections. SIO_OK, or
 * SIO_E_LIMIT, SIO_E_NOMEM, SIO_E_STATE (closed). */
int redis_link_command(struct redis_link *link, const sio_str *argv,
                       size_t argc, int slot, redis_on_reply *on_reply,
                       void *self);

/* Give it a command that has its bytes, of this link or another one. */
void redis_link_take(struct redis_link *link, struct redis_command *c);

/* Before the first link, and when all are closed. */
void redis_timers_init(struct redis_shared *shared);
void redis_timers_close(struct redis_shared *shared);

#endif
