/*
 * test_socketio.c -- Socket.IO over the whole stack: connecting, events, acks,
 * rooms, broadcasts, and every way out.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sio/sio.h>

#include "tests/flow/world.h"

#include <unistd.h>

static char seen[4096]; /* what handlers have seen */

__attribute__((format(printf, 1, 2))) static void note(const char *fmt, ...)
{
    size_t have = strlen(seen);
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(seen + have, sizeof seen - have, fmt, ap);
    va_end(ap);
}

static void on_connection(sio_socket *socket, void *user)
{
    (void)user;
    note("connect %s;", sio_namespace_name(sio_namespace_of(socket)));
}

static void on_disconnecting(sio_socket *socket, const char *reason, void *user)
{
    (void)user;
    note("disconnecting %zu %s;", sio_each_room(socket, NULL, NULL), reason);
}

static const char *last_transport; /* of the one that left last */

static void on_disconnect(sio_socket *socket, const char *reason, void *user)
{
    (void)user;
    note("disconnect %zu %s;", sio_each_room(socket, NULL, NULL), reason);
    last_transport = sio_transport(socket);
}

static void on_echo(sio_socket *socket, sio_event *event, void *user)
{
    (void)user;
    note("echo;");
    if (sio_wants_ack(event))
        sio_ack(event, sio_arg(event, 0));
    else
        sio_emit(socket, "echo", sio_arg(event, 0), sio_arg(event, 1));
}

static void on_join(sio_socket *socket, sio_event *event, void *user)
{
    const char *room;

    (void)user;
    if (sio_arg_string(event, 0, &room, NULL) == SIO_OK)
        sio_join(socket, room);
}

static void on_to(sio_socket *socket, sio_event *event, void *user)
{
    const char *room = "", *other = NULL;
    sio_target t;

    (void)user;
    sio_arg_string(event, 0, &room, NULL);
    t = sio_to(sio_namespace_of(socket), room);
    if (sio_arg_string(event, 1, &other, NULL) == SIO_OK)
        t = sio_except(t, other);
    sio_emit(t, "to", sio_string(room));
}

static void on_others(sio_socket *socket, sio_event *event, void *user)
{
    (void)user;
    sio_emit(sio_broadcast(socket), "others", sio_arg(event, 0));
}

static void on_reply(int error, sio_event *answers, void *user)
{
    sio_str raw = { "", 0 };

    (void)user;
    sio_arg_raw(answers, 0, &raw);
    note("reply %d %zu %.*s;", error, sio_arg_count(answers), (int)raw.n,
         raw.p);
}

static void on_ask(sio_socket *socket, sio_event *event, void *user)
{
    (void)user;
    (void)event;
    sio_emit_ack(sio_timeout(socket, 1000), on_reply, NULL, "q", sio_int(7));
}

static void on_ask_all(sio_socket *socket, sio_event *event, void *user)
{
    (void)user;
    (void)event;
    sio_emit_ack(sio_timeout(sio_namespace_of(socket), 1000), on_reply, NULL,
                 "q");
}

static void on_leave_me(sio_socket *socket, sio_event *event, void *user)
{
    bool close = false;

    (void)user;
    sio_arg_bool(event, 0, &close);
    sio_disconnect(socket, close);
}

static void on_drop_me(sio_socket *socket, sio_event *event, void *user)
{
    (void)event, (void)user;
    sio_emit(socket, "last");
    sio_close_connection(socket);
    sio_emit(socket, "too late");
}

static void refuse(sio_socket *socket, sio_next *next, void *user)
{
    sio_value data = sio_raw_json("{\"why\":1}", 9);
    char token[16];

    (void)user;
    if (sio_auth_string(socket, "token", token, sizeof token) == 2)
        sio_next_ok(next);
    else
        sio_next_error(next, "not authorized", &data);
}

static void open_server(struct world *w, const sio_options *o)
{
    sio_namespace *nsp;

    seen[0] = 0;
    CHECK(world_open(w, o), "no server");
    nsp = sio_of(w->server, "/");
    sio_on_connection(nsp, on_connection, NULL);
    sio_on_disconnecting(nsp, on_disconnecting, NULL);
    sio_on_disconnect(nsp, on_disconnect, NULL);
    sio_on(nsp, "echo", on_echo, NULL);
    sio_on(nsp, "join", on_join, NULL);
    sio_on(nsp, "to", on_to, NULL);
    sio_on(nsp, "others", on_others, NULL);
    sio_on(nsp, "ask", on_ask, NULL);
    sio_on(nsp, "ask all", on_ask_all, NULL);
    sio_on(nsp, "leave me", on_leave_me, NULL);
    sio_on(nsp, "drop me", on_drop_me, NULL);
    nsp = sio_of(w->server, "admin");
    sio_on_connection(nsp, on_connection, NULL);
    sio_on(nsp, "echo", on_echo, NULL);
    sio_use(nsp, refuse, NULL);
}

