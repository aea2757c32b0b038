/*
 * bench.c -- the server that tests/bench measures:
 *
 *     bench PORT [name=value ...]
 *
 *     "echo" (x)          -> "echo" (x) back to the sender
 *     "echo" (x, ack)     -> ack (x)
 *     "broadcast" (x)     -> "broadcast" (x) to everybody
 *     "room" (x)          -> "echo" (x) to one of the sender's rooms, in which
 *                            nobody else is: each time the next one
 *     "work" (x)          -> "echo" (x), after `work` turns of a loop
 *     "everybody" (x)     -> "broadcast" (x) to the room that all are in, of
 *                            a cluster
 *     "ask" (x, ack)      -> "ask" (x) to everybody; ack (answer, answer..)
 *
 * Values are whole numbers but for the last ones: loops; rooms, that each
 * client joins; namespaces, "/n0" and so on besides "/"; deflate (0 or 1);
 * work; held (0 or 1); tlsCert, tlsKey: files; redis (HOST:PORT) makes it a
 * node of a cluster, by adapter (classic, sharded or streams).
 *
 * With held=1 it says on SIGUSR1 how long the loop was away at most since the
 * last time: "held WALL CPU TURNS EVENTS": microseconds, of computing in the
 * second; how often it came by; how many events have left.
 *
 * Listens on 127.0.0.1, prints "ready PORT", ends on SIGTERM.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sio/sio.h>

#include <event2/event.h>

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct {
    long loops, rooms, namespaces, deflate, work, held;
    const char *cert, *key, *redis, *adapter;
} set = { .loops = 1, .adapter = "classic" };

/* What belongs to a client in "/" when there are rooms. */
struct member {
    unsigned id;
    long next; /* the room that the next event goes to */
};

/* Long enough for "room-4294967295-100000". */
enum { ROOM_NAME = 40 };

static void room_name(char *name, const struct member *m, long i)
{
    snprintf(name, ROOM_NAME, "room-%u-%ld", m->id, i);
}

static void on_connection(sio_socket *socket, void *user)
{
    static atomic_uint clients;
    struct member *m = calloc(1, sizeof *m);
    char name[ROOM_NAME];

    (void)user;
    if (!m)
        return;
    m->id = atomic_fetch_add(&clients, 1);
    sio_set_data(socket, m, free);
    for (long i = 0; i < set.rooms; i++) {
        room_name(name, m, i);
        sio_join(socket, name);
    }
}

static void on_echo(sio_socket *socket, sio_event *event, void *user)
{
    (void)user;
    if (sio_wants_ack(event))
        sio_ack(event, sio_arg(event, 0));
    else
        sio_emit(socket, "echo", sio_arg(event, 0));
}

static void on_broadcast(sio_socket *socket, sio_event *event, void *user)
{
    (void)user;
    sio_emit(sio_namespace_of(socket), "broadcast", sio_arg(event, 0));
}

static void on_room(sio_socket *socket, sio_event *event, void *user)
{
    struct member *m = sio_data(socket);
    char name[ROOM_NAME];

    (void)user;
    if (!m || set.rooms == 0)
        return;
    room_name(name, m, m->next);
    m->next = (m->next + 1) % set.rooms;
    sio_emit(sio_to(sio_namespace_of(socket), name), "echo", sio_arg(event, 0));
}

static void on_work(sio_socket *socket, sio_event *event, void *user)
{
    unsigned long long x = 88172645463325252ULL;

    (void)user;
    for (long i = 0; i < set.work; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
    }
    if (x) /* always; but the compiler does not know */
        sio_emit(socket, "echo", sio_arg(event, 0));
}

/* Of a cluster: everybody is in one room. */
static void on_member(sio_socket *socket, void *user)
{
    (void)user;
    sio_join(socket, "everybody");
}

static void on_everybody(sio_socket *socket, sio_event *event, void *user)
{
    (void)user;
    sio_emit(sio_to(sio_namespace_of(socket), "everybody"), "broadcast",
             sio_arg(event, 0));
}

enum { ANSWERS_MAX = 64, ASK_MS = 10000 };

static void on_answers(int error, sio_event *answers, void *user)
{
    sio_value values[ANSWERS_MAX];
    size_t n = sio_arg_count(answers);

    if (error != SIO_OK || n > ANSWERS_MAX) {
        sio_answer_drop(user); /* which the generator reports as lost */
        return;
    }
    for (size_t i = 0; i < n; i++)
        values[i] = sio_arg(answers, i);
    if (sio_answer_values(user, values, n) < 0)
        sio_answer_drop(user);
}

