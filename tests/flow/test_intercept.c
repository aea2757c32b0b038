/*
 * test_intercept.c -- catch-all listeners in both directions, middlewares of
 * events, errors, handlers that are taken away.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sio/sio.h>

#include <pthread.h>

#include "tests/flow/packets.h"
#include "tests/flow/tell.h"
#include "tests/flow/toy.h"
#include "tests/unit/oom.h"

static struct world w;
static sio_namespace *root;

static void told(const char *want)
{
    CHECK_MATCH(story, want);
    story[0] = 0;
}

static void open_with(const sio_parser *parser)
{
    sio_options options;

    story[0] = 0;
    sio_options_init(&options);
    options.parser = parser;
    CHECK(world_open(&w, &options), "no server");
    root = sio_of(w.server, "/");
}

static int begin(void)
{
    open_with(NULL);
    return world_client(&w);
}

static void end(int fd)
{
    world_hang_up(&w, fd);
    world_check_empty(&w);
    world_close(&w);
}

/* --------------------------------------------------------------- handlers */

/* The same text is the same pointer: what handlers are taken away by. */
static char *tag(const char *text)
{
    static char tags[32][16];
    size_t i = 0;

    while (tags[i][0] && strcmp(tags[i], text) != 0)
        i++;
    CHECK(i < COUNT(tags) - 1, "too many tags");
    snprintf(tags[i], sizeof tags[i], "%s", text);
    return tags[i];
}

/* "tag:name(first argument as text)" */
static void note(sio_socket *socket, sio_event *event, void *user)
{
    sio_str raw = STR("");

    (void)socket;
    sio_arg_raw(event, 0, &raw);
    tell("%s:%s(%.*s);", (const char *)user, sio_event_name(event), (int)raw.n,
         raw.p);
}

static void note_all(sio_socket *socket, sio_event *event, void *user)
{
    (void)socket;
    (void)user;
    tell_event(event);
}

static void note_error(sio_socket *socket, const char *message,
                       const sio_value *data, void *user)
{
    (void)user;
    tell("error %s %s %.*s;", sio_namespace_name(sio_namespace_of(socket)),
         message, data ? (int)data->size : 1,
         data ? (const char *)data->data : "-");
}

static void note_gone(sio_socket *socket, const char *reason, void *user)
{
    (void)user;
    tell("gone %s %s;", sio_namespace_name(sio_namespace_of(socket)), reason);
}

static void pass(sio_socket *socket, sio_event *event, sio_next *next,
                 void *user)
{
    note(socket, event, user);
    sio_next_ok(next);
}

/* ------------------------------------------------------- catch-all, coming */

static void test_any(void)
{
    int fd;

    T_CASE("S130: a catch-all listener gets the name and the arguments");
    fd = begin();
    sio_on_any(root, note, tag("any"));
    sio_on(root, "a", note, tag("on"));
    world_send_text(&w, fd, "42[\"a\",\"x\"]");
    told("any:a(\"x\");on:a(\"x\");");
    world_send_text(&w, fd, "42[\"b\",1]");
    told("any:b(1);");
    end(fd);

    T_CASE("S131: prepended ones are first, the last prepended before all");
    fd = begin();
    sio_on_any(root, note, tag("3"));
    sio_prepend_any(root, note, tag("2"));
    sio_prepend_any(root, note, tag("1"));
    sio_on_any(root, note, tag("4"));
    world_send_text(&w, fd, "42[\"a\"]");
    told("1:a();2:a();3:a();4:a();");

    T_CASE("S132: taken away, one and all");
    CHECK(sio_off_any(root, note, tag("2")) == SIO_OK, "it was not there");
    CHECK(sio_off_any(root, note, tag("2")) == SIO_E_RANGE, "it still is");
    world_send_text(&w, fd, "42[\"a\"]");
    told("1:a();3:a();4:a();");
    CHECK(sio_off_any(root, NULL, NULL) == SIO_OK, "none was there");
    CHECK(sio_off_any(root, NULL, NULL) == SIO_E_RANGE, "some are left");
    world_send_text(&w, fd, "42[\"a\"]");
    told("");
    end(fd);

    T_CASE("S127 S3.9: an event that a DISCONNECT follows is seen by listeners "
           "and middlewares, not by handlers");
    fd = begin();
    sio_on_any(root, note, tag("any"));
    sio_use_events(root, pass, tag("use"));
    sio_on(root, "a", note, tag("on"));
    sio_on_disconnect(root, note_gone, NULL);
    world_write(&w, fd,
                "\x81\x87\0\0\0\0"
                "42[\"a\"]"
                "\x81\x82\0\0\0\0"
                "41",
                6 + 7 + 6 + 2);
    told("any:a();use:a();gone / client namespace disconnect;");
    end(fd);
}

