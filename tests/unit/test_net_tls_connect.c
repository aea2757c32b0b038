/*
 * test_net_tls_connect.c -- TLS of connections that we make, against our own
 * server side: whom it trusts, whom it refuses, and why it says so.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/net/tls.h"
#include "src/net/tls_connect.h"
#include "tests/unit/oom.h"
#include "tests/unit/test.h"
#include "tests/unit/tls_client.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_QUEUED 4000000

/* One side. */
struct side {
    struct net_conn *conn;
    size_t bytes;      /* that came up */
    char last[20];     /* the last of them */
    char failed[300];  /* what TLS said */
    const char *ended; /* NULL: open */
};

static struct net_loop loop;
static struct side server, client;
static sio_tls *tls;

static size_t on_data(void *self, uint8_t *data, size_t len)
{
    struct side *side = self;
    size_t n = len < sizeof side->last ? len : sizeof side->last - 1;

    side->bytes += len;
    memcpy(side->last, data + len - n, n);
    side->last[n] = 0;
    return len;
}

static void on_closed(void *self, enum net_close_reason why)
{
    struct side *side = self;

    side->ended = net_close_reason_text(why);
    side->conn = NULL;
}

static const struct net_conn_ops ops = { .on_data = on_data,
                                         .on_closed = on_closed };

static void on_failed(void *self, const char *why)
{
    struct side *side = self;

    snprintf(side->failed, sizeof side->failed, "%s", why);
}

static uint64_t fake_clock(void *self)
{
    (void)self;
    return 1000;
}

static void begin(bool server_has_tls)
{
    struct net_loop_config config = { .clock = fake_clock };
    struct net_address nobody = { 0 };
    int fds[2];

    server = client = (struct side){ 0 };
    CHECK(net_loop_init(&loop, &config) == SIO_OK, "no loop");
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0,
          "socketpair");
    CHECK(net_conn_open(&loop, fds[0], &nobody, MAX_QUEUED, &ops, &server,
                        &server.conn) == SIO_OK,
          "server");
    CHECK(net_conn_open_outgoing(&loop, fds[1], &nobody, MAX_QUEUED, &ops,
                                 &client, &client.conn) == SIO_OK,
          "client");
    if (server_has_tls)
        CHECK(net_tls_start(server.conn, tls) == SIO_OK, "TLS");
}

static void turns(int n)
{
    while (n-- > 0)
        net_loop_poll(&loop);
}

static void end(struct net_tls_client *with)
{
    if (server.conn)
        net_conn_close(server.conn);
    if (client.conn)
        net_conn_close(client.conn);
    turns(2);
    CHECK(loop.conn_count == 0 && loop.outgoing_count == 0, "connections left");
    CHECK(loop.tls_count == 0, "%zu with TLS left", loop.tls_count);
    net_loop_destroy(&loop);
    net_tls_client_free(with);
}

static struct net_tls_client *client_new(const char *ca, const char *shown,
                                         bool insecure)
{
    struct net_tls_client_options o = { .ca = ca,
                                        .certificate = shown,
                                        .key =
                                            shown ? CERTS "client.key" : NULL,
                                        .insecure = insecure };
    char why[SIO_TLS_WHY] = "";
    struct net_tls_client *c = net_tls_client_new(&o, why, sizeof why);

    CHECK(c != NULL, "%s", why);
    return c;
}

/* A word each way; `want` NULL: it works. */
static void meet(const char *name, struct net_tls_client *with,
                 const char *host, const char *want)
{
    T_CASE("tls: %s", name);
    begin(true);
    CHECK(net_tls_connect(client.conn, with, host, on_failed, &client) ==
              SIO_OK,
          "connect");
    net_conn_append(client.conn, "hello", 5);
    turns(10);
    if (!want) {
        CHECK(strcmp(server.last, "hello") == 0, "'%s'", server.last);
        if (server.conn)
            net_conn_append(server.conn, "world", 5);
        turns(5);
        CHECK(strcmp(client.last, "world") == 0, "'%s'", client.last);
        CHECK(!client.failed[0] && !client.ended, "%s", client.failed);
        CHECK(loop.tls_count == 1, "%zu", loop.tls_count);
    } else {
        CHECK(strcmp(client.failed, want) == 0, "'%s'", client.failed);
        CHECK(client.ended != NULL, "still open");
        CHECK(server.bytes == 0, "%zu bytes in vain", server.bytes);
    }
    end(with);
}

static void test_trust(void)
{
    meet("a certificate of a CA that is trusted",
         client_new(CERTS "root.pem", NULL, false), "localhost", NULL);
    meet("for an IPv4 address", client_new(CERTS "root.pem", NULL, false),
         "127.0.0.1", NULL);
    meet("for an IPv6 address", client_new(CERTS "root.pem", NULL, false),
         "::1", NULL);
    meet("for another host", client_new(CERTS "root.pem", NULL, false),
         "example.com", "certificate verify failed: hostname mismatch");
    meet("for another address", client_new(CERTS "root.pem", NULL, false),
         "192.0.2.1", "certificate verify failed: IP address mismatch");
    meet("of another CA", client_new(CERTS "other-root.pem", NULL, false),
         "localhost",
         "certificate verify failed: unable to get local issuer certificate");
    meet("of none that the system trusts", client_new(NULL, NULL, false),
         "localhost",
         "certificate verify failed: unable to get local issuer certificate");
    meet("of whomever, when that is wanted", client_new(NULL, NULL, true),
         "example.com", NULL);
}

