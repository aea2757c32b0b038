/*
 * codec.c -- TLS and permessage-deflate for sioload. See codec.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "codec.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

static SSL_CTX *context(void)
{
    static SSL_CTX *ctx;

    if (!ctx && (ctx = SSL_CTX_new(TLS_client_method()))) {
        SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
        SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS);
    }
    return ctx;
}

struct ssl_st *codec_tls_new(int fd)
{
    SSL *tls = context() ? SSL_new(context()) : NULL;

    if (tls && SSL_set_fd(tls, fd) == 1) {
        SSL_set_connect_state(tls);
        return tls;
    }
    SSL_free(tls);
    return NULL;
}

void codec_tls_free(struct ssl_st *tls)
{
    SSL_free(tls);
}

int codec_tls_handshake(struct ssl_st *tls)
{
    int r = SSL_do_handshake(tls);

    if (r == 1)
        return 1;
    return SSL_get_error(tls, r) == SSL_ERROR_WANT_READ ? 0 : -1;
}

/* What SSL_read() and SSL_write() say, as read() and write() would. */
static ssize_t as_system_call(SSL *tls, int r)
{
    if (r > 0)
        return r;
    switch (SSL_get_error(tls, r)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        errno = EAGAIN;
        return -1;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    default:
        errno = ECONNRESET;
        return -1;
    }
}

static int fitting(size_t n)
{
    return n > 1 << 30 ? 1 << 30 : (int)n;
}

/* All records that are there, as far as they fit. */
static ssize_t read_tls(SSL *tls, char *to, size_t n)
{
    size_t got = 0;

    while (got < n) {
        int r = SSL_read(tls, to + got, fitting(n - got));
        if (r <= 0)
            return got ? (ssize_t)got : as_system_call(tls, r);
        got += (size_t)r;
    }
    return (ssize_t)got;
}

ssize_t codec_read(struct ssl_st *tls, int fd, void *to, size_t n)
{
    return tls ? read_tls(tls, to, n) : read(fd, to, n);
}

ssize_t codec_write(struct ssl_st *tls, int fd, const void *from, size_t n)
{
    return tls ? as_system_call(tls, SSL_write(tls, from, fitting(n)))
               : write(fd, from, n);
}

/* A buffer that is used again and again. */
struct space {
    Bytef *data;
    size_t size;
};

static bool make_room(struct space *s, size_t n)
{
    if (n <= s->size)
        return true;
    Bytef *more = realloc(s->data, n);
    if (more)
        s->data = more, s->size = n;
    return more != NULL;
}

/* RFC 7692, 7.2.1: what a flush ends with is left out. */
static const Bytef tail[] = { 0, 0, 0xff, 0xff };

const void *codec_deflate(const void *from, size_t n, size_t *out)
{
    static z_stream z;
    static bool ready;
    static struct space space;

    if (!ready && deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -15, 8,
                               Z_DEFAULT_STRATEGY) != Z_OK)
        return NULL;
    ready = true;
    deflateReset(&z);
    if (!make_room(&space, deflateBound(&z, n) + 16))
        return NULL;
    z.next_in = (Bytef *)(size_t)from;
    z.avail_in = (uInt)n;
    z.next_out = space.data;
    z.avail_out = (uInt)space.size;
    if (deflate(&z, Z_SYNC_FLUSH) != Z_OK || z.avail_in || !z.avail_out)
        return NULL;
    *out = space.size - z.avail_out - sizeof tail;
    return space.data;
}

/* Feed n bytes; false when they do not unpack into what room there is. */
static bool unpack(z_stream *z, const void *from, size_t n)
{
    z->next_in = (Bytef *)(size_t)from;
    z->avail_in = (uInt)n;
    int r = inflate(z, Z_SYNC_FLUSH);
    return (r == Z_OK || r == Z_BUF_ERROR) && !z->avail_in;
}

void *codec_inflate(const void *from, size_t n, size_t max, size_t *out)
{
    static z_stream z;
    static bool ready;
    static struct space space;

    if (!ready && inflateInit2(&z, -15) != Z_OK)
        return NULL;
    ready = true;
    inflateReset(&z);
    if (!make_room(&space, max))
        return NULL;
    z.next_out = space.data;
    z.avail_out = (uInt)max;
    if (!unpack(&z, from, n) || !unpack(&z, tail, sizeof tail))
        return NULL;
    *out = max - z.avail_out;
    return space.data;
}
