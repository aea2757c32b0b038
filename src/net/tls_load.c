/*
 * tls_load.c -- from PEM and options to an SSL_CTX: everything that handshakes
 * with one certificate need. What cannot be used is said in plain words.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/net/tls_context.h"

#include "src/net/tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>

/* --------------------------------------------------------------- reasons -- */

static bool is_text(const char *source)
{
    return strstr(source, "-----BEGIN ") != NULL;
}

/* OpenSSL's first reason, which is nearest to the cause. */
static const char *first_reason(void)
{
    unsigned long e = ERR_peek_error();
    const char *text = ERR_SYSTEM_ERROR(e) ? strerror((int)ERR_GET_REASON(e))
                                           : ERR_reason_error_string(e);

    if (ERR_GET_REASON(e) == PEM_R_NO_START_LINE &&
        ERR_GET_LIB(e) == ERR_LIB_PEM)
        return "no PEM of that kind in it";
    return text ? text : "cannot be used";
}

int tls_explain(const struct tls_why *why, const char *what, const char *source,
                const char *problem)
{
    bool file = source && !is_text(source);

    if (!problem)
        problem = first_reason();
    if (why->text)
        snprintf(why->text, why->size, "%s%s%s: %s", what, file ? " " : "",
                 file ? source : "", problem);
    ERR_clear_error();
    return SIO_E_INVAL;
}

/* --------------------------------------------------------------- reading -- */

static BIO *open_pem(const char *source)
{
    return is_text(source) ? BIO_new_mem_buf(source, -1)
                           : BIO_new_file(source, "r");
}

struct password {
    const char *text; /* NULL: none */
    bool missing;     /* one was asked for in vain */
};

/* Without this OpenSSL would ask on the terminal. */
static int give_password(char *out, int size, int writing, void *arg)
{
    struct password *password = arg;
    size_t n = password && password->text ? strlen(password->text) : 0;

    (void)writing;
    if (password && !password->text)
        password->missing = true;
    if (n == 0 || n > (size_t)size)
        return -1;
    memcpy(out, password->text, n);
    return (int)n;
}

/* The next certificate of a file; NULL at its end, with *ok, or on an error. */
static X509 *next_certificate(BIO *bio, bool *ok)
{
    X509 *x = PEM_read_bio_X509(bio, NULL, give_password, NULL);
    unsigned long e = ERR_peek_last_error();

    *ok = x || (ERR_GET_LIB(e) == ERR_LIB_PEM &&
                ERR_GET_REASON(e) == PEM_R_NO_START_LINE);
    if (!x && *ok)
        ERR_clear_error();
    return x;
}

static bool use_chain(SSL_CTX *ctx, BIO *bio)
{
    X509 *x = PEM_read_bio_X509_AUX(bio, NULL, give_password, NULL);
    bool ok = x && SSL_CTX_use_certificate(ctx, x) == 1;

    X509_free(x);
    while (ok && (x = next_certificate(bio, &ok))) {
        ok = SSL_CTX_add0_chain_cert(ctx, x) == 1;
        if (!ok)
            X509_free(x);
    }
    return ok;
}

static bool use_key(SSL_CTX *ctx, BIO *bio, struct password *password)
{
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, give_password, password);
    bool ok = key && SSL_CTX_use_PrivateKey(ctx, key) == 1;

    EVP_PKEY_free(key);
    return ok;
}

/* Trust these, and name them to clients. `digest` takes their fingerprints;
 * NULL: nobody wants them. */
static bool use_ca(SSL_CTX *ctx, BIO *bio, EVP_MD_CTX *digest)
{
    X509_STORE *store = SSL_CTX_get_cert_store(ctx);
    bool ok;
    X509 *x;
    int n = 0;

    while ((x = next_certificate(bio, &ok))) {
        unsigned char print[EVP_MAX_MD_SIZE];
        unsigned size;

        ok = X509_STORE_add_cert(store, x) == 1 &&
             SSL_CTX_add_client_CA(ctx, x) == 1 &&
             (!digest || (X509_digest(x, EVP_sha256(), print, &size) == 1 &&
                          EVP_DigestUpdate(digest, print, size) == 1));
        X509_free(x);
        if (!ok)
            return false;
        n++;
    }
    if (ok && n == 0)
        ERR_raise(ERR_LIB_PEM, PEM_R_NO_START_LINE);
    return ok && n > 0;
}

/* ----------------------------------------------------------------- parts -- */

