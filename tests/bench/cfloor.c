/*
 * cfloor - the floor.  It pretends to be a Socket.IO server for sioload and
 * nothing else: it recognises packets by their first bytes, parses no JSON,
 * keeps no rooms, checks nothing.  One epoll thread, one read() and at most one
 * write() per readable event, one write() per broadcast recipient.  A real
 * server cannot be expected to be cheaper per event with the same system calls.
 *
 *     cfloor PORT         prints "ready PORT"; 0 takes a free one
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct conn;
struct session {
    struct conn *ws, *poll;
    char *buf;
    uint32_t len, cap, id, refs;
    bool joined, probing, gone;
};
struct conn {
    int fd;
    bool ws, dead, want_out;
    struct session *s;
    char *in, *out;
    uint32_t inlen, outlen;
};

static struct session **sess;
static uint32_t nsess, capsess, *freeids, nfree;
static int ep;
static char rb[1 << 20], wb[4 << 20];
static size_t wlen;
static struct conn *dead[4096];
static int ndead;

static void sha1(const char *msg, size_t n, uint8_t out[20])
{
    uint32_t h[5] = { 0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476,
                      0xC3D2E1F0 },
             w[80];
    uint8_t b[128] = { 0 };
    size_t blocks = (n + 8) / 64 + 1;
    memcpy(b, msg, n), b[n] = 0x80;
    for (int i = 0; i < 8; i++)
        b[blocks * 64 - 1 - i] = (uint8_t)((uint64_t)n * 8 >> 8 * i);
    for (size_t k = 0; k < blocks; k++) {
        for (int i = 0; i < 16; i++)
            w[i] = (uint32_t)b[k * 64 + i * 4] << 24 |
                   b[k * 64 + i * 4 + 1] << 16 | b[k * 64 + i * 4 + 2] << 8 |
                   b[k * 64 + i * 4 + 3];
        for (int i = 16; i < 80; i++) {
            uint32_t t = w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16];
            w[i] = t << 1 | t >> 31;
        }
        uint32_t a = h[0], B = h[1], c = h[2], d = h[3], e = h[4];
        for (int i = 0; i < 80; i++) {
            uint32_t f = i < 20   ? (B & c) | (~B & d)
                         : i < 40 ? B ^ c ^ d
                         : i < 60 ? (B & c) | (B & d) | (c & d)
                                  : B ^ c ^ d;
            uint32_t kk = i < 20   ? 0x5A827999
                          : i < 40 ? 0x6ED9EBA1
                          : i < 60 ? 0x8F1BBCDC
                                   : 0xCA62C1D6;
            uint32_t t = (a << 5 | a >> 27) + f + e + kk + w[i];
            e = d, d = c, c = B << 30 | B >> 2, B = a, a = t;
        }
        h[0] += a, h[1] += B, h[2] += c, h[3] += d, h[4] += e;
    }
    for (int i = 0; i < 20; i++)
        out[i] = (uint8_t)(h[i / 4] >> (24 - 8 * (i % 4)));
}

static void b64(const uint8_t *p, size_t n, char *o)
{
    static const char t[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < n; i += 3) {
        uint32_t v = (uint32_t)p[i] << 16 | (i + 1 < n ? p[i + 1] << 8 : 0) |
                     (i + 2 < n ? p[i + 2] : 0);
        *o++ = t[v >> 18], *o++ = t[v >> 12 & 63],
        *o++ = i + 1 < n ? t[v >> 6 & 63] : '=',
        *o++ = i + 2 < n ? t[v & 63] : '=';
    }
    *o = 0;
}

static void kill_conn(struct conn *c)
{
    if (c->dead)
        return;
    c->dead = true;
    close(c->fd);
    struct session *s = c->s;
    if (s) {
        if (s->poll == c)
            s->poll = NULL;
        if (s->ws == c)
            s->ws = NULL, s->gone = true;
        if (!--s->refs || s->gone)
            if (sess[s->id] == s)
                sess[s->id] = NULL, freeids[nfree++] = s->id;
        if (!s->refs)
            free(s->buf), free(s);
    }
    dead[ndead++] = c;
}

/* write now; keep what does not go */
static void out(struct conn *c, const char *p, size_t n)
{
    ssize_t k = 0;
    if (c->dead)
        return;
    if (!c->outlen) {
        k = write(c->fd, p, n);
        if (k < 0 && errno != EAGAIN) {
            kill_conn(c);
            return;
        }
        if (k < 0)
            k = 0;
    }
    if ((size_t)k == n)
        return;
    c->out = realloc(c->out, c->outlen + n - (size_t)k);
    memcpy(c->out + c->outlen, p + k, n - (size_t)k);
    c->outlen += (uint32_t)(n - (size_t)k);
    if (!c->want_out) {
        struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT, .data.ptr = c };
        epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &ev);
        c->want_out = true;
    }
}

