/*
 * test_recovery.c -- clients that come back: <sio/recovery.h>, socketio.md 6.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sio/sio.h>

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/flow/world.h"
#include "tests/unit/oom.h"

/* A client, and what it has to say to be itself again. */
struct client {
    int fd;
    char sid[32], pid[32], offset[32];
};

static struct world w;
static char seen[4096]; /* what the handlers have told */
static sio_socket *latest;
static sio_next *undecided;
static int freed;

__attribute__((format(printf, 1, 2))) static void see(const char *fmt, ...)
{
    size_t n = strlen(seen);
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(seen + n, sizeof seen - n, fmt, ap);
    va_end(ap);
}

#define CHECK_SEEN(pattern)         \
    do {                            \
        CHECK_MATCH(seen, pattern); \
        seen[0] = 0;                \
    } while (0)

static void see_room(void *user, sio_str room)
{
    (void)user;
    if (room.n != 20)
        see(",%.*s", (int)room.n, room.p);
}

static void on_connection(sio_socket *socket, void *user)
{
    sio_str data = sio_data_json(socket);

    (void)user;
    latest = socket;
    see("in:%s", sio_recovery_name(sio_recovery_of(socket)));
    sio_each_room(socket, see_room, NULL);
    see(" %.*s;", (int)data.n, data.p);
}

static void on_disconnect(sio_socket *socket, const char *reason, void *user)
{
    (void)user;
    if (socket == latest)
        latest = NULL;
    see("out:%s;", reason);
}

static void on_middleware(sio_socket *socket, sio_next *next, void *user)
{
    char how[16] = "";

    (void)user;
    see("asked%s;", sio_recovered(socket) ? " again" : "");
    sio_auth_string(socket, "how", how, sizeof how);
    if (strcmp(how, "later") == 0)
        undecided = next;
    else if (strcmp(how, "no") == 0)
        sio_next_error(next, "no", NULL);
    else
        sio_next_ok(next);
}

static void on_message(sio_socket *socket, sio_event *event, void *user)
{
    (void)socket, (void)event, (void)user;
    see("event;");
}

static sio_options options(void)
{
    sio_options o;

    sio_options_init(&o);
    o.connection_state_recovery = true;
    o.log_level = SIO_LOG_INFO;
    return o;
}

static void open_server(const sio_options *o)
{
    sio_namespace *nsp;

    seen[0] = 0;
    latest = NULL;
    CHECK(world_open(&w, o), "no server");
    nsp = sio_of(w.server, "/");
    sio_on_connection(nsp, on_connection, NULL);
    sio_on_disconnect(nsp, on_disconnect, NULL);
    sio_on(nsp, "message", on_message, NULL);
}

static void close_server(void)
{
    world_advance(&w, 130000);
    world_check_empty(&w);
    world_close(&w);
}

static sio_stats stats(void)
{
    sio_stats s;

    sio_get_stats(w.server, &s);
    return s;
}

static sio_namespace *root(void)
{
    return sio_of(w.server, "/");
}

/* The text between `from` and the next quote, of up to 31 characters; where
 * there is none `out` stays as it is. */
static void cut(const char *text, const char *from, char out[32])
{
    const char *at = strstr(text, from);
    size_t n = at ? strcspn(at + strlen(from), "\"") : 0;

    if (!at || n > 31)
        return;
    memcpy(out, at + strlen(from), n);
    out[n] = 0;
}

/* Connects with that CONNECT packet; what comes back. */
static const char *dial(struct client *c, const char *packet)
{
    const char *got;

    c->fd = world_websocket(&w, "EIO=4&transport=websocket");
    world_frames(&w, c->fd);
    world_send_text(&w, c->fd, packet);
    got = world_frames(&w, c->fd);
    cut(got, "{\"sid\":\"", c->sid);
    cut(got, "\"pid\":\"", c->pid);
    return got;
}

