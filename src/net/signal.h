/*
 * signal.h -- POSIX signals as events of a loop.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_NET_SIGNAL_H
#define SRC_NET_SIGNAL_H

#include "src/net/loop.h"

struct net_signal {
    struct event event;
    struct net_loop *loop;
    void (*fire)(void *self, int number);
    void *self;
    bool watching;
};

/* SIO_OK or SIO_E_SYS. One loop of a process may watch a signal. */
int net_signal_watch(struct net_signal *s, struct net_loop *loop, int number,
                     void (*fire)(void *self, int number), void *self);

/* The former disposition is back afterwards. Legal when it does not watch. */
void net_signal_unwatch(struct net_signal *s);

#endif
