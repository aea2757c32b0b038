/*
 * msgpack_json.c -- MessagePack as JSON text, and JSON text as MessagePack; see
 * msgpack.h. Neither recurses.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/socketio/encode.h"
#include "protocol/socketio/msgpack.h"
#include "protocol/socketio/scan.h"
#include "protocol/socketio/skip.h"

#include <stdio.h>

/* ----------------------------------------------------------------- dates -- */

/* Days since 1970-01-01 to a date of the Gregorian calendar, whose years are
 * taken to begin in March: leap days come last. */
static int to_civil(int64_t days, int *month, int *day)
{
    const int64_t from_era = days + 719468; /* since 0000-03-01 */
    const int64_t era = (from_era >= 0 ? from_era : from_era - 146096) / 146097;
    const int64_t d = from_era - era * 146097;
    const int64_t year = (d - d / 1460 + d / 36524 - d / 146096) / 365;
    const int64_t of_year = d - (365 * year + year / 4 - year / 100);
    const int64_t m = (5 * of_year + 2) / 153; /* 0 is March */

    *day = (int)(of_year - (153 * m + 2) / 5 + 1);
    *month = (int)(m < 10 ? m + 3 : m - 9);
    return (int)(year + era * 400 + (*month <= 2));
}

size_t mp_date_text(double ms, char text[MP_DATE_TEXT])
{
    const double limit = 8.64e15; /* ECMA-262, time values */
    int64_t days, rest;
    int year, month, day;

    if (!(ms >= -limit && ms <= limit))
        return 0;
    days = (int64_t)ms / 86400000;
    rest = (int64_t)ms % 86400000;
    if (rest < 0) {
        rest += 86400000;
        days--;
    }
    year = to_civil(days, &month, &day);
    return (size_t)snprintf(
        text, MP_DATE_TEXT, "%s%0*d-%02d-%02dT%02d:%02d:%02d.%03dZ",
        year < 0      ? "-"
        : year > 9999 ? "+"
                      : "",
        year < 0 || year > 9999 ? 6 : 4, year < 0 ? -year : year, month, day,
        (int)(rest / 3600000), (int)(rest / 60000 % 60),
        (int)(rest / 1000 % 60), (int)(rest % 1000));
}

/* --------------------------------------------------------- to JSON text -- */

/* The arrays and maps that are open: how many values are to come, keys among
 * them, and whether it is a map. */
struct level {
    uint64_t left;
    bool map;
};

struct json_writer {
    struct grow *out;
    struct sp_attachments *bin;
    uint32_t depth;
    struct level levels[MP_DEPTH_LIMIT];
};

static int append_date(struct grow *out, double ms)
{
    char text[MP_DATE_TEXT];
    const size_t n = mp_date_text(ms, text);

    return n ? json_append_string(out, (sio_str){ text, n })
             : grow_append(out, "null", 4);
}

static int append_ext(struct json_writer *w, const struct mp_item *item)
{
    int r = grow_append_byte(w->out, '[');

    if (r == SIO_OK)
        r = json_append_integer(w->out, item->ext_type);
    if (r == SIO_OK)
        r = grow_append_byte(w->out, ',');
    if (r == SIO_OK)
        r = sp_append_binary(w->out, w->bin, item->bytes);
    return r == SIO_OK ? grow_append_byte(w->out, ']') : r;
}

static int open_level(struct json_writer *w, const struct mp_item *item)
{
    const bool map = item->kind == MP_MAP;

    if (w->depth == MP_DEPTH_LIMIT)
        return SIO_E_INVAL;
    w->levels[w->depth++] = (struct level){ (uint64_t)item->count << map, map };
    return grow_append_byte(w->out, map ? '{' : '[');
}

static int append_item(struct json_writer *w, const struct mp_item *item)
{
    switch (item->kind) {
    case MP_BOOL:
        return grow_append(w->out, item->boolean ? "true" : "false",
                           item->boolean ? 4 : 5);
    case MP_INT:
        return json_append_integer(w->out, item->integer);
    case MP_NUMBER:
        return json_append_number(w->out, item->number);
    case MP_STRING:
        return json_append_string(w->out, item->bytes);
    case MP_BINARY:
        return sp_append_binary(w->out, w->bin, item->bytes);
    case MP_DATE:
        return append_date(w->out, item->number);
    case MP_EXT:
        return append_ext(w, item);
    case MP_ARRAY:
    case MP_MAP:
        return open_level(w, item);
    default: /* nil, undefined */
        return grow_append(w->out, "null", 4);
    }
}

