/*
 * redis_cluster.c -- which master of a Redis Cluster has which slot, and what
 * follows when that changes.
 *
 * Slots are asked for when a connection comes up for the first time, and again
 * when something says that what we know is out of date: MOVED, a connection
 * that fails, a subscription that a server has ended. Meanwhile MOVED tells
 * where to go.
 *
 * What has no key (PUBLISH, SUBSCRIBE: the cluster passes it on) goes to
 * `home`, any server that works.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/adapter/redis_client.h"

#include "protocol/base/str.h"

#include <stdlib.h>

/* ----------------------------------------------------------------- slots -- */

/* CRC-16/XMODEM, as the cluster specification has it. */
static uint16_t crc16(sio_str s)
{
    uint16_t crc = 0;

    for (size_t i = 0; i < s.n; i++) {
        crc = (uint16_t)(crc ^ (uint16_t)((unsigned char)s.p[i] << 8));
        for (int bit = 0; bit < 8; bit++)
            crc = (uint16_t)(crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1);
    }
    return crc;
}

/* Only what is between the first "{" and the next "}" counts, if anything. */
unsigned redis_slot(sio_str key)
{
    sio_str tail, tag, rest;

    str_split(key, '{', &tail);
    tag = tail.p ? str_split(tail, '}', &rest) : (sio_str){ NULL, 0 };
    if (tag.n && rest.p)
        key = tag;
    return crc16(key) % REDIS_SLOTS;
}

struct redis_node *redis_route(const struct redis *r, sio_str key)
{
    struct redis_node *node =
        r->cluster && key.n ? r->slots[redis_slot(key)] : NULL;

    return node ? node : r->home;
}

/* ------------------------------------------------------ nodes and needs -- */

static bool needs_messages(const struct redis *r, const struct redis_node *node)
{
    list_for_each_safe(it, next, &r->names)
    {
        const struct redis_channel *c =
            container_of(it, struct redis_channel, by_link);
        const struct redis_node *at =
            c->kind == REDIS_SHARD ? redis_route(r, (sio_str){ c->name, c->n })
                                   : r->home;

        if (c->at == node || at == node)
            return true;
    }
    return false;
}

/* Close what is not needed any more. */
static void trim(struct redis *r)
{
    list_for_each_safe(it, next, &r->nodes)
    {
        struct redis_node *n = container_of(it, struct redis_node, node);
        struct redis_link *commands = n->commands, *messages = n->messages;

        if (n == r->home)
            continue;
        if (messages && !needs_messages(r, n)) {
            n->messages = NULL;
            redis_link_close(messages);
        }
        if (commands && !n->in_map) {
            n->commands = NULL;
            redis_link_close(commands);
        }
    }
}

/* A slot that MOVED has told of may still be there. */
static bool has_slot(const struct redis *r, const struct redis_node *node)
{
    for (size_t i = 0; i < REDIS_SLOTS; i++)
        if (r->slots[i] == node)
            return true;
    return false;
}

bool redis_node_forget_one(struct redis *r)
{
    list_for_each_safe(it, next, &r->nodes)
    {
        struct redis_node *n = container_of(it, struct redis_node, node);

        if (n == r->home || n->seed || n->in_map || n->commands ||
            n->messages || has_slot(r, n))
            continue;
        list_remove(&n->node);
        free(n);
        return true;
    }
    return false;
}

/* Commands that wait for a server which is not asked any more go on to the one
 * that is. */
static void reroute_waiting(struct redis *r, struct redis_node *node)
{
    if (!node->commands)
        return;
    list_for_each_safe(it, next, &node->commands->waiting)
    {
        struct redis_command *c = container_of(it, struct redis_command, node);
        struct redis_node *to = c->routed ? r->slots[c->slot] : r->home;
        struct redis_link *link =
            to && to != node ? redis_commands_of(to) : NULL;

        if (link)
            redis_link_take(link, c);
    }
}

static void settle(struct redis *r)
{
    redis_place_all(r);
    list_for_each_safe(it, next, &r->nodes)
        reroute_waiting(r, container_of(it, struct redis_node, node));
    trim(r);
    redis_changed(r);
}

/* ---------------------------------------------------------- CLUSTER SLOTS --
 */

/* "" and nil are the server that was asked. */
static struct redis_node *master_of(struct redis_node *asked,
                                    const struct redis_reply *entry)
{
    const struct redis_reply *master = redis_item(entry, 2);
    const struct redis_reply *port = redis_item(master, 1);
    sio_str host = redis_text(redis_item(master, 0));

    if (!port || port->type != REDIS_INTEGER || port->integer < 1 ||
        port->integer > UINT16_MAX)
        return NULL;
    return redis_node_get(asked->r, host.n ? host : str_of(asked->host),
                          (uint16_t)port->integer);
}

static bool take_entry(struct redis_node *asked,
                       const struct redis_reply *entry)
{
    const struct redis_reply *first = redis_item(entry, 0);
    const struct redis_reply *last = redis_item(entry, 1);
    struct redis_node *master = master_of(asked, entry);

    if (!master || first->type != REDIS_INTEGER ||
        last->type != REDIS_INTEGER || first->integer < 0 ||
        last->integer >= REDIS_SLOTS || first->integer > last->integer)
        return false;
    master->in_map = true;
    for (int64_t i = first->integer; i <= last->integer; i++)
        asked->r->slots[i] = master;
    return true;
}

/* Slots that nobody has stay where they were: their commands end with what the
 * server says. */