static void test_connect(struct world *w)
{
    int fd;

    T_CASE("S38 S39 connect, echo, leave over WebSocket");
    open_server(w, NULL);
    fd = world_websocket(w, "EIO=4&transport=websocket");
    CHECK_FRAMES(w, fd,
                 "T:0{\"sid\":\"*\",\"upgrades\":[],\"pingInterval\":25000,"
                 "\"pingTimeout\":20000,\"maxPayload\":1000000}|");
    world_send_text(w, fd, "40");
    CHECK_FRAMES(w, fd, "T:40{\"sid\":\"*\"}|");
    world_send_text(w, fd, "42[\"echo\",\"h\\u00e9\",{\"a\":[1]}]");
    CHECK_FRAMES(w, fd, "T:42[\"echo\",\"h\\u00e9\",{\"a\":[1]}]|");
    world_send_text(w, fd, "4217[\"echo\",null]");
    CHECK_FRAMES(w, fd, "T:4317[null]|");
    world_send_text(w, fd, "41");
    CHECK_MATCH(seen, "connect /;echo;echo;disconnecting 1 client namespace "
                      "disconnect;disconnect 0 client namespace disconnect;");
    world_hang_up(w, fd);
    world_check_empty(w);
    world_close(w);

    T_CASE("E190 S38 connect, echo, leave over long-polling");
    {
        char sid[24], query[128];

        open_server(w, NULL);
        CHECK(world_session(w, sid), "no session");
        snprintf(query, sizeof query, "EIO=4&transport=polling&sid=%s", sid);
        CHECK_MATCH(world_post(w, query, "40"), "ok");
        CHECK_MATCH(world_get(w, query), "40{\"sid\":\"*\"}");
        CHECK_MATCH(world_post(w, query,
                               "42[\"echo\",1]\x1e"
                               "42[\"echo\",2]"),
                    "ok");
        CHECK_MATCH(world_get(w, query), "42[\"echo\",1,null]\x1e"
                                         "42[\"echo\",2,null]");
        CHECK_MATCH(world_post(w, query,
                               "41\x1e"
                               "1"),
                    "ok");
        CHECK_MATCH(world_get(w, query),
                    "{\"code\":1,\"message\":\"Session ID unknown\"}");
        world_check_empty(w);
        world_close(w);
    }
}

static void test_namespaces(struct world *w)
{
    int fd;

    T_CASE("S48 S160 S161 unknown namespace, middleware with message and data");
    open_server(w, NULL);
    fd = world_client(w);
    world_send_text(w, fd, "40/nope,");
    CHECK_FRAMES(w, fd, "T:44/nope,{\"message\":\"Invalid namespace\"}|");
    world_send_text(w, fd, "40/admin,{\"token\":\"nope\"}");
    CHECK_FRAMES(w, fd,
                 "T:44/admin,{\"message\":\"not authorized\","
                 "\"data\":{\"why\":1}}|");
    world_send_text(w, fd, "40/admin,{\"token\":\"ok\"}");
    CHECK_FRAMES(w, fd, "T:40/admin,{\"sid\":\"*\"}|");
    world_send_text(w, fd, "42/admin,5[\"echo\",[]]");
    CHECK_FRAMES(w, fd, "T:43/admin,5[[]]|");
    world_hang_up(w, fd);
    world_check_empty(w);
    world_close(w);
}

static void test_binary(struct world *w)
{
    int fd;

    T_CASE("S85 S86 S108 binary both ways, nested, in one read and in several");
    open_server(w, NULL);
    fd = world_client(w);
    world_send_text(w, fd,
                    "452-[\"echo\",{\"b\":{\"_placeholder\":true,\"num\":1}},"
                    "{\"_placeholder\":true,\"num\":0}]");
    world_send_binary(w, fd, "\1\2", 2);
    world_send_binary(w, fd, "", 0);
    CHECK_FRAMES(w, fd,
                 "T:452-[\"echo\",{\"b\":{\"_placeholder\":true,\"num\":0}},"
                 "{\"_placeholder\":true,\"num\":1}]|B:|B:0102|");
    world_send_text(w, fd, "451-3[\"echo\",{\"_placeholder\":true,\"num\":0}]");
    world_send_binary(w, fd, "\xff", 1);
    CHECK_FRAMES(w, fd, "T:461-3[{\"_placeholder\":true,\"num\":0}]|B:ff|");
    world_hang_up(w, fd);
    world_check_empty(w);
    world_close(w);
}

