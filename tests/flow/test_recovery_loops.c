/*
 * test_recovery_loops.c -- clients that come back on another loop, three of
 * them run in turn by one thread: <sio/recovery.h>, docs/decisions/0022. What
 * is true of one loop is in test_recovery.c, threads are in
 * test_recovery_storm.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sio/sio.h>

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "src/socketio/recovery.h"
#include "tests/flow/shards.h"
#include "tests/unit/oom.h"

#define LOOPS 3

/* A client, and what it has to say to be itself again. */
struct client {
    int fd;
    char sid[32], pid[32], offset[32];
    sio_socket *socket; /* the latest that it had; no reference */
};

static struct shards s;
static struct world *const w = &s.world;
static sio_namespace *nsp;
static char seen[4096]; /* what the handlers have told */
static sio_socket *latest;
static size_t keeps; /* sessions that waited in on_disconnect */

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
    (void)socket, (void)user;
    see("out:%s;", reason);
    keeps = atomic_load(&w->server->hub.recovery.session_count);
}

static void on_say(sio_socket *socket, sio_event *event, void *user)
{
    (void)socket, (void)user;
    sio_emit(nsp, "said", sio_arg(event, 0));
}

/* The same, and away. */
static void on_go(sio_socket *socket, sio_event *event, void *user)
{
    on_say(socket, event, user);
    sio_close_connection(socket);
}

static sio_options options(void)
{
    sio_options o;

    sio_options_init(&o);
    o.connection_state_recovery = true;
    o.log_level = SIO_LOG_INFO;
    return o;
}

static void begin_with(const sio_options *o)
{
    seen[0] = 0;
    CHECK(shards_open(&s, LOOPS, o), "no server");
    nsp = sio_of(w->server, "/");
    sio_on_connection(nsp, on_connection, NULL);
    sio_on_disconnect(nsp, on_disconnect, NULL);
    sio_on(nsp, "say", on_say, NULL);
    sio_on(nsp, "go", on_go, NULL);
}

static void begin(void)
{
    sio_options o = options();

    begin_with(&o);
}

static void advance(uint64_t ms)
{
    world_advance(w, ms);
    shards_turn(&s);
}