static bool take_slots(struct redis_node *asked,
                       const struct redis_reply *reply)
{
    bool any = false;

    if (reply->type != REDIS_ARRAY || !reply->first)
        return false;
    list_for_each_safe(it, next, &asked->r->nodes)
        container_of(it, struct redis_node, node)
            ->in_map = false;
    for (const struct redis_reply *e = reply->first; e; e = e->next)
        any = take_entry(asked, e) || any;
    return any;
}

static void on_slots(void *self, int status, const struct redis_reply *reply)
{
    struct redis_node *asked = self;
    struct redis *r = asked->r;

    if (r->closed)
        return;
    r->slots_asked = false;
    if (status == SIO_OK && take_slots(asked, reply)) {
        r->slots_known = true;
        r->slots_failed = false;
        settle(r);
        return;
    }
    r->slots_wanted = true;
    if (status < 0)
        return; /* the connection has failed, which is said */
    r->slots_failed = true;
    redis_note(r, asked,
               reply->type == REDIS_ERROR ? "CLUSTER SLOTS was refused"
                                          : "no slots are served");
}

static struct redis_link *any_up(const struct redis *r)
{
    if (r->home->commands && r->home->commands->state == REDIS_LINK_UP)
        return r->home->commands;
    list_for_each_safe(it, next, &r->nodes)
    {
        struct redis_node *n = container_of(it, struct redis_node, node);

        if (n->commands && n->commands->state == REDIS_LINK_UP)
            return n->commands;
    }
    return NULL;
}

static void ask_slots(struct redis *r)
{
    const sio_str argv[] = { STR("CLUSTER"), STR("SLOTS") };
    struct redis_link *link = any_up(r);

    r->slots_wanted = true;
    net_timer_start(&r->refreshes, &r->refresh);
    if (!link)
        return; /* when one comes up */
    r->slots_asked =
        redis_link_command(link, argv, 2, -1, on_slots, link->self) == SIO_OK;
    r->slots_wanted = !r->slots_asked;
}

void redis_refresh_slots(struct redis *r)
{
    if (!r->cluster || r->closed)
        return;
    if (r->slots_asked || net_timer_running(&r->refresh))
        r->slots_wanted = true;
    else
        ask_slots(r);
}

static void on_refresh(struct net_timer *timer)
{
    struct redis *r = container_of(timer, struct redis, refresh);

    if (r->slots_wanted && !r->slots_asked)
        ask_slots(r);
}

void redis_cluster_init(struct redis *r)
{
    net_timer_init(&r->refresh);
    net_timer_queue_init(&r->refreshes, r->shared.loop, REDIS_REFRESH_MS,
                         on_refresh);
}

void redis_cluster_close(struct redis *r)
{
    net_timer_queue_close(&r->refreshes);
}

/* --------------------------------------------------------------- changes -- */

static struct redis_node *after(const struct redis *r,
                                const struct redis_node *node)
{
    struct list *next = node->node.next;

    return container_of(next == &r->nodes ? r->nodes.next : next,
                        struct redis_node, node);
}

/* One that is known to work, or else the next that may. */
static struct redis_node *other_home(const struct redis *r)
{
    struct redis_node *maybe = NULL;

    for (struct redis_node *n = after(r, r->home); n != r->home;
         n = after(r, n)) {
        if (n->commands && n->commands->state == REDIS_LINK_UP)
            return n;
        if (!maybe && (n->in_map || n->seed))
            maybe = n;
    }
    return maybe;
}

void redis_node_failed(struct redis_node *node)
{
    struct redis *r = node->r;
    struct redis_node *other;

    if (!r->cluster || r->closed)
        return;
    redis_refresh_slots(r);
    other = node == r->home ? other_home(r) : NULL;
    if (!other || !redis_commands_of(other))
        return;
    r->home = other;
    settle(r);
}

/* "3999 127.0.0.1:6381"; of IPv6 without brackets. */
static struct redis_node *parse_target(struct redis_node *from, sio_str text,
                                       unsigned *slot)
{
    sio_str target, digits = str_split(text, ' ', &target);
    unsigned long port = 0, number = 0;
    size_t colon = target.n;

    for (size_t i = 0; i < digits.n; i++) {
        if (digits.p[i] < '0' || digits.p[i] > '9' || number >= REDIS_SLOTS)
            return NULL;
        number = number * 10 + (unsigned long)(digits.p[i] - '0');
    }
    while (colon && target.p[colon - 1] != ':')
        colon--;
    for (size_t i = colon; i < target.n; i++) {
        if (target.p[i] < '0' || target.p[i] > '9' || port > UINT16_MAX)
            return NULL;
        port = port * 10 + (unsigned long)(target.p[i] - '0');
    }
    if (!digits.n || number >= REDIS_SLOTS || !colon || !port ||
        port > UINT16_MAX)
        return NULL;
    *slot = (unsigned)number;
    target.n = colon - 1;
    return redis_node_get(from->r, target.n ? target : str_of(from->host),
                          (uint16_t)port);
}

struct redis_node *redis_redirected(struct redis_node *from,
                                    const struct redis_reply *error, bool *ask)
{
    struct redis *r = from->r;
    struct redis_node *to;
    sio_str rest, word = str_split(error->text, ' ', &rest);
    unsigned slot;

    *ask = str_eq(word, STR("ASK"));
    if (!r->cluster || !rest.p || (!*ask && !str_eq(word, STR("MOVED"))))
        return NULL;
    to = parse_target(from, rest, &slot);
    if (to && !*ask) {
        r->slots[slot] = to;
        redis_refresh_slots(r);
    }
    return to;
}
