/*
 * utf8.h -- UTF-8 as RFC 3629 has it: no overlong forms, no surrogates,
 * nothing above U+10FFFF. Incremental, so that a sequence may be cut anywhere.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef PROTOCOL_BASE_UTF8_H
#define PROTOCOL_BASE_UTF8_H

#include "protocol/base/grow.h"

struct utf8 {
    uint8_t state; /* 0 = between characters */
};

static inline void utf8_init(struct utf8 *u)
{
    u->state = 0;
}

/* False as soon as the bytes so far cannot begin valid text; stays false. */
bool utf8_feed(struct utf8 *u, const void *p, size_t n);

/* True when the text may end here. */
static inline bool utf8_done(const struct utf8 *u)
{
    return u->state == 0;
}

bool utf8_valid(const void *p, size_t n);

/* Append p[0..n) to `out`, each maximal ill-formed part replaced by U+FFFD as
 * the WHATWG decoder (and so Node's Buffer.toString) does. */
int utf8_append_lossy(struct grow *out, const void *p, size_t n);

/* Append the UTF-8 form of a code point below 0x110000; a surrogate is written
 * as its three-byte form (it can only come from a JSON escape). Returns the
 * number of bytes, 1 to 4. */
size_t utf8_put(char *out, uint32_t code_point);

#endif