/* A key that is no string becomes one, as it does in JavaScript. */
static int append_key(struct json_writer *w, const struct mp_item *key)
{
    int r;

    if (key->kind == MP_STRING)
        return json_append_string(w->out, key->bytes);
    r = grow_append_byte(w->out, '"');
    if (r == SIO_OK)
        r = append_item(w, key);
    return r == SIO_OK ? grow_append_byte(w->out, '"') : r;
}

/* At a key: it and what separates it, unless its value is undefined. */
static const char *append_member(struct json_writer *w, const char *p,
                                 const char *end, const struct mp_item *key,
                                 int *r)
{
    struct level *level = &w->levels[w->depth - 1];
    struct mp_item value;
    const char *behind = mp_read(p, end, &value);

    level->left--;
    if (behind && value.kind == MP_UNDEFINED) {
        level->left--;
        return behind;
    }
    if (w->out->data[w->out->len - 1] != '{')
        *r = grow_append_byte(w->out, ',');
    if (*r == SIO_OK)
        *r = append_key(w, key);
    if (*r == SIO_OK)
        *r = grow_append_byte(w->out, ':');
    return p;
}

static int append_element(struct json_writer *w, const struct mp_item *item)
{
    struct level *level = w->depth ? &w->levels[w->depth - 1] : NULL;
    int r = SIO_OK;

    if (level && !level->map && w->out->data[w->out->len - 1] != '[')
        r = grow_append_byte(w->out, ',');
    if (level)
        level->left--;
    return r == SIO_OK ? append_item(w, item) : r;
}

static int close_levels(struct json_writer *w)
{
    int r = SIO_OK;

    while (r == SIO_OK && w->depth && w->levels[w->depth - 1].left == 0)
        r = grow_append_byte(w->out, w->levels[--w->depth].map ? '}' : ']');
    return r;
}

static int append_value(struct json_writer *w, sio_str value)
{
    const char *p = value.p, *end = p + value.n;
    struct mp_item item;
    int r = SIO_OK;

    do {
        const struct level *level = w->depth ? &w->levels[w->depth - 1] : NULL;

        p = mp_read(p, end, &item);
        if (!p)
            return SIO_E_INVAL;
        if (level && level->map && level->left % 2 == 0)
            p = append_member(w, p, end, &item, &r);
        else
            r = append_element(w, &item);
        if (r == SIO_OK)
            r = close_levels(w);
    } while (r == SIO_OK && w->depth);
    return r;
}

int mp_append_as_json(struct grow *out, struct sp_attachments *bin,
                      sio_str value)
{
    const size_t before = out->len, binaries = bin ? bin->count : 0;
    struct json_writer w; /* its levels are written before they are read */
    int r;

    w.out = out;
    w.bin = bin;
    w.depth = 0;
    r = append_value(&w, value);
    if (r != SIO_OK) {
        out->len = before;
        if (bin)
            bin->count = binaries;
    }
    return r;
}

/* -------------------------------------------------------- from JSON text -- */

/* JSON text token by token. What separates them says nothing that their order
 * does not. */
struct walk {
    sio_str json;
    size_t pos;
    bool binaries;                       /* placeholders are to be looked for */
    struct json_placeholder placeholder; /* the next one; start: none */
    size_t placeholder_pos;
};

static void find_placeholder(struct walk *w)
{
    if (!w->binaries ||
        !json_next_placeholder(w->json, &w->placeholder_pos, &w->placeholder))
        w->placeholder.start = w->json.n;
}

static void walk_init(struct walk *w, sio_str json, bool binaries)
{
    w->json = json;
    w->pos = w->placeholder_pos = 0;
    w->binaries = binaries;
    find_placeholder(w);
}

/* '[', ']', '{', '}' themselves; 'B': a placeholder, its number in *num; '"'
 * and '1': a string or another scalar, in *token; 0: the end. */
