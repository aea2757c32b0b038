/*
 * msgpack.c -- reading MessagePack; see msgpack.h.
 *
 * A head is one byte, then by its kind a number or a length, big endian:
 *
 *   00-7f 80-8f 90-9f a0-bf  c0 c2 c3 c4-c6 c7-c9 ca cb cc-d3    d4-d8
 *   int   map   array str    nil  bool  bin   ext   float integers fixed ext
 *   d9-db  dc dd  de df  e0-ff
 *   str    array  map    int
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/socketio/msgpack.h"

#include "protocol/base/utf8.h"

#define SAFE_INTEGER 9007199254740991.0 /* 2^53 - 1 */

/* ------------------------------------------------------------- one value -- */

static uint64_t big_endian(const char *p, unsigned n)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < n; i++)
        v = v << 8 | (uint8_t)p[i];
    return v;
}

/* As JavaScript sees it: whatever its form, a number is a double. */
static void set_number(struct mp_item *out, double number)
{
    const bool safe = number >= -SAFE_INTEGER && number <= SAFE_INTEGER &&
                      number == (double)(int64_t)number;

    out->kind = safe ? MP_INT : MP_NUMBER;
    out->number = number;
    out->integer = safe ? (int64_t)number : 0;
}

static double signed_number(uint64_t v, unsigned n)
{
    return (double)((int64_t)(v << (64 - 8 * n)) >> (64 - 8 * n));
}

static double float_number(uint64_t v, unsigned n)
{
    const uint32_t low = (uint32_t)v;
    double d;
    float f;

    if (n == 4) {
        memcpy(&f, &low, sizeof f);
        return (double)f;
    }
    memcpy(&d, &v, sizeof d);
    return d;
}

static const char *read_number(uint8_t head, const char *p, const char *end,
                               struct mp_item *out)
{
    const unsigned n =
        head < 0xcc ? 4u << (head - 0xca) : 1u << ((head - 0xcc) & 3);
    uint64_t v;

    if ((size_t)(end - p) < n)
        return NULL;
    v = big_endian(p, n);
    set_number(out, head < 0xcc   ? float_number(v, n)
                    : head < 0xd0 ? (double)v
                                  : signed_number(v, n));
    return p + n;
}

/* The timestamp extension of the format's specification: 32 bits of seconds, 30
 * of nanoseconds and 34 of seconds, or 32 and 64. */
static double timestamp_ms(sio_str bytes)
{
    uint64_t v;

    if (bytes.n == 4)
        return (double)big_endian(bytes.p, 4) * 1e3;
    v = big_endian(bytes.p + bytes.n - 8, 8);
    if (bytes.n == 8)
        return (double)(v & 0x3ffffffff) * 1e3 + (double)((v >> 34) / 1000000);
    return (double)(int64_t)v * 1e3 +
           (double)(big_endian(bytes.p, 4) / 1000000);
}

static void set_ext(struct mp_item *out, uint8_t head, int8_t type,
                    sio_str bytes)
{
    out->kind = MP_EXT;
    out->ext_type = type;
    out->bytes = bytes;
    if (type == 0 && head <= 0xc9) {
        out->kind = MP_BINARY;
    } else if (type == 0 && head == 0xd4) {
        out->kind = MP_UNDEFINED;
    } else if (type == 0 && head == 0xd7) {
        out->kind = MP_DATE;
        out->number = (double)(int64_t)big_endian(bytes.p, 8);
    } else if (type == -1 && (bytes.n == 4 || bytes.n == 8 || bytes.n == 12)) {
        out->kind = MP_DATE;
        out->number = timestamp_ms(bytes);
    }
}

static const char *read_ext(uint8_t head, const char *p, const char *end,
                            uint64_t n, struct mp_item *out)
{
    if ((size_t)(end - p) < n + 1)
        return NULL;
    set_ext(out, head, (int8_t)*p, (sio_str){ p + 1, (size_t)n });
    return p + 1 + n;
}

