/*
 * sioload - a load generator for Socket.IO v5 (Engine.IO v4) servers.
 *
 * One thread, one epoll set. It talks ws:// and HTTP long-polling, with --tls
 * wss:// and https://, to a server on the loopback interface, checks the
 * content of everything that comes back, and prints one line of JSON.  The exit
 * status is 0 only if nothing at all went wrong.
 *
 * What the server has to offer ("the contract"), in the default namespace:
 *
 *     on "echo"(x), no ack wanted   ->  socket.emit("echo", x)
 *     on "echo"(x), ack wanted      ->  ack(x)
 *     on "broadcast"(x)             ->  io.emit("broadcast", x)
 *     on "ask"(x), ack wanted       ->  io.timeout().emit("ask", x), whose
 *                                       answers are then those of the ack
 *
 * and the same "echo" or "broadcast" under another name with --event, or "echo"
 * in "/n0", "/n1" and so on with --namespaces. Of a cluster, the first client
 * is at --port, and all others at --port2.
 *
 * x is a string (or with --object a small object), or a Buffer in mode binary.
 *
 * Modes
 *     idle       open N connections, hold them; memory and CPU per connection
 *     echo       every connection keeps D events in flight
 *     ack        the same, with acknowledgements
 *     binary     the same, with one binary attachment
 *     broadcast  one sender, everybody receives; W = --depth requests in flight
 *     ask        one sender, everybody is asked and answers; W as above
 *     polling    echo over HTTP long-polling only
 *     upgrade    polling handshake, probe, upgrade, one echo, close; N times
 *     churn      connect, CONNECT, disconnect; N times
 *
 * Payloads carry the connection number and a sequence number, 8 hex digits
 * each, so that a reply that is lost, doubled, or sent to the wrong connection
 * is found.  Replies may come back in another order (counted, not an error).
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "codec.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
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

/* ------------------------------------------------------------- options -- */

enum mode {
    M_IDLE,
    M_ECHO,
    M_ACK,
    M_BINARY,
    M_BROADCAST,
    M_ASK,
    M_POLLING,
    M_UPGRADE,
    M_CHURN,
    M_COUNT
};
static const char *const mode_name[M_COUNT] = {
    "idle", "echo",    "ack",     "binary", "broadcast",
    "ask",  "polling", "upgrade", "churn"
};

enum { CL_MIX, CL_CLEAN, CL_FIN, CL_RST };

static struct {
    enum mode mode;
    const char *host, *path, *label;
    int port;
    int port2;  /* of all clients but the first (0: the same) */
    int conns;  /* connections (churn, upgrade: how many at once) */
    int depth;  /* events in flight per connection, broadcasts in flight */
    int size;   /* payload bytes */
    int burst;  /* connections being set up at once */
    int srcs;   /* how many 127.0.0.x source addresses to spread over */
    long total; /* churn, upgrade: how many connections altogether */
    long count; /* stop after so many replies (0: by time only) */
    long rate;  /* events/s over all connections (0: closed loop) */
    double pause, warm, secs, settle, stall, limit;
    bool polling; /* idle: hold long-polling clients instead of WebSockets */
    bool hang;    /* polling: a GET always pending on a second TCP connection */
    bool object, utf8, words;
    bool tls, deflate;
    int active;        /* echo: only so many of the connections send (0: all) */
    int namespaces;    /* echo: clients join /n0, /n1, ... in turn (0: "/") */
    const char *event; /* what it is called (NULL: as what comes back) */
    int closing;       /* CL_* */
    pid_t pids[16];
    int npids;
} o = {
    .host = "127.0.0.1",
    .path = "/socket.io/",
    .label = "",
    .port = 3000,
    .conns = 100,
    .depth = 1,
    .size = 32,
    .burst = 64,
    .srcs = 4,
    .total = 10000,
    .warm = 1,
    .secs = 5,
    .settle = 1,
    .stall = 10,
    .limit = 300,
};

/* ---------------------------------------------------------------- state -- */

/* One TCP connection.  A client is one of these, or two (c and c->peer) when
   long-polling needs a second connection; the client's own fields (from `id`
   on) are those of the first, reached through c->main. */
enum st { ST_FREE, ST_TCP, ST_TLS, ST_HTTP, ST_UPGRADE, ST_WS, ST_CLOSING };
struct conn {
    int fd;
    uint8_t st, req; /* req: HTTP request under way: 0, 'G' or 'P' */
    bool is_ws, want_out, probed; /* probed: "3probe" has come */
    uint32_t gen, index;          /* guards against stale epoll events */
    char *in, *out, *frag; /* leftover input, pending output, fragments */
    uint32_t inlen, incap, outoff, outlen, outcap, fraglen, fragcap, fragop;
    struct conn *peer, *main;
    struct ssl_st *tls; /* NULL: plain */

    uint32_t id, seq_tx, seq_rx, asked, inflight;
    bool joined, live_ws,
        binwait; /* CONNECT answered; traffic goes by WebSocket */
    uint64_t t_start;
    char *body; /* packets waiting to be POSTed */
    uint32_t bodylen, bodycap;
    char sid[64];
    char nsp[16]; /* "/n12,", or "" */
    uint32_t nsplen;
};

struct slot {
    uint64_t t;
    uint32_t seq, n;
}; /* an event in flight; t 0: free */

enum err {
    E_CONNECT,
    E_HTTP,
    E_CLOSED,
    E_PROTO,
    E_CONTENT,
    E_UNKNOWN,
    E_ORDER,
    E_LOST,
    E_STALL,
    E_MAX
};
static const char *const err_name[E_MAX] = {
    "connect",           "http",  "closed", "protocol", "content",
    "unknown_or_double", "order", "lost",   "stalled"
};

enum phase { P_OPEN, P_WARM, P_RUN, P_DRAIN, P_SETTLE, P_DONE };

static struct conn *conns; /* o.conns clients, then as many peers */
static struct slot *slots;
static int ep;
static enum phase phase = P_OPEN;
static bool stopping;   /* no new events */
static uint64_t t_read; /* when the last read() returned */
static uint64_t phase_end, progress;
static long started, ready, opening, finished, failed, inflight;
static long n_msgs, n_asked, n_reqs, n_http, n_pings, n_reorder, n_ctl_rx,
    n_missed, n_slowclose, n_reads, n_writes;
static uint64_t bytes_in, bytes_out;
static long errs[E_MAX];
static uint64_t rng = 0x9E3779B97F4A7C15ull;

#define RBUF (2u << 20)
static char rbuf[RBUF];

static char tx_head[64], rx_head[64], *tail,
    *msg; /* message = head, 16 hex digits, tail */
static size_t tx_headlen, rx_headlen, taillen;

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static void die(const char *what)
{
    fprintf(stderr, "sioload: %s: %s\n", what, strerror(errno));
    exit(2);
}

static void *grow(void *p, uint32_t *cap, size_t need)
{
    if (need <= *cap)
        return p;
    size_t n = *cap ? *cap : 256;
    while (n < need)
        n *= 2;
    if (!(p = realloc(p, n)))
        die("realloc");
    *cap = (uint32_t)n;
    return p;
}

/* ------------------------------------------------------------ histogram -- */

/* Log-linear: 64 steps per power of two, so within 1.6 % of the value. */
#define HN (64 * 42)
struct hist {
    uint64_t n[HN], count, max;
    double sum;
};
static struct hist h_lat, h_each;

static void hist_add(struct hist *h, uint64_t v)
{
    unsigned i = (unsigned)v;
    if (v >= 64) {
        unsigned e = 63 - (unsigned)__builtin_clzll(v);
        i = (e - 5) * 64 + (unsigned)((v >> (e - 6)) & 63);
    }
    h->n[i < HN ? i : HN - 1]++;
    h->count++;
    h->sum += (double)v;
    if (v > h->max)
        h->max = v;
}

static double hist_pct(const struct hist *h, double p) /* in us */
{
    uint64_t want = (uint64_t)(p * (double)h->count + 0.5), got = 0;
    if (want < 1)
        want = 1;
    for (unsigned i = 0; i < HN; i++)
        if ((got += h->n[i]) >= want) {
            if (i < 64)
                return i / 1e3;
            unsigned e = i / 64 + 5;
            return ((double)((64ull + i % 64) << (e - 6)) +
                    (double)(1ull << (e - 6)) / 2) /
                   1e3;
        }
    return (double)h->max / 1e3;
}

