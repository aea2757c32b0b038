/*
 * test_oom.c -- a long life of a server, again and again, each time with
 * another allocation failing: it may cost a client its connection, never the
 * server its balance.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sio/sio.h>

#include <stdlib.h>

#include "tests/flow/world.h"
#include "tests/unit/oom.h"

static struct world w;
static sio_next *undecided;
static sio_pending_ack *unanswered;
static size_t replies, connects, disconnects;

static void on_connection(sio_socket *socket, void *user)
{
    (void)user;
    connects++;
    sio_join(socket, "all");
    sio_emit(socket, "hello", sio_string(sio_address(socket)));
}

static void on_disconnect(sio_socket *socket, const char *reason, void *user)
{
    (void)user;
    disconnects++;
    sio_emit(sio_to(socket, "all"), "gone", sio_string(reason));
}

static void on_echo(sio_socket *socket, sio_event *event, void *user)
{
    const struct cJSON *tree;
    const char *text;

    (void)user;
    sio_arg_string(event, 0, &text, NULL);
    sio_arg_json(event, 0, &tree);
    sio_emit(socket, "echo", sio_arg(event, 0));
    if (sio_wants_ack(event))
        sio_ack(event, sio_arg(event, 0), sio_int(1));
}

static void on_reply(int error, sio_event *answers, void *user)
{
    (void)user;
    (void)error;
    sio_arg_count(answers);
    replies++;
}

static void on_do(sio_socket *socket, sio_event *event, void *user)
{
    sio_namespace *nsp = sio_namespace_of(socket);
    const char *what = "";

    (void)user;
    sio_arg_string(event, 0, &what, NULL);
    if (strcmp(what, "rooms") == 0) {
        sio_join(socket, "a");
        sio_join(socket, "b");
        sio_leave(socket, "a");
        sio_emit(sio_to(nsp, "b"), "room", sio_binary("\1\2\3", 3));
        sio_leave_all(socket);
    } else if (strcmp(what, "all") == 0) {
        sio_emit(nsp, "all", sio_raw_json("{\"a\":[1,2]}", 11));
        sio_emit(sio_volatile(sio_broadcast(socket)), "others");
    } else if (strcmp(what, "ask") == 0) {
        sio_emit_ack(sio_timeout(socket, 1000), on_reply, NULL, "q");
        sio_emit_ack(sio_timeout(nsp, 1000), on_reply, NULL, "q");
    } else if (strcmp(what, "later") == 0) {
        sio_answer_drop(unanswered);
        unanswered = sio_ack_later(event);
    } else if (strcmp(what, "kick") == 0) {
        sio_disconnect_sockets(sio_to(nsp, "all"), true);
    }
}

static void decide_later(sio_socket *socket, sio_next *next, void *user)
{
    char token[8];

    (void)user;
    sio_join(socket, "waiting room");
    sio_auth_string(socket, "token", token, sizeof token);
    undecided = next;
}

/* What fails once for want of memory works the next time. */
#define RETRY(call)                \
    do {                           \
        if ((call) == SIO_E_NOMEM) \
            (void)(call);          \
    } while (0)

static bool open_server(void)
{
    sio_namespace *nsp, *admin;

    if (!world_open(&w, NULL))
        return false;
    nsp = sio_of(w.server, "/");
    if (!nsp)
        nsp = sio_of(w.server, "/");
    admin = sio_of(w.server, "/admin");
    if (!admin)
        admin = sio_of(w.server, "/admin");
    RETRY(sio_on_connection(nsp, on_connection, NULL));
    RETRY(sio_on_disconnect(nsp, on_disconnect, NULL));
    RETRY(sio_on(nsp, "echo", on_echo, NULL));
    RETRY(sio_on(nsp, "do", on_do, NULL));
    RETRY(sio_use(admin, decide_later, NULL));
    return true;
}

/* ------------------------------------------------------------ the story -- */

static void polling(char query[160])
{
    char sid[24] = "x";
    int poll;

    world_session(&w, sid);
    snprintf(query, 160, "EIO=4&transport=polling&sid=%s", sid);
    world_post(&w, query, "40");
    world_get(&w, query);
    poll = world_poll(&w, sid);
    world_post(&w, query,
               "42[\"echo\",\"h\xc3\xa9llo\"]\x1e"
               "420[\"echo\",1]");
    world_read(&w, poll);
    world_hang_up(&w, poll);
    world_post(&w, query,
               "451-[\"echo\",{\"_placeholder\":true,\"num\":0}]\x1e"
               "bAQID");
    world_post(&w, query, "42[\"do\",\"\xff\"]");
    world_post(&w, query, "42[\"do\",\"all\"]");
}

