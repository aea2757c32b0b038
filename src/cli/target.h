/*
 * target.h -- what every connection of a command has in common: the server, how
 * to speak to it, and what to say first. Read-only once connections are made,
 * so that threads share it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_CLI_TARGET_H
#define SRC_CLI_TARGET_H

#include "protocol/base/str.h"
#include "src/cli/url.h"
#include "src/net/tls_connect.h"

enum cli_transport {
    CLI_WEBSOCKET, /* from the beginning */
    CLI_POLLING,   /* for good */
    CLI_UPGRADE    /* polling first, then WebSocket, as clients do by default */
};

enum cli_parser { CLI_JSON, CLI_MSGPACK };

struct cli_target {
    struct cli_url url;
    const char *dial;  /* whom to dial: url.host, or an address found for it */
    const char *path;  /* "/socket.io/" */
    sio_str headers;   /* more lines of each request, with their ends */
    sio_str nsp, auth; /* auth: JSON, n 0: none */
    enum cli_transport transport;
    enum cli_parser parser;
    struct net_tls_client *tls; /* NULL: plain */
    uint32_t open_ms;           /* until a connection is open */
    size_t max_queued;          /* bytes that may wait to be written */
    size_t max_message;         /* bytes of a message, or of a polled body */
};

#endif
