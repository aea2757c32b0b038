/*
 * cluster.c -- one node of a cluster: page, client bundle and Socket.IO server
 * on one address, joined to its siblings by Redis. server.mjs is the same node
 * in JavaScript; run.mjs starts several of both behind a load balancer.
 *
 *     main() --> read_options() --> make_server(), node_init() --> the loop
 *
 * It prints one line when it listens:
 *
 *     NAME: ADDRESS
 *
 * SPDX-License-Identifier: MIT
 */
#include "demo/cluster/node.h"
#include "demo/common/site.h"

#include <sio/sio.h>

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUESTION_MS 2000 /* how long the other nodes may take to answer */

static const char usage[] =
    "usage: cluster [--name NAME] [--redis URL] ADDRESS\n\n"
    "A node of a cluster, at 127.0.0.1:3001, [::1]:3001 or unix:/run/c1.sock.\n"
    "  --name NAME   1 to 40 characters; c1 when not given\n"
    "  --redis URL   redis://HOST:PORT or unix:PATH; redis://127.0.0.1\n"
    "One command for several of them: make demo DEMO=cluster\n";

struct options {
    const char *name, *redis, *address;
};

/* False: the program ends with *status. */
static bool read_options(struct options *options, int argc, char **argv,
                         int *status)
{
    static const struct option names[] = {
        { "name", required_argument, NULL, 'n' },
        { "redis", required_argument, NULL, 'r' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    int c;

    *status = 2;
    while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
        if (c == 'n') {
            options->name = optarg;
        } else if (c == 'r') {
            options->redis = optarg;
        } else {
            fputs(usage, c == 'h' ? stdout : stderr);
            *status = c == 'h' ? EXIT_SUCCESS : 2;
            return false;
        }
    }
    if (optind + 1 != argc || !*options->name || strlen(options->name) > 40) {
        fputs(usage, stderr);
        return false;
    }
    options->address = argv[optind];
    *status = EXIT_FAILURE;
    return true;
}

/* NULL: the log has told why. */
static sio_server *make_server(struct site *site, sio_redis_options *redis)
{
    sio_options options;

    sio_options_init(&options);
    site_options(site, &options);
    options.max_http_buffer_size = 16 * 1024; /* it is all short text */
    options.cluster = sio_redis_adapter();
    options.cluster_config = redis;
    redis->requests_timeout_ms = QUESTION_MS;
    return sio_server_new(&options);
}

static bool listen_on(sio_server *server, const char *name, const char *address)
{
    if (sio_listen(server, address, NULL) != SIO_OK)
        return false; /* the log has told why */
    printf("%s: %s\n", name, address);
    fflush(stdout);
    return true;
}

int main(int argc, char **argv)
{
    struct options options = { "c1", "redis://127.0.0.1", NULL };
    struct site site = { .name = "cluster" };
    struct node node = { 0 };
    sio_redis_options redis;
    sio_server *server;
    int status;

    if (!read_options(&options, argc, argv, &status) || !site_find(&site))
        return status;
    node.name = options.name;
    snprintf(node.room, sizeof node.room, "node:%s", options.name);
    sio_redis_options_init(&redis);
    redis.url = options.redis;
    server = make_server(&site, &redis);
    if (server && !node_init(&node, server))
        fprintf(stderr, "cluster: out of memory\n");
    else if (server && site_serve(&site, server) &&
             listen_on(server, node.name, options.address) &&
             sio_run(server) == SIO_OK)
        status = EXIT_SUCCESS;
    sio_server_free(server);
    return status;
}
