/*
 * payload3.h -- several Engine.IO v3 packets in one HTTP body, each behind its
 * length in decimal. There are two forms:
 *
 *   text    <length>:<packet>                 6:4hello10:b4AQIDBA==
 *           a length counts UTF-16 code units, as JavaScript does, while the
 *           body is UTF-8
 *   binary  <00 text | 01 binary><length><ff><packet>
 *           a length counts bytes; its digits are the bytes 0 to 9:
 *           00 06 ff "4hello" 01 05 ff 04 01 02 03 04
 *
 * The binary form is application/octet-stream. A server uses it for a batch
 * with a binary packet in it, unless the client asked for base64.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef PROTOCOL_ENGINEIO_PAYLOAD3_H
#define PROTOCOL_ENGINEIO_PAYLOAD3_H

#include "protocol/engineio/packet3.h"

enum eio_form3 { EIO_FORM3_TEXT, EIO_FORM3_BINARY };

/* Walks a body. Base64 is decoded in place, so the body is writable and the
 * packets are slices of it. */
struct eio_payload3 {
    char *at, *end;
    enum eio_form3 form;
    bool done;
};

/* In the text form the body is valid UTF-8. */
void eio_payload3_init(struct eio_payload3 *it, enum eio_form3 form, char *body,
                       size_t n);

/* 1 and *out set; 0 at the end; SIO_E_INVAL when the next packet cannot be
 * decoded. Empty packets and binary ones of an unknown type are passed over.
 * As in Node a text body must not be empty, a binary one may be, and its last
 * packet may be shorter than announced. */
int eio_payload3_next(struct eio_payload3 *it, struct eio_packet *out);

/* Append one packet; all of a body in the same form. On failure (SIO_E_LIMIT,
 * SIO_E_NOMEM) `out` is as it was. */
int eio_payload3_append(struct grow *out, enum eio_form3 form,
                        enum eio_type type, sio_str data);
int eio_payload3_append_binary(struct grow *out, enum eio_form3 form,
                               sio_str data);

#endif
