/*
 * test_net_bind.c -- listening on unix sockets and on inherited descriptors.
 * (TCP is in test_net_listener.c.)
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/net/bind.h"
#include "src/net/listener.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

static const struct net_bind_options plain = { .backlog = NET_BACKLOG };
static char folder[] = "/tmp/sio-bind-XXXXXX";
static char path[100], address[120];

static void begin(const char *name)
{
    snprintf(path, sizeof path, "%s/%s", folder, name);
    snprintf(address, sizeof address, "unix:%s", path);
}

static int bind_at(const char *where, struct net_bound *out, const char **why)
{
    *out = (struct net_bound){ .fd = -1 };
    return net_bind(where, &plain, out, why);
}

static int connect_to(const char *where)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    size_t n = strlen(where);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    memcpy(un.sun_path, where, n);
    if (where[0] == '@')
        un.sun_path[0] = 0;
    if (connect(fd, (struct sockaddr *)&un,
                (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) == 0)
        return fd;
    close(fd);
    return -1;
}

static bool can_connect(const char *where)
{
    int fd = connect_to(where);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static void test_unix(void)
{
    struct net_bound b, other;
    const char *why;
    struct stat st;
    int r, busy;

    T_CASE("bind: a unix socket, removed when it is closed");
    begin("a.sock");
    CHECK(bind_at(address, &b, &why) == SIO_OK, "errno %d", errno);
    CHECK(b.port == 0 && can_connect(path), "port %u", b.port);
    CHECK(fcntl(b.fd, F_GETFL) & O_NONBLOCK, "blocks");
    CHECK(fcntl(b.fd, F_GETFD) & FD_CLOEXEC, "stays open in exec");

    T_CASE("bind: a unix socket that somebody listens on is taken");
    r = bind_at(address, &other, &why);
    CHECK(r == SIO_E_SYS && errno == EADDRINUSE && why, "%d, %d", r, errno);
    CHECK(can_connect(path), "the file is gone");
    net_unbind(&b);
    CHECK(access(path, F_OK) < 0, "still there");

    T_CASE("bind: a server too busy to answer is there all the same");
    CHECK(net_bind(address, &(struct net_bind_options){ .backlog = 0 }, &b,
                   &why) == SIO_OK,
          "errno %d", errno);
    fcntl(busy = connect_to(path), F_SETFL, O_NONBLOCK); /* fills the backlog */
    r = bind_at(address, &other, &why);
    CHECK(r == SIO_E_SYS && errno == EADDRINUSE, "%d, %d", r, errno);
    CHECK(access(path, F_OK) == 0, "the file is gone");
    close(busy);
    net_unbind(&b);

    T_CASE("bind: a socket file that nobody listens on is replaced");
    CHECK(bind_at(address, &b, &why) == SIO_OK, "errno %d", errno);
    close(b.fd); /* as if killed */
    free(b.path);
    CHECK(access(path, F_OK) == 0 && !can_connect(path), "no such file");
    CHECK(bind_at(address, &b, &why) == SIO_OK, "errno %d", errno);
    CHECK(can_connect(path), "not connected");
    net_unbind(&b);

    T_CASE("bind: the file is left alone when it is another's by now");
    CHECK(bind_at(address, &b, &why) == SIO_OK, "errno %d", errno);
    unlink(path);
    CHECK(bind_at(address, &other, &why) == SIO_OK, "errno %d", errno);
    net_unbind(&b);
    CHECK(can_connect(path), "removed");
    net_unbind(&other);

    T_CASE("bind: a file that is no socket is never touched");
    begin("a.txt");
    close(open(path, O_CREAT | O_WRONLY, 0600));
    r = bind_at(address, &b, &why);
    CHECK(r == SIO_E_SYS && errno == EADDRINUSE && why, "%d, %d", r, errno);
    CHECK(lstat(path, &st) == 0 && S_ISREG(st.st_mode), "removed");
    unlink(path);

    T_CASE("bind: no such folder");
    begin("none/a.sock");
    r = bind_at(address, &b, &why);
    CHECK(r == SIO_E_SYS && errno == ENOENT, "%d, %d", r, errno);
}

