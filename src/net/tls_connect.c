/*
 * tls_connect.c -- an SSL_CTX for connections that we make, and an SSL that
 * checks whom it has reached; see tls_connect.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/net/tls_connect.h"
#include "src/net/tls.h"
#include "src/net/tls_context.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

/* Bytes of a server's certificate chain, as OpenSSL has it. */
#define CHAIN_MAX (100u * 1024)

struct net_tls_client {
    atomic_uint refs;
    SSL_CTX *ctx;
    BIO_METHOD *bio;
};

static int trust(SSL_CTX *ctx, const struct net_tls_client_options *o,
                 const struct tls_why *why)
{
    if (o->insecure)
        return SIO_OK;
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    if (o->ca)
        return tls_use_ca(ctx, o->ca, why);
    if (SSL_CTX_set_default_verify_paths(ctx) == 1)
        return SIO_OK;
    return tls_explain(why, "ca", NULL, NULL);
}

static int configure(SSL_CTX *ctx, const struct net_tls_client_options *o,
                     const struct tls_why *why)
{
    const struct tls_source source = { .certificate = o->certificate,
                                       .key = o->key,
                                       .password = o->key_password };
    int r;

    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_max_cert_list(ctx, CHAIN_MAX);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1)
        return tls_explain(why, "TLS", NULL, NULL);
    r = trust(ctx, o, why);
    if (r == SIO_OK && o->certificate)
        r = tls_use_certificate(ctx, &source, why);
    return r;
}

struct net_tls_client *
net_tls_client_new(const struct net_tls_client_options *options, char *why,
                   size_t size)
{
    const struct tls_why reason = { size ? why : NULL, size };
    struct net_tls_client *client = calloc(1, sizeof *client);

    tls_explain(&reason, "TLS", NULL, sio_strerror(SIO_E_NOMEM));
    if (!client)
        return NULL;
    atomic_init(&client->refs, 1);
    client->ctx = SSL_CTX_new(TLS_client_method());
    client->bio = tls_bio_new();
    if (!client->ctx || !client->bio ||
        configure(client->ctx, options, &reason) < 0) {
        net_tls_client_free(client);
        ERR_clear_error();
        return NULL;
    }
    return client;
}

void net_tls_client_free(struct net_tls_client *client)
{
    if (!client ||
        atomic_fetch_sub_explicit(&client->refs, 1, memory_order_acq_rel) != 1)
        return;
    SSL_CTX_free(client->ctx);
    BIO_meth_free(client->bio);
    free(client);
}

/* RFC 6066 3: a name is told to the server, an address is not. */
static bool expect(SSL *ssl, const char *name)
{
    struct net_address address;

    if (net_address_parse(&address, (sio_str){ name, strlen(name) }))
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, name) == 1 &&
           SSL_set_tlsext_host_name(ssl, name) == 1;
}

int net_tls_connect(struct net_conn *c, struct net_tls_client *client,
                    const char *name,
                    void (*on_failed)(void *self, const char *why), void *self)
{
    SSL *ssl = SSL_new(client->ctx);

    if (!ssl || !expect(ssl, name)) {
        SSL_free(ssl);
        ERR_clear_error();
        return SIO_E_NOMEM;
    }
    atomic_fetch_add_explicit(&client->refs, 1, memory_order_relaxed);
    return tls_begin_outgoing(c, ssl, client, client->bio, on_failed, self);
}
