/*
 * test_dynamic.c -- dynamic namespaces over the whole stack: rules, children,
 * what they inherit, emitting to all of them, clean-up, limits, and every way a
 * client can go away while a rule is still deciding.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sio/sio.h>

#include <pthread.h>
#include <stdlib.h>

#include "tests/flow/world.h"
#include "tests/unit/oom.h"

static struct world w;
static char seen[8192]; /* what handlers have seen */
static sio_next *undecided[4];
static size_t undecided_count;

__attribute__((format(printf, 1, 2))) static void note(const char *fmt, ...)
{
    size_t have = strlen(seen);
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(seen + have, sizeof seen - have, fmt, ap);
    va_end(ap);
}

static void on_new(sio_namespace *nsp, void *user)
{
    (void)user;
    note("new %s;", sio_namespace_name(nsp));
}

static void on_connection(sio_socket *socket, void *user)
{
    note("connect %s%s;", sio_namespace_name(sio_namespace_of(socket)),
         user ? (const char *)user : "");
    if (user)
        sio_join(socket, "room");
}

static void on_disconnect(sio_socket *socket, const char *reason, void *user)
{
    (void)user;
    note("left %s %s;", sio_namespace_name(sio_namespace_of(socket)), reason);
}

static void pass(sio_socket *socket, sio_next *next, void *user)
{
    (void)socket;
    note("use%s;", (const char *)user);
    sio_next_ok(next);
}

static void refuse(sio_socket *socket, sio_next *next, void *user)
{
    char token[8];

    (void)user;
    if (sio_auth_string(socket, "token", token, sizeof token) > 0)
        sio_next_ok(next);
    else
        sio_next_error(next, "no", NULL);
}

static void on_echo(sio_socket *socket, sio_event *event, void *user)
{
    note("%s;", (const char *)user);
    sio_emit(socket, "echo", sio_arg(event, 0));
}

static void on_unhandled(sio_socket *socket, sio_event *event, void *user)
{
    (void)socket;
    note("%s %s;", (const char *)user, sio_event_name(event));
}

/* Says yes to "/yes...", no to "/no...", and keeps the rest waiting. */
static void rule(const char *name, sio_str auth, sio_next *next, void *user)
{
    note("rule%s %s %.*s;", (const char *)user, name, (int)auth.n, auth.p);
    if (strncmp(name, "/yes", 4) == 0)
        sio_next_ok(next);
    else if (strncmp(name, "/no", 3) == 0)
        sio_next_error(next, "never told", NULL);
    else if (undecided_count < COUNT(undecided))
        undecided[undecided_count++] = next;
    else
        sio_next_error(next, "full", NULL);
}

static sio_namespace *open_server(const sio_options *o)
{
    sio_namespace *parent;

    seen[0] = 0;
    undecided_count = 0;
    CHECK(world_open(&w, o), "no server");
    sio_on_new_namespace(w.server, on_new, NULL);
    parent = sio_of_regex(w.server, "^/dynamic-[0-9]+$");
    sio_on_connection(parent, on_connection, NULL);
    sio_on_disconnect(parent, on_disconnect, NULL);
    return parent;
}

static void close_server(void)
{
    world_check_empty(&w);
    world_close(&w);
}

static int client_in(const char *name)
{
    int fd = world_client(&w);
    char text[200];

    snprintf(text, sizeof text, strchr(name, ',') ? "40%s" : "40%s,", name);
    world_send_text(&w, fd, text);
    return fd;
}

static size_t dynamic_count(void)
{
    sio_stats s;

    sio_get_stats(w.server, &s);
    return s.dynamic_namespaces;
}

/* ----------------------------------------------------------------- rules -- */

static void test_static(void)
{
    T_CASE("S35 S42 S62 names of namespaces; each is told of once");
    open_server(NULL);
    CHECK(sio_of(w.server, "/") == sio_of(w.server, ""), "two main ones");
    CHECK(sio_of(w.server, NULL) == sio_of(w.server, "/"), "two main ones");
    CHECK(sio_of(w.server, "abc") == sio_of(w.server, "/abc"), "two");
    CHECK(sio_of(w.server, "//abc") != sio_of(w.server, "/abc"), "one");
    CHECK(sio_find_namespace(w.server, "/abc") == sio_of(w.server, "abc"),
          "another");
    CHECK(!sio_find_namespace(w.server, "/abcd"), "made");
    CHECK(!sio_parent_of(sio_of(w.server, "/abc")), "a parent");
    CHECK_MATCH(seen, "new /abc;new //abc;");
    close_server();

    T_CASE("S63 a static namespace stays when it is empty");
    {
        sio_options o;
        int fd;

        sio_options_init(&o);
        o.cleanup_empty_child_namespaces = true;
        open_server(&o);
        sio_of(w.server, "/chat");
        fd = client_in("/chat");
        CHECK_FRAMES(&w, fd, "T:40/chat,{*}|");
        world_hang_up(&w, fd);
        world_turn(&w);
        CHECK(sio_find_namespace(w.server, "/chat"), "it is gone");
        close_server();
    }
}