static void leave_now(sio_socket *socket, sio_event *event, void *user)
{
    (void)event;
    sio_disconnect(socket, user != NULL);
}

static void test_any_ends(void)
{
    static char all[] = "all";

    for (size_t i = 0; i < 2; i++) {
        int fd;

        T_CASE("a catch-all listener disconnects: %s",
               i ? "the client" : "from the namespace");
        fd = begin();
        sio_on_any(root, leave_now, i ? all : NULL);
        sio_use_events(root, pass, tag("use"));
        sio_on(root, "a", note, tag("on"));
        world_send_text(&w, fd,
                        "451-[\"a\",{\"_placeholder\":true,\"num\":0}]");
        world_send_binary(&w, fd, "ab", 2);
        told("");
        CHECK_FRAMES(&w, fd, "T:41|*");
        end(fd);
    }
}

static void test_child(void)
{
    sio_namespace *rule;
    int fd;

    T_CASE("listeners and middlewares of a parent, then the child's own");
    open_with(NULL);
    rule = sio_of_regex(w.server, "^/c$");
    sio_on_any(rule, note, tag("parent"));
    sio_use_events(rule, pass, tag("parent use"));
    sio_on_any_outgoing(rule, note, tag("parent out"));
    fd = world_client(&w);
    world_send_text(&w, fd, "40/c");
    world_frames(&w, fd);
    sio_on_any(sio_of(w.server, "/c"), note, tag("child"));
    sio_use_events(sio_of(w.server, "/c"), pass, tag("child use"));
    sio_on_any_outgoing(sio_of(w.server, "/c"), note, tag("child out"));
    world_send_text(&w, fd, "42/c,[\"a\"]");
    told("parent:a();child:a();parent use:a();child use:a();");
    world_send_text(&w, fd, "42[\"a\"]"); /* of another namespace */
    told("");
    sio_emit(rule, "b");
    told("parent out:b();child out:b();");
    end(fd);
}

/* ------------------------------------------------------- catch-all, leaving */

static void on_do(sio_socket *socket, sio_event *event, void *user)
{
    const char *what = "";

    (void)user;
    sio_arg_string(event, 0, &what, NULL);
    if (strcmp(what, "emit") == 0)
        sio_emit(socket, "a", sio_string("x"));
    else if (strcmp(what, "io") == 0)
        sio_emit(root, "a", sio_string("x"));
    else if (strcmp(what, "binary") == 0)
        sio_emit(root, "a", sio_binary("ab", 2), sio_arg(event, 1),
                 sio_raw_json("[1]", 3));
    else if (strcmp(what, "ack") == 0)
        sio_ack(event, sio_string("x"));
    else if (strcmp(what, "volatile") == 0) {
        sio_emit(socket, "first");
        sio_emit(sio_volatile(socket), "dropped");
    } else if (strcmp(what, "bad") == 0)
        tell("%d;", sio_emit(socket, "a", sio_string("\xff")));
}

static void on_answer(int error, sio_event *answers, void *user)
{
    (void)answers;
    (void)user;
    tell("answer %d;", error);
}

