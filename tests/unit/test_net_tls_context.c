/*
 * test_net_tls_context.c -- <sio/tls.h>: what is refused and how it is said,
 * names, reloading, clients' certificates, versions, ALPN, resumption.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/net/tls.h"
#include "tests/unit/oom.h"
#include "tests/unit/test.h"
#include "tests/unit/tls_client.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static uint64_t now = 1000;
static struct net_loop loop;
static char failures[300], why[SIO_TLS_WHY];

static uint64_t fake_clock(void *self)
{
    (void)self;
    return now;
}

static size_t on_data(void *self, uint8_t *data, size_t len)
{
    (void)self;
    (void)data;
    return len;
}

static void on_closed(void *self, enum net_close_reason reason)
{
    (void)reason;
    *(struct net_conn **)self = NULL;
}

static const struct net_conn_ops ops = { .on_data = on_data,
                                         .on_closed = on_closed };

static void on_failed(void *self, const struct net_address *address,
                      bool handshake, const char *text)
{
    (void)self;
    (void)address;
    (void)handshake;
    snprintf(failures, sizeof failures, "%s", text);
}

/* ------------------------------------------------------------ handshakes -- */

static struct net_conn *conn; /* NULL once it has ended */
static struct tls_client client;

/* With TLS 1.3 the client is through before the server has judged it. */
static bool shake(const sio_tls *tls, const struct tls_client_options *options)
{
    static const struct net_address nobody;
    bool done = false;
    int fds[2];
    char c;

    failures[0] = 0;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) < 0 ||
        !tls_client_open(&client, fds[1], options) ||
        net_conn_open(&loop, fds[0], &nobody, 1000000, &ops, &conn, &conn) <
            0 ||
        net_tls_start(conn, (sio_tls *)(uintptr_t)tls) < 0)
        return false;
    for (int i = 0; i < 20; i++) {
        done = done || tls_client_shake(&client);
        net_loop_poll(&loop);
    }
    tls_client_fill(&client);
    if (!client.failed)
        SSL_peek(client.ssl, &c, 1);
    return done && !client.failed && conn && !net_tls_handshaking(conn);
}

static void leave(void)
{
    int fd = client.fd;

    if (conn)
        net_conn_close(conn);
    tls_client_close(&client);
    if (fd >= 0)
        close(fd);
    now += NET_TLS_LINGER_MS;
    net_loop_poll(&loop);
    net_loop_poll(&loop);
    CHECK(loop.conn_count == 0 && loop.tls_count == 0, "left: %zu, %zu",
          loop.conn_count, loop.tls_count);
}

/* Whose certificate is shown to a client that asks for `name`? */
static const char *shown_to(const sio_tls *tls, const char *name)
{
    static char shown[100];
    struct tls_client_options o = { .name = name };

    snprintf(shown, sizeof shown, "%s",
             shake(tls, &o) ? tls_client_peer(&client) : "none");
    leave();
    return shown;
}

static void check_shown(const sio_tls *tls, const char *name, const char *want)
{
    const char *shown = shown_to(tls, name);

    CHECK(strcmp(shown, want) == 0, "%s, not %s", shown, want);
}

static sio_tls_options defaults(void)
{
    sio_tls_options o;

    sio_tls_options_init(&o);
    o.certificate = CERTS "server.pem";
    o.key = CERTS "server.key";
    return o;
}

static sio_tls *context(const sio_tls_options *o)
{
    sio_tls *tls = sio_tls_new(o, why, sizeof why);

    CHECK(tls, "no context: %s", why);
    return tls;
}

/* --------------------------------------------------------------- options -- */

