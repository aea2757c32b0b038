/*
 * ack.c -- acknowledgements in both directions.
 *
 *   given     sio_ack(event): at once; sio_ack_later(event): a handle that any
 *             thread may answer
 *   asked     sio_emit_ack(): one so_ack per socket asked, in that socket's
 *             list; those of a broadcast belong to one so_question
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/socketio/codec.h"

#include "protocol/socketio/scan.h"

#include <stdlib.h>

#define ANSWERS_MAX (64u << 20) /* bytes of text that one question gathers */

/* --------------------------------------------------------------- giving -- */

static struct sp_message ack_message(const sio_socket *socket, int64_t id,
                                     const sio_value *values, size_t count)
{
    return (struct sp_message){ .type = SP_ACK,
                                .nsp = map_key(&socket->part->nsp->node),
                                .id = id,
                                .values = values,
                                .count = count };
}

bool sio_wants_ack(const sio_event *event)
{
    return event->first == 1 && event->packet.id != SP_NO_ID && !event->acked;
}

/* Who asked; NULL: is gone. It is answered also when it has left the namespace
 * meanwhile, as long as its connection is there. */
static struct so_client *asker(const sio_event *event)
{
    struct so_shard *shard = event->socket->part->shard;
    const struct sio_event *batch = shard->batch;

    if (event->socket->client)
        return event->socket->client;
    return event >= batch && event < batch + SO_BATCH ? shard->batch_client
                                                      : NULL;
}

static int send_ack(sio_socket *socket, const struct so_client *to, int64_t id,
                    const sio_value *values, size_t count)
{
    struct so_shard *shard = socket->part->shard;
    struct sp_message m = ack_message(socket, id, values, count);
    int r = so_encode(shard, &m);

    if (r == SIO_OK && to && to->session)
        so_send_scratch(shard, to->session, true);
    so_scratch_done(shard);
    return r;
}

int sio_ack_values(sio_event *event, const sio_value *values, size_t count)
{
    int r;

    if (!sio_wants_ack(event))
        return SIO_E_STATE;
    r = send_ack(event->socket, asker(event), event->packet.id, values, count);
    if (r == SIO_OK)
        event->acked = true;
    return r;
}

struct sio_pending_ack {
    struct net_mail mail;
    sio_socket *socket;       /* retained */
    struct so_client *client; /* referenced, or NULL */
    int64_t id;
    struct sio_packet *packet; /* the answer, when it came from elsewhere */
};

sio_pending_ack *sio_ack_later(sio_event *event)
{
    sio_pending_ack *ack;

    if (!sio_wants_ack(event))
        return NULL;
    ack = calloc(1, sizeof *ack);
    if (!ack)
        return NULL;
    ack->socket = sio_retain(event->socket);
    ack->client = so_client_ref(asker(event));
    ack->id = event->packet.id;
    event->acked = true;
    return ack;
}

void sio_answer_drop(sio_pending_ack *ack)
{
    if (!ack)
        return;
    sio_release(ack->socket);
    so_client_unref(ack->client);
    eng_packet_unref(ack->packet);
    free(ack);
}

static void on_answer_mail(struct net_mail *mail)
{
    sio_pending_ack *ack = container_of(mail, sio_pending_ack, mail);

    if (ack->client && ack->client->session)
        eng_send_packet(ack->client->session, ack->packet, true);
    sio_answer_drop(ack);
}

int sio_answer_values(sio_pending_ack *ack, const sio_value *values,
                      size_t count)
{
    struct so_shard *shard = ack->socket->part->shard;
    struct sp_message m;
    int r;

    if (net_loop_is_current(shard->loop)) {
        r = send_ack(ack->socket, ack->client, ack->id, values, count);
        if (r == SIO_OK)
            sio_answer_drop(ack);
        return r;
    }
    m = ack_message(ack->socket, ack->id, values, count);
    r = so_make_packet(shard->hub, &m, &ack->packet);
    if (r == SIO_OK) {
        ack->mail.run = on_answer_mail;
        net_post(shard->loop, &ack->mail);
    }
    return r;
}

/* --------------------------------------------------------------- asking -- */

/* What one sio_emit_ack() asked: of one socket, or of many. */
struct so_question {
    struct list node; /* in shard->questions */
    struct net_alarm timeout;
    struct so_shard *shard;
    sio_reply_fn on_reply;
    void *user;
    bool many;
    size_t waiting;            /* answers still to come */
    struct list acks;          /* so_ack.in_question */
    struct grow text;          /* many: "[first,first,..." so far */
    struct sp_attachments bin; /* many: copies of their attachments */
};

/* What an answer is found by, however many a client leaves unanswered. */
struct ack_key {
    uint64_t socket; /* its address: as wide everywhere, so without padding */
    int64_t id;
};

