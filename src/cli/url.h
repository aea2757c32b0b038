/*
 * url.h -- where a Socket.IO server is, as people write it at a terminal:
 *
 *     http://localhost:3000            wss://example.com/admin?token=7
 *     localhost:3000/admin             unix:/run/chat.sock
 *
 * As with the official client, the path of the URL is the namespace; the path
 * of the server's endpoint (/socket.io/) is an option of its own.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_CLI_URL_H
#define SRC_CLI_URL_H

#include <stdbool.h>
#include <stdint.h>

#define CLI_HOST_MAX 255  /* bytes of a host, or of "unix:PATH" */
#define CLI_NSP_MAX 255   /* bytes of a namespace */
#define CLI_QUERY_MAX 511 /* bytes of a query */

struct cli_url {
    bool tls;
    uint16_t port;                    /* host order; 0 with unix sockets */
    char host[CLI_HOST_MAX + 1];      /* without brackets; "unix:PATH" */
    char authority[CLI_HOST_MAX + 9]; /* for the Host header */
    char nsp[CLI_NSP_MAX + 1];        /* "/" unless the URL has a path */
    char query[CLI_QUERY_MAX + 1];    /* without "?"; "" when there is none */
};

/* NULL and *out set, or what is wrong with it: static text. */
const char *cli_url_parse(const char *text, struct cli_url *out);

#endif
