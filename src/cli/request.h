/*
 * request.h -- the head of an Engine.IO request.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_CLI_REQUEST_H
#define SRC_CLI_REQUEST_H

#include "src/cli/target.h"
#include "src/net/conn.h"

/*
 * Append to the connection
 *
 *     METHOD PATH?EIO=4&transport=TRANSPORT[&sid=SID][&QUERY] HTTP/1.1
 *     Host: ...
 *
 * then the target's headers, `more` (lines with their ends), and the empty
 * line. False when it is over CLI_REQUEST_MAX.
 */
bool cli_request(struct net_conn *conn, const struct cli_target *target,
                 const char *method, const char *transport, const char *sid,
                 const char *more);

#define CLI_REQUEST_MAX 8192 /* bytes of a request's head */

#endif
