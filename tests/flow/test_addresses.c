/*
 * test_addresses.c -- where connections come from: addresses listened on, PROXY
 * headers, what trusted proxies say, limits of connections.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sio/sio.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "src/engine/session.h"
#include "tests/flow/world.h"
#include "tests/unit/oom.h"
#include "tests/unit/tls_client.h"

static struct world w;
static char address[64]; /* of the last socket */
static char refused[64]; /* of the last refusal */
static bool secure;      /* of the last socket's session */
static char header[64];  /* x-forwarded-for as the program sees it */
static char asked[SIO_ADDRESS_SIZE]; /* by allow_request */
static bool asked_secure;
static char place[40]; /* "unix:@..." */
static const char *const unix_and_ten[] = { "unix", "10.0.0.0/8" };

static void on_connection(sio_socket *socket, void *user)
{
    sio_str field = sio_request_header(socket, "x-forwarded-for");

    (void)user;
    snprintf(address, sizeof address, "%s", sio_address(socket));
    snprintf(header, sizeof header, "%.*s", (int)field.n, field.p);
}

static void allow(sio_handshake *handshake, void *user)
{
    (void)user;
    sio_handshake_address(handshake, asked);
    asked_secure = sio_handshake_secure(handshake);
    sio_allow(handshake);
}

static void on_http(sio_http_request *request, void *user)
{
    char text[SIO_ADDRESS_SIZE + 8];
    size_t n;

    (void)user;
    sio_http_address(request, text);
    n = strlen(text);
    n += (size_t)snprintf(text + n, sizeof text - n, " %s",
                          sio_http_secure(request) ? "https" : "http");
    sio_http_respond(request, 200, "text/plain", text, n);
}

static void on_error(const sio_connection_error *error, void *user)
{
    (void)user;
    snprintf(refused, sizeof refused, "%s", error->address);
}

static void options_init(sio_options *o)
{
    sio_options_init(o);
    o->trusted_proxies = unix_and_ten;
    o->trusted_proxy_count = COUNT(unix_and_ten);
    o->on_connection_error = on_error;
    o->allow_request = allow;
}

static void begin(const sio_options *o)
{
    CHECK(world_open(&w, o), "no server");
    sio_on_connection(sio_of(w.server, "/"), on_connection, NULL);
    address[0] = refused[0] = header[0] = 0;
}

static void end(void)
{
    world_check_empty(&w);
    world_close(&w);
}

static void check_text(const char *what, const char *got, const char *want)
{
    CHECK(strcmp(got, want) == 0, "%s: got '%s', want '%s'", what, got, want);
}

static size_t turned_away(void)
{
    sio_stats s;

    sio_get_stats(w.server, &s);
    return (size_t)s.dropped;
}

static size_t count_in_log(const char *text)
{
    size_t n = 0;

    for (const char *at = w.log; (at = strstr(at, text)); at++)
        n++;
    return n;
}

/* Join "/" over a WebSocket, with more fields in the request. False: no. */
static bool join(int fd, const char *fields)
{
    char head[1024];
    struct map_node *it;
    size_t at = 0;
    int n = snprintf(head, sizeof head,
                     "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n"
                     "Host: test\r\nUpgrade: websocket\r\n"
                     "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n",
                     fields);

    world_write(&w, fd, head, (size_t)n);
    if (world_read(&w, fd) < 12 || memcmp(w.got, "HTTP/1.1 101", 12) != 0)
        return false;
    while ((it = map_walk(&w.server->hub.shards->engine.sessions, &at)))
        secure = container_of(it, struct eng_session, node)->request->secure;
    world_send_text(&w, fd, "40");
    return world_match(world_frames(&w, fd), "T:40{*");
}

/* --------------------------------------------------------- who is believed */

