/*
 * listener.c -- see listener.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/net/listener.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>

/* ------------------------------------------------------------- accepting -- */

static int accept_one(const struct net_bound *bound, struct net_address *peer)
{
    struct sockaddr_storage ss = { 0 };
    socklen_t len = sizeof ss;
    int on = 1;
    int conn = accept4(bound->fd, (struct sockaddr *)&ss, &len,
                       SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (conn < 0)
        return -1;
    net_address_from(peer, (struct sockaddr *)&ss);
    if (!bound->nodelay && peer->family != AF_UNIX)
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

    (void)fd;
    (void)what;
    net_loop_enter(l->loop);
    for (int i = 0; i < NET_ACCEPT_BATCH && l->bound.fd >= 0; i++) {
        struct net_address peer;
        int conn = accept_one(&l->bound, &peer);

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

int net_listen(struct net_loop *loop, const char *address,
               const struct net_bind_options *options,
               const struct net_listener_ops *ops, void *self,
               struct net_listener **out, const char **why)
{
    struct net_listener *l = calloc(1, sizeof *l);
    int r;

    *why = NULL;
    if (!l)
        return SIO_E_NOMEM;
    r = net_bind(address, options, &l->bound, why);
    if (r < 0) {
        int saved = errno;

        free(l);
        errno = saved;
        return r;
    }
    l->loop = loop;
    l->ops = ops;
    l->self = self;
    net_alarm_init(&l->pause, on_pause_over);
    event_assign(&l->event, loop->base, l->bound.fd, EV_READ | EV_PERSIST,
                 on_acceptable, l);
    if (event_add(&l->event, NULL) < 0) {
        net_unbind(&l->bound);
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
    if (l->bound.fd < 0)
        return;
    event_del(&l->event);
    net_alarm_stop(l->loop, &l->pause);
    net_unbind(&l->bound);
    net_defer(l->loop, &l->cleanup, listener_free);
}
