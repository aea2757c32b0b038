/*
 * watch.h -- telling the upper layer of packets that come and go, and of sends
 * that have been done, for engines and sends that ask for it.
 *
 *   session.c, polling.c, upgrade.c --> watch_*() --> eng_ops, on_sent
 *   websocket.c (its output has gone) --> watch_sent()
 *
 * Nobody asks: each call here is a look at a pointer. A send with a callback is
 * kept in engine->expected, not in its session, so that sessions without one do
 * not carry it.
 *
 * Whatever is called here may close the session.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_ENGINE_WATCH_H
#define SRC_ENGINE_WATCH_H

#include "protocol/engineio/packet.h"
#include "src/engine/session.h"

/* Packets that leave polling->out. */
struct watch_list {
    size_t waited; /* bytes that they were */
    struct grow bytes;
    sio_engine_packet *packets;
    size_t count, cap;
};

/* A packet has come. */
void watch_packet(struct eng_session *s, const struct eio_packet *p);

static inline void watch_received(struct eng_session *s,
                                  const struct eio_packet *p)
{
    if (s->engine->ops->on_packet)
        watch_packet(s, p);
}

/* A heartbeat is about to be queued; it was framed for the WebSocket. */
void watch_created(struct eng_session *s, enum eio_type type);
void watch_framed(struct eng_session *s, enum eio_type type);

/* Before polling->out is emptied: note what leaves. Then, when it has left,
 * with an answer or as frames, one of the others, which free the list. */
void watch_leave(struct eng_session *s, struct watch_list *leaving);
void watch_polled(struct eng_session *s, struct watch_list *leaving);
void watch_upgraded(struct eng_session *s, struct watch_list *leaving);

/* All that was sent has gone: call back. */
void watch_sent(struct eng_session *s);

/* What is still expected never comes. */
void watch_closed(struct eng_session *s);

#endif
