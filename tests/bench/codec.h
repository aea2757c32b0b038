/*
 * codec.h -- what stands between sioload's bytes and its socket: TLS 1.3, and
 * permessage-deflate without context takeover.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CODEC_H
#define CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct ssl_st;

/* A client's side of TLS on a connected socket; any certificate will do. NULL:
 * out of memory. */
struct ssl_st *codec_tls_new(int fd);
void codec_tls_free(struct ssl_st *tls);

/* 1: done, 0: once more when there is something to read, -1: refused. */
int codec_tls_handshake(struct ssl_st *tls);

/* As read() and write(), by way of `tls` unless that is NULL. */
ssize_t codec_read(struct ssl_st *tls, int fd, void *to, size_t n);
ssize_t codec_write(struct ssl_st *tls, int fd, const void *from, size_t n);

/* One message as permessage-deflate has it. What is returned is good until the
 * next call of the same function; NULL: no such message, or over `max`. */
const void *codec_deflate(const void *from, size_t n, size_t *out);
void *codec_inflate(const void *from, size_t n, size_t max, size_t *out);

#endif /* CODEC_H */
