/*
 * tls.h -- TLS between a net_conn and its descriptor.
 *
 *   recv into loop->input --> net_tls_received() --> plain text in the same
 *                                                    buffer --> on_data()
 *   queue of the connection --> net_tls_write() --> records --> send
 *
 * Everything that one recv() brought is decrypted at once, so nothing readable
 * ever stays behind in OpenSSL. What the queue holds is gathered into records
 * of up to NET_TLS_RECORD bytes.
 *
 *   tls.c              one connection
 *   tls_certificate.c  the peer's certificate, as data
 *   tls_context.c      <sio/tls.h>: certificates by name, reloading
 *   tls_load.c         from PEM and options to an SSL_CTX
 *   tls_ticket.c       the keys of session tickets
 *   tls_connect.c      connections that we make
 *
 * No other file sees OpenSSL's SSL. Functions of a connection are for its
 * loop's thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_NET_TLS_H
#define SRC_NET_TLS_H

#include <sio/tls.h>

#include "protocol/base/grow.h"
#include "src/net/conn.h"

#define NET_TLS_RECORD                                     \
    16384 /* bytes of plain text in a record, RFC 8446 5.1 \
           */

/* Bytes before the place where records are received: plain text is written
 * from the start of the same buffer, and OpenSSL may hold one record more than
 * was received just now. */
#define NET_TLS_HEADROOM (17u * 1024)

/* Bytes of handshake and alerts that wait for a peer which does not read. */
#define NET_TLS_LATE_MAX (64u * 1024)

/* After a failed handshake: for the peer to read the alert, then close. */
#define NET_TLS_LINGER_MS 2000

/* Bytes of a client's certificate chain. */
#define NET_TLS_CLIENT_CHAIN_MAX (32u * 1024)

struct net_tls;

/* One reference more; sio_tls_free() gives it back. Any thread. */
sio_tls *net_tls_ref(sio_tls *tls);

/* Begin: all further bytes of the connection are TLS. Keeps a reference to
 * `tls`. SIO_OK, or SIO_E_NOMEM and the connection is as it was. */
int net_tls_start(struct net_conn *c, sio_tls *tls);

/* The handshake is not over. */
bool net_tls_handshaking(const struct net_conn *c);

/* It has taken too long: fail the connection. */
void net_tls_timed_out(struct net_conn *c);

/* The peer's certificate: NULL without TLS or when it has shown none. As long
 * as the connection has its owner. */
const sio_certificate *net_tls_certificate(const struct net_conn *c);

/* How many bytes a copy needs, and the copy at `to`, aligned for pointers. */
size_t net_certificate_size(const sio_certificate *certificate);
const sio_certificate *net_certificate_copy(const sio_certificate *certificate,
                                            void *to);

/* --- for conn.c --- */

/* n bytes have been received at loop->input + NET_TLS_HEADROOM. */
void net_tls_received(struct net_conn *c, size_t n);
/* The peer's FIN, or a reset, has come. */
void net_tls_ended(struct net_conn *c);
/* As net_output_write(). */
int net_tls_write(struct net_conn *c);
/* Something waits for the kernel's buffer. */
bool net_tls_wants_write(const struct net_conn *c);
/* Bytes that the kernel has taken, records and all; the low bits. */
uint32_t net_tls_sent(const struct net_conn *c);
/* Everything is written: tell the peer so (close_notify). False: that waits for
 * the kernel's buffer. */
bool net_tls_goodbye(struct net_conn *c);
void net_tls_free(struct net_conn *c);
/* To another connection, of another loop: what net_tls_take() returns (NULL:
 * there is none) goes to net_tls_give(), or to net_tls_drop(). */
struct net_tls *net_tls_take(struct net_conn *c);
void net_tls_give(struct net_conn *c, struct net_tls *tls);
void net_tls_drop(struct net_tls *tls);

#endif
