/*
 * world.c -- see world.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/flow/world.h"

#include "protocol/websocket/frame.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define STEP_MS 10

static uint64_t read_clock(void *self)
{
    return ((struct world *)self)->now_ms;
}

static void keep_log(void *user, sio_log_level level, const char *message)
{
    struct world *w = user;
    size_t have = strlen(w->log);

    (void)level;
    snprintf(w->log + have, sizeof w->log - have, "%s\n", message);
}

bool world_open(struct world *w, const sio_options *options)
{
    sio_options o;

    memset(w, 0, sizeof *w);
    w->now_ms = 1000000;
    w->path = "/socket.io/";
    if (options)
        o = *options;
    else
        sio_options_init(&o);
    o.log = keep_log;
    o.log_user = w;
    o.log_level = SIO_LOG_DEBUG;
    w->server = server_new(&o, read_clock, w);
    return w->server != NULL;
}

void world_close(struct world *w)
{
    sio_server_free(w->server);
    w->server = NULL;
}

void world_turn(struct world *w)
{
    /* A turn may make the next one necessary (mail, deferred work). */
    for (int i = 0; i < 4; i++) {
        net_loop_poll(&w->server->main.loop);
        if (w->pump)
            w->pump(w);
    }
}

void world_advance(struct world *w, uint64_t ms)
{
    uint64_t end = w->now_ms + ms;

    while (w->now_ms < end) {
        w->now_ms += end - w->now_ms < STEP_MS ? end - w->now_ms : STEP_MS;
        net_loop_poll(&w->server->main.loop);
    }
    world_turn(w);
}

int world_connect(struct world *w)
{
    return world_connect_from(w, "127.0.0.1");
}

int world_connect_from(struct world *w, const char *address)
{
    struct net_address peer = { .family = AF_UNIX };
    int fds[2];

    if (w->dial)
        return w->dial(w);
    net_address_parse(&peer, str_of(address));
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
                   fds) < 0)
        return -1;
    if (http_accept(&w->server->main.http, fds[1], &peer) < 0) {
        close(fds[0]);
        return -1;
    }
    return fds[0];
}

void world_hang_up(struct world *w, int fd)
{
    close(fd);
    world_turn(w);
}

void world_write(struct world *w, int fd, const void *p, size_t n)
{
    const char *at = p;

    while (n) {
        ssize_t k = send(fd, at, n, MSG_NOSIGNAL);

        if (k < 0 && errno != EAGAIN)
            return;
        if (k > 0) {
            at += k;
            n -= (size_t)k;
        }
        world_turn(w);
    }
}

long world_read(struct world *w, int fd)
{
    size_t have = 0;
    bool end = false;

    for (int quiet = 0; quiet < 2;) {
        ssize_t k = recv(fd, w->got + have, sizeof w->got - 1 - have, 0);

        if (k > 0) {
            have += (size_t)k;
            quiet = 0;
            continue;
        }
        if (k == 0 || errno != EAGAIN) {
            end = true;
            break;
        }
        world_turn(w);
        quiet++;
    }
    w->got[have] = 0;
    return have == 0 && end ? -1 : (long)have;
}

/* ------------------------------------------------------------------ HTTP -- */

static const char *body_of(const char *response)
{
    const char *at = strstr(response, "\r\n\r\n");

    return at ? at + 4 : NULL;
}

const char *world_raw(struct world *w, const char *fmt, ...)
{
    static char text[1 << 17];
    int fd = world_connect(w);
    va_list ap;
    int n;

    if (fd < 0)
        return "";
    va_start(ap, fmt);
    n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    world_write(w, fd, text, (size_t)n);
    world_read(w, fd);
    world_hang_up(w, fd);
    return w->got;
}

