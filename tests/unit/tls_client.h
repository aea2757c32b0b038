/*
 * tls_client.h -- a TLS client for tests, between a descriptor and memory: what
 * leaves it can be handed over in pieces of any size.
 *
 *     struct tls_client c;
 *     tls_client_open(&c, fd, &(struct tls_client_options){ 0 });
 *     while (!tls_client_shake(&c))
 *         the server's turn;
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_UNIT_TLS_CLIENT_H
#define TESTS_UNIT_TLS_CLIENT_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>

/* Made by tests/certs.sh. */
#define CERTS "build/certs/"

struct tls_client_options {
    int min_version, max_version; /* 0: any; TLS1_2_VERSION, ... */
    const char *name;             /* SNI; NULL: none */
    const char *alpn;             /* in wire form; NULL: none */
    const char *certificate;      /* "client": client.pem and client.key */
    SSL_SESSION *session;         /* to be resumed; borrowed */
};

struct tls_client {
    SSL *ssl;
    BIO *in, *out; /* from and to the server */
    int fd;
    bool failed;         /* the handshake has */
    bool reset;          /* the descriptor is broken */
    size_t records;      /* of application data that have come */
    SSL_SESSION *ticket; /* the last one; owned */
};

/* fd stays the caller's. The server's certificate must come from root.pem,
 * unless it is only looked at. */
bool tls_client_open(struct tls_client *c, int fd,
                     const struct tls_client_options *options);
void tls_client_close(struct tls_client *c);

/* Move at most `most` bytes to the server; how many wait to be moved. */
size_t tls_client_flush(struct tls_client *c, size_t most);
/* Take in what the server has sent; false at the end of the stream. */
bool tls_client_fill(struct tls_client *c);

/* One step of the handshake, everything moved; true when it is over, with
 * `failed` when it has failed. */
bool tls_client_shake(struct tls_client *c);
/* The reason of the failure: an alert of the server's, usually. */
const char *tls_client_error(void);

/* CN of the server's certificate; until the next call. */
const char *tls_client_peer(const struct tls_client *c);

/* How the stream stands after a read that gave nothing. */
bool tls_client_saw_goodbye(const struct tls_client *c);

/* Let OpenSSL allocate through the malloc that oom.h makes fail. First thing
 * in main(). */
void tls_client_wrap_malloc(void);

#endif