/* One socket that was asked. */
struct so_ack {
    struct map_node node; /* in shard->acks */
    struct list in_socket, in_question;
    struct so_question *question;
    struct ack_key key;
};

static struct ack_key make_key(const sio_socket *socket, int64_t id)
{
    return (struct ack_key){ (uintptr_t)socket, id };
}

static sio_str key_text(const struct ack_key *key)
{
    return (sio_str){ (const char *)key, sizeof *key };
}

static void ack_free(struct so_ack *ack)
{
    struct so_shard *shard = ack->question->shard;

    map_remove(&shard->acks, &ack->node);
    list_remove(&ack->in_socket);
    list_remove(&ack->in_question);
    SO_COUNT(shard->ack_count, -1);
    free(ack);
}

/* Out of every list: the program is told once, whatever it does then. */
static void question_unlink(struct so_question *q)
{
    list_for_each_safe(it, next, &q->acks)
        ack_free(container_of(it, struct so_ack, in_question));
    list_remove(&q->node);
    net_alarm_stop(q->shard->loop, &q->timeout);
}

static void question_free(struct so_question *q)
{
    question_unlink(q);
    sp_attachments_disown(&q->bin);
    grow_free(&q->text);
    free(q);
}

/* Tell the program what several sockets have answered, or that the one that was
 * asked has not; the question is gone afterwards. */
static void question_done(struct so_question *q, int error)
{
    struct sio_event event = { .args = &so_args_json,
                               .packet = { .type = SP_ACK } };

    question_unlink(q);
    so_event_init(&event, NULL, 0);
    if (q->many && grow_append_byte(&q->text, ']') == SIO_OK &&
        json_cut_array(grow_str(&q->text), JSON_DEPTH_LIMIT, event.packet.argv,
                       SP_ARGS, &event.packet.argc) == SIO_OK) {
        event.packet.json = grow_str(&q->text);
        event.attachments = q->bin.items;
        event.attachment_count = q->bin.count;
    }
    q->on_reply(error, &event, q->user);
    so_event_release(&event);
    question_free(q);
}

static void on_timeout(struct net_alarm *alarm)
{
    struct so_question *q = container_of(alarm, struct so_question, timeout);

    question_done(q, q->waiting ? SIO_E_TIMEOUT : SIO_OK);
}

/* Keep the first value of an answer: as JSON text, attachments copied. */
static int keep_first(struct so_question *q, const sio_event *answer)
{
    size_t before = q->text.len, old = q->bin.count;
    sio_value first = sio_arg(answer, 0);
    int r = q->text.len > 1 ? grow_append_byte(&q->text, ',') : SIO_OK;

    if (r == SIO_OK)
        r = sp_encode_value(&q->text, &q->bin, &first);
    if (r == SIO_OK)
        r = sp_attachments_own(&q->bin, old);
    if (r < 0)
        q->text.len = before;
    return r;
}

static struct so_ack *find_ack(const sio_socket *socket, int64_t id)
{
    struct ack_key key = make_key(socket, id);
    struct map_node *node =
        map_find(&socket->part->shard->acks, key_text(&key));

    return node ? container_of(node, struct so_ack, node) : NULL;
}

/* Unknown and repeated answers are ignored, as in Node. */
void so_ack_received(sio_socket *socket, struct sio_event *answer)
{
    struct so_ack *ack = find_ack(socket, answer->packet.id);
    struct so_question *q = ack ? ack->question : NULL;

    if (q && q->many) {
        keep_first(q, answer);
        ack_free(ack);
        if (--q->waiting == 0)
            question_done(q, SIO_OK);
    } else if (q) {
        question_unlink(q);
        q->on_reply(SIO_OK, answer, q->user);
        question_free(q);
    }
    so_event_release(answer);
}

/* The socket is gone. One that was asked alone: its question ends. Of several,
 * the others may still answer; this one counts as late, as in Node. */
void so_acks_abandon(sio_socket *socket)
{
    while (!list_empty(&socket->acks)) {
        struct so_ack *ack =
            container_of(socket->acks.next, struct so_ack, in_socket);

        if (ack->question->many)
            ack_free(ack);
        else
            question_done(ack->question, SIO_E_STATE);
    }
}

/* The server stops: whoever still waits hears it now. */
void so_questions_end(struct so_shard *shard)
{
    while (!list_empty(&shard->questions))
        question_done(
            container_of(shard->questions.next, struct so_question, node),
            SIO_E_STATE);
}

static struct so_question *question_new(struct so_shard *shard,
                                        const sio_target *target,
                                        sio_reply_fn on_reply, void *user)
{
    struct so_question *q = calloc(1, sizeof *q);

    if (!q)
        return NULL;
    q->shard = shard;
    q->on_reply = on_reply;
    q->user = user;
    q->many = !target->socket;
    list_init(&q->node);
    list_init(&q->acks);
    net_alarm_init(&q->timeout, on_timeout);
    grow_init(&q->text, ANSWERS_MAX);
    sp_attachments_init(&q->bin);
    if (q->many && grow_append_byte(&q->text, '[') < 0) {
        free(q);
        return NULL;
    }
    list_append(&shard->questions, &q->node);
    return q;
}

