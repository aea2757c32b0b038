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
#include <sio/namespace.h>
#include <sio/parser.h>
#include <sio/stats.h>

#include "protocol/base/arena.h"
#include "protocol/base/map.h"
#include "protocol/socketio/encode.h"
#include "protocol/socketio/packet.h"
#include "src/engine/engine.h"

#include <pthread.h>
#include <stdatomic.h>

#define SO_ID_LEN NET_ID_LEN /* characters of an id; but see client2.h */
#define SO_BATCH 32          /* events decoded before they are dispatched */
#define SO_PARTIAL_MS 60000  /* for the next attachment of a packet to come */
#define SO_LEFT 4            /* namespaces remembered after sio_disconnect() */
#define SO_SCRATCH_KEEP 65536u /* bytes of scratch kept between packets */

/* How many sio_close_reason there are. */
enum { SO_REASONS = SIO_CLOSE_SERVER_DISCONNECT + 1 };

struct so_options {
    uint32_t connect_timeout_ms;
    struct sp_limits limits;
    size_t max_packet;        /* bytes of one encoded packet's first message */
    const sio_parser *parser; /* NULL: JSON text */
    uint32_t recovery_ms;  /* how long sockets may come back; 0: not at all */
    size_t recovery_bytes; /* of what is kept for that */
    bool recovery_abroad;  /* by the adapter of the cluster, not in memory */
    bool recovery_skips;   /* middlewares are not asked again */
    bool cleanup_children;
    uint32_t max_children;        /* dynamic namespaces of the server */
    uint32_t max_client_children; /* of them, joined by one client */
};

/* Something that goes once round all loops, in their order, to be freed: each
 * has then ended what it was doing when the tour began. */
struct so_tour {
    struct net_mail mail;
    struct so_shard *shard; /* where it is */
    void (*visit)(struct so_tour *tour, struct so_shard *shard); /* or NULL */
    void (*end)(struct so_tour *tour);
};

/* A registered function; each list is called in order.
 *
 * Every loop walks the lists without a lock. Whoever adds or takes away has
 * hub->lock; what was taken away leads on to what was behind it until every
 * loop has been in its mailbox once more, where no walk is under way. */
struct so_handler {
    _Atomic(struct so_handler *) next;
    _Atomic(void (*)(void)) fn; /* to be cast to what its list holds */
    void *user;
    struct so_tour tour; /* it was taken away */
};

struct so_handlers {
    _Atomic(struct so_handler *) first;
};

static inline struct so_handler *so_first(const struct so_handlers *list)
{
    return atomic_load_explicit(&list->first, memory_order_acquire);
}

static inline struct so_handler *so_next_of(const struct so_handler *handler)
{
    return atomic_load_explicit(&handler->next, memory_order_acquire);
}

/* A walk goes over one list, then over another, from `at` to where each ends
 * now: what handlers register on the way is called from the next time on. */
struct so_walk {
    const struct so_handler *at, *last, *then, *then_last;
};

static inline const struct so_handler *
so_walk_end(const struct so_handler *handler)
{
    const struct so_handler *next;

    while (handler && (next = so_next_of(handler)))
        handler = next;
    return handler;
}

static inline struct so_walk so_walk_both(const struct so_handler *first,
                                          const struct so_handler *second)
{
    if (!first)
        return (struct so_walk){ second, so_walk_end(second), NULL, NULL };
    return (struct so_walk){ first, so_walk_end(first), second,
                             so_walk_end(second) };
}

/* The handlers of one kind: those of a child's parent, then its own. */
#define so_walk_of(nsp, list)                                           \
    so_walk_both((nsp)->parent ? so_first(&(nsp)->parent->list) : NULL, \
                 so_first(&(nsp)->list))

/* The next handler, NULL at the end. The one that was the last may have been
 * taken away meanwhile. */
static inline const struct so_handler *so_walk_next(struct so_walk *walk)
{
    const struct so_handler *h = walk->at;

    if (!h)
        return NULL;
    walk->at = h != walk->last ? so_next_of(h) : NULL;
    if (!walk->at) {
        walk->at = walk->then;
        walk->last = walk->then_last;
        walk->then = NULL;
    }
    return h;
}

