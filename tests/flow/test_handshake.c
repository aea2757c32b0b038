/*
 * test_handshake.c -- what a socket came with, as JSON and field by field; its
 * data as JSON; middlewares in their order; what a transport error was.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sio/sio.h>

#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/flow/world.h"
#include "tests/unit/oom.h"

static struct world w;
static char seen[8192];
static char handshake[32768]; /* of the one that came last */
static uint64_t issued;

__attribute__((format(printf, 1, 2))) static void note(const char *fmt, ...)
{
    size_t have = strlen(seen);
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(seen + have, sizeof seen - have, fmt, ap);
    va_end(ap);
}

static void on_header(void *user, sio_str name, sio_str value)
{
    (void)user;
    if (name.n == 6 && memcmp(name.p, "x-test", 6) == 0)
        note("%.*s;", (int)value.n, value.p);
}

static void on_connection(sio_socket *socket, void *user)
{
    int n = sio_handshake_json(socket, handshake, sizeof handshake);

    (void)user;
    CHECK(n > 0 && (size_t)n == strlen(handshake), "length %d", n);
    issued = sio_issued_ms(socket);
    CHECK(sio_each_header(socket, on_header, NULL) > 0, "no headers");
    note("%s;", sio_request_xdomain(socket) ? "other" : "same");
}

static void open_server(void)
{
    sio_options o;

    seen[0] = handshake[0] = 0;
    sio_options_init(&o);
    o.allow_eio3 = true;
    CHECK(world_open(&w, &o), "no server");
    sio_on_connection(sio_of(w.server, "/"), on_connection, NULL);
    sio_on_connection(sio_of(w.server, "/abc"), on_connection, NULL);
}

static void close_server(void)
{
    world_check_empty(&w);
    world_close(&w);
}

/* A polling session opened by a request with these fields, then `packet`. The
 * query of its later requests into `query`. */
static void open_session(const char *target, const char *fields,
                         const char *packet, char query[100])
{
    const char *got = world_raw(
        &w, "GET %s HTTP/1.1\r\nHost: h\r\n%sConnection: close\r\n\r\n", target,
        fields);
    const char *sid = strstr(got, "\"sid\":\"");

    CHECK(sid, "no session: %s", got);
    snprintf(query, 100, "EIO=4&transport=polling&sid=%.20s",
             sid ? sid + 7 : "");
    world_post(&w, query, packet);
}

