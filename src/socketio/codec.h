/*
 * codec.h -- what the parsers of sio_options.parser have in common, for the
 * rest of src/socketio:
 *
 *   engine --> message --> codec->receive() --> so_client_packet()
 *   sp_message --> codec->encode() --> text or binary, and attachments
 *
 *   codec_json.c     JSON text and attachments: the default
 *   codec_msgpack.c  MessagePack, one binary message a packet
 *   codec_custom.c   a parser of the program: <sio/parser.h>
 *
 * Arguments stay as they came, slices of the message; each codec brings the
 * functions that read them (struct so_args). JSON text of arguments that are
 * none is made when asked for: shadow.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_SOCKETIO_CODEC_H
#define SRC_SOCKETIO_CODEC_H

#include <sio/parser.h>

#include "src/socketio/hub.h"

/* How the slices in event->packet are read; `raw` is one of them. The readers
 * return what those of <sio/event.h> do. */
struct so_args {
    /* The event's name as handlers are registered: a number's digits. */
    sio_str (*name)(sio_event *event);
    /* Walk the payload: *pos starts at 0; false at the end. */
    bool (*next)(sio_str payload, size_t *pos, sio_str *item);
    sio_kind (*kind)(const sio_event *event, sio_str raw);
    int (*string)(sio_event *event, sio_str raw, const char **out, size_t *n);
    int (*integer)(sio_str raw, int64_t *out);
    int (*number)(sio_str raw, double *out);
    int (*boolean)(sio_str raw, bool *out);
    int (*binary)(const sio_event *event, sio_str raw, const void **out,
                  size_t *n);
    /* To be passed on. */
    sio_value (*value)(const sio_event *event, sio_str raw);
    /* NULL: `raw` is JSON text, and the attachments are the event's. */
    int (*append_json)(struct grow *out, struct sp_attachments *bin,
                       sio_str raw);
};

struct so_codec {
    const struct so_args *args;
    /* A message of a client that is listened to. */
    void (*receive)(struct so_client *client, bool binary, uint8_t *data,
                    size_t n);
    /* Everything of an input was received, and client->unfinished is not NULL;
     * NULL: nothing to do. */
    void (*end_batch)(struct so_client *client);
    /* The client is gone, the same. */
    void (*forget)(struct so_client *client);

    /* Append the packet's first message to `out`, its attachments to `bin`,
     * which are emptied first. EVENT and ACK. */
    int (*encode)(const struct so_hub *hub, struct grow *out,
                  struct sp_attachments *bin, const struct sp_message *m);
    /* The same for CONNECT, DISCONNECT, CONNECT_ERROR; payload NULL: none. */
    int (*encode_plain)(const struct so_hub *hub, struct grow *out,
                        struct sp_attachments *bin, enum sp_type type,
                        sio_str nsp, const sio_value *payload);
};

extern const struct so_codec so_codec_json, so_codec_msgpack, so_codec_custom;
extern const struct so_args so_args_json, so_args_msgpack, so_args_values;

/* That of options.parser. */
const struct so_codec *so_codec_of(const sio_parser *parser);

/* --- shadow.c --- */

/* Argument i as JSON text. SIO_OK, SIO_E_LIMIT, SIO_E_NOMEM. */
int so_shadow_arg(sio_event *event, size_t i, sio_str *out);
/* The binary values of all arguments; empty when there is no memory. */
struct sp_attachments so_shadow_attachments(const sio_event *event);
void so_shadow_free(struct so_shadow *shadow);

/* --- event.c --- */

/* n bytes and a NUL in the event's arena; NULL: out of memory. */
char *so_event_text(sio_event *event, const char *p, size_t n);

#endif
