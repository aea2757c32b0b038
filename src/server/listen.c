/*
 * listen.c -- the addresses that a server listens on: each is a listener with
 * options of its own, and its connections go to HTTP.
 *
 *   listener --> on_accept() ------------------------> on_known() -->
 * http_accept()
 *                    '--> net_proxy (PROXY header) -------^
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/net/listener.h"

#include "src/server/server.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOG_PAUSE_MS 1000 /* between two lines of one log_budget */

struct listening {
    struct list node; /* in server->listeners */
    sio_server *server;
    struct net_listener *listener;
    sio_tls *tls; /* NULL: plain */
    bool proxy_protocol;
};

/* ------------------------------------------------------------- accepting -- */

/* A flood of connections must not become a flood of lines. */
static void log_turned_away(sio_server *server, uint64_t now,
                            const char *address, const char *why)
{
    struct log_budget *budget = &server->dropped_log;
    uint64_t before = budget->dropped;

    if (now < budget->next_ms) {
        budget->dropped++;
        return;
    }
    budget->next_ms = now + LOG_PAUSE_MS;
    budget->dropped = 0;
    if (before)
        server_log(server, SIO_LOG_WARN,
                   "connection of %s closed: %s (and %" PRIu64 " more before)",
                   address, why, before);
    else
        server_log(server, SIO_LOG_WARN, "connection of %s closed: %s", address,
                   why);
}

static void turned_away(const struct server_loop *l,
                        const struct net_address *peer, const char *why)
{
    sio_server *server = l->server;
    char address[NET_ADDRESS_TEXT];

    net_address_text(peer, address);
    pthread_mutex_lock(&server->dropped_lock);
    server->dropped++;
    log_turned_away(server, l->loop.now_ms, address, why);
    pthread_mutex_unlock(&server->dropped_lock);
}

static bool is_full(sio_server *server)
{
    return net_limits_full(&server->limits, server->main.loop.waiting_count);
}

/* Whom the connection is from is known: it is HTTP's of this loop. */
static void begin(struct server_loop *l, int fd,
                  const struct net_address *client, sio_tls *tls)
{
    bool full = is_full(l->server);
    int r = http_accept_tls(&l->http, fd, client, tls);

    if (r == SIO_E_LIMIT)
        turned_away(l, client,
                    full ? "max_connections is reached"
                         : "max_connections_per_address is reached");
    else if (r < 0)
        server_log(l->server, SIO_LOG_ERROR,
                   "connection dropped: out of memory");
}

/* On its way from main to another loop. */
struct arrival {
    struct net_mail mail;
    struct server_loop *to;
    int fd;
    struct net_address client;
    sio_tls *tls; /* referenced, or NULL */
};

static void on_arrival(struct net_mail *mail)
{
    struct arrival *a = container_of(mail, struct arrival, mail);

    if (a->to->http.closed || atomic_load(&a->to->stopped))
        close(a->fd);
    else
        begin(a->to, a->fd, &a->client, a->tls);
    sio_tls_free(a->tls);
    free(a);
}

static void on_known(void *self, int fd, const struct net_address *client)
{
    struct listening *e = self;
    struct server_loop *to = server_loop_next(e->server);
    struct arrival *a;

    if (to->index == 0) {
        begin(to, fd, client, e->tls);
        return;
    }
    a = malloc(sizeof *a);
    if (!a) {
        close(fd);
        server_log(e->server, SIO_LOG_ERROR,
                   "connection dropped: out of memory");
        return;
    }
    *a = (struct arrival){ .mail = { NULL, on_arrival },
                           .to = to,
                           .fd = fd,
                           .client = *client,
                           .tls = e->tls ? net_tls_ref(e->tls) : NULL };
    net_post(&to->loop, &a->mail);
}

static void on_no_header(void *self, const struct net_address *peer,
                         const char *why)
{
    turned_away(&((struct listening *)self)->server->main, peer, why);
}

static const struct net_proxy_ops proxy_ops = {
    .on_header = on_known,
    .on_failed = on_no_header,
};

/* A PROXY header has to come first. */
static void await_header(struct listening *e, int fd,
                         const struct net_address *peer)
{
    sio_server *server = e->server;
    const char *why = NULL;

    if (!net_networks_have(&server->trusted, peer))
        why = "none of trusted_proxies, on a listener with proxy_protocol";
    else if (is_full(server))
        why = "max_connections is reached";
    else if (net_proxy_accept(server->proxies, fd, peer, e) == SIO_OK)
        return;
    close(fd);
    if (why)
        turned_away(&server->main, peer, why);
    else
        server_log(server, SIO_LOG_ERROR, "connection dropped: out of memory");
}

