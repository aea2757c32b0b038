/*
 * dynamic.c -- namespaces that rules make: <sio/namespace.h>.
 *
 *   CONNECT to an unknown name
 *     --> a rule that may say yes?     no: "Invalid namespace"
 *     --> PENDING namespace, with the client's socket already in it
 *     --> rules, one after the other   none says yes: "Invalid namespace"
 *     --> CHILD, or the one that somebody else has made meanwhile
 *     --> middlewares, as for any other
 *
 * While a rule decides, the socket is one that is not let in yet: so a second
 * CONNECT, an early event, or the end of the client need no code of their own.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/socketio/hub.h"

#include <sio/namespace.h>

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>

struct so_rule {
    sio_rule_fn fn; /* or, when NULL: */
    void *user;
    regex_t regex;
};

#define INVALID STR("{\"message\":\"Invalid namespace\"}")
#define TOO_MANY STR("{\"message\":\"Too many namespaces\"}")

/* ----------------------------------------------------------------- rules -- */

void so_rule_free(const struct so_rule *rule)
{
    struct so_rule *mine = (struct so_rule *)(uintptr_t)rule;

    if (mine && !mine->fn)
        regfree(&mine->regex);
    free(mine);
}

static bool matches(const struct so_rule *rule, sio_str name)
{
    regmatch_t range = { .rm_so = 0, .rm_eo = (regoff_t)name.n };

    return regexec(&rule->regex, name.p, 0, &range, REG_STARTEND) == 0;
}

static sio_namespace *rule_at(struct map_node *node)
{
    return node ? container_of(node, sio_namespace, node) : NULL;
}

static sio_namespace *rule_behind(const sio_namespace *parent)
{
    return rule_at(map_next(&parent->hub->parents, &parent->node));
}

/* From `parent` on: the first that matches, or is a function where those
 * count. */
static sio_namespace *may_decide(sio_namespace *parent, sio_str name,
                                 bool functions)
{
    while (parent &&
           !(parent->rule->fn ? functions : matches(parent->rule, name)))
        parent = rule_behind(parent);
    return parent;
}

/* The first that may decide about `name` behind `before`; NULL: of all. */
static sio_namespace *rule_from(struct so_hub *hub, sio_namespace *before,
                                sio_str name)
{
    sio_namespace *rule;

    so_lock(hub);
    rule = may_decide(before ? rule_behind(before)
                             : rule_at(map_first(&hub->parents)),
                      name, true);
    so_unlock(hub);
    return rule;
}

/* A rule takes the place of `rule`, which is freed when that fails. */
static sio_namespace *add_rule_locked(struct so_hub *hub,
                                      const struct so_rule *rule)
{
    sio_namespace *parent;
    char name[24];

    snprintf(name, sizeof name, "/_%u", hub->parents_made);
    parent = so_namespace_new(hub, str_of(name));
    if (!parent) {
        so_rule_free(rule);
        return NULL;
    }
    parent->rule = rule;
    if (so_namespace_open(parent, SO_PARENT) < 0) {
        so_namespace_unref(parent);
        return NULL;
    }
    hub->parents_made++;
    return parent;
}

static sio_namespace *add_rule(struct so_hub *hub, const struct so_rule *rule)
{
    sio_namespace *parent;

    so_lock(hub);
    parent = add_rule_locked(hub, rule);
    so_unlock(hub);
    return parent;
}

sio_namespace *so_of_regex(struct so_hub *hub, const char *regex)
{
    struct so_rule *rule = calloc(1, sizeof *rule);
    char why[200];
    int r;

    if (!rule || !regex) {
        free(rule);
        return NULL;
    }
    r = regcomp(&rule->regex, regex, REG_EXTENDED | REG_NOSUB);
    if (r == 0)
        return add_rule(hub, rule);
    regerror(r, &rule->regex, why, sizeof why);
    so_log(hub, SIO_LOG_ERROR, "namespaces \"%.200s\": %s", regex, why);
    free(rule);
    return NULL;
}