/* The string at the end of the last event there is in `got`. */
static void note_offset(struct client *c, const char *got)
{
    const char *end = NULL, *start;

    for (const char *p = got; (p = strstr(p, "\"]|")); p++)
        end = p;
    if (!end)
        return;
    for (start = end; start[-1] != '"'; start--)
        ;
    snprintf(c->offset, sizeof c->offset, "%.*s", (int)(end - start), start);
}

/* One that has had an event, so it has an offset. */
static void new_client(struct client *c)
{
    dial(c, "40");
    sio_emit(latest, "hello");
    note_offset(c, world_frames(&w, c->fd));
    seen[0] = 0;
}

static void cut_off(struct client *c)
{
    world_hang_up(&w, c->fd);
    c->fd = -1;
}

/* `more`: further members of auth. */
static const char *come_back_with(struct client *c, const char *more)
{
    char packet[256];

    snprintf(packet, sizeof packet, "40{\"pid\":\"%s\",\"offset\":\"%s\"%s}",
             c->pid, c->offset, more);
    return dial(c, packet);
}

static const char *come_back(struct client *c)
{
    return come_back_with(c, "");
}

/* ---------------------------------------------------------------- success --
 */

static void test_missed(void)
{
    sio_options o = options();
    struct client a = { .fd = -1 }, b = { .fd = -1 };
    char sid[32], pid[32];

    T_CASE("S210 S211 S268: what was missed, rooms, data, identity");
    open_server(&o);
    CHECK_MATCH(dial(&a, "40"), "T:40{\"sid\":\"*\",\"pid\":\"*\"}|");
    CHECK(strlen(a.sid) == 20 && strlen(a.pid) == 20 && strcmp(a.sid, a.pid),
          "sid %s, pid %s", a.sid, a.pid);
    CHECK_SEEN("in:not asked for {};");
    sio_join(latest, "red");
    sio_join(latest, "");
    sio_set_data_json(latest, "{\"n\":1}", 7);
    sio_emit(latest, "hello", sio_int(1));
    note_offset(&a, world_frames(&w, a.fd));
    memcpy(sid, a.sid, sizeof sid);
    memcpy(pid, a.pid, sizeof pid);
    cut_off(&a);
    CHECK_SEEN("out:transport close;");

    sio_emit(root(), "all");
    sio_emit(sio_to(root(), "red"), "red", sio_binary("\1\2", 2));
    sio_emit(sio_to(root(), "blue"), "blue");
    sio_emit(sio_except(root(), "red"), "not red");
    sio_emit(sio_except(root(), "blue"), "not blue");
    sio_emit(sio_to(root(), sid), "own");
    sio_emit(sio_local(root()), "local");
    sio_emit(sio_volatile(root()), "volatile");

    CHECK_MATCH(
        come_back(&a),
        "T:42[\"all\",\"*\"]|"
        "T:451-[\"red\",{\"_placeholder\":true,\"num\":0},\"*\"]|B:0102|"
        "T:42[\"not blue\",\"*\"]|T:42[\"own\",\"*\"]|"
        "T:42[\"local\",\"*\"]|T:40{\"sid\":\"*\",\"pid\":\"*\"}|");
    CHECK(strcmp(a.sid, sid) == 0, "sid %s, was %s", a.sid, sid);
    CHECK(strcmp(a.pid, pid) == 0, "pid %s, was %s", a.pid, pid);
    CHECK_SEEN("in:recovered,red, {\"n\":1};");
    CHECK(stats().recoveries == 1 && stats().waiting_sessions == 0, "counted");

    sio_emit(sio_to(root(), "red"), "again");
    CHECK_FRAMES(&w, a.fd, "T:42[\"again\",\"*\"]|");

    T_CASE("recovery: the same offset again, nothing new: from there on once "
           "more");
    cut_off(&a);
    CHECK_MATCH(come_back(&a), "T:42[\"all\",*T:42[\"again\",\"*\"]|T:40{*}|");

    T_CASE("recovery: a session is used up by coming back");
    dial(&b, "40");
    memcpy(b.pid, a.pid, sizeof b.pid);
    memcpy(b.offset, a.offset, sizeof b.offset);
    cut_off(&b);
    seen[0] = 0;
    CHECK_MATCH(come_back(&b), "T:40{*}|");
    CHECK(strcmp(b.sid, a.sid) != 0, "two sockets of one id");
    CHECK_SEEN("in:unknown session {};");
    cut_off(&a);
    cut_off(&b);
    close_server();
}