static void test_outgoing(void)
{
    int fd = begin(), other;

    sio_on(root, "do", on_do, NULL);
    sio_on_any_outgoing(root, note, tag("out"));

    T_CASE("S133: what is emitted to a socket is seen");
    world_send_text(&w, fd, "42[\"do\",\"emit\"]");
    told("out:a(\"x\");");
    CHECK_FRAMES(&w, fd, "T:42[\"a\",\"x\"]|");

    T_CASE("S134: what is emitted to all is seen, once per socket");
    other = world_client(&w);
    world_send_text(&w, fd, "42[\"do\",\"io\"]");
    told("out:a(\"x\");out:a(\"x\");");
    CHECK_FRAMES(&w, fd, "T:42[\"a\",\"x\"]|");
    world_hang_up(&w, other);

    T_CASE("S3.10: volatile and dropped: seen all the same");
    world_send_text(&w, fd, "42[\"do\",\"volatile\"]");
    told("out:first();out:dropped();");
    CHECK_FRAMES(&w, fd, "T:42[\"first\"]|");

    T_CASE("S3.10: acknowledgements are not seen, what is asked is");
    world_send_text(&w, fd, "421[\"do\",\"ack\"]");
    told("");
    CHECK_FRAMES(&w, fd, "T:431[\"x\"]|");
    sio_emit_ack(sio_timeout(root, 10), on_answer, NULL, "q");
    told("out:q();");
    world_advance(&w, 20);
    told("answer -8;");
    world_frames(&w, fd);

    T_CASE("what cannot be emitted is not seen");
    world_send_text(&w, fd, "42[\"do\",\"bad\"]");
    told("-2;");

    T_CASE("S136: prepended ones are first");
    sio_prepend_any_outgoing(root, note, tag("2"));
    sio_prepend_any_outgoing(root, note, tag("1"));
    world_send_text(&w, fd, "42[\"do\",\"emit\"]");
    told("1:a(\"x\");2:a(\"x\");out:a(\"x\");");

    T_CASE("S137: taken away");
    CHECK(sio_off_any_outgoing(root, note, tag("out")) == SIO_OK, "none");
    CHECK(sio_off_any_outgoing(root, note, tag("out")) == SIO_E_RANGE, "twice");
    world_send_text(&w, fd, "42[\"do\",\"emit\"]");
    told("1:a(\"x\");2:a(\"x\");");
    sio_off_any_outgoing(root, NULL, NULL);
    world_send_text(&w, fd, "42[\"do\",\"io\"]");
    told("");
    end(fd);
}

static void test_outgoing_binary(void)
{
    int fd = begin();

    T_CASE("S135: binary is seen as binary, also what is passed on");
    sio_on(root, "do", on_do, NULL);
    sio_on_any_outgoing(root, note_all, NULL);
    world_send_text(&w, fd,
                    "451-[\"do\",\"binary\",{\"_placeholder\":true,"
                    "\"num\":0}]");
    world_send_binary(&w, fd, "cd", 2);
    told("a, 3 arguments\n"
         "0: kind 5 * binary 0 ab *"
         "1: kind 5 * binary 0 cd *"
         "2: kind 6 * raw 0 [1]*"
         "2 attachments: ab cd\n");
    end(fd);
}

/* A listener that does whatever it likes to those who are to be reached. */
static void meddle(sio_socket *socket, sio_event *event, void *user)
{
    (void)user;
    tell("meddle %s;", sio_event_name(event));
    if (strcmp(sio_event_name(event), "all") != 0)
        return;
    sio_emit(socket, "before");
    sio_emit(sio_namespace_of(socket), "round");
    sio_disconnect_sockets(sio_namespace_of(socket), false);
}

static void test_outgoing_meddles(void)
{
    int a = begin(), b = world_client(&w);

    T_CASE("a listener disconnects whom the broadcast is for");
    sio_on_any_outgoing(root, meddle, NULL);
    sio_emit(root, "all");
    told("meddle all;meddle before;meddle round;meddle round;");
    CHECK_FRAMES(&w, a, "T:42[\"before\"]|T:42[\"round\"]|T:41|");
    CHECK_FRAMES(&w, b, "T:42[\"round\"]|T:41|");
    world_hang_up(&w, a);
    end(b);
}

static void *emit_there(void *to)
{
    sio_emit((sio_socket *)to, "one", sio_binary("ab", 2));
    sio_emit(sio_namespace_of(to), "all", sio_int(1));
    return NULL;
}

static sio_socket *kept_socket;

static void keep_socket(sio_socket *socket, void *user)
{
    (void)user;
    kept_socket = sio_retain(socket);
}