static void end(void)
{
    sio_stats stats;

    advance(130000);
    stats = shards_stats(&s);
    CHECK(stats.sockets == 0 && stats.sessions == 0 && stats.rooms == 0 &&
              stats.waiting_sessions == 0 && stats.recovery_bytes == 0,
          "%zu sockets, %zu sessions, %zu rooms, %zu waiting, %zu bytes",
          stats.sockets, stats.sessions, stats.rooms, stats.waiting_sessions,
          stats.recovery_bytes);
    shards_close(&s);
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

/* A WebSocket on that loop, past the OPEN packet. */
static int open_on(size_t loop)
{
    int fd;

    s.chosen = loop;
    fd = world_websocket(w, "EIO=4&transport=websocket");
    world_frames(w, fd);
    return fd;
}

/* Connects there with that CONNECT packet; what comes back. */
static const char *dial(struct client *c, size_t loop, const char *packet)
{
    const char *got;

    c->fd = open_on(loop);
    world_send_text(w, c->fd, packet);
    shards_turn(&s);
    got = world_frames(w, c->fd);
    cut(got, "{\"sid\":\"", c->sid);
    cut(got, "\"pid\":\"", c->pid);
    c->socket = latest;
    return got;
}

/* The offset of the event `name` in `got`, which has no arguments. */
static void note_offset(struct client *c, const char *got, const char *name)
{
    char from[64];

    snprintf(from, sizeof from, "[\"%s\",\"", name);
    CHECK(strstr(got, from), "no %s in %s", name, got);
    cut(got, from, c->offset);
}

/* What came to this one by now. */
static const char *got_by(const struct client *c)
{
    shards_turn(&s);
    return world_frames(w, c->fd);
}

/* One that has had an event, so it has an offset. */
static void new_client(struct client *c, size_t loop)
{
    dial(c, loop, "40");
    sio_emit(sio_to(nsp, c->sid), "hello");
    note_offset(c, got_by(c), "hello");
    seen[0] = 0;
}

static void cut_off(struct client *c)
{
    world_hang_up(w, c->fd);
    c->fd = -1;
    shards_turn(&s);
}

static const char *packet_of(const struct client *c, const char *more)
{
    static char packet[256];

    snprintf(packet, sizeof packet, "40{\"pid\":\"%s\",\"offset\":\"%s\"%s}",
             c->pid, c->offset, more);
    return packet;
}

static const char *come_back(struct client *c, size_t loop)
{
    return dial(c, loop, packet_of(c, ""));
}

static sio_stats stats(void)
{
    return shards_stats(&s);
}

/* ------------------------------------------------- as if it were one loop --
 */

static void emit_elsewhere(void *user)
{
    struct client *c = user;

    sio_emit(nsp, "from elsewhere");
    sio_emit(sio_to(nsp, c->sid), "to one");
}

static void test_everything_is_there(void)
{
    struct client a = { .fd = -1 }, b = { .fd = -1 };
    char sid[32], pid[32];

    T_CASE("S210 S211 S268: rooms, data, identity, what was missed: on another "
           "loop");
    begin();
    dial(&a, 1, "40");
    CHECK_SEEN("in:not asked for {};");
    sio_join(latest, "red");
    sio_join(latest, "");
    sio_set_data_json(latest, "{\"n\":1}", 7);
    new_client(&b, 2);
    sio_emit(nsp, "hello");
    note_offset(&a, got_by(&a), "hello");
    memcpy(sid, a.sid, sizeof sid);
    memcpy(pid, a.pid, sizeof pid);
    cut_off(&a);
    CHECK_SEEN("out:transport close;");
    CHECK(stats().waiting_sessions == 1 && keeps == 0, "%zu wait, %zu before",
          stats().waiting_sessions, keeps);

    sio_emit(nsp, "all");
    sio_emit(sio_to(nsp, "red"), "red", sio_binary("\1\2", 2));
    sio_emit(sio_to(nsp, "blue"), "blue");
    sio_emit(sio_except(nsp, "red"), "not red");
    sio_emit(sio_to(nsp, sid), "own");
    sio_emit(sio_volatile(nsp), "volatile");
    world_send_text(w, b.fd, "42[\"say\",1]");
    shards_elsewhere(&s, emit_elsewhere, &a);
    CHECK_MATCH(
        come_back(&a, 0),
        "T:42[\"all\",\"*\"]|"
        "T:451-[\"red\",{\"_placeholder\":true,\"num\":0},\"*\"]|B:0102|"
        "T:42[\"own\",\"*\"]|T:42[\"said\",1,\"*\"]|"
        "T:42[\"from elsewhere\",\"*\"]|T:42[\"to one\",\"*\"]|"
        "T:40{\"sid\":\"*\",\"pid\":\"*\"}|");
    CHECK(strcmp(a.sid, sid) == 0 && strcmp(a.pid, pid) == 0, "another one");
    CHECK(latest->part->shard->index == 0, "on loop %zu",
          latest->part->shard->index);
    CHECK_SEEN("in:recovered,red, {\"n\":1};");
    CHECK(stats().recoveries == 1 && stats().waiting_sessions == 0, "counted");
    sio_emit(sio_to(nsp, "red"), "again");
    CHECK_MATCH(got_by(&a), "T:42[\"again\",\"*\"]|");

    T_CASE("recovery, loops: a session is used up by coming back");
    memcpy(b.pid, a.pid, sizeof b.pid);
    cut_off(&b);
    seen[0] = 0;
    CHECK_MATCH(come_back(&b, 1), "T:40{*}|");
    CHECK_SEEN("in:unknown session {};");
    cut_off(&a);
    cut_off(&b);
    end();
}

static void test_round_trip(void)
{
    struct client c = { .fd = -1 };

    T_CASE("recovery, loops: around all loops, with and without having missed "
           "anything");
    begin();
    new_client(&c, 0);
    for (size_t i = 0; i < 24; i++) {
        const bool misses = i % 4, hears = i % 3;

        cut_off(&c);
        if (misses)
            sio_emit(nsp, "missed");
        CHECK_MATCH(come_back(&c, (i * 5 + 1) % LOOPS),
                    misses ? "T:42[\"missed\",\"*\"]|T:40{*}|" : "T:40{*}|");
        if (!hears) { /* next time it misses that once more */
            cut_off(&c);
            CHECK_MATCH(come_back(&c, (i * 7 + 2) % LOOPS),
                        misses ? "T:42[\"missed\",\"*\"]|T:40{*}|"
                               : "T:40{*}|");
        }
        sio_emit(nsp, "live");
        note_offset(&c, got_by(&c), "live");
    }
    CHECK(stats().recoveries == 32, "%llu came back",
          (unsigned long long)stats().recoveries);
    cut_off(&c);
    end();
}

static void test_one_socket(void)
{
    struct client c = { .fd = -1 };
    sio_socket *before, *now;

    T_CASE("recovery, loops: events for one socket, by its pointer, from its "
           "loop and others");
    begin();
    new_client(&c, 1);
    before = sio_retain(c.socket);
    sio_emit(before, "live");
    note_offset(&c, got_by(&c), "live");
    cut_off(&c);
    sio_emit(before, "missed");
    CHECK_MATCH(come_back(&c, 2), "T:42[\"missed\",\"*\"]|T:40{*}|");
    now = sio_retain(c.socket);
    sio_emit(now, "live");
    sio_emit(nsp, "all");
    sio_emit(now, "last");
    note_offset(&c, got_by(&c), "all");
    cut_off(&c);
    CHECK_MATCH(come_back(&c, 0), "T:42[\"last\",\"*\"]|T:40{*}|");
    sio_release(before);
    sio_release(now);
    cut_off(&c);
    end();
}

/* ------------------------------------------------ events that are under way --
 */

/* Loop 0 has executed what it emits, and the letters to loops 1 and 2 wait. The
 * frame that comes before them is on its way before they are. */
static void send_before(int fd, const char *text)
{
    char frame[300] = "\x81";
    size_t n = strlen(text);

    frame[1] = (char)(0x80 | (n < 126 ? n : 126)); /* the mask is 0 */
    CHECK(n < 126, "%zu bytes", n);
    memcpy(frame + 6, text, n);
    CHECK(send(fd, frame, n + 6, 0) == (ssize_t)n + 6, "not sent");
}

/* What is there to read, as it came. */
static const char *peek(int fd)
{
    static char text[4096];
    ssize_t n = recv(fd, text, sizeof text - 1, MSG_DONTWAIT);

    for (ssize_t i = 0; i < n; i++)
        if (!text[i])
            text[i] = ' ';
    text[n > 0 ? n : 0] = 0;
    return text;
}

/* How many of these events loop i has executed. */
static uint64_t executed(size_t i)
{
    return w->server->hub.shards[i].comebacks.executed;
}

/* The offset that the next event gets. */
static void foresee(char out[32])
{
    struct so_hub *hub = &w->server->hub;
    const uint64_t far = atomic_load(&hub->last_offset) + (1u << 30);

    atomic_store(&hub->last_offset, far);
    so_offset(hub, out);
    atomic_store(&hub->last_offset, far);
}

static void test_on_the_way_to_the_new_loop(void)
{
    struct client c = { .fd = -1 };
    uint64_t before;

    T_CASE("recovery, loops: an event is on its way to the loop that the "
           "client comes back on");
    begin();
    new_client(&c, 2);
    cut_off(&c);
    c.fd = open_on(1);
    before = executed(1);
    send_before(c.fd, packet_of(&c, ""));
    sio_emit(nsp, "once");
    sio_emit(sio_to(nsp, c.sid), "once, too");
    shards_turn_one(&s, 1);
    CHECK(executed(1) == before + 2, "the letters have not come");
    sio_emit(nsp, "later");
    CHECK_MATCH(got_by(&c), "T:42[\"once\",\"*\"]|T:42[\"once, too\",\"*\"]|"
                            "T:40{*}|T:42[\"later\",\"*\"]|");

    T_CASE("recovery, loops: it comes back once more, from amid that");
    cut_off(&c);
    CHECK_MATCH(come_back(&c, 0),
                "T:42[\"once\",\"*\"]|T:42[\"once, too\",\"*\"]|"
                "T:42[\"later\",\"*\"]|T:40{*}|");
    cut_off(&c);
    end();
}

static void test_it_has_it_already(void)
{
    struct client c = { .fd = -1 };
    int fd;

    T_CASE("recovery, loops: it has the event that its new loop is still to "
           "execute");
    begin();
    new_client(&c, 0);
    fd = open_on(1);
    foresee(c.offset);
    send_before(fd, packet_of(&c, ""));
    sio_emit(nsp, "had");
    shards_turn_one(&s, 0);
    CHECK_MATCH(peek(c.fd), "*[\"had\",\"*");
    close(c.fd);
    shards_turn_one(&s, 0);
    shards_turn_one(&s, 1);
    c.fd = fd;
    seen[0] = 0;
    sio_emit(nsp, "new");
    CHECK_MATCH(got_by(&c), "T:40{*}|T:42[\"new\",\"*\"]|");

    T_CASE("recovery, loops: and once more, as if it had not got anything");
    cut_off(&c);
    CHECK_MATCH(come_back(&c, 2), "T:42[\"new\",\"*\"]|T:40{*}|");
    cut_off(&c);
    end();
}

static void test_overtaken(void)
{
    struct client c = { .fd = -1 }, other = { .fd = -1 };
    const char *got;

    T_CASE("recovery, loops: an event overtakes on its loop what the client "
           "had from the log");
    begin();
    new_client(&c, 2);
    dial(&other, 1, "40");
    cut_off(&c);
    c.fd = open_on(1);
    send_before(c.fd, packet_of(&c, ""));
    send_before(other.fd, "42[\"say\",3]");
    sio_emit(nsp, "overtaken");
    shards_turn_one(&s, 1);
    got = got_by(&c);
    CHECK_MATCH(got, "T:42[\"overtaken\",\"*\"]|T:40{*}|"
                     "T:42[\"said\",3,\"*\"]|");
    cut(got, "\"said\",3,\"", c.offset);
    cut_off(&c);
    CHECK_MATCH(come_back(&c, 2), "T:40{*}|"); /* it has both */
    cut_off(&c);
    cut_off(&other);
    end();
}

/* Two events in one order on this one's loop and in the other one in the log.
 */
static void emit_crosswise(struct client *c, size_t loop)
{
    send_before(c->fd, "42[\"say\",2]");
    sio_emit(nsp, "first");
    shards_turn_one(&s, loop);
}

static void test_another_order(void)
{
    struct client c = { .fd = -1 };
    const char *got;

    T_CASE("recovery, loops: two loops emit, and the client has seen the later "
           "one first");
    begin();
    new_client(&c, 1);
    emit_crosswise(&c, 1);
    got = got_by(&c);
    CHECK_MATCH(got, "T:42[\"said\",2,\"*\"]|T:42[\"first\",\"*\"]|");
    note_offset(&c, got, "first");
    cut_off(&c);
    CHECK_MATCH(come_back(&c, 2), "T:40{*}|"); /* it has both */

    T_CASE("recovery, loops: has none of them, then one");
    cut_off(&c);
    new_client(&c, 1);
    emit_crosswise(&c, 1);
    got_by(&c); /* never read */
    cut_off(&c);
    CHECK_MATCH(got = come_back(&c, 0),
                "T:42[\"said\",2,\"*\"]|T:42[\"first\",\"*\"]|T:40{*}|");
    cut(got, "\"said\",2,\"", c.offset);
    cut_off(&c);
    CHECK_MATCH(come_back(&c, 1), "T:42[\"first\",\"*\"]|T:40{*}|");

    T_CASE("recovery, loops: has one of them, has the other one");
    cut_off(&c);
    new_client(&c, 1);
    emit_crosswise(&c, 1);
    got = got_by(&c);
    cut(got, "\"said\",2,\"", c.offset); /* nothing of what came behind */
    cut_off(&c);
    CHECK_MATCH(come_back(&c, 2), "T:42[\"first\",\"*\"]|T:40{*}|");
    cut_off(&c); /* again without that */
    CHECK_MATCH(got = come_back(&c, 0), "T:42[\"first\",\"*\"]|T:40{*}|");
    note_offset(&c, got, "first");
    cut_off(&c);
    CHECK_MATCH(come_back(&c, 1), "T:40{*}|");
    cut_off(&c);
    end();
}

static void test_part_of_the_log(void)
{
    struct client c = { .fd = -1 }, other = { .fd = -1 };
    const char *got;

    T_CASE("recovery, loops: cut off amid what it is sent from the log, which "
           "has another order than its loop");
    begin();
    new_client(&c, 0);
    dial(&other, 1, "40");
    cut_off(&c);
    emit_crosswise(&other, 1); /* loop 1: said, first; log: first, said */
    CHECK_MATCH(got = come_back(&c, 1),
                "T:42[\"first\",\"*\"]|T:42[\"said\",2,\"*\"]|T:40{*}|");
    note_offset(&c, got, "first");
    sio_emit(nsp, "live");
    got_by(&c);
    cut_off(&c);
    CHECK_MATCH(got = come_back(&c, 1),
                "T:42[\"said\",2,\"*\"]|T:42[\"live\",\"*\"]|T:40{*}|");
    cut(got, "\"said\",2,\"", c.offset);
    cut_off(&c);
    CHECK_MATCH(come_back(&c, 2), "T:42[\"live\",\"*\"]|T:40{*}|");
    cut_off(&c);
    cut_off(&other);
    end();
}

static void test_gone_between(void)
{
    struct client c = { .fd = -1 };
    const char *got;

    T_CASE("recovery, loops: cut off after the event of its own loop, before "
           "the earlier one of another");
    begin();
    new_client(&c, 2);
    send_before(c.fd, "42[\"go\",4]");
    sio_emit(nsp, "first");
    shards_turn_one(&s, 2);
    CHECK_MATCH(seen, "out:forced close;");
    CHECK_MATCH(peek(c.fd), "*[\"said\",4*");
    close(c.fd);
    CHECK_MATCH(got = come_back(&c, 0),
                "T:42[\"said\",4,\"*\"]|T:42[\"first\",\"*\"]|T:40{*}|");
    note_offset(&c, got, "first");
    cut_off(&c);
    CHECK_MATCH(come_back(&c, 1), "T:40{*}|"); /* it has both */
    cut_off(&c);
    end();
}

/* A connection that its client has given up comes in late, and says what the
 * client had before it had what it has now. */
static void come_back_late(const struct client *c, size_t loop)
{
    struct client late = *c;

    come_back(&late, loop);
    sio_emit(nsp, "to nobody");
    shards_turn(&s);
    cut_off(&late);
}

static void test_late_connection(void)
{
    struct client c = { .fd = -1 }, before;
    const char *got;

    T_CASE("recovery, loops: a connection that was given up comes late");
    begin();
    new_client(&c, 1);
    cut_off(&c);
    before = c;
    come_back(&c, 2);
    emit_crosswise(&c, 2);
    got = got_by(&c);
    CHECK_MATCH(got, "T:42[\"said\",2,\"*\"]|T:42[\"first\",\"*\"]|");
    cut(got, "\"said\",2,\"", c.offset); /* nothing of what came behind */
    cut_off(&c);
    come_back_late(&before, 0);
    come_back_late(&before, 1);
    CHECK_MATCH(come_back(&c, 1), "T:42[\"first\",\"*\"]|"
                                  "T:42[\"to nobody\",\"*\"]|"
                                  "T:42[\"to nobody\",\"*\"]|T:40{*}|");

    T_CASE("recovery, loops: many, while nothing happens");
    sio_emit(nsp, "heard");
    note_offset(&c, got_by(&c), "heard");
    cut_off(&c);
    for (size_t i = 0; i < 3 * SO_STRETCHES; i++) {
        struct client late = before;

        come_back(&late, i % LOOPS);
        cut_off(&late);
    }
    CHECK_MATCH(come_back(&c, 0), "T:40{*}|");
    CHECK(sio_recovered(latest), "it is new");

    T_CASE("recovery, loops: so many that it cannot be told any more");
    cut_off(&c);
    new_client(&c, 1);
    cut_off(&c);
    before = c;
    come_back(&c, 2);
    sio_emit(nsp, "heard");
    note_offset(&c, got_by(&c), "heard");
    cut_off(&c);
    for (size_t i = 0; i < SO_STRETCHES; i++)
        come_back_late(&before, i % LOOPS);
    seen[0] = 0;
    CHECK_MATCH(come_back(&c, 0), "T:40{*}|");
    CHECK_SEEN("in:unknown offset {};");

    T_CASE("recovery, loops: cut off over and over, without having got "
           "anything");
    cut_off(&c);
    new_client(&c, 1);
    cut_off(&c);
    for (size_t i = 0; i < 3 * SO_STRETCHES; i++)
        come_back_late(&c, i % LOOPS);
    seen[0] = 0;
    got = come_back(&c, 0);
    CHECK_SEEN("in:recovered {};");
    for (size_t i = 0; i < 3 * SO_STRETCHES; i++) {
        CHECK_MATCH(got, "T:42[\"to nobody\",\"*\"]|*");
        got = strchr(got, '|') + 1;
    }
    CHECK_MATCH(got, "T:40{*}|");
    cut_off(&c);
    end();
}

/* ------------------------------------------------------------- middlewares --
 */

static sio_next *undecided;

static sio_socket *asking;

static void on_middleware(sio_socket *socket, sio_next *next, void *user)
{
    (void)user;
    asking = socket;
    if (sio_recovered(socket))
        undecided = next;
    else
        sio_next_ok(next);
}

static void emit_to(void *user)
{
    sio_emit(sio_target_socket(user), "to one");
}

static void test_meanwhile(void)
{
    sio_options o = options();
    struct client c = { .fd = -1 };

    T_CASE("recovery, loops: what is emitted while a middleware decides");
    o.skip_middlewares = false;
    begin_with(&o);
    sio_use(nsp, on_middleware, NULL);
    new_client(&c, 1);
    cut_off(&c);
    sio_emit(nsp, "missed");
    CHECK_MATCH(come_back(&c, 2), "");
    sio_emit(nsp, "meanwhile");
    shards_elsewhere(&s, emit_to, asking);
    shards_turn(&s);
    sio_next_ok(undecided); /* on its way, and so is the next */
    sio_emit(sio_target_socket(asking), "on its way");
    CHECK_MATCH(got_by(&c),
                "T:42[\"missed\",\"*\"]|T:42[\"meanwhile\",\"*\"]|"
                "T:42[\"to one\",\"*\"]|T:42[\"on its way\",\"*\"]|T:40{*}|");

    T_CASE("recovery, loops: cut off while it decides, the session stays");
    cut_off(&c);
    CHECK_MATCH(come_back(&c, 0), "");
    cut_off(&c);
    sio_next_ok(undecided);
    CHECK(stats().waiting_sessions == 1, "it is not there again");
    come_back(&c, 1);
    sio_next_ok(undecided);
    CHECK_MATCH(got_by(&c), "T:42[\"missed\",*[\"on its way\",*T:40{*}|");
    cut_off(&c);
    end();
}

/* ------------------------------------------------------------------ limits --
 */

static void test_limits(void)
{
    sio_options o = options();
    struct client c = { .fd = -1 }, other = { .fd = -1 };
    static char text[1001];
    size_t most = 0;

    T_CASE("recovery, loops: away too long; an offset that is too old");
    o.max_disconnection_duration_ms = 1000;
    begin_with(&o);
    new_client(&c, 1);
    cut_off(&c);
    advance(1000);
    CHECK_MATCH(come_back(&c, 2), "T:40{*}|");
    CHECK_SEEN("out:transport close;in:recovered {};");
    cut_off(&c);
    advance(1001);
    seen[0] = 0;
    come_back(&c, 0);
    CHECK(seen[0] && !strstr(seen, "recovered"), "it was let in: %s", seen);
    cut_off(&c);
    advance(1100);
    CHECK(stats().recovery_bytes == 0, "%zu bytes", stats().recovery_bytes);

    T_CASE("recovery, loops: what is older than its last event may go");
    dial(&other, 2, "40");
    for (int i = 0; i < 3; i++)
        sio_emit(sio_to(nsp, other.sid), "old");
    advance(600);
    new_client(&c, 1);
    cut_off(&c);
    advance(600);
    seen[0] = 0;
    CHECK_MATCH(come_back(&c, 2), "T:40{*}|");
    CHECK_SEEN("in:recovered {};");
    cut_off(&c);
    cut_off(&other);
    end();

    T_CASE("recovery, loops: the log has one limit for all of them");
    o = options();
    o.max_recovery_bytes = 100000;
    begin_with(&o);
    memset(text, 'x', sizeof text - 1);
    dial(&other, 2, "40");
    new_client(&c, 1);
    cut_off(&c);
    for (int i = 0; i < 1000; i++) {
        sio_emit(sio_to(nsp, other.sid), "n", sio_string(text));
        got_by(&other);
        if (stats().recovery_bytes > most)
            most = stats().recovery_bytes;
    }
    CHECK(most > 90000 && most <= 100000, "%zu bytes", most);
    seen[0] = 0;
    come_back(&c, 0);
    CHECK_SEEN("in:unknown session {};");

    T_CASE("recovery, loops: what no loop has executed yet is not dropped");
    for (int i = 0; i < 200; i++)
        sio_emit(nsp, "n", sio_string(text));
    CHECK(stats().recovery_bytes > 200000, "%zu", stats().recovery_bytes);
    shards_turn(&s);
    CHECK(stats().recovery_bytes <= 100000, "%zu", stats().recovery_bytes);
    cut_off(&c);
    cut_off(&other);
    end();
}

static void free_data(void *data)
{
    ++*(int *)data;
}

static void test_data(void)
{
    struct client c = { .fd = -1 };
    int freed = 0;

    T_CASE("recovery, loops: a pointer that the socket frees goes over, once");
    begin();
    new_client(&c, 1);
    sio_set_data(c.socket, &freed, free_data);
    cut_off(&c);
    come_back(&c, 2);
    CHECK(sio_data(c.socket) == &freed && freed == 0, "freed %d times", freed);
    cut_off(&c);
    CHECK(freed == 0, "freed while it waits");
    end();
    CHECK(freed == 1, "freed %d times", freed);
}

static void test_namespaces(void)
{
    sio_options o = options();
    struct client c = { .fd = -1 };
    sio_namespace *rule;
    char packet[160];

    T_CASE("recovery, loops: a dynamic namespace, kept by one that is away");
    begin_with(&o);
    rule = sio_of_regex(w->server, "^/room-[0-9]+$");
    sio_on_connection(rule, on_connection, NULL);
    CHECK_MATCH(dial(&c, 1, "40/room-1,"), "T:40/room-1,{*\"pid\":*}|");
    sio_emit(rule, "x");
    note_offset(&c, got_by(&c), "x");
    cut_off(&c);
    sio_emit(rule, "y");
    snprintf(packet, sizeof packet,
             "40/room-1,{\"pid\":\"%s\",\"offset\":\"%s\"}", c.pid, c.offset);
    CHECK_MATCH(dial(&c, 2, packet),
                "T:42/room-1,[\"y\",\"*\"]|T:40/room-1,{*}|");
    CHECK(sio_recovered(latest), "it is new");
    cut_off(&c);
    end();

    T_CASE("recovery, loops: a dynamic namespace that goes takes its sessions "
           "along");
    o.cleanup_empty_child_namespaces = true;
    begin_with(&o);
    sio_of_regex(w->server, "^/room-[0-9]+$");
    dial(&c, 1, "40/room-1,");
    cut_off(&c);
    CHECK(stats().waiting_sessions == 0 && stats().recovery_bytes == 0,
          "something is kept");
    end();
}

static void test_stop(void)
{
    struct client a = { .fd = -1 }, b = { .fd = -1 };

    T_CASE("recovery, loops: a server that stops keeps nobody");
    begin();
    new_client(&a, 1);
    new_client(&b, 2);
    cut_off(&a);
    sio_emit(nsp, "missed");
    sio_stop(w->server);
    shards_turn(&s);
    CHECK(stats().waiting_sessions == 0 && stats().recovery_bytes == 0,
          "%zu wait, %zu bytes", stats().waiting_sessions,
          stats().recovery_bytes);
    shards_end(&s);
    close(b.fd);

    T_CASE("recovery, loops: a server is freed while it keeps somebody");
    begin();
    new_client(&a, 1);
    cut_off(&a);
    sio_emit(nsp, "missed");
    shards_end(&s);
}

/* Goes, misses something and comes back, each time with one allocation less.
 * What fails may make it a new client, or none; never a wrong one. */
static void test_oom(void)
{
    sio_options o = options();
    struct client c = { .fd = -1 };
    bool failed = true;
    const char *got;
    long n;

    T_CASE("recovery, loops: every allocation fails once");
    o.log_level = SIO_LOG_ERROR;
    begin_with(&o);
    for (n = 0; failed && n < 500; n++) {
        new_client(&c, (size_t)n % LOOPS);
        oom_arm(n);
        cut_off(&c);
        if (sio_emit(nsp, "missed") == SIO_OK) {
            got = come_back(&c, (size_t)(n + 1) % LOOPS);
            if (strstr(got, "T:40{") && latest && sio_recovered(latest))
                CHECK_MATCH(got, "T:42[\"missed\",\"*\"]|T:40{*}|");
        }
        failed = oom_disarm();
        cut_off(&c);
    }
    CHECK(!failed && n > 20, "%ld allocations", n);
    end();
}

int main(void)
{
    test_everything_is_there();
    test_round_trip();
    test_one_socket();
    test_on_the_way_to_the_new_loop();
    test_it_has_it_already();
    test_overtaken();
    test_another_order();
    test_part_of_the_log();
    test_gone_between();
    test_late_connection();
    test_meanwhile();
    test_limits();
    test_data();
    test_namespaces();
    test_stop();
    test_oom();
    return t_done();
}
