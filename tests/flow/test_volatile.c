/*
 * test_volatile.c -- when a volatile packet is dropped (socketio.md 3.3): while
 * the transport is not writable, and it is not from any packet until the turn
 * after it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sio/sio.h>

#include "tests/flow/world.h"

/* ["do","rvb..."]: r regular, v volatile, b volatile with binary, R and V and B
 * the same to the whole namespace. */
static void on_do(sio_socket *socket, sio_event *event, void *user)
{
    sio_namespace *nsp = sio_namespace_of(socket);
    const char *what = "";

    (void)user;
    sio_arg_string(event, 0, &what, NULL);
    for (; *what; what++)
        switch (*what) {
        case 'r':
            sio_emit(socket, "r");
            break;
        case 'v':
            sio_emit(sio_volatile(socket), "v");
            break;
        case 'b':
            sio_emit(sio_volatile(socket), "b", sio_binary("\1", 1));
            break;
        case 'R':
            sio_emit(nsp, "R");
            break;
        case 'V':
            sio_emit(sio_volatile(nsp), "V");
            break;
        case 'B':
            sio_emit(sio_volatile(nsp), "B", sio_binary("\1", 1));
            break;
        }
}

static void on_connection(sio_socket *socket, void *user)
{
    (void)user;
    sio_emit(sio_volatile(socket), "lost");
}

#define BINARY(name) "451-[\"" name "\",{\"_placeholder\":true,\"num\":0}]"

static const struct row {
    const char *name, *what, *websocket, *polling;
} rows[] = {
    { "S92 S91 idle", "v", "T:42[\"v\"]|", "42[\"v\"]" },
    { "S54 idle, to the namespace", "V", "T:42[\"V\"]|", "42[\"V\"]" },
    { "S90 S89 behind a regular one", "rv", "T:42[\"r\"]|", "42[\"r\"]" },
    { "S53 behind a regular one, to the namespace", "RV", "T:42[\"R\"]|",
      "42[\"R\"]" },
    { "S94 S93 two of them", "vv", "T:42[\"v\"]|", "42[\"v\"]" },
    { "S98 S97 between two regular ones", "rvr", "T:42[\"r\"]|T:42[\"r\"]|",
      "42[\"r\"]\x1e"
      "42[\"r\"]" },
    { "S95 two with binary: header and attachment count as one", "bb",
      "T:" BINARY("b") "|B:01|",
      BINARY("b") "\x1e"
                  "bAQ==" },
    { "S96 two with binary, to the namespace", "BB", "T:" BINARY("B") "|B:01|",
      BINARY("B") "\x1e"
                  "bAQ==" },
};

static void open_server(struct world *w)
{
    CHECK(world_open(w, NULL), "no server");
    sio_on(sio_of(w->server, "/"), "do", on_do, NULL);
}

static void test_websocket(struct world *w, const struct row *row)
{
    char text[64];
    int fd;

    T_CASE("volatile: %s, WebSocket", row->name);
    open_server(w);
    fd = world_client(w);
    snprintf(text, sizeof text, "42[\"do\",\"%s\"]", row->what);
    for (int i = 0; i < 2; i++) { /* the turn after is free again */
        world_send_text(w, fd, text);
        CHECK_FRAMES(w, fd, row->websocket);
    }
    world_hang_up(w, fd);
    world_check_empty(w);
    world_close(w);
}

static void test_polling(struct world *w, const struct row *row)
{
    char text[64], sid[24], query[128];
    int poll;

    T_CASE("volatile: %s, polling, with a poll waiting", row->name);
    open_server(w);
    CHECK(world_session(w, sid), "no session");
    snprintf(query, sizeof query, "EIO=4&transport=polling&sid=%s", sid);
    CHECK_MATCH(world_post(w, query, "40"), "ok");
    CHECK_MATCH(world_get(w, query), "40{*}");
    snprintf(text, sizeof text, "42[\"do\",\"%s\"]", row->what);
    poll = world_poll(w, sid);
    CHECK_MATCH(world_post(w, query, text), "ok");
    CHECK_MATCH(world_poll_answer(w, poll), row->polling);
    world_hang_up(w, poll);
    CHECK_MATCH(world_post(w, query, "1"), "ok");
    world_check_empty(w);
    world_close(w);
}

static void test_not_writable(struct world *w)
{
    char sid[24], query[128];
    int fd;

    T_CASE("volatile: no poll waits: dropped");
    open_server(w);
    CHECK(world_session(w, sid), "no session");
    snprintf(query, sizeof query, "EIO=4&transport=polling&sid=%s", sid);
    CHECK_MATCH(world_post(w, query, "40"), "ok");
    CHECK_MATCH(world_get(w, query), "40{*}");
    CHECK_MATCH(world_post(w, query, "42[\"do\",\"v\"]"), "ok");
    CHECK_MATCH(world_post(w, query, "42[\"do\",\"r\"]"), "ok");
    CHECK_MATCH(world_get(w, query), "42[\"r\"]");
    CHECK_MATCH(world_post(w, query, "1"), "ok");
    world_check_empty(w);
    world_close(w);

    T_CASE("volatile: in the connection handler, behind the CONNECT reply");
    CHECK(world_open(w, NULL), "no server");
    sio_on_connection(sio_of(w->server, "/"), on_connection, NULL);
    fd = world_websocket(w, "EIO=4&transport=websocket");
    world_frames(w, fd);
    world_send_text(w, fd, "40");
    CHECK_FRAMES(w, fd, "T:40{*}|");
    world_hang_up(w, fd);
    world_check_empty(w);
    world_close(w);
}

int main(void)
{
    static struct world w;

    for (size_t i = 0; i < COUNT(rows); i++) {
        test_websocket(&w, &rows[i]);
        test_polling(&w, &rows[i]);
    }
    test_not_writable(&w);
    return t_done();
}