static void test_offsets(void)
{
    sio_options o = options();
    struct client c = { .fd = -1 };
    char first[32], *at;

    T_CASE("recovery: offsets are unique, as many as there are in a moment");
    open_server(&o);
    new_client(&c);
    memcpy(first, c.offset, sizeof first);
    first[7] = 0;
    CHECK(strspn(first, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                        "abcdefghijklmnopqrstuvwxyz-_") == 7,
          "offset %s", c.offset);
    cut_off(&c);
    for (int i = 0; i < 300; i++)
        sio_emit(root(), "n", sio_int(i));
    at = (char *)(uintptr_t)come_back(&c);
    for (int i = 0; i < 300; i++) {
        char want[32];

        snprintf(want, sizeof want, "T:42[\"n\",%d,\"", i);
        CHECK(strncmp(at, want, strlen(want)) == 0, "%.40s", at);
        at = strchr(at, '|') + 1;
    }
    CHECK_MATCH(at, "T:40{*}|");
    cut_off(&c);

    T_CASE("recovery: an offset from amid a moment");
    sio_emit(root(), "a");
    sio_emit(root(), "b");
    sio_emit(root(), "c");
    note_offset(&c, come_back(&c));
    CHECK_MATCH(w.got, "*");
    cut_off(&c);
    sio_emit(root(), "d");
    CHECK_MATCH(come_back(&c), "T:42[\"d\",\"*\"]|T:40{*}|");
    cut_off(&c);
    close_server();
}

static void on_answer(int error, sio_event *answers, void *user)
{
    (void)answers, (void)user;
    see("answer %d;", error);
}

static void test_unrecorded(void)
{
    sio_options o = options();
    struct client c = { .fd = -1 };

    T_CASE("recovery: volatile events and those that want an answer have no "
           "offset");
    open_server(&o);
    new_client(&c);
    sio_emit(sio_volatile(latest), "v");
    CHECK_FRAMES(&w, c.fd, "T:42[\"v\"]|");
    sio_emit_ack(latest, on_answer, NULL, "q");
    CHECK_FRAMES(&w, c.fd, "T:42*[\"q\"]|");
    sio_emit_ack(sio_timeout(root(), 10), on_answer, NULL, "q");
    CHECK_FRAMES(&w, c.fd, "T:42*[\"q\"]|");
    sio_emit(latest, "kept");
    cut_off(&c);
    CHECK_MATCH(come_back(&c), "T:42[\"kept\",\"*\"]|T:40{*}|");
    cut_off(&c);
    close_server();
}

static void see_outgoing(sio_socket *socket, sio_event *event, void *user)
{
    const char *last = "";

    (void)socket, (void)user;
    sio_arg_string(event, sio_arg_count(event) - 1, &last, NULL);
    see("%s:%zu %zu;", sio_event_name(event), sio_arg_count(event),
        strlen(last));
}

static void *emit_elsewhere(void *user)
{
    sio_emit(root(), "from elsewhere");
    sio_emit(sio_target_socket(user), "to one");
    return NULL;
}

