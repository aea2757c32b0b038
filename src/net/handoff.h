/*
 * handoff.h -- a connection on its way from one loop to another.
 *
 *   loop A: net_conn_detach() --> net_post(B, &handoff.mail)
 *   loop B: net_conn_attach()     or net_handoff_drop()
 *
 * What moves is the descriptor, its TLS, and who the peer is; its place in
 * loop->limits stays taken. Its input is the business of whoever detaches: no
 * byte is left unread in TLS, but what on_data() had not used is his to send
 * along.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_NET_HANDOFF_H
#define SRC_NET_HANDOFF_H

#include "src/net/conn.h"

struct net_handoff {
    struct net_mail mail; /* for whoever posts it */
    int fd;
    struct net_address peer;
    struct net_tls *tls; /* or NULL */
    uint64_t bytes_in, bytes_out;
    struct net_limits *limits; /* that have a place for it; NULL: none */
};

/* May it leave now? Not while output waits, or when it is about to end. */
bool net_conn_may_leave(const struct net_conn *c);

/* Take the connection off its loop, as by net_conn_close(), but leave the
 * descriptor open: it is in *out. Only one that may leave. */
void net_conn_detach(struct net_conn *c, struct net_handoff *out);

/* Go on with it on this loop, as net_conn_open(). SIO_OK; SIO_E_NOMEM,
 * SIO_E_SYS and it is still in *in. */
int net_conn_attach(struct net_loop *loop, struct net_handoff *in,
                    size_t max_queued, const struct net_conn_ops *ops,
                    void *self, struct net_conn **out);

/* Close it. */
void net_handoff_drop(struct net_handoff *in);

#endif