static void test_regex(void)
{
    sio_namespace *parent;
    int a, b, c;

    T_CASE("S64 S65 S68 a regular expression makes children");
    parent = open_server(NULL);
    sio_use(parent, pass, (void *)(uintptr_t) "");
    sio_on_connection(parent, on_connection, (void *)(uintptr_t) "!");
    a = client_in("/dynamic-1");
    CHECK_FRAMES(&w, a, "T:40/dynamic-1,{\"sid\":\"*\"}|");
    CHECK_MATCH(seen, "new /dynamic-1;use;connect /dynamic-1;connect "
                      "/dynamic-1!;");
    b = client_in("/dynamic-2");
    c = client_in("/dynamic-1");
    world_frames(&w, b);
    world_frames(&w, c);
    CHECK(dynamic_count() == 2, "%zu", dynamic_count());
    CHECK(sio_socket_count(parent) == 3, "%zu", sio_socket_count(parent));
    CHECK(sio_parent_of(sio_of(w.server, "/dynamic-2")) == parent, "no");
    sio_emit(parent, "hello", sio_int(1), sio_string("2"),
             sio_raw_json("{\"3\":\"4\"}", 9));
    CHECK_FRAMES(&w, a, "T:42/dynamic-1,[\"hello\",1,\"2\",{\"3\":\"4\"}]|");
    CHECK_FRAMES(&w, b, "T:42/dynamic-2,[\"hello\",1,\"2\",{\"3\":\"4\"}]|");
    CHECK_FRAMES(&w, c, "T:42/dynamic-1,[\"hello\",1,\"2\",{\"3\":\"4\"}]|");
    sio_emit(sio_to(parent, "room"), "in", sio_binary("\1", 1));
    CHECK_FRAMES(&w, b, "T:451-/dynamic-2,[\"in\",{*}]|B:01|");
    CHECK_FRAMES(&w, a, "T:451-/dynamic-1,[\"in\",{*}]|B:01|");
    CHECK_FRAMES(&w, c, "T:451-/dynamic-1,[\"in\",{*}]|B:01|");
    sio_emit(sio_except(parent, "room"), "out");
    CHECK_FRAMES(&w, a, "");
    CHECK(sio_emit(parent, "connect") == SIO_E_RESERVED, "not reserved");
    world_hang_up(&w, a);
    world_hang_up(&w, b);
    world_hang_up(&w, c);
    close_server();

    T_CASE("S67 what no rule says yes to is an invalid namespace");
    open_server(NULL);
    a = client_in("/dynamic-x");
    CHECK_FRAMES(&w, a, "T:44/dynamic-x,{\"message\":\"Invalid namespace\"}|");
    world_send_text(&w, a, "40/_0,");
    CHECK_FRAMES(&w, a, "T:44/_0,{\"message\":\"Invalid namespace\"}|");
    CHECK(dynamic_count() == 0, "%zu", dynamic_count());
    world_hang_up(&w, a);
    close_server();

    T_CASE("S76 sio_of() makes a child of the rule that matches");
    parent = open_server(NULL);
    CHECK(sio_parent_of(sio_of(w.server, "dynamic-101")) == parent, "none");
    CHECK(!sio_parent_of(sio_of(w.server, "/x/dynamic-101")), "unanchored");
    CHECK_MATCH(seen, "new /dynamic-101;new /x/dynamic-101;");
    sio_emit(parent, "hello"); /* to a child with nobody in it */
    a = client_in("/dynamic-101");
    CHECK_FRAMES(&w, a, "T:40/dynamic-101,*|");
    world_hang_up(&w, a);
    close_server();

    T_CASE("an expression is not anchored unless it says so; bytes, not text");
    open_server(NULL);
    CHECK(sio_of_regex(w.server, "room") != NULL, "none");
    a = client_in("/the-room-here");
    CHECK_FRAMES(&w, a, "T:40/the-room-here,*|");
    world_send_text(&w, a, "40/room/\xc3\xa9?x=1,");
    CHECK_FRAMES(&w, a, "T:40/room/\xc3\xa9?x=1,*|");
    world_frame(&w, a, 0x81, "40/room\0x,", 10);
    CHECK(strstr(world_frames(&w, a), "T:44/room"), "NUL in a name: %s", w.got);
    world_hang_up(&w, a);
    close_server();

    T_CASE("an expression that is none: no rule, and why");
    open_server(NULL);
    w.log[0] = 0;
    CHECK(!sio_of_regex(w.server, "^/(a"), "a rule");
    CHECK(strstr(w.log, "\"^/(a\": "), "log: %s", w.log);
    CHECK(!sio_of_regex(w.server, NULL), "a rule");
    close_server();
}

