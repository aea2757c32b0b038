/*
 * test_slow.c -- a client that does not read, among others that do: what waits
 * for it is counted and bounded, it is closed with a reason of its own, and
 * nobody else notices. And when volatile packets are dropped, if some output
 * may wait before them (max_volatile_amount).
 *
 * SPDX-License-Identifier: MIT
 */
#include <sio/sio.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/flow/world.h"

#define READERS 50
#define EVENTS 2000
#define EVENT_SIZE 4000         /* bytes */
#define LIMIT ((size_t)1 << 20) /* bytes that may wait */

static struct world w;
static sio_socket *latest;
static char left[256], text[EVENT_SIZE + 1];

static void on_connection(sio_socket *socket, void *user)
{
    (void)user;
    latest = socket;
}

static void on_disconnect(sio_socket *socket, const char *reason, void *user)
{
    size_t n = strlen(left);

    (void)user;
    if (socket == latest)
        latest = NULL;
    snprintf(left + n, sizeof left - n, "%s;", reason);
}

static void open_server(size_t max_volatile)
{
    sio_options o;

    left[0] = 0;
    latest = NULL;
    memset(text, 'x', EVENT_SIZE);
    sio_options_init(&o);
    o.max_buffered_amount = LIMIT;
    o.max_volatile_amount = max_volatile;
    CHECK(world_open(&w, &o), "no server");
    sio_on_connection(sio_of(w.server, "/"), on_connection, NULL);
    sio_on_disconnect(sio_of(w.server, "/"), on_disconnect, NULL);
}

static void close_server(void)
{
    world_check_empty(&w);
    world_close(&w);
}

static sio_stats stats(void)
{
    sio_stats s;

    sio_get_stats(w.server, &s);
    return s;
}

/* Joined, without a poll waiting. */
static void polling_client(char query[128])
{
    char sid[24];

    CHECK(world_session(&w, sid), "no session");
    snprintf(query, 128, "EIO=4&transport=polling&sid=%s", sid);
    CHECK_MATCH(world_post(&w, query, "40"), "ok");
    CHECK_MATCH(world_get(&w, query), "40{*}");
}

/* Everything that there is, counted in bytes. */
static size_t drink(int fd)
{
    static char sink[1 << 16];
    size_t total = 0;
    ssize_t n;

    while ((n = recv(fd, sink, sizeof sink, 0)) > 0)
        total += (size_t)n;
    return total;
}

/* ---------------------------------------------------- one among fifty -- */

struct crowd {
    int fds[READERS];
    size_t bytes[READERS]; /* that each has read */
    size_t peak;           /* of the heap, above what was in use at first */
    size_t peak_queued;
};

/* EVENTS broadcasts, after each of which the readers read. */
static void broadcast(struct crowd *c)
{
    size_t before = world_memory();

    for (int n = 0; n < EVENTS; n++) {
        size_t now;

        sio_emit(sio_of(w.server, "/"), "news", sio_stringn(text, EVENT_SIZE));
        world_turn(&w);
        for (int i = 0; i < READERS; i++)
            c->bytes[i] += drink(c->fds[i]);
        now = world_memory();
        if (now > before && now - before > c->peak)
            c->peak = now - before;
        if (stats().queued_bytes > c->peak_queued)
            c->peak_queued = stats().queued_bytes;
    }
}

