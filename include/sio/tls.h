/*
 * tls.h -- TLS for listeners: certificates, names, client certificates.
 *
 *     sio_tls_options t;
 *     char why[SIO_TLS_WHY];
 *
 *     sio_tls_options_init(&t);
 *     t.certificate = "fullchain.pem";
 *     t.key = "privkey.pem";
 *     sio_listen_options l;
 *     sio_listen_options_init(&l);
 *     l.tls = sio_tls_new(&t, why, sizeof why);
 *     if (!l.tls)
 *         fprintf(stderr, "%s\n", why);
 *     ...
 *     sio_listen(server, "0.0.0.0:443", &l);
 *
 * Where a certificate, a key or a CA is asked for, the text is the name of a
 * PEM file or, when it contains "-----BEGIN ", the PEM itself.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SIO_TLS_H
#define SIO_TLS_H

#include <sio/types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sio_tls sio_tls;

/* Certificates of clients: of https.createServer() in Node, NONE is
 * requestCert false, REQUIRE is requestCert true; REQUEST is that with
 * rejectUnauthorized false. */
typedef enum sio_tls_clients {
    SIO_TLS_CLIENTS_NONE,    /* not asked for */
    SIO_TLS_CLIENTS_REQUEST, /* asked for; whoever shows none, or one that does
                                not hold, is let in all the same */
    SIO_TLS_CLIENTS_REQUIRE  /* no handshake without one that holds */
} sio_tls_clients;

typedef enum sio_tls_version {
    SIO_TLS_1_2 = 0x0303,
    SIO_TLS_1_3 = 0x0304
} sio_tls_version;

/* Strings are copied by sio_tls_new(). */
typedef struct sio_tls_options {
    size_t size; /* sizeof(sio_tls_options) in the caller's build */

    const char *certificate;  /* the server's own first, then intermediates */
    const char *key;          /* NULL: it is beside the certificate */
    const char *key_password; /* NULL: the key is not encrypted */

    const char *ca; /* NULL; the CAs that clients' certificates come from */
    sio_tls_clients clients; /* SIO_TLS_CLIENTS_NONE; else `ca` is needed */

    sio_tls_version min_version; /* SIO_TLS_1_2 */
    const char *ciphers;         /* of TLS 1.2; NULL: OpenSSL's */
    const char *ciphersuites;    /* of TLS 1.3; NULL: OpenSSL's */
    uint32_t session_lifetime_s; /* 7200: a session can be resumed so long;
                                    0: never */
} sio_tls_options;

/* Fill *options with the defaults; the macro records the caller's build. */
SIO_API void sio_tls_options_init_sized(sio_tls_options *options, size_t size);
#define sio_tls_options_init(options) \
    sio_tls_options_init_sized((options), sizeof *(options))

#define SIO_TLS_WHY 256 /* bytes: room for every message, with its NUL */

/*
 * Read certificate and key.
 *
 * why      gets what is wrong, of at most size - 1 bytes and a NUL: "key
 *          /etc/x.pem: key values mismatch". NULL: nobody wants to know.
 * Returns  NULL when something cannot be used, or out of memory.
 * Thread   any. Blocks while files are read.
 */
SIO_API sio_tls *sio_tls_new(const sio_tls_options *options, char *why,
                             size_t size);

/*
 * A certificate for clients that ask for this host (SNI, RFC 6066 3): one name
 * "chat.example.com", or all of a level "*.example.com". An exact name goes
 * before a wildcard, and who asks for no name, or another one, gets the
 * certificate of sio_tls_new(). Adding a name again replaces its certificate.
 *
 * Returns  SIO_OK; SIO_E_INVAL (see `why`) or SIO_E_NOMEM: nothing was changed.
 * Thread   any; holds for handshakes that begin afterwards.
 */
SIO_API int sio_tls_add_name(sio_tls *tls, const char *name,
                             const char *certificate, const char *key,
                             const char *key_password, char *why, size_t size);

/*
 * Read all files again, for handshakes that begin afterwards. Open connections
 * go on, and sessions can still be resumed unless the CAs of clients have
 * changed. If anything is wrong with any of the files, all stays as it was.
 *
 * Returns  SIO_OK; SIO_E_INVAL (see `why`) or SIO_E_NOMEM.
 * Thread   any, but not a signal handler. Blocks while files are read.
 */
SIO_API int sio_tls_reload(sio_tls *tls, char *why, size_t size);

/* Let go of it: listeners and connections keep what they need. NULL is allowed.
 * Any thread. */
SIO_API void sio_tls_free(sio_tls *tls);

#define SIO_TLS_SUBJECT_MAX 1024 /* bytes: clients of more are turned away */

/* The certificate that a client has shown. */
typedef struct sio_certificate {
    bool verified;       /* comes from `ca`, is in time, is meant for clients */
    const char *problem; /* why not: "certificate has expired"; else "" */
    const char *subject; /* RFC 2253, UTF-8: "CN=alice,O=Example" */
    const char *sha256;  /* fingerprint: 64 hexadecimal digits, lower case */
} sio_certificate;

#ifdef __cplusplus
}
#endif

#endif /* SIO_TLS_H */
