/*
 * away.c -- branches of questions on other loops than the question's, and what
 * they send home: see question.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/socketio/question.h"

#include <stdlib.h>

/* A branch on another loop than its question. */
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

/* -------------------------------------------------------------- reports -- */

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
        so_question_take(q, r->text.len ? &value : NULL);
    } else {
        so_question_unlink(q);
        so_question_reply(q, SIO_OK, &r->text, &r->bin);
        so_question_end(q);
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

        error = so_answer_append(&r->text, &r->bin, &value);
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
    grow_init(&r->text, SO_ANSWERS_MAX);
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
    struct report *r = report_new(so_question_of(asker));

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
            so_question_look(q);
    } else if (!q->over) {
        so_question_done(q, a->error);
    }
    so_asker_unref(&q->asker);
    free(a);
}

static void away_end(struct so_away *a)
{
    so_branch_forget(&a->branch);
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
    so_branch_init(&a->branch, q, shard, true);
    so_asker_ref(&q->asker);
    list_append(&shard->branches, &a->node);
    net_alarm_init(&a->timeout, on_away_timeout);
    a->error = SIO_E_STATE;
    return a;
}

/* Nobody was asked: home learns it from the outcome. */
static void away_cancel(struct so_away *a)
{
    so_branch_forget(&a->branch);
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
    int r = shard->engine.shut ? SIO_OK : so_tell_those(part, request);

    if (r < 0 || shard->engine.shut)
        return r;
    a = away_new(shard, so_question_of(request->asker));
    if (!a)
        return SIO_E_NOMEM;
    r = so_ask_those(&a->branch, part, request, &a->waiting);
    if (r == SIO_OK && a->waiting && request->timeout_ms)
        r = net_alarm_start(shard->loop, &a->timeout, request->timeout_ms);
    if (r == SIO_OK && a->waiting)
        r = so_write_to_those(part, request);
    if (r == SIO_OK)
        outcome->count = (int64_t)a->waiting;
    if (r < 0 || a->waiting == 0)
        away_cancel(a);
    return r;
}

void so_away_received(struct so_branch *b, struct so_ack *ack,
                      const sio_event *answer)
{
    struct so_away *a = away_of(b);
    int error = send_report(a->branch.question, answer);

    so_ack_free(ack);
    if (error < 0) {
        a->lost++;
        a->error = error;
    }
    if (--a->waiting == 0)
        away_end(a);
}

void so_away_end(struct so_branch *b)
{
    away_end(away_of(b));
}

void so_aways_end(struct so_shard *shard)
{
    while (!list_empty(&shard->branches))
        away_end(container_of(shard->branches.next, struct so_away, node));
}