static void check_crowd(const struct crowd *c, const char *transport)
{
    /* 42["news","..."] in a frame with a header of 4 bytes */
    const size_t each = 4 + strlen("42[\"news\",\"\"]") + EVENT_SIZE;
    char line[128];
    sio_stats s = stats();

    for (int i = 0; i < READERS; i++)
        CHECK(c->bytes[i] == EVENTS * each, "reader %d: %zu bytes", i,
              c->bytes[i]);
    CHECK_MATCH(left, "slow consumer;");
    CHECK(s.closed[SIO_CLOSE_SLOW_CONSUMER] == 1 &&
              s.disconnects[SIO_CLOSE_SLOW_CONSUMER] == 1,
          "not counted");
    CHECK(s.sessions == READERS && s.queued_bytes == 0, "%zu, %zu bytes",
          s.sessions, s.queued_bytes);
    CHECK(s.discarded_bytes > LIMIT - 2 * each &&
              s.discarded_bytes < LIMIT + 2 * each,
          "%zu bytes discarded", (size_t)s.discarded_bytes);
    CHECK(c->peak_queued < LIMIT + 2 * READERS * each, "%zu bytes queued",
          c->peak_queued);
    /* the limit, doubled while a buffer grows, and what is kept for later */
    CHECK(c->peak < 4 * LIMIT, "%zu bytes of memory", c->peak);
    snprintf(line, sizeof line,
             "*reason=\"slow consumer\" *transport=%s *queued=1*", transport);
    CHECK_MATCH(w.log, line);
    printf("# %s: %zu KiB of memory at most\n", transport, c->peak / 1024);
}

static void test_crowd(bool polling)
{
    struct crowd c = { .peak = 0 };
    char query[128];
    int deaf = -1;

    T_CASE("one client that never reads, over %s, and %d that do: %d "
           "broadcasts",
           polling ? "polling" : "WebSocket", READERS, EVENTS);
    open_server(0);
    for (int i = 0; i < READERS; i++)
        c.fds[i] = world_client(&w);
    if (polling)
        polling_client(query);
    else
        deaf = world_client(&w);
    w.log[0] = 0;
    broadcast(&c);
    check_crowd(&c, polling ? "polling" : "websocket");
    for (int i = 0; i < READERS; i++)
        world_hang_up(&w, c.fds[i]);
    if (deaf >= 0)
        world_hang_up(&w, deaf);
    close_server();
}

/* Amid an upgrade the old transport decides. */
static void test_upgrading(void)
{
    char query[128], ws[128];
    int fd;

    T_CASE("one that stays amid its upgrade");
    open_server(0);
    polling_client(query);
    snprintf(ws, sizeof ws, "EIO=4&transport=websocket&%s",
             strstr(query, "sid="));
    fd = world_websocket(&w, ws);
    world_send_text(&w, fd, "2probe");
    w.log[0] = 0;
    for (size_t n = 0; n < LIMIT / EVENT_SIZE + 2 && !left[0]; n++) {
        sio_emit(sio_of(w.server, "/"), "news", sio_stringn(text, EVENT_SIZE));
        world_turn(&w);
    }
    CHECK_MATCH(left, "slow consumer;");
    CHECK_MATCH(w.log, "*reason=\"slow consumer\" *transport=polling "
                       "upgrade=probing *");
    CHECK(stats().upgrades_failed == 1, "the upgrade");
    world_hang_up(&w, fd);
    close_server();
}

/* ------------------------------------------------------------ accessors -- */

static void test_buffered(void)
{
    char query[128];
    sio_socket *kept;
    int fd;

    T_CASE("sio_buffered(): polling, WebSocket, gone");
    open_server(0);
    polling_client(query);
    CHECK(sio_buffered(latest) == 0, "%zu", sio_buffered(latest));
    sio_emit(latest, "a");
    CHECK(sio_buffered(latest) == 7, "%zu", sio_buffered(latest));
    sio_emit(sio_of(w.server, "/"), "b"); /* a separator and 7 */
    CHECK(sio_buffered(latest) == 15, "%zu", sio_buffered(latest));
    CHECK_MATCH(world_get(&w, query), "42[\"a\"]\x1e"
                                      "42[\"b\"]");
    CHECK(sio_buffered(latest) == 0, "%zu", sio_buffered(latest));
    world_post(&w, query, "1");
    fd = world_client(&w);
    kept = sio_retain(latest);
    sio_emit(sio_of(w.server, "/"), "news", sio_stringn(text, EVENT_SIZE));
    CHECK(sio_buffered(kept) == 4017, "%zu", sio_buffered(kept));
    CHECK(stats().queued_bytes == 4017, "%zu", stats().queued_bytes);
    world_turn(&w);
    CHECK(sio_buffered(kept) == 0, "%zu", sio_buffered(kept));
    world_hang_up(&w, fd);
    CHECK(sio_buffered(kept) == 0, "%zu", sio_buffered(kept));
    sio_release(kept);
    close_server();
}

