/*
 * added.h -- fields that are added to whatever answer a request will get,
 * spelled out as they are written: "Name: value\r\n" each.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_HTTP_ADDED_H
#define SRC_HTTP_ADDED_H

#include "protocol/base/grow.h"

#define HTTP_ADDED_MAX 8192 /* bytes of such fields on one answer */

/* May a program add it? Not what the server itself says about the message and
 * the connection: Content-Length, Connection, Sec-WebSocket-..., and so on. */
bool http_may_add(sio_str name, sio_str value);

/*
 * Add one field. A name may come several times; but there is one Vary, to which
 * names are added that are not there yet ("*" stands for all).
 *
 * added    grow_init() with HTTP_ADDED_MAX
 * Returns  SIO_OK, SIO_E_INVAL (see http_may_add()), SIO_E_LIMIT, SIO_E_NOMEM.
 */
int http_add(struct grow *added, sio_str name, sio_str value);

#endif
