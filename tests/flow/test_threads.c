/*
 * test_threads.c -- what the public headers allow to any thread, done by other
 * threads while the loop runs in its own; a client on the main thread looks at
 * what arrives. Nothing here waits for time, only for events.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sio/sio.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "tests/unit/test.h"

#define EMITTERS 4
#define EMITS 250 /* of each */

/* One thing that the loop hands to another thread. */
struct box {
    sem_t full;
    void *thing;
};

static sio_server *server;
static sio_namespace *nsp, *parent;
static struct box new_socket, new_ack, new_next, reply, new_child;
static atomic_int disconnects;

static void put(struct box *b, void *thing)
{
    b->thing = thing;
    sem_post(&b->full);
}

static void *take(struct box *b)
{
    while (sem_wait(&b->full) < 0)
        ;
    return b->thing;
}

/* ---------------------------------------------------------- on the loop -- */

static void on_connection(sio_socket *socket, void *user)
{
    (void)user;
    sio_join(socket, "room");
    put(&new_socket, sio_retain(socket));
}

static void on_disconnect(sio_socket *socket, const char *reason, void *user)
{
    (void)socket;
    (void)reason;
    (void)user;
    atomic_fetch_add(&disconnects, 1);
}

static void on_later(sio_socket *socket, sio_event *event, void *user)
{
    (void)socket;
    (void)user;
    put(&new_ack, sio_ack_later(event));
}

static void on_move(sio_socket *socket, sio_event *event, void *user)
{
    (void)event;
    (void)user;
    sio_join(socket, "here");
    sio_leave(socket, "here");
}

static void on_echo(sio_socket *socket, sio_event *event, void *user)
{
    (void)user;
    sio_emit(socket, "echo", sio_arg(event, 0));
}

static void decide_later(sio_socket *socket, sio_next *next, void *user)
{
    (void)socket;
    (void)user;
    put(&new_next, next);
}

static void on_child(sio_socket *socket, void *user)
{
    (void)user;
    put(&new_child, sio_namespace_retain(sio_namespace_of(socket)));
}

static void *run_server(void *result)
{
    *(int *)result = sio_run(server);
    return NULL;
}

/* ----------------------------------------------------- the other threads -- */

struct emitter {
    pthread_t thread;
    int number;
    sio_socket *socket;
    int failed;
};

/* Every way to one socket: they must not overtake each other. */
static void *emit_all(void *arg)
{
    struct emitter *m = arg;

    for (int i = 0; i < EMITS; i++) {
        sio_value me = sio_int(m->number), number = sio_int(i);
        int r;

        if (i % 4 == 0)
            r = sio_emit(nsp, "e", me, number);
        else if (i % 4 == 1)
            r = sio_emit(sio_to(nsp, "room"), "e", me, number);
        else if (i % 4 == 2)
            r = sio_emit(m->socket, "e", me, number);
        else
            r = sio_emit(sio_except(sio_to(nsp, sio_id(m->socket)), "nobody"),
                         "e", me, number, sio_binary("\1\2", 2));
        m->failed += r != SIO_OK;
    }
    return NULL;
}

static void *answer(void *arg)
{
    sio_pending_ack *ack = take(&new_ack);

    (void)arg;
    return sio_answer(ack, sio_string("from afar")) == SIO_OK ? &new_ack : NULL;
}

static void *let_in(void *arg)
{
    (void)arg;
    sio_next_ok(take(&new_next));
    return NULL;
}

static void *turn_away(void *arg)
{
    sio_value data = sio_int(7);

    (void)arg;
    sio_next_error(take(&new_next), "no", &data);
    return NULL;
}

static void *disconnect_one(void *socket)
{
    sio_disconnect(socket, false);
    return NULL;
}

static void *disconnect_room(void *arg)
{
    (void)arg;
    return sio_disconnect_sockets(sio_to(nsp, "room"), false) == SIO_OK ? nsp
                                                                        : NULL;
}

static void *disconnect_nobody(void *arg)
{
    (void)arg;
    for (int i = 0; i < EMITS; i++)
        if (sio_disconnect_sockets(sio_to(nsp, "nobody"), true) != SIO_OK)
            return NULL;
    return nsp;
}