static void test_outgoing_thread(void)
{
    pthread_t thread;
    int fd;

    T_CASE("what other threads emit is seen, on the loop");
    open_with(NULL);
    sio_on_connection(root, keep_socket, NULL);
    fd = world_client(&w);
    sio_on_any_outgoing(root, note, tag("out"));
    CHECK(pthread_create(&thread, NULL, emit_there, kept_socket) == 0,
          "no thread");
    pthread_join(thread, NULL);
    told("");
    world_turn(&w);
    told("out:one({\"_placeholder\":true,\"num\":0});out:all(1);");
    CHECK_FRAMES(&w, fd,
                 "T:451-[\"one\",{\"_placeholder\":true,\"num\":0}]|B:6162|"
                 "T:42[\"all\",1]|");
    sio_release(kept_socket);
    end(fd);
}

/* ------------------------------------------------------------ middlewares */

static void rename_event(sio_socket *socket, sio_event *event, sio_next *next,
                         void *user)
{
    const sio_value values[] = { sio_string("wrap"), sio_arg(event, 0) };

    (void)socket;
    (void)user;
    CHECK(sio_event_replace(event, "connect", values, 2) == SIO_E_RESERVED,
          "a reserved name");
    if (strcmp(sio_event_name(event), "a") == 0)
        CHECK(sio_event_replace(event, "b", values, 2) == SIO_OK, "replace");
    sio_next_ok(next);
}

static void refuse(sio_socket *socket, sio_event *event, sio_next *next,
                   void *user)
{
    sio_value data = sio_raw_json("{\"a\":1}", 7);

    (void)socket;
    (void)event;
    sio_next_error(next, "no", user ? &data : NULL);
}

static void answer(sio_socket *socket, sio_event *event, void *user)
{
    (void)socket;
    (void)user;
    sio_ack(event, sio_arg(event, 0), sio_arg(event, 1));
}

static void test_middlewares(void)
{
    static char with_data[] = "data";
    int fd;

    T_CASE("S169: middlewares run in order and may rewrite the event");
    fd = begin();
    sio_use_events(root, pass, tag("1"));
    sio_use_events(root, rename_event, NULL);
    sio_use_events(root, pass, tag("2"));
    sio_on(root, "a", note, tag("on"));
    sio_on(root, "b", answer, NULL);
    world_send_text(&w, fd, "427[\"a\",\"x\"]");
    told("1:a(\"x\");2:b(\"wrap\");");
    CHECK_FRAMES(&w, fd, "T:437[\"wrap\",\"x\"]|");
    world_send_text(&w, fd, "451-7[\"a\",{\"_placeholder\":true,\"num\":0}]");
    world_send_binary(&w, fd, "ab", 2);
    CHECK_FRAMES(&w, fd,
                 "T:461-7[\"wrap\",{\"_placeholder\":true,\"num\":0}]|B:6162|");
    end(fd);

    T_CASE("S170: an error ends it, the client stays and is not told");
    fd = begin();
    sio_on_any(root, note, tag("any"));
    sio_on_error(root, note_error, NULL);
    sio_use_events(root, pass, tag("1"));
    sio_use_events(root, refuse, NULL);
    sio_use_events(root, pass, tag("2"));
    sio_on(root, "a", note, tag("on"));
    world_send_text(&w, fd, "427[\"a\"]");
    told("any:a();1:a();error / no -;");
    CHECK_FRAMES(&w, fd, "");
    end(fd);

    T_CASE("S170: the data of an error");
    fd = begin();
    sio_on_error(root, note_error, NULL);
    sio_use_events(root, refuse, with_data);
    world_send_text(&w, fd, "42[\"a\"]");
    told("error / no {\"a\":1};");
    end(fd);

    T_CASE("a middleware of events: no allocation");
    fd = begin();
    sio_use_events(root, pass, tag("use"));
    for (int i = 0; i < 20; i++) {
        long before = oom_count();

        story[0] = 0;
        world_send_text(&w, fd, "42[\"z\"]");
        /* the name, as a text */
        CHECK(i < 5 || oom_count() - before <= 1, "%ld", oom_count() - before);
    }
    end(fd);
}

/* ---------------------------------------------------------- answered later */

