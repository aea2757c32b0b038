/*
 * hub.h -- Socket.IO's objects, and what the files of src/socketio share.
 *
 *   engine session --> client --> namespace --> socket --> handler
 *        (client.c)              (namespace.c)  (socket.c)  (dispatch.c)
 *
 *   handler --> emit.c --> one packet --> adapter --> socket --> session
 *
 *   hub    what a server has once: namespaces, options
 *   shard  what each loop has: its engine's clients, scratch space, counters
 *   part   what a namespace has on each loop: the adapter's instance
 *
 * A client, its sockets and their rooms belong to one shard and are touched on
 * its loop only.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_SOCKETIO_HUB_H
#define SRC_SOCKETIO_HUB_H

#include <sio/adapter.h>
#include <sio/emit.h>

#include "protocol/base/arena.h"
#include "protocol/base/map.h"
#include "protocol/socketio/encode.h"
#include "protocol/socketio/packet.h"
#include "src/engine/engine.h"

#include <stdatomic.h>

#define SO_ID_LEN NET_ID_LEN /* characters of an id; but see client2.h */
#define SO_BATCH 32          /* events decoded before they are dispatched */
#define SO_PARTIAL_MS 60000  /* for the next attachment of a packet to come */
#define SO_LEFT 4            /* namespaces remembered after sio_disconnect() */
#define SO_SCRATCH_KEEP 65536u /* bytes of scratch kept between packets */

struct so_options {
    uint32_t connect_timeout_ms;
    struct sp_limits limits;
    size_t max_packet; /* bytes of one encoded packet's text */
};

/* A registered function; each list is called in order. */
struct so_handler {
    struct so_handler *next;
    void (*fn)(void); /* cast to what its list holds */
    void *user;
};

/* A walk goes from `at` to where the list ends now: what handlers register on
 * the way is called from the next time on. */
struct so_walk {
    const struct so_handler *at, *last;
};

static inline struct so_walk so_walk_from(const struct so_handler *first)
{
    struct so_walk walk = { first, first };

    while (walk.last && walk.last->next)
        walk.last = walk.last->next;
    return walk;
}

/* The next handler, NULL at the end. */
static inline const struct so_handler *so_walk_next(struct so_walk *walk)
{
    const struct so_handler *h = walk->at;

    if (h)
        walk->at = h == walk->last ? NULL : h->next;
    return h;
}

struct so_part {
    sio_namespace *nsp;
    struct so_shard *shard;
    sio_adapter_host host;
    void *adapter;
    size_t socket_count; /* connected */
};

struct sio_namespace {
    struct map_node node; /* in hub->namespaces */
    struct so_hub *hub;
    struct map events; /* struct so_event_handlers, by event name */
    struct so_handler *on_connection, *on_disconnecting, *on_disconnect,
        *on_unhandled, *middlewares;
    atomic_llong next_ack_id;
    struct so_part part; /* one loop for now: one part */
    char name[];
};

/* A binary packet whose attachments are still arriving. Slices point into the
 * input of this batch until so_partial_pin() copied what they need. */
struct so_partial {
    struct sp_packet packet;
    uint8_t *text;         /* the copy, or NULL */
    size_t bytes;          /* that were copied */
    uint32_t have, copied; /* attachments; the first `copied` are ours */
    sio_str attachments[]; /* packet.attachments of them */
};

enum so_socket_state { SO_CONNECTING, SO_CONNECTED, SO_GONE };

struct sio_socket {
    atomic_uint refs;
    enum so_socket_state state;
    bool leaving; /* on the way out: so_socket_leave() runs or ran */
    bool v2;      /* its client speaks Socket.IO 2: see client2.h */
    uint32_t id_len;
    struct list node;         /* in client->sockets */
    struct so_client *client; /* NULL once the socket is gone */
    struct so_part *part;
    void *slot;       /* the adapter's */
    struct list acks; /* struct so_ack: answers that are waited for */
    sio_str auth;     /* owned; JSON object */
    char *address;    /* made when asked for */
    void *data;
    void (*free_data)(void *data);
    struct net_deferred cleanup;
    char id[];
};

struct so_client {
    struct so_shard *shard;
    struct eng_session *session;
    struct list sockets; /* in the order of their CONNECT packets */
    struct so_partial *partial;
    struct net_timer timer; /* until it joins, or its packet is whole */
    bool deaf; /* it broke the rules: nothing more is read from it */
    /* Namespaces that the server has made it leave: what is still under way for
     * them is no offence. The oldest makes room. */
    const sio_namespace *left[SO_LEFT];
    uint8_t left_next;
    struct net_deferred cleanup;
};

/* Where the walk over an event's arguments has come to. */
struct so_cursor {
    size_t next, pos; /* the element that comes next, and where it begins */
};

/* A received event, or the answers to one of ours. */
struct sio_event {
    sio_socket *socket; /* NULL: answers of several sockets */
    struct sp_packet packet;
    size_t first; /* index of the first argument: 1 behind an event's name */
    const sio_str *attachments;
    size_t attachment_count;
    bool acked;
    struct so_partial *partial; /* released with the event */
    struct arena arena;
    struct so_tree *trees;
    const char *name;
    struct so_cursor cursor;
};