static void test_forwarded(void)
{
    static const struct {
        const char *name, *from, *fields, *want;
        sio_forwarded which;
        bool secure;
    } rows[] = {
        { "a client's own word is not taken", "192.0.2.1",
          "X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-Proto: https\r\n",
          "192.0.2.1", SIO_FORWARDED_ANY, false },
        { "a trusted proxy's is", "10.0.0.1",
          "X-Forwarded-For: 1.1.1.1, 192.0.2.7\r\n"
          "X-Forwarded-Proto: https\r\n",
          "192.0.2.7", SIO_FORWARDED_ANY, true },
        { "over a unix socket", "unix",
          "Forwarded: for=\"[2001:db8::7]\";proto=https\r\n", "2001:db8::7",
          SIO_FORWARDED_ANY, true },
        { "nothing said", "10.0.0.1", "", "10.0.0.1", SIO_FORWARDED_ANY,
          false },
        { "Forwarded alone", "10.0.0.1",
          "X-Forwarded-For: 1.1.1.1\r\nForwarded: for=192.0.2.7\r\n",
          "192.0.2.7", SIO_FORWARDED_RFC7239, false },
        { "X-Forwarded-For alone", "10.0.0.1",
          "Forwarded: for=1.1.1.1;proto=https\r\n", "10.0.0.1", SIO_FORWARDED_X,
          false },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        sio_options o;
        int fd;

        T_CASE("forwarded: %s: sio_address()", rows[i].name);
        options_init(&o);
        o.forwarded = rows[i].which;
        begin(&o);
        fd = world_connect_from(&w, rows[i].from);
        secure = !rows[i].secure;
        CHECK(join(fd, rows[i].fields), "not joined");
        check_text("address", address, rows[i].want);
        check_text("in allow_request", asked, rows[i].want);
        CHECK(asked_secure == rows[i].secure, "in allow_request");
        CHECK(secure == rows[i].secure, "secure: %d", secure);
        world_hang_up(&w, fd);
        end();
    }
}

static void test_told(void)
{
    static const char request[] =
        "GET /socket.io/?EIO=4&transport=no HTTP/1.1\r\nHost: test\r\n"
        "X-Forwarded-For: 192.0.2.7\r\n\r\n";
    static const char who[] = "GET /who HTTP/1.1\r\nHost: test\r\n"
                              "Forwarded: for=192.0.2.7;proto=https\r\n\r\n";
    sio_options o;
    int fd;

    T_CASE("forwarded: refusals tell the client's address, and the log does");
    options_init(&o);
    begin(&o);
    fd = world_connect_from(&w, "10.0.0.1");
    world_write(&w, fd, request, sizeof request - 1);
    check_text("refused", refused, "192.0.2.7");
    CHECK(strstr(w.log, "192.0.2.7"), "%s", w.log);
    world_hang_up(&w, fd);
    end();

    T_CASE("forwarded: requests of the program's own are told it, too");
    options_init(&o);
    begin(&o);
    sio_on_request(w.server, "GET", "/who", on_http, NULL);
    fd = world_connect_from(&w, "10.0.0.1");
    world_write(&w, fd, who, sizeof who - 1);
    world_read(&w, fd);
    CHECK(strstr(w.got, "\r\n\r\n192.0.2.7 https"), "%s", w.got);
    world_hang_up(&w, fd);
    end();

    T_CASE("forwarded: without trusted proxies the program sees the fields");
    begin(NULL);
    fd = world_connect_from(&w, "10.0.0.1");
    CHECK(join(fd, "X-Forwarded-For: 192.0.2.7\r\n"), "not joined");
    check_text("address", address, "10.0.0.1");
    check_text("header", header, "192.0.2.7");
    world_hang_up(&w, fd);
    end();
}

/* ------------------------------------------------------------ real sockets */

/* A connection to `place`, accepted. */
static int connect_there(void)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    size_t n = strlen(place) - 5;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

    memcpy(un.sun_path, place + 5, n);
    un.sun_path[0] = 0;
    CHECK(connect(fd, (struct sockaddr *)&un,
                  (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) == 0,
          "errno %d", errno);
    world_turn(&w);
    return fd;
}

static void listen_there(bool proxy_protocol)
{
    sio_listen_options o;

    sio_listen_options_init(&o);
    o.proxy_protocol = proxy_protocol;
    CHECK(sio_listen(w.server, place, &o) == SIO_OK, "%s", w.log);
}

static void test_unix(void)
{
    int fd;

    T_CASE("listen: a unix socket");
    begin(NULL);
    listen_there(false);
    CHECK(sio_port(w.server) == 0, "port %u", sio_port(w.server));
    fd = connect_there();
    CHECK(join(fd, "X-Forwarded-For: 192.0.2.7\r\n"), "not joined");
    check_text("address", address, "unix");
    world_hang_up(&w, fd);
    end();

    T_CASE("listen: the name is free again once the server is gone");
    begin(NULL);
    listen_there(false);
    end();
}

static void check_listen(const char *where, const sio_listen_options *o,
                         int want, const char *text)
{
    int r;

    w.log[0] = 0;
    r = sio_listen(w.server, where, o);
    CHECK(r == want, "%s: result %d", where, r);
    CHECK(strstr(w.log, text), "%s: %s", where, w.log);
}