static void *stop(void *arg)
{
    (void)arg;
    sio_stop(server);
    return NULL;
}

/* Run fn on a thread of its own; what it returned. */
static void *elsewhere(void *(*fn)(void *arg), void *arg)
{
    pthread_t thread;
    void *result;

    if (pthread_create(&thread, NULL, fn, arg) != 0)
        return NULL;
    pthread_join(thread, &result);
    return result;
}

/* ----------------------------------------------------------- the client -- */

static bool read_all(int fd, void *out, size_t n)
{
    for (char *at = out; n;) {
        ssize_t k = recv(fd, at, n, 0);

        if (k <= 0)
            return false;
        at += k;
        n -= (size_t)k;
    }
    return true;
}

/* The text of the next frame: "" for an empty or binary one, NULL at the end.
 */
static const char *next_text(int fd)
{
    static char text[70000];
    unsigned char head[2], more[2];
    size_t n;

    if (!read_all(fd, head, 2))
        return NULL;
    n = head[1];
    if (n == 126) {
        if (!read_all(fd, more, 2))
            return NULL;
        n = more[0] * 256u + more[1];
    }
    if (!read_all(fd, text, n))
        return NULL;
    text[head[0] == 0x81 ? n : 0] = 0;
    return text;
}

static void send_text(int fd, const char *text)
{
    char frame[200] = "\x81";
    size_t n = strlen(text);

    frame[1] = (char)(0x80 | n); /* the mask is 0 */
    memcpy(frame + 6, text, n);
    CHECK(send(fd, frame, n + 6, MSG_NOSIGNAL) == (ssize_t)n + 6, "not sent");
}

static bool starts(const char *text, const char *with)
{
    return text && strncmp(text, with, strlen(with)) == 0;
}

/* Connected, the OPEN packet read. */
static int connect_client(void)
{
    static const char request[] =
        "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\n"
        "Upgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)sio_port(server)),
                              .sin_addr = { htonl(INADDR_LOOPBACK) } };
    struct timeval patience = { 20, 0 };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char c, end[5] = "";

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0 ||
        send(fd, request, sizeof request - 1, 0) < 0)
        return -1;
    while (strcmp(end, "\r\n\r\n") != 0) {
        if (recv(fd, &c, 1, 0) != 1)
            return -1;
        memmove(end, end + 1, 3);
        end[3] = c;
    }
    return starts(next_text(fd), "0{") ? fd : -1;
}

static sio_socket *join(int fd)
{
    send_text(fd, "40");
    CHECK(starts(next_text(fd), "40{\"sid\":\""), "not connected");
    return take(&new_socket);
}

/* ---------------------------------------------------------------- tests -- */

static void start_server(pthread_t *loop, int *result)
{
    sio_options o;

    sio_options_init(&o);
    o.handle_signals = false;
    o.cleanup_empty_child_namespaces = true;
    server = sio_server_new(&o);
    nsp = sio_of(server, "/");
    sio_on_connection(nsp, on_connection, NULL);
    sio_on_disconnect(nsp, on_disconnect, NULL);
    sio_on(nsp, "later", on_later, NULL);
    sio_on(nsp, "echo", on_echo, NULL);
    sio_on(nsp, "move", on_move, NULL);
    sio_use(sio_of(server, "/admin"), decide_later, NULL);
    parent = sio_of_regex(server, "^/child-[0-9]+$");
    sio_on_connection(parent, on_child, NULL);
    CHECK(sio_listen(server, "127.0.0.1:0", NULL) == SIO_OK, "cannot listen");
    CHECK(pthread_create(loop, NULL, run_server, result) == 0, "no thread");
    /* Nobody knows yet whether the loop runs, or that there is no one to hear.
     */
    for (int i = 0; i < EMITS; i++)
        CHECK(sio_emit(nsp, "early", sio_int(i)) == SIO_OK, "emit failed");
}