static void test_ways(void)
{
    sio_options o = options();
    struct client c = { .fd = -1 };
    sio_socket *socket;
    pthread_t thread;

    T_CASE("recovery: events of other threads are recorded, too");
    open_server(&o);
    new_client(&c);
    socket = sio_retain(latest);
    pthread_create(&thread, NULL, emit_elsewhere, socket);
    pthread_join(thread, NULL);
    sio_release(socket);
    CHECK_FRAMES(&w, c.fd,
                 "T:42[\"from elsewhere\",\"*\"]|T:42[\"to one\",\"*\"]|");

    T_CASE("recovery: catch-all listeners see the offset");
    sio_on_any_outgoing(root(), see_outgoing, NULL);
    sio_emit(root(), "x", sio_int(1));
    sio_emit(latest, "y");
    CHECK_SEEN("x:2 *;y:1 *;");
    cut_off(&c);

    T_CASE("recovery: to one that has left, by its pointer and by its id");
    seen[0] = 0;
    come_back(&c);
    socket = sio_retain(latest);
    note_offset(&c, world_frames(&w, c.fd));
    sio_emit(latest, "z");
    note_offset(&c, world_frames(&w, c.fd));
    cut_off(&c);
    sio_emit(socket, "to the pointer");
    sio_emit(sio_to(root(), c.sid), "to the id");
    CHECK_MATCH(come_back(&c), "T:42[\"to the pointer\",\"*\"]|"
                               "T:42[\"to the id\",\"*\"]|T:40{*}|");
    sio_release(socket);
    cut_off(&c);
    close_server();
}

/* ------------------------------------------------------------- middlewares --
 */

static void test_middlewares(bool skip)
{
    sio_options o = options();
    struct client c = { .fd = -1 };

    T_CASE("%s: middlewares are%s asked again", skip ? "S212" : "S213",
           skip ? " not" : "");
    o.skip_middlewares = skip;
    o.max_disconnection_duration_ms = 10000;
    open_server(&o);
    sio_use(root(), on_middleware, NULL);
    dial(&c, "40");
    CHECK_SEEN("asked;in:not asked for {};");
    sio_join(latest, "red");
    sio_emit(latest, "hello");
    note_offset(&c, world_frames(&w, c.fd));
    cut_off(&c);
    sio_emit(root(), "missed");
    seen[0] = 0;
    if (skip) {
        CHECK_MATCH(come_back_with(&c, ",\"how\":\"no\""),
                    "T:42[\"missed\",\"*\"]|T:40{*}|");
        CHECK_SEEN("in:recovered,red {};");
        cut_off(&c);
        close_server();
        return;
    }
    CHECK_MATCH(come_back_with(&c, ",\"how\":\"later\""), "");
    CHECK_SEEN("asked again;");
    sio_emit(root(), "missed meanwhile");
    sio_next_ok(undecided);
    CHECK_FRAMES(&w, c.fd,
                 "T:42[\"missed\",\"*\"]|T:42[\"missed meanwhile\",\"*\"]|"
                 "T:40{*}|");
    CHECK_SEEN("in:recovered,red {};");

    T_CASE("recovery: cut off while a middleware decides, the session stays");
    cut_off(&c);
    come_back_with(&c, ",\"how\":\"later\"");
    CHECK(stats().waiting_sessions == 0, "it is in use");
    cut_off(&c);
    sio_next_ok(undecided);
    CHECK(stats().waiting_sessions == 1, "it is not there again");
    seen[0] = 0;
    CHECK_MATCH(come_back(&c), "T:42[\"missed\",*T:40{*}|");
    CHECK_SEEN("asked again;in:recovered,red {};");

    T_CASE("recovery: refused by a middleware, nothing of it is told");
    cut_off(&c);
    CHECK_MATCH(come_back_with(&c, ",\"how\":\"no\""),
                "T:44{\"message\":\"no\"}|");
    cut_off(&c);

    T_CASE("recovery: a middleware that takes longer than the log is kept");
    new_client(&c);
    cut_off(&c);
    come_back_with(&c, ",\"how\":\"later\"");
    sio_emit(root(), "gone before it is in");
    world_advance(&w, 15000);
    sio_next_ok(undecided);
    CHECK_FRAMES(&w, c.fd, "C|*");
    CHECK_MATCH(w.log, "*recovered too late*");
    cut_off(&c);
    close_server();
}