static void hist_print(const char *name, const struct hist *h)
{
    if (!h->count)
        return;
    printf(",\"%s\":{\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,\"p999\":%.1f,"
           "\"max\":%.1f,\"mean\":%.1f}",
           name, hist_pct(h, .5), hist_pct(h, .9), hist_pct(h, .99),
           hist_pct(h, .999), (double)h->max / 1e3,
           h->sum / (double)h->count / 1e3);
}

/* -------------------------------------------------- what /proc can tell -- */

struct snap {
    uint64_t wall;
    double srv, usr, sys, gen; /* CPU seconds; usr and sys are the server's */
    double each[16];           /* srv, of each process */
    double busy, steal;        /* of the whole machine */
    long rss, vcsw; /* server: kB; voluntary switches of its main thread */
    long tcp_pages, slab; /* kernel: socket buffer pages; slab kB */
};

static long proc_field(const char *file, const char *key)
{
    char line[256];
    long v = -1;
    FILE *f = fopen(file, "r");
    if (!f)
        return -1;
    while (v < 0 && fgets(line, sizeof line, f))
        if (!strncmp(line, key, strlen(key)))
            v = strtol(line + strlen(key), NULL, 10);
    fclose(f);
    return v;
}

static void snap_take(struct snap *s, bool memory)
{
    char path[64], buf[1024];
    double hz = (double)sysconf(_SC_CLK_TCK);
    struct timespec t;
    FILE *f;
    memset(s, 0, sizeof *s);
    for (int i = 0; i < o.npids; i++) {
        clockid_t clk;
        unsigned long u = 0, k = 0;
        snprintf(path, sizeof path, "/proc/%d/stat", (int)o.pids[i]);
        if ((f = fopen(path, "r"))) {
            char *p = fgets(buf, sizeof buf, f) ? strrchr(buf, ')') : NULL;
            if (p)
                sscanf(p + 2,
                       "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
                       &u, &k);
            fclose(f);
        }
        s->usr += (double)u / hz, s->sys += (double)k / hz;
        /* the process's CPU clock says the same as utime+stime, in ns */
        if (!clock_getcpuclockid(o.pids[i], &clk) && !clock_gettime(clk, &t))
            s->each[i] = (double)t.tv_sec + (double)t.tv_nsec / 1e9;
        else
            s->each[i] = (double)(u + k) / hz;
        s->srv += s->each[i];
        snprintf(path, sizeof path, "/proc/%d/status", (int)o.pids[i]);
        s->vcsw += proc_field(path, "voluntary_ctxt_switches:");
        if (memory) {
            snprintf(path, sizeof path, "/proc/%d/smaps_rollup",
                     (int)o.pids[i]);
            long r = proc_field(path, "Rss:");
            snprintf(path, sizeof path, "/proc/%d/status", (int)o.pids[i]);
            s->rss += r >= 0 ? r : proc_field(path, "VmRSS:");
        }
    }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    s->gen = (double)t.tv_sec + (double)t.tv_nsec / 1e9;
    if ((f = fopen("/proc/stat", "r"))) {
        double c[8] = { 0 };
        if (fscanf(f, "cpu %lf %lf %lf %lf %lf %lf %lf %lf", c, c + 1, c + 2,
                   c + 3, c + 4, c + 5, c + 6, c + 7) == 8) {
            s->busy = (c[0] + c[1] + c[2] + c[5] + c[6]) / hz;
            s->steal = c[7] / hz;
        }
        fclose(f);
    }
    if (memory) {
        s->slab = proc_field("/proc/meminfo", "Slab:");
        if ((f = fopen("/proc/net/sockstat", "r"))) {
            while (fgets(buf, sizeof buf, f)) {
                char *p =
                    !strncmp(buf, "TCP:", 4) ? strstr(buf, " mem ") : NULL;
                if (p)
                    s->tcp_pages = strtol(p + 5, NULL, 10);
            }
            fclose(f);
        }
    }
    s->wall = now_ns();
}

static struct snap s_base, s_open, s_run0, s_run1, s_end;
static long rss_block[256];
static int n_blocks;

/* ------------------------------------------------------- output, frames -- */

static void complain(enum err e, const struct conn *c, const char *fmt, ...)
{
    errs[e]++;
    static int said;
    if (said++ >= 10)
        return;
    va_list ap;
    fprintf(stderr, "sioload: client %u (state %d): %s: ", c->main->id, c->st,
            err_name[e]);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
}

static void watch(struct conn *c, int op, uint32_t events)
{
    struct epoll_event ev = { .events = events,
                              .data.u64 = (uint64_t)c->gen << 32 | c->index };
    if (epoll_ctl(ep, op, c->fd, &ev))
        die("epoll_ctl");
}

static char *out_room(struct conn *c, size_t n)
{
    if (c->outoff == c->outlen)
        c->outoff = c->outlen = 0;
    c->out = grow(c->out, &c->outcap, c->outlen + n);
    return c->out + c->outlen;
}

static void out_put(struct conn *c, const void *p, size_t n)
{
    memcpy(out_room(c, n), p, n);
    c->outlen += (uint32_t)n;
}

/* Write what is pending; keep the rest for EPOLLOUT.  Errors are left for the
   next read to find. */
static void flush(struct conn *c)
{
    if (c->fd < 0 || c->st == ST_TCP || c->st == ST_TLS ||
        c->outoff == c->outlen)
        return;
    ssize_t n =
        codec_write(c->tls, c->fd, c->out + c->outoff, c->outlen - c->outoff);
    n_writes++;
    if (n > 0)
        c->outoff += (uint32_t)n, bytes_out += (uint64_t)n;
    bool more =
        c->outoff < c->outlen && !(n < 0 && errno != EAGAIN && errno != EINTR);
    if (more != c->want_out) {
        c->want_out = more;
        watch(c, EPOLL_CTL_MOD, EPOLLIN | (more ? EPOLLOUT : 0));
    }
}

static void ws_send(struct conn *c, int opcode, const void *data, size_t n)
{
    unsigned first = 0x80 | (unsigned)opcode;
    if (o.deflate && opcode < 8) {
        data = codec_deflate(data, n, &n);
        if (!data)
            die("deflate");
        first |= 0x40;
    }
    unsigned char *p = (unsigned char *)out_room(c, n + 22), *h = p;
    const unsigned char *d = data;
    uint64_t key, w;
    size_t i = 0;
    *p++ = (unsigned char)first;
    if (n < 126) {
        *p++ = (unsigned char)(0x80 | n);
    } else if (n < 65536) {
        *p++ = 0x80 | 126, *p++ = (unsigned char)(n >> 8),
        *p++ = (unsigned char)n;
    } else {
        *p++ = 0x80 | 127;
        for (int s = 56; s >= 0; s -= 8)
            *p++ = (unsigned char)((uint64_t)n >> s);
    }
    rng ^= rng << 13, rng ^= rng >> 7,
        rng ^= rng << 17; /* a new mask per frame */
    key = (rng & 0xffffffffu) | rng << 32;
    memcpy(p, &key, 4), p += 4;
    for (; i + 8 <= n; i += 8) {
        memcpy(&w, d + i, 8), w ^= key, memcpy(p + i, &w, 8);
    }
    for (; i < n; i++)
        p[i] = d[i] ^ (unsigned char)(key >> 8 * (i & 3));
    c->outlen += (uint32_t)(p + n - h);
}

/* The WebSocket key is the example of RFC 6455, whose answer is known. */
#define WS_KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define WS_DEFLATE                                   \
    "Sec-WebSocket-Extensions: permessage-deflate; " \
    "client_no_context_takeover; server_no_context_takeover"
#define WS_ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

