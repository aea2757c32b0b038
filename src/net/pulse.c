/*
 * pulse.c -- see pulse.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/net/pulse.h"

#include <sys/timerfd.h>
#include <unistd.h>

#define NS_PER_S 1000000000u

static void on_expired(evutil_socket_t fd, short what, void *arg)
{
    struct net_pulse *pulse = arg;
    uint64_t times;

    (void)what;
    net_loop_enter(pulse->loop);
    if (read(fd, &times, sizeof times) == (ssize_t)sizeof times)
        pulse->fire(pulse);
}

int net_pulse_init(struct net_pulse *pulse, struct net_loop *loop,
                   void (*fire)(struct net_pulse *pulse))
{
    pulse->loop = loop;
    pulse->fire = fire;
    pulse->fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (pulse->fd < 0)
        return SIO_E_SYS;
    event_assign(&pulse->event, loop->base, pulse->fd, EV_READ | EV_PERSIST,
                 on_expired, pulse);
    if (event_add(&pulse->event, NULL) == 0)
        return SIO_OK;
    close(pulse->fd);
    return SIO_E_SYS;
}

void net_pulse_close(struct net_pulse *pulse)
{
    event_del(&pulse->event);
    close(pulse->fd);
}

void net_pulse_at(struct net_pulse *pulse, uint64_t ns)
{
    struct itimerspec at = { { 0, 0 }, { 0, 0 } };

    at.it_value.tv_sec = (time_t)(ns / NS_PER_S);
    at.it_value.tv_nsec = (long)(ns % NS_PER_S);
    timerfd_settime(pulse->fd, TFD_TIMER_ABSTIME, &at, NULL);
}
