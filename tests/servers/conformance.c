/*
 * conformance.c -- one server program with many roles, for test suites:
 *
 *     conformance ROLE PORT [name=value ...]
 *
 * Listens on 127.0.0.1 and ::1, prints "ready PORT", ends on SIGTERM with
 * status 0. A wrong command line is explained and ends with status 2.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/servers/conformance.h"
#include "tests/servers/counters.h"
#include "tests/servers/later.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct role *const roles[] = {
    &protocol_eio, &protocol_sio, &client_eio, &client_sio, &eio_echo,
    &eio_events,   &http_hooks,   &ws_echo,    &contract,
};

#define COUNT(a) (sizeof(a) / sizeof *(a))

/* A node of a cluster is ready when it hears the others. */
static bool in_cluster;
static unsigned awaited_port;

static void say_ready(unsigned port)
{
    /* "ready" may be answered by SIGTERM before sio_run() listens to it. */
    printf("ready %u\n", port);
    fflush(stdout);
}

static void on_log(void *user, sio_log_level level, const char *message)
{
    (void)user;
    if (level <= SIO_LOG_ERROR)
        fprintf(stderr, "conformance: %s\n", message);
    if (awaited_port && strcmp(message, "cluster: connected to Redis") == 0) {
        say_ready(awaited_port);
        awaited_port = 0;
    }
}

/* What `redis` and its companions mean. */
static const sio_redis_options *redis_options(const struct settings *s)
{
    static sio_redis_options options;
    static char url[300];

    snprintf(url, sizeof url, "redis://%.280s", s->redis);
    sio_redis_options_init(&options);
    options.url = url;
    options.cluster = s->cluster;
    if (s->prefix && *s->prefix)
        options.prefix = s->prefix;
    if (s->requests_timeout)
        options.requests_timeout_ms = s->requests_timeout;
    if (s->command_timeout)
        options.command_timeout_ms = s->command_timeout;
    if (s->max_queued)
        options.max_queued = s->max_queued;
    options.publish_on_specific_response_channel = s->specific;
    if (s->adapter && strcmp(s->adapter, "sharded") == 0)
        options.adapter = SIO_REDIS_SHARDED;
    if (s->adapter && strcmp(s->adapter, "streams") == 0)
        options.adapter = SIO_REDIS_STREAMS;
    if (s->mode && strcmp(s->mode, "static") == 0)
        options.subscription_mode = SIO_REDIS_STATIC;
    if (s->mode && strcmp(s->mode, "dynamic-private") == 0)
        options.subscription_mode = SIO_REDIS_DYNAMIC_PRIVATE;
    if (s->streams)
        options.stream_count = s->streams;
    return &options;
}

static void join_cluster(const struct settings *settings, sio_options *options)
{
    if (!settings_redis(settings))
        return;
    in_cluster = true;
    options->cluster = sio_redis_adapter();
    options->cluster_config = redis_options(settings);
    options->log_level = SIO_LOG_INFO;
}

void server_options(const struct settings *settings, sio_options *options)
{
    sio_options_init(options);
    options->ping_interval_ms = settings->ping_interval;
    options->ping_timeout_ms = settings->ping_timeout;
    options->connect_timeout_ms = settings->connect_timeout;
    options->max_http_buffer_size = settings->max_payload;
    options->allow_eio3 = settings->eio3;
    if (settings->unmatched)
        options->unmatched_status = (int)settings->unmatched;
    options->loops = settings->loops ? settings->loops : 1;
    options->connection_state_recovery = settings->recovery > 0;
    if (settings->recovery)
        options->max_disconnection_duration_ms = settings->recovery;
    options->cors_origin = "*";
    /* A client may have a few of the largest messages under way. */
    if (options->max_buffered_amount < 4 * (size_t)settings->max_payload)
        options->max_buffered_amount = 4 * (size_t)settings->max_payload;
    options->log = on_log;
    options->log_level = SIO_LOG_ERROR;
    join_cluster(settings, options);
}

sio_server *new_server(const struct settings *settings)
{
    sio_options options;
    sio_server *server;

    server_options(settings, &options);
    server = sio_server_new(&options);
    if (server && serve_counters(server) != SIO_OK) {
        sio_server_free(server);
        return NULL;
    }
    return server;
}

/* How every role listens: with TLS when the command line says so. */
static sio_listen_options listening;