__attribute__((format(printf, 2, 3))) static size_t
text(char *to, const char *fmt, ...) /* at most 512 bytes; how many */
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(to, 512, fmt, ap);
    va_end(ap);
    return (size_t)n;
}

static size_t frame(char *d, int op, const char *p, size_t n)
{
    char *o = d;
    *o++ = (char)(0x80 | op);
    if (n < 126)
        *o++ = (char)n;
    else if (n < 65536)
        *o++ = 126, *o++ = (char)(n >> 8), *o++ = (char)n;
    else {
        *o++ = 127;
        for (int s = 56; s >= 0; s -= 8)
            *o++ = (char)((uint64_t)n >> s);
    }
    memcpy(o, p, n);
    return (size_t)(o + n - d);
}

static void http_ok(struct conn *c, const char *p,
                    size_t n) /* into wb: flushed by the caller */
{
    (void)c;
    wlen += text(wb + wlen,
                 "HTTP/1.1 200 OK\r\nContent-Type: text/plain; "
                 "charset=UTF-8\r\nContent-Length: %zu\r\n"
                 "cache-control: no-store\r\nConnection: keep-alive\r\n\r\n",
                 n);
    memcpy(wb + wlen, p, n), wlen += n;
}

/* To a session, from within the event of connection `cur` (NULL: from
 * elsewhere). */
static void deliver(struct session *s, struct conn *cur, int op, const char *p,
                    size_t n)
{
    if (s->ws) {
        if (s->ws == cur) {
            wlen += frame(wb + wlen, op, p, n);
            return;
        }
        static char f[1 << 20];
        out(s->ws, f, frame(f, op, p, n));
        return;
    }
    if (s->poll && s->poll != cur) {
        static char h[1 << 20];
        size_t keep = wlen;
        struct conn *w = s->poll;
        s->poll = NULL;
        http_ok(w, p, n);
        memcpy(h, wb + keep, wlen - keep);
        out(w, h, wlen - keep);
        wlen = keep;
        return;
    }
    if (s->len + n + 1 > s->cap)
        s->buf = realloc(s->buf, s->cap = (uint32_t)(s->len + n + 256) * 2);
    if (s->len)
        s->buf[s->len++] = '\x1e';
    memcpy(s->buf + s->len, p, n), s->len += (uint32_t)n;
}

static void broadcast(const char *p, size_t n, struct conn *cur)
{
    static char f[1 << 20];
    size_t k = frame(f, 1, p, n);
    for (uint32_t i = 0; i < nsess; i++) {
        struct session *s = sess[i];
        if (!s || !s->joined)
            continue;
        if (s->ws && s->ws != cur)
            out(s->ws, f, k);
        else
            deliver(s, cur, 1, p, n);
    }
}

static void packet(struct session *s, struct conn *cur, const char *p, size_t n)
{
    if (n < 2 || p[0] != '4')
        return;
    if (p[1] == '0') {
        char b[64];
        s->joined = true;
        deliver(s, cur, 1, b, text(b, "40{\"sid\":\"s%019u\"}", s->id));
    } else if (p[1] == '5') {
        deliver(s, cur, 1, p, n);
    } else if (p[1] == '2' && p[2] == '[') {
        if (n > 12 && !memcmp(p + 2, "[\"broadcast\"", 12))
            broadcast(p, n, cur);
        else
            deliver(s, cur, 1, p, n);
    } else if (p[1] == '2') { /* 42<id>["echo",x]  ->  43<id>[x] */
        static char b[1 << 20];
        size_t i = 2, k;
        while (i < n && p[i] != '[')
            i++;
        memcpy(b, p, i), b[1] = '3', b[i] = '[', k = i + 1;
        memcpy(b + k, p + i + 8, n - i - 8), k += n - i - 8;
        deliver(s, cur, 1, b, k);
    }
}