static void test_refused(void)
{
    static const struct {
        const char *name;
        sio_tls_options o;
        const char *why;
    } rows[] = {
        { "no certificate", { 0 }, "certificate: is needed" },
        { "no such file",
          { .certificate = "nowhere.pem" },
          "certificate nowhere.pem: No such file or directory" },
        { "no such key",
          { .certificate = CERTS "server.pem", .key = "nowhere.key" },
          "key nowhere.key: No such file or directory" },
        { "a key for a certificate",
          { .certificate = CERTS "server.key" },
          "certificate build/certs/server.key: no PEM of that kind in it" },
        { "no key in the certificate's file",
          { .certificate = CERTS "server.pem" },
          "key build/certs/server.pem: no private key in it" },
        { "the key of another",
          { .certificate = CERTS "server.pem", .key = CERTS "alpha.key" },
          "key build/certs/alpha.key: does not match the certificate" },
        { "a locked key",
          { .certificate = CERTS "server.pem",
            .key = CERTS "server-locked.key" },
          "key build/certs/server-locked.key: is encrypted: needs its "
          "password" },
        { "a locked key, wrong password",
          { .certificate = CERTS "server.pem",
            .key = CERTS "server-locked.key",
            .key_password = "sesame" },
          "key build/certs/server-locked.key: bad decrypt" },
        { "broken PEM",
          { .certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n"
                           "-----END CERTIFICATE-----\n" },
          "certificate: *" },
        { "clients without a CA",
          { .certificate = CERTS "server.pem",
            .key = CERTS "server.key",
            .clients = SIO_TLS_CLIENTS_REQUEST },
          "ca: is needed to judge clients' certificates" },
        { "an empty CA",
          { .certificate = CERTS "server.pem",
            .key = CERTS "server.key",
            .ca = CERTS "server.key",
            .clients = SIO_TLS_CLIENTS_REQUIRE },
          "ca build/certs/server.key: no PEM of that kind in it" },
        { "no such version",
          { .certificate = CERTS "server.pem",
            .key = CERTS "server.key",
            .min_version = (sio_tls_version)1 },
          "min_version: no such value" },
        { "no such cipher",
          { .certificate = CERTS "server.pem",
            .key = CERTS "server.key",
            .ciphers = "ROT13" },
          "ciphers: no cipher match" },
        { "no such suite",
          { .certificate = CERTS "server.pem",
            .key = CERTS "server.key",
            .ciphersuites = "TLS_ROT13" },
          "ciphersuites: no cipher match" },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        sio_tls_options o = rows[i].o;
        size_t n = strlen(rows[i].why);

        T_CASE("tls: refused: %s", rows[i].name);
        o.size = sizeof o;
        if (!o.min_version)
            o.min_version = SIO_TLS_1_2;
        why[0] = 0;
        CHECK(!sio_tls_new(&o, why, sizeof why), "accepted");
        CHECK(strncmp(why, rows[i].why,
                      rows[i].why[n - 1] == '*' ? n - 1 : n + 1) == 0,
              "%s", why);
        CHECK(!sio_tls_new(&o, NULL, 0), "accepted");
        CHECK(!sio_tls_new(&o, why, 8) && strlen(why) == 7, "'%s'", why);
    }
}

static char *slurp(const char *path)
{
    static char text[2][20000];
    static int next;
    char *into = text[next++ % 2];
    FILE *f = fopen(path, "r");
    size_t n = f ? fread(into, 1, sizeof text[0] - 1, f) : 0;

    if (f)
        fclose(f);
    into[n] = 0;
    return into;
}

static void test_sources(void)
{
    sio_tls_options o = defaults();
    sio_tls *tls;

    T_CASE("tls: certificate and key as text");
    o.certificate = slurp(CERTS "server.pem");
    o.key = slurp(CERTS "server.key");
    tls = context(&o);
    memset((char *)(uintptr_t)o.key, 'x', 100); /* was copied */
    check_shown(tls, NULL, "server");
    CHECK(sio_tls_reload(tls, why, sizeof why) == SIO_OK, "%s", why);
    check_shown(tls, NULL, "server");
    sio_tls_free(tls);

    T_CASE("tls: a locked key and its password");
    o = defaults();
    o.key = CERTS "server-locked.key";
    o.key_password = "open sesame";
    tls = context(&o);
    check_shown(tls, NULL, "server");
    sio_tls_free(tls);

    T_CASE("tls: both in one file; the client does not trust it");
    o = defaults();
    o.certificate = CERTS "self.pem";
    o.key = NULL;
    tls = context(&o);
    check_shown(tls, NULL, "none");
    CHECK(strstr(failures, "unknown ca"), "%s", failures);
    sio_tls_free(tls);
    sio_tls_free(NULL);
}

/* ----------------------------------------------------------------- names -- */

