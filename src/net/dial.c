/*
 * dial.c -- see dial.h.
 *
 * The first step is taken at the tail of the turn, so that no callback comes
 * before the caller has its dial.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/net/dial.h"
#include "src/net/resolve.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

struct net_dial {
    struct net_loop *loop;
    const struct net_dial_ops *ops;
    void *self;
    struct net_task begin;
    struct net_resolve *resolve; /* its answer is awaited */
    struct net_addresses addresses;
    size_t next; /* of them, to be tried */
    int fd;      /* -1: none */
    struct event event;
    struct net_alarm alarm;
    uint64_t deadline_ms;
    bool over;
    char why[NET_DIAL_WHY]; /* the last failure */
    struct net_deferred cleanup;
    uint16_t port;
    char host[];
};

/* ------------------------------------------------------------- the ends -- */

static void dial_free(struct net_deferred *d)
{
    free(container_of(d, struct net_dial, cleanup));
}

/* Not waiting for anything; the descriptor of the present try. */
static int let_go(struct net_dial *d)
{
    int fd = d->fd;

    d->fd = -1;
    if (fd >= 0)
        event_del(&d->event);
    net_alarm_stop(d->loop, &d->alarm);
    return fd;
}

/* It is over; the descriptor that it had. */
static int leave(struct net_dial *d)
{
    d->over = true;
    net_task_cancel(&d->begin);
    if (d->resolve)
        net_resolve_cancel(d->resolve);
    d->resolve = NULL;
    net_defer(d->loop, &d->cleanup, dial_free);
    return let_go(d);
}

void net_dial_cancel(struct net_dial *d)
{
    int fd;

    if (d->over)
        return;
    fd = leave(d);
    if (fd >= 0)
        close(fd);
}

static void fail(struct net_dial *d, const char *why)
{
    snprintf(d->why, sizeof d->why, "%s", why);
    net_dial_cancel(d);
    d->ops->on_failed(d->self, d->why);
}

static void connected(struct net_dial *d)
{
    const struct sockaddr *sa =
        (const struct sockaddr *)&d->addresses.list[d->next - 1].sa;
    struct net_address peer;
    int fd = leave(d), on = 1;

    net_address_from(&peer, sa);
    if (sa->sa_family != AF_UNIX)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    d->ops->on_connected(d->self, fd, &peer);
}

/* ------------------------------------------------------------ connecting -- */

static void try_next(struct net_dial *d);

/* This address will not do. */
static void give_up(struct net_dial *d, const char *why)
{
    int fd = let_go(d);

    if (fd >= 0)
        close(fd);
    snprintf(d->why, sizeof d->why, "%s", why);
    try_next(d);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct net_dial *d = arg;
    int error = 0;
    socklen_t len = sizeof error;

    (void)what;
    net_loop_enter(d->loop);
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
        error = errno;
    if (error)
        give_up(d, strerror(error));
    else
        connected(d);
}

static void on_alarm(struct net_alarm *alarm)
{
    struct net_dial *d = container_of(alarm, struct net_dial, alarm);

    if (d->resolve)
        fail(d, "the name was not resolved in time");
    else
        give_up(d, "no answer in time");
}

/* An even part of the time that is left, for the address at hand. */
static int start_alarm(struct net_dial *d)
{
    uint64_t left =
        d->deadline_ms > d->loop->now_ms ? d->deadline_ms - d->loop->now_ms : 0;

    return net_alarm_start(d->loop, &d->alarm,
                           left / (d->addresses.count - d->next + 1));
}

static void wait_connected(struct net_dial *d)
{
    if (event_add(&d->event, NULL) < 0 || start_alarm(d) < 0)
        give_up(d, "out of memory");
}

static void try_next(struct net_dial *d)
{
    size_t i = d->next;
    int family, r;

    if (i == d->addresses.count) {
        net_dial_cancel(d);
        d->ops->on_failed(d->self, d->why);
        return;
    }
    d->next++;
    family = d->addresses.list[i].sa.ss_family;
    d->fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (d->fd < 0) {
        give_up(d, strerror(errno));
        return;
    }
    event_assign(&d->event, d->loop->base, d->fd, EV_WRITE, on_writable, d);
    /* A unix socket whose backlog is full says EAGAIN, and never becomes
     * writable. */
    r = connect(d->fd, (const struct sockaddr *)&d->addresses.list[i].sa,
                d->addresses.list[i].len);
    if (r == 0)
        connected(d);
    else if (errno == EINPROGRESS || errno == EINTR)
        wait_connected(d);
    else
        give_up(d, strerror(errno));
}

/* ------------------------------------------------------------- beginning -- */

static void on_resolved(void *self, const struct net_addresses *found,
                        const char *why)
{
    struct net_dial *d = self;

    d->resolve = NULL;
    net_loop_read_clock(d->loop);
    if (!found) {
        fail(d, why);
        return;
    }
    d->addresses = *found;
    try_next(d);
}

/* "@NAME" begins with a NUL and has no other at its end: unix(7). */
static void take_path(struct net_dial *d, const char *path)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    size_t n = strlen(path);

    if (n == 0 || n >= sizeof un.sun_path) {
        fail(d, "the path of a unix socket has 1 to 107 bytes");
        return;
    }
    memcpy(un.sun_path, path, n);
    if (path[0] == '@')
        un.sun_path[0] = 0;
    else
        n++;
    memcpy(&d->addresses.list[0].sa, &un, sizeof un);
    d->addresses.list[0].len =
        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
    d->addresses.count = 1;
    try_next(d);
}

static void begin(struct net_task *task)
{
    struct net_dial *d = container_of(task, struct net_dial, begin);
    int r;

    if (strncmp(d->host, "unix:", 5) == 0) {
        take_path(d, d->host + 5);
    } else if (net_resolve_numeric(d->host, d->port, &d->addresses)) {
        try_next(d);
    } else {
        r = net_resolve(d->loop, d->host, d->port, on_resolved, d, &d->resolve);
        if (r == SIO_E_LIMIT)
            fail(d, "earlier names are still being resolved");
        else if (r < 0)
            fail(d, sio_strerror(r));
    }
}

int net_dial(struct net_loop *loop, const char *host, uint16_t port,
             uint32_t timeout_ms, const struct net_dial_ops *ops, void *self,
             struct net_dial **out)
{
    size_t n = strlen(host) + 1;
    struct net_dial *d;

    if (n > NET_HOST_MAX + 1)
        return SIO_E_INVAL;
    d = calloc(1, sizeof *d + n);
    if (!d)
        return SIO_E_NOMEM;
    d->loop = loop;
    d->ops = ops;
    d->self = self;
    d->port = port;
    d->fd = -1;
    d->deadline_ms = loop->now_ms + timeout_ms;
    memcpy(d->host, host, n);
    net_alarm_init(&d->alarm, on_alarm);
    net_task_init(&d->begin, begin);
    if (net_alarm_start(loop, &d->alarm, timeout_ms) < 0) {
        free(d);
        return SIO_E_NOMEM;
    }
    net_task_schedule(loop, &d->begin);
    *out = d;
    return SIO_OK;
}