static void http_send(struct conn *c, char what, const char *sid,
                      const char *body, size_t n)
{
    char h[768];
    int k = snprintf(h, sizeof h,
                     "%s %s?EIO=4&transport=%s%s%s HTTP/1.1\r\nHost: "
                     "%s:%d\r\nUser-Agent: sioload\r\nAccept: */*\r\n",
                     what == 'P' ? "POST" : "GET", o.path,
                     what == 'U' ? "websocket" : "polling", *sid ? "&sid=" : "",
                     sid, o.host, o.port);
    if (what == 'U')
        k += snprintf(h + k, sizeof h - (size_t)k,
                      "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " WS_KEY
                      "\r\n%s\r\n",
                      o.deflate ? WS_DEFLATE "\r\n" : "");
    else if (what == 'P')
        k += snprintf(h + k, sizeof h - (size_t)k,
                      "Connection: keep-alive\r\n"
                      "Content-Type: "
                      "text/plain;charset=UTF-8\r\nContent-Length: %zu\r\n\r\n",
                      n);
    else
        k += snprintf(h + k, sizeof h - (size_t)k,
                      "Connection: keep-alive\r\n\r\n");
    out_put(c, h, (size_t)k);
    if (n)
        out_put(c, body, n);
    c->req = (uint8_t)what;
}

/* --------------------------------------------------- opening and closing -- */

static void conn_open(struct conn *c)
{
    int one = 1;
    struct sockaddr_in a = { .sin_family = AF_INET };
    if ((c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
                        0)) < 0)
        die("socket");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    a.sin_addr.s_addr =
        htonl(0x7f000001u + (unsigned)started % (unsigned)o.srcs);
    if (o.srcs > 1 && bind(c->fd, (struct sockaddr *)&a, sizeof a))
        die("bind");
    a.sin_port = htons((uint16_t)(o.port2 && c->main->id ? o.port2 : o.port));
    inet_pton(AF_INET, o.host, &a.sin_addr);
    c->st = ST_TCP;
    c->gen++;
    c->req = 0, c->inlen = c->outoff = c->outlen = c->fraglen = c->fragop = 0;
    c->probed = false;
    c->want_out = true;
    int r = connect(c->fd, (struct sockaddr *)&a, sizeof a);
    if (r && errno != EINPROGRESS)
        complain(E_CONNECT, c, "%s", strerror(errno));
    watch(c, EPOLL_CTL_ADD,
          EPOLLIN | EPOLLOUT); /* a failed connect shows as EPOLLERR */
}

static void conn_close(struct conn *c, bool reset)
{
    if (c->fd < 0)
        return;
    if (reset)
        setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &(struct linger){ 1, 0 },
                   sizeof(struct linger));
    codec_tls_free(c->tls);
    c->tls = NULL;
    close(c->fd);
    c->fd = -1;
    c->st = ST_FREE;
    c->gen++;
}

static void client_open(struct conn *c)
{
    c->seq_tx = c->seq_rx = c->asked = c->inflight = c->bodylen = 0;
    c->joined = c->live_ws = c->binwait = false;
    c->sid[0] = 0;
    if (c->peer)
        c->peer->probed = false;
    c->t_start = now_ns();
    started++, opening++;
    conn_open(c);
}

static void client_end(struct conn *c, bool reset)
{
    if (!c->joined)
        opening--;
    c->joined = false;
    inflight -= c->inflight, c->inflight = 0;
    conn_close(c, reset);
    if (c->peer)
        conn_close(c->peer, reset);
    finished++;
}

static void client_fail(struct conn *c, enum err e, const char *why)
{
    c = c->main;
    complain(e, c, "%s", why);
    if (c->inflight)
        errs[E_LOST] += c->inflight;
    failed++;
    client_end(c, false);
}

/* Leave in one of the three ways clients leave. */
static void client_leave(struct conn *c)
{
    struct conn *w = c->is_ws ? c : c->peer;
    int how = o.closing == CL_MIX ? CL_CLEAN + (int)(finished % 3) : o.closing;
    if (how != CL_CLEAN) {
        client_end(c, how == CL_RST);
        return;
    }
    ws_send(w, 1, "41", 2);
    ws_send(w, 8, "\x03\xe8", 2);
    w->st = ST_CLOSING;
    c->t_start = now_ns(); /* from here on: since when it has been leaving */
    flush(w);
}

/* ---------------------------------------------------------- the traffic -- */

static void pump(struct conn *c);

static void packet_put(struct conn *c, const char *p, size_t n)
{
    if (c->live_ws) {
        ws_send(c->is_ws ? c : c->peer, 1, p, n);
        return;
    }
    c->body = grow(c->body, &c->bodycap, c->bodylen + n + 1);
    if (c->bodylen)
        c->body[c->bodylen++] = '\x1e';
    memcpy(c->body + c->bodylen, p, n);
    c->bodylen += (uint32_t)n;
}

static void hex8(char *p, uint32_t v)
{
    for (int i = 7; i >= 0; i--, v >>= 4)
        p[i] = "0123456789abcdef"[v & 15];
}

static bool unhex8(const char *p, uint32_t *v)
{
    *v = 0;
    for (int i = 0; i < 8; i++) {
        unsigned d = (unsigned)(p[i] - '0');
        if (d > 9 && (d = (unsigned)(p[i] - 'a') + 10) - 10 > 5)
            return false;
        *v = *v << 4 | d;
    }
    return true;
}

static const char bin_head[] =
    "451-[\"echo\",{\"_placeholder\":true,\"num\":0}]";
static const char bin_head2[] =
    "451-[\"echo\",{\"num\":0,\"_placeholder\":true}]";

static struct slot *slot_of(struct conn *c, uint32_t seq)
{
    return &slots[(o.mode == M_BROADCAST ? 0
                                         : (size_t)c->id * (unsigned)o.depth) +
                  seq % (unsigned)o.depth];
}

static void event_send(struct conn *c)
{
    char *p = msg;
    uint32_t seq = c->seq_tx++;
    struct slot *s = slot_of(c, seq);
    if (o.mode == M_ACK || o.mode == M_ASK)
        p += snprintf(p, 16, "42%u", seq);
    else if (o.mode != M_BINARY)
        p[0] = '4', p[1] = '2', p += 2;
    memcpy(p, c->nsp, c->nsplen), p += c->nsplen;
    memcpy(p, tx_head, tx_headlen), p += tx_headlen;
    hex8(p, c->id), hex8(p + 8, seq), p += 16;
    memcpy(p, tail, taillen), p += taillen;
    if (o.mode == M_BINARY) {
        ws_send(c, 1, bin_head, sizeof bin_head - 1);
        ws_send(c, 2, msg, (size_t)(p - msg));
    } else {
        packet_put(c, msg, (size_t)(p - msg));
    }
    s->seq = seq, s->n = 0, s->t = now_ns();
    c->inflight++, inflight++;
}

/* Does only the first of the clients send? */
static bool one_sends(void)
{
    return o.mode == M_BROADCAST || o.mode == M_ASK;
}

/* Top up to o.depth events in flight. */
static void fill(struct conn *c)
{
    if (stopping || o.rate || phase < P_WARM || (one_sends() && c->id) ||
        (o.active && c->id >= (unsigned)o.active))
        return;
    while (c->inflight < (unsigned)o.depth && !slot_of(c, c->seq_tx)->t)
        event_send(c);
}

/* A verified reply, or one delivery of a broadcast. */
static void reply(struct conn *c, uint32_t cid, uint32_t seq)
{
    struct slot *s = slot_of(c, seq);
    progress++;
    if (o.mode == M_BROADCAST) {
        if (cid != 0 || !s->t || s->seq != seq) {
            complain(E_UNKNOWN, c, "delivery %u of %u", seq, cid);
            return;
        }
        if (seq != c->seq_rx)
            complain(E_ORDER, c, "delivery %u where %u was due", seq,
                     c->seq_rx);
        c->seq_rx = seq + 1;
        if (phase == P_RUN)
            n_msgs++, hist_add(&h_each, t_read - s->t);
        if (++s->n < (unsigned)o.conns)
            return;
        if (phase == P_RUN)
            n_reqs++, hist_add(&h_lat, t_read - s->t);
        s->t = 0, conns[0].inflight--, inflight--;
        fill(&conns[0]);
        if (c != &conns[0])
            flush(&conns[0]);
        return;
    }
    if (cid != c->id || !s->t || s->seq != seq) {
        complain(E_UNKNOWN, c, "reply %u of client %u", seq, cid);
        return;
    }
    if (seq != c->seq_rx)
        n_reorder++;
    c->seq_rx = seq + 1;
    if (phase == P_RUN)
        n_msgs++, hist_add(&h_lat, t_read - s->t);
    s->t = 0, c->inflight--, inflight--;
    if (o.mode == M_UPGRADE) {
        hist_add(&h_lat, t_read - c->t_start), n_msgs++;
        client_leave(c);
    } else {
        fill(c);
    }
}

