/*
 * question.c -- questions and the sockets that were asked: see question.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/socketio/question.h"

#include "src/socketio/codec.h"

#include "protocol/socketio/scan.h"

#include <stdlib.h>

/* ------------------------------------------------------ sockets asked -- */

static struct so_ack_key make_key(const sio_socket *socket, int64_t id)
{
    return (struct so_ack_key){ (uintptr_t)socket, id };
}

static sio_str key_text(const struct so_ack_key *key)
{
    return (sio_str){ (const char *)key, sizeof *key };
}

void so_branch_init(struct so_branch *b, struct so_question *q,
                    struct so_shard *shard, bool away)
{
    b->question = q;
    b->shard = shard;
    b->away = away;
    list_init(&b->acks);
}

void so_ack_free(struct so_ack *ack)
{
    struct so_shard *shard = ack->branch->shard;

    map_remove(&shard->acks, &ack->node);
    list_remove(&ack->in_socket);
    list_remove(&ack->in_branch);
    SO_COUNT(shard->ack_count, -1);
    free(ack);
}

void so_branch_forget(struct so_branch *b)
{
    list_for_each_safe(it, next, &b->acks)
        so_ack_free(container_of(it, struct so_ack, in_branch));
}

int so_ask_one(struct so_branch *b, sio_socket *socket, int64_t id)
{
    struct so_few *few = so_few_of(socket);
    struct so_ack *ack = few ? malloc(sizeof *ack) : NULL;

    if (!ack)
        return SIO_E_NOMEM;
    ack->key = make_key(socket, id);
    if (map_add(&b->shard->acks, &ack->node, key_text(&ack->key)) < 0) {
        free(ack);
        return SIO_E_NOMEM;
    }
    ack->branch = b;
    list_append(&few->acks, &ack->in_socket);
    list_append(&b->acks, &ack->in_branch);
    SO_COUNT(b->shard->ack_count, 1);
    return SIO_OK;
}

struct asking {
    struct so_branch *branch;
    int64_t id;
    size_t count;
    int result;
};

static void ask_selected(void *user, sio_socket *socket)
{
    struct asking *a = user;

    if (a->result != SIO_OK || socket->state != SO_CONNECTED)
        return;
    a->result = so_ask_one(a->branch, socket, a->id);
    a->count += a->result == SIO_OK;
}

/* The sockets of this loop: waited for, but not written to yet. */
int so_ask_those(struct so_branch *b, const struct so_part *part,
                 const struct so_request *r, size_t *count)
{
    struct asking a = { b, r->id, 0, SIO_OK };

    if (r->socket && r->socket->client)
        ask_selected(&a, r->socket);
    if (!r->socket)
        part->ops->select(part->adapter, &r->options, ask_selected, &a);
    *count = a.count;
    return a.result;
}

int so_write_to_those(struct so_part *part, const struct so_request *r)
{
    if (!r->socket)
        return part->ops->broadcast(part->adapter, r->packet, &r->options);
    so_socket_send(r->socket, r->packet, r->options.flags);
    return SIO_OK;
}

int so_tell_those(const struct so_part *part, const struct so_request *r)
{
    if (!so_is_seen(r))
        return SIO_OK;
    return r->socket ? so_tell_outgoing(r->socket, r->message)
                     : so_tell_broadcast(part, &r->options, r->message);
}

/* ------------------------------------------------------------ questions -- */

struct so_question *so_question_of(struct so_asker *asker)
{
    return container_of(asker, struct so_question, asker);
}

static void question_free(struct so_asker *asker)
{
    free(so_question_of(asker));
}

struct so_question *so_question_new(struct so_shard *home, bool many,
                                    sio_reply_fn on_reply, void *user)
{
    struct so_question *q = calloc(1, sizeof *q);

    if (!q)
        return NULL;
    so_asker_init(&q->asker, home, question_free);
    q->on_reply = on_reply;
    q->user = user;
    q->many = many;
    list_init(&q->node);
    net_alarm_init(&q->timeout, NULL);
    grow_init(&q->text, SO_ANSWERS_MAX);
    sp_attachments_init(&q->bin);
    so_branch_init(&q->own, q, home, false);
    if (many && grow_append_byte(&q->text, '[') < 0) {
        free(q);
        return NULL;
    }
    return q;
}

void so_question_unlink(struct so_question *q)
{
    q->over = true;
    so_branch_forget(&q->own);
    list_remove(&q->node);
    net_alarm_stop(q->asker.home->loop, &q->timeout);
    so_asker_over(&q->asker);
}

void so_question_end(struct so_question *q)
{
    so_question_unlink(q);
    sp_attachments_disown(&q->bin);
    grow_free(&q->text);
    so_asker_unref(&q->asker);
}

void so_question_reply(struct so_question *q, int error, struct grow *text,
                       const struct sp_attachments *bin)
{
    struct sio_event event = { .args = &so_args_json,
                               .packet = { .type = SP_ACK } };

    so_event_init(&event, NULL, 0);
    if (text &&
        json_cut_array(grow_str(text), JSON_DEPTH_LIMIT, event.packet.argv,
                       SP_ARGS, &event.packet.argc) == SIO_OK) {
        event.packet.json = grow_str(text);
        event.attachments = bin->items;
        event.attachment_count = bin->count;
    }
    q->on_reply(error, &event, q->user);
    so_event_release(&event);
}

