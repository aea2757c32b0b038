/*
 * test_ids.c -- session ids that the program makes.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sio/sio.h>

#include "tests/flow/echo.h"
#include "tests/unit/oom.h"

#include <pthread.h>

#define LONGEST \
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-."
_Static_assert(sizeof LONGEST - 1 == SIO_ID_MAX, "not the longest");

static struct world w;
static struct echo e;
static sio_handshake *kept;
static const char *id; /* the next one; NULL: none can be made */
static char errors[512];
static int asked;

static void make_id(sio_handshake *handshake, void *user)
{
    char how[8] = "";

    CHECK(user == &w, "user");
    asked++;
    sio_handshake_query(handshake, "how", how, sizeof how);
    if (strcmp(how, "later") == 0)
        kept = handshake;
    else if (strcmp(how, "allow") == 0)
        sio_allow(handshake); /* that is no id */
    else if (id)
        sio_give_id(handshake, id);
    else
        sio_no_id(handshake, "no reason");
}

static void allow(sio_handshake *handshake, void *user)
{
    (void)user;
    CHECK(sio_give_id(handshake, "x") == SIO_E_STATE, "was not asked for");
    CHECK(sio_no_id(handshake, "x") == SIO_E_STATE, "was not asked for");
    sio_allow(handshake);
}

static void on_error(const sio_connection_error *error, void *user)
{
    size_t have = strlen(errors);

    (void)user;
    snprintf(errors + have, sizeof errors - have, "%d %s %s: %s;", error->code,
             error->message, error->name, error->error ? error->error : "");
}

static void set_options(sio_options *o)
{
    kept = NULL;
    errors[0] = 0;
    asked = 0;
    sio_options_init(o);
    o->generate_id = make_id;
    o->allow_request = allow;
    o->on_connection_error = on_error;
    o->hook_user = &w;
    o->cookie_name = "io";
}

static void open_server(const char *next)
{
    sio_options o;

    id = next;
    set_options(&o);
    CHECK(echo_open(&w, &e, &o), "no server");
}

static void close_server(void)
{
    world_advance(&w, 60000);
    world_check_empty(&w);
    world_close(&w);
}

static void test_ids(void)
{
    static const char *const good[] = { "a", "my-own_id.1~", LONGEST,
                                        "12345678901234567890" };

    for (size_t i = 0; i < COUNT(good); i++) {
        char want[256], query[256];
        int fd;

        T_CASE("E23 a session has the id that was made: %s", good[i]);
        open_server(good[i]);
        snprintf(want, sizeof want, "0{\"sid\":\"%s\",*", good[i]);
        CHECK_MATCH(world_get(&w, "EIO=4&transport=polling"), want);
        snprintf(want, sizeof want, "*\r\nSet-Cookie: io=%s; *", good[i]);
        CHECK_MATCH(w.got, want);
        CHECK(e.session && strcmp(sio_session_id(e.session), good[i]) == 0,
              "another id");
        snprintf(query, sizeof query, "EIO=4&transport=polling&sid=%s",
                 good[i]);
        CHECK_MATCH(world_post(&w, query, "4hi"), "ok");
        CHECK_MATCH(world_get(&w, query), "4hi");
        fd = echo_probe(&w, query);
        world_send_text(&w, fd, "5");
        world_send_text(&w, fd, "4ws");
        CHECK_FRAMES(&w, fd, "T:4ws|");
        world_hang_up(&w, fd);
        CHECK(asked == 1, "%d", asked);
        close_server();

        T_CASE("E23 over WebSocket: %s", good[i]);
        open_server(good[i]);
        fd = world_websocket(&w, "EIO=4&transport=websocket");
        snprintf(want, sizeof want, "T:0{\"sid\":\"%s\",*", good[i]);
        CHECK_FRAMES(&w, fd, want);
        world_send_text(&w, fd, "4ws");
        CHECK_FRAMES(&w, fd, "T:4ws|");
        world_hang_up(&w, fd);
        close_server();
    }

    T_CASE("E23 percent-encoded, as a client may send it");
    open_server(LONGEST);
    CHECK_MATCH(world_get(&w, "EIO=4&transport=polling"), "0{*");
    {
        char query[400] = "EIO=4&transport=polling&sid=";
        size_t n = strlen(query);

        for (const char *p = LONGEST; *p; p++)
            n += (size_t)snprintf(query + n, sizeof query - n, "%%%02X",
                                  (unsigned)*p);
        CHECK_MATCH(world_post(&w, query, "4hi"), "ok");
        snprintf(query + n, sizeof query - n, "x");
        CHECK_MATCH(world_post(&w, query, "4hi"), "*Session ID unknown*");
    }
    CHECK_MATCH(world_post(&w, "EIO=4&transport=polling&sid=" LONGEST "x", "4"),
                "*Session ID unknown*");
    close_server();
}