static void test_errors(void)
{
    sio_listen_options o;

    T_CASE("listen: what is wrong stands in the log");
    begin(NULL);
    sio_listen_options_init(&o);
    check_listen("fd:987", NULL, SIO_E_SYS,
                 "cannot listen on fd:987: Bad file descriptor (the process "
                 "was not started with it)");
    check_listen("systemd", NULL, SIO_E_ADDRESS, "start it by a .socket unit");
    check_listen("systemd:web", NULL, SIO_E_ADDRESS, ".socket unit");
    check_listen("unix:", NULL, SIO_E_ADDRESS, "1 to 107 bytes");
    check_listen("unix:/no/such/folder", NULL, SIO_E_SYS,
                 "No such file or directory");
    o.proxy_protocol = true;
    check_listen("127.0.0.1:0", &o, SIO_E_INVAL, "trusted_proxies");
    sio_listen_options_init(&o);
    o.unix_mode = 01000;
    check_listen("127.0.0.1:0", &o, SIO_E_INVAL, "unix_mode");
    sio_listen_options_init(&o);
    o.backlog = 0;
    check_listen("127.0.0.1:0", &o, SIO_E_INVAL, "backlog");
    CHECK(list_empty(&w.server->listeners), "something listens");
    end();
}

/* A descriptor that listens, as a parent would leave it. */
static int listening_fd(int number)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(un.sun_path + 1, sizeof un.sun_path - 1, "sio-fd-%d-%d",
             (int)getpid(), number);
    bind(fd, (struct sockaddr *)&un, sizeof un);
    listen(fd, 8);
    if (number > 0 && fd != number) {
        dup2(fd, number);
        close(fd);
        fd = number;
    }
    return fd;
}

static void test_inherited(void)
{
    char where[20], pid[20];
    int fd;

    T_CASE("listen: an inherited descriptor, once");
    begin(NULL);
    fd = listening_fd(0);
    snprintf(where, sizeof where, "fd:%d", fd);
    CHECK(sio_listen(w.server, where, NULL) == SIO_OK, "%s", w.log);
    check_listen(where, NULL, SIO_E_STATE, "already listening");
    end();
    CHECK(close(fd) < 0, "still open after the server");

    T_CASE("listen: systemd's sockets, all or none");
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDS", "2", 1);
    close(3);
    close(4);
    listening_fd(3);
    begin(NULL);
    /* 4 is closed, or the loop has taken it. */
    check_listen("systemd", NULL, SIO_E_SYS, "cannot listen on systemd: ");
    CHECK(list_empty(&w.server->listeners), "one is left");
    end();
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
}

/* ---------------------------------------------------------- PROXY protocol */

static void test_proxy(void)
{
    static const struct {
        const char *name, *header, *fields, *want;
    } rows[] = {
        { "the client's address", "PROXY TCP4 192.0.2.7 10.0.0.1 1 2\r\n", "",
          "192.0.2.7" },
        { "what that client says of itself is not believed",
          "PROXY TCP4 192.0.2.7 10.0.0.1 1 2\r\n",
          "X-Forwarded-For: 1.1.1.1\r\n", "192.0.2.7" },
        { "what a trusted one says, is", "PROXY TCP4 10.9.9.9 10.0.0.1 1 2\r\n",
          "X-Forwarded-For: 192.0.2.7\r\n", "192.0.2.7" },
        { "unknown: the socket's own", "PROXY UNKNOWN\r\n", "", "unix" },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        sio_options o;
        int fd;

        T_CASE("PROXY: %s", rows[i].name);
        options_init(&o);
        begin(&o);
        listen_there(true);
        fd = connect_there();
        world_write(&w, fd, rows[i].header, strlen(rows[i].header));
        CHECK(join(fd, rows[i].fields), "not joined");
        check_text("address", address, rows[i].want);
        world_hang_up(&w, fd);
        CHECK(turned_away() == 0, "counted");
        end();
    }
}

static bool is_closed(int fd)
{
    char c;
    ssize_t n;

    world_turn(&w);
    n = recv(fd, &c, 1, 0);
    return n == 0 || (n < 0 && errno == ECONNRESET);
}

