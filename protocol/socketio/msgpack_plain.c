/*
 * msgpack_plain.c -- MessagePack without what only socket.io-msgpack-parser
 * understands; see msgpack.h. Does not recurse.
 *
 * A member that is undefined is left out, which is known only when the head of
 * its map is written: then the count in that head is made smaller in place.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/socketio/msgpack.h"

/* ------------------------------------------------------------------ dates --
 */

static int append_big_endian(struct grow *out, uint64_t v, unsigned bytes)
{
    int r = SIO_OK;

    while (r == SIO_OK && bytes-- > 0)
        r = grow_append_byte(out, (uint8_t)(v >> 8 * bytes));
    return r;
}

/* The form of 4 bytes, that of 8 or that of 12, with its head. */
static int append_timestamp(struct grow *out, int64_t s, uint64_t ns)
{
    const uint64_t packed = ns << 34 | (uint64_t)s;
    int r;

    if (ns == 0 && s >= 0 && s <= UINT32_MAX) {
        r = grow_append(out, "\xd6\xff", 2);
        return r == SIO_OK ? append_big_endian(out, packed, 4) : r;
    }
    if (s >= 0 && s < INT64_C(1) << 34) {
        r = grow_append(out, "\xd7\xff", 2);
        return r == SIO_OK ? append_big_endian(out, packed, 8) : r;
    }
    r = grow_append(out, "\xc7\x0c\xff", 3);
    if (r == SIO_OK)
        r = append_big_endian(out, ns, 4);
    return r == SIO_OK ? append_big_endian(out, (uint64_t)s, 8) : r;
}

int mp_append_date(struct grow *out, double ms)
{
    const double limit = 8.64e15; /* ECMA-262, time values */
    const size_t before = out->len;
    int64_t whole, s;
    int r;

    if (!(ms >= -limit && ms <= limit))
        return mp_append_nil(out);
    whole = (int64_t)ms;
    s = whole / 1000 - (whole % 1000 < 0);
    r = append_timestamp(out, s, (uint64_t)(whole - s * 1000) * 1000000);
    if (r != SIO_OK)
        out->len = before;
    return r;
}

/* ---------------------------------------------------------------- walking --
 */

/* The arrays and maps that are open. */
struct level {
    size_t head;    /* where its head was written */
    uint64_t left;  /* values to come, keys among them */
    uint32_t count; /* pairs that are written */
    bool map;
};

struct plain {
    struct grow *out;
    uint32_t depth;
    struct level levels[MP_DEPTH_LIMIT];
};

static bool at_key(const struct plain *w)
{
    return w->depth && w->levels[w->depth - 1].map &&
           w->levels[w->depth - 1].left % 2 == 0;
}

static int open_level(struct plain *w, const struct mp_item *item, sio_str head)
{
    const bool map = item->kind == MP_MAP;

    if (item->count && w->depth == MP_DEPTH_LIMIT)
        return SIO_E_INVAL;
    if (item->count)
        w->levels[w->depth++] =
            (struct level){ w->out->len, (uint64_t)item->count << map,
                            item->count, map };
    return grow_append(w->out, head.p, head.n);
}

/* The head keeps its form, which need not be the smallest. */
static void close_levels(struct plain *w)
{
    while (w->depth && w->levels[w->depth - 1].left == 0) {
        const struct level *level = &w->levels[--w->depth];
        uint8_t *head = w->out->data + level->head;
        const unsigned bytes = *head == 0xde ? 2 : *head == 0xdf ? 4 : 0;

        if (!level->map)
            continue;
        if (!bytes)
            *head = (uint8_t)(0x80 | level->count);
        for (unsigned i = 0; i < bytes; i++)
            head[1 + i] = (uint8_t)(level->count >> 8 * (bytes - 1 - i));
    }
}

static int append_ext(struct plain *w, const struct mp_item *item)
{
    int r = mp_append_array(w->out, 2);

    if (r == SIO_OK)
        r = mp_append_integer(w->out, item->ext_type);
    return r == SIO_OK ? mp_append_binary(w->out, item->bytes) : r;
}

/* raw: the bytes that were read as `item`. */
static int append_item(struct plain *w, const struct mp_item *item, sio_str raw)
{
    const uint8_t head = (uint8_t)raw.p[0];
    const bool ext =
        (head >= 0xc7 && head <= 0xc9) || (head >= 0xd4 && head <= 0xd8);

    if (item->kind == MP_ARRAY || item->kind == MP_MAP)
        return open_level(w, item, raw);
    if (!ext || (item->kind == MP_DATE && item->ext_type == -1))
        return grow_append(w->out, raw.p, raw.n);
    switch (item->kind) {
    case MP_BINARY:
        return mp_append_binary(w->out, item->bytes);
    case MP_DATE:
        return mp_append_date(w->out, item->number);
    case MP_EXT:
        return append_ext(w, item);
    default:
        return mp_append_nil(w->out);
    }
}

static int append_key(struct plain *w, const struct mp_item *key, sio_str raw)
{
    if (key->kind == MP_NIL)
        return mp_append_string(w->out, STR("null"));
    if (key->kind == MP_BOOL)
        return mp_append_string(w->out,
                                key->boolean ? STR("true") : STR("false"));
    return grow_append(w->out, raw.p, raw.n);
}

/* One item, or a key with a value that is left out. */
static const char *append_next(struct plain *w, const char *p, const char *end,
                               int *r)
{
    struct level *level = w->depth ? &w->levels[w->depth - 1] : NULL;
    const bool key = at_key(w);
    struct mp_item item, value;
    const char *stop = mp_read(p, end, &item), *behind;
    sio_str raw;

    if (!stop)
        return NULL;
    raw = (sio_str){ p, (size_t)(stop - p) };
    if (level)
        level->left--;
    if (!key) {
        *r = append_item(w, &item, raw);
        return stop;
    }
    behind = mp_read(stop, end, &value);
    if (behind && value.kind == MP_UNDEFINED) {
        level->left--;
        level->count--;
        return behind;
    }
    *r = append_key(w, &item, raw);
    return stop;
}

int mp_append_plain(struct grow *out, sio_str value)
{
    const char *p = value.p, *end = value.p + value.n;
    const size_t before = out->len;
    struct plain w; /* its levels are written before they are read */
    int r = SIO_OK;

    w.out = out;
    w.depth = 0;
    do {
        p = append_next(&w, p, end, &r);
        if (!p)
            r = SIO_E_INVAL;
        if (r == SIO_OK)
            close_levels(&w);
    } while (r == SIO_OK && w.depth);
    if (r != SIO_OK)
        out->len = before;
    return r;
}