/* Engine.IO 1.2: who asks for "b64" gets attachments as base64. */
static void test_base64(struct world *w)
{
    int fd;

    T_CASE("S85 binary over WebSocket with b64: to one, to all");
    open_server(w, NULL);
    fd = world_websocket(w, "EIO=4&transport=websocket&b64=1");
    world_frames(w, fd);
    world_send_text(w, fd, "40");
    world_frames(w, fd);
    world_send_text(w, fd, "451-[\"echo\",{\"_placeholder\":true,\"num\":0}]");
    world_send_text(w, fd, "bAQID");
    CHECK_FRAMES(w, fd,
                 "T:451-[\"echo\",{\"_placeholder\":true,\"num\":0},"
                 "null]|T:bAQID|");
    sio_emit(sio_of(w->server, "/"), "all", sio_binary("\1", 1));
    CHECK_FRAMES(w, fd,
                 "T:451-[\"all\",{\"_placeholder\":true,\"num\":0}]|"
                 "T:bAQ==|");
    world_hang_up(w, fd);
    world_check_empty(w);
    world_close(w);
}

static void test_rooms(struct world *w)
{
    int a, b, c;

    T_CASE("S142 S144 S150 S151 rooms: to, except, broadcast");
    open_server(w, NULL);
    a = world_client(w);
    b = world_client(w);
    c = world_client(w);
    world_send_text(w, a, "42[\"join\",\"r\"]");
    world_send_text(w, b, "42[\"join\",\"r\"]");
    world_send_text(w, b, "42[\"join\",\"x\"]");
    world_send_text(w, c, "42[\"to\",\"r\"]");
    CHECK_FRAMES(w, a, "T:42[\"to\",\"r\"]|");
    CHECK_FRAMES(w, b, "T:42[\"to\",\"r\"]|");
    CHECK_FRAMES(w, c, "");
    world_send_text(w, c, "42[\"to\",\"r\",\"x\"]");
    CHECK_FRAMES(w, a, "T:42[\"to\",\"r\"]|");
    CHECK_FRAMES(w, b, "");
    world_send_text(w, c, "42[\"others\",1]");
    CHECK_FRAMES(w, a, "T:42[\"others\",1]|");
    CHECK_FRAMES(w, b, "T:42[\"others\",1]|");
    CHECK_FRAMES(w, c, "");
    world_hang_up(w, a);
    world_hang_up(w, b);
    world_hang_up(w, c);
    world_check_empty(w);
    world_close(w);
}

static void test_asking(struct world *w)
{
    int a, b;

    T_CASE("S174 S176 asking one socket: answer, timeout, late answer, gone");
    open_server(w, NULL);
    a = world_client(w);
    seen[0] = 0;
    world_send_text(w, a, "42[\"ask\"]");
    CHECK_FRAMES(w, a, "T:420[\"q\",7]|");
    world_send_text(w, a, "430[\"yes\",2]");
    world_send_text(w, a, "42[\"ask\"]");
    CHECK_FRAMES(w, a, "T:421[\"q\",7]|");
    world_advance(w, 999);
    CHECK_MATCH(seen, "reply 0 2 \"yes\";");
    world_advance(w, 2);
    CHECK_MATCH(seen, "reply 0 2 \"yes\";reply -8 0 ;");
    world_send_text(w, a, "431[\"late\"]");
    world_send_text(w, a, "42[\"ask\"]");
    world_hang_up(w, a);
    CHECK_MATCH(seen,
                "reply 0 2 \"yes\";reply -8 0 ;disconnecting*reply -4 0 ;");
    world_check_empty(w);
    world_close(w);

    T_CASE("S153 S154 asking everybody: all answers, some answers");
    open_server(w, NULL);
    a = world_client(w);
    b = world_client(w);
    seen[0] = 0;
    world_send_text(w, a, "42[\"ask all\"]");
    CHECK_FRAMES(w, a, "T:420[\"q\"]|");
    CHECK_FRAMES(w, b, "T:420[\"q\"]|");
    world_send_text(w, a, "430[1]");
    world_send_text(w, b, "430[]");
    CHECK_MATCH(seen, "reply 0 2 1;");
    world_send_text(w, a, "42[\"ask all\"]");
    world_send_text(w, b, "461-1[{\"_placeholder\":true,\"num\":0}]");
    world_send_binary(w, b, "\1", 1);
    world_advance(w, 1001);
    CHECK_MATCH(seen,
                "reply 0 2 1;reply -8 1 {\"_placeholder\":true,\"num\":0};");
    world_hang_up(w, a);
    world_hang_up(w, b);
    world_check_empty(w);
    world_close(w);
}

