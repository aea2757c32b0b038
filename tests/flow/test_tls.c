/*
 * test_tls.c -- the whole server over TLS: polling, WebSocket, the upgrade,
 * what programs see of it, and what happens to those who do not speak it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sio/sio.h>

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/flow/bridge.h"

static struct world w;
static sio_tls *tls;
static const struct tls_client_options plain_client;

static void on_echo(sio_socket *socket, sio_event *event, void *user)
{
    (void)user;
    sio_emit(socket, "echo", sio_arg(event, 0));
}

static void on_who(sio_socket *socket, sio_event *event, void *user)
{
    const sio_certificate *c = sio_request_certificate(socket);
    (void)event;
    (void)user;
    sio_emit(socket, "you", sio_bool(sio_request_secure(socket)),
             c ? sio_string(c->subject) : sio_null(),
             c ? sio_bool(c->verified) : sio_null(),
             c ? sio_string(c->problem) : sio_null(),
             c ? sio_int((int64_t)strlen(c->sha256)) : sio_null());
}

static void begin(const sio_options *options, sio_tls_clients clients,
                  const struct tls_client_options *client)
{
    CHECK(world_open(&w, options), "no server");
    sio_on(sio_of(w.server, "/"), "echo", on_echo, NULL);
    sio_on(sio_of(w.server, "/"), "who", on_who, NULL);
    tls = bridge_context(clients);
    bridge_begin(&w, tls, client);
}

static void end(void)
{
    bridge_end(&w);
    sio_tls_free(tls);
    world_check_empty(&w);
    world_close(&w);
}

static bool serves(void)
{
    int fd = world_client(&w);
    bool ok;

    world_send_text(&w, fd, "42[\"echo\",1]");
    ok = fd >= 0 && world_match(world_frames(&w, fd), "T:42[\"echo\",1]|");
    world_hang_up(&w, fd);
    return ok;
}

/* ------------------------------------------------------------ transports -- */

static void test_polling(void)
{
    char sid[24], query[100];
    sio_stats s;
    int poll;

    T_CASE("tls: long-polling");
    begin(NULL, SIO_TLS_CLIENTS_NONE, &plain_client);
    CHECK(world_session(&w, sid), "no session");
    snprintf(query, sizeof query, "EIO=4&transport=polling&sid=%s", sid);
    CHECK_MATCH(world_post(&w, query, "40"), "ok");
    CHECK_MATCH(world_get(&w, query), "40{*}");
    poll = world_poll(&w, sid);
    CHECK_MATCH(world_post(&w, query,
                           "42[\"echo\",\"x\"]\x1e"
                           "42[\"who\"]"),
                "ok");
    CHECK_MATCH(world_poll_answer(&w, poll),
                "42[\"echo\",\"x\"]\x1e"
                "42[\"you\",true,null,null,null,null]");
    sio_get_stats(w.server, &s);
    CHECK(s.tls == 1 && s.connections == 1 && s.tls_handshakes == 5 &&
              s.tls_failures == 0,
          "%zu, %zu, %llu, %llu", s.tls, s.connections,
          (unsigned long long)s.tls_handshakes,
          (unsigned long long)s.tls_failures);
    world_hang_up(&w, poll);
    world_post(&w, query, "1");
    end();
}

static void test_websocket(void)
{
    static char text[1000100], frames[1000200];
    sio_options o;
    int fd;

    T_CASE("tls: WebSocket, and 1 MB through it");
    sio_options_init(&o);
    o.max_http_buffer_size = 2000000;
    begin(&o, SIO_TLS_CLIENTS_NONE, &plain_client);
    fd = world_client(&w);
    CHECK(fd >= 0, "no WebSocket");
    memcpy(text, "42[\"echo\",\"", 11);
    for (int i = 11; i < 1000000; i++)
        text[i] = (char)('a' + i % 23);
    memcpy(text + 1000000, "\"]", 3);
    world_send_text(&w, fd, text);
    snprintf(frames, sizeof frames, "T:%s|", text);
    CHECK(strcmp(world_frames(&w, fd), frames) == 0, "another text");
    CHECK_FRAMES(&w, fd, "");
    world_hang_up(&w, fd);
    end();

    T_CASE("tls: the upgrade");
    begin(NULL, SIO_TLS_CLIENTS_NONE, &plain_client);
    {
        char sid[24], query[100];

        CHECK(world_session(&w, sid), "no session");
        snprintf(query, sizeof query, "EIO=4&transport=polling&sid=%s", sid);
        world_post(&w, query, "40");
        world_get(&w, query);
        snprintf(query, sizeof query, "EIO=4&transport=websocket&sid=%s", sid);
        fd = world_websocket(&w, query);
        world_send_text(&w, fd, "2probe");
        CHECK_FRAMES(&w, fd, "T:3probe|");
        world_send_text(&w, fd, "5");
        world_send_text(&w, fd, "42[\"echo\",1]");
        CHECK_FRAMES(&w, fd, "T:42[\"echo\",1]|");
    }
    world_hang_up(&w, fd);
    end();
}

