/*
 * test_http_frame.c -- a message as shared frames: each form made once, for
 * each window that is asked for, by whichever thread comes first.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/http/frame.h"
#include "tests/unit/oom.h"
#include "tests/unit/test.h"

#include <pthread.h>
#include <stdlib.h>

static char text[3000];

static void begin(struct http_deflate_shared *shared)
{
    http_deflate_init(shared,
                      &(struct http_deflate_options){
                          .on = true, .level = WS_DEFLATE_DEFAULT_LEVEL });
}

static struct http_deflate agreed(unsigned bits)
{
    struct http_deflate d;

    ws_inflater_init(&d.in, bits, false);
    ws_deflater_init(&d.out, bits, false, WS_DEFLATE_DEFAULT_LEVEL);
    return d;
}

/* Does this frame carry the text, for a window of so many bits? */
static void check_frame(const struct buf *frame, unsigned bits, unsigned first)
{
    struct ws_inflater f;
    struct grow out;
    size_t n = frame->data[1];

    CHECK(frame->data[0] == first, "first byte %02x", frame->data[0]);
    CHECK(n < 126 && frame->len == 2 + n, "%zu of %zu bytes", n, frame->len);
    grow_init(&out, sizeof text);
    ws_inflater_init(&f, bits, false);
    CHECK(ws_inflate(&f, frame->data + 2, n, true, &out) == SIO_OK, "inflate");
    CHECK(out.len == sizeof text && memcmp(out.data, text, sizeof text) == 0,
          "other bytes");
    grow_free(&out);
}

static void test_forms(void)
{
    struct http_deflate_shared shared;
    struct http_frame f;
    struct buf *forms[16];

    T_CASE("frame: the message as it is");
    begin(&shared);
    CHECK(http_frame_init(&f, WS_BINARY, STR("hi")) == SIO_OK, "init");
    CHECK(f.plain->len == 4 && memcmp(f.plain->data, "\x82\x02hi", 4) == 0,
          "other bytes");
    CHECK(str_eq(http_frame_data(&f), STR("hi")), "data");
    http_frame_free(&f);

    T_CASE("frame: deflated once for each window");
    CHECK(http_frame_init(&f, WS_TEXT, (sio_str){ text, sizeof text }) ==
              SIO_OK,
          "init");
    for (int round = 0; round < 3; round++)
        for (unsigned bits = 9; bits <= 15; bits++) {
            struct http_deflate d = agreed(bits);
            struct buf *form = http_frame_deflate(&f, &shared, &d);

            if (round == 0)
                forms[bits] = form;
            CHECK(form == forms[bits], "%u bits: made anew", bits);
            CHECK(!d.out.z, "%u bits: a deflater of its own", bits);
            check_frame(form, bits, 0xc1);
        }
    CHECK(shared.deflate_runs == 7, "%d times", (int)shared.deflate_runs);
    http_frame_free(&f);
    http_deflate_destroy(&shared);
}

static void test_oom(void)
{
    bool failed;
    long n = 0;

    T_CASE("frame: every allocation fails once");
    do {
        struct http_deflate_shared shared;
        struct http_deflate d = agreed(15);
        struct http_frame f;
        struct buf *form = NULL;
        int r;

        begin(&shared);
        oom_arm(n++);
        r = http_frame_init(&f, WS_TEXT, (sio_str){ text, sizeof text });
        if (r == SIO_OK)
            form = http_frame_deflate(&f, &shared, &d);
        failed = oom_disarm();
        CHECK(failed == (r == SIO_E_NOMEM || !form), "%ld: %d", n, r);
        if (r == SIO_OK) {
            form = http_frame_deflate(&f, &shared, &d);
            CHECK(form != NULL, "%ld: nor later", n);
            check_frame(form, 15, 0xc1);
            http_frame_free(&f);
        }
        http_deflate_destroy(&shared);
    } while (failed);
    CHECK(n > 6, "%ld allocations", n - 1);
}

static struct http_frame common;
static atomic_int ready;

static void *ask(void *arg)
{
    struct http_deflate_shared shared;
    struct buf **forms = arg;

    begin(&shared);
    atomic_fetch_add(&ready, 1);
    while (atomic_load(&ready) < 2)
        ;
    for (unsigned bits = 9; bits <= 15; bits++) {
        struct http_deflate d = agreed(bits);

        forms[bits] = http_frame_deflate(&common, &shared, &d);
    }
    http_deflate_destroy(&shared);
    return NULL;
}

static void test_threads(void)
{
    T_CASE("frame: two threads get the same forms");
    for (int round = 0; round < 20; round++) {
        struct buf *a[16] = { NULL }, *b[16] = { NULL };
        pthread_t other;

        CHECK(http_frame_init(&common, WS_TEXT,
                              (sio_str){ text, sizeof text }) == SIO_OK,
              "init");
        atomic_store(&ready, 0);
        CHECK(pthread_create(&other, NULL, ask, a) == 0, "thread");
        ask(b);
        pthread_join(other, NULL);
        for (unsigned bits = 9; bits <= 15; bits++)
            CHECK(a[bits] && a[bits] == b[bits], "%u bits", bits);
        http_frame_free(&common);
    }
}

int main(void)
{
    memset(text, 'x', sizeof text);
    test_forms();
    test_oom();
    test_threads();
    return t_done();
}