/* The function of a handler, as its list has it. */
#define SO_FN(type, handler) \
    ((type)atomic_load_explicit(&(handler)->fn, memory_order_relaxed))

/* Counters that any thread may read; only their own loop writes them. */
#define SO_COUNT(counter, n)                                          \
    atomic_store_explicit(                                            \
        &(counter),                                                   \
        atomic_load_explicit(&(counter), memory_order_relaxed) + (n), \
        memory_order_relaxed)

struct so_part {
    sio_namespace *nsp;
    struct so_shard *shard;
    sio_adapter_host host;
    const sio_adapter_ops *ops; /* so_no_adapter: of a namespace without one */
    void *adapter;
    atomic_size_t socket_count; /* connected */
    atomic_size_t members;      /* also those not let in yet */
};

/*
 *   STATIC   sio_of(): as long as the hub
 *   PARENT   a rule by which children are made: no client is ever in it
 *   PENDING  a name that a client has asked for: a parent's rule is deciding
 *   CHILD    made by a rule; see dynamic.c
 *   CLOSED   a child that was cleaned up, or never came to be: an empty shell
 *            that whoever still points at it can ask for its name
 */
enum so_kind { SO_STATIC, SO_PARENT, SO_PENDING, SO_CHILD, SO_CLOSED };

struct sio_namespace {
    struct map_node node; /* in hub->namespaces, or hub->parents; a shell is in
                             none, but keeps its key */
    struct so_hub *hub;
    _Atomic(enum so_kind) kind;
    atomic_uint refs;    /* hub, sockets, mail, clients' `left`, program */
    atomic_uint kept;    /* of them, the program's: it is not cleaned up */
    struct so_tour tour; /* it is closed */
    /* Not NULL: made by the loop of that shard in this turn of it, which may
     * want to register handlers before others let clients in. */
    _Atomic(struct so_shard *) maker;
    struct net_deferred reveal;
    sio_namespace *parent;      /* whose handlers count here, too; or NULL */
    struct list children;       /* of a parent; of a child: its node there */
    const struct so_rule *rule; /* of a parent */
    struct so_log *log;         /* see recovery.h; NULL: none */
    atomic_size_t members;      /* sockets, also those not let in yet */
    _Atomic(struct so_events *) events; /* handlers.c */
    struct so_handlers on_connection, on_disconnecting, on_disconnect,
        on_unhandled, on_room, on_any, on_any_outgoing, on_error, middlewares,
        event_middlewares;
    struct net_mail cluster_mail; /* it is opened; see cluster.c */
    struct map_node cluster_node; /* in cluster->namespaces, while: */
    bool in_cluster;              /* the adapter knows it; of the main loop */
    struct map cluster_rooms;     /* of the main loop */
    _Atomic(struct so_named *) on_server; /* server_event.c */
    atomic_bool watched;  /* on_any or event_middlewares are not empty */
    atomic_bool outgoing; /* on_any_outgoing is not empty */
    atomic_llong next_ack_id;
    const char *name;       /* behind the parts */
    struct so_part parts[]; /* one per shard, in their order */
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
    uint16_t waiting; /* its events that middlewares decide about */
    uint8_t state;    /* enum so_socket_state */
    bool leaving : 1; /* on the way out: so_socket_leave() runs or ran */
    bool v2 : 1;      /* its client speaks Socket.IO 2: see client2.h */
    union {
        struct list node; /* in client->sockets, until it leaves */
        struct net_deferred cleanup;
    };
    struct so_client *client; /* NULL once the socket is gone */
    struct so_part *part;
    void *slot;         /* the adapter's */
    struct so_few *few; /* NULL: it has none of that */
    void *data;
    void (*free_data)(void *data);
    struct so_resume *resume; /* NULL: recovery is off, or not for it */
    uint64_t issued_ms;       /* wall clock, ms since the epoch */
    uint32_t id_len;
    uint32_t auth_len; /* bytes of JSON text behind the id; 0: {} */
    char id[];         /* NUL, auth; the block ends there */
};

/* What few sockets have, or only some programs ask for. */
struct so_few {
    struct list acks;          /* struct so_ack: answers that are waited for */
    struct so_text *data_json; /* NULL: {} */
    char address[NET_ADDRESS_TEXT]; /* "": nobody has asked for it */
};