static sio_next *waiting[2000];
static sio_event *waiting_event[2000];
static sio_pending_ack *ack;
static size_t waiting_count;

static void later(sio_socket *socket, sio_event *event, sio_next *next,
                  void *user)
{
    (void)socket;
    if (user)
        CHECK(sio_next_keep(next) == SIO_OK, "not kept");
    if (sio_wants_ack(event) && !ack && strcmp(sio_event_name(event), "l") == 0)
        ack = sio_ack_later(event);
    waiting_event[waiting_count] = event;
    waiting[waiting_count++] = next;
}

/* Only "w" has to wait. */
static void maybe_later(sio_socket *socket, sio_event *event, sio_next *next,
                        void *user)
{
    if (strcmp(sio_event_name(event), "w") == 0)
        later(socket, event, next, user);
    else
        sio_next_ok(next);
}

static void *let_pass(void *next)
{
    sio_next_ok(next);
    return NULL;
}

static void *let_fail(void *next)
{
    sio_value data = sio_binary("ab", 2);

    sio_next_error(next, "from a thread", &data);
    return NULL;
}

static void there(void *(*fn)(void *next), sio_next *next)
{
    pthread_t thread;

    CHECK(pthread_create(&thread, NULL, fn, next) == 0, "no thread");
    pthread_join(thread, NULL);
    world_turn(&w);
}

static void test_later(void)
{
    int fd;

    T_CASE("an event that waits is passed by later ones");
    fd = begin();
    waiting_count = 0;
    sio_use_events(root, pass, tag("1"));
    sio_use_events(root, maybe_later, NULL);
    sio_use_events(root, pass, tag("2"));
    sio_on(root, "w", answer, NULL);
    sio_on(root, "a", note, tag("on"));
    world_send_text(&w, fd, "423[\"w\",\"first\",[1,\"x\"]]");
    world_send_text(&w, fd, "42[\"a\",\"second, which is much longer\"]");
    told("1:w(\"first\");1:a(\"second*\");2:a(\"*\");on:a(\"*\");");
    there(let_pass, waiting[0]);
    told("2:w(\"first\");");
    CHECK_FRAMES(&w, fd, "T:433[\"first\",[1,\"x\"]]|");

    T_CASE("answered on the loop: its handlers run after what runs there");
    world_send_text(&w, fd, "424[\"w\",4]");
    sio_next_ok(waiting[1]);
    told("1:w(4);");
    world_turn(&w);
    told("2:w(4);");
    CHECK_FRAMES(&w, fd, "T:434[4,null]|");

    T_CASE("refused later, from another thread, with binary data");
    sio_on_error(root, note_error, NULL);
    world_send_text(&w, fd, "42[\"w\"]");
    there(let_fail, waiting[2]);
    told("1:w();error / from a thread {\"_placeholder\":true,\"num\":0};");

    T_CASE("the socket is gone meanwhile: nothing happens");
    world_send_text(&w, fd, "42[\"w\"]");
    world_send_text(&w, fd, "42[\"w\"]");
    told("1:w();1:w();");
    world_hang_up(&w, fd);
    sio_next_ok(waiting[3]);
    there(let_fail, waiting[4]);
    told("");
    world_check_empty(&w);
    world_close(&w);

    T_CASE("S3.2: an acknowledgement that was taken out of a dropped event");
    fd = begin();
    ack = NULL;
    waiting_count = 0;
    sio_use_events(root, later, NULL);
    world_send_text(&w, fd, "428[\"l\"]");
    sio_next_error(waiting[0], NULL, NULL);
    world_turn(&w);
    CHECK(ack != NULL, "none was taken");
    sio_answer(ack, sio_int(1));
    CHECK_FRAMES(&w, fd, "T:438[1]|");
    end(fd);
    ack = NULL;
}

static void replace_waiting(size_t i)
{
    const sio_value values[] = { sio_arg(waiting_event[i], 1), sio_int(7),
                                 sio_arg(waiting_event[i], 0) };

    CHECK(sio_event_replace(waiting_event[i], NULL, values, 3) == SIO_OK,
          "replace");
}

