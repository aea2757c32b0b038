/*
 * test_cli_client.c -- the client of the tool `sio` beside a small server that
 * is played by hand: every transport, its answers cut at every byte, every
 * allocation failing, and what servers get wrong.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/base/base64.h"
#include "protocol/websocket/handshake.h"
#include "src/cli/socket.h"
#include "tests/unit/oom.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <sio/value.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#define ENDS 4 /* connections of a client, at most */
#define TURNS 400
#define OPEN                                         \
    "0{\"sid\":\"s1\",\"upgrades\":[\"websocket\"]," \
    "\"pingInterval\":25000,\"pingTimeout\":20000,"  \
    "\"maxPayload\":100000}"

/* ------------------------------------------------------------------ server */

struct end {
    int fd; /* -1: none */
    bool ws;
    bool waiting; /* a GET that has no answer yet */
    uint8_t in[4096];
    size_t n;
};

static struct net_loop loop;
static uint64_t now = 1000;
static int listener;
static char address[128];
static struct end ends[ENDS];
static bool over_ws;
static char queue[2000];      /* for the next GET */
static size_t sent, cut;      /* bytes to the client; where one write is cut */
static const char *open_text; /* what the session begins with */
static const char *http_text; /* instead of every answer; NULL: none */
static bool wrong_key, no_pings;

static void turn(void);

static void put(struct end *e, const void *p, size_t n)
{
    size_t first = cut > sent && cut < sent + n ? cut - sent : n;

    sent += n;
    if (send(e->fd, p, first, MSG_NOSIGNAL) < 0 || first == n)
        return;
    for (int i = 0; i < 4; i++)
        net_loop_poll(&loop);
    if (send(e->fd, (const char *)p + first, n - first, MSG_NOSIGNAL) < 0)
        return;
}

static void put_frame(struct end *e, enum ws_op op, const char *p, size_t n)
{
    uint8_t frame[WS_HEAD_MAX + 1000];
    size_t at = ws_encode_head(frame, op, n, NULL);

    memcpy(frame + at, p, n);
    put(e, frame, at + n);
}

static void respond(struct end *e, const char *body)
{
    char text[2500];
    int n = snprintf(text, sizeof text,
                     "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s",
                     strlen(body), body);

    put(e, http_text ? http_text : text,
        http_text ? strlen(http_text) : (size_t)n);
}

static void flush_queue(void)
{
    for (int i = 0; i < ENDS; i++)
        if (ends[i].waiting && queue[0]) {
            char body[sizeof queue];

            memcpy(body, queue, sizeof body);
            ends[i].waiting = false;
            queue[0] = 0;
            respond(&ends[i], body);
        }
}

/* A packet as text; binary ones have their base64 form while polling. */
static void say(const char *packet)
{
    size_t n = strlen(queue);

    for (int i = 0; i < ENDS; i++)
        if (over_ws && ends[i].ws && ends[i].fd >= 0) {
            put_frame(&ends[i], WS_TEXT, packet, strlen(packet));
            return;
        }
    snprintf(queue + n, sizeof queue - n, "%s%s", n ? "\x1e" : "", packet);
    flush_queue();
}

/* What no GET has come for goes out behind the upgrade. */
static void flush_to_websocket(void)
{
    char waiting[sizeof queue], *rest = waiting;

    memcpy(waiting, queue, sizeof waiting);
    queue[0] = 0;
    for (char *p; (p = strsep(&rest, "\x1e"));)
        if (*p)
            say(p);
}

static void on_packet(struct end *e, const char *p, size_t n)
{
    char text[1000];

    snprintf(text, sizeof text, "%.*s", (int)n, p);
    if (strcmp(text, "2probe") == 0) {
        put_frame(e, WS_TEXT, "3probe", 6);
        say("6");
    } else if (strcmp(text, "5") == 0) {
        over_ws = true;
        flush_to_websocket();
    } else if (text[0] == '4' && text[1] == '0') {
        say("40{\"sid\":\"x\"}");
        if (!no_pings)
            say("2");
    } else if (text[0] == '4' || text[0] == 'b') {
        say(text);
    } else if (text[0] == '3') {
        say("42[\"pong\"]");
    }
}