static void test_function(void)
{
    int a, b;

    T_CASE("S66 a function makes children");
    open_server(NULL);
    sio_of_function(w.server, rule, (void *)(uintptr_t) "");
    a = client_in("/yes,{\"a\":1}");
    CHECK_FRAMES(&w, a, "T:40/yes,{\"sid\":\"*\"}|");
    CHECK_MATCH(seen, "rule /yes {\"a\":1};new /yes;");
    CHECK(!sio_parent_of(sio_of(w.server, "/yes-2")), "asked a function");
    world_send_text(&w, a, "40/no,");
    CHECK_FRAMES(&w, a, "T:44/no,{\"message\":\"Invalid namespace\"}|");
    world_hang_up(&w, a);
    close_server();

    T_CASE("rules are asked in the order they were made");
    open_server(NULL);
    sio_of_function(w.server, rule, (void *)(uintptr_t) "1");
    sio_of_regex(w.server, "^/no-but");
    sio_of_function(w.server, rule, (void *)(uintptr_t) "2");
    a = client_in("/dynamic-7");
    CHECK_FRAMES(&w, a, "T:40/dynamic-7,*|");
    CHECK_MATCH(seen, "new /dynamic-7;connect /dynamic-7;");
    seen[0] = 0;
    world_send_text(&w, a, "40/no-but,");
    CHECK_FRAMES(&w, a, "T:40/no-but,*|");
    CHECK_MATCH(seen, "rule1 /no-but {};new /no-but;");
    seen[0] = 0;
    world_send_text(&w, a, "40/none,");
    CHECK_FRAMES(&w, a, "T:44/none,*|");
    CHECK_MATCH(seen, "rule1 /none {};rule2 /none {};");
    world_hang_up(&w, a);
    close_server();

    T_CASE("S69 S181 two clients wait for one name: it is made once");
    open_server(NULL);
    {
        sio_namespace *parent =
            sio_of_function(w.server, rule, (void *)(uintptr_t) "");

        sio_on_connection(parent, on_connection, NULL);
    }
    a = client_in("/later");
    b = client_in("/later");
    CHECK(undecided_count == 2, "%zu asked", undecided_count);
    CHECK(dynamic_count() == 2, "%zu", dynamic_count());
    sio_next_ok(undecided[1]);
    CHECK_FRAMES(&w, b, "T:40/later,*|");
    sio_next_ok(undecided[0]);
    CHECK_FRAMES(&w, a, "T:40/later,*|");
    CHECK(dynamic_count() == 1, "%zu", dynamic_count());
    CHECK_MATCH(seen, "rule /later {};rule /later {};new /later;connect "
                      "/later;connect /later;");
    CHECK(sio_socket_count(sio_of(w.server, "/later")) == 2, "not both");
    sio_emit(sio_of(w.server, "/later"), "hello");
    CHECK_FRAMES(&w, a, "T:42/later,[\"hello\"]|");
    CHECK_FRAMES(&w, b, "T:42/later,[\"hello\"]|");
    world_hang_up(&w, a);
    world_hang_up(&w, b);
    close_server();

    T_CASE("the program makes the name while a rule decides about it");
    open_server(NULL);
    sio_of_function(w.server, rule, (void *)(uintptr_t) "");
    a = client_in("/later");
    CHECK(!sio_parent_of(sio_of(w.server, "/later")), "a child");
    sio_next_ok(undecided[0]);
    CHECK_FRAMES(&w, a, "T:40/later,*|");
    CHECK(dynamic_count() == 0, "%zu", dynamic_count());
    CHECK(sio_socket_count(sio_of(w.server, "/later")) == 1, "elsewhere");
    world_hang_up(&w, a);
    close_server();
}

