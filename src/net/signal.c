/*
 * signal.c -- see signal.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/net/signal.h"

static void on_signal(evutil_socket_t number, short what, void *self)
{
    struct net_signal *s = self;

    (void)what;
    net_loop_enter(s->loop);
    s->fire(s->self, (int)number);
}

int net_signal_watch(struct net_signal *s, struct net_loop *loop, int number,
                     void (*fire)(void *self, int number), void *self)
{
    s->loop = loop;
    s->fire = fire;
    s->self = self;
    if (event_assign(&s->event, loop->base, number, EV_SIGNAL | EV_PERSIST,
                     on_signal, s) < 0 ||
        event_add(&s->event, NULL) < 0)
        return SIO_E_SYS;
    s->watching = true;
    return SIO_OK;
}

void net_signal_unwatch(struct net_signal *s)
{
    if (s->watching)
        event_del(&s->event);
    s->watching = false;
}
