/*
 * test_cluster_threads.c -- several loops in their own threads, other threads
 * that emit, ask, fetch and move, clients that come and go in dynamic
 * namespaces, and an adapter that asks back at every turn and forgets what it
 * has asked. Everybody is told once, and nothing is left. Nothing here waits
 * for time, only for events.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sio/sio.h>

#include "src/socketio/cluster.h"
#include "tests/flow/shards.h"

#include <arpa/inet.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define LOOPS 3
#define ASKERS 3
#define CLIENTS 6
#define ROUNDS 120

static struct shards s;
static sio_server *server;
static sio_namespace *nsp;
static sem_t replied;
static atomic_size_t asked, replies, wrong;

/* ------------------------------------------------------------ the adapter --
 */

/* A question of the server, or one of ours to it; of the main loop. */
struct talk {
    struct list node;
    const sio_cluster_answers *answers; /* NULL: it is ours */
    void *user;
    sio_cluster_type type;
    bool told;
};

static const sio_cluster_host *host;
static struct list talks;
static unsigned turn;

static void talk_free(struct talk *t)
{
    list_remove(&t->node);
    free(t);
}

static struct talk *talk_new(sio_cluster_type type)
{
    struct talk *t = calloc(1, sizeof *t);

    if (!t)
        abort();
    t->type = type;
    list_append(&talks, &t->node);
    return t;
}

static void on_client_count(void *user, size_t count)
{
    const struct talk *t = user;

    (void)count;
    atomic_fetch_add(&wrong, t->told || t->answers);
}

static void on_ack(void *user, const sio_value *value)
{
    (void)user, (void)value;
}

static void on_sockets(void *user, const sio_cluster_socket *sockets,
                       size_t count)
{
    (void)user, (void)sockets, (void)count;
}

static void on_complete(void *user, int status)
{
    struct talk *t = user;

    (void)status;
    atomic_fetch_add(&wrong, t->told);
    t->told = true;
    if (t->type == SIO_CLUSTER_BROADCAST)
        host->forget(host->self, t);
    talk_free(t);
}

static const sio_cluster_answers ours = {
    .on_client_count = on_client_count,
    .on_ack = on_ack,
    .on_sockets = on_sockets,
    .on_complete = on_complete,
};

/* What another server might want, with answers or without; every third one is
 * forgotten at once. */
static void ask_back(sio_str name)
{
    static const sio_cluster_type types[] = { SIO_CLUSTER_BROADCAST,
                                              SIO_CLUSTER_FETCH_SOCKETS,
                                              SIO_CLUSTER_SERVER_SIDE_EMIT };
    const sio_str room = STR("moved");
    sio_cluster_request q = { .type = types[turn++ % 3],
                              .nsp = name,
                              .event = STR("q"),
                              .timeout_ms = 1000,
                              .answers = &ours };
    struct talk *t = talk_new(q.type);

    q.user = t;
    if (host->execute(host->self, &q) < 0) {
        talk_free(t);
    } else if (turn % 4 == 0) {
        host->forget(host->self, t);
        talk_free(t);
    }
    q.answers = NULL;
    q.type = turn % 2 ? SIO_CLUSTER_SOCKETS_JOIN : SIO_CLUSTER_SOCKETS_LEAVE;
    q.rooms = &room;
    q.room_count = 1;
    host->execute(host->self, &q);
}

/* What the server has asked is answered in a later turn. */
static void answer(int fd, short what, void *arg)
{
    const sio_cluster_socket far = { .id = STR("a-socket-far-away-00"),
                                     .handshake = sio_raw_json("{}", 2),
                                     .data = sio_raw_json("{}", 2) };
    struct talk *found = NULL;

    (void)fd, (void)what;
    list_for_each_safe(it, next, &talks) if (it == arg) found =
        container_of(it, struct talk, node);
    if (!found || found->told || !found->answers)
        return;
    found->told = true;
    if (found->type == SIO_CLUSTER_FETCH_SOCKETS)
        found->answers->on_sockets(found->user, &far, 1);
    else if (found->type == SIO_CLUSTER_SERVER_SIDE_EMIT)
        found->answers->on_ack(found->user, NULL);
    else
        found->answers->on_client_count(found->user, 0);
    found->answers->on_complete(found->user, SIO_OK);
    if (found->type != SIO_CLUSTER_BROADCAST)
        talk_free(found);
}

