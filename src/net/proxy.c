/*
 * proxy.c -- see proxy.h.
 *
 * What has arrived is peeked at, and exactly the header's part of it taken: so
 * what follows stays in the kernel for whoever gets the descriptor, and an
 * unfinished header does not keep the descriptor readable.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/net/proxy.h"
#include "src/net/entries.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct net_proxy {
    struct list node; /* in all->waiting */
    struct net_proxies *all;
    void *self;
    int fd; /* -1: handed over or closed */
    struct net_address peer;
    struct net_proxy_header header;
    struct event event;
    struct net_timer timeout;
    struct net_deferred cleanup;
};

static void proxy_free(struct net_deferred *d)
{
    free(container_of(d, struct net_proxy, cleanup));
}

/* It waits no longer; its descriptor, which is still open. */
static int leave(struct net_proxy *p)
{
    int fd = p->fd;

    p->fd = -1;
    event_del(&p->event);
    net_timer_stop(&p->timeout);
    list_remove(&p->node);
    p->all->loop->waiting_count--;
    net_defer(p->all->loop, &p->cleanup, proxy_free);
    return fd;
}

static void fail(struct net_proxy *p, const char *why)
{
    close(leave(p));
    p->all->ops->on_failed(p->self, &p->peer, why);
}

static void on_timeout(struct net_timer *timer)
{
    fail(container_of(timer, struct net_proxy, timeout),
         "no PROXY header in time");
}

static void on_bytes(struct net_proxy *p, size_t n)
{
    struct net_proxy_header *h = &p->header;
    uint8_t *input = p->all->loop->input;
    size_t used;
    enum net_proxy_result r = net_proxy_feed(h, input, n, &used);

    if (r == NET_PROXY_BAD) {
        fail(p, h->wrong);
        return;
    }
    if (recv(p->fd, input, used, 0) != (ssize_t)used)
        fail(p, "connection broken in the PROXY header");
    else if (r == NET_PROXY_DONE)
        p->all->ops->on_header(p->self, leave(p),
                               h->own ? &p->peer : &h->client);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct net_proxy *p = arg;
    ssize_t n;

    (void)what;
    net_loop_enter(p->all->loop);
    n = recv(fd, p->all->loop->input, NET_PROXY_V2_MAX, MSG_PEEK);
    if (n > 0)
        on_bytes(p, (size_t)n);
    else if (n == 0 && p->header.have == 0)
        close(leave(p));
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        fail(p, "closed before the end of the PROXY header");
}

int net_proxy_accept(struct net_proxies *all, int fd,
                     const struct net_address *peer, void *self)
{
    struct net_proxy *p = calloc(1, sizeof *p);

    if (!p)
        return SIO_E_NOMEM;
    p->all = all;
    p->self = self;
    p->fd = fd;
    p->peer = *peer;
    net_timer_init(&p->timeout);
    net_entries_need(all->loop, fd);
    event_assign(&p->event, all->loop->base, fd, EV_READ | EV_PERSIST,
                 on_readable, p);
    if (event_add(&p->event, NULL) < 0) {
        free(p);
        return SIO_E_NOMEM;
    }
    net_timer_start(&all->timeouts, &p->timeout);
    list_append(&all->waiting, &p->node);
    all->loop->waiting_count++;
    return SIO_OK;
}

void net_proxies_init(struct net_proxies *all, struct net_loop *loop,
                      const struct net_proxy_ops *ops)
{
    *all = (struct net_proxies){ .loop = loop, .ops = ops };
    list_init(&all->waiting);
    net_timer_queue_init(&all->timeouts, loop, NET_PROXY_MS, on_timeout);
}

void net_proxies_close(struct net_proxies *all)
{
    list_for_each_safe(it, next, &all->waiting)
        close(leave(container_of(it, struct net_proxy, node)));
    net_timer_queue_close(&all->timeouts);
}
