/*
 * ask.c -- acknowledgements that are asked for: sio_emit_ack().
 *
 *   so_question   on its home, the loop that asks: where on_reply is called
 *   so_branch     of the question, on each loop that has sockets to ask
 *   so_ack        one socket that was asked, in that socket's list
 *
 * The branch of the question's own loop is a part of it. One of another loop
 * (so_away) first tells home how many sockets it has asked, then sends each
 * answer, and at its end comes home itself, to be freed there.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/socketio/cluster.h"
#include "src/socketio/codec.h"

#include "protocol/socketio/scan.h"

#include <stdlib.h>

#define ANSWERS_MAX (64u << 20) /* bytes of text that one question gathers */

struct so_branch {
    struct so_question *question;
    struct so_shard *shard;
    struct list acks; /* so_ack.in_branch */
    bool away;        /* on another loop than the question */
};

/* What one sio_emit_ack() asked: of one socket, or of many. */
struct so_question {
    struct so_asker asker;
    struct list node; /* in shard->questions */
    struct net_alarm timeout;
    sio_reply_fn on_reply;
    void *user;
    /* Another server asks: it hears of each answer, and on_reply only that the
     * question is gone. NULL: we do. */
    const sio_cluster_answers *answers;
    bool counted;  /* it has heard how many are asked */
    int64_t asked; /* of that */
    bool many;
    bool over;        /* on_reply was called */
    int error;        /* not everybody could be asked: why */
    size_t loops;     /* others, and the other nodes of a cluster, that have not
                         told     how many they ask */
    int64_t waiting;  /* answers still to come; below 0 while some are faster
                         than the count of them */
    struct grow text; /* many: "[first,first,..." so far */
    struct sp_attachments bin; /* many: copies of their attachments */
    struct so_branch own;
};

struct so_away {
    struct so_branch branch;
    struct list node; /* in shard->branches */
    struct net_alarm timeout;
    struct net_mail mail;
    size_t waiting; /* answers still to come */
    size_t lost;    /* that there was no memory for */
    int error;      /* why the one socket gives none */
};

/* One answer on its way home. */
struct report {
    struct net_mail mail;
    struct so_question *question; /* referenced */
    struct grow text;             /* many: the first value; one: "[...]" */
    struct sp_attachments bin;
};

/* What an answer is found by, however many a client leaves unanswered. */
struct ack_key {
    uint64_t socket; /* its address: as wide everywhere, so without padding */
    int64_t id;
};

/* One socket that was asked. */
struct so_ack {
    struct map_node node; /* in shard->acks */
    struct list in_socket, in_branch;
    struct so_branch *branch;
    struct ack_key key;
};

/* ------------------------------------------------------ sockets asked -- */

static struct ack_key make_key(const sio_socket *socket, int64_t id)
{
    return (struct ack_key){ (uintptr_t)socket, id };
}

static sio_str key_text(const struct ack_key *key)
{
    return (sio_str){ (const char *)key, sizeof *key };
}

static void branch_init(struct so_branch *b, struct so_question *q,
                        struct so_shard *shard, bool away)
{
    b->question = q;
    b->shard = shard;
    b->away = away;
    list_init(&b->acks);
}

static void ack_free(struct so_ack *ack)
{
    struct so_shard *shard = ack->branch->shard;

    map_remove(&shard->acks, &ack->node);
    list_remove(&ack->in_socket);
    list_remove(&ack->in_branch);
    SO_COUNT(shard->ack_count, -1);
    free(ack);
}

static void forget_acks(struct so_branch *b)
{
    list_for_each_safe(it, next, &b->acks)
        ack_free(container_of(it, struct so_ack, in_branch));
}

static int ask_one(struct so_branch *b, sio_socket *socket, int64_t id)
{
    struct so_ack *ack = malloc(sizeof *ack);

    if (!ack)
        return SIO_E_NOMEM;
    ack->key = make_key(socket, id);
    if (map_add(&b->shard->acks, &ack->node, key_text(&ack->key)) < 0) {
        free(ack);
        return SIO_E_NOMEM;
    }
    ack->branch = b;
    list_append(&socket->acks, &ack->in_socket);
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
    a->result = ask_one(a->branch, socket, a->id);
    a->count += a->result == SIO_OK;
}

