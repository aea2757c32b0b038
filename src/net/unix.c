/*
 * unix.c -- listening on unix sockets. A process that was killed leaves its
 * socket file behind: a file that refuses connections is removed, one that
 * answers is somebody's.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/net/bind.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

static int new_socket(void)
{
    return socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

/* Spell the address; its length, 0: it does not fit. A leading "@" stands for
 * the NUL of a name without a file. */
static socklen_t spell(struct sockaddr_un *un, const char *path)
{
    size_t n = strlen(path);
    bool abstract = path[0] == '@';

    *un = (struct sockaddr_un){ .sun_family = AF_UNIX };
    if (n == 0 || (abstract && n == 1) || n >= sizeof un->sun_path)
        return 0;
    memcpy(un->sun_path, path, n);
    if (abstract)
        un->sun_path[0] = 0;
    /* The NUL belongs to a path, but would be one more byte of a name. */
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + !abstract);
}

/* Is there a socket file that nobody listens on? */
static bool is_stale(const struct sockaddr_un *un, socklen_t len)
{
    struct stat st;
    bool refused;
    int fd;

    if (lstat(un->sun_path, &st) < 0 || !S_ISSOCK(st.st_mode))
        return false;
    fd = new_socket();
    if (fd < 0)
        return false;
    refused = connect(fd, (const struct sockaddr *)un, len) < 0 &&
              errno == ECONNREFUSED;
    close(fd);
    return refused;
}

static int try_bind(int fd, const struct sockaddr_un *un, socklen_t len)
{
    return bind(fd, (const struct sockaddr *)un, len);
}

/* -1 with errno. */
static int bind_over_stale(int fd, const struct sockaddr_un *un, socklen_t len,
                           const char **why)
{
    if (try_bind(fd, un, len) == 0)
        return 0;
    if (errno != EADDRINUSE)
        return -1;
    if (un->sun_path[0] && is_stale(un, len) && unlink(un->sun_path) == 0)
        return try_bind(fd, un, len);
    errno = EADDRINUSE;
    *why = "another process listens there, or the file is no socket";
    return -1;
}

/* Keep in mind which file was made: in the end it is removed only if it still
 * is that one. */
static int remember(struct net_bound *out, const char *path)
{
    struct stat st;

    if (lstat(path, &st) < 0)
        return SIO_E_SYS;
    out->path = strdup(path);
    if (!out->path)
        return SIO_E_NOMEM;
    out->dev = st.st_dev;
    out->ino = st.st_ino;
    return SIO_OK;
}

/* Between bind() and listen() nobody can connect: so nobody does before the
 * mode is what was asked for. */
static int open_file(struct net_bound *out, const char *path,
                     const struct net_bind_options *options)
{
    int r = remember(out, path);

    if (r == SIO_OK && options->unix_mode &&
        chmod(path, (mode_t)options->unix_mode) < 0)
        r = SIO_E_SYS;
    if (r == SIO_OK && listen(out->fd, options->backlog) < 0)
        r = SIO_E_SYS;
    if (r < 0) {
        int saved = errno; /* unlink() may overwrite the reason */

        unlink(path);
        free(out->path);
        errno = saved;
    }
    return r;
}

int net_bind_unix(const char *path, const struct net_bind_options *options,
                  struct net_bound *out, const char **why)
{
    struct net_bound bound = { .fd = new_socket() };
    struct sockaddr_un un;
    socklen_t len = spell(&un, path);
    int r = SIO_E_SYS, saved;

    if (bound.fd < 0)
        return SIO_E_SYS;
    if (len == 0) {
        *why = "the path of a unix socket has 1 to 107 bytes";
        r = SIO_E_ADDRESS;
    } else if (bind_over_stale(bound.fd, &un, len, why) == 0) {
        if (path[0] != '@')
            r = open_file(&bound, path, options);
        else if (listen(bound.fd, options->backlog) == 0)
            r = SIO_OK;
    }
    if (r == SIO_OK) {
        *out = bound;
        return SIO_OK;
    }
    saved = errno; /* close() may overwrite the reason */
    close(bound.fd);
    errno = saved;
    return r;
}

void net_unbind_unix(struct net_bound *bound)
{
    struct stat st;

    if (lstat(bound->path, &st) == 0 && st.st_dev == bound->dev &&
        st.st_ino == bound->ino)
        unlink(bound->path);
    free(bound->path);
    bound->path = NULL;
}
