/*
 * tls_certificate.c -- what programs want to know of a client's certificate, as
 * one block of memory. Connections without one have none of it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/net/tls.h"
#include "src/net/tls_context.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t text_size(const char *text)
{
    return strlen(text) + 1;
}

size_t net_certificate_size(const sio_certificate *certificate)
{
    return sizeof *certificate + text_size(certificate->problem) +
           text_size(certificate->subject) + text_size(certificate->sha256);
}

static const char *copy_text(char **at, const char *text)
{
    char *copy = memcpy(*at, text, text_size(text));

    *at += text_size(text);
    return copy;
}

const sio_certificate *net_certificate_copy(const sio_certificate *certificate,
                                            void *to)
{
    sio_certificate *copy = to;
    char *text = (char *)(copy + 1);

    *copy = *certificate;
    copy->problem = copy_text(&text, certificate->problem);
    copy->subject = copy_text(&text, certificate->subject);
    copy->sha256 = copy_text(&text, certificate->sha256);
    return copy;
}

static bool spell_fingerprint(const X509 *x, char out[65])
{
    unsigned char print[EVP_MAX_MD_SIZE];
    unsigned n;

    if (X509_digest(x, EVP_sha256(), print, &n) != 1)
        return false;
    for (unsigned i = 0; i < n; i++)
        snprintf(out + 2 * i, 3, "%02x", print[i]);
    return true;
}

static bool spell_subject(const X509 *x, char out[SIO_TLS_SUBJECT_MAX + 1])
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;
    long n = -1;

    if (bio && X509_NAME_print_ex(bio, X509_get_subject_name(x), 0,
                                  XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >= 0)
        n = BIO_get_mem_data(bio, &text);
    if (n >= 0 && n <= SIO_TLS_SUBJECT_MAX) {
        if (n)
            memcpy(out, text, (size_t)n);
        out[n] = 0;
    } else {
        n = -1;
    }
    BIO_free(bio);
    return n >= 0;
}

int tls_certificate_of(const SSL *ssl, sio_certificate **out)
{
    const X509 *x = SSL_get0_peer_certificate(ssl);
    long result = SSL_get_verify_result(ssl);
    char subject[SIO_TLS_SUBJECT_MAX + 1], sha256[65];
    sio_certificate found = {
        .verified = result == X509_V_OK,
        .problem =
            result == X509_V_OK ? "" : X509_verify_cert_error_string(result),
        .subject = subject,
        .sha256 = sha256,
    };

    *out = NULL;
    if (!x)
        return SIO_OK;
    if (!spell_subject(x, subject) || !spell_fingerprint(x, sha256))
        return SIO_E_LIMIT;
    *out = malloc(net_certificate_size(&found));
    if (!*out)
        return SIO_E_NOMEM;
    net_certificate_copy(&found, *out);
    return SIO_OK;
}