/* ----------------------------------------------------------------- refusals --
 */

static void test_refused(void)
{
    static const char *const wishes[] = {
        "{\"pid\":\"%s\",\"offset\":\"nowhere\"}",
        "{\"pid\":\"__proto__\",\"offset\":\"%s\"}",
        "{\"pid\":\"constructor\",\"offset\":\"%s\"}",
        "{\"pid\":\"\",\"offset\":\"\",\"x\":\"%s\"}",
        "{\"pid\":\"\\u0000\\ud800\",\"offset\":\"%s\"}",
        "{\"pid\":\"\xf0\x9f\x98\x80\xf0\x9f\x98\x80\",\"offset\":\"%s\"}",
    };
    static const char *const no_wishes[] = {
        "{\"pid\":1,\"offset\":\"x\"}",
        "{\"pid\":\"x\"}",
        "{\"offset\":\"x\"}",
        "{\"pid\":\"x\",\"offset\":null}",
        "{\"pid\":[\"x\"],\"offset\":\"x\"}",
        "{\"pid\":{\"length\":20},\"offset\":\"x\"}",
    };
    sio_options o = options();
    struct client c = { .fd = -1 };
    char packet[70000], text[65536];

    T_CASE("S214: what is no session, or no offset");
    open_server(&o);
    for (size_t i = 0; i < COUNT(wishes); i++) {
        new_client(&c);
        cut_off(&c);
        snprintf(text, sizeof text, wishes[i], i ? c.offset : c.pid);
        snprintf(packet, sizeof packet, "40%s", text);
        seen[0] = 0;
        CHECK_MATCH(dial(&c, packet), "T:40{\"sid\":\"*\",\"pid\":\"*\"}|");
        CHECK_SEEN(i ? "in:unknown session {};" : "in:unknown offset {};");
        cut_off(&c);
    }
    CHECK_MATCH(w.log, "*client 127.0.0.1 cannot be who it was in /: unknown "
                       "offset*unknown session*");
    CHECK(stats().recoveries == 0 &&
              stats().recoveries_refused == COUNT(wishes),
          "refused: %llu", (unsigned long long)stats().recoveries_refused);

    T_CASE("S248: a client that does not ask is new");
    for (size_t i = 0; i < COUNT(no_wishes); i++) {
        snprintf(packet, sizeof packet, "40%s", no_wishes[i]);
        seen[0] = 0;
        CHECK_MATCH(dial(&c, packet), "T:40{*}|");
        CHECK_SEEN("in:not asked for {};");
        cut_off(&c);
    }

    T_CASE("recovery: long texts");
    memset(text, 'x', sizeof text);
    snprintf(packet, sizeof packet, "40{\"pid\":\"%.60000s\",\"offset\":\"x\"}",
             text);
    seen[0] = 0;
    CHECK_MATCH(dial(&c, packet), "T:40{*}|");
    CHECK_SEEN("in:unknown session {};");
    cut_off(&c);

    T_CASE("recovery: a session of another namespace");
    CHECK(sio_of(w.server, "/other"), "no namespace");
    new_client(&c);
    cut_off(&c);
    snprintf(packet, sizeof packet,
             "40/other,{\"pid\":\"%s\",\"offset\":\"%s\"}", c.pid, c.offset);
    CHECK_MATCH(dial(&c, packet), "T:40/other,{*}|");
    CHECK_MATCH(w.log, "*cannot be who it was in /other: unknown session*");
    cut_off(&c);
    close_server();
}

