/*
 * fake_redis.c -- see fake_redis.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/flow/fake_redis.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    printf("not ok - fake_redis: %s\n", what);
    exit(1);
}

static uint64_t fake_clock(void *self)
{
    return *(uint64_t *)self;
}

static void on_accept(void *self, int fd, const struct net_address *peer)
{
    struct fake_redis *f = self;

    (void)peer;
    must(f->count < FAKE_PEERS, "too many connections");
    f->peers[f->count++] = fd;
}

static const struct net_listener_ops listener_ops = { on_accept, NULL };

static void on_state(void *self, enum redis_state state, const char *why)
{
    static const char *const names[] = { "connecting", "ready", "degraded" };
    struct fake_redis *f = self;
    size_t at = strlen(f->told);

    snprintf(f->told + at, sizeof f->told - at, "%s%s%s;", names[state],
             why[0] ? " " : "", why);
}

static const struct redis_ops client_ops = { on_state };

void fake_begin(struct fake_redis *f, struct redis_options *options)
{
    const struct net_bind_options bind_options = { .backlog = 10 };
    struct net_loop_config config = { .clock = fake_clock,
                                      .clock_self = &f->now };
    const char *why;

    *f = (struct fake_redis){ .now = 1000 };
    must(net_loop_init(&f->loop, &config) == SIO_OK, "no loop");
    snprintf(f->url, sizeof f->url, "unix:@libsio-fake-redis-%ld",
             (long)getpid());
    must(net_listen(&f->loop, f->url, &bind_options, &listener_ops, f,
                    &f->listener, &why) == SIO_OK,
         "no listener");
    redis_options_init(options);
    options->url = f->url;
}

void fake_turns(struct fake_redis *f, int n)
{
    while (n-- > 0)
        net_loop_poll(&f->loop);
}

void fake_open(struct fake_redis *f, const struct redis_options *options)
{
    char why[200] = "";

    must(redis_open(&f->loop, options, &client_ops, f, &f->client, why,
                    sizeof why) == SIO_OK,
         "not opened");
    fake_wait(f, 1);
}

void fake_wait(struct fake_redis *f, uint64_t ms)
{
    fake_turns(f, 5);
    while (ms) {
        uint64_t step = ms < 10 ? ms : 10;

        f->now += step;
        ms -= step;
        fake_turns(f, 5);
    }
}

void fake_end(struct fake_redis *f)
{
    if (f->client)
        redis_close(f->client);
    fake_turns(f, 5);
    net_listener_close(f->listener);
    for (size_t i = 0; i < f->count; i++)
        fake_hang_up(f, i);
    fake_turns(f, 5);
    must(f->loop.outgoing_count == 0, "connections are left");
    must(f->loop.alarm_count == 0, "alarms are left");
    must(list_empty(&f->loop.timer_queues), "timers are left");
    must(f->loop.queued_bytes == 0, "bytes are left");
    net_loop_destroy(&f->loop);
}

/* ----------------------------------------------------------- the server -- */

/* One command at p: as text, behind `out`; the bytes that it had, or 0. */
static size_t decode(const char *p, const char *end, char *out, size_t size)
{
    const char *at = p;
    char *next;
    long n, len;
    size_t used = strlen(out);

    if (end - p < 4 || *p != '*')
        return 0;
    n = strtol(p + 1, &next, 10);
    at = next + 2;
    while (n-- > 0) {
        if (at >= end || *at != '$')
            return 0;
        len = strtol(at + 1, &next, 10);
        at = next + 2;
        if (end - at < len + 2)
            return 0;
        used += (size_t)snprintf(out + used, size - used, "%.*s%s",
                                 len > 40 ? 0 : (int)len, at, n ? " " : "; ");
        if (used >= size)
            used = size - 1;
        at += len + 2;
    }
    return (size_t)(at - p);
}

const char *fake_heard(struct fake_redis *f, size_t peer)
{
    static char input[1 << 20], out[4000];
    ssize_t n = -1;
    size_t have = 0, used;

    out[0] = 0;
    fake_turns(f, 3);
    if (peer >= f->count)
        return "(no such connection)";
    while (have < sizeof input &&
           (n = recv(f->peers[peer], input + have, sizeof input - have,
                     MSG_DONTWAIT)) > 0)
        have += (size_t)n;
    for (const char *p = input; p < input + have; p += used) {
        used = decode(p, input + have, out, sizeof out);
        if (!used)
            return "(not RESP)";
    }
    if (n == 0)
        strcat(out, "(end)");
    return out;
}

void fake_say_n(struct fake_redis *f, size_t peer, const void *p, size_t n)
{
    must(send(f->peers[peer], p, n, MSG_NOSIGNAL) == (ssize_t)n, "send");
    fake_turns(f, 3);
}

void fake_say(struct fake_redis *f, size_t peer, const char *text)
{
    fake_say_n(f, peer, text, strlen(text));
}

void fake_hang_up(struct fake_redis *f, size_t peer)
{
    if (f->peers[peer] >= 0)
        close(f->peers[peer]);
    f->peers[peer] = -1;
    fake_turns(f, 3);
}

void fake_let_in(struct fake_redis *f, size_t peer)
{
    const char *heard = fake_heard(f, peer);

    if (strcmp(heard, "PING; ") != 0)
        printf("# heard '%s'\n", heard);
    must(strcmp(heard, "PING; ") == 0, "no PING");
    fake_say(f, peer, "+PONG\r\n");
}
