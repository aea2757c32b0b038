/*
 * test_tls_oom.c -- clients over TLS, each time with another allocation
 * failing, in OpenSSL or here: it may cost a client its connection, never the
 * server its balance.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sio/sio.h>

#include <unistd.h>

#include "tests/flow/bridge.h"
#include "tests/unit/oom.h"

static struct world w;
static sio_tls *tls;
static const struct tls_client_options client = { .certificate = "client" };

static void on_echo(sio_socket *socket, sio_event *event, void *user)
{
    const sio_certificate *c = sio_request_certificate(socket);

    (void)user;
    sio_emit(socket, "echo", sio_arg(event, 0),
             sio_string(c ? c->subject : ""));
}

static bool talk(void)
{
    int fd = world_client(&w);
    bool ok;

    world_send_text(&w, fd, "42[\"echo\",1]");
    ok = fd >= 0 && world_match(world_frames(&w, fd), "T:42[\"echo\",1,*]|");
    if (fd >= 0)
        world_hang_up(&w, fd);
    return ok;
}

static void poll(void)
{
    char sid[24] = "x", query[100];

    world_session(&w, sid);
    snprintf(query, sizeof query, "EIO=4&transport=polling&sid=%s", sid);
    world_post(&w, query,
               "40\x1e"
               "42[\"echo\",1]");
    world_get(&w, query);
}

/* False when no allocation failed. */
static bool run(long n)
{
    bool failed, ok;

    CHECK(world_open(&w, NULL), "no server");
    sio_on(sio_of(w.server, "/"), "echo", on_echo, NULL);
    bridge_begin(&w, tls, &client);
    oom_arm(n);
    ok = talk();
    poll();
    failed = oom_disarm();
    CHECK(ok || failed, "n = %ld: no echo without need", n);
    CHECK(talk(), "n = %ld: a new client is not served", n);
    bridge_end(&w);
    world_advance(&w, 80000); /* who was left without an answer goes, too */
    world_check_empty(&w);
    world_close(&w);
    return failed;
}

int main(void)
{
    long n = 0;

    tls_client_wrap_malloc();
    T_CASE("tls: a story over TLS, allocations fail one after the other");
    tls = bridge_context(SIO_TLS_CLIENTS_REQUEST);
    run(-1);
    while (run(n))
        n += n < 100 ? 1 : 211;
    CHECK(n > 10000, "only %ld allocations", n);
    printf("# about %ld allocations\n", n);
    sio_tls_free(tls);
    return t_done();
}
