/*
 * handshake.c -- see handshake.h.
 *
 * SPDX-License-Identifier: MIT
 */
#define OPENSSL_SUPPRESS_DEPRECATED /* see sha1() */
#include "protocol/websocket/handshake.h"
#include "protocol/base/base64.h"
#include "protocol/base/token.h"

#include <assert.h>
#include <openssl/sha.h>

#define KEY_LEN 24                                  /* 16 bytes as base64 */
#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" /* RFC 6455 1.3 */

/* So many subprotocols may be offered. It bounds what looking for duplicates
 * costs: each byte is compared with that many others at most. */
#define MAX_PROTOCOLS 64

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
           (c >= 'a' && c <= 'z');
}

static bool key_valid(sio_str key)
{
    if (key.n != KEY_LEN || key.p[22] != '=' || key.p[23] != '=')
        return false;
    for (size_t i = 0; i < 22; i++)
        if (!is_alnum(key.p[i]) && key.p[i] != '+' && key.p[i] != '/')
            return false;
    return true;
}

static bool version_valid(sio_str version)
{
    return str_eq(version, STR("13")) || str_eq(version, STR("8"));
}

static bool contains(const sio_str *list, size_t n, sio_str s)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(list[i], s))
            return true;
    return false;
}

/* A list of distinct tokens. *first is untouched when it is malformed. */
static bool parse_protocols(sio_str rest, sio_str *first)
{
    sio_str seen[MAX_PROTOCOLS];
    size_t n = 0;

    do {
        sio_str token = str_trim(str_split(rest, ',', &rest));

        if (n == MAX_PROTOCOLS || !token_valid(token) ||
            contains(seen, n, token))
            return false;
        seen[n++] = token;
    } while (rest.p);
    *first = seen[0];
    return true;
}

enum ws_handshake_result ws_handshake_check(const struct ws_handshake *h,
                                            sio_str *subprotocol)
{
    sio_str first = { NULL, 0 };

    if (!h->is_get)
        return WS_HANDSHAKE_METHOD;
    if (!str_eq_nocase(h->upgrade, STR("websocket")))
        return WS_HANDSHAKE_UPGRADE;
    if (!key_valid(h->key))
        return WS_HANDSHAKE_KEY;
    if (!version_valid(h->version))
        return WS_HANDSHAKE_VERSION;
    if (h->protocol.p && !parse_protocols(h->protocol, &first))
        return WS_HANDSHAKE_PROTOCOL;
    *subprotocol = first;
    return WS_HANDSHAKE_OK;
}

int ws_handshake_status(enum ws_handshake_result r)
{
    static const int statuses[] = {
#define X(name, status, text) [WS_HANDSHAKE_##name] = status,
        WS_HANDSHAKE_RESULTS(X)
#undef X
    };
    return statuses[r];
}

const char *ws_handshake_text(enum ws_handshake_result r)
{
    static const char *const texts[] = {
#define X(name, status, text) [WS_HANDSHAKE_##name] = text,
        WS_HANDSHAKE_RESULTS(X)
#undef X
    };
    return texts[r];
}

/* SHA1() of OpenSSL 3 looks the algorithm up and allocates, each time, for
 * three times the instructions; and it starts all of OpenSSL, which takes 2 MB.
 */
static void sha1(const uint8_t *p, size_t n, uint8_t digest[SHA_DIGEST_LENGTH])
{
#ifdef OPENSSL_NO_DEPRECATED_3_0
    SHA1(p, n, digest);
#else
    SHA_CTX sha;

    SHA1_Init(&sha);
    SHA1_Update(&sha, p, n);
    SHA1_Final(digest, &sha);
#endif
}

void ws_handshake_accept(sio_str key, char accept[WS_ACCEPT_LEN])
{
    uint8_t input[KEY_LEN + sizeof GUID - 1], digest[SHA_DIGEST_LENGTH];

    assert(key.n == KEY_LEN);
    memcpy(input, key.p, KEY_LEN);
    memcpy(input + KEY_LEN, GUID, sizeof GUID - 1);
    sha1(input, sizeof input, digest);
    base64_encode(accept, digest, sizeof digest);
}
