/*
 * msgpack.h -- MessagePack (the msgpack.org format specification) read in place
 * and written, in the dialect of socket.io-msgpack-parser: extension type 0 of
 * 1 byte is undefined, of 8 bytes a date, else an ArrayBuffer. No recursion and
 * no allocation while reading: what is read are slices.
 *
 *   bytes --> mp_skip(), mp_cut() --> slices --> mp_read()
 *   values --> mp_append_*() --> bytes
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef PROTOCOL_SOCKETIO_MSGPACK_H
#define PROTOCOL_SOCKETIO_MSGPACK_H

#include "protocol/base/grow.h"
#include "protocol/base/str.h"

struct sp_attachments;

#define MP_DEPTH_LIMIT 1000 /* the largest max_depth that can be asked for */

enum mp_kind {
    MP_INVALID,
    MP_NIL,
    MP_UNDEFINED,
    MP_BOOL,
    MP_INT,    /* integral within +-(2^53 - 1), however it was written */
    MP_NUMBER, /* any other number */
    MP_STRING,
    MP_BINARY,
    MP_DATE,
    MP_EXT, /* an extension of another type */
    MP_ARRAY,
    MP_MAP
};

/* One value; of an array or map only its head: the elements, or the keys and
 * values in turn, follow it. */
struct mp_item {
    enum mp_kind kind;
    bool boolean;
    int8_t ext_type; /* MP_EXT */
    uint32_t count;  /* elements, or pairs */
    int64_t integer; /* MP_INT */
    double number;   /* MP_INT, MP_NUMBER; MP_DATE: ms since 1970 */
    sio_str bytes;   /* MP_STRING, MP_BINARY, MP_EXT */
};

/* Read the value or head at the front of [p, end). Returns the place behind it,
 * NULL when it is cut short or no MessagePack. Strings are not checked. */
const char *mp_read(const char *p, const char *end, struct mp_item *out);

/* Behind the whole value at the front of [p, end), which is checked as below;
 * NULL when there is none. */
const char *mp_skip(const char *p, const char *end, uint32_t max_depth);

/* As mp_skip() over an array, whose elements' slices go to items[0..cap);
 * *count has how many there are in all. */
const char *mp_cut(const char *p, const char *end, uint32_t max_depth,
                   sio_str *items, size_t cap, size_t *count);

/* Exactly one value, nothing behind it; arrays and maps nested at most
 * max_depth deep; strings are UTF-8; keys are strings, numbers, booleans or
 * nil. */
bool mp_check(sio_str value, uint32_t max_depth);

/* Make every string of one value UTF-8: each byte that belongs to no character
 * becomes '?'. Nothing else is checked; it stops at what is no MessagePack. */
void mp_mend(uint8_t *data, size_t n);

/* The rest takes slices that were checked before. */

enum mp_kind mp_kind(sio_str value);

/* Walk an array's elements: *pos starts at 0; false at the end. */
bool mp_next_element(sio_str array, size_t *pos, sio_str *item);

/* How many binary values are in it, however deep (ArrayBuffers and unknown
 * extensions among them): those that JSON text keeps apart. */
size_t mp_count_binaries(sio_str value);

/* --- writing; on failure `out` is as it was. SIO_E_LIMIT, SIO_E_NOMEM --- */

int mp_append_nil(struct grow *out);
int mp_append_bool(struct grow *out, bool b);
/* The smallest form. */
int mp_append_integer(struct grow *out, int64_t i);
/* As an integer when it is one within +-2^53, else as float 64. */
int mp_append_number(struct grow *out, double number);
/* SIO_E_INVAL: not UTF-8. A surrogate in three-byte form becomes U+FFFD. */
int mp_append_string(struct grow *out, sio_str text);
int mp_append_binary(struct grow *out, sio_str bytes);
int mp_append_array(struct grow *out, size_t count); /* the head only */
int mp_append_map(struct grow *out, size_t pairs);   /* the head only */

/* --- to JSON text and back: msgpack_json.c --- */

/* Append the value as JSON text, as JSON.stringify would print what the npm
 * parser reads: a date is its ISO text, undefined is null (as a member it is
 * left out), an unknown extension is [type, bytes]. Binary becomes placeholders
 * numbered on from bin->count; bin NULL: Node's {"type":"Buffer"} form.
 * SIO_E_LIMIT, SIO_E_NOMEM: `out` and `bin` are as they were. */
int mp_append_as_json(struct grow *out, struct sp_attachments *bin,
                      sio_str value);

/* Append valid JSON text as MessagePack; its placeholders stand for
 * attachments[0..count), those out of range for nil. */
int mp_append_json(struct grow *out, sio_str json, const sio_str *attachments,
                   size_t count);

/* --- for readers of other dialects: msgpack_plain.c --- */

/*
 * Append one value in what every reader of MessagePack knows: an ArrayBuffer of
 * the npm parser becomes binary, its date a timestamp, undefined nil (as a
 * member it is left out), an unknown extension [type, bytes], and keys that are
 * neither strings nor numbers become strings. All else stays byte for byte.
 * SIO_E_LIMIT, SIO_E_NOMEM: `out` is as it was.
 */
int mp_append_plain(struct grow *out, sio_str value);

/* Append ms since 1970 as a timestamp; nil for a date beyond what JavaScript
 * knows. */
int mp_append_date(struct grow *out, double ms);

/* A date as toISOString() has it into text; returns the length, 0 for a date
 * beyond what JavaScript knows. */
#define MP_DATE_TEXT 32
size_t mp_date_text(double ms, char text[MP_DATE_TEXT]);

#endif
