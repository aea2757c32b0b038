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
#include "tests/servers/later.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct role *const roles[] = {
    &protocol_eio, &protocol_sio, &client_eio, &client_sio,
    &eio_echo,     &eio_events,   &http_hooks, &ws_echo,
};

#define COUNT(a) (sizeof(a) / sizeof *(a))

/* Of every role; without tlsCert it is plain. */
static sio_tls_options tls_options;
static sio_listen_options listening;

static void on_log(void *user, sio_log_level level, const char *message)
{
    (void)user;
    (void)level;
    fprintf(stderr, "conformance: %s\n", message);
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
    options->cors_origin = "*";
    /* A client may have a few of the largest messages under way. */
    if (options->max_buffered_amount < 4 * (size_t)settings->max_payload)
        options->max_buffered_amount = 4 * (size_t)settings->max_payload;
    options->log = on_log;
    options->log_level = SIO_LOG_ERROR;
}

sio_server *new_server(const struct settings *settings)
{
    sio_options options;

    server_options(settings, &options);
    return sio_server_new(&options);
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

int run_server(sio_server *server, unsigned port)
{
    int r = listen_on_both(server, port);

    if (r == SIO_OK) {
        printf("ready %u\n", sio_port(server));
        fflush(stdout);
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

/* "tlsCert=FILE" or "tlsKey=FILE". */
static bool parse_tls_setting(const char *arg)
{
    if (strncmp(arg, "tlsCert=", 8) == 0)
        tls_options.certificate = arg + 8;
    else if (strncmp(arg, "tlsKey=", 7) == 0)
        tls_options.key = arg + 7;
    else
        return false;
    return true;
}

static bool use_tls(void)
{
    char why[SIO_TLS_WHY] = "";

    if (!tls_options.certificate)
        return true;
    listening.tls = sio_tls_new(&tls_options, why, sizeof why);
    if (!listening.tls)
        fprintf(stderr, "conformance: %s\n", why);
    return listening.tls != NULL;
}

/* One "name=value". */
static bool parse_setting(struct settings *settings, const char *arg)
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
#undef X
    fprintf(stderr, " tlsCert tlsKey\n");
    return 2;
}

int main(int argc, char **argv)
{
    const struct role *role;
    struct settings settings;
    unsigned long port;
    int r;

    sio_tls_options_init(&tls_options);
    sio_listen_options_init(&listening);
    if (argc < 3)
        return usage("too few arguments", "ROLE and PORT are needed");
    role = find_role(argv[1]);
    if (!role)
        return usage("unknown role", argv[1]);
    if (!parse_number(argv[2], 65535, &port))
        return usage("not a port", argv[2]);
    settings = role->defaults;
    for (int i = 3; i < argc; i++)
        if (!parse_tls_setting(argv[i]) && !parse_setting(&settings, argv[i]))
            return usage("unknown option or bad value", argv[i]);
    if (!use_tls())
        return 1;
    r = role->run(&settings, (unsigned)port);
    sio_tls_free(listening.tls);
    return r;
}
