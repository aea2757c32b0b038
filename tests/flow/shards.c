/*
 * shards.c -- see shards.h.
 *
 * The server has made a hub for its one loop: it is replaced by one of several,
 * with the same options.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/flow/shards.h"

#include <sio/adapter.h>

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
    return i ? &s->loops[i] : &s->world.server->main.loop;
}

struct http_server *shards_http(struct shards *s, size_t i)
{
    return i ? &s->https[i] : &s->world.server->main.http;
}

/* Nobody runs it at the moment. */
static void detach(struct shards *s, size_t i)
{
    const pthread_t nobody = (pthread_t)0;

    atomic_store(&shards_loop(s, i)->thread, nobody);
}

static uint64_t read_clock(void *self)
{
    return ((struct world *)self)->now_ms;
}

static void on_request(void *self, struct http_exchange *ex)
{
    if (!eng_handle(&((struct so_shard *)self)->engine, ex))
        http_respond(ex, &(struct http_response){ .status = 404 });
}

static void on_refused(void *self, const struct net_address *peer, int status,
                       const char *why)
{
    (void)self, (void)peer, (void)status, (void)why;
}

static const struct http_server_ops ops = { .on_request = on_request,
                                            .on_refused = on_refused };

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
        net_loop_poll(&s->loops[i]);
        detach(s, i);
    }
    net_loop_attach(&s->world.server->main.loop);
}

void shards_turn(struct shards *s)
{
    world_turn(&s->world);
    world_turn(&s->world);
}

/* ------------------------------------------------------------ exchanging -- */

static void close_hub(struct so_hub *hub)
{
    so_hub_shut(hub);
    so_hub_destroy(hub);
}

static void log_line(void *self, sio_log_level level, const char *message)
{
    const sio_server *server = self;

    if (server->options.log && level <= server->options.log_level)
        server->options.log(server->options.log_user, level, message);
}

static int open_hub(struct shards *s, size_t count)
{
    struct so_hub *hub = &s->world.server->hub;
    struct eng_options eng = hub->shards->engine.options;
    struct so_options so = hub->options;
    struct net_loop *loops[SHARDS_MAX];
    int r;

    close_hub(hub);
    for (int i = 0; i < 4; i++)
        net_loop_poll(shards_loop(s, 0)); /* what it has posted */
    so_hub_free(hub);
    for (size_t i = 0; i < count; i++)
        loops[i] = shards_loop(s, i);
    eng.http = NULL;
    r = so_hub_init(hub, loops, count, &so, &eng, sio_memory_adapter());
    hub->log = log_line;
    hub->log_self = s->world.server;
    return r;
}

static bool open_loops(struct shards *s, bool real_time)
{
    const struct net_loop_config config = { .clock =
                                                real_time ? NULL : read_clock,
                                            .clock_self = &s->world };
    struct http_config http;
    int r = SIO_OK;

    http_config_defaults(&http);
    for (size_t i = 1; r == SIO_OK && i < s->count; i++) {
        r = net_loop_init(&s->loops[i], &config);
        if (r == SIO_OK)
            r = http_server_init(&s->https[i], &s->loops[i], &http, &ops, NULL);
    }
    if (r == SIO_OK)
        r = open_hub(s, s->count);
    for (size_t i = 1; r == SIO_OK && i < s->count; i++)
        s->https[i].self = &s->world.server->hub.shards[i];
    return r == SIO_OK;
}

void shards_begin(struct shards *s, size_t count, const sio_options *options)
{
    memset(s, 0, sizeof *s);
    s->count = count;
    s->world.server = server_new(options, NULL, NULL);
    if (!s->world.server || !open_loops(s, true))
        abort();
}

bool shards_open(struct shards *s, size_t count, const sio_options *options)
{
    memset(s, 0, sizeof *s);
    s->count = count;
    if (!world_open(&s->world, options) || !open_loops(s, false))
        return false;
    s->world.dial = dial;
    s->world.pump = pump;
    for (size_t i = 1; i < count; i++)
        detach(s, i);
    net_loop_attach(shards_loop(s, 0));
    return true;
}

/* Also what was posted last is run, by the hub that it is about. */
static void settle(struct shards *s)
{
    for (int round = 0; round < 8; round++)
        for (size_t i = 0; i < s->count; i++)
            net_loop_deliver(shards_loop(s, i));
}

void shards_end(struct shards *s)
{
    struct so_hub *hub = &s->world.server->hub;

    settle(s);
    so_hub_shut(hub);
    settle(s);
    for (size_t i = 1; i < s->count; i++)
        http_server_close(&s->https[i]);
    so_hub_destroy(hub);
    settle(s);
    for (size_t i = 1; i < s->count; i++)
        net_loop_destroy(&s->loops[i]);
    net_loop_poll(shards_loop(s, 0));
    s->count = 1;
    /* The server frees a hub of its own. */
    {
        struct net_loop *loop = shards_loop(s, 0);
        struct eng_options eng = hub->shards->engine.options;
        struct so_options so = hub->options;

        so_hub_free(hub);
        if (so_hub_init(hub, &loop, 1, &so, &eng, sio_memory_adapter()) < 0)
            abort();
    }
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