static void test_mode(void)
{
    static const unsigned modes[] = { 0600, 0660, 0777, 0 };
    mode_t mask = umask(027);

    begin("mode.sock");
    for (size_t i = 0; i < COUNT(modes); i++) {
        struct net_bind_options o = { .backlog = 1, .unix_mode = modes[i] };
        unsigned want = modes[i] ? modes[i] : 0750;
        struct net_bound b;
        const char *why;
        struct stat st;

        T_CASE("bind: mode 0%o of a unix socket", modes[i]);
        CHECK(net_bind(address, &o, &b, &why) == SIO_OK, "errno %d", errno);
        CHECK(lstat(path, &st) == 0 && (st.st_mode & 0777) == want, "%o",
              st.st_mode);
        net_unbind(&b);
    }
    umask(mask);
}

static void test_abstract(void)
{
    struct net_bound b, other;
    const char *why;
    char name[60];
    int r;

    T_CASE("bind: a name without a file");
    snprintf(name, sizeof name, "unix:@sio-bind-%d", (int)getpid());
    CHECK(bind_at(name, &b, &why) == SIO_OK, "errno %d", errno);
    CHECK(can_connect(name + 5), "not connected");
    CHECK(access(name + 5, F_OK) < 0, "a file");
    r = bind_at(name, &other, &why);
    CHECK(r == SIO_E_SYS && errno == EADDRINUSE && why, "%d, %d", r, errno);
    net_unbind(&b);
    CHECK(!can_connect(name + 5), "still there");
}

static void test_length(void)
{
    char longest[5 + 108 + 1];
    struct net_bound b;
    const char *why;
    int r;

    T_CASE("bind: a path of 107 bytes, and of 108");
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    memcpy(longest, "unix:", 5);
    memcpy(longest + 5, folder, strlen(folder));
    longest[5 + strlen(folder)] = '/';
    r = bind_at(longest, &b, &why);
    CHECK(r == SIO_E_ADDRESS && why, "108: %d", r);
    longest[5 + 107] = 0;
    CHECK(bind_at(longest, &b, &why) == SIO_OK, "107: errno %d", errno);
    CHECK(can_connect(longest + 5), "not connected");
    net_unbind(&b);
    CHECK(access(longest + 5, F_OK) < 0, "still there");

    T_CASE("bind: no path at all");
    CHECK(bind_at("unix:", &b, &why) == SIO_E_ADDRESS && why, "empty");
    CHECK(bind_at("unix:@", &b, &why) == SIO_E_ADDRESS && why, "empty name");
}

/* ------------------------------------------------------------- inherited -- */

static int listening_tcp(void)
{
    struct net_bound b;
    const char *why;

    return bind_at("127.0.0.1:0", &b, &why) == SIO_OK ? b.fd : -1;
}

static int bind_fd(int fd, struct net_bound *out, const char **why)
{
    char text[20];

    snprintf(text, sizeof text, "fd:%d", fd);
    return bind_at(text, out, why);
}

static void test_inherited(void)
{
    struct net_bound b;
    const char *why;
    int fd = listening_tcp(), r;

    T_CASE("bind: a listening descriptor");
    fcntl(fd, F_SETFL, 0);
    fcntl(fd, F_SETFD, 0);
    CHECK(bind_fd(fd, &b, &why) == SIO_OK, "errno %d", errno);
    CHECK(b.fd == fd && b.port == net_bound_port(fd) && b.port, "%u", b.port);
    CHECK(fcntl(fd, F_GETFL) & O_NONBLOCK, "blocks");
    CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC, "stays open in exec");
    net_unbind(&b);

    T_CASE("bind: of an inherited unix socket the file is not ours");
    begin("inherited.sock");
    CHECK(bind_at(address, &b, &why) == SIO_OK, "errno %d", errno);
    free(b.path);
    CHECK(bind_fd(b.fd, &b, &why) == SIO_OK && b.port == 0, "%d", errno);
    net_unbind(&b);
    CHECK(access(path, F_OK) == 0, "removed");
    unlink(path);

    T_CASE("bind: a closed descriptor");
    r = bind_fd(b.fd = 987, &b, &why);
    CHECK(r == SIO_E_SYS && errno == EBADF && why, "%d, %d", r, errno);

    T_CASE("bind: a descriptor that is no socket stays open");
    fd = open("/dev/null", O_RDONLY);
    r = bind_fd(fd, &b, &why);
    CHECK(r == SIO_E_SYS && errno == ENOTSOCK, "%d, %d", r, errno);
    CHECK(close(fd) == 0, "closed");

    T_CASE("bind: a datagram socket");
    fd = socket(AF_INET, SOCK_DGRAM, 0);
    r = bind_fd(fd, &b, &why);
    CHECK(r == SIO_E_SYS && errno == ESOCKTNOSUPPORT && why, "%d, %d", r,
          errno);
    close(fd);

    T_CASE("bind: a socket that does not listen");
    fd = socket(AF_INET, SOCK_STREAM, 0);
    r = bind_fd(fd, &b, &why);
    CHECK(r == SIO_E_SYS && errno == EINVAL && why, "%d, %d", r, errno);
    close(fd);
}

