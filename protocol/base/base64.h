/*
 * base64.h -- RFC 4648 base64, and the lenient decoding that Node's
 * Buffer.from(text, "base64") does.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef PROTOCOL_BASE_BASE64_H
#define PROTOCOL_BASE_BASE64_H

#include <stddef.h>
#include <stdint.h>

#define BASE64_LEN(n) (((n) + 2) / 3 * 4)       /* characters for n bytes */
#define BASE64_MAX_BYTES(n) (((n) / 4 + 1) * 3) /* bytes from n characters */

/* Standard alphabet with padding. Writes BASE64_LEN(n) characters, no NUL. */
size_t base64_encode(char *out, const void *in, size_t n);

/* URL alphabet without padding (RFC 4648 5): ids. No NUL. */
size_t base64url_encode(char *out, const void *in, size_t n);

/* Both alphabets; other characters are skipped; the first '=' ends the text.
 * Writes at most BASE64_MAX_BYTES(n) bytes and returns how many. `out` may be
 * `in`. */
size_t base64_decode(void *out, const char *in, size_t n);

#endif