static void test_names(void)
{
    static const struct {
        const char *name, *shown;
    } rows[] = {
        { NULL, "server" },           { "localhost", "server" },
        { "alpha.test", "alpha" },    { "ALPHA.Test", "alpha" },
        { "x.alpha.test", "server" }, { "x.beta.test", "wild" },
        { "beta.test", "server" },    { "x.y.beta.test", "server" },
        { "y.beta.test", "renewed" }, { "alpha.tes", "server" },
    };
    sio_tls_options o = defaults();
    sio_tls *tls = context(&o);

#define ADD(name, cert)                                                     \
    sio_tls_add_name(tls, name, CERTS cert ".pem", CERTS cert ".key", NULL, \
                     why, sizeof why)
    for (size_t i = 0; i < COUNT(rows); i++) {
        T_CASE("tls: asked for %s", rows[i].name ? rows[i].name : "no name");
        if (i == 0) {
            CHECK(ADD("*.beta.test", "wild") == SIO_OK, "%s", why);
            CHECK(ADD("alpha.test", "alpha") == SIO_OK, "%s", why);
            CHECK(ADD("y.beta.test", "renewed") == SIO_OK, "%s", why);
        }
        check_shown(tls, rows[i].name, rows[i].shown);
    }

    T_CASE("tls: names that are none");
    CHECK(ADD("", "wild") == SIO_E_INVAL, "empty");
    CHECK(ADD("*", "wild") == SIO_E_INVAL, "*");
    CHECK(ADD("*.", "wild") == SIO_E_INVAL, "*.");
    CHECK(ADD("*x.test", "wild") == SIO_E_INVAL, "*x");
    CHECK(ADD("x.*.test", "wild") == SIO_E_INVAL, "x.*");
    CHECK(strstr(why, "name: must be"), "%s", why);

    T_CASE("tls: a name that is added again");
    CHECK(ADD("ALPHA.test", "renewed") == SIO_OK, "%s", why);
    check_shown(tls, "alpha.test", "renewed");
    CHECK(sio_tls_reload(tls, why, sizeof why) == SIO_OK, "%s", why);
    check_shown(tls, "alpha.test", "renewed");
    check_shown(tls, "x.beta.test", "wild");

    T_CASE("tls: a name whose files are no good changes nothing");
    CHECK(sio_tls_add_name(tls, "alpha.test", CERTS "alpha.pem",
                           CERTS "wild.key", NULL, why,
                           sizeof why) == SIO_E_INVAL,
          "added");
    CHECK(strstr(why, "does not match"), "%s", why);
    check_shown(tls, "alpha.test", "renewed");
    sio_tls_free(tls);
}

/* ---------------------------------------------------------------- reload -- */

static void copy(const char *from, const char *to)
{
    FILE *f = fopen(to, "w");
    const char *text = slurp(from);

    CHECK(f && fwrite(text, 1, strlen(text), f) == strlen(text),
          "cannot write");
    if (f)
        fclose(f);
}