static void test_json(void)
{
    static const struct {
        const char *name, *target, *fields, *packet, *json;
    } rows[] = {
        { "S110 S111 S112 S113 all of it",
          "/socket.io/?EIO=4&transport=polling&key1=1&key2=2",
          "X-Test: a\r\nX-Test: b\r\n", "40",
          "{\"headers\":{\"host\":\"h\",\"x-test\":\"a, b\",\"connection\":"
          "\"close\"},\"time\":\"??? ??? ?? 2??? ??:??:?? GMT+0000 "
          "(Coordinated Universal Time)\",\"address\":\"*\",\"xdomain\":false,"
          "\"secure\":false,\"issued\":*,\"url\":\"/socket.io/?EIO=4&transport="
          "polling&key1=1&key2=2\",\"query\":{\"EIO\":\"4\",\"transport\":"
          "\"polling\",\"key1\":\"1\",\"key2\":\"2\"},\"auth\":{}}" },
        { "S114 a second namespace: auth is not in the query",
          "/socket.io/?EIO=4&transport=polling", "",
          "40\x1e"
          "40/abc,{\"key1\":\"aa\",\"key2\":\"&=bb\"}",
          "{*\"query\":{\"EIO\":\"4\",\"transport\":\"polling\"},\"auth\":{"
          "\"key1\":\"aa\",\"key2\":\"&=bb\"}}" },
        { "S249 S250 a query is decoded as URLs are",
          "/socket.io/?EIO=4&transport=polling&%26a=%26%3D%3Fa&b=1+2&c&=e&b=%zz"
          "&u=%c3%a9%ff",
          "", "40",
          "{*\"query\":{\"EIO\":\"4\",\"transport\":\"polling\",\"&a\":\"&=?"
          "a\","
          "\"b\":\"%zz\",\"c\":\"\",\"\":\"e\",\"u\":\"\xc3\xa9\xef\xbf\xbd\"},"
          "\"auth\":{}}" },
        { "from another page", "/socket.io/?EIO=4&transport=polling",
          "Origin: http://x\r\n", "40", "{*\"xdomain\":true,*}" },
        { "header fields that come twice, as Node has them",
          "/socket.io/?EIO=4&transport=polling",
          "Cookie: a=1\r\nReferer: 1\r\nCookie: b=2\r\nReferer: 2\r\nX: "
          "\xc3\xa9\"\\\r\nX:\r\n",
          "40",
          "{\"headers\":{\"host\":\"h\",\"cookie\":\"a=1; b=2\",\"referer\":"
          "\"1\",\"x\":\"\xc3\x83\xc2\xa9\\\"\\\\, \",\"connection\":"
          "\"close\"},*" },
    };
    char query[100];

    for (size_t i = 0; i < COUNT(rows); i++) {
        uint64_t now = (uint64_t)time(NULL) * 1000;
        char text[40];

        T_CASE("handshake: %s", rows[i].name);
        open_server();
        open_session(rows[i].target, rows[i].fields, rows[i].packet, query);
        for (char *q = strstr(handshake, "\"time\":\""); q && i == 0;) {
            /* letters and digits that differ each day */
            static const char shape[] = "??? ??? ?? 2??? ??:??:??";

            for (size_t k = 0; k < sizeof shape - 1; k++)
                if (shape[k] == '?')
                    q[8 + k] = '?';
            break;
        }
        CHECK_MATCH(handshake, rows[i].json);
        CHECK(issued + 1000 >= now && issued <= now + 60000, "issued %llu",
              (unsigned long long)issued);
        snprintf(text, sizeof text, "*\"issued\":%llu,*",
                 (unsigned long long)issued);
        CHECK_MATCH(handshake, text);
        world_post(&w, query, "1");
        close_server();
    }

    T_CASE("the fields of a handshake, one by one");
    open_server();
    open_session("/socket.io/?EIO=4&transport=polling",
                 "X-Test: a\r\nOrigin: o\r\nX-Test: b\r\n", "40", query);
    CHECK_MATCH(seen, "a;b;other;");
    world_post(&w, query, "1");
    close_server();
}

static sio_socket *kept;

static void keep(sio_socket *socket, void *user)
{
    (void)user;
    kept = sio_retain(socket);
}

static void test_gone(void)
{
    char text[8];
    int fd;

    T_CASE("handshake of a socket: cut to fit; of one that has left: none");
    open_server();
    sio_on_connection(sio_of(w.server, "/"), keep, NULL);
    fd = world_client(&w);
    CHECK(sio_handshake_json(kept, text, sizeof text) > 7, "short");
    CHECK_MATCH(text, "{\"heade");
    CHECK(sio_handshake_json(kept, NULL, 0) ==
              sio_handshake_json(kept, handshake, sizeof handshake),
          "another length");
    CHECK(sio_disconnect_description(kept) == NULL, "it has not left");
    world_hang_up(&w, fd);
    CHECK(sio_handshake_json(kept, text, sizeof text) == SIO_E_STATE, "some");
    CHECK(sio_each_header(kept, on_header, NULL) == 0, "some");
    CHECK(!sio_request_xdomain(kept), "some");
    CHECK(sio_issued_ms(kept) == issued, "another time");
    CHECK(sio_disconnect_description(kept) == NULL, "of what");
    sio_release(kept);
    close_server();
}