/* The same under each parser: JSON, MessagePack, one of the program. */
static void send_event(int fd, size_t parser)
{
    static const char toy[] = "42/\x1f\x1fk\x1fsx\x1f"
                              "b0\x1fj{\"a\":[1]}\x1f#1";

    if (parser == 1) {
        packets_send(&w, fd,
                     "{\"type\":2,\"nsp\":\"/\",\"data\":[\"k\",\"x\","
                     "{\"_placeholder\":true,\"num\":0},{\"a\":[1]}]}");
        return;
    }
    world_send_text(&w, fd,
                    parser ? toy
                           : "451-[\"k\",\"x\",{\"_placeholder\":true,"
                             "\"num\":0},{\"a\":[1]}]");
    world_send_binary(&w, fd, "ab", 2);
}

static int client_of(size_t parser)
{
    int fd;

    if (parser == 0)
        return world_client(&w);
    if (parser == 1)
        return packets_client(&w);
    fd = world_websocket(&w, "EIO=4&transport=websocket");
    world_send_text(&w, fd, "40/\x1f\x1f\x1f#0");
    return fd;
}

static void test_kept(void)
{
    static const char *const names[] = { "JSON", "MessagePack", "a toy" };
    const sio_parser *const parsers[] = { NULL, sio_msgpack_parser(),
                                          toy_parser() };
    static char first[sizeof story];

    for (size_t i = 0; i < 6; i++) {
        int fd;

        T_CASE("an event that waits reads the same, %s, %s", names[i / 2],
               i & 1 ? "kept at once" : "kept when it has to be");
        open_with(parsers[i / 2]);
        waiting_count = 0;
        sio_on_any(root, note_all, NULL);
        sio_use_events(root, later, i & 1 ? first : NULL);
        sio_on(root, "k", note_all, NULL);
        fd = client_of(i / 2);
        send_event(fd, i / 2);
        memcpy(first, story, sizeof story);
        CHECK(strlen(first) > 0, "nothing came");
        send_event(fd, i / 2); /* over the same input */
        CHECK(waiting_count == 2, "%zu wait", waiting_count);
        story[0] = 0;
        sio_next_ok(waiting[0]);
        world_turn(&w);
        CHECK(strcmp(story, first) == 0, "%s\nnot\n%s", story, first);
        story[0] = 0;
        replace_waiting(1);
        sio_next_ok(waiting[1]);
        world_turn(&w);
        told("k, 3 arguments\n0: kind 5 *binary 0 ab*1: kind 2*2: kind 4 "
             "string 0 x*1 attachments: ab\n");
        end(fd);
    }
}

static void test_waiting_limit(void)
{
    int fd = begin();

    T_CASE("SIO_WAITING_EVENTS: on it, and one past it");
    waiting_count = 0;
    sio_use_events(root, later, NULL);
    sio_on_disconnect(root, note_gone, NULL);
    for (size_t i = 0; i < SIO_WAITING_EVENTS; i++)
        world_send_text(&w, fd, "42[\"a\"]");
    told("");
    sio_next_ok(waiting[0]);
    world_turn(&w);
    world_send_text(&w, fd, "42[\"a\"]");
    told("");
    world_send_text(&w, fd, "42[\"a\"]");
    told("gone / forced close;");
    CHECK(strstr(w.log, "too many events wait"), "not logged: %s", w.log);
    for (size_t i = 1; i < waiting_count; i++)
        sio_next_ok(waiting[i]);
    end(fd);
}

static void test_waiting_bytes(void)
{
    static char text[20000];
    sio_options options;
    int fd;

    T_CASE("max_unfinished_bytes counts what waits");
    story[0] = 0;
    sio_options_init(&options);
    options.max_http_buffer_size = 20000;
    options.max_unfinished_bytes = 80000;
    CHECK(world_open(&w, &options), "no server");
    root = sio_of(w.server, "/");
    waiting_count = 0;
    sio_use_events(root, later, NULL);
    sio_on_disconnect(root, note_gone, NULL);
    fd = world_client(&w);
    memset(text, 'x', sizeof text);
    memcpy(text, "42[\"", 4);
    memcpy(text + 19000, "\"]", 3);
    for (int i = 0; i < 4; i++)
        world_send_text(&w, fd, text);
    told("");
    world_send_text(&w, fd, text);
    told("gone / forced close;");
    for (size_t i = 0; i < waiting_count; i++)
        sio_next_ok(waiting[i]);
    end(fd);
}