static void *give_elsewhere(void *handshake)
{
    char text[8] = "mine";

    CHECK(sio_give_id(handshake, text) == SIO_OK, "refused");
    memset(text, 'x', sizeof text); /* it was copied */
    return NULL;
}

static void *fail_elsewhere(void *handshake)
{
    sio_no_id(handshake, "elsewhere");
    return NULL;
}

static int ask_later(const char *transport)
{
    char head[512];
    int fd = world_connect(&w);
    int n = snprintf(head, sizeof head,
                     "GET /engine.io/?EIO=4&transport=%s&how=later HTTP/1.1\r\n"
                     "Host: test\r\n%s\r\n",
                     transport,
                     transport[0] == 'w'
                         ? "Connection: Upgrade\r\nUpgrade: websocket\r\n"
                           "Sec-WebSocket-Version: 13\r\n"
                           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                         : "");

    world_write(&w, fd, head, (size_t)n);
    CHECK(world_read(&w, fd) == 0 && kept, "%s", w.got);
    return fd;
}

static void elsewhere(void *(*fn)(void *handshake))
{
    pthread_t thread;

    pthread_create(&thread, NULL, fn, kept);
    pthread_join(thread, NULL);
}

static void test_later(void)
{
    static const char *const transports[] = { "polling", "websocket" };

    for (size_t i = 0; i < COUNT(transports); i++) {
        int fd, other;

        T_CASE("E24 the id comes later, from another thread, %s",
               transports[i]);
        open_server(NULL);
        fd = ask_later(transports[i]);
        elsewhere(give_elsewhere);
        CHECK(world_read(&w, fd) > 0, "no answer");
        CHECK_MATCH(w.got, "HTTP/1.1 *0{\"sid\":\"mine\",*");
        world_hang_up(&w, fd);
        close_server();

        T_CASE("%s it does not come, from another thread, %s",
               i ? "E26" : "E25", transports[i]);
        open_server(NULL);
        fd = ask_later(transports[i]);
        elsewhere(fail_elsewhere);
        CHECK(world_read(&w, fd) > 0, "no answer");
        CHECK_MATCH(w.got, "HTTP/1.1 400 *Bad request*");
        CHECK_MATCH(errors, "3 Bad request ID_GENERATION_ERROR: elsewhere;");
        world_hang_up(&w, fd);
        close_server();

        T_CASE("E24 the client has gone before, %s", transports[i]);
        open_server(NULL);
        fd = ask_later(transports[i]);
        world_hang_up(&w, fd);
        elsewhere(give_elsewhere);
        CHECK_MATCH(errors, "");
        close_server();

        T_CASE("E24 the server stops meanwhile, %s", transports[i]);
        open_server(NULL);
        fd = ask_later(transports[i]);
        sio_stop(w.server);
        world_turn(&w);
        elsewhere(give_elsewhere);
        world_read(&w, fd);
        CHECK(!strstr(w.got, "\"sid\""), "%s", w.got);
        world_hang_up(&w, fd);
        close_server();

        T_CASE("E25 two are given the same id, %s", transports[i]);
        open_server(NULL);
        fd = ask_later(transports[i]);
        elsewhere(give_elsewhere);
        CHECK(world_read(&w, fd) > 0, "no answer");
        other = ask_later(transports[i]);
        elsewhere(give_elsewhere);
        CHECK(world_read(&w, other) > 0, "no answer");
        CHECK_MATCH(w.got, "HTTP/1.1 400 *Bad request*");
        CHECK_MATCH(errors,
                    "3 Bad request ID_GENERATION_ERROR: the id is taken;");
        world_hang_up(&w, other);
        world_hang_up(&w, fd);
        close_server();
    }
}