const char *world_request(struct world *w, const char *method,
                          const char *target, const char *body, int *status)
{
    char head[2048];
    int fd = world_connect(w), n;
    const char *answer;

    *status = -1;
    if (fd < 0)
        return NULL;
    n = snprintf(head, sizeof head, "%s %s HTTP/1.1\r\nHost: test\r\n", method,
                 target);
    if (body)
        n += snprintf(head + n, sizeof head - (size_t)n,
                      "Content-Length: %zu\r\n", strlen(body));
    n += snprintf(head + n, sizeof head - (size_t)n, "\r\n");
    world_write(w, fd, head, (size_t)n);
    if (body)
        world_write(w, fd, body, strlen(body));
    if (world_read(w, fd) > 12)
        *status = (int)strtol(w->got + 9, NULL, 10);
    answer = *status > 0 ? body_of(w->got) : NULL;
    world_hang_up(w, fd);
    return answer;
}

static const char *engine_request(struct world *w, const char *method,
                                  const char *query, const char *body)
{
    char target[512];
    int status;

    snprintf(target, sizeof target, "%s?%s", w->path, query);
    return world_request(w, method, target, body, &status);
}

const char *world_get(struct world *w, const char *query)
{
    return engine_request(w, "GET", query, NULL);
}

const char *world_post(struct world *w, const char *query, const char *body)
{
    return engine_request(w, "POST", query, body);
}

int world_poll(struct world *w, const char *sid)
{
    char head[512];
    int fd = world_connect(w);
    int n = snprintf(head, sizeof head,
                     "GET %s?EIO=4&transport=polling&sid=%s "
                     "HTTP/1.1\r\nHost: test\r\n\r\n",
                     w->path, sid);

    if (fd >= 0)
        world_write(w, fd, head, (size_t)n);
    return fd;
}

const char *world_poll_answer(struct world *w, int fd)
{
    return world_read(w, fd) > 0 ? body_of(w->got) : NULL;
}

bool world_session(struct world *w, char *sid)
{
    const char *open = world_get(w, "EIO=4&transport=polling");
    const char *at = open ? strstr(open, "\"sid\":\"") : NULL;

    if (!at)
        return false;
    memcpy(sid, at + 7, ENG_SID_LEN);
    sid[ENG_SID_LEN] = 0;
    return true;
}

/* ------------------------------------------------------------- WebSocket -- */

int world_websocket(struct world *w, const char *query)
{
    char head[512];
    int fd = world_connect(w);
    int n = snprintf(head, sizeof head,
                     "GET %s?%s HTTP/1.1\r\nHost: test\r\n"
                     "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                     "Sec-WebSocket-Version: 13\r\n"
                     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                     w->path, query);
    size_t have = 0;

    if (fd < 0)
        return -1;
    world_write(w, fd, head, (size_t)n);
    /* byte by byte, so that no frame behind the head is taken */
    while (have < sizeof w->got - 1 && recv(fd, w->got + have, 1, 0) == 1) {
        have++;
        if (have >= 4 && memcmp(w->got + have - 4, "\r\n\r\n", 4) == 0)
            break;
    }
    w->got[have] = 0;
    if (strncmp(w->got, "HTTP/1.1 101", 12) == 0)
        return fd;
    close(fd);
    return -1;
}

int world_client(struct world *w)
{
    int fd = world_websocket(w, "EIO=4&transport=websocket");

    if (fd < 0)
        return -1;
    world_frames(w, fd);
    world_send_text(w, fd, "40");
    world_frames(w, fd);
    return fd;
}

void world_frame(struct world *w, int fd, unsigned first, const void *p,
                 size_t n)
{
    static const uint8_t key[4] = { 1, 2, 3, 4 };
    static uint8_t frame[(2 << 20) + WS_HEAD_MAX];
    size_t k = ws_encode_head(frame, WS_TEXT, n, key);

    if (n > sizeof frame - WS_HEAD_MAX)
        return;
    frame[0] = (uint8_t)first;
    if (n)
        memcpy(frame + k, p, n);
    ws_mask(frame + k, n, key, 0);
    world_write(w, fd, frame, k + n);
}

void world_send_text(struct world *w, int fd, const char *text)
{
    world_frame(w, fd, 0x81, text, strlen(text));
}

