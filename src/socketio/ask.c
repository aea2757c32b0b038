/*
 * ask.c -- acknowledgements that are asked for: sio_emit_ack(). What becomes of
 * a question: question.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/socketio/question.h"

#include <stdlib.h>

static void on_outcome(const struct so_letter *letter)
{
    struct so_asker *asker = so_posted_request(letter->posted)->asker;
    struct so_question *q = so_question_of(asker);

    if (q->over)
        return;
    q->loops--;
    q->waiting += letter->outcome.count;
    q->asked += letter->outcome.count;
    if (letter->abroad && letter->outcome.error < 0)
        q->error = letter->outcome.error;
    if (!q->many && letter->outcome.count == 0)
        so_question_done(q, letter->outcome.error < 0 ? letter->outcome.error
                                                      : SIO_E_STATE);
    else
        so_question_look(q);
}

/* --------------------------------------------------------------- asking -- */

/* Straight from the scratch space, as an event without an answer. */
static int ask_socket(struct so_question *q, sio_socket *socket,
                      const struct sp_message *m,
                      const struct so_request *request)
{
    struct so_shard *shard = q->asker.home;
    const unsigned flags = request->options.flags;
    int r = so_encode(shard, m);

    if (r == SIO_OK)
        r = so_ask_one(&q->own, socket, m->id);
    if (r == SIO_OK)
        q->waiting = 1;
    if (r == SIO_OK)
        r = so_question_start_timeout(q, request->timeout_ms);
    if (r == SIO_OK &&
        !so_drops(shard, socket->client->session, flags & SIO_FLAG_VOLATILE)) {
        SO_COUNT(shard->events_out, 1);
        so_send_scratch(shard, socket->client->session,
                        !(flags & SIO_FLAG_NO_COMPRESS));
    }
    so_scratch_done(shard);
    return r;
}

/* On home: those of this loop, while others may be asked elsewhere. */
static int ask_here(struct so_question *q, struct so_part *part,
                    const struct so_request *request)
{
    size_t count = 0;
    int r = SIO_OK;

    if (!request->socket || request->socket->part == part)
        r = so_ask_those(&q->own, part, request, &count);
    q->waiting += (int64_t)count;
    q->asked += (int64_t)count;
    if (r == SIO_OK)
        r = so_question_start_timeout(q, request->timeout_ms);
    if (r == SIO_OK && count)
        r = so_write_to_those(part, request);
    return r;
}

/* The same for another thread, which has been told that it was asked. */
static void begin_here(struct so_part *part, const struct so_request *request)
{
    struct so_question *q = so_question_of(request->asker);
    bool mine = !request->socket || request->socket->part == part;
    int r = SIO_E_STATE;

    so_question_begin(q);
    if (!part->shard->engine.shut)
        r = mine ? so_tell_those(part, request) : SIO_OK;
    if (r == SIO_OK && !q->over)
        r = ask_here(q, part, request);
    if (!q->over && r == SIO_OK && !q->many && !q->waiting && !q->loops)
        r = SIO_E_STATE; /* it is gone */
    if (!q->over && r < 0)
        so_question_done(q, r);
}

/* With a packet to be shared. */
static int ask_shared(struct so_question *q, struct so_request *request,
                      const struct sp_message *m, const struct so_shard *here)
{
    sio_namespace *nsp = request->nsp;
    struct so_posted *posted;
    int r = so_make_packet(nsp->hub, m, &request->packet);

    if (r < 0)
        return r;
    if (so_has_outgoing(nsp) || so_goes_abroad(request))
        request->message = m;
    request->asker = &q->asker;
    request->on_outcome = on_outcome;
    request->begin = here ? NULL : begin_here;
    r = so_prepare(request, here, &posted);
    if (r == SIO_OK)
        q->loops = so_posted_count(posted);
    if (r == SIO_OK && here)
        r = ask_here(q, so_part_of(nsp, here), request);
    if (r == SIO_OK)
        so_post(posted);
    else
        so_drop(posted);
    eng_packet_unref(request->packet);
    return r;
}

/* Those who want to see what is emitted see it before there is a question: they
 * may end whatever they like. */
static int tell_first(const struct so_request *request,
                      const struct sp_message *m, struct so_shard *here)
{
    struct so_part *part = so_part_of(request->nsp, here);
    int r;

    if (!so_has_outgoing(request->nsp))
        return SIO_OK;
    if (request->socket && request->socket->part->shard != here)
        return SIO_OK;
    r = so_encode(here, m); /* is it valid? */
    if (r < 0)
        return r;
    return request->socket ? so_tell_outgoing(request->socket, m)
                           : so_tell_broadcast(part, &request->options, m);
}

static int cannot_ask(const struct so_request *request,
                      const struct so_shard *here)
{
    const sio_socket *socket = request->socket;

    if (here && (here->engine.shut ||
                 (socket && socket->part->shard == here && !socket->client)))
        return SIO_E_STATE;
    return SIO_OK;
}