/* What a client does while a rule is deciding. */
static void test_while_deciding(void)
{
    static const struct {
        const char *name, *text;
        bool refuse;
    } rows[] = {
        { "a second CONNECT", "40/later,", false },
        { "an event", "42/later,[\"x\"]", false },
        { "DISCONNECT", "41/later,", true },
        { "bad packet", "4x", true },
        { "nothing, it hangs up", NULL, false },
        { "nothing, it hangs up; refused", NULL, true },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        int fd;

        T_CASE("S164 a client while a rule decides: %s", rows[i].name);
        open_server(NULL);
        sio_of_function(w.server, rule, (void *)(uintptr_t) "");
        fd = client_in("/later");
        CHECK(undecided_count == 1, "not asked");
        if (rows[i].text) {
            world_send_text(&w, fd, rows[i].text);
            CHECK_FRAMES(&w, fd, "C|");
        }
        world_hang_up(&w, fd);
        CHECK(dynamic_count() == 0, "%zu left", dynamic_count());
        if (rows[i].refuse)
            sio_next_error(undecided[0], "no", NULL);
        else
            sio_next_ok(undecided[0]);
        CHECK(!strstr(seen, "new"), "seen: %s", seen);
        CHECK(!sio_find_namespace(w.server, "/later"), "it came to be");
        close_server();
    }
}

static void *say_ok(void *next)
{
    sio_next_ok(next);
    return NULL;
}

static void *say_no(void *next)
{
    sio_value data = sio_int(1);

    sio_next_error(next, "no", &data);
    return NULL;
}

static void test_other_thread(void)
{
    static void *(*const answers[])(void *next) = { say_ok, say_no };

    for (size_t i = 0; i < COUNT(answers); i++) {
        pthread_t thread;
        int fd;

        T_CASE("a rule's answer from another thread: %s", i ? "no" : "yes");
        open_server(NULL);
        sio_of_function(w.server, rule, (void *)(uintptr_t) "");
        fd = client_in("/later");
        CHECK(pthread_create(&thread, NULL, answers[i], undecided[0]) == 0,
              "no thread");
        pthread_join(thread, NULL);
        CHECK_FRAMES(&w, fd,
                     i ? "T:44/later,*Invalid namespace\"}|" : "T:40/later,*|");
        world_hang_up(&w, fd);
        close_server();
    }
}

/* ----------------------------------------------------------- inheritance -- */

static void test_inherit(void)
{
    sio_namespace *parent, *child;
    int fd;

    T_CASE("S68 handlers: the parent's, later ones too, then the child's own");
    parent = open_server(NULL);
    sio_on(parent, "echo", on_echo, (void *)(uintptr_t) "parent");
    fd = client_in("/dynamic-1");
    world_frames(&w, fd);
    child = sio_of(w.server, "/dynamic-1");
    seen[0] = 0;
    sio_on_unhandled(parent, on_unhandled, (void *)(uintptr_t) "unhandled 1");
    sio_on_unhandled(child, on_unhandled, (void *)(uintptr_t) "unhandled 2");
    world_send_text(&w, fd, "42/dynamic-1,[\"other\"]");
    CHECK_MATCH(seen, "unhandled 1 other;unhandled 2 other;");
    seen[0] = 0;
    sio_on(child, "echo", on_echo, (void *)(uintptr_t) "child");
    sio_on(parent, "echo", on_echo, (void *)(uintptr_t) "late");
    world_send_text(&w, fd, "42/dynamic-1,[\"echo\",1]");
    CHECK_MATCH(seen, "parent;late;child;");
    seen[0] = 0;
    sio_on(child, "own", on_echo, (void *)(uintptr_t) "own");
    world_send_text(&w, fd, "42/dynamic-1,[\"own\",1]");
    CHECK_MATCH(seen, "own;");
    sio_use(child, pass, (void *)(uintptr_t) " child");
    sio_use(parent, pass, (void *)(uintptr_t) " parent");
    world_send_text(&w, fd, "41/dynamic-1,");
    seen[0] = 0;
    world_send_text(&w, fd, "40/dynamic-1,");
    CHECK_MATCH(seen, "use parent;use child;connect /dynamic-1;");
    world_send_text(&w, fd, "40/dynamic-2,");
    CHECK(strstr(seen, "use parent;connect /dynamic-2;"), "seen: %s", seen);
    world_hang_up(&w, fd);
    CHECK(strstr(seen, "left /dynamic-1 transport close;left /dynamic-2"),
          "seen: %s", seen);
    close_server();
}