/* p: the message behind its type (and ack id); does it say what was sent? */
static void verify(struct conn *c, const char *p, size_t n, long ack)
{
    uint32_t cid, seq;
    if (n != rx_headlen + 16 + taillen || memcmp(p, rx_head, rx_headlen) ||
        memcmp(p + rx_headlen + 16, tail, taillen) ||
        !unhex8(p + rx_headlen, &cid) || !unhex8(p + rx_headlen + 8, &seq) ||
        (ack >= 0 && (uint32_t)ack != seq))
        complain(E_CONTENT, c, "ack %ld, %zu bytes: %.*s", ack, n,
                 (int)(n < 100 ? n : 100), p);
    else
        reply(c, cid, seq);
}

/* An id in front of an acknowledgement or of what wants one; returns what is
   behind it, NULL: there is none. */
static const char *ack_id(const char *p, size_t n, long *id)
{
    size_t i = 0;
    for (*id = 0; i < n && isdigit((unsigned char)p[i]) && i < 12; i++)
        *id = *id * 10 + (p[i] - '0');
    return i ? p + i : NULL;
}

/* ["ask",x] with an id: x is answered, whatever it says. */
static void question(struct conn *c, const char *p, size_t n, long id)
{
    uint32_t cid, seq;
    size_t head = rx_headlen - 1; /* up to the quote of x */
    int k;
    if (n != rx_headlen + 16 + taillen || memcmp(p, rx_head, rx_headlen) ||
        memcmp(p + rx_headlen + 16, tail, taillen) ||
        !unhex8(p + rx_headlen, &cid) || !unhex8(p + rx_headlen + 8, &seq)) {
        complain(E_CONTENT, c, "question %ld, %zu bytes: %.*s", id, n,
                 (int)(n < 100 ? n : 100), p);
        return;
    }
    if (cid != 0 || seq != c->asked)
        complain(E_ORDER, c, "question %u of %u where %u was due", seq, cid,
                 c->asked);
    c->asked = seq + 1;
    if (phase == P_RUN)
        n_asked++;
    k = snprintf(msg, 24, "43%ld[", id);
    memcpy(msg + k, p + head, n - head);
    packet_put(c, msg, (size_t)k + n - head);
}

/* [x,x,..]: of everybody the same. */
static void answers(struct conn *c, const char *p, size_t n, long ack)
{
    uint32_t cid, seq;
    size_t unit = 1 + 16 + taillen; /* quote, two numbers, tail; one bracket
                                       or comma for each */
    bool good = n == 1 + unit * (unsigned)o.conns && *p == '[';
    for (size_t i = 0; good && i < (unsigned)o.conns; i++) {
        const char *x = p + 1 + i * unit;
        good = *x == '"' && unhex8(x + 1, &cid) && unhex8(x + 9, &seq) &&
               cid == 0 && (uint32_t)ack == seq &&
               !memcmp(x + 17, tail, taillen - 1) &&
               x[unit - 1] == (i + 1 < (unsigned)o.conns ? ',' : ']');
    }
    if (good)
        reply(c, c->id, (uint32_t)ack);
    else
        complain(E_CONTENT, c, "answers %ld, %zu bytes: %.*s", ack, n,
                 (int)(n < 100 ? n : 100), p);
}

/* The server has answered our CONNECT. */
static void client_joined(struct conn *c)
{
    c->joined = true;
    opening--, ready++, progress++;
    if (o.mode == M_CHURN) {
        hist_add(&h_lat, t_read - c->t_start), n_msgs++;
        client_leave(c);
    } else if (o.mode == M_UPGRADE) {
        conn_open(c->peer);
    }
}

static void join(struct conn *c)
{
    char text[2 + sizeof c->nsp];
    c->nsplen = 0;
    if (o.namespaces)
        c->nsplen = (uint32_t)snprintf(c->nsp, sizeof c->nsp, "/n%u,",
                                       c->id % (unsigned)o.namespaces);
    packet_put(
        c, text,
        (size_t)snprintf(text, sizeof text, "40%.*s", (int)c->nsplen, c->nsp));
}

/* Is it "4" and this type, of the namespace that the client is in? */
static bool is_packet(const struct conn *c, char type, const char *p, size_t n)
{
    return n >= 2 + c->nsplen && p[1] == type &&
           !memcmp(p + 2, c->nsp, c->nsplen);
}

/* One Engine.IO packet in text form, by either transport. */
static void packet(struct conn *c, const char *p, size_t n)
{
    const char *e;
    long id;
    if (!n) {
        complain(E_PROTO, c, "empty packet");
        return;
    }
    switch (p[0]) {
    case '0':
        if (c->sid[0] || !(e = memmem(p, n, "\"sid\":\"", 7))) {
            complain(E_PROTO, c, "open packet: %.*s", (int)n, p);
            return;
        }
        e += 7;
        for (size_t i = 0; i + 1 < sizeof c->sid && e < p + n && *e != '"'; i++)
            c->sid[i] = *e++, c->sid[i + 1] = 0;
        join(c);
        return;
    case '2':
        n_pings++;
        packet_put(c, "3", 1);
        return;
    case '6':
        n_ctl_rx++;
        return;
    case '4':
        if (!c->joined && is_packet(c, '0', p, n) && n > 10 + c->nsplen &&
            !memcmp(p + 2 + c->nsplen, "{\"sid\":\"", 8)) {
            client_joined(c);
            return;
        }
        if (!c->joined || n < 3)
            break;
        if (o.mode == M_ACK) {
            if (p[1] != '3' || !(e = ack_id(p + 2, n - 2, &id)))
                break;
            verify(c, e, n - (size_t)(e - p), id);
        } else if (o.mode == M_ASK) {
            if (!(e = ack_id(p + 2, n - 2, &id)))
                break;
            if (p[1] == '2')
                question(c, e, n - (size_t)(e - p), id);
            else if (p[1] == '3' && !c->id)
                answers(c, e, n - (size_t)(e - p), id);
            else
                break;
        } else if (o.mode == M_BINARY) {
            if (c->binwait ||
                (!(n == sizeof bin_head - 1 &&
                   (!memcmp(p, bin_head, n) || !memcmp(p, bin_head2, n)))))
                break;
            c->binwait = true;
        } else if (is_packet(c, '2', p, n)) {
            verify(c, p + 2 + c->nsplen, n - 2 - c->nsplen, -1);
        } else {
            break;
        }
        return;
    }
    complain(E_CONTENT, c, "packet not expected: %.*s",
             (int)(n < 100 ? n : 100), p);
}

/* A whole WebSocket message (or control frame) on connection w of client c. */
static void ws_message(struct conn *w, unsigned op, char *p, size_t n)
{
    struct conn *c = w->main;
    switch (op) {
    case 1:
        if (w->st == ST_CLOSING)
            return;
        if (o.mode == M_UPGRADE && !c->live_ws) {
            if (n != 6 || memcmp(p, "3probe", 6))
                complain(E_CONTENT, c, "not a probe reply: %.*s",
                         (int)(n < 60 ? n : 60), p);
            w->probed = true;
            pump(c);
        } else {
            packet(c, p, n);
        }
        break;
    case 2:
        if (!c->binwait) {
            complain(E_CONTENT, c, "binary frame not expected");
            break;
        }
        c->binwait = false;
        verify(c, p, n, -1);
        break;
    case 8:
        if (w->st != ST_CLOSING)
            client_fail(c, E_CLOSED, "close frame");
        break; /* else: the server's to close, we wait */
    case 9:
        ws_send(w, 10, p, n);
        break;
    case 10:
        break;
    default:
        complain(E_PROTO, c, "opcode %u", op);
    }
}