/* One turn's events leave as one record, and so does a broadcast's. */
static void test_records(void)
{
    int fd;

    T_CASE("tls: what a turn has sent is one record");
    begin(NULL, SIO_TLS_CLIENTS_NONE, &plain_client);
    fd = world_client(&w);
    world_frames(&w, fd);
    bridge_last()->records = 0;
    for (int i = 0; i < 20; i++)
        sio_emit(sio_of(w.server, "/"), "all", sio_int(i));
    CHECK_MATCH(world_frames(&w, fd), "T:42[\"all\",0]|*T:42[\"all\",19]|");
    CHECK(bridge_last()->records == 1, "%zu records", bridge_last()->records);
    world_hang_up(&w, fd);
    end();
}

/* ---------------------------------------------------------- certificates -- */

static void judge(sio_handshake *handshake, void *user)
{
    const sio_certificate *c = sio_handshake_certificate(handshake);

    (void)user;
    if (sio_handshake_secure(handshake) && c && c->verified)
        sio_allow(handshake);
    else
        sio_refuse(handshake, c ? c->problem : "no certificate");
}

static void on_route(sio_http_request *request, void *user)
{
    const sio_certificate *c = sio_http_certificate(request);
    const char *text = c ? c->subject : "nobody";

    (void)user;
    sio_http_respond(request, sio_http_secure(request) ? 200 : 403,
                     "text/plain", text, strlen(text));
}

static void test_certificates(void)
{
    static const struct tls_client_options good = { .certificate = "client" };
    static const struct tls_client_options old = { .certificate = "expired" };
    sio_options o;
    int fd, status;

    T_CASE("tls: a program sees who its client is");
    begin(NULL, SIO_TLS_CLIENTS_REQUEST, &good);
    fd = world_client(&w);
    world_send_text(&w, fd, "42[\"who\"]");
    CHECK_FRAMES(&w, fd,
                 "T:42[\"you\",true,\"O=Test\\\\, Inc.,CN=\xc3\xa4lice\",true,"
                 "\"\",64]|");
    sio_on_request(w.server, "GET", "/who", on_route, NULL);
    CHECK_MATCH(world_request(&w, "GET", "/who", NULL, &status),
                "O=Test\\, Inc.,CN=\xc3\xa4lice");
    world_hang_up(&w, fd);
    end();

    T_CASE("tls: allow_request judges by the certificate");
    sio_options_init(&o);
    o.allow_request = judge;
    begin(&o, SIO_TLS_CLIENTS_REQUEST, &good);
    CHECK(serves(), "not let in");
    bridge_end(&w);
    bridge_begin(&w, tls, &old);
    CHECK_MATCH(world_get(&w, "EIO=4&transport=polling"),
                "{\"code\":4,\"message\":\"certificate has expired\"}");
    bridge_end(&w);
    bridge_begin(&w, tls, &plain_client);
    CHECK_MATCH(world_get(&w, "EIO=4&transport=polling"),
                "{\"code\":4,\"message\":\"no certificate\"}");
    end();

    T_CASE("tls: a client without the certificate that is required");
    begin(NULL, SIO_TLS_CLIENTS_REQUIRE, &plain_client);
    fd = world_client(&w);
    CHECK(fd < 0, "served");
    CHECK_MATCH(w.log, "*TLS handshake of 127.0.0.1 failed: "
                       "peer did not return a certificate\n*");
    bridge_end(&w);
    bridge_begin(&w, tls, &good);
    CHECK(serves(), "the right one is not served");
    world_advance(&w, NET_TLS_LINGER_MS);
    end();
}

