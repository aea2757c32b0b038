/*
 * packets.h -- Socket.IO packets in MessagePack for tests, written and told as
 * JSON text: {"type":2,"nsp":"/","data":["a"]}.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_FLOW_PACKETS_H
#define TESTS_FLOW_PACKETS_H

#include "tests/flow/world.h"

/* Send this as a binary message; {"_placeholder":true,"num":0} in it stands for
 * the bytes "ab", 1 for "c". */
void packets_send(struct world *w, int fd, const char *json);

/* The same bytes, into out[0..size); returns how many. */
size_t packets_bytes(const char *json, void *out, size_t size);

/* Bytes given as hex digits. */
void packets_send_hex(struct world *w, int fd, const char *hex);

/* All frames that have come: binary ones as JSON text, each followed by '|',
 * others as world_frames() has them. Good until the next call. */
const char *packets(struct world *w, int fd);

/* A WebSocket past its OPEN packet, CONNECTed to "/". */
int packets_client(struct world *w);

#define CHECK_PACKETS(w, fd, pattern) CHECK_MATCH(packets((w), (fd)), pattern)

#endif