static void on_frame(struct end *e, const struct ws_event *ev)
{
    if (ev->op == WS_BINARY)
        put_frame(e, WS_BINARY, (const char *)ev->data, ev->n);
    else if (ev->op == WS_TEXT)
        on_packet(e, (const char *)ev->data, ev->n);
    else if (ev->op == WS_CLOSE) {
        put_frame(e, WS_CLOSE, (const char *)ev->data, ev->n);
        close(e->fd);
        e->fd = -1;
    }
}

static void on_upgrade(struct end *e, const char *head)
{
    char key[25], accept[WS_ACCEPT_LEN], text[300];
    int n;

    snprintf(key, sizeof key, "%.24s",
             strstr(head, "Sec-WebSocket-Key: ") + 19);
    if (wrong_key)
        key[0] = key[0] == 'A' ? 'B' : 'A';
    ws_handshake_accept((sio_str){ key, 24 }, accept);
    n = snprintf(text, sizeof text,
                 "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                 "Connection: Upgrade\r\nSec-WebSocket-Accept: %.*s\r\n\r\n",
                 WS_ACCEPT_LEN, accept);
    e->ws = true;
    put(e, http_text ? http_text : text,
        http_text ? strlen(http_text) : (size_t)n);
    if (!http_text && !strstr(head, "sid=")) {
        over_ws = true;
        put_frame(e, WS_TEXT, open_text, strlen(open_text));
    }
}

static void on_post(struct end *e, char *body)
{
    respond(e, "ok");
    for (char *p = strtok(body, "\x1e"); p; p = strtok(NULL, "\x1e"))
        on_packet(e, p, strlen(p));
}

/* One request; how many bytes it took, 0: it is not whole. */
static size_t on_request(struct end *e)
{
    char text[sizeof e->in + 1], *body, *length;
    size_t n = 0, head;

    memcpy(text, e->in, e->n);
    text[e->n] = 0;
    body = strstr(text, "\r\n\r\n");
    if (!body)
        return 0;
    head = (size_t)(body + 4 - text);
    length = strstr(text, "Content-Length: ");
    if (length)
        n = strtoul(length + 16, NULL, 10);
    if (head + n > e->n)
        return 0;
    text[head + n] = 0;
    if (strstr(text, "Upgrade: websocket")) {
        on_upgrade(e, text);
    } else if (text[0] == 'P') {
        on_post(e, body + 4);
    } else if (strstr(text, "sid=")) {
        e->waiting = true;
        flush_queue();
    } else {
        respond(e, open_text);
    }
    return head + n;
}

static size_t one(struct end *e)
{
    struct ws_decoder d;
    struct ws_event ev;
    size_t used;

    if (!e->ws)
        return on_request(e);
    ws_decoder_init(&d, WS_SERVER, 4096, 0);
    used = ws_decode_whole(&d, e->in, e->n, &ev);
    if (used)
        on_frame(e, &ev);
    return used;
}

static void serve(struct end *e)
{
    ssize_t got = recv(e->fd, e->in + e->n, sizeof e->in - e->n, MSG_DONTWAIT);
    size_t used;

    if (got > 0)
        e->n += (size_t)got;
    while (e->n && e->fd >= 0 && (used = one(e)) > 0) {
        e->n -= used;
        memmove(e->in, e->in + used, e->n);
    }
    if (got == 0 && e->fd >= 0) {
        close(e->fd);
        e->fd = -1;
    }
}

static void turn(void)
{
    int fd;

    net_loop_poll(&loop);
    for (int i = 0; i < ENDS; i++)
        if (ends[i].fd >= 0) {
            serve(&ends[i]);
        } else if ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
            ends[i] = (struct end){ .fd = fd };
        }
}

static void start_listening(void)
{
    struct sockaddr_un sa = { .sun_family = AF_UNIX };
    int n = snprintf(sa.sun_path + 1, sizeof sa.sun_path - 1, "sio-cli-%ld",
                     (long)getpid());

    snprintf(address, sizeof address, "unix:@%s", sa.sun_path + 1);
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (bind(listener, (struct sockaddr *)&sa,
             (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
                         (size_t)n)) < 0 ||
        listen(listener, 16) < 0)
        printf("# %s: %s\n", address, strerror(errno));
}