static void test_reload(void)
{
    static const struct tls_client_options alpha = { .name = "alpha.test" };
    int fd, other;

    T_CASE("tls: names are added and files read again under open connections");
    begin(NULL, SIO_TLS_CLIENTS_NONE, &alpha);
    fd = world_client(&w);
    CHECK_MATCH(tls_client_peer(bridge_last()), "server");
    CHECK(sio_tls_add_name(tls, "alpha.test", CERTS "alpha.pem",
                           CERTS "alpha.key", NULL, NULL, 0) == SIO_OK,
          "no name");
    CHECK(sio_tls_reload(tls, NULL, 0) == SIO_OK, "no reload");
    other = world_client(&w);
    CHECK_MATCH(tls_client_peer(bridge_last()), "alpha");
    sio_emit(sio_of(w.server, "/"), "all");
    CHECK_FRAMES(&w, fd, "T:42[\"all\"]|");
    CHECK_FRAMES(&w, other, "T:42[\"all\"]|");
    world_hang_up(&w, fd);
    world_hang_up(&w, other);
    end();
}

/* ----------------------------------------------------- those who fail it -- */

static void test_not_tls(void)
{
    char got[100];
    sio_stats s;
    int fd;

    T_CASE("tls: plain HTTP is closed without an answer, as Node does");
    begin(NULL, SIO_TLS_CLIENTS_NONE, &plain_client);
    fd = bridge_raw(&w, tls);
    world_write(&w, fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27);
    CHECK(recv(fd, got, sizeof got, 0) == 0, "answered");
    CHECK_MATCH(w.log, "*TLS handshake of 127.0.0.1 failed: not TLS: an HTTP "
                       "request\n*");
    sio_get_stats(w.server, &s);
    CHECK(s.tls_failures == 1, "not counted");
    CHECK(serves(), "others are not served");
    world_hang_up(&w, fd);
    end();

    T_CASE("tls: a handshake has 10 s");
    begin(NULL, SIO_TLS_CLIENTS_NONE, &plain_client);
    fd = bridge_raw(&w, tls);
    world_write(&w, fd, "\x16\x03\x01\x02\x00\x01", 6);
    world_advance(&w, 9990);
    CHECK(recv(fd, got, sizeof got, 0) < 0 && errno == EAGAIN, "too soon");
    world_advance(&w, 10);
    CHECK(recv(fd, got, sizeof got, 0) == 0, "still open");
    CHECK_MATCH(w.log, "*TLS handshake of 127.0.0.1 failed: timed out\n*");
    world_hang_up(&w, fd);
    end();

    T_CASE("tls: who says nothing has the same 10 s");
    begin(NULL, SIO_TLS_CLIENTS_NONE, &plain_client);
    fd = bridge_raw(&w, tls);
    world_advance(&w, 10000);
    CHECK(recv(fd, got, sizeof got, 0) == 0, "still open");
    world_hang_up(&w, fd);
    end();

    T_CASE("tls: after the handshake, the head has its own time");
    begin(NULL, SIO_TLS_CLIENTS_NONE, &plain_client);
    fd = world_connect(&w);
    world_advance(&w, 69990);
    CHECK(recv(fd, got, sizeof got, MSG_DONTWAIT) < 0 && errno == EAGAIN,
          "too soon");
    world_advance(&w, 20);
    CHECK(world_read(&w, fd) > 0, "no answer");
    CHECK_MATCH(w.got, "HTTP/1.1 408 *");
    world_hang_up(&w, fd);
    world_advance(&w, 5000);
    end();
}

/* The server's own end: close_notify, then FIN. */
static void test_stop(void)
{
    int fd;

    T_CASE("tls: a stopping server says goodbye within TLS");
    begin(NULL, SIO_TLS_CLIENTS_NONE, &plain_client);
    fd = world_client(&w);
    sio_stop(w.server);
    CHECK_FRAMES(&w, fd, "*C*");
    world_frame(&w, fd, 0x88, "\x03\xe8", 2);
    world_turn(&w);
    CHECK(bridge_last() && tls_client_saw_goodbye(bridge_last()),
          "no close_notify");
    world_hang_up(&w, fd);
    end();
}

static void test_memory(void)
{
    size_t before = 0;

    T_CASE("tls: what 30 clients took is given back");
    begin(NULL, SIO_TLS_CLIENTS_REQUEST, &plain_client);
    for (int i = 0; i < 6; i++) {
        int fds[30];

        for (size_t k = 0; k < COUNT(fds); k++)
            fds[k] = world_client(&w);
        for (size_t k = 0; k < COUNT(fds); k++)
            world_hang_up(&w, fds[k]);
        if (i == 2)
            before = world_memory();
    }
    CHECK(world_memory() <= before + 16384, "%zu bytes more",
          world_memory() - before);
    end();
}

int main(void)
{
    test_polling();
    test_websocket();
    test_records();
    test_certificates();
    test_reload();
    test_not_tls();
    test_stop();
    test_memory();
    return t_done();
}
