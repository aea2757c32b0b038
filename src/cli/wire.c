/*
 * wire.c -- see wire.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/cli/wire.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

static void down(struct cli_wire *wire, const char *why)
{
    cli_wire_close(wire);
    wire->ops->on_down(wire->self, why);
}

/* -------------------------------------------------------------- connection */

static size_t on_data(void *self, uint8_t *data, size_t n)
{
    struct cli_wire *wire = self;

    wire->ops->on_data(wire->self, data, n);
    return n;
}

static void on_closed(void *self, enum net_close_reason why)
{
    struct cli_wire *wire = self;

    wire->conn = NULL;
    down(wire, wire->why[0]             ? wire->why
               : why == NET_CLOSE_PEER  ? "closed by the server"
               : why == NET_CLOSE_RESET ? "reset by the server"
               : why == NET_CLOSE_NOMEM ? "out of memory"
                                        : "the server reads too slowly");
}

static const struct net_conn_ops conn_ops = { on_data, NULL, on_closed, NULL };

static void on_tls_failed(void *self, const char *why)
{
    struct cli_wire *wire = self;

    snprintf(wire->why, sizeof wire->why, "TLS: %s", why);
}

/* ----------------------------------------------------------------- dialling */

static void on_connected(void *self, int fd, const struct net_address *peer)
{
    struct cli_wire *wire = self;
    const struct cli_target *t = wire->target;

    wire->dial = NULL;
    if (net_conn_open_outgoing(wire->loop, fd, peer, t->max_queued, &conn_ops,
                               wire, &wire->conn) != SIO_OK) {
        close(fd);
        down(wire, "out of memory");
        return;
    }
    if (t->tls && net_tls_connect(wire->conn, t->tls, t->url.host,
                                  on_tls_failed, wire) != SIO_OK) {
        down(wire, "out of memory");
        return;
    }
    wire->ops->on_up(wire->self);
}

static void on_failed(void *self, const char *why)
{
    struct cli_wire *wire = self;

    wire->dial = NULL;
    down(wire, why);
}

static const struct net_dial_ops dial_ops = { on_connected, on_failed };

int cli_wire_open(struct cli_wire *wire, struct net_loop *loop,
                  const struct cli_target *target,
                  const struct cli_wire_ops *ops, void *self)
{
    wire->loop = loop;
    wire->target = target;
    wire->ops = ops;
    wire->self = self;
    wire->conn = NULL;
    wire->why[0] = 0;
    return net_dial(loop, target->dial, target->url.port, target->open_ms,
                    &dial_ops, wire, &wire->dial);
}

void cli_wire_close(struct cli_wire *wire)
{
    if (wire->dial)
        net_dial_cancel(wire->dial);
    if (wire->conn)
        net_conn_close(wire->conn);
    wire->dial = NULL;
    wire->conn = NULL;
}

void cli_wire_finish(struct cli_wire *wire, uint32_t linger_ms)
{
    if (wire->conn)
        net_conn_finish(wire->conn, linger_ms);
    wire->conn = NULL;
    cli_wire_close(wire);
}

const char *cli_said(char out[CLI_SAID], sio_str text)
{
    size_t n = text.n < CLI_SAID - 1 ? text.n : CLI_SAID - 1;

    for (size_t i = 0; i < n; i++)
        out[i] = (unsigned char)text.p[i] < ' ' ? ' ' : text.p[i];
    while (n && out[n - 1] == ' ')
        n--;
    out[n] = 0;
    return out;
}
