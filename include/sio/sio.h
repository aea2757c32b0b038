/*
 * sio.h -- libsio, a Socket.IO server in C: the whole public API.
 *
 *   types.h   results, strings, the value type     server.h  options, run, stop
 *   value.h   making values                        socket.h  handlers, rooms
 *   event.h   reading events, acknowledging        emit.h    sending
 *   engine.h  plain Engine.IO                      http.h    own HTTP routes
 *   websocket.h  plain WebSocket endpoints         hooks.h   requests, headers
 *   tls.h     certificates, client certificates    stats.h   counters
 *   namespace.h  dynamic namespaces                sockets.h many at once
 *   handshake.h  what a socket came with           parser.h  JSON, MessagePack
 *   recovery.h   clients that come back          redis.h   several servers
 *   adapter.h    adapters of one's own       emitter.h emitting from outside
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SIO_SIO_H
#define SIO_SIO_H

#include <sio/adapter.h>
#include <sio/emit.h>
#include <sio/emitter.h>
#include <sio/engine.h>
#include <sio/event.h>
#include <sio/handshake.h>
#include <sio/hooks.h>
#include <sio/http.h>
#include <sio/intercept.h>
#include <sio/namespace.h>
#include <sio/parser.h>
#include <sio/recovery.h>
#include <sio/redis.h>
#include <sio/server.h>
#include <sio/socket.h>
#include <sio/sockets.h>
#include <sio/stats.h>
#include <sio/tls.h>
#include <sio/types.h>
#include <sio/value.h>
#include <sio/version.h>
#include <sio/websocket.h>

#endif /* SIO_SIO_H */
