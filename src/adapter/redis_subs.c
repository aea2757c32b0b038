/*
 * redis_subs.c -- subscriptions: asked for once per name, where its slot is or
 * at home, and again whenever a connection comes back.
 *
 *     redis_subscribe() --> struct redis_channel --SUBSCRIBE--> link `messages`
 *     "message" --> the channel of that name --> every redis_sub of it
 *
 * A channel that nobody wants any more stays until its last answer has come:
 * answers come in the order of the commands, but a message may come between.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/adapter/redis_client.h"

#include "protocol/base/str.h"
#include "src/net/random.h"

#include <stdio.h>
#include <stdlib.h>

struct redis_sub {
    struct list node; /* in channel->subs */
    struct redis_channel *channel;
    const struct redis_sub_ops *ops; /* NULL: it has gone */
    void *self;
};

static const struct {
    sio_str message, subscribe, unsubscribe;
} words[REDIS_KINDS] = {
    { { "message", 7 }, { "SUBSCRIBE", 9 }, { "UNSUBSCRIBE", 11 } },
    { { "pmessage", 8 }, { "PSUBSCRIBE", 10 }, { "PUNSUBSCRIBE", 12 } },
    { { "smessage", 8 }, { "SSUBSCRIBE", 10 }, { "SUNSUBSCRIBE", 12 } },
};

/* -------------------------------------------------------------- counting -- */

static void set_active(struct redis_channel *c, bool active)
{
    if (c->gone || c->active == active)
        return;
    c->active = active;
    c->r->inactive += active ? (size_t)-1 : 1;
    redis_changed(c->r);
}

static void set_lost(struct redis_channel *c, bool lost)
{
    if (c->gone || c->lost == lost)
        return;
    c->lost = lost;
    c->r->lost += lost ? 1 : (size_t)-1;
    redis_changed(c->r);
}

/* --------------------------------------------------------------- telling -- */

/* Nothing refers to it any more. */
static void channel_free_if_done(struct redis_channel *c)
{
    if (c->gone && !c->asked && c->leaving == 0 && c->telling == 0)
        free(c);
}

/* Subs may go, and come, in their callbacks: the list is swept when the last of
 * the callbacks is over. */
static void end_telling(struct redis_channel *c)
{
    if (--c->telling)
        return;
    list_for_each_safe(it, next, &c->subs)
    {
        struct redis_sub *sub = container_of(it, struct redis_sub, node);

        if (sub->ops)
            continue;
        list_remove(&sub->node);
        free(sub);
    }
    channel_free_if_done(c);
}

static void tell_message(struct redis_channel *c, sio_str channel,
                         sio_str payload)
{
    c->telling++;
    for (struct list *it = c->subs.next; it != &c->subs; it = it->next) {
        struct redis_sub *sub = container_of(it, struct redis_sub, node);

        if (sub->ops)
            sub->ops->on_message(sub->self, channel, payload);
    }
    end_telling(c);
}

static void tell_status(struct redis_channel *c, bool active, const char *why)
{
    c->telling++;
    for (struct list *it = c->subs.next; it != &c->subs; it = it->next) {
        struct redis_sub *sub = container_of(it, struct redis_sub, node);

        if (sub->ops && sub->ops->on_status)
            sub->ops->on_status(sub->self, active, why);
    }
    end_telling(c);
}

/* ---------------------------------------------------------------- asking -- */

static void on_subscribed(void *self, int status,
                          const struct redis_reply *reply);

static void on_unsubscribed(void *self, int status,
                            const struct redis_reply *reply)
{
    struct redis_channel *c = self;

    (void)status;
    (void)reply;
    c->leaving--;
    channel_free_if_done(c);
}

static int subscribe(struct redis_channel *c, struct redis_link *link)
{
    const sio_str argv[] = { words[c->kind].subscribe, { c->name, c->n } };
    int r = redis_link_command(link, argv, 2, -1, on_subscribed, c);

    c->asked = r == SIO_OK;
    return r;
}

/* When it cannot be asked for, messages come that nobody wants. */
static void unsubscribe(struct redis_channel *c)
{
    const sio_str argv[] = { words[c->kind].unsubscribe, { c->name, c->n } };
    struct redis_link *link = c->at ? c->at->messages : NULL;

    c->at = NULL;
    if (link && link->state == REDIS_LINK_UP &&
        redis_link_command(link, argv, 2, -1, on_unsubscribed, c) == SIO_OK)
        c->leaving++;
}

static void retry_later(struct redis *r)
{
    if (!net_timer_running(&r->retry))
        net_timer_start(&r->retries, &r->retry);
}

static struct redis_node *place_of(const struct redis_channel *c)
{
    return c->kind == REDIS_SHARD
               ? redis_route(c->r, (sio_str){ c->name, c->n })
               : c->r->home;
}

