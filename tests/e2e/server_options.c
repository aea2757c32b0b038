/*
 * server_options.c -- the command line of the server: name=value, as often as
 * there are options.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/e2e/server.h"
#include "tests/flow/toy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRUST_MAX 8

static const char *trusted[TRUST_MAX];

static bool set_tls_option(sio_tls_options *o, const char *name,
                           const char *value)
{
    if (strcmp(name, "tlsCert") == 0)
        o->certificate = value;
    else if (strcmp(name, "tlsKey") == 0)
        o->key = value;
    else if (strcmp(name, "tlsCa") == 0)
        o->ca = value;
    else if (strcmp(name, "tlsClients") == 0)
        o->clients = strcmp(value, "require") == 0 ? SIO_TLS_CLIENTS_REQUIRE
                                                   : SIO_TLS_CLIENTS_REQUEST;
    else
        return false;
    return true;
}

/* Options of addresses; -1: another. */
static int set_address_option(struct settings *s, const char *name,
                              const char *value)
{
    sio_options *o = &s->options;
    uint32_t n = (uint32_t)strtoul(value, NULL, 10);

    if (strcmp(name, "trust") == 0 && o->trusted_proxy_count < TRUST_MAX)
        trusted[o->trusted_proxy_count++] = value;
    else if (strcmp(name, "forwarded") == 0)
        o->forwarded = strcmp(value, "rfc7239") == 0 ? SIO_FORWARDED_RFC7239
                       : strcmp(value, "x") == 0     ? SIO_FORWARDED_X
                                                     : SIO_FORWARDED_ANY;
    else if (strcmp(name, "maxConnections") == 0)
        o->max_connections = n;
    else if (strcmp(name, "maxPerAddress") == 0)
        o->max_connections_per_address = n;
    else if (strcmp(name, "proxyProtocol") == 0)
        s->listen.proxy_protocol = n;
    else if (strcmp(name, "unixMode") == 0)
        s->listen.unix_mode = (unsigned)strtoul(value, NULL, 8);
    else
        return -1;
    o->trusted_proxies = trusted;
    return 0;
}

static int set_option(struct settings *s, const char *name, const char *value)
{
    sio_options *o = &s->options;
    uint32_t n = (uint32_t)strtoul(value, NULL, 10);

    if (strcmp(name, "pingInterval") == 0)
        o->ping_interval_ms = n;
    else if (strcmp(name, "pingTimeout") == 0)
        o->ping_timeout_ms = n;
    else if (strcmp(name, "connectTimeout") == 0)
        o->connect_timeout_ms = n;
    else if (strcmp(name, "upgradeTimeout") == 0)
        o->upgrade_timeout_ms = n;
    else if (strcmp(name, "maxPayload") == 0)
        o->max_http_buffer_size = n;
    else if (strcmp(name, "maxBuffered") == 0)
        o->max_buffered_amount = n;
    else if (strcmp(name, "drain") == 0)
        o->drain_ms = n;
    else if (strcmp(name, "loops") == 0)
        o->loops = (unsigned)n;
    else if (strcmp(name, "eio3") == 0)
        o->allow_eio3 = n;
    else if (strcmp(name, "cleanup") == 0)
        o->cleanup_empty_child_namespaces = n;
    else if (strcmp(name, "recovery") == 0) {
        o->connection_state_recovery = true;
        o->max_disconnection_duration_ms = (uint32_t)n;
    } else if (strcmp(name, "client") == 0)
        o->client_dir = value;
    else if (strcmp(name, "parser") == 0)
        o->parser = strcmp(value, "msgpack") == 0 ? sio_msgpack_parser()
                    : strcmp(value, "toy") == 0   ? toy_parser()
                                                  : NULL;
    else if (strcmp(name, "transports") == 0)
        o->transports = strcmp(value, "polling") == 0 ? SIO_TRANSPORT_POLLING
                        : strcmp(value, "websocket") == 0
                            ? SIO_TRANSPORT_WEBSOCKET
                            : o->transports;
    else
        return set_address_option(s, name, value);
    return 0;
}

bool settings_read(struct settings *out, int argc, char **argv)
{
    sio_options_init(&out->options);
    sio_tls_options_init(&out->tls);
    sio_listen_options_init(&out->listen);
    for (int i = 2; i < argc; i++) {
        char *value = strchr(argv[i], '=');

        if (value)
            *value++ = '\0';
        if (!value || (!set_tls_option(&out->tls, argv[i], value) &&
                       set_option(out, argv[i], value) < 0)) {
            fprintf(stderr, "e2e: unknown option %s\n", argv[i]);
            return false;
        }
    }
    return true;
}
