/*
 * test_deflate_costs.c -- what permessage-deflate costs where no context is
 * kept between messages, counted: one deflated frame for all who get it, one
 * deflater for all who send it, no codec of a connection's own.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sio/sio.h>

#include "tests/flow/world.h"
#include "tests/unit/oom.h"

#define CLIENTS 100
#define NO_CONTEXT "server_no_context_takeover; client_no_context_takeover"

static char text[3000]; /* compresses to about two thirds */

static void begin(struct world *w)
{
    uint32_t seed = 1;
    sio_options o;

    for (size_t i = 0; i < sizeof text - 1; i++)
        text[i] =
            "abcdefghijklmnop"[(seed = seed * 1664525u + 1013904223u) >> 28];
    sio_options_init(&o);
    o.per_message_deflate = true;
    CHECK(world_open(w, &o), "no server");
}

static struct http_deflate_shared *shared_of(struct world *w)
{
    return &w->server->hub.shards->engine.websockets.deflate;
}

static uint64_t runs(struct world *w)
{
    return shared_of(w)->deflate_runs;
}

static void emit(struct world *w, const void *bytes, size_t n, bool compress)
{
    sio_target t = sio_compress(sio_of(w->server, "/"), compress);

    sio_emit(t, "e", bytes ? sio_binary(bytes, n) : sio_stringn(text, n));
    world_turn(w);
}

/* A client that is connected to "/", all read. */
static int join(struct world *w, const char *params)
{
    char head[512];
    int fd = world_connect(w);
    int n = snprintf(head, sizeof head,
                     "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n"
                     "Host: t\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                     "Sec-WebSocket-Version: 13\r\n"
                     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                     "Sec-WebSocket-Extensions: permessage-deflate%s%s\r\n\r\n",
                     *params ? "; " : "", params);

    world_write(w, fd, head, (size_t)n);
    world_read(w, fd);
    CHECK(strstr(w->got, "permessage-deflate"), "%s", w->got);
    world_send_text(w, fd, "40");
    world_read(w, fd);
    return fd;
}

static void leave_all(struct world *w, const int *fds, int n)
{
    while (n)
        world_hang_up(w, fds[--n]);
    world_check_empty(w);
    world_close(w);
}

/* What every client was sent, the same; returns its first byte. */
static uint8_t all_got(struct world *w, const int *fds, int n)
{
    static char first[sizeof text + 100];
    long len = 0;

    for (int i = 0; i < n; i++) {
        long got = world_read(w, fds[i]);

        if (i == 0 && got > 0 && got <= (long)sizeof first) {
            len = got;
            memcpy(first, w->got, (size_t)len);
        }
        CHECK(got > 0 && got == len && memcmp(w->got, first, (size_t)len) == 0,
              "client %d got other %ld bytes", i, got);
    }
    return (uint8_t)first[0];
}

static void test_one_for_all(struct world *w)
{
    int fds[CLIENTS];
    long before = 0, few;
    uint64_t r;

    T_CASE("deflate: a broadcast to %d is deflated once", CLIENTS);
    begin(w);
    fds[0] = join(w, NO_CONTEXT);
    for (int i = 0; i < 5; i++) {
        before = oom_count();
        emit(w, NULL, 2000, true);
        all_got(w, fds, 1);
    }
    few = oom_count() - before;
    for (int i = 1; i < CLIENTS; i++)
        fds[i] = join(w, NO_CONTEXT);
    for (int i = 0; i < 5; i++) {
        r = runs(w);
        before = oom_count();
        emit(w, NULL, 2000, true);
        CHECK(runs(w) - r == 1, "%d times", (int)(runs(w) - r));
        /* but for references in queues, of which few are kept ready */
        CHECK(i < 4 || oom_count() - before <= few + 1,
              "%ld allocations, not %ld", oom_count() - before, few);
        CHECK(all_got(w, fds, CLIENTS) == 0xc1, "not deflated");
    }

    T_CASE("deflate: a broadcast with an attachment: each part once");
    r = runs(w);
    emit(w, text, 2000, true);
    CHECK(runs(w) - r == 1, "%d times", (int)(runs(w) - r));
    CHECK(all_got(w, fds, CLIENTS) == 0x81, "the short text is deflated");

    T_CASE("deflate: one byte below the threshold, or unwanted: never");
    r = runs(w);
    emit(w, NULL, 1024 - 10 - 1, true); /* 42["e",""] around it */
    emit(w, NULL, 2000, false);
    CHECK(runs(w) == r, "deflated");
    CHECK(all_got(w, fds, CLIENTS) == 0x81, "not as it is");
    emit(w, NULL, 1024 - 10, true);
    CHECK(runs(w) == r + 1, "on the threshold: %d", (int)(runs(w) - r));
    CHECK(all_got(w, fds, CLIENTS) == 0xc1, "not deflated");
    leave_all(w, fds, CLIENTS);
}

