/*
 * tls_ticket.c -- session tickets: the keys they are made with, which change,
 * so that one that gets known opens no more than the sessions of two lifetimes.
 *
 * Form and use of a ticket are RFC 5077 4: AES-256-CBC, HMAC-SHA-256. Resuming
 * needs no memory here, and goes on across a reload of the certificates.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/net/tls_context.h"

#include "src/net/random.h"

#include <openssl/core_names.h>
#include <string.h>

int tls_tickets_init(struct tls_tickets *tickets, uint32_t lifetime_s)
{
    int r = net_random(tickets->keys, sizeof tickets->keys);

    tickets->born_ms = 0;
    tickets->lifetime_s = lifetime_s;
    pthread_mutex_init(&tickets->lock, NULL);
    return r;
}

void tls_tickets_destroy(struct tls_tickets *tickets)
{
    OPENSSL_cleanse(tickets->keys, sizeof tickets->keys);
    pthread_mutex_destroy(&tickets->lock);
}

static int make_key(struct tls_tickets *tickets, uint64_t now_ms)
{
    struct tls_ticket_key fresh;

    if (net_random(&fresh, sizeof fresh) < 0)
        return SIO_E_SYS;
    tickets->keys[1] = tickets->keys[0];
    tickets->keys[0] = fresh;
    tickets->born_ms = now_ms;
    OPENSSL_cleanse(&fresh, sizeof fresh);
    return SIO_OK;
}

/* After two lifetimes without any ticket both keys go. */
static int renew(struct tls_tickets *tickets, uint64_t now_ms)
{
    uint64_t lifetime_ms = (uint64_t)tickets->lifetime_s * 1000;
    uint64_t age_ms;
    int r = SIO_OK;

    if (tickets->born_ms == 0)
        tickets->born_ms = now_ms;
    /* The clock of another loop may be a little behind. */
    age_ms = now_ms > tickets->born_ms ? now_ms - tickets->born_ms : 0;
    if (age_ms >= lifetime_ms)
        r = make_key(tickets, now_ms);
    if (r == SIO_OK && age_ms >= 2 * lifetime_ms)
        r = make_key(tickets, now_ms);
    return r;
}

/* Which of the keys has this name, or -1. */
static int find(const struct tls_tickets *tickets, const unsigned char *name)
{
    for (int i = 0; i < 2; i++)
        if (memcmp(tickets->keys[i].name, name, 16) == 0)
            return i;
    return -1;
}

static bool set_keys(struct tls_ticket_key *key, const unsigned char *iv,
                     EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, bool encrypt)
{
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->mac,
                                          sizeof key->mac),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };

    return EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->cipher, iv,
                             encrypt) == 1 &&
           EVP_MAC_CTX_set_params(mac, params) == 1;
}

int tls_ticket_crypt(struct tls_tickets *tickets, uint64_t now_ms,
                     unsigned char *name, unsigned char *iv,
                     EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, bool encrypt)
{
    struct tls_ticket_key key;
    int which = 0, result = -1;

    pthread_mutex_lock(&tickets->lock);
    if (renew(tickets, now_ms) == SIO_OK) {
        if (!encrypt)
            which = find(tickets, name);
        result = which < 0 ? 0 : which + 1; /* 2: valid, but wants renewal */
    }
    if (result > 0)
        key = tickets->keys[which];
    pthread_mutex_unlock(&tickets->lock);
    if (result <= 0)
        return result;
    if (encrypt) {
        memcpy(name, key.name, sizeof key.name);
        if (net_random(iv,
                       (size_t)EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) < 0)
            result = -1;
    }
    if (result > 0 && !set_keys(&key, iv, cipher, mac, encrypt))
        result = -1;
    OPENSSL_cleanse(&key, sizeof key);
    return result;
}