/* --------------------------------------- acknowledged after having left */

static void take_ack(sio_socket *socket, sio_event *event, void *user)
{
    (void)socket;
    (void)user;
    ack = sio_ack_later(event);
}

static void leave_and_ack(sio_socket *socket, sio_event *event, void *user)
{
    (void)user;
    sio_disconnect(socket, false);
    CHECK(sio_ack(event, sio_int(2)) == SIO_OK, "not acknowledged");
    CHECK(sio_ack(event, sio_int(3)) == SIO_E_STATE, "twice");
}

static void *answer_there(void *pending)
{
    sio_answer((sio_pending_ack *)pending, sio_int(1));
    return NULL;
}

static void test_ack_after_leaving(void)
{
    pthread_t thread;
    int fd;

    for (int there = 0; there < 2; there++) {
        T_CASE("S3.2: acknowledged after the client left the namespace%s",
               there ? ", by another thread" : "");
        fd = begin();
        sio_on(root, "a", take_ack, NULL);
        world_send_text(&w, fd, "425[\"a\"]");
        world_send_text(&w, fd, "41");
        if (there) {
            CHECK(pthread_create(&thread, NULL, answer_there, ack) == 0, "-");
            pthread_join(thread, NULL);
        } else {
            answer_there(ack);
        }
        CHECK_FRAMES(&w, fd, "T:435[1]|");
        end(fd);
    }

    T_CASE("S3.2: the connection is gone: the answer is dropped");
    fd = begin();
    sio_on(root, "a", take_ack, NULL);
    world_send_text(&w, fd, "425[\"a\"]");
    world_hang_up(&w, fd);
    answer_there(ack);
    world_check_empty(&w);
    world_close(&w);

    T_CASE("S3.2: the handler disconnects, then acknowledges");
    fd = begin();
    sio_on(root, "a", leave_and_ack, NULL);
    world_send_text(&w, fd, "425[\"a\"]");
    CHECK_FRAMES(&w, fd, "T:41|T:435[2]|");
    end(fd);
    ack = NULL;
}

/* ---------------------------------------------------------------- errors */

static void close_all(sio_socket *socket, const char *message,
                      const sio_value *data, void *user)
{
    note_error(socket, message, data, user);
    sio_disconnect(socket, true);
}

static void test_errors(void)
{
    static const struct {
        const char *text, *message;
    } rows[] = {
        { "S123: 5woooot", "Illegal attachments" },
        { "S124: 5", "Illegal attachments" },
        { "S1.4: 2[]", "invalid payload" },
        { "S1.4: 7", "unknown packet type*" },
    };
    char want[200];
    int fd;

    for (size_t i = 0; i < COUNT(rows); i++) {
        char text[20];

        T_CASE("%s: an error, then forced close", rows[i].text);
        fd = begin();
        sio_on_error(root, note_error, NULL);
        sio_on_disconnect(root, note_gone, NULL);
        snprintf(text, sizeof text, "4%s", strchr(rows[i].text, ' ') + 1);
        world_send_text(&w, fd, text);
        snprintf(want, sizeof want, "error / %s -;gone / forced close;",
                 rows[i].message);
        world_hang_up(&w, fd);
        told(want);
        world_check_empty(&w);
        world_close(&w);
    }

    T_CASE("S82: binary that belongs to nothing: told to each namespace");
    fd = begin();
    sio_on_error(root, note_error, NULL);
    sio_on_error(sio_of(w.server, "/b"), note_error, NULL);
    sio_on_disconnect(root, note_gone, NULL);
    world_send_text(&w, fd, "40/b");
    world_send_binary(&w, fd, "x", 1);
    world_hang_up(&w, fd);
    told("error / got binary data when *;error /b got binary data *;"
         "gone / forced close;");
    world_check_empty(&w);
    world_close(&w);

    T_CASE("a handler of errors closes the client itself");
    fd = begin();
    sio_on_error(root, close_all, NULL);
    sio_on_error(sio_of(w.server, "/b"), note_error, NULL);
    sio_on_disconnect(root, note_gone, NULL);
    world_send_text(&w, fd, "40/b");
    world_send_text(&w, fd, "4x");
    told("error / * -;gone / server namespace disconnect;");
    end(fd);
}

