/*
 * tls.c -- TLS of one connection; see tls.h.
 *
 * Under the SSL lies a BIO of our own. It reads from the bytes that the
 * connection has just received. What it writes goes to the kernel at once; what
 * the kernel does not take
 *
 *   - of a record from the queue, is refused: OpenSSL keeps the record, the
 *     queue keeps its bytes, and SSL_write() is tried again
 *   - of anything else (handshake, alerts, answers to key updates), is kept in
 *     `late`: so neither a handshake nor SSL_read() ever has to wait for
 *     writing, and no received bytes are left over
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/net/tls.h"

#include "protocol/base/str.h"
#include "src/net/output.h"
#include "src/net/tls_connect.h"
#include "src/net/tls_context.h"

#include <assert.h>
#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#define WHY 256 /* bytes of a reason */

/* Of a connection that we have made. */
struct outgoing {
    struct net_tls_client *client;
    void (*on_failed)(void *self, const char *why);
    void *self;
};

struct net_tls {
    SSL *ssl;
    struct net_conn *conn;
    struct outgoing *outgoing; /* NULL: accepted, and has the next two */
    sio_tls *context;
    struct tls_generation *generation;
    sio_certificate *certificate; /* the peer's; NULL: none */
    const uint8_t *in;            /* received and not yet read by OpenSSL */
    size_t in_len;
    struct grow late; /* records that wait for the kernel's buffer */
    uint32_t sent;    /* bytes that the kernel has taken; the low bits */
    bool established;
    bool writing; /* SSL_write() runs */
    bool blocked; /* a record waits within OpenSSL */
    bool goodbye; /* close_notify is sent, or in `late` */
};

/* --------------------------------------------------------------- the BIO -- */