sio_namespace *so_of_function(struct so_hub *hub, sio_rule_fn fn, void *user)
{
    struct so_rule *rule = calloc(1, sizeof *rule);

    if (!rule)
        return NULL;
    rule->fn = fn;
    rule->user = user;
    return add_rule(hub, rule);
}

/* -------------------------------------------------------------- children -- */

/* `nsp`, which nobody knows of, becomes a child; the lock is held. */
static int adopt(sio_namespace *parent, sio_namespace *nsp)
{
    int r = so_namespace_open(nsp, SO_CHILD);

    if (r < 0)
        return r;
    nsp->parent = parent;
    list_append(&parent->children, &nsp->children);
    so_namespace_announce(nsp);
    return SIO_OK;
}

sio_namespace *so_dynamic_match(struct so_hub *hub, sio_str name, int *r)
{
    sio_namespace *parent =
        may_decide(rule_at(map_first(&hub->parents)), name, false);
    sio_namespace *nsp;

    if (!parent)
        return NULL;
    nsp = so_namespace_new(hub, name);
    if (nsp) {
        nsp->kind = SO_PENDING;
        atomic_fetch_add(&hub->children, 1);
        *r = adopt(parent, nsp);
        if (*r == SIO_OK)
            return nsp;
        so_namespace_close(nsp);
    }
    *r = SIO_E_NOMEM;
    return NULL;
}

static bool is_passing(const sio_namespace *nsp)
{
    return nsp->kind == SO_PENDING ||
           (nsp->kind == SO_CHILD && nsp->hub->options.cleanup_children);
}

void so_dynamic_left(sio_namespace *nsp)
{
    if (!is_passing(nsp))
        return;
    so_lock(nsp->hub);
    if (is_passing(nsp) && atomic_load(&nsp->members) == 0 &&
        atomic_load(&nsp->kept) == 0)
        so_namespace_close(nsp);
    so_unlock(nsp->hub);
}

/* ------------------------------------------------------------ connecting -- */

static void refuse(struct so_client *client, sio_str name, sio_str json)
{
    const sio_value payload = so_payload(json);

    so_client_send(client, SP_CONNECT_ERROR, name, &payload);
}

bool so_dynamic_room(struct so_client *client, sio_str name)
{
    struct so_hub *hub = client->shard->hub;
    size_t n = 0;

    list_for_each_safe(it, next, &client->sockets)
    {
        enum so_kind kind = container_of(it, sio_socket, node)->part->nsp->kind;

        n += kind == SO_CHILD || kind == SO_PENDING;
    }
    if (n < hub->options.max_client_children)
        return true;
    so_log(hub, SIO_LOG_WARN,
           "namespace refused: a client is in %zu dynamic ones", n);
    refuse(client, name, TOO_MANY);
    return false;
}

/* Over to the namespace that somebody else has made meanwhile. */
static void move_to(sio_socket *socket, sio_namespace *nsp)
{
    struct so_shard *shard = socket->client->shard;
    sio_namespace *pending = socket->part->nsp;

    SO_COUNT(socket->part->members, -1);
    socket->part = so_part_of(so_namespace_ref(nsp), shard);
    SO_COUNT(socket->part->members, 1);
    so_namespace_leave(pending);
    so_namespace_unref(pending);
}

/* The rule has said yes: make the name a namespace, unless it is one now. */
static int make_child(sio_socket *socket, sio_namespace *parent)
{
    sio_namespace *pending = socket->part->nsp;
    struct so_hub *hub = pending->hub;
    sio_namespace *nsp;
    int r = SIO_OK;

    so_lock(hub);
    nsp = so_namespace_enter(socket->client->shard, map_key(&pending->node));
    if (nsp)
        move_to(socket, nsp);
    else
        r = adopt(parent, pending);
    so_unlock(hub);
    return r;
}

