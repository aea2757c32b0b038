/*
 * redis_conn.c -- the client: opening and closing, its servers, its commands,
 * its state; see redis_conn.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/adapter/redis_client.h"

#include "protocol/base/str.h"
#include "src/net/resolve.h"
#include "src/net/tls_connect.h"

#include <stdio.h>
#include <stdlib.h>

/* ----------------------------------------------------------------- state -- */

static const struct redis_link *failing_link(const struct redis *r)
{
    list_for_each_safe(it, next, &r->nodes)
    {
        const struct redis_node *n = container_of(it, struct redis_node, node);

        if (n->commands && n->commands->failing)
            return n->commands;
        if (n->messages && n->messages->failing)
            return n->messages;
    }
    return NULL;
}

static bool all_up(const struct redis *r)
{
    list_for_each_safe(it, next, &r->nodes)
    {
        const struct redis_node *n = container_of(it, struct redis_node, node);

        if ((n->commands && n->commands->state != REDIS_LINK_UP) ||
            (n->messages && n->messages->state != REDIS_LINK_UP))
            return false;
    }
    return r->home->commands && (!r->cluster || r->slots_known);
}

/* What is new stays as it was until it is known: a new subscription does not
 * make a client degraded, nor a new connection that has not failed. */
static enum redis_state state_now(struct redis *r, char why[REDIS_WHY])
{
    const struct redis_link *failing = failing_link(r);

    why[0] = 0;
    if (failing || r->slots_failed) {
        snprintf(why, REDIS_WHY, "%s", r->error);
        return REDIS_DEGRADED;
    }
    if (r->lost) {
        snprintf(why, REDIS_WHY, "%zu of %zu subscriptions are not in force",
                 r->lost,
                 map_count(&r->channels[0]) + map_count(&r->channels[1]) +
                     map_count(&r->channels[2]));
        return REDIS_DEGRADED;
    }
    if (all_up(r) && r->inactive == 0)
        return REDIS_READY;
    snprintf(why, REDIS_WHY, "%s", r->why);
    return r->state;
}

static void look(struct net_task *task)
{
    struct redis *r = container_of(task, struct redis, look);
    enum redis_state before = r->state;
    char why[REDIS_WHY];

    r->state = state_now(r, why);
    if (r->said && r->state == before && strcmp(why, r->why) == 0)
        return;
    snprintf(r->why, sizeof r->why, "%s", why);
    r->said = true;
    if (r->ops->on_state)
        r->ops->on_state(r->self, r->state, r->why);
}

void redis_changed(struct redis *r)
{
    if (!r->closed)
        net_task_schedule(r->shared.loop, &r->look);
}

void redis_note(struct redis *r, const struct redis_node *node, const char *why)
{
    bool v6 = strchr(node->host, ':') && strncmp(node->host, "unix:", 5) != 0;

    if (strncmp(node->host, "unix:", 5) == 0)
        snprintf(r->error, sizeof r->error, "%.100s: %s", node->host, why);
    else
        snprintf(r->error, sizeof r->error, "%s%.64s%s:%u: %s", v6 ? "[" : "",
                 node->host, v6 ? "]" : "", (unsigned)node->port, why);
    redis_changed(r);
}

/* ----------------------------------------------------------- the servers -- */

struct redis_node *redis_node_find(const struct redis *r, sio_str host,
                                   uint16_t port)
{
    list_for_each_safe(it, next, &r->nodes)
    {
        struct redis_node *n = container_of(it, struct redis_node, node);

        if (n->port == port && str_eq(str_of(n->host), host))
            return n;
    }
    return NULL;
}

struct redis_node *redis_node_get(struct redis *r, sio_str host, uint16_t port)
{
    struct redis_node *n = redis_node_find(r, host, port);
    size_t count = 0;

    if (n)
        return n;
    list_for_each_safe(it, next, &r->nodes) count++;
    if (count >= REDIS_NODES_MAX && redis_node_forget_one(r))
        count--;
    n = count < REDIS_NODES_MAX && host.n <= NET_HOST_MAX &&
                !memchr(host.p, 0, host.n)
            ? calloc(1, sizeof *n + host.n + 1)
            : NULL;
    if (!n)
        return NULL;
    n->r = r;
    n->port = port;
    memcpy(n->host, host.p, host.n);
    list_append(&r->nodes, &n->node);
    return n;
}