/* A text with its length, in one block. */
struct so_text {
    size_t n;
    char p[];
};

/* Namespaces that the server has made a client leave: what is still under way
 * for them is no offence. The oldest makes room. */
struct so_left {
    sio_namespace *nsps[SO_LEFT]; /* referenced */
    uint8_t next;
};

/* What each event needs comes first, so that it is on as few cache lines as
 * there may be; the same of struct sio_socket and what lies below. */
struct so_client {
    struct so_shard *shard;
    struct eng_session *session; /* NULL from the end of the turn it ended in */
    struct list sockets;         /* in the order of their CONNECT packets */
    /* Of a packet that more messages belong to; NULL: there is none. */
    union {
        void *unfinished;
        struct so_partial *partial; /* codec_json.c */
        void *parser_state;         /* codec_custom.c */
    };
    atomic_uint refs;  /* its session's, and answers that are owed */
    bool packet_timed; /* codec_custom.c: `timer` is of a packet */
    bool deaf;         /* it broke the rules: nothing more is read from it */
    union {
        struct net_timer timer; /* until it joins, or its packet is whole */
        struct net_deferred cleanup; /* its session is over */
    };
    struct so_left *left; /* NULL: it was not made to leave any */
};

/* Where the walk over an event's arguments has come to. */
struct so_cursor {
    size_t next, pos; /* the element that comes next, and where it begins */
};

/* A received event, or the answers to one of ours. */
struct sio_event {
    sio_socket *socket; /* NULL: answers of several sockets, or an event
                           of another server */
    struct so_server_call *call; /* that, when an answer is wanted; or NULL */
    const struct so_args *args;  /* who reads the slices in `packet` */
    struct sp_packet packet;
    size_t first; /* index of the first argument: 1 behind an event's name */
    const sio_str *attachments;
    size_t attachment_count;
    bool acked;
    struct so_partial *partial;   /* released with the event */
    struct so_replaced *replaced; /* what it was given instead, or NULL */
    struct arena arena;
    struct so_tree *trees;
    struct so_shadow *shadow; /* JSON text of arguments that are none */
    const char *name;
    struct so_cursor cursor;
};

/* What is kept for those who come back: see recovery.h. */
struct so_recovery {
    pthread_mutex_t lock; /* of this and all logs, when there are several loops;
                             nothing of the program's runs while it is held */
    struct list entries, sessions; /* of all namespaces, the oldest first */
    struct list *open; /* the first entry that some loop may not have executed
                          yet, or `entries`: there is none */
    atomic_size_t session_count, bytes;
    uint64_t numbers; /* entries so far */
};

/* What each loop has of that. */
struct so_comebacks {
    struct net_alarm alarm; /* something is too old */
    uint64_t executed;      /* entries so far, here */
    uint64_t late; /* up to this number, some socket here had them from the log
                      when it came back */
    _Atomic(uint64_t) recovered, refused;
};

struct so_shard {
    struct so_hub *hub;
    struct net_loop *loop;
    size_t index; /* in hub->shards, and of its parts */
    struct engine engine;
    struct net_timer_queue connect_timeouts, partial_timeouts;
    struct list questions;     /* of ask.c: what sio_emit_ack() waits for */
    struct list branches;      /* of ask.c: of questions of other loops */
    struct map acks;           /* of ask.c: by socket and id */
    struct list fetches;       /* of fetch.c */
    struct grow scratch;       /* one packet being encoded: its first message */
    struct sp_attachments bin; /* its attachments */
    struct so_partial *spare;  /* for the next binary packet */
    struct so_decision *spare_decision; /* for the next middleware of events */
    struct sio_event batch[SO_BATCH];
    size_t batch_count;
    struct so_client *batch_client; /* whose events they are: one input's */
    bool dispatching;
    /* While the sockets of a client learn that its session is over. */
    const struct so_client *leaving;
    const char *leaving_detail;
    struct so_comebacks comebacks;
    uint32_t id_counter;
    /* For SO_COUNT(). */
    atomic_size_t client_count, socket_count, ack_count;
    _Atomic(uint64_t) events_in, events_out, volatile_dropped;
    _Atomic(uint64_t) left[SO_REASONS]; /* sockets, by sio_close_reason */
};

struct so_cluster;
struct so_named;

