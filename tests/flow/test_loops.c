/*
 * test_loops.c -- a storm: a server on four loops, each in its thread, and four
 * threads that drive clients of all of them: joins, leaves, broadcasts,
 * questions, fetches, disconnects and namespaces that come and go, all at once.
 * What each client has to have seen, and where it has to be, is kept in a
 * model.
 *
 *   driver --42["say",...]--> a client's loop --sio_emit(nsp)--> every client
 *   driver ----------------- sio_emit(nsp) --------------------> every client
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
#define DRIVERS 4
#define EACH 6 /* clients of a driver; the last one is a victim */
#define CLIENTS (DRIVERS * EACH)
#define STEADY (DRIVERS * (EACH - 1))
#define SENDERS (CLIENTS + DRIVERS) /* clients, then drivers themselves */
#define ROOMS 8
#define OPS 3000 /* of each driver */
#define PATIENCE_MS 60000

struct client {
    int number, fd;
    bool victim, joined, closed;
    bool child; /* it is in the dynamic namespace */
    char sid[24];
    unsigned rooms;     /* the model: where it is */
    unsigned checked;   /* rooms whose check has come */
    long next[SENDERS]; /* the message that has to come next */
    int waiting;        /* replies that it is owed */
    bool synced, ended;
    char in[1 << 16];
    size_t have;
};

struct driver {
    pthread_t thread;
    int number;
    uint64_t random;
    long said; /* by itself, with sio_emit() */
    struct client clients[EACH];
};

static struct shards s;
static sio_namespace *nsp;
static struct driver drivers[DRIVERS];
static long said[SENDERS]; /* by each, once all is sent */
static atomic_int connects, disconnects, finished, wrong;
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
    const char *room = "";

    sio_arg_string(event, 0, &room, NULL);
    if (user)
        sio_join(socket, room);
    else
        sio_leave(socket, room);
}

static void on_say(sio_socket *socket, sio_event *event, void *user)
{
    (void)socket, (void)user;
    sio_emit(nsp, "said", sio_arg(event, 0), sio_arg(event, 1));
}

static void on_sync(sio_socket *socket, sio_event *event, void *user)
{
    (void)socket, (void)user;
    sio_ack(event);
}

/* Of questions and fetches the asker's socket learns how many there were. */
static void on_reply(int error, sio_event *answers, void *user)
{
    sio_socket *socket = user;

    sio_emit(socket, "counted", sio_int(error),
             sio_int((int64_t)sio_arg_count(answers)));
    sio_release(socket);
}

static void on_fetched(int error, const sio_remote_socket *const *list,
                       size_t count, void *user)
{
    sio_socket *socket = user;

    (void)list;
    sio_emit(socket, "counted", sio_int(error), sio_int((int64_t)count));
    sio_release(socket);
}

static void on_ask(sio_socket *socket, sio_event *event, void *user)
{
    (void)event, (void)user;
    if (sio_emit_ack(sio_timeout(sio_to(nsp, "steady"), PATIENCE_MS), on_reply,
                     sio_retain(socket), "q") != SIO_OK)
        EXPECT(false, "not asked");
}

static void on_fetch(sio_socket *socket, sio_event *event, void *user)
{
    (void)event, (void)user;
    if (sio_fetch_sockets(sio_to(nsp, "steady"), on_fetched,
                          sio_retain(socket)) != SIO_OK)
        EXPECT(false, "not fetched");
}

static void on_kick(sio_socket *socket, sio_event *event, void *user)
{
    const char *room = "";

    (void)socket, (void)user;
    sio_arg_string(event, 0, &room, NULL);
    sio_disconnect_sockets(sio_to(nsp, room), true);
}

static void on_move(sio_socket *socket, sio_event *event, void *user)
{
    (void)socket, (void)event, (void)user;
    sio_sockets_join(sio_to(nsp, "steady"), "hall", "yard");
    sio_sockets_leave(nsp, "hall", "yard");
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

static void knock(struct client *c)
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
    c->joined = c->closed = false;
    send_raw(c, request, sizeof request - 1);
    say(c, "40");
    k->fd = fds[1];
    k->loop = (size_t)c->number % LOOPS;
    k->mail.run = on_knock;
    net_post(shards_loop(&s, k->loop), &k->mail);
}

/* ------------------------------------------------------- what comes back -- */