static int adapter_send(void *self, const sio_cluster_request *request)
{
    const struct timeval now = { 0, 0 };
    struct talk *t;

    (void)self;
    if (request->answers) {
        t = talk_new(request->type);
        t->answers = request->answers;
        t->user = request->user;
        event_base_once(host->event_base, -1, EV_TIMEOUT, answer, &t->node,
                        &now);
    }
    ask_back(request->nsp);
    return SIO_OK;
}

static void adapter_forget(void *self, void *user)
{
    (void)self;
    list_for_each_safe(it, next, &talks)
    {
        struct talk *t = container_of(it, struct talk, node);

        if (t->answers && t->user == user)
            talk_free(t);
    }
}

static void *adapter_open(const sio_cluster_host *of, const void *config,
                          char *why, size_t why_size)
{
    (void)config, (void)why, (void)why_size;
    host = of;
    list_init(&talks);
    return &talks;
}

static void adapter_close(void *self)
{
    (void)self;
    list_for_each_safe(it, next, &talks)
    {
        struct talk *t = container_of(it, struct talk, node);

        if (t->answers && !t->told)
            t->answers->on_complete(t->user, SIO_E_STATE);
        else if (!t->answers)
            host->forget(host->self, t);
        talk_free(t);
    }
}

static int add_namespace(void *self, sio_str name)
{
    (void)self, (void)name;
    return SIO_OK;
}

static void remove_namespace(void *self, sio_str name)
{
    (void)self, (void)name;
}

static void room_changed(void *self, sio_str name, sio_str room, bool is_id,
                         bool exists)
{
    (void)self, (void)name, (void)room, (void)is_id, (void)exists;
}

static void get_stats(void *self, sio_cluster_stats *out)
{
    (void)self, (void)out;
}

static const sio_cluster_ops adapter = {
    .size = sizeof adapter,
    .name = "asks back",
    .open = adapter_open,
    .close = adapter_close,
    .add_namespace = add_namespace,
    .remove_namespace = remove_namespace,
    .room_changed = room_changed,
    .send = adapter_send,
    .forget = adapter_forget,
    .get_stats = get_stats,
};

/* ------------------------------------------------------------ the program --
 */

static void on_reply(int error, sio_event *event, void *user)
{
    (void)error, (void)event, (void)user;
    atomic_fetch_add(&replies, 1);
    sem_post(&replied);
}

static void on_fetched(int error, const sio_remote_socket *const *sockets,
                       size_t count, void *user)
{
    (void)error, (void)sockets, (void)count, (void)user;
    atomic_fetch_add(&replies, 1);
    sem_post(&replied);
}

static void count_asked(int result)
{
    if (result == SIO_OK)
        atomic_fetch_add(&asked, 1);
}

static void all_deeds(sio_namespace *where)
{
    sio_emit(where, "a", sio_int(1));
    count_asked(sio_emit_ack(sio_timeout(where, 20), on_reply, NULL, "q"));
    count_asked(sio_fetch_sockets(where, on_fetched, NULL));
    count_asked(sio_server_side_emit_ack(where, on_reply, NULL, "q"));
    sio_sockets_join(where, "one");
    sio_emit(sio_to(where, "one"), "b");
    sio_sockets_leave(where, "one");
}

static void on_connection(sio_socket *socket, void *user)
{
    (void)user;
    sio_join(socket, "lobby");
    all_deeds(sio_namespace_of(socket));
}

