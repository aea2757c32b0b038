/*
 * tls_client.c -- see tls_client.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/unit/tls_client.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int keep_ticket(SSL *ssl, SSL_SESSION *session)
{
    struct tls_client *c = SSL_get_app_data(ssl);

    SSL_SESSION_free(c->ticket);
    c->ticket = session;
    return 1;
}

static void count_record(int sent, int version, int type, const void *p,
                         size_t n, SSL *ssl, void *arg)
{
    struct tls_client *c = arg;

    (void)version;
    (void)ssl;
    if (!sent && type == SSL3_RT_HEADER && n &&
        *(const unsigned char *)p == SSL3_RT_APPLICATION_DATA)
        c->records++;
}

static bool use_certificate(SSL_CTX *ctx, const char *name)
{
    char certificate[100], key[100];

    snprintf(certificate, sizeof certificate, CERTS "%s.pem", name);
    snprintf(key, sizeof key, CERTS "%s.key", name);
    return SSL_CTX_use_certificate_chain_file(ctx, certificate) == 1 &&
           SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) == 1;
}

static bool configure(SSL_CTX *ctx, const struct tls_client_options *o)
{
    SSL_CTX_set_min_proto_version(ctx, o->min_version ? o->min_version
                                                      : TLS1_2_VERSION);
    SSL_CTX_set_max_proto_version(ctx, o->max_version);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT |
                                            SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, keep_ticket);
    SSL_CTX_set_security_level(ctx, 0); /* also old versions may be offered */
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    return SSL_CTX_load_verify_file(ctx, CERTS "root.pem") == 1 &&
           (!o->certificate || use_certificate(ctx, o->certificate));
}

static bool prepare(struct tls_client *c, const struct tls_client_options *o)
{
    c->in = BIO_new(BIO_s_mem());
    c->out = BIO_new(BIO_s_mem());
    BIO_set_mem_eof_return(c->in, -1);
    SSL_set_bio(c->ssl, c->in, c->out);
    SSL_set_connect_state(c->ssl);
    SSL_set_app_data(c->ssl, c);
    SSL_set_msg_callback(c->ssl, count_record);
    SSL_set_msg_callback_arg(c->ssl, c);
    if (o->name)
        SSL_set_tlsext_host_name(c->ssl, o->name);
    if (o->alpn)
        SSL_set_alpn_protos(c->ssl, (const unsigned char *)o->alpn,
                            (unsigned)strlen(o->alpn));
    return !o->session || SSL_set_session(c->ssl, o->session) == 1;
}

bool tls_client_open(struct tls_client *c, int fd,
                     const struct tls_client_options *options)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    bool ok = ctx && configure(ctx, options);

    *c = (struct tls_client){ .fd = fd };
    if (ok)
        c->ssl = SSL_new(ctx);
    SSL_CTX_free(ctx);
    return c->ssl && prepare(c, options);
}

void tls_client_close(struct tls_client *c)
{
    /* A session that was cut off could not be resumed. */
    if (c->ssl)
        SSL_set_shutdown(c->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(c->ssl);
    SSL_SESSION_free(c->ticket);
    *c = (struct tls_client){ .fd = -1 };
}

size_t tls_client_flush(struct tls_client *c, size_t most)
{
    char *p;
    size_t n = (size_t)BIO_get_mem_data(c->out, &p);
    ssize_t sent = 0;

    if (n && most)
        sent = send(c->fd, p, n < most ? n : most, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN)
        c->reset = true;
    for (ssize_t left = sent; left > 0;) {
        char sink[4096];
        int take = left < (ssize_t)sizeof sink ? (int)left : (int)sizeof sink;

        left -= BIO_read(c->out, sink, take);
    }
    return n - (sent > 0 ? (size_t)sent : 0);
}

bool tls_client_fill(struct tls_client *c)
{
    static char got[1 << 16];
    ssize_t n;

    while ((n = recv(c->fd, got, sizeof got, MSG_DONTWAIT)) > 0)
        BIO_write(c->in, got, (int)n);
    return n < 0 && errno == EAGAIN;
}

bool tls_client_shake(struct tls_client *c)
{
    bool open = tls_client_fill(c);
    int r;

    ERR_clear_error();
    r = SSL_do_handshake(c->ssl);
    tls_client_flush(c, SIZE_MAX);
    if (r == 1)
        return true;
    c->failed = !open || SSL_get_error(c->ssl, r) != SSL_ERROR_WANT_READ;
    return c->failed;
}

const char *tls_client_error(void)
{
    const char *text = ERR_reason_error_string(ERR_peek_last_error());

    return text ? text : "";
}

const char *tls_client_peer(const struct tls_client *c)
{
    static char name[100];
    const X509 *x = SSL_get0_peer_certificate(c->ssl);

    name[0] = 0;
    if (x)
        X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName,
                                  name, sizeof name);
    return name;
}

bool tls_client_saw_goodbye(const struct tls_client *c)
{
    return SSL_get_shutdown(c->ssl) & SSL_RECEIVED_SHUTDOWN;
}

static void *allocate(size_t n, const char *file, int line)
{
    (void)file;
    (void)line;
    return malloc(n);
}

static void *reallocate(void *p, size_t n, const char *file, int line)
{
    (void)file;
    (void)line;
    return realloc(p, n);
}

static void release(void *p, const char *file, int line)
{
    (void)file;
    (void)line;
    free(p);
}

void tls_client_wrap_malloc(void)
{
    CRYPTO_set_mem_functions(allocate, reallocate, release);
}
