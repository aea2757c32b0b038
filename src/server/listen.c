/*
 * listen.c -- the addresses that a server listens on: each is a listener with
 * options of its own, and its connections go to HTTP.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/net/listener.h"

#include "src/server/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct listening {
    struct list node; /* in server->listeners */
    sio_server *server;
    struct net_listener *listener;
    sio_tls *tls; /* NULL: plain */
};

static void on_accept(void *self, int fd, const struct net_address *peer)
{
    struct listening *e = self;
    sio_server *server = e->server;

    if (http_accept_tls(&server->http, fd, peer, e->tls) < 0)
        server_log(server, SIO_LOG_ERROR, "connection dropped: out of memory");
}

static void on_accept_error(void *self, int error)
{
    server_log(((struct listening *)self)->server, SIO_LOG_ERROR,
               "cannot accept connections for the moment: %s (see ulimit -n)",
               strerror(error));
}

static const struct net_listener_ops ops = {
    .on_accept = on_accept,
    .on_error = on_accept_error,
};

void sio_listen_options_init_sized(sio_listen_options *options, size_t size)
{
    const sio_listen_options d = { .size = size, .backlog = NET_BACKLOG };

    memset(options, 0, size);
    memcpy(options, &d, size < sizeof d ? size : sizeof d);
}

/* Defaults, overlaid with the fields that the caller was built with. */
static void read_options(sio_listen_options *out,
                         const sio_listen_options *given)
{
    size_t known = sizeof *out;

    sio_listen_options_init(out);
    if (given)
        memcpy(out, given, given->size < known ? given->size : known);
    out->size = known;
}

static int open_one(sio_server *server, const char *address,
                    const sio_listen_options *o)
{
    struct net_bind_options how = { .backlog = o->backlog };
    struct listening *e = calloc(1, sizeof *e);
    const char *why;
    int r;

    if (!e)
        return SIO_E_NOMEM;
    e->server = server;
    r = net_listen(&server->loop, address, &how, &ops, e, &e->listener, &why);
    if (r < 0) {
        int saved = errno;

        free(e);
        errno = saved;
        return r;
    }
    e->tls = o->tls ? net_tls_ref(o->tls) : NULL;
    list_append(&server->listeners, &e->node);
    server->port = e->listener->bound.port;
    return SIO_OK;
}

int sio_listen(sio_server *server, const char *address,
               const sio_listen_options *options)
{
    sio_listen_options o;
    int r;

    read_options(&o, options);
    if (o.backlog < 1)
        return SIO_E_INVAL;
    if (server->stopping)
        return SIO_E_STATE;
    r = open_one(server, address, &o);
    if (r < 0) {
        int saved = errno;

        server_log(server, SIO_LOG_ERROR, "cannot listen on %s: %s", address,
                   r == SIO_E_SYS ? strerror(saved) : sio_strerror(r));
        errno = saved;
        return r;
    }
    server_log(server, SIO_LOG_INFO, "listening on %s, port %u", address,
               (unsigned)server->port);
    return SIO_OK;
}

unsigned sio_port(const sio_server *server)
{
    return server->port;
}

void listeners_close(sio_server *server)
{
    list_for_each_safe(it, next, &server->listeners)
    {
        struct listening *e = container_of(it, struct listening, node);

        net_listener_close(e->listener);
        sio_tls_free(e->tls);
        free(e);
    }
    list_init(&server->listeners);
}