int tls_use_certificate(SSL_CTX *ctx, const struct tls_source *source,
                        const struct tls_why *why)
{
    const char *key = source->key ? source->key : source->certificate;
    struct password password = { .text = source->password };
    BIO *bio = open_pem(source->certificate);
    bool ok = bio && use_chain(ctx, bio);
    int reason;

    BIO_free(bio);
    if (!ok)
        return tls_explain(why, "certificate", source->certificate, NULL);
    bio = open_pem(key);
    ok = bio && use_key(ctx, bio, &password);
    BIO_free(bio);
    if (ok)
        return SIO_OK;
    reason = ERR_GET_REASON(ERR_peek_error());
    if (password.missing)
        return tls_explain(why, "key", key, "is encrypted: needs its password");
    if (reason == X509_R_KEY_VALUES_MISMATCH)
        return tls_explain(why, "key", key, "does not match the certificate");
    if (reason == ERR_R_UNSUPPORTED)
        return tls_explain(why, "key", key, "no private key in it");
    return tls_explain(why, "key", key, NULL);
}

int tls_use_ca(SSL_CTX *ctx, const char *ca, const struct tls_why *why)
{
    BIO *bio = open_pem(ca);
    bool ok = bio && use_ca(ctx, bio, NULL);

    BIO_free(bio);
    return ok ? SIO_OK : tls_explain(why, "ca", ca, NULL);
}

/* SIO_TLS_CLIENTS_REQUEST: net_tls_certificate() says what is wrong. */
static int accept_any(int ok, X509_STORE_CTX *store)
{
    (void)ok;
    (void)store;
    return 1;
}

/* The session id context: a session may be resumed only where its client's
 * certificate would be judged by the same CAs. */
static int load_ca(SSL_CTX *ctx, const sio_tls_options *o,
                   const struct tls_why *why)
{
    unsigned char id[EVP_MAX_MD_SIZE], mode = (unsigned char)o->clients;
    unsigned size = 0;
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    BIO *bio = o->clients ? open_pem(o->ca) : NULL;
    bool ok = digest && EVP_DigestInit_ex(digest, EVP_sha256(), NULL) == 1 &&
              EVP_DigestUpdate(digest, &mode, 1) == 1 &&
              (!o->clients || (bio && use_ca(ctx, bio, digest))) &&
              EVP_DigestFinal_ex(digest, id, &size) == 1 &&
              SSL_CTX_set_session_id_context(ctx, id, size) == 1;

    BIO_free(bio);
    EVP_MD_CTX_free(digest);
    if (o->clients == SIO_TLS_CLIENTS_REQUEST)
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, accept_any);
    else if (o->clients == SIO_TLS_CLIENTS_REQUIRE)
        SSL_CTX_set_verify(
            ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    return ok ? SIO_OK : tls_explain(why, "ca", o->ca, NULL);
}

static int set_ciphers(SSL_CTX *ctx, const sio_tls_options *o,
                       const struct tls_why *why)
{
    if (o->ciphers && SSL_CTX_set_cipher_list(ctx, o->ciphers) != 1)
        return tls_explain(why, "ciphers", NULL, NULL);
    if (o->ciphersuites && SSL_CTX_set_ciphersuites(ctx, o->ciphersuites) != 1)
        return tls_explain(why, "ciphersuites", NULL, NULL);
    return SIO_OK;
}

static void set_sessions(SSL_CTX *ctx, uint32_t lifetime_s)
{
    /* Tickets keep sessions at the client; there is nothing to store. */
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    if (lifetime_s) {
        SSL_CTX_set_timeout(ctx, (long)lifetime_s);
        SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, tls_on_ticket);
    } else {
        SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
        SSL_CTX_set_num_tickets(ctx, 0);
    }
}

static int configure(SSL_CTX *ctx, const sio_tls *tls,
                     const struct tls_source *source, const struct tls_why *why)
{
    const sio_tls_options *o = &tls->options;
    int r;

    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE |
                                 SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS |
                              SSL_MODE_NO_AUTO_CHAIN);
    SSL_CTX_set_max_cert_list(ctx, NET_TLS_CLIENT_CHAIN_MAX);
    SSL_CTX_set_tlsext_servername_callback(ctx, tls_on_name);
    SSL_CTX_set_alpn_select_cb(ctx, tls_on_alpn, NULL);
    set_sessions(ctx, o->session_lifetime_s);
    if (SSL_CTX_set_min_proto_version(ctx, (int)o->min_version) != 1)
        return tls_explain(why, "min_version", NULL, NULL);
    r = set_ciphers(ctx, o, why);
    if (r == SIO_OK)
        r = load_ca(ctx, o, why);
    if (r == SIO_OK)
        r = tls_use_certificate(ctx, source, why);
    return r;
}

SSL_CTX *tls_load(const sio_tls *tls, const struct tls_source *source,
                  const struct tls_why *why)
{
    SSL_CTX *ctx;

    ERR_clear_error();
    ctx = SSL_CTX_new(TLS_server_method());
    if (!ctx) {
        tls_explain(why, "TLS", NULL, NULL);
        return NULL;
    }
    if (configure(ctx, tls, source, why) < 0) {
        SSL_CTX_free(ctx);
        return NULL;
    }
    return ctx;
}