static bool starts(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static void on_connected(struct client *c, const char *text)
{
    memcpy(c->sid, text + 10, 20);
    c->joined = true;
    if (c->victim)
        say(c, "42[\"join\",\"victim-%d\"]", c->number);
    else
        say(c, "42[\"join\",\"steady\"]");
}

static void on_said(struct client *c, const char *text)
{
    char *end;
    long who = strtol(text, &end, 10), number = strtol(end + 1, NULL, 10);

    if (c->victim)
        return;
    EXPECT(who >= 0 && who < SENDERS && number == c->next[who],
           "client %d: of %ld came %ld", c->number, who, number);
    if (who >= 0 && who < SENDERS)
        c->next[who] = number + 1;
}

static void on_counted(struct client *c, const char *text)
{
    char *end;
    long error = strtol(text, &end, 10), count = strtol(end + 1, NULL, 10);

    EXPECT(error == SIO_OK && count == STEADY, "error %ld, %ld of %d", error,
           count, STEADY);
    c->waiting--;
}

static void on_text(struct client *c, const char *text)
{
    const char *question = strstr(text, "[\"q\"]");

    if (starts(text, "40{\"sid\":\""))
        on_connected(c, text);
    else if (starts(text, "42[\"said\","))
        on_said(c, text + 10);
    else if (starts(text, "42[\"counted\","))
        on_counted(c, text + 13);
    else if (starts(text, "42[\"check\","))
        c->checked |= 1u << strtol(text + 11, NULL, 10);
    else if (starts(text, "42[\"end\"]"))
        c->ended = true;
    else if (starts(text, "437[]"))
        c->synced = true;
    else if (question)
        say(c, "43%.*s[1]", (int)(question - text - 2), text + 2);
    else if (text[0] == '2' && !text[1])
        say(c, "3");
}

/* The frames of what was read; the rest moves to the front. */
static void take_frames(struct client *c)
{
    size_t at = 0;

    while (c->have - at >= 2) {
        const unsigned char *p = (unsigned char *)c->in + at;
        size_t n = p[1], head = 2;
        char text[4096];

        if (n == 126) {
            if (c->have - at < 4)
                break;
            n = p[2] * 256u + p[3];
            head = 4;
        }
        if (c->have - at < head + n)
            break;
        EXPECT(n < sizeof text, "a frame of %zu bytes", n);
        memcpy(text, p + head, n);
        text[n] = 0;
        at += head + n;
        if (p[0] == 0x81)
            on_text(c, text);
        else if (p[0] == 0x88)
            c->closed = true;
    }
    memmove(c->in, c->in + at, c->have - at);
    c->have -= at;
}

/* The answer to the upgrade ends with an empty line. */
static void take(struct client *c)
{
    if (c->have > 4 && starts(c->in, "HTTP")) {
        char *end = memmem(c->in, c->have, "\r\n\r\n", 4);
        size_t n = end ? (size_t)(end + 4 - c->in) : 0;

        memmove(c->in, c->in + n, c->have - n);
        c->have -= n;
        if (!end)
            return;
    }
    if (c->have && !starts(c->in, "HTTP"))
        take_frames(c);
}

/* False at the end of the stream, or once the server has said goodbye. */
static bool read_client(struct client *c)
{
    for (;;) {
        ssize_t n = recv(c->fd, c->in + c->have, sizeof c->in - c->have, 0);

        if (n < 0 && errno == EAGAIN)
            return true;
        if (n <= 0)
            return false;
        c->have += (size_t)n;
        take(c);
        if (c->closed)
            return false;
    }
}

/* Read what there is; victims that were sent away come back. */
static void look(struct driver *d, int wait_ms)
{
    struct pollfd fds[EACH];
    int n;

    for (int i = 0; i < EACH; i++)
        fds[i] = (struct pollfd){ d->clients[i].fd, POLLIN, 0 };
    n = poll(fds, EACH, wait_ms);
    EXPECT(n > 0 || wait_ms < PATIENCE_MS, "nothing has come for %d ms",
           wait_ms);
    for (int i = 0; i < EACH; i++) {
        struct client *c = &d->clients[i];

        if (!fds[i].revents || read_client(c))
            continue;
        EXPECT(c->victim, "client %d was closed", c->number);
        close(c->fd);
        knock(c);
    }
}

static void wait_for(struct driver *d, bool (*is_done)(const struct client *c))
{
    for (int i = 0; i < EACH; i++)
        while (!is_done(&d->clients[i]) && atomic_load(&wrong) == 0)
            look(d, PATIENCE_MS);
}

/* ------------------------------------------------------------ the storm -- */

static unsigned draw(struct driver *d, unsigned below)
{
    d->random ^= d->random << 13;
    d->random ^= d->random >> 7;
    d->random ^= d->random << 17;
    return (unsigned)(d->random >> 32) % below;
}

static void say_something(struct driver *d, struct client *c)
{
    if (draw(d, 2))
        say(c, "42[\"say\",%d,%ld]", c->number, said[c->number]++);
    else
        sio_emit(nsp, "said", sio_int(CLIENTS + d->number), sio_int(d->said++));
}

static void change_rooms(struct driver *d, struct client *c)
{
    unsigned room = draw(d, ROOMS);

    c->rooms ^= 1u << room;
    say(c, "42[\"%s\",\"room-%u\"]", c->rooms & 1u << room ? "join" : "leave",
        room);
}

/* In and out of namespaces that all drivers use. */
static void change_child(struct driver *d, struct client *c)
{
    if (c->child)
        say(c, "41/child-%d,", c->number % 3);
    else
        say(c, "40/child-%d,", c->number % 3);
    c->child = !c->child;
    if (draw(d, 3) == 0)
        sio_emit(sio_of(s.world.server, "/other"), "nobody hears");
}

static void kick(struct driver *d, struct client *c)
{
    int victim = (int)draw(d, DRIVERS) * EACH + EACH - 1;
    char room[24];

    snprintf(room, sizeof room, "victim-%d", victim);
    if (draw(d, 2))
        say(c, "42[\"kick\",\"%s\"]", room);
    else
        sio_disconnect_sockets(sio_to(nsp, room), true);
}

static void do_something(struct driver *d)
{
    struct client *c = &d->clients[draw(d, EACH - 1)];
    unsigned what = draw(d, 20);

    if (what < 7) {
        say_something(d, c);
    } else if (what < 13) {
        change_rooms(d, c);
    } else if (what < 15) {
        say(c, "42[\"%s\"]", what == 13 ? "ask" : "fetch");
        c->waiting++;
    } else if (what < 17) {
        change_child(d, c);
    } else if (what == 17) {
        kick(d, c);
    } else if (what == 18) {
        say(c, "42[\"move\"]");
    } else {
        sio_sockets_join(sio_to(nsp, "nobody"), "nowhere");
    }
}

static bool has_joined(const struct client *c)
{
    return c->joined;
}

static bool owes_nothing(const struct client *c)
{
    return c->waiting == 0;
}

static bool is_synced(const struct client *c)
{
    return c->synced || c->victim;
}

static bool has_ended(const struct client *c)
{
    return c->ended || c->victim;
}

static void sync_clients(struct driver *d)
{
    for (int i = 0; i < EACH - 1; i++) {
        d->clients[i].synced = false;
        say(&d->clients[i], "427[\"sync\"]");
    }
    wait_for(d, is_synced);
}

static void check_client(const struct client *c)
{
    EXPECT(c->checked == c->rooms, "client %d is in %x, not %x", c->number,
           c->checked, c->rooms);
    for (int i = 0; i < SENDERS; i++)
        EXPECT(c->next[i] == said[i], "client %d has %ld of %ld of %d",
               c->number, c->next[i], said[i], i);
}

static void *drive(void *arg)
{
    struct driver *d = arg;

    for (int i = 0; i < EACH; i++)
        knock(&d->clients[i]);
    wait_for(d, has_joined);
    sync_clients(d);
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < OPS; i++) {
        do_something(d);
        look(d, 0);
    }
    wait_for(d, owes_nothing);
    atomic_fetch_add(&finished, 1);
    while (atomic_load(&finished) < DRIVERS) /* others still want answers */
        look(d, 10);
    sync_clients(d);
    said[CLIENTS + d->number] = d->said;
    pthread_barrier_wait(&barrier);
    if (d->number == 0) {
        for (int i = 0; i < ROOMS; i++) {
            char room[24];

            snprintf(room, sizeof room, "room-%d", i);
            sio_emit(sio_to(nsp, room), "check", sio_int(i));
        }
        sio_emit(nsp, "end");
    }
    wait_for(d, has_ended);
    for (int i = 0; i < EACH - 1; i++)
        check_client(&d->clients[i]);
    pthread_barrier_wait(&barrier);
    return NULL;
}