static void test_reload(void)
{
    char dir[] = "/tmp/libsio-tls-XXXXXX", pem[64], key[64];
    sio_tls_options o = defaults();
    struct tls_client before;
    struct net_conn *open;
    sio_tls *tls;

    T_CASE("tls: a reload under open connections");
    CHECK(mkdtemp(dir) != NULL, "mkdtemp");
    snprintf(pem, sizeof pem, "%s/pem", dir);
    snprintf(key, sizeof key, "%s/key", dir);
    copy(CERTS "server.pem", pem);
    copy(CERTS "server.key", key);
    o.certificate = pem;
    o.key = key;
    tls = context(&o);
    CHECK(sio_tls_add_name(tls, "alpha.test", CERTS "alpha.pem",
                           CERTS "alpha.key", NULL, NULL, 0) == SIO_OK,
          "no name");
    CHECK(shake(tls, &(struct tls_client_options){ 0 }), "no handshake");
    before = client;
    SSL_set_app_data(before.ssl, &before);
    SSL_set_msg_callback_arg(before.ssl, &before);
    open = conn;
    copy(CERTS "renewed.pem", pem);
    CHECK(sio_tls_reload(tls, why, sizeof why) == SIO_E_INVAL, "took half");
    CHECK(strstr(why, "does not match"), "%s", why);
    copy(CERTS "renewed.key", key);
    CHECK(sio_tls_reload(tls, why, sizeof why) == SIO_OK, "%s", why);

    T_CASE("tls: connections from before the reload go on");
    net_conn_append(open, "still", 5);
    net_loop_poll(&loop);
    tls_client_fill(&before);
    CHECK(SSL_read(before.ssl, why, sizeof why) == 5, "nothing came");
    client = before;
    conn = open;
    leave();

    T_CASE("tls: those after it get the new certificate");
    check_shown(tls, NULL, "renewed");
    check_shown(tls, "alpha.test", "alpha");

    T_CASE("tls: all or nothing: one bad file of several");
    copy(CERTS "server.pem", pem);
    copy(CERTS "server.key", key);
    CHECK(sio_tls_add_name(tls, "x.test", key, key, NULL, why, sizeof why) ==
              SIO_E_INVAL,
          "added");
    copy(CERTS "self.pem", pem);
    copy(CERTS "self.pem", key);
    CHECK(sio_tls_add_name(tls, "x.test", pem, NULL, NULL, why, sizeof why) ==
              SIO_OK,
          "%s", why);
    unlink(pem);
    copy(CERTS "server.key", key);
    CHECK(sio_tls_reload(tls, why, sizeof why) == SIO_E_INVAL, "reloaded");
    check_shown(tls, NULL, "renewed");
    check_shown(tls, "alpha.test", "alpha");

    T_CASE("tls: freed while a connection lives");
    CHECK(shake(tls, &(struct tls_client_options){ 0 }), "no handshake");
    sio_tls_free(tls);
    net_conn_append(conn, "still", 5);
    net_loop_poll(&loop);
    tls_client_fill(&client);
    CHECK(SSL_read(client.ssl, why, sizeof why) == 5, "nothing came");
    leave();
    unlink(key);
    rmdir(dir);
}

/* ----------------------------------------------------------- the clients -- */

static void test_clients(void)
{
    static const struct {
        sio_tls_clients mode;
        const char *client;  /* its certificate; NULL: none */
        const char *refused; /* NULL: let in */
        const char *subject; /* "-": none seen */
        const char *problem;
    } rows[] = {
        { SIO_TLS_CLIENTS_NONE, NULL, NULL, "-", "" },
        { SIO_TLS_CLIENTS_NONE, "client", NULL, "-", "" },
        { SIO_TLS_CLIENTS_REQUEST, NULL, NULL, "-", "" },
        { SIO_TLS_CLIENTS_REQUEST, "client", NULL,
          "O=Test\\, Inc.,CN=\xc3\xa4lice", "" },
        { SIO_TLS_CLIENTS_REQUEST, "expired", NULL, "CN=expired",
          "certificate has expired" },
        { SIO_TLS_CLIENTS_REQUEST, "stranger", NULL, "CN=stranger",
          "unable to verify the first certificate" },
        { SIO_TLS_CLIENTS_REQUIRE, NULL, "peer did not return a certificate",
          "-", "" },
        { SIO_TLS_CLIENTS_REQUIRE, "client", NULL, NULL, "" },
        { SIO_TLS_CLIENTS_REQUIRE, "expired",
          "certificate verify failed: certificate has expired", "-", "" },
        { SIO_TLS_CLIENTS_REQUIRE, "stranger",
          "certificate verify failed: unable to get local issuer certificate",
          "-", "" },
        /* A server's certificate is none for a client. */
        { SIO_TLS_CLIENTS_REQUIRE, "alpha", "certificate verify failed: *", "-",
          "" },
    };
    static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
    static const char *const modes[] = { "none", "requested", "required" };

    for (size_t i = 0; i < COUNT(rows) * 2; i++) {
        const char *subject = rows[i / 2].subject;
        struct tls_client_options co = { versions[i % 2],
                                         versions[i % 2],
                                         NULL,
                                         NULL,
                                         rows[i / 2].client,
                                         NULL };
        sio_tls_options o = defaults();
        const sio_certificate *seen;
        sio_tls *tls;
        bool ok;

        T_CASE("tls: clients' certificates %s, shown: %s (%s)",
               modes[rows[i / 2].mode],
               rows[i / 2].client ? rows[i / 2].client : "none",
               i % 2 ? "1.3" : "1.2");
        o.clients = rows[i / 2].mode;
        o.ca = CERTS "root.pem";
        tls = context(&o);
        ok = shake(tls, &co);
        CHECK(ok == !rows[i / 2].refused, "%s", failures);
        if (rows[i / 2].refused) {
            size_t n = strcspn(rows[i / 2].refused, "*");

            CHECK(strncmp(failures, rows[i / 2].refused, n) == 0, "%s",
                  failures);
            CHECK(strstr(tls_client_error(), "alert"), "client: %s",
                  tls_client_error());
        }
        seen = ok ? net_tls_certificate(conn) : NULL;
        if (subject && subject[0] == '-') {
            CHECK(!seen, "seen: %s", seen->subject);
        } else {
            CHECK(seen, "not seen");
            if (seen && subject)
                CHECK(strcmp(seen->subject, subject) == 0, "%s", seen->subject);
            if (seen)
                CHECK(seen->verified == !rows[i / 2].problem[0] &&
                          strcmp(seen->problem, rows[i / 2].problem) == 0 &&
                          strlen(seen->sha256) == 64,
                      "%d %s %s", seen->verified, seen->problem, seen->sha256);
        }
        leave();
        sio_tls_free(tls);
    }
}

