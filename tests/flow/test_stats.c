/*
 * test_stats.c -- what sio_get_stats() counts, and the line of the log that
 * says why a session has ended.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sio/sio.h>

#include <unistd.h>

#include "tests/flow/echo.h"

static struct world w;
static struct echo e;

static void on_bye(sio_socket *socket, sio_event *event, void *user)
{
    bool close = false;

    (void)user;
    sio_arg_bool(event, 0, &close);
    sio_disconnect(socket, close);
}

static void on_echo(sio_socket *socket, sio_event *event, void *user)
{
    (void)user;
    sio_emit(socket, "echo", sio_arg(event, 0));
}

static void open_server(const sio_options *options)
{
    CHECK(world_open(&w, options), "no server");
    sio_on(sio_of(w.server, "/"), "bye", on_bye, NULL);
    sio_on(sio_of(w.server, "/"), "echo", on_echo, NULL);
}

static void close_server(void)
{
    world_check_empty(&w);
    world_close(&w);
}

static sio_stats stats(void)
{
    sio_stats s;

    world_turn(&w);
    sio_get_stats(w.server, &s);
    return s;
}

/* ----------------------------------------------------------- transports -- */

/* The WebSocket of an upgrade, with which a session polls beside. */
static int begin_upgrade(char *sid, char query[128])
{
    char ws[128];

    CHECK(world_session(&w, sid), "no session");
    snprintf(query, 128, "EIO=4&transport=polling&sid=%s", sid);
    snprintf(ws, sizeof ws, "EIO=4&transport=websocket&sid=%s", sid);
    return world_websocket(&w, ws);
}

static void check_live(const char *when, size_t sessions, size_t polling,
                       size_t upgrading)
{
    sio_stats s = stats();

    CHECK(s.sessions == sessions && s.polling == polling &&
              s.upgrading == upgrading,
          "%s: %zu sessions, %zu on polling, %zu upgrading", when, s.sessions,
          s.polling, s.upgrading);
}

static void test_transports(void)
{
    char sid[24], query[128];
    sio_stats s;
    int fd, ws;

    T_CASE("sessions by transport, through upgrades that do and do not work");
    open_server(NULL);
    fd = world_client(&w);
    check_live("a WebSocket", 1, 0, 0);
    ws = begin_upgrade(sid, query);
    check_live("an upgrade", 2, 1, 1);
    world_hang_up(&w, ws);
    check_live("it failed", 2, 1, 0);
    snprintf(query, sizeof query, "EIO=4&transport=websocket&sid=%s", sid);
    ws = world_websocket(&w, query);
    world_send_text(&w, ws, "2probe");
    CHECK_FRAMES(&w, ws, "T:3probe|");
    check_live("another", 2, 1, 1);
    world_send_text(&w, ws, "5");
    check_live("it is done", 2, 0, 0);
    world_hang_up(&w, ws);
    check_live("and gone", 1, 0, 0);
    ws = begin_upgrade(sid, query);
    world_post(&w, query, "1");
    check_live("the session ended amid an upgrade", 1, 0, 0);
    world_hang_up(&w, ws);
    world_hang_up(&w, fd);
    s = stats();
    CHECK(s.handshakes == 3 && s.websocket_handshakes == 1,
          "%u handshakes, %u on WebSocket", (unsigned)s.handshakes,
          (unsigned)s.websocket_handshakes);
    CHECK(s.upgrades == 1 && s.upgrades_failed == 2, "%u done, %u failed",
          (unsigned)s.upgrades, (unsigned)s.upgrades_failed);
    close_server();

    T_CASE("an upgrade that runs out of time has failed");
    open_server(NULL);
    ws = begin_upgrade(sid, query);
    world_advance(&w, 10000);
    check_live("late", 1, 1, 0);
    s = stats();
    CHECK(s.upgrades_failed == 1, "%u failed", (unsigned)s.upgrades_failed);
    world_post(&w, query, "1");
    world_hang_up(&w, ws);
    close_server();
}

/* ------------------------------------------------------------- refusals -- */

static void refuse(sio_handshake *handshake, void *user)
{
    (void)user;
    sio_refuse(handshake, NULL);
}