static const char *read_bytes(enum mp_kind kind, const char *p, const char *end,
                              uint64_t n, struct mp_item *out)
{
    if ((size_t)(end - p) < n)
        return NULL;
    out->kind = kind;
    out->bytes = (sio_str){ p, (size_t)n };
    return p + n;
}

static const char *read_head(enum mp_kind kind, const char *p, uint64_t count,
                             struct mp_item *out)
{
    out->kind = kind;
    out->count = (uint32_t)count;
    return p;
}

/* Kinds with a length of 1, 2 or 4 bytes behind the head. */
static const char *read_long(uint8_t head, const char *p, const char *end,
                             struct mp_item *out)
{
    /* clang-format off */
    static const struct { uint8_t kind, bytes; } form[] = {
        [0xc4 - 0xc4] = { MP_BINARY, 1 }, { MP_BINARY, 2 }, { MP_BINARY, 4 },
        [0xc7 - 0xc4] = { MP_EXT, 1 },    { MP_EXT, 2 },    { MP_EXT, 4 },
        [0xd9 - 0xc4] = { MP_STRING, 1 }, { MP_STRING, 2 }, { MP_STRING, 4 },
        [0xdc - 0xc4] = { MP_ARRAY, 2 },  { MP_ARRAY, 4 },
        [0xde - 0xc4] = { MP_MAP, 2 },    { MP_MAP, 4 },
    };
    /* clang-format on */
    const enum mp_kind kind = (enum mp_kind)form[head - 0xc4].kind;
    const unsigned bytes = form[head - 0xc4].bytes;
    uint64_t n;

    if ((size_t)(end - p) < bytes)
        return NULL;
    n = big_endian(p, bytes);
    p += bytes;
    switch (kind) {
    case MP_EXT:
        return read_ext(head, p, end, n, out);
    case MP_ARRAY:
    case MP_MAP:
        return read_head(kind, p, n, out);
    default:
        return read_bytes(kind, p, end, n, out);
    }
}

/* From c0 on, without the small integers at the end. */
static const char *read_other(uint8_t head, const char *p, const char *end,
                              struct mp_item *out)
{
    switch (head) {
    case 0xc0:
        out->kind = MP_NIL;
        return p;
    case 0xc1:
        return NULL;
    case 0xc2:
    case 0xc3:
        out->kind = MP_BOOL;
        out->boolean = head == 0xc3;
        return p;
    default:
        break;
    }
    if (head >= 0xca && head <= 0xd3)
        return read_number(head, p, end, out);
    if (head >= 0xd4 && head <= 0xd8)
        return read_ext(head, p, end, UINT64_C(1) << (head - 0xd4), out);
    return read_long(head, p, end, out);
}

const char *mp_read(const char *p, const char *end, struct mp_item *out)
{
    uint8_t head;

    if (p == end)
        return NULL;
    head = (uint8_t)*p++;
    if (head < 0x80 || head >= 0xe0) {
        set_number(out, (double)(int8_t)head);
        return p;
    }
    if (head < 0x90)
        return read_head(MP_MAP, p, head & 15, out);
    if (head < 0xa0)
        return read_head(MP_ARRAY, p, head & 15, out);
    if (head < 0xc0)
        return read_bytes(MP_STRING, p, end, head & 31, out);
    return read_other(head, p, end, out);
}

enum mp_kind mp_kind(sio_str value)
{
    struct mp_item item;

    return value.n && mp_read(value.p, value.p + value.n, &item) ? item.kind
                                                                 : MP_INVALID;
}

/* -------------------------------------------------------------- checking -- */

/* The arrays and maps that are open: for each the values still to come, keys
 * among them, twice; plus one for a map. */
struct nest {
    uint32_t depth, max;
    uint64_t left[MP_DEPTH_LIMIT];
};

/* Does a key come next? */
static bool at_key(const struct nest *nest)
{
    /* a map with an even number of values to come */
    return nest->depth && (nest->left[nest->depth - 1] & 3) == 1;
}

static bool may_be_key(const struct mp_item *item)
{
    return item->kind == MP_STRING || item->kind == MP_INT ||
           item->kind == MP_NUMBER || item->kind == MP_BOOL ||
           item->kind == MP_NIL;
}