/* ------------------------------------------------- the link for commands -- */

static void commands_up(void *self, struct redis_link *link)
{
    struct redis_node *node = self;

    (void)link;
    if (!node->r->slots_known || node->r->slots_wanted)
        redis_refresh_slots(node->r);
    redis_changed(node->r);
}

static void commands_down(void *self, struct redis_link *link)
{
    struct redis_node *node = self;

    redis_note(node->r, node, link->why);
    redis_node_failed(node);
}

static bool commands_redirect(void *self, struct redis_link *link,
                              struct redis_command *c,
                              const struct redis_reply *reply)
{
    struct redis_node *node = self, *to;
    struct redis_link *there;
    bool ask;

    (void)link;
    to = redis_redirected(node, reply, &ask);
    there =
        to && c->redirects < REDIS_REDIRECTS_MAX ? redis_commands_of(to) : NULL;
    if (!there)
        return false;
    node->r->shared.redirects++;
    c->redirects++;
    c->asking = ask;
    redis_link_take(there, c);
    return true;
}

static const struct redis_link_ops commands_ops = {
    .on_up = commands_up,
    .on_down = commands_down,
    .on_redirect = commands_redirect,
};

struct redis_link *redis_commands_of(struct redis_node *node)
{
    if (!node->commands)
        node->commands = redis_link_new(&node->r->shared, node->host,
                                        node->port, &commands_ops, node);
    return node->commands;
}

struct redis_link *redis_messages_of(struct redis_node *node)
{
    if (!node->messages)
        node->messages = redis_link_new(&node->r->shared, node->host,
                                        node->port, &redis_messages_ops, node);
    return node->messages;
}

/* -------------------------------------------------------------- commands -- */

int redis_command(struct redis *r, sio_str key, const sio_str *argv,
                  size_t argc, redis_on_reply *on_reply, void *self)
{
    struct redis_link *link =
        r->closed ? NULL : redis_commands_of(redis_route(r, key));

    if (!link)
        return r->closed ? SIO_E_STATE : SIO_E_NOMEM;
    return redis_link_command(link, argv, argc,
                              r->cluster && key.n ? (int)redis_slot(key) : -1,
                              on_reply, self);
}

struct count {
    void (*on_count)(void *self, int status, uint64_t count);
    void *self;
    uint64_t sum;
    size_t awaited;
    int status; /* the first that is not SIO_OK */
};

static void counted(void *self, int status, const struct redis_reply *reply)
{
    struct count *count = self;
    const struct redis_reply *number = redis_item(reply, 1);

    if (status == SIO_OK && number && number->type == REDIS_INTEGER)
        count->sum += (uint64_t)number->integer;
    else if (count->status == SIO_OK)
        count->status = status < 0 ? status : SIO_E_SYS;
    if (--count->awaited)
        return;
    count->on_count(count->self, count->status, count->sum);
    free(count);
}

/* Everybody who may know: one, or all masters. How many were asked. */
static size_t ask_count(struct redis *r, enum redis_kind kind, sio_str channel,
                        struct count *count, int *result)
{
    const sio_str argv[] = { STR("PUBSUB"),
                             kind == REDIS_SHARD ? STR("SHARDNUMSUB")
                                                 : STR("NUMSUB"),
                             channel };
    bool all = r->cluster && r->slots_known && kind != REDIS_SHARD;

    list_for_each_safe(it, next, &r->nodes)
    {
        struct redis_node *n = container_of(it, struct redis_node, node);
        struct redis_link *link;

        if (all ? !n->in_map
                : n !=
                      (kind == REDIS_SHARD ? redis_route(r, channel) : r->home))
            continue;
        link = redis_commands_of(n);
        *result = link ? redis_link_command(link, argv, 3, -1, counted, count)
                       : SIO_E_NOMEM;
        if (*result < 0)
            break;
        count->awaited++;
    }
    return count->awaited;
}

