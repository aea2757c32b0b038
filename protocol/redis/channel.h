/*
 * channel.h -- the names of channels, streams and keys under which the three
 * Redis adapters of Node meet, made and taken apart.
 *
 *   classic    PREFIX#NSP#          everybody      PREFIX-request#NSP#
 *              PREFIX#NSP#ROOM#     one room       PREFIX-response#NSP#
 *                                                  PREFIX-response#NSP#UID#
 *   sharded    PREFIX#NSP#          everybody      PREFIX#NSP#UID#  answers
 *              PREFIX#NSP#ROOM#     one room
 *   streams    NAME or NAME-INDEX   stream         PREFIX#NSP#      questions
 *              SESSIONPREFIX PID    key            PREFIX#NSP#UID#  answers
 *
 * Pure: no connection is known here. Functions that append return SIO_OK,
 * SIO_E_LIMIT or SIO_E_NOMEM, and leave `out` as it was when they fail.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef PROTOCOL_REDIS_CHANNEL_H
#define PROTOCOL_REDIS_CHANNEL_H

#include "protocol/base/grow.h"
#include "protocol/base/str.h"

#define PR_PREFIX "socket.io"            /* every adapter's default */
#define PR_STREAM "socket.io"            /* default name of the stream */
#define PR_SESSION_PREFIX "sio:session:" /* default of the streams adapter */
#define PR_SID_LENGTH 20 /* characters: by that Node tells ids from rooms */

/* PREFIX#NSP# */
int pr_channel_base(struct grow *out, sio_str prefix, sio_str nsp);

/* PREFIX#NSP#NAME#; name: a room, or a node's uid. */
int pr_channel_named(struct grow *out, sio_str prefix, sio_str nsp,
                     sio_str name);

/* PREFIX-request#NSP# */
int pr_channel_request(struct grow *out, sio_str prefix, sio_str nsp);

/* PREFIX-response#NSP# or, when uid.n is not 0, PREFIX-response#NSP#UID# */
int pr_channel_response(struct grow *out, sio_str prefix, sio_str nsp,
                        sio_str uid);

/* The pattern for PSUBSCRIBE that stands for the base channel and those of all
 * rooms: PREFIX#NSP#*. What a pattern would take for more than itself is
 * escaped, which Node does not do: its channels have to be compared anyway. */
int pr_channel_pattern(struct grow *out, sio_str prefix, sio_str nsp);

/* What a channel is for a node of that prefix and namespace. */
enum pr_place {
    PR_NOT_OURS,
    PR_BASE,
    PR_NAMED, /* of a room; of a uid, where the adapter has those here */
    PR_REQUEST,
    PR_RESPONSE,
    PR_OWN_RESPONSE /* of a uid, classic */
};

/* PR_NAMED, PR_OWN_RESPONSE: *name is a slice of `channel`. */
enum pr_place pr_channel_place(sio_str prefix, sio_str nsp, sio_str channel,
                               sio_str *name);

/* --- sharded: which rooms have a channel. All nodes must use one mode. --- */

enum pr_mode { PR_STATIC, PR_DYNAMIC, PR_DYNAMIC_PRIVATE };

/* Is a broadcast to that room alone, without answers, published on the room's
 * channel? */
bool pr_mode_publishes(enum pr_mode mode, sio_str room);

/* Is a room with members here subscribed to? is_sid: it is a socket's own. */
bool pr_mode_subscribes(enum pr_mode mode, bool is_sid);

/* --- streams --- */

/*
 * In which of `count` > 0 streams a namespace is, as Node reckons: for some
 * names it is negative, down to -(count - 1). Node adds to the stream of that
 * negative number, but reads only those from 0 on. Who is to be heard by Node
 * adds to the stream without the sign; who is to hear Node reads both.
 */
int pr_stream_index(sio_str nsp, int count);

/* NAME for count 1, else NAME-INDEX. */
int pr_stream_name(struct grow *out, sio_str name, int count, int index);

#endif