static void test_data(void)
{
    static char large[SIO_DATA_MAX + 2];
    sio_str data;
    int fd;

    T_CASE("data as JSON: set, replaced, refused; beside the pointer");
    open_server();
    sio_on_connection(sio_of(w.server, "/"), keep, NULL);
    fd = world_client(&w);
    data = sio_data_json(kept);
    CHECK(data.n == 2 && memcmp(data.p, "{}", 2) == 0, "not {}");
    sio_set_data(kept, &w, NULL);
    CHECK(sio_set_data_json(kept, "{\"a\":\"\xc3\xa9\"}", 10) == SIO_OK, "no");
    data = sio_data_json(kept);
    CHECK(data.n == 10 && memcmp(data.p, "{\"a\":\"\xc3\xa9\"}", 10) == 0, "?");
    CHECK(sio_set_data_json(kept, "{", 1) == SIO_E_INVAL, "no JSON");
    CHECK(sio_set_data_json(kept, "", 0) == SIO_E_INVAL, "nothing");
    CHECK(sio_set_data_json(kept, "\"\xff\"", 3) == SIO_E_INVAL, "no UTF-8");
    CHECK(sio_data_json(kept).n == 10, "changed");
    memset(large, 'x', sizeof large);
    large[0] = large[SIO_DATA_MAX - 1] = '"';
    CHECK(sio_set_data_json(kept, large, SIO_DATA_MAX) == SIO_OK, "too long");
    large[SIO_DATA_MAX - 1] = 'x';
    large[SIO_DATA_MAX] = '"';
    CHECK(sio_set_data_json(kept, large, SIO_DATA_MAX + 1) == SIO_E_LIMIT, "!");
    CHECK(sio_data(kept) == &w, "the pointer has changed");
    world_hang_up(&w, fd);
    CHECK(sio_data_json(kept).n == SIO_DATA_MAX, "gone with the client");
    sio_release(kept);
    close_server();
}

/* ------------------------------------------------------ disconnecting -- */

static void on_going(sio_socket *socket, const char *reason, void *user)
{
    const char *why = sio_disconnect_description(socket);

    note("%s%s: %s;", (const char *)user, reason, why ? why : "-");
}

static void test_description(void)
{
    static const struct {
        const char *name, *frame;
        size_t n;
        const char *seen;
    } rows[] = {
        { "a WebSocket that breaks its protocol", "\xff\x80\0\0\0\0", 6,
          "1transport error: ?*;2transport error: ?*;" },
        { "leaving",
          "\x81\x82\0\0\0\0"
          "41",
          8,
          "1client namespace disconnect: -;2client namespace disconnect: "
          "-;" },
    };
    char query[100];
    int fd;

    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *text;

        T_CASE("3.8 description: %s", rows[i].name);
        open_server();
        sio_on_disconnecting(sio_of(w.server, "/"), on_going,
                             (void *)(uintptr_t) "1");
        sio_on_disconnect(sio_of(w.server, "/"), on_going,
                          (void *)(uintptr_t) "2");
        fd = world_client(&w);
        seen[0] = 0;
        world_write(&w, fd, rows[i].frame, rows[i].n);
        text = seen;
        if (i == 0) {
            CHECK(strncmp(text, "1transport error: ", 18) == 0 &&
                      text[18] != '-' && strstr(text, ";2transport error: "),
                  "seen: %s", seen);
        } else {
            CHECK_MATCH(text, rows[i].seen);
        }
        world_hang_up(&w, fd);
        close_server();
    }

    T_CASE("3.8 description: a poll that its client gave up");
    open_server();
    sio_on_disconnect(sio_of(w.server, "/"), on_going, (void *)(uintptr_t) "");
    open_session("/socket.io/?EIO=4&transport=polling", "", "40", query);
    world_get(&w, query);
    seen[0] = 0;
    {
        const char *sid = strstr(query, "sid=") + 4;

        fd = world_poll(&w, sid);
    }
    world_hang_up(&w, fd);
    world_turn(&w);
    CHECK_MATCH(seen, "transport error: poll connection closed prematurely;");
    close_server();
}

/* A handler of the one ends another: each has its own description. */
static int second_fd;

static void end_other(sio_socket *socket, const char *reason, void *user)
{
    (void)reason, (void)user;
    if (socket != kept && kept) {
        sio_disconnect(kept, true);
        note("still %s;", sio_disconnect_description(socket) ? "told" : "-");
    }
}