int redis_count(struct redis *r, enum redis_kind kind, sio_str channel,
                void (*on_count)(void *self, int status, uint64_t count),
                void *self)
{
    struct count *count;
    int result = SIO_OK;

    if (r->closed)
        return SIO_E_STATE;
    count = calloc(1, sizeof *count);
    if (!count)
        return SIO_E_NOMEM;
    count->on_count = on_count;
    count->self = self;
    if (ask_count(r, kind, channel, count, &result) == 0) {
        free(count);
        return result < 0 ? result : SIO_E_STATE;
    }
    count->status = result; /* those that were asked still answer */
    return SIO_OK;
}

/* --------------------------------------------------------------- options -- */

void redis_options_init(struct redis_options *options)
{
    *options = (struct redis_options){ .url = "redis://127.0.0.1",
                                       .connect_timeout_ms = 5000,
                                       .command_timeout_ms = 5000,
                                       .ping_interval_ms = 10000,
                                       .backoff_min_ms = 100,
                                       .backoff_max_ms = 5000,
                                       .max_queued = 64u << 20,
                                       .max_reply = 64u << 20 };
}

static bool keep(struct arena *arena, const char **text)
{
    size_t n = *text ? strlen(*text) + 1 : 0;
    char *copy = n ? arena_alloc(arena, n) : NULL;

    if (n && !copy)
        return false;
    if (n)
        memcpy(copy, *text, n);
    *text = copy;
    return true;
}

static const char *problem_of(const struct redis_options *o,
                              const struct redis_url *url)
{
    if (!o->connect_timeout_ms || !o->command_timeout_ms ||
        !o->ping_interval_ms || !o->backoff_min_ms)
        return "a time of 0 ms";
    if (o->backoff_min_ms > o->backoff_max_ms)
        return "the longest pause is shorter than the first one";
    if (!o->max_queued || !o->max_reply)
        return "a limit of 0 bytes";
    if (url->count > 1 && !o->cluster)
        return "several servers, but no cluster";
    if (o->cluster && (url->db || o->db))
        return "a cluster has only database 0";
    if ((o->user || url->user) && !o->password && !url->password)
        return "a user needs a password";
    return NULL;
}

static int make_tls(struct redis *r, const struct redis_options *o, char *why,
                    size_t size)
{
    const struct net_tls_client_options tls = {
        .ca = o->tls_ca,
        .certificate = o->tls_certificate,
        .key = o->tls_key,
        .key_password = o->tls_key_password,
        .insecure = o->tls_insecure,
    };

    r->shared.tls = net_tls_client_new(&tls, why, size);
    return r->shared.tls ? SIO_OK : SIO_E_INVAL;
}

static int read_options(struct redis *r, const struct redis_options *o,
                        struct redis_url *url, char *why, size_t size)
{
    struct redis_shared *s = &r->shared;
    int result = redis_url_parse(o->url ? o->url : "", &r->strings, url);
    const char *problem;

    if (result == SIO_E_ADDRESS)
        snprintf(why, size, "not the url of a Redis server");
    if (result < 0)
        return result;
    problem = problem_of(o, url);
    if (problem) {
        snprintf(why, size, "%s", problem);
        return SIO_E_INVAL;
    }
    s->user = o->user;
    s->password = o->password;
    if (!keep(&r->strings, &s->user) || !keep(&r->strings, &s->password))
        return SIO_E_NOMEM;
    if (!s->user)
        s->user = url->user;
    if (!s->password)
        s->password = url->password;
    s->db = o->db ? o->db : url->db;
    s->connect_ms = o->connect_timeout_ms;
    s->command_ms = o->command_timeout_ms;
    s->ping_ms = o->ping_interval_ms;
    s->backoff_min_ms = o->backoff_min_ms;
    s->backoff_max_ms = o->backoff_max_ms;
    s->max_queued = o->max_queued;
    s->max_reply = o->max_reply;
    r->cluster = o->cluster;
    return url->tls ? make_tls(r, o, why, size) : SIO_OK;
}