static void test_asking_at_the_end(struct world *w)
{
    int a, b;

    T_CASE("asking everybody: the server stops before the answers");
    open_server(w, NULL);
    a = world_client(w);
    b = world_client(w);
    seen[0] = 0;
    world_send_text(w, a, "42[\"ask all\"]");
    world_send_text(w, b, "430[2]");
    world_close(w);
    CHECK(strstr(seen, "reply -4 1 2;"), "seen: %s", seen);
    close(a);
    close(b);
}

static void test_leaving(struct world *w)
{
    int fd;

    T_CASE("S46 S47 the server disconnects a socket, then its client");
    open_server(w, NULL);
    fd = world_client(w);
    world_send_text(w, fd, "42[\"leave me\",false]");
    CHECK_FRAMES(w, fd, "T:41|");
    world_send_text(w, fd, "40");
    world_send_text(w, fd, "40/admin,{\"token\":\"ok\"}");
    world_frames(w, fd);
    world_send_text(w, fd, "42[\"leave me\",true]");
    CHECK_FRAMES(w, fd, "T:41|T:41/admin,|C|");
    world_frame(w, fd, 0x88, "", 0);
    CHECK_FRAMES(w, fd, "EOF");
    world_hang_up(w, fd);
    world_check_empty(w);
    world_close(w);

    T_CASE("S127 an event followed by DISCONNECT in one segment is dropped");
    open_server(w, NULL);
    fd = world_client(w);
    {
        /* 42["echo",1] and 41, masked with key 0, in one write */
        static const char both[] = "\x81\x8c\0\0\0\0"
                                   "42[\"echo\",1]"
                                   "\x81\x82\0\0\0\0"
                                   "41";

        world_write(w, fd, both, sizeof both - 1);
    }
    CHECK_MATCH(seen, "connect /;disconnecting*disconnect*");
    world_hang_up(w, fd);
    world_check_empty(w);
    world_close(w);
}

static void test_dropping(struct world *w)
{
    char sid[24], query[128];
    int fd;

    T_CASE("S3.8 the connection is closed without a packet: WebSocket");
    open_server(w, NULL);
    fd = world_client(w);
    world_send_text(w, fd, "40/admin,{\"token\":\"ok\"}");
    world_frames(w, fd);
    seen[0] = 0;
    world_send_text(w, fd, "42[\"drop me\"]");
    CHECK_FRAMES(w, fd, "T:42[\"last\"]|C|");
    CHECK_MATCH(seen,
                "disconnecting 1 forced close;disconnect 0 forced close;");
    CHECK(sio_socket_count(sio_of(w->server, "/admin")) == 0, "still there");
    world_hang_up(w, fd);
    world_check_empty(w);
    world_close(w);

    T_CASE("S3.8 the connection is closed without a packet: polling");
    open_server(w, NULL);
    CHECK(world_session(w, sid), "no session");
    snprintf(query, sizeof query, "EIO=4&transport=polling&sid=%s", sid);
    world_post(w, query, "40");
    world_get(w, query);
    world_post(w, query, "42[\"drop me\"]");
    CHECK_MATCH(world_get(w, query), "42[\"last\"]");
    CHECK_MATCH(world_get(w, query), "6\x1e"
                                     "1");
    CHECK_MATCH(seen, "*disconnect 0 forced close;");
    world_check_empty(w);
    world_close(w);
}

/* What a client had under way when the server made it leave a namespace is no
 * offence (socketio.md 2.5): its other namespaces go on. */