static void test_too_late(void)
{
    sio_options o = options();
    struct client c = { .fd = -1 }, other = { .fd = -1 };

    T_CASE("recovery: away too long");
    o.max_disconnection_duration_ms = 1000;
    open_server(&o);
    new_client(&c);
    cut_off(&c);
    world_advance(&w, 1000);
    CHECK_MATCH(come_back(&c), "T:40{*}|");
    CHECK_SEEN("out:transport close;in:recovered {};");
    cut_off(&c);
    world_advance(&w, 1001);
    CHECK(stats().recovery_bytes == 0 || stats().waiting_sessions == 1,
          "what may go has not");
    seen[0] = 0;
    come_back(&c);
    CHECK_SEEN("in:*;");
    CHECK(!strstr(seen, "recovered"), "it was let in");
    cut_off(&c);

    T_CASE("recovery: the client's last event is too old, it is not");
    new_client(&c);
    dial(&other, "40");
    for (int i = 0; i < 10; i++) {
        world_advance(&w, 200);
        sio_emit(sio_to(root(), other.sid), "for another");
    }
    cut_off(&c);
    seen[0] = 0;
    come_back(&c);
    CHECK_SEEN("in:unknown offset {};");
    cut_off(&c);
    cut_off(&other);
    world_advance(&w, 2000);
    CHECK(stats().recovery_bytes == 0 && stats().waiting_sessions == 0,
          "kept: %zu bytes", stats().recovery_bytes);
    close_server();
}

static void test_too_much(void)
{
    sio_options o = options();
    struct client c = { .fd = -1 }, other = { .fd = -1 };
    static char text[1001];
    size_t most = 0;

    T_CASE("recovery: the log has a limit in bytes");
    o.max_recovery_bytes = 100000;
    open_server(&o);
    memset(text, 'x', sizeof text - 1);
    dial(&other, "40");
    new_client(&c);
    cut_off(&c);
    for (int i = 0; i < 1000; i++) {
        sio_emit(sio_to(root(), other.sid), "n", sio_string(text));
        if (stats().recovery_bytes > most)
            most = stats().recovery_bytes;
        world_frames(&w, other.fd);
    }
    CHECK(most > 90000 && most <= 100000, "%zu bytes", most);
    seen[0] = 0;
    come_back(&c);
    CHECK_SEEN("in:unknown session {};"); /* older than what is kept */
    cut_off(&c);

    T_CASE("recovery: one event larger than all of it");
    o.max_recovery_bytes = 500;
    cut_off(&other);
    close_server();
    open_server(&o);
    dial(&c, "40");
    sio_emit(latest, "n", sio_string(text));
    CHECK_FRAMES(&w, c.fd, "T:42[\"n\",\"x*x\",\"*\"]|");
    CHECK(stats().recovery_bytes <= 500, "%zu bytes", stats().recovery_bytes);
    cut_off(&c);

    T_CASE("recovery: a limit of nothing");
    close_server();
    o.max_recovery_bytes = 0;
    open_server(&o);
    new_client(&c);
    cut_off(&c);
    come_back(&c);
    CHECK_SEEN("out:transport close;in:unknown session {};");
    cut_off(&c);
    close_server();
}

/* ------------------------------------------------------------------ reasons --
 */

