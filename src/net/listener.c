/*
 * listener.c -- see listener.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/net/listener.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ------------------------------------------------------------- accepting -- */

static int accept_one(int fd, struct net_address *peer)
{
    struct sockaddr_storage ss = { 0 };
    socklen_t len = sizeof ss;
    int on = 1;
    int conn =
        accept4(fd, (struct sockaddr *)&ss, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (conn < 0)
        return -1;
    net_address_from(peer, (struct sockaddr *)&ss);
    setsockopt(conn, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return conn;
}

static bool out_of_resources(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS ||
           error == ENOMEM;
}

static void pause_accepting(struct net_listener *l, int error)
{
    /* Without the memory for an alarm it just goes on trying. */
    if (net_alarm_start(l->loop, &l->pause, NET_ACCEPT_PAUSE_MS) == SIO_OK)
        event_del(&l->event);
    l->ops->on_error(l->self, error);
}

static void on_pause_over(struct net_alarm *alarm)
{
    struct net_listener *l = container_of(alarm, struct net_listener, pause);

    if (event_add(&l->event, NULL) < 0)
        pause_accepting(l, ENOMEM);
}

static void on_acceptable(evutil_socket_t fd, short what, void *arg)
{
    struct net_listener *l = arg;

    (void)what;
    net_loop_enter(l->loop);
    for (int i = 0; i < NET_ACCEPT_BATCH && l->fd >= 0; i++) {
        struct net_address peer;
        int conn = accept_one(fd, &peer);

        if (conn >= 0) {
            l->ops->on_accept(l->self, conn, &peer);
        } else if (out_of_resources(errno)) {
            pause_accepting(l, errno);
            return;
        } else if (errno == EAGAIN) {
            return;
        } /* else this one connection is broken: there may be others */
    }
}

/* ------------------------------------------------------------- addresses -- */

struct host_port {
    char host[256]; /* "" = all addresses */
    char port[6];
};

static bool copy_part(char *out, size_t size, const char *p, size_t n)
{
    if (n >= size)
        return false;
    memcpy(out, p, n);
    out[n] = 0;
    return true;
}

static bool is_port(const char *port)
{
    unsigned long number = strtoul(port, NULL, 10);

    return port[0] && strspn(port, "0123456789") == strlen(port) &&
           number <= UINT16_MAX;
}

static bool parse(const char *address, struct host_port *hp)
{
    const char *port = strrchr(address, ':');
    const char *host = address, *end = port;

    if (!port) { /* "PORT" */
        end = host;
        port = address;
    } else {
        port++;
    }
    if (*host == '[') {
        host++;
        if (end <= host || *--end != ']' || end == host)
            return false;
    } else if (memchr(host, ':', (size_t)(end - host))) {
        return false; /* IPv6 without brackets */
    }
    return copy_part(hp->host, sizeof hp->host, host, (size_t)(end - host)) &&
           copy_part(hp->port, sizeof hp->port, port, strlen(port)) &&
           is_port(hp->port);
}

/* All addresses when `host` is empty, those of the host otherwise. */
static int resolve(const struct host_port *hp, int family,
                   struct addrinfo **found)
{
    struct addrinfo hints = { .ai_flags = AI_PASSIVE | AI_NUMERICSERV,
                              .ai_family = family,
                              .ai_socktype = SOCK_STREAM };
    int r = getaddrinfo(hp->host[0] ? hp->host : NULL, hp->port, &hints, found);

    if (r == EAI_MEMORY)
        return SIO_E_NOMEM;
    return r == 0 ? SIO_OK : SIO_E_ADDRESS;
}

/* A socket that listens there, or -1 with errno. */
static int open_at(const struct addrinfo *ai, bool only_v6, int backlog)
{
    int fd =
        socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1, v6 = only_v6, saved;

    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        (ai->ai_family != AF_INET6 ||
         setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6, sizeof v6) == 0) &&
        bind(fd, ai->ai_addr, ai->ai_addrlen) == 0 && listen(fd, backlog) == 0)
        return fd;
    saved = errno; /* close() may overwrite the reason */
    close(fd);
    errno = saved;
    return -1;
}

static int open_first(const struct host_port *hp, int family, int backlog,
                      int *fd)
{
    struct addrinfo *found;
    int r = resolve(hp, family, &found);

    if (r < 0)
        return r;
    r = SIO_E_SYS;
    for (struct addrinfo *ai = found; ai && r < 0; ai = ai->ai_next) {
        *fd = open_at(ai, hp->host[0] != 0, backlog);
        if (*fd >= 0)
            r = SIO_OK;
    }
    freeaddrinfo(found);
    return r;
}

/* Without a host: IPv6, which serves IPv4 too, or IPv4 where there is no other.
 * A port that is taken stays taken in either. */
static int open_socket(const struct host_port *hp, int backlog, int *fd)
{
    int r;

    if (hp->host[0])
        return open_first(hp, AF_UNSPEC, backlog, fd);
    r = open_first(hp, AF_INET6, backlog, fd);
    if (r == SIO_OK || r == SIO_E_NOMEM ||
        (r == SIO_E_SYS && errno != EAFNOSUPPORT && errno != EADDRNOTAVAIL))
        return r;
    return open_first(hp, AF_INET, backlog, fd);
}

static uint16_t bound_port(int fd)
{
    struct sockaddr_storage ss = { 0 };
    socklen_t len = sizeof ss;
    struct net_address a;

    getsockname(fd, (struct sockaddr *)&ss, &len);
    net_address_from(&a, (struct sockaddr *)&ss);
    return a.port;
}

int net_listen(struct net_loop *loop, const char *address, int backlog,
               const struct net_listener_ops *ops, void *self,
               struct net_listener **out)
{
    struct host_port hp;
    struct net_listener *l;
    int r, fd;

    if (!parse(address, &hp))
        return SIO_E_ADDRESS;
    r = open_socket(&hp, backlog, &fd);
    if (r < 0)
        return r;
    l = calloc(1, sizeof *l);
    if (!l) {
        close(fd);
        return SIO_E_NOMEM;
    }
    l->loop = loop;
    l->ops = ops;
    l->self = self;
    l->fd = fd;
    l->port = bound_port(fd);
    net_alarm_init(&l->pause, on_pause_over);
    event_assign(&l->event, loop->base, fd, EV_READ | EV_PERSIST, on_acceptable,
                 l);
    if (event_add(&l->event, NULL) < 0) {
        close(fd);
        free(l);
        return SIO_E_NOMEM;
    }
    *out = l;
    return SIO_OK;
}

static void listener_free(struct net_deferred *d)
{
    free(container_of(d, struct net_listener, cleanup));
}

void net_listener_close(struct net_listener *l)
{
    if (l->fd < 0)
        return;
    event_del(&l->event);
    net_alarm_stop(l->loop, &l->pause);
    close(l->fd);
    l->fd = -1;
    net_defer(l->loop, &l->cleanup, listener_free);
}
