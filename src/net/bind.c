/*
 * bind.c -- see bind.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/net/bind.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

struct host_port {
    char host[256]; /* "" = all addresses */
    char port[6];
};

static bool copy_part(char *out, size_t size, const char *p, size_t n)
{
    if (n >= size)
        return false;
    memcpy(out, p, n);
    out[n] = 0;
    return true;
}

static bool is_port(const char *port)
{
    unsigned long number = strtoul(port, NULL, 10);

    return port[0] && strspn(port, "0123456789") == strlen(port) &&
           number <= UINT16_MAX;
}

static bool parse(const char *address, struct host_port *hp)
{
    const char *port = strrchr(address, ':');
    const char *host = address, *end = port;

    if (!port) { /* "PORT" */
        end = host;
        port = address;
    } else {
        port++;
    }
    if (*host == '[') {
        host++;
        if (end <= host || *--end != ']' || end == host)
            return false;
    } else if (memchr(host, ':', (size_t)(end - host))) {
        return false; /* IPv6 without brackets */
    }
    return copy_part(hp->host, sizeof hp->host, host, (size_t)(end - host)) &&
           copy_part(hp->port, sizeof hp->port, port, strlen(port)) &&
           is_port(hp->port);
}

/* All addresses when `host` is empty, those of the host otherwise. */
static int resolve(const struct host_port *hp, int family,
                   struct addrinfo **found)
{
    struct addrinfo hints = { .ai_flags = AI_PASSIVE | AI_NUMERICSERV,
                              .ai_family = family,
                              .ai_socktype = SOCK_STREAM };
    int r = getaddrinfo(hp->host[0] ? hp->host : NULL, hp->port, &hints, found);

    if (r == EAI_MEMORY)
        return SIO_E_NOMEM;
    return r == 0 ? SIO_OK : SIO_E_ADDRESS;
}

/* A socket that listens there, or -1 with errno. Its connections inherit what
 * was set before the first of them came. */
static int open_at(const struct addrinfo *ai, bool only_v6, int backlog)
{
    int fd =
        socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1, v6 = only_v6, saved;

    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        (ai->ai_family != AF_INET6 ||
         setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6, sizeof v6) == 0) &&
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0 &&
        bind(fd, ai->ai_addr, ai->ai_addrlen) == 0 && listen(fd, backlog) == 0)
        return fd;
    saved = errno; /* close() may overwrite the reason */
    close(fd);
    errno = saved;
    return -1;
}

static int open_first(const struct host_port *hp, int family, int backlog,
                      int *fd)
{
    struct addrinfo *found;
    int r = resolve(hp, family, &found);

    if (r < 0)
        return r;
    r = SIO_E_SYS;
    for (struct addrinfo *ai = found; ai && r < 0; ai = ai->ai_next) {
        *fd = open_at(ai, hp->host[0] != 0, backlog);
        if (*fd >= 0)
            r = SIO_OK;
    }
    freeaddrinfo(found);
    return r;
}

/* Without a host: IPv6, which serves IPv4 too, or IPv4 where there is no other.
 * A port that is taken stays taken in either. */
static int open_socket(const struct host_port *hp, int backlog, int *fd)
{
    int r;

    if (hp->host[0])
        return open_first(hp, AF_UNSPEC, backlog, fd);
    r = open_first(hp, AF_INET6, backlog, fd);
    if (r == SIO_OK || r == SIO_E_NOMEM ||
        (r == SIO_E_SYS && errno != EAFNOSUPPORT && errno != EADDRNOTAVAIL))
        return r;
    return open_first(hp, AF_INET, backlog, fd);
}

uint16_t net_bound_port(int fd)
{
    struct sockaddr_storage ss = { 0 };
    socklen_t len = sizeof ss;
    struct net_address a;

    getsockname(fd, (struct sockaddr *)&ss, &len);
    net_address_from(&a, (struct sockaddr *)&ss);
    return a.port;
}

static int bind_tcp(const char *address, const struct net_bind_options *options,
                    struct net_bound *out, const char **why)
{
    struct host_port hp;
    int r, fd;

    if (!parse(address, &hp))
        return SIO_E_ADDRESS;
    r = open_socket(&hp, options->backlog, &fd);
    if (r < 0) {
        if (r == SIO_E_SYS && errno == EACCES)
            *why = "ports below 1024 need the capability CAP_NET_BIND_SERVICE";
        return r;
    }
    *out = (struct net_bound){ .fd = fd,
                               .nodelay = true,
                               .port = net_bound_port(fd) };
    return SIO_OK;
}

int net_bind(const char *address, const struct net_bind_options *options,
             struct net_bound *out, const char **why)
{
    int fd;

    *why = NULL;
    if (strncmp(address, "unix:", 5) == 0)
        return net_bind_unix(address + 5, options, out, why);
    if (strncmp(address, "fd:", 3) != 0)
        return bind_tcp(address, options, out, why);
    fd = net_inherited_fd(address);
    if (fd < 0) {
        *why = "\"fd:\" and the number of a descriptor";
        return SIO_E_ADDRESS;
    }
    return net_bind_inherited(fd, out, why);
}

void net_unbind(struct net_bound *bound)
{
    if (bound->path)
        net_unbind_unix(bound);
    close(bound->fd);
    bound->fd = -1;
}