struct so_shard {
    struct so_hub *hub;
    struct net_loop *loop;
    struct engine engine;
    struct net_timer_queue connect_timeouts, partial_timeouts;
    struct list questions;     /* of ack.c: what sio_emit_ack() waits for */
    struct map acks;           /* of ack.c: by socket and id */
    struct grow scratch;       /* one packet being encoded */
    struct sp_attachments bin; /* its attachments */
    struct so_partial *spare;  /* for the next binary packet */
    struct sio_event batch[SO_BATCH];
    size_t batch_count;
    struct so_client *batch_client; /* whose events they are: one input's */
    bool dispatching;
    uint32_t id_counter;
    size_t client_count, socket_count, ack_count;
    uint64_t events_in, events_out;
};

struct so_hub {
    struct so_options options;
    const sio_adapter_ops *adapter;
    struct map namespaces;
    uint64_t seed[2];
    struct so_shard shard; /* one loop for now: one shard */
    void (*log)(void *self, sio_log_level level, const char *message);
    void *log_self;
};

/* --- hub.c --- */

/* The hub's engine answers under options->path of `engine_options`. */
int so_hub_init(struct so_hub *hub, struct net_loop *loop,
                const struct so_options *options,
                const struct eng_options *engine_options,
                const sio_adapter_ops *adapter);
/* Every session closes with "server shutting down". */
void so_hub_shut(struct so_hub *hub);
void so_hub_destroy(struct so_hub *hub);
__attribute__((format(printf, 3, 4))) void
so_log(struct so_hub *hub, sio_log_level level, const char *fmt, ...);

/* --- namespace.c --- */
sio_namespace *so_namespace_get(struct so_hub *hub, const char *name);
sio_namespace *so_namespace_find(struct so_hub *hub, sio_str name);
const struct so_handler *so_event_handlers(const sio_namespace *nsp,
                                           sio_str event);
void so_namespace_free(sio_namespace *nsp);

/* --- client.c: what comes from the engine --- */
extern const struct eng_ops so_engine_ops;
void so_connect_timed_out(struct net_timer *timer);
void so_partial_timed_out(struct net_timer *timer);
/* The client broke a rule of state (socketio.md 2.5): close all of it. */
void so_client_violation(struct so_client *client, const char *why);
sio_socket *so_client_socket(const struct so_client *client, sio_str nsp);
void so_client_note_left(struct so_client *client, const sio_namespace *nsp);
void so_client_send(struct so_client *client, enum sp_type type, sio_str nsp,
                    sio_str json);

/* --- dispatch.c: decoded events, run after their batch --- */

/* The slot to decode the next packet into; runs the batch when it is full. */
struct sio_event *so_batch_next(struct so_shard *shard);
/* Keep the slot: it holds an event that so_event_init() has made. */
void so_batch_push(struct so_client *client);
/* The client is gone before its batch was run: a handler closed it while its
 * input was decoded. */
void so_batch_drop(struct so_client *client);
void so_dispatch(struct so_shard *shard);

/* --- event.c --- */
/* Everything but packet, attachments and partial. */
void so_event_init(struct sio_event *event, sio_socket *socket, size_t first);
void so_event_release(struct sio_event *event);

/* --- partial.c --- */
struct so_partial *so_partial_new(struct so_shard *shard,
                                  const struct sp_packet *packet);
/* Copy what still lies in the batch's input: 1, or 0 when nothing does.
 * SIO_E_NOMEM; SIO_E_LIMIT (more input is unfinished than the server may hold).
 */
int so_partial_pin(struct so_shard *shard, struct so_partial *p);
void so_partial_free(struct so_shard *shard, struct so_partial *p);

/* --- socket.c --- */
void so_socket_connect(struct so_client *client, const struct sp_packet *p);
/* Leave the namespace: handlers, rooms, pending answers. */
void so_socket_leave(sio_socket *socket, const char *reason);
void so_socket_deliver(void *part, sio_socket *socket, sio_packet *packet,
                       unsigned flags);
int so_socket_attach(sio_socket *socket); /* to the adapter */

/* --- ack.c --- */
void so_ack_received(sio_socket *socket, struct sio_event *answer);
void so_acks_abandon(sio_socket *socket);
void so_questions_end(struct so_shard *shard);

/* --- emit.c --- */
/* Encode into shard->scratch, Engine.IO's "4" first; attachments to bin. */
int so_encode(struct so_shard *shard, const struct sp_message *m);
void so_send_scratch(struct so_shard *shard, struct eng_session *session,
                     bool compress);
void so_scratch_done(struct so_shard *shard);
/* Encode for sharing. Any thread. */
int so_make_packet(struct so_hub *hub, const struct sp_message *m,
                   struct sio_packet **packet);
int so_message_init(struct sp_message *m, const sio_namespace *nsp,
                    const char *event, const sio_value *values, size_t count);
/* The target as the adapter takes it; strings into `rooms` (2 *
 * SIO_TARGET_ROOMS + 1 of them). */
void so_target_options(const sio_target *target, sio_broadcast_options *o,
                       sio_str *rooms);

#endif