static void test_parent_calls(void)
{
    sio_namespace *parent;
    int a, b;

    T_CASE("many at once on a parent: the sockets of all children");
    parent = open_server(NULL);
    a = client_in("/dynamic-1");
    b = client_in("/dynamic-2");
    world_frames(&w, a);
    world_frames(&w, b);
    CHECK(sio_sockets_join(parent, "x", "y") == SIO_OK, "not joined");
    sio_emit(sio_to(parent, "y"), "y");
    CHECK_FRAMES(&w, a, "T:42/dynamic-1,[\"y\"]|");
    CHECK_FRAMES(&w, b, "T:42/dynamic-2,[\"y\"]|");
    sio_sockets_leave(sio_of(w.server, "/dynamic-1"), "y");
    sio_emit(sio_to(parent, "y"), "y");
    CHECK_FRAMES(&w, a, "");
    CHECK_FRAMES(&w, b, "T:42/dynamic-2,[\"y\"]|");
    CHECK(sio_fetch_sockets(parent, NULL, NULL) == SIO_E_INVAL, "fetched");
    CHECK(sio_emit_ack(sio_timeout(parent, 100), NULL, NULL, "q") ==
              SIO_E_INVAL,
          "asked");
    sio_disconnect_sockets(sio_to(parent, "x"), false);
    CHECK_FRAMES(&w, a, "T:41/dynamic-1,|");
    CHECK_FRAMES(&w, b, "T:41/dynamic-2,|");
    world_hang_up(&w, a);
    world_hang_up(&w, b);
    close_server();
}

static void *emit_to_parent(void *parent)
{
    char room[] = "room", text[] = "t\xc3\xa9xt", bytes[] = "\1\2";
    int r =
        sio_emit(sio_to((sio_namespace *)parent, room), "far", sio_string(text),
                 sio_binary(bytes, 2), sio_int(5), sio_binary("", 0));

    memset(room, 'x', sizeof room - 1);
    memset(text, 'x', sizeof text - 1);
    memset(bytes, 'x', sizeof bytes);
    if (r == SIO_OK)
        r = sio_emit((sio_namespace *)parent, "plain");
    if (r == SIO_OK && sio_emit((sio_namespace *)parent, "bad",
                                sio_string("\xff")) != SIO_E_INVAL)
        r = SIO_E_STATE;
    return r == SIO_OK ? parent : NULL;
}

static void test_emit_elsewhere(void)
{
    sio_namespace *parent;
    pthread_t thread;
    void *result;
    int fd;

    T_CASE("emitting to a parent from another thread");
    parent = open_server(NULL);
    sio_on_connection(parent, on_connection, (void *)(uintptr_t) "!");
    fd = client_in("/dynamic-1");
    world_frames(&w, fd);
    CHECK(pthread_create(&thread, NULL, emit_to_parent, parent) == 0, "none");
    pthread_join(thread, &result);
    CHECK(result == parent, "not emitted");
    CHECK_FRAMES(&w, fd,
                 "T:452-/dynamic-1,[\"far\",\"t\xc3\xa9xt\",{\"_placeholder\":"
                 "true,\"num\":0},5,{\"_placeholder\":true,\"num\":1}]|B:0102|"
                 "B:|T:42/dynamic-1,[\"plain\"]|");
    world_hang_up(&w, fd);
    close_server();
}

/* -------------------------------------------------------------- clean-up -- */

static sio_namespace *open_cleaning(void)
{
    sio_options o;

    sio_options_init(&o);
    o.cleanup_empty_child_namespaces = true;
    return open_server(&o);
}