void world_send_binary(struct world *w, int fd, const void *p, size_t n)
{
    world_frame(w, fd, 0x82, p, n);
}

/* What world_frames() answers with. */
static char spelled[1 << 22];
static size_t spelled_len;

__attribute__((format(printf, 1, 2))) static void spell(const char *fmt, ...)
{
    size_t room = sizeof spelled - spelled_len;
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(spelled + spelled_len, room, fmt, ap);
    va_end(ap);
    spelled_len += (size_t)n < room ? (size_t)n : room - 1;
}

static void spell_frame(unsigned op, const uint8_t *p, size_t n)
{
    switch (op) {
    case WS_TEXT:
        spell("T:%.*s|", (int)n, (const char *)p);
        break;
    case WS_CLOSE:
        if (n < 2)
            spell("C|");
        else
            spell("C:%u%.*s|", p[0] * 256u + p[1], (int)n - 2,
                  (const char *)p + 2);
        break;
    case WS_PING:
    case WS_PONG:
        spell("%s:%.*s|", op == WS_PING ? "ping" : "pong", (int)n,
              (const char *)p);
        break;
    default:
        spell("B:");
        for (size_t i = 0; i < n && i < 64; i++)
            spell("%02x", p[i]);
        spell("|");
    }
}

/* The server's frames are never masked, and a test never cuts them. */
static const uint8_t *next_frame(const uint8_t *at)
{
    unsigned op = at[0] & 0x0f;
    size_t n = at[1], more = n == 126 ? 2 : n == 127 ? 8 : 0;

    at += 2;
    if (more)
        n = 0;
    while (more--)
        n = n << 8 | *at++;
    spell_frame(op, at, n);
    return at + n;
}

const char *world_frames(struct world *w, int fd)
{
    long len = world_read(w, fd);
    const uint8_t *at = (uint8_t *)w->got;
    const uint8_t *end = at + (len > 0 ? len : 0);
    char none;

    spelled[spelled_len = 0] = 0;
    while (end - at >= 2)
        at = next_frame(at);
    if (len < 0 || recv(fd, &none, 1, MSG_PEEK) == 0)
        spell("EOF");
    return spelled;
}

/* --------------------------------------------------------------- checks -- */

bool world_match(const char *text, const char *pattern)
{
    for (; *pattern; pattern++, text++) {
        if (*pattern == '*') {
            for (const char *rest = text;; rest++) {
                if (world_match(rest, pattern + 1))
                    return true;
                if (!*rest)
                    return false;
            }
        }
        if (*text != *pattern)
            return false;
    }
    return !*text;
}

size_t world_memory(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return 0;
#else
    struct mallinfo2 m = mallinfo2();

    return m.uordblks + m.hblkhd;
#endif
}

const char *world_left(struct world *w)
{
    static char left[400];
    size_t n = 0;
    sio_stats s;

    world_turn(w);
    sio_get_stats(w->server, &s);
    const struct {
        const char *what;
        size_t count;
    } counters[] = {
        { "connections", s.connections },
        { "connections with TLS", s.tls },
        { "requests", s.requests },
        { "sessions", s.sessions },
        { "sessions on polling", s.polling },
        { "upgrades", s.upgrading },
        { "websockets", s.websockets },
        { "sockets", s.sockets },
        { "rooms", s.rooms },
        { "acks", s.pending_acks },
        { "bytes", s.queued_bytes },
        { "bytes of input", s.unfinished_bytes },
        { "waiting sessions", s.waiting_sessions },
        { "bytes kept for them", s.recovery_bytes },
        { "clients", w->server->hub.shards->client_count },
        { "events in the batch", w->server->hub.shards->batch_count },
        { "chunks", w->server->main.loop.chunk_count },
    };

    for (size_t i = 0; i < COUNT(counters); i++)
        if (counters[i].count)
            n += (size_t)snprintf(left + n, sizeof left - n, "%zu %s, ",
                                  counters[i].count, counters[i].what);
    return n ? left : NULL;
}