static void on_ask(sio_socket *socket, sio_event *event, void *user)
{
    sio_pending_ack *ack = sio_ack_later(event);

    (void)user;
    if (ack && sio_emit_ack(sio_timeout(sio_namespace_of(socket), ASK_MS),
                            on_answers, ack, "ask", sio_arg(event, 0)) < 0)
        sio_answer_drop(ack);
}

static void on_log(void *user, sio_log_level level, const char *message)
{
    (void)user;
    (void)level;
    fprintf(stderr, "bench: %s\n", message);
}

static bool register_handlers(sio_server *server)
{
    sio_namespace *nsp = sio_of(server, "/");
    char name[32];

    if (!nsp)
        return false;
    sio_on(nsp, "echo", on_echo, NULL);
    sio_on(nsp, "broadcast", on_broadcast, NULL);
    sio_on(nsp, "room", on_room, NULL);
    sio_on(nsp, "work", on_work, NULL);
    sio_on(nsp, "everybody", on_everybody, NULL);
    sio_on(nsp, "ask", on_ask, NULL);
    if (set.rooms)
        sio_on_connection(nsp, on_connection, NULL);
    else if (set.redis)
        sio_on_connection(nsp, on_member, NULL);
    for (long i = 0; i < set.namespaces; i++) {
        snprintf(name, sizeof name, "/n%ld", i);
        nsp = sio_of(server, name);
        if (!nsp)
            return false;
        sio_on(nsp, "echo", on_echo, NULL);
    }
    return true;
}

static int start_listening(sio_server *server, long port)
{
    sio_listen_options listening;
    sio_tls_options tls;
    char address[32], why[SIO_TLS_WHY] = "";
    int r;

    sio_listen_options_init(&listening);
    if (set.cert) {
        sio_tls_options_init(&tls);
        tls.certificate = set.cert;
        tls.key = set.key;
        listening.tls = sio_tls_new(&tls, why, sizeof why);
        if (!listening.tls) {
            fprintf(stderr, "bench: %s\n", why);
            return SIO_E_INVAL;
        }
    }
    snprintf(address, sizeof address, "127.0.0.1:%ld", port);
    r = sio_listen(server, address, &listening);
    if (listening.tls)
        sio_tls_free(listening.tls);
    if (r != SIO_OK) {
        fprintf(stderr, "bench: %s: %s\n", address, sio_strerror(r));
        return r;
    }
    printf("ready %u\n", sio_port(server));
    fflush(stdout);
    return SIO_OK;
}

/* ----------------------------------------- how long the loop is held up -- */

struct watch {
    struct event_base *base;
    sio_server *server;
    double wall_us, cpu_us; /* when the loop came by last */
    double worst_wall_us, worst_cpu_us;
    long turns;
    uint64_t events_out; /* at the last time */
};