/* ------------------------------------------------------------- taken away */

static void once(sio_socket *socket, sio_event *event, void *user)
{
    note(socket, event, user);
    CHECK(sio_off(root, "a", once, user) == SIO_OK, "it was not there");
    CHECK(sio_off(root, "a", note, tag("next")) == SIO_OK, "nor the next");
}

static void test_off(void)
{
    int fd = begin();

    T_CASE("a handler takes itself away, and the one behind it");
    sio_on(root, "a", once, tag("once"));
    sio_on(root, "a", note, tag("next"));
    sio_on(root, "a", note, tag("last"));
    sio_on_unhandled(root, note, tag("unhandled"));
    world_send_text(&w, fd, "42[\"a\"]");
    told("once:a();last:a();");
    world_send_text(&w, fd, "42[\"a\"]");
    told("last:a();");
    CHECK(sio_off(root, "a", note, tag("x")) == SIO_E_RANGE, "another user");
    CHECK(sio_off(root, "b", NULL, NULL) == SIO_E_RANGE, "another event");
    CHECK(sio_off(root, "a", NULL, NULL) == SIO_OK, "all of them");
    world_send_text(&w, fd, "42[\"a\"]");
    told("unhandled:a();");
    CHECK(sio_on(root, "a", note, tag("again")) == SIO_OK, "again");
    world_send_text(&w, fd, "42[\"a\"]");
    told("again:a();");
    end(fd);
}

/* ------------------------------------------------------------ no memory */

#define RETRY(call)                \
    do {                           \
        if ((call) == SIO_E_NOMEM) \
            (void)(call);          \
    } while (0)

static void live(void)
{
    int fd;

    RETRY(sio_prepend_any(root, note, tag("any")));
    RETRY(sio_on_any_outgoing(root, note, tag("out")));
    RETRY(sio_use_events(root, maybe_later, NULL));
    RETRY(sio_on_error(root, note_error, NULL));
    RETRY(sio_on(root, "do", on_do, NULL));
    RETRY(sio_on(root, "w", answer, NULL));
    fd = world_client(&w);
    if (fd < 0)
        return;
    world_send_text(&w, fd, "42[\"do\",\"io\"]");
    world_send_text(&w, fd, "42[\"do\",\"emit\"]");
    world_send_text(&w, fd, "451-[\"w\",{\"_placeholder\":true,\"num\":0}]");
    world_send_binary(&w, fd, "ab", 2);
    world_send_text(&w, fd, "429[\"w\",\"x\",1]");
    sio_emit_ack(sio_timeout(root, 10), on_answer, NULL, "q");
    if (waiting_count > 0)
        sio_next_error(waiting[0], "no", NULL);
    world_turn(&w);
    if (waiting_count > 1) {
        sio_value value = sio_string("instead");

        sio_event_replace(waiting_event[1], "w", &value, 1);
        sio_next_ok(waiting[1]);
    }
    world_turn(&w);
    world_send_text(&w, fd, "4x");
    world_hang_up(&w, fd);
}

static void test_oom(void)
{
    bool failed = true;
    long n = 0;

    T_CASE("every allocation fails once");
    for (; failed; n++) {
        open_with(NULL);
        waiting_count = 0;
        oom_arm(n);
        live();
        failed = oom_disarm();
        world_advance(&w, 80000);
        world_check_empty(&w);
        world_close(&w);
    }
    CHECK(n > 30, "only %ld", n);
    printf("# %ld allocations\n", n);
}

int main(void)
{
    test_any();
    test_any_ends();
    test_child();
    test_outgoing();
    test_outgoing_binary();
    test_outgoing_meddles();
    test_outgoing_thread();
    test_middlewares();
    test_later();
    test_kept();
    test_waiting_limit();
    test_waiting_bytes();
    test_ack_after_leaving();
    test_errors();
    test_off();
    test_oom();
    return t_done();
}