static int question_ask(struct so_question *q, sio_socket *socket, int64_t id)
{
    struct so_ack *ack = malloc(sizeof *ack);

    if (!ack)
        return SIO_E_NOMEM;
    ack->key = make_key(socket, id);
    if (map_add(&q->shard->acks, &ack->node, key_text(&ack->key)) < 0) {
        free(ack);
        return SIO_E_NOMEM;
    }
    ack->question = q;
    list_append(&socket->acks, &ack->in_socket);
    list_append(&q->acks, &ack->in_question);
    SO_COUNT(q->shard->ack_count, 1);
    q->waiting++;
    return SIO_OK;
}

struct asking {
    struct so_question *question;
    int64_t id;
    int result;
};

static void ask_one(void *user, sio_socket *socket)
{
    struct asking *a = user;

    if (a->result == SIO_OK && socket->state == SO_CONNECTED)
        a->result = question_ask(a->question, socket, a->id);
}

static int ask_all(struct so_question *q, const sio_target *target,
                   const struct sp_message *m)
{
    sio_namespace *nsp = target->nsp;
    sio_str rooms[2 * SIO_TARGET_ROOMS + 1];
    struct asking asking = { q, m->id, SIO_OK };
    struct sio_packet *packet;
    sio_broadcast_options o;
    int r;

    so_target_options(target, &o, rooms);
    r = so_make_packet(nsp->hub, m, &packet);
    if (r < 0)
        return r;
    nsp->parts->ops->select(nsp->parts->adapter, &o, ask_one, &asking);
    r = asking.result;
    /* With nobody to ask the answer is there, but comes later all the same. */
    if (r == SIO_OK)
        r = net_alarm_start(q->shard->loop, &q->timeout,
                            q->waiting ? target->timeout_ms : 0);
    if (r == SIO_OK)
        r = nsp->parts->ops->broadcast(nsp->parts->adapter, packet, &o);
    eng_packet_unref(packet);
    return r;
}

static int ask_socket(struct so_question *q, const sio_target *target,
                      const struct sp_message *m)
{
    struct so_shard *shard = q->shard;
    sio_socket *socket = target->socket;
    int r = so_encode(shard, m);

    if (r == SIO_OK)
        r = question_ask(q, socket, m->id);
    if (r == SIO_OK && target->timeout_ms)
        r = net_alarm_start(shard->loop, &q->timeout, target->timeout_ms);
    if (r == SIO_OK &&
        !so_drops(shard, socket->client->session, target->is_volatile)) {
        SO_COUNT(shard->events_out, 1);
        so_send_scratch(shard, socket->client->session, !target->no_compress);
    }
    so_scratch_done(shard);
    return r;
}

/* Those who want to see what is emitted see it before there is a question: they
 * may end whatever they like. */
static int tell_first(const sio_target *target, const struct sp_message *m)
{
    sio_str rooms[SO_TARGET_NAMES];
    sio_broadcast_options o;
    int r;

    if (target->socket)
        return so_encode_told(target->socket, m);
    so_target_options(target, &o, rooms);
    r = so_encode(target->nsp->parts->shard, m); /* is it valid? */
    return r < 0 ? r : so_tell_broadcast(target->nsp, &o, m);
}

static bool cannot_ask(const sio_target *target)
{
    return target->nsp->parts->shard->engine.shut ||
           (target->socket && !target->socket->client);
}

int sio_emit_ack_values(sio_target target, sio_reply_fn on_reply, void *user,
                        const char *event, const sio_value *values,
                        size_t count)
{
    sio_namespace *nsp = target.nsp;
    struct so_question *q;
    struct sp_message m;
    int r = so_message_init(&m, nsp, event, values, count);

    if (r == SIO_OK && target.overflow)
        r = SIO_E_LIMIT;
    if (r == SIO_OK && cannot_ask(&target))
        r = SIO_E_STATE;
    if (r == SIO_OK && !target.socket && (!target.timeout_ms || nsp->rule))
        r = SIO_E_INVAL;
    if (r == SIO_OK && so_has_outgoing(nsp)) {
        r = tell_first(&target, &m);
        if (r == SIO_OK && cannot_ask(&target))
            r = SIO_E_STATE;
    }
    if (r < 0)
        return r;
    q = question_new(nsp->parts->shard, &target, on_reply, user);
    if (!q)
        return SIO_E_NOMEM;
    m.id = atomic_fetch_add(&nsp->next_ack_id, 1);
    r = target.socket ? ask_socket(q, &target, &m) : ask_all(q, &target, &m);
    if (r < 0)
        question_free(q);
    return r;
}