/* ---------------------------------------------------------------- tests -- */

static sem_t looked;

static void add_room(void *user, sio_str room)
{
    unsigned *rooms = user;

    if (room.n == 6 && memcmp(room.p, "room-", 5) == 0)
        *rooms |= 1u << (room.p[5] - '0');
}

static const struct client *client_of(const char *sid)
{
    for (int i = 0; i < CLIENTS; i++) {
        const struct client *c = &drivers[i / EACH].clients[i % EACH];

        if (strcmp(c->sid, sid) == 0)
            return c;
    }
    return NULL;
}

static void compare(int error, const sio_remote_socket *const *list,
                    size_t count, void *user)
{
    (void)user;
    EXPECT(error == SIO_OK && count == STEADY, "error %d, %zu of %d", error,
           count, STEADY);
    for (size_t i = 0; i < count; i++) {
        const struct client *c = client_of(sio_remote_id(list[i]));
        unsigned rooms = 0;

        sio_remote_each_room(list[i], add_room, &rooms);
        EXPECT(c && rooms == c->rooms, "%s is in %x, not %x",
               sio_remote_id(list[i]), rooms, c ? c->rooms : 0);
    }
    sem_post(&looked);
}

static void register_handlers(void)
{
    nsp = sio_of(s.world.server, "/");
    sio_on_connection(nsp, on_connection, NULL);
    sio_on_disconnect(nsp, on_disconnect, NULL);
    sio_on(nsp, "join", on_join, nsp);
    sio_on(nsp, "leave", on_join, NULL);
    sio_on(nsp, "say", on_say, NULL);
    sio_on(nsp, "sync", on_sync, NULL);
    sio_on(nsp, "ask", on_ask, NULL);
    sio_on(nsp, "fetch", on_fetch, NULL);
    sio_on(nsp, "kick", on_kick, NULL);
    sio_on(nsp, "move", on_move, NULL);
    sio_of_regex(s.world.server, "^/child-");
    sio_of(s.world.server, "/other");
}

