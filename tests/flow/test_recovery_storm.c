/*
 * test_recovery_storm.c -- a storm: a server on four loops, each in its thread,
 * and three threads that emit and drive clients, which are cut off at any time,
 * amid coming back too, and come back on any loop. Each has to have every event
 * once, those of one sender in their order: a model counts.
 *
 *   driver --------------------- sio_emit(nsp) ------------> every client
 *   driver --42["say"]--> a steady client's loop: the same
 *   driver --42["me"]---> a client's loop: to itself
 *
 * SPDX-License-Identifier: MIT
 */
#include <sio/sio.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/flow/shards.h"

#define LOOPS 4
#define DRIVERS 3
#define EACH 5 /* clients of a driver; the last one is never cut off */
#define CLIENTS (DRIVERS * EACH)
#define OPS 8000 /* of each driver */
#define PATIENCE_MS 60000

/* Who says things: a driver to all, a driver to the even ones, a steady client
 * to all, each client to itself. */
#define TO_EVEN DRIVERS
#define STEADY (2 * DRIVERS)
#define OWN (3 * DRIVERS)
#define SENDERS (OWN + CLIENTS)

struct client {
    int number, fd;
    size_t loop;
    bool joined; /* as itself */
    int tries;   /* to be itself again */
    char sid[24], pid[24], offset[32];
    long next[SENDERS]; /* the message that has to come next */
    char in[1 << 16];
    size_t have;
};

struct driver {
    pthread_t thread;
    int number;
    uint64_t random;
    long said, said_even, asked; /* asked: its steady client to say something */
    struct client clients[EACH];
};

static struct shards s;
static sio_namespace *nsp;
static struct driver drivers[DRIVERS];
static atomic_long own[CLIENTS]; /* what each was told of itself */
static atomic_int connects, disconnects, moves, wrong;
static pthread_barrier_t barrier;
static sem_t all_gone;
static atomic_bool closing;

#define EXPECT(cond, ...)                                  \
    do {                                                   \
        if (!(cond) && atomic_fetch_add(&wrong, 1) < 10) { \
            printf("# %d: %s: ", __LINE__, #cond);         \
            printf(__VA_ARGS__);                           \
            printf("\n");                                  \
        }                                                  \
    } while (0)

/* ---------------------------------------------------------- on the loops -- */

static void on_connection(sio_socket *socket, void *user)
{
    (void)socket, (void)user;
    atomic_fetch_add(&connects, 1);
}

static void on_disconnect(sio_socket *socket, const char *reason, void *user)
{
    (void)socket, (void)reason, (void)user;
    if (atomic_fetch_add(&disconnects, 1) + 1 == atomic_load(&connects) &&
        atomic_load(&closing))
        sem_post(&all_gone);
}

static void on_join(sio_socket *socket, sio_event *event, void *user)
{
    (void)event, (void)user;
    sio_join(socket, "even");
}

static void on_say(sio_socket *socket, sio_event *event, void *user)
{
    (void)socket, (void)user;
    sio_emit(nsp, "said", sio_arg(event, 0), sio_arg(event, 1));
}

static void on_me(sio_socket *socket, sio_event *event, void *user)
{
    int64_t number = 0;

    (void)user;
    sio_arg_int(event, 0, &number);
    sio_emit(socket, "said", sio_int(OWN + number),
             sio_int(atomic_fetch_add(&own[number], 1)));
}

static void *run_loop(void *loop)
{
    net_loop_run(loop);
    return NULL;
}

/* --------------------------------------------------------- connections -- */

struct knock {
    struct net_mail mail;
    size_t loop;
    int fd;
};

static void on_knock(struct net_mail *mail)
{
    struct knock *k = container_of(mail, struct knock, mail);
    struct net_address peer = { .family = AF_UNIX };

    if (http_accept(shards_http(&s, k->loop), k->fd, &peer) < 0)
        EXPECT(false, "not accepted");
    free(k);
}

static void send_raw(struct client *c, const void *p, size_t n)
{
    const char *at = p;

    while (n) {
        ssize_t k = send(c->fd, at, n, MSG_NOSIGNAL);

        if (k < 0 && errno == EAGAIN) {
            struct pollfd ready = { c->fd, POLLOUT, 0 };

            EXPECT(poll(&ready, 1, PATIENCE_MS) == 1, "stuck");
            continue;
        }
        if (k < 0)
            return;
        at += k;
        n -= (size_t)k;
    }
}

__attribute__((format(printf, 2, 3))) static void say(struct client *c,
                                                      const char *fmt, ...)
{
    char frame[200] = "\x81";
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(frame + 6, sizeof frame - 6, fmt, ap);
    va_end(ap);
    frame[1] = (char)(0x80 | n); /* the mask is 0 */
    send_raw(c, frame, (size_t)n + 6);
}

/* On that loop, as whoever it was. */
static void knock(struct client *c, size_t loop)
{
    static const char request[] =
        "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\n"
        "Upgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    struct knock *k = malloc(sizeof *k);
    int fds[2];

    if (!k || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
                         fds) < 0)
        abort();
    c->fd = fds[0];
    c->have = 0;
    c->joined = false;
    c->loop = loop;
    send_raw(c, request, sizeof request - 1);
    if (c->pid[0])
        say(c, "40{\"pid\":\"%s\",\"offset\":\"%s\"}", c->pid, c->offset);
    else
        say(c, "40");
    *k = (struct knock){ { NULL, on_knock }, loop, fds[1] };
    net_post(shards_loop(&s, loop), &k->mail);
}