void so_question_done(struct so_question *q, int error)
{
    so_question_unlink(q);
    if (q->answers)
        q->on_reply(error, NULL, q->user);
    else if (q->many && grow_append_byte(&q->text, ']') == SIO_OK)
        so_question_reply(q, error, &q->text, &q->bin);
    else
        so_question_reply(q, error, NULL, NULL);
    so_question_end(q);
}

void so_question_tell_count(struct so_question *q)
{
    if (q->loops || q->counted)
        return;
    q->counted = true;
    so_asker_ref(&q->asker);
    q->answers->on_client_count(q->user, (size_t)q->asked);
    if (!q->over)
        q->answers->on_complete(q->user, SIO_OK);
    so_asker_unref(&q->asker);
}

void so_question_look(struct so_question *q)
{
    if (q->answers) {
        so_question_tell_count(q);
        return;
    }
    if (q->waiting == 0 && q->loops == 0)
        so_question_done(q, q->error);
}

static void on_timeout(struct net_alarm *alarm)
{
    struct so_question *q = container_of(alarm, struct so_question, timeout);

    so_question_done(q, q->waiting || q->loops ? SIO_E_TIMEOUT : q->error);
}

void so_question_begin(struct so_question *q)
{
    q->timeout.fire = on_timeout;
    list_append(&q->asker.home->questions, &q->node);
}

/* With nobody to ask the answer is there, but comes later all the same. */
int so_question_start_timeout(struct so_question *q, uint32_t ms)
{
    struct net_loop *loop = q->asker.home->loop;

    if (q->answers) /* whoever asks has a clock of its own */
        return SIO_OK;
    if (q->many)
        return net_alarm_start(loop, &q->timeout,
                               q->waiting || q->loops ? ms : 0);
    return ms ? net_alarm_start(loop, &q->timeout, ms) : SIO_OK;
}

/* -------------------------------------------------------------- answers -- */

int so_answer_append(struct grow *text, struct sp_attachments *bin,
                     const sio_value *value)
{
    const size_t before = text->len, old = bin->count;
    int r = text->len > 1 ? grow_append_byte(text, ',') : SIO_OK;

    if (r == SIO_OK)
        r = sp_encode_value(text, bin, value);
    if (r == SIO_OK)
        r = sp_attachments_own(bin, old);
    if (r < 0) {
        text->len = before;
        bin->count = old;
    }
    return r;
}

void so_question_take(struct so_question *q, const sio_value *value)
{
    const sio_value nothing = { .kind = SIO_NULL };

    so_asker_ref(&q->asker);
    q->waiting--;
    if (q->answers)
        q->answers->on_ack(q->user, value);
    else
        so_answer_append(&q->text, &q->bin, value ? value : &nothing);
    if (!q->over)
        so_question_look(q);
    so_asker_unref(&q->asker);
}

/* ----------------------------------------------- what becomes of sockets -- */

static struct so_ack *find_ack(const sio_socket *socket, int64_t id)
{
    struct so_ack_key key = make_key(socket, id);
    struct map_node *node =
        map_find(&socket->part->shard->acks, key_text(&key));

    return node ? container_of(node, struct so_ack, node) : NULL;
}

/* Unknown and repeated answers are ignored, as in Node. */
void so_ack_received(sio_socket *socket, struct sio_event *answer)
{
    struct so_ack *ack = find_ack(socket, answer->packet.id);
    struct so_question *q = ack ? ack->branch->question : NULL;

    if (q && ack->branch->away) {
        so_away_received(ack->branch, ack, answer);
    } else if (q && q->many) {
        sio_value first = sio_arg(answer, 0);

        so_ack_free(ack);
        so_question_take(q, sio_arg_count(answer) ? &first : NULL);
    } else if (q) {
        so_question_unlink(q);
        q->on_reply(SIO_OK, answer, q->user);
        so_question_end(q);
    }
    so_event_release(answer);
}

/* The socket is gone. One that was asked alone: its question ends. Of several,
 * the others may still answer; this one counts as late, as in Node. */
void so_acks_abandon(sio_socket *socket)
{
    struct so_few *few = socket->few;

    while (few && !list_empty(&few->acks)) {
        struct so_ack *ack =
            container_of(few->acks.next, struct so_ack, in_socket);
        struct so_branch *b = ack->branch;

        if (b->question->many)
            so_ack_free(ack);
        else if (b->away)
            so_away_end(b);
        else
            so_question_done(b->question, SIO_E_STATE);
    }
}

/* The server stops: whoever still waits hears it now. */
void so_questions_end(struct so_shard *shard)
{
    while (!list_empty(&shard->questions))
        so_question_done(
            container_of(shard->questions.next, struct so_question, node),
            SIO_E_STATE);
    so_aways_end(shard);
}