/* One frame off the front of p; returns its length, 0 if not all there yet. */
static size_t ws_parse(struct conn *c, char *buf, size_t n)
{
    const unsigned char *p = (unsigned char *)buf;
    if (n < 2)
        return 0;
    uint64_t len = p[1] & 127;
    size_t h = 2;
    unsigned op = p[0] & 15;
    bool packed = (p[0] & 0x40) && o.deflate && (p[0] & 0x80) && op && op < 8;
    if ((p[0] & (packed ? 0x30 : 0x70)) || (p[1] & 0x80)) {
        client_fail(c, E_PROTO, "reserved or mask bit set");
        return n;
    }
    if (len == 126) {
        if (n < (h = 4))
            return 0;
        len = (uint64_t)p[2] << 8 | p[3];
    } else if (len == 127) {
        if (n < (h = 10))
            return 0;
        for (int i = (int)(len = 0); i < 8; i++)
            len = len << 8 | p[2 + i];
    }
    if (len > RBUF - 16) {
        client_fail(c, E_PROTO, "frame too long");
        return n;
    }
    if (n < h + len)
        return 0;
    if (op < 8 &&
        (!(p[0] & 0x80) || op == 0)) { /* a piece of a fragmented message */
        if (op)
            c->fragop = op, c->fraglen = 0;
        c->frag = grow(c->frag, &c->fragcap, c->fraglen + len);
        memcpy(c->frag + c->fraglen, p + h, len);
        c->fraglen += (uint32_t)len;
        if (p[0] & 0x80)
            ws_message(c, c->fragop, c->frag, c->fraglen), c->fraglen = 0;
    } else if (packed) {
        size_t size = 0;
        char *plain = codec_inflate(buf + h, len, RBUF, &size);
        if (!plain) {
            client_fail(c, E_PROTO, "does not inflate");
            return h + len;
        }
        ws_message(c, op, plain, size);
    } else {
        ws_message(c, op, buf + h, len);
    }
    return h + len;
}

/* ----------------------------------------------------------- HTTP side -- */

/* Decide the next request(s) of a long-polling client. */
static void pump(struct conn *c)
{
    struct conn *poster = o.hang ? c->peer : c;
    if (c->live_ws || c->is_ws)
        return;
    if (o.mode == M_UPGRADE && c->peer->probed && !c->req) {
        ws_send(c->peer, 1, "5", 1); /* polling is paused: switch over */
        c->live_ws = true;
        event_send(c);
        flush(c->peer);
        return;
    }
    if (c->bodylen && !poster->req) {
        if (poster->fd < 0) {
            conn_open(poster);
            return;
        }
        if (poster->st <= ST_TLS)
            return;
        http_send(poster, 'P', c->sid, c->body, c->bodylen);
        c->bodylen = 0;
        flush(poster);
    }
    /* With one connection, a GET must not be left hanging while there may be
       something to send; with two, one always hangs. */
    bool want = o.hang || !c->joined || o.mode != M_POLLING || c->inflight;
    if (want && !c->req) {
        if (c->fd < 0) {
            conn_open(c);
            return;
        }
        if (c->st <= ST_TLS)
            return;
        http_send(c, 'G', c->sid, NULL, 0);
        flush(c);
    }
}

static void http_response(struct conn *h, int status, const char *body,
                          size_t n)
{
    struct conn *c = h->main;
    char req = (char)h->req;
    h->req = 0;
    progress++;
    if (phase == P_RUN)
        n_http++;
    if (status != 200) {
        client_fail(c, E_HTTP, "status is not 200");
        return;
    }
    if (req == 'P') {
        if (n != 2 || strncasecmp(body, "ok", 2))
            complain(E_CONTENT, c, "answer to POST: %.*s",
                     (int)(n < 60 ? n : 60), body);
    } else {
        uint32_t gen = c->gen;
        while (n && c->gen == gen) {
            const char *e = memchr(body, '\x1e', n);
            size_t k = e ? (size_t)(e - body) : n;
            packet(c, body, k);
            body += k, n -= k;
            if (n)
                body++, n--;
        }
        if (c->gen != gen)
            return;
    }
    pump(c);
}

/* Value of header `name` (lower case, with colon) among the lines h..e, or
 * NULL. */
static const char *header(const char *h, const char *e, const char *name)
{
    size_t k = strlen(name);
    for (; h < e; h = (const char *)memchr(h, '\n', (size_t)(e - h)) + 1)
        if ((size_t)(e - h) > k && !strncasecmp(h, name, k)) {
            for (h += k; *h == ' ';)
                h++;
            return h;
        }
    return NULL;
}

static size_t http_parse(struct conn *c, char *p, size_t n)
{
    char *e = memmem(p, n, "\r\n\r\n", 4);
    const char *v;
    if (!e)
        return 0;
    e += 4;
    int status =
        n > 12 && !memcmp(p, "HTTP/1.", 7) ? (int)strtol(p + 9, NULL, 10) : 0;
    const char *h = (char *)memchr(p, '\n', n) + 1, *he = e - 2;
    size_t hl = (size_t)(e - p), len;
    if (c->st == ST_UPGRADE) {
        v = header(h, he, "sec-websocket-accept:");
        if (status != 101 || !v || strncmp(v, WS_ACCEPT, 28)) {
            client_fail(c, E_HTTP,
                        "upgrade refused or wrong Sec-WebSocket-Accept");
            return n;
        }
        if (o.deflate && !header(h, he, "sec-websocket-extensions:")) {
            client_fail(c, E_HTTP, "no permessage-deflate");
            return n;
        }
        c->st = ST_WS, c->req = 0;
        if (o.mode == M_UPGRADE)
            ws_send(c, 1, "2probe", 6);
        else
            c->main->live_ws = true;
        return hl;
    }
    if (!c->req) {
        client_fail(c, E_HTTP, "response without a request");
        return n;
    }
    if ((v = header(h, he, "content-length:"))) {
        len = strtoul(v, NULL, 10);
        if (n - hl < len)
            return 0;
        http_response(c, status, e, len);
        return hl + len;
    }
    if ((v = header(h, he, "transfer-encoding:")) &&
        !strncasecmp(v, "chunked", 7)) {
        size_t in, body = 0;
        for (int pass = 0; pass < 2;
             pass++) /* first: all there?  then: decode in place */
            for (in = hl, body = 0;;) {
                char *nl = memmem(p + in, n - in, "\r\n", 2);
                if (!nl)
                    return 0;
                len = strtoul(p + in, NULL, 16);
                in = (size_t)(nl + 2 - p);
                if (n - in < len + 2)
                    return 0;
                if (pass)
                    memmove(e + body, p + in, len);
                body += len, in += len + 2;
                if (!len)
                    break;
            }
        http_response(c, status, e, body);
        return in;
    }
    client_fail(c, E_HTTP, "response with neither length nor chunks");
    return n;
}

/* ------------------------------------------------------------ event loop -- */

static void on_eof(struct conn *c, int err)
{
    if (c->st == ST_CLOSING)
        client_end(c->main, false);
    else if (!c->is_ws && !c->req && !c->probed && c->main->joined &&
             !c->main->live_ws)
        conn_close(c, false); /* idle keep-alive */
    else if (o.mode == M_UPGRADE && !c->is_ws && c->main->live_ws)
        conn_close(c, false);
    else
        client_fail(c, c->st <= ST_TLS ? E_CONNECT : E_CLOSED,
                    err ? strerror(err) : "end of file");
}

static void on_readable(struct conn *c)
{
    uint32_t gen = c->gen;
    size_t have = c->inlen, off = 0;
    if (have)
        memcpy(rbuf, c->in, have);
    ssize_t n = codec_read(c->tls, c->fd, rbuf + have, RBUF - have);
    n_reads++;
    if (n <= 0) {
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        on_eof(c, n < 0 ? errno : 0);
        return;
    }
    t_read = now_ns();
    bytes_in += (uint64_t)n;
    for (have += (size_t)n; off < have;) {
        size_t k = c->st == ST_WS || c->st == ST_CLOSING
                       ? ws_parse(c, rbuf + off, have - off)
                       : http_parse(c, rbuf + off, have - off);
        if (c->gen != gen)
            return; /* closed (and perhaps opened again) meanwhile */
        if (!k)
            break;
        off += k;
    }
    if ((c->inlen = (uint32_t)(have - off))) {
        c->in = grow(c->in, &c->incap, c->inlen);
        memcpy(c->in, rbuf + off, c->inlen);
    }
    flush(c);
}