struct so_hub {
    struct so_options options;
    const struct so_codec *codec; /* that of options.parser */
    bool binary;                  /* a packet's first message is */
    const sio_adapter_ops *adapter;
    /* For what is rare: making and finding namespaces, joining and closing
     * children, registering handlers. Recursive: handlers of new namespaces run
     * while it is held. */
    pthread_mutex_t lock;
    struct map namespaces;
    struct map parents;     /* in the order they were made */
    atomic_size_t children; /* namespaces CHILD and PENDING */
    uint32_t parents_made;  /* the number in the next one's name */
    struct so_handlers on_namespace;
    uint64_t seed[2];
    _Atomic(uint64_t) last_offset; /* see so_offset() */
    struct so_recovery recovery;
    struct so_shard *shards; /* one per loop */
    size_t shard_count;
    struct so_cluster *cluster; /* NULL: it is the only server */
    void (*log)(void *self, sio_log_level level, const char *message);
    void *log_self;
};

/* --- hub.c --- */

/* A shard for each of `count` loops, with an engine that answers under
 * options->path of `engine_options`. Until they run, the calling thread has
 * them all. */
int so_hub_init(struct so_hub *hub, struct net_loop *const *loops, size_t count,
                const struct so_options *options,
                const struct eng_options *engine_options,
                const sio_adapter_ops *adapter);
/* Every session of that loop closes with "server shutting down", whoever waits
 * for answers there hears it. On the loop. */
void so_shard_shut(struct so_shard *shard);
/* All of them: for one loop, or when the calling thread has them all. */
void so_hub_shut(struct so_hub *hub);
/* Close everything; the calling thread has all loops. What is posted and
 * deferred then, the loops still have to do: they are destroyed in their order.
 */
void so_hub_destroy(struct so_hub *hub);
/* The memory, once the loops are destroyed, or after so_hub_init() failed. */
void so_hub_free(struct so_hub *hub);

static inline void so_lock(const struct so_hub *hub)
{
    pthread_mutex_lock((pthread_mutex_t *)(uintptr_t)&hub->lock);
}

static inline void so_unlock(const struct so_hub *hub)
{
    pthread_mutex_unlock((pthread_mutex_t *)(uintptr_t)&hub->lock);
}

/* tour->visit and tour->end are set. */
void so_tour_begin(struct so_hub *hub, struct so_tour *tour);

/* The shard whose loop the calling thread runs; NULL: none of this hub. */
struct so_shard *so_here_of_many(const struct so_hub *hub);

static inline struct so_shard *so_here(const struct so_hub *hub)
{
    if (hub->shard_count > 1)
        return so_here_of_many(hub);
    return net_loop_is_current(hub->shards->loop) ? hub->shards : NULL;
}

static inline struct so_part *so_part_of(sio_namespace *nsp,
                                         const struct so_shard *shard)
{
    return &nsp->parts[shard->index];
}
__attribute__((format(printf, 3, 4))) void
so_log(struct so_hub *hub, sio_log_level level, const char *fmt, ...);

/* --- namespace.c --- */
sio_namespace *so_namespace_get(struct so_hub *hub, const char *name);
/* Good until the calling loop's next turn; NULL: there is none. */
sio_namespace *so_namespace_find(const struct so_hub *hub, sio_str name);
/* The same for a client that joins it, on `shard`: one member more. */
sio_namespace *so_namespace_enter(struct so_shard *shard, sio_str name);
void so_namespace_leave(sio_namespace *nsp);
/* An object of that name that nobody knows of and nothing is in yet. */
sio_namespace *so_namespace_new(struct so_hub *hub, sio_str name);
/* Make it one that clients can connect to. */
int so_namespace_open(sio_namespace *nsp, enum so_kind kind);
/* Tell those who want to hear of new namespaces. */
void so_namespace_announce(sio_namespace *nsp);
/* Forget it: once the last reference is gone so is the object. The caller has
 * the lock. */
void so_namespace_close(sio_namespace *nsp);
/* References to the memory: any thread. */
sio_namespace *so_namespace_ref(sio_namespace *nsp);
void so_namespace_unref(sio_namespace *nsp);
/* Each matching socket of the shard, which is the caller's, of every child when
 * `nsp` is a parent. Returns how many. */