static void test_cleanup(void)
{
    sio_namespace *parent;
    int a, b;

    T_CASE(
        "S70 S71 clean-up: a child goes with its last client, and comes back");
    open_cleaning();
    a = client_in("/dynamic-1");
    b = client_in("/dynamic-1");
    world_send_text(&w, a, "41/dynamic-1,");
    CHECK(dynamic_count() == 1, "gone too early");
    world_hang_up(&w, b);
    CHECK(dynamic_count() == 0, "%zu left", dynamic_count());
    CHECK(!sio_find_namespace(w.server, "/dynamic-1"), "still there");
    world_frames(&w, a);
    seen[0] = 0;
    world_send_text(&w, a, "40/dynamic-1,");
    CHECK_FRAMES(&w, a, "T:40/dynamic-1,*|");
    CHECK_MATCH(seen, "new /dynamic-1;connect /dynamic-1;");
    world_hang_up(&w, a);
    close_server();

    T_CASE("S72 no clean-up: a child stays");
    open_server(NULL);
    a = client_in("/dynamic-1");
    world_hang_up(&w, a);
    world_turn(&w);
    CHECK(dynamic_count() == 1, "it is gone");
    CHECK(sio_socket_count(sio_of(w.server, "/dynamic-1")) == 0, "not empty");
    close_server();

    T_CASE("S73 no clean-up: a child stays when its client is turned away");
    parent = open_server(NULL);
    sio_use(parent, refuse, NULL);
    a = client_in("/dynamic-1");
    CHECK_FRAMES(&w, a, "T:44/dynamic-1,*|");
    CHECK(dynamic_count() == 1, "it is gone");
    world_hang_up(&w, a);
    close_server();

    T_CASE("S74 S75 clean-up when a client is turned away: if it was the only "
           "one");
    parent = open_cleaning();
    sio_use(parent, refuse, NULL);
    a = client_in("/dynamic-1");
    CHECK_FRAMES(&w, a, "T:44/dynamic-1,*|");
    CHECK(dynamic_count() == 0, "still there");
    world_send_text(&w, a, "40/dynamic-1,{\"token\":\"x\"}");
    CHECK_FRAMES(&w, a, "T:40/dynamic-1,*|");
    b = client_in("/dynamic-1");
    CHECK_FRAMES(&w, b, "T:44/dynamic-1,*|");
    CHECK(dynamic_count() == 1, "it is gone");
    world_hang_up(&w, a);
    world_hang_up(&w, b);
    close_server();
}

static sio_socket *kept_socket;

static void keep_socket(sio_socket *socket, void *user)
{
    (void)user;
    kept_socket = sio_retain(socket);
}

/* In the last handler of the last socket: everything may be done to it. */
static void use_to_the_end(sio_socket *socket, const char *reason, void *user)
{
    sio_namespace *nsp = sio_namespace_of(socket);

    (void)reason, (void)user;
    sio_on(nsp, "late", on_echo, NULL);
    sio_emit(sio_to(nsp, "x"), "nobody");
    sio_emit(sio_broadcast(socket), "nobody");
    sio_disconnect_sockets(nsp, true);
    note("%zu;", sio_socket_count(nsp));
}

static void *emit_far(void *nsp)
{
    sio_emit((sio_namespace *)nsp, "far");
    sio_disconnect_sockets((sio_namespace *)nsp, true);
    return NULL;
}

static void *release_far(void *nsp)
{
    sio_namespace_release(nsp);
    return NULL;
}

static void elsewhere(void *(*fn)(void *), void *arg)
{
    pthread_t thread;

    CHECK(pthread_create(&thread, NULL, fn, arg) == 0, "no thread");
    pthread_join(thread, NULL);
}

static void test_lifetime(void)
{
    sio_namespace *parent, *nsp;
    int fd;

    T_CASE(
        "clean-up: handlers use it to the end; a retained socket's is empty");
    parent = open_cleaning();
    sio_on_connection(parent, keep_socket, NULL);
    sio_on_disconnect(parent, use_to_the_end, NULL);
    fd = client_in("/dynamic-1");
    world_frames(&w, fd);
    seen[0] = 0;
    nsp = sio_namespace_of(kept_socket);
    elsewhere(emit_far, nsp); /* arrives when all is gone */
    world_hang_up(&w, fd);
    CHECK_MATCH(seen, "left /dynamic-1 *;0;");
    CHECK(dynamic_count() == 0, "still there");
    CHECK_MATCH(sio_namespace_name(nsp), "/dynamic-1");
    CHECK(sio_emit(nsp, "nobody") == SIO_OK, "no emit");
    CHECK(sio_emit(kept_socket, "nobody") == SIO_OK, "no emit");
    CHECK(sio_join(kept_socket, "x") == SIO_E_STATE, "joined");
    CHECK(sio_sockets_join(nsp, "x") == SIO_OK, "joined");
    elsewhere(emit_far, nsp);
    world_turn(&w);
    sio_release(kept_socket);
    close_server();

    T_CASE("sio_namespace_retain: not cleaned up until it is released");
    open_cleaning();
    nsp = sio_namespace_retain(sio_of(w.server, "/dynamic-1"));
    fd = client_in("/dynamic-1");
    world_hang_up(&w, fd);
    world_turn(&w);
    CHECK(sio_find_namespace(w.server, "/dynamic-1") == nsp, "another");
    sio_namespace_retain(nsp);
    sio_namespace_release(nsp);
    CHECK(dynamic_count() == 1, "it is gone");
    sio_namespace_release(nsp);
    CHECK(dynamic_count() == 0, "still there");
    sio_namespace_release(NULL);
    close_server();

    T_CASE("sio_namespace_release on another thread");
    open_cleaning();
    nsp = sio_namespace_retain(sio_of(w.server, "/dynamic-1"));
    elsewhere(release_far, nsp);
    world_turn(&w);
    CHECK(dynamic_count() == 0, "still there");
    nsp = sio_namespace_retain(sio_of(w.server, "/dynamic-1"));
    fd = client_in("/dynamic-1");
    world_frames(&w, fd);
    elsewhere(release_far, nsp);
    world_turn(&w);
    CHECK(dynamic_count() == 1, "it is gone, with a client in it");
    nsp = sio_namespace_retain(nsp);
    elsewhere(release_far, sio_namespace_retain(nsp));
    world_hang_up(&w, fd);
    elsewhere(release_far, nsp);
    close_server();

    T_CASE("static ones may be retained and released, too");
    open_cleaning();
    nsp = sio_namespace_retain(sio_of(w.server, "/"));
    elsewhere(release_far, nsp);
    world_turn(&w);
    CHECK(sio_of(w.server, "/") == nsp, "another");
    close_server();
}