static void test_failures(void)
{
    static const char *const bad[] = {
        NULL,   "",     LONGEST "x", "a b", "a/b",       "a+b", "a=b",
        "a\"b", "a\\b", "a%20b",     "a;b", "\xc3\xa9x", "a\n", "a&b",
    };
    int status;

    for (size_t i = 0; i < COUNT(bad); i++) {
        T_CASE("E25 no id, or none that a session can have: row %zu", i);
        open_server(bad[i]);
        CHECK_MATCH(world_request(&w, "GET",
                                  "/engine.io/?EIO=4&transport=polling", NULL,
                                  &status),
                    "{\"code\":3,\"message\":\"Bad request\"}");
        CHECK(status == 400, "%d", status);
        CHECK_MATCH(errors, "3 Bad request ID_GENERATION_ERROR: no *;");
        CHECK(strstr(w.log, "ID_GENERATION_ERROR: no "), "%s", w.log);
        CHECK(e.opened == 0, "%zu", e.opened);
        close_server();

        T_CASE("E26 over WebSocket a 400, no 101 before it: row %zu", i);
        open_server(bad[i]);
        CHECK(world_websocket(&w, "EIO=4&transport=websocket") < 0, "let in");
        CHECK_MATCH(w.got, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n"
                           "Content-type: text/html\r\n*");
        CHECK_MATCH(errors, "3 Bad request ID_GENERATION_ERROR: no *;");
        CHECK(e.opened == 0, "%zu", e.opened);
        close_server();
    }

    T_CASE("E25 sio_allow() is no id");
    open_server("x");
    CHECK_MATCH(world_get(&w, "EIO=4&transport=polling&how=allow"),
                "{\"code\":3,*");
    CHECK_MATCH(errors, "3 Bad request ID_GENERATION_ERROR: ;");
    close_server();

    T_CASE("1.3 no id is made for who is refused before");
    open_server("x");
    world_get(&w, "EIO=3&transport=polling");
    world_get(&w, "EIO=4&transport=polling&sid=x");
    CHECK(asked == 0, "%d", asked);
    close_server();
}

/* Socket.IO above it: ids of sockets stay its own, but with Socket.IO 2. */
static void test_socketio(void)
{
    sio_options o;
    int fd;

    id = LONGEST;
    set_options(&o);
    o.allow_eio3 = true;
    T_CASE("E23 with Socket.IO on top");
    CHECK(world_open(&w, &o), "no server");
    fd = world_websocket(&w, "EIO=4&transport=websocket");
    CHECK_FRAMES(&w, fd, "T:0{\"sid\":\"" LONGEST "\",*");
    world_send_text(&w, fd, "40");
    CHECK_FRAMES(&w, fd, "T:40{\"sid\":\"*\"}|");
    world_hang_up(&w, fd);
    T_CASE("E23 with Socket.IO 2, whose ids are the session's");
    fd = world_websocket(&w, "EIO=3&transport=websocket");
    CHECK_FRAMES(&w, fd, "T:0{\"sid\":\"" LONGEST "\",*}|T:40|");
    world_hang_up(&w, fd);
    world_advance(&w, 60000);
    world_check_empty(&w);
    world_close(&w);
}

static void test_out_of_memory(void)
{
    bool failed = true;
    long n = 0;

    T_CASE("E25 every allocation fails once: an answer or an end, never 101");
    for (; failed && n < 1000; n++) {
        int fd, status;

        open_server("mine");
        oom_arm(n);
        world_request(&w, "GET", "/engine.io/?EIO=4&transport=polling", NULL,
                      &status);
        failed = oom_disarm();
        id = "other";
        oom_arm(n);
        fd = world_websocket(&w, "EIO=4&transport=websocket");
        failed |= oom_disarm();
        if (fd >= 0)
            world_hang_up(&w, fd);
        id = "third";
        CHECK_SERVES(&w);
        close_server();
    }
    CHECK(n > 5 && n < 1000, "%ld allocations", n);
}

int main(void)
{
    test_ids();
    test_later();
    test_failures();
    test_socketio();
    test_out_of_memory();
    return t_done();
}