size_t so_select(const struct so_shard *shard, sio_namespace *nsp,
                 const sio_broadcast_options *o,
                 void (*fn)(void *user, sio_socket *socket), void *user);
extern const sio_adapter_ops so_no_adapter;

/* --- cluster.c: other servers --- */

/* Before the hub is used; `ops` and `config` are the caller's. SIO_OK or
 * SIO_E_NOMEM. */
int so_cluster_init(struct so_hub *hub, const sio_cluster_ops *ops,
                    const void *config);
/* Begin, and end, to be one of them; nothing without a cluster. Both may be
 * called twice. On the main loop. SIO_OK; SIO_E_INVAL: see `why`. */
int so_cluster_open(struct so_hub *hub, char *why, size_t size);
void so_cluster_close(struct so_hub *hub);
void so_cluster_stats(const struct so_hub *hub, sio_cluster_stats *out);
/* A namespace is there from now on: any thread. It is no more: on the main
 * loop. */
void so_cluster_opened(sio_namespace *nsp);
void so_cluster_closed(sio_namespace *nsp);
/* A change that the adapter of `part` has told of. */
void so_cluster_room(const struct so_part *part, sio_room_change change,
                     sio_str room);

void so_cluster_rooms_free(sio_namespace *nsp);

/* --- server_event.c: events between servers --- */
void so_named_free(struct so_named *first);
struct so_server_call *so_call_ref(struct so_server_call *call);
void so_call_unref(struct so_server_call *call); /* NULL is allowed */
/* SIO_OK, SIO_E_NOMEM, what encoding returns. Any thread; once. */
int so_call_answer(struct so_server_call *call, const sio_value *values,
                   size_t count);

/* --- handlers.c --- */

/* The handlers of an event; else those of what has none. */
struct so_walk so_event_walk(const sio_namespace *nsp, sio_str event);
int so_handler_add(struct so_hub *hub, struct so_handlers *list,
                   void (*fn)(void), void *user);
void so_handlers_free(struct so_handlers *list);
void so_namespace_free_handlers(sio_namespace *nsp);

/* --- dynamic.c: namespaces that rules make --- */

/* The child of that name that a regular expression stands for; NULL: none, or
 * (*r) no memory. */
sio_namespace *so_dynamic_match(struct so_hub *hub, sio_str name, int *r);
/* A client asks for a name that there is no namespace of. */
void so_dynamic_connect(struct so_client *client, const struct sp_packet *p);
/* May this client join one more child? Else it is told. */
bool so_dynamic_room(struct so_client *client, sio_str name);
/* One less is in `nsp`, or keeps it: it may have to go. Any thread. */
void so_dynamic_left(sio_namespace *nsp);
void so_rule_free(const struct so_rule *rule);
sio_namespace *so_of_regex(struct so_hub *hub, const char *regex);
sio_namespace *so_of_function(struct so_hub *hub, sio_rule_fn fn, void *user);

/* --- rooms.c: as sio_join() and its siblings --- */
int so_join(sio_socket *socket, sio_str room);
int so_join_rooms(sio_socket *socket, const sio_str *rooms, size_t count);
int so_leave(sio_socket *socket, sio_str room);
/* Slices of `count` names, to be freed; NULL: out of memory. */
sio_str *so_names_of(const char *const *names, size_t count);

/* --- client.c: what comes from the engine --- */
extern const struct eng_ops so_engine_ops;
void so_connect_timed_out(struct net_timer *timer);
void so_partial_timed_out(struct net_timer *timer);
/* The client broke a rule of state (socketio.md 2.5): close all of it. */
void so_client_violation(struct so_client *client, const char *why);
/* Undecodable input: the connection closes in order, and the sockets learn of
 * it when it has. */
void so_client_bad_packet(struct so_client *client, const char *why);
/* A decoded packet, complete; of an event or answer the slot's arena, partial
 * and packet are taken over. */
void so_client_packet(struct so_client *client, struct sio_event *slot);
/* References to the memory: any thread. NULL is allowed. */
struct so_client *so_client_ref(struct so_client *client);
void so_client_unref(struct so_client *client);
sio_socket *so_client_socket(const struct so_client *client, sio_str nsp);
void so_client_note_left(struct so_client *client, sio_namespace *nsp);
/* Did the server make the client leave it? The client may not know yet. */
bool so_client_has_left(const struct so_client *client, sio_str nsp);
/* CONNECT, DISCONNECT, CONNECT_ERROR; payload NULL: none. */
void so_client_send(struct so_client *client, enum sp_type type, sio_str nsp,
                    const sio_value *payload);