static int upgrade(const char *query)
{
    char target[200];
    int fd;

    snprintf(target, sizeof target, "%s&transport=websocket", query);
    fd = world_websocket(&w, target);
    world_send_text(&w, fd, "2probe");
    world_frames(&w, fd);
    world_send_text(&w, fd, "5");
    world_send_text(&w, fd, "42[\"echo\",2]");
    world_frames(&w, fd);
    return fd;
}

/* A binary packet that comes in three reads, its attachment in two frames. */
static void send_in_pieces(int fd)
{
    world_send_text(&w, fd,
                    "452-7[\"echo\",[{\"_placeholder\":true,\"num\":0},"
                    "{\"_placeholder\":true,\"num\":1}]]");
    world_frame(&w, fd, 0x02, "abc", 3);
    world_frame(&w, fd, 0x80, "def", 3);
    world_send_binary(&w, fd, "ghi", 3);
}

static void story(void)
{
    char query[160];
    int a, b, c;

    polling(query);
    a = upgrade(query);
    b = world_client(&w);
    c = world_client(&w);
    send_in_pieces(b);
    world_send_text(&w, b, "42[\"do\",\"rooms\"]");
    world_send_text(&w, b, "42[\"do\",\"all\"]");
    world_send_text(&w, b, "42[\"do\",\"ask\"]");
    for (int i = 0; i < 2; i++) {
        char ack[32];

        snprintf(ack, sizeof ack, "43%d[{\"a\":1}]", i);
        world_send_text(&w, a, ack);
        world_send_text(&w, b, ack);
    }
    world_send_text(&w, c, "461-1[{\"_placeholder\":true,\"num\":0}]");
    world_send_binary(&w, c, "x", 1);
    world_advance(&w, 1001);
    world_send_text(&w, b, "428[\"do\",\"later\"]");
    if (unanswered && sio_answer(unanswered, sio_string("now")) == SIO_OK)
        unanswered = NULL;
    world_send_text(&w, b, "40/admin,{\"token\":\"x\"}");
    if (undecided)
        sio_next_ok(undecided);
    undecided = NULL;
    world_send_text(&w, c, "40/admin,{\"token\":\"x\"}");
    if (undecided) {
        sio_value why = sio_string("because");

        sio_next_error(undecided, "no", &why);
    }
    undecided = NULL;
    world_send_text(&w, c, "42/admin,[\"unheard\"]");
    world_send_text(&w, b,
                    "451-/admin,[\"half\",{\"_placeholder\":true,"
                    "\"num\":0}]");
    world_advance(&w, 25000);
    world_send_text(&w, a, "3");
    world_send_text(&w, a, "42[\"do\",\"kick\"]");
    world_hang_up(&w, a);
    world_hang_up(&w, b);
    world_hang_up(&w, c);
}

static bool still_serves(void)
{
    int fd = world_client(&w);
    bool ok;

    world_send_text(&w, fd, "42[\"echo\",[1]]");
    ok = world_match(world_frames(&w, fd), "T:42[\"echo\",[1]]|");
    world_hang_up(&w, fd);
    return ok;
}

/* One run with the n-th allocation failing; false when it came not to that. */
static bool run(long n)
{
    bool failed;

    replies = connects = disconnects = 0;
    oom_arm(n);
    if (!open_server()) {
        CHECK(oom_disarm(), "no server without need");
        return true;
    }
    story();
    failed = oom_disarm();
    sio_answer_drop(unanswered);
    unanswered = NULL;
    world_advance(&w, 80000); /* who was left without an answer goes, too */
    CHECK(connects == disconnects, "n = %ld: %zu came, %zu went", n, connects,
          disconnects);
    world_check_empty(&w);
    CHECK(still_serves(), "n = %ld: a new client is not served", n);
    world_check_empty(&w);
    world_close(&w);
    return failed;
}

int main(void)
{
    long n = 0;

    T_CASE("the story without any failure");
    run(-1);
    CHECK(connects == 3 + 1 && replies == 2, "%zu connects, %zu replies",
          connects, replies);
    T_CASE("every allocation of it fails once");
    while (run(n))
        n++;
    CHECK(n > 100, "only %ld allocations", n);
    printf("# %ld allocations\n", n);
    return t_done();
}