static void test_refusals(void)
{
    static const char *const queries[] = {
        "EIO=4&transport=pigeon",
        "EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAAAAAA",
        NULL, /* a POST */
        "EIO=4&transport=websocket",
        NULL, /* allow_request */
        "EIO=3&transport=polling",
    };
    sio_options o;
    sio_stats s;

    T_CASE("what is refused, by code; and what is no HTTP");
    open_server(NULL);
    for (size_t i = 0; i < COUNT(queries); i++)
        if (queries[i])
            world_get(&w, queries[i]);
    world_post(&w, "EIO=4&transport=polling", "40");
    world_raw(&w, "GET /socket.io/ HTTP/1.1\r\n\r\n"); /* no Host */
    s = stats();
    for (size_t i = 0; i < COUNT(queries); i++)
        CHECK(s.refused_by_code[i] == (i == 4 ? 0 : 1), "code %zu: %u", i,
              (unsigned)s.refused_by_code[i]);
    CHECK(s.refused == 5 && s.bad_requests == 1 && s.handshakes == 0,
          "%u refused, %u bad", (unsigned)s.refused, (unsigned)s.bad_requests);
    close_server();

    sio_options_init(&o);
    o.allow_request = refuse;
    open_server(&o);
    world_get(&w, "EIO=4&transport=polling");
    s = stats();
    CHECK(s.refused == 1 && s.refused_by_code[4] == 1, "%u, %u",
          (unsigned)s.refused, (unsigned)s.refused_by_code[4]);
    close_server();
}

/* -------------------------------------------------------------- reasons -- */

static void leave_by_bye(int fd)
{
    world_send_text(&w, fd, "42[\"bye\",false]");
    world_hang_up(&w, fd);
}

static void leave_by_disconnect(int fd)
{
    world_send_text(&w, fd, "41");
    world_hang_up(&w, fd);
}

static void leave_by_close_frame(int fd)
{
    world_frame(&w, fd, 0x88, "", 0);
    world_hang_up(&w, fd);
}

static void leave_by_bad_frame(int fd)
{
    world_write(&w, fd, "\xff\xff\xff", 3);
    world_hang_up(&w, fd);
}

static void leave_by_silence(int fd)
{
    world_advance(&w, 45000);
    world_hang_up(&w, fd);
}

static void leave_by_bad_packet(int fd)
{
    world_send_text(&w, fd, "x");
    world_hang_up(&w, fd);
}

static void leave_by_bad_event(int fd)
{
    world_send_text(&w, fd, "4a");
    world_hang_up(&w, fd);
}

static void leave_by_violation(int fd)
{
    world_send_text(&w, fd, "40");
    world_hang_up(&w, fd);
}

static void leave_by_stop(int fd)
{
    sio_stop(w.server);
    world_turn(&w);
    world_hang_up(&w, fd);
}

#define NOT_COUNTED ((sio_close_reason)SIO_STATS_REASONS)

static const struct {
    void (*leave)(int fd);
    sio_close_reason socket, session;
} ways[] = {
    { leave_by_bye, SIO_CLOSE_SERVER_DISCONNECT, SIO_CLOSE_TRANSPORT_CLOSE },
    { leave_by_disconnect, SIO_CLOSE_CLIENT_DISCONNECT,
      SIO_CLOSE_TRANSPORT_CLOSE },
    { leave_by_close_frame, SIO_CLOSE_TRANSPORT_CLOSE,
      SIO_CLOSE_TRANSPORT_CLOSE },
    { leave_by_bad_frame, SIO_CLOSE_TRANSPORT_ERROR,
      SIO_CLOSE_TRANSPORT_ERROR },
    { leave_by_silence, SIO_CLOSE_PING_TIMEOUT, SIO_CLOSE_PING_TIMEOUT },
    { leave_by_bad_packet, SIO_CLOSE_PARSE_ERROR, SIO_CLOSE_PARSE_ERROR },
    { leave_by_bad_event, SIO_CLOSE_FORCED_CLOSE, SIO_CLOSE_FORCED_CLOSE },
    { leave_by_violation, SIO_CLOSE_FORCED_CLOSE, SIO_CLOSE_FORCED_CLOSE },
    { leave_by_stop, SIO_CLOSE_SERVER_SHUTDOWN, SIO_CLOSE_SERVER_SHUTDOWN },
};

