/*
 * stray.c -- upgrades that nobody handles: as in Node they get no answer, but
 * an end, after a time in which somebody might still have come for them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/server/server.h"

#include <stdlib.h>

struct stray {
    struct list node;       /* in server->strays */
    struct net_alarm alarm; /* no queue: that would cost every turn */
    struct net_loop *loop;
    struct http_exchange *ex;
};

static void stray_free(struct stray *s)
{
    list_remove(&s->node);
    net_alarm_stop(s->loop, &s->alarm);
    free(s);
}

static void hang_up(struct stray *s)
{
    struct http_exchange *ex = s->ex;

    stray_free(s);
    http_hang_up(ex);
}

static void on_timeout(struct net_alarm *alarm)
{
    hang_up(container_of(alarm, struct stray, alarm));
}

static void on_aborted(void *self, struct http_exchange *ex, bool complete)
{
    (void)ex;
    (void)complete;
    stray_free(self);
}

static const struct http_exchange_ops stray_ops = {
    .on_aborted = on_aborted,
};

bool strays_handle(sio_server *server, struct http_exchange *ex)
{
    const sio_options *o = &server->options;
    uint32_t wait_ms =
        o->destroy_upgrade ? o->destroy_upgrade_timeout_ms : STRAY_MAX_MS;
    struct stray *s;

    /* Who speaks no WebSocket takes no upgrades at all. */
    if (!ex->request->upgrade || !(o->transports & SIO_TRANSPORT_WEBSOCKET))
        return false;
    s = calloc(1, sizeof *s);
    if (s)
        net_alarm_init(&s->alarm, on_timeout);
    if (!s || server->stopping ||
        net_alarm_start(&server->main.loop, &s->alarm, wait_ms) < 0) {
        free(s);
        http_hang_up(ex);
        return true;
    }
    s->loop = &server->main.loop;
    s->ex = ex;
    ex->ops = &stray_ops;
    ex->self = s;
    list_append(&server->strays, &s->node);
    return true;
}

void strays_shut(sio_server *server)
{
    while (!list_empty(&server->strays))
        hang_up(container_of(server->strays.next, struct stray, node));
}