/* See that it is asked for where it should be: on a link that is not up, when
 * it comes up; while an answer is awaited, when that has come. */
static void place(struct redis_channel *c)
{
    struct redis_node *to = place_of(c);
    struct redis_link *link;

    if (c->gone || c->asked || c->at == to)
        return;
    unsubscribe(c);
    set_active(c, false);
    link = redis_messages_of(to);
    if (link && link->state != REDIS_LINK_UP)
        return;
    if (link && subscribe(c, link) == SIO_OK) {
        c->at = to;
        return;
    }
    set_lost(c, true);
    retry_later(c->r);
}

void redis_place_all(struct redis *r)
{
    list_for_each_safe(it, next, &r->names)
        place(container_of(it, struct redis_channel, by_link));
}

static void on_retry(struct net_timer *timer)
{
    redis_place_all(container_of(timer, struct redis, retry));
}

/* --------------------------------------------------------------- answers -- */

/* It is not in force. */
static void lose(struct redis_channel *c, const char *why)
{
    c->at = NULL;
    set_active(c, false);
    set_lost(c, true);
    tell_status(c, false, why);
}

static void refused(struct redis_channel *c, const struct redis_reply *reply)
{
    struct redis_node *at = c->at;
    char why[REDIS_WHY];
    bool asking;

    if (redis_redirected(at, reply, &asking)) {
        c->r->shared.redirects++;
        c->at = NULL;
        if (c->moves++ < REDIS_REDIRECTS_MAX)
            place(c);
        if (c->at || c->moves <= REDIS_REDIRECTS_MAX)
            return;
    }
    snprintf(why, sizeof why, "%.*s",
             (int)(reply->text.n < 150 ? reply->text.n : 150), reply->text.p);
    redis_note(c->r, at, why);
    retry_later(c->r);
    c->moves = 0;
    lose(c, why);
}

static void on_subscribed(void *self, int status,
                          const struct redis_reply *reply)
{
    struct redis_channel *c = self;

    c->asked = false;
    if (c->gone || c->r->closed) {
        channel_free_if_done(c);
        return;
    }
    if (status < 0 || !c->at) {
        place(c);
        return;
    }
    if (reply->type == REDIS_ERROR) {
        refused(c, reply);
        return;
    }
    c->moves = 0;
    set_lost(c, false);
    set_active(c, true);
    c->telling++;
    tell_status(c, true, NULL);
    place(c); /* meanwhile it may belong elsewhere */
    end_telling(c);
}

/* -------------------------------------------------------------- messages -- */

static struct redis_channel *find(struct redis *r, size_t kind, sio_str name)
{
    struct map_node *node = map_find(&r->channels[kind], name);

    return node ? container_of(node, struct redis_channel, map) : NULL;
}

/* The server says so by itself when a slot moves. */
static void lost_by_server(struct redis_node *node, size_t kind, sio_str name)
{
    struct redis_channel *c = find(node->r, kind, name);

    if (!c || c->at != node || c->asked)
        return;
    redis_refresh_slots(node->r);
    retry_later(node->r);
    lose(c, "the server has ended it");
}

static bool is_name_of(const struct redis_command *command, sio_str name)
{
    const struct redis_channel *c = command->self;

    return str_eq((sio_str){ c->name, c->n }, name);
}

/* The answers to (P|S)SUBSCRIBE and its opposites look like messages. */
static bool take_confirmation(struct redis_node *node,
                              const struct redis_command *head, sio_str word,
                              sio_str name)
{
    for (size_t kind = 0; kind < REDIS_KINDS; kind++) {
        if (str_eq_nocase(word, words[kind].subscribe))
            return !head || head->on_reply != on_subscribed ||
                   !is_name_of(head, name);
        if (!str_eq_nocase(word, words[kind].unsubscribe))
            continue;
        if (head && head->on_reply == on_unsubscribed && is_name_of(head, name))
            return false;
        lost_by_server(node, kind, name);
        return true;
    }
    return false;
}

static bool messages_push(void *self, struct redis_link *link,
                          struct redis_command *head,
                          const struct redis_reply *reply)
{
    struct redis_node *node = self;
    const struct redis_reply *item = redis_item(reply, 0);
    sio_str word = redis_text(item);
    struct redis_channel *c;

    (void)link;
    for (size_t kind = 0; kind < REDIS_KINDS; kind++) {
        const struct redis_reply *name = redis_item(reply, 1), *at = name;

        if (!str_eq(word, words[kind].message))
            continue;
        if (kind == REDIS_PATTERN)
            at = name ? name->next : NULL;
        if (!at || !at->next)
            return true;
        node->r->messages++;
        c = find(node->r, kind, redis_text(name));
        if (c)
            tell_message(c, redis_text(at), redis_text(at->next));
        return true;
    }
    return take_confirmation(node, head, word,
                             redis_text(redis_item(reply, 1)));
}