static void test_reasons(void)
{
    sio_options o = options();
    struct client c = { .fd = -1 };

    T_CASE("recovery: who leaves for good is not waited for");
    open_server(&o);
    new_client(&c);
    world_send_text(&w, c.fd, "41");
    CHECK_SEEN("out:client namespace disconnect;");
    cut_off(&c);
    new_client(&c);
    sio_disconnect(latest, false);
    CHECK_SEEN("out:server namespace disconnect;");
    cut_off(&c);
    new_client(&c);
    sio_disconnect(latest, true);
    cut_off(&c);
    CHECK(stats().waiting_sessions == 0, "waiting: %zu",
          stats().waiting_sessions);

    T_CASE("recovery: who is cut off is: transport, ping, packet, program");
    new_client(&c);
    cut_off(&c);
    CHECK_SEEN("out:transport close;");
    new_client(&c);
    world_advance(&w, 45001);
    CHECK_SEEN("out:ping timeout;");
    cut_off(&c);
    new_client(&c);
    world_send_text(&w, c.fd, "4nonsense");
    CHECK_SEEN("out:forced close;");
    cut_off(&c);
    new_client(&c);
    world_send_text(&w, c.fd, "40");
    CHECK_SEEN("out:forced close;");
    cut_off(&c);
    new_client(&c);
    sio_close_connection(latest);
    world_turn(&w);
    CHECK_SEEN("out:forced close;");
    cut_off(&c);
    CHECK(stats().waiting_sessions == 5, "waiting: %zu",
          stats().waiting_sessions);
    close_server();

    T_CASE("recovery: a server that stops keeps nobody");
    open_server(&o);
    new_client(&c);
    sio_stop(w.server);
    world_turn(&w);
    CHECK_SEEN("out:server shutting down;");
    CHECK(stats().waiting_sessions == 0 && stats().recovery_bytes == 0,
          "waiting: %zu", stats().waiting_sessions);
    world_close(&w);
    close(c.fd);
}

/* ---------------------------------------------------------------- the rest --
 */

static void free_data(void *data)
{
    (void)data;
    freed++;
}

static void test_data(void)
{
    sio_options o = options();
    struct client c = { .fd = -1 };
    int mine = 0;

    T_CASE("recovery: a pointer that the socket frees goes over, once");
    freed = 0;
    open_server(&o);
    new_client(&c);
    sio_set_data(latest, &mine, free_data);
    cut_off(&c);
    CHECK(freed == 0, "freed while it waits");
    come_back(&c);
    CHECK(sio_data(latest) == &mine && freed == 0, "it is not there");
    cut_off(&c);
    world_advance(&w, 130000);
    CHECK(freed == 1, "freed %d times", freed);

    T_CASE("recovery: another pointer does not");
    new_client(&c);
    sio_set_data(latest, &mine, NULL);
    cut_off(&c);
    come_back(&c);
    CHECK(sio_recovered(latest) && !sio_data(latest), "it is there");
    cut_off(&c);
    close_server();
}

static void test_off(void)
{
    struct client c = { .fd = -1 };

    T_CASE("S215 S216: off by default: no pid, no offset, no session");
    open_server(NULL);
    CHECK_MATCH(dial(&c, "40{\"pid\":\"x\",\"offset\":\"y\"}"),
                "T:40{\"sid\":\"*\"}|");
    CHECK(!strstr(w.got, "\"pid\""), "a pid");
    CHECK_SEEN("in:not asked for {};");
    sio_emit(latest, "x");
    sio_emit(root(), "y");
    CHECK_FRAMES(&w, c.fd, "T:42[\"x\"]|T:42[\"y\"]|");
    cut_off(&c);
    CHECK(stats().waiting_sessions == 0 && stats().recovery_bytes == 0,
          "something is kept");
    world_check_empty(&w);
    world_close(&w);
}

static void on_child(sio_socket *socket, void *user)
{
    (void)user;
    latest = socket;
}

static void test_namespaces(void)
{
    sio_options o = options();
    struct client c = { .fd = -1 };
    char packet[128];
    sio_namespace *rule;

    T_CASE("recovery: a dynamic namespace that goes takes its sessions along");
    o.cleanup_empty_child_namespaces = true;
    open_server(&o);
    rule = sio_of_regex(w.server, "^/room-[0-9]+$");
    sio_on_connection(rule, on_child, NULL);
    CHECK_MATCH(dial(&c, "40/room-1,"), "T:40/room-1,{*\"pid\":*}|");
    sio_emit(latest, "x");
    sio_emit(rule, "to all children");
    note_offset(&c, world_frames(&w, c.fd));
    CHECK(stats().recovery_bytes > 0, "nothing is kept");
    cut_off(&c);
    CHECK(stats().waiting_sessions == 0 && stats().recovery_bytes == 0,
          "something is kept");
    snprintf(packet, sizeof packet,
             "40/room-1,{\"pid\":\"%s\",\"offset\":\"%s\"}", c.pid, c.offset);
    CHECK_MATCH(dial(&c, packet), "T:40/room-1,{*}|");
    CHECK(sio_recovery_of(latest) == SIO_RECOVERY_UNKNOWN_SESSION, "%s",
          sio_recovery_name(sio_recovery_of(latest)));
    cut_off(&c);
    close_server();
}

