/*
 * bridge.c -- see bridge.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/flow/bridge.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct bridge {
    struct list node;
    struct tls_client client;
    int plain;
    bool shaken;
    bool test_left, server_left; /* FIN from there, handed on */
};

static struct list bridges = { &bridges, &bridges };
static struct bridge *last;
static sio_tls *context;
static const struct tls_client_options *client_options;

static void hang_up(struct bridge *b)
{
    list_remove(&b->node);
    if (last == b)
        last = NULL;
    close(b->plain);
    close(b->client.fd);
    tls_client_close(&b->client);
    free(b);
}

static void to_server(struct bridge *b)
{
    static char text[1 << 16];
    ssize_t n;

    while (tls_client_flush(&b->client, SIZE_MAX) == 0 &&
           (n = recv(b->plain, text, sizeof text, MSG_DONTWAIT)) >= 0) {
        if (n > 0 && SSL_write(b->client.ssl, text, (int)n) == n)
            continue;
        SSL_shutdown(b->client.ssl);
        tls_client_flush(&b->client, SIZE_MAX);
        shutdown(b->client.fd, SHUT_WR);
        b->test_left = true;
        return;
    }
}

/* Only what the test's side takes is taken out of TLS. */
static void to_test(struct bridge *b)
{
    static char text[1 << 14];
    bool open = tls_client_fill(&b->client);
    int n;

    while ((n = SSL_peek(b->client.ssl, text, sizeof text)) > 0) {
        ssize_t sent =
            send(b->plain, text, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (sent <= 0)
            return;
        SSL_read(b->client.ssl, text, (int)sent);
    }
    if (!open || tls_client_saw_goodbye(&b->client) ||
        SSL_get_error(b->client.ssl, n) == SSL_ERROR_SSL) {
        shutdown(b->plain, SHUT_WR);
        b->server_left = true;
    }
}

static void move(struct bridge *b)
{
    if (!b->shaken)
        b->shaken = tls_client_shake(&b->client);
    if (b->client.failed) {
        hang_up(b);
        return;
    }
    if (!b->shaken)
        return;
    if (!b->server_left)
        to_test(b);
    if (!b->test_left)
        to_server(b);
    if (b->test_left && (b->server_left || b->client.reset))
        hang_up(b);
}

static void pump(struct world *w)
{
    (void)w;
    list_for_each_safe(it, next, &bridges)
        move(container_of(it, struct bridge, node));
}

int bridge_raw(struct world *w, sio_tls *tls)
{
    struct net_address peer = { .family = AF_INET, .ip = { 127, 0, 0, 1 } };
    int fds[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) < 0)
        return -1;
    if (http_accept_tls(&w->server->main.http, fds[1], &peer, tls) == SIO_OK)
        return fds[0];
    close(fds[0]);
    return -1;
}

/* A bridge to the server's descriptor, which becomes its own; *test is the
 * test's end. */
static struct bridge *build(int server, int *test)
{
    struct bridge *b = calloc(1, sizeof *b);
    int fds[2];

    if (!b || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) < 0) {
        free(b);
        close(server);
        return NULL;
    }
    b->client.fd = server;
    b->plain = fds[0];
    list_append(&bridges, &b->node);
    if (!tls_client_open(&b->client, server, client_options)) {
        hang_up(b);
        close(fds[1]);
        return NULL;
    }
    *test = fds[1];
    return b;
}

static int dial(struct world *w)
{
    int server = bridge_raw(w, context), test = -1;

    last = server < 0 ? NULL : build(server, &test);
    for (int i = 0; i < 10 && last && !last->shaken; i++)
        world_turn(w);
    if (last && last->shaken)
        return test;
    if (last)
        hang_up(last);
    if (test >= 0)
        close(test);
    return -1;
}

void bridge_begin(struct world *w, sio_tls *tls,
                  const struct tls_client_options *options)
{
    context = tls;
    client_options = options;
    w->dial = dial;
    w->pump = pump;
}

void bridge_end(struct world *w)
{
    while (!list_empty(&bridges))
        hang_up(container_of(bridges.next, struct bridge, node));
    w->dial = NULL;
    w->pump = NULL;
    world_turn(w);
}

struct tls_client *bridge_last(void)
{
    return last ? &last->client : NULL;
}

sio_tls *bridge_context(sio_tls_clients clients)
{
    char why[SIO_TLS_WHY] = "";
    sio_tls_options o;
    sio_tls *tls;

    sio_tls_options_init(&o);
    o.certificate = CERTS "server.pem";
    o.key = CERTS "server.key";
    o.ca = CERTS "root.pem";
    o.clients = clients;
    tls = sio_tls_new(&o, why, sizeof why);
    CHECK(tls, "no context: %s", why);
    return tls;
}