/* ----------------------------------------------------- versions and ALPN -- */

static void test_negotiation(void)
{
    static const struct {
        const char *name;
        sio_tls_version min;
        const char *ciphers, *suites;
        struct tls_client_options client;
        const char *refused; /* NULL: let in */
        const char *cipher;
        const char *alpn;
    } rows[] = {
        { "1.1 is too old",
          SIO_TLS_1_2,
          NULL,
          NULL,
          { .min_version = TLS1_1_VERSION, .max_version = TLS1_1_VERSION },
          "unsupported protocol",
          NULL,
          NULL },
        { "1.2, when 1.3 is asked for",
          SIO_TLS_1_3,
          NULL,
          NULL,
          { .max_version = TLS1_2_VERSION },
          "unsupported protocol",
          NULL,
          NULL },
        { "1.3, when it is asked for",
          SIO_TLS_1_3,
          NULL,
          NULL,
          { 0 },
          NULL,
          NULL,
          "" },
        { "a cipher of 1.2",
          SIO_TLS_1_2,
          "ECDHE-ECDSA-AES128-GCM-SHA256",
          NULL,
          { .max_version = TLS1_2_VERSION },
          NULL,
          "ECDHE-ECDSA-AES128-GCM-SHA256",
          "" },
        { "a suite of 1.3",
          SIO_TLS_1_2,
          NULL,
          "TLS_AES_128_GCM_SHA256",
          { 0 },
          NULL,
          "TLS_AES_128_GCM_SHA256",
          "" },
        { "no ALPN", SIO_TLS_1_2, NULL, NULL, { 0 }, NULL, NULL, "" },
        { "ALPN http/1.1",
          SIO_TLS_1_2,
          NULL,
          NULL,
          { .alpn = "\x08http/1.1" },
          NULL,
          NULL,
          "http/1.1" },
        { "ALPN h2, http/1.1",
          SIO_TLS_1_2,
          NULL,
          NULL,
          { .alpn = "\x02h2\x08http/1.1" },
          NULL,
          NULL,
          "http/1.1" },
        { "ALPN h2 only",
          SIO_TLS_1_2,
          NULL,
          NULL,
          { .alpn = "\x02h2" },
          "no application protocol",
          NULL,
          NULL },
        { "ALPN http/1.0",
          SIO_TLS_1_2,
          NULL,
          NULL,
          { .alpn = "\x08http/1.0" },
          "no application protocol",
          NULL,
          NULL },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        sio_tls_options o = defaults();
        sio_tls *tls;
        bool ok;

        T_CASE("tls: %s", rows[i].name);
        o.min_version = rows[i].min;
        o.ciphers = rows[i].ciphers;
        o.ciphersuites = rows[i].suites;
        tls = context(&o);
        ok = shake(tls, &rows[i].client);
        CHECK(ok == !rows[i].refused, "%s", failures);
        if (rows[i].refused)
            CHECK(strstr(failures, rows[i].refused), "%s", failures);
        if (ok && rows[i].cipher)
            CHECK(strcmp(SSL_get_cipher(client.ssl), rows[i].cipher) == 0, "%s",
                  SSL_get_cipher(client.ssl));
        if (ok) {
            const unsigned char *p;
            unsigned n;

            SSL_get0_alpn_selected(client.ssl, &p, &n);
            CHECK(n == strlen(rows[i].alpn) &&
                      (n == 0 || memcmp(p, rows[i].alpn, n) == 0),
                  "%.*s", (int)n, (const char *)p);
        }
        leave();
        sio_tls_free(tls);
    }
}

