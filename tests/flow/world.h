/*
 * world.h -- the whole server on socketpairs and a clock that a test moves: no
 * port, no waiting, the same result every time.
 *
 *     struct world w;
 *     world_open(&w, &options);
 *     int fd = world_websocket(&w, "EIO=4&transport=websocket");
 *     world_send_text(&w, fd, "40");
 *     CHECK_FRAMES(&w, fd, "T:0{*}|T:40{\"sid\":\"*\"}|"); // * is any text
 *     world_advance(&w, 25000);
 *     world_hang_up(&w, fd);
 *     world_check_empty(&w);
 *     world_close(&w);
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_FLOW_WORLD_H
#define TESTS_FLOW_WORLD_H

#include "src/server/server.h"
#include "tests/unit/test.h"

struct world {
    sio_server *server;
    uint64_t now_ms;
    const char *path;  /* of the endpoint to be tested: "/socket.io/" */
    char log[16384];   /* what the server logged, a line each */
    char got[2 << 20]; /* scratch of the readers below */
    /* Set by bridge.h: how to connect, and what each turn has to move. */
    int (*dial)(struct world *w);
    void (*pump)(struct world *w);
};

/* options NULL: the defaults. False: out of memory. */
bool world_open(struct world *w, const sio_options *options);

/* Free the server. */
void world_close(struct world *w);

/* Let the server do everything that can be done now. */
void world_turn(struct world *w);
/* Move the clock, in steps that no timer notices as one jump. */
void world_advance(struct world *w, uint64_t ms);

/* A new TCP-like connection to the server; -1: it was not taken. */
int world_connect(struct world *w);
/* The same, from that IP, or "unix". world_connect() is from 127.0.0.1. */
int world_connect_from(struct world *w, const char *address);
void world_hang_up(struct world *w, int fd);

/* Write, let the server act, and read what there is to read into w->got as a
 * NUL-terminated text; returns its length, -1 at the end of the stream. */
void world_write(struct world *w, int fd, const void *p, size_t n);
long world_read(struct world *w, int fd);

/* Send this text on a connection of its own and return all that comes back, in
 * w->got; "" when nothing does. The connection is hung up. */
__attribute__((format(printf, 2, 3))) const char *
world_raw(struct world *w, const char *fmt, ...);

/* One request on a connection of its own; the whole response in w->got. The
 * body begins at the returned pointer; *status has the number, -1 when there
 * was no answer. */
const char *world_request(struct world *w, const char *method,
                          const char *target, const char *body, int *status);
const char *world_get(struct world *w, const char *query);
const char *world_post(struct world *w, const char *query, const char *body);
/* A GET that is left waiting. */
int world_poll(struct world *w, const char *sid);
/* Its answer's body; NULL: none yet. */
const char *world_poll_answer(struct world *w, int fd);

/* A polling session; its sid into sid[24]. False: refused. */
bool world_session(struct world *w, char *sid);

/* A WebSocket: handshake done, nothing read behind it. -1: refused (w->got has
 * the answer). */
int world_websocket(struct world *w, const char *query);
/* Also past the OPEN packet, and CONNECTed to "/". */
int world_client(struct world *w);

void world_frame(struct world *w, int fd, unsigned first, const void *p,
                 size_t n);
void world_send_text(struct world *w, int fd, const char *text);
void world_send_binary(struct world *w, int fd, const void *p, size_t n);

/* All frames that have come, as text: "T:...|B:hex|C:1000|pong:..|" and "EOF"
 * at the end of the stream. Good until the next call. */
const char *world_frames(struct world *w, int fd);

/* Does `text` match `pattern`, "*" standing for anything? */
bool world_match(const char *text, const char *pattern);

#define CHECK_MATCH(text, pattern)                                      \
    do {                                                                \
        const char *text_ = (text);                                     \
        CHECK(text_ &&world_match(text_, (pattern)), "got %s, want %s", \
              text_ ? text_ : "nothing", (pattern));                    \
    } while (0)
#define CHECK_FRAMES(w, fd, pattern) \
    CHECK_MATCH(world_frames((w), (fd)), pattern)

/* Bytes of the heap in use; 0 under a sanitizer, whose heap cannot be asked. */
size_t world_memory(void);

/* Every client has left: NULL, or the counter of live things that is not zero.
 */
const char *world_left(struct world *w);

#define world_check_empty(w)                           \
    do {                                               \
        const char *left_ = world_left(w);             \
        CHECK(!left_, "left: %s", left_ ? left_ : ""); \
    } while (0)

#endif
