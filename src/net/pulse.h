/*
 * pulse.h -- a timer of a loop by the nanosecond, for programs that measure:
 * those of timer.h go by milliseconds, which suits whoever merely waits.
 *
 * Times are those of CLOCK_MONOTONIC, whatever clock the loop has. Loop thread
 * only.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_NET_PULSE_H
#define SRC_NET_PULSE_H

#include "src/net/loop.h"

struct net_pulse {
    struct event event;
    struct net_loop *loop;
    int fd; /* timerfd */
    void (*fire)(struct net_pulse *pulse);
};

/* SIO_OK or SIO_E_SYS. */
int net_pulse_init(struct net_pulse *pulse, struct net_loop *loop,
                   void (*fire)(struct net_pulse *pulse));
void net_pulse_close(struct net_pulse *pulse);

/* Fire once, at or after that time, instead of what was asked for before; 0:
 * not at all. */
void net_pulse_at(struct net_pulse *pulse, uint64_t ns);

#endif