static void wait_sem(sem_t *sem)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_MS / 1000;
    while (sem_timedwait(sem, &until) < 0)
        if (errno != EINTR) {
            EXPECT(false, "waited in vain");
            return;
        }
}

static void run_storm(void)
{
    for (int i = 0; i < DRIVERS; i++) {
        struct driver *d = &drivers[i];

        d->number = i;
        d->random = 0x9e3779b97f4a7c15u * (uint64_t)(i + 1);
        for (int k = 0; k < EACH; k++) {
            d->clients[k].number = i * EACH + k;
            d->clients[k].victim = k == EACH - 1;
        }
        pthread_create(&d->thread, NULL, drive, d);
    }
    for (int i = 0; i < DRIVERS; i++)
        pthread_join(drivers[i].thread, NULL);
}

/* All clients go; the last one that leaves says so. */
static void hang_up(void)
{
    for (int i = 0; i < CLIENTS; i++) {
        struct client *c = &drivers[i / EACH].clients[i % EACH];

        shutdown(c->fd, SHUT_RDWR);
    }
    atomic_store(&closing, true);
    if (atomic_load(&disconnects) < atomic_load(&connects))
        wait_sem(&all_gone);
    for (int i = 0; i < CLIENTS; i++)
        close(drivers[i / EACH].clients[i % EACH].fd);
}

int main(void)
{
    pthread_t threads[LOOPS];
    sio_options o;
    sio_stats stats;

    sio_options_init(&o);
    o.cleanup_empty_child_namespaces = true;
    o.handle_signals = false;
    shards_begin(&s, LOOPS, &o);
    register_handlers();
    pthread_barrier_init(&barrier, NULL, DRIVERS);
    sem_init(&all_gone, 0, 0);
    sem_init(&looked, 0, 0);
    for (size_t i = 0; i < LOOPS; i++)
        pthread_create(&threads[i], NULL, run_loop, shards_loop(&s, i));

    T_CASE("a storm on %d loops: every client has every message once, in the "
           "order of its sender, and is in its rooms",
           LOOPS);
    run_storm();
    CHECK(atomic_load(&wrong) == 0, "%d things are wrong", atomic_load(&wrong));

    T_CASE("a fetch afterwards finds everybody where the model has them");
    sio_fetch_sockets(sio_to(nsp, "steady"), compare, NULL);
    wait_sem(&looked);
    CHECK(atomic_load(&wrong) == 0, "%d things are wrong", atomic_load(&wrong));

    T_CASE("everybody leaves: nothing is left on any loop");
    hang_up();
    for (size_t i = 0; i < LOOPS; i++)
        net_loop_stop(shards_loop(&s, i));
    for (size_t i = 0; i < LOOPS; i++)
        pthread_join(threads[i], NULL);
    stats = shards_stats(&s);
    CHECK(atomic_load(&connects) > CLIENTS + 4 && stats.events_out > 20000,
          "%d connects, %d events: no storm", atomic_load(&connects),
          (int)stats.events_out);
    CHECK(stats.sockets == 0 && stats.rooms == 0 && stats.pending_acks == 0,
          "%zu sockets, %zu rooms, %zu acks", stats.sockets, stats.rooms,
          stats.pending_acks);
    CHECK(stats.dynamic_namespaces == 0, "%zu children",
          stats.dynamic_namespaces);
    CHECK(atomic_load(&wrong) == 0, "%d things are wrong", atomic_load(&wrong));
    shards_end(&s);
    return t_done();
}