/* ------------------------------------------------------------- volatile -- */

/* Volatile packets sent to `latest` until one is dropped; at most 100. */
static int volatile_taken(void)
{
    uint64_t dropped = stats().volatile_dropped;
    int taken = 0;

    while (taken < 100) {
        sio_emit(sio_volatile(latest), "v");
        if (stats().volatile_dropped != dropped)
            break;
        taken++;
    }
    return taken;
}

static void test_volatile(void)
{
    static const struct {
        size_t mark;
        int websocket, polling; /* packets: of 9 bytes, of 7 and a separator */
    } rows[] = {
        { 0, 1, 0 },  { 1, 1, 1 }, /* more than one byte waits behind the first
                                    */
        { 8, 1, 2 },  { 9, 2, 2 },        { 17, 2, 3 },
        { 18, 3, 3 }, { 1000, 100, 100 },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        char query[128];
        int fd, taken;

        T_CASE("max_volatile_amount %zu: %d volatile packets in one turn, %d "
               "without a poll",
               rows[i].mark, rows[i].websocket, rows[i].polling);
        open_server(rows[i].mark);
        fd = world_client(&w);
        taken = volatile_taken();
        CHECK(taken == rows[i].websocket, "WebSocket: %d", taken);
        world_turn(&w);
        CHECK(drink(fd) == 9 * (size_t)taken, "others have come");
        world_hang_up(&w, fd);
        polling_client(query);
        taken = volatile_taken();
        CHECK(taken == rows[i].polling, "polling: %d", taken);
        world_post(&w, query, "1");
        close_server();
    }
}

static void on_reply(int error, sio_event *answers, void *user)
{
    (void)answers;
    *(int *)user = error;
}

static void test_dropped(void)
{
    char query[128];
    int fd, error = 1;

    T_CASE("each way to send counts what it drops: to one, to all, a question");
    open_server(0);
    polling_client(query); /* without a poll: never ready */
    fd = world_client(&w);
    sio_emit(sio_volatile(sio_of(w.server, "/")), "v");
    CHECK(stats().volatile_dropped == 1, "to all: %u",
          (unsigned)stats().volatile_dropped);
    sio_emit(sio_volatile(latest), "v"); /* the turn is not over */
    CHECK(stats().volatile_dropped == 2, "to one: %u",
          (unsigned)stats().volatile_dropped);
    sio_emit_ack(sio_timeout(sio_volatile(latest), 100), on_reply, &error, "q");
    CHECK(stats().volatile_dropped == 3, "a question: %u",
          (unsigned)stats().volatile_dropped);
    CHECK_FRAMES(&w, fd, "T:42[\"v\"]|");
    world_advance(&w, 100);
    CHECK(error == SIO_E_TIMEOUT, "answered with %d", error);
    world_hang_up(&w, fd);
    world_post(&w, query, "1");
    close_server();
}

static void test_options(void)
{
    sio_options o;

    T_CASE("max_volatile_amount over max_buffered_amount is refused");
    sio_options_init(&o);
    o.max_volatile_amount = o.max_buffered_amount;
    CHECK(world_open(&w, &o), "the same is fine");
    world_close(&w);
    o.max_volatile_amount++;
    CHECK(!world_open(&w, &o), "taken");
}

int main(void)
{
    test_crowd(false);
    test_crowd(true);
    test_upgrading();
    test_buffered();
    test_volatile();
    test_dropped();
    test_options();
    return t_done();
}
