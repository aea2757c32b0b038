/*
 * tls_connect.h -- TLS of connections that we make: whom to trust, what to
 * show.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_NET_TLS_CONNECT_H
#define SRC_NET_TLS_CONNECT_H

#include "src/net/conn.h"

/* PEM, or the name of a file with it, as in <sio/tls.h>. */
struct net_tls_client_options {
    const char *ca;           /* NULL: those that the system trusts */
    const char *certificate;  /* NULL: show none */
    const char *key;          /* NULL: it is beside the certificate */
    const char *key_password; /* NULL: it is not encrypted */
    bool insecure;            /* take whatever certificate the server has */
};

struct net_tls_client;

/* NULL: see `why`, of size SIO_TLS_WHY. Blocks while files are read. */
struct net_tls_client *
net_tls_client_new(const struct net_tls_client_options *options, char *why,
                   size_t size);

/* Let go of it: connections keep what they need. NULL is allowed. Any thread.
 */
void net_tls_client_free(struct net_tls_client *client);

/*
 * Begin: all bytes of the connection are TLS. What is appended waits for the
 * handshake. When that fails, or TLS does later, on_failed() says why
 * (possibly from within this call) and on_closed() follows.
 *
 * client     a reference of its own is taken
 * name       a host name, or an IP address: that the certificate must be for;
 *            borrowed until this returns
 * on_failed  may be NULL
 * Returns    SIO_OK, or SIO_E_NOMEM and the connection is as it was
 */
int net_tls_connect(struct net_conn *c, struct net_tls_client *client,
                    const char *name,
                    void (*on_failed)(void *self, const char *why), void *self);

#endif