static void test_proxy_missing(void)
{
    static const char *const ten[] = { "10.0.0.0/8" };
    sio_options o;
    int fd;

    T_CASE("PROXY: HTTP without a header is closed, logged, counted");
    options_init(&o);
    begin(&o);
    listen_there(true);
    fd = connect_there();
    world_write(&w, fd, "GET / HTTP/1.1\r\n\r\n", 18);
    CHECK(is_closed(fd), "open");
    CHECK(strstr(w.log, "connection of unix closed: no PROXY header"), "%s",
          w.log);
    CHECK(turned_away() == 1, "%zu", turned_away());
    world_hang_up(&w, fd);

    T_CASE("PROXY: no header within %d ms", NET_PROXY_MS);
    fd = connect_there();
    world_advance(&w, NET_PROXY_MS - 1);
    CHECK(!is_closed(fd), "too soon");
    world_advance(&w, 1);
    CHECK(is_closed(fd), "open");
    CHECK(strstr(w.log, "closed: no PROXY header in time"), "%s", w.log);
    CHECK(turned_away() == 2, "%zu", turned_away());
    world_hang_up(&w, fd);

    T_CASE("PROXY: a look whether we are there is no line in the log");
    w.log[0] = 0;
    fd = connect_there();
    world_hang_up(&w, fd);
    world_turn(&w);
    check_text("log", w.log, "");
    CHECK(turned_away() == 2, "%zu", turned_away());

    T_CASE("PROXY: a stop does not wait for headers");
    fd = connect_there();
    sio_stop(w.server);
    CHECK(is_closed(fd), "open");
    close(fd);
    end();

    T_CASE("PROXY: who is not trusted may not begin with a header");
    options_init(&o);
    o.trusted_proxies = ten;
    o.trusted_proxy_count = 1;
    begin(&o);
    listen_there(true);
    fd = connect_there();
    CHECK(is_closed(fd), "open");
    CHECK(strstr(w.log, "connection of unix closed: none of trusted_proxies"),
          "%s", w.log);
    CHECK(turned_away() == 1, "%zu", turned_away());
    world_hang_up(&w, fd);
    end();
}

/* The header comes in plain, TLS behind it, in one piece with its beginning. */
static void test_proxy_and_tls(void)
{
    static const char line[] = "PROXY TCP4 192.0.2.7 10.0.0.1 1 2\r\n";
    static const char who[] = "GET /who HTTP/1.1\r\nHost: test\r\n\r\n";
    sio_listen_options how;
    sio_tls_options files;
    struct tls_client client;
    char answer[1000] = "";
    sio_options o;
    int fd;

    T_CASE("PROXY: before TLS");
    sio_tls_options_init(&files);
    files.certificate = CERTS "server.pem";
    files.key = CERTS "server.key";
    sio_listen_options_init(&how);
    how.proxy_protocol = true;
    how.tls = sio_tls_new(&files, w.log, sizeof w.log);
    CHECK(how.tls, "%s", w.log);
    options_init(&o);
    begin(&o);
    sio_on_request(w.server, "GET", "/who", on_http, NULL);
    CHECK(sio_listen(w.server, place, &how) == SIO_OK, "%s", w.log);
    sio_tls_free(how.tls);
    fd = connect_there();
    CHECK(send(fd, line, sizeof line - 1, 0) == sizeof line - 1, "send");
    CHECK(tls_client_open(&client, fd, &(struct tls_client_options){ 0 }),
          "no client");
    for (int i = 0; i < 10 && !tls_client_shake(&client); i++)
        world_turn(&w);
    CHECK(!client.failed, "%s", tls_client_error());
    SSL_write(client.ssl, who, sizeof who - 1);
    tls_client_flush(&client, SIZE_MAX);
    world_turn(&w);
    tls_client_fill(&client);
    SSL_read(client.ssl, answer, sizeof answer - 1);
    CHECK(strstr(answer, "\r\n\r\n192.0.2.7 https"), "%s", answer);
    tls_client_close(&client);
    world_hang_up(&w, fd);
    world_advance(&w, 60000);
    end();
}

/* ----------------------------------------------------------------- limits */

#define HANDSHAKE                                                \
    "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: " \
    "test\r\n\r\n"

static bool serves(int fd)
{
    world_write(&w, fd, HANDSHAKE, sizeof HANDSHAKE - 1);
    return world_read(&w, fd) > 12 && memcmp(w.got, "HTTP/1.1 200", 12) == 0;
}