static bool set_up_tls(const struct settings *settings)
{
    sio_tls_options options;
    char why[SIO_TLS_WHY];

    sio_listen_options_init(&listening);
    if (!settings->tls_cert || !*settings->tls_cert)
        return true;
    sio_tls_options_init(&options);
    options.certificate = settings->tls_cert;
    if (settings->tls_key && *settings->tls_key)
        options.key = settings->tls_key;
    listening.tls = sio_tls_new(&options, why, sizeof why);
    if (!listening.tls)
        fprintf(stderr, "conformance: %s\n", why);
    return listening.tls != NULL;
}

static int listen_on_both(sio_server *server, unsigned port)
{
    char address[32];
    int r;

    snprintf(address, sizeof address, "127.0.0.1:%u", port);
    r = sio_listen(server, address, &listening);
    if (r != SIO_OK)
        return r;
    snprintf(address, sizeof address, "[::1]:%u", sio_port(server));
    r = sio_listen(server, address, &listening);
    /* A machine without IPv6 has no ::1 to listen on: that is no failure. */
    if (r == SIO_E_SYS && (errno == EADDRNOTAVAIL || errno == EAFNOSUPPORT))
        return SIO_OK;
    return r;
}

/* Nobody has connected yet. */
static void end_early(int number)
{
    (void)number;
    _exit(0);
}

int run_server(sio_server *server, unsigned port)
{
    int r = listen_on_both(server, port);

    if (r == SIO_OK) {
        signal(SIGTERM, end_early);
        if (in_cluster)
            awaited_port = sio_port(server);
        else
            say_ready(sio_port(server));
        r = sio_run(server);
    }
    if (r != SIO_OK)
        fprintf(stderr, "conformance: port %u: %s\n", port, sio_strerror(r));
    later_stop();
    sio_server_free(server);
    return r != SIO_OK;
}

static const struct role *find_role(const char *name)
{
    for (size_t i = 0; i < COUNT(roles); i++)
        if (strcmp(roles[i]->name, name) == 0)
            return roles[i];
    return NULL;
}

/* A whole decimal number up to `max`. */
static bool parse_number(const char *text, unsigned long max,
                         unsigned long *out)
{
    char *end;
    unsigned long n;

    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    n = strtoul(text, &end, 10);
    if (*end || errno || n > max)
        return false;
    *out = n;
    return true;
}

static bool parse_number_setting(struct settings *settings, const char *arg)
{
    static const struct {
        const char *name;
        size_t offset;
    } known[] = {
#define X(name, field) { name "=", offsetof(struct settings, field) },
        SETTINGS(X)
#undef X
    };

    for (size_t i = 0; i < COUNT(known); i++) {
        size_t n = strlen(known[i].name);
        unsigned long value;

        if (strncmp(arg, known[i].name, n) != 0)
            continue;
        if (!parse_number(arg + n, UINT32_MAX, &value))
            return false;
        *(uint32_t *)((char *)settings + known[i].offset) = (uint32_t)value;
        return true;
    }
    return false;
}

static bool parse_text_setting(struct settings *settings, const char *arg)
{
#define X(name, field)                                       \
    if (strncmp(arg, name "=", sizeof(name "=") - 1) == 0) { \
        settings->field = arg + sizeof(name "=") - 1;        \
        return true;                                         \
    }
    TEXT_SETTINGS(X)
#undef X
    return false;
}

static int usage(const char *what, const char *arg)
{
    fprintf(stderr,
            "conformance: %s: %s\n"
            "usage: conformance ROLE PORT [name=value ...]\n"
            "roles:",
            what, arg);
    for (size_t i = 0; i < COUNT(roles); i++)
        fprintf(stderr, " %s", roles[i]->name);
    fprintf(stderr, "\noptions:");
#define X(name, field) fprintf(stderr, " %s", name);
    SETTINGS(X)
    TEXT_SETTINGS(X)
#undef X
    fprintf(stderr, "\n");
    return 2;
}

int main(int argc, char **argv)
{
    const struct role *role;
    struct settings settings;
    unsigned long port;
    int status;

    if (argc < 3)
        return usage("too few arguments", "ROLE and PORT are needed");
    role = find_role(argv[1]);
    if (!role)
        return usage("unknown role", argv[1]);
    if (!parse_number(argv[2], 65535, &port))
        return usage("not a port", argv[2]);
    settings = role->defaults;
    for (int i = 3; i < argc; i++)
        if (!parse_number_setting(&settings, argv[i]) &&
            !parse_text_setting(&settings, argv[i]))
            return usage("unknown option or bad value", argv[i]);
    if (!set_up_tls(&settings))
        return 1;
    status = role->run(&settings, (unsigned)port);
    sio_tls_free(listening.tls);
    return status;
}