static void test_nested(void)
{
    int fd;

    T_CASE("3.8 description: one that another's handler has ended");
    open_server();
    sio_on_connection(sio_of(w.server, "/"), keep, NULL);
    second_fd = world_client(&w);
    {
        sio_socket *first = kept;

        fd = world_client(&w);
        sio_release(kept);
        kept = first;
    }
    sio_on_disconnect(sio_of(w.server, "/"), on_going, (void *)(uintptr_t) "");
    sio_on_disconnect(sio_of(w.server, "/"), end_other, NULL);
    seen[0] = 0;
    world_write(&w, fd, "\xff\x80\0\0\0\0", 6);
    CHECK(strstr(seen, "server namespace disconnect: -;"), "seen: %s", seen);
    CHECK(strstr(seen, "still told;"), "seen: %s", seen);
    world_hang_up(&w, fd);
    world_hang_up(&w, second_fd);
    sio_release(kept);
    close_server();
}

/* -------------------------------------------------------- middlewares -- */

static void on_use(sio_socket *socket, sio_next *next, void *user)
{
    sio_value data = sio_raw_json("{\"a\":\"b\",\"c\":3}", 15);

    note("%s;", (const char *)user);
    if (strcmp(user, "error") == 0) {
        sio_next_error(next, "Authentication error", &data);
        return;
    }
    sio_set_data(socket, user, NULL);
    sio_next_ok(next);
}

static void on_in(sio_socket *socket, void *user)
{
    (void)user;
    note("in with %s;", (const char *)sio_data(socket));
}

static void use(sio_namespace *nsp, const char *name)
{
    sio_use(nsp, on_use, (void *)(uintptr_t)name);
}

static void test_middlewares(void)
{
    sio_namespace *a, *b;
    int fd;

    T_CASE("S159 S162 S165 S166 S167 middlewares of that namespace, in order");
    open_server();
    a = sio_of(w.server, "/a");
    b = sio_of(w.server, "/b");
    use(sio_of(w.server, "/"), "main");
    use(a, "a1");
    use(b, "b1");
    use(a, "a2");
    use(b, "b2");
    sio_on_connection(a, on_in, NULL);
    sio_on_connection(b, on_in, NULL);
    fd = world_client(&w);
    CHECK_MATCH(seen, "main;same;");
    seen[0] = 0;
    world_send_text(&w, fd, "40/b,");
    CHECK_FRAMES(&w, fd, "T:40/b,{\"sid\":\"*\"}|");
    CHECK_MATCH(seen, "b1;b2;in with b2;");
    seen[0] = 0;
    world_send_text(&w, fd, "40/a,");
    CHECK_MATCH(seen, "a1;a2;in with a2;");
    world_hang_up(&w, fd);
    close_server();

    T_CASE("S160 S161 an error: the later ones are not asked");
    open_server();
    a = sio_of(w.server, "/a");
    use(a, "a1");
    use(a, "error");
    use(a, "a3");
    sio_on_connection(a, on_in, NULL);
    fd = world_client(&w);
    seen[0] = 0;
    world_send_text(&w, fd, "40/a,");
    CHECK_FRAMES(&w, fd,
                 "T:44/a,{\"message\":\"Authentication error\","
                 "\"data\":{\"a\":\"b\",\"c\":3}}|");
    CHECK_MATCH(seen, "a1;error;");
    world_hang_up(&w, fd);
    close_server();
}

/* ------------------------------------------------------ out of memory -- */

static void test_oom(void)
{
    char query[100];
    long n = 0;
    bool failed = true;

    T_CASE("handshake as JSON: every allocation fails once");
    open_server();
    sio_on_connection(sio_of(w.server, "/"), keep, NULL);
    open_session("/socket.io/?EIO=4&transport=polling&a=1&a=2&b=%41",
                 "X-Test: 1\r\nX-Test: 2\r\n", "40", query);
    for (; failed; n++) {
        int r;

        oom_arm(n);
        r = sio_handshake_json(kept, handshake, sizeof handshake);
        failed = oom_disarm();
        CHECK(failed ? r == SIO_E_NOMEM : r > 0, "n = %ld: %d", n, r);
    }
    CHECK(n > 3, "only %ld allocations", n);
    printf("# %ld allocations\n", n);
    world_post(&w, query, "1");
    sio_release(kept);
    close_server();
}

int main(void)
{
    test_json();
    test_gone();
    test_data();
    test_description();
    test_nested();
    test_middlewares();
    test_oom();
    return t_done();
}