static struct session *session_new(void)
{
    struct session *s = calloc(1, sizeof *s);
    if (nfree)
        s->id = freeids[--nfree];
    else {
        if (nsess == capsess) {
            capsess = capsess ? capsess * 2 : 1024;
            sess = realloc(sess, capsess * sizeof *sess),
            freeids = realloc(freeids, capsess * sizeof *freeids);
        }
        s->id = nsess++;
    }
    return sess[s->id] = s;
}

static size_t open_packet(char *b, struct session *s, bool ws)
{
    return text(b,
                "0{\"sid\":\"e%019u\",\"upgrades\":[%s],\"pingInterval\":25000,"
                "\"pingTimeout\":20000,\"maxPayload\":1000000}",
                s->id, ws ? "" : "\"websocket\"");
}

static size_t on_http(struct conn *c, char *p, size_t n)
{
    char *e = memmem(p, n, "\r\n\r\n", 4), *q, b[256];
    if (!e)
        return 0;
    size_t h = (size_t)(e + 4 - p), len = 0;
    bool post = p[0] == 'P';
    if (post && (q = memmem(p, h, "Content-Length: ", 16)))
        len = strtoul(q + 16, NULL, 10);
    if (n < h + len)
        return 0;
    char *eol = memchr(p, '\r', h);
    char *sid = memmem(p, (size_t)(eol - p), "&sid=e", 6);
    struct session *s = NULL;
    if (sid) {
        uint32_t id = (uint32_t)strtoul(sid + 6, NULL, 10);
        s = id < nsess ? sess[id] : NULL;
        if (!s) {
            kill_conn(c);
            return n;
        }
    }
    if ((q = memmem(p, h, "Sec-WebSocket-Key: ", 19))) {
        char cat[64];
        uint8_t d[20];
        memcpy(cat, q + 19, 24),
            memcpy(cat + 24, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11", 36);
        sha1(cat, 60, d), b64(d, 20, b);
        wlen += text(wb + wlen,
                     "HTTP/1.1 101 Switching Protocols\r\nUpgrade: "
                     "websocket\r\nConnection: "
                     "Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
                     b);
        c->ws = true;
        if (!s) {
            s = session_new(), s->ws = c;
            wlen += frame(wb + wlen, 1, b, open_packet(b, s, true));
        }
        c->s = s, s->refs++;
        return h;
    }
    if (!s) {
        s = session_new();
        c->s = s, s->refs++;
        http_ok(c, b, open_packet(b, s, false));
    } else if (post) {
        for (char *a = e + 4, *z = a + len; a < z;) {
            char *m = memchr(a, '\x1e', (size_t)(z - a));
            if (!m)
                m = z;
            packet(s, c, a, (size_t)(m - a));
            a = m + 1;
        }
        http_ok(c, "ok", 2);
    } else if (s->len) {
        http_ok(c, s->buf, s->len);
        s->len = 0;
    } else if (s->probing) { /* the client is about to switch: let go of its
                                polls */
        http_ok(c, "6", 1);
    } else {
        s->poll = c;
        if (!c->s)
            c->s = s, s->refs++;
    }
    return h + len;
}

static size_t on_ws(struct conn *c, unsigned char *p, size_t n)
{
    if (n < 6)
        return 0;
    uint64_t len = p[1] & 127;
    size_t h = 6;
    if (len == 126) {
        if (n < (h = 8))
            return 0;
        len = (uint64_t)p[2] << 8 | p[3];
    } else if (len == 127) {
        if (n < (h = 14))
            return 0;
        len = 0;
        for (int i = 0; i < 8; i++)
            len = len << 8 | p[2 + i];
    }
    if (n < h + len)
        return 0;
    uint32_t k32;
    uint64_t k, w;
    memcpy(&k32, p + h - 4, 4), k = k32 | (uint64_t)k32 << 32;
    char *d = (char *)p + h;
    size_t i = 0;
    for (; i + 8 <= len; i += 8)
        memcpy(&w, d + i, 8), w ^= k, memcpy(d + i, &w, 8);
    for (; i < len; i++)
        d[i] ^= (char)(k32 >> 8 * (i & 3));
    int op = p[0] & 15;
    if (op == 8) {
        wlen += frame(wb + wlen, 8, d, len);
        out(c, wb, wlen), wlen = 0;
        kill_conn(c);
    } else if (op == 2) {
        deliver(c->s, c, 2, d, len);
    } else if (op == 1) {
        if (c->s->gone)
            return h + len;
        if (c->s->ws == c)
            packet(c->s, c, d, len);
        else if (len == 6) { /* 2probe */
            wlen += frame(wb + wlen, 1, "3probe", 6);
            c->s->probing = true;
            if (c->s->poll)
                deliver(c->s, c, 1, "6", 1);
        } else if (len == 1 && d[0] == '5')
            c->s->ws = c;
    }
    return h + len;
}

static void on_read(struct conn *c)
{
    size_t have = c->inlen, off = 0;
    if (have)
        memcpy(rb, c->in, have);
    ssize_t n = read(c->fd, rb + have, sizeof rb - have);
    if (n <= 0) {
        if (n == 0 || errno != EAGAIN)
            kill_conn(c);
        return;
    }
    have += (size_t)n;
    while (off < have && !c->dead) {
        size_t k = c->ws ? on_ws(c, (unsigned char *)rb + off, have - off)
                         : on_http(c, rb + off, have - off);
        if (!k)
            break;
        off += k;
    }
    if (wlen)
        out(c, wb, wlen), wlen = 0;
    if (c->dead)
        return;
    if (have > off)
        c->in = realloc(c->in, have - off), memcpy(c->in, rb + off, have - off);
    else if (c->in)
        free(c->in), c->in = NULL;
    c->inlen = (uint32_t)(have - off);
}

int main(int argc, char **argv)
{
    int one = 1, ls = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in a = {
        .sin_family = AF_INET,
        .sin_port =
            htons((uint16_t)(argc > 1 ? strtoul(argv[1], NULL, 10) : 3000)),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)
    };
    static struct epoll_event ev[1024];
    struct rlimit rl = { 100000, 100000 };
    setrlimit(RLIMIT_NOFILE, &rl);
    signal(SIGPIPE, SIG_IGN);
    setsockopt(ls, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    socklen_t len = sizeof a;
    if (bind(ls, (struct sockaddr *)&a, sizeof a) || listen(ls, 4096) ||
        getsockname(ls, (struct sockaddr *)&a, &len)) {
        perror("listen");
        return 1;
    }
    ep = epoll_create1(0);
    ev[0] = (struct epoll_event){ .events = EPOLLIN, .data.ptr = NULL };
    epoll_ctl(ep, EPOLL_CTL_ADD, ls, ev);
    printf("ready %d\n", ntohs(a.sin_port)), fflush(stdout);
    time_t next_ping = time(NULL) + 25;
    for (;;) {
        int n = epoll_wait(ep, ev, 1024, 1000);
        for (int i = 0; i < n; i++) {
            struct conn *c = ev[i].data.ptr;
            if (!c) {
                for (int fd, k = 0;
                     k < 64 &&
                     (fd = accept4(ls, NULL, NULL, SOCK_NONBLOCK)) >= 0;
                     k++) {
                    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                    c = calloc(1, sizeof *c), c->fd = fd;
                    epoll_ctl(ep, EPOLL_CTL_ADD, fd,
                              &(struct epoll_event){ .events = EPOLLIN,
                                                     .data.ptr = c });
                }
                continue;
            }
            if (c->dead)
                continue;
            if ((ev[i].events & EPOLLOUT) && c->outlen) {
                ssize_t k = write(c->fd, c->out, c->outlen);
                if (k > 0)
                    memmove(c->out, c->out + k, c->outlen - (size_t)k),
                        c->outlen -= (uint32_t)k;
                if (!c->outlen) {
                    epoll_ctl(ep, EPOLL_CTL_MOD, c->fd,
                              &(struct epoll_event){ .events = EPOLLIN,
                                                     .data.ptr = c });
                    c->want_out = false, free(c->out), c->out = NULL;
                }
            }
            if (ev[i].events & ~(unsigned)EPOLLOUT)
                on_read(c);
        }
        while (ndead) {
            struct conn *c = dead[--ndead];
            free(c->in), free(c->out), free(c);
        }
        if (time(NULL) >= next_ping) {
            next_ping += 25;
            for (uint32_t i = 0; i < nsess; i++)
                if (sess[i])
                    deliver(sess[i], NULL, 1, "2", 1);
        }
    }
}