/* It can be spoken on: begin. */
static void on_connected(struct conn *c)
{
    if (c->is_ws) {
        c->st = ST_UPGRADE;
        http_send(c, 'U', c == c->main ? "" : c->main->sid, NULL, 0);
        flush(c);
    } else {
        c->st = ST_HTTP;
        pump(c->main);
    }
}

static void on_event(const struct epoll_event *ev)
{
    struct conn *c = &conns[(uint32_t)ev->data.u64];
    if (c->gen != (uint32_t)(ev->data.u64 >> 32) || c->fd < 0)
        return;
    if (c->st == ST_TCP) {
        int err = 0;
        socklen_t l = sizeof err;
        getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &l);
        if (err) {
            on_eof(c, err);
            return;
        }
        c->want_out = false;
        watch(c, EPOLL_CTL_MOD, EPOLLIN);
        if (o.tls && !(c->tls = codec_tls_new(c->fd)))
            die("TLS");
        c->st = ST_TLS;
    }
    if (c->st == ST_TLS) {
        int done = c->tls ? codec_tls_handshake(c->tls) : 1;
        if (done < 0)
            client_fail(c, E_CONNECT, "TLS handshake");
        else if (done)
            on_connected(c);
        return;
    }
    if (ev->events & EPOLLOUT)
        flush(c);
    if (ev->events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        on_readable(c);
}

static void run_begin(void)
{
    snap_take(&s_run0, true);
    memset(&h_lat, 0, sizeof h_lat), memset(&h_each, 0, sizeof h_each);
    n_msgs = n_asked = n_reqs = n_http = n_reorder = n_missed = n_reads =
        n_writes = 0;
    bytes_in = bytes_out = 0;
    phase = P_RUN;
    phase_end = s_run0.wall + (uint64_t)(o.secs * 1e9);
}

/* --rate: send what has come due, from one connection after another. */
static void paced(uint64_t now)
{
    static uint64_t t0;
    static long sent;
    static int next;
    if (!t0)
        t0 = now;
    long due = (long)((double)(now - t0) * (double)o.rate / 1e9) - sent;
    int senders = one_sends() ? 1 : o.active ? o.active : o.conns;
    for (int tries = 0; due > 0 && tries < senders; tries++) {
        struct conn *c = &conns[next];
        next = (next + 1) % senders;
        if (c->fd < 0 || !c->joined || c->inflight >= (unsigned)o.depth ||
            slot_of(c, c->seq_tx)->t)
            continue;
        event_send(c), flush(c);
        due--, sent++, tries = -1;
    }
    if (due > 0)
        n_missed += due, sent += due; /* every window is full */
}

/* Servers that never close their side would hold churn up for ever. */
static void close_slow(uint64_t now)
{
    static uint64_t t_scan;
    if (now - t_scan <= 200000000ull)
        return;
    t_scan = now;
    for (int i = 0; i < o.conns; i++) {
        struct conn *c = &conns[i], *w = c->is_ws ? c : c->peer;
        if (w->fd >= 0 && w->st == ST_CLOSING &&
            now - c->t_start > 2000000000ull)
            n_slowclose++, client_end(c, false);
    }
}

/* Churn and upgrade never leave this phase until all clients had their turn. */
static void tick_cycle(uint64_t now)
{
    static int next_block = 1;
    close_slow(now);
    if (finished >= next_block * 10000L && n_blocks < 256) {
        struct snap s;
        snap_take(&s, true);
        rss_block[n_blocks++] = s.rss, next_block++;
    }
    if (finished < o.total)
        return;
    snap_take(&s_run1, true);
    phase = P_SETTLE;
    phase_end = now + (uint64_t)(o.settle * 1e9);
}

static void tick_open(uint64_t now, bool cyclic)
{
    static int cursor;
    static uint64_t t_ready;
    long all = cyclic ? o.total : o.conns;
    for (int tries = 0; opening < o.burst && tries < o.conns && started < all;
         tries++) {
        if (conns[cursor].fd < 0 &&
            (!conns[cursor].peer || conns[cursor].peer->fd < 0))
            client_open(&conns[cursor]);
        cursor = (cursor + 1) % o.conns;
    }
    if (cyclic) {
        tick_cycle(now);
        return;
    }
    if (ready + failed < o.conns || opening)
        return;
    if (!t_ready)
        t_ready = now;
    if (now - t_ready < (uint64_t)(o.pause * 1e9))
        return;
    snap_take(&s_open, true);
    phase = P_WARM;
    phase_end = now + (uint64_t)(o.warm * 1e9);
    if (!o.rate && o.mode != M_IDLE)
        for (int i = 0; i < o.conns; i++)
            if (conns[i].joined)
                fill(&conns[i]), pump(&conns[i]), flush(&conns[i]);
}

/* Nothing has moved for too long: report what there is. */
static void give_up(void)
{
    complain(E_STALL, conns, "phase %d, %ld ready, %ld opening, %ld in flight",
             phase, ready, opening, inflight);
    errs[E_LOST] += inflight;
    if (phase < P_RUN)
        snap_take(&s_run0, true);
    if (phase < P_DRAIN)
        snap_take(&s_run1, true);
    if (!s_open.wall)
        s_open = s_run1;
    phase = P_DONE;
}

/* Everything that is not a reaction to a socket. */
static void tick(uint64_t now)
{
    static uint64_t last_progress, t_progress;
    if (progress != last_progress || !t_progress || phase == P_SETTLE ||
        (o.mode == M_IDLE && phase != P_OPEN))
        last_progress = progress, t_progress = now;
    if (now - t_progress > (uint64_t)(o.stall * 1e9) ||
        now - s_base.wall > (uint64_t)(o.limit * 1e9)) {
        give_up();
        return;
    }
    switch (phase) {
    case P_OPEN:
        tick_open(now, o.mode == M_CHURN || o.mode == M_UPGRADE);
        return;
    case P_WARM:
        if (o.rate)
            paced(now);
        if (now >= phase_end)
            run_begin();
        return;
    case P_RUN:
        if (o.rate)
            paced(now);
        if (now < phase_end && !(o.count && n_msgs >= o.count))
            return;
        snap_take(&s_run1, true);
        stopping = true;
        phase = P_DRAIN;
        phase_end = now + 3000000000ull;
        return;
    case P_DRAIN:
        if (inflight && now < phase_end)
            return;
        errs[E_LOST] += inflight;
        phase = P_DONE;
        return;
    case P_SETTLE:
        if (now >= phase_end)
            phase = P_DONE;
        return;
    case P_DONE:
        return;
    }
}

/* --------------------------------------------------------------- report -- */