static void test_under_way(struct world *w)
{
    int fd;

    T_CASE("S2.5 packets for a namespace that the server has made it leave");
    open_server(w, NULL);
    fd = world_client(w);
    world_send_text(w, fd, "40/admin,{\"token\":\"ok\"}");
    world_frames(w, fd);
    world_send_text(w, fd, "42[\"leave me\",false]");
    CHECK_FRAMES(w, fd, "T:41|");
    world_send_text(w, fd, "42[\"echo\",1]");
    world_send_text(w, fd, "451-[\"echo\",{\"_placeholder\":true,\"num\":0}]");
    world_send_binary(w, fd, "a", 1);
    world_send_text(w, fd, "435[1]");
    world_send_text(w, fd, "41");
    world_send_text(w, fd, "42/admin,[\"echo\",2]");
    CHECK_FRAMES(w, fd, "T:42/admin,[\"echo\",2,null]|");
    world_send_text(w, fd, "40");
    CHECK_FRAMES(w, fd, "T:40{\"sid\":\"*\"}|");
    world_send_text(w, fd, "42[\"echo\",3]");
    CHECK_FRAMES(w, fd, "T:42[\"echo\",3,null]|");
    world_send_text(w, fd, "41");
    world_send_text(w, fd, "42[\"echo\",4]");
    CHECK_FRAMES(w, fd, "C|");
    world_hang_up(w, fd);
    world_check_empty(w);
    world_close(w);
}

/* socketio.md 1.4 and 2.5: what closes the whole connection. */
static void test_violations(struct world *w)
{
    static const struct {
        const char *name, *text, *log;
    } rows[] = {
        { "S82 unknown type", "4a", "unknown packet type" },
        { "S124 bare 5", "45", "Illegal attachments" },
        { "S123 5woooot", "45woooot", "Illegal attachments" },
        { "CVE-2026-69185 no attachments", "450-[\"x\"]",
          "Illegal attachments" },
        { "CVE-2026-33151 11 attachments", "4511-[\"x\"]",
          "too many attachments" },
        { "CVE-2023-32695 name is an object", "42[{\"toString\":\"foo\"}]",
          "invalid payload" },
        { "CVE-2023-32695 reserved name", "42[\"disconnect\",\"123\"]",
          "invalid payload" },
        { "CVE-2023-32695 payload is an object", "42{}", "invalid payload" },
        { "CONNECT_ERROR of a client", "44\"x\"", "only a server" },
        { "S32 second CONNECT", "40", "second CONNECT" },
        { "S33 event for a namespace not joined", "42/admin,[\"x\"]",
          "not joined" },
        { "ack for a namespace not joined", "43/admin,1[]", "not joined" },
        { "disconnect from a namespace not joined", "41/admin,", "not joined" },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        int fd, other;

        T_CASE("violation: %s", rows[i].name);
        open_server(w, NULL);
        other = world_client(w);
        fd = world_client(w);
        world_send_text(w, fd, rows[i].text);
        CHECK_FRAMES(w, fd, "C|");
        CHECK(strstr(w->log, rows[i].log), "log: %s", w->log);
        CHECK(strstr(seen, "forced close"), "seen: %s", seen);
        world_send_text(w, other, "42[\"echo\",1]");
        CHECK_FRAMES(w, other, "T:42[\"echo\",1,null]|");
        world_hang_up(w, fd);
        world_hang_up(w, other);
        world_check_empty(w);
        world_close(w);
    }
}

static void test_timeouts(struct world *w)
{
    sio_options o;
    int fd;

    T_CASE("S58 nobody joins a namespace: closed after connect_timeout_ms");
    sio_options_init(&o);
    o.connect_timeout_ms = 1000;
    open_server(w, &o);
    fd = world_websocket(w, "EIO=4&transport=websocket");
    world_frames(w, fd);
    world_advance(w, 999);
    CHECK_FRAMES(w, fd, "");
    world_advance(w, 2);
    CHECK_FRAMES(w, fd, "C|");
    world_hang_up(w, fd);
    world_check_empty(w);
    world_close(w);

    T_CASE("E51 E73 no pong: ping timeout");
    sio_options_init(&o);
    o.ping_interval_ms = 500;
    o.ping_timeout_ms = 200;
    open_server(w, &o);
    fd = world_client(w);
    world_advance(w, 501);
    CHECK_FRAMES(w, fd, "T:2|");
    world_send_text(w, fd, "3");
    world_advance(w, 501);
    CHECK_FRAMES(w, fd, "T:2|");
    world_advance(w, 201);
    CHECK_FRAMES(w, fd, "C|");
    CHECK(strstr(seen, "disconnect 0 ping timeout;"), "seen: %s", seen);
    CHECK_MATCH(last_transport, "websocket");
    world_hang_up(w, fd);
    world_check_empty(w);
    world_close(w);
}

int main(void)
{
    static struct world w;

    test_connect(&w);
    test_namespaces(&w);
    test_binary(&w);
    test_base64(&w);
    test_rooms(&w);
    test_asking(&w);
    test_asking_at_the_end(&w);
    test_leaving(&w);
    test_dropping(&w);
    test_under_way(&w);
    test_violations(&w);
    test_timeouts(&w);
    return t_done();
}
