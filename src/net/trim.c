/*
 * trim.c -- see trim.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/net/trim.h"

#include "src/net/output.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

static void on_quiet(struct net_alarm *alarm)
{
    struct net_loop *loop = container_of(alarm, struct net_loop, trim);

    if (loop->conn_count > loop->conn_peak / NET_TRIM_PART)
        return; /* they have come back */
    loop->conn_peak = loop->conn_count;
    loop->trims++;
    net_output_free_spare(loop);
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

void net_trim_init(struct net_loop *loop)
{
    net_alarm_init(&loop->trim, on_quiet);
}

void net_trim_later(struct net_loop *loop)
{
    if (!loop->trim.slot)
        net_alarm_start(loop, &loop->trim, NET_TRIM_MS);
}