static void test_max_connections(void)
{
    sio_options o;
    int a, b, c;

    T_CASE("limits: max_connections: one more is closed, logged, counted");
    options_init(&o);
    o.max_connections = 2;
    begin(&o);
    listen_there(false);
    a = connect_there();
    b = connect_there();
    c = connect_there();
    CHECK(is_closed(c), "open");
    close(c);
    CHECK(serves(a) && serves(b), "the first two are not served");
    CHECK(strstr(w.log, "connection of unix closed: max_connections is "
                        "reached\n"),
          "%s", w.log);
    CHECK(turned_away() == 1, "%zu", turned_away());

    T_CASE("limits: a place that was left is free");
    world_hang_up(&w, a);
    a = connect_there();
    CHECK(serves(a), "not served");
    world_hang_up(&w, a);
    world_hang_up(&w, b);
    world_advance(&w, 60000);
    end();
}

static void test_max_with_proxies(void)
{
    static const char line[] = "PROXY TCP4 192.0.2.7 10.0.0.1 1 2\r\n";
    sio_options o;
    int a, b, c;

    T_CASE("limits: who still owes a PROXY header counts, too");
    options_init(&o);
    o.max_connections = 2;
    begin(&o);
    listen_there(true);
    a = connect_there();
    b = connect_there();
    c = connect_there();
    CHECK(is_closed(c), "open");
    close(c);
    CHECK(strstr(w.log, "closed: max_connections is reached"), "%s", w.log);
    CHECK(world_connect(&w) < 0, "another listener has room");
    world_write(&w, a, line, sizeof line - 1);
    world_write(&w, b, line, sizeof line - 1);
    CHECK(serves(a) && serves(b), "not both are served");
    world_hang_up(&w, a);
    world_hang_up(&w, b);
    world_advance(&w, 60000);
    end();

    T_CASE("limits: per address, that of the PROXY header");
    options_init(&o);
    o.max_connections_per_address = 1;
    begin(&o);
    listen_there(true);
    a = connect_there();
    b = connect_there();
    world_write(&w, a, line, sizeof line - 1);
    world_write(&w, b, line, sizeof line - 1);
    CHECK(serves(a), "not served");
    CHECK(is_closed(b), "open");
    CHECK(strstr(w.log, "connection of 192.0.2.7 closed: "
                        "max_connections_per_address is reached"),
          "%s", w.log);
    CHECK(turned_away() == 1, "%zu", turned_away());
    close(b);
    world_hang_up(&w, a);
    world_advance(&w, 60000);
    end();
}

static void test_per_address(void)
{
    sio_options o;
    int a, b, c;

    T_CASE("limits: max_connections_per_address, WebSockets included");
    options_init(&o);
    o.max_connections_per_address = 2;
    begin(&o);
    a = world_connect_from(&w, "192.0.2.7");
    b = world_connect_from(&w, "192.0.2.7");
    CHECK(a >= 0 && b >= 0, "not two");
    CHECK(join(a, ""), "not joined");
    CHECK(world_connect_from(&w, "192.0.2.7") < 0, "three");
    c = world_connect_from(&w, "192.0.2.8");
    CHECK(c >= 0, "another address");
    world_hang_up(&w, a);
    a = world_connect_from(&w, "192.0.2.7");
    CHECK(a >= 0, "not after one has gone");
    world_hang_up(&w, a);
    world_hang_up(&w, b);
    world_hang_up(&w, c);

    T_CASE("limits: a trusted proxy may have any number");
    a = world_connect_from(&w, "10.0.0.1");
    b = world_connect_from(&w, "10.0.0.1");
    c = world_connect_from(&w, "10.0.0.1");
    CHECK(a >= 0 && b >= 0 && c >= 0, "not three");
    world_hang_up(&w, a);
    world_hang_up(&w, b);
    world_hang_up(&w, c);
    world_advance(&w, 60000);
    CHECK(map_count(&w.server->limits.addresses) == 0, "addresses are left");
    end();
}

static void test_log_budget(void)
{
    sio_options o;

    T_CASE("limits: a flood of connections is one line a second");
    options_init(&o);
    o.max_connections = 1;
    begin(&o);
    listen_there(false);
    int first = connect_there();
    for (int i = 0; i < 5; i++)
        close(connect_there());
    CHECK(count_in_log("max_connections") == 1, "%s", w.log);
    CHECK(turned_away() == 5, "%zu", turned_away());
    world_advance(&w, 999);
    close(connect_there());
    CHECK(count_in_log("max_connections") == 1, "%s", w.log);
    world_advance(&w, 1);
    close(connect_there());
    CHECK(count_in_log("max_connections") == 2, "%s", w.log);
    CHECK(strstr(w.log, "(and 5 more before)"), "%s", w.log);
    w.log[0] = 0;
    world_advance(&w, 1000);
    close(connect_there());
    CHECK(strstr(w.log, "max_connections is reached\n"), "%s", w.log);
    world_hang_up(&w, first);
    end();
}

