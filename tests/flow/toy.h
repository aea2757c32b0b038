/*
 * toy.h -- a parser that nobody else speaks, to show that a program can bring
 * its own: <sio/parser.h>. tests/e2e/toy-parser.mjs is the other end. Uses the
 * public API only.
 *
 *     <type><nsp> US [id] US [event] US value US value ... US #<attachments>
 *
 * US is the byte 0x1f. A value is n, t, f, i42, d0.5, stext, b0 (attachment 0)
 * or JSON text behind a j, in which {"_placeholder":true,"num":0} is attachment
 * 0, too. Attachments follow as binary messages. (Text cannot hold 0x1f.)
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_FLOW_TOY_H
#define TESTS_FLOW_TOY_H

#include <sio/parser.h>

const sio_parser *toy_parser(void);

/* Unfinished packets whose client has gone, and those that are still there. */
extern size_t toy_forgotten, toy_pending;

#endif