static void test_reasons(void)
{
    for (size_t i = 0; i < COUNT(ways); i++) {
        uint64_t closed = 0, left = 0;
        char want[80];
        sio_stats s;

        T_CASE("counted: a socket's \"%s\", of a session's \"%s\"",
               sio_close_reason_name(ways[i].socket),
               sio_close_reason_name(ways[i].session));
        open_server(NULL);
        ways[i].leave(world_client(&w));
        s = stats();
        CHECK(s.closed[ways[i].session] == 1, "session: not counted");
        CHECK(s.disconnects[ways[i].socket] == 1, "socket: not counted");
        for (size_t k = 0; k < SIO_STATS_REASONS; k++) {
            closed += s.closed[k];
            left += s.disconnects[k];
        }
        CHECK(closed == 1 && left == 1, "%u and %u in all", (unsigned)closed,
              (unsigned)left);
        snprintf(want, sizeof want, "session closed: reason=\"%s\" ",
                 sio_close_reason_name(ways[i].session));
        CHECK(strstr(w.log, want), "log: %s", w.log);
        close_server();
    }
    T_CASE("a number that is no reason");
    CHECK_MATCH(sio_close_reason_name(NOT_COUNTED), "?");
}

/* ------------------------------------------------------ bytes, packets -- */

static void test_amounts(void)
{
    /* request line, fields; masked frames of 2 + 4 + n */
    static const char event[] = "42[\"echo\",\"hello\"]";
    sio_stats before, s;
    int fd;

    T_CASE("packets and bytes, both ways");
    open_server(NULL);
    fd = world_client(&w);
    before = stats();
    world_send_text(&w, fd, event);
    CHECK_FRAMES(&w, fd, "T:42[\"echo\",\"hello\"]|");
    s = stats();
    CHECK(s.packets_in - before.packets_in == 1, "packets in");
    CHECK(s.packets_out - before.packets_out == 1, "packets out");
    CHECK(s.events_in - before.events_in == 1, "events in");
    CHECK(s.events_out - before.events_out == 1, "events out");
    CHECK(s.bytes_in - before.bytes_in == 6 + sizeof event - 1, "%u bytes in",
          (unsigned)(s.bytes_in - before.bytes_in));
    CHECK(s.bytes_out - before.bytes_out == 2 + sizeof event - 1,
          "%u bytes out", (unsigned)(s.bytes_out - before.bytes_out));
    before = s;
    world_advance(&w, 25000);
    CHECK_FRAMES(&w, fd, "T:2|");
    world_send_text(&w, fd, "3");
    s = stats();
    CHECK(s.packets_in - before.packets_in == 1, "the pong");
    CHECK(s.packets_out - before.packets_out == 1, "the ping");
    world_hang_up(&w, fd);
    close_server();
}

static void test_discarded(void)
{
    char query[128];
    sio_stats s;

    T_CASE("output that a session left behind");
    CHECK(echo_open(&w, &e, NULL) && echo_session(&w, query), "no session");
    echo_send(&w, &e, "12345");
    s = stats();
    CHECK(s.queued_bytes == 6 && s.discarded_bytes == 0, "%zu, %u",
          s.queued_bytes, (unsigned)s.discarded_bytes);
    world_post(&w, query, "1");
    s = stats();
    CHECK(s.queued_bytes == 0 && s.discarded_bytes == 6, "%zu, %u",
          s.queued_bytes, (unsigned)s.discarded_bytes);
    close_server();
}

/* ------------------------------------------------------------- versions -- */

static void test_sizes(void)
{
    struct {
        sio_stats s;
        uint64_t newer[2];
    } large;
    union {
        sio_stats s;
        size_t fields[4];
    } small;
    int fd;

    T_CASE("callers that were built with fewer fields, or with more");
    open_server(NULL);
    fd = world_client(&w);
    memset(&large, 0xff, sizeof large);
    sio_get_stats_sized(w.server, &large.s, sizeof large);
    CHECK(large.s.connections == 1 && !large.newer[0] && !large.newer[1],
          "what the library does not know must be 0");
    memset(&small, 0xff, sizeof small);
    sio_get_stats_sized(w.server, &small.s, 2 * sizeof(size_t));
    CHECK(small.s.connections == 1 && small.s.tls == 0, "the first fields");
    CHECK(small.fields[2] == SIZE_MAX, "written behind what there is");
    world_hang_up(&w, fd);
    close_server();
}

/* ------------------------------------------------------------- the line -- */