/* Such a payload, of JSON text that is known to be valid. */
static inline sio_value so_payload(sio_str json)
{
    return (sio_value){
        .kind = SIO_RAW_JSON, .trusted = true, .data = json.p, .size = json.n
    };
}

/* --- dispatch.c: decoded events, run after their batch --- */

/* The slot to decode the next packet into; runs the batch when it is full. */
struct sio_event *so_batch_next(struct so_shard *shard);
/* Keep the slot: it holds an event that so_event_init() has made. */
void so_batch_push(struct so_client *client);
/* The same of an event that is elsewhere, or was in a slot while handlers have
 * run, which may have run the batch: what it owns is taken over. */
void so_batch_put(struct so_client *client, const struct sio_event *event);
/* The client is gone before its batch was run: a handler closed it while its
 * input was decoded. */
void so_batch_drop(struct so_client *client);
void so_dispatch(struct so_shard *shard);
/* The handlers of one event. */
void so_event_run(struct sio_event *event);

/* --- incoming.c: what sees an event before its handlers --- */

static inline bool so_is_watched(const sio_namespace *nsp)
{
    return atomic_load_explicit(&nsp->watched, memory_order_relaxed) ||
           (nsp->parent &&
            atomic_load_explicit(&nsp->parent->watched, memory_order_relaxed));
}
/* The event that so_event_init() has made in `slot`: catch-all listeners,
 * middlewares; then it goes to the batch, waits, or is refused. */
void so_incoming(struct so_client *client, struct sio_event *slot);
/* `message` of a packet that cannot be decoded: to all sockets of a client. */
void so_tell_bad_packet(struct so_client *client, const char *message);
void so_decisions_free(struct so_shard *shard);

/* --- outgoing.c: who wants to see what is emitted --- */

/* Any thread. */
static inline bool so_has_outgoing(const sio_namespace *nsp)
{
    return atomic_load_explicit(&nsp->outgoing, memory_order_relaxed) ||
           (nsp->parent &&
            atomic_load_explicit(&nsp->parent->outgoing, memory_order_relaxed));
}
/* Tell them: of an event for one socket, or for those that match. SIO_OK or
 * SIO_E_NOMEM. The handlers run within. */
int so_tell_outgoing(sio_socket *socket, const struct sp_message *m);
int so_tell_broadcast(const struct so_part *part,
                      const sio_broadcast_options *o,
                      const struct sp_message *m);

/* --- keep.c: events that outlive their input --- */

/* Copy what it has in the input; *bytes is raised by how much. SIO_OK or
 * SIO_E_NOMEM, then it is as it was. */
int so_event_keep(struct sio_event *event, size_t *bytes);
void so_replaced_free(struct so_replaced *replaced);
/* It has this name and these values now: copies, of `max` bytes of text.
 * SIO_OK, SIO_E_NOMEM, SIO_E_LIMIT, what encoding returns: then it is as it
 * was. */
int so_event_put(sio_event *event, sio_str name, const sio_value *values,
                 size_t count, size_t max);

/* --- event.c --- */
/* Everything but what so_batch_next() and decoding have set. */
void so_event_init(struct sio_event *event, sio_socket *socket, size_t first);
void so_event_release(struct sio_event *event);
/* It has other arguments now: what was read of the old ones is forgotten. */
void so_event_changed(struct sio_event *event);

/* --- partial.c --- */
struct so_partial *so_partial_new(struct so_shard *shard,
                                  const struct sp_packet *packet);
/* Copy what still lies in the batch's input: 1, or 0 when nothing does.
 * SIO_E_NOMEM; SIO_E_LIMIT (more input is unfinished than the server may hold).
 */
int so_partial_pin(struct so_shard *shard, struct so_partial *p);
void so_partial_free(struct so_shard *shard, struct so_partial *p);

/* --- connect.c: the way in --- */

