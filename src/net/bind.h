/*
 * bind.h -- from the text of an address to a socket that listens there.
 *
 *   bind.c     TCP, and which of the three it is
 *   unix.c     unix sockets: the file, and who may connect
 *   inherit.c  sockets that the process was started with
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_NET_BIND_H
#define SRC_NET_BIND_H

#include "src/net/address.h"

#include <stdbool.h>
#include <sys/stat.h>

#define NET_BACKLOG 4096    /* connections: what to ask for */
#define NET_SYSTEMD_MAX 256 /* sockets that systemd may pass */

struct net_bind_options {
    int backlog;        /* connections that may wait; the kernel caps it */
    unsigned unix_mode; /* permissions of a unix socket; 0: by the umask */
};

struct net_bound {
    int fd;        /* non-blocking, close-on-exec */
    bool nodelay;  /* connections get TCP_NODELAY from it, as Linux does it */
    uint16_t port; /* host order; 0 of a unix socket */
    char *path;    /* of the file to be removed in the end, or NULL */
    dev_t dev;     /* that file, if it still is the one we have made */
    ino_t ino;
};

/*
 * Bind and listen.
 *
 *     "HOST:PORT", "[V6]:PORT"  port 0 takes a free one; a host name is
 *                               resolved (blocking), its first usable address
 *                               taken
 *     ":PORT", "PORT"           all addresses, IPv6 with IPv4 where there is
 *                               IPv6
 *     "unix:PATH"               a socket file that nobody listens on any more
 *                               is removed first
 *     "unix:@NAME"              of Linux: a name without a file
 *     "fd:N"                    a listening socket that the process has; it is
 *                               ours from here on
 *
 * *why  what to do about a failure, where the result does not say it; or NULL
 *
 * SIO_OK and *out; SIO_E_ADDRESS (not parsed, not resolved), SIO_E_SYS with
 * errno, SIO_E_NOMEM.
 */
int net_bind(const char *address, const struct net_bind_options *options,
             struct net_bound *out, const char **why);

/* Close it, and remove its file. */
void net_unbind(struct net_bound *bound);

/* N of "fd:N"; -1 when `address` is no such thing. */
int net_inherited_fd(const char *address);

/*
 * The sockets that systemd (sd_listen_fds(3)) has passed to this process: those
 * of that FileDescriptorName, or all when `name` is NULL.
 *
 * Returns how many were written to fds; SIO_E_ADDRESS with *why when there are
 * none, or more than NET_SYSTEMD_MAX.
 */
int net_systemd_fds(const char *name, int fds[NET_SYSTEMD_MAX],
                    const char **why);

/* --- for the other files of src/net --- */

/* 0 where there are no ports. */
uint16_t net_bound_port(int fd);

int net_bind_unix(const char *path, const struct net_bind_options *options,
                  struct net_bound *out, const char **why);
void net_unbind_unix(struct net_bound *bound);
int net_bind_inherited(int fd, struct net_bound *out, const char **why);

#endif