static void test_windows(struct world *w)
{
    int fds[21];
    uint64_t r;

    T_CASE("deflate: a broadcast is deflated once for each size of window");
    begin(w);
    for (unsigned i = 0; i < COUNT(fds); i++) {
        char params[100];

        snprintf(params, sizeof params,
                 NO_CONTEXT "; server_max_window_bits=%u", 9 + i % 7);
        fds[i] = join(w, params);
    }
    r = runs(w);
    emit(w, NULL, 2500, true);
    CHECK(runs(w) - r == 7, "%d times", (int)(runs(w) - r));
    for (unsigned i = 0; i < 7; i++) {
        int same[] = { fds[i], fds[i + 7], fds[i + 14] };

        CHECK(all_got(w, same, 3) == 0xc1, "not deflated");
    }
    leave_all(w, fds, COUNT(fds));

    T_CASE("deflate: who keeps a context is deflated for alone");
    begin(w);
    fds[0] = join(w, NO_CONTEXT);
    fds[1] = join(w, "");
    fds[2] = join(w, NO_CONTEXT);
    fds[3] = join(w, "");
    r = runs(w);
    emit(w, NULL, 2500, true);
    CHECK(runs(w) - r == 3, "%d times", (int)(runs(w) - r));
    leave_all(w, fds, 4);
}

static void test_idle_memory(struct world *w)
{
    int fds[CLIENTS];
    size_t before, plain, deflating;

    T_CASE("deflate: an idle connection without context costs no codec");
    begin(w);
    fds[0] = join(w, NO_CONTEXT);
    emit(w, NULL, 2000, true);
    world_read(w, fds[0]);
    before = world_memory();
    for (int i = 1; i < CLIENTS; i++)
        fds[i] = join(w, NO_CONTEXT);
    emit(w, NULL, 2000, true);
    all_got(w, fds, CLIENTS);
    deflating = (world_memory() - before) / (CLIENTS - 1);
    leave_all(w, fds, CLIENTS);
    begin(w);
    fds[0] = world_client(w);
    before = world_memory();
    for (int i = 1; i < CLIENTS; i++)
        fds[i] = world_client(w);
    plain = (world_memory() - before) / (CLIENTS - 1);
    CHECK(deflating <= plain + 512, "%zu bytes, plain %zu", deflating, plain);
    printf("# %zu bytes a connection, %zu without the extension\n", deflating,
           plain);
    leave_all(w, fds, CLIENTS);
}

static void on_any(sio_socket *socket, sio_event *event, void *user)
{
    (void)socket;
    (void)event;
    (void)user;
}

static void test_inflating(struct world *w)
{
    struct ws_deflater d;
    struct grow packed;
    int fds[2];
    long before = 0;
    char event[1000];
    int n;

    T_CASE("deflate: a message inflated allocates itself alone");
    begin(w);
    sio_on(sio_of(w->server, "/"), "x", on_any, NULL);
    fds[0] = join(w, NO_CONTEXT);
    fds[1] = join(w, NO_CONTEXT);
    n = snprintf(event, sizeof event, "42[\"x\",\"%.900s\"]", text);
    grow_init(&packed, SIZE_MAX);
    ws_deflater_init(&d, 15, false, WS_DEFLATE_DEFAULT_LEVEL);
    CHECK(ws_deflate(&d, event, (size_t)n, &packed) == SIO_OK, "deflate");
    for (int i = -4; i < 100; i++) {
        if (i == 0)
            before = oom_count();
        world_frame(w, fds[i & 1], 0xc1, packed.data, packed.len);
    }
    CHECK(oom_count() - before == 100, "%ld allocations for 100 messages",
          oom_count() - before);
    CHECK(w->server->hub.shards->events_in == 104, "some are missing");
    CHECK(shared_of(w)->spare.z != NULL, "nothing was handed on");
    ws_deflater_free(&d);
    grow_free(&packed);
    leave_all(w, fds, 2);
}

static void test_oom(struct world *w)
{
    bool failed;
    long n = 0;

    T_CASE("deflate: out of memory, a broadcast goes out as it is, or not");
    do {
        int fds[2];

        begin(w);
        fds[0] = join(w, NO_CONTEXT);
        fds[1] = join(w, NO_CONTEXT);
        oom_arm(n++);
        emit(w, NULL, 2000, true);
        failed = oom_disarm();
        for (int i = 0; i < 2; i++) {
            long got = world_read(w, fds[i]);

            CHECK(failed || (got > 0 && w->got[0] == '\xc1'), "%ld", n);
            CHECK(got <= 0 || w->got[0] == '\xc1' || w->got[0] == '\x81',
                  "%ld: %02x", n, (uint8_t)w->got[0]);
        }
        leave_all(w, fds, 2);
    } while (failed);
    CHECK(n > 8, "%ld allocations", n - 1);
}

int main(void)
{
    static struct world w;

    test_one_for_all(&w);
    test_windows(&w);
    test_idle_memory(&w);
    test_inflating(&w);
    test_oom(&w);
    return t_done();
}
