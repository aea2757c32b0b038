/*
 * scan.h -- JSON (RFC 8259) read in place: validation, cutting into slices,
 * and the few look-ups that need no tree. No recursion, no allocation.
 *
 * As JSON.parse, unpaired surrogate escapes are accepted, blanks around a value
 * too, and of equal keys the last one counts. Input is assumed to be valid
 * UTF-8; where it comes from an application, json_valid() checks that as well.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef PROTOCOL_SOCKETIO_SCAN_H
#define PROTOCOL_SOCKETIO_SCAN_H

#include "protocol/base/grow.h"
#include "protocol/base/quote.h"
#include "protocol/base/str.h"

#define JSON_DEPTH_LIMIT                                \
    1000 /* the largest max_depth that can be asked for \
          */

enum json_kind {
    JSON_INVALID,
    JSON_NULL,
    JSON_TRUE,
    JSON_FALSE,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

/* Exactly one value, nothing but blanks around it, arrays and objects nested
 * at most max_depth deep, valid UTF-8. */
bool json_valid(sio_str text, uint32_t max_depth);

/* As json_valid() without the UTF-8 check; the value's kind, JSON_INVALID when
 * it is not valid. */
enum json_kind json_check(sio_str text, uint32_t max_depth);

/* As json_check(), and the value must be an array. Its elements' slices
 * (blanks trimmed) go to items[0..cap); *count has how many elements there are
 * in all. SIO_OK, SIO_E_INVAL (no valid JSON, or too deep) or SIO_E_TYPE
 * (valid, but no array). */
int json_cut_array(sio_str text, uint32_t max_depth, sio_str *items, size_t cap,
                   size_t *count);

/* The rest takes slices of text that was validated before. */

enum json_kind json_kind(sio_str value); /* by its first character */

/* Walk an array's elements: *pos starts at 0; false at the end. */
bool json_next_element(sio_str array, size_t *pos, sio_str *item);

/* Element i of an array; n 0 when there is none. Linear: not for loops. */
sio_str json_element(sio_str array, size_t i);

/* The member `key` of an object (unescaped comparison); n 0 when absent. */
sio_str json_member(sio_str object, sio_str key);

/* Walk an object's members: *pos starts at 0; false at the end. `key` is the
 * JSON string with its quotes. */
bool json_next_member(sio_str object, size_t *pos, sio_str *key,
                      sio_str *value);

/* The text of a JSON string without quotes and escapes. Writes at most
 * value.n bytes to out (value.n is always enough) and returns how many. A lone
 * surrogate becomes its three-byte form (WTF-8). */
size_t json_unescape(sio_str value, char *out);

/* Does the JSON string `value` spell `text`? */
bool json_string_is(sio_str value, sio_str text);

/* The number as double; as int64_t only when it is integral and within
 * +-(2^53 - 1) (1e3 and 5.0 count). Locale-independent. */
double json_number(sio_str value);
bool json_integer(sio_str value, int64_t *out);

/* Objects whose "_placeholder" is true, in the order they stand in `value`:
 * *pos starts at 0; false at the end. [start, end) is the object in the text,
 * num its number, or -1 when that is missing or no integer >= 0. To keep this
 * linear, "_placeholder" has to stand before any array or object among the
 * members (every encoder writes no other members than it and "num"), and one
 * true is enough where the key is repeated. */
struct json_placeholder {
    size_t start, end;
    int64_t num;
};
bool json_next_placeholder(sio_str value, size_t *pos,
                           struct json_placeholder *out);

/* Writing, as JSON.stringify does; json_append_string() is in quote.h. On
 * failure `out` is as it was. */
int json_append_number(struct grow *out, double number); /* NaN, inf: null */
int json_append_integer(struct grow *out, int64_t number);

#endif