/* -------------------------------------------------------------------- rest */

static void test_options(void)
{
    static const char *const bad[] = { "10.0.0.0/8", "10.0.0.0/33" };
    static const char *const hole[] = { NULL };
    sio_options o;

    T_CASE("options: trusted_proxies that are no networks");
    options_init(&o);
    o.trusted_proxies = bad;
    CHECK(!world_open(&w, &o), "made");
    CHECK(strstr(w.log, "trusted_proxies:"), "%s", w.log);
    o.trusted_proxies = hole;
    o.trusted_proxy_count = 1;
    CHECK(!world_open(&w, &o), "made");
    CHECK(strstr(w.log, "trusted_proxies:"), "%s", w.log);

    T_CASE("options: forwarded");
    options_init(&o);
    o.forwarded = (sio_forwarded)3;
    CHECK(!world_open(&w, &o), "made");
    CHECK(strstr(w.log, "forwarded:"), "%s", w.log);
}

static void test_keep_alive(void)
{
    sio_options o;
    int fd;

    T_CASE("options: keep_alive_timeout_ms, on it and before");
    options_init(&o);
    o.keep_alive_timeout_ms = 7000;
    begin(&o);
    fd = world_connect(&w);
    CHECK(serves(fd), "not served");
    CHECK(strstr(w.got, "Keep-Alive: timeout=7\r\n"), "%s", w.got);
    world_advance(&w, 6999);
    CHECK(!is_closed(fd), "too soon");
    world_advance(&w, 1);
    CHECK(is_closed(fd), "open");
    world_hang_up(&w, fd);
    world_advance(&w, 60000);
    end();

    T_CASE("options: keep_alive_timeout_ms 0 keeps no connection");
    options_init(&o);
    o.keep_alive_timeout_ms = 0;
    begin(&o);
    fd = world_connect(&w);
    CHECK(serves(fd), "not served");
    CHECK(strstr(w.got, "Connection: close\r\n"), "%s", w.got);
    CHECK(is_closed(fd), "open");
    world_hang_up(&w, fd);
    world_advance(&w, 60000);
    end();
}

/* A life with a PROXY header, a limit per address and Forwarded. */
static void story(void)
{
    static const char line[] = "PROXY TCP4 10.9.9.9 10.0.0.1 1 2\r\n";
    static const char direct[] = "PROXY TCP4 192.0.2.8 10.0.0.1 1 2\r\n";
    sio_listen_options how;
    sio_options o;
    int a, b, r;

    options_init(&o);
    o.max_connections_per_address = 1;
    if (!world_open(&w, &o))
        return;
    sio_listen_options_init(&how);
    how.proxy_protocol = true;
    r = sio_listen(w.server, place, &how);
    if (r == SIO_E_NOMEM)
        r = sio_listen(w.server, place, &how);
    CHECK(r == SIO_OK, "result %d: %s", r, w.log);
    a = connect_there();
    b = connect_there();
    world_write(&w, a, line, sizeof line - 1);
    world_write(&w, b, direct, sizeof direct - 1);
    join(a, "X-Forwarded-For: 192.0.2.7\r\n");
    join(b, "");
    world_hang_up(&w, a);
    world_hang_up(&w, b);
    world_advance(&w, 60000);
    world_check_empty(&w);
    CHECK(map_count(&w.server->limits.addresses) == 0, "addresses are left");
    world_close(&w);
}

static void test_oom(void)
{
    long n = 0;
    bool failed = true;

    T_CASE("addresses: any allocation may fail");
    for (; n < 1000 && failed; n++) {
        oom_arm(n);
        story();
        failed = oom_disarm();
    }
    CHECK(n > 20 && !failed, "%ld allocations", n);
}

int main(void)
{
    snprintf(place, sizeof place, "unix:@sio-flow-%d", (int)getpid());
    test_inherited();
    test_forwarded();
    test_told();
    test_unix();
    test_errors();
    test_proxy();
    test_proxy_missing();
    test_proxy_and_tls();
    test_max_connections();
    test_max_with_proxies();
    test_per_address();
    test_log_budget();
    test_options();
    test_keep_alive();
    test_oom();
    return t_done();
}