/* A client is made to leave a child that is cleaned up then: what it had under
 * way is pardoned still. */
static void on_bye(sio_socket *socket, sio_event *event, void *user)
{
    (void)event, (void)user;
    sio_disconnect(socket, false);
}

static void test_under_way(void)
{
    sio_namespace *parent;
    char text[64];
    int fd;

    T_CASE("S2.5 packets for a child that is gone since the client had to "
           "leave");
    parent = open_cleaning();
    sio_on(parent, "bye", on_bye, NULL);
    fd = world_client(&w);
    for (int i = 0; i < 9; i++) {
        snprintf(text, sizeof text, "40/dynamic-%d,", i);
        world_send_text(&w, fd, text);
        snprintf(text, sizeof text, "42/dynamic-%d,[\"bye\"]", i);
        world_send_text(&w, fd, text);
        snprintf(text, sizeof text, "42/dynamic-%d,[\"late\"]", i);
        world_send_text(&w, fd, text);
        snprintf(text, sizeof text, "T:40/dynamic-%d,*|T:41/dynamic-%d,|", i,
                 i);
        CHECK_FRAMES(&w, fd, text);
    }
    CHECK(dynamic_count() == 0, "%zu left", dynamic_count());
    world_send_text(&w, fd, "40/dynamic-8,");
    CHECK_FRAMES(&w, fd, "T:40/dynamic-8,*|");
    world_send_text(&w, fd, "42/dynamic-0,[\"too late\"]"); /* 4 are known */
    CHECK_FRAMES(&w, fd, "C|");
    world_hang_up(&w, fd);
    close_server();
}

/* ---------------------------------------------------------------- limits -- */