/* One value is done: leave the levels that end with it. */
static void leave(struct nest *nest)
{
    while (nest->depth) {
        nest->left[nest->depth - 1] -= 2;
        if (nest->left[nest->depth - 1] > 1)
            return;
        nest->depth--;
    }
}

/* False: too deep. */
static bool enter(struct nest *nest, const struct mp_item *item)
{
    const bool map = item->kind == MP_MAP;

    if (nest->depth == nest->max)
        return false;
    if (item->count == 0)
        leave(nest);
    else
        nest->left[nest->depth++] = ((uint64_t)item->count << (map + 1)) | map;
    return true;
}

const char *mp_skip(const char *p, const char *end, uint32_t max_depth)
{
    struct mp_item item;
    struct nest nest; /* its levels are written before they are read */

    nest.depth = 0;
    nest.max = max_depth < MP_DEPTH_LIMIT ? max_depth : MP_DEPTH_LIMIT;
    do {
        p = mp_read(p, end, &item);
        if (!p || (at_key(&nest) && !may_be_key(&item)))
            return NULL;
        if (item.kind == MP_STRING && !utf8_valid(item.bytes.p, item.bytes.n))
            return NULL;
        if (item.kind == MP_ARRAY || item.kind == MP_MAP) {
            if (!enter(&nest, &item))
                return NULL;
        } else {
            leave(&nest);
        }
    } while (nest.depth);
    return p;
}

bool mp_check(sio_str value, uint32_t max_depth)
{
    return value.n &&
           mp_skip(value.p, value.p + value.n, max_depth) == value.p + value.n;
}

const char *mp_cut(const char *p, const char *end, uint32_t max_depth,
                   sio_str *items, size_t cap, size_t *count)
{
    struct mp_item head;
    const char *stop;

    p = mp_read(p, end, &head);
    if (!p || head.kind != MP_ARRAY || max_depth == 0)
        return NULL;
    for (size_t i = 0; i < head.count; i++) {
        stop = mp_skip(p, end, max_depth - 1);
        if (!stop)
            return NULL;
        if (i < cap)
            items[i] = (sio_str){ p, (size_t)(stop - p) };
        p = stop;
    }
    *count = head.count;
    return p;
}

static void mend_string(uint8_t *p, size_t n)
{
    struct utf8 state;
    size_t good = 0; /* up to there all is well */

    while (good < n && !utf8_valid(p + good, n - good)) {
        size_t i = good;

        utf8_init(&state);
        while (i < n && utf8_feed(&state, p + i, 1)) {
            i++;
            if (utf8_done(&state))
                good = i;
        }
        p[good++] = '?';
    }
}

void mp_mend(uint8_t *data, size_t n)
{
    const char *p = (const char *)data, *end = p + n;
    struct mp_item item;

    while ((p = mp_read(p, end, &item)))
        if (item.kind == MP_STRING)
            mend_string(data + (item.bytes.p - (const char *)data),
                        item.bytes.n);
}

/* --------------------------------------------------------------- walking -- */

bool mp_next_element(sio_str array, size_t *pos, sio_str *item)
{
    const char *end, *p, *stop;
    struct mp_item head;

    if (mp_kind(array) != MP_ARRAY)
        return false;
    end = array.p + array.n;
    p = array.p + *pos;
    if (*pos == 0)
        p = mp_read(p, end, &head);
    *pos = (size_t)(p - array.p);
    if (p == end)
        return false;
    stop = mp_skip(p, end, MP_DEPTH_LIMIT);
    *item = (sio_str){ p, (size_t)(stop - p) };
    *pos = (size_t)(stop - array.p);
    return true;
}

size_t mp_count_binaries(sio_str value)
{
    const char *p = value.p, *end = p + value.n;
    struct mp_item item;
    size_t n = 0;

    while (p < end) {
        p = mp_read(p, end, &item);
        n += item.kind == MP_BINARY || item.kind == MP_EXT;
    }
    return n;
}