/* The events of one emitter come in its order, each of them once. */
static void check_order(int fd)
{
    long next[EMITTERS] = { 0 };

    for (int i = 0; i < EMITTERS * EMITS; i++) {
        const char *text = next_text(fd), *at;
        long who, number;

        while (text && !*text) /* an attachment */
            text = next_text(fd);
        at = text ? strstr(text, "[\"e\",") : NULL;
        CHECK(at, "event %d is %s", i, text ? text : "missing");
        if (!at)
            return;
        who = strtol(at + 5, NULL, 10);
        number = strtol(strchr(at + 5, ',') + 1, NULL, 10);
        CHECK(who >= 0 && who < EMITTERS && number == next[who],
              "of thread %ld came %ld", who, number);
        if (who >= 0 && who < EMITTERS)
            next[who] = number + 1;
    }
}

static void test_emits(int fd, sio_socket *socket)
{
    struct emitter emitters[EMITTERS];

    T_CASE("%d threads emit to namespace, rooms and socket: order of each",
           EMITTERS);
    for (int i = 0; i < EMITTERS; i++) {
        emitters[i] = (struct emitter){ .number = i, .socket = socket };
        CHECK(pthread_create(&emitters[i].thread, NULL, emit_all,
                             &emitters[i]) == 0,
              "no thread");
    }
    check_order(fd);
    for (int i = 0; i < EMITTERS; i++) {
        pthread_join(emitters[i].thread, NULL);
        CHECK(emitters[i].failed == 0, "%d failed", emitters[i].failed);
    }
    /* The last frames are attachments: the echo comes behind them. */
    send_text(fd, "42[\"echo\",1]");
    for (const char *text = ""; text && !starts(text, "42[\"echo\"");)
        text = next_text(fd);
}

static void test_answers(int fd)
{
    const char *text;

    T_CASE("sio_ack_later() answered by another thread");
    send_text(fd, "425[\"later\"]");
    CHECK(elsewhere(answer, NULL), "not answered");
    text = next_text(fd);
    CHECK(starts(text, "435[\"from afar\"]"), "got %s", text ? text : "EOF");

    T_CASE("sio_next_error(), sio_next_ok() by another thread");
    send_text(fd, "40/admin,");
    elsewhere(turn_away, NULL);
    text = next_text(fd);
    CHECK(starts(text, "44/admin,{\"message\":\"no\",\"data\":7}"), "got %s",
          text ? text : "EOF");
    send_text(fd, "40/admin,");
    elsewhere(let_in, NULL);
    text = next_text(fd);
    CHECK(starts(text, "40/admin,{\"sid\":"), "got %s", text ? text : "EOF");
}

static void test_disconnects(int fd, sio_socket *socket)
{
    const char *text;
    sio_socket *again;
    pthread_t thread;
    void *result;

    T_CASE("sio_disconnect() by another thread; then the socket may be used");
    elsewhere(disconnect_one, socket);
    text = next_text(fd);
    CHECK(starts(text, "41") && !text[2], "got %s", text ? text : "EOF");
    CHECK(sio_emit(socket, "too late") == SIO_OK, "emit failed");
    sio_disconnect(socket, true);

    T_CASE("sio_disconnect_sockets() by another thread, rooms changing");
    again = join(fd);
    CHECK(pthread_create(&thread, NULL, disconnect_nobody, NULL) == 0,
          "no thread");
    for (int i = 0; i < EMITS; i++)
        send_text(fd, "42[\"move\"]");
    pthread_join(thread, &result);
    CHECK(result, "failed");
    CHECK(elsewhere(disconnect_room, NULL), "failed");
    text = next_text(fd);
    CHECK(starts(text, "41") && !text[2], "got %s", text ? text : "EOF");
    sio_release(again);
}

/* ------------------------------------- many sockets, dynamic children -- */

static atomic_int fetched;

static void on_fetched(int error, const sio_remote_socket *const *sockets,
                       size_t count, void *user)
{
    (void)sockets;
    (void)user;
    if (error == SIO_OK && count == 2)
        atomic_fetch_add(&fetched, 1);
}

