/*
 * request.c -- see request.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/cli/request.h"

#include <stdio.h>

bool cli_request(struct net_conn *conn, const struct cli_target *target,
                 const char *method, const char *transport, const char *sid,
                 const char *more)
{
    const struct cli_url *url = &target->url;
    char head[CLI_REQUEST_MAX];
    int n = snprintf(head, sizeof head,
                     "%s %s?EIO=4&transport=%s%s%s%s%s HTTP/1.1\r\n"
                     "Host: %s\r\n%.*s%s\r\n",
                     method, target->path, transport, sid[0] ? "&sid=" : "",
                     sid, url->query[0] ? "&" : "", url->query, url->authority,
                     (int)target->headers.n,
                     target->headers.n ? target->headers.p : "", more);

    if (n < 0 || (size_t)n >= sizeof head)
        return false;
    net_conn_append(conn, head, (size_t)n);
    return true;
}