static void on_server_event(sio_namespace *where, sio_event *event, void *user)
{
    (void)where, (void)user;
    sio_ack(event, sio_int(1));
}

static void *ask_much(void *arg)
{
    for (int i = 0; i < ROUNDS; i++)
        all_deeds(nsp);
    return arg;
}

/* ------------------------------------------------------------ the clients --
 */

static void send_frame(int fd, const char *text)
{
    char frame[64] = { (char)0x81, (char)(0x80 | strlen(text)) };

    memcpy(frame + 6, text, strlen(text));
    (void)!send(fd, frame, 6 + strlen(text), MSG_NOSIGNAL);
}

static void *come_and_go(void *arg)
{
    static const char request[] =
        "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\n"
        "Upgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)sio_port(server)),
                              .sin_addr = { htonl(INADDR_LOOPBACK) } };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char text[4096];

    if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0 ||
        send(fd, request, sizeof request - 1, 0) < 0 ||
        recv(fd, text, sizeof text, 0) <= 0)
        atomic_fetch_add(&wrong, 1);
    send_frame(fd, "40");
    for (int i = 0; i < ROUNDS / 10; i++) {
        send_frame(fd, i % 2 ? "40/dyn-1," : "40/dyn-2,");
        if (recv(fd, text, sizeof text, 0) <= 0)
            atomic_fetch_add(&wrong, 1);
        send_frame(fd, i % 2 ? "41/dyn-1," : "41/dyn-2,");
        while (recv(fd, text, sizeof text, MSG_DONTWAIT) > 0)
            ;
    }
    close(fd);
    return arg;
}

static void *run_server(void *arg)
{
    if (sio_run(server) != SIO_OK)
        atomic_fetch_add(&wrong, 1);
    return arg;
}

static void open_server(void)
{
    sio_options o;
    sio_namespace *parent;

    sio_options_init(&o);
    o.handle_signals = false;
    o.cleanup_empty_child_namespaces = true;
    o.cluster = &adapter;
    shards_begin(&s, LOOPS, &o);
    server = s.world.server;
    nsp = sio_of(server, "/");
    parent = sio_of_regex(server, "^/dyn-[0-9]$");
    sio_on_connection(nsp, on_connection, NULL);
    sio_on_connection(parent, on_connection, NULL);
    sio_on_server_event(nsp, "q", on_server_event, NULL);
    CHECK(sio_listen(server, "127.0.0.1:0", NULL) == SIO_OK, "cannot listen");
}

int main(void)
{
    pthread_t loop, askers[ASKERS], clients[CLIENTS];

    T_CASE("a cluster, asked and asking from many threads");
    sem_init(&replied, 0, 0);
    open_server();
    pthread_create(&loop, NULL, run_server, NULL);
    for (size_t i = 0; i < CLIENTS; i++)
        pthread_create(&clients[i], NULL, come_and_go, NULL);
    for (size_t i = 0; i < ASKERS; i++)
        pthread_create(&askers[i], NULL, ask_much, NULL);
    for (size_t i = 0; i < ASKERS; i++)
        pthread_join(askers[i], NULL);
    for (size_t i = 0; i < CLIENTS; i++)
        pthread_join(clients[i], NULL);
    for (size_t i = 0; i < atomic_load(&asked); i++)
        while (sem_wait(&replied) < 0)
            ;
    sio_stop(server);
    pthread_join(loop, NULL);
    CHECK(atomic_load(&wrong) == 0, "%zu things", atomic_load(&wrong));
    CHECK(map_count(&server->hub.cluster->foreign) == 0, "questions of others");
    CHECK(list_empty(&server->hub.cluster->inquiries), "inquiries");
    shards_end(&s);
    CHECK(list_empty(&talks), "left");
    CHECK(atomic_load(&asked) == atomic_load(&replies), "%zu asked, %zu told",
          atomic_load(&asked), atomic_load(&replies));
    return t_done();
}