static void test_numbers(void)
{
    static const char *const rows[] = { "fd:",   "fd:x",  "fd:-1",
                                        "fd:3x", "fd: 3", "fd:99999999999" };
    struct net_bound b;
    const char *why;

    for (size_t i = 0; i < COUNT(rows); i++) {
        T_CASE("bind: '%s' is no descriptor", rows[i]);
        CHECK(bind_at(rows[i], &b, &why) == SIO_E_ADDRESS && why, "taken");
        CHECK(net_inherited_fd(rows[i]) == -1, "a number");
    }
    T_CASE("bind: numbers of descriptors");
    CHECK(net_inherited_fd("fd:3") == 3, "fd:3");
    CHECK(net_inherited_fd("3000") == -1, "a port");
}

/* --------------------------------------------------------------- systemd -- */

static void test_systemd(void)
{
    char me[20], other[20];
    const struct {
        const char *title, *pid, *count, *names, *name, *want;
    } rows[] = {
        { "one", me, "1", NULL, NULL, "3 " },
        { "three", me, "3", "a:b:c", NULL, "3 4 5 " },
        { "by name", me, "3", "a:b:a", "a", "3 5 " },
        { "by another name", me, "3", "a:b:a", "b", "4 " },
        { "by a part of a name", me, "2", "ab:b", "a", "" },
        { "fewer names than sockets", me, "3", "a:b", "b", "4 " },
        { "names missing", me, "2", NULL, "a", "" },
        { "an empty name", me, "3", "a::b", "", "4 " },
        { "none", me, "0", NULL, NULL, "" },
        { "256", me, "256", "a", "a", "3 " },
        { "257, too many", me, "257", "a", "a", "" },
        { "no number", me, "1x", NULL, NULL, "" },
        { "for another process", other, "1", NULL, NULL, "" },
        { "no process", NULL, "1", NULL, NULL, "" },
        { "no count", me, NULL, NULL, NULL, "" },
    };

    snprintf(me, sizeof me, "%d", (int)getpid());
    snprintf(other, sizeof other, "%d", (int)getppid());
    for (size_t i = 0; i < COUNT(rows); i++) {
        int fds[NET_SYSTEMD_MAX], n;
        char got[80] = "";
        const char *why;

        T_CASE("systemd: %s", rows[i].title);
        unsetenv("LISTEN_PID");
        unsetenv("LISTEN_FDS");
        unsetenv("LISTEN_FDNAMES");
        if (rows[i].pid)
            setenv("LISTEN_PID", rows[i].pid, 1);
        if (rows[i].count)
            setenv("LISTEN_FDS", rows[i].count, 1);
        if (rows[i].names)
            setenv("LISTEN_FDNAMES", rows[i].names, 1);
        n = net_systemd_fds(rows[i].name, fds, &why);
        for (int k = 0; k < n; k++)
            snprintf(got + strlen(got), sizeof got - strlen(got), "%d ",
                     fds[k]);
        CHECK(strcmp(got, rows[i].want) == 0, "got '%s'", got);
        CHECK(n > 0 ? !why : n == SIO_E_ADDRESS && why, "%d", n);
    }
}

int main(void)
{
    if (!mkdtemp(folder))
        return 1;
    test_unix();
    test_mode();
    test_abstract();
    test_length();
    test_inherited();
    test_numbers();
    test_systemd();
    T_CASE("bind: nothing is left in the folder");
    CHECK(rmdir(folder) == 0, "errno %d", errno);
    return t_done();
}