static ssize_t send_some(struct net_tls *t, const void *p, size_t n)
{
    ssize_t sent;

    do
        sent = send(t->conn->fd, p, n, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    t->sent += sent > 0 ? (uint32_t)sent : 0;
    return sent < 0 && errno == EAGAIN ? 0 : sent;
}

static int bio_write(BIO *bio, const char *p, int n)
{
    struct net_tls *t = BIO_get_data(bio);
    ssize_t sent = t->late.len ? 0 : send_some(t, p, (size_t)n);

    BIO_clear_retry_flags(bio);
    if (sent < 0)
        return -1;
    if (t->writing && sent == 0) {
        BIO_set_retry_write(bio);
        return -1;
    }
    if (t->writing)
        return (int)sent;
    return grow_append(&t->late, p + sent, (size_t)(n - sent)) < 0 ? -1 : n;
}

static int bio_read(BIO *bio, char *out, int n)
{
    struct net_tls *t = BIO_get_data(bio);
    size_t take = t->in_len < (size_t)n ? t->in_len : (size_t)n;

    BIO_clear_retry_flags(bio);
    if (take == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    memcpy(out, t->in, take);
    t->in += take;
    t->in_len -= take;
    return (int)take;
}

static long bio_ctrl(BIO *bio, int command, long number, void *p)
{
    (void)bio;
    (void)number;
    (void)p;
    return command == BIO_CTRL_FLUSH;
}

BIO_METHOD *tls_bio_new(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "libsio connection");

    if (m && BIO_meth_set_write(m, bio_write) &&
        BIO_meth_set_read(m, bio_read) && BIO_meth_set_ctrl(m, bio_ctrl))
        return m;
    BIO_meth_free(m);
    return NULL;
}

/* False: the connection is broken. */
static bool send_late(struct net_tls *t)
{
    ssize_t sent = t->late.len ? send_some(t, t->late.data, t->late.len) : 0;

    if (sent < 0)
        return false;
    if ((size_t)sent == t->late.len) {
        grow_free(&t->late);
        return true;
    }
    t->late.len -= (size_t)sent;
    memmove(t->late.data, t->late.data + sent, t->late.len);
    return true;
}

/* ------------------------------------------------------------- callbacks -- */

/* The BIO knows it anyway; "app data" would be more allocations. */
static struct net_tls *tls_of(const SSL *ssl)
{
    return BIO_get_data(SSL_get_rbio(ssl));
}

/* "*.example.com" is for one label before that domain. */
static bool matches(const char *pattern, const char *name)
{
    if (pattern[0] == '*') {
        name = strchr(name, '.');
        pattern++;
    }
    return name && str_eq_nocase(str_of(pattern), str_of(name));
}

static SSL_CTX *find_host(const struct tls_generation *g, const char *name)
{
    SSL_CTX *found = NULL;

    for (size_t i = 1; i < g->count; i++) {
        const struct tls_host *host = &g->hosts[i];
        bool wildcard = host->name[0] == '*';

        if (matches(host->name, name) && (!wildcard || !found)) {
            found = host->ctx;
            if (!wildcard)
                break;
        }
    }
    return found;
}

int tls_on_name(SSL *ssl, int *alert, void *arg)
{
    const struct net_tls *t = tls_of(ssl);
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    SSL_CTX *ctx = name ? find_host(t->generation, name) : NULL;

    (void)alert;
    (void)arg;
    if (!ctx)
        return SSL_TLSEXT_ERR_NOACK;
    return SSL_set_SSL_CTX(ssl, ctx) ? SSL_TLSEXT_ERR_OK
                                     : SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* RFC 7301 3.2: who offers something, but not HTTP/1.1, is refused. */
int tls_on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_n,
                const unsigned char *in, unsigned in_n, void *arg)
{
    static const unsigned char ours[] = "\x08http/1.1";
    unsigned char *chosen;

    (void)ssl;
    (void)arg;
    if (SSL_select_next_proto(&chosen, out_n, ours, sizeof ours - 1, in,
                              in_n) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

int tls_on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv,
                  EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int encrypt)
{
    struct net_tls *t = tls_of(ssl);
    int r = tls_ticket_crypt(&t->context->tickets, t->conn->loop->now_ms, name,
                             iv, cipher, mac, encrypt);

    /* With TLS 1.3 clients use a ticket once (RFC 8446 C.4): 2 brings another.
     */
    return r == 1 && !encrypt && SSL_version(ssl) == TLS1_3_VERSION ? 2 : r;
}

/* --------------------------------------------------------------- failing -- */

/* What OpenSSL says, in words for the log. */
static void spell_reason(const struct net_tls *t, char out[WHY])
{
    unsigned long e = ERR_peek_error();
    const char *text = e ? ERR_reason_error_string(e) : "connection broken";
    const char *more = "";

    switch (ERR_GET_LIB(e) == ERR_LIB_SSL ? ERR_GET_REASON(e) : 0) {
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
        text = "not TLS: an HTTP request";
        break;
    case SSL_R_WRONG_VERSION_NUMBER:
        text = "not TLS";
        break;
    case SSL_R_CERTIFICATE_VERIFY_FAILED:
        more = X509_verify_cert_error_string(SSL_get_verify_result(t->ssl));
        break;
    default:
        break;
    }
    snprintf(out, WHY, "%s%s%s", text ? text : "unknown reason",
             more[0] ? ": " : "", more);
}

static void report(struct net_conn *c, const char *why)
{
    struct net_loop *loop = c->loop;
    const struct outgoing *o = c->tls->outgoing;
    bool handshake = !c->tls->established;

    if (o) {
        if (o->on_failed)
            o->on_failed(o->self, why);
        return;
    }
    if (handshake)
        loop->tls_failures++;
    if (loop->on_tls_failed)
        loop->on_tls_failed(loop->tls_self, &c->peer, handshake, why);
}

static void fail(struct net_conn *c, const char *why)
{
    report(c, why);
    net_conn_fail(c, NET_CLOSE_TLS);
}

void net_tls_timed_out(struct net_conn *c)
{
    fail(c, "timed out");
}

/* A connection that never said anything is a port scanner's or the health check
 * of a load balancer. */
void net_tls_ended(struct net_conn *c)
{
    if (!c->tls->established && c->bytes_in && !c->finishing)
        report(c, "closed by the peer");
}

const sio_certificate *net_tls_certificate(const struct net_conn *c)
{
    return c->tls ? c->tls->certificate : NULL;
}

/* --------------------------------------------------------------- reading -- */

/* It is over: what is there to know of the peer. */
static bool established(struct net_conn *c)
{
    struct net_tls *t = c->tls;

    if (!t->outgoing) {
        if (tls_certificate_of(t->ssl, &t->certificate) < 0)
            return false;
        c->loop->tls_handshakes++;
    }
    t->established = true;
    return true;
}

/* On with the handshake; true when it is over. */
static bool shake(struct net_conn *c)
{
    struct net_tls *t = c->tls;
    char why[WHY];
    int r;

    ERR_clear_error();
    r = SSL_do_handshake(t->ssl);
    if (r == 1 && established(c))
        return true;
    if (r == 1) {
        fail(c, "the certificate cannot be kept");
    } else if (SSL_get_error(t->ssl, r) != SSL_ERROR_WANT_READ) {
        spell_reason(t, why);
        fail(c, why);
    }
    return false;
}

enum outcome { MORE, PEER_IS_DONE, BROKEN };

/* Everything that was received, as plain text at the start of loop->input. What
 * is not read yet lies behind it: see NET_TLS_HEADROOM. */
static enum outcome decrypt(struct net_tls *t, size_t *have, char why[WHY])
{
    uint8_t *out = t->conn->loop->input;
    int r;

    *have = 0;
    do {
        size_t room = (size_t)(t->in - out) - *have;

        assert(room > 0 && room < NET_INPUT_SIZE);
        ERR_clear_error();
        r = SSL_read(t->ssl, out + *have, (int)room);
        *have += r > 0 ? (size_t)r : 0;
    } while (r > 0);
    switch (SSL_get_error(t->ssl, r)) {
    case SSL_ERROR_WANT_READ:
        return MORE;
    case SSL_ERROR_ZERO_RETURN:
        return PEER_IS_DONE;
    default:
        spell_reason(t, why);
        return BROKEN;
    }
}

void net_tls_received(struct net_conn *c, size_t n)
{
    struct net_tls *t = c->tls;
    enum outcome outcome = MORE;
    size_t have = 0;
    char why[WHY];

    t->in = c->loop->input + NET_TLS_HEADROOM;
    t->in_len = n;
    if (t->established || shake(c))
        outcome = decrypt(t, &have, why);
    if (have)
        net_conn_feed(c, c->loop->input, have);
    if (c->closed || c->failed)
        return;
    if (outcome == PEER_IS_DONE)
        net_conn_ended(c);
    else if (outcome == BROKEN)
        fail(c, why);
    if ((t->late.len || c->queued) && !c->closed && !c->wants_write)
        net_conn_touch(c);
}

bool net_tls_handshaking(const struct net_conn *c)
{
    return c->tls && !c->tls->established;
}

/* --------------------------------------------------------------- writing -- */

/* The next bytes of the queue, up to a record. Several chunks are gathered in
 * loop->input, which nobody uses while connections are flushed. */
static const uint8_t *gather(const struct net_conn *c, size_t *n)
{
    uint8_t *all = c->loop->input;
    const struct net_chunk *k = c->tail->next;

    if (k == c->tail || k->len >= NET_TLS_RECORD) {
        *n = k->len < NET_TLS_RECORD ? k->len : NET_TLS_RECORD;
        return k->at;
    }
    *n = 0;
    for (;; k = k->next) {
        size_t room = NET_TLS_RECORD - *n;
        size_t take = k->len < room ? k->len : room;

        memcpy(all + *n, k->at, take);
        *n += take;
        if (k == c->tail || *n == NET_TLS_RECORD)
            return all;
    }
}

/* One record; as SSL_write(). */
static int write_record(struct net_conn *c)
{
    struct net_tls *t = c->tls;
    size_t n;
    const uint8_t *p = gather(c, &n);
    int r;

    ERR_clear_error();
    t->writing = true;
    r = SSL_write(t->ssl, p, (int)n);
    t->writing = false;
    return r;
}

int net_tls_write(struct net_conn *c)
{
    struct net_tls *t = c->tls;

    t->blocked = false;
    if (!send_late(t))
        return SIO_E_SYS;
    while (t->established && c->queued && !t->late.len) {
        int r = write_record(c);

        if (r > 0) {
            net_output_consume(c, (size_t)r);
            continue;
        }
        switch (SSL_get_error(t->ssl, r)) {
        case SSL_ERROR_WANT_WRITE:
            t->blocked = true;
            return SIO_OK;
        case SSL_ERROR_WANT_READ:
            return SIO_OK; /* net_tls_received() sees to it */
        default:
            return SIO_E_SYS;
        }
    }
    return SIO_OK;
}

bool net_tls_wants_write(const struct net_conn *c)
{
    return c->tls->late.len || c->tls->blocked;
}

uint32_t net_tls_sent(const struct net_conn *c)
{
    return c->tls->sent;
}

bool net_tls_goodbye(struct net_conn *c)
{
    struct net_tls *t = c->tls;

    if (!t->goodbye) {
        ERR_clear_error();
        SSL_shutdown(t->ssl);
        t->goodbye = true;
    }
    return !send_late(t) || !t->late.len;
}

/* ----------------------------------------------------- beginning and end -- */

static int attach(struct net_tls *t, const BIO_METHOD *method)
{
    BIO *bio = BIO_new(method);

    if (!bio)
        return SIO_E_NOMEM;
    BIO_set_data(bio, t);
    BIO_set_init(bio, 1);
    SSL_set_bio(t->ssl, bio, bio);
    return SIO_OK;
}

static struct net_tls *tls_new(struct net_conn *c)
{
    struct net_tls *t = calloc(1, sizeof *t);

    if (!t)
        return NULL;
    t->conn = c;
    grow_init(&t->late, NET_TLS_LATE_MAX);
    c->tls = t;
    if (!c->outgoing)
        c->loop->tls_count++;
    return t;
}

int net_tls_start(struct net_conn *c, sio_tls *tls)
{
    struct net_tls *t = tls_new(c);

    if (!t)
        return SIO_E_NOMEM;
    t->context = net_tls_ref(tls);
    t->generation = tls_generation_get(tls);
    t->ssl = SSL_new(t->generation->hosts[0].ctx);
    if (!t->ssl || attach(t, t->context->bio) < 0) {
        ERR_clear_error();
        net_tls_free(c);
        return SIO_E_NOMEM;
    }
    SSL_set_accept_state(t->ssl);
    return SIO_OK;
}

int tls_begin_outgoing(struct net_conn *c, SSL *ssl,
                       struct net_tls_client *client, const BIO_METHOD *bio,
                       void (*on_failed)(void *self, const char *why),
                       void *self)
{
    struct outgoing *o = malloc(sizeof *o);
    struct net_tls *t = o ? tls_new(c) : NULL;

    if (!t) {
        free(o);
        SSL_free(ssl);
        net_tls_client_free(client);
        return SIO_E_NOMEM;
    }
    *o = (struct outgoing){ client, on_failed, self };
    t->outgoing = o;
    t->ssl = ssl;
    if (attach(t, bio) < 0) {
        ERR_clear_error();
        net_tls_free(c);
        return SIO_E_NOMEM;
    }
    SSL_set_connect_state(ssl);
    shake(c); /* says the first word */
    if (t->late.len)
        net_conn_touch(c);
    return SIO_OK;
}

struct net_tls *net_tls_take(struct net_conn *c)
{
    struct net_tls *t = c->tls;

    if (!t)
        return NULL;
    c->tls = NULL;
    if (!c->outgoing)
        c->loop->tls_count--;
    t->conn = NULL;
    return t;
}

void net_tls_give(struct net_conn *c, struct net_tls *t)
{
    if (!t)
        return;
    t->conn = c;
    c->tls = t;
    c->loop->tls_count++;
}

void net_tls_free(struct net_conn *c)
{
    net_tls_drop(net_tls_take(c));
}

void net_tls_drop(struct net_tls *t)
{
    if (!t)
        return;
    SSL_free(t->ssl);
    tls_generation_unref(t->generation);
    sio_tls_free(t->context);
    grow_free(&t->late);
    if (t->outgoing)
        net_tls_client_free(t->outgoing->client);
    free(t->outgoing);
    free(t->certificate);
    free(t);
}
