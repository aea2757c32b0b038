/*
 * bench.c -- the server that tests/bench measures, and the smallest useful
 * example of an echo:
 *
 *     bench PORT [loops=N]
 *
 *     "echo" (x)          -> "echo" (x) back to the sender
 *     "echo" (x, ack)     -> ack (x)
 *     "broadcast" (x)     -> "broadcast" (x) to everybody
 *
 * Listens on 127.0.0.1, prints "ready PORT", ends on SIGTERM.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sio/sio.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void on_echo(sio_socket *socket, sio_event *event, void *user)
{
    (void)user;
    if (sio_wants_ack(event))
        sio_ack(event, sio_arg(event, 0));
    else
        sio_emit(socket, "echo", sio_arg(event, 0));
}

static void on_broadcast(sio_socket *socket, sio_event *event, void *user)
{
    (void)user;
    sio_emit(sio_namespace_of(socket), "broadcast", sio_arg(event, 0));
}

static void on_log(void *user, sio_log_level level, const char *message)
{
    (void)user;
    (void)level;
    fprintf(stderr, "bench: %s\n", message);
}

/* A whole decimal number up to `max`, else -1. */
static long parse_number(const char *text, long max)
{
    char *end;
    long n = strtol(text, &end, 10);

    return *text && !*end && n >= 0 && n <= max ? n : -1;
}

static int serve(long port, long loops)
{
    sio_options options;
    sio_server *server;
    sio_namespace *nsp;
    char address[32];
    int r;

    sio_options_init(&options);
    options.loops = (unsigned)loops;
    options.log = on_log;
    server = sio_server_new(&options);
    if (!server || !(nsp = sio_of(server, "/")))
        return 1;

    sio_on(nsp, "echo", on_echo, NULL);
    sio_on(nsp, "broadcast", on_broadcast, NULL);

    snprintf(address, sizeof address, "127.0.0.1:%ld", port);
    r = sio_listen(server, address, NULL);
    if (r == SIO_OK) {
        printf("ready %u\n", sio_port(server));
        fflush(stdout);
        r = sio_run(server);
    }
    if (r != SIO_OK)
        fprintf(stderr, "bench: %s: %s\n", address, sio_strerror(r));
    sio_server_free(server);
    return r != SIO_OK;
}

int main(int argc, char **argv)
{
    long port = argc > 1 ? parse_number(argv[1], 65535) : -1, loops = 1;

    if (argc == 3 && strncmp(argv[2], "loops=", 6) == 0)
        loops = parse_number(argv[2] + 6, 1024);
    else if (argc > 2)
        loops = -1;
    if (port < 0 || loops < 1) {
        fprintf(stderr, "usage: bench PORT [loops=N]\n");
        return 2;
    }
    return serve(port, loops);
}