static double now_us(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* Due every millisecond: what it is late by, somebody else has taken. */
static void on_turn(evutil_socket_t fd, short what, void *self)
{
    struct watch *w = self;
    double wall = now_us(CLOCK_MONOTONIC);
    double cpu = now_us(CLOCK_THREAD_CPUTIME_ID);

    (void)fd;
    (void)what;
    if (w->turns > 0 && wall - w->wall_us > w->worst_wall_us)
        w->worst_wall_us = wall - w->wall_us;
    if (w->turns > 0 && cpu - w->cpu_us > w->worst_cpu_us)
        w->worst_cpu_us = cpu - w->cpu_us;
    w->wall_us = wall;
    w->cpu_us = cpu;
    w->turns++;
}

static void on_asked(evutil_socket_t fd, short what, void *self)
{
    struct watch *w = self;
    sio_stats stats;

    (void)fd;
    (void)what;
    sio_get_stats(w->server, &stats);
    printf("held %.0f %.0f %ld %llu\n", w->worst_wall_us, w->worst_cpu_us,
           w->turns, (unsigned long long)(stats.events_out - w->events_out));
    w->events_out = stats.events_out;
    fflush(stdout);
    w->worst_wall_us = 0;
    w->worst_cpu_us = 0;
    w->turns = 0;
}

static void on_term(evutil_socket_t fd, short what, void *self)
{
    struct watch *w = self;

    (void)fd;
    (void)what;
    sio_stop(w->server);
}

static void on_stopped(sio_server *server, void *self)
{
    struct watch *w = self;

    (void)server;
    event_base_loopbreak(w->base);
}

/* Serve on a loop of this program's, with a timer in it. */
static int run_watched(sio_server *server, struct event_base *base)
{
    struct watch w = { .base = base, .server = server };
    struct timeval ms = { 0, 1000 };
    struct event *turn = event_new(base, -1, EV_PERSIST, on_turn, &w);
    struct event *asked = evsignal_new(base, SIGUSR1, on_asked, &w);
    struct event *term = evsignal_new(base, SIGTERM, on_term, &w);
    int r = 1;

    if (turn && asked && term && event_add(turn, &ms) == 0 &&
        event_add(asked, NULL) == 0 && event_add(term, NULL) == 0) {
        sio_on_stopped(server, on_stopped, &w);
        r = event_base_dispatch(base) < 0;
    }
    if (turn)
        event_free(turn);
    if (asked)
        event_free(asked);
    if (term)
        event_free(term);
    return r;
}

/* ---------------------------------------------------------- command line -- */

static bool join_cluster(sio_options *options)
{
    static sio_redis_options redis;
    static char url[300];
    static const char *const adapters[] = {
        [SIO_REDIS_CLASSIC] = "classic",
        [SIO_REDIS_SHARDED] = "sharded",
        [SIO_REDIS_STREAMS] = "streams",
    };
    size_t kind = 0;

    while (kind < 3 && strcmp(adapters[kind], set.adapter) != 0)
        kind++;
    if (kind == 3)
        return false;
    snprintf(url, sizeof url, "redis://%.280s", set.redis);
    sio_redis_options_init(&redis);
    redis.url = url;
    redis.adapter = (sio_redis_kind)kind;
    options->cluster = sio_redis_adapter();
    options->cluster_config = &redis;
    return true;
}

static int serve(long port)
{
    sio_options options;
    sio_server *server;
    struct event_base *base = set.held ? event_base_new() : NULL;
    int r = 1;

    sio_options_init(&options);
    options.loops = (unsigned)set.loops;
    options.per_message_deflate = set.deflate;
    options.event_base = base;
    options.log = on_log;
    if (set.redis && !join_cluster(&options)) {
        fprintf(stderr, "bench: no such adapter\n");
        return 2;
    }
    server = sio_server_new(&options);
    if (server && register_handlers(server) &&
        start_listening(server, port) == SIO_OK)
        r = base ? run_watched(server, base) : sio_run(server) != SIO_OK;
    if (server)
        sio_server_free(server);
    if (base)
        event_base_free(base);
    return r;
}

/* A whole decimal number up to `max`, else -1. */
static long parse_number(const char *text, long max)
{
    char *end;
    long n = strtol(text, &end, 10);

    return *text && !*end && n >= 0 && n <= max ? n : -1;
}

/* "name=value" into `set`. */
static bool parse_setting(const char *arg)
{
    static const struct {
        const char *name;
        long *to, min, max;
    } known[] = {
        { "loops=", &set.loops, 1, 1024 },
        { "rooms=", &set.rooms, 0, 100000 },
        { "namespaces=", &set.namespaces, 0, 100000 },
        { "deflate=", &set.deflate, 0, 1 },
        { "work=", &set.work, 0, 1000000000 },
        { "held=", &set.held, 0, 1 },
    };
    static const struct {
        const char *name, **to;
    } texts[] = {
        { "tlsCert=", &set.cert },
        { "tlsKey=", &set.key },
        { "redis=", &set.redis },
        { "adapter=", &set.adapter },
    };

    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        size_t n = strlen(known[i].name);
        if (strncmp(arg, known[i].name, n) == 0) {
            *known[i].to = parse_number(arg + n, known[i].max);
            return *known[i].to >= known[i].min;
        }
    }
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        size_t n = strlen(texts[i].name);
        if (strncmp(arg, texts[i].name, n) == 0) {
            *texts[i].to = arg + n;
            return true;
        }
    }
    return false;
}

int main(int argc, char **argv)
{
    long port = argc > 1 ? parse_number(argv[1], 65535) : -1;
    bool good = port >= 0;

    for (int i = 2; i < argc; i++)
        good = parse_setting(argv[i]) && good;
    if (!good) {
        fprintf(stderr, "usage: bench PORT [name=value ...]\n");
        return 2;
    }
    return serve(port);
}