static void test_names(void)
{
    char why[SIO_TLS_WHY] = "";

    CHECK(sio_tls_add_name(tls, "alpha.test", CERTS "alpha.pem",
                           CERTS "alpha.key", NULL, why, sizeof why) == SIO_OK,
          "%s", why);
    meet("the server is told the name (SNI)",
         client_new(CERTS "root.pem", NULL, false), "alpha.test", NULL);
}

static void test_shown(void)
{
    sio_tls_options o;
    sio_tls *before = tls;

    sio_tls_options_init(&o);
    o.certificate = CERTS "server.pem";
    o.key = CERTS "server.key";
    o.ca = CERTS "root.pem";
    o.clients = SIO_TLS_CLIENTS_REQUIRE;
    tls = sio_tls_new(&o, NULL, 0);
    meet("a certificate of our own is shown",
         client_new(CERTS "root.pem", CERTS "client.pem", false), "localhost",
         NULL);

    T_CASE("tls: none is shown where one is required");
    struct net_tls_client *with = client_new(CERTS "root.pem", NULL, false);
    begin(true);
    CHECK(net_tls_connect(client.conn, with, "localhost", on_failed, &client) ==
              SIO_OK,
          "connect");
    turns(10);
    CHECK(client.ended && strstr(client.failed, "certificate required"), "'%s'",
          client.failed);
    end(with);
    sio_tls_free(tls);
    tls = before;
}

/* More than a socket buffer holds. */
static void test_much(void)
{
    struct net_tls_client *with = client_new(CERTS "root.pem", NULL, false);
    static char much[2000000];

    T_CASE("tls: much in both directions, asked for before the handshake");
    begin(true);
    CHECK(net_tls_connect(client.conn, with, "localhost", on_failed, &client) ==
              SIO_OK,
          "connect");
    net_conn_append(client.conn, much, sizeof much);
    net_conn_append(server.conn, much, sizeof much);
    for (int i = 0;
         i < 5000 && (client.bytes < sizeof much || server.bytes < sizeof much);
         i++)
        turns(1);
    CHECK(client.bytes == sizeof much, "%zu", client.bytes);
    CHECK(server.bytes == sizeof much, "%zu", server.bytes);
    end(with);
}

static void test_broken(void)
{
    struct net_tls_client *with = client_new(CERTS "root.pem", NULL, false);

    T_CASE("tls: the server does not speak it");
    begin(false);
    CHECK(net_tls_connect(client.conn, with, "localhost", on_failed, &client) ==
              SIO_OK,
          "connect");
    net_conn_append(server.conn, "-ERR no\r\n", 9);
    turns(5);
    CHECK(strcmp(client.failed, "not TLS") == 0, "'%s'", client.failed);
    CHECK(client.ended != NULL, "still open");
    end(NULL);

    T_CASE("tls: the server leaves in the handshake");
    begin(false);
    CHECK(net_tls_connect(client.conn, with, "localhost", on_failed, &client) ==
              SIO_OK,
          "connect");
    turns(1);
    net_conn_close(server.conn);
    server.conn = NULL;
    turns(3);
    CHECK(client.ended != NULL, "still open");
    end(with);
}

static void test_options(void)
{
    struct net_tls_client_options o = { .ca = "/nonexistent.pem" };
    char why[SIO_TLS_WHY];

    T_CASE("tls: what cannot be read is named");
    CHECK(!net_tls_client_new(&o, why, sizeof why), "made");
    CHECK(strcmp(why, "ca /nonexistent.pem: No such file or directory") == 0,
          "'%s'", why);
    o = (struct net_tls_client_options){ .certificate = CERTS "client.pem",
                                         .key = CERTS "server.key" };
    CHECK(!net_tls_client_new(&o, why, sizeof why), "made");
    CHECK(strcmp(why, "key " CERTS
                      "server.key: does not match the certificate") == 0,
          "'%s'", why);
}

static void test_oom(void)
{
    struct net_tls_client_options o = { .ca = CERTS "root.pem" };
    long n;

    T_CASE("tls: the n-th allocation of the client fails");
    for (n = 0; n < 100000; n++) {
        struct net_tls_client *with;

        oom_arm(n);
        with = net_tls_client_new(&o, NULL, 0);
        net_tls_client_free(with);
        if (!oom_disarm())
            break;
    }
    CHECK(n > 0 && n < 100000, "%ld", n);

    T_CASE("tls: the n-th allocation of a connection fails");
    for (n = 0; n < 100000; n++) {
        struct net_tls_client *with = client_new(CERTS "root.pem", NULL, false);
        bool failed;
        int r;

        begin(true);
        oom_arm(n);
        r = net_tls_connect(client.conn, with, "localhost", on_failed, &client);
        failed = oom_disarm();
        CHECK(r == SIO_OK || (failed && !client.conn->tls), "%ld: %d", n, r);
        end(with);
        if (!failed)
            break;
    }
    CHECK(n > 0 && n < 100000, "%ld", n);
}

int main(void)
{
    sio_tls_options o;

    tls_client_wrap_malloc();
    sio_tls_options_init(&o);
    o.certificate = CERTS "server.pem";
    o.key = CERTS "server.key";
    tls = sio_tls_new(&o, NULL, 0);
    test_trust();
    test_names();
    test_shown();
    test_much();
    test_broken();
    test_options();
    test_oom();
    sio_tls_free(tls);
    return t_done();
}