/* ------------------------------------------------------- what comes back -- */

static bool starts(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* Its old loop may not have missed it yet: then it is somebody else for the
 * moment, and has to ask again. */
static void on_connected(struct client *c, const char *text)
{
    const char *pid = strstr(text, "\"pid\":\"");

    EXPECT(pid, "%s", text);
    if (c->pid[0] && memcmp(c->sid, text + 10, 20) != 0) {
        EXPECT(++c->tries < 10000, "client %d is known no more", c->number);
        close(c->fd);
        knock(c, c->loop);
        return;
    }
    c->tries = 0;
    memcpy(c->sid, text + 10, 20);
    memcpy(c->pid, pid + 7, 20);
    c->joined = true;
}

static void on_said(struct client *c, const char *text)
{
    char *end, *offset;
    long who = strtol(text, &end, 10), number = strtol(end + 1, &offset, 10);

    EXPECT(who >= 0 && who < SENDERS && number == c->next[who],
           "client %d: of %ld came %ld, not %ld", c->number, who, number,
           who >= 0 && who < SENDERS ? c->next[who] : 0);
    if (who >= 0 && who < SENDERS)
        c->next[who] = number + 1;
    snprintf(c->offset, sizeof c->offset, "%.*s",
             (int)strcspn(offset + 2, "\""), offset + 2);
}

static void on_text(struct client *c, const char *text)
{
    if (starts(text, "40{\"sid\":\""))
        on_connected(c, text);
    else if (starts(text, "42[\"said\","))
        on_said(c, text + 10);
    else if (text[0] == '2' && !text[1])
        say(c, "3");
}

/* The first frame: its bytes; 0: it is not whole. */
static size_t take_frame(struct client *c, const unsigned char *p, size_t n)
{
    const int fd = c->fd;
    size_t len = n >= 2 ? p[1] : 0, head = 2;
    char text[512];

    if (len == 126 && n >= 4) {
        len = p[2] * 256u + p[3];
        head = 4;
    }
    if (n < head || n < head + len)
        return 0;
    EXPECT(len < sizeof text, "a frame of %zu bytes", len);
    memcpy(text, p + head, len);
    text[len] = 0;
    if (p[0] == 0x81)
        on_text(c, text);
    return c->fd == fd && c->have ? head + len : 0;
}

/* The answer to the upgrade ends with an empty line. */
static size_t take_answer(const struct client *c)
{
    const char *end = memmem(c->in, c->have, "\r\n\r\n", 4);

    return end ? (size_t)(end + 4 - c->in) : 0;
}

static void take(struct client *c)
{
    size_t at = 0, n;

    do {
        n = c->have - at > 4 && starts(c->in + at, "HTTP")
                ? take_answer(c)
                : take_frame(c, (unsigned char *)c->in + at, c->have - at);
        at += n;
    } while (n && at < c->have);
    if (at > c->have)
        return;
    memmove(c->in, c->in + at, c->have - at);
    c->have -= at;
}

static void read_client(struct client *c)
{
    ssize_t n = recv(c->fd, c->in + c->have, sizeof c->in - c->have, 0);

    EXPECT(n > 0 || (n < 0 && errno == EAGAIN), "client %d was closed",
           c->number);
    if (n <= 0)
        return;
    c->have += (size_t)n;
    take(c);
}

/* Read some of what there is. */
static void look(struct driver *d, int wait_ms)
{
    struct pollfd fds[EACH];
    int n;

    for (int i = 0; i < EACH; i++)
        fds[i] = (struct pollfd){ d->clients[i].fd, POLLIN, 0 };
    n = poll(fds, EACH, wait_ms);
    EXPECT(n > 0 || wait_ms < PATIENCE_MS, "nothing has come for %d ms",
           wait_ms);
    for (int i = 0; i < EACH; i++)
        if (fds[i].revents)
            read_client(&d->clients[i]);
}

/* ------------------------------------------------------------ the storm -- */

static unsigned draw(struct driver *d, unsigned below)
{
    d->random ^= d->random << 13;
    d->random ^= d->random >> 7;
    d->random ^= d->random << 17;
    return (unsigned)(d->random >> 32) % below;
}

/* Mostly it is waited for. */
static void cut_off(struct driver *d, struct client *c)
{
    size_t loop = draw(d, LOOPS);

    close(c->fd);
    atomic_fetch_add(&moves, loop != c->loop);
    knock(c, loop);
    while (draw(d, 8) && !c->joined && atomic_load(&wrong) == 0)
        look(d, PATIENCE_MS);
}

static void do_something(struct driver *d)
{
    struct client *c = &d->clients[draw(d, EACH - 1)];
    unsigned what = draw(d, 24);

    if (what < 6)
        sio_emit(nsp, "said", sio_int(d->number), sio_int(d->said++));
    else if (what < 10)
        sio_emit(sio_to(nsp, "even"), "said", sio_int(TO_EVEN + d->number),
                 sio_int(d->said_even++));
    else if (what < 16)
        say(&d->clients[EACH - 1], "42[\"say\",%d,%ld]", STEADY + d->number,
            d->asked++);
    else if (what < 22 && c->joined)
        say(c, "42[\"me\",%d]", c->number);
    else if (c->joined || draw(d, 40) == 0) /* rarely amid coming back */
        cut_off(d, c);
}

static bool has_begun(const struct client *c)
{
    return c->next[OWN + c->number] == 1;
}

static bool is_whole(const struct client *c)
{
    const bool even = c->number % 2 == 0;

    for (int i = 0; i < DRIVERS; i++)
        if (c->next[i] != drivers[i].said ||
            c->next[STEADY + i] != drivers[i].asked ||
            c->next[TO_EVEN + i] != (even ? drivers[i].said_even : 0))
            return false;
    return c->joined &&
           c->next[OWN + c->number] == atomic_load(&own[c->number]);
}

static void wait_for(struct driver *d, bool (*is_done)(const struct client *c))
{
    for (int i = 0; i < EACH; i++)
        while (!is_done(&d->clients[i]) && atomic_load(&wrong) == 0)
            look(d, PATIENCE_MS);
}

static void *drive(void *arg)
{
    struct driver *d = arg;

    for (int i = 0; i < EACH; i++) {
        struct client *c = &d->clients[i];

        knock(c, (size_t)c->number % LOOPS);
        while (!c->joined && atomic_load(&wrong) == 0)
            read_client(c);
        if (c->number % 2 == 0)
            say(c, "42[\"join\"]");
        say(c, "42[\"me\",%d]", c->number);
    }
    wait_for(d, has_begun);
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < OPS; i++) {
        do_something(d);
        look(d, 0);
    }
    pthread_barrier_wait(&barrier); /* all is said */
    wait_for(d, is_whole);
    return NULL;
}

