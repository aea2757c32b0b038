/*
 * inherit.c -- listening sockets that the process was started with: by systemd,
 * or by whatever else opens a socket and runs the program.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/net/bind.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#define FIRST_FD 3 /* SD_LISTEN_FDS_START */

/* A whole decimal number; -1: none. */
static int parse_number(const char *text)
{
    long n = 0;

    if (!*text)
        return -1;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return -1;
        n = n * 10 + (*text - '0');
        if (n > INT_MAX)
            return -1;
    }
    return (int)n;
}

int net_inherited_fd(const char *address)
{
    return strncmp(address, "fd:", 3) == 0 ? parse_number(address + 3) : -1;
}

static int socket_option(int fd, int name)
{
    int value = -1;
    socklen_t len = sizeof value;

    return getsockopt(fd, SOL_SOCKET, name, &value, &len) < 0 ? -1 : value;
}

/* errno 0: nothing speaks against it. */
static void check(int fd, const char **why)
{
    int type = socket_option(fd, SO_TYPE);

    if (type < 0) {
        *why = errno == EBADF ? "the process was not started with it" : NULL;
    } else if (type != SOCK_STREAM) {
        errno = ESOCKTNOSUPPORT;
        *why = "a stream socket is needed (ListenStream=)";
    } else if (socket_option(fd, SO_ACCEPTCONN) != 1) {
        errno = EINVAL;
        *why = "a listening socket is needed, not a connection (Accept=no)";
    } else {
        errno = 0;
    }
}

int net_bind_inherited(int fd, struct net_bound *out, const char **why)
{
    int flags;

    check(fd, why);
    if (errno)
        return SIO_E_SYS;
    flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
        return SIO_E_SYS;
    *out = (struct net_bound){ .fd = fd, .port = net_bound_port(fd) };
    return SIO_OK;
}

/* --------------------------------------------------------------- systemd -- */

/* How many sockets systemd has passed; 0: none, or to another process. */
static int passed(void)
{
    const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");

    if (!pid || !count || parse_number(pid) != (int)getpid())
        return 0;
    return parse_number(count);
}

/* The next name of the list, "" when there is none for a descriptor. */
static sio_str next_name(sio_str *rest)
{
    sio_str none = { "", 0 };

    return rest->p ? str_split(*rest, ':', rest) : none;
}

int net_systemd_fds(const char *name, int fds[NET_SYSTEMD_MAX],
                    const char **why)
{
    sio_str rest = str_of(getenv("LISTEN_FDNAMES"));
    int count = passed(), n = 0;

    *why = NULL;
    if (count > NET_SYSTEMD_MAX)
        *why = "systemd passes more sockets than can be taken (256)";
    else if (count <= 0)
        *why = "systemd has passed no sockets to this process (LISTEN_PID, "
               "LISTEN_FDS): start it by a .socket unit";
    for (int i = 0; !*why && i < count; i++) {
        sio_str own = next_name(&rest);

        if (!name || str_eq(own, str_of(name)))
            fds[n++] = FIRST_FD + i;
    }
    if (!*why && n == 0)
        *why = "systemd has passed no socket of that name: see "
               "FileDescriptorName= in the .socket unit";
    return *why ? SIO_E_ADDRESS : n;
}