static void *move_room(void *arg)
{
    for (int i = 0; i < EMITS; i++)
        if (sio_sockets_join(sio_to(nsp, "room"), "x", "y") != SIO_OK ||
            sio_fetch_sockets(sio_to(nsp, "room"), on_fetched, NULL) !=
                SIO_OK ||
            sio_sockets_leave(nsp, "x", "y") != SIO_OK)
            return NULL;
    return arg;
}

/* To a child that may be on its way out, and to whatever children there are. */
static void *emit_to_children(void *arg)
{
    for (int i = 0; i < EMITS / 5; i++) {
        sio_namespace *child = take(&new_child);

        sio_emit(child, "to child", sio_int(i));
        sio_emit(parent, "to all", sio_binary("abc", 3));
        sio_sockets_join(parent, "somewhere");
        sio_namespace_release(child);
    }
    return arg;
}

static void test_many(int fd)
{
    pthread_t threads[2];
    void *result;

    T_CASE("sockets fetched and moved by other threads");
    for (int i = 0; i < 2; i++)
        CHECK(pthread_create(&threads[i], NULL, move_room, nsp) == 0, "none");
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], &result);
        CHECK(result, "failed");
    }
    send_text(fd, "42[\"echo\",1]"); /* behind all that was posted */
    CHECK(starts(next_text(fd), "42[\"echo\",1]"), "no echo");
    CHECK(atomic_load(&fetched) == 2 * EMITS, "fetched %d times",
          atomic_load(&fetched));
}

static void test_children(int fd)
{
    pthread_t thread;

    T_CASE("children come and go while another thread uses them");
    CHECK(pthread_create(&thread, NULL, emit_to_children, NULL) == 0, "none");
    for (int i = 0; i < EMITS / 5; i++) {
        const char *text;

        send_text(fd, "40/child-1,");
        do
            text = next_text(fd);
        while (text && !starts(text, "40/child-1,"));
        send_text(fd, "41/child-1,");
    }
    pthread_join(thread, NULL);
    send_text(fd, "42[\"echo\",2]");
    {
        const char *text;

        do
            text = next_text(fd);
        while (text && !starts(text, "42[\"echo\",2]"));
        CHECK(text, "the end");
    }
}

/* Another thread may come too late: it must only not matter. */
static void test_late_mail(void)
{
    T_CASE("emits and disconnects that find the loop ended");
    CHECK(sio_emit(nsp, "late", sio_int(1)) == SIO_OK, "emit failed");
    CHECK(sio_emit(sio_to(nsp, "room"), "late") == SIO_OK, "emit failed");
    CHECK(sio_disconnect_sockets(nsp, true) == SIO_OK, "failed");
    CHECK(sio_sockets_join(nsp, "late") == SIO_OK, "failed");
    CHECK(sio_emit(parent, "late", sio_int(1)) == SIO_OK, "emit failed");
    CHECK(sio_fetch_sockets(nsp, on_fetched, NULL) == SIO_OK, "failed");
}

int main(void)
{
    struct box *boxes[] = { &new_socket, &new_ack, &new_next, &reply,
                            &new_child };
    sio_socket *socket, *other_socket;
    int fd, other, result = -1;
    pthread_t loop;

    for (size_t i = 0; i < COUNT(boxes); i++)
        sem_init(&boxes[i]->full, 0, 0);
    T_CASE("clients join a server that runs on its own thread");
    start_server(&loop, &result);
    fd = connect_client();
    CHECK(fd >= 0, "no client");
    socket = join(fd);
    other = connect_client();
    other_socket = join(other);
    test_many(fd);
    test_children(fd);
    test_emits(fd, socket);
    test_answers(fd);
    test_disconnects(fd, socket);

    T_CASE("sio_stop() by another thread");
    elsewhere(stop, NULL);
    close(fd);
    close(other);
    pthread_join(loop, NULL);
    CHECK(result == SIO_OK, "sio_run() returned %d", result);
    CHECK(atomic_load(&disconnects) == 3, "%d disconnects",
          atomic_load(&disconnects));
    test_late_mail();
    sio_server_free(server);
    sio_release(socket);
    sio_release(other_socket);
    return t_done();
}
