/*
 * test_reentrance.c -- calls that come at the worst moment: handlers that end
 * what they run in, requests of one client that end each other.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sio/sio.h>

#include <sys/socket.h>

#include "tests/flow/echo.h"

static char seen[4096];

__attribute__((format(printf, 1, 2))) static void note(const char *fmt, ...)
{
    size_t have = strlen(seen);
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(seen + have, sizeof seen - have, fmt, ap);
    va_end(ap);
}

static void on_echo(sio_socket *socket, sio_event *event, void *user)
{
    (void)user;
    note("echo;");
    sio_emit(socket, "echo", sio_arg(event, 0));
}

static void kick(sio_socket *socket, void *user)
{
    (void)user;
    note("kick;");
    sio_disconnect(socket, true);
}

static void on_gone(sio_socket *socket, const char *reason, void *user)
{
    (void)user;
    note("%s;", reason);
    sio_emit(socket, "too late");
    sio_join(socket, "r");
    sio_leave_all(socket);
    sio_disconnect(socket, true);
}

static void open_server(struct world *w)
{
    sio_namespace *nsp;

    seen[0] = 0;
    CHECK(world_open(w, NULL), "no server");
    nsp = sio_of(w->server, "/");
    sio_on(nsp, "echo", on_echo, NULL);
    sio_on_disconnecting(nsp, on_gone, NULL);
    sio_on_disconnect(nsp, on_gone, NULL);
    nsp = sio_of(w->server, "/kick");
    sio_on_connection(nsp, kick, NULL);
    sio_of(w->server, "/admin");
}

/* Everybody else goes on, and nothing is left. */
static void check_others(struct world *w)
{
    int fd = world_client(w);

    world_send_text(w, fd, "42[\"echo\",1]");
    CHECK_FRAMES(w, fd, "T:42[\"echo\",1]|");
    world_hang_up(w, fd);
    world_check_empty(w);
    world_close(w);
}

/* Several masked text frames in one segment (the key is 0). */
static void send_at_once(struct world *w, int fd, const char *const *texts)
{
    char all[4096];
    size_t n = 0;

    for (; *texts; texts++) {
        size_t len = strlen(*texts);

        memcpy(all + n, "\x81\x80\0\0\0\0", 6);
        all[n + 1] = (char)(0x80 | len);
        memcpy(all + n + 6, *texts, len);
        n += 6 + len;
    }
    world_write(w, fd, all, n);
}

static void test_close_while_decoding(struct world *w)
{
    static const char *const texts[] = { "42[\"echo\",1]", "40/kick,",
                                         "42[\"echo\",2]", NULL };
    char sid[24], query[128];
    int fd;

    T_CASE(
        "on_connection closes the client whose event still waits: WebSocket");
    open_server(w);
    fd = world_client(w);
    send_at_once(w, fd, texts);
    CHECK_FRAMES(w, fd, "*T:40/kick,{\"sid\":\"*\"}|*C|");
    world_hang_up(w, fd);
    check_others(w);

    T_CASE("on_connection closes the client whose event still waits: polling");
    open_server(w);
    CHECK(world_session(w, sid), "no session");
    snprintf(query, sizeof query, "EIO=4&transport=polling&sid=%s", sid);
    world_post(w, query, "40");
    world_get(w, query);
    fd = world_poll(w, sid);
    CHECK_MATCH(world_post(w, query,
                           "42[\"echo\",1]\x1e"
                           "40/kick,\x1e"
                           "42[\"echo\",2]"),
                "ok");
    world_read(w, fd);
    world_hang_up(w, fd);
    world_get(w, query);
    world_get(w, query);
    check_others(w);
}

static void test_binary_without_namespace(struct world *w)
{
    static const char *const rows[] = {
        "451-/admin,[\"x\",{\"_placeholder\":true,\"num\":0}]",
        "461-/admin,7[{\"_placeholder\":true,\"num\":0}]",
        "451-/nope,[\"x\",{\"_placeholder\":true,\"num\":0}]",
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        int fd;

        T_CASE("binary packet for a namespace not joined: %s", rows[i]);
        open_server(w);
        fd = world_client(w);
        world_send_text(w, fd, rows[i]);
        world_send_binary(w, fd, "x", 1);
        CHECK_FRAMES(w, fd, "C|");
        CHECK_MATCH(seen, "*forced close;*");
        world_hang_up(w, fd);
        check_others(w);
    }
}

static void test_upgrade_drops_its_poll(struct world *w)
{
    struct echo e;
    char query[128];
    int poll, fd;

    T_CASE("the poll lies on the connection of a POST that an upgrade drops");
    CHECK(echo_open(w, &e, NULL) && echo_session(w, query), "no session");
    fd = echo_probe(w, query);
    poll = world_connect(w);
    {
        char head[512];
        int n = snprintf(head, sizeof head,
                         "GET /engine.io/?%s HTTP/1.1\r\nHost: x\r\n\r\n"
                         "POST /engine.io/?%s HTTP/1.1\r\nHost: x\r\n"
                         "Content-Length: 9\r\n\r\n4",
                         query, query);

        world_write(w, poll, head, (size_t)n);
    }
    world_send_text(w, fd, "5");
    world_send_text(w, fd, "4hello");
    CHECK_FRAMES(w, fd, "T:4hello|");
    world_hang_up(w, poll);
    world_hang_up(w, fd);
    CHECK_SERVES(w);
    world_check_empty(w);
    world_close(w);
}

static void test_close_in_on_open(struct world *w)
{
    struct echo e;
    char query[128];
    int fd;

    T_CASE("a session is closed in its on_open: WebSocket");
    CHECK(echo_open(w, &e, NULL), "no server");
    e.close_at_once = true;
    fd = world_websocket(w, "EIO=4&transport=websocket");
    CHECK_FRAMES(w, fd, "T:0{*}|C|");
    CHECK_MATCH(e.seen, "open;close forced close;");
    world_hang_up(w, fd);
    world_advance(w, 100000);
    e.close_at_once = false;
    CHECK_SERVES(w);
    world_check_empty(w);
    world_close(w);

    T_CASE("a session is closed in its on_open: polling");
    CHECK(echo_open(w, &e, NULL), "no server");
    e.close_at_once = true;
    CHECK(echo_session(w, query), "no session");
    CHECK_MATCH(world_get(w, query), "6\x1e"
                                     "1");
    CHECK_MATCH(e.seen, "open;close forced close;");
    world_advance(w, 100000);
    e.close_at_once = false;
    CHECK_SERVES(w);
    world_check_empty(w);
    world_close(w);
}

int main(void)
{
    static struct world w;

    test_close_while_decoding(&w);
    test_binary_without_namespace(&w);
    test_upgrade_drops_its_poll(&w);
    test_close_in_on_open(&w);
    return t_done();
}