/* ---------------------------------------------------------------- tests -- */

static void register_handlers(void)
{
    nsp = sio_of(s.world.server, "/");
    sio_on_connection(nsp, on_connection, NULL);
    sio_on_disconnect(nsp, on_disconnect, NULL);
    sio_on(nsp, "join", on_join, NULL);
    sio_on(nsp, "say", on_say, NULL);
    sio_on(nsp, "me", on_me, NULL);
}

static void run_storm(void)
{
    for (int i = 0; i < DRIVERS; i++) {
        struct driver *d = &drivers[i];

        d->number = i;
        d->random = 0x9e3779b97f4a7c15u * (uint64_t)(i + 1);
        for (int k = 0; k < EACH; k++)
            d->clients[k].number = i * EACH + k;
        pthread_create(&d->thread, NULL, drive, d);
    }
    for (int i = 0; i < DRIVERS; i++)
        pthread_join(drivers[i].thread, NULL);
}

/* All clients go; the last one that leaves says so. */
static void hang_up(void)
{
    struct timespec until;

    for (int i = 0; i < CLIENTS; i++)
        shutdown(drivers[i / EACH].clients[i % EACH].fd, SHUT_RDWR);
    atomic_store(&closing, true);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_MS / 1000;
    while (atomic_load(&disconnects) < atomic_load(&connects))
        if (sem_timedwait(&all_gone, &until) < 0 && errno != EINTR) {
            EXPECT(false, "waited in vain");
            break;
        }
    for (int i = 0; i < CLIENTS; i++)
        close(drivers[i / EACH].clients[i % EACH].fd);
}

