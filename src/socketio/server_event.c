/*
 * server_event.c -- events between the servers of a cluster:
 * sio_server_side_emit(), sio_on_server_event() of <sio/sockets.h>.
 *
 *   program --> so_request SO_SERVER_EMIT --> inquiry.c --> other servers
 *   execute.c --> so_server_event() --> handlers --sio_ack()--> so_server_call
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/socketio/codec.h"
#include "src/socketio/foreign.h"

#include <stdlib.h>

/* ------------------------------------------------------------- handlers -- */

/* Registered with a namespace, in order; they go with it. */
struct so_named {
    _Atomic(struct so_named *) next;
    sio_server_event_fn fn;
    void *user;
    size_t n;
    char name[];
};

void so_named_free(struct so_named *first)
{
    while (first) {
        struct so_named *next = first->next;

        free(first);
        first = next;
    }
}

/* The names of events by which a node would hear of something else. */
static bool is_reserved(sio_str event)
{
    return str_eq(event, STR("connect")) || str_eq(event, STR("connection")) ||
           str_eq(event, STR("new_namespace"));
}

static int check_name(const char *event)
{
    if (!event)
        return SIO_E_INVAL;
    return is_reserved(str_of(event)) ? SIO_E_RESERVED : SIO_OK;
}

int sio_on_server_event(sio_namespace *nsp, const char *event,
                        sio_server_event_fn fn, void *user)
{
    _Atomic(struct so_named *) *at = &nsp->on_server;
    int r = check_name(event);
    struct so_named *named;
    size_t n;

    if (r < 0)
        return r;
    n = strlen(event);
    named = malloc(sizeof *named + n + 1);
    if (!named)
        return SIO_E_NOMEM;
    atomic_init(&named->next, NULL);
    named->fn = fn;
    named->user = user;
    named->n = n;
    memcpy(named->name, event, n + 1);
    so_lock(nsp->hub);
    while (atomic_load(at))
        at = &atomic_load(at)->next;
    atomic_store(at, named);
    so_unlock(nsp->hub);
    return SIO_OK;
}

/* -------------------------------------------------------------- answers -- */

/* Another server waits for what a handler acknowledges. */
struct so_server_call {
    atomic_uint refs; /* its foreign request's, the event's or handle's */
    struct so_hub *hub;
    struct so_foreign *foreign; /* of the main loop; NULL: forgotten */
    struct net_mail mail;
    struct so_told *answer;
};

struct so_server_call *so_call_ref(struct so_server_call *call)
{
    atomic_fetch_add_explicit(&call->refs, 1, memory_order_relaxed);
    return call;
}

void so_call_unref(struct so_server_call *call)
{
    if (!call ||
        atomic_fetch_sub_explicit(&call->refs, 1, memory_order_acq_rel) != 1)
        return;
    so_told_free(call->answer);
    free(call);
}

void so_call_forget(struct so_server_call *call)
{
    call->foreign = NULL;
    so_call_unref(call);
}

static void on_answer(struct net_mail *mail)
{
    struct so_server_call *call =
        container_of(mail, struct so_server_call, mail);
    const struct sp_message *m = &call->answer->message;
    struct so_foreign *f = call->foreign;

    if (f) {
        f->telling = true;
        f->answers->on_ack(f->user, m->count ? m->values : NULL);
        so_foreign_complete(f, SIO_OK);
        so_foreign_free(f);
    }
    so_call_unref(call);
}

/* By way of the mailbox, also on the main loop: whoever asks hears nothing
 * within its call. */
int so_call_answer(struct so_server_call *call, const sio_value *values,
                   size_t count)
{
    const struct sp_message m = {
        .type = SP_ACK, .id = SP_NO_ID, .values = values, .count = count
    };
    int r = so_told_new(call->hub, &m, &call->answer);

    if (r < 0)
        return r;
    call->mail.run = on_answer;
    so_call_ref(call);
    net_post(call->hub->shards->loop, &call->mail);
    return SIO_OK;
}

