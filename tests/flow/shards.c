/*
 * shards.c -- see shards.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/flow/shards.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static struct shards *of_world(struct world *w)
{
    return container_of(w, struct shards, world);
}

struct net_loop *shards_loop(struct shards *s, size_t i)
{
    return &server_loop_at(s->world.server, i)->loop;
}

struct http_server *shards_http(struct shards *s, size_t i)
{
    return &server_loop_at(s->world.server, i)->http;
}

/* Nobody runs it at the moment. */
static void detach(struct shards *s, size_t i)
{
    const pthread_t nobody = (pthread_t)0;

    atomic_store(&shards_loop(s, i)->thread, nobody);
}

/* The test has loop 0, and nobody the others. */
static void take_first(struct shards *s)
{
    for (size_t i = 1; i < s->count; i++)
        detach(s, i);
    net_loop_attach(shards_loop(s, 0));
}

static int dial(struct world *w)
{
    struct net_address peer = { .family = AF_UNIX };
    struct shards *s = of_world(w);
    int fds[2];

    net_address_parse(&peer, str_of("127.0.0.1"));
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
                   fds) < 0)
        return -1;
    if (http_accept(shards_http(s, s->chosen), fds[1], &peer) < 0) {
        close(fds[0]);
        return -1;
    }
    return fds[0];
}

static void pump(struct world *w)
{
    struct shards *s = of_world(w);

    detach(s, 0);
    for (size_t i = 1; i < s->count; i++) {
        net_loop_poll(shards_loop(s, i));
        detach(s, i);
    }
    net_loop_attach(shards_loop(s, 0));
}

void shards_turn(struct shards *s)
{
    world_turn(&s->world);
    world_turn(&s->world);
}

void shards_turn_one(struct shards *s, size_t i)
{
    detach(s, 0);
    net_loop_poll(shards_loop(s, i));
    detach(s, i);
    net_loop_attach(shards_loop(s, 0));
}

static sio_options with_loops(const sio_options *given, size_t count)
{
    sio_options o;

    if (given)
        o = *given;
    else
        sio_options_init(&o);
    o.loops = (unsigned)count;
    return o;
}

void shards_begin(struct shards *s, size_t count, const sio_options *options)
{
    sio_options o = with_loops(options, count);

    memset(s, 0, sizeof *s);
    s->count = count;
    s->world.server = server_new(&o, NULL, NULL);
    if (!s->world.server)
        abort();
}

bool shards_open(struct shards *s, size_t count, const sio_options *options)
{
    sio_options o = with_loops(options, count);

    memset(s, 0, sizeof *s);
    if (!world_open(&s->world, &o))
        return false;
    s->count = count;
    s->world.dial = dial;
    s->world.pump = pump;
    take_first(s);
    return true;
}

/* The thread that ends the server has all of its loops. */
static void take_all(struct shards *s)
{
    for (size_t i = 0; i < s->count; i++)
        net_loop_attach(shards_loop(s, i));
}

sio_stats shards_stats(struct shards *s)
{
    sio_stats stats;

    take_all(s);
    sio_get_stats(s->world.server, &stats);
    take_first(s);
    return stats;
}

void shards_end(struct shards *s)
{
    take_all(s);
    sio_server_free(s->world.server);
    s->world.server = NULL;
}

void shards_close(struct shards *s)
{
    shards_turn(s);
    shards_end(s);
}

int shards_client(struct shards *s, size_t loop)
{
    int fd;

    s->chosen = loop;
    fd = world_client(&s->world);
    return fd;
}

void shards_elsewhere(struct shards *s, void (*fn)(void *user), void *user)
{
    detach(s, 0);
    fn(user);
    net_loop_attach(shards_loop(s, 0));
}
