/*
 * server.c -- building, running and stopping a server.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/server/server.h"

#include "src/http/files.h"
#include "src/server/options.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* --------------------------------------------------------------- logging -- */

static void log_line(void *self, sio_log_level level, const char *message)
{
    sio_server *server = self;

    if (!server->options.log || level > server->options.log_level)
        return;
    pthread_mutex_lock(&server->log_lock); /* a line of one thread at a time */
    server->options.log(server->options.log_user, level, message);
    pthread_mutex_unlock(&server->log_lock);
}

int server_log_level(const sio_server *server)
{
    return server->options.log ? (int)server->options.log_level : -1;
}

void server_log(sio_server *server, sio_log_level level, const char *fmt, ...)
{
    char line[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    log_line(server, level, line);
}

/* -------------------------------------------------------------- requests -- */

static void answer_unmatched(sio_server *server, struct http_exchange *ex)
{
    int status = server->options.unmatched_status;

    http_respond(ex, &(struct http_response){
                         .status = status,
                         .body = status == 404
                                     ? STR("")
                                     : str_of(http_status_text(status)) });
}

static bool serve_bundle(sio_server *server, struct http_exchange *ex)
{
    sio_str path = ex->request->path, base = server->path;
    struct http_field fields[ENG_FIELDS];
    size_t n = engine_fields(&server->hub.shards->engine, ex, fields);

    return http_serve_bundle(&server->bundle, ex,
                             (sio_str){ path.p + base.n, path.n - base.n },
                             fields, n);
}

/* CORS has been decided. */
static void on_bundle(void *self, struct http_exchange *ex)
{
    if (!serve_bundle(self, ex))
        answer_unmatched(self, ex);
}

/* /socket.io/socket.io.js and its siblings. */
static bool bundle_handle(sio_server *server, struct http_exchange *ex)
{
    sio_str path = ex->request->path, base = server->path;

    if (!str_starts(path, base) ||
        !http_is_bundle(&server->bundle,
                        (sio_str){ path.p + base.n, path.n - base.n }))
        return false;
    if (!server->options.cors_request)
        return serve_bundle(server, ex);
    eng_cors(&server->hub.shards->engine, ex, on_bundle, server);
    return true;
}

static bool serve_files(sio_server *server, struct http_exchange *ex)
{
    list_for_each_safe(it, next, &server->mounts)
    {
        struct file_mount *m = container_of(it, struct file_mount, node);

        if (http_serve_file(ex, m->prefix, m->folder))
            return true;
    }
    return false;
}

void server_on_request(struct server_loop *l, struct http_exchange *ex)
{
    sio_server *server = l->server;

    if (l->index == 0 && bundle_handle(server, ex))
        return;
    if (eng_handle(&server_loop_shard(l)->engine, ex))
        return;
    if (l->index == 0 &&
        (engines_handle(server, ex) || endpoints_handle(server, ex) ||
         routes_handle(server, ex) || serve_files(server, ex) ||
         strays_handle(server, ex)))
        return;
    answer_unmatched(server, ex);
}

/* -------------------------------------------------------------- building -- */

static void stop_now(struct net_mail *mail);

static size_t max_unfinished(const sio_options *o, size_t least)
{
    if (o->max_unfinished_bytes)
        return o->max_unfinished_bytes;
    if (o->max_http_buffer_size > SIZE_MAX / 4)
        return SIZE_MAX;
    return o->max_http_buffer_size > least / 4 ? o->max_http_buffer_size * 4
                                               : least;
}

static int limit_connections(sio_server *server)
{
    int r = net_limits_init(&server->limits);

    server->limits.max_connections = server->options.max_connections;
    server->limits.max_per_address =
        server->options.max_connections_per_address;
    server->limits.exempt = &server->trusted;
    return r;
}

static struct http_config http_config_of(const sio_server *server)
{
    const sio_options *o = &server->options;
    struct http_config http;

    http_config_defaults(&http);
    http.max_queued = o->max_buffered_amount;
    http.max_unfinished =
        max_unfinished(o, http.max_unfinished) / server->loop_count;
    http.keep_alive_ms = o->keep_alive_timeout_ms;
    http.trusted = server->trusted.count ? &server->trusted : NULL;
    http.forwarded = (enum http_forwarded)o->forwarded;
    return http;
}

/* The first `count` are there. */
static void destroy_loops(sio_server *server, size_t count)
{
    for (size_t i = 0; i < count; i++)
        http_server_close(&server_loop_at(server, i)->http);
    for (size_t i = 0; i < count; i++)
        server_loop_destroy(server_loop_at(server, i));
}

static int init_loops(sio_server *server, uint64_t (*clock)(void *self),
                      void *clock_self)
{
    struct net_loop_config config = { .base = server->options.event_base,
                                      .moves = server->loop_count > 1,
                                      .clock = clock,
                                      .clock_self = clock_self };
    struct http_config http = http_config_of(server);
    int r = SIO_OK;

    if (server->loop_count > 1) {
        server->others = calloc(server->loop_count - 1, sizeof *server->others);
        if (!server->others)
            return SIO_E_NOMEM;
    }
    for (size_t i = 0; i < server->loop_count; i++) {
        r = server_loop_init(server_loop_at(server, i), server, i, &config,
                             &http);
        if (r < 0) {
            destroy_loops(server, i);
            return r;
        }
    }
    return r;
}

static bool cluster_recovers(const sio_options *o)
{
    const sio_cluster_ops *c = o->cluster;

    return c->restore_session &&
           (!c->recovers || c->recovers(o->cluster_config));
}

static uint32_t recovery_ms(sio_server *server)
{
    const sio_options *o = &server->options;

    if (!o->connection_state_recovery)
        return 0;
    if (!o->cluster || cluster_recovers(o))
        return o->max_disconnection_duration_ms;
    server_log(
        server, SIO_LOG_WARN,
        "connection_state_recovery: the adapter \"%s\" cannot do that; it "
        "is off",
        o->cluster->name);
    return 0;
}

static int init_hub(sio_server *server, const struct eng_options *eng)
{
    const sio_options *o = &server->options;
    struct so_options so = {
        .connect_timeout_ms =
            o->connect_timeout_ms ? o->connect_timeout_ms : 45000,
        .limits = { o->max_attachments, o->max_json_depth },
        .max_packet = o->max_buffered_amount,
        .recovery_ms = recovery_ms(server),
        .recovery_bytes = o->max_recovery_bytes,
        .recovery_abroad = o->cluster != NULL,
        .recovery_skips = o->skip_middlewares,
        .cleanup_children = o->cleanup_empty_child_namespaces,
        .max_children = o->max_dynamic_namespaces,
        .max_client_children = o->max_dynamic_namespaces_per_client,
        .parser = o->parser,
    };
    struct net_loop *loops[LOOPS_MAX];
    int r;

    for (size_t i = 0; i < server->loop_count; i++)
        loops[i] = &server_loop_at(server, i)->loop;
    r = so_hub_init(&server->hub, loops, server->loop_count, &so, eng,
                    sio_memory_adapter());
    if (r < 0)
        return r;
    server->hub.log = log_line;
    server->hub.log_self = server;
    if (o->cluster) {
        r = so_cluster_init(&server->hub, o->cluster, o->cluster_config);
        if (r < 0)
            return r;
    }
    for (size_t i = 0; i < server->loop_count; i++) {
        struct engine *e = &server->hub.shards[i].engine;

        e->options.http = &server_loop_at(server, i)->http;
        if (server->loop_count > 1)
            eng_set_home(e, (unsigned)i);
        if (server->loop_count > 1 && o->generate_id)
            e->options.ids = &server->ids;
    }
    return SIO_OK;
}

static int init_layers(sio_server *server, const struct eng_options *eng,
                       uint64_t (*clock)(void *self), void *clock_self)
{
    /* Both are destroyed in any case. */
    int r = limit_connections(server), ids = eng_ids_init(&server->ids);

    r = r < 0 ? r : ids;
    if (r == SIO_OK)
        r = init_loops(server, clock, clock_self);
    if (r < 0)
        return r;
    r = init_hub(server, eng);
    if (r < 0)
        destroy_loops(server, server->loop_count);
    return r;
}

static void free_copies(sio_server *server)
{
    arena_free(&server->strings);
    http_patterns_free(server->patterns);
    http_bundle_close(&server->bundle);
    so_hub_free(&server->hub);
    eng_ids_destroy(&server->ids);
    net_networks_free(&server->trusted);
    net_limits_destroy(&server->limits);
    pthread_mutex_destroy(&server->dropped_lock);
    pthread_mutex_destroy(&server->log_lock);
    free(server->others);
    free(server);
}

static int open_cluster(sio_server *server)
{
    char why[256] = "out of memory";
    int r = so_cluster_open(&server->hub, why, sizeof why);

    if (r < 0)
        server_log(server, SIO_LOG_ERROR, "cluster, adapter \"%s\": %s",
                   server->options.cluster->name, why);
    return r;
}

sio_server *sio_server_new(const sio_options *options)
{
    return server_new(options, NULL, NULL);
}

sio_server *server_new(const sio_options *options,
                       uint64_t (*clock)(void *self), void *clock_self)
{
    sio_server *server = calloc(1, sizeof *server);
    struct eng_options eng;
    const char *wrong;
    int r;

    if (!server)
        return NULL;
    pthread_mutex_init(&server->log_lock, NULL);
    pthread_mutex_init(&server->dropped_lock, NULL);
    wrong = options_read(&server->options, options)
                ? options_check(&server->options)
                : "size: sio_options_init() comes first";
    if (wrong) {
        server_log(server, SIO_LOG_ERROR, "invalid options: %s", wrong);
        free(server);
        return NULL;
    }
    server->loop_count = options_loops(&server->options);
    list_init(&server->listeners);
    list_init(&server->mounts);
    list_init(&server->engines);
    list_init(&server->routes);
    list_init(&server->endpoints);
    list_init(&server->strays);
    server->stop_mail.run = stop_now;
    server->drain_mail.run = drain_begin;
    r = options_for_engine(&server->options, &server->strings, &eng, &wrong);
    server->patterns = eng.cors.patterns;
    server->path = options_path(&server->options, &server->strings, true, &r);
    eng.http = &server->main.http;
    eng.log_level = server_log_level(server);
    if (r == SIO_OK && server->options.client_dir)
        r = http_bundle_open(&server->bundle, server->options.client_dir);
    if (r == SIO_OK)
        r = options_for_proxies(&server->options, &server->trusted, &wrong);
    if (r == SIO_OK)
        r = init_layers(server, &eng, clock, clock_self);
    if (r < 0) {
        server_log(server, SIO_LOG_ERROR, "cannot start: %s",
                   wrong ? wrong : sio_strerror(r));
        free_copies(server);
        return NULL;
    }
    if (open_cluster(server) < 0) {
        sio_server_free(server);
        return NULL;
    }
    return server;
}

static void stop_alarms(sio_server *server)
{
    for (size_t i = 0; i < server->loop_count; i++) {
        struct server_loop *l = server_loop_at(server, i);

        net_alarm_stop(&l->loop, &l->stop_alarm);
        net_alarm_stop(&l->loop, &l->drain.alarm);
        net_alarm_stop(&l->loop, &l->count_alarm);
        l->loop.on_turn = NULL;
    }
}

void sio_server_free(sio_server *server)
{
    if (!server)
        return;
    /* Other threads may have come too late. */
    for (size_t i = 0; i < server->loop_count; i++)
        net_loop_deliver(&server_loop_at(server, i)->loop);
    listeners_close(server);
    net_signal_unwatch(&server->sigint);
    net_signal_unwatch(&server->sigterm);
    stop_alarms(server);
    so_hub_shut(&server->hub);
    so_cluster_close(&server->hub);
    engines_shut(server);
    endpoints_shut(server);
    for (size_t i = 0; i < server->loop_count; i++)
        http_server_close(&server_loop_at(server, i)->http);
    engines_destroy(server);
    endpoints_destroy(server);
    routes_destroy(server);
    so_hub_destroy(&server->hub);
    for (size_t i = 0; i < server->loop_count; i++)
        server_loop_destroy(server_loop_at(server, i));
    engines_free(server);
    endpoints_free(server);
    list_for_each_safe(it, next, &server->mounts)
    {
        struct file_mount *m = container_of(it, struct file_mount, node);

        free(m->folder);
        free(m);
    }
    free_copies(server);
}

/* --------------------------------------------------------------- running -- */

static void on_signal(void *self, int number)
{
    sio_server *server = self;
    uint32_t drain_ms = server->options.drain_ms;

    if (number == SIGTERM && drain_ms && !sio_draining(server)) {
        server_log(server, SIO_LOG_INFO, "signal %d: draining", number);
        sio_drain(server, drain_ms);
        return;
    }
    server_log(server, SIO_LOG_INFO, "signal %d: stopping", number);
    sio_stop(server);
}

int sio_run(sio_server *server)
{
    int r;

    if (server->options.event_base)
        return SIO_E_STATE;
    if (server->options.handle_signals &&
        (net_signal_watch(&server->sigint, &server->main.loop, SIGINT,
                          on_signal, server) < 0 ||
         net_signal_watch(&server->sigterm, &server->main.loop, SIGTERM,
                          on_signal, server) < 0))
        return SIO_E_SYS;
    r = loops_start(server);
    if (r == SIO_OK) {
        r = net_loop_run(&server->main.loop);
        loops_end(server);
    }
    net_signal_unwatch(&server->sigint);
    net_signal_unwatch(&server->sigterm);
    return r;
}

void server_look_stopped(sio_server *server)
{
    if (!loops_others_stopped(server) &&
        net_alarm_start(&server->main.loop, &server->main.stop_alarm,
                        STOP_POLL_MS) == SIO_OK)
        return; /* it looks again */
    so_cluster_close(&server->hub);
    server_log(server, SIO_LOG_INFO, "stopped");
    server->stopped = true;
    if (server->on_stopped)
        server->on_stopped(server, server->stopped_user);
    if (server->stopped && !server->options.event_base)
        net_loop_stop(&server->main.loop);
}

void server_reopen(sio_server *server)
{
    server->stopping = server->stopped = false;
    atomic_store(&server->stop_posted, false);
    atomic_store(&server->drain_begun, false);
    server_loop_reopen(&server->main);
    loops_reopen_others(server);
    engines_reopen(server);
    (void)open_cluster(server); /* else it is alone, and has said so */
}

void sio_on_stopped(sio_server *server,
                    void (*fn)(sio_server *server, void *user), void *user)
{
    server->on_stopped = fn;
    server->stopped_user = user;
}

static void stop_now(struct net_mail *mail)
{
    server_stop(container_of(mail, sio_server, stop_mail));
}

void server_stop(sio_server *server)
{
    if (server->stopping)
        return;
    server->stopping = true;
    listeners_close(server);
    loops_stop_others(server);
    server_loop_stop(&server->main);
    engines_shut(server);
    endpoints_shut(server);
    strays_shut(server);
    server_loop_look(&server->main);
}

void sio_stop(sio_server *server)
{
    if (!atomic_exchange(&server->stop_posted, true))
        net_post(&server->main.loop, &server->stop_mail);
}

/* ------------------------------------------------------------------ rest -- */

int sio_use_http(sio_server *server, sio_http_call_fn fn, void *user)
{
    int r = SIO_OK;

    for (size_t i = 0; r == SIO_OK && i < server->loop_count; i++)
        r = eng_use(&server->hub.shards[i].engine, fn, user);
    return r;
}

int sio_serve_files(sio_server *server, const char *prefix, const char *folder)
{
    size_t n = strlen(prefix) + 1;
    struct file_mount *m;

    if (prefix[0] != '/')
        return SIO_E_INVAL;
    if (access(folder, R_OK | X_OK) < 0)
        return SIO_E_SYS;
    m = malloc(sizeof *m + n);
    if (!m)
        return SIO_E_NOMEM;
    memcpy(m->prefix, prefix, n);
    m->folder = strdup(folder);
    if (!m->folder) {
        free(m);
        return SIO_E_NOMEM;
    }
    list_append(&server->mounts, &m->node);
    return SIO_OK;
}
