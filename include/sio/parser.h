/*
 * parser.h -- how Socket.IO packets are written into Engine.IO messages, as
 * Node's `parser` option. Both ends must use the same one.
 *
 *     options.parser = sio_msgpack_parser();  // socket.io-msgpack-parser
 *
 * A parser of one's own is two functions:
 *
 *   client --> message --> decode() --> sio_decoder_packet() --> handlers
 *   emit, ack --> encode() --> sio_encoder_write(), _attach() --> client
 *
 * Whatever the parser, handlers, acknowledgements, rooms and broadcasts are the
 * same, and a broadcast is encoded once. The library knows the rules: packets
 * out of order, reserved names, values that are not valid are refused there.
 *
 * Thread    decode() runs on the loop. encode() runs on the thread that emits,
 *           on several at once: it must not change anything shared. Neither may
 *           call anything but the functions below that are for it.
 * Trust     decode() is given whatever a client sent.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SIO_PARSER_H
#define SIO_PARSER_H

#include <sio/types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum sio_parser_type {
    SIO_PARSER_CONNECT,
    SIO_PARSER_DISCONNECT,
    SIO_PARSER_EVENT,
    SIO_PARSER_ACK,
    SIO_PARSER_CONNECT_ERROR /* only from the server */
} sio_parser_type;

#define SIO_NO_ACK_ID (-1)

/* A packet, in both directions. */
typedef struct sio_parser_packet {
    sio_parser_type type;
    sio_str nsp;    /* "/" or "/admin" */
    int64_t ack_id; /* EVENT, ACK: 0 to 2^53 - 1; or SIO_NO_ACK_ID */
    sio_str event;  /* EVENT: the name */
    /* EVENT, ACK: the arguments. CONNECT: `auth`, none or an object;
     * CONNECT_ERROR: none, an object or a string. */
    const sio_value *values;
    size_t count;
} sio_parser_packet;

typedef struct sio_decoder sio_decoder;
typedef struct sio_encoder sio_encoder;

typedef struct sio_parser {
    size_t size;      /* sizeof(sio_parser) in the program's build */
    const char *name; /* for the log */
    /* The first message of a packet is binary; else text. */
    bool binary;

    /*
     * A message has come. Calls sio_decoder_packet() once when it completes a
     * packet; not at all when more messages belong to it.
     *
     * data     n bytes, text without Engine.IO's "4" (and then valid UTF-8);
     *          they stay as long as a packet that this call completes, else
     *          until return
     * Returns  NULL, or why the message is refused: static text for the log.
     *          The client is closed then, "forced close".
     */
    const char *(*decode)(sio_decoder *decoder, bool binary, const void *data,
                          size_t n, void *user);

    /*
     * Write one packet. Its values are of every kind but SIO_JSON and
     * SIO_RAW_MSGPACK, which come as SIO_RAW_JSON; text in them is UTF-8, raw
     * JSON is valid, its attachments are there.
     *
     * Returns  SIO_OK, or an error, which the emit returns.
     */
    int (*encode)(sio_encoder *encoder, const sio_parser_packet *packet,
                  void *user);

    /* The client is gone while *sio_decoder_state() was not NULL. May be NULL
     * itself. Loop thread. */
    void (*forget)(void *state, void *user);
    void *user;
} sio_parser;

/* The parsers that come with libsio, static: JSON text, which is the default,
 * and socket.io-msgpack-parser 3. They are for sio_options.parser, and have no
 * functions to be called. */
SIO_API const sio_parser *sio_json_parser(void);
SIO_API const sio_parser *sio_msgpack_parser(void);

/* --- for decode() --- */

/* Memory that lives as long as the packet; NULL: out of memory. */
SIO_API void *sio_decoder_alloc(sio_decoder *decoder, size_t n);

/*
 * The packet is complete; at most once per call of decode(). It is handled when
 * decode() has returned.
 *
 * packet   copied; its strings and what its values point at must lie in `data`,
 *          in sio_decoder_alloc()ed or in static memory. Values of every kind
 *          but SIO_JSON.
 * Returns  SIO_OK; SIO_E_INVAL (a value or string is not valid, a reserved
 *          name, a wrong payload for the type), SIO_E_NOMEM, SIO_E_STATE (not
 *          the first one). decode() has to return a text then.
 */
SIO_API int sio_decoder_packet(sio_decoder *decoder,
                               const sio_parser_packet *packet);

/* The parser's own pointer for this client, NULL at first: for packets of
 * several messages. What it keeps there it must bound. */
SIO_API void **sio_decoder_state(sio_decoder *decoder);

/* sio_options.max_attachments, for such parsers. */
SIO_API uint32_t sio_decoder_max_attachments(const sio_decoder *decoder);

/* --- for encode() --- each SIO_OK, SIO_E_LIMIT (over max_buffered_amount) or
 * SIO_E_NOMEM; a failure is remembered, and fails the emit. --- */

/* Append to the packet's first message. */
SIO_API int sio_encoder_write(sio_encoder *encoder, const void *p, size_t n);

/* Append a value as JSON text; binary in it is attached, and stands in the text
 * as {"_placeholder":true,"num":N}. */
SIO_API int sio_encoder_write_json(sio_encoder *encoder,
                                   const sio_value *value);

/* A further message of the packet, always binary: the bytes of a binary value
 * or of an attachment of the packet, or static memory. Not copied. */
SIO_API int sio_encoder_attach(sio_encoder *encoder, const void *p, size_t n);

/* How many have been attached so far: the N of the next one. */
SIO_API size_t sio_encoder_attached(const sio_encoder *encoder);

#ifdef __cplusplus
}
#endif

#endif /* SIO_PARSER_H */
