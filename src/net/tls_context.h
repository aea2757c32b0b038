/*
 * tls_context.h -- what tls.c and its siblings share: the certificates in use
 * and the keys of tickets.
 *
 * A sio_tls holds one generation of certificates at a time; a reload makes
 * another. A connection keeps the one that it began with.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_NET_TLS_CONTEXT_H
#define SRC_NET_TLS_CONTEXT_H

#include <sio/tls.h>

#include "protocol/base/arena.h"
#include "protocol/base/list.h"

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>

struct net_conn;
struct net_tls_client;

struct tls_ticket_key {
    unsigned char name[16], cipher[32], mac[32];
};

/* Tickets are made with keys[0] and read with both, so that each key is used
 * for making tickets during one lifetime of a session. */
struct tls_tickets {
    pthread_mutex_t lock;
    struct tls_ticket_key keys[2];
    uint64_t born_ms; /* keys[0], by the clock of loops; 0: never used */
    uint32_t lifetime_s;
};

struct tls_host {
    const char *name; /* NULL: for whatever has no other; of the sio_tls */
    SSL_CTX *ctx;
};

struct tls_generation {
    atomic_uint refs;
    size_t count;
    struct tls_host hosts[]; /* the default one first */
};

/* Where the certificate of a host comes from. */
struct tls_source {
    struct list node; /* in sio_tls.sources, the default one first */
    const char *name, *certificate, *key, *password; /* NULL as in tls.h */
};

struct sio_tls {
    atomic_uint refs;
    pthread_mutex_t building; /* held by who reads files: the next three */
    sio_tls_options options;  /* strings in the arena */
    struct arena strings;
    struct list sources;
    pthread_mutex_t lock; /* of `current`; held for moments only */
    struct tls_generation *current;
    struct tls_tickets tickets;
    BIO_METHOD *bio;
};

/* --- tls_context.c --- */

/* The present certificates, with a reference. */
struct tls_generation *tls_generation_get(sio_tls *tls);
void tls_generation_unref(struct tls_generation *g);

/* --- tls_load.c --- */

/* What went wrong, for the caller of the public functions. */
struct tls_why {
    char *text; /* may be NULL */
    size_t size;
};

/* Say it: "WHAT FILE: PROBLEM", problem NULL: OpenSSL's. Returns SIO_E_INVAL.
 */
int tls_explain(const struct tls_why *why, const char *what, const char *source,
                const char *problem);

/* Everything that handshakes with this certificate need; NULL: see `why`. */
SSL_CTX *tls_load(const sio_tls *tls, const struct tls_source *source,
                  const struct tls_why *why);

/* Parts of it: what is shown to the peer, and whom to trust. SIO_OK, or
 * SIO_E_INVAL: see `why`. */
int tls_use_certificate(SSL_CTX *ctx, const struct tls_source *source,
                        const struct tls_why *why);
int tls_use_ca(SSL_CTX *ctx, const char *ca, const struct tls_why *why);

/* --- tls_certificate.c --- */

/* The peer's, on the heap; *out NULL when it has shown none. SIO_OK,
 * SIO_E_NOMEM, or SIO_E_LIMIT (a subject over SIO_TLS_SUBJECT_MAX). */
int tls_certificate_of(const SSL *ssl, sio_certificate **out);

/* --- tls_ticket.c --- */

/* SIO_OK or SIO_E_SYS (no randomness). */
int tls_tickets_init(struct tls_tickets *tickets, uint32_t lifetime_s);
void tls_tickets_destroy(struct tls_tickets *tickets);

/* As SSL_CTX_set_tlsext_ticket_key_evp_cb() wants it, at this time. */
int tls_ticket_crypt(struct tls_tickets *tickets, uint64_t now_ms,
                     unsigned char *name, unsigned char *iv,
                     EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, bool encrypt);

/* --- tls.c: callbacks of OpenSSL, and the BIO under each connection --- */

BIO_METHOD *tls_bio_new(void);

/* net_tls_connect() with an SSL that is ready but for its BIO; it and the
 * reference to `client` are ours from here on, also when this fails. */
int tls_begin_outgoing(struct net_conn *c, SSL *ssl,
                       struct net_tls_client *client, const BIO_METHOD *bio,
                       void (*on_failed)(void *self, const char *why),
                       void *self);

int tls_on_name(SSL *ssl, int *alert, void *arg);
int tls_on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_n,
                const unsigned char *in, unsigned in_n, void *arg);
int tls_on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv,
                  EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int encrypt);

#endif