static char walk_next(struct walk *w, sio_str *token, int64_t *num)
{
    const char *end = w->json.p + w->json.n, *p = w->json.p + w->pos, *stop;

    while (p < end && (json_is_blank(*p) || *p == ',' || *p == ':'))
        p++;
    if (p == end)
        return 0;
    if ((size_t)(p - w->json.p) == w->placeholder.start) {
        *num = w->placeholder.num;
        w->pos = w->placeholder.end;
        find_placeholder(w);
        return 'B';
    }
    if (strchr("[]{}", *p)) {
        w->pos = (size_t)(p + 1 - w->json.p);
        return *p;
    }
    stop = json_skip_scalar(p, end);
    *token = (sio_str){ p, (size_t)(stop - p) };
    w->pos = (size_t)(stop - w->json.p);
    return *p == '"' ? '"' : '1';
}

/* What each array or object holds, keys among it, in the order they begin:
 * their heads say it in front. */
struct counts {
    struct grow numbers; /* of uint32_t */
    size_t next;
    struct grow text; /* a string without its escapes */
};

static uint32_t *count_at(struct counts *c, size_t i)
{
    return (uint32_t *)(void *)c->numbers.data + i;
}

static int count_all(struct counts *c, struct walk w)
{
    uint32_t open[JSON_DEPTH_LIMIT], depth = 0;
    int64_t num;
    sio_str token;
    char t;

    while ((t = walk_next(&w, &token, &num))) {
        const size_t n = c->numbers.len / sizeof *open;

        if (t == ']' || t == '}') {
            depth--;
            continue;
        }
        if (depth)
            ++*count_at(c, open[depth - 1]);
        if (t == '[' || t == '{') {
            int r = grow_append(&c->numbers, &(uint32_t){ 0 }, sizeof *open);

            if (r < 0 || depth == JSON_DEPTH_LIMIT)
                return r < 0 ? r : SIO_E_INVAL;
            open[depth++] = (uint32_t)n;
        }
    }
    return SIO_OK;
}

static int append_json_string(struct grow *out, struct counts *c, sio_str token)
{
    int r;

    if (!memchr(token.p, '\\', token.n))
        return mp_append_string(out, (sio_str){ token.p + 1, token.n - 2 });
    c->text.len = 0;
    r = grow_reserve(&c->text, token.n);
    if (r < 0)
        return r;
    c->text.len = json_unescape(token, (char *)c->text.data);
    return mp_append_string(out, grow_str(&c->text));
}

static int append_scalar(struct grow *out, sio_str token)
{
    switch (json_kind(token)) {
    case JSON_TRUE:
    case JSON_FALSE:
        return mp_append_bool(out, token.p[0] == 't');
    case JSON_NUMBER:
        return mp_append_number(out, json_number(token));
    default:
        return mp_append_nil(out);
    }
}

static int append_all(struct grow *out, struct counts *c, struct walk *w,
                      const sio_str *attachments, size_t count)
{
    int64_t num = -1;
    sio_str token;
    int r = SIO_OK;
    char t;

    while (r == SIO_OK && (t = walk_next(w, &token, &num)))
        switch (t) {
        case '[':
            r = mp_append_array(out, *count_at(c, c->next++));
            break;
        case '{':
            r = mp_append_map(out, *count_at(c, c->next++) / 2);
            break;
        case 'B':
            r = num >= 0 && (uint64_t)num < count
                    ? mp_append_binary(out, attachments[num])
                    : mp_append_nil(out);
            break;
        case '"':
            r = append_json_string(out, c, token);
            break;
        case '1':
            r = append_scalar(out, token);
            break;
        default: /* the end of an array or object */
            break;
        }
    return r;
}

int mp_append_json(struct grow *out, sio_str json, const sio_str *attachments,
                   size_t count)
{
    const size_t before = out->len;
    struct counts c = { .next = 0 };
    struct walk w;
    int r;

    /* both are bounded by the text */
    grow_init(&c.numbers, SIZE_MAX);
    grow_init(&c.text, SIZE_MAX);
    walk_init(&w, json, count > 0);
    r = count_all(&c, w);
    if (r == SIO_OK)
        r = append_all(out, &c, &w, attachments, count);
    grow_free(&c.numbers);
    grow_free(&c.text);
    if (r != SIO_OK)
        out->len = before;
    return r;
}