static bool report(void)
{
    const struct snap *a = &s_run0, *b = &s_run1;
    bool cyclic = o.mode == M_CHURN || o.mode == M_UPGRADE;
    if (cyclic)
        a = &s_base;
    double wall = (double)(b->wall - a->wall) / 1e9, srv = b->srv - a->srv,
           gen = b->gen - a->gen;
    double each = n_msgs ? 1e6 / (double)n_msgs : 0,
           nc = ready ? (double)ready : 1;
    double other = (b->busy - a->busy) - srv - gen, load = 0;
    long bad = 0;
    FILE *f = fopen("/proc/loadavg", "r");
    if (f) {
        if (fscanf(f, "%lf", &load) != 1)
            load = -1;
        fclose(f);
    }
    for (int i = 0; i < E_MAX; i++)
        bad += errs[i];
    printf("{\"label\":\"%s\",\"mode\":\"%s\",\"ok\":%s,\"conns\":%d,\"depth\":"
           "%d,\"size\":%d",
           o.label, mode_name[o.mode], bad ? "false" : "true", o.conns, o.depth,
           o.size);
    if (o.rate)
        printf(",\"rate_wanted\":%ld,\"missed\":%ld", o.rate, n_missed);
    printf(",\"secs\":%.3f,\"msgs\":%ld,\"per_s\":%.0f", wall, n_msgs,
           wall > 0 ? (double)n_msgs / wall : 0);
    if (o.mode == M_BROADCAST)
        printf(",\"requests\":%ld,\"requests_per_s\":%.1f", n_reqs,
               wall > 0 ? (double)n_reqs / wall : 0);
    if (o.mode == M_ASK)
        printf(",\"asked\":%ld", n_asked);
    if (n_http)
        printf(",\"http\":%ld,\"http_per_s\":%.0f,\"cpu_us_per_http\":%.2f",
               n_http, (double)n_http / wall, srv * 1e6 / (double)n_http);
    if (o.npids)
        printf(",\"cpu_us_per_msg\":%.3f,\"server\":{\"cpu_s\":%.3f,\"user_s\":"
               "%.2f,\"sys_s\":%.2f,\"busy_pct\":%.1f,\"vcsw\":%ld"
               ",\"rss_base_kb\":%ld,\"rss_open_kb\":%ld,\"rss_end_kb\":%ld}",
               srv * each, srv, b->usr - a->usr, b->sys - a->sys,
               srv / wall * 100, b->vcsw - a->vcsw, s_base.rss, s_open.rss,
               s_end.rss);
    for (int i = 0; i < o.npids; i++)
        printf("%s%.4f%s", i ? "," : ",\"each_cpu_s\":[",
               b->each[i] - a->each[i], i + 1 < o.npids ? "" : "]");
    printf(",\"gen\":{\"cpu_s\":%.3f,\"busy_pct\":%.1f,\"us_per_msg\":%.3f,"
           "\"reads\":%ld,\"writes\":%ld}",
           gen, gen / wall * 100, gen * each, n_reads, n_writes);
    hist_print(o.mode == M_BROADCAST ? "last_us" : "lat_us", &h_lat);
    hist_print("each_us", &h_each);
    if (!cyclic) {
        double ow = (double)(s_open.wall - s_base.wall) / 1e9;
        printf(",\"open\":{\"n\":%ld,\"secs\":%.3f,\"per_s\":%.0f,\"cpu_us_"
               "each\":%.1f,\"rss_bytes_each\":%.0f}",
               ready, ow, nc / ow, (s_open.srv - s_base.srv) * 1e6 / nc,
               (double)(s_open.rss - s_base.rss) * 1024 / nc);
    }
    if (o.mode == M_IDLE)
        printf(",\"idle\":{\"rss_bytes_each_end\":%.0f,\"cpu_pct\":%.3f,"
               "\"pings\":%ld,\"kernel_both_ends\":{\"slab_bytes_each\":%.0f,"
               "\"tcp_mem_bytes_each\":%.0f}}",
               (double)(s_end.rss - s_base.rss) * 1024 / nc, srv / wall * 100,
               n_pings, (double)(s_open.slab - s_base.slab) * 1024 / nc,
               (double)(s_open.tcp_pages - s_base.tcp_pages) * 4096 / nc);
    if (cyclic) {
        printf(",\"done\":%ld,\"failed\":%ld,\"slow_close\":%ld,\"rss_each_10k_"
               "kb\":[",
               finished, failed, n_slowclose);
        for (int i = 0; i < n_blocks; i++)
            printf("%s%ld", i ? "," : "", rss_block[i]);
        printf("]");
    }
    printf(",\"bytes_in\":%" PRIu64 ",\"bytes_out\":%" PRIu64
           ",\"pings\":%ld,\"noops\":%ld,\"reordered\":%ld",
           bytes_in, bytes_out, n_pings, n_ctl_rx, n_reorder);
    printf(",\"noise\":{\"other_pct\":%.1f,\"steal_pct\":%.1f,\"load1\":%.2f}",
           other > 0 ? other / wall * 100 : 0,
           (b->steal - a->steal) / wall * 100, load);
    printf(",\"errors\":{");
    for (int i = 0, first = 1; i < E_MAX; i++)
        if (errs[i])
            printf("%s\"%s\":%ld", first ? "" : ",", err_name[i], errs[i]),
                first = 0;
    printf("}}\n");
    return !bad;
}

/* ----------------------------------------------------------------- main -- */

_Noreturn static void usage(void)
{
    fputs("usage: sioload MODE [options]        modes: idle echo ack binary "
          "broadcast ask polling upgrade churn\n"
          "  --host A --port N --path P   server (127.0.0.1:3000/socket.io/)   "
          "--pid P[,P..]  its processes, to be measured\n"
          "  -c N   connections (churn, upgrade: at once)      -d N  in flight "
          "per connection (broadcast: altogether)\n"
          "  -s N   payload bytes (at least 16)                -n N  churn, "
          "upgrade: connections altogether\n"
          "  --warm S --secs S            seconds before and while measuring; "
          "--count N  end early after N replies\n"
          "  --rate R                     but for polling, upgrade, churn: R "
          "events/s altogether instead of as fast as possible\n"
          "  --burst N --srcs N           connections set up at once; source "
          "addresses 127.0.0.1..N\n"
          "  --polling                    idle: hold long-polling clients\n"
          "  --hang                       polling: keep a GET pending, POST on "
          "a second connection\n"
          "  --object --utf8 --words      payload is an object; filler is "
          "three-byte characters, or words\n"
          "  --tls --deflate              TLS; permessage-deflate for every "
          "message\n"
          "  --active N                   only N of the connections send\n"
          "  --namespaces N --event NAME  echo: clients join /n0.. in turn; "
          "NAME is sent, \"echo\" or \"broadcast\" comes back\n"
          "  --port2 N --pause S          of all clients but the first; "
          "seconds between the last one's joining and the first event\n"
          "  --close mix|clean|fin|rst    churn, upgrade: how to leave\n"
          "  --settle S --stall S --limit S --label TEXT\n",
          stderr);
    exit(2);
}

/* The command line: where each option goes, and how it is read. */
enum opt_kind { OPT_INT, OPT_LONG, OPT_TIME, OPT_TEXT, OPT_FLAG, OPT_CALL };

struct opt {
    const char *name; /* one letter: a short option */
    enum opt_kind kind;
    void *to;
    void (*call)(const char *value);
};

static long whole(const char *text)
{
    char *end;
    long n = strtol(text, &end, 10);
    if (end == text || *end)
        usage();
    return n;
}

static double seconds(const char *text)
{
    char *end;
    double d = strtod(text, &end);
    if (end == text || *end || d < 0)
        usage();
    return d;
}

static void opt_pids(const char *text)
{
    for (;; text++) {
        char *end;
        long pid = strtol(text, &end, 10);
        if (end == text || (*end && *end != ',') || o.npids == 16)
            usage();
        o.pids[o.npids++] = (pid_t)pid;
        text = end;
        if (!*text)
            return;
    }
}

static void opt_close(const char *text)
{
    static const char *const how[] = { "mix", "clean", "fin", "rst" };
    for (int i = 0; i < 4; i++)
        if (!strcmp(text, how[i])) {
            o.closing = i; /* in the order of CL_MIX.. */
            return;
        }
    usage();
}

static const struct opt opts[] = {
    { "c", OPT_INT, &o.conns, NULL },
    { "d", OPT_INT, &o.depth, NULL },
    { "s", OPT_INT, &o.size, NULL },
    { "n", OPT_LONG, &o.total, NULL },
    { "host", OPT_TEXT, &o.host, NULL },
    { "port", OPT_INT, &o.port, NULL },
    { "port2", OPT_INT, &o.port2, NULL },
    { "pause", OPT_TIME, &o.pause, NULL },
    { "path", OPT_TEXT, &o.path, NULL },
    { "pid", OPT_CALL, NULL, opt_pids },
    { "warm", OPT_TIME, &o.warm, NULL },
    { "secs", OPT_TIME, &o.secs, NULL },
    { "count", OPT_LONG, &o.count, NULL },
    { "rate", OPT_LONG, &o.rate, NULL },
    { "burst", OPT_INT, &o.burst, NULL },
    { "srcs", OPT_INT, &o.srcs, NULL },
    { "polling", OPT_FLAG, &o.polling, NULL },
    { "hang", OPT_FLAG, &o.hang, NULL },
    { "object", OPT_FLAG, &o.object, NULL },
    { "utf8", OPT_FLAG, &o.utf8, NULL },
    { "words", OPT_FLAG, &o.words, NULL },
    { "tls", OPT_FLAG, &o.tls, NULL },
    { "deflate", OPT_FLAG, &o.deflate, NULL },
    { "active", OPT_INT, &o.active, NULL },
    { "namespaces", OPT_INT, &o.namespaces, NULL },
    { "event", OPT_TEXT, &o.event, NULL },
    { "close", OPT_CALL, NULL, opt_close },
    { "settle", OPT_TIME, &o.settle, NULL },
    { "stall", OPT_TIME, &o.stall, NULL },
    { "limit", OPT_TIME, &o.limit, NULL },
    { "label", OPT_TEXT, &o.label, NULL },
};