static void test_limits(void)
{
    char name[SIO_NAMESPACE_MAX + 32];
    sio_options o;
    int fd, other;

    T_CASE(
        "max_dynamic_namespaces: on it, one past it, and after one has gone");
    sio_options_init(&o);
    o.cleanup_empty_child_namespaces = true;
    o.max_dynamic_namespaces = 2;
    open_server(&o);
    sio_of_function(w.server, rule, (void *)(uintptr_t) "");
    fd = client_in("/dynamic-1");
    other = client_in("/later"); /* one that is decided about counts */
    world_frames(&w, fd);
    w.log[0] = 0;
    world_send_text(&w, fd, "40/dynamic-3,");
    CHECK_FRAMES(&w, fd,
                 "T:44/dynamic-3,{\"message\":\"Too many namespaces\"}|");
    CHECK(strstr(w.log, "max_dynamic_namespaces"), "log: %s", w.log);
    world_send_text(&w, fd, "40/nowhere-3,");
    CHECK_FRAMES(&w, fd, "T:44/nowhere-3,*|");
    CHECK(sio_of(w.server, "/dynamic-4") != NULL, "the program may");
    CHECK(dynamic_count() == 3, "%zu", dynamic_count());
    world_hang_up(&w, other);
    sio_next_ok(undecided[0]);
    world_send_text(&w, fd, "41/dynamic-1,");
    world_send_text(&w, fd, "40/dynamic-3,");
    CHECK_FRAMES(&w, fd, "T:40/dynamic-3,*|");
    world_hang_up(&w, fd);
    close_server();

    T_CASE("max_dynamic_namespaces_per_client: on it and one past it");
    sio_options_init(&o);
    o.max_dynamic_namespaces_per_client = 2;
    open_server(&o);
    sio_of(w.server, "/static");
    fd = client_in("/dynamic-1");
    world_send_text(&w, fd, "40/dynamic-2,");
    world_send_text(&w, fd, "40/static,");
    world_frames(&w, fd);
    other = client_in("/dynamic-3");
    CHECK_FRAMES(&w, other, "T:40/dynamic-3,*|");
    world_send_text(&w, fd, "40/dynamic-3,");
    CHECK_FRAMES(&w, fd, "T:44/dynamic-3,*Too many namespaces\"}|");
    world_send_text(&w, fd, "40/dynamic-4,");
    CHECK_FRAMES(&w, fd, "T:44/dynamic-4,*Too many namespaces\"}|");
    world_send_text(&w, fd, "41/dynamic-1,");
    world_send_text(&w, fd, "40/dynamic-3,");
    CHECK_FRAMES(&w, fd, "T:40/dynamic-3,*|");
    world_hang_up(&w, fd);
    world_hang_up(&w, other);
    close_server();

    for (size_t over = 0; over < 2; over++) {
        T_CASE("a dynamic name of %zu bytes", SIO_NAMESPACE_MAX + over);
        open_server(NULL);
        fd = world_client(&w);
        memcpy(name, "40/dynamic-", 11);
        memset(name + 11, '1', sizeof name - 11);
        memcpy(name + 2 + SIO_NAMESPACE_MAX + over, ",", 2);
        sio_of_regex(w.server, "1$");
        world_send_text(&w, fd, name);
        CHECK_FRAMES(&w, fd,
                     over ? "T:44/dynamic-1*Invalid namespace\"}|"
                          : "T:40/dynamic-1*{*}|");
        world_hang_up(&w, fd);
        close_server();
    }

    T_CASE("limits of 0 are no options");
    sio_options_init(&o);
    o.max_dynamic_namespaces = 0;
    CHECK(!sio_server_new(&o), "a server");
    sio_options_init(&o);
    o.max_dynamic_namespaces_per_client = 0;
    CHECK(!sio_server_new(&o), "a server");
}

/* ------------------------------------------------------ out of memory -- */

static bool run(long n)
{
    sio_namespace *parent, *asked;
    bool failed;
    int a, b;

    seen[0] = 0;
    undecided_count = 0;
    oom_arm(-1);
    parent = open_cleaning();
    asked = sio_of_function(w.server, rule, (void *)(uintptr_t) "");
    sio_on(parent, "echo", on_echo, (void *)(uintptr_t) "");
    sio_use(asked, pass, (void *)(uintptr_t) "");
    sio_use(parent, pass, (void *)(uintptr_t) "");
    a = world_client(&w);
    b = world_client(&w);
    oom_arm(n);
    sio_of_regex(w.server, "^/another");
    sio_of(w.server, "dynamic-5");
    world_send_text(&w, a, "40/dynamic-1,{\"a\":1}");
    world_send_text(&w, b, "40/later,{\"a\":1}");
    world_send_text(&w, a, "40/later,{\"a\":1}");
    sio_emit(sio_to(parent, "x"), "x", sio_binary("abc", 3));
    elsewhere(emit_to_parent, parent);
    world_turn(&w);
    for (size_t i = 0; i < undecided_count; i++)
        sio_next_ok(undecided[i]);
    sio_sockets_join(parent, "x", "y");
    world_send_text(&w, a, "42/dynamic-1,[\"echo\",1]");
    failed = oom_disarm();
    world_hang_up(&w, a);
    world_hang_up(&w, b);
    world_turn(&w);
    CHECK(dynamic_count() <= 1, "n = %ld: %zu left", n, dynamic_count());
    a = client_in("/dynamic-1");
    CHECK_FRAMES(&w, a, "T:40/dynamic-1,*|");
    world_hang_up(&w, a);
    close_server();
    return failed;
}

static void test_oom(void)
{
    long n = 0;

    T_CASE("dynamic namespaces: every allocation fails once");
    while (run(n))
        n++;
    CHECK(n > 20, "only %ld allocations", n);
    printf("# %ld allocations\n", n);
}

int main(void)
{
    test_static();
    test_regex();
    test_function();
    test_while_deciding();
    test_other_thread();
    test_inherit();
    test_parent_calls();
    test_emit_elsewhere();
    test_cleanup();
    test_lifetime();
    test_under_way();
    test_limits();
    test_oom();
    return t_done();
}
