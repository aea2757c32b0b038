/*
 * jsonp.h -- Engine.IO v3 polling for pages that can only load scripts: the
 * payload is an argument of a function call in the response, and a field of a
 * form in the request.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef PROTOCOL_ENGINEIO_JSONP_H
#define PROTOCOL_ENGINEIO_JSONP_H

#include "protocol/base/grow.h"

/* The field "d" of a form, already decoded as such, becomes the payload. Forms
 * change line ends, so the client wrote backslash and n for a newline, and one
 * more backslash before what had been that. In place; returns the new length.
 */
size_t eio_jsonp_unescape(char *d, size_t n);

/* Append ___eio[<index>]("<payload>");
 * index    the query parameter "j": only its digits are used
 * Returns  SIO_OK; SIO_E_INVAL (payload is not UTF-8), SIO_E_LIMIT,
 *          SIO_E_NOMEM: `out` is as it was. */
int eio_jsonp_append(struct grow *out, sio_str index, sio_str payload);

#endif