static void test_msgpack(void)
{
    sio_options o = options();
    struct client c = { .fd = -1 };

    T_CASE("recovery: with MessagePack");
    o.parser = sio_msgpack_parser();
    open_server(&o);
    c.fd = world_websocket(&w, "EIO=4&transport=websocket");
    world_frames(&w, c.fd);
    /* {"type":0,"nsp":"/"} */
    world_send_binary(&w, c.fd, "\x82\xa4type\0\xa3nsp\xa1/", 13);
    world_frames(&w, c.fd);
    sio_emit(latest, "hi");
    /* ... "data":["hi","<7 characters>"] */
    CHECK_FRAMES(&w, c.fd, "B:*a46461746192a26869a7*|");
    cut_off(&c);
    close_server();
}

static void test_old_clients(void)
{
    sio_options o = options();
    int fd;

    T_CASE("recovery: clients of Socket.IO 2 have no pid and no session");
    o.allow_eio3 = true;
    open_server(&o);
    fd = world_websocket(&w, "EIO=3&transport=websocket");
    CHECK_FRAMES(&w, fd, "T:0{*}|T:40|");
    sio_emit(latest, "x");
    CHECK_FRAMES(&w, fd, "T:42[\"x\",\"*\"]|");
    world_hang_up(&w, fd);
    CHECK(stats().waiting_sessions == 0, "it is waited for");
    close_server();
}

/* ------------------------------------------------------------ allocations --
 */

/* Goes, misses something and comes back, each time with one allocation less.
 * What fails may make it a new client, or none; never a wrong one. */
static void test_oom(void)
{
    sio_options o = options();
    struct client c = { .fd = -1 };
    bool failed = true;
    long n;

    T_CASE("recovery: every allocation fails once");
    o.log_level = SIO_LOG_ERROR;
    open_server(&o);
    for (n = 0; failed && n < 500; n++) {
        new_client(&c);
        sio_join(latest, "red");
        oom_arm(n);
        cut_off(&c);
        if (sio_emit(sio_to(root(), "red"), "missed") == SIO_OK &&
            strstr(come_back(&c), "T:40{") && latest && sio_recovered(latest))
            CHECK_MATCH(w.got, "*"); /* read by dial() */
        failed = oom_disarm();
        cut_off(&c);
    }
    CHECK(!failed && n > 20, "%ld allocations", n);
    close_server();
}

/* Many sessions, of which the oldest make room. */
static void test_many(void)
{
    sio_options o = options();
    struct client c = { .fd = -1 };

    T_CASE("recovery: sessions count as bytes, too");
    o.max_recovery_bytes = 50000;
    o.log_level = SIO_LOG_ERROR;
    open_server(&o);
    for (int i = 0; i < 1000; i++) {
        dial(&c, "40");
        sio_join(latest, "a room with a name");
        cut_off(&c);
        seen[0] = 0;
    }
    CHECK(stats().recovery_bytes <= 50000 && stats().waiting_sessions > 100,
          "%zu sessions, %zu bytes", stats().waiting_sessions,
          stats().recovery_bytes);
    close_server();
}

int main(void)
{
    test_missed();
    test_offsets();
    test_unrecorded();
    test_ways();
    test_middlewares(true);
    test_middlewares(false);
    test_refused();
    test_too_late();
    test_too_much();
    test_reasons();
    test_data();
    test_off();
    test_namespaces();
    test_msgpack();
    test_old_clients();
    test_oom();
    test_many();
    return t_done();
}