/* ------------------------------------------------------------------ client */

static struct cli_target target;
static struct cli_socket *client;
static char told[1000];
static int packets;
static bool refused; /* an emit, which its caller was told */

static void tell(const char *text, sio_str s)
{
    size_t n = strlen(told);

    snprintf(told + n, sizeof told - n, "%s%.*s\n", text, (int)s.n,
             s.n ? s.p : "");
}

static void emit(sio_value value)
{
    if (client && cli_socket_emit(client, STR("echo"), SP_NO_ID, &value, 1) < 0)
        refused = true;
}

static void on_connected(void *self)
{
    (void)self;
    tell("connected", (sio_str){ NULL, 0 });
    emit(sio_string("hello"));
    emit(sio_binary("\1\2\3", 3));
}

static void on_upgraded(void *self)
{
    (void)self;
}

static void client_packet(void *self, const struct sp_packet *packet,
                          const sio_str *attachments, size_t count)
{
    (void)self;
    if (cli_event_is(&target, packet, STR("pong")))
        tell("pong", (sio_str){ NULL, 0 });
    else
        tell("echo ", cli_argument(&target, packet, 0, attachments, count));
    if (++packets == 3)
        cli_socket_close(client);
}

static void on_closed(void *self, const char *why)
{
    (void)self;
    tell("closed: ", str_of(why));
    client = NULL;
}

static const struct cli_socket_ops ops = { on_connected, on_upgraded,
                                           client_packet, on_closed };

/* Until the client is closed, or nothing more happens. */
static void run(enum cli_transport transport)
{
    target.transport = transport;
    told[0] = queue[0] = 0;
    packets = 0;
    refused = false;
    sent = 0;
    over_ws = false;
    client = cli_socket_open(&loop, &target, &ops, NULL);
    for (int i = 0; i < TURNS && client; i++)
        turn();
}

/* Nothing is left: of the client, and of the connections of both sides. */
static void clean_up(void)
{
    if (client)
        cli_socket_drop(client);
    client = NULL;
    for (int i = 0; i < 4; i++)
        turn();
    for (int i = 0; i < ENDS; i++) {
        if (ends[i].fd >= 0)
            close(ends[i].fd);
        ends[i].fd = -1;
    }
    now += 5000; /* whoever still lingers is cut */
    for (int i = 0; i < 4; i++)
        turn();
    CHECK(loop.outgoing_count == 0, "%zu connections", loop.outgoing_count);
}

static uint64_t fake_clock(void *self)
{
    (void)self;
    return now;
}

static void set_up(void)
{
    const struct net_loop_config config = { .clock = fake_clock };

    start_listening();
    net_loop_init(&loop, &config);
    for (int i = 0; i < ENDS; i++)
        ends[i].fd = -1;
    target.url.port = 0;
    snprintf(target.url.authority, sizeof target.url.authority, "localhost");
    target.dial = address;
    target.path = "/socket.io/";
    target.nsp = STR("/");
    target.open_ms = 5000;
    target.max_queued = target.max_message = 1 << 20;
    open_text = OPEN;
}

/* ------------------------------------------------------------------- tests */

static const char *const names[] = { "websocket", "polling", "upgrade" };

/* Is `line` in what was told? */
static bool has(const char *line)
{
    return strstr(told, line) != NULL;
}

static void check_all_told(void)
{
    CHECK(has("connected\n") && has("echo hello\n") && has("echo \1\2\3\n") &&
              has("pong\n") && has("closed: closed\n"),
          "%s", told);
}

static void whole(void)
{
    for (unsigned t = 0; t < 3; t++) {
        T_CASE("cli client: %s", names[t]);
        cut = 0;
        run((enum cli_transport)t);
        check_all_told();
        clean_up();
    }
}

static void cut_everywhere(void)
{
    for (unsigned t = 0; t < 3; t++) {
        size_t all;

        T_CASE("cli client: %s, cut at every byte", names[t]);
        cut = 0;
        run((enum cli_transport)t);
        clean_up();
        all = sent;
        CHECK(all > 200, "%zu bytes", all);
        for (cut = 1; cut < all; cut++) {
            run((enum cli_transport)t);
            check_all_told();
            clean_up();
        }
        cut = 0;
    }
}