/* ---------------------------------------------------- beginning and end -- */

static int make_nodes(struct redis *r, const struct redis_url *url)
{
    for (size_t i = 0; i < url->count; i++) {
        struct redis_node *n = redis_node_get(r, str_of(url->servers[i].host),
                                              url->servers[i].port);

        if (!n)
            return SIO_E_NOMEM;
        n->seed = true;
        if (!r->home)
            r->home = n;
    }
    if (!r->cluster)
        return SIO_OK;
    r->slots = calloc(REDIS_SLOTS, sizeof(struct redis_node *));
    return r->slots ? SIO_OK : SIO_E_NOMEM;
}

static void free_parts(struct redis *r)
{
    const char *password = r->shared.password;

    list_for_each_safe(it, next, &r->nodes)
        free(container_of(it, struct redis_node, node));
    redis_spare_free(&r->shared);
    net_tls_client_free(r->shared.tls);
    free(r->slots);
    if (password)
        explicit_bzero((void *)(uintptr_t)password, strlen(password));
    arena_free(&r->strings);
    free(r);
}

static void client_free(struct net_deferred *d)
{
    free_parts(container_of(d, struct redis, cleanup));
}

static struct redis *client_new(struct net_loop *loop,
                                const struct redis_ops *ops, void *self)
{
    struct redis *r = calloc(1, sizeof *r);

    if (!r)
        return NULL;
    r->ops = ops;
    r->self = self;
    r->shared.loop = loop;
    list_init(&r->shared.spare);
    arena_init(&r->strings);
    list_init(&r->nodes);
    net_task_init(&r->look, look);
    return r;
}

int redis_open(struct net_loop *loop, const struct redis_options *options,
               const struct redis_ops *ops, void *self, struct redis **out,
               char *why, size_t size)
{
    struct redis *r = client_new(loop, ops, self);
    struct redis_url url;
    int result;

    if (!r)
        return SIO_E_NOMEM;
    result = read_options(r, options, &url, why, size);
    if (result == SIO_OK)
        result = make_nodes(r, &url);
    if (result == SIO_OK)
        result = redis_subs_init(r);
    if (result < 0) {
        free_parts(r);
        return result;
    }
    redis_timers_init(&r->shared);
    redis_cluster_init(r);
    if (!redis_commands_of(r->home)) {
        redis_subs_close(r);
        redis_cluster_close(r);
        redis_timers_close(&r->shared);
        free_parts(r);
        return SIO_E_NOMEM;
    }
    *out = r;
    return SIO_OK;
}

void redis_close(struct redis *r)
{
    if (r->closed)
        return;
    r->closed = true;
    net_task_cancel(&r->look);
    redis_cluster_close(r);
    redis_subs_close(r);
    list_for_each_safe(it, next, &r->nodes)
    {
        struct redis_node *n = container_of(it, struct redis_node, node);

        if (n->commands)
            redis_link_close(n->commands);
        if (n->messages)
            redis_link_close(n->messages);
    }
    redis_timers_close(&r->shared);
    net_defer(r->shared.loop, &r->cleanup, client_free);
}

static size_t links_up(const struct redis *r)
{
    size_t n = 0;

    list_for_each_safe(it, next, &r->nodes)
    {
        const struct redis_node *node =
            container_of(it, struct redis_node, node);

        n += node->commands && node->commands->state == REDIS_LINK_UP;
        n += node->messages && node->messages->state == REDIS_LINK_UP;
    }
    return n;
}

void redis_get_stats(const struct redis *r, struct redis_stats *out)
{
    const struct redis_shared *s = &r->shared;

    *out = (struct redis_stats){
        .state = r->state,
        .why = r->why,
        .error = r->error,
        .links = links_up(r),
        .connects = s->connects,
        .failures = s->failures,
        .commands = s->commands,
        .failed = s->failed,
        .dropped = s->dropped,
        .redirects = s->redirects,
        .messages = r->messages,
        .queued = s->queued,
    };
    for (size_t i = 0; i < REDIS_KINDS; i++)
        out->subscriptions += map_count(&r->channels[i]);
}