static void finish(sio_next *next, sio_namespace *parent)
{
    sio_socket *socket = next->socket;
    const sio_value invalid = so_payload(INVALID);

    if (socket->state != SO_CONNECTING) {
        so_next_free(next);
    } else if (!parent) {
        so_turn_away(socket, &invalid);
        so_next_free(next);
    } else if (make_child(socket, parent) < 0) {
        so_client_violation(socket->client, "out of memory");
        so_next_free(next);
    } else {
        so_start_middlewares(socket, next);
    }
}

/* Ask one rule after the other; with `next->answered` the one at next->rules
 * has decided. */
static void ask_rules(sio_next *next)
{
    sio_socket *socket = next->socket;
    const sio_namespace *pending = socket->part->nsp;
    sio_str name = map_key(&pending->node);

    while (next->rules && socket->state == SO_CONNECTING) {
        const struct so_rule *rule = next->rules->rule;

        if (!rule->fn)
            break; /* it matches */
        if (!next->answered) {
            next->running = true;
            rule->fn(pending->name, sio_auth(socket), next, rule->user);
            next->running = false;
            if (!next->answered)
                return; /* it will, later */
        }
        if (!next->refused)
            break;
        next->answered = next->refused = false;
        next->error.len = 0;
        next->rules = rule_from(pending->hub, next->rules, name);
    }
    finish(next, next->rules);
}

/* A namespace that only one client is in, who has asked for it. NULL: there are
 * too many, or (*r) no memory. */
static sio_namespace *make_pending(struct so_shard *shard, sio_str name, int *r)
{
    struct so_hub *hub = shard->hub;
    sio_namespace *pending = NULL;

    *r = SIO_E_LIMIT;
    so_lock(hub);
    if (hub->children < hub->options.max_children) {
        pending = so_namespace_new(hub, name);
        *r = pending ? SIO_OK : SIO_E_NOMEM;
    }
    if (pending) {
        pending->kind = SO_PENDING;
        atomic_fetch_add(&hub->children, 1);
        atomic_fetch_add(&pending->members, 1);
    }
    so_unlock(hub);
    return pending;
}

static void ask_first(struct so_client *client, const struct sp_packet *p,
                      sio_namespace *rule, sio_namespace *pending)
{
    sio_socket *socket = so_socket_new(client, pending, p->json);
    sio_next *next = socket ? so_next_new(socket, ask_rules) : NULL;

    if (!next)
        return;
    next->rules = rule;
    ask_rules(next);
}

void so_dynamic_connect(struct so_client *client, const struct sp_packet *p)
{
    struct so_hub *hub = client->shard->hub;
    sio_namespace *rule = NULL, *pending;
    int r;

    if (p->nsp.n <= SIO_NAMESPACE_MAX && !memchr(p->nsp.p, 0, p->nsp.n))
        rule = rule_from(hub, NULL, p->nsp);
    if (!rule) {
        refuse(client, p->nsp, INVALID);
        return;
    }
    if (!so_dynamic_room(client, p->nsp))
        return;
    pending = make_pending(client->shard, p->nsp, &r);
    if (pending) {
        ask_first(client, p, rule, pending);
    } else if (r == SIO_E_LIMIT) {
        so_log(hub, SIO_LOG_WARN,
               "namespace refused: there are %zu dynamic "
               "ones (max_dynamic_namespaces)",
               (size_t)hub->children);
        refuse(client, p->nsp, TOO_MANY);
    } else {
        so_client_violation(client, "out of memory");
    }
}

/* ---------------------------------------------------- for the program -- */

sio_namespace *sio_parent_of(const sio_namespace *nsp)
{
    return nsp->parent;
}

sio_namespace *sio_namespace_retain(sio_namespace *nsp)
{
    atomic_fetch_add(&nsp->kept, 1);
    return so_namespace_ref(nsp);
}

void sio_namespace_release(sio_namespace *nsp)
{
    if (!nsp)
        return;
    if (atomic_fetch_sub(&nsp->kept, 1) == 1)
        so_dynamic_left(nsp);
    so_namespace_unref(nsp);
}