static void opt_set(const struct opt *opt, const char *value)
{
    switch (opt->kind) {
    case OPT_INT:
        *(int *)opt->to = (int)whole(value);
        return;
    case OPT_LONG:
        *(long *)opt->to = whole(value);
        return;
    case OPT_TIME:
        *(double *)opt->to = seconds(value);
        return;
    case OPT_TEXT:
        *(const char **)opt->to = value;
        return;
    case OPT_FLAG:
        *(bool *)opt->to = true;
        return;
    case OPT_CALL:
        opt->call(value);
        return;
    }
}

static const struct opt *opt_find(const char *arg)
{
    size_t dashes = strspn(arg, "-");
    const char *name = arg + dashes;
    for (size_t i = 0; i < sizeof opts / sizeof *opts; i++)
        if (!strcmp(opts[i].name, name) && dashes == (name[1] ? 2u : 1u))
            return &opts[i];
    usage();
}

static void parse_args(int argc, char **argv)
{
    int m = 0;
    if (argc < 2)
        usage();
    while (m < M_COUNT && strcmp(argv[1], mode_name[m]))
        m++;
    if (m == M_COUNT)
        usage();
    o.mode = (enum mode)m;
    for (int i = 2; i < argc; i++) {
        const struct opt *opt = opt_find(argv[i]);
        if (opt->kind != OPT_FLAG && ++i == argc)
            usage();
        opt_set(opt, argv[i]);
    }
    if (o.conns < 1 || o.conns > 200000 || o.depth < 1 || o.depth > 65536 ||
        o.size < 16 || o.size > (int)(RBUF / 4) || o.srcs < 1 || o.srcs > 250 ||
        o.burst < 1)
        usage();
    if (o.active < 0 || o.active > o.conns || o.namespaces < 0 ||
        o.namespaces > 1000000 || (o.event && strlen(o.event) > 32) ||
        (o.namespaces && o.mode != M_ECHO))
        usage();
    if (o.rate && (o.mode == M_IDLE || o.mode >= M_POLLING))
        usage();
    if (o.mode == M_UPGRADE)
        o.depth = 1;
    if (o.mode == M_UPGRADE && o.closing == CL_MIX)
        o.closing = CL_CLEAN;
}

/* Text that packs about as well as text does: words out of a few. */
static char next_of_words(long i)
{
    static const char *const words[] = {
        "time",    "person", "year", "way",  "day",   "thing",  "man",
        "world",   "life",   "hand", "part", "child", "eye",    "woman",
        "place",   "work",   "week", "case", "point", "number", "group",
        "problem", "fact",   "be",   "have", "do",    "say",    "get",
        "make",    "go",     "know", "take", "see",   "come",   "think",
        "look",    "want",   "give", "use",  "find",  "tell",   "ask"
    };
    static const char *word;
    static uint64_t seed;
    if (i == 0)
        seed = 1, word = "";
    if (*word)
        return *word++;
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    word = words[(seed >> 33) % (sizeof words / sizeof *words)];
    return ' ';
}

/* Head and tail of the one message this run sends over and over. */
static void make_message(void)
{
    static const char obj[] = "{\"id\":\"",
                      mid[] = "\",\"user\":\"alice\",\"room\":42,\"ok\":true,"
                              "\"tags\":[\"a\",\"b\"],\"text\":\"";
    const char *back = o.mode == M_BROADCAST ? "broadcast"
                       : o.mode == M_ASK     ? "ask"
                                             : "echo",
               *name = o.event ? o.event : back;
    const char *open = o.object ? obj : "\"",
               *close = o.object ? "\"}]" : "\"]";
    long fill = o.size - 16;
    if (!(tail = malloc((size_t)o.size + 256)) ||
        !(msg = malloc((size_t)o.size + 512)))
        die("malloc");
    if (o.mode == M_BINARY) { /* raw bytes, every value occurs */
        taillen = (size_t)fill;
        for (long i = 0; i < fill; i++)
            tail[i] = (char)(i * 131 + 7);
        return;
    }
    snprintf(tx_head, sizeof tx_head, "[\"%s\",%s", name, open);
    if (o.mode == M_ACK)
        snprintf(rx_head, sizeof rx_head, "[%s", open);
    else
        snprintf(rx_head, sizeof rx_head, "[\"%s\",%s", back, open);
    tx_headlen = strlen(tx_head), rx_headlen = strlen(rx_head);
    if (o.object) {
        fill = o.size - 16 - (long)(sizeof obj - 1 + sizeof mid - 1 + 2);
        if (fill < 0)
            fill = 0;
        memcpy(tail, mid, sizeof mid - 1), taillen = sizeof mid - 1;
    }
    for (long i = 0; i < fill;)
        if (o.utf8 && fill - i >= 3)
            memcpy(tail + taillen, "\xe8\xaa\x9e", 3), taillen += 3, i += 3;
        else if (o.words)
            tail[taillen++] = next_of_words(i++);
        else
            tail[taillen++] = (char)('a' + i++ % 26);
    memcpy(tail + taillen, close, strlen(close)), taillen += strlen(close);
}

int main(int argc, char **argv)
{
    static struct epoll_event ev[1024];
    struct rlimit rl;
    parse_args(argc, argv);
    bool http = o.mode == M_POLLING || o.mode == M_UPGRADE ||
                (o.mode == M_IDLE && o.polling);
    bool pairs = o.mode == M_UPGRADE || (http && o.hang);
    if (!http)
        o.hang = false;
    size_t total = (size_t)o.conns * (pairs ? 2 : 1);

    signal(SIGPIPE, SIG_IGN);
    getrlimit(RLIMIT_NOFILE, &rl);
    if (rl.rlim_cur < total + 64) {
        struct rlimit want = { total + 64, rl.rlim_max < total + 64
                                               ? total + 64
                                               : rl.rlim_max };
        if (setrlimit(RLIMIT_NOFILE, &want)) {
            fprintf(stderr,
                    "sioload: %zu connections need RLIMIT_NOFILE raised above "
                    "%ju, and that is not allowed here\n",
                    total, (uintmax_t)rl.rlim_max);
            return 2;
        }
    }
    if ((ep = epoll_create1(EPOLL_CLOEXEC)) < 0)
        die("epoll_create1");
    make_message();
    conns = calloc(total, sizeof *conns);
    slots = calloc(o.mode == M_BROADCAST ? (size_t)o.depth
                                         : (size_t)o.conns * (size_t)o.depth,
                   sizeof *slots);
    if (!conns || !slots)
        die("calloc");
    for (size_t i = 0; i < total; i++) {
        struct conn *c = &conns[i];
        c->fd = -1, c->index = (uint32_t)i, c->main = c, c->id = (uint32_t)i,
        c->is_ws = !http;
        if (i >= (size_t)o.conns) {
            c->main = &conns[i - (size_t)o.conns];
            c->main->peer = c;
            c->is_ws = o.mode == M_UPGRADE;
        }
    }

    snap_take(&s_base, true);
    uint64_t now = s_base.wall;
    struct timespec nap = { 0, 20000000 };
    if (o.rate)
        nap.tv_nsec = 200000;
    tick(now);
    while (phase != P_DONE) {
        int n = epoll_pwait2(ep, ev, 1024, &nap, NULL);
        if (n < 0 && errno != EINTR)
            die("epoll_pwait2");
        for (int i = 0; i < n; i++)
            on_event(&ev[i]);
        tick(now_ns());
    }
    snap_take(&s_end, true);
    return report() ? 0 : 1;
}