/* ------------------------------------------------------------ resumption -- */

/* A ticket of a new session; owned. NULL: none came. */
static SSL_SESSION *ticket_from(const sio_tls *tls,
                                struct tls_client_options *o)
{
    SSL_SESSION *ticket;

    CHECK(shake(tls, o), "no handshake: %s", failures);
    CHECK(!SSL_session_reused(client.ssl), "resumed what?");
    ticket = client.ticket;
    client.ticket = NULL;
    leave();
    return ticket;
}

static bool resumes(const sio_tls *tls, struct tls_client_options *o,
                    SSL_SESSION *ticket)
{
    bool reused;

    o->session = SSL_SESSION_dup(ticket);
    reused = shake(tls, o) && SSL_session_reused(client.ssl);
    CHECK(conn, "no handshake: %s", failures);
    leave();
    SSL_SESSION_free(o->session);
    o->session = NULL;
    return reused;
}

static void test_resumption(int version)
{
    struct tls_client_options co = { version, version,  NULL,
                                     NULL,    "client", NULL };
    const char *name = version == TLS1_2_VERSION ? "1.2" : "1.3";
    sio_tls_options o = defaults();
    SSL_SESSION *ticket;
    sio_tls *tls, *other;

    T_CASE("tls: %s, a session is resumed, also after a reload", name);
    o.clients = SIO_TLS_CLIENTS_REQUEST;
    o.ca = CERTS "root.pem";
    tls = context(&o);
    ticket = ticket_from(tls, &co);
    CHECK(ticket, "no ticket");
    CHECK(resumes(tls, &co, ticket), "not resumed");
    CHECK(sio_tls_reload(tls, why, sizeof why) == SIO_OK, "%s", why);
    CHECK(resumes(tls, &co, ticket), "not resumed after the reload");

    T_CASE("tls: %s, the client's certificate is still known", name);
    co.session = SSL_SESSION_dup(ticket);
    CHECK(shake(tls, &co) && SSL_session_reused(client.ssl), "not resumed");
    CHECK(conn && net_tls_certificate(conn) &&
              net_tls_certificate(conn)->verified,
          "not known");
    CHECK(version == TLS1_2_VERSION || client.ticket,
          "no ticket for next time");
    leave();
    SSL_SESSION_free(co.session);
    co.session = NULL;

    T_CASE("tls: %s, keys of tickets change", name);
    now += 7200 * 1000;
    CHECK(resumes(tls, &co, ticket), "not after one change");
    now += 7200 * 1000;
    CHECK(!resumes(tls, &co, ticket), "after two");
    SSL_SESSION_free(ticket);
    ticket = ticket_from(tls, &co);
    now += 3 * 7200 * 1000;
    CHECK(!resumes(tls, &co, ticket), "after long idleness");
    SSL_SESSION_free(ticket);

    T_CASE("tls: %s, another server does not resume it", name);
    ticket = ticket_from(tls, &co);
    other = context(&o);
    CHECK(!resumes(other, &co, ticket), "resumed");
    sio_tls_free(other);
    SSL_SESSION_free(ticket);
    sio_tls_free(tls);

    T_CASE("tls: %s, without a lifetime nothing is resumed", name);
    o.session_lifetime_s = 0;
    tls = context(&o);
    ticket = ticket_from(tls, &co);
    CHECK(!ticket || !resumes(tls, &co, ticket), "resumed");
    SSL_SESSION_free(ticket);
    sio_tls_free(tls);
}