/* ------------------------------------------------------------- the links -- */

static void messages_up(void *self, struct redis_link *link)
{
    struct redis_node *node = self;

    (void)link;
    redis_place_all(node->r);
    redis_changed(node->r);
}

/* A callback may end any subscription, or the client. */
static void tell_news(struct redis *r, const char *why)
{
    while (!list_empty(&r->news)) {
        struct redis_channel *c =
            container_of(r->news.next, struct redis_channel, news);

        list_remove(&c->news);
        tell_status(c, false, why);
    }
}

static void messages_down(void *self, struct redis_link *link)
{
    struct redis_node *node = self;
    struct redis *r = node->r;

    redis_note(r, node, link->why);
    list_for_each_safe(it, next, &r->names)
    {
        struct redis_channel *c =
            container_of(it, struct redis_channel, by_link);

        if (c->at != node)
            continue;
        c->at = NULL;
        set_active(c, false);
        set_lost(c, true);
        list_append(&r->news, &c->news);
    }
    redis_node_failed(node);
    tell_news(r, link->why);
}

const struct redis_link_ops redis_messages_ops = {
    .on_up = messages_up,
    .on_down = messages_down,
    .on_push = messages_push,
};

/* ---------------------------------------------------- beginning and end -- */

static struct redis_channel *channel_new(struct redis *r, enum redis_kind kind,
                                         sio_str name)
{
    struct redis_channel *c = calloc(1, sizeof *c + name.n);

    if (!c)
        return NULL;
    c->r = r;
    c->kind = kind;
    c->n = name.n;
    memcpy(c->name, name.p, name.n);
    list_init(&c->subs);
    list_init(&c->news);
    list_init(&c->by_link);
    if (map_add(&r->channels[kind], &c->map, (sio_str){ c->name, c->n }) < 0) {
        free(c);
        return NULL;
    }
    list_append(&r->names, &c->by_link);
    r->inactive++;
    return c;
}

/* Nobody wants it any more. */
static void leave(struct redis_channel *c)
{
    set_lost(c, false);
    set_active(c, true); /* as far as counting goes */
    c->gone = true;
    map_remove(&c->r->channels[c->kind], &c->map);
    list_remove(&c->by_link);
    list_remove(&c->news);
    unsubscribe(c);
    channel_free_if_done(c);
}

int redis_subscribe(struct redis *r, enum redis_kind kind, sio_str name,
                    const struct redis_sub_ops *ops, void *self,
                    struct redis_sub **out)
{
    struct redis_channel *c;
    struct redis_sub *sub;

    if (r->closed)
        return SIO_E_STATE;
    if (name.n == 0 || name.n > REDIS_NAME_MAX)
        return SIO_E_LIMIT;
    sub = malloc(sizeof *sub);
    c = sub ? find(r, kind, name) : NULL;
    if (sub && !c)
        c = channel_new(r, kind, name);
    if (!c) {
        free(sub);
        return SIO_E_NOMEM;
    }
    *sub = (struct redis_sub){ .channel = c, .ops = ops, .self = self };
    list_append(&c->subs, &sub->node);
    c->wanted++;
    place(c);
    *out = sub;
    return SIO_OK;
}

void redis_unsubscribe(struct redis_sub *sub)
{
    struct redis_channel *c = sub->channel;

    sub->ops = NULL;
    c->telling++; /* end_telling() sweeps */
    if (--c->wanted == 0)
        leave(c);
    end_telling(c);
}

int redis_subs_init(struct redis *r)
{
    uint64_t seed[2];

    if (net_random(seed, sizeof seed) < 0)
        return SIO_E_SYS;
    for (size_t i = 0; i < REDIS_KINDS; i++)
        map_init(&r->channels[i], seed);
    list_init(&r->names);
    list_init(&r->news);
    net_timer_init(&r->retry);
    net_timer_queue_init(&r->retries, r->shared.loop, REDIS_RETRY_MS, on_retry);
    return SIO_OK;
}

static void drop(struct redis_channel *c)
{
    c->telling++;
    list_for_each_safe(it, next, &c->subs)
        container_of(it, struct redis_sub, node)
            ->ops = NULL;
    c->at = NULL; /* the connection ends: nothing is to be said */
    leave(c);
    end_telling(c);
}

void redis_subs_close(struct redis *r)
{
    while (!list_empty(&r->names))
        drop(container_of(r->names.next, struct redis_channel, by_link));
    net_timer_queue_close(&r->retries);
}