/* The last line of the log that says why a session was closed. */
static const char *last_line(void)
{
    const char *at = w.log, *found = "";

    while ((at = strstr(at, "session closed:")))
        found = at++;
    return found;
}

static void test_line_websocket(void)
{
    int fd;

    T_CASE("the line: a WebSocket, 30 s old, whose pong took 40 ms");
    open_server(NULL);
    fd = world_client(&w);
    world_advance(&w, 25000);
    CHECK_FRAMES(&w, fd, "T:2|");
    world_advance(&w, 40);
    world_send_text(&w, fd, "3");
    world_advance(&w, 4960);
    world_hang_up(&w, fd);
    CHECK_MATCH(last_line(),
                "session closed: reason=\"transport close\" detail=\"no close "
                "frame\" address=127.0.0.1 transport=websocket upgrade=none "
                "age_in_ms=4960 age_out_ms=5000 rtt_ms=40 queued=0 "
                "duration_s=30 packets_in=2 packets_out=2 bytes_in=* "
                "bytes_out=*\n");
    close_server();
}

static void test_line_polling(void)
{
    char sid[24], query[128];
    int ws;

    T_CASE("the line: polling, with output that nobody fetched");
    CHECK(echo_open(&w, &e, NULL) && echo_session(&w, query), "no session");
    world_post(&w, query,
               "4ab\x1e"
               "4cd");
    world_advance(&w, 700);
    world_post(&w, query, "1");
    CHECK_MATCH(last_line(),
                "session closed: reason=\"transport close\" detail=\"\" "
                "address=127.0.0.1 transport=polling upgrade=none age_in_ms=0 "
                "age_out_ms=700 rtt_ms=- queued=7 duration_s=0 packets_in=3 "
                "packets_out=2 bytes_in=8 bytes_out=0\n");
    close_server();

    T_CASE("the line: what a close frame said");
    open_server(NULL);
    ws = world_client(&w);
    world_frame(&w, ws, 0x88, "\x03\xe9", 2);
    world_hang_up(&w, ws);
    CHECK_MATCH(last_line(), "*reason=\"transport close\" detail=\"close code "
                             "1001\" *");
    close_server();

    T_CASE("the line: amid an upgrade, after one that failed, after one");
    open_server(NULL);
    ws = begin_upgrade(sid, query);
    world_post(&w, query, "1");
    CHECK_MATCH(last_line(), "*transport=polling upgrade=probing *");
    world_hang_up(&w, ws);
    ws = begin_upgrade(sid, query);
    world_hang_up(&w, ws);
    world_post(&w, query, "1");
    CHECK_MATCH(last_line(), "*transport=polling upgrade=failed *");
    ws = begin_upgrade(sid, query);
    world_send_text(&w, ws, "2probe");
    world_send_text(&w, ws, "5");
    world_hang_up(&w, ws);
    CHECK_MATCH(last_line(), "*transport=websocket upgrade=done *");
    CHECK(!strstr(w.log, sid), "the session id is in the log: %s", w.log);
    close_server();
}

static void count_lines(void *user, sio_log_level level, const char *message)
{
    (void)level;
    (void)message;
    ++*(int *)user;
}

static uint64_t no_time(void *self)
{
    (void)self;
    return 1000;
}

/* The world's log hears everything: a server of its own. */
static void test_levels(void)
{
    for (int level = SIO_LOG_WARN; level <= SIO_LOG_INFO; level++) {
        sio_options o;
        int lines = 0, fd;

        T_CASE("level %s: a session that ended is %stold",
               level == SIO_LOG_WARN ? "WARN" : "INFO",
               level == SIO_LOG_WARN ? "not " : "");
        sio_options_init(&o);
        o.log = count_lines;
        o.log_user = &lines;
        o.log_level = (sio_log_level)level;
        memset(&w, 0, sizeof w);
        w.path = "/socket.io/";
        w.server = server_new(&o, no_time, NULL);
        CHECK(w.server && sio_of(w.server, "/"), "no server");
        fd = world_client(&w);
        world_hang_up(&w, fd);
        CHECK(lines == (level == SIO_LOG_INFO), "%d lines", lines);
        close_server();
    }
}

int main(void)
{
    test_transports();
    test_refusals();
    test_reasons();
    test_amounts();
    test_discarded();
    test_sizes();
    test_line_websocket();
    test_line_polling();
    test_levels();
    return t_done();
}