static void on_accept(void *self, int fd, const struct net_address *peer)
{
    struct listening *e = self;

    if (e->proxy_protocol)
        await_header(e, fd, peer);
    else
        on_known(e, fd, peer);
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

/* ------------------------------------------------------------- listening -- */

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

static struct listening *listening_at(struct list *node)
{
    return container_of(node, struct listening, node);
}

static void close_one(struct listening *e)
{
    net_listener_close(e->listener);
    list_remove(&e->node);
    sio_tls_free(e->tls);
    free(e);
}

/* Two listeners on one descriptor would close it twice. */
static bool is_ours(sio_server *server, int fd)
{
    list_for_each_safe(
        it, next,
        &server->listeners) if (listening_at(it)->listener->bound.fd ==
                                fd) return true;
    return false;
}

/* The first time that a listener asks for PROXY headers. */
static int prepare_proxies(sio_server *server)
{
    if (server->proxies)
        return SIO_OK;
    server->proxies = malloc(sizeof *server->proxies);
    if (!server->proxies)
        return SIO_E_NOMEM;
    net_proxies_init(server->proxies, &server->main.loop, &proxy_ops);
    return SIO_OK;
}

static int bind_one(struct listening *e, const char *address,
                    const sio_listen_options *o, const char **why)
{
    struct net_bind_options how = { o->backlog, o->unix_mode };
    sio_server *server = e->server;
    int fd = net_inherited_fd(address);

    if (fd >= 0 && is_ours(server, fd)) {
        *why = "already listening on that descriptor";
        return SIO_E_STATE;
    }
    return net_listen(&server->main.loop, address, &how, &ops, e, &e->listener,
                      why);
}

static int open_one(sio_server *server, const char *address,
                    const sio_listen_options *o, const char **why)
{
    struct listening *e = calloc(1, sizeof *e);
    int r = SIO_OK;

    if (!e)
        return SIO_E_NOMEM;
    e->server = server;
    e->proxy_protocol = o->proxy_protocol;
    if (o->proxy_protocol)
        r = prepare_proxies(server);
    if (r == SIO_OK)
        r = bind_one(e, address, o, why);
    if (r < 0) {
        int saved = errno;

        free(e);
        errno = saved;
        return r;
    }
    e->tls = o->tls ? net_tls_ref(o->tls) : NULL;
    list_append(&server->listeners, &e->node);
    server->port = e->listener->bound.port;
    server_log(server, SIO_LOG_INFO, "listening on %s, port %u", address,
               (unsigned)server->port);
    return SIO_OK;
}

/* All of them, or none. */
static int open_systemd(sio_server *server, const char *name,
                        const sio_listen_options *o, const char **why)
{
    int fds[NET_SYSTEMD_MAX];
    int n = net_systemd_fds(name, fds, why), r = SIO_OK;
    char address[16];

    for (int i = 0; i < n; i++) {
        snprintf(address, sizeof address, "fd:%d", fds[i]);
        r = open_one(server, address, o, why);
        if (r < 0) {
            int saved = errno;

            while (i-- > 0)
                close_one(listening_at(server->listeners.prev));
            errno = saved;
            return r;
        }
    }
    return n < 0 ? n : r;
}

static int open_address(sio_server *server, const char *address,
                        const sio_listen_options *o, const char **why)
{
    *why = NULL;
    if (strcmp(address, "systemd") == 0)
        return open_systemd(server, NULL, o, why);
    if (strncmp(address, "systemd:", 8) == 0)
        return open_systemd(server, address + 8, o, why);
    return open_one(server, address, o, why);
}

/* NULL, or what is wrong. */
static const char *check_options(const sio_server *server,
                                 const sio_listen_options *o)
{
    if (o->backlog < 1)
        return "backlog: at least 1";
    if (o->unix_mode > 0777)
        return "unix_mode: 0 to 0777";
    if (o->proxy_protocol && !server->trusted.count)
        return "proxy_protocol: without trusted_proxies nobody could connect";
    return NULL;
}

int sio_listen(sio_server *server, const char *address,
               const sio_listen_options *options)
{
    sio_listen_options o;
    const char *why;
    int r, saved;

    read_options(&o, options);
    if (sio_draining(server) && !server->stopped)
        return SIO_E_STATE;
    why = check_options(server, &o);
    if (!why && server->stopped)
        server_reopen(server);
    r = why ? SIO_E_INVAL : open_address(server, address, &o, &why);
    if (r == SIO_OK)
        return SIO_OK;
    saved = errno;
    server_log(server, SIO_LOG_ERROR, "cannot listen on %s: %s%s%s%s", address,
               r == SIO_E_SYS ? strerror(saved) : sio_strerror(r),
               why ? " (" : "", why ? why : "", why ? ")" : "");
    errno = saved;
    return r;
}

unsigned sio_port(const sio_server *server)
{
    return server->port;
}

void listeners_close(sio_server *server)
{
    if (server->proxies) {
        net_proxies_close(server->proxies);
        free(server->proxies);
        server->proxies = NULL;
    }
    list_for_each_safe(it, next, &server->listeners)
        close_one(listening_at(it));
}