/* A reload with other CAs: who was judged by the old ones is judged again. */
static void test_other_ca(int version)
{
    struct tls_client_options co = { version, version,  NULL,
                                     NULL,    "client", NULL };
    char path[] = "/tmp/libsio-ca-XXXXXX";
    sio_tls_options o = defaults();
    SSL_SESSION *ticket;
    sio_tls *tls;
    int fd = mkstemp(path);

    T_CASE("tls: %s, no resumption past a change of CAs",
           version == TLS1_2_VERSION ? "1.2" : "1.3");
    CHECK(fd >= 0, "mkstemp");
    close(fd);
    copy(CERTS "root.pem", path);
    o.clients = SIO_TLS_CLIENTS_REQUIRE;
    o.ca = path;
    tls = context(&o);
    ticket = ticket_from(tls, &co);
    copy(CERTS "other-root.pem", path);
    CHECK(sio_tls_reload(tls, why, sizeof why) == SIO_OK, "%s", why);
    co.session = ticket;
    CHECK(!shake(tls, &co), "let in");
    CHECK(strstr(failures, "certificate verify failed"), "%s", failures);
    leave();
    SSL_SESSION_free(ticket);
    sio_tls_free(tls);
    unlink(path);
}

/* ------------------------------------------------------- threads, memory -- */

static void *reload_often(void *arg)
{
    for (int i = 0; i < 30; i++)
        sio_tls_reload(arg, NULL, 0);
    return NULL;
}

/* From text, not files: a loop forgets a closed descriptor at its next wait
 * only (harmless, but a sanitizer sees another thread open the same number). */
static void test_threads(void)
{
    sio_tls_options o = defaults();
    pthread_t threads[2];
    sio_tls *tls;

    T_CASE("tls: reloaded by two threads while a third shakes hands");
    o.certificate = slurp(CERTS "server.pem");
    o.key = slurp(CERTS "server.key");
    tls = context(&o);
    for (size_t i = 0; i < COUNT(threads); i++)
        CHECK(pthread_create(&threads[i], NULL, reload_often, tls) == 0,
              "no thread");
    for (int i = 0; i < 30; i++)
        check_shown(tls, NULL, "server");
    for (size_t i = 0; i < COUNT(threads); i++)
        pthread_join(threads[i], NULL);
    sio_tls_free(tls);
}

static void test_no_memory(void)
{
    sio_tls_options o = defaults();
    long n = 0;

    T_CASE("tls: allocations fail while certificates are read");
    o.clients = SIO_TLS_CLIENTS_REQUEST;
    o.ca = CERTS "root.pem";
    for (bool failed = true; failed && n < 100000; n += n < 100 ? 1 : 37) {
        sio_tls *tls;
        int added = SIO_OK, reloaded = SIO_OK;

        why[0] = 0;
        oom_arm(n);
        tls = sio_tls_new(&o, why, sizeof why);
        if (tls) {
            added = sio_tls_add_name(tls, "alpha.test", CERTS "alpha.pem",
                                     CERTS "alpha.key", NULL, why, sizeof why);
            reloaded = sio_tls_reload(tls, why, sizeof why);
        }
        failed = oom_disarm();
        if (!failed)
            CHECK(tls && added == SIO_OK && reloaded == SIO_OK,
                  "n = %ld: without need: %s", n, why);
        if (!tls || added < 0 || reloaded < 0)
            CHECK(why[0], "n = %ld: not said why", n);
        if (tls && n % 10 == 0)
            check_shown(tls, "alpha.test", added < 0 ? "server" : "alpha");
        sio_tls_free(tls);
    }
    CHECK(n > 1000 && n < 100000, "%ld allocations", n);
    printf("# about %ld allocations\n", n);
}

int main(void)
{
    struct net_loop_config config = { .clock = fake_clock };

    tls_client_wrap_malloc();
    if (net_loop_init(&loop, &config) < 0)
        return 1;
    loop.on_tls_failed = on_failed;
    test_refused();
    test_sources();
    test_names();
    test_reload();
    test_clients();
    test_negotiation();
    test_resumption(TLS1_2_VERSION);
    test_resumption(TLS1_3_VERSION);
    test_other_ca(TLS1_2_VERSION);
    test_other_ca(TLS1_3_VERSION);
    test_threads();
    test_no_memory();
    net_loop_destroy(&loop);
    return t_done();
}