struct sio_next {
    struct net_mail mail;
    sio_socket *socket; /* retained */
    /* Ask whoever is next, as long as they answer at once. */
    void (*run)(sio_next *next);
    struct so_walk walk;  /* middlewares that have not decided yet */
    sio_namespace *rules; /* the parent whose rule decides, or NULL */
    bool of_event;        /* it is the beginning of a so_decision */
    bool running;         /* within the call of the one that decides */
    bool answered;        /* it has decided */
    bool refused;
    struct grow error;         /* CONNECT_ERROR's payload, JSON text; of an
                                  event the message, NUL, and data as such */
    struct sp_attachments bin; /* what is binary in it: copies */
};

void so_socket_connect(struct so_client *client, const struct sp_packet *p);
/* A socket that is not let in yet, of a namespace that it has entered, and
 * leaves again on failure: then the client is closed. */
sio_socket *so_socket_new(struct so_client *client, sio_namespace *nsp,
                          sio_str auth);
sio_next *so_next_new(sio_socket *socket, void (*run)(sio_next *next));
/* Over to the namespace's middlewares; takes `next` over, which may be NULL. */
void so_start_middlewares(sio_socket *socket, sio_next *next);
void so_next_free(sio_next *next);
/* CONNECT_ERROR, and the socket is gone. */
void so_turn_away(sio_socket *socket, const sio_value *payload);
int so_socket_attach(sio_socket *socket); /* to the adapter */

/* --- accessors.c --- */
/* As snprintf: cut to fit, the whole length returned. */
int so_text_out(sio_str text, char *out, size_t size);

/* --- handshake.c --- */
/* Append what sio_handshake_json() tells. SIO_E_STATE: the client is gone. */
int so_append_handshake(struct grow *out, const sio_socket *socket);
/* Append the parameters of a URL's query as a JSON object of strings. */
int so_append_query(struct grow *out, const uint64_t seed[2], sio_str query);

/* --- socket.c --- */
/* By the system's clock: ms since the epoch. */
uint64_t so_wall_clock_ms(void);
/* Leave the namespace: handlers, rooms, pending answers. */
void so_socket_leave(sio_socket *socket, const char *reason);
void so_socket_deliver(void *part, sio_socket *socket, sio_packet *packet,
                       unsigned flags);
/* To this one, let in or not. */
void so_socket_send(sio_socket *socket, sio_packet *packet, unsigned flags);

/* Is a packet to be dropped, which its client is not ready for? Counted. */
static inline bool so_drops(struct so_shard *shard,
                            const struct eng_session *session, bool is_volatile)
{
    if (!is_volatile || eng_takes_volatile(session))
        return false;
    SO_COUNT(shard->volatile_dropped, 1);
    return true;
}

/* It is made when there is none; NULL: out of memory. */
struct so_few *so_few_of(sio_socket *socket);

/* --- reason.c --- */
void so_count_left(struct so_shard *shard, const char *reason);

/* --- ask.c --- */
void so_ack_received(sio_socket *socket, struct sio_event *answer);
void so_acks_abandon(sio_socket *socket);
void so_questions_end(struct so_shard *shard);

/* --- fetch.c --- */
void so_fetches_end(struct so_shard *shard);

/* --- emit.c --- */
/* Encode into shard->scratch, text behind Engine.IO's "4"; attachments to bin.
 */
int so_encode(struct so_shard *shard, const struct sp_message *m);
/* The same of an event for this socket, once those have been told who want to
 * see it: it may have left since. */
int so_encode_told(sio_socket *socket, const struct sp_message *m);
void so_send_scratch(struct so_shard *shard, struct eng_session *session,
                     bool compress);
void so_scratch_done(struct so_shard *shard);
/* Encode for sharing. Any thread. */
int so_make_packet(struct so_hub *hub, const struct sp_message *m,
                   struct sio_packet **packet);
int so_message_init(struct sp_message *m, const sio_namespace *nsp,
                    const char *event, const sio_value *values, size_t count);
/* Rooms and exceptions of a target, and its sender among the latter. */
#define SO_TARGET_NAMES (2 * SIO_TARGET_ROOMS + 1)
/* The target as the adapter takes it; strings into `rooms` (SO_TARGET_NAMES of
 * them). */
void so_target_options(const sio_target *target, sio_broadcast_options *o,
                       sio_str *rooms);

#endif