static struct so_server_call *call_new(struct so_hub *hub,
                                       struct so_foreign *foreign)
{
    struct so_server_call *call = calloc(1, sizeof *call);

    if (!call)
        return NULL;
    atomic_init(&call->refs, 2); /* the event's, and the request's */
    call->hub = hub;
    call->foreign = foreign;
    foreign->call = call;
    return call;
}

/* ------------------------------------------------------------- receiving -- */

/* Those that are registered now. */
static void run_handlers(sio_namespace *nsp, sio_event *event, sio_str name)
{
    struct so_named *it = atomic_load(&nsp->on_server), *last = it;

    while (last && atomic_load(&last->next))
        last = atomic_load(&last->next);
    for (; it; it = it == last ? NULL : atomic_load(&it->next))
        if (str_eq(name, (sio_str){ it->name, it->n }))
            it->fn(nsp, event, it->user);
}

int so_server_event(sio_namespace *nsp, const sio_cluster_request *request,
                    struct so_foreign *foreign)
{
    struct so_hub *hub = nsp->hub;
    struct sio_event event = { .packet = { .type = SP_EVENT, .id = SP_NO_ID } };
    int r;

    if (is_reserved(request->event))
        return SIO_E_RESERVED;
    arena_init(&event.arena);
    so_event_init(&event, NULL, 1);
    r = so_event_put(&event, request->event, request->values,
                     request->value_count, hub->options.max_packet);
    if (r == SIO_OK && foreign) {
        event.call = call_new(hub, foreign);
        event.packet.id = 0;
        r = event.call ? SIO_OK : SIO_E_NOMEM;
    }
    if (r == SIO_OK)
        run_handlers(nsp, &event, request->event);
    so_call_unref(event.call);
    so_event_release(&event);
    return r;
}

/* -------------------------------------------------------------- emitting -- */

static int message_init(struct sp_message *m, sio_namespace *nsp,
                        const char *event, const sio_value *values,
                        size_t count)
{
    int r = check_name(event);

    if (r < 0)
        return r;
    *m = (struct sp_message){ .type = SP_EVENT,
                              .nsp = map_key(&nsp->node),
                              .id = SP_NO_ID,
                              .event = str_of(event),
                              .values = values,
                              .count = count };
    return nsp->rule ? SIO_E_INVAL : SIO_OK;
}

static void warn_alone(const sio_namespace *nsp, const char *event)
{
    so_log(nsp->hub, SIO_LOG_WARN,
           "the adapter \"%s\" does not support server-side events: \"%s\" of "
           "%s is not sent",
           nsp->hub->adapter->name, event, nsp->name);
}

/* Are they values that can be sent? */
static int check_values(struct so_hub *hub, const struct sp_message *m)
{
    struct sio_packet *packet;
    int r = so_make_packet(hub, m, &packet);

    if (r == SIO_OK)
        eng_packet_unref(packet);
    return r;
}

int sio_server_side_emit_values(sio_namespace *nsp, const char *event,
                                const sio_value *values, size_t count)
{
    struct so_request request = { .deed = SO_SERVER_EMIT, .nsp = nsp };
    struct sp_message m;
    int r = message_init(&m, nsp, event, values, count);

    if (r == SIO_OK)
        r = check_values(nsp->hub, &m);
    if (r < 0)
        return r;
    if (!nsp->hub->cluster) {
        warn_alone(nsp, event);
        return SIO_OK;
    }
    request.message = &m;
    return so_send(&request);
}

int sio_server_side_emit_ack_values(sio_namespace *nsp, sio_reply_fn on_reply,
                                    void *user, const char *event,
                                    const sio_value *values, size_t count)
{
    struct so_request request = { .deed = SO_SERVER_EMIT, .nsp = nsp };
    struct sp_message m;
    int r = message_init(&m, nsp, event, values, count);

    if (r == SIO_OK)
        r = check_values(nsp->hub, &m);
    if (r < 0)
        return r;
    if (!nsp->hub->cluster) {
        warn_alone(nsp, event);
        return SIO_E_STATE;
    }
    return so_ask_servers(&request, &m, on_reply, user);
}