int main(void)
{
    pthread_t threads[LOOPS];
    sio_options o;
    sio_stats stats;

    sio_options_init(&o);
    o.connection_state_recovery = true;
    o.handle_signals = false;
    shards_begin(&s, LOOPS, &o);
    register_handlers();
    pthread_barrier_init(&barrier, NULL, DRIVERS);
    sem_init(&all_gone, 0, 0);
    for (size_t i = 0; i < LOOPS; i++)
        pthread_create(&threads[i], NULL, run_loop, shards_loop(&s, i));

    T_CASE("a storm of clients that are cut off and come back on any of %d "
           "loops: each has every event once, in the order of its sender",
           LOOPS);
    run_storm();
    CHECK(atomic_load(&wrong) == 0, "%d things are wrong", atomic_load(&wrong));
    hang_up();
    for (size_t i = 0; i < LOOPS; i++)
        net_loop_stop(shards_loop(&s, i));
    for (size_t i = 0; i < LOOPS; i++)
        pthread_join(threads[i], NULL);
    stats = shards_stats(&s);
    CHECK(stats.recoveries > 300 && atomic_load(&moves) > 300,
          "%llu recoveries, %d moves: no storm",
          (unsigned long long)stats.recoveries, atomic_load(&moves));
    CHECK(stats.sockets == 0 && stats.rooms == 0, "%zu sockets, %zu rooms",
          stats.sockets, stats.rooms);
    CHECK(atomic_load(&wrong) == 0, "%d things are wrong", atomic_load(&wrong));
    printf("# %llu came back, %llu asked too early, %llu events sent\n",
           (unsigned long long)stats.recoveries,
           (unsigned long long)stats.recoveries_refused,
           (unsigned long long)stats.events_out);
    shards_end(&s);
    return t_done();
}