static int ask(struct so_request *request, const struct sp_message *m,
               sio_reply_fn on_reply, void *user)
{
    struct so_hub *hub = request->nsp->hub;
    struct so_shard *here = so_here(hub);
    sio_socket *socket = request->socket;
    struct so_question *q =
        so_question_new(here ? here : hub->shards, !socket, on_reply, user);
    int r;

    if (!q)
        return SIO_E_NOMEM;
    if (here)
        so_question_begin(q);
    if (here && socket && socket->part->shard == here)
        r = ask_socket(q, socket, m, request);
    else
        r = ask_shared(q, request, m, here);
    if (r < 0)
        so_question_end(q);
    return r;
}

int sio_emit_ack_values(sio_target target, sio_reply_fn on_reply, void *user,
                        const char *event, const sio_value *values,
                        size_t count)
{
    sio_namespace *nsp = target.nsp;
    struct so_shard *here = so_here(nsp->hub);
    struct so_request request = { .deed = SO_ASK,
                                  .nsp = nsp,
                                  .socket = target.socket,
                                  .timeout_ms = target.timeout_ms,
                                  .single = target.is_single };
    sio_str rooms[SO_TARGET_NAMES];
    struct sp_message m;
    int r = so_message_init(&m, nsp, event, values, count);

    if (r == SIO_OK && target.overflow)
        r = SIO_E_LIMIT;
    if (r == SIO_OK)
        r = cannot_ask(&request, here);
    if (r == SIO_OK && !target.socket && (!target.timeout_ms || nsp->rule))
        r = SIO_E_INVAL;
    if (r < 0)
        return r;
    so_target_options(&target, &request.options, rooms);
    if (here)
        r = tell_first(&request, &m, here);
    if (r == SIO_OK)
        r = cannot_ask(&request, here);
    if (r < 0)
        return r;
    request.id = m.id = atomic_fetch_add(&nsp->next_ack_id, 1);
    return ask(&request, &m, on_reply, user);
}

/* ----------------------------------------------------- of other servers -- */

/* Whoever asks hears nothing within its call. */
static void tell_count(struct so_part *part, const struct so_request *request)
{
    struct so_question *q = so_question_of(request->asker);

    (void)part;
    if (!q->over)
        so_question_tell_count(q);
}

/* At once, as what that server emits before and behind it. */
static int ask_for_server(struct so_question *q, struct so_request *request)
{
    struct so_part *part = so_part_of(request->nsp, q->asker.home);
    struct so_posted *posted;
    int r;

    request->asker = &q->asker;
    request->on_outcome = on_outcome;
    request->begin = tell_count;
    r = so_prepare(request, NULL, &posted);
    if (r < 0)
        return r;
    q->loops = so_posted_count(posted);
    r = so_tell_those(part, request);
    if (r == SIO_OK) {
        so_question_begin(q);
        r = ask_here(q, part, request);
    }
    if (r == SIO_OK)
        so_post(posted);
    else
        so_drop(posted);
    return r;
}

int so_ask_foreign(struct so_request *request, struct sp_message *m,
                   const sio_cluster_answers *answers, sio_reply_fn gone,
                   void *user, struct so_question **question)
{
    struct so_hub *hub = request->nsp->hub;
    struct so_question *q;
    int r;

    if (hub->shards->engine.shut)
        return SIO_E_STATE;
    q = so_question_new(hub->shards, true, gone, user);
    if (!q)
        return SIO_E_NOMEM;
    q->answers = answers;
    request->deed = SO_ASK;
    request->id = m->id = atomic_fetch_add(&request->nsp->next_ack_id, 1);
    r = so_make_packet(hub, m, &request->packet);
    if (r == SIO_OK) {
        request->message = so_has_outgoing(request->nsp) ? m : NULL;
        r = ask_for_server(q, request);
        eng_packet_unref(request->packet);
    }
    if (r < 0)
        so_question_end(q);
    else
        *question = q;
    return r;
}

int so_ask_servers(struct so_request *request, const struct sp_message *m,
                   sio_reply_fn on_reply, void *user)
{
    struct so_hub *hub = request->nsp->hub;
    struct so_shard *here = so_here(hub);
    struct so_question *q =
        so_question_new(here ? here : hub->shards, true, on_reply, user);
    struct so_posted *posted;
    int r;

    if (!q)
        return SIO_E_NOMEM;
    request->message = m;
    request->asker = &q->asker;
    request->on_outcome = on_outcome;
    r = so_prepare(request, here, &posted);
    if (r < 0) {
        so_question_end(q);
        return r;
    }
    q->loops = so_posted_count(posted);
    if (here)
        so_question_begin(q); /* only the adapter's clock ends it */
    so_post(posted);
    return SIO_OK;
}

void so_ask_forget(struct so_question *question)
{
    so_question_end(question);
}