static void out_of_memory(void)
{
    for (unsigned t = 0; t < 3; t++) {
        long n = 0;

        T_CASE("cli client: %s, every allocation fails", names[t]);
        for (; n < 1000; n++) {
            bool failed, ended;

            oom_arm(n);
            run((enum cli_transport)t);
            failed = oom_disarm();
            ended = client == NULL;
            clean_up();
            if (!failed)
                break;
            CHECK(ended || refused, "%ld: %s", n, told);
        }
        check_all_told();
        CHECK(n > 3, "%ld allocations", n);
    }
}

static void check_closed(enum cli_transport transport, const char *why)
{
    run(transport);
    CHECK(has(why), "%s", told);
    clean_up();
}

static void bad_openings(void)
{
    static const char *const rows[] = {
        "4hello",
        "0",
        "0[]",
        "0{}",
        "0{\"sid\":7,\"pingInterval\":1,\"pingTimeout\":1}",
        "0{\"sid\":\"s\",\"pingInterval\":-1,\"pingTimeout\":1}",
        "0{\"sid\":\"s\",\"pingInterval\":1}",
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        T_CASE("cli client: not opened by %s", rows[i]);
        open_text = rows[i];
        check_closed(CLI_POLLING, "closed: the server's first packet is no");
        if (i)
            check_closed(CLI_WEBSOCKET,
                         "closed: the server's first packet is no");
    }
    T_CASE("cli client: no packet at all");
    open_text = "x";
    check_closed(CLI_WEBSOCKET, "closed: a frame of the server is no packet");
    check_closed(CLI_POLLING, "closed: a payload of the server cannot be");
    T_CASE("cli client: no upgrade is offered");
    open_text = "0{\"sid\":\"s\",\"pingInterval\":1,\"pingTimeout\":1}";
    check_closed(CLI_UPGRADE, "closed: the server offers no upgrade");
    open_text = OPEN;
}

static void bad_answers(void)
{
    T_CASE("cli client: a wrong accept key");
    wrong_key = true;
    check_closed(CLI_WEBSOCKET, "wrong Sec-WebSocket-Accept");
    check_closed(CLI_UPGRADE, "wrong Sec-WebSocket-Accept");
    wrong_key = false;

    T_CASE("cli client: refused");
    http_text = "HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nno\r\n";
    check_closed(CLI_WEBSOCKET, "WebSocket refused with status 403 no\n");
    check_closed(CLI_POLLING, "GET answered with status 403 no\n");

    T_CASE("cli client: no HTTP");
    http_text = "hello\r\n";
    check_closed(CLI_WEBSOCKET, "the server does not speak HTTP");
    check_closed(CLI_POLLING, "is no valid HTTP");

    T_CASE("cli client: more than is taken");
    http_text = "HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n";
    check_closed(CLI_POLLING, "is no valid HTTP, or too long");
    http_text = NULL;
}

static void timeouts(void)
{
    T_CASE("cli client: no session in time");
    http_text = "";
    run(CLI_WEBSOCKET);
    CHECK(client && !told[0], "%s", told);
    now += target.open_ms - 1;
    turn();
    CHECK(client && !told[0], "%s", told);
    now += 1;
    turn();
    CHECK(has("closed: no session within 5000 ms"), "%s", told);
    http_text = NULL;
    clean_up();

    T_CASE("cli client: no ping in time");
    no_pings = true;
    run(CLI_WEBSOCKET);
    CHECK(has("connected") && client, "%s", told);
    now += 45000 - 1;
    turn();
    CHECK(!has("closed"), "%s", told);
    now += 1;
    turn();
    CHECK(has("closed: no ping of the server within 45000 ms"), "%s", told);
    no_pings = false;
    clean_up();
}

int main(void)
{
    set_up();
    whole();
    cut_everywhere();
    out_of_memory();
    bad_openings();
    bad_answers();
    timeouts();
    net_loop_destroy(&loop);
    close(listener);
    return t_done();
}