/* The sockets of this loop: waited for, but not written to yet. */
static int ask_those(struct so_branch *b, const struct so_part *part,
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

static int write_to_those(struct so_part *part, const struct so_request *r)
{
    if (!r->socket)
        return part->ops->broadcast(part->adapter, r->packet, &r->options);
    so_socket_send(r->socket, r->packet, r->options.flags);
    return SIO_OK;
}

static int tell_those(const struct so_part *part, const struct so_request *r)
{
    if (!so_is_seen(r))
        return SIO_OK;
    return r->socket ? so_tell_outgoing(r->socket, r->message)
                     : so_tell_broadcast(part, &r->options, r->message);
}

/* ------------------------------------------------------------ questions -- */

static struct so_question *question_of(struct so_asker *asker)
{
    return container_of(asker, struct so_question, asker);
}

static void question_free(struct so_asker *asker)
{
    free(question_of(asker));
}

static struct so_question *question_new(struct so_shard *home, bool many,
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
    grow_init(&q->text, ANSWERS_MAX);
    sp_attachments_init(&q->bin);
    branch_init(&q->own, q, home, false);
    if (many && grow_append_byte(&q->text, '[') < 0) {
        free(q);
        return NULL;
    }
    return q;
}

/* Out of every list: the program is told once, whatever it does then. */
static void question_unlink(struct so_question *q)
{
    q->over = true;
    forget_acks(&q->own);
    list_remove(&q->node);
    net_alarm_stop(q->asker.home->loop, &q->timeout);
    so_asker_over(&q->asker);
}

/* It was told, or never asked. */
static void question_end(struct so_question *q)
{
    question_unlink(q);
    sp_attachments_disown(&q->bin);
    grow_free(&q->text);
    so_asker_unref(&q->asker);
}

static void reply(struct so_question *q, int error, struct grow *text,
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

/* Tell the program what several sockets have answered, or that the one that was
 * asked has not; the question is gone afterwards. */
static void question_done(struct so_question *q, int error)
{
    question_unlink(q);
    if (q->answers)
        q->on_reply(error, NULL, q->user);
    else if (q->many && grow_append_byte(&q->text, ']') == SIO_OK)
        reply(q, error, &q->text, &q->bin);
    else
        reply(q, error, NULL, NULL);
    question_end(q);
}

/* All loops have said how many they ask. */
static void tell_count(struct so_question *q)
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

static void done_if_all(struct so_question *q)
{
    if (q->answers) {
        tell_count(q);
        return;
    }
    if (q->waiting == 0 && q->loops == 0)
        question_done(q, q->error);
}

static void on_timeout(struct net_alarm *alarm)
{
    struct so_question *q = container_of(alarm, struct so_question, timeout);

    question_done(q, q->waiting || q->loops ? SIO_E_TIMEOUT : q->error);
}

static void question_begin(struct so_question *q)
{
    q->timeout.fire = on_timeout;
    list_append(&q->asker.home->questions, &q->node);
}

/* With nobody to ask the answer is there, but comes later all the same. */
static int start_timeout(struct so_question *q, uint32_t ms)
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

/* As JSON text behind what is there, attachments copied. */
static int append_value(struct grow *text, struct sp_attachments *bin,
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

/* One of many; NULL: without a value. */
static void take_answer(struct so_question *q, const sio_value *value)
{
    const sio_value nothing = { .kind = SIO_NULL };

    so_asker_ref(&q->asker);
    q->waiting--;
    if (q->answers)
        q->answers->on_ack(q->user, value);
    else
        append_value(&q->text, &q->bin, value ? value : &nothing);
    if (!q->over)
        done_if_all(q);
    so_asker_unref(&q->asker);
}

static void report_free(struct report *r)
{
    grow_free(&r->text);
    sp_attachments_disown(&r->bin);
    so_asker_unref(&r->question->asker);
    free(r);
}

static void on_report(struct net_mail *mail)
{
    struct report *r = container_of(mail, struct report, mail);
    struct so_question *q = r->question;
    sio_value value = so_payload(grow_str(&r->text));

    if (q->over) {
        report_free(r);
        return;
    }
    if (q->many) {
        value.attachments = r->bin.items;
        value.attachment_count = r->bin.count;
        take_answer(q, r->text.len ? &value : NULL);
    } else {
        question_unlink(q);
        reply(q, SIO_OK, &r->text, &r->bin);
        question_end(q);
    }
    report_free(r);
}

static int write_value(struct report *r, const sio_value *value)
{
    int error = value ? sp_encode_value(&r->text, &r->bin, value) : SIO_OK;

    if (error == SIO_OK)
        return sp_attachments_own(&r->bin, 0);
    r->bin.count = 0;
    return error;
}

static int write_all(struct report *r, const sio_event *answer)
{
    const size_t count = sio_arg_count(answer);
    int error = grow_append_byte(&r->text, '[');

    for (size_t i = 0; error == SIO_OK && i < count; i++) {
        sio_value value = sio_arg(answer, i);

        error = append_value(&r->text, &r->bin, &value);
    }
    return error == SIO_OK ? grow_append_byte(&r->text, ']') : error;
}

static struct report *report_new(struct so_question *q)
{
    struct report *r = calloc(1, sizeof *r);

    if (!r)
        return NULL;
    r->mail.run = on_report;
    r->question = q;
    so_asker_ref(&q->asker);
    grow_init(&r->text, ANSWERS_MAX);
    sp_attachments_init(&r->bin);
    return r;
}

/* Once it is written, or not. */
static int report_send(struct report *r, int error)
{
    if (error < 0)
        report_free(r);
    else
        net_post(r->question->asker.home->loop, &r->mail);
    return error;
}

static int send_report(struct so_question *q, const sio_event *answer)
{
    struct report *r = report_new(q);
    sio_value value = sio_arg(answer, 0);
    const sio_value *first = sio_arg_count(answer) ? &value : NULL;

    if (!r)
        return SIO_E_NOMEM;
    return report_send(r,
                       q->many ? write_value(r, first) : write_all(r, answer));
}

int so_ask_report(struct so_asker *asker, const sio_value *value)
{
    struct report *r = report_new(question_of(asker));

    return r ? report_send(r, write_value(r, value)) : SIO_E_NOMEM;
}

/* --------------------------------------------------------------- away -- */

static struct so_away *away_of(struct so_branch *b)
{
    return container_of(b, struct so_away, branch);
}

static void on_branch_home(struct net_mail *mail)
{
    struct so_away *a = container_of(mail, struct so_away, mail);
    struct so_question *q = a->branch.question;

    if (!q->over && q->many) {
        q->waiting -= (int64_t)a->lost;
        if (a->lost)
            done_if_all(q);
    } else if (!q->over) {
        question_done(q, a->error);
    }
    so_asker_unref(&q->asker);
    free(a);
}

static void away_end(struct so_away *a)
{
    forget_acks(&a->branch);
    list_remove(&a->node);
    net_alarm_stop(a->branch.shard->loop, &a->timeout);
    a->mail.run = on_branch_home;
    net_post(a->branch.question->asker.home->loop, &a->mail);
}

static void on_away_timeout(struct net_alarm *alarm)
{
    struct so_away *a = container_of(alarm, struct so_away, timeout);

    a->error = SIO_E_TIMEOUT;
    away_end(a);
}

static struct so_away *away_new(struct so_shard *shard, struct so_question *q)
{
    struct so_away *a = calloc(1, sizeof *a);

    if (!a)
        return NULL;
    branch_init(&a->branch, q, shard, true);
    so_asker_ref(&q->asker);
    list_append(&shard->branches, &a->node);
    net_alarm_init(&a->timeout, on_away_timeout);
    a->error = SIO_E_STATE;
    return a;
}

/* Nobody was asked: home learns it from the outcome. */
static void away_cancel(struct so_away *a)
{
    forget_acks(&a->branch);
    list_remove(&a->node);
    net_alarm_stop(a->branch.shard->loop, &a->timeout);
    so_asker_unref(&a->branch.question->asker);
    free(a);
}

int so_execute_ask(struct so_part *part, const struct so_request *request,
                   struct so_outcome *outcome)
{
    struct so_shard *shard = part->shard;
    struct so_away *a;
    int r = shard->engine.shut ? SIO_OK : tell_those(part, request);

    if (r < 0 || shard->engine.shut)
        return r;
    a = away_new(shard, question_of(request->asker));
    if (!a)
        return SIO_E_NOMEM;
    r = ask_those(&a->branch, part, request, &a->waiting);
    if (r == SIO_OK && a->waiting && request->timeout_ms)
        r = net_alarm_start(shard->loop, &a->timeout, request->timeout_ms);
    if (r == SIO_OK && a->waiting)
        r = write_to_those(part, request);
    if (r == SIO_OK)
        outcome->count = (int64_t)a->waiting;
    if (r < 0 || a->waiting == 0)
        away_cancel(a);
    return r;
}

static void on_outcome(const struct so_letter *letter)
{
    struct so_asker *asker = so_posted_request(letter->posted)->asker;
    struct so_question *q = question_of(asker);

    if (q->over)
        return;
    q->loops--;
    q->waiting += letter->outcome.count;
    q->asked += letter->outcome.count;
    if (letter->abroad && letter->outcome.error < 0)
        q->error = letter->outcome.error;
    if (!q->many && letter->outcome.count == 0)
        question_done(q, letter->outcome.error < 0 ? letter->outcome.error
                                                   : SIO_E_STATE);
    else
        done_if_all(q);
}

/* ----------------------------------------------- what becomes of sockets -- */

static struct so_ack *find_ack(const sio_socket *socket, int64_t id)
{
    struct ack_key key = make_key(socket, id);
    struct map_node *node =
        map_find(&socket->part->shard->acks, key_text(&key));

    return node ? container_of(node, struct so_ack, node) : NULL;
}

static void received_away(struct so_away *a, struct so_ack *ack,
                          const sio_event *answer)
{
    int error = send_report(a->branch.question, answer);

    ack_free(ack);
    if (error < 0) {
        a->lost++;
        a->error = error;
    }
    if (--a->waiting == 0)
        away_end(a);
}

/* Unknown and repeated answers are ignored, as in Node. */
void so_ack_received(sio_socket *socket, struct sio_event *answer)
{
    struct so_ack *ack = find_ack(socket, answer->packet.id);
    struct so_question *q = ack ? ack->branch->question : NULL;

    if (q && ack->branch->away) {
        received_away(away_of(ack->branch), ack, answer);
    } else if (q && q->many) {
        sio_value first = sio_arg(answer, 0);

        ack_free(ack);
        take_answer(q, sio_arg_count(answer) ? &first : NULL);
    } else if (q) {
        question_unlink(q);
        q->on_reply(SIO_OK, answer, q->user);
        question_end(q);
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
        struct so_branch *b = ack->branch;

        if (b->question->many)
            ack_free(ack);
        else if (b->away)
            away_end(away_of(b));
        else
            question_done(b->question, SIO_E_STATE);
    }
}

/* The server stops: whoever still waits hears it now. */
void so_questions_end(struct so_shard *shard)
{
    while (!list_empty(&shard->questions))
        question_done(
            container_of(shard->questions.next, struct so_question, node),
            SIO_E_STATE);
    while (!list_empty(&shard->branches))
        away_end(container_of(shard->branches.next, struct so_away, node));
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
        r = ask_one(&q->own, socket, m->id);
    if (r == SIO_OK)
        q->waiting = 1;
    if (r == SIO_OK)
        r = start_timeout(q, request->timeout_ms);
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
        r = ask_those(&q->own, part, request, &count);
    q->waiting += (int64_t)count;
    q->asked += (int64_t)count;
    if (r == SIO_OK)
        r = start_timeout(q, request->timeout_ms);
    if (r == SIO_OK && count)
        r = write_to_those(part, request);
    return r;
}

/* The same for another thread, which has been told that it was asked. */
static void begin_here(struct so_part *part, const struct so_request *request)
{
    struct so_question *q = question_of(request->asker);
    bool mine = !request->socket || request->socket->part == part;
    int r = SIO_E_STATE;

    question_begin(q);
    if (!part->shard->engine.shut)
        r = mine ? tell_those(part, request) : SIO_OK;
    if (r == SIO_OK && !q->over)
        r = ask_here(q, part, request);
    if (!q->over && r == SIO_OK && !q->many && !q->waiting && !q->loops)
        r = SIO_E_STATE; /* it is gone */
    if (!q->over && r < 0)
        question_done(q, r);
    else if (!q->over && q->answers)
        tell_count(q);
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
        question_new(here ? here : hub->shards, !socket, on_reply, user);
    int r;

    if (!q)
        return SIO_E_NOMEM;
    if (here)
        question_begin(q);
    if (here && socket && socket->part->shard == here)
        r = ask_socket(q, socket, m, request);
    else
        r = ask_shared(q, request, m, here);
    if (r < 0)
        question_end(q);
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

int so_ask_foreign(struct so_request *request, struct sp_message *m,
                   const sio_cluster_answers *answers, sio_reply_fn gone,
                   void *user, struct so_question **question)
{
    struct so_hub *hub = request->nsp->hub;
    struct so_question *q = question_new(hub->shards, true, gone, user);
    int r;

    if (!q)
        return SIO_E_NOMEM;
    q->answers = answers;
    request->deed = SO_ASK;
    request->id = m->id = atomic_fetch_add(&request->nsp->next_ack_id, 1);
    r = ask_shared(q, request, m, NULL);
    if (r < 0)
        question_end(q);
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
        question_new(here ? here : hub->shards, true, on_reply, user);
    struct so_posted *posted;
    int r;

    if (!q)
        return SIO_E_NOMEM;
    request->message = m;
    request->asker = &q->asker;
    request->on_outcome = on_outcome;
    r = so_prepare(request, here, &posted);
    if (r < 0) {
        question_end(q);
        return r;
    }
    q->loops = so_posted_count(posted);
    if (here)
        question_begin(q); /* only the adapter's clock ends it */
    so_post(posted);
    return SIO_OK;
}

void so_ask_forget(struct so_question *question)
{
    question_end(question);
}
